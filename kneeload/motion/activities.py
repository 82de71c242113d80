"""From an activity and a person to the motion of one knee."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kneeload.motion.activity import Activity
from kneeload.motion.gait import GaitChange, extension_scale, gait_lever_arm
from kneeload.motion.hip_ankle import PELVIC_TILT_DEG, HipAnkle, stair_hip_ankle, walking_cycle_s, walking_hip_ankle
from kneeload.motion.limb import alignment_lever_arm_mm, anterior_force, axial_force
from kneeload.motion.motion import Motion
from kneeload.motion.recorded import read_recorded
from kneeload.motion.standing import ONE_LEG, TWO_LEGS, Pose, standing_loads
from kneeload.motion.waveforms import NATURAL_SPEED, SOURCE_HEIGHT_M, Curves, speed_range, stair_curves, walking_curves
from kneeload.subject.person import Subject
from kneeload.units import DEG, MM_PER_M, NMM_PER_NM

SAMPLES = 101

# Duration of a stair cycle, s. Assumption, ranges 1.2 to 1.7 and 1.0 to 1.5 s: about 1.4 s up and 1.2 s down a 30-degree stair (Riener 2002,
# doi 10.1016/S0966-6362(01)00162-X).
_STAIR_CYCLE_S = {"stair_ascent": 1.4, "stair_descent": 1.2}


def motion_for(activity: Activity, subject: Subject, gait_changes: Sequence[GaitChange] = ()) -> Motion:
    """Joint angles and net loads of `subject` during `activity`.

    Normative moments scale with body mass x height (relative to the source's mean height), forces with body weight. Alignment and gait
    changes move the knee centre relative to the ground reaction: the adduction moment changes by vertical ground reaction x shift
    (of the hip-ankle line for alignment). Changes of gait act in walking, on stairs and on recorded strides (on stairs an assumption:
    they were measured in walking); a pose and a test rig have no gait. A recording already contains the person's alignment.

    Raises:
        InputError: a recorded file cannot be used.
    """
    if activity.name == "walking":
        return _walking(activity, subject, gait_changes)
    if activity.name in _STAIR_CYCLE_S:
        return _stairs(activity.name, subject, gait_changes)
    if activity.name == "standing":
        return _standing(activity.name, subject, TWO_LEGS)
    if activity.name == "single_leg_standing":
        return _standing(activity.name, subject, ONE_LEG)
    if activity.name == "compression":
        return _compression(activity)
    assert activity.file is not None  # Activity requires it
    return read_recorded(activity.file, subject, activity.columns, gait_changes)


def natural_speed_m_s(subject: Subject) -> float:
    """Natural walking speed, m/s: 71.4 % of body height per second (Bovi 2011)."""
    return NATURAL_SPEED * subject.height_m


def _walking(activity: Activity, subject: Subject, gait_changes: Sequence[GaitChange]) -> Motion:
    speed = activity.speed_m_s if activity.speed_m_s is not None else natural_speed_m_s(subject)
    low, high = speed_range()
    relative = min(max(speed / subject.height_m, low), high)
    return _cyclic("walking", walking_curves(relative), walking_hip_ankle(relative), subject, gait_changes, walking_cycle_s(speed, subject.height_m))


def _stairs(name: str, subject: Subject, gait_changes: Sequence[GaitChange]) -> Motion:
    return _cyclic(name, stair_curves(name), stair_hip_ankle(name), subject, gait_changes, _STAIR_CYCLE_S[name])


def _cyclic(name: str, curves: Curves, others: HipAnkle, subject: Subject, gait_changes: Sequence[GaitChange], cycle_s: float) -> Motion:
    moment_scale = subject.body_mass_kg * (subject.height_m / SOURCE_HEIGHT_M) * NMM_PER_NM
    vertical, fore_aft = curves.vertical_force_bw * subject.body_weight_n, others.fore_aft_force_bw * subject.body_weight_n
    lever_arm = alignment_lever_arm_mm(subject) + gait_lever_arm(gait_changes, curves.stance, subject.height_m * MM_PER_M)
    lean = (curves.knee_flexion_deg - others.hip_flexion_deg + PELVIC_TILT_DEG) * DEG
    return Motion(
        activity=name, time=np.linspace(0.0, cycle_s, SAMPLES), stance=curves.stance,
        knee_flexion=curves.knee_flexion_deg * DEG, hip_flexion=others.hip_flexion_deg * DEG, ankle_dorsiflexion=others.ankle_dorsiflexion_deg * DEG,
        knee_extension_moment=curves.knee_extension_moment_nm_kg * moment_scale * extension_scale(gait_changes),
        knee_adduction_moment=curves.knee_adduction_moment_nm_kg * moment_scale + vertical * lever_arm,
        hip_extension_moment=others.hip_extension_moment_nm_kg * moment_scale,
        ankle_plantarflexion_moment=others.ankle_plantarflexion_moment_nm_kg * moment_scale,
        net_axial_force=axial_force(vertical, fore_aft, lean, subject), net_anterior_force=anterior_force(vertical, fore_aft, lean, subject),
        cycles_per_second=1.0 / cycle_s, source=f"knee and ground reaction: {curves.source}; hip and ankle: {others.source}",
        knee_extension_moment_sd=curves.knee_extension_moment_nm_kg_sd * moment_scale,
        knee_adduction_moment_sd=curves.knee_adduction_moment_nm_kg_sd * moment_scale, measured=None,
    )


def _standing(name: str, subject: Subject, pose: Pose) -> Motion:
    loads = standing_loads(subject, pose)
    constant = {field: np.full(SAMPLES, getattr(loads, field)) for field in (
        "knee_flexion", "hip_flexion", "ankle_dorsiflexion", "knee_extension_moment", "knee_adduction_moment", "hip_extension_moment",
        "ankle_plantarflexion_moment", "net_axial_force", "net_anterior_force")}
    return Motion(activity=name, time=np.linspace(0.0, 1.0, SAMPLES), stance=np.ones(SAMPLES, dtype=np.bool_), cycles_per_second=0.0,
                   source="statics of an assumed pose (kneeload.motion.standing); segment data: Winter 2009",
                   knee_extension_moment_sd=None, knee_adduction_moment_sd=None, measured=None, **constant)


def _compression(activity: Activity) -> Motion:
    zero = {field: np.zeros(SAMPLES) for field in (
        "hip_flexion", "ankle_dorsiflexion", "knee_extension_moment", "knee_adduction_moment", "hip_extension_moment", "ankle_plantarflexion_moment")}
    return Motion(activity="compression", time=np.linspace(0.0, 1.0, SAMPLES), stance=np.ones(SAMPLES, dtype=np.bool_),
                   knee_flexion=np.full(SAMPLES, activity.flexion_deg * DEG), net_axial_force=np.full(SAMPLES, activity.force_n), cycles_per_second=0.0,
                   source="test rig: axial load alone", knee_extension_moment_sd=None, knee_adduction_moment_sd=None, measured=None, **zero)
