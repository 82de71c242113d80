"""The only place where units change: inside it is mm, N, MPa, N mm, s, rad, kg."""

from __future__ import annotations

import math

GRAVITY_M_S2 = 9.80665  # standard gravity, CGPM 1901
MM_PER_M = 1000.0
NMM_PER_NM = 1000.0
PA_PER_MPA = 1.0e6
DEG = math.pi / 180.0  # multiply degrees by this to get radians
LENGTH_UNITS_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0}


def body_weight_n(body_mass_kg: float) -> float:
    """Body weight in N of a mass in kg."""
    return body_mass_kg * GRAVITY_M_S2
