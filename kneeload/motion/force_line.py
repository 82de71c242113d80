"""One ground reaction, three joints: what links the sagittal moments of ankle, knee and hip.

In stance foot, shank and thigh are loaded by one force. With the knee's flexion k, the forward lean a of the shank (b = a - k of the thigh),
the ground reaction Fy (up) and Fx (forward), shank length L, thigh length T and the weights of the segments:

    knee + ankle = L (Fy sin a - Fx cos a) - W1 c1 sin a
    hip  + knee  = T (Fx cos b - (Fy - W1) sin b) + W2 c2 sin b

knee extension, ankle plantarflexion and hip extension moments internal; W1 weight of shank and foot, c1 its distance below the knee, W2
weight of the thigh, c2 its distance below the hip. Knee moment and Fy are measured in adults with a published spread (Bovi 2011); ankle
and hip moment, Fx and the lean come from weaker sources. `one_force_line` moves these four, each in proportion to the square of its
uncertainty, until both equations hold: the Gauss-Markov estimate of least change. Inertia of shank and thigh is not in the equations; its
size is the tolerance with which they have to hold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kneeload.motion.hip_ankle import PELVIC_TILT_DEG, HipAnkle
from kneeload.motion.limb import ANKLE_HEIGHT, LEG_MASS, SHANK_AND_FOOT_MASS, SHANK_LENGTH, THIGH_LENGTH
from kneeload.motion.waveforms import SOURCE_HEIGHT_M
from kneeload.units import DEG, GRAVITY_M_S2

Array = NDArray[np.float64]

# Centres of mass, fraction of the segment from its upper end (Winter 2009, table 4.1: foot and leg 0.606, thigh 0.433).
_SHANK_FOOT_CENTRE, _THIGH_CENTRE = 0.606, 0.433
# What inertia may take of each equation in stance, N m/kg. Assumptions: shank and foot turn about the knee at up to 15 rad/s2 (0.63 kg m2
# of 80 kg), the leg about the hip at up to 4 rad/s2 (3.2 kg m2). Ranges 0.03 to 0.12 and 0.08 to 0.25.
_INERTIA_KNEE, _INERTIA_HIP = 0.05, 0.15
_FULL_TRUST_BW = 0.5  # ground reaction from which the equations count fully (below, inertia rules); in swing nothing is moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """Standard deviations of what is estimated: moments in N m/kg, fore-aft force in body weights, lean in degrees."""

    ankle_nm_kg: float
    hip_nm_kg: float
    fore_aft_bw: float
    lean_deg: float


# Walking: ankle from children to adults by measured peaks, the rest by mass x height, marker-based angles (assumptions; ranges half to
# double). Stairs: assumed curves.
WALKING = Uncertainty(ankle_nm_kg=0.07, hip_nm_kg=0.15, fore_aft_bw=0.02, lean_deg=2.0)
STAIRS = Uncertainty(ankle_nm_kg=0.20, hip_nm_kg=0.30, fore_aft_bw=0.08, lean_deg=6.0)


def shank_lean(knee_flexion_deg: Array, hip_flexion_deg: Array) -> Array:
    """Forward lean of the shank, (T,) rad, from knee and hip flexion (T,) degrees and the tilt of the pelvis."""
    return (knee_flexion_deg - hip_flexion_deg + PELVIC_TILT_DEG) * DEG


def imbalance(knee_flexion_deg: Array, knee_moment: Array, vertical_bw: Array, others: HipAnkle) -> tuple[Array, Array]:
    """Left side less right side of both equations, (T,) N m/kg each (knee with ankle, hip with knee), for `SOURCE_HEIGHT_M`.

    Args:
        knee_flexion_deg: (T,) degrees.
        knee_moment: (T,) N m/kg, internal, extension positive.
        vertical_bw: (T,) body weights.
        others: hip, ankle and fore-aft force.
    """
    lean = shank_lean(knee_flexion_deg, others.hip_flexion_deg)
    state = np.stack([others.ankle_plantarflexion_moment_nm_kg, others.hip_extension_moment_nm_kg, others.fore_aft_force_bw, lean])
    left, _ = _equations(state, knee_flexion_deg * DEG, knee_moment, vertical_bw)
    return left[0], left[1]


def centre_of_pressure_m(vertical_bw: Array, others: HipAnkle) -> Array:
    """Where the ground reaction passes the sole, (T,) m ahead of the ankle for `SOURCE_HEIGHT_M`; only sensible where the foot carries load."""
    force = np.maximum(vertical_bw, 1e-3) * GRAVITY_M_S2
    return (others.ankle_plantarflexion_moment_nm_kg - others.fore_aft_force_bw * GRAVITY_M_S2 * ANKLE_HEIGHT * SOURCE_HEIGHT_M) / force


def one_force_line(knee_flexion_deg: Array, knee_moment: Array, vertical_bw: Array, others: HipAnkle, uncertainty: Uncertainty) -> HipAnkle:
    """Hip and ankle that share one ground reaction with the knee (see the head of this file); arguments as in `imbalance`.

    With the change x - x0 of the four unknowns, their covariance S, the linearised equations A and the tolerance E:
    x = x0 - S A' (A S A' + E)^-1 (r(x) - A (x - x0)), twice (the equations are nearly linear).
    """
    flexion = knee_flexion_deg * DEG
    before = shank_lean(knee_flexion_deg, others.hip_flexion_deg)
    start = np.stack([others.ankle_plantarflexion_moment_nm_kg, others.hip_extension_moment_nm_kg, others.fore_aft_force_bw, before])
    spread = np.array([uncertainty.ankle_nm_kg, uncertainty.hip_nm_kg, uncertainty.fore_aft_bw, uncertainty.lean_deg * DEG])
    weight = np.clip(vertical_bw / _FULL_TRUST_BW, 0.0, 1.0) ** 2
    variance = spread[:, None] ** 2 * weight
    state = start
    for _ in range(2):
        left, slope = _equations(state, flexion, knee_moment, vertical_bw)
        left = left - (slope * (state - start)).sum(axis=1)
        spread_slope = slope * variance
        a11 = (spread_slope[0] * slope[0]).sum(axis=0) + _INERTIA_KNEE**2
        a22 = (spread_slope[1] * slope[1]).sum(axis=0) + _INERTIA_HIP**2
        a12 = (spread_slope[0] * slope[1]).sum(axis=0)
        det = a11 * a22 - a12 * a12
        state = start - spread_slope[0] * ((a22 * left[0] - a12 * left[1]) / det) - spread_slope[1] * ((a11 * left[1] - a12 * left[0]) / det)
    turned = (state[3] - before) / DEG
    return replace(others, ankle_plantarflexion_moment_nm_kg=state[0], hip_extension_moment_nm_kg=state[1], fore_aft_force_bw=state[2],
                   hip_flexion_deg=others.hip_flexion_deg - turned, ankle_dorsiflexion_deg=others.ankle_dorsiflexion_deg + turned)


def _equations(state: Array, flexion: Array, knee: Array, vertical_bw: Array) -> tuple[Array, Array]:
    """Both equations as "left less right", (2, T) N m/kg, and their slopes by ankle, hip, fore-aft force (body weights) and lean, (2, 4, T)."""
    ankle, hip, fore_aft, lean = state
    thigh = lean - flexion
    up, shank, femur = vertical_bw * GRAVITY_M_S2, SHANK_LENGTH * SOURCE_HEIGHT_M, THIGH_LENGTH * SOURCE_HEIGHT_M
    forward = fore_aft * GRAVITY_M_S2
    low = SHANK_AND_FOOT_MASS * GRAVITY_M_S2
    low_arm = low * _SHANK_FOOT_CENTRE * shank
    high_arm = (LEG_MASS - SHANK_AND_FOOT_MASS) * GRAVITY_M_S2 * _THIGH_CENTRE * femur
    sin_a, cos_a, sin_b, cos_b = np.sin(lean), np.cos(lean), np.sin(thigh), np.cos(thigh)
    left = np.stack([
        knee + ankle - shank * (up * sin_a - forward * cos_a) + low_arm * sin_a,
        hip + knee - femur * (forward * cos_b - (up - low) * sin_b) - high_arm * sin_b,
    ])
    one, zero = np.ones_like(lean), np.zeros_like(lean)
    slope = np.stack([
        np.stack([one, zero, shank * GRAVITY_M_S2 * cos_a, -shank * (up * cos_a + forward * sin_a) + low_arm * cos_a]),
        np.stack([zero, one, -femur * GRAVITY_M_S2 * cos_b, femur * (forward * sin_b + (up - low) * cos_b) - high_arm * cos_b]),
    ])
    return left, slope
