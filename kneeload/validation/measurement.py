"""The published measurements: rows of a file, one number each, with its interval, unit and source."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path
from typing import Any

from kneeload.errors import InputError, check_choice
from kneeload.subject.person import Subject

MEASUREMENTS_FILE = Path(__file__).with_name("measurements.yaml")
CONTACT_FILE = Path(__file__).with_name("contact_measurements.yaml")
INTERVALS = ("SD", "95 % CI", "published range", "goal", "tolerance", "")
MODELS = ("default", "plain static optimisation", "calibrated")
ROLES = ("check", "input")
SECTION_FILES = {"contact": CONTACT_FILE, "bone": Path(__file__).with_name("bone_measurements.yaml"),
                 "lesion": Path(__file__).with_name("lesion_measurements.yaml"), "interventions": Path(__file__).with_name("intervention_measurements.yaml")}
LEVELS = ("loads", *SECTION_FILES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One published number and how to predict it.

    Attributes:
        id: unique name of the row.
        group: heading under which it is shown.
        quantity: what was measured, in words.
        setting: in whom or when, in words.
        target: numbers of the project's list of targets that this row answers, such as "4" or "27".
        measured: the published value, None where only a bound was published or set.
        low, high: ends of the interval, None = open. A row that can be predicted has at least one end.
        interval: what the interval is: "SD" (mean +- one standard deviation), "95 % CI", "published range", "goal" (set by this project
            around a published value), "tolerance" (an engineering tolerance, because the source gives no spread).
        unit: unit of the value and of its interval.
        n: people measured, None = not stated.
        source: citation with DOI or archive number.
        binding: True if `--strict` fails when the prediction is outside.
        role: "check", or "input" when constants of the engine come from this very source (agreement is then no evidence).
        model: which forces are compared: "default", "plain static optimisation" (for comparison) or "calibrated" (fitted to the person).
        level: "loads" for a number of the load level; "contact", "bone", "lesion" or "interventions" for one that is predicted only when that section is asked for.
        contact: True if a number of the load level also has a meaning after contact equilibrium.
        person: who is simulated, None = the case's own subject.
        predictor: name of the predicting function, None = not simulated.
        parameters: keyword arguments of that function.
        note: what a reader must know; for a row that is not simulated, the reason.
    """

    id: str
    group: str
    quantity: str
    unit: str
    source: str
    setting: str = ""
    target: tuple[str, ...] = ()
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    interval: str = ""
    n: int | None = None
    binding: bool = False
    role: str = "check"
    model: str = "default"
    level: str = "loads"
    contact: bool = False
    person: Subject | None = None
    predictor: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        where = f"measurement {self.id}"
        for name in ("id", "group", "quantity", "unit", "source"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise InputError(name, where=where, got=getattr(self, name), allowed="words", why="a number without it cannot be judged")
        for name in ("measured", "low", "high"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value)):
                raise InputError(name, where=where, got=value, allowed="a finite number, or left out",
                                 why="a prediction is compared with it")
        check_choice("interval", self.interval, INTERVALS, where=where, why="the reader must know what the interval is")
        check_choice("role", self.role, ROLES, where=where, why="a row checks the engine or feeds it")
        check_choice("model", self.model, MODELS, where=where, why="only these forces are compared")
        check_choice("level", self.level, LEVELS, where=where, why="a number belongs to the forces or to a section of its own")
        if self.predictor is None and not self.note.strip():
            raise InputError("note", where=where, got=self.note, allowed="the reason",
                             why="a row without a predictor must say why it is not simulated")
        if self.predictor is not None and ((self.low is None and self.high is None) or not self.interval):
            raise InputError("interval", where=where, got=(self.low, self.high, self.interval), allowed="a low or a high end, and its kind",
                             why="without it nothing is inside or outside")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InputError("interval", where=where, got=(self.low, self.high), allowed="low <= high", why="it is an interval")

    def contains(self, value: float) -> bool:
        """Whether a prediction lies in the interval, ends included (never for nan)."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high) and math.isfinite(value)


def read_measurements(path: str | Path | None = None, *, contact: bool = False, bone: bool = False, lesion: bool = False,
                      interventions: bool = False) -> tuple[Measurement, ...]:
    """Return the rows of a measurement file (YAML with `sources`, `persons` and `rows`).

    Args:
        path: a file of one's own; None = the packaged rows.
        contact, bone, lesion, interventions: with the packaged rows, also those of that section.

    Raises:
        InputError: the file cannot be used; the sentence names the row.
    """
    asked = {"contact": contact, "bone": bone, "lesion": lesion, "interventions": interventions}
    files = [MEASUREMENTS_FILE, *(SECTION_FILES[name] for name in asked if asked[name])] if path is None else [Path(path)]
    rows: list[Measurement] = []
    seen: set[str] = set()
    for file in files:
        for row in _rows_of(file):
            if row.id in seen:
                raise InputError("id", where=f"{file}", got=row.id, allowed="given once", why="rows are chosen by it")
            seen.add(row.id)
            rows.append(row)
    return tuple(rows)


def _rows_of(file: Path) -> list[Measurement]:
    tree = _load(file)
    sources, persons = tree.get("sources") or {}, {name: Subject(**values) for name, values in (tree.get("persons") or {}).items()}
    common = tree.get("all") or {}
    return [_measurement({**common, **single}, sources, persons, file) for values in tree["rows"] for single in repeated(values)]


def _load(file: Path) -> dict[str, Any]:
    import yaml

    try:
        tree = yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise InputError("measurement file", where="--measurements", got=str(file), allowed="a readable YAML file",
                         why=" ".join(str(problem).split())) from problem
    if not isinstance(tree, dict) or not isinstance(tree.get("rows"), list):
        raise InputError("measurement file", where="--measurements", got=str(file), allowed="a mapping with a list of `rows`",
                         why="each row is one measurement")
    return tree


def repeated(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row per combination of the lists under `each` (per position, if `pair` is true).

    `{name}` in words is replaced by the value, and a parameter that is only `{name}` takes the value itself. Entries named measured, low,
    high or model set that field, and `sd` sets low and high around the measured value. `binding: default only` binds the default
    model's row alone.
    """
    plain = {key: value for key, value in values.items() if key not in ("each", "pair")}
    each = values.get("each")
    if not each:
        return [plain]
    combinations = zip(*each.values()) if values.get("pair") else product(*each.values())
    return [_single(plain, dict(zip(each, combination))) for combination in combinations]


def _single(plain: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    row = {key: _filled(value, chosen) for key, value in plain.items()}
    row["id"] = row["id"].replace(" ", "_")
    row |= {key: chosen[key] for key in ("measured", "low", "high", "model") if key in chosen}
    if "sd" in chosen:
        row |= {"low": round(row["measured"] - chosen["sd"], 9), "high": round(row["measured"] + chosen["sd"], 9)}
    if row.get("binding") == "default only":
        row["binding"] = row.get("model", "default") == "default"
    return row


def _filled(value: Any, chosen: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_filled(item, chosen) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, chosen) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    whole = value[1:-1] if value.startswith("{") and value.endswith("}") else None
    if whole is not None and whole in chosen:
        return chosen[whole]
    for name, item in chosen.items():
        value = value.replace(f"{{{name}}}", str(item).replace("_", " ") if " " in value else str(item))
    return value


def _measurement(values: dict[str, Any], sources: Mapping[str, str], persons: Mapping[str, Subject], file: Path) -> Measurement:
    where = f"{file.name}, row {values.get('id', '?')}"
    known = {item.name for item in fields(Measurement)} - {"parameters"} | {"with"}
    for key in values:
        if key not in known:
            raise InputError(f"key '{key}'", where=where, got=values[key], allowed="one of " + ", ".join(sorted(known)),
                             why="a measurement has no such entry")
    missing = [key for key in ("id", "group", "quantity", "unit", "source") if key not in values]
    if missing:
        raise InputError("row", where=where, got="no " + ", ".join(missing), allowed="complete",
                         why="a number without them cannot be judged")
    values["source"] = sources.get(values["source"], values["source"])
    if values.get("person") is not None:
        name = values["person"]
        check_choice("person", name, tuple(persons), where=where, why="the file describes only these")
        values["person"] = persons[name]
    target = values.get("target", ())
    values["target"] = tuple(str(item) for item in (target if isinstance(target, list) else [target] if target != () else []))
    values["parameters"] = values.pop("with", {}) or {}
    return Measurement(**values)


def chosen(rows: Sequence[Measurement], names: Sequence[str]) -> tuple[Measurement, ...]:
    """Return the rows whose id, group, target number or section is among `names`, in their order (section: a group's words before a colon; those after it
    name the group too).

    Raises:
        InputError: a name that no row has.
    """
    called = [{row.id, row.group, row.group.split(":")[0], row.group.split(":")[-1].strip(), *row.target} for row in rows]
    known = set().union(*called)
    for name in names:
        if name not in known:
            raise InputError("rows", where="--rows", got=name,
                             allowed="ids or groups; the groups are " + ", ".join(dict.fromkeys(row.group for row in rows)),
                             why="no row has this name")
    return tuple(row for row, words in zip(rows, called) if words & set(names))
