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
def _near_vertical(square, z, radius, rings, ring_weights, cosines):
    """Vertical stress of a unit disc load at lateral distance sqrt(square) and depth z by the rule over the disc: MPa per N."""
    r2 = square + z * z
    lateral = math.sqrt(square)
    total = 0.0
    for k in range(rings.shape[0]):
        ring = rings[k] * radius
        part = 0.0
        for c in range(cosines.shape[0]):
            inverse = 1.0 / (r2 + ring * ring - 2.0 * lateral * ring * cosines[c])
            part += inverse * inverse * math.sqrt(inverse)
        total += ring_weights[k] * part
    return _SCALE * z * z * z * total / cosines.shape[0]


@kernel
def fill_influence(points, normals, sources, source_normals, radii, chosen, depths, rings, ring_weights, cosines, out):
    """Fill out (d, c, n) MPa per N with the vertical stress under points (3, n) at depths (d,) mm from unit loads on the discs chosen (c,).

    normals (3, n), sources (p, 3), source_normals (p, 3), radii (p,). The half-space of a point has its surface in the tangent plane there.
    The lateral distance is the chord from the point to the source (an unrolling of the curved surface), and a source counts with the part
    of its force that is normal to that plane. Distances are formed in double precision, powers of them in single precision.
    """
    count = points.shape[1]
    square, facing, near = np.empty(count, np.float32), np.empty(count, np.float32), np.empty(count, np.int32)
    one, eighth, ten, more = np.float32(1.0), np.float32(0.125), np.float32(10.0), np.float32(35.0)
    for c in range(chosen.shape[0]):
        j = chosen[c]
        x, y, z, u, v, w = sources[j, 0], sources[j, 1], sources[j, 2], source_normals[j, 0], source_normals[j, 1], source_normals[j, 2]
        for i in range(count):
            dx, dy, dz = points[0, i] - x, points[1, i] - y, points[2, i] - z
            square[i] = dx * dx + dy * dy + dz * dz
            facing[i] = max(normals[0, i] * u + normals[1, i] * v + normals[2, i] * w, 0.0)
        limit, close = NEAR * NEAR * radii[j] * radii[j], 0
        for i in range(count):
            near[close] = i
            close += square[i] < limit and facing[i] > 0.0
        a2 = np.float32(radii[j] * radii[j])
        for d in range(depths.shape[0]):
            z2, scale = np.float32(depths[d] * depths[d]), np.float32(_SCALE * depths[d] * depths[d] * depths[d])
            row = out[d, c]
            for i in range(count):
                inverse = one / (square[i] + z2)
                power = inverse * inverse * math.sqrt(inverse)
                row[i] = facing[i] * scale * power * (one + eighth * a2 * inverse * (more * square[i] * inverse - ten))
            for m in range(close):
                i = near[m]
                dx, dy, dz = points[0, i] - x, points[1, i] - y, points[2, i] - z
                exact = dx * dx + dy * dy + dz * dz
                if exact + depths[d] * depths[d] < limit:
                    row[i] = facing[i] * _near_vertical(exact, depths[d], radii[j], rings, ring_weights, cosines)
