"""The combinations of a plan: how much of each intervention, in steps that people can set, and the case that follows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kneeload.case import Case
from kneeload.errors import InputError
from kneeload.interventions import INTERVENTIONS, Intervention, apply
from kneeload.lesion.findings import Findings
from kneeload.motion.activity import Activity
from kneeload.plan.limits import PlanSettings

FEWEST_STEPS = 8  # steps between nothing and the most that a person does; the step is 1, 2 or 5 times a power of ten
Levels = tuple[int, ...]
Amounts = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One intervention of a plan.

    Attributes:
        name: of the intervention.
        amounts: the amounts that are tried, by size, first 0 = not done; an intervention without a degree has 0 and 1.
        fixed: its other parameters.
        unit: of the amounts.
        parameter: name of the amount, with its unit; None without a degree.
    """

    name: str
    amounts: tuple[float, ...]
    fixed: Mapping[str, Any]
    unit: str
    parameter: str | None

    def share(self, level: int) -> float:
        """Return the part of what the person can do, 0 to 1, no unit."""
        return self.amounts[level] / self.amounts[-1] if level else 0.0

    def nearest(self, amount: float) -> int:
        """Return the level whose amount is nearest, at least 1."""
        return min(range(1, len(self.amounts)), key=lambda k: (abs(self.amounts[k] - amount), k))


def amounts_between(least: float, most: float) -> tuple[float, ...]:
    """Return 0 (not done), then the amounts from `least` to `most` in a step of 1, 2 or 5 times a power of ten, at least FEWEST_STEPS of them from 0 to `most`.

    Nobody sets a brace to 3.27 degrees: a plan is told in amounts that can be set, and none is finer than what the model can tell apart.
    """
    wanted = most / FEWEST_STEPS
    power = 10.0 ** math.floor(math.log10(wanted))
    step = max(factor * power for factor in (1.0, 2.0, 5.0) if factor * power <= wanted * (1.0 + 1e-9))
    inner = [round(k * step, 10) for k in range(1, math.ceil(most / step) + 1)]
    inside = [amount for amount in inner if least < amount < most * (1.0 - 1e-9)]
    return (0.0, *([least] if 0.0 < least < most else []), *inside, most)


def choices_of(case: Case, settings: PlanSettings) -> tuple[tuple[Choice, ...], dict[str, str]]:
    """Return the choices that this person has, in the order of the table, and why the others are none.

    Raises:
        InputError: a least amount above the most.
    """
    found, barred = [], {}
    for name in (name for name in INTERVENTIONS if name in settings.interventions):
        row = INTERVENTIONS[name]
        amounts: tuple[float, ...] = (0.0, 1.0)
        if row.amount is not None:
            amounts = _amounts(row, settings.least.get(name, row.least), settings.most.get(name, row.most))
        choice = Choice(name=name, amounts=amounts, fixed=settings.fixed.get(name, {}), unit=row.unit, parameter=row.amount)
        choice, reason = _possible(case, choice, settings)
        if len(choice.amounts) > 1:
            found.append(choice)
        else:
            barred[name] = reason or "The person's own limit for it is nothing."
    return tuple(found), barred


def _amounts(row: Intervention, least: float, most: float) -> tuple[float, ...]:
    """Return the amounts of a row between two ends; of those that are usually negative (a slower walk) from 0 downwards."""
    if least > most:
        raise InputError("least amount", where=f"plan.least.{row.name}", got=least, allowed=f"at most {most:g} {row.unit}", why="no amount lies between them")
    sign, near, far = (-1.0, -most, -least) if row.usual < 0.0 else (1.0, least, most)
    return tuple(sign * amount if amount else 0.0 for amount in amounts_between(max(near, 0.0), far)) if far > 0.0 else (0.0,)


def _possible(case: Case, choice: Choice, settings: PlanSettings) -> tuple[Choice, str]:
    """Return the choice with the amounts that this person can do, and why the first of the others cannot be done.

    An amount that makes the same case as a smaller one (ten flights left out of six) is not tried.
    """
    good, reason, last = [0.0], "", to_simulate(case)
    for amount in choice.amounts[1:]:
        try:
            changed = planned(case, ((choice.name, amount),), {choice.name: choice.fixed})
            if fewer_steps_than_allowed(changed, case, settings):
                raise InputError("steps a day", where=f"plan.interventions.{choice.name}", got=f"{choice.name} {amount:g}", allowed=f"{settings.fewest_steps_per_day:g} steps or more",
                                 why="redistribute the load, do not rest")
        except InputError as problem:
            reason = reason or str(problem)
            continue
        same = replace(to_simulate(changed), interventions=last.interventions, notes=last.notes) == last
        if same:
            reason = reason or "It changes nothing for this person."
        else:
            good.append(amount)
        last = to_simulate(changed)
    return replace(choice, amounts=tuple(good)), reason


def fewer_steps_than_allowed(changed: Case, case: Case, settings: PlanSettings) -> bool:
    """Return whether a changed case walks less than the settings allow, and less than before."""
    return changed.subject.steps_per_day < min(settings.fewest_steps_per_day, case.subject.steps_per_day)


def planned(case: Case, amounts: Amounts, fixed: Mapping[str, Mapping[str, Any]]) -> Case:
    """Return the case with the given amounts of interventions, applied in the order given; its baseline is the case itself.

    Raises:
        InputError: one of them cannot be done, or not beside another.
    """
    changed = replace(case, baseline=None)
    for name, amount in amounts:
        row = INTERVENTIONS[name]
        changed = apply(changed, name, {**fixed.get(name, {}), **({} if row.amount is None else {row.amount: amount})})
    return changed


def to_simulate(changed: Case) -> Case:
    """Return the case without what the dose of the day does not need: the case before, images, finite elements, and an activity that is none of the day's."""
    activity = changed.activity if changed.activity.name in changed.day_activities else Activity(name=changed.day_activities[0])
    return replace(changed, activity=activity, baseline=None, findings=Findings(), finite_elements=None)
