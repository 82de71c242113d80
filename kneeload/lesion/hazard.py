"""From the load of a region to the hazard of a bone marrow lesion there: plausibility with an interval, never a diagnosis.

The hazard of region r is h_r = h0 * s_r * exp(b_mean z_mean + b_peak z_peak + meniscus), constant over the horizon, with h0 the hazard
of a person with the reference load, s_r the region's share of new lesions, and z the difference of the person's stimulus from that of the
reference person in the same region, in between-person standard deviations: mostly that of a standard day (how hard the knee is loaded), in
part that of the person's own day (how much it does). Both published stress scales thus enter only as
standard deviations of this engine's own stress. Regions are independent given their load, so that the person's risk is
1 - prod(1 - r) and equals 1 - exp(-h0 t) at the reference load.

Not in it: body mass, sex and cartilage. Mass acts through load alone (in a synthetic cohort that gives an odds ratio of 1.10 per unit of BMI, inside
the published 1.03 to 1.26); cartilage acts through contact alone (thinner cartilage is stiffer and spreads load less); age and sex have no
consistent association.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.dose import STIMULUS_QUANTILES, BoneLoad
from kneeload.errors import InputError, check_range
from kneeload.kernels.ranks import pick_ranks
from kneeload.lesion.draws import Draws, draws
from kneeload.lesion.model import LesionModel
from kneeload.lesion.risk import LesionRisk
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import Subject

Array = NDArray[np.float64]
CONTRACT_YEARS = 2.0  # `LesionRisk.risk_24mo`
GRADE_CUTS = (0.33, 0.66)  # MOAKS sizes, parts of the region
KEPT = 64  # reference persons of a population whose hazards are kept, 0.7 MB each: most of the heights that people have
_QUANTILES = (0.025, 0.5, 0.975)
_BONES = tuple(np.array([r for r, name in enumerate(MOAKS_REGIONS) if name.startswith(bone) and name != "tibia_subspinous"]) for bone in ("femur", "tibia"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RiskChange:
    """Risk after a change of load over risk before it.

    Attributes:
        relative, low, high: (15,) no unit; median and 95 % interval of parameter uncertainty.
    """

    relative: Array
    low: Array
    high: Array


def loaded_mean(quantiles: Array) -> Array:
    """Return (15,) MPa: mean of a stress over the part of a region that carries it, weighted by what it carries: integral of q^2 over that of q.

    Mean contact stress is published over the area in contact, not over a region with all that is bare in it (PMC3427397). A region's plain
    mean says little more than the force on it: a lost meniscus changes it little, though the same force then lies on half of the area.

    Args:
        quantiles: (15, 21) MPa at the parts STIMULUS_QUANTILES of the area, linear between them; a region without load gives zero.
    """
    left, right = quantiles[:, :-1], quantiles[:, 1:]
    first, second = (left + right).sum(axis=1), (left * left + left * right + right * right).sum(axis=1)
    mean: Array = np.divide(second, 1.5 * first, out=np.zeros_like(first), where=first > 0.0)
    return mean


@lru_cache(maxsize=16)  # risk and pain of one person, and many persons with one reference, need the same
def _readings(load: BoneLoad) -> tuple[Array, Array]:
    """Return (15,) MPa mean of the daily stimulus over the loaded part, and (15,) no unit: the same over the region's plain mean (nan without load)."""
    assert load.stimulus is not None and load.stimulus_quantiles is not None
    mean = loaded_mean(load.stimulus_quantiles)
    return mean, np.divide(mean, load.stimulus, out=np.full_like(mean, np.nan), where=load.stimulus > 0.0)


def _stimulus(load: BoneLoad, what: str) -> tuple[Array, Array]:
    """Return (15,) mean over the loaded part and (15,) largest daily stimulus of each region, MPa."""
    if load.stimulus is None or load.stimulus_quantiles is None:
        raise InputError("daily stimulus", where=what, got=None, allowed="a BoneLoad with stimulus and stimulus_quantiles",
                         why="the hazard follows the load of the whole day")
    if not (np.isfinite(load.stimulus).all() and (load.stimulus >= 0.0).all()):
        raise InputError("daily stimulus", where=what, got=load.stimulus.tolist(), allowed="numbers from 0 MPa up", why="it is a compressive stress")
    return _readings(load)[0], load.stimulus_quantiles[:, -1]


def _standard_stimulus(load: BoneLoad, reference: BoneLoad) -> tuple[Array, Array]:
    """Return the same for the standard day, which is known by mean and largest: how much more the loaded part has than the whole region is taken
    from the own day, or from that of the reference person where the own day has no load."""
    assert load.standard_stimulus is not None
    own, spare = _readings(load)[1], _readings(reference)[1]
    more = np.where(np.isnan(own), np.where(np.isnan(spare), 1.0, spare), own)
    return load.standard_stimulus[:, 0] * more, load.standard_stimulus[:, 1]


def _scale(reference: Array, model: LesionModel) -> Array:
    """Return (15,) MPa: one between-person standard deviation of stress in each region."""
    loaded = reference[reference > 0.0]
    if not loaded.size:
        raise InputError("reference load", where="lesion_risk", got="zero in every region", allowed="the load of a reference person",
                         why="risk is told against it")
    return model.stress_cv * np.maximum(reference, model.floor * loaded.mean())


def standard_scores(load: BoneLoad, reference: BoneLoad, model: LesionModel, *, standard_day: bool = False) -> tuple[Array, Array]:
    """Return (15,) mean (over the loaded part) and (15,) largest stimulus against the reference, in between-person standard deviations, levelling off at the limit.

    With `standard_day` both do the same amount of each activity, so that only the size of stress is compared.
    """
    own, other = _stimulus(load, "load"), _stimulus(reference, "reference")
    if standard_day and load.standard_stimulus is not None and reference.standard_stimulus is not None:
        own, other = _standard_stimulus(load, reference), _standard_stimulus(reference, reference)
    mean, peak = (model.stress_limit * np.tanh((a - b) / _scale(b, model) / model.stress_limit) for a, b in zip(own, other))
    return mean, peak


def log_stress_ratio(load: BoneLoad, reference: BoneLoad, model: LesionModel) -> Array:
    """Return (S, 15) no unit; logarithm of the hazard ratio that stress gives each region in each draw."""
    d = draws(model)
    scores = np.stack(standard_scores(load, reference, model)), np.stack(standard_scores(load, reference, model, standard_day=True))
    slopes = np.stack([d.mean_slope, d.peak_slope, d.amount * d.mean_slope, d.amount * d.peak_slope], axis=1)  # (S, 4)
    return _product(slopes, np.concatenate([scores[1], scores[0] - scores[1]]) * d.part)


def _product(slopes: Array, scores: Array) -> Array:
    """Return slopes (S, k) times scores (k, 15), added up one after the other, so that the sum does not depend on a library's threads."""
    out = slopes[:, :1] * scores[0]
    for k in range(1, scores.shape[0]):
        if scores[k].any():
            out += slopes[:, k:k + 1] * scores[k]
    return out


def log_meniscus_ratio(subject: Subject, model: LesionModel) -> Array:
    """Return (S, 15) no unit; logarithm of the hazard ratio of meniscal damage beyond its effect on stress.

    It acts on the tibia and on the central and posterior femur of its side. A torn root counts like a lost meniscus, since the ring is open.
    """
    return _log_meniscus_ratio(*_states(subject), model)


def _log_meniscus_ratio(medial: tuple[str, float | None], lateral: tuple[str, float | None], model: LesionModel) -> Array:
    d = draws(model)
    out = np.zeros((model.samples, len(MOAKS_REGIONS)))
    for side, (state, extrusion) in (("medial", medial), ("lateral", lateral)):
        effect = _meniscus_effect(state, extrusion, d, model)
        if effect is None:
            continue
        for r, region in enumerate(MOAKS_REGIONS):
            if region.endswith(side) and (region.startswith("tibia") or region.startswith(("femur_central", "femur_posterior"))):
                out[:, r] = effect
    return out


def _meniscus_effect(state: str, extrusion: float | None, d: Draws, model: LesionModel) -> Array | None:
    if state in ("removed", "root_tear"):
        return d.meniscus_loss
    if state == "extruded" or (extrusion is not None and extrusion >= model.extruded_from_mm):
        return d.meniscus_damage
    return None


def region_hazard(load: BoneLoad, reference: BoneLoad, subject: Subject, model: LesionModel) -> Array:
    """Return (S, 15) 1/year: hazard of a new lesion in each region in each draw (read-only)."""
    return _hazard(load, reference, *_states(subject), model)


def _states(subject: Subject) -> tuple[tuple[str, float | None], tuple[str, float | None]]:
    """Return what of a subject counts beyond load: state and extrusion of the medial and of the lateral meniscus."""
    return (subject.medial_meniscus, subject.medial_extrusion_mm), (subject.lateral_meniscus, subject.lateral_extrusion_mm)


@lru_cache(maxsize=2)  # risk and pain of one person need the same
def _hazard(load: BoneLoad, reference: BoneLoad, medial: tuple[str, float | None], lateral: tuple[str, float | None], model: LesionModel) -> Array:
    hazard: Array = _baseline(reference, medial, lateral, model)[0] * np.exp(log_stress_ratio(load, reference, model))
    hazard.setflags(write=False)
    return hazard


@lru_cache(maxsize=KEPT)
def reference_hazard(reference: BoneLoad, model: LesionModel) -> Array:
    """Return (S, 15) 1/year: hazard of each region of the reference person in each draw (read-only).

    Each bone keeps its published share. Within the femur and within the tibia (without the subspinous region) the share is in part the assumed
    one and in part proportional to exp(slope z), z being the region's stress against the mean of its bone: see `LesionModel.share_by_stress`.
    """
    d, stress = draws(model), _stimulus(reference, "reference")[0]
    hazard = d.hazard.copy()
    slope, part = (d.mean_slope + d.peak_slope)[:, None], d.by_stress[:, None]
    for own in _BONES:
        if (middle := float(stress[own].mean())) > 0.0:
            z = model.stress_limit * np.tanh((stress[own] / middle - 1.0) / model.stress_cv / model.stress_limit)
            by_stress = np.exp(slope * z)
            whole = d.hazard[:, own].sum(axis=1, keepdims=True)
            hazard[:, own] += part * (whole / by_stress.sum(axis=1, keepdims=True) * by_stress - d.hazard[:, own])
    hazard.setflags(write=False)
    return hazard


@lru_cache(maxsize=KEPT)
def _baseline(reference: BoneLoad, medial: tuple[str, float | None], lateral: tuple[str, float | None], model: LesionModel) -> tuple[Array, Array]:
    """Return (S, 15) 1/year hazard at the reference load, and one over the risk that it gives."""
    hazard = reference_hazard(reference, model) * np.exp(_log_meniscus_ratio(medial, lateral, model))
    with np.errstate(divide="ignore"):
        inverse = 1.0 / _risk(hazard)
    for array in (hazard, inverse):
        array.setflags(write=False)
    return hazard, inverse


def _risk(hazard: Array) -> Array:
    return 1.0 - np.exp(-CONTRACT_YEARS * hazard)  # to 1e-13 of a hazard of 0.1 % a year, in a third of the time of expm1


def quantiles(values: Array, parts: tuple[float, ...]) -> Array:
    """Return the (q, n) quantiles of values (S, n), 0 or more, over the first axis, linear between the sorted values."""
    places = np.array(parts) * (values.shape[0] - 1)
    below = places.astype(np.int64)
    above = np.minimum(below + 1, values.shape[0] - 1)
    ranked = np.empty((2 * below.shape[0], values.shape[1]))
    pick_ranks(np.ascontiguousarray(values), np.concatenate([below, above]), ranked)
    low, high = np.split(ranked, 2)
    result: Array = low + (high - low) * (places - below)[:, None]
    return result


def lesion_risk(load: BoneLoad, reference: BoneLoad, subject: Subject, model: LesionModel | None = None) -> LesionRisk:
    """Return the plausibility of a new bone marrow lesion in each region within 24 months, and within `model.horizon_years`.

    Args:
        load: of the person.
        reference: of the reference person (same sex and height, usual mass and day, mean alignment, intact menisci), by the same engine.
        subject: the person, for the state of the menisci.
        model: parameters; default LesionModel().

    Raises:
        InputError: a load without stimulus, or a reference without any load.
    """
    model = model or LesionModel()
    inverse = _baseline(reference, *_states(subject), model)[1]
    risk = _risk(region_hazard(load, reference, subject, model))
    low, middle, high = quantiles(risk, _QUANTILES)
    relative = quantiles(risk * inverse, (0.5,))[0]
    grade = np.digitize(overstressed_share(load, reference, model), (1e-12, *GRADE_CUTS)).astype(np.int8)
    over = [_over(x, model.horizon_years) for x in (middle, low, high)]
    for array in (low, middle, high, relative, grade, *over):
        array.setflags(write=False)
    return LesionRisk(risk_24mo=middle, risk_24mo_low=low, risk_24mo_high=high, relative_risk=relative, grade=grade, horizon_years=model.horizon_years,
                      risk=over[0], risk_low=over[1], risk_high=over[2])


def _over(risk_24mo: Array, years: float) -> Array:
    """Return the risk over another time at the same constant hazard: quantiles pass through, since it rises with the hazard."""
    risk: Array = risk_24mo if years == CONTRACT_YEARS else 1.0 - (1.0 - risk_24mo) ** (years / CONTRACT_YEARS)
    return risk


def overstress_level(reference: BoneLoad, model: LesionModel, relative_risk: float = 2.0) -> Array:
    """Return (15,) MPa: daily stimulus above which bone counts as overstressed.

    It is the stimulus that would multiply the hazard by `relative_risk` (by the median slope, doubled by default) if the most loaded point of
    the reference person's region rose to it. 1 gives that point's own stimulus.

    Raises:
        InputError: a relative risk below 1 or above 100.
    """
    check_range("relative risk", relative_risk, 1.0, 100.0, "", where="relative_risk", why="overstress is told as a risk above that of the reference load")
    peak = _stimulus(reference, "reference")[1]
    return peak + math.log(relative_risk) / _median_slope(model) * _scale(peak, model)


@lru_cache(maxsize=8)
def _median_slope(model: LesionModel) -> float:
    d = draws(model)
    return max(float(np.median(d.mean_slope + d.peak_slope)), 1e-9)


def overstressed_share(load: BoneLoad, reference: BoneLoad, model: LesionModel) -> Array:
    """Return (15,) no unit: part of each region's area where the daily stimulus is above the level."""
    level = overstress_level(reference, model)
    _stimulus(load, "load")
    assert load.stimulus_quantiles is not None
    share = np.zeros(len(MOAKS_REGIONS))
    for r, quantiles in enumerate(load.stimulus_quantiles):
        if quantiles[-1] > level[r]:
            below = np.searchsorted(quantiles, level[r], side="right")  # first quantile above the level
            if below == 0:
                share[r] = 1.0
                continue
            step = (level[r] - quantiles[below - 1]) / (quantiles[below] - quantiles[below - 1])
            at = STIMULUS_QUANTILES[below - 1] + step * (STIMULUS_QUANTILES[below] - STIMULUS_QUANTILES[below - 1])
            share[r] = 1.0 - at
    return share


def person_risk(risk: LesionRisk | Array) -> float:
    """Return the probability of a new lesion in at least one region within 24 months, 1 - prod(1 - r), from `risk` or its (15,) regional risks."""
    regional = risk.risk_24mo if isinstance(risk, LesionRisk) else risk
    return float(1.0 - np.prod(1.0 - regional))


def risk_change(before: BoneLoad, after: BoneLoad, reference: BoneLoad, subject: Subject, model: LesionModel | None = None) -> RiskChange:
    """Return what a change of load does to the risk of the same person: risk after over risk before, with an interval.

    More load acts with its full effect. Less load acts with a part of it from none to all: no trial has yet shown that lowering the load of
    a knee prevents or shrinks lesions, and two on weight loss found no effect. So the interval of a fall always reaches 1.
    """
    model = model or LesionModel()
    first = log_stress_ratio(before, reference, model)
    hazards = changed_hazards(first, log_stress_ratio(after, reference, model) - first, reference, subject, model)
    ratio = _risk(hazards[1]) / _risk(hazards[0])
    low, middle, high = quantiles(ratio, _QUANTILES)
    for array in (low, middle, high):
        array.setflags(write=False)
    return RiskChange(relative=middle, low=low, high=high)


def changed_hazards(first: Array, step: Array, reference: BoneLoad, subject: Subject, model: LesionModel) -> tuple[Array, Array]:
    """Return (S, 15) 1/year: hazards before and after a change of load, which acts as in `risk_change`.

    Args:
        first: (S, 15) no unit; `log_stress_ratio` of the load before.
        step: (S, 15) no unit; that of the load after less `first`.
        reference, subject, model: as in `risk_change`.
    """
    step = np.where(step < 0.0, draws(model).unloading[:, None] * step, step)
    before = _baseline(reference, *_states(subject), model)[0] * np.exp(first)
    return before, before * np.exp(step)
