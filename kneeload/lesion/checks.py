"""A panel for people: what the radiograph says beside what the lesions, the bone and the load say, and who should look. Never a diagnosis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kneeload.errors import InputError, check_range
from kneeload.lesion.measured import COUNT, MeasuredLesions
from kneeload.lesion.phenotype import Phenotype, phenotype
from kneeload.lesion.scores import compartment_sums
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import Subject

# MPTA of 359 women without radiographic osteoarthritis: 86.1 +- 1.4 degrees (doi 10.1186/s10195-023-00739-x). The range is that mean and three
# standard deviations: one healthy knee in 370 lies beyond.
MPTA_MEAN_DEG, MPTA_SD_DEG = 86.1, 1.4
MPTA_RANGE_DEG = (MPTA_MEAN_DEG - 3.0 * MPTA_SD_DEG, MPTA_MEAN_DEG + 3.0 * MPTA_SD_DEG)
# Hip-knee-ankle angle: 3 degrees of varus or more were found in 32 % of young men and 17 % of young women (250 adults, Bellemans; doi
# 10.1007/s11999-011-1936-5), so that 3 degrees are no finding. Three standard deviations of 2.2 degrees about 178 and 179 degrees: an
# assumption, mean and deviation from general knowledge of that paper.
HKA_RANGE_DEG = (171.5, 185.5)
# Medial slope 5.9 degrees (doi 10.1186/s43019-021-00095-2); from 12 degrees medial osteoarthritis was 7.9 times as frequent (PMC12936853).
STEEP_SLOPE_DEG = 12.0
SERIOUS_SHARE = 0.33  # of a region above the overstress level: MOAKS grade 2; less of it asks for no specialist
NOISE_SHARE = 0.02  # of a region: a few cubes more or less are sampling (assumption)
ENOUGH_STEPS = 6000.0  # steps a day that best told who kept their function over two years (1,788 people, PMC4146701)
CYST_AND_ATTRITION_FROM = 1  # grade from which they count
LOW_KL = 2  # a grade up to this reads as none to mild disease
DISCLAIMER = "This describes how plausible something is in people with such a knee. It is not a diagnosis and no advice on treatment."
CODES = ("alignment_mpta", "alignment_hka", "alignment_slope", "no_safe_plan", "lesion_attrition_cyst", "grade_misses_lesions", "mask_outside", "deconditioning")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One thing that someone should look at.

    Attributes:
        code: stable name, one of `CODES`.
        specialist: whether the sentence asks for a specialist.
        sentence: for a person.
        numbers: what the sentence rests on, unit in the name.
        source: of the limit.
    """

    code: str
    specialist: bool
    sentence: str
    numbers: Mapping[str, float]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEffect:
    """What a tried plan does.

    Attributes:
        name: of the plan.
        overload_change: relative change of the overload in the region of most concern, no unit, negative = less.
        worst_rise: largest rise of the overloaded part of any other region, as a part of that region, no unit, 0 = none.
        steps_per_day: steps a day under the plan, None when unchanged.
    """

    name: str
    overload_change: float
    worst_rise: float
    steps_per_day: float | None = None

    def __post_init__(self) -> None:
        for name in ("overload_change", "worst_rise"):
            check_range(name.replace("_", " "), float(getattr(self, name)), -1.0, 100.0, "", where=f"plan {self.name}", why="it is a relative change")
        if self.steps_per_day is not None:
            check_range("steps per day", self.steps_per_day, 0.0, 60000.0, "", where=f"plan {self.name}", why="nobody walks more every day")


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """The radiographic grade beside the full picture.

    Attributes:
        kl_grade: Kellgren-Lawrence grade of the radiograph, None when unknown.
        lesions: number of regions with a lesion, None without a measurement.
        lesion_volume_mm3: known volume of all lesions, None where any is known by its grade only.
        score_by_compartment: sums of MOAKS sizes.
        attrition_regions, cyst_regions: numbers of regions with each.
        overloaded: regions of which more than `NOISE_SHARE` is above the overstress level, with that share, no unit.
        phenotype: kinds and odds of pain, None without a measurement.
        summary: sentences that set the two beside each other.
        flags: what someone should look at.
        disclaimer: to be printed with it.
    """

    kl_grade: int | None
    lesions: int | None
    lesion_volume_mm3: float | None
    score_by_compartment: Mapping[str, float]
    attrition_regions: int
    cyst_regions: int
    overloaded: Mapping[str, float]
    phenotype: Phenotype | None
    summary: tuple[str, ...]
    flags: tuple[Flag, ...]
    disclaimer: str = DISCLAIMER


def panel(subject: Subject, *, usual: Subject | None = None, overstressed_share: ArrayLike | None = None, measured: MeasuredLesions | None = None, kl_grade: int | None = None,
          plans: Sequence[PlanEffect] | None = None) -> Panel:
    """Return the panel of one knee.

    Args:
        subject: the person.
        usual: the person before the plans, if that differs: what a plan cuts is told against it.
        overstressed_share: (15,) no unit; part of each region above the overstress level (`kneeload.lesion.hazard.overstressed_share`).
        measured: lesions on MRI.
        kl_grade: of the radiograph; the one that came with `measured` counts when this is None.
        plans: what was tried; None when nothing was, so that nothing can be said about safe plans.

    Raises:
        InputError: a KL grade outside 0 to 4, shares that are not 15 numbers from 0 to 1.
    """
    kl = measured.kl_grade if kl_grade is None and measured is not None else kl_grade
    if kl is not None and (isinstance(kl, bool) or kl not in (0, 1, 2, 3, 4)):
        raise InputError("KL grade", where="kl_grade", got=kl, allowed="0, 1, 2, 3 or 4", why="these are the Kellgren-Lawrence grades")
    overloaded = _overloaded(overstressed_share)
    volume = None if measured is None or np.isnan(measured.volume_mm3).any() else float(measured.volume_mm3.sum())
    flags = [*alignment_flags(subject), *_lesion_flags(measured, kl), *_plan_flags(overloaded, plans), *activity_flags(usual or subject, plans)]
    return Panel(
        kl_grade=kl, lesions=None if measured is None else measured.number, lesion_volume_mm3=volume,
        score_by_compartment={} if measured is None else compartment_sums(measured.grade),
        attrition_regions=0 if measured is None else int((measured.attrition > 0).sum()), cyst_regions=0 if measured is None else int((measured.cyst > 0).sum()),
        overloaded=overloaded, phenotype=None if measured is None else phenotype(measured), summary=_summary(kl, measured, volume, overloaded), flags=tuple(flags),
    )


def _overloaded(share: ArrayLike | None) -> dict[str, float]:
    if share is None:
        return {}
    values = np.asarray(share, dtype=np.float64)
    if values.shape != (COUNT,) or not np.isfinite(values).all() or not ((values >= 0.0) & (values <= 1.0)).all():
        raise InputError("overstressed share", where="overstressed_share", got=values.tolist(), allowed=f"{COUNT} numbers from 0 to 1", why="it is a part of each region")
    return {MOAKS_REGIONS[k]: float(values[k]) for k in np.argsort(-values, kind="stable") if values[k] > NOISE_SHARE}


def alignment_flags(subject: Subject) -> list[Flag]:
    """Return a flag for each angle of a person outside the stated range."""
    out = []
    for code, what, value, (low, high), source in (
        ("alignment_mpta", "The inclination of the upper end of the shin bone (MPTA)", subject.mpta_deg, MPTA_RANGE_DEG, "doi 10.1186/s10195-023-00739-x, mean and three standard deviations"),
        ("alignment_hka", "The leg axis (hip-knee-ankle angle)", subject.hka_deg, HKA_RANGE_DEG, "assumption after doi 10.1007/s11999-011-1936-5"),
    ):
        if not low <= value <= high:
            out.append(Flag(code=code, specialist=True, source=source, numbers={"angle_deg": value, "low_deg": low, "high_deg": high},
                            sentence=f"{what} is {value:.1f} degrees, outside {low:.1f} to {high:.1f}: a specialist should look, because bone shape and not habit may set the load."))
    slope = max(subject.medial_slope_deg, subject.lateral_slope_deg)
    if slope >= STEEP_SLOPE_DEG:
        out.append(Flag(code="alignment_slope", specialist=True, source="PMC12936853", numbers={"slope_deg": slope, "limit_deg": STEEP_SLOPE_DEG},
                        sentence=f"The plateau falls backwards by {slope:.1f} degrees, {STEEP_SLOPE_DEG:.0f} or more: a specialist should look, because medial osteoarthritis was 7.9 times "
                                 "as frequent in such knees."))
    return out


def _lesion_flags(measured: MeasuredLesions | None, kl: int | None) -> list[Flag]:
    if measured is None:
        return []
    out = []
    both = measured.present & (measured.attrition >= CYST_AND_ATTRITION_FROM) & (measured.cyst >= CYST_AND_ATTRITION_FROM)
    if both.any():
        where = ", ".join(_plain(MOAKS_REGIONS[k]) for k in np.flatnonzero(both))
        k = int(np.flatnonzero(both)[0])
        out.append(Flag(code="lesion_attrition_cyst", specialist=True, source="doi 10.1186/s13075-025-03644-2; PMC2789549; PMC2923728",
                        numbers={"regions": float(both.sum()), "grade": float(measured.grade[k]), "attrition": float(measured.attrition[k]), "cyst": float(measured.cyst[k])},
                        sentence=f"A lesion together with attrition and a cyst ({where}): a specialist should look, because the bone itself has changed shape, which goes with more pain "
                                 "and more loss of cartilage than a lesion alone."))
    if kl is not None and kl <= LOW_KL and measured.number:
        out.append(Flag(code="grade_misses_lesions", specialist=False, source="PMC2818146; doi 10.3899/jrheum.100587",
                        numbers={"kl_grade": float(kl), "regions_with_lesion": float(measured.number), "attrition_regions": float((measured.attrition > 0).sum()),
                                 "cyst_regions": float((measured.cyst > 0).sum())},
                        sentence=f"The radiograph shows KL grade {kl}, yet {_count(measured.number, 'region has', 'regions have')} a lesion on MRI: the grade alone misses them."))
    if measured.outside_mm3 > 0.2 * (np.nansum(measured.volume_mm3) + measured.outside_mm3):
        out.append(Flag(code="mask_outside", specialist=False, source="this engine", numbers={"outside_mm3": measured.outside_mm3, "inside_mm3": float(np.nansum(measured.volume_mm3))},
                        sentence="More than a fifth of the segmented volume lies outside all regions of this knee: check the registration before reading anything else."))
    return out


def _plan_flags(overloaded: Mapping[str, float], plans: Sequence[PlanEffect] | None) -> list[Flag]:
    if not overloaded or not plans:
        return []
    region, share = next(iter(overloaded.items()))
    safe = [plan for plan in plans if plan.overload_change < 0.0 and plan.worst_rise <= NOISE_SHARE]
    if safe or share < SERIOUS_SHARE:
        return []
    best = min(plans, key=lambda plan: plan.overload_change)
    return [Flag(code="no_safe_plan", specialist=True, source="this engine",
                 numbers={"plans_tried": float(len(plans)), "overstressed_share": share, "best_change": best.overload_change, "its_worst_rise": best.worst_rise},
                 sentence=(f"None of the {len(plans)} plans that were tried lowers" if len(plans) > 1 else f"The plan that was tried ({plans[0].name}) does not lower")
                 + f" the overload of the {_plain(region)}, {100.0 * share:.0f} % of it, without raising another region: a specialist should look, because habits and devices alone may not be enough.")]


def activity_flags(subject: Subject, plans: Sequence[PlanEffect] | None) -> list[Flag]:
    """Return a flag for each plan that takes a person below 6000 steps a day, or further below."""
    out = []
    for plan in plans or ():
        if plan.steps_per_day is not None and plan.steps_per_day < min(subject.steps_per_day, ENOUGH_STEPS):
            out.append(Flag(code="deconditioning", specialist=False, source="PMC4146701",
                            numbers={"steps_per_day": plan.steps_per_day, "steps_now_per_day": subject.steps_per_day, "limit_steps_per_day": ENOUGH_STEPS},
                            sentence=f"The plan '{plan.name}' leaves {plan.steps_per_day:.0f} steps a day, below the {ENOUGH_STEPS:.0f} that kept people able to walk and climb: "
                                     "redistribute the load, do not rest, since muscles and function go with inactivity."))
    return out


def _summary(kl: int | None, measured: MeasuredLesions | None, volume: float | None, overloaded: Mapping[str, float]) -> tuple[str, ...]:
    lines = ["Radiograph: " + (f"KL grade {kl}." if kl is not None else "no grade given.")]
    if measured is None:
        lines.append("Lesions: not measured; what follows from load is plausibility only.")
    else:
        size = f", {volume / 1000.0:.1f} cm3 together" if volume is not None and measured.number else ""
        lines.append(f"Lesions on MRI: {_count(measured.number, 'region', 'regions')} of {COUNT}{size}; attrition in {int((measured.attrition > 0).sum())}, "
                     f"cysts in {int((measured.cyst > 0).sum())}.")
    if overloaded:
        region, share = next(iter(overloaded.items()))
        lines.append(f"Stress: {_count(len(overloaded), 'region', 'regions')} above the overstress level, most of all the {_plain(region)} ({100.0 * share:.0f} % of it).")
    else:
        lines.append("Stress: no region above the overstress level, or not computed.")
    return tuple(lines)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _plain(region: str) -> str:
    """Return a region in words: "tibia_central_medial" is "medial central tibia"."""
    if region == "tibia_subspinous":
        return "tibia below the spines"
    return " ".join(reversed(region.split("_")))
