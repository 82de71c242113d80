"""validate(): predictions, verdicts, files."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kneeload.calibration.person import Calibration, personal_constants
from kneeload.case import Case
from kneeload.errors import InputError
from kneeload.forces.muscles import MuscleModel
from kneeload.subject.person import Subject
from kneeload.validation import Measurement, ValidationRow, ValidationTable, read_measurements, validate
from kneeload.validation.bench import Bench, activity_of, plain_static_optimisation, run
from kneeload.validation.predictors import predict
from kneeload.validation.predictors.people import explained, people
from kneeload.validation.run import predicted_row

ROW = Measurement(id="x", group="g", quantity="q", unit="N", source="s", low=1.0, high=2.0, interval="SD", binding=True,
                  predictor="peak_force_bw",
                  parameters={"activity": "walking"})


def test_every_packaged_row_is_predicted_skipped_for_want_of_data_or_not_simulated_with_a_reason(whole: ValidationTable):
    assert len(whole.rows) == len(read_measurements())
    for row in whole.rows:
        if row.verdict in ("skipped", "not simulated"):
            assert row.reason, row.measurement.id
        else:
            assert row.predicted is not None and (np.isfinite(row.predicted) or row.verdict == "outside"), row.measurement.id
    skipped = {row.measurement.id for row in whole.rows if row.verdict == "skipped"}
    assert {"strides_medial_rms_default", "calibrated_medial_rms", "medial_stress_halved"} <= skipped
    assert not any(row.measurement.target and row.verdict == "skipped" and "--" not in row.reason for row in whole.rows)


def test_counts_add_up_and_stand_in_the_summary(whole: ValidationTable):
    compared = [row for row in whole.rows if row.measurement.model != "plain static optimisation"]
    assert sum(whole.counts.values()) == len(compared)
    line = whole.summary_line()
    for name, count in whole.counts.items():
        assert f"{count} {name}" in line
    assert f"{len(whole.binding_outside)} outside" in line.split("Binding")[1]


@pytest.mark.parametrize(("load", "contact", "verdict"), [(1.5, None, "inside"), (2.5, None, "outside"), (1.5, 2.5, "outside"),
                                                          (1.5, 1.9, "inside"), (None, 1.5, "inside"),
                                                          (None, None, "skipped"), (float("nan"), None, "outside")])
def test_a_row_is_inside_only_if_every_prediction_is(load: float | None, contact: float | None, verdict: str):
    assert ValidationRow(measurement=ROW, predicted=load, predicted_contact=contact).verdict == verdict


def test_binding_rows_that_cannot_be_judged_are_neither_passed_nor_failed():
    table = ValidationTable(rows=(ValidationRow(measurement=ROW, reason="no data"),), settings={})
    assert table.binding_outside == () and len(table.binding_skipped) == 1 and "1 without a prediction" in table.summary_line()


def test_predictions_are_those_of_the_engine(whole: ValidationTable):
    subject = Subject()
    result = run(Bench(), subject, activity_of("walking", subject))
    assert whole.row("peak_walking").predicted == pytest.approx(100.0 * result.force("tibiofemoral").max() / subject.body_weight_n,
                                                                rel=1e-12)
    assert whole.row("pf_walking").predicted == pytest.approx(result.force("patellofemoral").max() / subject.body_weight_n, rel=1e-12)


def test_other_muscle_settings_reach_the_predictions():
    rows = [row for row in read_measurements() if row.id in ("peak_walking", "walking_extension")]
    usual, other = validate(rows), validate(rows, case=Case(muscles=MuscleModel(co_contraction=False)))
    assert usual.row("peak_walking").predicted != other.row("peak_walking").predicted
    assert usual.row("walking_extension").predicted == other.row("walking_extension").predicted


def test_net_moments_scale_with_mass_times_height_so_normalised_rows_do_not_see_them():
    rows = [row for row in read_measurements() if row.id in ("kam_bw_ht", "walking_extension")]
    heavy = [replace(row, person=replace(row.person, body_mass_kg=100.0)) for row in rows if row.person is not None]
    assert [row.predicted for row in validate(heavy).rows] == pytest.approx([row.predicted for row in validate(rows).rows], rel=1e-9)


def test_r2_of_a_regression():
    x = np.arange(10.0)
    assert explained(3.0 * x + 1.0, x) == pytest.approx(1.0)
    assert explained(np.tile([1.0, -1.0], 5), np.repeat(np.arange(5.0), 2)) == pytest.approx(0.0, abs=1e-12)
    assert explained(x**2, x, x**2) == pytest.approx(1.0)


def test_people_are_the_same_every_time_and_others_with_another_seed():
    first, again, other = people(Bench(), Subject(), 12, 3), people(Bench(data=Path()), Subject(), 12, 3), people(Bench(), Subject(), 12, 4)
    assert np.array_equal(first.early_kam, again.early_kam) and not np.array_equal(first.early_kam, other.early_kam)
    assert first.varus_deg.std() > 1.0 and len(first.peak_total) == 12


def test_unknown_predictors_and_parameters_get_one_sentence():
    with pytest.raises(InputError, match="peak_force_bw"):
        predict(replace(ROW, predictor="magic"), Bench())
    with pytest.raises(InputError, match="'angle'"):
        predict(replace(ROW, parameters={"activity": "walking", "angle": 3}), Bench())


def test_unknown_activities_and_interventions_are_not_simulated():
    rows = [replace(ROW, id="a", parameters={"activity": "swimming"}),
            replace(ROW, id="b", predictor="kam_change_pct", parameters={"intervention": "wishing"})]
    table = validate(rows)
    assert [row.verdict for row in table.rows] == ["not simulated"] * 2
    assert "swimming" in table.rows[0].reason and "wishing" in table.rows[1].reason


def test_a_folder_that_is_not_there_gets_one_sentence(tmp_path: Path):
    with pytest.raises(InputError, match="--data"):
        validate([ROW], tmp_path / "nowhere")
    with pytest.raises(InputError, match="--calibration"):
        validate([ROW], calibration=tmp_path / "nowhere.json")


def test_the_files_say_what_the_table_says_and_nothing_is_written_over(own_rows: Path, tmp_path: Path):
    table = validate(read_measurements(own_rows))
    folder = table.write(tmp_path / "out")
    with (folder / "validation.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == len(table.rows)
    for line, columns in zip(lines, table.columns()):
        assert set(line) == set(columns)
        for name, value in columns.items():
            read = line[name]
            assert (read == "" if value is None else float(read) == value if isinstance(value, float | int) and not isinstance(value, bool)
                    else read == str(value).lower()
                    if isinstance(value, bool) else read == value), (name, read, value)
    before = (folder / "validation.csv").read_bytes()
    with pytest.raises(InputError, match="does not exist yet"):
        table.write(folder)
    assert (folder / "validation.csv").read_bytes() == before


def test_the_page_is_one_file_and_escapes_words(own_rows: Path, tmp_path: Path):
    page = (validate(read_measurements(own_rows)).write(tmp_path / "out") / "validation.html").read_text(encoding="utf-8")
    assert "<b>force</b>" not in page and "&lt;b&gt;force&lt;/b&gt; &amp; more" in page
    assert not any(word in page for word in ("http://", "https://", "<script", "src=\"/"))
    assert "no data" in page and "the engine does not jump" in page


def test_strides_of_an_instrumented_knee_are_compared_for_two_models(shared_data: Path):
    rows = [row for row in read_measurements() if row.id.startswith(("stride_1", "strides_", "within_sd_full"))]
    table = validate(rows, shared_data)
    assert all(row.verdict in ("inside", "outside") for row in table.rows)
    assert {panel.figure for panel in table.panels} >= {"Instrumented knee"}
    default, plain = (table.row(f"strides_medial_rms_{model}").predicted for model in ("default", "plain_static_optimisation"))
    assert default is not None and plain is not None and default != plain
    mean = np.mean([validate([replace(table.row("stride_1_medial_rms_default").measurement, id=str(i),
                                      parameters={"files": [f"instrumented_knee_jw/jw_walking_{i}.csv"], "quantity": "medial_rms_n"})],
                                      shared_data).rows[0].predicted
                    for i in (1, 2, 3, 4)])
    assert default == pytest.approx(mean)


def test_plain_static_optimisation_has_no_co_contraction():
    model = plain_static_optimisation()
    assert not model.co_contraction and model.effort == "activation"


def test_contact_fills_a_second_column():
    rows = [row for row in read_measurements() if row.id in ("peak_standing", "walking_extension")]
    table = validate(rows, contact=True)
    after = table.row("peak_standing").predicted_contact
    assert after is not None and after == pytest.approx(table.row("peak_standing").predicted, rel=0.3)
    assert table.row("walking_extension").predicted_contact is None


def test_calibrated_rows_use_the_persons_constants_and_never_a_stride_that_was_fitted(shared_data: Path):
    rows = {row.id: row for row in read_measurements()}
    own = Calibration(constants=personal_constants({}), generic=MuscleModel(), subject=rows["calibrated_medial_rms"].person or Subject(),
                      strides=("jw_walking_1.csv", "jw_walking_2.csv", "jw_walking_3.csv"))
    bench = Bench(data=shared_data)
    default = predicted_row(rows["stride_4_medial_rms_default"], bench, None, None)
    calibrated = predicted_row(rows["calibrated_medial_rms"], bench, None, own)
    assert calibrated.predicted == default.predicted  # nothing was changed in this person
    first = replace(rows["calibrated_medial_rms"], parameters={"files": ["instrumented_knee_jw/jw_walking_1.csv"], "quantity": "medial_rms_n"})
    refused = predicted_row(first, bench, None, own)
    assert refused.verdict == "skipped" and "fitted to jw_walking_1.csv" in refused.reason
    assert predicted_row(rows["calibrated_medial_rms"], bench, None, None).verdict == "skipped"
