"""A valgus (off-loader) brace as a spring in the frontal plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import check_range
from kneeload.units import NMM_PER_NM

STIFFNESS_NM_PER_DEG = 1.1
"""Valgus moment per degree of setting, N m: 0.053 N m/kg x 83 kg = 4.4 N m at 4 degrees (Schmalz 2010, 10.1682/JRRD.2009.05.0067)."""

FULL_LOAD_BW = 0.5  # net axial force, body weights, from which the brace gives its whole moment (assumption, range 0.3 to 0.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brace:
    """A three-point-bending orthosis set to a valgus angle.

    It is a spring, so its moment is in proportion to the angle and does not depend on the wearer's mass. It acts while the leg bears
    load: as the leg settles into the brace the moment rises to its full size at half a body weight (assumption); a hanging leg gives the
    pads no counterforce. Its lever along the flexed leg shortens with the cosine of flexion (assumption: the pads push at right
    angles to the thigh, and the moment about the fore-aft axis of the tibia is that share of it).

    Attributes:
        valgus_deg: setting, degrees, 0 to 12.
        hours_per_day: hours of wear (used by the daily dose, not here).
    """

    valgus_deg: float = 4.0
    hours_per_day: float = 8.0

    def __post_init__(self) -> None:
        check_range("brace angle", self.valgus_deg, 0.0, 12.0, "degrees", where="intervention.unloader_brace.valgus_deg",
                    why="off-loader braces are set between 0 and 12 degrees of valgus")
        check_range("hours of wear", self.hours_per_day, 0.0, 24.0, "hours", where="intervention.unloader_brace.hours_per_day",
                    why="a day has 24 hours")

    @property
    def full_moment_nm(self) -> float:
        """Valgus moment on the straight, loaded leg, N m."""
        return STIFFNESS_NM_PER_DEG * self.valgus_deg

    def moment(self, knee_flexion: NDArray[np.float64], net_axial_force: NDArray[np.float64], body_weight_n: float) -> NDArray[np.float64]:
        """Valgus moment on the leg (it is subtracted from the external adduction moment), (T,) N mm.

        Args:
            knee_flexion: (T,) rad.
            net_axial_force: (T,) N, compression positive.
            body_weight_n: N.
        """
        loaded = np.clip(net_axial_force / (FULL_LOAD_BW * body_weight_n), 0.0, 1.0)
        return self.full_moment_nm * NMM_PER_NM * loaded * np.maximum(np.cos(knee_flexion), 0.0)
