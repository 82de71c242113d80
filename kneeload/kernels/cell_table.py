"""The table of cell polynomials of a level set (see `kneeload.kernels.level_set`), from its coefficients."""

from __future__ import annotations

import numpy as np

from kneeload.kernels.level_set import FAR
from kneeload.kernels.options import kernel, kernel_inline, kernel_strict


@kernel_strict
def number_cells(coefficients, shape, spacing, low, high, child):
    """Fill child (nodes,) and return how many nodes have an entry: those whose coefficient over the spacing lies between low and high.

    coefficients: (nodes,) mm, flat (one number more is allowed). shape: (nx, ny, nz). spacing: mm. The outermost nodes have no spline around them.
    """
    nx, ny, nz = shape
    count, node = 0, 0
    for i in range(nx):
        for j in range(ny):
            border = i == 0 or i == nx - 1 or j == 0 or j == ny - 1
            for k in range(nz):
                over = coefficients[node] / spacing
                child[node] = 0 if over > 0.0 else -1
                if low < over < high and not (border or k == 0 or k == nz - 1):
                    count += 1
                    child[node] = count
                node += 1
    return count


@kernel_inline
def _powers(a, b, c, half, whole):
    """Coefficients of 1, u, u^2 of a quadratic B-spline around its middle node, from three neighbours; half = 0.5 / h, whole = 0.5 / h^2."""
    ends = a + c
    return 0.125 * ends + 0.75 * b, half * (c - a), whole * (ends - 2.0 * b)


@kernel_inline
def _sheet(c, m, row, half, whole):
    """Coefficients of z^k y^j (at place 3 j + k) in the plane of nine nodes around node m; row: numbers in a row."""
    a0, a1, a2 = _powers(c[m - row - 1], c[m - row], c[m - row + 1], half, whole)
    b0, b1, b2 = _powers(c[m - 1], c[m], c[m + 1], half, whole)
    g0, g1, g2 = _powers(c[m + row - 1], c[m + row], c[m + row + 1], half, whole)
    return (*_powers(a0, b0, g0, half, whole), *_powers(a1, b1, g1, half, whole), *_powers(a2, b2, g2, half, whole))


@kernel_inline
def _mean(a, b, c):
    """Mean over the middle cell of a quadratic B-spline with three coefficients: the square in it has the mean h^2 / 12."""
    return (a + c) * (1.0 / 6.0) + b * (2.0 / 3.0)


@kernel_inline
def _line(t, m, half):
    """Mean and slope over the middle cell of a field of B-splines along z, from three neighbours around number m of t (single precision)."""
    a, b, c = np.float64(t[m - 1]), np.float64(t[m]), np.float64(t[m + 1])
    return _mean(a, b, c), half * (c - a)


@kernel_inline
def _flat_sheet(t, m, row, half):
    """Mean, slope along y and slope along z over the middle cell, in the plane of nine nodes around node m."""
    a, along_a = _line(t, m - row, half)
    b, along_b = _line(t, m, half)
    c, along_c = _line(t, m + row, half)
    return _mean(a, b, c), half * (c - a), _mean(along_a, along_b, along_c)


@kernel
def fill_cells(coefficients, thickness, shape, spacing, child, entries):
    """Fill the entries (count + 1, ENTRY) that child (nodes,) numbers; entry 0 says FAR.

    coefficients: (nodes,) mm. thickness: (nodes,) mm. shape: (nx, ny, nz). spacing: mm. Both fields are separable, so each direction is worked out once.
    """
    nx, ny, nz = shape
    plane, half, whole = ny * nz, 0.5 / spacing, 0.5 / (spacing * spacing)
    entries[0, 0] = FAR
    for m in range(plane, (nx - 1) * plane):
        entry = child[m]
        if entry > 0:
            a, b, c = (_sheet(coefficients, m - plane, nz, half, whole), _sheet(coefficients, m, nz, half, whole), _sheet(coefficients, m + plane, nz, half, whole))
            for k in range(3):
                for j in range(3):
                    p = 3 * k + j  # `_sheet` gives z first
                    entries[entry, 3 * j + k], entries[entry, 9 + 3 * j + k], entries[entry, 18 + 3 * j + k] = _powers(a[p], b[p], c[p], half, whole)
            before, here, behind = _flat_sheet(thickness, m - plane, nz, half), _flat_sheet(thickness, m, nz, half), _flat_sheet(thickness, m + plane, nz, half)
            entries[entry, 27] = _mean(before[0], here[0], behind[0])
            entries[entry, 28] = half * (behind[0] - before[0])
            entries[entry, 29] = _mean(before[1], here[1], behind[1])
            entries[entry, 30] = _mean(before[2], here[2], behind[2])
