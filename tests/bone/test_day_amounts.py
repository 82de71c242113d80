"""How often one knee goes through each activity."""

from __future__ import annotations

from dataclasses import replace

import pytest
from synthetic_knee import make_motion

from kneeload.bone.day import DAY_ACTIVITIES, STEPS_PER_FLIGHT, check_day, daily_cycles
from kneeload.errors import InputError
from kneeload.subject.person import Subject


def test_amounts_of_a_day() -> None:
    day = daily_cycles(Subject(steps_per_day=6000.0, stair_flights_per_day=4.0, standing_hours_per_day=2.0))
    assert tuple(day) == DAY_ACTIVITIES
    assert day["walking"] == 3000.0  # two steps make a stride
    assert day["stair_ascent"] == day["stair_descent"] == 4.0 * STEPS_PER_FLIGHT / 2.0
    assert day["standing"] == 7200.0  # seconds


def test_a_day_in_bed_and_chair_rises() -> None:
    bed = Subject(steps_per_day=0.0, stair_flights_per_day=0.0, standing_hours_per_day=0.0, chair_rises_per_day=0.0)
    assert set(daily_cycles(bed).values()) == {0.0}
    assert daily_cycles(replace(bed, chair_rises_per_day=37.0))["chair_rise"] == 74.0  # rising and sitting down
    with pytest.raises(InputError, match="chair_rises_per_day"):
        replace(bed, chair_rises_per_day=-1.0)


def test_days_that_cannot_be() -> None:
    motions = {"walking": make_motion("walking"), "standing": make_motion("standing", static=True)}
    check_day({"walking": 3000.0, "standing": 7200.0, "stair_ascent": 0.0}, motions)
    with pytest.raises(InputError, match="at most 24 hours"):
        check_day({"walking": 30000.0, "standing": 20 * 3600.0}, motions)
    with pytest.raises(InputError, match=r"24\.4 hours"):
        check_day({"walking": 80000.0}, motions)  # 80,000 cycles of 1.1 s are longer than a day, 80,000 s are not
    check_day({"standing": 80000.0}, motions)
    with pytest.raises(InputError, match="is 'squat'"):
        check_day({"squat": 5.0}, motions)
    for amount in (-1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="daily amount of walking"):
            check_day({"walking": amount}, motions)
