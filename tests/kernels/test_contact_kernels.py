"""Kernels of contact and equilibrium against naive twins, finite differences and numpy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import ndimage

from kneeload.contact.springs import Casting, build_springs, level_tuple
from kneeload.forces.ligaments import ligament_force
from kneeload.kernels import equilibrium, fields, layer, level_set, lines, pose, small_systems, springs
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import TriangleMesh

RADIUS = 22.0


@pytest.fixture(scope="module")
def ball() -> LevelSet:
    axis = -33.0 + 1.5 * np.arange(45)
    field = np.sqrt(sum(a**2 for a in np.meshgrid(axis, axis, axis, indexing="ij"))) - RADIUS
    for k in range(3):
        field = ndimage.spline_filter1d(field, 2, axis=k, mode="mirror")
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    thickness = (2.0 + 0.02 * x - 0.01 * y + 0.6 * np.sin(0.1 * z)).astype(np.float32)
    return LevelSet(coefficients=field, origin_mm=np.full(3, -33.0), spacing_mm=1.5, thickness_mm=thickness,
                    nearest_triangle=np.arange(field.size, dtype=np.int32).reshape(field.shape), band_mm=8.0)


def _b(u: float, order: int) -> float:
    """Centred quadratic B-spline and its derivatives."""
    a = abs(u)
    if a <= 0.5:
        return (0.75 - u * u, -2.0 * u, -2.0)[order]
    if a < 1.5:
        return (0.5 * (1.5 - a) ** 2, -math.copysign(1.5 - a, u), 1.0)[order]
    return 0.0


def _naive_value(level: LevelSet, point: np.ndarray, orders=(0, 0, 0)) -> float:
    u = (point - level.origin_mm) / level.spacing_mm
    near = np.rint(u).astype(int)
    total = 0.0
    for step in itertools.product((-1, 0, 1), repeat=3):
        node = near + step
        total += level.coefficients[tuple(node)] * math.prod(_b(u[k] - node[k], orders[k]) for k in range(3))
    return total / level.spacing_mm ** sum(orders)


def test_level_set_against_a_naive_twin(ball):
    points = np.random.default_rng(0).uniform(-28, 28, (60, 3))
    value, gradient, hessian = np.empty(60), np.empty((60, 3)), np.empty((60, 6))
    level_set.level_set_at(level_tuple(ball), points, value, gradient, hessian)
    unit = np.eye(3, dtype=int)
    for i, p in enumerate(points):
        assert value[i] == pytest.approx(_naive_value(ball, p), abs=1e-12)
        assert gradient[i] == pytest.approx([_naive_value(ball, p, tuple(unit[k])) for k in range(3)], abs=1e-12)
        pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
        assert hessian[i] == pytest.approx([_naive_value(ball, p, tuple(unit[a] + unit[b])) for a, b in pairs], abs=1e-11)


def _saddle(count: int, centre: tuple[float, float, float], name: str, outward: bool = False, soft: float = 0.0) -> Casting:
    """A curved patch below the ball that faces +y."""
    line = np.linspace(-9, 9, count + 1)
    x, z = (a.ravel() for a in np.meshgrid(line, line, indexing="ij"))
    points = np.column_stack([x + centre[0], 0.01 * (x**2 + 0.5 * z**2) + centre[1], z + centre[2]])
    i, j = (a.ravel() for a in np.meshgrid(np.arange(count), np.arange(count), indexing="ij"))
    a, b, c, d = i * (count + 1) + j, i * (count + 1) + j + 1, (i + 1) * (count + 1) + j, (i + 1) * (count + 1) + j + 1
    triangles = np.concatenate([np.column_stack([a, b, d]), np.column_stack([a, d, c])]).astype(np.int32)
    m = len(triangles)
    away = None
    if outward:
        away = np.tile([0.6, 0.0, 0.8], (m, 1))
    return Casting(name=name, mesh=TriangleMesh(points=points, triangles=triangles), thickness_mm=np.full(m, 2.0), compliance=np.full(m, 0.11),
                   used=np.ones(m, bool), outward=away, soft=np.full(m, soft) if soft else None, growth_per_mpa=9.0 if soft else 0.0)


class _Problem:
    """A body with one plain surface, one that moves outwards, ligaments, weak springs and a load."""

    def __init__(self, ball: LevelSet, soft: float = 0.0) -> None:
        rng = np.random.default_rng(4)
        self.springs = build_springs([_saddle(14, (-6.0, -21.4, 3.0), "plate"), _saddle(10, (7.0, -20.6, -3.0), "ring", outward=True, soft=soft)])
        self.level = level_tuple(ball)
        self.n = 7
        self.lines = (rng.normal(size=(5, 3)) * 20, np.array([500.0, 800, 600, 900, 400]), np.array([20.0, 20, 30, 10, 500.0]), np.full(5, 0.06))
        self.anchor = rng.normal(size=(5, 3)) * 30
        self.weak, self.rest = rng.uniform(1, 5, 7), rng.normal(size=7) * 0.1
        self.guide = np.array([3.0, 0.6, 0.8, 0.0, 900.0, 25.0, 12.0, 8.0, 30.0, -18.0, 11.0])
        self.load = (np.array([10.0, 200.0, -30.0]), np.array([3.0, 4.0, 5.0]), np.array([300.0, -500.0]))
        self.near, self.base, self.work = _memory(self.springs)
        self.q = np.array([-0.2, 0.05, 0.1, 0.3, 0.4, -0.2, 0.15])

    def place(self, q=None, margin=1.0) -> int:
        q = self.q if q is None else q
        pose.rotation(q, self.work[0])
        springs.place(q, self.work[0], self.level, self.springs.arrays, 0.02, margin, self.springs.reach_mm, self.near, self.base)
        return int(self.near[2][: self.near[3][-1]].sum())

    def energy(self, q, nonlinear, tangent=True):
        grad, hess, tension = np.zeros(self.n), np.zeros((self.n, self.n)), np.zeros(5)
        pull, point, moment = self.load
        value = equilibrium.potential(q, self.near, self.base, self.lines, self.anchor, self.weak, self.rest, self.guide, pull, point, moment, True if nonlinear else None,
                                      self.work, grad, hess, tension, np.int64(tangent))
        return value, grad, hess


def _memory(springs_of_body):
    """Arrays near, base and work of the kernels, rows in double precision: derivatives are checked by differences."""
    _, group, sphere = springs_of_body.arrays
    chunks = len(sphere) * springs.BLOCK // springs.CHUNK + len(group) - 1
    near = (np.zeros(chunks * springs.ROWS * springs.CHUNK), np.zeros(chunks * springs.CHUNK // springs.BLOCK, np.int64), np.zeros(chunks, np.int64),
            np.zeros(len(group), np.int64), np.zeros(len(sphere)), np.zeros(len(sphere), np.bool_))
    return near, np.zeros(25), (np.zeros((5, 3)), np.zeros((3, 3)), np.zeros(3), np.zeros(springs.SUMS), np.zeros(springs.WEDGE), np.zeros((3, 3)))


def _rows(problem):
    """Rows (ROWS, k) of the placed springs and their numbers (k,)."""
    table = problem.near[0].reshape(-1, springs.ROWS, springs.CHUNK)
    blocks = problem.near[1].reshape(-1, springs.CHUNK // springs.BLOCK)
    used = range(problem.near[3][-1])
    number = [blocks[m, i // springs.BLOCK] * springs.BLOCK + i % springs.BLOCK for m in used for i in range(problem.near[2][m])]
    return np.concatenate([table[m, :, : problem.near[2][m]] for m in used], axis=1), np.array(number)


@pytest.mark.parametrize(("nonlinear", "soft"), [(False, 0.0), (True, 0.0), (False, 2.0)])
def test_gradient_and_tangent_against_finite_differences(ball, nonlinear, soft):
    problem = _Problem(ball, soft)
    assert problem.place() > 50
    _, grad, hess = problem.energy(problem.q, nonlinear)
    step = 1e-6
    for j in range(problem.n):
        up, down = problem.q.copy(), problem.q.copy()
        up[j] += step
        down[j] -= step
        above, below = problem.energy(up, nonlinear), problem.energy(down, nonlinear)
        assert (above[0] - below[0]) / (2 * step) == pytest.approx(grad[j], abs=1e-6 * np.abs(grad).max())
        assert (above[1] - below[1]) / (2 * step) == pytest.approx(hess[:, j], abs=1e-6 * np.abs(hess).max())
    assert np.allclose(hess, hess.T)
    value, alone, _ = problem.energy(problem.q, nonlinear, tangent=False)  # without the tangent: the same force
    assert value == pytest.approx(problem.energy(problem.q, nonlinear)[0], rel=1e-12)
    assert alone == pytest.approx(grad, abs=1e-12 * np.abs(grad).max())


def test_tangent_away_from_the_pose_of_the_placing(ball):
    problem = _Problem(ball, 2.0)
    problem.place()
    q = problem.q + np.array([0.02, -0.01, 0.015, 0.2, -0.3, 0.1, 0.25])
    _, grad, hess = problem.energy(q, False)
    for j in range(problem.n):
        up, down = q.copy(), q.copy()
        up[j] += 1e-6
        down[j] -= 1e-6
        above, below = problem.energy(up, False), problem.energy(down, False)
        assert (above[0] - below[0]) / 2e-6 == pytest.approx(grad[j], abs=1e-6 * np.abs(grad).max())
        assert (above[1] - below[1]) / 2e-6 == pytest.approx(hess[:, j], abs=1e-6 * np.abs(hess).max())


def test_rows_hold_the_spline_at_each_spring(ball):
    problem = _Problem(ball)
    problem.place(margin=0.5)
    rows, number = _rows(problem)
    spring = problem.springs.rows()
    turn, unit = problem.work[0][:3], np.eye(3, dtype=int)
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    for i in np.random.default_rng(5).choice(np.flatnonzero(rows[4] != level_set.FAR), 40, replace=False):
        moved = spring[number[i], :3] + (problem.q[6] * spring[number[i], 9:12] if number[i] >= problem.springs.arrays[1][1] * springs.BLOCK else 0.0)
        point = turn @ moved + problem.q[3:6]
        assert rows[:3, i] == pytest.approx(turn @ moved, abs=1e-12)
        assert rows[4, i] == pytest.approx(_naive_value(ball, point), abs=2e-6)  # the table is kept in single precision
        assert rows[5:8, i] == pytest.approx([_naive_value(ball, point, tuple(unit[k])) for k in range(3)], abs=2e-6)
        assert rows[8:14, i] == pytest.approx([_naive_value(ball, point, tuple(unit[a] + unit[b])) for a, b in pairs], abs=2e-6)


def test_single_precision_gives_the_sums_of_double_precision(ball):
    double, single = _Problem(ball, 2.0), _Problem(ball, 2.0)
    single.near = (single.near[0].astype(np.float32), *single.near[1:])
    assert double.place() == single.place()
    q = double.q + np.array([0.002, -0.001, 0.0015, 0.02, -0.03, 0.01, 0.025])
    for tangent in (True, False):
        exact, rounded = double.energy(q, False, tangent), single.energy(q, False, tangent)
        for wanted, found in zip(exact, rounded):
            assert found == pytest.approx(wanted, abs=1e-6 * np.abs(wanted).max())


def test_thickness_of_a_cell_is_its_best_linear_function(ball):
    _, _, _, _, _, _, _, _, _, _, child, entries = level_tuple(ball)
    node = np.array([22, 7, 24])
    entry = entries.reshape(-1, level_set.ENTRY)[child[np.ravel_multi_index(node, ball.thickness_mm.shape)]]
    u = (np.arange(9) - 4.0) / 9.0
    off = np.stack(np.meshgrid(u, u, u, indexing="ij")).reshape(3, -1)
    exact = ndimage.map_coordinates(ball.thickness_mm.astype(float), node[:, None] + off, order=2, prefilter=False)
    fit = np.linalg.lstsq(np.column_stack([np.ones(off.shape[1]), off.T * ball.spacing_mm]), exact, rcond=None)[0]
    assert entry[27:31] == pytest.approx(fit, rel=2e-3)  # sums over 9 points in place of the integral
    assert entry[31] == 0.0


def test_springs_deep_inside_are_expanded_as_well(ball):
    problem = _Problem(ball)
    q = problem.q.copy()
    q[4] = 6.0  # far deeper than the table goes
    assert problem.place(q) > 50
    rows, _ = _rows(problem)
    for arm, value in list(zip(rows[:3].T, rows[4]))[::17]:
        assert value == pytest.approx(_naive_value(ball, arm + q[3:6]), abs=2e-6)
    assert rows[4].min() < -4.0


def test_force_is_the_slope_of_the_energy_of_the_level_set_itself(ball):
    problem = _Problem(ball)
    step = 1e-3

    def at(height):
        q = problem.q.copy()
        q[4] = height
        problem.place(q, margin=2.0)
        problem.near[0].reshape(-1, springs.ROWS, springs.CHUNK)[:, 3] = stiffness  # of one pose: it has no part in the slope
        return problem.energy(q, False)

    problem.place(margin=2.0)
    stiffness = problem.near[0].reshape(-1, springs.ROWS, springs.CHUNK)[:, 3].copy()
    above, here, below = at(0.4 + step), at(0.4), at(0.4 - step)
    assert (above[0] - below[0]) / (2 * step) == pytest.approx(here[1][4], rel=1e-5)


def test_pressures_against_a_naive_twin(ball):
    problem = _Problem(ball)
    q, body = problem.q, problem.springs
    placed = problem.place()
    total = int(body.start[-1])
    pressure, triangle = np.zeros(total, np.float32), np.full(total, -1, np.int32)
    force, scalars, peak = np.zeros((2, 3)), np.zeros((2, 5)), np.zeros(2)
    home = (body.arrays[0], body.home, body.start, np.array([0, 1]))
    fields.report(q, problem.level, problem.near, problem.base, home, None, problem.work, 0, 1, pressure, triangle, force, scalars, peak)
    for part, found in zip((pressure[:body.start[1]], pressure[body.start[1]:]), peak):
        assert 0.5 * part.max() < found <= part.max() * 1.000001
    spring = body.arrays[0].reshape(-1, springs.COLUMNS, springs.BLOCK).transpose(0, 2, 1).reshape(-1, springs.COLUMNS)
    want, size, touched = np.zeros(total), np.zeros(total), 0
    want_force = np.zeros((2, 3))
    rot = problem.work[0][:3]
    for i, row in enumerate(spring):
        group = int(i >= body.arrays[1][1] * springs.BLOCK)
        point = rot @ (row[:3] + group * q[6] * row[9:12]) + q[3:6]
        f = _naive_value(ball, point)
        if f >= 0 or row[6] == 0.0:
            continue
        gradient = np.array([_naive_value(ball, point, tuple(np.eye(3, dtype=int)[k])) for k in range(3)])
        part = np.clip((springs.FACING[0] - (rot @ row[3:6]) @ gradient) / (springs.FACING[0] - springs.FACING[1]), 0.0, 1.0)
        if part == 0.0:
            continue
        u = (point - ball.origin_mm) / ball.spacing_mm
        thick = ndimage.map_coordinates(ball.thickness_mm.astype(float), u[:, None], order=2, prefilter=False)[0]
        p = -f * part**2 * (3.0 - 2.0 * part) / (row[7] + 0.02 * thick)
        want[body.home[i]], size[body.home[i]] = p, row[6]
        want_force[group] += p * row[6] * gradient
        touched += 1
    assert touched > 50 and placed >= touched
    assert pressure == pytest.approx(want, rel=5e-4, abs=1e-4)  # cartilage thickness is linear within a cell, not a spline
    assert force == pytest.approx(want_force, rel=1e-4, abs=1e-3)
    assert np.all((triangle >= 0) == (pressure > 0)) and np.all((want > 1e-4) <= (pressure > 0))
    assert scalars[:, 1].sum() == pytest.approx((want * size).sum(), rel=1e-4)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 60])
def test_unbalanced_force_is_that_of_the_returned_pose(ball, steps):
    problem = _Problem(ball)
    q, free = problem.q.copy(), np.ones(problem.n, bool)
    q[4] = -1.5
    options, tension = np.array([1.0, 30.0, 1e-5, float(steps)]), np.zeros(5)
    pull, point, moment = problem.load
    norm, used, _, _ = equilibrium.settle(q, free, problem.level, problem.springs.arrays, 0.02, problem.lines, problem.anchor, problem.weak, problem.rest,
                                          problem.guide, pull, point, moment, None, options, problem.near, problem.base, problem.work, tension)
    problem.place(q)
    grad = problem.energy(q, False)[1]
    fresh = float(np.linalg.norm(np.concatenate([grad[:3] / equilibrium.LENGTH, grad[3:]])))
    assert used <= steps
    assert norm == pytest.approx(fresh, rel=1e-3, abs=0.05)  # of 200 N; a search that gave up says what is left where it stopped
    if steps == 60:
        assert norm < 1e-4


def test_a_spring_turns_away_without_a_jump(ball):
    """Plates turned about the x axis below the ball: the share with which their springs count falls from 1 to 0 and has no jump."""
    problem, found = _Problem(ball), []
    spring = problem.springs.arrays[0].reshape(-1, springs.COLUMNS, springs.BLOCK).transpose(0, 2, 1).reshape(-1, springs.COLUMNS)
    for angle in np.linspace(1.0, 2.0, 81):
        q = problem.q.copy()
        sine, cosine = np.sin(angle), np.cos(angle)
        q[:6] = 0.0, angle, 0.0, 0.0, -21.1 + 21.4 * cosine + 3.0 * sine, 21.4 * sine - 3.0 * cosine  # its middle stays below the ball
        if problem.place(q, margin=0.5) == 0:
            continue
        rows, number = _rows(problem)
        rows, own = rows[:, spring[number, 6] > 0], spring[number][spring[number, 6] > 0]
        whole = own[:, 6] / (own[:, 7] + 0.02 * (rows[14] - own[:, 8]))
        found.append(np.column_stack([((own[:, 3:6] @ problem.work[0][:3].T).T * rows[5:8]).sum(axis=0), rows[3] / whole])[rows[4] != level_set.FAR])
    against, part = np.concatenate(found).T
    order = np.argsort(against)
    against, part = against[order], part[order]
    assert np.all(part[against < springs.FACING[1]] == pytest.approx(1.0)) and np.all(part[against > springs.FACING[0]] == pytest.approx(0.0))
    assert np.interp(np.mean(springs.FACING), against, part) == pytest.approx(0.5, abs=0.02)
    assert np.all(np.diff(part) <= 1e-6) and len(part) > 1000


@pytest.mark.parametrize(("coordinate", "inside", "outside"), [(1, 0.17, 0.18), (2, -0.54, -0.56), (5, 8.9, -9.1)])
def test_limits_of_a_joint(coordinate, inside, outside):
    rest, limit = np.array([-0.7, 0.0, 0.0, 3.0, -2.0, 1.0]), np.array([np.inf, 0.175, 0.55, 18.0, 9.0, 9.0])
    for change, astray in ((inside, False), (outside, True)):
        q = rest.copy()
        q[coordinate] += change
        assert equilibrium._astray(q, rest, limit) is astray
    forwards, upwards = np.array([np.cos(0.7), -np.sin(0.7)]), np.array([np.sin(0.7), np.cos(0.7)])
    for along, far in ((forwards, 18.0), (upwards, 9.0)):  # axes of the flexed tibia
        for share, astray in ((0.99, False), (1.01, True)):
            q = rest.copy()
            q[3:5] += share * far * along
            assert equilibrium._astray(q, rest, limit) is astray
    assert equilibrium._astray(np.full(6, np.nan), rest, limit)


def test_nothing_near_and_bad_poses_place_nothing(ball):
    problem = _Problem(ball)
    far = problem.q.copy()
    far[4] = -40.0
    assert problem.place(far) == 0
    assert problem.place(np.full(7, np.nan)) == 0


def test_line_tension_is_the_law_of_the_forces_room():
    length = np.linspace(18.0, 26.0, 50)
    tension, slope = ligament_force(length, 20.0, 700.0, 0.06)
    step = 1e-6
    for value, want, steep in zip(length, tension, slope):
        energy, force, rate = lines.line_tension(value, 700.0, 20.0, 0.06)
        assert (force, rate) == pytest.approx((want, steep), abs=1e-9)
        work = lines.line_tension(value + step, 700.0, 20.0, 0.06)[0] - lines.line_tension(value - step, 700.0, 20.0, 0.06)[0]
        assert work / (2 * step) == pytest.approx(force, abs=1e-5)
        assert energy >= 0.0


@pytest.mark.parametrize(("nonlinear", "theta"), [(False, 0.0), (True, 0.0), (False, 0.9)])
def test_layer_law_is_continuous_and_has_its_energy(nonlinear, theta):
    depth = np.concatenate([np.linspace(-0.2, 2.2, 400), [1.8 - 1e-9, 1.8 + 1e-9]])
    arrays = [np.full(depth.size, value) for value in (3.0, 2.0, theta, 4.0)]
    energy, pressure, slope, up, down = (np.empty(depth.size) for _ in range(5))
    layer.pressure_of_depth(depth, *arrays, nonlinear, energy, pressure, slope)
    layer.pressure_of_depth(depth + 1e-6, *arrays, nonlinear, up, np.empty(depth.size), np.empty(depth.size))
    layer.pressure_of_depth(depth - 1e-6, *arrays, nonlinear, down, np.empty(depth.size), np.empty(depth.size))
    assert (up - down) / 2e-6 == pytest.approx(pressure, abs=1e-5)
    assert abs(pressure[-1] - pressure[-2]) < 1e-6
    assert np.all(np.isfinite(pressure)) and np.all(pressure[depth < 0] == 0.0)


def test_a_wedge_that_stiffens_and_a_layer_below_it_share_the_depth():
    depth = np.linspace(0.0, 2.0, 50)
    height, give, initial, growing = 4.0, 0.25, 1.0, 90.0  # mm, mm/MPa, MPa, MPa: tangent modulus initial + growing x strain
    soft, growth = height / initial, growing / initial**2
    theta, beta = soft / (soft + give), growth * give / (soft + give) ** 2
    energy, pressure, slope = (np.empty(depth.size) for _ in range(3))
    layer.pressure_of_depth(depth, *(np.full(depth.size, value) for value in (1.0 / give, 9.0, theta, beta)), False, energy, pressure, slope)
    strain = (np.sqrt(initial**2 + 2.0 * growing * pressure) - initial) / growing
    assert pressure == pytest.approx(initial * strain + 0.5 * growing * strain**2, rel=1e-12)
    assert height * strain + give * pressure == pytest.approx(depth, abs=1e-12)
    assert slope[1:] == pytest.approx(1.0 / (give + height / (initial + growing * strain[1:])), rel=1e-12)


def test_solver_of_small_systems():
    rng = np.random.default_rng(2)
    half = rng.normal(size=(8, 8))
    matrix, right = half @ half.T + np.eye(8), rng.normal(size=8)
    free = np.array([False, True, True, True, False, True, True, True])
    step, factor = np.ones(8), np.zeros((8, 8))
    assert small_systems.solve_spd(matrix, right, 0.0, free, factor, step)
    assert step[free] == pytest.approx(np.linalg.solve(matrix[np.ix_(free, free)], right[free]))
    assert np.all(step[~free] == 0.0)
    matrix[3, 3] = -5.0
    assert not small_systems.solve_spd(matrix, right, 0.0, free, factor, step)
    assert not small_systems.solve_spd(np.full((8, 8), np.nan), right, 0.0, free, factor, step)


def test_area_percentile_against_sorting():
    rng = np.random.default_rng(3)
    pressure, area = rng.gamma(2.0, 1.0, 3000).astype(np.float32), rng.uniform(0.1, 1.0, 3000)
    pressure[:1000] = 0.0
    border, side = np.array([0, 1400, 2000, 3000]), np.array([1, 0, 1])
    both = np.concatenate([pressure[:1400], np.full(600, 99.0, np.float32), pressure[1400:2400]]).astype(float)
    own = np.concatenate([np.arange(1400), np.arange(2000, 3000)])
    values, sizes = both[own], area[own]
    order = np.argsort(-values)
    above = np.cumsum(sizes[order])
    want = values[order][np.argmax(above > 0.01 * sizes[values > 0].sum())]
    assert fields.area_percentile(both, area, border, side, 1, 0.01) == pytest.approx(want, rel=1e-5)
    assert fields.area_percentile(both, area, border, side, 0, 0.01) == pytest.approx(99.0, rel=1e-5)
    assert fields.area_percentile(both, area, border, side, 2, 0.01) == 0.0
    assert fields.area_percentile(np.zeros(5), area[:5], np.array([0, 5]), np.array([0]), 0, 0.01) == 0.0
