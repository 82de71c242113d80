"""What is worn under the foot."""

from __future__ import annotations

import math

from kneeload.case import Case
from kneeload.errors import check_range
from kneeload.interventions.gait import response_of, with_gait_change
from kneeload.interventions.registry import Intervention, check_free
from kneeload.motion import gait

SOLE_WIDTH_MM = 85.0  # a wedge of so many mm at the lateral edge tilts a sole of this width; assumption, range 75 to 95


def lateral_wedge(case: Case, *, height_mm: float = 7.5, wedge_deg: float | None = None) -> Case:
    """Return the case with a sole that is raised on its lateral side, in walking, on stairs, in recorded strides and under a standing foot.

    shift of the centre of pressure = ankle height x sin(0.7 x tilt); the line of force from there to the body's centre of mass comes 0.49 of it closer to the knee.
    Measured in six people with instrumented knees: medial force -1 to -4 % with 5 and 10 mm (Kutzner 2011, doi 10.1002/jor.21477). It is worn all day.

    Args:
        case: the case to change.
        height_mm: rise of the lateral edge, mm, 0 to 18 (on a sole of 85 mm 7.5 mm are 5 degrees).
        wedge_deg: tilt, degrees, 0 to 12; in place of height_mm where it is given.

    Raises:
        InputError: a wedge out of range, or beside a variable-stiffness shoe.
    """
    check_free(case, "lateral_wedge", "variable_stiffness_shoe")
    check_range("height of the wedge", height_mm, 0.0, 18.0, "mm", where="intervention.lateral_wedge.height_mm", why="a higher wedge turns the ankle")
    tilt = math.degrees(math.atan(height_mm / SOLE_WIDTH_MM)) if wedge_deg is None else wedge_deg
    return with_gait_change(case, gait.lateral_wedge(tilt))


def variable_stiffness_shoe(case: Case) -> Case:
    """Return the case with a shoe whose sole is stiffer on the lateral side, in walking, on stairs and in recorded strides.

    A measured change of the lever arm, 5.5 % of the first peak of the adduction moment (Erhart-Hledik 2012, doi 10.1002/jor.21563); size and spread
    stand in `kneeload.motion.gait.variable_stiffness_shoe`.

    Args:
        case: the case to change.

    Raises:
        InputError: a second time, or beside a lateral wedge.
    """
    check_free(case, "variable_stiffness_shoe", "lateral_wedge")
    return with_gait_change(case, gait.variable_stiffness_shoe())


INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(name="lateral_wedge", kind="device", apply=lateral_wedge, amount="height_mm", unit="mm", usual=7.5, least=0.0, most=10.0,
                 acts_on="centre of pressure under the foot", source="Kutzner 2011, doi 10.1002/jor.21477",
                 lesion_evidence="A trial of wedges over 12 months (200 people, doi 10.1136/bmj.d2912) had null primary outcomes with lesions as a secondary one, whose number was not read.",
                 vary=response_of("lateral_wedge"), excludes=("variable_stiffness_shoe",)),
    Intervention(name="variable_stiffness_shoe", kind="device", apply=variable_stiffness_shoe, amount=None, unit="", usual=1.0, least=0.0, most=1.0,
                 acts_on="lever arm of the ground reaction", source="Erhart-Hledik 2012, doi 10.1002/jor.21563; Teoh 2013, doi 10.1186/1757-1146-6-39",
                 lesion_evidence="No trial of it has reported lesions: what is said about them is an extrapolation from load.",
                 vary=response_of("variable_stiffness_shoe"), excludes=("lateral_wedge",)),
)
