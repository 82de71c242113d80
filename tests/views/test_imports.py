"""What importing the room costs."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_views_imports_no_drawing_library() -> None:
    code = ("import sys; from kneeload.views import course, curves, flat, gl, outlook_wording, render, report, scene, stress, terminal, vtk_files, wording, zones; "
            "print([m for m in ('pyvista', 'vtkmodules', 'matplotlib', 'jinja2', 'rich', 'PIL') if m in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
