"""From casting surfaces to springs: one per triangle, in arrays by quantity, in blocks of neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.kernels.level_set import ENTRY, FAR
from kneeload.kernels.springs import BLOCK, COLUMNS
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import TriangleMesh

Array = NDArray[np.float64]
CLUSTER = 8  # blocks per cluster
SLOPE = np.array([0.0, 1.0, 0.0])  # of 1, u, u^2 in the middle of a cell
LINE = 16  # single-precision numbers in a cache line
BAND_SPACINGS = (-1.5, 1.2)  # level set at the nodes around which expansions are kept, over their distance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Casting:
    """One casting surface, ready to become springs (m triangles, frame of the body).

    Attributes:
        name: of the surface.
        mesh: triangles, mm.
        thickness_mm: (m,) mm; all layers between the surface and the bone of the casting body.
        compliance: (m,) mm/MPa; sum of thickness over foundation modulus of those layers.
        used: (m,) bool; triangles that carry load themselves.
        outward: (m, 3) no unit; direction in which the springs of a meniscus move, None for a surface that cannot.
        soft: (m,) mm/MPa; thickness over initial modulus E0 of a layer that stiffens (not in `compliance`), None for none; only surfaces that move have one.
        growth_per_mpa: of that layer, 1/MPa: E1 / E0^2, its tangent modulus being E0 + E1 x strain (docs/contact.md).
    """

    name: str
    mesh: TriangleMesh
    thickness_mm: Array
    compliance: Array
    used: NDArray[np.bool_]
    outward: Array | None = None
    soft: Array | None = None
    growth_per_mpa: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpringSet:
    """Springs of all casting surfaces of one body.

    Attributes:
        names: of the surfaces, in order of the groups (those that can move come last).
        arrays: the tuple `springs` of `kneeload.kernels.springs`: (B, ...) values per block of springs, units there (mm, MPa).
        home: (8 B,) no unit; place of each spring (padding too) among all triangles of the surfaces, one surface after the other.
        start: (g + 1,) no unit; first triangle of each surface in that order.
        side: (g,) no unit; compartment of each surface: 1 for a lateral one, 0 for the others.
        area: (M,) mm2 of all triangles.
        reach_mm: distance from the origin of the body to the farthest spring, mm.
        movable: number of surfaces that can move outwards.
    """

    names: tuple[str, ...]
    arrays: tuple[NDArray[np.float32] | NDArray[np.float64] | NDArray[np.int64], ...]
    home: NDArray[np.int64]
    start: NDArray[np.int64]
    side: NDArray[np.int64]
    area: Array
    reach_mm: float
    movable: int

    def rows(self) -> Array:
        """Return (8 B, 14): point (3) mm, normal (3), area mm2, compliance mm/MPa, thickness mm, outward (3), soft compliance mm/MPa and growth 1/MPa
        of each spring, frame of the body; rows without area are padding."""
        return np.asarray(self.arrays[0].reshape(-1, COLUMNS, BLOCK).transpose(0, 2, 1).reshape(-1, COLUMNS))


def triangle_geometry(mesh: TriangleMesh) -> tuple[Array, Array, Array]:
    """Return centroid (m, 3) mm, unit normal (m, 3) and area (m,) mm2 of the triangles."""
    corner = np.asarray(mesh.points, dtype=np.float64)[mesh.triangles]
    cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    twice = np.linalg.norm(cross, axis=1)
    return corner.mean(axis=1), cross / np.where(twice > 0.0, twice, 1.0)[:, None], 0.5 * twice


def level_tuple(level_set: LevelSet, *, expansions: bool = True) -> tuple:
    """Return the tuple `level` of `kneeload.kernels.level_set`; with `expansions` its table is filled where contact happens, as `place` needs it."""
    shape = level_set.coefficients.shape
    ox, oy, oz = (float(v) for v in level_set.origin_mm)
    level = (_flat(np.append(level_set.coefficients, 0.0), np.float64), _flat(level_set.thickness_mm, np.float32), _flat(level_set.nearest_triangle, np.int32),
             *shape, ox, oy, oz, 1.0 / level_set.spacing_mm)
    if not expansions:
        return (*level, _flat(np.zeros(0), np.int32), _flat(np.zeros(0), np.float32))
    over = level_set.coefficients / level_set.spacing_mm
    kept = (over > BAND_SPACINGS[0]) & (over < BAND_SPACINGS[1])
    kept[[0, -1]] = kept[:, [0, -1]] = kept[:, :, [0, -1]] = False  # no spline there
    cells = np.flatnonzero(kept)
    child = np.where(over.reshape(-1) > 0.0, 0, -1).astype(np.int32)
    child[cells] = np.arange(1, len(cells) + 1)
    buffer = np.zeros((len(cells) + 2) * ENTRY, np.float32)
    entries = buffer[-(buffer.ctypes.data // 4) % LINE:][:(len(cells) + 1) * ENTRY].reshape(-1, ENTRY)  # an entry begins where a cache line does
    entries[0, 0] = FAR
    entries[1:, :27] = _polynomials(level_set.coefficients, level_set.spacing_mm, cells)
    entries[1:, 27:31] = _linear(_polynomials(level_set.thickness_mm, level_set.spacing_mm, cells), level_set.spacing_mm)
    return (*level, _flat(child, np.int32), _flat(entries, np.float32))


def _polynomials(coefficients: NDArray, spacing_mm: float, cells: NDArray[np.int64]) -> Array:
    """Polynomials (n, 27) of a quadratic B-spline in the cells around nodes (n,), see `kneeload.kernels.level_set`."""
    h, (_, ny, nz) = spacing_mm, coefficients.shape
    own = np.array([[0.125, 0.75, 0.125], [-0.5 / h, 0.0, 0.5 / h], [0.5 / h**2, -1.0 / h**2, 0.5 / h**2]])  # of one direction: power by neighbour
    step = np.arange(-1, 2)
    near = (step[:, None, None] * ny + step[:, None]) * nz + step
    return np.asarray(coefficients.reshape(-1)[cells[:, None] + near.reshape(-1)] @ np.kron(np.kron(own, own), own).T)


def _linear(polynomials: Array, spacing_mm: float) -> Array:
    """Value and gradient (n, 4) of the linear functions that fit polynomials (n, 27) best over their cells."""
    mean = np.array([1.0, 0.0, spacing_mm**2 / 12.0])  # of 1, u, u^2 over a cell
    rest = np.kron(np.kron(mean, mean), mean)
    slopes = [np.kron(np.kron(*pair), last) for pair, last in (((SLOPE, mean), mean), ((mean, SLOPE), mean), ((mean, mean), SLOPE))]
    return np.asarray(polynomials @ np.column_stack([rest, *slopes]))


def _flat(values: NDArray, dtype: type) -> NDArray:
    """Read-only one-dimensional view or copy: always the same type for the kernels, which are compiled once."""
    flat: NDArray = np.ascontiguousarray(values, dtype=dtype).reshape(-1).view()
    flat.setflags(write=False)
    return flat


def _clusters(blocks_per_group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Borders of the clusters, counted in blocks: none runs over the end of a group."""
    first = np.concatenate([[0], np.cumsum(blocks_per_group)])
    return np.concatenate([*(np.arange(i, j, CLUSTER) for i, j in zip(first[:-1], first[1:])), first[-1:]]).astype(np.int64)


def _spheres(points: Array, borders: NDArray[np.int64]) -> Array:
    """Centre (mm) and radius (mm) of a sphere around each run of points (n, 3), (b, 4)."""
    sphere = np.zeros((len(borders) - 1, 4))
    if len(sphere):
        low, high = np.minimum.reduceat(points, borders[:-1]), np.maximum.reduceat(points, borders[:-1])
        sphere[:, :3] = 0.5 * (low + high)
        away = ((points - np.repeat(sphere[:, :3], np.diff(borders), axis=0)) ** 2).sum(axis=1)
        sphere[:, 3] = np.sqrt(np.maximum.reduceat(away, borders[:-1]))
    return sphere


def build_springs(castings: Sequence[Casting]) -> SpringSet:
    """Return the springs of casting surfaces; those with `outward` must come last.

    Raises:
        InputError: a layer that carries load has a thickness that is not above zero.
    """
    start = np.concatenate([[0], np.cumsum([len(c.mesh.triangles) for c in castings])]).astype(np.int64)
    parts, homes, areas = [], [], []
    for casting, first in zip(castings, start):
        centre, normal, area = triangle_geometry(casting.mesh)
        areas.append(area)
        thin = casting.used & ~(casting.thickness_mm > 0.0)
        if thin.any():
            raise InputError(f"layer thickness of {casting.name}", where=f"{casting.name}.thickness_mm", got=float(casting.thickness_mm[thin][0]),
                             allowed="above 0 mm", why="a layer without thickness has no elastic foundation")
        keep = np.flatnonzero(casting.used & (area > 0.0))
        slots, filler = _blocks(centre[keep])
        keep = keep[slots]
        outward = np.zeros_like(centre) if casting.outward is None else casting.outward
        soft = np.zeros(len(area)) if casting.soft is None or casting.outward is None else casting.soft
        table = np.column_stack([centre, normal, area, casting.compliance, casting.thickness_mm, outward, soft, np.full(len(area), casting.growth_per_mpa)])[keep]
        table[filler, 6] = 0.0  # carries nothing
        parts.append(table)
        homes.append(keep + first)
    table = np.concatenate(parts)
    blocks = np.array([len(part) // BLOCK for part in parts], dtype=np.int64)
    clusters = _clusters(blocks)
    runs = np.arange(len(table) // BLOCK + 1) * BLOCK
    sphere = np.hstack([_spheres(table[:, :3], runs), *(table[:, rows].reshape(-1, BLOCK, 3).mean(axis=1) for rows in (slice(3, 6), slice(9, 12)))])
    spring = table.reshape(-1, BLOCK, COLUMNS).transpose(0, 2, 1)
    return SpringSet(
        names=tuple(c.name for c in castings),
        arrays=(np.ascontiguousarray(spring, dtype=np.float32).reshape(-1), np.concatenate([[0], np.cumsum(blocks)]), np.ascontiguousarray(sphere), clusters,
                _spheres(table[:, :3], clusters * BLOCK)),
        home=np.concatenate(homes).astype(np.int64), start=start,
        side=np.array([int("lateral" in c.name) for c in castings], np.int64), area=np.concatenate(areas),
        reach_mm=float(np.sqrt((table[:, :3] ** 2).sum(axis=1).max())) if len(table) else 0.0,
        movable=sum(c.outward is not None for c in castings),
    )


def _blocks(points: Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Numbers (8 B,) of points (n, 3), mm, in blocks of 8 neighbours, and which of them only fill the last block up: copies of its first one.

    Halves of halves, each cut across its longest side at a whole number of blocks, so that a block is a small patch of its surface.
    """
    order, border = np.arange(len(points)), np.array([0, -(-len(points) // BLOCK)])
    while (np.diff(border) > 1).any():
        first = np.minimum(border * BLOCK, len(points))
        part = np.repeat(np.arange(len(border) - 1), np.diff(first))
        here = points[order]
        low, high = np.minimum.reduceat(here, first[:-1]), np.maximum.reduceat(here, first[:-1])
        axis = (high - low).argmax(axis=1)
        rows = np.arange(len(axis))
        along = (here[np.arange(len(here)), axis[part]] - low[rows, axis][part]) / np.maximum((high - low)[rows, axis], 1e-9)[part]
        order = order[np.argsort(2.0 * part + along, kind="stable")]
        border = np.unique(np.concatenate([border, border[:-1] + (np.diff(border) + 1) // 2]))
    filler = np.arange(-(-len(points) // BLOCK) * BLOCK) >= len(points)
    return np.concatenate([order, np.repeat(order[len(points) // BLOCK * BLOCK:][:1], filler.sum())]), filler
