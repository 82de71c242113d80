"""validate(): every measurement beside its prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from kneeload.calibration.file import read_calibration
from kneeload.calibration.person import Calibration
from kneeload.case import Case
from kneeload.contact.model import ContactModel
from kneeload.errors import ConvergenceError, InputError
from kneeload.result import version_of_kneeload
from kneeload.validation.bench import Bench, NotSimulated, Skipped, noting_reserves, plain_static_optimisation
from kneeload.validation.contact_figures import contact_figures
from kneeload.validation.figures import figures
from kneeload.validation.measurement import Measurement, read_measurements
from kneeload.validation.predictors import predict
from kneeload.validation.table import ValidationRow, ValidationTable

Progress = Callable[[int, int, str], None]  # rows done, rows in all, what comes next


def validate(rows: Sequence[Measurement] | None = None, data: str | Path | None = None, *, case: Case | None = None, contact: bool = False, bone: bool = False, lesion: bool = False,
             interventions: bool = False, calibration: str | Path | None = None, progress: Progress | None = None) -> ValidationTable:
    """Compare predictions with published measurements.

    Args:
        rows: the measurements; None = all packaged ones (`read_measurements`, with the sections asked for).
        data: folder with recorded data (`instrumented_knee_jw/`, `bovi2011_adult_waveforms.csv`); rows that need it are skipped without it.
        case: models and the standard person; None = the defaults. Its activity is not used.
        contact: True adds the rows of the contact section, and predictions after contact equilibrium for rows of the load level that have a
            meaning there (a minute or two instead of seconds).
        bone: True adds the rows of the bone section (seconds).
        lesion: True adds those of the lesion section, most of them about a synthetic cohort (about a minute).
        interventions: True adds the rows about interventions after contact equilibrium (half a minute); those of the load level are always there.
        calibration: file of a calibrated person, for the rows about calibrated forces.
        progress: called before each row.

    Raises:
        InputError: a folder or file that is not there, or a row that cannot be predicted as it says.
    """
    measurements = read_measurements(contact=contact, bone=bone, lesion=lesion, interventions=interventions) if rows is None else tuple(rows)
    folder = None if data is None else _existing(Path(data), "--data", "a folder")
    file = None if calibration is None else _existing(Path(calibration), "--calibration", "a file")
    asked = replace(case or Case(), calibration=None)  # only rows that say so are calibrated
    bench = Bench(case=replace(asked, contact=None), data=folder)
    person = None if file is None else read_calibration(file)
    whole = replace(bench, case=replace(asked, contact=asked.contact or ContactModel()))
    touching = whole if contact else None
    sections = {name: whole for name, wanted in (("bone", bone), ("lesion", lesion), ("interventions", interventions)) if wanted}
    done = []
    for index, row in enumerate(measurements):
        if progress is not None:
            progress(index, len(measurements), row.quantity)
        done.append(predicted_row(row, bench, touching, person, sections))
    if progress is not None:
        progress(len(measurements), len(measurements), "curves")
    return ValidationTable(rows=tuple(done), panels=figures(bench, done, person), contact_pictures=contact_figures(touching, done),
                           version=version_of_kneeload(), settings=_settings(bench, (*(("contact",) if contact else ()), *sections), person))


def _existing(path: Path, flag: str, kind: str) -> Path:
    path = path.expanduser()
    if not (path.is_dir() if kind == "a folder" else path.is_file()):
        raise InputError("recorded data" if flag == "--data" else "calibration", where=flag, got=str(path), allowed=f"{kind} that is there",
                         why="rows are read from it")
    return path.resolve()


def predicted_row(row: Measurement, bench: Bench, touching: Bench | None = None, person: Calibration | None = None,
                  sections: Mapping[str, Bench] | None = None) -> ValidationRow:
    """Return one measurement beside its prediction.

    Args:
        row: the measurement.
        bench: at the load level.
        touching: the same with contact, None = not asked for.
        person: a calibrated person, for rows about calibrated forces.
        sections: section ("bone", "lesion", "interventions") -> bench of its rows; without one they are skipped.
    """
    if row.predictor is None:
        return ValidationRow(measurement=row, reason=row.note, simulated=False)
    if row.level == "loads":
        benches = [bench] if touching is None or not row.contact else [bench, touching]
    else:
        own = touching if row.level == "contact" else (sections or {}).get(row.level)
        if own is None:
            return ValidationRow(measurement=row, reason=f"a number of the {row.level}: give --{row.level}")
        benches = [own]
    values: list[float | None] = []
    reasons: list[str] = []
    with noting_reserves() as unbalanced:
        for item in benches:
            try:
                values.append(predict(row, _variant(row, item, person)))
            except NotSimulated as reason:
                return ValidationRow(measurement=row, reason=str(reason), simulated=False)
            except (Skipped, ConvergenceError) as reason:
                values.append(None)
                reasons.append(str(reason))
    if len(benches) == 2 and values[1] is not None:
        reasons.clear()  # what the load level could not say, the contact level did
    return ValidationRow(measurement=row, predicted=values[0], predicted_contact=values[1] if len(values) == 2 else None,
                         reason="; ".join(dict.fromkeys([*reasons, *unbalanced])))


def _variant(row: Measurement, bench: Bench, person: Calibration | None) -> Bench:
    """The bench with the forces that a row is about."""
    if row.model == "plain static optimisation":
        return bench.with_muscles(plain_static_optimisation())
    if row.model == "calibrated":
        if person is None:
            raise Skipped("no calibration: give the file with --calibration")
        return replace(bench, calibration=person)
    return bench


def _settings(bench: Bench, sections: Sequence[str], own: Calibration | None) -> dict[str, str]:
    person = bench.case.subject
    muscles = ", ".join(f"{name} {getattr(bench.case.muscles, name)}" for name in bench.case.muscles.__slots__)
    return {
        "standard person": f"{person.sex}, {person.body_mass_kg:g} kg, {person.height_m:g} m, HKA {person.hka_deg:g} degrees",
        "muscles": muscles, "levels": " and ".join(("load level", *sections)),
        "recorded data": "none" if bench.data is None else bench.data.name,
        "calibration": "none" if own is None else f"{own.name}, fitted to {', '.join(own.strides)}",
    }
