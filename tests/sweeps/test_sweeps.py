"""Sweeps: failed jobs, kills and resuming, folders, launchers, composition."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from kneeload import cli, sweeper
from kneeload.errors import InputError
from kneeload.sweep_folder import FINISHED, Job, begin, mark_finished, new_sweep

QUICK = ("--multirun", "view=none", "contact=none", "runtime.quiet=true")
Call = Callable[..., int]


@pytest.fixture
def kneeload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """The console command in this process, in a folder of its own."""
    before = dict(os.environ)
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> int:
        for record in (sweeper.begun, sweeper.failures, sweeper.resumed, sweeper.drivers, cli._problems):
            record.clear()
        GlobalHydra.instance().clear()
        monkeypatch.setattr(sys, "argv", ["kneeload", *words])
        try:
            cli.main()
        except SystemExit as end:
            return int(end.code or 0)
        return 0

    yield call
    os.environ.clear()
    os.environ.update(before)


def start(*words: str, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from kneeload.cli import main; main()", *words]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


def summaries(folder: Path) -> dict[str, Any]:
    """What each job found, without times."""
    found = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/summary.json")}
    return {name: {key: value for key, value in summary.items() if key not in ("timing", "provenance")} for name, summary in found.items()}


def statuses(folder: Path) -> dict[str, str]:
    return {name: summary["status"] for name, summary in summaries(folder).items()}


def wait_until(reached: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not reached():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def done(folder: Path) -> int:
    return sum("stopped" not in str(path) for path in folder.glob(f"*/{FINISHED}"))


def children(process: int) -> list[int]:
    """Worker processes that run jobs."""
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split() if b"popen_loky" in Path(f"/proc/{word}/cmdline").read_bytes()]


def ended(process: int) -> bool:
    """Whether a process is gone, or dead and not yet buried."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("launcher", ["basic", "joblib", "submitit_local", "ray"])
def test_a_failed_job_leaves_its_sentence_and_the_sweep_goes_on_later(kneeload: Call, tmp_path: Path, launcher: str, capfd: pytest.CaptureFixture[str]) -> None:
    if launcher != "basic" and find_spec(f"hydra_plugins.hydra_{launcher.partition('_')[0]}_launcher") is None:
        pytest.skip(f"the {launcher} launcher is not installed")
    assert kneeload(*QUICK, "subject.mpta_deg=83,-5,87", "hydra.sweep.dir=s", f"hydra/launcher={launcher}") == 2
    assert "MPTA" in (said := capfd.readouterr().err) and "Traceback" not in said
    assert statuses(tmp_path / "s") == {"0": "ok", "1": "failed", "2": "ok"}
    if launcher != "basic":
        return
    (tmp_path / "s" / "2" / "summary.json").write_text('{"status": "o')  # as if it had been killed while it wrote
    before = (tmp_path / "s" / "0" / "summary.json").stat().st_mtime_ns
    (tmp_path / "elsewhere").mkdir()
    os.chdir("elsewhere")
    assert kneeload("--resume", "../s") == 2 and "MPTA" in capfd.readouterr().err
    assert {path.parent.name for path in (tmp_path / "s").glob("*/summary.json")} == {"0", "1", "2", "1.stopped-1", "2.stopped-1"}
    assert (tmp_path / "s" / "0" / "summary.json").stat().st_mtime_ns == before


def test_a_sweep_whose_driver_was_killed_ends_as_if_it_had_not_been(kneeload: Call, tmp_path: Path) -> None:
    words = (*QUICK, "subject.mpta_deg=83,85,87,89,91")
    driver = start(*words, "hydra.sweep.dir=s", cwd=tmp_path)
    wait_until(lambda: done(tmp_path / "s") >= 1, driver)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    assert not (tmp_path / "s" / "4" / FINISHED).exists()
    (tmp_path / "s" / "4").mkdir(exist_ok=True)  # a job that had only begun
    for again in (("--multirun", "--resume", "s"), (*words, "hydra.sweep.dir=whole")):  # in processes as the first: what has just been compiled here may differ in last digits
        with start(*again, cwd=tmp_path) as process:
            _, told = process.communicate()
        assert process.returncode == 0, told
    assert {name: found for name, found in summaries(tmp_path / "s").items() if "stopped" not in name} == summaries(tmp_path / "whole")
    assert kneeload("--resume", "s") == 0 and not list((tmp_path / "s").glob("0.stopped*")), "a whole sweep stays as it is"


def test_many_jobs_survive_the_death_of_a_worker_and_then_of_the_driver(kneeload: Call, tmp_path: Path) -> None:
    words = (*QUICK, "subject.mpta_deg=range(80,92,0.5)", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=s")
    driver = start(*words, cwd=tmp_path)
    wait_until(lambda: done(tmp_path / "s") >= 3, driver)
    os.kill(children(driver.pid)[0], signal.SIGKILL)
    wait_until(lambda: done(tmp_path / "s") >= 8, driver)
    workers = children(driver.pid)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    latest = time.monotonic() + 20.0
    while not all(map(ended, workers)):
        assert time.monotonic() < latest, "a worker goes on with jobs that another process may be doing"
        time.sleep(0.02)
    assert 8 <= done(tmp_path / "s") < 24 and kneeload("--resume", "s", "hydra/launcher=basic") == 0
    found = {name: summary for name, summary in summaries(tmp_path / "s").items() if "stopped" not in name}
    assert sorted(found, key=int) == [str(number) for number in range(24)] and {summary["status"] for summary in found.values()} == {"ok"}
    assert [found[str(number)]["subject"]["mpta_deg"] for number in range(24)] == [80 + 0.5 * number for number in range(24)]


def test_a_job_that_kills_its_process_is_given_up_and_no_other(tmp_path: Path) -> None:
    class TerminatedWorkerError(Exception):
        pass

    class Launcher:
        """Jobs 0 and 3 are done, 1 and 2 are under way when 2 kills its process."""

        def launch(self, words: list[list[str]], initial_job_idx: int) -> list[Any]:
            numbers = [int(word[0].partition("=")[2]) for word in words]
            for number in numbers:
                (tmp_path / str(number)).mkdir()
                if not (number == 1 and 2 in numbers) and number != 2:
                    (tmp_path / str(number) / "summary.json").write_text('{"status": "ok"}')
                    mark_finished(tmp_path / str(number), "ok")
                if number == 2:
                    raise TerminatedWorkerError
            return [SimpleNamespace(return_value=None)]

    jobs = [Job(number=number, folder=str(number), overrides=(f"x={number}",)) for number in range(5)]
    sweeper.failures.clear()
    sweeper._launch(SimpleNamespace(launcher=Launcher(), max_batch_size=None, config=OmegaConf.create({"x": 1})), jobs, tmp_path)  # type: ignore[arg-type]
    assert statuses(tmp_path) == {"0": "ok", "1": "ok", "2": "failed", "3": "ok", "4": "ok"} and len(sweeper.failures) == 1
    assert "was killed" in summaries(tmp_path)["2"]["error"] and (tmp_path / "1.stopped-1").exists()
    sweeper.failures.clear()


def test_two_sweeps_started_together_share_no_folder(tmp_path: Path) -> None:
    pair = [start(*QUICK, "subject.mpta_deg=83,87", cwd=tmp_path) for _ in range(2)]
    assert [(item.communicate(timeout=200), item.returncode)[1] for item in pair] == [0, 0]
    folders = list((tmp_path / "runs").iterdir())
    assert len(folders) == 2 and all(statuses(folder) == {"0": "ok", "1": "ok"} for folder in folders)


def test_one_of_many_gets_a_folder(tmp_path: Path) -> None:
    jobs = [Job(number=0, folder="0", overrides=())]
    for round_ in range(20):
        barrier, won = threading.Barrier(8), list[int]()

        def claim(name: int, place: Path = tmp_path / str(round_), barrier: threading.Barrier = barrier, won: list[int] = won) -> None:
            sweep = new_sweep(jobs, [str(name)], "same")
            barrier.wait()
            try:
                begin(place, sweep)
            except InputError:
                return
            won.append(name)

        threads = [threading.Thread(target=claim, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1 and json.loads((tmp_path / str(round_) / "sweep.json").read_text())["words"] == [str(won[0])]
    assert len(list(tmp_path.iterdir())) == 20, "what the others prepared is gone"


def test_a_place_that_takes_no_sweep_is_named(kneeload: Call, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    for place, why in (("file", "writes over"), ("file/sub", "not a directory"), ("/proc/sweep", "no such file"), ("/dev/full/s", "not a directory")):
        assert kneeload(*QUICK, "subject.mpta_deg=83,87", f"hydra.sweep.dir={place}") == 2
        said = capfd.readouterr().err
        assert place in said and why in said and "Traceback" not in said and said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_composition_from_memory_is_what_hydra_composes(kneeload: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []

    def both(self: Any, master_config: Any, sweep_overrides: list[str]) -> Any:
        ours, hydras = (compose(self, master_config, list(sweep_overrides)) for compose in (sweeper.compose_job, sweeper._compose))
        seen.append((OmegaConf.to_yaml(ours, resolve=False), OmegaConf.to_yaml(hydras, resolve=False)))
        return ours

    def install(plain: Callable[[], None] = sweeper.install) -> None:
        plain()
        sweeper.ConfigLoaderImpl.load_sweep_config = both  # type: ignore[method-assign,assignment]

    monkeypatch.setattr(sweeper, "install", install)
    monkeypatch.setattr(sweeper, "_launch", lambda *_: [])
    code = kneeload(*QUICK, "intervention=none,[weight_loss,unloader_brace]", "subject.medial_slope_deg=9", "++subject.body_mass_kg=60,80", "hydra.job.name=n",
                    "hydra.sweep.subdir=${hydra.job.override_dirname}", "+extra={a: 1}", "hydra.sweep.dir=s")
    assert code == 0 and len(seen) == 8
    for ours, hydras in seen:
        assert ours == hydras
