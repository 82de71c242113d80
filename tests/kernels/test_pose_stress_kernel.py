"""Contact of a plate with a curved target in one pose, against plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from kneeload.contact import pair
from kneeload.contact.springs import triangle_geometry
from kneeload.kernels import pose_area, pose_stress, spline_lanes
from kneeload.kernels.options import kernel
from kneeload.subject.distance import evaluate
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import ArticularSurface, LayerMaterial, TriangleMesh

RX, RZ, LAYER, TARGET_LAYER, MODULUS, TARGET_MODULUS = 25.0, 40.0, 2.0, 1.5, 11.0, 17.0
ORIGIN, SPACING, SHAPE = np.array([-24.0, -18.0, -24.0]), 1.5, (33, 25, 33)
RNG = np.random.default_rng(4)


def phi(p):
    return p[0] ** 2 / (2 * RX) + p[2] ** 2 / (2 * RZ) - p[1]


def slope(p):
    return np.array([p[0] / RX, -1.0, p[2] / RZ])


def nodes():
    return np.meshgrid(*(ORIGIN[a] + SPACING * np.arange(SHAPE[a]) for a in range(3)), indexing="ij")


def smooth(field, layer):
    for axis in range(3):
        field = ndimage.spline_filter1d(field, 2, axis=axis, mode="mirror")
    return LevelSet(coefficients=field, origin_mm=ORIGIN, spacing_mm=SPACING, thickness_mm=layer.astype(np.float32),
                    nearest_triangle=np.zeros(field.shape, np.int32), band_mm=6.0)


def ball(varied=False):
    """The curved target; its layer is TARGET_LAYER thick, or grows along x."""
    x, y, z = nodes()
    return smooth(phi((x, y, z)), TARGET_LAYER + (0.05 * (x - ORIGIN[0]) if varied else 0.0 * x))


def plate(count=9, half=4.5):
    line = np.linspace(-half, half, count + 1)
    x, z = (grid.ravel() for grid in np.meshgrid(line, line, indexing="ij"))
    points = np.column_stack([x, 0.02 * x * x, z])
    a = (np.arange(count)[:, None] * (count + 1) + np.arange(count)).ravel()
    triangles = np.concatenate([np.column_stack([a, a + 1, a + count + 2]), np.column_stack([a, a + count + 2, a + count + 1])]).astype(np.int32)
    return ArticularSurface(name="plate", body="tibia", mesh=TriangleMesh(points=points, triangles=triangles), thickness_mm=np.full(len(triangles), LAYER),
                            material=LayerMaterial(youngs_modulus_mpa=1.0, poisson_ratio=0.3), region=np.full(len(triangles), -1, np.int8))


def naive(rot, shift, surface, nonlinear, along_casting):
    """Triangle by triangle, rays by bisection, the touching area by counting small parts."""
    points, triangles = surface.mesh.points, surface.mesh.triangles
    centre, normal, area = triangle_geometry(surface.mesh)
    sums, pressure, touching = np.zeros(10), np.zeros(len(area)), 0.0
    for i in range(len(area)):
        x, inward = rot @ centre[i] + shift, -rot @ normal[i]
        if slope(x) @ inward <= 0.2 * np.linalg.norm(slope(x)):
            continue
        corner = points[triangles[i]] @ rot.T + shift
        parts = [(u, v) for u in (np.arange(20) + 0.5) / 20 for v in (np.arange(20) + 0.5) / 20 if u + v < 1.0]
        touching += area[i] * np.mean([phi(corner[0] + u * (corner[1] - corner[0]) + v * (corner[2] - corner[0])) < 0.0 for u, v in parts])
        if phi(x) >= 0.0:
            continue
        d, push = -phi(x), slope(x)
        if along_casting:
            low, high, push = 0.0, 20.0, inward
            for _ in range(60):
                d = 0.5 * (low + high)
                low, high = (d, high) if phi(x + d * inward) < 0.0 else (low, d)
        h = LAYER + TARGET_LAYER
        k = 1.0 / (LAYER / MODULUS + TARGET_LAYER / TARGET_MODULUS)
        p = -k * h * math.log(1.0 - d / h) if nonlinear else k * d
        energy = k * h * ((h - d) * math.log(1.0 - d / h) + d) if nonlinear else 0.5 * k * d * d
        pressure[i] = p
        sums[:3] += p * area[i] * rot.T @ push
        sums[3:6] += rot.T @ np.cross(rot @ centre[i], p * area[i] * push)
        sums[7:9] += p * area[i], energy * area[i]
        sums[9] = max(sums[9], d / h)
    return sums, pressure, touching


def found(rot, shift, surface, nonlinear, along_casting, target=None):
    pose = np.eye(4)[None].copy()
    pose[0, :3, :3], pose[0, :3, 3] = rot, shift
    pressure, depth, sums = np.zeros((1, len(surface.areas))), np.zeros((1, len(surface.areas))), np.zeros((1, pose_stress.SUMS))
    done = pose_stress.stress_in_poses(pose, pair._smooth(target or ball()), pair._springs(surface)[0], (1.0 / MODULUS, 1.0 / TARGET_MODULUS, nonlinear, along_casting),
                                       0.01, pressure, depth, sums)
    assert done == 1
    return sums[0], pressure[0], depth[0]


def pose(height):
    a, b = RNG.uniform(-0.15, 0.15, 2)
    turn = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    return turn @ tilt, np.array([*RNG.uniform(-1.0, 1.0, 1), height, *RNG.uniform(-1.0, 1.0, 1)])


@pytest.mark.parametrize("nonlinear", [False, True])
@pytest.mark.parametrize("along_casting", [False, True])
def test_random_poses(nonlinear, along_casting):
    surface = plate()
    for height in (0.02, 0.2, 0.7, 1.2):
        rot, shift = pose(height)
        sums, pressure, depth = found(rot, shift, surface, nonlinear, along_casting)
        want, want_pressure, touching = naive(rot, shift, surface, nonlinear, along_casting)
        np.testing.assert_allclose(pressure, want_pressure, rtol=1e-6, atol=1e-5)  # 3e-6 mm deep
        np.testing.assert_allclose(np.delete(sums[:10], 6), np.delete(want, 6), rtol=1e-6, atol=1e-6 * max(np.abs(want).max(), 1e-3))
        assert sums[6] == pytest.approx(touching, abs=0.01 * surface.areas.sum())
        assert np.all((depth > 0.0) == (pressure > 0.0))
        assert sums[pose_stress.PEAK] == pressure.max()


def test_no_contact_facing_away_and_far_off_the_grid():
    surface = plate()
    for rot, shift in ((np.eye(3), np.array([0.0, -1.5, 0.0])), (np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.5, 0.0])), (np.eye(3), np.full(3, 500.0))):
        sums, pressure, depth = found(rot, shift, surface, False, True)
        assert not sums.any() and not pressure.any() and not depth.any()


def test_a_layer_that_varies_is_read_where_the_triangle_lies():
    surface, (rot, shift) = plate(), pose(0.7)
    _, pressure, depth = found(rot, shift, surface, False, False, ball(varied=True))
    pressed = np.flatnonzero(pressure)
    layer = TARGET_LAYER + 0.05 * ((surface.centroids[pressed] @ rot.T + shift)[:, 0] - ORIGIN[0])
    assert len(pressed) > 20
    np.testing.assert_allclose(pressure[pressed] * (LAYER / MODULUS + layer / TARGET_MODULUS), depth[pressed], rtol=1e-6)


def _rippled():
    """The curved target, rippled as a scanned surface is: 0.03 mm every 7 mm."""
    x, y, z = nodes()
    return smooth(phi((x, y, z)) + 0.03 * np.sin(0.9 * x) * np.cos(0.8 * z), TARGET_LAYER + 0.0 * x)


def _in_double(rot, shift, surface, level):
    """Force, moment, area, normal force, energy (as in sums) in double precision by numpy, depth along the target's normal."""
    centre, normal, area = triangle_geometry(surface.mesh)
    value, slope_there = evaluate(level, centre @ rot.T + shift)
    along = ((normal @ rot.T) * slope_there).sum(axis=1)
    counts = along < -0.2 * np.linalg.norm(slope_there, axis=1)
    depth = np.where(counts, np.maximum(-value, 0.0), 0.0)
    pressure = depth / (LAYER / MODULUS + TARGET_LAYER / TARGET_MODULUS)
    load = (pressure * area)[:, None] * slope_there
    corner = surface.mesh.points[surface.mesh.triangles] @ rot.T + shift
    corners = np.concatenate([corner, 0.5 * (corner + corner[:, [1, 2, 0]])], axis=1)
    at = evaluate(level, corners.reshape(-1, 3))[0].reshape(-1, 6)
    parts = [np.mean([pose_area.part_below(*values[list(three)]) for three in ((3, 4, 5), (0, 3, 5), (1, 4, 3), (2, 5, 4))]) for values in at]
    whole = (at[:, :3].min(axis=1) >= 0.0) | (at[:, :3].max(axis=1) <= 0.0)
    below = (area * np.where(whole, value < 0.0, parts))[counts].sum()
    return np.concatenate([load.sum(axis=0) @ rot, np.cross(centre @ rot.T, load).sum(axis=0) @ rot, [below, (pressure * area).sum(), (0.5 * pressure * depth * area).sum()]]), depth


@pytest.mark.parametrize("seed", range(4))
def test_sums_are_those_of_double_precision_to_one_in_a_million(seed):
    """3,200 triangles of 0.03 mm2 far from the origin of their body: single precision must not be seen in a sum."""
    rng = np.random.default_rng(seed)
    surface, level = plate(count=40, half=5.0), _rippled()
    turn = np.linalg.qr(np.eye(3) + 0.1 * rng.normal(size=(3, 3)))[0]
    turn = turn * np.sign(np.diag(turn))
    away = rng.uniform(-40.0, 40.0, 3)  # of the body from the place of contact
    moved = ArticularSurface(name="plate", body="tibia", mesh=TriangleMesh(points=surface.mesh.points - away, triangles=surface.mesh.triangles),
                             thickness_mm=surface.thickness_mm, material=surface.material, region=surface.region)
    shift = turn @ away + [0.3, 0.6, -0.2]
    sums, _, depth = found(turn, shift, moved, False, False, level)
    want, deep = _in_double(turn, shift, moved, level)
    force = np.linalg.norm(want[:3])
    assert np.count_nonzero(deep) > 500 and np.ptp(deep[deep > 0.0]) > 0.3
    assert np.linalg.norm(sums[:3] - want[:3]) < 1e-6 * force
    assert np.linalg.norm(sums[3:6] - want[3:6]) < 1e-6 * np.linalg.norm(want[3:6])
    np.testing.assert_allclose(sums[6:9], want[6:], rtol=1e-6)
    np.testing.assert_allclose(depth, deep, atol=3e-6)


def test_a_plate_in_parts_has_the_forces_of_the_whole():
    """Blocks, padding and order play no part: a plate of 7 x 7 x 2 triangles with every row left out in turn."""
    surface, (rot, shift) = plate(count=7, half=3.0), pose(0.6)
    whole = found(rot, shift, surface, False, False)[0]
    rest = np.arange(98) % 14
    parts = sum(found(rot, shift, ArticularSurface(
        name="part", body="tibia", mesh=surface.mesh.selected(rest == k), thickness_mm=surface.thickness_mm[rest == k], material=surface.material,
        region=surface.region[rest == k]), False, False)[0] for k in range(14))
    np.testing.assert_allclose(parts[:9], whole[:9], rtol=1e-6, atol=1e-6 * np.abs(whole).max())


@kernel
def _look_up(target, points, cells, lanes):
    for j in range(points.shape[0]):
        x, y, z = ((points[j, 0] - target[7]) * target[10], (points[j, 1] - target[8]) * target[10], (points[j, 2] - target[9]) * target[10])
        cells[j], _, _, _, u, v, w = spline_lanes.lane_cell(target[4:7], x - 1.0, y - 1.0, z - 1.0, 0.0, 0.0, 0.0)
        lanes[j], lanes[j + 64], lanes[j + 128] = spline_lanes.within(u), spline_lanes.within(v), spline_lanes.within(w)
        lanes[j + 192] = max(abs(u), abs(v), abs(w)) - 0.5
    nz = np.uint64(target[6])
    for j in range(0, points.shape[0], spline_lanes.LOOK):
        spline_lanes.level_of_lanes(target[0], nz, np.uint64(target[5]) * nz, np.float32(target[10]), cells, lanes, np.uint64(j), np.uint64(0), np.uint64(256))
        spline_lanes.value_of_lanes(target[0], nz, np.uint64(target[5]) * nz, np.float32(target[10]), cells, lanes, np.uint64(j), np.uint64(0), np.uint64(512))


def _rough():
    """A target whose coefficients are random: every cell bends its own way."""
    return LevelSet(coefficients=RNG.normal(size=SHAPE), origin_mm=ORIGIN, spacing_mm=SPACING, thickness_mm=np.ones(SHAPE, np.float32),
                    nearest_triangle=np.zeros(SHAPE, np.int32), band_mm=6.0)


def _values(target, points):
    lanes, cells = np.zeros(10 * 64, np.float32), np.zeros(64, np.int32)
    _look_up(target, points, cells, lanes)
    rows = lanes.reshape(10, 64)
    return rows[4], rows[5:8].T, rows[8], rows[3]


def _weight(u):
    return 0.75 - u * u if abs(u) <= 0.5 else 0.5 * (1.5 - abs(u)) ** 2 if abs(u) < 1.5 else 0.0


def test_many_points_at_once_against_the_sum_over_all_taps():
    level = _rough()
    points = ORIGIN + SPACING * RNG.uniform(1.0, np.array(SHAPE) - 2.0, (64, 3))
    value, gradient, alone, beyond = _values(pair._smooth(level), points)

    def by_hand(p):
        at = (p - ORIGIN) / SPACING
        near = [range(int(a) - 1, int(a) + 3) for a in at]
        return sum(level.coefficients[i, j, k] * _weight(at[0] - i) * _weight(at[1] - j) * _weight(at[2] - k) for i in near[0] for j in near[1] for k in near[2])

    want = np.array([by_hand(p) for p in points])
    np.testing.assert_allclose(value, want, atol=1e-6)
    np.testing.assert_allclose(alone, value, atol=1e-6)
    assert np.all(beyond <= 0.0) and np.all(_values(pair._smooth(level), points + 100.0)[3] > 0.0)
    for axis in range(3):
        step = np.eye(3)[axis] * 1e-6
        np.testing.assert_allclose(gradient[:, axis], [(by_hand(p + step) - by_hand(p - step)) / 2e-6 for p in points], rtol=1e-6, atol=1e-7)


def test_the_bound_on_the_bend_holds():
    """|f(x + e) - f(x) - g e| <= bend e^2 / 2 for every e within reach: what the kernel uses to leave triangles out."""
    level = _rough()
    target, spans = pair._smooth(level), []
    for _ in range(40):
        x = ORIGIN + SPACING * RNG.uniform(2.0, np.array(SHAPE) - 3.0, (64, 3))
        e = RNG.normal(size=(64, 3))
        e *= (pose_stress.REACH * SPACING * RNG.uniform(0.1, 1.0, 64) / np.linalg.norm(e, axis=1))[:, None]
        f, g, _, _ = _values(target, x)
        node = np.rint((x - ORIGIN) / SPACING).astype(int)
        octant = ((x - ORIGIN) / SPACING > node) @ [4, 2, 1]
        bend = target[3].reshape(-1, 8)[np.ravel_multi_index(tuple(node.T), SHAPE), octant]
        spans.append(np.abs(_values(target, x + e)[0] - f - (g * e).sum(axis=1)) / (0.5 * bend * (e**2).sum(axis=1)))
    assert 0.2 < np.max(spans) <= 1.0


def test_the_pressure_that_a_share_of_the_area_exceeds():
    for size in (1, 2, 5, 40, 700):
        for share in (0.01, 0.3, 1.0):
            value, weight = RNG.choice(RNG.uniform(0.1, 3.0, max(1, size // 2)), size), RNG.uniform(0.1, 1.0, size)
            order = np.argsort(value)[::-1]
            above = np.cumsum(weight[order])
            want = value[order][min(int(np.searchsorted(above, share * above[-1] * (1.0 - 1e-12))), size - 1)]
            assert pose_area.exceeded(value.copy(), weight.copy(), size, share * (1.0 - 1e-12), value.max(), weight.sum()) == want


@pytest.mark.parametrize(("corners", "share"), [((-1.0, -2.0, -3.0), 1.0), ((1.0, 2.0, 0.0), 0.0), ((-1.0, 1.0, 1.0), 0.25), ((1.0, -1.0, -1.0), 0.75),
                                                ((0.0, 0.0, -1.0), 1.0), ((-1.0, 0.0, 1.0), 0.5), ((0.0, 0.0, 0.0), 1.0)])
def test_part_of_a_triangle_below_zero(corners, share):
    for turn in range(3):
        assert pose_area.part_below(*np.roll(corners, turn)) == pytest.approx(share)
