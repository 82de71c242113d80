"""Pieces of a study on a Ray cluster (the extra `kneeload[cluster]`): one task of one core and one thread for each piece."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import logging
import os
import pickle
import platform
import socket
import subprocess
import sys
import time
import warnings
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
_LOOK_AGAIN_S = 5.0  # seconds between looks at the cluster: how many cores it has, and, while no piece comes back, whether it is there
_ANSWER_S = 5.0  # seconds that an address has to answer
_PATIENCE = "RAY_gcs_rpc_server_reconnect_timeout_s"  # seconds, 60 by default, after which Ray ends a process whose cluster is gone, with pages of its state
_WAIT_FOR_CORES_S = 30.0  # seconds after which a cluster without a core is told


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
        self._looked = self._heard = self._cores = 0.0

    def __enter__(self) -> Self:
        self._ray = ray = require_ray()
        if not ray.is_initialized():
            _connect(ray, self._address)
            self._mine = True
        try:
            threads = dict.fromkeys(THREADS, "1")
            given = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
            self._task = ray.remote(num_cpus=1, max_retries=0, runtime_env={"env_vars": {**threads, **given}})(_compute)
            self._gcs = str(ray.get_runtime_context().gcs_address)
            self._shared = [identity(), ray.put(pickle.dumps((self._design, self._layout)))]
            self._heard = time.monotonic()
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
            WorkerLost: the workers of a piece are lost again and again, or the cluster is gone.
            KneeloadError: a piece cannot be computed, or a worker has another kneeload than this process.
        """
        ray = self._ray
        while self._waiting:
            done = self._next()
            piece = self._waiting.pop(done)
            try:
                found: PieceFigures = ray.get(done)
            except ray.exceptions.RayTaskError as problem:
                raise _cause(problem) from problem
            except _lost_errors(ray) as problem:
                self._lost(piece, problem)
                continue
            except ray.exceptions.RayError as problem:
                self._check_there()
                raise KneeloadError(f"The Ray cluster cannot compute the study: {_sentence(problem)}; what was written is kept, and the same command goes on with it") from problem
            self._losses.pop(piece.first, None)
            self._look()
            self._feed()
            return found
        raise KneeloadError("No piece of the study is under way.")

    def _next(self) -> Any:
        """Wait for a piece that is done or lost, and look now and then whether there still is a cluster."""
        told = False
        begun = time.monotonic()
        while True:
            done, _ = self._ray.wait(list(self._waiting), num_returns=1, timeout=_LOOK_AGAIN_S)
            if done:
                self._heard = time.monotonic()
                return done[0]
            self._check_there()
            if self._look() < 1.0 and not told and time.monotonic() - begun > _WAIT_FOR_CORES_S:
                told = True
                warnings.warn(f"The Ray cluster at {self._gcs} has no core for this study; it waits until one comes", stacklevel=2)

    def _check_there(self) -> None:
        """Raise WorkerLost if the head of the cluster has not answered for half the time after which Ray would end this process."""
        patience = 0.5 * float(os.environ.get(_PATIENCE, "60"))
        while not _answers(self._gcs):
            if time.monotonic() - self._heard > patience:
                raise WorkerLost(f"The Ray cluster at {self._gcs} is gone; what was written is kept, and the same command goes on with it once there is a cluster again")
            time.sleep(0.5)
        self._heard = time.monotonic()

    def _feed(self) -> None:
        while self._queue and (self._workers is None or len(self._waiting) < self._workers):
            piece = self._queue.popleft()
            self._waiting[self._task.remote(*self._shared, piece)] = piece

    def _lost(self, piece: Piece, problem: Exception) -> None:
        self._check_there()
        self._losses[piece.first] += 1
        if self._losses[piece.first] > MOST_LOSSES:
            raise WorkerLost(f"The Ray workers that had people {piece.first} to {piece.first + piece.count - 1} were lost {self._losses[piece.first]} times "
                             f"({type(problem).__name__}; often for want of memory); what was written is kept, and the same command goes on with it") from problem
        self._queue.appendleft(piece)
        self._feed()

    def _look(self) -> float:
        """Follow a cluster that grows or shrinks; returns its cores."""
        now = time.monotonic()
        if not self._looked or now - self._looked > _LOOK_AGAIN_S:
            self._looked = now
            self._check_there()  # the next line would hang in a cluster that is gone, until Ray ends this process
            self._cores = float(self._ray.cluster_resources().get("CPU", 0.0))
            if self._workers is None:
                self.slots = max(1, int(self._cores))
        return self._cores

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


def _compute(driver: dict[str, str], study: bytes, piece: Piece) -> PieceFigures:
    """The task, in a Ray worker. The study comes as bytes, which mean nothing to other sources: these are compared first."""
    _prepare(tuple(driver.items()))
    return piece_figures(*_study(study), piece)


@lru_cache(maxsize=1)
def _study(study: bytes) -> tuple[Design, Layout]:
    design, layout = pickle.loads(study)
    return design, layout


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
    missing = _missing(cause)
    if missing:
        return KneeloadError(f"A Ray worker cannot import what it needs ({missing}): install the same kneeload on every machine of the cluster.")
    return cause if isinstance(cause, BaseException) else KneeloadError(f"A Ray worker failed: {_sentence(problem)}.")


def _missing(cause: object) -> str:
    """What could not be imported. Ray has it in the last line of a RuntimeError when it is the task itself, and so kneeload."""
    if isinstance(cause, ImportError):
        return _sentence(cause)
    if isinstance(cause, RuntimeError) and "failed to import on the worker" in str(cause):
        return str(cause).strip().splitlines()[-1].rstrip(".")
    return ""


def _sentence(problem: BaseException) -> str:
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    if lines and lines[0].startswith("Version mismatch"):
        return " ".join(lines)
    return (lines[0] if lines else type(problem).__name__).rstrip(".")
