"""Risk, course and pain of single people: the same person with one thing changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from kneeload import interventions
from kneeload.bone.dose import BoneLoad
from kneeload.bone.volume import bone_volumes
from kneeload.case import Case
from kneeload.contact.model import ContactModel
from kneeload.lesion.course import Period, lesion_course
from kneeload.lesion.hazard import lesion_risk, person_risk, risk_change
from kneeload.lesion.measured import MeasuredLesions, knee_region_volumes
from kneeload.lesion.pain import EXPLAINED_VARIANCE, PAIN_COEFFICIENTS
from kneeload.simulate import anatomy_of, day_load, reference_case, reference_load, run_day
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import Subject
from kneeload.validation.bench import Bench, note
from kneeload.validation.predictors.cohort import region_columns
from kneeload.validation.predictors.registry import predictor

_KEPT = ("walking", "standing")


def _case(bench: Bench, subject: Subject) -> Case:
    return replace(bench.case, subject=subject, contact=bench.case.contact or ContactModel(), day_activities=_KEPT)


@lru_cache(maxsize=32)
def _load(case: Case) -> BoneLoad:
    anatomy = anatomy_of(case)
    return day_load(case, anatomy, run_day(case, anatomy))


def _risk(case: Case, regions: Sequence[str]) -> float:
    risk = lesion_risk(_load(case), reference_load(reference_case(case)), case.subject, case.lesion).risk_24mo
    return person_risk(risk[region_columns(regions)] if regions else risk)


@predictor
def paired_risk_ratio(bench: Bench, subject: Subject, *, changes: Mapping[str, Any], other: Mapping[str, Any] | None = None, regions: Sequence[str] = ()) -> float:
    """Risk within 24 months in some regions (none named: the whole knee) of a person with `changes` over that with `other`, no unit."""
    return _risk(_case(bench, replace(subject, **changes)), regions) / _risk(_case(bench, replace(subject, **(other or {}))), regions)


@predictor
def paired_odds_ratio_per_bmi(bench: Bench, subject: Subject, *, units: float = 1.0) -> float:
    """Odds ratio of a new lesion within 24 months per unit of body-mass index of the same person, no unit."""
    risks = [_risk(_case(bench, replace(subject, body_mass_kg=subject.body_mass_kg + k * units * subject.height_m**2)), ()) for k in (0.0, 1.0)]
    odds = [risk / (1.0 - risk) for risk in risks]
    return float((odds[1] / odds[0]) ** (1.0 / units))


@predictor
def unloading_upper_end(bench: Bench, subject: Subject, *, intervention: str, parameters: Mapping[str, Any], regions: Sequence[str] = ("medial",)) -> float:
    """Smallest upper end of the interval of risk after over before an intervention in regions whose load falls, no unit: 1 = no effect is possible."""
    before = _case(bench, subject)
    after = interventions.apply(before, intervention, dict(parameters))
    found = risk_change(_load(before), _load(after), reference_load(reference_case(before)), subject, before.lesion)
    own = [r for r in region_columns(regions) if found.relative[r] < 1.0]
    note(f"median {found.relative[own].mean():.2f} over {len(own)} regions")
    return float(found.high[own].min()) if own else float("nan")


@predictor
def pain_rate_ratio(bench: Bench, subject: Subject, *, activity: str) -> float:
    """Rate ratio of pain per unit of the compartment's lesion score, if all of the association is causal, no unit."""
    return float(np.exp(PAIN_COEFFICIENTS[activity][1]))


@predictor
def pain_explained_pct(bench: Bench, subject: Subject) -> float:
    """Largest part of the variance of pain that lesions are said to explain, %."""
    return 100.0 * EXPLAINED_VARIANCE[1]


@lru_cache(maxsize=8)
def _regional_volumes(case: Case) -> tuple[float, ...]:
    return tuple(knee_region_volumes(bone_volumes(anatomy_of(case))))


@predictor
def course_part(bench: Bench, subject: Subject, *, of: str, weeks: float, region: str, grade: int = 1) -> float:
    """Probability that one measured lesion of a region resolves, becomes smaller or larger, at unchanged load: of "resolved", "smaller", "larger",
    "changed", or "half" (larger ones among those that changed); "resolution_per_year" is the hazard that the first gives. No unit, 1/year."""
    case = _case(bench, subject)
    grades = np.zeros(len(MOAKS_REGIONS), np.int8)
    grades[MOAKS_REGIONS.index(region)] = grade
    volume = np.where(grades > 0, np.nan, 0.0)
    measured = MeasuredLesions(grade=grades, volume_mm3=volume, attrition=np.zeros_like(grades), cyst=np.zeros_like(grades))
    period = Period(weeks=weeks, relative_stimulus=np.ones(len(MOAKS_REGIONS)))
    course = lesion_course(measured, np.array(_regional_volumes(case)), [period], model=case.lesion, every_weeks=weeks)
    at = MOAKS_REGIONS.index(region)
    resolved, smaller, larger = (float(getattr(course, name)[-1, at]) for name in ("resolved", "smaller", "larger"))
    note(f"resolved {resolved:.2f}, smaller {smaller:.2f}, larger {larger:.2f}")
    parts = {"resolved": resolved, "smaller": smaller, "larger": larger, "changed": smaller + larger, "half": larger / max(smaller + larger, 1e-9),
             "resolution_per_year": -np.log1p(-resolved) * 52.1775 / weeks}
    return float(parts[of])
