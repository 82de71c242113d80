"""From casting surfaces to springs: one per triangle, in arrays by quantity, in blocks of neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.kernels.cell_table import fill_cells, number_cells
from kneeload.kernels.level_set import ENTRY
from kneeload.kernels.spring_blocks import fill_blocks, order_blocks
from kneeload.kernels.springs import BLOCK, COLUMNS
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import TriangleMesh

Array = NDArray[np.float64]
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
    return mesh.centroids, mesh.normals, mesh.areas


@lru_cache(maxsize=4)
def level_tuple(level_set: LevelSet) -> tuple:
    """Return the tuple `level` of `kneeload.kernels.level_set`; its table is filled where contact happens. Kept for the last few level sets (by identity)."""
    shape, spacing = level_set.coefficients.shape, level_set.spacing_mm
    ox, oy, oz = (float(v) for v in level_set.origin_mm)
    coefficients, thickness = _flat(np.append(level_set.coefficients, 0.0), np.float64), _flat(level_set.thickness_mm, np.float32)
    child = np.empty(level_set.coefficients.size, np.int32)
    count = number_cells(coefficients, shape, spacing, *BAND_SPACINGS, child)
    buffer = np.zeros((count + 2) * ENTRY, np.float32)
    entries = buffer[-(buffer.ctypes.data // 4) % LINE:][:(count + 1) * ENTRY].reshape(-1, ENTRY)  # an entry begins where a cache line does
    fill_cells(coefficients, thickness, shape, spacing, child, entries)
    return (coefficients, thickness, _flat(level_set.nearest_triangle, np.int32), *shape, ox, oy, oz, 1.0 / spacing, _flat(child, np.int32), _flat(entries, np.float32))


def _fixed(values: NDArray) -> Array:
    """Read-only view of numbers, whether they can be written to or not: the kernels are compiled once."""
    array: Array = np.ascontiguousarray(values, dtype=np.float64).view()
    array.setflags(write=False)
    return array


def _flat(values: NDArray, dtype: type) -> NDArray:
    """Read-only one-dimensional view or copy: always the same type for the kernels, which are compiled once."""
    flat: NDArray = np.ascontiguousarray(values, dtype=dtype).reshape(-1).view()
    flat.setflags(write=False)
    return flat


def build_springs(castings: Sequence[Casting]) -> SpringSet:
    """Return the springs of casting surfaces; those with `outward` must come last.

    Raises:
        InputError: a layer that carries load has a thickness that is not above zero.
    """
    start = np.concatenate([[0], np.cumsum([len(c.mesh.triangles) for c in castings])]).astype(np.int64)
    orders = [_in_blocks(casting) for casting in castings]
    blocks = np.array([len(slots) // BLOCK for slots, _ in orders], dtype=np.int64)
    group = np.concatenate([[0], np.cumsum(blocks)])
    spring, sphere = np.empty(group[-1] * COLUMNS * BLOCK, np.float32), np.empty((group[-1], 10))
    farthest = 0.0
    for casting, (slots, real), block in zip(castings, orders, group):
        nothing = np.zeros(len(slots) and len(casting.mesh.triangles))
        soft = nothing if casting.soft is None or casting.outward is None else casting.soft
        outward = np.zeros_like(casting.mesh.centroids) if casting.outward is None else casting.outward
        farthest = max(farthest, fill_blocks(
            slots, real, triangle_geometry(casting.mesh), (_fixed(casting.compliance), _fixed(casting.thickness_mm), _fixed(soft)), _fixed(outward),
            float(casting.growth_per_mpa), int(block), spring, sphere))
    return SpringSet(
        names=tuple(c.name for c in castings), arrays=(spring, group, sphere),
        home=np.concatenate([slots + first for (slots, _), first in zip(orders, start)]).astype(np.int64), start=start,
        side=np.array([int("lateral" in c.name) for c in castings], np.int64), area=np.concatenate([c.mesh.areas for c in castings]),
        reach_mm=float(np.sqrt(farthest)), movable=sum(c.outward is not None for c in castings),
    )


def _in_blocks(casting: Casting) -> tuple[NDArray[np.int64], int]:
    """Triangle (8 B,) of each spring of a surface in blocks of 8 neighbours, and how many of them carry load: the rest fill the last block up, copies of its first one."""
    centre, _, area = triangle_geometry(casting.mesh)
    thin = casting.used & ~(casting.thickness_mm > 0.0)
    if thin.any():
        raise InputError(f"layer thickness of {casting.name}", where=f"{casting.name}.thickness_mm", got=float(casting.thickness_mm[thin][0]),
                         allowed="above 0 mm", why="a layer without thickness has no elastic foundation")
    keep = np.flatnonzero(casting.used & (area > 0.0))
    points = centre[keep]
    order = np.arange(len(keep))
    if not order_blocks(points, order):
        order = block_order(points)
    filler = -len(keep) % BLOCK
    return np.concatenate([keep[order], np.repeat(keep[order[len(keep) // BLOCK * BLOCK:][:1]], filler)]), len(keep)


def block_order(points: Array) -> NDArray[np.int64]:
    """Return the numbers (n,) of points (n, 3), mm, in an order in which each run of 8 is a small patch of their surface.

    Halves of halves, each cut across its longest side at a whole number of blocks. `kneeload.kernels.spring_blocks.order_blocks` gives the same, faster,
    unless points are crowded together.
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
    return order
