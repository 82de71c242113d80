"""The Ray engine: the laws of losses and versions with a stand-in for Ray, and a real cluster of two cores on loopback with kills."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kneeload import Case
from kneeload.errors import InputError, KneeloadError
from kneeload.population import ray_engine
from kneeload.population.design import Design, Run
from kneeload.population.engine import MOST_LOSSES
from kneeload.population.folder import JOURNAL
from kneeload.population.ray_engine import RayEngine, check_identity, identity
from kneeload.population.rows import Layout, Piece
from kneeload.population.run import ray_engine as engine_of
from kneeload.population.workers import WorkerLost

DESIGN, LAYOUT = Design(size=40, base=Case(contact=None)), Layout(columns={}, fields={})
PIECES = [Piece(shard=0, first=8 * k, count=8) for k in range(5)]


class StandIn:
    """What the engine uses of the package ray. `answer` is asked with piece and try: a figure, or an error that is raised."""

    def __init__(self, answer: Callable[[Piece, int], Any], cores: float = 2.0) -> None:
        self.answer, self.cores, self.begun, self.most, self.connected = answer, cores, list[int](), 0, True
        self.cancelled, self.options = list[int](), dict[str, Any]()
        names = ("RayTaskError", "WorkerCrashedError", "NodeDiedError", "OutOfMemoryError", "ObjectLostError")
        base = type("RayError", (Exception,), {})
        self.exceptions = SimpleNamespace(RayError=base, **{name: type(name, (base,), {}) for name in names})

    def is_initialized(self) -> bool:
        return self.connected

    def shutdown(self) -> None:
        self.connected = False

    def put(self, item: Any) -> Any:
        return item

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": self.cores}

    def remote(self, **options: Any) -> Callable[[Any], Any]:
        self.options = options

        def begin(design: Design, layout: Layout, driver: dict[str, str], piece: Piece) -> tuple[Piece, int]:
            self.begun.append(piece.first)
            return piece, self.begun.count(piece.first)

        return lambda function: SimpleNamespace(remote=begin)

    def wait(self, items: list[Any], num_returns: int) -> tuple[list[Any], list[Any]]:
        self.most = max(self.most, len(items))
        return items[-1:], items[:-1]

    def get(self, item: tuple[Piece, int]) -> Any:
        found = self.answer(*item)
        if isinstance(found, Exception):
            raise found
        return found

    def cancel(self, item: tuple[Piece, int], recursive: bool) -> None:
        self.cancelled.append(item[0].first)


def stand_in(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Piece, int], Any], **kinds: Any) -> StandIn:
    ray = StandIn(answer, **kinds)
    monkeypatch.setattr(ray_engine, "require_ray", lambda: ray)
    return ray


def test_every_piece_comes_back_once_though_workers_and_machines_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(piece: Piece, attempt: int) -> Any:
        errors = [ray.exceptions.WorkerCrashedError(), ray.exceptions.NodeDiedError(), ray.exceptions.ObjectLostError()]
        return errors[attempt - 1] if attempt <= piece.shard_losses else piece.first  # type: ignore[attr-defined]

    losses = {0: 0, 8: 3, 16: 1, 24: 0, 32: 2}
    ray = stand_in(monkeypatch, lambda piece, attempt: answer(SimpleNamespace(first=piece.first, shard_losses=losses[piece.first]), attempt))
    with RayEngine(DESIGN, LAYOUT) as engine:
        assert engine.slots == 2
        for piece in PIECES:
            engine.submit(piece)
        assert sorted(engine.finished() for _ in PIECES) == [0, 8, 16, 24, 32]
        with pytest.raises(KneeloadError, match="under way"):
            engine.finished()
    assert {first: ray.begun.count(first) - 1 for first in losses} == losses
    assert ray.connected, "a connection that was there before stays"


def test_a_piece_that_loses_every_worker_ends_the_study_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = stand_in(monkeypatch, lambda piece, _: ray.exceptions.OutOfMemoryError() if piece.first == 16 else piece.first)
    with pytest.raises(WorkerLost, match=r"people 16 to 23 were lost 4 times \(OutOfMemoryError.*the same command goes on"), RayEngine(DESIGN, LAYOUT) as engine:
        for piece in PIECES:
            engine.submit(piece)
        for _ in PIECES:
            engine.finished()
    assert ray.begun.count(16) == MOST_LOSSES + 1
    assert set(ray.cancelled) <= {0, 8, 24, 32} and ray.cancelled


def test_no_more_than_the_workers_that_were_asked_for_are_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = stand_in(monkeypatch, lambda piece, _: piece.first, cores=64.0)
    with RayEngine(DESIGN, LAYOUT, workers=2) as engine:
        for piece in PIECES:
            engine.submit(piece)
        assert len(ray.begun) == 2 and engine.slots == 2
        assert sorted(engine.finished() for _ in PIECES) == [0, 8, 16, 24, 32]
    assert ray.most == 2


def test_a_cluster_that_grows_gets_more_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = stand_in(monkeypatch, lambda piece, _: piece.first)
    monkeypatch.setattr(ray_engine, "_LOOK_AGAIN_S", 0.0)
    with RayEngine(DESIGN, LAYOUT) as engine:
        engine.submit(PIECES[0])
        ray.cores = 16.0
        engine.finished()
        assert engine.slots == 16


def test_each_task_has_one_core_and_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/somewhere")
    ray = stand_in(monkeypatch, lambda piece, _: piece.first)
    with RayEngine(DESIGN, LAYOUT):
        given = ray.options["runtime_env"]["env_vars"]
    assert ray.options["num_cpus"] == 1 and given["OPENBLAS_NUM_THREADS"] == given["OMP_NUM_THREADS"] == "1" and given["NUMBA_CACHE_DIR"] == "/somewhere"


def test_an_error_of_a_task_is_the_error_of_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(cause: Exception) -> Any:
        ray = stand_in(monkeypatch, lambda *_: problem)
        problem = ray.exceptions.RayTaskError("a long\ntraceback")
        problem.cause = cause
        with RayEngine(DESIGN, LAYOUT) as engine:
            engine.submit(PIECES[0])
            return engine.finished()

    with pytest.raises(InputError, match="must be this"):
        failing(InputError("thing", where="there", got=1, allowed="this", why="so it is"))
    with pytest.raises(KneeloadError, match=r"cannot import what it needs \(No module named 'kneeload'\)"):
        failing(ModuleNotFoundError("No module named 'kneeload'"))


def test_a_worker_with_another_version_is_refused() -> None:
    mine = identity()
    check_identity(mine, dict(mine), "node7")
    assert {"sources", "numpy", "numba", "scipy"} <= set(mine)
    with pytest.raises(KneeloadError, match=r"worker on node7 has numpy 1\.0 and this process has"):
        check_identity(mine, {**mine, "numpy": "1.0"}, "node7")


@pytest.mark.parametrize(("compiled", "runs"), [((True,), 0), ((False, True), 0), ((False, False), 1)])
def test_the_first_worker_of_a_machine_compiles_and_the_others_wait(compiled: tuple[bool, ...], runs: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers, commands = list(compiled), []
    monkeypatch.setattr(ray_engine, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(ray_engine.warmup, "complete", lambda: tmp_path if answers.pop(0) else None)  # the second answer: after the wait for the lock
    monkeypatch.setattr(ray_engine.subprocess, "run", lambda command, **_: commands.append(command))
    monkeypatch.setattr(ray_engine.gc, "freeze", lambda: None)
    ray_engine._prepare.cache_clear()
    try:
        for _ in range(3):
            ray_engine._prepare(tuple(identity().items()))
    finally:
        ray_engine._prepare.cache_clear()
    assert [command[-1] for command in commands] == ["warmup"] * runs and not answers


def test_without_the_package_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'kneeload\[cluster\]'"):
        engine_of()


@pytest.mark.parametrize("address", ["", "ray://head:10001", "head", "head:0", "head:99999", "local", None, 6379])
def test_an_address_is_auto_or_host_and_port(address: Any) -> None:
    with pytest.raises(InputError, match=r"population\.address"):
        Run(address=address)
    assert Run(address="10.0.0.7:6379").address == "10.0.0.7:6379" and Run(address="[::1]:6379")


# with a real cluster

real = pytest.mark.skipif(find_spec("ray") is None or not Path("/proc/self/task").exists(), reason="needs ray (pip install 'kneeload[cluster]') and /proc")
LIGHT = ("contact=none", "population.size=160", "population.shard_size=16", "population.seed=5", "population.interventions=[none,{weight_loss: {mass_kg: 8}}]")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def name_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def below(process: int) -> list[int]:
    """All descendants of a process."""
    try:
        children = [int(word) for task in Path(f"/proc/{process}/task").iterdir() for word in (task / "children").read_text().split()]
    except OSError:
        return []
    return [found for child in children for found in (child, *below(child))]


class Cluster:
    """`ray start --head --block` of two cores on loopback, with a token of its own and nothing in the home folder."""

    def __init__(self, place: Path) -> None:
        self.port, self.place = free_port(), place
        self.environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # the latter: loopback is the node's address
                            "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_ADDRESS": f"127.0.0.1:{self.port}"}
        words = ["start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={self.port}", "--num-cpus=2", f"--object-store-memory={80 * 2**20}",
                 "--include-dashboard=false", "--disable-usage-stats", f"--dashboard-agent-listen-port={free_port()}", f"--temp-dir={place}"]
        self.log = place / "start.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "ray.scripts.scripts", *words], env=self.environment | {"RAY_ADDRESS": ""}, stdout=log, stderr=log, start_new_session=True)
        for _ in range(600):
            if "Ray runtime started" in self.log.read_text() or self.process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            self.stop()
        if self.process.poll() is not None:
            pytest.skip(f"Ray does not start here: {self.log.read_text()[-300:]}")

    def stop(self) -> None:
        processes = [*below(self.process.pid), self.process.pid]
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        for process in processes:
            if str(self.place) in name_of(process) or "ray::" in name_of(process) or process == self.process.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        self.process.wait()

    def workers(self) -> list[int]:
        return [process for process in below(self.process.pid) if name_of(process).startswith("ray::_compute")]

    def study(self, folder: Path, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "kneeload.cli", "population", "--quiet", *words, f"population.output={folder}", "population.engine=ray"]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    place = Path(tempfile.mkdtemp(prefix="kl-", dir="/tmp"))  # names of sockets must be short
    made = Cluster(place)
    yield made
    made.stop()
    shutil.rmtree(place, ignore_errors=True)


def locally(folder: Path, *words: str) -> dict[str, bytes]:
    subprocess.run([sys.executable, "-m", "kneeload.cli", "population", "--quiet", *words, "population.workers=1", f"population.output={folder}"], check=True)
    return files(folder)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def shards(folder: Path) -> list[int]:
    return [json.loads(line)["shard"] for line in (folder / JOURNAL).read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return locally(tmp_path_factory.mktemp("study") / "local", *LIGHT)


def begun(study: subprocess.Popen[str], folder: Path, count: int) -> bool:
    """Wait until so many shards are there; False if the study ended before."""
    while study.poll() is None:
        with contextlib.suppress(OSError):
            if len(shards(folder)) >= count:
                return True
        time.sleep(0.01)
    return False


def kill_a_worker(cluster: Cluster, study: subprocess.Popen[str]) -> int:
    """Kill -9 of a worker after a random moment; returns how many were killed, 0 if the study ended before."""
    time.sleep(random.uniform(0.0, 0.2))
    while study.poll() is None:
        for worker in cluster.workers()[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
                return 1
        time.sleep(0.01)
    return 0


@real
@pytest.mark.slow
def test_killed_workers_and_a_killed_driver_change_nothing(cluster: Cluster, whole: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "study"
    study = cluster.study(folder, *LIGHT)
    assert kill_a_worker(cluster, study) and begun(study, folder, 2)
    time.sleep(random.uniform(0.0, 0.2))
    study.kill()
    study.communicate()
    before = shards(folder)
    kept = {name: (folder / name).stat().st_mtime_ns for name in whole if int(name[6:11]) in before}
    assert 2 <= len(before) < 10
    for _ in range(200):
        if not cluster.workers():
            break
        time.sleep(0.05)
    assert not cluster.workers(), "workers outlived their driver"
    again = cluster.study(folder)
    kill_a_worker(cluster, again)
    _, said = again.communicate(timeout=100)
    assert again.returncode == 0, said
    assert files(folder) == whole and sorted(shards(folder)) == list(range(10))
    assert {name: (folder / name).stat().st_mtime_ns for name in kept} == kept, "what was there was not made again"


@real
@pytest.mark.slow
def test_with_contact_the_files_are_those_of_the_local_engine(cluster: Cluster, tmp_path: Path) -> None:
    words = ("population.size=3", "population.shard_size=2", "population.seed=2", "population.interventions=[none,unloader_brace]")
    study = cluster.study(tmp_path / "ray", *words)
    _, said = study.communicate(timeout=200)
    assert study.returncode == 0, said
    assert files(tmp_path / "ray") == locally(tmp_path / "local", *words)


@real
def test_no_cluster_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("RAY_ADDRESS", nobody)
    for address in (nobody, "auto"):
        with pytest.raises(InputError, match=r"population\.address.*population\.engine=local needs none: nothing answers there\.$") as found, engine_of(address=address)(DESIGN, LAYOUT):
            pass
        assert "\n" not in str(found.value)
