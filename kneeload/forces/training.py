"""What training changes in the muscles of a person: stronger groups, and a calf that works with less gastrocnemius."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import check_range
from kneeload.forces.muscle_geometry import QUADRICEPS

Array = NDArray[np.float64]
GASTROCNEMIUS = ("gasmed", "gaslat")
HIP_ABDUCTORS_EXTENSORS = ("glmed", "glmin", "glmax", "tfl")  # what hip programmes train, by the beginning of the names
HAMSTRINGS = ("bflh", "bfsh", "semimem", "semiten")
GROUPS: dict[str, tuple[str, ...]] = {"quadriceps": QUADRICEPS, "hip": HIP_ABDUCTORS_EXTENSORS, "hamstrings": HAMSTRINGS}
TRAINED_ACTIVITIES = ("walking", "recorded")  # what the retraining was practised and measured in
SIZE_SHARE = 0.25
"""Part of a gain in strength that is muscle size, no unit; the rest is drive. Quadriceps volume rose by 4 to 7 % in 12 weeks of training of
older men (PMC7807501) while strength usually rises by 20 to 30 % (as commonly cited, not read). Assumption, range 0.1 to 0.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Effects of training on strength and recruitment.

    Attributes:
        quadriceps, hip, hamstrings: gain of the largest force of the group, no unit (0.2 = 20 % stronger).
        size_share: part of that gain that is muscle volume, no unit.
        gastrocnemius_less: part of its usual force that the gastrocnemius leaves to other muscles, no unit.
        response_sd: between-person standard deviation of `gastrocnemius_less` over its mean, no unit.
        response_z: this person in those standard deviations from the mean.
    """

    quadriceps: float = 0.0
    hip: float = 0.0
    hamstrings: float = 0.0
    size_share: float = SIZE_SHARE
    gastrocnemius_less: float = 0.0
    response_sd: float = 0.6
    response_z: float = 0.0

    def __post_init__(self) -> None:
        for name in GROUPS:
            check_range(f"gain of strength of the {name}", getattr(self, name), -0.5, 1.0, "", where=f"training.{name}", why="months of training do not double strength")
        check_range("share of size", self.size_share, 0.0, 1.0, "", where="training.size_share", why="it is a part of the gain")
        check_range("less gastrocnemius", self.gastrocnemius_less, 0.0, 1.0, "", where="training.gastrocnemius_less", why="it is a part of the muscle's usual force")
        check_range("spread of the response", self.response_sd, 0.0, 2.0, "", where="training.response_sd", why="it is relative to the mean")
        check_range("response", self.response_z, -5.0, 5.0, "", where="training.response_z", why="nobody lies further from the mean")

    def gain(self, names: tuple[str, ...]) -> Array:
        """Gain of strength of each muscle, (n,) no unit."""
        return np.array([sum(getattr(self, group) for group, starts in GROUPS.items() if name.startswith(starts)) for name in names], dtype=float)

    def capacity_factor(self, names: tuple[str, ...]) -> Array:
        """Factor on the largest force of each muscle, (n,) no unit."""
        return 1.0 + self.gain(names)

    def effort_factor(self, names: tuple[str, ...]) -> Array:
        """Factor on the cost of squared activation, (n,) no unit.

        A gain k of strength is a gain v = 1 + s (k - 1) of volume and a gain n = k / v of drive. Cost follows the tissue: it grows with volume, and drive
        alone makes no newton cheaper, for activation counts against the largest voluntary force. So the factor is v n^2 and the cost of a
        force F is w F^2 / (v C^2), where C was the strength: cheaper only by the volume that it is spread over.
        """
        strength = self.capacity_factor(names)
        volume = 1.0 + self.size_share * (strength - 1.0)
        drive = strength / volume
        return volume * drive**2

    def less_gastrocnemius(self, activity: str) -> float:
        """Part of the usual force that the gastrocnemius gives up in this activity, no unit."""
        if activity not in TRAINED_ACTIVITIES:
            return 0.0
        return float(np.clip(self.gastrocnemius_less * (1.0 + self.response_sd * self.response_z), 0.0, 1.0))
