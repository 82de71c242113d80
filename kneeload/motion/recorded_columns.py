"""Names, signs and units of the columns of a recording: ours, and OpenSim's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.motion.strides import Curve
from kneeload.motion.table_file import Table
from kneeload.subject.person import Subject
from kneeload.units import DEG

Array = NDArray[np.float64]

FEWEST_ROWS = 20
NEEDED_ANGLES = ("time_s", "knee_flexion_deg")
NEEDED_MOMENTS = ("knee_extension_moment_nm", "knee_adduction_moment_external_nm")
FORCES = ("knee_axial_net_force_n", "vertical_ground_reaction_n")  # one of the two
OPTIONAL = ("hip_flexion_deg", "ankle_dorsiflexion_deg", "hip_flexion_moment_nm", "ankle_dorsiflexion_moment_nm", "hip_abduction_moment_nm",
            "knee_rotation_moment_nm", "knee_anterior_net_force_n")
# Where the leg is in the room; only net moments from ground reaction use them.
PLACE = ("hip_adduction_deg", "hip_rotation_deg", "knee_adduction_deg", "knee_rotation_deg", "pelvis_tilt_deg", "pelvis_list_deg", "pelvis_rotation_deg",
         "pelvis_x_m", "pelvis_y_m", "pelvis_z_m")
KNOWN = NEEDED_ANGLES + NEEDED_MOMENTS + FORCES + OPTIONAL + PLACE

# Coordinates of OpenSim's full-body models, {s} = r or l. Left coordinates of these models are mirrored, so no sign changes for a left leg.
_COORDINATES: dict[str, tuple[str, ...]] = {
    "knee_flexion_deg": ("knee_angle_{s}", "knee_flex_{s}", "knee_flexion_{s}"),
    "hip_flexion_deg": ("hip_flexion_{s}", "hip_flex_{s}"),
    "ankle_dorsiflexion_deg": ("ankle_angle_{s}", "ankle_flex_{s}", "ankle_flexion_{s}"),
    "hip_adduction_deg": ("hip_adduction_{s}", "hip_add_{s}"),
    "hip_rotation_deg": ("hip_rotation_{s}", "hip_rot_{s}"),
    "knee_adduction_deg": ("knee_adduction_{s}", "knee_add_{s}"),
    "knee_rotation_deg": ("knee_rotation_{s}", "knee_rot_{s}"),
    "pelvis_tilt_deg": ("pelvis_tilt",), "pelvis_list_deg": ("pelvis_list",), "pelvis_rotation_deg": ("pelvis_rotation", "pelvis_rot"),
    "pelvis_x_m": ("pelvis_tx",), "pelvis_y_m": ("pelvis_ty",), "pelvis_z_m": ("pelvis_tz",),
}
# Inverse dynamics of OpenSim gives the internal moment that drives a coordinate: sign that makes it ours, and the coordinate. Our rotation
# moment is the external one, internal rotation positive, as the recorded strides of the instrumented knee have it: their file does not say so,
# but their peak of +11 N m in late stance is the external internal-rotation moment of walking (10 N m in another person, computed from plates).
_MOMENTS: dict[str, tuple[str, str]] = {
    "knee_extension_moment_nm": ("-", "knee_flexion_deg"), "knee_adduction_moment_external_nm": ("-", "knee_adduction_deg"),
    "hip_flexion_moment_nm": ("", "hip_flexion_deg"), "ankle_dorsiflexion_moment_nm": ("", "ankle_dorsiflexion_deg"),
    "hip_abduction_moment_nm": ("-", "hip_adduction_deg"), "knee_rotation_moment_nm": ("-", "knee_rotation_deg"),
}

_LARGEST_MOMENT_NM = 600.0  # no joint of a walking, climbing or rising person has more; in N mm every stride has
_SMALLEST_STRIDE_MOMENT_NM = 3.0  # a leg that carries the body has more at the knee; in N m/kg it never has
_RADIANS = 2.2  # 126 degrees in radians


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Where one of our columns stands: table, name there, sign and factor to our unit."""

    table: Table
    name: str
    factor: float

    def curve(self, time: Array) -> Curve:
        """The column in our unit and sign, over its table's time (N,) s."""
        return Curve(time=time, values=self.factor * self.table.column(self.name))


def find_columns(tables: Sequence[Table], mapping: Mapping[str, str], side: str) -> dict[str, Column]:
    """Our name -> column, for each that is there; a name in the mapping comes first, then ours, then OpenSim's for that side.

    Raises:
        InputError: the mapping has a name that is not ours, or names a column that is not there.
    """
    unknown = sorted(set(mapping) - set(KNOWN))
    if unknown:
        raise InputError("column mapping", where="activity.columns", got=", ".join(unknown), allowed="among " + ", ".join(KNOWN),
                         why="the left-hand names are those of kneeload")
    absent = [f"{name} (as {source})" for name, source in mapping.items() if not any(source.removeprefix("-") in table.names for table in tables)]
    if absent:
        raise missing_columns(tables, absent)
    found = {}
    for name in KNOWN:
        for source in (mapping[name],) if name in mapping else (name, *_opensim_names(name, mapping, side)):
            table = next((table for table in tables if source.removeprefix("-") in table.names), None)
            if table is not None:
                found[name] = _column(table, name, source)
                break
    return found


def missing_columns(tables: Sequence[Table], missing: Sequence[str]) -> InputError:
    """The error for columns that no file has."""
    names = [name for table in tables for name in table.names]
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return InputError("columns", where=", ".join(str(table.path) for table in tables), got=shown, allowed="complete; missing: " + ", ".join(missing),
                      why="the load on the knee is computed from them (activity.columns maps other names, activity.moments_file and "
                          "activity.forces_file add files)")


def time_of(table: Table, mapping: Mapping[str, str] | None) -> Array:
    """Time of a table, s: the mapped column, `time_s` or `time`.

    Raises:
        InputError: there is none, or it does not run forward, or there are too few rows.
    """
    names = [name.removeprefix("-") for name in ((mapping or {}).get("time_s"), "time_s", "time") if name]
    name = next((name for name in names if name in table.names), None)
    if name is None:
        raise missing_columns([table], ["time_s"])
    rows = table.values.shape[0]
    if rows < FEWEST_ROWS:
        raise InputError("number of rows", where=str(table.path), got=rows, allowed=f"at least {FEWEST_ROWS}", why="fewer samples do not describe a cycle")
    time = table.column(name)
    step = np.diff(time)
    if not np.all(step > 0.0):
        line = table.first_line + int(np.argmin(step > 0.0)) + 1
        raise InputError("time", where=f"{table.path}, line {line}", got="a step that is not forward", allowed="strictly increasing", why="a cycle runs forward")
    return time


def _opensim_names(name: str, mapping: Mapping[str, str], side: str) -> tuple[str, ...]:
    if name in _COORDINATES:
        return tuple(source.format(s=side[0]) for source in _COORDINATES[name])
    if name not in _MOMENTS:
        return ("time",) if name == "time_s" else ()
    sign, coordinate = _MOMENTS[name]
    names = []
    for source in (mapping[coordinate],) if coordinate in mapping else _opensim_names(coordinate, mapping, side):
        turned = (sign == "-") != source.startswith("-")
        names.append(("-" if turned else "") + source.removeprefix("-") + "_moment")
    return tuple(names)


def _column(table: Table, name: str, source: str) -> Column:
    """One column under our name and unit. In an OpenSim file in radians every angle whose name does not end with _deg is in radians."""
    radians = name.endswith("_deg") and not table.in_degrees and not source.endswith("_deg")
    return Column(table=table, name=source.removeprefix("-"), factor=(-1.0 if source.startswith("-") else 1.0) / (DEG if radians else 1.0))


def check_units(values: Mapping[str, Array], subject: Subject, where: str) -> None:
    """Refuse values whose size shows another unit than the name says.

    Args:
        values: our name -> (N,) in our unit, over one cycle.
        subject: whose body weight bounds the forces.
        where: file, for the message.

    Raises:
        InputError: names the column and the unit it seems to have.
    """
    peak = {name: float(np.abs(column).max()) for name, column in values.items()}
    span = float(np.ptp(values["time_s"]))
    _unit("time_s", 0.2 <= span <= 20.0, f"a cycle of {span:.4g}", "a cycle of 0.2 to 20 s", "it looks like milliseconds or frames", where)
    for name in peak:
        if name.endswith("_deg"):
            _unit(name, peak[name] <= 180.0, f"values to {peak[name]:.4g}", "within 180 degrees", "no joint turns further", where)
        if name.endswith("_nm"):
            _unit(name, peak[name] <= _LARGEST_MOMENT_NM, f"values to {peak[name]:.4g}", "within 600 N m", "it looks like N mm", where)
    knee_moment = max(peak["knee_extension_moment_nm"], peak["knee_adduction_moment_external_nm"])
    _unit("knee_flexion_deg", peak["knee_flexion_deg"] >= _RADIANS or knee_moment < 10.0, f"values to {peak['knee_flexion_deg']:.4g}", "degrees",
          "it looks like radians", where)
    bend = float(values["knee_flexion_deg"].min())
    _unit("knee_flexion_deg", bend >= -30.0, f"values down to {bend:.4g}", "flexion positive, at least -30 degrees",
          "it looks like the opposite sign (map it as -name)", where)
    for name in FORCES:
        if name in peak:
            low = float(values[name].min())
            _unit(name, low > -peak[name], f"values down to {low:.4g}", "compression positive", "it looks like the opposite sign (map it as -name)", where)
            weight = subject.body_weight_n
            _unit(name, peak[name] > 0.05 * weight, f"values to {peak[name]:.4g}", "newtons", "it looks like body weights or kilonewtons", where)
            _unit(name, peak[name] < 10.0 * weight, f"values to {peak[name]:.4g}", "newtons, below 10 body weights", "ground reactions stay below it", where)
            _unit("knee moments", peak[name] < 0.7 * weight or knee_moment >= _SMALLEST_STRIDE_MOMENT_NM, f"values to {knee_moment:.4g}", "N m",
                  "it looks like N m per kg", where)


def _unit(name: str, good: bool, got: str, allowed: str, why: str, where: str) -> None:
    if not good:
        raise InputError(f"unit or sign of {name}", where=where, got=got, allowed=allowed, why=why)
