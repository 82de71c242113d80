"""Many knees: cases per second on one process and on two, the same figures from both, and what cases need of memory.

Rates are the best of several rounds in which one and two processes take turns; on a machine that others use they say little.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kneeload import Case, CaseFigures, Subject
from kneeload.population.workers import Workers

WARM = 3  # cases that a process solves before the clock starts: kernels, tables and the reference person are there then
ROUNDS = 3


def load_level(number: int) -> Case:
    """Another mass, no contact."""
    return Case(subject=Subject(body_mass_kg=60.0 + 0.1 * number), contact=None)


def same_knee(number: int) -> Case:
    """A whole case of walking alone, another mass on the same knee: surfaces, springs and bone maps are remembered."""
    return Case(subject=Subject(body_mass_kg=60.0 + number), day_activities=("walking",))


def new_knee(number: int) -> Case:
    """A whole case of walking alone with a knee that no process has seen: another tibia, so that all is built anew but the reference person."""
    return Case(subject=Subject(body_mass_kg=60.0 + number, mpta_deg=84.0 + 0.1 * number), day_activities=("walking",))


class Rated:
    """Warm processes of one thread each that solve cases.

    Attributes:
        figures: of every case, by its number.
        per_second: cases per second in the best round.
    """

    def __init__(self, kind: Callable[[int], Case], pool: Workers, processes: int) -> None:
        self._kind, self._pool = kind, pool
        self.figures: dict[int, CaseFigures] = {}
        self.per_second = 0.0
        for waiting in [pool.submit(-WARM, [kind(i) for i in range(-WARM, 0)]) for _ in range(processes)]:
            pool.result(waiting)

    def run(self, numbers: range, at_once: int) -> None:
        """Solve the cases of these numbers, so many at once."""
        start = time.perf_counter()
        for waiting in [self._pool.submit(i, [self._kind(j) for j in numbers if i <= j < i + at_once]) for i in numbers[::at_once]]:
            for item in self._pool.result(waiting):
                self.figures[item.index] = item
        self.per_second = max(self.per_second, len(numbers) / (time.perf_counter() - start))


def rates(kind: Callable[[int], Case], cases: int = 12, rounds: int = ROUNDS) -> tuple[float, float]:
    """Cases per second on one process and on two, the best of several rounds in turns."""
    with Workers(1) as first, Workers(2) as second:
        one, two = Rated(kind, first, 1), Rated(kind, second, 2)
        for number in range(rounds):
            for side in (one, two):
                side.run(range(number * cases, (number + 1) * cases), at_once=1)
    return one.per_second, two.per_second


@pytest.mark.parametrize(("kind", "cases"), [(load_level, 200), (same_knee, 12), (new_knee, 8)], ids=lambda value: getattr(value, "__name__", ""))
def test_batch(benchmark: BenchmarkFixture, kind: Callable[[int], Case], cases: int) -> None:
    with Workers(1) as first, Workers(2) as second:
        one, two = Rated(kind, first, 1), Rated(kind, second, 2)
        rounds = iter(range(ROUNDS))

        def turn() -> None:
            number = next(rounds)
            for side in (one, two):
                side.run(range(number * cases, (number + 1) * cases), at_once=1 if cases < 100 else 10)

        benchmark.pedantic(turn, rounds=ROUNDS)
    assert one.figures == two.figures and sorted(one.figures) == list(range(ROUNDS * cases))
    assert all(item.error is None for item in one.figures.values())
    carried = [one.figures[i].loads["tibiofemoral"]["impulse_ns"] for i in range(ROUNDS * cases)]
    assert carried == sorted(carried)  # who is heavier loads more
    ratio = two.per_second / one.per_second
    benchmark.extra_info.update(one_per_second=one.per_second, two_per_second=two.per_second, ratio=ratio)
    print(f"{kind.__name__}: {one.per_second:.1f} cases per second on 1 process, {two.per_second:.1f} on 2, ratio {ratio:.2f}")


MEMORY = """
import resource
from kneeload.population import simulate_many
from kneeload.simulate import simulate
import test_batch

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0

print(peak_mb())
for item in simulate_many((test_batch.new_knee(i) for i in range(18)), workers=0):
    assert item.error is None
    if item.index in (0, 8, 17):
        print(peak_mb())
"""


def test_memory(benchmark: BenchmarkFixture) -> None:
    """Every case has another knee; tables of the last few are kept, so the peak rises over the first five or so."""
    run = [sys.executable, "-c", MEMORY]
    done = benchmark.pedantic(subprocess.run, (run,), {"capture_output": True, "text": True, "check": True, "cwd": str(Path(__file__).parent)}, rounds=1)
    imports, first, ninth, last = map(float, done.stdout.split())
    print(f"peak memory: imports {imports:.0f} MB, one case {first - imports:.0f} MB more, 9 cases {ninth - imports:.0f} MB, 18 cases {last - imports:.0f} MB")
    assert first - imports < 300.0
    assert last < 1.1 * ninth
