"""Gait, footwear and hand support against what was measured, at the load level, for an average person."""

from __future__ import annotations

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from kneeload import Case, Subject, interventions, simulate
from kneeload.errors import InputError
from kneeload.interventions import INTERVENTIONS, aids, footwear, gait
from kneeload.motion.activity import Activity
from kneeload.result import ActivityResult
from kneeload.settings import case_from_config

LOADS_ONLY = Case(contact=None, day_activities=("walking",))
MINE = [row.name for room in (gait, footwear, aids) for row in room.INTERVENTIONS]


def peaks(case: Case) -> dict[str, float]:
    item: ActivityResult = simulate(case).main
    adduction, motion = item.motion.knee_adduction_moment, item.motion
    return {"first": adduction[:32].max(), "second": adduction[38:70].max(), "extension": motion.knee_extension_moment.max(), "hip": motion.hip_abduction_moment.max(),  # type: ignore[union-attr]
            **{name: item.force(name).max() for name in ("medial", "lateral", "patellofemoral")}}


def percent(name: str, **parameters: object) -> dict[str, float]:
    before, after = peaks(LOADS_ONLY), peaks(interventions.apply(LOADS_ONLY, name, parameters))
    return {key: 100.0 * (after[key] / before[key] - 1.0) for key in before}


# name, settings, what, least and most per cent, whose measurement
MEASURED = [
    ("trunk_lean", {"angle_deg": 9.7}, "first", -85.0, -25.0, "Muendermann 2012: -55.2 (SD 30.3)"),
    ("trunk_lean", {"angle_deg": 9.7}, "hip", -60.0, -20.0, "doi 10.2519/josptopen.2024.0463: -36.7 with a large lean"),
    ("medial_thrust", {}, "first", -56.0, -30.0, "Fregly 2007"),
    ("medial_thrust", {}, "second", -56.0, -30.0, "Fregly 2007"),
    ("cane", {}, "first", -15.0, -5.0, "Kemp 2008: -10"),
    ("cane", {"side": "same"}, "first", 0.5, 15.0, "Chan 2005: a rise"),
    ("cane", {"side": "same"}, "hip", 0.5, 15.0, "Chan 2005: a rise"),
    ("lateral_wedge", {"height_mm": 5.0}, "medial", -4.0, -1.0, "Kutzner 2011"),
    ("lateral_wedge", {"height_mm": 10.0}, "medial", -4.0, -1.0, "Kutzner 2011"),
    ("variable_stiffness_shoe", {}, "first", -8.0, -4.0, "Erhart-Hledik 2012, Teoh 2013"),
    ("toe_out", {}, "first", -1.0, 1.0, "Silva 2022: none"),
    ("toe_out", {}, "second", -16.0, -4.0, "Seagers 2022: -11"),
    ("walking_poles", {}, "first", 2.0, 12.0, "Bechard 2012: a rise"),
    ("cadence", {}, "first", -4.0, 4.0, "James 2024: none"),
    ("cadence", {}, "extension", -25.0, -2.0, "doi 10.1249/MSS.0000000000003081: a fall"),
]


@pytest.mark.parametrize(("name", "settings", "what", "least", "most", "source"), MEASURED, ids=[f"{row[0]}-{row[2]}-{number}" for number, row in enumerate(MEASURED)])
def test_effects_are_of_the_measured_size(name: str, settings: dict[str, object], what: str, least: float, most: float, source: str) -> None:
    assert least <= percent(name, **settings)[what] <= most, source


def test_what_is_taken_from_the_medial_side_goes_somewhere() -> None:
    assert percent("trunk_lean")["lateral"] > 10.0
    thrust = percent("medial_thrust")
    assert thrust["extension"] > 20.0 and thrust["patellofemoral"] > 20.0
    assert thrust["medial"] > 0.5 * thrust["first"]  # the medial force falls by less than half as much as the adduction moment (Walter 2010: no guarantee)
    cane = percent("cane")
    assert all(cane[name] < 0.0 for name in ("medial", "lateral", "patellofemoral"))


def test_a_wrong_hand_is_allowed_and_told() -> None:
    assert any("other hand" in note for note in interventions.cane(LOADS_ONLY, side="same").notes)
    assert interventions.cane(LOADS_ONLY).notes == ()
    with pytest.raises(InputError, match="side of the cane"):
        interventions.cane(LOADS_ONLY, side="left")


@pytest.mark.parametrize(("one", "two"), [("toe_in", "toe_out"), ("cane", "walking_poles"), ("lateral_wedge", "variable_stiffness_shoe")])
def test_one_or_the_other(one: str, two: str) -> None:
    with pytest.raises(InputError, match="one of the two"):
        interventions.apply(interventions.apply(LOADS_ONLY, one, {}), two, {})


def test_quicker_steps_are_more_steps() -> None:
    case = interventions.cadence(LOADS_ONLY, change_pct=10.0)
    assert case.subject.steps_per_day == pytest.approx(1.1 * LOADS_ONLY.subject.steps_per_day) and "7,637 instead of 6,943" in case.notes[0]


def test_speed_is_that_of_all_walking_of_the_day() -> None:
    stairs = Case(activity=Activity(name="stair_ascent"), day_activities=("walking", "stair_ascent"))
    before, after = (simulate(case).day["walking"].motion.time[-1] for case in (stairs, interventions.walking_speed(stairs, change_pct=-20.0)))
    assert after > 1.1 * before


def test_a_share_of_a_lighter_body_is_a_smaller_force() -> None:
    light = Case(contact=None, subject=Subject(body_mass_kg=70.0))
    lost = interventions.weight_loss(interventions.cane(LOADS_ONLY), mass_kg=10.0)
    assert np.allclose(simulate(lost).main.motion.knee_adduction_moment, simulate(interventions.cane(light)).main.motion.knee_adduction_moment)


@pytest.mark.parametrize("name", [name for name in MINE if INTERVENTIONS[name].vary is not None])
def test_people_differ_about_the_mean(name: str) -> None:
    case = interventions.apply(LOADS_ONLY, name, {})
    vary = INTERVENTIONS[name].vary
    assert vary is not None
    weak, mean, strong = (simulate(vary(case, z)).main.motion.knee_adduction_moment for z in (-0.5, 0.0, 0.5))
    plain = simulate(LOADS_ONLY).main.motion.knee_adduction_moment
    strength = [np.abs(curve - plain).max() for curve in (weak, mean, strong)]
    assert strength[0] < strength[1] < strength[2]


@pytest.mark.parametrize("name", MINE)
def test_the_packaged_settings_are_the_python_defaults(name: str) -> None:
    with initialize_config_module("kneeload.conf", version_base="1.3"):
        case = case_from_config(compose("config", overrides=[f"intervention={name}"]))
    assert case.gait_changes == interventions.apply(Case(), name, {}).gait_changes != ()


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("trunk_lean", {"angle_deg": 45.0}, "trunk lean"), ("medial_thrust", {"shift_mm": 90.0}, "medial shift"), ("medial_thrust", {"flexion_deg": -1.0}, "flexion"),
        ("step_width", {"change_m": 1.0}, "step width"), ("cadence", {"change_pct": 60.0}, "cadence"), ("walking_speed", {"change_pct": -90.0}, "walking speed"),
        ("lateral_wedge", {"height_mm": 40.0}, "wedge"), ("lateral_wedge", {"wedge_deg": 30.0}, "wedge"), ("cane", {"body_weight_share": 0.8}, "share of body weight"),
        ("walking_poles", {"body_weight_share": -0.1}, "share of body weight"), ("toe_out", {"angle_deg": 60.0}, "toe-out"),
    ],
)
def test_nonsense_is_refused(name: str, parameters: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        interventions.apply(Case(), name, parameters)
