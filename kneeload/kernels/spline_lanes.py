"""The level set at eight points at once: value and gradient, or the value alone, of a centred quadratic B-spline.

Points stand side by side in a flat array of rows `WIDTH` numbers long ("lanes"): row after row one quantity of the same points. For eight neighbouring
lanes the 27 taps are read as nine rows of four numbers per point, as they lie in memory, and turned into three vectors over the points by shuffles in
registers; sums and products then run over eight points side by side. No table and no gather is in the way, and everything is in double precision.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kneeload.kernels.level_set import clamped
from kneeload.kernels.options import kernel_inline

WIDTH = 64  # lanes
BLOCK = 8  # lanes that are looked up at once
_EIGHT, _FOUR, _I64 = ir.VectorType(ir.DoubleType(), 8), ir.VectorType(ir.DoubleType(), 4), ir.IntType(64)
_F = ("contract", "reassoc", "nsz")


def _constant(value: float) -> Any:
    return ir.Constant(_EIGHT, [value] * 8)


def _splat(builder: Any, value: Any) -> Any:
    one = builder.insert_element(ir.Constant(_EIGHT, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, ir.Constant(_EIGHT, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), 8), [0] * 8))


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
    """Three neighbouring numbers at offset from each of eight starts, as three vectors over the eight."""
    pairs = []
    for low, high in ((0, 2), (1, 3), (4, 6), (5, 7)):
        halves = [builder.load(builder.bitcast(builder.gep(starts[i], [offset]), _FOUR.as_pointer()), align=8) for i in (low, high)]
        pairs.append(_mix(builder, halves[0], halves[1], list(range(8))))
    even, odd = [0, 8, 2, 10, 4, 12, 6, 14], [1, 9, 3, 11, 5, 13, 7, 15]
    low_even, high_even = _mix(builder, pairs[0], pairs[1], even), _mix(builder, pairs[2], pairs[3], even)
    low_odd, high_odd = _mix(builder, pairs[0], pairs[1], odd), _mix(builder, pairs[2], pairs[3], odd)
    first, last = [0, 1, 4, 5, 8, 9, 12, 13], [2, 3, 6, 7, 10, 11, 14, 15]
    return [_mix(builder, low_even, high_even, first), _mix(builder, low_odd, high_odd, first), _mix(builder, low_even, high_even, last)]


def _of_eight(slopes: bool) -> Any:
    """Intrinsic f(c, nz, plane, inverse spacing, cells, lanes, j, source, target): lanes j..j+7. cells[j]: lower corner of the taps; offsets in the rows from
    lanes[source] on (3, node distances); writes the rows from lanes[target] on: value, and with `slopes` the gradient (3, per mm)."""

    def of_eight(typingctx, c, nz, plane, ih, cells, lanes, j, source, target):  # type: ignore[no-untyped-def]
        whole = types.uint64
        signature = types.void(c, whole, whole, types.float64, cells, lanes, whole, whole, whole)

        def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
            c, cells, lanes = (context.make_array(sig.args[i])(context, builder, args[i]).data for i in (0, 4, 5))
            row_step, plane_step, inverse, lane_0, from_row, to_row = args[1], args[2], args[3], args[6], args[7], args[8]
            starts = [builder.gep(c, [builder.load(builder.gep(cells, [builder.add(lane_0, ir.Constant(_I64, lane))]))]) for lane in range(8)]

            def place(first: Any, row: int) -> Any:
                at = builder.add(builder.add(first, lane_0), ir.Constant(_I64, row * WIDTH))
                return builder.bitcast(builder.gep(lanes, [at]), _EIGHT.as_pointer())

            (us, dus), (vs, dvs), (ws, dws) = (_weights(builder, builder.load(place(from_row, row), align=8)) for row in range(3))
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
                builder.store(values, place(to_row, row), align=8)
            return context.get_dummy_value()

        return signature, codegen

    return intrinsic(of_eight)


def lane_copier(rows: int, source_step: int) -> Any:
    """Return `copy(source, at, lanes, to)`: rows of eight numbers, source_step apart in source, into lanes `to`..`to + 7`."""

    def copy(typingctx, source, at, lanes, to):  # type: ignore[no-untyped-def]
        def codegen(context, builder, sig, args):  # type: ignore[no-untyped-def]
            data = [context.make_array(sig.args[i])(context, builder, args[i]).data for i in (0, 2)]
            for row in range(rows):
                places = (builder.add(first, ir.Constant(_I64, row * step)) for first, step in ((args[1], source_step), (args[3], WIDTH)))
                here, there = (builder.bitcast(builder.gep(pointer, [place]), _EIGHT.as_pointer()) for pointer, place in zip(data, places))
                builder.store(builder.load(here, align=8), there, align=8)
            return context.get_dummy_value()

        return types.void(source, types.uint64, lanes, types.uint64), codegen

    return intrinsic(copy)


level_of_eight: Any = _of_eight(True)
value_of_eight: Any = _of_eight(False)


@kernel_inline
def lane_cell(grid, x, y, z):
    """Lower corner of the 27 taps of a point, the offsets from the centre node in node distances, and how far (node distances) the point lies
    beyond the grid (not above 0 inside). Clamped to the grid."""
    nx, ny, nz, ox, oy, oz, ih = np.float64(grid[0]), np.float64(grid[1]), np.float64(grid[2]), grid[3], grid[4], grid[5], grid[6]
    gx, gy, gz = (x - ox) * ih, (y - oy) * ih, (z - oz) * ih
    beyond = max(max(max(0.5 - gx, gx - (nx - 1.5)), max(0.5 - gy, gy - (ny - 1.5))), max(0.5 - gz, gz - (nz - 1.5)))
    gx, gy, gz = clamped(gx, 0.5, nx - 1.5001), clamped(gy, 0.5, ny - 1.5001), clamped(gz, 0.5, nz - 1.5001)
    ix, iy, iz = math.floor(gx - 0.5), math.floor(gy - 0.5), math.floor(gz - 0.5)
    return np.int64((ix * ny + iy) * nz + iz), gx - ix - 1.0, gy - iy - 1.0, gz - iz - 1.0, beyond


@kernel_inline
def turned(r, x, y, z):
    """R p for a rotation as a tuple of nine."""
    return r[0] * x + r[1] * y + r[2] * z, r[3] * x + r[4] * y + r[5] * z, r[6] * x + r[7] * y + r[8] * z
