"""What bone is made of in the finite element model: constants with their sources, and the modulus of every cube."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.volume import FACING, BoneVolume, articular_surfaces
from kneeload.errors import InputError, check_range
from kneeload.subject.anatomy import KneeAnatomy

Array = NDArray[np.float64]
_BEYOND_MM = 0.5  # bone within this distance beyond the cartilage thickness lies under cartilage (triangles are that coarse)


@dataclass(frozen=True, slots=True, kw_only=True)
class BoneSolid:
    """Settings of the finite element model of a bone: isotropic, linear elastic.

    Attributes:
        element_mm: edge of the cubes, mm.
        shaft_mm: how far the model reaches beyond the articular surface along the shaft, mm; there femur and tibia are fixed.
        grip_mm: thickness of the front of the patella that is fixed, mm: tendon and retinacula hold it there (assumption, range 3 to 8).
        density_g_cm3: apparent (wet) density of the trabecular bone, g/cm3. Assumption: the middle of the specimens of Morgan 2003 from
            the proximal tibia; range 0.10 to 0.40. A measured density per cube can be given to `finite_element_stress`.
        law_mpa, law_exponent: trabecular modulus = law_mpa x density^law_exponent, MPa with density in g/cm3: proximal tibia of
            Morgan, Bayraktar and Keaveny 2003 (doi 10.1016/s0021-9290(03)00071-x), used for all three bones (assumption: they measured
            neither condyle nor patella; the sites that they measured differ by up to half).
        poisson_ratio: of all bone; assumption, range 0.2 to 0.35.
        plate_thickness_mm: of the subchondral plate, mm. Assumption within the range of Milz and Putz 1994 (J Anat 185:103), range 0.2 to 1.5.
        plate_modulus_mpa: of the plate, MPa. Mente and Lewis 1994 (doi 10.1002/jor.1100120505), bending of subchondral
            bone; Choi 1990 (doi 10.1016/0021-9290(90)90003-L) found 1150 MPa: range 1150 to 5700.
        cortex_thickness_mm, cortex_modulus_mpa: shell around the rest of the end of the bone, mm and MPa. Assumption: thin and porous
            beside the 17000 MPa of the shaft; ranges 0.5 to 2 mm and 5000 to 17000 MPa.
        tolerance: of the solver, no unit; residual force over the largest load.
    """

    element_mm: float = 2.5
    shaft_mm: float = 30.0
    grip_mm: float = 5.0
    density_g_cm3: float = 0.25
    law_mpa: float = 15520.0
    law_exponent: float = 1.93
    poisson_ratio: float = 0.3
    plate_thickness_mm: float = 0.6
    plate_modulus_mpa: float = 5700.0
    cortex_thickness_mm: float = 1.0
    cortex_modulus_mpa: float = 10000.0
    tolerance: float = 3e-4

    def __post_init__(self) -> None:
        for name, low, high, unit, why in (
            ("element_mm", 0.5, 6.0, "mm", "coarser cubes miss the plateau, finer ones do not fit into memory"),
            ("shaft_mm", 10.0, 80.0, "mm", "the fixed end must lie away from the loaded one and within the bone"),
            ("grip_mm", 1.0, 15.0, "mm", "the patella is held at its front"),
            ("density_g_cm3", 0.02, 1.2, "g/cm3", "trabecular bone is denser than marrow and lighter than cortex"),
            ("law_mpa", 100.0, 100000.0, "MPa", "it is the modulus at 1 g/cm3"),
            ("law_exponent", 0.5, 4.0, "", "published exponents lie between 1 and 3"),
            ("poisson_ratio", 0.0, 0.45, "", "trilinear cubes lock near 0.5"),
            ("plate_thickness_mm", 0.0, 4.0, "mm", "the plate is a thin layer"),
            ("plate_modulus_mpa", 1.0, 50000.0, "MPa", "bone is not stiffer than its mineral"),
            ("cortex_thickness_mm", 0.0, 6.0, "mm", "the shell is a thin layer"),
            ("cortex_modulus_mpa", 1.0, 50000.0, "MPa", "bone is not stiffer than its mineral"),
            ("tolerance", 1e-10, 1e-2, "", "a larger residual is an error of the stress"),
        ):
            label, where = ("element edge", "spacing_mm") if name == "element_mm" else (name.replace("_", " "), f"solid.{name}")
            check_range(label, getattr(self, name), low, high, unit, where=f"finite_elements.{where}", why=why)

    @property
    def trabecular_modulus_mpa(self) -> float:
        """Young's modulus at the density of the settings, MPa."""
        return float(self.law_mpa * self.density_g_cm3**self.law_exponent)


def homogeneous(model: BoneSolid) -> BoneSolid:
    """Return the settings with plate and cortex as stiff as the trabecular bone: one material, as in a half-space."""
    from dataclasses import replace

    return replace(model, plate_modulus_mpa=model.trabecular_modulus_mpa, cortex_modulus_mpa=model.trabecular_modulus_mpa)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shell:
    """How much of each of n cubes is plate and cortex.

    Attributes:
        plate: (n,) no unit; part of the cube that is subchondral plate.
        cortex: (n,) no unit; part that is cortex.
        bed: (n, 3) mm; where the plate of the cube lies, frame of the bone (nan without).
    """

    plate: Array
    cortex: Array
    bed: Array


def shell(anatomy: KneeAnatomy, volume: BoneVolume, model: BoneSolid) -> Shell:
    """Return the plate and the cortex in each cube.

    Each triangle of the bone mesh hands its layer (area x thickness) in equal parts from four of its points to the nearest cubes, so that
    the amount of stiff bone does not depend on how cubes cut the surface. It is plate under cartilage, cortex elsewhere.
    """
    from scipy.spatial import cKDTree

    mesh = anatomy.bones[volume.bone]
    under = np.zeros(len(mesh.triangles), np.bool_)
    for item in articular_surfaces(anatomy, volume.bone):
        chosen = np.flatnonzero(item.region >= 0)
        distance, row = cKDTree(item.centroids[chosen]).query(mesh.centroids)
        row = chosen[row]
        under |= (distance < item.thickness_mm[row] + _BEYOND_MM) & (np.einsum("mi,mi->m", item.normals[row], mesh.normals) > FACING)
    corners = mesh.points[mesh.triangles]
    points = np.concatenate([0.5 * (corners + mesh.centroids[:, None, :]), mesh.centroids[:, None, :]], axis=1)
    distance, cube = cKDTree(volume.centres_mm).query(points.reshape(-1, 3))
    distance, cube = distance.reshape(-1, 4), cube.reshape(-1, 4)
    amount = np.where(distance < 1.5 * volume.spacing_mm, 0.25 * mesh.areas[:, None] / volume.volume_mm3, 0.0)
    count, centres = len(volume.region), np.full((len(volume.region), 3), np.nan)
    parts = {}
    for name, which, thickness in (("plate", under, model.plate_thickness_mm), ("cortex", ~under, model.cortex_thickness_mm)):
        parts[name] = np.bincount(cube[which].ravel(), thickness * amount[which].ravel(), count)
    weight = np.bincount(cube[under].ravel(), amount[under].ravel(), count)
    laid = weight > 0.0
    for axis in range(3):
        centres[laid, axis] = np.bincount(cube[under].ravel(), (amount[under, None, :] * points[under].transpose(0, 2, 1))[:, axis].ravel(), count)[laid]
    centres[laid] /= weight[laid, None]
    total = np.maximum(parts["plate"] + parts["cortex"], 1.0)
    return Shell(plate=parts["plate"] / total, cortex=parts["cortex"] / total, bed=centres)


def trabecular_modulus(volume: BoneVolume, model: BoneSolid, density_g_cm3: Array | None) -> Array:
    """Return the trabecular modulus (n,) MPa of each cube, from the density of the settings or (n,) g/cm3 given.

    Raises:
        InputError: a density of the wrong shape, not positive or not finite.
    """
    if density_g_cm3 is None:
        return np.full(len(volume.region), model.trabecular_modulus_mpa)
    density = np.asarray(density_g_cm3, np.float64)
    if density.shape != volume.region.shape:
        raise InputError("bone density", where="density_g_cm3", got=density.shape,
                         allowed=f"{volume.region.shape}: one value per cube of the model",
                         why="every cube needs a modulus")
    if not np.all(np.isfinite(density) & (density > 0.0)):
        raise InputError("bone density", where="density_g_cm3", got=float(np.min(density)), allowed="finite and above 0 g/cm3",
                         why="bone without density has no stiffness")
    return model.law_mpa * density**model.law_exponent


def modulus(trabecular: Array, layers: Shell, model: BoneSolid) -> Array:
    """Return the modulus (n,) MPa of cubes of which a part is plate or cortex, by volume.

    The parallel mix is right for what a thin stiff layer does, stretching and bending along the surface; across the surface it is too
    stiff, over one cube.
    """
    rest = 1.0 - layers.plate - layers.cortex
    return rest * trabecular + layers.plate * model.plate_modulus_mpa + layers.cortex * model.cortex_modulus_mpa
