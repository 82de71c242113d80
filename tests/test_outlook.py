"""What may follow from a result: zones, course, panel; findings from images as input."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from kneeload import Case, Findings, KneeResult, Subject, interventions, outlook, simulate
from kneeload.errors import InputError
from kneeload.lesion.course_plan import CoursePlan
from kneeload.outlook import course_columns, outlook_summary
from kneeload.run_folder import write_run
from kneeload.subject.anatomy import MOAKS_REGIONS

HEAVY = Case(subject=Subject(body_mass_kg=98.0, mpta_deg=85.0, medial_meniscus="extruded", medial_extrusion_mm=4.0), course=CoursePlan(weeks=52.0, every_weeks=26.0))
CENTRAL = MOAKS_REGIONS.index("tibia_central_medial")


@lru_cache(maxsize=4)
def heavy() -> KneeResult:
    return simulate(HEAVY)


@lru_cache(maxsize=4)
def braced() -> KneeResult:
    return simulate(interventions.unloader_brace(HEAVY, valgus_deg=6.0, hours_per_day=12.0))


def test_a_heavy_varus_knee_has_its_zone_in_the_medial_plateau_and_the_reference_has_none() -> None:
    zones = heavy().zones()
    assert zones is not None and zones is heavy().zones()  # found once
    assert zones.volume_mm3.argmax() == CENTRAL and zones.moaks_grade[CENTRAL] >= 1
    light = simulate(replace(HEAVY, subject=Subject(body_mass_kg=23.5 * 1.72**2))).zones()
    assert light is not None and light.volume_mm3.sum() < 0.02 * zones.volume_mm3.sum()


def test_grades_of_the_summary_are_those_of_the_zones() -> None:
    zones, regions = heavy().zones(), heavy().summary()["lesion"]["regions"]
    assert zones is not None
    assert [regions[name]["grade"] for name in MOAKS_REGIONS] == zones.moaks_grade.tolist()
    columns = heavy().regions()
    np.testing.assert_allclose(columns["zone_share"], zones.share)
    shares = np.array([columns[f"dose_share_{name}"] for name in zones.activities])
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)


def test_a_brace_makes_the_medial_zone_smaller_and_the_course_says_both() -> None:
    before, after = heavy().zones(), braced().zones()
    assert before is not None and after is not None and after.volume_mm3[CENTRAL] < before.volume_mm3[CENTRAL]
    found = outlook(braced())
    assert found.course_before is not None and found.course.weeks.tolist() == [0.0, 26.0, 52.0]
    medial = [i for i, name in enumerate(MOAKS_REGIONS) if name.startswith("tibia") and name.endswith("_medial")]
    assert found.course.new[-1, medial].sum() < found.course_before.new[-1, medial].sum()
    summary = outlook_summary(braced())
    assert set(summary["course"]) == {"measured_regions", "modifiers", "volume_change", "with_interventions", "as_before"}
    json.dumps(summary["panel"])
    assert outlook(heavy()).course_before is None and "as_now" in outlook_summary(heavy())["course"]


def test_measured_lesions_come_from_a_table_and_reach_course_pain_and_panel(tmp_path: Path) -> None:
    table = tmp_path / "lesions.csv"
    table.write_text("region,grade,attrition,cyst\ntibia_central_medial,2,1,1\nfemur_central_medial,1,0,0\n", encoding="utf-8")
    result = simulate(replace(HEAVY, findings=Findings(file=table, kl_grade=1)))
    assert result.measured is not None and result.measured.number == 2 and result.measured.kl_grade == 1
    found = outlook(result)
    assert np.isfinite(found.course.resolved[-1, CENTRAL]) and np.isnan(found.course.resolved[-1, 0]) and found.course.volume_mm3[0, CENTRAL] > 1000.0
    assert {flag.code for flag in found.panel.flags} >= {"lesion_attrition_cyst", "grade_misses_lesions"}
    assert result.pain is not None and heavy().pain is not None and result.pain["walking"].relative > heavy().pain["walking"].relative
    rows = course_columns(result)
    assert len(rows["weeks"]) == 3 * len(MOAKS_REGIONS) and {len(column) for column in rows.values()} == {45}
    write_run(result, tmp_path / "run", pictures=False, vtk=False, report=False)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["panel"]["kl_grade"] == 1 and summary["course"]["measured_regions"] == ["femur_central_medial", "tibia_central_medial"]
    assert (tmp_path / "run" / "course.csv").read_text().startswith("weeks,region,volume_mm3")


@pytest.mark.parametrize("wrong, where", [
    ({"kl_grade": 5}, "findings.kl_grade"), ({"kl_grade": True}, "findings.kl_grade"), ({"file": Path("mask.nii.gz")}, "findings.registration_file"),
    ({"registration_file": Path("place.yaml")}, "findings.registration_file"), ({"file": Path("a.csv"), "registration_file": Path("b.yaml")}, "findings.registration_file"),
])
def test_findings_that_cannot_be(wrong: dict, where: str) -> None:
    with pytest.raises(InputError, match=where.replace(".", r"\.")):
        Findings(**wrong)


def test_a_missing_or_wrong_table_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lesion table"):
        simulate(replace(HEAVY, findings=Findings(file=tmp_path / "none.csv")))
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("region,grade\ntibia_middle,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="tibia_middle"):
        simulate(replace(HEAVY, findings=Findings(file=wrong)))


@pytest.mark.parametrize("wrong", [{"weeks": 0.0}, {"weeks": float("nan")}, {"every_weeks": 300.0}, {"every_weeks": 0.01}, {"modifiers": ("vitamin_d",)}, {"modifiers": ("hope",)},
                                   {"periods": ({"weeks": -1.0},)}, {"periods": ({"days": 3},)}, {"periods": ({"weeks": 9.0, "interventions": "no"},)}, {"periods": (5,)}])
def test_courses_that_cannot_be(wrong: dict) -> None:
    with pytest.raises(InputError):
        CoursePlan(**wrong)


def test_periods_with_and_without_the_interventions_lie_between_both() -> None:
    by_turns = simulate(replace(braced().case, course=CoursePlan(periods=({"weeks": 26.0}, {"weeks": 26.0, "interventions": False}), every_weeks=26.0)))
    found, whole = outlook(by_turns), outlook(braced())
    assert found.course.weeks.tolist() == [0.0, 26.0, 52.0] and whole.course_before is not None
    medial = [i for i, name in enumerate(MOAKS_REGIONS) if name.startswith("tibia") and name.endswith("_medial")]
    turns, always, never = (float(c.new[-1, medial].sum()) for c in (found.course, whole.course, whole.course_before))
    assert always < turns < never


def test_a_plan_that_rests_is_warned_of() -> None:
    lazy = replace(HEAVY, subject=replace(HEAVY.subject, steps_per_day=2000.0), interventions=("rest",), baseline=HEAVY)
    assert "deconditioning" in {flag.code for flag in outlook(simulate(lazy)).panel.flags}


def test_the_load_level_has_no_outlook() -> None:
    bare = simulate(replace(HEAVY, contact=None))
    assert bare.zones() is None and outlook_summary(bare) == {"course": None, "panel": None} and course_columns(bare) == {}
    with pytest.raises(InputError, match="risk zones"):
        outlook(bare)
