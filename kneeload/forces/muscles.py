"""Muscle strength and the settings of recruitment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError, check_choice, check_range
from kneeload.forces.muscle_geometry import SOURCE_HEIGHT_M, SOURCE_MASS_KG, MuscleGeometry
from kneeload.subject.person import Subject

FORCE_LENGTH_WIDTH = 0.45  # gamma of the active force-length curve, Thelen 2003, doi 10.1115/1.1531112
LEAST_LENGTH_FACTOR = 0.05  # a fibre outside its working range keeps this share, so that no column vanishes (numerical guard)
EFFORTS = ("activation", "volume")


@dataclass(frozen=True, slots=True, kw_only=True)
class MuscleModel:
    """How the muscles share the load: least effort, a weighted sum of squared activations, under the constraints of `joint_loads`.

    Attributes:
        effort: "volume" weighs squared activation by muscle volume, so that synergists of one fibre length are activated alike and cost
            follows the tissue that works (Happee 1994, doi 10.1016/0021-9290(94)90267-4; Ackermann and van den Bogert 2010,
            doi 10.1016/j.jbiomech.2009.12.012); "activation" weighs every muscle alike (OpenSim's default).
            The default was chosen after both had been seen on the instrumented strides, so agreement with those strides is not blind.
        co_contraction: False switches `least_activation` and `steadiness` off (plain static optimisation; muscles still may not
            let a compartment lift off).
        least_activation: no unit; activity of a muscle that is not needed while the leg bears one body weight; it is in proportion to the
            load on the leg, since a loaded joint is stiffened and a swinging one is not. Surface electromyography of walking rarely
            falls below 1 to 3 % of the maximum, an upper bound, since it holds noise and cross-talk. Assumption 0.005, range 0 to 0.02
            (each 0.005 adds about 0.06 body weights to the peak in walking; 0, 0.005, 0.01 and 0.02 were compared before 0.005 was taken).
        steadiness: no unit; how many standard deviations of the stride-to-stride variation of the adduction moment the
            compartments must survive without lift-off. 2 = 95 % of strides.
        moment_variation: no unit; stride-to-stride standard deviation over the adduction moment. Assumption 0.10, range 0.05 to
            0.15 (within-session coefficients of variation of peak adduction moments reported for walking).
        strength_scale: no unit; maximal forces over those expected of the person's size.
        force_length: True lets strength fall off the optimal fibre length (rigid tendon).
    """

    effort: str = "volume"
    co_contraction: bool = True
    least_activation: float = 0.005
    steadiness: float = 2.0
    moment_variation: float = 0.10
    strength_scale: float = 1.0
    force_length: bool = True

    def __post_init__(self) -> None:
        check_choice("muscle effort", self.effort, EFFORTS, where="muscles.effort", why="these costs are implemented")
        for name in ("co_contraction", "force_length"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(name.replace("_", " "), where=f"muscles.{name}", got=getattr(self, name), allowed="true or false",
                                 why="it is a switch")
        check_range("least activation", self.least_activation, 0.0, 0.2, "", where="muscles.least_activation",
                    why="electromyography of walking rarely stays above 20 % of the maximum")
        check_range("steadiness", self.steadiness, 0.0, 4.0, "", where="muscles.steadiness",
                    why="it counts standard deviations of stride-to-stride variation")
        check_range("moment variation", self.moment_variation, 0.0, 0.5, "", where="muscles.moment_variation",
                    why="no gait varies more from stride to stride")
        check_range("strength scale", self.strength_scale, 0.1, 3.0, "", where="muscles.strength_scale",
                    why="outside it the person is not one that strength studies have measured")

    def activation_floor(self, net_axial_force: NDArray[np.float64], body_weight_n: float) -> NDArray[np.float64]:
        """Least activation in each frame, (T,) no unit; `net_axial_force` (T,) N, compression positive, `body_weight_n` N."""
        least = self.least_activation if self.co_contraction else 0.0
        return least * np.maximum(net_axial_force / body_weight_n, 0.0)

    @property
    def margin(self) -> float:
        """Share of the adduction moment that a compartment must be able to lose without lift-off, no unit."""
        return self.steadiness * self.moment_variation if self.co_contraction else 0.0


def size_scale(subject: Subject) -> float:
    """Length of this person's muscles and moment arms over those of the source subject, no unit: ratio of heights."""
    return subject.height_m / SOURCE_HEIGHT_M


def strength_scale(subject: Subject) -> float:
    """Maximal isometric force over that of the source subject, no unit.

    Muscle volume grows in proportion to mass times height (Handsfield 2014, doi 10.1016/j.jbiomech.2013.12.002, 35 muscles), fibre
    length with height, so force (volume over length) grows with mass.
    """
    return subject.body_mass_kg / SOURCE_MASS_KG


def active_force_factor(geometry: MuscleGeometry) -> NDArray[Any]:
    """Force along the tendon at full activation over maximal isometric force, (T, n) no unit.

    The tendon is rigid, the thickness of the muscle constant (l sin(alpha) stays), and the active force-length curve is
    exp(-(l - 1)^2 / 0.45) with l in optimal fibre lengths (Thelen 2003). Passive fibre force and force-velocity are left out. Muscles
    without a tabulated length (those that do not cross the knee) count as at their optimum.
    """
    width = geometry.optimal_fiber_length * np.sin(geometry.pennation)
    along = np.maximum(geometry.length - geometry.tendon_slack_length, 0.0)
    fiber = np.hypot(along, width)
    curve = np.exp(-((fiber / geometry.optimal_fiber_length - 1.0) ** 2) / FORCE_LENGTH_WIDTH)
    factor = np.maximum(curve * along / np.maximum(fiber, 1e-9), LEAST_LENGTH_FACTOR)
    return np.where(np.isnan(geometry.length), np.cos(geometry.pennation), factor)


def capacity(geometry: MuscleGeometry, subject: Subject, model: MuscleModel) -> NDArray[Any]:
    """Largest active force of each muscle in each frame, (T, n) N."""
    strength = geometry.max_isometric_force * strength_scale(subject) * model.strength_scale
    if not model.force_length:
        return np.broadcast_to(strength * np.cos(geometry.pennation), geometry.length.shape).copy()
    return strength * active_force_factor(geometry)


def effort_weights(geometry: MuscleGeometry, model: MuscleModel) -> NDArray[np.float64]:
    """Cost of squared activation, (n,) no unit, mean 1."""
    if model.effort == "activation":
        return np.ones(len(geometry.names))
    volume = geometry.max_isometric_force * geometry.optimal_fiber_length
    return volume / volume.mean()
