"""Tibial plateaus of the reference knee: smooth height fields with cartilage, sized, worn and tilted to a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.patch import Outline, SplinePatch, scaled_outline, scaled_patch, triangulate
from kneeload.subject.person import Sex
from kneeload.subject.regions import tibia_regions
from kneeload.subject.size import axis_factors
from kneeload.subject.source_knee import source_arrays, unpack_outline, unpack_patch
from kneeload.subject.surface import ArticularSurface, LayerMaterial, TriangleMesh
from kneeload.units import DEG

MEAN_THICKNESS_MM = {"medial": 1.73, "lateral": 2.09}  # Eckstein 2010 (doi 10.1016/j.joca.2010.07.010), 686 knees without osteoarthritis
MINIMUM_THICKNESS_MM = 0.8  # rims taper to nothing; a layer without thickness has no finite stiffness (assumption, 0.5 to 1 mm)
TRIANGLES_PER_MM2 = 3.0
REFERENCE_MPTA_DEG = 87.0
"""MPTA of the plateaus before any tilt. On the source knee the line through the two plateau centres makes 86.2 degrees with the y axis
on the cartilage and 88.4 on the bone; their mean is 87.3, as good as the norm of 87, which is therefore its definition here."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlateauShape:
    """A plateau before tilt: the smooth height field y(x, z), its thickness and outline, and the mesh on it.

    Attributes:
        side: "medial" or "lateral".
        height: y over (x, z), mm, tibia frame.
        layer: thickness over (x, z) before the limits, mm.
        layer_factor: factor on it that gives the published mean, no unit.
        outline: border in (x, z), mm.
        mesh: triangles on the height field, mm, tibia frame, normals up.
        thickness_mm: (m,) mm; cartilage thickness per triangle.
        normal: (n, 3) no unit, tibia frame; unit normals at the points.
        region: (m,) no unit; index into MOAKS_REGIONS.
    """

    side: str
    height: SplinePatch
    layer: SplinePatch
    layer_factor: float
    outline: Outline
    mesh: TriangleMesh
    thickness_mm: NDArray[np.float64]
    normal: NDArray[np.float64]
    region: NDArray[np.int8]

    def surface_y(self, xz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Height (n,) in mm of the cartilage below points (n, 2) mm; beyond the border that of the border."""
        inside = self.outline.clamped(xz, 0.97)
        return self.height(inside[:, 0], inside[:, 1])

    def thickness_at(self, xz: NDArray[np.float64]) -> NDArray[np.float64]:
        """Cartilage thickness (n,) in mm at points (n, 2) mm; beyond the border that of the border."""
        inside = self.outline.clamped(xz, 0.97)
        return np.maximum(self.layer(inside[:, 0], inside[:, 1]) * self.layer_factor, MINIMUM_THICKNESS_MM)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tilt:
    """How a person's plateaus are turned against the mean knee's, in the tibia frame.

    Attributes:
        mpta_change_deg: rotation of both plateaus about x through `middle_mm`, degrees.
        slope_change_deg: rotation of each plateau about z through its centre, degrees; applied before the other.
        middle_mm: (3,) mm; halfway between the contact centres.
        centre_mm: (3,) mm per side; contact centres.
    """

    mpta_change_deg: float
    slope_change_deg: Mapping[str, float]
    middle_mm: NDArray[np.float64]
    centre_mm: Mapping[str, NDArray[np.float64]]

    def turn(self, side: str) -> NDArray[np.float64]:
        """Rotation (3, 3) of one plateau, no unit."""
        return rotation_x(self.mpta_change_deg) @ rotation_z(self.slope_change_deg[side])

    def apply(self, side: str, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (n, 3) mm of one plateau after the tilt."""
        centre = self.centre_mm[side]
        sloped = centre + (points_mm - centre) @ rotation_z(self.slope_change_deg[side]).T
        return self.middle_mm + (sloped - self.middle_mm) @ rotation_x(self.mpta_change_deg).T

    @property
    def mean_turn(self) -> NDArray[np.float64]:
        """Rotation (3, 3) with the mean of the two slope changes, no unit."""
        return rotation_x(self.mpta_change_deg) @ rotation_z(float(np.mean(list(self.slope_change_deg.values()))))


def plateau_tilt(*, mpta_deg: float, slope_deg: Mapping[str, float], reference_slope_deg: Mapping[str, float],
                 centre_mm: Mapping[str, NDArray[np.float64]]) -> Tilt:
    """Tilt that gives the mean knee's plateaus an MPTA and slopes, all in degrees; contact centres (3,) mm per side."""
    change = {side: slope_deg[side] - reference_slope_deg[side] for side in centre_mm}
    return Tilt(mpta_change_deg=mpta_deg - REFERENCE_MPTA_DEG, slope_change_deg=change, centre_mm=centre_mm,
                middle_mm=np.mean(list(centre_mm.values()), axis=0))


@lru_cache(maxsize=8)
def mean_plateau(side: str, sex: Sex, triangles_per_mm2: float = TRIANGLES_PER_MM2) -> PlateauShape:
    """Plateau of the mean man or woman with cartilage of published mean thickness, not yet set against the femur."""
    x, y, z = axis_factors(sex)
    plane = np.array([x, z])
    arrays = source_arrays()
    height = scaled_patch(unpack_patch(arrays, f"tibia_{side}_surface"), y, plane)
    layer = scaled_patch(unpack_patch(arrays, f"tibia_{side}_thickness"), 1.0, plane)
    outline = scaled_outline(unpack_outline(arrays, f"tibia_{side}_outline"), plane)
    xz, faces = triangulate(outline, triangles_per_mm2=triangles_per_mm2)
    mesh = TriangleMesh(points=np.column_stack([xz[:, 0], height(xz[:, 0], xz[:, 1]), xz[:, 1]]), triangles=faces[:, ::-1].copy())
    centre = xz[faces].mean(axis=1)
    factor, thickness = calibrated(layer(centre[:, 0], centre[:, 1]), mesh.areas, MEAN_THICKNESS_MM[side], MINIMUM_THICKNESS_MM)
    normal = np.column_stack([-height(xz[:, 0], xz[:, 1], du=1), np.ones(len(xz)), -height(xz[:, 0], xz[:, 1], dv=1)])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    return PlateauShape(side=side, height=height, layer=layer, layer_factor=factor, outline=outline, mesh=mesh, thickness_mm=thickness,
                        normal=normal, region=tibia_regions(mesh, side))


def calibrated(pattern: NDArray[np.float64], area: NDArray[np.float64], mean_mm: float, minimum_mm: float) -> tuple[float, NDArray[np.float64]]:
    """Factor on a thickness pattern (m,) mm, with a lower limit, so that its mean over the areas (m,) mm2 is `mean_mm`; and the result (m,)."""
    factor = mean_mm / float(np.average(pattern, weights=area))
    for _ in range(60):
        thickness = np.maximum(pattern * factor, minimum_mm)
        factor *= mean_mm / float(np.average(thickness, weights=area))
    return factor, np.maximum(pattern * factor, minimum_mm)


def lowered(shape: PlateauShape, drop_mm: float) -> PlateauShape:
    """The plateau moved down along y."""
    points = shape.mesh.points - np.array([0.0, drop_mm, 0.0])
    height = replace(shape.height, coefficients=shape.height.coefficients - drop_mm)
    return replace(shape, height=height, mesh=TriangleMesh(points=points, triangles=shape.mesh.triangles))


def worn_points(shape: PlateauShape, scale: float) -> NDArray[np.float64]:
    """Points (n, 3) mm of the plateau with cartilage `scale` times as thick: moved along the normal by (scale - 1) times the thickness."""
    thickness = shape.thickness_at(shape.mesh.points[:, [0, 2]])
    moved: NDArray[np.float64] = shape.mesh.points + ((scale - 1.0) * thickness)[:, None] * shape.normal
    return moved


def tilted_plateau(shape: PlateauShape, material: LayerMaterial, *, size: float = 1.0, cartilage_scale: float = 1.0, tilt: Tilt | None = None,
                   widening: float = 1.0) -> ArticularSurface:
    """Cartilage of a person's plateau, tibia frame.

    Args:
        shape: plateau of the mean knee.
        material: of the cartilage.
        size: person over mean knee, no unit.
        cartilage_scale: thickness over its reference, no unit; the surface moves along its normal by what is lost.
        tilt: of the person; None for none.
        widening: further factor along z, no unit.
    """
    lost = 0.0 if cartilage_scale == 1.0 else worn_points(shape, cartilage_scale) - shape.mesh.points
    points = (shape.mesh.points * size + lost) * np.array([1.0, 1.0, widening])
    if tilt is not None:
        points = tilt.apply(shape.side, points)
    thickness = shape.thickness_mm * cartilage_scale
    return ArticularSurface(name=f"tibia_{shape.side}", body="tibia", mesh=TriangleMesh(points=points, triangles=shape.mesh.triangles),
                            thickness_mm=thickness, material=material, region=shape.region)


def sagittal_slope_deg(shape: PlateauShape) -> float:
    """Posterior slope of a plateau before tilt, degrees (positive: falls posteriorly).

    The line fitted to the cartilage over the middle 60 % of the anteroposterior extent, in the middle third of the width.
    """
    low, high = shape.mesh.points.min(axis=0), shape.mesh.points.max(axis=0)
    x = np.linspace(low[0] + 0.2 * (high[0] - low[0]), high[0] - 0.2 * (high[0] - low[0]), 41)
    z = np.linspace(low[2] + (high[2] - low[2]) / 3.0, high[2] - (high[2] - low[2]) / 3.0, 11)
    grid = shape.height(*np.meshgrid(x, z, indexing="ij"))
    slope = np.polyfit(x, grid.mean(axis=1), 1)[0]
    return float(np.degrees(np.arctan(slope)))


def rotation_x(angle_deg: float) -> NDArray[np.float64]:
    """Rotation about x (3, 3): positive lowers the lateral side (z > 0 turns towards -y)."""
    c, s = np.cos(angle_deg * DEG), np.sin(angle_deg * DEG)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def rotation_z(angle_deg: float) -> NDArray[np.float64]:
    """Rotation about z (3, 3): positive lifts the front (x > 0 turns towards +y), so the plateau falls posteriorly."""
    c, s = np.cos(angle_deg * DEG), np.sin(angle_deg * DEG)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
