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
EFFORTS = ("energy", "volume", "activation")

# Slow (type I) fibres, % of all: Johnson 1973, doi 10.1016/0022-510X(73)90023-3, means of six men (superficial and deep sample averaged).
# Where that study has no sample, the neighbour with the same task is taken (medial hamstrings, gluteus medius and minimus) or 50 % (assumption).
_SLOW_FIBRES_PCT = {
    "soleus": 87.7, "tibant": 73.1, "gasmed": 50.8, "gaslat": 46.9, "perlong": 62.5, "perbrev": 62.5, "bflh": 66.9, "bfsh": 66.9, "semimem": 66.9,
    "semiten": 66.9, "vaslat": 42.4, "vasmed": 52.6, "vasint": 47.5, "recfem": 35.8, "sart": 49.6, "glmax1": 52.4, "glmax2": 52.4, "glmax3": 52.4,
    "iliacus": 49.2, "psoas": 49.2, "addmagDist": 58.4, "addmagIsch": 58.4, "addmagMid": 58.4, "addmagProx": 58.4,
}
_HEAT_SLOW_W_KG, _HEAT_FAST_W_KG = 25.0, 153.0  # activation and maintenance heat of slow and fast fibres, Umberger 2003, doi 10.1080/1025584031000091678


@dataclass(frozen=True, slots=True, kw_only=True)
class MuscleModel:
    """How the muscles share the load: least effort, a weighted sum of squared activations, under the constraints of `joint_loads`.

    Attributes:
        effort: weight of squared activation. "energy": muscle volume times the heat rate of its fibres, so that cost follows the energy that
            the tissue turns over and slow muscles (soleus) are cheaper than fast ones (gastrocnemius, rectus femoris); "volume": muscle volume
            (Happee 1994, doi 10.1016/0021-9290(94)90267-4); "activation": every muscle alike (the default of OpenSim).
        co_contraction: False switches `stability`, `steadiness` and `joint_load_cost` off (plain static optimisation; the muscles still may
            not let a compartment lift off).
        stability: no unit; knee stiffness kept by the muscles over the stiffness at which the loaded leg would buckle. 1 = the least that
            does not buckle. Assumption with the range 0.7 to 1.2: in quiet standing the stiffness of the ankle was measured as 0.91
            (SD 0.23) of its critical value (Loram and Lakie 2002, doi 10.1113/jphysiol.2002.025049).
        steadiness: no unit; how many standard deviations of the stride-to-stride variation of the adduction moment the compartments must
            survive without lift-off. 3.4 = at most one lift-off in the 3000 strides of a day.
        moment_variation: no unit; stride-to-stride standard deviation over the adduction moment. Measures of the adduction moment of healthy
            knees differ within a session by 10 to 18 % (mean absolute difference, Tan 2020, Gait Posture, n = 32); the middle over 1.13, the
            mean difference of two normal draws, is 0.125.
        joint_load_cost: no unit; cost of a force of one body weight in a compartment, squared like activation, against one muscle of mean cost
            fully active: people spare the joint, and its more loaded side most, not the muscles alone (contact forces in the cost:
            Moissenet 2014, J Biomech 47:50, and DeMers 2014, J Orthop Res 32:769, both cited from memory). The value brings the walking peak
            of the default person to the 2.61 body weights of five instrumented knees (Kutzner 2010); range 0 to 0.06.
        strength_scale: no unit; maximal forces over those expected of the person's size.
        force_length: True lets strength fall off the optimal fibre length (rigid tendon).
    """

    effort: str = "energy"
    co_contraction: bool = True
    stability: float = 1.0
    steadiness: float = 3.4
    moment_variation: float = 0.125
    joint_load_cost: float = 0.025
    strength_scale: float = 1.0
    force_length: bool = True

    def __post_init__(self) -> None:
        check_choice("muscle effort", self.effort, EFFORTS, where="muscles.effort", why="these costs are implemented")
        for name in ("co_contraction", "force_length"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(name.replace("_", " "), where=f"muscles.{name}", got=getattr(self, name), allowed="true or false",
                                 why="it is a switch")
        check_range("stability", self.stability, 0.0, 2.0, "", where="muscles.stability",
                    why="it is a share of the stiffness at which the leg would buckle, and nobody stands twice as stiff")
        check_range("steadiness", self.steadiness, 0.0, 6.0, "", where="muscles.steadiness",
                    why="it counts standard deviations of stride-to-stride variation")
        check_range("moment variation", self.moment_variation, 0.0, 0.5, "", where="muscles.moment_variation",
                    why="no gait varies more from stride to stride")
        check_range("joint load cost", self.joint_load_cost, 0.0, 1.0, "", where="muscles.joint_load_cost",
                    why="above it the muscles would be driven by the joint alone")
        check_range("strength scale", self.strength_scale, 0.1, 3.0, "", where="muscles.strength_scale",
                    why="outside it the person is not one that strength studies have measured")

    def critical_share(self) -> float:
        """Share of the critical stiffness that the muscles must keep, no unit."""
        return self.stability if self.co_contraction else 0.0

    def joint_cost(self) -> float:
        """Cost of the squared force of each compartment in body weights, no unit."""
        return self.joint_load_cost if self.co_contraction else 0.0

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
    factor = np.empty_like(geometry.length)
    factor[:] = np.cos(geometry.pennation)
    known = ~np.isnan(geometry.length[0])  # a length is tabulated for all frames or for none
    optimal = geometry.optimal_fiber_length[known]
    along = np.maximum(geometry.length[:, known] - geometry.tendon_slack_length[known], 0.0)
    fiber = np.sqrt(along**2 + (optimal * np.sin(geometry.pennation[known])) ** 2)
    curve = np.exp(((fiber / optimal - 1.0) ** 2) / -FORCE_LENGTH_WIDTH)
    factor[:, known] = np.maximum(curve * along / np.maximum(fiber, 1e-9), LEAST_LENGTH_FACTOR)
    return factor


def capacity(geometry: MuscleGeometry, subject: Subject, model: MuscleModel) -> NDArray[Any]:
    """Largest active force of each muscle in each frame, (T, n) N."""
    strength = geometry.max_isometric_force * strength_scale(subject) * model.strength_scale
    if not model.force_length:
        return np.broadcast_to(strength * np.cos(geometry.pennation), geometry.length.shape).copy()
    return strength * active_force_factor(geometry)


def heat_rate_w_kg(names: tuple[str, ...]) -> NDArray[np.float64]:
    """Heat of activation and maintenance of fully active muscle, (n,) W/kg: slow and fast fibres in the shares of Johnson 1973."""
    slow = np.array([_SLOW_FIBRES_PCT.get(name, 50.0) for name in names]) / 100.0
    return slow * _HEAT_SLOW_W_KG + (1.0 - slow) * _HEAT_FAST_W_KG


def effort_weights(geometry: MuscleGeometry, model: MuscleModel) -> NDArray[np.float64]:
    """Cost of squared activation, (n,) no unit; a muscle of the mean volume (and half slow fibres) has about 1."""
    if model.effort == "activation":
        return np.ones(len(geometry.names))
    volume = geometry.max_isometric_force * geometry.optimal_fiber_length
    weight = volume / volume.mean()
    return weight * heat_rate_w_kg(geometry.names) / (0.5 * (_HEAT_SLOW_W_KG + _HEAT_FAST_W_KG)) if model.effort == "energy" else weight
