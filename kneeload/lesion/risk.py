"""What the lesion room hands on: plausibility of a bone marrow lesion per region, never a diagnosis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LesionRisk:
    """Risk of a new bone marrow lesion in each of the 15 MOAKS regions within 24 months, and within a horizon of one's own.

    Attributes:
        risk_24mo, risk_24mo_low, risk_24mo_high: (15,) no unit, 0 to 1; median and 95 % interval of parameter uncertainty.
        relative_risk: (15,) no unit; against the same person's region under the reference load.
        grade: (15,) no unit; 0-3 share of the region that is above the stress stimulus level, cut at 0, 33 and 66 % (as MOAKS sizes).
        horizon_years: years of `risk` (`LesionModel.horizon_years`).
        risk, risk_low, risk_high: (15,) no unit, 0 to 1; the same within `horizon_years`: those of 24 months where that is 2.
    """

    risk_24mo: NDArray[np.float64]
    risk_24mo_low: NDArray[np.float64]
    risk_24mo_high: NDArray[np.float64]
    relative_risk: NDArray[np.float64]
    grade: NDArray[np.int8]
    horizon_years: float
    risk: NDArray[np.float64]
    risk_low: NDArray[np.float64]
    risk_high: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PainIndex:
    """Load-related pain of one activity relative to the reference person, with an interval; no unit, 1 = as reference."""

    relative: float
    low: float
    high: float
