"""Places sorted into upright columns (a grid over x and z), and the nearest of them to a point: for points that lie over a surface."""

from __future__ import annotations

import math

import numpy as np

from kneeload.kernels.options import kernel, kernel_inline, kernel_strict

MOST = 1000  # columns along one side: a far outlier must not fill the memory


@kernel_strict
def sort_columns(places, size):
    """Return places (m, 3), mm, in columns of side `size` mm or more: (corner x, corner z, size, columns along x, along z, start, item, place, bottom, top).

    Column i nz + k has the entries start[c]:start[c + 1], whose places are place (m, 3), rows item (m,) of `places`, and which lie between
    bottom[c] and top[c] along y.
    """
    count = places.shape[0]
    low_x, low_z, high_x, high_z = np.inf, np.inf, -np.inf, -np.inf
    for j in range(count):
        low_x, high_x = min(low_x, places[j, 0]), max(high_x, places[j, 0])
        low_z, high_z = min(low_z, places[j, 2]), max(high_z, places[j, 2])
    size = max(max(size, math.sqrt((high_x - low_x) * (high_z - low_z) / count)), max(high_x - low_x, high_z - low_z) / MOST)
    nx, nz = int((high_x - low_x) / size) + 1, int((high_z - low_z) / size) + 1
    column, item, place = np.empty(count, np.int64), np.empty(count, np.int64), np.empty((count, 3))
    start, free = np.zeros(nx * nz + 1, np.int64), np.empty(nx * nz, np.int64)
    bottom, top = np.full(nx * nz, np.inf), np.full(nx * nz, -np.inf)
    for j in range(count):
        i, k = int((places[j, 0] - low_x) / size), int((places[j, 2] - low_z) / size)
        c = min(max(i, 0), nx - 1) * nz + min(max(k, 0), nz - 1)
        column[j] = c
        start[c + 1] += 1
        bottom[c], top[c] = min(bottom[c], places[j, 1]), max(top[c], places[j, 1])
    for c in range(nx * nz):
        start[c + 1] += start[c]
        free[c] = start[c]
    for j in range(count):
        e = free[column[j]]
        free[column[j]] += 1
        item[e], place[e, 0], place[e, 1], place[e, 2] = j, places[j, 0], places[j, 1], places[j, 2]
    return low_x, low_z, size, nx, nz, start, item, place, bottom, top


@kernel_inline
def reached(at, reach, low, size, count):
    """First and last column along one side within `reach` of a place."""
    first, last = math.floor((at - reach - low) / size), math.floor((at + reach - low) / size)
    return int(max(first, 0.0)), int(min(last, count - 1.0))


@kernel_inline
def square_beyond(columns, x, y, z, i, k):
    """Square of the distance that every place of a column has at least from a point, mm2."""
    low_x, low_z, size, _, nz, _, _, _, bottom, top = columns
    c = i * nz + k
    dx = max(max(low_x + i * size - x, x - low_x - (i + 1) * size), 0.0)
    dz = max(max(low_z + k * size - z, z - low_z - (k + 1) * size), 0.0)
    dy = max(max(bottom[c] - y, y - top[c]), 0.0)
    return dx * dx + dy * dy + dz * dz


@kernel_inline
def square_from(place, e, x, y, z):
    """Square of the distance of entry e from a point, mm2."""
    return (place[e, 0] - x) * (place[e, 0] - x) + (place[e, 1] - y) * (place[e, 1] - y) + (place[e, 2] - z) * (place[e, 2] - z)


@kernel
def nearest_entry(columns, x, y, z, guess):
    """Return the entry that is nearest to a point, mm, searched no farther than entry `guess` (that of a neighbour, or 0)."""
    low_x, low_z, size, nx, nz, start, _, place, _, _ = columns
    best, least = guess, square_from(place, guess, x, y, z)
    first_x, last_x = reached(x, math.sqrt(least), low_x, size, nx)
    first_z, last_z = reached(z, math.sqrt(least), low_z, size, nz)
    for i in range(first_x, last_x + 1):
        for k in range(first_z, last_z + 1):
            if square_beyond(columns, x, y, z, i, k) < least:
                for e in range(start[i * nz + k], start[i * nz + k + 1]):
                    square = square_from(place, e, x, y, z)
                    if square < least:
                        best, least = e, square
    return best


@kernel
def fill_nearest(points, chosen, places, size, out):
    """Fill out (c,) with the row of places (m, 3) that is nearest to each of the points (n, 3) chosen (c,), all mm; `size` as for `sort_columns`."""
    columns = sort_columns(places, size)
    item, entry = columns[6], 0
    for c in range(chosen.shape[0]):
        p = chosen[c]
        entry = nearest_entry(columns, points[p, 0], points[p, 1], points[p, 2], entry)
        out[c] = item[entry]
