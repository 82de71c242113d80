"""What the page and the engine behind it tell each other. The page (this folder) knows no engine; `kneeload.consultation` is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from kneeload.views.curves import KneeCurves
from kneeload.views.scene import Scene

GENERAL = "general"  # where errors are told that belong to no input


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One input of the page.

    Attributes:
        key: name of the value; starts with the group for those that are not of the person.
        label: plain words.
        unit: unit of the number, "" for none.
        kind: a number, a choice, or a short text.
        start: value at first.
        least, most, step: sensible range of the slider, in the unit; what is impossible is refused by the engine.
        choices: (value, words) of a choice.
        group: "person", "advanced", "cartilage", "lesions", "day" or the name of an intervention.
        hint: one short sentence under the input.
        empty: whether nothing is an answer as well.
    """

    key: str
    label: str
    group: str
    kind: Literal["number", "choice", "text"] = "number"
    unit: str = ""
    start: Any = None
    least: float = 0.0
    most: float = 1.0
    step: float = 1.0
    choices: tuple[tuple[str, str], ...] = ()
    hint: str = ""
    empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """An intervention that can be switched on.

    Attributes:
        key: name of the truth value.
        name: of the intervention.
        label: plain words.
        kind: device, body, habit, gait, strength or bone.
        about: what it acts on and what is known of it, for the reader.
        fields: its settings, the amount first.
    """

    key: str
    name: str
    label: str
    kind: str
    about: tuple[str, ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What the engine found for the inputs.

    Attributes:
        scene, before: the knee, and the same without the interventions (None without any).
        summary: as `kneeload.views.wording` reads it.
        curves, curves_before: forces over the cycle.
        sentences: further plain sentences with numbers from the engine.
        stage: 0 the activity alone, 1 the person's whole day, 2 with intervals.
    """

    scene: Scene
    before: Scene | None
    summary: Mapping[str, Any]
    curves: KneeCurves
    curves_before: KneeCurves | None
    sentences: tuple[str, ...] = ()
    stage: int = 0

    @property
    def whole_day(self) -> bool:
        """Whether the rest of the person's day is part of it."""
        return self.stage > 0


class Refused(Exception):
    """Inputs that cannot be used: a sentence for each, by the key of the field (or GENERAL)."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class Export:
    """A file that is handed to the browser: name, kind (MIME type) and content."""

    name: str
    kind: str
    content: bytes


@dataclass(slots=True)
class Uploads:
    """Files of a tab, in a folder of its own that ends with it.

    Attributes:
        folder: where they lie.
        recording: file of a recorded gait, or None.
        meshes: folder with surfaces and a manifest, or None.
    """

    folder: Path
    recording: Path | None = None
    meshes: Path | None = None
    words: dict[str, str] = field(default_factory=dict)


class Engine(Protocol):
    """What the page asks of an engine. All calls but the first three may take long and run in other threads."""

    fields: tuple[Field, ...]
    switches: tuple[Switch, ...]
    presets: tuple[tuple[str, str, Mapping[str, Any]], ...]

    def hka_deg(self, values: Mapping[str, Any]) -> float | None:
        """Hip-knee-ankle angle of the values, degrees; None when they have none."""
        ...

    def ask(self, values: Mapping[str, Any], uploads: Uploads) -> Any:
        """Return a question from the values of the fields, or raise Refused."""
        ...

    def quick(self, question: Any) -> Answer:
        """Answer from the activity alone; raises KneeloadError."""
        ...

    def whole(self, question: Any, *, sure: bool, wanted: Callable[[], bool]) -> Answer:
        """Answer from the whole day; `sure` adds intervals, which take seconds, and may stop early when it is no longer wanted."""
        ...

    def export(self, question: Any, kind: str) -> Export:
        """A file: "html", "pdf", "png", "maps", "animation", "csv", "json" or "vtk"."""
        ...

    def upload(self, kind: str, files: Sequence[Mapping[str, Any]], uploads: Uploads) -> None:
        """Take "recording" or "meshes", or raise InputError."""
        ...
