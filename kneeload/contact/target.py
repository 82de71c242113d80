"""A level set for any target surface, open or closed."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from kneeload.errors import InputError
from kneeload.subject.distance import level_set_from_mesh
from kneeload.subject.level_set import LevelSet
from kneeload.subject.proximity import is_closed, nearest_on_mesh
from kneeload.subject.surface import ArticularSurface, TriangleMesh

BAND_MM = 6.0  # distances are exact up to here; cartilage and meniscus together are thinner than twice that
_MOST_NODES = 20_000_000
_FAR_BEHIND_MM = 20.0  # deeper than half a condyle: whatever is farther behind a sheet is another place, not an overlap
_OPPOSITE = -0.2  # cosine between the normals of two triangles that face each other, as in `kneeload.kernels.pose_stress`


@lru_cache(maxsize=8)
def level_set_of(surface: ArticularSurface, spacing_mm: float, band_mm: float = BAND_MM) -> LevelSet:
    """Return the level set of a surface, positive on the side of its normals; kept for the last few surfaces (by identity).

    A closed mesh is the boundary of a solid. An open one (a sheet of cartilage) is the top of a solid whose side walls stand
    below its rim: beyond the rim the distance is positive, so nothing touches the continuation of the sheet.

    Raises:
        InputError: no triangles, or a grid of absurd size.
    """
    mesh = surface.mesh
    if len(mesh.triangles) == 0:
        raise InputError("target surface", where=surface.name, got="no triangles", allowed="a mesh with triangles", why="there is nothing to touch")
    if is_closed(mesh):
        return level_set_from_mesh(mesh, surface.thickness_mm, spacing_mm=spacing_mm, band_mm=band_mm)
    pad = band_mm + 2.0 * spacing_mm
    low = mesh.points.min(axis=0) - pad
    shape = np.ceil((mesh.points.max(axis=0) + pad - low) / spacing_mm).astype(int) + 1
    if np.prod(shape.astype(float)) > _MOST_NODES:
        raise InputError("target surface", where=surface.name, got=f"a grid of {tuple(shape)} nodes", allowed=f"at most {_MOST_NODES} nodes",
                         why="the mesh is too large for this spacing; is its length unit right?")
    nodes = np.stack(np.meshgrid(*(low[a] + spacing_mm * np.arange(shape[a]) for a in range(3)), indexing="ij"), axis=-1).reshape(-1, 3)
    corner = mesh.points[mesh.triangles]
    largest = float(np.linalg.norm(corner - corner.mean(axis=1, keepdims=True), axis=2).max())
    close = np.flatnonzero(cKDTree(mesh.centroids).query(nodes, distance_upper_bound=band_mm + largest)[0] < np.inf)
    found = nearest_on_mesh(mesh, nodes[close], reach_mm=band_mm)
    known = found.triangle >= 0
    close, triangle = close[known], found.triangle[known]
    height = np.einsum("ij,ij->i", nodes[close] - found.point_mm[known], mesh.normals[triangle])
    distance, side = found.distance_mm[known], found.side[known]
    beside = np.sqrt(np.maximum(distance**2 - height**2, 0.0))
    phi = np.full(len(nodes), band_mm)
    phi[close] = np.where(side == 2, np.where(height >= 0.0, distance, beside), side * distance)
    nearest, thickness = np.full(len(nodes), -1, np.int32), np.zeros(len(nodes), np.float32)
    nearest[close], thickness[close] = triangle, surface.thickness_mm[triangle]
    field = phi.reshape(shape)
    for axis in range(3):
        field = ndimage.spline_filter1d(field, 2, axis=axis, mode="mirror")
    return LevelSet(coefficients=np.ascontiguousarray(field), origin_mm=low, spacing_mm=spacing_mm, thickness_mm=thickness.reshape(shape),
                    nearest_triangle=nearest.reshape(shape), band_mm=band_mm)


def lies_behind(casting: TriangleMesh, target: ArticularSurface, pose: NDArray[np.float64]) -> bool:
    """Whether triangles of the casting surface face the target from behind it, more than a level set of a sheet can see (pose (4, 4), mm)."""
    found = nearest_on_mesh(target.mesh, casting.centroids @ pose[:3, :3].T + pose[:3, 3], reach_mm=_FAR_BEHIND_MM)
    behind = np.flatnonzero((found.side == -1) & (found.triangle >= 0))
    facing = np.einsum("ij,ij->i", casting.normals[behind] @ pose[:3, :3].T, target.normals[found.triangle[behind]])
    return bool(np.any(facing < _OPPOSITE))
