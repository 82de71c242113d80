"""READ FIRST: strides of one person in, that person's constants and how well they predict out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from kneeload.calibration.choosing import Progress, Trial, choose
from kneeload.calibration.comparison import StrideError, compare
from kneeload.calibration.fitting import Fit, KneeModel, Stride, fit
from kneeload.calibration.person import Calibration
from kneeload.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibrated:
    """A calibration and the evidence for it.

    Attributes:
        calibration: what other cases of this person use.
        fit: parameters and values.
        errors: per stride and model; strides left out in turn have the use "left out".
        choice: how the parameters were chosen, empty if they were given.
    """

    calibration: Calibration
    fit: Fit
    errors: tuple[StrideError, ...]
    choice: tuple[Trial, ...]


def calibrate(knee: KneeModel, fitted: Sequence[Stride], tested: Sequence[Stride] = (), *, stages: Sequence[str] | None = None,
              leave_one_out: bool = False, starts: int = 3, seed: int = 0, progress: Progress | None = None) -> Calibrated:
    """Fit a person's constants to some strides and test them on others, which have no part in the fit or in the choice of its parameters.

    Args:
        knee: the generic knee of the person.
        fitted, tested: strides with measured forces.
        stages: names of `kneeload.calibration.parameters.STAGES` to fit; None = as many as held-out strides bear (see `choose`).
        leave_one_out: also fit the chosen parameters without each fitted stride in turn, and predict it.
        starts: of the final fit; all but the first are drawn.
        seed: of the drawn starts; the same input and seed give the same answer.
        progress: called with lines of words.

    Raises:
        InputError: no stride to fit, or a stride that is to be fitted and tested.
    """
    check_strides(fitted, tested)
    answer, choice = choose(knee, fitted, stages=stages, starts=starts, seed=seed, progress=progress)
    errors = compare(knee, answer, fitted, tested)
    if leave_one_out and len(fitted) > 1:
        for left in fitted:
            if progress is not None:
                progress(f"leaving out {left.name}")
            others = fit(knee, [stride for stride in fitted if stride is not left], answer.parameters, starts=starts, seed=seed)
            errors += tuple(row for row in compare(knee, others, (), [left], use="left out") if row.model == "calibrated")
    calibration = Calibration(constants=answer.constants(), generic=knee.muscles, subject=knee.subject, strides=tuple(stride.name for stride in fitted),
                              tested=tuple(stride.name for stride in tested), kneeload=version("kneeload"))
    return Calibrated(calibration=calibration, fit=answer, errors=errors, choice=choice)


def check_strides(fitted: Sequence[Stride], tested: Sequence[Stride]) -> None:
    """Refuse an empty list, one stride twice, and a test that has been fitted.

    Raises:
        InputError: see above.
    """
    if not fitted:
        raise InputError("strides", where="--strides", got="none", allowed="at least one", why="there is nothing to fit to")
    for i, stride in enumerate([*fitted, *tested]):
        for other in fitted[:i]:
            if stride.name == other.name or (np.array_equal(stride.medial, other.medial) and np.array_equal(stride.lateral, other.lateral)):
                where, why = ("--strides", "a stride counts once") if i < len(fitted) else ("--test", "a stride that was fitted is no test")
                raise InputError("stride", where=where, got=stride.name, allowed=f"another recording than {other.name} of --strides", why=why)
