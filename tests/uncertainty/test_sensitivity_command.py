"""`kneeload sensitivity`, run as a person would: files, going on after any end, kills, bad input."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kneeload import Case
from kneeload.cli import case_of
from kneeload.commands import COMMANDS
from kneeload.commands import sensitivity as command
from kneeload.errors import InputError, KneeloadError
from kneeload.population import drawn_runs
from kneeload.population.priors import priors_for
from kneeload.population.sensitivity import study_of
from kneeload.population.study_folder import StudyError
from kneeload.population.uncertainty import Draws, drawn
from kneeload.views.tornado import output_words

pytest.importorskip("SALib")
LIGHT = Case(contact=None)
WORDS = ("contact=none", "--samples", "32", "--only", "joint_load_cost,stability,quadriceps_arm_scale", "--workers", "2")
FILES = {"manifest.json", "runs.jsonl", "lock", "sensitivity.csv", "intervals.csv", "convergence.csv", "samples.csv", "sensitivity.json", "tornado.png", "convergence.png"}
RUNS = 1 + 2 * 3 + 32 * 5


def start(*words: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "kneeload.cli", "sensitivity", *words], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    with start(*words, cwd=cwd) as process:
        out, errors = process.communicate(timeout=300)
    return subprocess.CompletedProcess(words, process.returncode, out, errors)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, the lines of the journal in the order of their runs, each once."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    lines = [line for line in found["runs.jsonl"].split(b"\n") if line]
    return found | {"runs.jsonl": b"\n".join(sorted(lines, key=lambda line: json.loads(line)["run"]))}


def lines(folder: Path) -> list[dict]:
    path = folder / "runs.jsonl"
    return [json.loads(line) for line in path.read_text().split("\n")[:-1]] if path.exists() else []


def wait_for(folder: Path, count: int) -> None:
    until = time.monotonic() + 200.0
    while len(lines(folder)) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whole")
    done = run(*WORDS, "--output", "study", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "95 % interval" in done.stdout and f"computed now: {RUNS}" in done.stdout
    return place / "study"


def test_a_study_is_a_folder_of_runs_tables_and_pictures(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} == FILES and COMMANDS["sensitivity"] == command.__name__
    manifest = json.loads((whole / "manifest.json").read_text())
    assert (manifest["status"], manifest["runs"], manifest["runs_done"], manifest["failed_runs"]) == ("complete", RUNS, RUNS, 0)
    assert [item["run"] for item in lines(whole)] == list(range(RUNS))


def test_a_whole_study_is_left_as_it_is(whole: Path) -> None:
    before = contents(whole)
    done = run("--output", str(whole), "--workers", "1", cwd=whole.parent)
    assert done.returncode == 0 and f"computed now: 0 in 0 s, {RUNS} were there" in " ".join(done.stdout.split()), done.stderr
    assert contents(whole) == before


def test_another_design_is_refused_with_the_first_difference(whole: Path) -> None:
    before = contents(whole)
    for words, difference in ((("--seed", "2"), "seed was 1 and is now 2"), (("subject.mpta_deg=85",), r"case\.subject\.mpta_deg was 87\.0 and is now 85"),
                              (("--prior", "stability=0.8:1"), r"priors\.stability\.low was 0\.7 and is now 0\.8"), (("--outputs", "loads.peak_kam_nm"), "outputs was")):
        with pytest.raises(InputError, match=difference):
            command.run([*WORDS, *words, "--output", str(whole)], case_of)
    assert contents(whole) == before


@pytest.mark.parametrize(("how", "at"), [(signal.SIGKILL, 1), (signal.SIGINT, 40), (signal.SIGKILL, 90)])
def test_a_study_whose_driver_is_ended_goes_on_where_it_was(whole: Path, tmp_path: Path, how: signal.Signals, at: int) -> None:
    with start(*WORDS, "--output", "study", cwd=tmp_path) as process:
        wait_for(tmp_path / "study", at)
        process.send_signal(how)
        _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    if how == signal.SIGINT:
        assert "was stopped; `kneeload sensitivity --output study` goes on with it" in errors
    kept = len(lines(tmp_path / "study"))
    assert at <= kept < RUNS
    done = run("--output", "study", cwd=tmp_path)  # the words are in the manifest
    assert done.returncode == 0, done.stderr
    assert f"computed now: {RUNS - kept}" in done.stdout
    assert [item["run"] for item in lines(tmp_path / "study")] == list(range(RUNS))  # nothing twice
    assert contents(tmp_path / "study") == contents(whole)


def test_a_worker_that_is_killed_is_replaced(whole: Path, tmp_path: Path) -> None:
    pieces, killed = list[object](), list[int | None]()

    def kill(now: object) -> None:
        pieces.append(now)
        if len(pieces) in (1, 12) and (workers := multiprocessing.active_children()):
            killed.append(workers[0].pid)
            os.kill(workers[0].pid, signal.SIGKILL)  # type: ignore[arg-type]

    _, how, _ = case_of.uncertainty(("contact=none", "uncertainty.samples=32", "uncertainty.only=[joint_load_cost,stability,quadriceps_arm_scale]"))
    study = study_of(how.draws(LIGHT), workers=2, folder=tmp_path / "study", progress=kill)
    assert study.computed == RUNS and killed
    assert sorted(item["run"] for item in lines(tmp_path / "study")) == list(range(RUNS))
    assert contents(tmp_path / "study")["runs.jsonl"] == contents(whole)["runs.jsonl"]


def draws() -> Draws:
    return drawn(LIGHT, priors=priors_for(LIGHT, only=("joint_load_cost",)), samples=8)


def test_lines_that_are_not_whole_are_computed_again_and_others_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, asked, real = study_of(draws(), workers=0, folder=tmp_path), [], drawn_runs.run_piece
    journal = tmp_path / "runs.jsonl"
    good = journal.read_text().splitlines()
    changed = json.loads(good[7])
    changed["values"][0] += 1.0
    journal.write_text("\n".join([*good[:5], "{}", "rubbish", json.dumps(changed), *good[8:-1], good[-1][:40]]))
    monkeypatch.setattr(drawn_runs, "run_piece", lambda *words: [asked.append(item[0]) for item in words[-1]] and real(*words))
    again = study_of(draws(), workers=0, folder=tmp_path)
    assert asked == [5, 6, 7, len(good) - 1] and again.computed == 4
    assert (again.numbers == first.numbers).all()
    assert study_of(draws(), workers=0, folder=tmp_path).computed == 0


def test_a_full_disk_keeps_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, left = os.write, [3]

    def full(handle: int, data: bytes) -> int:
        if data.startswith(b'{"run"'):
            left[0] -= 1
            if left[0] < 0:
                return real(handle, data[:30])
        return real(handle, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StudyError, match="disk is full"):
        study_of(draws(), workers=0, folder=tmp_path)
    assert json.loads((tmp_path / "manifest.json").read_text())["status"] == "unfinished"
    left[0] = 10**6
    again = study_of(draws(), workers=0, folder=tmp_path)
    assert 0 < again.computed < len(again.draws.values)


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    from kneeload.population.runs_folder import RunsFolder

    with RunsFolder(tmp_path / "study", draws()), pytest.raises(InputError, match="another process works on this study"):
        study_of(draws(), workers=0, folder=tmp_path / "study")


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"holds thesis\.tex"):
        study_of(draws(), workers=0, folder=tmp_path)


def test_progress_tells_rate_and_time_left(tmp_path: Path) -> None:
    seen = []
    study_of(draws(), workers=0, progress=seen.append)
    assert seen[-1].done == seen[-1].size == 27 and seen[-1].left_s == 0.0 and seen[0].per_second > 0.0 and seen[0].left_s > 0.0


def test_lists_and_settings_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(["contact=none", "--whole-day", "--list-outputs"], case_of) == 0
    out = capsys.readouterr().out
    assert "activities.stair_ascent.loads.medial.peak_force_n" in out and "N s" in out
    assert command.run(["contact=none", "--priors", "--prior", "stability=0.8:1.1"], case_of) == 0
    assert "stability: uniform 0.8 to 1.1\n    given" in capsys.readouterr().out
    assert command.run(["--cfg", "--samples", "64", "--whole-day"], case_of) == 0
    out = capsys.readouterr().out
    assert "samples: 64" in out and "whole_day: true" in out and "stimulus_depth_mm:" in out


def test_a_screening_has_its_own_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(["contact=none", "--method", "morris", "--samples", "4", "--workers", "0", "--only", "stability,strength_factor", "--output", str(tmp_path / "new")], case_of) == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == (FILES - {"sensitivity.csv", "intervals.csv", "convergence.csv", "convergence.png"}) | {"screening.csv"}
    assert "mean size" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "sentence"), [
    (["--prior", "stability"], "two numbers"), (["--prior", "stabilty=1:2"], "did you mean 'stability'"), (["--only", "stabilty"], "did you mean 'stability'"), (["--samples", "12"], "power of two"),
    (["--outputs", "loads.medial.peek_force_n"], r"such as loads\.medial\.peak_force_n"), (["--method", "sobel"], "did you mean 'sobol'"), (["--workers", "-1"], "workers"),
    (["--config-dir", "/nowhere"], "--config-dir"), (["uncertainty.outputs=3"], "list of names"), (["--seed", "-3"], "seed"), (["uncertainty.whole_day=7"], "true or false"),
])
def test_bad_input_is_one_sentence_and_makes_no_folder(words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KneeloadError, match=sentence):
        command.run(["contact=none", *words], case_of)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "words"), [
    ("loads.medial.peak_force_n", "Medial peak force (N)"), ("bone.compartments.medial.daily_dose_mpa_s", "Medial daily dose (MPa s)"),
    ("lesion.compartments.medial.any_risk_24mo", "Risk of a new medial lesion within 24 months (%)"),
    ("activities.stair_ascent.loads.medial.peak_force_n", "Stair ascent: medial peak force (N)"), ("change.medial.daily_dose_pct", "Change of medial daily dose (%)"),
])
def test_outputs_are_told_in_words(name: str, words: str) -> None:
    assert output_words(name).label == words
