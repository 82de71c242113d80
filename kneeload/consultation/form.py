"""From the values of the form to a case. Every value may be anything: what the engine refuses is told at its field, in the engine's words."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from kneeload import interventions
from kneeload.bone.day import DAY_ACTIVITIES
from kneeload.case import AnatomySource, Case
from kneeload.consultation.fields import ACTIVITIES, ADVANCED, DAY, PERSON, switches
from kneeload.errors import InputError, KneeloadError, check_choice
from kneeload.lesion.findings import Findings
from kneeload.motion.activity import Activity
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import CartilageThicknessScale, Subject
from kneeload.views.app.contract import GENERAL, Field, Refused, Uploads

_SUBJECT = {item.name for item in fields(Subject)}
_LONGEST = 60  # letters of a refused value that are said back


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: the case over the whole day, and the same for its activity alone.

    Attributes:
        whole: the case.
        quick: the same with its own activity as all that a day holds.
    """

    whole: Case
    quick: Case


def question(values: Mapping[str, Any], uploads: Uploads, start: Case) -> Question:
    """Return the cases that the values of the form describe.

    Args:
        values: by the keys of `kneeload.consultation.fields`; missing ones are as in the case to start from.
        uploads: files of the person.
        start: settings that have no field.

    Raises:
        Refused: the sentences of the engine, by field.
    """
    errors: dict[str, str] = {}
    person = _person(values, errors)
    activity = _tried(errors, "activity", lambda: _activity(values, uploads))
    findings = _tried(errors, "kl_grade", lambda: _findings(values, uploads))
    if errors or person is None or activity is None or findings is None:
        raise Refused(errors)
    anatomy = start.anatomy if uploads.meshes is None else AnatomySource(name="meshes", folder=uploads.meshes)
    cases = []
    for day in (start.day_activities if activity.name not in DAY_ACTIVITIES else tuple(dict.fromkeys((*start.day_activities, activity.name))), _alone(activity)):
        case = replace(start, subject=person, activity=activity, findings=findings, anatomy=anatomy, day_activities=day)
        cases.append(_changed(case, values, errors))
    if errors:
        raise Refused(errors)
    return Question(whole=cases[0], quick=cases[1])


def _alone(activity: Activity) -> tuple[str, ...]:
    return (activity.name,) if activity.name in DAY_ACTIVITIES else ("walking",)


def number(value: Any) -> Any:
    """A number from what was typed; what is none stays as it is (shortened), for the engine to refuse."""
    if isinstance(value, str):
        try:
            return float(value.strip().replace(",", "."))
        except ValueError:
            return value[:_LONGEST]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value if isinstance(value, (bool, float)) else None


def _person(values: Mapping[str, Any], errors: dict[str, str]) -> Subject | None:
    """Try each value on its own, so that every wrong one is told at once; then all together."""
    given: dict[str, Any] = {}
    for item in (*PERSON, *ADVANCED, *DAY):
        if item.key in _SUBJECT and item.key in values and item.key != _other_angle(values):
            given[item.key] = _typed(item, values)
    for name, value in given.items():
        _tried(errors, name, lambda name=name, value=value: Subject(**{name: value}))  # type: ignore[misc]
    scale = {item.key.removeprefix("cartilage_"): number(values[item.key]) for item in ADVANCED if item.group == "cartilage" and item.key in values}
    for plate, value in scale.items():
        _tried(errors, f"cartilage_{plate}", lambda plate=plate, value=value: CartilageThicknessScale(**{plate: value}))  # type: ignore[misc]
    if values.get("alignment") == "hka" and not errors:
        _tried(errors, "hka_deg", lambda: given.update(mpta_deg=mpta_of_hka(number(values.get("hka_deg")), given)))
    if errors:
        return None
    return _tried(errors, GENERAL, lambda: Subject(**given, cartilage_thickness_scale=CartilageThicknessScale(**scale)))


def _other_angle(values: Mapping[str, Any]) -> str:
    return "mpta_deg" if values.get("alignment") == "hka" else ""


def mpta_of_hka(hka_deg: Any, given: Mapping[str, Any]) -> float:
    """Angle of the shin bone, degrees, that gives a leg axis with the person's thigh bone and joint line (`Subject.hka_deg`).

    Raises:
        InputError: no number, or an axis that no shin bone of the model gives.
    """
    plain = Subject()
    if isinstance(hka_deg, bool) or not isinstance(hka_deg, float) or not 160.0 <= hka_deg <= 200.0:
        raise InputError("HKA", where="subject.hka_deg", got=hka_deg, allowed="a number from 160 to 200 degrees", why="beyond it the limb is a deformity that this model does not describe")
    return hka_deg - 180.0 + float(given.get("ldfa_deg", plain.ldfa_deg)) + float(given.get("joint_line_convergence_deg", plain.joint_line_convergence_deg))


def _typed(item: Field, values: Mapping[str, Any]) -> Any:
    value = values[item.key]
    return number(value) if item.kind == "number" else value[:_LONGEST] if isinstance(value, str) else value


def _activity(values: Mapping[str, Any], uploads: Uploads) -> Activity:
    name = values.get("activity", "walking")
    check_choice("activity", name, tuple(key for key, _ in ACTIVITIES), where="activity.name", why="the page shows these")
    if name == "recorded":
        if uploads.recording is None:
            raise InputError("recorded gait", where="activity.file", got="no file", allowed="a file chosen under 'Files'", why="this activity is read from a recording")
        return Activity(name="recorded", file=str(uploads.recording))
    speed = number(values.get("speed_m_s", "")) if values.get("speed_m_s") not in ("", None) else None
    return Activity(name=name, speed_m_s=speed if name == "walking" else None)


def _findings(values: Mapping[str, Any], uploads: Uploads) -> Findings:
    """Grades of the form as a table of findings, in the folder of the tab; one file per content, so that equal questions are equal cases."""
    rows = []
    for region in MOAKS_REGIONS:
        grade = values.get(f"lesion_{region}", "0")
        check_choice("lesion grade", grade, ("0", "1", "2", "3"), where=f"findings.{region}", why="MOAKS grades lesions so")
        if grade != "0":
            rows.append((region, grade))
    kl = values.get("kl_grade", "") or ""
    check_choice("KL grade", kl, ("", "0", "1", "2", "3", "4"), where="findings.kl_grade", why="these are the Kellgren-Lawrence grades")
    if not rows:
        return Findings(kl_grade=int(kl) if kl else None)
    path = uploads.folder / f"lesions_{hashlib.sha256(repr(rows).encode()).hexdigest()[:16]}.csv"
    if not path.exists():
        _write_rows(path, rows)
    return Findings(file=path, kl_grade=int(kl) if kl else None)


def _write_rows(path: Path, rows: list[tuple[str, str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("region", "grade"))
        writer.writerows(rows)


def _changed(case: Case, values: Mapping[str, Any], errors: dict[str, str]) -> Case:
    for switch in switches():
        if values.get(switch.key) is not True:
            continue
        settings = {item.key.split("__", 1)[1]: _setting(item, values) for item in switch.fields if item.key in values}
        changed = _tried(errors, switch.key, lambda case=case, name=switch.name, settings=settings: interventions.apply(case, name, settings))  # type: ignore[misc]
        case = case if changed is None else changed
    return case


def _setting(item: Field, values: Mapping[str, Any]) -> Any:
    value = _typed(item, values)
    return value == "true" if item.kind == "choice" and {key for key, _ in item.choices} == {"true", "false"} else value


def _tried(errors: dict[str, str], key: str, make: Callable[[], Any]) -> Any:
    """The result, or None with the engine's sentence at the field that it names, else at `key`."""
    try:
        return make()
    except InputError as problem:
        errors.setdefault(_field_of(problem.where, key), str(problem))
    except (KneeloadError, TypeError, ValueError) as problem:
        errors.setdefault(key, str(problem) if isinstance(problem, KneeloadError) else "This value cannot be used.")
    return None


def _field_of(where: str, key: str) -> str:
    """The field that a place in the configuration belongs to: 'intervention.weight_loss.mass_kg' is weight_loss__mass_kg."""
    room, _, rest = where.partition(".")
    if room == "intervention" and "." in rest:
        known = {item.key for switch in switches() for item in switch.fields}
        return found if (found := rest.replace(".", "__")) in known else key
    if room == "findings" and rest in MOAKS_REGIONS:
        return f"lesion_{rest}"
    known = {item.key for item in (*PERSON, *ADVANCED, *DAY)} | {"kl_grade"}
    return rest if rest in known else key
