"""Kernels of the stress under sample points, against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.bone.bone_map import PatchLoads, load_list
from kneeload.kernels.bone_stress import add_stimulus, area_quantiles, find_peaks, stress_below

FRAMES, PATCHES, POINTS, BEGIN = 150, 50, 64, np.array([0, 5, 27, 42])


def case(seed: int = 1):
    """A load that wanders over the patches, and influence at three depths; patches that are never loaded are not filled."""
    rng = np.random.default_rng(seed)
    t, j = np.arange(160)[None], np.arange(PATCHES)[:, None]
    force = np.maximum(np.exp(-0.05 * (j - 10 - t / 5) ** 2) * (1.5 + np.sin(0.06 * t)) - 0.1, 0.0).astype(np.float32)
    force[:, FRAMES:] = 0.0
    field = rng.random((3, PATCHES, POINTS)).astype(np.float32) ** 4
    field[:, ~force.any(axis=1)] = np.nan
    field[:, :, 42:] = 0.0
    dense = np.einsum("pt,dpn->dtn", force[:, :FRAMES].astype(float), np.nan_to_num(field).astype(float))
    patches = PatchLoads(force=force, chosen=np.flatnonzero(force.any(axis=1)))
    return patches, load_list(patches, np.ones(FRAMES)), field, dense


@pytest.mark.parametrize("exponent", [4.0, 2.5])
def test_stimulus_is_a_weighted_sum_of_powers(exponent: float) -> None:
    _, loads, field, dense = case()
    seconds, day, top = np.random.default_rng(2).random(FRAMES), np.ones(POINTS), np.zeros(POINTS, np.float32)
    add_stimulus(loads.start, loads.index, loads.value, field[0], exponent, seconds, day, top)
    np.testing.assert_allclose(day, 1.0 + seconds @ dense[0] ** exponent, rtol=1e-5)
    np.testing.assert_allclose(top, dense[0].max(axis=0), rtol=1e-5)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_peaks_are_those_of_all_frames_and_points(seed: int) -> None:
    _, loads, field, dense = case(seed)
    top, day = np.zeros(POINTS, np.float32), np.zeros(POINTS)
    add_stimulus(loads.start, loads.index, loads.value, field[1], 4.0, np.zeros(FRAMES), day, top)
    point, peak = np.zeros(3, np.int64), np.zeros(3, np.float32)
    find_peaks(top, BEGIN, point, peak)
    for r in range(3):
        over = dense[1, :, BEGIN[r]:BEGIN[r + 1]].max(axis=0)
        assert point[r] == BEGIN[r] + over.argmax() and peak[r] == pytest.approx(over.max(), rel=1e-5)
    assert not day.any()  # no time, no stimulus


@pytest.mark.parametrize("points", [1, 3, 5])
def test_stress_below_points_is_the_largest_of_all_frames(points: int) -> None:
    patches, _, field, dense = case(2)
    chosen, peak = patches.chosen, np.zeros((3, points), np.float32)
    stress_below(patches.force, chosen, np.ascontiguousarray(field[:, chosen, :points]), peak)
    np.testing.assert_allclose(peak, dense[:, :, :points].max(axis=1), rtol=1e-5)


def test_quantiles_over_area_with_points_that_stand_for_none() -> None:
    rng = np.random.default_rng(3)
    value, area, at = rng.random(42), rng.random(42), np.linspace(0.0, 1.0, 21)
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
