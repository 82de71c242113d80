"""The probe answers without starting VTK."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from kneeload.views import gl


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("KNEELOAD_NO_GL", raising=False)
    gl._missing_libraries.cache_clear()
    gl._no_device.cache_clear()
    yield
    gl._missing_libraries.cache_clear()
    gl._no_device.cache_clear()


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNEELOAD_NO_GL", "1")
    assert "KNEELOAD_NO_GL" in str(gl.gl_problem())
    monkeypatch.setenv("KNEELOAD_NO_GL", "0")
    assert "KNEELOAD_NO_GL" not in str(gl.gl_problem())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems bring OpenGL with them")
def test_a_missing_library_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gl, "_loads", lambda name: name != "libEGL.so.1")
    problem = gl.gl_problem()
    assert problem is not None and "libEGL.so.1" in problem and "libGL.so.1" not in problem
    assert "apt-get install libgl1 libegl1 libxrender1" in problem and problem.endswith(".") and "\n" not in problem


def test_without_a_display_vtk_is_told_to_use_egl_and_the_probe_is_quick(with_gl: None) -> None:
    code = ("import time, sys, os; from kneeload.views.gl import gl_problem; t = time.perf_counter(); problem = gl_problem(); "
            "print(problem, os.environ.get('VTK_DEFAULT_OPENGL_WINDOW'), any('vtk' in m for m in sys.modules), time.perf_counter() - t < 0.3)")
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "VTK_DEFAULT_OPENGL_WINDOW")}
    out = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["None", "vtkEGLRenderWindow", "False", "True"] and out.stderr == ""


def test_nothing_is_decided_for_a_machine_with_a_display(monkeypatch: pytest.MonkeyPatch, with_gl: None) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("VTK_DEFAULT_OPENGL_WINDOW", raising=False)
    start = time.perf_counter()
    gl.gl_problem()
    assert "VTK_DEFAULT_OPENGL_WINDOW" not in os.environ
    assert time.perf_counter() - start < 0.3
