"""Curves and maps of a response: words, colours, labels inside the frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from kneeload.errors import InputError
from kneeload.views import response
from kneeload.views.column_wording import column_words
from kneeload.views.palette import lightness
from kneeload.views.response import draw_fields, draw_response, grid_of


@pytest.mark.parametrize(("name", "label"), [
    ("contact.medial.peak_pressure_mpa", "Medial peak pressure (MPa)"), ("contact.lateral.cycle_peak_pressure_mpa", "Highest lateral pressure of the cycle (MPa)"),
    ("activity.speed_m_s", "Walking speed (m/s)"), ("result.subject.bmi", "BMI (kg/m²)"), ("subject.mpta_deg", "MPTA (degrees)"), ("medial_risk", "Risk of a new medial lesion within 24 months (%)"),
    ("lesion.lateral.risk_24mo", "Risk of a new lateral lesion within 24 months (%)"), ("lesion.regions.tibia_central_medial.risk_24mo", "Tibia central medial risk of a new lesion within 24 months (%)"),
    ("change.medial.daily_dose_pct", "Change of medial daily dose (%)"), ("loads.peak_kam_nm", "Peak KAM (N m)"), ("intervention.unloader_brace.valgus_deg", "Unloader brace valgus (degrees)"),
    ("bone.compartments.medial.daily_dose_mpa_s", "Medial daily dose (MPa s)"), ("x", "X"),
])
def test_columns_have_words_and_units(name: str, label: str) -> None:
    assert column_words(name).label == label


def test_words_inside_a_sentence_and_percent() -> None:
    assert column_words("subject.mpta_deg").inside == "MPTA" and column_words("subject.body_mass_kg").inside == "body mass"
    assert (column_words("lesion.medial.risk_24mo").factor, column_words("loads.medial.peak_force_n").factor) == (100.0, 1.0)
    assert column_words("change.medial.peak_force_pct").signed and not column_words("loads.medial.peak_force_n").signed


def test_response_grid() -> None:
    x, y, grid = grid_of(np.array([1.0, 1, 2, 2]), np.array([5.0, 6, 5, 5]), np.array([1.0, 2, 3, 5]))
    np.testing.assert_array_equal(grid, [[1, 4], [2, np.nan]])
    assert list(x) == [1, 2] and list(y) == [5, 6]


@pytest.mark.parametrize("surface", [lambda x, y: x + y, lambda x, y: (x - 2.0) ** 2 + (y - 2.0) ** 2, lambda x, y: -x * y, lambda x, y: 9.0 * np.sqrt(x)])
def test_labels_of_lines_are_whole_inside_the_frame_and_legible(surface) -> None:  # type: ignore[no-untyped-def]
    x, y = (values.ravel().astype(float) for values in np.meshgrid(np.arange(5), np.arange(4)))
    figure, place = response._page(narrow=True)
    response._map(figure, place, (x, y, surface(x, y)), [column_words(name) for name in ("x_mm", "y_mm", "change.medial.z_pct")], ())
    FigureCanvasAgg(figure).draw()
    frame, labels = place.get_window_extent(), [text for text in place.texts if text.get_text()]
    assert len(labels) >= 4
    for text in labels:
        box = text.get_window_extent()
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1, text.get_text()
    assert {text.get_color() for text in labels} == {"white", response._INK}


def test_zero_change_is_grey_and_ink_is_far_from_every_colour() -> None:
    signed, plain = response._colours(-3.0, 9.0, True), response._colours(1.0, 2.0, False)
    red, _, blue, _ = signed(0.25)
    assert abs(red - blue) < 0.02 and signed(0.0)[2] > signed(0.0)[0] and signed(1.0)[0] > signed(1.0)[2]
    for colours in (signed, plain):
        for part in np.linspace(0.0, 1.0, 40):
            colour = np.array([colours(part)[:3]])
            ink = np.array([[0x20, 0x25, 0x2B]]) / 255.0 if response._ink(colour[0]) != "white" else np.ones((1, 3))
            assert abs(float(lightness(colour)[0] - lightness(ink)[0])) > 35.0


def test_jobs_without_a_value_are_told(tmp_path: Path) -> None:
    columns = {"x_mm": [1, 2, 3] * 3, "y_kg": [1, 1, 1, 2, 2, 2, 3, 3, 3], "z_n": [float(n) for n in range(8)] + [None]}
    assert "1 of 9 jobs have no value (crosses)." in draw_response(tmp_path / "map.png", columns, ("x_mm", "y_kg", "z_n"))
    assert draw_response(tmp_path / "curve.svg", columns, ("x_mm", "z_n"), rest=("y_kg",)) == ["1 of 9 jobs have no value (crosses)."]
    assert "Mean over Y." in draw_response(tmp_path / "mean.png", {**columns, "w_mm": [1, 2, 3] * 3, "x_mm": [1, 2] * 4 + [1]}, ("x_mm", "w_mm", "z_n"), rest=("y_kg",))
    assert min(path.stat().st_size for path in tmp_path.iterdir()) > 5000
    with pytest.raises(InputError, match="axis"):
        draw_response(tmp_path / "other.png", {"x_mm": [1, 1], "z_n": [1, 2]}, ("x_mm", "z_n"))
    with pytest.raises(InputError, match="written over"):
        draw_response(tmp_path / "map.png", columns, ("x_mm", "y_kg", "z_n"))


def test_fields_with_gaps_and_one_field(tmp_path: Path) -> None:
    draw_fields(tmp_path / "fields.png", [(80.0, 20.0, 30, 0.05), (84.0, 25.0, 3, 0.09)], (2.0, 5.0), ("subject.mpta_deg", "subject.bmi", "medial_risk"), note="33 people.")
    draw_fields(tmp_path / "one.png", [(80.0, 20.0, 1, 0.0)], (2.0, 5.0), ("subject.mpta_deg", "subject.bmi", "medial_risk"), note="1 person.")
    assert min(path.stat().st_size for path in tmp_path.iterdir()) > 5000
