"""What kind of lesion a region has, and the odds of pain that go with it in people. An association, never a diagnosis.

Bunkyo cohort (1,145 people, mean 72.9 years, doi 10.1186/s13075-025-03644-2): odds ratio of pain 1.32 (0.95 to 1.83) with a lesion alone,
2.22 with a lesion and attrition, 1.79 with a lesion and a cyst; a cartilage lesion without change of the bone was not related to pain. All three
are known from an article about the study; for the last two no interval is given. Theirs is taken here twice as wide (on the logarithm) as that of
the lesion alone, since those groups are smaller: an assumption.

Dose response (Zhang 2011, PMC3056156, 570 people, 651 knees): odds ratio of frequent pain 1.2, 1.2, 1.5, 2.2, 2.4, 2.5 for a sum of scores of 1, 2, 3, 4, 5-6,
7-18 against 0; trend p = 0.006, no intervals read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.errors import InputError
from kneeload.lesion.measured import COUNT, MeasuredLesions
from kneeload.subject.anatomy import MOAKS_REGIONS

KINDS = ("none", "lesion", "lesion_cyst", "lesion_attrition", "lesion_attrition_cyst")
_ALONE = (0.95, 1.32, 1.83)
_HALF_WIDTH = 0.5 * math.log(_ALONE[2] / _ALONE[0])


def _widened(odds: float) -> tuple[float, float, float]:
    return odds * math.exp(-2.0 * _HALF_WIDTH), odds, odds * math.exp(2.0 * _HALF_WIDTH)


# Low, estimate, high of the odds ratio of pain against no lesion. With both attrition and cyst no figure exists: the larger of the two, same width.
PAIN_ODDS: dict[str, tuple[float, float, float]] = {
    "none": (1.0, 1.0, 1.0), "lesion": _ALONE, "lesion_cyst": _widened(1.79), "lesion_attrition": _widened(2.22), "lesion_attrition_cyst": _widened(2.22),
}
# Largest sum of scores of each step and its odds ratio of frequent pain.
DOSE_RESPONSE: tuple[tuple[int, float], ...] = ((0, 1.0), (1, 1.2), (2, 1.2), (3, 1.5), (4, 2.2), (6, 2.4), (45, 2.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Phenotype:
    """The lesions of a knee in words and odds.

    Attributes:
        kinds: per region with a lesion, one of `KINDS`.
        worst: the kind with the highest odds anywhere in the knee.
        odds, odds_low, odds_high: odds ratio of pain of that kind against no lesion, with an interval (widened where none is published).
        score_sum: sum of the MOAKS sizes over the knee.
        score_odds: odds ratio of frequent pain of that sum against 0, no interval published.
    """

    kinds: dict[str, str]
    worst: str
    odds: float
    odds_low: float
    odds_high: float
    score_sum: int
    score_odds: float


def phenotype(measured: MeasuredLesions) -> Phenotype:
    """Return what kinds of lesion a knee has. Attrition and cysts count only where there is a lesion."""
    kinds = {MOAKS_REGIONS[k]: _kind(int(measured.attrition[k]), int(measured.cyst[k])) for k in np.flatnonzero(measured.present)}
    worst = max(kinds.values(), key=KINDS.index, default="none")
    low, odds, high = PAIN_ODDS[worst]
    total = int(measured.grade.sum())
    return Phenotype(kinds=kinds, worst=worst, odds=odds, odds_low=low, odds_high=high, score_sum=total, score_odds=float(dose_response(total)))


def _kind(attrition: int, cyst: int) -> str:
    return "lesion" + ("_attrition" if attrition else "") + ("_cyst" if cyst else "")


def dose_response(score_sum: ArrayLike) -> NDArray[np.float64]:
    """Return the odds ratio of frequent pain for sums of scores (...), no unit, by the published steps.

    Raises:
        InputError: a sum below 0 or above 45 (15 regions of at most 3).
    """
    total = np.asarray(score_sum, dtype=np.float64)
    if not (np.isfinite(total).all() and (total >= 0.0).all() and (total <= 3 * COUNT).all()):
        raise InputError("sum of scores", where="score_sum", got=total.tolist(), allowed=f"0 to {3 * COUNT}", why="15 regions have at most 3 each")
    upper = np.array([step for step, _ in DOSE_RESPONSE])
    return np.array([odds for _, odds in DOSE_RESPONSE])[np.searchsorted(upper, total)]
