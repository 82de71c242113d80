"""What a batch keeps of a case: the numbers of summary.json, a few kilobytes, and no field."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kneeload.case import Case
from kneeload.errors import KneeloadError
from kneeload.simulate import simulate_alone

Part = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFigures:
    """Numbers of one case of a batch; two are equal when every bit of them is. What a part holds, with its units, says docs/contract.md (summary.json).

    Numbers that do not exist (not computed, not finite) are None. A failed case has only `index`, `activity`, `interventions` and `error`.

    Attributes:
        index: place of the case in the batch, from 0.
        activity: of the case.
        interventions: names, in order.
        error: None, or one sentence that says why this case has no answer.
        loads: peak forces, impulses and shares.
        contact: pressure and area per compartment at its peak force; None at the load level, as are bone, lesion and pain.
        bone: peak stress and daily dose per region.
        lesion: risk per region with its interval.
        pain: index per activity with its interval.
        change: percent changes against the case before its interventions; None for an untouched case.
        agreement: None, or how the loads agree with the forces measured in a recording.
    """

    index: int
    activity: str
    interventions: tuple[str, ...] = ()
    error: str | None = None
    loads: Part = None
    contact: Part = None
    bone: Part = None
    lesion: Part = None
    pain: Part = None
    change: Part = None
    agreement: Part = None

    def numbers(self) -> dict[str, float | None]:
        """Every number in one flat table row, keys as the path in summary.json: "loads.medial.peak_force_n"."""
        parts = ("loads", "contact", "bone", "lesion", "pain", "change", "agreement")
        return {key: value for part in parts for key, value in _flat(getattr(self, part), part)}


def figures_of(index: int, case: Case) -> CaseFigures:
    """Simulate one case and return its figures; what goes wrong with this case alone becomes its error sentence."""
    try:
        found = {name: _finite(part) for name, part in simulate_alone(case).numbers().items()}
    except (KneeloadError, OSError) as problem:
        return CaseFigures(index=index, activity=case.activity.name, interventions=case.interventions, error=" ".join(str(problem).split()))
    return CaseFigures(index=index, activity=case.activity.name, interventions=case.interventions, **found)


def _finite(value: Any) -> Any:
    """The same nested numbers with None for those that are not finite, as in summary.json."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flat(part: Any, path: str) -> Iterator[tuple[str, float | None]]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            yield from _flat(value, f"{path}.{key}")
    elif part is not None or path.count("."):
        yield path, part
