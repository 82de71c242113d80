"""A course told at the dates that people ask about: half a year, a year, two years. Plausibility with intervals, never a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.errors import InputError
from kneeload.lesion.course import LesionCourse
from kneeload.lesion.course_model import WEEKS_PER_YEAR
from kneeload.lesion.measured import COUNT
from kneeload.subject.anatomy import MOAKS_REGIONS

MONTHS = (6, 12, 24)
_OF_A_LESION = ("volume_mm3", "volume_low_mm3", "volume_high_mm3", "resolved", "smaller", "larger")


def new_lesion_risk(hazards_per_year: Sequence[ArrayLike], weeks: Sequence[float], present: ArrayLike | None = None) -> list[dict[str, float]]:
    """Return for each of `MONTHS` the plausibility of at least one new lesion in the knee: {"months", "risk", "risk_low", "risk_high"}, 0 to 1.

    Median and 95 % interval over the draws of 1 - exp(-cumulative hazard of all regions), so that what regions share is not counted as independent.

    Args:
        hazards_per_year: one (S, 15) 1/year per period, from `kneeload.lesion.hazard.region_hazard`.
        weeks: length of each period, weeks; the last one goes on.
        present: (15,) bool; regions that have a lesion now, where none is new.

    Raises:
        InputError: no periods, or hazards that are not (S, 15) numbers from 0 up.
    """
    hazards = [np.asarray(item, dtype=np.float64) for item in hazards_per_year]
    ok = all(item.ndim == 2 and item.shape[1] == COUNT and len(item) and np.isfinite(item).all() and (item >= 0.0).all() for item in hazards)
    if not hazards or len(hazards) != len(weeks) or not ok:
        raise InputError("hazard", where="hazards_per_year", got=[item.shape for item in hazards], allowed=f"one (draws, {COUNT}) array from 0 per year up per period",
                         why="each draw has one per region")
    free = np.ones(COUNT, dtype=bool) if present is None else ~np.asarray(present, dtype=bool)
    whole, ends = np.array([item[:, free].sum(axis=1) for item in hazards]), np.cumsum([*weeks[:-1], np.inf])
    starts, out = np.concatenate([[0.0], ends[:-1]]), []
    for months in MONTHS:
        lived = np.clip(WEEKS_PER_YEAR * months / 12.0 - starts, 0.0, ends - starts) / WEEKS_PER_YEAR
        low, middle, high = np.quantile(-np.expm1(-lived @ whole), (0.025, 0.5, 0.975))
        out.append({"months": months, "risk": float(middle), "risk_low": float(low), "risk_high": float(high)})
    return out


def lesion_dates(course: LesionCourse) -> list[dict[str, Any]]:
    """Return for each of `MONTHS` within the course what may have become of the lesions of the start; empty where there were none.

    Each entry is {"months", "weeks", "lesions": {region: {volume_mm3, volume_low_mm3, volume_high_mm3, resolved, smaller, larger}}}, as in `LesionCourse`,
    linear between its dates.
    """
    there = np.flatnonzero(np.isfinite(course.resolved[0]))
    if not there.size:
        return []
    out = []
    for months in MONTHS:
        week = WEEKS_PER_YEAR * months / 12.0
        if week <= course.weeks[-1] + 1.0:  # 104 weeks count as two years
            out.append({"months": months, "weeks": week, "lesions": {MOAKS_REGIONS[i]: {name: _at(course, name, int(i), week) for name in _OF_A_LESION} for i in there}})
    return out


def _at(course: LesionCourse, name: str, region: int, week: float) -> float:
    values: NDArray[np.float64] = getattr(course, name)[:, region]
    return float(np.interp(week, course.weeks, values))
