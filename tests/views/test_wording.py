"""Plain words from numbers."""

from __future__ import annotations

from typing import Any

import pytest

from kneeload.views import wording


@pytest.mark.parametrize(("value", "digits", "words"), [(2140.2, 0, "2,140"), (1.005, 2, "1.00"), (None, 0, "–"), (float("nan"), 1, "–"), ("x", 0, "–"), (True, 0, "–"), (0, 0, "0")])
def test_numbers(value: object, digits: int, words: str) -> None:
    assert wording.number(value, digits) == words


@pytest.mark.parametrize(("key", "value", "words"), [
    ("body_mass_kg", 80.0, ("Body mass", "80 kg")), ("height_m", 1.72, ("Height", "1.72 m")), ("mpta_deg", 87.5, ("MPTA", "87.5°")),
    ("bmi", 27.04, ("BMI", "27.04 kg/m²")), ("steps_per_day", 6943.0, ("Steps per day", "6,943")), ("medial_meniscus", "root_tear", ("Medial meniscus", "root tear")),
    ("contact_spacing_mm", None, ("Contact spacing", "from the model")), ("sex", "male", ("Sex", "male")),
])
def test_a_key_with_its_unit_becomes_a_label_and_a_value(key: str, value: object, words: tuple[str, str]) -> None:
    assert wording.quantity(key, value) == words


@pytest.mark.parametrize(("value", "words"), [(-9.13, ("falls", "▼ falls 9.1 %")), (12.0, ("rises", "▲ rises 12.0 %")), (0.49, ("same", "no change")), (-0.5, ("falls", "▼ falls 0.5 %")),
                                              (None, ("none", "–"))])
def test_changes_say_what_falls_and_what_rises(value: object, words: tuple[str, str]) -> None:
    assert wording.change_words(value) == words


def test_the_result_in_short(summary: dict[str, Any]) -> None:
    assert wording.in_short(summary) == [
        "In walking the joint between thigh and shin carries up to 2,140 N, 2.7 times body weight.",
        "Over the whole cycle 68 % of that load passes through the medial (inner) side and 32 % through the lateral (outer) side.",
        "The highest contact pressure is 6.1 MPa, on the medial (inner) side.",
        "Over a usual day the bone under this region takes the most load: tibia, subspinous.",
        "With an unloader brace and toe-in gait the peak force falls by 9 % on the medial (inner) side and rises by 12 % on the lateral (outer) side.",
    ]


def test_a_change_that_does_nothing_is_said(summary: dict[str, Any]) -> None:
    summary["change"] = {name: {"peak_force_pct": 0.0} for name in ("medial", "lateral", "patellofemoral")}
    assert wording.in_short(summary)[-1].endswith("the peak force stays the same everywhere.")


def test_the_load_level_has_fewer_sentences_and_no_gaps(summary: dict[str, Any]) -> None:
    summary.update({"contact": None, "bone": None, "lesion": None, "pain": None, "change": None, "interventions": []})
    assert len(wording.in_short(summary)) == 2
    assert wording.region_rows(summary) == [] and wording.change_rows(summary) == [] and wording.pain_rows(summary) == []
    assert [row["peak"] for row in wording.compartment_rows(summary)] == ["–"] * 4


def test_regions_are_named_and_shared_by_dose(summary: dict[str, Any]) -> None:
    rows = {row["key"]: row for row in wording.region_rows(summary)}
    assert len(rows) == 15 and rows["patella_medial"]["name"] == "Kneecap, medial" and rows["femur_trochlea_lateral"]["name"] == "Femur, trochlea lateral"
    assert rows["tibia_subspinous"]["share"] == 1.0 and rows["patella_medial"]["share"] == 0.0
    assert rows["patella_lateral"]["interval"] == "0.4–3.1 %" and rows["patella_lateral"]["risk"] == "1.0 %" and rows["patella_lateral"]["grade"] == "1 small"


@pytest.mark.parametrize(("region", "words"), [
    ("tibia_central_medial", "the middle of the inner side of the shin bone"), ("femur_trochlea_lateral", "the groove for the kneecap in the outer side of the thigh bone"),
    ("patella_lateral", "the outer side of the kneecap"), ("tibia_subspinous", "the middle of the shin bone, between its two sides"),
])
def test_regions_have_a_place_in_plain_words(region: str, words: str) -> None:
    assert wording.region_place(region) == words


def test_names_of_interventions_may_be_names_or_mappings() -> None:
    assert wording.intervention_names({"interventions": ["toe_in", {"name": "weight_loss"}, "something_new"]}) == ["toe-in gait", "weight loss", "something new"]
