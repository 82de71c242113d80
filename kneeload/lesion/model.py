"""The settings of the lesion model: published figures with their intervals, and what had to be assumed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kneeload.errors import InputError, check_range
from kneeload.subject.anatomy import MOAKS_REGIONS

REFERENCE_BMI = 23.5  # kg/m2, of the person that risks are relative to (`kneeload.simulate.reference_case`)
Interval = tuple[float, float]  # 95 % interval of a published figure, or the ends of a uniform range of an assumption

# Share of each region in the new lesions of a person with the reference load, before stress has its say (`LesionModel.share_by_stress`). By
# bone: patella 34 %, femur 26 %, tibia 40 % of 229 lesions in a midlife cohort (doi 10.1186/ar4611). Medial to lateral 35 to 18 behind the
# patella (Runhaar 2014), and taken for the tibia and the condyles as well, where sources say "medial more often" without a number (assumption).
# Trochlea: half and half, since its lateral facet is a hot spot (Bowes 2016) while patellofemoral lesions are medial overall (assumption).
# Central regions of femur and tibia are the hot spots (Bowes 2016): trochlea, central, posterior 35, 50, 15 % of the femur and anterior,
# central, posterior 20, 60, 20 % of the plateaus; subspinous 5 % of all (assumptions, each within a factor of about two: share_spread).
_MEDIAL = 35.0 / (35.0 + 18.0)
_BONE_SHARE = {
    "patella": 0.34, "femur_trochlea": 0.26 * 0.35, "femur_central": 0.26 * 0.50, "femur_posterior": 0.26 * 0.15,
    "tibia_anterior": 0.35 * 0.20, "tibia_central": 0.35 * 0.60, "tibia_posterior": 0.35 * 0.20, "tibia_subspinous": 0.05,
}


def _share(region: str) -> float:
    part, _, side = region.rpartition("_")
    if region == "tibia_subspinous":
        return _BONE_SHARE[region]
    medial = 0.5 if part == "femur_trochlea" else _MEDIAL
    return _BONE_SHARE[part] * (medial if side == "medial" else 1.0 - medial)


REGION_SHARE: tuple[float, ...] = tuple(_share(region) for region in MOAKS_REGIONS)  # adds up to 1

# Of 139 knees with a central lesion 25 had one that also reached a compartment; the others lay at the cruciate ligaments
# (doi 10.1002/art.23173). So much of the effect of load counts in the subspinous region.
SUBSPINOUS_LOAD_PART = 25.0 / 139.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionModel:
    """Parameters of hazard and pain; every result is the median and the 95 % interval over `samples` draws from them.

    Attributes:
        incidence_per_year: 95 % interval of the hazard of a new lesion somewhere in the knee in the average person of a cohort, 1/year. Three
            cohorts: 0.075 (14 % in 2 years), 0.086 (20 % in 2.6 years), 0.092 (52 % in 8 years). That person is heavier than the reference
            person and carries more: see `cohort_bmi`. Lighter, healthy cohorts had less: 0.027 (7 % in 2.7 years, doi 10.1186/ar3210) and 0.047
            (9 % in 2 years, doi 10.1016/j.semarthrit.2008.05.003).
        cohort_bmi: range of the mean body-mass index of those cohorts, kg/m2 (assumption for midlife community cohorts). The load of a knee follows
            body mass, so that their stress lies on average (cohort_bmi / 23.5 - 1) above that of the reference person, and by one standard deviation
            (`stress_cv`) around it. The hazard at the reference load is the published incidence over the mean hazard ratio of such a cohort, as
            baseline hazards of risk models are made from population incidence (Gail 1989, J Natl Cancer Inst 81:1879).
        horizon_years: time over which `LesionRisk.risk` is told, years; the hazard is constant over it. The longest cohort saw 8 years.
        share_spread: standard deviation of the logarithm of each region's share, no unit. Assumption.
        share_by_stress: range of the part of the share, within the femur and within the tibia, that follows the stress of the reference person in
            place of REGION_SHARE: exp(slope z) with the slopes below and z the region's stress against the mean of its bone. The odds ratios were
            measured between places of one knee, so they say which place is first; how much of that is place itself is not known: none to all.
        mean_stress_or, peak_stress_or: 95 % intervals of the odds ratio of a worsening lesion per unit of mean and of peak contact stress
            in the same subregion, PMC3427397: 6.6 (2.7 to 16.5) and 2.3 (1.5 to 3.6).
        stress_cv: between-person standard deviation over mean of contact stress, no unit: 0.9 / 3.3 MPa (doi 10.1097/PHM.0000000000001899).
            One standard deviation is taken as the unit of the odds ratios, which their source does not name; per MPa it would be 0.9 of it.
        transfer: range of the part of the published effect that is applied. 1 takes it at its word; 0.2 is what other figures leave of it:
            RR 1.7 between the more and the less loaded compartment, or an odds ratio of 2.47 between outer tertiles of stress (for pain).
            The source compares subregions within 38 knees, so that location itself confounds. Assumption.
        peak_weight: range of the weight of the reading by peak stress against that by mean stress. They are two readings of one load and are
            averaged, never multiplied; the mean is the stronger predictor, so at most one half. Assumption.
            "Mean" is read as DEA reads it, over what is loaded: see `kneeload.lesion.hazard.loaded_mean`.
        stress_limit: standard deviations at which the effect of stress levels off, no unit: the published range of stress ends there.
        floor: a region counts as carrying at least this part of the knee's average reference stimulus when its scale is set, no unit. Assumption.
        amount_part: range of the part of the effect of the amount of activity that counts. The odds ratios are for the size of stress; for the
            number of steps the sources do not agree (moderate activity goes with fewer lesions, prevalence ratio 0.93, vigorous activity with
            more medial ones, 1.02, doi 10.1186/s13075-016-0938-9). 0: only how hard the knee is loaded counts; 1: the daily stimulus
            of the person's own day. Assumption.
        meniscus_damage_or, meniscus_loss_or: 95 % intervals of the odds ratio of an enlarging lesion with extruded or deformed and with
            macerated meniscus: 2.17 (1.37 to 3.45) and 3.12 (1.87 to 5.19), doi 10.1016/j.joca.2016.08.004 (2.47 and 5.85 for lesion size).
        meniscus_direct: range of the part (of the logarithm) that does not act through contact stress, which is in the load already. Assumption.
        extruded_from_mm: extrusion that counts as damage, mm; the usual limit of 3 mm (2.7 mm is the mean of knees without damage, PMC6420611).
        unloading_none: probability that less load does not lower the hazard at all (two trials of weight loss found no effect on lesions:
            Gudbergsen 2013 and IDEA, PMC9178604). Otherwise any part from none to all of the effect, equally likely. Assumption.
        resolution_per_year: range of the hazard that a lesion disappears, 1/year: 0.091 (21 % in 2.6 years) to 0.31 (46 % in 2 years).
        samples: number of draws.
        seed: of the draws; the same seed gives the same result.
    """

    incidence_per_year: Interval = (0.060, 0.110)
    cohort_bmi: Interval = (25.0, 28.0)
    horizon_years: float = 2.0
    share_spread: float = 0.35
    share_by_stress: Interval = (0.0, 1.0)
    mean_stress_or: Interval = (2.7, 16.5)
    peak_stress_or: Interval = (1.5, 3.6)
    stress_cv: float = 0.9 / 3.3
    transfer: Interval = (0.2, 1.0)
    peak_weight: Interval = (0.0, 0.5)
    stress_limit: float = 2.5
    floor: float = 0.5
    amount_part: Interval = (0.0, 0.5)
    meniscus_damage_or: Interval = (1.37, 3.45)
    meniscus_loss_or: Interval = (1.87, 5.19)
    meniscus_direct: Interval = (0.0, 0.5)
    extruded_from_mm: float = 3.0
    unloading_none: float = 0.1
    resolution_per_year: Interval = (0.091, 0.31)
    samples: int = 2000
    seed: int = 20260

    def __post_init__(self) -> None:
        for name in _INTERVALS:
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("incidence_per_year", "mean_stress_or", "peak_stress_or", "meniscus_damage_or", "meniscus_loss_or", "resolution_per_year"):
            _check_interval(name, getattr(self, name), 1e-6, 1e3)
        _check_interval("cohort_bmi", self.cohort_bmi, REFERENCE_BMI, 40.0)
        for name in ("transfer", "share_by_stress", "peak_weight", "amount_part", "meniscus_direct"):
            _check_interval(name, getattr(self, name), 0.0, 1.0)
        for name, low, high in (("horizon_years", 0.1, 10.0), ("share_spread", 0.0, 2.0), ("stress_cv", 0.01, 2.0), ("stress_limit", 0.5, 10.0), ("floor", 0.01, 1.0),
                                ("extruded_from_mm", 0.0, 12.0), ("unloading_none", 0.0, 1.0), ("samples", 50, 1_000_000), ("seed", 0, 2**63)):
            check_range(name.replace("_", " "), getattr(self, name), low, high, "", where=f"lesion.{name}", why="outside it the model has no meaning")


_INTERVALS = ("incidence_per_year", "cohort_bmi", "share_by_stress", "mean_stress_or", "peak_stress_or", "transfer", "peak_weight", "amount_part", "meniscus_damage_or", "meniscus_loss_or",
              "meniscus_direct", "resolution_per_year")


def _check_interval(name: str, interval: Interval, low: float, high: float) -> None:
    if not (len(interval) == 2 and all(math.isfinite(x) for x in interval) and low <= interval[0] <= interval[1] <= high):
        raise InputError(name.replace("_", " "), where=f"lesion.{name}", got=interval, allowed=f"two numbers in order, from {low:g} to {high:g}",
                         why="it is an interval of a published figure or an assumption")
