"""Laws of the layers of a spring: energy per area, pressure and slope over depth."""

from __future__ import annotations

import math

import numpy as np

from kneeload.kernels.options import kernel, kernel_inline

ZERO, HALF, ONE, TWO, THREE = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(2.0), np.float32(3.0)  # so that single precision stays single
LOCKED = np.float32(0.9)  # strain of the layer at which the nonlinear law goes on along its tangent


@kernel_inline
def layer_law(d, k, h, nonlinear):
    """Energy per area, pressure and its slope at depth d (mm) of layers of stiffness k (MPa/mm) and thickness h (mm).

    Linear: p = k d. Nonlinear: p = -k h ln(1 - d/h) (Bei and Fregly 2004, PMC1680082), continued along its tangent from d = 0.9 h.
    """
    d = max(d, ZERO)
    if not nonlinear:
        return HALF * k * d * d, k * d, k if d > ZERO else ZERO
    limit = LOCKED * h
    s = min(d, limit)
    log = math.log(ONE - s / h)
    p, slope = -k * h * log, k / (ONE - s / h)
    over = d - s
    return k * h * ((h - s) * log + s) + over * (p + HALF * over * slope), p + over * slope, slope if d > ZERO else ZERO


@kernel_inline
def wedge_law(d, k, h, theta, beta, nonlinear):
    """`layer_law` of a layer of stiffness k in series with a wedge whose tangent modulus grows in proportion to its strain (docs/contact.md).

    p = k d (1 - 2 theta / (1 + r)), r = sqrt(1 + 2 beta d). theta is the share of the wedge in the compliance at depth 0, beta (1/mm) says how
    fast it stiffens. In the nonlinear law theta and beta play no part.
    """
    if nonlinear:
        return layer_law(d, k, h, nonlinear)
    d = max(d, ZERO)
    r = np.sqrt(ONE + TWO * beta * d)
    one = ONE / (ONE + r)
    share = TWO * theta * one
    return k * d * d * (HALF - share * (TWO * r + ONE) * one / THREE), k * d * (ONE - share), k * (ONE - theta / r) if d > ZERO else ZERO


@kernel
def pressure_of_depth(depth, stiffness, thickness, theta, beta, nonlinear, energy, pressure, slope):
    """Fill energy per area (N/mm), pressure (MPa) and slope (MPa/mm), each (n,), of the law of a wedge on a layer (theta = 0: of a layer)."""
    for i in range(depth.size):
        energy[i], pressure[i], slope[i] = wedge_law(depth[i], stiffness[i], thickness[i], theta[i], beta[i], nonlinear)
