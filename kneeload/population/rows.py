"""From a person to the rows of the table: one for each scenario, with what they are, what they carry and what may follow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.case import Case
from kneeload.errors import ConvergenceError, KneeloadError
from kneeload.motion.activity import Activity
from kneeload.population.design import Design, Scenario
from kneeload.population.draw import Person, people
from kneeload.result import KneeResult, compartment_dose
from kneeload.simulate import simulate_alone

Row = dict[str, Any]
Fields = dict[tuple[str, str], NDArray[np.float32]]  # (activity, surface) -> (triangles,) MPa, largest pressure over the cycle
TEXT = ("scenario", "status", "error", "subject.sex", "subject.side", "subject.medial_meniscus", "subject.lateral_meniscus", "activity")
WHOLE = ("person", "resampled")
SEED = "seed"
OK, FAILED = "ok", "failed"
_PARTS = ("loads", "contact", "bone", "lesion", "pain", "change")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What a worker gets at once: neighbours of one shard.

    Attributes:
        shard: number of the file that they belong to.
        first, count: the people.
    """

    shard: int
    first: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceFigures:
    """The answer for a piece.

    Attributes:
        piece: what was asked.
        rows: one tuple per person and scenario, in order, with the columns that were asked for.
        fields: (activity, surface) -> (people, scenarios, triangles) MPa, nan where there is none; empty if fields were not asked for.
    """

    piece: Piece
    rows: list[tuple[Any, ...]]
    fields: Mapping[tuple[str, str], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns and fields of a study.

    Attributes:
        columns: name -> "text", "whole" (integer), "seed" or "number"; a number has its unit in the name.
        fields: (activity, surface) -> number of triangles of the reference knee of each sex.
    """

    columns: Mapping[str, str]
    fields: Mapping[tuple[str, str], Mapping[str, int]]


def piece_figures(design: Design, layout: Layout, piece: Piece) -> PieceFigures:
    """Run the people of a piece through their scenarios. This is what an engine computes, in a process with one thread."""
    names, rows = tuple(layout.columns), list[tuple[Any, ...]]()
    count = len(design.scenarios)
    fields = {key: np.full((piece.count, count, max(sizes.values())), np.nan, dtype=np.float32) for key, sizes in layout.fields.items()}
    for place, person in enumerate(people(design, piece.first, piece.count)):
        for number, (row, found) in enumerate(rows_of(design, person)):
            strange: set[Any] = set(row) - set(names)
            strange |= {key for key, values in found.items() if layout.fields.get(key, {}).get(row["subject.sex"]) != len(values)}
            if strange:
                raise KneeloadError(f"Person {person.index} has figures that the table has no place for: {', '.join(sorted(map(str, strange)))}.")
            rows.append(tuple(row.get(name) for name in names))
            for key, values in found.items():
                fields[key][place, number, :len(values)] = values
    return PieceFigures(piece=piece, rows=rows, fields=fields)


def rows_of(design: Design, person: Person) -> Iterator[tuple[Row, Fields]]:
    """Yield row and fields of each scenario of a person. What fails for this person is a sentence in the row, and the others go on."""
    before: dict[str, KneeResult] = {}
    head = _head(person)
    for scenario in design.scenarios:
        row: Row = {**head, "scenario": scenario.name, "status": FAILED}
        fields: Fields = {}
        if person.case is None:
            row["error"] = person.problem
        else:
            try:
                numbers, fields = _figures(design, person.case, scenario, before)
                row |= {**numbers, "status": OK}
            except (KneeloadError, OSError) as problem:
                row["error"] = " ".join(str(problem).split())
        yield row, fields


def layout_of(design: Design) -> Layout:
    """Find the columns by running one usual person through the design, which also shows at once whether its models can run.

    Raises:
        KneeloadError: they cannot.
    """
    case = replace(design.base, activity=Activity(name=design.activities[0]), day_activities=design.activities)
    columns = {name: _kind(name, "") for name in ("person", "seed", "resampled", "scenario", "status", "error")}
    sizes: dict[tuple[str, str], dict[str, int]] = {}
    for sex in ("male", "female") if design.fields else ("male",):
        person = Person(index=0, seed=0, resampled=0, case=replace(case, subject=replace(case.subject, sex=sex)))
        for row, fields in rows_of(design, person):
            if row["status"] == FAILED:
                raise ConvergenceError(f"This study cannot run for a usual person ({row['scenario']}): {row['error']}")
            columns |= {name: _kind(name, value) for name, value in row.items() if name not in columns}
            for key, values in fields.items():
                sizes.setdefault(key, {})[sex] = len(values)
    return Layout(columns=columns, fields=sizes)


def _kind(name: str, value: Any) -> str:
    if name in TEXT or (isinstance(value, str) and name not in (*WHOLE, SEED)):
        return "text"
    return "seed" if name == SEED else "whole" if name in WHOLE or name.endswith("_grade") else "number"


def _head(person: Person) -> Row:
    """Who it is, before any intervention."""
    row: Row = {"person": person.index, SEED: person.seed, "resampled": person.resampled, "error": None}
    if person.case is not None:
        subject = person.case.subject
        row |= {f"subject.{name}": value for name, value in _flat(asdict(subject))} | {"subject.bmi": subject.bmi, "subject.hka_deg": subject.hka_deg}
        extension, adduction = person.case.moments_z
        row |= {"activity": person.case.activity.name, "activity.speed_m_s": person.case.walking_speed_m_s, "activity.extension_moment_z": extension,
                "activity.adduction_moment_z": adduction, "activity.flexion_z": person.case.flexion_z}
    return row


def _figures(design: Design, case: Case, scenario: Scenario, before: dict[str, KneeResult]) -> tuple[Row, Fields]:
    """The numbers of one scenario. The person as they are is simulated once per activity and kept in `before` for the scenarios that follow."""
    changed = scenario.apply(case)
    row: Row = {}
    fields: Fields = {}
    for activity in design.activities if case.contact is None else design.activities[:1]:  # with contact one simulation has the whole day
        own = case.activity if activity == case.activity.name else Activity(name=activity)
        if activity not in before:
            before[activity] = simulate_alone(replace(case, activity=own))
        result = before[activity]
        if scenario.steps:
            now = replace(changed, activity=own, baseline=None)
            result = replace(simulate_alone(now), before=before[activity], case=now)
        row |= _numbers(result, "" if activity == design.activities[0] else f"activities.{activity}.")
        fields |= _fields(design, result)
    if case.contact is not None:
        for activity in design.activities[1:]:
            turned = replace(result, case=replace(result.case, activity=Activity(name=activity)), before=None)
            row |= {f"activities.{activity}.{name}": value for part in ("loads", "contact") for name, value in _flat(turned.numbers()[part], part)}
    return row, fields


def _numbers(result: KneeResult, prefix: str) -> Row:
    parts = result.numbers()
    row = {f"{prefix}{name}": value for part in _PARTS if parts[part] is not None for name, value in _flat(parts[part], part)}
    if result.bone is not None:
        row |= {f"{prefix}bone.compartments.{name}.daily_dose_mpa_s": value for name, value in compartment_dose(result).items()}
    return row


def _fields(design: Design, result: KneeResult) -> Fields:
    if not design.fields:
        return {}
    return {(name, field.name): field.pressure.max(axis=0) for name, item in result.day.items() if item.contact is not None for field in item.contact.fields}


def _flat(part: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every number of a nested part with its path; None for those that are not finite."""
    for key, value in (part or {}).items():
        name = f"{path}.{key}" if path else key
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        else:
            yield name, None if isinstance(value, float) and not math.isfinite(value) else value
