"""A population of varied people, and what explains their loads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.motion.limb import REFERENCE_VARUS_DEG
from kneeload.subject.person import Subject
from kneeload.units import MM_PER_M
from kneeload.validation.bench import Bench, run
from kneeload.validation.predictors.registry import predictor

Array = NDArray[np.float64]

HEIGHT_M, HEIGHT_SD_M = 1.71, 0.10  # Bovi 2011, doi 10.1016/j.gaitpost.2010.08.009: 20 adults
BMI, BMI_SD = 23.4, 4.65  # from the masses of the same adults, 68.5 (SD 15.8) kg, with BMI and height independent (assumption)
VARUS_SD_DEG = 2.3  # Bellemans 2012, doi 10.1007/s11999-011-1936-5: 250 adults, 1.3 (SD 2.3) degrees
SPEED, SPEED_SD = 0.714, 0.102  # body heights per second, Bovi 2011
HEIGHTS = 4  # heights per sex, at the middles of equal quantiles: each needs a knee of its own
REACH_SD = 2.5  # draws stay within it
EARLY, LATE = (5.0, 35.0), (35.0, 60.0)  # windows of the two peaks, % of the cycle


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """What was computed for n people who walk.

    Attributes:
        varus_deg: (n,) degrees.
        early_kam, late_kam: (n,) no unit; peak external adduction moment, % of body weight x height.
        early_extension: (n,) no unit; peak internal extension moment, % of body weight x height.
        early_medial, late_medial: (n,) no unit; peak medial force, % of body weight.
        peak_total: (n,) no unit; peak tibiofemoral force, % of body weight.
        medial_share: (n,) no unit; medial part of the total at the early peak of the total.
        stance_kam, stance_medial: (samples,) no unit; all stance samples of all people, units as above.
    """

    varus_deg: Array
    early_kam: Array
    late_kam: Array
    early_extension: Array
    early_medial: Array
    late_medial: Array
    peak_total: Array
    medial_share: Array
    stance_kam: Array
    stance_medial: Array


@lru_cache(maxsize=8)
def people(bench: Bench, base: Subject, size: int, seed: int) -> People:
    """Draw a Latin hypercube of people around published means and let each walk.

    Varied: sex, height, body-mass index, alignment, natural speed, and how far the person's own extension and adduction moment lie from
    the mean (in between-person SDs). The published SD of the adduction moment contains alignment,
    so its score is scaled to what alignment leaves. All are drawn independently (assumption).
    """
    from scipy.stats import norm, qmc

    draws = np.clip(norm.ppf(qmc.LatinHypercube(d=7, seed=seed).random(size)), -REACH_SD, REACH_SD)
    left = _score_left_by_alignment(base)
    walkers = sorted((_walker(base, draw, left) for draw in draws), key=lambda pair: (pair[0].sex, pair[0].height_m))
    rows: dict[str, list[Any]] = {item.name: [] for item in fields(People)}
    for subject, activity in walkers:
        for name, value in _measures(bench, subject, activity).items():
            rows[name].append(value)
    return People(**{name: np.concatenate([np.atleast_1d(value) for value in values]) for name, values in rows.items()})


def _walker(base: Subject, draw: Array, score_left: float) -> tuple[Subject, Activity]:
    """A person and the way they walk, from seven standard normal numbers."""
    from scipy.stats import norm

    level = (np.floor(norm.cdf(draw[1]) * HEIGHTS) + 0.5) / HEIGHTS
    height = HEIGHT_M + HEIGHT_SD_M * float(norm.ppf(level))
    varus = REFERENCE_VARUS_DEG + VARUS_SD_DEG * draw[3]
    subject = replace(base, sex="male" if draw[0] > 0.0 else "female", height_m=height,
                      body_mass_kg=float((BMI + BMI_SD * max(draw[2], -1.4)) * height**2),
                      ldfa_deg=base.ldfa_deg + float(varus - base.varus_deg))
    return subject, Activity(name="walking", speed_m_s=float((SPEED + SPEED_SD * draw[6]) * height), extension_moment_z=float(draw[4]),
                             adduction_moment_z=float(draw[5] * score_left))


def _score_left_by_alignment(base: Subject) -> float:
    """SD of the adduction moment's score that, with the spread of alignment, gives the published SD at the first peak; no unit."""
    person = replace(base, ldfa_deg=base.ldfa_deg + REFERENCE_VARUS_DEG - base.varus_deg)
    usual = motion_for(Activity(name="walking"), person)
    varus = motion_for(Activity(name="walking"), replace(person, ldfa_deg=person.ldfa_deg + VARUS_SD_DEG))
    assert usual.knee_adduction_moment_sd is not None
    at = int(np.argmax(usual.knee_adduction_moment[:35]))
    share = (varus.knee_adduction_moment[at] - usual.knee_adduction_moment[at]) / usual.knee_adduction_moment_sd[at]
    return float(np.sqrt(max(0.0, 1.0 - share**2)))


def _measures(bench: Bench, subject: Subject, activity: Activity) -> dict[str, Any]:
    result = run(bench, subject, activity)
    motion, weight = result.motion, subject.body_weight_n / 100.0
    kam = motion.knee_adduction_moment / (weight * subject.height_m * MM_PER_M)
    extension = motion.knee_extension_moment / (weight * subject.height_m * MM_PER_M)
    medial, total = result.force("medial") / weight, result.force("tibiofemoral") / weight
    percent = np.linspace(0.0, 100.0, len(motion.time))
    early, late = ((percent >= low) & (percent <= high) for low, high in (EARLY, LATE))
    frame = int(np.argmax(np.where(early, total, -np.inf)))
    return {
        "varus_deg": subject.varus_deg, "early_kam": kam[early].max(), "late_kam": kam[late].max(),
        "early_extension": extension[early].max(),
        "early_medial": medial[early].max(), "late_medial": medial[late].max(), "peak_total": total.max(),
        "medial_share": medial[frame] / total[frame],
        "stance_kam": kam[motion.stance], "stance_medial": medial[motion.stance],
    }


def explained(target: Array, *causes: Array) -> float:
    """R2 of a linear regression of `target` (n,) on `causes` (n,) each, no unit."""
    design = np.stack([np.ones_like(target), *causes], axis=1)
    residual = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    centred = target - target.mean()
    return float(1.0 - (residual @ residual) / (centred @ centred))


@predictor
def population_r2(bench: Bench, subject: Subject, *, target: str, causes: Sequence[str], size: int = 100, seed: int = 1) -> float:
    """R2 of one measure of `People` on others, over people who walk."""
    group = people(bench, subject, size, seed)
    return explained(getattr(group, target), *(getattr(group, name) for name in causes))


@predictor
def population_r2_gain(bench: Bench, subject: Subject, *, target: str, causes: Sequence[str], added: str, size: int = 100,
                       seed: int = 1) -> float:
    """What one more cause adds to that R2."""
    fewer = population_r2(bench, subject, target=target, causes=causes, size=size, seed=seed)
    return population_r2(bench, subject, target=target, causes=[*causes, added], size=size, seed=seed) - fewer


@predictor
def peak_spread_among(bench: Bench, subject: Subject, *, persons: int, size: int = 100, seed: int = 1) -> float:
    """Highest over lowest peak tibiofemoral force (in body weights) among a few people: mean over random groups of that size, no unit."""
    peaks = people(bench, subject, size, seed).peak_total
    groups = np.random.default_rng(seed).choice(peaks, size=(2000, persons))
    return float(np.mean(groups.max(axis=1) / groups.min(axis=1)))
