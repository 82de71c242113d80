"""Recorded motion: one cycle of a person, with net joint moments from inverse dynamics, from CSV or OpenSim .mot/.sto."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.motion.gait import GaitChange, extension_scale, gait_lever_arm
from kneeload.motion.limb import shank_and_foot_weight_n
from kneeload.motion.motion import Motion
from kneeload.motion.table_file import Table, read_table
from kneeload.subject.person import Subject
from kneeload.units import DEG, MM_PER_M, NMM_PER_NM

SAMPLES, FEWEST_ROWS = 101, 20
REQUIRED = ("time_s", "knee_flexion_deg", "knee_extension_moment_nm", "knee_adduction_moment_external_nm")
FORCES = ("knee_axial_net_force_n", "vertical_ground_reaction_n")  # one of the two
OPTIONAL = ("hip_flexion_deg", "ankle_dorsiflexion_deg", "hip_flexion_moment_nm", "ankle_dorsiflexion_moment_nm")
_KNOWN = REQUIRED + FORCES + OPTIONAL

_LARGEST_MOMENT_NM = 600.0  # no joint of a walking, climbing or rising person has more; in N mm every stride has
_SMALLEST_STRIDE_MOMENT_NM = 3.0  # a leg that carries the body has more at the knee; in N m/kg it never has
_RADIANS = 2.2  # 126 degrees in radians


def read_recorded(path: str | Path, subject: Subject, columns: Mapping[str, str] | None = None,
                  gait_changes: Sequence[GaitChange] = ()) -> Motion:
    """Read one cycle and resample it to 101 samples at equal time steps.

    The file holds one cycle from first to last row. Columns, by our names: `time_s`, `knee_flexion_deg`, `knee_extension_moment_nm`
    (internal), `knee_adduction_moment_external_nm`, and `knee_axial_net_force_n` (compression positive) or `vertical_ground_reaction_n`;
    optional `hip_flexion_deg`, `ankle_dorsiflexion_deg`, `hip_flexion_moment_nm` and `ankle_dorsiflexion_moment_nm` (internal, flexion and
    dorsiflexion positive). Angles that are missing are taken as 0, moments that are missing as unknown. Columns that begin with
    `measured_` are handed on. With a ground reaction the axial force is that force less the weight of shank and foot (the shank taken as
    upright in stance, inertia neglected).

    Args:
        path: .csv, .mot or .sto file.
        subject: whose knee it is (body weight bounds the forces).
        columns: our name -> name in the file; a leading "-" turns the sign. Names left out are looked up as they are; `time` serves as time.
        gait_changes: changes of gait on top of the recorded one.

    Raises:
        InputError: the file cannot be used; the sentence says what is wrong.
    """
    table = read_table(path)
    found = _find(table, dict(columns or {}))
    _check_rows(table, found)
    values = {name: _values(table, name, source) for name, source in found.items()}
    _check_units(values, subject, table.path)
    return _motion(_resample(values), subject, gait_changes, table.path)


def _find(table: Table, columns: dict[str, str]) -> dict[str, str]:
    """Our name -> the file's name (with its sign), for each column that is there."""
    unknown = sorted(set(columns) - set(_KNOWN))
    if unknown:
        raise InputError("column mapping", where="activity.columns", got=", ".join(unknown), allowed="among " + ", ".join(_KNOWN),
                         why="the left-hand names are those of kneeload")
    found = {name: columns.get(name, name) for name in _KNOWN}
    if "time_s" not in columns and "time_s" not in table.names:
        found["time_s"] = "time"
    found = {name: source for name, source in found.items() if source.removeprefix("-") in table.names}
    missing = [f"{name} (as {columns[name]})" if name in columns else name for name in _KNOWN
               if name not in found and (name in REQUIRED or name in columns)]
    if not any(name in found for name in FORCES):
        missing.append(" or ".join(FORCES))
    if missing:
        raise InputError("columns", where=str(table.path), got=", ".join(table.names), allowed="complete; missing: " + ", ".join(missing),
                         why="the load on the knee is computed from them (activity.columns maps other names)")
    return found | {name: name for name in table.names if name.startswith("measured_")}


def _check_rows(table: Table, found: dict[str, str]) -> None:
    rows = table.values.shape[0]
    if rows < FEWEST_ROWS:
        raise InputError("number of rows", where=str(table.path), got=rows, allowed=f"at least {FEWEST_ROWS}", why="fewer samples do not describe a cycle")
    step = np.diff(table.column(found["time_s"].removeprefix("-")))
    if not np.all(step > 0.0):
        line = table.first_line + int(np.argmin(step > 0.0)) + 1
        raise InputError("time", where=f"{table.path}, line {line}", got="a step that is not forward", allowed="strictly increasing", why="a cycle runs forward")


def _values(table: Table, name: str, source: str) -> NDArray[np.float64]:
    """One column under our name and unit, (rows,)."""
    values = table.column(source.removeprefix("-"))
    if source.startswith("-"):
        values = -values
    radians = name.endswith("_deg") and not table.in_degrees and not source.endswith("_deg")
    return values / DEG if radians else values


def _check_units(values: dict[str, NDArray[np.float64]], subject: Subject, path: Path) -> None:
    """Refuse values whose size shows another unit than the name says."""
    peak = {name: float(np.abs(column).max()) for name, column in values.items()}
    span = float(np.ptp(values["time_s"]))
    _unit("time_s", 0.2 <= span <= 20.0, f"a cycle of {span:.4g}", "a cycle of 0.2 to 20 s", "it looks like milliseconds or frames", path)
    for name in peak:
        if name.endswith("_deg"):
            _unit(name, peak[name] <= 180.0, f"values to {peak[name]:.4g}", "within 180 degrees", "no joint turns further", path)
        if name.endswith("_nm"):
            _unit(name, peak[name] <= _LARGEST_MOMENT_NM, f"values to {peak[name]:.4g}", "within 600 N m", "it looks like N mm", path)
    knee_moment = max(peak["knee_extension_moment_nm"], peak["knee_adduction_moment_external_nm"])
    _unit("knee_flexion_deg", peak["knee_flexion_deg"] >= _RADIANS or knee_moment < 10.0, f"values to {peak['knee_flexion_deg']:.4g}", "degrees",
          "it looks like radians", path)
    bend = float(values["knee_flexion_deg"].min())
    _unit("knee_flexion_deg", bend >= -30.0, f"values down to {bend:.4g}", "flexion positive, at least -30 degrees",
          "it looks like the opposite sign (map it as -name)", path)
    for name in FORCES:
        if name in peak:
            low = float(values[name].min())
            _unit(name, low > -peak[name], f"values down to {low:.4g}", "compression positive", "it looks like the opposite sign (map it as -name)", path)
            weight = subject.body_weight_n
            _unit(name, peak[name] > 0.05 * weight, f"values to {peak[name]:.4g}", "newtons", "it looks like body weights or kilonewtons", path)
            _unit(name, peak[name] < 10.0 * weight, f"values to {peak[name]:.4g}", "newtons, below 10 body weights", "ground reactions stay below it", path)
            _unit("knee moments", peak[name] < 0.7 * weight or knee_moment >= _SMALLEST_STRIDE_MOMENT_NM, f"values to {knee_moment:.4g}", "N m",
                  "it looks like N m per kg", path)


def _unit(name: str, good: bool, got: str, allowed: str, why: str, path: Path) -> None:
    if not good:
        raise InputError(f"unit or sign of {name}", where=str(path), got=got, allowed=allowed, why=why)


def _resample(values: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """101 samples at equal time steps; a file that has them already is taken as it is."""
    from scipy.interpolate import PchipInterpolator  # here: its import takes longer than a whole motion

    time = values["time_s"] - values["time_s"][0]
    grid = np.linspace(0.0, time[-1], SAMPLES)
    if time.size == SAMPLES and np.abs(time - grid).max() < 0.02 * grid[1]:
        return values | {"time_s": time}
    return {name: PchipInterpolator(time, column)(grid) for name, column in values.items()} | {"time_s": grid}


def _motion(values: dict[str, NDArray[np.float64]], subject: Subject, gait_changes: Sequence[GaitChange], path: Path) -> Motion:
    lower = shank_and_foot_weight_n(subject)
    if "knee_axial_net_force_n" in values:
        axial = values["knee_axial_net_force_n"]
        ground = np.maximum(axial + lower, 0.0)
    else:
        ground = values["vertical_ground_reaction_n"]
        axial = ground - lower
    stance = axial > 0.0
    lever_arm = gait_lever_arm(gait_changes, stance, subject.height_m * MM_PER_M)
    zero = np.zeros(SAMPLES)
    hip_moment, ankle_moment = values.get("hip_flexion_moment_nm"), values.get("ankle_dorsiflexion_moment_nm")
    return Motion(
        activity="recorded", time=values["time_s"], stance=stance,
        knee_flexion=values["knee_flexion_deg"] * DEG,
        hip_flexion=values.get("hip_flexion_deg", zero) * DEG,
        ankle_dorsiflexion=values.get("ankle_dorsiflexion_deg", zero) * DEG,
        knee_extension_moment=values["knee_extension_moment_nm"] * NMM_PER_NM * extension_scale(gait_changes),
        knee_adduction_moment=values["knee_adduction_moment_external_nm"] * NMM_PER_NM + ground * lever_arm,
        hip_extension_moment=None if hip_moment is None else -hip_moment * NMM_PER_NM,
        ankle_plantarflexion_moment=None if ankle_moment is None else -ankle_moment * NMM_PER_NM,
        net_axial_force=axial.copy(), cycles_per_second=1.0 / float(values["time_s"][-1]), source=f"recorded: {path.name}",
        measured={name: column.copy() for name, column in values.items() if name.startswith("measured_")} or None,
    )
