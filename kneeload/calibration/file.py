"""calibration.yaml: a person's constants with their origin, written once and read by any later run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from kneeload.calibration.comparison import StrideError
from kneeload.calibration.fitting import Fit
from kneeload.calibration.person import Calibration, personal_constants
from kneeload.errors import InputError
from kneeload.forces.muscles import MuscleModel
from kneeload.subject.person import CartilageThicknessScale, Subject

FORMAT = 1
_HEAD = """# A person's own constants, fitted to strides with measured compartment forces by `kneeload calibrate`.
# Use: kneeload muscles.calibration_file=calibration.yaml and the same subject.* keys. Results made with it are calibrated, not predicted.
"""
_KEYS = ("format", "kneeload", "person", "fitted_to", "tested_on", "muscles", "constants")


def write_calibration(path: str | Path, calibration: Calibration, answer: Fit, errors: Sequence[StrideError] = ()) -> Calibration:
    """Write a calibration and return it with the file's name.

    Args:
        path: of the file.
        calibration: what is written.
        answer: the fit, for starts and bounds.
        errors: per stride and model; those of the calibrated model are written.
    """
    import yaml

    tree = {
        "format": FORMAT, "kneeload": calibration.kneeload, "person": asdict(calibration.subject),
        "fitted_to": list(calibration.strides), "tested_on": list(calibration.tested), "muscles": asdict(calibration.generic),
        "constants": calibration.constants.by_name(),
        "parameters": [{"name": p.name, "unit": p.unit, "start": p.generic, "fitted": value, "low": p.low, "high": p.high}
                       for p, value in zip(answer.parameters, answer.values)],
        "errors_calibrated": [{"stride": row.stride, "use": row.use, "medial_rms_n": round(row.medial_rms_n, 1), "lateral_rms_n": round(row.lateral_rms_n, 1)}
                              for row in errors if row.model == "calibrated"],
    }
    file = Path(path)
    file.write_text(_HEAD + yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
    return replace(calibration, name=file.name)


def read_calibration(path: str | Path) -> Calibration:
    """Return the calibration of a file.

    Raises:
        InputError: the file cannot be used; the sentence says why.
    """
    import yaml

    file = Path(path).expanduser()
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise _wrong(file, str(file), "a readable YAML file", " ".join(str(problem).split())) from problem
    if not isinstance(tree, dict) or any(key not in tree for key in _KEYS):
        got = type(tree).__name__ if not isinstance(tree, dict) else "no " + ", ".join(key for key in _KEYS if key not in tree)
        raise _wrong(file, got, "what `kneeload calibrate` writes", "a calibration must say whose it is and where it comes from")
    if tree["format"] != FORMAT:
        raise _wrong(file, f"format {tree['format']!r}", f"format {FORMAT}", "this version reads no other")
    strides, tested = tree["fitted_to"], tree["tested_on"]
    if not isinstance(strides, list) or not strides or not isinstance(tested, list) or not all(isinstance(name, str) for name in (*strides, *tested)):
        raise _wrong(file, strides, "a list of names of strides in fitted_to and tested_on", "a calibration names what it was fitted to")
    if not isinstance(tree["constants"], dict):
        raise _wrong(file, tree["constants"], "a mapping in constants", "each constant has a name")
    person = dict(_mapping(file, tree, "person", Subject))
    scale = person.pop("cartilage_thickness_scale", None) or {}
    return Calibration(
        constants=personal_constants(tree["constants"]), generic=MuscleModel(**_mapping(file, tree, "muscles", MuscleModel)),
        subject=Subject(**person, cartilage_thickness_scale=CartilageThicknessScale(**scale)), strides=tuple(strides), tested=tuple(tested),
        name=file.name, kneeload=str(tree["kneeload"]))


def _mapping(file: Path, tree: dict[str, Any], key: str, kind: type) -> dict[str, Any]:
    values = tree[key]
    known = {item.name for item in fields(kind)}
    if not isinstance(values, dict) or set(values) - known:
        got = sorted(set(values) - known) if isinstance(values, dict) else values
        raise _wrong(file, got, f"keys of {key} that this version knows", "it was made by another version")
    return values


def _wrong(file: Path, got: object, allowed: str, why: str) -> InputError:
    return InputError("calibration", where=f"muscles.calibration_file, {file.name}", got=got, allowed=allowed, why=why)
