"""Stress below a loaded surface against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_knee import flat_sheet

from kneeload.bone.halfspace import (
    circular_patch_axis,
    disc_stress,
    hertz_axis,
    influence,
    point_load_axis,
    strain_energy_density,
    von_mises,
)
from kneeload.errors import InputError

UP = np.array([[0.0, 1.0, 0.0]])


def stress_of(mesh, pressure: np.ndarray, points: np.ndarray, depths: np.ndarray) -> np.ndarray:
    """(d, n) MPa: stress below points from pressure on the triangles of a flat mesh."""
    count = mesh.triangles.shape[0]
    field = influence(points, np.repeat(UP, len(points), 0), mesh.centroids, np.repeat(UP, count, 0), np.sqrt(mesh.areas / np.pi), depths)
    return field.astype(np.float64) @ (pressure * mesh.areas)


def test_point_load_on_its_axis() -> None:
    depths = np.array([1.0, 2.0, 5.0, 15.0])
    got = influence(np.zeros((1, 3)), UP, np.zeros((1, 3)), UP, np.array([1e-3]), depths)[:, 0, 0] * 250.0
    np.testing.assert_allclose(got, point_load_axis(250.0, depths), rtol=1e-4)  # the disc is a thousandth of the depth
    assert point_load_axis(1.0, 1.0) == pytest.approx(0.4775, abs=5e-5)  # the number that textbooks print


@pytest.mark.parametrize("face", [0.5, 1.0])
def test_uniform_circular_patch_within_one_percent(face: float) -> None:
    mesh = flat_sheet(np.arange(-10.0, 10.0 + face / 2, face), np.arange(-10.0, 10.0 + face / 2, face))
    radius = 8.0
    inside = np.hypot(mesh.centroids[:, 0], mesh.centroids[:, 2]) <= radius
    same_area = np.sqrt(mesh.areas[inside].sum() / np.pi)  # the stair-stepped edge has a slightly different area
    depths = np.array([2.0, 3.0, 5.0, 10.0, 15.0]) * face
    got = stress_of(mesh, 2.0 * inside, np.zeros((1, 3)), depths)[:, 0]
    np.testing.assert_allclose(got, circular_patch_axis(2.0, same_area, depths), rtol=0.01)


def test_hertz_axis_within_one_percent_and_off_axis_below() -> None:
    face, radius = 0.5, 6.0
    mesh = flat_sheet(np.arange(-8.0, 8.25, face), np.arange(-8.0, 8.25, face))
    square = (mesh.centroids[:, 0] ** 2 + mesh.centroids[:, 2] ** 2) / radius**2
    pressure = 4.0 * np.sqrt(np.maximum(1.0 - square, 0.0))
    depths = np.array([1.0, 2.0, 4.0, 8.0, 15.0])
    got = stress_of(mesh, pressure, np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [9.0, 0.0, 0.0]]), depths)
    np.testing.assert_allclose(got[:, 0], hertz_axis(4.0, radius, depths), rtol=0.01)
    assert (got[:, 0] > got[:, 1]).all() and (got[:, 1] > got[:, 2]).all()


def test_error_falls_with_second_order_in_the_face_length() -> None:
    """A smooth pressure at a fixed depth: the midpoint rule is of second order."""
    errors = []
    for face in (2.0, 1.0, 0.5):
        mesh = flat_sheet(np.arange(-16.0, 16.0 + face / 2, face), np.arange(-16.0, 16.0 + face / 2, face))
        pressure = 3.0 * np.maximum(1.0 - (mesh.centroids[:, 0] ** 2 + mesh.centroids[:, 2] ** 2) / 15.0**2, 0.0) ** 2
        got = stress_of(mesh, pressure, np.zeros((1, 3)), np.array([4.0]))[0, 0]
        errors.append(abs(got - _smooth_bell_axis(3.0, 15.0, 4.0)))
    order = np.polyfit(np.log([2.0, 1.0, 0.5]), np.log(errors), 1)[0]
    assert order > 1.7, (order, errors)


def _smooth_bell_axis(peak: float, radius: float, depth: float) -> float:
    r = (np.arange(20000) + 0.5) * radius / 20000
    pressure = peak * (1.0 - (r / radius) ** 2) ** 2
    return float(np.sum(3.0 * depth**3 / (2.0 * np.pi * (r**2 + depth**2) ** 2.5) * pressure * 2.0 * np.pi * r) * radius / 20000)


def test_force_is_the_same_on_every_deep_plane() -> None:
    x = np.arange(-150.0, 150.5, 3.0)
    points = np.stack([*np.meshgrid(x, x)], -1).reshape(-1, 2)
    points = np.column_stack([points[:, 0], np.zeros(len(points)), points[:, 1]])
    field = influence(points, np.repeat(UP, len(points), 0), np.zeros((1, 3)), UP, np.array([1.0]), np.array([6.0, 12.0]))
    np.testing.assert_allclose(field[:, :, 0].sum(axis=1) * 9.0, 1.0, rtol=0.01)  # the plane ends at 150 mm


def test_symmetric_load_gives_symmetric_stress() -> None:
    mesh = flat_sheet(np.arange(-6.0, 6.5, 1.0), np.arange(-6.0, 6.5, 1.0))
    sources = np.concatenate([mesh.centroids, mesh.centroids * [1.0, 1.0, -1.0]])
    up = np.repeat(UP, len(sources), 0)
    points = np.array([[1.0, 0.0, 2.5], [1.0, 0.0, -2.5]])
    field = influence(points, np.repeat(UP, 2, 0), sources, up, np.full(len(sources), 0.4), np.array([1.0, 4.0])).sum(axis=2)
    np.testing.assert_allclose(field[:, 0], field[:, 1], rtol=1e-5)  # float32


def test_tensor_agrees_with_the_vertical_influence_and_has_the_textbook_lateral_stress() -> None:
    depths = np.array([1.0, 2.0, 4.0, 9.0])
    points = np.column_stack([np.zeros((4, 2)), depths])
    nu, radius = 0.3, 1.0
    stress = disc_stress(points, np.zeros((1, 2)), np.array([np.pi]), np.array([radius]), nu)  # 1 MPa on a disc of 1 mm
    np.testing.assert_allclose(-stress[:, 2], circular_patch_axis(1.0, radius, depths), rtol=2e-3)
    big = np.sqrt(1.0 + depths**2)
    lateral = -0.5 * ((1 + 2 * nu) - 2 * (1 + nu) * depths / big + (depths / big) ** 3)  # Timoshenko and Goodier, Theory of Elasticity
    np.testing.assert_allclose(stress[:, 0], lateral, atol=2e-3)
    np.testing.assert_allclose(stress[:, 0], stress[:, 1], atol=1e-9)
    np.testing.assert_allclose(stress[:, 3:], 0.0, atol=1e-9)


def test_invariants_of_simple_states() -> None:
    uniaxial, shear = np.array([[0, 0, -2.0, 0, 0, 0]]), np.array([[0, 0, 0, 1.5, 0, 0.0]])
    assert von_mises(uniaxial)[0] == pytest.approx(2.0)
    assert von_mises(shear)[0] == pytest.approx(1.5 * np.sqrt(3.0))
    assert strain_energy_density(uniaxial, 500.0, 0.3)[0] == pytest.approx(2.0**2 / (2 * 500.0))
    assert strain_energy_density(shear, 500.0, 0.3)[0] == pytest.approx(1.5**2 * 1.3 / 500.0)  # tau^2 / 2G


def test_too_shallow_a_depth_is_refused() -> None:
    with pytest.raises(InputError, match="patches of the load"):
        influence(np.zeros((1, 3)), UP, np.zeros((1, 3)), UP, np.array([2.0]), np.array([1.0]))
