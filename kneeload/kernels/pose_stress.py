"""Contact of one surface with a smooth target in given poses: every triangle a spring, depth along either normal.

Springs lie in blocks of eight neighbours, eight blocks to a cluster. The level set at the middle of a cluster, then of a block, tells which
blocks can touch; their springs are worked on side by side, `WIDTH` at a time (`kneeload.kernels.spline_lanes`), in rows of one quantity:
    target = (c, thickness, layer, bend, nx, ny, nz, ox, oy, oz, inverse spacing)
        c, thickness: (nodes + 1,) mm, coefficients of the B-splines of the level set and of the layer on the target. layer: (nodes,) mm, the thickness
        in the cell around a node where all its taps are the same, else nan. bend: (8 nodes,) 1/mm, for the eight octants of the cell around each node a bound
        on the norm of the second derivatives of the level set within `REACH` nodes. Then nodes (3), origin (3) mm, inverse spacing 1/mm.
    springs = (spring, sphere, cluster, points (3 n,) mm, triangles (3 m,))
        spring: flat (B + 1, SPRING_ROWS, 8): centre from the middle of the block's sphere (3) mm, normal (3), area mm2, thickness mm, size (mm, centre to
            farthest corner), number of the triangle (padding repeats one and has no area). B is a multiple of eight; the last block is empty and fills up lanes
        sphere: flat (B / 8, SPHERE_ROWS, 8), cluster: flat (C, SPHERE_ROWS, WIDTH): centre (3) and radius mm of a sphere round the corners of blocks and
            clusters (radius -1: none)
    law = (1 / modulus of the casting layer and of the target's layer (1/MPa, 0: rigid), nonlinear, along_casting)

Values of springs are in single precision. Spheres and corners are placed in double precision, springs relative to the middle of their block's sphere, so
the place of a spring is known to 2e-7 mm and its depth to 5e-7 mm; sums are added up in double precision chunk by chunk.
"""

from __future__ import annotations

import numpy as np

from kneeload.kernels.layer import layer_law
from kneeload.kernels.level_set import row_copier
from kneeload.kernels.options import kernel, kernel_inline
from kneeload.kernels.pose_area import CUT_ROWS, exceeded, rim_area
from kneeload.kernels.spline_lanes import (
    BLOCK,
    LOOK,
    WIDTH,
    append_lanes,
    count_lanes,
    lane_cell,
    level_of_lanes,
    spread_place,
    turned,
    value_of_lanes,
    within,
)

FACING = np.float32(-0.2)  # a spring counts when the cosine between its normal and the target's outward normal is below this
STEEP = np.float32(1.2)  # a smoothed distance grows by at most this per mm
LONGEST_RAY = np.float32(20.0)  # mm, as in the released models of OpenSim-JAM
RAY_STEPS = 12
ARRIVED = np.float32(3e-4)  # mm; last Newton step of a ray: what is left is its square times half the curvature, which is below 1/mm
REACH = np.float32(0.5)  # nodes
INSIDE = np.float32(0.50001)  # node distances from the middle of a cell, with room for rounding
NONE, HALF, ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)  # so that single precision stays single
FORCE, MOMENT, AREA, NORMAL_FORCE, ENERGY, STRAIN, PEAK, PERCENTILE, SUMS = 0, 3, 6, 7, 8, 9, 10, 11, 12  # places in sums
SPRING_ROWS, SPHERE_ROWS, PLACE = 10, 4, 6

LANE_ROWS = 42
(PX, PY, PZ, NX, NY, NZ, A, T, SIZE, HOME, IX, IY, IZ, SX, SY, SZ, X, Y, Z, DX, DY, DZ, U, V, W, F, FX, FY, FZ, LAYER, DEPTH, P, EN, RIM, BEND, TOP, HARD, FIRST, AWAY, BUSY,
 BEYOND, TOUCHES) = (np.uint64(WIDTH * row) for row in range(LANE_ROWS))
copy_spring, copy_sphere = row_copier(SPRING_ROWS, BLOCK, WIDTH), row_copier(SPHERE_ROWS, BLOCK, WIDTH)
_ALL, _LOOK = np.uint64(WIDTH), np.uint64(LOOK)
B1, B2, RADIUS = (np.uint64(WIDTH * row) for row in range(1, SPHERE_ROWS))


@kernel_inline
def _nodes(target):
    """Nodes along z and in a plane, for the look-ups."""
    return np.uint64(target[6]), np.uint64(target[5]) * np.uint64(target[6])


@kernel
def _near(target, ball, at, r, t, lane, cells):
    """Mark (BEYOND 1, else 0) which of the WIDTH spheres at ball[at] can have something below the target; their places go to IX to SZ."""
    ih, (nz, plane) = target[10], _nodes(target)
    for j in range(_ALL):
        x, y, z = turned(r, ball[at + j], ball[at + j + B1], ball[at + j + B2])
        gx, gy, gz = (x + t[0] - target[7]) * ih - 1.0, (y + t[1] - target[8]) * ih - 1.0, (z + t[2] - target[9]) * ih - 1.0
        cells[j], ix, iy, iz, u, v, w = lane_cell(target[4:7], gx, gy, gz, 0.0, 0.0, 0.0)
        lane[j + IX], lane[j + IY], lane[j + IZ], lane[j + SX], lane[j + SY], lane[j + SZ] = ix, iy, iz, u, v, w
        lane[j + U], lane[j + V], lane[j + W] = within(u), within(v), within(w)
        lane[j + BEYOND] = max(max(abs(u), abs(v)), abs(w)) - 0.5
    for j in range(0, WIDTH, LOOK):
        value_of_lanes(target[0], nz, plane, np.float32(ih), cells, lane, np.uint64(j), U, F)
    for j in range(_ALL):
        radius, beyond = np.float32(ball[at + j + RADIUS]), lane[j + BEYOND]
        maybe = ((beyond <= NONE) & (lane[j + F] < STEEP * radius)) | ((beyond > NONE) & (beyond <= radius * np.float32(ih)))
        lane[j + BEYOND] = ONE if maybe & (radius >= NONE) else NONE


@kernel
def _choose(target, sphere, cluster, r, t, lane, ball, cells, near, candidate, place):
    """List in candidate the blocks in which a spring may touch, and in place (count, PLACE) where their middles lie; returns their number."""
    count, groups, width = 0, 0, WIDTH * SPHERE_ROWS
    for first in range(0, cluster.size, width):
        _near(target, cluster, np.uint64(first), r, t, lane, cells)
        for j in range(WIDTH):
            near[groups] = first // SPHERE_ROWS + j
            groups += 1 if lane[np.uint64(j) + BEYOND] > NONE else 0
    for first in range(0, groups, BLOCK):
        some = min(groups - first, BLOCK)
        for m in range(some):
            copy_sphere(sphere, np.uint64(near[first + m] * SPHERE_ROWS * BLOCK), ball, np.uint64(m * BLOCK))
        _near(target, ball, np.uint64(0), r, t, lane, cells)
        for m in range(some):
            group, i = near[first + m] * BLOCK, np.uint64(m * BLOCK)
            for j in range(np.uint64(BLOCK)):
                if lane[i + j + BEYOND] > NONE:
                    candidate[count] = group + j
                    to, o = np.uint64(PLACE * count), i + j + IX
                    for row in range(np.uint64(PLACE)):
                        place[to + row] = lane[o + row * _ALL]
                    count += 1
    return count


@kernel
def _depths(target, r, t, lane, cells, octants):
    """Place the springs in the lanes: arm X, inward normal DX, level set F, depth DEPTH (0 where a spring does not count) and RIM, 1 where the
    rim of the contact may cut the triangle. Returns the area (mm2) of whole triangles below the target."""
    kind, ih, (nz, plane) = np.float32, np.float32(target[10]), _nodes(target)
    middle = (target[5] + 1) * target[6] + 1
    q = (kind(r[0]), kind(r[1]), kind(r[2]), kind(r[3]), kind(r[4]), kind(r[5]), kind(r[6]), kind(r[7]), kind(r[8]))
    h = 1.0 / target[10]
    spacing, ox, oy, oz = kind(h), kind(target[7] - t[0] + h), kind(target[8] - t[1] + h), kind(target[9] - t[2] + h)
    for j in range(_ALL):
        x, y, z = turned(q, lane[j + PX], lane[j + PY], lane[j + PZ])
        x, y, z = lane[j + SX] + x * ih, lane[j + SY] + y * ih, lane[j + SZ] + z * ih
        cell, _, _, _, u, v, w = lane_cell(target[4:7], x, y, z, lane[j + IX], lane[j + IY], lane[j + IZ])
        lane[j + X], lane[j + Y], lane[j + Z] = (lane[j + IX] + x) * spacing + ox, (lane[j + IY] + y) * spacing + oy, (lane[j + IZ] + z) * spacing + oz
        lane[j + SX], lane[j + SY], lane[j + SZ] = x, y, z
        lane[j + BEYOND] = max(max(abs(u), abs(v)), abs(w))
        lane[j + U], lane[j + V], lane[j + W] = within(u), within(v), within(w)
        cells[j] = cell
        octants[j] = (cell + middle) * 8 + (4 if u > NONE else 0) + (2 if v > NONE else 0) + (1 if w > NONE else 0)
    for j in range(0, WIDTH, LOOK):
        level_of_lanes(target[0], nz, plane, ih, cells, lane, np.uint64(j), U, F)
    for j in range(_ALL):
        lane[j + BEND] = target[3][octants[j]]
    whole = NONE
    for j in range(_ALL):
        f, fx, fy, fz, wide = lane[j + F], lane[j + FX], lane[j + FY], lane[j + FZ], lane[j + SIZE]
        u, v, w = turned(q, lane[j + NX], lane[j + NY], lane[j + NZ])
        lane[j + DX], lane[j + DY], lane[j + DZ] = -u, -v, -w
        against, square = u * fx + v * fy + w * fz, fx * fx + fy * fy + fz * fz
        counts = (against < FACING * np.sqrt(square)) & (lane[j + BEYOND] <= INSIDE)
        sway = wide * (np.sqrt(max(square - against * against, NONE)) + HALF * lane[j + BEND] * wide)  # of the level set from the centre to a corner
        sway = sway if wide * ih <= REACH else STEEP * wide
        rim = counts & (abs(f) <= min(sway, STEEP * wide))
        lane[j + RIM] = ONE if rim else NONE
        below = counts & (f < NONE)
        lane[j + DEPTH] = -f if below else NONE
        whole += NONE if rim else (lane[j + A] if below else NONE)
    return whole


@kernel
def _rays(target, lane, cells):
    """Length (mm) of the rays from springs inside along their inward normals to where they leave the level set: Newton, never behind the start.

    A ray that does not come out within 20 mm (grazing) has its first-order length, depth over the cosine between ray and gradient. DEPTH
    becomes the length, the gradient the direction of the ray, and cells and offsets those of its end. Rays go on in groups of LOOK until all have arrived.
    """
    ih, (nz, plane) = np.float32(target[10]), _nodes(target)
    for j in range(_ALL):
        slope = max(lane[j + FX] * lane[j + DX] + lane[j + FY] * lane[j + DY] + lane[j + FZ] * lane[j + DZ], -FACING)
        first = lane[j + DEPTH] / slope
        lane[j + FIRST], lane[j + AWAY] = first, min(first, LONGEST_RAY)
        lane[j + BUSY] = ONE if first > NONE else NONE
    for group in range(0, WIDTH, LOOK):
        start = np.uint64(group)
        for step in range(RAY_STEPS):
            busy = NONE
            for j in range(start, start + _LOOK):
                busy += lane[j + BUSY]
            if busy == NONE:
                break
            _place_ends(target, ih, lane, cells, start, start + _LOOK)
            level_of_lanes(target[0], nz, plane, ih, cells, lane, start, U, F)
            for j in range(start, start + _LOOK):
                s, f, waits = lane[j + AWAY], lane[j + F], lane[j + BUSY] > NONE
                advance = -f / max(lane[j + FX] * lane[j + DX] + lane[j + FY] * lane[j + DY] + lane[j + FZ] * lane[j + DZ], -FACING)
                end = min(max(s + advance, NONE), LONGEST_RAY)
                if step == RAY_STEPS - 1:
                    end = s if abs(f) < np.float32(1e-4) else lane[j + FIRST]
                lane[j + AWAY] = end if waits else s
                lane[j + BUSY] = ONE if waits & (abs(advance) > ARRIVED) else NONE
    _place_ends(target, ih, lane, cells, np.uint64(0), _ALL)
    for j in range(_ALL):
        lane[j + DEPTH] = lane[j + AWAY]
        lane[j + FX], lane[j + FY], lane[j + FZ] = lane[j + DX], lane[j + DY], lane[j + DZ]


@kernel_inline
def _place_ends(target, ih, lane, cells, first, last):
    """Cells and offsets of the ends of the rays in lanes first..last-1."""
    for j in range(first, last):
        s = lane[j + AWAY] * ih
        cells[j], _, _, _, u, v, w = lane_cell(target[4:7], lane[j + SX] + s * lane[j + DX], lane[j + SY] + s * lane[j + DY], lane[j + SZ] + s * lane[j + DZ],
                                               lane[j + IX], lane[j + IY], lane[j + IZ])
        lane[j + U], lane[j + V], lane[j + W] = within(u), within(v), within(w)


@kernel
def _layers(target, lane, cells):
    """Thickness LAYER (mm) of the target's layer where DEPTH is above 0, in the cells and at the offsets that are in the lanes."""
    nz, plane = _nodes(target)
    middle, varied = (target[5] + 1) * target[6] + 1, NONE
    for j in range(_ALL):
        lane[j + LAYER] = target[2][cells[j] + middle]
    for j in range(_ALL):
        varied += ONE if (lane[j + DEPTH] > NONE) & (not lane[j + LAYER] >= NONE) else NONE
    if varied > NONE:
        for j in range(0, WIDTH, LOOK):
            value_of_lanes(target[1], nz, plane, np.float32(target[10]), cells, lane, np.uint64(j), U, LAYER)


@kernel
def _press(law, lane):
    """Pressure P (MPa) and energy per area EN (N/mm) of DEPTH; keeps the largest strain of the layers lane by lane in HARD."""
    give, target_give, nonlinear = np.float32(law[0]), np.float32(law[1]), law[2]
    for j in range(_ALL):
        d, thickness, layer = lane[j + DEPTH], lane[j + T], lane[j + LAYER]
        layer = layer if d > NONE else NONE
        total, k = thickness + layer, ONE / (thickness * give + layer * target_give)
        lane[j + P], lane[j + EN] = k * d, HALF * k * d * d
        strain = d / total
        lane[j + HARD] = strain if strain > lane[j + HARD] else lane[j + HARD]
        lane[j + LAYER] = layer
        lane[j + TOUCHES] = lane[j + A] if d > NONE else NONE
    if nonlinear:  # in double precision: the energy is a small difference
        for j in range(_ALL):
            d, total = np.float64(lane[j + DEPTH]), np.float64(lane[j + T]) + np.float64(lane[j + LAYER])
            if d > 0.0:
                lane[j + EN], lane[j + P], _ = layer_law(d, np.float64(lane[j + P]) / d, total, True)


@kernel
def _sum(lane, sums):
    """Add force N, moment N mm (target frame, about the origin of the casting body), normal force and energy of the lanes to sums; returns the area (mm2) of those that
    are pressed."""
    f0 = f1 = f2 = m0 = m1 = m2 = total = energy = touching = NONE
    for j in range(_ALL):
        p = lane[j + P]
        lane[j + TOP] = p if p > lane[j + TOP] else lane[j + TOP]
        touching += lane[j + TOUCHES]
        load = p * lane[j + A]
        x, y, z, gx, gy, gz = lane[j + X], lane[j + Y], lane[j + Z], load * lane[j + FX], load * lane[j + FY], load * lane[j + FZ]
        f0, f1, f2, total, energy = f0 + gx, f1 + gy, f2 + gz, total + load, energy + lane[j + EN] * lane[j + A]
        m0, m1, m2 = m0 + (y * gz - z * gy), m1 + (z * gx - x * gz), m2 + (x * gy - y * gx)
    for i, value in ((FORCE, f0), (1, f1), (2, f2), (MOMENT, m0), (4, m1), (5, m2), (NORMAL_FORCE, total), (ENERGY, energy)):
        sums[i] += value
    return touching


@kernel
def _listed(lane, mask, rows, lists, n):
    """Append rows of the lanes whose number in row `mask` is above 0 to lists from n on; returns the new number."""
    for j in range(0, WIDTH, LOOK):
        i = np.uint64(j)
        for row, values in zip(rows, lists):
            append_lanes(lane, i + mask, i + row, values, n)
        n += count_lanes(lane, i + mask)
    return n


@kernel
def _stress(r, t, target, springs, law, share, pressure, depth, sums, work, rims):
    """`stress_in_poses` for one pose; sums in the frame of the target."""
    spring, sphere, cluster = springs[:3]
    lane, ball, cells, octants, near, candidate, place, which, value, weight, deep = work
    count = _choose(target, sphere, cluster, r, t, lane, ball, cells, near, candidate, place)
    for j in range(_ALL):
        lane[j + TOP], lane[j + HARD] = NONE, NONE
    for b in range(WIDTH // BLOCK):
        candidate[count + b] = spring.size // (SPRING_ROWS * BLOCK) - 1  # the empty block
        for i in range(PLACE):
            place[PLACE * (count + b) + i] = NONE
    pressed, crossed, touching = np.uint64(0), np.uint64(0), 0.0
    for first in range(0, count, WIDTH // BLOCK):
        for b in range(WIDTH // BLOCK):
            copy_spring(spring, np.uint64(candidate[first + b] * SPRING_ROWS * BLOCK), lane, np.uint64(b * BLOCK))
            spread_place(place, np.uint64((first + b) * PLACE), lane, IX + np.uint64(b * BLOCK))
        sums[AREA] += _depths(target, r, t, lane, cells, octants)
        crossed = _listed(lane, RIM, (HOME, A, F), rims[:3], crossed)
        if law[3]:
            _rays(target, lane, cells)
        _layers(target, lane, cells)
        _press(law, lane)
        touching += _sum(lane, sums)
        pressed = _listed(lane, DEPTH, (HOME, P, A, DEPTH), (which, value, weight, deep), pressed)
    if pressure.size > 0:
        for i in range(pressed):
            k = np.int64(which[i])
            pressure[k], depth[k] = value[i], deep[i]
    for j in range(_ALL):
        sums[PEAK], sums[STRAIN] = max(sums[PEAK], lane[j + TOP]), max(sums[STRAIN], lane[j + HARD])
    sums[AREA] += rim_area(target, springs, np.int64(crossed), r, t, ball, lane, cells, rims)
    sums[PERCENTILE] = exceeded(value, weight, np.int64(pressed), share, sums[PEAK], touching)


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
    count, points = springs[0].size // SPRING_ROWS, springs[3].size // 3
    blocks = count // BLOCK + WIDTH
    work = (np.zeros(LANE_ROWS * WIDTH, np.float32), np.zeros(SPHERE_ROWS * WIDTH), np.zeros(WIDTH, np.int32), np.zeros(WIDTH, np.int32),
            np.empty(blocks, np.int32), np.empty(blocks, np.int32), np.empty(PLACE * blocks, np.float32),
            np.empty(count + WIDTH, np.float32), np.empty(count + WIDTH, np.float32), np.empty(count + WIDTH, np.float32), np.empty(count + WIDTH, np.float32))
    rims = (np.empty(count + WIDTH, np.float32), np.empty(count + WIDTH, np.float32), np.empty(count + WIDTH, np.float32), np.full(points, -1, np.int32),
            np.empty(points + WIDTH, np.int32), np.empty(points + WIDTH, np.float32), np.empty(3 * (points + WIDTH)), np.zeros(CUT_ROWS * WIDTH))
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
