"""What contact says to input that it cannot use."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from plates import paraboloid, plate, raised

from kneeload.contact import ContactModel, contact_stress
from kneeload.errors import InputError


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


@pytest.mark.parametrize(("field", "value"), [("law", "cubic"), ("layer_factor", 0.0), ("tolerance", 1.0), ("capsule_stiffness_n_mm", -1.0),
                                              ("horn_stiffness_n_mm", float("nan")), ("muscle_length_mm", 1.0)])
def test_the_model_refuses_absurd_settings(field, value):
    with pytest.raises(InputError, match=r"contact\."):
        dataclasses.replace(ContactModel(), **{field: value})
