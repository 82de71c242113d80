"""The recruitment kernel against a bounded least-squares twin, against osqp, and on hard input."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from kneeload.kernels.recruitment import Recruitment, recruit

SOFT = 1e-5
TOLERANCE, MAX_STEPS = 1e-11, 200


def twin(p, t):
    """The same programme as bounded least squares: slack by penalty, a surplus variable for each one-sided requirement."""
    m, n = p.rows.shape[1:]
    sides = np.flatnonzero(p.one_sided)
    surplus = np.zeros((m, len(sides)))
    surplus[sides, np.arange(len(sides))] = -1.0
    stiff = 1.0 / np.sqrt(p.soft)[:, None]
    matrix = np.block([[np.diag(np.sqrt(p.weight)), np.zeros((n, len(sides)))], [p.rows[t] * stiff, surplus * stiff]])
    right = np.concatenate([np.sqrt(p.weight) * p.preferred[t], p.target[t] * stiff[:, 0]])
    bounds = (np.concatenate([p.low[t], np.zeros(len(sides))]), np.concatenate([p.high[t], np.full(len(sides), np.inf)]))
    return lsq_linear(matrix, right, bounds=bounds, method="bvls", tol=1e-14, max_iter=5000).x[:n]


def by_osqp(p, t):
    """Activation and slack of frame t from osqp; slack enters as sqrt(soft) times an unknown of cost 1/2 z^2."""
    import osqp
    from scipy import sparse

    m, n = p.rows.shape[1:]
    root = np.sqrt(p.soft)
    matrix = sparse.csc_matrix(np.block([[p.rows[t], np.diag(root)], [np.eye(n), np.zeros((n, m))]]))
    lower = np.concatenate([p.target[t], p.low[t]])
    upper = np.concatenate([np.where(p.one_sided, np.inf, p.target[t]), p.high[t]])
    cost = np.concatenate([-p.weight * p.preferred[t], np.zeros(m)])
    solver = osqp.OSQP()
    solver.setup(sparse.diags(np.concatenate([p.weight, np.ones(m)])).tocsc(), cost, matrix, lower, upper, verbose=False,
                 eps_abs=1e-11, eps_rel=1e-11, max_iter=400000, polishing=True, polish_refine_iter=10)
    answer = solver.solve(raise_error=True).x
    return answer[:n], root * answer[n:]


def objective(p, t, activation, slack):
    return 0.5 * (p.weight * (activation - p.preferred[t]) ** 2).sum() + 0.5 * (slack**2 / p.soft).sum()


def problem(seed, frames=3, n=12, m=5, size=1.0, soft=SOFT):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0.0, 0.03, (frames, n))
    return Recruitment(
        rows=rng.normal(size=(frames, m, n)), target=size * rng.normal(size=(frames, m)), one_sided=np.array([False] * (m - 2) + [True] * 2),
        weight=rng.uniform(0.5, 2.0, n), preferred=rng.uniform(-0.1, 0.4, (frames, n)), low=low, high=low + rng.uniform(0.05, 1.0, (frames, n)),
        soft=np.full(m, soft))


@pytest.mark.parametrize("size", [0.0, 0.1, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("seed", range(4))
def test_matches_the_twin(seed, size):
    p = problem(seed, n=6 + 7 * seed, size=size)
    activation, _, steps = recruit(p, TOLERANCE, MAX_STEPS)
    assert steps.max() <= MAX_STEPS
    for t in range(len(p.rows)):
        np.testing.assert_allclose(activation[t], twin(p, t), atol=1e-6)  # penalty of 1e5 costs the twin about six digits


@pytest.mark.parametrize("case", ["plenty", "bounds", "out of reach", "only one-sided", "nearly singular"])
@pytest.mark.parametrize("seed", range(6))
def test_matches_osqp_in_activation_and_objective(seed, case):
    pytest.importorskip("osqp", reason="osqp is a development dependency")
    # softer than above: with multipliers of 1e5 osqp oversteps the bounds by more than 1e-6
    p = problem(50 + seed, n=(8, 20, 40)[seed % 3], size={"bounds": 2.0, "out of reach": 40.0}.get(case, 0.7), soft=1e-3)
    if case == "only one-sided":
        p = p._replace(one_sided=np.ones(5, dtype=bool))
    if case == "nearly singular":  # two requirements that differ by a millionth, one twice, and a muscle that does nothing
        rows = p.rows.copy()
        rows[:, 1] = rows[:, 0] * (1.0 + 1e-6)
        rows[:, 4] = rows[:, 3]
        rows[:, :, 2] = 0.0
        target = p.target.copy()
        target[:, 1], target[:, 4] = target[:, 0], target[:, 3] + 0.1
        p = p._replace(rows=rows, target=target)
    activation, slack, steps = recruit(p, TOLERANCE, MAX_STEPS)
    assert steps.max() <= MAX_STEPS
    for t in range(len(p.rows)):
        expected, missing = by_osqp(p, t)
        np.testing.assert_allclose(activation[t], expected, atol=1e-6)
        best = objective(p, t, expected, missing)
        assert objective(p, t, activation[t], slack[t]) == pytest.approx(best, rel=1e-6, abs=1e-6)
    if case == "out of reach":
        assert (np.abs(slack).max(axis=1) > 1.0).all()


def test_bounds_requirements_and_optimality():
    p = problem(5, frames=20, n=30)
    activation, slack, steps = recruit(p, TOLERANCE, MAX_STEPS)
    assert steps.max() <= MAX_STEPS
    assert (activation >= p.low - 1e-15).all() and (activation <= p.high + 1e-15).all()
    reached = np.einsum("tmn,tn->tm", p.rows, activation) + slack
    both, one = ~p.one_sided, p.one_sided
    np.testing.assert_allclose(reached[:, both], p.target[:, both], atol=1e-9)
    assert (reached[:, one] >= p.target[:, one] - 1e-9).all()
    assert (slack[:, one] >= 0.0).all()
    assert (slack[:, one] * (reached - p.target)[:, one]).max() < 1e-9  # complementary


def test_without_requirements_the_preferred_activation_is_taken_within_its_bounds():
    p = problem(8, frames=4, n=9)
    p = p._replace(rows=np.zeros_like(p.rows), target=np.zeros_like(p.target))
    activation, slack, steps = recruit(p, TOLERANCE, MAX_STEPS)
    np.testing.assert_array_equal(activation, np.clip(p.preferred, p.low, p.high))
    assert not slack.any() and not steps.any()


def test_a_preference_is_the_same_as_moving_the_requirement():
    """With a = p + b, the programme in b has target - A p and bounds moved by p."""
    p = problem(9, frames=6, n=15)
    moved = p._replace(target=p.target - np.einsum("tmn,tn->tm", p.rows, p.preferred), low=p.low - p.preferred, high=p.high - p.preferred,
                       preferred=np.zeros_like(p.preferred))
    np.testing.assert_allclose(recruit(p, TOLERANCE, MAX_STEPS)[0], p.preferred + recruit(moved, TOLERANCE, MAX_STEPS)[0], atol=1e-10)


def test_frames_do_not_depend_on_their_neighbours():
    p = problem(10, frames=12, n=20, size=2.0)
    together = recruit(p, TOLERANCE, MAX_STEPS)[0]
    order = np.arange(12)[::-1]
    turned = p._replace(rows=p.rows[order], target=p.target[order], preferred=p.preferred[order], low=p.low[order], high=p.high[order])
    np.testing.assert_allclose(recruit(turned, TOLERANCE, MAX_STEPS)[0][order], together, atol=1e-10)


def test_a_requirement_met_exactly_by_the_floor_costs_nothing():
    p = Recruitment(rows=np.array([[[1.0, 0.0, 0.0]]]), target=np.array([[0.02]]), one_sided=np.array([True]), weight=np.ones(3),
                    preferred=np.zeros((1, 3)), low=np.full((1, 3), 0.02), high=np.ones((1, 3)), soft=np.array([SOFT]))
    activation, slack, _ = recruit(p, TOLERANCE, MAX_STEPS)
    np.testing.assert_allclose(activation, p.low, atol=1e-15)
    assert abs(slack).max() == 0.0


def test_impossible_requirement_goes_to_slack():
    p = Recruitment(rows=np.array([[[1.0, 0.5]]]), target=np.array([[4.0]]), one_sided=np.array([False]), weight=np.ones(2),
                    preferred=np.zeros((1, 2)), low=np.zeros((1, 2)), high=np.ones((1, 2)), soft=np.array([1e-6]))
    activation, slack, _ = recruit(p, 1e-10, 100)
    np.testing.assert_allclose(activation, [[1.0, 1.0]])
    np.testing.assert_allclose(slack, [[2.5]], rtol=1e-9)


@pytest.mark.parametrize(("field", "value"), [("target", np.nan), ("target", np.inf), ("rows", np.nan), ("preferred", np.nan), ("low", np.nan),
                                              ("high", -1.0), ("high", np.inf)])
def test_a_bad_number_fails_its_frame_only(field, value):
    p = problem(1)
    wrong = getattr(p, field).copy()
    wrong[(1, *[0] * (wrong.ndim - 1))] = value
    activation, slack, steps = recruit(p._replace(**{field: wrong}), TOLERANCE, 30)
    assert steps[1] == 32 and np.isnan(activation[1]).all() and np.isnan(slack[1]).all()
    good = recruit(p, TOLERANCE, 30)
    np.testing.assert_allclose(activation[[0, 2]], good[0][[0, 2]], atol=1e-10)
    assert (steps[[0, 2]] <= 30).all()


@pytest.mark.parametrize(("field", "value"), [("weight", 0.0), ("weight", np.nan), ("soft", 0.0), ("soft", -1.0)])
def test_a_bad_cost_fails_every_frame(field, value):
    p = problem(1)
    wrong = getattr(p, field).copy()
    wrong[0] = value
    activation, _, steps = recruit(p._replace(**{field: wrong}), TOLERANCE, 30)
    assert (steps == 32).all() and np.isnan(activation).all()


def test_too_few_steps_are_reported():
    p = problem(4, n=30, size=3.0)
    activation, _, steps = recruit(p, TOLERANCE, 1)
    assert (steps == 2).any()  # one more than allowed
    assert (activation >= p.low).all() and (activation <= p.high).all()


def test_read_only_and_strided_input_is_accepted():
    p = problem(6)
    strided = p._replace(rows=np.asfortranarray(p.rows), target=np.repeat(p.target, 2, axis=1)[:, ::2])
    strided.rows.setflags(write=False)
    np.testing.assert_array_equal(recruit(strided, TOLERANCE, MAX_STEPS)[0], recruit(p, TOLERANCE, MAX_STEPS)[0])


def test_a_cycle_takes_under_two_milliseconds():
    p = problem(3, frames=101, n=40)
    recruit(p, 1e-10, 100)
    best = min(_seconds(p) for _ in range(5))
    from numba import config

    if not config.DISABLE_JIT:
        assert best < 2e-3  # 0.5 ms measured on one core at 2-3 GHz


def _seconds(p):
    start = time.perf_counter()
    recruit(p, 1e-10, 100)
    return time.perf_counter() - start
