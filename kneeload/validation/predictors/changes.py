"""What interventions change, in per cent or newtons, against the same person without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kneeload.result import ActivityResult
from kneeload.subject.person import Subject
from kneeload.units import MM_PER_M, NMM_PER_NM
from kneeload.validation.bench import Bench, activity_of, change_of, peak, run, within
from kneeload.validation.predictors.registry import predictor

Parameters = Mapping[str, Any]
Window = Sequence[float] | None


def _pair(bench: Bench, subject: Subject, intervention: str, parameters: Parameters | None, activity: str,
          speed_m_s: float | None = None) -> tuple[ActivityResult, ActivityResult]:
    """The activity without and with an intervention."""
    chosen = activity_of(activity, subject, speed_m_s=speed_m_s)
    return run(bench, subject, chosen), run(bench, subject, chosen, (change_of(intervention, parameters),))


def _kam(result: ActivityResult, measure: str, window: Window) -> float:
    """Peak (N mm) of the adduction moment after a brace in a window (% of the cycle), or its stance impulse (N mm s)."""
    moment = result.loads.knee_adduction_moment
    if measure == "impulse":
        return float(np.trapezoid(np.where(result.motion.stance, np.maximum(moment, 0.0), 0.0), result.motion.time))
    return peak(moment, within(result, window))


@predictor
def kam_change_pct(bench: Bench, subject: Subject, *, intervention: str, parameters: Parameters | None = None, measure: str = "peak",
                   window: Window = None, activity: str = "walking") -> float:
    """Change of the peak (in a window, % of the cycle) or of the impulse of the adduction moment, %."""
    before, after = (_kam(result, measure, window) for result in _pair(bench, subject, intervention, parameters, activity))
    return 100.0 * (after / before - 1.0)


@predictor
def kam_change_pct_bw_ht(bench: Bench, subject: Subject, *, intervention: str, parameters: Parameters | None = None, window: Window = None,
                         activity: str = "walking") -> float:
    """Change of the peak adduction moment, % of body weight x height."""
    before, after = (_kam(result, "peak", window) for result in _pair(bench, subject, intervention, parameters, activity))
    return 100.0 * (after - before) / (subject.body_weight_n * subject.height_m * MM_PER_M)


@predictor
def kam_change_in_sd(bench: Bench, subject: Subject, *, intervention: str, parameters: Parameters | None = None, window: Window = None,
                     activity: str = "walking") -> float:
    """Change of the peak adduction moment over the published between-person SD at that peak (a standardised mean difference), no unit."""
    before, after = _pair(bench, subject, intervention, parameters, activity)
    spread = before.motion.knee_adduction_moment_sd
    assert spread is not None
    frames = within(before, window)
    at = int(np.argmax(np.where(frames, before.loads.knee_adduction_moment, -np.inf)))
    return (_kam(after, "peak", window) - _kam(before, "peak", window)) / float(spread[at])


@predictor
def peak_force_change_pct(bench: Bench, subject: Subject, *, intervention: str, compartment: str, parameters: Parameters | None = None,
                          activity: str = "walking") -> float:
    """Change of the peak force of a compartment, %."""
    before, after = (result.force(compartment).max() for result in _pair(bench, subject, intervention, parameters, activity))
    return float(100.0 * (after / before - 1.0))


@predictor
def peak_force_change_n(bench: Bench, subject: Subject, *, intervention: str, compartment: str, parameters: Parameters | None = None,
                        activity: str = "walking") -> float:
    """Change of the peak force of a compartment, N."""
    before, after = (result.force(compartment).max() for result in _pair(bench, subject, intervention, parameters, activity))
    return float(after - before)


@predictor
def peak_force_change_bw(bench: Bench, subject: Subject, *, intervention: str, compartment: str, parameters: Parameters | None = None,
                         activity: str = "walking") -> float:
    """Change of the peak force of a compartment, body weights."""
    return peak_force_change_n(bench, subject, intervention=intervention, compartment=compartment, parameters=parameters,
                               activity=activity) / subject.body_weight_n


@predictor
def brace_moment_nm_kg(bench: Bench, subject: Subject, *, valgus_deg: float) -> float:
    """Largest moment that the brace takes off the leg in walking, N m/kg."""
    before, after = _pair(bench, subject, "unloader_brace", {"valgus_deg": valgus_deg}, "walking")
    return float((before.loads.knee_adduction_moment - after.loads.knee_adduction_moment).max() / (NMM_PER_NM * subject.body_mass_kg))


@predictor
def brace_kam_change_nm(bench: Bench, subject: Subject, *, valgus_deg: float) -> float:
    """Change of the peak adduction moment by a brace, N m."""
    before, after = (_kam(result, "peak", None) for result in _pair(bench, subject, "unloader_brace", {"valgus_deg": valgus_deg},
                                                                    "walking"))
    return (after - before) / NMM_PER_NM


@predictor
def force_per_kg_lost_n(bench: Bench, subject: Subject, *, mass_kg: float, speed_m_s: float | None = None) -> float:
    """Fall of the peak compressive force per kg of body mass lost at the same speed, N/kg."""
    before, after = _pair(bench, subject, "weight_loss", {"mass_kg": mass_kg}, "walking", speed_m_s)
    return float((before.force("tibiofemoral").max() - after.force("tibiofemoral").max()) / mass_kg)


@predictor
def kam_change_per_kg(bench: Bench, subject: Subject, *, mass_kg: float, unit: str, speed_m_s: float | None = None) -> float:
    """Change of the peak adduction moment per kg of body mass lost at the same speed, "%" or "N m"."""
    before, after = (_kam(result, "peak", None) for result in _pair(bench, subject, "weight_loss", {"mass_kg": mass_kg}, "walking",
                                                                    speed_m_s))
    return (100.0 * (after / before - 1.0) if unit == "%" else (after - before) / NMM_PER_NM) / mass_kg


@predictor
def moment_change_nm(bench: Bench, subject: Subject, *, mass_kg: float, speed_m_s: float, moment_name: str) -> float:
    """Change of a peak moment by weight loss at a fixed speed, N m."""
    before, after = _pair(bench, subject, "weight_loss", {"mass_kg": mass_kg}, "walking", speed_m_s)
    if moment_name == "adduction":
        return (_kam(after, "peak", None) - _kam(before, "peak", None)) / NMM_PER_NM
    return float((after.motion.knee_extension_moment.max() - before.motion.knee_extension_moment.max()) / NMM_PER_NM)


@predictor
def force_over_kg_in_walkers_n(bench: Bench, subject: Subject, *, heavier_kg: float, speed_m_s: float) -> float:
    """Peak tibiofemoral force of a heavier person of the same height at the same speed, less that of the person, per kg, N/kg."""
    heavy = replace(subject, body_mass_kg=subject.body_mass_kg + heavier_kg)
    peaks = [run(bench, person, activity_of("walking", person, speed_m_s=speed_m_s)).force("tibiofemoral").max()
             for person in (subject, heavy)]
    return float((peaks[1] - peaks[0]) / heavier_kg)
