"""Kernels of the half-space against plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kneeload.kernels.halfspace import COSINES, RING_WEIGHTS, RINGS, fill_influence


def disc_points(radius: float, rings: int = 40, angles: int = 72) -> np.ndarray:
    """Points of equal area on a disc."""
    r = radius * np.sqrt((np.arange(rings) + 0.5) / rings)
    angle = (np.arange(angles) + 0.5) * 2.0 * math.pi / angles
    return np.stack([np.outer(r, np.cos(angle)).ravel(), np.outer(r, np.sin(angle)).ravel()], axis=1)


def naive_vertical(square: float, depth: float, radius: float) -> float:
    disc = disc_points(radius)
    lateral = (math.sqrt(square) - disc[:, 0]) ** 2 + disc[:, 1] ** 2
    return float(np.mean(3.0 * depth**3 / (2.0 * math.pi * (lateral + depth**2) ** 2.5)))


def naive_influence(points, normals, sources, source_normals, radii, depths):
    out = np.zeros((len(depths), len(points), len(sources)))
    for d, depth in enumerate(depths):
        for i in range(len(points)):
            for j in range(len(sources)):
                facing = float(normals[i] @ source_normals[j])
                if facing > 0.0:
                    out[d, i, j] = facing * naive_vertical(float(((sources[j] - points[i]) ** 2).sum()), depth, radii[j])
    return out


def run_influence(points, normals, sources, source_normals, radii, depths):
    out = np.full((len(depths), len(sources), len(points)), np.nan, np.float32)
    chosen = np.arange(len(sources))[::-1].copy()
    fill_influence(np.ascontiguousarray(points.T), np.ascontiguousarray(normals.T), sources, source_normals, radii, chosen, depths, RINGS, RING_WEIGHTS,
                   COSINES, chosen, out)
    return np.swapaxes(out, 1, 2)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_influence_equals_dense_integration() -> None:
    rng = np.random.default_rng(1)
    points, sources = rng.uniform(-8, 8, (6, 3)), rng.uniform(-8, 8, (9, 3))
    sources[0] = points[0]  # right above a point
    normals, source_normals = unit(rng.standard_normal((6, 3))), unit(rng.standard_normal((9, 3)))
    source_normals[0] = normals[0]
    radii, depths = rng.uniform(0.2, 1.2, 9), np.array([1.0, 2.5, 12.0])
    got = run_influence(points, normals, sources, source_normals, radii, depths)
    want = naive_influence(points, normals, sources, source_normals, radii, depths)
    axis = np.array([[naive_vertical(0.0, d, r) for r in radii] for d in depths])[:, None, :]
    assert (np.abs(got - want) <= 0.01 * axis).all()  # 1 % of the stress on the axis of the same disc
    assert (got >= 0.0).all() and (want > 0.0).any() and ((want == 0.0) == (got == 0.0)).all()


def test_expansion_of_a_far_disc_is_relatively_accurate() -> None:
    """Beyond six radii the disc is a point load with a second moment; left out, the error would be 2.5 % below seven radii."""
    up = np.array([[0.0, 1.0, 0.0]])
    for lateral, depth in ((0.0, 7.0), (5.0, 5.0), (8.0, 2.0)):
        got = run_influence(np.zeros((1, 3)), up, np.array([[lateral, 0.0, 0.0]]), up, np.ones(1), np.array([depth]))[0, 0, 0]
        assert got == pytest.approx(naive_vertical(lateral**2, depth, 1.0), rel=0.003)


@pytest.mark.parametrize("n, p, d", [(0, 3, 2), (2, 0, 2), (2, 3, 0)])
def test_influence_of_nothing(n: int, p: int, d: int) -> None:
    out = run_influence(np.zeros((n, 3)), np.ones((n, 3)), np.zeros((p, 3)), np.ones((p, 3)), np.ones(p), np.ones(d))
    assert out.shape == (d, n, p)
