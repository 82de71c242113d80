"""Where load enters each bone, and the points at which each region feels it: patches, sample points, and the way from fields to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.surface import ArticularSurface, TriangleMesh

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facets:
    """Triangles as points with a direction and a size, frame of the body.

    Attributes:
        centres: (m, 3) mm.
        normals: (m, 3) no unit; outward unit vectors.
        areas: (m,) mm2.
    """

    centres: Array
    normals: Array
    areas: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Surface points that stand for regions, frame of the bone.

    Attributes:
        region: (n,) no unit; index into MOAKS_REGIONS, sorted.
        points, normals: (n, 3) mm / no unit; outward normals.
        areas: (n,) mm2; area that each point stands for (0 for points on a border, which serve to find peaks).
    """

    region: NDArray[np.int64]
    points: Array
    normals: Array
    areas: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """How the force on receiving triangles reaches the patches of a bone: triangle i feeds patch[start[i]:start[i+1]] with `share`.

    Attributes:
        region: (k,) no unit; region of each receiving triangle, -1 for none.
        start: (k + 1,) no unit.
        patch: (e,) no unit; patch number.
        share: (e,) no unit; part of the triangle's force.
    """

    region: NDArray[np.int64]
    start: NDArray[np.int64]
    patch: NDArray[np.int64]
    share: Array


def facets(mesh: TriangleMesh) -> Facets:
    """Return centres, normals and areas of the triangles of `mesh`; a triangle without area has a zero normal."""
    return Facets(centres=mesh.centroids, normals=np.nan_to_num(mesh.normals), areas=mesh.areas)


def join_facets(parts: list[Facets]) -> Facets:
    """Return one set of facets from several, in their order."""
    return Facets(centres=np.concatenate([p.centres for p in parts]), normals=np.concatenate([p.normals for p in parts]),
                  areas=np.concatenate([p.areas for p in parts]))


def cluster(shape: Facets, size_mm: float) -> NDArray[np.int64]:
    """Return (m,) patch numbers 0..P-1: triangles of one cube of side `size_mm` whose normals point into the same octant."""
    cell = np.floor((shape.centres - shape.centres.min(axis=0, initial=0.0)) / size_mm).astype(np.int64)
    octant = (shape.normals >= 0.0) @ np.array([1, 2, 4])
    span = cell.max(axis=0, initial=0) + 1
    key = ((cell[:, 0] * span[1] + cell[:, 1]) * span[2] + cell[:, 2]) * 8 + octant
    return np.unique(key, return_inverse=True)[1]


def merge(shape: Facets, patch: NDArray[np.int64]) -> Facets:
    """Return the patches that `patch` (m,) makes of `shape`: area-weighted centres, unit mean normals, total areas."""
    count = int(patch.max(initial=-1)) + 1
    areas: Array = np.bincount(patch, shape.areas, count).astype(np.float64)
    weight = np.where(areas > 0.0, areas, 1.0)[:, None]
    centres = np.stack([np.bincount(patch, shape.areas * shape.centres[:, k], count) for k in range(3)], axis=1) / weight
    normals = np.stack([np.bincount(patch, shape.areas * shape.normals[:, k], count) for k in range(3)], axis=1)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return Facets(centres=centres, normals=normals / np.where(length > 0.0, length, 1.0), areas=areas)


def articular_patches(shape: Facets, region: NDArray[np.int8], size_mm: float) -> tuple[NDArray[np.int64], Facets]:
    """Return the patch (m,) that each triangle feeds, and the patches, which lie on the triangles that have a region.

    A triangle outside all regions (bone beside the cartilage of a closed mesh) feeds the patch of the nearest triangle that has one
    (to within half of the distance).
    """
    from scipy.spatial import cKDTree

    labelled = np.flatnonzero(region >= 0)
    if not labelled.size:
        labelled = np.arange(region.shape[0])
    inside = _pick(shape, labelled)
    number = cluster(inside, size_mm)
    patch = np.empty(region.shape[0], np.int64)
    patch[labelled] = number
    others = np.setdiff1d(np.arange(region.shape[0]), labelled, assume_unique=True)
    if others.size:
        patch[others] = number[cKDTree(inside.centres).query(shape.centres[others], eps=0.5)[1]]
    return patch, merge(inside, number)


def _region_points(shape: Facets, most: int) -> Facets:
    """Return at most `most` patches that cover `shape`."""
    size = np.sqrt(shape.areas.sum() / most) + 1e-9
    patches = merge(shape, cluster(shape, size))
    while patches.areas.shape[0] > most:
        size *= 1.12
        patches = merge(shape, cluster(shape, size))
    return patches


def border(mesh: TriangleMesh, region: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return (m,) True for triangles that share a point with a triangle of another region."""
    low, high = np.full(mesh.points.shape[0], 127, np.int8), np.full(mesh.points.shape[0], -1, np.int8)
    for k in range(3):
        np.minimum.at(low, mesh.triangles[:, k], region)
        np.maximum.at(high, mesh.triangles[:, k], region)
    return (region >= 0) & (low[mesh.triangles] != high[mesh.triangles]).any(axis=1)


def _pick(shape: Facets, chosen: NDArray) -> Facets:
    return Facets(centres=shape.centres[chosen], normals=shape.normals[chosen], areas=shape.areas[chosen])


def _covering(shape: Facets, region: NDArray[np.int8], edge: NDArray[np.bool_], number: int, most: int) -> Facets:
    """Return the points of one region: three quarters of `most` cover its area, one quarter lies along its borders and stands for no area.

    A region beside a more loaded one has its peak on the border, which points inside would miss.
    """
    inside = _region_points(_pick(shape, region == number), most - most // 4)
    along = (region == number) & edge
    if most < 4 or not along.any():
        return inside
    line = _region_points(_pick(shape, along), most // 4)
    return join_facets([inside, Facets(centres=line.centres, normals=line.normals, areas=np.zeros_like(line.areas))])


def region_samples(shape: Facets, region: NDArray[np.int8], edge: NDArray[np.bool_], most: int,
                   extra: tuple[int, Facets] | None = None) -> Samples:
    """Return sample points of every region that occurs in `region` (m,), at most `most` per region, and of `extra` (region, points).

    `edge` (m,) marks the triangles at the border between regions.
    """
    parts = {int(r): _covering(shape, region, edge, int(r), most) for r in np.unique(region[region >= 0])}
    if extra is not None:
        parts.setdefault(extra[0], extra[1])
    parts = {r: p for r, p in sorted(parts.items()) if p.areas.sum() > 0.0}
    if not parts:
        empty = np.zeros((0, 3))
        return Samples(region=np.zeros(0, np.int64), points=empty, normals=empty, areas=np.zeros(0))
    joined = join_facets(list(parts.values()))
    number = np.repeat(list(parts), [p.areas.shape[0] for p in parts.values()])
    return Samples(region=number, points=joined.centres, normals=joined.normals, areas=joined.areas)


def direct_route(region: NDArray[np.int8], patch: NDArray[np.int64]) -> Route:
    """Return the route of triangles that each feed one patch (m,) with their whole force."""
    count = patch.shape[0]
    return Route(region=region.astype(np.int64), start=np.arange(count + 1), patch=patch.astype(np.int64), share=np.ones(count))


def spread_route(meniscus: ArticularSurface, shape: Facets, plateau: Facets, plateau_region: NDArray[np.int8], patches: Facets,
                 allowed: NDArray[np.int64]) -> Route:
    """Return the route of the force on a meniscus to the tibial plateau below it.

    The horns and the hoop carry what is parallel to the plateau; the part along the plateau's normal passes down. It spreads as a
    Gaussian bell with a standard deviation of half of the wedge height (a load cone of about 45 degrees, assumption) over the patches
    whose lateral distance is within two deviations, weighted by their area, or goes to the nearest patch where there is none.
    `allowed` are the patches of this plateau. A triangle without a region of its own takes that of the nearest plateau triangle.
    """
    from scipy.spatial import cKDTree

    count = shape.areas.shape[0]
    normals, centres, areas = patches.normals[allowed], patches.centres[allowed], patches.areas[allowed]
    rows, columns, shares = [], [], []
    region = meniscus.region.astype(np.int64)
    bare = np.flatnonzero(region < 0)
    region[bare] = plateau_region[cKDTree(plateau.centres).query(shape.centres[bare])[1]]
    for first in range(0, count, 512):
        rows_here = np.arange(first, min(first + 512, count))
        square = _squares(shape.centres[rows_here], centres)
        near = square.argmin(axis=1)
        down = np.maximum(np.einsum("ij,ij->i", shape.normals[rows_here], normals[near]), 0.0)
        height = np.einsum("ij,ij->i", shape.centres[rows_here] - centres[near], normals[near])
        variance = (0.5 * np.maximum(meniscus.thickness_mm[rows_here], 0.5)) ** 2
        lateral = np.maximum(square - (height**2)[:, None], 0.0)
        weight = np.where(lateral < 4.0 * variance[:, None], areas * np.exp(-0.5 * lateral / variance[:, None]), 0.0)
        alone = weight.sum(axis=1) <= 0.0
        weight[alone, near[alone]] = 1.0
        weight *= (down / weight.sum(axis=1))[:, None]
        row, column = np.nonzero(weight)
        rows.append(row + first)
        columns.append(allowed[column])
        shares.append(weight[row, column])
    row = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=count))]).astype(np.int64)
    return Route(region=region, start=start, patch=np.concatenate(columns) if columns else np.zeros(0, np.int64),
                 share=np.concatenate(shares) if shares else np.zeros(0))


def _squares(a: Array, b: Array) -> Array:
    """Squared distances (n, p) mm2 between a (n, 3) and b (p, 3)."""
    return np.maximum((a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2.0 * a @ b.T, 0.0)


def subspinous_strip(medial: Facets, lateral: Facets, *, along: int = 8, across: int = 5) -> Facets | None:
    """Return points of the strip between the plateaus, below the tibial spines, tibia frame; None when the plateaus leave no gap.

    The strip lies on straight lines from the inner edge of the medial plateau to that of the lateral one, over the middle 80 % of the
    anteroposterior range that both share (assumption). Depth counts from these lines, so the spines themselves are above the half-space.
    """
    low = max(medial.centres[:, 0].min(), lateral.centres[:, 0].min())
    high = min(medial.centres[:, 0].max(), lateral.centres[:, 0].max())
    if high <= low:
        return None
    step = 0.8 * (high - low) / along
    normal = np.average(np.vstack([medial.normals, lateral.normals]), axis=0, weights=np.concatenate([medial.areas, lateral.areas]))
    normal /= np.linalg.norm(normal)
    centres, areas = [], []
    for x in low + 0.1 * (high - low) + step * (np.arange(along) + 0.5):
        near_medial = medial.centres[np.abs(medial.centres[:, 0] - x) <= max(step, 1.5)]
        near_lateral = lateral.centres[np.abs(lateral.centres[:, 0] - x) <= max(step, 1.5)]
        if not (near_medial.size and near_lateral.size):
            continue
        inner = near_medial[near_medial[:, 2].argmax()]
        outer = near_lateral[near_lateral[:, 2].argmin()]
        gap = outer[2] - inner[2]
        if gap <= 1.0:
            continue
        for k in range(across):
            centre = inner + (outer - inner) * (k + 0.5) / across
            centres.append([x, centre[1], centre[2]])
            areas.append(step * gap / across)
    if not centres:
        return None
    return Facets(centres=np.array(centres), normals=np.repeat(normal[None], len(centres), axis=0), areas=np.array(areas))
