"""Distance kernels against plain Python."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from kneeload.kernels import distance as kernels

RNG = np.random.default_rng(7)
TETRA_POINTS = np.array([[0.1, 0.2, 0.0], [4.0, 0.3, 0.2], [0.4, 3.5, -0.3], [0.9, 1.1, 3.8]])
TETRA = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], dtype=np.int32)  # normals outwards


def naive_closest(p, corners):
    """The foot of the perpendicular where it lies in the triangle, else the best of the three clamped edges."""
    a, b, c = corners
    best = None
    normal = np.cross(b - a, c - a)
    if normal @ normal > 1e-20:
        foot = p - normal * ((p - a) @ normal) / (normal @ normal)
        if all(np.cross(v - u, foot - u) @ normal >= 0.0 for u, v in ((a, b), (b, c), (c, a))):
            best = foot
    for u, v in ((a, b), (b, c), (c, a)):
        length = (v - u) @ (v - u)
        s = 0.0 if length == 0.0 else min(max(((p - u) @ (v - u)) / length, 0.0), 1.0)
        q = u + s * (v - u)
        if best is None or (p - q) @ (p - q) < (p - best) @ (p - best):
            best = q
    return best


def closest(p, corners):
    x, y, z, feature = kernels.closest_on_triangle(*p, *corners.ravel())
    return np.array([x, y, z]), feature


@pytest.mark.parametrize("flatness", [1.0, 1e-3, 0.0])
def test_closest_point_is_the_naive_one(flatness):
    for _ in range(200):
        corners = RNG.normal(size=(3, 3))
        corners[2] = flatness * corners[2] + (1.0 - flatness) * (0.3 * corners[0] + 0.7 * corners[1])
        p = 2.0 * RNG.normal(size=3)
        got, _ = closest(p, corners)
        np.testing.assert_allclose(np.linalg.norm(got - p), np.linalg.norm(naive_closest(p, corners) - p), rtol=1e-9, atol=1e-12)


def test_closest_point_on_touching_and_collapsed_triangles():
    corners = np.array([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    for corner in range(3):
        got, feature = closest(corners[corner], corners)
        assert feature == corner
        np.testing.assert_array_equal(got, corners[corner])
    assert closest(np.array([0.5, 0.5, 3.0]), corners)[1] == 6
    assert closest(np.array([1.0, -1.0, 0.0]), corners)[1] == 3
    assert closest(np.array([2.0, 2.0, 0.0]), corners)[1] == 4
    assert closest(np.array([-1.0, 1.0, 0.0]), corners)[1] == 5
    point = np.ones((3, 3))
    np.testing.assert_array_equal(closest(np.zeros(3), point)[0], np.ones(3))
    doubled = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
    np.testing.assert_allclose(closest(np.array([1.0, 1.0, 0.0]), doubled)[0], [1.0, 0.0, 0.0])


def features(points, triangles):
    """Pseudonormals of a closed mesh by their definition, and no open feature."""
    face = {}
    for t, (a, b, c) in enumerate(triangles):
        n = np.cross(points[b] - points[a], points[c] - points[a])
        face[t] = n / np.linalg.norm(n)
    normals = np.zeros((len(triangles), 7, 3))
    for t, tri in enumerate(triangles):
        normals[t, 6] = face[t]
        for k in range(3):
            for other, tri2 in enumerate(triangles):
                if tri[k] in tri2:
                    j = list(tri2).index(tri[k])
                    u, v = points[tri2[(j + 1) % 3]] - points[tri2[j]], points[tri2[(j + 2) % 3]] - points[tri2[j]]
                    normals[t, k] += face[other] * math.acos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
                if {tri[k], tri[(k + 1) % 3]} <= set(tri2):
                    normals[t, 3 + k] += face[other]
    return normals, np.zeros((len(triangles), 7), dtype=bool)


def inside_tetra(p):
    return all((p - TETRA_POINTS[a]) @ np.cross(TETRA_POINTS[b] - TETRA_POINTS[a], TETRA_POINTS[c] - TETRA_POINTS[a]) < 0.0 for a, b, c in TETRA)


def test_splat_gives_signed_distance_in_the_band_and_nothing_beyond():
    origin, spacing, band, shape = np.array([-2.0, -2.0, -2.0]), 0.7, 1.2, (11, 10, 9)
    normals, open_feature = features(TETRA_POINTS, TETRA)
    square, nearest, side = np.full(shape, band**2), np.full(shape, -1, dtype=np.int32), np.zeros(shape, dtype=np.int8)
    kernels.splat(TETRA_POINTS, TETRA, normals, open_feature, origin, spacing, band, square, nearest, side)
    for node in itertools.product(*map(range, shape)):
        p = origin + spacing * np.array(node)
        d = min(np.linalg.norm(naive_closest(p, TETRA_POINTS[t]) - p) for t in TETRA)
        if d < band - 1e-9:
            assert math.sqrt(square[node]) == pytest.approx(d, abs=1e-12)
            assert side[node] == (-1 if inside_tetra(p) else 1)
            assert np.linalg.norm(naive_closest(p, TETRA_POINTS[TETRA[nearest[node]]]) - p) == pytest.approx(d, abs=1e-12)
        elif d > band + 1e-9:
            assert (square[node], nearest[node], side[node]) == (band**2, -1, 0)


def test_splat_of_nothing_and_of_an_open_triangle():
    shape = (4, 4, 4)
    square, nearest, side = np.full(shape, 1.0), np.full(shape, -1, dtype=np.int32), np.zeros(shape, dtype=np.int8)
    kernels.splat(TETRA_POINTS, TETRA[:0], np.zeros((0, 7, 3)), np.zeros((0, 7), dtype=bool), np.zeros(3), 1.0, 1.0, square, nearest, side)
    assert np.all(side == 0)
    open_feature = np.ones((1, 7), dtype=bool)
    open_feature[0, 6] = False
    normals = np.zeros((1, 7, 3))
    normals[0, 6] = [0.0, 0.0, 1.0]
    points = np.array([[0.9, 0.9, 1.5], [2.4, 0.9, 1.5], [0.9, 2.4, 1.5]])
    kernels.splat(points, np.array([[0, 1, 2]], dtype=np.int32), normals, open_feature, np.zeros(3), 1.0, 1.0, square, nearest, side)
    assert (side[1, 1, 1], side[1, 1, 2]) == (-1, 1)  # behind and in front of the face
    assert side[3, 1, 1] == 2  # nearest to an open edge: no side


def one_cell(points, triangles):
    low = points.min(axis=0)
    return low, float(np.ptp(points, axis=0).max()) * 1.01, np.array([[[[0, len(triangles)]]]]), np.arange(len(triangles))


def test_nearest_in_cells_is_the_naive_one_within_reach():
    normals, open_feature = features(TETRA_POINTS, TETRA)
    queries = 3.0 * RNG.normal(size=(60, 3)) + 1.0
    queries[0] = 50.0  # beyond reach
    queries[1] = TETRA_POINTS[2]  # touching
    n, reach = len(queries), 6.0
    distance, foot, nearest, side = np.empty(n), np.zeros((n, 3)), np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int8)
    kernels.nearest_in_cells(queries, TETRA_POINTS, TETRA, normals, open_feature, *one_cell(TETRA_POINTS, TETRA), reach, distance, foot, nearest, side)
    for q, p in enumerate(queries):
        d = min(np.linalg.norm(naive_closest(p, TETRA_POINTS[t]) - p) for t in TETRA)
        if d > reach:
            assert (distance[q], nearest[q], side[q]) == (np.inf, -1, 0)
            continue
        assert distance[q] == pytest.approx(d, abs=1e-12)
        assert np.linalg.norm(foot[q] - p) == pytest.approx(d, abs=1e-12)
        if d > 1e-9:
            assert side[q] == (-1 if inside_tetra(p) else 1)
    assert nearest[0] == -1 and distance[1] == 0.0


def test_first_above_is_the_naive_one():
    queries = np.column_stack([RNG.uniform(-0.5, 4.5, 80), RNG.uniform(-0.5, 4.0, 80), RNG.uniform(-2.0, 4.0, 80)])
    low, cell, starts, members = one_cell(TETRA_POINTS, TETRA)
    height, hit = np.empty(len(queries)), np.empty(len(queries), dtype=np.int64)
    kernels.first_above(queries, TETRA_POINTS, TETRA, low, cell, starts, members, 100.0, height, hit)
    found = 0
    for p, got, triangle in zip(queries, height, hit):
        lengths = []
        for corners in TETRA_POINTS[TETRA]:
            system = np.column_stack([corners[1] - corners[0], corners[2] - corners[0], [0.0, 0.0, -1.0]])
            if abs(np.linalg.det(system)) < 1e-12:
                continue
            u, v, along = np.linalg.solve(system, p - corners[0])
            if u >= 0.0 and v >= 0.0 and u + v <= 1.0 and along >= 0.0:
                lengths.append(along)
        expected = min(lengths, default=np.inf)
        assert got == (pytest.approx(expected, abs=1e-10) if np.isfinite(expected) else np.inf)
        assert (triangle >= 0) == np.isfinite(expected)
        found += np.isfinite(expected)
    assert found > 5


def naive_spline(c, origin, h, p):
    """Sum over all nodes of the definition, with the derivative of the centred quadratic B-spline."""

    def b(t):
        t = abs(t)
        return 0.75 - t * t if t <= 0.5 else (0.5 * (1.5 - t) ** 2 if t <= 1.5 else 0.0)

    def db(t):
        return -2.0 * t if abs(t) <= 0.5 else (-math.copysign(1.5 - abs(t), t) if abs(t) <= 1.5 else 0.0)

    u = (p - origin) / h
    value, gradient = 0.0, np.zeros(3)
    for i, j, k in itertools.product(*map(range, c.shape)):
        t = u - (i, j, k)
        value += c[i, j, k] * b(t[0]) * b(t[1]) * b(t[2])
        gradient += c[i, j, k] * np.array([db(t[0]) * b(t[1]) * b(t[2]), b(t[0]) * db(t[1]) * b(t[2]), b(t[0]) * b(t[1]) * db(t[2])]) / h
    return value, gradient


def test_level_set_values_are_the_definition():
    c, origin, h = RNG.normal(size=(5, 6, 4)), np.array([-1.0, 2.0, 0.5]), 1.3
    high = origin + h * (np.array(c.shape) - 1.5)
    queries = RNG.uniform(origin + 0.5 * h, high, size=(40, 3))
    queries[0], queries[1] = origin + 0.5 * h + 1e-9, high - 1e-9  # corners of the region where the support fits
    value, gradient = np.empty(len(queries)), np.empty((len(queries), 3))
    kernels.level_set_values(c, origin, h, 9.0, queries, value, gradient)
    for p, f, g in zip(queries, value, gradient):
        expected, slope = naive_spline(c, origin, h, p)
        assert f == pytest.approx(expected, abs=1e-12)
        np.testing.assert_allclose(g, slope, atol=1e-12)


def test_level_set_values_outside_and_of_bad_points():
    queries = np.array([[-50.0, 0.0, 0.0], [np.nan, 0.0, 0.0], [np.inf, 1.0, 1.0]])
    value, gradient = np.empty(3), np.ones((3, 3))
    kernels.level_set_values(np.ones((4, 4, 4)), np.zeros(3), 1.0, 9.0, queries, value, gradient)
    assert value[0] == 9.0 and np.isnan(value[1]) and value[2] == 9.0
    assert np.all(gradient == 0.0)
    kernels.level_set_values(np.ones((4, 4, 4)), np.zeros(3), 1.0, 9.0, queries[:0], value[:0], gradient[:0])


def test_extension_is_the_upwind_solution_everywhere():
    """At the fixed point every free node solves its own upwind equation, found here by bisection on the naive form."""
    shape, h = (7, 6, 5), 0.5
    distance, known = np.full(shape, 1e6), np.zeros(shape, dtype=bool)
    known[1, 2, 2] = known[5, 4, 1] = True
    distance[known] = 0.3
    kernels.extend(distance, known, h, 2)
    for node in itertools.product(*map(range, shape)):
        if known[node]:
            assert distance[node] == 0.3
            continue
        around = []
        for axis in range(3):
            sides = [list(node), list(node)]
            sides[0][axis], sides[1][axis] = max(node[axis] - 1, 0), min(node[axis] + 1, shape[axis] - 1)
            around.append(min(distance[tuple(s)] for s in sides))
        low, high = min(around), min(around) + 2.0 * h
        for _ in range(60):
            u = 0.5 * (low + high)
            if sum(max(u - a, 0.0) ** 2 for a in around) < h * h:
                low = u
            else:
                high = u
        assert distance[node] == pytest.approx(low, abs=1e-9)
