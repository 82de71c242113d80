"""Frontal plane of the tibiofemoral joint: two contact springs and k elastic bands in equilibrium, all frames in one call."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kneeload.kernels.options import kernel

MAX_STEPS = 50
_LARGEST_STEP = 0.5  # mm


class FrontalJoint(NamedTuple):
    """Geometry of the frontal plane: T frames, k bands. All arrays are C-contiguous.

    Attributes:
        flexion: (T,) rad; angle of the passive path.
        medial, lateral: (T,) mm, tibia frame; z of the contact centres.
        axis: (3,) mm, tibia frame; a point of the axis (parallel to z) about which the tibia turns.
        forward: (3,) mm; shift of the tibia against the femur.
        origin: (k, 3) mm, femur frame.
        insertion: (k, 3) mm, tibia frame.
        law: (k, 3) slack length in mm, stiffness in N per unit strain, toe strain.
        contact: N/mm^2; force of a compartment over its squared approach.
    """

    flexion: NDArray[np.float64]
    medial: NDArray[np.float64]
    lateral: NDArray[np.float64]
    axis: NDArray[np.float64]
    forward: NDArray[np.float64]
    origin: NDArray[np.float64]
    insertion: NDArray[np.float64]
    law: NDArray[np.float64]
    contact: float


@kernel
def _tension(strain, stiffness, toe):
    """Tension and its slope over strain of a band: 0, then a parabola up to the toe strain, then a line."""
    if strain <= 0.0:
        return 0.0, 0.0
    if strain < toe:
        return stiffness * strain * strain / (2.0 * toe), stiffness * strain / toe
    return stiffness * (strain - 0.5 * toe), stiffness


@kernel
def frontal_equilibrium(joint, load):
    """Find the approach of both compartments at which contact, bands and load balance.

    The tibia follows its passive path in flexion and is free to approach the femur and to tilt in the frontal plane. A compartment that
    approaches by d > 0 presses with contact x d^2 and an open one does not press. An approach d_m, d_l shortens a band by d_m e_m + d_l e_l,
    where e_m and e_l are the compartment forces that one newton in the band causes. Newton's method on the two balances.

    Args:
        joint: a `FrontalJoint`.
        load: (T, 2) N and N mm; upward force on the tibia and moment about x of the tibia origin, without the bands.

    Returns:
        force: (T, 2) N, medial and lateral compression.
        approach: (T, 2) mm, medial and lateral; negative = open.
        pull: (T, 2) N and N mm; upward pull and moment about x of all bands.
        tension: (T, k) N.
        steps: (T,) Newton steps, MAX_STEPS + 1 where the balance was not found.
    """
    frames = joint.flexion.shape[0]
    bands = joint.origin.shape[0]
    force = np.zeros((frames, 2))
    approach = np.zeros((frames, 2))
    pull = np.zeros((frames, 2))
    tension = np.zeros((frames, bands))
    steps = np.zeros(frames, dtype=np.int32)
    upward = np.zeros(bands)
    arm = np.zeros(bands)
    length = np.zeros(bands)
    d_m = 0.3
    d_l = 0.3
    for t in range(frames):
        c = np.cos(joint.flexion[t])
        s = np.sin(joint.flexion[t])
        for k in range(bands):
            ahead = joint.origin[k, 0] - joint.axis[0] - joint.forward[0]
            above = joint.origin[k, 1] - joint.axis[1] - joint.forward[1]
            x = joint.axis[0] + c * ahead - s * above - joint.insertion[k, 0]
            y = joint.axis[1] + s * ahead + c * above - joint.insertion[k, 1]
            z = joint.origin[k, 2] - joint.forward[2] - joint.insertion[k, 2]
            length[k] = np.sqrt(x * x + y * y + z * z)
            upward[k] = y / length[k]
            arm[k] = (joint.insertion[k, 1] * z - joint.insertion[k, 2] * y) / length[k]
        medial = joint.medial[t]
        lateral = joint.lateral[t]
        width = lateral - medial
        scale = 1.0 + abs(load[t, 0]) + abs(load[t, 1]) / width
        steps[t] = MAX_STEPS + 1
        for count in range(MAX_STEPS + 1):
            f_m = joint.contact * d_m * d_m if d_m > 0.0 else 0.0
            f_l = joint.contact * d_l * d_l if d_l > 0.0 else 0.0
            g_m = 2.0 * joint.contact * d_m if d_m > 0.0 else 0.0
            g_l = 2.0 * joint.contact * d_l if d_l > 0.0 else 0.0
            pull[t, 0] = 0.0
            pull[t, 1] = 0.0
            # unbalanced compartment forces and their slopes over the approaches
            h_mm = g_m
            h_ml = 0.0
            h_ll = g_l
            for k in range(bands):
                e_m = (lateral * upward[k] + arm[k]) / width
                e_l = (-medial * upward[k] - arm[k]) / width
                strain = (length[k] - e_m * d_m - e_l * d_l) / joint.law[k, 0] - 1.0
                tension[t, k], slope = _tension(strain, joint.law[k, 1], joint.law[k, 2])
                pull[t, 0] += tension[t, k] * upward[k]
                pull[t, 1] += tension[t, k] * arm[k]
                slope /= joint.law[k, 0]
                h_mm += slope * e_m * e_m
                h_ml += slope * e_m * e_l
                h_ll += slope * e_l * e_l
            axial = load[t, 0] + pull[t, 0]
            moment = load[t, 1] + pull[t, 1]
            r_m = (lateral * axial + moment) / width - f_m
            r_l = (-medial * axial - moment) / width - f_l
            if max(abs(r_m), abs(r_l)) <= 1e-9 * scale:
                steps[t] = count
                break
            h_mm += 1e-6 * joint.contact
            h_ll += 1e-6 * joint.contact
            determinant = h_mm * h_ll - h_ml * h_ml
            step_m = (r_m * h_ll - h_ml * r_l) / determinant
            step_l = (h_mm * r_l - h_ml * r_m) / determinant
            largest = max(abs(step_m), abs(step_l))
            if largest > _LARGEST_STEP:
                step_m *= _LARGEST_STEP / largest
                step_l *= _LARGEST_STEP / largest
            d_m += step_m
            d_l += step_l
        force[t, 0] = f_m
        force[t, 1] = f_l
        approach[t, 0] = d_m
        approach[t, 1] = d_l
        if steps[t] > MAX_STEPS:  # a failed frame must not start its neighbour
            d_m = 0.3
            d_l = 0.3
    return force, approach, pull, tension, steps
