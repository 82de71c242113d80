"""What the model does not know about itself: a prior for each of its own parameters, with a source or an assumption, and how it enters a case."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kneeload.calibration.person import Calibration, PersonalConstants
from kneeload.case import Case
from kneeload.errors import InputError, check_choice, check_range
from kneeload.forces.personal import PersonalGeometry
from kneeload.population.distribution import SOURCES, Marginal
from kneeload.subject.person import CartilageThicknessScale

Array = NDArray[np.float64]
SHAPES: tuple[str, ...] = ("uniform", "log_uniform", "normal", "lognormal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """What is known about one parameter before anything is computed.

    Attributes:
        name: of the parameter, with its unit.
        words: of the parameter, for pictures.
        unit: "MPa", or "" for none.
        shape: "uniform" or "log_uniform" from low to high, or "normal" or "lognormal", cut off there.
        low, high: ends, in the unit of the parameter.
        mean, sd: of a normal or lognormal prior before it is cut off (the others take no notice), same unit.
        part: of the model that has it: "muscles", "person", "contact", "bone" or "lesion". The last three need contact.
        own: True if it is this person's own, False if it is the model's, so that the reference person of the risks has the same value.
        source: of the numbers, or the assumption.
    """

    name: str
    words: str
    low: float
    high: float
    part: Literal["muscles", "person", "contact", "bone", "lesion"]
    source: str
    unit: str = ""
    shape: str = "uniform"
    mean: float = 1.0
    sd: float = 1.0
    own: bool = False

    def __post_init__(self) -> None:
        where = f"prior.{self.name}"
        check_choice("shape", self.shape, SHAPES, where=where, why="these are known")
        for name in ("low", "high"):
            check_range(f"{name} end of the prior", getattr(self, name), -1e6, 1e6, self.unit, where=where, why="it is an end of what the parameter can be")
        if not self.low < self.high or (self.shape == "log_uniform" and self.low <= 0.0):
            raise InputError("prior", where=where, got=f"{self.low:g}:{self.high:g}", allowed="two numbers in order, above 0 where they are drawn by their logarithm",
                             why="nothing could be drawn from it")
        if self.shape in ("normal", "lognormal"):
            self._marginal().check(where)

    def value(self, u: Array) -> Array:
        """Quantiles (n,) in the unit of the parameter, of probabilities u (n,) no unit."""
        if self.shape == "uniform":
            return np.asarray(self.low + (self.high - self.low) * u)
        if self.shape == "log_uniform":
            return np.asarray(self.low * (self.high / self.low) ** u)
        return self._marginal().value(u)

    def _marginal(self) -> Marginal:
        return Marginal(mean=self.mean, sd=self.sd, low=self.low, high=self.high, shape="normal" if self.shape == "normal" else "lognormal")


_ARMS = ("assumption: SD 10 % (range 5 to 15 %) between people of one size about the generic model of Rajagopal 2016 (doi 10.1109/TBME.2016.2586891), "
         "which is scaled by height alone")
PRIORS: tuple[Prior, ...] = (  # those that leave the surfaces and springs of a knee as they are come first: neighbours that share these are fast
    Prior(name="strength_factor", words="muscle strength", low=0.6, high=1.6, shape="lognormal", mean=1.0, sd=0.2, part="muscles",
          source="assumption: SD 20 % (range 15 to 30 %) about what mass tells; sex, age and pain are not in the model"),
    Prior(name="joint_load_cost", words="how much muscles spare the joint", low=0.0, high=0.06, part="muscles",
          source="the range in kneeload.forces.muscles.MuscleModel; 0.025 meets the walking peak of five instrumented knees (Kutzner 2010)"),
    Prior(name="stability", words="joint stiffness kept by muscles", low=0.7, high=1.2, part="muscles",
          source="the range in kneeload.forces.muscles.MuscleModel, after Loram and Lakie 2002 (doi 10.1113/jphysiol.2002.025049): 0.91 (SD 0.23)"),
    Prior(name="moment_variation", words="stride-to-stride variation", low=0.088, high=0.16, part="muscles",
          source="adduction moments within a session differ by 10 to 18 % (Tan 2020, Gait Posture), over 1.13"),
    Prior(name="quadriceps_arm_scale", words="quadriceps moment arm", low=0.7, high=1.3, shape="normal", mean=1.0, sd=0.1, part="muscles", own=True, source=_ARMS),
    Prior(name="hamstrings_arm_scale", words="hamstrings moment arm", low=0.7, high=1.3, shape="normal", mean=1.0, sd=0.1, part="muscles", own=True, source=_ARMS),
    Prior(name="gastrocnemius_arm_scale", words="gastrocnemius moment arm", low=0.7, high=1.3, shape="normal", mean=1.0, sd=0.1, part="muscles", own=True, source=_ARMS),
    Prior(name="brace_response_z", words="response to the brace", low=-2.0, high=2.0, shape="normal", mean=0.0, sd=1.0, part="muscles", own=True, unit="SD",
          source="by definition; the SD of the moment is kneeload.forces.brace.RESPONSE_SD, 0.5 of it (assumption, 0.3 to 0.8)"),
    Prior(name="incidence_per_year", words="baseline hazard of a lesion", low=0.05, high=0.13, shape="lognormal", mean=0.0822, sd=0.0128, part="lesion", unit="1/year",
          source="95 % interval 0.060 to 0.110 in kneeload.lesion.model.LesionModel: three cohorts"),
    Prior(name="transfer", words="effect of stress applied", low=0.2, high=1.0, part="lesion", source="assumption in kneeload.lesion.model.LesionModel"),
    Prior(name="mean_stress_or", words="odds ratio per SD of mean stress", low=1.7, high=26.0, shape="lognormal", mean=7.43, sd=3.62, part="lesion",
          source="6.6 (95 % interval 2.7 to 16.5), PMC3427397"),
    Prior(name="share_by_stress", words="share that follows stress", low=0.0, high=1.0, part="lesion", source="assumption in kneeload.lesion.model.LesionModel: none to all"),
    Prior(name="stimulus_exponent", words="weight of stress size in the stimulus", low=3.0, high=8.0, part="bone",
          source="usual values 3 to 8 (Whalen, Carter and Steele 1988, J Biomech 21:825)"),
    Prior(name="stimulus_depth_mm", words="depth of the stimulus", low=1.0, high=10.0, shape="log_uniform", part="bone", unit="mm", source="assumption in kneeload.bone.model.BoneModel: 1 to 10 mm"),
    Prior(name="cartilage_youngs_modulus_mpa", words="cartilage modulus E", low=5.0, high=15.0, part="contact", unit="MPa",
          source="released versions of the source knee in OpenSim-JAM: 10, others 5, so 5 to 15 (Lenhart 2015, Smith 2019)"),
    Prior(name="cartilage_poisson_ratio", words="cartilage Poisson's ratio", low=0.42, high=0.47, part="contact",
          source="assumption about 0.45 (OpenSim-JAM); the layer factor was found at 0.45, and the confined modulus grows without bound towards 0.5"),
    Prior(name="meniscus_youngs_modulus_mpa", words="meniscus modulus E", low=15.0, high=25.0, part="contact", unit="MPa", source="20, range 15 to 25 (Donahue 2002, doi 10.1115/1.1470171)"),
    Prior(name="meniscus_circumferential_modulus_mpa", words="meniscus modulus along fibres", low=50.0, high=300.0, shape="log_uniform", part="contact", unit="MPa",
          source="140, range 50 to 300 (Donahue 2002, doi 10.1115/1.1470171)"),
    Prior(name="meniscus_toe", words="stiffness of the unloaded meniscus", low=0.02, high=0.25, shape="log_uniform", part="contact",
          source="assumption in kneeload.contact.model.ContactModel, after Chia and Hull 2008 (doi 10.1002/jor.20573)"),
    Prior(name="cartilage_thickness_factor", words="cartilage thickness", low=0.6, high=1.5, shape="lognormal", mean=1.0, sd=0.14, part="person", own=True, source=SOURCES["thickness_scale"]),
)
"""The default priors, independent of each other (assumption: nothing is published on how they go together). A "..._factor" multiplies what the case has;
every other one takes the place of the case's setting."""
PARTS_WITH_CONTACT = ("person", "contact", "bone", "lesion")
BRACE = "brace_response_z"
_SET = "the calibration has set this person's muscles and moment arms, and holds only with the settings it was fitted with"
_GIVEN = ("shape", "low", "high", "mean", "sd", "source")


def changed_priors(changes: Mapping[str, Mapping[str, Any]], where: str = "uncertainty.priors") -> tuple[Prior, ...]:
    """Return the default priors with changes: parameter -> any of shape, low, high, mean, sd and source.

    Without a source of its own a changed prior has the source "given". Mean and standard deviation count for "normal" and "lognormal" alone.

    Raises:
        InputError: a parameter or a setting that there is not, or a prior from which nothing can be drawn.
    """
    known = {item.name: item for item in PRIORS}
    for name, values in changes.items():
        check_choice("parameter", name, tuple(known), where=where, why="these have a prior")
        if not isinstance(values, Mapping):
            raise InputError("prior", where=f"{where}.{name}", got=values, allowed="a mapping of " + ", ".join(_GIVEN), why="these describe it")
        for key in values:
            check_choice("setting", key, _GIVEN, where=f"{where}.{name}", why="a prior has these")
        known[name] = _changed(known[name], dict(values), f"{where}.{name}")
    return tuple(known.values())


def _changed(prior: Prior, values: dict[str, Any], where: str) -> Prior:
    with_mean = values.get("shape", prior.shape) in ("normal", "lognormal")
    if with_mean and prior.shape not in ("normal", "lognormal") and not {"mean", "sd"} <= set(values):
        raise InputError("prior", where=where, got=", ".join(values), allowed="a shape with mean and sd", why="it was even between its ends before")
    for key in ("mean", "sd"):
        if not with_mean:
            values.pop(key, None)
    drawn = {key: value for key, value in values.items() if key != "source" and value != getattr(prior, key)}
    return replace(prior, **{"source": "given", **values}) if drawn else prior


def priors_for(case: Case, *, only: Sequence[str] = (), known: Sequence[Prior] = PRIORS) -> tuple[Prior, ...]:
    """Return the priors of the parameters that this case has, those that are asked for.

    Args:
        case: whose model; without contact it has neither cartilage nor bone, without a brace no response to one, and a calibrated person's muscles
            and moment arms are what they were fitted as.
        only: names; empty = all.
        known: the priors to choose from.

    Raises:
        InputError: a name that there is not, or that this case has no use for, or nothing is left.
    """
    for name in only:
        check_choice("parameter", name, tuple(item.name for item in known), where="uncertainty.only", why="these have a prior")
    usable = [item for item in known if _unused(case, item) is None]
    for item in known:
        why = _unused(case, item)
        if item.name in only and why is not None:
            raise InputError("parameter", where="uncertainty.only", got=item.name, allowed="one of " + ", ".join(each.name for each in usable), why=f"it changes nothing in this case: {why}")
    if not usable:
        raise InputError("parameters", where="sensitivity", got="none", allowed="a case with contact, or one without muscles.calibration_file",
                         why="a calibration has set the muscles and moment arms of this person, and without contact a case has no other parameters")
    return tuple(item for item in usable if not only or item.name in only)


def _unused(case: Case, prior: Prior) -> str | None:
    """Why a case has no use for a parameter, None if it has."""
    if case.contact is None and prior.part in PARTS_WITH_CONTACT:
        return "contact=none has neither cartilage nor bone"
    if case.brace is None and prior.name == BRACE:
        return "there is no brace"
    if case.calibration is not None and _calibrated(prior):
        return _SET
    return None


def _calibrated(prior: Prior) -> bool:
    """Whether a calibration says what this is."""
    return prior.part == "muscles" and prior.name != BRACE


def with_parameters(case: Case, values: Mapping[str, float]) -> Case:
    """Return the case with these values of its parameters, by name of `PRIORS`; the case before its interventions gets the same.

    Raises:
        InputError: a value that the model refuses, or one of the muscles of a calibrated person.
    """
    if case.calibration is not None:
        for prior in PRIORS:
            if prior.name in values and _calibrated(prior):
                raise InputError("parameter", where="sensitivity", got=prior.name, allowed="one that the calibration leaves open", why=_SET)
    now = case if case.baseline is None else replace(case, baseline=with_parameters(case.baseline, values))
    arms: dict[str, float] = {}
    for name, value in values.items():
        if name in _ARM_GROUPS:
            arms |= dict.fromkeys(_ARM_GROUPS[name], float(value))
        else:
            now = _CHANGES[name](now, float(value))
    if not arms:
        return now
    own = PersonalConstants(geometry=PersonalGeometry(knee_arm_scale=arms))
    return replace(now, calibration=Calibration(constants=own, generic=now.muscles, subject=now.subject, strides=(), name="moment arms of a prior"))


_ARM_GROUPS: Mapping[str, tuple[str, ...]] = {
    "quadriceps_arm_scale": ("vasti", "rectus_femoris"),
    "hamstrings_arm_scale": ("medial_hamstrings", "lateral_hamstrings"),
    "gastrocnemius_arm_scale": ("medial_gastrocnemius", "lateral_gastrocnemius"),
}


def _inside(part: str, name: str, *, interval: bool = False) -> Callable[[Case, float], Case]:
    """A change of one setting of a part of the case; an interval shrinks to the value, so that the draws of the lesion model no longer vary it."""

    def change(case: Case, value: float) -> Case:
        held = getattr(case, part)
        changed: dict[str, Any] = {part: held if held is None else replace(held, **{name: (value, value) if interval else value})}
        return replace(case, **changed)

    return change


def _layer(name: str, setting: str) -> Callable[[Case, float], Case]:
    def change(case: Case, value: float) -> Case:
        layer: dict[str, Any] = {name: replace(getattr(case.materials, name), **{setting: value})}
        return replace(case, materials=replace(case.materials, **layer))

    return change


def _thickness(case: Case, value: float) -> Case:
    scale = case.subject.cartilage_thickness_scale
    plates = {plate: getattr(scale, plate) * value for plate in ("femur", "tibia_medial", "tibia_lateral", "patella")}
    return replace(case, subject=replace(case.subject, cartilage_thickness_scale=CartilageThicknessScale(**plates)))


_CHANGES: Mapping[str, Callable[[Case, float], Case]] = {
    "strength_factor": lambda case, value: replace(case, muscles=replace(case.muscles, strength_scale=case.muscles.strength_scale * value)),
    **{name: _inside("muscles", name) for name in ("joint_load_cost", "stability", "moment_variation")},
    "brace_response_z": _inside("brace", "response_z"),
    **{name: _inside("lesion", name, interval=True) for name in ("incidence_per_year", "transfer", "mean_stress_or", "share_by_stress")},
    **{name: _inside("bone", name) for name in ("stimulus_exponent", "stimulus_depth_mm")},
    "cartilage_youngs_modulus_mpa": _layer("cartilage", "youngs_modulus_mpa"),
    "cartilage_poisson_ratio": _layer("cartilage", "poisson_ratio"),
    "meniscus_youngs_modulus_mpa": _layer("meniscus", "youngs_modulus_mpa"),
    "meniscus_circumferential_modulus_mpa": _inside("contact", "circumferential_modulus_mpa"),
    "meniscus_toe": _inside("contact", "meniscus_toe"),
    "cartilage_thickness_factor": _thickness,
}
