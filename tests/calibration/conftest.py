"""A person whose constants are known: strides made by the engine, with noise on the measured forces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kneeload.calibration.fitting import KneeModel, stride_of
from kneeload.calibration.person import personal_constants
from kneeload.forces.muscles import MuscleModel
from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.subject.person import Subject

SUBJECT = Subject(body_mass_kg=70.0, height_m=1.70, contact_spacing_mm=42.0)
FLEXION = np.radians([0.0, 30.0, 60.0, 90.0, 120.0])
CENTRES = np.array([[[11.0, -21.0], [2.0, 22.5]], [[3.0, -23.0], [-2.0, 22.0]], [[-1.0, -21.5], [-4.0, 20.0]],
                    [[-1.0, -21.0], [-4.0, 18.5]], [[1.0, -20.5], [-2.0, 18.0]]])  # (x, z) mm, close to those of the reference knee
GAITS = ((0.0, 0.0), (1.0, -0.8), (-0.8, 0.9), (0.5, 0.6))  # extension and adduction moment in between-person standard deviations


class Person:
    """Strides of one person, with the person's true constants and noise of some size in the forces."""

    knee = KneeModel(subject=SUBJECT, centres_flexion=FLEXION, centres=CENTRES, source_scale=np.ones(3), muscles=MuscleModel())

    def motion(self, k):
        extension, adduction = GAITS[k]
        return motion_for(Activity(name="walking", extension_moment_z=extension, adduction_moment_z=adduction), SUBJECT)

    def stride(self, k, truth=None, noise_n=0.0):
        """Stride k with the forces of these constants; noise is smooth (12 independent values over the cycle), as filtered forces are."""
        motion = self.motion(k)
        loads = self.knee.loads(motion, None if truth is None else personal_constants(truth))
        draw = np.random.default_rng(100 + k)
        noise = [np.interp(np.arange(101.0), np.linspace(0.0, 100.0, 12), noise_n * draw.standard_normal(12)) for _ in range(2)]
        measured = {"measured_medial_force_n": loads.medial_force + noise[0], "measured_lateral_force_n": loads.lateral_force + noise[1]}
        return stride_of(replace(motion, measured=measured), f"stride_{k + 1}.csv")

    def strides(self, truth=None, noise_n=0.0, count=3):
        return [self.stride(k, truth, noise_n) for k in range(count)]


@pytest.fixture(scope="session")
def person():
    return Person()
