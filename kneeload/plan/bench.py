"""Where combinations are simulated: in worker processes that stay alive for a whole plan, each combination once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from multiprocessing import parent_process
from types import TracebackType
from typing import Any, Self

from kneeload.case import Case
from kneeload.errors import InputError
from kneeload.plan.choices import Amounts
from kneeload.population.figures import CaseFigures, figures_of
from kneeload.population.workers import Workers

Progress = Callable[[int, int, str], object]


class Bench:
    """Simulates cases and remembers their figures by the amounts of their interventions.

    With workers every number comes from a process with one thread, so that their number changes no bit. Inside a worker process of any kind
    everything is done in place.
    """

    def __init__(self, workers: int, total: int, progress: Progress | None) -> None:
        self._pool = None if workers == 0 or parent_process() is not None else Workers(workers)
        self._progress = progress
        self._total = total
        self._found: dict[Amounts, CaseFigures] = {}
        self.refused: dict[Amounts, str] = {}

    def __enter__(self) -> Self:
        if self._pool is not None:
            self._pool.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.__exit__(kind, error, trace)

    @property
    def done(self) -> int:
        """Number of cases that were simulated."""
        return len(self._found)

    def failures(self) -> dict[Amounts, str]:
        """Return why combinations have no answer, those that cannot be done left out."""
        return {key: item.error for key, item in self._found.items() if item.error is not None}

    def run(self, wanted: Sequence[Amounts], make: Callable[[Amounts], Case], words: str) -> dict[Amounts, CaseFigures]:
        """Return the figures of the combinations that have an answer, in the order given; what was simulated before is not simulated again.

        Args:
            wanted: what to simulate.
            make: returns the case of a combination, or raises InputError when there is none.
            words: what this is for, for the progress.
        """
        cases = {key: case for key in dict.fromkeys(wanted) if key not in self._found and (case := self._made(key, make)) is not None}
        jobs: list[tuple[Amounts, Any]] = [(key, None if self._pool is None else self._pool.submit(0, [case])) for key, case in cases.items()]
        for key, job in jobs:
            self._found[key] = figures_of(0, cases[key]) if self._pool is None or job is None else self._pool.result(job)[0]
            if self._progress is not None:
                self._progress(self.done, self._total, words)
        return {key: self._found[key] for key in wanted if key in self._found and self._found[key].error is None}

    def call(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Return what a function of a module gives for each row of arguments, computed where the cases are."""
        if self._pool is None:
            return [function(*row) for row in arguments]
        jobs = [self._pool.call(function, *row) for row in arguments]
        return [self._pool.result(job) for job in jobs]

    def _made(self, key: Amounts, make: Callable[[Amounts], Case]) -> Case | None:
        if key in self.refused:
            return None
        try:
            return make(key)
        except InputError as problem:
            self.refused[key] = str(problem)
            return None
