"""Compiled kernels on disk: found again by another process, never taken when damaged, never in the way of a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kneeload.kernels import stored

CODE = """
import numpy as np
from kneeload.kernels import stored
from kneeload.kernels.small_systems import solve_spd as kernel
from kneeload.kernels.wrapping import wrapped_directions
from kneeload.kernels.lines import line_tension
value = line_tension(11.0, 100.0, 10.0, 0.03), line_tension(np.float32(11.0), 100.0, 10.0, 0.03)
print(value[0], sum(line_tension.stats.cache_hits.values()), sum(line_tension.stats.cache_misses.values()), len(stored.problems))
"""


def run(folder: Path, before: str = "") -> list[float]:
    done = subprocess.run([sys.executable, "-c", before + CODE], capture_output=True, text=True, env={**os.environ, "NUMBA_CACHE_DIR": str(folder)})
    assert done.returncode == 0, done.stderr
    return [float(word.strip("(),")) for word in done.stdout.replace("np.float64", "").split()[-3:]] + [0.0]


def entries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.kernel"))


def test_another_process_finds_every_signature_and_damage_is_compiled_over(tmp_path: Path) -> None:
    assert run(tmp_path)[:3] == [0, 2, 0]
    assert run(tmp_path)[:3] == [2, 0, 0]
    first, second = entries(tmp_path)
    whole = first.read_bytes()
    first.write_bytes(whole[: len(whole) // 2])  # cut short by a crash
    second.write_bytes(second.read_bytes()[:-200] + bytes(200))  # the right length, other bytes
    assert run(tmp_path)[:3] == [0, 2, 0]
    assert run(tmp_path)[:3] == [2, 0, 0]
    first.write_bytes(b"")
    assert run(tmp_path)[:3] == [1, 1, 0]
    first.write_bytes(second.read_bytes())  # whole, but of another signature
    assert run(tmp_path)[:3] == [1, 1, 0] and first.read_bytes() != second.read_bytes()
    assert not list(tmp_path.rglob("*.part"))


def test_a_full_disk_is_no_error(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"  # a write beyond it fails, as on a full disk
    assert run(tmp_path, limit)[:3] == [0, 2, 2]
    assert not entries(tmp_path) and not list(tmp_path.rglob("*.part"))


def test_an_entry_is_read_back_only_for_its_own_key(tmp_path: Path) -> None:
    path = tmp_path / "a.kernel"
    stored.write_entry(path, ("key", 1), ("payload",))
    assert stored.read_entry(path, ("key", 1)) == ("payload",)
    assert stored.read_entry(path, ("key", 2)) is None and stored.read_entry(tmp_path / "none", ("key", 1)) is None


def test_a_place_that_cannot_be_written_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "problems", [])
    (tmp_path / "file").touch()
    stored.write_entry(tmp_path / "file" / "a.kernel", ("key",), ("payload",))
    assert len(stored.problems) == 1


def test_processes_that_compile_at_the_same_time_do_no_harm(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    running = [subprocess.Popen([sys.executable, "-c", CODE], env=environment, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {process.communicate()[0].split()[0] for process in running}
    assert all(process.returncode == 0 for process in running) and len(said) == 1
    assert run(tmp_path)[:3] == [2, 0, 0] and len(entries(tmp_path)) == 2
