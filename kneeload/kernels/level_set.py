"""The smooth target: a level set of centred quadratic B-splines, its value, gradient and Hessian at a point.

The 27 taps of a point lie in nine rows of three neighbours in memory; each row is one vector load (`spline_rows`), and the sums over
rows run in its lanes.

    level = (c, thickness, nearest, nx, ny, nz, ox, oy, oz, inverse spacing, child, entries)   see kneeload.subject.level_set.LevelSet

c is flat with one number more than nodes, since a row is read as four.

Within the cell around a node (half a spacing to each side) the spline is one polynomial, of degree 2 in each direction. Its 27 coefficients are an
entry of a table, so that the level set at many points (`spread_entries`, `cell_polynomial`) needs four vector loads each and no search:
    coefficient (i, j, k) of (x - node)^i (y - node)^j (z - node)^k at place 9 i + 3 j + k, mm per mm^(i + j + k); from place 27 on the
    cartilage thickness of the target, mm, and its gradient: the linear function that fits the B-splines of that field best within the cell.
child (nodes,) is the number of a node's entry in entries (flat, float32); 0 outside the band, where entry 0 says FAR; -1 deeper inside than the
band, where `spline` must be asked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from kneeload.kernels.options import kernel, kernel_inline

HALF, ONE, BORDER, TWO = np.float32(0.5), np.float32(1.0), np.float32(1.5), np.float32(2.0)  # so that single precision stays single
FAR = 1.0  # mm; value in entries that are not kept
ENTRY = 32  # numbers per entry of the table, two cache lines; 31 are in use
LANES = 32  # points that are looked up together: rows of this length stand side by side
STEP = np.uint64(LANES)
_F = ("contract", "reassoc", "nsz")
_VEC = ir.VectorType(ir.DoubleType(), 4)


def _splat(builder: Any, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(_VEC, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, ir.Constant(_VEC, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), 4), [0] * 4))


def _sum(builder: Any, weights: Any, rows: Any) -> Any:
    total = builder.fmul(weights[0], rows[0], flags=_F)
    for w, r in zip(weights[1:], rows[1:]):
        total = builder.fadd(builder.fmul(w, r, flags=_F), total, flags=_F)
    return total


def _second(builder: Any, rows: Any, minus_two: Any) -> Any:
    ends = builder.fadd(rows[0], rows[2], flags=_F)
    return builder.fadd(builder.fmul(minus_two, rows[1], flags=_F), ends, flags=_F)


def _spline_rows(typingctx, c, k, nz, plane, u, du, v, dv, w, dw):  # type: ignore[no-untyped-def]
    """(f, fu, fv, fw, fuu, fuv, fuw, fvv, fvw, fww) in node distances, from the taps at c[k + i plane + j nz + (0, 1, 2)]."""
    tri = types.UniTuple(types.float64, 3)
    signature = types.UniTuple(types.float64, 10)(c, types.uint64, types.uint64, types.uint64, tri, tri, tri, tri, tri, tri)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        array = context.make_array(sig.args[0])(context, builder, args[0])
        k, nz, plane = args[1:4]
        weights = [cgutils.unpack_tuple(builder, a, 3) for a in args[4:]]
        us, dus, vs, dvs = ([_splat(builder, x) for x in row] for row in weights[:4])
        w, dw = weights[4:]
        minus_two = ir.Constant(_VEC, [-2.0] * 4)
        a0, a1, a2 = [], [], []
        for j in range(3):
            rows = []
            for i in range(3):
                index = k
                for _ in range(i):
                    index = builder.add(index, plane)
                for _ in range(j):
                    index = builder.add(index, nz)
                pointer = builder.bitcast(builder.gep(array.data, [index]), _VEC.as_pointer())
                rows.append(builder.load(pointer, align=8))
            a0.append(_sum(builder, us, rows))
            a1.append(_sum(builder, dus, rows))
            a2.append(_second(builder, rows, minus_two))
        planes = (_sum(builder, vs, a0), _sum(builder, vs, a1), _sum(builder, dvs, a0), _sum(builder, vs, a2), _sum(builder, dvs, a1), _second(builder, a0, minus_two))
        i32 = ir.IntType(32)
        def mix(x, y, order):
            return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(i32, len(order)), order))
        p00, p10, p01, p20, p11, p02 = planes
        low_a, high_a = mix(p00, p10, [0, 4, 2, 6]), mix(p00, p10, [1, 5, 3, 7])
        low_b, high_b = mix(p01, p20, [0, 4, 2, 6]), mix(p01, p20, [1, 5, 3, 7])
        z = [mix(low_a, low_b, [0, 1, 4, 5]), mix(high_a, high_b, [0, 1, 4, 5]), mix(low_a, low_b, [2, 3, 6, 7])]
        low_c, high_c = mix(p11, p02, [0, 4, 2, 6]), mix(p11, p02, [1, 5, 3, 7])
        y = [mix(low_c, low_c, [0, 1]), mix(high_c, high_c, [0, 1]), mix(low_c, low_c, [2, 3])]
        ws, dws = [_splat(builder, x) for x in w], [_splat(builder, x) for x in dw]
        wss = [mix(x, x, [0, 1]) for x in ws]
        values, slopes, pair, bend = _sum(builder, ws, z), _sum(builder, dws, z), _sum(builder, wss, y), _second(builder, z, minus_two)
        def lane(x, i):
            return builder.extract_element(x, ir.Constant(i32, i))
        f, fu, fv, fuu = (lane(values, i) for i in range(4))
        fw, fuw, fvw = (lane(slopes, i) for i in range(3))
        fuv, fvv, fww = lane(pair, 0), lane(pair, 1), lane(bend, 0)
        return context.make_tuple(builder, sig.return_type, (f, fu, fv, fw, fuu, fuv, fuw, fvv, fvw, fww))

    return signature, codegen


spline_rows: Any = intrinsic(_spline_rows)


def row_copier(rows: int, source_step: int, target_step: int) -> Any:
    """Return `copy(source, at, target, to)`: rows of eight numbers, source_step and target_step apart, by vector loads and stores; source may be single and target double precision."""

    def copy(typingctx, source, at, target, to):  # type: ignore[no-untyped-def]
        def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
            data = [context.make_array(sig.args[i])(context, builder, args[i]).data for i in (0, 2)]
            own, other = (ir.VectorType(context.get_value_type(sig.args[i].dtype), 8) for i in (0, 2))
            for row in range(rows):
                places = (builder.add(first, ir.Constant(ir.IntType(64), row * step)) for first, step in ((args[1], source_step), (args[3], target_step)))
                here, there = (builder.bitcast(builder.gep(pointer, [place]), kind.as_pointer()) for pointer, place, kind in zip(data, places, (own, other)))
                values = builder.load(here, align=4)
                builder.store(values if source.dtype == target.dtype else builder.fpext(values, other), there, align=4)
            return context.get_dummy_value()

        return types.void(source, types.uint64, target, types.uint64), codegen

    return intrinsic(copy)


def _spread_entries(typingctx, entries, places, first, rows, at):  # type: ignore[no-untyped-def]
    """Write eight entries side by side: number a of entry j to rows[at + a LANES + j]. places[first + j] (int32) is the place of entry j.

    Four numbers at a time: entries j and j + 4 are loaded as one vector of two halves, and each half is transposed in registers.
    """
    signature = types.void(entries, places, types.uint64, rows, types.uint64)

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        entries, places, target = (context.make_array(sig.args[i])(context, builder, args[i]).data for i in (0, 1, 3))
        i32, i64, half, line = ir.IntType(32), ir.IntType(64), ir.VectorType(ir.FloatType(), 4), ir.VectorType(ir.FloatType(), 8)

        def mix(a, b, order):  # type: ignore[no-untyped-def]
            return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(i32, len(order)), order))

        starts = [builder.zext(builder.load(builder.gep(places, [builder.add(args[2], ir.Constant(i64, j))])), i64) for j in range(8)]
        for part in range(0, ENTRY, 4):
            halves = [builder.load(builder.bitcast(builder.gep(entries, [builder.add(k, ir.Constant(i64, part))]), half.as_pointer()), align=4) for k in starts]
            a, b, c, d = (mix(low, high, [0, 1, 2, 3, 4, 5, 6, 7]) for low, high in zip(halves[:4], halves[4:]))
            low_ab, high_ab = mix(a, b, [0, 8, 1, 9, 4, 12, 5, 13]), mix(a, b, [2, 10, 3, 11, 6, 14, 7, 15])
            low_cd, high_cd = mix(c, d, [0, 8, 1, 9, 4, 12, 5, 13]), mix(c, d, [2, 10, 3, 11, 6, 14, 7, 15])
            first, second = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]
            columns = (mix(low_ab, low_cd, first), mix(low_ab, low_cd, second), mix(high_ab, high_cd, first), mix(high_ab, high_cd, second))
            for k, values in enumerate(columns):
                here = builder.gep(target, [builder.add(args[4], ir.Constant(i64, LANES * (part + k)))])
                builder.store(values, builder.bitcast(here, line.as_pointer()), align=4)
        return context.get_dummy_value()

    return signature, codegen


spread_entries: Any = intrinsic(_spread_entries)


def _least_of_eight(typingctx, values, at):  # type: ignore[no-untyped-def]
    """Smallest of values[at], ..., values[at + 7]."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        kind = context.get_value_type(values.dtype)
        vector = ir.VectorType(kind, 8)
        pointer = builder.bitcast(builder.gep(context.make_array(values)(context, builder, args[0]).data, [args[1]]), vector.as_pointer())
        real = isinstance(values.dtype, types.Float)
        name = f"llvm.vector.reduce.{'fmin' if real else 'smin'}.v8{'f' if real else 'i'}{values.dtype.bitwidth}"
        reduce = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [vector]), name)
        return builder.call(reduce, [builder.load(pointer, align=4)], fastmath=("nnan",) if real else ())

    return values.dtype(values, types.uint64), codegen


least_of_eight: Any = intrinsic(_least_of_eight)


def _whole(typingctx, x):  # type: ignore[no-untyped-def]
    """The whole number below x, in the precision of x (numpy's floor is a call, which no loop survives)."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        return builder.call(builder.module.declare_intrinsic("llvm.floor", [args[0].type]), args)

    return x(x), codegen


whole: Any = intrinsic(_whole)


@kernel_inline
def _taps(u):
    """Weights of the centred quadratic B-spline at three neighbouring nodes, and their first derivatives, u in [-0.5, 0.5]."""
    a, b = 0.5 - u, 0.5 + u
    return 0.5 * a * a, 0.75 - u * u, 0.5 * b * b, -a, -2.0 * u, b


@kernel_inline
def clamped(value, low, high):
    """Value within its limits; low when it is not a number."""
    value = value if value > low else low
    return value if value < high else high


@kernel_inline
def _cell(level, x, y, z):
    """Lower corner of the 27 taps (uint64) and the offsets from the centre node, in node distances. Clamped to the grid."""
    _, _, _, nx, ny, nz, ox, oy, oz, ih, _, _ = level
    gx, gy, gz = (x - ox) * ih, (y - oy) * ih, (z - oz) * ih
    gx, gy, gz = clamped(gx, 0.5, nx - 1.5001), clamped(gy, 0.5, ny - 1.5001), clamped(gz, 0.5, nz - 1.5001)
    ix, iy, iz = np.int32(gx - 0.5), np.int32(gy - 0.5), np.int32(gz - 0.5)
    k = np.uint64(np.uint32((ix * np.int32(ny) + iy) * np.int32(nz) + iz))
    return k, gx - np.float64(ix) - 1.0, gy - np.float64(iy) - 1.0, gz - np.float64(iz) - 1.0


@kernel_inline
def spline(level, x, y, z):
    """Level set at a point: value (mm), gradient (no unit), Hessian (1/mm): f, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz."""
    c, ih = level[0], level[9]
    nz = np.uint64(level[5])
    k, u, v, w = _cell(level, x, y, z)
    u0, u1, u2, q0, q1, q2 = _taps(u)
    v0, v1, v2, e0, e1, e2 = _taps(v)
    w0, w1, w2, d0, d1, d2 = _taps(w)
    f, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz = spline_rows(
        c, k, nz, np.uint64(level[4]) * nz, (u0, u1, u2), (q0, q1, q2), (v0, v1, v2), (e0, e1, e2), (w0, w1, w2), (d0, d1, d2))
    i2 = ih * ih
    return f, fx * ih, fy * ih, fz * ih, fxx * i2, fxy * i2, fxz * i2, fyy * i2, fyz * i2, fzz * i2


@kernel
def level_set_at(level, points, value, gradient, hessian):
    """Fill value (n,), gradient (n, 3) and hessian (n, 6: xx, xy, xz, yy, yz, zz) at points (n, 3), mm."""
    for i in range(points.shape[0]):
        f = spline(level, points[i, 0], points[i, 1], points[i, 2])
        value[i] = f[0]
        for j in range(3):
            gradient[i, j] = f[1 + j]
        for j in range(6):
            hessian[i, j] = f[4 + j]


@kernel
def inside(level, x, y, z):
    """Whether all 27 taps of a point lie in the grid."""
    _, _, _, nx, ny, nz, ox, oy, oz, ih, _, _ = level
    gx, gy, gz = (x - ox) * ih, (y - oy) * ih, (z - oz) * ih
    return 0.5 <= gx < nx - 1.5 and 0.5 <= gy < ny - 1.5 and 0.5 <= gz < nz - 1.5


@kernel
def femoral_thickness(level, x, y, z):
    """Cartilage thickness (mm) of the target at a point: B-splines whose coefficients are the values at the nodes."""
    t, nz = level[1], np.uint64(level[5])
    plane = np.uint64(level[4]) * nz
    k, u, v, w = _cell(level, x, y, z)
    across, along, up = _taps(u)[:3], _taps(v)[:3], _taps(w)[:3]
    total = 0.0
    for i in range(3):
        for j in range(3):
            m = k + np.uint64(i) * plane + np.uint64(j) * nz
            total += across[i] * along[j] * (up[0] * t[m] + up[1] * t[m + np.uint64(1)] + up[2] * t[m + np.uint64(2)])
    return total


@kernel_inline
def rough_level(c, grid, x, y, z):
    """Value (mm) and gradient from the coefficients around the nearest node by central differences: within 0.2 mm of the spline near the surface."""
    nx, ny, nz, ox, oy, oz, ih = grid
    gx, gy, gz = (x - ox) * ih + 0.5, (y - oy) * ih + 0.5, (z - oz) * ih + 0.5
    i, j, k = np.int32(clamped(gx, 1.0, nx - 1.5)), np.int32(clamped(gy, 1.0, ny - 1.5)), np.int32(clamped(gz, 1.0, nz - 1.5))
    u, v, w = gx - np.float64(i) - 0.5, gy - np.float64(j) - 0.5, gz - np.float64(k) - 0.5
    m = np.uint64(np.uint32((i * np.int32(ny) + j) * np.int32(nz) + k))
    plane, row, one = np.uint64(ny * nz), np.uint64(nz), np.uint64(1)
    fu, fv, fw = 0.5 * (c[m + plane] - c[m - plane]), 0.5 * (c[m + row] - c[m - row]), 0.5 * (c[m + one] - c[m - one])
    return c[m] + u * fu + v * fv + w * fw, fu * ih, fv * ih, fw * ih


@kernel_inline
def cell_of(grid, x, y, z):
    """Node whose cell holds a point, and the offset (mm) of the point from it, in the precision of grid and point. Clamped to the grid."""
    nx, ny, nz, ox, oy, oz, ih = grid
    gx, gy, gz = (x - ox) * ih + HALF, (y - oy) * ih + HALF, (z - oz) * ih + HALF
    i, j, k = whole(clamped(gx, ONE, nx - BORDER)), whole(clamped(gy, ONE, ny - BORDER)), whole(clamped(gz, ONE, nz - BORDER))
    h = ONE / ih
    node = (np.int32(i) * np.int32(ny) + np.int32(j)) * np.int32(nz) + np.int32(k)
    return node, (gx - i - HALF) * h, (gy - j - HALF) * h, (gz - k - HALF) * h


@kernel_inline
def _quadratic(c, i, u):
    """Value and first two derivatives at u of the polynomial with coefficients c[i], c[i + STEP], c[i + 2 STEP]."""
    c1, c2 = c[i + STEP], c[i + STEP + STEP]
    return c[i] + u * (c1 + u * c2), c1 + TWO * u * c2, TWO * c2


@kernel_inline
def _sheet(c, i, v, w):
    """f, fv, fw, fvv, fvw, fww of nine coefficients from c[i] on."""
    a, aw, aww = _quadratic(c, i, w)
    b, bw, bww = _quadratic(c, i + STEP * np.uint64(3), w)
    g, gw, gww = _quadratic(c, i + STEP * np.uint64(6), w)
    return a + v * (b + v * g), b + TWO * v * g, aw + v * (bw + v * gw), TWO * g, bw + TWO * v * gw, aww + v * (bww + v * gww)


@kernel_inline
def cell_polynomial(c, j, u, v, w):
    """Level set at the offset (u, v, w) mm from the node of the point whose first coefficient is c[j]: f, fx, fy, fz, fxx, fxy, fxz, fyy, fyz, fzz.

    c: rows of `spread_entries`.
    """
    a, ay, az, ayy, ayz, azz = _sheet(c, j, v, w)
    b, by, bz, byy, byz, bzz = _sheet(c, j + STEP * np.uint64(9), v, w)
    g, gy, gz, gyy, gyz, gzz = _sheet(c, j + STEP * np.uint64(18), v, w)
    return (a + u * (b + u * g), b + TWO * u * g, ay + u * (by + u * gy), az + u * (bz + u * gz), TWO * g, by + TWO * u * gy, bz + TWO * u * gz,
            ayy + u * (byy + u * gyy), ayz + u * (byz + u * gyz), azz + u * (bzz + u * gzz))


@kernel_inline
def cell_thickness(c, j, u, v, w):
    """Cartilage thickness (mm) of the target at the offset (u, v, w) mm from the node of the point whose first coefficient is c[j]."""
    t = j + STEP * np.uint64(27)
    return c[t] + u * c[t + STEP] + v * c[t + STEP * np.uint64(2)] + w * c[t + STEP * np.uint64(3)]
