"""Does a triangle mesh cut through itself? Pairs of triangles of the same cell, tested edge against face.

Source of the edge test: Moeller and Trumbore 1997 (doi 10.1080/10867651.1997.10487468).
"""

from __future__ import annotations

from kneeload.kernels.options import kernel_strict

TOUCHING = 1e-9  # in units of an edge or a face: meeting at a border is not cutting through


@kernel_strict
def _edge_cuts(points, p, q, a, b, c):
    """Whether the inside of edge p-q passes through the inside of the triangle a, b, c (point numbers)."""
    ax, ay, az = points[a, 0], points[a, 1], points[a, 2]
    ux, uy, uz = points[b, 0] - ax, points[b, 1] - ay, points[b, 2] - az
    vx, vy, vz = points[c, 0] - ax, points[c, 1] - ay, points[c, 2] - az
    dx, dy, dz = points[q, 0] - points[p, 0], points[q, 1] - points[p, 1], points[q, 2] - points[p, 2]
    nx, ny, nz = dy * vz - dz * vy, dz * vx - dx * vz, dx * vy - dy * vx
    det = ux * nx + uy * ny + uz * nz
    scale = (ux * ux + uy * uy + uz * uz) * (vx * vx + vy * vy + vz * vz) * (dx * dx + dy * dy + dz * dz)
    if det * det <= 1e-16 * scale:
        return False
    sx, sy, sz = points[p, 0] - ax, points[p, 1] - ay, points[p, 2] - az
    s = (sx * nx + sy * ny + sz * nz) / det
    if s <= TOUCHING or s >= 1.0 - TOUCHING:
        return False
    mx, my, mz = sy * uz - sz * uy, sz * ux - sx * uz, sx * uy - sy * ux
    t = (dx * mx + dy * my + dz * mz) / det
    if t <= TOUCHING or s + t >= 1.0 - TOUCHING:
        return False
    along = (vx * mx + vy * my + vz * mz) / det
    return TOUCHING < along < 1.0 - TOUCHING


@kernel_strict
def _apart(box, s, t):
    """Whether the boxes (m, 2, 3) of two triangles do not meet."""
    return (box[s, 0, 0] > box[t, 1, 0] or box[t, 0, 0] > box[s, 1, 0] or box[s, 0, 1] > box[t, 1, 1] or box[t, 0, 1] > box[s, 1, 1]
            or box[s, 0, 2] > box[t, 1, 2] or box[t, 0, 2] > box[s, 1, 2])


@kernel_strict
def _neighbours(triangles, s, t):
    """Whether two triangles share a point: they meet there, and may."""
    for i in range(3):
        for j in range(3):
            if triangles[s, i] == triangles[t, j]:
                return True
    return False


@kernel_strict
def _cross(points, triangles, s, t):
    """Whether an edge of one of two triangles passes through the other."""
    for i in range(3):
        j = (i + 1) % 3
        if _edge_cuts(points, triangles[s, i], triangles[s, j], triangles[t, 0], triangles[t, 1], triangles[t, 2]):
            return True
        if _edge_cuts(points, triangles[t, i], triangles[t, j], triangles[s, 0], triangles[s, 1], triangles[s, 2]):
            return True
    return False


@kernel_strict
def mark_crossings(points, triangles, box, starts, members, crossed):
    """Mark the triangles that cut through another one with which they share no point.

    Args:
        points: (n, 3) mm. triangles: (m, 3). box: (m, 2, 3) mm, low and high corner of each triangle.
        starts: (c, 2) first and last + 1 place of each cell in `members`. members: (k,) triangle numbers by cell.
        crossed: (m,) bool, changed.
    """
    for cell in range(starts.shape[0]):
        for i in range(starts[cell, 0], starts[cell, 1]):
            s = members[i]
            for j in range(i + 1, starts[cell, 1]):
                t = members[j]
                if (crossed[s] and crossed[t]) or _apart(box, s, t) or _neighbours(triangles, s, t):
                    continue
                if _cross(points, triangles, s, t):
                    crossed[s] = True
                    crossed[t] = True
