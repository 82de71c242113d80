"""The installed console script, run from another folder as a person would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kneeload.commands import COMMANDS

SCRIPT = Path(sys.executable).with_name("kneeload")
pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the console script is not installed beside this Python")
QUICK = ("view=none", "contact=none")


def run(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(SCRIPT), *arguments], cwd=cwd, capture_output=True, text=True, timeout=300, env={**os.environ, **environment})


def summaries(folder: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("summary.json"))]


def test_the_load_level_runs_from_another_folder(tmp_path: Path) -> None:
    done = run(*QUICK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (summary,) = summaries(tmp_path / "runs")
    assert summary["status"] == "ok" and summary["contact"] is None and summary["loads"]["tibiofemoral"]["peak_force_bw"] > 1.0
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "waveforms.csv").is_file() and (folder / "hydra" / "config.yaml").is_file()


def test_help_lists_keys_and_only_working_commands(tmp_path: Path) -> None:
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("body_mass_kg", "unloader_brace", "stair_descent", "not a diagnosis"))
    named = {line.split()[1] for line in done.stdout.splitlines() if line.strip().startswith("kneeload ")}
    assert set(COMMANDS) <= named and not named & ({"app", "population", "calibrate", "collect", "validate"} - set(COMMANDS))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("subject.body_mass_kg=-80",), ("body mass", "subject.body_mass_kg", "20 to 300 kg")),
        (("subject.body_mass_kg=heavy",), ("body mass", "'heavy'")),
        (("subject.height_m=172",), ("height", "1 to 2.3 m")),
        (("subject.mpta_deg=870",), ("MPTA",)),
        (("activity=flying",), ("activity", "'flying'", "stair_descent", "walking")),
        (("subject.body_mas_kg=80",), ("subject.body_mas_kg", "kneeload --help")),
        (("activity=",), ("activity",)),
        (("intervention=magic",), ("intervention", "'magic'", "unloader_brace")),
        (("activity=recorded",), ("activity.file",)),
        (("activity=recorded", "activity.file=nothing.csv"), ("nothing.csv",)),
        (("anatomy=meshes", "anatomy.folder=nowhere"), ("nowhere",)),
        (("contact=elastic_foundation", "contact.cartilage.poisson_ratio=0.5"), ("oisson", "0.5")),
        (("contact=elastic_foundation", "contact.law=cubic"), ("law", "'cubic'", "linear")),
        (("subject.cartilage_thickness_scale.patella=0",), ("thickness", "patella")),
        (("intervention=weight_loss", "intervention.weight_loss.mass_kg=80"), ("weight loss", "80")),
        (("intervention=unloader_brace", "intervention.unloader_brace.hours_per_day=25"), ("hours", "25")),
        (("activity.speed_m_s=12",), ("speed", "12")),
        (("intervention=[unloader_brace,unloader_brace]",), ("one brace on one knee",)),
        (("intervention=zoledronate",), ("zoledronate", "not simulated")),
    ],
)
def test_bad_input_gets_exit_code_2_and_one_sentence(tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    contact = () if any(item.startswith("contact=") for item in arguments) else ("contact=none",)
    done = run("view=none", *contact, *arguments, cwd=tmp_path)
    assert done.returncode == 2, (done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("kneeload: "), done.stderr
    assert all(word in lines[0] for word in words), lines[0]
    assert "Traceback" not in done.stderr + done.stdout


def test_an_existing_run_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    target.mkdir()
    (target / "summary.json").write_text("precious")
    done = run(*QUICK, "hydra.run.dir=mine", cwd=tmp_path)
    assert done.returncode == 2 and "run folder" in done.stderr and "mine" in done.stderr
    assert [path.name for path in target.rglob("*")] == ["summary.json"] and (target / "summary.json").read_text() == "precious"


def test_a_sweep_goes_on_after_a_failed_job(tmp_path: Path) -> None:
    done = run("--multirun", *QUICK, "subject.body_mass_kg=70,-1,90", cwd=tmp_path)
    assert done.returncode == 2 and "body mass" in done.stderr
    status = [(item["status"], item["error"]) for item in summaries(tmp_path / "runs")]
    assert [name for name, _ in status] == ["ok", "failed", "ok"]
    assert "body mass" in status[1][1]


def test_interventions_are_taken_as_a_list(tmp_path: Path) -> None:
    done = run(*QUICK, "intervention=[unloader_brace,weight_loss]", "intervention.weight_loss.mass_kg=8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (summary,) = summaries(tmp_path / "runs")
    assert summary["interventions"] == ["unloader_brace", "weight_loss"]
    assert summary["subject"]["body_mass_kg"] == 72.0 and summary["change"]["medial"]["peak_force_pct"] < 0


def test_a_shadowed_config_file_is_named(tmp_path: Path) -> None:
    mine = tmp_path / "conf" / "subject"
    mine.mkdir(parents=True)
    shutil.copy(Path(__file__).parents[1] / "conf" / "subject" / "default.yaml", mine / "default.yaml")
    done = run(*QUICK, "--config-dir", "conf", cwd=tmp_path)
    assert done.returncode == 0 and "hides" in done.stderr and "subject/default.yaml" in done.stderr
