"""What a change means for other people: exact where every person changes alike, wide where they differ, never without this person."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pytest

from kneeload import Activity, Case, KneeResult, Subject, interventions, simulate
from kneeload.contact.cycle import COMPARTMENTS
from kneeload.errors import ConvergenceError
from kneeload.result import changes, compare
from kneeload.spread import NODE, Pair, Source, _drawn, change_spread

LOADS = Case(contact=None)
WALK = Case(day_activities=("walking",), subject=Subject(body_mass_kg=90.0))


@lru_cache(maxsize=8)
def changed(name: str, *, contact: bool = False) -> KneeResult:
    return simulate(interventions.apply(WALK if contact else LOADS, name, {}))


def ends(change: dict, part: str, name: str) -> tuple[float, float, float]:
    return change[part][f"{name}_low"], change[part][name], change[part][f"{name}_high"]


def test_a_loss_of_mass_lowers_the_moment_of_everybody_alike() -> None:
    """The moment is in proportion to mass, whoever walks: its interval has no width."""
    change = changed("weight_loss").summary()["change"]
    for name in ("peak_pct", "first_peak_pct", "second_peak_pct", "impulse_pct"):
        assert ends(change, "kam", name) == pytest.approx((-12.5,) * 3, abs=1e-9)
    low, _, high = ends(change, "medial", "peak_force_pct")
    assert high - low > 0.05  # the share of muscles and moments differs between people


def test_turning_the_toes_in_raises_the_first_peak_in_some_people() -> None:
    """24 of 107 people had no lower first peak (Uhlrich 2022)."""
    found = changed("toe_in").spread()
    assert found["kam"]["first_peak_pct_low"] < -15.0 < 0.0 < found["kam"]["first_peak_pct_high"]
    assert "response to toe_in" in found["spread"]["sources"] and found["spread"]["missing"] == []


@pytest.mark.parametrize("name", ["unloader_brace", "toe_in", "weight_loss"])
def test_the_interval_holds_the_person_of_the_case_and_stays_above_minus_100(name: str) -> None:
    change = changed(name).summary()["change"]
    for part in (*COMPARTMENTS, "kam"):
        for key in ("peak_force_pct", "impulse_pct") if part != "kam" else ("peak_pct", "impulse_pct"):
            low, middle, high = ends(change, part, key)
            assert low <= middle <= high and (part == "kam" or low >= -100.0)
    assert changed(name).change["medial"]["peak_force_pct"] == change["medial"]["peak_force_pct"]  # the point estimate is untouched


def test_with_contact_risk_and_pain_hold_no_effect_of_less_load() -> None:
    """No trial has shown that less load prevents lesions: the interval of a fall ends at no effect, exactly."""
    change = changed("weight_loss", contact=True).summary()["change"]
    for part in (*COMPARTMENTS, "knee"):
        assert change[part]["risk_pct_low"] < change[part]["risk_pct"] < 0.0 == change[part]["risk_pct_high"]
    for row in change["pain"].values():
        assert row["low"] < row["relative"] <= row["high"] == 1.0
    assert [row["name"] for row in change["evidence"]] == ["weight_loss"] and "no effect" in change["evidence"][0]["sentence"]
    for key in ("peak_pressure_pct", "peak_bone_stress_pct", "daily_dose_pct", "stimulus_pct", "impulse_pct"):
        low, middle, high = ends(change, "medial", key)
        assert low <= middle <= high < 0.0
    json.dumps(change, allow_nan=False)


def test_the_same_question_has_the_same_answer() -> None:
    result = changed("toe_in")
    assert json.dumps(change_spread(result, simulate, None)) == json.dumps(change_spread(result, simulate, None))
    assert result.spread() is result.spread() and simulate(LOADS).spread() is None and simulate(LOADS).summary()["change"] is None


def test_a_test_rig_has_no_gait_and_no_interval() -> None:
    rig = simulate(interventions.weight_loss(Case(contact=None, activity=Activity(name="compression"))))
    found = rig.spread()
    assert found["spread"]["sources"] == [] and math.isnan(found["medial"]["peak_force_pct_low"])


def test_a_person_without_equilibrium_leaves_the_other_side() -> None:
    def one_sided(case: Case) -> KneeResult:
        if max(case.moments_z) > 0.0:
            raise ConvergenceError("nothing holds this knee")
        return simulate(case)

    def nobody(case: Case) -> KneeResult:
        raise ConvergenceError("nothing holds this knee")

    result = changed("unloader_brace")
    found = change_spread(result, one_sided, None)
    assert len(found["spread"]["sources"]) >= 2 and found["medial"]["peak_force_pct_low"] < found["medial"]["peak_force_pct_high"]
    none = change_spread(result, nobody, None)
    assert none["spread"]["sources"] == [] and len(none["spread"]["missing"]) >= 2 and math.isnan(none["medial"]["peak_force_pct_high"])


def test_drawn_people_follow_a_line_exactly_and_a_bend_on_either_side() -> None:
    def source(minus: float | None, plus: float | None) -> Source:
        return Source(name="x", minus=None if minus is None else SimpleNamespace(y=minus), plus=None if plus is None else SimpleNamespace(y=plus))  # type: ignore[arg-type]

    def value(pair: Pair) -> np.ndarray:
        return np.array([[pair.y]])  # type: ignore[attr-defined]

    people = np.array([[-2.0, -1.0, 0.0, 1.0, 3.0]])
    for given in (source(5.0 - 2.0 * NODE, 5.0 + 2.0 * NODE), source(None, 5.0 + 2.0 * NODE), source(5.0 - 2.0 * NODE, None)):
        assert np.allclose(_drawn([given], people, np.array([[5.0]]), value)[:, 0], 5.0 + 2.0 * people[0], rtol=1e-12, atol=0.0)
    assert np.allclose(_drawn([source(5.0 + NODE, 5.0)], people, np.array([[5.0]]), value)[:, 0], 5.0 + np.maximum(-people[0], 0.0))
    assert np.allclose(_drawn([source(None, None)], people, np.array([[5.0]]), value)[:, 0], 5.0)


def test_a_person_moves_alike_in_every_activity_of_the_day() -> None:
    case = Case(moments_z=(1.0, -2.0), activity=Activity(name="stair_ascent", adduction_moment_z=-3.0))
    assert [activity.extension_moment_z for activity in case.day()] == [1.0] * 5
    assert [activity.adduction_moment_z for activity in case.day()] == [-4.0, -2.0, -2.0, -2.0, -2.0]  # 4 is as far as anybody lies
    assert Case().day() == replace(Case(), moments_z=(0.0, 0.0)).day() and Case(moments_z=(1.0, 1.0), activity=Activity(name="compression")).day()[0] == Activity(name="compression")


def test_the_moment_of_a_change_that_does_nothing_is_zero() -> None:
    one = simulate(LOADS)
    found = changes(one, one)
    assert set(found) == {*COMPARTMENTS, "kam"} and set(compare(one, one)) == set(COMPARTMENTS)
    assert all(value == 0.0 for part in found.values() for value in part.values() if not math.isnan(value))
