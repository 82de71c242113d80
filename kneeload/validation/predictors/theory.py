"""Contact against closed forms of the elastic foundation, and the cartilage layer against layer finite elements."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from kneeload.bone.halfspace import circular_patch_axis, influence
from kneeload.contact import closed_forms
from kneeload.contact.closed_forms import ClosedForm
from kneeload.contact.model import ContactModel
from kneeload.errors import check_choice
from kneeload.simulate import anatomy_of
from kneeload.subject.person import Subject
from kneeload.subject.surface import ArticularSurface
from kneeload.validation.bench import Bench
from kneeload.validation.predictors.registry import predictor


def _case(name: str) -> ClosedForm:
    cases = {case.name: case for case in closed_forms.CASES}
    check_choice("closed form", name, tuple(cases), where="parameters of a measurement", why="only these are known")
    return cases[name]


@lru_cache(maxsize=16)
def _predicted(name: str, density: float) -> dict[str, float]:
    return _case(name).predicted(density)


@predictor
def closed_form_error_pct(bench: Bench, subject: Subject, *, case: str, quantity: str, density: float = closed_forms.DENSITY) -> float:
    """Error of the force, area or peak of a punch on a plate of `density` triangles per mm2 against its closed form, %."""
    return 100.0 * (_predicted(case, density)[quantity] / _case(case).exact()[quantity] - 1.0)


@predictor
def closed_form_order(bench: Bench, subject: Subject, *, case: str, quantity: str = "force") -> float:
    """Power with which the error falls with the width of the triangles, no unit."""
    return closed_forms.convergence_order(_case(case), quantity)


@predictor
def energy_slope_error(bench: Bench, subject: Subject, *, case: str) -> float:
    """Slope of the stored energy over the depth against the force, relative error, no unit."""
    return closed_forms.energy_row(_case(case)).error


@predictor
def layer_force_ratio(bench: Bench, subject: Subject, *, surface: str, area_mm2: float, patch_ratio: list[float],
                      factor: list[float]) -> float:
    """Force of a cartilage of the knee as the engine has it over that of layer finite elements, for a round patch of an area, no unit.

    Both are relative to the plain foundation of the same modulus: the engine's factor over the finite elements' `factor`, read at the radius
    of the patch over the mean thickness of the cartilage (`patch_ratio`; linear between the computed ones, constant beyond them).
    """
    plate: ArticularSurface = getattr(anatomy_of(bench.case_of(subject)), surface)
    thickness = float(np.average(plate.thickness_mm, weights=plate.areas))
    model = bench.case.contact or ContactModel()
    return model.cartilage_factor(thickness) / float(np.interp(np.sqrt(area_mm2 / np.pi) / thickness, patch_ratio, factor))


@predictor
def point_load_axis_factor(bench: Bench, subject: Subject, *, depth_mm: float) -> float:
    """Vertical stress under a point load, over force / depth^2, no unit: the bone's kernel on a disc of a thousandth of the depth."""
    up, here = np.array([[0.0, 1.0, 0.0]]), np.zeros((1, 3))
    stress = influence(here, up, here, up, np.array([1e-3 * depth_mm]), np.array([depth_mm]))
    return float(stress[0, 0, 0]) * depth_mm**2


@predictor
def circular_patch_error_pct(bench: Bench, subject: Subject, *, radius_mm: float, face_mm: float, depth_mm: float) -> float:
    """Error of the stress on the axis of a uniform circular patch made of square faces, %; the closed form has the area of those faces."""
    line = np.arange(-radius_mm, radius_mm + face_mm, face_mm)
    x, z = (grid.ravel() for grid in np.meshgrid(line, line, indexing="ij"))
    inside = np.hypot(x, z) <= radius_mm
    sources = np.column_stack([x, np.zeros_like(x), z])[inside]
    up = np.array([[0.0, 1.0, 0.0]])
    disc = np.full(len(sources), face_mm / np.sqrt(np.pi))
    stress = influence(np.zeros((1, 3)), up, sources, np.repeat(up, len(sources), axis=0), disc, np.array([depth_mm]))
    found = float(stress[0, 0].sum()) * face_mm**2
    same_area = np.sqrt(len(sources) * face_mm**2 / np.pi)
    return 100.0 * (found / float(circular_patch_axis(1.0, same_area, depth_mm)) - 1.0)
