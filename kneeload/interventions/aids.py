"""What the hands lean on."""

from __future__ import annotations

from kneeload.case import Case
from kneeload.interventions.gait import NO_LESION_TRIAL, response_of, with_gait_change
from kneeload.interventions.registry import Intervention, check_free
from kneeload.motion import gait

_WRONG_SIDE = "A cane on the side of this knee takes weight off the leg but turns its force away from the knee, so the adduction moment does not fall: it belongs in the other hand."
_POLES = "In 34 patients poles raised the adduction moment a little although the foot carried less (Bechard 2012): they are no means to relieve the medial side."


def cane(case: Case, *, side: str = "other", body_weight_share: float = 0.10) -> Case:
    """Return the case with a cane in one hand, in walking, on stairs and in recorded strides.

    While this leg stands the hand carries up to `body_weight_share` of body weight, so force and moments of this leg fall in all planes. Its push also turns the
    body: foot x shift + hand x (stick - centre of mass) = 0; the line of the foot's force takes half of that, towards the knee with the cane on the other side and away
    from it with the cane on the same side (`kneeload.motion.frontal.support_shift_mm`). Published: adduction moment -10 % (Kemp 2008, doi 10.1002/art.23578), and a
    rise with the cane on the same side (Chan 2005, doi 10.1016/j.clinbiomech.2004.12.005). People also walked 14 to 16 % slower (Fang 2015,
    doi 10.1016/j.pmrj.2014.09.018): add `walking_speed` for that. Standing is as before: where the weight goes then is up to the person.

    Args:
        case: the case to change.
        side: "other" (the hand opposite to this knee) or "same".
        body_weight_share: largest part of body weight on the cane, no unit, 0 to 0.3.

    Raises:
        InputError: another side, a share out of range, or beside walking poles.
    """
    check_free(case, "cane", "walking_poles")
    return with_gait_change(case, gait.cane(side, body_weight_share), note=_WRONG_SIDE if side == "same" else None)


def walking_poles(case: Case, *, body_weight_share: float = 0.04) -> Case:
    """Return the case with a pole in each hand, in walking, on stairs and in recorded strides.

    The foot carries less by the share of the hands; the lever arm is longer by what was measured, 3.0 mm, so the adduction moment rises (Bechard 2012,
    doi 10.1016/j.joca.2012.08.014). One man with an instrumented knee had up to 34 % less medial force late in stance with long poles set wide (PMC3553232): technique
    decides, and a larger share shows it.

    Args:
        case: the case to change.
        body_weight_share: largest part of body weight on both poles, no unit, 0 to 0.3 (0.04 gives the 0.02 body weights that were measured at the first peak).

    Raises:
        InputError: a share out of range, or beside a cane.
    """
    check_free(case, "walking_poles", "cane")
    return with_gait_change(case, gait.walking_poles(body_weight_share), note=_POLES)


INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(name="cane", kind="device", apply=cane, amount="body_weight_share", unit="of body weight", usual=0.10, least=0.0, most=0.20,
                 acts_on="force of the foot and its line", source="Kemp 2008, doi 10.1002/art.23578; Hart 2019, doi 10.1016/j.gaitpost.2018.09.021",
                 lesion_evidence=NO_LESION_TRIAL, vary=response_of("cane"), excludes=("walking_poles",)),
    Intervention(name="walking_poles", kind="device", apply=walking_poles, amount="body_weight_share", unit="of body weight", usual=0.04, least=0.0, most=0.10,
                 acts_on="force of the foot and its lever arm", source="Bechard 2012, doi 10.1016/j.joca.2012.08.014", lesion_evidence=NO_LESION_TRIAL,
                 vary=response_of("walking_poles"), excludes=("cane",)),
)
