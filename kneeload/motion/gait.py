"""A change of gait, of footwear or of what the hands carry, as physical quantities: what moves, by how much. `gait_effect` lets it act."""

from __future__ import annotations

from dataclasses import dataclass

from kneeload.errors import InputError, check_choice, check_range

# Vertical ground reaction at the two peaks of the adduction moment in walking at natural speed, body weights (Bovi 2011,
# doi 10.1016/j.gaitpost.2010.08.009: 1.05 at 15 %, 1.11 at 45 % of the cycle). They turn a published change of moment into a lever arm.
_FORCE_EARLY_BW, _FORCE_LATE_BW = 1.05, 1.11
# First and second peak of the adduction moment of the same adults, N m/kg, their deviations, and 1 N m/kg in % of body weight x height (1.71 m).
_FIRST_PEAK_NM_KG, _SECOND_PEAK_NM_KG = 0.40, 0.32
_FIRST_PEAK_SD_NM_KG, _SECOND_PEAK_SD_NM_KG = 0.13, 0.12
_PCT_OF_NM_KG = 100.0 / (9.81 * 1.71)

# A stick stands this far beside the middle of the body, % of height (0.27 m at 1.72 m): the shoulder is 12.9 % beside it (Winter 2009, figure 4.1:
# breadth 25.9 %) and the hand a little further out. Assumption, range 13 to 20; further out relieves more (Lee 2024, doi 10.1007/s12541-024-01120-6).
STICK_BESIDE_PCT_HEIGHT = 15.5

# field: least, most, unit, what it is in words, why not further
_RANGES: dict[str, tuple[float, float, str, str, str]] = {
    "early_lever_arm_pct_height": (-5.0, 5.0, "% of body height", "change of the early-stance lever arm", "the knee does not move further from the ground reaction"),
    "late_lever_arm_pct_height": (-5.0, 5.0, "% of body height", "change of the late-stance lever arm", "the knee does not move further from the ground reaction"),
    "trunk_lean_deg": (-30.0, 30.0, "degrees", "lean of the trunk", "nobody walks leaning further"),
    "foot_tilt_deg": (-15.0, 15.0, "degrees", "tilt of the ground under the foot", "a shoe on a steeper wedge is not walked in"),
    "knee_shift_mm": (-40.0, 40.0, "mm", "shift of the knee", "the knee does not leave the line from hip to ankle further in walking"),
    "flexion_deg": (-15.0, 30.0, "degrees", "change of the knee flexion under load", "people do not walk with knees bent further"),
    "support_share": (0.0, 0.5, "of body weight", "share of the hands", "the arms do not carry more over a stride"),
    "step_width_change_m": (-0.3, 0.4, "m", "change of the step width", "nobody walks with wider steps"),
    "cadence_change_pct": (-20.0, 25.0, "%", "change of the cadence", "steps of other lengths at one speed are not walked"),
    "speed_change_pct": (-60.0, 60.0, "%", "change of the walking speed", "beyond it people stand or run"),
    "response_z": (-4.0, 4.0, "standard deviations", "response", "nobody lies further from the mean"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GaitChange:
    """A change of gait, footwear or hand support. Fields left at 0 do not change; all of several changes add up (`gait_effect`).

    The lever arm is the frontal-plane distance of the knee centre, lateral positive, from the line of the ground reaction; more lever arm
    is more external adduction moment.

    Attributes:
        name: what the person does ("toe_in").
        early_lever_arm_pct_height, late_lever_arm_pct_height: a measured change of the lever arm whose mechanics is not known, % of body height. The
            first holds until the first peak of the moment, the second from the second peak on, a half cosine in between.
        trunk_lean_deg: lean of head, arms and trunk towards the loaded leg, degrees.
        foot_tilt_deg: tilt of the ground under the foot, degrees, lateral edge up positive (a lateral wedge).
        knee_shift_mm: how far the knee moves out of the line from hip to ankle, across its own flexion axis, mm, lateral positive.
        flexion_deg: change of the knee flexion under load, degrees.
        support_share: largest part of body weight that the hands carry while this leg stands, no unit.
        support_side: where: "other" (beside the other leg), "same", or "both" hands at once.
        step_width_change_m: m.
        cadence_change_pct: change of the steps per minute at the same speed, %.
        speed_change_pct: change of the walking speed, %.
        response_sd: between-person standard deviation of the effect, in parts of the mean effect (no unit), or None where none was published.
        response_z: how many of these deviations this person's effect lies above the mean; all amounts are multiplied by 1 + response_z x response_sd.
    """

    name: str
    early_lever_arm_pct_height: float = 0.0
    late_lever_arm_pct_height: float = 0.0
    trunk_lean_deg: float = 0.0
    foot_tilt_deg: float = 0.0
    knee_shift_mm: float = 0.0
    flexion_deg: float = 0.0
    support_share: float = 0.0
    support_side: str = "both"
    step_width_change_m: float = 0.0
    cadence_change_pct: float = 0.0
    speed_change_pct: float = 0.0
    response_sd: float | None = None
    response_z: float = 0.0

    def __post_init__(self) -> None:
        for name, (low, high, unit, what, why) in _RANGES.items():
            check_range(what, getattr(self, name), low, high, unit, where=f"gait_change.{name}", why=why)
        check_choice("side of the support", self.support_side, ("other", "same", "both"), where="gait_change.support_side", why="people have two hands")
        if self.response_z and self.response_sd is None:
            raise InputError("response", where="gait_change.response_z", got=self.response_z, allowed="0", why=f"no spread between people is known for {self.name}")

    def amount(self, field: str) -> float:
        """This person's amount of one field: the mean amount x (1 + response_z x response_sd); a share of the hands is at least 0."""
        own = getattr(self, field) * (1.0 + self.response_z * (self.response_sd or 0.0))
        return max(own, 0.0) if field == "support_share" else own


def toe_in(angle_deg: float) -> GaitChange:
    """Toes turned inward by `angle_deg` (0 to 25 degrees): the centre of pressure moves outward early in stance and inward late.

    First peak of the adduction moment: -0.199 (SD 0.292) % of body weight x height per 10 degrees, 107 people with medial osteoarthritis
    (Uhlrich 2022, PMC9889103; 83 of the 107 had a lower peak). Second peak: the pooled effects of toe-in are -0.51 standard
    deviations on the first and +0.44 on the second peak (Silva 2022, doi 10.1371/journal.pone.0274874); with the deviations of the
    two peaks of Bovi 2011 (0.13 and 0.12 N m/kg) the second peak rises by 0.80 of the fall of the first. Range of that factor, from the
    confidence limits: 0.05 to 3. Linear in the angle (assumption: measured at 10 degrees).
    """
    angle = _foot_angle("toe_in", angle_deg)
    first_peak = -0.199 * angle / 10.0
    second_peak = -first_peak * (0.44 / 0.51) * (_SECOND_PEAK_SD_NM_KG / _FIRST_PEAK_SD_NM_KG)
    return GaitChange(name="toe_in", early_lever_arm_pct_height=first_peak / _FORCE_EARLY_BW, late_lever_arm_pct_height=second_peak / _FORCE_LATE_BW,
                      response_sd=0.292 / 0.199)


def toe_out(angle_deg: float) -> GaitChange:
    """Toes turned outward by `angle_deg` (0 to 25 degrees): the centre of pressure moves outward late in stance.

    First peak of the adduction moment: no pooled effect. Second peak: -0.42 standard deviations pooled over 104 people and several
    angles (95 % -0.73 to -0.11; Silva 2022, doi 10.1371/journal.pone.0274874); per 10 degrees -11.0 % in people chosen because they
    respond (Seagers 2022, PMC9466647). Taken: -11 % of the peak of Bovi's adults (0.32 N m/kg), which is -0.29 standard deviations.
    Linear in the angle (assumption). Spread: that of toe-in (0.292 % of body weight x height, Uhlrich 2022) on this peak (assumption).
    """
    angle = _foot_angle("toe_out", angle_deg)
    second_peak = -0.110 * _SECOND_PEAK_NM_KG * _PCT_OF_NM_KG * angle / 10.0
    return GaitChange(name="toe_out", late_lever_arm_pct_height=second_peak / _FORCE_LATE_BW,
                      response_sd=0.292 * (_SECOND_PEAK_SD_NM_KG / _FIRST_PEAK_SD_NM_KG) / (0.110 * _SECOND_PEAK_NM_KG * _PCT_OF_NM_KG))


def _foot_angle(name: str, angle_deg: float) -> float:
    return check_range(f"{name.replace('_', '-')} angle", angle_deg, 0.0, 25.0, "degrees", where=f"intervention.{name}.angle_deg",
                       why="people cannot keep a larger angle in walking")


def trunk_lean(angle_deg: float) -> GaitChange:
    """Head, arms and trunk leant by `angle_deg` (0 to 20 degrees) over the leg that stands; mechanics in `frontal.lean_shift_mm`.

    No constant of it is fitted. Spread between people: 30.3 of 55.2 % at 9.7 degrees (Muendermann 2012, doi 10.1115/1.4005540, 19 people).
    """
    angle = check_range("trunk lean", angle_deg, 0.0, 20.0, "degrees", where="intervention.trunk_lean.angle_deg", why="nobody walks leaning further")
    return GaitChange(name="trunk_lean", trunk_lean_deg=angle, response_sd=30.3 / 55.2)


def medial_thrust(shift_mm: float, flexion_deg: float) -> GaitChange:
    """Knee brought inwards by `shift_mm` (0 to 30) under a leg that is bent by `flexion_deg` (0 to 20) more.

    With hip and ankle in place, force and hip stay where they are and the knee moves under them, so the adduction moment falls by force x shift
    and the extension moment rises by force x the way that the knee goes forward as it bends. A straight knee cannot leave the line from hip to
    ankle; `gait_effect` lets it move no further than its bend allows. One man reached -39 to -50 % and -37 to -55 % of the two peaks
    with a little more flexion and pelvic rotation (Fregly 2007, PMC2040055); no spread between people was found.
    """
    check_range("medial shift of the knee", shift_mm, 0.0, 30.0, "mm", where="intervention.medial_thrust.shift_mm", why="the knees would strike each other")
    check_range("added knee flexion", flexion_deg, 0.0, 20.0, "degrees", where="intervention.medial_thrust.flexion_deg", why="people do not walk with knees bent further")
    return GaitChange(name="medial_thrust", knee_shift_mm=-shift_mm, flexion_deg=flexion_deg)


def variable_stiffness_shoe() -> GaitChange:
    """A sole that is stiffer on its lateral side.

    Published as a change of moment, so it acts as a lever arm: first peak -5.5 % against a plain shoe over a year (79 people with medial
    osteoarthritis; Erhart-Hledik 2012, doi 10.1002/jor.21563), -5.0 % in 30 young people (Teoh 2013, doi 10.1186/1757-1146-6-39), -13.3 % of the
    moment and -22 % of the measured medial force in one man with an instrumented knee (PMC2965044). Taken: -5.5 % of the first peak of Bovi's
    adults; the same arm over all of stance (assumption, 0 to 1 of it late). Spread 1.5 of the mean (assumption, 1 to 2.5: with the p of 0.039 of
    Teoh, if it is that of a paired test, the deviation is 2.5 times the mean).
    """
    arm = -0.055 * _FIRST_PEAK_NM_KG * _PCT_OF_NM_KG / _FORCE_EARLY_BW
    return GaitChange(name="variable_stiffness_shoe", early_lever_arm_pct_height=arm, late_lever_arm_pct_height=arm, response_sd=1.5)


def lateral_wedge(tilt_deg: float) -> GaitChange:
    """A sole that is raised on its lateral side by `tilt_deg` (0 to 12 degrees); mechanics in `frontal.wedge_shift_mm`.

    Spread 1.0 of the mean (assumption, 0.6 to 1.5): the mean of six people was -1 to -4 % of the medial force with single people to -15 % (Kutzner 2011,
    doi 10.1002/jor.21477), and in 13 patients the effect was sometimes reversed (Kakihana 2005, Arch Phys Med Rehabil 86:1465).
    """
    tilt = check_range("tilt of the wedge", tilt_deg, 0.0, 12.0, "degrees", where="intervention.lateral_wedge.wedge_deg", why="a steeper wedge turns the ankle")
    return GaitChange(name="lateral_wedge", foot_tilt_deg=tilt, response_sd=1.0)


def cane(side: str, body_weight_share: float) -> GaitChange:
    """A stick on the `side` "other" or "same" that carries at most `body_weight_share` (0 to 0.3) of body weight; mechanics in `frontal.support_shift_mm`.

    Spread: people with a painful knee put 7.2 (SD 2.5) % of body weight on a cane (Hart 2019, doi 10.1016/j.gaitpost.2018.09.021), a third of the mean.
    """
    check_choice("side of the cane", side, ("other", "same"), where="intervention.cane.side", why="it is held beside the other leg or beside this one")
    return GaitChange(name="cane", support_share=_hand_share("cane", body_weight_share), support_side=side, response_sd=2.5 / 7.2)


def walking_poles(body_weight_share: float) -> GaitChange:
    """A pole in each hand; together they carry at most `body_weight_share` (0 to 0.3) of body weight.

    34 patients (Bechard 2012, doi 10.1016/j.joca.2012.08.014): at the first peak of the adduction moment the foot carried 0.02 body weights less, but the lever
    arm was 3.0 mm longer (95 % 1.5 to 4.4), so both peaks rose by 0.17 % of body weight x height (0.08 to 0.27 and 0.04 to 0.30). The lever arm is measured and
    not explained; 0.18 % of height (3.0 mm; their mean height is taken as 1.70 m). Spread from its confidence limits: 1.4 of the mean.
    """
    arm = 100.0 * 3.0 / 1700.0
    return GaitChange(name="walking_poles", early_lever_arm_pct_height=arm, late_lever_arm_pct_height=arm,
                      support_share=_hand_share("walking_poles", body_weight_share), response_sd=1.4)


def _hand_share(name: str, share: float) -> float:
    return check_range("share of body weight on the hands", share, 0.0, 0.3, "of body weight", where=f"intervention.{name}.body_weight_share",
                       why="the arms do not carry more over a day of walking")
