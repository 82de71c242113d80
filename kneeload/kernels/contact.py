"""The hot loop of contact: springs of a casting surface against a smooth target, and the equilibrium of one body on them.

A body (tibia or patella) has the pose x = R p + t in the frame of the femur, R = Rz(a) Rx(b) Ry(c). Its coordinates are
q = (a, b, c, tx, ty, tz, e0, e1): three angles (rad), three translations (mm) and, for the tibia, the outward expansion of the two
menisci (mm). Everything that carries load has an energy: contact springs, lines (ligaments, tendons), weak springs of the capsule, hoops.
Force is minus its gradient and the tangent its Hessian, both exact.

Each spring or line contributes in the frame of the femur its gradient G = dU/dx and its Hessian D = d2U/dx2 at x. With r = x - t the motion
of the point is dx = w x r + dt + s de, so the sums F = sum G, B = sum r G', K = sum J' D J (6 x 6, spatial) are enough: the
gradient and Hessian in q follow from the axes e1 = z, e2 = Rz x, e3 = Rz Rx y by d2x / dq_j dq_k = e_j x (e_k x r), j <= k.

Arrays of springs are one array per quantity. Tuples keep the arguments short:
    level = (c, thickness, nearest, nx, ny, nz, ox, oy, oz, inverse spacing)   see kneeload.subject.level_set.LevelSet
    springs = (px, py, pz, area, nx, ny, nz, compliance, thickness, sx, sy, sz, group_start, block_start, block)
    picked = (x, y, z, area, stiffness, layer, sx, sy, sz, number), picked springs of one frame, grouped as the springs are
    lines = (body point, stiffness per strain, slack length, toe strain)
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from kneeload.kernels.options import kernel

kernel_inline = njit(forceinline=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "arcp", "nsz"})

LENGTH = 20.0  # mm; half the distance between the compartments: turns moments into forces, and angles into lengths
FACING = -0.2  # a spring counts when the cosine between its normal and the target's outward normal is below this
LOCKED = 0.9  # strain of the layer at which the nonlinear law goes on along its tangent
SUMS = 34  # energy, F (3), B (9), K_tt (6), K_rt (9), K_rr (6)
WEDGE = 11  # s.G, s.D s, D s (3), r x D s (3), s x G (3)


@kernel_inline
def _taps(u):
    """Weights of the centred quadratic B-spline at three neighbouring nodes, and their first derivatives, u in [-0.5, 0.5]."""
    a, b = 0.5 - u, 0.5 + u
    return 0.5 * a * a, 0.75 - u * u, 0.5 * b * b, -a, -2.0 * u, b


@kernel_inline
def _row(c, k, w0, w1, w2, d0, d1, d2):
    """Value, first and second derivative along z from three taps."""
    c0, c1, c2 = c[k], c[k + np.uint64(1)], c[k + np.uint64(2)]
    return c0 * w0 + c1 * w1 + c2 * w2, c0 * d0 + c1 * d1 + c2 * d2, c0 - 2.0 * c1 + c2


@kernel_inline
def _slab(c, k, nz, v0, v1, v2, e0, e1, e2, w0, w1, w2, d0, d1, d2):
    """Value and derivatives along y and z from nine taps: f, fy, fz, fyy, fyz, fzz."""
    a0, b0, g0 = _row(c, k, w0, w1, w2, d0, d1, d2)
    a1, b1, g1 = _row(c, k + nz, w0, w1, w2, d0, d1, d2)
    a2, b2, g2 = _row(c, k + nz + nz, w0, w1, w2, d0, d1, d2)
    return (
        a0 * v0 + a1 * v1 + a2 * v2, a0 * e0 + a1 * e1 + a2 * e2, b0 * v0 + b1 * v1 + b2 * v2,
        a0 - 2.0 * a1 + a2, b0 * e0 + b1 * e1 + b2 * e2, g0 * v0 + g1 * v1 + g2 * v2,
    )


@kernel_inline
def _cell(level, x, y, z):
    """Lower corner of the 27 taps (uint64) and the offsets from the centre node, in node distances. Clamped to the grid."""
    _, _, _, nx, ny, nz, ox, oy, oz, ih = level
    gx, gy, gz = (x - ox) * ih, (y - oy) * ih, (z - oz) * ih
    gx = min(max(gx, 0.5), nx - 1.5001)
    gy = min(max(gy, 0.5), ny - 1.5001)
    gz = min(max(gz, 0.5), nz - 1.5001)
    ix, iy, iz = np.int32(gx - 0.5), np.int32(gy - 0.5), np.int32(gz - 0.5)
    k = np.uint64(np.uint32((ix * np.int32(ny) + iy) * np.int32(nz) + iz))
    return k, gx - np.float64(ix) - 1.0, gy - np.float64(iy) - 1.0, gz - np.float64(iz) - 1.0


@kernel_inline
def _spline(level, x, y, z):
    """Level set at a point: value (mm), gradient (no unit), Hessian (1/mm): f, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz."""
    c, ih = level[0], level[9]
    nz = np.uint64(level[5])
    plane = np.uint64(level[4]) * nz
    k, u, v, w = _cell(level, x, y, z)
    u0, u1, u2, q0, q1, q2 = _taps(u)
    v0, v1, v2, e0, e1, e2 = _taps(v)
    w0, w1, w2, d0, d1, d2 = _taps(w)
    a, ay, az, ayy, ayz, azz = _slab(c, k, nz, v0, v1, v2, e0, e1, e2, w0, w1, w2, d0, d1, d2)
    b, by, bz, byy, byz, bzz = _slab(c, k + plane, nz, v0, v1, v2, e0, e1, e2, w0, w1, w2, d0, d1, d2)
    g, gy, gz, gyy, gyz, gzz = _slab(c, k + plane + plane, nz, v0, v1, v2, e0, e1, e2, w0, w1, w2, d0, d1, d2)
    i2 = ih * ih
    return (
        a * u0 + b * u1 + g * u2,
        (a * q0 + b * q1 + g * q2) * ih, (ay * u0 + by * u1 + gy * u2) * ih, (az * u0 + bz * u1 + gz * u2) * ih,
        (a - 2.0 * b + g) * i2, (ay * q0 + by * q1 + gy * q2) * i2, (az * q0 + bz * q1 + gz * q2) * i2,
        (ayy * u0 + byy * u1 + gyy * u2) * i2, (ayz * u0 + byz * u1 + gyz * u2) * i2, (azz * u0 + bzz * u1 + gzz * u2) * i2,
    )


@kernel
def level_set_at(level, points, value, gradient, hessian):
    """Fill value (n,), gradient (n, 3) and hessian (n, 6: xx, xy, xz, yy, yz, zz) at points (n, 3), mm."""
    for i in range(points.shape[0]):
        f = _spline(level, points[i, 0], points[i, 1], points[i, 2])
        value[i] = f[0]
        for j in range(3):
            gradient[i, j] = f[1 + j]
        for j in range(6):
            hessian[i, j] = f[4 + j]


@kernel_inline
def _law(d, k, h, nonlinear):
    """Energy per area, pressure and its slope at depth d (mm) of a layer of stiffness k (MPa/mm) and thickness h (mm).

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


@kernel
def pressure_of_depth(depth, stiffness, thickness, nonlinear, energy, pressure, slope):
    """Fill energy per area (N/mm), pressure (MPa) and slope (MPa/mm), each (n,), of the layer law."""
    for i in range(depth.size):
        energy[i], pressure[i], slope[i] = _law(depth[i], stiffness[i], thickness[i], nonlinear)


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
def add_springs(level, picked, first, last, rot, t, nonlinear, sums):
    """Add energy, F, B and K of the springs first..last-1 to sums (34,): no stores in the loop, no branch."""
    px, py, pz, area, stiffness, layer = picked[0], picked[1], picked[2], picked[3], picked[4], picked[5]
    r00, r01, r02 = rot[0, 0], rot[0, 1], rot[0, 2]
    r10, r11, r12 = rot[1, 0], rot[1, 1], rot[1, 2]
    r20, r21, r22 = rot[2, 0], rot[2, 1], rot[2, 2]
    t0, t1, t2 = t[0], t[1], t[2]
    en = f0 = f1 = f2 = b00 = b01 = b02 = b10 = b11 = b12 = b20 = b21 = b22 = 0.0
    k00 = k01 = k02 = k11 = k12 = k22 = m00 = m01 = m02 = m10 = m11 = m12 = m20 = m21 = m22 = n00 = n01 = n02 = n11 = n12 = n22 = 0.0
    for i in range(np.uint64(first), np.uint64(last)):
        x0, x1, x2 = px[i], py[i], pz[i]
        x = r00 * x0 + r01 * x1 + r02 * x2
        y = r10 * x0 + r11 * x1 + r12 * x2
        z = r20 * x0 + r21 * x1 + r22 * x2
        f, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz = _spline(level, x + t0, y + t1, z + t2)
        energy, p, slope = _law(-f, stiffness[i], layer[i], nonlinear)
        w, p, slope = area[i], p * area[i], slope * area[i]
        en += energy * w
        gx, gy, gz = -p * fx, -p * fy, -p * fz
        f0 += gx
        f1 += gy
        f2 += gz
        b00 += x * gx
        b01 += x * gy
        b02 += x * gz
        b10 += y * gx
        b11 += y * gy
        b12 += y * gz
        b20 += z * gx
        b21 += z * gy
        b22 += z * gz
        dxx, dxy, dxz = slope * fx * fx - p * fxx, slope * fx * fy - p * fxy, slope * fx * fz - p * fxz
        dyy, dyz, dzz = slope * fy * fy - p * fyy, slope * fy * fz - p * fyz, slope * fz * fz - p * fzz
        k00 += dxx
        k01 += dxy
        k02 += dxz
        k11 += dyy
        k12 += dyz
        k22 += dzz
        c00, c01, c02 = y * dxz - z * dxy, y * dyz - z * dyy, y * dzz - z * dyz
        c10, c11, c12 = z * dxx - x * dxz, z * dxy - x * dyz, z * dxz - x * dzz
        c20, c21, c22 = x * dxy - y * dxx, x * dyy - y * dxy, x * dyz - y * dxz
        m00 += c00
        m01 += c01
        m02 += c02
        m10 += c10
        m11 += c11
        m12 += c12
        m20 += c20
        m21 += c21
        m22 += c22
        n00 += y * c02 - z * c01
        n01 += z * c00 - x * c02
        n02 += x * c01 - y * c00
        n11 += z * c10 - x * c12
        n12 += x * c11 - y * c10
        n22 += x * c21 - y * c20
    new = (en, f0, f1, f2, b00, b01, b02, b10, b11, b12, b20, b21, b22, k00, k01, k02, k11, k12, k22,
           m00, m01, m02, m10, m11, m12, m20, m21, m22, n00, n01, n02, n11, n12, n22)
    j = 0
    for value in new:
        sums[j] += value
        j += 1


@kernel
def _add_point(sums, x, y, z, energy, gx, gy, gz, dxx, dxy, dxz, dyy, dyz, dzz):
    """Add one point with gradient G and Hessian D at arm (x, y, z) to sums (34,)."""
    c00, c01, c02 = y * dxz - z * dxy, y * dyz - z * dyy, y * dzz - z * dyz
    c10, c11, c12 = z * dxx - x * dxz, z * dxy - x * dyz, z * dxz - x * dzz
    c20, c21, c22 = x * dxy - y * dxx, x * dyy - y * dxy, x * dyz - y * dxz
    new = (energy, gx, gy, gz, x * gx, x * gy, x * gz, y * gx, y * gy, y * gz, z * gx, z * gy, z * gz, dxx, dxy, dxz, dyy, dyz, dzz,
           c00, c01, c02, c10, c11, c12, c20, c21, c22,
           y * c02 - z * c01, z * c00 - x * c02, x * c01 - y * c00, z * c10 - x * c12, x * c11 - y * c10, x * c21 - y * c20)
    j = 0
    for value in new:
        sums[j] += value
        j += 1


@kernel
def add_wedge(level, picked, first, last, rot, t, expansion, nonlinear, sums, wedge):
    """As add_springs for a meniscus whose springs move outwards by `expansion` (mm); its own sums go to wedge (11,)."""
    px, py, pz, area, stiffness, layer, sx, sy, sz, _ = picked
    for i in range(first, last):
        x0, x1, x2 = px[i] + expansion * sx[i], py[i] + expansion * sy[i], pz[i] + expansion * sz[i]
        x = rot[0, 0] * x0 + rot[0, 1] * x1 + rot[0, 2] * x2
        y = rot[1, 0] * x0 + rot[1, 1] * x1 + rot[1, 2] * x2
        z = rot[2, 0] * x0 + rot[2, 1] * x1 + rot[2, 2] * x2
        f, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz = _spline(level, x + t[0], y + t[1], z + t[2])
        if f >= 0.0:
            continue
        energy, p, slope = _law(-f, stiffness[i], layer[i], nonlinear)
        p, slope = p * area[i], slope * area[i]
        gx, gy, gz = -p * fx, -p * fy, -p * fz
        dxx, dxy, dxz = slope * fx * fx - p * fxx, slope * fx * fy - p * fxy, slope * fx * fz - p * fxz
        dyy, dyz, dzz = slope * fy * fy - p * fyy, slope * fy * fz - p * fyz, slope * fz * fz - p * fzz
        _add_point(sums, x, y, z, energy * area[i], gx, gy, gz, dxx, dxy, dxz, dyy, dyz, dzz)
        u = rot[0, 0] * sx[i] + rot[0, 1] * sy[i] + rot[0, 2] * sz[i]
        v = rot[1, 0] * sx[i] + rot[1, 1] * sy[i] + rot[1, 2] * sz[i]
        w = rot[2, 0] * sx[i] + rot[2, 1] * sy[i] + rot[2, 2] * sz[i]
        du, dv, dw = dxx * u + dxy * v + dxz * w, dxy * u + dyy * v + dyz * w, dxz * u + dyz * v + dzz * w
        wedge[0] += u * gx + v * gy + w * gz
        wedge[1] += u * du + v * dv + w * dw
        wedge[2] += du
        wedge[3] += dv
        wedge[4] += dw
        wedge[5] += y * dw - z * dv
        wedge[6] += z * du - x * dw
        wedge[7] += x * dv - y * du
        wedge[8] += v * gz - w * gy
        wedge[9] += w * gx - u * gz
        wedge[10] += u * gy - v * gx


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
            _add_point(sums, x, y, z, energy, force * u, force * v, force * w, s * u * u + a, s * u * v, s * u * w, s * v * v + a, s * v * w, s * w * w + a)


@kernel
def _axis_terms(sums, rot, grad, hess):
    """Turn the spatial sums into gradient and Hessian in the six pose coordinates (added)."""
    ax = np.zeros((3, 3))
    ax[0, 2] = 1.0
    for j in range(3):
        ax[1, j] = rot[3, j]
        ax[2, j] = rot[4, j]
    trace = sums[4] + sums[8] + sums[12]
    m0, m1, m2 = sums[9 - 0] * 0.0, 0.0, 0.0
    m0, m1, m2 = sums[9] - sums[11], sums[10] - sums[6], sums[5] - sums[7]
    m0, m1, m2 = _moment(sums)
    for j in range(3):
        grad[j] += ax[j, 0] * m0 + ax[j, 1] * m1 + ax[j, 2] * m2
        grad[3 + j] += sums[1 + j]
        for i in range(3):
            value = ax[j, 0] * sums[19 + i] + ax[j, 1] * sums[22 + i] + ax[j, 2] * sums[25 + i]
            hess[j, 3 + i] += value
            hess[3 + i, j] += value
    for j in range(3):
        for k in range(j, 3):
            value, dot = 0.0, 0.0
            for a in range(3):
                dot += ax[j, a] * ax[k, a]
                for b in range(3):
                    lo, hi = min(a, b), max(a, b)
                    krr = sums[28 + (0 if lo == 0 else 2 if lo == 1 else 3) + hi]
                    value += ax[j, a] * ax[k, b] * (krr + sums[4 + 3 * a + b])
            value -= dot * trace
            hess[j, k] += value
            if k > j:
                hess[k, j] += value
    for j in range(3):
        for k in range(3):
            lo, hi = min(j, k), max(j, k)
            hess[3 + j, 3 + k] += sums[13 + (0 if lo == 0 else 2 if lo == 1 else 3) + hi]


@kernel
def _moment(sums):
    """Moment sum r x G of sums (34,), from B = sum r G'."""
    return sums[9] - sums[11], sums[10] - sums[6], sums[5] - sums[7]
