"""Elastic half-space under a normal load: vertical stress below small discs. The full tensor is in `stress_tensor`.

Boussinesq's point load (K. L. Johnson, Contact Mechanics, 1985, section 3.2), compression positive. A source is a disc of uniform
pressure: far away the point load with the second moment of the disc, near by a product rule over the disc (three Gauss rings, eight
angles), so that nothing is singular; at depths of at least 0.8 radii it is within 1 % of the exact stress on the axis of the disc.
"""

from __future__ import annotations

import math

import numpy as np

from kneeload.kernels.options import kernel

NEAR = 6.0  # radii within which the disc is integrated instead of expanded
RINGS = np.sqrt(np.array([0.5 - math.sqrt(0.15), 0.5, 0.5 + math.sqrt(0.15)]))  # Gauss nodes in r^2/a^2
RING_WEIGHTS = np.array([5.0, 8.0, 5.0]) / 18.0
COSINES = np.cos((np.arange(4) + 0.5) * math.pi / 4.0)  # eight angles, four by symmetry
_SCALE = 3.0 / (2.0 * math.pi)


@kernel
def _sum_near(square, lateral, count, z2, radius, rings, ring_weights, cosines, total):
    """Fill total (count,) with the rule over the disc, the mean of 1 / distance^5 in 1/mm^5: points at `lateral` = sqrt(square), depth sqrt(z2)."""
    one = np.float32(1.0)
    for m in range(count):
        total[m] = np.float32(0.0)
    for k in range(rings.shape[0]):
        ring, weight = rings[k] * radius, np.float32(ring_weights[k] / cosines.shape[0])
        for c in range(cosines.shape[0]):
            across, up = np.float32(2.0 * ring * cosines[c]), np.float32(ring * ring + z2)
            for m in range(count):
                inverse = one / (square[m] + up - across * lateral[m])
                total[m] += weight * (inverse * inverse * math.sqrt(inverse))


@kernel
def fill_influence(points, normals, sources, source_normals, radii, chosen, depths, rings, ring_weights, cosines, rows, out):
    """Fill rows (c,) of out (d, r, n) MPa per N with the vertical stress under points (3, n) at depths (d,) mm from unit loads on the discs chosen (c,).

    normals (3, n), sources (p, 3), source_normals (p, 3), radii (p,). The half-space of a point has its surface in the tangent plane there.
    The lateral distance is the chord from the point to the source (an unrolling of the curved surface), and a source counts with the part
    of its force that is normal to that plane. Distances are formed in double precision, powers of them in single precision.
    """
    count = points.shape[1]
    square, facing, near = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.int32)
    close_square, lateral, total = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.float32)
    zero, one, eighth, ten, more, shallow = np.float32(0.0), np.float32(1.0), np.float32(0.125), np.float32(10.0), np.float32(35.0), np.inf
    for d in range(depths.shape[0]):
        shallow = min(shallow, depths[d])
    for c in range(chosen.shape[0]):
        j = chosen[c]
        x, y, z, u, v, w = sources[j, 0], sources[j, 1], sources[j, 2], source_normals[j, 0], source_normals[j, 1], source_normals[j, 2]
        for i in range(count):
            dx, dy, dz = points[0, i] - x, points[1, i] - y, points[2, i] - z
            square[i] = dx * dx + dy * dy + dz * dz
            facing[i] = max(normals[0, i] * u + normals[1, i] * v + normals[2, i] * w, 0.0)
        limit, close = NEAR * NEAR * radii[j] * radii[j], 0
        bound, a2 = np.float32(limit - shallow * shallow), np.float32(radii[j] * radii[j])
        for i in range(count):
            near[close], close_square[close] = i, square[i]
            close += square[i] < bound and facing[i] > zero
        for m in range(close):
            lateral[m] = math.sqrt(close_square[m])
        for d in range(depths.shape[0]):
            z2, scale = np.float32(depths[d] * depths[d]), np.float32(_SCALE * depths[d] * depths[d] * depths[d])
            row = out[d, rows[c]]
            for i in range(count):
                inverse = one / (square[i] + z2)
                power = inverse * inverse * math.sqrt(inverse)
                row[i] = facing[i] * scale * power * (one + eighth * a2 * inverse * (more * square[i] * inverse - ten))
            if close > 0 and depths[d] * depths[d] < limit:
                _sum_near(close_square, lateral, close, depths[d] * depths[d], radii[j], rings, ring_weights, cosines, total)
                rest = np.float32(limit - depths[d] * depths[d])
                for m in range(close):
                    if close_square[m] < rest:
                        row[near[m]] = facing[near[m]] * scale * total[m]
