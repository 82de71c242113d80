"""Where load enters each bone, and the points at which each region feels it: patches, sample points, and the way from fields to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.kernels.columns import fill_nearest
from kneeload.kernels.patches import cell_keys, cover, fill_facets, mark_border, merge_facets, number_keys, spread_shares
from kneeload.subject.surface import ArticularSurface, TriangleMesh

Array = NDArray[np.float64]
COLUMN_MM = 2.0  # side of the columns in which triangles are searched
PATCH_COLUMN_MM = 4.0  # the same for patches, which are fewer
GROWTH = 1.12  # of cells until few enough cover a region
MOST_CELLS = 4_000_000  # beyond it patches are numbered by sorting, not by a table of all cells


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
        direct: triangle i feeds patch[i] alone, with its whole force.
        region: (k,) no unit; region of each receiving triangle, -1 for none.
        start: (k + 1,) no unit.
        patch: (e,) no unit; patch number.
        share: (e,) no unit; part of the triangle's force.
    """

    direct: bool
    region: NDArray[np.int64]
    start: NDArray[np.int64]
    patch: NDArray[np.int64]
    share: Array


def facets(mesh: TriangleMesh) -> Facets:
    """Return centres, normals and areas of the triangles of `mesh`; a triangle without area has a zero normal."""
    count = mesh.triangles.shape[0]
    shape = Facets(centres=np.empty((count, 3)), normals=np.empty((count, 3)), areas=np.empty(count))
    fill_facets(mesh.points, mesh.triangles, shape.centres, shape.normals, shape.areas)
    return shape


def join_facets(parts: list[Facets]) -> Facets:
    """Return one set of facets from several, in their order."""
    return Facets(centres=np.concatenate([p.centres for p in parts]), normals=np.concatenate([p.normals for p in parts]),
                  areas=np.concatenate([p.areas for p in parts]))


def cluster(shape: Facets, size_mm: float, chosen: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return (m,) patch numbers 0..P-1 of the chosen triangles (default all): those of one cube of side `size_mm` whose normals point
    into the same octant."""
    return _numbered(shape, size_mm, _all(shape) if chosen is None else chosen)[0]


def _all(shape: Facets) -> NDArray[np.int64]:
    return np.arange(shape.areas.shape[0])


def _numbered(shape: Facets, size_mm: float, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Return the patch numbers of the chosen triangles and how many patches there are."""
    patch = np.empty(chosen.shape[0], np.int64)
    cells = cell_keys(shape.centres, shape.normals, chosen, size_mm, patch)
    if cells > MOST_CELLS:
        known, patch = np.unique(patch, return_inverse=True)
        return patch, known.shape[0]
    return patch, number_keys(patch, np.zeros(cells, np.int32))


def merge(shape: Facets, patch: NDArray[np.int64], chosen: NDArray[np.int64] | None = None) -> Facets:
    """Return the patches that `patch` (m,) makes of the chosen triangles: area-weighted centres, unit mean normals, total areas."""
    return _merged(shape, patch, int(patch.max(initial=-1)) + 1, _all(shape) if chosen is None else chosen)


def _merged(shape: Facets, patch: NDArray[np.int64], count: int, chosen: NDArray[np.int64]) -> Facets:
    out = Facets(centres=np.zeros((count, 3)), normals=np.zeros((count, 3)), areas=np.zeros(count))
    merge_facets(shape.centres, shape.normals, shape.areas, chosen, patch, out.centres, out.normals, out.areas)
    return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Landing:
    """Where a force lands that one bone receives from the other side: triangle k feeds patch[k].

    Attributes:
        region: (k,) no unit; region of each triangle, -1 for none.
        patch: (k,) no unit; patch number, -1 for a triangle that is not labelled.
        code: (k,) no unit; 32 times the patch plus one more than the region; -1 where the patch is not yet known, which `gather` fills in with that
            of the nearest labelled triangle.
        centres: (k, 3) mm, frame of the bone.
        labelled: (c,) no unit; triangles that carry patches.
        labelled_patch: (c,) no unit; patches of those.
        patch_region: (P,) no unit; region of each patch, -1 for none: no patch reaches over a border of regions.
    """

    region: NDArray[np.int64]
    patch: NDArray[np.int64]
    code: NDArray[np.int32]
    centres: Array
    labelled: NDArray[np.int64]
    labelled_patch: NDArray[np.int64]
    patch_region: NDArray[np.int64]


def articular_patches(shape: Facets, region: NDArray[np.int8], size_mm: float) -> tuple[Landing, Facets]:
    """Return where force lands, and the patches, which lie on the triangles that have a region.

    A triangle outside all regions (bone beside the cartilage of a closed mesh) feeds the patch of the nearest triangle that has one.
    """
    parts = [np.flatnonzero(region == r) for r in np.unique(region[region >= 0])] or [np.arange(region.shape[0])]
    numbers, counts = zip(*(_numbered(shape, size_mm, part) for part in parts))
    first = np.append(0, np.cumsum(counts))
    labelled, number = np.concatenate(parts), np.concatenate([n + f for n, f in zip(numbers, first)])
    patch = np.full(region.shape[0], -1)
    patch[labelled] = number
    code = np.where(patch < 0, -1, 32 * patch + region + 1).astype(np.int32)
    landing = Landing(region=region.astype(np.int64), patch=patch, code=code, centres=shape.centres, labelled=labelled, labelled_patch=number,
                      patch_region=np.repeat([int(region[part[0]]) for part in parts], counts))
    return landing, _merged(shape, number, int(first[-1]), labelled)


def nearest(points: Array, chosen: NDArray[np.int64], places: Array) -> NDArray[np.int64]:
    """Return for each of the points (n, 3) mm that are chosen (c,) the row of places (m, 3) mm that is nearest."""
    out = np.empty(chosen.shape[0], np.int64)
    if out.size:
        fill_nearest(points, chosen, places, COLUMN_MM, out)
    return out


def _region_points(shape: Facets, most: int, chosen: NDArray[np.int64]) -> Facets:
    """Return at most `most` patches that cover the chosen triangles of `shape`."""
    patch = np.empty(chosen.shape[0], np.int64)
    count, size = cover(shape.centres, shape.normals, chosen, float(np.sqrt(shape.areas[chosen].sum() / most)) + 1e-9, GROWTH, most, MOST_CELLS, patch)
    while count < 0:  # too many cells for a table
        patch, count = _numbered(shape, size, chosen)
        if count > most:
            size *= GROWTH
            count, size = cover(shape.centres, shape.normals, chosen, size, GROWTH, most, MOST_CELLS, patch)
    return _merged(shape, patch, count, chosen)


def border(mesh: TriangleMesh, region: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return (m,) True for triangles that share a point with a triangle of another region."""
    edge = np.empty(region.shape[0], np.bool_)
    mark_border(mesh.triangles, region, mesh.points.shape[0], edge)
    return edge


def _covering(shape: Facets, region: NDArray[np.int8], edge: NDArray[np.bool_], number: int, most: int) -> Facets:
    """Return the points of one region: three quarters of `most` cover its area, one quarter lies along its borders and stands for no area.

    A region beside a more loaded one has its peak on the border, which points inside would miss.
    """
    own = np.flatnonzero(region == number)
    inside = _region_points(shape, most - most // 4, own)
    along = own[edge[own]]
    if most < 4 or not along.size:
        return inside
    line = _region_points(shape, most // 4, along)
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
    return Route(direct=True, region=region.astype(np.int64), start=np.arange(count + 1), patch=patch.astype(np.int64), share=np.ones(count))


def spread_route(meniscus: ArticularSurface, shape: Facets, plateau: Facets, plateau_region: NDArray[np.int8], patches: Facets,
                 allowed: range) -> Route:
    """Return the route of the force on a meniscus to the tibial plateau below it.

    The horns and the hoop carry what is parallel to the plateau; the part along the plateau's normal passes down. It spreads as a
    Gaussian bell with a standard deviation of half of the wedge height (a load cone of about 45 degrees, assumption) over the patches
    whose lateral distance is within two deviations, weighted by their area, or goes to the nearest patch where there is none.
    `allowed` are the patches of this plateau. A triangle without a region of its own takes that of the nearest plateau triangle.
    """
    region = meniscus.region.astype(np.int64)
    bare = np.flatnonzero(region < 0)
    region[bare] = plateau_region[nearest(shape.centres, bare, plateau.centres)]
    part = slice(allowed.start, allowed.stop)
    start, room = np.zeros(shape.areas.shape[0] + 1, np.int64), 32 * shape.areas.shape[0]
    while True:
        patch, share = np.empty(room, np.int64), np.empty(room)
        room = spread_shares(shape.centres, shape.normals, meniscus.thickness_mm, patches.centres[part], patches.normals[part], patches.areas[part],
                             allowed.start, PATCH_COLUMN_MM, start, patch, share)
        if room <= patch.shape[0]:
            return Route(direct=False, region=region, start=start, patch=patch[:room], share=share[:room])


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
    normal = sum((side.areas[:, None] * side.normals).sum(axis=0) for side in (medial, lateral))
    normal /= np.linalg.norm(normal)
    centres, areas = [], []
    for x in low + 0.1 * (high - low) + step * (np.arange(along) + 0.5):
        near_medial, near_lateral = (np.flatnonzero(np.abs(side.centres[:, 0] - x) <= max(step, 1.5)) for side in (medial, lateral))
        if not (near_medial.size and near_lateral.size):
            continue
        inner = medial.centres[near_medial[medial.centres[near_medial, 2].argmax()]]
        outer = lateral.centres[near_lateral[lateral.centres[near_lateral, 2].argmin()]]
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
