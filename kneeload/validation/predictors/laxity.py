"""Laxity of the passive knee: how far it gives way under one load. Contact level only."""

from __future__ import annotations

import numpy as np

from kneeload.contact.laxity import laxity, without
from kneeload.contact.prepared import prepare
from kneeload.errors import ConvergenceError
from kneeload.simulate import anatomy_of
from kneeload.subject.person import Subject
from kneeload.units import DEG, MM_PER_M
from kneeload.validation.bench import Bench, Skipped
from kneeload.validation.predictors.registry import predictor


def _motion(bench: Bench, subject: Subject, flexion_deg: float, direction: str, load: float, cut: str | None) -> float:
    """Motion of the knee, mm or rad, under a load in N or N mm, with the bands whose name begins with `cut` cut."""
    if bench.case.contact is None:
        raise Skipped("needs the contact: give --contact")
    knee = prepare(anatomy_of(bench.case_of(subject)), bench.case.contact)
    found = laxity(knee if cut is None else without(knee, cut), [flexion_deg * DEG], direction, load, model=bench.case.contact)
    if cut is None and not found.converged[0]:
        raise ConvergenceError(f"The passive knee has no equilibrium at {flexion_deg:g} degrees under {direction} load")
    return float(found.motion[0])


@predictor
def laxity_mm(bench: Bench, subject: Subject, *, direction: str, load_n: float, flexion_deg: float, cut: str | None = None) -> float:
    """Anterior or posterior motion of the tibia under a force, mm, whole or with some bands cut (such as "acl")."""
    return _motion(bench, subject, flexion_deg, direction, load_n, cut)


@predictor
def laxity_gain_mm(bench: Bench, subject: Subject, *, direction: str, load_n: float, flexion_deg: float, cut: str) -> float:
    """What cutting bands adds to the motion under a force, mm."""
    return _motion(bench, subject, flexion_deg, direction, load_n, cut) - _motion(bench, subject, flexion_deg, direction, load_n, None)


@predictor
def laxity_total_mm(bench: Bench, subject: Subject, *, load_n: float, flexion_deg: float) -> float:
    """Motion from the posterior to the anterior end under the same force, mm."""
    return sum(_motion(bench, subject, flexion_deg, direction, load_n, None) for direction in ("anterior", "posterior"))


@predictor
def laxity_deg(bench: Bench, subject: Subject, *, direction: str, moment_nm: float, flexion_deg: float) -> float:
    """Turn of the tibia under a moment, degrees."""
    return float(np.rad2deg(_motion(bench, subject, flexion_deg, direction, moment_nm * MM_PER_M, None)))


@predictor
def laxity_gain_deg(bench: Bench, subject: Subject, *, direction: str, moment_nm: float, flexion_deg: float, cut: str) -> float:
    """What cutting bands adds to the turn under a moment, degrees."""
    turns = [_motion(bench, subject, flexion_deg, direction, moment_nm * MM_PER_M, bands) for bands in (cut, None)]
    return float(np.rad2deg(turns[0] - turns[1]))
