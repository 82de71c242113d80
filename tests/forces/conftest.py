"""One knee and a few motions for the tests of the forces room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kneeload.forces.joint import joint_loads
from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.subject.person import Subject

FLEXION = np.radians([0.0, 30.0, 60.0, 90.0, 120.0])
CENTRES = np.array([[[11.0, -21.0], [2.0, 22.5]], [[3.0, -23.0], [-2.0, 22.0]], [[-1.0, -21.5], [-4.0, 20.0]],
                    [[-1.0, -21.0], [-4.0, 18.5]], [[1.0, -20.5], [-2.0, 18.0]]])  # (x, z) mm, close to those of the reference knee


class Knee:
    """Contact centres that stay the same for every person, so that tests see the forces room alone."""

    centres_flexion, centres_mm = FLEXION, CENTRES

    def motion(self, name, subject=None, **settings):
        return motion_for(Activity(name=name, **settings), subject or Subject())

    def loads(self, motion, subject=None, **settings):
        arguments = {"centres_flexion": self.centres_flexion, "centres_mm": self.centres_mm, "source_scale": np.ones(3)} | settings
        return joint_loads(motion, subject or Subject(), **arguments)

    def walk(self, subject=None, **settings):
        motion = self.motion("walking", subject)
        return motion, self.loads(motion, subject, **settings)

    def with_adduction(self, motion, scale):
        return replace(motion, knee_adduction_moment=motion.knee_adduction_moment * scale)


@pytest.fixture(scope="session")
def knee():
    return Knee()


@pytest.fixture(scope="session")
def walking(knee):
    return knee.walk()
