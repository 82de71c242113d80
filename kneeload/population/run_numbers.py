"""All numbers of one run of a study of uncertainty, by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kneeload.case import Case
from kneeload.motion.activity import Activity
from kneeload.result import COMPARTMENT_OF_REGION, COMPARTMENTS, KneeResult, compartment_dose
from kneeload.simulate import simulate_alone
from kneeload.subject.anatomy import MOAKS_REGIONS

SUMS = ("bone.compartments.<name>.daily_dose_mpa_s", "lesion.compartments.<name>.any_risk_24mo")
"""Numbers beside those of summary.json: daily dose over the regions of a compartment, and 1 less the product of 1 - risk over them."""


def run_numbers(case: Case) -> dict[str, float | None]:
    """Simulate a case and return its numbers by their path in summary.json, None for those that do not exist or are not finite.

    Added are the two SUMS, `bone.regions.<region>.peak_contact_pressure_mpa` as in regions.csv, and for every other activity of the day
    loads and contact as `activities.<name>.loads.medial.peak_force_n`.

    Raises:
        KneeloadError: the case cannot be simulated.
    """
    return {name: _number(value) for name, value in _named(simulate_alone(case))}


def _named(result: KneeResult) -> Iterator[tuple[str, Any]]:
    yield from _flat(result.numbers())
    bone, lesion = result.bone, result.lesion
    if bone is not None and lesion is not None:
        risk = dict(zip(MOAKS_REGIONS, lesion.risk_24mo.tolist()))
        for region, pressure in zip(MOAKS_REGIONS, bone.peak_contact_pressure.tolist()):
            yield f"bone.regions.{region}.peak_contact_pressure_mpa", pressure
        for name, dose in compartment_dose(result).items():
            yield SUMS[0].replace("<name>", name), dose
        for name in COMPARTMENTS:
            yield SUMS[1].replace("<name>", name), 1.0 - float(np.prod([1.0 - risk[region] for region, part in COMPARTMENT_OF_REGION.items() if part == name]))
    for name in result.case.day_activities:
        if name != result.case.activity.name:
            found = _in_activity(result, name).numbers()
            yield from _flat({part: found[part] for part in ("loads", "contact")}, f"activities.{name}")


def _in_activity(result: KneeResult, name: str) -> KneeResult:
    """The result told for another activity of the day, which is in it already where there is contact."""
    turned = replace(result.case, activity=Activity(name=name), baseline=None)
    return simulate_alone(turned) if result.case.contact is None else replace(result, case=turned, before=None)


def _flat(part: Mapping[str, Any] | None, path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in (part or {}).items():
        name = f"{path}.{key}" if path else key
        if isinstance(value, Mapping):
            yield from _flat(value, name)
        else:
            yield name, value


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None
