"""Ligaments and tendons: straight elastic lines between a body and anchors in the femur frame."""

from __future__ import annotations

import math

from kneeload.kernels.options import kernel


@kernel
def line_tension(length, stiffness, slack, toe):
    """Energy (N mm), tension (N) and its slope (N/mm) of a ligament line of Blankevoort 1991: none below the slack length,
    quadratic in strain up to the toe strain, linear above; stiffness in N per unit strain."""
    strain = length / slack - 1.0
    if strain <= 0.0:
        return 0.0, 0.0, 0.0
    if strain < toe:
        return slack * stiffness * strain**3 / (6.0 * toe), stiffness * strain * strain / (2.0 * toe), stiffness * strain / (toe * slack)
    half = 0.5 * stiffness * strain * (strain - toe) + stiffness * toe * toe / 6.0
    return slack * half, stiffness * (strain - 0.5 * toe), stiffness / slack


@kernel
def add_point(sums, x, y, z, energy, gx, gy, gz, dxx, dxy, dxz, dyy, dyz, dzz):
    """Add one point with gradient G and Hessian D at arm (x, y, z) to sums (34,)."""
    c00, c01, c02 = y * dxz - z * dxy, y * dyz - z * dyy, y * dzz - z * dyz
    c10, c11, c12 = z * dxx - x * dxz, z * dxy - x * dyz, z * dxz - x * dzz
    c20, c21, c22 = x * dxy - y * dxx, x * dyy - y * dxy, x * dyz - y * dxz
    new = (energy, gx, gy, gz, x * gx, x * gy, x * gz, y * gx, y * gy, y * gz, z * gx, z * gy, z * gz, dxx, dxy, dxz, dyy, dyz, dzz,
           c00, c01, c02, c10, c11, c12, c20, c21, c22,
           y * c02 - z * c01, z * c00 - x * c02, x * c01 - y * c00, z * c10 - x * c12, x * c11 - y * c10, x * c21 - y * c20)
    for j, value in enumerate(new):
        sums[j] += value


@kernel
def add_lines(lines, anchor, rot, t, sums, tension):
    """Add lines from points of the body to anchors (k, 3) in the femur frame to sums (34,); fill tension (k,) in N."""
    point, stiffness, slack, toe = lines
    for i in range(stiffness.size):
        x = rot[0, 0] * point[i, 0] + rot[0, 1] * point[i, 1] + rot[0, 2] * point[i, 2]
        y = rot[1, 0] * point[i, 0] + rot[1, 1] * point[i, 1] + rot[1, 2] * point[i, 2]
        z = rot[2, 0] * point[i, 0] + rot[2, 1] * point[i, 1] + rot[2, 2] * point[i, 2]
        u, v, w = x + t[0] - anchor[i, 0], y + t[1] - anchor[i, 1], z + t[2] - anchor[i, 2]
        length = math.sqrt(u * u + v * v + w * w)
        energy, force, slope = line_tension(length, stiffness[i], slack[i], toe[i])
        tension[i] = force
        if force > 0.0:
            u, v, w = u / length, v / length, w / length
            a = force / length
            s = slope - a
            add_point(sums, x, y, z, energy, force * u, force * v, force * w, s * u * u + a, s * u * v, s * u * w, s * v * v + a, s * v * w, s * w * w + a)
