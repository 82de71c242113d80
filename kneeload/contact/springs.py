"""From casting surfaces to springs: one per triangle, in arrays by quantity, in blocks of neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import TriangleMesh

Array = NDArray[np.float64]
BLOCK = 8  # springs per bounding sphere


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
        soft: (m,) mm/MPa; thickness over initial modulus E0 of a layer that stiffens (not in `compliance`), None for none.
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
        arrays: the tuple `springs` of `kneeload.kernels.contact`: (N, ...) values per spring, units there (mm, MPa).
        home: (N,) no unit; place of each spring among all triangles of the surfaces, one surface after the other.
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


def level_tuple(level_set: LevelSet) -> tuple:
    """Return the tuple `level` of `kneeload.kernels.contact`."""
    nx, ny, nz = level_set.coefficients.shape
    ox, oy, oz = (float(v) for v in level_set.origin_mm)
    return (_flat(level_set.coefficients, np.float64), _flat(level_set.thickness_mm, np.float32), _flat(level_set.nearest_triangle, np.int32),
            nx, ny, nz, ox, oy, oz, 1.0 / level_set.spacing_mm)


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
    parts, homes, group, blocks = [], [], [0], []
    start = np.concatenate([[0], np.cumsum([len(c.mesh.triangles) for c in castings])]).astype(np.int64)
    areas = []
    for casting, first in zip(castings, start):
        centre, normal, area = triangle_geometry(casting.mesh)
        areas.append(area)
        thin = casting.used & ~(casting.thickness_mm > 0.0)
        if thin.any():
            raise InputError(f"layer thickness of {casting.name}", where=f"{casting.name}.thickness_mm", got=float(casting.thickness_mm[thin][0]),
                             allowed="above 0 mm", why="a layer without thickness has no elastic foundation")
        keep = np.flatnonzero(casting.used & (area > 0.0))
        keep = keep[_morton(centre[keep])]
        outward = np.zeros_like(centre) if casting.outward is None else casting.outward
        parts.append(np.column_stack([centre, area, normal, casting.compliance, casting.thickness_mm, outward, np.zeros(len(area)) if casting.soft is None else casting.soft,
                                      np.full(len(area), casting.growth_per_mpa)])[keep])
        homes.append(keep + first)
        blocks.append(np.arange(group[-1], group[-1] + len(keep), BLOCK))
        group.append(group[-1] + len(keep))
    table = np.concatenate(parts)
    borders = np.concatenate([*blocks, [len(table)]]).astype(np.int64)
    bound = np.zeros((len(borders) - 1, 4))
    for b, (i, j) in enumerate(zip(borders[:-1], borders[1:])):
        points = table[i:j, :3]
        bound[b, :3] = 0.5 * (points.min(axis=0) + points.max(axis=0))
        bound[b, 3] = np.sqrt(((points - bound[b, :3]) ** 2).sum(axis=1).max())
    columns = [np.ascontiguousarray(table[:, j]) for j in range(table.shape[1])]
    return SpringSet(
        names=tuple(c.name for c in castings),
        arrays=(*columns[:-2], np.array(group, np.int64), borders, bound, *columns[-2:]),
        home=np.concatenate(homes).astype(np.int64), start=start, area=np.concatenate(areas),
        reach_mm=float(np.sqrt((table[:, :3] ** 2).sum(axis=1).max())) if len(table) else 0.0,
        movable=sum(c.outward is not None for c in castings),
    )
