"""Stability of the loaded knee: how stiff a leg must be so that it does not buckle, and how much stiffness a tense muscle gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.forces.muscle_geometry import MuscleGeometry
from kneeload.motion.limb import SHANK_LENGTH, THIGH_LENGTH
from kneeload.units import MM_PER_M

Array = NDArray[np.float64]

SHORT_RANGE_STIFFNESS = 23.4
"""Stiffness of active fibres over force per optimal fibre length, no unit (Cui 2008, PMC2488157; used for the human knee by Pfeifer 2011,
doi 10.1109/ICORR.2011.5975474)."""

TENDON_STIFFNESS = 100.5
"""Stiffness of a tendon in its toe region over force per slack length, no unit: exponent 3 over 0.609 of the strain 0.049 at the largest
force (curve of Thelen 2003, doi 10.1115/1.1531112, with the strain of Rajagopal 2016). Its small constant part (force 0.017 of the
largest) is left out, so tendons are taken a little too soft."""


def critical_stiffness(axial: Array, height_m: float) -> Array:
    """Least stiffness of the knee at which a straight leg under `axial` does not buckle, (T,) N mm per rad.

    Shank and thigh are two links between ankle and hip, whose line the load follows. A knee pushed off that line by y turns by
    y / shank + y / thigh and is pushed further by the moment load x y, so the balance is stable above load x shank x thigh / (shank + thigh).

    Args:
        axial: (T,) N, compression positive.
        height_m: body height, m.
    """
    return np.maximum(axial, 0.0) * (SHANK_LENGTH * THIGH_LENGTH / (SHANK_LENGTH + THIGH_LENGTH) * height_m * MM_PER_M)


def stiffness_per_newton(geometry: MuscleGeometry, knee_arms: Array, size: float) -> Array:
    """Stiffness that one newton in each muscle gives the knee in flexion, (T, n) mm per rad; 0 for muscles that do not cross it.

    Fibres and tendon in series, each in proportion to the force; stiffness of a joint = arm^2 x stiffness along the muscle.

    Args:
        geometry: for the size of the source subject.
        knee_arms: (T, n) mm, extension arms of this person.
        size: lengths of this person over those of the source subject, no unit.
    """
    compliance = (geometry.optimal_fiber_length / SHORT_RANGE_STIFFNESS + geometry.tendon_slack_length / TENDON_STIFFNESS) * size
    return knee_arms**2 / compliance  # the arm of a muscle that does not cross the knee is 0
