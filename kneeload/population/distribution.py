"""Who is in a population: a joint distribution of people, as marginals and correlations of a Gaussian copula. `SOURCES` says where each number is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError, check_choice, check_range, did_you_mean

Array = NDArray[np.float64]
LATENTS: tuple[str, ...] = (
    "sex", "height", "bmi", "mpta", "ldfa", "joint_line_convergence", "medial_slope", "lateral_slope",
    "femur_thickness", "tibia_medial_thickness", "tibia_lateral_thickness", "patella_thickness",
    "femur_wear", "tibia_medial_wear", "tibia_lateral_wear", "patella_wear",
    "medial_meniscus", "lateral_meniscus", "medial_extrusion", "lateral_extrusion",
    "steps", "stair_flights", "standing_hours", "chair_rises", "speed", "extension_moment", "adduction_moment", "flexion",
)
"""The numbers drawn for each person, each uniform from 0 to 1 on its own; a correlation names two of them. A higher number of a wear or a
meniscus is a more damaged one, and `sex` is female below the share of women. New ones come last: the order is part of a design."""
PLATES: tuple[str, ...] = ("femur", "tibia_medial", "tibia_lateral", "patella")
ALIGNMENT: tuple[str, ...] = ("mpta", "ldfa", "joint_line_convergence")
_TOGETHER = 0.43  # middle of 0.08 to 0.78 between plates, Eckstein 2001
CORRELATIONS: Mapping[str, float] = {
    "sex:ldfa": 0.4, "mpta:ldfa": 0.35,
    "medial_slope:lateral_slope": 0.3,
    "bmi:steps": -0.3,
    **{f"{a}_thickness:{b}_thickness": _TOGETHER for i, a in enumerate(PLATES) for b in PLATES[i + 1:]},
    "mpta:medial_meniscus": -0.15, "ldfa:medial_meniscus": 0.1, "joint_line_convergence:medial_meniscus": 0.14, "bmi:medial_meniscus": 0.39,
    "mpta:lateral_meniscus": 0.16, "ldfa:lateral_meniscus": -0.11, "joint_line_convergence:lateral_meniscus": -0.15,
    "mpta:tibia_medial_wear": -0.24, "ldfa:tibia_medial_wear": 0.16, "joint_line_convergence:tibia_medial_wear": 0.22,
    "mpta:tibia_lateral_wear": 0.17, "ldfa:tibia_lateral_wear": -0.12, "joint_line_convergence:tibia_lateral_wear": -0.16,
    "medial_meniscus:tibia_medial_wear": 0.29, "lateral_meniscus:tibia_lateral_wear": 0.32,
}
"""Correlation of the normal scores of two drawn numbers, no unit; every pair that is not here is independent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marginal:
    """One number of a person: a normal or lognormal distribution, cut off at a range.

    Attributes:
        mean, sd: before it is cut off, in the unit of the number (for a lognormal one of the number, not of its logarithm).
        low, high: range outside which nobody is drawn, same unit.
        shape: "normal" or "lognormal".
    """

    mean: float
    sd: float
    low: float
    high: float
    shape: Literal["normal", "lognormal"] = "normal"

    def check(self, where: str) -> None:
        """Raise InputError if nobody can be drawn from it."""
        for name in ("mean", "sd", "low", "high"):
            check_range(f"{name} of {where.rsplit('.', 1)[-1]}", getattr(self, name), 0.0 if name == "sd" else -1e6, 1e6, "", where=f"{where}.{name}", why="people are drawn with it")
        check_choice("shape", self.shape, ("normal", "lognormal"), where=f"{where}.shape", why="these two are known")
        if self.low > self.high:
            raise InputError("range", where=where, got=f"low {self.low:g}, high {self.high:g}", allowed="low not above high", why="nobody could be drawn")
        if self.shape == "lognormal" and not (self.mean > 0.0 and self.low >= 0.0):
            raise InputError("lognormal distribution", where=where, got=f"mean {self.mean:g}, low {self.low:g}", allowed="a mean above 0 and a low of 0 or more", why="its numbers are positive")
        if self.sd > 0.0 and float(np.ptp(self._cut())) < 1e-6:
            raise InputError("distribution", where=where, got=f"mean {self.mean:g}, SD {self.sd:g}, low {self.low:g}, high {self.high:g}",
                             allowed="a range that holds a millionth of the people or more", why="nobody like that would be drawn")

    def value(self, u: Array) -> Array:
        """Quantiles (n,) in the unit of the number, of parts u (n,) of the people, no unit."""
        from scipy.special import ndtri

        if self.sd == 0.0:
            return np.full(u.shape, np.clip(self.mean, self.low, self.high))
        least, most = self._cut()
        z = ndtri(np.clip(least + u * (most - least), 1e-12, 1.0 - 1e-12))
        if self.shape == "normal":
            return np.clip(self.mean + self.sd * z, self.low, self.high)
        centre, spread = self._log()
        return np.clip(np.exp(centre + spread * z), self.low, self.high)

    def _cut(self) -> Array:
        from scipy.special import ndtr

        ends = np.array([self.low, self.high], dtype=np.float64)
        if self.shape == "normal":
            return np.asarray(ndtr((ends - self.mean) / self.sd))
        centre, spread = self._log()
        return np.asarray(ndtr((np.log(np.maximum(ends, 1e-300)) - centre) / spread))

    def _log(self) -> tuple[float, float]:
        spread = float(np.sqrt(np.log1p((self.sd / self.mean) ** 2)))
        return float(np.log(self.mean) - 0.5 * spread**2), spread


@dataclass(frozen=True, slots=True, kw_only=True)
class MeniscusShares:
    """Shares of people whose meniscus is extruded, torn at a root, or macerated or removed; no unit. All others have it intact."""

    extruded: float
    root_tear: float
    removed: float

    def check(self, where: str) -> None:
        """Raise InputError if they are no shares."""
        for item in fields(self):
            check_range(f"share with the meniscus {item.name.replace('_', ' ')}", getattr(self, item.name), 0.0, 1.0, "", where=f"{where}.{item.name}", why="it is a part of the people")
        whole = self.extruded + self.root_tear + self.removed
        check_range("share with a damaged meniscus", whole, 0.0, 1.0, "", where=where, why="the three shares are parts of the same people")


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A joint distribution of people with one knee each. `SOURCES` gives the source or the assumed range of every number.

    Attributes:
        women_share: share of women, no unit.
        male_height_m, female_height_m: m; drawn heights are rounded to the centimetre.
        bmi_kg_m2: body mass index, kg/m2; independent of sex and height.
        mpta_deg, ldfa_deg, joint_line_convergence_deg: alignment, degrees.
        medial_slope_deg, lateral_slope_deg: posterior slopes, degrees.
        thickness_scale: thickness of each unworn cartilage plate over that of the reference knee, no unit.
        femur_worn_share, tibia_medial_worn_share, tibia_lateral_worn_share, patella_worn_share: share of people in whom that plate is worn, no unit.
        worn_scale: thickness of a worn plate over its former one, no unit.
        medial_meniscus, lateral_meniscus: shares of their states.
        extrusion_mm: of a meniscus that is extruded or torn at its root, mm.
        steps_per_day, stair_flights_per_day, standing_hours_per_day, chair_rises_per_day: habits, per day.
        speed_heights_per_s: walking speed, body heights per second.
        extension_moment_z, adduction_moment_z, flexion_z: scores of `kneeload.motion.activity.Activity`, between-person standard deviations, in every
            activity of the day alike (`Case.moments_z`).
        correlations: "a:b" -> correlation of the normal scores of two of `LATENTS`, no unit.
    """

    women_share: float = 0.5
    male_height_m: Marginal = Marginal(mean=1.753, sd=0.07, low=1.5, high=2.05)
    female_height_m: Marginal = Marginal(mean=1.613, sd=0.07, low=1.4, high=1.9)
    bmi_kg_m2: Marginal = Marginal(mean=27.0, sd=4.5, low=17.0, high=45.0, shape="lognormal")
    mpta_deg: Marginal = Marginal(mean=87.0, sd=2.05, low=80.0, high=94.0)
    ldfa_deg: Marginal = Marginal(mean=87.85, sd=1.7, low=82.0, high=94.0)
    joint_line_convergence_deg: Marginal = Marginal(mean=0.5, sd=1.35, low=-4.0, high=5.0)
    medial_slope_deg: Marginal = Marginal(mean=6.2, sd=3.2, low=-3.0, high=15.0)
    lateral_slope_deg: Marginal = Marginal(mean=4.5, sd=3.1, low=-4.0, high=14.0)
    thickness_scale: Marginal = Marginal(mean=1.0, sd=0.14, low=0.6, high=1.5, shape="lognormal")
    femur_worn_share: float = 0.06
    tibia_medial_worn_share: float = 0.10
    tibia_lateral_worn_share: float = 0.06
    patella_worn_share: float = 0.12
    worn_scale: Marginal = Marginal(mean=0.45, sd=1.0, low=0.2, high=0.7)
    medial_meniscus: MeniscusShares = MeniscusShares(extruded=0.12, root_tear=0.02, removed=0.05)
    lateral_meniscus: MeniscusShares = MeniscusShares(extruded=0.048, root_tear=0.008, removed=0.02)
    extrusion_mm: Marginal = Marginal(mean=4.0, sd=1.0, low=3.0, high=7.0)
    steps_per_day: Marginal = Marginal(mean=6943.0, sd=2581.0, low=1000.0, high=25000.0, shape="lognormal")
    stair_flights_per_day: Marginal = Marginal(mean=7.2, sd=4.7, low=0.5, high=40.0, shape="lognormal")
    standing_hours_per_day: Marginal = Marginal(mean=3.25, sd=1.35, low=0.5, high=10.0, shape="lognormal")
    chair_rises_per_day: Marginal = Marginal(mean=60.0, sd=22.0, low=0.0, high=150.0)
    speed_heights_per_s: Marginal = Marginal(mean=0.714, sd=0.102, low=0.45, high=1.0)
    extension_moment_z: Marginal = Marginal(mean=0.0, sd=1.0, low=-2.5, high=2.5)
    adduction_moment_z: Marginal = Marginal(mean=0.0, sd=0.8, low=-2.0, high=2.0)
    flexion_z: Marginal = Marginal(mean=0.0, sd=0.0, low=-2.5, high=2.5)
    correlations: Mapping[str, float] = field(default_factory=lambda: dict(CORRELATIONS))

    def __post_init__(self) -> None:
        for item in fields(self):
            value, where = getattr(self, item.name), f"population.distribution.{item.name}"
            if isinstance(value, Marginal | MeniscusShares):
                value.check(where)
            elif item.name.endswith("_share"):
                check_range(item.name.replace("_", " "), value, 0.0, 1.0, "", where=where, why="it is a part of the people")
        self.factor()

    def factor(self) -> Array:
        """Lower triangular factor (L, L), no unit, of the correlations of the latent normal scores.

        Raises:
            InputError: a name that is not drawn, or correlations that cannot be together.
        """
        for pair, value in self.correlations.items():
            check_range("correlation", value, -0.999, 0.999, "", where=f"population.distribution.correlations.{pair}", why="it is one of two different numbers")
        return _factor(tuple(sorted(self.correlations.items())))


@lru_cache(maxsize=8)
def _factor(pairs: tuple[tuple[str, float], ...]) -> Array:
    matrix, where = np.eye(len(LATENTS)), "population.distribution.correlations"
    for pair, value in pairs:
        names = pair.split(":")
        if len(names) != 2 or names[0] == names[1] or not set(names) <= set(LATENTS):
            raise InputError("pair of a correlation", where=where, got=pair, allowed="two different names with a colon between, of " + ", ".join(LATENTS) + "".join(did_you_mean(name, LATENTS) for name in names),
                             why="only these are drawn")
        i, j = (LATENTS.index(name) for name in names)
        if matrix[i, j] not in (0.0, value):
            raise InputError("correlation", where=f"{where}.{pair}", got=value, allowed=f"the same as that of the pair in the other order, {matrix[i, j]:g}", why="both are one pair")
        matrix[i, j] = matrix[j, i] = value
    least = float(np.linalg.eigvalsh(matrix)[0])
    if least < 1e-6:
        raise InputError("correlations", where=where, got=f"a matrix with the eigenvalue {least:.3g}", allowed="correlations that can be together (all eigenvalues above 0)",
                         why="no people have them: make some of them smaller")
    found: Array = np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
    found.setflags(write=False)
    return found


_ASSUMED_WEAR = "assumption, half to double"
_VARUS = "odds ratio of varus as a correlation with varus (Digby 1983), shared among its parts"
_CT = "586 CT of Caucasian adults (Coronal and sagittal alignment of the lower limb in Caucasians: analysis of a 3D CT database)"
_CREMA = "knees of the MOST study (Crema 2012, doi 10.1148/radiol.12110986)"
_PER_DEGREE = "per degree as a correlation with varus (logistic liability), shared among its parts"
SOURCES: Mapping[str, str] = {
    "women_share": "choice",
    "male_height_m": "US adults 2015-2018 (Vital Health Stat 3(46)); SD 0.065 to 0.075",
    "female_height_m": "US adults 2015-2018 (Vital Health Stat 3(46)); SD 0.065 to 0.075",
    "bmi_kg_m2": "community cohorts of 45 to 65 years in which lesions were counted: 25 to 28.5 (PMC6443617: 28.5), SD 4 to 5; lognormal shape assumed",
    "mpta_deg": "mean of the reference knee, 87; SD of 737 volunteers, those of 18-39 years without osteoarthritis, 2 SD = 4.1 (Iwaki cohort, normative alignment); 1.6 in 118 women (PMC4349645)",
    "ldfa_deg": "mean that gives 1.35 degrees of varus (PMC4349645; 1.3 in 250 adults, Bellemans 2012, doi 10.1007/s11999-011-1936-5); 2 SD = 3.4 (Iwaki cohort, normative alignment)",
    "joint_line_convergence_deg": "mean of the reference knee, 0.5; 2 SD = 2.7 (Iwaki cohort, normative alignment)",
    "medial_slope_deg": "285 MRI, men 5.86 (SD 3.0), women 6.61 (SD 3.32) (doi 10.1186/s43019-021-00095-2)",
    "lateral_slope_deg": "285 MRI, men 4.41 (SD 3.35), women 4.63 (SD 2.85) (doi 10.1186/s43019-021-00095-2)",
    "thickness_scale": "27 men without damage, 1.57 to 2.43 mm on average over the knee (Eckstein 2001, Osteoarthritis Cartilage 9:101): 27 people span 4.1 SD, and plates correlate by 0.43",
    "femur_worn_share": _ASSUMED_WEAR, "tibia_medial_worn_share": _ASSUMED_WEAR, "tibia_lateral_worn_share": _ASSUMED_WEAR, "patella_worn_share": _ASSUMED_WEAR,
    "worn_scale": "assumption: nearly even from 0.2 (denuded) to 0.7",
    "medial_meniscus": "assumption, half to double; 19 to 56 % have a tear or destruction at 50 to 90 years (Englund 2008, doi 10.1056/NEJMoa0800777), most without a mechanical state here",
    "lateral_meniscus": "assumption: 0.4 of the medial ones, 0.3 to 0.6",
    "extrusion_mm": "assumption: from the usual cut-off of 3 mm (Costa 2004, doi 10.2214/ajr.183.1.1830017) up; damage adds 0.6 to 1.0 mm to the mean of 2.7 mm (PMC6420611)",
    "steps_per_day": "6943 (SD 2581) in healthy older adults (doi 10.2174/1874120701509010157)",
    "stair_flights_per_day": "assumption: median 6, 3 to 10",
    "standing_hours_per_day": "assumption: median 3, 2 to 4",
    "chair_rises_per_day": "60 (SD 22) in 140 adults (doi 10.1016/j.apergo.2009.04.005)",
    "speed_heights_per_s": "20 adults, 0.714 (SD 0.102) (Bovi 2011, doi 10.1016/j.gaitpost.2010.08.009)",
    "extension_moment_z": "by definition",
    "adduction_moment_z": "by definition, less what the spread of alignment adds",
    "flexion_z": "nobody differs: its correlation with the extension moment is not published (0 to 1)",
    "sex:ldfa": f"85.6 degrees in women, 86.8 in men, SD 1.87, MPTA alike: {_CT}",
    "mpta:ldfa": f"what HKA = 180 + MPTA - LDFA - convergence leaves of 2 SD = 5.1 degrees of HKA in the Iwaki cohort (normative alignment); 0.40 likewise in {_CT}",
    "medial_slope:lateral_slope": f"SDs of 3.21 and 3.17 degrees, of the whole plateau 2.58, if that is their mean: {_CT}; poor in 55 MRI (Hashemi 2008, doi 10.2106/JBJS.G.01358)",
    "bmi:steps": "-0.30 in 109 adults (Tudor-Locke 2001, Int J Obes 25:1571)",
    **{pair: "middle of 0.08 to 0.78 (Eckstein 2001, Osteoarthritis Cartilage 9:101)" for pair in CORRELATIONS if pair.count("_thickness") == 2},
    "bmi:medial_meniscus": "odds ratio 3.04 of obesity (Ann Rheum Dis 2011;70:1733) as a correlation (Digby 1983, Biometrics 39:753)",
    **{f"{part}:medial_meniscus": f"{_VARUS}: 2.00 (Ann Rheum Dis 2011;70:1733)" for part in ALIGNMENT},
    **{f"{part}:lateral_meniscus": f"{_VARUS}: 2.2 of valgus for lateral extrusion, 2106 {_CREMA}" for part in ALIGNMENT},
    **{f"{part}:tibia_medial_wear": f"odds ratio 1.38 (1.19 to 1.59) {_PER_DEGREE}: new medial damage in 30 months (Sharma 2013, Ann Rheum Dis 72:235); that what is new is spread like what is there is an assumption"
       for part in ALIGNMENT},
    **{f"{part}:tibia_lateral_wear": f"odds ratio 1.26 (1.0 to 1.56) {_PER_DEGREE}: 2.5 for more than 3 degrees of valgus (Felson 2013, doi 10.1002/art.37726), taken as 4 degrees (assumption)"
       for part in ALIGNMENT},
    "medial_meniscus:tibia_medial_wear": f"odds ratio 1.8 of damage for extrusion beside that of varus, which both share, 2116 {_CREMA}",
    "lateral_meniscus:tibia_lateral_wear": f"odds ratio 2.0 of damage for extrusion beside that of valgus, which both share, 2106 {_CREMA}",
}
"""Where each number of the default distribution is from, by field or pair of a correlation. A correlation that is not there is 0 (assumption)."""
