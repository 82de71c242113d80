"""The course of lesions over weeks to years: reversible oedema and remodelled bone, driven by the load of each period.

For each region, with volumes in mm3 and the load factor w of a period:

    dF/dt = (share K w - F) / fast        oedema
    dM/dt = ((1 - share) K w - M) / slow  remodelled bone
    volume = min(n F + M, region)         n: fluctuation of mean 1, an exponential of an Ornstein-Uhlenbeck process with time constant `fast`

K is the size in balance at the present load. Both equations are linear with constant right sides between the borders of periods and the events of
a lesion, so they are solved exactly; the length of a step has no influence. Events: a lesion is born with the hazard of its region and begins to
heal (right sides zero) with a constant hazard; healing ends, for a reader, when the volume falls below what is visible. The hazard of
healing is set so that births and ends are as far apart as the published hazard of complete resolution says: if a lesion's decline takes D
years and its resolution hazard is h, healing begins with h / (1 - h D), and the part h D of lesions found on a first image is in decline.

w = (stimulus / present stimulus) ** exponent; less load acts with a part of the exponent that may be zero (`LesionModel.unloading_none`).
Plausibility with intervals, never a prediction for one person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.errors import InputError, check_range
from kneeload.lesion.course_model import LONGEST_DECAY, WEEKS_PER_YEAR, CourseDraws, CourseModel, course_draws, new_sizes
from kneeload.lesion.measured import COUNT, MeasuredLesions, region_sizes, starting_volumes
from kneeload.lesion.model import LesionModel
from kneeload.lesion.modifiers import Modifier, remaining

Array = NDArray[np.float64]
WAKING_HOURS = 16.0  # hours of a day in which a knee is used (assumption, 14 to 17), as in `kneeload.simulate`
LARGEST_STIMULUS = 10.0
MOST_WEEKS = 2600.0  # 50 years
_REDRAWS = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Period:
    """Some weeks with the same habits.

    Attributes:
        weeks: length, weeks.
        relative_stimulus: (15,) no unit; daily stress stimulus of each region over the present one (1 = as now).
        worn_hours_per_day: hours of the waking day with a device, hours.
        worn_relative_stimulus: (15,) no unit; the same with the device on, None without a device.
        stimulus_exponent: of the power mean over the day, no unit; that of the bone's daily stimulus (Carter 1987), 4.
    """

    weeks: float
    relative_stimulus: Array
    worn_hours_per_day: float = 0.0
    worn_relative_stimulus: Array | None = None
    stimulus_exponent: float = 4.0

    def __post_init__(self) -> None:
        check_range("weeks of a period", self.weeks, 1e-3, MOST_WEEKS, "weeks", where="period.weeks", why="the model is for weeks to years")
        check_range("hours of wear", self.worn_hours_per_day, 0.0, 24.0, "hours", where="period.worn_hours_per_day", why="a day has 24 hours")
        check_range("exponent of the stimulus", self.stimulus_exponent, 1.0, 12.0, "", where="period.stimulus_exponent", why="it is a power mean")
        object.__setattr__(self, "relative_stimulus", _stimulus(self.relative_stimulus, "relative_stimulus"))
        if self.worn_relative_stimulus is not None:
            object.__setattr__(self, "worn_relative_stimulus", _stimulus(self.worn_relative_stimulus, "worn_relative_stimulus"))
        elif self.worn_hours_per_day > 0.0:
            raise InputError("stimulus with the device", where="period.worn_relative_stimulus", got=None, allowed=f"{COUNT} numbers", why="the device is worn for some hours")

    @property
    def stimulus(self) -> Array:
        """Relative stimulus of the whole day, (15,) no unit: power mean over the worn share of 16 waking hours and the rest."""
        if self.worn_relative_stimulus is None:
            return self.relative_stimulus
        share, m = min(self.worn_hours_per_day / WAKING_HOURS, 1.0), self.stimulus_exponent
        out: Array = (share * self.worn_relative_stimulus**m + (1.0 - share) * self.relative_stimulus**m) ** (1.0 / m)
        return out


def _stimulus(values: ArrayLike, name: str) -> Array:
    out = np.array(values, dtype=np.float64)
    out = np.full(COUNT, float(out)) if out.ndim == 0 else out
    if out.shape != (COUNT,) or not np.isfinite(out).all() or not ((out >= 0.0) & (out <= LARGEST_STIMULUS)).all():
        raise InputError("relative stimulus", where=f"period.{name}", got=out.tolist(), allowed=f"{COUNT} numbers from 0 to {LARGEST_STIMULUS:g} (1 = as now)",
                         why="each region has one")
    out.setflags(write=False)
    return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LesionCourse:
    """What may become of the lesions of a knee, T dates, 15 regions.

    Attributes:
        weeks: (T,) number of weeks from the start; the first is 0.
        volume_mm3, volume_low_mm3, volume_high_mm3: (T, 15) mm3; median and 95 % interval.
        total_mm3: (T, 3) mm3; lower end, median and upper end of the 95 % interval of the sum over the knee.
        resolved: (T, 15) no unit; probability that a lesion of the start is no longer visible (NaN where there was none).
        smaller, larger: (T, 15) no unit; probability of a change beyond the limits of agreement of a reading (NaN where there was none);
            smaller includes resolved.
        new: (T, 15) no unit; probability that a visible lesion is there where there was none (NaN where there was one).
    """

    weeks: Array
    volume_mm3: Array
    volume_low_mm3: Array
    volume_high_mm3: Array
    total_mm3: Array
    resolved: Array
    smaller: Array
    larger: Array
    new: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lives:
    """When each lesion is born and begins to heal, and how large it is in balance, for S draws.

    Attributes:
        birth, healing: (S, 15) number of weeks from the start; birth is -inf for lesions of the start, inf for none.
        size: (S, 15) mm3; K, size in balance at the present load.
        fluid, bone: (S, 15) mm3; F and M at the start.
        flare: (S, 15) no unit; standard normal state of the fluctuation at the start.
    """

    birth: Array
    healing: Array
    size: Array
    fluid: Array
    bone: Array
    flare: Array


def lesion_course(measured: MeasuredLesions, region_volume_mm3: ArrayLike, periods: Sequence[Period], *, hazard_per_year: ArrayLike | None = None, every_weeks: float = 4.0,
                  model: LesionModel | None = None, course: CourseModel | None = None, modifiers: Sequence[Modifier] = ()) -> LesionCourse:
    """Return what may become of measured lesions and which may be born, over the periods one after the other.

    Args:
        measured: the lesions at the start.
        region_volume_mm3: (15,) mm3.
        periods: habits; the first begins now.
        hazard_per_year: (S, 15) 1/year for all periods or (P, S, 15) one for each, from `kneeload.lesion.hazard.region_hazard`, S the number of draws of the model.
            None: no lesion is born.
        every_weeks: distance of the dates, weeks; borders of periods are dates too.
        model, course: parameters; default LesionModel() and CourseModel().
        modifiers: drugs, see `kneeload.lesion.modifiers`; none by default.

    Raises:
        InputError: no period, more than 50 years, more than 2000 dates, wrong shapes.
    """
    model, course = model or LesionModel(), course or CourseModel()
    whole, dates = region_sizes(region_volume_mm3), _dates(periods, every_weeks)
    volumes = simulated_volumes(measured, whole, periods, dates, hazard_per_year=hazard_per_year, model=model, course=course, modifiers=modifiers)
    return _summary(dates, volumes, measured.present, course_draws(model, course))


def _dates(periods: Sequence[Period], every_weeks: float) -> Array:
    if not periods:
        raise InputError("periods", where="periods", got="none", allowed="at least one", why="a course needs time")
    end = float(sum(period.weeks for period in periods))
    check_range("weeks of all periods", end, 1e-3, MOST_WEEKS, "weeks", where="periods", why="the model is for weeks to years")
    check_range("distance of the dates", every_weeks, end / 2000.0, MOST_WEEKS, "weeks", where="every_weeks", why="at most 2000 dates are kept")
    borders = np.cumsum([0.0, *(period.weeks for period in periods)])
    return np.unique(np.round(np.concatenate([np.arange(0.0, end, every_weeks), borders]), 9))


def simulated_volumes(measured: MeasuredLesions, region_volume_mm3: Array, periods: Sequence[Period], dates_weeks: Array, *, hazard_per_year: ArrayLike | None = None,
                      model: LesionModel, course: CourseModel, modifiers: Sequence[Modifier] = ()) -> Array:
    """Return the volume of each lesion in each draw at dates (T,) that begin with 0 and hold the borders of the periods, (T, S, 15) mm3."""
    d = course_draws(model, course)
    rng = np.random.default_rng([course.seed, model.seed, 2])
    start = starting_volumes(measured, region_volume_mm3, rng.random((model.samples, COUNT)))
    lives = _lives(start, region_volume_mm3, _hazards(hazard_per_year, len(periods), model.samples), periods, d, rng)
    borders = np.cumsum([period.weeks for period in periods])
    out = np.empty((len(dates_weeks), model.samples, COUNT))
    fluid, bone, flare = lives.fluid, lives.bone, lives.flare
    mixed, unique = np.sqrt(course.shared_flare), np.sqrt(1.0 - course.shared_flare)
    for k, date in enumerate(dates_weeks):
        if k:
            period = periods[min(int(np.searchsorted(borders, dates_weeks[k - 1] + 1e-9, side="right")), len(periods) - 1)]
            fluid, bone = step(fluid, bone, lives, dates_weeks[k - 1], date, load_factor(period.stimulus, d), d)
            kept = np.exp(-(date - dates_weeks[k - 1]) / d.fast_weeks)
            flare = kept * flare + np.sqrt(1.0 - kept**2) * (mixed * rng.standard_normal((model.samples, 1)) + unique * rng.standard_normal((model.samples, COUNT)))
        out[k] = np.minimum(_fluctuation(flare, d) * fluid + bone, region_volume_mm3)
        for modifier in modifiers:
            out[k] *= np.where(start > 0.0, remaining(modifier, float(date), d.fast_weeks, model), 1.0)
    return out


def _fluctuation(flare: Array, d: CourseDraws) -> Array:
    out: Array = np.exp(d.flare_sd * flare - 0.5 * d.flare_sd**2)
    return out


def load_factor(stimulus: Array, d: CourseDraws) -> Array:
    """Return w (S, 15), no unit: size in balance at a relative stimulus (15,) over that at the present one."""
    exponent = d.load_exponent * np.where(stimulus < 1.0, d.unloading, 1.0)
    with np.errstate(divide="ignore"):
        out: Array = np.where((stimulus <= 0.0) & (exponent > 0.0), 0.0, np.exp(exponent * np.log(np.maximum(stimulus, 1e-300))))
    return out


def step(fluid: Array, bone: Array, lives: Lives, start: float, end: float, factor: Array, d: CourseDraws) -> tuple[Array, Array]:
    """Return F and M (S, 15) mm3 at week `end` from those at `start`: exact, with birth and beginning of healing at their own times in between."""
    grows = np.maximum(np.minimum(end, lives.healing) - np.maximum(start, lives.birth), 0.0)
    heals = np.maximum(end - np.maximum(start, lives.healing), 0.0)
    out = []
    for now, tau, share in ((fluid, d.fast_weeks, d.fluid_share), (bone, d.slow_weeks, 1.0 - d.fluid_share)):
        target = share * lives.size * factor
        out.append((target + (now - target) * np.exp(-grows / tau)) * np.exp(-heals / tau))
    return out[0], out[1]


def _hazards(values: ArrayLike | None, periods: int, samples: int) -> Array:
    """Return (P, S, 15) 1/year."""
    if values is None:
        return np.zeros((periods, 1, COUNT))
    out = np.asarray(values, dtype=np.float64)
    out = np.broadcast_to(out, (periods, *out.shape)) if out.ndim == 2 else out
    if out.shape != (periods, samples, COUNT) or not np.isfinite(out).all() or (out < 0.0).any():
        raise InputError("hazard", where="hazard_per_year", got=f"shape {out.shape}", allowed=f"({samples}, {COUNT}) or ({periods}, {samples}, {COUNT}), from 0 per year up",
                         why="each draw has one per region")
    return out


def _lives(start: Array, whole: Array, hazards: Array, periods: Sequence[Period], d: CourseDraws, rng: np.random.Generator) -> Lives:
    there = start > 0.0
    size, fluid, bone, flare, healing = _found(start, whole, d, rng)
    born = _births(hazards, periods, rng.standard_exponential(start.shape))
    newborn = new_sizes(rng.random((2, *start.shape)), whole)
    patience = rng.standard_exponential(start.shape) * WEEKS_PER_YEAR / healing_hazard(newborn, d)
    return Lives(birth=np.where(there, -np.inf, born), healing=np.where(there, healing, born + patience), size=np.where(there, size, newborn),
                 fluid=np.where(there, fluid, 0.0), bone=np.where(there, bone, 0.0), flare=flare)


def decline_years(volume_mm3: Array, d: CourseDraws) -> Array:
    """Return the years (S, 15) in which a healing lesion of this volume fades from sight: slow part above what is visible, else the fast one."""
    bone, fluid = ((share * volume_mm3 / d.visible_mm3) for share in (1.0 - d.fluid_share, d.fluid_share))
    weeks = np.maximum(d.slow_weeks * np.log(np.maximum(bone, 1.0)), d.fast_weeks * np.log(np.maximum(fluid, 1.0)))
    return weeks / WEEKS_PER_YEAR


def healing_hazard(volume_mm3: Array, d: CourseDraws) -> Array:
    """Return the hazard (S, 15), 1/year, with which a lesion begins to heal: h / (1 - h D)."""
    out: Array = d.resolution / (1.0 - np.minimum(d.resolution * decline_years(volume_mm3, d), LONGEST_DECAY))
    return out


def _found(start: Array, whole: Array, d: CourseDraws, rng: np.random.Generator) -> tuple[Array, Array, Array, Array, Array]:
    """Return K, F, M (S, 15) mm3, flare and beginning of healing (weeks) of lesions that were found with these volumes at a date of no meaning.

    Such a lesion is as old as a random one, in decline with probability h D, and at a random point of its flares. Draws that would need more
    than the whole region in balance are drawn again.
    """
    decline = decline_years(start, d)
    fading = np.minimum(d.resolution * decline, LONGEST_DECAY)
    onset = healing_hazard(start, d)
    size, fluid, bone, flare, healing = (np.zeros(start.shape) for _ in range(5))
    wanted = start > 0.0
    for turn in range(_REDRAWS):
        declines = rng.random(start.shape) < fading
        age = np.where(declines, rng.random(start.shape) * decline, rng.standard_exponential(start.shape) / onset) * WEEKS_PER_YEAR
        state = rng.standard_normal(start.shape)
        heal = np.where(declines, 0.0, rng.standard_exponential(start.shape) / onset * WEEKS_PER_YEAR)
        parts = [np.where(declines, np.exp(-age / tau), -np.expm1(-age / tau)) for tau in (d.fast_weeks, d.slow_weeks)]
        wet, dry = d.fluid_share * parts[0], (1.0 - d.fluid_share) * parts[1]
        whole_of = start / np.maximum(_fluctuation(state, d) * wet + dry, 1e-12)
        ok = wanted & ((whole_of <= whole) | (turn == _REDRAWS - 1))
        for target, value in ((size, np.minimum(whole_of, whole)), (fluid, whole_of * wet), (bone, whole_of * dry), (flare, state), (healing, heal)):
            target[ok] = value[ok]
        wanted &= ~ok
        if not wanted.any():
            break
    lost = start <= 0.0
    flare[lost] = rng.standard_normal(int(lost.sum()))
    return size, fluid, bone, flare, healing


def _births(hazards: Array, periods: Sequence[Period], exponential: Array) -> Array:
    """Return the week (S, 15) at which the cumulative hazard, piecewise linear in time, reaches a standard exponential number; inf when never."""
    weeks = np.array([period.weeks for period in periods])
    reached, begin = np.zeros(exponential.shape), 0.0
    out = np.full(exponential.shape, np.inf)
    for hazard, length in zip(hazards, weeks):
        gain = hazard * length / WEEKS_PER_YEAR * np.ones(exponential.shape)
        here = np.isinf(out) & (exponential <= reached + gain) & (gain > 0.0)
        out[here] = begin + length * ((exponential - reached)[here] / gain[here])
        reached, begin = reached + gain, begin + float(length)
    return out


def _summary(dates: Array, volumes: Array, there: NDArray[np.bool_], d: CourseDraws) -> LesionCourse:
    low, middle, high = np.quantile(volumes, (0.025, 0.5, 0.975), axis=1)
    total = np.quantile(volumes.sum(axis=2), (0.025, 0.5, 0.975), axis=1).T
    resolved, smaller, larger, new = outcomes(volumes, d)
    only, none = np.where(there, 1.0, np.nan), np.where(there, np.nan, 1.0)
    fields = {"volume_mm3": middle, "volume_low_mm3": low, "volume_high_mm3": high, "total_mm3": total, "resolved": resolved.mean(axis=1) * only,
              "smaller": smaller.mean(axis=1) * only, "larger": larger.mean(axis=1) * only, "new": new.mean(axis=1) * none, "weeks": dates}
    for array in fields.values():
        array.setflags(write=False)
    return LesionCourse(**fields)


def outcomes(volumes: Array, d: CourseDraws) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return for volumes (T, S, 15) mm3 what resolved, became smaller (resolved ones too), larger, and is new since the first date, (T, S, 15) each."""
    first = volumes[0]
    there = first > 0.0
    seen = volumes >= np.where(there, np.minimum(d.visible_mm3, 0.5 * first), d.visible_mm3)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(there, np.log(volumes / first), 0.0)
    resolved = there & ~seen
    return resolved, there & (resolved | (change < -d.change_limit)), there & seen & (change > d.change_limit), ~there & seen


