"""Closed bodies of cartilage and menisci for pictures and files: the face, its base and the wall between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.anatomy import Meniscus
from kneeload.subject.proximity import edge_neighbours
from kneeload.subject.surface import ArticularSurface, TriangleMesh


def cartilage_body(surface: ArticularSurface) -> TriangleMesh:
    """Closed layer below an open articular surface: each point goes inwards along its normal by the thickness there; mm, same frame."""
    mesh = surface.mesh
    normal: NDArray[np.float64] = np.stack([np.bincount(mesh.triangles.ravel(), np.repeat(mesh.area_vectors[:, a], 3), minlength=len(mesh.points)) for a in range(3)], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    return closed_layer(mesh, mesh.points - point_mean(mesh, surface.thickness_mm)[:, None] * normal)


def meniscus_body(meniscus: Meniscus) -> TriangleMesh:
    """Closed wedge of a meniscus: the superior face, and the inferior one by the wedge height below it (along y); mm, tibia frame."""
    mesh = meniscus.surface.mesh
    return closed_layer(mesh, mesh.points - point_mean(mesh, meniscus.surface.thickness_mm)[:, None] * np.array([0.0, 1.0, 0.0]))


def point_mean(mesh: TriangleMesh, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean (n,) at each point of values (m,) of the triangles around it, weighted by area; same unit."""
    weight = np.repeat(mesh.areas, 3)
    total = np.bincount(mesh.triangles.ravel(), weight * np.repeat(values, 3), minlength=len(mesh.points))
    return total / np.maximum(np.bincount(mesh.triangles.ravel(), weight, minlength=len(mesh.points)), 1e-12)


def closed_layer(face: TriangleMesh, base_points_mm: NDArray[np.float64]) -> TriangleMesh:
    """Closed mesh of an open face and a base with the same triangles at other points (n, 3) mm, joined by a wall along the border."""
    n = len(face.points)
    edge, count = edge_neighbours(face.triangles)
    sides = face.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    start, end = sides[count[edge] == 1].T
    wall = np.concatenate([np.stack([end, start, start + n], axis=1), np.stack([end, start + n, end + n], axis=1)])
    triangles = np.concatenate([face.triangles, face.triangles[:, ::-1] + n, wall]).astype(np.int32)
    return TriangleMesh(points=np.concatenate([face.points, base_points_mm]), triangles=triangles)
