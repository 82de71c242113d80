"""Rates of `kneeload population`: people per second on one worker and two, the engine's own share, and the memory of the driver.

    python benchmarks/population_rate.py [--rounds 5] [--people 96]

One and two workers take turns, and medians are told: on a machine that others use a single round says little. The engine's share is the
processor time of the driver over that of the workers, at the default size of shards.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from kneeload.population.design import Design
from kneeload.population.engine import LocalEngine
from kneeload.population.rows import Layout, Piece, PieceFigures, layout_of, piece_figures
from kneeload.population.run import PIECE, local_engine, run_population


class Instant:
    """An engine whose figures are there at once: those of one person, for everybody."""

    slots = 2

    def __init__(self, design: Design, layout: Layout) -> None:
        self._row = piece_figures(design, layout, Piece(shard=0, first=0, count=1)).rows[0]
        self._taken: list[Piece] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._taken.clear()

    def submit(self, piece: Piece) -> None:
        """Take a piece."""
        self._taken.append(piece)

    def finished(self) -> PieceFigures:
        """Return the figures of the piece that has waited longest."""
        piece = self._taken.pop(0)
        return PieceFigures(piece=piece, rows=[(person, *self._row[1:]) for person in range(piece.first, piece.first + piece.count)], fields={})


def seconds(engine: LocalEngine, first: int, people: int) -> float:
    """Time of some people, s."""
    begin = time.perf_counter()
    pieces = [Piece(shard=0, first=start, count=min(PIECE, first + people - start)) for start in range(first, first + people, PIECE)]
    for piece in pieces:
        engine.submit(piece)
    for _ in pieces:
        engine.finished()
    return time.perf_counter() - begin


def workers(rounds: int, people: int) -> None:
    """One worker and two, in turns, on the same people: the first round computes reference persons and is left out."""
    design = Design(size=1000)
    layout = layout_of(design)
    with LocalEngine(design, layout, 1) as one, LocalEngine(design, layout, 2) as two:
        for engine in (one, two, two):
            seconds(engine, 0, people)
        found = [(people / seconds(one, 0, people), people / seconds(two, 0, people)) for _ in range(rounds)]
    first, second = (statistics.median(rates) for rates in zip(*found))
    print(f"people per second: {first:.1f} on one worker, {second:.1f} on two; median of ratios {statistics.median(b / a for a, b in found):.2f}", flush=True)


def share(people: int) -> None:
    """The engine's own part of a study."""
    with tempfile.TemporaryDirectory() as place:
        design = Design(size=people)
        before, own = resource.getrusage(resource.RUSAGE_CHILDREN), time.process_time()
        layout_of(design)
        begun = time.process_time()  # imports and the usual person are done once, whatever the size
        run_population(design, Path(place) / "study", engine=local_engine(2))
        driver = time.process_time() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        work = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{people} people: driver {driver:.2f} s of processor time, workers {work:.1f} s: {100.0 * driver / work:.1f} % (start {begun - own:.1f} s)", flush=True)


def memory(people: int) -> None:
    """Peak memory of a driver, in a process of its own."""
    code = (f"import resource, tempfile; from pathlib import Path; from kneeload import Case; from kneeload.population import Design, run_population; import population_rate as p\n"
            f"with tempfile.TemporaryDirectory() as place: run_population(Design(size={people}, base=Case(contact=None)), Path(place) / 'x', engine=p.Instant)\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0)")
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    print(f"{people} people at once: driver {float(done.stdout):.0f} MB, {people / (time.perf_counter() - begin):.0f} people per second", flush=True)


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--people", type=int, default=96)
    given = parser.parse_args()
    memory(1000)
    memory(20_000)
    workers(given.rounds, given.people)
    share(200)


if __name__ == "__main__":
    main()
