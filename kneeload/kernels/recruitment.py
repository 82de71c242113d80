"""Muscle recruitment: a small quadratic programme per frame, all frames in one call.

For each frame, with activation a (n muscles), m requirements A a + r ~ b and slack r:

    minimise  1/2 sum_i w_i a_i^2 + 1/2 sum_j r_j^2 / s_j
    subject to  A a + r = b   (requirement j is an equality)
                A a + r >= b  (requirement j is one-sided)
                low <= a <= high

The dual has only m unknowns y (y_j >= 0 where one-sided): a_i(y) = clip((A^T y)_i / w_i, low_i, high_i) and r_j = s_j y_j, and the dual
function -phi is concave and piecewise quadratic with gradient -(A a(y) + s y - b). The kernel minimises phi by a projected
semismooth Newton method with an exact line search on the (piecewise linear, increasing) slope, so every step descends and the number of steps is
finite. Small s keeps r negligible unless the bounds leave no other way. Method: Bertsekas 1982, doi 10.1137/0320018 (projected Newton).
"""

from __future__ import annotations

import numpy as np

from kneeload.kernels.options import kernel

MAX_REQUIREMENTS = 8


@kernel
def _solve_free(hessian, gradient, free, step, work):
    """Cholesky solve of hessian[free, free] step[free] = -gradient[free]; step is 0 elsewhere."""
    m = gradient.shape[0]
    for j in range(m):
        step[j] = -gradient[j] if free[j] else 0.0
    for j in range(m):
        if not free[j]:
            continue
        diagonal = hessian[j, j]
        for k in range(j):
            if free[k]:
                diagonal -= work[j, k] * work[j, k]
        work[j, j] = np.sqrt(max(diagonal, 1e-300))
        for i in range(j + 1, m):
            if not free[i]:
                continue
            value = hessian[i, j]
            for k in range(j):
                if free[k]:
                    value -= work[i, k] * work[j, k]
            work[i, j] = value / work[j, j]
    for j in range(m):
        if free[j]:
            for k in range(j):
                if free[k]:
                    step[j] -= work[j, k] * step[k]
            step[j] /= work[j, j]
    for j in range(m - 1, -1, -1):
        if free[j]:
            for k in range(j + 1, m):
                if free[k]:
                    step[j] -= work[k, j] * step[k]
            step[j] /= work[j, j]


@kernel
def _activate(rows, y, weight, low, high, activation):
    """Set activation = clip(rows^T y / weight, low, high)."""
    m, n = rows.shape
    for i in range(n):
        pull = 0.0
        for j in range(m):
            pull += rows[j, i] * y[j]
        activation[i] = min(max(pull / weight[i], low[i]), high[i])


@kernel
def _residual(rows, target, soft, y, activation, gradient):
    """Set gradient = rows activation + soft y - target."""
    m, n = rows.shape
    for j in range(m):
        total = soft[j] * y[j] - target[j]
        for i in range(n):
            total += rows[j, i] * activation[i]
        gradient[j] = total


@kernel
def _slope(along, base, weight, low, high, constant, linear, t):
    """Slope of phi at y + t step: constant + linear t + sum_i along_i clip((base_i + t along_i) / weight_i)."""
    total = constant + linear * t
    curvature = linear
    for i in range(along.shape[0]):
        pull = (base[i] + t * along[i]) / weight[i]
        if pull <= low[i]:
            total += along[i] * low[i]
        elif pull >= high[i]:
            total += along[i] * high[i]
        else:
            total += along[i] * pull
            curvature += along[i] * along[i] / weight[i]
    return total, curvature


@kernel
def _line_search(rows, target, soft, y, step, weight, low, high, along, base, longest):
    """Minimiser of phi on y + t step for 0 <= t <= longest: safeguarded Newton on the increasing slope."""
    m, n = rows.shape
    for i in range(n):
        a = 0.0
        b = 0.0
        for j in range(m):
            a += rows[j, i] * step[j]
            b += rows[j, i] * y[j]
        along[i] = a
        base[i] = b
    constant = 0.0
    linear = 0.0
    for j in range(m):
        constant += step[j] * (soft[j] * y[j] - target[j])
        linear += soft[j] * step[j] * step[j]
    start, curvature = _slope(along, base, weight, low, high, constant, linear, 0.0)
    if start >= 0.0:
        return 0.0
    left = 0.0
    right = longest
    t = min(1.0, longest)
    for _ in range(60):
        value, curvature = _slope(along, base, weight, low, high, constant, linear, t)
        if abs(value) <= 1e-14 * abs(start):
            return t
        if value < 0.0:
            left = t
            if t >= longest:
                return longest
        else:
            right = t
        t = t - value / curvature
        if t <= left or t >= right:
            t = 0.5 * (left + right) if right < 1e30 else min(2.0 * left + 1.0, longest)
        if right - left <= 1e-15 * right:
            return t
    return t


@kernel
def recruit(rows, target, one_sided, weight, low, high, soft, tolerance, max_steps):
    """Solve the recruitment of every frame; neighbouring frames start each other.

    Args:
        rows: (T, m, n) effect of full activation of each muscle on each requirement, in units of the requirement.
        target: (T, m) requirement, same units.
        one_sided: (m,) bool; True where the requirement is a lower bound.
        weight: (n,) no unit; cost of activation, > 0.
        low: (T, n) no unit; least activation.
        high: (n,) no unit; largest activation.
        soft: (m,) squared units of the requirement; s, > 0.
        tolerance: no unit; accepted |residual| over the largest |target| or row norm.
        max_steps: no unit; Newton steps per frame.

    Returns:
        activation: (T, n) no unit.
        slack: (T, m) units of the requirement; what no muscle supplied, s y.
        steps: (T,) no unit; Newton steps, max_steps + 1 where the tolerance was not reached.
    """
    frames, m, n = rows.shape
    activation = np.zeros((frames, n))
    slack = np.zeros((frames, m))
    steps = np.zeros(frames, dtype=np.int32)
    y = np.zeros(m)
    gradient = np.zeros(m)
    step = np.zeros(m)
    work = np.zeros((m, m))
    hessian = np.zeros((m, m))
    free = np.zeros(m, dtype=np.bool_)
    along = np.zeros(n)
    base = np.zeros(n)
    for t in range(frames):
        scale = 0.0
        for j in range(m):
            scale = max(scale, abs(target[t, j]))
            for i in range(n):
                scale = max(scale, abs(rows[t, j, i]))
        steps[t] = max_steps + 1
        for count in range(max_steps + 1):
            _activate(rows[t], y, weight, low[t], high, activation[t])
            _residual(rows[t], target[t], soft, y, activation[t], gradient)
            worst = 0.0
            for j in range(m):
                free[j] = not (one_sided[j] and y[j] <= 0.0 and gradient[j] >= 0.0)
                if free[j] and not abs(gradient[j]) <= worst:  # written so that a NaN is kept
                    worst = abs(gradient[j])
            if worst <= tolerance * scale:
                steps[t] = count
                break
            for j in range(m):
                for k in range(j + 1):
                    total = soft[j] if j == k else 0.0
                    for i in range(n):
                        if low[t, i] < activation[t, i] < high[i]:
                            total += rows[t, j, i] * rows[t, k, i] / weight[i]
                    hessian[j, k] = total
            _solve_free(hessian, gradient, free, step, work)
            for _ in range(m):  # leave out bounds that the step would leave at once
                blocked = False
                for j in range(m):
                    if free[j] and one_sided[j] and y[j] <= 0.0 and step[j] < 0.0:
                        free[j] = False
                        blocked = True
                if not blocked:
                    break
                _solve_free(hessian, gradient, free, step, work)
            longest = 1e300
            first = -1
            for j in range(m):
                if one_sided[j] and step[j] < 0.0 and -y[j] / step[j] < longest:
                    longest = -y[j] / step[j]
                    first = j
            length = _line_search(rows[t], target[t], soft, y, step, weight, low[t], high, along, base, longest)
            for j in range(m):
                y[j] += length * step[j]
                if one_sided[j] and (y[j] < 0.0 or (j == first and length >= longest)):
                    y[j] = 0.0
        for j in range(m):
            slack[t, j] = soft[j] * y[j]
            if steps[t] > max_steps:  # a failed frame must not start its neighbour
                y[j] = 0.0
    return activation, slack, steps
