"""Sweeps through the console script: failed jobs, resuming, folders, launchers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).with_name("kneeload")
pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the console script is not installed beside this Python")
QUICK = ("--multirun", "view=none", "contact=none", "runtime.quiet=true")


def start(*words: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([str(SCRIPT), *words], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


def statuses(folder: Path) -> dict[str, str]:
    return {path.parent.name: json.loads(path.read_text())["status"] for path in folder.glob("*/summary.json")}


@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local"])
def test_a_failed_job_leaves_its_sentence_and_the_sweep_goes_on_later(tmp_path: Path, launcher: str) -> None:
    if launcher != "basic" and find_spec(f"hydra_plugins.hydra_{launcher.partition('_')[0]}_launcher") is None:
        pytest.skip(f"the {launcher} launcher is not installed")
    words = (*QUICK, "subject.mpta_deg=83,-5,87", "hydra.sweep.dir=s", f"hydra/launcher={launcher}")
    out, err = (first := start(*words, cwd=tmp_path)).communicate(timeout=200)
    assert first.returncode == 2 and "MPTA" in err and "Traceback" not in err, (out, err)
    assert statuses(tmp_path / "s") == {"0": "ok", "1": "failed", "2": "ok"}
    if launcher != "basic":
        return
    (tmp_path / "s" / "2" / "hydra" / "finished.json").unlink()  # as if it had been killed while it wrote
    before = (tmp_path / "s" / "0" / "summary.json").stat().st_mtime_ns
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out, err = (again := start("--multirun", "--resume", "../s", cwd=elsewhere)).communicate(timeout=200)
    assert again.returncode == 2 and "MPTA" in err
    assert statuses(tmp_path / "s") == {"0": "ok", "1": "failed", "2": "ok", "1.stopped-1": "failed", "2.stopped-1": "ok"}
    assert (tmp_path / "s" / "0" / "summary.json").stat().st_mtime_ns == before


def test_two_sweeps_started_together_share_no_folder(tmp_path: Path) -> None:
    pair = [start(*QUICK, "subject.mpta_deg=83,87", cwd=tmp_path) for _ in range(2)]
    assert [(item.communicate(timeout=200), item.returncode)[1] for item in pair] == [0, 0]
    folders = list((tmp_path / "runs").iterdir())
    assert len(folders) == 2 and all(statuses(folder) == {"0": "ok", "1": "ok"} for folder in folders)
