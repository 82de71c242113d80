"""How many constants a recording can bear: stages of parameters, each kept only if it predicts held-out strides better."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.calibration.fitting import Fit, KneeModel, Stride, fit
from kneeload.calibration.parameters import STAGES, parameters_of
from kneeload.calibration.person import PersonalConstants
from kneeload.errors import check_choice

Progress = Callable[[str], None]
LEAST_GAIN = 0.02
"""A stage is kept if it lowers the error of held-out strides by this share (assumption, 0.01 to 0.05)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One step of the choice.

    Attributes:
        stages: names that were in the fit.
        parameters: how many numbers were fitted.
        effective: how many of them the measurement determines, no unit.
        fitted_n: error on the strides that were fitted, N (root mean square over strides, medial and lateral).
        held_out_n: the same on strides left out in turn, N; nan with a single stride.
        kept: whether the last stage was kept.
    """

    stages: tuple[str, ...]
    parameters: int
    effective: float
    fitted_n: float
    held_out_n: float
    kept: bool


def stride_error(knee: KneeModel, stride: Stride, constants: PersonalConstants | None) -> tuple[float, float]:
    """Return the root-mean-square error of the medial and of the lateral force of a stride, N."""
    loads = knee.loads(stride.motion, constants)
    return tuple(float(np.sqrt(np.mean((force - measured) ** 2))) for force, measured in  # type: ignore[return-value]
                 ((loads.medial_force, stride.medial), (loads.lateral_force, stride.lateral)))


class _Warm:
    """Fits that start where the fit of the same strides with fewer parameters ended."""

    def __init__(self, knee: KneeModel, strides: Sequence[Stride]) -> None:
        self.knee, self.strides = knee, strides
        self.found: dict[int | None, dict[str, float]] = {}

    def fit(self, stages: tuple[str, ...], without: int | None) -> Fit:
        """Fit all strides, or all but one."""
        parameters = parameters_of(stages)
        found = self.found.get(without, {})
        start = np.array([found.get(parameter.name, 0.0) for parameter in parameters])
        return fit(self.knee, [stride for i, stride in enumerate(self.strides) if i != without], parameters, start=start)

    def keep(self, fits: dict[int | None, Fit]) -> None:
        self.found = {without: {p.name: float(u) for p, u in zip(answer.parameters, answer.standard)} for without, answer in fits.items()}


def _pooled(errors: Sequence[tuple[float, float]]) -> float:
    return float(np.sqrt(np.mean(np.square(errors)))) if len(errors) else float("nan")


def choose(knee: KneeModel, strides: Sequence[Stride], *, stages: Sequence[str] | None = None, starts: int = 3, seed: int = 0,
           progress: Progress | None = None) -> tuple[Fit, tuple[Trial, ...]]:
    """Return the fit with as many parameters as the strides can bear, and the steps of the choice.

    Stages are added in the order of `STAGES`, and those that failed are tried again as long as others were kept. After each, every stride
    is predicted from a fit to the others; the stage is kept if that error falls by `LEAST_GAIN`. With a single stride nothing can be held out: only the first stage is fitted. Strides that will be used
    as a test have no part in it. The final fit is started several times.

    Args:
        knee: the generic knee.
        strides: to fit.
        stages: names of `STAGES` to fit without choosing; None = choose.
        starts: of the final fit.
        seed: of the drawn starts.
        progress: called with lines of words.

    Raises:
        InputError: an unknown stage, or no stride.
    """
    for stage in stages or ():
        check_choice("stage", stage, tuple(STAGES), where="--stages", why="these groups of parameters exist")
    say = progress or (lambda words: None)
    if stages is not None or len(strides) < 2:
        kept = tuple(stage for stage in STAGES if stage in (stages if stages is not None else ("joint",)))
        trials: tuple[Trial, ...] = ()
        start = None
    else:
        kept, trials, start = _forward(knee, strides, say)
    answer = fit(knee, strides, parameters_of(kept), start=start, starts=starts, seed=seed, progress=lambda words: say(f"final fit, {words}"))
    return answer, trials


def _forward(knee: KneeModel, strides: Sequence[Stride], say: Progress) -> tuple[tuple[str, ...], tuple[Trial, ...], NDArray[np.float64]]:
    warm, kept, trials = _Warm(knee, strides), (), []  # type: _Warm, tuple[str, ...], list[Trial]
    best = _pooled([stride_error(knee, stride, None) for stride in strides])
    trials.append(Trial(stages=(), parameters=0, effective=0.0, fitted_n=best, held_out_n=best, kept=True))
    start = np.zeros(0)
    tried: dict[str, tuple[str, ...]] = {}  # stage -> what was kept when it last failed
    while True:  # a group that gains nothing alone may gain once another is there
        waiting = [stage for stage in STAGES if stage not in kept and tried.get(stage) != kept]
        if not waiting:
            break
        for stage in waiting:
            if tried.get(stage) == kept:
                continue
            stages = tuple(name for name in STAGES if name in (*kept, stage))
            fits: dict[int | None, Fit] = {}
            for without in (None, *range(len(strides))):
                say(f"stage {stage}: " + ("all strides" if without is None else f"without {strides[without].name}"))
                fits[without] = warm.fit(stages, without)
            held_out = _pooled([stride_error(knee, stride, fits[i].constants()) for i, stride in enumerate(strides)])
            fitted = _pooled([stride_error(knee, stride, fits[None].constants()) for stride in strides])
            good = held_out < (1.0 - LEAST_GAIN) * best
            trials.append(Trial(stages=stages, parameters=len(fits[None].parameters), effective=fits[None].effective, fitted_n=fitted, held_out_n=held_out, kept=good))
            if good:
                best, kept, start = held_out, stages, fits[None].standard
                warm.keep(fits)
            else:
                tried[stage] = kept
    return kept, tuple(trials), start
