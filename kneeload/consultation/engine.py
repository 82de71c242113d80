"""The engine of the page: answers for a case, quickly from its activity alone, later from the whole day."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kneeload.case import Case
from kneeload.consultation import exports, uploading
from kneeload.consultation.fields import FIELDS, PRESETS, switches
from kneeload.consultation.form import Question, number, question
from kneeload.consultation.promises import promises
from kneeload.contact.cycle import COMPARTMENTS
from kneeload.errors import InputError
from kneeload.outlook import outlook_summary
from kneeload.result import KneeResult, version_of_kneeload
from kneeload.run_folder import scene_of
from kneeload.simulate import simulate, spread_of
from kneeload.subject.person import Subject
from kneeload.views.app.contract import Answer, Export, Field, Switch, Uploads
from kneeload.views.curves import knee_curves


class KneeEngine:
    """An engine for the page (`kneeload.views.app.contract.Engine`). One serves all tabs; it keeps nothing of a tab.

    Args:
        start: the case that a page begins with; its settings that have no field hold for every question.
    """

    def __init__(self, start: Case | None = None) -> None:
        self._start = Case() if start is None else start
        if self._start.contact is None:
            raise InputError("contact", where="contact", got="none", allowed="a case with contact", why="the page shows pressures")
        self.switches: tuple[Switch, ...] = switches()
        self.fields: tuple[Field, ...] = tuple(replace(item, start=_start_value(item, self._start)) for item in FIELDS)
        self.presets: tuple[tuple[str, str, Mapping[str, Any]], ...] = PRESETS
        self._exporting = threading.Lock()

    def hka_deg(self, values: Mapping[str, Any]) -> float | None:
        """Hip-knee-ankle angle of the values, degrees; None when they are no angles."""
        if values.get("alignment") == "hka":
            found = number(values.get("hka_deg"))
            return found if isinstance(found, float) and 160.0 <= found <= 200.0 else None
        angles = {key: number(values.get(key)) for key in ("mpta_deg", "ldfa_deg", "joint_line_convergence_deg")}
        try:
            return Subject(**angles).hka_deg
        except (ValueError, TypeError):
            return None

    def ask(self, values: Mapping[str, Any], uploads: Uploads) -> Question:
        """Return the cases of the values, or raise Refused."""
        return question(values, uploads, self._start)

    def quick(self, asked: Question) -> Answer:
        """Answer from the activity alone."""
        result = _result(asked.quick)
        return _answer(result, _facts(result) | replace(result, before=None, find_spread=None).numbers() | {"lesion": None, "pain": None, "bone": None, "change": _of_peaks(result)}, stage=0)

    def whole(self, asked: Question, *, sure: bool, wanted: Callable[[], bool]) -> Answer:
        """Answer from the whole day, with what may follow; `sure` adds the intervals over people, which take seconds."""
        result = _result(asked.whole)
        if not sure:
            result = replace(result, find_spread=None)
        summary = result.summary() | outlook_summary(result)
        return _answer(result, summary, stage=2 if sure else 1, promised=promises(result, wanted) if sure else ())

    def export(self, asked: Question, kind: str) -> Export:
        """A file of the whole answer, one at a time."""
        with self._exporting:
            return exports.export(_result(asked.whole), kind)

    def upload(self, kind: str, files: Sequence[Mapping[str, Any]], uploads: Uploads) -> None:
        """Take files of a person, or raise InputError."""
        uploading.take(kind, files, uploads)

    def warm(self) -> None:
        """Answer the first question once, so that the first tab finds everything compiled and read."""
        values = {item.key: item.start for item in self.fields}
        with TemporaryDirectory() as folder:
            asked = self.ask(values, Uploads(Path(folder)))
        self.quick(asked)
        self.whole(asked, sure=True, wanted=lambda: True)


def _start_value(item: Field, case: Case) -> Any:
    if item.key.startswith("cartilage_"):
        return getattr(case.subject.cartilage_thickness_scale, item.key.removeprefix("cartilage_"))
    if item.key == "activity":
        return case.activity.name if case.activity.name in {key for key, _ in item.choices} - {"recorded"} else item.start
    if item.key == "hka_deg":
        return case.subject.hka_deg
    if item.key == "speed_m_s":
        return item.start if case.activity.speed_m_s is None else case.activity.speed_m_s
    return getattr(case.subject, item.key, item.start)


def _result(case: Case) -> KneeResult:
    """Simulate a case; what it starts from is simulated once for all amounts of an intervention (a recording is scaled by the person before: as a whole)."""
    run = _quickly if len(case.day_activities) == 1 else _wholly
    if case.baseline is None or case.activity.name == "recorded":
        return run(case)
    return replace(run(replace(case, baseline=None)), case=case, before=_result(case.baseline), find_spread=spread_of)


@lru_cache(maxsize=6)
def _quickly(case: Case) -> KneeResult:
    return simulate(case)


@lru_cache(maxsize=3)
def _wholly(case: Case) -> KneeResult:
    return simulate(case)


def _facts(result: KneeResult) -> dict[str, Any]:
    case = result.case
    return {"version": version_of_kneeload(), "status": "ok", "error": None, "subject": {**asdict(case.subject), "bmi": case.subject.bmi, "hka_deg": case.subject.hka_deg},
            "activity": case.activity.name, "interventions": list(case.interventions), "notes": list(case.notes)}


def _of_peaks(result: KneeResult) -> dict[str, dict[str, float | None]] | None:
    """Changes without those of the day, which this answer does not know."""
    change = result.change
    return None if change is None else {name: {key: value for key, value in change[name].items() if key in ("peak_force_pct", "impulse_pct", "peak_pressure_pct")} for name in COMPARTMENTS}


def _answer(result: KneeResult, summary: dict[str, Any], *, stage: int, promised: tuple[str, ...] = ()) -> Answer:
    before, scene = result.before, scene_of(result, summary)
    if stage == 0:
        scene = replace(scene, daily_dose=None, risk_24mo=None)
    behind = None if before is None else replace(scene_of(before, summary), interventions=())
    if behind is not None and stage == 0:
        behind = replace(behind, daily_dose=None, risk_24mo=None)
    return Answer(scene=scene, before=behind, summary=summary, curves=knee_curves(result.main.motion, result.main.loads, result.main.contact),
                  curves_before=None if before is None else knee_curves(before.main.motion, before.main.loads, before.main.contact),
                  sentences=promised, stage=stage)
