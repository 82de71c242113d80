"""From an activity and a person to the motion of one knee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.motion.activity import Activity
from kneeload.motion.force_line import STAIRS, WALKING, Uncertainty, one_force_line, shank_lean
from kneeload.motion.frontal import hip_abduction_moment, step_width_lever_arm_mm, sway
from kneeload.motion.gait import GaitChange
from kneeload.motion.gait_effect import GaitEffect, cadence_factor, changed_speed, changed_step_width, gait_effect, standing_lever_arm
from kneeload.motion.hip_ankle import HipAnkle, speed_of_step_length, stair_hip_ankle, walking_cycle_s, walking_hip_ankle
from kneeload.motion.limb import REFERENCE_VARUS_DEG, anterior_force, axial_force, knee_shift_mm
from kneeload.motion.motion import Motion
from kneeload.motion.recorded import read_recorded
from kneeload.motion.rising import RISES, rise_loads
from kneeload.motion.standing import ONE_LEG, SIDEWAYS_SD, TWO_LEGS, Pose, standing_loads
from kneeload.motion.waveforms import NATURAL_SPEED, SOURCE_HEIGHT_M, Curves, stair_curves, walking_curves
from kneeload.subject.person import Subject
from kneeload.units import DEG, GRAVITY_M_S2, MM_PER_M, NMM_PER_NM

SAMPLES = 101

# Duration of a stair cycle, s. Assumption, ranges 1.2 to 1.7 and 1.0 to 1.5 s: about 1.4 s up and 1.2 s down a 30-degree stair (Riener 2002,
# doi 10.1016/S0966-6362(01)00162-X).
_STAIR_CYCLE_S = {"stair_ascent": 1.4, "stair_descent": 1.2}
_POSES = {"standing": TWO_LEGS, "single_leg_standing": ONE_LEG}


def motion_for(activity: Activity, subject: Subject, gait_changes: Sequence[GaitChange] = (), *, recorded_as: Subject | None = None) -> Motion:
    """Joint angles and net loads of `subject` during `activity`.

    Normative moments scale with body mass x height (relative to the source's mean height), forces with body weight. Alignment, step width
    and gait changes move the knee centre relative to the ground reaction: the adduction moment changes by vertical ground reaction x shift
    (of the hip-ankle line for alignment). Changes of gait act in walking, on stairs and on recorded strides (on stairs an assumption:
    they were measured in walking); footwear acts under a standing foot too; a chair rise, a squat and a test rig have no gait. The person's
    scores in `activity` shift the curves by standard deviations between people.

    Args:
        activity: what is done.
        subject: who does it.
        gait_changes: none or more, in any order.
        recorded_as: who was recorded, where `subject` has changed since (lighter, another alignment); None = the same person. Only for a recording.

    Raises:
        InputError: a recorded file cannot be used, or the changes of gait leave what people walk with.
    """
    if activity.name == "walking":
        return _walking(activity, subject, gait_changes)
    if activity.name in _STAIR_CYCLE_S:
        return _cyclic(activity, stair_curves(activity.name), stair_hip_ankle(activity.name), STAIRS, subject, gait_changes,
                       _STAIR_CYCLE_S[activity.name])
    if activity.name in RISES:
        return _rising(activity, subject)
    if activity.name in _POSES:
        return _standing(activity, subject, _POSES[activity.name], gait_changes)
    if activity.name == "compression":
        return _compression(activity, subject)
    return read_recorded(activity.recording(), subject, gait_changes=gait_changes, recorded_as=recorded_as)


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
    """Level walking; at another cadence the joints move as at the speed at which that step length is natural (assumption)."""
    speed = changed_speed(gait_changes, activity.speed_m_s if activity.speed_m_s is not None else natural_speed_m_s(subject))
    quicker = cadence_factor(gait_changes)
    relative = relative_speed(speed_of_step_length(speed, 1.0 / quicker), subject.height_m)
    return _cyclic(activity, walking_curves(relative), walking_hip_ankle(relative), WALKING, subject, gait_changes,
                   walking_cycle_s(speed, subject.height_m) / quicker)


def _cyclic(activity: Activity, curves: Curves, others: HipAnkle, uncertainty: Uncertainty, subject: Subject,
            gait_changes: Sequence[GaitChange], cycle_s: float) -> Motion:
    """Walking and stairs: the mean person, shifted to this one, then hip and ankle brought onto one ground reaction with the knee."""
    moment_scale = subject.body_mass_kg * (subject.height_m / SOURCE_HEIGHT_M) * NMM_PER_NM
    width, sway_share = changed_step_width(gait_changes, activity.step_width_m, subject.height_m), sway(curves.stance, cycle_s, subject.height_m)
    own_flexion = curves.knee_flexion_deg + activity.flexion_z * curves.knee_flexion_deg_sd
    effect = gait_effect(gait_changes, stance=curves.stance, flexion_deg=own_flexion, vertical_bw=curves.vertical_force_bw, sway_share=sway_share, step_width_m=width,
                         height_m=subject.height_m)
    flexion_deg, vertical_bw = own_flexion + effect.flexion, curves.vertical_force_bw * effect.foot_share
    extension = (curves.knee_extension_moment_nm_kg + activity.extension_moment_z * curves.knee_extension_moment_nm_kg_sd) * effect.foot_share
    extension = extension + vertical_bw * GRAVITY_M_S2 * effect.forward * (SOURCE_HEIGHT_M / subject.height_m / MM_PER_M)
    others = one_force_line(flexion_deg, extension, vertical_bw, _changed_others(others, flexion_deg - curves.knee_flexion_deg, effect), uncertainty)
    lean = shank_lean(flexion_deg, others.hip_flexion_deg)
    vertical, fore_aft = vertical_bw * subject.body_weight_n, others.fore_aft_force_bw * subject.body_weight_n
    wider = step_width_lever_arm_mm(width, sway_share, subject.height_m)
    straight = (curves.knee_adduction_moment_nm_kg + activity.adduction_moment_z * curves.knee_adduction_moment_nm_kg_sd) * moment_scale
    straight = straight * effect.foot_share - vertical * knee_shift_mm(REFERENCE_VARUS_DEG, subject.height_m)
    return Motion(
        activity=activity.name, time=np.linspace(0.0, cycle_s, SAMPLES), stance=curves.stance, knee_flexion=flexion_deg * DEG,
        hip_flexion=others.hip_flexion_deg * DEG, ankle_dorsiflexion=others.ankle_dorsiflexion_deg * DEG,
        knee_extension_moment=extension * moment_scale,
        knee_adduction_moment=straight + vertical * (wider + effect.knee_arm + knee_shift_mm(subject.varus_deg, subject.height_m)),
        hip_extension_moment=others.hip_extension_moment_nm_kg * moment_scale,
        ankle_plantarflexion_moment=others.ankle_plantarflexion_moment_nm_kg * moment_scale,
        net_axial_force=axial_force(vertical, fore_aft, lean, subject),
        net_anterior_force=anterior_force(vertical, fore_aft, lean, subject),
        hip_abduction_moment=hip_abduction_moment(straight + vertical * (wider + effect.hip_arm), vertical, sway_share, width,
                                                  subject.body_weight_n, subject.height_m),
        cycles_per_second=1.0 / cycle_s, source=f"knee and ground reaction: {curves.source}; hip and ankle: {others.source}",
        knee_extension_moment_sd=curves.knee_extension_moment_nm_kg_sd * moment_scale,
        knee_adduction_moment_sd=curves.knee_adduction_moment_nm_kg_sd * moment_scale, knee_flexion_sd=curves.knee_flexion_deg_sd * DEG,
    )


def _changed_others(others: HipAnkle, bent_deg: NDArray[np.float64], effect: GaitEffect) -> HipAnkle:
    """Hip and ankle of a leg that is bent by `bent_deg`, (T,) degrees, more (the hip takes half of it, the line from hip to ankle stays) and carries a share."""
    return replace(others, hip_flexion_deg=others.hip_flexion_deg + 0.5 * bent_deg, ankle_dorsiflexion_deg=others.ankle_dorsiflexion_deg + 0.5 * effect.flexion,
                   hip_extension_moment_nm_kg=others.hip_extension_moment_nm_kg * effect.foot_share,
                   ankle_plantarflexion_moment_nm_kg=others.ankle_plantarflexion_moment_nm_kg * effect.foot_share,
                   fore_aft_force_bw=others.fore_aft_force_bw * effect.foot_share)


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


def _standing(activity: Activity, subject: Subject, pose: Pose, gait_changes: Sequence[GaitChange]) -> Motion:
    loads = standing_loads(subject, pose, extension_z=activity.extension_moment_z, adduction_z=activity.adduction_moment_z,
                           flexion_z=activity.flexion_z)
    on_the_sole = pose.share * subject.body_weight_n * standing_lever_arm(gait_changes, subject.height_m)
    loads = replace(loads, knee_adduction_moment=loads.knee_adduction_moment + on_the_sole)
    constant: dict[str, Any] = {field.name: np.full(SAMPLES, getattr(loads, field.name)) for field in fields(loads)}
    return Motion(activity=activity.name, time=np.linspace(0.0, 1.0, SAMPLES), stance=np.ones(SAMPLES, dtype=np.bool_), cycles_per_second=0.0,
                  source="statics of an assumed pose (kneeload.motion.standing); segment data: Winter 2009", **constant)


def _compression(activity: Activity, subject: Subject) -> Motion:
    """The rig: a load along the line from hip to ankle, off the knee centre by the triangle of the limb (`knee_shift_mm`), at every flexion alike."""
    moment = activity.force_n * knee_shift_mm(subject.varus_deg, subject.height_m)
    zero = {field: np.zeros(SAMPLES) for field in (
        "hip_flexion", "ankle_dorsiflexion", "knee_extension_moment", "hip_extension_moment", "ankle_plantarflexion_moment")}
    return Motion(activity="compression", time=np.linspace(0.0, 1.0, SAMPLES), stance=np.ones(SAMPLES, dtype=np.bool_),
                   knee_flexion=np.full(SAMPLES, activity.flexion_deg * DEG), net_axial_force=np.full(SAMPLES, activity.force_n),
                  knee_adduction_moment=np.full(SAMPLES, moment), cycles_per_second=0.0,
                   source="test rig: load along the mechanical axis alone", knee_extension_moment_sd=None, knee_adduction_moment_sd=None, measured=None, **zero)
