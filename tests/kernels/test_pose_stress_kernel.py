"""Contact of a plate with a curved target in one pose, against plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import ndimage

from kneeload.kernels import pose_stress

RX, RZ, LAYER, TARGET_LAYER, MODULUS, TARGET_MODULUS = 25.0, 40.0, 2.0, 1.5, 11.0, 17.0
ORIGIN, SPACING, SHAPE = np.array([-24.0, -18.0, -24.0]), 1.5, (33, 25, 33)
RNG = np.random.default_rng(4)


def phi(p):
    return p[0] ** 2 / (2 * RX) + p[2] ** 2 / (2 * RZ) - p[1]


def slope(p):
    return np.array([p[0] / RX, -1.0, p[2] / RZ])


def level():
    x, y, z = np.meshgrid(*(ORIGIN[a] + SPACING * np.arange(SHAPE[a]) for a in range(3)), indexing="ij")
    field = phi((x, y, z))
    for axis in range(3):
        field = ndimage.spline_filter1d(field, 2, axis=axis, mode="mirror")
    layer = np.full(field.size, TARGET_LAYER, np.float32)
    return (np.append(field, 0.0), layer, np.zeros(field.size, np.int32), *SHAPE, *ORIGIN.tolist(), 1.0 / SPACING, np.zeros(0, np.int32), np.zeros(0, np.float32))


def plate(count=9, half=4.5):
    line = np.linspace(-half, half, count + 1)
    x, z = (grid.ravel() for grid in np.meshgrid(line, line, indexing="ij"))
    points = np.column_stack([x, 0.02 * x * x, z])
    a = (np.arange(count)[:, None] * (count + 1) + np.arange(count)).ravel()
    triangles = np.concatenate([np.column_stack([a, a + 1, a + count + 2]), np.column_stack([a, a + count + 2, a + count + 1])]).astype(np.int32)
    corner = points[triangles]
    cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    area = 0.5 * np.linalg.norm(cross, axis=1)
    centre, size = corner.mean(axis=1), np.linalg.norm(corner - corner.mean(axis=1, keepdims=True), axis=2).max(axis=1)
    block = np.append(np.arange(len(area)), np.full(-len(area) % 16, -1)).reshape(-1, 16)
    middle = np.array([centre[b[b >= 0]].mean(axis=0) for b in block])
    radius = np.array([(np.linalg.norm(centre[b[b >= 0]] - m, axis=1) + size[b[b >= 0]]).max() for b, m in zip(block, middle)])
    return centre, cross / (2.0 * area)[:, None], area, size, np.full(len(area), LAYER), block, middle, radius, points, triangles


def naive(rot, shift, springs, nonlinear, along_casting):
    """Triangle by triangle, rays by bisection, the touching area by counting small parts."""
    centre, normal, area, _, thickness, _, _, _, points, triangles = springs
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
        h = thickness[i] + TARGET_LAYER
        k = 1.0 / (thickness[i] / MODULUS + TARGET_LAYER / TARGET_MODULUS)
        p = -k * h * math.log(1.0 - d / h) if nonlinear else k * d
        energy = k * h * ((h - d) * math.log(1.0 - d / h) + d) if nonlinear else 0.5 * k * d * d
        pressure[i] = p
        sums[:3] += p * area[i] * push
        sums[3:6] += np.cross(rot @ centre[i], p * area[i] * push)
        sums[7:9] += p * area[i], energy * area[i]
        sums[9] = max(sums[9], d / h)
    return sums, pressure, touching


def found(rot, shift, springs, nonlinear, along_casting):
    pressure, depth, sums = np.zeros(len(springs[2])), np.zeros(len(springs[2])), np.zeros(10)
    pose_stress.stress_in_pose(rot, shift, level(), springs, MODULUS, 1.0 / TARGET_MODULUS, nonlinear, along_casting, pressure, depth, sums)
    return sums, pressure, depth


def pose(height):
    a, b = RNG.uniform(-0.15, 0.15, 2)
    turn = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    return turn @ tilt, np.array([*RNG.uniform(-1.0, 1.0, 1), height, *RNG.uniform(-1.0, 1.0, 1)])


@pytest.mark.parametrize("nonlinear", [False, True])
@pytest.mark.parametrize("along_casting", [False, True])
def test_random_poses(nonlinear, along_casting):
    springs = plate()
    for height in (0.02, 0.2, 0.7, 1.2):
        rot, shift = pose(height)
        sums, pressure, depth = found(rot, shift, springs, nonlinear, along_casting)
        want, want_pressure, touching = naive(rot, shift, springs, nonlinear, along_casting)
        np.testing.assert_allclose(pressure, want_pressure, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(np.delete(sums, 6), np.delete(want, 6), rtol=1e-6, atol=1e-6 * max(np.abs(want).max(), 1e-3))
        assert sums[6] == pytest.approx(touching, abs=0.01 * springs[2].sum())
        assert np.all((depth > 0.0) == (pressure > 0.0))


def test_no_contact_facing_away_and_far_off_the_grid():
    springs = plate()
    for rot, shift in ((np.eye(3), np.array([0.0, -1.5, 0.0])), (np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.5, 0.0])), (np.eye(3), np.full(3, 500.0))):
        sums, pressure, depth = found(rot, shift, springs, False, True)
        assert not sums.any() and not pressure.any() and not depth.any()


@pytest.mark.parametrize(("corners", "share"), [((-1.0, -2.0, -3.0), 1.0), ((1.0, 2.0, 0.0), 0.0), ((-1.0, 1.0, 1.0), 0.25), ((1.0, -1.0, -1.0), 0.75),
                                                ((0.0, 0.0, -1.0), 1.0), ((-1.0, 0.0, 1.0), 0.5), ((0.0, 0.0, 0.0), 1.0)])
def test_part_of_a_triangle_below_zero(corners, share):
    for turn in range(3):
        assert pose_stress._part_below(*np.roll(corners, turn)) == pytest.approx(share)
