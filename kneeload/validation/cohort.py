"""A synthetic cohort like the published ones: people drawn with stated spreads and correlations, each run through the engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.dose import BoneLoad
from kneeload.case import Case
from kneeload.errors import ConvergenceError, check_range
from kneeload.lesion.hazard import loaded_mean
from kneeload.motion.activity import Activity
from kneeload.motion.limb import REFERENCE_VARUS_DEG
from kneeload.simulate import anatomy_of, day_load, reference_case, reference_load, run_day
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import CartilageThicknessScale, MeniscusState, Subject
from kneeload.units import NMM_PER_NM

Array = NDArray[np.float64]
DRAWN = 24  # numbers drawn for each person
REACH_SD = 2.5  # draws stay within it
THREADS = 2  # the kernels let go of Python's lock
_PLATES = ("femur", "tibia_medial", "tibia_lateral", "patella")
_SD = {"mpta": 1.6, "convergence": 1.0}  # degrees: 1.61 in 118 women (PMC4349645), 1.4 in 359 (doi 10.1186/s10195-023-00739-x); 1.0 is an assumption
_VARUS_SD = 2.3  # degrees, 250 adults (Bellemans 2012, doi 10.1007/s11999-011-1936-5)
_SLOPE_SD, _SLOPES_TOGETHER = 3.2, 0.5  # degrees, 3.3 medial and 3.2 lateral (doi 10.1186/s10195-023-00739-x); correlation assumed, range 0.2 to 0.7
_SPEED, _SPEED_SD = 0.714, 0.102  # heights per second, doi 10.1016/j.gaitpost.2010.08.009


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortModel:
    """Who is in the cohort. Numbers without a source are assumptions; their ranges stand beside them.

    Attributes:
        size: people, one knee each.
        seed: of the Latin hypercube and of the states that are drawn by chance.
        women: share of women, no unit.
        height_m, height_sd_m: of men and of women, m. US adults 2015-2018: 1.753 and 1.613 (Vital Health Stat 3(46)); SD 0.07 (0.065 to 0.075).
        heights: levels per sex, at the middles of equal quantiles: people of one height share a reference person.
        bmi, bmi_sd: kg/m2, lognormal. Community cohorts of 45 to 65 years in which incidence was counted: 27, SD 4.5 (25 to 28, 4 to 5).
        thickness_sd: standard deviation of the logarithm of cartilage thickness between people, of which half is common to all plates (0.1 to 0.2).
        worn_share: probability that a plate (femur, medial and lateral tibia, patella) is worn at mean alignment (half to double).
        worn_scale: range of the thickness of a worn plate over its former one, uniform; 0.2 leaves about 0.5 mm, which counts as denuded.
        worn_or: odds ratio of a worn medial plateau per degree of varus, and of a lateral one per degree of valgus (1.0 to 1.3).
        extruded, torn, removed: probability that the medial meniscus is extruded, torn at a root, or macerated or removed. 19 to 56 % have a tear
            or destruction at 50 to 90 years (doi 10.1056/NEJMoa0800777); most of those tears have no mechanical state here (half to double).
        lateral: the same for the lateral meniscus, over the medial one (0.3 to 0.6).
        varus_or, obesity_or: odds ratios of medial meniscal damage with varus (taken from 3 degrees up) and with obesity (BMI from 30 up):
            2.00 and 3.04 (Ann Rheum Dis 2011;70:1733).
        steps, steps_sd: a day, lognormal: 6943, SD 2581 (doi 10.2174/1874120701509010157).
        steps_with_bmi: correlation of the logarithm of steps with that of BMI (-0.4 to 0).
        flights, standing_h: medians of stair flights and standing hours a day, lognormal with a standard deviation of the logarithm of 0.6 and
            0.4 (3 to 10 flights, 2 to 4 hours).
    """

    size: int = 200
    seed: int = 11
    women: float = 0.5
    height_m: tuple[float, float] = (1.753, 1.613)
    height_sd_m: float = 0.07
    heights: int = 4
    bmi: float = 27.0
    bmi_sd: float = 4.5
    thickness_sd: float = 0.15
    worn_share: tuple[float, float, float, float] = (0.06, 0.10, 0.06, 0.12)
    worn_scale: tuple[float, float] = (0.2, 0.7)
    worn_or: float = 1.15
    extruded: float = 0.12
    torn: float = 0.02
    removed: float = 0.05
    lateral: float = 0.4
    varus_or: float = 2.0
    obesity_or: float = 3.04
    steps: float = 6943.0
    steps_sd: float = 2581.0
    steps_with_bmi: float = -0.2
    flights: float = 6.0
    standing_h: float = 3.0

    def __post_init__(self) -> None:
        check_range("size of the cohort", self.size, 2, 100_000, "", where="cohort.size", why="odds ratios need people that differ")
        check_range("heights per sex", self.heights, 1, 50, "", where="cohort.heights", why="each needs a reference person of its own")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cohort:
    """P people after the engine.

    Attributes:
        cases: of the people.
        loads, references: bone load of each and of the reference person.
        bmi, mpta_deg, varus_deg: (P,) kg/m2, degrees, degrees.
        damage: (P, 15) no unit; what is missing of the cartilage over each region, 0 = mean thickness or more, 1 = none (subspinous: 0).
        menisci: (P, 2) no unit; medial and lateral: 0 intact, 1 extruded, 2 torn at the root or removed.
        stimulus: (P, 15, 2) MPa; mean over the loaded part and largest daily stimulus of each region on the person's own day.
        pressure: (P, 15, 2) MPa; mean and peak contact pressure of each region in walking.
        kam_peak, kam_impulse: (P,) N m, N m s; external adduction moment of walking, largest and positive part over one stride.
        failed: why people without an equilibrium were left out, one sentence each.
        seconds: s; time that the engine took.
    """

    cases: tuple[Case, ...]
    loads: tuple[BoneLoad, ...]
    references: tuple[BoneLoad, ...]
    bmi: Array
    mpta_deg: Array
    varus_deg: Array
    damage: Array
    menisci: NDArray[np.int64]
    stimulus: Array
    pressure: Array
    kam_peak: Array
    kam_impulse: Array
    failed: tuple[str, ...]
    seconds: float


def people(model: CohortModel, base: Case | None = None) -> tuple[Case, ...]:
    """Return the cases of a cohort, by sex and height; `base` gives models and the means of alignment and slopes."""
    from scipy.stats import norm, qmc

    base = base or Case()
    normal = norm.ppf(qmc.LatinHypercube(d=DRAWN, seed=model.seed).random(model.size))
    if model.size > 2 * DRAWN:  # no correlations by chance, only the stated ones (Iman and Conover 1982, Commun Stat 11:311)
        normal = np.linalg.solve(np.linalg.cholesky(np.corrcoef(normal.T)), normal.T).T
    cases = [_person(model, base, z, u) for z, u in zip(np.clip(normal, -REACH_SD, REACH_SD), norm.cdf(normal))]
    return tuple(sorted(cases, key=lambda case: (case.subject.sex, case.subject.height_m)))


def _person(model: CohortModel, base: Case, z: Array, u: Array) -> Case:
    who = base.subject
    woman = u[0] < model.women
    height = _height(model, woman, float(u[1]))
    spread = np.sqrt(np.log1p((model.bmi_sd / model.bmi) ** 2))
    bmi = model.bmi * np.exp(spread * z[2] - 0.5 * spread**2)
    mpta, convergence = _SD["mpta"] * z[3], _SD["convergence"] * z[4]
    ldfa = np.sqrt(_VARUS_SD**2 - _SD["mpta"] ** 2 - _SD["convergence"] ** 2) * z[5]  # what the published spread of the whole limb leaves
    varus = REFERENCE_VARUS_DEG - mpta + ldfa + convergence
    lateral_slope = _SLOPE_SD * (_SLOPES_TOGETHER * z[6] + np.sqrt(1.0 - _SLOPES_TOGETHER**2) * z[7])
    walking = np.sqrt(np.log1p((model.steps_sd / model.steps) ** 2))
    busy = model.steps_with_bmi * z[2] + np.sqrt(1.0 - model.steps_with_bmi**2) * z[8]
    medial = _meniscus(model, float(u[9]), np.log(model.varus_or) * (varus >= 3.0) + np.log(model.obesity_or) * (bmi >= 30.0), 1.0)
    lateral = _meniscus(model, float(u[10]), 0.0, model.lateral)
    subject = replace(
        who, sex="female" if woman else "male", height_m=height, body_mass_kg=float(bmi * height**2), mpta_deg=who.mpta_deg + float(mpta),
        ldfa_deg=who.ldfa_deg + float(REFERENCE_VARUS_DEG - who.varus_deg + ldfa), joint_line_convergence_deg=who.joint_line_convergence_deg + float(convergence),
        medial_slope_deg=who.medial_slope_deg + float(_SLOPE_SD * z[6]), lateral_slope_deg=who.lateral_slope_deg + float(lateral_slope),
        medial_meniscus=medial, lateral_meniscus=lateral, cartilage_thickness_scale=_thickness(model, z[11:16], u[16:20], float(varus - REFERENCE_VARUS_DEG)),
        steps_per_day=float(model.steps * np.exp(walking * busy - 0.5 * walking**2)), stair_flights_per_day=float(model.flights * np.exp(0.6 * z[20])),
        standing_hours_per_day=float(model.standing_h * np.exp(0.4 * z[21])))
    walk = Activity(name="walking", speed_m_s=float((_SPEED + _SPEED_SD * z[22]) * height), adduction_moment_z=float(0.8 * z[23]))
    return replace(base, subject=subject, activity=walk)


def _height(model: CohortModel, woman: bool, u: float) -> float:
    from scipy.stats import norm

    level = (np.floor(u * model.heights) + 0.5) / model.heights
    return round(float(model.height_m[int(woman)] + model.height_sd_m * norm.ppf(level)), 2)


def _meniscus(model: CohortModel, u: float, log_odds: float, scale: float) -> MeniscusState:
    """State of a meniscus: damage as often as the model says, its odds raised by exp(log_odds)."""
    usual = scale * (model.extruded + model.torn + model.removed)
    damaged = 1.0 / (1.0 + (1.0 - usual) / usual * np.exp(-log_odds))
    if u >= damaged:
        return "intact"
    part = u / damaged * (model.extruded + model.torn + model.removed)
    return "extruded" if part < model.extruded else "root_tear" if part < model.extruded + model.torn else "removed"


def _thickness(model: CohortModel, z: Array, u: Array, varus: float) -> CartilageThicknessScale:
    common, single = np.sqrt(0.5) * model.thickness_sd * z[0], np.sqrt(0.5) * model.thickness_sd * z[1:5]
    scales = {}
    for k, plate in enumerate(_PLATES):
        turn = {"tibia_medial": varus, "tibia_lateral": -varus}.get(plate, 0.0)
        odds = model.worn_share[k] / (1.0 - model.worn_share[k]) * model.worn_or**turn
        worn = odds / (1.0 + odds)
        left = 1.0 if u[k] >= worn else model.worn_scale[0] + (model.worn_scale[1] - model.worn_scale[0]) * u[k] / worn
        scales[plate] = float(np.clip(left * np.exp(common + single[k]), 0.1, 2.0))
    return CartilageThicknessScale(**scales)


@lru_cache(maxsize=4)
def cohort(model: CohortModel, base: Case | None = None) -> Cohort:
    """Run a cohort through the engine: motion, forces, contact and bone of each person's day (that of `base.day_activities`), and of the reference persons."""
    begin = perf_counter()
    cases = people(model, base)
    references = tuple(reference_load(reference_case(case)) for case in cases)
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        ran = list(pool.map(_ran, cases))
    failed = tuple(item for item in ran if isinstance(item, str))
    kept = [k for k, item in enumerate(ran) if not isinstance(item, str)]
    cases, references = tuple(cases[k] for k in kept), tuple(references[k] for k in kept)
    found = [item for item in ran if not isinstance(item, str)]
    loads = tuple(load for load, _, _ in found)
    subjects = [case.subject for case in cases]
    return Cohort(
        cases=cases, loads=loads, references=references, bmi=np.array([s.bmi for s in subjects]), mpta_deg=np.array([s.mpta_deg for s in subjects]),
        varus_deg=np.array([s.varus_deg for s in subjects]), damage=np.array([_damage(s) for s in subjects]),
        menisci=np.array([[_state(s.medial_meniscus), _state(s.lateral_meniscus)] for s in subjects]),
        stimulus=np.array([np.stack([loaded_mean(x.stimulus_quantiles), x.stimulus_quantiles[:, -1]], axis=1) for x in loads]),  # type: ignore[arg-type, index]
        pressure=np.array([np.stack([x.mean_contact_pressure, x.peak_contact_pressure], axis=1) for x in loads]),
        kam_peak=np.array([peak for _, peak, _ in found]), kam_impulse=np.array([impulse for _, _, impulse in found]), failed=failed,
        seconds=perf_counter() - begin)


def _ran(case: Case) -> tuple[BoneLoad, float, float] | str:
    """Load, peak and impulse of the adduction moment of one person, or the sentence that says why there is none."""
    anatomy = anatomy_of(case)
    try:
        day = run_day(case, anatomy)
    except ConvergenceError as problem:
        return str(problem)
    motion = day[case.activity.name].motion
    moment = motion.knee_adduction_moment / NMM_PER_NM
    return day_load(case, anatomy, day), float(moment.max()), float(np.trapezoid(np.maximum(moment, 0.0), motion.time))


def _state(meniscus: str) -> int:
    return {"intact": 0, "extruded": 1}.get(meniscus, 2)


def _damage(subject: Subject) -> Array:
    scale = subject.cartilage_thickness_scale
    left = []
    for region in MOAKS_REGIONS:
        bone = region.split("_")[0]
        plate = f"tibia_{region.split('_')[-1]}" if bone == "tibia" else bone
        left.append(1.0 if region == "tibia_subspinous" else getattr(scale, plate))
    return np.clip(1.0 - np.array(left), 0.0, 1.0)

