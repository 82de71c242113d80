"""From an activity and a person to the motion of one knee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from kneeload.motion.activity import Activity
from kneeload.motion.force_line import STAIRS, WALKING, Uncertainty, one_force_line, shank_lean
from kneeload.motion.frontal import hip_abduction_moment, step_width_lever_arm_mm, sway
from kneeload.motion.gait import GaitChange, extension_scale, gait_lever_arm
from kneeload.motion.hip_ankle import HipAnkle, stair_hip_ankle, walking_cycle_s, walking_hip_ankle
from kneeload.motion.limb import REFERENCE_VARUS_DEG, anterior_force, axial_force, knee_shift_mm
from kneeload.motion.motion import Motion
from kneeload.motion.recorded import read_recorded
from kneeload.motion.rising import RISES, rise_loads
from kneeload.motion.standing import ONE_LEG, SIDEWAYS_SD, TWO_LEGS, Pose, standing_loads
from kneeload.motion.waveforms import NATURAL_SPEED, SOURCE_HEIGHT_M, Curves, stair_curves, walking_curves
from kneeload.subject.person import Subject
from kneeload.units import DEG, MM_PER_M, NMM_PER_NM

SAMPLES = 101

# Duration of a stair cycle, s. Assumption, ranges 1.2 to 1.7 and 1.0 to 1.5 s: about 1.4 s up and 1.2 s down a 30-degree stair (Riener 2002,
# doi 10.1016/S0966-6362(01)00162-X).
_STAIR_CYCLE_S = {"stair_ascent": 1.4, "stair_descent": 1.2}
_POSES = {"standing": TWO_LEGS, "single_leg_standing": ONE_LEG}


def motion_for(activity: Activity, subject: Subject, gait_changes: Sequence[GaitChange] = ()) -> Motion:
    """Joint angles and net loads of `subject` during `activity`.

    Normative moments scale with body mass x height (relative to the source's mean height), forces with body weight. Alignment, step width
    and gait changes move the knee centre relative to the ground reaction: the adduction moment changes by vertical ground reaction x shift
    (of the hip-ankle line for alignment). Changes of gait act in walking, on stairs and on recorded strides (on stairs an assumption:
    they were measured in walking); a pose, a chair rise, a squat and a test rig have no gait. A recording already contains the person's
    alignment. The person's scores in `activity` shift the curves by standard deviations between people.

    Raises:
        InputError: a recorded file cannot be used.
    """
    if activity.name == "walking":
        return _walking(activity, subject, gait_changes)
    if activity.name in _STAIR_CYCLE_S:
        return _cyclic(activity, stair_curves(activity.name), stair_hip_ankle(activity.name), STAIRS, subject, gait_changes,
                       _STAIR_CYCLE_S[activity.name])
    if activity.name in RISES:
        return _rising(activity, subject)
    if activity.name in _POSES:
        return _standing(activity, subject, _POSES[activity.name])
    if activity.name == "compression":
        return _compression(activity)
    return read_recorded(activity.recording(), subject, gait_changes=gait_changes)


def natural_speed_m_s(subject: Subject) -> float:
    """Natural walking speed, m/s: 71.4 % of height per second for adults of 1.71 m (Bovi 2011), the same Froude number for others."""
    return NATURAL_SPEED * float(np.sqrt(subject.height_m * SOURCE_HEIGHT_M))


def relative_speed(speed_m_s: float, height_m: float) -> float:
    """Speed at which the source's adults walk alike, in their heights per second.

    People of different size move alike at the same Froude number, speed^2 over gravity x leg length (Alexander 1989, doi
    10.1152/physrev.1989.69.4.1199).
    """
    return speed_m_s / float(np.sqrt(height_m * SOURCE_HEIGHT_M))


def _walking(activity: Activity, subject: Subject, gait_changes: Sequence[GaitChange]) -> Motion:
    speed = activity.speed_m_s if activity.speed_m_s is not None else natural_speed_m_s(subject)
    relative = relative_speed(speed, subject.height_m)
    return _cyclic(activity, walking_curves(relative), walking_hip_ankle(relative), WALKING, subject, gait_changes,
                   walking_cycle_s(speed, subject.height_m))


def _cyclic(activity: Activity, curves: Curves, others: HipAnkle, uncertainty: Uncertainty, subject: Subject,
            gait_changes: Sequence[GaitChange], cycle_s: float) -> Motion:
    """Walking and stairs: the mean person, shifted to this one, then hip and ankle brought onto one ground reaction with the knee."""
    moment_scale = subject.body_mass_kg * (subject.height_m / SOURCE_HEIGHT_M) * NMM_PER_NM
    flexion_deg = curves.knee_flexion_deg + activity.flexion_z * curves.knee_flexion_deg_sd
    others = replace(others, hip_flexion_deg=others.hip_flexion_deg + 0.5 * (flexion_deg - curves.knee_flexion_deg))
    extension = curves.knee_extension_moment_nm_kg + activity.extension_moment_z * curves.knee_extension_moment_nm_kg_sd
    extension = extension * extension_scale(gait_changes)
    others = one_force_line(flexion_deg, extension, curves.vertical_force_bw, others, uncertainty)
    lean = shank_lean(flexion_deg, others.hip_flexion_deg)
    vertical, fore_aft = curves.vertical_force_bw * subject.body_weight_n, others.fore_aft_force_bw * subject.body_weight_n
    share = sway(curves.stance, cycle_s, subject.height_m)
    moved = gait_lever_arm(gait_changes, curves.stance, subject.height_m * MM_PER_M)
    moved = moved + step_width_lever_arm_mm(activity.step_width_m, share, subject.height_m)
    straight = (curves.knee_adduction_moment_nm_kg + activity.adduction_moment_z * curves.knee_adduction_moment_nm_kg_sd) * moment_scale
    straight = straight - vertical * knee_shift_mm(REFERENCE_VARUS_DEG, subject.height_m)
    return Motion(
        activity=activity.name, time=np.linspace(0.0, cycle_s, SAMPLES), stance=curves.stance, knee_flexion=flexion_deg * DEG,
        hip_flexion=others.hip_flexion_deg * DEG, ankle_dorsiflexion=others.ankle_dorsiflexion_deg * DEG,
        knee_extension_moment=extension * moment_scale,
        knee_adduction_moment=straight + vertical * (moved + knee_shift_mm(subject.varus_deg, subject.height_m)),
        hip_extension_moment=others.hip_extension_moment_nm_kg * moment_scale,
        ankle_plantarflexion_moment=others.ankle_plantarflexion_moment_nm_kg * moment_scale,
        net_axial_force=axial_force(vertical, fore_aft, lean, subject),
        net_anterior_force=anterior_force(vertical, fore_aft, lean, subject),
        hip_abduction_moment=hip_abduction_moment(straight + vertical * moved, vertical, share, activity.step_width_m,
                                                  subject.body_weight_n, subject.height_m),
        cycles_per_second=1.0 / cycle_s, source=f"knee and ground reaction: {curves.source}; hip and ankle: {others.source}",
        knee_extension_moment_sd=curves.knee_extension_moment_nm_kg_sd * moment_scale,
        knee_adduction_moment_sd=curves.knee_adduction_moment_nm_kg_sd * moment_scale, knee_flexion_sd=curves.knee_flexion_deg_sd * DEG,
    )


def _rising(activity: Activity, subject: Subject) -> Motion:
    """Chair rise and squat. In the frontal plane the feet stand at hip width, so only alignment gives a lever arm; it is seen in
    projection, so it shrinks as thigh and shank lie down (assumption)."""
    name = activity.name
    loads = rise_loads(name, activity.extension_moment_z, activity.flexion_z)
    more, less = (rise_loads(name, activity.extension_moment_z + z, activity.flexion_z).knee_extension_moment for z in (0.5, -0.5))
    moment_scale = subject.body_mass_kg * (subject.height_m / SOURCE_HEIGHT_M) * NMM_PER_NM
    vertical = loads.vertical_force * subject.body_mass_kg
    sideways = vertical * SIDEWAYS_SD * subject.height_m
    cycle_s = loads.cycle_s * float(np.sqrt(subject.height_m / SOURCE_HEIGHT_M))
    shift = knee_shift_mm(subject.varus_deg, subject.height_m) * loads.frontal_length
    return Motion(
        activity=name, time=np.linspace(0.0, cycle_s, SAMPLES), stance=np.ones(SAMPLES, dtype=np.bool_),
        knee_flexion=loads.knee_flexion, hip_flexion=loads.hip_flexion, ankle_dorsiflexion=loads.ankle_dorsiflexion,
        knee_extension_moment=loads.knee_extension_moment * moment_scale,
        knee_adduction_moment=vertical * shift + activity.adduction_moment_z * sideways,
        hip_extension_moment=loads.hip_extension_moment * moment_scale,
        ankle_plantarflexion_moment=loads.ankle_plantarflexion_moment * moment_scale,
        net_axial_force=loads.axial_force * subject.body_mass_kg, net_anterior_force=loads.anterior_force * subject.body_mass_kg,
        hip_abduction_moment=np.zeros(SAMPLES), cycles_per_second=1.0 / cycle_s,
        source="planar inverse dynamics of assumed postures (kneeload.motion.rising); segment data: Winter 2009",
        knee_extension_moment_sd=np.abs(more - less) * moment_scale, knee_adduction_moment_sd=sideways,
        knee_flexion_sd=loads.knee_flexion_sd,
    )


def _standing(activity: Activity, subject: Subject, pose: Pose) -> Motion:
    loads = standing_loads(subject, pose, extension_z=activity.extension_moment_z, adduction_z=activity.adduction_moment_z,
                           flexion_z=activity.flexion_z)
    constant: dict[str, Any] = {field.name: np.full(SAMPLES, getattr(loads, field.name)) for field in fields(loads)}
    return Motion(activity=activity.name, time=np.linspace(0.0, 1.0, SAMPLES), stance=np.ones(SAMPLES, dtype=np.bool_), cycles_per_second=0.0,
                  source="statics of an assumed pose (kneeload.motion.standing); segment data: Winter 2009", **constant)


def _compression(activity: Activity) -> Motion:
    zero = {field: np.zeros(SAMPLES) for field in (
        "hip_flexion", "ankle_dorsiflexion", "knee_extension_moment", "knee_adduction_moment", "hip_extension_moment", "ankle_plantarflexion_moment")}
    return Motion(activity="compression", time=np.linspace(0.0, 1.0, SAMPLES), stance=np.ones(SAMPLES, dtype=np.bool_),
                   knee_flexion=np.full(SAMPLES, activity.flexion_deg * DEG), net_axial_force=np.full(SAMPLES, activity.force_n), cycles_per_second=0.0,
                   source="test rig: axial load alone", knee_extension_moment_sd=None, knee_adduction_moment_sd=None, measured=None, **zero)
