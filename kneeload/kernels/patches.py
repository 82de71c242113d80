"""Triangles gathered into patches, and the way of forces from triangles to patches."""

from __future__ import annotations

import math

import numpy as np

from kneeload.kernels.columns import nearest_entry, reached, sort_columns, square_beyond, square_from
from kneeload.kernels.options import kernel, kernel_strict


@kernel_strict
def fill_facets(points, triangles, centres, normals, areas):
    """Fill centres (m, 3) mm, unit normals (m, 3; zero without area) and areas (m,) mm2 of triangles (m, 3) between points (n, 3) mm."""
    for i in range(triangles.shape[0]):
        a, b, c = triangles[i, 0], triangles[i, 1], triangles[i, 2]
        for k in range(3):
            centres[i, k] = (points[a, k] + points[b, k] + points[c, k]) / 3.0
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        x, y, z = 0.5 * (uy * vz - uz * vy), 0.5 * (uz * vx - ux * vz), 0.5 * (ux * vy - uy * vx)
        areas[i] = math.sqrt(x * x + y * y + z * z)
        length = max(areas[i], 1e-300)
        normals[i, 0], normals[i, 1], normals[i, 2] = x / length, y / length, z / length


@kernel_strict
def mark_border(triangles, region, points, edge):
    """Set edge (m,) where a triangle (m, 3) with a region (m,) >= 0 shares one of the points (count) with a triangle of another region."""
    low, high = np.full(points, 127, np.int8), np.full(points, -1, np.int8)
    for i in range(triangles.shape[0]):
        for k in range(3):
            p = triangles[i, k]
            low[p], high[p] = min(low[p], region[i]), max(high[p], region[i])
    for i in range(triangles.shape[0]):
        mixed = False
        for k in range(3):
            mixed = mixed or low[triangles[i, k]] != high[triangles[i, k]]
        edge[i] = region[i] >= 0 and mixed


@kernel_strict
def cell_keys(centres, normals, chosen, size, key):
    """Fill key (c,) of the triangles chosen (c,) and return the number of possible keys: cube of side `size` mm, and octant of the normal.

    Keys rise with x, then y, then z of the cube. centres, normals (m, 3).
    """
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for i in range(chosen.shape[0]):
        for k in range(3):
            low[k], high[k] = min(low[k], centres[chosen[i], k]), max(high[k], centres[chosen[i], k])
    for k in range(3):
        low[k] = min(low[k], 0.0)
    if chosen.shape[0] == 0:
        return 0
    ny, nz = int((high[1] - low[1]) / size) + 1, int((high[2] - low[2]) / size) + 1
    for i in range(chosen.shape[0]):
        j, octant = chosen[i], 0
        for k in range(3):
            octant += (1 << k) if normals[j, k] >= 0.0 else 0
        u, v, w = int((centres[j, 0] - low[0]) / size), int((centres[j, 1] - low[1]) / size), int((centres[j, 2] - low[2]) / size)
        key[i] = ((u * ny + v) * nz + w) * 8 + octant
    return (int((high[0] - low[0]) / size) + 1) * ny * nz * 8


@kernel_strict
def number_keys(key, number):
    """Turn keys (c,) from 0 to number.size - 1 into patch numbers in the order of the keys, in place; return how many there are.

    number: zeros on entry.
    """
    for i in range(key.shape[0]):
        number[key[i]] = 1
    count = 0
    for k in range(number.shape[0]):
        if number[k]:
            number[k] = count
            count += 1
    for i in range(key.shape[0]):
        key[i] = number[key[i]]
    return count


@kernel_strict
def cover(centres, normals, chosen, size, growth, most, room, key):
    """Fill key (c,) with the patch numbers of the triangles chosen (c,), as `cell_keys` and `number_keys` do, at the first size at which they are `most` at most.

    size (mm) grows by the factor `growth` until then, or until one cell holds all. room: most cells that are looked at. Returns (number of patches, -1 if there are
    more cells than room; that size).
    """
    low, high, octant = np.full(3, np.inf), np.full(3, -np.inf), np.zeros(chosen.shape[0], np.int64)
    for i in range(chosen.shape[0]):
        for k in range(3):
            low[k], high[k] = min(low[k], centres[chosen[i], k]), max(high[k], centres[chosen[i], k])
            octant[i] += (1 << k) if normals[chosen[i], k] >= 0.0 else 0
    for k in range(3):
        low[k] = min(low[k], 0.0)
    seen, look = np.zeros(0, np.int32), np.int32(0)
    while True:
        nx, ny, nz = int((high[0] - low[0]) / size) + 1, int((high[1] - low[1]) / size) + 1, int((high[2] - low[2]) / size) + 1
        if nx > room or ny > room or nz > room or nx * ny > room or nx * ny * nz * 8 > room:
            return -1, size
        if seen.shape[0] == 0:
            seen = np.zeros(nx * ny * nz * 8, np.int32)
        last = nx * ny * nz == 1  # octants alone are left, which no size makes fewer
        look += np.int32(1)  # cells seen in this look, without setting all of them back
        count = 0
        for i in range(chosen.shape[0]):
            j = chosen[i]
            u, v, w = int((centres[j, 0] - low[0]) / size), int((centres[j, 1] - low[1]) / size), int((centres[j, 2] - low[2]) / size)
            key[i] = ((u * ny + v) * nz + w) * 8 + octant[i]
            if seen[key[i]] != look:
                seen[key[i]] = look
                count += 1
                if count > most and not last:
                    break
        if count <= most or last:
            return number_keys(key, np.zeros(nx * ny * nz * 8, np.int32)), size
        size *= growth


@kernel_strict
def merge_facets(centres, normals, areas, chosen, patch, out_centres, out_normals, out_areas):
    """Fill patches (p, 3), (p, 3), (p,) from triangles chosen (c,) that belong to patch (c,): area-weighted centres, unit mean normals, areas.

    The outputs are zeros on entry.
    """
    for i in range(chosen.shape[0]):
        j, p = chosen[i], patch[i]
        out_areas[p] += areas[j]
        for k in range(3):
            out_centres[p, k] += areas[j] * centres[j, k]
            out_normals[p, k] += areas[j] * normals[j, k]
    for p in range(out_areas.shape[0]):
        weight = out_areas[p] if out_areas[p] > 0.0 else 1.0
        x, y, z = out_normals[p, 0], out_normals[p, 1], out_normals[p, 2]
        length = math.sqrt(x * x + y * y + z * z)
        for k in range(3):
            out_centres[p, k] /= weight
            out_normals[p, k] /= length if length > 0.0 else 1.0


@kernel
def nearest_of(x, y, z, places, chosen):
    """Return the position in chosen (c,) of the row of places (m, 3) that is nearest to a point."""
    best, least = 0, np.inf
    for i in range(chosen.shape[0]):
        j = chosen[i]
        dx, dy, dz = places[j, 0] - x, places[j, 1] - y, places[j, 2] - z
        square = dx * dx + dy * dy + dz * dz
        if square < least:
            best, least = i, square
    return best


@kernel
def spread_shares(centres, normals, thickness, patch_centres, patch_normals, patch_areas, first, size, start, patch, share):
    """Fill the way of force from the triangles (m, 3) of a meniscus to the patches (p, 3) of a plateau, whose numbers begin at `first`.

    Triangle i feeds patch[start[i]:start[i + 1]] with `share`; see `kneeload.bone.patches.spread_route` for the rule. Returns how many
    entries there are; those beyond the size of patch are counted, not written. size: side of the columns that patches are searched in, mm.
    """
    columns = sort_columns(patch_centres, size)
    low_x, low_z, size, nx, nz, column, item, place, _, _ = columns
    entries, near = 0, 0
    for i in range(centres.shape[0]):
        start[i] = entries
        x, y, z = centres[i, 0], centres[i, 1], centres[i, 2]
        near = nearest_entry(columns, x, y, z, near)
        n = item[near]
        u, v, w = patch_normals[n, 0], patch_normals[n, 1], patch_normals[n, 2]
        down = normals[i, 0] * u + normals[i, 1] * v + normals[i, 2] * w
        if down <= 0.0:
            continue
        height = (x - place[near, 0]) * u + (y - place[near, 1]) * v + (z - place[near, 2]) * w
        half = 0.5 * max(thickness[i], 0.5)
        variance, total, begin = half * half, 0.0, entries
        limit = 4.0 * variance + height * height  # lateral distance within two deviations
        first_x, last_x = reached(x, math.sqrt(limit), low_x, size, nx)
        first_z, last_z = reached(z, math.sqrt(limit), low_z, size, nz)
        for a in range(first_x, last_x + 1):
            for b in range(first_z, last_z + 1):
                if square_beyond(columns, x, y, z, a, b) >= limit:
                    continue
                for e in range(column[a * nz + b], column[a * nz + b + 1]):
                    square = square_from(place, e, x, y, z)
                    if square < limit:
                        value = patch_areas[item[e]] * math.exp(-0.5 * max(square - height * height, 0.0) / variance)
                        total += value
                        if value > 0.0:
                            if entries < patch.shape[0]:
                                patch[entries], share[entries] = first + item[e], value
                            entries += 1
        if total <= 0.0:
            if entries < patch.shape[0]:
                patch[entries], share[entries] = first + n, 1.0
            entries, total = entries + 1, 1.0
        for e in range(begin, min(entries, patch.shape[0])):
            share[e] *= down / total
    start[centres.shape[0]] = entries
    return entries
