"""Femur of the reference knee: outer surface of bone and cartilage, its level set, and the cartilage thickness."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.distance import evaluate, level_set_from_mesh
from kneeload.subject.isosurface import extract, project
from kneeload.subject.level_set import LevelSet
from kneeload.subject.person import Sex
from kneeload.subject.proximity import nearest_on_mesh
from kneeload.subject.regions import femur_regions
from kneeload.subject.source_knee import source_arrays, unpack_level_set
from kneeload.subject.stored_meshes import stored_mesh, stored_nearest
from kneeload.subject.surface import TriangleMesh

TRIANGLE_MM = 1.7  # grid of the mesh: about 20,000 triangles
MEAN_THICKNESS_MM = {"medial": 1.86, "lateral": 1.77}  # central femur, Eckstein 2010 (doi 10.1016/j.joca.2010.07.010), 686 knees
_BARE_MM = 0.3  # thinner cover is the rim's numerical tail: bare bone


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FemurShape:
    """A femur: mesh, thickness and region per triangle, and the level set of the same surface.

    Attributes:
        mesh: closed outer surface, mm, femur frame.
        thickness_mm: (m,) mm; cartilage thickness per triangle, 0 on bare bone.
        region: (m,) no unit; index into MOAKS_REGIONS, -1 on bare bone.
        level_set: signed distance to the mesh, femur frame.
        point_thickness_mm: (n,) mm; cartilage thickness per point.
    """

    mesh: TriangleMesh
    thickness_mm: NDArray[np.float64]
    region: NDArray[np.int8]
    level_set: LevelSet
    point_thickness_mm: NDArray[np.float64]


@lru_cache(maxsize=2)
def mean_femur(sex: Sex) -> FemurShape:
    """Femur of the mean man or woman with cartilage of published mean thickness."""
    level_set, mesh = unpack_level_set(source_arrays(), f"femur_{sex}"), stored_mesh(f"femur_{sex}")
    raw = sample_nodes(level_set, level_set.thickness_mm, mesh.centroids)
    region = femur_regions(mesh, raw > _BARE_MM)
    factor = _plate_factors(mesh, raw, region)
    nodes = node_positions(level_set)
    scaled = level_set.thickness_mm * _blend(factor, nodes[..., 2]).astype(np.float32)
    scaled[scaled < _BARE_MM] = 0.0
    level_set = replace(level_set, thickness_mm=scaled, nearest_triangle=stored_nearest(f"femur_{sex}"))
    centre = mesh.centroids
    thickness = np.where(region >= 0, raw * _blend(factor, centre[:, 2]), 0.0)
    at_points = sample_nodes(level_set, scaled, mesh.points)
    return _frozen(FemurShape(mesh=mesh, thickness_mm=thickness, region=region, level_set=level_set, point_thickness_mm=at_points))


def extracted_femur(sex: Sex) -> tuple[TriangleMesh, NDArray[np.int32]]:
    """Mesh of the mean femur and its nearest triangle at every node, both measured from the coefficients (`stored_meshes` keeps them)."""
    level_set = unpack_level_set(source_arrays(), f"femur_{sex}")
    found = extract(level_set, spacing_mm=TRIANGLE_MM)
    mesh = TriangleMesh(points=found.points.astype(np.float32).astype(np.float64), triangles=found.triangles)
    return mesh, _nearest(mesh, level_set, node_positions(level_set))


def sized_femur(shape: FemurShape, factor: float) -> FemurShape:
    """The femur in another size (uniform, exact for the level set); thickness stays."""
    level_set = replace(shape.level_set, coefficients=shape.level_set.coefficients * factor, origin_mm=shape.level_set.origin_mm * factor,
                        spacing_mm=shape.level_set.spacing_mm * factor, band_mm=shape.level_set.band_mm * factor)
    return _frozen(replace(shape, mesh=TriangleMesh(points=shape.mesh.points * factor, triangles=shape.mesh.triangles), level_set=level_set))


def widened_femur(shape: FemurShape, factor: float) -> FemurShape:
    """The femur stretched along z; its level set is measured anew, since stretched distances are none."""
    mesh = TriangleMesh(points=shape.mesh.points * np.array([1.0, 1.0, factor]), triangles=shape.mesh.triangles)
    level_set = level_set_from_mesh(mesh, shape.thickness_mm, spacing_mm=shape.level_set.spacing_mm, band_mm=shape.level_set.band_mm)
    mesh = TriangleMesh(points=project(level_set, mesh.points), triangles=mesh.triangles)
    return _frozen(replace(shape, mesh=mesh, level_set=level_set))


def worn_femur(shape: FemurShape, scale: float) -> FemurShape:
    """The femur with cartilage `scale` times as thick: the surface moves by (1 - scale) times the thickness towards the bone.

    The thickness is constant along the surface normal, so adding it to the signed distance keeps a signed distance to second order in
    the slope of the thickness.
    """
    if scale == 1.0:
        return shape
    lost = (1.0 - scale) * _smooth(shape.level_set.thickness_mm)
    level_set = replace(shape.level_set, coefficients=shape.level_set.coefficients + lost,
                        thickness_mm=shape.level_set.thickness_mm * np.float32(scale))
    mesh = TriangleMesh(points=project(level_set, shape.mesh.points, steps=4), triangles=shape.mesh.triangles)
    return _frozen(replace(shape, mesh=mesh, level_set=level_set, thickness_mm=shape.thickness_mm * scale,
                           point_thickness_mm=shape.point_thickness_mm * scale))


_smoothed: dict[int, tuple[NDArray[np.float32], NDArray[np.float64]]] = {}  # by identity; the array itself is kept, so that its number stays its own


def _smooth(thickness_mm: NDArray[np.float32]) -> NDArray[np.float64]:
    """Thickness on the nodes without its steps, mm; remembered for the last few fields: femurs of one sex share theirs at any size."""
    known = _smoothed.get(id(thickness_mm))
    if known is None:
        while len(_smoothed) >= 4:
            _smoothed.pop(next(iter(_smoothed)), None)
        known = _smoothed[id(thickness_mm)] = thickness_mm, ndimage.gaussian_filter(thickness_mm.astype(np.float64), 0.5)
    return known[1]


def femur_bone(shape: FemurShape) -> TriangleMesh:
    """Bone below the cartilage: the outer surface moved inwards by the thickness; closed, mm, femur frame."""
    _, gradient = evaluate(shape.level_set, shape.mesh.points)
    normal = gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-9)
    points = shape.mesh.points - shape.point_thickness_mm[:, None] * normal
    points.setflags(write=False)
    return TriangleMesh(points=points, triangles=shape.mesh.triangles)


def node_positions(level_set: LevelSet) -> NDArray[np.float64]:
    """Positions (nx, ny, nz, 3) of the nodes, mm, frame of the body."""
    axes = [level_set.origin_mm[a] + level_set.spacing_mm * np.arange(n) for a, n in enumerate(level_set.coefficients.shape)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def sample_nodes(level_set: LevelSet, values: NDArray[np.floating], points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Trilinear value (n,) of a field on the nodes at points (n, 3) mm, frame of the body."""
    at = (points_mm - level_set.origin_mm) / level_set.spacing_mm
    return np.asarray(ndimage.map_coordinates(values.astype(np.float64), at.T, order=1, mode="nearest"))


def _plate_factors(mesh: TriangleMesh, thickness: NDArray[np.float64], region: NDArray[np.int8]) -> tuple[float, float]:
    area = mesh.areas
    factors = []
    for side in ("medial", "lateral"):
        here = region == MOAKS_REGIONS.index(f"femur_central_{side}")
        factors.append(MEAN_THICKNESS_MM[side] / float(np.average(thickness[here], weights=area[here])))
    return factors[0], factors[1]


def _blend(factor: tuple[float, float], z_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Medial factor on the medial condyle, lateral on the lateral, smoothly between over the middle 16 mm."""
    t = np.clip(0.5 + z_mm / 16.0, 0.0, 1.0)
    return factor[0] + (factor[1] - factor[0]) * t * t * (3.0 - 2.0 * t)


def _nearest(mesh: TriangleMesh, level_set: LevelSet, nodes: NDArray[np.float64]) -> NDArray[np.int32]:
    nearest = np.full(nodes.shape[:3], -1, dtype=np.int32)
    near = np.abs(level_set.coefficients) < level_set.band_mm
    nearest[near] = nearest_on_mesh(mesh, nodes[near], reach_mm=level_set.band_mm + 1.0).triangle
    return nearest


def _frozen(shape: FemurShape) -> FemurShape:
    for array in (shape.mesh.points, shape.thickness_mm, shape.region, shape.point_thickness_mm, shape.level_set.coefficients,
                  shape.level_set.origin_mm, shape.level_set.thickness_mm, shape.level_set.nearest_triangle):
        array.setflags(write=False)
    return shape
