"""Muscle recruitment: a small quadratic programme per frame, all frames in one call.

For each frame, with activation a (n muscles), preferred activation p, m requirements A a + r ~ b and slack r:

    minimise  1/2 sum_i w_i (a_i - p_i)^2 + 1/2 sum_j r_j^2 / s_j
    subject to  A a + r = b   (requirement j is an equality)
                A a + r >= b  (requirement j is one-sided)
                low <= a <= high

The dual has only m unknowns y (y_j >= 0 where one-sided): a_i(y) = clip(p_i + (A^T y)_i / w_i, low_i, high_i) and r_j = s_j y_j, and
the dual function -phi is concave and piecewise quadratic with gradient -(A a(y) + s y - b). The kernel minimises phi by a projected
semismooth Newton method with an exact line search on the (piecewise linear, increasing) slope, so every step descends and the number
of steps is finite. Small s keeps r negligible unless the bounds leave no other way. Method: Bertsekas 1982, doi 10.1137/0320018
(projected Newton).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kneeload.kernels.options import kernel

_ROUNDING = 2e-15  # ten roundings of a double


class Recruitment(NamedTuple):
    """The programme of every frame: T frames, n muscles, m requirements. All arrays are C-contiguous.

    Attributes:
        rows: (T, m, n) effect of full activation of each muscle on each requirement, in units of the requirement.
        target: (T, m) requirement, same units.
        one_sided: (m,) bool; True where the requirement is a lower bound.
        weight: (n,) no unit; cost of activation, > 0.
        preferred: (T, n) no unit; activation that costs nothing.
        low: (T, n) no unit; least activation.
        high: (T, n) no unit; largest activation, not below `low`.
        soft: (m,) squared units of the requirement; s, > 0.
    """

    rows: NDArray[np.float64]
    target: NDArray[np.float64]
    one_sided: NDArray[np.bool_]
    weight: NDArray[np.float64]
    preferred: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    soft: NDArray[np.float64]


# Rows of the working memory of one frame. Few plain arrays, since every array inside a tuple costs counted references in each function.
_PULL, _ALONG, _PREFERRED, _PER_WEIGHT, _LOW, _HIGH, _ACTIVATION = 0, 1, 2, 3, 4, 5, 6  # of `muscles` (7, n)
_Y, _STEP, _GRADIENT, _TARGET, _SOFT, _FREE, _ONE_SIDED = 0, 1, 2, 3, 4, 5, 6  # of `needs` (7, m); the last two hold 1 or 0
_HESSIAN, _FACTOR = 0, 1  # of `squares` (2, m, m); lower halves


@kernel
def _sizes(rows, t, muscles, needs):
    """Largest norm of a row (1 if all are 0) and largest 1 / weight; norm nan where the numbers describe no programme.

    They must be finite, weights and softness positive and bounds in order. Finiteness is seen in sums, which need no branches.
    """
    m, n = rows.shape[1:]
    largest = 0.0
    total = 0.0
    sound = True
    for i in range(n):
        largest = max(largest, muscles[_PER_WEIGHT, i])
        sound = sound & (muscles[_LOW, i] <= muscles[_HIGH, i]) & (muscles[_PER_WEIGHT, i] > 0.0)
        total += 0.0 * (muscles[_PER_WEIGHT, i] + muscles[_PREFERRED, i] + muscles[_LOW, i] + muscles[_HIGH, i])
    norm = 0.0
    for j in range(m):
        squares = 0.0
        for i in range(n):
            squares += rows[t, j, i] * rows[t, j, i]
        norm = max(norm, squares)
        sound = sound & (needs[_SOFT, j] > 0.0)
        total += 0.0 * (squares + needs[_TARGET, j] + needs[_SOFT, j])
    if not (sound and total == 0.0):
        return np.nan, largest
    return (np.sqrt(norm) if norm > 0.0 else 1.0), largest


@kernel
def _solve_free(squares, needs):
    """Cholesky solve of hessian[free, free] step[free] = -gradient[free]; step is 0 elsewhere.

    The diagonal of the factor is kept as 1 over its entries.
    """
    m = needs.shape[1]
    for j in range(m):  # rows and columns that are not free become those of a unit matrix
        step = -needs[_GRADIENT, j] * needs[_FREE, j]
        for k in range(j):
            value = squares[_HESSIAN, j, k] * needs[_FREE, j] * needs[_FREE, k]
            for i in range(k):
                value -= squares[_FACTOR, j, i] * squares[_FACTOR, k, i]
            value *= squares[_FACTOR, k, k]
            squares[_FACTOR, j, k] = value
            step -= value * needs[_STEP, k]
        value = squares[_HESSIAN, j, j] if needs[_FREE, j] > 0.0 else 1.0
        for i in range(j):
            value -= squares[_FACTOR, j, i] * squares[_FACTOR, j, i]
        squares[_FACTOR, j, j] = 1.0 / np.sqrt(max(value, 1e-300))
        needs[_STEP, j] = step * squares[_FACTOR, j, j]
    for j in range(m - 1, -1, -1):
        step = needs[_STEP, j]
        for k in range(j + 1, m):
            step -= squares[_FACTOR, k, j] * needs[_STEP, k]
        needs[_STEP, j] = step * squares[_FACTOR, j, j]


@kernel
def _look(rows, t, muscles, needs):
    """Set the activation at y, with bounds and without (pull), and the gradient of phi = rows activation + soft y - target."""
    m, n = rows.shape[1:]
    for i in range(n):
        muscles[_PULL, i] = 0.0
    for j in range(m):
        y = needs[_Y, j]
        for i in range(n):
            muscles[_PULL, i] += rows[t, j, i] * y
    for i in range(n):
        pull = muscles[_PREFERRED, i] + muscles[_PULL, i] * muscles[_PER_WEIGHT, i]
        muscles[_PULL, i] = pull
        muscles[_ACTIVATION, i] = min(max(pull, muscles[_LOW, i]), muscles[_HIGH, i])
    for j in range(m):
        total = needs[_SOFT, j] * needs[_Y, j] - needs[_TARGET, j]
        for i in range(n):
            total += rows[t, j, i] * muscles[_ACTIVATION, i]
        needs[_GRADIENT, j] = total


@kernel
def _curvature(rows, t, muscles, needs, squares):
    """Set the Hessian of phi at y: rows_j rows_k / weight of the muscles between their bounds, plus soft on the diagonal."""
    m, n = rows.shape[1:]
    for i in range(n):  # the row `along` is not needed before the line search
        muscles[_ALONG, i] = muscles[_PER_WEIGHT, i] if muscles[_ACTIVATION, i] == muscles[_PULL, i] else 0.0
    for j in range(m):
        for k in range(j + 1):
            total = needs[_SOFT, j] if j == k else 0.0
            for i in range(n):
                total += rows[t, j, i] * rows[t, k, i] * muscles[_ALONG, i]
            squares[_HESSIAN, j, k] = total


@kernel
def _line_search(rows, t, muscles, needs, longest):
    """Minimiser of phi on y + length step for 0 <= length <= longest: safeguarded Newton on the increasing slope."""
    m, n = rows.shape[1:]
    constant = 0.0
    linear = 0.0
    for i in range(n):
        muscles[_ALONG, i] = 0.0
    for j in range(m):
        step = needs[_STEP, j]
        constant += step * (needs[_SOFT, j] * needs[_Y, j] - needs[_TARGET, j])
        linear += needs[_SOFT, j] * step * step
        for i in range(n):
            muscles[_ALONG, i] += rows[t, j, i] * step
    left = 0.0
    right = longest
    length = 0.0
    start = 0.0
    piece = 0.0
    for count in range(61):
        value = constant + linear * length
        curvature = linear
        for i in range(n):
            along = muscles[_ALONG, i]
            change = along * muscles[_PER_WEIGHT, i]
            pull = muscles[_PULL, i] + length * change
            bounded = min(max(pull, muscles[_LOW, i]), muscles[_HIGH, i])
            value += along * bounded
            curvature += along * change if bounded == pull else 0.0
        if count == 0:  # the slope at y itself
            if value >= 0.0:
                return 0.0
            start = -value
            piece = curvature
            length = min(1.0, longest)
            continue
        if abs(value) <= 1e-14 * start or (curvature == piece and abs(value) <= 1e-3 * start):
            return length  # the second: no bound was met on the way here, so what is left of the slope is rounding
        piece = curvature
        if value < 0.0:
            left = length
            if length >= longest:
                return longest
        else:
            right = length
        length = length - value / curvature
        if length <= left or length >= right:
            length = 0.5 * (left + right) if right < 1e30 else min(2.0 * left + 1.0, longest)
        if right - left <= 1e-15 * right:
            return length
    return length


@kernel
def _solve_frames(problem, limits, muscles, needs, squares, activation, slack, steps):
    """Fill activation, slack and steps, see `recruit`; limits are the tolerance and the largest number of steps.

    One long function on purpose: every further level of calls is compiled again with all it calls.
    """
    rows, target, one_sided, weight, preferred, low, high, soft = problem
    frames, m, n = rows.shape
    most = int(limits[1])
    for t in range(frames):
        for i in range(n):
            muscles[_PREFERRED, i] = preferred[t, i]
            muscles[_PER_WEIGHT, i] = 1.0 / weight[i]
            muscles[_LOW, i] = low[t, i]
            muscles[_HIGH, i] = high[t, i]
        for j in range(m):
            needs[_TARGET, j] = target[t, j]
            needs[_SOFT, j] = soft[j]
            needs[_ONE_SIDED, j] = 1.0 if one_sided[j] else 0.0
        norm, per_weight = _sizes(rows, t, muscles, needs)
        if np.isnan(norm):
            steps[t] = most + 2
            continue
        scale = norm
        for j in range(m):
            scale = max(scale, abs(target[t, j]))
        steps[t] = most + 1
        for count in range(most + 1):
            _look(rows, t, muscles, needs)
            worst = 0.0
            largest = 0.0
            for j in range(m):
                held = one_sided[j] and needs[_Y, j] <= 0.0 and needs[_GRADIENT, j] >= 0.0
                needs[_FREE, j] = 0.0 if held else 1.0
                largest = max(largest, abs(needs[_Y, j]))
                if not held and not abs(needs[_GRADIENT, j]) <= worst:  # written so that a NaN is kept
                    worst = abs(needs[_GRADIENT, j])
            if worst <= max(limits[0] * scale, _ROUNDING * norm * norm * per_weight * largest):
                steps[t] = count
                break
            if count == most:
                break
            _curvature(rows, t, muscles, needs, squares)
            for _ in range(m + 1):  # leave out bounds that the step would leave at once
                _solve_free(squares, needs)
                blocked = False
                for j in range(m):
                    if needs[_FREE, j] > 0.0 and one_sided[j] and needs[_Y, j] <= 0.0 and needs[_STEP, j] < 0.0:
                        needs[_FREE, j] = 0.0
                        blocked = True
                if not blocked:
                    break
            longest = 1e300
            first = -1
            for j in range(m):
                if one_sided[j] and needs[_STEP, j] < 0.0 and -needs[_Y, j] / needs[_STEP, j] < longest:
                    longest = -needs[_Y, j] / needs[_STEP, j]
                    first = j
            length = _line_search(rows, t, muscles, needs, longest)
            for j in range(m):
                needs[_Y, j] += length * needs[_STEP, j]
                if one_sided[j] and (needs[_Y, j] < 0.0 or (j == first and length >= longest)):
                    needs[_Y, j] = 0.0
        for i in range(n):
            activation[t, i] = muscles[_ACTIVATION, i]
        for j in range(m):
            slack[t, j] = soft[j] * needs[_Y, j]
            if steps[t] > most:  # a failed frame must not start its neighbour
                needs[_Y, j] = 0.0


def recruit(problem: Recruitment, tolerance: float, max_steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    """Solve the recruitment of every frame; neighbouring frames start each other.

    Args:
        problem: the programmes.
        tolerance: no unit; accepted |residual| over the largest |target| or norm of a row. Where a requirement is far out of reach, y is so
            large that rounding leaves more: 2e-15 of y times that norm squared over the least weight is accepted as well.
        max_steps: Newton steps per frame.

    Returns:
        activation: (T, n) no unit; nan in a frame whose numbers describe no programme (see `steps`).
        slack: (T, m) units of the requirement; what no muscle supplied, s y; nan likewise.
        steps: (T,) no unit; Newton steps; max_steps + 1 where the tolerance was not reached; max_steps + 2 where the frame was not solved
            because a number is not finite, a weight or softness not positive or a lower bound above its upper bound.
    """
    # one array type (contiguous, writable), so that the kernel is compiled once
    problem = Recruitment._make(np.require(array, requirements=("C", "W")) for array in problem)
    frames, m, n = problem.rows.shape
    activation, slack = np.full((frames, n), np.nan), np.full((frames, m), np.nan)
    steps = np.full(frames, max_steps + 2, dtype=np.int32)
    with np.errstate(divide="ignore", invalid="ignore"):  # what is not finite is looked for, and reported in `steps`
        _solve_frames(problem, np.array([tolerance, max_steps]), np.zeros((7, n)), np.zeros((7, m)), np.zeros((2, m, m)),
                      activation, slack, steps)
    return activation, slack, steps
