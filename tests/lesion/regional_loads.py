"""Loads of regions made by hand."""

from __future__ import annotations

import numpy as np

from kneeload.bone.dose import STIMULUS_QUANTILES, BoneLoad
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import Subject

R = {name: i for i, name in enumerate(MOAKS_REGIONS)}
COUNT = len(MOAKS_REGIONS)
HEALTHY = Subject()


def load_with(stimulus: np.ndarray) -> BoneLoad:
    """A load with this mean daily stimulus per region (MPa); over the region it runs linearly from 0 to twice the mean."""
    zero = np.zeros(COUNT)
    return BoneLoad(activities=(), peak_stress=zero, peak_contact_pressure=zero, mean_contact_pressure=zero, daily_dose=zero,
                    dose_by_activity=np.zeros((COUNT, 0)), depth_mm=np.ones(1), stress_depth=np.zeros((COUNT, 1)), stimulus=stimulus,
                    stimulus_quantiles=stimulus[:, None] * 2.0 * STIMULUS_QUANTILES)


BASE = np.linspace(0.2, 0.5, COUNT)
REFERENCE = load_with(BASE)
