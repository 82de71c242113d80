"""Triangles gathered into patches, and the way of forces from triangles to patches."""

from __future__ import annotations

import math

import numpy as np

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
def spread_shares(centres, normals, thickness, patch_centres, patch_normals, patch_areas, first, start, patch, share):
    """Fill the way of force from the triangles (m, 3) of a meniscus to the patches (p, 3) of a plateau, whose numbers begin at `first`.

    Triangle i feeds patch[start[i]:start[i + 1]] with `share`; see `kneeload.bone.patches.spread_route` for the rule. Returns how many
    entries there are; those beyond the size of patch are counted, not written.
    """
    count, entries = patch_areas.shape[0], 0
    square = np.empty(count)
    for i in range(centres.shape[0]):
        start[i] = entries
        x, y, z = centres[i, 0], centres[i, 1], centres[i, 2]
        least = np.inf
        for j in range(count):
            dx, dy, dz = patch_centres[0, j] - x, patch_centres[1, j] - y, patch_centres[2, j] - z
            square[j] = dx * dx + dy * dy + dz * dz
            least = min(least, square[j])
        near = 0
        while square[near] > least:
            near += 1
        u, v, w = patch_normals[0, near], patch_normals[1, near], patch_normals[2, near]
        down = max(normals[i, 0] * u + normals[i, 1] * v + normals[i, 2] * w, 0.0)
        height = (x - patch_centres[0, near]) * u + (y - patch_centres[1, near]) * v + (z - patch_centres[2, near]) * w
        half = 0.5 * max(thickness[i], 0.5)
        variance, total, begin = half * half, 0.0, entries
        if down <= 0.0:
            continue
        for j in range(count):
            lateral = max(square[j] - height * height, 0.0)
            if lateral < 4.0 * variance:
                value = patch_areas[j] * math.exp(-0.5 * lateral / variance)
                total += value
                if value > 0.0:
                    if entries < patch.shape[0]:
                        patch[entries], share[entries] = first + j, value
                    entries += 1
        if total <= 0.0:
            if entries < patch.shape[0]:
                patch[entries], share[entries] = first + near, 1.0
            entries, total = entries + 1, 1.0
        for e in range(begin, min(entries, patch.shape[0])):
            share[e] *= down / total
    start[centres.shape[0]] = entries
    return entries


@kernel
def fill_nearest(points, chosen, places, order, middle, out):
    """Fill out (c,) with the row of places (m, 3) that is nearest to each of the points (n, 3) chosen (c,).

    order (m,): rows of places by rising x; middle (c,): where the x of each chosen point stands in it.
    """
    for c in range(chosen.shape[0]):
        x, y, z = points[chosen[c], 0], points[chosen[c], 1], points[chosen[c], 2]
        best, least = -1, np.inf
        up, down = middle[c], middle[c] - 1
        above, below = True, True
        while above or below:
            if above:
                if up == order.shape[0] or (places[order[up], 0] - x) ** 2 > least:
                    above = False
                else:
                    j = order[up]
                    square = (places[j, 0] - x) ** 2 + (places[j, 1] - y) ** 2 + (places[j, 2] - z) ** 2
                    if square < least:
                        best, least = j, square
                    up += 1
            if below:
                if down < 0 or (places[order[down], 0] - x) ** 2 > least:
                    below = False
                else:
                    j = order[down]
                    square = (places[j, 0] - x) ** 2 + (places[j, 1] - y) ** 2 + (places[j, 2] - z) ** 2
                    if square < least:
                        best, least = j, square
                    down -= 1
        out[c] = best
