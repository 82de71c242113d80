"""What is asked about the course of lesions: for how long, with which drug, in which ranges of the model."""

from __future__ import annotations

from dataclasses import dataclass, field

from kneeload.errors import check_range
from kneeload.lesion.course_model import CourseModel
from kneeload.lesion.modifiers import modifier


@dataclass(frozen=True, slots=True, kw_only=True)
class CoursePlan:
    """A stretch of time lived with the habits and interventions of the case.

    Attributes:
        weeks: length, weeks.
        every_weeks: distance of the dates that are told, weeks.
        modifiers: names of drugs with a published effect on lesions (`kneeload.lesion.modifiers`), none by default.
        model: ranges of the two-state model.
    """

    weeks: float = 104.0
    every_weeks: float = 4.0
    modifiers: tuple[str, ...] = ()
    model: CourseModel = field(default_factory=CourseModel)

    def __post_init__(self) -> None:
        object.__setattr__(self, "modifiers", tuple(self.modifiers))
        check_range("weeks of the course", self.weeks, 1.0, 2600.0, "weeks", where="course.weeks", why="the model is for weeks to years")
        check_range("distance of the dates", self.every_weeks, self.weeks / 1000.0, self.weeks, "weeks", where="course.every_weeks", why="at most 1000 dates are kept")
        for name in self.modifiers:
            modifier(name)
