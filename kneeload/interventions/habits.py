"""What a person does less of in a day: steps, flights of stairs, hours of standing, and one thing in place of another.

All act on the amounts of the day (`kneeload.bone.day`): peaks stay, dose and risk change. What the person does instead is sitting, unless
`activity_swap` says otherwise.
"""

from __future__ import annotations

from dataclasses import replace

from kneeload.bone.day import SECONDS_PER_HOUR, STEPS_PER_FLIGHT
from kneeload.case import Case
from kneeload.errors import InputError, check_choice, check_range
from kneeload.interventions.registry import Intervention, check_free
from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.subject.person import Subject

SECONDS_PER_MINUTE = 60.0
SWAPPED: dict[str, str] = {"walking": "steps_per_day", "stairs": "stair_flights_per_day", "standing": "standing_hours_per_day", "chair_rise": "chair_rises_per_day"}
_LESIONS = "Moderate activity goes with fewer lesions and vigorous activity with slightly more (doi 10.1186/s13075-016-0938-9): no trial has cut a habit and measured lesions."


def fewer_steps(case: Case, *, steps_per_day: float = 2000.0) -> Case:
    """Return the case with fewer steps a day; a negative number is more steps.

    Dose of walking = strides x dose of a stride, so it falls with them. Fewer than 6,000 steps a day go with a loss of function over two years
    (1,788 people, PMC4146701): the note says so where the change crosses that line.

    Args:
        case: the case to change.
        steps_per_day: steps left out, 1/day, -30,000 to 30,000.

    Raises:
        InputError: a number out of range, or a second time.
    """
    check_free(case, "fewer_steps")
    check_range("steps left out", steps_per_day, -30000.0, 30000.0, "a day", where="intervention.fewer_steps.steps_per_day", why="nobody changes a day by more")
    now = case.subject.steps_per_day
    left, note = _left(now, steps_per_day, "steps")
    if left < 6000.0 <= now:
        note = " ".join(filter(None, (note, f"{left:,.0f} steps a day lie below 6,000, the number that best told who kept their function over two years (PMC4146701).")))
    return case.changed("fewer_steps", note=note, subject=replace(case.subject, steps_per_day=left))


def fewer_flights(case: Case, *, flights_per_day: float = 3.0) -> Case:
    """Return the case with fewer flights of stairs a day (climbed and descended); a negative number is more.

    Dose of stairs = flights x 14 / 2 strides up and as many down for each knee, so it falls with them.

    Args:
        case: the case to change.
        flights_per_day: flights left out, 1/day, -200 to 200.

    Raises:
        InputError: a number out of range, or a second time.
    """
    check_free(case, "fewer_flights")
    check_range("flights left out", flights_per_day, -200.0, 200.0, "a day", where="intervention.fewer_flights.flights_per_day", why="nobody changes a day by more")
    left, note = _left(case.subject.stair_flights_per_day, flights_per_day, "flights")
    return case.changed("fewer_flights", note=note, subject=replace(case.subject, stair_flights_per_day=left))


def less_standing(case: Case, *, hours_per_day: float = 1.0) -> Case:
    """Return the case with fewer hours of standing a day; a negative number is more.

    Args:
        case: the case to change.
        hours_per_day: hours left out, h/day, -12 to 12.

    Raises:
        InputError: a number out of range, or a second time.
    """
    check_free(case, "less_standing")
    check_range("hours of standing left out", hours_per_day, -12.0, 12.0, "hours", where="intervention.less_standing.hours_per_day", why="nobody changes a day by more")
    left, note = _left(case.subject.standing_hours_per_day, hours_per_day, "hours of standing")
    return case.changed("less_standing", note=note, subject=replace(case.subject, standing_hours_per_day=left))


def activity_swap(case: Case, *, less: str = "standing", more: str = "walking", minutes_per_day: float = 30.0) -> Case:
    """Return the case in which so many minutes of one activity of the day become as many of another.

    Minutes become strides, flights or rises by the duration of one cycle of that activity, from the same motion that is simulated:
    n = 60 minutes / cycle. A flight is 7 strides up and 7 down, a chair rise is a rise and the sitting down.

    Args:
        case: the case to change.
        less: what is done less: "walking", "stairs", "standing" or "chair_rise".
        more: what is done instead, another of these.
        minutes_per_day: min/day, 0 to 720.

    Raises:
        InputError: an unknown activity, twice the same, more minutes than the person spends on it, or a second time.
    """
    check_free(case, "activity_swap")
    where = "intervention.activity_swap"
    for key, name in (("less", less), ("more", more)):
        check_choice("activity to swap", name, tuple(SWAPPED), where=f"{where}.{key}", why="these fill the day")
    if less == more:
        raise InputError("activity to swap", where=f"{where}.more", got=more, allowed="another one than `less`", why="nothing would change")
    check_range("minutes to swap", minutes_per_day, 0.0, 720.0, "minutes", where=f"{where}.minutes_per_day", why="half a day is more than anyone swaps")
    taken, given = (minutes_per_day * SECONDS_PER_MINUTE / _seconds_of_one(case, name) for name in (less, more))
    now = getattr(case.subject, SWAPPED[less])
    if taken > now * (1.0 + 1e-9):
        raise InputError("minutes to swap", where=f"{where}.minutes_per_day", got=minutes_per_day,
                         allowed=f"at most {now * _seconds_of_one(case, less) / SECONDS_PER_MINUTE:.0f} minutes", why=f"the person spends no more on {less.replace('_', ' ')}")
    changes = {SWAPPED[less]: max(now - taken, 0.0), SWAPPED[more]: getattr(case.subject, SWAPPED[more]) + given}
    return case.changed("activity_swap", subject=replace(case.subject, **changes))


def _left(now: float, less: float, what: str) -> tuple[float, str | None]:
    """Return what is left of a daily amount, and a sentence where there was not so much to leave out."""
    return max(now - less, 0.0), f"The person has {now:g} {what} a day, so no more than these could be left out." if less > now else None


def _seconds_of_one(case: Case, name: str) -> float:
    """Return the time of one step, flight, hour of standing or chair rise, s, in this case."""
    if name == "standing":
        return SECONDS_PER_HOUR
    if name == "stairs":
        return 0.5 * STEPS_PER_FLIGHT * (_cycle_s(case, "stair_ascent") + _cycle_s(case, "stair_descent"))
    return 2.0 * _cycle_s(case, name) if name == "chair_rise" else 0.5 * _cycle_s(case, name)


def _cycle_s(case: Case, name: str) -> float:
    own = next((item for item in case.day() if item.name == name), Activity(name=name))
    subject: Subject = case.subject
    return 1.0 / motion_for(own, subject, case.gait_changes).cycles_per_second


INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(name="fewer_steps", kind="habit", apply=fewer_steps, amount="steps_per_day", unit="steps a day", usual=2000.0, least=0.0, most=3000.0,
                 acts_on="strides of the day", source="doi 10.2174/1874120701509010157 (6,943 steps a day in healthy older adults); PMC4146701", lesion_evidence=_LESIONS),
    Intervention(name="fewer_flights", kind="habit", apply=fewer_flights, amount="flights_per_day", unit="flights a day", usual=3.0, least=0.0, most=10.0,
                 acts_on="strides on stairs of the day", source="doi 10.3389/fmed.2025.1699297 (flights and patellofemoral cartilage)", lesion_evidence=_LESIONS),
    Intervention(name="less_standing", kind="habit", apply=less_standing, amount="hours_per_day", unit="hours a day", usual=1.0, least=0.0, most=4.0,
                 acts_on="standing of the day", source="statics of two-leg standing (kneeload.motion.standing)", lesion_evidence=_LESIONS),
    Intervention(name="activity_swap", kind="habit", apply=activity_swap, amount=None, unit="", usual=30.0, least=30.0, most=30.0,
                 acts_on="amounts of two activities of the day", source="durations of the simulated cycles", lesion_evidence=_LESIONS),
)
