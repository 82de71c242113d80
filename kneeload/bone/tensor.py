"""The stress tensor inside the bone under the patches of a knee: normal and tangential force, its invariants, and its power over a cycle.

Every point in the bone belongs to a point of the articular surface above it (`SurfacePoints`) and has its own half-space, whose surface is
the tangent plane there. A patch is as far away as the chord between the two surface points is long, in the direction of the chord's
projection on that plane: the surface is unrolled, as in `kneeload.bone.halfspace`. The force of a patch keeps its direction in space: the
part along the point's normal presses, the part in its tangent plane shears. So the whole force of the patches is passed on, also where the
surface turns. Exact on a flat surface; patches that face away from a point do not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.bone_map import BoneMap, LoadList
from kneeload.bone.halfspace import strain_energy_density
from kneeload.bone.material import BoneSolid
from kneeload.bone.volume import SUBSPINOUS, BoneVolume, articular_surfaces
from kneeload.errors import check_range
from kneeload.kernels.halfspace import RING_WEIGHTS, RINGS
from kneeload.kernels.stress_tensor import LANES, TENSOR, add_effective_power, fill_tensor_rows
from kneeload.subject.anatomy import KneeAnatomy

Array = NDArray[np.float64]
BLOCK_MM = 12.0  # points of one such cube are worked on together, so that far patches are far from all of them
SHALLOWEST_MM = 1.5  # points nearer to the bone surface count as that deep: above it lies the plate, and single patches of load would be seen


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfSpaceSolid:
    """Isotropic elastic constants of the half-space: the trabecular bone of `kneeload.bone.material.BoneSolid`, without plate and cortex.

    Attributes:
        youngs_modulus_mpa: MPa; range 340 to 3350, the axial modulus of proximal tibial bone by ultrasound (Ashman 1989, J Biomech 22:895).
            Stress in the half-space and the effective stress sqrt(2 E U) do not depend on it; strain and energy do.
        poisson_ratio: no unit; assumption, range 0.2 to 0.35.
    """

    youngs_modulus_mpa: float = BoneSolid().trabecular_modulus_mpa
    poisson_ratio: float = BoneSolid().poisson_ratio

    def __post_init__(self) -> None:
        check_range("Young's modulus of bone", self.youngs_modulus_mpa, 1.0, 30000.0, "MPa", where="youngs_modulus_mpa", why="bone has a stiffness")
        check_range("Poisson's ratio of bone", self.poisson_ratio, 0.0, 0.499, "", where="poisson_ratio", why="the half-space is a stable solid")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurfacePoints:
    """Points in the bone as points of the surface above them and a depth (n points), frame of the bone.

    Attributes:
        points: (n, 3) mm; on the loaded surface, or in its tangent plane beyond the edge.
        normals: (n, 3) no unit; outward unit normals there.
        depth_mm: (n,) mm below the bone surface, along the normal.
    """

    points: Array
    normals: Array
    depth_mm: Array


def surface_above(anatomy: KneeAnatomy, volume: BoneVolume) -> SurfacePoints:
    """Return the surface points above the cubes of a bone.

    A cube lies under the plane of its nearest articular triangle: its surface point is the foot of the perpendicular on that plane, its depth
    the way there less the cartilage, at least SHALLOWEST_MM. In the subspinous region depth counts as `BoneVolume.depth_mm` does, from the line between the plateaus.
    """
    surfaces = articular_surfaces(anatomy, volume.bone)
    row = np.array([0, *np.cumsum([len(s.mesh.triangles) for s in surfaces])])[volume.surface] + volume.triangle
    centroids, thickness = np.concatenate([s.centroids for s in surfaces])[row], np.concatenate([s.thickness_mm for s in surfaces])[row]
    centres = volume.centres_mm
    height = ((centroids - centres) * volume.normal).sum(axis=1)
    depth = np.where(volume.region == SUBSPINOUS, volume.depth_mm, np.maximum(height - thickness, 0.0))
    return SurfacePoints(points=centres + height[:, None] * volume.normal, normals=volume.normal, depth_mm=np.maximum(depth, SHALLOWEST_MM))


def tangent_axes(normals: Array) -> Array:
    """Return (3, 3, n) no unit: two unit vectors along the surface and the normal, for unit normals (n, 3); [axis, component, point]."""
    least = np.abs(normals).argmin(axis=1)
    first = np.cross(normals, np.eye(3)[least])
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    return np.ascontiguousarray(np.stack([first, np.cross(normals, first), normals]).transpose(0, 2, 1))


def in_bone_frame(stress: Array, normals: Array) -> Array:
    """Return (n, 3, 3) MPa in the frame of the bone from stress (n, 6) MPa in the `tangent_axes` of unit normals (n, 3), z into the solid."""
    axes = tangent_axes(normals).transpose(2, 0, 1) * np.array([1.0, 1.0, -1.0])[:, None]
    return np.einsum("nki,nkl,nlj->nij", axes, matrices(stress), axes)


def matrices(stress: Array) -> Array:
    """Return symmetric (..., 3, 3) MPa from (..., 6) MPa: xx, yy, zz, xy, yz, zx."""
    return stress[..., [[0, 3, 5], [3, 1, 4], [5, 4, 2]]]


def vertical_compression(stress: Array) -> Array:
    """Compressive stress along the normal of the surface, (...,) MPa, of stress (..., 6) MPa."""
    return -stress[..., 2]


def principal_stress(stress: Array) -> Array:
    """Principal stresses, (..., 3) MPa, from the most compressive to the most tensile, of stress (..., 6) MPa."""
    out: Array = np.linalg.eigvalsh(matrices(stress)).astype(np.float64, copy=False)
    return out


def strain(stress: Array, solid: HalfSpaceSolid) -> Array:
    """Strain (..., 6) no unit (xx, yy, zz, xy, yz, zx; tensor components, half of the engineering shear) of stress (..., 6) MPa: Hooke's law."""
    nu = solid.poisson_ratio
    out = (1.0 + nu) * np.asarray(stress, dtype=np.float64) / solid.youngs_modulus_mpa
    out[..., :3] -= nu * stress[..., :3].sum(axis=-1, keepdims=True) / solid.youngs_modulus_mpa
    return out


def effective_stress(stress: Array, solid: HalfSpaceSolid) -> Array:
    """Effective stress sqrt(2 E U), (...,) MPa, of stress (..., 6) MPa, with U the strain energy density.

    The energy measure of the daily loading history of Carter, Fyhrie and Whalen (1987, J Biomech 20:785): equal to the stress itself in
    uniaxial load. E cancels, Poisson's ratio does not.
    """
    return np.sqrt(2.0 * solid.youngs_modulus_mpa * strain_energy_density(stress, solid.youngs_modulus_mpa, solid.poisson_ratio))


def stress_under(bone: BoneMap, under: SurfacePoints, force_n: NDArray[np.float32], solid: HalfSpaceSolid | None = None) -> Array:
    """Return the stress (n, 6) MPa at points in the bone under forces (P,) N on its patches: xx, yy, zz, xy, yz, zx in the `tangent_axes`.

    z is along the normal, into the bone; tension positive.
    """
    chosen, count = np.flatnonzero(force_n), under.depth_mm.shape[0]
    out = np.zeros((count, TENSOR))
    rows = _Rows(bone, chosen, (solid or HalfSpaceSolid()).poisson_ratio)
    for part, geometry in _blocks(under):
        total = np.zeros(TENSOR * LANES)
        for force, row in zip(force_n[chosen], rows.under(geometry)):  # in one order, so that no library's threads can change the sum
            total += float(force) * row
        out[part] = total.reshape(TENSOR, LANES)[:, :part.shape[0]].T
    return out


def effective_power(bone: BoneMap, under: SurfacePoints, cycles: Sequence[tuple[LoadList, NDArray[np.float64]]], chosen: NDArray[np.int64], exponent: float,
                    solid: HalfSpaceSolid | None = None) -> tuple[Array, Array]:
    """Return what each of A cycles does at points in the bone: time integral of effective stress^exponent, and its peak.

    Args:
        bone: the patches.
        under: the points.
        cycles: loads of each cycle and the time (T,) s that each frame stands for.
        chosen: (c,) no unit; every patch that is loaded in some cycle.
        exponent: no unit.
        solid: elastic constants; default HalfSpaceSolid().

    Returns:
        (A, n) MPa^exponent s per cycle, and (A, n) MPa.
    """
    solid, count = solid or HalfSpaceSolid(), under.depth_mm.shape[0]
    power, largest = np.zeros((len(cycles), count)), np.zeros((len(cycles), count))
    if not chosen.size:
        return power, largest
    place = np.zeros(bone.patches.areas.shape[0], np.int32)
    place[chosen] = np.arange(chosen.shape[0])
    index = [place[loads.index[:loads.start[-1]]] for loads, _ in cycles]
    rows = _Rows(bone, chosen, solid.poisson_ratio)
    for part, geometry in _blocks(under):
        field = rows.under(geometry)
        for k, (loads, seconds) in enumerate(cycles):
            once, top = np.zeros(LANES), np.zeros(LANES, np.float32)
            add_effective_power(loads.start, index[k], loads.value, field, solid.poisson_ratio, exponent, seconds, once, top)
            power[k, part], largest[k, part] = once[:part.shape[0]], np.sqrt(top[:part.shape[0]])
    return power, largest


def _blocks(under: SurfacePoints) -> Iterator[tuple[NDArray[np.int64], Array]]:
    """Yield blocks of near points: their numbers (k,), k <= LANES, and geometry (13 LANES,), as `fill_tensor_rows` takes it, filled up with the last point."""
    count = under.depth_mm.shape[0]
    geometry = np.concatenate([under.points.T, tangent_axes(under.normals).reshape(9, count), under.depth_mm[None]])
    order = np.lexsort(np.floor(under.points.T / BLOCK_MM))
    for first in range(0, count, LANES):
        part = order[np.minimum(np.arange(first, first + LANES), count - 1)]
        yield part[:count - first], geometry[:, part].ravel()


class _Rows:
    """Stress rows of the chosen patches of a bone; the array is used again for each block."""

    def __init__(self, bone: BoneMap, chosen: NDArray[np.int64], poisson_ratio: float) -> None:
        self._bone, self._poisson, self._chosen = bone, poisson_ratio, chosen
        self._field = np.empty((chosen.shape[0], TENSOR * LANES), np.float32)

    def under(self, geometry: Array) -> NDArray[np.float32]:
        """Return (c, 6 LANES) MPa per N."""
        patches = self._bone.patches
        fill_tensor_rows(geometry, patches.centres, patches.normals, self._bone.radii, self._chosen, self._poisson, RINGS, RING_WEIGHTS, self._field)
        return self._field
