"""Settings of the course of lesions over weeks to years, each a range that is sampled, and their draws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError, check_range
from kneeload.lesion.draws import draws
from kneeload.lesion.model import LesionModel
from kneeload.lesion.scores import share_band

Array = NDArray[np.float64]
Interval = tuple[float, float]
WEEKS_PER_YEAR = 365.25 / 7.0
NEW_GRADE_WEIGHTS = (10.7, 4.3, 1.8)  # grades 1, 2, 3 in per cent of adults of 31 to 41 years (doi 10.1186/s13075-016-0938-9)
LONGEST_DECAY = 0.8  # at most this part of a lesion's mean life is spent in its final decline


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseModel:
    """Ranges of the two-state model; each is drawn once per possible world, uniformly (`slow_weeks` and `visible_mm3`: their logarithm).

    Attributes:
        fast_weeks: time constant of the reversible oedema, weeks. Change at 12 weeks is similar to that at 6 (Felson 2012, PMC3526790), so that it is
            shorter than 6 weeks; below one week it could not be told from day-to-day scatter. Assumption within these bounds.
        slow_weeks: time constant of remodelled bone, weeks: 4.5 to 7.8 months, the fall of traumatic lesions between 0, 3 and 9 months
            (doi 10.2214/AJR.07.2276). It was longer with osteoarthritis and age there, by how much is not known.
        fluid_share: part of a lesion in balance that is reversible oedema, no unit. Of lesions in removed plateaus 59 % showed on
            fluid-sensitive images only and 41 % also on T1 images, which fluid alone does not change (PMC4766616); in people without pain 26 and 74 % (doi 10.1186/s13075-015-0780-5). The spread is an assumption.
        flare_sd: standard deviation of the logarithm of the oedema's fluctuation from day-to-day load and inflammation, no unit. Calibrated
            (`kneeload.lesion.volatility`) on one source, Felson 2012: more than 50 % change of volume at 6 or 12 weeks in 63.3 % (axial view,
            upper end) or 48.7 % (sagittal view, lower end) of knees, half up and half down.
        reading_sd: standard deviation of the logarithm of a volume reading, no unit; from the same source: 40.8 % of knees beyond the limits of
            agreement at 6 weeks. Changes count as larger or smaller beyond 1.96 sqrt(2) of it.
        shared_flare: part of the variance of the fluctuation that all regions of a knee share, no unit. Assumption, range 0 to 1.
        load_exponent: power of the relative stimulus with which the size in balance rises, no unit. Assumption.
        visible_mm3: volume below which a reader sees no lesion, mm3: on two adjacent slices of 3 mm, 2.6 to 5.2 mm across. Assumption.
        seed: of the draws and of the fluctuations.
    """

    fast_weeks: Interval = (1.0, 6.0)
    slow_weeks: Interval = (19.6, 33.9)
    fluid_share: Interval = (0.4, 1.0)
    flare_sd: Interval = (0.56, 0.78)
    reading_sd: Interval = (0.15, 0.20)
    shared_flare: float = 0.5
    load_exponent: Interval = (0.5, 2.0)
    visible_mm3: Interval = (40.0, 160.0)
    seed: int = 20261

    def __post_init__(self) -> None:
        for name, low, high in (("fast_weeks", 0.1, 52.0), ("slow_weeks", 1.0, 1000.0), ("fluid_share", 0.0, 1.0), ("flare_sd", 0.0, 3.0), ("reading_sd", 0.0, 2.0),
                                ("load_exponent", 0.0, 8.0), ("visible_mm3", 0.01, 1000.0)):
            ends = tuple(getattr(self, name))
            object.__setattr__(self, name, ends)
            if not (len(ends) == 2 and all(math.isfinite(x) for x in ends) and low <= ends[0] <= ends[1] <= high):
                raise InputError(name.replace("_", " "), where=f"course.{name}", got=ends, allowed=f"two numbers in order, from {low:g} to {high:g}",
                                 why="it is a range that is sampled")
        check_range("shared flare", self.shared_flare, 0.0, 1.0, "", where="course.shared_flare", why="it is a part of a variance")
        check_range("seed", self.seed, 0, 2**63, "", where="course.seed", why="it starts the random numbers")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CourseDraws:
    """S draws of the parameters.

    Attributes:
        fast_weeks, slow_weeks: (S, 1) number of weeks.
        fluid_share, flare_sd, load_exponent: (S, 1) no unit.
        change_limit: (S, 1) no unit; logarithm of the change of volume beyond which it counts as larger or smaller.
        visible_mm3: (S, 1) mm3.
        resolution: (S, 1) 1/year; hazard of complete resolution, from the lesion model.
        unloading: (S, 1) no unit; part of the effect of less load, 0 in some worlds, from the lesion model.
    """

    fast_weeks: Array
    slow_weeks: Array
    fluid_share: Array
    flare_sd: Array
    load_exponent: Array
    change_limit: Array
    visible_mm3: Array
    resolution: Array
    unloading: Array


@lru_cache(maxsize=8)
def course_draws(model: LesionModel, course: CourseModel) -> CourseDraws:
    """Return the draws; the same models give the same draws. Resolution and unloading are those of the lesion model (common random numbers)."""
    base, u = draws(model), np.random.default_rng([course.seed, model.seed, 1]).random((7, model.samples, 1))

    def flat(ends: Interval, k: int) -> Array:
        return ends[0] + (ends[1] - ends[0]) * u[k]

    def even(ends: Interval, k: int) -> Array:
        out: Array = ends[0] * (ends[1] / ends[0]) ** u[k]
        return out

    result = CourseDraws(
        fast_weeks=flat(course.fast_weeks, 0), slow_weeks=even(course.slow_weeks, 1), fluid_share=flat(course.fluid_share, 2), flare_sd=flat(course.flare_sd, 3),
        load_exponent=flat(course.load_exponent, 4), change_limit=1.96 * math.sqrt(2.0) * flat(course.reading_sd, 5), visible_mm3=even(course.visible_mm3, 6),
        resolution=base.resolution[:, None], unloading=base.unloading[:, None],
    )
    for name in CourseDraws.__slots__:
        getattr(result, name).setflags(write=False)
    return result


def new_sizes(uniform: Array, region_volume_mm3: Array) -> Array:
    """Return (S, 15) mm3: size in balance of a lesion that is born, from uniform (2, S, 15): grade by its published frequency, any share of its band."""
    edges = np.cumsum(NEW_GRADE_WEIGHTS) / np.sum(NEW_GRADE_WEIGHTS)
    band = np.array([share_band(k) for k in (1, 2, 3)])[np.minimum(np.searchsorted(edges, uniform[0]), 2)]
    out: Array = (band[..., 0] + (band[..., 1] - band[..., 0]) * uniform[1]) * region_volume_mm3
    return out

