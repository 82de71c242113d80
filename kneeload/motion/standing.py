"""Standing on two legs and on one: angles from habit, moments from statics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kneeload.motion.limb import HIP_SPACING, LEG_MASS, SHANK_AND_FOOT_MASS, SHANK_LENGTH, THIGH_LENGTH, knee_shift_mm
from kneeload.subject.person import Subject
from kneeload.units import DEG, MM_PER_M

# Line of gravity ahead of the ankle, mm per m of height (0.026 of height, 45 mm at 1.72 m). Assumption, range 0.017 to 0.035: it falls some
# 30 to 60 mm in front of the malleolus in quiet standing (Winter 2009, chapter 11).
_GROUND_LINE_AHEAD = 0.026 * MM_PER_M
# Centres of mass, fraction of segment length from the proximal end (Winter 2009, table 4.1): shank with foot 0.606, thigh 0.433.
_SHANK_FOOT_CENTRE, _THIGH_CENTRE = 0.606, 0.433
_LEG_CENTRE = 0.447  # centre of mass of the whole leg, fraction of its length from the hip (Winter 2009, table 4.1)
# Spread between people, standard deviations. Assumptions: line of gravity 0.009 of height forwards and backwards (15 mm; 10 to 20 mm),
# line of the ground reaction 0.006 of height sideways (10 mm; 5 to 20 mm), knee flexion 3 degrees (2 to 5).
_LINE_SD, SIDEWAYS_SD, _FLEXION_SD_DEG = 0.009 * MM_PER_M, 0.006 * MM_PER_M, 3.0
_THIGH_MASS = LEG_MASS - SHANK_AND_FOOT_MASS


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """A way to stand. Angles in degrees; `share` is the part of body weight on this foot; `trunk_shift` is how far the centre of mass of
    the body comes from the middle of the pelvis towards the loaded foot, fraction of half the hip spacing (0 two legs: not used)."""

    knee_flexion_deg: float
    ankle_dorsiflexion_deg: float
    share: float
    trunk_shift: float


# Assumptions. Two legs: knee 5 (0 to 8), ankle 4 (2 to 6) degrees. One leg: knee 8 (3 to 15), ankle 5 (3 to 8) degrees; the trunk leans
# over the foot by 0.1 of half the hip spacing (0 to 0.4: a stiff trunk to a marked lean).
TWO_LEGS = Pose(knee_flexion_deg=5.0, ankle_dorsiflexion_deg=4.0, share=0.5, trunk_shift=0.0)
ONE_LEG = Pose(knee_flexion_deg=8.0, ankle_dorsiflexion_deg=5.0, share=1.0, trunk_shift=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingLoads:
    """Result of the statics: angles in rad, moments in N mm (signs as in `Motion`), force in N."""

    hip_flexion: float
    knee_flexion: float
    ankle_dorsiflexion: float
    hip_extension_moment: float
    knee_extension_moment: float
    ankle_plantarflexion_moment: float
    knee_adduction_moment: float
    net_axial_force: float
    net_anterior_force: float
    hip_abduction_moment: float
    knee_extension_moment_sd: float
    knee_adduction_moment_sd: float
    knee_flexion_sd: float


def standing_loads(subject: Subject, pose: Pose, *, extension_z: float = 0.0, adduction_z: float = 0.0, flexion_z: float = 0.0) -> StandingLoads:
    """Statics of a leg that carries `pose.share` of the body weight.

    Side view: the ground reaction is vertical, `_GROUND_LINE_AHEAD` in front of the ankle; knee and hip lie where the segment lengths
    and angles put them; each joint moment balances the ground reaction and the weights of the segments below it (the foot's own
    weight is taken at the ankle). Front view: the ground reaction passes under the ankle centre (assumption, range +-10 mm). On two
    legs with the feet at hip width the hip-ankle line is vertical, so only the varus shift of the knee gives a lever arm. On one leg the
    centre of mass of the body stands over the foot, so the hip lies lateral to that line by half the hip spacing less the lean of the
    trunk, and the knee by half of that plus its varus shift; the hip abductors carry the body without this leg.

    The three scores shift the line of gravity backwards, the ground reaction medially and the knee flexion (half of it at the ankle), in
    standard deviations between people.
    """
    height = subject.height_m * MM_PER_M
    bent = flexion_z * _FLEXION_SD_DEG
    lean, flexion = (pose.ankle_dorsiflexion_deg + 0.5 * bent) * DEG, (pose.knee_flexion_deg + bent) * DEG
    ground = pose.share * subject.body_weight_n
    lower = SHANK_AND_FOOT_MASS * subject.body_weight_n
    knee_x = SHANK_LENGTH * height * np.sin(lean)
    hip_x = knee_x + THIGH_LENGTH * height * np.sin(lean - flexion)
    line_x = (_GROUND_LINE_AHEAD - extension_z * _LINE_SD) * subject.height_m
    sideways = ground * SIDEWAYS_SD * subject.height_m
    shank_x = (1.0 - _SHANK_FOOT_CENTRE) * knee_x
    thigh_x = hip_x + _THIGH_CENTRE * (knee_x - hip_x)
    thigh = _THIGH_MASS * subject.body_weight_n
    return StandingLoads(
        hip_flexion=flexion - lean, knee_flexion=flexion, ankle_dorsiflexion=lean,
        ankle_plantarflexion_moment=float(ground * line_x),
        knee_extension_moment=float(-(ground * (line_x - knee_x) - lower * (shank_x - knee_x))),
        hip_extension_moment=float(ground * (line_x - hip_x) - lower * (shank_x - hip_x) - thigh * (thigh_x - hip_x)),
        knee_adduction_moment=_adduction_moment(subject, pose, ground, lower) + adduction_z * sideways,
        hip_abduction_moment=_abduction_moment(subject, pose, ground) + adduction_z * sideways * (pose.share > 0.5),
        knee_extension_moment_sd=ground * _LINE_SD * subject.height_m, knee_adduction_moment_sd=sideways, knee_flexion_sd=_FLEXION_SD_DEG * DEG,
        net_axial_force=float((ground - lower) * np.cos(lean)), net_anterior_force=float((lower - ground) * np.sin(lean)),
    )


def _hip_offset_mm(subject: Subject, pose: Pose) -> float:
    """How far the hip lies lateral to the line of the ground reaction, mm."""
    return 0.5 * HIP_SPACING * subject.height_m * MM_PER_M * (1.0 - pose.trunk_shift) if pose.share > 0.5 else 0.0


def _adduction_moment(subject: Subject, pose: Pose, ground: float, lower: float) -> float:
    """External adduction moment, N mm: ground reaction and weight of shank and foot about the knee centre."""
    at_knee = _hip_offset_mm(subject, pose) * SHANK_LENGTH / (SHANK_LENGTH + THIGH_LENGTH)
    return float((at_knee + knee_shift_mm(subject.varus_deg, subject.height_m)) * (ground - _SHANK_FOOT_CENTRE * lower))


def _abduction_moment(subject: Subject, pose: Pose, ground: float) -> float:
    """Internal hip abduction moment, N mm: ground reaction less the weight of the leg (which hangs medial to the hip) about the hip centre."""
    return float(_hip_offset_mm(subject, pose) * (ground - _LEG_CENTRE * LEG_MASS * subject.body_weight_n))
