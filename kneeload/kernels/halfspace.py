"""Elastic half-space under a normal load: influence of small discs, the bells that smooth loads, and the full stress tensor.

Boussinesq's point load (K. L. Johnson, Contact Mechanics, 1985, section 3.2), compression positive in `fill_influence` and tension
positive in `fill_disc_stress`. A source is a disc of uniform pressure: far away the point load with the second moment of the disc,
near by a product rule over the disc (three Gauss rings, eight angles), so that nothing is singular; at depths of at least 0.8 radii it
is within 1 % of the exact stress on the axis of the disc.
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


@kernel
def _add_point_load(dx, dy, z, force, poisson, stress):
    """Add Boussinesq's stress at (dx, dy, z) from a normal force at the origin; z into the solid, tension positive."""
    square = dx * dx + dy * dy
    distance = math.sqrt(square + z * z)
    r5 = distance**5
    scale = force / (2.0 * math.pi)
    soft = (1.0 - 2.0 * poisson) / (distance * (distance + z))
    radial = soft - 3.0 * square * z / r5
    hoop = (1.0 - 2.0 * poisson) * z / distance**3 - soft
    cxx, cyy, cxy = 1.0, 0.0, 0.0
    if square > 0.0:
        cxx, cyy, cxy = dx * dx / square, dy * dy / square, dx * dy / square
    stress[0] += scale * (radial * cxx + hoop * cyy)
    stress[1] += scale * (radial * cyy + hoop * cxx)
    stress[2] -= scale * 3.0 * z**3 / r5
    stress[3] += scale * (radial - hoop) * cxy
    stress[4] -= scale * 3.0 * dy * z * z / r5
    stress[5] -= scale * 3.0 * dx * z * z / r5


@kernel
def fill_disc_stress(points, centres, forces, radii, poisson, rings, ring_weights, out):
    """Add to out (n, 6) MPa (xx, yy, zz, xy, yz, zx) the stress at points (n, 3) mm (z = depth) under discs (p, 2) mm on a flat surface."""
    for i in range(points.shape[0]):
        stress = out[i]
        for j in range(centres.shape[0]):
            dx = points[i, 0] - centres[j, 0]
            dy = points[i, 1] - centres[j, 1]
            z = points[i, 2]
            if dx * dx + dy * dy + z * z >= (4.0 * NEAR * radii[j]) ** 2:
                _add_point_load(dx, dy, z, forces[j], poisson, stress)
                continue
            for k in range(rings.shape[0]):
                ring = rings[k] * radii[j]
                share = forces[j] * ring_weights[k] / 8.0
                for c in range(8):
                    angle = (c + 0.5) * math.pi / 4.0
                    _add_point_load(dx - ring * math.cos(angle), dy - ring * math.sin(angle), z, share, poisson, stress)
