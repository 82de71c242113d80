"""Changes of gait."""

from __future__ import annotations

from kneeload.case import Case
from kneeload.errors import check_range
from kneeload.interventions.registry import Intervention, check_free
from kneeload.motion import gait


def toe_in(case: Case, *, angle_deg: float = 10.0) -> Case:
    """Return the case with the feet turned in while walking, on stairs and in recorded strides.

    Turning the foot in shifts the knee against the ground reaction, one way in early and the other way in late stance; size, spread and source stand in
    `kneeload.motion.gait.toe_in`.

    Args:
        case: the case to change.
        angle_deg: change of the foot progression angle, degrees inwards, 0 to 25.

    Raises:
        InputError: an angle out of range.
    """
    check_free(case, "toe_in", "toe_out")
    check_range("toe-in", angle_deg, 0.0, 25.0, "degrees", where="intervention.toe_in.angle_deg", why="nobody keeps walking with feet turned in further")
    return case.changed("toe_in", gait_changes=(*case.gait_changes, gait.toe_in(angle_deg)))


INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(name="toe_in", kind="gait", apply=toe_in, amount="angle_deg", unit="degrees", usual=10.0, least=0.0, most=15.0,
                 acts_on="lever arm of the ground reaction", source="Uhlrich 2022, PMC9889103; Silva 2022, doi 10.1371/journal.pone.0274874",
                 lesion_evidence="No trial of a changed foot angle has reported lesions: an extrapolation from load.", excludes=("toe_out",)),
)
