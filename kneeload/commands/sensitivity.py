"""`kneeload sensitivity`: how sure an answer is, and which parameters of the model that depends on."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kneeload.bone.day import DAY_ACTIVITIES
from kneeload.commands import CaseOf
from kneeload.commands.parser import Parser, UsageError
from kneeload.output_folder import claim, new_folder

if TYPE_CHECKING:
    from kneeload.case import Case
    from kneeload.population.sensitivity import Sensitivity
    from kneeload.views.tornado import Panel

_ABOUT = """Draws the model's own parameters (elastic constants, thickness, moment arms, strength, baseline hazard ...) from their priors and
simulates the case that `key=value` words describe with each draw. Tells a 95 % interval of every output, first-order and total
Sobol indices with their own intervals, and what each parameter does alone. Writes sensitivity.csv, intervals.csv, convergence.csv,
samples.csv, sensitivity.json, tornado.png and convergence.png into a new folder. See docs/uncertainty.md."""


def run(arguments: Sequence[str], case_of: CaseOf) -> int:
    """Study a case, print and write; 0 = done."""
    parser = Parser("sensitivity", _ABOUT)
    parser.add_argument("--samples", type=int, default=128, metavar="N", help="blocks, a power of two; N x (parameters + 2) runs (default 128)")
    parser.add_argument("--outputs", metavar="A,B", default="", help="numbers of summary.json, such as contact.medial.peak_pressure_mpa")
    parser.add_argument("--only", metavar="A,B", default="", help="parameters that are drawn (default: all that matter in this case)")
    parser.add_argument("--prior", metavar="NAME=LOW:HIGH", action="append", default=[], help="other ends for one parameter; may be given several times")
    parser.add_argument("--priors", action="store_true", help="print the priors with their sources and stop")
    parser.add_argument("--whole-day", action="store_true", help="all five activities of the day, not the case's own alone (about four times slower)")
    parser.add_argument("--workers", type=int, default=2, metavar="K", help="processes (default 2)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of all draws (default 1)")
    parser.add_argument("--output", metavar="FOLDER", type=Path, help="folder to make (default runs/sensitivity_<time>/)")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    values, words = parser.with_overrides(arguments)
    from kneeload.population.priors import priors_for

    case = case_of(words)
    if not values.whole_day and case.activity.name in DAY_ACTIVITIES:
        case = _alone(case)
    priors = priors_for(case, only=_list(values.only), ranges=dict(map(_range, values.prior)))
    if values.priors:
        for item in priors:
            print(f"{item.name}: {item.shape} {item.low:g} to {item.high:g} {item.unit}".rstrip()
                  + (f", mean {item.mean:g}, SD {item.sd:g}" if item.shape in ("normal", "lognormal") else "") + f"\n    {item.source}")
        return 0
    from kneeload.population.sensitivity import require_salib, sensitivity
    from kneeload.population.sensitivity_files import write_sensitivity
    from kneeload.views.sensitivity_terminal import run_progress

    require_salib()
    given = {"outputs": _list(values.outputs), "samples": values.samples, "seed": values.seed, "workers": values.workers, "priors": priors}
    if values.quiet or not sys.stderr.isatty():
        study = sensitivity(case, **given)
    else:
        with run_progress("sensitivity") as progress:
            study = sensitivity(case, **given, progress=progress)
    folder = claim(values.output or new_folder("sensitivity"))
    write_sensitivity(study, folder, words=words)
    _draw(study, folder, words)
    if not values.quiet:
        _print(study, folder)
    return 0


def _alone(case: Case) -> Case:
    """The case, and the one before its interventions, with its own activity as all of the day."""
    before = None if case.baseline is None else _alone(case.baseline)
    return replace(case, day_activities=(case.activity.name,), baseline=before)


def _list(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()]


def _range(word: str) -> tuple[str, tuple[float, float]]:
    name, _, ends = word.partition("=")
    try:
        low, high = (float(end) for end in ends.split(":"))
    except ValueError:
        raise UsageError(f"--prior {word} is not usable: give a name and two numbers, such as --prior cartilage_youngs_modulus_mpa=5:15.") from None
    return name.strip(), (low, high)


def _note(study: Sensitivity) -> str:
    return f"{study.runs:,} runs, {len(study.priors)} parameters, {study.kept} blocks of samples"


def _draw(study: Sensitivity, folder: Path, words: Sequence[str]) -> None:
    from kneeload.views.tornado import draw_convergence, draw_tornado

    panels, who = [_panel(study, place) for place in range(len(study.outputs))], " ".join(words) or "default case"
    draw_tornado(folder / "tornado.png", panels, title=f"What the answer depends on: {who}"[:120],
                 note=f"Bars: one parameter alone at the 2.5 % (blue) and 97.5 % (orange) end of its prior. Grey: 95 % interval over all of them. {_note(study)}.")
    draw_convergence(folder / "convergence.png", panels, title=f"Convergence of the total indices: {who}"[:120], note=f"Bars are 95 % intervals by bootstrap over the blocks. {_note(study)}.")


def _panel(study: Sensitivity, place: int) -> Panel:
    import numpy as np

    from kneeload.population.sensitivity import ENDS
    from kneeload.population.sensitivity_files import unit_of
    from kneeload.views.tornado import Panel

    output = study.outputs[place]
    last = output.indices[-1]
    labels = [f"{prior.words} ({low:.3g} to {high:.3g}{' ' + prior.unit if prior.unit else ''})" for prior in study.priors for low, high in [prior.value(np.array(ENDS))]]
    return Panel(title=output.name, unit=unit_of(output.name), nominal=output.nominal, low=output.low, high=output.high, labels=labels, swings=output.swings,
                 total=last.total, total_half=last.total_half, sizes=[item.blocks for item in output.indices], totals=np.array([item.total for item in output.indices]),
                 total_halves=np.array([item.total_half for item in output.indices]))


def _print(study: Sensitivity, folder: Path) -> None:
    import numpy as np

    from kneeload.population.sensitivity_files import unit_of
    from kneeload.views.sensitivity_terminal import print_sensitivity

    shown = []
    for output in study.outputs:
        last = output.indices[-1]
        lines = [(prior.name, float(a), float(b), float(c), float(d)) for prior, a, b, c, d in zip(study.priors, last.first, last.first_half, last.total, last.total_half)]
        shown.append((output.name, unit_of(output.name), output.nominal, output.low, output.high, lines))
    widest = max((float(np.nanmax(item.indices[-1].total_half)) for item in study.outputs if not np.isnan(item.indices[-1].total_half).all()), default=0.0)
    notes = [f"{_note(study)}, {study.seconds:.0f} s. Widest interval of a total index: ± {widest:.2f}" + ("; take more --samples to rank parameters that lie closer." if widest > 0.1 else ".")]
    if study.kept < study.samples:
        notes.append(f"{study.samples - study.kept} of {study.samples} blocks had a failed run and were left out as a whole: indices and intervals hold for what is left. Most often: "
                     + (max(study.failures, key=lambda sentence: study.failures[sentence]) if study.failures else "an output did not exist"))
    print_sensitivity(shown, notes=notes, folder=folder)
