"""From the form to a case: the engine's sentences stand at their fields, and every switch changes the case as the intervention itself does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kneeload import Case, interventions
from kneeload.consultation.fields import FIELDS, PRESETS, switches
from kneeload.consultation.form import mpta_of_hka, question
from kneeload.errors import InputError
from kneeload.subject.person import Subject
from kneeload.views.app.contract import Refused, Uploads
from kneeload.views.app.layout import _KINDS
from kneeload.views.app.leg import leg_svg

START = {item.key: item.start for item in FIELDS} | {item.key: item.start for switch in switches() for item in switch.fields}


def asked(tmp_path: Path, **values: Any) -> Any:
    return question(START | values, Uploads(tmp_path), Case())


def errors(tmp_path: Path, **values: Any) -> dict[str, str]:
    with pytest.raises(Refused) as problem:
        asked(tmp_path, **values)
    return problem.value.errors


def test_the_first_page_is_the_reference_person(tmp_path: Path) -> None:
    found = asked(tmp_path)
    assert found.whole == Case()
    assert found.quick.day_activities == ("walking",)
    assert found.quick.subject == found.whole.subject


@pytest.mark.parametrize(("key", "value"), [("body_mass_kg", 1000), ("body_mass_kg", "abc"), ("body_mass_kg", ""), ("body_mass_kg", None), ("body_mass_kg", True), ("body_mass_kg", float("nan")),
                                            ("height_m", 0.2), ("mpta_deg", "1e400"), ("steps_per_day", -1), ("medial_slope_deg", 50), ("sex", "robot"), ("side", ["left"])])
def test_the_sentence_of_the_engine_stands_at_its_field(tmp_path: Path, key: str, value: Any) -> None:
    found = errors(tmp_path, **{key: value})
    assert list(found) == [key]
    assert f"subject.{key}" in found[key] and "must be" in found[key]


def test_every_wrong_field_is_told_at_once(tmp_path: Path) -> None:
    found = errors(tmp_path, body_mass_kg=1, height_m=9, cartilage_femur=0, activity="flying")
    assert set(found) == {"body_mass_kg", "height_m", "cartilage_femur", "activity"}


def test_what_was_typed_is_said_back_short(tmp_path: Path) -> None:
    assert len(errors(tmp_path, body_mass_kg="<script>" * 1000)["body_mass_kg"]) < 300


def test_a_comma_is_a_point(tmp_path: Path) -> None:
    assert asked(tmp_path, body_mass_kg="82,5").whole.subject.body_mass_kg == 82.5


@pytest.mark.parametrize("hka", [174.0, 179.0, 185.5])
def test_the_leg_axis_can_be_given_instead_of_the_shin_bone(tmp_path: Path, hka: float) -> None:
    found = asked(tmp_path, alignment="hka", hka_deg=hka, mpta_deg="ignored", ldfa_deg=88.0)
    assert found.whole.subject.hka_deg == pytest.approx(hka)


def test_an_impossible_leg_axis_is_refused_at_its_own_field(tmp_path: Path) -> None:
    assert list(errors(tmp_path, alignment="hka", hka_deg=150)) == ["hka_deg"]
    with pytest.raises(InputError, match="HKA"):
        mpta_of_hka("x", {})


@pytest.mark.parametrize("switch", switches(), ids=lambda switch: switch.name)
def test_every_switch_changes_the_case_as_its_intervention_does(tmp_path: Path, switch: Any) -> None:
    assert switch.kind in _KINDS
    found = asked(tmp_path, **{switch.key: True}).whole
    assert found.interventions == (switch.name,)
    assert found.subject == interventions.apply(Case(), switch.name, {}).subject
    for item in switch.fields:
        assert item.label and item.kind in ("number", "choice", "text")
        if item.kind == "number":
            assert item.least <= item.start <= item.most and item.step > 0
        elif item.kind == "choice":
            assert item.start in {value for value, _ in item.choices}


def test_an_impossible_amount_is_refused_at_its_slider(tmp_path: Path) -> None:
    assert list(errors(tmp_path, use_weight_loss=True, weight_loss__mass_kg=75)) == ["weight_loss__mass_kg"]
    assert asked(tmp_path, weight_loss__mass_kg=75).whole.interventions == ()


def test_two_that_exclude_each_other_are_told_at_a_switch(tmp_path: Path) -> None:
    found = errors(tmp_path, use_toe_in=True, use_toe_out=True)
    assert set(found) & {"use_toe_in", "use_toe_out"}


def test_grades_become_findings_and_equal_grades_the_same_case(tmp_path: Path) -> None:
    first, second = (asked(tmp_path, lesion_tibia_central_medial="2", kl_grade="3").whole for _ in range(2))
    assert first == second
    assert first.findings.kl_grade == 3
    assert first.findings.file is not None and first.findings.file.parent == tmp_path
    assert errors(tmp_path, lesion_tibia_central_medial="9") == {"lesion_tibia_central_medial": errors(tmp_path, lesion_tibia_central_medial="9")["lesion_tibia_central_medial"]}


@pytest.mark.parametrize("name", [key for key, _, _ in PRESETS])
def test_presets_are_people(tmp_path: Path, name: str) -> None:
    values = next(values for key, _, values in PRESETS if key == name)
    assert set(values) <= set(START)
    assert isinstance(asked(tmp_path, **values).whole.subject, Subject)


JUNK = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40), st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), st.binary(max_size=5))


@settings(max_examples=150, deadline=None)
@given(values=st.dictionaries(st.sampled_from([*START, *(switch.key for switch in switches())]), JUNK, max_size=6))
def test_whatever_is_sent_is_a_case_or_is_refused(tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]) -> None:
    try:
        found = asked(tmp_path_factory.getbasetemp(), **values)
    except Refused as refused:
        assert refused.errors and all(isinstance(words, str) and words for words in refused.errors.values())
    else:
        assert isinstance(found.whole, Case)


def test_the_drawing_of_the_leg_follows_the_axis() -> None:
    assert "varus" in leg_svg(172.0, "right") and "valgus" in leg_svg(187.0, "right") and "straight" in leg_svg(180.0, "left")
    assert leg_svg(172.0, "right") != leg_svg(172.0, "left")
    assert leg_svg(None, "right") == leg_svg(float("nan"), "right") == ""
