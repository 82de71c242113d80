"""What less mass takes off a step, in this person and in people who move differently, at the load level (milliseconds a person)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, qmc

from kneeload import interventions
from kneeload.case import Case
from kneeload.errors import KneeloadError
from kneeload.interventions.body import MOST_LOSS
from kneeload.result import KneeResult
from kneeload.simulate import simulate
from kneeload.units import GRAVITY_M_S2

PEOPLE = 32  # the ends of a 95 % interval are known to about a tenth of its width
LESS_KG = 10.0
_STEPPING = {"walking": "step", "stair_ascent": "step up", "stair_descent": "step down"}


def promises(result: KneeResult, wanted: Callable[[], bool] = lambda: True) -> tuple[str, ...]:
    """Return what ten kilograms less would take off a step, with a 95 % interval over people; nothing once `wanted` says no, or where there is no step."""
    found = _less_mass(replace(result.case, baseline=None, contact=None), wanted)
    return (found,) if found else ()


@lru_cache(maxsize=1)
def _people() -> NDArray[np.float64]:
    """(PEOPLE, 3) no unit; scores of people in their moments and flexion, normally distributed, the mean person first."""
    scores = norm.ppf(qmc.Sobol(3, seed=8, scramble=True).random(PEOPLE))
    scores = np.clip(scores, -3.0, 3.0)
    scores[0] = 0.0
    return scores


def _peaks(case: Case, wanted: Callable[[], bool]) -> NDArray[np.float64]:
    """(PEOPLE,) N; peak tibiofemoral force of people who move differently; shorter when it is no longer wanted."""
    peaks = []
    for extension, adduction, flexion in _people():
        if not wanted():
            break
        activity = replace(case.activity, extension_moment_z=float(extension), adduction_moment_z=float(adduction), flexion_z=float(flexion))
        peaks.append(float(simulate(replace(case, activity=activity)).main.force("tibiofemoral").max()))
    return np.array(peaks)


def _less_mass(case: Case, wanted: Callable[[], bool]) -> str:
    kind = _STEPPING.get(case.activity.name)
    if kind is None or MOST_LOSS * case.subject.body_mass_kg < LESS_KG or "weight_loss" in case.interventions:
        return ""
    try:
        lighter = replace(interventions.apply(case, "weight_loss", {"mass_kg": LESS_KG}), baseline=None)
        now, then = _peaks(case, wanted), _peaks(lighter, wanted)
    except KneeloadError:
        return ""
    if not wanted() or now.shape != then.shape:
        return ""
    less = now - then
    low, high = np.quantile(less, (0.025, 0.975))
    return (f"Ten kilograms less would take about {_round(less[0])} N ({less[0] / GRAVITY_M_S2:.0f} kg) off the peak load of every {kind} "
            f"(95 of 100 people who move differently: {_round(low)} to {_round(high)} N).")


def _round(force: float) -> str:
    return f"{round(force, -1):,.0f}"
