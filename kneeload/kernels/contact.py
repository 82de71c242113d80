"""The hot loop of contact: springs of a casting surface against a smooth target, and the equilibrium of one body on them.

A body (tibia or patella) has the pose x = R p + t in the frame of the femur, R = Rz(a) Rx(b) Ry(c). Its coordinates are
q = (a, b, c, tx, ty, tz, e0, e1): three angles (rad), three translations (mm) and, for the tibia, the outward expansion of the two
menisci (mm). Everything that carries load has an energy: contact springs, lines (ligaments, tendons), weak springs of the capsule, hoops.
Force is minus its gradient and the tangent its Hessian, both exact.

Each spring or line contributes in the frame of the femur its gradient G = dU/dx and its Hessian D = d2U/dx2 at x. With r = x - t the motion
of the point is dx = w x r + dt + s de, so the sums F = sum G, B = sum r G', K = sum J' D J (6 x 6, spatial) are enough: the
gradient and Hessian in q follow from the axes e1 = z, e2 = Rz x, e3 = Rz Rx y by d2x / dq_j dq_k = e_j x (e_k x r), j <= k.

A spring reads the target's level set once per placing: `place` stores its value, gradient and Hessian at the point where the spring is, and
the Newton steps use this second-order expansion, which needs no look-up and vectorises. When the body has moved by more than a
hundredth of a millimetre at the end, the springs are placed anew, so the answer satisfies the level set itself.

Tuples keep the arguments short:
    level = (c, thickness, nearest, nx, ny, nz, ox, oy, oz, inverse spacing)   see kneeload.subject.level_set.LevelSet
    springs = (px, py, pz, area, nx, ny, nz, compliance, thickness, sx, sy, sz, group_start, block_start, block, soft, growth)
    near = (table (24, N), number (N,)): placed springs, grouped as the springs are; rows of the table: p (3) mm in the body, area,
        stiffness, layer thickness, outward s (3), place x0 (3) in the femur frame, value, gradient (3), Hessian (6: xx, xy, xz, yy, yz, zz), theta, beta of the law
    lines = (body point, stiffness per strain, slack length, toe strain)
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from kneeload.kernels.options import kernel

kernel_inline = njit(forceinline=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "arcp", "nsz"})

LENGTH = 20.0  # mm; half the distance between the compartments: turns moments into forces, and angles into lengths
FACING = -0.2  # a spring counts half when the cosine between its normal and the target's outward normal is this
TURNING = 0.1  # and in full (not at all) when it is lower (higher) by this: a share without a jump, so that an equilibrium exists
NEARLY = 0.3  # mm; springs nearer than this get an expansion of their own
DOUBT = 0.2  # 1/mm; the expansion of a block may miss the level set by this times the square of the distance (edges of radius 2.5 mm)
ROUGH = 1e4  # tolerance at which springs are placed anew, over the final one
GOOD = 1e-3  # unbalanced force over the load up to which a frame counts as converged
FRESH = 0.02  # mm; an expansion this close to its spring is exact to a millionth of the force
LONGEST = 2.0  # mm; longest step along a coordinate
HOLD = 200.0  # N/mm, angles times LENGTH: stiffest of the springs under which a frame that slides out of joint is tried once more
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
def _clamped(value, low, high):
    """Value within its limits; low when it is not a number."""
    value = value if value > low else low
    return value if value < high else high


@kernel_inline
def _cell(level, x, y, z):
    """Lower corner of the 27 taps (uint64) and the offsets from the centre node, in node distances. Clamped to the grid."""
    _, _, _, nx, ny, nz, ox, oy, oz, ih = level
    gx, gy, gz = (x - ox) * ih, (y - oy) * ih, (z - oz) * ih
    gx, gy, gz = _clamped(gx, 0.5, nx - 1.5001), _clamped(gy, 0.5, ny - 1.5001), _clamped(gz, 0.5, nz - 1.5001)
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
def _law(d, k, h, theta, beta, nonlinear):
    """Energy per area, pressure and its slope at depth d (mm) of layers of stiffness k (MPa/mm) and thickness h (mm).

    Linear: p = k d (1 - 2 theta / (1 + r)), r = sqrt(1 + 2 beta d): a layer of stiffness k in series with a wedge whose tangent modulus grows
    in proportion to its strain (docs/contact.md). theta is the share of the wedge in the compliance at depth 0, beta (1/mm) says how
    fast it stiffens; without a wedge theta = 0 and p = k d.
    Nonlinear: p = -k h ln(1 - d/h) (Bei and Fregly 2004, PMC1680082), continued along its tangent from d = 0.9 h; theta and beta play no part.
    """
    d = max(d, 0.0)
    if not nonlinear:
        r = math.sqrt(1.0 + 2.0 * beta * d)
        share = 2.0 * theta / (1.0 + r)
        energy = k * d * d * (0.5 - share * (2.0 * r + 1.0) / (3.0 * (1.0 + r)))
        return energy, k * d * (1.0 - share), k * (1.0 - theta / r) if d > 0.0 else 0.0
    limit = LOCKED * h
    s = min(d, limit)
    log = math.log(1.0 - s / h)
    p, slope = -k * h * log, k / (1.0 - s / h)
    over = d - s
    return k * h * ((h - s) * log + s) + over * (p + 0.5 * over * slope), p + over * slope, slope if d > 0.0 else 0.0


@kernel
def pressure_of_depth(depth, stiffness, thickness, theta, beta, nonlinear, energy, pressure, slope):
    """Fill energy per area (N/mm), pressure (MPa) and slope (MPa/mm), each (n,), of the layer law."""
    for i in range(depth.size):
        energy[i], pressure[i], slope[i] = _law(depth[i], stiffness[i], thickness[i], theta[i], beta[i], nonlinear)


@kernel
def rotation(q, rot):
    """Fill rot (5, 3): R in rows 0-2, the floating axis e2 in row 3 and e3 = R y in row 4 (e1 is z)."""
    ca, sa, cb, sb, cc, sc = math.cos(q[0]), math.sin(q[0]), math.cos(q[1]), math.sin(q[1]), math.cos(q[2]), math.sin(q[2])
    rot[0, 0], rot[0, 1], rot[0, 2] = ca * cc - sa * sb * sc, -sa * cb, ca * sc + sa * sb * cc
    rot[1, 0], rot[1, 1], rot[1, 2] = sa * cc + ca * sb * sc, ca * cb, sa * sc - ca * sb * cc
    rot[2, 0], rot[2, 1], rot[2, 2] = -cb * sc, sb, cb * cc
    rot[3, 0], rot[3, 1], rot[3, 2] = ca, sa, 0.0
    rot[4, 0], rot[4, 1], rot[4, 2] = -sa * cb, ca * cb, sb


@kernel_inline
def _expansion(table, i, x, y, z):
    """Value, gradient and Hessian of the level set at (x, y, z) from the expansion of placed spring i."""
    u, v, w = x - table[9, i], y - table[10, i], z - table[11, i]
    fx, fy, fz = table[13, i], table[14, i], table[15, i]
    fxx, fxy, fxz, fyy, fyz, fzz = table[16, i], table[17, i], table[18, i], table[19, i], table[20, i], table[21, i]
    hx, hy, hz = fxx * u + fxy * v + fxz * w, fxy * u + fyy * v + fyz * w, fxz * u + fyz * v + fzz * w
    f = table[12, i] + u * (fx + 0.5 * hx) + v * (fy + 0.5 * hy) + w * (fz + 0.5 * hz)
    return f, fx + hx, fy + hy, fz + hz, fxx, fxy, fxz, fyy, fyz, fzz


@kernel
def add_springs(table, first, last, rot, t, expansion, nonlinear, sums):
    """Add energy, F, B and K of the placed springs first..last-1, moved outwards by `expansion` mm, to sums (34,). No stores, no branch."""
    r00, r01, r02 = rot[0, 0], rot[0, 1], rot[0, 2]
    r10, r11, r12 = rot[1, 0], rot[1, 1], rot[1, 2]
    r20, r21, r22 = rot[2, 0], rot[2, 1], rot[2, 2]
    t0, t1, t2 = t[0], t[1], t[2]
    en = f0 = f1 = f2 = b00 = b01 = b02 = b10 = b11 = b12 = b20 = b21 = b22 = 0.0
    k00 = k01 = k02 = k11 = k12 = k22 = m00 = m01 = m02 = m10 = m11 = m12 = m20 = m21 = m22 = n00 = n01 = n02 = n11 = n12 = n22 = 0.0
    for i in range(np.uint64(first), np.uint64(last)):
        x0, x1, x2 = table[0, i] + expansion * table[6, i], table[1, i] + expansion * table[7, i], table[2, i] + expansion * table[8, i]
        x = r00 * x0 + r01 * x1 + r02 * x2
        y = r10 * x0 + r11 * x1 + r12 * x2
        z = r20 * x0 + r21 * x1 + r22 * x2
        f, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz = _expansion(table, i, x + t0, y + t1, z + t2)
        energy, p, slope = _law(-f, table[4, i], table[5, i], table[22, i], table[23, i], nonlinear)
        w = table[3, i]
        p, slope = p * w, slope * w
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
    for j, value in enumerate(new):
        sums[j] += value


@kernel
def _add_point(sums, x, y, z, energy, gx, gy, gz, dxx, dxy, dxz, dyy, dyz, dzz):
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
def add_wedge(table, first, last, rot, t, expansion, nonlinear, wedge):
    """Add the sums of a meniscus for its own coordinate, the outward motion s of its springs, to wedge (11,)."""
    r00, r01, r02 = rot[0, 0], rot[0, 1], rot[0, 2]
    r10, r11, r12 = rot[1, 0], rot[1, 1], rot[1, 2]
    r20, r21, r22 = rot[2, 0], rot[2, 1], rot[2, 2]
    t0, t1, t2 = t[0], t[1], t[2]
    sg = sd = d0 = d1 = d2 = m0 = m1 = m2 = n0 = n1 = n2 = 0.0
    for i in range(np.uint64(first), np.uint64(last)):
        s0, s1, s2 = table[6, i], table[7, i], table[8, i]
        x0, x1, x2 = table[0, i] + expansion * s0, table[1, i] + expansion * s1, table[2, i] + expansion * s2
        x = r00 * x0 + r01 * x1 + r02 * x2
        y = r10 * x0 + r11 * x1 + r12 * x2
        z = r20 * x0 + r21 * x1 + r22 * x2
        f, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz = _expansion(table, i, x + t0, y + t1, z + t2)
        _, p, slope = _law(-f, table[4, i], table[5, i], table[22, i], table[23, i], nonlinear)
        a = table[3, i]
        p, slope = p * a, slope * a
        u = r00 * s0 + r01 * s1 + r02 * s2
        v = r10 * s0 + r11 * s1 + r12 * s2
        w = r20 * s0 + r21 * s1 + r22 * s2
        gx, gy, gz = -p * fx, -p * fy, -p * fz
        along = slope * (fx * u + fy * v + fz * w)
        du = along * fx - p * (fxx * u + fxy * v + fxz * w)
        dv = along * fy - p * (fxy * u + fyy * v + fyz * w)
        dw = along * fz - p * (fxz * u + fyz * v + fzz * w)
        sg += u * gx + v * gy + w * gz
        sd += u * du + v * dv + w * dw
        d0 += du
        d1 += dv
        d2 += dw
        m0 += y * dw - z * dv
        m1 += z * du - x * dw
        m2 += x * dv - y * du
        n0 += v * gz - w * gy
        n1 += w * gx - u * gz
        n2 += u * gy - v * gx
    for j, value in enumerate((sg, sd, d0, d1, d2, m0, m1, m2, n0, n1, n2)):
        wedge[j] += value


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
def _pose_terms(sums, rot, grad, hess):
    """Turn the spatial sums into gradient and Hessian in the six coordinates of the pose (added)."""
    ax = np.zeros((3, 3))
    ax[0, 2] = 1.0
    for j in range(3):
        ax[1, j] = rot[3, j]
        ax[2, j] = rot[4, j]
    trace = sums[4] + sums[8] + sums[12]
    m0, m1, m2 = sums[9] - sums[11], sums[10] - sums[6], sums[5] - sums[7]
    for j in range(3):
        grad[j] += ax[j, 0] * m0 + ax[j, 1] * m1 + ax[j, 2] * m2
        grad[3 + j] += sums[1 + j]
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
def _packed(i, j):
    """Place of entry (i, j) of a symmetric 3 x 3 matrix stored as xx, xy, xz, yy, yz, zz."""
    low, high = min(i, j), max(i, j)
    return high if low == 0 else low + high + 1


@kernel
def _wedge_terms(wedge, rot, n, grad, hess):
    """Add gradient and Hessian of one meniscus coordinate (number n in q)."""
    grad[n] += wedge[0]
    hess[n, n] += wedge[1]
    for j in range(3):
        hess[n, 3 + j] += wedge[2 + j]
        hess[3 + j, n] += wedge[2 + j]
        a0, a1, a2 = (0.0, 0.0, 1.0) if j == 0 else (rot[2 + j, 0], rot[2 + j, 1], rot[2 + j, 2])
        value = a0 * (wedge[5] + wedge[8]) + a1 * (wedge[6] + wedge[9]) + a2 * (wedge[7] + wedge[10])
        hess[n, j] += value
        hess[j, n] += value


@kernel
def potential(q, near, ranges, lines, anchor, weak, rest, guide, pull, pull_point, moment, nonlinear, work, grad, hess, tension):
    """Total energy (N mm) at q (n,) with gradient (n,) and Hessian (n, n); the load is dead and so has a potential.

    ranges (g + 1,): borders of the groups in `near`; the last n - 6 groups are menisci. weak (n,) and rest (n,): springs on the
    coordinates (capsule on the pose, hoop and horns on the menisci). guide (4,): stiffness N/mm across a unit vector (3), femur frame:
    pulls that turn back when the body moves sideways. pull (3,) N, femur frame, acts at pull_point (3,) mm of the body.
    moment (2,) N mm does work on b and c: a moment about the floating axis and about the long axis of the body.
    work: (rot (5, 3), sums (34,), wedge (11,)).
    """
    rot, sums, wedge = work
    n = q.size
    groups = ranges.size - 1
    rotation(q, rot)
    t = q[3:6]
    for i in range(n):
        grad[i] = weak[i] * (q[i] - rest[i])
        for j in range(n):
            hess[i, j] = 0.0
        hess[i, i] = weak[i]
    energy = 0.0
    for i in range(n):
        energy += 0.5 * weak[i] * (q[i] - rest[i]) ** 2
    along = 0.0
    for i in range(3):
        along += guide[1 + i] * (q[3 + i] - rest[3 + i])
    for i in range(3):
        side = q[3 + i] - rest[3 + i] - along * guide[1 + i]
        energy += 0.5 * guide[0] * side * side
        grad[3 + i] += guide[0] * side
        for j in range(3):
            hess[3 + i, 3 + j] += guide[0] * ((1.0 if i == j else 0.0) - guide[1 + i] * guide[1 + j])
    for i in range(SUMS):
        sums[i] = 0.0
    plain = groups - (n - 6)
    table = near[0]
    add_springs(table, ranges[0], ranges[plain], rot, t, 0.0, nonlinear, sums)
    for m in range(n - 6):
        for i in range(WEDGE):
            wedge[i] = 0.0
        first, last = ranges[plain + m], ranges[plain + m + 1]
        add_springs(table, first, last, rot, t, q[6 + m], nonlinear, sums)
        add_wedge(table, first, last, rot, t, q[6 + m], nonlinear, wedge)
        _wedge_terms(wedge, rot, 6 + m, grad, hess)
    add_lines(lines, anchor, rot, t, sums, tension)
    x = rot[0, 0] * pull_point[0] + rot[0, 1] * pull_point[1] + rot[0, 2] * pull_point[2]
    y = rot[1, 0] * pull_point[0] + rot[1, 1] * pull_point[1] + rot[1, 2] * pull_point[2]
    z = rot[2, 0] * pull_point[0] + rot[2, 1] * pull_point[1] + rot[2, 2] * pull_point[2]
    load = -(pull[0] * (x + t[0]) + pull[1] * (y + t[1]) + pull[2] * (z + t[2]))
    _add_point(sums, x, y, z, load, -pull[0], -pull[1], -pull[2], 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    _pose_terms(sums, rot, grad, hess)
    grad[1] -= moment[0]
    grad[2] -= moment[1]
    return energy + sums[0] - moment[0] * q[1] - moment[1] * q[2]


@kernel
def place(q, level, springs, femoral_compliance, margin, rot, near, ranges):
    """Place the springs that are nearer than margin (mm) to the target and face it; returns their number.

    The level set is expanded once at the centre of each block of neighbouring springs: that tells which springs are near. They take
    over this expansion, or get one of their own when they touch or almost do. The stiffness is the share of the spring that faces the target
    over (compliance of the casting layers + femoral thickness x femoral_compliance); share and thickness are those of this pose, and
    stay while the springs are not placed anew. So the answer, for which they are placed where it is, has those of its own pose.
    """
    px, py, pz, area, nx, ny, nz, compliance, thickness, sx, sy, sz, group_start, block_start, block, soft, growth = springs
    table, number = near
    rotation(q, rot)
    r00, r01, r02 = rot[0, 0], rot[0, 1], rot[0, 2]
    r10, r11, r12 = rot[1, 0], rot[1, 1], rot[1, 2]
    r20, r21, r22 = rot[2, 0], rot[2, 1], rot[2, 2]
    groups = group_start.size - 1
    plain = groups - (q.size - 6)
    t0, t1, t2 = q[3], q[4], q[5]
    count, b = 0, 0
    for g in range(groups):
        ranges[g] = count
        shift = 0.0 if g < plain else q[6 + g - plain]
        while b < block_start.size - 1 and block_start[b] < group_start[g + 1]:
            xc = r00 * block[b, 0] + r01 * block[b, 1] + r02 * block[b, 2] + t0
            yc = r10 * block[b, 0] + r11 * block[b, 1] + r12 * block[b, 2] + t1
            zc = r20 * block[b, 0] + r21 * block[b, 1] + r22 * block[b, 2] + t2
            fc, gx, gy, gz, hxx, hxy, hxz, hyy, hyz, hzz = _spline(level, xc, yc, zc)
            if fc < block[b, 3] + margin + abs(shift) and _inside(level, xc, yc, zc):
                for i in range(block_start[b], block_start[b + 1]):
                    x0, x1, x2 = px[i] + shift * sx[i], py[i] + shift * sy[i], pz[i] + shift * sz[i]
                    x = r00 * x0 + r01 * x1 + r02 * x2 + t0
                    y = r10 * x0 + r11 * x1 + r12 * x2 + t1
                    z = r20 * x0 + r21 * x1 + r22 * x2 + t2
                    u, v, w = x - xc, y - yc, z - zc
                    ax, ay, az = hxx * u + hxy * v + hxz * w, hxy * u + hyy * v + hyz * w, hxz * u + hyz * v + hzz * w
                    f = fc + u * (gx + 0.5 * ax) + v * (gy + 0.5 * ay) + w * (gz + 0.5 * az) - DOUBT * (u * u + v * v + w * w)
                    if f >= margin:
                        continue
                    u = r00 * nx[i] + r01 * ny[i] + r02 * nz[i]
                    v = r10 * nx[i] + r11 * ny[i] + r12 * nz[i]
                    w = r20 * nx[i] + r21 * ny[i] + r22 * nz[i]
                    e, facing = (fc, gx, gy, gz, hxx, hxy, hxz, hyy, hyz, hzz), _facing(u, v, w, gx + ax, gy + ay, gz + az)
                    own = f < NEARLY
                    if own and (facing > 0.0 or u * gx + v * gy + w * gz < 0.3):
                        e = _spline(level, x, y, z)
                        facing = _facing(u, v, w, e[1], e[2], e[3])
                    if facing == 0.0:
                        continue
                    layer = femoral_thickness(level, x, y, z)
                    table[0, count], table[1, count], table[2, count], table[3, count] = px[i], py[i], pz[i], area[i]
                    give = compliance[i] + layer * femoral_compliance
                    table[4, count], table[22, count] = facing / give, soft[i] / (soft[i] + give)
                    table[23, count] = growth[i] * give / (soft[i] + give) ** 2
                    table[5, count] = thickness[i] + layer
                    table[6, count], table[7, count], table[8, count] = sx[i], sy[i], sz[i]
                    if own:
                        table[9, count], table[10, count], table[11, count] = x, y, z
                    else:
                        table[9, count], table[10, count], table[11, count] = xc, yc, zc
                    for j, value in enumerate(e):
                        table[12 + j, count] = value
                    number[count] = i
                    count += 1
            b += 1
    ranges[groups] = count
    return count


@kernel_inline
def _facing(u, v, w, fx, fy, fz):
    """Share of a spring with unit normal (u, v, w) that faces the target: 1 to 0 over FACING -+ TURNING of the cosine, a cubic."""
    dot, square = u * fx + v * fy + w * fz, fx * fx + fy * fy + fz * fz
    if dot <= 0.0 and dot * dot >= (FACING - TURNING) ** 2 * square:
        return 1.0
    if dot > 0.0 or dot * dot <= (FACING + TURNING) ** 2 * square:
        return 0.0
    part = 0.5 + 0.5 * (FACING - dot / math.sqrt(square)) / TURNING
    return part * part * (3.0 - 2.0 * part)


@kernel
def _inside(level, x, y, z):
    """Whether all 27 taps of a point lie in the grid."""
    _, _, _, nx, ny, nz, ox, oy, oz, ih = level
    gx, gy, gz = (x - ox) * ih, (y - oy) * ih, (z - oz) * ih
    return 0.5 <= gx < nx - 1.5 and 0.5 <= gy < ny - 1.5 and 0.5 <= gz < nz - 1.5


@kernel
def femoral_thickness(level, x, y, z):
    """Cartilage thickness (mm) of the target at a point, trilinear between the nodes."""
    _, thickness, _, nx, ny, nz, ox, oy, oz, ih = level
    gx, gy, gz = _clamped((x - ox) * ih, 0.0, nx - 1.0001), _clamped((y - oy) * ih, 0.0, ny - 1.0001), _clamped((z - oz) * ih, 0.0, nz - 1.0001)
    ix, iy, iz = int(gx), int(gy), int(gz)
    u, v, w = gx - ix, gy - iy, gz - iz
    k = (ix * ny + iy) * nz + iz
    m = k + ny * nz
    low = (thickness[k] * (1.0 - w) + thickness[k + 1] * w) * (1.0 - v) + (thickness[k + nz] * (1.0 - w) + thickness[k + nz + 1] * w) * v
    high = (thickness[m] * (1.0 - w) + thickness[m + 1] * w) * (1.0 - v) + (thickness[m + nz] * (1.0 - w) + thickness[m + nz + 1] * w) * v
    return low * (1.0 - u) + high * u


@kernel
def solve_spd(matrix, right, shift, free, factor, step):
    """Solve (matrix + shift I) step = right on the free coordinates by Cholesky; False when it is not positive definite."""
    n = right.size
    for j in range(n):
        if not free[j]:
            step[j] = 0.0
            continue
        diagonal = matrix[j, j] + shift
        for k in range(j):
            if free[k]:
                diagonal -= factor[j, k] * factor[j, k]
        if not diagonal > 1e-12 * (abs(matrix[j, j]) + shift) or diagonal <= 0.0:
            return False
        factor[j, j] = math.sqrt(diagonal)
        for i in range(j + 1, n):
            if free[i]:
                value = matrix[i, j]
                for k in range(j):
                    if free[k]:
                        value -= factor[i, k] * factor[j, k]
                factor[i, j] = value / factor[j, j]
    for i in range(n):
        if free[i]:
            value = right[i]
            for k in range(i):
                if free[k]:
                    value -= factor[i, k] * step[k]
            step[i] = value / factor[i, i]
    for r in range(n):
        i = n - 1 - r
        if free[i]:
            value = step[i]
            for k in range(i + 1, n):
                if free[k]:
                    value -= factor[k, i] * step[k]
            step[i] = value / factor[i, i]
    return True


@kernel
def _scaled(grad, hess, free, force, tangent):
    """Copy gradient and Hessian with angles counted as lengths (angle x LENGTH); returns the norm of the free part, N."""
    n = grad.size
    norm = 0.0
    for i in range(n):
        si = 1.0 / LENGTH if i < 3 else 1.0
        force[i] = -grad[i] * si
        if free[i]:
            norm += force[i] * force[i]
        for j in range(n):
            tangent[i, j] = hess[i, j] * si * (1.0 / LENGTH if j < 3 else 1.0)
    return math.sqrt(norm)


@kernel
def _copy(source, target):
    """Copy a vector (assignment of slices compiles slowly)."""
    for i in range(source.size):
        target[i] = source[i]


@kernel
def settle(q, free, level, springs, femoral_compliance, lines, anchor, weak, rest, guide, pull, pull_point, moment, nonlinear, options, near, ranges, tension):
    """Find the pose of least energy from q (n,), in place: Newton with the exact tangent, shifted where it is not positive definite.

    options = (margin mm, reach mm, tolerance N, steps): springs are placed anew when the body has moved by more than twice the margin, and at
    the end, until it moves by less than FRESH; reach is the distance from the body's origin to its farthest spring.
    Returns (unbalanced force N, Newton steps, evaluations); the force is that of springs placed no farther than FRESH from the answer,
    however the search ended.
    """
    margin, reach, tolerance, steps = options[0], options[1], options[2], int(options[3])
    n = q.size
    rot, sums, wedge = np.zeros((5, 3)), np.zeros(SUMS), np.zeros(WEDGE)
    work = (rot, sums, wedge)
    grad, force, step, trial, base, grad2 = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    hess, tangent, factor, hess2 = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    _copy(q, base)
    place(q, level, springs, femoral_compliance, margin, rot, near, ranges)
    energy = potential(q, near, ranges, lines, anchor, weak, rest, guide, pull, pull_point, moment, nonlinear, work, grad, hess, tension)
    evaluations, shift, norm, rounds, used, done = 1, 0.0, 0.0, 0, 0, False
    while used < steps and not done:
        norm = _scaled(grad, hess, free, force, tangent)
        fresh = _moved(q, base, reach) <= FRESH
        if norm <= (tolerance if fresh else ROUGH * tolerance):
            if fresh:
                break
            rounds += 1
            if rounds > 3:  # two expansions may send the body to and fro where the level set's second derivative jumps: meet in the middle
                for i in range(n):
                    q[i] = 0.5 * (q[i] + base[i])
            _copy(q, base)
            place(q, level, springs, femoral_compliance, margin, rot, near, ranges)
            energy = potential(q, near, ranges, lines, anchor, weak, rest, guide, pull, pull_point, moment, nonlinear, work, grad, hess, tension)
            evaluations += 1
            norm = _scaled(grad, hess, free, force, tangent)
            if norm <= tolerance:
                break
        used += 1
        while not done and not solve_spd(tangent, force, shift, free, factor, step):
            shift = max(4.0 * shift, 1.0)
            done = shift > 1e12
        if done:
            break
        longest, slope = 0.0, 0.0
        for i in range(n):
            longest = max(longest, abs(step[i]))
            slope -= force[i] * step[i]
        scale = min(1.0, LONGEST / longest)
        accepted = False
        new = energy
        for _ in range(12):
            for i in range(n):
                trial[i] = q[i] + scale * step[i] * (1.0 / LENGTH if i < 3 else 1.0)
            if _moved(trial, base, reach) > 2.0 * margin:
                place(trial, level, springs, femoral_compliance, margin + _moved(trial, q, reach), rot, near, ranges)
                _copy(trial, base)
                energy = potential(q, near, ranges, lines, anchor, weak, rest, guide, pull, pull_point, moment, nonlinear, work, grad2, hess2, tension)
                evaluations += 1
            new = potential(trial, near, ranges, lines, anchor, weak, rest, guide, pull, pull_point, moment, nonlinear, work, grad2, hess2, tension)
            evaluations += 1
            if new <= energy + 1e-4 * scale * slope + 1e-10 * abs(energy):
                accepted = True
                break
            scale *= 0.5 if scale > 0.3 else 0.25
        if not accepted:
            done = shift > 1e6
            shift = max(10.0 * shift, 10.0)
            energy = potential(q, near, ranges, lines, anchor, weak, rest, guide, pull, pull_point, moment, nonlinear, work, grad, hess, tension)
            continue
        energy = new
        _copy(trial, q)
        _copy(grad2, grad)
        for i in range(n):
            _copy(hess2[i], hess[i])
        shift = 0.0 if shift < 2.0 else 0.1 * shift
    if _moved(q, base, reach) > FRESH:  # the search gave up: what is unbalanced here?
        place(q, level, springs, femoral_compliance, margin, rot, near, ranges)
        potential(q, near, ranges, lines, anchor, weak, rest, guide, pull, pull_point, moment, nonlinear, work, grad, hess, tension)
        evaluations += 1
    return _scaled(grad, hess, free, force, tangent), used, evaluations


@kernel
def _moved(q, base, reach):
    """Upper bound of the distance (mm) that any spring has moved between two poses."""
    turn = abs(q[0] - base[0]) + abs(q[1] - base[1]) + abs(q[2] - base[2])
    shift = abs(q[3] - base[3]) + abs(q[4] - base[4]) + abs(q[5] - base[5])
    wedge = 0.0
    for i in range(6, q.size):
        wedge = max(wedge, abs(q[i] - base[i]))
    return turn * reach + shift + wedge


@kernel_inline
def _touching_share(f, fx, fy, fz, springs, i, rot):
    """Share of a triangle's area that touches, no unit: the rim of the contact cuts it where the depth, linear across it, is zero."""
    u, v, w = springs[4][i], springs[5][i], springs[6][i]
    nx, ny, nz = rot[0, 0] * u + rot[0, 1] * v + rot[0, 2] * w, rot[1, 0] * u + rot[1, 1] * v + rot[1, 2] * w, rot[2, 0] * u + rot[2, 1] * v + rot[2, 2] * w
    dot = fx * nx + fy * ny + fz * nz
    slope = math.sqrt(max(fx * fx + fy * fy + fz * fz - dot * dot, 0.0))
    return min(max(0.5 - f / (1.2 * math.sqrt(springs[3][i]) * slope + 1e-9), 0.0), 1.0)  # 1.2: width of a triangle of area 1, mean over directions


@kernel
def report(q, level, springs, near, ranges, home, nonlinear, rot, pressure, triangle, force, scalars):
    """Write pressures of the placed springs and sum per group; home (N,): place of each spring in pressure and triangle (N,).

    force (g, 3): N on the body, femur frame. scalars (g, 5): area mm2, normal force N and normal force times x, y, z of the spring (body frame).
    """
    rotation(q, rot)
    table, number = near
    groups = ranges.size - 1
    plain = groups - (q.size - 6)
    nearest, nx, ny, nz, ox, oy, oz, ih = level[2], level[3], level[4], level[5], level[6], level[7], level[8], level[9]
    for g in range(groups):
        shift = 0.0 if g < plain else q[6 + g - plain]
        for i in range(ranges[g], ranges[g + 1]):
            x0, x1, x2 = table[0, i] + shift * table[6, i], table[1, i] + shift * table[7, i], table[2, i] + shift * table[8, i]
            x = rot[0, 0] * x0 + rot[0, 1] * x1 + rot[0, 2] * x2 + q[3]
            y = rot[1, 0] * x0 + rot[1, 1] * x1 + rot[1, 2] * x2 + q[4]
            z = rot[2, 0] * x0 + rot[2, 1] * x1 + rot[2, 2] * x2 + q[5]
            f, fx, fy, fz, _, _, _, _, _, _ = _expansion(table, i, x, y, z)
            scalars[g, 0] += table[3, i] * _touching_share(f, fx, fy, fz, springs, number[i], rot)
            if f >= 0.0:
                continue
            _, p, _ = _law(-f, table[4, i], table[5, i], table[22, i], table[23, i], nonlinear)
            w = p * table[3, i]
            k = home[number[i]]
            pressure[k] = p
            a, b, c = (int(_clamped((x - ox) * ih + 0.5, 0.0, nx - 0.5)), int(_clamped((y - oy) * ih + 0.5, 0.0, ny - 0.5)),
                       int(_clamped((z - oz) * ih + 0.5, 0.0, nz - 0.5)))
            triangle[k] = nearest[(a * ny + b) * nz + c]
            force[g, 0] += w * fx
            force[g, 1] += w * fy
            force[g, 2] += w * fz
            scalars[g, 1] += w
            scalars[g, 2] += w * x0
            scalars[g, 3] += w * x1
            scalars[g, 4] += w * x2


@kernel
def _astray(q, rest, limit):
    """Whether a pose lies outside the range of a joint (a dislocated body has equilibria too): farther from rest than limit (6,), angles in
    rad, then mm along the axes of the body flexed as at rest."""
    c, s = math.cos(rest[0]), math.sin(rest[0])
    u, v, w = q[3] - rest[3], q[4] - rest[4], q[5] - rest[5]
    inside = abs(c * u + s * v) <= limit[3] and abs(c * v - s * u) <= limit[4] and abs(w) <= limit[5]
    for i in range(3):
        inside = inside and abs(q[i] - rest[i]) <= limit[i]
    return not inside


@kernel
def solve_frames(start, free, level, springs, home, femoral_compliance, lines, anchor, weak, rest, guide, flexion, pull, pull_point, moment,
                 load, nonlinear, options, limit, poses, tension, pressure, triangle, force, scalars, residual, iterations, status):
    """Equilibrium of one body in every frame (T), each from the poses of the frames before it.

    start (T, n): separated poses to start from when there is nothing better; weak and rest (T, n); guide (T, 4); flexion (T,) rad is prescribed when free[0] is
    False; limit (6,): see `_astray`; anchor (T, k, 3), pull (T, 3), pull_point (T, 3), moment (T, 2), load (T,) N, the size of the load that the residual is measured by. When a frame does not converge it
    is tried from the pose of the frame before, from a separated pose, with the load put on in steps, and under springs towards rest that are taken
    away in steps (HOLD); so is one that ends out of joint. Filled: poses (T, n),
    tension (T, k), pressure and triangle (T, N), force (T, g, 3), scalars (T, g, 5), residual (T,), iterations (T, 2: steps,
    evaluations), status (T,).
    """
    frames, n = start.shape
    count = springs[0].size
    groups = springs[12].size - 1
    near = (np.empty((24, count)), np.empty(count, np.int64))
    ranges, rot = np.zeros(groups + 1, np.int64), np.zeros((5, 3))
    q, local, frame_pull, frame_moment, tight, grip = np.empty(n), np.empty(4), np.empty(3), np.empty(2), np.empty(tension.shape[1]), np.empty(n)
    _copy(options, local)
    for k in range(frames):
        _copy(start[k], poses[k])
        status[k] = 2
        steps, evaluations, best, norm, astray, lost, attempt = 0, 0, np.inf, np.inf, True, True, 0
        for attempt in range(5):
            stages = 1
            if attempt == 0 and k > 1:
                for i in range(n):
                    q[i] = 2.0 * poses[k - 1, i] - poses[k - 2, i]
            elif attempt < 2 and k > 0:
                _copy(poses[k - 1], q)
            if attempt >= 2 or k == 0 or _astray(q, rest[k], limit):
                _copy(start[k], q)
            if attempt >= 3:
                stages = 5
            if not free[0]:
                q[0] = -flexion[k]
            norm = np.inf
            for stage in range(stages):
                part = 0.02 * 50.0 ** (stage / (stages - 1.0)) if attempt == 3 else 1.0
                hold = HOLD * (0.2**stage if stage < stages - 1 else 0.0) if attempt == 4 else 0.0
                for i in range(n):
                    grip[i] = weak[k, i] + (hold * LENGTH * LENGTH if i < 3 else (hold if i < 6 else 0.0))
                for i in range(3):
                    frame_pull[i] = pull[k, i] * part
                for i in range(2):
                    frame_moment[i] = moment[k, i] * part
                local[2] = options[2] * load[k]
                norm, used, tried = settle(q, free, level, springs, femoral_compliance, lines, anchor[k], grip, rest[k], guide[k], frame_pull,
                                           pull_point[k], frame_moment, nonlinear, local, near, ranges, tight)
                steps += used
                evaluations += tried
            lost = _astray(q, rest[k], limit)
            if (not lost and astray) or (norm < best and lost == astray):
                best, astray = norm, lost
                _copy(q, poses[k])
                _copy(tight, tension[k])
                status[k] = 0 if norm <= GOOD * load[k] else (1 if used >= int(options[3]) else 2)
            if best <= GOOD * load[k] and not astray:
                break
        if attempt > 0 and (norm != best or lost != astray):
            _copy(poses[k], q)
            place(q, level, springs, femoral_compliance, options[0], rot, near, ranges)
        residual[k] = best / load[k]
        iterations[k, 0], iterations[k, 1] = steps, evaluations
        report(q, level, springs, near, ranges, home, nonlinear, rot, pressure[k], triangle[k], force[k], scalars[k])
        area = 0.0
        for g in range(groups):
            area += scalars[k, g, 0]
        if status[k] == 0:
            status[k] = 4 if astray else (3 if area == 0.0 else 0)


@kernel
def area_percentile(pressure, area, first, last, share):
    """Pressure that only a `share` of the area in contact exceeds, columns first..last-1 of pressure (N,), by two histograms."""
    top, total = 0.0, 0.0
    for i in range(first.size):
        for j in range(first[i], last[i]):
            if pressure[j] > 0.0:
                top = max(top, pressure[j])
                total += area[j]
    if total == 0.0:
        return 0.0
    bins = np.zeros(256)
    low, high, above = 0.0, top * (1.0 + 1e-6), 0.0
    for _ in range(3):
        for i in range(bins.size):
            bins[i] = 0.0
        width = (high - low) / bins.size
        for i in range(first.size):
            for j in range(first[i], last[i]):
                if pressure[j] > 0.0 and low <= pressure[j] < high:
                    bins[min(int((pressure[j] - low) / width), bins.size - 1)] += area[j]
        b = bins.size - 1
        while b > 0 and above + bins[b] <= share * total:
            above += bins[b]
            b -= 1
        low, high = low + b * width, low + (b + 1) * width
    return min(high, top)


@kernel
def area_percentiles(pressure, area, first, last, share, peak):
    """`area_percentile` of every frame: pressure (T, N), area (N,), peak (T,)."""
    for k in range(pressure.shape[0]):
        peak[k] = area_percentile(pressure[k], area, first, last, share)
