"""Each parameter alone moves the numbers that it should, in the direction that mechanics tells, and no others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kneeload import Case, Subject, interventions
from kneeload.case import AnatomySource
from kneeload.motion.activity import Activity
from kneeload.population.priors import PRIORS, priors_for, with_parameters
from kneeload.population.run_numbers import run_numbers
from kneeload.population.uncertainty import ENDS, day_of_one

Numbers = dict[str, float | None]
BY_NAME = {item.name: item for item in PRIORS}
CASE = interventions.apply(Case(day_activities=("walking",)), "unloader_brace", {})
MEDIAL, LATERAL, PATELLA = (f"loads.{name}.peak_force_n" for name in ("medial", "lateral", "patellofemoral"))
PRESSURE, BEHIND_PATELLA, AREA = "contact.medial.peak_pressure_mpa", "contact.patellofemoral.peak_pressure_mpa", "contact.patellofemoral.contact_area_mm2"
MENISCUS, DOSE, RISK = "contact.medial.meniscus_load_share", "bone.compartments.medial.daily_dose_mpa_s", "lesion.compartments.medial.any_risk_24mo"
REGIONS = "bone.regions.tibia_central_medial.peak_contact_pressure_mpa"
RISES, FALLS, SAME = 1.0, -1.0, 0.0
LAWS = {  # parameter -> number -> what becomes of it from the low to the high end
    "joint_load_cost": {MEDIAL: FALLS, LATERAL: FALLS, PATELLA: FALLS, PRESSURE: FALLS},  # muscles are chosen that press the joint less
    "stability": {MEDIAL: RISES, LATERAL: RISES, PATELLA: SAME, DOSE: RISES},  # more co-contraction, of muscles that cross the tibiofemoral joint
    "quadriceps_arm_scale": {PATELLA: FALLS, BEHIND_PATELLA: FALLS, MEDIAL: FALLS},  # the same moment with less force
    "hamstrings_arm_scale": {PATELLA: FALLS}, "gastrocnemius_arm_scale": {MEDIAL: FALLS, PATELLA: SAME},
    "strength_factor": {MEDIAL: FALLS}, "moment_variation": {RISK: None},
    "brace_response_z": {MEDIAL: FALLS, LATERAL: RISES, "change.medial.peak_force_pct": FALLS, "change.lateral.peak_force_pct": RISES},
    "incidence_per_year": {RISK: RISES}, "transfer": {RISK: None}, "mean_stress_or": {RISK: None}, "share_by_stress": {RISK: None},
    "stimulus_exponent": {RISK: None}, "stimulus_depth_mm": {RISK: None},
    "cartilage_youngs_modulus_mpa": {PRESSURE: RISES, BEHIND_PATELLA: RISES, REGIONS: RISES, AREA: FALLS},
    "cartilage_poisson_ratio": {PRESSURE: RISES, BEHIND_PATELLA: RISES, REGIONS: RISES, AREA: FALLS},  # the confined modulus grows
    "cartilage_thickness_factor": {BEHIND_PATELLA: FALLS, MENISCUS: FALLS},  # a thick layer is softer, and keeps the bones off the menisci
    "meniscus_youngs_modulus_mpa": {MENISCUS: RISES}, "meniscus_circumferential_modulus_mpa": {MENISCUS: RISES}, "meniscus_toe": {MENISCUS: RISES},
}
UNTOUCHED = {  # part of the model -> beginnings of names that it must leave alone
    "muscles": ("loads.body_weight",), "lesion": ("loads.", "contact.", "bone.", "change."), "bone": ("loads.", "contact.", "bone.compartments."),
    "contact": ("loads.body_weight", "loads.peak_k", "change.kam"), "person": ("loads.body_weight", "loads.peak_k", "change.kam"),
}


@pytest.fixture(scope="module")
def ends() -> dict[str, tuple[Numbers, Numbers]]:
    found = {}
    for prior in PRIORS:
        low, high = prior.value(np.array(ENDS)).tolist()
        found[prior.name] = run_numbers(with_parameters(CASE, {prior.name: low})), run_numbers(with_parameters(CASE, {prior.name: high}))
    return found


def moved(low: Numbers, high: Numbers, name: str) -> float:
    """Change over size."""
    a, b = low[name], high[name]
    return 0.0 if a is None or b is None or a == b else (b - a) / max(abs(a), abs(b))


@pytest.mark.parametrize("name", BY_NAME)
def test_a_parameter_moves_what_it_should_in_the_direction_of_mechanics(ends: dict[str, tuple[Numbers, Numbers]], name: str) -> None:
    for number, law in LAWS[name].items():
        change = moved(*ends[name], number)
        if law is None:
            assert abs(change) > 1e-4, number
        elif law == SAME:
            assert abs(change) < 1e-4, number
        else:
            assert change * law > 1e-3, (number, change)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_parameter_leaves_the_rest_alone(ends: dict[str, tuple[Numbers, Numbers]], name: str) -> None:
    low, high = ends[name]
    strange = [number for number in high if number.startswith(UNTOUCHED[BY_NAME[name].part]) and abs(moved(low, high, number)) > 1e-9]
    if name == "stimulus_depth_mm":  # it is the depth that stresses are told at, too
        strange = [number for number in strange if not number.endswith("peak_stress_mpa")]
    assert strange == []


@pytest.mark.parametrize("person", [Case(subject=Subject(sex="female", height_m=1.6, body_mass_kg=95.0, mpta_deg=83.0), day_activities=("walking",)),
                                    Case(activity=Activity(name="stair_ascent"), day_activities=("stair_ascent",))], ids=["varus", "stairs"])
def test_stiff_or_thin_cartilage_has_higher_pressure_in_other_people_and_activities(person: Case) -> None:
    for name, sign in (("cartilage_youngs_modulus_mpa", 1.0), ("cartilage_thickness_factor", -1.0)):
        low, high = (run_numbers(with_parameters(person, {name: float(value)})) for value in BY_NAME[name].value(np.array(ENDS)))
        assert sign * moved(low, high, BEHIND_PATELLA) > 0.02


def test_a_knee_of_meshes_takes_every_prior(shared_data: Path) -> None:
    case = day_of_one(Case(anatomy=AnatomySource(name="meshes", folder=shared_data / "knee_mri")))
    assert [item.name for item in priors_for(case)] == [item.name for item in PRIORS if item.name != "brace_response_z"]
    usual = run_numbers(case)
    stiff, thick = (run_numbers(with_parameters(case, {name: value})) for name, value in (("cartilage_youngs_modulus_mpa", 15.0), ("cartilage_thickness_factor", 1.2)))
    assert moved(usual, stiff, BEHIND_PATELLA) > 0.02 and abs(moved(usual, thick, PRESSURE)) > 1e-3


def test_the_day_of_a_case_is_its_own_activity() -> None:
    assert day_of_one(Case(activity=Activity(name="stair_descent"))).day_activities == ("stair_descent",)
    squat = day_of_one(Case(activity=Activity(name="squat")))
    assert squat.day_activities == ("walking",) and squat.activity.name == "squat"


def test_other_activities_of_the_day_have_their_numbers() -> None:
    light = run_numbers(Case(contact=None))
    assert light["activities.stair_descent.loads.patellofemoral.peak_force_n"] > 2.0 * light[PATELLA]  # type: ignore[operator]
    both = run_numbers(Case(day_activities=("walking", "stair_ascent")))
    alone = run_numbers(Case(activity=Activity(name="stair_ascent"), day_activities=("walking", "stair_ascent")))
    for part in ("loads.medial.peak_force_n", "contact.medial.peak_pressure_mpa"):
        assert both[f"activities.stair_ascent.{part}"] == pytest.approx(alone[part], rel=1e-6)
