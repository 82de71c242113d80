"""What a plan may use and what it must keep: the person's limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kneeload.contact.cycle import COMPARTMENTS
from kneeload.errors import InputError, check_choice, check_range
from kneeload.interventions import INTERVENTIONS
from kneeload.subject.anatomy import MOAKS_REGIONS

TARGETS = (*COMPARTMENTS, *MOAKS_REGIONS)
FEWEST_EVALUATIONS, MOST_EVALUATIONS = 4, 5000
LARGEST_RISE_PCT = 1000.0
DEFAULT = ("unloader_brace", "weight_loss", "toe_in", "cane")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSettings:
    """Limits of one person. Amounts are those of the table of interventions (`kneeload.interventions.INTERVENTIONS`), units as there.

    A limit of None is no limit. The default limits are a convention of ours and no published threshold: nobody knows which rise of dose
    elsewhere is harmless.

    Attributes:
        interventions: what the person is willing to do, names.
        least, most: own ranges of amounts by name; the table's where a name is missing.
        fixed: other parameters by name, such as {"unloader_brace": {"hours_per_day": 4.0}}.
        target: a compartment or a MOAKS region whose daily dose shall fall; None takes the overloaded region.
        medial_rise_pct, lateral_rise_pct, patellofemoral_rise_pct: largest rise of the daily dose of each compartment, % of that without the plan.
        fewest_steps_per_day: no plan takes the person below this, or further below (6,000: PMC4146701).
        most_interventions: largest number of interventions at once, None for all.
        ranking: whether every single intervention of the table is ranked beside the search.
        seed: of the search; one seed gives one table, whatever the number of workers.
        evaluations: largest number of simulated combinations.
        workers: processes; 0 stays in this one.
    """

    interventions: tuple[str, ...] = DEFAULT
    least: Mapping[str, float] = field(default_factory=dict)
    most: Mapping[str, float] = field(default_factory=dict)
    fixed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    target: str | None = None
    medial_rise_pct: float | None = 5.0
    lateral_rise_pct: float | None = 5.0
    patellofemoral_rise_pct: float | None = 5.0
    fewest_steps_per_day: float = 6000.0
    most_interventions: int | None = None
    ranking: bool = True
    seed: int = 0
    evaluations: int = 120
    workers: int = 2

    def __post_init__(self) -> None:
        _check_names(self.interventions)
        for key in ("least", "most", "fixed"):
            _check_keys(getattr(self, key), self.interventions, key)
        if self.target is not None:
            check_choice("target", self.target, TARGETS, where="plan.target", why="a plan lowers the dose of a compartment or of a region of MOAKS")
        for name in COMPARTMENTS:
            rise = getattr(self, f"{name}_rise_pct")
            if rise is not None:
                check_range(f"{name} rise", rise, 0.0, LARGEST_RISE_PCT, "% or null", where=f"plan.{name}_rise_pct", why="it says how much the daily dose there may rise")
        check_range("fewest steps", self.fewest_steps_per_day, 0.0, 60000.0, "a day", where="plan.fewest_steps_per_day", why="nobody walks more every day")
        if self.most_interventions is not None:
            _check_whole("most_interventions", self.most_interventions, 0, 1000)
        _check_whole("seed", self.seed, 0, 2**31 - 1)
        _check_whole("evaluations", self.evaluations, FEWEST_EVALUATIONS, MOST_EVALUATIONS)
        _check_whole("workers", self.workers, 0, 1024)

    def limit(self, compartment: str) -> float:
        """Return the largest rise of a compartment's daily dose, %, infinite without a limit."""
        rise = getattr(self, f"{compartment}_rise_pct")
        return float("inf") if rise is None else float(rise)


def _check_names(names: object) -> None:
    if not isinstance(names, tuple):
        raise InputError("interventions of a plan", where="plan.interventions", got=names, allowed="a list of names", why="they are combined with each other")
    for name in names:
        if name not in INTERVENTIONS:
            raise InputError("intervention of a plan", where="plan.interventions", got=name, allowed="one of " + ", ".join(INTERVENTIONS), why="kneeload has no other that can be simulated")
    if len(set(names)) != len(names):
        raise InputError("interventions of a plan", where="plan.interventions", got=names, allowed="each name once", why="its effect would be counted twice")


def _check_keys(values: object, names: tuple[str, ...], key: str) -> None:
    if not isinstance(values, Mapping):
        raise InputError(key, where=f"plan.{key}", got=values, allowed="names with values", why="each intervention has its own")
    for name, value in values.items():
        if name not in names:
            raise InputError(key, where=f"plan.{key}", got=name, allowed="one of " + ", ".join(names), why="only interventions of the plan have limits")
        row = INTERVENTIONS[name]
        if key == "fixed":
            _check_fixed(name, value)
        elif row.amount is None:
            raise InputError(key, where=f"plan.{key}.{name}", got=value, allowed="nothing", why="it has no degree: it is done or not")
        else:
            check_range(f"{key} of {name.replace('_', ' ')}", value, -1e6, 1e6, row.unit, where=f"plan.{key}.{name}", why="it is an amount of what the person can do")


def _check_fixed(name: str, values: object) -> None:
    row, where = INTERVENTIONS[name], f"plan.fixed.{name}"
    known = [key for key in (row.apply.__kwdefaults__ or {}) if key != row.amount]
    if not isinstance(values, Mapping) or not set(values) <= set(known):
        raise InputError("parameters", where=where, got=values, allowed="values for " + (", ".join(known) or "none: it has no other parameter"), why="its amount is what the plan searches")


def _check_whole(what: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(what.replace("_", " "), where=f"plan.{what}", got=value, allowed=f"a whole number from {low} to {high}", why="the search counts with it")
