"""Areas of contact in one pose: triangles that the rim cuts, and the pressure that a share of the area exceeds.

For the tuples target and springs see `kneeload.kernels.pose_stress`.
"""

from __future__ import annotations

import numpy as np

from kneeload.kernels.options import kernel, kernel_inline
from kneeload.kernels.spline_lanes import BLOCK, WIDTH, lane_cell, turned, value_of_eight

CUT_ROWS = 20  # of triangles that the rim cuts: corners (9), area, values at corners and middles of the sides (6), offsets (3)
CA, CQ, CU, CV, CW = (np.uint64(WIDTH * row) for row in (9, 10, 16, 17, 18))
LU, LF = (np.uint64(WIDTH * row) for row in (3, 6))  # of the corners: place (3), offsets (3), value
_ALL, _Y, _Z, _ONE, _TWO = (np.uint64(value) for value in (WIDTH, WIDTH, 2 * WIDTH, 1, 2))


@kernel_inline
def part_below(a, b, c):
    """Share of the area of a triangle on which a linear function with corner values a, b, c is negative."""
    low, high = min(min(a, b), c), max(max(a, b), c)
    middle = max(min(a, b), min(max(a, b), c))
    few = middle <= 0.0
    end, other = (high if few else low), (low if few else high)
    part = end * end / ((end - other) * (end - middle))
    part = 1.0 - part if few else part
    part = 0.0 if low >= 0.0 else part
    return 1.0 if high <= 0.0 else part


@kernel
def _values_between(target, size, r, t, first, second, cut, cells, row):
    """Level set (mm) half way between two corners of the triangles in lanes 0..size-1 of cut, into a row."""
    grid, nz, a, b = target[4:11], np.uint64(target[6]), _ALL * np.uint64(3 * first), _ALL * np.uint64(3 * second)
    for j in range(np.uint64(size)):
        i, m = j + a, j + b
        x, y, z = turned(r, 0.5 * (cut[i] + cut[m]), 0.5 * (cut[i + _Y] + cut[m + _Y]), 0.5 * (cut[i + _Z] + cut[m + _Z]))
        cells[j], cut[j + CU], cut[j + CV], cut[j + CW], _ = lane_cell(grid, x + t[0], y + t[1], z + t[2])
    for j in range(0, size, BLOCK):
        value_of_eight(target[0], nz, np.uint64(target[5]) * nz, target[10], cells, cut, np.uint64(j), CU, row)


@kernel
def _cut_area(target, size, r, t, cut, cells):
    """Area (mm2) below the target of the triangles in lanes 0..size-1 of cut, which its rim cuts: in four parts by the middles of the sides, each linear."""
    for i in range(3):
        _values_between(target, size, r, t, i, (i + 1) % 3, cut, cells, CQ + _ALL * np.uint64(3 + i))
    area = 0.0
    for j in range(np.uint64(size)):
        k = j + CQ
        a, b, c, k = cut[k], cut[k + _Y], cut[k + _Z], k + _ALL * np.uint64(3)
        ab, bc, ca = cut[k], cut[k + _Y], cut[k + _Z]
        area += 0.25 * cut[j + CA] * (part_below(ab, bc, ca) + part_below(a, ab, ca) + part_below(b, bc, ab) + part_below(c, ca, bc))
    return area


@kernel
def _corners(target, points, triangles, rim, count, r, t, lane, cells, slot, corner, value):
    """Number the corners of the triangles rim[0..count-1] in slot (n,), which is -1 elsewhere, and fill value with the level set there; returns how many."""
    grid, nz, found = target[4:11], np.uint64(target[6]), 0
    for i in range(count):
        for k in range(3):
            point = triangles[3 * rim[i] + k]
            if slot[point] < 0:
                slot[point], corner[found] = found, point
                found += 1
    for first in range(0, found, WIDTH):
        size = min(found - first, WIDTH)
        for j in range(size):
            o, at = np.uint64(j), np.uint64(corner[first + j] * 3)
            lane[o], lane[o + _Y], lane[o + _Z] = points[at], points[at + _ONE], points[at + _TWO]
        for j in range(np.uint64(size)):
            x, y, z = turned(r, lane[j], lane[j + _Y], lane[j + _Z])
            cells[j], lane[j + LU], lane[j + LU + _Y], lane[j + LU + _Z], _ = lane_cell(grid, x + t[0], y + t[1], z + t[2])
        for j in range(0, size, BLOCK):
            value_of_eight(target[0], nz, np.uint64(target[5]) * nz, target[10], cells, lane, np.uint64(j), LU, LF)
        for j in range(size):
            value[first + j] = lane[np.uint64(j) + LF]
    return found


@kernel
def rim_area(target, springs, count, r, t, work, rims):
    """Area (mm2) below the target of the triangles rim[0..count-1] that its rim may cut; below (count,) decides where the corners lie on one side."""
    points, triangles = springs[4], springs[5]
    lane, cells, cut = work[0], work[1], work[4]
    rim, size_of, below, slot, corner, value = rims
    found = _corners(target, points, triangles, rim, count, r, t, lane, cells, slot, corner, value)
    area, size = 0.0, 0
    for i in range(count):
        first = 3 * rim[i]
        a, b, c = value[slot[triangles[first]]], value[slot[triangles[first + 1]]], value[slot[triangles[first + 2]]]
        if min(min(a, b), c) >= 0.0 or max(max(a, b), c) <= 0.0:
            area += size_of[i] if below[i] < 0.0 else 0.0
            continue
        o = np.uint64(size)
        for k in range(3):
            point, at = np.uint64(triangles[first + k] * 3), o + _ALL * np.uint64(3 * k)
            cut[at], cut[at + _Y], cut[at + _Z] = points[point], points[point + _ONE], points[point + _TWO]
        cut[o + CA], cut[o + CQ], cut[o + CQ + _Y], cut[o + CQ + _Z] = size_of[i], a, b, c
        size += 1
        if size == WIDTH:
            area += _cut_area(target, size, r, t, cut, cells)
            size = 0
    area += _cut_area(target, size, r, t, cut, cells)
    for i in range(found):
        slot[corner[i]] = -1
    return area


@kernel
def exceeded(value, weight, count, share, top, total):
    """Largest of the first `count` values (highest: top) that, with all above it, has at least this share of the weight (all: total); reorders both."""
    wanted = share * total
    if count == 0:
        return 0.0
    kept = 0
    for part in (0.95, 0.9, 0.8, 0.6, 0.0):  # most need only the highest
        limit, above = part * top, 0.0
        for i in range(count):
            above += weight[i] if value[i] >= limit else 0.0
        if above >= wanted or part == 0.0:
            for i in range(count):
                if value[i] >= limit:
                    value[kept], value[i] = value[i], value[kept]
                    weight[kept], weight[i] = weight[i], weight[kept]
                    kept += 1
            break
    first, last = 0, kept  # the answer lies in first..last-1; `wanted` is what is still to be found there
    while last - first > 1:
        pivot = value[(first + last) // 2]
        i, above = first, 0.0
        for j in range(first, last):  # those above the pivot to the front
            if value[j] > pivot:
                value[i], value[j] = value[j], value[i]
                weight[i], weight[j] = weight[j], weight[i]
                above += weight[i]
                i += 1
        if above >= wanted and i > first:
            last = i
            continue
        k, equal = i, 0.0
        for j in range(i, last):
            if value[j] == pivot:
                value[k], value[j] = value[j], value[k]
                weight[k], weight[j] = weight[j], weight[k]
                equal += weight[k]
                k += 1
        if above + equal >= wanted or k == last:
            return pivot
        first, wanted = k, wanted - above - equal
    return value[first]
