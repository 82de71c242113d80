"""`kneeload calibrate`: a person's own constants from recorded strides with measured forces."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kneeload.commands import CaseOf
from kneeload.commands.parser import Parser, UsageError
from kneeload.output_folder import claim, new_folder

if TYPE_CHECKING:
    from kneeload.calibration.calibrate import Calibrated
    from kneeload.calibration.fitting import Stride
    from kneeload.case import Case

_ABOUT = """Fits a person's own constants (knee centre, tightness, habits of recruitment, arms, lines of action, timing) to recorded
strides with measured medial and lateral forces, and writes calibration.yaml, parameters.csv, errors.csv and choice.csv into a new folder.
`key=value` words say who it is and how files are read, as in a run: subject.*, anatomy.*, muscles.*, activity.columns.*
and the other keys of a recording. A later run uses the file by muscles.calibration_file=DIR/calibration.yaml."""
_TAKEN = ("subject", "anatomy", "muscles", "activity")


def run(arguments: Sequence[str], case_of: CaseOf) -> int:
    """Fit, report and write; 0 = done."""
    from kneeload.calibration.parameters import STAGES

    parser = Parser("calibrate", _ABOUT)
    parser.add_argument("--strides", metavar="FILE", nargs="+", default=[], help="recordings to fit")
    parser.add_argument("--test", metavar="FILE", nargs="+", default=[], help="recordings that are only predicted, for an honest error")
    parser.add_argument("--output", metavar="DIR", type=Path, help="folder to make (default runs/calibrate_<time>/)")
    parser.add_argument("--stages", metavar="NAMES", help=f"fit these groups of parameters ({', '.join(STAGES)}, separated by commas) instead of choosing by held-out strides")
    parser.add_argument("--leave-one-out", action="store_true", help="also fit without each stride of --strides in turn and predict it")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the drawn starts (default 0)")
    values, words = parser.with_overrides(arguments)
    strides, tests = (_files(given, words) for given in (values.strides, values.test))
    if not strides:
        raise UsageError("--strides names no recording: `kneeload calibrate --help` lists what it takes.")
    for word in words:
        if word.lstrip("+~").split("=")[0].split(".")[0] not in _TAKEN or word.startswith(("activity=", "activity.file=", "muscles.calibration_file=")):
            raise UsageError(f"'{word}' has no meaning for kneeload calibrate, which takes keys of {', '.join(_TAKEN)} and the recordings by --strides and --test.")
    from kneeload.calibration.calibrate import calibrate, check_strides
    from kneeload.calibration.fitting import knee_model
    from kneeload.simulate import anatomy_of

    names = _names([*strides, *tests])
    cases = {file: case_of([*words, "activity=recorded", f"activity.file='{file}'", "contact=none"]) for file in [*strides, *tests]}
    case = cases[strides[0]]
    fitted, tested = ([_stride(cases[file], names[file]) for file in files] for files in (strides, tests))
    check_strides(fitted, tested)
    folder = claim(values.output or new_folder("calibrate"))
    stages = None if values.stages is None else tuple(name.strip() for name in values.stages.split(",") if name.strip())
    try:
        done = calibrate(knee_model(anatomy_of(case), case.subject, case.muscles), fitted, tested, stages=stages, leave_one_out=values.leave_one_out,
                         seed=values.seed, progress=_progress)
    except BaseException:
        folder.rmdir()  # still empty: nothing was written
        raise
    finally:
        _progress("")
    _write(done, folder)
    return 0


def _files(given: Sequence[str], words: list[str]) -> list[str]:
    """The files among the words after a flag; `key=value` words that follow them join the others."""
    words += [word for word in given if "=" in word and not Path(word).exists()]
    return [word for word in given if "=" not in word or Path(word).exists()]


def _names(files: Sequence[str]) -> dict[str, str]:
    """File names, with their folder where two are alike."""
    plain = [Path(file).name for file in files]
    return {file: name if plain.count(name) == 1 else str(Path(file)) for file, name in zip(files, plain)}


def _stride(case: Case, name: str) -> Stride:
    from kneeload.calibration.fitting import stride_of
    from kneeload.motion.activities import motion_for

    return stride_of(motion_for(case.activity, case.subject), name)


def _progress(words: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{words[:100]}", end="", file=sys.stderr, flush=True)
    elif words:
        print(words, file=sys.stderr, flush=True)


def _write(done: Calibrated, folder: Path) -> None:
    from kneeload.calibration.file import write_calibration
    from kneeload.views.calibration_terminal import print_calibration

    errors, choice = [asdict(row) for row in done.errors], [{**asdict(row), "stages": " + ".join(row.stages)} for row in done.choice]
    parameters = [{"parameter": p.name, "unit": p.unit, "start": p.generic, "fitted": value, "low": p.low, "high": p.high, "deviations_from_start": float(u),
                   "stands_for": p.why} for p, value, u in zip(done.fit.parameters, done.fit.values, done.fit.standard)]
    write_calibration(folder / "calibration.yaml", done.calibration, done.fit, done.errors)
    for name, rows in (("parameters.csv", parameters), ("errors.csv", errors), ("choice.csv", choice)):
        _write_rows(folder / name, rows)
    print_calibration(parameters, errors, choice, effective=done.fit.effective, folder=folder)


def _write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    rows = list(rows)
    with path.open("x", newline="", encoding="utf-8") as stream:
        if rows:
            writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows({key: f"{value:.6g}" if isinstance(value, float) else value for key, value in row.items()} for row in rows)
