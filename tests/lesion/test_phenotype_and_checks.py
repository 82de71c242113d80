"""Pain with measured lesions, kinds of lesion, and the panel for people."""

from __future__ import annotations

import time

import numpy as np
import pytest
from measured_knees import of_grade, of_volume
from regional_loads import BASE, HEALTHY, REFERENCE, R, load_with

from kneeload.errors import InputError
from kneeload.lesion.checks import CODES, ENOUGH_STEPS, MPTA_RANGE_DEG, PlanEffect, panel
from kneeload.lesion.measured import MeasuredLesions, measured_lesions
from kneeload.lesion.pain import REST, pain, pain_change
from kneeload.lesion.phenotype import DOSE_RESPONSE, PAIN_ODDS, dose_response, phenotype
from kneeload.subject.person import Subject


def with_bone(**more: int) -> MeasuredLesions:
    return measured_lesions([{"region": "tibia_central_medial", "grade": 2} | more])


# -- pain


def test_measured_scores_replace_the_expected_ones_by_compartment() -> None:
    none, medial, lateral = of_volume(0.0), of_grade(tibia_central_medial=3, femur_central_medial=2), of_grade(patella_lateral=3)
    base = pain(REFERENCE, REFERENCE, HEALTHY, measured=none)
    assert all(index.relative < 1.0 for index in base.values())  # fewer lesions than expected of the reference person
    found = pain(REFERENCE, REFERENCE, HEALTHY, measured=medial)
    assert found["walking"].relative > 1.0 < found["standing"].relative and found["stairs"] == base["stairs"]
    found = pain(REFERENCE, REFERENCE, HEALTHY, measured=lateral)
    assert found["stairs"].relative > 1.0 and found["walking"] == base["walking"]


def test_measured_pain_does_not_depend_on_load_and_stays_below_the_coefficient() -> None:
    lesions = of_grade(tibia_central_medial=3)
    a, b = (pain(load_with(f * BASE), REFERENCE, HEALTHY, measured=lesions) for f in (1.0, 2.0))
    assert a == b and a["walking"].relative < np.exp(0.11 * 3.0)


def test_pain_is_fast_enough() -> None:
    lesions = of_grade(tibia_central_medial=3)
    pain(REFERENCE, REFERENCE, HEALTHY, measured=lesions)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        pain(REFERENCE, REFERENCE, HEALTHY, measured=lesions)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.002  # 1 ms wanted; twice that for a busy machine


def test_change_of_pain_follows_change_of_medial_score() -> None:
    small, large, patella = of_grade(tibia_central_medial=1), of_grade(tibia_central_medial=3), of_grade(tibia_central_medial=1, patella_lateral=3)
    up, down = pain_change(small, large), pain_change(large, small)
    assert up.low <= 1.01 < up.relative < up.high and up.relative == pytest.approx(1.0 / down.relative) and up.relative < np.exp(0.2)
    assert pain_change(small, patella).relative == 1.0 == REST.relative


# -- phenotype


def test_kinds_and_odds() -> None:
    assert phenotype(of_volume(0.0)).worst == "none" and phenotype(of_volume(0.0)).odds == 1.0
    assert phenotype(with_bone()).odds == 1.32 and phenotype(with_bone(cyst=1)).odds == 1.79 and phenotype(with_bone(attrition=1)).odds == 2.22
    assert phenotype(with_bone(attrition=1, cyst=2)).worst == "lesion_attrition_cyst"
    assert (PAIN_ODDS["lesion"][0], PAIN_ODDS["lesion"][2]) == (0.95, 1.83)
    for low, middle, high in PAIN_ODDS.values():
        assert low <= middle <= high and np.log(high / middle) == pytest.approx(np.log(middle / low), abs=0.01)
    width = {kind: np.log(odds[2] / odds[0]) for kind, odds in PAIN_ODDS.items()}
    assert width["lesion_cyst"] == pytest.approx(2.0 * width["lesion"]) and PAIN_ODDS["lesion_attrition"][0] < 1.2


def test_bone_changes_without_a_lesion_do_not_count() -> None:
    lone = measured_lesions([{"region": "tibia_central_medial", "grade": 0, "attrition": 2, "cyst": 2}])
    assert phenotype(lone).worst == "none"


def test_dose_response_is_the_published_one_and_monotone() -> None:
    np.testing.assert_allclose(dose_response([0, 1, 2, 3, 4, 5, 6, 7, 18, 45]), [1.0, 1.2, 1.2, 1.5, 2.2, 2.4, 2.4, 2.5, 2.5, 2.5])
    assert (np.diff([odds for _, odds in DOSE_RESPONSE]) >= 0).all()
    for bad in (-1, 46, np.nan):
        with pytest.raises(InputError):
            dose_response(bad)


# -- checks


def codes(*args: object, **keys: object) -> set[str]:
    found = panel(*args, **keys)  # type: ignore[arg-type]
    for flag in found.flags:
        assert flag.code in CODES and flag.sentence.endswith(".") and flag.numbers and flag.source
        assert ("specialist should look, because" in flag.sentence) == flag.specialist
        assert all(np.isfinite(value) for value in flag.numbers.values())
    assert "not a diagnosis" in found.disclaimer
    return {flag.code for flag in found.flags}


def test_a_usual_person_has_no_flag() -> None:
    assert codes(Subject()) == set() and codes(Subject(sex="female")) == set()


def test_alignment() -> None:
    assert codes(Subject(mpta_deg=MPTA_RANGE_DEG[0] - 0.1)) == {"alignment_mpta"} and codes(Subject(mpta_deg=MPTA_RANGE_DEG[0] + 0.1)) == set()
    assert codes(Subject(ldfa_deg=97.0)) == {"alignment_hka"} and codes(Subject(medial_slope_deg=12.0)) == {"alignment_slope"}


def test_lesion_with_attrition_and_cyst_in_one_region() -> None:
    assert codes(Subject(), measured=with_bone(attrition=1, cyst=1)) == {"lesion_attrition_cyst"} and codes(Subject(), measured=with_bone(attrition=2)) == set()
    apart = measured_lesions([{"region": "tibia_central_medial", "grade": 1, "attrition": 1}, {"region": "patella_medial", "grade": 1, "cyst": 1}])
    assert codes(Subject(), measured=apart) == set()


def test_the_grade_is_set_beside_the_full_picture() -> None:
    share = np.zeros(15)
    share[R["tibia_central_medial"]], share[R["patella_lateral"]] = 0.2, 0.4
    lesions = measured_lesions([{"region": "tibia_central_medial", "grade": 1, "volume_mm3": 900, "attrition": 1}], kl_grade=1)
    found = panel(Subject(), measured=lesions, overstressed_share=share)
    assert (found.kl_grade, found.lesions, found.lesion_volume_mm3, found.attrition_regions, found.cyst_regions) == (1, 1, 900.0, 1, 0)
    assert list(found.overloaded) == ["patella_lateral", "tibia_central_medial"] and found.score_by_compartment["medial_tibiofemoral"] == 1.0
    assert {flag.code for flag in found.flags} == {"grade_misses_lesions"} and "lateral patella" in found.summary[2]
    assert codes(Subject(), measured=lesions, kl_grade=3) == set()
    assert panel(Subject(), measured=with_bone()).lesion_volume_mm3 is None and panel(Subject()).lesions is None


def test_no_safe_plan_needs_an_overload_and_plans() -> None:
    share = np.zeros(15)
    share[3] = 0.5
    bad = PlanEffect(name="brace", overload_change=-0.2, worst_rise=0.1)
    good = PlanEffect(name="cane", overload_change=-0.1, worst_rise=0.0)
    assert codes(Subject(), overstressed_share=share) == set() == codes(Subject(), plans=[bad]) == codes(Subject(), overstressed_share=share, plans=[bad, good])
    assert codes(Subject(), overstressed_share=share, plans=[bad]) == {"no_safe_plan"}


def test_too_few_steps() -> None:
    plan = PlanEffect(name="rest", overload_change=-0.5, worst_rise=0.0, steps_per_day=ENOUGH_STEPS - 1.0)
    assert codes(Subject(), plans=[plan]) == {"deconditioning"}
    assert "redistribute" in panel(Subject(), plans=[plan]).flags[0].sentence
    assert codes(Subject(steps_per_day=4000.0), plans=[plan]) == set()  # it takes nothing away
    assert codes(Subject(), plans=[PlanEffect(name="x", overload_change=0.0, worst_rise=0.0, steps_per_day=ENOUGH_STEPS)]) == set()


def test_a_mask_beside_the_knee() -> None:
    lesions = of_volume(10.0)
    off = MeasuredLesions(grade=lesions.grade, volume_mm3=lesions.volume_mm3, attrition=lesions.attrition, cyst=lesions.cyst, outside_mm3=100.0)
    assert codes(Subject(), measured=off) == {"mask_outside"}


def test_bad_input() -> None:
    for change in ({"kl_grade": 5}, {"kl_grade": True}, {"overstressed_share": np.zeros(3)}, {"overstressed_share": np.full(15, 2.0)}):
        with pytest.raises(InputError):
            panel(Subject(), **change)
    with pytest.raises(InputError):
        PlanEffect(name="x", overload_change=float("nan"), worst_rise=0.0)
    with pytest.raises(InputError):
        PlanEffect(name="x", overload_change=0.0, worst_rise=0.0, steps_per_day=-5.0)
