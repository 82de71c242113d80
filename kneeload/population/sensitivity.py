"""How sure an answer is: intervals from priors on the model's own parameters, and which of these parameters the spread comes from (Sobol indices)."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.case import Case
from kneeload.errors import InputError, KneeloadError
from kneeload.population.batch import simulate_many
from kneeload.population.figures import CaseFigures
from kneeload.population.priors import Prior, priors_for, with_parameters
from kneeload.result import COMPARTMENT_OF_REGION, COMPARTMENTS

Array = NDArray[np.float64]
RESAMPLES = 400  # of the bootstrap: its half-widths are known to some 5 %
ENDS = (0.025, 0.975)  # of intervals and of the one-at-a-time bars
LEAST_BLOCKS = 8
LOAD_OUTPUTS = ("loads.medial.peak_force_n", "loads.lateral.peak_force_n", "loads.patellofemoral.peak_force_n")
CONTACT_OUTPUTS = ("loads.medial.peak_force_n", "contact.medial.peak_pressure_mpa", "bone.compartments.medial.daily_dose_mpa_s", "lesion.compartments.medial.any_risk_24mo")
NO_VARIATION = 1e-9  # range over size below which an output counts as constant


@dataclass(frozen=True, slots=True, kw_only=True)
class Indices:
    """Sobol indices of one output from n blocks; nan where the output does not vary.

    Attributes:
        blocks: n.
        first: (P,) no unit; part of the variance that goes with each parameter alone (Saltelli 2010).
        first_half: (P,) no unit; half-width of its 95 % interval, by bootstrap over the blocks.
        total: (P,) no unit; part of the variance that would be left if only this parameter were unknown (Jansen 1999), with all it does together with others.
        total_half: (P,) no unit; half-width of its 95 % interval.
    """

    blocks: int
    first: Array
    first_half: Array
    total: Array
    total_half: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One output of a study of uncertainty.

    Attributes:
        name: its path in summary.json.
        nominal: of the case as it is, in the unit of the name.
        low, median, high: 2.5, 50 and 97.5 % quantiles over the priors, same unit.
        low_error, high_error: standard errors of the ends, by bootstrap over the blocks, same unit.
        swings: (P, 2) in the unit of the output; with each parameter alone at the 2.5 and the 97.5 % quantile of its prior, nan where that failed.
        indices: from 1/8, 1/4, 1/2 and all of the blocks, the last being the answer.
    """

    name: str
    nominal: float
    low: float
    median: float
    high: float
    low_error: float
    high_error: float
    swings: Array
    indices: tuple[Indices, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """A study of uncertainty.

    Attributes:
        priors: the P parameters.
        outputs: what was asked.
        samples: blocks that were asked for.
        kept: blocks without a failed run; the others are left out as a whole.
        failures: sentence -> how many runs failed with it.
        runs: cases that were simulated.
        values: (runs, P) in the units of the parameters; the first row nan (the case as it is), then the one-at-a-time runs, then the blocks.
        found: (runs, outputs) in the units of the outputs, nan where a run failed.
        seed: of sampling and bootstrap.
        seconds: s; of the simulations.
    """

    priors: tuple[Prior, ...]
    outputs: tuple[Output, ...]
    samples: int
    kept: int
    failures: Mapping[str, int]
    runs: int
    values: Array
    found: Array
    seed: int
    seconds: float


def sensitivity(case: Case, *, outputs: Sequence[str] = (), samples: int = 128, seed: int = 1, workers: int = 2, priors: Sequence[Prior] | None = None,
                progress: Callable[[int, int], object] | None = None) -> Sensitivity:
    """Simulate a case with its parameters drawn from their priors, and tell intervals, indices and one-at-a-time swings of its outputs.

    Args:
        case: person, activity, interventions; its calibration must be None.
        outputs: paths in summary.json, or `bone.compartments.<name>.daily_dose_mpa_s` (sum of regions) and
            `lesion.compartments.<name>.any_risk_24mo` (1 less the product of 1 - risk over regions); empty = a few of the medial side.
        samples: blocks, a power of two from 8; there are samples x (P + 2) runs and 2 P + 1 more.
        seed: the same seed gives the same answer, whatever the workers.
        workers: processes; 0 stays in this one.
        priors: default `priors_for(case)`.
        progress: called with runs done and runs in all.

    Raises:
        InputError: an output or a parameter that there is not, a number of samples that is no power of two, SALib not installed, or a case that fails.
        KneeloadError: hardly any block is left without a failed run.
    """
    require_salib()
    _check_samples(samples)
    chosen = priors_for(case) if priors is None else tuple(priors)
    if not chosen:
        raise InputError("parameters", where="sensitivity", got="none", allowed="one or more", why="an interval comes from what is not known")
    names = tuple(dict.fromkeys(outputs)) or (LOAD_OUTPUTS if case.contact is None else CONTACT_OUTPUTS)
    points = design(len(chosen), samples, seed)
    values = np.vstack([np.full((1, len(chosen)), np.nan), *_ends(case, chosen), _values(chosen, points)])
    begin = time.monotonic()
    found, failures = _simulated(case, chosen, values, names, workers, progress)
    seconds = time.monotonic() - begin
    first = 1 + 2 * len(chosen)
    blocks = found[first:].reshape(samples, len(chosen) + 2, len(names))
    whole = blocks[np.isfinite(blocks).all(axis=(1, 2))]
    if len(whole) < LEAST_BLOCKS:
        said = "; ".join(f"{count} runs: {sentence}" for sentence, count in failures.items()) or "the outputs do not exist for these parameters"
        raise KneeloadError(f"Only {len(whole)} of {samples} blocks are without a failed run, too few for an interval ({said})")
    told = tuple(_output(name, found[0, place], whole[:, :, place], found[1:first, place], seed) for place, name in enumerate(names))
    return Sensitivity(priors=chosen, outputs=told, samples=samples, kept=len(whole), failures=failures, runs=len(values), values=values, found=found, seed=seed, seconds=seconds)


def design(parameters: int, samples: int, seed: int) -> Array:
    """Points (samples (P + 2), P), no unit, 0 to 1: per block a row of A, P rows of A with one column of B, a row of B (Saltelli 2010,
    doi 10.1016/j.cpc.2009.09.018), from a scrambled Sobol sequence."""
    from SALib.sample import sobol

    return np.asarray(sobol.sample(_problem(parameters), samples, calc_second_order=False, seed=seed))


def indices(found: Array, seed: int, *, resamples: int = RESAMPLES) -> Indices:
    """Sobol indices from the outputs (N, P + 2) of N whole blocks, with 95 % intervals by bootstrap; nan for an output that does not vary."""
    from SALib.analyze import sobol

    blocks, parameters = found.shape[0], found.shape[1] - 2
    if np.ptp(found) <= NO_VARIATION * np.abs(found).max():
        nothing = np.full(parameters, np.nan)
        return Indices(blocks=blocks, first=nothing, first_half=nothing, total=nothing, total_half=nothing)
    told = sobol.analyze(_problem(parameters), found.reshape(-1), calc_second_order=False, num_resamples=resamples, conf_level=0.95, seed=seed)
    return Indices(blocks=blocks, first=np.asarray(told["S1"]), first_half=np.asarray(told["S1_conf"]), total=np.asarray(told["ST"]), total_half=np.asarray(told["ST_conf"]))


def require_salib() -> None:
    """Raise InputError that says what to install if SALib is not there."""
    try:
        import SALib  # noqa: F401
    except ImportError:
        raise InputError("package SALib", where="sensitivity", got="not installed", allowed="pip install 'kneeload[sensitivity]'", why="it draws and tells Sobol indices") from None


def outputs_of(figures: CaseFigures) -> dict[str, float | None]:
    """Every number of a case by its path in summary.json, and the sums over compartments."""
    numbers = figures.numbers()
    if figures.bone is not None and figures.lesion is not None:
        for name in COMPARTMENTS:
            own = [region for region, compartment in COMPARTMENT_OF_REGION.items() if compartment == name]
            doses, risks = ([numbers.get(path.format(region)) for region in own] for path in ("bone.regions.{}.daily_dose_mpa_s", "lesion.regions.{}.risk_24mo"))
            numbers[f"bone.compartments.{name}.daily_dose_mpa_s"] = sum(value or 0.0 for value in doses)
            numbers[f"lesion.compartments.{name}.any_risk_24mo"] = 1.0 - float(np.prod([1.0 - (value or 0.0) for value in risks]))
    return numbers


def _problem(parameters: int) -> dict[str, Any]:
    return {"num_vars": parameters, "names": [f"p{place}" for place in range(parameters)], "bounds": [[0.0, 1.0]] * parameters}


def _check_samples(samples: int) -> None:
    if isinstance(samples, bool) or not isinstance(samples, int) or not LEAST_BLOCKS <= samples <= 2**20 or samples & (samples - 1):
        raise InputError("number of samples", where="--samples", got=samples, allowed=f"a power of two from {LEAST_BLOCKS} to {2**20}", why="a Sobol sequence is even at these lengths only")


def _values(priors: Sequence[Prior], points: Array) -> Array:
    return np.column_stack([prior.value(points[:, place]) for place, prior in enumerate(priors)])


def _ends(case: Case, priors: Sequence[Prior]) -> Iterator[Array]:
    """Rows (2, P) for each parameter: it at the ends of its prior, the others nan (as in the case)."""
    for place, prior in enumerate(priors):
        rows = np.full((2, len(priors)), np.nan)
        rows[:, place] = prior.value(np.array(ENDS))
        yield rows


def _simulated(case: Case, priors: Sequence[Prior], values: Array, names: Sequence[str], workers: int,
               progress: Callable[[int, int], object] | None) -> tuple[Array, dict[str, int]]:
    found, failures = np.full((len(values), len(names)), np.nan), dict[str, int]()
    refused: dict[int, str] = {}

    def cases() -> Iterator[Case]:
        for place, row in enumerate(values):
            try:
                yield with_parameters(case, {prior.name: value for prior, value in zip(priors, row) if np.isfinite(value)})
            except InputError as problem:
                if place == 0:
                    raise
                refused[place] = str(problem)
                yield case  # keeps its place; its figures are not used

    with _no_disk_cache():
        for figures in simulate_many(cases(), workers=workers):
            error = refused.get(figures.index) or figures.error
            if error is None:
                numbers = outputs_of(figures)
                if figures.index == 0:
                    _check_outputs(names, numbers)
                found[figures.index] = [np.nan if (value := numbers.get(name)) is None else float(value) for name in names]
            elif figures.index == 0:
                raise InputError("case", where="sensitivity", got=error, allowed="a case that can be simulated", why="its outputs are asked for")
            else:
                failures[error] = failures.get(error, 0) + 1
            if progress is not None:
                progress(figures.index + 1, len(values))
    return found, failures


def _check_outputs(names: Sequence[str], numbers: Mapping[str, float | None]) -> None:
    for name in names:
        if numbers.get(name) is None:
            near = difflib.get_close_matches(name, [key for key, value in numbers.items() if value is not None], n=3, cutoff=0.0)
            raise InputError("output", where="--outputs", got=name, allowed="a number of this case's summary.json, such as " + ", ".join(near),
                             why="this case has no such number" if name not in numbers else "this case has no value for it")


@contextmanager
def _no_disk_cache() -> Iterator[None]:
    """Reference persons of drawn parameters are asked for once each: they would push all others out of the memory on disk."""
    before = os.environ.get("KNEELOAD_NO_CACHE")
    os.environ["KNEELOAD_NO_CACHE"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["KNEELOAD_NO_CACHE"]
        else:
            os.environ["KNEELOAD_NO_CACHE"] = before


def _output(name: str, nominal: float, found: Array, swings: Array, seed: int) -> Output:
    """Put together an output from the figures (N, P + 2) of whole blocks and of the one-at-a-time runs (2 P,)."""
    drawn = found[:, [0, -1]]  # A and B: independent draws from the priors
    low, median, high = np.quantile(drawn, (ENDS[0], 0.5, ENDS[1]))
    rng = np.random.default_rng(seed)
    again = np.array([np.quantile(drawn[rng.integers(len(drawn), size=len(drawn))], ENDS) for _ in range(RESAMPLES)])
    sizes = sorted({size for part in (8, 4, 2) if (size := len(found) // part) >= LEAST_BLOCKS} | {len(found)})
    return Output(name=name, nominal=float(nominal), low=float(low), median=float(median), high=float(high), low_error=float(again[:, 0].std()), high_error=float(again[:, 1].std()),
                  swings=swings.reshape(-1, 2), indices=tuple(indices(found[:size], seed) for size in sizes))
