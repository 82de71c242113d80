"""Changes of bone: alignment by osteotomy, stiffness by a fill."""

from __future__ import annotations

from dataclasses import replace
from math import radians

from kneeload.bone.finite_element_settings import FiniteElements
from kneeload.bone.inclusions import Fill
from kneeload.case import Case
from kneeload.errors import InputError, check_choice, check_range
from kneeload.interventions.registry import Intervention, check_free

SLOPE_CHANGE_DEG = {"opening_wedge": 2.02, "closing_wedge": -2.35}
"""Mean change of the posterior slope, degrees: +2.02 (1.38 to 2.66) and -2.35 (-3.32 to -1.38), 27 studies (Nha 2016, Am J Sports Med, meta-analysis)."""

HINGE_LEVER_OF_HEIGHT = 0.035
"""Distance from the hinge of an opening wedge to the superficial MCL over body height, no unit: 60 mm at 1.72 m. Assumption, range 0.029 to 0.041 (50 to
70 mm): the tibia below the plateau is about 70 mm wide and the hinge lies 5 to 10 mm inside its lateral cortex."""

OVERCORRECTED_VALGUS_DEG = 6.0  # beyond it a note: the usual target, the axis at 62 to 65 % of the width, is 3.4 to 4.6 degrees (Martay 2018)
OBLIQUE_MPTA_DEG = 95.0  # beyond it a note: joint lines more oblique than 5 degrees are avoided (as commonly cited, not read)
TECHNIQUES = tuple(SLOPE_CHANGE_DEG)


def osteotomy(case: Case, *, correction_deg: float = 8.0, technique: str = "opening_wedge", slope_change_deg: float | None = None,
              mcl_released: bool = True) -> Case:
    """Return the case after a high tibial osteotomy towards valgus.

    The MPTA grows by the correction: the knee comes nearer to the line between hip and ankle, and the joint surfaces tilt with the bone; the slopes of both
    plateaus change by what the technique does on average (Nha 2016). Gait stays as it was; a recording is realigned from the alignment it was made with.

    An opening wedge lies above the tibial attachment of the superficial medial collateral ligament and draws it away from the femur by correction (rad) x
    distance from the hinge. Left whole, the ligament presses the medial side: in cadavers the medial pressure rose in spite of the valgus axis, and fell only
    after a full release (Agneskirchner 2007, Arthroscopy 23:852). Released, it is taken to have healed at its old tension. The tension of
    a whole ligament is that of the first hour: it fell by 11 % in 5 minutes and 24 % in a day (van Egmond 2017, KSSTA).

    Args:
        case: the case to change.
        correction_deg: towards valgus, degrees, 0 to 15.
        technique: "opening_wedge" (medial) or "closing_wedge" (lateral).
        slope_change_deg: of both posterior slopes, degrees, -10 to 10; None = the mean of the technique.
        mcl_released: False leaves the ligament whole (opening wedge only; a closing wedge does not stretch it).

    Raises:
        InputError: a value out of range, an MPTA beyond 100 degrees, or a second osteotomy.
    """
    where = "intervention.osteotomy."
    check_free(case, "osteotomy")
    check_range("correction", correction_deg, 0.0, 15.0, "degrees towards valgus", where=where + "correction_deg", why="larger wedges are not cut in one operation")
    check_choice("technique", technique, TECHNIQUES, where=where + "technique", why="these have published effects on the slope")
    if not isinstance(mcl_released, bool):
        raise InputError("release of the ligament", where=where + "mcl_released", got=mcl_released, allowed="true or false", why="it is cut or left whole")
    slope = SLOPE_CHANGE_DEG[technique] if slope_change_deg is None else slope_change_deg
    check_range("change of slope", slope, -10.0, 10.0, "degrees", where=where + "slope_change_deg", why="a wedge tilts the plateau by no more")
    before = case.subject
    check_range("MPTA after the osteotomy", before.mpta_deg + correction_deg, 75.0, 100.0, "degrees", where=where + "correction_deg",
                why=f"it is {before.mpta_deg:g} degrees before, and beyond 100 the joint line is more oblique than this model describes")
    person = replace(before, mpta_deg=before.mpta_deg + correction_deg, medial_slope_deg=before.medial_slope_deg + slope,
                     lateral_slope_deg=before.lateral_slope_deg + slope)
    stretch = 0.0 if mcl_released or technique != "opening_wedge" else radians(correction_deg) * HINGE_LEVER_OF_HEIGHT * before.height_m * 1000.0
    return case.changed("osteotomy", subject=person, mcl_stretch_mm=case.mcl_stretch_mm + stretch, note=_note(person.varus_deg, person.mpta_deg))


def _note(varus_deg: float, mpta_deg: float) -> str | None:
    if varus_deg < -OVERCORRECTED_VALGUS_DEG:
        return (f"After the osteotomy the limb stands in {-varus_deg:.1f} degrees of valgus, more than the usual target of 3.4 to 4.6: "
                "the lateral side is at risk.")
    if mpta_deg > OBLIQUE_MPTA_DEG:
        return f"After the osteotomy the tibial joint line is oblique (MPTA {mpta_deg:.1f} degrees); such corrections are often shared with the femur."
    return None


def subchondroplasty(case: Case, *, region: str = "tibia_central_medial", radius_mm: float = 6.0, depth_mm: float = 8.0, modulus_mpa: float = 3000.0) -> Case:
    """Return the case with calcium phosphate in the bone below a region.

    It is an inclusion of the finite elements of that bone (`kneeload.finite_element_study`, `kneeload.bone.inclusions.Fill`), which are asked for if they were
    not; they need contact. The half-space fields of the bone room, and dose and risk with them, know no inclusions and stay as they were.

    Args:
        case: the case to change.
        region: MOAKS region under cartilage.
        radius_mm: of the filled ball, mm, 1 to 20.
        depth_mm: of its centre below the bone surface, mm, 0 to 60.
        modulus_mpa: of bone and set cement together, MPa, 500 to 10000 (range of `Fill`).

    Raises:
        InputError: a value out of range, a region without cartilage, or a second fill by this name.
    """
    where = "intervention.subchondroplasty."
    check_free(case, "subchondroplasty")
    check_range("radius of the fill", radius_mm, 1.0, 20.0, "mm", where=where + "radius_mm", why="a few millilitres are injected")
    check_range("modulus of the fill", modulus_mpa, 500.0, 10000.0, "MPa", where=where + "modulus_mpa", why="published moduli of injectable cements lie in it")
    fill = Fill(region=region, radius_mm=radius_mm, depth_mm=depth_mm, modulus_mpa=modulus_mpa)
    asked = case.finite_elements
    bones = (fill.bone,) if asked is None else tuple(dict.fromkeys((*asked.bones, fill.bone)))
    study = FiniteElements(bones=bones, inclusions=(fill,)) if asked is None else replace(asked, bones=bones, inclusions=(*asked.inclusions, fill))
    return case.changed("subchondroplasty", finite_elements=study,
                        note="Subchondroplasty changes the finite elements of the bone alone: contact, dose and risk are those of bone without the fill.")


INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(name="osteotomy", kind="bone", apply=osteotomy, amount="correction_deg", unit="degrees", usual=8.0, least=0.0, most=12.0,
                 acts_on="alignment and slope of the tibia", source="Birmingham 2009, Arthritis Care Res; Nha 2016, Am J Sports Med; Agneskirchner 2007, Arthroscopy",
                 lesion_evidence="No trial of osteotomy with a control group has reported lesions: what is said about them is an extrapolation from load."),
    Intervention(name="subchondroplasty", kind="bone", apply=subchondroplasty, amount=None, unit="", usual=0.0, least=0.0, most=0.0,
                 acts_on="modulus of a zone of bone (finite elements)", source="doi 10.1177/23259671231163528 (case series)",
                 lesion_evidence="Case series only: less pain in about half of the people, and no controlled measurement of lesions."),
)
