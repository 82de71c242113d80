"""One linear map per bone: from contact fields to patches of load, and from patches to stress under the points of each region."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.halfspace import SHALLOWEST, fill_discs
from kneeload.bone.model import BoneModel
from kneeload.bone.patches import (
    Facets,
    Landing,
    Route,
    Samples,
    articular_patches,
    border,
    cluster,
    direct_route,
    facets,
    join_facets,
    merge,
    nearest,
    region_samples,
    spread_route,
    subspinous_strip,
)
from kneeload.contact.cycle import SurfaceField
from kneeload.errors import InputError
from kneeload.kernels.bone_stress import WHOLE, stress_rows
from kneeload.kernels.halfspace import bell_neighbours, spread_rows
from kneeload.kernels.loads import FRAMES, any_load, collect, list_loads, spread_loads
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
        begin: (r + 1,) no unit; samples begin[k]:begin[k + 1] belong to the k-th region of the bone.
        regions: (r,) no unit; those regions.
        influence: (d, P, n) MPa per N; vertical compressive stress under the points (n: up to a multiple of 8, zeros at the end). A row
            is filled when its patch is first loaded (`complete`): most patches never are, and all rows would take longer than all else.
        known: (d, P) no unit; True for the rows that are filled.
        deviation: mm; standard deviation of the bell that each force is spread over, 0 for none (`_bells`).
        routes: field name -> route of its force to the patches.
    """

    patches: Facets
    samples: Samples
    depths: NDArray[np.float64]
    begin: NDArray[np.int64]
    regions: NDArray[np.int64]
    influence: NDArray[np.float32]
    known: NDArray[np.bool_]
    deviation: float
    routes: Mapping[str, Route]

    def complete(self, loaded: NDArray[np.bool_], depths: NDArray[np.int64]) -> None:
        """Fill the rows of influence of the patches loaded (P,) at these depth numbers, where they are not yet known."""
        with _building:
            missing = np.flatnonzero((loaded[None] & ~self.known[depths]).any(axis=0))
            if missing.size:
                _fill(self, missing, depths)
                self.known[np.ix_(depths, missing)] = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KneeMap:
    """The three bones of a knee.

    Attributes:
        femur, tibia, patella: map of each bone.
        region_area: (15,) mm2; area of each region, for the subspinous region that of its strip.
        strip: (P,) MPa per N; mean stress of the subspinous region over its points and all depths for a unit force on each tibial patch.
        casting_area: field name -> (m,) mm2.
        landing: where forces land on the femur.
    """

    femur: BoneMap
    tibia: BoneMap
    patella: BoneMap
    region_area: NDArray[np.float64]
    strip: NDArray[np.float64]
    casting_area: Mapping[str, NDArray[np.float64]]
    landing: Landing

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadList:
    """The loaded patches of a bone, four frames at a time (Q times four frames).

    Attributes:
        patches: (c,) no unit; patches that are loaded in some frame.
        start: (Q + 1,) no unit; frames 4 q to 4 q + 3 have the entries start[q]:start[q + 1].
        index: (e,) no unit; patch of each entry.
        value: (e, 4) N.
    """

    patches: NDArray[np.int64]
    start: NDArray[np.int64]
    index: NDArray[np.int32]
    value: NDArray[np.float32]


def load_list(force: NDArray[np.float32]) -> LoadList:
    """Return the list of force (T, P) N."""
    frames, count = force.shape
    loaded = np.zeros(count, np.bool_)
    any_load(force, loaded)
    patches = np.flatnonzero(loaded)
    fours = -(-frames // FRAMES)
    room = (patches.shape[0] + 4) * fours
    out = LoadList(patches=patches, start=np.empty(fours + 1, np.int64), index=np.empty(room, np.int32), value=np.empty((room, FRAMES), np.float32))
    list_loads(force, patches, out.start, out.index, out.value)
    return out


def _bells(bone: BoneMap, chosen: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return (start, patch, part): the Gaussian bells over which the forces of the chosen patches are spread.

    The femur receives its load triangle by triangle from casting triangles of about its own size, so that neighbouring patches
    get unequal numbers of them; the bell takes that noise out and leaves the sum.
    """
    shape, room = bone.patches, 32 * chosen.shape[0]
    order = np.argsort(shape.centres[:, 0], kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(order.shape[0])
    start = np.empty(chosen.shape[0] + 1, np.int64)
    while True:
        patch, part = np.empty(room, np.int64), np.empty(room)
        room = bell_neighbours(order, place[chosen], chosen, shape.centres, shape.normals, shape.areas, bone.deviation, start, patch, part)
        if room <= patch.shape[0]:
            return start, patch[:room], part[:room].astype(np.float32)


def _fill(bone: BoneMap, chosen: NDArray[np.int64], depths: NDArray[np.int64]) -> None:
    """Fill the rows of influence of the chosen patches."""
    source = chosen
    if bone.deviation > 0.0:
        start, column, part = _bells(bone, chosen)
        source, column = np.unique(column, return_inverse=True)
    shape, samples, count = bone.patches, bone.samples, bone.influence.shape[2]
    points, normals = np.zeros((3, count)), np.zeros((3, count))
    points[:, :samples.region.shape[0]], normals[:, :samples.region.shape[0]] = samples.points.T, samples.normals.T
    rows = fill_discs(points, normals, shape.centres, shape.normals, _radii(shape, bone.depths), source, bone.depths[depths])
    for depth, row in zip(depths, rows):
        if bone.deviation > 0.0:
            spread_rows(row, start, column, part, chosen, bone.influence[depth])
        else:
            bone.influence[depth, chosen] = row


def _radii(patches: Facets, depths: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.minimum(np.sqrt(patches.areas / np.pi), depths[0] / SHALLOWEST)  # a coarse triangle counts as a smaller disc


def _bone_map(patches: Facets, samples: Samples, routes: dict[str, Route], model: BoneModel, deviation: float = 0.0) -> BoneMap:
    depths = np.array(sorted({*model.depths_mm, model.stimulus_depth_mm}))
    regions, first = np.unique(samples.region, return_index=True)
    points, count = samples.region.shape[0], patches.areas.shape[0]
    field = np.empty((depths.shape[0], count, -(-points // WHOLE) * WHOLE), np.float32)
    return BoneMap(patches=patches, samples=samples, depths=depths, begin=np.append(first, points), regions=regions, influence=field,
                   known=np.zeros(field.shape[:2], np.bool_), deviation=deviation, routes=routes)


def _femur(surface: ArticularSurface, model: BoneModel) -> tuple[BoneMap, Landing]:
    shape = facets(surface.mesh)
    landing, patches = articular_patches(shape, surface.region, model.patch_mm)
    samples = region_samples(shape, surface.region, border(surface.mesh, surface.region), model.points_per_region)
    return _bone_map(patches, samples, {}, model, 0.75 * model.patch_mm), landing


def _patella(surface: ArticularSurface, model: BoneModel) -> BoneMap:
    shape = facets(surface.mesh)
    landing, patches = articular_patches(shape, surface.region, model.patch_mm)
    samples = region_samples(shape, surface.region, border(surface.mesh, surface.region), model.points_per_region)
    outside = np.flatnonzero(landing.patch < 0)
    landing.patch[outside] = landing.labelled_patch[nearest(shape.centres, outside, shape.centres[landing.labelled])]
    return _bone_map(patches, samples, {"patella": direct_route(surface.region, landing.patch)}, model)


def _tibia(anatomy: KneeAnatomy, model: BoneModel) -> BoneMap:
    plateaus = (anatomy.tibia_medial, anatomy.tibia_lateral)
    shapes = [facets(s.mesh) for s in plateaus]
    numbers = [cluster(s, model.patch_mm) for s in shapes]
    split = int(numbers[0].max(initial=-1)) + 1
    numbers[1] = numbers[1] + split
    joined, patch = join_facets(shapes), np.concatenate(numbers)
    patches = merge(joined, patch)
    own = (range(split), range(split, patches.areas.shape[0]))
    routes: dict[str, Route] = {}
    menisci = (anatomy.medial_meniscus, anatomy.lateral_meniscus)
    for side, surface, shape, number, allowed, meniscus in zip(("medial", "lateral"), plateaus, shapes, numbers, own, menisci):
        routes[f"tibia_{side}"] = direct_route(surface.region, number)
        if meniscus is not None:
            routes[f"{side}_meniscus"] = spread_route(meniscus.surface, facets(meniscus.surface.mesh), shape, surface.region, patches, allowed)
    region = np.concatenate([s.region for s in plateaus])
    strip = subspinous_strip(*shapes)
    edge = np.concatenate([border(s.mesh, s.region) for s in plateaus])
    samples = region_samples(joined, region, edge, model.points_per_region, None if strip is None else (SUBSPINOUS, strip))
    return _bone_map(patches, samples, routes, model)


_building = threading.Lock()


def knee_map(anatomy: KneeAnatomy, model: BoneModel) -> KneeMap:
    """Return the maps of a knee; kept for the last four pairs of anatomy (by identity) and model, since they take a few milliseconds."""
    with _building:  # a case and its reference person often share one knee: the second thread takes what the first has built
        return _knee_map(anatomy, model)


@lru_cache(maxsize=4)
def _knee_map(anatomy: KneeAnatomy, model: BoneModel) -> KneeMap:
    surfaces = {"tibia_medial": anatomy.tibia_medial, "tibia_lateral": anatomy.tibia_lateral, "patella": anatomy.patella}
    for name, meniscus in (("medial_meniscus", anatomy.medial_meniscus), ("lateral_meniscus", anatomy.lateral_meniscus)):
        if meniscus is not None:
            surfaces[name] = meniscus.surface
    casting = {name: facets(surface.mesh).areas for name, surface in surfaces.items()}
    femur, landing = _femur(anatomy.femur, model)
    tibia, patella = _tibia(anatomy, model), _patella(anatomy.patella, model)
    area = np.zeros(REGIONS)
    for bone in (femur, tibia, patella):
        area += np.bincount(bone.samples.region, bone.samples.areas, REGIONS)
    strip = _strip(tibia)
    for array in (area, strip, *casting.values()):
        array.setflags(write=False)
    return KneeMap(femur=femur, tibia=tibia, patella=patella, region_area=area, strip=strip, casting_area=casting, landing=landing)


def _strip(tibia: BoneMap) -> NDArray[np.float64]:
    shape, samples = tibia.patches, tibia.samples
    points = np.flatnonzero(samples.region == SUBSPINOUS)
    if not points.size:
        return np.zeros(shape.areas.shape[0])
    weight = samples.areas[points] / samples.areas[points].sum()
    rows = fill_discs(np.ascontiguousarray(samples.points[points].T), np.ascontiguousarray(samples.normals[points].T), shape.centres,
                      shape.normals, _radii(shape, tibia.depths), np.arange(shape.areas.shape[0]), tibia.depths)
    return (rows.mean(axis=0, dtype=np.float64) * weight).sum(axis=1)


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
    below = np.zeros(force["tibia"].shape[::-1], np.float32)
    none = np.zeros(0, np.int64)
    land = knee.landing
    for field in fields:
        area = knee.casting_area.get(field.name)
        if area is None:
            raise InputError("contact field", where="ContactCycle.fields", got=field.name,
                             allowed="a casting surface of the anatomy: " + ", ".join(knee.casting_area), why="its area is needed")
        if field.pressure.shape != (frames, area.shape[0]) or field.femur_triangle.shape != field.pressure.shape:
            raise InputError("contact field", where=field.name, got=field.pressure.shape, allowed=f"shape {(frames, area.shape[0])}",
                             why="every triangle of the surface has a pressure in every frame")
        route = knee.own_route(field.name)
        bad = collect(field.pressure, area, route.region, route.patch if route.direct else none, field.femur_triangle, land.region, land.patch, land.centres,
                      land.labelled, land.labelled_patch, *totals, force["patella" if field.name == "patella" else "tibia"], force["femur"])
        if not route.direct:
            spread_loads(field.pressure, area, route.start, route.patch, route.share, below)
        if bad:
            raise InputError("contact pressure", where=field.name, got=f"{bad} values below zero or not finite", allowed="0 MPa or more",
                             why="contact only pushes")
    force["tibia"] += below.T
    return FieldLoads(force=totals[0], area=totals[1], peak=totals[2], **force)


def stress_under(bone: BoneMap, patch_force: NDArray[np.float32], depths: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return (T, k, n) MPa, compression positive: stress at the k depth numbers under the n sample points for N per patch (T, P)."""
    loads = load_list(np.ascontiguousarray(patch_force))
    loaded = np.zeros(bone.known.shape[1], np.bool_)
    loaded[loads.patches] = True
    bone.complete(loaded, depths)
    out = np.empty((patch_force.shape[0], depths.shape[0], bone.influence.shape[2]), np.float32)
    for k, depth in enumerate(depths):
        stress_rows(loads.start, loads.index, loads.value, bone.influence[depth], out[:, k])
    return out[:, :, :bone.samples.region.shape[0]]
