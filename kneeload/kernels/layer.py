"""Laws of the layers of a spring: energy per area, pressure and slope over depth."""

from __future__ import annotations

import math

from kneeload.kernels.options import kernel, kernel_inline

LOCKED = 0.9  # strain of the layer at which the nonlinear law goes on along its tangent


@kernel_inline
def layer_law(d, k, h, nonlinear):
    """Energy per area, pressure and its slope at depth d (mm) of layers of stiffness k (MPa/mm) and thickness h (mm).

    Linear: p = k d. Nonlinear: p = -k h ln(1 - d/h) (Bei and Fregly 2004, PMC1680082), continued along its tangent from d = 0.9 h.
    """
    d = max(d, 0.0)
    if not nonlinear:
        return 0.5 * k * d * d, k * d, k if d > 0.0 else 0.0
    limit = LOCKED * h
    s = min(d, limit)
    log = math.log(1.0 - s / h)
    p, slope = -k * h * log, k / (1.0 - s / h)
    over = d - s
    return k * h * ((h - s) * log + s) + over * (p + 0.5 * over * slope), p + over * slope, slope if d > 0.0 else 0.0


@kernel_inline
def wedge_law(d, k, h, theta, beta, nonlinear):
    """`layer_law` of a layer of stiffness k in series with a wedge whose tangent modulus grows in proportion to its strain (docs/contact.md).

    p = k d (1 - 2 theta / (1 + r)), r = sqrt(1 + 2 beta d). theta is the share of the wedge in the compliance at depth 0, beta (1/mm) says how
    fast it stiffens. In the nonlinear law theta and beta play no part.
    """
    if nonlinear:
        return layer_law(d, k, h, nonlinear)
    d = max(d, 0.0)
    r = math.sqrt(1.0 + 2.0 * beta * d)
    one = 1.0 / (1.0 + r)
    share = 2.0 * theta * one
    return k * d * d * (0.5 - share * (2.0 * r + 1.0) * one * (1.0 / 3.0)), k * d * (1.0 - share), k * (1.0 - theta / r) if d > 0.0 else 0.0


@kernel
def pressure_of_depth(depth, stiffness, thickness, theta, beta, nonlinear, energy, pressure, slope):
    """Fill energy per area (N/mm), pressure (MPa) and slope (MPa/mm), each (n,), of the law of a wedge on a layer (theta = 0: of a layer)."""
    for i in range(depth.size):
        energy[i], pressure[i], slope[i] = wedge_law(depth[i], stiffness[i], thickness[i], theta[i], beta[i], nonlinear)
