"""WHAT WE CAN CHANGE: functions from a case to a case, each acting where it acts physically. Add one as a row of its module's INTERVENTIONS."""

from __future__ import annotations

from typing import Any

from kneeload.case import Case
from kneeload.errors import InputError, did_you_mean
from kneeload.interventions import aids, body, bone, devices, footwear, gait, habits, strength
from kneeload.interventions.aids import cane, walking_poles
from kneeload.interventions.body import weight_loss
from kneeload.interventions.bone import osteotomy, subchondroplasty
from kneeload.interventions.devices import patellar_brace, unloader_brace
from kneeload.interventions.footwear import lateral_wedge, variable_stiffness_shoe
from kneeload.interventions.gait import cadence, medial_thrust, step_width, toe_in, toe_out, trunk_lean, walking_speed
from kneeload.interventions.habits import activity_swap, fewer_flights, fewer_steps, less_standing
from kneeload.interventions.reference import ReferenceRow, reference_rows, refuse_reference
from kneeload.interventions.registry import Intervention
from kneeload.interventions.strength import coordination_retraining, strengthening

INTERVENTIONS: dict[str, Intervention] = {row.name: row for room in (devices, body, habits, gait, footwear, aids, strength, bone) for row in room.INTERVENTIONS}


def apply(case: Case, name: str, parameters: dict[str, Any]) -> Case:
    """Return `case` changed by the intervention `name` with its keyword parameters (units in their names).

    Raises:
        InputError: an unknown name, a parameter that it does not have, or what the intervention itself refuses.
    """
    refuse_reference(name)
    if name not in INTERVENTIONS:
        raise InputError("intervention", where="intervention", got=name, allowed="one of " + ", ".join(INTERVENTIONS) + did_you_mean(name, INTERVENTIONS), why="kneeload has no other")
    known = list(INTERVENTIONS[name].apply.__kwdefaults__ or {})
    for key in parameters:
        if key not in known:
            raise InputError(f"key '{key}'", where=f"intervention.{name}.{key}", got=parameters[key], allowed="one of " + ", ".join(known) + did_you_mean(key, known),
                             why=f"{name} has no such setting")
    return INTERVENTIONS[name].apply(case, **parameters)


__all__ = [
    "INTERVENTIONS", "Intervention", "ReferenceRow", "activity_swap", "apply", "cadence", "cane", "coordination_retraining", "fewer_flights",
    "fewer_steps", "lateral_wedge", "less_standing", "medial_thrust", "osteotomy", "patellar_brace", "reference_rows", "step_width", "strengthening",
    "subchondroplasty", "toe_in", "toe_out", "trunk_lean", "unloader_brace", "variable_stiffness_shoe", "walking_poles", "walking_speed",
    "weight_loss",
]
