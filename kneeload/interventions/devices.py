"""Devices worn on the leg."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kneeload.case import Case
from kneeload.errors import InputError
from kneeload.forces.brace import Brace
from kneeload.forces.patellar_brace import PatellarBrace
from kneeload.interventions.registry import Intervention, check_free

_VARUS_NOTE = "A brace set to varus is taken as the mirror image of a valgus brace: it relieves the lateral side and loads the medial one; no measurement of it was found."


def unloader_brace(case: Case, *, valgus_deg: float = 4.0, hours_per_day: float = 8.0, strap_force_n: float = 0.0, migration_mm: float = 0.0,
                   stiffness_over_flexion: Sequence[Sequence[float]] | None = None) -> Case:
    """Return the case with an offloader brace on this knee.

    The brace bends the leg towards valgus, so it carries a part of the external adduction moment while it is worn; the moment and
    its source stand in `kneeload.forces.brace.Brace`. Only the worn share of the day's steps is relieved.

    Args:
        case: the case to change.
        valgus_deg: setting of the hinge, degrees, -12 to 12; positive relieves the medial side, negative (set to varus) the lateral.
        hours_per_day: hours of wear while awake, 0 to 24.
        strap_force_n: pull of the straps at the knee beyond a snug fit, N, 0 to 150.
        migration_mm: how far the brace has slid down the leg, mean over the time of wear, mm, 0 to 80.
        stiffness_over_flexion: pairs of flexion in degrees and share of the straight brace's stiffness (no unit); None = cosine of flexion.

    Raises:
        InputError: a setting out of range, or a second brace on the same knee.
    """
    if case.brace is not None:
        raise InputError("unloader brace", where="intervention.unloader_brace", got="a second brace", allowed="one brace on one knee",
                         why="two orthoses cannot be strapped to the same leg")
    brace = Brace(valgus_deg=valgus_deg, hours_per_day=hours_per_day, strap_force_n=strap_force_n, migration_mm=migration_mm,
                  stiffness_over_flexion=stiffness_over_flexion)  # type: ignore[arg-type]
    return case.changed("unloader_brace", brace=brace, note=_VARUS_NOTE if brace.valgus_deg < 0.0 else None)


def patellar_brace(case: Case, *, medial_force_n: float = 10.0, compression_force_n: float = 10.0, hours_per_day: float = 8.0) -> Case:
    """Return the case with a brace that draws the patella medially and presses it into its groove.

    The forces and their source stand in `kneeload.forces.patellar_brace.PatellarBrace`; the patella finds its new place in contact.

    Args:
        case: the case to change.
        medial_force_n: pull towards the medial side, N, 0 to 25.
        compression_force_n: push towards the femur, N, 0 to 100.
        hours_per_day: hours of wear while awake, 0 to 24.

    Raises:
        InputError: a setting out of range, or a second patellar brace.
    """
    check_free(case, "patellar_brace")
    return case.changed("patellar_brace", patellar_brace=PatellarBrace(medial_force_n=medial_force_n, compression_force_n=compression_force_n,
                                                                       hours_per_day=hours_per_day))


def _vary_brace(case: Case, z: float) -> Case:
    return case if case.brace is None else replace(case, brace=replace(case.brace, response_z=z))


def _vary_patellar_brace(case: Case, z: float) -> Case:
    return case if case.patellar_brace is None else replace(case, patellar_brace=replace(case.patellar_brace, response_z=z))


INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(name="unloader_brace", kind="device", apply=unloader_brace, amount="valgus_deg", unit="degrees", usual=4.0, least=0.0, most=8.0,
                 acts_on="valgus moment on the leg while it is worn", source="Schmalz 2010, doi 10.1682/JRRD.2009.05.0067; Pollo 2002, PubMed 12016084",
                 lesion_evidence="No trial has measured bone marrow lesions of the tibiofemoral joint under a brace: what is said about lesions is an extrapolation from load.",
                 vary=_vary_brace),
    Intervention(name="patellar_brace", kind="device", apply=patellar_brace, amount="medial_force_n", unit="N", usual=10.0, least=0.0, most=15.0,
                 acts_on="a strap on the patella while it is worn", source="McWalter 2011, doi 10.1016/j.joca.2011.03.003; Powers 2004, Med Sci Sports Exerc 36:1226",
                 lesion_evidence="In a trial of 126 people a patellofemoral brace worn 7.4 hours a day for 6 weeks shrank patellofemoral lesions by 491 mm3 (52 to 930) and lowered pain; "
                                 "tibiofemoral lesions stayed (Callaghan 2015, doi 10.1136/annrheumdis-2014-206376). That effect is not built in: what is said here follows from load.", vary=_vary_patellar_brace),
)
