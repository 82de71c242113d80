"""Ligament law and attachments."""

from __future__ import annotations

import re

import numpy as np
import pytest

from kneeload.forces.ligaments import (
    TOE_STRAIN,
    ligament_force,
    patellofemoral_ligaments,
    quadriceps_attachments,
    tibiofemoral_ligaments,
)


def test_law_is_the_published_one_in_all_three_parts():
    strain = np.array([-0.1, 0.0, 0.03, TOE_STRAIN, 0.10])
    tension, _ = ligament_force(50.0 * (1.0 + strain), 50.0, 1000.0)
    expected = [0.0, 0.0, 1000.0 * 0.03**2 / 0.12, 1000.0 * 0.03, 1000.0 * 0.07]
    np.testing.assert_allclose(tension, expected, atol=1e-9)


def test_slope_is_the_derivative_of_the_tension():
    length = np.linspace(45.0, 60.0, 301)
    step = 1e-6
    numeric = (ligament_force(length + step, 50.0, 900.0)[0] - ligament_force(length - step, 50.0, 900.0)[0]) / (2.0 * step)
    np.testing.assert_allclose(ligament_force(length, 50.0, 900.0)[1], numeric, atol=1e-5)  # kinks only in the second derivative


def test_strain_survives_scaling_and_stiffness_follows_area():
    small, large = tibiofemoral_ligaments(), tibiofemoral_ligaments([1.2, 1.2, 1.2])
    np.testing.assert_allclose(large.slack_length, 1.2 * small.slack_length)
    np.testing.assert_allclose(large.stiffness_n, 1.44 * small.stiffness_n)
    stretched = np.array([1.0, 1.1, 0.9])
    uneven = tibiofemoral_ligaments(stretched)
    length = np.linalg.norm((small.insertion - small.origin) * stretched, axis=1)
    np.testing.assert_allclose(length / uneven.slack_length - 1.0, small.reference_strain, atol=1e-12)


def test_bands_of_one_size_are_made_once_and_cannot_be_changed():
    assert tibiofemoral_ligaments(1.1) is tibiofemoral_ligaments(np.full(3, 1.1))
    assert tibiofemoral_ligaments(1.1) is not tibiofemoral_ligaments(1.2)
    for bands in (tibiofemoral_ligaments(1.1), patellofemoral_ligaments(1.1)):
        assert not any(getattr(bands, name).flags.writeable for name in ("origin", "insertion", "stiffness_n", "reference_strain", "toe_strain", "slack_length"))


def test_attachments_are_reachable_by_body():
    bands = patellofemoral_ligaments()
    tendon = np.array([name.startswith("patellar_tendon") for name in bands.names])
    assert np.isnan(bands.femur[tendon]).all() and not np.isnan(bands.femur[~tendon]).any()
    assert not np.isnan(bands.tibia[tendon]).any() and not np.isnan(bands.patella[~tendon]).any()
    collateral = tibiofemoral_ligaments()
    sides = dict(zip(collateral.names, collateral.femur[:, 2]))
    assert sides["lcl"] > 25.0 and sides["mcl_deep"] < -25.0  # z is lateral
    with pytest.raises(ValueError, match="read-only"):
        collateral.origin[0, 0] = 1.0
    assert quadriceps_attachments().names == ("recfem", "vasint", "vaslat", "vasmed")


def test_tension_of_the_unloaded_straight_knee_is_about_a_hundred_newtons_per_side():
    bands = tibiofemoral_ligaments()
    tension, _ = ligament_force(bands.slack_length * (1.0 + bands.reference_strain), bands.slack_length, bands.stiffness_n, bands.toe_strain)
    medial = bands.femur[:, 2] < 0.0
    assert 50.0 < tension[medial].sum() < 200.0 and 50.0 < tension[~medial].sum() < 200.0


@pytest.mark.parametrize(("bundle", "fibre"), [("acl_anteromedial", "ACLam"), ("lcl", "LCL"), ("mcl_deep", "MCLd"), ("pcl_anterolateral", "PCLal")])
def test_bundles_are_the_mean_and_sum_of_the_source_fibres(shared_data, bundle, fibre):
    text = (shared_data / "walking_mri_subject" / "smith2019.osim").read_text(encoding="latin-1")
    blocks = [b for b in re.findall(r'<Blankevoort1991Ligament name="(\w+)">(.*?)</Blankevoort1991Ligament>', text, re.S) if re.fullmatch(fibre + r"\d", b[0])]
    points = np.array([[list(map(float, p.split())) for p in re.findall(r"<location>(.*?)</location>", block)] for _, block in blocks])
    stiffness = sum(float(re.search(r"<linear_stiffness>(.*?)<", block).group(1)) for _, block in blocks)
    bands = tibiofemoral_ligaments()
    row = bands.names.index(bundle)
    np.testing.assert_allclose(np.stack([bands.origin[row], bands.insertion[row]]), 1000.0 * points.mean(axis=0), atol=0.06)  # 0.1 mm rounding
    assert bands.stiffness_n[row] == pytest.approx(stiffness)
