"""Stress below the surface against closed forms, and the size of the regions of bone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.halfspace import circular_patch_axis, hertz_axis, influence, point_load_axis
from kneeload.bone.volume import bone_volumes
from kneeload.errors import check_choice
from kneeload.simulate import anatomy_of
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import Subject
from kneeload.validation.bench import Bench
from kneeload.validation.predictors.registry import predictor

Array = NDArray[np.float64]
FORMS = ("point", "uniform", "hertz")
_PARTS = {"medial condyle": ("femur_central_medial", "femur_posterior_medial"), "lateral condyle": ("femur_central_lateral", "femur_posterior_lateral"),
          "medial plateau": ("tibia_anterior_medial", "tibia_central_medial", "tibia_posterior_medial"),
          "lateral plateau": ("tibia_anterior_lateral", "tibia_central_lateral", "tibia_posterior_lateral")}


def _axis_stress(centres: Array, force: Array, face_mm: float, depth_mm: float) -> float:
    """Vertical stress under the origin by the bone's kernel, MPa: each square face of centres (n, 2) mm and force (n,) N is a disc of its area."""
    up = np.array([[0.0, 1.0, 0.0]])
    sources = np.column_stack([centres[:, 0], np.zeros(len(centres)), centres[:, 1]])
    disc = np.full(len(sources), face_mm / np.sqrt(np.pi))
    stress = influence(np.zeros((1, 3)), up, sources, np.repeat(up, len(sources), axis=0), disc, np.array([depth_mm]))
    return float(stress[0, 0] @ force)


def _faces(radius_mm: float, face_mm: float) -> Array:
    """Centres of square faces on a lattice around the origin, (n, 2) mm, whose centres lie within the radius."""
    half = np.arange(np.ceil(radius_mm / face_mm) + 1.0) * face_mm
    line = np.concatenate([-half[:0:-1], half])
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
    inside: Array = grid[np.hypot(*grid.T) <= radius_mm]
    return inside


@predictor
def half_space_error_pct(bench: Bench, subject: Subject, *, form: str, face_mm: float, face_lengths: float, radius_mm: float = 8.0) -> float:
    """Error of the vertical stress on the axis, some face lengths deep, against its closed form, %.

    A point load is a face of a thousandth of the length. Uniform and Hertz pressures lie on square faces; their closed forms have the area (uniform) or the force (Hertz) of those
    faces, so that the error is that of the kernel and not of the rim.
    """
    check_choice("closed form", form, FORMS, where="parameters of a measurement", why="only these are known")
    depth = face_lengths * face_mm
    if form == "point":
        return 100.0 * (_axis_stress(np.zeros((1, 2)), np.ones(1), 1e-3 * face_mm, depth) / float(point_load_axis(1.0, depth)) - 1.0)
    centres = _faces(radius_mm, face_mm)
    if form == "uniform":
        same_area = np.sqrt(len(centres) * face_mm**2 / np.pi)
        return 100.0 * (_axis_stress(centres, np.full(len(centres), face_mm**2), face_mm, depth) / float(circular_patch_axis(1.0, same_area, depth)) - 1.0)
    force = np.sqrt(np.maximum(1.0 - (np.hypot(*centres.T) / radius_mm) ** 2, 0.0)) * face_mm**2
    same_force = force.sum() / (2.0 / 3.0 * np.pi * radius_mm**2)
    return 100.0 * (_axis_stress(centres, force, face_mm, depth) / float(hertz_axis(same_force, radius_mm, depth)) - 1.0)


@predictor
def bone_region_volume_cm3(bench: Bench, subject: Subject, *, part: str, people: Sequence[Mapping[str, Any]] = ({},), spacing_mm: float = 3.0) -> float:
    """Volume of the bone of a condyle or plateau (all its subregions), cm3; the mean over `people`, each the subject with these changes."""
    check_choice("part", part, tuple(_PARTS), where="parameters of a measurement", why="only these are known")
    knees = [anatomy_of(bench.case_of(replace(subject, **changes))) for changes in people]
    volumes = [volume.region_volumes_mm3() for anatomy in knees for volume in bone_volumes(anatomy, spacing_mm=spacing_mm).values()]
    own = [MOAKS_REGIONS.index(name) for name in _PARTS[part]]
    return float(np.sum(volumes, axis=0)[own].sum() / len(knees) / 1000.0)
