"""Hip and ankle over a cycle: the muscles that cross the knee also cross these joints.

Walking: curves fitted to the supplement of Schwartz 2008 (doi 10.1016/j.jbiomech.2008.03.015; five speeds), because no table of adults
for hip and ankle could be had. Its people are children and adolescents. Their ankle moment is carried to adults by the ratio of the
peaks: in the adults of Bovi 2011 the regression lines of ankle moment on ankle angle before and after the peak meet at 1.25, 1.32 and
1.33 N m/kg in very slow, slow and natural walking (fit of the published curves by nikorose87/DJS-GA,
Ferrarin/LinearStiffnessResultsFerrarin.csv), which is 1.10 (1.09 to 1.12) times the peak of the children at the same Froude number. The
hip moment is carried over by mass x height.

Stairs: no table was found; control points (percent of the cycle, value) drawn to the shape and size that Riener 2002 (doi
10.1016/S0966-6362(01)00162-X) and Novak and Brouwer 2011 (doi 10.1016/j.gaitpost.2010.09.024) describe, joined by a monotone cubic. Ranges: angles
8 degrees, moments 30 % of their peak.

These are first estimates: `force_line` moves them, within their uncertainty, until hip, knee and ankle share one ground reaction.

Hip flexion is the thigh against the pelvis: inclination of the thigh plus `PELVIC_TILT_DEG`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.motion.waveforms import SOURCE_HEIGHT_M, spline_basis
from kneeload.units import GRAVITY_M_S2

COEFFICIENTS_FILE = Path(__file__).with_name("hip_ankle_coefficients.json")
WALKING_CURVES = ("thigh_inclination_deg", "ankle_dorsiflexion_deg", "hip_extension_moment_nm_kg", "ankle_plantarflexion_moment_nm_kg",
                  "fore_aft_force_bw")
# Forward tilt of the pelvis against its pose in quiet standing, which is the zero of the muscle model. Assumption, range 3 to 12 degrees.
PELVIC_TILT_DEG = 7.0
_CHILD_HEIGHT_M = 1.42  # mean height of Schwartz's people (mean age 10.5 years; the height is not in the supplement). Assumption, range 1.36 to 1.48
_ANKLE_GROWTH = 1.10  # ankle moment per kg of adults over that of Schwartz's people; see the head of this file. Range 1.05 to 1.20
LEG_LENGTH = 0.530  # hip height, fraction of height (Winter 2009, figure 4.1)
SAMPLES = 101

_Points = tuple[tuple[float, float], ...]

_HIP_FLEXION_DEG: dict[str, _Points] = {
    "stair_ascent": ((0, 60), (6, 57), (12, 50), (20, 39), (30, 24), (40, 14), (50, 8), (60, 3), (65, 3), (70, 9), (75, 22), (80, 38), (86, 48),
                     (92, 40), (100, 26)),
    "stair_descent": ((0, 17), (8, 21), (15, 24), (22, 22), (30, 19), (40, 21), (50, 25), (60, 31), (70, 39), (77, 43), (85, 39), (92, 31), (100, 23)),
}
_ANKLE_DORSIFLEXION_DEG: dict[str, _Points] = {
    "stair_ascent": ((0, 10), (5, 15), (10, 18.5), (20, 17), (30, 13.5), (40, 11.5), (48, 11), (54, 7), (60, -4), (66, -13), (70, -12), (76, -1),
                     (82, 8), (87, 9), (92, 7), (100, 3)),
    "stair_descent": ((0, -20), (4, -14), (8, -4), (12, 4), (16, 8.5), (22, 11), (30, 14), (40, 21), (49, 28.5), (54, 30), (60, 25), (66, 12), (72, -1),
                      (78, -6), (85, -8), (92, -14), (100, -20)),
}
_HIP_EXTENSION_MOMENT_NM_KG: dict[str, _Points] = {
    "stair_ascent": ((0, 0.05), (5, 0.3), (10, 0.68), (16, 0.85), (21, 0.82), (30, 0.55), (40, 0.28), (50, 0.08), (58, -0.1), (66, -0.2), (74, -0.15),
                     (84, 0.08), (93, 0.1), (100, 0.02)),
    "stair_descent": ((0, 0.05), (8, 0.15), (20, 0.05), (30, -0.05), (42, -0.1), (52, -0.16), (60, -0.2), (68, -0.12), (78, -0.02), (88, 0.08), (100, 0.05)),
}
_ANKLE_PLANTARFLEXION_MOMENT_NM_KG: dict[str, _Points] = {
    "stair_ascent": ((0, 0), (5, 0.12), (10, 0.4), (15, 0.55), (20, 0.56), (28, 0.5), (36, 0.58), (44, 0.85), (50, 1.15), (56, 1.38), (60, 1.15), (65, 0.5),
                     (70, 0.08), (75, 0), (100, 0)),
    "stair_descent": ((0, 0), (4, 0.35), (8, 0.8), (12, 1.05), (15, 1.1), (20, 0.95), (28, 0.72), (35, 0.72), (45, 0.8), (51, 0.8), (56, 0.68), (62, 0.35),
                      (67, 0.08), (72, 0), (100, 0)),
}
_TABLES: dict[str, dict[str, _Points]] = {
    "hip_flexion": _HIP_FLEXION_DEG,
    "ankle_dorsiflexion": _ANKLE_DORSIFLEXION_DEG,
    "hip_moment": _HIP_EXTENSION_MOMENT_NM_KG,
    "ankle_moment": _ANKLE_PLANTARFLEXION_MOMENT_NM_KG,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HipAnkle:
    """Hip and ankle curves of one activity for a person of the height `SOURCE_HEIGHT_M`.

    Attributes:
        hip_flexion_deg: (101,) degrees, flexion positive, against the pelvis.
        ankle_dorsiflexion_deg: (101,) degrees, dorsiflexion positive.
        hip_extension_moment_nm_kg: (101,) N m/kg, internal, extension positive.
        ankle_plantarflexion_moment_nm_kg: (101,) N m/kg, internal, plantarflexion positive.
        fore_aft_force_bw: (101,) body weights, ground reaction, forward positive (0 on stairs: not known).
        source: citation.
    """

    hip_flexion_deg: NDArray[np.float64]
    ankle_dorsiflexion_deg: NDArray[np.float64]
    hip_extension_moment_nm_kg: NDArray[np.float64]
    ankle_plantarflexion_moment_nm_kg: NDArray[np.float64]
    fore_aft_force_bw: NDArray[np.float64]
    source: str


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return json.loads(COEFFICIENTS_FILE.read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _by_speed() -> tuple[Any, float, float]:
    """Monotone interpolant of the (5 curves, 101) values over dimensionless speed, and the lowest and highest speed (no unit)."""
    from scipy.interpolate import PchipInterpolator  # here: its import takes longer than a whole motion

    table = _table()
    basis = spline_basis(table["count"], 1.0, SAMPLES)
    values = np.stack([np.array(table[name]) @ basis.T for name in WALKING_CURVES], axis=1)
    speeds = table["dimensionless_speed"]
    return PchipInterpolator(speeds, values), speeds[0], speeds[-1]


def dimensionless_speed(speed_m_s: float, height_m: float) -> float:
    """Speed over the square root of gravity x leg length (the Froude number's root), no unit."""
    return speed_m_s / float(np.sqrt(GRAVITY_M_S2 * LEG_LENGTH * height_m))


def walking_cycle_s(speed_m_s: float, height_m: float) -> float:
    """Duration of a stride, s: step rate x sqrt(leg length / gravity) = 0.93 (dimensionless speed)^0.58, fitted to the five groups of Schwartz 2008."""
    law = _table()["cadence_law"]
    rate = law["factor"] * dimensionless_speed(speed_m_s, height_m) ** law["exponent"]
    return 2.0 * float(np.sqrt(LEG_LENGTH * height_m / GRAVITY_M_S2)) / rate


def speed_of_step_length(speed_m_s: float, longer: float) -> float:
    """Speed, m/s, at which steps are by nature `longer` times (no unit) as long as at `speed_m_s`: step length is speed / step rate, and the law of
    `walking_cycle_s` gives length ~ speed^(1 - 0.58)."""
    if longer == 1.0:
        return speed_m_s
    return float(speed_m_s * longer ** (1.0 / (1.0 - _table()["cadence_law"]["exponent"])))


@lru_cache(maxsize=64)
def walking_hip_ankle(relative_speed: float) -> HipAnkle:
    """Curves of level walking at `relative_speed` (body heights per second, of a person of the height `SOURCE_HEIGHT_M`)."""
    interpolant, low, high = _by_speed()
    speed = dimensionless_speed(relative_speed * SOURCE_HEIGHT_M, SOURCE_HEIGHT_M)
    thigh, ankle, hip_moment, ankle_moment, fore_aft = interpolant(min(max(speed, low), high))
    growth = SOURCE_HEIGHT_M / _CHILD_HEIGHT_M
    return HipAnkle(hip_flexion_deg=thigh + PELVIC_TILT_DEG, ankle_dorsiflexion_deg=ankle, hip_extension_moment_nm_kg=growth * hip_moment,
                    ankle_plantarflexion_moment_nm_kg=_ANKLE_GROWTH * ankle_moment, fore_aft_force_bw=fore_aft, source=_table()["source"])


@lru_cache(maxsize=4)
def stair_hip_ankle(name: str) -> HipAnkle:
    """Curves of `stair_ascent` or `stair_descent`."""
    from scipy.interpolate import PchipInterpolator

    hip, ankle, hip_moment, ankle_moment = (
        PchipInterpolator(*np.array(_TABLES[table][name], dtype=np.float64).T)(np.linspace(0.0, 100.0, SAMPLES)) for table in _TABLES)
    return HipAnkle(hip_flexion_deg=hip, ankle_dorsiflexion_deg=ankle, hip_extension_moment_nm_kg=hip_moment,
                    ankle_plantarflexion_moment_nm_kg=ankle_moment, fore_aft_force_bw=np.zeros(SAMPLES), source="assumed control points")
