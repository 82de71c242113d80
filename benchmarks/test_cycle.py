"""A whole cycle and a whole case, warm: what they cost, and whether their forces balance."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from placed import Walking, walking
from pytest_benchmark.fixture import BenchmarkFixture

from kneeload import Case, KneeResult, simulate
from kneeload.contact.cycle import ContactCycle

TOLERANCE = 1e-3  # unbalanced force over the load: what the solver calls converged


@pytest.fixture(scope="module")
def walk() -> Walking:
    return walking()


def _processor_ms(call: Callable[[], object], repeats: int) -> float:
    """Shortest processor time of this thread, ms: what other programs take is not in it."""
    best = float("inf")
    for _ in range(repeats):
        start = time.thread_time()
        call()
        best = min(best, 1000.0 * (time.thread_time() - start))
    return best


def _balanced(cycle: ContactCycle) -> None:
    assert (cycle.status == 0).all() and np.nanmax(cycle.residual) < TOLERANCE
    carried = cycle.medial.force + cycle.lateral.force
    assert carried == pytest.approx(cycle.axial_load, rel=5e-3, abs=1.0)  # what presses on the tibia passes through the two compartments


def test_cycle_of_walking(benchmark: BenchmarkFixture, walk: Walking) -> None:
    found = benchmark.pedantic(walk.solve, rounds=20, warmup_rounds=1)
    _balanced(found)
    assert (found.iterations == walk.cycle.iterations).all() and (found.medial.force == walk.cycle.medial.force).all()  # the same bits again
    benchmark.extra_info["steps_per_frame"] = [float(v) for v in found.iterations.mean(axis=0)]
    benchmark.extra_info["processor_ms"] = _processor_ms(walk.solve, 10)
    print(f"solve_cycle: {benchmark.extra_info['processor_ms']:.1f} ms of the processor")
    assert len(found.medial.force) == 101 and len(found.fields) == 5


def test_whole_case(benchmark: BenchmarkFixture) -> None:
    case = Case()
    simulate(case)
    found: KneeResult = benchmark.pedantic(simulate, (case,), rounds=3)
    for item in found.day.values():
        assert item.contact is not None
        _balanced(item.contact)
    assert found.lesion is not None and found.pain is not None and len(found.day) == 5
