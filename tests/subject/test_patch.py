"""Spline patches, outlines and the surface extraction, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.subject.isosurface import extract
from kneeload.subject.level_set import LevelSet
from kneeload.subject.patch import fit_outline, fit_patch, scaled_outline, scaled_patch, triangulate
from kneeload.subject.proximity import edge_neighbours


def quadratic(u, v):
    return 1.0 + 0.2 * u - 0.1 * v + 0.03 * u * u - 0.02 * u * v + 0.01 * v * v


def scattered(count=3000):
    return np.random.default_rng(3).uniform(-15.0, 15.0, (count, 2))


def test_patch_reproduces_a_quadratic_and_its_derivatives():
    uv = scattered()
    patch = fit_patch(uv, quadratic(*uv.T), knot_mm=3.0, stiffness=1e-6)
    u, v = np.array([0.0, 3.3, -8.1]), np.array([1.0, -7.7, 4.2])
    np.testing.assert_allclose(patch(u, v), quadratic(u, v), atol=1e-4)
    np.testing.assert_allclose(patch(u, v, du=1), 0.2 + 0.06 * u - 0.02 * v, atol=1e-3)
    np.testing.assert_allclose(patch(u, v, dv=2), np.full(3, 0.02), atol=1e-3)


def test_patch_smooths_noise():
    uv = scattered(6000)
    noisy = quadratic(*uv.T) + np.random.default_rng(4).normal(0.0, 0.2, len(uv))
    patch = fit_patch(uv, noisy, knot_mm=3.0, stiffness=10.0)
    inner = np.abs(uv).max(axis=1) < 12.0
    assert np.sqrt(np.mean((patch(*uv[inner].T) - quadratic(*uv[inner].T)) ** 2)) < 0.05


def test_scaling_a_patch_and_its_outline_scales_the_surface():
    uv = scattered()
    patch = fit_patch(uv, quadratic(*uv.T), knot_mm=3.0, stiffness=1e-3)
    bigger = scaled_patch(patch, 1.5, np.array([1.1, 0.9]))
    np.testing.assert_allclose(bigger(1.1 * uv[:, 0], 0.9 * uv[:, 1]), 1.5 * patch(*uv.T), atol=1e-9)
    angle = np.linspace(0.0, 2.0 * np.pi, 50, endpoint=False)
    outline = fit_outline(np.stack([12.0 * np.cos(angle), 8.0 * np.sin(angle)], axis=1), harmonics=8, inset_mm=0.0)
    np.testing.assert_allclose(scaled_outline(outline, np.array([2.0, 0.5])).points(angle), outline.points(angle) * [2.0, 0.5], atol=1e-9)


def test_outline_clamps_and_measures():
    angle = np.linspace(0.0, 2.0 * np.pi, 200, endpoint=False)
    outline = fit_outline(np.stack([3.0 + 10.0 * np.cos(angle), 10.0 * np.sin(angle)], axis=1), harmonics=4, inset_mm=1.0)
    np.testing.assert_allclose(outline.share(np.array([[3.0 + 4.5, 0.0], [3.0, 18.0]])), [0.5, 2.0], rtol=1e-6)
    np.testing.assert_allclose(outline.clamped(np.array([[3.0, 18.0]])), [[3.0, 9.0]], atol=1e-6)


@pytest.mark.parametrize("density", [1.0, 3.0])
def test_triangulation_fills_the_outline_at_the_density(density):
    angle = np.linspace(0.0, 2.0 * np.pi, 200, endpoint=False)
    outline = fit_outline(np.stack([15.0 * np.cos(angle), 15.0 * np.sin(angle)], axis=1), harmonics=4, inset_mm=0.0)
    points, faces = triangulate(outline, triangles_per_mm2=density)
    a, b, c = (points[faces[:, i]] for i in range(3))
    area = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    assert np.all(area > 0.0)
    assert area.sum() == pytest.approx(np.pi * 225.0, rel=0.01)
    assert len(faces) == pytest.approx(density * np.pi * 225.0, rel=0.1)
    count = edge_neighbours(faces)[1]
    assert set(count) <= {1, 2}


def sphere(radius=12.0, spacing=2.0):
    axis = spacing * np.arange(-9, 10)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    from scipy import ndimage

    phi = ndimage.spline_filter(np.linalg.norm(grid, axis=-1) - radius, order=2, mode="mirror")
    return LevelSet(coefficients=phi, origin_mm=np.full(3, -18.0), spacing_mm=spacing, thickness_mm=np.zeros(phi.shape, np.float32),
                    nearest_triangle=np.full(phi.shape, -1, np.int32), band_mm=6.0)


def test_extracted_sphere_is_closed_round_and_outward():
    mesh = extract(sphere(), spacing_mm=1.5)
    assert np.all(edge_neighbours(mesh.triangles)[1] == 2)
    np.testing.assert_allclose(np.linalg.norm(mesh.points, axis=1), 12.0, atol=0.02)
    assert mesh.volume_mm3 == pytest.approx(4.0 / 3.0 * np.pi * 12.0**3, rel=0.01)


def test_extracted_area_converges_with_second_order():
    error = [abs(extract(sphere(), spacing_mm=h).areas.sum() / (4.0 * np.pi * 144.0) - 1.0) for h in (3.0, 1.5)]
    assert error[1] < error[0] / 3.0


def test_offset_surface():
    mesh = extract(sphere(), spacing_mm=1.5, offset_mm=-2.0)
    np.testing.assert_allclose(np.linalg.norm(mesh.points, axis=1), 10.0, atol=0.02)
