"""Springs of one casting surface in blocks of neighbours: their order, their rows and the spheres around them."""

from __future__ import annotations

import math

import numpy as np

from kneeload.kernels.options import kernel_strict
from kneeload.kernels.springs import BLOCK, COLUMNS

CROWD = 64  # points in one bucket from which on sorting by buckets would take long


@kernel_strict
def order_blocks(points, order):
    """Sort the numbers order (n,) of points (n, 3), mm, so that each run of BLOCK is a small patch; returns False if the points are crowded together.

    Halves of halves, each sorted along its longest side (ties stay as they were) and cut at a whole number of blocks. Strict arithmetic and a stable
    sort, so that the order is that of `numpy.argsort` with keys 2 part + share of the side, whatever sorts.
    """
    n = points.shape[0]
    blocks = (n + BLOCK - 1) // BLOCK
    key, other_key, other, bucket, count = np.empty(n), np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n + 1, np.int64)
    border, finer = np.empty(blocks + 1, np.int64), np.empty(blocks + 1, np.int64)
    border[0], border[1], parts, coarse = 0, blocks, 1, blocks > 1
    while coarse:
        coarse, made = False, 0
        for p in range(parts):
            first, last = min(border[p] * BLOCK, n), min(border[p + 1] * BLOCK, n)
            _keys(points, order, first, last, 2.0 * p, key)
            if last - first > 2 * BLOCK and not _by_buckets(first, last, 2.0 * p, key, order, other_key, other, bucket, count):
                return False
            _inserted(first, last, key, order)
            middle = border[p] + (border[p + 1] - border[p] + 1) // 2
            finer[made] = border[p]
            made += 1
            if middle < border[p + 1]:
                finer[made] = middle
                made += 1
                coarse = coarse or middle - border[p] > 1
        finer[made] = blocks
        border, finer, parts = finer, border, made
    return True


@kernel_strict
def _keys(points, order, first, last, offset, key):
    """Fill key[first:last]: offset plus the place of each point along the longest side of their box, 0 to 1."""
    best, low_best, axis = -1.0, 0.0, 0
    for a in range(3):
        low = high = points[order[first], a]
        for i in range(first + 1, last):
            value = points[order[i], a]
            low, high = min(low, value), max(high, value)
        if high - low > best:
            best, low_best, axis = high - low, low, a
    side = max(best, 1e-9)
    for i in range(first, last):
        key[i] = offset + (points[order[i], axis] - low_best) / side


@kernel_strict
def _by_buckets(first, last, offset, key, order, other_key, other, bucket, count):
    """Sort key and order [first:last] by as many buckets as there are points, stable; False if one bucket holds more than CROWD of them."""
    size = last - first
    for b in range(size + 1):
        count[b] = 0
    for i in range(first, last):
        share = (key[i] - offset) * size
        b = int(share) if 0.0 <= share < size else (size - 1 if share >= size else 0)
        bucket[i] = b
        count[b + 1] += 1
    for b in range(size):
        if count[b + 1] > CROWD:
            return False
        count[b + 1] += count[b]
    for i in range(first, last):
        place = first + count[bucket[i]]
        other_key[place], other[place] = key[i], order[i]
        count[bucket[i]] += 1
    for i in range(first, last):
        key[i], order[i] = other_key[i], other[i]
    return True


@kernel_strict
def _inserted(first, last, key, order):
    """Sort key and order [first:last] by insertion, stable: fast when they are nearly sorted."""
    for i in range(first + 1, last):
        value, number, j = key[i], order[i], i
        while j > first and key[j - 1] > value:
            key[j], order[j] = key[j - 1], order[j - 1]
            j -= 1
        key[j], order[j] = value, number


@kernel_strict
def fill_blocks(chosen, real, facet, layer, outward, growth, block, spring, sphere):
    """Write the springs of one surface from block number `block` on; returns the square of the farthest spring (mm2).

    chosen: (8 b,) triangle of each spring, of which the first `real` carry load; the rest only fill the last block up.
    facet: (centre (m, 3) mm, normal (m, 3), area (m,) mm2). layer: (compliance mm/MPa, thickness mm, soft compliance mm/MPa), (m,) each. outward: (m, 3).
    spring, sphere: as in `kneeload.kernels.springs`.
    """
    centre, normal, area = facet
    compliance, thickness, soft = layer
    farthest = 0.0
    for b in range(chosen.size // BLOCK):
        base, mean = (block + b) * COLUMNS * BLOCK, sphere[block + b]
        for j in range(4, 10):
            mean[j] = 0.0
        for i in range(BLOCK):
            k, o = chosen[b * BLOCK + i], base + i
            for a in range(3):
                spring[o + a * BLOCK], spring[o + (3 + a) * BLOCK], spring[o + (9 + a) * BLOCK] = centre[k, a], normal[k, a], outward[k, a]
                mean[4 + a] += normal[k, a]
                mean[7 + a] += outward[k, a]
            spring[o + 6 * BLOCK] = area[k] if b * BLOCK + i < real else 0.0
            spring[o + 7 * BLOCK], spring[o + 8 * BLOCK], spring[o + 12 * BLOCK], spring[o + 13 * BLOCK] = compliance[k], thickness[k], soft[k], growth
            farthest = max(farthest, centre[k, 0] * centre[k, 0] + centre[k, 1] * centre[k, 1] + centre[k, 2] * centre[k, 2])
        for j in range(4, 10):
            mean[j] /= BLOCK
        _around(chosen, b * BLOCK, (b + 1) * BLOCK, centre, mean)
    return farthest


@kernel_strict
def _around(chosen, first, last, centre, sphere):
    """Fill sphere[:4]: middle of the box around triangles chosen[first:last] (mm) and the distance from it to the farthest of them."""
    for a in range(3):
        low = high = centre[chosen[first], a]
        for i in range(first + 1, last):
            low, high = min(low, centre[chosen[i], a]), max(high, centre[chosen[i], a])
        sphere[a] = 0.5 * (low + high)
    square = 0.0
    for i in range(first, last):
        x, y, z = centre[chosen[i], 0] - sphere[0], centre[chosen[i], 1] - sphere[1], centre[chosen[i], 2] - sphere[2]
        square = max(square, x * x + y * y + z * z)
    sphere[3] = math.sqrt(square)
