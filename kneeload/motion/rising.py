"""Chair rise and squat: postures in the sagittal plane, moments from planar inverse dynamics of one half of the body.

Trunk (with head and arms), thigh, shank and foot are rigid links of Winter 2009 (table 4.1); each leg carries half the trunk. Every
segment angle goes from posture to posture along a path of least jerk (Flash and Hogan 1985, doi 10.1523/JNEUROSCI.05-07-01688.1985). The
equations of Newton and Euler are solved from the trunk down to the ankle; the centre of pressure follows, and must lie below the foot (a
test). In a squat the trunk leans as far as balance needs: the centre of mass stays `_SQUAT_LINE` ahead of the ankle. In a chair rise the
seat carries the trunk at first (its push goes through the hip joint, and the knee is relaxed), then less and less, and nothing from
seat-off on.

The postures are assumptions (ranges in `_CHAIR` and `_SQUAT`); what is checked is what follows. Chair rise: hip plus knee peak about
1.5 N m/kg per leg (Yoshioka 2007, doi 10.1186/1475-925X-6-26: peaks 0.24-1.92 at the hip, 0.51-1.97 at the knee, their sum about 1.53 N m/kg).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kneeload.motion.limb import ANKLE_HEIGHT, SHANK_LENGTH, THIGH_LENGTH
from kneeload.motion.waveforms import SAMPLES, SOURCE_HEIGHT_M
from kneeload.units import DEG, GRAVITY_M_S2

Array = NDArray[np.float64]

# Winter 2009, table 4.1 and figure 4.1: mass (fraction of the body, one side; trunk with head and arms halved), centre of mass (fraction of
# the length from the proximal end, trunk from the hip), radius of gyration about it (fraction of the length), length (fraction of height).
_TRUNK_MASS, _THIGH_MASS, _SHANK_MASS, _FOOT_MASS = 0.339, 0.100, 0.0465, 0.0145
_TRUNK_CENTRE, _THIGH_CENTRE, _SHANK_CENTRE = 0.626, 0.433, 0.433
_TRUNK_GYRATION, _THIGH_GYRATION, _SHANK_GYRATION = 0.496, 0.323, 0.302
_TRUNK_LENGTH = 0.288
_FOOT_CENTRE = 0.03  # of height ahead of the ankle (half of the foot's length of 0.152, less the heel behind the ankle); it weighs 1.5 %
# The pelvis takes this share of the trunk's lean, the lumbar spine the rest. Assumption, range 0.6 to 0.9.
_PELVIS_SHARE = 0.75
_SQUAT_LINE = 0.030  # of height, centre of mass ahead of the ankle in a squat (51 mm): the middle of the foot. Assumption, range 0.02 to 0.05
_FINE = 5  # points between two samples when accelerations are formed

_Knots = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """A movement with both feet on the ground: knots (percent of the cycle, degrees) joined by paths of least jerk.

    Attributes:
        shank: forward lean of the shank.
        knee: knee flexion.
        trunk: forward lean of the trunk, or None when balance decides it.
        cycle_s: duration for a person of `SOURCE_HEIGHT_M`, s; it grows with the root of height (dynamic similarity).
        seat_off: percent of the cycle over which the seat gives up its load (from, to), or None.
        lean_sd_deg: between-person SD of what sets the knee moment: of the greatest trunk lean, or of the greatest shank lean where balance
            decides the trunk, degrees.
        knee_sd_deg: between-person SD of the greatest knee flexion, degrees.
    """

    shank: _Knots
    knee: _Knots
    trunk: _Knots | None
    cycle_s: float
    seat_off: tuple[float, float] | None
    lean_sd_deg: float
    knee_sd_deg: float


# Chair at knee height. Assumptions: knee 95 (85 to 105), shank 18 to 22 (12 to 30), trunk lean 42 (35 to 60) degrees at seat-off, 2.0 s (1.5
# to 2.6); SD of the trunk lean 8 (5 to 18), of the knee angle 7 (4 to 10) degrees. Timing: one of those in steps of 4 % with which the centre
# of pressure stays within 50 mm after seat-off; the knee peaks of these go from 0.6 to 0.9 N m/kg.
_CHAIR = Rise(shank=((0, 18), (10, 18), (40, 22), (95, 4)), knee=((0, 95), (24, 95), (95, 5)), trunk=((0, 5), (42, 42), (92, 2)), cycle_s=2.0,
              seat_off=(8.0, 40.0), lean_sd_deg=8.0, knee_sd_deg=7.0)
# Squat until the thighs are nearly level, down and up. Assumptions: knee 95 (80 to 110), shank 30 (22 to 38) degrees, 3.0 s (2 to 5); SD
# of the shank lean 4 (2 to 6), of the knee angle 10 (6 to 15) degrees.
_SQUAT = Rise(shank=((0, 4), (50, 30), (100, 4)), knee=((0, 5), (50, 95), (100, 5)), trunk=None, cycle_s=3.0, seat_off=None, lean_sd_deg=4.0,
              knee_sd_deg=10.0)
RISES = {"chair_rise": _CHAIR, "squat": _SQUAT}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RiseLoads:
    """One leg of a person of 1 kg and `SOURCE_HEIGHT_M`.

    Attributes:
        knee_flexion, hip_flexion, ankle_dorsiflexion: (101,) rad.
        knee_extension_moment, hip_extension_moment, ankle_plantarflexion_moment: (101,) N m/kg, internal.
        axial_force, anterior_force: (101,) N/kg at the knee, as in `Motion`.
        vertical_force: (101,) N/kg, ground reaction below one foot.
        centre_of_pressure: (101,) m, ahead of the ankle.
        knee_flexion_sd: (101,) rad, between people.
        frontal_length: (101,) no unit, vertical extent of thigh times that of shank over the same of the straight leg.
        cycle_s: duration, s.
    """

    knee_flexion: Array
    hip_flexion: Array
    ankle_dorsiflexion: Array
    knee_extension_moment: Array
    hip_extension_moment: Array
    ankle_plantarflexion_moment: Array
    axial_force: Array
    anterior_force: Array
    vertical_force: Array
    centre_of_pressure: Array
    knee_flexion_sd: Array
    frontal_length: Array
    cycle_s: float


def minimum_jerk(knots: _Knots, percent: Array) -> Array:
    """Path of least jerk through `knots` (percent, value), (n,) in the unit of the values.

    It starts, ends and waits (between equal values) at rest, and turns in every other knot: velocity zero, acceleration and jerk continuous.
    Between two knots at distance T it is the polynomial of fifth degree with the end values x0, x1, zero velocities and accelerations a0, a1;
    continuous jerk gives for each turning knot, with the steps D of the values,
    9 a1 (1 / T1 + 1 / T2) - 3 a0 / T1 - 3 a2 / T2 = 60 (D2 / T2^3 - D1 / T1^3).
    """
    at, value = np.array(knots, dtype=np.float64).T
    length, step = np.diff(at), np.diff(value)
    system, right = np.eye(at.size), np.zeros(at.size)
    for k in range(1, at.size - 1):
        if step[k - 1] != 0.0 and step[k] != 0.0:
            system[k, k - 1: k + 2] = -3.0 / length[k - 1], 9.0 / length[k - 1] + 9.0 / length[k], -3.0 / length[k]
            right[k] = 60.0 * (step[k] / length[k] ** 3 - step[k - 1] / length[k - 1] ** 3)
    bend = np.linalg.solve(system, right)
    index = np.clip(np.searchsorted(at, percent, side="right") - 1, 0, length.size - 1)
    s = np.clip((percent - at[index]) / length[index], 0.0, 1.0)
    first, last = bend[index] * length[index] ** 2, bend[index + 1] * length[index] ** 2
    return np.asarray(value[index] + step[index] * s**3 * (10.0 - 15.0 * s + 6.0 * s**2)
                      + 0.5 * first * s**2 * (1.0 - 3.0 * s + 3.0 * s**2 - s**3) + 0.5 * last * s**3 * (1.0 - 2.0 * s + s**2))


@lru_cache(maxsize=256)
def rise_loads(name: str, extension_z: float = 0.0, flexion_z: float = 0.0) -> RiseLoads:
    """Loads of `chair_rise` or `squat`.

    Args:
        name: a key of `RISES`.
        extension_z: how far the knee extension moment lies above the mean person's, between-person standard deviations: that person
            keeps the trunk more upright in the chair rise, and the shanks more forward in the squat.
        flexion_z: the same for knee flexion (lower seat, deeper squat).
    """
    rise = RISES[name]
    percent = np.linspace(0.0, 100.0, (SAMPLES - 1) * _FINE + 1)
    deepest = max(value for _, value in rise.knee)
    knee = minimum_jerk(rise.knee, percent) * (deepest + flexion_z * rise.knee_sd_deg) / deepest * DEG
    shank = minimum_jerk(rise.shank, percent)
    if rise.trunk is None:
        furthest = max(value for _, value in rise.shank)
        shank = shank * (furthest + extension_z * rise.lean_sd_deg) / furthest * DEG
        trunk = _balanced_trunk(shank, knee)
    else:
        furthest = max(value for _, value in rise.trunk)
        trunk = minimum_jerk(rise.trunk, percent) * (furthest - extension_z * rise.lean_sd_deg) / furthest * DEG
        shank = shank * DEG
    return _inverse_dynamics(rise, percent, shank, knee, trunk)


def _balanced_trunk(shank: Array, knee: Array) -> Array:
    """Lean of the trunk, rad, that keeps the centre of mass `_SQUAT_LINE` ahead of the ankle; (n,) angles in rad."""
    knee_x = SHANK_LENGTH * np.sin(shank)
    hip_x = knee_x + THIGH_LENGTH * np.sin(shank - knee)
    below = (_THIGH_MASS * (hip_x + _THIGH_CENTRE * (knee_x - hip_x)) + _SHANK_MASS * knee_x * (1.0 - _SHANK_CENTRE) + _FOOT_MASS * _FOOT_CENTRE)
    sine = ((0.5 * _SQUAT_LINE - below) / _TRUNK_MASS - hip_x) / (_TRUNK_CENTRE * _TRUNK_LENGTH)
    return np.asarray(np.arcsin(np.clip(sine, -0.3, 0.98)))


def _cross(arm: Array, force: Array) -> Array:
    return arm[0] * force[1] - arm[1] * force[0]


def _inverse_dynamics(rise: Rise, percent: Array, shank: Array, knee: Array, trunk: Array) -> RiseLoads:
    """Newton and Euler from the trunk to the ankle; counter-clockwise moments seen with x forward and y up. Angles (n,) rad."""
    height, thigh = SOURCE_HEIGHT_M, shank - knee
    time = percent / 100.0 * rise.cycle_s
    gravity = np.array([[0.0], [GRAVITY_M_S2]])

    def along(length: float, angle: Array) -> Array:
        return length * height * np.array([np.sin(angle), np.cos(angle)])

    def second(values: Array) -> Array:
        return np.asarray(np.gradient(np.gradient(values, time, axis=-1, edge_order=2), time, axis=-1, edge_order=2))

    def turning(mass: float, gyration: float, length: float, lean: Array) -> Array:
        return -mass * (gyration * length * height) ** 2 * second(lean)

    ankle = np.zeros((2, time.size)) + np.array([[0.0], [ANKLE_HEIGHT * height]])
    knee_at = ankle + along(SHANK_LENGTH, shank)
    hip = knee_at + along(THIGH_LENGTH, thigh)
    trunk_arm = along(_TRUNK_CENTRE * _TRUNK_LENGTH, trunk)
    thigh_at, shank_at = hip + _THIGH_CENTRE * (knee_at - hip), knee_at + _SHANK_CENTRE * (ankle - knee_at)

    on_trunk = _TRUNK_MASS * (second(hip + trunk_arm) + gravity)  # pelvis: hip and seat together
    hip_moment = turning(_TRUNK_MASS, _TRUNK_GYRATION, _TRUNK_LENGTH, trunk) + _cross(trunk_arm, on_trunk)
    at_hip = on_trunk - _seat(rise, percent, on_trunk, hip_moment, thigh_at - hip, knee_at - hip)
    at_knee = at_hip + _THIGH_MASS * (second(thigh_at) + gravity)
    on_thigh = (turning(_THIGH_MASS, _THIGH_GYRATION, THIGH_LENGTH, thigh) + hip_moment - _cross(knee_at - thigh_at, at_knee)
                + _cross(hip - thigh_at, at_hip))
    at_ankle = at_knee + _SHANK_MASS * (second(shank_at) + gravity)
    on_shank = (turning(_SHANK_MASS, _SHANK_GYRATION, SHANK_LENGTH, shank) + on_thigh - _cross(ankle - shank_at, at_ankle)
                + _cross(knee_at - shank_at, at_knee))
    foot = _FOOT_MASS * GRAVITY_M_S2
    vertical = at_ankle[1] + foot
    pressure = (on_shank + foot * _FOOT_CENTRE * height - ANKLE_HEIGHT * height * at_ankle[0]) / vertical
    axis = np.array([np.sin(shank), np.cos(shank)])
    rows = {
        "knee_flexion": knee, "hip_flexion": _PELVIS_SHARE * trunk - thigh, "ankle_dorsiflexion": shank, "knee_extension_moment": -on_thigh,
        "hip_extension_moment": hip_moment, "ankle_plantarflexion_moment": on_shank, "axial_force": (at_knee * axis).sum(axis=0),
        "anterior_force": at_knee[0] * axis[1] - at_knee[1] * axis[0],
        "knee_flexion_sd": knee * rise.knee_sd_deg / max(value for _, value in rise.knee), "vertical_force": vertical, "centre_of_pressure": pressure,
        "frontal_length": np.maximum(np.cos(thigh), 0.0) * np.cos(shank)}
    sampled = {field: np.ascontiguousarray(values[::_FINE]) for field, values in rows.items()}
    for values in sampled.values():
        values.setflags(write=False)
    return RiseLoads(**sampled, cycle_s=rise.cycle_s)


def _seat(rise: Rise, percent: Array, on_trunk: Array, hip_moment: Array, thigh_arm: Array, knee_arm: Array) -> Array:
    """Push of the seat below the hip, (2, n) N/kg: at first all that the trunk needs and so much that the knee is relaxed, then fading to nothing."""
    if rise.seat_off is None:
        return np.zeros_like(on_trunk)
    full = on_trunk.copy()
    full[1] += (_THIGH_MASS * GRAVITY_M_S2 * (knee_arm[0] - thigh_arm[0]) - hip_moment) / knee_arm[0, 0]
    return full * (1.0 - minimum_jerk(((rise.seat_off[0], 0.0), (rise.seat_off[1], 1.0)), percent))
