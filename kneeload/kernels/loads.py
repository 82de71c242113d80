"""From pressures on casting triangles to forces on regions and patches of bone."""

from __future__ import annotations

import numpy as np

from kneeload.kernels.options import kernel
from kneeload.kernels.patches import nearest_of

FRAMES = 4  # frames that are worked on together in the sums over loaded patches
LANES = 8  # frames of a triangle that are read together
WIDTH = 32  # rows of force are filled up to a multiple of so many frames
STEP = 16  # triangles that are skipped together where none is loaded
SOURCES = 5  # contact fields of a knee
MOST = np.float32(1e9)  # MPa; beyond it a pressure is no pressure
ZERO = np.float32(0.0)
FIVE, LOW, NOWHERE = np.uint64(5), np.uint64(31), np.uint64(0)  # of the numbers in `landing`


@kernel
def find_loaded(bits, first, last, some, hit):
    """Write the columns of bits (T, m) that are not zero in some of the rows first to last - 1 to hit (m + 1,); return how many they are. some (m,): room."""
    size, count = bits.shape[1], 0
    some[:size] = bits[first]
    for t in range(first + 1, last):
        row = bits[t]
        for j in range(size):
            some[j] |= row[j]
    for begin in range(0, size, STEP):
        end, loaded = min(begin + STEP, size), 0
        for j in range(begin, end):
            loaded |= some[j]
        if loaded != 0:
            for j in range(begin, end):
                hit[count] = j
                count += some[j] != 0
    return count


@kernel
def _add_field(turned, used, who, count, first, area, region, patch, start, target, share, own, mark, force, peak):
    """Add pressures turned (n, W) MPa of the triangles who (count,) of a field to its own bone; used (n, 2): first frame of each, and one after its last."""
    for j in range(count):
        begin, end, i = used[j, 0], (used[j, 1] + WIDTH - 1) // WIDTH * WIDTH, first + who[j]
        for t in range(used[j, 1], end):
            turned[j, t] = ZERO
        row, size = turned[j, begin:end], np.float32(area[i])
        total, most = force[region[i] + 1, begin:end], peak[region[i] + 1, begin:end]
        for t in range(row.shape[0]):
            total[t] += size * row[t]
            most[t] = max(most[t], row[t])
        if patch[i] >= 0:
            mark[patch[i]] = True
            goal = own[patch[i], begin:end]
            for t in range(row.shape[0]):
                goal[t] += size * row[t]
        for e in range(start[i], start[i + 1]):
            mark[target[e]] = True
            goal, factor = own[target[e], begin:end], share[e] * size
            for t in range(row.shape[0]):
                goal[t] += factor * row[t]


@kernel
def gather(pressure, triangle, first, area, region, patch, start, target, share, landing, femur_centres, labelled, labelled_patch, patch_region, tibia, patella,
           femur, loaded, force, peak):
    """Add the contact of one cycle to the forces of patches and regions; return the count of unusable pressures and the field of the last of them.

    pressure, triangle: five fields (T, m) each, m = 0 for one that is not there, MPa and femoral triangle that is touched (-1: none). The others number the
    triangles of all fields through, field s from first[s] on: area mm2, region (-1: none), patch that a triangle feeds, or -1 for target[start:start + 1]
    with the parts share of its force. The last field loads the patella, the others the tibia, all of them the femur: landing[k] is 32 times
    the patch that triangle k of it feeds plus its region (0: none, else 1 more than its number). It is filled here where it is negative, with
    the patch (labelled_patch (c,)) of the nearest triangle of labelled (c,) by femur_centres (k, 3). patch_region (P,): region of each femoral patch, that of
    its labelled triangles (-1: none). Added to: tibia, patella, femur (P, W) N, femur zeros on entry, force (R + 1, W) N; peak (R + 1, W) MPa: largest pressure; the first rows of both are for triangles without region, W is T up to a multiple of 32. loaded (3, p):
    set for the patches of the tibia, patella and femur that got force. Negative and non-finite pressures are left out and counted.
    """
    bad, wrong, most, femur_mark, top = 0, -1, 0, loaded[2], peak.view(np.int32)  # bits of numbers that are not negative rise as they do
    for s in range(SOURCES):
        most = max(most, pressure[s].shape[1])
    hit, some, slot, who = np.empty(most + 1, np.int32), np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32)
    turned, used = np.empty((most, force.shape[1]), np.float32), np.empty((most, 2), np.int32)
    for s in range(SOURCES):
        p, touched = pressure[s], triangle[s]
        if p.shape[1] == 0:
            continue
        count = np.int64(0)  # a plain 0 would compile `_add_field` for that number too; likewise below
        for j in range(p.shape[1]):
            slot[j] = -1
        bits = p.view(np.int32)
        for begin in range(0, p.shape[0], LANES):
            end = min(begin + LANES, p.shape[0])
            for m in range(find_loaded(bits, begin, end, some, hit)):
                j = hit[m]
                if slot[j] < 0:
                    slot[j], who[count], used[count, 0], used[count, 1] = count, j, begin // WIDTH * WIDTH, begin // WIDTH * WIDTH
                    count += 1
                size, row, reached = np.float32(area[first[s] + j]), turned[slot[j]], used[slot[j], 1]
                for t in range(reached, begin + LANES):
                    row[t] = ZERO
                used[slot[j], 1] = begin + LANES
                for t in range(begin, end):
                    value = p[t, j]
                    if not ZERO < value < MOST:
                        if value != ZERO:
                            bad, wrong = bad + 1, s
                        continue
                    row[t] = value
                    k = touched[t, j]
                    if k < 0:
                        continue
                    if landing[k] < 0:
                        near = nearest_of(femur_centres[k, 0], femur_centres[k, 1], femur_centres[k, 2], femur_centres, labelled)
                        landing[k] = 32 * labelled_patch[near]
                    code = np.uint64(landing[k])
                    n, r, load = code >> FIVE, code & LOW, size * value
                    femur[n, t] += load
                    femur_mark[n] = True
                    top[r, t] = max(top[r, t], bits[t, j])
                    if r == NOWHERE:  # counts for the patch, not for the region of the patch
                        force[0, t] += load
                        force[patch_region[n] + 1, t] -= load
        if s == SOURCES - 1:
            _add_field(turned, used, who, count, first[s], area, region, patch, start, target, share, patella, loaded[1], force, peak)
        else:
            _add_field(turned, used, who, count, first[s], area, region, patch, start, target, share, tibia, loaded[0], force, peak)
    for i in range(patch_region.shape[0]):
        if femur_mark[i]:
            row, total = femur[i], force[patch_region[i] + 1]
            for t in range(row.shape[0]):
                total[t] += row[t]
    return bad, wrong


@kernel
def list_loads(force, chosen, seconds, start, index, value, impulse):
    """List what is not zero of force (P, W) for four frames at a time: patches index[start[q]:start[q + 1]] of chosen (c,) with forces value (E, 4).

    seconds (T,): weight of each frame; impulse (c,): filled with the weighted sum of force. start (ceil(T / 4) + 1,); index, value: room for
    everything and three more for each four frames. Every part is filled up with zero forces to a multiple of four entries.
    """
    e = 0
    for c in range(chosen.shape[0]):
        row, total = force[chosen[c]], 0.0
        for t in range(seconds.shape[0]):
            total += seconds[t] * row[t]
        impulse[c] = total
    for q in range(start.shape[0] - 1):
        start[q], t = e, FRAMES * q
        for c in range(chosen.shape[0]):
            row = force[chosen[c]]
            a, b, c_, d = row[t], row[t + 1], row[t + 2], row[t + 3]
            index[e], value[e, 0], value[e, 1], value[e, 2], value[e, 3] = chosen[c], a, b, c_, d
            e += (a != ZERO) | (b != ZERO) | (c_ != ZERO) | (d != ZERO)
        while (e - start[q]) % 4:
            index[e], value[e, 0], value[e, 1], value[e, 2], value[e, 3] = chosen[0], ZERO, ZERO, ZERO, ZERO
            e += 1
    start[start.shape[0] - 1] = e


@kernel
def _percentile(value, size, count, share):
    """Return the pressure that only the part `share` of the area of the first `count` triangles exceeds, and the mean pressure: MPa. Used up."""
    total, force, above = 0.0, 0.0, 0.0
    for i in range(count):
        total += size[i]
        force += size[i] * value[i]
    bits = value.view(np.int32)  # of numbers that are not negative rise as they do
    while True:  # from the top: the largest first
        top, best = bits[0], 0
        for i in range(count):
            top = max(top, bits[i])
        while bits[best] != top:
            best += 1
        above += size[best]
        if above > share * total or count == 1:
            return value[best], force / total
        count -= 1
        value[best], size[best] = value[count], size[count]


@kernel
def _read_frame(p, touched, bits, some, hit, t, first, area, region, femur_region, wanted, value, size, count):
    """Append the loaded triangles of frame t of a field to the lists value, size (R, n) of the regions wanted (R,), which have count (R,) entries."""
    for m in range(find_loaded(bits, t, t + 1, some, hit)):
        j = hit[m]
        r, k = region[first + j], touched[t, j]
        if r >= 0 and wanted[r]:
            value[r, count[r]], size[r, count[r]] = p[t, j], area[first + j]
            count[r] += 1
        if k >= 0:
            r = femur_region[k]
            if r >= 0 and wanted[r]:
                value[r, count[r]], size[r, count[r]] = p[t, j], area[first + j]
                count[r] += 1


@kernel
def pressure_peaks(pressure, triangle, first, area, region, femur_region, share, left, peak, mean):
    """Find the largest percentile of pressure of each region over all frames, peak (R,) MPa, and the mean pressure of that frame, mean (R,) MPa.

    The percentile is what only the part `share` of the area in contact exceeds. left (R, W): the largest pressure of each frame, from `gather`, which
    bounds its percentile: frames are read from the largest pressure down until none is left that could exceed what was found. Used up.
    The others: see `gather`; peak, mean: zeros on entry.
    """
    room, most, regions = 0, 1, peak.shape[0]
    for s in range(SOURCES):
        room, most = room + pressure[s].shape[1], max(most, pressure[s].shape[1])
    hit, some, count, wanted = np.empty(most + 1, np.int32), np.empty(most, np.int32), np.empty(regions, np.int64), np.empty(regions, np.bool_)
    value, size = np.empty((regions, room), np.float32), np.empty((regions, room))
    for r in range(regions):
        while True:
            t = np.int64(0)
            for k in range(left.shape[1]):
                if left[r, k] > left[r, t]:
                    t = np.int64(k)
            if not left[r, t] > peak[r]:
                break
            for k in range(regions):
                wanted[k], count[k] = left[k, t] > peak[k], 0
            for s in range(SOURCES):
                if pressure[s].shape[1] > 0:
                    _read_frame(pressure[s], triangle[s], pressure[s].view(np.int32), some, hit, t, first[s], area, region, femur_region, wanted, value, size, count)
            for k in range(regions):
                if wanted[k]:
                    found, average = _percentile(value[k], size[k], count[k], share)
                    if found > peak[k]:
                        peak[k], mean[k] = found, average
                    left[k, t] = ZERO
