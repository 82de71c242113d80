"""Fit a person's constants to measured compartment forces: bounded least squares with a prior on every constant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kneeload.calibration.parameters import MUSCLES, Parameter, constants_of
from kneeload.calibration.person import LARGEST_SETTING, PersonalConstants, personal_constants
from kneeload.errors import InputError
from kneeload.forces.agreement import COLUMNS
from kneeload.forces.joint import joint_loads
from kneeload.forces.loads import JointLoads
from kneeload.forces.muscles import MuscleModel
from kneeload.motion.motion import Motion
from kneeload.subject.anatomy import KneeAnatomy
from kneeload.subject.person import Subject

Array = NDArray[np.float64]

EXPECTED_ERROR_BW = 0.12
"""Error of a calibrated force that is no longer worth a change of constants, in body weights (75 N at 64 kg): the weight of the measurement
against the prior. Assumption, 0.08 to 0.2."""
INDEPENDENT_SAMPLES = 12
"""How many of the 101 samples of a force are independent: a stride of 1.1 s filtered near 6 Hz has twice 6 x 1.1 (assumption, 8 to 20)."""
_STEP = 1e-3  # of the finite differences, in standard deviations of the prior
_AT_BOUND = 1e-4  # a value this close to a bound, in the same unit, is put on it (the minimiser stays inside)
_UNSOLVED_N = 5000.0  # stands in for the force of a frame without solution


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stride:
    """A recorded stride with measured forces.

    Attributes:
        name: of its file.
        motion: angles and net loads.
        medial, lateral: (101,) N, measured.
    """

    name: str
    motion: Motion
    medial: Array
    lateral: Array


def stride_of(motion: Motion, name: str) -> Stride:
    """Return a stride that can be fitted or tested.

    Raises:
        InputError: the recording carries no measured forces.
    """
    measured = motion.measured or {}
    missing = [column for column in COLUMNS.values() if column not in measured]
    if missing:
        raise InputError("measured forces", where=name, got="none" if not measured else ", ".join(sorted(measured)), allowed="columns " + ", ".join(COLUMNS.values()),
                         why="a calibration is fitted to and tested against them")
    medial, lateral = (np.asarray(measured[column], dtype=float) for column in COLUMNS.values())
    return Stride(name=name, motion=motion, medial=medial, lateral=lateral)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KneeModel:
    """The generic knee of a person: all that `joint_loads` needs besides a motion.

    Attributes:
        subject: the person.
        centres_flexion: (k,) rad; flexion angles of the contact centres.
        centres: (k, 2, 2) mm, tibia frame; (x, z) of the medial and lateral contact centre.
        source_scale: (3,) no unit; size over that of the source knee.
        muscles: settings.
    """

    subject: Subject
    centres_flexion: Array
    centres: Array
    source_scale: Array
    muscles: MuscleModel

    def loads(self, motion: Motion, constants: PersonalConstants | None = None) -> JointLoads:
        """Return the forces of a motion, generic or with a person's constants."""
        return joint_loads(motion, self.subject, centres_flexion=self.centres_flexion, centres_mm=self.centres, source_scale=self.source_scale,
                           spacing_mm=self.subject.contact_spacing_mm, muscles=self.muscles if constants is None else constants.muscle_model(self.muscles),
                           personal=None if constants is None else constants.geometry)


def knee_model(anatomy: KneeAnatomy, subject: Subject, muscles: MuscleModel) -> KneeModel:
    """Return the generic knee of a person with this anatomy."""
    return KneeModel(subject=subject, centres_flexion=anatomy.contact_centres_flexion, centres=anatomy.contact_centres_mm,
                     source_scale=np.asarray(anatomy.source_scale), muscles=muscles)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """A fit of p parameters.

    Attributes:
        parameters: what was fitted.
        values: in the units of the parameters.
        standard: (p,) no unit; values in standard deviations of their priors.
        cost: no unit; weighted squares of forces and priors.
        effective: no unit; number of parameters that the measurement determines rather than the prior, 0 to p.
    """

    parameters: tuple[Parameter, ...]
    values: tuple[float, ...]
    standard: Array
    cost: float
    effective: float

    def constants(self) -> PersonalConstants:
        """Return the person's constants."""
        return personal_constants(constants_of(self.parameters, self.values))


def _inside_limits(parameter: Parameter, muscles: MuscleModel) -> Parameter:
    """The parameter with bounds that keep the muscle settings it multiplies inside their range."""
    high = parameter.high
    for constant in parameter.constants:
        setting = getattr(muscles, constant.removeprefix(MUSCLES)) if constant.startswith(MUSCLES) else 0.0
        high = min(high, LARGEST_SETTING[constant.removeprefix(MUSCLES)] / setting) if setting > 0.0 else high
    return replace(parameter, high=high)


class _Problem:
    """Residuals of a fit: force differences of all strides, then the priors. `u` is in standard deviations of the priors."""

    def __init__(self, knee: KneeModel, strides: Sequence[Stride], parameters: tuple[Parameter, ...]) -> None:
        self.knee, self.strides, self.parameters = knee, strides, parameters
        self.weight = float(np.sqrt(INDEPENDENT_SAMPLES / len(strides[0].medial))) / (EXPECTED_ERROR_BW * knee.subject.body_weight_n)
        self.low, self.high = np.array([parameter.bounds for parameter in parameters]).reshape(-1, 2).T
        names = [parameter.name for parameter in parameters]
        chains = [(i, names.index(p.neighbour)) for i, p in enumerate(parameters) if p.neighbour]
        self.prior = np.zeros((len(names) + len(chains), len(names)))
        self.prior[: len(names)] = np.eye(len(names))
        for row, (i, j) in enumerate(chains, start=len(names)):
            self.prior[row, i], self.prior[row, j] = -1.0, 1.0

    def values(self, u: Array) -> tuple[float, ...]:
        return tuple(parameter.value(float(x)) for parameter, x in zip(self.parameters, u))

    def forces(self, u: Array) -> Array:
        constants = personal_constants(constants_of(self.parameters, self.values(u)))
        rows = []
        for stride in self.strides:
            loads = self.knee.loads(stride.motion, constants)
            rows += [loads.medial_force - stride.medial, loads.lateral_force - stride.lateral]
        return self.weight * np.nan_to_num(np.concatenate(rows), nan=_UNSOLVED_N)

    def residuals(self, u: Array) -> Array:
        return np.concatenate([self.forces(u), self.prior @ u])

    def jacobian(self, u: Array) -> Array:
        base = self.forces(u)
        columns = []
        for k in range(len(u)):
            step = _STEP if u[k] + _STEP <= self.high[k] else -_STEP
            moved = u.copy()
            moved[k] += step
            columns.append((self.forces(moved) - base) / step)
        return np.concatenate([np.stack(columns, axis=1), self.prior])


def fit(knee: KneeModel, strides: Sequence[Stride], parameters: tuple[Parameter, ...], *, start: Array | None = None, starts: int = 1,
        seed: int = 0, max_steps: int = 40, progress: Callable[[str], None] | None = None) -> Fit:
    """Return the constants that fit the measured medial and lateral forces of some strides.

    Minimises the squared force differences, weighed by `EXPECTED_ERROR_BW` and `INDEPENDENT_SAMPLES`, plus the squared distance of every
    parameter from its generic value in standard deviations of its prior (a maximum of the posterior). Trust-region reflective least
    squares with bounds (scipy). The forces have kinks where the set of working muscles changes, so several seeded starts are compared.

    Args:
        knee: the generic knee.
        strides: to fit; at least one.
        parameters: to change; none gives the generic knee.
        start: (p,) no unit; first start in standard deviations of the priors, None = generic.
        starts: how many starts; all but the first are drawn.
        seed: of the drawn starts.
        max_steps: of the minimiser, per start.
        progress: called with a line of words after each start.

    Raises:
        InputError: no stride.
    """
    from scipy.optimize import least_squares  # here: its import takes longer than a run of the load level

    if not strides:
        raise InputError("strides", where="--strides", got="none", allowed="at least one", why="there is nothing to fit to")
    parameters = tuple(_inside_limits(parameter, knee.muscles) for parameter in parameters)
    problem, count = _Problem(knee, strides, parameters), len(parameters)
    if not count:
        cost = float(np.sum(problem.forces(np.zeros(0)) ** 2))
        return Fit(parameters=(), values=(), standard=np.zeros(0), cost=cost, effective=0.0)
    draw, best = np.random.default_rng(seed), None
    for k in range(max(starts, 1)):
        first = np.zeros(count) if start is None else start
        if k:
            first = 0.7 * draw.standard_normal(count)
        inside = np.clip(first, problem.low + 1e-3, problem.high - 1e-3)
        answer = least_squares(problem.residuals, inside, problem.jacobian, bounds=(problem.low, problem.high), xtol=1e-4, ftol=1e-4, max_nfev=max_steps)
        if best is None or answer.cost < best.cost:
            best = answer
        if progress is not None:
            progress(f"start {k + 1} of {starts}: cost {2.0 * answer.cost:.1f}, best {2.0 * best.cost:.1f}")
    assert best is not None
    found = np.where(best.x - problem.low < _AT_BOUND, problem.low, np.where(problem.high - best.x < _AT_BOUND, problem.high, best.x))
    data = best.jac[: -len(problem.prior)]
    information = data.T @ data
    effective = float(np.trace(np.linalg.solve(information + problem.prior.T @ problem.prior, information)))
    return Fit(parameters=parameters, values=problem.values(found), standard=found, cost=float(2.0 * best.cost), effective=effective)
