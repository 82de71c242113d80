"""The recruitment kernel against a bounded least-squares twin, against osqp, and on hard input."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from kneeload.kernels.recruitment import recruit

SOFT = 1e-5


def twin(rows, target, one_sided, weight, low, high, soft):
    """The same programme as bounded least squares: slack by penalty, a surplus variable for each one-sided requirement."""
    m, n = rows.shape
    sides = np.flatnonzero(one_sided)
    surplus = np.zeros((m, len(sides)))
    surplus[sides, np.arange(len(sides))] = -1.0
    matrix = np.block([[np.diag(np.sqrt(weight)), np.zeros((n, len(sides)))], [rows / np.sqrt(soft)[:, None], surplus / np.sqrt(soft)[:, None]]])
    right = np.concatenate([np.zeros(n), target / np.sqrt(soft)])
    bounds = (np.concatenate([low, np.zeros(len(sides))]), np.concatenate([high, np.full(len(sides), np.inf)]))
    return lsq_linear(matrix, right, bounds=bounds, method="bvls", tol=1e-14, max_iter=5000).x[:n]


def problem(seed, frames=3, n=12, m=5, size=1.0):
    rng = np.random.default_rng(seed)
    rows, target = rng.normal(size=(frames, m, n)), size * rng.normal(size=(frames, m))
    one_sided = np.array([False] * (m - 2) + [True] * 2)
    return (rows, target, one_sided, rng.uniform(0.5, 2.0, n), rng.uniform(0.0, 0.03, (frames, n)), np.ones(n), np.full(m, SOFT))


@pytest.mark.parametrize("size", [0.0, 0.1, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("seed", range(4))
def test_matches_the_twin(seed, size):
    rows, target, one_sided, weight, low, high, soft = problem(seed, n=6 + 7 * seed, size=size)
    activation, _, _ = recruit(rows, target, one_sided, weight, low, high, soft, 1e-11, 200)
    for t in range(len(rows)):
        expected = twin(rows[t], target[t], one_sided, weight, low[t], high, soft)
        np.testing.assert_allclose(activation[t], expected, atol=1e-6)  # penalty of 1e5 costs the twin about six digits


def test_matches_osqp():
    osqp = pytest.importorskip("osqp", reason="osqp is a development dependency")
    from scipy import sparse

    rows, target, one_sided, weight, low, high, soft = problem(11, n=20)
    activation, _, steps = recruit(rows, target, one_sided, weight, low, high, soft, 1e-11, 200)
    assert steps.max() <= 200
    m, n = rows.shape[1:]
    for t in range(len(rows)):
        # unknowns: activation, slack; slack enters each requirement with its own column
        matrix = sparse.csc_matrix(np.block([[rows[t], np.eye(m)], [np.eye(n), np.zeros((n, m))]]))
        lower = np.concatenate([target[t], low[t]])
        upper = np.concatenate([np.where(one_sided, np.inf, target[t]), high])
        solver = osqp.OSQP()
        solver.setup(sparse.diags(np.concatenate([weight, 1.0 / soft])).tocsc(), np.zeros(n + m), matrix, lower, upper, verbose=False,
                     eps_abs=1e-10, eps_rel=1e-10, max_iter=200000, polishing=True)
        np.testing.assert_allclose(activation[t], solver.solve().x[:n], atol=1e-6)


def test_bounds_requirements_and_optimality():
    rows, target, one_sided, weight, low, high, soft = problem(5, frames=20, n=30)
    activation, slack, steps = recruit(rows, target, one_sided, weight, low, high, soft, 1e-11, 200)
    assert steps.max() <= 200
    assert (activation >= low - 1e-15).all() and (activation <= high).all()
    reached = np.einsum("tmn,tn->tm", rows, activation) + slack
    np.testing.assert_allclose(reached[:, ~one_sided], target[:, ~one_sided], atol=1e-9)
    assert (reached[:, one_sided] >= target[:, one_sided] - 1e-9).all()
    assert (slack[:, one_sided] >= 0.0).all()
    assert (slack[:, one_sided] * (reached - target)[:, one_sided]).max() < 1e-9  # complementary


def test_touching_bound_and_no_requirement():
    rows = np.zeros((2, 2, 3))
    low = np.full((2, 3), 0.02)
    activation, slack, steps = recruit(rows, np.zeros((2, 2)), np.array([False, True]), np.ones(3), low, np.ones(3), np.full(2, SOFT), 1e-11, 50)
    np.testing.assert_array_equal(activation, low)
    assert not slack.any() and not steps.any()
    exact = np.array([[[1.0, 0.0, 0.0]]])  # the requirement is met exactly by the floor
    activation, slack, _ = recruit(exact, np.array([[0.02]]), np.array([True]), np.ones(3), low[:1], np.ones(3), np.array([SOFT]), 1e-11, 50)
    np.testing.assert_allclose(activation, low[:1], atol=1e-15)
    assert abs(slack).max() == 0.0


def test_impossible_requirement_goes_to_slack():
    rows = np.array([[[1.0, 0.5]]])
    activation, slack, _ = recruit(rows, np.array([[4.0]]), np.array([False]), np.ones(2), np.zeros((1, 2)), np.ones(2), np.array([1e-6]), 1e-10, 100)
    np.testing.assert_allclose(activation, [[1.0, 1.0]])
    np.testing.assert_allclose(slack, [[2.5]], rtol=1e-9)


def test_bad_numbers_do_not_hang():
    rows, target, one_sided, weight, low, high, soft = problem(1)
    target = target.copy()
    target[1, 0] = np.nan
    _, _, steps = recruit(rows, target, one_sided, weight, low, high, soft, 1e-11, 30)
    assert steps[1] == 31
    assert steps[0] <= 30 and steps[2] <= 30  # the neighbours are solved


def test_a_cycle_takes_under_two_milliseconds():
    arguments = problem(3, frames=101, n=40)
    recruit(*arguments, 1e-10, 100)
    best = min(_seconds(arguments) for _ in range(5))
    from numba import config

    if not config.DISABLE_JIT:
        assert best < 2e-3  # 0.5 ms measured on one core at 2-3 GHz


def _seconds(arguments):
    start = time.perf_counter()
    recruit(*arguments, 1e-10, 100)
    return time.perf_counter() - start
