"""Kernels that bring pressures to regions and patches, against plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.kernels.loads import any_load, collect, envelope, list_loads, list_triangles, region_percentiles, spread_loads


def field(frames: int = 7, m: int = 150, k: int = 25, seed: int = 3):
    rng = np.random.default_rng(seed)
    pressure = np.where(rng.random((frames, m)) < 0.7, 0.0, rng.random((frames, m))).astype(np.float32)
    pressure[:, 20:90] = 0.0  # a stretch without load
    return rng, pressure, rng.integers(-1, k, (frames, m)).astype(np.int32), rng.random(m) + 0.1


def naive_collect(pressure, area, region, patch, triangle, femur_region, femur_patch, sizes):
    frames, m = pressure.shape
    force, contact, peak = (np.zeros((frames, 4)) for _ in range(3))
    own, femur, bad = np.zeros((frames, sizes[0])), np.zeros((frames, sizes[1])), 0
    for t in range(frames):
        for j in range(m):
            p = float(pressure[t, j])
            if p == 0.0:
                continue
            if not 0.0 < p < 1e9:
                bad += 1
                continue
            k = triangle[t, j]
            for r in (region[j], femur_region[k] if k >= 0 else -1):
                if r >= 0:
                    force[t, r] += p * area[j]
                    contact[t, r] += area[j]
                    peak[t, r] = max(peak[t, r], p)
            if len(patch):
                own[t, patch[j]] += p * area[j]
            if k >= 0:
                femur[t, femur_patch[k]] += p * area[j]
    return force, contact, peak, own, femur, bad


@pytest.mark.parametrize("direct", [True, False])
def test_collect_equals_plain_loops(direct: bool) -> None:
    rng, pressure, triangle, area = field()
    pressure[2, 3], pressure[4, 5], pressure[5, 96] = np.nan, -1.0, np.inf
    region, femur_region = rng.integers(-1, 4, 150), rng.integers(-1, 4, 25)
    patch = rng.integers(0, 9, 150) if direct else np.zeros(0, np.int64)
    centres, labelled = rng.random((25, 3)), np.arange(0, 25, 2)
    labelled_patch = rng.integers(0, 6, labelled.size)
    nearest = labelled[((centres[:, None] - centres[labelled]) ** 2).sum(axis=2).argmin(axis=1)]
    whole = labelled_patch[np.searchsorted(labelled, nearest)]  # every triangle feeds the patch of the nearest labelled one
    femur_patch = np.full(25, -1)
    femur_patch[labelled] = labelled_patch
    totals = [np.zeros((7, 4)) for _ in range(3)]
    own, femur = np.zeros((7, 9), np.float32), np.zeros((7, 6), np.float32)
    bad = collect(pressure, area, region, patch, triangle, femur_region, femur_patch, centres, labelled, labelled_patch, *totals, own, femur)
    want = naive_collect(pressure, area, region, patch, triangle, femur_region, whole, (9, 6))
    assert bad == want[5] == 3
    for got, expected in zip((*totals, own, femur), want[:5]):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)  # float32 sums
    touched = np.unique(triangle[(pressure > 0.0) & (pressure < 1e9) & (triangle >= 0)])
    assert np.array_equal(femur_patch[touched], whole[touched])  # filled in on the way


def test_spread_loads_equals_a_dense_product() -> None:
    rng, pressure, _, area = field(seed=4)
    pressure[1, 2] = np.nan
    dense = np.where(rng.random((150, 12)) < 0.6, 0.0, rng.random((150, 12)))
    start = np.concatenate([[0], np.cumsum((dense > 0.0).sum(axis=1))])
    out = np.zeros((12, 7), np.float32)
    spread_loads(pressure, area, start, np.nonzero(dense)[1], dense[dense > 0.0], out)
    np.testing.assert_allclose(out.T, (np.nan_to_num(pressure) * area) @ dense, rtol=1e-5)


def test_lists_hold_every_load_in_parts_of_four() -> None:
    rng = np.random.default_rng(5)
    force = np.where(rng.random((10, 30)) < 0.8, 0.0, rng.random((10, 30))).astype(np.float32)
    force[4:8], force[:, [3, 17]] = 0.0, 0.0  # four frames without load, patches without load
    loaded = np.zeros(30, np.bool_)
    any_load(force, loaded)
    assert np.array_equal(loaded, force.any(axis=0))
    chosen = np.flatnonzero(loaded)
    start, index, value = np.zeros(4, np.int64), np.zeros(200, np.int32), np.full((200, 4), np.nan, np.float32)
    list_loads(force, chosen, start, index, value)
    assert (np.diff(start) % 4 == 0).all() and start[2] == start[1]
    back = np.zeros((12, 30))
    for q in range(3):
        for e in range(start[q], start[q + 1]):
            assert loaded[index[e]]
            back[4 * q:4 * q + 4, index[e]] += value[e]
    assert np.array_equal(back[:10], force) and not back[10:].any()
    top = np.zeros((3, 30), np.float32)
    envelope(force, 4, top)
    assert np.array_equal(top, [force[i:i + 4].max(axis=0) for i in (0, 4, 8)])


def test_percentile_of_a_region_leaves_out_one_percent_of_the_area() -> None:
    rng, pressure, triangle, area = field(frames=1, m=4000, seed=6)
    region, femur_region = rng.integers(-1, 4, 4000), rng.integers(-1, 4, 25)
    wanted = np.array([True, False, True, True])
    value, size = np.empty(4001, np.float32), np.empty(4001)
    own, other = np.empty(4001, np.int64), np.empty(4001, np.int64)
    count = list_triangles(pressure[0], triangle[0], area, region, femur_region, wanted, 0, value, size, own, other)
    out = np.zeros(4)
    region_percentiles(value, size, own, other, count, 0.01, wanted, out)
    below = np.where(triangle[0] >= 0, femur_region[triangle[0]], -1)
    for r in range(4):
        inside = ((region == r) | (below == r)) & (pressure[0] > 0.0)
        order = np.argsort(pressure[0][inside])
        total = np.cumsum(area[inside][order])
        expected = pressure[0][inside][order][np.searchsorted(total, 0.99 * total[-1])]
        assert out[r] == (expected if wanted[r] else 0.0)
