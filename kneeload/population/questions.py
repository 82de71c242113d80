"""Questions to a table of many knees: quantiles by group, risk by two quantities, who benefits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError, check_choice
from kneeload.population.knee_table import Column, KneeTable, Taken, taken
from kneeload.result import COMPARTMENTS

Array = NDArray[np.float64]
Labels = NDArray[np.str_]
PARTS = (0.05, 0.25, 0.5, 0.75, 0.95)
NORMAL_95 = 1.959964  # half width of the 95 % interval of a normal distribution in standard deviations
STEPS = {"mpta_deg": 2.0, "ldfa_deg": 2.0, "hka_deg": 3.0, "bmi": 5.0, "body_mass_kg": 10.0, "height_m": 0.1, "medial_slope_deg": 3.0, "lateral_slope_deg": 3.0, "steps_per_day": 2500.0,
         "speed_m_s": 0.2}  # by the last part of a column
MEASURES = ("daily_dose", "peak_pressure", "peak_force")


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
    """Quantiles of a quantity in each group of people, groups in order, and the rows that took part.

    Raises:
        InputError: the quantity is text or classes.
    """
    rows = taken(table, (of, *by), scenario)
    _numbers(of, rows.values[0], "--of")
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
        InputError: one of the three is text or classes.
    """
    rows = taken(table, (of, x, y), scenario)
    for column, value, flag in zip((of, x, y), rows.values, ("--of", "--by", "--by")):
        _numbers(column, value, flag)
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
    if not any(name.startswith("change.") for name in table.columns):
        raise InputError("table", where="questions", got=str(table.path), allowed="one with columns such as change.medial.daily_dose_pct", why="nobody in it had an intervention")
    columns = [table.column(f"change.{side}.{measure}_pct") for side in (target, other)]
    rows = taken(table, (*columns, *by), scenario)
    if not len(rows.values[0]):
        raise InputError("scenario", where="--scenario", got=scenario, allowed="one with an intervention whose changes are in the table", why="without an intervention nothing changes" if scenario == "none" else f"{rows.failed} rows failed and {rows.missing} lack a number")
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
        if values.dtype == object:
            raise InputError("column", where="--by", got=column.sources[0], allowed="a column of numbers", why=f"{column.name} is cut from it")
        order = [words for _, words in column.classes]
        return np.array(order)[np.searchsorted([end for end, _ in column.classes], values, side="right")], order
    if values.dtype == object:
        found = values.astype(str)
        return found, sorted(set(found.tolist()))
    step = _step(column, values)
    places = np.floor(values / step + 1e-9)
    order = [f"{place * step:g} to {(place + 1) * step:g}" for place in np.unique(places)]
    return np.array(order)[np.searchsorted(np.unique(places), places)], order


def _numbers(column: Column, values: Any, flag: str) -> None:
    if column.classes or values.dtype == object:
        raise InputError("column", where=flag, got=column.name, allowed="a column of numbers, such as mpta_deg, bmi or medial_daily_dose", why="it holds words")


def _step(column: Column, values: Array) -> float:
    """Width of a class: a usual one, or a round one that makes about six."""
    if (usual := STEPS.get(column.name.rpartition(".")[2])) is not None:
        return usual
    width = float(np.ptp(values)) / 6.0 if len(values) else 1.0
    if width <= 0.0:
        return 1.0
    ten = 10.0 ** math.floor(math.log10(width))
    return next(step * ten for step in (1.0, 2.0, 5.0, 10.0) if step * ten >= width)
