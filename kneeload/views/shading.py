"""Numbers on surfaces for drawing: point normals, pressures from triangles to points, pressure on the femur."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.surface import Body, TriangleMesh
from kneeload.views.scene import Scene, body_pose, casting_surfaces, inverse_pose, placed


def surface_points(scene: Scene, name: str, frame: int) -> NDArray[np.float64]:
    """(n, 3) mm, frame of the body; points of a casting surface in a frame: a meniscus is where its hoops let it move to."""
    surface = casting_surfaces(scene.anatomy)[name]
    meniscus = {"medial_meniscus": scene.anatomy.medial_meniscus, "lateral_meniscus": scene.anatomy.lateral_meniscus}.get(name)
    if meniscus is None:
        return surface.mesh.points
    expansion = float(np.nan_to_num(scene.contact.meniscus_expansion[frame, 0 if name.startswith("medial") else 1]))
    return surface.mesh.points + expansion * _unit(_gather(surface.mesh.triangles, meniscus.outward, len(surface.mesh.points)))


def point_mean(mesh: TriangleMesh, value: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n,) same unit; mean of a value per triangle, (m,), over the triangles around each point, weighted by area."""
    weight = triangle_areas(mesh)
    total = _gather(mesh.triangles, weight, len(mesh.points))
    return _gather(mesh.triangles, weight * value, len(mesh.points)) / np.where(total > 0.0, total, 1.0)


def triangle_areas(mesh: TriangleMesh) -> NDArray[np.float64]:
    """(m,) mm2; area of each triangle."""
    return 0.5 * np.linalg.norm(_twice_area_normal(mesh.points, mesh.triangles), axis=1)


def triangle_centres(mesh: TriangleMesh) -> NDArray[np.float64]:
    """(m, 3) mm, frame of the mesh; centroid of each triangle."""
    return mesh.points[mesh.triangles].mean(axis=1)


def point_normals(points: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    """(n, 3) no unit; unit normals at the points, triangles weighted by their area."""
    return _unit(_gather(triangles, _twice_area_normal(points, triangles), len(points)))


def point_pressure(mesh: TriangleMesh, pressure: NDArray[np.floating]) -> NDArray[np.float64]:
    """Pressure at the points, (n,) MPa, from pressure per triangle, (m,) MPa: continuous, with the peak kept.

    Triangles are averaged with their areas as weights. Averaging twice (here, and when a renderer fills the triangles) lowers a
    peak, so one correction step adds back what the triangle means lost; the result stays within the values around each point.
    """
    value = np.nan_to_num(np.asarray(pressure, dtype=np.float64))
    smooth = point_mean(mesh, value)
    corrected = smooth + point_mean(mesh, value - smooth[mesh.triangles].mean(axis=1))
    highest = np.zeros(len(mesh.points))
    lowest = np.full(len(mesh.points), np.inf)
    for corner in range(3):
        np.maximum.at(highest, mesh.triangles[:, corner], value)
        np.minimum.at(lowest, mesh.triangles[:, corner], value)
    return np.clip(corrected, np.minimum(lowest, highest), highest)


def femur_pressure(scene: Scene, frame: int, points: NDArray[np.float64], bodies: tuple[Body, ...] = ("tibia", "patella")) -> NDArray[np.float64]:
    """Pressure on the femur at given points, (n,) MPa, from what touches it at a frame; points (n, 3) mm, femur frame.

    The femur is the target of the contact, so its pressure is read from the surfaces that touch it: each is seen from the femur as a
    map (the plateau with menisci along y of the tibia, the kneecap along x of the patella), and a point of the femur takes the value
    of the map where it lies, if it lies within a few millimetres of that surface. Triangles of the plateau under a meniscus do not
    touch the femur and are left out.
    """
    result = np.zeros(len(points))
    for body, names, axes in _TOUCHING:
        centres, values, areas = _touching(scene, frame, names)
        if body not in bodies or not values.any():
            continue
        pose = body_pose(scene, body, frame)
        local = placed(points, inverse_pose(pose))
        near = np.flatnonzero(((local > centres.min(axis=0) - _REACH_MM) & (local < centres.max(axis=0) + _REACH_MM)).all(axis=1))
        result[near] = np.maximum(result[near], _read_map(centres[:, axes], values, areas, local[near][:, axes]))
    return result


_REACH_MM = 8.0  # a point of the femur farther than this from a touching surface, across it, carries none of its pressure (the wedge of a
# meniscus, which the femur can sink into, is up to 7 mm high)
_TOUCHING: tuple[tuple[Body, tuple[str, ...], list[int]], ...] = (  # body, fields, axes: two in the map, then the one across it
    ("tibia", ("tibia_medial", "medial_meniscus"), [0, 2, 1]),
    ("tibia", ("tibia_lateral", "lateral_meniscus"), [0, 2, 1]),
    ("patella", ("patella",), [1, 2, 0]),
)


def _read_map(centres: NDArray[np.float64], values: NDArray[np.float64], areas: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (n,) at points (n, 3) of a map that samples (k,) at centres (k, 3) make; first two axes in the map, third across it."""
    cell = 0.8 * float(np.sqrt(areas.mean()))
    origin = centres[:, :2].min(axis=0) - 4.0 * cell
    shape = tuple(((centres[:, :2].max(axis=0) - origin) / cell).astype(int) + 6)
    where = (centres[:, :2] - origin) / cell
    weight, value, height = (_filled(_spread(where, areas * factor, shape)) for factor in (1.0, values, centres[:, 2]))
    inside = np.where(weight > 1e-9, weight, 1.0)
    at = np.clip((points[:, :2] - origin) / cell, 0.0, np.array(shape) - 1.001)
    pressure, level, known = (_lookup(grid, at) for grid in (value / inside, height / inside, (weight > 1e-9).astype(np.float64)))
    across = np.abs(points[:, 2] - level)
    return np.where((known > 0.99) & (across < _REACH_MM), pressure, 0.0)


def _corners(where: NDArray[np.float64]) -> list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]]:
    """The four grid nodes around each place, with bilinear weights."""
    low = np.floor(where).astype(np.intp)
    part = where - low
    return [(low[:, 0] + i, low[:, 1] + j, np.abs(1 - i - part[:, 0]) * np.abs(1 - j - part[:, 1])) for i in (0, 1) for j in (0, 1)]


def _spread(where: NDArray[np.float64], amount: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.float64]:
    total = np.zeros(shape[0] * shape[1])
    for i, j, weight in _corners(where):
        total += np.bincount(i * shape[1] + j, weight * amount, len(total))
    return total.reshape(shape)


def _lookup(grid: NDArray[np.float64], where: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sum([weight * grid[i, j] for i, j, weight in _corners(where)], axis=0)


def _filled(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """One pass of binomial smoothing, which bridges nodes that no sample reached."""
    for axis in (0, 1):
        grid = 0.5 * grid + 0.25 * (np.roll(grid, 1, axis) + np.roll(grid, -1, axis))
    return grid


def _touching(scene: Scene, frame: int, names: tuple[str, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Centres (k, 3) mm in their body's frame, pressures (k,) MPa and areas (k,) mm2 of the casting triangles that face the femur."""
    covered = {"tibia_medial": scene.anatomy.covered_medial, "tibia_lateral": scene.anatomy.covered_lateral}
    surfaces = casting_surfaces(scene.anatomy)
    centres, values, areas = [np.zeros((0, 3))], [np.zeros(0)], [np.zeros(0)]
    for field in scene.contact.fields:
        if field.name not in names or field.name not in surfaces:
            continue
        mesh = surfaces[field.name].mesh
        free = ~covered[field.name] if field.name in covered else np.ones(len(mesh.triangles), dtype=bool)
        value = np.where(field.femur_triangle[frame] >= 0, np.nan_to_num(field.pressure[frame]), 0.0)
        centres.append(surface_points(scene, field.name, frame)[mesh.triangles[free]].mean(axis=1))
        values.append(value[free].astype(np.float64))
        areas.append(triangle_areas(mesh)[free])
    return np.concatenate(centres), np.concatenate(values), np.concatenate(areas)


def _twice_area_normal(points: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0.0, length, 1.0)


def _gather(triangles: NDArray[np.int32], value: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Sum over the triangles around each point of a value per triangle, (m,) or (m, 3)."""
    if value.ndim == 1:
        return np.sum([np.bincount(triangles[:, corner], value, count) for corner in range(3)], axis=0)
    return np.stack([_gather(triangles, value[:, axis], count) for axis in range(value.shape[1])], axis=1)
