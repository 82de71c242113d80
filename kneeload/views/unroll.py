"""Unrolling a curved sheet into the plane, lengths kept as well as they can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 30  # local and global steps; lengths change by less than 0.001 mm after about 15 on plateaus and kneecaps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unrolled:
    """A sheet in the plane.

    Attributes:
        points: (n, 2) mm, in the plane of the view (x to the right, y up), turned and shifted to lie as near to the seen points as can be.
        triangles: (m, 3) no unit; corner numbers.
        length_error: no unit; mean of |length in the plane / length on the surface - 1| over the edges.
        area_error: no unit; |area in the plane / area on the surface - 1| of the whole sheet.
    """

    points: NDArray[np.float64]
    triangles: NDArray[np.int32]
    length_error: float
    area_error: float


def unroll(points: NDArray[np.float64], triangles: NDArray[np.int32]) -> Unrolled:
    """Flatten a sheet with as little stretch as possible: the as-rigid-as-possible map, from its view along z as the start.

    Each round finds the rotation that fits each triangle best, then the points that fit all rotations best, with weights by the cotangents of
    the angles (Liu et al. 2008, A local/global approach to mesh parameterization, doi 10.1111/j.1467-8659.2008.01290.x). A sheet that can be
    flattened without stretch, such as a bent card, keeps all its lengths.

    Args:
        points: (n, 3) mm, frame of the view, z to the viewer.
        triangles: (m, 3) no unit; corner numbers.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import splu

    used, corners = np.unique(triangles, return_inverse=True)
    corners = corners.reshape(-1, 3)
    solid = points[used]
    flat, weight = _own_planes(solid, corners)
    i, j = corners[:, [0, 1, 2]].ravel(), corners[:, [1, 2, 0]].ravel()
    w, edges = weight.ravel(), (flat[:, [0, 1, 2]] - flat[:, [1, 2, 0]]).reshape(-1, 2)
    count = len(solid)
    laplace = coo_matrix((np.concatenate([w, w, -w, -w]), (np.concatenate([i, j, i, j]), np.concatenate([i, j, j, i]))), shape=(count, count)).tocsc()
    solver = splu(laplace + coo_matrix((1e-9 * np.ones(count), (range(count), range(count))), shape=(count, count)).tocsc())
    plane = solid[:, :2].copy()
    for _ in range(_ROUNDS):
        seen = (plane[i] - plane[j]).reshape(-1, 3, 2)
        own = edges.reshape(-1, 3, 2)
        dot = np.einsum("te,tek,tek->t", weight, seen, own)
        cross = np.einsum("te,te->t", weight, own[:, :, 0] * seen[:, :, 1] - own[:, :, 1] * seen[:, :, 0])
        angle = np.repeat(np.arctan2(cross, dot), 3)
        turned = np.stack([np.cos(angle) * edges[:, 0] - np.sin(angle) * edges[:, 1], np.sin(angle) * edges[:, 0] + np.cos(angle) * edges[:, 1]], axis=1)
        pull = np.stack([np.bincount(i, w * turned[:, axis], count) - np.bincount(j, w * turned[:, axis], count) for axis in (0, 1)], axis=1)
        plane = solver.solve(pull)
    plane = _laid_over(plane, solid[:, :2])
    whole = points[:, :2].copy()
    whole[used] = plane
    return Unrolled(points=whole, triangles=triangles, length_error=_length_error(plane, solid, i, j), area_error=abs(_area(plane, corners) / _area(solid, corners) - 1.0))


def _own_planes(points: NDArray[np.float64], corners: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each triangle in its own plane, (m, 3, 2) mm, and half the cotangent of the angle opposite to each edge 01, 12, 20, (m, 3), kept above zero."""
    a, b, c = (points[corners[:, k]] for k in range(3))
    along, far = b - a, c - a
    length = np.linalg.norm(along, axis=1)
    x = np.einsum("ij,ij->i", far, along) / length
    y = np.linalg.norm(np.cross(along, far), axis=1) / length
    flat = np.stack([np.zeros((len(a), 2)), np.stack([length, np.zeros(len(a))], axis=1), np.stack([x, y], axis=1)], axis=1)
    weight = np.empty((len(a), 3))
    for edge, (p, q, o) in enumerate(((0, 1, 2), (1, 2, 0), (2, 0, 1))):
        u, v = flat[:, p] - flat[:, o], flat[:, q] - flat[:, o]
        weight[:, edge] = 0.5 * np.einsum("ij,ij->i", u, v) / np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    return flat, np.clip(weight, 1e-3, None)


def _laid_over(plane: NDArray[np.float64], onto: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, 2) mm turned and shifted, not stretched, to lie as near as can be to others (n, 2) mm (Kabsch 1976)."""
    middle, centre = plane.mean(axis=0), onto.mean(axis=0)
    u, _, v = np.linalg.svd((plane - middle).T @ (onto - centre))
    turn = u @ np.diag([1.0, np.sign(np.linalg.det(u @ v))]) @ v
    return (plane - middle) @ turn + centre


def _length_error(plane: NDArray[np.float64], solid: NDArray[np.float64], i: NDArray[np.intp], j: NDArray[np.intp]) -> float:
    before = np.linalg.norm(solid[i] - solid[j], axis=1)
    return float(np.abs(np.linalg.norm(plane[i] - plane[j], axis=1) / before - 1.0).mean())


def _area(points: NDArray[np.float64], corners: NDArray[np.intp]) -> float:
    a, b = points[corners[:, 1]] - points[corners[:, 0]], points[corners[:, 2]] - points[corners[:, 0]]
    if points.shape[1] == 2:
        return float(0.5 * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum())
    return float(0.5 * np.linalg.norm(np.cross(a, b), axis=1).sum())


def edge_loops(triangles: NDArray[np.int32]) -> list[NDArray[np.intp]]:
    """Closed outlines of a sheet: for each loop the numbers of its points in order, the first again at the end; longest loop first."""
    directed = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    known = {(int(a), int(b)) for a, b in directed}
    after = {a: b for a, b in known if (b, a) not in known}
    loops = []
    while after:
        start, at = next(iter(after.items()))
        loop = [start]
        while at != start and at in after:
            loop.append(at)
            at = after.pop(at)
        after.pop(start, None)
        loops.append(np.array([*loop, start], dtype=np.intp))
    return sorted(loops, key=len, reverse=True)


def region_borders(points: NDArray[np.float64], triangles: NDArray[np.int32], region: NDArray[np.int8]) -> list[NDArray[np.float64]]:
    """Values at the points, (n,) no unit, one array per border between regions: the border is where the value passes one half.

    A value is the share of the area around a point that belongs to regions of higher numbers, so that the border runs through the corners of the triangles' steps.
    """
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    area = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])

    def around(value: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.sum([np.bincount(triangles[:, corner], value, len(points)) for corner in range(3)], axis=0)

    whole = around(area)
    return [around(area * (region > number)) / np.where(whole > 0.0, whole, 1.0) for number in np.unique(region)[:-1]]
