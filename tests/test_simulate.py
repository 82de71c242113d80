"""The whole chain: plausible sizes, exact laws, equilibrium in every frame."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from kneeload import Activity, Case, KneeResult, Subject, compare, interventions, simulate
from kneeload.case import DAY_ACTIVITIES
from kneeload.contact.cycle import COMPARTMENTS
from kneeload.result import COMPARTMENT_OF_REGION, compartment_dose
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import MENISCUS_STATES, CartilageThicknessScale


@lru_cache(maxsize=32)
def result(**person: object) -> KneeResult:
    return simulate(Case(subject=Subject(**person)))


@lru_cache(maxsize=32)
def of(activity: str, **person: object) -> KneeResult:
    return simulate(Case(subject=Subject(**person), activity=Activity(name=activity), contact=None))


def peak_bw(activity: str, force: str = "tibiofemoral") -> float:
    item = result()
    return float(item.day[activity].force(force).max()) / item.case.subject.body_weight_n


def test_sizes_are_plausible_before_they_are_validated() -> None:
    assert 2.0 <= peak_bw("walking") <= 3.2
    assert peak_bw("stair_descent") > peak_bw("walking") and peak_bw("stair_ascent") > peak_bw("walking")
    assert 0.9 <= peak_bw("standing") <= 1.3
    assert peak_bw("walking", "patellofemoral") < 1.5
    assert peak_bw("stair_ascent", "patellofemoral") > 2.0 and peak_bw("stair_descent", "patellofemoral") > 2.0
    assert 0.55 <= result().summary()["loads"]["medial_share_of_impulse"] <= 0.80
    assert 2.0 <= max(result().main.contact.medial.peak_pressure.max(), result().main.contact.lateral.peak_pressure.max()) <= 12.0


@pytest.mark.parametrize("activity", DAY_ACTIVITIES)
def test_every_frame_is_in_equilibrium(activity: str) -> None:
    contact = result().day[activity].contact
    assert (contact.status == 0).all() and contact.residual.max() <= 1e-3
    both = contact.medial.force + contact.lateral.force
    assert np.allclose(both, contact.axial_load, rtol=1e-3, atol=0.5), np.abs(both - contact.axial_load).max()


@pytest.mark.parametrize("activity", DAY_ACTIVITIES)
def test_the_tibia_follows_its_load_without_a_jump(activity: str) -> None:
    """A healthy knee has one rest: in 1 % of a cycle it turns by a few degrees; without its outer bands it jumped by 21 degrees on stairs."""
    turn = result().day[activity].contact.femur_from_tibia[:, :3, :3]
    step = np.einsum("tij,tij->t", turn[1:], turn[:-1])  # 1 + 2 cos of the angle between neighbours
    flexion = np.diff(result().day[activity].motion.knee_flexion)
    angle = np.degrees(np.arccos(np.clip(0.5 * (step - 1.0), -1.0, 1.0)) - np.abs(flexion))
    assert angle.max() < 8.0, (angle.max(), angle.argmax())


def test_single_leg_standing_and_compression_run() -> None:
    for activity in (Activity(name="single_leg_standing"), Activity(name="compression", force_n=1000.0, flexion_deg=0.0)):
        item = simulate(Case(activity=activity))
        assert (item.main.contact.status == 0).all() and item.main.contact.residual.max() <= 1e-3
    assert item.main.force("tibiofemoral") == pytest.approx(np.full(101, 1000.0), rel=0.15)  # ligaments add their pretension


def test_a_left_knee_is_the_mirrored_right_knee() -> None:
    right, left = result(), result(side="left")
    for name, values in right.waveforms().items():
        assert np.allclose(values, left.waveforms()[name], rtol=1e-6, atol=1e-6), name
    assert left.summary()["subject"]["side"] == "left"


@pytest.mark.parametrize("activity", ["walking", "standing", "stair_ascent", "stair_descent"])
def test_doubling_body_mass_doubles_the_net_loads(activity: str) -> None:
    light, heavy = of(activity, body_mass_kg=50.0).main.motion, of(activity, body_mass_kg=100.0).main.motion
    for name in ("knee_extension_moment", "knee_adduction_moment", "net_axial_force"):
        assert np.allclose(getattr(heavy, name), 2.0 * getattr(light, name), rtol=1e-12), name


def test_lower_mpta_raises_the_medial_peak_monotonically() -> None:
    with_contact = [result(mpta_deg=angle).main.force("medial").max() for angle in (90.0, 88.5, 87.0, 85.5, 84.0)]
    assert np.all(np.diff(with_contact) > 0), with_contact
    load_level = [of("walking", mpta_deg=angle).main.force("medial").max() for angle in np.linspace(92.0, 80.0, 13)]
    assert np.all(np.diff(load_level) > 0), load_level


def test_a_removed_meniscus_loads_the_cartilage_more() -> None:
    bare = result(medial_meniscus="removed")
    assert bare.main.contact.medial.meniscus_share.max() == 0.0
    assert bare.summary()["contact"]["medial"]["peak_pressure_mpa"] > 1.2 * result().summary()["contact"]["medial"]["peak_pressure_mpa"]
    assert result().summary()["contact"]["medial"]["meniscus_load_share"] > 0.05


def test_worn_cartilage_leaves_an_unpulled_patella_hanging() -> None:
    worn = simulate(Case(subject=Subject(cartilage_thickness_scale=CartilageThicknessScale(femur=0.1, tibia_medial=0.3, tibia_lateral=0.3, patella=0.1))))
    hanging = worn.main.contact.status[:, 1] != 0
    assert hanging.any() and (worn.main.loads.quadriceps_force[hanging] < 20.0).all() and (worn.main.force("patellofemoral")[hanging] == 0.0).all()
    assert worn.main.contact.residual.max() <= 1e-3
    assert worn.summary()["contact"]["medial"]["peak_pressure_mpa"] > result().summary()["contact"]["medial"]["peak_pressure_mpa"]


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_any_person_has_an_equilibrium(seed: int) -> None:
    draw = np.random.default_rng(seed)
    person = Subject(
        sex="female" if seed % 2 else "male", height_m=draw.uniform(1.5, 1.95), body_mass_kg=draw.uniform(50.0, 130.0), mpta_deg=draw.uniform(82.0, 92.0),
        ldfa_deg=draw.uniform(84.0, 91.0), medial_slope_deg=draw.uniform(0.0, 12.0), lateral_slope_deg=draw.uniform(0.0, 11.0),
        medial_meniscus=MENISCUS_STATES[draw.integers(4)], lateral_meniscus=MENISCUS_STATES[draw.integers(4)],
    )
    answer = simulate(Case(subject=person))  # raises where a frame has no equilibrium
    for activity in answer.day.values():
        both = activity.contact.medial.force + activity.contact.lateral.force
        assert np.allclose(both, activity.contact.axial_load, rtol=1e-3, atol=0.5)
    assert all(np.isfinite(values).all() for values in answer.waveforms().values())


def test_interventions_move_the_load_where_they_should() -> None:
    case = Case()
    brace = simulate(interventions.unloader_brace(case, valgus_deg=4.0))
    lighter = simulate(interventions.weight_loss(case, mass_kg=10.0))
    toes = simulate(interventions.toe_in(case, angle_deg=10.0))
    both = simulate(interventions.weight_loss(interventions.unloader_brace(case), mass_kg=10.0))
    assert brace.change["medial"]["peak_force_pct"] < -2.0 < 0.0 < brace.change["lateral"]["peak_force_pct"]
    assert lighter.change["medial"]["peak_force_pct"] < -5.0 and lighter.change["lateral"]["peak_force_pct"] < 0.0
    assert toes.main.loads.knee_adduction_moment[:35].max() < result().main.loads.knee_adduction_moment[:35].max()
    assert both.change["medial"]["peak_force_pct"] < min(brace.change["medial"]["peak_force_pct"], lighter.change["medial"]["peak_force_pct"])
    assert both.case.interventions == ("unloader_brace", "weight_loss") and both.case.baseline == case


def test_compare_is_zero_against_itself_and_regions_make_up_the_compartments() -> None:
    assert all(value == 0.0 for part in compare(result(), result()).values() for value in part.values())
    dose = compartment_dose(result())
    assert set(dose) == set(COMPARTMENTS) and all(value > 0 for value in dose.values())
    assert set(COMPARTMENT_OF_REGION) == set(MOAKS_REGIONS) - {"tibia_subspinous"}


def test_a_case_is_frozen_and_hashable() -> None:
    case = Case()
    assert hash(case) == hash(Case()) and replace(case, subject=Subject(height_m=1.9)) != case


def test_the_summary_keeps_its_contract() -> None:
    summary = result().summary()
    assert {"version", "status", "error", "subject", "activity", "interventions", "loads", "contact", "bone", "lesion", "pain", "change", "timing", "provenance"} <= set(summary)
    assert {"body_weight_n", "peak_kam_nm", "peak_kfm_nm", "tibiofemoral", "medial", "lateral", "patellofemoral", "medial_share_at_peak", "medial_share_of_impulse"} == set(summary["loads"])
    assert all(set(summary["loads"][name]) == {"peak_force_n", "peak_force_bw", "impulse_ns"} for name in ("tibiofemoral", *COMPARTMENTS))
    assert all(set(summary["contact"][name]) == {"peak_pressure_mpa", "mean_pressure_mpa", "contact_area_mm2", "meniscus_load_share"} for name in COMPARTMENTS)
    assert all(set(row) == {"peak_stress_mpa", "daily_dose_mpa_s"} for row in summary["bone"]["regions"].values())
    risks = summary["lesion"]["regions"]
    assert set(risks) == set(MOAKS_REGIONS) == set(summary["bone"]["regions"])
    assert all(0.0 <= row["risk_24mo_low"] <= row["risk_24mo"] <= row["risk_24mo_high"] <= 1.0 and row["grade"] in (0, 1, 2, 3) for row in risks.values())
    assert set(summary["pain"]) == {"walking", "standing", "stairs"} and all(set(row) == {"relative", "low", "high"} for row in summary["pain"].values())
    assert set(summary["timing"]) == {"compile_s", "solve_ms"}
    columns = list(result().waveforms())
    assert columns[0] == "cycle_percent" and {"knee_flexion_deg", "knee_extension_moment_nm", "knee_adduction_moment_external_nm", "tibiofemoral_force_n", "medial_force_n",
                                              "lateral_force_n", "patellofemoral_force_n", "quadriceps_force_n"} <= set(columns)
    assert all(values.shape == (101,) for values in result().waveforms().values())
