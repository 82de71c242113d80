"""Predicted against measured compartment forces of a recorded stride."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.forces.loads import JointLoads
from kneeload.motion.motion import Motion

COLUMNS = {"medial": "measured_medial_force_n", "lateral": "measured_lateral_force_n"}


def error_and_r2(predicted: NDArray[np.float64], measured: NDArray[np.float64]) -> tuple[float, float]:
    """Return the root-mean-square error and the coefficient of determination 1 - SSE / SST (negative when worse than the mean).

    Args:
        predicted: (T,) N.
        measured: (T,) N.
    """
    error = predicted - measured
    spread = measured - measured.mean()
    return float(np.sqrt(np.mean(error**2))), float(1.0 - (error @ error) / (spread @ spread))


def compare_with_measured(loads: JointLoads, motion: Motion) -> dict[str, float]:
    """Return `medial_rms_n`, `medial_r2`, `lateral_rms_n`, `lateral_r2`, `total_rms_n`, `total_r2` for a recording with measured forces.

    Raises:
        InputError: the motion carries no measured compartment forces.
    """
    measured = motion.measured or {}
    missing = [column for column in COLUMNS.values() if column not in measured]
    if missing:
        raise InputError("measured forces", where="activity.file", got=sorted(measured), allowed="columns " + ", ".join(COLUMNS.values()),
                         why="without them there is nothing to compare with")
    medial, lateral = (np.asarray(measured[column], dtype=float) for column in COLUMNS.values())
    pairs = {"medial": (loads.medial_force, medial), "lateral": (loads.lateral_force, lateral),
             "total": (loads.tibiofemoral_force, medial + lateral)}
    result: dict[str, float] = {}
    for name, (predicted, target) in pairs.items():
        result[f"{name}_rms_n"], result[f"{name}_r2"] = error_and_r2(predicted, target)
    return result
