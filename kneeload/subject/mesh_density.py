"""A mesh with a wanted number of triangles per area: halve the longest edges, or collapse the shortest ones."""

from __future__ import annotations

import heapq
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import check_range
from kneeload.subject.proximity import nearest_on_mesh
from kneeload.subject.surface import TriangleMesh

DENSITY_RANGE = (0.1, 100.0)
"""Allowed triangles per mm2: below, a condyle has a few dozen triangles; above, millions."""
_TURNED = 0.5  # a collapse may not turn a triangle by more than 60 degrees
_THIN = 0.02  # nor leave one whose area is below this share of its longest side squared


def with_density(mesh: TriangleMesh, triangles_per_mm2: float) -> tuple[TriangleMesh, NDArray[np.int64]]:
    """Return the mesh with about `triangles_per_mm2` triangles per mm2 and, per new triangle, the number of the old one nearest to its centre.

    Finer: the longest edge is halved again and again; the shape stays exactly that of the facets (springs become denser, facets do not
    become smoother). Coarser: the shortest edge is collapsed again and again unless that would turn a triangle over or change what is
    connected; points are put back onto the old surface, rims stay rims. Open and closed meshes.

    Args:
        mesh: mm.
        triangles_per_mm2: wanted, 0.1 to 100 per mm2.

    Raises:
        InputError: another density.
    """
    check_range("mesh density", triangles_per_mm2, *DENSITY_RANGE, "triangles per mm2", where="triangles_per_mm2",
                why="coarser meshes lose the shape of a condyle and finer ones only cost time")
    wanted = max(4, round(triangles_per_mm2 * float(mesh.areas.sum())))
    work = _Work(mesh)
    if wanted > len(mesh.triangles):
        work.refine(wanted)
        made = work.mesh()
    else:
        work.coarsen(wanted)
        made = _back_onto(work.mesh(), mesh)
    return made, nearest_on_mesh(mesh, made.centroids).triangle


def _back_onto(made: TriangleMesh, mesh: TriangleMesh) -> TriangleMesh:
    """Points moved to the nearest points of the old mesh, unless that folds a triangle."""
    moved = TriangleMesh(points=nearest_on_mesh(mesh, made.points).point_mm, triangles=made.triangles)
    folded = np.einsum("mi,mi->m", moved.normals, made.normals) < _TURNED
    points = np.array(moved.points)
    points[made.triangles[folded]] = made.points[made.triangles[folded]]
    return TriangleMesh(points=points, triangles=made.triangles)


class _Work:
    """Triangles that change one edge at a time."""

    def __init__(self, mesh: TriangleMesh) -> None:
        self.points: list[tuple[float, float, float]] = [(x, y, z) for x, y, z in mesh.points.tolist()]
        self.triangles: list[tuple[int, int, int] | None] = [(a, b, c) for a, b, c in mesh.triangles.tolist()]
        self.alive = len(self.triangles)
        self.around: defaultdict[int, set[int]] = defaultdict(set)
        for number, corners in enumerate(self.triangles):
            for point in corners or ():
                self.around[point].add(number)

    def mesh(self) -> TriangleMesh:
        kept = np.array([t for t in self.triangles if t is not None])
        used, local = np.unique(kept, return_inverse=True)
        return TriangleMesh(points=np.array(self.points)[used], triangles=local.reshape(-1, 3).astype(np.int32))

    def _square(self, a: int, b: int) -> float:
        p, q = self.points[a], self.points[b]
        return (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 + (p[2] - q[2]) ** 2

    def _edges(self) -> set[tuple[int, int]]:
        return {(min(t[i], t[i - 1]), max(t[i], t[i - 1])) for t in self.triangles if t is not None for i in range(3)}

    def _corners(self, number: int) -> tuple[int, int, int]:
        corners = self.triangles[number]
        assert corners is not None
        return corners

    def _neighbours(self, point: int) -> set[int]:
        return {other for number in self.around[point] for other in self._corners(number)} - {point}

    def _add_point(self, a: int, b: int) -> int:
        p, q = self.points[a], self.points[b]
        self.points.append((0.5 * (p[0] + q[0]), 0.5 * (p[1] + q[1]), 0.5 * (p[2] + q[2])))
        return len(self.points) - 1

    def refine(self, wanted: int) -> None:
        """Halve the longest edge until there are at least `wanted` triangles."""
        heap = [(-self._square(a, b), a, b) for a, b in self._edges()]
        heapq.heapify(heap)
        while heap and self.alive < wanted:
            _, a, b = heapq.heappop(heap)
            sides = self.around[a] & self.around[b]
            if not sides:
                continue  # the edge was halved before
            middle = self._add_point(a, b)
            for number in sides:
                corners = self._corners(number)
                self.triangles[number] = _exchanged(corners, b, middle)
                self.triangles.append(_exchanged(corners, a, middle))
                new, third = len(self.triangles) - 1, next(c for c in corners if c not in (a, b))
                self.around[b].remove(number)
                self.around[b].add(new)
                self.around[third].add(new)
                self.around[middle].update((number, new))
                heapq.heappush(heap, (-self._square(middle, third), middle, third))
                self.alive += 1
            heapq.heappush(heap, (-self._square(a, middle), a, middle))
            heapq.heappush(heap, (-self._square(middle, b), middle, b))

    def coarsen(self, wanted: int) -> None:
        """Collapse the shortest edge that can be until there are at most `wanted` triangles."""
        edges = self._edges()
        rim = {point for a, b in edges if len(self.around[a] & self.around[b]) == 1 for point in (a, b)}
        heap = [(self._square(a, b), a, b) for a, b in edges]
        heapq.heapify(heap)
        while heap and self.alive > wanted:
            _, a, b = heapq.heappop(heap)
            sides = self.around[a] & self.around[b]
            if not sides or not self._may_collapse(a, b, sides, rim):
                continue
            new = self._add_point(a, b) if (a in rim) == (b in rim) else self._add_point(*((a, a) if a in rim else (b, b)))
            if self._folds(a, b, new, sides):
                self.points.pop()
                continue
            if a in rim or b in rim:
                rim.add(new)
            for number in sides:
                for point in self._corners(number):
                    self.around[point].discard(number)
                self.triangles[number] = None
                self.alive -= 1
            for old in (a, b):
                for number in self.around.pop(old):
                    self.triangles[number] = _exchanged(self._corners(number), old, new)
                    self.around[new].add(number)
            for other in self._neighbours(new):
                heapq.heappush(heap, (self._square(new, other), new, other))

    def _may_collapse(self, a: int, b: int, sides: set[int], rim: set[int]) -> bool:
        """Whether the surface stays a manifold: the ends share only the corners opposite to the edge, and two rims do not meet."""
        if len(sides) > 2 or (len(sides) == 2 and a in rim and b in rim):
            return False
        return len(self._neighbours(a) & self._neighbours(b)) == len(sides)

    def _folds(self, a: int, b: int, new: int, sides: set[int]) -> bool:
        for old in (a, b):
            for number in self.around[old] - sides:
                corners = self._corners(number)
                before, after = self._cross(corners), self._cross(_exchanged(corners, old, new))
                dot = sum(x * y for x, y in zip(before, after))
                size = sum(x * x for x in before) ** 0.5 * sum(x * x for x in after) ** 0.5
                made = _exchanged(corners, old, new)
                longest = max(self._square(made[i], made[i - 1]) for i in range(3))
                if dot <= _TURNED * size or sum(x * x for x in after) ** 0.5 < 2.0 * _THIN * longest:
                    return True
        return False

    def _cross(self, corners: tuple[int, int, int]) -> tuple[float, float, float]:
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = (self.points[c] for c in corners)
        ux, uy, uz, vx, vy, vz = bx - ax, by - ay, bz - az, cx - ax, cy - ay, cz - az
        return uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx


def _exchanged(corners: tuple[int, int, int], old: int, new: int) -> tuple[int, int, int]:
    a, b, c = (new if corner == old else corner for corner in corners)
    return a, b, c
