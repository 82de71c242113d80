"""The extensor mechanism against measurements."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.forces.extensor import extensor_mechanism, patella_pose


@pytest.mark.parametrize(("degrees", "mean", "sd"), [(0, 42.55, 4.20), (20, 39.91, 2.98), (40, 37.73, 2.87), (60, 36.18, 2.90)])
def test_tendon_arm_is_within_one_sd_of_mri(degrees, mean, sd):
    """doi 10.22038/abjs.2020.42551.2158; also for people of usual height."""
    for height in (1.60, 1.70, 1.80):
        assert abs(extensor_mechanism(np.radians([float(degrees)]), height).tendon_arm[0] - mean) < sd


def test_quadriceps_arm_falls_as_measured():
    """Im and Sheehan 2015: 45.5 to 47.1 mm at 10 degrees, 31.5 to 32.9 mm at 50 degrees."""
    arm = extensor_mechanism(np.radians([10.0, 50.0]), 1.70).quadriceps_arm
    assert 45.5 <= arm[0] <= 47.1 and 31.5 <= arm[1] <= 32.9


def test_tendon_outpulls_the_quadriceps_only_near_extension():
    flexion = np.linspace(0.0, 120.0, 241)
    ratio = extensor_mechanism(np.radians(flexion), 1.70).force_ratio
    assert (ratio[flexion <= 20.0] > 1.0).all() and (ratio[flexion > 35.0] < 1.0).all()
    crossing = flexion[np.flatnonzero(ratio < 1.0)[0]]
    assert 10.0 <= crossing <= 32.5  # published 20 +- 10 degrees; the two lever arms of different samples meet at 31
    assert ratio.min() > 0.4


def test_directions_are_unit_vectors_and_the_tendon_turns_back_near_75_degrees():
    flexion = np.linspace(0.0, 120.0, 121)
    mechanism = extensor_mechanism(np.radians(flexion), 1.72, [1.0, 1.05, 1.1])
    np.testing.assert_allclose(np.linalg.norm(mechanism.tendon_direction, axis=1), 1.0)
    np.testing.assert_allclose(np.linalg.norm(mechanism.head_direction, axis=2), 1.0)
    forward = mechanism.tendon_direction[:, 0]
    assert forward[0] > 0.3 and 70.0 <= flexion[np.flatnonzero(forward < 0.0)[0]] <= 80.0 and forward[-1] < 0.0
    assert (mechanism.tendon_direction[:, 1] > 0.9).all()
    steps = np.abs(np.diff(mechanism.head_direction, axis=0)).max()
    assert steps < 0.08  # per degree: wrapping around the trochlea begins without a jump


def test_the_patella_is_pressed_backwards_and_its_pull_is_lateral():
    mechanism = extensor_mechanism(np.radians([0.0, 30.0, 60.0]), 1.70)
    pull = mechanism.head_direction.mean(axis=1)
    assert (pull[:, 2] > 0.0).all()
    tendon = -mechanism.force_ratio[:, None] * np.einsum("tij,tj->ti", mechanism.femur_from_tibia, mechanism.tendon_direction)
    total = pull + tendon
    assert (total[:, 0] < -0.4).all()
    size = np.linalg.norm(total, axis=1)
    assert (np.diff(size) > 0.0).all() and 0.4 < size[0] < 0.8 and 0.8 < size[2] < 1.2


def test_patella_follows_the_poses_of_the_source_knee(shared_data):
    data = np.load(shared_data / "knee_mri" / "walking_knee_poses.npz")
    names = [str(name) for name in data["coord_names"]]
    flexion = data["coords"][:, names.index("knee_flex_r")]
    origin, rotation = patella_pose(flexion)
    distance = np.linalg.norm((origin - 1000.0 * data["T_femur_patella"][:, :3, 3])[:, :2], axis=1)
    turn = np.arctan2(rotation[:, 0, 1], rotation[:, 0, 0]) - data["coords"][:, names.index("pf_flex_r")]
    assert np.sqrt((distance**2).mean()) < 3.0 and np.degrees(np.sqrt((turn**2).mean())) < 6.0  # muscles move it, flexion alone does not tell
