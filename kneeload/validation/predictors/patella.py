"""The patellofemoral joint in a two-legged hold, as in an upright open scanner. Contact level only."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from kneeload.contact.patella_rig import PatellaHold, patella_hold
from kneeload.errors import ConvergenceError
from kneeload.simulate import anatomy_of
from kneeload.subject.person import Subject
from kneeload.units import DEG
from kneeload.validation.bench import Bench
from kneeload.validation.predictors.registry import predictor

FLEXIONS_DEG = tuple(float(angle) for angle in range(0, 95, 5))  # one sweep serves all rows of a load
RESIDUAL_LIMIT = 1e-3  # unbalanced share of the load that is still called equilibrium


@lru_cache(maxsize=8)
def _sweep(bench: Bench, subject: Subject, share: float) -> PatellaHold:
    """The hold at FLEXIONS_DEG with a share of body weight on each foot."""
    hold = patella_hold(subject, anatomy_of(bench.case_of(subject)), np.array(FLEXIONS_DEG) * DEG, share, bench.case.contact)
    bad = np.flatnonzero(~(hold.cycle.residual.max(axis=1) <= RESIDUAL_LIMIT))
    if bad.size:
        raise ConvergenceError(f"The hold has no equilibrium at {FLEXIONS_DEG[bad[0]]:g} degrees of flexion")
    return hold


def _at(hold: PatellaHold, flexion_deg: float, quantity: str) -> float:
    return float(np.interp(flexion_deg, FLEXIONS_DEG, getattr(hold, quantity)))


@predictor
def hold_area_mm2(bench: Bench, subject: Subject, *, flexion_deg: float, load_bw: float) -> float:
    """Patellofemoral area on which cartilage presses, mm2, with a load on each foot in body weights."""
    return _at(_sweep(bench, subject, load_bw), flexion_deg, "area")


@predictor
def hold_seen_area_mm2(bench: Bench, subject: Subject, *, flexion_deg: float, load_bw: float) -> float:
    """Patellofemoral contact area that an image shows (gap below a pixel), mm2, with a load on each foot in body weights."""
    return _at(_sweep(bench, subject, load_bw), flexion_deg, "seen_area")


@predictor
def hold_tendon_ratio(bench: Bench, subject: Subject, *, flexion_deg: float, load_bw: float) -> float:
    """Force of the patellar tendon over that of the quadriceps in the balance of the patella, no unit."""
    hold = _sweep(bench, subject, load_bw)
    return float(np.interp(flexion_deg, FLEXIONS_DEG, hold.cycle.patellar_tendon_force / hold.quadriceps_force))


@predictor
def hold_area_gain_pct(bench: Bench, subject: Subject, *, flexion_deg: list[float], low_bw: float, high_bw: float, area: str = "area") -> float:
    """Rise of the contact area ("area" where cartilage presses, "seen_area" in an image) from one load to another, mean over the angles, %."""
    low, high = _sweep(bench, subject, low_bw), _sweep(bench, subject, high_bw)
    return float(np.mean([100.0 * (_at(high, angle, area) / _at(low, angle, area) - 1.0) for angle in flexion_deg]))


@predictor
def hold_area_peak_deg(bench: Bench, subject: Subject, *, load_bw: float) -> float:
    """Flexion of the largest contact area between 0 and 90 degrees, degrees: vertex of a parabola through three angles."""
    area = _sweep(bench, subject, load_bw).area
    top = int(np.argmax(area))
    if top in (0, len(area) - 1):
        return FLEXIONS_DEG[top]
    before, here, after = area[top - 1:top + 2]
    step = FLEXIONS_DEG[1] - FLEXIONS_DEG[0]
    return float(FLEXIONS_DEG[top] + 0.5 * step * (before - after) / (before - 2.0 * here + after))


@predictor
def hold_medial_larger(bench: Bench, subject: Subject, *, flexion_deg: list[float], load_bw: float) -> float:
    """Number of angles at which the medial facet touches on as much or more area than the lateral facet."""
    hold = _sweep(bench, subject, load_bw)
    return float(sum(_at(hold, angle, "medial_area") >= _at(hold, angle, "lateral_area") for angle in flexion_deg))


@predictor
def hold_proximal_shift_pct(bench: Bench, subject: Subject, *, load_bw: float, from_deg: float, to_deg: float) -> float:
    """How far the centre of pressure moves up the patella between two angles, % of the height of its cartilage."""
    hold = _sweep(bench, subject, load_bw)
    return 100.0 * (_at(hold, to_deg, "height") - _at(hold, from_deg, "height"))
