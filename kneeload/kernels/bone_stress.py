"""Stress in the bone under sample points: sums over loaded patches, its power mean over a day and its peaks."""

from __future__ import annotations

import numpy as np

from kneeload.kernels.loads import FRAMES
from kneeload.kernels.options import kernel, kernel_strict

WHOLE = 32  # numbers in the inner loops of compiled sums: rows of influence are filled up to a multiple of it


@kernel
def add_rows(index, value, begin, end, field, total):
    """Set total (4, n) to the sum of value[e, k] * field[index[e]] in row k, e from begin to end, a multiple of 4 apart.

    field (P, N), value (E, 4). Four frames at a time, so that a row of field that was read serves all of them.
    """
    count = total.shape[1]
    total[:] = np.float32(0.0)
    t0, t1, t2, t3 = total[0], total[1], total[2], total[3]
    for e in range(begin, end, 4):
        a0, a1, a2, a3 = value[e, 0], value[e, 1], value[e, 2], value[e, 3]
        b0, b1, b2, b3 = value[e + 1, 0], value[e + 1, 1], value[e + 1, 2], value[e + 1, 3]
        c0, c1, c2, c3 = value[e + 2, 0], value[e + 2, 1], value[e + 2, 2], value[e + 2, 3]
        d0, d1, d2, d3 = value[e + 3, 0], value[e + 3, 1], value[e + 3, 2], value[e + 3, 3]
        ra, rb, rc, rd = field[index[e]], field[index[e + 1]], field[index[e + 2]], field[index[e + 3]]
        for i in range(count):
            a, b, c, d = ra[i], rb[i], rc[i], rd[i]
            t0[i] += a0 * a + b0 * b + c0 * c + d0 * d
            t1[i] += a1 * a + b1 * b + c1 * c + d1 * d
            t2[i] += a2 * a + b2 * b + c2 * c + d2 * d
            t3[i] += a3 * a + b3 * b + c3 * c + d3 * d


@kernel
def _raise(top, total):
    """Raise top (n,) to the largest of the rows of total (4, n); int32 views of numbers that are not negative, which rise as they do."""
    t0, t1, t2, t3 = total[0], total[1], total[2], total[3]
    for i in range(top.shape[0]):
        top[i] = max(max(max(t0[i], t1[i]), max(t2[i], t3[i])), top[i])


@kernel
def add_stimulus(start, index, value, field, exponent, seconds, day, largest):
    """Add to day (n,) the sum over frames of seconds (T,) times stress to the exponent; field (P, n) MPa per N.

    largest (n,): raised to the largest stress in any frame.
    """
    power, total, sums = np.float32(exponent), np.empty((FRAMES, field.shape[1]), np.float32), np.zeros(field.shape[1])
    bits, top = total.view(np.int32), largest.view(np.int32)
    for q in range(start.shape[0] - 1):
        add_rows(index, value, start[q], start[q + 1], field, total)
        _raise(top, bits)
        for t in range(FRAMES * q, min(FRAMES * (q + 1), seconds.shape[0])):
            row, weight = total[t - FRAMES * q], seconds[t]
            if exponent == 4.0:
                for b in range(row.shape[0]):
                    square = row[b] * row[b]
                    sums[b] += weight * (square * square)
            else:
                for b in range(row.shape[0]):
                    sums[b] += weight * row[b] ** power
    for b in range(sums.shape[0]):
        day[b] += sums[b]


@kernel
def _largest(row):
    """Largest of some numbers (n,) that are not negative."""
    bits, top = row.view(np.int32), np.int32(0)
    at = 0
    for i in range(bits.shape[0]):
        top = max(top, bits[i])
    while at < bits.shape[0] - 1 and bits[at] != top:
        at += 1
    return at


@kernel
def find_peaks(largest, begin, point, peak):
    """Find the most loaded point of each region: point (r,) and peak (r,) MPa. Region k has the points begin[k]:begin[k + 1] of largest (n,) MPa."""
    for r in range(point.shape[0]):
        point[r] = begin[r] + _largest(largest[begin[r]:begin[r + 1]])
        peak[r] = largest[point[r]]


@kernel
def stress_below(force, chosen, influence, peak):
    """Fill peak (d, r) MPa with the largest stress in any frame; influence (d, c, r) MPa per N of the patches chosen (c,), which bear force (P, W) N."""
    size, count = (chosen.shape[0] + 3) // 4 * 4, peak.size
    fours = (count + FRAMES - 1) // FRAMES
    column, under, everyone = np.zeros((fours * size, FRAMES), np.float32), np.empty((FRAMES, force.shape[1]), np.float32), np.empty(fours * size, np.int32)
    for e in range(fours * size):
        everyone[e] = chosen[min(e % size, chosen.shape[0] - 1)]
    for k in range(peak.shape[0]):
        for c in range(chosen.shape[0]):
            for r in range(peak.shape[1]):
                i = k * peak.shape[1] + r
                column[i // FRAMES * size + c, i % FRAMES] = influence[k, c, r]
    for f in range(fours):
        add_rows(everyone, column, f * size, (f + 1) * size, force, under)
        for i in range(FRAMES * f, min(FRAMES * (f + 1), count)):
            row = under[i - FRAMES * f]
            peak[i // peak.shape[1], i % peak.shape[1]] = row[_largest(row)]


@kernel_strict
def area_quantiles(value, area, begin, at, mean, quantiles):
    """Fill mean (r,) and quantiles (r, q): area mean of value (n,), and the values below which the parts `at` (q,) of the area (n,) lie.

    Region r has the points begin[r]:begin[r + 1]. Quantiles are linear between the middles of the points' areas; 0 and 1 give the smallest
    and the largest value.
    """
    for r in range(begin.shape[0] - 1):
        count = begin[r + 1] - begin[r]
        order, total, amount = np.empty(count, np.int64), 0.0, 0.0
        for i in range(count):  # insertion keeps equal values in their order
            p, m = begin[r] + i, i
            while m > 0 and value[order[m - 1]] > value[p]:
                order[m] = order[m - 1]
                m -= 1
            order[m] = p
            amount += area[p] * value[p]
        for i in range(count):
            total += area[order[i]]
        mean[r] = amount / total
        place, done = np.empty(count), 0.0
        for i in range(count):
            done += area[order[i]]
            place[i] = (done - 0.5 * area[order[i]]) / total
        place[0], place[count - 1] = 0.0, 1.0
        i = 0
        for q in range(at.shape[0]):
            while i < count - 1 and place[i + 1] <= at[q]:
                i += 1
            low = value[order[i]]
            if i == count - 1:
                quantiles[r, q] = low
            else:
                quantiles[r, q] = low + (value[order[i + 1]] - low) * (at[q] - place[i]) / (place[i + 1] - place[i])
