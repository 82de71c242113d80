"""Load-related pain by activity."""

from __future__ import annotations

import numpy as np
import pytest
from regional_loads import BASE, HEALTHY, REFERENCE, R, load_with

from kneeload.lesion.draws import draws
from kneeload.lesion.model import LesionModel
from kneeload.lesion.pain import EXPLAINED_VARIANCE, MEAN_GRADE, PAIN_COEFFICIENTS, expected_score, pain
from kneeload.subject.person import Subject


def raised(*regions: str, factor: float = 1.5) -> np.ndarray:
    out = BASE.copy()
    out[[R[name] for name in regions]] *= factor
    return out


def test_reference_has_no_extra_pain() -> None:
    for index in pain(REFERENCE, REFERENCE, HEALTHY).values():
        assert index.relative == index.low == index.high == 1.0


def test_each_activity_follows_its_compartment() -> None:
    medial = pain(load_with(raised("tibia_central_medial", "femur_central_medial")), REFERENCE, HEALTHY)
    assert medial["walking"].relative > 1.0 and medial["standing"].relative > 1.0 and medial["stairs"].relative == 1.0
    lateral = pain(load_with(raised("patella_lateral", "femur_trochlea_lateral")), REFERENCE, HEALTHY)
    assert lateral["stairs"].relative > 1.0 and lateral["walking"].relative == lateral["standing"].relative == 1.0
    elsewhere = pain(load_with(raised("tibia_central_lateral", "patella_medial")), REFERENCE, HEALTHY)
    assert all(index.relative == 1.0 for index in elsewhere.values())


def test_pain_is_monotone_in_load_with_ordered_intervals() -> None:
    levels = [pain(load_with(f * BASE), REFERENCE, HEALTHY) for f in (0.0, 0.5, 1.0, 1.3, 2.0, 4.0)]
    for activity in ("walking", "standing", "stairs"):
        values = np.array([level[activity].relative for level in levels])
        assert (np.diff(values) > 0.0).all()
        for level in levels:
            assert level[activity].low <= level[activity].relative <= level[activity].high
            assert level[activity].low <= 1.0 + 0.01  # no causal effect stays possible, to within a hundredth


def test_effect_is_never_larger_than_the_published_coefficients_allow() -> None:
    """Five regions of at most grade 3 each bound the medial score by 15; the expected score is far below it."""
    worst = pain(load_with(50.0 * BASE), REFERENCE, Subject(medial_meniscus="removed"))
    assert worst["walking"].relative < np.exp(0.11 * 5 * MEAN_GRADE)
    assert worst["walking"].high < np.exp((0.11 + 1.96 * 0.11 / 2.576) * 5 * MEAN_GRADE)


def test_expected_score_is_the_balance_of_coming_and_going() -> None:
    score = expected_score(np.array([[0.0, 0.1, 1e9]]), np.array([0.1]))
    np.testing.assert_allclose(score[0], [0.0, 0.5 * MEAN_GRADE, MEAN_GRADE])


def test_reference_prevalence_is_in_the_range_of_cohorts() -> None:
    """13 to 43 % of people without known disease have a lesion (13, 17, 18, 28.7, 35.3, 43 % in six cohorts)."""
    d = draws(LesionModel())
    prevalence = np.median(expected_score(d.hazard, d.resolution), axis=0) / MEAN_GRADE
    assert 0.13 < 1.0 - np.prod(1.0 - prevalence) < 0.43


def test_published_constants() -> None:
    assert pytest.approx(1.47, abs=0.005) == MEAN_GRADE
    assert [PAIN_COEFFICIENTS[k][1] for k in ("walking", "standing", "stairs")] == [0.11, 0.10, 0.14]
    assert EXPLAINED_VARIANCE[1] < 0.1
