"""Kernels that bring pressures to regions and patches, against plain Python."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.kernels.loads import gather, list_loads, pressure_peaks

FRAMES, WIDE, REGIONS, FEMUR = 19, 32, 4, 25
SIZES = (60, 0, 150, 7, 90)  # triangles of the five fields; one is not there
TOTAL, FIRST = sum(SIZES), np.append(0, np.cumsum(SIZES))


def contact(seed: int = 3, sizes: tuple[int, ...] = SIZES, frames: int = FRAMES):
    """Pressures (some at a time, a stretch without load), touched triangles, and what `gather` wants to know of the casting triangles."""
    rng = np.random.default_rng(seed)
    pressure, triangle = [], []
    for m in sizes:
        p = np.where(rng.random((frames, m)) < 0.7, 0.0, rng.random((frames, m))).astype(np.float32)
        p[3:13, : m // 2] = 0.0
        pressure.append(p)
        triangle.append(rng.integers(-1, FEMUR, (frames, m)).astype(np.int32))
    total = sum(sizes)
    area, region = rng.random(total) + 0.1, rng.integers(-1, REGIONS, total)
    return rng, pressure, triangle, area, region


def routes(rng):
    """Direct patches for fields 0, 3 and 4, spread ones for field 2: (patch, dense parts (TOTAL, 12))."""
    patch = rng.integers(0, 12, TOTAL)
    spread = np.zeros(TOTAL, np.bool_)
    spread[FIRST[2]:FIRST[3]] = True
    dense = np.where(spread[:, None], np.where(rng.random((TOTAL, 12)) < 0.6, 0.0, rng.random((TOTAL, 12))), 0.0)
    start = np.concatenate([[0], np.cumsum((dense > 0.0).sum(axis=1))])
    target, share = np.nonzero(dense)[1], dense[dense > 0.0].astype(np.float32)
    return np.where(spread, -1, patch), dense, (start, target, share)


def fixed(arrays):
    for array in arrays:
        array.setflags(write=False)
    return tuple(arrays)


def test_gather_equals_plain_loops() -> None:
    rng, pressure, triangle, area, region = contact()
    pressure[0][2, 3], pressure[2][4, 5], pressure[4][5, 66] = np.nan, -1.0, np.inf
    patch, dense, spread = routes(rng)
    femur_region, centres, labelled = rng.integers(-1, REGIONS, FEMUR), rng.random((FEMUR, 3)), np.arange(0, FEMUR, 2)
    femur_region[1::2] = -1
    patch_region = np.array([0, 3, 1, -1, 0, 2])
    labelled_patch = rng.integers(0, 6, labelled.size)
    femur_region[labelled] = patch_region[labelled_patch]  # no patch reaches over a border of regions
    near = ((centres[:, None] - centres[labelled]) ** 2).sum(axis=2).argmin(axis=1)
    femur_patch = labelled_patch[near]  # every triangle feeds the patch of the nearest labelled one
    landing = np.full(FEMUR, -1, np.int32)
    landing[labelled] = 32 * labelled_patch + femur_region[labelled] + 1
    tibia, patella, femur = (np.zeros((n, WIDE), np.float32) for n in (12, 12, 6))
    loaded, force, peak = np.zeros((3, 12), np.bool_), np.zeros((REGIONS + 1, WIDE)), np.zeros((REGIONS + 1, WIDE), np.float32)
    bad, where = gather(fixed(pressure), fixed(triangle), FIRST, area, region, patch, *spread, landing, centres, labelled, labelled_patch, patch_region,
                        tibia, patella, femur, loaded, force, peak)
    want = [np.zeros_like(a, float) for a in (tibia, patella, femur, force, peak)]
    for s, (p, touched) in enumerate(zip(pressure, triangle)):
        for t, j in zip(*np.nonzero((p > 0.0) & np.isfinite(p))):
            i, k, load = FIRST[s] + j, touched[t, j], p[t, j] * area[FIRST[s] + j]
            own = want[1] if s == 4 else want[0]
            if patch[i] >= 0:
                own[patch[i], t] += load
            own[:, t] += dense[i] * load
            rows = [region[i] + 1] + ([femur_region[k] + 1] if k >= 0 else [])
            for row in rows:
                want[3][row, t] += load
                want[4][row, t] = max(want[4][row, t], p[t, j])
            if k >= 0:
                want[2][femur_patch[k], t] += load
    assert bad == 3 and where == 4
    for got, expected in zip((tibia, patella, femur, force, peak), want):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)  # float32 sums
    for got, expected in zip(loaded, want[:3]):
        assert np.array_equal(got[:expected.shape[0]], expected.any(axis=1))
    assert (landing >= 0).all() and np.array_equal(landing // 32, femur_patch)  # filled in on the way


def test_lists_hold_every_load_in_parts_of_four() -> None:
    rng = np.random.default_rng(5)
    force = np.where(rng.random((30, 16)) < 0.8, 0.0, rng.random((30, 16))).astype(np.float32)
    force[:, 4:8], force[[3, 17]], force[:, 10:] = 0.0, 0.0, 0.0  # four frames without load, patches without load, ten frames
    chosen, seconds = np.flatnonzero(force.any(axis=1)), rng.random(10)
    start, index, value, impulse = np.zeros(4, np.int64), np.zeros(200, np.int32), np.full((200, 4), np.nan, np.float32), np.zeros(chosen.size)
    list_loads(force, chosen, seconds, start, index, value, impulse)
    assert (np.diff(start) % 4 == 0).all() and start[2] == start[1]
    back = np.zeros((30, 12))
    for q in range(3):
        for e in range(start[q], start[q + 1]):
            assert index[e] in chosen
            back[index[e], 4 * q:4 * q + 4] += value[e]
    assert np.array_equal(back, force[:, :12])
    np.testing.assert_allclose(impulse, force[chosen, :10].astype(float) @ seconds, rtol=1e-12)


@pytest.mark.parametrize("seed", [6, 7])
def test_percentiles_leave_out_one_percent_of_the_area(seed: int) -> None:
    sizes = (2000, 0, 900, 30, 700)
    rng, pressure, triangle, area, region = contact(seed, sizes)
    first, femur_region = np.append(0, np.cumsum(sizes)), rng.integers(-1, REGIONS, FEMUR)
    size = np.geomspace(1.0, 3.0, FRAMES)[rng.permutation(FRAMES)].astype(np.float32)
    pressure = [p * size[:, None] for p in pressure]
    pressure[2][:] = np.where(pressure[2] > 0.0, 0.05, 0.0)
    region[:2000] = np.where(region[:2000] == 3, -1, region[:2000])
    top, percentile, mean = np.zeros((REGIONS, FRAMES)), np.zeros((REGIONS, FRAMES)), np.zeros((REGIONS, FRAMES))
    for t in range(FRAMES):
        p, k = np.concatenate([p[t] for p in pressure]), np.concatenate([k[t] for k in triangle])
        below = np.where(k >= 0, femur_region[k], -1)
        for r in range(REGIONS):
            inside = np.flatnonzero(((region == r) | (below == r)) & (p > 0.0))
            weight = area[inside] * ((region[inside] == r).astype(float) + (below[inside] == r))
            order = np.argsort(p[inside])
            total = np.cumsum(weight[order])
            top[r, t] = p[inside].max()
            percentile[r, t] = p[inside][order][np.searchsorted(total, 0.99 * total[-1])]
            mean[r, t] = (weight * p[inside]).sum() / weight.sum()
    left = np.zeros((REGIONS, WIDE), np.float32)
    left[:, :FRAMES] = top
    peak, average = np.zeros(REGIONS), np.zeros(REGIONS)
    pressure_peaks(fixed(pressure), fixed(triangle), first, area, region, femur_region, 0.01, left, peak, average)
    frame = percentile.argmax(axis=1)
    np.testing.assert_allclose(peak, percentile[np.arange(REGIONS), frame])
    np.testing.assert_allclose(average, mean[np.arange(REGIONS), frame], rtol=1e-6)
