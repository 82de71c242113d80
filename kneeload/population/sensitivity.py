"""How sure an answer is: intervals from priors on the model's own parameters, and which of these parameters the spread comes from (Sobol indices)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.case import Case
from kneeload.errors import KneeloadError
from kneeload.population.drawn_runs import InMemory, compute
from kneeload.population.priors import Prior
from kneeload.population.run import Progress
from kneeload.population.runs_folder import RunsFolder
from kneeload.population.uncertainty import ENDS, LEAST_BLOCKS, LEAST_TRAJECTORIES, MORRIS_LEVELS, Draws, drawn, morris_grid, problem

Array = NDArray[np.float64]
RESAMPLES = 400  # of the bootstrap: its half-widths are known to some 5 %
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
class Effects:
    """Elementary effects of one output over n trajectories (Morris 1991), in the unit of the output: its change when a parameter goes from the 2.5 to the
    97.5 % quantile of its prior, told from steps of two thirds of that.

    Attributes:
        trajectories: n.
        mu: (P,) in the unit of the output; mean effect.
        mu_star: (P,) same unit; mean size of the effect (Campolongo 2007, doi 10.1016/j.envsoft.2006.10.004).
        mu_star_half: (P,) same unit; half-width of its 95 % interval, by bootstrap over the trajectories.
        sigma: (P,) same unit; standard deviation of the effect: large where it depends on the other parameters.
    """

    trajectories: int
    mu: Array
    mu_star: Array
    mu_star_half: Array
    sigma: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What a number may be over the priors; all in its unit.

    Attributes:
        name: its path in summary.json.
        nominal: of the case as it is.
        low, median, high: 2.5, 50 and 97.5 % quantiles over the priors.
        low_error, high_error: standard errors of the ends, by bootstrap over the blocks.
        draws: independent draws that have this number.
    """

    name: str
    nominal: float
    low: float
    median: float
    high: float
    low_error: float
    high_error: float
    draws: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What an output depends on.

    Attributes:
        name: its path in summary.json.
        nominal: of the case as it is, in the unit of the name.
        interval: over the priors; None for a screening, whose draws lie on a grid.
        swings: (P, 2) in the unit of the output; with each parameter alone at the 2.5 and the 97.5 % quantile of its prior, nan where that failed.
        indices: from 1/8, 1/4, 1/2 and all of the blocks, the last being the answer; empty for a screening.
        effects: of a screening, else None.
    """

    name: str
    nominal: float
    interval: Interval | None
    swings: Array
    indices: tuple[Indices, ...] = ()
    effects: Effects | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """A study of uncertainty.

    Attributes:
        draws: what was asked.
        outputs: answers.
        intervals: of every number of the runs; empty for a screening.
        kept: blocks without a failed run; the others are left out as a whole.
        failures: sentence -> how many runs failed with it.
        numbers: (runs, names) in the units of the names, nan where a run failed.
        computed: runs of this process; the others were there before.
        seconds: s; of the simulations of this process.
    """

    draws: Draws
    outputs: tuple[Output, ...]
    intervals: tuple[Interval, ...]
    kept: int
    failures: Mapping[str, int]
    numbers: Array
    computed: int
    seconds: float

    @property
    def priors(self) -> tuple[Prior, ...]:
        """The parameters."""
        return self.draws.priors

    @property
    def found(self) -> Array:
        """The asked outputs of every run (runs, outputs) in their units, nan where a run failed."""
        return self.numbers[:, [self.draws.names.index(name) for name in self.draws.outputs]]


def sensitivity(case: Case, *, outputs: Sequence[str] = (), samples: int = 128, seed: int = 1, workers: int = 2, priors: Sequence[Prior] | None = None, method: str = "sobol",
                folder: Path | None = None, progress: Callable[[Progress], object] | None = None) -> Sensitivity:
    """Simulate a case with its parameters drawn from their priors, and tell intervals, indices and one-at-a-time swings of its outputs.

    Args:
        case: person, activity, interventions.
        outputs: names of numbers (`kneeload.population.run_numbers`), `*` and `?` stand for any letters; empty = a few of the medial side.
        samples: blocks, a power of two from 8; there are samples x (P + 2) runs and 2 P + 1 more. For "morris" trajectories of P + 1 runs.
        seed: the same seed gives the same answer, whatever the workers.
        workers: processes; 0 stays in this one.
        priors: default `priors_for(case)`.
        method: "sobol" or "morris".
        folder: keeps every run as soon as it is there, so that the same study goes on where it was stopped; None = in memory.
        progress: called after every few runs.

    Raises:
        InputError: an output or a parameter that there is not, a number of samples that cannot be used, SALib not installed, a case that fails, or a folder
            of another study.
        KneeloadError: hardly any block is left without a failed run, or workers are killed again and again, or the disk is full.
    """
    return study_of(drawn(case, priors=priors, outputs=outputs, samples=samples, seed=seed, method=method), workers=workers, folder=folder, progress=progress)


def study_of(draws: Draws, *, workers: int = 2, folder: Path | None = None, words: tuple[str, ...] = (), progress: Callable[[Progress], object] | None = None) -> Sensitivity:
    """Compute the runs of a study that are not in its folder yet, and tell what follows from all of them; see `sensitivity`."""
    begin = time.monotonic()
    with ExitStack() as stack:
        kept = InMemory() if folder is None else stack.enter_context(RunsFolder(folder, draws, words))
        numbers, failures, computed = compute(draws, kept, workers=workers, progress=progress)
    return told(draws, numbers, failures, computed=computed, seconds=time.monotonic() - begin)


def told(draws: Draws, numbers: Array, failures: Mapping[str, int], *, computed: int = 0, seconds: float = 0.0) -> Sensitivity:
    """What follows from the numbers (runs, names) of all runs.

    Raises:
        KneeloadError: hardly any block is left without a failed run.
    """
    places = [draws.names.index(name) for name in draws.outputs]
    blocks = numbers[draws.alone:].reshape(draws.samples, draws.block, len(draws.names))
    fine = np.isfinite(blocks[:, :, places]).all(axis=(1, 2))
    whole = blocks[fine]
    if len(whole) < (LEAST_BLOCKS if draws.method == "sobol" else LEAST_TRAJECTORIES):
        said = "; ".join(f"{count} runs: {sentence}" for sentence, count in failures.items()) or "the outputs do not exist for these parameters"
        raise KneeloadError(f"Only {len(whole)} of {draws.samples} blocks are without a failed run, too few for an interval ({said})")
    swings = numbers[1:draws.alone].reshape(-1, 2, len(draws.names))
    if draws.method == "sobol":
        intervals = _intervals(draws, numbers[0], whole)
        outputs = tuple(Output(name=name, nominal=float(numbers[0, place]), interval=intervals[place], swings=swings[:, :, place], indices=_converging(whole[:, :, place], draws.seed))
                        for name, place in zip(draws.outputs, places))
    else:
        grid = morris_grid(len(draws.priors), draws.samples, draws.seed).reshape(draws.samples, draws.block, -1)[fine]
        intervals = ()
        outputs = tuple(Output(name=name, nominal=float(numbers[0, place]), interval=None, swings=swings[:, :, place], effects=effects(grid, whole[:, :, place], draws.seed))
                        for name, place in zip(draws.outputs, places))
    return Sensitivity(draws=draws, outputs=outputs, intervals=intervals, kept=len(whole), failures=dict(failures), numbers=numbers, computed=computed, seconds=seconds)


def indices(found: Array, seed: int, *, resamples: int = RESAMPLES) -> Indices:
    """Sobol indices from the outputs (N, P + 2) of N whole blocks, with 95 % intervals by bootstrap; nan for an output that does not vary."""
    from SALib.analyze import sobol

    blocks, parameters = found.shape[0], found.shape[1] - 2
    if np.ptp(found) <= NO_VARIATION * np.abs(found).max():
        nothing = np.full(parameters, np.nan)
        return Indices(blocks=blocks, first=nothing, first_half=nothing, total=nothing, total_half=nothing)
    told = sobol.analyze(problem(parameters), found.reshape(-1), calc_second_order=False, num_resamples=resamples, conf_level=0.95, seed=seed)
    return Indices(blocks=blocks, first=np.asarray(told["S1"]), first_half=np.asarray(told["S1_conf"]), total=np.asarray(told["ST"]), total_half=np.asarray(told["ST_conf"]))


def effects(grid: Array, found: Array, seed: int) -> Effects:
    """Elementary effects from the outputs (N, P + 1) of N whole trajectories through grid points (N, P + 1, P) from 0 to 1."""
    from SALib.analyze import morris

    parameters = grid.shape[2]
    told = morris.analyze(problem(parameters), grid.reshape(-1, parameters), found.reshape(-1), num_resamples=RESAMPLES, num_levels=MORRIS_LEVELS, seed=seed)
    mu, mu_star, half, sigma = (np.asarray(told[name], dtype=float) for name in ("mu", "mu_star", "mu_star_conf", "sigma"))
    return Effects(trajectories=len(grid), mu=mu, mu_star=mu_star, mu_star_half=half, sigma=sigma)


def _converging(found: Array, seed: int) -> tuple[Indices, ...]:
    """Indices from 1/8, 1/4, 1/2 and all of the blocks (N, P + 2)."""
    sizes = sorted({size for part in (8, 4, 2) if (size := len(found) // part) >= LEAST_BLOCKS} | {len(found)})
    return tuple(indices(found[:size], seed) for size in sizes)


def _intervals(draws: Draws, nominal: Array, whole: Array) -> tuple[Interval, ...]:
    """Intervals of every number from whole blocks (N, P + 2, names)."""
    drawn = whole[:, [0, -1]]  # A and B: independent draws from the priors
    count = np.isfinite(drawn).sum(axis=(0, 1))
    usable = count > 0
    low, median, high = np.full((3, len(usable)), np.nan)
    errors = np.full((2, len(usable)), np.nan)
    low[usable], median[usable], high[usable] = np.nanquantile(drawn[:, :, usable], (ENDS[0], 0.5, ENDS[1]), axis=(0, 1))
    full = count == 2 * len(whole)  # the others are too seldom there for an error
    rng = np.random.default_rng(draws.seed)
    again = np.array([np.quantile(drawn[rng.integers(len(drawn), size=len(drawn))][:, :, full], ENDS, axis=(0, 1)) for _ in range(RESAMPLES)])
    errors[:, full] = again.std(axis=0)
    return tuple(Interval(name=name, nominal=float(nominal[place]), low=float(low[place]), median=float(median[place]), high=float(high[place]),
                          low_error=float(errors[0, place]), high_error=float(errors[1, place]), draws=int(count[place])) for place, name in enumerate(draws.names))
