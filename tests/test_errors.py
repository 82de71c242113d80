"""Sentences for bad input: what, where, got, allowed, why."""

from __future__ import annotations

import pickle

import pytest

from kneeload import Subject
from kneeload.errors import InputError


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("body_mass_kg", -5.0, ("body mass", "subject.body_mass_kg", "-5.0", "20 to 300 kg")),
        ("body_mass_kg", float("nan"), ("body mass", "nan")),
        ("body_mass_kg", "heavy", ("body mass", "'heavy'")),
        ("body_mass_kg", True, ("body mass", "True")),
        ("height_m", 172.0, ("height", "subject.height_m", "172.0", "1 to 2.3 m")),
        ("mpta_deg", 187.0, ("MPTA", "75 to 100 degrees")),
        ("medial_slope_deg", 60.0, ("medial tibial slope",)),
        ("sex", "both", ("sex", "male, female")),
        ("side", "middle", ("side", "right, left")),
        ("medial_meniscus", "gone", ("medial meniscus", "intact, extruded, root_tear, removed")),
        ("contact_spacing_mm", 4.2, ("contact spacing", "25 to 70 mm")),
        ("standing_hours_per_day", 25.0, ("standing hours", "0 to 24 hours")),
        ("steps_per_day", -1.0, ("steps per day",)),
    ],
)
def test_a_bad_person_gets_one_sentence(field: str, value: object, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        Subject(**{field: value})
    sentence = str(caught.value)
    assert all(word in sentence for word in words), sentence
    assert sentence.endswith(".") and "\n" not in sentence


def test_errors_survive_a_trip_to_another_process() -> None:
    error = InputError("mass", where="subject.body_mass_kg", got=-1, allowed="20 to 300 kg", why="nobody")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_hka_follows_from_the_angles() -> None:
    assert Subject(mpta_deg=87.0, ldfa_deg=87.5, joint_line_convergence_deg=0.5).hka_deg == pytest.approx(179.0)
    assert Subject(mpta_deg=84.0).varus_deg == pytest.approx(4.0)
    assert Subject(body_mass_kg=80.0, height_m=2.0).bmi == pytest.approx(20.0)
