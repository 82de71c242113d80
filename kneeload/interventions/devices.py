"""Devices worn on the leg."""

from __future__ import annotations

from kneeload.case import Case
from kneeload.errors import InputError
from kneeload.forces.brace import Brace
from kneeload.interventions.registry import Intervention


def unloader_brace(case: Case, *, valgus_deg: float = 4.0, hours_per_day: float = 8.0) -> Case:
    """Return the case with an offloader brace on this knee.

    The brace bends the leg towards valgus, so it carries a part of the external adduction moment while it is worn; the moment and
    its source stand in `kneeload.forces.brace.Brace`. Only the worn share of the day's steps is relieved.

    Args:
        case: the case to change.
        valgus_deg: setting of the hinge, degrees towards valgus, 0 to 12.
        hours_per_day: hours of wear while awake, 0 to 24.

    Raises:
        InputError: a setting out of range, or a second brace on the same knee.
    """
    if case.brace is not None:
        raise InputError("unloader brace", where="intervention.unloader_brace", got="a second brace", allowed="one brace on one knee",
                         why="two orthoses cannot be strapped to the same leg")
    return case.changed("unloader_brace", brace=Brace(valgus_deg=valgus_deg, hours_per_day=hours_per_day))


INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(name="unloader_brace", kind="device", apply=unloader_brace, amount="valgus_deg", unit="degrees", usual=4.0, least=0.0, most=8.0,
                 acts_on="valgus moment on the leg while it is worn", source="Schmalz 2010, doi 10.1682/JRRD.2009.05.0067; Pollo 2002, PubMed 12016084",
                 lesion_evidence="No trial has measured bone marrow lesions of the tibiofemoral joint under a brace: what is said about lesions is an extrapolation from load."),
)
