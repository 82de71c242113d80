"""Strides of a person with a force-measuring knee: predicted against measured compartment forces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.forces.agreement import compare_with_measured
from kneeload.motion.activity import Activity
from kneeload.result import ActivityResult
from kneeload.subject.person import Subject
from kneeload.units import NMM_PER_NM
from kneeload.validation.bench import Bench, Skipped, peak, run, within
from kneeload.validation.predictors.registry import predictor

Window = Sequence[float]


def stride(bench: Bench, subject: Subject, file: str) -> ActivityResult:
    """One recorded stride of a person, predicted.

    Raises:
        Skipped: the recording is not at hand, or the calibration was fitted to it, so that it tests nothing.
    """
    if bench.calibration is not None and Path(file).name in bench.calibration.strides:
        raise Skipped(f"the calibration was fitted to {Path(file).name}: it tests nothing there")
    return run(bench, subject, Activity(name="recorded", file=str(bench.file(file))))


def _peak_in(result: ActivityResult, compartment: str, window: Window) -> tuple[int, float]:
    """Frame and size of the largest force in a window (% of the cycle)."""
    force = np.where(within(result, list(window)), result.force(compartment), -np.inf)
    return int(np.argmax(force)), float(force.max())


@predictor
def stride_agreement(bench: Bench, subject: Subject, *, files: Sequence[str], quantity: str) -> float:
    """Mean over strides of an agreement with the measured forces: `medial_rms_n`, `medial_r2`, `lateral_rms_n`, ... , `total_r2`."""
    results = [stride(bench, subject, file) for file in files]
    return float(np.mean([compare_with_measured(result.loads, result.motion)[quantity] for result in results]))


@predictor
def stride_rms_bw(bench: Bench, subject: Subject, *, files: Sequence[str], quantity: str) -> float:
    """The same for a root-mean-square error, body weights."""
    return stride_agreement(bench, subject, files=files, quantity=quantity) / subject.body_weight_n


@predictor
def stride_peak_n(bench: Bench, subject: Subject, *, files: Sequence[str], compartment: str, window: Window) -> float:
    """Mean over strides of the largest predicted force in a window (% of the cycle), N."""
    return float(np.mean([_peak_in(stride(bench, subject, file), compartment, window)[1] for file in files]))


@predictor
def stride_medial_share_pct(bench: Bench, subject: Subject, *, files: Sequence[str], window: Window, at: str = "peak") -> float:
    """Mean over strides of the medial part of the total, %: at the largest total in a window (% of the cycle), or of the impulse in it."""
    shares = []
    for file in files:
        result = stride(bench, subject, file)
        medial, total = result.force("medial"), result.force("tibiofemoral")
        frames = within(result, list(window))
        frame = _peak_in(result, "tibiofemoral", window)[0]
        shares.append(medial[frame] / total[frame] if at == "peak" else medial[frames].sum() / total[frames].sum())
    return float(100.0 * np.mean(shares))


@predictor
def stride_regression(bench: Bench, subject: Subject, *, files: Sequence[str], window: Window, quantity: str) -> float:
    """Regression of the predicted medial force on the adduction moment: "r2", "slope" (N per N m) or "intercept" (N).

    Samples of a window (% of the cycle) are pooled over strides.
    """
    moments, forces = _pooled(bench, subject, files, window)
    slope, intercept = np.polyfit(moments, forces, 1)
    return float({"slope": slope, "intercept": intercept, "r2": np.corrcoef(moments, forces)[0, 1] ** 2}[quantity])


def _pooled(bench: Bench, subject: Subject, files: Sequence[str], window: Window) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Moments (N m) and medial forces (N) of the samples in a window, each (samples,)."""
    results = [stride(bench, subject, file) for file in files]
    frames = [within(result, list(window)) for result in results]
    moments = [result.motion.knee_adduction_moment[chosen] / NMM_PER_NM for result, chosen in zip(results, frames)]
    return np.concatenate(moments), np.concatenate([result.force("medial")[chosen] for result, chosen in zip(results, frames)])


@predictor
def stride_extremes_n(bench: Bench, subject: Subject, *, files: Sequence[str], compartment: str, window: Window) -> float:
    """Mean over strides of the smallest predicted force in a window (% of the cycle), N: whether a compartment lifts off."""
    lowest = []
    for file in files:
        result = stride(bench, subject, file)
        lowest.append(-peak(-result.force(compartment), within(result, list(window))))
    return float(np.mean(lowest))
