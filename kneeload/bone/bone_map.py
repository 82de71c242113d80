"""One linear map per bone: from contact fields to patches of load, and from patches to stress under the points of each region."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.halfspace import SHALLOWEST, fill_disc_rows, fill_discs
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
from kneeload.kernels.bone_stress import WHOLE
from kneeload.kernels.loads import FRAMES, SOURCES, WIDTH, gather, list_loads
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy
from kneeload.subject.surface import ArticularSurface

REGIONS = len(MOAKS_REGIONS)
FIELDS = ("tibia_medial", "tibia_lateral", "medial_meniscus", "lateral_meniscus", "patella")  # `gather` wants the patella last
SUBSPINOUS = MOAKS_REGIONS.index("tibia_subspinous")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoneMap:
    """What one bone makes of contact.

    Attributes:
        patches: where force enters.
        samples: surface points of its regions.
        radii: (P,) mm; radius of the disc of its area that stands for each patch.
        depths: (d,) mm; where stress is reported.
        depth: mm; depth of the daily stimulus.
        begin: (r + 1,) no unit; samples begin[k]:begin[k + 1] belong to the k-th region of the bone.
        regions: (r,) no unit; those regions.
        influence: (P, n) MPa per N; vertical compressive stress under the points at the depth of the stimulus (n: up to a multiple of 32, zeros
            at the end). A row is filled when its patch is first loaded (`complete`): most patches never are, and all rows would take longer than all else.
        known: (P,) no unit; True for the rows that are filled.
        routes: field name -> route of its force to the patches.
    """

    patches: Facets
    samples: Samples
    radii: NDArray[np.float64]
    depths: NDArray[np.float64]
    depth: float
    begin: NDArray[np.int64]
    regions: NDArray[np.int64]
    influence: NDArray[np.float32]
    known: NDArray[np.bool_]
    routes: Mapping[str, Route]

    def complete(self, patches: NDArray[np.int64]) -> None:
        """Fill the rows of influence of some patches (c,), where they are not yet known."""
        with _building:
            missing = patches[~self.known[patches]]
            if missing.size:
                points, normals = np.zeros((2, 3, self.influence.shape[1]))
                points[:, :self.samples.region.shape[0]], normals[:, :self.samples.region.shape[0]] = self.samples.points.T, self.samples.normals.T
                depth = np.array([self.depth])
                fill_disc_rows(points, normals, self.patches.centres, self.patches.normals, self._disc_radii(depth), missing, depth, missing, self.influence[None])
                self.known[missing] = True

    def below(self, points: NDArray[np.int64], patches: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return (d, c, k) MPa per N: stress at all depths below some sample points (k,) under unit forces on some patches (c,)."""
        places, normals = np.ascontiguousarray(self.samples.points[points].T), np.ascontiguousarray(self.samples.normals[points].T)
        return fill_discs(places, normals, self.patches.centres, self.patches.normals, self._disc_radii(self.depths), patches, self.depths)

    def _disc_radii(self, depths: NDArray[np.float64]) -> NDArray[np.float64]:
        """Radii (P,) mm for some depths: a disc too large for its depth counts as a smaller one."""
        radii: NDArray[np.float64] = np.minimum(self.radii, depths[0] / SHALLOWEST)
        return radii


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sources:
    """What receives pressure: M triangles of the fields FIELDS one after the other; a field that is not there has none.

    Attributes:
        first: (6,) no unit; field s has the triangles first[s]:first[s + 1].
        area: (M,) mm2.
        region: (M,) no unit; region of its own bone, -1 for none.
        patch: (M,) no unit; patch that takes the whole force, -1 where it is spread.
        start: (M + 1,) no unit; triangle i is spread over target[start[i]:start[i + 1]].
        target: (e,) no unit; patches.
        share: (e,) no unit; parts of the force.
    """

    first: NDArray[np.int64]
    area: NDArray[np.float64]
    region: NDArray[np.int64]
    patch: NDArray[np.int64]
    start: NDArray[np.int64]
    target: NDArray[np.int64]
    share: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KneeMap:
    """The three bones of a knee.

    Attributes:
        femur, tibia, patella: map of each bone.
        region_area: (15,) mm2; area of each region, for the subspinous region that of its strip.
        strip: (P,) MPa per N; mean stress of the subspinous region over its points and all depths for a unit force on each tibial patch.
        casting_area: field name -> (m,) mm2.
        landing: where forces land on the femur.
        sources: the triangles of all fields, one field after the other.
    """

    femur: BoneMap
    tibia: BoneMap
    patella: BoneMap
    region_area: NDArray[np.float64]
    strip: NDArray[np.float64]
    casting_area: Mapping[str, NDArray[np.float64]]
    landing: Landing
    sources: Sources


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatchLoads:
    """The forces on the patches of a bone over a cycle of T frames (W: up to a multiple of 32, zeros at the end).

    Attributes:
        force: (P, W) N per patch.
        chosen: (c,) no unit; patches that are loaded in some frame.
    """

    force: NDArray[np.float32]
    chosen: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FieldLoads:
    """Load of one cycle of T frames (W: up to a multiple of 32, zeros at the end).

    Attributes:
        frames: T.
        force: (15, W) N per region.
        peak: (15, W) MPa; largest pressure per region.
        femur, tibia, patella: forces on the patches of that bone.
    """

    frames: int
    force: NDArray[np.float64]
    peak: NDArray[np.float32]
    femur: PatchLoads
    tibia: PatchLoads
    patella: PatchLoads


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadList:
    """The loaded patches of a bone, four frames at a time (Q times four frames).

    Attributes:
        start: (Q + 1,) no unit; frames 4 q to 4 q + 3 have the entries start[q]:start[q + 1].
        index: (e,) no unit; patch of each entry.
        value: (e, 4) N.
        impulse: (c,) N times the unit of the weights; weighted sum over the frames, for each patch of `PatchLoads.chosen`.
    """

    start: NDArray[np.int64]
    index: NDArray[np.int32]
    value: NDArray[np.float32]
    impulse: NDArray[np.float64]


def load_list(loads: PatchLoads, weight: NDArray[np.float64]) -> LoadList:
    """Return the list of some loads; weight (T,) of each frame."""
    fours = -(-weight.shape[0] // FRAMES)
    room = (loads.chosen.shape[0] + 4) * fours
    out = LoadList(start=np.empty(fours + 1, np.int64), index=np.empty(room, np.int32), value=np.empty((room, FRAMES), np.float32),
                   impulse=np.empty(loads.chosen.shape[0]))
    list_loads(loads.force, loads.chosen, weight, out.start, out.index, out.value, out.impulse)
    return out


def _bone_map(patches: Facets, samples: Samples, routes: dict[str, Route], model: BoneModel) -> BoneMap:
    regions, first = np.unique(samples.region, return_index=True)
    points, count = samples.region.shape[0], patches.areas.shape[0]
    return BoneMap(patches=patches, samples=samples, radii=np.sqrt(patches.areas / np.pi), depths=np.array(model.depths_mm),
                   depth=model.stimulus_depth_mm, begin=np.append(first, points), regions=regions, influence=np.empty((count, -(-points // WHOLE) * WHOLE), np.float32),
                   known=np.zeros(count, np.bool_), routes=routes)


def _femur(surface: ArticularSurface, model: BoneModel) -> tuple[BoneMap, Landing]:
    shape = facets(surface.mesh)
    landing, patches = articular_patches(shape, surface.region, model.patch_mm)
    samples = region_samples(shape, surface.region, border(surface.mesh, surface.region), model.points_per_region)
    return _bone_map(patches, samples, {}, model), landing


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
    return KneeMap(femur=femur, tibia=tibia, patella=patella, region_area=area, strip=strip, casting_area=casting, landing=landing,
                   sources=_sources(casting, {**tibia.routes, **patella.routes}))


def _sources(casting: Mapping[str, NDArray[np.float64]], routes: Mapping[str, Route]) -> Sources:
    there = [name for name in FIELDS if name in casting]
    count = [casting[name].shape[0] if name in casting else 0 for name in FIELDS]
    spread = [np.diff(routes[name].start) * (not routes[name].direct) for name in there]
    patch = [routes[name].patch if routes[name].direct else np.full(casting[name].shape[0], -1) for name in there]
    targets = [routes[name] for name in there if not routes[name].direct]
    none = np.zeros(0, np.int64)
    return Sources(first=np.append(0, np.cumsum(count)), area=np.concatenate([casting[name] for name in there]),
                   region=np.concatenate([routes[name].region for name in there]), patch=np.concatenate(patch),
                   start=np.append(0, np.cumsum(np.concatenate(spread))), target=np.concatenate([none, *(route.patch for route in targets)]),
                   share=np.concatenate([none, *(route.share for route in targets)]).astype(np.float32))


def _strip(tibia: BoneMap) -> NDArray[np.float64]:
    shape, samples = tibia.patches, tibia.samples
    points = np.flatnonzero(samples.region == SUBSPINOUS)
    if not points.size:
        return np.zeros(shape.areas.shape[0])
    weight = samples.areas[points] / samples.areas[points].sum()
    rows = tibia.below(points, np.arange(shape.areas.shape[0]))
    return (rows.mean(axis=0, dtype=np.float64) * weight).sum(axis=1)


Pressures = tuple[NDArray[np.float32], ...]
Triangles = tuple[NDArray[np.int32], ...]


def five(knee: KneeMap, fields: tuple[SurfaceField, ...]) -> tuple[Pressures, Triangles]:
    """Return the pressures and femoral triangles of FIELDS, (T, 0) for one that is not there, as read-only arrays.

    Raises:
        InputError: a field of an unknown surface, or of the wrong shape.
    """
    frames = fields[0].pressure.shape[0] if fields else 0
    pressure, triangle = ([np.zeros((frames, 0), kind)] * SOURCES for kind in (np.float32, np.int32))
    for field in fields:
        area = knee.casting_area.get(field.name)
        if area is None:
            raise InputError("contact field", where="ContactCycle.fields", got=field.name,
                             allowed="a casting surface of the anatomy: " + ", ".join(knee.casting_area), why="its area is needed")
        if field.pressure.shape != (frames, area.shape[0]) or field.femur_triangle.shape != field.pressure.shape:
            raise InputError("contact field", where=field.name, got=field.pressure.shape, allowed=f"shape {(frames, area.shape[0])}",
                             why="every triangle of the surface has a pressure in every frame")
        number = FIELDS.index(field.name)
        pressure[number], triangle[number] = field.pressure, field.femur_triangle
    return tuple(_fixed(array, np.float32) for array in pressure), tuple(_fixed(array, np.int32) for array in triangle)


def _fixed(array: NDArray[Any], kind: type) -> NDArray[Any]:
    """Return the array as the kernels know it: C order, read-only."""
    out: NDArray[Any] = np.ascontiguousarray(array, kind).view()
    out.setflags(write=False)
    return out


def field_loads(knee: KneeMap, pressure: Pressures, triangle: Triangles) -> FieldLoads:
    """Return what the contact of one cycle, from `five`, puts on regions and patches.

    Each field loads its own bone (a meniscus loads the tibia) and, through `femur_triangle`, the femur with the same forces: pressure
    times the area of the casting triangle.

    Raises:
        InputError: negative or non-finite pressure.
    """
    frames = pressure[0].shape[0]
    wide = -(-frames // WIDTH) * WIDTH
    bones = (knee.tibia, knee.patella, knee.femur)
    forces = [np.zeros((bone.patches.areas.shape[0], wide), np.float32) for bone in bones]
    loaded = np.zeros((3, max(force.shape[0] for force in forces)), np.bool_)
    force, peak = np.zeros((REGIONS + 1, wide)), np.zeros((REGIONS + 1, wide), np.float32)
    from_, land = knee.sources, knee.landing
    bad, field = gather(pressure, triangle, from_.first, from_.area, from_.region, from_.patch, from_.start, from_.target, from_.share, land.code,
                        land.centres, land.labelled, land.labelled_patch, land.patch_region, *forces, loaded, force, peak)
    if bad:
        raise InputError("contact pressure", where=FIELDS[field], got=f"{bad} values below zero or not finite", allowed="0 MPa or more",
                         why="contact only pushes")
    tibia, patella, femur = (PatchLoads(force=f, chosen=np.flatnonzero(some)) for f, some in zip(forces, loaded))
    return FieldLoads(frames=frames, force=force[1:], peak=peak[1:], femur=femur, tibia=tibia, patella=patella)
