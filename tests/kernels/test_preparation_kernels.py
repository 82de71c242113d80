"""Kernels that make a knee ready (cell table, blocks of springs, contact centres), against plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.contact.springs import BAND_SPACINGS, Casting, block_order, build_springs, level_tuple
from kneeload.kernels import level_set as kernels
from kneeload.kernels.spring_blocks import order_blocks
from kneeload.kernels.springs import BLOCK
from kneeload.kernels.touching import ARRIVED_MM, STEPS, touching_centres
from kneeload.subject.distance import evaluate
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import TriangleMesh

SPACING = 1.5


@pytest.fixture(scope="module")
def valley() -> LevelSet:
    """Two balls side by side as the target, in a grid without any symmetry, with a layer that varies."""
    shape, origin = (30, 24, 44), np.array([-21.3, -14.2, -33.1])
    x, y, z = np.meshgrid(*(o + SPACING * np.arange(n) for o, n in zip(origin, shape)), indexing="ij")
    away = np.minimum(np.hypot(np.hypot(x - 1.0, y - 4.0), z + 14.0) - 11.0, np.hypot(np.hypot(x, y - 5.0), z - 15.0) - 13.0)
    layer = (2.0 + 0.05 * x + 0.3 * np.sin(0.4 * z)).astype(np.float32)
    return LevelSet(coefficients=away, origin_mm=origin, spacing_mm=SPACING, thickness_mm=layer, nearest_triangle=np.zeros(shape, np.int32), band_mm=6.0)


def _polynomials(values: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Polynomials (n, 27) of a B-spline in the cells around nodes (n,), by the product of three matrices."""
    h, (_, ny, nz), step = SPACING, values.shape, np.arange(-1, 2)
    own = np.array([[0.125, 0.75, 0.125], [-0.5 / h, 0.0, 0.5 / h], [0.5 / h**2, -1.0 / h**2, 0.5 / h**2]])  # of one direction: power by neighbour
    near = (step[:, None, None] * ny + step[:, None]) * nz + step
    return values.reshape(-1)[cells[:, None] + near.reshape(-1)] @ np.kron(np.kron(own, own), own).T


def test_table_holds_the_polynomials_of_the_cells_near_the_surface(valley: LevelSet) -> None:
    child, entries = level_tuple(valley)[-2:]
    over = valley.coefficients / SPACING
    kept = (over > BAND_SPACINGS[0]) & (over < BAND_SPACINGS[1])
    kept[[0, -1]] = kept[:, [0, -1]] = kept[:, :, [0, -1]] = False
    cells = np.flatnonzero(kept)
    assert len(cells) > 2000 and np.array_equal(child[cells], np.arange(1, len(cells) + 1))
    assert np.array_equal(np.delete(child, cells), np.where(np.delete(over.reshape(-1), cells) > 0.0, 0, -1))
    table = entries.reshape(-1, kernels.ENTRY)
    assert len(table) == len(cells) + 1 and np.array_equal(table[0], [kernels.FAR] + [0.0] * 31) and not table[:, 31].any()
    exact = _polynomials(valley.coefficients, cells)
    np.testing.assert_allclose(table[1:, :27], exact, rtol=2e-7, atol=1e-7 * np.abs(exact).max())
    assert entries.ctypes.data % 64 == 0  # an entry begins where a cache line does


def test_layer_of_a_cell_has_its_mean_and_its_mean_slope(valley: LevelSet) -> None:
    child, entries = level_tuple(valley)[-2:]
    cells = np.flatnonzero(child > 0)
    u, weight = np.polynomial.legendre.leggauss(3)
    powers = (0.5 * SPACING * u[:, None]) ** np.arange(3)
    mean, slope = 0.5 * weight @ powers, np.array([0.0, 1.0, 0.0])
    wanted = [np.kron(np.kron(a, b), c) for a, b, c in ((mean, mean, mean), (slope, mean, mean), (mean, slope, mean), (mean, mean, slope))]
    exact = _polynomials(valley.thickness_mm.astype(float), cells) @ np.column_stack(wanted)
    np.testing.assert_allclose(entries.reshape(-1, kernels.ENTRY)[1:, 27:31], exact, rtol=1e-6, atol=1e-7)


def _surface(count: int, seed: int) -> np.ndarray:
    x, z = np.random.default_rng(seed).uniform(-20.0, 20.0, (2, count))
    return np.column_stack([x, 0.02 * x * z, 0.7 * z])


def _lattice() -> np.ndarray:
    x, z = np.meshgrid(np.arange(23.0), np.arange(17.0), indexing="ij")
    return np.column_stack([x.ravel(), np.zeros(x.size), z.ravel()])


@pytest.mark.parametrize("points", [*(_surface(n, n) for n in (0, 1, 7, 8, 9, 16, 17, 63, 64, 65, 200, 1234)), _lattice(), _lattice()[::-1][:, [1, 2, 0]]], ids=len)
def test_blocks_are_those_of_stable_sorts(points: np.ndarray) -> None:
    order = np.arange(len(points))
    assert order_blocks(np.ascontiguousarray(points), order)
    assert np.array_equal(order, block_order(points))


def test_crowded_points_are_left_to_numpy() -> None:
    points = np.concatenate([_surface(300, 1) * 1e-6, [[1.0, 0.0, 0.0]]])
    order = np.arange(len(points))
    assert not order_blocks(points, order)
    assert np.array_equal(np.sort(block_order(points)), np.arange(301))
    mesh = _triangles(points)
    springs = build_springs([_casting("crowd", mesh, np.ones(len(mesh.triangles), bool))])
    assert np.array_equal(np.unique(springs.home), np.arange(301))


def _triangles(centre: np.ndarray) -> TriangleMesh:
    """One small triangle around each point, normal up."""
    corner = np.array([[-0.2, 0.0, -0.1], [0.0, 0.0, 0.2], [0.2, 0.0, -0.1]])
    return TriangleMesh(points=(centre[:, None] + corner).reshape(-1, 3), triangles=np.arange(3 * len(centre)).reshape(-1, 3))


def _casting(name: str, mesh: TriangleMesh, used: np.ndarray, *, moves: bool = False) -> Casting:
    rng, count = np.random.default_rng(len(used)), len(used)
    outward = rng.normal(size=(count, 3)) if moves else None
    return Casting(name=name, mesh=mesh, thickness_mm=rng.uniform(1.0, 3.0, count), compliance=rng.uniform(0.1, 0.3, count), used=used, outward=outward,
                   soft=rng.uniform(0.5, 1.0, count) if moves else None, growth_per_mpa=0.4 if moves else 0.0)


def test_springs_are_the_triangles_in_use_and_their_spheres_hold_them() -> None:
    used = np.arange(500) % 5 > 0
    castings = [_casting("plate", _triangles(_surface(500, 1)), used), _casting("none", _triangles(_surface(40, 2)), np.zeros(40, bool)),
                _casting("ring", _triangles(_surface(333, 3)), np.ones(333, bool), moves=True)]
    springs = build_springs(castings)
    rows, (_, group, sphere) = springs.rows(), springs.arrays
    block = [50, 0, 42]
    assert np.array_equal(group, np.cumsum([0, *block])) and np.array_equal(springs.start, [0, 500, 540, 873])
    real = rows[:, 6] > 0.0
    assert np.array_equal(np.sort(springs.home[real]), np.concatenate([np.flatnonzero(used), np.arange(540, 873)]))
    assert np.array_equal(np.flatnonzero(~real), np.arange(92 * 8 - 3, 92 * 8))  # 333 springs need three to fill 42 blocks
    whole = [np.concatenate([getattr(c, name) for c in castings]) for name in ("compliance", "thickness_mm")]
    centre, normal, area = (np.concatenate([getattr(c.mesh, name) for c in castings]) for name in ("centroids", "normals", "areas"))
    wanted = np.column_stack([centre, normal, area, *whole])[springs.home]
    wanted[~real, 6] = 0.0
    assert np.array_equal(rows[:, :9], wanted.astype(np.float32))
    ring = slice(50 * BLOCK, None)
    assert np.array_equal(rows[ring, 9:12], castings[2].outward[springs.home[ring] - 540].astype(np.float32)) and not rows[: 50 * BLOCK, 9:13].any()
    assert np.array_equal(rows[ring, 12], castings[2].soft[springs.home[ring] - 540].astype(np.float32)) and np.all(rows[ring, 13] == np.float32(0.4))
    place = centre[springs.home].reshape(-1, BLOCK, 3)
    np.testing.assert_allclose(sphere[:, :3], 0.5 * (place.min(axis=1) + place.max(axis=1)), rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(sphere[:, 3], np.linalg.norm(place - sphere[:, None, :3], axis=2).max(axis=1), rtol=1e-15)
    np.testing.assert_allclose(sphere[:, 4:], rows[:, [3, 4, 5, 9, 10, 11]].reshape(-1, BLOCK, 6).mean(axis=1, dtype=float), atol=1e-6)
    assert springs.reach_mm == pytest.approx(np.linalg.norm(place, axis=2).max(), rel=1e-15)


def _to_femur(points: np.ndarray, flexion: float, shift: float, tilt: float) -> np.ndarray:
    c, s, ct, st = np.cos(flexion), np.sin(flexion), np.cos(tilt), np.sin(tilt)
    tilted = points @ np.array([[1.0, 0.0, 0.0], [0.0, ct, -st], [0.0, st, ct]]).T - [0.0, shift, 0.0]
    return tilted @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]).T


def _naive_centres(target: LevelSet, points: np.ndarray, area: np.ndarray, compliance: np.ndarray, border: np.ndarray, modulus: float, scale: float,
                   flexion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Contact centres (k, 2, 2), looking at every point in every step, and the remaining gaps (k, 2)."""
    first, bare, shift, tilt = border[1], border[2], 0.0, 0.0
    sides = np.r_[:first, bare:border[3]], np.r_[first:bare, border[3]:border[4]]
    centres, left = np.empty((len(flexion), 2, 2)), np.empty((len(flexion), 2))
    for k, angle in enumerate(flexion):
        for step in range(STEPS + 1):
            gap = evaluate(target, _to_femur(points[:bare], angle, shift, tilt))[0]
            i, j = int(np.argmin(gap[:first])), first + int(np.argmin(gap[first:]))
            if max(abs(gap[i]), abs(gap[j])) < ARRIVED_MM or step == STEPS:
                break
            rise = (gap[j] - gap[i]) / (points[j, 2] - points[i, 2])
            shift, tilt = shift - gap[i] + rise * points[i, 2], tilt - rise
        at, left[k] = _to_femur(points, angle, shift, tilt), (gap[i], gap[j])
        node = np.clip(np.floor((at - target.origin_mm) / SPACING + 0.5), 0, np.array(target.thickness_mm.shape) - 1).astype(int)
        layer = target.thickness_mm[tuple(node.T)].astype(float)
        weight = area * np.exp(-np.maximum(evaluate(target, at)[0], 0.0) / scale) / (compliance + layer / modulus)
        for side, own in enumerate(sides):
            centres[k, side] = np.average(points[own][:, [0, 2]], axis=0, weights=weight[own])
    return centres, left


def test_contact_centres_are_those_of_looking_everywhere(valley: LevelSet) -> None:
    rng = np.random.default_rng(5)
    border = np.array([0, 300, 650, 750, 900])
    points = np.column_stack([rng.uniform(-12.0, 12.0, 900), np.zeros(900), rng.uniform(2.0, 26.0, 900)])
    medial = np.r_[:300, 650:750]
    points[medial, 2] *= -1.0
    points[:, 1] = -9.0 + 0.02 * points[:, 0] ** 2 + 0.05 * points[:, 2]
    area, compliance = rng.uniform(0.2, 0.5, 900), rng.uniform(0.1, 0.2, 900)
    flexion = np.deg2rad([0.0, 15.0, 40.0])
    wanted, left = _naive_centres(valley, points, area, compliance, border, 20.0, 0.5, flexion)
    assert np.abs(left).max() < ARRIVED_MM and np.ptp(wanted[:, :, 0], axis=0).min() > 0.5  # it touches, and the centres move
    centres = np.empty((3, 2, 2))
    fixed = [array.view() for array in (valley.coefficients.reshape(-1), valley.thickness_mm, valley.origin_mm, points, area, compliance)]
    for array in fixed:
        array.setflags(write=False)
    touching_centres(*fixed[:3], SPACING, 6.0, *fixed[3:], border, np.float32(20.0), 0.5, flexion, centres)
    np.testing.assert_allclose(centres, wanted, rtol=1e-6)
