"""Net joint loads of a recorded leg: its plates, its skeleton and its angles brought together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.motion.c3d_file import read_c3d_plates
from kneeload.motion.filtering import low_pass
from kneeload.motion.generic_leg import generic_legs
from kneeload.motion.ground_reaction import LOADED_N, Plate, external_loads_data_file, leg_plates, plate_names, read_plates, summed
from kneeload.motion.leg_loads import LegJoints, LegLoads, leg_joints, leg_loads
from kneeload.motion.opensim_model import read_model
from kneeload.motion.recorded_columns import PLACE, Column, time_of
from kneeload.motion.recording import Recording
from kneeload.motion.skeleton import Skeleton, pose_of
from kneeload.motion.strides import Curve, foremost
from kneeload.motion.table_file import Table
from kneeload.subject.person import Subject
from kneeload.units import DEG, MM_PER_M

Array = NDArray[np.float64]

# Cut-off for accelerations where the angles themselves are not filtered: second derivatives of raw angles are noise. 6 Hz is usual for walking,
# studies use 4 to 20 Hz (overview in doi 10.3390/app15042177); for faster movements an assumption.
_ACCELERATION_CUTOFF_HZ = 6.0
# Our name of each angle -> OpenSim-like coordinate of the generic legs.
_GENERIC = {"hip_flexion_deg": "hip_flexion_{s}", "hip_adduction_deg": "hip_adduction_{s}", "hip_rotation_deg": "hip_rotation_{s}",
            "knee_flexion_deg": "knee_angle_{s}", "knee_adduction_deg": "knee_adduction_{s}", "knee_rotation_deg": "knee_rotation_{s}",
            "ankle_dorsiflexion_deg": "ankle_angle_{s}", "pelvis_tilt_deg": "pelvis_tilt", "pelvis_list_deg": "pelvis_list",
            "pelvis_rotation_deg": "pelvis_rotation", "pelvis_x_m": "pelvis_tx", "pelvis_y_m": "pelvis_ty", "pelvis_z_m": "pelvis_tz"}
_PELVIS = tuple(name for name in PLACE if name.startswith("pelvis_"))
_CHAIN = {"hip": "hip_flexion_deg", "knee": "knee_flexion_deg", "ankle": "ankle_dorsiflexion_deg"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroundedLeg:
    """What plates and pose of one leg give.

    Attributes:
        vertical: unfiltered vertical ground reaction, N.
        reached: (k,) s, when the foot is furthest forward.
        loads: net joint loads over `time`, or None when it is not known where the leg stands.
        time: (T,) s.
        source: in words.
    """

    vertical: Curve
    reached: Array
    loads: LegLoads | None
    time: Array
    source: str


def force_file(recording: Recording) -> str | None:
    """Path of the force plates: `forces_file`, or the one that the external loads name.

    Raises:
        InputError: the external loads name none.
    """
    if recording.forces_file is None and recording.external_loads_file is not None:
        return str(external_loads_data_file(recording.external_loads_file))
    return recording.forces_file


def plates_of(recording: Recording, tables: Sequence[Table]) -> tuple[Plate, ...]:
    """The plates of a recording, empty when it has none.

    Args:
        recording: names a .c3d file or the external loads.
        tables: tables in which columns of plates may stand, the force file first; the first that has some is taken.

    Raises:
        InputError: the force file or the external loads cannot be used.
    """
    path = force_file(recording)
    if path is not None and Path(path).suffix.lower() == ".c3d":
        return read_c3d_plates(path)
    with_plates = [table for table in tables if plate_names(table)]
    if with_plates:
        return read_plates(with_plates[0], recording.external_loads_file)
    return read_plates(tables[0], recording.external_loads_file) if recording.external_loads_file is not None else ()


def grounded_leg(recording: Recording, side: str, found: Mapping[str, Column], plates: tuple[Plate, ...], subject: Subject) -> GroundedLeg:
    """Net joint loads of one leg from its plates.

    Raises:
        InputError: plates cannot be assigned, files do not overlap in time, or the model does not have the recorded coordinates.
    """
    table = found["knee_flexion_deg"].table
    if not all(name in found and found[name].table is table for name in (*_PELVIS, *_CHAIN.values())):
        return _without_pose(recording, side, plates)
    skeleton, joints = _skeleton(recording, side, found, subject)
    time = time_of(table, recording.columns)
    raw = _coordinates(recording, skeleton, side, found)
    pose = pose_of(skeleton, {name: low_pass(time, value, recording.angle_cutoff_hz, "activity.angle_cutoff_hz") for name, value in raw.items()},
                   skeleton.beyond(joints.hip))
    smooth = pose if recording.angle_cutoff_hz is not None else pose_of(
        skeleton, {name: low_pass(time, value, _ACCELERATION_CUTOFF_HZ, "activity.angle_cutoff_hz") for name, value in raw.items()}, skeleton.beyond(joints.hip))
    plate_time, force, moment = summed(leg_plates(plates, side, time, pose.centre[joints.ankle.name]))
    if plate_time[0] > time[-1] or plate_time[-1] < time[0]:
        raise no_overlap(recording.name, (time[0], time[-1]), "the force file", (plate_time[0], plate_time[-1]))
    vertical = Curve(time=plate_time, values=force[:, 1])
    force, moment = (_at(time, plate_time, low_pass(plate_time, value, recording.force_cutoff_hz, "activity.force_cutoff_hz")) for value in (force, moment))
    loads = leg_loads(skeleton, joints, pose, time, force, moment, left=side == "left", smooth=smooth)
    return GroundedLeg(vertical=vertical, reached=foremost(time, pose.centre[joints.ankle.name], pose.body[joints.hip.parent].origin), loads=loads, time=time,
                       source=f"ground reaction, {skeleton.source}, inertia of angles below {recording.angle_cutoff_hz or _ACCELERATION_CUTOFF_HZ:g} Hz")


def no_overlap(first: str, first_span: tuple[float, float], second: str, second_span: tuple[float, float]) -> InputError:
    """The error for files that have no time in common."""
    return InputError("time of the files", where=f"{first} and {second}", got=f"{first_span[0]:.4g} to {first_span[1]:.4g} s and {second_span[0]:.4g} to {second_span[1]:.4g} s",
                      allowed="overlapping", why="angles, moments and forces are joined on time")


def _without_pose(recording: Recording, side: str, plates: tuple[Plate, ...]) -> GroundedLeg:
    own = tuple(plate for plate in plates if plate.side == side and plate.force[:, 1].max() > LOADED_N)
    if not own:
        raise InputError(f"ground reaction of the {side} foot", where="activity.external_loads_file", got=recording.external_loads_file,
                         allowed="OpenSim's file of external loads", why="without the pelvis in the angles it alone says which plate belongs to which foot")
    time, force, _ = summed(own)
    return GroundedLeg(vertical=Curve(time=time, values=force[:, 1]), reached=np.empty(0), loads=None, time=time, source="")


def _skeleton(recording: Recording, side: str, found: Mapping[str, Column], subject: Subject) -> tuple[Skeleton, LegJoints]:
    if recording.model_file is None:
        skeleton = generic_legs(subject)
        names = {joint: _GENERIC[name].format(s=side[0]) for joint, name in _CHAIN.items()}
    else:
        skeleton = read_model(recording.model_file)
        names = {joint: found[name].name for joint, name in _CHAIN.items()}
        known = {coordinate for joint in skeleton.joints for coordinate in joint.coordinates()}
        absent = sorted(set(names.values()) - known)
        if absent:
            raise InputError("coordinates of the model", where="activity.model_file", got=", ".join(absent), allowed=f"coordinates of {Path(recording.model_file).name}",
                             why="the angles belong to another model")
    return skeleton, leg_joints(skeleton, names)


def _coordinates(recording: Recording, skeleton: Skeleton, side: str, found: Mapping[str, Column]) -> dict[str, Array]:
    """Coordinates of the skeleton over the time of the angles, rad or mm."""
    if recording.model_file is None:
        units = {"_deg": DEG, "_m": MM_PER_M}
        return {_GENERIC[name].format(s=side[0]): column.factor * column.table.column(column.name) * units["_" + name.rsplit("_", 1)[-1]]
                for name, column in found.items() if name in _GENERIC and column.table is found["knee_flexion_deg"].table}
    table = found["knee_flexion_deg"].table
    angle = DEG if table.in_degrees else 1.0
    known = {coordinate for joint in skeleton.joints for coordinate in joint.coordinates()}
    return {name: table.column(name) * (MM_PER_M if name in skeleton.sliding else angle) for name in table.names if name in known}


def _at(new: Array, time: Array, values: Array) -> Array:
    """(T, 3) at other times; zero outside."""
    return np.stack([np.interp(new, time, values[:, axis], left=0.0, right=0.0) for axis in range(3)], axis=1)
