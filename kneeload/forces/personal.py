"""What differs between one person's knee and the generic one of the same size: constants that a calibration finds.

A `PersonalGeometry` holds changes only: with nothing set, `joint_loads` gives the generic prediction bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError, check_choice, check_range
from kneeload.motion.motion import Motion

Array = NDArray[np.float64]

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "vasti": ("vasint", "vaslat", "vasmed"),
    "rectus_femoris": ("recfem",),
    "medial_hamstrings": ("semimem", "semiten"),
    "lateral_hamstrings": ("bflh", "bfsh"),
    "medial_gastrocnemius": ("gasmed",),
    "lateral_gastrocnemius": ("gaslat",),
    "tensor_fasciae_latae": ("tfl",),
    "gracilis_sartorius": ("grac", "sart"),
    "soleus": ("soleus",),
    "iliopsoas": ("iliacus", "psoas"),
    "gluteals": ("glmax1", "glmax2", "glmax3", "glmed1", "glmed2", "glmed3", "glmin1", "glmin2", "glmin3", "piri"),
    "adductors": ("addbrev", "addlong", "addmagDist", "addmagIsch", "addmagMid", "addmagProx"),
})
"""Muscles that share a personal constant: they run together, or electromyography cannot tell them apart."""

_SCALES = {"strength_scale": (0.1, 10.0), "knee_arm_scale": (0.3, 3.0), "hip_arm_scale": (0.3, 3.0), "ankle_arm_scale": (0.3, 3.0),
           "effort_scale": (0.01, 100.0)}
_SHARES = {"least_activation": (0.0, 1.0), "idle_activation": (0.0, 1.0)}
_OFFSETS = {"frontal_offset_mm": (-60.0, 60.0)}
_BY_GROUP = {**_SCALES, **_SHARES, **_OFFSETS}
_SINGLE = {"tissue_scale": (0.0, 10.0), "difference_cost": (0.0, 1.0), "contact_spacing_change_mm": (-20.0, 20.0),
           "contact_shift_mm": (-20.0, 20.0),
           "adduction_offset_mm": (-40.0, 40.0), "extension_offset_mm": (-40.0, 40.0)}


V = TypeVar("V", float, tuple[float, ...])


class PerGroup(Mapping[str, V]):
    """Values keyed by muscle group in the order of `GROUPS`: a mapping that cannot be changed, can be hashed and sent to other processes."""

    __slots__ = ("_pairs",)

    def __init__(self, values: Mapping[str, V] | None = None) -> None:
        self._pairs: tuple[tuple[str, V], ...] = tuple((group, values[group]) for group in GROUPS if group in values) if values else ()

    def __getitem__(self, group: str) -> V:
        return dict(self._pairs)[group]

    def __iter__(self) -> Iterator[str]:
        return (group for group, _ in self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        return hash(self._pairs)

    def __repr__(self) -> str:
        return repr(dict(self._pairs))


_NOTHING: PerGroup[float] = PerGroup()
_NO_PHASES: PerGroup[tuple[float, ...]] = PerGroup()
PHASES = 8
"""Equal parts of the gait cycle at whose beginnings `cycle_activation` is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalGeometry:
    """A person's constants, as changes of the generic knee of that person's size. Group entries are keyed by `GROUPS`.

    Attributes:
        strength_scale: group -> maximal force over the generic one, no unit.
        knee_arm_scale: group -> extension (or flexion) moment arm at the knee over the generic one, no unit. For the quadriceps it scales
            the effective arm of the whole mechanism, patellar tendon and quadriceps alike, so the same moment takes less tendon force.
        hip_arm_scale, ankle_arm_scale: group -> the same at hip and ankle, no unit.
        frontal_offset_mm: group -> shift of the line of action at the knee, mm, positive lateral.
        effort_scale: group -> cost of squared activation over the generic cost, no unit; below 1 the person prefers this group.
        least_activation: group -> activation never fallen short of while the leg bears one body weight, added to the generic floor and
            in proportion to the load on the leg, no unit.
        idle_activation: group -> activation never fallen short of at any load, added likewise, no unit.
        cycle_activation: group -> (8,) activation never fallen short of at 0, 12.5, ... 87.5 % of the gait cycle from heel strike, straight
            and periodic between, added likewise, no unit. Only cycles of gait have it, see `gait_cycle`.
        tissue_scale: tension of ligaments and capsule in the unloaded knee over the generic one, no unit.
        difference_cost: cost of the squared difference between medial and lateral force in body weights, against one muscle of mean cost
            fully active, no unit. The more it is, the more evenly this person loads the two sides.
        contact_spacing_change_mm: distance between the contact centres less the one assumed, mm.
        contact_shift_mm: shift of both contact centres, mm, positive lateral.
        adduction_offset_mm: how far the true knee centre lies lateral of the one of inverse dynamics, mm; the net axial force times it
            adds to the external adduction moment.
        extension_offset_mm: how far it lies in front of that one, mm; the net axial force times it adds to the internal extension moment.
    """

    strength_scale: Mapping[str, float] = _NOTHING
    knee_arm_scale: Mapping[str, float] = _NOTHING
    hip_arm_scale: Mapping[str, float] = _NOTHING
    ankle_arm_scale: Mapping[str, float] = _NOTHING
    frontal_offset_mm: Mapping[str, float] = _NOTHING
    effort_scale: Mapping[str, float] = _NOTHING
    least_activation: Mapping[str, float] = _NOTHING
    idle_activation: Mapping[str, float] = _NOTHING
    cycle_activation: Mapping[str, tuple[float, ...]] = _NO_PHASES
    tissue_scale: float = 1.0
    difference_cost: float = 0.0
    contact_spacing_change_mm: float = 0.0
    contact_shift_mm: float = 0.0
    adduction_offset_mm: float = 0.0
    extension_offset_mm: float = 0.0

    def __post_init__(self) -> None:
        for name in (*_BY_GROUP, "cycle_activation"):
            values = getattr(self, name)
            if not isinstance(values, Mapping):
                raise InputError(name.replace("_", " "), where=f"calibration.{name}", got=values, allowed="a mapping from muscle group to number",
                                 why="each group has its own constant")
            for group in values:
                check_choice("muscle group", group, tuple(GROUPS), where=f"calibration.{name}", why="these muscles share a constant")
        for name, (low, high) in _BY_GROUP.items():
            checked = {group: _check(f"{name}.{group}", value, low, high) for group, value in getattr(self, name).items()}
            object.__setattr__(self, name, PerGroup(checked))
        phases = {group: _check_phases(group, values) for group, values in self.cycle_activation.items()}
        object.__setattr__(self, "cycle_activation", PerGroup(phases))
        for name, (low, high) in _SINGLE.items():
            object.__setattr__(self, name, _check(name, getattr(self, name), low, high))

    def is_generic(self) -> bool:
        """Whether nothing differs from the generic knee."""
        return self == PersonalGeometry()

    def factor(self, name: str, muscles: tuple[str, ...]) -> Array:
        """Return one of the `..._scale` constants per muscle, (n,) no unit; 1 where nothing is set."""
        return _spread(getattr(self, name), muscles, 1.0)

    def line_of_action(self, muscles: tuple[str, ...], force: Array, moment: Array) -> Array:
        """Return the moments after the shift of the lines of action.

        Args:
            muscles: names of the n columns.
            force: (T, n, 3) no unit, tibia frame; force on the tibia per newton.
            moment: (T, n, 3) mm, tibia frame; its moment about the tibia origin.

        Returns:
            (T, n, 3) mm; a shift d along z adds (0, 0, d) x force.
        """
        shift = _spread(self.frontal_offset_mm, muscles, 0.0)
        if not shift.any():
            return moment
        moved = moment.copy()
        moved[:, :, 0] -= shift * force[:, :, 1]
        moved[:, :, 1] += shift * force[:, :, 0]
        return moved

    def contact_centres(self, medial: Array, lateral: Array) -> tuple[Array, Array]:
        """Return z of the medial and lateral contact centre of this person, each (T,) mm, from the generic ones, each (T,) mm."""
        half = 0.5 * self.contact_spacing_change_mm
        return medial + (self.contact_shift_mm - half), lateral + (self.contact_shift_mm + half)

    def adduction_moment(self, moment: Array, axial: Array) -> Array:
        """Return the external adduction moment about this person's knee centre, (T,) N mm, from the moment (N mm) and the axial force (N), (T,)."""
        return moment + self.adduction_offset_mm * axial

    def extension_moment(self, moment: Array, axial: Array) -> Array:
        """Return the internal extension moment about this person's knee centre, (T,) N mm, from the moment (N mm) and the axial force (N), (T,)."""
        return moment + self.extension_offset_mm * axial

    def activation_floor(self, generic: Array, muscles: tuple[str, ...], motion: Motion, body_weight_n: float) -> Array:
        """Return the least activation, (T, n) no unit.

        Args:
            generic: (T,) or (T, n) no unit, least activation of the generic knee.
            muscles: names of the n columns.
            motion: T frames; its net axial force is the load on the leg.
            body_weight_n: N.
        """
        floor = (generic[:, None] if generic.ndim == 1 else generic) + _spread(self.idle_activation, muscles, 0.0)
        load = np.maximum(motion.net_axial_force / body_weight_n, 0.0)
        floor = floor + load[:, None] * _spread(self.least_activation, muscles, 0.0)
        cycle = gait_cycle(motion)
        if cycle is not None:
            for group, values in self.cycle_activation.items():
                curve = np.interp(cycle * PHASES, np.arange(PHASES + 1), [*values, values[0]])
                floor[:, [muscle in GROUPS[group] for muscle in muscles]] += curve[:, None]
        return np.minimum(floor, 1.0)

    def constants(self) -> dict[str, float]:
        """Return what differs, by name ("knee_arm_scale.vasti") and value, in the units of the names."""
        generic = PersonalGeometry()
        found = {f"{name}.{group}": value for name in _BY_GROUP for group, value in getattr(self, name).items()}
        found |= {f"cycle_activation.{group}.{k}": value for group, values in self.cycle_activation.items() for k, value in enumerate(values)}
        return found | {name: getattr(self, name) for name in _SINGLE if getattr(self, name) != getattr(generic, name)}


def gait_cycle(motion: Motion) -> Array | None:
    """Return the share of the gait cycle since heel strike, (T,) no unit, or None for a motion that is no cycle of gait.

    Walking is one, and so is a recording that begins with the foot on the ground and first leaves it between 45 and 80 % of its time
    (about 60 % in normal gait).
    """
    airborne = np.flatnonzero(~motion.stance)
    share = (motion.time - motion.time[0]) / max(float(motion.time[-1] - motion.time[0]), 1e-9)  # a single frame has no duration
    recorded = motion.activity == "recorded" and len(airborne) > 0 and 0.45 <= share[airborne[0]] <= 0.80
    return share if motion.activity == "walking" or recorded else None


def personal_geometry(constants: Mapping[str, float]) -> PersonalGeometry:
    """Return the geometry with these constants (the inverse of `PersonalGeometry.constants`).

    Raises:
        InputError: a name that is none of its constants, or a value out of range.
    """
    values: dict[str, Any] = {}
    for key, value in constants.items():
        name, _, group = key.partition(".")
        group, _, phase = group.partition(".")
        if name in _SINGLE and not group:
            values[name] = value
        elif name in _BY_GROUP and group and not phase:
            values.setdefault(name, {})[group] = value
        elif name == "cycle_activation" and phase in _PHASE_NAMES:
            phases = values.setdefault(name, {}).setdefault(group, [0.0] * PHASES)
            phases[int(phase)] = value
        else:
            raise InputError("personal constant", where="calibration", got=key, allowed="one of " + ", ".join(item.name for item in fields(PersonalGeometry))
                             + " (with .group where it belongs to muscles)", why="a knee has no other personal constant")
    return PersonalGeometry(**values)


_PHASE_NAMES = tuple(str(k) for k in range(PHASES))


def _check(name: str, value: Any, low: float, high: float) -> float:
    unit = "mm" if name.partition(".")[0].endswith("_mm") else ""
    return check_range(name.replace("_", " "), value, low, high, unit, where=f"calibration.{name}", why="no knee is further from the generic one")


def _check_phases(group: str, values: Any) -> tuple[float, ...]:
    if not isinstance(values, list | tuple) or len(values) != PHASES:
        raise InputError("cycle activation", where=f"calibration.cycle_activation.{group}", got=values, allowed=f"{PHASES} numbers", why="the cycle has so many phases")
    return tuple(_check(f"cycle_activation.{group}", value, 0.0, 1.0) for value in values)


def _spread(values: Mapping[str, float], muscles: tuple[str, ...], otherwise: float) -> Array:
    """Constants per group as one number per muscle, (n,)."""
    if not values:
        return np.full(len(muscles), otherwise)
    found = {muscle: value for group, value in values.items() for muscle in GROUPS[group]}
    return np.array([found.get(muscle, otherwise) for muscle in muscles])
