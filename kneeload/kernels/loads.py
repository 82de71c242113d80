"""From pressures on casting triangles to forces on regions and patches of bone."""

from __future__ import annotations

import numpy as np

from kneeload.kernels.options import kernel
from kneeload.kernels.patches import nearest_of

FRAMES = 4  # frames that are worked on together in the sums over loaded patches
STEP = 16  # triangles that are skipped together where none is loaded
WIDTH = 64  # triangles whose pressures are turned on their side at a time, so that the innermost loop runs over frames


@kernel
def _any_loaded(p):
    """Tell whether one of p (n,) is not zero."""
    some = 0
    for b in range(p.shape[0]):
        some += p[b] != np.float32(0.0)
    return some > 0


@kernel
def _find_loaded(p, hit):
    """Write the numbers of the entries of p (n,) that are not zero to hit (n + 1,); return how many they are."""
    count, size = 0, p.shape[0]
    for first in range(0, size, STEP):
        last = min(first + STEP, size)
        if _any_loaded(p[first:last]):
            for j in range(first, last):
                hit[count] = j
                count += p[j] != np.float32(0.0)
    return count


@kernel
def collect(pressure, area, region, patch, triangle, femur_region, femur_patch, femur_centres, labelled, labelled_patch,
            region_force, region_area, region_peak, own_force, femur_force):
    """Add the load of one contact field to totals of regions and to the patches of its bone and of the femur; return the count of unusable pressures.

    pressure (T, m) MPa, area (m,) mm2, region (m,): casting triangles and their regions, negative for none. Triangle i feeds patch[i] of its
    own bone (patch (0,): none, see `spread_loads`) and femur_patch[triangle[t, i]] of the femur, where triangle (T, m) is the femoral
    triangle that it touches in each frame, -1 for none. femur_patch (k,) is filled here where it is negative: with that
    (labelled_patch (c,)) of the nearest triangle of labelled (c,) by femur_centres (k, 3). Added to: region_force, region_area, region_peak
    (T, R) N, mm2, MPa; own_force (T, P), femur_force (T, Q) N. Negative and non-finite pressures are left out and counted.
    """
    bad, direct = 0, patch.shape[0] > 0
    hit = np.empty(pressure.shape[1] + 1, np.int32)
    for t in range(pressure.shape[0]):
        row, touched, force, contact, peak, own, femur = pressure[t], triangle[t], region_force[t], region_area[t], region_peak[t], own_force[t], femur_force[t]
        for m in range(_find_loaded(row, hit)):
            j = hit[m]
            p, size, r, k = row[j], area[j], region[j], touched[j]
            if not (p > 0.0 and p < 1e9):
                bad += 1
                continue
            load = p * size
            if r >= 0:
                force[r] += load
                contact[r] += size
                peak[r] = max(peak[r], np.float64(p))
            if direct:
                own[patch[j]] += load
            if k < 0:
                continue
            if femur_patch[k] < 0:
                femur_patch[k] = labelled_patch[nearest_of(femur_centres[k, 0], femur_centres[k, 1], femur_centres[k, 2], femur_centres, labelled)]
            femur[femur_patch[k]] += load
            r = femur_region[k]
            if r >= 0:
                force[r] += load
                contact[r] += size
                peak[r] = max(peak[r], np.float64(p))
    return bad


@kernel
def _turn(pressure, first, count, turned):
    """Copy columns first to first + count of pressure (T, m) into turned (count, T), unusable ones as zero; return whether any is not zero.

    turned is not touched when all are zero.
    """
    loaded, zero, most = False, np.float32(0.0), np.float32(1e9)
    for t in range(pressure.shape[0]):
        row = pressure[t, first:first + count]
        if not _any_loaded(row):
            continue
        if not loaded:
            turned[:] = zero
            loaded = True
        for b in range(count):
            if zero < row[b] < most:
                turned[b, t] = row[b]
    return loaded


@kernel
def spread_loads(pressure, area, start, patch, share, own_force):
    """Add the forces of a contact field to own_force (P, T) N: triangle i feeds patch[start[i]:start[i + 1]] with the parts share[...] of its force.

    pressure (T, m) MPa, area (m,) mm2. Unusable pressures are left out.
    """
    frames, triangles = pressure.shape
    turned, zero = np.empty((WIDTH, frames), np.float32), np.float32(0.0)
    for first in range(0, triangles, WIDTH):
        count = min(WIDTH, triangles - first)
        if not _turn(pressure, first, count, turned):
            continue
        for b in range(count):
            row, begin, end = turned[b], 0, frames
            while begin < frames and row[begin] == zero:
                begin += 1
            while end > begin and row[end - 1] == zero:
                end -= 1
            p = row[begin:end]
            for e in range(start[first + b], start[first + b + 1] if begin < end else 0):
                target, factor = own_force[patch[e], begin:end], np.float32(share[e] * area[first + b])
                for t in range(p.shape[0]):
                    target[t] += factor * p[t]


@kernel
def list_loads(force, chosen, start, index, value):
    """List what is not zero of force (T, P) for four frames at a time: patches index[start[q]:start[q + 1]] of chosen (c,) with forces value (E, 4).

    start (ceil(T / 4) + 1,); index, value: room for everything and three more for each four frames. Every part is filled up with zero forces to a
    multiple of four entries, frames beyond the last have none.
    """
    e, frames = 0, force.shape[0]
    nothing = np.zeros(force.shape[1], np.float32)
    for q in range(start.shape[0] - 1):
        start[q], t = e, FRAMES * q
        r0, r1 = force[t], force[t + 1] if t + 1 < frames else nothing
        r2, r3 = force[t + 2] if t + 2 < frames else nothing, force[t + 3] if t + 3 < frames else nothing
        for c in range(chosen.shape[0]):
            j = chosen[c]
            a, b, c_, d = r0[j], r1[j], r2[j], r3[j]
            index[e], value[e, 0], value[e, 1], value[e, 2], value[e, 3] = j, a, b, c_, d
            e += (a != 0.0) | (b != 0.0) | (c_ != 0.0) | (d != 0.0)
        while (e - start[q]) % 4:
            index[e], value[e, 0], value[e, 1], value[e, 2], value[e, 3] = chosen[0], 0.0, 0.0, 0.0, 0.0
            e += 1
    start[start.shape[0] - 1] = e


@kernel
def any_load(force, loaded):
    """Set loaded (P,) where force (T, P) is not zero in some frame; False on entry."""
    for t in range(force.shape[0]):
        row = force[t]
        for j in range(row.shape[0]):
            loaded[j] |= row[j] != np.float32(0.0)


@kernel
def envelope(force, size, out):
    """Fill out (G, P) with the largest of force (T, P) over every `size` frames; zeros on entry."""
    for t in range(force.shape[0]):
        row, target = force[t], out[t // size]
        for j in range(row.shape[0]):
            target[j] = max(target[j], row[j])


@kernel
def list_triangles(pressure, triangle, area, region, femur_region, wanted, known, value, size, own, other):
    """Append the loaded triangles of one frame of a field to value, size, own, other (n,) from number `known` on; return the new number.

    pressure, triangle, area, region (m,); see `collect`. own, other: region on its own bone and on the femur, -1 for none. Triangles of
    none of the regions wanted (R,) are left out.
    """
    hit = np.empty(pressure.shape[0] + 1, np.int32)
    for m in range(_find_loaded(pressure, hit)):
        j = hit[m]
        k, r, s = triangle[j], region[j], -1
        if k >= 0:
            s = femur_region[k]
        value[known], size[known], own[known], other[known] = pressure[j], area[j], r, s
        known += (r >= 0 and wanted[r]) or (s >= 0 and wanted[s])
    return known


@kernel
def region_percentiles(value, size, own, other, count, share, wanted, out):
    """Fill out (R,) with the pressure that only the part `share` of the area in contact exceeds, for the regions wanted (R,) bool.

    value MPa, size mm2, own, other: the first `count` entries, from `list_triangles`.
    """
    pick = np.empty(count, np.int64)
    for r in range(wanted.shape[0]):
        if not wanted[r]:
            continue
        chosen, total = 0, 0.0
        for i in range(count):
            if own[i] == r or other[i] == r:
                pick[chosen] = i
                total += size[i]
                chosen += 1
        above, out[r] = 0.0, 0.0
        while chosen > 0:  # from the top: the largest first
            best = 0
            for m in range(1, chosen):
                if value[pick[m]] > value[pick[best]]:
                    best = m
            above += size[pick[best]]
            out[r] = value[pick[best]]
            if above > share * total:
                break
            chosen -= 1
            pick[best] = pick[chosen]
