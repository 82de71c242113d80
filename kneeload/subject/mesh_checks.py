"""Is a mesh usable? Each question raises one sentence that names the file, what was found and what is allowed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.errors import InputError
from kneeload.subject.proximity import Nearest, edge_neighbours, is_closed, self_crossings
from kneeload.subject.surface import TriangleMesh
from kneeload.units import LENGTH_UNITS_MM

KNEE_SIZE_MM = (10.0, 200.0)
"""Allowed size across (second largest side of the box) of a surface of a knee, mm: the smallest, a patellar cartilage of a child,
measures 15, the largest, a distal femur of a tall man, 110."""

_NON_MANIFOLD_SHARE = 1e-3  # a segmented surface may pinch at a few edges; pseudonormals stay meaningful there
_CROSSING_SHARE = 0.01  # of the area: a segmented meniscus may pinch at its horns
_NO_LAYER_MM = 0.05  # below what any image resolves
_FACING_SHARE = 0.5  # of the area of a cartilage surface must face away from its bone


def check_length_unit(length_unit: str, *, where: str) -> float:
    """Return the length of the unit in mm."""
    if length_unit not in LENGTH_UNITS_MM:
        raise InputError("length unit", where=where, got=length_unit, allowed="one of " + ", ".join(LENGTH_UNITS_MM),
                         why="mesh files do not say in which unit their points are")
    return LENGTH_UNITS_MM[length_unit]


def check_points(points: NDArray[np.float64], triangles: NDArray[np.integer], *, where: str) -> None:
    """Raise unless there are triangles and all points are finite."""
    if len(triangles) == 0:
        raise InputError("surface", where=where, got="no triangle with an area", allowed="a triangle mesh",
                         why="the file is empty, damaged or not a surface mesh")
    broken = ~np.isfinite(points).all(axis=1)
    if broken.any():
        raise InputError("points of the mesh", where=where, got=f"{int(broken.sum())} points with NaN or infinity", allowed="finite coordinates",
                         why="a surface through such a point has no place")


def check_size(points_mm: NDArray[np.float64], *, where: str, length_unit: str) -> None:
    """Raise unless the mesh has the size of a part of a knee; (n, 3) mm after conversion from `length_unit`."""
    across = float(np.sort(np.ptp(points_mm, axis=0))[1])
    low, high = KNEE_SIZE_MM
    if not low <= across <= high:
        factor = LENGTH_UNITS_MM[length_unit]
        other = [unit for unit, size in LENGTH_UNITS_MM.items() if low <= across / factor * size <= high]
        names = {"mm": "millimetres", "cm": "centimetres", "m": "metres"}
        guess = f"{names[other[-1]]} taken for {names[length_unit]}?" if other else "is this a knee?"
        raise InputError("size of the surface", where=where, got=f"{across:.4g} mm across with length_unit {length_unit}",
                         allowed=f"{low:g} to {high:g} mm", why=guess)


def check_manifold(mesh: TriangleMesh, *, where: str) -> None:
    """Raise when edges have more than two triangles or neighbours disagree about which side is outside."""
    edge, count = edge_neighbours(mesh.triangles)
    crowded = int((count > 2).sum())
    if crowded > _NON_MANIFOLD_SHARE * len(count):
        raise InputError("surface", where=where, got=f"{crowded} edges with more than two triangles", allowed="at most two triangles at an edge",
                         why="such a mesh has no inside and outside")
    sides = mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    net = np.bincount(edge, np.where(sides[:, 0] < sides[:, 1], 1.0, -1.0), minlength=len(count))
    turned = int(((count == 2) & (net != 0.0)).sum())
    if turned > _NON_MANIFOLD_SHARE * len(count):
        raise InputError("surface", where=where, got=f"{turned} edges whose two triangles face opposite ways", allowed="one orientation all over",
                         why="normals must all point to the same side")


def check_crossings(mesh: TriangleMesh, *, where: str) -> None:
    """Raise when more than a hundredth of the area lies in triangles that cut through others: such a mesh has no inside there."""
    crossed = self_crossings(mesh)
    share = float(mesh.areas[crossed].sum() / mesh.areas.sum())
    if share > _CROSSING_SHARE:
        raise InputError("surface", where=where, got=f"self-intersecting ({int(crossed.sum())} triangles, {100.0 * share:.1f} % of the area, cut through others)",
                         allowed=f"at most {100.0 * _CROSSING_SHARE:g} % of the area", why="where a surface cuts through itself there is no inside and outside")


def check_closed(mesh: TriangleMesh, *, where: str) -> None:
    """Raise unless the mesh encloses a volume and its normals point outwards."""
    if not is_closed(mesh):
        open_edges = int((edge_neighbours(mesh.triangles)[1] != 2).sum())
        raise InputError("target surface", where=where, got=f"an open surface ({open_edges} edges without two triangles)",
                         allowed="closed, or open with a closed bone behind it", why="without a closed surface there is no inside, so no depth of contact")
    check_outwards(mesh, where=where)


def check_outwards(mesh: TriangleMesh, *, where: str) -> None:
    """Raise when a closed mesh is inside out (its volume by the divergence theorem is negative)."""
    volume = mesh.volume_mm3
    if not volume > 0.0:
        raise InputError("orientation of the surface", where=where, got=f"inside out (signed volume {volume:.4g} mm3)",
                         allowed="normals that point outwards", why="contact is what lies behind the surface")


def check_faces_away(mesh: TriangleMesh, bone: TriangleMesh, to_bone: Nearest, *, where: str) -> None:
    """Raise when an open layer faces its bone instead of the joint space; `to_bone` holds the nearest points to its triangles."""
    facing = np.einsum("mi,mi->m", mesh.normals, bone.normals[to_bone.triangle]) > 0.0
    share = float(mesh.areas[facing].sum() / mesh.areas.sum())
    if share < _FACING_SHARE:
        raise InputError("orientation of the surface", where=where, got=f"inside out ({100.0 * (1.0 - share):.0f} % of the area faces the bone)",
                         allowed="normals that point away from the bone", why="contact is what lies behind the surface")


def check_near(to_bone: Nearest, *, where: str, limit_mm: float = 10.0) -> None:
    """Raise when a layer lies far from its bone (median distance above `limit_mm`) or on it (no thickness at all)."""
    distance = float(np.median(to_bone.distance_mm))
    if distance < _NO_LAYER_MM:
        raise InputError("layer thickness", where=where, got=f"{distance:.3g} mm to the bone (median)", allowed=f"above {_NO_LAYER_MM:g} mm",
                         why="pressure is modulus times depth over thickness, so cartilage cannot be the surface of the bone itself")
    if distance > limit_mm:
        raise InputError("place of the surface", where=where, got=f"{distance:.3g} mm from its bone (median)", allowed=f"within {limit_mm:g} mm",
                         why="cartilage lies on bone, so the two files are in different frames or units")


def check_thickness(thickness_mm: ArrayLike, count: int, *, where: str) -> NDArray[np.float64]:
    """Return a layer thickness per triangle, (count,) mm, from a number or an array; raise unless all are above 0 and below 30 mm."""
    layer = np.asarray(thickness_mm, dtype=np.float64)
    if layer.ndim > 1 or (layer.ndim == 1 and layer.shape != (count,)):
        raise InputError("layer thickness", where=where, got=f"an array of shape {layer.shape}", allowed=f"one number or {count} numbers, one per triangle of the file",
                         why="each triangle carries its own layer")
    if not (np.all(np.isfinite(layer)) and np.all(layer > 0.0) and np.all(layer < 30.0)):
        worst = layer[~((layer > 0.0) & (layer < 30.0))] if layer.ndim else layer.reshape(1)
        raise InputError("layer thickness", where=where, got=float(worst[0]), allowed="above 0 and below 30 mm",
                         why="pressure is modulus times depth over thickness, so a layer needs a thickness")
    return np.broadcast_to(layer, (count,)).copy()
