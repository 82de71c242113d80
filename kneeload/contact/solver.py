"""One body through all frames: the arrays around the kernel `solve_frames`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.contact.springs import SpringSet
from kneeload.kernels.equilibrium import solve_frames

Array = NDArray[np.float64]
MARGIN_MM = 0.1  # blocks with a spring nearer than this are placed
STEPS = 60  # Newton steps per attempt
NO_LIMIT = np.full(6, np.inf)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lines:
    """Ligament lines between a body and anchors in the femur frame (k lines).

    Attributes:
        names: of the lines.
        point: (k, 3) mm, frame of the body.
        stiffness: (k,) N per unit strain.
        slack: (k,) mm.
        toe: (k,) no unit, strain at the end of the toe.
    """

    names: tuple[str, ...]
    point: Array
    stiffness: Array
    slack: Array
    toe: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyLoads:
    """What acts on the body in every frame, femur frame.

    Attributes:
        force: (T, 3) N, dead.
        point: (T, 3) mm, frame of the body, where it acts.
        moment: (T, 2) N mm, about the floating axis and about the long axis (y) of the body.
        size: (T,) N, the load that the residual is measured by.
    """

    force: Array
    point: Array
    moment: Array
    size: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyFrames:
    """Answer of `solve_body` (T frames, n coordinates, k lines, g surfaces of m triangles each).

    Attributes:
        q: (T, n) rad and mm; coordinates of the pose and expansions of the menisci.
        tension: (T, k) N.
        pressure: for each surface (F, m) MPa, of the F frames behind the lead.
        triangle: for each surface (F, m) no unit; triangle of the target, -1 when none is touched.
        peak: (T, 2) MPa; pressure that one per cent of the area in contact exceeds, of the surfaces on each side (patella: all on the first).
        force: (T, g, 3) N, on the body, femur frame.
        scalars: (T, g, 5): area mm2, normal force N, normal force times x, y, z (N mm, frame of the body).
        residual: (T,) no unit.
        iterations: (T, 3) no unit; Newton steps, evaluations of the energy, placings of the springs.
        status: (T,) no unit.
    """

    q: Array
    tension: Array
    pressure: tuple[NDArray[np.float32], ...]
    triangle: tuple[NDArray[np.int32], ...]
    force: Array
    scalars: Array
    peak: Array
    residual: Array
    iterations: NDArray[np.int64]
    status: NDArray[np.int8]


def solve_body(
    springs: SpringSet, level: tuple, *, femoral_compliance: float, lines: Lines, anchor: Array, weak: Array, rest: Array, guide: Array, start: Array,
    free: NDArray[np.bool_], flexion: Array, loads: BodyLoads, nonlinear: bool, tolerance: float, limit: Array = NO_LIMIT, lead: int = 0,
) -> BodyFrames:
    """Return the equilibrium of one body in every frame.

    Args:
        springs: casting surfaces of the body.
        level: the target, from `level_tuple`.
        femoral_compliance: 1 / foundation modulus of the target's layer, 1/MPa.
        lines: ligaments of the body; anchor: (T, k, 3) mm, their other ends, femur frame.
        weak: (T, n) N/mm (angles N mm/rad); springs on the coordinates towards rest (T, n).
        guide: (T, 11): stiffness (N/mm) of the translation across a unit vector (femur frame), towards rest; then tension (N), end (3, mm, femur
            frame) and point (3, mm, frame of the body) of a line of constant tension.
        start: (T, n); pose that a frame starts from when there is nothing better.
        free: (n,) bool; coordinates that move. When the first is not free it is minus flexion (T,) rad.
        loads: applied loads.
        nonlinear: law of the layers.
        tolerance: unbalanced force over the load.
        lead: number of frames at the start that only lead to the others: solved roughly, without pressures.
        limit: (6,) rad and mm; a pose farther from rest than this is out of joint (`kneeload.kernels.equilibrium._astray`).
    """
    frames, n = start.shape
    groups, k, shown = len(springs.names), len(lines.names), frames - lead
    pressure, triangle = np.zeros(shown * int(springs.start[-1]), np.float32), np.full(shown * int(springs.start[-1]), -1, np.int32)
    out = BodyFrames(
        q=np.zeros((frames, n)), tension=np.zeros((frames, k)), pressure=_by_surface(pressure, springs, shown), triangle=_by_surface(triangle, springs, shown),
        force=np.zeros((frames, groups, 3)), scalars=np.zeros((frames, groups, 5)), peak=np.zeros((frames, 2)), residual=np.zeros(frames),
        iterations=np.zeros((frames, 3), np.int64), status=np.zeros(frames, np.int8),
    )
    packed = tuple(_plain(a) for a in (lines.point.reshape(k, 3), lines.stiffness, lines.slack, lines.toe))
    options = np.array([MARGIN_MM, springs.reach_mm, tolerance, STEPS])
    home = (springs.arrays[0], springs.home, springs.start, springs.side)
    solve_frames(
        lead, _plain(start), np.array(free, dtype=np.bool_), level, springs.arrays, home, femoral_compliance, packed, _plain(anchor), _plain(weak),
        _plain(rest), _plain(guide), _plain(flexion), _plain(loads.force), _plain(loads.point), _plain(loads.moment), _plain(loads.size), True if nonlinear else None, options, _plain(limit),
        out.q, out.tension, pressure, triangle, out.force, out.scalars, out.peak, out.residual, out.iterations, out.status,
    )
    return out


def _by_surface(flat: NDArray, springs: SpringSet, frames: int) -> tuple[NDArray, ...]:
    """Views (F, m) of each surface on a flat array of all."""
    borders = frames * springs.start
    return tuple(flat[i:j].reshape(frames, -1) if j > i else flat[i:j].reshape(frames, 0) for i, j in zip(borders[:-1], borders[1:]))


def _plain(values: Array) -> Array:
    """A contiguous writable copy: kernels are compiled once, for plain arrays."""
    return np.array(values, dtype=np.float64, order="C")


def poses(q: Array) -> Array:
    """Return (T, 4, 4) poses of coordinates (T, 6 or more): x_femur = R x_body + t, R = Rz(a) Rx(b) Ry(c)."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(q[:, :3]).T, np.sin(q[:, :3]).T
    out = np.zeros((len(q), 4, 4))
    out[:, 0, :3] = np.column_stack([ca * cc - sa * sb * sc, -sa * cb, ca * sc + sa * sb * cc])
    out[:, 1, :3] = np.column_stack([sa * cc + ca * sb * sc, ca * cb, sa * sc - ca * sb * cc])
    out[:, 2, :3] = np.column_stack([-cb * sc, sb, cb * cc])
    out[:, :3, 3] = q[:, 3:6]
    out[:, 3, 3] = 1.0
    return out


def coordinates(pose: Array) -> Array:
    """Return the six coordinates (a, b, c, tx, ty, tz) of a pose (4, 4), rad and mm."""
    r = np.asarray(pose, dtype=float)
    return np.array([np.arctan2(-r[0, 1], r[1, 1]), np.arcsin(np.clip(r[2, 1], -1.0, 1.0)), np.arctan2(-r[2, 0], r[2, 2]), *r[:3, 3]])
