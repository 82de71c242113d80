"""Passive tissue: the moment of the stretched hip. (Ligaments and capsule of the knee act in `frontal`.)"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.person import Subject
from kneeload.units import DEG, NMM_PER_NM

Array = NDArray[np.float64]


def passive_hip_flexion_moment(hip_flexion: Array, knee_flexion: Array, subject: Subject) -> Array:
    """Moment about the hip of stretched capsule, ligaments and silent muscle, (T,) N mm, flexion positive.

    Exponential fit of Riener and Edrich 1999, doi 10.1016/S0021-9290(99)00009-7, to passive swings of ten adults; scaled by mass times
    height over those of a person of 75 kg and 1.75 m (assumption). It carries part of the hip flexor moment of late stance. The knee and
    ankle fits of that paper are left out, since those passive forces run in muscles that also press the knee together.

    Args:
        hip_flexion: (T,) rad.
        knee_flexion: (T,) rad.
        subject: size and mass.
    """
    hip, knee = np.clip(hip_flexion / DEG, -30.0, 90.0), np.clip(knee_flexion / DEG, 0.0, 120.0)
    moment_nm = np.exp(1.4655 - 0.0034 * knee - 0.0750 * hip) - np.exp(1.3403 - 0.0226 * knee + 0.0305 * hip) + 8.072
    return moment_nm * NMM_PER_NM * subject.body_mass_kg * subject.height_m / (75.0 * 1.75)
