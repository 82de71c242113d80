"""course.png: what the chart shows and says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kneeload.views.course import SIZE, draw_course, explanation


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_the_band_and_the_median_are_in_the_picture(measured_summary: dict[str, Any], tmp_path: Path) -> None:
    picture = pixels(draw_course(tmp_path / "course.png", measured_summary["course"], title="somebody"))
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    band, line = (np.abs(picture - np.array(rgb)).max(axis=2) <= 3 for rgb in ((214, 232, 243), (0, 114, 178)))
    assert band.sum() > 100_000 and line.sum() > 2_000
    column = np.flatnonzero(band[:, 1300])
    assert np.flatnonzero(line[200:640, 1300]).size >= 2 and column.min() < 250 < column.max()  # wide at the end


def test_a_wider_interval_is_a_wider_band(measured_summary: dict[str, Any], tmp_path: Path) -> None:
    def height(summary: dict[str, Any], name: str) -> int:
        picture = pixels(draw_course(tmp_path / name, {**summary["course"], "as_before": None}, title="x"))
        return int((np.abs(picture - np.array((214, 232, 243))).max(axis=2) <= 3)[160:, 1300].sum())

    wide = height(measured_summary, "wide.png")
    course = measured_summary["course"]["with_interventions"]
    course["total_low_mm3"] = [0.95 * value for value in course["total_mm3"]]
    course["total_high_mm3"] = [1.05 * value for value in course["total_mm3"]]
    assert height(measured_summary, "narrow.png") < 0.5 * wide


def test_it_says_how_wide_the_band_is(measured_summary: dict[str, Any]) -> None:
    lines = explanation(measured_summary["course"])
    assert "measured ones and new ones" in lines[0] and "from 0.8 to 4.6 cm³" in lines[1] and "does not say what will happen" in lines[1]
    assert "Assumed: zoledronate." in explanation({**measured_summary["course"], "modifiers": ["zoledronate"]})[0]


def test_without_measured_lesions_it_says_new_ones_only(unmeasured_summary: dict[str, Any], tmp_path: Path) -> None:
    lines = explanation(unmeasured_summary["course"])
    assert lines[0].startswith("New lesions only") and "median stays at zero" in lines[1]
    assert pixels(draw_course(tmp_path / "course.png", unmeasured_summary["course"], title="x")).std() > 10.0


def test_a_course_as_now_needs_no_other(measured_summary: dict[str, Any], tmp_path: Path) -> None:
    alone = {"measured_regions": ["tibia_central_medial"], "modifiers": [], "as_now": measured_summary["course"]["as_before"]}
    assert "from 0.8 to 4.7 cm³" in explanation(alone)[1] and draw_course(tmp_path / "course.png", alone, title="x").stat().st_size > 20_000
