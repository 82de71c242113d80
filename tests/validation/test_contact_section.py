"""The contact section: predictions against the engine itself, laws of the predictors, pictures and their numbers."""

from __future__ import annotations

import csv
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from kneeload.case import Case
from kneeload.errors import InputError
from kneeload.simulate import anatomy_of
from kneeload.subject.person import Subject
from kneeload.subject.surface import TriangleMesh
from kneeload.validation import Measurement, ValidationRow, ValidationTable, read_measurements, validate
from kneeload.validation.bench import Bench, Skipped, activity_of, run
from kneeload.validation.contact_figures import bars
from kneeload.validation.predictors.density import doubled, halved
from kneeload.validation.predictors.mri_knee import mri_pose_error_pct
from kneeload.validation.predictors.patella import FLEXIONS_DEG, hold_area_mm2, hold_area_peak_deg
from kneeload.validation.predictors.rig import axis_share_pct, rig_area_mm2, rig_area_on_menisci_pct, rig_meniscus_load_pct, rig_ratio
from kneeload.validation.predictors.theory import closed_form_error_pct, layer_force_ratio
from kneeload.views.validation_contact_plots import BarChart, PressureMap, draw_bars, draw_maps

CONTACT = {row.id: row for row in read_measurements(contact=True) if row.level == "contact"}
FEW = ("rig_area_in", "rig_area_out", "walking_peak_cadaver", "sphere_force", "meniscus_load_medial", "pf_running_mean", "mri_tibia_force")
TOUCHING = Bench(case=Case())


@pytest.fixture(scope="module")
def few() -> ValidationTable:
    return validate([CONTACT[name] for name in FEW], contact=True)


def test_without_contact_its_rows_are_skipped_with_the_flag_that_is_missing():
    table = validate([CONTACT[name] for name in FEW if name != "pf_running_mean"])
    assert all(row.verdict == "skipped" and "--contact" in row.reason for row in table.rows)
    assert table.contact_pictures == ()


def test_with_contact_they_have_one_prediction_and_data_is_asked_for_where_it_is_needed(few: ValidationTable):
    assert few.row("pf_running_mean").verdict == "not simulated"
    assert few.row("mri_tibia_force").verdict == "skipped" and "--data" in few.row("mri_tibia_force").reason
    for name in set(FEW) - {"pf_running_mean", "mri_tibia_force"}:
        assert few.row(name).predicted is not None and few.row(name).predicted_contact is None


def test_the_rig_is_the_engines_own_compression(few: ValidationTable):
    straight = Subject(ldfa_deg=86.5)
    contact = run(TOUCHING, straight, replace(activity_of("compression", straight), force_n=1000.0)).contact
    assert contact is not None
    assert few.row("rig_area_in").predicted == pytest.approx(contact.medial.contact_area[0] + contact.lateral.contact_area[0], rel=1e-12)
    assert few.row("meniscus_load_medial").predicted == pytest.approx(100.0 * contact.medial.meniscus_share[0], rel=1e-12)


def test_ratios_agree_with_their_parts_and_without_menisci_nothing_lies_on_them():
    person = Subject()
    out = rig_area_mm2(TOUCHING, person, medial="removed", lateral="removed")
    ratio = rig_ratio(TOUCHING, person, quantity="contact_area", medial="removed", lateral="removed")
    assert ratio == pytest.approx(out / rig_area_mm2(TOUCHING, person), rel=1e-12)
    assert rig_ratio(TOUCHING, person, quantity="peak_pressure", medial="intact") == 1.0
    assert rig_meniscus_load_pct(TOUCHING, person, side="medial") > 0.0
    assert 0.0 < rig_area_on_menisci_pct(TOUCHING, person) < 100.0


def test_varus_moves_the_load_along_the_axis_to_the_medial_side():
    shares = [axis_share_pct(TOUCHING, Subject(), varus_deg=varus) for varus in (-4.0, 0.0, 4.0)]
    assert shares[0] < shares[1] < shares[2]


def test_a_mesh_cut_in_two_keeps_a_plane_and_comes_nearer_to_a_ball():
    line = np.linspace(0.0, 0.5, 8)
    x, z = (grid.ravel() for grid in np.meshgrid(line, line, indexing="ij"))
    a = (np.arange(7)[:, None] * 8 + np.arange(7)).ravel()
    triangles = np.concatenate([np.column_stack([a, a + 1, a + 9]), np.column_stack([a, a + 9, a + 8])]).astype(np.int32)
    flat = TriangleMesh(points=np.column_stack([x, 0.0 * x, z]), triangles=triangles)
    both = halved(flat)
    assert len(both.triangles) == 2 * len(triangles) and both.areas.sum() == pytest.approx(flat.areas.sum(), rel=1e-12)
    assert np.allclose(both.areas.reshape(-1, 2).sum(axis=1), flat.areas) and np.allclose(both.normals, flat.normals[0])
    ball = TriangleMesh(points=np.column_stack([x, np.sqrt(1.0 - x**2 - z**2), z]), triangles=triangles)
    middle = halved(ball).points[len(ball.points):]
    inner = (np.abs(middle[:, [0, 2]] - 0.25) < 0.15).all(axis=1)  # normals at the border are one-sided
    chord = 0.5 * np.array([ball.points[list(pair)].sum(axis=0) for pair in _longest(ball)])
    assert np.abs(np.linalg.norm(middle[inner], axis=1) - 1.0).max() < 0.1 * np.abs(np.linalg.norm(chord[inner], axis=1) - 1.0).max()


def _longest(mesh: TriangleMesh) -> list[tuple[int, int]]:
    pairs = []
    for triangle in mesh.triangles:
        edges = [(int(triangle[k]), int(triangle[(k + 1) % 3])) for k in range(3)]
        pairs.append(max(edges, key=lambda pair: float(np.linalg.norm(mesh.points[pair[0]] - mesh.points[pair[1]]))))
    return pairs


def test_the_denser_knee_is_the_same_knee():
    knee = anatomy_of(Case())
    dense = doubled(knee)
    for name in ("tibia_medial", "tibia_lateral", "patella"):
        usual, more = getattr(knee, name), getattr(dense, name)
        assert len(more.mesh.triangles) == 2 * len(usual.mesh.triangles) and more.area_mm2 == pytest.approx(usual.area_mm2, rel=2e-3)
        assert (more.thickness_mm * more.areas).sum() == pytest.approx((usual.thickness_mm * usual.areas).sum(), rel=2e-3)
    assert dense.covered_medial.sum() == 2 * knee.covered_medial.sum()


def test_the_hold_is_read_at_its_own_angles_and_more_load_never_shrinks_the_area():
    person = Subject()
    assert 0.0 in FLEXIONS_DEG and 60.0 in FLEXIONS_DEG
    assert hold_area_mm2(TOUCHING, person, flexion_deg=30.0, load_bw=0.45) > hold_area_mm2(TOUCHING, person, flexion_deg=30.0, load_bw=0.15)
    assert 0.0 <= hold_area_peak_deg(TOUCHING, person, load_bw=0.15) <= FLEXIONS_DEG[-1]


def test_a_coarse_plate_is_farther_from_its_closed_form():
    words = {"case": "sphere on a Winkler bed", "quantity": "force"}
    coarse, fine = (abs(closed_form_error_pct(TOUCHING, Subject(), density=density, **words)) for density in (0.3, 8.0))
    assert fine < coarse
    with pytest.raises(InputError, match="sphere on a Winkler bed"):
        closed_form_error_pct(TOUCHING, Subject(), case="cube", quantity="force")


def test_the_layer_row_is_one_when_the_finite_elements_say_what_the_engine_says():
    plain = Bench(case=replace(Case(), contact=replace(TOUCHING.case.contact, layer_factor=0.6)))  # type: ignore[arg-type, type-var]
    same = {"patch_ratio": [1.0, 9.0], "factor": [0.6, 0.6]}
    assert layer_force_ratio(plain, Subject(), surface="patella", area_mm2=250.0, **same) == pytest.approx(1.0)


def test_the_mri_knee_needs_its_data():
    with pytest.raises(Skipped, match="--data"):
        mri_pose_error_pct(TOUCHING, Subject(), body="tibia", quantity="force")


def test_the_mri_knee_in_its_poses(shared_data: Path):
    bench = replace(TOUCHING, data=shared_data)
    for quantity, limit in (("force", 2.0), ("area", 5.0), ("largest_pressure", 5.0)):
        assert abs(mri_pose_error_pct(bench, Subject(), body="patella", quantity=quantity, every=8)) < limit


def test_pictures_show_what_the_table_says_and_their_numbers_are_written(few: ValidationTable, tmp_path: Path):
    maps = [item for item in few.contact_pictures if isinstance(item, PressureMap)]
    charts = [item for item in few.contact_pictures if isinstance(item, BarChart)]
    assert len(maps) == 4 and {bar.predicted for chart in charts for bar in chart.bars} == {
        row.predicted for row in few.rows if row.predicted is not None}
    folder = few.write(tmp_path / "out")
    with (folder / "pressure_map.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    for item in maps:
        own = [float(line["pressure_mpa"]) for line in lines if (line["figure"], line["map"]) == (item.figure, item.title)]
        assert max(own) == max(float(patch.pressure.max()) for patch in item.patches) and min(own) > 0.0
    page = (folder / "validation.html").read_text(encoding="utf-8")
    assert "first peak of walking" in page and "pressure_map.csv" in page and page.count("data:image/png") >= 3


def test_the_map_of_the_rig_carries_the_load(few: ValidationTable):
    rig = next(item for item in few.contact_pictures if isinstance(item, PressureMap) and "menisci out" in item.title)
    force = 0.0
    for patch in rig.patches:
        a, b, c = (patch.points[patch.triangles[:, k]] for k in range(3))
        area = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
        force += float((area * patch.pressure).sum())  # areas as seen from above: the part along the tibia
    assert force == pytest.approx(1000.0, rel=0.2)  # ligaments add their own tension


def _judged(value: float, **words: object) -> ValidationRow:
    item = Measurement(**{"id": "a", "group": "Contact: menisci", "quantity": "q", "unit": "ratio", "source": "s", "low": 1.0,
                          "interval": "goal", "level": "contact", "predictor": "rig_ratio", **words})  # type: ignore[arg-type]
    return ValidationRow(measurement=item, predicted=value)


def test_charts_keep_units_apart_and_leave_out_what_is_no_number():
    rows = [_judged(1.2), _judged(float("nan")), _judged(3.0, unit="MPa"), _judged(40.0, unit="%"), _judged(2.0, unit="steps of 3"),
            _judged(0.1, unit="%", measured=0.0, low=-1.0, high=1.0, group="Contact: theory")]
    charts = bars(rows)
    assert [(chart.label, [bar.predicted for bar in chart.bars]) for chart in charts] == [
        ("Ratio", [1.2]), ("Contact pressure (MPa)", [3.0]), ("Share or change (%)", [40.0]), ("Error (%)", [0.1])]
    assert [bar.inside for chart in charts for bar in chart.bars] == [True, True, True, True]


def test_pictures_are_1300_pixels_wide(few: ValidationTable):
    from PIL import Image

    maps = [item for item in few.contact_pictures if isinstance(item, PressureMap)]
    charts = [item for item in few.contact_pictures if isinstance(item, BarChart)]
    for picture in (draw_maps(maps[:2]), draw_bars(charts)):
        assert Image.open(BytesIO(picture)).size[0] == 1300
