"""The people of a design: person k, from a Sobol sequence or a Latin hypercube through the Gaussian copula of the distribution."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.case import Case
from kneeload.errors import InputError
from kneeload.motion.activity import Activity
from kneeload.population.design import Design
from kneeload.population.distribution import LATENTS, PLATES, Distribution, MeniscusShares
from kneeload.subject.person import CartilageThicknessScale, Subject

Array = NDArray[np.float64]
MOST_DRAWS = 100  # for one person; a distribution that needs more draws next to nobody
_PILOT = 200  # people who are looked at before anything is computed


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person of a population.

    Attributes:
        index: place in the population, from 0.
        seed: of what is drawn again for this person alone.
        resampled: how often an impossible person was drawn in this place before.
        case: person and activity, without interventions; None if nobody possible was drawn.
        problem: then the sentence of the last refusal.
    """

    index: int
    seed: int
    resampled: int
    case: Case | None
    problem: str | None = None


def people(design: Design, first: int, count: int) -> Iterator[Person]:
    """Yield the people `first` to `first + count - 1`, the same whoever asks for them and in whatever parts."""
    values = values_of(design.distribution, uniforms(design, first, count))
    for row in range(count):
        yield _possible(design, first + row, {name: column[row] for name, column in values.items()})


def uniforms(design: Design, first: int, count: int) -> Array:
    """Design points (count, L), no unit, each column even over 0 to 1.

    A scrambled Sobol point depends on seed and index alone (Owen 1998, doi 10.1006/jcom.1998.0487). The strata of a Latin hypercube
    depend on the size too (McKay 1979, doi 10.2307/1268522), so there another size is another population.
    """
    if design.sampler == "latin_hypercube":
        return _hypercube(design.size, design.seed)[first:first + count]
    from scipy.stats import qmc

    sequence = qmc.Sobol(d=len(LATENTS), scramble=True, seed=np.random.default_rng(design.seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # says that a part of the sequence is no power of two
        return np.asarray((sequence.fast_forward(first) if first else sequence).random(count))


@lru_cache(maxsize=1)
def _hypercube(size: int, seed: int) -> Array:
    from scipy.stats import qmc

    return np.asarray(qmc.LatinHypercube(d=len(LATENTS), seed=np.random.default_rng(seed)).random(size))


def values_of(distribution: Distribution, u: Array) -> dict[str, NDArray[Any]]:
    """Everything that tells n people apart, (n,) each with its unit in the name, from uniform numbers u (n, L), no unit.

    The copula: normal scores of u, correlated by the Cholesky factor, back to uniform numbers, each of which picks a quantile (Nelsen
    2006, An Introduction to Copulas, 2.5 and 3.1).
    """
    from scipy.special import ndtr, ndtri

    scores, factor = ndtri(np.clip(u, 1e-12, 1.0 - 1e-12)), distribution.factor()
    together = np.zeros_like(scores)
    for number in range(len(LATENTS)):  # one after the other: a product of matrices may add in another order for another number of people
        together += scores[:, number, None] * factor[:, number]
    part = dict(zip(LATENTS, ndtr(together).T))
    d = distribution
    woman = part["sex"] < d.women_share
    height = np.round(np.where(woman, d.female_height_m.value(part["height"]), d.male_height_m.value(part["height"])), 2)
    found: dict[str, NDArray[Any]] = {
        "sex": np.where(woman, "female", "male"), "height_m": height, "body_mass_kg": d.bmi_kg_m2.value(part["bmi"]) * height**2,
        **{name: getattr(d, name).value(part[name.removesuffix("_deg")]) for name in
           ("mpta_deg", "ldfa_deg", "joint_line_convergence_deg", "medial_slope_deg", "lateral_slope_deg")},
        **{name: getattr(d, name).value(part[name.removesuffix("_per_day")]) for name in
           ("steps_per_day", "stair_flights_per_day", "standing_hours_per_day", "chair_rises_per_day")},
        **{name: getattr(d, name).value(part[name.removesuffix("_z")]) for name in ("extension_moment_z", "adduction_moment_z", "flexion_z")},
        "speed_m_s": d.speed_heights_per_s.value(part["speed"]) * height,
    }
    for plate in PLATES:
        found[plate] = d.thickness_scale.value(part[f"{plate}_thickness"]) * _left(d, part[f"{plate}_wear"], getattr(d, f"{plate}_worn_share"))
    for side in ("medial", "lateral"):
        state = _states(part[f"{side}_meniscus"], getattr(d, f"{side}_meniscus"))
        found[f"{side}_meniscus"] = state
        found[f"{side}_extrusion_mm"] = np.where(np.isin(state, ("extruded", "root_tear")), d.extrusion_mm.value(part[f"{side}_extrusion"]), np.nan)
    return found


def _left(distribution: Distribution, u: Array, share: float) -> Array:
    """Part (n,) of its former thickness that a plate still has, no unit: people with u above 1 - share have it worn."""
    worn = u > 1.0 - share
    return np.where(worn, distribution.worn_scale.value(np.where(worn, (1.0 - u) / max(share, 1e-12), 0.5)), 1.0)


def _states(u: Array, shares: MeniscusShares) -> NDArray[np.str_]:
    """State (n,) of a meniscus: the highest u have it removed, then torn at its root, then extruded."""
    removed, torn = 1.0 - shares.removed, 1.0 - shares.removed - shares.root_tear
    return np.select([u > removed, u > torn, u > torn - shares.extruded], ["removed", "root_tear", "extruded"], "intact")


def _possible(design: Design, index: int, values: dict[str, Any]) -> Person:
    """The person with these values, or the first possible one of those drawn again in this place."""
    root = np.random.SeedSequence(design.seed, spawn_key=(index,))
    seed, problem = int(root.generate_state(1, np.uint64)[0]), ""
    again: np.random.Generator | None = None
    for count in range(MOST_DRAWS):
        try:
            return Person(index=index, seed=seed, resampled=count, case=_case(design, values))
        except InputError as refused:
            problem = str(refused)
        again = again or np.random.default_rng(seed)
        values = {name: column[0] for name, column in values_of(design.distribution, again.random((1, len(LATENTS)))).items()}
    return Person(index=index, seed=seed, resampled=MOST_DRAWS, case=None, problem=f"Nobody possible was drawn in {MOST_DRAWS} draws; the last: {problem}")


def _case(design: Design, values: dict[str, Any]) -> Case:
    plain = {name: str(value) if isinstance(value, np.str_ | str) else None if np.isnan(value) else float(value) for name, value in values.items()}
    speed, extension, adduction, flexion = (plain.pop(name) for name in ("speed_m_s", "extension_moment_z", "adduction_moment_z", "flexion_z"))
    scale = CartilageThicknessScale(**{plate: plain.pop(plate) for plate in PLATES})  # type: ignore[arg-type]
    subject: Subject = replace(design.base.subject, cartilage_thickness_scale=scale, **plain)  # type: ignore[arg-type]
    own = Activity(name="walking", speed_m_s=speed, extension_moment_z=extension, adduction_moment_z=adduction, flexion_z=flexion)  # type: ignore[arg-type]
    return replace(design.base, subject=subject, activity=Activity(name=design.activities[0]), day_activities=design.activities, walking_speed_m_s=own.speed_m_s,
                   moments_z=(own.extension_moment_z, own.adduction_moment_z), flexion_z=own.flexion_z)  # habits: the same in every activity of the day


def check_people(design: Design) -> None:
    """Look at the first people before anything is computed.

    Raises:
        InputError: more than half of the draws are impossible people, so the population would not be the one that was asked for.
    """
    count = min(design.size, _PILOT)
    refused, draws, problem = 0, 0, ""
    for values in _rows(values_of(design.distribution, uniforms(design, 0, count)), count):
        draws += 1
        try:
            _case(design, values)
        except InputError as error:
            refused, problem = refused + 1, str(error)
    if 2 * refused > draws:
        raise InputError("distribution", where="population.distribution", got=f"{refused} impossible people among the first {draws}", allowed="one of which most people are possible",
                         why=f"the last one was refused: {problem.rstrip('.')}")


def _rows(columns: dict[str, NDArray[Any]], count: int) -> Iterator[dict[str, Any]]:
    for row in range(count):
        yield {name: column[row] for name, column in columns.items()}
