"""Pieces of a study on a Ray cluster (the extra `kneeload[cluster]`): one task of one core and one thread for each piece."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import logging
import os
import platform
import socket
import subprocess
import sys
import time
from collections import Counter, deque
from functools import lru_cache
from types import ModuleType, TracebackType
from typing import Any, Self

from kneeload import warmup
from kneeload.errors import InputError, KneeloadError
from kneeload.kernels.cache import cache_folder, private_folder
from kneeload.population.design import Design
from kneeload.population.engine import MOST_LOSSES
from kneeload.population.rows import Layout, Piece, PieceFigures, piece_figures
from kneeload.population.workers import THREADS, WorkerLost
from kneeload.remembered import sources_hash
from kneeload.result import version_of_kneeload

AUTO = "auto"
_HANDED_ON = ("NUMBA_CACHE_DIR", "KNEELOAD_NO_CACHE")  # settings of the driver that its workers need for the same bits and no second compilation
_LOOK_AGAIN_S = 5.0  # seconds between looks at how many cores the cluster has
_ANSWER_S = 5.0  # seconds that an address has to answer


class RayEngine:
    """Workers of an existing Ray cluster. What a lost worker had is computed again; nothing that was handed back is.

    Ray is asked not to repeat anything by itself (`max_retries=0`), since it would go on for ever with a piece that needs more memory than
    there is: here a piece may be lost MOST_LOSSES times. A lost machine takes all its pieces at once, so losses are counted by piece.
    """

    def __init__(self, design: Design, layout: Layout, workers: int | None = None, address: str = AUTO) -> None:
        self.slots = workers or 1
        self._design, self._layout, self._workers, self._address = design, layout, workers, address
        self._queue: deque[Piece] = deque()
        self._waiting: dict[Any, Piece] = {}
        self._losses: Counter[int] = Counter()
        self._mine = False
        self._looked = 0.0

    def __enter__(self) -> Self:
        self._ray = ray = require_ray()
        if not ray.is_initialized():
            _connect(ray, self._address)
            self._mine = True
        try:
            threads = dict.fromkeys(THREADS, "1")
            given = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
            self._task = ray.remote(num_cpus=1, max_retries=0, runtime_env={"env_vars": {**threads, **given}})(_compute)
            self._shared = [ray.put(item) for item in (self._design, self._layout, identity())]
            self._look()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._leave()

    def submit(self, piece: Piece) -> None:
        """Hand a piece to the cluster, or keep it until fewer than `workers` are under way."""
        self._queue.append(piece)
        self._feed()

    def finished(self) -> PieceFigures:
        """Wait for one of the pieces.

        Raises:
            WorkerLost: the workers of a piece are lost again and again.
            KneeloadError: a piece cannot be computed, or a worker has another kneeload than this process.
        """
        ray = self._ray
        while self._waiting:
            (done, *_), _ = ray.wait(list(self._waiting), num_returns=1)
            piece = self._waiting.pop(done)
            try:
                found: PieceFigures = ray.get(done)
            except ray.exceptions.RayTaskError as problem:
                raise _cause(problem) from problem
            except _lost_errors(ray) as problem:
                self._lost(piece, problem)
                continue
            except ray.exceptions.RayError as problem:
                raise KneeloadError(f"The Ray cluster cannot compute the study: {_sentence(problem)}; what was written is kept, and the same command goes on with it") from problem
            self._losses.pop(piece.first, None)
            self._look()
            self._feed()
            return found
        raise KneeloadError("No piece of the study is under way.")

    def _feed(self) -> None:
        while self._queue and (self._workers is None or len(self._waiting) < self._workers):
            piece = self._queue.popleft()
            self._waiting[self._task.remote(*self._shared, piece)] = piece

    def _lost(self, piece: Piece, problem: Exception) -> None:
        self._losses[piece.first] += 1
        if self._losses[piece.first] > MOST_LOSSES:
            raise WorkerLost(f"The Ray workers that had people {piece.first} to {piece.first + piece.count - 1} were lost {self._losses[piece.first]} times "
                             f"({type(problem).__name__}; often for want of memory); what was written is kept, and the same command goes on with it") from problem
        self._queue.appendleft(piece)
        self._feed()

    def _look(self) -> None:
        """Follow a cluster that grows or shrinks."""
        now = time.monotonic()
        if self._workers is None and (not self._looked or now - self._looked > _LOOK_AGAIN_S):
            self._looked = now
            self.slots = max(1, int(self._ray.cluster_resources().get("CPU", 0.0)))

    def _leave(self) -> None:
        """Drop what is under way. A connection of this engine's own is closed, which ends its workers."""
        waiting, self._waiting = list(self._waiting), {}
        self._queue.clear()
        if self._mine:
            self._ray.shutdown()
            self._mine = False
            return
        for item in waiting:
            with contextlib.suppress(Exception):  # it may be done, or its machine lost
                self._ray.cancel(item, recursive=False)
        self._shared = []


def identity() -> dict[str, str]:
    """What driver and workers must have in common for the same bits: sources of kneeload, and versions of what computes."""
    import numba
    import numpy
    import scipy

    return {"kneeload": version_of_kneeload(), "sources": sources_hash()[:16], "Python": platform.python_version(), "numpy": numpy.__version__,
            "numba": numba.__version__, "scipy": scipy.__version__}


def check_identity(driver: dict[str, str], worker: dict[str, str], machine: str) -> None:
    """Raise KneeloadError with the first thing that a worker has and the driver has not."""
    for name, value in driver.items():
        if worker.get(name) != value:
            raise KneeloadError(f"The Ray worker on {machine} has {name} {worker.get(name)} and this process has {value}: install the same on every machine of the cluster, "
                                "since other versions give other numbers.")


def _compute(design: Design, layout: Layout, driver: dict[str, str], piece: Piece) -> PieceFigures:
    """The task, in a Ray worker."""
    _prepare(tuple(driver.items()))
    return piece_figures(design, layout, piece)


@lru_cache(maxsize=4)
def _prepare(driver: tuple[tuple[str, str], ...]) -> None:
    """Once in each worker: compare versions, and see to it that kernels are compiled, by the first worker of a machine, and only read by all."""
    check_identity(dict(driver), identity(), socket.gethostname())
    folder = cache_folder()
    if folder is not None and warmup.complete() is None:
        private = private_folder()
        environment = os.environ if private is None else {**os.environ, "NUMBA_CACHE_DIR": str(private)}
        with contextlib.suppress(OSError), open(folder / "ray-warmup.lock", "w") as lock:  # if this fails the worker compiles for itself
            fcntl.flock(lock, fcntl.LOCK_EX)
            if warmup.complete() is None:
                subprocess.run([sys.executable, "-m", "kneeload.cli", "warmup"], stdout=subprocess.DEVNULL, env=environment, check=False)
    gc.freeze()


def require_ray() -> ModuleType:
    """Return the package.

    Raises:
        InputError: it is not installed.
    """
    try:
        import ray
    except ImportError:
        raise InputError("package ray", where="population.engine", got="not installed", allowed="pip install 'kneeload[cluster]', or population.engine=local",
                         why="it is the connection to a Ray cluster") from None
    return ray


def _connect(ray: ModuleType, address: str) -> None:
    if not _answers(address):
        raise _no_cluster(address, "nothing answers there")
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, namespace="kneeload")
    except (OSError, RuntimeError, ValueError, AssertionError, ray.exceptions.RayError) as problem:  # ConnectionError is an OSError
        raise _no_cluster(address, _sentence(problem)) from None


def _no_cluster(address: str, why: str) -> InputError:
    return InputError("Ray cluster", where="population.address", got=address, allowed="host:port of a running cluster, or auto for RAY_ADDRESS or the one on this machine "
                      "(ray start --head); population.engine=local needs none", why=why.rstrip("."))


def _answers(address: str) -> bool:
    """Whether something listens at host:port: Ray itself would try for a minute."""
    if address == AUTO:
        address = os.environ.get("RAY_ADDRESS", AUTO)
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return True
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError):
        return False
    return True


def _lost_errors(ray: ModuleType) -> tuple[type[Exception], ...]:
    """Errors that mean: the worker or its machine is gone, not: the piece cannot be computed."""
    names = ("WorkerCrashedError", "NodeDiedError", "LocalRayletDiedError", "OutOfMemoryError", "ObjectLostError")
    return tuple(getattr(ray.exceptions, name) for name in names if hasattr(ray.exceptions, name))


def _cause(problem: Any) -> BaseException:
    """The error that was raised in the task, in a sentence if kneeload is not there."""
    cause = problem.cause
    if isinstance(cause, ImportError):
        return KneeloadError(f"A Ray worker cannot import what it needs ({_sentence(cause)}): install the same kneeload on every machine of the cluster.")
    return cause if isinstance(cause, BaseException) else KneeloadError(f"A Ray worker failed: {_sentence(problem)}.")


def _sentence(problem: BaseException) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return (lines[0] if lines else type(problem).__name__).rstrip(".")
