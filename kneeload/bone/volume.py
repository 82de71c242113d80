"""The bone below the articular surfaces as equal cubes, each with its MOAKS subregion, its depth and the way to the surface.

MOAKS and WORMS grade a lesion by the share of its subregion, read on sagittal slices (the patella on axial ones), and draw the borders of
a subregion as straight lines from the articular surface into the bone. So the borders of `kneeload.subject.regions` go on as planes here:

- femur: the coronal planes trochlea/central and central/posterior of each side, and the sagittal plane at the lateral edge of the notch;
- tibia: the coronal planes between the thirds of each plateau; bone between the inner edges of the plateaus, from front to back, is
  subspinous (WORMS: the tibia beneath the spines). The edges are those of the middle 80 % of the extent that both plateaus share;
- patella: a cube belongs to the half of the articular triangle in front of or behind which it lies (projection along x), the whole bone;
- femur and tibia: a cube belongs to a subregion when the way to the nearest articular triangle runs within 45 degrees of its normal and
  is no longer than `REACH_MM` below the cartilage. Bone beside the cartilage (above the notch, epicondyles, the tibial
  tuberosity) and deeper bone belong to none; in the subspinous region, which has no cartilage, only depth counts.

No publication states how deep a subregion reaches or where its side ends. Both numbers are assumptions (45 degrees, range 30 to 60; 13 mm, range
10 to 16), chosen together so that the medial condyle (central and posterior) and the medial plateau of a mean adult have the volumes that
Nielsen 2014 (doi 10.1186/1471-2474-15-447) implies: 12.2-13.2 and 11.7-13.4 cm3 (lesion volume over lesion share). That is a calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError, check_range
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy
from kneeload.subject.surface import ArticularSurface, TriangleMesh

Array = NDArray[np.float64]
BONES = ("femur", "tibia", "patella")
REACH_MM = 13.0
UNDER = np.sqrt(0.5)  # 45 degrees: a cube further aside is beside the cartilage, not below it
FACING = 0.5  # an articular triangle faces the way of the bone below it; walls and undersides of a segmented layer do not
SUBSPINOUS = MOAKS_REGIONS.index("tibia_subspinous")
_INDEX = {name: i for i, name in enumerate(MOAKS_REGIONS)}
_OFF_GRID = np.array([1.3e-5, 1.7e-5, 1.1e-5])  # of a spacing: a column never meets a triangle exactly at an edge or point


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoneVolume:
    """The bone of one body near its articular surfaces as n equal cubes, frame of the bone.

    Attributes:
        bone: "femur", "tibia" or "patella".
        spacing_mm: edge of a cube, mm.
        origin_mm: (3,) mm; centre of the lattice place (0, 0, 0).
        index: (n, 3) no unit; lattice place of each cube along x, y, z.
        region: (n,) no unit; index into MOAKS_REGIONS, -1 for bone of no region.
        depth_mm: (n,) mm below the bone surface under the cartilage, along the way to `triangle`; in the subspinous region below the straight
            line between the inner edges of the plateaus, 0 in the spines above it.
        triangle: (n,) no unit; nearest articular triangle, row of the mesh that `surface` names.
        surface: (n,) no unit; articular surface of that triangle: 0 for femur, patella and the medial plateau, 1 for the lateral plateau.
        normal: (n, 3) no unit; outward unit normal of that triangle.
    """

    bone: str
    spacing_mm: float
    origin_mm: Array
    index: NDArray[np.int32]
    region: NDArray[np.int8]
    depth_mm: Array
    triangle: NDArray[np.int32]
    surface: NDArray[np.int8]
    normal: Array

    @property
    def centres_mm(self) -> Array:
        """Centres of the cubes, (n, 3) mm, frame of the bone."""
        centres: Array = self.origin_mm + self.spacing_mm * self.index
        return centres

    @property
    def volume_mm3(self) -> float:
        """Volume of one cube, mm3."""
        return self.spacing_mm**3

    def region_volumes_mm3(self) -> Array:
        """Volume of each of the 15 regions, (15,) mm3; 0 for those of other bones."""
        return self.volume_mm3 * np.bincount(self.region[self.region >= 0], minlength=len(MOAKS_REGIONS)).astype(np.float64)

    def selected(self, keep: NDArray) -> BoneVolume:
        """Return the chosen cubes only; `keep` is (n,) bool or cube numbers."""
        return BoneVolume(bone=self.bone, spacing_mm=self.spacing_mm, origin_mm=self.origin_mm, index=_fixed(self.index[keep]),
                          region=_fixed(self.region[keep]), depth_mm=_fixed(self.depth_mm[keep]), triangle=_fixed(self.triangle[keep]),
                          surface=_fixed(self.surface[keep]), normal=_fixed(self.normal[keep]))


def bone_volumes(anatomy: KneeAnatomy, *, spacing_mm: float = 3.0, depth_mm: float = REACH_MM) -> dict[str, BoneVolume]:
    """Return the cubes of each bone that belong to a subregion, "femur", "tibia", "patella".

    Kept for the last four pairs of anatomy (by identity) and numbers.

    Args:
        anatomy: the knee.
        spacing_mm: edge of a cube, mm, 0.5 to 6.
        depth_mm: how far a subregion of femur and tibia reaches below the articular bone surface, mm. Assumption, range 10 to 16
            (see the head of this file).

    Raises:
        InputError: a number out of range, a bone that is missing or not closed.
    """
    check_range("edge of a bone cube", spacing_mm, 0.5, 6.0, "mm", where="spacing_mm", why="coarser cubes miss the subregions, finer ones only take time")
    check_range("reach of a subregion", depth_mm, 3.0, 60.0, "mm", where="depth_mm", why="a subregion is the end of the bone below the cartilage")
    return dict(_volumes(anatomy, float(spacing_mm), float(depth_mm)))


@lru_cache(maxsize=4)
def _volumes(anatomy: KneeAnatomy, spacing_mm: float, depth_mm: float) -> tuple[tuple[str, BoneVolume], ...]:
    wholes = [(bone, whole_bone(anatomy, bone, spacing_mm=spacing_mm, depth_mm=depth_mm)) for bone in BONES]
    return tuple((bone, whole.selected(whole.region >= 0)) for bone, whole in wholes)


def whole_bone(anatomy: KneeAnatomy, bone: str, *, spacing_mm: float, depth_mm: float = REACH_MM) -> BoneVolume:
    """Return all cubes of one bone whose centres lie in its closed mesh; region -1 where it is deeper than the subregions reach.

    Raises:
        InputError: an unknown bone, or one whose mesh is missing or not closed.
    """
    surfaces = articular_surfaces(anatomy, bone)
    mesh = anatomy.bones.get(bone)
    if mesh is None:
        raise InputError("bone", where="anatomy.bones", got=", ".join(anatomy.bones), allowed=bone, why="its cubes fill a closed mesh")
    origin, index = cubes_inside(mesh, spacing_mm, where=bone)
    centres = origin + spacing_mm * index
    surface, triangle, distance, cosine = _way(surfaces, mesh, centres)
    first = np.array([0, len(surfaces[0].mesh.triangles)])[surface]
    row = first + triangle
    normal = np.concatenate([s.normals for s in surfaces])[row]
    depth = np.maximum(distance - np.concatenate([s.thickness_mm for s in surfaces])[row], 0.0)
    region = {"femur": _femur, "tibia": _tibia, "patella": _patella}[bone](surfaces, centres)
    if bone == "tibia":
        spines = np.flatnonzero(region == SUBSPINOUS)
        depth[spines], cosine[spines] = _below_line(surfaces, centres[spines]), 1.0
    if bone != "patella":
        region = np.where((depth <= depth_mm) & (cosine >= UNDER), region, -1)
    return BoneVolume(bone=bone, spacing_mm=spacing_mm, origin_mm=_fixed(origin), index=_fixed(index.astype(np.int32)), region=_fixed(region.astype(np.int8)),
                      depth_mm=_fixed(depth), triangle=_fixed(triangle.astype(np.int32)), surface=_fixed(surface.astype(np.int8)), normal=_fixed(normal))


def articular_surfaces(anatomy: KneeAnatomy, bone: str) -> tuple[ArticularSurface, ...]:
    """Return the articular surfaces of a bone: femur, patella, or the medial and the lateral plateau.

    Raises:
        InputError: an unknown bone.
    """
    if bone == "tibia":
        return anatomy.tibia_medial, anatomy.tibia_lateral
    if bone == "femur":
        return (anatomy.femur,)
    if bone == "patella":
        return (anatomy.patella,)
    raise InputError("bone", where="bone", got=bone, allowed=", ".join(BONES), why="these carry the cartilage of the knee")


def _fixed(array: NDArray) -> NDArray:
    out = np.ascontiguousarray(array)
    out.setflags(write=False)
    return out


def cubes_inside(mesh: TriangleMesh, spacing_mm: float, *, where: str = "mesh") -> tuple[Array, NDArray[np.int64]]:
    """Return (origin (3,) mm, index (n, 3)): the places of a cubic lattice inside a closed mesh, by the parity of crossings along y.

    The lattice has a place near the zero point of the frame, so that two bones of one frame share it.

    Raises:
        InputError: a column of the lattice crosses the mesh an odd number of times: the mesh is open.
    """
    low = np.floor(mesh.points.min(axis=0) / spacing_mm)
    origin = spacing_mm * (low + _OFF_GRID)
    shape = (np.ceil(mesh.points.max(axis=0) / spacing_mm) - low).astype(np.int64) + 1
    corners = ((mesh.points - origin) / spacing_mm)[mesh.triangles]
    column, height = _crossings(corners, shape)
    up = np.clip(np.ceil(height).astype(np.int64), 0, shape[1])  # the first place above the crossing
    count = np.zeros((shape[0] * shape[2], shape[1] + 1), np.int32)
    np.add.at(count, (column, up), 1)
    inside = np.cumsum(count, axis=1) % 2 == 1
    if inside[:, -1].any():
        raise InputError("bone mesh", where=where, got="an open surface", allowed="a closed one", why="its inside is filled with cubes")
    place, y = np.nonzero(inside[:, :-1])
    return origin, np.stack([place // shape[2], y, place % shape[2]], axis=1)


def _crossings(corners: Array, shape: NDArray[np.int64]) -> tuple[NDArray[np.int64], Array]:
    """Return the column numbers (k,) and heights (k,) at which lattice columns along y cross triangles, corners (m, 3, 3) in spacings."""
    flat = corners[:, :, [0, 2]]
    first = np.ceil(flat.min(axis=1)).astype(np.int64)
    extent = np.maximum(np.floor(flat.max(axis=1)).astype(np.int64) - first + 1, 0)
    number = extent.prod(axis=1)
    row = np.repeat(np.arange(len(corners)), number)
    turn = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    x = first[row, 0] + turn // extent[row, 1]
    z = first[row, 1] + turn % extent[row, 1]
    a, b, c = (corners[row, k] for k in range(3))
    double = (b[:, 0] - a[:, 0]) * (c[:, 2] - a[:, 2]) - (b[:, 2] - a[:, 2]) * (c[:, 0] - a[:, 0])
    with np.errstate(divide="ignore", invalid="ignore"):
        u = ((x - a[:, 0]) * (c[:, 2] - a[:, 2]) - (z - a[:, 2]) * (c[:, 0] - a[:, 0])) / double
        v = ((b[:, 0] - a[:, 0]) * (z - a[:, 2]) - (b[:, 2] - a[:, 2]) * (x - a[:, 0])) / double
        met = (u >= 0.0) & (v >= 0.0) & (u + v <= 1.0)
    height = a[:, 1] + u * (b[:, 1] - a[:, 1]) + v * (c[:, 1] - a[:, 1])
    return (x * shape[2] + z)[met], height[met]


def _way(surfaces: tuple[ArticularSurface, ...], bone: TriangleMesh,
         centres: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, Array]:
    """Return surface (n,), triangle (n,), distance (n,) mm of the nearest articular triangle, and the cosine (n,) between the way and its normal.

    The nearest triangle is the one with the nearest centre, and counts as a disc of equal area: at most 0.2 mm off for triangles of 1.5 mm.
    """
    from scipy.spatial import cKDTree

    below, count = cKDTree(bone.centroids), len(centres)
    distance, cosine = np.full(count, np.inf), np.zeros(count)
    triangle, surface = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for number, item in enumerate(surfaces):
        chosen = np.flatnonzero(item.region >= 0)
        under = bone.normals[below.query(item.centroids[chosen])[1]]
        chosen = chosen[np.einsum("mi,mi->m", item.normals[chosen], under) > FACING]
        if not chosen.size:
            continue
        length, row = cKDTree(item.centroids[chosen]).query(centres)
        row = chosen[row]
        height = np.einsum("ni,ni->n", item.centroids[row] - centres, item.normals[row])
        aside = np.maximum(np.sqrt(np.maximum(length**2 - height**2, 0.0)) - np.sqrt(item.areas[row] / np.pi), 0.0)
        length = np.hypot(height, aside)
        nearer = length < distance
        distance, cosine = np.where(nearer, length, distance), np.where(nearer, height / np.maximum(length, 1e-9), cosine)
        triangle, surface = np.where(nearer, row, triangle), np.where(nearer, number, surface)
    return surface, triangle, distance, cosine


def _border(values: Array, below: NDArray[np.bool_], above: NDArray[np.bool_]) -> float:
    """Return the coordinate that parts the triangles `below` from those `above`; infinite where one of them is empty."""
    if not below.any():
        return -np.inf
    return 0.5 * (float(values[below].max()) + float(values[above].min())) if above.any() else np.inf


def _femur(surfaces: tuple[ArticularSurface, ...], centres: Array) -> NDArray[np.int64]:
    region, at = surfaces[0].region, surfaces[0].centroids
    parts = ("femur_posterior", "femur_central", "femur_trochlea")
    label = np.array([[_INDEX[f"{name}_{side}"] for side in ("medial", "lateral")] for name in parts])
    lateral = (centres[:, 2] > _border(at[:, 2], np.isin(region, label[:, 0]), np.isin(region, label[:, 1]))).astype(np.int64)
    planes = np.array([[_border(at[:, 0], region == label[k, side], region == label[k + 1, side]) for side in range(2)] for k in range(2)])
    part = (centres[:, 0] > planes[0, lateral]).astype(np.int64) + (centres[:, 0] > planes[1, lateral])
    return label[part, lateral]


def _tibia(surfaces: tuple[ArticularSurface, ...], centres: Array) -> NDArray[np.int64]:
    parts = ("tibia_posterior", "tibia_central", "tibia_anterior")
    label = np.array([[_INDEX[f"{name}_{side}"] for side in ("medial", "lateral")] for name in parts])
    edge = inner_edges(surfaces, centres[:, 0])
    side = (centres[:, 2] > 0.5 * (edge[0, :, 2] + edge[1, :, 2])).astype(np.int64)
    planes = np.array([[_border(s.centroids[:, 0], s.region == label[k, n], s.region == label[k + 1, n]) for n, s in enumerate(surfaces)]
                       for k in range(2)])
    part = (centres[:, 0] > planes[0, side]).astype(np.int64) + (centres[:, 0] > planes[1, side])
    between = (centres[:, 2] > edge[0, :, 2]) & (centres[:, 2] < edge[1, :, 2])
    return np.where(between, SUBSPINOUS, label[part, side])


def _patella(surfaces: tuple[ArticularSurface, ...], centres: Array) -> NDArray[np.int64]:
    from scipy.spatial import cKDTree

    chosen = np.flatnonzero(surfaces[0].region >= 0)
    if not chosen.size:
        return np.full(len(centres), -1)
    return surfaces[0].region[chosen[cKDTree(surfaces[0].centroids[chosen][:, 1:]).query(centres[:, 1:])[1]]].astype(np.int64)


def inner_edges(surfaces: tuple[ArticularSurface, ...], x_mm: Array, *, levels: int = 12) -> Array:
    """Return (2, n, 3) mm: the innermost point of the bone under the medial and the lateral plateau at each x (n,) mm, tibia frame.

    The point is that of the middle 80 % of the extent along x that both plateaus share; beyond it the nearest of those holds.
    """
    at = [s.centroids for s in surfaces]
    low, high = max(a[:, 0].min() for a in at), min(a[:, 0].max() for a in at)
    borders = np.linspace(low + 0.1 * (high - low), high - 0.1 * (high - low), levels + 1)
    middle = 0.5 * (borders[1:] + borders[:-1])
    out = np.empty((2, len(x_mm), 3))
    for number, (item, centres) in enumerate(zip(surfaces, at)):
        bed = centres - item.thickness_mm[:, None] * item.normals
        sign = -1.0 if number else 1.0  # the inner edge of the medial plateau is its lateral one
        rows = [np.flatnonzero((centres[:, 0] >= a) & (centres[:, 0] < b)) for a, b in zip(borders[:-1], borders[1:])]
        known = [k for k, row in enumerate(rows) if row.size]
        edge = np.array([bed[rows[k]][(sign * centres[rows[k], 2]).argmax()] for k in known])
        out[number, :, 0] = x_mm
        for axis in (1, 2):
            out[number, :, axis] = np.interp(x_mm, middle[known], edge[:, axis])
    return out


def _below_line(surfaces: tuple[ArticularSurface, ...], centres: Array) -> Array:
    """Return how far (n,) mm points lie below the line between the inner edges of the plateaus, 0 above it."""
    edge = inner_edges(surfaces, centres[:, 0])
    share = np.clip((centres[:, 2] - edge[0, :, 2]) / np.maximum(edge[1, :, 2] - edge[0, :, 2], 1e-9), 0.0, 1.0)
    height = edge[0, :, 1] + share * (edge[1, :, 1] - edge[0, :, 1])
    return np.maximum(height - centres[:, 1], 0.0)
