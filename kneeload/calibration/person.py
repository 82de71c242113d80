"""What a calibration hands on: a person's constants, whose they are and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from kneeload.calibration.parameters import MUSCLES
from kneeload.errors import InputError
from kneeload.forces.muscles import MuscleModel
from kneeload.forces.personal import PersonalGeometry, personal_geometry
from kneeload.subject.person import Subject

_SAME_HEIGHT_M = 0.02  # a person measured twice (assumption)
LARGEST_SETTING: Mapping[str, float] = {"stability": 2.0, "steadiness": 6.0, "moment_variation": 0.5, "joint_load_cost": 1.0, "strength_scale": 3.0}
"""Settings of `MuscleModel` that a person may have a factor on, and the largest value of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalConstants:
    """Constants of one person in force: changes of the knee and factors on settings of the muscles.

    Attributes:
        geometry: what differs from the generic knee.
        muscles: (setting of `MuscleModel`, factor on it) pairs.
    """

    geometry: PersonalGeometry
    muscles: tuple[tuple[str, float], ...] = ()

    def muscle_model(self, generic: MuscleModel) -> MuscleModel:
        """Return the muscle settings of this person; the generic ones untouched where there is no factor."""
        return replace(generic, **{name: getattr(generic, name) * factor for name, factor in self.muscles}) if self.muscles else generic

    def by_name(self) -> dict[str, float]:
        """Return every constant by name (the inverse of `personal_constants`)."""
        return self.geometry.constants() | {MUSCLES + name: factor for name, factor in self.muscles}


def personal_constants(values: Mapping[str, float]) -> PersonalConstants:
    """Return the constants with these names and values.

    Raises:
        InputError: an unknown name or a value out of range.
    """
    factors = {name.removeprefix(MUSCLES): value for name, value in values.items() if name.startswith(MUSCLES)}
    for name, factor in factors.items():
        if name not in LARGEST_SETTING:
            raise InputError("personal constant", where="calibration", got=MUSCLES + name, allowed="one of " + ", ".join(MUSCLES + setting for setting in LARGEST_SETTING),
                             why="a person has no other factor on the muscle settings")
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0.0 <= factor <= 100.0:
            raise InputError("personal constant", where=f"calibration.{MUSCLES}{name}", got=factor, allowed="a factor from 0 to 100", why="it multiplies a setting")
    others = {name: value for name, value in values.items() if not name.startswith(MUSCLES)}
    return PersonalConstants(geometry=personal_geometry(others), muscles=tuple((name, float(factors[name])) for name in LARGEST_SETTING if name in factors))


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A calibrated person. Results made with it are fits of that person, never plain predictions, and say so.

    Attributes:
        constants: what was fitted.
        generic: muscle settings that the fit started from.
        subject: the person at the time of the recording.
        strides: names of the strides that were fitted.
        tested: names of strides that were only predicted.
        name: of the file that it was read from or written to, "" while it has none.
        kneeload: version that made it.
    """

    constants: PersonalConstants
    generic: MuscleModel
    subject: Subject
    strides: tuple[str, ...]
    tested: tuple[str, ...] = ()
    name: str = ""
    kneeload: str = ""

    @property
    def geometry(self) -> PersonalGeometry:
        """What differs from the generic knee."""
        return self.constants.geometry

    def muscle_model(self, generic: MuscleModel) -> MuscleModel:
        """Return this person's muscle settings.

        Raises:
            InputError: `generic` is not what the fit started from.
        """
        for item in fields(MuscleModel):
            ours, theirs = getattr(self.generic, item.name), getattr(generic, item.name)
            if ours != theirs:
                raise InputError(item.name.replace("_", " "), where=f"muscles.{item.name}", got=theirs, allowed=f"{ours!r}, as in the calibration {self.name}".rstrip(),
                                 why="a person's constants hold only for the muscle settings they were fitted with")
        return self.constants.muscle_model(generic)

    def check_person(self, subject: Subject) -> None:
        """Refuse another person; mass and alignment may change (weight loss, osteotomy).

        Raises:
            InputError: sex, height or contact spacing are another person's.
        """
        for key in ("sex", "height_m", "contact_spacing_mm"):
            ours, theirs = getattr(self.subject, key), getattr(subject, key)
            same = abs(ours - theirs) <= _SAME_HEIGHT_M if key == "height_m" else ours == theirs
            if not same:
                raise InputError(key, where=f"subject.{key}", got=theirs, allowed=f"{ours!r}, as in the calibration {self.name}".rstrip(),
                                 why="a calibration belongs to one person")

    def sentence(self) -> str:
        """What every reader of a result made with it is told."""
        return (f"Calibrated, not a plain prediction: {len(self.constants.by_name())} constants of this person were fitted to measured forces of "
                f"{', '.join(self.strides)}.")

    def provenance(self, motion_source: str) -> dict[str, Any]:
        """What a summary says about it: file, strides fitted, and whether the motion at hand is one of them."""
        return {"file": self.name or None, "strides": list(self.strides), "kneeload": self.kneeload,
                "fitted_to_this_motion": motion_source.removeprefix("recorded: ") in self.strides}
