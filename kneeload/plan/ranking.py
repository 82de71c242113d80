"""Single interventions beside each other, per compartment: identify the overloaded compartment, then match the strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kneeload.case import Case
from kneeload.contact.cycle import COMPARTMENTS
from kneeload.interventions import INTERVENTIONS
from kneeload.plan.bench import Bench
from kneeload.plan.choices import Amounts, planned, to_simulate
from kneeload.plan.limits import PlanSettings
from kneeload.plan.rows import NO_CHANGE_PCT, Yardstick


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedIntervention:
    """What one intervention does alone, at its usual amount or the person's own most.

    Attributes:
        name: of the intervention.
        amount: of it; None where it has no degree.
        unit: of the amount.
        target_dose_pct: change of the daily dose in the target, % (negative = falls).
        dose_pct: the same per compartment.
        suits: the compartment whose dose falls most, None where none falls by NO_CHANGE_PCT.
        raises: compartments whose dose rises by NO_CHANGE_PCT or more.
    """

    name: str
    amount: float | None
    unit: str
    target_dose_pct: float
    dose_pct: Mapping[str, float]
    suits: str | None
    raises: tuple[str, ...]


def rank(case: Case, measure: Yardstick, bench: Bench) -> tuple[tuple[RankedIntervention, ...], dict[str, str]]:
    """Return every intervention that changes a dose, the one that helps the overloaded compartment most first, and why the others are not among them.

    Args:
        case: the person as they are.
        measure: base, target and limits.
        bench: where they are simulated.
    """
    fixed = measure.settings.fixed
    wanted: dict[str, Amounts] = {name: ((name, _usual(name, measure.settings)),) for name in INTERVENTIONS}
    found = bench.run(list(wanted.values()), lambda key: to_simulate(planned(case, key, fixed)), "single interventions")
    ranked, left_out = [], {}
    for name, key in wanted.items():
        if key not in found:
            left_out[name] = bench.refused.get(key) or bench.failures().get(key, "")
            continue
        row = measure.row(key, 0.0, found[key])
        if all(change == 0.0 for change in row.dose_pct.values()):
            left_out[name] = "It changes no dose of this person's day."
            continue
        least = min(COMPARTMENTS, key=lambda part: row.dose_pct[part])
        ranked.append(RankedIntervention(
            name=name, amount=None if INTERVENTIONS[name].amount is None else key[0][1], unit=INTERVENTIONS[name].unit, target_dose_pct=row.target_dose_pct, dose_pct=row.dose_pct,
            suits=least if row.dose_pct[least] <= -NO_CHANGE_PCT else None, raises=tuple(part for part in COMPARTMENTS if row.dose_pct[part] >= NO_CHANGE_PCT)))
    return tuple(sorted(ranked, key=lambda item: (item.dose_pct[measure.compartment], item.name))), left_out


def _usual(name: str, settings: PlanSettings) -> float:
    """Return the usual amount, or the end of the person's own range that is nearest to it."""
    row = INTERVENTIONS[name]
    return 1.0 if row.amount is None else max(min(row.usual, settings.most.get(name, row.usual)), settings.least.get(name, row.usual))
