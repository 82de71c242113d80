"""The examples run and say what they should; the Python blocks of the documentation run as they stand."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def example(name: str) -> Any:
    return runpy.run_path(str(ROOT / "examples" / f"{name}.py"))["main"]()


def test_one_knee_prints_its_compartments(capsys: pytest.CaptureFixture[str]) -> None:
    rows = example("01_one_knee")
    assert 1.0 < rows["lateral"]["peak_force_bw"] + rows["medial"]["peak_force_bw"] < 4.0
    assert rows["medial"]["peak_force_bw"] > 1.7 * rows["lateral"]["peak_force_bw"]  # 2.9 with this varus tibia, 1.3 with a valgus one
    assert all(0.5 < row["peak_pressure_mpa"] < 15.0 and 50.0 < row["contact_area_mm2"] < 2000.0 for row in rows.values())
    printed = capsys.readouterr().out
    assert all(name in printed for name in rows) and "medial share of the impulse" in printed


def test_brace_and_weight_act_where_they_should(capsys: pytest.CaptureFixture[str]) -> None:
    changes = example("02_brace_and_weight")
    assert changes["brace"]["medial"] < -2.0 < 0.0 < changes["brace"]["lateral"]
    assert all(-12.0 < value < -5.0 for value in changes["minus 8 kg"].values())  # 8 of 95 kg
    assert changes["both"]["medial"] < min(changes["brace"]["medial"], changes["minus 8 kg"]["medial"])
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_ball_on_a_layer_meets_the_closed_form(capsys: pytest.CaptureFixture[str]) -> None:
    rows = example("03_stress_of_two_surfaces")
    for name, (value, exact) in rows.items():
        assert value == pytest.approx(exact, rel=0.01), name  # 0.4 mm triangles and a level set of 1 mm on a ball of 30 mm
    assert "closed form" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_blocks_of_a_page_run(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)  # a block may write files
    names: dict[str, Any] = {"__name__": f"docs.{page.stem}"}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"docs/{page.name}, block {number}", "exec"), names)


def test_every_room_has_a_page_with_code() -> None:
    for name in ("index", "contract", "subject", "motion", "forces", "contact", "bone", "lesion", "interventions", "views"):
        page = ROOT / "docs" / f"{name}.md"
        assert page.is_file() and _BLOCK.search(page.read_text(encoding="utf-8")), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_lines_of_a_page_are_short_and_its_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if len(line) > 140] == []
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        assert target.startswith("https://") or (page.parent / target).exists(), target
