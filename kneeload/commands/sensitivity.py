"""`kneeload sensitivity`: how sure an answer is, and which parameters of the model that depends on."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kneeload.commands import CaseOf
from kneeload.commands.parser import Parser, UsageError, key_of
from kneeload.errors import KneeloadError
from kneeload.output_folder import new_folder

if TYPE_CHECKING:
    import argparse

    from kneeload.population.priors import Prior
    from kneeload.population.sensitivity import Output, Sensitivity
    from kneeload.population.uncertainty import Draws
    from kneeload.views.tornado import Panel

_ABOUT = """Draws the model's own parameters (elastic constants, thickness, moment arms, strength, baseline hazard ...) from their priors and
simulates the case that `key=value` words describe with each draw. Tells a 95 % interval of every number, first-order and total
Sobol indices with their own intervals, and what each parameter does alone. Writes tables and pictures into --output. A study that
was stopped goes on when the same command, or --output alone, is given again. Each flag is a key of the group `uncertainty`, too:
uncertainty.samples=256, uncertainty.priors.stability.high=1.4. See docs/uncertainty.md."""
_FREE = ("uncertainty.output", "uncertainty.workers")  # of which no number depends
_MOST_PANELS = 6  # of a picture


def run(arguments: Sequence[str], case_of: CaseOf) -> int:
    """Study a case or go on with a study, print and write; 0 = done."""
    from kneeload.population.study_folder import words_of

    values, words = _parser().with_overrides(arguments)
    words = _as_keys(values, words)
    case, how, settings = case_of.uncertainty(words)
    if how.output is not None and all(key_of(word) in _FREE for word in words) and (before := words_of(how.output)):
        words = [*before, *words]
        case, how, settings = case_of.uncertainty(words)
    if values.cfg:
        import yaml

        print(yaml.safe_dump({"uncertainty": settings}, sort_keys=False, width=140, default_flow_style=None), end="")
        return 0
    if values.priors:
        from kneeload.population.priors import changed_priors, priors_for

        _print_priors(priors_for(case, only=how.only, known=changed_priors(how.priors)))
        return 0
    from kneeload.population.sensitivity import study_of
    from kneeload.population.sensitivity_files import write_sensitivity

    draws = how.draws(case)
    if values.list_outputs:
        return _print_outputs(draws)
    folder, kept = how.output or new_folder("sensitivity"), tuple(word for word in words if key_of(word) not in _FREE)
    try:
        with _progress(values.quiet) as progress:
            study = study_of(draws, workers=how.workers, folder=folder, words=kept, progress=progress)
    except KeyboardInterrupt:
        raise KneeloadError(f"The study in {folder} was stopped; `kneeload sensitivity --output {folder}` goes on with it") from None
    write_sensitivity(study, folder, words=kept)
    _draw(study, folder, " ".join(word for word in kept if not key_of(word).startswith(("uncertainty", "hydra"))))
    if not values.quiet:
        _print(study, folder)
    return 0


def _parser() -> Parser:
    parser = Parser("sensitivity", _ABOUT)
    parser.add_argument("--samples", type=int, metavar="N", help="blocks, a power of two; N x (parameters + 2) runs (default 128)")
    parser.add_argument("--method", metavar="M", help="sobol (default), or morris: which parameters matter at all, with a tenth of the runs")
    parser.add_argument("--outputs", metavar="A,B", help="numbers of summary.json, such as contact.medial.peak_pressure_mpa; * and ? for several")
    parser.add_argument("--list-outputs", action="store_true", help="print the numbers that this case has, with units, and stop")
    parser.add_argument("--only", metavar="A,B", help="parameters that are drawn (default: all that this case has)")
    parser.add_argument("--prior", metavar="NAME=LOW:HIGH", action="append", default=[], help="other ends for one parameter, even between them; may be given several times")
    parser.add_argument("--priors", action="store_true", help="print the priors with their sources and stop")
    parser.add_argument("--whole-day", action="store_true", help="all five activities of the day, not the case's own alone (about four times slower)")
    parser.add_argument("--workers", type=int, metavar="K", help="processes (default 2)")
    parser.add_argument("--seed", type=int, metavar="S", help="of all draws (default 1)")
    parser.add_argument("--output", metavar="FOLDER", help="folder (default runs/sensitivity_<time>); a study in it goes on")
    parser.add_argument("--config-dir", metavar="DIR", type=Path, help="folder with your own uncertainty/NAME.yaml, for uncertainty=NAME")
    parser.add_argument("--cfg", action="store_true", help="print the settings of the study and stop")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser


def _as_keys(values: argparse.Namespace, words: Sequence[str]) -> list[str]:
    """Words and flags as keys of the configuration; priors may have any of their settings."""
    found = [f"++{word}" if word.startswith("uncertainty.priors.") else word for word in words]
    if values.config_dir is not None:
        if not (values.config_dir / "uncertainty").is_dir():
            raise UsageError(f"--config-dir {values.config_dir} is not usable: it must be a folder with uncertainty/NAME.yaml in it.")
        found.append(f"hydra.searchpath=[file://{values.config_dir.resolve()}]")
    for name in ("samples", "method", "workers", "seed", "output"):
        if (value := getattr(values, name)) is not None:
            found.append(f"uncertainty.{name}={_quoted(value)}")
    for name in ("outputs", "only"):
        if (value := getattr(values, name)) is not None:
            found.append(f"uncertainty.{name}=[{','.join(_quoted(word.strip()) for word in value.split(',') if word.strip())}]")
    if values.whole_day:
        found.append("uncertainty.whole_day=true")
    return found + [key for word in values.prior for key in _prior(word)]


def _quoted(value: object) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _prior(word: str) -> list[str]:
    from kneeload.population.priors import PRIORS

    name, _, ends = word.partition("=")
    try:
        low, high = (float(end) for end in ends.split(":"))
    except ValueError:
        raise UsageError(f"--prior {word} is not usable: give a name and two numbers, such as --prior cartilage_youngs_modulus_mpa=5:15.") from None
    usual = next((item.shape for item in PRIORS if item.name == name.strip()), "")
    key = f"++uncertainty.priors.{name.strip()}"
    return [f"{key}.shape={usual if usual == 'log_uniform' else 'uniform'}", f"{key}.low={low!r}", f"{key}.high={high!r}"]


@contextmanager
def _progress(quiet: bool) -> Iterator[Any]:
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from kneeload.views.sensitivity_terminal import run_progress

    with run_progress("sensitivity") as bar:
        yield lambda now: bar(now.done, now.size, f"{now.per_second:.1f} per second" + (f", {now.failed} failed" if now.failed else ""), now.left_s)


def _print_priors(priors: Sequence[Prior]) -> None:
    for item in priors:
        print(f"{item.name}: {item.shape} {item.low:g} to {item.high:g} {item.unit}".rstrip()
              + (f", mean {item.mean:g}, SD {item.sd:g}" if item.shape in ("normal", "lognormal") else "") + f"\n    {item.source}")


def _print_outputs(draws: Draws) -> int:
    from kneeload.population.run_numbers import run_numbers
    from kneeload.population.sensitivity_files import unit_of

    numbers = run_numbers(draws.case)
    for name in draws.names:
        print(f"{name:<62} {numbers[name]:>12.5g} {unit_of(name)}".rstrip())
    return 0


def _note(study: Sensitivity) -> str:
    return f"{len(study.draws.values):,} runs, {len(study.priors)} parameters, {study.kept} {'blocks of samples' if study.draws.method == 'sobol' else 'trajectories'}"


def _draw(study: Sensitivity, folder: Path, who: str) -> None:
    from kneeload.population.sensitivity_files import write_once
    from kneeload.views.tornado import convergence_png, tornado_png

    shown = study.outputs[:_MOST_PANELS]
    more = f" The first {len(shown)} of {len(study.outputs)} outputs." if len(shown) < len(study.outputs) else ""
    panels, day, note = [_panel(study, item) for item in shown], " and ".join(name.replace("_", " ") for name in study.draws.case.day_activities), f"{_note(study)}.{more}"
    about = f"{who or 'the default person'}; day of {day}"
    write_once(folder / "tornado.png", lambda: tornado_png(panels, title=f"What the answer depends on: {about}", note=note))
    if study.draws.method == "sobol":
        write_once(folder / "convergence.png", lambda: convergence_png(panels, title=f"Convergence of the total indices: {about}", note=f"Bars: 95 % intervals by bootstrap over the blocks. {note}"))


def _panel(study: Sensitivity, output: Output) -> Panel:
    import numpy as np

    from kneeload.population.uncertainty import ENDS
    from kneeload.views.tornado import Panel, output_words

    words = output_words(output.name)
    ends = [(prior, *prior.value(np.array(ENDS)).tolist()) for prior in study.priors]
    labels = [(prior.words, f"{low:.3g} to {high:.3g} {prior.unit}".rstrip()) for prior, low, high in ends]
    parts: dict[str, Any] = {}
    if output.effects is not None:
        parts = {"part": words.factor * output.effects.mu_star, "part_half": words.factor * output.effects.mu_star_half, "part_words": "mean size of effect"}
    elif output.indices:
        last = output.indices[-1]
        parts = {"part": last.total, "part_half": last.total_half, "sizes": [item.blocks for item in output.indices], "parts": np.array([item.total for item in output.indices]),
                 "parts_half": np.array([item.total_half for item in output.indices])}
    ranges: dict[str, Any] = {} if output.interval is None else {"low": words.factor * output.interval.low, "high": words.factor * output.interval.high}
    return Panel(title=words.words, unit=words.unit, nominal=words.factor * output.nominal, labels=labels, swings=words.factor * output.swings, **ranges, **parts)


def _print(study: Sensitivity, folder: Path) -> None:
    import numpy as np

    from kneeload.population.sensitivity_files import unit_of
    from kneeload.views.sensitivity_terminal import print_effects, print_sensitivity

    before = len(study.draws.values) - study.computed
    notes = [f"{_note(study)}; computed now: {study.computed:,} in {study.seconds:.0f} s" + (f", {before:,} were there." if before else ".")]
    if study.kept < study.draws.samples:
        notes.append(f"{study.draws.samples - study.kept} of {study.draws.samples} blocks had a failed run and were left out as a whole: indices and intervals hold for what is left. Most often: "
                     + (max(study.failures, key=lambda sentence: study.failures[sentence]) if study.failures else "an output did not exist"))
    if study.draws.method == "morris":
        told = []
        for item in study.outputs:
            if (found := item.effects) is not None:
                rows = [(prior.name, float(a), float(b), float(c), float(d)) for prior, a, b, c, d in zip(study.priors, found.mu, found.mu_star, found.mu_star_half, found.sigma)]
                told.append((item.name, unit_of(item.name), item.nominal, rows))
        print_effects(told, notes=notes, folder=folder)
        return
    shown, widest = [], 0.0
    for output in study.outputs:
        last, interval = output.indices[-1], output.interval
        assert interval is not None
        lines = [(prior.name, float(a), float(b), float(c), float(d)) for prior, a, b, c, d in zip(study.priors, last.first, last.first_half, last.total, last.total_half)]
        shown.append((output.name, unit_of(output.name), output.nominal, interval.low, interval.high, lines))
        widest = max(widest, float(np.nan_to_num(last.total_half).max()))
    notes.append(f"Widest interval of a total index: ± {widest:.2f}" + ("; take more --samples to rank parameters that lie closer." if widest > 0.1 else "."))
    print_sensitivity(shown, notes=notes, folder=folder)
