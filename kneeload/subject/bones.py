"""Bones of the reference knee as closed smooth meshes for pictures and depth: tibia and patella (the femur's is in `femur`)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.distance import evaluate
from kneeload.subject.isosurface import extract
from kneeload.subject.patella import mean_patella
from kneeload.subject.person import Sex
from kneeload.subject.plateau import PlateauShape, Tilt
from kneeload.subject.size import axis_factors
from kneeload.subject.source_knee import source_arrays, unpack_level_set
from kneeload.subject.stored_meshes import stored_mesh
from kneeload.subject.surface import TriangleMesh

TRIANGLE_MM = {"tibia": 1.4, "patella": 1.2}
FADE_MM = 40.0  # a tilt of the plateau fades out over this length of the tibia, as a metaphyseal deformity does (assumption)
_SPINE_MM = 8.0  # half width of the zone between the plateaus in which one slope passes into the other


@lru_cache(maxsize=4)
def mean_bone(name: str, sex: Sex) -> tuple[TriangleMesh, NDArray[np.float64]]:
    """Mesh of "tibia" or "patella" of the mean man or woman, and unit normals (n, 3) at its points."""
    level_set, mesh = unpack_level_set(source_arrays(), name), stored_mesh(name)
    factors = axis_factors(sex)
    normal = evaluate(level_set, mesh.points)[1] / factors
    return TriangleMesh(points=mesh.points * factors, triangles=mesh.triangles), normal / np.linalg.norm(normal, axis=1, keepdims=True)


def extracted_bone(name: str) -> TriangleMesh:
    """Mesh of "tibia" or "patella" of the source knee, measured from the coefficients (`stored_meshes` keeps it)."""
    return extract(unpack_level_set(source_arrays(), name), spacing_mm=TRIANGLE_MM[name])


@lru_cache(maxsize=4)
def _under_plateaus(sex: Sex, medial: PlateauShape, lateral: PlateauShape) -> TriangleMesh:
    """Tibia of the mean knee whose top lies below the plateaus by the thickness of their cartilage."""
    mesh, normal = mean_bone("tibia", sex)
    points = mesh.points.copy()
    for plateau in (medial, lateral):
        xz = points[:, [0, 2]]
        share = plateau.outline.share(xz)
        weight = _smoothstep((1.12 - share) / 0.12) * _smoothstep((normal[:, 1] - 0.2) / 0.3)
        bed = plateau.surface_y(xz) - plateau.thickness_at(xz)
        near = np.abs(points[:, 1] - bed) < 8.0
        points[:, 1] += np.where(near, weight * (bed - points[:, 1]), 0.0)
    points.setflags(write=False)
    return TriangleMesh(points=points, triangles=mesh.triangles)


@lru_cache(maxsize=2)
def _under_cartilage(sex: Sex) -> TriangleMesh:
    """Patella of the mean knee whose back lies in front of its cartilage surface by the thickness of the cartilage."""
    mesh, normal = mean_bone("patella", sex)
    shape, points = mean_patella(sex), mesh.points.copy()
    yz = shape.outline.clamped(points[:, 1:], 0.97)
    bed = shape.depth(yz[:, 0], yz[:, 1]) + shape.thickness_at(points[:, 1:])
    weight = _smoothstep((1.12 - shape.outline.share(points[:, 1:])) / 0.12) * _smoothstep((-normal[:, 0] - 0.2) / 0.3)
    points[:, 0] += np.where(np.abs(points[:, 0] - bed) < 6.0, weight * (bed - points[:, 0]), 0.0)
    return TriangleMesh(points=points, triangles=mesh.triangles)


def tibia_bone(sex: Sex, medial: PlateauShape, lateral: PlateauShape, size: float, tilt: Tilt, *, widening: float = 1.0) -> TriangleMesh:
    """Tibia of a person; the tilt of the plateaus fades out over the 40 mm below them.

    Args:
        sex: mean knee to start from.
        medial, lateral: plateaus of the mean knee, which shape the top.
        size: person over mean knee, no unit.
        tilt: of the person's plateaus.
        widening: further factor along z, no unit.
    """
    mesh = _under_plateaus(sex, medial, lateral)
    points = mesh.points * np.array([size, size, size * widening])
    fade = 1.0 - _smoothstep((tilt.middle_mm[1] - points[:, 1]) / (FADE_MM * size))
    lateral_share = _smoothstep(0.5 + (points[:, 2] - tilt.middle_mm[2]) / (2.0 * _SPINE_MM))
    moved = points.copy()
    for side, share in (("medial", 1.0 - lateral_share), ("lateral", lateral_share)):
        moved += (fade * share)[:, None] * (tilt.apply(side, points) - points)
    moved.setflags(write=False)
    return TriangleMesh(points=moved, triangles=mesh.triangles)


def _smoothstep(t: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def patella_bone(sex: Sex, size: float, widening: float = 1.0) -> TriangleMesh:
    """Patella of a person, patella frame, mm."""
    mesh = _under_cartilage(sex)
    points = mesh.points * np.array([size, size, size * widening])
    points.setflags(write=False)
    return TriangleMesh(points=points, triangles=mesh.triangles)
