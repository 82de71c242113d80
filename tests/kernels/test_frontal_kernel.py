"""The frontal plane of the knee: plain twin, closed forms, trouble."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import root

from kneeload.kernels.frontal import MAX_STEPS, FrontalJoint, frontal_equilibrium

AXIS, FORWARD = np.array([-3.0, -2.0, 0.0]), np.array([3.0, 0.0, 0.0])


def make(frames=1, flexion=0.0, stiffness=2000.0, slack=0.97, contact=900.0):
    """A knee with one band on either side; slack length as a share of the length at zero flexion."""
    origin = np.array([[0.0, 0.0, -40.0], [2.0, 3.0, 42.0]])
    insertion = np.array([[5.0, -60.0, -32.0], [-8.0, -45.0, 36.0]])
    length = np.linalg.norm(origin - FORWARD - insertion, axis=1)
    law = np.stack([slack * length, np.full(2, stiffness), np.full(2, 0.03)], axis=1)
    return FrontalJoint(np.full(frames, flexion), np.full(frames, -21.0), np.full(frames, 22.0), AXIS, FORWARD, origin, insertion, law, contact)


def twin(joint, t, load):
    """Plain Python: unbalanced force and moment of approaches (medial, lateral) in frame t, and the bands' tension."""
    c, s = np.cos(joint.flexion[t]), np.sin(joint.flexion[t])
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    z_m, z_l = joint.medial[t], joint.lateral[t]

    def unbalanced(approach):
        force = [joint.contact * d**2 if d > 0.0 else 0.0 for d in approach]
        axial, moment, tensions = load[0] - sum(force), load[1] + z_m * force[0] + z_l * force[1], []
        for origin, insertion, (slack, stiffness, toe) in zip(joint.origin, joint.insertion, joint.law):
            line = joint.axis + turn @ (origin - joint.axis - joint.forward) - insertion
            length = np.linalg.norm(line)
            unit = line / length
            arm = np.cross(insertion, unit)[0]
            e_m, e_l = (z_l * unit[1] + arm) / (z_l - z_m), (-z_m * unit[1] - arm) / (z_l - z_m)
            strain = (length - e_m * approach[0] - e_l * approach[1]) / slack - 1.0
            tension = 0.0 if strain <= 0.0 else stiffness * strain**2 / (2.0 * toe) if strain < toe else stiffness * (strain - toe / 2.0)
            axial, moment = axial + tension * unit[1], moment + tension * arm
            tensions.append(tension)
        return np.array([axial, moment / 20.0]), np.array(force), np.array(tensions)

    return unbalanced


@pytest.mark.parametrize("flexion", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("load", [(0.0, 0.0), (600.0, 8e3), (1500.0, -5e3), (300.0, 40e3), (-50.0, 0.0), (900.0, -60e3)])
def test_equals_the_plain_twin(flexion, load):
    joint = make(flexion=flexion)
    force, approach, pull, tension, steps = frontal_equilibrium(joint, np.array([load]))
    unbalanced = twin(joint, 0, load)
    rest, expected, tensions = unbalanced(approach[0])
    assert steps[0] <= MAX_STEPS
    np.testing.assert_allclose(rest, 0.0, atol=1e-5)
    np.testing.assert_allclose(force[0], expected, atol=1e-6)
    np.testing.assert_allclose(tension[0], tensions, atol=1e-6)
    found = root(lambda d: unbalanced(d)[0], approach[0] + 0.01, tol=1e-12)
    np.testing.assert_allclose(found.x, approach[0], atol=1e-6)
    np.testing.assert_allclose(pull[0, 0], force[0].sum() - load[0], atol=1e-5)


def test_without_bands_the_lever_rule_holds():
    joint = make(frames=3, stiffness=0.0)
    force = frontal_equilibrium(joint, np.array([[1000.0, 0.0], [1000.0, 5e3], [1000.0, -5e3]]))[0]
    np.testing.assert_allclose(force[:, 0] - force[:, 1], (1000.0 + 2.0 * np.array([0.0, 5e3, -5e3])) / 43.0, rtol=1e-6)
    np.testing.assert_allclose(force.sum(axis=1), 1000.0, rtol=1e-7)


def test_a_pulled_apart_knee_hangs_on_its_bands():
    force, approach, pull, _, steps = frontal_equilibrium(make(), np.array([[-200.0, 0.0]]))
    assert steps[0] <= MAX_STEPS and not force.any() and approach.max() < 0.0
    np.testing.assert_allclose(pull[0, 0], 200.0, rtol=1e-6)


def test_no_equilibrium_is_reported_and_does_not_spread():
    joint = make(frames=3, stiffness=0.0)
    load = np.array([[1000.0, 0.0], [-100.0, 0.0], [1000.0, 0.0]])  # nothing can hold the second
    force, _, _, _, steps = frontal_equilibrium(joint, load)
    assert steps[1] == MAX_STEPS + 1 and steps[0] <= MAX_STEPS and steps[2] <= MAX_STEPS
    np.testing.assert_allclose(force[0], force[2])
    assert frontal_equilibrium(joint, np.array([[np.nan, 0.0]] * 3))[4].min() == MAX_STEPS + 1
