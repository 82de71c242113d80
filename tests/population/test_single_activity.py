"""A day of walking alone: one activity is simulated, for the person and for the reference person alike."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload import Activity, Case, KneeResult, Subject, simulate
from kneeload.case import DAY_ACTIVITIES
from kneeload.errors import InputError
from kneeload.simulate import reference_case, reference_load, simulate_alone

ALONE = ("walking",)


@pytest.fixture(scope="module")
def walking() -> KneeResult:
    return simulate(Case(subject=Subject(mpta_deg=85.0), day_activities=ALONE))


def test_one_activity_is_simulated_down_to_the_lesion(walking: KneeResult) -> None:
    assert [activity.name for activity in walking.case.day()] == ["walking"] == list(walking.day) == list(walking.bone.activities)
    assert (walking.lesion.risk_24mo > 0.0).all() and walking.pain["walking"].relative > 0.0
    assert "daily_dose_walking_mpa_s" in walking.regions() and "daily_dose_standing_mpa_s" not in walking.regions()


def test_walking_is_the_same_as_in_a_whole_day(walking: KneeResult) -> None:
    whole = simulate(Case(subject=Subject(mpta_deg=85.0)))
    assert np.array_equal(whole.bone.dose_by_activity[:, whole.bone.activities.index("walking")], walking.bone.dose_by_activity[:, 0])
    assert np.array_equal(whole.bone.peak_stress, walking.bone.peak_stress)
    assert (walking.bone.daily_dose < whole.bone.daily_dose).all()


def test_the_reference_person_does_the_same_activities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNEELOAD_NO_CACHE", "1")  # one remembered by a process that had just compiled its kernels may differ in last digits
    reference_load.cache_clear()
    person = Subject(body_mass_kg=23.5 * 1.72**2)
    own = simulate(Case(subject=person, day_activities=ALONE))
    assert own.lesion.relative_risk == pytest.approx(np.ones(15), abs=1e-12)  # a person like the reference: neither stairs nor standing tell them apart
    assert reference_load(reference_case(own.case)).activities == ALONE


def test_a_reference_person_before_the_case_is_that_beside_it(walking: KneeResult) -> None:
    alone = simulate_alone(walking.case)
    np.testing.assert_allclose(alone.lesion.relative_risk, walking.lesion.relative_risk, rtol=1e-6)
    np.testing.assert_allclose(alone.lesion.risk_24mo, walking.lesion.risk_24mo, rtol=1e-6)
    assert alone.pain["walking"].relative == pytest.approx(walking.pain["walking"].relative, rel=1e-6)


def test_amounts_of_zero_stay_in_the_day() -> None:
    """Without stairs a day has less load, but how hard the knee is loaded is still told by the standard day, which has stairs in it."""
    idle = Case(subject=Subject(stair_flights_per_day=0.0, standing_hours_per_day=0.0))
    assert {activity.name for activity in idle.day()} == set(DAY_ACTIVITIES) and idle.day_amounts()["stair_ascent"] == 0.0


def test_reference_persons_are_shared_by_the_centimetre() -> None:
    tall = [reference_case(Case(subject=Subject(height_m=height))) for height in (1.7161, 1.7239, 1.7261)]
    assert tall[0] == tall[1] != tall[2] and tall[0].subject.height_m == 1.72 and tall[0].subject.bmi == pytest.approx(23.5)


@pytest.mark.parametrize("wrong", [(), ("squat",), ("standing",), ("walking", "walking")])
def test_an_impossible_day_is_refused(wrong: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="day_activities"):
        Case(day_activities=wrong)


def test_an_activity_outside_the_day_needs_no_place_in_it() -> None:
    case = Case(activity=Activity(name="squat"), day_activities=("standing",))
    assert [activity.name for activity in case.day()] == ["squat", "standing"] and reference_case(case).activity.name == "standing"
