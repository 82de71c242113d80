"""Each kernel on the placed springs of the walking knee, timed and checked against numpy. Compilation is not in the times."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from placed import Placed, placed, workspace
from pytest_benchmark.fixture import BenchmarkFixture

from kneeload.contact.solver import MARGIN_MM
from kneeload.kernels import equilibrium, fields
from kneeload.kernels import springs as kernels
from kneeload.kernels.level_set import level_set_at

ROUNDS = {"rounds": 100, "iterations": 5, "warmup_rounds": 2}
TABLE_ERROR_MM = 2e-5  # difference between the polynomials of the table, kept and evaluated in single precision, and the spline
SINGLE = 1e-6  # what single precision may differ from the same sums in double precision, over the largest


@pytest.fixture(scope="module")
def knee() -> Placed:
    return placed()


def _about(benchmark: BenchmarkFixture, springs: int) -> None:
    benchmark.extra_info["springs"] = springs
    if benchmark.stats is not None:  # none with --benchmark-disable
        benchmark.extra_info["ns_per_spring"] = 1e9 * benchmark.stats.stats.min / springs


@pytest.mark.parametrize("name", ["add_forces", "add_springs"])
def test_springs_of_the_plates(benchmark: BenchmarkFixture, knee: Placed, name: str) -> None:
    kernel, sums = getattr(kernels, name), np.zeros(kernels.SUMS)
    benchmark.pedantic(knee.add, (kernel, sums), **ROUNDS)
    found, known = knee.add(kernel, np.zeros(kernels.SUMS)), naive.plates(knee)
    if name == "add_forces":  # the moment stands where the antisymmetric part of B is
        assert found[:4] == pytest.approx(known[:4], abs=SINGLE * np.abs(known[:4]).max())
        moment = np.array([known[9] - known[11], known[10] - known[6], known[5] - known[7]])
        assert [found[9], found[10], found[5]] == pytest.approx(moment, abs=SINGLE * np.abs(known).max())
    else:
        assert found == pytest.approx(known, abs=SINGLE * np.abs(known).max())
    _about(benchmark, knee.size(0, knee.plain_chunks))


def test_springs_of_the_menisci(benchmark: BenchmarkFixture, knee: Placed) -> None:
    benchmark.pedantic(knee.add_menisci, (np.zeros(kernels.SUMS), np.zeros(kernels.WEDGE)), **ROUNDS)
    sums, wedge = knee.add_menisci(np.zeros(kernels.SUMS), np.zeros(kernels.WEDGE))
    rows = naive.rows_of(knee.near[0], knee.near[2], knee.plain_chunks, int(knee.near[3][-1]))
    known, own = naive.sums_of(rows, knee.turn, knee.shift, knee.outward)
    assert sums == pytest.approx(known, abs=SINGLE * np.abs(known).max())
    assert wedge == pytest.approx(own, abs=SINGLE * np.abs(own).max())
    _about(benchmark, rows.shape[1])


def test_placing(benchmark: BenchmarkFixture, knee: Placed) -> None:
    benchmark.pedantic(knee.place, **ROUNDS)
    level, chunks = placed_level(), int(knee.near[3][-1])
    rows = naive.rows_of(knee.near[0], knee.near[2], 0, chunks)
    close = rows[4] < MARGIN_MM
    there = naive.level_at(level, rows[:3].T + knee.q[3:6])
    error = np.abs(rows[4] - there)[close]
    assert error.max() < TABLE_ERROR_MM
    benchmark.extra_info["table_error_mm"] = float(error.max())
    spring = knee.springs.arrays[0].reshape(-1, kernels.COLUMNS, kernels.BLOCK).transpose(0, 2, 1).reshape(-1, kernels.COLUMNS)
    outward = np.repeat([0.0] * knee.groups + list(knee.q[6:]), np.diff(knee.springs.arrays[1]) * kernels.BLOCK)
    all_points = (spring[:, :3] + outward[:, None] * spring[:, 9:12]) @ knee.rot[:3].T + knee.q[3:6]
    touching = (naive.level_at(level, all_points) < 0.0) & (spring[:, 6] > 0.0) & (facing(knee, spring, all_points) < -0.35)
    listed = np.zeros(len(spring), bool)
    for m in range(chunks):
        blocks = knee.near[1][m * (kernels.CHUNK // kernels.BLOCK):][:knee.near[2][m] // kernels.BLOCK]
        listed[(blocks[:, None] * kernels.BLOCK + np.arange(kernels.BLOCK)).ravel()] = True
    assert touching.sum() > 100 and not (touching & ~listed).any()  # nothing that carries load is left out
    _about(benchmark, len(spring))


def placed_level():  # type: ignore[no-untyped-def]
    """The level set of the femur as the subject room made it."""
    from placed import walking

    return walking().anatomy.femur_level_set


def facing(knee: Placed, spring: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Normal of each spring times gradient of the level set, by differences over 0.01 mm."""
    level, step = placed_level(), 0.005
    slope = np.column_stack([(naive.level_at(level, points + e) - naive.level_at(level, points - e)) / (2.0 * step) for e in step * np.eye(3)])
    return ((spring[:, 3:6] @ knee.rot[:3].T) * slope).sum(axis=1)


def test_exact_spline(benchmark: BenchmarkFixture, knee: Placed) -> None:
    rows = naive.rows_of(knee.near[0], knee.near[2], 0, int(knee.near[3][-1]))
    points = np.ascontiguousarray(rows[:3].T + knee.q[3:6])
    value, gradient, hessian = np.empty(len(points)), np.empty((len(points), 3)), np.empty((len(points), 6))
    benchmark.pedantic(level_set_at, (knee.knee.level, points, value, gradient, hessian), **ROUNDS)
    level, step = placed_level(), 1e-4
    assert value == pytest.approx(naive.level_at(level, points), abs=1e-10)
    for k in range(3):
        e = step * np.eye(3)[k]
        assert gradient[:, k] == pytest.approx((naive.level_at(level, points + e) - naive.level_at(level, points - e)) / (2.0 * step), abs=1e-4)
    _about(benchmark, len(points))


def test_pressures_and_sums_of_a_frame(benchmark: BenchmarkFixture, knee: Placed) -> None:
    count, groups, work = int(knee.springs.start[-1]), len(knee.springs.names), workspace()
    pressure, triangle = np.zeros(count, np.float32), np.full(count, -1, np.int32)
    force, scalars, peak = np.zeros((groups, 3)), np.zeros((groups, 5)), np.zeros(2)
    home = (knee.springs.arrays[0], knee.springs.home, knee.springs.start, knee.springs.side)

    def once() -> None:
        force[:], scalars[:], pressure[:] = 0.0, 0.0, 0.0
        fields.report(knee.q, knee.knee.level, knee.near, knee.base, home, None, work, 0, 1, pressure, triangle, force, scalars, peak)

    benchmark.pedantic(once, **ROUNDS)
    rows, zero = naive.rows_of(knee.near[0], knee.near[2], 0, knee.plain_chunks), np.zeros((3, 3))
    known, _ = naive.sums_of(rows, zero, np.zeros(3))
    assert -force[:knee.groups].sum(axis=0) == pytest.approx(known[1:4], abs=SINGLE * np.abs(known).max())
    assert scalars[:, 1].sum() == pytest.approx((pressure * knee.springs.area).sum(), rel=1e-6)  # pressures are float32
    assert ((pressure > 0.0) <= (triangle >= 0)).all()
    _about(benchmark, knee.size(0, int(knee.near[3][-1])))


def test_energy_gradient_and_tangent_of_a_body(benchmark: BenchmarkFixture, knee: Placed) -> None:
    n, lines = len(knee.q), knee.knee.tibia_lines
    packed = tuple(np.array(a) for a in (lines.point, lines.stiffness, lines.slack, lines.toe))
    anchor, weak, work, tension = np.array(knee.knee.tibia_anchor), np.array(knee.knee.tibia_weak), workspace(), np.zeros(len(lines.names))
    grad, hess, other = np.zeros(n), np.zeros((n, n)), np.zeros((n, n))

    def at(q: np.ndarray, slope: np.ndarray, tangent: np.ndarray) -> float:
        return float(equilibrium.potential(q, knee.near, knee.base, packed, anchor, weak, knee.q, np.zeros(4), np.zeros(3), np.zeros(3), np.zeros(2), None, work,
                                           slope, tangent, tension, True))

    benchmark.pedantic(at, (knee.q, grad, hess), **ROUNDS)
    at(knee.q, grad, hess)
    for k in range(n):  # steps are wide, since sums are rounded to single precision; tests/kernels does it in double precision
        kind, step = (slice(0, 3), 5e-5) if k < 3 else (slice(3, n), 1e-3)
        up, down = np.zeros(n), np.zeros(n)
        energies = [at(knee.q + sign * step * np.eye(n)[k], slope, other) for sign, slope in ((1.0, up), (-1.0, down))]
        assert (energies[0] - energies[1]) / (2.0 * step) == pytest.approx(grad[k], abs=1e-3 * np.abs(grad[kind]).max())
        assert (up - down) / (2.0 * step) == pytest.approx(hess[:, k], rel=1e-3, abs=2e-3 * np.abs(hess[:, k]).max())
    _about(benchmark, knee.size(0, int(knee.near[3][-1])))
