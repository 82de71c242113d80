"""Patella of the reference knee: cartilage as a smooth height field x(y, z) with a median ridge, sized and worn."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.patch import scaled_outline, scaled_patch, triangulate
from kneeload.subject.person import Sex
from kneeload.subject.plateau import MINIMUM_THICKNESS_MM, calibrated
from kneeload.subject.regions import patella_regions
from kneeload.subject.size import axis_factors
from kneeload.subject.source_knee import source_arrays, unpack_outline, unpack_patch
from kneeload.subject.surface import ArticularSurface, LayerMaterial, TriangleMesh

MEAN_THICKNESS_MM = 2.76  # young and middle-aged men, Hudelmaier 2001 (PMID 11237657); women within 0.1 mm of it is an assumption
TRIANGLES_PER_MM2 = 3.0


@lru_cache(maxsize=8)
def _mean_patella(sex: Sex, triangles_per_mm2: float) -> tuple[TriangleMesh, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int8]]:
    """Mesh, thickness per triangle, unit normals and thickness per point, and region of the mean patella."""
    x, y, z = axis_factors(sex)
    plane, arrays = np.array([y, z]), source_arrays()
    depth = scaled_patch(unpack_patch(arrays, "patella_surface"), x, plane)
    layer = scaled_patch(unpack_patch(arrays, "patella_thickness"), 1.0, plane)
    yz, faces = triangulate(scaled_outline(unpack_outline(arrays, "patella_outline"), plane), triangles_per_mm2=triangles_per_mm2)
    mesh = TriangleMesh(points=np.column_stack([depth(yz[:, 0], yz[:, 1]), yz]), triangles=faces[:, ::-1].copy())
    centre = yz[faces].mean(axis=1)
    factor, thickness = calibrated(layer(centre[:, 0], centre[:, 1]), mesh.areas, MEAN_THICKNESS_MM, MINIMUM_THICKNESS_MM)
    normal = np.column_stack([-np.ones(len(yz)), depth(yz[:, 0], yz[:, 1], du=1), depth(yz[:, 0], yz[:, 1], dv=1)])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    at_points = np.maximum(layer(yz[:, 0], yz[:, 1]) * factor, MINIMUM_THICKNESS_MM)
    return mesh, thickness, normal, at_points, patella_regions(mesh)


def patellar_cartilage(sex: Sex, size: float, scale: float, material: LayerMaterial, *, widening: float = 1.0,
                       triangles_per_mm2: float = TRIANGLES_PER_MM2) -> ArticularSurface:
    """Cartilage of the patella of a person, patella frame.

    Args:
        sex: mean knee to start from.
        size: person over mean knee, no unit.
        scale: cartilage thickness over its reference, no unit; the surface moves by (scale - 1) times the thickness along its normal.
        material: of the layer.
        widening: further factor along z, no unit.
    """
    mesh, thickness, normal, at_points, region = _mean_patella(sex, triangles_per_mm2)
    points = (mesh.points * size + ((scale - 1.0) * at_points)[:, None] * normal) * np.array([1.0, 1.0, widening])
    thickness = thickness * scale
    for array in (points, mesh.triangles, thickness):
        array.setflags(write=False)
    return ArticularSurface(name="patella", body="patella", mesh=TriangleMesh(points=points, triangles=mesh.triangles), thickness_mm=thickness,
                            material=material, region=region)
