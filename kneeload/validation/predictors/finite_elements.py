"""The two routes from pressure to stress in the bone against each other and against a closed form: half-space and finite elements."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.agreement import half_space_stress
from kneeload.bone.finite_elements import fields_of, finite_element_stress, region_stress, solve
from kneeload.bone.halfspace import disc_stress
from kneeload.bone.hexahedra import entry_weights, hexahedra, require_packages
from kneeload.bone.material import BoneSolid, homogeneous
from kneeload.errors import InputError, check_choice
from kneeload.simulate import anatomy_of
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import Subject
from kneeload.validation.bench import Bench, Skipped, activity_of, contact_of, run
from kneeload.validation.predictors.registry import predictor

Array = NDArray[np.float64]
_MODULUS_MPA, _POISSON, _PRESSURE_MPA = 1000.0, 0.3, 4.0  # of the block; the error does not depend on the first and the last


def _needs_packages() -> None:
    try:
        require_packages()
    except InputError as problem:
        raise Skipped(f"{problem.got}: {problem.allowed}") from None


@predictor
def block_error_pct(bench: Bench, subject: Subject, *, edge_mm: float = 2.5, radius_mm: float = 8.0, first_edges: float = 2.0,
                    deepest_mm: float = 15.0) -> float:
    """Error of the vertical stress of finite elements in a homogeneous block under a uniform disc, against the half-space, %: worst cube.

    Cubes below the disc from `first_edges` edges to `deepest_mm` deep. The block is 50 mm wide and 40 mm high, held at its bottom: an end as deep as
    that of the models of bones, and no half-space, whose part in the error grows with depth.
    """
    _needs_packages()
    shape = np.array([round(50.0 / edge_mm), round(40.0 / edge_mm), round(50.0 / edge_mm)])
    index = np.stack(np.meshgrid(*(np.arange(size) for size in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    mesh = hexahedra(index, edge_mm, 0.5 * edge_mm - edge_mm * shape * np.array([0.5, 1.0, 0.5]))
    line = np.arange(-radius_mm + 0.2, radius_mm, 0.4)
    points = np.stack([np.repeat(line, len(line)), np.full(len(line) ** 2, 1.0), np.tile(line, len(line))], axis=1)
    points = points[np.hypot(points[:, 0], points[:, 2]) < radius_mm]
    force = np.pi * radius_mm**2 * _PRESSURE_MPA
    nodal = np.zeros((len(mesh.nodes), 3, 1))
    nodal[:, 1, 0] = -(entry_weights(mesh, points, np.tile([0.0, -1.0, 0.0], (len(points), 1))) @ np.full(len(points), force / len(points)))
    modulus = np.full(len(index), _MODULUS_MPA)
    held = mesh.nodes[:, 1] < mesh.nodes[:, 1].min() + 0.25 * edge_mm
    solved = solve(mesh, modulus, _POISSON, nodal, held, 1e-6)
    vertical = fields_of(mesh, modulus, _POISSON, *solved, np.tile([0.0, 1.0, 0.0], (len(index), 1)))[0][0]
    at = mesh.origin_mm + edge_mm * mesh.index
    chosen = (-at[:, 1] >= first_edges * edge_mm) & (-at[:, 1] <= deepest_mm) & (np.hypot(at[:, 0], at[:, 2]) <= radius_mm)
    below = np.stack([at[chosen, 0], at[chosen, 2], -at[chosen, 1]], axis=1)
    exact = -disc_stress(below, np.zeros((1, 2)), np.array([force]), np.array([radius_mm]), _POISSON)[:, 2]
    error = 100.0 * (vertical[chosen] / exact - 1.0)
    return float(error[np.abs(error).argmax()])


@predictor
def regional_mean_difference_pct(bench: Bench, subject: Subject, *, region: str, activity: str = "walking",
                                 one_material: bool = True) -> float:
    """Largest regional mean of the vertical stress over a cycle, finite elements against the half-space in the same cubes, %.

    With `one_material` plate and cortex are as stiff as the rest of the bone, as in the half-space.
    """
    check_choice("region", region, MOAKS_REGIONS, where="parameters of a measurement", why="only these are known")
    _needs_packages()
    number = MOAKS_REGIONS.index(region)
    solid, half = _two_routes(bench, subject, region.split("_")[0], activity, one_material)
    return float(100.0 * (solid[number] / half[number] - 1.0))


@lru_cache(maxsize=8)
def _two_routes(bench: Bench, subject: Subject, bone: str, activity: str, one_material: bool) -> tuple[Array, Array]:
    """Return the largest regional means (15,) MPa of finite elements and half-space."""
    cycle, anatomy = contact_of(run(bench, subject, activity_of(activity, subject))), anatomy_of(bench.case_of(subject))
    field = finite_element_stress(anatomy, cycle, homogeneous(BoneSolid()) if one_material else BoneSolid(), bone=bone)
    own = field.volume.selected(field.volume.region >= 0)
    twin = half_space_stress(anatomy, cycle, own)
    return field.by_region().mean_stress, region_stress(own, twin, twin).mean_stress
