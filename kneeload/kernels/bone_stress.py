"""Stress in the bone under sample points: sums over loaded patches, its power mean over a day and its peaks."""

from __future__ import annotations

import numpy as np

from kneeload.kernels.loads import FRAMES
from kneeload.kernels.options import kernel, kernel_strict

WHOLE = 8  # numbers of one vector: rows of influence are filled up to a multiple of it
SLACK = 1.0 + 1e-5  # on bounds of single-precision sums of non-negative numbers


@kernel
def add_rows(index, value, begin, end, field, first, total):
    """Set total (4, n) to the sum of value[e, k] * field[index[e], first:first + n] in row k, e from begin to end, a multiple of 4 apart.

    field (P, N), value (E, 4). Four frames at a time, so that a row of field that was read serves all of them.
    """
    count = total.shape[1]
    last = first + count
    total[:] = np.float32(0.0)
    t0, t1, t2, t3 = total[0], total[1], total[2], total[3]
    for e in range(begin, end, 4):
        a0, a1, a2, a3 = value[e, 0], value[e, 1], value[e, 2], value[e, 3]
        b0, b1, b2, b3 = value[e + 1, 0], value[e + 1, 1], value[e + 1, 2], value[e + 1, 3]
        c0, c1, c2, c3 = value[e + 2, 0], value[e + 2, 1], value[e + 2, 2], value[e + 2, 3]
        d0, d1, d2, d3 = value[e + 3, 0], value[e + 3, 1], value[e + 3, 2], value[e + 3, 3]
        ra, rb, rc, rd = field[index[e], first:last], field[index[e + 1], first:last], field[index[e + 2], first:last], field[index[e + 3], first:last]
        for i in range(count):
            a, b, c, d = ra[i], rb[i], rc[i], rd[i]
            t0[i] += a0 * a + b0 * b + c0 * c + d0 * d
            t1[i] += a1 * a + b1 * b + c1 * c + d1 * d
            t2[i] += a2 * a + b2 * b + c2 * c + d2 * d
            t3[i] += a3 * a + b3 * b + c3 * c + d3 * d


@kernel
def stress_rows(start, index, value, field, out):
    """Fill out (T, n) MPa: stress of each frame, from loads as `list_loads` gives them and field (P, n) MPa per N."""
    total = np.empty((FRAMES, out.shape[1]), np.float32)
    for q in range(start.shape[0] - 1):
        add_rows(index, value, start[q], start[q + 1], field, 0, total)
        for k in range(min(FRAMES, out.shape[0] - FRAMES * q)):
            out[FRAMES * q + k, :] = total[k]


@kernel
def add_stimulus(start, index, value, field, exponent, seconds, day, group, largest):
    """Add to day (2, n) the sum over frames of seconds (2, T) times stress to the exponent; field (P, n) MPa per N.

    largest (G, n): filled with the largest stress in every `group` frames, a multiple of 4; zeros on entry.
    """
    power, room = np.float32(exponent), np.empty((FRAMES, field.shape[1]), np.float32)
    for q in range(start.shape[0] - 1):
        add_rows(index, value, start[q], start[q + 1], field, 0, room)
        top = largest[FRAMES * q // group]
        for t in range(FRAMES * q, min(FRAMES * (q + 1), seconds.shape[1])):
            total = room[t - FRAMES * q]
            for b in range(total.shape[0]):
                top[b] = max(top[b], total[b])
            if exponent == 4.0:
                for b in range(total.shape[0]):
                    total[b] = (total[b] * total[b]) * (total[b] * total[b])
            else:
                for b in range(total.shape[0]):
                    total[b] = total[b] ** power
            for k in range(2):
                weight, row = seconds[k, t], day[k]
                if weight > 0.0:
                    for b in range(total.shape[0]):
                        row[b] += weight * total[b]


@kernel
def find_peaks(start, index, value, field, depths, begin, group, bound, known, best, point):
    """Find the most loaded point of each region over all frames and depths: best (r,) MPa and point (r,).

    Region r has the points begin[r]:begin[r + 1]; field (d, P, n) MPa per N, depths (k,) numbers of depths. known (n,) MPa:
    largest stress that is known already, at other depths. bound (k, G, n) MPa: what no frame of a group of `group` frames (a multiple of 4) exceeds; groups that cannot exceed
    the best are left out.
    """
    fours, groups, step = start.shape[0] - 1, bound.shape[1], group // FRAMES
    most = np.empty((depths.shape[0], groups), np.float32)
    for r in range(best.shape[0]):
        first, last = begin[r] // WHOLE * WHOLE, (begin[r + 1] + WHOLE - 1) // WHOLE * WHOLE  # whole vectors
        total = np.empty((FRAMES, last - first), np.float32)
        best[r], point[r] = known[begin[r]], begin[r]
        for b in range(begin[r], begin[r + 1]):
            if known[b] > best[r]:
                best[r], point[r] = known[b], b
        for k in range(depths.shape[0]):
            for g in range(groups):
                row, top = bound[k, g, begin[r]:begin[r + 1]], np.float32(0.0)
                for b in range(row.shape[0]):
                    top = max(top, row[b])
                most[k, g] = top
        while True:
            top, which, where = best[r], -1, -1
            for k in range(depths.shape[0]):
                for g in range(groups):
                    if most[k, g] > top:
                        top, which, where = most[k, g], k, g
            if which < 0:
                break
            most[which, where] = 0.0
            for q in range(where * step, min((where + 1) * step, fours)):
                add_rows(index, value, start[q], start[q + 1], field[depths[which]], first, total)
                for k in range(FRAMES):
                    for b in range(begin[r], begin[r + 1]):
                        if total[k, b - first] > best[r]:
                            best[r], point[r] = total[k, b - first], b


@kernel
def peaks_below(start, index, value, chosen, field, group, bound, point, out):
    """Fill out (r,) MPa with the largest stress over all frames below point (r,); field (P, n) MPa per N of one depth, bound (G, n), see `find_peaks`.

    chosen (c,): the patches that occur in index.
    """
    fours, groups, step = start.shape[0] - 1, bound.shape[0], group // FRAMES
    column, most = np.empty(field.shape[0], np.float32), np.empty(groups, np.float32)
    for r in range(point.shape[0]):
        best = np.float32(0.0)
        for c in range(chosen.shape[0]):
            column[chosen[c]] = field[chosen[c], point[r]]
        for g in range(groups):
            most[g] = bound[g, point[r]]
        while True:
            top, where = best, -1
            for g in range(groups):
                if most[g] > top:
                    top, where = most[g], g
            if where < 0:
                break
            most[where] = 0.0
            for q in range(where * step, min((where + 1) * step, fours)):
                t0 = t1 = t2 = t3 = np.float32(0.0)
                for e in range(start[q], start[q + 1]):
                    c = column[index[e]]
                    t0, t1, t2, t3 = t0 + c * value[e, 0], t1 + c * value[e, 1], t2 + c * value[e, 2], t3 + c * value[e, 3]
                best = max(best, max(max(t0, t1), max(t2, t3)))
        out[r] = best


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
