"""Stress in a bone with a plate, a density and inclusions, by finite elements: one operator per bone, reused over the frames of a cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.bone_map import field_loads, five, knee_map
from kneeload.bone.hexahedra import (
    Hexahedra,
    connected,
    entry_weights,
    hexahedra,
    nodal_forces,
    one_blas_thread,
    stiffness_matrix,
    strains,
    stresses,
)
from kneeload.bone.inclusions import Inclusion, apply_inclusions, stiffness_with
from kneeload.bone.material import BoneSolid, Shell, modulus, shell, trabecular_modulus
from kneeload.bone.model import BoneModel
from kneeload.bone.multigrid import solve_columns
from kneeload.bone.volume import BONES, BoneVolume, articular_surfaces, whole_bone
from kneeload.contact.cycle import ContactCycle
from kneeload.errors import InputError
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy

Array = NDArray[np.float64]
_PEAK_SHARE = 0.99  # of the cubes of a region lie below its peak


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegionStress:
    """Stress of the regions over a cycle (15,): the largest over the frames; nan for regions of other bones.

    Attributes:
        mean_stress: (15,) MPa; vertical compressive stress, mean over the volume of the region.
        peak_stress: (15,) MPa; 99th percentile over the cubes of the region that lie deeper than one edge.
        mean_energy, peak_energy: (15,) MPa (N mm per mm3); strain energy density in the same way.
    """

    mean_stress: Array
    peak_stress: Array
    mean_energy: Array
    peak_energy: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoneField:
    """Stress in n cubes of one bone over T frames, at the centres of the cubes.

    Attributes:
        volume: the n cubes, frame of the bone.
        modulus_mpa: (n,) MPa; Young's modulus of each cube.
        frames: (T,) no unit; frames of the cycle.
        vertical: (T, n) MPa; compressive stress along the normal of the articular surface above.
        principal: (T, n) MPa; largest compressive principal stress.
        pressure: (T, n) MPa; mean compressive stress (static part of the tensor).
        energy: (T, n) MPa (N mm per mm3); strain energy density.
        load_n: (T, 3) N; force of the contact on the bone, frame of the bone.
        reaction_n: (T, 3) N; force at the fixed end, from the stresses in the elements there.
        modes: number of solutions whose sums are the frames.
    """

    volume: BoneVolume
    modulus_mpa: Array
    frames: NDArray[np.int64]
    vertical: NDArray[np.float32]
    principal: NDArray[np.float32]
    pressure: NDArray[np.float32]
    energy: NDArray[np.float32]
    load_n: Array
    reaction_n: Array
    modes: int

    def by_region(self) -> RegionStress:
        """Return mean and peak of stress and strain energy density per MOAKS region."""
        return region_stress(self.volume, self.vertical, self.energy)


def region_stress(volume: BoneVolume, vertical: NDArray[Any], energy: NDArray[Any]) -> RegionStress:
    """Return the stress of the regions from the values (T, n) MPa of the cubes of a volume."""
    out = np.full((4, len(MOAKS_REGIONS)), np.nan)
    for region in np.unique(volume.region[volume.region >= 0]):
        own = volume.region == region
        deep = own & (volume.depth_mm >= volume.spacing_mm)
        for row, field in ((0, vertical), (2, energy)):
            out[row, region] = field[:, own].mean(axis=1, dtype=np.float64).max()
            if deep.any():
                out[row + 1, region] = np.quantile(field[:, deep], _PEAK_SHARE, axis=1).max()
    return RegionStress(mean_stress=out[0], peak_stress=out[1], mean_energy=out[2], peak_energy=out[3])


def solid_volume(anatomy: KneeAnatomy, bone: str, model: BoneSolid | None = None) -> BoneVolume:
    """Return the cubes of the finite element model of a bone: its end up to `shaft_mm` beyond the cartilage, the largest connected part.

    Kept for the last six triples of anatomy (by identity), bone and settings. Masks and densities have one value per cube.

    Raises:
        InputError: an unknown bone, or one whose mesh is missing or not closed.
    """
    chosen = model or BoneSolid()
    return _solid_volume(anatomy, bone, chosen.element_mm, chosen.shaft_mm)


@lru_cache(maxsize=6)
def _solid_volume(anatomy: KneeAnatomy, bone: str, element_mm: float, shaft_mm: float) -> BoneVolume:
    height = np.concatenate([s.centroids[s.region >= 0, 1] for s in articular_surfaces(anatomy, bone)])
    volume = whole_bone(anatomy, bone, spacing_mm=element_mm)
    y = volume.centres_mm[:, 1]
    if bone == "tibia":
        volume = volume.selected(y >= height.min() - shaft_mm)
    if bone == "femur":
        volume = volume.selected(y <= height.max() + shaft_mm)
    return volume.selected(connected(volume.index))


def held_nodes(mesh: Hexahedra, bone: str, model: BoneSolid) -> NDArray[np.bool_]:
    """Return (N,) True for the nodes at the fixed end: the cut through tibia or femur, the front of the patella."""
    if bone == "patella":
        held: NDArray[np.bool_] = mesh.nodes[:, 0] >= mesh.nodes[:, 0].max() - model.grip_mm
        return held
    y = mesh.nodes[:, 1]
    end = y.min() if bone == "tibia" else y.max()
    return np.abs(y - end) < 0.25 * mesh.edge_mm


def contact_forces(anatomy: KneeAnatomy, cycle: ContactCycle, bone: str) -> tuple[Array, Array, Array]:
    """Return what contact presses on a bone, by the same routes as the half-space: points (p, 3) mm, directions (p, 3) into the bone, N (p, T)."""
    knee = knee_map(anatomy, BoneModel())
    loads = field_loads(knee, *five(knee, cycle.fields))
    patches, own = getattr(knee, bone).patches, getattr(loads, bone)
    return patches.centres[own.chosen], -patches.normals[own.chosen], own.force[own.chosen, :loads.frames].astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PressedBone:
    """A bone under the contact of some frames, ready to be solved with any inclusions (n cubes, N nodes, T frames).

    Attributes:
        anatomy: the knee.
        model: settings.
        volume: the n cubes, frame of the bone.
        layers: plate and cortex in each cube.
        trabecular_mpa: (n,) MPa; modulus of the bone between them.
        mesh: the cubes as finite elements.
        frames: (T,) no unit; frames of the cycle.
        nodal_n: (N, 3, T) N; forces on the nodes, frame of the bone.
        held: (N,) no unit; True for the nodes at the fixed end.
    """

    anatomy: KneeAnatomy
    model: BoneSolid
    volume: BoneVolume
    layers: Shell
    trabecular_mpa: Array
    mesh: Hexahedra
    frames: NDArray[np.int64]
    nodal_n: Array
    held: NDArray[np.bool_]

    def stress(self, inclusions: Sequence[Inclusion] = ()) -> BoneField:
        """Return the stress with inclusions in this bone; later ones lie over earlier ones.

        Raises:
            InputError: a bad inclusion, scikit-fem or pyamg missing.
        """
        layers, parts = apply_inclusions(self.anatomy, self.volume, self.layers, inclusions)
        stiffness = stiffness_with(modulus(self.trabecular_mpa, layers, self.model), parts)
        mesh, ratio = self.mesh, self.model.poisson_ratio
        with one_blas_thread():
            solved, mix = solve(mesh, stiffness, ratio, self.nodal_n, self.held, self.model.tolerance)
        vertical, principal, pressure, energy = fields_of(mesh, stiffness, ratio, solved, mix, self.volume.normal)
        reaction = nodal_forces(mesh, stiffness, ratio, solved, self.held).sum(axis=0) @ mix
        return BoneField(volume=self.volume, modulus_mpa=_fixed(stiffness), frames=self.frames, vertical=vertical, principal=principal,
                         pressure=pressure, energy=energy, load_n=_fixed(self.nodal_n.sum(axis=0).T), reaction_n=_fixed(reaction.T), modes=solved.shape[2])


def pressed_bone(anatomy: KneeAnatomy, cycle: ContactCycle, model: BoneSolid | None = None, *, bone: str = "tibia",
                 frames: Sequence[int] | None = None, density_g_cm3: Array | None = None) -> PressedBone:
    """Return a bone with all that does not depend on inclusions: cubes, plate and cortex, and where the contact presses.

    Arguments: see `finite_element_stress`.

    Raises:
        InputError: an unknown bone, frames that are not there, no contact on the bone, a bad density.
    """
    solid = model or BoneSolid()
    volume = solid_volume(anatomy, bone, solid)
    points, inward, force = contact_forces(anatomy, cycle, bone)
    chosen = _frames(frames, force.shape[1])
    if not points.size or not force[:, chosen].any():
        raise InputError("contact", where=f"the {bone} in these frames", got="no pressure", allowed="pressure on its cartilage",
                         why="it is the load of the bone")
    mesh = hexahedra(volume.index, volume.spacing_mm, volume.origin_mm)
    weights = entry_weights(mesh, points, inward)
    nodal = np.stack([weights @ (inward[:, axis, None] * force[:, chosen]) for axis in range(3)], axis=1)
    return PressedBone(anatomy=anatomy, model=solid, volume=volume, layers=shell(anatomy, volume, solid),
                       trabecular_mpa=_fixed(trabecular_modulus(volume, solid, density_g_cm3)), mesh=mesh, frames=_fixed(chosen),
                       nodal_n=_fixed(nodal), held=_fixed(held_nodes(mesh, bone, solid)))


def finite_element_stress(anatomy: KneeAnatomy, cycle: ContactCycle, model: BoneSolid | None = None, inclusions: Sequence[Inclusion] = (), *,
                          bone: str = "tibia", frames: Sequence[int] | None = None, density_g_cm3: Array | None = None) -> BoneField:
    """Return the stress in one bone over a contact cycle.

    Trilinear cubes (a voxel model: Keyak et al. 1990, doi 10.1016/0141-5425(90)90022-F) with stress at their centres, where it is most
    accurate. Frames are sums of few independent loads (singular value decomposition of the nodal forces), each solved by
    conjugate gradients with one algebraic multigrid hierarchy.

    Args:
        anatomy: the knee.
        cycle: contact fields of that knee; menisci press on the plateaus, and all fields on the femur.
        model: settings.
        inclusions: in this bone; later ones lie over earlier ones.
        bone: "femur", "tibia" or "patella".
        frames: numbers of the frames that are computed; default all.
        density_g_cm3: (n,) g/cm3; apparent density of each cube of `solid_volume`; default that of the settings.

    Raises:
        InputError: an unknown bone, frames that are not there, no contact on the bone, a bad inclusion or density, scikit-fem or pyamg missing.
    """
    return pressed_bone(anatomy, cycle, model, bone=bone, frames=frames, density_g_cm3=density_g_cm3).stress(inclusions)


def all_bones(anatomy: KneeAnatomy, cycle: ContactCycle, model: BoneSolid | None = None,
              inclusions: Sequence[Inclusion] = ()) -> dict[str, BoneField]:
    """Return the stress in femur, tibia and patella, each with the inclusions of its regions; a bone without contact is left out.

    Raises:
        InputError: as `finite_element_stress`.
    """
    loaded = [bone for bone in BONES if contact_forces(anatomy, cycle, bone)[2].any()]
    return {bone: finite_element_stress(anatomy, cycle, model, [i for i in inclusions if i.bone == bone], bone=bone) for bone in loaded}


def _frames(frames: Sequence[int] | None, count: int) -> NDArray[np.int64]:
    chosen = np.arange(count) if frames is None else np.asarray(frames, np.int64).reshape(-1)
    if not chosen.size or chosen.min() < 0 or chosen.max() >= count:
        raise InputError("frames", where="finite_element_stress", got=frames, allowed=f"some of 0 to {count - 1}",
                         why="the cycle has so many")
    return chosen


def _fixed(array: NDArray[Any]) -> NDArray[Any]:
    out = np.ascontiguousarray(array)
    out.setflags(write=False)
    return out


def solve(mesh: Hexahedra, modulus_mpa: Array, poisson_ratio: float, nodal: Array, held: NDArray[np.bool_],
          tolerance: float) -> tuple[Array, Array]:
    """Return displacements (N, 3, r) mm of r independent loads and the mix (r, T): the frames of the loads (N, 3, T) N are displacements @ mix.

    Loads smaller than `tolerance` of the largest are left out, and the others are solved until the residual force is that small, so
    that weak ones take few steps.

    Raises:
        InputError: pyamg is not installed, or the solver does not converge.
    """
    free = ~held
    load = nodal[free].reshape(-1, nodal.shape[2])
    value, vector = np.linalg.eigh(load.T @ load)
    size = np.sqrt(np.maximum(value[::-1], 0.0))
    mix = vector[:, ::-1][:, size > tolerance * size[0]].T
    matrix = stiffness_matrix(mesh, modulus_mpa, poisson_ratio, free)
    limit = np.full(len(mix), tolerance * size[0])
    out = np.zeros((len(held), 3, len(mix)))
    out[free] = solve_columns(matrix, rigid_motions(mesh.nodes[free]), load @ mix.T, limit).reshape(-1, 3, len(mix))
    return out, mix


def rigid_motions(nodes: Array) -> Array:
    """Return the six rigid motions (3N, 6) of nodes (N, 3) mm: what multigrid must keep on its coarse levels."""
    at = (nodes - nodes.mean(axis=0)) / np.ptp(nodes)
    out = np.zeros((len(nodes), 3, 6))
    for axis in range(3):
        after = (axis + 1) % 3
        out[:, axis, axis] = 1.0
        out[:, axis, 3 + axis], out[:, after, 3 + axis] = -at[:, after], at[:, axis]
    return out.reshape(-1, 6)


def fields_of(mesh: Hexahedra, modulus_mpa: Array, poisson_ratio: float, solved: Array, mix: Array,
              normal: Array) -> tuple[NDArray[np.float32], ...]:
    """Return vertical, principal, mean compressive stress and strain energy density, each (T, n) MPa, from `solve`; normal (n, 3)."""
    strain = strains(mesh, solved)
    basis = stresses(strain, modulus_mpa, poisson_ratio)
    count, frames = len(mesh.cells), mix.shape[1]
    out = tuple(np.empty((frames, count), np.float32) for _ in range(4))
    for first in range(0, count, 2000):
        part = slice(first, first + 2000)
        stress, bend = basis[part] @ mix, strain[part] @ mix
        n = normal[part].T[:, :, None]
        xx, yy, zz, xy, yz, zx = np.moveaxis(stress, 1, 0)
        turned = n[0]**2 * xx + n[1]**2 * yy + n[2]**2 * zz + 2.0 * (n[0] * n[1] * xy + n[1] * n[2] * yz + n[2] * n[0] * zx)
        values = (-turned, -least_principal(stress), -(xx + yy + zz) / 3.0, 0.5 * np.einsum("nct,nct->nt", stress, bend))
        for field, value in zip(out, values):
            field[:, part] = value.T
    for field in out:
        field.setflags(write=False)
    return out


def least_principal(stress: Array) -> Array:
    """Return the least principal stress (n, k) MPa of stress (n, 6, k) MPa (trigonometric solution of the cubic)."""
    xx, yy, zz, xy, yz, zx = np.moveaxis(stress, 1, 0)
    mean = (xx + yy + zz) / 3.0
    a, b, c = xx - mean, yy - mean, zz - mean
    spread = np.sqrt((a**2 + b**2 + c**2 + 2.0 * (xy**2 + yz**2 + zx**2)) / 6.0)
    determinant = a * (b * c - yz**2) - xy * (xy * c - yz * zx) + zx * (xy * yz - b * zx)
    angle = np.arccos(np.clip(0.5 * determinant / np.maximum(spread, 1e-30) ** 3, -1.0, 1.0)) / 3.0
    out: Array = mean + 2.0 * spread * np.cos(angle + 2.0 * np.pi / 3.0)
    return out
