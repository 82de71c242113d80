"""Who computes the pieces of a study. Any engine gives the same bits: it only says where `piece_figures` runs."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import TracebackType
from typing import Protocol, Self

from kneeload.errors import KneeloadError
from kneeload.population.design import Design
from kneeload.population.rows import Layout, Piece, PieceFigures, piece_figures
from kneeload.population.workers import WorkerLost, Workers

MOST_LOSSES = 3  # worker processes lost one after the other with nothing finished between: the cause will not go away by itself


class Engine(Protocol):
    """Takes pieces and gives their figures, in any order. Used inside `with`.

    Attributes:
        slots: pieces that it computes at once.
    """

    slots: int

    def __enter__(self) -> Self: ...
    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def submit(self, piece: Piece) -> None:
        """Take a piece."""

    def finished(self) -> PieceFigures:
        """Wait for one of the pieces that were taken, compute nothing twice, and return its figures.

        Raises:
            KneeloadError: it cannot be computed, whoever tries.
        """


class LocalEngine:
    """Worker processes on this machine, one thread each. A worker that is killed is replaced, and what it had is computed again."""

    def __init__(self, design: Design, layout: Layout, workers: int) -> None:
        self.slots = workers
        self._design, self._layout = design, layout
        self._waiting: dict[Future[PieceFigures], Piece] = {}
        self._pool: Workers | None = None
        self._losses = 0

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    def submit(self, piece: Piece) -> None:
        """Hand a piece to the next free worker."""
        try:
            self._hand_over(piece)
        except WorkerLost:
            self._replace([piece])

    def finished(self) -> PieceFigures:
        """Wait for one of the pieces.

        Raises:
            WorkerLost: workers are lost again and again.
            KneeloadError: a piece cannot be computed.
        """
        while True:
            if not self._waiting:
                raise KneeloadError("No piece of the study is under way.")
            done, _ = wait(self._waiting, return_when=FIRST_COMPLETED)
            future = next(iter(done))
            try:
                found = Workers.result(future)
            except WorkerLost:
                self._replace([])
                continue
            del self._waiting[future]
            self._losses = 0
            return found

    def _hand_over(self, piece: Piece) -> None:
        assert self._pool is not None
        self._waiting[self._pool.call(piece_figures, self._design, self._layout, piece)] = piece

    def _replace(self, more: list[Piece]) -> None:
        """Start new workers for the pieces that are not done."""
        while True:
            self._losses += 1
            if self._losses > MOST_LOSSES:
                raise WorkerLost(f"Worker processes were killed {self._losses} times without a piece done between (often for want of memory: use fewer workers); "
                                 "what was written is kept, and the same command goes on with it")
            self._stop()
            done = {future: piece for future, piece in self._waiting.items() if not future.cancelled() and future.exception() is None}
            todo = sorted([piece for future, piece in self._waiting.items() if future not in done] + more, key=lambda piece: piece.first)
            self._waiting = done
            self._start()
            for place, piece in enumerate(todo):
                try:
                    self._hand_over(piece)
                except WorkerLost:
                    more = todo[place:]
                    break
            else:
                return

    def _start(self) -> None:
        self._pool = Workers(self.slots)
        self._pool.__enter__()

    def _stop(self) -> None:
        if self._pool is not None:
            self._pool.__exit__(None, None, None)
            self._pool = None
