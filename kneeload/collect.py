"""One table from the run folders of a sweep: words of each job, every number of its summary.json, how it ended."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kneeload.contact.cycle import COMPARTMENTS
from kneeload.errors import InputError
from kneeload.result import COMPARTMENT_OF_REGION
from kneeload.sweep_folder import FINISHED, read_json, read_sweep

HEAD = ("job", "folder", "status", "error")
SECTIONS = ("subject", "loads", "contact", "bone", "lesion", "change", "pain", "timing")  # of summary.json; other text stays in the run folders
RECIPE = "multirun.yaml"  # the configuration that a sweep was begun with, in its folder
_FORMULA = tuple("=+-@\t\r")  # first characters with which a spreadsheet begins a formula
LARGEST = 2**63  # whole numbers from here on do not fit a table
DEFAULT_QUANTITIES = ("lesion.medial.risk_24mo", "contact.medial.peak_pressure_mpa", "loads.medial.peak_force_n")


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepTable:
    """The jobs of a sweep.

    Attributes:
        columns: values by the name of the column, all of one length, in the order of the jobs: HEAD, then the keys that jobs override
            (`subject.mpta_deg`), then the figures of summary.json by their path (`loads.medial.peak_force_n`; the person of the result begins
            with `result.subject.`); the unit is in the last part of the name; None where a job has no such value.
        keys: the columns that are overridden keys.
        swept: those of them whose value is not the same in all jobs.
        plots: columns of the pictures that the recipe of the sweep asks for (its key `collect.plots`), (X, quantity) or (X, Y, quantity) each.
    """

    columns: Mapping[str, Sequence[Any]]
    keys: tuple[str, ...]
    swept: tuple[str, ...]
    plots: tuple[tuple[str, ...], ...] = ()

    @property
    def jobs(self) -> int:
        """Number of rows."""
        return len(self.columns["job"])

    def count(self, status: str) -> int:
        """Number of jobs with a status: "ok", "failed" or "unfinished"."""
        return list(self.columns["status"]).count(status)


def collect(folder: Path) -> SweepTable:
    """Read the jobs of a sweep.

    Raises:
        InputError: the folder is not there or holds no jobs.
    """
    if not folder.is_dir():
        raise InputError("folder of a sweep", where="kneeload collect", got=str(folder), allowed="a folder", why="there is none of this name")
    jobs = _jobs(folder)
    if not jobs:
        raise InputError("folder of a sweep", where="kneeload collect", got=str(folder), allowed="the folder of `kneeload --multirun`, with a folder for each job", why="it holds no jobs")
    words = [{f"override.{key}" if key in HEAD else key: value for key, value in _values(overrides).items()} for _, _, overrides, _ in jobs]
    keys = tuple(dict.fromkeys(key for job in words for key in job))
    rows = []
    for (number, path, _, recorded), given in zip(jobs, words):
        status, error, figures = _outcome(path, recorded)
        rows.append({"job": number, "folder": path.name if path.parent == folder else str(path.relative_to(folder)), "status": status, "error": error, **figures, **given})
    names = tuple(dict.fromkeys((*HEAD, *keys, *(name for row in rows for name in row))))
    columns = {name: _one_type([row.get(name) for row in rows]) for name in names}
    swept = tuple(key for key in keys if len({str(value) for value in columns[key]}) > 1)
    return SweepTable(columns=columns, keys=keys, swept=swept, plots=_plots(folder))


def _plots(folder: Path) -> tuple[tuple[str, ...], ...]:
    """Columns of the pictures that the configuration of a sweep asks for; () where it asks for none."""
    try:
        found = yaml.safe_load((folder / RECIPE).read_text(encoding="utf-8"))["collect"]["plots"]
        return tuple(tuple(str(name) for name in names) for names in found if isinstance(names, list) and len(names) in (2, 3))
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return ()


def _jobs(folder: Path) -> list[tuple[int, Path, Sequence[str], bool]]:
    """Number, folder, words of each job, and whether sweep.json names it; without a sweep.json, every folder that holds a run."""
    if (sweep := read_sweep(folder)) is not None:
        return [(job.number, folder / job.folder, job.overrides, True) for job in sweep.jobs]
    found = [path for path in folder.iterdir() if path.is_dir() and ((path / "summary.json").is_file() or (path / "hydra" / "overrides.yaml").is_file())]
    found.sort(key=lambda path: [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", path.name) if part])
    return [(number, path, _written_words(path), False) for number, path in enumerate(found)]


def _written_words(folder: Path) -> list[str]:
    try:
        found = yaml.safe_load((folder / "hydra" / "overrides.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return []
    return [str(word) for word in found] if isinstance(found, list) else []


def _values(overrides: Iterable[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in overrides:
        key, equals, text = word.lstrip("+").partition("=")
        if equals and not key.startswith(("hydra", "~")):
            found[key] = _value(text)
    return found


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else text
    lower = text.lower()
    return {"true": True, "false": False, "null": None}.get(lower, text.strip("'\""))


def _outcome(folder: Path, recorded: bool) -> tuple[str, str | None, dict[str, Any]]:
    """Status, sentence and figures of a job."""
    if not folder.is_dir():
        return "unfinished", "The job has not begun.", {}
    summary = read_json(folder / "summary.json")
    if summary is None:
        return "unfinished", "The job was stopped before it wrote its results.", {}
    if summary.get("status") == "failed":
        return "failed", str(summary.get("error") or "The job says nothing of why it failed."), {}
    if summary.get("status") != "ok":
        return "unfinished", "The summary.json of the job does not say that it is done.", {}
    if recorded and read_json(folder / FINISHED) is None:
        return "unfinished", "The job was stopped before it had written all of its files.", {}
    return "ok", None, figures_of(summary) | _highest(folder)


def _highest(folder: Path) -> dict[str, Any]:
    """Highest pressure over the cycle of each compartment, from waveforms.csv; summary.json has that at the frame of the peak force, which may jump from one peak to the other."""
    try:
        with (folder / "waveforms.csv").open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        names = {name: f"{name}_peak_pressure_mpa" for name in COMPARTMENTS}
        return {f"contact.{name}.cycle_peak_pressure_mpa": max(float(row[column]) for row in rows) for name, column in names.items() if rows and rows[0].get(column)}
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return {}


def figures_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Scalars of a summary.json by their path, with the names of the interventions, and the dose and the risk of the regions of each compartment together.

    Doses are added up. The risk of several regions is the risk of a lesion in any of them if they are independent, 1 - prod(1 - risk), an assumption: regions
    of one knee are correlated, so that it is an upper bound.
    """
    found: dict[str, Any] = {"activity_of_result": summary.get("activity"), "interventions": "+".join(str(name) for name in _list(summary.get("interventions"))) or None}
    for section in SECTIONS:
        prefix = f"result.{section}" if section == "subject" else section
        if isinstance(values := summary.get(section), Mapping):
            _flatten(values, prefix, found)
    for compartment in COMPARTMENTS:
        own = [name for name, place in COMPARTMENT_OF_REGION.items() if place == compartment]
        if doses := _numbers(found, (f"bone.regions.{name}.daily_dose_mpa_s" for name in own)):
            found[f"bone.compartments.{compartment}.daily_dose_mpa_s"] = math.fsum(doses)
        if risks := _numbers(found, (f"lesion.regions.{name}.risk_24mo" for name in own)):
            found[f"lesion.{compartment}.risk_24mo"] = 1.0 - math.prod(1.0 - risk for risk in risks)
    return found


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _numbers(found: Mapping[str, Any], names: Iterable[str]) -> list[float]:
    return [value for name in names if isinstance(value := found.get(name), int | float) and not isinstance(value, bool)]


def _flatten(value: Any, path: str, found: dict[str, Any]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _flatten(item, f"{path}.{key}", found)
    elif isinstance(value, float):
        found[path] = value if math.isfinite(value) else None
    elif value is None or isinstance(value, bool | int | str):
        found[path] = value


def _one_type(values: list[Any]) -> list[Any]:
    """Values of one column with one type: whole numbers, numbers, truth values or text; None stays."""
    values = [_storable(value) for value in values]
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int} or kinds <= {bool} or kinds <= {str}:
        return values
    if kinds <= {int, float}:
        return [None if value is None else float(value) for value in values]
    return [None if value is None else str(value) for value in values]


def _storable(value: Any) -> Any:
    """A value that both kinds of tables can hold: no whole numbers beyond 64 bits, no halves of characters."""
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        return str(value)
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def free_name(path: Path) -> Path:
    """Return the path, or where it is taken the first of name-2, name-3 and so on that is free."""
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_stem(f"{path.stem}-{number}")
    return found


def write_table(table: SweepTable, path: Path) -> Path:
    """Write a table, as the ending of the name says: .csv or .parquet.

    Raises:
        InputError: another ending, a file that is there already or cannot be written, or Parquet without pyarrow.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise InputError("table", where="--output", got=str(path), allowed="a name that ends in .csv or .parquet", why="the ending says what is written")
    try:
        stream = path.open("xb")
    except FileExistsError:
        raise InputError("table", where="--output", got=str(path), allowed="a file that does not exist yet", why="nothing is written over") from None
    except OSError as problem:
        raise _unwritable(path, problem) from None
    try:
        with stream:
            (_parquet if path.suffix == ".parquet" else _csv)(table, stream)
    except OSError as problem:
        path.unlink(missing_ok=True)
        raise _unwritable(path, problem) from None
    return path


def _unwritable(path: Path, problem: OSError) -> InputError:
    return InputError("table", where="--output", got=str(path), allowed="a file that can be written", why=(problem.strerror or str(problem)).lower())


def _csv(table: SweepTable, stream: Any) -> None:
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(table.columns)
    writer.writerows([_cell(item) for item in row] for row in zip(*table.columns.values()))
    text.flush()
    text.detach()


def _cell(item: Any) -> Any:
    """A field of a CSV file; text that a spreadsheet would take for a formula begins with an apostrophe (OWASP, CSV injection)."""
    if isinstance(item, str):
        return f"'{item}" if item[:1] in _FORMULA else item
    return repr(item) if isinstance(item, float) else item


def _parquet(table: SweepTable, stream: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({name: pa.array(values) for name, values in table.columns.items()}), stream, compression="zstd")


def require_parquet() -> None:
    """Raise InputError that says what to install if Parquet cannot be written."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise InputError("package pyarrow", where="kneeload collect", got="not installed", allowed="an installation with it: pip install pyarrow, or --output FILE.csv",
                         why="the table is written as Parquet") from None


def numeric(table: SweepTable, name: str) -> bool:
    """Whether a column holds numbers, and at least one."""
    values = [value for value in table.columns[name] if value is not None]
    return bool(values) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def spread(table: SweepTable, name: str, least: int) -> bool:
    """Whether a column is there, holds numbers, and at least so many different ones among the jobs that are done."""
    return name in table.columns and numeric(table, name) and len({value for value, status in zip(table.columns[name], table.columns["status"]) if value is not None and status == "ok"}) >= least


def axes_of(table: SweepTable, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Return (x, quantity) or (x, y, quantity) for the plot: as asked, else the swept keys that are numbers; () where nothing can be drawn.

    Raises:
        InputError: a column that is unknown or holds no numbers.
    """
    for name in asked:
        if name not in table.columns or not numeric(table, name):
            likely = [column for column in table.columns if name.rpartition(".")[2] in column and numeric(table, column)]
            names = likely or [*(key for key in table.swept if numeric(table, key)), *(name for name in DEFAULT_QUANTITIES if name in table.columns)]
            raise InputError("column", where="--plot", got=name, allowed="a column with numbers, such as " + ", ".join(names[:6]) if names else "a column with numbers",
                             why="the table has none of this name" if name not in table.columns else "it holds none")
    if asked:
        return tuple(asked)
    quantity = next((name for name in DEFAULT_QUANTITIES if name in table.columns and numeric(table, name)), None)
    keys = [key for key in table.swept if spread(table, key, 2)]
    return () if quantity is None or not keys else (*keys[:2], quantity)
