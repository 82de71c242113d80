"""What an intervention is, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kneeload.case import Case
from kneeload.errors import InputError

Kind = Literal["device", "body", "habit", "gait", "strength", "bone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    """One row of the table of interventions.

    Attributes:
        name: as in the configuration and in `Case.interventions`.
        kind: device, body, habit, gait, strength or bone.
        apply: from a case and keyword parameters (units in their names) to the changed case.
        amount: the parameter that says how much of it, None where it has no degree.
        unit: unit of the amount.
        usual: the amount by default.
        least, most: range of the amount that `plan` searches, same unit: what people can wear, learn or reach.
        acts_on: where in the flow it acts, in words.
        source: citation of its size, with doi or archive number.
        lesion_evidence: what is known of its effect on bone marrow lesions, one sentence for a report.
        vary: the case in which this intervention's effect differs from the mean by so many between-person standard deviations; None where no spread is
            published.
        excludes: names that cannot be used beside it.
    """

    name: str
    kind: Kind
    apply: Callable[..., Case]
    amount: str | None
    unit: str
    usual: float
    least: float
    most: float
    acts_on: str
    source: str
    lesion_evidence: str
    vary: Callable[[Case, float], Case] | None = None
    excludes: tuple[str, ...] = ()


def check_free(case: Case, name: str, *excludes: str) -> None:
    """Raise InputError if the intervention `name` was made already, or one that cannot go with it.

    Raises:
        InputError: its effect would be counted twice, or the two contradict each other.
    """
    if name in case.interventions:
        raise InputError(name.replace("_", " "), where=f"intervention.{name}", got="a second time", allowed="once, with the whole amount",
                         why="its effect would be counted twice")
    for other in excludes:
        if other in case.interventions:
            raise InputError(name.replace("_", " "), where=f"intervention.{name}", got=f"beside {other.replace('_', ' ')}", allowed="one of the two",
                             why="one person cannot do both at once")
