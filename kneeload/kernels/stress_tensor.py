"""The whole stress tensor in an elastic half-space under discs of normal and tangential force.

Boussinesq's and Cerruti's point loads (K. L. Johnson, Contact Mechanics, 1985, sections 3.2 and 3.6), written without division by the lateral
distance, so that the axis is no special case; z into the solid, tension positive. A source is a disc of uniform traction: near by three Gauss
rings with eight angles, as in `halfspace`, farther away four points that have the second moments of the disc, and beyond 20 radii its centre.
As a plain point load a disc would be off by up to 10 % at six radii.
"""

from __future__ import annotations

import math

import numpy as np

from kneeload.kernels.bone_stress import add_rows
from kneeload.kernels.halfspace import NEAR
from kneeload.kernels.loads import FRAMES
from kneeload.kernels.options import kernel, kernel_inline

TENSOR = 6  # components xx, yy, zz, xy, yz, zx
LANES = 64  # points that are worked on together; a fixed number, so that the compiler knows what does not overlap
LEAST = 0.8  # radii; a point nearer to the surface counts as that deep, since the rule over the disc holds from there on
FAR = 20.0  # radii; a disc that no point of a block is nearer to counts as a point load, by less than 1 % of itself
ANGLES = 8
_SCALE = 1.0 / (2.0 * math.pi)
_COS = np.cos((np.arange(ANGLES) + 0.5) * 2.0 * math.pi / ANGLES)
_SIN = np.sin((np.arange(ANGLES) + 0.5) * 2.0 * math.pi / ANGLES)


@kernel_inline
def _point_load(x, y, z, qx, qy, p, soft, one, three):
    """Stress (six numbers, times 2 pi) at (x, y, z) under a force (qx, qy, p) N at the origin, p into the solid; soft = 1 - 2 Poisson's ratio.

    Two parts: -3 (F . r) r r / rho^5, whatever the material, and one that vanishes in an incompressible solid. one, three: in the
    precision of the rest.
    """
    rho = math.sqrt(x * x + y * y + z * z)
    i, s = one / rho, one / (rho + z)
    i2, s2, along = i * i, s * s, qx * x + qy * y
    i3 = i * i2
    main = three * (along + p * z) * i2 * i3
    e, g = i * s2, (rho + rho + z) * i3 * s2
    h = i3 * s2 + (i2 + i2) * s2 * s
    xx = soft * ((i3 - e + x * x * h) * along - (e + e) * qx * x + p * (i * s - y * y * g)) - main * x * x
    yy = soft * ((i3 - e + y * y * h) * along - (e + e) * qy * y + p * (i * s - x * x * g)) - main * y * y
    xy = soft * (x * y * h * along - e * (qx * y + qy * x) + p * x * y * g) - main * x * y
    return xx, yy, -main * z * z, xy, -main * y * z, -main * z * x


@kernel
def fill_disc_stress(points, centres, forces, radii, poisson, rings, ring_weights, out):
    """Add to out (n, 6) MPa (xx, yy, zz, xy, yz, zx) the stress at points (n, 3) mm (z = depth) under discs (p, 2) mm on a flat surface.

    forces (p, 3) N: along x, along y, into the solid. Double precision, every disc integrated.
    """
    soft = 1.0 - 2.0 * poisson
    for i in range(points.shape[0]):
        stress = out[i]
        for j in range(centres.shape[0]):
            x, y, z = points[i, 0] - centres[j, 0], points[i, 1] - centres[j, 1], points[i, 2]
            for k in range(rings.shape[0]):
                ring, share = rings[k] * radii[j], _SCALE * ring_weights[k] / ANGLES
                for c in range(ANGLES):
                    xx, yy, zz, xy, yz, zx = _point_load(x - ring * _COS[c], y - ring * _SIN[c], z, share * forces[j, 0], share * forces[j, 1],
                                                         share * forces[j, 2], soft, 1.0, 3.0)
                    stress[0] += xx
                    stress[1] += yy
                    stress[2] += zz
                    stress[3] += xy
                    stress[4] += yz
                    stress[5] += zx


@kernel
def _near_disc(x, y, z, qx, qy, p, radius, soft, rings, ring_weights):
    """Stress of one disc by the rule over it: MPa."""
    one, three, zero = np.float32(1.0), np.float32(3.0), np.float32(0.0)
    txx, tyy, tzz, txy, tyz, tzx = zero, zero, zero, zero, zero, zero
    for k in range(rings.shape[0]):
        ring, share = rings[k] * radius, np.float32(_SCALE * ring_weights[k] / ANGLES)
        for c in range(ANGLES):
            xx, yy, zz, xy, yz, zx = _point_load(x - np.float32(ring * _COS[c]), y - np.float32(ring * _SIN[c]), z, share * qx, share * qy, share * p, soft,
                                                 one, three)
            txx += xx
            tyy += yy
            tzz += zz
            txy += xy
            tyz += yz
            tzx += zx
    return txx, tyy, tzz, txy, tyz, tzx


@kernel
def _place(geometry, centre, normal, work):
    """Fill work: where LANES points lie from a disc, x, y mm, and the parts qx, qy, p of its unit force in the axes of each point; return how many count.

    The distance along the surface is the chord in the direction of its projection. A disc that faces away from a point does not count.
    """
    px, py, pz = geometry[:LANES], geometry[LANES:2 * LANES], geometry[2 * LANES:3 * LANES]
    ax, ay, az = geometry[3 * LANES:4 * LANES], geometry[4 * LANES:5 * LANES], geometry[5 * LANES:6 * LANES]
    bx, by, bz = geometry[6 * LANES:7 * LANES], geometry[7 * LANES:8 * LANES], geometry[8 * LANES:9 * LANES]
    nx, ny, nz = geometry[9 * LANES:10 * LANES], geometry[10 * LANES:11 * LANES], geometry[11 * LANES:12 * LANES]
    x, y, qx, qy, p = work[:LANES], work[LANES:2 * LANES], work[2 * LANES:3 * LANES], work[3 * LANES:4 * LANES], work[4 * LANES:5 * LANES]
    cx, cy, cz, u, v, w = centre[0], centre[1], centre[2], normal[0], normal[1], normal[2]
    count = 0.0
    for i in range(LANES):
        dx, dy, dz = px[i] - cx, py[i] - cy, pz[i] - cz
        a, b = dx * ax[i] + dy * ay[i] + dz * az[i], dx * bx[i] + dy * by[i] + dz * bz[i]
        unroll = math.sqrt((dx * dx + dy * dy + dz * dz) / max(a * a + b * b, 1e-30))
        x[i], y[i] = unroll * a, unroll * b
        facing = u * nx[i] + v * ny[i] + w * nz[i]
        counts = 1.0 if facing > 0.0 else 0.0
        p[i] = counts * facing
        qx[i], qy[i] = -counts * (u * ax[i] + v * ay[i] + w * az[i]), -counts * (u * bx[i] + v * by[i] + w * bz[i])
        count += counts
    return count


@kernel
def fill_tensor_rows(geometry, sources, source_normals, radii, chosen, poisson, rings, ring_weights, out):
    """Fill out (c, 6 LANES) MPa per N with the stress under LANES points of a surface from unit loads on the discs chosen (c,).

    geometry (13 LANES,), LANES numbers each: x, y, z of the points, mm; of two unit vectors along the surface there; of the outward normal; depth, mm.
    A row has LANES numbers of xx, then of yy, zz, xy, yz, zx in those axes, z against the normal. Each disc presses against its own normal
    (p, 3); in the tangent plane of a point that force has a normal and a tangential part. sources (p, 3) mm, radii (p,) mm. Single precision
    but for distances.
    """
    work, near = np.empty(TENSOR * LANES, np.float32), np.empty(LANES + 1, np.int64)
    x, y, qx, qy, p = work[:LANES], work[LANES:2 * LANES], work[2 * LANES:3 * LANES], work[3 * LANES:4 * LANES], work[4 * LANES:5 * LANES]
    z, depth = work[5 * LANES:], geometry[12 * LANES:]
    one, three, soft = np.float32(1.0), np.float32(3.0), np.float32(1.0 - 2.0 * poisson)
    for c in range(chosen.shape[0]):
        j = chosen[c]
        row = out[c]
        row[:] = np.float32(0.0)
        if _place(geometry, sources[j], source_normals[j], work) == 0.0:
            continue
        least, limit, close, half = LEAST * radii[j], np.float32((NEAR * radii[j]) ** 2), 0, np.float32(0.5 * radii[j])
        nearest, parts = np.float32(1e30), 4
        for i in range(LANES):
            z[i] = max(depth[i], least)
        for i in range(LANES):
            near[close] = i
            square = x[i] * x[i] + y[i] * y[i] + z[i] * z[i]
            nearest = min(nearest, square)
            close += (square < limit) & (p[i] > 0.0)
        if nearest > (FAR * radii[j]) ** 2:
            parts, half = 1, np.float32(0.0)
        share = np.float32(_SCALE / parts)
        oxx, oyy, ozz = row[:LANES], row[LANES:2 * LANES], row[2 * LANES:3 * LANES]
        oxy, oyz, ozx = row[3 * LANES:4 * LANES], row[4 * LANES:5 * LANES], row[5 * LANES:6 * LANES]
        for k in range(parts):
            ax, ay = half if k < 2 else -half, half if k % 2 == 0 else -half
            for i in range(LANES):
                xx, yy, zz, xy, yz, zx = _point_load(x[i] - ax, y[i] - ay, z[i], share * qx[i], share * qy[i], share * p[i], soft, one, three)
                oxx[i] += xx
                oyy[i] += yy
                ozz[i] += zz
                oxy[i] += xy
                oyz[i] += yz
                ozx[i] += zx
        for m in range(close):
            i = near[m]
            oxx[i], oyy[i], ozz[i], oxy[i], oyz[i], ozx[i] = _near_disc(x[i], y[i], z[i], qx[i], qy[i], p[i], radii[j], soft, rings, ring_weights)


@kernel
def add_effective_power(start, index, value, field, poisson, exponent, seconds, power, largest):
    """Add to power (LANES,) the sum over frames of seconds (T,) times effective stress to the exponent; field (P, 6 LANES) MPa per N, as `fill_tensor_rows`.

    The effective stress is sqrt(2 E U), with U the strain energy density of Hooke's law, so that Young's modulus E cancels. largest (LANES,): raised to
    its largest square in any frame, MPa2. start, index, value: forces, four frames at a time (`list_loads`).
    """
    total, energy = np.empty((FRAMES, TENSOR * LANES), np.float32), np.empty(LANES, np.float32)
    two, double, half = np.float32(2.0 * poisson), np.float32(2.0 * (1.0 + poisson)), np.float32(0.5 * exponent)
    for q in range(start.shape[0] - 1):
        add_rows(index, value, start[q], start[q + 1], field, total)
        for t in range(FRAMES * q, min(FRAMES * (q + 1), seconds.shape[0])):
            row, weight = total[t - FRAMES * q], seconds[t]
            xx, yy, zz = row[:LANES], row[LANES:2 * LANES], row[2 * LANES:3 * LANES]
            xy, yz, zx = row[3 * LANES:4 * LANES], row[4 * LANES:5 * LANES], row[5 * LANES:6 * LANES]
            for i in range(LANES):
                a, b, c = xx[i], yy[i], zz[i]
                energy[i] = a * a + b * b + c * c - two * (a * b + b * c + c * a) + double * (xy[i] * xy[i] + yz[i] * yz[i] + zx[i] * zx[i])
            for i in range(LANES):
                largest[i] = max(largest[i], energy[i])
            if exponent == 4.0:
                for i in range(LANES):
                    power[i] += weight * (energy[i] * energy[i])
            else:
                for i in range(LANES):
                    power[i] += weight * energy[i] ** half
