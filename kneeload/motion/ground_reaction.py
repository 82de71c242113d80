"""Ground reaction from force plates: OpenSim force files and the file that says which plate belongs to which foot."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.motion.opensim_model import read_xml
from kneeload.motion.recorded_columns import time_of
from kneeload.motion.table_file import Table
from kneeload.units import MM_PER_M, NMM_PER_NM

Array = NDArray[np.float64]

LOADED_N = 50.0  # the centre of pressure of a smaller force is noise (assumption, range 20 to 100 N)
# Median distance of centre of pressure and ankle, seen from above: below 120 mm on the own foot; the other foot, which swings past, is further
# than 300 mm in walking and 200 mm in standing. Assumptions.
_OWN_FOOT_MM, _UNNAMED_FOOT_MM = 300.0, 180.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plate:
    """What one plate (or one foot of a treadmill) measured, in the ground frame (x forwards, y up, z to the right).

    Attributes:
        name: as in the file.
        side: "right", "left", or None when the file does not say it.
        time: (N,) s.
        force: (N, 3) N, on the foot.
        moment: (N, 3) N mm, on the foot, about the origin of the ground frame.
        centre: (N, 3) mm, centre of pressure.
    """

    name: str
    side: str | None
    time: Array
    force: Array
    moment: Array
    centre: Array


def read_plates(table: Table, external_loads: str | Path | None) -> tuple[Plate, ...]:
    """All plates of an OpenSim force file (force N, point m, torque N m, in the ground frame).

    Args:
        table: the force file; columns `<name>_vx`, `_vy`, `_vz` with the points `_px` and torques (`force` becomes `torque`).
        external_loads: OpenSim's file of external loads, which names the foot of each plate; None = the side is read from names
            that contain a lone r or l, right or left, and is left open otherwise.

    Raises:
        InputError: a column is missing, or the external loads cannot be used.
    """
    if external_loads is None:
        named = [(identifier.removesuffix("_v"), _side_in(identifier), identifier, *_companions(identifier)) for identifier in plate_names(table)]
        if not named:
            raise _bad("ground reaction", str(table.path), ", ".join(table.names), "a force file with columns such as ground_force_1_vx",
                       "force, centre of pressure and free moment of a plate are read from them")
    else:
        named = _external_loads(Path(external_loads))
    return tuple(_plate(table, *item) for item in named)


def plate_names(table: Table) -> list[str]:
    """Identifiers of the plates whose force columns stand in a table: `ground_force_1_v` for `ground_force_1_vx`."""
    return [name[:-1] for name in table.names if name.endswith("vx") and "force" in name.lower()]


def external_loads_data_file(path: str | Path) -> Path:
    """The force file that an external loads file names, relative to it.

    Raises:
        InputError: it names none.
    """
    path = Path(path)
    name = (_loads_element(path).findtext("datafile") or "").strip()
    if not name or name.lower() == "unassigned":
        raise _bad("ground reaction", "activity.forces_file", None, "the path of a force file", f"{path.name} names none")
    return path.parent / name


def leg_plates(plates: tuple[Plate, ...], side: str, time: Array, ankle: Array) -> tuple[Plate, ...]:
    """The plates of one foot; one whose side is not known is this foot's when the centre of pressure stays close to this ankle.

    Args:
        plates: all plates.
        side: "right" or "left".
        time: (T,) s of the ankle.
        ankle: (T, 3) mm, centre of this leg's ankle in the ground frame.

    Raises:
        InputError: no plate carries this foot, or a plate that is said to be this foot's lies elsewhere.
    """
    own, seen = [], []
    for plate in plates:
        distance = _distance(plate, time, ankle)
        if distance is None:
            continue
        seen.append(f"{plate.name} {distance / MM_PER_M:.2f} m away")
        if plate.side == side and distance > _OWN_FOOT_MM:
            raise _bad(f"plate {plate.name} of the {side} foot", "activity.forces_file", f"{distance / MM_PER_M:.2f} m from the {side} ankle",
                       f"within {_OWN_FOOT_MM / MM_PER_M:g} m of it", "it is the plate of the other foot, or angles and forces are in different frames")
        if plate.side == side or (plate.side is None and distance < _UNNAMED_FOOT_MM):
            own.append(plate)
    if not own:
        raise _bad(f"ground reaction of the {side} foot", "activity.forces_file", ", ".join(seen) or "no plate with load while the angles run",
                   "a plate that this foot stands on", "the net moments are computed from it")
    return tuple(own)


def summed(plates: tuple[Plate, ...]) -> tuple[Array, Array, Array]:
    """Time (N,) s, force (N, 3) N and moment (N, 3) N mm about the ground's origin of several plates with the same time."""
    return plates[0].time, np.sum([plate.force for plate in plates], axis=0), np.sum([plate.moment for plate in plates], axis=0)


def plate_of(name: str, side: str | None, time: Array, force: Array, centre: Array, free_moment: Array) -> Plate:
    """A plate from force (N, 3) N, centre of pressure (N, 3) mm and free moment (N, 3) N mm: the moment moves to the ground's origin."""
    return Plate(name=name, side=side, time=time, force=force, centre=centre, moment=np.cross(centre, force) + free_moment)


def _plate(table: Table, name: str, side: str | None, force: str, point: str, torque: str) -> Plate:
    wanted = [identifier + axis for identifier in (force, point, torque) for axis in "xyz"]
    missing = [column for column in wanted if column not in table.names]
    if missing:
        raise _bad(f"columns of plate {name}", str(table.path), ", ".join(table.names), "complete; missing: " + ", ".join(missing),
                   "force, centre of pressure and free moment of a plate are read from them")
    values = np.stack([table.column(column) for column in wanted], axis=1)
    return plate_of(name, side, time_of(table, None), values[:, :3], values[:, 3:6] * MM_PER_M, values[:, 6:] * NMM_PER_NM)


def _companions(force: str) -> tuple[str, str]:
    return force[:-1] + "p", force[:-1].replace("force", "torque")


def _side_in(name: str) -> str | None:
    words = re.split(r"[_.\W]+", name.lower())
    sides = {"right" if word in ("r", "right") else "left" for word in words if word in ("r", "right", "l", "left")}
    return sides.pop() if len(sides) == 1 else None


def _loads_element(path: Path) -> ET.Element:
    root = read_xml(path, "external loads", "activity.external_loads_file")
    element = root if root.tag == "ExternalLoads" else root.find("ExternalLoads")
    if element is None:
        raise _bad("external loads", str(path), f"<{root.tag}>", "an OpenSim file with <ExternalLoads>", "it says which plate belongs to which foot")
    return element


def _external_loads(path: Path) -> list[tuple[str, str | None, str, str, str]]:
    """(name, side, force, point and torque identifier) of each force."""
    found: list[tuple[str, str | None, str, str, str]] = []
    for item in _loads_element(path).iter("ExternalForce"):
        text = {key: (item.findtext(key) or "").strip() for key in (
            "applied_to_body", "force_expressed_in_body", "point_expressed_in_body", "force_identifier", "point_identifier", "torque_identifier", "isDisabled", "appliesForce")}
        name = item.get("name", "")
        if text["isDisabled"] == "true" or text["appliesForce"] == "false":
            continue
        if text["force_expressed_in_body"] != "ground" or text["point_expressed_in_body"] != "ground":
            raise _bad(f"external force {name}", str(path), text["force_expressed_in_body"] + ", " + text["point_expressed_in_body"], "expressed in ground",
                       "forces in a moving frame are not read")
        side = {"r": "right", "l": "left"}.get(text["applied_to_body"].rsplit("_", 1)[-1])
        if side is None:
            raise _bad(f"external force {name}", str(path), text["applied_to_body"], "applied to a body whose name ends with _r or _l", "the foot is told from it")
        found.append((name, side, text["force_identifier"], text["point_identifier"], text["torque_identifier"]))
    if not found:
        raise _bad("external loads", str(path), "no force", "at least one ExternalForce", "it says which plate belongs to which foot")
    return found


def _distance(plate: Plate, time: Array, ankle: Array) -> float | None:
    """Median distance of the centre of pressure from an ankle, seen from above, mm; None when the plate is not loaded in that time."""
    loaded = (plate.force[:, 1] > LOADED_N) & (plate.time >= time[0]) & (plate.time <= time[-1])
    if not loaded.any():
        return None
    gap = [plate.centre[loaded, axis] - np.interp(plate.time[loaded], time, ankle[:, axis]) for axis in (0, 2)]
    return float(np.median(np.hypot(*gap)))


def _bad(what: str, where: str, got: object, allowed: str, why: str) -> InputError:
    return InputError(what, where=where, got=got, allowed=allowed, why=why)
