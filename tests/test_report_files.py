"""The report of a result from Python, and what a run folder holds of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kneeload import Case, simulate
from kneeload.errors import InputError
from kneeload.report import write_report
from kneeload.result import KneeResult
from kneeload.run_folder import write_run
from kneeload.views.solid_page import NO_VIEWER

pypdf = pytest.importorskip("pypdf")


@pytest.fixture(scope="module")
def result() -> KneeResult:
    return simulate(Case(day_activities=("walking",)))


@pytest.fixture(scope="module")
def load_level() -> KneeResult:
    return simulate(Case(contact=None))


def test_html_from_python_has_the_knee_inside(result: KneeResult, tmp_path: Path) -> None:
    path = write_report(result, tmp_path / "knee.html", notes=["A remark of the caller."])
    text = path.read_text(encoding="utf-8")
    assert 'id="solid-scene"' in text and text.count("data:image/png;base64,") == 4 and "A remark of the caller." in text and path.stat().st_size < 6_000_000
    assert sorted(item.name for item in tmp_path.iterdir()) == ["knee.html"]


def test_pdf_from_python_has_two_pages(result: KneeResult, tmp_path: Path) -> None:
    pages = pypdf.PdfReader(write_report(result, tmp_path / "knee.PDF")).pages
    assert len(pages) == 2 and len(pages[0].images) == 1 and "Load by compartment" in pages[1].extract_text()


@pytest.mark.parametrize("name", ["knee.html", "knee.pdf"])
def test_the_load_level_has_reports_too(load_level: KneeResult, tmp_path: Path, name: str) -> None:
    path = write_report(load_level, tmp_path / name)
    assert path.stat().st_size > 10_000 and (name.endswith("pdf") or 'id="solid-scene"' not in path.read_text(encoding="utf-8"))


def test_a_report_is_refused_with_one_sentence(load_level: KneeResult, tmp_path: Path) -> None:
    (tmp_path / "old.pdf").write_text("kept")
    for name in ("report.docx", "old.pdf", "absent/report.pdf", "report"):
        with pytest.raises(InputError, match="report"):
            write_report(load_level, tmp_path / name)
    assert (tmp_path / "old.pdf").read_text() == "kept" and not (tmp_path / "absent").exists()


def test_a_run_holds_what_was_asked_for(result: KneeResult, tmp_path: Path) -> None:
    write_run(result, tmp_path / "all", pictures=False, vtk=False)
    text = (tmp_path / "all" / "report.html").read_text(encoding="utf-8")
    assert len(pypdf.PdfReader(tmp_path / "all" / "report.pdf").pages) == 2 and 'id="solid-scene"' in text and "contact.csv" in text
    write_run(result, tmp_path / "some", pictures=False, vtk=False, report_3d=False, pdf=False)
    text = (tmp_path / "some" / "report.html").read_text(encoding="utf-8")
    assert not (tmp_path / "some" / "report.pdf").exists() and "<script" not in text


def test_finite_elements_are_named(result: KneeResult, tmp_path: Path) -> None:
    from kneeload.run_folder import write_html

    write_html(result, result.summary(), tmp_path / "r.html", drawn={}, notes=[], files=["finite_elements", "finite_elements.csv", "hydra", "my_own.csv"], solid=False)
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "finite_elements.csv" in text and "stress of the bone by finite elements" in text and "my_own.csv" in text and ">hydra<" not in text


def test_without_the_viewer_the_report_says_so(result: KneeResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kneeload.views.vtkjs.importlib.util.find_spec", lambda name: None)
    notes = write_run(result, tmp_path / "run", pictures=False, vtk=False, pdf=False)
    text = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert notes == [NO_VIEWER] and text.count("trame-vtk") == 1 and "<script" not in text
