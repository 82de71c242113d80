"""The kernels once more with numpy and scipy, as the formulas stand, to check what was timed. Also counts of the arithmetic of one spring."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from placed import Placed
from scipy import ndimage

from kneeload.kernels import springs as kernels
from kneeload.subject.level_set import LevelSet

Array = NDArray[np.float64]
UPPER = ([0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2])  # where xx, xy, xz, yy, yz, zz stand in a symmetric matrix


def rows_of(table: Array, chunk_size: NDArray[np.int64], first: int, last: int) -> Array:
    """Return the rows (ROWS, n) of the springs in chunks first..last-1."""
    chunks = table.reshape(-1, kernels.ROWS, kernels.CHUNK)
    return np.concatenate([chunks[m, :, :chunk_size[m]] for m in range(first, last)], axis=1)


def sums_of(rows: Array, turn: Array, shift: Array, outward: float | None = None) -> tuple[Array, Array]:
    """Return sums (34,) and wedge (11,) of springs in the linear law; outward (mm) for the springs of a meniscus, None for those of a plate."""
    arm, stiffness, value, gradient = rows[:3].T, rows[3], rows[4], rows[5:8].T
    hessian = np.zeros((len(arm), 3, 3))
    hessian[:, UPPER[0], UPPER[1]] = hessian[:, UPPER[1], UPPER[0]] = rows[8:14].T
    out = rows[17:20].T
    step = np.zeros_like(arm) if outward is None else outward * out
    arm = arm + step
    moved = arm @ turn.T
    way = moved + step + shift
    value = value + (gradient * way).sum(axis=1) + 0.5 * np.einsum("ni,nij,nj->n", way, hessian, way)
    gradient = gradient + np.einsum("nij,nj->ni", hessian, way)
    arm = arm + moved
    depth = np.maximum(-value, 0.0)
    theta, beta = (rows[15], rows[16]) if outward is not None else (np.zeros_like(depth), np.zeros_like(depth))
    root = np.sqrt(1.0 + 2.0 * beta * depth)
    force = stiffness * depth * (1.0 - 2.0 * theta / (1.0 + root))
    energy = stiffness * depth**2 * (0.5 - 2.0 * theta * (2.0 * root + 1.0) / (3.0 * (1.0 + root) ** 2))
    slope = np.where(depth > 0.0, stiffness * (1.0 - theta / root), 0.0)
    pull = -force[:, None] * gradient
    tangent = slope[:, None, None] * gradient[:, :, None] * gradient[:, None, :] - force[:, None, None] * hessian
    cross = np.zeros((len(arm), 3, 3))
    x, y, z = arm.T
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 0], cross[:, 1, 2], cross[:, 2, 0], cross[:, 2, 1] = -z, y, z, -x, -y, x
    mixed = cross @ tangent
    turning = (mixed @ cross.transpose(0, 2, 1)).sum(axis=0)
    sums = np.concatenate([[energy.sum()], pull.sum(axis=0), (arm.T @ pull).ravel(), tangent.sum(axis=0)[UPPER], mixed.sum(axis=0).ravel(), turning[UPPER]])
    along = out + out @ turn.T
    bent = np.einsum("nij,nj->ni", tangent, along)
    wedge = np.concatenate([[(along * pull).sum(), (along * bent).sum()], bent.sum(axis=0), np.cross(arm, bent).sum(axis=0), np.cross(along, pull).sum(axis=0)])
    return sums, wedge


def plates(source: Placed) -> Array:
    """Return the sums of the springs of the plates, (34,)."""
    return sums_of(rows_of(source.near[0], source.near[2], 0, source.plain_chunks), source.turn, source.shift)[0]


def level_at(level: LevelSet, points: Array) -> Array:
    """Return the level set at points (n, 3), mm, by scipy's quadratic spline."""
    places = (points - level.origin_mm) / level.spacing_mm
    return ndimage.map_coordinates(level.coefficients, places.T, order=2, mode="nearest", prefilter=False)


# Arithmetic of one spring in the linear law, counted in the formulas (a fused multiply-add is two, a maximum one): where the spring has moved to 18,
# the expansion there 30, the law 4, the arm 3, and then force and moment, or force, first moments and tangent with the sums over them.
FLOPS = {"add_forces": 18 + 30 + 4 + 3 + 3 + 4 + 12, "add_springs": 18 + 30 + 4 + 3 + 3 + 4 + 18 + 21 + 27 + 18 + 21}
BYTES = dict.fromkeys(FLOPS, 14 * 4)  # single-precision rows of the table that the linear law reads: arm, stiffness, value, gradient, Hessian
