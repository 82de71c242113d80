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
JUMP_MM = 2.5  # between neighbours on the Morton curve, beyond which a block ends
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
        area: (M,) mm2 of all triangles.
        reach_mm: distance from the origin of the body to the farthest spring, mm.
        movable: number of surfaces that can move outwards.
    """

    names: tuple[str, ...]
    arrays: tuple[NDArray[np.float64] | NDArray[np.int64], ...]
    home: NDArray[np.int64]
    start: NDArray[np.int64]
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


def _morton(points: Array) -> NDArray[np.int64]:
    """Order of points (n, 3) along a Morton curve of 10 bits per axis: neighbours in the order are neighbours in space."""
    if len(points) == 0:
        return np.zeros(0, np.int64)
    low = points.min(axis=0)
    size = max(float((points.max(axis=0) - low).max()), 1e-9)
    cell = np.minimum((points - low) / size * 1024.0, 1023.0).astype(np.int64)
    code = np.zeros(len(points), np.int64)
    for bit in range(10):
        for axis in range(3):
            code |= ((cell[:, axis] >> bit) & 1) << (3 * bit + axis)
    return np.argsort(code, kind="stable")


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
    entries = np.zeros((len(cells) + 1, ENTRY), np.float32)
    entries[0, 0] = FAR
    entries[1:, :27] = _polynomials(level_set.coefficients, level_set.spacing_mm, cells)
    entries[1:, 27:54] = _polynomials(level_set.thickness_mm, level_set.spacing_mm, cells)
    return (*level, _flat(child, np.int32), _flat(entries, np.float32))


def _polynomials(coefficients: NDArray, spacing_mm: float, cells: NDArray[np.int64]) -> Array:
    """Polynomials (n, 27) of a quadratic B-spline in the cells around nodes (n,), see `kneeload.kernels.level_set`."""
    h, (_, ny, nz) = spacing_mm, coefficients.shape
    own = np.array([[0.125, 0.75, 0.125], [-0.5 / h, 0.0, 0.5 / h], [0.5 / h**2, -1.0 / h**2, 0.5 / h**2]])  # of one direction: power by neighbour
    step = np.arange(-1, 2)
    near = (step[:, None, None] * ny + step[:, None]) * nz + step
    return np.asarray(coefficients.reshape(-1)[cells[:, None] + near.reshape(-1)] @ np.kron(np.kron(own, own), own).T)


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
        arrays=(np.ascontiguousarray(spring).reshape(-1), np.concatenate([[0], np.cumsum(blocks)]), np.ascontiguousarray(sphere), clusters,
                _spheres(table[:, :3], clusters * BLOCK)),
        home=np.concatenate(homes).astype(np.int64), start=start, area=np.concatenate(areas),
        reach_mm=float(np.sqrt((table[:, :3] ** 2).sum(axis=1).max())) if len(table) else 0.0,
        movable=sum(c.outward is not None for c in castings),
    )


def _blocks(points: Array) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Numbers (8 B,) of points (n, 3), mm, in blocks of 8 neighbours, and which of them only fill a block up: copies of its first one.

    Blocks follow the Morton curve and end where it jumps by more than `JUMP_MM`, so that a block is a small patch of its surface.
    """
    order = _morton(points)
    jump = np.linalg.norm(np.diff(points[order], axis=0), axis=1) > JUMP_MM
    run = np.concatenate([[0], np.cumsum(jump)])[: len(order)]
    place = np.arange(len(order)) - np.searchsorted(run, run)
    block = np.cumsum(place % BLOCK == 0) - 1
    slots = np.full((int(block[-1]) + 1 if len(block) else 0, BLOCK), -1)
    slots[block, place % BLOCK] = order
    filler = slots < 0
    return np.where(filler, slots[:, :1], slots).reshape(-1), filler.reshape(-1)
