"""A usual day: how often one knee goes through each activity."""

from __future__ import annotations

from collections.abc import Mapping

from kneeload.errors import InputError, check_range
from kneeload.motion.motion import Motion
from kneeload.subject.person import Subject

STEPS_PER_FLIGHT = 14.0  # assumption, range 12 to 16: a storey of about 2.6 m climbed in steps of 16 to 21 cm
SECONDS_PER_DAY = 86400.0
SECONDS_PER_HOUR = 3600.0
DAY_ACTIVITIES: tuple[str, ...] = ("walking", "stair_ascent", "stair_descent", "standing", "chair_rise")


def daily_cycles(subject: Subject, *, steps_per_flight: float = STEPS_PER_FLIGHT) -> dict[str, float]:
    """Return how much of each of DAY_ACTIVITIES one knee does in a day: cycles, for standing (a static pose) seconds.

    Two steps make one stride, and a stride loads each knee once. A flight is climbed and descended once; each knee takes half of its
    steps. Steps on stairs are not taken off the step count (they are about 2 % of it). Standing is on two legs, half of the load on each,
    which is in the motion and not here. Who rises sits down again, which loads the knee nearly as much: both count as a cycle of chair_rise.
    """
    check_range("steps per flight", steps_per_flight, 3.0, 30.0, "", where="steps_per_flight", why="a flight joins two floors")
    strides_on_stairs = subject.stair_flights_per_day * steps_per_flight / 2.0
    return {
        "walking": subject.steps_per_day / 2.0,
        "stair_ascent": strides_on_stairs,
        "stair_descent": strides_on_stairs,
        "standing": subject.standing_hours_per_day * SECONDS_PER_HOUR,
        "chair_rise": 2.0 * subject.chair_rises_per_day,
    }


def check_day(day: Mapping[str, float], motions: Mapping[str, Motion]) -> None:
    """Raise InputError if an amount is negative, an activity has no motion, or the activities fill more than 24 hours."""
    seconds = 0.0
    for activity, amount in day.items():
        if not 0.0 <= amount < 1e9:
            raise InputError(f"daily amount of {activity}", where="the day", got=amount, allowed="a number of cycles or seconds from 0 up",
                             why="an activity is done some number of times")
        if amount == 0.0:
            continue
        if activity not in motions:
            raise InputError("activity of the day", where="the day", got=activity, allowed="one with a motion: " + ", ".join(motions),
                             why="its load is needed for the daily dose")
        rate = motions[activity].cycles_per_second
        seconds += amount / rate if rate > 0.0 else amount
    if seconds > SECONDS_PER_DAY:
        raise InputError("length of the day", where="subject.steps_per_day, stair_flights_per_day, standing_hours_per_day, chair_rises_per_day",
                         got=f"{seconds / SECONDS_PER_HOUR:.1f} hours", allowed="at most 24 hours", why="a day has no more")
