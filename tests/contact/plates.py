"""Plates and smooth targets with closed-form contact, for the tests of this room."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import ArticularSurface, LayerMaterial, TriangleMesh

SOFT = LayerMaterial(youngs_modulus_mpa=5.0, poisson_ratio=0.4)


def level_set(field: Callable[..., NDArray], low: tuple[float, float, float], shape: tuple[int, int, int], spacing: float, thickness: float = 0.0) -> LevelSet:
    """The level set of field(x, y, z) on a grid: quadratic fields are met exactly away from the border."""
    axes = [low[i] + spacing * np.arange(shape[i]) for i in range(3)]
    values = field(*np.meshgrid(*axes, indexing="ij"))
    for axis in range(3):
        values = ndimage.spline_filter1d(values, 2, axis=axis, mode="mirror")
    return LevelSet(coefficients=values, origin_mm=np.array(low), spacing_mm=spacing, thickness_mm=np.full(shape, thickness, np.float32),
                    nearest_triangle=np.zeros(shape, np.int32), band_mm=6.0)


def paraboloid(radius_x: float, radius_z: float, thickness: float = 0.0) -> LevelSet:
    """A solid above y = x^2 / 2 Rx + z^2 / 2 Rz: the depth of a point of the plane y = d is d - x^2 / 2 Rx - z^2 / 2 Rz, downwards exactly."""
    return level_set(lambda x, y, z: x**2 / (2 * radius_x) + z**2 / (2 * radius_z) - y, (-36.0, -8.0, -36.0), (49, 12, 49), 1.5, thickness)


def plate(half: float, count: int, thickness: float, material: LayerMaterial = SOFT) -> ArticularSurface:
    """A square plate in the plane y = 0 that faces +y, 2 count^2 triangles."""
    line = np.linspace(-half, half, count + 1)
    x, z = np.meshgrid(line, line, indexing="ij")
    points = np.column_stack([x.ravel(), np.zeros(x.size), z.ravel()])
    i, j = (a.ravel() for a in np.meshgrid(np.arange(count), np.arange(count), indexing="ij"))
    a, b, c, d = i * (count + 1) + j, i * (count + 1) + j + 1, (i + 1) * (count + 1) + j, (i + 1) * (count + 1) + j + 1
    triangles = np.concatenate([np.column_stack([a, b, d]), np.column_stack([a, d, c])]).astype(np.int32)
    return ArticularSurface(name="plate", body="tibia", mesh=TriangleMesh(points=points, triangles=triangles),
                            thickness_mm=np.full(len(triangles), thickness), material=material, region=np.full(len(triangles), -1, np.int8))


def raised(height: float) -> NDArray[np.float64]:
    pose = np.eye(4)
    pose[1, 3] = height
    return pose
