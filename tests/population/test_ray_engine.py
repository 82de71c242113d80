"""The Ray engine: the laws of losses and versions with a stand-in for Ray. test_ray_cluster.py has real clusters."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kneeload import Case
from kneeload.errors import InputError, KneeloadError
from kneeload.population import ray_engine
from kneeload.population.design import Design, Run
from kneeload.population.engine import MOST_LOSSES
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
        self.cancelled, self.options, self.silent = list[int](), dict[str, Any](), 0
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

        def begin(driver: dict[str, str], study: bytes, piece: Piece) -> tuple[Piece, int]:
            assert driver == identity() and pickle.loads(study) == (DESIGN, LAYOUT)
            self.begun.append(piece.first)
            return piece, self.begun.count(piece.first)

        return lambda function: SimpleNamespace(remote=begin)

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(gcs_address="127.0.0.1:6379")

    def wait(self, items: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        self.most = max(self.most, len(items))
        if self.silent:
            self.silent -= 1
            return [], items
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
    monkeypatch.setattr(ray_engine, "_answers", lambda _: True)
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


def test_a_worker_without_kneeload_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = stand_in(monkeypatch, lambda *_: problem)
    problem = ray.exceptions.RayTaskError()
    problem.cause = RuntimeError("The remote function failed to import on the worker. This may be because:\n\nTraceback (most recent call last):\nModuleNotFoundError: No module named 'kneeload'\n")
    with RayEngine(DESIGN, LAYOUT) as engine, pytest.raises(KneeloadError, match=r"cannot import what it needs \(ModuleNotFoundError: No module named 'kneeload'\): install the same"):
        engine.submit(PIECES[0])
        engine.finished()


def test_a_cluster_that_does_not_answer_any_more_ends_the_study_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = stand_in(monkeypatch, lambda piece, _: piece.first)
    answers = [False, False, True]
    monkeypatch.setattr(ray_engine.time, "sleep", lambda _: None)
    with RayEngine(DESIGN, LAYOUT) as engine:
        engine.submit(PIECES[0])
        engine.submit(PIECES[1])
        ray.silent = 1
        monkeypatch.setattr(ray_engine, "_answers", lambda _: answers.pop(0))
        assert engine.finished() == 8 and not answers, "a head that was away for a moment"
        ray.silent = 1
        monkeypatch.setattr(ray_engine, "_answers", lambda _: False)
        monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "0.02")
        with pytest.raises(WorkerLost, match=r"cluster at 127\.0\.0\.1:6379 is gone; what was written is kept"):
            engine.finished()


def test_a_cluster_without_a_core_is_told_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = stand_in(monkeypatch, lambda piece, _: piece.first, cores=0.0)
    monkeypatch.setattr(ray_engine, "_WAIT_FOR_CORES_S", 0.0)
    with RayEngine(DESIGN, LAYOUT) as engine:
        engine.submit(PIECES[0])
        ray.silent = 3
        with pytest.warns(UserWarning, match="has no core for this study") as told:
            assert engine.finished() == 0 and len(told) == 1


def test_two_versions_of_ray_are_named_both() -> None:
    found = ray_engine._sentence(RuntimeError("Version mismatch: The cluster was started with:\n    Ray: 2.9.0\n    Python: 3.11.7\nThis process was started with:\n    Ray: 2.60.0\n"))
    assert found == "Version mismatch: The cluster was started with: Ray: 2.9.0 Python: 3.11.7 This process was started with: Ray: 2.60.0"


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
