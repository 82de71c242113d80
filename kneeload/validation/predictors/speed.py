"""How long the load level takes."""

from __future__ import annotations

import time

from kneeload.forces.joint import joint_loads
from kneeload.motion.activities import motion_for
from kneeload.simulate import anatomy_of
from kneeload.subject.person import Subject
from kneeload.validation.bench import Bench, activity_of
from kneeload.validation.predictors.registry import predictor


@predictor
def load_level_ms(bench: Bench, subject: Subject, *, activity: str = "walking", repeats: int = 40) -> float:
    """Wall time from a person and an activity to compartment forces, 101 samples, warm, ms; the shortest of several calls here."""
    anatomy, chosen, best = anatomy_of(bench.case_of(subject)), activity_of(activity, subject), float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        joint_loads(motion_for(chosen, subject), subject, centres_flexion=anatomy.contact_centres_flexion,
                    centres_mm=anatomy.contact_centres_mm,
                    muscles=bench.case.muscles, source_scale=anatomy.source_scale)
        best = min(best, time.perf_counter() - start)
    return 1000.0 * best
