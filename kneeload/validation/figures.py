"""Predicted against measured curves: moments, recorded strides, a population."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kneeload.calibration.person import Calibration
from kneeload.result import ActivityResult
from kneeload.units import NMM_PER_NM
from kneeload.validation.bench import Bench, NotSimulated, Skipped, activity_of, cycle_percent, plain_static_optimisation, run
from kneeload.validation.measurement import Measurement
from kneeload.validation.predictors.moments import moment, published_moments
from kneeload.validation.predictors.people import people
from kneeload.validation.predictors.strides import stride
from kneeload.validation.table import ValidationRow
from kneeload.views.validation_plots import Panel, Series

Array = NDArray[np.float64]


def figures(bench: Bench, rows: Sequence[ValidationRow], person: Calibration | None = None) -> tuple[Panel, ...]:
    """Return the panels that the judged rows stand on: a panel is drawn only where one of its rows has a prediction."""
    judged = [row.measurement for row in rows if row.predicted is not None]
    return (*_moments(bench, judged), *_strides(bench, judged, person), *_peaks(bench, rows), *_population(bench, judged))


def _moments(bench: Bench, rows: Sequence[Measurement]) -> list[Panel]:
    """Net moments over the cycle: the published band and the prediction for the mean adult of that source."""
    panels = []
    for row in rows:
        key = row.parameters.get("activity"), row.parameters.get("moment_name")
        if row.predictor != "samples_within_sd_pct" or row.parameters.get("task") is not None or row.person is None:
            continue
        curve = published_moments()[key]  # type: ignore[index]
        motion = run(bench, row.person, activity_of(str(key[0]), row.person)).motion
        predicted = moment(motion, str(key[1])) / (NMM_PER_NM * row.person.body_mass_kg)
        words = "Internal extension" if key[1] == "extension" else "External adduction"
        panels.append(Panel(figure="Net moments (the curves of the model come from this source)",
                            title=f"{str(key[0]).replace('_', ' ').capitalize()}: {words.lower()} moment", x_label="Cycle (%)",
                            y_label="Moment (N m/kg)", series=(
            Series(label="measured, mean (dots) ± SD", kind="band", x=curve[:, 0], y=curve[:, 1], low=curve[:, 1] - curve[:, 2],
                   high=curve[:, 1] + curve[:, 2]),
            Series(label="predicted", kind="predicted", x=np.linspace(0.0, 100.0, len(predicted)), y=predicted))))
    return panels


def _strides(bench: Bench, rows: Sequence[Measurement], person: Calibration | None) -> list[Panel]:
    """Medial and lateral force of each recorded stride: measured, default, plain static optimisation, and calibrated where it was not fitted."""
    row = next((row for row in rows if row.predictor == "stride_agreement" and row.person is not None), None)
    if row is None or row.person is None:
        return []
    files = sorted({file for other in rows if other.predictor == "stride_agreement" for file in other.parameters["files"]})
    plain, panels = bench.with_muscles(plain_static_optimisation()), []
    for number, file in enumerate(files, start=1):
        try:
            default, other = stride(bench, row.person, file), stride(plain, row.person, file)
        except Skipped:
            continue
        try:
            own = None if person is None else stride(replace(bench, calibration=person), row.person, file)
        except Skipped:
            own = None
        panels += [_stride_panel(number, compartment, default, other, own) for compartment in ("medial", "lateral")]
    return panels


def _stride_panel(number: int, compartment: str, default: ActivityResult, plain: ActivityResult, own: ActivityResult | None) -> Panel:
    percent = cycle_percent(default)
    curves = [("measured", "measured", (default.motion.measured or {})[f"measured_{compartment}_force_n"]),
              ("predicted", "predicted", default.force(compartment)), ("plain static optimisation", "other", plain.force(compartment))]
    if own is not None:
        curves.append(("calibrated on other strides", "calibrated", own.force(compartment)))
    return Panel(figure="Instrumented knee", title=f"Stride {number}: {compartment} force", x_label="Cycle (%)", y_label="Force (N)",
                 series=tuple(Series(label=label, kind=kind, x=percent, y=force) for label, kind, force in curves))


_ACTIVITIES = ("walking", "stair_ascent", "stair_descent", "single_leg_standing", "standing", "chair_rise", "squat")


def _peaks(bench: Bench, rows: Sequence[ValidationRow]) -> list[Panel]:
    """Tibiofemoral, medial, lateral force over the cycle of each activity, with the measured peak as a band."""
    panels = []
    for name in _ACTIVITIES:
        row = next((row for row in rows if row.predicted is not None and row.measurement.predictor == "peak_force_pct_bw"
                    and row.measurement.parameters == {"activity": name}), None)
        if row is None:
            continue
        try:
            result = run(bench, bench.case.subject, activity_of(name, bench.case.subject))
        except NotSimulated:
            continue
        percent, weight, item = cycle_percent(result), bench.case.subject.body_weight_n / 100.0, row.measurement
        level = np.full(2, np.nan if item.measured is None else item.measured)
        panels.append(Panel(figure="Tibiofemoral force", title=name.replace("_", " ").capitalize(), x_label="Cycle (%)",
                            y_label="Force (% BW)", series=(
            Series(label="measured peak, ±15 %", kind="band", x=np.array([0.0, 100.0]), y=level, low=np.full(2, item.low or 0.0),
                   high=np.full(2, item.high or 0.0)),
            Series(label="predicted, both sides", kind="predicted", x=percent, y=result.force("tibiofemoral") / weight),
            Series(label="predicted, medial", kind="medial", x=percent, y=result.force("medial") / weight),
            Series(label="predicted, lateral", kind="lateral", x=percent, y=result.force("lateral") / weight))))
    return panels


def _population(bench: Bench, rows: Sequence[Measurement]) -> list[Panel]:
    """Peak medial force against the peak adduction moment over varied people."""
    row = next((row for row in rows if row.predictor == "population_r2"), None)
    if row is None:
        return []
    group = people(bench, row.person or bench.case.subject, row.parameters.get("size", 100), row.parameters.get("seed", 1))
    return [_cloud("Early stance", group.early_kam, group.early_medial), _cloud("Late stance", group.late_kam, group.late_medial)]


def _cloud(title: str, kam: Array, force: Array) -> Panel:
    slope, intercept = np.polyfit(kam, force, 1)
    ends = np.array([kam.min(), kam.max()])
    r2 = float(np.corrcoef(kam, force)[0, 1] ** 2)
    return Panel(figure="Varied people", title=f"{title}: R² = {r2:.2f}", x_label="Peak adduction moment (% BW × height)",
                 y_label="Peak medial force (% BW)", series=(
        Series(label="one simulated person", kind="points", x=kam, y=force),
        Series(label="regression", kind="predicted", x=ends, y=intercept + slope * ends)))
