"""A table of many knees, read in parts, only the columns that are asked for: the folder of a population, or a file of a sweep."""

from __future__ import annotations

import csv
import difflib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError, KneeloadError
from kneeload.result import COMPARTMENT_OF_REGION, COMPARTMENTS

BATCH = 8192  # rows that are held at once with all asked columns
BMI_CLASSES = ((18.5, "under 18.5"), (25.0, "18.5 to 25"), (30.0, "25 to 30"), (35.0, "30 to 35"), (math.inf, "35 and more"))  # WHO, Technical Report Series 894
ALIGNMENTS = ((177.0, "varus"), (183.0, "neutral"), (math.inf, "valgus"))  # by HKA, degrees: within 3 of 180 is neutral (Bellemans 2012, doi 10.1007/s11999-011-1936-5: varus of 3 and more)
CLASSES = {"bmi_class": ("bmi", BMI_CLASSES), "alignment_class": ("hka_deg", ALIGNMENTS)}  # name: column that is cut, and the upper end and words of each class
SHORT = {**{f"{name}_daily_dose": f"bone.compartments.{name}.daily_dose_mpa_s" for name in COMPARTMENTS}, **{f"{name}_peak_force": f"loads.{name}.peak_force_n" for name in COMPARTMENTS},
         **{f"{name}_peak_pressure": f"contact.{name}.peak_pressure_mpa" for name in COMPARTMENTS}}
RISKS = {f"{name}_risk": tuple(f"lesion.regions.{region}.risk_24mo" for region, compartment in COMPARTMENT_OF_REGION.items() if compartment == name) for name in COMPARTMENTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a question.

    Attributes:
        name: as it is told.
        sources: columns of the table that it is made from; several are risks of regions: 1 less the product of 1 - risk.
        classes: upper end and words of each class that its values are cut into, in order; () for none.
    """

    name: str
    sources: tuple[str, ...]
    classes: tuple[tuple[float, str], ...] = ()


class KneeTable:
    """A table of many knees: the folder of `kneeload population`, or a Parquet or CSV file as `kneeload collect` writes it."""

    def __init__(self, path: Path | str) -> None:
        """Find the files and their columns.

        Raises:
            InputError: there is no such table, or it cannot be read.
        """
        self.path = Path(path)
        found = sorted(self.path.glob("shard-*.parquet")) or sorted(self.path.glob("*.parquet")) if self.path.is_dir() else [self.path]
        if not found or not found[0].is_file():
            raise InputError("table", where="questions", got=str(path), allowed="a folder of `kneeload population`, or a .parquet or .csv file of `kneeload collect`", why="questions are asked of a table")
        self.files = found
        self.columns = self._columns()

    @property
    def scenarios(self) -> str | None:
        """Column that says what was done to a person: of a population or of a sweep."""
        return next((name for name in ("scenario", "interventions") if name in self.columns), None)

    def warning(self) -> str | None:
        """A sentence if this is a study that is not finished, else None."""
        try:
            record = json.loads((self.path / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if record.get("status") == "complete":
            return None
        return f"This study is not finished: {len(self.files)} of {record.get('shards', '?')} files are there, and only these are asked."

    def column(self, name: str) -> Column:
        """Find what a word means: a column, its last part ("bmi"), a short name ("medial_daily_dose", "medial_risk"), "bmi_class" or "alignment_class".

        Raises:
            InputError: nothing or several columns have this name.
        """
        if name in CLASSES and name not in self.columns:
            cut, classes = CLASSES[name]
            return Column(name=name, sources=self.column(cut).sources, classes=classes)
        if name in RISKS and set(RISKS[name]) <= set(self.columns):
            return Column(name=name, sources=RISKS[name])
        wanted = SHORT.get(name, name)
        fits = [wanted] if wanted in self.columns else [column for column in self.columns if column.endswith("." + wanted)]
        fits = [column for column in fits if column.startswith(("subject.", "activity."))] or fits
        if len(fits) == 1:
            return Column(name=fits[0], sources=(fits[0],))
        known = [*self.columns, *SHORT, *RISKS, *CLASSES]
        near = fits or [word for word in known if name.lower() in word.lower()] or difflib.get_close_matches(name, known, n=4, cutoff=0.3)
        raise InputError("column", where="questions", got=name, allowed="one of " + ", ".join(near[:6] or self.columns[:6]),
                         why="several columns end so" if fits else "the table has no such column")

    def parts(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield these columns of some rows at a time, as arrays: text or 64-bit numbers, nan where there is none.

        Raises:
            KneeloadError: a file cannot be read on.
        """
        import pyarrow as pa

        wanted = list(dict.fromkeys(columns))
        try:
            for file in self.files:
                for batch in _batches(file, wanted):
                    yield {name: _array(batch.column(name)) for name in wanted}
        except (pa.ArrowException, OSError) as problem:
            raise KneeloadError(f"The table {file} cannot be read: {' '.join(str(problem).split())[:200]}") from None

    def _columns(self) -> tuple[str, ...]:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise InputError("package pyarrow", where="questions", got="not installed", allowed="an installation with it: pip install pyarrow", why="tables are read with it") from None
        first = self.files[0]
        try:
            if first.suffix == ".csv":
                with first.open(encoding="utf-8-sig", newline="") as stream:
                    names = tuple(next(csv.reader(stream), ()))
            else:
                names = tuple(pq.read_schema(first).names)
        except (pa.ArrowException, OSError, ValueError, csv.Error) as problem:
            raise InputError("table", where="questions", got=str(first), allowed="a Parquet or CSV file", why=f"it cannot be read: {' '.join(str(problem).split())[:150]}") from None
        twice = [name for name in names if names.count(name) > 1]
        if len(names) < 2 or twice:
            raise InputError("table", where="questions", got=str(first), allowed="a table with columns of different names, in a CSV file between commas",
                             why=f"it has {twice.count(twice[0])} columns {twice[0]}" if twice else f"its first line holds {names[0][:60]!r}" if names else "it is empty")
        return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Rows that take part in an answer.

    Attributes:
        values: (columns, n) in the units of the columns, or labels as objects of text.
        failed: rows with status failed, which are left out.
        missing: rows without one of the numbers, which are left out.
    """

    values: tuple[Any, ...]
    failed: int
    missing: int


def taken(table: KneeTable, columns: Sequence[Column], scenario: str | None) -> Taken:
    """Read the columns of all rows of a scenario; rows that failed or lack a number are counted and left out.

    Raises:
        InputError: the table has several scenarios and none is named, or has not the one that is, or a column with classes holds text.
    """
    where = table.scenarios
    if where is None and scenario is not None:
        raise InputError("scenario", where="--scenario", got=scenario, allowed="a table with a column scenario or interventions", why="this one does not say what was done to a person")
    wanted = [source for column in columns for source in column.sources] + [name for name in (where, "status" if "status" in table.columns else None) if name]
    kept: list[list[Any]] = [[] for _ in columns]
    failed, missing, seen = 0, 0, set[str]()
    for part in table.parts(wanted):
        here = np.ones(len(part[wanted[0]]), dtype=bool)
        if where is not None:
            names = np.array([value if isinstance(value, str) and value else "none" for value in part[where].tolist()], dtype=object)
            seen |= set(names.tolist())
            if scenario is not None:
                here &= names == scenario
        bad = here & (part["status"] == "failed") if "status" in part else np.zeros_like(here)
        failed += int(bad.sum())
        values = [_made(column, part) for column in columns]
        whole = here & ~bad & np.all([_there(value) for value in values], axis=0)
        missing += int((here & ~bad & ~whole).sum())
        for place, value in enumerate(values):
            kept[place].append(value[whole])
    if (scenario is not None and scenario not in seen) or (scenario is None and len(seen) > 1):
        raise InputError("scenario", where="--scenario", got=scenario, allowed="one of " + ", ".join(sorted(seen)), why="each person has a row for each of them" if where == "scenario" else "the rows differ in it")
    return Taken(values=tuple(np.concatenate(parts) for parts in kept), failed=failed, missing=missing)


def _made(column: Column, part: dict[str, Any]) -> Any:
    if len(column.sources) == 1:
        return part[column.sources[0]]
    return 1.0 - np.prod([1.0 - part[source] for source in column.sources], axis=0)


def _there(values: Any) -> NDArray[np.bool_]:
    return np.array([value is not None for value in values], dtype=bool) if values.dtype == object else np.isfinite(values)


def _batches(file: Path, columns: list[str]) -> Iterator[Any]:
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    if file.suffix == ".csv":
        yield from pc.read_csv(file, parse_options=pc.ParseOptions(newlines_in_values=True),  # at once: only so are types told from all rows
                               convert_options=pc.ConvertOptions(include_columns=columns, strings_can_be_null=True)).to_batches(BATCH)
        return
    with pq.ParquetFile(file) as opened:
        yield from opened.iter_batches(batch_size=BATCH, columns=columns)


def _array(column: Any) -> Any:
    """A column as an array: text as objects, anything else as 64-bit numbers with nan for what is not there."""
    import pyarrow as pa

    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_dictionary(column.type):
        return np.array(column.to_pylist(), dtype=object)
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    return np.asarray(column.cast(pa.float64()).fill_null(math.nan).to_numpy(zero_copy_only=False), dtype=np.float64)
