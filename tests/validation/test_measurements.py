"""The measurement file: complete, sourced, and read with sentences when it is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kneeload.errors import InputError
from kneeload.validation import Measurement, read_measurements
from kneeload.validation.measurement import chosen, repeated
from kneeload.validation.predictors import PREDICTORS
from kneeload.validation.predictors.moments import published_moments

TARGETS = {str(number) for number in (*range(1, 7), *range(13, 31), *range(32, 43))}  # the numbers of the project's list of targets
BINDING = {  # what this project promises to reach
    "peak_standing", "peak_one_leg", "peak_walking", "peak_stair_ascent", "peak_stair_descent", "order_of_activities", "speed_early",
    "strides_medial_rms_default", "strides_medial_r2_default", "strides_lateral_rms_default", "strides_lateral_r2_default",
    "calibrated_medial_rms", "calibrated_lateral_rms", "kam_r2_early", "kam_per_degree", "osteotomy", "force_per_kg", "pf_walking",
    "pf_ascent",
    "pf_descent", "tendon_arm_0", "tendon_arm_20", "tendon_arm_40", "tendon_arm_60", "force_ratio_one", "load_level_time",
    *(f"within_sd_{activity}_{moment}" for activity in ("walking", "stair_ascent", "stair_descent")
      for moment in ("extension", "adduction")),
}
CONTACT_TARGETS = {f"T{number}" for number in (*range(1, 31), 35)}  # of the list for contact; T31 to T34 are speed and geometry
CONTACT_BINDING = {  # the numbers that this project promises to reach for contact
    "rig_area_in", "rig_area_out", "rig_area_ratio", "rig_peak_in", "rig_peak_out", "rig_peak_ratio", "rig_area_on_menisci",
    "rig_1150_peak", "rig_1150_area", "meniscus_load_medial", "meniscus_load_lateral",
    "pf_area_0", "pf_area_30", "pf_area_60", "pf_area_gain", "pf_area_peak",
    *(f"density_{compartment}" for compartment in ("medial", "lateral", "patellofemoral")),
    *(f"mri_{body}_{quantity}" for body in ("tibia", "patella") for quantity in ("force", "area", "largest_pressure")), "mri_chain",
    *(f"{case}_{quantity}" for case in ("sphere", "paraboloid", "nonlinear_sphere", "series_sphere")
      for quantity in ("force", "area", "peak")),
    "punch_force", "nonlinear_punch_force", "series_punch_force", "sphere_order", "sphere_energy",
    *(f"layer_{surface}_{area}" for surface in ("tibia_medial", "tibia_lateral", "patella") for area in (150, 250, 570)), "robust",
}
PROMISED = {  # intervals of those promises that are published numbers with a tolerance: they must not move
    "rig_area_in": (920, 1380), "rig_area_out": (416, 624), "rig_area_ratio": (0.35, 0.55), "rig_peak_in": (2.1, 3.9),
    "rig_peak_out": (4.2, 7.8), "rig_peak_ratio": (1.6, 2.6), "rig_area_on_menisci": (60, 80), "rig_1150_peak": (1.96, 4.0),
    "rig_1150_area": (523, 879), "meniscus_load_medial": (35, 65), "meniscus_load_lateral": (50, None), "pf_area_0": (158, 263),
    "pf_area_30": (331, 497), "pf_area_60": (416, 624), "pf_area_gain": (12, 36), "pf_area_peak": (50, 75), "density_medial": (-3, 3),
    "mri_tibia_force": (-2, 2), "mri_patella_force": (-2, 2), "mri_tibia_area": (-5, 5), "mri_patella_largest_pressure": (-5, 5),
    "mri_chain": (100, 100), "sphere_force": (-0.5, 0.5), "sphere_order": (1.5, None), "sphere_energy": (-1e-6, 1e-6),
    "layer_patella_150": (0.85, 1.15), "robust": (99.9, None),
}
ROWS = read_measurements()
ALL = read_measurements(contact=True)
CONTACT = ALL[len(ROWS):]


def test_every_target_has_a_row():
    assert {target for row in ROWS for target in row.target} == TARGETS


def test_the_promises_are_binding_and_nothing_else():
    assert {row.id for row in ROWS if row.binding} == BINDING


def test_every_row_has_words_unit_and_source_and_a_known_predictor_or_a_reason():
    assert len(ROWS) > 200 and len(CONTACT) > 90 and len({row.id for row in ALL}) == len(ALL)
    for row in ALL:
        assert row.quantity and row.unit and row.source
        assert row.predictor in PREDICTORS if row.predictor else row.note
        cited = any(word in row.source for word in ("doi", "PMC", "PMID", "19", "20", "boneandjointpub", "kneeload", "not in the copy read",
                                                    "computed"))
        assert cited, f"{row.id}: {row.source}"


def test_published_value_lies_in_its_own_interval():
    for row in ALL:
        if row.measured is not None and row.predictor and row.id not in ("force_per_kg",):
            assert row.contains(row.measured), row.id


def test_every_contact_target_has_a_row_and_the_promises_are_binding_with_their_own_intervals():
    assert ALL[:len(ROWS)] == ROWS
    assert CONTACT_TARGETS <= {target for row in CONTACT for target in row.target} <= CONTACT_TARGETS | TARGETS
    assert {row.id for row in CONTACT if row.binding} == CONTACT_BINDING
    found = {row.id: (row.low, row.high) for row in CONTACT}
    assert {name: found[name] for name in PROMISED} == PROMISED


def test_the_contact_section_is_of_the_contact_level_and_the_rest_is_not():
    assert all(row.level == "contact" and row.group.startswith("Contact: ") and not row.contact for row in CONTACT)
    assert all(row.level == "loads" and not row.group.startswith("Contact") for row in ROWS)
    assert chosen(ALL, ["Contact"]) == CONTACT
    assert {row.group for row in chosen(ALL, ["Contact: theory"])} == {"Contact: theory"}


def test_plain_static_optimisation_and_calibration_are_never_promises_of_the_default():
    for row in ROWS:
        assert not (row.binding and row.model == "plain static optimisation")
        assert (row.model == "calibrated") == row.id.startswith("calibrated")


def test_published_curves_are_whole():
    curves = published_moments()
    assert len(curves) == 6
    for curve in curves.values():
        assert np.array_equal(curve[:, 0], np.arange(0.0, 101.0, 5.0)) and np.all(curve[:, 2] > 0.0)


def test_inside_is_the_closed_interval_and_nan_never_is():
    row = Measurement(id="x", group="g", quantity="q", unit="N", source="s", low=1.0, high=2.0, interval="SD", predictor="peak_force_bw")
    assert [row.contains(value) for value in (0.999, 1.0, 1.5, 2.0, 2.001, float("nan"),
                                              float("inf"))] == [False, True, True, True, False, False, False]
    bound = Measurement(id="x", group="g", quantity="q", unit="N", source="s", high=2.0, interval="goal", predictor="peak_force_bw")
    assert bound.contains(-1e9) and not bound.contains(2.1) and not bound.contains(float("nan"))
    assert not bound.contains(-float("inf"))


def test_each_repeats_rows_over_combinations_or_in_pairs():
    rows = repeated({"id": "a_{x}_{y}", "quantity": "at {x}", "with": {"x": "{x}"}, "each": {"x": [1, 2.5], "y": ["p q", "r"]}})
    assert [row["id"] for row in rows] == ["a_1_p_q", "a_1_r", "a_2.5_p_q", "a_2.5_r"]
    assert rows[2]["with"] == {"x": 2.5} and rows[2]["quantity"] == "at 2.5"
    pairs = repeated({"id": "b_{x}", "each": {"x": [1, 2], "measured": [10.0, 20.0], "sd": [1.0, 3.0]}, "pair": True})
    assert [(row["low"], row["measured"], row["high"]) for row in pairs] == [(9.0, 10.0, 11.0), (17.0, 20.0, 23.0)]
    bound = repeated({"id": "c_{model}", "binding": "default only", "each": {"model": ["default", "plain static optimisation"]}})
    assert [row["binding"] for row in bound] == [True, False]


def test_rows_are_chosen_by_id_group_or_target():
    assert [row.id for row in chosen(ROWS, ["peak_walking"])] == ["peak_walking"]
    assert {row.group for row in chosen(ROWS, ["brace"])} == {"Interventions: brace"}
    assert {row.id for row in chosen(ROWS, ["42", "3"])} == {"peak_walking", "force_ratio_one"}
    with pytest.raises(InputError, match="brace"):
        chosen(ROWS, ["Brase"])


GOOD = "{id: a, group: g, quantity: q, unit: N, source: s, low: 1, interval: SD, predictor: peak_force_bw}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("unit: N, ", ""), ("row a", "unit")),
        (GOOD.replace("source: s", "source: ''"), ("source", "measurement a")),
        (GOOD.replace("low: 1", "low: one"), ("low", "'one'", "finite number")),
        (GOOD.replace("low: 1", "low: .nan"), ("low", "nan")),
        (GOOD.replace("low: 1", "low: 3, high: 2"), ("interval", "low <= high")),
        (GOOD.replace("low: 1, ", ""), ("interval", "inside or outside")),
        (GOOD.replace("interval: SD", "interval: guess"), ("interval", "'guess'", "95 % CI")),
        (GOOD.replace(", predictor: peak_force_bw", ""), ("note", "why it is not simulated")),
        (GOOD.replace("low: 1", "lowest: 1"), ("'lowest'",)),
        (GOOD.replace("low: 1", "low: 1, person: ann"), ("person", "'ann'")),
        (GOOD.replace("low: 1", "low: 1, level: skin"), ("level", "'skin'", "contact")),
        (GOOD + "\n- " + GOOD, ("id", "'a'", "once")),
    ],
)
def test_a_wrong_row_gets_one_sentence(tmp_path: Path, text: str, words: tuple[str, ...]):
    path = tmp_path / "rows.yaml"
    path.write_text("rows:\n- " + text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_measurements(path)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("text", ["", "rows: 3", "- a", "rows: [", "\x00"])
def test_a_file_that_is_no_table_gets_one_sentence(tmp_path: Path, text: str):
    path = tmp_path / "rows.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"rows\.yaml") as caught:
        read_measurements(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"nothing\.yaml"):
        read_measurements(tmp_path / "nothing.yaml")
