"""Triangle mesh of a smooth level set: one vertex per cell that the surface crosses, moved onto the surface.

The method is that of surface nets (Gibson 1998, doi 10.1007/BFb0056277): a quad for every grid edge whose ends lie on different sides, its
corners in the four cells around the edge. Each vertex then goes to the zero of the spline by Newton steps along the gradient, with a few
sideways relaxations so that the triangles are even.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.distance import evaluate
from kneeload.subject.level_set import LevelSet
from kneeload.subject.proximity import edge_neighbours
from kneeload.subject.surface import TriangleMesh

_ATTEMPTS = 8
_CELL_CORNERS = np.array([(i, j, k) for i in (0, 1) for j in (0, 1) for k in (0, 1)])


def extract(level_set: LevelSet, *, spacing_mm: float, offset_mm: float = 0.0, relaxations: int = 3) -> TriangleMesh:
    """Return the closed surface on which the level set equals `offset_mm`, triangles about `spacing_mm` wide, outwards, mm."""
    for attempt in range(_ATTEMPTS):  # where two sheets pass through one cell the surface pinches: another grid separates them
        spacing = spacing_mm * (1.0 - 0.04 * attempt)
        points, triangles = _surface_nets(_resample(level_set, spacing) - offset_mm, level_set.origin_mm, spacing)
        if np.all(edge_neighbours(triangles)[1] == 2):
            break
    points = project(level_set, points, offset_mm=offset_mm, steps=4)
    for _ in range(relaxations):
        points = project(level_set, _relaxed(points, triangles), offset_mm=offset_mm, steps=2)
    for array in (points, triangles):
        array.setflags(write=False)
    return TriangleMesh(points=points, triangles=triangles)


def project(level_set: LevelSet, points_mm: NDArray[np.float64], *, offset_mm: float = 0.0, steps: int = 3) -> NDArray[np.float64]:
    """Return points (n, 3) in mm moved along the gradient onto the surface where the level set equals `offset_mm`."""
    points = np.array(points_mm, dtype=np.float64)
    for _ in range(steps):
        value, gradient = evaluate(level_set, points)
        square = np.maximum(np.einsum("ij,ij->i", gradient, gradient), 0.05)
        points -= np.clip((value - offset_mm) / square, -1.0, 1.0)[:, None] * gradient
    return points


def _resample(level_set: LevelSet, spacing_mm: float) -> NDArray[np.float64]:
    """Values of the spline on a grid of another spacing and the same origin; separable, one axis after the other."""
    values = level_set.coefficients
    for axis in range(3):
        nodes = level_set.coefficients.shape[axis]
        u = np.arange(0.0, nodes - 1.0 + 1e-9, spacing_mm / level_set.spacing_mm)
        distance = np.abs(u[:, None] - np.arange(nodes)[None, :])
        weights = np.where(distance <= 0.5, 0.75 - distance**2, 0.5 * np.maximum(1.5 - distance, 0.0) ** 2)
        weights /= weights.sum(axis=1, keepdims=True)  # the outermost half cells lack a neighbour
        values = np.moveaxis(np.tensordot(weights, values, axes=(1, axis)), 0, axis)
    return values


def _surface_nets(values: NDArray[np.float64], origin: NDArray[np.float64], spacing_mm: float) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    inside = values < 0.0
    cells = tuple(n - 1 for n in values.shape)
    count = np.zeros(cells, dtype=np.int8)
    for i, j, k in _CELL_CORNERS:
        count += inside[i:i + cells[0], j:j + cells[1], k:k + cells[2]]
    mixed = (count > 0) & (count < 8)
    number = np.full(cells, -1, dtype=np.int64)
    number[mixed] = np.arange(np.count_nonzero(mixed))
    points = np.argwhere(mixed) + _mean_crossing(values, np.argwhere(mixed))
    quads = [_quads(inside, number, axis) for axis in range(3)]
    corners = np.concatenate(quads)
    triangles = np.concatenate([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]]).astype(np.int32)
    return origin + spacing_mm * points, triangles


def _mean_crossing(values: NDArray[np.float64], cell: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean of the points where the edges of each cell (n, 3) cross zero, in cell units (n, 3)."""
    corner = values[tuple((cell[:, None, :] + _CELL_CORNERS).transpose(2, 0, 1))]
    total, crossings = np.zeros((len(cell), 3)), np.zeros(len(cell))
    for a in range(8):
        for b in range(a + 1, 8):
            if np.abs(_CELL_CORNERS[a] - _CELL_CORNERS[b]).sum() == 1:
                crossed = (corner[:, a] < 0.0) != (corner[:, b] < 0.0)
                span = np.where(crossed, corner[:, a] - corner[:, b], 1.0)
                share = np.where(crossed, corner[:, a] / span, 0.0)
                total += crossed[:, None] * (_CELL_CORNERS[a] + share[:, None] * (_CELL_CORNERS[b] - _CELL_CORNERS[a]))
                crossings += crossed
    return total / crossings[:, None]


def _quads(inside: NDArray[np.bool_], number: NDArray[np.int64], axis: int) -> NDArray[np.int64]:
    """Corner cells (q, 4) around each crossed edge along one axis, counter-clockwise from outside."""
    second, third = (axis + 1) % 3, (axis + 2) % 3
    turned = np.moveaxis(inside, (axis, second, third), (0, 1, 2))
    cells = np.moveaxis(number, (axis, second, third), (0, 1, 2))
    low, high = turned[:-1, 1:-1, 1:-1], turned[1:, 1:-1, 1:-1]
    edge = np.argwhere(low != high)
    leaving = low[tuple(edge.T)]  # inside at the lower end: the outward normal points along the axis
    ring = [cells[edge[:, 0], edge[:, 1] + b, edge[:, 2] + c] for b, c in ((0, 0), (1, 0), (1, 1), (0, 1))]
    quads = np.stack(ring, axis=1)
    quads[~leaving] = quads[~leaving][:, ::-1]
    return quads


def _relaxed(points: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    """Each point halfway to the mean of its neighbours."""
    start, end = triangles[:, [0, 1, 2]].ravel(), triangles[:, [1, 2, 0]].ravel()
    count = np.bincount(start, minlength=len(points))
    mean = np.stack([np.bincount(start, points[end, a], minlength=len(points)) for a in range(3)], axis=1) / np.maximum(count, 1)[:, None]
    return 0.5 * (points + mean)
