"""Small dense systems, written out: numpy's solver takes seconds to compile."""

from __future__ import annotations

import math

from kneeload.kernels.options import kernel


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
