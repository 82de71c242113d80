"""Joint forces of the activities: peaks, shares, order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kneeload.result import ActivityResult
from kneeload.simulate import anatomy_of
from kneeload.subject.person import Subject
from kneeload.units import DEG, MM_PER_M
from kneeload.validation.bench import Bench, activity_of, peak, run, within
from kneeload.validation.predictors.registry import predictor

Window = Sequence[float] | None


def _peak_n(bench: Bench, subject: Subject, activity: str, compartment: str = "tibiofemoral", window: Window = None,
            speed_m_s: float | None = None) -> float:
    result = run(bench, subject, activity_of(activity, subject, speed_m_s=speed_m_s))
    return peak(result.force(compartment), within(result, window))


@predictor
def peak_force_bw(bench: Bench, subject: Subject, *, activity: str, compartment: str = "tibiofemoral", window: Window = None,
                  speed_m_s: float | None = None) -> float:
    """Largest force of a compartment in a window (% of the cycle), body weights."""
    return _peak_n(bench, subject, activity, compartment, window, speed_m_s) / subject.body_weight_n


@predictor
def peak_force_pct_bw(bench: Bench, subject: Subject, *, activity: str, compartment: str = "tibiofemoral", window: Window = None,
                      speed_m_s: float | None = None) -> float:
    """The same, % of body weight."""
    return 100.0 * _peak_n(bench, subject, activity, compartment, window, speed_m_s) / subject.body_weight_n


@predictor
def peak_ratio(bench: Bench, subject: Subject, *, activity: str, other: str, compartment: str = "tibiofemoral") -> float:
    """Peak force of one activity over that of another, no unit."""
    return _peak_n(bench, subject, activity, compartment) / _peak_n(bench, subject, other, compartment)


@predictor
def patellofemoral_over_tibiofemoral(bench: Bench, subject: Subject, *, activity: str) -> float:
    """Peak patellofemoral over peak tibiofemoral force, no unit."""
    return _peak_n(bench, subject, activity, "patellofemoral") / _peak_n(bench, subject, activity)


@predictor
def pairs_out_of_order(bench: Bench, subject: Subject, *, rising: Sequence[str], about_equal: Sequence[Sequence[str]] = ()) -> float:
    """Pairs of activities whose peaks do not rise as listed; pairs called about equal are not counted."""
    free = {frozenset(pair) for pair in about_equal}
    peaks = {name: _peak_n(bench, subject, name) for name in rising}
    return float(sum(peaks[low] >= peaks[high] for low, high in combinations(rising, 2) if frozenset((low, high)) not in free))


@predictor
def activities_below_bw(bench: Bench, subject: Subject, *, activities: Sequence[str], level: float) -> float:
    """Number of activities whose peak tibiofemoral force is below a level in body weights."""
    return float(sum(_peak_n(bench, subject, name) < level * subject.body_weight_n for name in activities))


@predictor
def activities_with_larger_lateral_peak(bench: Bench, subject: Subject, *, activities: Sequence[str]) -> float:
    """Number of activities with more lateral than medial peak force."""
    return float(sum(_peak_n(bench, subject, name, "lateral") > _peak_n(bench, subject, name, "medial") for name in activities))


@predictor
def medial_share_pct(bench: Bench, subject: Subject, *, activity: str, at: str = "peak", force_n: float | None = None) -> float:
    """Medial part of the tibiofemoral force, %, at the peak of the total or of the stance impulse ("impulse")."""
    chosen = activity_of(activity, subject)
    if force_n is not None:
        chosen = type(chosen)(name=activity, force_n=force_n)
    result = run(bench, subject, chosen)
    medial, total = result.force("medial"), result.force("tibiofemoral")
    if at == "impulse":
        on_ground = result.motion.stance
        return float(100.0 * medial[on_ground].sum() / total[on_ground].sum())
    frame = int(np.argmax(total))
    return float(100.0 * medial[frame] / total[frame])


@predictor
def flexion_at_peak_deg(bench: Bench, subject: Subject, *, activity: str) -> float:
    """Knee flexion at the peak tibiofemoral force, degrees."""
    result = run(bench, subject, activity_of(activity, subject))
    return float(result.motion.knee_flexion[int(np.argmax(result.force("tibiofemoral")))] / DEG)


@predictor
def axial_over_shear(bench: Bench, subject: Subject, *, activity: str) -> float:
    """Peak axial force over peak fore-aft force between the bones (contact and cruciate ligaments together), no unit."""
    result = run(bench, subject, activity_of(activity, subject))
    return float(result.force("tibiofemoral").max() / np.abs(result.loads.wrench_force[:, 0]).max())


@predictor
def frontal_implant_moment_pct_bw_m(bench: Bench, subject: Subject, *, activities: Sequence[str], extreme: str) -> float:
    """Extreme frontal moment of both contact forces about the tibia's middle, % of body weight x m, medial loading negative.

    The two forces act at the contact centres; `extreme` is "adduction" (most negative) or "abduction" (most positive).
    """
    moments = [_frontal_moment(bench, subject, run(bench, subject, activity_of(name, subject))) for name in activities]
    joined = 100.0 * np.concatenate(moments) / (subject.body_weight_n * MM_PER_M)
    return float(joined.min() if extreme == "adduction" else joined.max())


def _frontal_moment(bench: Bench, subject: Subject, result: ActivityResult) -> NDArray[np.float64]:
    """(T,) N mm."""
    anatomy = anatomy_of(bench.case_of(subject))
    z = [np.interp(result.motion.knee_flexion, anatomy.contact_centres_flexion, anatomy.contact_centres_mm[:, side, 1]) for side in (0, 1)]
    half = 0.5 * (z[1] - z[0])
    return half * (result.force("lateral") - result.force("medial"))


@predictor
def muscle_share_pct(bench: Bench, subject: Subject, *, activity: str) -> float:
    """Part of the peak tibiofemoral force that is not the net axial force of inverse dynamics, %."""
    result = run(bench, subject, activity_of(activity, subject))
    total = result.force("tibiofemoral")
    frame = int(np.argmax(total))
    return float(100.0 * (1.0 - result.motion.net_axial_force[frame] / total[frame]))


@predictor
def faster_peak_change_pct(bench: Bench, subject: Subject, *, slow_m_s: float, fast_m_s: float, window: Window) -> float:
    """Change of the peak tibiofemoral force in a window (% of the cycle) from a slow to a fast walk, %."""
    slow, fast = (_peak_n(bench, subject, "walking", window=window, speed_m_s=speed) for speed in (slow_m_s, fast_m_s))
    return 100.0 * (fast / slow - 1.0)


@predictor
def co_contraction_bw(bench: Bench, subject: Subject, *, activity: str, window: Window) -> float:
    """Peak force in a window (% of stance) above that of the same model without co-contraction, body weights."""
    chosen = activity_of(activity, subject)
    peaks = []
    for variant in (bench, bench.with_muscles(replace(bench.case.muscles, co_contraction=False))):
        result = run(variant, subject, chosen)
        peaks.append(peak(result.force("tibiofemoral"), within(result, window, of="stance")))
    return (peaks[0] - peaks[1]) / subject.body_weight_n
