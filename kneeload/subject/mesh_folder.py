"""A knee from a folder of meshes: the person's own anatomy, ready for the same mechanics as the reference knee."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from kneeload.errors import InputError
from kneeload.subject import mesh_checks as checks
from kneeload.subject.anatomy import KneeAnatomy, Meniscus
from kneeload.subject.distance import evaluate, union_level_set
from kneeload.subject.landmarks import contact_centres
from kneeload.subject.level_set import LevelSet
from kneeload.subject.materials import Materials
from kneeload.subject.mesh_manifest import MANIFEST_NAME, Manifest, read_manifest
from kneeload.subject.mesh_menisci import MeniscusSolid, connected_parts, covered_by, imaged_meniscus, meniscus_solid
from kneeload.subject.mesh_reading import read_mesh
from kneeload.subject.person import Subject
from kneeload.subject.proximity import FAR_MM, is_closed, layer_thickness, nearest_on_mesh
from kneeload.subject.regions import femur_regions, patella_regions, tibia_regions
from kneeload.subject.surface import ArticularSurface, Body, LayerMaterial, TriangleMesh

SIDES = ("medial", "lateral")
SOURCE_PLATEAU_WIDTH_MM = 65.8
"""Mediolateral extent of the tibial cartilage of the source knee (smith2019 model, its STL file), mm."""
SHAFT_MM = 40.0
"""Femur above the cartilage that is kept as a target, mm: beyond the reach of the patella (its cartilage is 30 to 40 mm high)."""
SPACING_MM = 1.5
BAND_MM = 6.0
_OUTER_FACE = 0.3  # cosine between cartilage and bone normal above which a triangle of closed cartilage is its outer face
_CRUMB_SHARE = 0.05  # pieces of that face smaller than this share of the largest are crumbs of the rim


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Layer:
    """A cartilage surface without person: mesh in mm, thickness (m,) mm, region (m,)."""

    mesh: TriangleMesh
    thickness_mm: NDArray[np.float64]
    region: NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Scan:
    """All that is read from a folder, before the state of the person, as a right knee."""

    name: str
    femur: _Layer
    level_set: LevelSet
    plateaus: Mapping[str, _Layer]
    patella: _Layer
    menisci: Mapping[str, MeniscusSolid | None]
    bones: Mapping[str, TriangleMesh]


def mesh_anatomy(folder: Path, subject: Subject, materials: Materials | None = None) -> KneeAnatomy:
    """Read a knee from a folder with a `manifest.yaml` (see `kneeload.subject.mesh_manifest`).

    The geometry is the person's own, so height, sex, MPTA, LDFA, slopes and contact spacing of the subject change nothing in it (they
    go on acting on motion and forces). What does change it: the cartilage thickness scale (the surface moves towards the bone by the lost
    thickness) and the state of the menisci; a meniscus without a file is a removed one, whatever the subject says. A left knee is
    mirrored into a right one by the manifest's side. Cartilage may be given as its open outer face or as a closed solid, of which the
    outer face is taken; its thickness is the distance to the bone. The femoral target is the union of bone and cartilage; its mesh (their
    visible triangles) ends 40 mm above the cartilage and is open there.
    The size factor that places ligaments is the same along the three axes: width of the plateau over that of the source knee.

    Read once per state of the files (path, size, time of change) and kept in memory.

    Args:
        folder: the mesh folder.
        subject: the person.
        materials: elastic constants of the soft layers; None for the defaults.

    Raises:
        InputError: manifest or meshes are not usable; the sentence names the file.
    """
    root = Path(folder)
    manifest = read_manifest(root)
    if manifest.side != subject.side:
        raise InputError("side of the knee", where="subject.side", got=subject.side, allowed=f"{manifest.side}, the side in {root / MANIFEST_NAME}",
                         why="the pictures and files would show the wrong knee")
    stamp = tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in (root / MANIFEST_NAME, *manifest.files.values()))
    person = Subject(cartilage_thickness_scale=subject.cartilage_thickness_scale, medial_meniscus=subject.medial_meniscus,
                     lateral_meniscus=subject.lateral_meniscus, medial_extrusion_mm=subject.medial_extrusion_mm,
                     lateral_extrusion_mm=subject.lateral_extrusion_mm)  # only what shapes the anatomy, as a key
    return _anatomy(root.resolve(), stamp, person, materials or Materials())


@lru_cache(maxsize=8)
def _anatomy(folder: Path, stamp: tuple[tuple[Path, int, int], ...], subject: Subject, materials: Materials) -> KneeAnatomy:
    scan, scale, soft = _scan(folder, stamp), subject.cartilage_thickness_scale, materials.cartilage
    level_set, femur = _worn_femur(scan.level_set, scan.femur, scale.femur)
    plates = {side: _surface(f"tibia_{side}", "tibia", _worn(scan.plateaus[side], getattr(scale, f"tibia_{side}")), soft) for side in SIDES}
    menisci = {side: _meniscus(scan, side, plates[side], subject, materials) for side in SIDES}
    flexion, centres = contact_centres(level_set, plates["medial"], plates["lateral"], menisci=(menisci["medial"], menisci["lateral"]))
    width = np.ptp(np.concatenate([scan.plateaus[side].mesh.points[:, 2] for side in SIDES]))
    source_scale, tilt = np.full(3, width / SOURCE_PLATEAU_WIDTH_MM), np.eye(3)
    for array in (source_scale, tilt):
        array.setflags(write=False)
    return KneeAnatomy(
        name=scan.name,
        femur=_surface("femur", "femur", femur, soft),
        femur_level_set=level_set,
        tibia_medial=plates["medial"],
        tibia_lateral=plates["lateral"],
        patella=_surface("patella", "patella", _worn(scan.patella, scale.patella), soft),
        medial_meniscus=menisci["medial"],
        lateral_meniscus=menisci["lateral"],
        covered_medial=covered_by(scan.menisci["medial"], menisci["medial"], plates["medial"]),
        covered_lateral=covered_by(scan.menisci["lateral"], menisci["lateral"], plates["lateral"]),
        bones=scan.bones,
        source_scale=source_scale,
        plateau_tilt=tilt,
        contact_centres_flexion=flexion,
        contact_centres_mm=centres,
    )


@lru_cache(maxsize=2)
def _scan(folder: Path, stamp: tuple[tuple[Path, int, int], ...]) -> _Scan:
    """Read and check all files of a folder; `stamp` only keys the memory."""
    manifest = read_manifest(folder)
    meshes = {name: _read(manifest, name) for name in manifest.files}
    bones, cartilage = {}, {}
    for body in ("femur", "tibia", "patella"):
        bones[body] = meshes[f"{body}_bone"]
        checks.check_closed(bones[body], where=str(manifest.files[f"{body}_bone"]))
        cartilage[body] = _cartilage(meshes[f"{body}_cartilage"], bones[body], manifest.thickness_mm.get(f"{body}_cartilage"),
                                     where=str(manifest.files[f"{body}_cartilage"]))
    level_set, femur = _femur(cartilage["femur"], bones["femur"])
    plateaus = _plateaus(cartilage["tibia"], where=str(manifest.files["tibia_cartilage"]))
    _check_one_frame(level_set, plateaus, manifest)
    patella = replace(cartilage["patella"], region=patella_regions(cartilage["patella"].mesh))
    menisci = {side: _solid(meshes, side, plateaus[side].mesh, level_set, manifest) for side in SIDES}
    return _Scan(name=manifest.name, femur=femur, level_set=level_set, plateaus=plateaus, patella=patella, menisci=menisci, bones=MappingProxyType(bones))


def _read(manifest: Manifest, name: str) -> TriangleMesh:
    return read_mesh(manifest.files[name], length_unit=manifest.length_unit, mirror=manifest.side == "left").mesh


def _cartilage(mesh: TriangleMesh, bone: TriangleMesh, thickness_mm: float | None, *, where: str) -> _Layer:
    """The face of a cartilage towards the joint space with its thickness (the distance to the bone when None), no regions yet.

    That face is all of an open surface and the part that looks away from the bone of a closed one.
    """
    to_bone = nearest_on_mesh(bone, mesh.centroids)
    checks.check_near(to_bone, where=where)
    thickness = layer_thickness(to_bone) if thickness_mm is None else np.full(len(mesh.triangles), thickness_mm)
    if not is_closed(mesh):
        checks.check_faces_away(mesh, bone, to_bone, where=where)
        return _layer(mesh, thickness)
    checks.check_outwards(mesh, where=where)
    outer = np.flatnonzero(np.einsum("mi,mi->m", mesh.normals, bone.normals[to_bone.triangle]) > _OUTER_FACE)
    part = connected_parts(mesh.triangles[outer])
    area = np.bincount(part, mesh.areas[outer])
    kept = outer[area[part] > _CRUMB_SHARE * area.max()]
    return _layer(mesh.selected(kept), thickness[kept])


def _layer(mesh: TriangleMesh, thickness: NDArray[np.float64], region: NDArray[np.int8] | None = None) -> _Layer:
    return _Layer(mesh=mesh, thickness_mm=thickness, region=np.full(len(thickness), -1, dtype=np.int8) if region is None else region)


def _femur(cartilage: _Layer, bone: TriangleMesh) -> tuple[LevelSet, _Layer]:
    """Level set and visible surface of bone and cartilage, up to `SHAFT_MM` above the cartilage."""
    top = float(cartilage.mesh.points[:, 1].max()) + SHAFT_MM
    far = np.full(3, FAR_MM)
    level_set, surface, thickness = union_level_set(
        [cartilage.mesh, bone], [cartilage.thickness_mm, np.zeros(len(bone.triangles))],
        spacing_mm=SPACING_MM, band_mm=BAND_MM, bounds_mm=(-far, np.array([FAR_MM, top, FAR_MM])))
    kept = surface.centroids[:, 1] <= top
    number = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1).astype(np.int32)
    nearest = number[level_set.nearest_triangle]  # -1 stays -1
    nearest.setflags(write=False)
    mesh, layer = surface.selected(kept), thickness[kept]
    return replace(level_set, nearest_triangle=nearest), _layer(mesh, layer, femur_regions(mesh, layer > 0.0))


def _plateaus(tibia: _Layer, *, where: str) -> dict[str, _Layer]:
    """Medial (z < 0) and lateral tibial cartilage: by connected parts, or between the condyles when they are joined."""
    mesh = tibia.mesh
    part, area, z = connected_parts(mesh.triangles), mesh.areas, mesh.centroids[:, 2]
    lateral = (np.bincount(part, area * z) / np.bincount(part, area))[part] > 0.0
    if lateral.all() or not lateral.any():
        lateral = z > 0.0
    if lateral.all() or not lateral.any():
        raise InputError("tibial cartilage", where=where, got="cartilage on one side of the frame's origin only", allowed="a medial (z < 0) and a lateral plateau",
                         why="the origin lies between the condyles")
    sides = {"medial": mesh.selected(~lateral), "lateral": mesh.selected(lateral)}
    thickness = {"medial": tibia.thickness_mm[~lateral], "lateral": tibia.thickness_mm[lateral]}
    return {side: _layer(sides[side], thickness[side], tibia_regions(sides[side], side)) for side in SIDES}


def _check_one_frame(level_set: LevelSet, plateaus: Mapping[str, _Layer], manifest: Manifest) -> None:
    for side, layer in plateaus.items():
        gap = float(np.min(evaluate(level_set, layer.mesh.centroids)[0]))
        upwards = float(layer.mesh.area_vectors.sum(axis=0)[1] / layer.mesh.areas.sum())
        if abs(gap) >= BAND_MM or upwards < 0.5:
            raise InputError("tibial cartilage", where=str(manifest.files["tibia_cartilage"]),
                             got=f"{side} plateau {gap:.3g} mm from the femur at zero flexion, facing up by {upwards:.2g}",
                             allowed=f"within {BAND_MM:g} mm and facing the femur",
                             why="femur and tibia files share one frame at full extension, y proximal")


def _solid(meshes: Mapping[str, TriangleMesh], side: str, plateau: TriangleMesh, femur: LevelSet, manifest: Manifest) -> MeniscusSolid | None:
    name = f"{side}_meniscus"
    if name not in meshes:
        return None
    where = str(manifest.files[name])
    checks.check_closed(meshes[name], where=where)
    z = float(meshes[name].points[:, 2].mean())
    if (z < 0.0) != (side == "medial"):
        raise InputError(f"{side} meniscus", where=where, got=f"centre at z = {z:.3g} mm of the right knee", allowed="z < 0 medial, z > 0 lateral",
                         why="side or axes of the manifest do not fit the files, or the two menisci are exchanged")
    return meniscus_solid(meshes[name], plateau, femur, where=where)


def _meniscus(scan: _Scan, side: str, plateau: ArticularSurface, subject: Subject, materials: Materials) -> Meniscus | None:
    solid = scan.menisci[side]
    if solid is None:
        return None
    return imaged_meniscus(solid, plateau, materials.meniscus, name=f"{side}_meniscus", state=getattr(subject, f"{side}_meniscus"),
                           extrusion_mm=getattr(subject, f"{side}_extrusion_mm"),
                           cartilage_scale=getattr(subject.cartilage_thickness_scale, f"tibia_{side}"))


def _surface(name: str, body: Body, layer: _Layer, material: LayerMaterial) -> ArticularSurface:
    return ArticularSurface(name=name, body=body, mesh=layer.mesh, thickness_mm=layer.thickness_mm, material=material, region=layer.region)


def _worn(layer: _Layer, scale: float) -> _Layer:
    """The layer `scale` times as thick: its points move along their normals by the lost thickness towards the bone."""
    if scale == 1.0:
        return layer
    mesh, corners = layer.mesh, layer.mesh.triangles.ravel()
    around = np.bincount(corners, minlength=len(mesh.points))
    lost = (1.0 - scale) * np.bincount(corners, np.repeat(layer.thickness_mm, 3), minlength=len(around)) / np.maximum(around, 1)
    vectors = np.repeat(mesh.area_vectors, 3, axis=0)
    normal = np.stack([np.bincount(corners, vectors[:, axis], minlength=len(around)) for axis in range(3)], axis=1)
    normal = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    return replace(layer, mesh=TriangleMesh(points=mesh.points - lost[:, None] * normal, triangles=mesh.triangles), thickness_mm=layer.thickness_mm * scale)


def _worn_femur(level_set: LevelSet, femur: _Layer, scale: float) -> tuple[LevelSet, _Layer]:
    """Femur with cartilage `scale` times as thick: the signed distance grows by the lost thickness (exact to second order in its slope)."""
    if scale == 1.0:
        return level_set, femur
    thickness = level_set.thickness_mm.astype(np.float64)
    coefficients = level_set.coefficients + (1.0 - scale) * ndimage.gaussian_filter(thickness, 0.5)
    layer = (thickness * scale).astype(np.float32)
    for array in (coefficients, layer):
        array.setflags(write=False)
    return replace(level_set, coefficients=coefficients, thickness_mm=layer), _worn(femur, scale)
