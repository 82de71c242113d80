"""Two or more runs beside each other: one table, paired maps on one colour scale, and maps of the difference."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kneeload.contact.cycle import COMPARTMENTS
from kneeload.errors import InputError
from kneeload.output_folder import claim
from kneeload.result import COMPARTMENT_OF_REGION, KneeResult

if TYPE_CHECKING:
    from kneeload.views.comparison import Knee

_DERIVED = ("bmi", "hka_deg")  # follow from the other values of a person
_FORCES = {"peak_force_n": ("peak force", "N"), "peak_force_bw": ("peak force", "body weights"), "impulse_ns": ("impulse", "N s")}
_TOUCH = {"peak_pressure_mpa": ("contact pressure at peak force, highest", "MPa"), "mean_pressure_mpa": ("contact pressure at peak force, mean", "MPa"),
          "contact_area_mm2": ("contact area at peak force", "mm2"), "meniscus_load_share": ("load through the meniscus", "share of 1")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRow:
    """One quantity at one place in all runs.

    Attributes:
        quantity, place, unit: what, where and in which unit.
        values: one per run, None where a run has none.
        difference_pct: against the first run in percent; None for the first run, and where there is nothing to compare with.
    """

    quantity: str
    place: str
    unit: str
    values: tuple[float | None, ...]
    difference_pct: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Several runs beside each other; the first is the base.

    Attributes:
        labels: what sets each run apart from the others.
        sources: folder of each run, None for a result in memory.
        rows: the table.
        notes: sentences on what is not there, and why.
        files: what was written.
    """

    labels: tuple[str, ...]
    sources: tuple[str | None, ...]
    rows: tuple[ComparedRow, ...]
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    """A run: its summary, its settings as flat keys, and where it comes from."""

    summary: Mapping[str, Any]
    settings: Mapping[str, Any]
    source: Path | KneeResult


def compare_runs(runs: Sequence[Path | str | KneeResult], output: Path | str | None = None, *, pictures: bool = True) -> Comparison:
    """Compare two or more run folders or results, the first being the base.

    Args:
        runs: folders that hold a summary.json, or results.
        output: new folder for compare.csv, compare.json, compare.png and difference.png; None writes nothing.
        pictures: whether to draw maps (of the first four runs that have surfaces).

    Raises:
        InputError: fewer than two runs, one given twice, a folder without a run or with a failed one, or an output folder that is there already.
    """
    if len(runs) < 2:
        raise InputError("runs to compare", where="compare", got=len(runs), allowed="two or more", why="a comparison needs something to compare with")
    read = [_read(run) for run in runs]
    for number, run in enumerate(read):
        if any(run.source is other.source or (isinstance(run.source, Path) and run.source == other.source) for other in read[:number]):
            raise InputError("run", where="compare", got=f"{run.source if isinstance(run.source, Path) else 'the same result'} twice", allowed="each run once",
                             why="a run does not differ from itself")
    labels = _labels(read)
    found = Comparison(labels=labels, sources=tuple(str(run.source) if isinstance(run.source, Path) else None for run in read), rows=tuple(_rows([run.summary for run in read])))
    if output is None:
        return found
    folder = claim(Path(output))
    notes, files = _draw(read, labels, folder) if pictures else ([], [])
    found = replace(found, notes=tuple(notes), files=(folder / "compare.csv", folder / "compare.json", *files))
    _write(found, folder)
    return found


def _read(run: Path | str | KneeResult) -> _Run:
    if isinstance(run, KneeResult):
        case = replace(run.case, baseline=None, interventions=(), notes=(), calibration=None)
        return _Run(summary={**run.summary()}, settings=dict(_flat(asdict(case))), source=run)
    folder = Path(run)
    path = folder / "summary.json"
    if not path.is_file():
        raise InputError("run folder", where="compare", got=str(folder), allowed="a folder with a summary.json", why="that is what a run of kneeload leaves behind")
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise InputError("summary", where=str(path), got=type(problem).__name__, allowed="a summary.json of kneeload", why="it cannot be read") from None
    if not isinstance(summary, dict) or summary.get("status") != "ok" or not isinstance(summary.get("loads"), dict):
        failed = summary.get("error") if isinstance(summary, dict) else None
        raise InputError("run", where=str(folder), got="a failed run" if failed else "no finished run", allowed="runs with status ok", why=failed or "there is nothing to compare")
    return _Run(summary=summary, settings=_settings(folder, summary), source=folder.resolve())


def _settings(folder: Path, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Flat settings from Hydra's snapshot of a run: those of what the run used; empty where there is none."""
    import yaml

    path = folder / "hydra" / "config.yaml"
    if not path.is_file():
        return {}
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError):
        return {}
    if not isinstance(found, Mapping):
        return {}
    used = {name: row for name, row in (found.get("intervention") or {}).items() if name in summary.get("interventions", [])} if isinstance(found.get("intervention"), Mapping) else {}
    groups = {name: group for name, group in found.items() if name not in ("view", "runtime", "subject", "intervention")}
    return dict(_flat({**groups, "intervention": used}))


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, str(value) if isinstance(value, list | tuple) else value


def _labels(runs: Sequence[_Run]) -> tuple[str, ...]:
    """What sets each run apart: interventions, activity, values of the person, then other settings, then its folder."""
    from kneeload.views.wording import intervention_names, part, plain, quantity

    words: list[list[str]] = [[] for _ in runs]
    kinds = {
        "interventions": [" and ".join(intervention_names(run.summary)) or "no intervention" for run in runs],
        "activity": [plain(run.summary.get("activity")) for run in runs],
    }
    people = [dict(_flat(part(run.summary, "subject"))) for run in runs]
    for key in dict.fromkeys(key for person in people for key in person):
        if key.rpartition(".")[2] not in _DERIVED:
            kinds[key] = [" ".join(quantity(key.replace(".", " "), person.get(key))) for person in people]
    for texts in kinds.values():
        if len(set(texts)) > 1:
            for line, text in zip(words, texts):
                line.append(text[:1].lower() + text[1:] if text[1:2].islower() else text)
    for key in dict.fromkeys(key for run in runs for key in run.settings):
        texts = [_setting(key, run.settings.get(key)) for run in runs]
        if len({" · ".join(line) for line in words}) < len(runs) and len(set(texts)) > 1:
            for line, text in zip(words, texts):
                line += [text] if text else []
    labels = [" · ".join(line) for line in words]
    return tuple(label if label and labels.count(label) == 1 else
                 " · ".join(filter(None, (label, run.source.name if isinstance(run.source, Path) else f"run {number + 1}")))
                 for number, (label, run) in enumerate(zip(labels, runs)))


def _setting(key: str, value: Any) -> str:
    """'valgus 4°' from a setting and its value; nothing for none."""
    from kneeload.views.wording import quantity

    group, _, name = key.rpartition(".")
    if value is None:
        return ""
    label, words = quantity(name, float(value) if isinstance(value, int) and not isinstance(value, bool) else value)
    return f"{group.rpartition('.')[2]} {words}" if name == "name" else f"{label[:1].lower()}{label[1:]} {words}"


def _rows(summaries: Sequence[Mapping[str, Any]]) -> Iterator[ComparedRow]:
    columns = [dict(_quantities(summary)) for summary in summaries]
    for key in dict.fromkeys(key for column in columns for key in column):
        values = tuple(column.get(key) for column in columns)
        if any(value is not None for value in values):
            yield ComparedRow(quantity=key[0], place=key[1], unit=key[2], values=values,
                              difference_pct=(None, *(_percent(values[0], value) for value in values[1:])))


def _percent(first: float | None, value: float | None) -> float | None:
    if first is None or value is None:
        return None
    return 0.0 if first == value else 100.0 * (value - first) / abs(first) if first else None


def _quantities(summary: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str, str], float | None]]:
    """Quantity, place and unit with the value, in the order of the table."""
    from kneeload.views.wording import part

    loads = part(summary, "loads")
    yield ("knee adduction moment, peak", "knee", "N m"), _number(loads.get("peak_kam_nm"))
    yield ("knee extension moment, peak", "knee", "N m"), _number(loads.get("peak_kfm_nm"))
    for key, (name, unit) in _FORCES.items():
        for place in (*COMPARTMENTS, "tibiofemoral"):
            yield (name, place, unit), _number(part(loads, place).get(key))
    yield ("medial share of impulse", "knee", "share of 1"), _number(loads.get("medial_share_of_impulse"))
    for key, (name, unit) in _TOUCH.items():
        for place in COMPARTMENTS:
            yield (name, place, unit), _number(part(summary, "contact", place).get(key))
    bone, lesion = part(summary, "bone", "regions"), part(summary, "lesion", "regions")
    doses = {region: _number(row.get("daily_dose_mpa_s")) for region, row in bone.items()}
    risks = {region: _number(row.get("risk_24mo")) for region, row in lesion.items()}
    for place in COMPARTMENTS:
        own = [region for region in bone if COMPARTMENT_OF_REGION.get(region) == place]
        yield ("daily dose, sum of regions", place, "MPa s"), math.fsum(doses[region] or 0.0 for region in own) if own else None
    for place in COMPARTMENTS:
        own = [region for region in risks if COMPARTMENT_OF_REGION.get(region) == place]
        yield ("any new lesion in 24 months", place, "probability"), 1.0 - math.prod(1.0 - (risks[region] or 0.0) for region in own) if own else None
    for activity in ("walking", "standing", "stairs"):
        yield ("load-related pain against the reference person", activity, "ratio"), _number(part(summary, "pain", activity).get("relative"))
    for region, row in bone.items():
        yield ("bone stress, peak", region, "MPa"), _number(row.get("peak_stress_mpa"))
    for region in bone:
        yield ("daily dose", region, "MPa s"), doses[region]
    for region in lesion:
        yield ("new lesion in 24 months", region, "probability"), risks[region]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def _knees(runs: Sequence[_Run], labels: Sequence[str]) -> Iterator[tuple[Knee | None, str]]:
    """The surfaces of each run, or a sentence that says why there are none."""
    from kneeload.run_folder import scene_of
    from kneeload.views.comparison import Knee, read_parts
    from kneeload.views.vtk_files import vtk_parts
    from kneeload.views.wording import part

    for run, label in zip(runs, labels):
        side = part(run.summary, "subject").get("side", "right")
        if not run.summary.get("contact"):
            yield None, f"No maps of {label}: it stopped at the load level, which has no contact pressure."
        elif isinstance(run.source, KneeResult):
            yield Knee(label=label, side=side, parts=vtk_parts(scene_of(run.source, dict(run.summary)))), ""
        elif parts := read_parts(run.source):
            yield Knee(label=label, side=side, parts=parts), ""
        else:
            yield None, f"No maps of {label}: its folder has no knee.vtm of this version (view.vtk=true writes it)."


def _draw(runs: Sequence[_Run], labels: Sequence[str], folder: Path) -> tuple[list[str], list[Path]]:
    from kneeload.views.comparison import MOST_COLUMNS, draw_differences, draw_pairs, why_no_difference

    found = list(_knees(runs, labels))
    notes, knees = [sentence for _, sentence in found if sentence], [knee for knee, _ in found if knee is not None]
    if len(knees) > MOST_COLUMNS:
        notes.append(f"The maps show {MOST_COLUMNS} of {len(knees)} knees; the table has all.")
    files: list[Path] = []
    if len(knees) < 2:
        return notes, files
    pictures = [draw_pairs(folder / "compare.png", knees, _title(runs, "Contact pressure"))]
    first, same = found[0][0], []
    for knee in knees[:MOST_COLUMNS]:
        if first is not None and knee is not first:
            why = why_no_difference(first, knee)
            if why is None:
                same.append(knee)
            else:
                notes.append(f"No map of the difference between {first.label} and {knee.label}: {why}.")
    if first is not None and same:
        pictures.append(draw_differences(folder / "difference.png", first, same, _title(runs, "Change of contact pressure")))
    notes += [picture.note for picture in pictures[:1] if picture.note]
    return notes, [picture.path for picture in pictures]


def _title(runs: Sequence[_Run], what: str) -> str:
    """What the maps show, with the activity and the person where all runs share them."""
    from kneeload.views.wording import person_line, plain

    shared = [{plain(run.summary.get("activity")) for run in runs}, {person_line(run.summary) for run in runs}]
    return ", ".join([what, *(next(iter(words)) for words in shared if len(words) == 1)])


def _write(found: Comparison, folder: Path) -> None:
    data = {"runs": [{"label": label, "folder": source} for label, source in zip(found.labels, found.sources)], "rows": [asdict(row) for row in found.rows],
            "notes": list(found.notes)}
    (folder / "compare.json").write_text(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    with (folder / "compare.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["quantity", "place", "unit", *found.labels, *(f"difference_pct: {label}" for label in found.labels[1:])])
        for row in found.rows:
            writer.writerow([row.quantity, row.place, row.unit, *map(_cell, row.values), *map(_cell, row.difference_pct[1:])])


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
