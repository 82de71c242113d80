"""What a simulated combination does, against the case as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kneeload.contact.cycle import COMPARTMENTS
from kneeload.plan.choices import Amounts
from kneeload.plan.limits import PlanSettings
from kneeload.population import CaseFigures
from kneeload.result import COMPARTMENT_OF_REGION

ROUNDING_PCT = 1e-9  # of a dose: what the order of sums may change
NO_CHANGE_PCT = 0.5  # changes of a daily dose below this, percentage points, are called none, as in every table of words


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """One simulated combination of interventions.

    Attributes:
        amounts: name and amount of each intervention that is done, in the order of the table; 1 where it has no degree. Empty: as now.
        burden: sum of the parts of what the person can do, no unit: 2 is as much as two interventions in full. A way to put plans in an order, no
            measured effort.
        target_dose_pct: change of the daily dose in the target, % (negative = falls).
        dose_pct: the same per compartment.
        worst_rise_pct: largest change of the dose of a compartment other than that of the target, %; negative where all fall.
        excess_pct: by how much the worst compartment is above its limit, percentage points; zero or less = every limit is kept.
        target_risk_24mo: plausibility of a new lesion in the target within 24 months, no unit; None for a compartment.
        target_risk_24mo_low, target_risk_24mo_high: its 95 % interval.
    """

    amounts: Amounts
    burden: float
    target_dose_pct: float
    dose_pct: Mapping[str, float]
    worst_rise_pct: float
    excess_pct: float
    target_risk_24mo: float | None
    target_risk_24mo_low: float | None
    target_risk_24mo_high: float | None

    @property
    def within_limits(self) -> bool:
        """Whether every limit is kept."""
        return self.excess_pct <= ROUNDING_PCT

    def beats(self, other: PlanRow) -> bool:
        """Return whether this is no worse in dose and burden than another, and better in one of them."""
        no_worse = self.target_dose_pct <= other.target_dose_pct and self.burden <= other.burden
        return no_worse and (self.target_dose_pct < other.target_dose_pct or self.burden < other.burden)


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """What a combination is measured by: the case as it is, the target and the limits.

    Attributes:
        base: figures of the case as it is.
        target: compartment or region.
        settings: with the limits.
    """

    base: CaseFigures
    target: str
    settings: PlanSettings

    @property
    def compartment(self) -> str:
        """Compartment of the target; that of no other is its own for the bone between the plateaus, which belongs to none: medial."""
        return self.target if self.target in COMPARTMENTS else COMPARTMENT_OF_REGION.get(self.target, "medial")

    def row(self, amounts: Amounts, burden: float, figures: CaseFigures) -> PlanRow:
        """Return what a simulated combination does."""
        before, after = doses_of(self.base), doses_of(figures)
        change = {name: _percent(before[name], after[name]) for name in (*COMPARTMENTS, self.target)}
        lesion = {} if figures.lesion is None else figures.lesion["regions"].get(self.target, {})
        return PlanRow(amounts=amounts, burden=burden, target_dose_pct=change[self.target], dose_pct={name: change[name] for name in COMPARTMENTS},
                       worst_rise_pct=max(change[name] for name in COMPARTMENTS if name != self.compartment),
                       excess_pct=max(change[name] - self.settings.limit(name) for name in COMPARTMENTS),
                       target_risk_24mo=lesion.get("risk_24mo"), target_risk_24mo_low=lesion.get("risk_24mo_low"), target_risk_24mo_high=lesion.get("risk_24mo_high"))


def doses_of(figures: CaseFigures) -> dict[str, float]:
    """Return the daily dose of each region and of each compartment, MPa s per day."""
    assert figures.bone is not None
    regions: Mapping[str, Mapping[str, Any]] = figures.bone["regions"]
    doses = {name: float(values["daily_dose_mpa_s"]) for name, values in regions.items()}
    return {**doses, **{name: sum(dose for region, dose in doses.items() if COMPARTMENT_OF_REGION.get(region) == name) for name in COMPARTMENTS}}


def _percent(before: float, after: float) -> float:
    return 0.0 if before == after else (100.0 * (after - before) / before if before else float("inf"))


def front_of(rows: list[PlanRow]) -> tuple[PlanRow, ...]:
    """Return the rows that keep the limits and that no other such row beats, by rising burden; of equal ones the first.

    A row whose dose is less than NO_CHANGE_PCT below that of an easier one is left out (epsilon-dominance, Laumanns 2002, doi 10.1162/106365602760234108).
    """
    front: list[PlanRow] = []
    for row in sorted((row for row in rows if row.within_limits), key=lambda row: (row.burden, row.target_dose_pct, row.amounts)):
        if not front or row.target_dose_pct <= front[-1].target_dose_pct - NO_CHANGE_PCT:
            front.append(row)
    return tuple(front)
