"""Lesions of a synthetic cohort: how many, where, and what goes with them. Values are medians over the draws of the model's parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.case import Case
from kneeload.contact.model import ContactModel
from kneeload.errors import check_choice
from kneeload.lesion.draws import draws
from kneeload.lesion.hazard import region_hazard
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import Subject
from kneeload.validation.bench import Bench, note
from kneeload.validation.cohort import Cohort, CohortModel, cohort
from kneeload.validation.predictors.registry import predictor
from kneeload.validation.regression import log_odds_slopes, standardised

Array = NDArray[np.float64]
DAY = ("walking", "standing")  # what the cohort does all day: nearly all of the tibiofemoral dose, at a third of the cost of the whole day
SIZE = 200  # people
SAMPLES = 200  # draws of the parameters
STUDY_YEARS = 2.5  # the follow-up of the cohorts whose odds ratios stand in the table (24 to 30 months)
_SIDES = ("medial", "lateral")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesions:
    """A cohort and its hazards.

    Attributes:
        cohort: P people after the engine.
        hazard: (P, S, 15) 1/year; in each of S draws.
        resolution: (S,) 1/year.
    """

    cohort: Cohort
    hazard: Array
    resolution: Array


def lesions(bench: Bench, size: int, seed: int) -> Lesions:
    """Return the hazards of a cohort around the bench's standard person; remembered."""
    return _lesions(replace(bench.case, contact=bench.case.contact or ContactModel(), day_activities=DAY), size, seed)


@lru_cache(maxsize=2)
def _lesions(base: Case, size: int, seed: int) -> Lesions:
    model = replace(base.lesion, samples=SAMPLES)
    group = cohort(CohortModel(size=size, seed=seed), base)
    hazard = np.array([region_hazard(load, reference, case.subject, model) for load, reference, case in zip(group.loads, group.references, group.cases)])
    return Lesions(cohort=group, hazard=hazard, resolution=draws(model).resolution)


def _told(values: Array, *, more: str = "") -> float:
    """Return the median over draws and note their 95 % interval."""
    low, middle, high = np.quantile(values, (0.025, 0.5, 0.975))
    note(f"95 % interval {low:.3g} to {high:.3g}{more}")
    return float(middle)


def region_columns(regions: Sequence[str]) -> NDArray[np.int64]:
    """Return the numbers of the regions that a row names, (n,) no unit: names of MOAKS regions, "medial" and "lateral" (condyle and plateau), or "femur",
    "tibia", "patella" with a side.

    Raises:
        InputError: an unknown region.
    """
    found: list[int] = []
    for word in regions:
        bone, _, side = word.rpartition(" ")
        if side in _SIDES:
            parts = ("femur_central", "femur_posterior", "tibia") if not bone else ("femur_central", "femur_posterior") if bone == "femur" else (bone,)
            found += [r for r, name in enumerate(MOAKS_REGIONS) if name.startswith(parts) and name.endswith(side)]
        else:
            check_choice("region", word, MOAKS_REGIONS, where="parameters of a measurement", why="lesions are counted there")
            found.append(MOAKS_REGIONS.index(word))
    return np.array(found)


def _risk(found: Lesions, regions: Sequence[str], years: float = STUDY_YEARS) -> Array:
    """Risk of a new lesion in any of some regions, (P, S) no unit."""
    risk: Array = 1.0 - np.exp(-years * found.hazard[:, :, region_columns(regions)].sum(axis=2))
    return risk


def _cause(group: Cohort, name: str) -> Array:
    """A property of the people, (P,)."""
    if name.startswith(("medial meniscus", "lateral meniscus")):
        state = group.menisci[:, _SIDES.index(name.split()[0])]
        return (state == {"extruded": 1, "lost": 2}[name.split()[-1]]).astype(float)
    check_choice("cause", name, ("bmi", "mpta_deg", "varus_deg", "kam_peak", "kam_impulse"), where="parameters of a measurement", why="the cohort has these")
    values: Array = getattr(group, name)
    return values


@predictor
def cohort_incidence_per_year(bench: Bench, subject: Subject, *, years: float = 2.0, size: int = SIZE, seed: int = 11) -> float:
    """Hazard of a first new lesion somewhere in the knee: -ln(1 - share with one) / years, 1/year; the interval is that of cohorts drawn by chance."""
    found = lesions(bench, size, seed)
    regional = 1.0 - np.exp(-years * found.hazard)
    drawn = np.random.default_rng(seed).random(regional.shape) < regional
    share = drawn.any(axis=2).mean(axis=0)
    if found.cohort.failed:
        note(f"{len(found.cohort.failed)} of {size} people without equilibrium left out")
    return _told(-np.log1p(-share) / years)


@predictor
def cohort_odds_ratio(bench: Bench, subject: Subject, *, cause: str, regions: Sequence[str], per: str = "unit", among: str = "", size: int = SIZE,
                      seed: int = 11) -> float:
    """Odds ratio of a new lesion in any of some regions per unit or SD of a cause (or with it, for a state), no unit; adjusted for body-mass index and menisci.

    `among`: "" for all, or a state such as "medial meniscus lost" to leave out whoever has it.
    """
    found = lesions(bench, size, seed)
    kept = np.ones(len(found.cohort.cases), bool) if not among else _cause(found.cohort, among) == 0.0
    values = _cause(found.cohort, cause)[kept]
    causes = (standardised(values) if per == "SD" else values)[:, None]
    others = [found.cohort.bmi, *(_cause(found.cohort, f"{side} meniscus {state}") for side in _SIDES for state in ("extruded", "lost"))]
    causes = np.column_stack([causes, *(other[kept] for other in others if np.ptp(other[kept]) > 0.0 and not np.array_equal(other[kept], values))])
    return _told(np.exp(log_odds_slopes(causes, _risk(found, regions)[kept])[:, 0]))


def _exposure(group: Cohort, name: str) -> Array:
    """A property of each region of each knee, (P, 15)."""
    kinds = {"mean stimulus": (group.stimulus, 0), "peak stimulus": (group.stimulus, 1), "mean pressure": (group.pressure, 0), "peak pressure": (group.pressure, 1)}
    if name == "cartilage damage":
        return group.damage
    check_choice("exposure", name, (*kinds, "cartilage damage"), where="parameters of a measurement", why="the cohort has these")
    values, column = kinds[name]
    return values[:, :, column]


def _regional_slope(found: Lesions, name: str, per: str, place: bool) -> Array:
    """Log odds ratio of a lesion in a tibiofemoral region per unit or SD of an exposure there, (S,); `place` holds the region constant."""
    columns = region_columns(("medial", "lateral"))
    values = _exposure(found.cohort, name)[:, columns]
    if place:
        values = (values - values.mean(axis=0)) / (values.std(axis=0) if per == "SD" else 1.0)
    elif per == "SD":
        values = standardised(values)
    causes = values.reshape(-1, 1)
    if place:
        causes = np.column_stack([causes, np.tile(np.eye(len(columns))[:, 1:], (values.shape[0], 1))])
    risk = 1.0 - np.exp(-STUDY_YEARS * found.hazard[:, :, columns])
    return log_odds_slopes(causes, risk.transpose(0, 2, 1).reshape(-1, risk.shape[1]))[:, 0]


@predictor
def cohort_region_odds_ratio(bench: Bench, subject: Subject, *, exposure: str, per: str = "SD", place: bool = False, size: int = SIZE, seed: int = 11) -> float:
    """Odds ratio of a new lesion in a tibiofemoral region per SD or unit of an exposure there, over all such regions of all knees, no unit."""
    return _told(np.exp(_regional_slope(lesions(bench, size, seed), exposure, per, place)))


@predictor
def cohort_region_slope_ratio(bench: Bench, subject: Subject, *, exposure: str, other: str, per: str = "SD", place: bool = False, size: int = SIZE,
                              seed: int = 11) -> float:
    """Log odds ratio of one exposure over that of another, no unit: above 1 the first is the stronger predictor."""
    found = lesions(bench, size, seed)
    first, second = (_regional_slope(found, name, per, place) for name in (exposure, other))
    return _told(first / second, more=f", odds ratios {np.exp(np.median(first)):.2f} and {np.exp(np.median(second)):.2f} per {per}")


@predictor
def cohort_rank(bench: Bench, subject: Subject, *, region: str, among: str, of: str = "mean stimulus", size: int = SIZE, seed: int = 11) -> float:
    """Place of a region among those of its bone by the cohort's mean stress, dose or hazard, 1 = highest, no unit."""
    found = lesions(bench, size, seed)
    if of == "hazard":
        mean = np.median(found.hazard.mean(axis=0), axis=0)
    elif of == "dose":
        mean = np.mean([load.daily_dose for load in found.cohort.loads], axis=0)
    else:
        mean = _exposure(found.cohort, of).mean(axis=0)
    others = [r for r, name in enumerate(MOAKS_REGIONS) if name.startswith(among)]
    order = sorted(others, key=lambda r: -mean[r])
    note("order: " + ", ".join(MOAKS_REGIONS[r].replace("_", " ") for r in order[:3]))
    return float(1 + order.index(MOAKS_REGIONS.index(region)))


@predictor
def cohort_more_loaded_ratio(bench: Bench, subject: Subject, *, from_deg: float = 2.0, size: int = SIZE, seed: int = 11) -> float:
    """Risk in the more loaded over that in the less loaded compartment of malaligned knees (varus or valgus from some degrees), no unit.

    Compared within each compartment (medial in varus and in valgus, lateral in valgus and in varus) and pooled by Mantel and Haenszel, so
    that the medial side's higher risk in all knees does not count.
    """
    found = lesions(bench, size, seed)
    varus, valgus = found.cohort.varus_deg >= from_deg, found.cohort.varus_deg <= -from_deg
    medial, lateral = _risk(found, ("medial",)), _risk(found, ("lateral",))
    n, m = varus.sum(), valgus.sum()
    more = (medial[varus].sum(axis=0) * m + lateral[valgus].sum(axis=0) * n) / (n + m)
    less = (medial[valgus].sum(axis=0) * n + lateral[varus].sum(axis=0) * m) / (n + m)
    return _told(more / less, more=f", {n} varus and {m} valgus knees")


@predictor
def cohort_malaligned_ratio(bench: Bench, subject: Subject, *, side: str, from_deg: float = 2.0, size: int = SIZE, seed: int = 11) -> float:
    """Risk in the medial compartment of varus knees (lateral of valgus knees) over that in straight knees, no unit."""
    found = lesions(bench, size, seed)
    turn = found.cohort.varus_deg * (1.0 if side == "medial" else -1.0)
    risk = _risk(found, (side,))
    return _told(risk[turn >= from_deg].mean(axis=0) / risk[np.abs(turn) < from_deg].mean(axis=0))


@predictor
def cohort_prevalence_pct(bench: Bench, subject: Subject, *, of: str, size: int = SIZE, seed: int = 11) -> float:
    """Lesions that are there when new ones balance those that resolve, %: of tibiofemoral "regions", or of "people" with one in the knee."""
    found = lesions(bench, size, seed)
    regional = found.hazard / (found.hazard + found.resolution[:, None])
    if of == "regions":
        return _told(100.0 * regional[:, :, region_columns(("medial", "lateral"))].mean(axis=(0, 2)))
    return _told(100.0 * (1.0 - np.prod(1.0 - regional, axis=2)).mean(axis=0))


@predictor
def cohort_bone_share_pct(bench: Bench, subject: Subject, *, bone: str, size: int = SIZE, seed: int = 11) -> float:
    """Share of a bone in all new lesions, %."""
    hazard = lesions(bench, size, seed).hazard.sum(axis=0)
    own = [r for r, name in enumerate(MOAKS_REGIONS) if name.startswith(bone)]
    return _told(100.0 * hazard[:, own].sum(axis=1) / hazard.sum(axis=1))
