"""Level sets of meshes: accuracy with its order, unions, exact questions to meshes."""

from __future__ import annotations

import numpy as np
import pytest
from mesh_shapes import ellipsoid, flipped, icosphere, joined, part
from scipy import ndimage

from kneeload.errors import InputError
from kneeload.subject.distance import evaluate, level_set_from_mesh, union_level_set
from kneeload.subject.level_set import LevelSet
from kneeload.subject.proximity import first_hit, is_closed, nearest_on_mesh, pseudonormals, thickness_to_bone
from kneeload.subject.surface import TriangleMesh

RADIUS = 20.0
CENTRE = np.array([0.3, 0.2, 0.1])
RNG = np.random.default_rng(3)


def around_sphere(count=2000, depth=4.0):
    direction = RNG.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    distance = RNG.uniform(-depth, depth, count)
    return CENTRE + direction * (RADIUS + distance)[:, None], distance, direction


def sphere_error(divisions: int, spacing: float, depth: float = 2.0) -> tuple[float, float]:
    mesh = icosphere(RADIUS, divisions, CENTRE)
    level_set = level_set_from_mesh(mesh, np.zeros(len(mesh.triangles)), spacing_mm=spacing, band_mm=max(6.0, 3.0 * spacing))
    points, distance, direction = around_sphere(depth=depth)
    value, gradient = evaluate(level_set, points)
    return float(np.abs(value - distance).max()), float(np.sqrt(np.mean(np.sum((gradient - direction) ** 2, axis=1))))


def test_sphere_of_knee_size_is_accurate():
    value, gradient = sphere_error(5, 1.5)
    assert value < 0.01  # mm
    assert gradient < 0.005


def test_error_falls_with_the_square_of_the_mesh_width():
    """Faceting (second order in the edge, first in the normal) dominates when mesh and grid are refined together."""
    errors = np.array([sphere_error(divisions, spacing) for divisions, spacing in ((3, 3.0), (4, 1.5), (5, 0.75))])
    order = np.log2(errors[:-1] / errors[1:]).mean(axis=0)
    assert 1.7 < order[0] < 2.3
    assert order[1] > 0.9


def test_spline_of_an_exact_distance_has_order_three():
    """Quadratic splines: third order in the value, second in the gradient."""
    errors = []
    points, distance, direction = around_sphere(depth=2.0)
    for spacing in (3.0, 1.5):
        nodes = np.stack(np.meshgrid(*[np.arange(-36.0, 36.1, spacing)] * 3, indexing="ij"), axis=-1)
        phi = np.linalg.norm(nodes - CENTRE, axis=-1) - RADIUS
        level_set = LevelSet(coefficients=ndimage.spline_filter(phi, order=2, mode="mirror"), origin_mm=np.full(3, -36.0), spacing_mm=spacing,
                             thickness_mm=np.zeros(phi.shape, np.float32), nearest_triangle=np.zeros(phi.shape, np.int32), band_mm=9.0)
        value, gradient = evaluate(level_set, points)
        errors.append((np.abs(value - distance).max(), np.linalg.norm(gradient - direction, axis=1).max()))
    order = np.log2(np.array(errors[0]) / np.array(errors[1]))
    assert order[0] > 2.7
    assert order[1] > 1.8


def test_gradient_is_the_derivative_of_the_value():
    mesh = ellipsoid((12.0, 8.0, 10.0), 3)
    level_set = level_set_from_mesh(mesh, np.zeros(len(mesh.triangles)))
    points = RNG.uniform(-12.0, 12.0, size=(300, 3))
    _, gradient = evaluate(level_set, points)
    step = 1e-5
    for axis in range(3):
        shift = step * np.eye(3)[axis]
        numeric = (evaluate(level_set, points + shift)[0] - evaluate(level_set, points - shift)[0]) / (2.0 * step)
        np.testing.assert_allclose(gradient[:, axis], numeric, atol=1e-6)  # step 1e-5 on a piecewise quadratic: rounding 1e-10


def test_level_set_keeps_sign_thickness_and_nearest_triangle_everywhere():
    mesh = icosphere(RADIUS, 3, CENTRE)
    thickness = np.where(mesh.centroids[:, 1] < 0.0, 2.0, 0.0)
    level_set = level_set_from_mesh(mesh, thickness, band_mm=4.0)
    nodes = np.stack(np.meshgrid(*[level_set.origin_mm[a] + level_set.spacing_mm * np.arange(n) for a, n in enumerate(level_set.coefficients.shape)],
                                 indexing="ij"), axis=-1)
    distance = np.linalg.norm(nodes - CENTRE, axis=-1) - RADIUS
    inner = np.s_[1:-1, 1:-1, 1:-1]
    value = evaluate(level_set, nodes[inner].reshape(-1, 3))[0].reshape(distance[inner].shape)
    sure = np.abs(distance[inner]) > 0.3  # more than the sagitta of the facets
    assert np.array_equal((value < 0.0)[sure], (distance[inner] < 0.0)[sure])
    known = level_set.nearest_triangle >= 0
    assert np.all(np.abs(distance[known]) < 4.4) and np.all(known[np.abs(distance) < 3.6])
    np.testing.assert_array_equal(level_set.thickness_mm[known], thickness[level_set.nearest_triangle[known]].astype(np.float32))
    for array in (level_set.coefficients, level_set.thickness_mm, level_set.nearest_triangle, level_set.origin_mm):
        assert not array.flags.writeable


def test_mirrored_mesh_gives_mirrored_level_set():
    mesh = ellipsoid((12.0, 8.0, 10.0), 2, (1.0, 2.0, 3.0))
    points = RNG.uniform(-10.0, 12.0, size=(200, 3))
    flip = np.array([1.0, 1.0, -1.0])
    a = evaluate(level_set_from_mesh(mesh, np.zeros(320), bounds_mm=([-30] * 3, [30] * 3)), points)
    b = evaluate(level_set_from_mesh(mesh.mirrored(), np.zeros(320), bounds_mm=([-30] * 3, [30] * 3)), points * flip)
    known = np.abs(a[0]) < 3.0
    np.testing.assert_allclose(a[0][known], b[0][known], atol=0.05)  # the two grids do not lie on each other


def test_bounds_cut_the_grid_but_not_the_distance():
    mesh = ellipsoid((15.0, 40.0, 15.0), 3)
    cut = level_set_from_mesh(mesh, np.zeros(len(mesh.triangles)), bounds_mm=([-99] * 3, [99, 5, 99]))
    assert cut.origin_mm[1] + cut.spacing_mm * (cut.coefficients.shape[1] - 1) < 5.0 + 3.0 * cut.spacing_mm
    whole = level_set_from_mesh(mesh, np.zeros(len(mesh.triangles)))
    points = np.column_stack([np.full(20, 14.0), np.linspace(-20.0, 4.0, 20), np.zeros(20)])
    np.testing.assert_allclose(evaluate(cut, points)[0], evaluate(whole, points)[0], atol=2e-3)


@pytest.mark.parametrize("mesh, words", [
    (part(icosphere(20.0, 2), lambda c: c[:, 1] < 10.0), "open surface"),
    (flipped(icosphere(20.0, 2)), "inside out"),
])
def test_a_target_must_be_closed_and_right_side_out(mesh, words):
    with pytest.raises(InputError, match=words):
        level_set_from_mesh(mesh, np.zeros(len(mesh.triangles)))
    with pytest.raises(InputError, match=words):
        union_level_set([mesh], [np.zeros(len(mesh.triangles))])


def test_absurd_grid_is_refused():
    with pytest.raises(InputError, match="at most 40000000 nodes"):
        level_set_from_mesh(icosphere(20.0, 1), np.zeros(80), spacing_mm=0.01)


def test_union_of_two_spheres_is_the_smaller_distance_outside():
    a, b = icosphere(12.0, 4), icosphere(12.0, 4, (14.0, 0.0, 0.0))
    level_set, surface, thickness = union_level_set([a, b], [np.full(len(a.triangles), 1.0), np.full(len(b.triangles), 2.0)])
    points = RNG.uniform([-18, -18, -18], [32, 18, 18], size=(4000, 3))
    exact = np.minimum(np.linalg.norm(points, axis=1), np.linalg.norm(points - [14.0, 0.0, 0.0], axis=1)) - 12.0
    crease = np.hypot(np.abs(points[:, 0] - 7.0), np.hypot(points[:, 1], points[:, 2]) - np.sqrt(12.0**2 - 7.0**2)) < 6.0
    near = (exact > -1.5) & (exact < 4.0) & ~crease  # the spline rounds the crease; depth is counted from the visible surface
    np.testing.assert_allclose(evaluate(level_set, points[near])[0], exact[near], atol=0.05)
    assert evaluate(level_set, [[7.0, 0.0, 0.0]])[0][0] < -6.0  # no wall inside
    assert surface.areas.sum() < 0.95 * (a.areas.sum() + b.areas.sum())
    assert len(thickness) == len(surface.triangles) and set(thickness) == {1.0, 2.0}


def test_open_cartilage_on_closed_bone_is_one_solid():
    """A cap 2 mm above a sphere: its surface counts where it is, the bone elsewhere, and nothing is hollow between."""
    bone = icosphere(18.0, 4)
    cap = part(icosphere(20.0, 5), lambda c: c[:, 1] < -8.0)
    level_set, surface, thickness = union_level_set([cap, bone], [np.full(len(cap.triangles), 2.0), np.zeros(len(bone.triangles))])
    for depth in (-1.5, -0.5, 0.0, 1.0, 3.0):
        assert evaluate(level_set, [[0.0, -20.0 - depth, 0.0]])[0][0] == pytest.approx(depth, abs=0.02)
        assert evaluate(level_set, [[0.0, 18.0 + depth, 0.0]])[0][0] == pytest.approx(depth, abs=0.04)
    between = np.column_stack([np.zeros(30), -np.linspace(5.0, 19.8, 30), np.zeros(30)])
    assert np.all(evaluate(level_set, between)[0] < 0.0)
    assert evaluate(level_set, [[0.0, -17.0, 0.0]])[0][0] == pytest.approx(-3.0, abs=0.1)  # counted from the cartilage
    assert thickness[nearest_on_mesh(surface, [[0.0, -21.0, 0.0], [0.0, 21.0, 0.0]]).triangle].tolist() == [2.0, 0.0]
    assert np.all(np.hypot(*surface.centroids.T[[0, 2]])[surface.centroids[:, 1] < -14.0] >= 0.0)
    hidden = np.linalg.norm(surface.centroids[surface.centroids[:, 1] < -12.0], axis=1)
    assert hidden.min() > 19.0  # bone under the cap is not part of the visible surface


def test_nearest_on_mesh_side_and_distance():
    mesh = icosphere(RADIUS, 4, CENTRE)
    points, distance, _ = around_sphere(500)
    found = nearest_on_mesh(mesh, points)
    np.testing.assert_allclose(found.distance_mm * found.side, distance, atol=0.05)  # sagitta of the facets: 0.04 mm
    np.testing.assert_allclose(np.linalg.norm(points - found.point_mm, axis=1), found.distance_mm, rtol=1e-12)
    far = nearest_on_mesh(mesh, points + 100.0, reach_mm=20.0)
    assert np.all(far.triangle == -1) and np.all(np.isinf(far.distance_mm)) and np.all(far.side == 0)
    assert len(nearest_on_mesh(mesh, np.zeros((0, 3))).triangle) == 0
    rim = nearest_on_mesh(part(mesh, lambda c: c[:, 1] < 0.0), [[0.0, 15.0, 19.0]])
    assert rim.side[0] == 2


def test_first_hit_along_a_slanted_direction():
    mesh = icosphere(RADIUS, 4)
    direction = np.array([1.0, 2.0, -0.5])
    unit = direction / np.linalg.norm(direction)
    length, triangle = first_hit(mesh, [-50.0 * unit, np.zeros(3), 50.0 * unit, [90.0, 0.0, 0.0]], direction)
    np.testing.assert_allclose(length[:2], [30.0, 20.0], atol=0.05)
    assert np.all(np.isinf(length[2:])) and np.all(triangle[2:] == -1)
    assert np.isinf(first_hit(mesh, [-50.0 * unit], direction, reach_mm=10.0)[0][0])


def test_thickness_to_bone_is_the_gap_within_its_limits():
    bone = icosphere(18.0, 4)
    shells = [part(icosphere(r, 3), lambda c: c[:, 1] < 0.0) for r in (20.5, 18.2, 17.0, 40.0)]
    for shell, expected in zip(shells, (2.5, 1.0, 1.0, 10.0)):
        np.testing.assert_allclose(thickness_to_bone(shell, bone), expected, atol=0.2)  # both are faceted


def test_pseudonormals_of_closed_and_open_meshes():
    sphere = icosphere(1.0, 2)
    normals, open_feature = pseudonormals(sphere)
    assert is_closed(sphere) and not open_feature.any()
    corner = normals[:, :3] / np.linalg.norm(normals[:, :3], axis=2, keepdims=True)
    np.testing.assert_allclose(corner, sphere.points[sphere.triangles], atol=0.02)
    square = TriangleMesh(points=np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]), triangles=np.array([[0, 1, 2], [0, 2, 3]]))
    _, open_feature = pseudonormals(square)
    assert open_feature.tolist() == [[True, True, True, True, True, False, False], [True, True, True, False, True, True, False]]
    assert not is_closed(square) and not is_closed(joined(sphere, square))
