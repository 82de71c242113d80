"""The leg as a chain: segment lengths, where alignment puts the knee, and what weight hangs below it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.person import Subject
from kneeload.units import DEG, MM_PER_M

# Lengths as fractions of height and masses as fractions of body mass: Drillis and Contini 1966; Winter 2009, Biomechanics and Motor
# Control of Human Movement, 4th ed., figure 4.1 and table 4.1.
THIGH_LENGTH, SHANK_LENGTH = 0.245, 0.246
ANKLE_HEIGHT, HIP_HEIGHT = 0.039, 0.530
SHANK_AND_FOOT_MASS, LEG_MASS = 0.061, 0.161

# Distance between the hip centres, fraction of height (172 mm at 1.72 m). Assumption, range 0.09 to 0.11.
HIP_SPACING = 0.100

# Varus of the adults behind the normative curves, degrees. Their radiographs are not published; healthy adults have 1.35 (SD 2.04) degrees
# (118 women, PMC4349645) and 1.3 (SD 2.3) degrees (250 men and women, Bellemans 2012, doi 10.1007/s11999-011-1936-5). Range 0.8 to 1.9.
REFERENCE_VARUS_DEG = 1.35


def knee_shift_mm(varus_deg: float, height_m: float) -> float:
    """Distance of the knee centre, lateral positive, from the line between hip and ankle, mm.

    Thigh a and shank b meet at an angle of 180 degrees less the varus; the height of that triangle over the hip-ankle side c is
    a b sin(varus) / c, with c from the law of cosines.
    """
    thigh, shank = THIGH_LENGTH * height_m * MM_PER_M, SHANK_LENGTH * height_m * MM_PER_M
    side = np.sqrt(thigh**2 + shank**2 + 2.0 * thigh * shank * np.cos(varus_deg * DEG))
    return float(thigh * shank * np.sin(varus_deg * DEG) / side)


def knee_ahead_mm(flexion: NDArray[np.float64], height_m: float) -> NDArray[np.float64]:
    """Distance of a bent knee from the line between hip and ankle, (T,) mm, forward positive: the triangle of `knee_shift_mm` seen from the side.

    Args:
        flexion: (T,) rad.
        height_m: m.
    """
    thigh, shank = THIGH_LENGTH * height_m * MM_PER_M, SHANK_LENGTH * height_m * MM_PER_M
    side = np.sqrt(thigh**2 + shank**2 + 2.0 * thigh * shank * np.cos(flexion))
    return np.asarray(thigh * shank * np.sin(flexion) / side)


def shank_and_foot_weight_n(subject: Subject) -> float:
    """Weight of shank and foot, N."""
    return SHANK_AND_FOOT_MASS * subject.body_weight_n


def axial_force(vertical: NDArray[np.float64], forward: NDArray[np.float64], lean: NDArray[np.float64], subject: Subject) -> NDArray[np.float64]:
    """Net force along the tibia at the knee: ground reaction less the weight of shank and foot; inertia is neglected.

    The inertia of shank and foot is at most about 0.03 body weights in stance (0.061 of the mass at 5 m/s2, assumption).

    Args:
        vertical: (T,) N, ground reaction, upward positive.
        forward: (T,) N, ground reaction, forward positive.
        lean: (T,) rad, forward lean of the shank (knee ahead of the ankle positive).
        subject: whose weight it is.

    Returns:
        (T,) N, compression positive; in swing the hanging shank pulls (negative).
    """
    return (vertical - shank_and_foot_weight_n(subject)) * np.cos(lean) + forward * np.sin(lean)


def anterior_force(vertical: NDArray[np.float64], forward: NDArray[np.float64], lean: NDArray[np.float64], subject: Subject) -> NDArray[np.float64]:
    """Net force across the tibia at the knee, (T,) N, anterior positive on the tibia; arguments and neglect as in `axial_force`.

    A shank that leans forwards is pushed backwards by the ground below it: this balances most of the forward pull of the patellar tendon.
    """
    return forward * np.cos(lean) - (vertical - shank_and_foot_weight_n(subject)) * np.sin(lean)
