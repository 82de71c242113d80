"""The course at 6, 12 and 24 months: closed forms of the risk, lines between dates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kneeload.errors import InputError
from kneeload.lesion.course import LesionCourse
from kneeload.lesion.course_model import WEEKS_PER_YEAR
from kneeload.lesion.milestones import MONTHS, lesion_dates, new_lesion_risk
from kneeload.subject.anatomy import MOAKS_REGIONS


def course_of(volume: np.ndarray, there: np.ndarray, weeks: np.ndarray) -> LesionCourse:
    only = np.where(there, 1.0, np.nan) * np.ones_like(volume)
    return LesionCourse(weeks=weeks, volume_mm3=volume, volume_low_mm3=0.5 * volume, volume_high_mm3=2.0 * volume, total_mm3=np.zeros((len(weeks), 3)), resolved=0.1 * only,
                        smaller=0.4 * only, larger=0.2 * only, new=np.where(there, np.nan, 0.05) * np.ones_like(volume))


@given(st.floats(0.0, 2.0), st.integers(1, 15))
def test_one_draw_is_the_exponential_law(hazard: float, regions: int) -> None:
    rates = np.zeros((1, 15))
    rates[0, :regions] = hazard
    for row, months in zip(new_lesion_risk([rates], [1.0]), MONTHS, strict=True):
        assert row["months"] == months and row["risk"] == pytest.approx(1.0 - np.exp(-hazard * regions * months / 12.0)) == row["risk_low"] == row["risk_high"]


def test_regions_share_a_draw_and_are_not_multiplied_as_independent() -> None:
    rates = np.where(np.arange(1000)[:, None] < 500, 0.0, 0.2) * np.ones(15)
    row = new_lesion_risk([rates], [104.0])[2]
    assert row["risk_low"] == 0.0 and row["risk_high"] == pytest.approx(1.0 - np.exp(-6.0))


def test_a_region_with_a_lesion_gets_no_new_one() -> None:
    rates, present = np.full((3, 15), 0.1), np.zeros(15, bool)
    present[:14] = True
    assert new_lesion_risk([rates], [104.0], present)[1]["risk"] == pytest.approx(1.0 - np.exp(-0.1))
    assert new_lesion_risk([rates], [104.0], np.ones(15, bool))[2]["risk"] == 0.0


def test_periods_follow_one_another_and_the_last_goes_on() -> None:
    first, then = np.full((1, 15), 0.02), np.full((1, 15), 0.01)
    quarter = WEEKS_PER_YEAR / 4.0
    risks = [row["risk"] for row in new_lesion_risk([first, then], [quarter, 1.0])]
    lived = [0.25 * 0.3 + 0.25 * 0.15, 0.25 * 0.3 + 0.75 * 0.15, 0.25 * 0.3 + 1.75 * 0.15]
    assert risks == pytest.approx(1.0 - np.exp(-np.array(lived)))


@pytest.mark.parametrize("hazards", [[], [np.zeros((2, 14))], [np.full((1, 15), -0.1)], [np.full((1, 15), np.nan)], [np.zeros(15)]])
def test_hazards_that_are_none_are_refused(hazards: list[np.ndarray]) -> None:
    with pytest.raises(InputError, match="hazards_per_year"):
        new_lesion_risk(hazards, [1.0] * len(hazards))


def test_dates_lie_on_the_line_between_the_dates_of_the_course() -> None:
    weeks, there = np.array([0.0, 40.0, 104.0]), np.zeros(15, bool)
    there[3] = True
    found = lesion_dates(course_of(np.outer([1000.0, 600.0, 200.0], there), there, weeks))
    assert [row["months"] for row in found] == list(MONTHS) and all(list(row["lesions"]) == [MOAKS_REGIONS[3]] for row in found)
    half, year, end = (row["lesions"][MOAKS_REGIONS[3]] for row in found)
    assert half["volume_mm3"] == pytest.approx(1000.0 - 400.0 * WEEKS_PER_YEAR / 80.0) and end["volume_mm3"] == 200.0
    assert year["volume_high_mm3"] == pytest.approx(2.0 * year["volume_mm3"]) and year["smaller"] == pytest.approx(0.4)


def test_a_short_course_has_fewer_dates_and_no_lesion_none() -> None:
    weeks, there = np.array([0.0, 30.0]), np.zeros(15, bool)
    assert lesion_dates(course_of(np.zeros((2, 15)), there, weeks)) == []
    there[0] = True
    assert [row["months"] for row in lesion_dates(course_of(np.ones((2, 15)), there, weeks))] == [6]
