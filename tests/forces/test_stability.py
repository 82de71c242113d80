"""Buckling of the loaded leg and the stiffness of tense muscles."""

from __future__ import annotations

import numpy as np

from kneeload.forces.muscle_geometry import KNEE_MUSCLES, muscle_geometry
from kneeload.forces.stability import SHORT_RANGE_STIFFNESS, TENDON_STIFFNESS, critical_stiffness, stiffness_per_newton
from kneeload.motion.limb import SHANK_LENGTH, THIGH_LENGTH


def test_two_links_buckle_just_below_the_critical_stiffness():
    """Potential energy of two links with a spring at the knee: minimum at straight above the critical stiffness, maximum below."""
    load, height = 700.0, 1.72
    shank, thigh = SHANK_LENGTH * height * 1000.0, THIGH_LENGTH * height * 1000.0
    critical = critical_stiffness(np.array([load]), height)[0]

    def energy(stiffness, y):
        fall = shank - np.sqrt(shank**2 - y**2) + thigh - np.sqrt(thigh**2 - y**2)
        return 0.5 * stiffness * (np.arcsin(y / shank) + np.arcsin(y / thigh)) ** 2 - load * fall

    assert energy(1.01 * critical, 2.0) > 0.0 > energy(0.99 * critical, 2.0)
    assert critical_stiffness(np.array([-50.0, 0.0]), height).tolist() == [0.0, 0.0]


def test_muscle_stiffness_grows_with_arm_and_force_and_falls_with_length():
    zero = np.zeros(1)
    geometry = muscle_geometry(KNEE_MUSCLES, zero, zero, zero)
    arms = np.full((1, 13), 40.0)
    per_newton = stiffness_per_newton(geometry, arms, 1.0)[0]
    compliance = geometry.optimal_fiber_length / SHORT_RANGE_STIFFNESS + geometry.tendon_slack_length / TENDON_STIFFNESS
    np.testing.assert_allclose(per_newton, 1600.0 / compliance)
    np.testing.assert_allclose(stiffness_per_newton(geometry, 2.0 * arms, 1.0)[0], 4.0 * per_newton)
    np.testing.assert_allclose(stiffness_per_newton(geometry, 1.1 * arms, 1.1)[0], 1.1 * per_newton)  # a longer person
