"""How the cost grows: with springs, with frames, with processes. Functions that measure, used by `report.py` and by the smoke test."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from placed import placed, repeated, walking

from kneeload.contact.cycle_solver import solve_cycle
from kneeload.contact.prepared import prepare
from kneeload.kernels import springs as kernels
from kneeload.validation.predictors.density import doubled

FRAMES = (51, 101, 201, 401)
DOUBLINGS = 3
KERNEL_CHUNKS = (4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Shortest processor time against a size (wall time against processes).

    Attributes:
        name: what was done; unit: of the size.
        size: (n,) number of what `unit` says.
        seconds: (n,) s.
    """

    name: str
    unit: str
    size: tuple[float, ...]
    seconds: tuple[float, ...]

    @property
    def exponent(self) -> float:
        """Slope of the logarithm of the time over that of the size: 1 when the cost is linear."""
        return float(np.polyfit(np.log(self.size), np.log(self.seconds), 1)[0])


def shortest(calls: Sequence[Callable[[], object]], repeats: int) -> tuple[float, ...]:
    """Return the shortest processor time of each call, s (of this thread: what other programs take is not in it); each is run once before, and they take turns."""
    best = np.full(len(calls), np.inf)
    for call in calls:
        call()
    for _ in range(repeats):
        for i, call in enumerate(calls):
            start = time.thread_time()
            call()
            best[i] = min(best[i], time.thread_time() - start)
    return tuple(best.tolist())


def kernel_over_springs(repeats: int = 300, chunks: Sequence[int] = KERNEL_CHUNKS) -> Curve:
    """Return the time of `add_springs` over longer and longer tables."""
    source, sums = placed(), np.zeros(kernels.SUMS)
    calls = []
    for count in chunks:
        table, size = repeated(source, count)
        calls.append(lambda table=table, size=size, count=count: kernels.add_springs(table, size, 0, count, source.turn, source.shift, None, sums))
    return Curve(name="add_springs", unit="springs", size=tuple(float(n * kernels.CHUNK) for n in chunks), seconds=shortest(calls, repeats))


def cycle_over_springs(repeats: int = 5, doublings: int = DOUBLINGS) -> Curve:
    """Return the time of the walking cycle with every casting triangle cut in two again and again."""
    walk = walking()
    anatomies = [walk.anatomy]
    for _ in range(doublings):
        anatomies.append(doubled(anatomies[-1]))
    knees = [prepare(anatomy, walk.model) for anatomy in anatomies]
    size = tuple(float(len(knee.tibia.home) + len(knee.patella.home)) for knee in knees)
    calls = [lambda anatomy=anatomy: solve_cycle(anatomy, walk.flexion, walk.loads, walk.model) for anatomy in anatomies]
    return Curve(name="solve_cycle", unit="springs", size=size, seconds=shortest(calls, repeats))


def cycle_over_frames(repeats: int = 5, frames: Sequence[int] = FRAMES) -> Curve:
    """Return the time of the walking cycle with motion and loads read off at more or fewer moments."""
    walk = walking()
    moments = np.linspace(0.0, 1.0, len(walk.flexion))

    def read(values: np.ndarray, count: int) -> np.ndarray:
        at = np.linspace(0.0, 1.0, count)
        flat = values.reshape(len(values), -1)
        return np.column_stack([np.interp(at, moments, column) for column in flat.T]).reshape(count, *values.shape[1:])

    def at(count: int) -> Callable[[], Any]:
        arrays = {item.name: read(value, count) for item in fields(walk.loads)
                  if isinstance(value := getattr(walk.loads, item.name), np.ndarray) and value.ndim and len(value) == len(moments)}
        flexion, loads = read(walk.flexion, count), replace(walk.loads, **arrays)
        return lambda: solve_cycle(walk.anatomy, flexion, loads, walk.model)

    return Curve(name="solve_cycle", unit="frames", size=tuple(map(float, frames)), seconds=shortest([at(count) for count in frames], repeats))


def _cycles(count: int) -> float:
    """Solve the walking cycle `count` times; return the seconds from the first to the last."""
    walk = walking()
    start = time.perf_counter()
    for _ in range(count):
        walk.solve()
    return time.perf_counter() - start


def cycles_per_second(processes: Sequence[int] = (1, 2), cycles: int = 20, repeats: int = 3) -> Curve:
    """Return the time per cycle when as many processes solve cycles side by side, each `cycles` of them (best of `repeats`)."""
    seconds = []
    context = multiprocessing.get_context("spawn")
    for count in processes:
        with context.Pool(count) as pool:
            pool.map(_cycles, [1] * (4 * count), chunksize=1)  # every process reads its kernels
            seconds.append(min(max(pool.map(_cycles, [cycles] * count, chunksize=1)) / (cycles * count) for _ in range(repeats)))
    return Curve(name="solve_cycle", unit="processes", size=tuple(map(float, processes)), seconds=tuple(seconds))
