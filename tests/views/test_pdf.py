"""report.pdf: two pages whatever the run holds, words that can be selected, nothing that acts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kneeload.views.curves import KneeCurves
from kneeload.views.layout import SIZE
from kneeload.views.pdf import LIMITS, write_pdf
from kneeload.views.scene import NOT_A_DIAGNOSIS

pypdf = pytest.importorskip("pypdf")


def _curves(scale: float = 1.0) -> KneeCurves:
    percent = np.linspace(0.0, 100.0, 101)
    force = scale * 1000.0 * np.exp(-0.5 * ((percent - 30.0) / 12.0) ** 2)
    return KneeCurves(cycle_percent=percent, tibiofemoral_n=2.0 * force, medial_n=1.3 * force, lateral_n=0.7 * force, patellofemoral_n=0.5 * force,
                      adduction_moment_nm=0.03 * force, extension_moment_nm=0.04 * force, swing=percent > 62.0)


@pytest.fixture
def stress(tmp_path: Path) -> Path:
    Image.new("RGB", SIZE, "white").save(tmp_path / "stress.png")
    return tmp_path / "stress.png"


def _pages(path: Path) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(path).pages]


def test_two_pages_with_words_that_can_be_selected(measured_summary: dict[str, Any], stress: Path, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "report.pdf", measured_summary, stress=stress, curves=_curves(), before=_curves(1.2), notes=["Flat maps."], files=["regions.csv", "finite_elements.csv"])
    first, second = _pages(path)
    for said in ("Where the load lands in this knee", "man, 80 kg, 1.72 m, right knee, walking, with an unloader brace and toe-in gait", "In short", "What falls and what rises", "▼ falls 9.1",
                 "▲ rises 12.3", "Where bone carries too much", "A specialist should look", "Flat maps.", "page 1 of 2"):
        assert said in first, said
    for said in ("Force over one cycle of walking", "dashed: before", "body weights", "Load by compartment", "1,421", "mm²", "How lesions may go on", "Load-related pain",
                 "The evidence behind", "Bovi et al. 2011", "What this model cannot tell", LIMITS[0][:40], "Technical appendix", "MPTA 87°", "finite_elements.csv", "page 2 of 2"):
        assert said in second, said
    assert all(NOT_A_DIAGNOSIS in page for page in (first, second)) and not any(word in page for page in (first, second) for word in ("None", "nan "))


def test_it_is_small_and_has_its_letters_inside(summary: dict[str, Any], stress: Path, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "report.pdf", summary, stress=stress, curves=_curves())
    reader = pypdf.PdfReader(path)
    assert path.stat().st_size < 1_000_000 and reader.metadata.title == "Where the load lands in this knee"
    for page in reader.pages:
        fonts = [font.get_object() for font in page["/Resources"]["/Font"].values()]
        used = [font for font in fonts if "Knee" in font["/BaseFont"] or "DejaVu" in font["/BaseFont"]]
        assert len(used) >= 2 and all("/FontFile2" in font["/FontDescriptor"].get_object() for font in used)
        assert "/Annots" not in page
    assert "/JavaScript" not in str(reader.trailer["/Root"]) and "/OpenAction" not in reader.trailer["/Root"]


def test_letters_become_smaller_before_anything_is_left_out(summary: dict[str, Any], stress: Path, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "report.pdf", summary, stress=stress, curves=_curves(), notes=[f"Remark number {number} about this run." for number in range(8)])
    assert len(_pages(path)) == 2 and "Remark number 7" in _pages(path)[0] and "want of room" not in _pages(path)[0]


@pytest.mark.parametrize("much", [1, 40, 400])
def test_never_more_than_two_pages(measured_summary: dict[str, Any], stress: Path, tmp_path: Path, much: int) -> None:
    summary = measured_summary
    summary["activity"] = "recorded_" + "very_long_name_" * much
    summary["interventions"] = [f"intervention_number_{number}" for number in range(much)]
    summary["subject"]["note"] = "x" * 90 * much
    summary["subject"].update({f"key_{number}": number for number in range(much)})
    summary["provenance"] = {"motion_source": "a recording " * 30 * much, "sources": ["A source, doi 10/x"] * much, **{f"fact_{number}": "y" * 60 for number in range(much)}}
    summary["change"]["evidence"] = [{"name": "toe_in", "sentence": "What is known. " * 20}] * much
    path = write_pdf(tmp_path / "report.pdf", summary, stress=stress, curves=_curves(), before=_curves(), notes=["A long remark. " * 20] * much, files=[f"file_{number}.csv" for number in range(much)])
    first, second = _pages(path)
    assert NOT_A_DIAGNOSIS in first and NOT_A_DIAGNOSIS in second and "What this model cannot tell" in second and "In short" in first
    assert much < 40 or "Not printed for want of room, but in report.html" in first + second


def test_nothing_stands_outside_the_paper(measured_summary: dict[str, Any], stress: Path, tmp_path: Path) -> None:
    measured_summary["subject"]["note"] = "W" * 3000
    path = write_pdf(tmp_path / "report.pdf", measured_summary, stress=stress, curves=_curves(), before=_curves(), notes=["Remark. " * 60] * 12)
    for page in pypdf.PdfReader(path).pages:
        places: list[tuple[float, float]] = []
        page.extract_text(visitor_text=lambda words, cm, tm, font, size, places=places: places.append((float(tm[4] * cm[0] + cm[4]), float(tm[5] * cm[3] + cm[5]))) if words.strip() else None)
        assert places and all(20.0 < x < 580.0 and 15.0 < y < 830.0 for x, y in places)


def test_input_is_words(summary: dict[str, Any], tmp_path: Path) -> None:
    attack = '<b>bold</b> <img src="file:///etc/passwd"/> &amp; <a href="http://x.example/">x</a> <font size="90">'
    summary["activity"] = summary["subject"]["note"] = attack
    summary["interventions"] = [attack]
    summary["provenance"] = {"motion_source": attack, "sources": [attack]}
    summary["bone"]["regions"][attack] = {"peak_stress_mpa": 1.0, "daily_dose_mpa_s": 1e9}
    path = write_pdf(tmp_path / "report.pdf", summary, curves=_curves(), notes=[attack, "line\nbreak\x00\x1b[31m"])
    text = " ".join(_pages(path))
    assert "<b>bold</b>" in text and "\x1b" not in text and all("/Annots" not in page for page in pypdf.PdfReader(path).pages)


def test_parts_that_were_not_computed_are_left_out(summary: dict[str, Any], tmp_path: Path) -> None:
    summary.update({"contact": None, "bone": None, "lesion": None, "pain": None, "change": None, "interventions": [], "provenance": {}, "course": None, "panel": None})
    first, second = _pages(write_pdf(tmp_path / "report.pdf", summary, curves=_curves()))
    assert "Force over one cycle" in first and "Force over one cycle" not in second and "Peak pressure" not in second and "were not computed" in second
    assert not any(word in first + second for word in ("What falls", "Load-related pain", "None", "Region"))


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    failed = {"version": "0.1.0", "status": "failed", "error": "body mass (subject.body_mass_kg) is -3.", "subject": None, "activity": None, "interventions": None, "loads": None,
              "contact": None, "bone": None, "lesion": None, "pain": None, "change": None, "timing": None, "provenance": None}
    first, second = _pages(write_pdf(tmp_path / "report.pdf", failed))
    assert "This run failed" in first and "body mass (subject.body_mass_kg) is -3." in first and NOT_A_DIAGNOSIS in second


def test_the_same_run_gives_the_same_bytes(summary: dict[str, Any], stress: Path, tmp_path: Path) -> None:
    one, other = (write_pdf(tmp_path / name, summary, stress=stress, curves=_curves()).read_bytes() for name in ("a.pdf", "b.pdf"))
    assert one == other


def test_forces_without_a_number_or_all_zero_are_drawn(summary: dict[str, Any], tmp_path: Path) -> None:
    from dataclasses import replace

    nothing, holes = _curves(0.0), _curves()
    holes = replace(holes, medial_n=np.where(holes.cycle_percent < 40.0, np.nan, holes.medial_n))
    for number, curves in enumerate((nothing, holes)):
        assert len(_pages(write_pdf(tmp_path / f"{number}.pdf", summary, curves=curves))) == 2
