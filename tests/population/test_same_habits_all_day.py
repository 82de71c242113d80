"""A person's habits of gait are theirs in every activity of the day, whichever of them stands first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kneeload import Activity, Case, Subject
from kneeload.population.design import Design, scenario_of
from kneeload.population.distribution import Distribution, Marginal
from kneeload.population.draw import people
from kneeload.population.rows import Piece, layout_of, piece_figures

BENT = replace(Distribution(), flexion_z=Marginal(mean=0.0, sd=0.7, low=-2.0, high=2.0))


def rows(design: Design) -> list[dict[str, Any]]:
    layout = layout_of(design)
    return [dict(zip(layout.columns, row)) for row in piece_figures(design, layout, Piece(shard=0, first=0, count=design.size)).rows]


def loads_of(row: dict[str, Any], activity: str) -> dict[str, Any]:
    prefix = "" if row["activity"] == activity else f"activities.{activity}."
    found = {name.removeprefix(prefix): value for name, value in row.items() if name.startswith((f"{prefix}loads.", f"{prefix}contact."))}
    assert found
    return found


@pytest.mark.parametrize("contact", [False, True])
def test_the_order_of_activities_changes_no_load(contact: bool) -> None:
    base = Design(size=1 if contact else 6, distribution=BENT, base=Case() if contact else Case(contact=None), scenarios=(scenario_of("toe_in", ""),))
    names = ("walking", "standing") if contact else ("walking", "standing", "stair_ascent", "chair_rise")
    one, other = (rows(replace(base, activities=order)) for order in (names, names[::-1]))
    for a, b in zip(one, other):
        assert (a["activity"], b["activity"]) == (names[0], names[-1]) and a["status"] == b["status"] == "ok"
        for name in ("speed_m_s", "extension_moment_z", "adduction_moment_z", "flexion_z"):
            assert a[f"activity.{name}"] == b[f"activity.{name}"] is not None
        for name in names:
            assert loads_of(a, name) == loads_of(b, name)


def test_scores_act_in_every_activity() -> None:
    design = Design(size=3, base=Case(contact=None), activities=("walking", "standing", "stair_ascent", "stair_descent", "chair_rise"), distribution=BENT)
    for person in people(design, 0, 3):
        for activity in person.case.day():
            assert (activity.extension_moment_z, activity.adduction_moment_z) == person.case.moments_z and activity.flexion_z == person.case.flexion_z != 0.0
            assert activity.speed_m_s == (person.case.walking_speed_m_s if activity.name == "walking" else None)


def test_what_an_activity_says_itself_comes_first() -> None:
    case = Case(contact=None, subject=Subject(), activity=Activity(name="walking", speed_m_s=1.1, adduction_moment_z=3.5), walking_speed_m_s=0.9, moments_z=(0.2, 1.0), flexion_z=-0.5)
    walking, *others = case.day()
    assert walking.speed_m_s == 1.1 and (walking.extension_moment_z, walking.adduction_moment_z, walking.flexion_z) == (0.2, 4.0, -0.5)
    assert all(item.flexion_z == -0.5 for item in others)
    assert replace(case, activity=Activity(name="standing")).day()[1].speed_m_s == 0.9
