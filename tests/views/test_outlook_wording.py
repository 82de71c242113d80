"""Sentences about what may follow: each follows from numbers of the summary."""

from __future__ import annotations

from typing import Any

import pytest

from kneeload.lesion.checks import CODES
from kneeload.lesion.modifiers import EVIDENCE
from kneeload.lesion.phenotype import KINDS
from kneeload.views import outlook_wording as words


def test_zones_are_told_by_size_with_what_is_behind_them(measured_summary: dict[str, Any]) -> None:
    rows = words.zone_rows(measured_summary)
    assert [row["name"] for row in rows] == ["Tibia, central medial", "Femur, central medial"]
    assert rows[1] == {"name": "Femur, central medial", "place": "the middle of the inner side of the thigh bone", "share": "12 %", "volume": "0.6", "interval": "0.0 to 0.7",
                       "moaks": "1", "worms": "1", "behind": "walking 70 %, standing 25 %"}
    assert words.small_zones(measured_summary) == "Zones of 2 % to 5 % of a region, not in the table: kneecap, lateral."
    assert words.zone_sentences(measured_summary) == [
        "Bone carries too much most of all in the middle of the inner side of the shin bone (tibia, central medial): in 40 % of it, 2.0 cm³ (95 % interval 0.0 to 2.4; so there may be none).",
        "Behind that load: walking 70 %, standing 25 %."]


def test_an_interval_above_zero_and_small_or_no_zones_are_said_so(measured_summary: dict[str, Any]) -> None:
    regions = measured_summary["lesion"]["regions"]
    regions["tibia_central_medial"]["zone_volume_low_mm3"] = 700.0
    assert "0.7 to 2.4)." in words.zone_sentences(measured_summary)[0]
    for row in regions.values():
        row["zone_share"] = min(row["zone_share"], 0.01)
    assert words.zone_sentences(measured_summary)[0].startswith("Practically no bone") and words.zone_rows(measured_summary) == [] and words.small_zones(measured_summary) == ""
    for row in regions.values():
        row["zone_share"] = 0.0
    assert words.zone_sentences(measured_summary)[0].startswith("No bone carries so much")


def test_new_lesions_are_told_in_people(measured_summary: dict[str, Any], unmeasured_summary: dict[str, Any]) -> None:
    assert words.new_lesion_sentences(unmeasured_summary) == [
        "Of 100 people with such a knee and such days, about 24 would get at least one new bone marrow lesion in this knee within 24 months (95 % interval 12 to 36 %); about 76 would not."]
    assert "where there is none yet" in words.new_lesion_sentences(measured_summary)[0]
    assert words.new_lesion_rows(measured_summary)[0] == ("6 months", "6 %", "3 to 9 %", "6 % (3 to 9 %)")
    del measured_summary["course"]["as_before"]
    assert words.new_lesion_rows(measured_summary)[0][3] == ""


def test_outcomes_of_a_lesion_add_up_to_one(measured_summary: dict[str, Any]) -> None:
    for date in words.lesion_rows(measured_summary)[0]["dates"]:
        assert sum(int(date[key].split()[0]) for key in ("gone", "smaller", "same", "larger")) == 100


def test_a_difference_that_nobody_could_see_is_said_so(measured_summary: dict[str, Any]) -> None:
    said = words.course_sentences(measured_summary)
    assert said[0].startswith("All lesions together measure about 2.0 cm³ now (1.0 to 2.0: a size grade leaves the volume open). In half of the modelled futures they measure less than 1.5 cm³ in 104")
    assert "between 0.8 and 4.6 cm³" in said[0] and "moves by 0.10 cm³ only" in said[1]
    for name, end in (("with_interventions", 500.0), ("as_before", 3000.0)):
        course = measured_summary["course"][name]
        course["total_mm3"][-1], course["total_low_mm3"][-1], course["total_high_mm3"][-1] = end, 0.9 * end, 1.1 * end
    assert "is 2.5 cm³ lower than without" in words.course_sentences(measured_summary)[1]
    measured_summary["course"]["with_interventions"]["total_mm3"][-1] = 5500.0
    assert "is 2.5 cm³ higher than without" in words.course_sentences(measured_summary)[1]


def test_an_assumed_drug_is_named_and_starred(measured_summary: dict[str, Any]) -> None:
    assert not any("*" in row[0] for row in words.evidence_rows(measured_summary))
    measured_summary["course"]["modifiers"] = ["zoledronate"]
    assert words.evidence_rows(measured_summary)[0][0] == "Zoledronate *" and "assumes that zoledronate" in words.course_sentences(measured_summary)[1]
    assert len(words.evidence_rows(measured_summary)) == len(EVIDENCE) and not any("mm2" in row[3] or "mm3" in row[3] or "seed" in row[4] for row in words.evidence_rows(measured_summary))


def test_the_grade_stands_beside_the_full_picture(measured_summary: dict[str, Any], unmeasured_summary: dict[str, Any]) -> None:
    rows = {what: (value, says) for what, value, says in words.panel_rows(measured_summary)}
    assert rows["Radiograph (Kellgren-Lawrence grade, 0 to 4)"][0] == "2: mild signs" and rows["Bone marrow lesions on MRI"] == ("1 region of 15, 2.0 cm³ together", "In tibia, central medial.")
    assert rows["Attrition (flattened bone)"][0] == "1 region" and rows["Cysts in the bone"][0] == "none"
    assert rows["Bone above the overstress level"][0] == "3 regions"  # the fourth is below what the model sees
    rows = {what: (value, says) for what, value, says in words.panel_rows(unmeasured_summary)}
    assert rows["Bone marrow lesions on MRI"][0] == "not measured" and "Cysts in the bone" not in rows
    unmeasured_summary["subject"]["steps_per_day"] = 4000.0
    assert words.panel_rows(unmeasured_summary)[-1][2].startswith("Fewer than the 6,000") and "do not rest" in words.panel_rows(unmeasured_summary)[-1][2]
    unmeasured_summary["subject"]["steps_per_day"] = 6000.0
    assert words.panel_rows(unmeasured_summary)[-1][2].startswith("At least as many")


def test_flags_that_ask_for_a_specialist_come_first(measured_summary: dict[str, Any]) -> None:
    assert [flag["specialist"] for flag in words.flags(measured_summary)] == [True, False]
    assert set(words.SHORT_FLAGS) == set(CODES)


def test_pain_says_how_little_is_explained(measured_summary: dict[str, Any], unmeasured_summary: dict[str, Any]) -> None:
    said = words.pain_sentences(unmeasured_summary)
    assert len(said) == 1 and "1.4 to 5.7 %" in said[0] and "Pain at rest is not driven by load" in said[0]
    said = words.pain_sentences(measured_summary)
    assert "2.22 times those without lesions (1.15 to 4.28: no interval was published" in said[1] and "add up to 4" in said[2]
    measured_summary["panel"]["phenotype"].update({"worst": "lesion", "odds": 1.32, "odds_low": 0.95, "odds_high": 1.83})
    assert "a lesion alone were 1.32 times those without lesions (0.95 to 1.83, 95 % interval)" in words.pain_sentences(measured_summary)[1]
    assert set(words.KINDS) == set(KINDS) - {"none"}


@pytest.mark.parametrize("gone", ["course", "panel", "lesion", "pain", "subject"])
def test_any_part_may_be_missing(measured_summary: dict[str, Any], gone: str) -> None:
    measured_summary[gone] = None
    for function in (words.zone_rows, words.zone_sentences, words.small_zones, words.new_lesion_rows, words.new_lesion_sentences, words.lesion_rows, words.course_sentences,
                     words.panel_rows, words.flags, words.pain_sentences, words.evidence_rows, words.short_lines):
        assert "None" not in str(function(measured_summary)).replace("'None was found.'", "")
