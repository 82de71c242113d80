"""Whether the density of the casting meshes matters: every triangle cut in two along its longest edge."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.contact.cycle import ContactCycle
from kneeload.contact.cycle_solver import solve_cycle
from kneeload.simulate import anatomy_of
from kneeload.subject.anatomy import KneeAnatomy, Meniscus
from kneeload.subject.person import Subject
from kneeload.subject.surface import ArticularSurface, TriangleMesh
from kneeload.validation.bench import Bench, activity_of, contact_of, run
from kneeload.validation.predictors.registry import predictor

Array = NDArray[np.float64]


def halved(mesh: TriangleMesh) -> TriangleMesh:
    """Return the mesh with every triangle cut in two at the middle of its longest edge: triangle i becomes 2 i and 2 i + 1.

    The middle lies on the cubic edge of curved point-normal triangles (Vlachos 2001, doi 10.1145/364338.364387), so that a smooth surface
    stays smooth: m = (a + b) / 2 + ((d n_b) n_b - (d n_a) n_a) / 8 with d = b - a and n the normals at the ends.
    """
    points, triangles = mesh.points, mesh.triangles
    corner = points[triangles]
    length = np.linalg.norm(corner - np.roll(corner, -1, axis=1), axis=2)
    first = np.argmax(length, axis=1)
    row = np.arange(len(triangles))
    a, b, c = (triangles[row, (first + k) % 3] for k in range(3))
    normal = _point_normals(mesh)
    edge = points[b] - points[a]
    bent = (edge * normal[b]).sum(axis=1, keepdims=True) * normal[b] - (edge * normal[a]).sum(axis=1, keepdims=True) * normal[a]
    middle = len(points) + row
    new = np.stack([np.stack([a, middle, c], axis=1), np.stack([middle, b, c], axis=1)], axis=1).reshape(-1, 3)
    return TriangleMesh(points=np.concatenate([points, 0.5 * (points[a] + points[b]) + bent / 8.0]), triangles=new.astype(np.int32))


def _point_normals(mesh: TriangleMesh) -> Array:
    """Area-weighted unit normals at the points, (n, 3) no unit."""
    normal = np.zeros_like(mesh.points)
    for k in range(3):
        np.add.at(normal, mesh.triangles[:, k], mesh.area_vectors)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)


def _surface(surface: ArticularSurface) -> ArticularSurface:
    return replace(surface, mesh=halved(surface.mesh), thickness_mm=np.repeat(surface.thickness_mm, 2), region=np.repeat(surface.region, 2))


def _meniscus(meniscus: Meniscus | None) -> Meniscus | None:
    if meniscus is None:
        return None
    return replace(meniscus, surface=_surface(meniscus.surface), outward=np.repeat(meniscus.outward, 2, axis=0),
                   tibial_thickness_mm=np.repeat(meniscus.tibial_thickness_mm, 2))


def doubled(anatomy: KneeAnatomy) -> KneeAnatomy:
    """Return the knee with twice as many springs on plateaus, menisci and patella; the femur is smooth and stays."""
    return replace(anatomy, tibia_medial=_surface(anatomy.tibia_medial), tibia_lateral=_surface(anatomy.tibia_lateral),
                   patella=_surface(anatomy.patella), medial_meniscus=_meniscus(anatomy.medial_meniscus),
                   lateral_meniscus=_meniscus(anatomy.lateral_meniscus), covered_medial=np.repeat(anatomy.covered_medial, 2),
                   covered_lateral=np.repeat(anatomy.covered_lateral, 2))


@lru_cache(maxsize=4)
def _dense(bench: Bench, subject: Subject, activity: str) -> ContactCycle:
    usual = run(bench, subject, activity_of(activity, subject))
    contact_of(usual)
    return solve_cycle(doubled(anatomy_of(bench.case_of(subject))), usual.motion.knee_flexion, usual.loads, bench.case.contact)


@predictor
def density_change_pct(bench: Bench, subject: Subject, *, compartment: str, activity: str = "walking",
                       quantity: str = "peak_pressure") -> float:
    """Change of the largest value over the activity when the casting meshes are twice as dense, %."""
    usual, dense = contact_of(run(bench, subject, activity_of(activity, subject))), _dense(bench, subject, activity)
    values = [float(getattr(getattr(cycle, compartment), quantity).max()) for cycle in (usual, dense)]
    return 100.0 * (values[1] / values[0] - 1.0)


@predictor
def triangles_per_mm2(bench: Bench, subject: Subject, *, surface: str) -> float:
    """Triangles per mm2 of a casting surface of the knee."""
    found: ArticularSurface = getattr(anatomy_of(bench.case_of(subject)), surface)
    return len(found.mesh.triangles) / found.area_mm2
