"""The second compiler compiles exactly what the simulation needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kneeload import warmup


def test_the_simulation_adds_no_variant_of_the_contact_chain() -> None:
    code = (
        "from kneeload import Case, simulate, warmup\n"
        "from kneeload.kernels import equilibrium, fields\n"
        "warmup.compile_contact(); simulate(Case())\n"
        "print([len(kernel.signatures) for kernel in (equilibrium.solve_frames, fields.area_percentile)])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split("\n")[0] == "[1, 1]"


def test_a_compiled_version_starts_no_second_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    marker = warmup._marker()
    assert marker is not None and marker.parent == tmp_path
    marker.touch()
    assert warmup.start() is False
    warmup.wait()  # nothing to wait for


def test_waiting_ends_when_the_second_compiler_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(warmup.sys, "executable", "true")  # a compiler that does nothing and succeeds
    assert warmup.start() is True
    warmup.wait()
    assert warmup._helper == []
