"""Habits act on the amounts of the day and nothing else."""

from __future__ import annotations

import pytest

from kneeload import Case, Subject, interventions, simulate
from kneeload.errors import InputError
from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.result import compartment_dose

LOADS_ONLY = Case(contact=None)


@pytest.mark.parametrize(("name", "parameters", "activity", "share"), [
    ("fewer_steps", {"steps_per_day": 2000.0}, "walking", 2000.0 / 6943.0), ("fewer_flights", {"flights_per_day": 3.0}, "stair_ascent", 0.5),
    ("less_standing", {"hours_per_day": 1.0}, "standing", 1.0 / 3.0)])
def test_the_dose_of_that_activity_falls_in_proportion_and_no_peak_changes(name: str, parameters: dict[str, float], activity: str, share: float) -> None:
    before, after = simulate(Case()), simulate(interventions.apply(Case(), name, parameters))
    assert before.bone is not None and after.bone is not None
    column = before.bone.activities.index(activity)
    assert after.bone.dose_by_activity[:, column] == pytest.approx(before.bone.dose_by_activity[:, column] * (1.0 - share), rel=1e-9)
    assert (after.main.force("medial") == before.main.force("medial")).all()
    assert after.change is not None and after.change["medial"]["peak_force_pct"] == 0.0 and after.change["medial"]["daily_dose_pct"] < 0.0


def test_a_swap_keeps_the_time() -> None:
    person = Subject()
    swapped = interventions.activity_swap(LOADS_ONLY, less="walking", more="stairs", minutes_per_day=20.0).subject
    step = 0.5 / motion_for(Activity(name="walking"), person).cycles_per_second
    flight = 7.0 * sum(1.0 / motion_for(Activity(name=name), person).cycles_per_second for name in ("stair_ascent", "stair_descent"))
    assert (person.steps_per_day - swapped.steps_per_day) * step == pytest.approx(1200.0)
    assert (swapped.stair_flights_per_day - person.stair_flights_per_day) * flight == pytest.approx(1200.0)


def test_a_swap_from_stairs_to_walking_takes_load_off_the_kneecap() -> None:
    case = Case(subject=Subject(stair_flights_per_day=20.0))
    before, after = simulate(case), simulate(interventions.activity_swap(case, less="stairs", more="walking", minutes_per_day=4.0))
    dose = compartment_dose(before)["patellofemoral"], compartment_dose(after)["patellofemoral"]
    assert dose[1] < 0.95 * dose[0]


def test_no_more_can_be_left_out_than_there_is_and_a_note_says_so() -> None:
    changed = interventions.fewer_flights(Case(contact=None, subject=Subject(stair_flights_per_day=2.0)), flights_per_day=10.0)
    assert changed.subject.stair_flights_per_day == 0.0 and "2 flights" in changed.notes[0]
    assert "6,000" in interventions.fewer_steps(LOADS_ONLY, steps_per_day=2000.0).notes[0]
    assert interventions.fewer_steps(LOADS_ONLY, steps_per_day=-1000.0).subject.steps_per_day == 7943.0


@pytest.mark.parametrize(("name", "parameters", "words"), [
    ("activity_swap", {"less": "walking", "more": "walking"}, "nothing would change"), ("activity_swap", {"less": "swimming"}, "fill the day"),
    ("activity_swap", {"minutes_per_day": 600.0}, "at most 180 minutes"), ("fewer_steps", {"steps_per_day": 1e6}, "nobody changes"),
    ("fewer_steps", {"steps": 3.0}, "no such setting"), ("less_standing", {"hours_per_day": float("nan")}, "nobody changes")])
def test_nonsense_is_refused_with_a_sentence(name: str, parameters: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        interventions.apply(LOADS_ONLY, name, parameters)


def test_twice_the_same_is_refused() -> None:
    with pytest.raises(InputError, match="counted twice"):
        interventions.fewer_steps(interventions.fewer_steps(LOADS_ONLY))


def test_weight_loss_in_per_cent() -> None:
    assert interventions.weight_loss(LOADS_ONLY, mass_pct=10.0).subject.body_mass_kg == pytest.approx(72.0)
    with pytest.raises(InputError, match="not survived"):
        interventions.weight_loss(LOADS_ONLY, mass_pct=70.0)


def test_people_who_walk_faster_after_weight_loss_lose_less_load() -> None:
    peaks = [simulate(case).main.force("tibiofemoral").max() for case in (LOADS_ONLY, interventions.weight_loss(LOADS_ONLY),
                                                                         interventions.weight_loss(LOADS_ONLY, speed="as_in_trials"))]
    assert peaks[1] < peaks[2] < peaks[0]
    with pytest.raises(InputError, match="as_in_trials"):
        interventions.weight_loss(LOADS_ONLY, speed="faster")
