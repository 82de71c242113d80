"""WHAT WE CAN CHANGE: functions from a case to a case, each acting where it acts physically. Add one by naming it in INTERVENTIONS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kneeload.case import Case
from kneeload.interventions.body import weight_loss
from kneeload.interventions.devices import unloader_brace
from kneeload.interventions.gait import toe_in

INTERVENTIONS: dict[str, Callable[..., Case]] = {"unloader_brace": unloader_brace, "weight_loss": weight_loss, "toe_in": toe_in}


def apply(case: Case, name: str, parameters: dict[str, Any]) -> Case:
    """Return `case` changed by the intervention `name` with its keyword parameters (units in their names)."""
    return INTERVENTIONS[name](case, **parameters)


__all__ = ["INTERVENTIONS", "apply", "toe_in", "unloader_brace", "weight_loss"]
