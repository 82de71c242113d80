"""The pose of a body in six coordinates, and what spatial sums of forces and stiffnesses are in them.

q = (a, b, c, tx, ty, tz, e0, e1): x = R p + t with R = Rz(a) Rx(b) Ry(c); three angles (rad), three translations (mm) and, for the tibia, the
outward expansion of the two menisci (mm). The axes are e1 = z, e2 = Rz x, e3 = Rz Rx y, and d2x / dq_j dq_k = e_j x (e_k x r), j <= k.
"""

from __future__ import annotations

import math

from kneeload.kernels.options import kernel


@kernel
def rotation(q, rot):
    """Fill rot (5, 3): R in rows 0-2, the floating axis e2 in row 3 and e3 = R y in row 4 (e1 is z)."""
    ca, sa, cb, sb, cc, sc = math.cos(q[0]), math.sin(q[0]), math.cos(q[1]), math.sin(q[1]), math.cos(q[2]), math.sin(q[2])
    rot[0, 0], rot[0, 1], rot[0, 2] = ca * cc - sa * sb * sc, -sa * cb, ca * sc + sa * sb * cc
    rot[1, 0], rot[1, 1], rot[1, 2] = sa * cc + ca * sb * sc, ca * cb, sa * sc - ca * sb * cc
    rot[2, 0], rot[2, 1], rot[2, 2] = -cb * sc, sb, cb * cc
    rot[3, 0], rot[3, 1], rot[3, 2] = ca, sa, 0.0
    rot[4, 0], rot[4, 1], rot[4, 2] = -sa * cb, ca * cb, sb


@kernel
def _packed(i, j):
    """Place of entry (i, j) of a symmetric 3 x 3 matrix stored as xx, xy, xz, yy, yz, zz."""
    low, high = min(i, j), max(i, j)
    return high if low == 0 else low + high + 1


@kernel
def pose_terms(sums, rot, ax, grad, hess, tangent):
    """Turn the spatial sums into gradient and, if tangent, Hessian in the six coordinates of the pose (added). ax (3, 3): workspace."""
    ax[0, 0], ax[0, 1], ax[0, 2] = 0.0, 0.0, 1.0
    for j in range(3):
        ax[1, j] = rot[3, j]
        ax[2, j] = rot[4, j]
    trace = sums[4] + sums[8] + sums[12]
    m0, m1, m2 = sums[9] - sums[11], sums[10] - sums[6], sums[5] - sums[7]
    for j in range(3):
        grad[j] += ax[j, 0] * m0 + ax[j, 1] * m1 + ax[j, 2] * m2
        grad[3 + j] += sums[1 + j]
    if not tangent:
        return
    for j in range(3):
        for i in range(3):
            value = ax[j, 0] * sums[19 + i] + ax[j, 1] * sums[22 + i] + ax[j, 2] * sums[25 + i]
            hess[j, 3 + i] += value
            hess[3 + i, j] += value
            hess[3 + j, 3 + i] += sums[13 + _packed(i, j)]
        for k in range(j, 3):
            value, dot = 0.0, 0.0
            for a in range(3):
                dot += ax[j, a] * ax[k, a]
                for b in range(3):
                    value += ax[j, a] * ax[k, b] * (sums[28 + _packed(a, b)] + sums[4 + 3 * a + b])
            value -= dot * trace
            hess[j, k] += value
            if k > j:
                hess[k, j] += value


@kernel
def wedge_terms(wedge, rot, n, grad, hess, tangent):
    """Add gradient and, if tangent, Hessian of one meniscus coordinate (number n in q)."""
    grad[n] += wedge[0]
    if not tangent:
        return
    hess[n, n] += wedge[1]
    for j in range(3):
        hess[n, 3 + j] += wedge[2 + j]
        hess[3 + j, n] += wedge[2 + j]
        a0, a1, a2 = (0.0, 0.0, 1.0) if j == 0 else (rot[2 + j, 0], rot[2 + j, 1], rot[2 + j, 2])
        value = a0 * (wedge[5] + wedge[8]) + a1 * (wedge[6] + wedge[9]) + a2 * (wedge[7] + wedge[10])
        hess[n, j] += value
        hess[j, n] += value
