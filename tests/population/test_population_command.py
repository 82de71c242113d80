"""`kneeload population`, run as a person would: settings, bad input, going on, and kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from kneeload import cli

LIGHT = ("contact=none", "population.size=60", "population.shard_size=12", "population.workers=2")


def start(*words: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "kneeload.cli", "population", *words], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    with start(*words, cwd=cwd) as process:
        out, errors = process.communicate(timeout=300)
    return subprocess.CompletedProcess(words, process.returncode, out, errors)


def rows(folder: Path) -> list[dict]:
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))]).to_pylist()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("command")
    done = run(*LIGHT, "population.output=study", "population.interventions=[none,toe_in]", cwd=place)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert "60 people, 120 rows in study" in done.stdout and "0 rows failed" in done.stdout
    return place / "study"


def test_the_table_is_there(whole: Path) -> None:
    found = rows(whole)
    assert [row["person"] for row in found] == [k for k in range(60) for _ in range(2)] and {row["status"] for row in found} == {"ok"}
    assert {row["scenario"] for row in found} == {"none", "toe_in"} and len({row["subject.body_mass_kg"] for row in found}) == 60
    assert json.loads((whole / "manifest.json").read_text())["words"] == [*LIGHT[:3], "population.interventions=[none,toe_in]"]


def test_the_output_alone_goes_on_and_a_whole_study_is_told(whole: Path) -> None:
    before = files(whole)
    (whole / "shard-00003.parquet").unlink()
    done = run(f"population.output={whole}", "population.workers=1", cwd=whole.parent)
    assert done.returncode == 0 and "computed now: 12" in done.stdout and "48 were there" in done.stdout and files(whole) == before
    assert "computed now: 0" in run(f"population.output={whole}", cwd=whole.parent).stdout


def test_another_design_is_refused(whole: Path) -> None:
    done = run(*LIGHT, f"population.output={whole}", "population.seed=2", cwd=whole.parent)
    assert done.returncode == 2 and "seed was 1 and is now 2" in done.stderr and done.stderr.count("\n") == 1 and "another design" in done.stderr


def test_settings_are_printed(tmp_path: Path) -> None:
    done = run("--cfg", "population.distribution.mpta_deg.mean=86", "population.activities=[walking,stair_ascent]", cwd=tmp_path)
    found = yaml.safe_load(done.stdout)["population"]
    assert done.returncode == 0 and found["distribution"]["mpta_deg"]["mean"] == 86 and found["activities"] == ["walking", "stair_ascent"] and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("words", "expected"), [
    (("population.sise=3",), ("population.sise", "did you mean 'size'")), (("populaton.size=3",), ("did you mean 'population'",)), (("subject.sied=left",), ("did you mean 'subject.side'",)),
    (("population.distribution.mpta_dge.mean=3",), ("did you mean 'mpta_deg'",)), (("population.distribution.mpta_deg.maen=3",), ("did you mean 'mean'",)),
    (("population.distribution.correlations.mpta.lfda=0.3",), ("did you mean 'ldfa'",)), (("population.sampler=sobal",), ("did you mean 'sobol'",)),
    (("population.activities=[wlaking]",), ("did you mean 'walking'",)), (("population.interventions=[unloader_brac]",), ("did you mean 'unloader_brace'",)),
    (("population.distribution=normal",), ("population.distribution", "a mapping")), (("population.distribution.correlations.mpta=0.3",), ("correlations.mpta", "a mapping")),
    (("population.distribution.correlations={}",), ("would change nothing", "=null")), (("population.workers=2.5",), ("population.workers", "whole number")),
    (("population.output=[a]",), ("population.output", "a folder")), (("population.output=",), ("population.output", "a folder")), (("population.size=many",), ("population.size", "'many'")), (("population.size=0",), ("population.size",)),
    (("population.distribution.mpta.mean=3",), ("population.distribution.mpta",)), (("population.distribution.mpta_deg.sd=-1",), ("mpta_deg.sd",)),
    (("population.distribution.mpta_deg=87",), ("mpta_deg", "a mapping of mean")),
    (("population.distribution.mpta_deg.low=110", "population.distribution.mpta_deg.high=130", "population.distribution.mpta_deg.mean=120"), ("impossible people", "MPTA")),
    (("+population.distribution.correlations.bmi.hight=0.3",), ("bmi:hight", "height")), (("population.distribution.correlations.mpta.ldfa=2",), ("mpta:ldfa",)),
    (("population.activities=[flying]",), ("population.activities", "flying")), (("population.interventions=[magic]",), ("magic", "unloader_brace")),
    (("population.interventions=[{unloader_brace: {valgus: 3}}]",), ("valgus_deg",)), (("population.engine=magic",), ("population.engine", "ray")),
    (("population=other",), ("population", "'other'", "default")), (("subject.mpta_deg=85",), ("subject.mpta_deg", "population.distribution.mpta_deg")),
    (("activity=squat",), ("population.activities",)), (("intervention=toe_in",), ("population.interventions",)), (("view=none",), ("view=none",)), (("--sise",), ("--sise",)),
    (("population.workers=0",), ("population.workers",)), (("population.output=/proc/nowhere", "contact=none"), ("population.output", "/proc/nowhere")),
])
def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path: Path, words: tuple[str, ...], expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["kneeload", "population", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    told = capsys.readouterr().err
    assert end.value.code == 2 and told.startswith("kneeload: ") and told.count("\n") == 1, told
    assert all(word in told for word in expected), told
    assert not list(tmp_path.iterdir())


def test_bad_input_ends_the_process_with_2(tmp_path: Path) -> None:
    done = run("population.sise=3", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("kneeload: ") and done.stderr.count("\n") == 1, done.stderr


def workers_of(process: int) -> list[int]:
    try:
        found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [int(word) for word in found if b"spawn_main" in Path(f"/proc/{word}/cmdline").read_bytes()]
    except OSError:
        return []


def running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition, seconds: float = 120.0) -> None:  # type: ignore[no-untyped-def]
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds workers in /proc")
def test_a_killed_worker_and_a_killed_driver_lose_nothing(tmp_path: Path) -> None:
    words = ("contact=none", "population.size=600", "population.shard_size=25", "population.workers=2")
    assert run(*words, "population.output=usual", cwd=tmp_path).returncode == 0
    study = tmp_path / "study"
    with start(*words, "population.output=study", cwd=tmp_path) as first:
        wait_for(lambda: len(list(study.glob("*.parquet"))) >= 2)
        os.kill(workers_of(first.pid)[0], signal.SIGKILL)  # replaced: the study goes on
        wait_for(lambda: len(list(study.glob("*.parquet"))) >= 6)
        left = workers_of(first.pid)
        first.kill()
        first.communicate()
    wait_for(lambda: not any(map(running, left)), 20.0)  # no worker outlives its driver
    done = len(files(study))
    assert 6 <= done < 24
    assert run("population.output=study", cwd=tmp_path).returncode == 0
    assert files(study) == files(tmp_path / "usual")


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    with start("contact=none", "population.size=100000", "population.shard_size=50", "population.output=study", cwd=tmp_path) as study:
        wait_for(lambda: len(list((tmp_path / "study").glob("*.parquet"))) >= 1)
        study.send_signal(signal.SIGINT)
        _, errors = study.communicate(timeout=60)
    assert study.returncode == 1 and "goes on with it" in errors and errors.count("\n") == 1


def test_ctrl_c_before_anything_begins_is_a_word(tmp_path: Path) -> None:
    program = "import kneeload.cli, kneeload.commands, os, signal, sys; kneeload.commands.run = lambda *_: os.kill(os.getpid(), signal.SIGINT) or 0; kneeload.cli.main()"
    done = subprocess.run([sys.executable, "-c", program, "population"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 130 and done.stderr == "kneeload: Stopped.\n"


def test_closed_pipes_and_terminals_do_not_matter(whole: Path) -> None:
    command = f"{sys.executable} -m kneeload.cli population population.output={whole}"
    for words, code in ((f"{command} 2>errors | true; echo ${{PIPESTATUS[0]}}", "0"), (f"{command} >&- 2>errors; echo $?", "0"), (f"{command} 2>&- >/dev/null; echo $?", "0")):
        done = subprocess.run(["bash", "-c", words], cwd=whole.parent, capture_output=True, text=True, timeout=300, check=False)
        assert done.stdout.split() == [code] and done.stderr == ""
        assert (whole.parent / "errors").read_text() == ""
