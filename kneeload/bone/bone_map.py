"""One linear map per bone: from contact fields to patches of load, and from patches to stress under the points of each region."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.halfspace import SHALLOWEST, influence
from kneeload.bone.model import BoneModel
from kneeload.bone.patches import (
    Facets,
    Route,
    Samples,
    articular_patches,
    border,
    cluster,
    direct_route,
    facets,
    join_facets,
    merge,
    region_samples,
    spread_route,
    subspinous_strip,
)
from kneeload.contact.cycle import SurfaceField
from kneeload.errors import InputError
from kneeload.kernels.halfspace import collect, spread_columns
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy
from kneeload.subject.surface import ArticularSurface

REGIONS = len(MOAKS_REGIONS)
SUBSPINOUS = MOAKS_REGIONS.index("tibia_subspinous")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoneMap:
    """What one bone makes of contact.

    Attributes:
        patches: where force enters.
        samples: surface points of its regions.
        depths: (d,) mm.
        influence: (d, n, P) MPa per N; vertical compressive stress under the points.
        casting_area: field name -> (m,) mm2.
        routes: field name -> route of its force to the patches; on the femur one route for all fields, under "femur".
    """

    patches: Facets
    samples: Samples
    depths: NDArray[np.float64]
    influence: NDArray[np.float32]
    casting_area: Mapping[str, NDArray[np.float64]]
    routes: Mapping[str, Route]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KneeMap:
    """The three bones of a knee.

    Attributes:
        femur, tibia, patella: map of each bone.
        region_area: (15,) mm2; area of each region, for the subspinous region that of its strip.
        strip: (P,) MPa per N; mean stress of the subspinous region over its points and all depths for a unit force on each tibial patch.
    """

    femur: BoneMap
    tibia: BoneMap
    patella: BoneMap
    region_area: NDArray[np.float64]
    strip: NDArray[np.float32]

    def own_route(self, field: str) -> Route:
        """Return the route of a field to its own bone (a meniscus to the tibia)."""
        return (self.patella if field == "patella" else self.tibia).routes[field]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldLoads:
    """Load of one cycle (T frames).

    Attributes:
        force: (T, 15) N per region.
        area: (T, 15) mm2 in contact per region.
        peak: (T, 15) MPa; largest pressure per region.
        femur, tibia, patella: (T, P) N per patch of that bone.
    """

    force: NDArray[np.float64]
    area: NDArray[np.float64]
    peak: NDArray[np.float64]
    femur: NDArray[np.float32]
    tibia: NDArray[np.float32]
    patella: NDArray[np.float32]


def _smooth(field: NDArray[np.float32], patches: Facets, deviation: float) -> NDArray[np.float32]:
    """Return the influence (d, n, P) of patches whose force is a Gaussian bell over its neighbours with this standard deviation in mm.

    The femur receives its load triangle by triangle from casting triangles of about its own size, so that neighbouring patches
    get unequal numbers of them; the bell takes that noise out and leaves the sum.
    """
    from scipy.spatial import cKDTree

    pairs = cKDTree(patches.centres).query_pairs(2.5 * deviation, output_type="ndarray")
    count = patches.areas.shape[0]
    row = np.concatenate([np.arange(count), pairs[:, 0], pairs[:, 1]])
    column = np.concatenate([np.arange(count), pairs[:, 1], pairs[:, 0]])
    square = ((patches.centres[row] - patches.centres[column]) ** 2).sum(axis=1)
    facing = np.einsum("ij,ij->i", patches.normals[row], patches.normals[column]) > 0.0
    weight = np.where(facing | (row == column), (patches.areas[column] + 1e-12) * np.exp(-0.5 * square / deviation**2), 0.0)
    weight /= np.bincount(row, weight, count)[row]
    order = np.argsort(row, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=count))])
    out = np.empty_like(field)
    spread_columns(field.reshape(-1, count), start, column[order], weight[order].astype(np.float32), out.reshape(-1, count))
    return out


def _bone_map(patches: Facets, samples: Samples, areas: dict[str, NDArray[np.float64]], routes: dict[str, Route], model: BoneModel, *,
              smooth: bool = False) -> BoneMap:
    depths = np.array(sorted({*model.depths_mm, model.stimulus_depth_mm}))
    radii = np.minimum(np.sqrt(patches.areas / np.pi), depths[0] / SHALLOWEST)  # a coarse triangle counts as a smaller disc
    field = influence(samples.points, samples.normals, patches.centres, patches.normals, radii, depths)
    if smooth:
        field = _smooth(field, patches, 0.75 * model.patch_mm)
    field.setflags(write=False)
    return BoneMap(patches=patches, samples=samples, depths=depths, influence=field, casting_area=areas, routes=routes)


def _single_surface(surface: ArticularSurface, name: str, casting: dict[str, NDArray[np.float64]], model: BoneModel) -> BoneMap:
    shape = facets(surface.mesh)
    patch, patches = articular_patches(shape, surface.region, model.patch_mm)
    samples = region_samples(shape, surface.region, border(surface.mesh, surface.region), model.points_per_region)
    return _bone_map(patches, samples, casting, {name: direct_route(surface.region, patch)}, model, smooth=name == "femur")


def _tibia(anatomy: KneeAnatomy, casting: dict[str, NDArray[np.float64]], model: BoneModel) -> BoneMap:
    plateaus = (anatomy.tibia_medial, anatomy.tibia_lateral)
    shapes = [facets(s.mesh) for s in plateaus]
    numbers = [cluster(s, model.patch_mm) for s in shapes]
    numbers[1] = numbers[1] + (numbers[0].max(initial=-1) + 1)
    joined, patch = join_facets(shapes), np.concatenate(numbers)
    patches = merge(joined, patch)
    routes: dict[str, Route] = {}
    menisci = (anatomy.medial_meniscus, anatomy.lateral_meniscus)
    for side, surface, shape, number, meniscus in zip(("medial", "lateral"), plateaus, shapes, numbers, menisci):
        routes[f"tibia_{side}"] = direct_route(surface.region, number)
        if meniscus is not None:
            routes[f"{side}_meniscus"] = spread_route(meniscus.surface, facets(meniscus.surface.mesh), shape, surface.region, patches,
                                                      np.unique(number))
    region = np.concatenate([s.region for s in plateaus])
    strip = subspinous_strip(*shapes)
    edge = np.concatenate([border(s.mesh, s.region) for s in plateaus])
    samples = region_samples(joined, region, edge, model.points_per_region, None if strip is None else (SUBSPINOUS, strip))
    return _bone_map(patches, samples, casting, routes, model)


_building = threading.Lock()


def knee_map(anatomy: KneeAnatomy, model: BoneModel) -> KneeMap:
    """Return the maps of a knee; kept for the last four pairs of anatomy (by identity) and model, since they take tenths of a second."""
    with _building:  # a case and its reference person often share one knee: the second thread takes what the first has built
        return _knee_map(anatomy, model)


@lru_cache(maxsize=4)
def _knee_map(anatomy: KneeAnatomy, model: BoneModel) -> KneeMap:
    surfaces = {"tibia_medial": anatomy.tibia_medial, "tibia_lateral": anatomy.tibia_lateral, "patella": anatomy.patella}
    for name, meniscus in (("medial_meniscus", anatomy.medial_meniscus), ("lateral_meniscus", anatomy.lateral_meniscus)):
        if meniscus is not None:
            surfaces[name] = meniscus.surface
    casting = {name: np.ascontiguousarray(surface.mesh.areas) for name, surface in surfaces.items()}
    femur = _single_surface(anatomy.femur, "femur", casting, model)
    patella = _single_surface(anatomy.patella, "patella", casting, model)
    tibia = _tibia(anatomy, casting, model)
    area = np.zeros(REGIONS)
    for bone in (femur, tibia, patella):
        area += np.bincount(bone.samples.region, bone.samples.areas, REGIONS)
    strip = _strip(tibia)
    for array in (area, strip):
        array.setflags(write=False)
    return KneeMap(femur=femur, tibia=tibia, patella=patella, region_area=area, strip=strip)


def _strip(tibia: BoneMap) -> NDArray[np.float32]:
    points = np.flatnonzero(tibia.samples.region == SUBSPINOUS)
    if not points.size:
        return np.zeros(tibia.patches.areas.shape[0], np.float32)
    weight = tibia.samples.areas[points] / tibia.samples.areas[points].sum()
    return (weight @ tibia.influence[:, points].mean(axis=0)).astype(np.float32)


def _add(field: SurfaceField, target: NDArray, route: Route, area: NDArray[np.float64],
         totals: tuple[NDArray, NDArray, NDArray], patch_force: NDArray[np.float32]) -> None:
    bad = collect(field.pressure, area, target, route.region, route.start, route.patch, route.share, *totals, patch_force)
    if bad:
        raise InputError("contact pressure", where=field.name, got=f"{bad} values below zero or not finite", allowed="0 MPa or more",
                         why="contact only pushes")


def field_loads(knee: KneeMap, fields: tuple[SurfaceField, ...]) -> FieldLoads:
    """Return what the contact fields of one cycle put on regions and patches.

    Each field loads its own bone (a meniscus loads the tibia) and, through `femur_triangle`, the femur with the same forces: pressure
    times the area of the casting triangle.

    Raises:
        InputError: a field of an unknown surface, of the wrong shape, or with negative or non-finite pressure.
    """
    frames = fields[0].pressure.shape[0] if fields else 0
    totals = (np.zeros((frames, REGIONS)), np.zeros((frames, REGIONS)), np.zeros((frames, REGIONS)))
    force = {name: np.zeros((frames, bone.patches.areas.shape[0]), np.float32)
             for name, bone in (("femur", knee.femur), ("tibia", knee.tibia), ("patella", knee.patella))}
    for field in fields:
        area = knee.femur.casting_area.get(field.name)
        if area is None:
            raise InputError("contact field", where="ContactCycle.fields", got=field.name,
                             allowed="a casting surface of the anatomy: " + ", ".join(knee.femur.casting_area), why="its area is needed")
        if field.pressure.shape != (frames, area.shape[0]) or field.femur_triangle.shape != field.pressure.shape:
            raise InputError("contact field", where=field.name, got=field.pressure.shape, allowed=f"shape {(frames, area.shape[0])}",
                             why="every triangle of the surface has a pressure in every frame")
        same = np.arange(area.shape[0], dtype=np.int32)[None]
        bone = "patella" if field.name == "patella" else "tibia"
        _add(field, same, knee.own_route(field.name), area, totals, force[bone])
        _add(field, field.femur_triangle, knee.femur.routes["femur"], area, totals, force["femur"])
    return FieldLoads(force=totals[0], area=totals[1], peak=totals[2], **force)


def stress_under(bone: BoneMap, patch_force: NDArray[np.float32], depths: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return (T, k, n) MPa, compression positive: stress at the k depth numbers under the n sample points for N per patch (T, P)."""
    frames, points = patch_force.shape[0], bone.samples.region.shape[0]
    active = np.flatnonzero(patch_force.any(axis=0))
    out = np.empty((frames, depths.shape[0], points), np.float32)
    force = np.ascontiguousarray(patch_force[:, active])
    for k, depth in enumerate(depths):
        np.matmul(force, bone.influence[depth][:, active].T, out=out[:, k])
    return out
