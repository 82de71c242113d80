"""A change of gait: it moves the knee centre relative to the ground reaction, or changes how much the knee is bent under load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import check_range

EARLY_STANCE, LATE_STANCE = 0.25, 0.75  # fractions of stance of the two peaks of the adduction moment (16 and 45 % of a cycle with 61 % stance)

# Vertical ground reaction at the two peaks of the adduction moment in walking at natural speed, body weights (Bovi 2011,
# doi 10.1016/j.gaitpost.2010.08.009: 1.05 at 15 %, 1.11 at 45 % of the cycle). They turn a published change of moment into a lever arm.
_FORCE_EARLY_BW, _FORCE_LATE_BW = 1.05, 1.11


@dataclass(frozen=True, slots=True, kw_only=True)
class GaitChange:
    """A change of gait.

    The lever arm is the frontal-plane distance of the knee centre, lateral positive, from the line of the ground reaction; more lever arm
    is more external adduction moment. It follows the first value until the first peak of the moment, the second value from the second
    peak on, and a half cosine in between.

    Attributes:
        name: what the person does ("toe_in").
        early_lever_arm_pct_height: change of the lever arm in early stance, % of body height.
        late_lever_arm_pct_height: the same in late stance.
        extension_moment_scale: factor on the internal knee extension moment (no unit).
        first_peak_kam_sd_pct_bw_ht: between-person standard deviation of the change of the first peak, % of body weight x height, or None.
    """

    name: str
    early_lever_arm_pct_height: float = 0.0
    late_lever_arm_pct_height: float = 0.0
    extension_moment_scale: float = 1.0
    first_peak_kam_sd_pct_bw_ht: float | None = None

    def __post_init__(self) -> None:
        for stance in ("early", "late"):
            check_range(f"change of the {stance}-stance lever arm", getattr(self, f"{stance}_lever_arm_pct_height"), -5.0, 5.0, "% of body height",
                        where=f"gait_change.{stance}_lever_arm_pct_height", why="the knee does not move further from the ground reaction")
        check_range("scale of the extension moment", self.extension_moment_scale, 0.0, 3.0, "", where="gait_change.extension_moment_scale",
                    why="trained changes of gait stay below it")

    def lever_arm(self, stance: NDArray[np.bool_], height_mm: float) -> NDArray[np.float64]:
        """Change of the lever arm over a cycle.

        Args:
            stance: (T,) bool, the foot is on the ground.
            height_mm: body height, mm.

        Returns:
            (T,) mm, 0 in swing.
        """
        early, late = (pct * height_mm / 100.0 for pct in (self.early_lever_arm_pct_height, self.late_lever_arm_pct_height))
        phase = (np.cumsum(stance) - 0.5) / max(int(stance.sum()), 1)
        blend = np.clip((phase - EARLY_STANCE) / (LATE_STANCE - EARLY_STANCE), 0.0, 1.0)
        return np.where(stance, early + (late - early) * 0.5 * (1.0 - np.cos(np.pi * blend)), 0.0)


def toe_in(angle_deg: float) -> GaitChange:
    """Toes turned inward by `angle_deg` (0 to 25 degrees): the centre of pressure moves outward early in stance and inward late.

    First peak of the adduction moment: -0.199 (SD 0.292) % of body weight x height per 10 degrees, 107 people with medial osteoarthritis
    (Uhlrich 2022, PMC9889103; 83 of the 107 had a lower peak). Second peak: the pooled effects of toe-in are -0.51 standard
    deviations on the first and +0.44 on the second peak (Silva 2022, doi 10.1371/journal.pone.0274874); with the deviations of the
    two peaks of Bovi 2011 (0.13 and 0.12 N m/kg) the second peak rises by 0.80 of the fall of the first. Range of that factor, from the
    confidence limits: 0.05 to 3. Linear in the angle (assumption: measured at 10 degrees).
    """
    angle = check_range("toe-in angle", angle_deg, 0.0, 25.0, "degrees", where="intervention.toe_in.angle_deg",
                        why="people cannot keep a larger angle in walking")
    first_peak = -0.199 * angle / 10.0
    second_peak = -first_peak * (0.44 / 0.51) * (0.12 / 0.13)
    return GaitChange(
        name="toe_in", early_lever_arm_pct_height=first_peak / _FORCE_EARLY_BW, late_lever_arm_pct_height=second_peak / _FORCE_LATE_BW,
        first_peak_kam_sd_pct_bw_ht=0.292 * angle / 10.0,
    )


def gait_lever_arm(gait_changes: Sequence[GaitChange], stance: NDArray[np.bool_], height_mm: float) -> NDArray[np.float64]:
    """Sum of the lever arms of all gait changes, (T,) mm."""
    total = np.zeros(stance.size)
    for change in gait_changes:
        total += change.lever_arm(stance, height_mm)
    return total


def extension_scale(gait_changes: Sequence[GaitChange]) -> float:
    """Product of the factors on the extension moment, no unit."""
    return float(np.prod([change.extension_moment_scale for change in gait_changes]))
