"""What interventions change, any quantity and compartment, one rule for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from kneeload import interventions
from kneeload.case import Case
from kneeload.errors import InputError
from kneeload.lesion.hazard import person_risk
from kneeload.result import COMPARTMENT_OF_REGION, ActivityResult, KneeResult, compartment_dose
from kneeload.simulate import simulate
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import Subject
from kneeload.units import NMM_PER_NM
from kneeload.validation.bench import Bench, activity_of, change_of, contact_of, run, within
from kneeload.validation.predictors.registry import predictor


def _of_activity(result: ActivityResult, quantity: str, compartment: str, window: list[float] | None) -> float:
    frames = within(result, window)
    if quantity == "peak_force":
        return float(result.force(compartment)[frames].max())
    if quantity == "impulse":
        return float(np.trapezoid(np.where(frames, result.force(compartment), 0.0), result.motion.time))
    if quantity == "share_of_impulse":
        return 100.0 * float(np.trapezoid(result.force(compartment), result.motion.time) / np.trapezoid(result.force("tibiofemoral"), result.motion.time))
    if quantity == "share_at_peak":
        at = int(np.argmax(np.where(frames, result.force("tibiofemoral"), -np.inf)))
        return 100.0 * float(result.force(compartment)[at] / result.force("tibiofemoral")[at])
    if quantity == "extension_moment":
        return float(result.motion.knee_extension_moment[frames].max())
    if quantity in ("peak_pressure", "mean_pressure", "contact_area"):
        return float(getattr(getattr(contact_of(result), compartment), quantity)[frames].max())
    raise InputError("quantity", where="predictor change_after", got=quantity, allowed="a force, share, moment, pressure or area", why="nothing else is compared")


@predictor
def change_after(bench: Bench, subject: Subject, *, intervention: str, quantity: str, compartment: str = "tibiofemoral", parameters: Mapping[str, Any] | None = None,
                 activity: str = "walking", window: list[float] | None = None, unit: str = "%") -> float:
    """Change of a quantity of one activity by an intervention: "%" of that before, "difference" in its own unit (shares: points), or "ratio"."""
    chosen = activity_of(activity, subject)
    before, after = (_of_activity(run(bench, subject, chosen, changes), quantity, compartment, window)
                     for changes in ((), (change_of(intervention, parameters),)))
    return after - before if unit == "difference" else after / before if unit == "ratio" else 100.0 * (after / before - 1.0)


@predictor
def force_over_moment_fall(bench: Bench, subject: Subject, *, intervention: str, window: list[float], parameters: Mapping[str, Any] | None = None) -> float:
    """Relative fall of the peak medial force over that of the peak adduction moment in a window of walking, no unit."""
    chosen = activity_of("walking", subject)
    before, after = (run(bench, subject, chosen, changes) for changes in ((), (change_of(intervention, parameters),)))
    frames = within(before, window)
    force, moment = ([item[frames].max() for item in pair] for pair in ((before.force("medial"), after.force("medial")),
                                                                        (before.loads.knee_adduction_moment, after.loads.knee_adduction_moment)))
    return float((1.0 - force[1] / force[0]) / (1.0 - moment[1] / moment[0]))


@predictor
def moment_difference_nm(bench: Bench, subject: Subject, *, intervention: str, moment_name: str, parameters: Mapping[str, Any] | None = None) -> float:
    """Change of a peak moment of walking ("extension" or "adduction"), N m."""
    chosen = activity_of("walking", subject)
    before, after = (run(bench, subject, chosen, changes) for changes in ((), (change_of(intervention, parameters),)))
    peaks = [item.motion.knee_extension_moment.max() if moment_name == "extension" else item.loads.knee_adduction_moment.max() for item in (before, after)]
    return float(peaks[1] - peaks[0]) / NMM_PER_NM


@predictor
def kam_residual_pct(bench: Bench, subject: Subject, *, intervention: str, parameters: Mapping[str, Any] | None = None) -> float:
    """Peak adduction moment of walking after an intervention, % of that before."""
    chosen = activity_of("walking", subject)
    before, after = (run(bench, subject, chosen, changes).loads.knee_adduction_moment.max() for changes in ((), (change_of(intervention, parameters),)))
    return float(100.0 * after / before)


@predictor
def uncut_over_released(bench: Bench, subject: Subject, *, correction_deg: float) -> float:
    """Medial impulse of walking after an opening wedge with the medial ligament uncut over that with it released, no unit."""
    chosen = activity_of("walking", subject)
    uncut, released = (_of_activity(run(bench, subject, chosen, (change_of("osteotomy", {"correction_deg": correction_deg, "mcl_released": cut}),)), "impulse", "medial", None)
                       for cut in (False, True))
    return uncut / released


@lru_cache(maxsize=32)
def _day(bench: Bench, subject: Subject, changes: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]) -> KneeResult:
    case: Case = replace(bench.case, subject=subject)
    for name, parameters in changes:
        case = interventions.apply(case, name, dict(parameters))
    return simulate(replace(case, baseline=None))


@predictor
def day_change_pct(bench: Bench, subject: Subject, *, intervention: str, quantity: str, compartment: str, parameters: Mapping[str, Any] | None = None) -> float:
    """Change of a compartment's daily dose or of its risk within 24 months ("dose", "risk") by an intervention, over the whole day, %."""
    values = []
    for changes in ((), (change_of(intervention, parameters),)):
        result = _day(bench, subject, changes)
        if quantity == "dose":
            values.append(compartment_dose(result)[compartment])
        else:
            assert result.lesion is not None
            own = [r for r, region in enumerate(MOAKS_REGIONS) if COMPARTMENT_OF_REGION.get(region) == compartment]
            values.append(person_risk(result.lesion.risk_24mo[own]))
    return 100.0 * (values[1] / values[0] - 1.0)
