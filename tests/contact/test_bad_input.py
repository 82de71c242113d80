"""What contact says to input that it cannot use."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plates import paraboloid, plate, raised

from kneeload.contact import ContactModel, contact_stress
from kneeload.errors import InputError

BALL = paraboloid(50.0, 50.0)


def test_a_pose_without_contact_has_a_status():
    found = contact_stress(plate(5.0, 6, 2.0), paraboloid(50.0, 50.0), raised(-1.0))
    assert found.status == 1
    assert found.area == found.peak == found.mean == 0.0
    assert np.all(found.force == 0.0)


def test_depth_beyond_the_layer_has_a_status_and_stays_finite():
    for law in ("linear", "nonlinear"):
        found = contact_stress(plate(5.0, 6, 0.5), paraboloid(50.0, 50.0), raised(2.0), law=law)
        assert found.status == 2
        assert np.all(np.isfinite(found.pressure)) and found.peak > 0.0


def test_surfaces_that_face_away_do_not_touch():
    turned = np.diag([1.0, -1.0, -1.0, 1.0])
    turned[1, 3] = 1.0
    assert contact_stress(plate(5.0, 6, 2.0), paraboloid(50.0, 50.0), turned).status == 1


@pytest.mark.parametrize("pose", [np.eye(3), np.full((4, 4), np.nan), np.diag([1.0, 1.0, -1.0, 1.0]), 2.0 * np.eye(4)])
def test_a_pose_must_be_a_rigid_motion(pose):
    with pytest.raises(InputError, match="pose"):
        contact_stress(plate(5.0, 4, 2.0), paraboloid(50.0, 50.0), pose)


def test_unknown_law_and_zero_thickness_are_refused():
    with pytest.raises(InputError, match="contact law"):
        contact_stress(plate(5.0, 4, 2.0), paraboloid(50.0, 50.0), raised(0.1), law="quadratic")
    with pytest.raises(InputError, match="thickness"):
        contact_stress(plate(5.0, 4, 0.0), paraboloid(50.0, 50.0), raised(0.1))


def test_unknown_depth_is_refused():
    with pytest.raises(InputError, match="target_normal, casting_normal"):
        contact_stress(plate(5.0, 4, 2.0), paraboloid(50.0, 50.0), raised(0.1), depth="vertical")


def test_a_left_surface_does_not_fit_a_right_one():
    lower, upper = plate(5.0, 6, 2.0), plate(5.0, 6, 2.0).transformed(np.diag([1.0, -1.0, -1.0]), np.zeros(3))
    with pytest.raises(InputError, match=r"side of the surfaces .* is 'left on right', but must be two surfaces of the same side"):
        contact_stress(lower.mirrored(), upper, raised(0.3))
    assert contact_stress(lower.mirrored(), upper.mirrored(), raised(0.3)).status == 0
    assert lower.mirrored().mirrored().side == lower.side == "right"


def test_sheets_that_have_passed_through_each_other_say_so():
    """A level set sees a sheet from 6 mm behind it at most: deeper than that must not look like no contact."""
    lower, upper = plate(5.0, 10, 2.0), plate(9.0, 18, 2.0).transformed(np.diag([1.0, -1.0, -1.0]), np.zeros(3))
    status = {depth: contact_stress(lower, upper, raised(depth)).status for depth in (-8.0, -1.0, 0.5, 3.9, 4.5, 9.0, 15.0)}
    assert status == {-8.0: 1, -1.0: 1, 0.5: 0, 3.9: 0, 4.5: 2, 9.0: 3, 15.0: 3}


@given(shift=st.tuples(*[st.floats(-30.0, 30.0)] * 3), turn=st.floats(-np.pi, np.pi), axis=st.integers(0, 2), law=st.sampled_from(["linear", "nonlinear"]),
       depth=st.sampled_from(["target_normal", "casting_normal"]))
@settings(max_examples=150, deadline=None)
def test_every_pose_gives_finite_numbers_and_an_honest_status(shift, turn, axis, law, depth):
    pose, c, s, i, j = raised(0.0), np.cos(turn), np.sin(turn), (axis + 1) % 3, (axis + 2) % 3
    pose[i, i], pose[i, j], pose[j, i], pose[j, j] = c, -s, s, c
    pose[:3, 3] = shift
    found = contact_stress(plate(6.0, 8, 2.0), BALL, pose, law=law, depth=depth)
    for value in (found.force, found.moment, found.pressure, found.depth, found.area, found.peak, found.peak_percentile, found.peak_patch, found.mean, found.energy):
        assert np.all(np.isfinite(value))
    assert np.all(found.pressure >= 0.0) and found.peak_percentile <= found.peak and found.peak_patch <= found.peak * (1.0 + 1e-12)
    assert (found.status in (0, 2)) == (found.area > 0.0)
    assert found.area > 0.0 or found.peak == 0.0


def test_grazing_rays_keep_a_finite_length():
    """A ray almost along the surface of the ball leaves it far away or not at all."""
    pose = raised(0.0)
    c, s = np.cos(1.3), np.sin(1.3)
    pose[:2, :2] = [[c, -s], [s, c]]
    pose[1, 3] = 0.5
    found = contact_stress(plate(6.0, 12, 2.0), BALL, pose, depth="casting_normal")
    assert found.area > 0.0 and found.depth.max() <= 20.0


@pytest.mark.parametrize(("field", "value"), [("law", "cubic"), ("layer_factor", 0.0), ("tolerance", 1.0), ("capsule_stiffness_n_mm", -1.0),
                                              ("horn_stiffness_n_mm", float("nan")), ("muscle_length_mm", 1.0)])
def test_the_model_refuses_absurd_settings(field, value):
    with pytest.raises(InputError, match=r"contact\."):
        dataclasses.replace(ContactModel(), **{field: value})
