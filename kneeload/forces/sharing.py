"""Static optimisation: which muscles carry the net moments, keep both compartments closed and the knee stable, at least cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.forces.frontal import FrontalKnee
from kneeload.forces.leg import Leg
from kneeload.kernels.recruitment import Recruitment, recruit

Array = NDArray[np.float64]

MOMENTS = 4  # knee extension, hip extension, ankle plantarflexion, hip abduction
# Slack over multiplier in units of what all muscles together can do: the moments (slack stays near 1e-6 of it unless no muscle is left), then
# stability and the compartments, which give way first (a ligament takes over, about 1 N while muscles can still do it).
_MOMENT_SOFTNESS, _CONDITION_SOFTNESS = 1e-6, 1e-4
_TOLERANCE = 1e-10
_MAX_STEPS = 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demand:
    """What the muscles must do over T frames.

    Attributes:
        moments: (4, T) N mm; knee extension, hip extension, ankle plantarflexion, hip abduction (0 with no muscles where unknown).
        stiffness: (T,) N mm per rad; least stiffness of the knee in flexion.
        margin: (T,) N; compression that each compartment must keep.
        joint_cost: no unit; cost of the squared force of each compartment in `unit`.
        unit: N; body weight.
        difference_cost: no unit; cost of the squared difference between medial and lateral force in `unit`.
    """

    moments: Array
    stiffness: Array
    margin: Array
    joint_cost: float
    unit: float
    difference_cost: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shared:
    """Answer over T frames.

    Attributes:
        activation: (T, n) no unit.
        force: (T, n) N.
        reserve: (T, 4) N mm; moments that no muscle could supply.
        share: (T, 4) no unit; size of the reserve over what all muscles together can do.
        solved: (T,) bool.
    """

    activation: Array
    force: Array
    reserve: Array
    share: Array
    solved: NDArray[np.bool_]


def share(leg: Leg, knee: FrontalKnee, demand: Demand, axial: Array, moment: Array, high: Array | None = None) -> Shared:
    """Distribute the demand over the muscles.

    Args:
        leg: the muscles.
        knee: frontal plane.
        demand: what they must do.
        axial: (T,) N, net axial force.
        moment: (T,) N mm, external adduction moment about the tibia origin.
        high: (T, n) no unit; largest activation, None = 1 for all.
    """
    compartment = knee.split(leg.force[:, :, 1], leg.moment[:, :, 0])
    base = knee.split(axial, moment)
    priced = [(row, want, cost) for row, want, cost in ((compartment[0], -base[0], demand.joint_cost), (compartment[1], -base[1], demand.joint_cost),
                                                        (compartment[0] - compartment[1], base[1] - base[0], demand.difference_cost)) if cost > 0.0]
    effects = (*leg.arms, leg.stiffness, *compartment, *(row for row, _, _ in priced))
    rows = np.empty((len(axial), len(effects), len(leg.names)))
    for j, effect in enumerate(effects):
        np.multiply(effect, leg.capacity, out=rows[:, j])
    target = np.stack([*demand.moments, demand.stiffness, demand.margin - base[0], demand.margin - base[1], *(want for _, want, _ in priced)], axis=1)
    full = np.abs(rows[::10]).sum(axis=2).max(axis=0)  # what all muscles together can do (every tenth frame is enough for a scale)
    full = np.where(full > 0.0, full, 1.0)
    rows /= full[:, None]
    price = [(demand.unit / unit) ** 2 / cost for unit, (_, _, cost) in zip(full[MOMENTS + 3:], priced)]
    softness = np.array([_MOMENT_SOFTNESS] * MOMENTS + [_CONDITION_SOFTNESS] * 3 + price)
    one_sided = np.array([False] * MOMENTS + [True] * 3 + [False] * len(priced))
    activation, slack, steps = recruit(Recruitment(
        rows=rows, target=target / full, one_sided=one_sided, weight=leg.weight, preferred=np.zeros_like(leg.capacity), low=leg.low,
        high=np.ones_like(leg.capacity) if high is None else np.maximum(high, leg.low), soft=softness), _TOLERANCE, _MAX_STEPS)
    return Shared(activation=activation, force=activation * leg.capacity, reserve=slack[:, :MOMENTS] * full[:MOMENTS],
                  share=np.abs(slack[:, :MOMENTS]), solved=steps <= _MAX_STEPS)
