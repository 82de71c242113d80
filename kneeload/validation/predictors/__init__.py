"""One small function for each kind of row, found by its name in the measurement file."""

from __future__ import annotations

from kneeload.validation.predictors import (  # noqa: F401 (they register)
    activities,
    alignment,
    bone,
    changes,
    cohort,
    contact_activities,
    density,
    extensor,
    finite_elements,
    interventions,
    laxity,
    lesion,
    moments,
    mri_knee,
    muscles,
    patella,
    people,
    rig,
    speed,
    strides,
    theory,
)
from kneeload.validation.predictors.registry import PREDICTORS, predict

__all__ = ["PREDICTORS", "predict"]
