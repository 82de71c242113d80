"""Computes the runs of a study of uncertainty: in worker processes, of which lost ones are replaced, or here. What is kept already is not computed again."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import parent_process
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kneeload.case import Case
from kneeload.errors import InputError, KneeloadError
from kneeload.population.engine import MOST_LOSSES
from kneeload.population.priors import Prior, with_parameters
from kneeload.population.run import Progress
from kneeload.population.run_numbers import run_numbers
from kneeload.population.uncertainty import Draws
from kneeload.population.workers import WorkerLost, Workers

Array = NDArray[np.float64]
Rows = Sequence[tuple[int, tuple[float, ...]]]  # number of a run, its parameters (nan = as in the case)
AHEAD = 2  # pieces per worker that are handed over before their results are asked for
MOST_IN_A_PIECE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNumbers:
    """One run.

    Attributes:
        run: number.
        error: None, or one sentence that says why it has no answer.
        values: in the order of the study's names, None where there is none; empty for a failed run.
    """

    run: int
    error: str | None
    values: tuple[float | None, ...]


class Kept(Protocol):
    """Where runs are kept."""

    def runs(self) -> list[RunNumbers]:
        """The runs that are there."""

    def keep(self, runs: Sequence[RunNumbers]) -> None:
        """Keep more of them."""


class InMemory:
    """Keeps runs for as long as this process lives."""

    def __init__(self) -> None:
        self._runs = list[RunNumbers]()

    def runs(self) -> list[RunNumbers]:
        """The runs that are there."""
        return self._runs

    def keep(self, runs: Sequence[RunNumbers]) -> None:
        """Keep more of them."""
        self._runs += runs


def compute(draws: Draws, kept: Kept, *, workers: int, progress: Callable[[Progress], object] | None = None) -> tuple[Array, dict[str, int], int]:
    """Compute the runs that are not kept yet, and return the numbers of all of them.

    Args:
        draws: the study.
        kept: where runs are kept; each is handed over as soon as it is there.
        workers: processes; 0 stays in this one, as does a process that is a worker itself.
        progress: called after every piece.

    Returns:
        (runs, names) in the units of the names, nan where a run failed or has no such number; sentence -> how many runs failed with it; runs that were computed now.

    Raises:
        InputError: the case as it is fails.
        WorkerLost: workers are killed again and again.
        StudyError: what was computed cannot be kept.
    """
    found, errors = np.full((len(draws.values), len(draws.names)), np.nan), dict[int, str]()
    done = {item.run for item in kept.runs() if _note(draws, item, found, errors)}
    left = [(run, tuple(row)) for run, row in enumerate(draws.values.tolist()) if run not in done]
    begin, before = time.monotonic(), len(done)
    with _no_disk_cache():
        for piece in _computed(draws, deque(_pieces(left, draws)), workers):
            kept.keep(piece)
            done |= {item.run for item in piece if _note(draws, item, found, errors)}
            if progress is not None:
                rate = (len(done) - before) / max(time.monotonic() - begin, 1e-9)
                progress(Progress(done=len(done), size=len(found), failed=len(errors), per_second=rate, left_s=(len(found) - len(done)) / rate))
    failures = dict[str, int]()
    for run in sorted(errors):
        failures[errors[run]] = failures.get(errors[run], 0) + 1
    return found, failures, len(left)


def run_piece(case: Case, priors: Sequence[Prior], names: Sequence[str], rows: Rows) -> list[RunNumbers]:
    """Simulate a case with these parameters. What goes wrong with one run becomes its error sentence."""
    told = []
    for run, row in rows:
        try:
            numbers = run_numbers(with_parameters(case, {prior.name: value for prior, value in zip(priors, row) if np.isfinite(value)}))
            told.append(RunNumbers(run=run, error=None, values=tuple(numbers.get(name) for name in names)))
        except (KneeloadError, OSError) as problem:
            told.append(RunNumbers(run=run, error=" ".join(str(problem).split()), values=()))
    return told


def _note(draws: Draws, item: RunNumbers, found: Array, errors: dict[int, str]) -> bool:
    if item.error is not None:
        if item.run == 0:
            raise InputError("case", where="sensitivity", got=item.error, allowed="a case that can be simulated", why="its outputs are asked for")
        errors[item.run] = item.error
    else:
        found[item.run] = [np.nan if value is None else value for value in item.values]
    return True


def _pieces(left: Rows, draws: Draws) -> Iterator[Rows]:
    """Neighbours of one block (they share a knee, or the reference person), a few seconds of work."""
    piece = list[tuple[int, tuple[float, ...]]]()
    for run, row in left:
        starts = run >= draws.alone and (run - draws.alone) % draws.block == 0
        if piece and (starts or len(piece) >= MOST_IN_A_PIECE or (run < draws.alone and len(piece) >= 8)):
            yield piece
            piece = []
        piece.append((run, row))
    if piece:
        yield piece


def _computed(draws: Draws, pieces: deque[Rows], workers: int) -> Iterator[list[RunNumbers]]:
    if workers == 0 or parent_process() is not None:
        yield from (run_piece(draws.case, draws.priors, draws.names, piece) for piece in pieces)
        return
    losses = 0
    while pieces:
        waiting = deque[tuple[Rows, Future[list[RunNumbers]]]]()
        try:
            with Workers(workers) as pool:
                while pieces or waiting:
                    while pieces and len(waiting) < AHEAD * workers:
                        waiting.append((pieces[0], pool.call(run_piece, draws.case, draws.priors, draws.names, pieces[0])))
                        pieces.popleft()
                    found = pool.result(waiting[0][1])
                    waiting.popleft()
                    losses = 0
                    yield found
        except WorkerLost:
            losses += 1
            if losses > MOST_LOSSES:
                raise
            whole = [future.done() and future.exception() is None for _, future in waiting]
            pieces.extendleft(rows for (rows, _), fine in reversed(list(zip(waiting, whole))) if not fine)
            yield from (future.result() for (_, future), fine in zip(waiting, whole) if fine)


@contextmanager
def _no_disk_cache() -> Iterator[None]:
    """Reference persons of drawn parameters are asked for once each: they would push all others out of the memory on disk."""
    before = os.environ.get("KNEELOAD_NO_CACHE")
    os.environ["KNEELOAD_NO_CACHE"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["KNEELOAD_NO_CACHE"]
        else:
            os.environ["KNEELOAD_NO_CACHE"] = before
