"""From a case and its limits to the table of plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kneeload.case import Case
from kneeload.contact.cycle import COMPARTMENTS
from kneeload.errors import ConvergenceError, InputError
from kneeload.interventions import INTERVENTIONS, reference_rows
from kneeload.lesion.checks import PlanEffect
from kneeload.plan.bench import Bench, Progress
from kneeload.plan.choices import Amounts, Choice, choices_of, fewer_steps_than_allowed, planned, to_simulate
from kneeload.plan.limits import PlanSettings
from kneeload.plan.ranking import RankedIntervention, rank
from kneeload.plan.rows import NO_CHANGE_PCT, PlanRow, Yardstick, front_of
from kneeload.plan.search import Search
from kneeload.result import COMPARTMENT_OF_REGION, KneeResult
from kneeload.simulate import reference_case, reference_load, simulate
from kneeload.subject.anatomy import MOAKS_REGIONS

CHECKED = 2  # plans of the table whose effect on overloaded bone is computed for the panel: the one with the least dose, and one half way
SHOWN = 8  # rows of the table in a terminal or a report


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanResult:
    """What would move the load of one person, within limits.

    Attributes:
        settings: what was asked.
        target: compartment or MOAKS region whose daily dose the plans lower.
        compartment: that of the target.
        choices: interventions that this person can use, with their amounts.
        barred: why others that were asked for cannot be used.
        rows: plans that keep every limit and that no other simulated plan beats in both dose and burden, by rising burden; the first is "as now".
        tried: every combination that was simulated.
        least_bad: None, or, where no plan keeps the limits and lowers the dose, the one that lowers it with the smallest excess over a limit.
        ranking: single interventions, the one that helps the overloaded compartment most first; empty when not asked for.
        left_out: why interventions are not in the ranking.
        effects: what the best plans do to the overloaded bone, for the panel (`kneeload.lesion.checks.panel`).
        notes: what a reader must know about the plans of the table.
        simulated: number of cases that were simulated.
        failures: sentences of combinations without an answer.
        refused: number of combinations that cannot be done together.
    """

    settings: PlanSettings
    target: str
    compartment: str
    choices: tuple[Choice, ...]
    barred: Mapping[str, str]
    rows: tuple[PlanRow, ...]
    tried: tuple[PlanRow, ...]
    least_bad: PlanRow | None
    ranking: tuple[RankedIntervention, ...]
    left_out: Mapping[str, str]
    effects: tuple[PlanEffect, ...]
    notes: tuple[str, ...]
    simulated: int
    failures: tuple[str, ...]
    refused: int

    def columns(self) -> dict[str, list[Any]]:
        """Columns of plan.csv: a row per plan of the table, then the least bad one; amounts with their units, doses in % of those without a plan."""
        rows = [*self.rows, *([self.least_bad] if self.least_bad else [])]
        amounts = [dict(row.amounts) for row in rows]
        return {
            "plan": list(range(len(rows))),
            **{f"{choice.name}_{choice.parameter}" if choice.parameter else choice.name: [chosen.get(choice.name, 0.0) for chosen in amounts] for choice in self.choices},
            "burden": [row.burden for row in rows], "target_dose_pct": [row.target_dose_pct for row in rows],
            **{f"{name}_dose_pct": [row.dose_pct[name] for row in rows] for name in COMPARTMENTS},
            "worst_rise_pct": [row.worst_rise_pct for row in rows], "within_limits": [row.within_limits for row in rows],
            **{key: ["" if getattr(row, key) is None else getattr(row, key) for row in rows] for key in ("target_risk_24mo", "target_risk_24mo_low", "target_risk_24mo_high")},
        }

    def ranking_columns(self) -> dict[str, list[Any]]:
        """Columns of ranking.csv, one row per single intervention."""
        return {
            "intervention": [item.name for item in self.ranking], "amount": ["" if item.amount is None else item.amount for item in self.ranking],
            "unit": [item.unit for item in self.ranking], "target_dose_pct": [item.target_dose_pct for item in self.ranking],
            **{f"{name}_dose_pct": [item.dose_pct[name] for item in self.ranking] for name in COMPARTMENTS},
            "suits": [item.suits or "" for item in self.ranking], "raises": [" ".join(item.raises) for item in self.ranking],
        }

    def summary(self) -> dict[str, Any]:
        """The part "plan" of summary.json."""
        settings = self.settings
        return {
            "target": self.target, "compartment": self.compartment,
            "limits": {**{f"{name}_rise_pct": getattr(settings, f"{name}_rise_pct") for name in COMPARTMENTS}, "fewest_steps_per_day": settings.fewest_steps_per_day,
                       "most_interventions": settings.most_interventions},
            "choices": [{"name": choice.name, "unit": choice.unit, "amounts": list(choice.amounts), "fixed": dict(choice.fixed)} for choice in self.choices],
            "barred": dict(self.barred), "seed": settings.seed, "simulated": self.simulated, "failed": len(self.failures), "refused": self.refused,
            "rows": [_row(row) for row in self.rows], "shown": list(shown(self.rows)), "least_bad": None if self.least_bad is None else _row(self.least_bad),
            "ranking": [{**asdict(item), "raises": list(item.raises), "words": words_of(((item.name, item.amount or 0.0),))} for item in self.ranking], "left_out": dict(self.left_out),
            "effects": [asdict(item) for item in self.effects], "notes": list(self.notes),
            "not_simulated": [asdict(item) for item in reference_rows()],
        }

    def cloud(self) -> list[tuple[float, float, bool]]:
        """Return burden, change of the target's dose, %, and whether the limits are kept, of everything that was simulated."""
        return [(row.burden, row.target_dose_pct, row.within_limits) for row in self.tried]


def plan_interventions(case: Case, settings: PlanSettings | None = None, *, result: KneeResult | None = None, progress: Progress | None = None) -> PlanResult:
    """Return the combinations of interventions with the least daily dose in the overloaded bone for each burden, within the person's limits.

    Every row of the answer was simulated as it stands. Interventions that the case has already stay: changes are told against the case as it is.
    The search is a heuristic: a table without a better plan proves no absence of one.

    Args:
        case: the person as they are.
        settings: what they can do and what must not rise; default PlanSettings().
        result: of this case, when it is known already.
        progress: called with the number of simulated cases, the largest number there may be, and what they are for.

    Raises:
        InputError: limits that contradict each other, or a case without contact.
        ConvergenceError: the case as it is has no equilibrium.
    """
    settings = settings or PlanSettings()
    if case.contact is None:
        raise InputError("contact", where="contact", got="none", allowed="elastic_foundation with a plan", why="a plan lowers the daily dose of the bone")
    choices, barred = choices_of(case, settings)
    with Bench(settings.workers, settings.evaluations + settings.ranking * len(INTERVENTIONS), progress) as bench:  # its processes start beside what follows
        result = result or simulate(case)
        target = settings.target or overloaded_region(result)
        return _planned(case, settings, result, target, choices, barred, bench)


def _planned(case: Case, settings: PlanSettings, result: KneeResult, target: str, choices: tuple[Choice, ...], barred: dict[str, str], bench: Bench) -> PlanResult:
    base = bench.run([()], lambda _: to_simulate(case), "as now")
    if () not in base:
        raise ConvergenceError(bench.failures()[()])
    measure = Yardstick(base=base[()], target=target, settings=settings)
    ranking, left_out = rank(case, measure, bench) if settings.ranking else ((), {})
    search = Search(choices, settings, _simulator(case, measure, choices, bench))
    rows = list(search.run().values())
    front = front_of(rows)
    least_bad = None if any(row.target_dose_pct <= -NO_CHANGE_PCT for row in front) else _least_bad(rows)
    fixed = {choice.name: choice.fixed for choice in choices}
    best = [row for row in ([front[k] for k in shown(front, CHECKED + 1)] if least_bad is None else [least_bad]) if row.amounts]
    zones = result.zones()
    effects = [] if zones is None else bench.call(_effect, [(to_simulate(case), row.amounts, fixed, int(np.argmax(zones.volume_mm3)), zones.volume_mm3, zones.share) for row in best])
    notes = [note for row in [*front, *best] for note in planned(case, row.amounts, fixed).notes if note not in case.notes]
    return PlanResult(settings=settings, target=target, compartment=measure.compartment, choices=choices, barred=barred, rows=front, tried=tuple(rows), least_bad=least_bad,
                      ranking=ranking, left_out=left_out, effects=tuple(item for item in effects if item is not None), notes=tuple(dict.fromkeys(notes)), simulated=bench.done,
                      failures=tuple(f"{words_of(key)}: {sentence}" for key, sentence in bench.failures().items()), refused=len(bench.refused))


def overloaded_region(result: KneeResult) -> str:
    """Return the region with the most overloaded bone (`KneeResult.zones`), or, where no bone is overloaded, the one whose stimulus is most above the reference
    person's; the strip between the plateaus, which belongs to no compartment, is not asked."""
    zones = result.zones()
    assert zones is not None and result.bone is not None
    own, reference = result.bone, reference_load(reference_case(result.case))
    assert own.stimulus is not None and reference.stimulus is not None
    asked = np.array([region in COMPARTMENT_OF_REGION for region in MOAKS_REGIONS])
    volume = np.where(asked, zones.volume_mm3, 0.0)
    ratio = np.divide(own.stimulus, reference.stimulus, out=np.zeros_like(own.stimulus), where=asked & (reference.stimulus > 0.0))
    return MOAKS_REGIONS[int(np.argmax(volume if volume.max() > 0.0 else ratio))]


def shown(rows: Sequence[PlanRow], most: int = SHOWN) -> list[int]:
    """Return the indices of at most so many rows, "as now" and the last one among them, spread evenly over the fall of the dose between them."""
    if len(rows) <= most:
        return list(range(len(rows)))
    falls = np.array([-row.target_dose_pct for row in rows])
    wanted = np.linspace(falls[0], falls[-1], most)
    return sorted({int(np.argmin(np.abs(falls - value))) for value in wanted})


def words_of(amounts: Amounts) -> str:
    """Return a combination in words: "unloader brace 4 degrees and weight loss 5 kg"."""
    return " and ".join(_measured(name, amount) for name, amount in amounts) or "as now"


def _measured(name: str, amount: float) -> str:
    """Return an intervention with its amount and unit: "fewer flights 2 a day", "less standing 1 hour a day"."""
    words, unit = name.replace("_", " "), INTERVENTIONS[name].unit
    if INTERVENTIONS[name].amount is None:
        return words
    if unit == "of body weight":
        amount, unit = 100.0 * amount, f"% {unit}"
    first, _, rest = unit.partition(" ")
    first = "" if first in words.split() else first.removesuffix("s") if amount == 1.0 else first
    return " ".join(filter(None, (words, f"{amount:,.6g}", first, rest)))


def _simulator(case: Case, measure: Yardstick, choices: tuple[Choice, ...], bench: Bench):  # type: ignore[no-untyped-def]
    fixed, settings = {choice.name: choice.fixed for choice in choices}, measure.settings
    most = {choice.name: choice.amounts[-1] for choice in choices}

    def make(key: Amounts) -> Case:
        changed = planned(case, key, fixed)
        if fewer_steps_than_allowed(changed, case, settings):
            raise InputError("steps a day", where="plan", got=changed.subject.steps_per_day, allowed=f"{settings.fewest_steps_per_day:g} or more", why="redistribute the load, do not rest")
        return to_simulate(changed)

    def rows(wanted: Sequence[Amounts]) -> dict[Amounts, PlanRow]:
        found = bench.run(wanted, make, "combinations")
        return {key: measure.row(key, float(sum(amount / most[name] for name, amount in key)), figures) for key, figures in found.items()}

    return rows


def _least_bad(rows: Sequence[PlanRow]) -> PlanRow | None:
    lower = [row for row in rows if row.target_dose_pct <= -NO_CHANGE_PCT]
    return min(lower, key=lambda row: (row.excess_pct, row.target_dose_pct, row.burden), default=None)


def _effect(case: Case, amounts: Amounts, fixed: Mapping[str, Mapping[str, Any]], first: int, volume_mm3: np.ndarray, share: np.ndarray) -> PlanEffect | None:
    """Return what a plan does to the overloaded bone: in the region with the most of it, and at worst elsewhere; None where it has no answer."""
    changed = planned(case, amounts, fixed)
    try:
        after = simulate(to_simulate(changed)).zones()
    except ConvergenceError:
        return None
    assert after is not None
    there = float(volume_mm3[first])
    return PlanEffect(name=words_of(amounts), overload_change=0.0 if there == 0.0 else min(float(after.volume_mm3[first]) / there - 1.0, 100.0),
                      worst_rise=max(float(np.delete(after.share - share, first).max()), 0.0), steps_per_day=changed.subject.steps_per_day)


def _row(row: PlanRow) -> dict[str, Any]:
    """Return one row of the table for summary.json, amounts under the names of their parameters."""
    return {"amounts": {name: {INTERVENTIONS[name].amount or "done": amount} for name, amount in row.amounts}, "words": words_of(row.amounts), "burden": row.burden,
            "target_dose_pct": row.target_dose_pct, **{f"{name}_dose_pct": row.dose_pct[name] for name in COMPARTMENTS}, "worst_rise_pct": row.worst_rise_pct,
            "excess_pct": row.excess_pct if np.isfinite(row.excess_pct) else None, "target_risk_24mo": row.target_risk_24mo, "target_risk_24mo_low": row.target_risk_24mo_low,
            "target_risk_24mo_high": row.target_risk_24mo_high}
