"""From triangle meshes to smooth level sets: exact signed distances on a grid, then a triquadratic B-spline through them.

`level_set_from_mesh` takes one closed mesh, `union_level_set` several overlapping ones (bone and the cartilage on it);
`evaluate` reads value and gradient.
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
from kneeload.subject.mesh_checks import check_closed, check_outwards
from kneeload.subject.proximity import FAR_MM, MeshIndex, edge_neighbours, index_mesh, is_closed, nearest_on_mesh, pseudonormals
from kneeload.subject.surface import TriangleMesh

Bounds = tuple[ArrayLike, ArrayLike]
_MAX_NODES = 40_000_000  # 320 MB of samples; a knee at 1.5 mm has 0.3 million
_WALL_MM = (0.05, 1.5)  # the wall round an open part ends just below the bone; a hidden second one goes on to this depth, so that
# points on the bone at the foot of the wall see its face and not its lower edge
_SLACK_MM = 0.5  # tolerance of that rule for points on the surfaces
_LAYER_SLACK = 1.5  # an open part fills the space behind it up to this multiple of its local distance to the closed parts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Grid:
    """Nodes at origin_mm (3,) + spacing_mm * (i, j, k), frame of the body."""

    origin_mm: NDArray[np.float64]
    spacing_mm: float
    shape: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sample:
    """Distance without sign (nx, ny, nz) in mm (the band width where farther), nearest triangle or -1, side code of the kernel."""

    distance_mm: NDArray[np.float64]
    nearest: NDArray[np.int32]
    side: NDArray[np.int8]


def level_set_from_mesh(
    mesh: TriangleMesh, thickness_mm: ArrayLike, *, spacing_mm: float = 1.5, band_mm: float = 6.0, bounds_mm: Bounds | None = None
) -> LevelSet:
    """Return the signed distance to a closed mesh as a smooth level set, positive outside.

    Args:
        mesh: closed, normals outwards, mm, frame of the body.
        thickness_mm: (m,) mm; layer thickness per triangle, stored at the nodes.
        spacing_mm: node distance, mm.
        band_mm: distances are exact up to it, mm; beyond it they are carried on by a first-order eikonal sweep up to twice the band.
        bounds_mm: corners (low, high) of the box, each (3,) mm, in which the level set is wanted; default the mesh and its band.

    Raises:
        InputError: the mesh is open (see `union_level_set`) or inside out, or the grid would be absurdly large.
    """
    check_closed(mesh, where="mesh")
    grid = _sampling_grid([mesh], spacing_mm, band_mm, bounds_mm)
    sample = _sample(mesh, grid, band_mm)
    return _smooth(sample, _filled(sample), np.asarray(thickness_mm, dtype=np.float64), grid, band_mm)


def union_level_set(
    meshes: Sequence[TriangleMesh],
    thickness_mm: Sequence[ArrayLike],
    *,
    spacing_mm: float = 1.5,
    band_mm: float = 6.0,
    bounds_mm: Bounds | None = None,
) -> tuple[LevelSet, TriangleMesh, NDArray[np.float64]]:
    """Return the level set of a union of meshes, its visible surface as one mesh, and that mesh's thickness (m,) in mm.

    A node is inside when it is inside any part; its distance is that to the visible surface, the triangles of a part that do not lie
    wholly inside another (so depths below cartilage count from the cartilage, not from the bone beneath). A part may be open (the
    outer face of cartilage) if another is closed: a wall is drawn from its edge down to the closed parts, and a node is inside it
    when it lies behind its nearest triangle and not much deeper than the closed parts are there.

    Args:
        meshes: parts, mm, all in the frame of the body, normals outwards; at least one closed.
        thickness_mm: per part (m,) mm; layer thickness per triangle.
        spacing_mm, band_mm, bounds_mm: as in `level_set_from_mesh`.

    Raises:
        InputError: no part is closed, a closed one is inside out, or the grid would be absurdly large.
    """
    closed = [is_closed(mesh) for mesh in meshes]
    if not any(closed):
        check_closed(meshes[0], where="mesh")
    for mesh, shut in zip(meshes, closed, strict=True):
        if shut:
            check_outwards(mesh, where="mesh")
    layers = [np.asarray(layer, dtype=np.float64) for layer in thickness_mm]
    solid = index_mesh(_merged([mesh for mesh, shut in zip(meshes, closed, strict=True) if shut]))
    parts, depths = list(meshes), [np.full(len(mesh.triangles), FAR_MM) for mesh in meshes]
    for index, shut in enumerate(closed):
        if not shut:
            parts[index], layers[index] = _with_wall(meshes[index], layers[index], solid)
            depths[index] = _LAYER_SLACK * nearest_on_mesh(solid, parts[index].centroids).distance_mm
    grid = _sampling_grid(parts, spacing_mm, band_mm, bounds_mm)
    inside = np.zeros(grid.shape, dtype=bool)
    for part, depth, shut in zip(parts, depths, closed, strict=True):
        sample = _sample(part, grid, min(band_mm, 2.0 * spacing_mm) if shut else band_mm)
        inside |= _filled(sample) if shut else (sample.side == -1) & (sample.distance_mm <= depth[sample.nearest] + spacing_mm)
    visible = [~_hidden(index, parts, depths) for index in range(len(parts))]
    surface = _merged([part.selected(seen) for part, seen in zip(parts, visible, strict=True)])
    thickness = np.concatenate([layer[seen] for layer, seen in zip(layers, visible, strict=True)])
    return _smooth(_sample(surface, grid, band_mm), inside, thickness, grid, band_mm), surface, thickness


def evaluate(level_set: LevelSet, points_mm: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return value (q,) in mm and gradient (q, 3) without unit of a level set at points (q, 3) in mm, frame of the body.

    Outside the grid the value is the band width and the gradient zero (far away is outside); a point that is not a number gives nan.
    """
    points = np.ascontiguousarray(points_mm, dtype=np.float64).reshape(-1, 3)
    value, gradient = np.empty(len(points)), np.empty((len(points), 3))
    read = (level_set.coefficients.view(), level_set.origin_mm.view(), points.view())
    for values in read:
        values.setflags(write=False)  # whether they were or not: the kernel is compiled once
    kernels.level_set_values(read[0], read[1], level_set.spacing_mm, level_set.band_mm, read[2], value, gradient)
    return value, gradient


def _sampling_grid(meshes: Sequence[TriangleMesh], spacing: float, band: float, bounds: Bounds | None) -> _Grid:
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
    return _Grid(origin_mm=np.ascontiguousarray(low, dtype=np.float64), spacing_mm=float(spacing), shape=(nx, ny, nz))


def _sample(mesh: TriangleMesh, grid: _Grid, band: float) -> _Sample:
    square = np.full(grid.shape, band * band)
    nearest, side = np.full(grid.shape, -1, dtype=np.int32), np.zeros(grid.shape, dtype=np.int8)
    kernels.splat(mesh.points, mesh.triangles, *pseudonormals(mesh), grid.origin_mm, grid.spacing_mm, float(band), square, nearest, side)
    return _Sample(distance_mm=np.sqrt(square), nearest=nearest, side=side)


def _filled(sample: _Sample) -> NDArray[np.bool_]:
    """Inside of a closed mesh, (nx, ny, nz): by the side near the surface; farther away a region takes the side that it touches."""
    side = sample.side
    far, count = ndimage.label(side == 0)
    votes = np.zeros(count + 1)
    for axis in range(3):
        ahead = tuple(slice(1, None) if a == axis else slice(None) for a in range(3))
        back = tuple(slice(None, -1) if a == axis else slice(None) for a in range(3))
        votes += np.bincount(far[ahead].ravel(), side[back].ravel(), minlength=count + 1)
        votes += np.bincount(far[back].ravel(), side[ahead].ravel(), minlength=count + 1)
    votes[0] = 1.0
    return (side == -1) | (votes < 0.0)[far]


def _hidden(index: int, parts: Sequence[TriangleMesh], depths: Sequence[NDArray[np.float64]]) -> NDArray[np.bool_]:
    """Triangles (m,) of one part whose three corners lie inside another part."""
    mesh = parts[index]
    hidden = np.zeros(len(mesh.triangles), dtype=bool)
    for other, (cover, depth) in enumerate(zip(parts, depths, strict=True)):
        if other != index:
            found = nearest_on_mesh(cover, mesh.points, reach_mm=min(FAR_MM, float(depth.max()) + _SLACK_MM))
            behind = (found.side == -1) & (found.distance_mm <= depth[found.triangle] + _SLACK_MM)
            hidden |= behind[mesh.triangles].all(axis=1)
    return hidden


def _with_wall(mesh: TriangleMesh, thickness: NDArray[np.float64], solid: MeshIndex) -> tuple[TriangleMesh, NDArray[np.float64]]:
    """An open part and its thickness with a wall from its edge to the nearest points of the closed parts and on into them."""
    edge, count = edge_neighbours(mesh.triangles)
    sides = mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    rim = np.flatnonzero((count == 1)[edge])
    corners, local = np.unique(sides[rim], return_inverse=True)
    found = nearest_on_mesh(solid, mesh.points[corners])
    foot = np.where((found.side == 1)[:, None], found.point_mm, mesh.points[corners])
    inwards = -solid.normals[found.triangle, 6]
    points, walls, top = [mesh.points], [np.asarray(mesh.triangles, dtype=np.int64)], np.asarray(sides[rim], dtype=np.int64)
    for tier, depth in enumerate(_WALL_MM):
        points.append(foot + depth * inwards)
        bottom = local.reshape(-1, 2) + len(mesh.points) + tier * len(corners)
        walls += [np.stack([top[:, 1], top[:, 0], bottom[:, 0]], axis=1), np.stack([top[:, 1], bottom[:, 0], bottom[:, 1]], axis=1)]
        top = bottom
    bigger = TriangleMesh(points=np.vstack(points), triangles=np.vstack(walls).astype(np.int32))
    return bigger, np.concatenate([thickness, np.tile(thickness[rim // 3], 2 * len(_WALL_MM))])


def _merged(meshes: Sequence[TriangleMesh]) -> TriangleMesh:
    shift = np.cumsum([0] + [len(mesh.points) for mesh in meshes[:-1]])
    return TriangleMesh(points=np.vstack([mesh.points for mesh in meshes]),
                        triangles=np.vstack([mesh.triangles + first for mesh, first in zip(meshes, shift, strict=True)]))


def _smooth(sample: _Sample, inside: NDArray[np.bool_], thickness: NDArray[np.float64], grid: _Grid, band: float) -> LevelSet:
    distance, known = sample.distance_mm.copy(), sample.nearest >= 0
    distance[~known] = FAR_MM
    kernels.extend(distance, known, grid.spacing_mm, 1)
    np.minimum(distance, 2.0 * band, out=distance)
    phi = np.where(inside, -distance, distance)
    coefficients = np.ascontiguousarray(ndimage.spline_filter(phi, order=2, output=np.float64, mode="mirror"))
    layer = np.where(known, thickness[sample.nearest], 0.0).astype(np.float32)
    for array in (coefficients, grid.origin_mm, layer, sample.nearest):
        array.setflags(write=False)
    return LevelSet(coefficients=coefficients, origin_mm=grid.origin_mm, spacing_mm=grid.spacing_mm, thickness_mm=layer,
                    nearest_triangle=sample.nearest, band_mm=float(band))
