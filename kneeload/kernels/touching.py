"""Where the femur rests on the tibia over flexion, both plateaus just touching: gaps, the pose that closes them, weighted means."""

from __future__ import annotations

import math

import numpy as np

from kneeload.kernels.options import kernel, kernel_inline, kernel_strict

STEPS = 12
ARRIVED_MM = 0.01  # both plateaus count as touching within this
STEEPEST = 1.5  # no distance changes faster than this with the place (a true one by 1); points that cannot be the nearest are left out by it


@kernel_inline
def _value(field, x, y, z):
    """Level set at a point, mm: field = (coefficients (nodes,) mm, (nx, ny, nz), ox, oy, oz, spacing, value outside of the grid)."""
    c, shape, ox, oy, oz, spacing, outside = field
    nx, ny, nz = shape
    u, v, w = (x - ox) / spacing, (y - oy) / spacing, (z - oz) / spacing
    if not (u >= 0.5 and v >= 0.5 and w >= 0.5 and u <= nx - 1.5 and v <= ny - 1.5 and w <= nz - 1.5):
        return outside
    i, j, k = min(int(u + 0.5), nx - 2), min(int(v + 0.5), ny - 2), min(int(w + 0.5), nz - 2)
    r, s, t = u - i, v - j, w - k
    w0, w1, w2 = 0.5 * (0.5 - t) * (0.5 - t), 0.75 - t * t, 0.5 * (0.5 + t) * (0.5 + t)
    v0, v1, v2 = 0.5 * (0.5 - s) * (0.5 - s), 0.75 - s * s, 0.5 * (0.5 + s) * (0.5 + s)
    row, plane = np.uint64(nz), np.uint64(ny * nz)
    first = np.uint64(((i - 1) * ny + j - 1) * nz + k - 1)
    a = _plane(c, first, row, v0, v1, v2, w0, w1, w2)
    b = _plane(c, first + plane, row, v0, v1, v2, w0, w1, w2)
    d = _plane(c, first + plane + plane, row, v0, v1, v2, w0, w1, w2)
    return 0.5 * (0.5 - r) * (0.5 - r) * a + (0.75 - r * r) * b + 0.5 * (0.5 + r) * (0.5 + r) * d


@kernel_inline
def _plane(c, m, row, v0, v1, v2, w0, w1, w2):
    """Weighted sum of nine coefficients: three rows of three from number m on. Unsigned places need no look at their sign."""
    one, two, n, o = np.uint64(1), np.uint64(2), m + row, m + row + row
    return v0 * (w0 * c[m] + w1 * c[m + one] + w2 * c[m + two]) + v1 * (w0 * c[n] + w1 * c[n + one] + w2 * c[n + two]) + v2 * (w0 * c[o] + w1 * c[o + one] + w2 * c[o + two])


@kernel_inline
def _placed(points, i, turn, shift):
    """Point i of the tibia in the femur frame: tilted about x, moved down by shift (mm), flexed. turn = (cos and sin of the tilt, cos and sin of flexion)."""
    ct, st, cf, sf = turn
    x, y, z = points[i, 0], ct * points[i, 1] - st * points[i, 2] - shift, st * points[i, 1] + ct * points[i, 2]
    return cf * x + sf * y, -sf * x + cf * y, z


@kernel_inline
def _node(at, origin, spacing, count):
    """Number of the node nearest to a place along one direction, within the grid."""
    return int(min(max(math.floor((at - origin) / spacing + 0.5), 0.0), count - 1.0))


@kernel
def _nearest(field, points, first, last, turn, shift, limit, moved, known, gap):
    """Number of the point among first..last-1 with the smallest gap.

    Fills gap (mm) of the points whose gap can be below limit (mm). known: gap at the last look at a point plus the way (mm) that gaps could change before it;
    moved (mm): that way until now.
    """
    best, least = first, np.inf
    for i in range(first, last):
        if known[i] <= limit + moved:
            x, y, z = _placed(points, i, turn, shift)
            gap[i] = _value(field, x, y, z)
            known[i] = gap[i] + moved
            if gap[i] < least:
                best, least = i, gap[i]
    return best


@kernel
def _balanced(field, points, first, bare, radius, flexion, pose, known, gap):
    """Shift (mm) and tilt (rad), in pose (2,), that bring both plateaus to touch at a flexion (rad); fills gap (bare,) mm at the end.

    Each step closes the gaps of the nearest points. Between two looks at all points only those are looked at that can have become the nearest: gaps change by no more
    than the points move, which is known from radius (mm), the greatest distance from the x axis.
    """
    cf, sf = math.cos(flexion), math.sin(flexion)
    begin, all_points, step, moved, medial_limit, lateral_limit = first - first, True, 0, 0.0, np.inf, np.inf  # a literal 0 would compile `_nearest` twice
    while True:
        if all_points:
            medial_limit, lateral_limit = np.inf, np.inf
        turn = (math.cos(pose[1]), math.sin(pose[1]), cf, sf)
        medial = _nearest(field, points, begin, first, turn, pose[0], medial_limit, moved, known, gap)
        lateral = _nearest(field, points, first, bare, turn, pose[0], lateral_limit, moved, known, gap)
        if max(abs(gap[medial]), abs(gap[lateral])) < ARRIVED_MM or step >= STEPS:
            if all_points:
                return
            all_points = True  # once more with all of them
            continue
        rise = (gap[lateral] - gap[medial]) / (points[lateral, 2] - points[medial, 2])  # tilt about x by this closes the difference
        down = gap[medial] - rise * points[medial, 2]
        pose[0] -= down
        pose[1] -= rise
        change = STEEPEST * (abs(down) + abs(rise) * radius)
        moved, medial_limit, lateral_limit = moved + change, gap[medial] + change, gap[lateral] + change
        all_points, step = False, step + 1


@kernel_strict
def touching_centres(coefficients, thickness, origin, spacing, outside, points, area, compliance, border, modulus, scale, flexion, centres):
    """Fill centres (k, 2, 2): mean (x, z), mm, of the medial and of the lateral side at each flexion (k,) rad.

    Weights: area times exp(-gap / scale) over (compliance + thickness of the femur at the nearest node over modulus), scale in mm, modulus in MPa
    (single precision, as the thickness).
    coefficients (nodes,), thickness (nx, ny, nz) mm, origin (3,) mm, spacing mm, outside mm: level set. points (n, 3) mm, tibia frame, area (n,) mm2, compliance (n,) mm/MPa:
    medial and lateral cartilage, medial and lateral meniscus, which begin at border (5,). Only the cartilage touches.
    """
    nx, ny, nz = thickness.shape
    field = (coefficients, (nx, ny, nz), origin[0], origin[1], origin[2], spacing, outside)
    first, bare = border[1], border[2]
    gap, known, pose, radius = np.empty(points.shape[0]), np.zeros(points.shape[0]), np.zeros(2), 0.0
    for i in range(bare):
        radius = max(radius, math.sqrt(points[i, 1] * points[i, 1] + points[i, 2] * points[i, 2]))
    for f in range(flexion.size):
        _balanced(field, points, first, bare, radius, flexion[f], pose, known, gap)
        turn = (math.cos(pose[1]), math.sin(pose[1]), math.cos(flexion[f]), math.sin(flexion[f]))
        _nearest(field, points, bare, border[4], turn, pose[0], np.inf, 0.0, known, gap)
        for side in range(2):
            total = sum_x = sum_z = 0.0
            for part in range(side, 4, 2):
                for i in range(border[part], border[part + 1]):
                    x, y, z = _placed(points, i, turn, pose[0])
                    layer = thickness[_node(x, origin[0], spacing, nx), _node(y, origin[1], spacing, ny), _node(z, origin[2], spacing, nz)]
                    weight = area[i] * math.exp(-max(gap[i], 0.0) / scale) / (compliance[i] + layer / modulus)
                    total += weight
                    sum_x += weight * points[i, 0]
                    sum_z += weight * points[i, 2]
            centres[f, side, 0], centres[f, side, 1] = sum_x / total, sum_z / total
