"""From triangle meshes to smooth level sets, and exact distances between meshes.

`level_set_from_mesh` samples the exact signed distance at the nodes of a grid and turns the samples into the coefficients of a
triquadratic B-spline; `union_level_set` does so for several overlapping meshes; `evaluate` reads value and gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from kneeload.errors import InputError
from kneeload.kernels import distance as kernels
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import TriangleMesh

Bounds = tuple[ArrayLike, ArrayLike]
_FAR_MM = 1e6  # farther than any point of a knee: "unlimited" in searches
_MAX_NODES = 40_000_000  # 320 MB of samples; a knee at 1.5 mm has 0.3 million


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


def edge_neighbours(triangles: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return ((3m,) number of the undirected edge of each triangle side, (e,) sides per edge); sides are 01, 12, 20 by triangle."""
    sides = np.asarray(triangles, dtype=np.int64)[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    low, high = sides.min(axis=1), sides.max(axis=1)
    key = low * (int(sides.max(initial=0)) + 1) + high
    _, edge, count = np.unique(key, return_inverse=True, return_counts=True)
    return edge.reshape(-1), count


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


def level_set_from_mesh(
    mesh: TriangleMesh, thickness_mm: NDArray[np.float64], *, spacing_mm: float = 1.5, band_mm: float = 6.0, bounds_mm: Bounds | None = None
) -> LevelSet:
    """Return the signed distance to a closed mesh as a smooth level set, positive outside.

    Args:
        mesh: closed, normals outwards, mm, frame of the body.
        thickness_mm: (m,) mm; layer thickness per triangle, stored at the nodes.
        spacing_mm: node distance, mm.
        band_mm: distances are exact up to it and held at it beyond, mm.
        bounds_mm: corners (low, high) of the box, each (3,) mm, in which the level set is wanted; default the mesh and its band.

    Raises:
        InputError: the mesh is open (see `union_level_set`) or the grid would be absurdly large.
    """
    return union_level_set([mesh], [thickness_mm], spacing_mm=spacing_mm, band_mm=band_mm, bounds_mm=bounds_mm)[0]


def union_level_set(
    meshes: Sequence[TriangleMesh],
    thickness_mm: Sequence[NDArray[np.float64]],
    *,
    spacing_mm: float = 1.5,
    band_mm: float = 6.0,
    bounds_mm: Bounds | None = None,
) -> tuple[LevelSet, TriangleMesh, NDArray[np.float64]]:
    """Return the level set of a union of meshes, its visible surface as one mesh, and that mesh's thickness (m,) in mm.

    A node is inside when it is inside any part; the distance is that to the visible surface, which is the triangles of a part that
    do not lie wholly inside another (so depths below cartilage are counted from the cartilage, not from the bone beneath).
    A part may be open (the outer face of cartilage) if another is closed: a node is inside it when it is behind its nearest
    triangle; where its nearest feature is an open edge the other parts decide.

    Args:
        meshes: parts, mm, all in the frame of the body, normals outwards; at least one closed.
        thickness_mm: per part (m,) mm; layer thickness per triangle.
        spacing_mm, band_mm, bounds_mm: as in `level_set_from_mesh`.

    Raises:
        InputError: no part is closed, or the grid would be absurdly large.
    """
    closed = [bool(np.all(edge_neighbours(mesh.triangles)[1] == 2)) for mesh in meshes]
    if not any(closed):
        raise InputError("target surface", where="mesh", got="an open surface", allowed="closed, or open with a closed bone behind it",
                         why="without a closed surface there is no inside, so no depth")
    origin, shape = _grid(meshes, spacing_mm, band_mm, bounds_mm)
    inside = np.zeros(shape, dtype=bool)
    features = [pseudonormals(mesh) for mesh in meshes]
    sampled = [_splat(mesh, feature, origin, shape, spacing_mm, band_mm) for mesh, feature in zip(meshes, features, strict=True)]
    for (square, _, side), is_closed in zip(sampled, closed, strict=True):
        inside |= _inside(square, side, band_mm, is_closed)
    surface, thickness = meshes[0], np.asarray(thickness_mm[0], dtype=np.float64)
    square, nearest, _ = sampled[0]
    if len(meshes) > 1:
        surface, thickness = _visible(meshes, thickness_mm, closed, band_mm)
        square, nearest, _ = _splat(surface, pseudonormals(surface), origin, shape, spacing_mm, band_mm)
    phi = np.where(inside, -1.0, 1.0) * np.sqrt(square)
    return _as_level_set(phi, nearest, thickness, origin, spacing_mm, band_mm), surface, thickness


def evaluate(level_set: LevelSet, points_mm: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return value (q,) in mm and gradient (q, 3) without unit of a level set at points (q, 3) in mm, frame of the body.

    Outside the grid the value is the band width and the gradient zero (far away is outside); a point that is not a number gives nan.
    """
    points = np.ascontiguousarray(points_mm, dtype=np.float64).reshape(-1, 3)
    value, gradient = np.empty(len(points)), np.empty((len(points), 3))
    kernels.level_set_values(level_set.coefficients, level_set.origin_mm, level_set.spacing_mm, level_set.band_mm, points, value, gradient)
    return value, gradient


def nearest_on_mesh(mesh: TriangleMesh, points_mm: ArrayLike, *, reach_mm: float = _FAR_MM) -> Nearest:
    """Return the exact nearest point of a mesh for each of (q, 3) points in mm, searched up to `reach_mm`."""
    queries = np.ascontiguousarray(points_mm, dtype=np.float64).reshape(-1, 3)
    points = np.ascontiguousarray(mesh.points, dtype=np.float64)
    normals, open_feature = pseudonormals(mesh)
    low, cell, starts, members = _cells(points[mesh.triangles])
    count = len(queries)
    distance, foot = np.empty(count), np.zeros((count, 3))
    nearest, side = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int8)
    span = float(np.max(np.ptp(np.vstack([queries, points]), axis=0))) * 2.0 if count else 0.0
    kernels.nearest_in_cells(queries, points, mesh.triangles, normals, open_feature, low, cell, starts, members,
                             min(float(reach_mm), span + cell), distance, foot, nearest, side)
    return Nearest(distance_mm=distance, point_mm=foot, triangle=nearest, side=side)


def first_hit(
    mesh: TriangleMesh, points_mm: ArrayLike, direction: ArrayLike, *, reach_mm: float = _FAR_MM
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


def thickness_to_bone(
    mesh: TriangleMesh, bone: TriangleMesh, *, minimum_mm: float = 1.0, maximum_mm: float = 10.0
) -> NDArray[np.float64]:
    """Return the layer thickness (m,) in mm of a cartilage surface as the distance of its triangles to the bone, within two limits.

    The limits are those of the released models of this kind (minimum 1-2 mm, maximum 10-20 mm; Smith 2019, OpenSim-JAM):
    segmented rims sink into the bone, and a layer without thickness has no finite stiffness.
    """
    found = nearest_on_mesh(bone, mesh.points[mesh.triangles].mean(axis=1))
    distance = np.where(found.side < 0, 0.0, found.distance_mm)
    return np.clip(distance, minimum_mm, maximum_mm)


def _grid(meshes: Sequence[TriangleMesh], spacing: float, band: float, bounds: Bounds | None) -> tuple[NDArray[np.float64], tuple[int, int, int]]:
    margin = band + 2.0 * spacing
    low = np.min([mesh.points.min(axis=0) for mesh in meshes], axis=0) - margin
    high = np.max([mesh.points.max(axis=0) for mesh in meshes], axis=0) + margin
    if bounds is not None:
        low = np.maximum(low, np.asarray(bounds[0], dtype=np.float64) - 2.0 * spacing)
        high = np.minimum(high, np.asarray(bounds[1], dtype=np.float64) + 2.0 * spacing)
    nx, ny, nz = (max(4, int(n)) for n in np.ceil((high - low) / spacing) + 1)
    if nx * ny * nz > _MAX_NODES:
        raise InputError("level set", where="spacing_mm", got=f"{nx} x {ny} x {nz} nodes", allowed=f"at most {_MAX_NODES} nodes",
                         why="the mesh is far larger than a knee or the spacing far too small")
    return np.ascontiguousarray(low, dtype=np.float64), (nx, ny, nz)


def _splat(mesh: TriangleMesh, feature: tuple[NDArray[np.float64], NDArray[np.bool_]], origin: NDArray[np.float64],
           shape: tuple[int, int, int], spacing: float, band: float) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int8]]:
    square = np.full(shape, band * band)
    nearest, side = np.full(shape, -1, dtype=np.int32), np.zeros(shape, dtype=np.int8)
    points = np.ascontiguousarray(mesh.points, dtype=np.float64)
    kernels.splat(points, np.ascontiguousarray(mesh.triangles), *feature, origin, float(spacing), float(band), square, nearest, side)
    return square, nearest, side


def _inside(square: NDArray[np.float64], side: NDArray[np.int8], band: float, is_closed: bool) -> NDArray[np.bool_]:
    """Inside of one part: by the side within the band; beyond it a closed part is filled by the side of the touching nodes."""
    inside = side == -1
    if not is_closed:
        return inside
    far, count = ndimage.label(side == 0)
    votes = np.zeros(count + 1)
    for axis in range(3):
        ahead = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        back = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        votes += np.bincount(far[ahead].ravel(), side[back].ravel(), minlength=count + 1)
        votes += np.bincount(far[back].ravel(), side[ahead].ravel(), minlength=count + 1)
    votes[0] = 1.0
    return inside | (votes < 0.0)[far]


def _visible(meshes: Sequence[TriangleMesh], thickness: Sequence[NDArray[np.float64]], closed: Sequence[bool],
             band: float) -> tuple[TriangleMesh, NDArray[np.float64]]:
    """The triangles that do not lie wholly inside another part, as one mesh, with their thickness (m,) in mm."""
    points, triangles, layers, shift = [], [], [], 0
    for index, mesh in enumerate(meshes):
        hidden = np.zeros(len(mesh.triangles), dtype=bool)
        for other, cover in enumerate(meshes):
            if other != index:
                reach = _FAR_MM if closed[other] else band
                behind = nearest_on_mesh(cover, mesh.points, reach_mm=reach).side == -1
                hidden |= behind[mesh.triangles].all(axis=1)
        kept = mesh.triangles[~hidden]
        used, local = np.unique(kept, return_inverse=True)
        points.append(np.asarray(mesh.points, dtype=np.float64)[used])
        triangles.append(local.reshape(-1, 3) + shift)
        layers.append(np.asarray(thickness[index], dtype=np.float64)[~hidden])
        shift += len(used)
    merged, layer = np.vstack(points), np.concatenate(layers)
    faces = np.vstack(triangles).astype(np.int32)
    for array in (merged, faces, layer):
        array.setflags(write=False)
    return TriangleMesh(points=merged, triangles=faces), layer


def _as_level_set(phi: NDArray[np.float64], nearest: NDArray[np.int32], thickness: NDArray[np.float64], origin: NDArray[np.float64],
                  spacing: float, band: float) -> LevelSet:
    coefficients = np.ascontiguousarray(ndimage.spline_filter(phi, order=2, output=np.float64, mode="mirror"))
    layer = np.where(nearest >= 0, thickness[nearest], 0.0).astype(np.float32)
    for array in (coefficients, origin, layer, nearest):
        array.setflags(write=False)
    return LevelSet(coefficients=coefficients, origin_mm=origin, spacing_mm=float(spacing), thickness_mm=layer,
                    nearest_triangle=nearest, band_mm=float(band))


def _cells(corners: NDArray[np.float64], layers: int | None = None) -> tuple[NDArray[np.float64], float, NDArray[np.int64], NDArray[np.int64]]:
    """Sort triangles, corners (m, 3, 3) mm, into cubic cells: (low corner, edge mm, starts (cx, cy, cz, 2), members)."""
    box_low, box_high = corners.min(axis=1), corners.max(axis=1)
    low = box_low.min(axis=0)
    span = box_high.max(axis=0) - low
    cell = float(max(np.median((box_high - box_low).max(axis=1)) * 1.5, span.max() / 120.0, 1e-6))
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
