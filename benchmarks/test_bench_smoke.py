"""The reports run: one repeat of every step, every number finite."""

from __future__ import annotations

import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pytest
from bench_chain import STEPS, machine, measure, size_of, warm_chain
from hot_loop import draw, kernel_times, lines_of
from naive import BYTES, FLOPS
from report import MARKS, README, table, write_readme
from scaling import Curve, cycle_over_frames, cycle_over_springs, kernel_over_springs


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


def test_exponent_is_the_slope_of_a_power() -> None:
    size = (10.0, 20.0, 50.0)
    assert Curve(name="x", unit="springs", size=size, seconds=tuple(3e-3 * n**1.3 for n in size)).exponent == pytest.approx(1.3)


def test_cost_is_close_to_linear(tmp_path: Path) -> None:
    curves = [kernel_over_springs(repeats=100), cycle_over_springs(repeats=3, doublings=2), cycle_over_frames(repeats=3, frames=(101, 401))]
    assert [len(curve.size) for curve in curves] == [5, 3, 2] and curves[1].size[2] > 3.5 * curves[1].size[0]
    for curve in curves:  # the goal is 0.9 to 1.1 and `report.py` measures it; this run is short and a busy machine blurs it, so it only finds a cost that explodes
        print(f"{curve.name} against {curve.unit}: exponent {curve.exponent:.2f}")
        assert 0.2 < curve.exponent < 1.5
    limits = {"read_l2_gb_s": 100.0, "multiply_add_8_gflop_s": 80.0, "multiply_add_16_gflop_s": 0.0}
    text = "\n".join(lines_of(kernel_times(), limits, curves, machine()))
    assert all(name in text for name in FLOPS) and BYTES.keys() == FLOPS.keys() and "exponent" in text
    draw(curves, tmp_path / "cost.png")
    assert (tmp_path / "cost.png").stat().st_size > 10_000


def test_the_readme_keeps_its_words_around_the_table(tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    write_readme("| a | b |", copy)
    written, original = copy.read_text(encoding="utf-8"), README.read_text(encoding="utf-8")
    assert written.split(MARKS[0])[0] == original.split(MARKS[0])[0] and written.split(MARKS[1])[1] == original.split(MARKS[1])[1]
    assert f"{MARKS[0]}\n| a | b |\n{MARKS[1]}" in written
