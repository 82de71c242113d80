"""The bone and the lesion section: their rows, the synthetic cohort and its regression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from kneeload import Case
from kneeload.errors import InputError
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.validation import read_measurements, validate
from kneeload.validation.bench import Bench, noting_reserves
from kneeload.validation.cohort import Cohort, CohortModel, cohort, people
from kneeload.validation.measurement import chosen
from kneeload.validation.predictors import PREDICTORS
from kneeload.validation.predictors.cohort import DAY, Lesions, _regional_slope, cohort_odds_ratio, cohort_rank, region_columns
from kneeload.validation.regression import log_odds_slopes, standardised

SECTIONS = {"bone": tuple(row for row in read_measurements(bone=True) if row.level == "bone"),
            "lesion": tuple(row for row in read_measurements(lesion=True) if row.level == "lesion")}
BINDING = {  # the numbers that this project promises for bone and lesions, with their intervals
    "incidence": (0.06, 0.11), "mean_over_peak": (1.0, None), "stress_over_cartilage": (1.0, None), "bmi": (1.03, 1.26), "mpta_medial": (None, 1.0),
    "mpta_paired_medial": (1.0, None), "mpta_paired_lateral": (None, 1.0), "resolution": (0.09, 0.31), "half_grow": (0.35, 0.65), "weight_loss": (1, None),
    **{f"rank_{bone}_central_medial_{of}": (1, 1) for bone in ("femur", "tibia") for of in ("mean_stimulus", "dose")},
    **{f"half_space_{form}_{deep}": (-1, 1) for form in ("point", "uniform", "hertz") for deep in (2, 4, 10)},
    "half_space_uniform_fine": (-1, 1), "half_space_hertz_fine": (-1, 1), "finite_elements_block": (-10, 10), "finite_elements_tibia_central_medial": (-10, 10),
}
MANY = CohortModel(size=2000)


def test_each_section_has_its_level_its_groups_and_known_predictors() -> None:
    every = read_measurements(contact=True, bone=True, lesion=True)
    assert len({row.id for row in every}) == len(every)
    assert read_measurements() == tuple(row for row in every if row.level == "loads")
    for name, rows in SECTIONS.items():
        assert rows and all(row.group.startswith(f"{name.capitalize()}: ") and row.predictor in PREDICTORS for row in rows)
        assert chosen(every, [name.capitalize()]) == rows
        for row in rows:
            assert row.measured is None or row.contains(row.measured), row.id
            assert any(word in row.source for word in ("doi", "PMC", "19", "20", "kneeload")), row.source


def test_the_promises_are_binding_with_their_own_intervals() -> None:
    assert {row.id: (row.low, row.high) for rows in SECTIONS.values() for row in rows if row.binding} == BINDING


def test_without_its_flag_a_section_is_skipped() -> None:
    rows = [SECTIONS["bone"][0], SECTIONS["lesion"][0]]
    table = validate(rows)
    assert [row.verdict for row in table.rows] == ["skipped", "skipped"]
    assert [row.reason for row in table.rows] == ["a number of the bone: give --bone", "a number of the lesion: give --lesion"]


def test_the_half_space_is_within_one_per_cent_of_its_closed_forms() -> None:
    rows = [row for row in SECTIONS["bone"] if row.group == "Bone: theory"]
    table = validate(rows, bone=True)
    assert len(rows) == 11 and all(row.verdict == "inside" for row in table.rows), [(row.measurement.id, row.predicted) for row in table.rows]
    assert table.settings["levels"] == "load level and bone"


def test_finite_elements_agree_with_the_half_space_or_are_skipped_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for row in SECTIONS["bone"] if row.group == "Bone: finite elements"]
    with monkeypatch.context() as without:
        without.setattr("kneeload.bone.hexahedra.find_spec", lambda name: None)
        table = validate(rows, bone=True)
    assert len(rows) == 4 and all(row.verdict == "skipped" and "scikit-fem" in row.reason and "kneeload[fem]" in row.reason for row in table.rows)
    pytest.importorskip("skfem", reason="the extra fem is not installed")
    pytest.importorskip("pyamg", reason="the extra fem is not installed")
    table = validate([row for row in rows if row.binding], bone=True)
    assert [row.verdict for row in table.rows] == ["inside", "inside"], [(row.measurement.id, row.predicted) for row in table.rows]


def test_regression_finds_what_a_general_minimiser_finds() -> None:
    rng = np.random.default_rng(1)
    causes = rng.standard_normal((300, 3)) * [1.0, 4.0, 0.2] + 2.0
    outcomes = np.stack([(rng.random(300) < 0.2).astype(float), rng.random(300) ** 3], axis=1)

    def loss(b: np.ndarray, y: np.ndarray) -> float:
        line = b[0] + causes @ b[1:]
        return float((np.logaddexp(0.0, line) - y * line).sum())

    for k, found in enumerate(log_odds_slopes(causes, outcomes)):
        best = minimize(loss, np.zeros(4), args=(outcomes[:, k],), method="BFGS", options={"gtol": 1e-7})
        np.testing.assert_allclose(found, best.x[1:], rtol=1e-3, atol=1e-4)  # precision of the minimiser


def test_regression_of_expected_outcomes_is_that_of_very_many_drawn_ones() -> None:
    rng = np.random.default_rng(2)
    cause = rng.standard_normal((200, 1))
    risk = 1.0 / (1.0 + np.exp(2.0 - 0.7 * cause))
    drawn = np.repeat(cause, 500, axis=0), (rng.random((200, 500)) < risk).reshape(-1, 1).astype(float)
    np.testing.assert_allclose(log_odds_slopes(cause, risk)[0, 0], 0.7, rtol=1e-8)
    np.testing.assert_allclose(log_odds_slopes(*drawn)[0, 0], 0.7, rtol=0.05)


def test_separated_outcomes_have_no_answer() -> None:
    cause = np.linspace(-1.0, 1.0, 40)[:, None]
    with pytest.raises(ValueError, match="separate"):
        log_odds_slopes(cause, (cause > 0.0).astype(float))
    with pytest.raises(ValueError, match="depend"):
        log_odds_slopes(np.column_stack([cause, cause]), np.full((40, 1), 0.5))


@pytest.fixture(scope="module")
def drawn() -> tuple[Case, ...]:
    return people(MANY)


def test_people_have_the_stated_spread(drawn: tuple[Case, ...]) -> None:
    subjects = [case.subject for case in drawn]
    varus = np.array([s.varus_deg for s in subjects])
    assert varus.std() == pytest.approx(2.3, rel=0.05) and varus.mean() == pytest.approx(1.35, abs=0.15)
    assert np.std([s.mpta_deg for s in subjects]) == pytest.approx(1.6, rel=0.05)
    bmi = np.array([s.bmi for s in subjects])
    assert bmi.mean() == pytest.approx(27.0, rel=0.02) and bmi.std() == pytest.approx(4.5, rel=0.06)  # cut at 2.5 SD
    assert np.mean([s.sex == "female" for s in subjects]) == pytest.approx(0.5, abs=0.03)
    assert np.mean([s.steps_per_day for s in subjects]) == pytest.approx(6943.0, rel=0.03)
    assert 0.15 < np.mean([s.medial_meniscus != "intact" for s in subjects]) < 0.35
    assert 0.04 < np.mean([s.lateral_meniscus != "intact" for s in subjects]) < 0.12
    assert len({(s.sex, s.height_m) for s in subjects}) == 2 * MANY.heights


def test_only_stated_correlations_are_there(drawn: tuple[Case, ...]) -> None:
    subjects = [case.subject for case in drawn]
    bmi, mpta = np.array([s.bmi for s in subjects]), np.array([s.mpta_deg for s in subjects])
    steps, slope = np.log([s.steps_per_day for s in subjects]), [(s.medial_slope_deg, s.lateral_slope_deg) for s in subjects]
    assert abs(np.corrcoef(bmi, mpta)[0, 1]) < 0.03
    assert np.corrcoef(np.log(bmi), steps)[0, 1] == pytest.approx(-0.2, abs=0.03)
    assert np.corrcoef(np.array(slope).T)[0, 1] == pytest.approx(0.5, abs=0.04)
    torn = np.array([s.medial_meniscus != "intact" for s in subjects])
    assert torn[bmi >= 30.0].mean() > 1.5 * torn[bmi < 30.0].mean()


def test_the_same_model_draws_the_same_people() -> None:
    model = CohortModel(size=60)
    assert people(model) == people(model) and people(model) != people(replace(model, seed=3))


@pytest.mark.parametrize("changes", [{"size": 1}, {"heights": 0}])
def test_impossible_cohorts(changes: dict) -> None:
    with pytest.raises(InputError, match="cohort"):
        CohortModel(**changes)


def test_a_few_people_through_the_engine() -> None:
    found = cohort(CohortModel(size=3, heights=1), replace(Case(), day_activities=DAY))
    assert len(found.cases) == 3 and not found.failed
    assert found.stimulus.shape == (3, 15, 2) and (found.stimulus[:, :, 1] >= found.stimulus[:, :, 0]).all()
    assert (found.kam_peak > 0.0).all() and (found.kam_impulse < found.kam_peak * 2.0).all()
    assert ((found.damage >= 0.0) & (found.damage <= 1.0)).all() and (found.damage[:, -1] == 0.0).all()


def made(size: int = 80, samples: int = 5) -> Lesions:
    """A cohort by hand: risk rises with the mean stress and falls with MPTA; peak stress is the mean with noise."""
    rng = np.random.default_rng(4)
    mean, mpta = rng.lognormal(sigma=0.4, size=(size, 15)), rng.normal(87.0, 1.6, size)
    noisy, zero = mean * rng.lognormal(sigma=0.4, size=(size, 15)), np.zeros(size)
    group = Cohort(cases=(None,) * size, loads=(), references=(), bmi=rng.normal(27.0, 4.0, size), mpta_deg=mpta, varus_deg=87.0 - mpta,  # type: ignore[arg-type]
                   damage=rng.random((size, 15)), menisci=np.zeros((size, 2), int), stimulus=np.stack([mean, noisy], axis=2),
                   pressure=np.stack([mean, noisy], axis=2), kam_peak=zero, kam_impulse=zero, failed=(), seconds=0.0)
    hazard = 0.002 * np.exp(1.0 * mean - 0.2 * (mpta[:, None] - 87.0))
    return Lesions(cohort=group, hazard=np.repeat(hazard[:, None], samples, axis=1), resolution=np.full(samples, 0.2))


def test_predictors_find_what_was_put_into_a_cohort(monkeypatch: pytest.MonkeyPatch) -> None:
    found = made()
    monkeypatch.setattr("kneeload.validation.predictors.cohort.lesions", lambda *_: found)
    bench = Bench(case=Case())
    with noting_reserves() as notes:
        ratio = cohort_odds_ratio(bench, bench.case.subject, cause="mpta_deg", regions=["medial", "lateral"])
    assert 0.7 < ratio < 0.9 and notes[0].startswith("95 % interval")
    mean, peak, damage = (_regional_slope(found, name, "SD", place=False)[0] for name in ("mean stimulus", "peak stimulus", "cartilage damage"))
    assert mean > peak > abs(damage)
    per_unit = _regional_slope(found, "mean stimulus", "unit", place=True)[0]
    assert per_unit == pytest.approx(1.0, abs=0.1)  # the odds of a small risk are the risk
    order = np.argsort(-found.cohort.stimulus[:, 4:8, 0].mean(axis=0))
    assert cohort_rank(bench, bench.case.subject, region=MOAKS_REGIONS[4 + order[0]], among=("femur_c", "femur_p")) == 1.0  # type: ignore[arg-type]


def test_words_for_regions() -> None:
    assert [MOAKS_REGIONS[r] for r in region_columns(["femur medial"])] == ["femur_central_medial", "femur_posterior_medial"]
    assert len(region_columns(["medial", "lateral"])) == 10 and len(region_columns(["patella medial", "tibia_subspinous"])) == 2
    with pytest.raises(InputError, match="region"):
        region_columns(["knee"])


def test_standardised_values() -> None:
    values = standardised(np.array([[1.0, 2.0], [3.0, 6.0]]))
    assert values.mean() == pytest.approx(0.0, abs=1e-12) and values.std() == pytest.approx(1.0)
