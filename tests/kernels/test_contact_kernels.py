"""Contact kernels against naive twins, finite differences and numpy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import ndimage

from kneeload.contact.springs import Casting, build_springs, level_tuple
from kneeload.forces.ligaments import ligament_force
from kneeload.kernels import contact as kernels
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import TriangleMesh

RADIUS = 22.0


@pytest.fixture(scope="module")
def ball() -> LevelSet:
    axis = -33.0 + 1.5 * np.arange(45)
    field = np.sqrt(sum(a**2 for a in np.meshgrid(axis, axis, axis, indexing="ij"))) - RADIUS
    for k in range(3):
        field = ndimage.spline_filter1d(field, 2, axis=k, mode="mirror")
    thickness = np.random.default_rng(1).uniform(1.0, 3.0, field.shape).astype(np.float32)
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
    kernels.level_set_at(level_tuple(ball), points, value, gradient, hessian)
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
        self.guide = np.array([3.0, 0.6, 0.8, 0.0])
        self.load = (np.array([10.0, 200.0, -30.0]), np.array([3.0, 4.0, 5.0]), np.array([300.0, -500.0]))
        size = len(self.springs.home)
        self.near = (np.empty((24, size)), np.empty(size, np.int64))
        self.ranges, self.rot = np.zeros(3, np.int64), np.zeros((5, 3))
        self.q = np.array([-0.2, 0.05, 0.1, 0.3, 0.4, -0.2, 0.15])

    def place(self, q=None, margin=1.0) -> int:
        return kernels.place(self.q if q is None else q, self.level, self.springs.arrays, 0.02, margin, self.rot, self.near, self.ranges)

    def energy(self, q, nonlinear):
        grad, hess, tension = np.zeros(self.n), np.zeros((self.n, self.n)), np.zeros(5)
        work = (np.zeros((5, 3)), np.zeros(kernels.SUMS), np.zeros(kernels.WEDGE))
        pull, point, moment = self.load
        value = kernels.potential(q, self.near, self.ranges, self.lines, self.anchor, self.weak, self.rest, self.guide, pull, point, moment, nonlinear, work,
                                  grad, hess, tension)
        return value, grad, hess


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


def test_force_is_the_slope_of_the_energy_of_the_level_set_itself(ball):
    problem = _Problem(ball)
    step = 1e-3

    def at(height):
        q = problem.q.copy()
        q[4] = height
        problem.place(q, margin=5.0)
        problem.near[0][4:6, :count] = layers[4:6, :count]  # stiffness and thickness of one pose: they have no part in the slope
        return problem.energy(q, False)

    count = problem.place(margin=5.0)
    layers = problem.near[0].copy()
    above, here, below = at(0.4 + step), at(0.4), at(0.4 - step)
    assert (above[0] - below[0]) / (2 * step) == pytest.approx(here[1][4], rel=1e-6)


def test_pressures_against_a_naive_twin(ball):
    problem = _Problem(ball)
    q, springs = problem.q, problem.springs
    placed = problem.place()
    total = int(springs.start[-1])
    pressure, triangle = np.zeros(total, np.float32), np.full(total, -1, np.int32)
    force, scalars = np.zeros((2, 3)), np.zeros((2, 5))
    kernels.report(q, problem.level, springs.arrays, problem.near, problem.ranges, springs.home, False, problem.rot, pressure, triangle, force, scalars)
    px, py, pz, area, nx, ny, nz, compliance, _, sx, sy, sz = springs.arrays[:12]
    group = np.searchsorted(springs.arrays[12], np.arange(len(px)), side="right") - 1
    want, touched = np.zeros(total), 0
    want_force = np.zeros((2, 3))
    rot = problem.rot[:3]
    for i in range(len(px)):
        local = np.array([px[i], py[i], pz[i]]) + (q[6] * np.array([sx[i], sy[i], sz[i]]) if group[i] else 0.0)
        point = rot @ local + q[3:6]
        f = _naive_value(ball, point)
        if f >= 0:
            continue
        gradient = np.array([_naive_value(ball, point, tuple(np.eye(3, dtype=int)[k])) for k in range(3)])
        part = np.clip(0.5 + 0.5 * (kernels.FACING - (rot @ [nx[i], ny[i], nz[i]]) @ gradient / np.linalg.norm(gradient)) / kernels.TURNING, 0.0, 1.0)
        if part == 0.0:
            continue
        u = (point - ball.origin_mm) / ball.spacing_mm
        thick = ndimage.map_coordinates(ball.thickness_mm.astype(float), u[:, None], order=1)[0]
        p = -f * part**2 * (3.0 - 2.0 * part) / (compliance[i] + 0.02 * thick)
        want[springs.home[i]] = p
        want_force[group[i]] += p * area[i] * gradient
        touched += 1
    assert touched > 50 and placed >= touched
    assert pressure == pytest.approx(want, rel=1e-5, abs=1e-5)
    assert force == pytest.approx(want_force, rel=1e-6)
    assert np.all((triangle >= 0) == (want > 0))
    assert scalars[:, 1].sum() == pytest.approx((want[springs.home] * area).sum(), rel=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 60])
def test_unbalanced_force_is_that_of_the_returned_pose(ball, steps):
    problem = _Problem(ball)
    q, free = problem.q.copy(), np.ones(problem.n, bool)
    q[4] = -1.5
    options, tension = np.array([5.0, 30.0, 1e-5, float(steps)]), np.zeros(5)  # a margin so wide that the search never looks again
    pull, point, moment = problem.load
    norm, used, _ = kernels.settle(q, free, problem.level, problem.springs.arrays, 0.02, problem.lines, problem.anchor, problem.weak, problem.rest, problem.guide,
                                   pull, point, moment, False, options, problem.near, problem.ranges, tension)
    problem.place(q)
    grad = problem.energy(q, False)[1]
    fresh = float(np.linalg.norm(np.concatenate([grad[:3] / kernels.LENGTH, grad[3:]])))
    assert used <= steps
    assert norm == pytest.approx(fresh, rel=1e-6, abs=0.02)  # of 200 N; a search that gave up says what is left where it stopped
    if steps == 60:
        assert norm < 1e-4


def test_a_spring_turns_away_without_a_jump():
    cosine = np.linspace(-1.0, 1.0, 2001)
    share = np.array([kernels._facing(0.0, 1.0, 0.0, 0.9 * np.sqrt(1.0 - c * c), 0.9 * c, 0.0) for c in cosine])
    assert np.all(share[cosine < kernels.FACING - kernels.TURNING] == 1.0) and np.all(share[cosine > kernels.FACING + kernels.TURNING] == 0.0)
    assert share[cosine.searchsorted(kernels.FACING)] == pytest.approx(0.5, abs=0.01)
    assert np.all(np.diff(share) <= 0.0) and np.abs(np.diff(share)).max() < 0.01
    assert np.abs(np.diff(share, 2)).max() < 2e-4  # nor a kink


@pytest.mark.parametrize(("coordinate", "inside", "outside"), [(1, 0.17, 0.18), (2, -0.54, -0.56), (5, 8.9, -9.1)])
def test_limits_of_a_joint(coordinate, inside, outside):
    rest, limit = np.array([-0.7, 0.0, 0.0, 3.0, -2.0, 1.0]), np.array([np.inf, 0.175, 0.55, 18.0, 9.0, 9.0])
    for change, astray in ((inside, False), (outside, True)):
        q = rest.copy()
        q[coordinate] += change
        assert kernels._astray(q, rest, limit) is astray
    forwards, upwards = np.array([np.cos(0.7), -np.sin(0.7)]), np.array([np.sin(0.7), np.cos(0.7)])
    for along, far in ((forwards, 18.0), (upwards, 9.0)):  # axes of the flexed tibia
        for share, astray in ((0.99, False), (1.01, True)):
            q = rest.copy()
            q[3:5] += share * far * along
            assert kernels._astray(q, rest, limit) is astray
    assert kernels._astray(np.full(6, np.nan), rest, limit)


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
        energy, force, rate = kernels.line_tension(value, 700.0, 20.0, 0.06)
        assert (force, rate) == pytest.approx((want, steep), abs=1e-9)
        work = kernels.line_tension(value + step, 700.0, 20.0, 0.06)[0] - kernels.line_tension(value - step, 700.0, 20.0, 0.06)[0]
        assert work / (2 * step) == pytest.approx(force, abs=1e-5)
        assert energy >= 0.0


@pytest.mark.parametrize(("nonlinear", "theta"), [(False, 0.0), (True, 0.0), (False, 0.9)])
def test_layer_law_is_continuous_and_has_its_energy(nonlinear, theta):
    depth = np.concatenate([np.linspace(-0.2, 2.2, 400), [1.8 - 1e-9, 1.8 + 1e-9]])
    arrays = [np.full(depth.size, value) for value in (3.0, 2.0, theta, 4.0)]
    energy, pressure, slope, up, down = (np.empty(depth.size) for _ in range(5))
    kernels.pressure_of_depth(depth, *arrays, nonlinear, energy, pressure, slope)
    kernels.pressure_of_depth(depth + 1e-6, *arrays, nonlinear, up, np.empty(depth.size), np.empty(depth.size))
    kernels.pressure_of_depth(depth - 1e-6, *arrays, nonlinear, down, np.empty(depth.size), np.empty(depth.size))
    assert (up - down) / 2e-6 == pytest.approx(pressure, abs=1e-5)
    assert abs(pressure[-1] - pressure[-2]) < 1e-6
    assert np.all(np.isfinite(pressure)) and np.all(pressure[depth < 0] == 0.0)


def test_a_wedge_that_stiffens_and_a_layer_below_it_share_the_depth():
    depth = np.linspace(0.0, 2.0, 50)
    height, give, initial, growing = 4.0, 0.25, 1.0, 90.0  # mm, mm/MPa, MPa, MPa: tangent modulus initial + growing x strain
    soft, growth = height / initial, growing / initial**2
    theta, beta = soft / (soft + give), growth * give / (soft + give) ** 2
    energy, pressure, slope = (np.empty(depth.size) for _ in range(3))
    kernels.pressure_of_depth(depth, *(np.full(depth.size, value) for value in (1.0 / give, 9.0, theta, beta)), False, energy, pressure, slope)
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
    assert kernels.solve_spd(matrix, right, 0.0, free, factor, step)
    assert step[free] == pytest.approx(np.linalg.solve(matrix[np.ix_(free, free)], right[free]))
    assert np.all(step[~free] == 0.0)
    matrix[3, 3] = -5.0
    assert not kernels.solve_spd(matrix, right, 0.0, free, factor, step)
    assert not kernels.solve_spd(np.full((8, 8), np.nan), right, 0.0, free, factor, step)


def test_area_percentile_against_sorting():
    rng = np.random.default_rng(3)
    pressure, area = rng.gamma(2.0, 1.0, 3000).astype(np.float32), rng.uniform(0.1, 1.0, 3000)
    pressure[:1000] = 0.0
    order = np.argsort(-pressure)
    above = np.cumsum(area[order])
    want = pressure[order][np.argmax(above > 0.01 * area[pressure > 0].sum())]
    found = kernels.area_percentile(pressure, area, np.array([0]), np.array([3000]), 0.01)
    assert found == pytest.approx(want, rel=1e-5)
    assert kernels.area_percentile(np.zeros(5, np.float32), area[:5], np.array([0]), np.array([5]), 0.01) == 0.0
    one = np.array([0, 4.0, 0], np.float32)
    assert kernels.area_percentile(one, area[:3], np.array([0]), np.array([3]), 0.01) == pytest.approx(4.0, rel=1e-5)
