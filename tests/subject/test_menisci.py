"""Menisci of the reference knee and their states."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.subject.distance import evaluate
from kneeload.subject.menisci import covered_triangles, grid_triangles, loaded_xz, ring_measures, vertical_gap
from kneeload.subject.person import Subject
from kneeload.subject.reference import mean_knee, reference_anatomy


def test_intact_wedge_is_thin_inside_and_high_outside():
    knee = reference_anatomy(Subject())
    for meniscus in (knee.medial_meniscus, knee.lateral_meniscus):
        wedge = meniscus.surface
        height = mean_knee("male").menisci[wedge.name.removesuffix("_meniscus")].height_mm
        assert height[:, -1].mean() > height[:, 0].mean() + 1.5
        assert wedge.thickness_mm.min() > 0.2 and wedge.thickness_mm.max() < 8.0
        assert np.all(wedge.normals[:, 1] > 0.0)
        assert 15.0 < meniscus.cross_section_mm2 < 50.0 and 50.0 < meniscus.arc_length_mm < 110.0 and 10.0 < meniscus.hoop_radius_mm < 22.0
        assert meniscus.hoop_fraction == 1.0 and meniscus.extrusion_mm == 0.0
        assert np.all(meniscus.tibial_thickness_mm >= 0.8)
        np.testing.assert_allclose(np.linalg.norm(meniscus.outward, axis=1), 1.0)


@pytest.mark.parametrize("sex", ["male", "female"])
def test_coverage_is_that_of_healthy_knees(sex):
    """Bloecker 2011, PMC3215228, 102 knees: 50 % of the medial and 58 % of the lateral plateau, in both sexes."""
    knee = reference_anatomy(Subject(sex=sex))
    for plateau, covered, published in ((knee.tibia_medial, knee.covered_medial, 0.50), (knee.tibia_lateral, knee.covered_lateral, 0.58)):
        assert plateau.areas[covered].sum() / plateau.area_mm2 == pytest.approx(published, abs=0.01)


def test_widths_and_length_are_those_of_dissected_menisci():
    """Outer edge 84 and 89 mm (doi 10.1186/s40634-016-0071-3, horn to horn); widths 8 to 17 mm; greatest heights 5 to 7 mm."""
    for shape in mean_knee("male").menisci.values():
        width = np.linalg.norm(shape.xz[:, -1] - shape.xz[:, 0], axis=1)
        assert 8.0 < width.mean() < 13.0 and width.max() < 17.0
        assert 78.0 < np.linalg.norm(np.diff(shape.xz[:, -1], axis=0), axis=1).sum() < 95.0
        assert 5.0 < shape.height_mm.max() < 7.5


@pytest.mark.parametrize("sex", ["male", "female"])
def test_superior_face_follows_the_femur_where_the_loaded_knee_rests(sex):
    mean = mean_knee(sex)
    for side, shape in mean.menisci.items():
        flat, bare = shape.xz.reshape(-1, 2), mean.plateaus[side].mesh.points
        touching = vertical_gap(mean.femur.level_set, loaded_xz(bare[:, [0, 2]]), bare[:, 1]).min()
        y = mean.plateaus[side].surface_y(flat) + shape.height_mm.ravel() + touching
        at = loaded_xz(flat)
        gap, _ = evaluate(mean.femur.level_set, np.column_stack([at[:, 0], y, at[:, 1]]))
        assert gap.min() > -0.35  # inner edge: 0.3 mm of tissue where the femur touches the plateau
        assert np.quantile(gap, 0.5) < 0.3


def test_states():
    def states(**changes):
        return reference_anatomy(Subject(**changes)).medial_meniscus

    assert states(medial_meniscus="removed") is None
    assert not reference_anatomy(Subject(medial_meniscus="removed")).covered_medial.any()
    assert states(medial_meniscus="extruded").extrusion_mm == 3.0
    assert states(medial_meniscus="extruded").hoop_fraction == 1.0
    torn = states(medial_meniscus="root_tear")
    assert torn.extrusion_mm == 3.0 and torn.hoop_fraction == 0.0
    assert states(medial_meniscus="root_tear", medial_extrusion_mm=1.5).extrusion_mm == 1.5
    assert states(medial_extrusion_mm=2.0).extrusion_mm == 2.0


def test_extrusion_moves_the_body_by_its_length_and_uncovers_cartilage():
    base, out = reference_anatomy(Subject()), reference_anatomy(Subject(medial_meniscus="extruded", medial_extrusion_mm=4.0))
    place = base.medial_meniscus.surface.centroids
    moved = out.medial_meniscus.surface.centroids - place
    body, horns = np.argmin(place[:, 2]), (place[:, 0].argmax(), place[:, 2].argmax())
    assert moved[body, 2] < -3.7  # the medial meniscus leaves medially
    assert np.linalg.norm(moved[body]) == pytest.approx(4.0, abs=0.25)
    assert np.linalg.norm(moved, axis=1).max() < 4.3
    for horn in horns:
        assert np.linalg.norm(moved[horn]) < 1.0  # their roots hold them
    assert out.covered_medial.sum() < base.covered_medial.sum()
    np.testing.assert_array_equal(out.covered_lateral, base.covered_lateral)


def test_a_torn_root_lets_the_posterior_half_go():
    base, torn = reference_anatomy(Subject()), reference_anatomy(Subject(medial_meniscus="root_tear", lateral_meniscus="root_tear"))
    for side in ("medial", "lateral"):
        whole, loose = (getattr(knee, f"{side}_meniscus").surface.centroids for knee in (base, torn))
        moved = np.linalg.norm((loose - whole)[:, [0, 2]], axis=1)
        assert moved[whole[:, 0].argmin()] == pytest.approx(3.0, abs=0.1)
        assert moved[whole[:, 0].argmax()] < 1.5


def test_ring_measures_of_a_half_circle():
    angle, radius = np.linspace(0.0, np.pi, 200), np.linspace(10.0, 18.0, 9)
    grid = radius[None, :, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)[:, None, :]
    section, arc, mean_radius = ring_measures(grid, np.broadcast_to(np.linspace(0.0, 6.0, 9), (200, 9)))
    assert section == pytest.approx(0.5 * 8.0 * 6.0, rel=1e-3)
    assert arc == pytest.approx(np.pi * 14.0, rel=1e-3)
    assert mean_radius == pytest.approx(14.0, rel=0.01)


def test_covered_points_of_a_square_ring():
    ring = np.array([[[0.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [1.0, 2.0]], [[4.0, 0.0], [4.0, 2.0]]])
    np.testing.assert_array_equal(covered_triangles(np.array([[2.0, 1.0], [2.0, 3.0], [-1.0, 1.0], [3.9, 0.1]]), ring), [True, False, False, True])
    assert len(grid_triangles(ring)) == 4
