"""The bench on which predictions are made: models, data folder, and runs that several rows share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload import interventions
from kneeload.calibration.person import Calibration
from kneeload.case import Case
from kneeload.contact.cycle import ContactCycle
from kneeload.forces.muscles import MuscleModel
from kneeload.motion.activity import ACTIVITY_NAMES, Activity
from kneeload.result import ActivityResult
from kneeload.simulate import anatomy_of, run_activity
from kneeload.subject.person import Subject

Change = tuple[str, tuple[tuple[str, Any], ...]]  # an intervention and its parameters


class Skipped(Exception):
    """A row cannot be judged in this call: recorded data, a calibration or the contact level was not given."""


class NotSimulated(Exception):
    """The engine has no such activity or intervention (yet)."""


def plain_static_optimisation() -> MuscleModel:
    """Return the settings that stand beside the default: equal weights, no co-contraction (what most published models do)."""
    return MuscleModel(effort="activation", co_contraction=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What predictions are made with.

    Attributes:
        case: models and the standard person; its activity is not used. `contact=None` is the load level.
        data: folder with recorded data, or None.
        calibration: a calibrated person's own constants; predictions with it are fits of that person. None = the generic knee.
    """

    case: Case = field(default_factory=lambda: Case(contact=None))
    data: Path | None = None
    calibration: Calibration | None = None

    def file(self, name: str) -> Path:
        """Return the path of a recorded file.

        Raises:
            Skipped: no folder was given, or it does not hold the file.
        """
        if self.data is None:
            raise Skipped("no data: give the folder with --data")
        path = self.data / name
        if not path.is_file():
            raise Skipped(f"no data: {name} is not in {self.data}")
        return path

    def case_of(self, subject: Subject) -> Case:
        """Return the bench's case for another person."""
        return replace(self.case, subject=subject)

    def with_muscles(self, muscles: MuscleModel) -> Bench:
        """Return the bench with other muscle settings."""
        return replace(self, case=replace(self.case, muscles=muscles))


def activity_of(name: str, subject: Subject, *, speed_m_s: float | None = None, speed_height_per_s: float | None = None) -> Activity:
    """Return an activity by name, at a speed in m/s or in body heights per second where it is given.

    Raises:
        NotSimulated: the engine does not know the activity.
    """
    if name not in ACTIVITY_NAMES:
        raise NotSimulated(f"the engine has no activity '{name}' yet")
    if speed_height_per_s is not None:
        speed_m_s = speed_height_per_s * subject.height_m
    return Activity(name=name, speed_m_s=speed_m_s)


def change_of(name: str, parameters: Mapping[str, Any] | None = None) -> Change:
    """Return an intervention by name.

    Raises:
        NotSimulated: the engine does not know the intervention.
    """
    if name not in interventions.INTERVENTIONS:
        raise NotSimulated(f"the engine has no intervention '{name}' yet")
    return name, tuple(sorted((parameters or {}).items()))


_unbalanced: ContextVar[list[str] | None] = ContextVar("unbalanced", default=None)


@contextmanager
def noting_reserves() -> Iterator[list[str]]:
    """Collect what is not balanced in the runs inside the block, in words (a reserve is shown, never hidden)."""
    found: list[str] = []
    token = _unbalanced.set(found)
    try:
        yield found
    finally:
        _unbalanced.reset(token)


def note(words: str) -> None:
    """Say something that stands beside the prediction being made, inside `noting_reserves`."""
    found = _unbalanced.get()
    if found is not None and words not in found:
        found.append(words)


def run(bench: Bench, subject: Subject, activity: Activity, changes: tuple[Change, ...] = ()) -> ActivityResult:
    """Return one activity of a person, with interventions; remembered, since many rows share it."""
    result = _run(bench, subject, activity, changes)
    frames = int(np.count_nonzero(result.loads.status))
    if frames:
        note(f"{activity.name}: a reserve moment in {frames} of {len(result.loads.status)} frames")
    return result


@lru_cache(maxsize=2048)
def _run(bench: Bench, subject: Subject, activity: Activity, changes: tuple[Change, ...]) -> ActivityResult:
    case = replace(bench.case, subject=subject, activity=activity, calibration=bench.calibration)
    for name, parameters in changes:
        case = interventions.apply(case, name, dict(parameters))
    return run_activity(case, anatomy_of(case), activity)


def contact_of(result: ActivityResult) -> ContactCycle:
    """Return the contact of a run.

    Raises:
        Skipped: the bench is at the load level.
    """
    if result.contact is None:
        raise Skipped("needs the contact: give --contact")
    return result.contact


def cycle_percent(result: ActivityResult) -> NDArray[np.float64]:
    """Cycle percent of the frames, (T,) no unit, 0 to 100."""
    return np.linspace(0.0, 100.0, len(result.motion.time))


def stance_percent(result: ActivityResult) -> NDArray[np.float64]:
    """Percent of stance of the frames, (T,) no unit; 0 at heel strike, 100 at the last frame on the ground, above 100 in swing."""
    last = np.flatnonzero(result.motion.stance)[-1]
    return 100.0 * np.arange(len(result.motion.time)) / last


def within(result: ActivityResult, window: Sequence[float] | None, *, of: str = "cycle") -> NDArray[np.bool_]:
    """Frames of a window in percent of the cycle or of stance, (T,) bool; None = all."""
    if window is None:
        return np.ones(len(result.motion.time), dtype=bool)
    percent = cycle_percent(result) if of == "cycle" else stance_percent(result)
    return (percent >= window[0]) & (percent <= window[1])


def peak(values: NDArray[np.float64], frames: NDArray[np.bool_]) -> float:
    """Largest of `values` (T,) among the chosen frames."""
    return float(values[frames].max())
