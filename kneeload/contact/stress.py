"""Contact of two surfaces in a given pose: force, moment, pressure, area."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.contact.model import LAWS
from kneeload.contact.solver import coordinates
from kneeload.contact.springs import Casting, SpringSet, build_springs, level_tuple
from kneeload.contact.target import level_set_of
from kneeload.errors import InputError, check_choice, check_range
from kneeload.kernels import contact as kernels
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import ArticularSurface, LayerMaterial

Array = NDArray[np.float64]
STRESS_STATUS = {0: "touching", 1: "no contact in this pose", 2: "a layer is compressed beyond 90 % (nonlinear law) or 100 % (linear law) of its thickness"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContactResult:
    """Contact of a casting surface (m triangles) with a target.

    Attributes:
        force: (3,) N, on the casting body, frame of the casting body (as OpenSim-JAM reports it).
        moment: (3,) N mm, same, about the origin of that frame.
        pressure: (m,) MPa per casting triangle.
        depth: (m,) mm per casting triangle, 0 where nothing touches.
        area: mm2 of the triangles that touch.
        peak: largest pressure, MPa.
        peak_percentile: pressure that one per cent of the area in contact exceeds, MPa.
        mean: normal force over area, MPa (0 without contact).
        status: see `STRESS_STATUS`.
    """

    force: Array
    moment: Array
    pressure: Array
    depth: Array
    area: float
    peak: float
    peak_percentile: float
    mean: float
    status: int


@lru_cache(maxsize=16)
def _springs(casting: ArticularSurface, layer_factor: float) -> SpringSet:
    modulus = casting.material.confined_modulus_mpa * layer_factor
    thickness = np.asarray(casting.thickness_mm, dtype=float)
    return build_springs([Casting(name=casting.name, mesh=casting.mesh, thickness_mm=thickness, compliance=thickness / modulus,
                                  used=np.ones(len(thickness), bool))])


@lru_cache(maxsize=8)
def _level(level_set: LevelSet) -> tuple:
    return level_tuple(level_set)


def _pose(pose: ArrayLike) -> Array:
    matrix = np.asarray(pose, dtype=float)
    if matrix.shape != (4, 4) or not np.all(np.isfinite(matrix)):
        raise InputError("pose of the casting surface", where="pose", got=matrix.tolist() if matrix.size < 17 else matrix.shape,
                         allowed="a finite 4 x 4 matrix", why="it places the casting surface in the frame of the target")
    rotation = matrix[:3, :3]
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-5 or np.linalg.det(rotation) < 0.0:
        raise InputError("pose of the casting surface", where="pose", got=rotation.tolist(), allowed="a rotation in its upper left 3 x 3 part",
                         why="bodies neither stretch nor turn inside out")
    return matrix


def contact_stress(
    casting: ArticularSurface, target: ArticularSurface | LevelSet, pose: ArrayLike, *, law: str = "linear", layer_factor: float = 1.0,
    target_material: LayerMaterial | None = None, level_set_spacing_mm: float = 1.0,
) -> ContactResult:
    """Return the contact of a casting surface with a target in a given pose (quasi-static, without friction).

    Each casting triangle is a spring at its centre: depth d below the target's surface, pressure p = k d (linear) or -k h ln(1 - d/h)
    (nonlinear), 1/k the sum of thickness over confined modulus of both layers and h the sum of the thicknesses; the force acts
    along the gradient of the target's level set, so it has a potential. Source: two layers in series, Zevenbergen 2018
    (doi 10.1371/journal.pone.0205842); laws, Bei and Fregly 2004 (PMC1680082). Triangles whose normal does not face the target are left out.

    Args:
        casting: the surface whose triangles become springs.
        target: the other surface; its level set is built once and kept.
        pose: (4, 4), mm; x_target = R x_casting + t.
        law: "linear" or "nonlinear".
        layer_factor: factor on the confined moduli of both layers (1 = plain foundation; see `model.layer_factor_at`).
        target_material: layer of a target that is given as a level set; None = rigid. A surface brings its own.
        level_set_spacing_mm: node distance of the level set of a target that is given as a surface.

    Raises:
        InputError: unknown law, bad pose, a casting layer without thickness, a target without triangles.
    """
    check_choice("contact law", law, LAWS, where="law", why="these laws of the elastic foundation are known")
    check_range("layer factor", layer_factor, 0.01, 10.0, "", where="layer_factor", why="it corrects the stiffness of the plain foundation")
    check_range("level-set spacing", level_set_spacing_mm, 0.1, 5.0, "mm", where="level_set_spacing_mm", why="coarser grids lose the shape of a condyle")
    matrix = _pose(pose)
    springs = _springs(casting, float(layer_factor))
    level = _level(level_set_of(target, float(level_set_spacing_mm)) if isinstance(target, ArticularSurface) else target)
    material: LayerMaterial | None = target.material if isinstance(target, ArticularSurface) else target_material
    compliance = 0.0 if material is None else 1.0 / (material.confined_modulus_mpa * layer_factor)
    total = len(springs.area)
    pressure, depth, sums, status = np.zeros(total, np.float32), np.zeros(total), np.zeros(8), 0
    strain = kernels.stress_in_pose(coordinates(matrix), level, springs.arrays, springs.home, compliance, law == "nonlinear", pressure, depth, sums)
    area = float(sums[6])
    if area == 0.0:
        status = 1
    elif strain > (kernels.LOCKED if law == "nonlinear" else 1.0):
        status = 2
    peak = kernels.area_percentile(pressure, springs.area, np.zeros(1, np.int64), np.array([total]), 0.01)
    return ContactResult(
        force=_fixed(matrix[:3, :3].T @ sums[:3]), moment=_fixed(matrix[:3, :3].T @ sums[3:6]), pressure=_fixed(pressure.astype(float)), depth=_fixed(depth),
        area=area, peak=float(pressure.max(initial=0.0)), peak_percentile=float(peak), mean=float(sums[7]) / area if area > 0.0 else 0.0, status=status,
    )


def _fixed(values: Array) -> Array:
    array = np.array(values)
    array.setflags(write=False)
    return array
