"""The level set at sixteen points at once, in single precision: value and gradient, or the value alone, of a centred quadratic B-spline.

Points stand side by side in a flat array of rows `WIDTH` numbers long ("lanes"): row after row one quantity of the same points. For sixteen neighbouring
lanes the 27 taps are read as nine rows of four numbers per point, as they lie in memory, and turned into three vectors over the points by shuffles in
registers; sums and products then run over sixteen points side by side. No table and no gather is in the way.

Single precision is enough because a place is never a large number: it is the offset from a node of the grid (at most half a node distance), which
is found in double precision or from one that is (`lane_cell`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from kneeload.kernels.level_set import clamped, whole
from kneeload.kernels.options import kernel_inline

WIDTH = 64  # lanes
BLOCK = 8  # springs that lie together
LOOK = 16  # lanes that are looked up at once
NONE, HALF = np.float32(0.0), np.float32(0.5)  # so that single precision stays single
_LINE, _FOUR, _I64 = ir.VectorType(ir.FloatType(), LOOK), ir.VectorType(ir.FloatType(), 4), ir.IntType(64)
_F = ("contract", "reassoc", "nsz")


def _constant(value: float) -> Any:
    return ir.Constant(_LINE, [value] * LOOK)


def _splat(builder: Any, value: Any, size: int = LOOK) -> Any:
    kind = ir.VectorType(ir.FloatType(), size)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), size), [0] * size))


def _mix(builder: Any, x: Any, y: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order))


def _sum(builder: Any, weights: Any, rows: Any) -> Any:
    total = builder.fmul(weights[0], rows[0], flags=_F)
    for w, r in zip(weights[1:], rows[1:]):
        total = builder.fadd(builder.fmul(w, r, flags=_F), total, flags=_F)
    return total


def _weights(builder: Any, u: Any) -> tuple[list[Any], list[Any]]:
    """Weights of three neighbouring nodes at u in [-0.5, 0.5], and their derivatives."""
    half = _constant(0.5)
    a, b, square = builder.fsub(half, u, flags=_F), builder.fadd(half, u, flags=_F), builder.fmul(u, u, flags=_F)
    ends = [builder.fmul(half, builder.fmul(x, x, flags=_F), flags=_F) for x in (a, b)]
    slopes = [builder.fsub(u, half, flags=_F), builder.fmul(_constant(-2.0), u, flags=_F), b]
    return [ends[0], builder.fsub(_constant(0.75), square, flags=_F), ends[1]], slopes


def _three_taps(builder: Any, starts: list[Any], offset: Any) -> list[Any]:
    """Three neighbouring numbers at offset from each of sixteen starts, as three vectors over the sixteen."""
    taps = [builder.load(builder.bitcast(builder.gep(start, [offset]), _FOUR.as_pointer()), align=4) for start in starts]
    a, b, c, d = (_mix(builder, _mix(builder, taps[m], taps[m + 4], list(range(8))), _mix(builder, taps[m + 8], taps[m + 12], list(range(8))), list(range(16)))
                  for m in range(4))  # four points each, every fourth one, in quarters

    def quarters(x: Any, y: Any, order: tuple[int, ...]) -> Any:
        return _mix(builder, x, y, [4 * quarter + i + (12 if i > 3 else 0) for quarter in range(4) for i in order])

    low_ab, low_cd, high_ab, high_cd = quarters(a, b, (0, 4, 1, 5)), quarters(c, d, (0, 4, 1, 5)), quarters(a, b, (2, 6, 3, 7)), quarters(c, d, (2, 6, 3, 7))
    return [quarters(low_ab, low_cd, (0, 1, 4, 5)), quarters(low_ab, low_cd, (2, 3, 6, 7)), quarters(high_ab, high_cd, (0, 1, 4, 5))]


def _look_up(slopes: bool) -> Any:
    """Intrinsic f(c, nz, plane, inverse spacing, cells, lanes, j, source, target): lanes j..j+15. cells[j] (int32): lower corner of the taps; offsets in the
    rows from lanes[source] on (3, node distances); writes the rows from lanes[target] on: value, and with `slopes` the gradient (3, per mm)."""

    def look_up(typingctx, c, nz, plane, ih, cells, lanes, j, source, target):  # type: ignore[no-untyped-def]
        size = types.uint64
        signature = types.void(c, size, size, types.float32, cells, lanes, size, size, size)

        def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
            c, cells, lanes = (context.make_array(sig.args[i])(context, builder, args[i]).data for i in (0, 4, 5))
            row_step, plane_step, inverse, lane_0, from_row, to_row = args[1], args[2], args[3], args[6], args[7], args[8]
            starts = [builder.gep(c, [builder.zext(builder.load(builder.gep(cells, [builder.add(lane_0, ir.Constant(_I64, lane))])), _I64)]) for lane in range(LOOK)]

            def place(first: Any, row: int) -> Any:
                at = builder.add(builder.add(first, lane_0), ir.Constant(_I64, row * WIDTH))
                return builder.bitcast(builder.gep(lanes, [at]), _LINE.as_pointer())

            (us, dus), (vs, dvs), (ws, dws) = (_weights(builder, builder.load(place(from_row, row), align=4)) for row in range(3))
            value, along_v, along_w = [], [], []
            for i in range(3):
                a, b = [], []
                for k in range(3):
                    offset = builder.add(builder.mul(plane_step, ir.Constant(_I64, i)), builder.mul(row_step, ir.Constant(_I64, k)))
                    taps = _three_taps(builder, starts, offset)
                    a.append(_sum(builder, ws, taps))
                    if slopes:
                        b.append(_sum(builder, dws, taps))
                value.append(_sum(builder, vs, a))
                if slopes:
                    along_v.append(_sum(builder, dvs, a))
                    along_w.append(_sum(builder, vs, b))
            found = [_sum(builder, us, value)]
            if slopes:
                per_mm = _splat(builder, inverse)
                found += [builder.fmul(per_mm, _sum(builder, *pair), flags=_F) for pair in ((dus, value), (us, along_v), (us, along_w))]
            for row, values in enumerate(found):
                builder.store(values, place(to_row, row), align=4)
            return context.get_dummy_value()

        return signature, codegen

    return intrinsic(look_up)


def _lane_spreader(rows: int) -> Any:
    """Return `spread(source, at, lanes, to)`: source[at + i] to the eight lanes from `to` on of row i."""

    def spread(typingctx, source, at, lanes, to):  # type: ignore[no-untyped-def]
        def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
            here, there = (context.make_array(sig.args[i])(context, builder, args[i]).data for i in (0, 2))
            for row in range(rows):
                value = builder.load(builder.gep(here, [builder.add(args[1], ir.Constant(_I64, row))]))
                place = builder.gep(there, [builder.add(args[3], ir.Constant(_I64, row * WIDTH))])
                builder.store(_splat(builder, value, BLOCK), builder.bitcast(place, ir.VectorType(ir.FloatType(), BLOCK).as_pointer()), align=4)
            return context.get_dummy_value()

        return types.void(source, types.uint64, lanes, types.uint64), codegen

    return intrinsic(spread)


def _mask(context: Any, builder: Any, lanes_type: Any, lanes: Any, at: Any) -> tuple[Any, Any]:
    """Data of the lanes and which of the sixteen from `at` on are above 0."""
    data = context.make_array(lanes_type)(context, builder, lanes).data
    values = builder.load(builder.bitcast(builder.gep(data, [at]), _LINE.as_pointer()), align=4)
    return data, builder.fcmp_ordered(">", values, _constant(0.0))


def _append_lanes(typingctx, lanes, mask, row, target, n):  # type: ignore[no-untyped-def]
    """Write those of lanes[row], ..., lanes[row + 15] to target[n], target[n + 1], ... whose number among those from lanes[mask] on is above 0."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        data, chosen = _mask(context, builder, sig.args[0], args[0], args[1])
        target = context.make_array(sig.args[3])(context, builder, args[3]).data
        kind = ir.FunctionType(ir.VoidType(), [_LINE, ir.FloatType().as_pointer(), ir.VectorType(ir.IntType(1), LOOK)])
        store = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.compressstore.v{LOOK}f32")
        values = builder.load(builder.bitcast(builder.gep(data, [args[2]]), _LINE.as_pointer()), align=4)
        builder.call(store, [values, builder.gep(target, [args[4]]), chosen])
        return context.get_dummy_value()

    return types.void(lanes, types.uint64, types.uint64, target, types.uint64), codegen


def _count_lanes(typingctx, lanes, mask):  # type: ignore[no-untyped-def]
    """How many of lanes[mask], ..., lanes[mask + 15] are above 0."""

    def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
        chosen = _mask(context, builder, sig.args[0], args[0], args[1])[1]
        return builder.zext(builder.ctpop(builder.bitcast(chosen, ir.IntType(LOOK))), _I64)

    return types.uint64(lanes, types.uint64), codegen


append_lanes: Any = intrinsic(_append_lanes)
count_lanes: Any = intrinsic(_count_lanes)
level_of_lanes: Any = _look_up(True)
value_of_lanes: Any = _look_up(False)
spread_place: Any = _lane_spreader(6)


@kernel_inline
def lane_cell(grid, x, y, z, bx, by, bz):
    """Cell of a point that lies (x, y, z) node distances beyond node (bx + 1, by + 1, bz + 1), in the precision of these.

    Returns the lower corner of its 27 taps, that corner's node (3) and the offsets (3) from the node in the middle of the taps: within
    half a node distance inside the grid, more where the cell had to be clamped to it.
    """
    nx, ny, nz = grid[0], grid[1], grid[2]
    i = clamped(whole(x + HALF) + bx, NONE, np.float32(nx - 3))
    j = clamped(whole(y + HALF) + by, NONE, np.float32(ny - 3))
    k = clamped(whole(z + HALF) + bz, NONE, np.float32(nz - 3))
    cell = np.int32((np.int32(i) * np.int32(ny) + np.int32(j)) * np.int32(nz) + np.int32(k))
    return cell, i, j, k, x - (i - bx), y - (j - by), z - (k - bz)


@kernel_inline
def within(u):
    """Offset in the cell, half a node distance at most."""
    return clamped(u, -HALF, HALF)


@kernel_inline
def turned(r, x, y, z):
    """R p for a rotation as a tuple of nine."""
    return r[0] * x + r[1] * y + r[2] * z, r[3] * x + r[4] * y + r[5] * z, r[6] * x + r[7] * y + r[8] * z
