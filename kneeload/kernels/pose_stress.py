"""Contact of one surface with a smooth target in given poses: every triangle a spring, depth along either normal.

Springs lie in blocks of eight neighbours, eight blocks to a cluster. The level set at the middle of a cluster, then of a block, tells which
blocks can touch; their springs are worked on side by side, `WIDTH` at a time (`kneeload.kernels.spline_lanes`), in rows of one quantity:
    target = (c, thickness, layer, bend, nx, ny, nz, ox, oy, oz, inverse spacing)
        c, thickness: (nodes + 1,) mm, coefficients of the B-splines of the level set and of the layer on the target. layer: (nodes,) mm, the thickness
        in the cell around a node where all its taps are the same, else nan. bend: (8 nodes,) 1/mm, for the eight octants of the cell around each node a bound
        on the norm of the second derivatives of the level set within `REACH` nodes. Then nodes (3), origin (3) mm, inverse spacing 1/mm
    springs = (spring, sphere, cluster, home, points (3 n,) mm, triangles (3 m,))
        spring: flat (B, SPRING_ROWS, 8): centre (3) mm, normal (3), area mm2, thickness mm, size (mm, centre to farthest corner). B is a multiple of eight
        sphere: flat (B / 8, SPHERE_ROWS, 8), cluster: flat (C, SPHERE_ROWS, WIDTH): centre (3) and radius mm of blocks and clusters; radius -1: none
        home: (8 B,) triangle of each spring; padding repeats a triangle and has no area
    law = (1 / modulus of the casting layer and of the target's layer (1/MPa, 0: rigid), nonlinear, along_casting)
"""

from __future__ import annotations

import math

import numpy as np

from kneeload.kernels.layer import layer_law
from kneeload.kernels.options import kernel
from kneeload.kernels.pose_area import CUT_ROWS, exceeded, rim_area
from kneeload.kernels.spline_lanes import BLOCK, WIDTH, lane_cell, lane_copier, level_of_eight, turned, value_of_eight

FACING = -0.2  # a spring counts when the cosine between its normal and the target's outward normal is below this
STEEP = 1.2  # a smoothed distance grows by at most this per mm
LONGEST_RAY = 20.0  # mm, as in the released models of OpenSim-JAM
RAY_STEPS = 12
ARRIVED = 1e-5  # mm; last Newton step of a ray: what is left is its square times half the curvature
REACH = 0.5  # nodes
FORCE, MOMENT, AREA, NORMAL_FORCE, ENERGY, STRAIN, PEAK, PERCENTILE, SUMS = 0, 3, 6, 7, 8, 9, 10, 11, 12  # places in sums
SPRING_ROWS, SPHERE_ROWS = 9, 4

LANE_ROWS = 37  # of the springs, and from U on of whatever else is looked up
(PX, PY, PZ, NX, NY, NZ, A, T, SIZE, X, Y, Z, DX, DY, DZ, U, V, W, BEYOND, F, FX, FY, FZ, LAYER, DEPTH, P, EN, RIM, BEND, TOP, HARD, FIRST) = (
    np.uint64(WIDTH * row) for row in range(32))
RADIUS = NX  # the last row of a sphere
RAY_ROWS = 17
RX, RY, RZ, QX, QY, QZ, RLENGTH, RFIRST, RU, RV, RW, RF, RFX, RFY, RFZ, RBUSY, RFREE = (np.uint64(WIDTH * row) for row in range(RAY_ROWS))
copy_spring, copy_sphere = lane_copier(SPRING_ROWS, BLOCK), lane_copier(SPHERE_ROWS, BLOCK)
_ALL = np.uint64(WIDTH)


@kernel
def _near(target, size, r, t, lane, cells):
    """Mark (BEYOND 1, else 0) the spheres in lanes 0..size-1 in which something can lie below the target."""
    grid, nz, ih = target[4:11], np.uint64(target[6]), target[10]
    for j in range(np.uint64(size)):
        x, y, z = turned(r, lane[j + PX], lane[j + PY], lane[j + PZ])
        cells[j], lane[j + U], lane[j + V], lane[j + W], lane[j + BEYOND] = lane_cell(grid, x + t[0], y + t[1], z + t[2])
    for j in range(0, size, BLOCK):
        value_of_eight(target[0], nz, np.uint64(target[5]) * nz, ih, cells, lane, np.uint64(j), U, F)
    for j in range(np.uint64(size)):
        radius, beyond = lane[j + RADIUS], lane[j + BEYOND]
        maybe = ((beyond <= 0.0) & (lane[j + F] < STEEP * radius)) | ((beyond > 0.0) & (beyond <= radius * ih))
        lane[j + BEYOND] = 1.0 if maybe & (radius >= 0.0) else 0.0


@kernel
def _choose(target, sphere, cluster, r, t, lane, cells, candidate):
    """List in candidate the blocks in which a spring may touch; returns their number."""
    count, near, width = 0, 0, WIDTH * SPHERE_ROWS
    for first in range(0, cluster.size, width):
        for i in range(np.uint64(width)):
            lane[i] = cluster[np.uint64(first) + i]
        _near(target, WIDTH, r, t, lane, cells)
        for j in range(WIDTH):
            candidate[near] = first // SPHERE_ROWS + j
            near += 1 if lane[np.uint64(j) + BEYOND] > 0.0 else 0
    for i in range(near):  # to the end, so that the blocks can be listed from the beginning
        candidate[candidate.size - 1 - i] = candidate[near - 1 - i]
    start = candidate.size - near
    for first in range(start, candidate.size, BLOCK):
        some = min(candidate.size - first, BLOCK)
        for m in range(some):
            copy_sphere(sphere, np.uint64(candidate[first + m] * SPHERE_ROWS * BLOCK), lane, np.uint64(m * BLOCK))
        _near(target, some * BLOCK, r, t, lane, cells)
        for m in range(some):
            group = candidate[first + m] * BLOCK
            for j in range(BLOCK):
                candidate[count] = group + j
                count += 1 if lane[np.uint64(m * BLOCK + j) + BEYOND] > 0.0 else 0
    return count


@kernel
def _depths(target, size, r, t, lane, cells, octants):
    """Place the springs in lanes 0..size-1: arm X, inward normal DX, level set F, depth DEPTH (0 where a spring does not count) and RIM, 1 where the
    rim of the contact may cut the triangle. Returns the area (mm2) of whole triangles below the target."""
    grid, ih, nz = target[4:11], target[10], np.uint64(target[6])
    middle = (target[5] + 1) * target[6] + 1
    for j in range(np.uint64(size)):
        x, y, z = turned(r, lane[j + PX], lane[j + PY], lane[j + PZ])
        lane[j + X], lane[j + Y], lane[j + Z] = x, y, z
        cell, u, v, w, lane[j + BEYOND] = lane_cell(grid, x + t[0], y + t[1], z + t[2])
        lane[j + U], lane[j + V], lane[j + W] = u, v, w
        cells[j], octants[j] = cell, (cell + middle) * 8 + (4 if u > 0.0 else 0) + (2 if v > 0.0 else 0) + (1 if w > 0.0 else 0)
    for j in range(0, size, BLOCK):
        level_of_eight(target[0], nz, np.uint64(target[5]) * nz, ih, cells, lane, np.uint64(j), U, F)
    for j in range(np.uint64(size)):
        lane[j + BEND] = target[3][octants[j]]
    whole = 0.0
    for j in range(np.uint64(size)):
        f, fx, fy, fz, wide = lane[j + F], lane[j + FX], lane[j + FY], lane[j + FZ], lane[j + SIZE]
        u, v, w = turned(r, lane[j + NX], lane[j + NY], lane[j + NZ])
        lane[j + DX], lane[j + DY], lane[j + DZ] = -u, -v, -w
        against, square = u * fx + v * fy + w * fz, fx * fx + fy * fy + fz * fz
        counts = (against < FACING * math.sqrt(square)) & (lane[j + BEYOND] <= 0.0)
        sway = wide * (math.sqrt(max(square - against * against, 0.0)) + 0.5 * lane[j + BEND] * wide)  # of the level set from the centre to a corner
        sway = sway if wide * ih <= REACH else STEEP * wide
        rim = counts & (abs(f) <= min(sway, STEEP * wide))
        lane[j + RIM] = 1.0 if rim else 0.0
        below = counts & (f < 0.0)
        lane[j + DEPTH] = -f if below else 0.0
        whole += 0.0 if rim else (lane[j + A] if below else 0.0)
    return whole


@kernel
def _rays(target, size, t, lane, cells, ray, which):
    """Length (mm) of the rays from springs inside along their inward normals to where they leave the level set: Newton, never behind the start.

    A ray that does not come out within 20 mm (grazing) has its first-order length, depth over the cosine between ray and gradient. DEPTH
    becomes the length, the gradient the direction of the ray, and cells and offsets those of its end. ray, which: workspace.
    """
    grid, nz, ih = target[4:11], np.uint64(target[6]), target[10]
    for j in range(np.uint64(size)):
        slope = max(lane[j + FX] * lane[j + DX] + lane[j + FY] * lane[j + DY] + lane[j + FZ] * lane[j + DZ], -FACING)
        lane[j + FIRST] = lane[j + DEPTH] / slope
        lane[j + FX], lane[j + FY], lane[j + FZ] = lane[j + DX], lane[j + DY], lane[j + DZ]
    busy = 0
    for j in range(size):
        i, k, length = np.uint64(j), np.uint64(busy), min(lane[np.uint64(j) + FIRST], LONGEST_RAY)
        lane[i + DEPTH] = length
        if length > ARRIVED:
            ray[k + RX], ray[k + RY], ray[k + RZ] = lane[i + X] + t[0], lane[i + Y] + t[1], lane[i + Z] + t[2]
            ray[k + QX], ray[k + QY], ray[k + QZ], ray[k + RLENGTH], ray[k + RFIRST] = lane[i + DX], lane[i + DY], lane[i + DZ], length, length
            which[busy] = j
            busy += 1
    for step in range(RAY_STEPS):
        for j in range(np.uint64(busy)):
            s = ray[j + RLENGTH]
            cells[j], ray[j + RU], ray[j + RV], ray[j + RW], _ = lane_cell(grid, ray[j + RX] + s * ray[j + QX], ray[j + RY] + s * ray[j + QY], ray[j + RZ] + s * ray[j + QZ])
        for j in range(0, busy, BLOCK):
            level_of_eight(target[0], nz, np.uint64(target[5]) * nz, ih, cells, ray, np.uint64(j), RU, RF)
        for j in range(np.uint64(busy)):
            s, f = ray[j + RLENGTH], ray[j + RF]
            advance = -f / max(ray[j + RFX] * ray[j + QX] + ray[j + RFY] * ray[j + QY] + ray[j + RFZ] * ray[j + QZ], -FACING)
            ray[j + RLENGTH] = min(max(s + advance, 0.0), LONGEST_RAY)
            ray[j + RBUSY] = 1.0 if abs(advance) > ARRIVED else 0.0
            if step == RAY_STEPS - 1:
                ray[j + RLENGTH] = s if abs(f) < 1e-4 else ray[j + RFIRST]
        left = 0
        for j in range(busy):
            i, k = np.uint64(j), np.uint64(left)
            lane[np.uint64(which[j]) + DEPTH] = ray[i + RLENGTH]
            if ray[i + RBUSY] > 0.0:
                for row in range(8):  # RX to RFIRST
                    ray[k + _ALL * np.uint64(row)] = ray[i + _ALL * np.uint64(row)]
                which[left] = which[j]
                left += 1
        busy = left
        if busy == 0:
            break
    for j in range(np.uint64(size)):
        s = lane[j + DEPTH]
        cells[j], lane[j + U], lane[j + V], lane[j + W], _ = lane_cell(
            grid, lane[j + X] + t[0] + s * lane[j + DX], lane[j + Y] + t[1] + s * lane[j + DY], lane[j + Z] + t[2] + s * lane[j + DZ])


@kernel
def _layers(target, size, lane, cells):
    """Thickness LAYER (mm) of the target's layer where DEPTH is above 0, in the cells and at the offsets that are in the lanes."""
    nz = np.uint64(target[6])
    middle, varied = (target[5] + 1) * target[6] + 1, 0.0
    for j in range(np.uint64(size)):
        lane[j + LAYER] = target[2][cells[j] + middle]
    for j in range(np.uint64(size)):
        varied += 1.0 if (lane[j + DEPTH] > 0.0) & (not lane[j + LAYER] >= 0.0) else 0.0
    if varied > 0.0:
        for j in range(0, size, BLOCK):
            value_of_eight(target[1], nz, np.uint64(target[5]) * nz, target[10], cells, lane, np.uint64(j), U, LAYER)


@kernel
def _press(law, size, lane):
    """Pressure P (MPa) and energy per area EN (N/mm) of DEPTH; keeps the largest strain of the layers lane by lane in HARD."""
    give, target_give, nonlinear, _ = law
    for j in range(np.uint64(size)):
        d, thickness, layer = lane[j + DEPTH], lane[j + T], lane[j + LAYER]
        layer = layer if d > 0.0 else 0.0
        total, k = thickness + layer, 1.0 / (thickness * give + layer * target_give)
        lane[j + P], lane[j + EN] = k * d, 0.5 * k * d * d
        strain = d / total
        lane[j + HARD] = strain if strain > lane[j + HARD] else lane[j + HARD]
        lane[j + LAYER] = layer
    if nonlinear:
        for j in range(np.uint64(size)):
            d, total = lane[j + DEPTH], lane[j + T] + lane[j + LAYER]
            if d > 0.0:
                lane[j + EN], lane[j + P], _ = layer_law(d, lane[j + P] / d, total, True)


@kernel
def _sum(size, lane, sums):
    """Add force N, moment N mm (target frame, about the origin of the casting body), normal force and energy of the lanes to sums; returns the area (mm2) of those that
    are pressed."""
    f0 = f1 = f2 = m0 = m1 = m2 = total = energy = touching = 0.0
    for j in range(np.uint64(size)):
        p = lane[j + P]
        lane[j + TOP] = p if p > lane[j + TOP] else lane[j + TOP]
        touching += lane[j + A] if p > 0.0 else 0.0
        load = p * lane[j + A]
        x, y, z, gx, gy, gz = lane[j + X], lane[j + Y], lane[j + Z], load * lane[j + FX], load * lane[j + FY], load * lane[j + FZ]
        f0, f1, f2, total, energy = f0 + gx, f1 + gy, f2 + gz, total + load, energy + lane[j + EN] * lane[j + A]
        m0, m1, m2 = m0 + (y * gz - z * gy), m1 + (z * gx - x * gz), m2 + (x * gy - y * gx)
    for i, value in ((FORCE, f0), (1, f1), (2, f2), (MOMENT, m0), (4, m1), (5, m2), (NORMAL_FORCE, total), (ENERGY, energy)):
        sums[i] += value
    return touching


@kernel
def _read_out(blocks, home, lane, pressed, value, weight, pressure, depth):
    """Append pressures and areas of the lanes that touch to value and weight from `pressed` on, write the fields; returns the new number."""
    keep = pressure.size > 0
    for b in range(blocks.size):
        i, at = np.uint64(b * BLOCK), np.uint64(blocks[b] * BLOCK)
        for j in range(np.uint64(BLOCK)):
            p = lane[i + j + P]
            if p > 0.0:
                value[pressed], weight[pressed] = p, lane[i + j + A]
                pressed += 1
                if keep:
                    k = home[at + j]
                    pressure[k], depth[k] = p, lane[i + j + DEPTH]
    return pressed


@kernel
def _stress(r, t, target, springs, law, share, pressure, depth, sums, work, rims):
    """`stress_in_poses` for one pose; sums in the frame of the target."""
    spring, sphere, cluster, home = springs[:4]
    lane, cells, octants, ray, _, candidate, value, weight = work
    rim, size_of, below = rims[:3]
    count = _choose(target, sphere, cluster, r, t, lane, cells, candidate)
    for j in range(_ALL):
        lane[j + TOP], lane[j + HARD] = 0.0, 0.0
    pressed, crossed, touching = 0, 0, 0.0
    for first in range(0, count, WIDTH // BLOCK):
        blocks = candidate[first: min(count, first + WIDTH // BLOCK)]
        size = blocks.size * BLOCK
        for b in range(blocks.size):
            copy_spring(spring, np.uint64(blocks[b] * SPRING_ROWS * BLOCK), lane, np.uint64(b * BLOCK))
        sums[AREA] += _depths(target, size, r, t, lane, cells, octants)
        for b in range(blocks.size):
            i, at = np.uint64(b * BLOCK), np.uint64(blocks[b] * BLOCK)
            for j in range(np.uint64(BLOCK)):
                if lane[i + j + RIM] > 0.0:
                    rim[crossed], size_of[crossed], below[crossed] = home[at + j], lane[i + j + A], lane[i + j + F]
                    crossed += 1
        if law[3]:
            _rays(target, size, t, lane, cells, ray, octants)
        _layers(target, size, lane, cells)
        _press(law, size, lane)
        touching += _sum(size, lane, sums)
        pressed = _read_out(blocks, home, lane, pressed, value, weight, pressure, depth)
    for j in range(_ALL):
        sums[PEAK], sums[STRAIN] = max(sums[PEAK], lane[j + TOP]), max(sums[STRAIN], lane[j + HARD])
    sums[AREA] += rim_area(target, springs, crossed, r, t, work, rims)
    sums[PERCENTILE] = exceeded(value, weight, pressed, share, sums[PEAK], touching)


@kernel
def _rigid(pose):
    """Whether a (4, 4) matrix is finite and has a rotation in its upper left part, to 1e-5."""
    for i in range(4):
        for j in range(4):
            if not abs(pose[i, j]) < 1e300:
                return False
    for i in range(3):
        for j in range(3):
            dot = pose[i, 0] * pose[j, 0] + pose[i, 1] * pose[j, 1] + pose[i, 2] * pose[j, 2]
            if abs(dot - (1.0 if i == j else 0.0)) > 1e-5:
                return False
    det = (pose[0, 0] * (pose[1, 1] * pose[2, 2] - pose[1, 2] * pose[2, 1]) - pose[0, 1] * (pose[1, 0] * pose[2, 2] - pose[1, 2] * pose[2, 0])
           + pose[0, 2] * (pose[1, 0] * pose[2, 1] - pose[1, 1] * pose[2, 0]))
    return det > 0.0


@kernel
def stress_in_poses(poses, target, springs, law, share, pressure, depth, sums):
    """Contact in poses (T, 4, 4), x_target = R x + t (mm). Returns the number of the first pose that is no rigid motion (nothing is done from there), T if all are.

    Args:
        poses, target, springs, law: see above. share: of the area that `PERCENTILE` is exceeded on.
        pressure: (T, m) MPa, zeros, filled; (T, 0) where it is not wanted. depth: (T, m) mm, same.
        sums: (T, 12) zeros, filled: force N and moment N mm on the casting body about its origin (its frame), area mm2, normal force N,
            energy N mm, largest strain of the layers, highest pressure and percentile MPa.
    """
    count, points = springs[3].size, springs[4].size // 3
    work = (np.zeros(LANE_ROWS * WIDTH), np.zeros(WIDTH, np.int64), np.zeros(WIDTH, np.int64), np.zeros(RAY_ROWS * WIDTH), np.zeros(CUT_ROWS * WIDTH),
            np.empty(count // BLOCK + WIDTH, np.int64), np.empty(count + WIDTH), np.empty(count + WIDTH))
    rims = (np.empty(count + WIDTH, np.int64), np.empty(count + WIDTH), np.empty(count + WIDTH), np.full(points, -1, np.int64), np.empty(points, np.int64), np.empty(points))
    for k in range(poses.shape[0]):
        pose = poses[k]
        if not _rigid(pose):
            return k
        r = (pose[0, 0], pose[0, 1], pose[0, 2], pose[1, 0], pose[1, 1], pose[1, 2], pose[2, 0], pose[2, 1], pose[2, 2])
        _stress(r, (pose[0, 3], pose[1, 3], pose[2, 3]), target, springs, law, share, pressure[k], depth[k], sums[k], work, rims)
        for i in (FORCE, MOMENT):
            x, y, z = sums[k, i], sums[k, i + 1], sums[k, i + 2]
            sums[k, i], sums[k, i + 1], sums[k, i + 2] = r[0] * x + r[3] * y + r[6] * z, r[1] * x + r[4] * y + r[7] * z, r[2] * x + r[5] * y + r[8] * z
    return poses.shape[0]
