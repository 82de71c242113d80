"""The benchmark runs: one repeat of every step, every number finite."""

from __future__ import annotations

import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_chain import STEPS, machine, measure, size_of, warm_chain
from report import table


def test_every_step_is_measured_and_the_table_is_complete() -> None:
    chain, warm_up = warm_chain()
    rows, size, about = measure(chain, 1), size_of(chain), machine()
    assert math.isfinite(warm_up) and warm_up > 0.0
    assert [row.name for row in rows] == list(STEPS) and all(math.isfinite(row.median_ms) and row.median_ms > 0.0 for row in rows)
    assert all(math.isfinite(value) for value in size.values()) and size["springs"] > 1000 and size["largest_residual"] < 1e-3
    assert all(about.values())
    cold = {"first_s": 1.0, "second_s": 1.0, "compile_s": 1.0, "solve_s": 1.0}
    text = table(rows, size, about, 1, cold)
    assert all(name in text for name in STEPS) and about["processor"] in text and "first run, empty kernel cache" in text
