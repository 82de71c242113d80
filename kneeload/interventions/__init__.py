"""WHAT WE CAN CHANGE: functions from a case to a case, each acting where it acts physically. Add one as a row of its module's INTERVENTIONS."""

from __future__ import annotations

from typing import Any

from kneeload.case import Case
from kneeload.errors import InputError
from kneeload.interventions import body, devices, gait, habits
from kneeload.interventions.body import weight_loss
from kneeload.interventions.devices import unloader_brace
from kneeload.interventions.gait import toe_in
from kneeload.interventions.habits import activity_swap, fewer_flights, fewer_steps, less_standing
from kneeload.interventions.registry import Intervention

INTERVENTIONS: dict[str, Intervention] = {row.name: row for room in (devices, body, habits, gait) for row in room.INTERVENTIONS}


def apply(case: Case, name: str, parameters: dict[str, Any]) -> Case:
    """Return `case` changed by the intervention `name` with its keyword parameters (units in their names).

    Raises:
        InputError: an unknown name, a parameter that it does not have, or what the intervention itself refuses.
    """
    if name not in INTERVENTIONS:
        raise InputError("intervention", where="intervention", got=name, allowed="one of " + ", ".join(INTERVENTIONS), why="kneeload has no other")
    known = list(INTERVENTIONS[name].apply.__kwdefaults__ or {})
    for key in parameters:
        if key not in known:
            raise InputError(f"key '{key}'", where=f"intervention.{name}.{key}", got=parameters[key], allowed="one of " + ", ".join(known), why=f"{name} has no such setting")
    return INTERVENTIONS[name].apply(case, **parameters)


__all__ = ["INTERVENTIONS", "Intervention", "activity_swap", "apply", "fewer_flights", "fewer_steps", "less_standing", "toe_in", "unloader_brace", "weight_loss"]
