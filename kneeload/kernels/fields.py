"""What is read off an equilibrium once it is found: pressure per triangle, sums per surface, peaks."""

from __future__ import annotations

import numpy as np

from kneeload.kernels.layer import HALF, ONE, ZERO, wedge_law
from kneeload.kernels.level_set import clamped, row_copier
from kneeload.kernels.options import kernel, kernel_inline
from kneeload.kernels.pose import rotation
from kneeload.kernels.springs import BE, BLOCK, CHUNK, COLUMNS, ROWS, S0, S1, S2, TH, T, W, Y, Z, in_precision, motion_since, moved_level

copy_normal_and_area = row_copier(4, BLOCK, CHUNK)
EIGHT, ONE_MORE = np.uint64(BLOCK), np.uint64(1)  # whole numbers that need no look at their sign before they index an array
RIM = np.float32(1.2)  # width of a triangle of area 1, mean over directions
PEAK_SHARE = 0.01  # the peak pressure is what one per cent of the area in contact exceeds: single triangles are noise
UPPER = 0.6  # of the largest pressure: a first guess of what the wanted one is above
LEAST = np.float32(1e-9)  # mm


@kernel_inline
def _touching_share(f, fx, fy, fz, nx, ny, nz, area):
    """Share of a triangle's area that touches, no unit: the rim of the contact cuts it where the depth, linear across it, is zero."""
    dot = fx * nx + fy * ny + fz * nz
    width = RIM * np.sqrt(area * max(fx * fx + fy * fy + fz * fz - dot * dot, ZERO))
    return min(max(HALF - f / (width + LEAST), ZERO), ONE)


@kernel_inline
def _node(grid, x, y, z):
    """Number of the node nearest to a point, in the grid."""
    nx, ny, nz, ox, oy, oz, ih = grid
    u = np.int32(clamped((x - ox) * ih + HALF, ZERO, nx - HALF))
    v = np.int32(clamped((y - oy) * ih + HALF, ZERO, ny - HALF))
    w = np.int32(clamped((z - oz) * ih + HALF, ZERO, nz - HALF))
    return (u * np.int32(ny) + v) * np.int32(nz) + w


@kernel_inline
def _read(table, start, size, turn, shift, more, soft, nonlinear, rot, own, grid, origin, found, node):
    """The loop of `_read_chunk`; nonlinear is a constant in each copy, as in `kneeload.kernels.springs`."""
    e00, e01, e02, e10, e11, e12, e20, e21, e22, t0, t1, t2 = in_precision(table, turn, shift)
    kind = table.dtype.type
    more, soft = kind(more), kind(soft)
    r00, r01, r02, r10, r11, r12, r20, r21, r22 = (kind(rot[0, 0]), kind(rot[0, 1]), kind(rot[0, 2]), kind(rot[1, 0]), kind(rot[1, 1]), kind(rot[1, 2]),
                                                   kind(rot[2, 0]), kind(rot[2, 1]), kind(rot[2, 2]))
    area = normal = f0 = f1 = f2 = s0 = s1 = s2 = table.dtype.type(0.0)
    first = np.uint64(start)
    for j in range(np.uint64(size)):
        i = first + j
        o0, o1, o2 = more * table[i + S0], more * table[i + S1], more * table[i + S2]
        x, y, z = table[i] + o0, table[i + Y] + o1, table[i + Z] + o2
        a, b, c = e00 * x + e01 * y + e02 * z, e10 * x + e11 * y + e12 * z, e20 * x + e21 * y + e22 * z
        f, fx, fy, fz, _, _, _, _, _, _ = moved_level(table, i, a + o0 + t0, b + o1 + t1, c + o2 + t2)
        _, load, _ = wedge_law(-f, table[i + W], table[i + T], soft * table[i + TH], soft * table[i + BE], nonlinear)
        u, v, w, size_of = own[j], own[j + Y], own[j + Z], own[j + W]
        n0, n1, n2 = r00 * u + r01 * v + r02 * w, r10 * u + r11 * v + r12 * w, r20 * u + r21 * v + r22 * w
        share = _touching_share(f, fx, fy, fz, n0, n1, n2, size_of)
        x, y, z = x + a, y + b, z + c
        found[j], node[j] = load / size_of, _node(grid, x + origin[0], y + origin[1], z + origin[2])
        area += size_of * share if table[i + W] > ZERO else ZERO
        normal, f0, f1, f2 = normal + load, f0 + load * fx, f1 + load * fy, f2 + load * fz
        s0, s1, s2 = s0 + load * x, s1 + load * y, s2 + load * z
    return area, normal, f0, f1, f2, s0, s1, s2


@kernel
def _read_chunk(table, start, size, turn, shift, more, soft, nonlinear, rot, own, grid, origin, found, node):
    """Pressure (MPa) of the springs of a chunk into found (CHUNK,) and the nodes nearest to them into node (CHUNK,). Returns the sums over them:
    area mm2, load N, force (3) N, load times arm (3) N mm. own (4 CHUNK,): normal (frame of the body) and area of each; origin (3,) mm of the body."""
    if nonlinear is None:
        return _read(table, start, size, turn, shift, more, soft, False, rot, own, grid, origin, found, node)
    else:
        return _read(table, start, size, turn, shift, more, soft, True, rot, own, grid, origin, found, node)


@kernel
def report(q, level, near, base, home, nonlinear, work, row, rows, pressure, triangle, force, scalars, peak):
    """Write pressures of the placed springs of frame `row` out of `rows`, and sum per surface.

    home = (spring: see `kneeload.kernels.springs`, place (N,) of each spring among the M triangles of all surfaces, start (g + 1,) first triangle of each surface, side (g,) compartment of each)
    pressure MPa and triangle, flat (rows M): one surface after the other, (rows, m) each. force (g, 3): N on the body, femur frame. scalars (g, 5):
    area mm2, normal force N and normal force times x, y, z of the spring (body frame). peak (c,): MPa, see `area_percentile` and PEAK_SHARE.
    work: see `kneeload.kernels.equilibrium.potential`.
    """
    rot, turn, shift = work[0], work[1], work[2]
    rotation(q, rot)
    motion_since(rot, q[3:6], base, turn, shift)
    table, chunk_block, chunk_size, chunk_group, _, _ = near
    spring, place, start, side = home
    groups = chunk_group.size - 1
    plain = groups - (q.size - 6)
    found, own, node = np.empty(CHUNK, table.dtype), np.empty(4 * CHUNK, spring.dtype), np.empty(CHUNK, np.int32)
    kind = table.dtype.type
    pressed, area_of, border = np.empty(chunk_group[groups] * CHUNK), np.empty(chunk_group[groups] * CHUNK), np.zeros(groups + 1, np.int64)
    grid = (kind(level[3]), kind(level[4]), kind(level[5]), kind(level[6]), kind(level[7]), kind(level[8]), kind(level[9]))
    nearest, origin, count = level[2], (kind(q[3]), kind(q[4]), kind(q[5])), np.uint64(0)
    for g in range(groups):
        more = 0.0 if g < plain else q[6 + g - plain] - base[12 + g - plain]
        first_place = start[g] * rows + row * (start[g + 1] - start[g]) - start[g]
        for m in range(chunk_group[g], chunk_group[g + 1]):
            first = m * (CHUNK // BLOCK)
            for b in range(chunk_size[m] // BLOCK):
                copy_normal_and_area(spring, np.uint64((chunk_block[first + b] * COLUMNS + 3) * BLOCK), own, np.uint64(b * BLOCK))
            area, normal, f0, f1, f2, s0, s1, s2 = _read_chunk(table, m * ROWS * CHUNK, chunk_size[m], turn, shift, more, 0.0 if g < plain else 1.0, nonlinear,
                                                               rot, own, grid, origin, found, node)
            force[g, 0] += f0
            force[g, 1] += f1
            force[g, 2] += f2
            scalars[g, 0] += area
            scalars[g, 1] += normal
            for j in range(3):  # back into the frame of the body
                scalars[g, 2 + j] += rot[0, j] * s0 + rot[1, j] * s1 + rot[2, j] * s2
            for b in range(np.uint64(chunk_size[m] // BLOCK)):
                here = np.uint64(chunk_block[first + b] * BLOCK)
                for j in range(np.uint64(BLOCK)):
                    i = b * EIGHT + j
                    if found[i] > 0.0:
                        pressed[count], area_of[count] = found[i], own[i + W]
                        k = np.uint64(first_place + place[here + j])
                        pressure[k], triangle[k] = found[i], nearest[np.uint64(node[i])]
                        count += ONE_MORE
        border[g + 1] = count
    for c in range(peak.size):
        peak[c] = area_percentile(pressed, area_of, border, side, c, PEAK_SHARE)


@kernel
def area_percentile(pressure, area, border, side, chosen, share):
    """Pressure (MPa) that only a `share` of the area in contact exceeds, by finer and finer histograms, of the upper part if it is there.

    pressure, area (n,) MPa (not below zero) and mm2 of triangles of g surfaces, border (g + 1,) the first of each; those count whose side (g,) is `chosen`.
    """
    total, upper, most, longest = 0.0, 0.0, np.zeros(1, np.int64), np.int64(0)
    bits, largest = pressure.view(np.int64), np.int64(0)  # numbers above zero have the order of their bits, and whole numbers have a vectorised maximum
    for g in range(side.size):
        first, last = np.uint64(border[g]), np.uint64(border[g + 1] if side[g] == chosen else border[g])
        for j in range(first, last):
            total += area[j] if pressure[j] > 0.0 else 0.0
        for j in range(first, last):
            largest = max(largest, bits[j])
    if total == 0.0:
        return 0.0
    most[0] = largest
    top = most.view(np.float64)[0]
    low, high, above = UPPER * top, top * (1.0 + 1e-6), 0.0
    for g in range(side.size):
        first, last = np.uint64(border[g]), np.uint64(border[g + 1] if side[g] == chosen else border[g])
        for j in range(first, last):
            upper += area[j] if pressure[j] >= low else 0.0
        longest += np.int64(last - first)
    low = low if upper > share * total else 0.0
    value, size, count = np.empty(longest), np.empty(longest), 0
    for g in range(side.size):
        for j in range(np.uint64(border[g]), np.uint64(border[g + 1] if side[g] == chosen else border[g])):
            if pressure[j] > 0.0 and pressure[j] >= low:
                value[count], size[count] = pressure[j], area[j]
                count += 1
    bins = np.zeros(256)
    for _ in range(3):
        for i in range(bins.size):
            bins[i] = 0.0
        width = (high - low) / bins.size
        scale, kept = 1.0 / width, 0
        for j in range(count):
            if low <= value[j] < high:
                bins[min(int((value[j] - low) * scale), bins.size - 1)] += size[j]
                value[kept], size[kept] = value[j], size[j]
                kept += 1
        count = kept
        b = bins.size - 1
        while b > 0 and above + bins[b] <= share * total:
            above += bins[b]
            b -= 1
        low, high = low + b * width, low + (b + 1) * width
    return min(high, top)
