"""The reference knee: size, alignment, and what the person changes."""

from __future__ import annotations

import time

import numpy as np
import pytest

from kneeload.subject.landmarks import contact_spacing_mm
from kneeload.subject.person import CartilageThicknessScale, Subject
from kneeload.subject.plateau import REFERENCE_MPTA_DEG
from kneeload.subject.proximity import edge_neighbours
from kneeload.subject.reference import mean_knee, reference_anatomy
from kneeload.subject.size import DIMENSIONS, MEAN_HEIGHT_M, axis_factors, height_factor

SEXES = ("male", "female")


def mean_person(sex, **changes):
    slopes = mean_knee(sex).slope_deg
    untilted = {"mpta_deg": REFERENCE_MPTA_DEG, "medial_slope_deg": slopes["medial"], "lateral_slope_deg": slopes["lateral"]}
    return Subject(**({"sex": sex, "height_m": MEAN_HEIGHT_M[sex]} | untilted | changes))


def measured(knee):
    femur, tibia = knee.bones["femur"].points, knee.bones["tibia"].points
    scale = knee.source_scale
    low = femur[femur[:, 1] < 25.0 * scale[1]]
    head = tibia[tibia[:, 1] > -45.0 * scale[1]]
    top = tibia[np.abs(tibia[:, 1] + 30.0 * scale[1]) < 1.5]
    medial, lateral = low[low[:, 2] < -8.0], low[low[:, 2] > 8.0]
    return {
        "femur_width": np.ptp(low[:, 2]), "tibia_width": np.ptp(head[:, 2]), "medial_condyle_depth": np.ptp(medial[:, 0]),
        "lateral_condyle_depth": np.ptp(lateral[:, 0]), "tibia_depth": np.ptp(top[:, 0]), "medial_plateau_depth": np.ptp(top[top[:, 2] < -10.0][:, 0]),
    }


@pytest.mark.parametrize("sex", SEXES)
def test_dimensions_lie_within_two_sd_or_five_per_cent_of_published_means(sex):
    found = measured(reference_anatomy(mean_person(sex)))
    for name, dimension in DIMENSIONS.items():
        mean, sd = (dimension.male_mm, dimension.male_sd_mm) if sex == "male" else (dimension.female_mm, dimension.female_sd_mm)
        assert abs(found[name] - mean) < max(2.0 * sd, 0.05 * mean), (name, found[name], mean)


def test_patella_has_the_published_size():
    for sex, (height, width) in {"male": ((36.2, 42.1), (42.2, 45.6)), "female": ((33.1, 36.9), (36.1, 41.0))}.items():
        size = np.ptp(reference_anatomy(mean_person(sex)).bones["patella"].points, axis=0)  # cohorts of evidence 5.31, 2 SD = 8 to 10 mm
        assert height[0] - 4.0 < size[1] < height[1] + 4.0
        assert width[0] - 4.0 < size[2] < width[1] + 4.0


@pytest.mark.parametrize("sex", SEXES)
def test_bones_and_femur_are_closed_and_point_outwards(sex):
    knee = reference_anatomy(mean_person(sex))
    for mesh in (*knee.bones.values(), knee.femur.mesh):
        edges = edge_neighbours(mesh.triangles)[1]
        assert np.all(edges == 2)
        assert len(mesh.points) - len(edges) + len(mesh.triangles) == 2  # Euler: one sphere-like piece
        assert mesh.volume_mm3 > 0.0
    assert 15_000 <= len(knee.bones["femur"].triangles) <= 25_000


def test_enough_casting_triangles():
    knee = reference_anatomy(Subject())
    surfaces = [knee.tibia_medial, knee.tibia_lateral, knee.patella, knee.medial_meniscus.surface, knee.lateral_meniscus.surface]
    assert sum(len(s.mesh.triangles) for s in surfaces) >= 8000


def test_height_scales_lengths_but_not_thickness():
    short, tall = (reference_anatomy(mean_person("female", height_m=h)) for h in (1.5, 1.8))
    np.testing.assert_allclose(tall.source_scale, short.source_scale * 1.2, rtol=1e-12)
    for name in ("femur", "tibia_medial", "patella"):
        a, b = getattr(short, name), getattr(tall, name)
        np.testing.assert_allclose(b.mesh.points, a.mesh.points * 1.2, rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(a.thickness_mm, b.thickness_mm)
    np.testing.assert_allclose(tall.femur_level_set.coefficients, short.femur_level_set.coefficients * 1.2, rtol=1e-12)
    assert tall.medial_meniscus.arc_length_mm == pytest.approx(1.2 * short.medial_meniscus.arc_length_mm)


def test_source_scale_is_sex_times_height():
    knee = reference_anatomy(mean_person("male", height_m=1.9))
    np.testing.assert_allclose(knee.source_scale, axis_factors("male") * height_factor("male", 1.9))


def test_lower_mpta_lowers_the_medial_plateau_by_its_angle():
    straight, varus = (reference_anatomy(mean_person("male", mpta_deg=m)) for m in (REFERENCE_MPTA_DEG, REFERENCE_MPTA_DEG - 4.0))
    assert varus.tibia_medial.mesh.points[:, 1].mean() < straight.tibia_medial.mesh.points[:, 1].mean() - 1.0
    assert varus.tibia_lateral.mesh.points[:, 1].mean() > straight.tibia_lateral.mesh.points[:, 1].mean() + 1.0

    def angle(knee):
        across = knee.tibia_lateral.mesh.points.mean(axis=0) - knee.tibia_medial.mesh.points.mean(axis=0)
        return np.degrees(np.arctan2(across[1], across[2]))

    assert angle(varus) - angle(straight) == pytest.approx(4.0, abs=0.05)
    np.testing.assert_allclose(varus.plateau_tilt, [[1, 0, 0], [0, np.cos(np.radians(4)), np.sin(np.radians(4))], [0, -np.sin(np.radians(4)), np.cos(np.radians(4))]], atol=1e-12)


@pytest.mark.parametrize("side", ["medial", "lateral"])
def test_slope_turns_one_plateau_and_its_meniscus_backwards(side):
    key = f"{side}_slope_deg"
    base = mean_person("male")
    steep = mean_person("male", **{key: getattr(base, key) + 6.0})
    before, after = reference_anatomy(base), reference_anatomy(steep)
    other = "lateral" if side == "medial" else "medial"
    np.testing.assert_allclose(getattr(after, f"tibia_{other}").mesh.points, getattr(before, f"tibia_{other}").mesh.points, atol=1e-9)
    turned, still = getattr(after, f"tibia_{side}").mesh.points, getattr(before, f"tibia_{side}").mesh.points
    back = still[:, 0] < np.quantile(still[:, 0], 0.1)
    assert np.all(turned[back, 1] < still[back, 1])  # positive slope: the plateau falls posteriorly
    fit = [np.degrees(np.arctan(np.polyfit(p[:, 0], p[:, 1], 1)[0])) for p in (still, turned)]
    assert fit[1] - fit[0] == pytest.approx(6.0, abs=1.0)
    gap = getattr(after, f"{side}_meniscus").surface.mesh.points - getattr(before, f"{side}_meniscus").surface.mesh.points
    assert np.abs(gap).max() > 1.0


def test_tibia_follows_the_plateau_and_its_shaft_stays():
    straight, varus = (reference_anatomy(mean_person("male", mpta_deg=m)) for m in (87.0, 80.0))
    a, b = straight.bones["tibia"].points, varus.bones["tibia"].points
    shaft = a[:, 1] < -70.0
    np.testing.assert_array_equal(a[shaft], b[shaft])
    medial_top = (a[:, 1] > -30.0) & (a[:, 2] < -20.0)
    assert np.all(b[medial_top, 1] < a[medial_top, 1])


def test_thickness_scale_moves_the_surface_towards_the_bone():
    base = reference_anatomy(mean_person("male"))
    worn = reference_anatomy(mean_person("male", cartilage_thickness_scale=CartilageThicknessScale(tibia_medial=0.5, patella=0.5)))
    np.testing.assert_allclose(worn.tibia_medial.thickness_mm, 0.5 * base.tibia_medial.thickness_mm)
    drop = np.linalg.norm(worn.tibia_medial.mesh.points - base.tibia_medial.mesh.points, axis=1)
    assert drop.mean() == pytest.approx(0.5 * 1.73, rel=0.1)
    assert np.all(worn.tibia_medial.mesh.points[:, 1] < base.tibia_medial.mesh.points[:, 1])
    assert np.all(worn.patella.mesh.points[:, 0] > base.patella.mesh.points[:, 0])
    np.testing.assert_array_equal(worn.tibia_lateral.mesh.points, base.tibia_lateral.mesh.points)


def test_left_and_right_are_stored_alike():
    right, left = (reference_anatomy(Subject(side=side)) for side in ("right", "left"))
    np.testing.assert_array_equal(right.tibia_medial.mesh.points, left.tibia_medial.mesh.points)


@pytest.mark.parametrize("spacing", [42.5, 50.0])
def test_contact_spacing_is_met(spacing):
    knee = reference_anatomy(Subject(contact_spacing_mm=spacing))
    assert contact_spacing_mm(knee.contact_centres_flexion, knee.contact_centres_mm) == pytest.approx(spacing, abs=0.1)
    assert knee.source_scale[2] / knee.source_scale[0] != pytest.approx(axis_factors("male")[2] / axis_factors("male")[0], rel=1e-3)


@pytest.mark.parametrize("sex", SEXES)
def test_natural_contact_centres_are_those_of_a_knee(sex):
    knee = reference_anatomy(mean_person(sex))
    assert 37.0 < contact_spacing_mm(knee.contact_centres_flexion, knee.contact_centres_mm) < 50.0
    medial, lateral = knee.contact_centres_mm[:, 0], knee.contact_centres_mm[:, 1]
    assert np.all(medial[:, 1] < -10.0) and np.all(lateral[:, 1] > 10.0)
    assert medial[0, 0] > medial[-1, 0] and lateral[0, 0] > lateral[-1, 0]  # contact moves back with flexion


def test_arrays_cannot_be_written():
    knee = reference_anatomy(Subject())
    for array in (knee.femur.mesh.points, knee.femur_level_set.coefficients, knee.covered_medial, knee.contact_centres_mm, knee.source_scale,
                  knee.bones["tibia"].points, knee.medial_meniscus.outward, knee.patella.thickness_mm, knee.plateau_tilt):
        with pytest.raises(ValueError):
            array[0] = 0


def test_a_new_person_is_quick():
    reference_anatomy(Subject(height_m=1.70))
    start = time.perf_counter()
    reference_anatomy(Subject(height_m=1.7123, mpta_deg=85.5))
    assert time.perf_counter() - start < 0.6  # 0.06 s on an idle core; the margin is for busy machines
