"""What may follow from a result: the course of lesions over months, and what someone should look at. Plausibility, never a diagnosis.

`simulate` answers where the load lands; this is asked of its result, since it needs the bone as a volume and takes about half a second.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.volume import bone_volumes
from kneeload.errors import InputError
from kneeload.lesion.checks import Panel, PlanEffect, panel
from kneeload.lesion.course import LesionCourse, Period, lesion_course, simulated_volumes
from kneeload.lesion.hazard import region_hazard
from kneeload.lesion.measured import knee_region_volumes, measured_lesions
from kneeload.lesion.milestones import lesion_dates, new_lesion_risk
from kneeload.lesion.modifiers import modifier
from kneeload.lesion.zones import ZoneMap
from kneeload.result import KneeResult
from kneeload.simulate import reference_case, reference_load
from kneeload.subject.anatomy import MOAKS_REGIONS

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlook:
    """What may follow for one knee.

    Attributes:
        course: of the lesions that were measured, and of new ones, with the habits and interventions of the case.
        course_before: the same without the interventions, None for a case without any.
        panel: the radiographic grade beside the full picture, with flags.
    """

    course: LesionCourse
    course_before: LesionCourse | None
    panel: Panel


@lru_cache(maxsize=4)
def outlook(result: KneeResult) -> Outlook:
    """Return what may follow from a result (kept for the last four results).

    Raises:
        InputError: a result of the load level, which has no bone.
    """
    if result.bone is None:
        raise InputError("bone load", where="contact", got="none", allowed="a result with contact", why="risk zones follow the stress in the bone")
    zones = result.zones()
    assert zones is not None
    before = None if result.before is None else result.before.zones()
    plans = () if before is None else (_effect(result, before, zones),)
    course, course_before = _courses(result)
    return Outlook(course=course, course_before=course_before, panel=_panel(result, plans))


def _panel(result: KneeResult, plans: tuple[PlanEffect, ...]) -> Panel:
    zones = result.zones()
    assert zones is not None
    return panel(result.case.subject, usual=None if result.before is None else result.before.case.subject, overstressed_share=zones.share, measured=result.measured,
                 kl_grade=result.case.findings.kl_grade, plans=plans or None)


def _courses(result: KneeResult) -> tuple[LesionCourse, LesionCourse | None]:
    case, plan = result.case, result.case.course
    measured = measured_lesions([]) if result.measured is None else result.measured
    whole, reference = knee_region_volumes(bone_volumes(result.anatomy)), reference_load(reference_case(case))

    def course(items: list[KneeResult], present: KneeResult) -> LesionCourse:
        periods = [Period(weeks=stretch.weeks, relative_stimulus=_relative_stimulus(item, present)) for stretch, item in zip(plan.stretches, items)]
        hazards = [region_hazard(item.bone, reference, item.case.subject, case.lesion) for item in items if item.bone is not None]
        return lesion_course(measured, whole, periods, every_weeks=plan.every_weeks, model=case.lesion, course=plan.model, hazard_per_year=np.stack(hazards),
                             modifiers=[modifier(name) for name in plan.modifiers])

    before = result.before
    if before is None:
        return course([result] * len(plan.stretches), result), None
    return course([result if stretch.interventions else before for stretch in plan.stretches], before), course([before] * len(plan.stretches), before)


def _volume_change(result: KneeResult) -> dict[str, float] | None:
    """Volume of the measured lesions at the end of the plan, with the interventions over without: median and 95 % interval, percent; None without either.

    Both courses have the same draws, so that what a lesion does by itself falls out. New lesions are left out.
    """
    before, plan, measured = result.before, result.case.course, result.measured
    if before is None or measured is None or not measured.present.any():
        return None
    whole, end = knee_region_volumes(bone_volumes(result.anatomy)), float(sum(stretch.weeks for stretch in plan.stretches))
    dates = np.cumsum([0.0, *(stretch.weeks for stretch in plan.stretches)])
    volumes = []
    for changed in (True, False):
        periods = [Period(weeks=stretch.weeks, relative_stimulus=_relative_stimulus(result if changed and stretch.interventions else before, before)) for stretch in plan.stretches]
        volumes.append(simulated_volumes(measured, whole, periods, dates, model=result.case.lesion, course=plan.model)[-1].sum(axis=1))
    ratio = np.divide(volumes[0], volumes[1], out=np.ones_like(volumes[0]), where=volumes[1] > 0.0)
    low, middle, high = (100.0 * (float(value) - 1.0) for value in np.quantile(ratio, (0.025, 0.5, 0.975)))
    return {"weeks": end, "pct": middle, "pct_low": low, "pct_high": high}


def _relative_stimulus(result: KneeResult, before: KneeResult) -> Array:
    """Return (15,) no unit: daily stimulus over that before; 1 where there was none."""
    assert result.bone is not None and before.bone is not None and result.bone.stimulus is not None and before.bone.stimulus is not None
    now, then = result.bone.stimulus, before.bone.stimulus
    return np.clip(np.divide(now, then, out=np.ones_like(now), where=then > 0.0), 0.0, 10.0)


def _effect(result: KneeResult, before: ZoneMap, after: ZoneMap) -> PlanEffect:
    """Return what the interventions do to the overload: in the region that had the largest zone, and at worst elsewhere."""
    first = int(np.argmax(before.volume_mm3))
    there = float(before.volume_mm3[first])
    return PlanEffect(name=" and ".join(name.replace("_", " ") for name in result.case.interventions),
                      overload_change=0.0 if there == 0.0 else min(float(after.volume_mm3[first]) / there - 1.0, 100.0),
                      worst_rise=max(float(np.delete(after.share - before.share, first).max()), 0.0), steps_per_day=result.case.subject.steps_per_day)


def outlook_summary(result: KneeResult, plans: tuple[PlanEffect, ...] = ()) -> dict[str, Any]:
    """The parts "course" and "panel" of summary.json; null for a result of the load level. With `plans`, which were searched for this case, the panel tells about
    them and not about the interventions in place, which the case has already."""
    if result.bone is None:
        return {"course": None, "panel": None}
    found = outlook(result)
    courses = [("with_interventions" if result.case.interventions else "as_now", found.course, True)]
    if found.course_before is not None:
        courses.append(("as_before", found.course_before, False))
    return {"course": {"measured_regions": [] if result.measured is None else [MOAKS_REGIONS[i] for i in np.flatnonzero(result.measured.present)],
                       "modifiers": list(result.case.course.modifiers), "volume_change": _volume_change(result), **{name: {**_course_numbers(course), "new_lesion": _new_lesion(result, changed)} for name, course, changed in courses}},
            "panel": _panel_numbers(_panel(result, plans) if plans else found.panel)}


def _new_lesion(result: KneeResult, changed: bool) -> list[dict[str, float]]:
    """Return the plausibility of any new lesion under the periods of the plan; with `changed` False, as if nothing had been changed."""
    case, plan, before = result.case, result.case.course, result.before or result
    reference = reference_load(reference_case(case))
    items = [result if changed and stretch.interventions else before for stretch in plan.stretches]
    hazards = [region_hazard(item.bone, reference, item.case.subject, case.lesion) for item in items if item.bone is not None]
    return new_lesion_risk(hazards, [stretch.weeks for stretch in plan.stretches], None if result.measured is None else result.measured.present)


def _course_numbers(course: LesionCourse) -> dict[str, Any]:
    last = {name: getattr(course, name)[-1] for name in ("resolved", "smaller", "larger", "new")}
    return {
        "weeks": course.weeks.tolist(),
        "total_mm3": course.total_mm3[:, 1].tolist(), "total_low_mm3": course.total_mm3[:, 0].tolist(), "total_high_mm3": course.total_mm3[:, 2].tolist(),
        "regions": {region: {"volume_mm3": float(course.volume_mm3[-1, i]), "volume_low_mm3": float(course.volume_low_mm3[-1, i]),
                             "volume_high_mm3": float(course.volume_high_mm3[-1, i]), **{name: float(values[i]) for name, values in last.items()}}
                    for i, region in enumerate(MOAKS_REGIONS)},
        "milestones": lesion_dates(course),
    }


def _panel_numbers(found: Panel) -> dict[str, Any]:
    numbers = asdict(found)
    return {**numbers, "summary": list(found.summary), "flags": [asdict(flag) for flag in found.flags]}


def course_columns(result: KneeResult) -> dict[str, list[Any]]:
    """Columns of course.csv, one row per date and region; empty at the load level."""
    if result.bone is None:
        return {}
    course = outlook(result).course
    weeks, regions = len(course.weeks), len(MOAKS_REGIONS)
    return {"weeks": np.repeat(course.weeks, regions).tolist(), "region": list(MOAKS_REGIONS) * weeks,
            **{name: getattr(course, name).ravel().tolist() for name in ("volume_mm3", "volume_low_mm3", "volume_high_mm3", "resolved", "smaller", "larger", "new")}}
