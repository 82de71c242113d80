"""Load-related pain by activity, from the lesions that the load makes plausible or that were measured. Never a diagnosis, and most pain is not explained by it.

Lesions explain little of a person's pain: 1.4 to 5.7 % of its variance in knees with early osteoarthritis
(doi 10.1302/2633-1462.67.BJO-2025-0010.R1), less than tendinitis in the same models. The index is the mean pain of people with this load
over that of people with the reference load; single persons scatter far more widely.

Pain at rest is a constant here: in 1,412 knees no region's lesions went with non-weight-bearing pain (doi 10.1186/s13075-021-02422-0, seed). It is
not free of structure, though: knees with the severe MRI pattern had night pain with an odds ratio of 11.2 (2.1 to 59.2, n = 130, doi
10.1186/s12891-020-03686-4). What changes it is simply not in this model.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.dose import BoneLoad
from kneeload.lesion.draws import draws
from kneeload.lesion.hazard import quantiles, reference_hazard, region_hazard
from kneeload.lesion.model import LesionModel
from kneeload.lesion.risk import PainIndex
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import Subject

if TYPE_CHECKING:  # only for annotations: a run without measured lesions need not load it
    from kneeload.lesion.measured import MeasuredLesions

Array = NDArray[np.float64]
EXPLAINED_VARIANCE = (0.014, 0.057)  # range of the part of pain that lesion scores explain, as above
REST = PainIndex(relative=1.0, low=1.0, high=1.0)  # constant, as above

# Change of weight-bearing pain (log rate ratio) per change of the medial tibiofemoral score over 24 months, 582 knees; p = 0.01. Known only from an
# article about the study (seed), so that the interval is taken twice as wide as its p value says.
CHANGE_COEFFICIENT, CHANGE_ERROR = 0.10, 2.0 * 0.10 / 2.576

# Mean MOAKS size grade of a lesion: grades 1, 2, 3 in 10.7, 4.3, 1.8 % of adults of 31 to 41 years (doi 10.1186/s13075-016-0938-9).
MEAN_GRADE = (10.7 + 2.0 * 4.3 + 3.0 * 1.8) / (10.7 + 4.3 + 1.8)

_MEDIAL_TIBIOFEMORAL = ("femur_central_medial", "femur_posterior_medial", "tibia_anterior_medial", "tibia_central_medial", "tibia_posterior_medial")
_LATERAL_PATELLOFEMORAL = ("patella_lateral", "femur_trochlea_lateral")

# Log rate ratio of pain per unit of the compartment's summed score, and its standard error from the p value (0.01, 0.04, 0.02):
# 1,412 varus knees, cross-sectional, doi 10.1186/s13075-021-02422-0; the value for stairs is quoted from it at second hand.
PAIN_COEFFICIENTS: dict[str, tuple[tuple[str, ...], float, float]] = {
    "walking": (_MEDIAL_TIBIOFEMORAL, 0.11, 0.11 / 2.576),
    "standing": (_MEDIAL_TIBIOFEMORAL, 0.10, 0.10 / 2.054),
    "stairs": (_LATERAL_PATELLOFEMORAL, 0.14, 0.14 / 2.326),
}


def expected_score(hazard: NDArray[np.float64], resolution: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the expected MOAKS score of each region, (S, k) no unit, when lesions come with `hazard` (S, k) and go with `resolution` (S,), 1/year.

    It is the balance of the two, hazard / (hazard + resolution), times the mean grade: what the load leads to if it goes on.
    """
    return MEAN_GRADE * hazard / (hazard + resolution[:, None])


def pain(load: BoneLoad, reference: BoneLoad, subject: Subject, model: LesionModel | None = None, *, measured: MeasuredLesions | None = None) -> dict[str, PainIndex]:
    """Return load-related pain in walking, standing and on stairs relative to the reference person, with 95 % intervals.

    Walking and standing follow the medial tibiofemoral score, stairs the lateral patellofemoral one. The published association is
    cross-sectional, so that any part of it from none to all may be causal. With `measured` the scores of this knee's MRI stand in the place of
    the expected ones; the reference keeps its expected score.

    Raises:
        InputError: a load without stimulus, or a reference without any load.
    """
    model = model or LesionModel()
    d = draws(model)
    reference_score = _reference_score(reference, model)
    hazard = region_hazard(load, reference, subject, model)
    ratio = np.empty((model.samples, len(PAIN_COEFFICIENTS)))
    for k, (regions, coefficient, error) in enumerate(PAIN_COEFFICIENTS.values()):
        slope = d.causal * np.maximum(coefficient + error * d.pain[:, k], 0.0)
        more = _measured_more(regions, measured, reference_score) if measured is not None else _more(regions, hazard, reference_score, d.resolution)
        ratio[:, k] = np.exp(slope * more)
    low, middle, high = quantiles(ratio, (0.025, 0.5, 0.975))
    return {activity: PainIndex(relative=float(middle[k]), low=float(low[k]), high=float(high[k])) for k, activity in enumerate(PAIN_COEFFICIENTS)}


def _more(regions: tuple[str, ...], hazard: Array, reference_score: Array, resolution: Array) -> Array:
    """Return (S,) no unit: by how much the expected score summed over some regions exceeds that of the reference person."""
    columns = [MOAKS_REGIONS.index(region) for region in regions]
    more: Array = (expected_score(hazard[:, columns], resolution) - reference_score[:, columns]).sum(axis=1)
    return more


def _measured_more(regions: tuple[str, ...], measured: MeasuredLesions, reference_score: Array) -> Array:
    """Return (S,) no unit: by how much the measured score summed over some regions exceeds the expected one of the reference person."""
    columns = [MOAKS_REGIONS.index(region) for region in regions]
    more: Array = float(measured.grade[columns].sum()) - reference_score[:, columns].sum(axis=1)
    return more


def pain_change(before: MeasuredLesions, after: MeasuredLesions, model: LesionModel | None = None) -> PainIndex:
    """Return weight-bearing pain at the second date over that at the first, from the change of the medial tibiofemoral score, with a 95 % interval."""
    model = model or LesionModel()
    d = draws(model)
    columns = [MOAKS_REGIONS.index(region) for region in _MEDIAL_TIBIOFEMORAL]
    change = float(after.grade[columns].sum()) - float(before.grade[columns].sum())
    slope = d.causal * np.maximum(CHANGE_COEFFICIENT + CHANGE_ERROR * d.pain[:, 0], 0.0)
    low, middle, high = quantiles(np.exp(slope * change)[:, None], (0.025, 0.5, 0.975))[:, 0]
    return PainIndex(relative=float(middle), low=float(low), high=float(high))


def pain_ratio(before: Array, after: Array, model: LesionModel) -> Array:
    """Return (S, 3) no unit: load-related pain in walking, standing and on stairs after a change over that before, when both hazards (S, 15) 1/year go on."""
    d = draws(model)
    ratio = np.empty((model.samples, len(PAIN_COEFFICIENTS)))
    for k, (regions, coefficient, error) in enumerate(PAIN_COEFFICIENTS.values()):
        columns = [MOAKS_REGIONS.index(region) for region in regions]
        more = (expected_score(after[:, columns], d.resolution) - expected_score(before[:, columns], d.resolution)).sum(axis=1)
        ratio[:, k] = np.exp(d.causal * np.maximum(coefficient + error * d.pain[:, k], 0.0) * more)
    return ratio


@lru_cache(maxsize=8)
def _reference_score(reference: BoneLoad, model: LesionModel) -> NDArray[np.float64]:
    score = expected_score(reference_hazard(reference, model), draws(model).resolution)
    score.setflags(write=False)
    return score
