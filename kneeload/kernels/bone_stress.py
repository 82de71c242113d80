"""Stress in the bone under sample points: sums over loaded patches, its power mean over a day and its peaks."""

from __future__ import annotations

import numpy as np

from kneeload.kernels.loads import FRAMES
from kneeload.kernels.options import kernel, kernel_strict

WHOLE = 32  # numbers in the inner loops of compiled sums: rows of influence are filled up to a multiple of it
GROUP = 16  # frames whose largest forces bound their stress together
BOUNDS = 8  # groups that are worked on together
NONE = np.int64(0)  # a plain 0 would compile what takes it for that number too
SLACK = np.float32(1.0 + 1e-5)  # on bounds of single-precision sums of non-negative numbers


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
def add_stimulus(start, index, value, field, exponent, seconds, day, largest):
    """Add to day (n,) the sum over frames of seconds (T,) times stress to the exponent; field (P, n) MPa per N.

    largest (n,): raised to the largest stress in any frame.
    """
    power, total, sums = np.float32(exponent), np.empty((FRAMES, field.shape[1]), np.float32), np.zeros(field.shape[1])
    for q in range(start.shape[0] - 1):
        add_rows(index, value, start[q], start[q + 1], field, NONE, total)
        for t in range(FRAMES * q, min(FRAMES * (q + 1), seconds.shape[0])):
            row, weight = total[t - FRAMES * q], seconds[t]
            for b in range(row.shape[0]):
                largest[b] = max(largest[b], row[b])
            if exponent == 4.0:
                for b in range(row.shape[0]):
                    sums[b] += weight * ((row[b] * row[b]) * (row[b] * row[b]))
            else:
                for b in range(row.shape[0]):
                    sums[b] += weight * row[b] ** power
    for b in range(sums.shape[0]):
        day[b] += sums[b]


@kernel
def fill_crests(field, chosen, crest):
    """Fill the rows chosen (c,) of crest (P, n / 32) with the largest of every 32 numbers of field (P, n), which are not negative."""
    bits = field.view(np.int32)  # rise as the numbers do, and their largest is found without branches
    out = crest.view(np.int32)
    for c in range(chosen.shape[0]):
        for b in range(crest.shape[1]):
            row, top = bits[chosen[c], WHOLE * b:WHOLE * (b + 1)], np.int32(0)
            for i in range(WHOLE):
                top = max(top, row[i])
            out[chosen[c], b] = top


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
def _group_tops(force, chosen, first, value):
    """Fill value (c, 8) with the largest force in each of eight groups of 16 frames, group `first` and later ones, of force (P, W) on the patches chosen (c,)."""
    bits = force.view(np.int32)
    out = value.view(np.int32)
    for c in range(chosen.shape[0]):
        row = bits[chosen[c]]
        for g in range(min(BOUNDS, row.shape[0] // GROUP - first)):
            part, top = row[GROUP * (first + g):GROUP * (first + g + 1)], np.int32(0)
            for t in range(GROUP):
                top = max(top, part[t])
            out[c, g] = top


@kernel
def _add_bounds(chosen, value, field, first, total):
    """Set total (8, n) to the sum of value[c, g] * field[chosen[c], first:first + n] in row g; chosen (c,), value (c + 1, 8) with zeros at the end."""
    total[:] = np.float32(0.0)
    t0, t1, t2, t3, t4, t5, t6, t7 = total[0], total[1], total[2], total[3], total[4], total[5], total[6], total[7]
    size = total.shape[1]
    for c in range(0, chosen.shape[0], 2):
        v, w, last = value[c], value[c + 1], chosen[min(c + 1, chosen.shape[0] - 1)]
        r, s = field[chosen[c], first:first + size], field[last, first:first + size]
        v0, v1, v2, v3, v4, v5, v6, v7 = v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
        w0, w1, w2, w3, w4, w5, w6, w7 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
        for i in range(size):
            a, b = r[i], s[i]
            t0[i] += v0 * a + w0 * b
            t1[i] += v1 * a + w1 * b
            t2[i] += v2 * a + w2 * b
            t3[i] += v3 * a + w3 * b
            t4[i] += v4 * a + w4 * b
            t5[i] += v5 * a + w5 * b
            t6[i] += v6 * a + w6 * b
            t7[i] += v7 * a + w7 * b


@kernel
def _bounds(value, chosen, field, begin, end, bound):
    """Fill bound (8,) MPa: what stress under the points begin:end does not exceed in each of eight groups of frames."""
    first = begin // WHOLE * WHOLE
    part = np.empty((BOUNDS, (end + WHOLE - 1) // WHOLE * WHOLE - first), np.float32)
    _add_bounds(chosen, value, field, first, part)
    for g in range(BOUNDS):
        row = part[g, begin - first:end - first]
        bound[g] = SLACK * row[_largest(row)]


@kernel
def _search(start, index, value, field, begin, end, bound, best, point):
    """Return the largest stress under the points begin:end and its point, if above best, else best and point; bound (G,) MPa of groups, used up."""
    first, step, fours = begin // WHOLE * WHOLE, GROUP // FRAMES, start.shape[0] - 1
    total = np.empty((FRAMES, (end + WHOLE - 1) // WHOLE * WHOLE - first), np.float32)
    while True:
        g = _largest(bound)
        if not bound[g] > best:
            return best, point
        bound[g] = np.float32(0.0)
        for q in range(g * step, min((g + 1) * step, fours)):
            add_rows(index, value, start[q], start[q + 1], field, first, total)
            for i in range(FRAMES):
                b = _largest(total[i, begin - first:end - first])
                if total[i, begin - first + b] > best:
                    best, point = total[i, begin - first + b], begin + b


@kernel
def _peaks_below(force, chosen, field, depths, point, below):
    """Fill below (r, k) MPa with the largest stress in any frame at depth number depths[k] below point[r]; see `find_peaks`."""
    size, fours = (chosen.shape[0] + 3) // 4 * 4, (point.shape[0] + FRAMES - 1) // FRAMES
    column, under, everyone = np.zeros((fours * size, FRAMES), np.float32), np.empty((FRAMES, force.shape[1]), np.float32), np.empty(fours * size, np.int32)
    for e in range(fours * size):
        everyone[e] = chosen[min(e % size, chosen.shape[0] - 1)]
    for k in range(depths.shape[0]):
        table = field[depths[k]]
        for c in range(chosen.shape[0]):  # a row is read for all points at once: each lies in memory of its own
            row = table[chosen[c]]
            for r in range(point.shape[0]):
                column[r // FRAMES * size + c, r % FRAMES] = row[point[r]]
        for f in range(fours):
            add_rows(everyone, column, f * size, (f + 1) * size, force, NONE, under)
            for i in range(min(FRAMES, point.shape[0] - FRAMES * f)):
                below[FRAMES * f + i, k] = under[i, _largest(under[i])]


@kernel
def find_peaks(start, index, value, force, chosen, field, crest, depths, begin, known, best, point, below):
    """Find the most loaded point of each region over all frames and depths, best (r,) MPa and point (r,), and the peaks below it, below (r, k) MPa.

    Region r has the points begin[r]:begin[r + 1]; field (d, P, n) MPa per N and its crest, see `fill_crests`, depths (k,) numbers of depths. known (n,) MPa:
    largest stress that is known already, at other depths. force (P, W) N on the patches chosen (c,), start, index, value: the same as
    lists. Stress only adds: no frame of a group of 16 exceeds the stress of the largest force that each patch has in the group. Left out
    are groups whose bound is below what was found elsewhere; bounds are made with the crests first, and point by point only where those do not tell.
    """
    regions, groups, count = best.shape[0], force.shape[1] // GROUP, chosen.shape[0]
    top, coarse = np.zeros((count + 1, BOUNDS), np.float32), np.empty((BOUNDS, crest.shape[2]), np.float32)
    bound = np.empty(BOUNDS, np.float32)
    for r in range(regions):
        point[r] = begin[r] + _largest(known[begin[r]:begin[r + 1]])
        best[r] = known[point[r]]
    for first in range(0, groups, BOUNDS):
        _group_tops(force, chosen, first, top)
        if first + BOUNDS > groups:
            top[:, groups - first:] = np.float32(0.0)
        for k in range(depths.shape[0]):
            _add_bounds(chosen, top, crest[depths[k]], NONE, coarse)
            for r in range(regions):
                most = np.float32(0.0)
                for g in range(BOUNDS):
                    for b in range(begin[r] // WHOLE, (begin[r + 1] + WHOLE - 1) // WHOLE):
                        most = max(most, coarse[g, b])
                if SLACK * most > best[r]:
                    _bounds(top, chosen, field[depths[k]], begin[r], begin[r + 1], bound)
                    at = start[min(first * GROUP // FRAMES, start.shape[0] - 1):]
                    best[r], point[r] = _search(at, index, value, field[depths[k]], begin[r], begin[r + 1], bound, best[r], point[r])
    _peaks_below(force, chosen, field, depths, point, below)


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
