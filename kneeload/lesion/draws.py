"""The uncertain parameters, drawn once per model: one set of values per possible world, the same for every case (common random numbers)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.lesion.model import REFERENCE_BMI, REGION_SHARE, SUBSPINOUS_LOAD_PART, Interval, LesionModel
from kneeload.subject.anatomy import MOAKS_REGIONS

Array = NDArray[np.float64]
NODES = 15  # of the quadrature over a cohort
NORMAL_95 = 1.959964  # half width of the 95 % interval of a normal distribution in standard deviations


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """S draws of the parameters (no unit unless stated).

    Attributes:
        reference_incidence: (S,) 1/year; hazard of a new lesion somewhere in the knee of the reference person.
        hazard: (S, 15) 1/year; that hazard shared out by REGION_SHARE alone (`kneeload.lesion.hazard.reference_hazard` lets stress have its say).
        by_stress: (S,) no unit; part of the share within femur and tibia that follows stress.
        mean_slope, peak_slope: (S,) no unit; log hazard per standard deviation of mean and of peak stress, both already averaged and shrunk: they add up.
        amount: (S,) no unit; part of the effect of the amount of activity that counts.
        part: (15,) no unit; how much of the effect of load counts in each region.
        meniscus_damage, meniscus_loss: (S,) no unit; log hazard that does not act through stress.
        unloading: (S,) no unit; part of the effect that comes back when load falls.
        resolution: (S,) 1/year.
        pain: (S, 3) no unit, standard normal; for the coefficients of pain.
        causal: (S,) no unit; part of the association of lesions with pain that is causal.
    """

    reference_incidence: Array
    hazard: Array
    by_stress: Array
    mean_slope: Array
    peak_slope: Array
    amount: Array
    part: Array
    meniscus_damage: Array
    meniscus_loss: Array
    unloading: Array
    resolution: Array
    pain: Array
    causal: Array


def _lognormal(interval: Interval, normal: Array) -> Array:
    """Draws whose logarithm is normal with this 95 % interval, from standard normal ones."""
    low, high = math.log(interval[0]), math.log(interval[1])
    return np.exp(0.5 * (low + high) + 0.5 * (high - low) / NORMAL_95 * normal)


def _uniform(interval: Interval, uniform: Array) -> Array:
    return interval[0] + (interval[1] - interval[0]) * uniform


def cohort_hazard_ratio(slope: Array, bmi: Array, model: LesionModel) -> Array:
    """Return (S,) no unit: mean hazard ratio of a cohort against the reference person, for log hazards `slope` (S,) per SD and mean BMI (S,) kg/m2.

    E exp(slope z), z = limit tanh(x / limit), with x normal around the higher mean stress of the cohort, SD 1 (the published spread of stress
    between persons is the unit of z); by Gauss-Hermite quadrature.
    """
    node, weight = np.polynomial.hermite_e.hermegauss(NODES)
    middle = (bmi / REFERENCE_BMI - 1.0) / model.stress_cv
    z = model.stress_limit * np.tanh((middle[:, None] + node) / model.stress_limit)
    ratio: Array = (np.exp(slope[:, None] * z) * (weight / weight.sum())).sum(axis=1)
    return ratio


@lru_cache(maxsize=8)
def draws(model: LesionModel) -> Draws:
    """Return the draws of a model; the same model gives the same draws on every machine."""
    rng = np.random.default_rng(model.seed)
    normal, uniform, more = rng.standard_normal((model.samples, 25)), rng.random((model.samples, 7)), rng.random((model.samples, 2))
    share = np.array(REGION_SHARE) * np.exp(model.share_spread * normal[:, 10:])
    share /= share.sum(axis=1, keepdims=True)
    transfer, weight = _uniform(model.transfer, uniform[:, 0]), _uniform(model.peak_weight, uniform[:, 1])
    direct = _uniform(model.meniscus_direct, uniform[:, 2])
    part = np.ones(len(MOAKS_REGIONS))
    part[MOAKS_REGIONS.index("tibia_subspinous")] = SUBSPINOUS_LOAD_PART
    none = model.unloading_none
    unloading = np.maximum(uniform[:, 3] - none, 0.0) / (1.0 - none) if none < 1.0 else np.zeros(model.samples)
    mean_slope = transfer * (1.0 - weight) * np.maximum(np.log(_lognormal(model.mean_stress_or, normal[:, 1])), 0.0)
    peak_slope = transfer * weight * np.maximum(np.log(_lognormal(model.peak_stress_or, normal[:, 2])), 0.0)
    ratio = cohort_hazard_ratio(mean_slope + peak_slope, _uniform(model.cohort_bmi, more[:, 0]), model)
    incidence = _lognormal(model.incidence_per_year, normal[:, 0]) / ratio
    result = Draws(
        reference_incidence=incidence, hazard=incidence[:, None] * share, by_stress=_uniform(model.share_by_stress, more[:, 1]),
        mean_slope=mean_slope, peak_slope=peak_slope,
        amount=_uniform(model.amount_part, uniform[:, 6]),
        part=part,
        meniscus_damage=direct * np.log(_lognormal(model.meniscus_damage_or, normal[:, 3])),
        meniscus_loss=direct * np.log(_lognormal(model.meniscus_loss_or, normal[:, 4])),
        unloading=unloading,
        resolution=_uniform(model.resolution_per_year, uniform[:, 4]),
        pain=normal[:, 5:8], causal=uniform[:, 5],
    )
    for name in Draws.__slots__:
        getattr(result, name).setflags(write=False)
    return result
