"""Braces, training, osteotomy and subchondroplasty as changes of a case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kneeload import Case, Subject, interventions, simulate
from kneeload.errors import InputError
from kneeload.interventions.reference import reference_rows
from kneeload.motion.activity import Activity
from kneeload.result import compartment_dose
from kneeload.simulate import WAKING_HOURS, anatomy_of, parts_without, run_activity

LOADS_ONLY = Case(contact=None)
VARUS = Case(subject=Subject(mpta_deg=80.0))
apply = interventions.apply


def activity(case: Case):
    return run_activity(case, anatomy_of(case), case.activity)


def test_a_brace_at_four_degrees_does_what_was_measured() -> None:
    """Pollo 2002, Schmalz 2010, Brandon 2019."""
    before, after = activity(LOADS_ONLY), activity(apply(LOADS_ONLY, "unloader_brace", {}))
    kam, medial, lateral = (100.0 * (getattr(after.loads, name).max() / getattr(before.loads, name).max() - 1.0)
                            for name in ("knee_adduction_moment", "medial_force", "lateral_force"))
    assert -18.0 < kam < -8.0 and -16.0 < medial < -6.0 and lateral > 0.0
    change = {side: (getattr(after.loads, f"{side}_force").max() - getattr(before.loads, f"{side}_force").max()) / LOADS_ONLY.subject.body_weight_n
              for side in ("medial", "lateral")}
    assert -0.3 < change["medial"] < -0.1 and 0.03 < change["lateral"] < 0.2  # measured -0.1 to -0.3 and +0.03 to +0.2


def test_a_brace_set_to_varus_relieves_the_lateral_side_and_says_what_it_is() -> None:
    before, case = activity(LOADS_ONLY), apply(LOADS_ONLY, "unloader_brace", {"valgus_deg": -4.0})
    after = activity(case)
    assert after.loads.lateral_force.max() < before.loads.lateral_force.max() and after.loads.medial_force.max() > before.loads.medial_force.max()
    assert "mirror image" in case.notes[0] and apply(LOADS_ONLY, "unloader_brace", {}).notes == ()


def test_response_of_a_brace_varies_about_its_mean() -> None:
    case = apply(LOADS_ONLY, "unloader_brace", {})
    vary = interventions.INTERVENTIONS["unloader_brace"].vary
    assert vary is not None
    peaks = [activity(vary(case, z)).loads.knee_adduction_moment.max() for z in (-1.0, 0.0, 1.0)]
    assert peaks[0] > peaks[1] > peaks[2] and peaks[1] == activity(case).loads.knee_adduction_moment.max()
    assert vary(LOADS_ONLY, 1.0) == LOADS_ONLY


def test_two_devices_make_three_parts_of_a_day() -> None:
    case = apply(apply(Case(day_activities=("walking",)), "unloader_brace", {"hours_per_day": 4.0}), "patellar_brace", {"hours_per_day": 10.0})
    parts = parts_without(case, anatomy_of(case))
    assert [share for _, share in parts] == pytest.approx([6.0 / WAKING_HOURS, 6.0 / WAKING_HOURS])
    alone = activity(replace(case, brace=None)).contact
    bare = activity(replace(case, brace=None, patellar_brace=None)).contact
    assert alone is not None and bare is not None
    np.testing.assert_array_equal(parts[0][0]["walking"].medial.force, alone.medial.force)
    np.testing.assert_array_equal(parts[1][0]["walking"].patellofemoral.force, bare.patellofemoral.force)
    whole = apply(apply(Case(day_activities=("walking",)), "unloader_brace", {"hours_per_day": 24.0}), "patellar_brace", {"hours_per_day": 16.0})
    assert parts_without(whole, anatomy_of(whole)) == []


def test_dose_of_two_devices_is_the_sum_of_the_parts() -> None:
    start = Case(day_activities=("walking",))

    def dose(brace: float, strap: float) -> float:
        return compartment_dose(simulate(apply(apply(start, "unloader_brace", {"hours_per_day": brace}), "patellar_brace", {"hours_per_day": strap})))["medial"]

    both, strap_only, none = dose(16.0, 16.0), dose(0.0, 16.0), dose(0.0, 0.0)
    assert dose(4.0, 12.0) == pytest.approx(0.25 * both + 0.5 * strap_only + 0.25 * none, rel=1e-5)


@pytest.mark.parametrize("order", [("strengthening", "coordination_retraining"), ("coordination_retraining", "strengthening")])
def test_training_adds_up_in_any_order(order: tuple[str, str]) -> None:
    case = apply(apply(LOADS_ONLY, order[0], {}), order[1], {})
    assert case.training is not None
    assert (case.training.quadriceps, case.training.hip, case.training.gastrocnemius_less) == (0.2, 0.2, 0.25)


def test_osteotomy_from_varus_unloads_the_medial_side_as_published() -> None:
    """Meta-analysis 10.1186/s12891-019-2472-9: KAM falls to 60 %; share of the impulse 0.05 to 0.20 lower; the lateral side carries more."""
    before, after = activity(VARUS), activity(apply(VARUS, "osteotomy", {}))
    moment = after.motion.knee_adduction_moment.max() / before.motion.knee_adduction_moment.max()
    assert 0.50 < moment < 0.75
    shares = []
    for result in (before, after):
        assert result.contact is not None
        parts = [np.trapezoid(np.where(result.motion.stance, force, 0.0), result.motion.time)
                 for force in (result.loads.medial_force, result.loads.lateral_force, result.contact.medial.force, result.contact.lateral.force)]
        shares.append((parts[0] / (parts[0] + parts[1]), parts[2] / (parts[2] + parts[3])))
    for level in (0, 1):
        assert 0.05 < shares[0][level] - shares[1][level] < 0.20
    assert before.contact is not None and after.contact is not None
    assert after.contact.lateral.force.max() > 1.1 * before.contact.lateral.force.max() and after.loads.lateral_force.max() > 1.1 * before.loads.lateral_force.max()


def test_a_whole_ligament_keeps_the_medial_side_loaded_in_the_rig() -> None:
    """Agneskirchner 2007, van Egmond 2017: an opening wedge relieves the medial side only after the superficial MCL is released."""
    start = replace(VARUS, subject=Subject(mpta_deg=85.0, ldfa_deg=86.5), activity=Activity(name="compression", force_n=1000.0))
    forces = {}
    for released in (True, False):
        result = activity(apply(start, "osteotomy", {"correction_deg": 6.0, "mcl_released": released}))
        assert result.contact is not None
        rows = [i for i, name in enumerate(result.contact.ligament_names) if name.startswith("mcl_superficial")]
        forces[released] = (result.contact.medial.force[0], result.contact.ligament_force[0, rows].sum())
    assert forces[False][0] > forces[True][0] + 100.0 and 100.0 < forces[False][1] < 400.0 and forces[True][1] < 60.0


def test_technique_sets_the_slope_and_the_ligament() -> None:
    opened, closed = apply(VARUS, "osteotomy", {"mcl_released": False}), apply(VARUS, "osteotomy", {"technique": "closing_wedge", "mcl_released": False})
    assert opened.subject.medial_slope_deg == pytest.approx(7.92) and closed.subject.lateral_slope_deg == pytest.approx(2.05)
    assert opened.mcl_stretch_mm == pytest.approx(np.radians(8.0) * 60.2) and closed.mcl_stretch_mm == 0.0
    assert apply(VARUS, "osteotomy", {"slope_change_deg": 0.0}).subject.medial_slope_deg == 5.9


def test_overcorrection_is_noted_and_an_impossible_joint_line_refused() -> None:
    assert "valgus" in apply(Case(subject=Subject(mpta_deg=84.0)), "osteotomy", {"correction_deg": 12.0}).notes[0]
    assert apply(VARUS, "osteotomy", {}).notes == ()
    with pytest.raises(InputError, match="MPTA after the osteotomy"):
        apply(Case(subject=Subject(mpta_deg=92.0)), "osteotomy", {"correction_deg": 12.0})


def test_a_fill_joins_the_finite_elements_that_are_there() -> None:
    once = apply(Case(), "subchondroplasty", {"region": "femur_central_medial"})
    assert once.finite_elements is not None and once.finite_elements.bones == ("femur",) and "contact, dose and risk" in once.notes[0]
    cyst = apply(Case(), "subchondroplasty", {}).finite_elements
    assert cyst is not None
    more = apply(replace(Case(), finite_elements=cyst), "subchondroplasty", {"region": "femur_central_medial", "radius_mm": 4.0}).finite_elements
    assert more is not None and more.bones == ("tibia", "femur") and [item.region for item in more.inclusions] == ["tibia_central_medial", "femur_central_medial"]


@pytest.mark.parametrize(("name", "parameters", "words"), [
    ("osteotomy", {"correction_deg": 20.0}, ("correction", "0 to 15")), ("osteotomy", {"technique": "dome"}, ("technique", "opening_wedge")),
    ("osteotomy", {"mcl_released": "no"}, ("ligament", "true or false")), ("osteotomy", {"slope_change_deg": 30.0}, ("slope", "-10 to 10")),
    ("subchondroplasty", {"region": "moon"}, ("region", "moon")), ("subchondroplasty", {"radius_mm": 0.0}, ("radius", "1 to 20")),
    ("subchondroplasty", {"region": "tibia_subspinous"}, ("region", "under cartilage")),
    ("patellar_brace", {"medial_force_n": 60.0}, ("medial force", "0 to 25")), ("patellar_brace", {"hours_per_day": 30.0}, ("hours", "30")),
    ("strengthening", {"quadriceps_pct": 200.0}, ("quadriceps", "0 to 60")), ("coordination_retraining", {"gastrocnemius_less_pct": 90.0}, ("gastrocnemius", "0 to 80")),
    ("unloader_brace", {"strap_force_n": 500.0}, ("strap", "150")),
])
def test_nonsense_is_refused(name: str, parameters: dict, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        apply(Case(), name, parameters)
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("name", ["osteotomy", "subchondroplasty", "patellar_brace", "strengthening", "coordination_retraining"])
def test_twice_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="counted twice"):
        apply(apply(VARUS, name, {}), name, {})


def test_a_drug_is_shown_with_its_evidence_and_not_simulated() -> None:
    rows = {row.name: row for row in reference_rows()}
    assert {"zoledronate", "vitamin_d", "ipaag_hydrogel", "strontium_ranelate"} <= set(rows) and not any(row.simulated for row in rows.values())
    assert not set(rows) & set(interventions.INTERVENTIONS)
    with pytest.raises(InputError, match=r"468 mm2.*not simulated|not simulated.*468 mm2"):
        apply(Case(), "zoledronate", {})
