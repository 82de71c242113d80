"""Distances to triangle meshes and values of level sets: scalar loops, no allocation in the inner ones.

Feature codes of a closest point: 0-2 corner, 3 edge 0-1, 4 edge 1-2, 5 edge 2-0, 6 face.
Side codes: 1 outside, -1 inside, 0 not seen, 2 nearest to an open boundary of the mesh (no side there).
The side is the sign of (x - closest point) . n with n the angle-weighted pseudonormal of the closest feature, which is exact
for a closed manifold mesh (Baerentzen and Aanaes 2005, doi 10.1109/TVCG.2005.49).
"""

from __future__ import annotations

import math

import numpy as np

from kneeload.kernels.options import kernel, kernel_strict


@kernel_strict
def _closest_on_segment(px, py, pz, ax, ay, az, bx, by, bz):
    """Return (x, y, z, squared distance) of the point of segment a, b nearest to p."""
    ux, uy, uz = bx - ax, by - ay, bz - az
    uu = ux * ux + uy * uy + uz * uz
    s = 0.0
    if uu > 0.0:
        s = min(max(((px - ax) * ux + (py - ay) * uy + (pz - az) * uz) / uu, 0.0), 1.0)
    x, y, z = ax + s * ux, ay + s * uy, az + s * uz
    return x, y, z, (px - x) * (px - x) + (py - y) * (py - y) + (pz - z) * (pz - z)


@kernel_strict
def _closest_on_edges(px, py, pz, ax, ay, az, bx, by, bz, cx, cy, cz):
    """Return (x, y, z, feature) of the nearest point on the three edges."""
    x, y, z, least = _closest_on_segment(px, py, pz, ax, ay, az, bx, by, bz)
    feature = 3
    x1, y1, z1, d1 = _closest_on_segment(px, py, pz, bx, by, bz, cx, cy, cz)
    if d1 < least:
        x, y, z, least, feature = x1, y1, z1, d1, 4
    x2, y2, z2, d2 = _closest_on_segment(px, py, pz, cx, cy, cz, ax, ay, az)
    if d2 < least:
        x, y, z, feature = x2, y2, z2, 5
    return x, y, z, feature


@kernel_strict
def closest_on_triangle(px, py, pz, ax, ay, az, bx, by, bz, cx, cy, cz):
    """Return (x, y, z, feature) of the point of triangle a, b, c nearest to p; all lengths in one unit, one frame.

    Works for triangles without area as well. Source: the sign conditions of the barycentric regions (Ericson 2005,
    Real-Time Collision Detection, section 5.1.5), derived here from the normal equations of the plane and the edges.
    """
    ux, uy, uz = bx - ax, by - ay, bz - az
    vx, vy, vz = cx - ax, cy - ay, cz - az
    wx, wy, wz = px - ax, py - ay, pz - az
    uu = ux * ux + uy * uy + uz * uz
    vv = vx * vx + vy * vy + vz * vz
    uv = ux * vx + uy * vy + uz * vz
    uw = ux * wx + uy * wy + uz * wz
    vw = vx * wx + vy * wy + vz * wz
    if uu * vv - uv * uv <= 1e-14 * uu * vv:  # no area: the signs below would be rounding
        return _closest_on_edges(px, py, pz, ax, ay, az, bx, by, bz, cx, cy, cz)
    if uw <= 0.0 and vw <= 0.0:
        return ax, ay, az, 0
    ub, vb = uw - uu, vw - uv  # projections measured from corner b
    if ub >= 0.0 and vb <= ub:
        return bx, by, bz, 1
    uc, vc = uw - uv, vw - vv  # and from corner c
    if vc >= 0.0 and uc <= vc:
        return cx, cy, cz, 2
    weight_c = uw * vb - ub * vw
    if weight_c <= 0.0 and uw >= 0.0 and ub <= 0.0:
        s = uw / uu
        return ax + s * ux, ay + s * uy, az + s * uz, 3
    weight_b = uc * vw - uw * vc
    if weight_b <= 0.0 and vw >= 0.0 and vc <= 0.0:
        s = vw / vv
        return ax + s * vx, ay + s * vy, az + s * vz, 5
    weight_a = ub * vc - uc * vb
    if weight_a <= 0.0 and vb - ub >= 0.0 and uc - vc >= 0.0:
        s = (vb - ub) / ((vb - ub) + (uc - vc))
        return bx + s * (cx - bx), by + s * (cy - by), bz + s * (cz - bz), 4
    total = weight_a + weight_b + weight_c
    s, t = weight_b / total, weight_c / total
    return ax + s * ux + t * vx, ay + s * uy + t * vy, az + s * uz + t * vz, 6


@kernel_strict
def splat(points, triangles, normals, open_feature, origin, spacing, band, square, nearest, side):
    """Write each triangle's distance to the grid nodes within `band` of it, keeping the nearest.

    Args:
        points: (n, 3) mm. triangles: (m, 3). normals: (m, 7, 3) pseudonormal per feature. open_feature: (m, 7) bool.
        origin: (3,) mm, node (0, 0, 0). spacing, band: mm.
        square: (nx, ny, nz) mm2, squared distance, filled with band**2 before the first call. nearest: (nx, ny, nz) triangle.
        side: (nx, ny, nz) side code. The last three are changed.
    """
    nx, ny, nz = square.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = points[a, 0], points[a, 1], points[a, 2]
        bx, by, bz = points[b, 0], points[b, 1], points[b, 2]
        cx, cy, cz = points[c, 0], points[c, 1], points[c, 2]
        fx, fy, fz = normals[t, 6, 0], normals[t, 6, 1], normals[t, 6, 2]
        i0 = max(0, math.ceil((min(ax, bx, cx) - band - origin[0]) / spacing))
        i1 = min(nx - 1, math.floor((max(ax, bx, cx) + band - origin[0]) / spacing))
        j0 = max(0, math.ceil((min(ay, by, cy) - band - origin[1]) / spacing))
        j1 = min(ny - 1, math.floor((max(ay, by, cy) + band - origin[1]) / spacing))
        k0 = max(0, math.ceil((min(az, bz, cz) - band - origin[2]) / spacing))
        k1 = min(nz - 1, math.floor((max(az, bz, cz) + band - origin[2]) / spacing))
        for i in range(i0, i1 + 1):
            px = origin[0] + i * spacing
            for j in range(j0, j1 + 1):
                py = origin[1] + j * spacing
                for k in range(k0, k1 + 1):
                    pz = origin[2] + k * spacing
                    best = square[i, j, k]
                    height = (px - ax) * fx + (py - ay) * fy + (pz - az) * fz
                    if height * height >= best:
                        continue
                    qx, qy, qz, feature = closest_on_triangle(px, py, pz, ax, ay, az, bx, by, bz, cx, cy, cz)
                    dx, dy, dz = px - qx, py - qy, pz - qz
                    d2 = dx * dx + dy * dy + dz * dz
                    if d2 < best:
                        square[i, j, k] = d2
                        nearest[i, j, k] = t
                        if open_feature[t, feature]:
                            side[i, j, k] = 2
                        else:
                            facing = dx * normals[t, feature, 0] + dy * normals[t, feature, 1] + dz * normals[t, feature, 2]
                            side[i, j, k] = 1 if facing >= 0.0 else -1


@kernel_strict
def nearest_in_cells(queries, points, triangles, normals, open_feature, low, cell, starts, members, reach, distance, foot, nearest, side):
    """Find for each query point the nearest triangle within `reach`, looking only into cells near it.

    Args:
        queries: (q, 3) mm. points, triangles, normals, open_feature: as in `splat`.
        low: (3,) mm, corner of the cell grid. cell: edge of a cell, mm. starts: (cx, cy, cz, 2) first and last+1 place in `members`.
        members: (k,) triangle numbers by cell (a triangle is listed in each cell that its box touches). reach: mm.
        distance: (q,) mm, infinity where nothing is within reach. foot: (q, 3) mm, closest point. nearest: (q,). side: (q,).
            The last four are written.
    """
    sx, sy, sz = starts.shape[0], starts.shape[1], starts.shape[2]
    for q in range(queries.shape[0]):
        px, py, pz = queries[q, 0], queries[q, 1], queries[q, 2]
        ci = math.floor((px - low[0]) / cell)
        cj = math.floor((py - low[1]) / cell)
        ck = math.floor((pz - low[2]) / cell)
        best = reach * reach
        found = -1
        nearest[q], side[q], distance[q] = -1, 0, np.inf
        rings = math.ceil(reach / cell) + 1
        # the first ring that meets the grid at all
        first = max(0, -ci, -cj, -ck, ci - sx + 1, cj - sy + 1, ck - sz + 1)
        for ring in range(first, rings + 1):
            clearance = (ring - 1) * cell  # no triangle of this ring is nearer than this
            if clearance > 0.0 and clearance * clearance >= best:
                break
            for i in range(max(0, ci - ring), min(sx - 1, ci + ring) + 1):
                gap_x = max(low[0] + i * cell - px, px - low[0] - (i + 1) * cell, 0.0)
                if gap_x * gap_x >= best:
                    continue
                for j in range(max(0, cj - ring), min(sy - 1, cj + ring) + 1):
                    gap_y = max(low[1] + j * cell - py, py - low[1] - (j + 1) * cell, 0.0)
                    if gap_x * gap_x + gap_y * gap_y >= best:
                        continue
                    shell = abs(i - ci) == ring or abs(j - cj) == ring
                    step = 1 if shell or ring == 0 else 2 * ring
                    k = ck - ring
                    while k <= ck + ring:
                        gap_z = max(low[2] + k * cell - pz, pz - low[2] - (k + 1) * cell, 0.0)
                        if 0 <= k < sz and gap_x * gap_x + gap_y * gap_y + gap_z * gap_z < best:
                            for s in range(starts[i, j, k, 0], starts[i, j, k, 1]):
                                t = members[s]
                                a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                                height = ((px - points[a, 0]) * normals[t, 6, 0] + (py - points[a, 1]) * normals[t, 6, 1]
                                          + (pz - points[a, 2]) * normals[t, 6, 2])
                                if height * height >= best:
                                    continue
                                qx, qy, qz, feature = closest_on_triangle(
                                    px, py, pz, points[a, 0], points[a, 1], points[a, 2], points[b, 0], points[b, 1], points[b, 2],
                                    points[c, 0], points[c, 1], points[c, 2])
                                dx, dy, dz = px - qx, py - qy, pz - qz
                                d2 = dx * dx + dy * dy + dz * dz
                                if d2 < best:
                                    best = d2
                                    found = t
                                    foot[q, 0], foot[q, 1], foot[q, 2] = qx, qy, qz
                                    if open_feature[t, feature]:
                                        side[q] = 2
                                    else:
                                        facing = (dx * normals[t, feature, 0] + dy * normals[t, feature, 1]
                                                  + dz * normals[t, feature, 2])
                                        side[q] = 1 if facing >= 0.0 else -1
                        k += step
        if found >= 0:
            nearest[q] = found
            distance[q] = math.sqrt(best)


@kernel_strict
def _eikonal_step(a, b, c, h):
    """Upwind solution of |grad u| = 1 from the smaller neighbours a, b, c along the three axes, spacing h (all mm)."""
    low, high = min(a, b, c), max(a, b, c)
    middle = max(min(a, b), min(max(a, b), c))
    u = low + h
    if u > middle:
        u = 0.5 * (low + middle + math.sqrt(max(2.0 * h * h - (middle - low) * (middle - low), 0.0)))
        if u > high:
            total = low + middle + high
            u = (total + math.sqrt(max(total * total - 3.0 * (low * low + middle * middle + high * high - h * h), 0.0))) / 3.0
    return u


@kernel_strict
def extend(distance, known, spacing, rounds):
    """Carry distances on from the known nodes by fast sweeping (Zhao 2005, doi 10.1090/S0025-5718-04-01678-3).

    Args:
        distance: (nx, ny, nz) mm, without sign; large where not known; changed there. known: (nx, ny, nz) bool.
        spacing: mm. rounds: number of times that the eight sweep directions are gone through.
    """
    nx, ny, nz = distance.shape
    for sweep in range(8 * rounds):
        reverse_x, reverse_y, reverse_z = sweep & 1, (sweep >> 1) & 1, (sweep >> 2) & 1
        for ii in range(nx):
            i = nx - 1 - ii if reverse_x else ii
            for jj in range(ny):
                j = ny - 1 - jj if reverse_y else jj
                for kk in range(nz):
                    k = nz - 1 - kk if reverse_z else kk
                    if known[i, j, k]:
                        continue
                    a = min(distance[max(i - 1, 0), j, k], distance[min(i + 1, nx - 1), j, k])
                    b = min(distance[i, max(j - 1, 0), k], distance[i, min(j + 1, ny - 1), k])
                    c = min(distance[i, j, max(k - 1, 0)], distance[i, j, min(k + 1, nz - 1)])
                    u = _eikonal_step(a, b, c, spacing)
                    if u < distance[i, j, k]:
                        distance[i, j, k] = u


@kernel_strict
def first_above(queries, points, triangles, low, cell, starts, members, reach, height, hit):
    """First triangle met from each query point along +z (points and queries already turned so that the ray is +z).

    Args:
        queries: (q, 3) mm. points: (n, 3) mm. triangles: (m, 3). low, cell, starts, members: as in `nearest_in_cells`, with one
            layer of cells in z. reach: mm.
        height: (q,) mm, infinity where nothing is met within reach. hit: (q,) triangle or -1. Both are written.
    """
    for q in range(queries.shape[0]):
        px, py, pz = queries[q, 0], queries[q, 1], queries[q, 2]
        height[q], hit[q] = np.inf, -1
        i = math.floor((px - low[0]) / cell)
        j = math.floor((py - low[1]) / cell)
        if i < 0 or j < 0 or i >= starts.shape[0] or j >= starts.shape[1]:
            continue
        for s in range(starts[i, j, 0, 0], starts[i, j, 0, 1]):
            t = members[s]
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            ax, ay = points[a, 0] - px, points[a, 1] - py
            bx, by = points[b, 0] - px, points[b, 1] - py
            cx, cy = points[c, 0] - px, points[c, 1] - py
            wa, wb, wc = bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx  # twice the areas opposite to the corners
            inside = (wa >= 0.0 and wb >= 0.0 and wc >= 0.0) or (wa <= 0.0 and wb <= 0.0 and wc <= 0.0)
            total = wa + wb + wc
            if not inside or total == 0.0:
                continue
            above = (wa * points[a, 2] + wb * points[b, 2] + wc * points[c, 2]) / total - pz
            if 0.0 <= above <= reach and above < height[q]:
                height[q] = above
                hit[q] = t


@kernel_strict
def _ray_meets(ox, oy, oz, dx, dy, dz, points, a, b, c):
    """Length along a ray to a triangle (both faces), infinity when it misses (Moeller and Trumbore 1997, doi 10.1080/10867651.1997.10487468)."""
    ax, ay, az = points[a, 0], points[a, 1], points[a, 2]
    ux, uy, uz = points[b, 0] - ax, points[b, 1] - ay, points[b, 2] - az
    vx, vy, vz = points[c, 0] - ax, points[c, 1] - ay, points[c, 2] - az
    nx, ny, nz = dy * vz - dz * vy, dz * vx - dx * vz, dx * vy - dy * vx
    det = ux * nx + uy * ny + uz * nz
    if det == 0.0:
        return np.inf
    sx, sy, sz = ox - ax, oy - ay, oz - az
    s = (sx * nx + sy * ny + sz * nz) / det
    mx, my, mz = sy * uz - sz * uy, sz * ux - sx * uz, sx * uy - sy * ux
    t = (dx * mx + dy * my + dz * mz) / det
    if s < -1e-9 or t < -1e-9 or s + t > 1.0 + 1e-9:
        return np.inf
    return (vx * mx + vy * my + vz * mz) / det


@kernel_strict
def first_along(queries, directions, points, triangles, low, cell, starts, members, reach, length, hit):
    """First triangle met from each query point along its own direction, walking from cell to cell (Amanatides and Woo 1987).

    Args:
        queries: (q, 3) mm. directions: (q, 3) unit vectors. points, triangles, low, cell, starts, members: as in `nearest_in_cells`.
        reach: mm. length: (q,) mm, infinity where nothing is met within reach. hit: (q,) triangle or -1. Both are written.
    """
    place, way, step = np.empty(3, np.int64), np.empty(3), np.empty(3)
    for q in range(queries.shape[0]):
        length[q], hit[q] = np.inf, -1
        enter, leave = 0.0, reach
        if not abs(queries[q, 0] + queries[q, 1] + queries[q, 2] + directions[q, 0] + directions[q, 1] + directions[q, 2]) < np.inf:
            continue
        for a in range(3):
            o, d, high = queries[q, a], directions[q, a], low[a] + starts.shape[a] * cell
            if d == 0.0:
                if o < low[a] or o > high:
                    leave = -1.0
                continue
            near, far = (low[a] - o) / d, (high - o) / d
            enter, leave = max(enter, min(near, far)), min(leave, max(near, far))
        if not enter <= leave:
            continue
        for a in range(3):
            d = directions[q, a]
            at = (queries[q, a] + enter * d - low[a]) / cell
            place[a] = min(max(math.floor(at), 0), starts.shape[a] - 1)
            if d == 0.0:
                way[a], step[a] = np.inf, np.inf
            else:
                edge = low[a] + (place[a] + (1 if d > 0.0 else 0)) * cell
                way[a], step[a] = (edge - queries[q, a]) / d, cell / abs(d)
        best = reach
        while True:
            i, j, k = place[0], place[1], place[2]
            for s in range(starts[i, j, k, 0], starts[i, j, k, 1]):
                t = members[s]
                found = _ray_meets(queries[q, 0], queries[q, 1], queries[q, 2], directions[q, 0], directions[q, 1], directions[q, 2], points,
                                   triangles[t, 0], triangles[t, 1], triangles[t, 2])
                if 0.0 <= found <= best:
                    best = found
                    length[q], hit[q] = found, t
            a = 0 if way[0] <= way[1] and way[0] <= way[2] else (1 if way[1] <= way[2] else 2)
            if way[a] > best or way[a] > leave:
                break
            place[a] += 1 if directions[q, a] > 0.0 else -1
            if place[a] < 0 or place[a] >= starts.shape[a]:
                break
            way[a] += step[a]


@kernel
def level_set_values(coefficients, origin, spacing, outside, queries, value, gradient):
    """Value and gradient of a triquadratic B-spline at points; `outside` and a zero gradient where the support leaves the grid.

    Args:
        coefficients: (nx, ny, nz) mm. origin: (3,) mm. spacing: mm. outside: mm. queries: (q, 3) mm.
        value: (q,) mm. gradient: (q, 3) no unit. Both are written.
    """
    nx, ny, nz = coefficients.shape
    wx, wy, wz = np.empty(3), np.empty(3), np.empty(3)
    gx, gy, gz = np.empty(3), np.empty(3), np.empty(3)
    for q in range(queries.shape[0]):
        u = (queries[q, 0] - origin[0]) / spacing
        v = (queries[q, 1] - origin[1]) / spacing
        w = (queries[q, 2] - origin[2]) / spacing
        value[q] = outside
        gradient[q, 0], gradient[q, 1], gradient[q, 2] = 0.0, 0.0, 0.0
        if not (u >= 0.5 and v >= 0.5 and w >= 0.5 and u <= nx - 1.5 and v <= ny - 1.5 and w <= nz - 1.5):
            if not (u == u and v == v and w == w):
                value[q] = np.nan
            continue
        i = min(int(u + 0.5), nx - 2)
        j = min(int(v + 0.5), ny - 2)
        k = min(int(w + 0.5), nz - 2)
        r, s, t = u - i, v - j, w - k
        wx[0], wx[1], wx[2] = 0.5 * (0.5 - r) * (0.5 - r), 0.75 - r * r, 0.5 * (0.5 + r) * (0.5 + r)
        wy[0], wy[1], wy[2] = 0.5 * (0.5 - s) * (0.5 - s), 0.75 - s * s, 0.5 * (0.5 + s) * (0.5 + s)
        wz[0], wz[1], wz[2] = 0.5 * (0.5 - t) * (0.5 - t), 0.75 - t * t, 0.5 * (0.5 + t) * (0.5 + t)
        gx[0], gx[1], gx[2] = r - 0.5, -2.0 * r, r + 0.5
        gy[0], gy[1], gy[2] = s - 0.5, -2.0 * s, s + 0.5
        gz[0], gz[1], gz[2] = t - 0.5, -2.0 * t, t + 0.5
        f, fx, fy, fz = 0.0, 0.0, 0.0, 0.0
        for a in range(3):
            for b in range(3):
                line = 0.0
                slope = 0.0
                for c in range(3):
                    coefficient = coefficients[i + a - 1, j + b - 1, k + c - 1]
                    line += wz[c] * coefficient
                    slope += gz[c] * coefficient
                f += wx[a] * wy[b] * line
                fx += gx[a] * wy[b] * line
                fy += wx[a] * gy[b] * line
                fz += wx[a] * wy[b] * slope
        value[q] = f
        gradient[q, 0], gradient[q, 1], gradient[q, 2] = fx / spacing, fy / spacing, fz / spacing
