"""Contact of one surface with a smooth target in one given pose: every triangle a spring, depth along either normal.

The tuples `level` is that of `kneeload.kernels.level_set`, whose spline and layer law are used here;
    springs = (centre (m, 3) mm, normal (m, 3), area (m,) mm2, size (m,) mm from centre to farthest corner, thickness (m,) mm,
               block (b, 16) triangle numbers padded with -1, block_centre (b, 3) mm, block_radius (b,) mm, points (n, 3) mm, triangles (m, 3))
"""

from __future__ import annotations

import math

import numpy as np

from kneeload.kernels.layer import layer_law
from kneeload.kernels.level_set import femoral_thickness, inside, spline
from kneeload.kernels.options import kernel

FACING = -0.2  # a spring counts when the cosine between its normal and the target's outward normal is below this
STEEP = 1.2  # a smoothed distance grows by at most this per mm
LONGEST_RAY = 20.0  # mm, as in the released models of OpenSim-JAM
RAY_STEPS = 12
FORCE, MOMENT, AREA, NORMAL_FORCE, ENERGY, STRAIN = 0, 3, 6, 7, 8, 9  # places in sums


@kernel
def _read(level, x, y, z):
    """Value (mm) and gradient of the level set at a point."""
    f, fx, fy, fz, _, _, _, _, _, _ = spline(level, x, y, z)
    return f, fx, fy, fz


@kernel
def _ray_out(level, x, y, z, dx, dy, dz):
    """Length (mm) of the ray from a point inside along a unit vector to where it leaves the level set: Newton, never behind the start.

    A ray that does not come out within 20 mm (grazing) has its first-order length, depth over the cosine between ray and gradient.
    """
    length, first = 0.0, 0.0
    for step in range(RAY_STEPS):
        f, fx, fy, fz = _read(level, x + length * dx, y + length * dy, z + length * dz)
        advance = -f / max(fx * dx + fy * dy + fz * dz, -FACING)
        if step == 0:
            first = min(advance, LONGEST_RAY)
        length = min(max(length + advance, 0.0), LONGEST_RAY)
        if abs(f) < 1e-9:
            return length
    f, _, _, _ = _read(level, x + length * dx, y + length * dy, z + length * dz)
    return length if abs(f) < 1e-4 else first


@kernel
def _part_below(a, b, c):
    """Share of the area of a triangle on which a linear function with corner values a, b, c is negative."""
    low, high = min(a, b, c), max(a, b, c)
    middle = max(min(a, b), min(max(a, b), c))
    if high <= 0.0:
        return 1.0
    if low >= 0.0:
        return 0.0
    if middle <= 0.0:
        return 1.0 - high * high / ((high - low) * (high - middle))
    return low * low / ((middle - low) * (high - low))


@kernel
def _share_below(level, points, triangle, rot, shift, value):
    """Share of the area of a triangle below the target; cut by its rim it is cut in four by the middles of its sides, each part linear.

    value (mm) at its centre decides when its corners lie on one side.
    """
    corner, at, middle = np.empty((3, 3)), np.empty(3), np.empty(3)
    for i in range(3):
        for a in range(3):
            corner[i, a] = shift[a]
            for b in range(3):
                corner[i, a] += rot[a, b] * points[triangle[i], b]
        at[i] = _read(level, corner[i, 0], corner[i, 1], corner[i, 2])[0]
    if min(at[0], at[1], at[2]) >= 0.0 or max(at[0], at[1], at[2]) <= 0.0:
        return 1.0 if value < 0.0 else 0.0
    for i in range(3):
        j = (i + 1) % 3
        middle[i] = _read(level, 0.5 * (corner[i, 0] + corner[j, 0]), 0.5 * (corner[i, 1] + corner[j, 1]), 0.5 * (corner[i, 2] + corner[j, 2]))[0]
    return 0.25 * (_part_below(middle[0], middle[1], middle[2]) + _part_below(at[0], middle[0], middle[2]) + _part_below(at[1], middle[1], middle[0])
                   + _part_below(at[2], middle[2], middle[1]))


@kernel
def stress_in_pose(rot, shift, level, springs, modulus, target_compliance, nonlinear, along_casting, pressure, depth, sums):
    """Contact in the pose x_target = rot x + shift.

    Args:
        rot: (3, 3). shift: (3,) mm. level, springs: see above. modulus: of the casting layer, MPa.
        target_compliance: 1 / modulus of the target's layer, 1/MPa; 0 for a rigid target.
        nonlinear: bool, the law. along_casting: bool, depth along the casting normal instead of the shortest way out.
        pressure: (m,) MPa, zeros, filled. depth: (m,) mm, zeros, filled.
        sums: (10,) zeros, filled: force N and moment N mm about the origin of the casting body (target frame), area mm2, normal force N,
            energy N mm, largest strain of the layers.
    """
    centre, normal, area, size, thickness, block, block_centre, block_radius, points, triangles = springs
    for b in range(block.shape[0]):
        u, v, w = block_centre[b, 0], block_centre[b, 1], block_centre[b, 2]
        x = rot[0, 0] * u + rot[0, 1] * v + rot[0, 2] * w + shift[0]
        y = rot[1, 0] * u + rot[1, 1] * v + rot[1, 2] * w + shift[1]
        z = rot[2, 0] * u + rot[2, 1] * v + rot[2, 2] * w + shift[2]
        if inside(level, x, y, z) and _read(level, x, y, z)[0] >= STEEP * block_radius[b]:
            continue
        for place in range(block.shape[1]):
            i = block[b, place]
            if i < 0:
                continue
            u, v, w = centre[i, 0], centre[i, 1], centre[i, 2]
            rx, ry, rz = rot[0, 0] * u + rot[0, 1] * v + rot[0, 2] * w, rot[1, 0] * u + rot[1, 1] * v + rot[1, 2] * w, rot[2, 0] * u + rot[2, 1] * v + rot[2, 2] * w
            x, y, z = rx + shift[0], ry + shift[1], rz + shift[2]
            if not inside(level, x, y, z):
                continue
            f, fx, fy, fz = _read(level, x, y, z)
            if f >= STEEP * size[i]:
                continue
            u, v, w = -normal[i, 0], -normal[i, 1], -normal[i, 2]
            dx, dy, dz = rot[0, 0] * u + rot[0, 1] * v + rot[0, 2] * w, rot[1, 0] * u + rot[1, 1] * v + rot[1, 2] * w, rot[2, 0] * u + rot[2, 1] * v + rot[2, 2] * w
            if not fx * dx + fy * dy + fz * dz > -FACING * math.sqrt(fx * fx + fy * fy + fz * fz):
                continue
            if f < -STEEP * size[i]:
                sums[AREA] += area[i]
            else:
                sums[AREA] += area[i] * _share_below(level, points, triangles[i], rot, shift, f)
            if f >= 0.0:
                continue
            d = -f
            if along_casting:
                d = _ray_out(level, x, y, z, dx, dy, dz)
                fx, fy, fz = dx, dy, dz
                layer = femoral_thickness(level, x + d * dx, y + d * dy, z + d * dz)
            else:
                layer = femoral_thickness(level, x, y, z)
            total = thickness[i] + layer
            energy, p, _ = layer_law(d, 1.0 / (thickness[i] / modulus + layer * target_compliance), total, nonlinear)
            pressure[i], depth[i] = p, d
            load = p * area[i]
            sums[0] += load * fx
            sums[1] += load * fy
            sums[2] += load * fz
            sums[3] += load * (ry * fz - rz * fy)
            sums[4] += load * (rz * fx - rx * fz)
            sums[5] += load * (rx * fy - ry * fx)
            sums[NORMAL_FORCE] += load
            sums[ENERGY] += energy * area[i]
            sums[STRAIN] = max(sums[STRAIN], d / total)
