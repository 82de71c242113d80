"""Kernels of the stress under sample points, against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.bone.bone_map import load_list
from kneeload.kernels.bone_stress import SLACK, add_stimulus, area_quantiles, find_peaks, peaks_below, stress_rows

FRAMES, PATCHES, POINTS, BEGIN, GROUP = 30, 50, 24, np.array([0, 5, 13, 22]), 8


def case(seed: int = 1):
    """A load that wanders over the patches, and influence at three depths; patches that are never loaded are not filled."""
    rng = np.random.default_rng(seed)
    t, j = np.arange(FRAMES)[:, None], np.arange(PATCHES)[None]
    force = np.maximum(np.exp(-0.05 * (j - 10 - t) ** 2) * (1.5 + np.sin(0.3 * t)) - 0.1, 0.0).astype(np.float32)
    field = rng.random((3, PATCHES, POINTS)).astype(np.float32) ** 4
    field[:, ~force.any(axis=0)] = np.nan
    field[:, :, 22:] = 0.0
    dense = np.einsum("tp,dpn->dtn", force.astype(float), np.nan_to_num(field).astype(float))
    return force, load_list(force), field, dense


def test_stress_is_the_product_of_influence_and_load() -> None:
    _, loads, field, dense = case()
    out = np.full((FRAMES, POINTS), np.nan, np.float32)
    stress_rows(loads.start, loads.index, loads.value, field[1], out)
    np.testing.assert_allclose(out, dense[1], rtol=1e-5)


@pytest.mark.parametrize("exponent", [4.0, 2.5])
def test_stimulus_is_a_weighted_sum_of_powers(exponent: float) -> None:
    _, loads, field, dense = case()
    seconds, day, top = np.random.default_rng(2).random((2, FRAMES)), np.ones((2, POINTS)), np.zeros((4, POINTS), np.float32)
    seconds[1] = 0.0
    add_stimulus(loads.start, loads.index, loads.value, field[0], exponent, seconds, day, GROUP, top)
    np.testing.assert_allclose(day, 1.0 + seconds @ dense[0] ** exponent, rtol=1e-5)
    np.testing.assert_allclose(top, [dense[0][g:g + GROUP].max(axis=0) for g in range(0, FRAMES, GROUP)], rtol=1e-5)


@pytest.mark.parametrize("guess", [True, False])
def test_peaks_are_those_of_all_frames_points_and_depths(guess: bool) -> None:
    force, loads, field, dense = case()
    others = np.array([0, 2] if guess else [0, 1, 2])
    known = dense[1].max(axis=0).astype(np.float32) if guess else np.zeros(POINTS, np.float32)
    tops = np.stack([force[g:g + GROUP].max(axis=0) for g in range(0, FRAMES, GROUP)]).astype(float)
    bound = (np.einsum("gp,dpn->dgn", tops, np.nan_to_num(field).astype(float)[others]) * SLACK).astype(np.float32)
    best, point = np.zeros(3, np.float32), np.zeros(3, np.int64)
    find_peaks(loads.start, loads.index, loads.value, field, others, BEGIN, GROUP, bound, known, best, point)
    for r in range(3):
        over = dense[:, :, BEGIN[r]:BEGIN[r + 1]].max(axis=(0, 1))
        assert point[r] == BEGIN[r] + over.argmax() and best[r] == pytest.approx(over.max(), rel=1e-5)
    out = np.zeros(3)
    peaks_below(loads.start, loads.index, loads.value, loads.patches, field[2], GROUP, bound[-1], point, out)
    np.testing.assert_allclose(out, dense[2][:, point].max(axis=0), rtol=1e-5)


def test_quantiles_over_area_with_points_that_stand_for_none() -> None:
    rng = np.random.default_rng(3)
    value, area, at = rng.random(22), rng.random(22), np.linspace(0.0, 1.0, 21)
    area[[4, 7, 20]], value[4], value[20] = 0.0, 2.0, 3.0  # peaks on the border
    value[14] = value[15]
    mean, quantiles = np.zeros(3), np.zeros((3, 21))
    area_quantiles(value, area, BEGIN, at, mean, quantiles)
    for r in range(3):
        v, a = value[BEGIN[r]:BEGIN[r + 1]], area[BEGIN[r]:BEGIN[r + 1]]
        order = np.argsort(v, kind="stable")
        total = np.cumsum(a[order])
        middle = (total - 0.5 * a[order]) / total[-1]
        middle[0], middle[-1] = 0.0, 1.0
        assert mean[r] == pytest.approx(np.average(v, weights=a))
        np.testing.assert_allclose(quantiles[r], np.interp(at, middle, v[order]), rtol=1e-12)
