"""The extensor mechanism."""

from __future__ import annotations

import numpy as np

from kneeload.forces.extensor import extensor_mechanism
from kneeload.simulate import anatomy_of
from kneeload.subject.person import Subject
from kneeload.units import DEG
from kneeload.validation.bench import Bench
from kneeload.validation.predictors.registry import predictor


@predictor
def tendon_moment_arm_mm(bench: Bench, subject: Subject, *, flexion_deg: float) -> float:
    """Lever arm of the patellar tendon at a flexion, mm."""
    return float(extensor_mechanism(np.array([flexion_deg * DEG]), subject.height_m,
                                    anatomy_of(bench.case_of(subject)).source_scale).tendon_arm[0])


@predictor
def quadriceps_moment_arm_mm(bench: Bench, subject: Subject, *, flexion_deg: float) -> float:
    """Effective lever arm of the quadriceps at a flexion, mm."""
    return float(extensor_mechanism(np.array([flexion_deg * DEG]), subject.height_m,
                                    anatomy_of(bench.case_of(subject)).source_scale).quadriceps_arm[0])


@predictor
def force_ratio_crosses_one_deg(bench: Bench, subject: Subject) -> float:
    """Flexion at which tendon and quadriceps force are equal, degrees (nan if they are nowhere equal between 0 and 90)."""
    flexion = np.linspace(0.0, 90.0, 901)
    ratio = extensor_mechanism(flexion * DEG, subject.height_m, anatomy_of(bench.case_of(subject)).source_scale).force_ratio
    below = np.flatnonzero((ratio[:-1] >= 1.0) & (ratio[1:] < 1.0))
    return float(flexion[below[0] + 1]) if below.size else float("nan")
