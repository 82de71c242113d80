"""Kernels that gather triangles into patches, against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.bone.patches import Facets, cluster, facets, merge, nearest
from kneeload.kernels.patches import cover, mark_border, spread_shares
from kneeload.subject.surface import TriangleMesh


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def soup(seed: int, count: int = 400) -> Facets:
    rng = np.random.default_rng(seed)
    return Facets(centres=rng.uniform(-9.0, 9.0, (count, 3)), normals=unit(rng.standard_normal((count, 3))), areas=rng.uniform(0.1, 1.0, count))


def test_facets_are_those_of_the_mesh() -> None:
    rng = np.random.default_rng(1)
    mesh = TriangleMesh(points=rng.random((30, 3)), triangles=rng.integers(0, 30, (50, 3)).astype(np.int32))
    shape = facets(mesh)
    np.testing.assert_allclose(shape.centres, mesh.centroids)
    np.testing.assert_allclose(shape.areas, mesh.areas, atol=1e-15)
    flat = mesh.areas > 1e-12
    np.testing.assert_allclose(shape.normals[flat], mesh.normals[flat], atol=1e-12)
    assert not shape.normals[mesh.areas == 0.0].any()


def test_patches_are_cubes_and_octants() -> None:
    shape = soup(2)
    for size in (2.7, 0.05):  # the second has too many cells for a table
        cell = np.floor((shape.centres - shape.centres.min(axis=0)) / size).astype(np.int64)
        key = np.column_stack([cell, (shape.normals >= 0.0) @ np.array([1, 2, 4])])
        number = np.unique(key, axis=0, return_inverse=True)[1].ravel()
        assert np.array_equal(cluster(shape, size), number)
    patches = merge(shape, cluster(shape, 2.7))
    number = cluster(shape, 2.7)
    for p in (0, 5, number.max()):
        own = number == p
        assert np.isclose(patches.areas[p], shape.areas[own].sum())
        np.testing.assert_allclose(patches.centres[p], np.average(shape.centres[own], axis=0, weights=shape.areas[own]))
        mean = (shape.normals[own] * shape.areas[own, None]).sum(axis=0)
        np.testing.assert_allclose(patches.normals[p], mean / np.linalg.norm(mean))


def test_nearest_is_that_of_all_pairs() -> None:
    points, places = soup(3).centres, soup(4).centres
    chosen = np.array([0, 399, 17, 88, 3])
    square = ((points[chosen, None] - places[None]) ** 2).sum(axis=2)
    assert np.array_equal(nearest(points, chosen, places), square.argmin(axis=1))
    assert nearest(points, chosen[:0], places).shape == (0,)


@pytest.mark.parametrize("spread", [(9.0, 9.0, 9.0), (30.0, 1.0, 20.0), (0.0, 5.0, 0.0), (200.0, 0.0, 0.01)])
def test_nearest_of_places_that_lie_anyhow(spread: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(8)
    places = rng.uniform(-1.0, 1.0, (300, 3)) * spread
    places[7] = (3000.0, -4.0, -5000.0)  # far from all others
    points = np.concatenate([rng.uniform(-40.0, 40.0, (200, 3)), places[:50], places[7:8] + 900.0])
    square = ((points[:, None] - places[None]) ** 2).sum(axis=2)
    found = nearest(points, np.arange(len(points)), places)
    np.testing.assert_array_equal(square[np.arange(len(points)), found], square.min(axis=1))  # of equals any
    assert nearest(points, np.array([4, 5]), places[:1]).tolist() == [0, 0]


@pytest.mark.parametrize("most", [8, 37, 399, 400])
def test_a_cover_is_the_first_size_with_few_enough_patches(most: int) -> None:
    shape = soup(9)
    for chosen in (np.arange(400), np.arange(30, 350, 3)):
        size, key = 0.3, np.empty(chosen.shape[0], np.int64)
        count, found = cover(shape.centres, shape.normals, chosen, size, 1.3, most, 4_000_000, key)
        number = cluster(shape, size, chosen)
        while number.max() + 1 > most:
            size *= 1.3
            number = cluster(shape, size, chosen)
        assert count == number.max() + 1 <= most and found == pytest.approx(size) and np.array_equal(key, number)


def test_a_cover_that_cannot_be_had_ends() -> None:
    shape, key = soup(9), np.empty(400, np.int64)
    count, size = cover(shape.centres, shape.normals, np.arange(400), 0.3, 1.3, 3, 4_000_000, key)  # normals in eight octants are eight patches at any size
    assert count == 8 and size > 18.0 and key.max() == 7
    assert cover(shape.centres, shape.normals, np.arange(400), 0.3, 1.3, 37, 1000, key)[0] == -1  # more cells than there is room for


def test_border_triangles_share_a_point_with_another_region() -> None:
    triangles = np.array([[0, 1, 2], [1, 2, 3], [3, 4, 5], [5, 6, 7], [8, 9, 10]], np.int32)
    region = np.array([0, 0, 1, -1, 1], np.int8)
    edge = np.zeros(5, np.bool_)
    mark_border(triangles, region, 11, edge)
    assert edge.tolist() == [False, True, True, False, False]


def test_shares_of_a_meniscus() -> None:
    shape, below = soup(5, 60), soup(6, 200)
    below.normals[:] = unit(np.abs(below.normals) + np.array([0.0, 1.0, 0.0]))
    shape.normals[:] = unit(shape.normals + np.array([0.0, 1.0, 0.0]))
    thickness = np.random.default_rng(7).uniform(0.2, 6.0, 60)
    start, patch, share = np.zeros(61, np.int64), np.zeros(9000, np.int64), np.zeros(9000)
    arguments = (shape.centres, shape.normals, thickness, below.centres, below.normals, below.areas, 100, 1.5)
    entries = spread_shares(*arguments, start, patch, share)
    assert spread_shares(*arguments, np.zeros(61, np.int64), patch[:1].copy(), share[:1].copy()) == entries == start[-1]
    alone = 0
    for i in range(60):
        square = ((below.centres - shape.centres[i]) ** 2).sum(axis=1)
        near = square.argmin()
        down = max(shape.normals[i] @ below.normals[near], 0.0)
        height = (shape.centres[i] - below.centres[near]) @ below.normals[near]
        deviation = 0.5 * max(thickness[i], 0.5)
        lateral = np.maximum(square - height**2, 0.0)
        weight = np.where(lateral < 4.0 * deviation**2, below.areas * np.exp(-0.5 * lateral / deviation**2), 0.0)
        if weight.sum() == 0.0:
            weight[near] = 1.0
            alone += 1
        got = np.bincount(patch[start[i]:start[i + 1]] - 100, share[start[i]:start[i + 1]], 200)
        np.testing.assert_allclose(got, down * weight / weight.sum(), rtol=1e-10, atol=1e-15)
    assert 0 < alone < 60
