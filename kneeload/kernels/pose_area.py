"""Areas of contact in one pose: triangles that the rim cuts, and the pressure that a share of the area exceeds.

For the tuples target and springs see `kneeload.kernels.pose_stress`. Corners are placed in double precision, the level set there is read in single precision.
    rims = (rim, size, below, slot, corner, value, place, cut)
        rim: triangles that the rim may cut. size: their areas, mm2. below: level set (mm) at their centres, which decides where the corners lie on one side
        slot: (points,) number of each corner in the list, -1 for none. corner: points in the list. value: level set there, mm. place: (3,) of each, in
        node distances. cut: flat (CUT_ROWS, WIDTH), workspace
"""

from __future__ import annotations

import numpy as np

from kneeload.kernels.options import kernel, kernel_inline
from kneeload.kernels.spline_lanes import LOOK, WIDTH, lane_cell, turned, value_of_lanes, within

CUT_ROWS = 9  # of triangles that the rim cuts: places of the corners
LF, LS, LA, LB, LC, LAB, LBC, LCA = (np.uint64(WIDTH * row) for row in range(3, 11))  # of lanes: offsets (3), value; area, values at corners and half way between
FIRST, SECOND, THIRD = (np.uint64(WIDTH * row) for row in (0, 3, 6))  # of cut
NONE, ONE, QUARTER = np.float32(0.0), np.float32(1.0), np.float32(0.25)  # so that single precision stays single
_ALL, _Y, _Z, _ONE, _TWO, _U = (np.uint64(value) for value in (WIDTH, WIDTH, 2 * WIDTH, 1, 2, 0))


@kernel_inline
def part_below(a, b, c):
    """Share of the area of a triangle on which a linear function with corner values a, b, c is negative."""
    low, high = min(min(a, b), c), max(max(a, b), c)
    middle = max(min(a, b), min(max(a, b), c))
    few = middle <= NONE
    end, other = (high if few else low), (low if few else high)
    part = end * end / ((end - other) * (end - middle))
    part = ONE - part if few else part
    part = NONE if low >= NONE else part
    return ONE if high <= NONE else part


@kernel_inline
def _values_between(target, size, a, b, cut, lane, cells, row):
    """Level set (mm) half way between two corners of the triangles in lanes 0..size-1 of cut, into a row of lane."""
    for j in range(np.uint64(size)):
        i, m = j + a, j + b
        cells[j], _, _, _, u, v, w = lane_cell(target[4:7], 0.5 * (cut[i] + cut[m]), 0.5 * (cut[i + _Y] + cut[m + _Y]), 0.5 * (cut[i + _Z] + cut[m + _Z]), 0.0, 0.0, 0.0)
        lane[j], lane[j + _Y], lane[j + _Z] = within(u), within(v), within(w)
    nz = np.uint64(target[6])
    for j in range(0, size, LOOK):
        value_of_lanes(target[0], nz, np.uint64(target[5]) * nz, np.float32(target[10]), cells, lane, np.uint64(j), _U, row)


@kernel
def _cut_area(target, size, cut, lane, cells):
    """Area (mm2) below the target of the triangles in lanes 0..size-1 of cut, which its rim cuts: in four parts by the middles of the sides, each linear."""
    _values_between(target, size, FIRST, SECOND, cut, lane, cells, LAB)
    _values_between(target, size, SECOND, THIRD, cut, lane, cells, LBC)
    _values_between(target, size, THIRD, FIRST, cut, lane, cells, LCA)
    area = NONE
    for j in range(np.uint64(size)):
        a, b, c, ab, bc, ca = lane[j + LA], lane[j + LB], lane[j + LC], lane[j + LAB], lane[j + LBC], lane[j + LCA]
        area += QUARTER * lane[j + LS] * (part_below(ab, bc, ca) + part_below(a, ab, ca) + part_below(b, bc, ab) + part_below(c, ca, bc))
    return area


@kernel
def _corners(target, springs, count, r, t, ball, lane, cells, rims):
    """Number the corners of the first `count` triangles of the rim in slot, which is -1 elsewhere; fill place and value; returns how many."""
    points, triangles = springs[3], springs[4]
    rim, slot, corner, value, place = rims[0], rims[3], rims[4], rims[5], rims[6]
    nz, ih, found = np.uint64(target[6]), target[10], 0
    for i in range(count):
        for k in range(3):
            point = triangles[3 * np.int64(rim[i]) + k]
            if slot[point] < 0:
                slot[point], corner[found] = found, point
                found += 1
    for first in range(0, found, WIDTH):
        size = min(found - first, WIDTH)
        for j in range(size):
            at, to = np.uint64(corner[first + j] * 3), np.uint64(j)
            ball[to], ball[to + _Y], ball[to + _Z] = points[at], points[at + _ONE], points[at + _TWO]
        for j in range(np.uint64(size)):
            x, y, z = turned(r, ball[j], ball[j + _Y], ball[j + _Z])
            x, y, z = (x + t[0] - target[7]) * ih - 1.0, (y + t[1] - target[8]) * ih - 1.0, (z + t[2] - target[9]) * ih - 1.0
            cells[j], _, _, _, u, v, w = lane_cell(target[4:7], x, y, z, 0.0, 0.0, 0.0)
            lane[j], lane[j + _Y], lane[j + _Z] = within(u), within(v), within(w)
            ball[j], ball[j + _Y], ball[j + _Z] = x, y, z
        for j in range(0, size, LOOK):
            value_of_lanes(target[0], nz, np.uint64(target[5]) * nz, np.float32(ih), cells, lane, np.uint64(j), _U, LF)
        for j in range(np.uint64(size)):
            value[np.uint64(first) + j] = lane[j + LF]
        for j in range(size):
            o, to = np.uint64(j), np.uint64((first + j) * 3)
            place[to], place[to + _ONE], place[to + _TWO] = ball[o], ball[o + _Y], ball[o + _Z]
    return found


@kernel
def rim_area(target, springs, count, r, t, ball, lane, cells, rims):
    """Area (mm2) below the target of the first `count` triangles of the rim; ball, lane and cells: workspace."""
    triangles = springs[4]
    rim, size_of, below, slot, corner, value, place, cut = rims
    found = _corners(target, springs, count, r, t, ball, lane, cells, rims)
    area, size = 0.0, 0
    for i in range(count):
        first = 3 * np.int64(rim[i])
        i0, i1, i2 = slot[triangles[first]], slot[triangles[first + 1]], slot[triangles[first + 2]]
        a, b, c = value[i0], value[i1], value[i2]
        if min(min(a, b), c) >= 0.0 or max(max(a, b), c) <= 0.0:
            area += size_of[i] if below[i] < 0.0 else 0.0
            continue
        o = np.uint64(size)
        for k, point in enumerate((i0, i1, i2)):
            here, at = np.uint64(point * 3), o + _ALL * np.uint64(3 * k)
            cut[at], cut[at + _Y], cut[at + _Z] = place[here], place[here + _ONE], place[here + _TWO]
        lane[o + LS], lane[o + LA], lane[o + LB], lane[o + LC] = size_of[i], a, b, c
        size += 1
        if size == WIDTH:
            area += _cut_area(target, size, cut, lane, cells)
            size = 0
    area += _cut_area(target, size, cut, lane, cells)
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
