"""What is asked about the course of lesions: for how long, with which drug, in which ranges of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kneeload.errors import InputError, check_range
from kneeload.lesion.course_model import CourseModel
from kneeload.lesion.modifiers import modifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Some weeks with or without the interventions of the case; `weeks` in weeks."""

    weeks: float
    interventions: bool = True

    def __post_init__(self) -> None:
        check_range("weeks of a period", self.weeks, 0.1, 2600.0, "weeks", where="course.periods", why="the model is for weeks to years")
        if not isinstance(self.interventions, bool):
            raise InputError("period", where="course.periods", got=self.interventions, allowed="interventions: true or false", why="a period is lived with them or without")


@dataclass(frozen=True, slots=True, kw_only=True)
class CoursePlan:
    """Time lived with the habits and interventions of the case, or with and without them by turns.

    Attributes:
        weeks: length, weeks; not used with `periods`.
        periods: stretches one after the other, none by default; each is a `Stretch` or a mapping with its keys.
        every_weeks: distance of the dates that are told, weeks.
        modifiers: names of drugs with a published effect on lesions (`kneeload.lesion.modifiers`), none by default.
        model: ranges of the two-state model.
    """

    weeks: float = 104.0
    periods: tuple[Stretch, ...] = ()
    every_weeks: float = 4.0
    modifiers: tuple[str, ...] = ()
    model: CourseModel = field(default_factory=CourseModel)

    def __post_init__(self) -> None:
        object.__setattr__(self, "modifiers", tuple(self.modifiers))
        object.__setattr__(self, "periods", tuple(_stretch(item) for item in self.periods))
        check_range("weeks of the course", self.weeks, 1.0, 2600.0, "weeks", where="course.weeks", why="the model is for weeks to years")
        whole = sum(item.weeks for item in self.stretches)
        check_range("weeks of all periods", whole, 1.0, 2600.0, "weeks", where="course.periods", why="the model is for weeks to years")
        check_range("distance of the dates", self.every_weeks, whole / 1000.0, whole, "weeks", where="course.every_weeks", why="at most 1000 dates are kept")
        for name in self.modifiers:
            modifier(name)

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """The periods, or one with the interventions over all weeks."""
        return self.periods or (Stretch(weeks=self.weeks),)


def _stretch(item: object) -> Stretch:
    if isinstance(item, Stretch):
        return item
    if not isinstance(item, Mapping) or not {"weeks"} <= set(item) <= {"weeks", "interventions"}:
        raise InputError("period", where="course.periods", got=item, allowed="weeks and, if wanted, interventions: true or false", why="a course is lived period by period")
    return Stretch(**{str(key): value for key, value in item.items()})
