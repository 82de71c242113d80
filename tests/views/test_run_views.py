"""All files of a run, and what importing the room costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kneeload.views.curves import KneeCurves
from kneeload.views.run_views import RunViews, write_views
from kneeload.views.scene import Scene


def _curves() -> KneeCurves:
    line = np.linspace(0.0, 1000.0, 11)
    return KneeCurves(cycle_percent=np.linspace(0.0, 100.0, 11), tibiofemoral_n=2 * line, medial_n=line, lateral_n=line, patellofemoral_n=line, adduction_moment_nm=line / 50,
                      extension_moment_nm=line / 50, swing=np.zeros(11, bool))


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_run_without_opengl_writes_every_file_and_says_what_is_missing(no_gl: None, make_scene: Any, summary: dict[str, Any], tmp_path: Path, side: str) -> None:
    views = RunViews(summary=summary, title="A knee", curves=_curves(), body_weight_n=800.0, scene=make_scene(side=side))
    notes = write_views(views, tmp_path)
    assert {"stress.png", "forces.png", "knee.vtm", "knee", "report.html"} == {file.name for file in tmp_path.iterdir()}
    assert len(notes) == 1 and notes[0] in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_load_level_has_curves_and_report_only(summary: dict[str, Any], tmp_path: Path) -> None:
    assert write_views(RunViews(summary=summary, title="A knee", curves=_curves()), tmp_path) == []
    assert {"forces.png", "report.html"} == {file.name for file in tmp_path.iterdir()}


def test_each_kind_of_file_can_be_left_out(scene: Scene, summary: dict[str, Any], tmp_path: Path) -> None:
    views = RunViews(summary=summary, title="A knee", curves=_curves(), scene=scene)
    assert write_views(views, tmp_path, pictures=False, vtk=False, report=False) == [] and not list(tmp_path.iterdir())
    write_views(views, tmp_path, pictures=False, vtk=True, report=True)
    assert {"knee.vtm", "knee", "report.html"} == {file.name for file in tmp_path.iterdir()}


def test_importing_the_views_imports_no_drawing_library() -> None:
    code = ("import sys; from kneeload.views import curves, flat, gl, render, report, run_views, scene, stress, terminal, vtk_files, wording; "
            "print([m for m in ('pyvista', 'vtkmodules', 'matplotlib', 'jinja2', 'rich', 'PIL') if m in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
