"""Normative curves of walking and stairs: read the fitted coefficients, evaluate them at any walking speed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.units import GRAVITY_M_S2

COEFFICIENTS_FILE = Path(__file__).with_name("coefficients.json")
SAMPLES = 101
SOURCE_HEIGHT_M = 1.71  # mean height of the source's adults (Bovi 2011): moments grow with height relative to it
NATURAL_SPEED = 0.714  # body heights per second, Bovi 2011
# People change from walking to running where speed^2 / (gravity x leg length) is 0.5 (Kram 1997, doi 10.1242/jeb.200.4.821); in heights
# per second of the source's adults this is 1.23. Curves are not carried beyond it.
FASTEST_WALK = float(np.sqrt(0.5 * GRAVITY_M_S2 * 0.530 / SOURCE_HEIGHT_M))
CURVES = ("knee_flexion_deg", "knee_extension_moment_nm_kg", "knee_adduction_moment_nm_kg", "vertical_force_bw")
_STANCE_FORCE_BW = 0.15  # mean vertical force at toe-off; with it stance of step ascent ends at 69 %, as published (69.0, SD 3.8 %)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """Mean curves of healthy adults over one cycle and their between-person standard deviation.

    Attributes:
        knee_flexion_deg, knee_flexion_deg_sd: (101,) degrees.
        knee_extension_moment_nm_kg, knee_extension_moment_nm_kg_sd: (101,) N m/kg, internal, extension positive.
        knee_adduction_moment_nm_kg, knee_adduction_moment_nm_kg_sd: (101,) N m/kg, external, medial loading positive.
        vertical_force_bw, vertical_force_bw_sd: (101,) body weights, ground reaction on the foot.
        stance: (101,) bool.
        source: citation.
    """

    knee_flexion_deg: NDArray[np.float64]
    knee_extension_moment_nm_kg: NDArray[np.float64]
    knee_adduction_moment_nm_kg: NDArray[np.float64]
    vertical_force_bw: NDArray[np.float64]
    knee_flexion_deg_sd: NDArray[np.float64]
    knee_extension_moment_nm_kg_sd: NDArray[np.float64]
    knee_adduction_moment_nm_kg_sd: NDArray[np.float64]
    vertical_force_bw_sd: NDArray[np.float64]
    stance: NDArray[np.bool_]
    source: str


def spline_basis(count: int, knot_power: float, samples: int = SAMPLES) -> NDArray[np.float64]:
    """Cubic B-spline basis on [0, 1], knots at equal steps raised to `knot_power` (denser early in the cycle when above 1).

    Returns:
        (samples, count) no unit.
    """
    from scipy.interpolate import BSpline  # here: its import takes longer than a whole motion

    inner = np.linspace(0.0, 1.0, count - 2) ** knot_power
    knots = np.concatenate([np.zeros(3), inner, np.ones(3)])
    return BSpline.design_matrix(np.linspace(0.0, 1.0, samples), knots, 3).toarray()


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return json.loads(COEFFICIENTS_FILE.read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _basis() -> NDArray[np.float64]:
    basis = _table()["basis"]
    return spline_basis(basis["count"], basis["knot_power"])


def _stack(name: str) -> NDArray[np.float64]:
    """(8, count) coefficients of one class: means, then SDs (units of the curves)."""
    entry = _table()["classes"][name]
    return np.array([entry[curve] for curve in CURVES] + [entry[curve + "_sd"] for curve in CURVES])


@lru_cache(maxsize=1)
def _by_speed() -> tuple[Any, NDArray[np.float64]]:
    """Monotone interpolant of the coefficients over speed, and the speeds of the five classes (heights/s)."""
    from scipy.interpolate import PchipInterpolator

    names = _table()["walking_classes"]
    speeds = np.array([_table()["classes"][name]["speed_height_per_s"] for name in names])
    return PchipInterpolator(speeds, np.stack([_stack(name) for name in names])), speeds


def speed_range() -> tuple[float, float]:
    """Slowest and fastest walking speed of the source, body heights per second."""
    speeds = _by_speed()[1]
    return float(speeds[0]), float(speeds[-1])


@lru_cache(maxsize=64)
def walking_curves(relative_speed: float) -> Curves:
    """Curves of level walking at `relative_speed` (body heights per second of the source's adults).

    Each coefficient is interpolated over the five speed classes of the source without overshoot, so a class at its own speed gives its
    published mean. Below the slowest and above the fastest class the mean goes on linearly in the square of the speed, with the slope of
    the last two classes, because what speed adds to the ground reaction of a body that swings over its leg is mass x speed^2 / leg
    length; the SD stays that of the last class. Nothing changes beyond `FASTEST_WALK`.
    """
    interpolant, speeds = _by_speed()
    speed = min(relative_speed, FASTEST_WALK)
    coefficients = interpolant(np.clip(speed, speeds[0], speeds[-1]))
    if speed < speeds[0] or speed > speeds[-1]:
        last, before = (speeds[0], speeds[1]) if speed < speeds[0] else (speeds[-1], speeds[-2])
        slope = (interpolant(last) - interpolant(before)) / (last**2 - before**2)
        coefficients[: len(CURVES)] += slope[: len(CURVES)] * (speed**2 - last**2)
    return _evaluate(coefficients)


@lru_cache(maxsize=4)
def stair_curves(name: str) -> Curves:
    """Curves of `stair_ascent` or `stair_descent` (18 cm steps, two-step stair)."""
    return _evaluate(_stack(name))


def _evaluate(coefficients: NDArray[np.float64]) -> Curves:
    rows = coefficients @ _basis().T
    rows[4:] = np.maximum(rows[4:], 0.0)
    force = np.maximum(rows[3], 0.0)
    on_ground = np.flatnonzero(force > _STANCE_FORCE_BW)[-1]
    lifted = on_ground + np.flatnonzero(force[on_ground:] < 0.01)
    if lifted.size:
        force[lifted[0]:] = 0.0
    rows[3] = force
    rows.setflags(write=False)
    stance = np.arange(SAMPLES) <= on_ground
    stance.setflags(write=False)
    fields = dict(zip([*CURVES, *(curve + "_sd" for curve in CURVES)], rows, strict=True))
    return Curves(**fields, stance=stance, source=_table()["source"])
