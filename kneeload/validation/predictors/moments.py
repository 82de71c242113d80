"""Net moments, angles and ground reaction of the normative activities."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.motion.motion import Motion
from kneeload.motion.waveforms import stair_curves, walking_curves
from kneeload.subject.person import Subject
from kneeload.units import DEG, MM_PER_M, NMM_PER_NM
from kneeload.validation.bench import Bench, activity_of, peak, run, within
from kneeload.validation.predictors.registry import predictor

Window = Sequence[float] | None
CURVES_FILE = Path(__file__).resolve().parent.parent / "moment_curves.csv"
BOVI_FILE = "bovi2011_adult_waveforms.csv"
_BOVI_MOMENTS = {"extension": "knee_ext_moment_Nm_kg", "adduction": "knee_abd_moment_Nm_kg"}


def moment(motion: Motion, name: str) -> NDArray[np.float64]:
    """The internal "extension" or external "adduction" moment of a motion, (T,) N mm."""
    return motion.knee_extension_moment if name == "extension" else motion.knee_adduction_moment


@predictor
def moment_peak_nm_kg(bench: Bench, subject: Subject, *, activity: str, moment_name: str, window: Window = None,
                      speed_height_per_s: float | None = None) -> float:
    """Largest moment in a window (% of the cycle), N m/kg."""
    result = run(bench, subject, activity_of(activity, subject, speed_height_per_s=speed_height_per_s))
    return peak(moment(result.motion, moment_name), within(result, window)) / (NMM_PER_NM * subject.body_mass_kg)


@predictor
def moment_peak_pct_bw_ht(bench: Bench, subject: Subject, *, activity: str, moment_name: str, window: Window = None) -> float:
    """Largest moment in a window (% of the cycle), % of body weight x height."""
    result = run(bench, subject, activity_of(activity, subject))
    return 100.0 * peak(moment(result.motion, moment_name), within(result, window)) / (subject.body_weight_n * subject.height_m * MM_PER_M)


@predictor
def moment_ratio(bench: Bench, subject: Subject, *, activity: str, other: str, moment_name: str) -> float:
    """Peak moment of one activity over that of another, no unit."""
    values = [moment(run(bench, subject, activity_of(name, subject)).motion, moment_name).max() for name in (activity, other)]
    return float(values[0] / values[1])


@predictor
def faster_moment_change_pct(bench: Bench, subject: Subject, *, slow_m_s: float, fast_m_s: float, moment_name: str) -> float:
    """Change of the peak moment from a slow to a fast walk, %."""
    slow, fast = (moment(run(bench, subject, activity_of("walking", subject, speed_m_s=speed)).motion, moment_name).max()
                  for speed in (slow_m_s, fast_m_s))
    return float(100.0 * (fast / slow - 1.0))


@predictor
def knee_flexion_deg(bench: Bench, subject: Subject, *, activity: str, window: Window = None,
                     speed_height_per_s: float | None = None) -> float:
    """Largest knee flexion in a window (% of the cycle), degrees."""
    result = run(bench, subject, activity_of(activity, subject, speed_height_per_s=speed_height_per_s))
    return peak(result.motion.knee_flexion, within(result, window)) / DEG


@predictor
def stance_pct(bench: Bench, subject: Subject, *, activity: str) -> float:
    """Length of stance, % of the cycle."""
    motion = run(bench, subject, activity_of(activity, subject)).motion
    return float(np.flatnonzero(motion.stance)[-1] * 100.0 / (len(motion.time) - 1))


@predictor
def vertical_force_bw(bench: Bench, subject: Subject, *, activity: str, window: Window, speed_height_per_s: float = 0.714,
                      lowest: bool = False) -> float:
    """Largest (or lowest) vertical ground reaction in a window (% of the cycle), body weights."""
    curves = walking_curves(speed_height_per_s) if activity == "walking" else stair_curves(activity)
    percent = np.linspace(0.0, 100.0, len(curves.vertical_force_bw))
    values = curves.vertical_force_bw[(percent >= window[0]) & (percent <= window[1])] if window else curves.vertical_force_bw
    return float(values.min() if lowest else values.max())


@lru_cache(maxsize=1)
def published_moments() -> dict[tuple[str, str], NDArray[np.float64]]:
    """Published moments every 5 % of the cycle: (activity, moment) -> (21, 3): cycle percent (no unit), mean and SD in N m/kg."""
    table: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    with CURVES_FILE.open(encoding="utf-8", newline="") as stream:
        for line in csv.DictReader(item for item in stream if not item.startswith("#")):
            key = line["activity"], line["moment"]
            table.setdefault(key, []).append((float(line["cycle_percent"]), float(line["mean_nm_kg"]), float(line["sd_nm_kg"])))
    return {key: np.array(values) for key, values in table.items()}


def recorded_moments(path: Path, task: str, moment_name: str) -> NDArray[np.float64]:
    """The source's own table: cycle percent (no unit), mean and SD in N m/kg, (101, 3)."""
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        names = ["pct", *(f"{task}_{_BOVI_MOMENTS[moment_name]}_{kind}" for kind in ("mean", "sd"))]
        missing = [name for name in names if name not in (reader.fieldnames or ())]
        if missing:
            raise InputError("columns", where=str(path), got="no " + ", ".join(missing), allowed="the columns of the published table",
                             why="moments are compared with them")
        return np.array([[float(line[name]) for name in names] for line in reader])


def predicted_nm_kg(bench: Bench, subject: Subject, activity: str, moment_name: str, percent: NDArray[np.float64],
                    speed_height_per_s: float | None = None) -> NDArray[np.float64]:
    """Predicted moment at given cycle percents, same shape, N m/kg."""
    motion = run(bench, subject, activity_of(activity, subject, speed_height_per_s=speed_height_per_s)).motion
    grid = np.linspace(0.0, 100.0, len(motion.time))
    return np.interp(percent, grid, moment(motion, moment_name)) / (NMM_PER_NM * subject.body_mass_kg)


@predictor
def samples_within_sd_pct(bench: Bench, subject: Subject, *, activity: str, moment_name: str, task: str | None = None,
                          speed_height_per_s: float | None = None) -> float:
    """Samples at which the moment lies within one SD of the published mean, %.

    `task` names columns of the source's full table (101 samples, needs data); without it the packaged 21 samples serve.
    """
    curve = published_moments()[activity, moment_name] if task is None else recorded_moments(bench.file(BOVI_FILE), task, moment_name)
    predicted = predicted_nm_kg(bench, subject, activity, moment_name, curve[:, 0], speed_height_per_s)
    return float(100.0 * np.mean(np.abs(predicted - curve[:, 1]) <= curve[:, 2]))
