"""Menisci from closed surfaces of an image: superior face, wedge height, ring measures, states."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from kneeload.errors import InputError
from kneeload.subject.anatomy import Meniscus
from kneeload.subject.distance import evaluate
from kneeload.subject.level_set import LevelSet
from kneeload.subject.menisci import extrusion_profile, resting_extrusion_mm, smooth_minimum, vertical_gap
from kneeload.subject.person import MeniscusState
from kneeload.subject.proximity import edge_neighbours, first_hit, nearest_on_mesh
from kneeload.subject.surface import ArticularSurface, LayerMaterial, TriangleMesh

THINNEST_MM = 0.5
"""Least wedge height, mm: the inner edge of a segmented meniscus is as thin as a voxel (assumption, 0.3 to 0.8 mm)."""
_FACE_UP = 0.25  # a triangle belongs to the superior face when its normal rises by more than this (15 degrees above the horizontal) ...
_FACE_UP_RIM = 0.7  # ... or, where it looks away from the centre of the ring (the outer wall), by more than 45 degrees
_UP = np.array([0.0, 1.0, 0.0])
_BELOW_MM, _ABOVE_MM = 2.0, 6.0  # a plateau triangle is covered when the meniscus begins from 2 mm below it to 6 mm above it
_ANGLE_BINS = 72
_ROUNDING_MM = 0.6  # over which the lowered part of a face joins the rest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeniscusSolid:
    """A meniscus as imaged and fitted to its joint, tibia frame.

    Attributes:
        mesh: closed, as imaged, mm.
        face: superior face, lowered where it reached into the femur at zero flexion, mm.
        height_mm: (m,) mm; wedge height per triangle of `face`.
        centre_mm: (2,) mm; (x, z) of the centre of the ring.
    """

    mesh: TriangleMesh
    face: TriangleMesh
    height_mm: NDArray[np.float64]
    centre_mm: NDArray[np.float64]


def meniscus_solid(mesh: TriangleMesh, plateau: TriangleMesh, femur: LevelSet, *, where: str) -> MeniscusSolid:
    """Split off the superior face of a closed meniscus and fit it to the joint at zero flexion.

    The superior face is the largest connected part of the triangles that look up, the wedge height their vertical distance to the inferior
    face (at least `THINNEST_MM`). An image shows the meniscus unloaded and in the position of the scanner, so the face may reach into the
    femur at zero flexion; two solids cannot, so there it is lowered onto the femur (but not below the plateau), leaving as much overlap as
    the cartilage of the same side has. The wedge is taken to rest on the plateau.

    Args:
        mesh: closed, tibia frame, mm.
        plateau: tibial cartilage of the side, tibia frame, mm.
        femur: level set of the outer femur, femur frame (the same as the tibia's at zero flexion).
        where: the file, for messages.

    Raises:
        InputError: no triangle looks up.
    """
    rising = mesh.normals[:, 1]
    steep = rising > _FACE_UP_RIM
    if steep.sum() < 8:
        raise InputError("meniscus", where=where, got="no superior face", allowed="a closed wedge with a face towards the femur (+y)",
                         why="the femur rests on that face")
    centre = ring_centre(mesh.centroids[steep], mesh.areas[steep])
    away = np.einsum("mi,mi->m", mesh.normals[:, [0, 2]], mesh.centroids[:, [0, 2]] - centre) > 0.0
    up = np.flatnonzero(rising > np.where(away, _FACE_UP_RIM, _FACE_UP))
    part = connected_parts(mesh.triangles[up])
    face = mesh.selected(up[part == int(np.argmax(np.bincount(part, mesh.areas[up])))])
    below, _ = first_hit(mesh, face.centroids - 1e-4 * _UP, -_UP)
    height = np.maximum(np.where(np.isfinite(below), below, 0.0), THINNEST_MM)
    face, height = _fitted(face, height, plateau, femur)
    height.setflags(write=False)
    return MeniscusSolid(mesh=mesh, face=face, height_mm=height, centre_mm=centre)


def _fitted(face: TriangleMesh, height: NDArray[np.float64], plateau: TriangleMesh, femur: LevelSet) -> tuple[TriangleMesh, NDArray[np.float64]]:
    """The superior face lowered onto the femur, and its wedge heights (m,) mm."""
    corners, points = face.triangles.ravel(), face.points
    at_points = np.bincount(corners, np.repeat(height, 3)) / np.bincount(corners)
    above, _ = first_hit(plateau, points + _ABOVE_MM * _UP, -_UP, reach_mm=2.0 * _ABOVE_MM)
    floor = np.where(np.isfinite(above), points[:, 1] + _ABOVE_MM - above, points[:, 1] - at_points)
    overlap = min(float(evaluate(femur, plateau.centroids)[0].min()), 0.0)
    room = vertical_gap(femur, points[:, [0, 2]], points[:, 1]) - overlap
    y = np.maximum(points[:, 1] + smooth_minimum(room, np.zeros(len(room)), _ROUNDING_MM), np.minimum(floor + THINNEST_MM, points[:, 1]))
    lowered = TriangleMesh(points=np.column_stack([points[:, 0], y, points[:, 2]]), triangles=face.triangles)
    left = (y - floor)[face.triangles].mean(axis=1)
    return lowered, np.maximum(np.minimum(height, left), THINNEST_MM)


def imaged_meniscus(solid: MeniscusSolid, plateau: ArticularSurface, material: LayerMaterial, *, name: str, state: MeniscusState,
                    extrusion_mm: float | None, cartilage_scale: float) -> Meniscus | None:
    """The meniscus of a person on its plateau; None when removed.

    An extrusion moves the body of the meniscus that far from the centre of the ring, in the plane of the plateau, and the horns less
    (`menisci.extrusion_profile`). Thinner tibial cartilage lets the meniscus sink with it.

    Args:
        solid: as imaged and fitted.
        plateau: tibial cartilage on its side with the person's thickness, tibia frame.
        state, extrusion_mm: of the person (None: the default of the state), mm.
        cartilage_scale: thickness of the tibial cartilage over that of the image, no unit.
    """
    if state == "removed":
        return None
    shift, face = resting_extrusion_mm(state, extrusion_mm), solid.face
    beneath = plateau.thickness_mm[nearest_on_mesh(plateau.mesh, face.centroids - solid.height_mm[:, None] * _UP).triangle]
    sunk = (cartilage_scale - 1.0) / cartilage_scale * float(np.average(beneath, weights=face.areas))
    outward = radial(face.centroids, solid.centre_mm, plateau)
    moved = face.points + shift * _extruding(face.points, solid, plateau, state == "root_tear") + sunk * _UP
    surface = ArticularSurface(name=name, body="tibia", mesh=TriangleMesh(points=moved, triangles=face.triangles),
                               thickness_mm=solid.height_mm, material=material, region=np.full(len(outward), -1, dtype=np.int8))
    arc, radius = ring_measures(face, solid.height_mm, solid.centre_mm, shift)
    for array in (beneath, outward):
        array.setflags(write=False)
    return Meniscus(surface=surface, tibial_thickness_mm=beneath, outward=outward, cross_section_mm2=solid.mesh.volume_mm3 / arc,
                    arc_length_mm=arc, hoop_radius_mm=radius, extrusion_mm=shift, hoop_fraction=0.0 if state == "root_tear" else 1.0)


def _extruding(points_mm: NDArray[np.float64], solid: MeniscusSolid, plateau: ArticularSurface, torn: bool) -> NDArray[np.float64]:
    """Outward motion (n, 3) of points (n, 3) mm per mm of resting extrusion, no unit, tibia frame."""
    away = points_mm[:, [0, 2]] - solid.centre_mm
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-12)
    profile = extrusion_profile(away, lateral=bool(solid.centre_mm[1] > 0.0), torn=torn)
    return profile[:, None] * radial(points_mm, solid.centre_mm, plateau)


def covered_by(solid: MeniscusSolid | None, meniscus: Meniscus | None, plateau: ArticularSurface) -> NDArray[np.bool_]:
    """Which triangles (m,) of a plateau lie under the meniscus, seen along y, with its extrusion."""
    covered = np.zeros(len(plateau.mesh.triangles), dtype=bool)
    if solid is not None and meniscus is not None:
        points = solid.mesh.points + meniscus.extrusion_mm * _extruding(solid.mesh.points, solid, plateau, meniscus.hoop_fraction == 0.0)
        moved = TriangleMesh(points=points, triangles=solid.mesh.triangles)
        covered = np.isfinite(first_hit(moved, plateau.centroids - _BELOW_MM * _UP, _UP, reach_mm=_BELOW_MM + _ABOVE_MM)[0])
    covered.setflags(write=False)
    return covered


def ring_centre(points_mm: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre (2,) in mm, (x, z), of the circle through points (n, 3) mm seen along y: weighted algebraic fit (Kasa 1976)."""
    xz = points_mm[:, [0, 2]]
    root = np.sqrt(weight)[:, None]
    solution = np.linalg.lstsq(root * np.column_stack([2.0 * xz, np.ones(len(xz))]), root[:, 0] * (xz**2).sum(axis=1), rcond=None)[0]
    return solution[:2]


def radial(points_mm: NDArray[np.float64], centre_mm: NDArray[np.float64], plateau: ArticularSurface) -> NDArray[np.float64]:
    """Unit vectors (n, 3) away from the centre of the ring, in the mean plane of the plateau, tibia frame."""
    normal = plateau.mesh.area_vectors.sum(axis=0)
    normal /= np.linalg.norm(normal)
    away = np.column_stack([points_mm[:, 0] - centre_mm[0], np.zeros(len(points_mm)), points_mm[:, 2] - centre_mm[1]])
    away[:, 1] = -(away[:, 0] * normal[0] + away[:, 2] * normal[2]) / normal[1]
    return away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-12)


def ring_measures(face: TriangleMesh, height_mm: NDArray[np.float64], centre_mm: NDArray[np.float64], shift_mm: float) -> tuple[float, float]:
    """Length of the centre line from horn to horn and its mean radius, mm.

    The centre line runs through the centroid of the radial sections, at the volume-weighted radius, so that volume over length is the mean
    section (Pappus); its angle is what is left of the circle without the widest gap between the horns.
    """
    away = face.centroids[:, [0, 2]] - centre_mm
    weight = np.abs(face.area_vectors[:, 1]) * height_mm
    radius = float(np.average(np.linalg.norm(away, axis=1), weights=weight)) + shift_mm
    filled = np.bincount(((np.arctan2(away[:, 1], away[:, 0]) / (2.0 * np.pi) + 0.5) * _ANGLE_BINS).astype(np.int64) % _ANGLE_BINS,
                         minlength=_ANGLE_BINS) > 0
    places = np.flatnonzero(filled)
    gap = int(np.max(np.diff(np.append(places, places[0] + _ANGLE_BINS)))) - 1
    return radius * 2.0 * np.pi * (1.0 - gap / _ANGLE_BINS), radius


def connected_parts(triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Number of the connected part (joined along edges) of each triangle, (m,)."""
    edge, count = edge_neighbours(triangles)
    owner = np.repeat(np.arange(len(triangles)), 3)
    links = sparse.coo_matrix((np.ones(len(edge)), (owner, edge + len(triangles))), shape=(len(triangles) + len(count),) * 2)
    return connected_components(links, directed=False)[1][: len(triangles)]
