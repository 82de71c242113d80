"""Rays through cells and triangles that cut through others, against plain Python."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from kneeload.kernels import crossing, distance
from kneeload.subject.proximity import _cells, index_mesh
from kneeload.subject.surface import TriangleMesh

RNG = np.random.default_rng(11)


def soup(count: int, size: float) -> TriangleMesh:
    """Triangles of their own points, about `size` wide, in a box of 10."""
    corners = RNG.uniform(0.0, 10.0, (count, 1, 3)) + RNG.normal(scale=size, size=(count, 3, 3))
    return TriangleMesh(points=corners.reshape(-1, 3), triangles=np.arange(3 * count).reshape(-1, 3))


def along(mesh: TriangleMesh, queries, directions, reach=100.0):
    index = index_mesh(mesh)
    length, hit = np.empty(len(queries)), np.empty(len(queries), dtype=np.int64)
    distance.first_along(np.asarray(queries, float), np.asarray(directions, float), mesh.points, mesh.triangles, index.low_mm, index.cell_mm, index.starts,
                         index.members, reach, length, hit)
    return length, hit


def naive_ray(origin, direction, corners):
    """Length to the plane if the barycentric coordinates say inside."""
    a, b, c = corners
    try:
        s, t, length = np.linalg.solve(np.column_stack([b - a, c - a, -direction]), origin - a)
    except np.linalg.LinAlgError:
        return np.inf
    return length if min(s, t) >= 0.0 and s + t <= 1.0 and length >= 0.0 else np.inf


@pytest.mark.parametrize("straight", [False, True])
@pytest.mark.parametrize(("count", "size"), [(80, 1.5), (500, 0.8)])
def test_first_triangle_along_a_ray_is_the_naive_one(straight, count, size):
    mesh = soup(count, size)
    queries = RNG.uniform(-2.0, 12.0, (60, 3))
    directions = np.eye(3)[RNG.integers(0, 3, 60)] * RNG.choice([-1.0, 1.0], (60, 1)) if straight else RNG.normal(size=(60, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    length, hit = along(mesh, queries, directions)
    want = np.array([[naive_ray(q, d, mesh.points[t]) for t in mesh.triangles] for q, d in zip(queries, directions)])
    np.testing.assert_allclose(length, want.min(axis=1), rtol=1e-9)
    np.testing.assert_array_equal(hit, np.where(np.isinf(want.min(axis=1)), -1, want.argmin(axis=1)))
    assert 3 < (hit >= 0).sum() < 58
    near, _ = along(mesh, queries, directions, reach=2.0)
    np.testing.assert_allclose(near, np.where(want.min(axis=1) <= 2.0, want.min(axis=1), np.inf), rtol=1e-9)


def test_rays_that_are_no_rays_meet_nothing():
    mesh = soup(20, 1.0)
    length, hit = along(mesh, [[5.0, 5.0, 5.0], [np.nan, 0.0, 0.0], [50.0, 50.0, 50.0]], [[np.nan] * 3, [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    assert np.all(np.isinf(length)) and np.all(hit == -1)
    assert len(along(mesh, np.zeros((0, 3)), np.zeros((0, 3)))[0]) == 0


def marked(mesh: TriangleMesh) -> np.ndarray:
    corners = mesh.points[mesh.triangles]
    _, _, starts, members = _cells(corners)
    crossed = np.zeros(len(corners), dtype=bool)
    crossing.mark_crossings(mesh.points, mesh.triangles, np.stack([corners.min(axis=1), corners.max(axis=1)], axis=1), starts.reshape(-1, 2), members, crossed)
    return crossed


def naive_cross(s, t):
    for one, other in ((s, t), (t, s)):
        for i in range(3):
            edge = one[(i + 1) % 3] - one[i]
            length = naive_ray(one[i], edge, other)  # in units of the edge
            if length < 1.0:
                return True
    return False


def test_crossing_triangles_are_the_naive_ones():
    mesh = soup(60, 1.5)
    want = np.zeros(60, dtype=bool)
    for s, t in itertools.combinations(range(60), 2):
        if naive_cross(mesh.points[mesh.triangles[s]], mesh.points[mesh.triangles[t]]):
            want[[s, t]] = True
    assert 5 < want.sum() < 55
    np.testing.assert_array_equal(marked(mesh), want)


def test_triangles_that_only_touch_do_not_cross():
    points = np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0], [1, 1, 0], [1, 1, 3], [2, 1, 3], [1, 1, -1], [1, 2, 3.5]])
    def pair(t):
        return TriangleMesh(points=points, triangles=np.array([[0, 1, 2], t]))
    assert not marked(pair([3, 4, 5])).any()  # a corner lies on the face
    assert marked(pair([6, 4, 5])).all()  # an edge goes through
    assert not marked(pair([0, 4, 7])).any()  # they share a point
    assert not marked(pair([4, 5, 7])).any()  # above
