"""What a study of uncertainty is: a case, the priors of its parameters, and the runs that are drawn from them. Everything its numbers depend on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.day import DAY_ACTIVITIES
from kneeload.case import Case
from kneeload.errors import InputError, check_choice, check_range
from kneeload.kernels.cache import source_hash
from kneeload.population.nearest import nearest
from kneeload.population.priors import Prior, changed_priors, priors_for
from kneeload.population.run_numbers import run_numbers
from kneeload.remembered import sources_hash
from kneeload.result import version_of_kneeload

Array = NDArray[np.float64]
LEAST_BLOCKS, LEAST_TRAJECTORIES = 8, 4
METHODS: tuple[str, ...] = ("sobol", "morris")
MORRIS_LEVELS = 4  # steps of the grid of Morris 1991, as he and SALib propose
ENDS = (0.025, 0.975)  # of intervals and of the one-at-a-time runs
LOAD_OUTPUTS = ("loads.medial.peak_force_n", "loads.lateral.peak_force_n", "loads.patellofemoral.peak_force_n")
CONTACT_OUTPUTS = ("loads.medial.peak_force_n", "contact.medial.peak_pressure_mpa", "bone.compartments.medial.daily_dose_mpa_s", "lesion.compartments.medial.any_risk_24mo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertainty:
    """Settings of a study, the keys of `uncertainty`.

    Attributes:
        method: "sobol" (indices and intervals) or "morris" (a screening with a tenth of the runs: which parameters matter at all).
        samples: blocks of "sobol", a power of two; trajectories of "morris".
        seed: of everything that is drawn.
        outputs: names of numbers, with `*` and `?` for several at once; empty = a few of the medial side.
        only: parameters that are drawn; empty = all that this case has.
        whole_day: whether all five activities of the day are simulated, and not the case's own alone.
        workers: processes; 0 = none beside this one. No number depends on it, but for last digits at 0.
        output: folder, None = a new one below runs/.
        priors: parameter -> what is other than in `kneeload.population.priors.PRIORS`.
    """

    method: str = "sobol"
    samples: int = 128
    seed: int = 1
    outputs: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    whole_day: bool = False
    workers: int = 2
    output: Path | None = None
    priors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("outputs", "only"):
            value = getattr(self, name)
            if not isinstance(value, tuple) or not all(isinstance(item, str) for item in value):
                raise InputError(name, where=f"uncertainty.{name}", got=value, allowed="a list of names", why="each is asked for by its name")
        if not isinstance(self.whole_day, bool):
            raise InputError("whole day", where="uncertainty.whole_day", got=self.whole_day, allowed="true or false", why="it is either done or not")
        check_samples(self.method, self.samples)
        for name, most in (("workers", 1024), ("seed", 2**32 - 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise InputError(name, where=f"uncertainty.{name}", got=value, allowed=f"a whole number from 0 to {most}", why="nothing else can be used")
            check_range(name, value, 0, most, "", where=f"uncertainty.{name}", why="nothing else can be used")

    def draws(self, case: Case) -> Draws:
        """The study of a case with these settings."""
        case = case if self.whole_day else day_of_one(case)
        return drawn(case, priors=priors_for(case, only=self.only, known=changed_priors(self.priors)), outputs=self.outputs, samples=self.samples, seed=self.seed, method=self.method)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """The runs of a study; the same record makes the same numbers, whoever computes them.

    Attributes:
        case: person, activity, interventions.
        priors: the P parameters.
        names: of all numbers of a run.
        outputs: those that are asked for.
        method: "sobol" or "morris".
        samples: blocks or trajectories.
        seed: of everything that is drawn.
        values: (runs, P) in the units of the parameters, nan = as in the case: the case as it is, each parameter alone at both ends, then the samples.
    """

    case: Case
    priors: tuple[Prior, ...]
    names: tuple[str, ...]
    outputs: tuple[str, ...]
    method: str
    samples: int
    seed: int
    values: Array

    @property
    def alone(self) -> int:
        """Runs before the samples: the case as it is, and two per parameter."""
        return 1 + 2 * len(self.priors)

    @property
    def block(self) -> int:
        """Runs of one sample: they count as a whole or not at all."""
        return len(self.priors) + (2 if self.method == "sobol" else 1)

    def record(self) -> dict[str, Any]:
        """What the numbers depend on, in plain types, for the manifest."""
        return {"method": self.method, "samples": self.samples, "seed": self.seed, "outputs": list(self.outputs), "priors": {item.name: record_of(item) for item in self.priors},
                "case": _plain(self.case), "draws": hashlib.sha256(np.ascontiguousarray(self.values).tobytes()).hexdigest()[:16], "numbers": list(self.names),
                "kneeload": version_of_kneeload(), "kernels": source_hash(), "sources": sources_hash()[:16]}


def record_of(prior: Prior) -> dict[str, Any]:
    """A prior in plain types; mean and SD where they count."""
    return {key: value for key, value in asdict(prior).items() if key not in ("name", "words") and (key not in ("mean", "sd") or prior.shape in ("normal", "lognormal"))}


def drawn(case: Case, *, priors: Sequence[Prior] | None = None, outputs: Sequence[str] = (), samples: int = 128, seed: int = 1, method: str = "sobol") -> Draws:
    """Draw the runs of a study, after one run of the case as it is, which tells the names of its numbers.

    Args:
        case: person, activity, interventions.
        priors: default `priors_for(case)`.
        outputs: names of numbers, `*` and `?` stand for any letters; empty = a few of the medial side.
        samples: a power of two from 8; for "morris" 4 or more.
        seed: of everything that is drawn.
        method: "sobol" or "morris".

    Raises:
        InputError: an output or method that there is not, an impossible number of samples, no SALib, or a case that fails.
    """
    require_salib()
    check_samples(method, samples)
    chosen = priors_for(case) if priors is None else tuple(priors)
    if not chosen:
        raise InputError("parameters", where="sensitivity", got="none", allowed="one or more", why="an interval comes from what is not known")
    numbers = {name: value for name, value in run_numbers(case).items() if value is not None}
    asked = chosen_outputs(outputs or (LOAD_OUTPUTS if case.contact is None else CONTACT_OUTPUTS), tuple(numbers))
    points = design(len(chosen), samples, seed) if method == "sobol" else ENDS[0] + (ENDS[1] - ENDS[0]) * morris_grid(len(chosen), samples, seed)  # the grid has its ends
    ends = [_at(place, prior.value(np.array(ENDS)), len(chosen)) for place, prior in enumerate(chosen)]
    values = np.vstack([np.full((1, len(chosen)), np.nan), *ends, np.column_stack([prior.value(points[:, place]) for place, prior in enumerate(chosen)])])
    return Draws(case=case, priors=chosen, names=tuple(numbers), outputs=asked, method=method, samples=samples, seed=seed, values=values)


def chosen_outputs(asked: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The names that are asked for, patterns with `*` and `?` filled in.

    Raises:
        InputError: a name or pattern that nothing fits.
    """
    found = dict[str, None]()
    for name in asked:
        fitting = [name] if name in names else [other for other in names if fnmatchcase(other, name)]
        if not fitting:
            raise InputError("output", where="uncertainty.outputs", got=name, allowed=f"a number of this case, such as {', '.join(nearest(name, names))} (`--list-outputs` lists all)",
                             why="this case has no such number")
        found |= dict.fromkeys(fitting)
    return tuple(found)


def day_of_one(case: Case) -> Case:
    """The case, and the one before its interventions, with its own activity as all of the day; with walking for one that is no part of a day."""
    before = None if case.baseline is None else day_of_one(case.baseline)
    own = case.activity.name if case.activity.name in DAY_ACTIVITIES else DAY_ACTIVITIES[0]
    return replace(case, day_activities=(own,), baseline=before)


def design(parameters: int, samples: int, seed: int) -> Array:
    """Points (samples (P + 2), P), no unit, 0 to 1: per block a row of A, P rows of A with one column of B, a row of B (Saltelli 2010,
    doi 10.1016/j.cpc.2009.09.018), from a scrambled Sobol sequence."""
    from SALib.sample import sobol

    return np.asarray(sobol.sample(problem(parameters), samples, calc_second_order=False, seed=seed))


def morris_grid(parameters: int, samples: int, seed: int) -> Array:
    """Grid points (samples (P + 1), P), no unit, 0 to 1: per trajectory a point and P steps, one parameter at a time (Morris 1991, doi 10.2307/1269043)."""
    from SALib.sample import morris

    return np.asarray(morris.sample(problem(parameters), samples, num_levels=MORRIS_LEVELS, seed=seed))


def problem(parameters: int) -> dict[str, Any]:
    """So many parameters from 0 to 1, in the words of SALib."""
    return {"num_vars": parameters, "names": [f"p{place}" for place in range(parameters)], "bounds": [[0.0, 1.0]] * parameters}


def require_salib() -> None:
    """Raise InputError that says what to install if SALib is not there."""
    try:
        import SALib  # noqa: F401
    except ImportError:
        raise InputError("package SALib", where="sensitivity", got="not installed", allowed="pip install 'kneeload[sensitivity]'", why="it draws and tells Sobol indices") from None


def check_samples(method: str, samples: int) -> None:
    """Raise InputError for a number of samples that the method cannot use."""
    check_choice("method", method, METHODS, where="uncertainty.method", why="these are known")
    least = LEAST_BLOCKS if method == "sobol" else LEAST_TRAJECTORIES
    if isinstance(samples, bool) or not isinstance(samples, int) or not least <= samples <= 2**20 or (method == "sobol" and samples & (samples - 1)):
        raise InputError("number of samples", where="uncertainty.samples", got=samples, allowed=f"{'a power of two' if method == 'sobol' else 'a whole number'} from {least} to {2**20}",
                         why="a Sobol sequence is even at these lengths only" if method == "sobol" else "so many trajectories are drawn")


def _at(place: int, ends: Array, parameters: int) -> Array:
    """Rows (2, P) with one parameter at both ends, the others nan."""
    rows = np.full((2, parameters), np.nan)
    rows[:, place] = ends
    return rows


def _plain(value: Any) -> Any:
    """Anything in a case in plain types; of a file or folder its name and a hash of what is in it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _file(held) if item.name == "file" or item.name.endswith(("_file", "folder")) else _plain(held) for item in fields(value) for held in [getattr(value, item.name)]}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:16]
    return json.loads(json.dumps(value, default=repr))


def _file(value: Any) -> Any:
    if not isinstance(value, str | Path) or not Path(value).exists():
        return _plain(value)
    path, digest = Path(value), hashlib.sha256()
    for item in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if item.is_file():
            digest.update(item.name.encode() + item.read_bytes())
    return f"{path.name} ({digest.hexdigest()[:16]})"
