"""Kernels of the stress tensor against plain Python: the formulas of Johnson's book, integrated over discs point by point."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kneeload.kernels.halfspace import RING_WEIGHTS, RINGS
from kneeload.kernels.stress_tensor import LANES, LEAST, TENSOR, add_effective_power, fill_disc_stress, fill_tensor_rows

NU = 0.3


def disc_points(radius: float, rings: int = 40, angles: int = 72) -> np.ndarray:
    """Points of equal area on a disc."""
    r = radius * np.sqrt((np.arange(rings) + 0.5) / rings)
    angle = (np.arange(angles) + 0.5) * 2.0 * math.pi / angles
    return np.stack([np.outer(r, np.cos(angle)).ravel(), np.outer(r, np.sin(angle)).ravel()], axis=1)


def johnson_normal(x, y, z, nu):
    """Johnson 1985, equations 3.18 and 3.19: stress under a unit normal force, (6, ...), with the xy term in its tensor form."""
    r2, rho = x * x + y * y, np.sqrt(x * x + y * y + z * z)
    soft, one = 1.0 - 2.0 * nu, 1.0 - z / rho
    xx = soft / r2 * (one * (x * x - y * y) / r2 + z * y * y / rho**3) - 3.0 * z * x * x / rho**5
    yy = soft / r2 * (one * (y * y - x * x) / r2 + z * x * x / rho**3) - 3.0 * z * y * y / rho**5
    xy = soft / r2 * (2.0 * one * x * y / r2 - x * y * z / rho**3) - 3.0 * x * y * z / rho**5
    return np.stack([xx, yy, -3.0 * z**3 / rho**5, xy, -3.0 * y * z * z / rho**5, -3.0 * x * z * z / rho**5]) / (2.0 * math.pi)


def johnson_tangential(x, y, z, nu):
    """Johnson 1985, section 3.6: stress under a unit force along x, (6, ...)."""
    rho = np.sqrt(x * x + y * y + z * z)
    soft, s = 1.0 - 2.0 * nu, 1.0 / (rho + z)
    a, b, c = s * s / rho, s * s / rho**3, 2.0 * s**3 / rho**2
    xx = soft * (x / rho**3 - 3.0 * x * a + x**3 * (b + c)) - 3.0 * x**3 / rho**5
    yy = soft * (x / rho**3 - x * a + x * y * y * (b + c)) - 3.0 * x * y * y / rho**5
    xy = soft * (-y * a + x * x * y * (b + c)) - 3.0 * x * x * y / rho**5
    return np.stack([xx, yy, -3.0 * x * z * z / rho**5, xy, -3.0 * x * y * z / rho**5, -3.0 * x * x * z / rho**5]) / (2.0 * math.pi)


def naive_stress(x, y, z, force, nu):
    """(6, ...) under a force along x, along y and into the solid; a force along y is one along x seen from the side."""
    turned = johnson_tangential(y, -x, z, nu)[[1, 0, 2, 3, 5, 4]] * np.array([1, 1, 1, -1, 1, -1.0]).reshape(6, *[1] * x.ndim)
    return force[0] * johnson_tangential(x, y, z, nu) + force[1] * turned + force[2] * johnson_normal(x, y, z, nu)


def naive_disc(x, y, z, force, radius, nu):
    disc = disc_points(radius)
    return naive_stress(x - disc[:, 0], y - disc[:, 1], np.full(len(disc), z), force, nu).mean(axis=1)


@pytest.mark.parametrize("nu", [0.0, 0.3, 0.49])
def test_disc_stress_equals_dense_integration(nu: float) -> None:
    rng = np.random.default_rng(2)
    points = np.column_stack([rng.uniform(-6, 6, (8, 2)), rng.uniform(1.5, 9.0, 8)])
    centres, forces, radii = rng.uniform(-5, 5, (5, 2)), rng.uniform(-20.0, 20.0, (5, 3)), rng.uniform(0.2, 1.0, 5)
    got = np.zeros((8, 6))
    fill_disc_stress(points, centres, forces, radii, nu, RINGS, RING_WEIGHTS, got)
    want = sum(np.stack([naive_disc(x - c[0], y - c[1], z, force, radius, nu) for x, y, z in points]) for c, force, radius in zip(centres, forces, radii))
    np.testing.assert_allclose(got, want, atol=0.005 * np.abs(want).max())  # two quadratures of the same disc


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def geometry(points, axes, depths) -> np.ndarray:
    """Fill up to LANES points with the last one."""
    part = np.minimum(np.arange(LANES), len(points) - 1)
    return np.concatenate([points[part].T.ravel(), axes[part].transpose(1, 2, 0).ravel(), depths[part]])


def naive_rows(points, axes, depths, sources, source_normals, radii, nu):
    out = np.zeros((len(sources), TENSOR, len(points)))
    for j, (source, normal, radius) in enumerate(zip(sources, source_normals, radii)):
        for i, (point, (first, second, up), depth) in enumerate(zip(points, axes, depths)):
            if normal @ up <= 0.0:
                continue
            way = point - source
            flat = np.array([way @ first, way @ second])
            flat *= np.linalg.norm(way) / np.linalg.norm(flat)
            force = np.array([-normal @ first, -normal @ second, normal @ up])
            out[j, :, i] = naive_disc(flat[0], flat[1], max(depth, LEAST * radius), force, radius, nu)
    return out


def test_tensor_rows_equal_dense_integration_near_and_far() -> None:
    rng = np.random.default_rng(3)
    points, sources = rng.uniform(-8, 8, (5, 3)), rng.uniform(-9, 9, (12, 3))
    sources[0] = points[0] + 0.1
    sources[9:] += 60.0  # beyond 20 radii of all points: point loads
    up, first = unit(rng.standard_normal((5, 3))), rng.standard_normal((5, 3))
    first = unit(first - (first * up).sum(axis=1, keepdims=True) * up)
    axes = np.stack([first, np.cross(up, first), up], axis=1)
    source_normals, radii, depths = unit(rng.standard_normal((12, 3))), rng.uniform(0.3, 1.0, 12), np.array([0.1, 1.0, 2.5, 6.0, 14.0])
    source_normals[0] = up[0]
    out, chosen = np.full((12, TENSOR * LANES), np.nan, np.float32), np.arange(12)[::-1].copy()
    fill_tensor_rows(geometry(points, axes, depths), sources, source_normals, radii, chosen, NU, RINGS, RING_WEIGHTS, out)
    got, want = out[::-1].reshape(12, TENSOR, LANES), naive_rows(points, axes, depths, sources, source_normals, radii, NU)
    largest = np.abs(want).max(axis=(1, 2), keepdims=True)
    assert (np.abs(got[:, :, :5] - want) <= 0.01 * largest).all()
    assert (got[:, :, 5:] == got[:, :, 4:5]).all()  # what fills up is the last point
    away = (source_normals @ up.T) <= 0.0
    assert away.any() and not away.all() and (got[:, :, :5].transpose(0, 2, 1)[away] == 0.0).all()


def test_a_point_exactly_below_a_disc_has_the_axis_stress() -> None:
    axes = np.eye(3)[[2, 0, 1]][None]
    out = np.empty((1, TENSOR * LANES), np.float32)
    fill_tensor_rows(geometry(np.zeros((1, 3)), axes, np.array([2.0])), np.zeros((1, 3)), np.array([[0.0, 1.0, 0.0]]), np.ones(1), np.zeros(1, np.int64), NU, RINGS,
                     RING_WEIGHTS, out)
    got = out.reshape(TENSOR, LANES)[:, 0] * math.pi  # 1 MPa on the disc
    assert -got[2] == pytest.approx(1.0 - (1.0 + 0.25) ** -1.5, rel=2e-3)
    assert got[0] == pytest.approx(got[1], rel=1e-4) and np.abs(got[3:]).max() < 1e-6


@pytest.mark.parametrize("exponent", [4.0, 3.0])
def test_effective_power_equals_plain_python(exponent: float) -> None:
    rng = np.random.default_rng(4)
    frames, patches = 6, 7
    field, force = rng.standard_normal((patches, TENSOR * LANES)).astype(np.float32), np.where(rng.random((patches, 8)) < 0.4, 0.0, rng.random((patches, 8)))
    seconds = rng.random(frames)
    start, index, value = [0], [], []
    for q in range(2):
        rows = [p for p in range(patches) if force[p, 4 * q:4 * q + 4].any()]
        rows += [0] * (-len(rows) % 4)
        index += rows
        block = force[rows, 4 * q:4 * q + 4].copy()
        block[len([p for p in range(patches) if force[p, 4 * q:4 * q + 4].any()]):] = 0.0
        value += list(block)
        start.append(len(index))
    power, largest = rng.random(LANES), np.zeros(LANES, np.float32)
    before = power.copy()
    add_effective_power(np.array(start), np.array(index, np.int32), np.array(value, np.float32), field, NU, exponent, seconds, power, largest)
    stress = np.einsum("pt,pk->tk", force[:, :frames], field.astype(np.float64)).reshape(frames, TENSOR, LANES)
    xx, yy, zz, xy, yz, zx = stress.transpose(1, 0, 2)
    square = xx**2 + yy**2 + zz**2 - 2 * NU * (xx * yy + yy * zz + zz * xx) + 2 * (1 + NU) * (xy**2 + yz**2 + zx**2)
    np.testing.assert_allclose(power - before, (seconds[:, None] * square ** (0.5 * exponent)).sum(axis=0), rtol=1e-4)  # single precision
    np.testing.assert_allclose(largest, square.max(axis=0), rtol=1e-4)
