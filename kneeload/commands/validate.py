"""`kneeload validate`: the table of measured and predicted loads."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from kneeload.commands import CaseOf
from kneeload.commands.parser import Parser, UsageError
from kneeload.validation.measurement import chosen, read_measurements

_TAKEN = ("muscles", "contact", "subject", "anatomy")  # what predictions depend on; activities and interventions are those of the rows
_ABOUT = """Compares predictions with published measurements: prints a table and writes validation.csv, curves.csv and
validation.html into a new folder. `key=value` words change the models, as in a run: muscles.*, contact.*, subject.*
(the standard person) and anatomy.*; other keys have no meaning here."""


def run(arguments: Sequence[str], case_of: CaseOf) -> int:
    """Compare predictions with published measurements.

    Returns:
        0, or 1 when `--strict` is given and a binding row is outside.
    """
    parser = Parser("validate", _ABOUT)
    parser.add_argument("--output", metavar="DIR", type=Path, help="folder to make (default runs/validate_<time>/)")
    parser.add_argument("--strict", action="store_true", help="exit code 1 if a binding row is outside")
    parser.add_argument("--rows", metavar="NAMES", action="append", default=[],
                        help="ids, groups or target numbers, separated by commas (default all)")
    parser.add_argument("--data", metavar="FOLDER", type=Path,
                        help="recorded data: instrumented_knee_jw/jw_walking_1.csv ... and bovi2011_adult_waveforms.csv")
    parser.add_argument("--contact", action="store_true",
                        help="also the contact section, and rows of the load level after contact equilibrium (slow)")
    parser.add_argument("--bone", action="store_true", help="also the bone section: stress below the surface against closed forms and measurements")
    parser.add_argument("--lesion", action="store_true", help="also the lesion section: a synthetic cohort against published ones (about a minute)")
    parser.add_argument("--interventions", action="store_true", help="also what interventions do after contact equilibrium (half a minute)")
    parser.add_argument("--calibration", metavar="FILE", type=Path, help="a calibrated person, for the rows about calibrated forces")
    parser.add_argument("--measurements", metavar="FILE", type=Path, help="your own measurement file instead of the packaged one")
    parser.add_argument("--quiet", action="store_true", help="print the summary only")
    values, overrides = parser.with_overrides(arguments)
    for word in overrides:
        if word.lstrip("+~").split("=")[0].split(".")[0] not in _TAKEN:
            raise UsageError(f"'{word}' has no meaning for kneeload validate, which takes keys of {', '.join(_TAKEN)}: "
                             "the rows say what is simulated.")
        if word.lstrip("+~").startswith("muscles.calibration_file"):
            raise UsageError("a calibrated person is given with --calibration FILE, so that only the rows about calibrated forces use it.")
    from kneeload.output_folder import claim, new_folder
    from kneeload.validation.output import write_table
    from kneeload.validation.run import validate

    names = [name.strip() for words in values.rows for name in words.split(",") if name.strip()]
    rows = read_measurements(values.measurements, contact=values.contact or bool(names), bone=values.bone or bool(names), lesion=values.lesion or bool(names),
                             interventions=values.interventions or bool(names))
    rows = chosen(rows, names) if names else rows
    case = case_of(overrides) if overrides else None
    folder = claim(values.output or new_folder("validate"))
    try:
        table = validate(rows, values.data, case=case, contact=values.contact, bone=values.bone, lesion=values.lesion, interventions=values.interventions,
                         calibration=values.calibration, progress=_progress if sys.stderr.isatty() else None)
    except BaseException:
        folder.rmdir()  # still empty: nothing was written
        raise
    write_table(table, folder, claimed=True)
    _print(table.columns(), table.summary_line(), folder, quiet=values.quiet)
    return _verdict(table) if values.strict else 0


def _progress(done: int, total: int, what: str) -> None:
    print(f"\r\033[K{done}/{total} {what[:70]}", end="" if done < total else "\r\033[K", file=sys.stderr, flush=True)


def _print(columns, summary: str, folder: Path, *, quiet: bool) -> None:  # type: ignore[no-untyped-def]
    from kneeload.views.validation_terminal import print_validation

    print_validation([] if quiet else columns, summary=summary, notes=[f"Files: {folder}"])


def _verdict(table) -> int:  # type: ignore[no-untyped-def]
    """Say on stderr which binding rows are outside and how many could not be judged; return the exit code."""
    from kneeload.views.validation_page import measured_words, number

    for row in table.binding_outside:
        columns = row.columns()
        shown = " and ".join(number(value) for value in (row.predicted, row.predicted_contact) if value is not None)
        print(f"kneeload: outside: {row.measurement.id}: {shown} {row.measurement.unit}, measured {measured_words(columns)}",
              file=sys.stderr)
    if table.binding_skipped:
        count = len(table.binding_skipped)
        print(f"kneeload: {count} binding row{'s were' if count > 1 else ' was'} skipped, neither passed nor failed: "
              f"{', '.join(row.measurement.id for row in table.binding_skipped)}", file=sys.stderr)
    return 1 if table.binding_outside else 0
