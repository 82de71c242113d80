"""Frontal plane of one-leg support: where the line of the ground reaction runs between foot, knee and hip.

The body sways over the foot as a linear inverted pendulum (Kajita 2001, doi 10.1109/IROS.2001.973365): with the centre of mass at height
h, half the step width p and the step time S, the distance of the centre of mass from the foot is p times

    s(t) = cosh(r t) / cosh(r S / 2),   r = sqrt(g / h),   t from mid-stance, at most S / 2 away

and the ground reaction points from the foot to the centre of mass: sideways force = vertical force x p s / h. The pelvis moves with the
centre of mass, the hip lies half the hip spacing beside its middle, the knee on the line from ankle to hip. All lengths here are lateral.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.motion.limb import ANKLE_HEIGHT, HIP_HEIGHT, HIP_SPACING, LEG_MASS, SHANK_LENGTH, THIGH_LENGTH
from kneeload.motion.waveforms import SAMPLES, SOURCE_HEIGHT_M
from kneeload.units import DEG, GRAVITY_M_S2, MM_PER_M

Array = NDArray[np.float64]

# Step width of the source's adults, m (distance of the ankles across the direction of walking). Not published with the curves;
# assumption, range 0.08 to 0.12 m: means of healthy adults walking at their own speed lie there. It grows with height like all lengths.
STEP_WIDTH_M = 0.10
# Centre of mass of the body above the ground, fraction of height. Assumption, range 0.54 to 0.58.
_CENTRE_OF_MASS = 0.56
# Centre of mass of the leg below the hip, fraction of leg length (Winter 2009, table 4.1).
_LEG_CENTRE = 0.447
# Head, arms and trunk: mass, and height of their centre above the hips, fractions of body mass and height (Winter 2009, table 4.1 and figure 4.1: 0.678;
# 0.626 of the 0.288 from hip to shoulder).
_TRUNK_MASS, _TRUNK_CENTRE = 0.678, 0.626 * 0.288
# Part of a wedge's tilt that turns the foot: sole and foot give under load. Assumption, range 0.4 to 1.
_TILT_OF_FOOT = 0.7
# Part of the turning moment of a hand's support that the line of the foot's force takes; the trunk takes the rest by leaning towards the stick.
# Assumption, range 0.4 to 0.7: with less, a cane on the same side would lower the moment, and it was found to raise it (Chan 2005,
# doi 10.1016/j.clinbiomech.2004.12.005).
_SUPPORT_PART = 0.5
_KNEE_SHARE = SHANK_LENGTH / (SHANK_LENGTH + THIGH_LENGTH)  # of the way from ankle to hip


def sway(stance: NDArray[np.bool_], cycle_s: float, height_m: float) -> Array:
    """Distance of the centre of mass from the foot over half the step width, (T,) no unit: least at mid-stance, 1 when the other foot lands.

    Args:
        stance: (T,) bool, the foot is on the ground.
        cycle_s: duration of two steps, s.
        height_m: body height, m.
    """
    rate = np.sqrt(GRAVITY_M_S2 / (_CENTRE_OF_MASS * height_m))
    frames = np.arange(stance.size)
    middle = frames[stance].mean() if stance.any() else 0.0
    half_step = 0.25 * cycle_s
    since = np.minimum(np.abs(frames - middle) * cycle_s / (SAMPLES - 1), half_step)
    return np.asarray(np.cosh(rate * since) / np.cosh(rate * half_step))


def step_width_lever_arm_mm(step_width_m: float | None, sway_share: Array, height_m: float) -> Array:
    """Change of the frontal lever arm of the knee when the steps are `step_width_m` wide instead of the source's width, (T,) mm, lateral positive.

    At the knee's height z the line of force lies p s z / h inside the foot, the knee share x (p s - half hip spacing) inside it, with the
    share 0.501 of the way from ankle to hip. Steps wider by 2 dp therefore change the arm by dp s (z / h - share): almost nothing,
    because leg and force swing out together. Rigid geometry makes the moment depend on the hip spacing, not on the step width.

    Args:
        step_width_m: m, or None = the source's.
        sway_share: (T,) no unit, `sway`.
        height_m: body height, m.
    """
    if step_width_m is None:
        return np.zeros_like(sway_share)
    wider = 0.5 * (step_width_m - STEP_WIDTH_M * height_m / SOURCE_HEIGHT_M) * MM_PER_M
    knee_height = ANKLE_HEIGHT + SHANK_LENGTH
    return wider * sway_share * (knee_height / _CENTRE_OF_MASS - _KNEE_SHARE)


def hip_abduction_moment(straight_adduction: Array, vertical: Array, sway_share: Array, step_width_m: float | None, body_weight_n: float,
                         height_m: float) -> Array:
    """Internal hip abduction moment, (T,) N mm: what the abductors of the loaded hip balance.

    From the knee up to the hip the line of force falls away from the leg by the hip's lateral distance from the knee and by its own slope:

        hip = knee adduction + Fy [hip half spacing x (1 - share) - p s (1 - share - thigh / h)] - leg weight x its distance from the hip

    Args:
        straight_adduction: (T,) N mm, external knee adduction moment without the person's alignment (it moves the knee, not the hip).
        vertical: (T,) N, ground reaction.
        sway_share: (T,) no unit, `sway`.
        step_width_m: m, or None = the source's.
        body_weight_n: N.
        height_m: body height, m.
    """
    height = height_m * MM_PER_M
    half_width = 0.5 * MM_PER_M * (STEP_WIDTH_M * height_m / SOURCE_HEIGHT_M if step_width_m is None else step_width_m)
    half_spacing = 0.5 * HIP_SPACING * height
    from_knee = half_spacing * (1.0 - _KNEE_SHARE) - half_width * sway_share * (1.0 - _KNEE_SHARE - THIGH_LENGTH / _CENTRE_OF_MASS)
    leg_arm = _LEG_CENTRE * (half_spacing - half_width * sway_share)
    leg = LEG_MASS * body_weight_n * leg_arm * np.clip(vertical / body_weight_n, 0.0, 1.0)
    return np.where(vertical > 0.0, straight_adduction + vertical * from_knee - leg, 0.0)


def lean_shift_mm(angle_deg: float, height_m: float) -> float:
    """How far the body's centre of mass comes towards the loaded leg when head, arms and trunk lean by `angle_deg` about the hips, mm:
    their share of the mass x height of their centre above the hips x sin(angle).

    Feet and steps stay. Whether the pelvis stays as well or gives way by q to the other side hardly matters for the knee: the line of force then
    moves by q z / h at the knee's height and the knee by share x q (see `step_width_lever_arm_mm`), which is the same to 1 % of q. Nor does the inertia of a
    swaying trunk: a lean that comes and goes with the steps is 0.6 of its largest at the peaks of the moment, and the moment which turns
    the trunk back (radius of gyration 0.496 of 0.288 of height, Winter 2009) moves the line by 0.6 of this shift on top.
    """
    return float(_TRUNK_MASS * _TRUNK_CENTRE * np.sin(angle_deg * DEG) * height_m * MM_PER_M)


def wedge_shift_mm(tilt_deg: float, height_m: float) -> float:
    """How far the centre of pressure comes lateral to the ankle on ground that is tilted by `tilt_deg`, lateral edge up, mm.

    The foot turns with the ground and the middle of its sole swings out under the ankle by ankle height x sin(tilt); of the tilt `_TILT_OF_FOOT` reaches the foot.
    """
    return float(ANKLE_HEIGHT * height_m * MM_PER_M * np.sin(_TILT_OF_FOOT * tilt_deg * DEG))


def support_shift_mm(hands: Array, beside_mm: float, foot: Array, sway_share: Array, step_width_m: float | None, height_m: float) -> Array:
    """How far from the body's centre of mass, lateral positive, the foot's force passes when the hands push on the ground, (T,) mm at the height of that centre.

    Moments about the centre of mass: foot x shift + hands x (stick - centre of mass) = 0, with lateral distances; the foot's line takes `_SUPPORT_PART` of it.

    Args:
        hands: (T,) N or body weights, vertical force of the hands.
        beside_mm: where the stick stands, mm from the middle of the body, positive on the side of the loaded leg.
        foot: (T,) unit of `hands`, vertical force of the foot.
        sway_share: (T,) no unit, `sway`.
        step_width_m: m, or None = the source's.
        height_m: body height, m.
    """
    half_width = 0.5 * MM_PER_M * (STEP_WIDTH_M * height_m / SOURCE_HEIGHT_M if step_width_m is None else step_width_m)
    centre = half_width * (1.0 - sway_share)
    return np.asarray(-_SUPPORT_PART * hands * (beside_mm - centre) / foot)


def line_shift_mm(joint: str, pressure_mm: float, centre_mm: Array) -> Array:
    """How far the line of force moves, (T,) mm, lateral positive, at the height of the "knee" or the "hip" when its foot moves by `pressure_mm` and its
    point at the height of the centre of mass by `centre_mm`, (T,) mm: a straight line through both."""
    part = (ANKLE_HEIGHT + SHANK_LENGTH if joint == "knee" else HIP_HEIGHT) / _CENTRE_OF_MASS
    return np.asarray(pressure_mm * (1.0 - part) + centre_mm * part)
