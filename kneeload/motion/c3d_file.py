"""Force plates of a C3D file, with the extra `c3d` (ezc3d). Markers are not read: they give no joint angles without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.motion.ground_reaction import LOADED_N, Plate, plate_of
from kneeload.units import LENGTH_UNITS_MM, MM_PER_M

Array = NDArray[np.float64]

# Rotation by which OpenSim users turn laboratories with z up into y up: -90 degrees about x.
_Z_UP_TO_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def read_c3d_plates(path: str | Path) -> tuple[Plate, ...]:
    """All force plates of a C3D file as plates in a ground frame with y up.

    Which axis is up is seen from the corners of the plates; with z up the laboratory is turned by -90 degrees about x, so angles must come from
    the laboratory turned in the same way. A plate pushes upwards, so a file that holds the force on the plate is turned around. Sides are
    open: `leg_plates` tells them from the ankle. Time is frame over rate.

    Raises:
        InputError: ezc3d is not installed, or the file cannot be read, has no plate or has plates that are not level.
    """
    path = Path(path)
    try:
        import ezc3d
    except ImportError as error:
        raise _bad(path, "a .c3d file", "a .mot or .sto file, or a .c3d file with the extra c3d installed (pip install 'kneeload[c3d]')", "ezc3d reads it") from error
    if not path.is_file():
        raise _bad(path, "no such file", "an existing file", "nothing can be read from it")
    try:
        content = ezc3d.c3d(str(path), extract_forceplat_data=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise _bad(path, str(error), "a C3D file", "nothing can be read from it") from error
    platforms = content["data"]["platform"]
    if not platforms:
        raise _bad(path, "no force plate", "a C3D file with force plates", "the ground reaction is read from them")
    analog = content["header"]["analogs"]
    rate = float(analog["frame_rate"])
    samples = platforms[0]["force"].shape[1]
    time = (float(analog["first_frame"]) + np.arange(samples)) / rate
    return tuple(_plate(path, f"plate {number}", platform, time) for number, platform in enumerate(platforms, 1))


def _plate(path: Path, name: str, platform: dict[str, Any], time: Array) -> Plate:
    length = LENGTH_UNITS_MM.get(str(platform["unit_position"]).lower())
    moment = {"nmm": 1.0, "nm": MM_PER_M}.get(str(platform["unit_moment"]).lower().replace(".", ""))
    if length is None or moment is None or str(platform["unit_force"]) != "N":
        raise _bad(path, f"{platform['unit_force']}, {platform['unit_moment']}, {platform['unit_position']}", "N, Nmm or Nm, mm or m", "other units are not read")
    turn = _to_y_up(path, name, np.asarray(platform["corners"], dtype=np.float64))
    force, centre, free = ((turn @ np.nan_to_num(np.asarray(platform[key], dtype=np.float64))).T for key in ("force", "center_of_pressure", "Tz"))
    loaded = np.abs(force[:, 1]) > LOADED_N
    upwards = -1.0 if loaded.any() and float(np.median(force[loaded, 1])) < 0.0 else 1.0
    return plate_of(name, None, time, upwards * force, centre * length, upwards * free * moment)


def _to_y_up(path: Path, name: str, corners: Array) -> Array:
    """Rotation from the laboratory to y up; corners are (3, 4), one after another around the plate."""
    normal = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
    size = float(np.linalg.norm(normal))
    up = np.abs(normal) / size if size > 0.0 else np.zeros(3)
    if up[2] > 0.98:
        return _Z_UP_TO_Y_UP
    if up[1] > 0.98:
        return np.eye(3)
    raise _bad(path, f"{name} with its normal along ({', '.join(f'{value:.2f}' for value in up)})", "a level plate with y or z up", "the plates show which axis is up")


def _bad(path: Path, got: object, allowed: str, why: str) -> InputError:
    return InputError("ground reaction", where=str(path), got=got, allowed=allowed, why=why)
