"""The entry point for many cases."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from multiprocessing import parent_process

from kneeload.case import Case
from kneeload.errors import InputError
from kneeload.population.chunks import chunks
from kneeload.population.figures import CaseFigures, figures_of
from kneeload.population.workers import Workers

MOST_WORKERS = 1024
CASES_PER_CHUNK = 8  # about a second of work: sending a chunk and its figures takes less than a thousandth of that
AHEAD = 2  # chunks per worker that are taken from the cases before their results are asked for


def simulate_many(cases: Iterable[Case], *, workers: int = 1, cases_per_chunk: int = CASES_PER_CHUNK,
                  progress: Callable[[int], object] | None = None) -> Iterator[CaseFigures]:
    """Yield the figures of many cases, in their order, with the same bits for any number of workers and any size of chunk.

    Cases are taken from the iterable as they are needed, so that it may be endless: at most AHEAD x workers chunks (and one case) ahead of the
    results. A case that fails gives its error sentence, and the others go on. Cases that share a
    knee (they differ in mass, habits, activity, intervention) are fastest as neighbours.

    Args:
        cases: what to simulate; they must be picklable, as every `Case` is.
        workers: processes, each with one thread; 0 stays in this process, for a few cases: its threads of BLAS may change the last digits.
            Inside a worker process of any kind it counts as 0.
        cases_per_chunk: cases that a worker gets at once; neighbours with one knee make it up to four times longer.
        progress: called with the number of cases done so far, before each result is handed over.

    Raises:
        InputError: an impossible number of workers or cases per chunk.
        WorkerLost: a worker process was killed; what was yielded before is valid.
    """
    for what, value, least, most in (("workers", workers, 0, MOST_WORKERS), ("cases_per_chunk", cases_per_chunk, 1, 100_000)):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InputError(what.replace("_", " "), where=what, got=value, allowed=f"a whole number from {least} to {most}", why="the work is shared out among them")
    alone = workers == 0 or parent_process() is not None
    found = _here(cases) if alone else _beside(cases, workers, cases_per_chunk)
    return found if progress is None else _counted(found, progress)


def _here(cases: Iterable[Case]) -> Iterator[CaseFigures]:
    for index, case in enumerate(cases):
        yield figures_of(index, case)


def _beside(cases: Iterable[Case], workers: int, size: int) -> Iterator[CaseFigures]:
    source = chunks(cases, size)
    waiting: deque[Future[list[CaseFigures]]] = deque()
    problem: Exception | None = None
    with Workers(workers) as pool:
        while True:
            while problem is None and len(waiting) < AHEAD * workers:
                try:
                    waiting.append(pool.submit(*next(source)))
                except Exception as raised:  # the cases have an end, or an error that comes after the results of the cases before it
                    problem = raised
            if not waiting:
                break
            yield from pool.result(waiting.popleft())
    if problem is not None and not isinstance(problem, StopIteration):
        raise problem


def _counted(found: Iterator[CaseFigures], progress: Callable[[int], object]) -> Iterator[CaseFigures]:
    for item in found:
        progress(item.index + 1)
        yield item
