"""Contact of two surfaces in a given pose: force, moment, pressure, area."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from kneeload.contact.model import LAWS
from kneeload.contact.springs import level_tuple, triangle_geometry
from kneeload.contact.target import level_set_of, lies_behind
from kneeload.errors import InputError, check_choice, check_range
from kneeload.kernels import pose_stress as kernels
from kneeload.kernels.layer import LOCKED
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import ArticularSurface, LayerMaterial

Array = NDArray[np.float64]
DEPTHS = ("target_normal", "casting_normal")
STRESS_STATUS = {
    0: "touching",
    1: "no contact in this pose",
    2: "a layer is compressed beyond 90 % (nonlinear law) or 100 % (linear law) of its thickness",
    3: "the casting surface lies wholly behind the target: the bodies have passed through each other",
}
PATCH_RADIUS_MM = 2.0
"""Radius of the patch over which `ContactResult.peak_patch` is a mean, mm (assumption, 1 to 3: the elements of the film sensors that
measure knees are 1 to 2 mm wide, and a mean over several of them is what their users report as a peak)."""
_PEAK_SHARE = 0.01  # of the area in contact lies above `peak_percentile`
_PATCHES = 24  # patches that are tried: round the triangles of highest pressure
_BLOCK = 16  # triangles per bounding sphere


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContactResult:
    """Contact of a casting surface (m triangles) with a target.

    Attributes:
        force: (3,) N, on the casting body, frame of the casting body (as OpenSim-JAM reports it).
        moment: (3,) N mm, same, about the origin of that frame.
        pressure: (m,) MPa per casting triangle.
        depth: (m,) mm per casting triangle, 0 where nothing touches.
        area: mm2 in contact; triangles at the rim count in part.
        peak: largest pressure of one triangle, MPa (noisy on rough meshes: prefer the next two).
        peak_percentile: pressure that one per cent of the area in contact exceeds, MPa.
        peak_patch: largest mean pressure over a patch of 2 mm radius round a triangle, MPa.
        mean: normal force over area, MPa (0 without contact).
        energy: stored in the layers, N mm; with depth="target_normal" its slope along a motion is minus the force.
        status: see `STRESS_STATUS`.
    """

    force: Array
    moment: Array
    pressure: Array
    depth: Array
    area: float
    peak: float
    peak_percentile: float
    peak_patch: float
    mean: float
    energy: float
    status: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Springs:
    """A casting surface as the kernel wants it: areas (m,) mm2, a tree of the centres, the tuple `springs` of `kneeload.kernels.pose_stress`."""

    area: Array
    tree: cKDTree
    arrays: tuple[NDArray, ...]


@lru_cache(maxsize=16)
def _springs(casting: ArticularSurface) -> _Springs:
    centre, normal, area = triangle_geometry(casting.mesh)
    if len(area) == 0 or not np.all(casting.thickness_mm > 0.0):
        raise InputError(f"layer thickness of {casting.name}", where=f"{casting.name}.thickness_mm", got=0.0 if len(area) else "no triangles",
                         allowed="above 0 mm on every triangle", why="a layer without thickness has no elastic foundation")
    size = np.linalg.norm(casting.mesh.points[casting.mesh.triangles] - centre[:, None, :], axis=2).max(axis=1)
    tree = cKDTree(centre)
    block = np.append(tree.indices, np.full(-len(centre) % _BLOCK, -1)).astype(np.int64).reshape(-1, _BLOCK)
    middle = np.array([centre[b[b >= 0]].mean(axis=0) for b in block])
    radius = np.where(block >= 0, np.linalg.norm(centre[block] - middle[:, None, :], axis=2) + size[block], 0.0).max(axis=1)
    arrays = (centre, normal, area, size, casting.thickness_mm, block, middle, radius, casting.mesh.points, casting.mesh.triangles)
    return _Springs(area=area, tree=tree, arrays=tuple(_fixed(values) for values in arrays))


@lru_cache(maxsize=8)
def _level(level_set: LevelSet) -> tuple:
    return level_tuple(level_set, expansions=False)


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
    casting: ArticularSurface, target: ArticularSurface | LevelSet, pose: ArrayLike, *, law: str = "linear", depth: str = "target_normal",
    layer_factor: float = 1.0, target_material: LayerMaterial | None = None, level_set_spacing_mm: float = 1.0,
) -> ContactResult:
    """Return the contact of a casting surface with a target in a given pose (quasi-static, without friction).

    Each casting triangle is a spring at its centre: depth d below the target's surface, pressure p = k d (linear) or -k h ln(1 - d/h)
    (nonlinear), 1/k the sum of thickness over confined modulus of both layers and h the sum of the thicknesses. Source: two layers in
    series, Zevenbergen 2018 (doi 10.1371/journal.pone.0205842); laws, Bei and Fregly 2004 (PMC1680082). Triangles whose normal does not
    face the target are left out.

    Two conventions say what depth is. "target_normal": the shortest way out of the target; the force acts along the gradient of its level
    set and has a potential, so this is what the equilibrium uses. "casting_normal": the length of the ray from the centre of the casting
    triangle along its inward normal to the target's surface, and the force acts along that normal; this is how OpenSim-JAM casts
    its rays (Smith 2018, doi 10.1080/21681163.2016.1172346). They differ by the cosine of the angle between the two surfaces.

    Args:
        casting: the surface whose triangles become springs.
        target: the other surface; its level set is built once and kept.
        pose: (4, 4), mm; x_target = R x_casting + t.
        law: "linear" or "nonlinear".
        depth: "target_normal" or "casting_normal".
        layer_factor: factor on the confined moduli of both layers (1 = plain foundation; see `model.layer_factor_at`).
        target_material: layer of a target that is given as a level set; None = rigid. A surface brings its own.
        level_set_spacing_mm: node distance of the level set of a target that is given as a surface.

    Raises:
        InputError: unknown law or depth, bad pose, a casting layer without thickness, a target without triangles, a left surface on a right.
    """
    check_choice("contact law", law, LAWS, where="law", why="these laws of the elastic foundation are known")
    check_choice("depth of contact", depth, DEPTHS, where="depth", why="depth is measured along one of the two normals")
    check_range("layer factor", layer_factor, 0.01, 10.0, "", where="layer_factor", why="it corrects the stiffness of the plain foundation")
    check_range("level-set spacing", level_set_spacing_mm, 0.1, 5.0, "mm", where="level_set_spacing_mm", why="coarser grids lose the shape of a condyle")
    matrix, springs = _pose(pose), _springs(casting)
    level, material = target, target_material
    if isinstance(target, ArticularSurface):
        if target.side != casting.side:
            raise InputError("side of the surfaces", where=f"{casting.name}, {target.name}", got=f"{casting.side} on {target.side}",
                             allowed="two surfaces of the same side", why="a left and a right bone do not make a joint; mirror one with mirrored()")
        level, material = level_set_of(target, float(level_set_spacing_mm)), target.material
    assert isinstance(level, LevelSet)
    modulus = casting.material.confined_modulus_mpa * layer_factor
    compliance = 0.0 if material is None else 1.0 / (material.confined_modulus_mpa * layer_factor)
    pressure, depths, sums = np.zeros(len(springs.area)), np.zeros(len(springs.area)), np.zeros(10)
    kernels.stress_in_pose(np.ascontiguousarray(matrix[:3, :3]), matrix[:3, 3].copy(), _level(level), springs.arrays, modulus, compliance,
                           law == "nonlinear", depth == "casting_normal", pressure, depths, sums)
    area, pressed = float(sums[kernels.AREA]), np.flatnonzero(pressure)
    return ContactResult(
        force=_fixed(matrix[:3, :3].T @ sums[:3]), moment=_fixed(matrix[:3, :3].T @ sums[3:6]), pressure=_fixed(pressure), depth=_fixed(depths),
        area=area, peak=float(pressure.max()), peak_percentile=_exceeded(pressure[pressed], springs.area[pressed], _PEAK_SHARE),
        peak_patch=_patch_mean(springs, pressure), mean=float(sums[kernels.NORMAL_FORCE]) / area if area > 0.0 else 0.0,
        energy=float(sums[kernels.ENERGY]), status=_status(area, float(sums[kernels.STRAIN]), law, casting, target, matrix),
    )


def _status(area: float, strain: float, law: str, casting: ArticularSurface, target: ArticularSurface | LevelSet, matrix: Array) -> int:
    if strain > (LOCKED if law == "nonlinear" else 1.0):
        return 2
    if area > 0.0:
        return 0
    return 3 if isinstance(target, ArticularSurface) and lies_behind(casting.mesh, target, matrix) else 1


def _exceeded(pressure: Array, area: Array, share: float) -> float:
    """Pressure that a share of the loaded area exceeds."""
    if len(pressure) == 0:
        return 0.0
    order = np.argsort(pressure)[::-1]
    above = np.cumsum(area[order])
    return float(pressure[order][min(int(np.searchsorted(above, share * above[-1])), len(order) - 1)])


def _patch_mean(springs: _Springs, pressure: Array) -> float:
    """Largest mean pressure within `PATCH_RADIUS_MM` of a triangle; unloaded triangles of the patch count with 0."""
    count = min(_PATCHES, int(np.count_nonzero(pressure)))
    if count == 0:
        return 0.0
    tops = np.argpartition(pressure, -count)[-count:]
    members = springs.tree.query_ball_point(springs.arrays[0][tops], PATCH_RADIUS_MM)
    first = np.cumsum([0, *(len(m) for m in members[:-1])])
    every = np.concatenate(members)
    area = springs.area[every]
    return float((np.add.reduceat(pressure[every] * area, first) / np.add.reduceat(area, first)).max())


def _fixed(values: NDArray) -> NDArray:
    array = np.array(values)
    array.setflags(write=False)
    return array
