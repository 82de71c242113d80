"""Worker processes: started afresh (spawn), one thread each, deaf to Ctrl-C, which is the business of the process that started them."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any, Self, TypeVar

from kneeload import warmup
from kneeload.case import Case
from kneeload.errors import KneeloadError
from kneeload.population.figures import CaseFigures, figures_of

T = TypeVar("T")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS")


class WorkerLost(KneeloadError, RuntimeError):
    """A worker process ended before its cases were done."""


class Workers:
    """A number of worker processes that take chunks of cases.

    They come from `concurrent.futures` with the start method spawn. Fork would copy a process that has threads (BLAS, the thread of the
    reference person) and may hang; loky, which restarts lost workers, would be one more dependency of every install, and a worker that
    was lost once (memory) is lost again on the same case. What this costs: a script needs `if __name__ == "__main__":`.
    """

    def __init__(self, count: int) -> None:
        self._pool = ProcessPoolExecutor(max_workers=count, mp_context=get_context("spawn"), initializer=_begin)
        self._count = count

    def __enter__(self) -> Self:
        if warmup.complete() is None:
            # Code that a process has just compiled and the same code read from the disk may differ in the last bit (which copy of an inlined
            # function is called), so workers only read. If this fails they compile for themselves.
            subprocess.run([sys.executable, "-m", "kneeload.cli", "warmup"], stdout=subprocess.DEVNULL, check=False)
        with _single_threaded(), _deaf_to_ctrl_c():  # inherited by the processes, which start with their first piece of work
            for _ in range(self._count):
                self._pool.submit(os.getpid)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, first: int, cases: list[Case]) -> Future[list[CaseFigures]]:
        """Hand a chunk to the next free worker."""
        return self.call(figures_of_chunk, first, cases)

    def call(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Hand a function of a module, with arguments that can be pickled, to the next free worker."""
        try:
            return self._pool.submit(function, *arguments)
        except BrokenProcessPool as problem:
            raise _lost() from problem

    @staticmethod
    def result(future: Future[T]) -> T:
        """Wait for what was handed over.

        Raises:
            WorkerLost: its process, or another of them, was killed or could not start.
        """
        try:
            return future.result()
        except BrokenProcessPool as problem:
            raise _lost() from problem


def figures_of_chunk(first: int, cases: list[Case]) -> list[CaseFigures]:
    """Return the figures of neighbouring cases, `first` being the index of the first one."""
    return [figures_of(index, case) for index, case in enumerate(cases, first)]


def _lost() -> WorkerLost:
    return WorkerLost("A worker process of the batch ended before its cases were done: it was killed (often for want of memory: use fewer workers), or the script "
                      'that started the batch has no `if __name__ == "__main__":` around it; results that were already handed over are valid')


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    gc.freeze()  # what the imports made is never garbage: collections need not look at it


def _end_with_parent() -> None:
    """End this process when the one that started it is gone (killed: it has closed nothing, and a worker would wait for work for ever)."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are started inside hear no Ctrl-C from their first moment on, imports included; this one hears it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _single_threaded() -> Iterator[None]:
    """One thread for each numerical library of the processes that are started inside (this process keeps its own, which are already loaded)."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
