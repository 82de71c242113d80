"""Questions to a table of many knees: quantiles by group, risk by two quantities, who benefits. Tables are read in parts, only the columns that are asked for."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError, KneeloadError, check_choice
from kneeload.result import COMPARTMENT_OF_REGION, COMPARTMENTS

Array = NDArray[np.float64]
Labels = NDArray[np.str_]
PARTS = (0.05, 0.25, 0.5, 0.75, 0.95)
NORMAL_95 = 1.959964  # half width of the 95 % interval of a normal distribution in standard deviations
LEAST = 10  # people in a group below which its numbers are shown as uncertain
BATCH = 8192  # rows that are held at once with all asked columns
BMI_CLASSES = ((18.5, "under 18.5"), (25.0, "18.5 to 25"), (30.0, "25 to 30"), (35.0, "30 to 35"), (math.inf, "35 and more"))  # WHO, Technical Report Series 894
STEPS = {"subject.mpta_deg": 2.0, "subject.ldfa_deg": 2.0, "subject.hka_deg": 3.0, "subject.bmi": 5.0, "subject.body_mass_kg": 10.0, "subject.height_m": 0.1,
         "subject.medial_slope_deg": 3.0, "subject.lateral_slope_deg": 3.0, "subject.steps_per_day": 2500.0, "activity.speed_m_s": 0.2}
SHORT = {**{f"{name}_daily_dose": f"bone.compartments.{name}.daily_dose_mpa_s" for name in COMPARTMENTS}, **{f"{name}_peak_force": f"loads.{name}.peak_force_n" for name in COMPARTMENTS},
         **{f"{name}_peak_pressure": f"contact.{name}.peak_pressure_mpa" for name in COMPARTMENTS}}
RISKS = {f"{name}_risk": tuple(f"lesion.regions.{region}.risk_24mo" for region, compartment in COMPARTMENT_OF_REGION.items() if compartment == name) for name in COMPARTMENTS}
MEASURES = ("daily_dose", "peak_pressure", "peak_force")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a question.

    Attributes:
        name: as it is told.
        sources: columns of the table that it is made from; several are risks of regions: 1 less the product of 1 - risk.
        classes: True for classes of the body mass index.
    """

    name: str
    sources: tuple[str, ...]
    classes: bool = False


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
        """Find what a word means: a column, its last part ("bmi"), a short name ("medial_daily_dose", "medial_risk") or "bmi_class".

        Raises:
            InputError: nothing or several columns have this name.
        """
        if name == "bmi_class":
            return Column(name=name, sources=("subject.bmi",), classes=True)
        if name in RISKS and set(RISKS[name]) <= set(self.columns):
            return Column(name=name, sources=RISKS[name])
        wanted = SHORT.get(name, name)
        fits = [wanted] if wanted in self.columns else [column for column in self.columns if column.endswith("." + wanted)]
        fits = [column for column in fits if column.startswith(("subject.", "activity."))] or fits
        if len(fits) == 1:
            return Column(name=fits[0], sources=(fits[0],))
        known = [*self.columns, *SHORT, *RISKS, "bmi_class"]
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
                with first.open(encoding="utf-8") as stream:
                    return tuple(stream.readline().rstrip("\n").replace('"', "").split(","))
            return tuple(pq.read_schema(first).names)
        except (pa.ArrowException, OSError, ValueError) as problem:
            raise InputError("table", where="questions", got=str(first), allowed="a Parquet or CSV file", why=f"it cannot be read: {' '.join(str(problem).split())[:150]}") from None


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
        InputError: the table has several scenarios and none is named, or has not the one that is.
    """
    where = table.scenarios
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


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupQuantiles:
    """One quantity in one group.

    Attributes:
        group: a label per grouping column.
        people: n.
        mean: in the unit of the quantity.
        quantiles: at `PARTS`, same unit.
        median_low, median_high: 95 % interval of the median from order statistics (Conover 1999, Practical Nonparametric Statistics, 3.2), same unit.
    """

    group: tuple[str, ...]
    people: int
    mean: float
    quantiles: tuple[float, ...]
    median_low: float
    median_high: float


def quantiles_by(table: KneeTable, of: Column, by: Sequence[Column], *, scenario: str | None = None) -> tuple[list[GroupQuantiles], Taken]:
    """Quantiles of a quantity in each group of people, groups in order, and the rows that took part."""
    rows = taken(table, (of, *by), scenario)
    labels = [_labels(column, value) for column, value in zip(by, rows.values[1:])]
    return [_quantiles(group, rows.values[0][members]) for group, members in _groups(labels, len(rows.values[0]))], rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """People in one field of a two-way table.

    Attributes:
        x, y: lower ends of the field, in the units of the two quantities.
        people: n.
        mean, low, high: of what is asked, and its 10 and 90 % quantiles over the people, in its unit.
    """

    x: float
    y: float
    people: int
    mean: float
    low: float
    high: float


def surface(table: KneeTable, of: Column, x: Column, y: Column, *, scenario: str | None = None) -> tuple[list[Cell], tuple[float, float], Taken]:
    """Mean of a quantity over two others, in fields of round steps; also the steps (units of x and y) and the rows that took part.

    Raises:
        InputError: x or y is text.
    """
    rows = taken(table, (of, x, y), scenario)
    for column, value in zip((x, y), rows.values[1:]):
        if value.dtype == object:
            raise InputError("column", where="--by", got=column.name, allowed="two columns of numbers, such as mpta_deg,bmi", why="they are the axes of a picture")
    steps = (_step(x, rows.values[1]), _step(y, rows.values[2]))
    places = [np.floor(value / step + 1e-9) for value, step in zip(rows.values[1:], steps)]
    cells = []
    for a, b in sorted(set(zip(places[0].tolist(), places[1].tolist()))):
        inside = rows.values[0][(places[0] == a) & (places[1] == b)]
        low, high = np.quantile(inside, (0.1, 0.9))
        cells.append(Cell(x=a * steps[0], y=b * steps[1], people=len(inside), mean=float(inside.mean()), low=float(low), high=float(high)))
    return cells, steps, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Benefit:
    """How many people of a group an intervention helps.

    Attributes:
        group: a label per grouping column.
        people, helped: n, and those with enough less on the target side and not too much more on the other.
        share, low, high: helped over n and its 95 % interval (Wilson 1927, J Am Stat Assoc 22:209), no unit.
        target_pct, other_pct: median change on the target and on the other side, percent.
    """

    group: tuple[str, ...]
    people: int
    helped: int
    share: float
    low: float
    high: float
    target_pct: float
    other_pct: float


def who_benefits(table: KneeTable, scenario: str, by: Sequence[Column] = (), *, measure: str = "daily_dose", target: str = "medial", other: str = "lateral", less_pct: float = 5.0,
                 more_pct: float = 5.0) -> tuple[list[Benefit], Taken]:
    """Share of people with more than `less_pct` percent less on the target side and no more than `more_pct` percent more on the other; all of them first.

    Raises:
        InputError: an unknown measure or side, or a table without changes or without this scenario.
    """
    check_choice("measure", measure, MEASURES, where="--measure", why="changes of these are in the table")
    for name in (target, other):
        check_choice("side", name, COMPARTMENTS, where="--target", why="these compartments carry load")
    columns = [table.column(f"change.{side}.{measure}_pct") for side in (target, other)]
    rows = taken(table, (*columns, *by), scenario)
    if not len(rows.values[0]):
        raise InputError("scenario", where="--scenario", got=scenario, allowed="one with an intervention whose changes are in the table", why="without an intervention nothing changes")
    helped = (rows.values[0] < -less_pct) & (rows.values[1] <= more_pct)
    labels = [_labels(column, value) for column, value in zip(by, rows.values[2:])]
    found = [_benefit(("all",) * max(len(by), 1), helped, rows.values[0], rows.values[1])]
    if by:
        found += [_benefit(group, helped[members], rows.values[0][members], rows.values[1][members]) for group, members in _groups(labels, len(helped))]
    return found, rows


def wilson(hits: int, people: int) -> tuple[float, float]:
    """95 % interval of a share, no unit, from `hits` of `people` (Wilson 1927, J Am Stat Assoc 22:209)."""
    if people == 0:
        return 0.0, 1.0
    z2, share = NORMAL_95**2, hits / people
    middle = (share + z2 / (2 * people)) / (1 + z2 / people)
    half = NORMAL_95 / (1 + z2 / people) * math.sqrt(share * (1 - share) / people + z2 / (4 * people**2))
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == people else middle + half)


def _benefit(group: tuple[str, ...], helped: NDArray[np.bool_], target: Array, other: Array) -> Benefit:
    hits, people = int(helped.sum()), len(helped)
    low, high = wilson(hits, people)
    return Benefit(group=group, people=people, helped=hits, share=hits / people, low=low, high=high, target_pct=float(np.median(target)), other_pct=float(np.median(other)))


def _quantiles(group: tuple[str, ...], values: Array) -> GroupQuantiles:
    from scipy.stats import binom

    ordered, n = np.sort(values), len(values)
    rank = int(binom.ppf(0.025, n, 0.5))
    low, high = (ordered[max(rank - 1, 0)], ordered[min(n - max(rank, 1), n - 1)]) if n > 5 else (math.nan, math.nan)  # up to 5 people no interval holds 95 %
    return GroupQuantiles(group=group, people=n, mean=float(values.mean()), quantiles=tuple(float(q) for q in np.quantile(ordered, PARTS)), median_low=float(low), median_high=float(high))


def _groups(labels: Sequence[tuple[Labels, list[str]]], people: int) -> Iterator[tuple[tuple[str, ...], NDArray[np.bool_]]]:
    """Every combination of labels that somebody has, in order, with its members (n,) bool."""
    if not labels:
        yield ("all",), np.ones(people, dtype=bool)
        return
    codes = np.zeros(people, dtype=np.int64)
    for values, order in labels:
        codes = codes * len(order) + _places(values, order)
    for code in np.unique(codes):
        members = codes == code
        first = int(np.argmax(members))
        yield tuple(str(values[first]) for values, _ in labels), members


def _places(values: Labels, order: list[str]) -> NDArray[np.int64]:
    unique, inverse = np.unique(values, return_inverse=True)
    return np.array([order.index(str(item)) for item in unique], dtype=np.int64)[inverse]


def _labels(column: Column, values: Any) -> tuple[Labels, list[str]]:
    """Label of each person (n,) and all labels in order: text as it is, classes of BMI, other numbers in round steps."""
    if column.classes:
        order = [words for _, words in BMI_CLASSES]
        return np.array(order)[np.searchsorted([end for end, _ in BMI_CLASSES], values, side="right")], order
    if values.dtype == object:
        found = values.astype(str)
        return found, sorted(set(found.tolist()))
    step = _step(column, values)
    places = np.floor(values / step + 1e-9)
    order = [f"{place * step:g} to {(place + 1) * step:g}" for place in np.unique(places)]
    return np.array(order)[np.searchsorted(np.unique(places), places)], order


def _step(column: Column, values: Array) -> float:
    """Width of a class: a usual one, or a round one that makes about six."""
    if column.name in STEPS:
        return STEPS[column.name]
    width = float(np.ptp(values)) / 6.0 if len(values) else 1.0
    if width <= 0.0:
        return 1.0
    ten = 10.0 ** math.floor(math.log10(width))
    return next(step * ten for step in (1.0, 2.0, 5.0, 10.0) if step * ten >= width)


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
        yield from pc.open_csv(file, convert_options=pc.ConvertOptions(include_columns=columns, strings_can_be_null=True))
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
