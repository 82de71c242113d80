"""What a calibration may change: physical constants with their generic value, how much they plausibly differ, and their bounds.

Every spread is an assumption unless a source is named; it is the standard deviation of the normal prior about the generic value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kneeload.forces.personal import PHASES

MUSCLES = "muscles."  # a constant of this prefix is a factor on that setting of `MuscleModel`

_QUADRICEPS, _HAMSTRINGS = ("vasti", "rectus_femoris"), ("medial_hamstrings", "lateral_hamstrings")
_GASTROCNEMII = ("medial_gastrocnemius", "lateral_gastrocnemius")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One number to be fitted. `u` below is the number in standard deviations of its prior from the generic value.

    Attributes:
        name: unique.
        constants: names of the constants that take its value: those of `PersonalGeometry.constants` or "muscles." and a setting.
        unit: "mm", or "" for factors and activations.
        generic: value of the generic knee, in `unit`.
        spread: standard deviation of the prior, in `unit`; of its natural logarithm where `logarithmic`.
        low, high: bounds, in `unit`.
        logarithmic: the prior is normal in the logarithm.
        neighbour: name of the parameter that follows it in time; the prior also keeps such neighbours alike.
        why: what it stands for and where spread and bounds come from.
    """

    name: str
    constants: tuple[str, ...]
    unit: str = ""
    generic: float
    spread: float
    low: float
    high: float
    logarithmic: bool = False
    neighbour: str = ""
    why: str

    def value(self, u: float) -> float:
        """Return the value in `unit`, inside the bounds; exactly the generic one at u = 0."""
        value = self.generic * math.exp(u * self.spread) if self.logarithmic else self.generic + u * self.spread
        return min(max(value, self.low), self.high)

    def standard(self, value: float) -> float:
        """Return u of a value in `unit`."""
        return (math.log(value / self.generic) if self.logarithmic else value - self.generic) / self.spread

    @property
    def bounds(self) -> tuple[float, float]:
        """Low and high bound of u."""
        return self.standard(self.low), self.standard(self.high)


def _of(constant: str, *groups: str) -> tuple[str, ...]:
    return tuple(f"{constant}.{group}" for group in groups)


def _arm(name: str, joint: str, groups: tuple[str, ...], spread: float, why: str) -> Parameter:
    return Parameter(name=name, constants=_of(f"{joint}_arm_scale", *groups), generic=1.0, spread=spread, low=0.7, high=1.3, why=why)


def _factor(name: str, constants: tuple[str, ...], low: float, high: float, why: str, spread: float = 0.7) -> Parameter:
    return Parameter(name=name, constants=constants, generic=1.0, spread=spread, low=low, high=high, logarithmic=True, why=why)


def _offset(name: str, constants: tuple[str, ...], spread: float, most: float, why: str) -> Parameter:
    return Parameter(name=name, constants=constants, unit="mm", generic=0.0, spread=spread, low=-most, high=most, why=why)


def _timing(name: str, groups: tuple[str, ...]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(name=f"{name}_{100 * k / PHASES:g}pct", constants=tuple(f"cycle_activation.{group}.{k}" for group in groups), generic=0.0,
                  spread=0.03, low=0.0, high=0.3, neighbour=f"{name}_{100 * ((k + 1) % PHASES) / PHASES:g}pct",
                  why="activity of this group that the net moments do not ask for, at this moment of the cycle; electromyography of walking "
                      "stays within a few to 30 % of the maximum")
        for k in range(PHASES))


_KNEE_CENTRE = "inverse dynamics places the knee centre to about half a centimetre"

STAGES: Mapping[str, tuple[Parameter, ...]] = MappingProxyType({
    "joint": (
        _offset("adduction_offset_mm", ("adduction_offset_mm",), 5.0, 12.0, _KNEE_CENTRE),
        _offset("extension_offset_mm", ("extension_offset_mm",), 5.0, 12.0, _KNEE_CENTRE),
        Parameter(name="tissue_scale", constants=("tissue_scale",), generic=1.0, spread=0.5, low=0.0, high=3.0,
                  why="tightness of ligaments and capsule varies between knees and after surgery"),
        _arm("quadriceps_arm", "knee", _QUADRICEPS, 0.10, "standard deviation of the patellar tendon arm 7 to 10 % (doi 10.22038/abjs.2020.42551.2158)"),
    ),
    "habits": (
        _factor("steadiness", (MUSCLES + "moment_variation",), 0.1, 4.5, "for how much variation of the adduction moment this person braces"),
        _factor("stability", (MUSCLES + "stability",), 0.1, 2.0, "share of the buckling stiffness that this person keeps", spread=0.4),
        Parameter(name="evenness", constants=("difference_cost",), generic=0.0, spread=0.03, low=0.0, high=0.5,
                  why="how evenly this person loads the two sides: sparing each compartment rather than their sum costs about as much as the joint load"),
        _factor("joint_load_cost", (MUSCLES + "joint_load_cost",), 0.1, 20.0, "how much this person spares the joint"),
    ),
    "sharing": (
        _factor("gluteal_effort", _of("effort_scale", "gluteals"), 0.1, 10.0, "how readily hip extension is given to the gluteals, not the hamstrings"),
        _factor("soleus_effort", _of("effort_scale", "soleus"), 0.1, 10.0, "how readily ankle moments are given to the soleus, not the gastrocnemii"),
        _factor("lateral_gastrocnemius_effort", _of("effort_scale", "lateral_gastrocnemius"), 0.1, 10.0, "which head of the gastrocnemius this person prefers"),
        _factor("rectus_femoris_effort", _of("effort_scale", "rectus_femoris"), 0.1, 10.0, "how readily knee extension is given to the rectus femoris, not the vasti"),
    ),
    "arms": (
        _arm("hamstrings_arm", "knee", _HAMSTRINGS, 0.10, "between-person variation of muscle arms"),
        _arm("gastrocnemii_arm", "knee", _GASTROCNEMII, 0.15, "between-person variation of muscle arms; the path around the condyles"),
        _arm("achilles_arm", "ankle", (*_GASTROCNEMII, "soleus"), 0.12, "in vivo arms of 38 to 64 mm, SD 9 mm (Manal 2013, PMC3871454)"),
        _arm("tensor_fasciae_latae_arm", "knee", ("tensor_fasciae_latae",), 0.15, "between-person variation of muscle arms"),
    ),
    "lines": (
        _offset("contact_spacing_change_mm", ("contact_spacing_change_mm",), 2.0, 5.0, "where on the plateaus the condyles press"),
        _offset("contact_shift_mm", ("contact_shift_mm",), 3.0, 8.0, "where on the plateaus the condyles press, both sides together"),
        *(_offset(f"{group}_line_mm", _of("frontal_offset_mm", group), 4.0, 12.0, "between-person variation of the line of action in the frontal plane")
          for group in ("vasti", "rectus_femoris", "medial_gastrocnemius", "lateral_gastrocnemius")),
        _offset("hamstrings_line_mm", _of("frontal_offset_mm", *_HAMSTRINGS), 4.0, 12.0, "between-person variation of the line of action in the frontal plane"),
    ),
    "timing": (*_timing("quadriceps", _QUADRICEPS), *_timing("hamstrings", _HAMSTRINGS), *_timing("gastrocnemii", _GASTROCNEMII)),
    "strength": (
        *(_factor(f"{name}_strength", _of("strength_scale", *groups), 0.4, 2.5, "between-person variation of strength at the same size", spread=0.25)
          for name, groups in (("quadriceps", _QUADRICEPS), ("hamstrings", _HAMSTRINGS), ("gastrocnemii", _GASTROCNEMII))),
    ),
})
"""Parameters in the order in which a calibration adds them, from the joint to the timing of single groups."""


def parameters_of(stages: tuple[str, ...]) -> tuple[Parameter, ...]:
    """Return the parameters of some stages, in the order of `STAGES`."""
    return tuple(parameter for stage, some in STAGES.items() if stage in stages for parameter in some)


def constants_of(parameters: tuple[Parameter, ...], values: tuple[float, ...]) -> dict[str, float]:
    """Return constant -> value of parameters with these values (in their units)."""
    return {constant: value for parameter, value in zip(parameters, values, strict=True) for constant in parameter.constants}

