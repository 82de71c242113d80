"""Exact questions to triangle meshes: nearest point, first triangle along a direction, layer thickness over bone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.kernels import distance as kernels
from kneeload.kernels.crossing import mark_crossings
from kneeload.subject.surface import TriangleMesh

FAR_MM = 1e6
"""Farther than any point of a knee, mm: an unlimited search."""
MINIMUM_THICKNESS_MM, MAXIMUM_THICKNESS_MM = 1.0, 10.0
"""Limits of a layer's thickness measured to the bone, mm, as in the released models (minimum 1-2, maximum 10-20; Smith 2019, OpenSim-JAM):
segmented rims sink into the bone, and a layer without thickness has no finite stiffness."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nearest:
    """Answer of `nearest_on_mesh`.

    Attributes:
        distance_mm: (q,) mm; infinity where nothing lies within reach.
        point_mm: (q, 3) mm, frame of the mesh; the nearest point.
        triangle: (q,) no unit; its triangle, -1 where nothing lies within reach.
        side: (q,) no unit; 1 in front of the mesh (outside), -1 behind it, 2 nearest to an open edge, 0 nothing found.
    """

    distance_mm: NDArray[np.float64]
    point_mm: NDArray[np.float64]
    triangle: NDArray[np.int64]
    side: NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeshIndex:
    """A mesh with its normals and its triangles sorted into cubic cells.

    Attributes:
        mesh: the mesh, mm.
        normals: (m, 7, 3) no unit; see `pseudonormals`.
        open_feature: (m, 7) bool; see `pseudonormals`.
        low_mm: (3,) mm; corner of the first cell.
        cell_mm: edge of a cell, mm.
        starts: (cx, cy, cz, 2) no unit; first and last + 1 place of each cell in `members`.
        members: (k,) no unit; triangle numbers by cell.
    """

    mesh: TriangleMesh
    normals: NDArray[np.float64]
    open_feature: NDArray[np.bool_]
    low_mm: NDArray[np.float64]
    cell_mm: float
    starts: NDArray[np.int64]
    members: NDArray[np.int64]


def edge_neighbours(triangles: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ((3m,) number of the undirected edge of each triangle side, (e,) sides per edge); sides are 01, 12, 20 by triangle."""
    sides = np.asarray(triangles, dtype=np.int64)[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    low, high = sides.min(axis=1), sides.max(axis=1)
    key = low * (int(sides.max(initial=0)) + 1) + high
    _, edge, count = np.unique(key, return_inverse=True, return_counts=True)
    return edge.reshape(-1), count


def is_closed(mesh: TriangleMesh) -> bool:
    """Whether every edge of the mesh belongs to exactly two triangles."""
    return bool(len(mesh.triangles)) and bool(np.all(edge_neighbours(mesh.triangles)[1] == 2))


def pseudonormals(mesh: TriangleMesh) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return normals of the three corners, three edges and the face of each triangle, and which of them lie on an open boundary.

    Corner normals are weighted by the angle at the corner, edge normals are the sum of the two faces
    (Baerentzen and Aanaes 2005, doi 10.1109/TVCG.2005.49).

    Returns:
        normals: (m, 7, 3) no unit, frame of the mesh (the face normal has length 1, the others do not).
        open_feature: (m, 7) bool.
    """
    corners = np.asarray(mesh.points, dtype=np.float64)[mesh.triangles]
    along = np.roll(corners, -1, axis=1) - corners  # sides 01, 12, 20
    face = np.cross(along[:, 0], -along[:, 2])
    face /= np.maximum(np.linalg.norm(face, axis=1, keepdims=True), 1e-300)
    unit = along / np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-300)
    angle = np.arccos(np.clip(-np.einsum("mki,mki->mk", unit, np.roll(unit, 1, axis=1)), -1.0, 1.0))
    at_point = np.zeros((len(mesh.points), 3))
    edge, count = edge_neighbours(mesh.triangles)
    at_edge = np.zeros((len(count), 3))
    weighted = angle[:, :, None] * face[:, None, :]
    for axis in range(3):
        at_point[:, axis] = np.bincount(mesh.triangles.ravel(), weighted[:, :, axis].ravel(), minlength=len(at_point))
        at_edge[:, axis] = np.bincount(edge, np.repeat(face[:, axis], 3), minlength=len(at_edge))
    open_edge = (count == 1)[edge].reshape(-1, 3)
    open_point = np.zeros(len(at_point), dtype=bool)
    open_point[mesh.triangles[open_edge]] = True
    open_point[np.roll(mesh.triangles, -1, axis=1)[open_edge]] = True
    normals = np.concatenate([at_point[mesh.triangles], at_edge[edge].reshape(-1, 3, 3), face[:, None, :]], axis=1)
    open_feature = np.concatenate([open_point[mesh.triangles], open_edge, np.zeros((len(face), 1), dtype=bool)], axis=1)
    return np.ascontiguousarray(normals), np.ascontiguousarray(open_feature)


def index_mesh(mesh: TriangleMesh) -> MeshIndex:
    """Prepare a mesh for many nearest-point questions."""
    normals, open_feature = pseudonormals(mesh)
    low, cell, starts, members = _cells(mesh.points[mesh.triangles])
    return MeshIndex(mesh=mesh, normals=normals, open_feature=open_feature, low_mm=low, cell_mm=cell, starts=starts, members=members)


def nearest_on_mesh(mesh: TriangleMesh | MeshIndex, points_mm: ArrayLike, *, reach_mm: float = FAR_MM) -> Nearest:
    """Return the exact nearest point of a mesh for each of (q, 3) points in mm, searched up to `reach_mm`."""
    index = mesh if isinstance(mesh, MeshIndex) else index_mesh(mesh)
    queries = np.ascontiguousarray(points_mm, dtype=np.float64).reshape(-1, 3)
    points, triangles, count = index.mesh.points, index.mesh.triangles, len(queries)
    distance, foot = np.empty(count), np.zeros((count, 3))
    nearest, side = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int8)
    span = 2.0 * float(np.max(np.ptp(np.vstack([queries, points]), axis=0))) if count else 0.0
    kernels.nearest_in_cells(queries, points, triangles, index.normals, index.open_feature, index.low_mm, index.cell_mm, index.starts,
                             index.members, min(float(reach_mm), span + index.cell_mm), distance, foot, nearest, side)
    return Nearest(distance_mm=distance, point_mm=foot, triangle=nearest, side=side)


def first_hit(
    mesh: TriangleMesh, points_mm: ArrayLike, direction: ArrayLike, *, reach_mm: float = FAR_MM
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return length (q,) in mm to the first triangle met from (q, 3) points along one direction (3,), and its number (q,).

    Infinity and -1 where nothing is met within `reach_mm`. Both faces of a triangle count.
    """
    z = np.asarray(direction, dtype=np.float64) / np.linalg.norm(direction)
    x = np.cross(z, np.eye(3)[int(np.argmin(np.abs(z)))])
    x /= np.linalg.norm(x)
    turn = np.stack([x, np.cross(z, x), z])
    points = np.ascontiguousarray(np.asarray(mesh.points, dtype=np.float64) @ turn.T)
    queries = np.ascontiguousarray(np.asarray(points_mm, dtype=np.float64).reshape(-1, 3) @ turn.T)
    low, cell, starts, members = _cells(points[mesh.triangles], layers=1)
    height, hit = np.empty(len(queries)), np.empty(len(queries), dtype=np.int64)
    kernels.first_above(queries, points, mesh.triangles, low, cell, starts, members, float(reach_mm), height, hit)
    return height, hit


def rays_to_mesh(
    mesh: TriangleMesh | MeshIndex, points_mm: ArrayLike, directions: ArrayLike, *, reach_mm: float = FAR_MM
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return length (q,) in mm to the first triangle met from (q, 3) points, each along its own direction (q, 3), and its number (q,).

    Infinity and -1 where nothing is met within `reach_mm` or the direction is zero. Both faces of a triangle count.
    """
    index = mesh if isinstance(mesh, MeshIndex) else index_mesh(mesh)
    queries = np.ascontiguousarray(points_mm, dtype=np.float64).reshape(-1, 3)
    along = np.asarray(directions, dtype=np.float64).reshape(-1, 3)
    size = np.linalg.norm(along, axis=1, keepdims=True)
    unit = np.ascontiguousarray(along / np.where(size > 0.0, size, np.nan))
    length, hit = np.empty(len(queries)), np.empty(len(queries), dtype=np.int64)
    kernels.first_along(queries, unit, index.mesh.points, index.mesh.triangles, index.low_mm, index.cell_mm, index.starts, index.members,
                        float(reach_mm), length, hit)
    return length, hit


def thickness_along_rays(mesh: TriangleMesh, bone: TriangleMesh | MeshIndex, *, minimum_mm: float = MINIMUM_THICKNESS_MM,
                         maximum_mm: float = MAXIMUM_THICKNESS_MM) -> NDArray[np.float64]:
    """Return the layer thickness (m,) in mm of a cartilage surface: rays from its triangles along their inward normals to the bone.

    A ray that meets no bone within `maximum_mm`, or meets it from behind (the triangle has sunk into the bone), says nothing: there it is
    the shortest distance, as in `thickness_to_bone`. Within the two limits.
    """
    index = bone if isinstance(bone, MeshIndex) else index_mesh(bone)
    length, hit = rays_to_mesh(index, mesh.centroids, -mesh.normals, reach_mm=maximum_mm)
    useful = (hit >= 0) & (np.einsum("mi,mi->m", mesh.normals, index.normals[hit, 6]) > 0.0)
    return np.clip(np.where(useful, length, thickness_to_bone(mesh, index)), minimum_mm, maximum_mm)


def thickness_to_bone(mesh: TriangleMesh, bone: TriangleMesh | MeshIndex, *, minimum_mm: float = MINIMUM_THICKNESS_MM,
                      maximum_mm: float = MAXIMUM_THICKNESS_MM) -> NDArray[np.float64]:
    """Return the layer thickness (m,) in mm of a cartilage surface: the distance of its triangles to the bone, within two limits."""
    return layer_thickness(nearest_on_mesh(bone, mesh.centroids), minimum_mm=minimum_mm, maximum_mm=maximum_mm)


def layer_thickness(to_bone: Nearest, *, minimum_mm: float = MINIMUM_THICKNESS_MM, maximum_mm: float = MAXIMUM_THICKNESS_MM) -> NDArray[np.float64]:
    """As `thickness_to_bone`, from the nearest points (m,) on the bone."""
    return np.clip(np.where(to_bone.side < 0, 0.0, to_bone.distance_mm), minimum_mm, maximum_mm)


def _cells(corners: NDArray[np.float64], layers: int | None = None) -> tuple[NDArray[np.float64], float, NDArray[np.int64], NDArray[np.int64]]:
    """Sort triangles, corners (m, 3, 3) mm, into cubic cells: (low corner, edge mm, starts (cx, cy, cz, 2), members)."""
    box_low, box_high = corners.min(axis=1), corners.max(axis=1)
    low = box_low.min(axis=0)
    span = box_high.max(axis=0) - low
    cell = float(max(np.median((box_high - box_low).max(axis=1)) * 2.5, span.max() / 120.0, 1e-6))
    first = np.floor((box_low - low) / cell).astype(np.int64)
    last = np.floor((box_high - low) / cell).astype(np.int64)
    if layers == 1:
        first[:, 2] = last[:, 2] = 0
    shape = last.max(axis=0) + 1
    extent = last - first + 1
    number = extent.prod(axis=1)
    owner = np.repeat(np.arange(len(corners)), number)
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(number) - number, number)
    offset = np.stack([rank // (extent[owner, 1] * extent[owner, 2]), rank // extent[owner, 2] % extent[owner, 1], rank % extent[owner, 2]], axis=1)
    flat = np.ravel_multi_index(tuple((first[owner] + offset).T), tuple(shape))
    order = np.argsort(flat, kind="stable")
    ends = np.cumsum(np.bincount(flat, minlength=int(shape.prod())))
    starts = np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1).reshape(*shape, 2)
    return low, cell, np.ascontiguousarray(starts), np.ascontiguousarray(owner[order])


def self_crossings(mesh: TriangleMesh) -> NDArray[np.bool_]:
    """Return which triangles (m,) cut through another triangle of the mesh with which they share no point."""
    corners = mesh.points[mesh.triangles]
    box = np.ascontiguousarray(np.stack([corners.min(axis=1), corners.max(axis=1)], axis=1))
    _, _, starts, members = _cells(corners)
    crossed = np.zeros(len(corners), dtype=bool)
    mark_crossings(mesh.points, mesh.triangles, box, starts.reshape(-1, 2), members, crossed)
    return crossed
