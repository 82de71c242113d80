"""Patella of the reference knee: cartilage as a smooth height field x(y, z) with a median ridge, sized and worn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.patch import Outline, SplinePatch, scaled_outline, scaled_patch, triangulate
from kneeload.subject.person import Sex
from kneeload.subject.plateau import MINIMUM_THICKNESS_MM, calibrated
from kneeload.subject.regions import patella_regions
from kneeload.subject.size import axis_factors
from kneeload.subject.source_knee import source_arrays, unpack_outline, unpack_patch
from kneeload.subject.surface import ArticularSurface, LayerMaterial, TriangleMesh

MEAN_THICKNESS_MM = 2.76  # young and middle-aged men, Hudelmaier 2001 (PMID 11237657); women within 0.1 mm of it is an assumption
TRIANGLES_PER_MM2 = 3.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatellaShape:
    """Cartilage of the mean patella of a sex, patella frame.

    Attributes:
        depth: x over (y, z), mm.
        layer: thickness over (y, z) before the limits, mm.
        layer_factor: factor on it that gives the published mean, no unit.
        outline: border in (y, z), mm.
        mesh: triangles on the height field, mm, normals backwards.
        thickness_mm: (m,) mm; cartilage thickness per triangle.
        normal: (n, 3) no unit; unit normals at the points.
        region: (m,) no unit; index into MOAKS_REGIONS.
    """

    depth: SplinePatch
    layer: SplinePatch
    layer_factor: float
    outline: Outline
    mesh: TriangleMesh
    thickness_mm: NDArray[np.float64]
    normal: NDArray[np.float64]
    region: NDArray[np.int8]

    def thickness_at(self, yz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cartilage thickness (n,) in mm at points (n, 2) mm; beyond the border that of the border."""
        inside = self.outline.clamped(yz, 0.97)
        return np.maximum(self.layer(inside[:, 0], inside[:, 1]) * self.layer_factor, MINIMUM_THICKNESS_MM)


@lru_cache(maxsize=8)
def mean_patella(sex: Sex, triangles_per_mm2: float = TRIANGLES_PER_MM2) -> PatellaShape:
    """Patellar cartilage of the mean man or woman with its published mean thickness."""
    x, y, z = axis_factors(sex)
    plane, arrays = np.array([y, z]), source_arrays()
    depth = scaled_patch(unpack_patch(arrays, "patella_surface"), x, plane)
    layer = scaled_patch(unpack_patch(arrays, "patella_thickness"), 1.0, plane)
    outline = scaled_outline(unpack_outline(arrays, "patella_outline"), plane)
    yz, faces = triangulate(outline, triangles_per_mm2=triangles_per_mm2)
    mesh = TriangleMesh(points=np.column_stack([depth(yz[:, 0], yz[:, 1]), yz]), triangles=faces[:, ::-1].copy())
    centre = yz[faces].mean(axis=1)
    factor, thickness = calibrated(layer(centre[:, 0], centre[:, 1]), mesh.areas, MEAN_THICKNESS_MM, MINIMUM_THICKNESS_MM)
    normal = np.column_stack([-np.ones(len(yz)), depth(yz[:, 0], yz[:, 1], du=1), depth(yz[:, 0], yz[:, 1], dv=1)])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return PatellaShape(depth=depth, layer=layer, layer_factor=factor, outline=outline, mesh=mesh, thickness_mm=thickness, normal=normal,
                        region=patella_regions(mesh))


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
    shape = mean_patella(sex, triangles_per_mm2)
    gained = 0.0 if scale == 1.0 else ((scale - 1.0) * shape.thickness_at(shape.mesh.points[:, 1:]))[:, None] * shape.normal
    points = (shape.mesh.points * size + gained) * np.array([1.0, 1.0, widening])
    return ArticularSurface(name="patella", body="patella", mesh=TriangleMesh(points=points, triangles=shape.mesh.triangles),
                            thickness_mm=shape.thickness_mm * scale, material=material, region=shape.region)
