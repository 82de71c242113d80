"""The hot loop of contact: springs of a casting surface against a smooth target.

A body (tibia or patella) has the pose x = R p + t in the frame of the femur. `place` picks the blocks of springs that are near and writes the
expansion of the level set at each spring, to second order; the Newton steps use these, which needs no look-up, so `add_springs` runs
over plain rows and vectorises. The expansions come from a table with the polynomial of each cell of the spline (`kneeload.kernels.level_set`).

The law of the layers is chosen by `nonlinear`, None for the linear one and True for the other: two types, so that a first run compiles the
loops of one law only.

Each spring contributes in the frame of the femur its gradient G = dU/dx and its Hessian D = d2U/dx2. With r = x - t the motion
of the point is dx = w x r + dt + s de, so the sums F = sum G, B = sum r G', K = sum J' D J (6 x 6, spatial) are enough.

Rows of BLOCK springs stand side by side in memory at constant distances, so that loops over them vectorise with their stores:
    springs = (spring, group, sphere)
        spring: flat (B, COLUMNS, BLOCK): point p (3) mm, normal (3), area mm2, compliance of the casting layers mm/MPa, their thickness mm, outward s (3),
            and of a wedge that stiffens its initial compliance (mm/MPa, not in the former) and growth (1/MPa)
        group: (g + 1,) first block of each surface. sphere: (B, 10) of each block: centre (3) mm, radius mm, mean normal (3), mean outward (3)
    near = (table, chunk_block, chunk_size, chunk_group, due, chosen): what is placed, in chunks of CHUNK springs
        table: flat (chunks, ROWS, CHUNK), frame of the femur: arm r from the origin of the body (3) mm, stiffness times area N/mm, value (mm),
            gradient (3) and Hessian (6: xx, xy, xz, yy, yz, zz) of the level set there, thickness of all layers mm; of a meniscus also theta and
            beta of `wedge_law` and the outward direction s (3), rows that stay as they were (any finite number) for a plate
        chunk_block: flat (chunks, CHUNK / BLOCK) number of each block. chunk_size: (chunks,) springs in use. chunk_group: (g + 1,) first chunk of a surface
        chosen: (B,) whether a block may hold springs that are near. due: (B,) mm, travel of the body at which that has to be looked at again
    base (25,): pose of the placing: rotation (9), translation (3), expansions (2), 1 when there is one, coordinates q (8), travel of the body so far
        (mm), margin of that placing (mm)
"""

from __future__ import annotations

import math

import numpy as np

from kneeload.kernels.layer import layer_law, wedge_law
from kneeload.kernels.level_set import (
    ENTRY,
    LANES,
    STEP,
    cell_of,
    cell_polynomial,
    cell_thickness,
    clamped,
    femoral_thickness,
    least_of_eight,
    rough_level,
    row_copier,
    spline,
    spread_entries,
)
from kneeload.kernels.options import kernel, kernel_inline

BLOCK = 8  # springs that are placed together
CHUNK = 256  # springs whose rows stand side by side
COLUMNS = 14  # rows of `spring`
ROWS, PLATE_ROWS = 20, 15  # rows of `table`, and those that a plate needs
STEEP = 1.2  # a smoothed distance grows by at most this per mm
BENT = 0.25  # 1/mm; largest turn of its gradient and of the body per mm of travel: condyles have radii of 5 mm and more (assumption, 0.15 to 0.25)
ROUGH = 0.15  # mm; how far a spring of a block may lie below what `rough_level` tells at its centre
FACING = (np.float32(-0.1), np.float32(-0.3))  # normal of the spring times gradient of the level set at which it begins to count, and counts in full
SUMS = 34  # energy, F (3), B (9), K_tt (6), K_rt (9), K_rr (6)
NONE, HALF, ONE, TWO_FOLD, THREE = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(2.0), np.float32(3.0)  # so that single precision stays single
WEDGE = 11  # s.G, s.D s, D s (3), r x D s (3), s x G (3)

PY, PZ, NX, NY, NZ, AREA, COMPLIANCE, THICKNESS, SX, SY, SZ, SOFT, GROWTH = (np.uint64(LANES * row) for row in range(1, COLUMNS))  # rows of `spring` in `_expand`
Y, Z, W, F0, F1, F2, F3, H0, H1, H2, H3, H4, H5, T, TH, BE, S0, S1, S2 = (np.uint64(CHUNK * row) for row in range(1, ROWS))  # rows of `table`
TWO = np.uint64(2)
OUT, AWAY = (np.uint64(LANES * row) for row in (COLUMNS, COLUMNS + ROWS))  # parts of the lanes of `_expand`
L_Y, L_Z, L_W, L_F0, L_F1, L_F2, L_F3, L_H0, L_H1, L_H2, L_H3, L_H4, L_H5, L_T, L_TH, L_BE, L_S0, L_S1, L_S2 = (
    np.uint64(LANES * row) for row in range(1, ROWS))  # rows of `table` in the lanes
LANE_ROWS = COLUMNS + ROWS + 3
copy_spring = row_copier(COLUMNS, BLOCK, LANES)
copy_rows, copy_plate_rows = row_copier(ROWS, LANES, CHUNK), row_copier(PLATE_ROWS, LANES, CHUNK)


@kernel_inline
def _contribution(x, y, z, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz, energy, p, slope):
    """What one spring at arm (x, y, z) adds to the sums (34): force p (N) along minus the gradient, slope (N/mm)."""
    gx, gy, gz = -p * fx, -p * fy, -p * fz
    dxx, dxy, dxz = slope * fx * fx - p * fxx, slope * fx * fy - p * fxy, slope * fx * fz - p * fxz
    dyy, dyz, dzz = slope * fy * fy - p * fyy, slope * fy * fz - p * fyz, slope * fz * fz - p * fzz
    c00, c01, c02 = y * dxz - z * dxy, y * dyz - z * dyy, y * dzz - z * dyz
    c10, c11, c12 = z * dxx - x * dxz, z * dxy - x * dyz, z * dxz - x * dzz
    c20, c21, c22 = x * dxy - y * dxx, x * dyy - y * dxy, x * dyz - y * dxz
    return (energy, gx, gy, gz, x * gx, x * gy, x * gz, y * gx, y * gy, y * gz, z * gx, z * gy, z * gz, dxx, dxy, dxz, dyy, dyz, dzz,
            c00, c01, c02, c10, c11, c12, c20, c21, c22,
            y * c02 - z * c01, z * c00 - x * c02, x * c01 - y * c00, z * c10 - x * c12, x * c11 - y * c10, x * c21 - y * c20)


@kernel_inline
def _nothing(z):
    """A tuple of 34 zeros z."""
    return (z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z, z)


@kernel_inline
def _plus(a, b):
    """Sum of two tuples of 34: accumulators that stay in registers, so the loop vectorises."""
    return (
        a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5], a[6] + b[6],
        a[7] + b[7], a[8] + b[8], a[9] + b[9], a[10] + b[10], a[11] + b[11], a[12] + b[12], a[13] + b[13],
        a[14] + b[14], a[15] + b[15], a[16] + b[16], a[17] + b[17], a[18] + b[18], a[19] + b[19], a[20] + b[20],
        a[21] + b[21], a[22] + b[22], a[23] + b[23], a[24] + b[24], a[25] + b[25], a[26] + b[26], a[27] + b[27],
        a[28] + b[28], a[29] + b[29], a[30] + b[30], a[31] + b[31], a[32] + b[32], a[33] + b[33],
    )


@kernel_inline
def _plus_wedge(a, b):
    """Sum of two tuples of 11."""
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5],
            a[6] + b[6], a[7] + b[7], a[8] + b[8], a[9] + b[9], a[10] + b[10])


@kernel_inline
def moved_level(table, i, u, v, w):
    """Value, gradient and Hessian of the level set at (u, v, w) mm from where the spring was placed whose first row is at i."""
    fx, fy, fz = table[i + F1], table[i + F2], table[i + F3]
    fxx, fxy, fxz, fyy, fyz, fzz = table[i + H0], table[i + H1], table[i + H2], table[i + H3], table[i + H4], table[i + H5]
    hx, hy, hz = fxx * u + fxy * v + fxz * w, fxy * u + fyy * v + fyz * w, fxz * u + fyz * v + fzz * w
    f = table[i + F0] + u * (fx + HALF * hx) + v * (fy + HALF * hy) + w * (fz + HALF * hz)
    return f, fx + hx, fy + hy, fz + hz, fxx, fxy, fxz, fyy, fyz, fzz


@kernel
def motion_since(rot, t, base, turn, shift):
    """Fill turn (3, 3) = R R0' - 1 and shift (3,) = t - t0, mm: the body has moved from the placing pose by turn r + shift at arm r."""
    for i in range(3):
        shift[i] = t[i] - base[9 + i]
        for j in range(3):
            turn[i, j] = rot[i, 0] * base[3 * j] + rot[i, 1] * base[3 * j + 1] + rot[i, 2] * base[3 * j + 2] - (1.0 if i == j else 0.0)


@kernel
def moved_since(q, base, reach):
    """Upper bound of the distance (mm) that any spring has moved since the placing; infinity when there was none."""
    if base[14] == 0.0:
        return np.inf
    turn, shift, wedge = 0.0, 0.0, 0.0
    for i in range(3):
        turn += (q[i] - base[15 + i]) ** 2
        shift += (q[3 + i] - base[18 + i]) ** 2
    for i in range(6, q.size):
        wedge = max(wedge, abs(q[i] - base[15 + i]))
    return math.sqrt(turn) * reach + math.sqrt(shift) + wedge


@kernel_inline
def in_precision(table, turn, shift):
    """turn (9) and shift (3) in the precision of the table."""
    kind = table.dtype.type
    return (kind(turn[0, 0]), kind(turn[0, 1]), kind(turn[0, 2]), kind(turn[1, 0]), kind(turn[1, 1]), kind(turn[1, 2]), kind(turn[2, 0]), kind(turn[2, 1]),
            kind(turn[2, 2]), kind(shift[0]), kind(shift[1]), kind(shift[2]))


@kernel_inline
def _add_springs(table, chunk_size, first, last, turn, shift, nonlinear, sums):
    """The loop of `add_springs`; nonlinear is a constant in each copy, or the log of the one law is called, unvectorised, for every spring of the other."""
    e00, e01, e02, e10, e11, e12, e20, e21, e22, t0, t1, t2 = in_precision(table, turn, shift)
    for m in range(first, last):
        start, total = np.uint64(m * CHUNK * ROWS), _nothing(table.dtype.type(0.0))
        for i in range(start, start + np.uint64(chunk_size[m])):
            x, y, z = table[i], table[i + Y], table[i + Z]
            a, b, c = e00 * x + e01 * y + e02 * z, e10 * x + e11 * y + e12 * z, e20 * x + e21 * y + e22 * z
            f, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz = moved_level(table, i, a + t0, b + t1, c + t2)
            energy, p, slope = layer_law(-f, table[i + W], table[i + T], nonlinear)
            total = _plus(total, _contribution(x + a, y + b, z + c, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz, energy, p, slope))
        for j, value in enumerate(total):
            sums[j] += value


@kernel
def add_springs(table, chunk_size, first, last, turn, shift, nonlinear, sums):
    """Add energy, F, B and K of the springs of chunks first..last-1 to sums (34,); turn, shift: see `motion_since`. No stores in the loop, no branch."""
    if nonlinear is None:
        _add_springs(table, chunk_size, first, last, turn, shift, False, sums)
    else:
        _add_springs(table, chunk_size, first, last, turn, shift, True, sums)


@kernel_inline
def _add_forces(table, chunk_size, first, last, turn, shift, nonlinear, sums):
    """The loop of `add_forces`; nonlinear is a constant in each copy, or the log of the one law is called, unvectorised, for every spring of the other."""
    e00, e01, e02, e10, e11, e12, e20, e21, e22, t0, t1, t2 = in_precision(table, turn, shift)
    for m in range(first, last):
        start = np.uint64(m * CHUNK * ROWS)
        en = f0 = f1 = f2 = m0 = m1 = m2 = table.dtype.type(0.0)
        for i in range(start, start + np.uint64(chunk_size[m])):
            x, y, z = table[i], table[i + Y], table[i + Z]
            a, b, c = e00 * x + e01 * y + e02 * z, e10 * x + e11 * y + e12 * z, e20 * x + e21 * y + e22 * z
            f, fx, fy, fz, _, _, _, _, _, _ = moved_level(table, i, a + t0, b + t1, c + t2)
            energy, p, _ = layer_law(-f, table[i + W], table[i + T], nonlinear)
            x, y, z, gx, gy, gz = x + a, y + b, z + c, -p * fx, -p * fy, -p * fz
            en, f0, f1, f2 = en + energy, f0 + gx, f1 + gy, f2 + gz
            m0, m1, m2 = m0 + y * gz - z * gy, m1 + z * gx - x * gz, m2 + x * gy - y * gx
        for j, value in ((0, en), (1, f0), (2, f1), (3, f2), (9, m0), (10, m1), (5, m2)):
            sums[j] += value


@kernel
def add_forces(table, chunk_size, first, last, turn, shift, nonlinear, sums):
    """Add energy, F and, as the antisymmetric part of B, the moment of the springs to sums (34,): `add_springs` without the tangent."""
    if nonlinear is None:
        _add_forces(table, chunk_size, first, last, turn, shift, False, sums)
    else:
        _add_forces(table, chunk_size, first, last, turn, shift, True, sums)


@kernel_inline
def _add_meniscus(table, chunk_size, first, last, turn, shift, outward, nonlinear, sums, wedge):
    """The loop of `add_meniscus`; nonlinear is a constant in each copy, or the log of the one law is called, unvectorised, for every spring of the other."""
    e00, e01, e02, e10, e11, e12, e20, e21, e22, t0, t1, t2 = in_precision(table, turn, shift)
    outward = table.dtype.type(outward)
    for m in range(first, last):
        start, total, z = np.uint64(m * CHUNK * ROWS), _nothing(table.dtype.type(0.0)), table.dtype.type(0.0)
        own = (z, z, z, z, z, z, z, z, z, z, z)
        for i in range(start, start + np.uint64(chunk_size[m])):
            s0, s1, s2 = table[i + S0], table[i + S1], table[i + S2]
            o0, o1, o2 = outward * s0, outward * s1, outward * s2
            x, y, z = table[i] + o0, table[i + Y] + o1, table[i + Z] + o2
            a, b, c = e00 * x + e01 * y + e02 * z, e10 * x + e11 * y + e12 * z, e20 * x + e21 * y + e22 * z
            f, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz = moved_level(table, i, a + o0 + t0, b + o1 + t1, c + o2 + t2)
            energy, p, slope = wedge_law(-f, table[i + W], table[i + T], table[i + TH], table[i + BE], nonlinear)
            x, y, z = x + a, y + b, z + c
            total = _plus(total, _contribution(x, y, z, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz, energy, p, slope))
            u, v, w = s0 + e00 * s0 + e01 * s1 + e02 * s2, s1 + e10 * s0 + e11 * s1 + e12 * s2, s2 + e20 * s0 + e21 * s1 + e22 * s2
            gx, gy, gz, along = -p * fx, -p * fy, -p * fz, slope * (fx * u + fy * v + fz * w)
            du = along * fx - p * (fxx * u + fxy * v + fxz * w)
            dv = along * fy - p * (fxy * u + fyy * v + fyz * w)
            dw = along * fz - p * (fxz * u + fyz * v + fzz * w)
            own = _plus_wedge(own, (u * gx + v * gy + w * gz, u * du + v * dv + w * dw, du, dv, dw, y * dw - z * dv, z * du - x * dw, x * dv - y * du,
                                    v * gz - w * gy, w * gx - u * gz, u * gy - v * gx))
        for j, value in enumerate(total):
            sums[j] += value
        for j, value in enumerate(own):
            wedge[j] += value


@kernel
def add_meniscus(table, chunk_size, first, last, turn, shift, outward, nonlinear, sums, wedge):
    """`add_springs` for springs that have moved outwards by `outward` mm since the placing; wedge (11,): sums for that coordinate."""
    if nonlinear is None:
        _add_meniscus(table, chunk_size, first, last, turn, shift, outward, False, sums, wedge)
    else:
        _add_meniscus(table, chunk_size, first, last, turn, shift, outward, True, sums, wedge)


@kernel_inline
def _add_meniscus_forces(table, chunk_size, first, last, turn, shift, outward, nonlinear, sums, wedge):
    """The loop of `add_meniscus_forces`; nonlinear is a constant in each copy, as in `_add_forces`."""
    e00, e01, e02, e10, e11, e12, e20, e21, e22, t0, t1, t2 = in_precision(table, turn, shift)
    outward = table.dtype.type(outward)
    for m in range(first, last):
        start = np.uint64(m * CHUNK * ROWS)
        en = f0 = f1 = f2 = m0 = m1 = m2 = push = table.dtype.type(0.0)
        for i in range(start, start + np.uint64(chunk_size[m])):
            s0, s1, s2 = table[i + S0], table[i + S1], table[i + S2]
            o0, o1, o2 = outward * s0, outward * s1, outward * s2
            x, y, z = table[i] + o0, table[i + Y] + o1, table[i + Z] + o2
            a, b, c = e00 * x + e01 * y + e02 * z, e10 * x + e11 * y + e12 * z, e20 * x + e21 * y + e22 * z
            f, fx, fy, fz, _, _, _, _, _, _ = moved_level(table, i, a + o0 + t0, b + o1 + t1, c + o2 + t2)
            energy, p, _ = wedge_law(-f, table[i + W], table[i + T], table[i + TH], table[i + BE], nonlinear)
            x, y, z, gx, gy, gz = x + a, y + b, z + c, -p * fx, -p * fy, -p * fz
            u, v, w = s0 + e00 * s0 + e01 * s1 + e02 * s2, s1 + e10 * s0 + e11 * s1 + e12 * s2, s2 + e20 * s0 + e21 * s1 + e22 * s2
            en, f0, f1, f2 = en + energy, f0 + gx, f1 + gy, f2 + gz
            m0, m1, m2 = m0 + y * gz - z * gy, m1 + z * gx - x * gz, m2 + x * gy - y * gx
            push += u * gx + v * gy + w * gz
        for j, value in ((0, en), (1, f0), (2, f1), (3, f2), (9, m0), (10, m1), (5, m2)):
            sums[j] += value
        wedge[0] += push


@kernel
def add_meniscus_forces(table, chunk_size, first, last, turn, shift, outward, nonlinear, sums, wedge):
    """`add_meniscus` without the tangent: energy, F, moment (as in `add_forces`) to sums (34,) and the push along its coordinate to wedge (11,)."""
    if nonlinear is None:
        _add_meniscus_forces(table, chunk_size, first, last, turn, shift, outward, False, sums, wedge)
    else:
        _add_meniscus_forces(table, chunk_size, first, last, turn, shift, outward, True, sums, wedge)


@kernel_inline
def _turned(r, x, y, z):
    """R p for a rotation as a tuple of nine."""
    return r[0] * x + r[1] * y + r[2] * z, r[3] * x + r[4] * y + r[5] * z, r[6] * x + r[7] * y + r[8] * z


@kernel
def _choose_blocks(level, first, last, sphere, r, t, shift, margin, travel, due, chosen, candidate):
    """List in candidate the blocks first..last-1 that can be nearer than margin (mm) and face the target; returns their number.

    A block is looked at by value and slope of the level set at its centre, and again when the body has travelled so far that the answer could
    be another one: the level set changes by at most STEEP per mm, its direction by BENT.
    """
    count, (t0, t1, t2) = 0, t
    for b in range(first, last):
        if not due[b] > travel:
            x, y, z = _turned(r, sphere[b, 0] + shift * sphere[b, 7], sphere[b, 1] + shift * sphere[b, 8], sphere[b, 2] + shift * sphere[b, 9])
            f, fx, fy, fz = rough_level(level[0], level[3:10], x + t0, y + t1, z + t2)
            n0, n1, n2 = _turned(r, sphere[b, 4], sphere[b, 5], sphere[b, 6])
            along = n0 * fx + n1 * fy + n2 * fz
            facing = -FACING[0] - along
            below = margin + ROUGH + sphere[b, 3] * math.sqrt(max(1.0 - along * along, 0.0)) - f
            chosen[b] = facing > 0.0 and below > 0.0
            turn, way = abs(facing) / BENT, abs(below) / (STEEP + BENT * sphere[b, 3])
            if chosen[b]:
                due[b] = travel + min(turn, way)
            else:
                due[b] = travel + max(0.0 if facing > 0.0 else turn, 0.0 if below > 0.0 else way)
        if chosen[b]:
            candidate[count] = b
            count += 1
    return count


@kernel
def _expand(grid, child, entries, shift, r, t, femoral_compliance, cells, places, lane, rows):
    """Rows of the table for LANES springs, from their rows of `spring`: lane (flat, LANE_ROWS by LANES) holds these, then the rows of the table, then
    offsets. cells (LANES,), places (LANES,), rows (ENTRY LANES,): workspace. Returns whether a spring lies deeper than the table of the level set goes."""
    t0, t1, t2 = t
    for j in range(np.uint64(LANES)):
        x, y, z = _turned(r, lane[j] + shift * lane[j + SX], lane[j + PY] + shift * lane[j + SY], lane[j + PZ] + shift * lane[j + SZ])
        o = j + OUT
        lane[o], lane[o + L_Y], lane[o + L_Z] = x, y, z
        cells[j], lane[j + AWAY], lane[j + AWAY + STEP], lane[j + AWAY + STEP * TWO] = cell_of(grid, x + t0, y + t1, z + t2)
    lowest = np.int32(0)
    for j in range(LANES):
        entry = child[cells[j]]
        lowest = min(lowest, entry)
        places[j] = max(entry, np.int32(0)) * np.int32(ENTRY)
    for j in range(0, LANES, BLOCK):
        spread_entries(entries, places, np.uint64(j), rows, np.uint64(j))
    for j in range(np.uint64(LANES)):
        u, v, w = lane[j + AWAY], lane[j + AWAY + STEP], lane[j + AWAY + STEP * TWO]
        f, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz = cell_polynomial(rows, j, u, v, w)
        layer = cell_thickness(rows, j, u, v, w)
        n0, n1, n2 = _turned(r, lane[j + NX], lane[j + NY], lane[j + NZ])
        s0, s1, s2 = _turned(r, lane[j + SX], lane[j + SY], lane[j + SZ])
        weight, theta, beta = _stiffness(n0 * fx + n1 * fy + n2 * fz, lane[j + AREA], lane[j + COMPLIANCE] + layer * femoral_compliance, lane[j + SOFT], lane[j + GROWTH])
        o = j + OUT
        lane[o + L_W] = weight
        lane[o + L_F0], lane[o + L_F1], lane[o + L_F2], lane[o + L_F3] = f, fx, fy, fz
        lane[o + L_H0], lane[o + L_H1], lane[o + L_H2], lane[o + L_H3], lane[o + L_H4], lane[o + L_H5] = fxx, fxy, fxz, fyy, fyz, fzz
        lane[o + L_T] = lane[j + THICKNESS] + layer
        lane[o + L_S0], lane[o + L_S1], lane[o + L_S2] = s0, s1, s2
        lane[o + L_TH], lane[o + L_BE] = theta, beta
    return lowest < 0


@kernel_inline
def _stiffness(against, area, give, soft, growth):
    """Stiffness times area of a spring (N/mm) with the share that faces the target, and theta and beta of its wedge."""
    share = clamped((FACING[0] - against) * (ONE / (FACING[0] - FACING[1])), NONE, ONE)
    part = ONE / (soft + give)
    return share * share * (THREE - TWO_FOLD * share) * area / give, soft * part, growth * give * part * part


@kernel
def _write_rows(grid, child, entries, spring, candidate, count, chunk, shift, r, t, femoral_compliance, margin, plate, table, chunk_block, chunk_size, work):
    """Write the rows of the candidates that have a spring nearer than margin, from chunk number `chunk` on.

    Returns the number of the next free chunk and whether a spring lies deeper than the table goes. work: cells, places, lane and rows of `_expand`.
    """
    cells, places, lane, rows = work
    slot, any_deep = 0, False
    for n in range(0, count, LANES // BLOCK):
        blocks = min(count - n, LANES // BLOCK)
        for b in range(LANES // BLOCK):
            copy_spring(spring, np.uint64(candidate[n + min(b, blocks - 1)] * COLUMNS * BLOCK), lane, np.uint64(b * BLOCK))
        deep = _expand(grid, child, entries, shift, r, t, femoral_compliance, cells, places, lane, rows)
        any_deep = any_deep or deep
        for b in range(blocks):
            if not deep and least_of_eight(lane, OUT + L_F0 + np.uint64(b * BLOCK)) >= margin:
                continue
            if plate:
                copy_plate_rows(lane, OUT + np.uint64(b * BLOCK), table, np.uint64(chunk * ROWS * CHUNK + slot * BLOCK))
            else:
                copy_rows(lane, OUT + np.uint64(b * BLOCK), table, np.uint64(chunk * ROWS * CHUNK + slot * BLOCK))
            chunk_block[chunk * (CHUNK // BLOCK) + slot] = candidate[n + b]
            slot += 1
            chunk_size[chunk] = slot * BLOCK
            if slot == CHUNK // BLOCK:
                chunk, slot = chunk + 1, 0
    return chunk + (1 if slot > 0 else 0), any_deep


@kernel
def place(q, rot, level, springs, femoral_compliance, margin, reach, near, base):
    """Place the blocks that have a spring nearer than margin (mm) to the target and facing it.

    reach: mm, see `moved_since`. The stiffness is
    share x area / (compliance of the casting layers + femoral thickness x femoral_compliance); the share goes smoothly from 0 to 1 as the spring
    turns to face the target (`FACING`). Both are those of the pose of the placing.
    """
    spring, group, sphere = springs
    table, chunk_block, chunk_size, chunk_group, due, chosen = near
    if base[14] == 0.0 or base[24] != margin:
        base[23], base[24] = 0.0, margin
        for b in range(due.size):
            due[b] = 0.0
    else:
        base[23] += moved_since(q, base, reach)
    r = (rot[0, 0], rot[0, 1], rot[0, 2], rot[1, 0], rot[1, 1], rot[1, 2], rot[2, 0], rot[2, 1], rot[2, 2])
    t = (q[3], q[4], q[5])
    for j, value in enumerate(r):
        base[j] = value
    base[9], base[10], base[11], base[14] = t[0], t[1], t[2], 1.0
    for j in range(q.size):
        base[15 + j] = q[j]
    groups = group.size - 1
    plain = groups - (q.size - 6)
    candidate = np.empty(sphere.shape[0], np.int64)
    work = (np.empty(LANES, np.int32), np.empty(LANES, np.int32), np.empty(LANE_ROWS * LANES, table.dtype), np.empty(ENTRY * LANES, np.float32))
    kind = table.dtype.type
    grid = (kind(level[3]), kind(level[4]), kind(level[5]), kind(level[6]), kind(level[7]), kind(level[8]), kind(level[9]))
    turn = (kind(r[0]), kind(r[1]), kind(r[2]), kind(r[3]), kind(r[4]), kind(r[5]), kind(r[6]), kind(r[7]), kind(r[8]))
    origin = (kind(t[0]), kind(t[1]), kind(t[2]))
    chunk = np.int64(0)
    for g in range(groups):
        chunk_group[g] = chunk
        shift = 0.0 if g < plain else q[6 + g - plain]
        if g >= plain:
            base[12 + g - plain] = shift
        count = _choose_blocks(level, group[g], group[g + 1], sphere, r, t, shift, margin, base[23], due, chosen, candidate)
        chunk, deep = _write_rows(grid, level[10], level[11], spring, candidate, count, chunk, kind(shift), turn, origin, kind(femoral_compliance), kind(margin), g < plain, table, chunk_block,
                                  chunk_size, work)
        if deep:
            _write_deep(level, spring, chunk_group[g], chunk, chunk_block, chunk_size, r, t, femoral_compliance, table)
    chunk_group[groups] = chunk


@kernel
def _write_deep(level, spring, first, last, chunk_block, chunk_size, r, t, femoral_compliance, table):
    """Write the rows of springs so deep inside the target that the table keeps no entry for them, one by one."""
    for m in range(first, last):
        for i in range(chunk_size[m]):
            o = np.uint64(m * ROWS * CHUNK + i)
            x, y, z = table[o] + t[0], table[o + Y] + t[1], table[o + Z] + t[2]
            if level[10][cell_of(level[3:10], x, y, z)[0]] >= 0:
                continue
            f, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz = spline(level, x, y, z)
            table[o + H0], table[o + H1], table[o + H2], table[o + H3], table[o + H4], table[o + H5] = fxx, fxy, fxz, fyy, fyz, fzz
            s = chunk_block[m * (CHUNK // BLOCK) + i // BLOCK] * COLUMNS * BLOCK + i % BLOCK
            layer = femoral_thickness(level, x, y, z)
            table[o + F0], table[o + F1], table[o + F2], table[o + F3] = f, fx, fy, fz
            table[o + T] = spring[s + 8 * BLOCK] + layer
            n0, n1, n2 = _turned(r, spring[s + 3 * BLOCK], spring[s + 4 * BLOCK], spring[s + 5 * BLOCK])
            against = n0 * fx + n1 * fy + n2 * fz
            give = spring[s + 7 * BLOCK] + layer * femoral_compliance
            table[o + W], table[o + TH], table[o + BE] = _stiffness(against, spring[s + 6 * BLOCK], give, spring[s + 12 * BLOCK], spring[s + 13 * BLOCK])
