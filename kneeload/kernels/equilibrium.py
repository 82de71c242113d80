"""Equilibrium of one body: its energy with gradient and Hessian, Newton, and all frames one after the other."""

from __future__ import annotations

import math

import numpy as np

from kneeload.kernels.fields import report
from kneeload.kernels.lines import add_lines, add_point
from kneeload.kernels.options import kernel
from kneeload.kernels.pose import pose_terms, rotation, wedge_terms
from kneeload.kernels.small_systems import solve_spd
from kneeload.kernels.springs import (
    BLOCK,
    CHUNK,
    ROWS,
    SUMS,
    WEDGE,
    add_forces,
    add_meniscus,
    add_meniscus_forces,
    add_springs,
    motion_since,
    moved_since,
    place,
)

FORCE_ALONE, WITH_TANGENT = np.int64(0), np.int64(1)  # numpy integers: literals would compile `potential` twice
LENGTH = 20.0  # mm; half the distance between the compartments: turns moments into forces, and angles into lengths
TAKE, TRY, REBASE = 0, 1, 2  # what `settle` evaluates: a pose that it takes, one that has to be better, the old pose on springs placed elsewhere
NOISE = 3e-7  # unbalanced force over the load below which single precision cannot tell one pose from the next
GOOD = 1e-3  # unbalanced force over the load up to which a frame counts as converged
STALE = 2.0  # mm; springs placed this far away still serve for a first step
SHORT = 1.0  # mm; longest step that is taken without asking whether the energy falls
BOLD = 1e4  # tolerance, over the final one, below which that is done
FRESH = 0.04  # mm; a second look found 0.4 % of the load unbalanced at most with this (30 people), 0.7 % with 0.05 mm and 1 % with 0.1 mm
HOLD = 200.0  # N/mm, angles times LENGTH: stiffest of the springs under which a frame that slides out of joint is tried once more
LONGEST = 2.0  # mm; longest step along a coordinate


@kernel
def potential(q, near, base, lines, anchor, weak, rest, guide, pull, pull_point, moment, nonlinear, work, grad, hess, tension, tangent):
    """Total energy (N mm) at q (n,) with gradient (n,) and, if tangent, Hessian (n, n); the load is dead and so has a potential.

    near, base: placed springs and their pose; the last n - 6 surfaces are menisci. weak (n,) and rest (n,): springs on the
    coordinates (capsule on the pose, hoop and horns on the menisci). guide (11,): stiffness N/mm across a unit vector (3), femur frame:
    pulls that turn back when the body moves sideways; and a line of constant tension (the patellar tendon): tension N, its end (3) mm, femur frame, and its
    point (3) mm of the body. pull (3,) N, femur frame, acts at pull_point (3,) mm of the body.
    moment (2,) N mm does work on b and c: a moment about the floating axis and about the long axis of the body.
    work: (rot (5, 3), turn (3, 3), shift (3,), sums (34,), wedge (11,), axes (3, 3)).
    """
    rot, turn, shift, sums, wedge, axes = work
    n = q.size
    table, _, chunk_size, chunk_group, _, _ = near
    plain = chunk_group.size - 1 - (n - 6)
    rotation(q, rot)
    t = q[3:6]
    motion_since(rot, t, base, turn, shift)
    if tangent:
        for i in range(n):
            for j in range(n):
                hess[i, j] = 0.0
            hess[i, i] = weak[i]
    energy = 0.0
    for i in range(n):
        grad[i] = weak[i] * (q[i] - rest[i])
        energy += 0.5 * weak[i] * (q[i] - rest[i]) ** 2
    energy += _add_guide(q, rest, guide, grad, hess, tangent)
    for i in range(SUMS):
        sums[i] = 0.0
    if tangent:
        add_springs(table, chunk_size, 0, chunk_group[plain], turn, shift, nonlinear, sums)
    else:
        add_forces(table, chunk_size, 0, chunk_group[plain], turn, shift, nonlinear, sums)
    for m in range(n - 6):
        for i in range(WEDGE):
            wedge[i] = 0.0
        if tangent:
            add_meniscus(table, chunk_size, chunk_group[plain + m], chunk_group[plain + m + 1], turn, shift, q[6 + m] - base[12 + m], nonlinear, sums, wedge)
        else:
            add_meniscus_forces(table, chunk_size, chunk_group[plain + m], chunk_group[plain + m + 1], turn, shift, q[6 + m] - base[12 + m], nonlinear, sums, wedge)
        wedge_terms(wedge, rot, 6 + m, grad, hess, tangent)
    add_lines(lines, anchor, rot, t, sums, tension)
    if guide[4] > 0.0:
        _add_pull(guide, rot, t, sums)
    x = rot[0, 0] * pull_point[0] + rot[0, 1] * pull_point[1] + rot[0, 2] * pull_point[2]
    y = rot[1, 0] * pull_point[0] + rot[1, 1] * pull_point[1] + rot[1, 2] * pull_point[2]
    z = rot[2, 0] * pull_point[0] + rot[2, 1] * pull_point[1] + rot[2, 2] * pull_point[2]
    load = -(pull[0] * (x + t[0]) + pull[1] * (y + t[1]) + pull[2] * (z + t[2]))
    add_point(sums, x, y, z, load, -pull[0], -pull[1], -pull[2], 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    pose_terms(sums, rot, axes, grad, hess, tangent)
    grad[1] -= moment[0]
    grad[2] -= moment[1]
    return energy + sums[0] - moment[0] * q[1] - moment[1] * q[2]


@kernel
def _add_guide(q, rest, guide, grad, hess, tangent):
    """Energy of the pulls that turn back when the body moves across the unit vector guide[1:4]; adds gradient and Hessian."""
    along, energy = 0.0, 0.0
    for i in range(3):
        along += guide[1 + i] * (q[3 + i] - rest[3 + i])
    for i in range(3):
        side = q[3 + i] - rest[3 + i] - along * guide[1 + i]
        energy += 0.5 * guide[0] * side * side
        grad[3 + i] += guide[0] * side
        if tangent:
            for j in range(3):
                hess[3 + i, 3 + j] += guide[0] * ((1.0 if i == j else 0.0) - guide[1 + i] * guide[1 + j])
    return energy


@kernel
def _add_pull(guide, rot, t, sums):
    """Add a line of constant tension to sums (34,): guide[4] N from the point guide[8:11] mm of the body to guide[5:8] mm in the femur frame; energy
    tension x length, Hessian tension / length across the line."""
    x = rot[0, 0] * guide[8] + rot[0, 1] * guide[9] + rot[0, 2] * guide[10]
    y = rot[1, 0] * guide[8] + rot[1, 1] * guide[9] + rot[1, 2] * guide[10]
    z = rot[2, 0] * guide[8] + rot[2, 1] * guide[9] + rot[2, 2] * guide[10]
    u, v, w = x + t[0] - guide[5], y + t[1] - guide[6], z + t[2] - guide[7]
    length = math.sqrt(u * u + v * v + w * w)
    u, v, w, force, a = u / length, v / length, w / length, guide[4], guide[4] / length
    add_point(sums, x, y, z, force * length, force * u, force * v, force * w, a - a * u * u, -a * u * v, -a * u * w, a - a * v * v, -a * v * w, a - a * w * w)


@kernel
def _scaled(grad, hess, free, force, tangent, with_tangent):
    """Copy gradient and, if with_tangent, Hessian with angles counted as lengths (angle x LENGTH); returns the norm of the free part, N."""
    n = grad.size
    norm = 0.0
    for i in range(n):
        si = 1.0 / LENGTH if i < 3 else 1.0
        force[i] = -grad[i] * si
        if free[i]:
            norm += force[i] * force[i]
        for j in range(n if with_tangent else 0):
            tangent[i, j] = hess[i, j] * si * (1.0 / LENGTH if j < 3 else 1.0)
    return math.sqrt(norm)


@kernel
def _copy(source, target):
    """Copy a vector (assignment of slices compiles slowly)."""
    for i in range(source.size):
        target[i] = source[i]


@kernel
def _stepped(q, step, scale, trial):
    """Fill trial (n,) with q + scale step, the angles of step (n,) counted as lengths."""
    for i in range(q.size):
        trial[i] = q[i] + scale * step[i] * (1.0 / LENGTH if i < 3 else 1.0)


@kernel
def settle(q, free, level, springs, femoral_compliance, lines, anchor, weak, rest, guide, pull, pull_point, moment, nonlinear, options, near, base, work, tension):
    """Find the pose of least energy from q (n,), in place: Newton with the exact tangent, shifted where it is not positive definite.

    options = (margin mm, reach mm, tolerance N, steps). The first step uses the springs as they were placed for the frame before; then they
    are placed where that step ends, and again until the body moves by less than FRESH, so the answer satisfies the level set itself. Within
    FRESH the tangent is kept as long as each step takes nine tenths of what is unbalanced. reach is the distance from the body's origin to
    its farthest spring. Returns (unbalanced force N, Newton steps, evaluations, placings); the force is that of springs placed no farther
    than FRESH from the answer, however the search ended.
    """
    margin, reach, tolerance, steps = options[0], options[1], options[2], int(options[3])
    n = q.size
    trial, step, grad, force, new_force = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    hess, tangent, factor = np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n))
    used, evaluations, placings, tries = 0, 0, 0, 0
    energy, norm, slope, scale, shift, wide = 0.0, np.inf, 0.0, 1.0, 0.0, margin
    mode, with_tangent, ending, careful = TAKE, WITH_TANGENT, False, False
    _copy(q, trial)
    placing = moved_since(q, base, reach) > STALE
    opening = not placing
    while True:
        if placing:
            rotation(trial, work[0])
            place(trial, work[0], level, springs, femoral_compliance, wide, reach, near, base)
            placings, placing, wide = placings + 1, False, margin
        new = potential(q if mode == REBASE else trial, near, base, lines, anchor, weak, rest, guide, pull, pull_point, moment, nonlinear, work, grad, hess,
                        tension, FORCE_ALONE if mode == REBASE else with_tangent)
        evaluations += 1
        if mode == REBASE:
            energy, mode = new, TRY
            continue
        new_norm = _scaled(grad, hess, free, new_force, tangent, with_tangent)
        close = norm <= BOLD * tolerance and shift == 0.0
        if mode == TRY and not (new <= energy + 1e-4 * scale * slope + 1e-10 * abs(energy) or (close and new_norm <= 0.5 * norm)):
            tries += 1
            if tries < 12 and with_tangent == WITH_TANGENT:
                scale *= 0.5 if scale > 0.3 else 0.25
                _stepped(q, step, scale, trial)
                continue
            if with_tangent == WITH_TANGENT:
                ending = shift > 1e6
                shift = max(10.0 * shift, 10.0)
            _copy(q, trial)  # once more from here, with the tangent of this place
            mode, with_tangent, careful, placing = TAKE, WITH_TANGENT, True, moved_since(q, base, reach) > FRESH
            continue
        if mode == TRY:
            shift = 0.0 if shift < 2.0 else 0.1 * shift
            careful = new_norm > 0.1 * norm
        energy, norm = new, new_norm
        _copy(trial, q)
        _copy(new_force, force)
        moved = moved_since(q, base, reach)
        if ending or (norm <= tolerance and moved <= FRESH):
            break
        ending = used >= steps
        while not ending and not solve_spd(tangent, force, shift, free, factor, step):
            shift = max(4.0 * shift, 1.0)
            ending = shift > 1e12
        if ending:
            _copy(q, trial)
            mode, with_tangent, placing = TAKE, WITH_TANGENT, moved > FRESH
            continue
        used += 1
        longest, slope = 0.0, 0.0
        for i in range(n):
            longest = max(longest, abs(step[i]))
            slope -= force[i] * step[i]
        scale = min(1.0, LONGEST / longest)
        _stepped(q, step, scale, trial)
        ahead = moved_since(trial, base, reach)
        near_by = shift == 0.0 and longest <= SHORT and (norm <= BOLD * tolerance or opening)
        tries = 0
        if opening or (near_by and ahead > FRESH):  # step and place at once, without asking whether the energy falls
            if not near_by:
                _copy(q, trial)
            elif placings > 6:  # the body goes to and fro between two expansions: meet in the middle
                for i in range(n):
                    trial[i] = 0.5 * (trial[i] + base[15 + i])
            shift = 0.0 if opening else shift
            mode, placing, opening, with_tangent = TAKE, True, False, WITH_TANGENT
        elif ahead > STALE:
            mode, placing, wide, with_tangent = REBASE, True, margin + ahead, WITH_TANGENT
        else:
            mode = TRY
            with_tangent = FORCE_ALONE if near_by and not careful else WITH_TANGENT
    return norm, used, evaluations, placings


@kernel
def _astray(q, rest, limit):
    """Whether a pose lies outside the range of a joint (a dislocated body has equilibria too): farther from rest than limit (6,), angles in
    rad, then mm along the axes of the body flexed as at rest."""
    c, s = math.cos(rest[0]), math.sin(rest[0])
    u, v, w = q[3] - rest[3], q[4] - rest[4], q[5] - rest[5]
    inside = abs(c * u + s * v) <= limit[3] and abs(c * v - s * u) <= limit[4] and abs(w) <= limit[5]
    for i in range(3):
        inside = inside and abs(q[i] - rest[i]) <= limit[i]
    return not inside


@kernel
def solve_frames(lead, start, free, level, springs, home, femoral_compliance, lines, anchor, weak, rest, guide, flexion, pull, pull_point, moment,
                 load, nonlinear, options, limit, poses, tension, pressure, triangle, force, scalars, peak, residual, iterations, status):
    """Equilibrium of one body in every frame (T), each from the poses of the frames before it.

    lead: number of frames at the start that only lead to the others: solved roughly, not reported.
    start (T, n): separated poses to start from when there is nothing better; weak and rest (T, n); guide (T, 11); flexion (T,) rad is prescribed when free[0] is
    False; limit (6,): see `_astray`; anchor (T, k, 3), pull (T, 3), pull_point (T, 3), moment (T, 2), load (T,) N, the size of the load that the residual is measured by. When a frame does not converge it
    is tried from the pose of the frame before, from a separated pose, with the load put on in steps, and under springs towards rest that are taken
    away in steps (HOLD); so is one that ends out of joint. Filled: poses (T, n), tension (T, k), pressure and triangle (flat, see `report`; of the
    frames behind the lead), force (T, g, 3), scalars (T, g, 5), peak (T, c), residual (T,), iterations (T, 3: steps, evaluations, placings), status (T,).
    """
    frames, n = start.shape
    groups = springs[1].size - 1
    chunks = springs[2].shape[0] * BLOCK // CHUNK + groups
    near = (np.zeros(chunks * ROWS * CHUNK, np.float32), np.zeros(chunks * (CHUNK // BLOCK), np.int64), np.zeros(chunks, np.int64), np.zeros(groups + 1, np.int64),
            np.zeros(springs[2].shape[0]), np.zeros(springs[2].shape[0], np.bool_))
    base = np.zeros(25)
    work = (np.zeros((5, 3)), np.zeros((3, 3)), np.zeros(3), np.zeros(SUMS), np.zeros(WEDGE), np.zeros((3, 3)))
    q, local, frame_pull, frame_moment, tight, grip = np.empty(n), np.empty(4), np.empty(3), np.empty(2), np.empty(tension.shape[1]), np.empty(n)
    _copy(options, local)
    for k in range(frames):
        _copy(start[k], poses[k])
        status[k] = 2
        steps, evaluations, placings, best, norm, astray, lost, attempt = 0, 0, 0, np.inf, np.inf, True, True, 0
        for attempt in range(5):
            stages = 1
            known = k if k <= lead else k - lead  # equally spaced frames before this one
            if attempt == 0 and known > 2 and free[0]:  # the patella runs smoothly; the tibia, whose flexion is given, less so
                for i in range(n):
                    q[i] = 3.0 * (poses[k - 1, i] - poses[k - 2, i]) + poses[k - 3, i]
            elif attempt == 0 and known > 1:
                for i in range(n):
                    q[i] = 2.0 * poses[k - 1, i] - poses[k - 2, i]
            elif attempt < 2 and k > 0:
                _copy(poses[k - 1], q)
            elif attempt == 0:
                _copy(rest[k], q)
            if attempt >= 2 or (attempt > 0 and k == 0) or _astray(q, rest[k], limit):
                _copy(start[k], q)
            if attempt >= 3:
                stages = 5
            if not free[0]:
                q[0] = -flexion[k]
            norm = np.inf
            for stage in range(stages):
                part = 0.02 * 50.0 ** (stage / (stages - 1.0)) if attempt == 3 else 1.0
                hold = HOLD * (0.2**stage if stage < stages - 1 else 0.0) if attempt == 4 else 0.0
                for i in range(n):
                    grip[i] = weak[k, i] + (hold * LENGTH * LENGTH if i < 3 else (hold if i < 6 else 0.0))
                for i in range(3):
                    frame_pull[i] = pull[k, i] * part
                for i in range(2):
                    frame_moment[i] = moment[k, i] * part
                local[2] = max(options[2] if k >= lead else GOOD, NOISE) * load[k]
                norm, used, tried, placed = settle(q, free, level, springs, femoral_compliance, lines, anchor[k], grip, rest[k], guide[k], frame_pull,
                                                   pull_point[k], frame_moment, nonlinear, local, near, base, work, tight)
                steps += used
                evaluations += tried
                placings += placed
            lost = _astray(q, rest[k], limit)
            if (not lost and astray) or (norm < best and lost == astray):
                best, astray = norm, lost
                _copy(q, poses[k])
                _copy(tight, tension[k])
                status[k] = 0 if norm <= GOOD * load[k] else (1 if used >= int(options[3]) else 2)
            if best <= GOOD * load[k] and not astray:
                break
        if attempt > 0 and (norm != best or lost != astray):
            _copy(poses[k], q)
            rotation(q, work[0])
            place(q, work[0], level, springs, femoral_compliance, options[0], options[1], near, base)
        residual[k] = best / load[k]
        iterations[k, 0], iterations[k, 1], iterations[k, 2] = steps, evaluations, placings
        if k >= lead:
            report(q, level, near, base, home, nonlinear, work, k - lead, frames - lead, pressure, triangle, force[k], scalars[k], peak[k])
        area = 0.0
        for g in range(groups):
            area += scalars[k, g, 0]
        if status[k] == 0:
            status[k] = 4 if astray else (3 if area == 0.0 else 0)
