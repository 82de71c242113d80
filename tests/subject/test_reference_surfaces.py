"""Articular surfaces of the reference knee: smooth, of the right shape, with cartilage of the right thickness, on a true level set."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.distance import evaluate
from kneeload.subject.person import CartilageThicknessScale, Subject
from kneeload.subject.proximity import edge_neighbours
from kneeload.subject.reference import mean_knee, reference_anatomy
from kneeload.subject.solids import cartilage_body, meniscus_body

SEXES = ("male", "female")


def knee(sex="male", **changes):
    return reference_anatomy(Subject(sex=sex, height_m=1.75 if sex == "male" else 1.62, **changes))


def jumps_deg(surface, kept):
    """Angle between neighbouring triangles that both are in `kept`."""
    edge, _ = edge_neighbours(surface.mesh.triangles)
    order = np.argsort(edge, kind="stable")
    triangle = np.repeat(np.arange(len(surface.mesh.triangles)), 3)[order]
    same = edge[order][1:] == edge[order][:-1]
    i, j = triangle[:-1][same], triangle[1:][same]
    inside = kept[i] & kept[j]
    normals = surface.mesh.normals
    return np.degrees(np.arccos(np.clip(np.einsum("ij,ij->i", normals[i[inside]], normals[j[inside]]), -1.0, 1.0)))


@pytest.mark.parametrize("sex", SEXES)
def test_articular_surfaces_have_no_steps(sex):
    found = knee(sex)
    for surface, limit in ((found.tibia_medial, 8.0), (found.tibia_lateral, 8.0), (found.patella, 6.0), (found.femur, 17.0)):
        angle = jumps_deg(surface, surface.thickness_mm > (1.0 if surface is found.femur else 0.0))
        assert np.quantile(angle, 0.5) < 4.0 and np.quantile(angle, 0.99) < limit, surface.name


@pytest.mark.parametrize("sex", SEXES)
def test_medial_plateau_is_concave_and_lateral_convex_from_front_to_back(sex):
    curvature = {}
    for side, plateau in mean_knee(sex).plateaus.items():
        low, high = plateau.mesh.points.min(axis=0), plateau.mesh.points.max(axis=0)
        middle, half = 0.5 * (low + high), 0.25 * (high - low)
        x, z = np.meshgrid(np.linspace(middle[0] - half[0], middle[0] + half[0], 31), np.linspace(middle[2] - 0.4 * half[2], middle[2] + 0.4 * half[2], 9))
        curvature[side] = plateau.height(x, z, du=2).mean()
    assert curvature["medial"] > 0.0 > curvature["lateral"]


def test_patella_has_a_ridge_and_a_larger_lateral_facet():
    patella = knee().patella
    lateral = patella.region == MOAKS_REGIONS.index("patella_lateral")
    assert patella.areas[lateral].sum() > 1.05 * patella.areas[~lateral].sum()
    centre = patella.centroids
    middle = np.abs(centre[:, 1]) < 5.0
    ridge = centre[middle][np.argmin(centre[middle, 0])]
    for side in (centre[:, 2] < ridge[2] - 10.0, centre[:, 2] > ridge[2] + 10.0):
        assert centre[middle & side, 0].mean() > ridge[0] + 1.0  # both facets fall away forwards


@pytest.mark.parametrize("sex", SEXES)
def test_mean_thickness_of_each_plate_is_the_published_one(sex):
    found = knee(sex)
    for surface, mean in ((found.tibia_medial, 1.73), (found.tibia_lateral, 2.09), (found.patella, 2.76)):
        assert np.average(surface.thickness_mm, weights=surface.areas) == pytest.approx(mean, rel=1e-3)
        assert surface.thickness_mm.min() >= 0.8 and surface.thickness_mm.max() < 6.0
    for side, mean in (("medial", 1.86), ("lateral", 1.77)):
        here = found.femur.region == MOAKS_REGIONS.index(f"femur_central_{side}")
        assert np.average(found.femur.thickness_mm[here], weights=found.femur.areas[here]) == pytest.approx(mean, rel=0.02)


@pytest.mark.parametrize("sex", SEXES)
def test_level_set_is_a_distance_near_cartilage(sex):
    found = knee(sex)
    inner = found.femur.thickness_mm > 1.0
    centre, normal = found.femur.centroids[inner], found.femur.normals[inner]
    for depth in (-1.0, 0.0, 1.0, 3.0):
        value, gradient = evaluate(found.femur_level_set, centre + depth * normal)
        length = np.linalg.norm(gradient, axis=1)
        assert np.quantile(np.abs(length - 1.0), 0.95) < 0.02
        assert np.quantile(np.abs(value - depth), 0.99) < 0.12  # flat triangles over a round surface: up to 0.1 mm


def test_mesh_lies_on_the_level_set():
    found = knee()
    value, _ = evaluate(found.femur_level_set, found.femur.mesh.points)
    assert np.abs(value).max() < 2e-3


def test_nearest_triangle_and_thickness_of_the_nodes_agree_with_the_mesh():
    found = knee()
    level_set = found.femur_level_set
    index = np.argwhere((np.abs(level_set.coefficients) < 2.0) & (level_set.nearest_triangle >= 0))[::37]
    node = level_set.origin_mm + level_set.spacing_mm * index
    nearest = level_set.nearest_triangle[tuple(index.T)]
    distance = np.linalg.norm(found.femur.centroids[nearest] - node, axis=1)
    assert np.all(distance < 4.0)
    difference = level_set.thickness_mm[tuple(index.T)] - found.femur.thickness_mm[nearest]
    assert np.quantile(np.abs(difference), 0.9) < 0.3


def test_worn_femur_recedes_and_stays_a_distance():
    base, worn = knee(), knee(cartilage_thickness_scale=CartilageThicknessScale(femur=0.5))
    thick = base.femur.thickness_mm > 1.5
    value, _ = evaluate(base.femur_level_set, worn.femur.centroids[thick])
    np.testing.assert_allclose(-value, 0.5 * base.femur.thickness_mm[thick], atol=0.35)
    assert np.mean(-value) == pytest.approx(0.5 * base.femur.thickness_mm[thick].mean(), rel=0.05)
    _, gradient = evaluate(worn.femur_level_set, worn.femur.centroids[thick])
    assert np.quantile(np.abs(np.linalg.norm(gradient, axis=1) - 1.0), 0.9) < 0.05
    np.testing.assert_array_equal(worn.bones["femur"].points, base.bones["femur"].points)


@pytest.mark.parametrize("sex", SEXES)
def test_plateaus_touch_the_femur_without_overlap_at_full_extension(sex):
    mean = mean_knee(sex)
    for plateau in mean.plateaus.values():
        gap, _ = evaluate(mean.femur.level_set, plateau.mesh.points)
        assert -0.15 < gap.min() < 0.1


def test_regions_are_where_their_names_say():
    found = knee()
    for side, sign in (("medial", -1.0), ("lateral", 1.0)):
        plateau = getattr(found, f"tibia_{side}")
        x = [plateau.centroids[plateau.region == MOAKS_REGIONS.index(f"tibia_{part}_{side}"), 0].mean() for part in ("posterior", "central", "anterior")]
        assert x[0] < x[1] < x[2]
        femur = [found.femur.centroids[found.femur.region == MOAKS_REGIONS.index(f"femur_{part}_{side}")] for part in ("posterior", "central", "trochlea")]
        assert femur[0][:, 0].mean() < femur[1][:, 0].mean() < femur[2][:, 0].mean()
        assert all(sign * part[:, 2].mean() > 3.0 for part in femur)
    assert np.all((found.femur.region >= 0) == (found.femur.thickness_mm > 0.0))
    used = set(np.concatenate([s.region for s in (found.femur, found.tibia_medial, found.tibia_lateral, found.patella)])) - {-1}
    assert used == set(range(15)) - {MOAKS_REGIONS.index("tibia_subspinous")}


def test_bodies_for_pictures_are_closed():
    found = knee()
    for body in (cartilage_body(found.tibia_medial), meniscus_body(found.lateral_meniscus), cartilage_body(found.patella)):
        assert np.all(edge_neighbours(body.triangles)[1] == 2)
        assert body.volume_mm3 > 0.0
    layer = cartilage_body(found.tibia_lateral)
    assert layer.volume_mm3 == pytest.approx((found.tibia_lateral.areas * found.tibia_lateral.thickness_mm).sum(), rel=0.1)
