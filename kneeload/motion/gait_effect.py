"""How changes of gait act on a cycle: lever arms, the foot's share of the load, knee flexion, speed. Amounts of several changes add up.

Everything is geometry and equilibrium of the amounts in `gait.GaitChange`; nothing here knows an intervention's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError, check_range
from kneeload.motion.frontal import STEP_WIDTH_M, lean_shift_mm, line_shift_mm, support_shift_mm, wedge_shift_mm
from kneeload.motion.gait import STICK_BESIDE_PCT_HEIGHT, GaitChange
from kneeload.motion.limb import knee_ahead_mm
from kneeload.motion.waveforms import SOURCE_HEIGHT_M
from kneeload.units import DEG, MM_PER_M

Array = NDArray[np.float64]

EARLY_STANCE, LATE_STANCE = 0.25, 0.75  # fractions of stance of the two peaks of the adduction moment (16 and 45 % of a cycle with 61 % stance)
# A lean or a knee brought in is taken up and given back while both feet stand: fraction of stance at each end. Assumption, range 0.10 to 0.20 (double
# support is a tenth of the cycle, stance six tenths).
_BOTH_FEET = 0.15
# A knee that is kept more bent straightens to its usual swing from this fraction of stance on, and bends again over the last of the swing. Assumption.
_BENT_UNTIL, _BENT_AGAIN = 0.80, 0.60
_LEAST_FOOT_BW = 0.05  # below this force of the foot no share is formed; the hands carry nothing there
# How far a bent leg can be turned inwards about the line from hip to ankle. Assumption, range 15 to 35 degrees (inward rotation of the hip).
_MOST_INWARD_DEG = 25.0
_SIDES = {"other": -1.0, "same": 1.0}
_NOT_ON_A_RECORDING = {"speed_change_pct": "walking speed", "cadence_change_pct": "cadence", "step_width_change_m": "step width"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GaitEffect:
    """What changes of gait do over one cycle.

    Attributes:
        knee_arm: (T,) mm, change of the knee's lever arm in the frontal plane, lateral positive.
        hip_arm: (T,) mm, the same of the hip's.
        foot_share: (T,) no unit, what the foot still carries of its force (the hands carry the rest).
        flexion: (T,) degrees, change of the knee flexion.
        forward: (T,) mm, how far the knee comes forward against the line of force by it.
    """

    knee_arm: Array
    hip_arm: Array
    foot_share: Array
    flexion: Array
    forward: Array


def gait_effect(changes: Sequence[GaitChange], *, stance: NDArray[np.bool_], flexion_deg: Array, vertical_bw: Array, sway_share: Array,
                step_width_m: float | None, height_m: float) -> GaitEffect:
    """Return what `changes` do together.

    In the frontal plane the line of force runs from the centre of pressure past the body's centre of mass (`frontal`). A wedge moves its foot,
    a lean its top, and a stick turns it about the foot; the line at the height of knee and hip follows. The hands take a share of the
    force that grows and falls with sin^2 over stance (a cane's force peaks at 51 to 53 % of its contact: Hart 2019, doi
    10.1016/j.gaitpost.2018.09.021; the shape is an assumption, between sin and sin^2), so half of it at the two peaks of the adduction moment.

    Args:
        changes: none or more, in any order.
        stance: (T,) bool, the foot is on the ground.
        flexion_deg: (T,) degrees, knee flexion without them.
        vertical_bw: (T,) body weights, force of the foot without them.
        sway_share: (T,) no unit, `frontal.sway`.
        step_width_m: m, or None = the source's.
        height_m: body height, m.
    """
    phase = _phase(stance)
    hands = {side: _total(changes, "support_share", side) * np.where(stance, np.sin(np.pi * phase) ** 2, 0.0) for side in ("other", "same", "both")}
    before = np.maximum(vertical_bw, _LEAST_FOOT_BW)
    foot_share = np.clip(1.0 - sum(hands.values()) / before, 0.0, 1.0)
    turned = sum((support_shift_mm(hands[side], sign * STICK_BESIDE_PCT_HEIGHT / 100.0 * height_m * MM_PER_M, np.maximum(before * foot_share, _LEAST_FOOT_BW),
                                   sway_share, step_width_m, height_m) for side, sign in _SIDES.items()), np.zeros(stance.size))
    held = np.where(stance, 0.5 - 0.5 * np.cos(np.pi * np.clip(np.minimum(phase, 1.0 - phase) / _BOTH_FEET, 0.0, 1.0)), 0.0)
    centre = held * lean_shift_mm(_total(changes, "trunk_lean_deg"), height_m) + turned
    pressure = wedge_shift_mm(_total(changes, "foot_tilt_deg"), height_m)
    bent = _total(changes, "flexion_deg") * _bent(stance, phase)
    ahead = knee_ahead_mm((flexion_deg + bent) * DEG, height_m)
    furthest = np.sin(_MOST_INWARD_DEG * DEG) * np.maximum(ahead, 0.0)
    knee = held * np.clip(_total(changes, "knee_shift_mm"), -furthest, furthest)
    measured = _measured_arm(changes, stance, phase, height_m)
    return GaitEffect(
        knee_arm=np.where(stance, measured - line_shift_mm("knee", pressure, centre) + knee, 0.0),
        hip_arm=np.where(stance, measured - line_shift_mm("hip", pressure, centre), 0.0),
        foot_share=foot_share, flexion=bent, forward=np.where(stance, ahead - knee_ahead_mm(flexion_deg * DEG, height_m), 0.0),
    )


def standing_lever_arm(changes: Sequence[GaitChange], height_m: float) -> float:
    """Change of the knee's lever arm under a standing foot, mm, lateral positive: footwear acts there, the rest is a change of walking."""
    return -float(line_shift_mm("knee", wedge_shift_mm(_total(changes, "foot_tilt_deg"), height_m), np.zeros(1))[0])


def changed_speed(changes: Sequence[GaitChange], speed_m_s: float) -> float:
    """Walking speed with all changes, m/s.

    Raises:
        InputError: they leave the range in which people walk.
    """
    if not any(change.speed_change_pct for change in changes):
        return speed_m_s
    return check_range("walking speed after its changes", float(speed_m_s * _factor(changes, "speed_change_pct")), 0.4, 2.2, "m/s", where="intervention.walking_speed",
                       why="beyond it people stand or run")


def cadence_factor(changes: Sequence[GaitChange]) -> float:
    """Steps per minute over those natural at the speed, no unit."""
    return _factor(changes, "cadence_change_pct")


def changed_step_width(changes: Sequence[GaitChange], step_width_m: float | None, height_m: float) -> float | None:
    """Step width with all changes, m; None = the source's, unchanged.

    Raises:
        InputError: they leave the range in which people walk.
    """
    wider = _total(changes, "step_width_change_m")
    if wider == 0.0:
        return step_width_m
    usual = STEP_WIDTH_M * height_m / SOURCE_HEIGHT_M if step_width_m is None else step_width_m
    return check_range("step width after its changes", float(usual + wider), 0.0, 0.5, "m", where="intervention.step_width.change_m", why="the feet would cross, or be wider apart than anybody walks")


def check_recordable(changes: Sequence[GaitChange]) -> None:
    """Raise InputError for a change that cannot be made to strides that were walked already.

    Raises:
        InputError: speed, cadence or step width.
    """
    for field, what in _NOT_ON_A_RECORDING.items():
        for change in changes:
            if getattr(change, field):
                raise InputError(f"change of the {what}", where=f"intervention.{change.name}", got="on a recorded stride", allowed="activity=walking, or left out",
                                 why=f"the {what} of a recording is what it was")


def _total(changes: Sequence[GaitChange], field: str, side: str | None = None) -> float:
    return float(sum(change.amount(field) for change in changes if side is None or change.support_side == side))


def _factor(changes: Sequence[GaitChange], field: str) -> float:
    return float(np.prod([1.0 + change.amount(field) / 100.0 for change in changes]))


def _phase(stance: NDArray[np.bool_]) -> Array:
    """Fraction of stance that is over, (T,) no unit; 1 in swing."""
    return np.where(stance, (np.cumsum(stance) - 0.5) / max(int(stance.sum()), 1), 1.0)


def _bent(stance: NDArray[np.bool_], phase: Array) -> Array:
    """Part of the added flexion, (T,) no unit: all of it under load, none in the middle of the swing."""
    swing = (np.cumsum(~stance) - 0.5) / max(int((~stance).sum()), 1)
    straightening = 0.5 + 0.5 * np.cos(np.pi * np.clip((phase - _BENT_UNTIL) / (1.0 - _BENT_UNTIL), 0.0, 1.0))
    bending = 0.5 - 0.5 * np.cos(np.pi * np.clip((swing - _BENT_AGAIN) / (1.0 - _BENT_AGAIN), 0.0, 1.0))
    return np.where(stance, straightening, bending)


def _measured_arm(changes: Sequence[GaitChange], stance: NDArray[np.bool_], phase: Array, height_m: float) -> Array:
    """Lever arm of the changes that are known by their effect only, (T,) mm."""
    early, late = (_total(changes, f"{part}_lever_arm_pct_height") * height_m * MM_PER_M / 100.0 for part in ("early", "late"))
    blend = np.clip((phase - EARLY_STANCE) / (LATE_STANCE - EARLY_STANCE), 0.0, 1.0)
    return np.where(stance, early + (late - early) * 0.5 * (1.0 - np.cos(np.pi * blend)), 0.0)
