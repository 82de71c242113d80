"""Ranked values without sorting."""

from __future__ import annotations

import numpy as np

from kneeload.kernels.options import kernel_strict

BINS = 2048


@kernel_strict
def pick_ranks(values, ranks, out):
    """Fill out (k, n) with the values at the places ranks (k,) of each column of values (S, n), were it sorted; values from 0 up, not -0.

    The bit patterns of such numbers rise as they do: they are counted in bins of equal width in the pattern, which is nearly one of the logarithm, and
    only those in the bin of a rank are compared with each other.
    """
    size = values.shape[0]
    bits, table, found = np.empty(size, np.int64), values.view(np.int64), out.view(np.int64)
    begin, member = np.empty(BINS + 1, np.int64), np.empty(size, np.int64)
    for c in range(values.shape[1]):
        low = high = table[0, c]
        for i in range(size):
            bits[i] = table[i, c]
            low, high = min(low, bits[i]), max(high, bits[i])
        shift = 0
        while (high - low) >> shift >= BINS:
            shift += 1
        for b in range(BINS + 1):
            begin[b] = 0
        for i in range(size):
            begin[((bits[i] - low) >> shift) + 1] += 1
        for b in range(BINS):
            begin[b + 1] += begin[b]
        for i in range(size):
            b = (bits[i] - low) >> shift
            member[begin[b]] = bits[i]
            begin[b] += 1  # now the end of the bin
        for k in range(ranks.shape[0]):
            b, first = (member[ranks[k]] - low) >> shift, 0
            if b > 0:
                first = begin[b - 1]
            last = begin[b]
            for place in range(first, ranks[k] + 1):  # the smallest of the bin first, one after the other
                best = place
                for i in range(place + 1, last):
                    if member[i] < member[best]:
                        best = i
                member[place], member[best] = member[best], member[place]
            found[k, c] = member[ranks[k]]
