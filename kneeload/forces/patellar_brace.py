"""A patellar brace: a strap of constant tension that draws the patella medially and presses it into its groove."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import check_range

Array = NDArray[np.float64]
STRAP_LENGTH_MM = 80.0  # free strap from the patella to where it leaves the side of the thigh (assumption: a quarter of the girth; range 50 to 120 mm)
RESPONSE_SD = 0.3  # between-person SD of the strap's force over its mean, no unit: assumption (straps are drawn by feel), range 0.2 to 0.5
MEDIAL_LIMIT_N = 25.0
"""Largest medial pull, N: in an extended knee with slack quadriceps 30 N draw the patella of this model more than 10 mm off its usual place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatellarBrace:
    """A realigning brace behind and around the patella.

    The strap is elastic and long against what the patella moves, so its tension stays the same. It pulls through the middle of the patella, medially and
    backwards, in the patella's own directions, since the brace turns with it as the knee bends (assumption).

    No study that reports the tension of such a strap was found. What is measured is its effect: in 19 people the patella moved 0.46 mm medially under 15 %
    of body weight (McWalter 2011, doi 10.1016/j.joca.2011.03.003). The default of 10 N each way (equal parts: a strap that leaves the patella at 45
    degrees, assumption) moves the patella of the default knee by as much, mean over holds from 0 to 60 degrees with that weight; range 5 to 20 N. So this
    shift is no prediction, while tilt (measured 1.2 degrees) and contact area (+21 and +24 % in 15 women with patellofemoral pain, Powers 2004,
    Med Sci Sports Exerc 36:1226) are.

    Attributes:
        medial_force_n: pull towards the medial side, N, 0 to `MEDIAL_LIMIT_N`.
        compression_force_n: push towards the femur, N.
        hours_per_day: hours of wear while awake.
        response_sd: between-person standard deviation of both forces over their mean, no unit.
        response_z: this wearer in those standard deviations from the mean.
    """

    medial_force_n: float = 10.0
    compression_force_n: float = 10.0
    hours_per_day: float = 8.0
    response_sd: float = RESPONSE_SD
    response_z: float = 0.0

    def __post_init__(self) -> None:
        check_range("medial force of the patellar brace", self.medial_force_n, 0.0, MEDIAL_LIMIT_N, "N", where="intervention.patellar_brace.medial_force_n",
                    why="more draws a relaxed patella off its groove")
        check_range("compression of the patellar brace", self.compression_force_n, 0.0, 100.0, "N", where="intervention.patellar_brace.compression_force_n",
                    why="skin does not bear more for hours")
        check_range("hours of wear", self.hours_per_day, 0.0, 24.0, "hours", where="intervention.patellar_brace.hours_per_day", why="a day has 24 hours")
        check_range("spread of the response", self.response_sd, 0.0, 2.0, "", where="patellar_brace.response_sd", why="it is relative to the mean")
        check_range("response", self.response_z, -5.0, 5.0, "", where="patellar_brace.response_z", why="nobody lies further from the mean")

    @property
    def pull_n(self) -> Array:
        """Force on the patella in its usual pose, (3,) N, patella frame of a right knee: backwards and medially."""
        response = max(1.0 + self.response_sd * self.response_z, 0.0)
        return np.array([-self.compression_force_n * response, 0.0, -min(self.medial_force_n * response, MEDIAL_LIMIT_N)])

    def pull(self, turn: Array) -> Array:
        """Force on the patella in its usual pose, (T, 3) N, femur frame; turn (T,) rad: rotation of the patella about z."""
        x, _, z = self.pull_n
        return np.column_stack([x * np.cos(turn), x * np.sin(turn), np.full(len(turn), z)])
