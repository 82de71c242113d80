"""The stiffness of a cartilage layer against layer finite elements, and the elements against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from layer_elements import sphere_on_layer

from kneeload.contact.model import LAYER_FACTOR, LAYER_PATCH, PATCH_RANGE_MM, ContactModel, layer_factor_at
from kneeload.contact.prepared import foundation_modulus
from kneeload.subject.anatomy import KneeAnatomy

PATCHES_MM2 = np.array([150.0, 250.0, 400.0, 570.0])  # contact area of a compartment, 90 % of the force times time of six activities


def over_foundation(patch_ratio: float, poisson: float, thickness: float = 2.0, **mesh: int) -> float:
    """Force of finite elements over that of the plain foundation, for a sphere that sinks in by a tenth of the layer."""
    depth = 0.1 * thickness
    radius = (patch_ratio * thickness) ** 2 / (2.0 * depth)
    confined = (1.0 - poisson) / ((1.0 + poisson) * (1.0 - 2.0 * poisson))
    return sphere_on_layer(radius, depth, thickness, 1.0, poisson, **mesh) / (np.pi * confined * radius * depth**2 / thickness)


def test_elements_meet_a_thick_layer_under_a_small_sphere():
    thickness, depth = 3.0, 0.005
    radius = (0.08 * thickness) ** 2 / (2.0 * depth)
    hertz = 4.0 / 3.0 / (1.0 - 0.3**2) * np.sqrt(radius) * depth**1.5
    # the ground stiffens by about 1.05 sqrt(R d) / h at this Poisson's ratio (Dimitriadis 2002, Biophys J 82:2798: 1.13 at 0.5)
    assert sphere_on_layer(radius, depth, thickness, 1.0, 0.3, through=16) / hertz == pytest.approx(1.0 + 1.0 * 0.08 / np.sqrt(2.0), abs=0.02)


def test_elements_meet_the_foundation_when_nothing_bulges():
    assert over_foundation(8.0, 0.0) == pytest.approx(1.0, abs=0.005)


def test_elements_do_not_depend_on_their_mesh():
    assert over_foundation(4.0, 0.45) == pytest.approx(over_foundation(4.0, 0.45, across=56, through=5), rel=0.005)


def test_a_second_computation_has_the_same_course():
    own = np.array([over_foundation(ratio, 0.45) for ratio in LAYER_PATCH])
    assert own == pytest.approx([0.55, 0.67, 0.78, 0.86], abs=0.006)
    assert np.all(own / LAYER_FACTOR > 1.06) and np.all(own / LAYER_FACTOR < 1.15)


def test_range_of_patches_is_that_of_the_areas():
    assert np.pi * np.square(PATCH_RANGE_MM) == pytest.approx([PATCHES_MM2[0], PATCHES_MM2[-1]], rel=0.01)


def test_rule_errs_as_much_on_the_smallest_as_on_the_largest_patch():
    for thickness in (1.5, 2.0, 2.8):
        small, large = (ContactModel().cartilage_factor(thickness) / layer_factor_at(radius / thickness) for radius in PATCH_RANGE_MM)
        assert small - 1.0 == pytest.approx(1.0 - large)


def test_rule_gives_the_force_within_15_per_cent_over_the_patches_of_a_knee(reference_knee: KneeAnatomy):
    """Within 15 % of the elements of the table, and within 20 % of the second computation, which is stiffer throughout."""
    model = ContactModel()
    for surface in (reference_knee.tibia_medial, reference_knee.tibia_lateral, reference_knee.patella, reference_knee.femur):
        thickness = np.where(surface.thickness_mm > 0.0, surface.thickness_mm, np.nan)
        mean = float(np.nansum(thickness * surface.areas) / surface.areas[np.isfinite(thickness)].sum())
        rule = foundation_modulus(surface, model) / surface.material.confined_modulus_mpa
        assert rule == pytest.approx(model.cartilage_factor(mean))
        for radius in np.sqrt(PATCHES_MM2 / np.pi):
            assert rule == pytest.approx(float(np.interp(radius / mean, LAYER_PATCH, LAYER_FACTOR)), rel=0.15)
            assert rule == pytest.approx(over_foundation(radius / mean, 0.45), rel=0.205)


def test_meniscus_needs_no_factor():
    assert over_foundation(1.5, 0.2) == pytest.approx(1.0, abs=0.07)
    assert over_foundation(3.0, 0.2) == pytest.approx(1.0, abs=0.03)


def test_a_given_factor_replaces_the_rule(reference_knee: KneeAnatomy):
    assert foundation_modulus(reference_knee.patella, ContactModel(layer_factor=1.0)) == reference_knee.patella.material.confined_modulus_mpa
    assert foundation_modulus(reference_knee.patella, ContactModel()) < foundation_modulus(reference_knee.tibia_medial, ContactModel())
