"""Elastic half-space under a normal load: influence of small discs, full stress tensor, and the collection of loads from contact fields.

Boussinesq's point load (K. L. Johnson, Contact Mechanics, 1985, section 3.2), compression positive in `fill_influence` and tension
positive in `fill_disc_stress`. A source is a disc of uniform pressure: far away the point load with the second moment of the disc,
near by a product rule over the disc (three Gauss rings, eight angles), so that nothing is singular; at depths of at least 0.8 radii it
is within 1 % of the exact stress on the axis of the disc.
"""

from __future__ import annotations

import math

import numpy as np

from kneeload.kernels.options import kernel

BLOCK = 16  # rows that `spread_columns` works on at a time
NEAR = 6.0  # radii within which the disc is integrated instead of expanded
RINGS = np.sqrt(np.array([0.5 - math.sqrt(0.15), 0.5, 0.5 + math.sqrt(0.15)]))  # Gauss nodes in r^2/a^2
RING_WEIGHTS = np.array([5.0, 8.0, 5.0]) / 18.0
COSINES = np.cos((np.arange(4) + 0.5) * math.pi / 4.0)  # eight angles, four by symmetry
_SCALE = 3.0 / (2.0 * math.pi)


@kernel
def _disc_vertical(square, z, radius, rings, ring_weights, cosines):
    """Vertical stress of a unit disc load at lateral distance sqrt(square) and depth z: MPa per N."""
    r2 = square + z * z
    a2 = radius * radius
    if r2 >= NEAR * NEAR * a2:
        inverse = 1.0 / r2
        point = z * z * z * inverse * inverse * math.sqrt(inverse)
        return _SCALE * point * (1.0 + 0.125 * a2 * inverse * (35.0 * square * inverse - 10.0))
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
def fill_influence(points, normals, sources, source_normals, radii, depths, rings, ring_weights, cosines, out):
    """Fill out (d, n, p) MPa per N with the vertical stress under points (n, 3) at depths (d,) mm from unit loads on discs (p, 3).

    The half-space of a point has its surface in the tangent plane there. The lateral distance is the chord from the point to the
    source (an unrolling of the curved surface), and a source counts with the part of its force that is normal to that plane.
    """
    for i in range(points.shape[0]):
        for j in range(sources.shape[0]):
            facing = (normals[i, 0] * source_normals[j, 0] + normals[i, 1] * source_normals[j, 1]
                      + normals[i, 2] * source_normals[j, 2])
            if facing <= 0.0:
                for d in range(depths.shape[0]):
                    out[d, i, j] = 0.0
                continue
            dx = sources[j, 0] - points[i, 0]
            dy = sources[j, 1] - points[i, 1]
            dz = sources[j, 2] - points[i, 2]
            square = dx * dx + dy * dy + dz * dz
            for d in range(depths.shape[0]):
                out[d, i, j] = facing * _disc_vertical(square, depths[d], radii[j], rings, ring_weights, cosines)


@kernel
def spread_columns(field, start, column, weight, out):
    """Fill out (n, p) with field (n, p) whose column k becomes the sum of weight[e] * field[:, column[e]], e from start[k] to start[k + 1]."""
    rows, columns = field.shape
    block = np.zeros((columns, BLOCK), np.float32)  # a few rows turned on their side, so that the innermost loop runs along memory
    total = np.zeros(BLOCK, np.float32)
    for first in range(0, rows, BLOCK):
        count = min(BLOCK, rows - first)
        for b in range(count):
            for j in range(columns):
                block[j, b] = field[first + b, j]
        for k in range(start.shape[0] - 1):
            for b in range(BLOCK):
                total[b] = 0.0
            for e in range(start[k], start[k + 1]):
                w, c = weight[e], column[e]
                for b in range(BLOCK):
                    total[b] += w * block[c, b]
            for b in range(count):
                out[first + b, k] = total[b]


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


@kernel
def collect(pressure, area, target, region, start, patch, share, region_force, region_area, region_peak, patch_force):
    """Add the load of one contact field to totals of regions and to the patches of a bone; return the count of unusable pressures.

    pressure (T, m) MPa, area (m,) mm2: casting triangles. target (T, m) or (1, m): receiving triangle, -1 for none (one row = the same
    in all frames). region (k,): region of each receiving triangle, negative for none. Receiving triangle i feeds the patches
    patch[start[i]:start[i + 1]] with the parts share[...] of its force. Added to: region_force, region_area, region_peak (T, R) N, mm2, MPa;
    patch_force (T, P) N. Negative and non-finite pressures are left out and counted.
    """
    bad = 0
    rows = target.shape[0]
    regions = region_force.shape[1]
    for t in range(pressure.shape[0]):
        row = t if rows > 1 else 0
        for j in range(pressure.shape[1]):
            p = pressure[t, j]
            if p == 0.0:
                continue
            if not (p > 0.0 and p < 1e9):
                bad += 1
                continue
            k = target[row, j]
            if k < 0:
                continue
            force = p * area[j]
            r = region[k]
            if 0 <= r < regions:
                region_force[t, r] += force
                region_area[t, r] += area[j]
                if p > region_peak[t, r]:
                    region_peak[t, r] = p
            for e in range(start[k], start[k + 1]):
                patch_force[t, patch[e]] += share[e] * force
    return bad


