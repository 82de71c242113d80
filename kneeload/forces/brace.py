"""An off-loader brace as a spring in the frontal plane, with straps, over the flexion of the knee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError, check_range
from kneeload.units import DEG, NMM_PER_NM

_MEASURED: tuple[tuple[int, float], ...] = ((16, 0.053 * 83.0), (11, 7.1))  # people and mean valgus moment, N m, of braces at a setting of about 4 degrees
STIFFNESS_NM_PER_DEG = sum(people * moment for people, moment in _MEASURED) / sum(people for people, _ in _MEASURED) / 4.0
"""Valgus moment per degree of setting, N m: 5.5 N m at 4 degrees, the mean over people of the two studies with instrumented braces that could be read:
0.053 N m/kg x 83 kg (16 people, Schmalz 2010, doi 10.1682/JRRD.2009.05.0067) and 7.1 N m (11 people, Pollo 2002, PubMed 12016084). Range 1.1 to 1.8."""

FULL_LOAD_BW = 0.5  # net axial force, body weights, from which the brace gives its whole moment (assumption, range 0.3 to 0.8)
THIGH_LEVER_MM, SHANK_LEVER_MM = 160.0, 160.0  # middle of the cuffs above and below the knee (assumption: frames of 35 to 45 cm; range 120 to 200 mm)
RESPONSE_SD = 0.5
"""Between-person standard deviation of the brace's moment over its mean, no unit. Assumption, range 0.3 to 0.8: the studies whose abstracts could be
read give means only. Their means differ by as much: 7.1 N m (Pollo 2002, PubMed 12016084) and 4.4 N m (Schmalz 2010) at a like setting, peak medial
force -0.1 to -0.3 body weights (Brandon 2019, doi 10.1016/j.knee.2019.04.006)."""

StiffnessCurve = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Brace:
    """A three-point-bending orthosis set to a valgus angle.

    It is a spring, so its moment is in proportion to the angle and does not depend on the wearer's mass. It acts while the leg bears
    load: as the leg settles into the brace the moment rises to its full size at half a body weight (assumption); a hanging leg gives the
    pads no counterforce. Its lever along the flexed leg shortens with the cosine of flexion (assumption: the pads push at right
    angles to the thigh, and the moment about the fore-aft axis of the tibia is that share of it).

    A strap tightened beyond the snug fit of the measured braces pulls the knee with a force F against the cuffs at the distances a above and b
    below it: the bending moment of a beam on two supports, F a b / (a + b). A brace that has slid down by m has its pad below the joint, and
    along the thigh the bending moment falls linearly from the pad to the cuff: the joint gets 1 - m / a of it.

    Attributes:
        valgus_deg: setting, degrees, -12 to 12; positive bends the leg towards valgus and relieves the medial side, negative (a brace for the
            lateral side) the mirror image (assumption: such a brace is the same frame turned round; its moment has not been found published).
        hours_per_day: hours of wear (used by the daily dose, not here).
        strap_force_n: pull of the straps at the knee beyond the snug fit of the measured braces, N, towards the side of the setting.
        migration_mm: distance that the brace has slid down the leg, mean over the time of wear, mm; functional braces slid by 0.25 to 11 mm in
            exercise (1998, Journal of Sport Rehabilitation, read at second hand: lermagazine.com, June 2012).
        stiffness_over_flexion: None (cosine), or pairs (flexion in degrees, share of the stiffness of the straight leg, no unit), flexion
            growing; between them straight lines, beyond them the ends.
        response_sd: between-person standard deviation of the moment over its mean, no unit (`RESPONSE_SD`).
        response_z: this wearer's response in those standard deviations from the mean; the moment never changes its sign.
    """

    valgus_deg: float = 4.0
    hours_per_day: float = 8.0
    strap_force_n: float = 0.0
    migration_mm: float = 0.0
    stiffness_over_flexion: StiffnessCurve | None = None
    response_sd: float = RESPONSE_SD
    response_z: float = 0.0

    def __post_init__(self) -> None:
        where = "intervention.unloader_brace."
        check_range("brace angle", self.valgus_deg, -12.0, 12.0, "degrees", where=where + "valgus_deg",
                    why="off-loader braces are set up to 12 degrees, negative for the lateral side")
        check_range("hours of wear", self.hours_per_day, 0.0, 24.0, "hours", where=where + "hours_per_day", why="a day has 24 hours")
        check_range("strap force", self.strap_force_n, 0.0, 150.0, "N", where=where + "strap_force_n", why="skin does not bear a tighter strap for hours")
        check_range("migration", self.migration_mm, 0.0, 80.0, "mm", where=where + "migration_mm", why="a brace that slides further is put on again")
        check_range("spread of the response", self.response_sd, 0.0, 2.0, "", where="brace.response_sd", why="it is relative to the mean")
        check_range("response", self.response_z, -5.0, 5.0, "", where="brace.response_z", why="nobody lies further from the mean")
        if self.stiffness_over_flexion is not None:
            object.__setattr__(self, "stiffness_over_flexion", stiffness_curve(self.stiffness_over_flexion, where + "stiffness_over_flexion"))

    @property
    def full_moment_nm(self) -> float:
        """Valgus moment on the straight, loaded leg, N m; negative for a varus setting."""
        side = -1.0 if self.valgus_deg < 0.0 else 1.0
        strap = self.strap_force_n * THIGH_LEVER_MM * SHANK_LEVER_MM / (THIGH_LEVER_MM + SHANK_LEVER_MM) / NMM_PER_NM
        left = 1.0 - self.migration_mm / THIGH_LEVER_MM
        return (STIFFNESS_NM_PER_DEG * self.valgus_deg + side * strap) * left * max(1.0 + self.response_sd * self.response_z, 0.0)

    def share_at(self, knee_flexion: NDArray[np.float64]) -> NDArray[np.float64]:
        """Stiffness over that of the straight leg at flexions (T,) rad; (T,) no unit."""
        if self.stiffness_over_flexion is None:
            return np.maximum(np.cos(knee_flexion), 0.0)
        flexion, share = np.array(self.stiffness_over_flexion).T
        return np.interp(knee_flexion, flexion * DEG, share)

    def moment(self, knee_flexion: NDArray[np.float64], net_axial_force: NDArray[np.float64], body_weight_n: float) -> NDArray[np.float64]:
        """Valgus moment on the leg (it is subtracted from the external adduction moment), (T,) N mm.

        Args:
            knee_flexion: (T,) rad.
            net_axial_force: (T,) N, compression positive.
            body_weight_n: N.
        """
        loaded = np.clip(net_axial_force / (FULL_LOAD_BW * body_weight_n), 0.0, 1.0)
        return self.full_moment_nm * NMM_PER_NM * loaded * self.share_at(knee_flexion)


def stiffness_curve(pairs: Sequence[Sequence[float]], where: str) -> StiffnessCurve:
    """Return pairs (flexion in degrees, share of the stiffness, no unit) as tuples of floats.

    Raises:
        InputError: no pairs of numbers, flexion that does not grow or lies outside -10 to 150 degrees, shares outside 0 to 2.
    """
    try:
        curve = tuple((float(flexion), float(share)) for flexion, share in pairs)
    except (TypeError, ValueError):
        curve = ()
    growing = all(a[0] < b[0] for a, b in zip(curve, curve[1:]))
    if not curve or not growing or not all(-10.0 <= flexion <= 150.0 and 0.0 <= share <= 2.0 for flexion, share in curve):
        raise InputError("stiffness over flexion", where=where, got=pairs, allowed="pairs [flexion in degrees, share from 0 to 2], flexion growing from -10 to 150",
                         why="it says how much of the brace's stiffness is left as the knee bends")
    return curve
