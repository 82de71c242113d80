"""Changes of gait. Mechanics, sizes and sources stand in `kneeload.motion.gait` and `kneeload.motion.gait_effect`; here they meet a case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from kneeload.case import Case
from kneeload.errors import check_range
from kneeload.interventions.registry import Intervention, check_free
from kneeload.motion import gait
from kneeload.motion.gait import GaitChange

NO_LESION_TRIAL = "No trial of it has reported lesions: what is said about them is an extrapolation from load."


def toe_in(case: Case, *, angle_deg: float = 10.0) -> Case:
    """Return the case with the feet turned in while walking, on stairs and in recorded strides.

    Turning the foot in shifts the knee against the ground reaction, one way in early and the other way in late stance; size, spread and source stand in
    `kneeload.motion.gait.toe_in`.

    Args:
        case: the case to change.
        angle_deg: change of the foot progression angle, degrees inwards, 0 to 25.

    Raises:
        InputError: an angle out of range, or beside toe-out.
    """
    check_free(case, "toe_in", "toe_out")
    check_range("toe-in", angle_deg, 0.0, 25.0, "degrees", where="intervention.toe_in.angle_deg", why="nobody keeps walking with feet turned in further")
    return with_gait_change(case, gait.toe_in(angle_deg))


def toe_out(case: Case, *, angle_deg: float = 10.0) -> Case:
    """Return the case with the feet turned out while walking, on stairs and in recorded strides.

    It lowers the second peak of the adduction moment and leaves the first; size, spread and source stand in `kneeload.motion.gait.toe_out`.

    Args:
        case: the case to change.
        angle_deg: change of the foot progression angle, degrees outwards, 0 to 25.

    Raises:
        InputError: an angle out of range, or beside toe-in.
    """
    check_free(case, "toe_out", "toe_in")
    return with_gait_change(case, gait.toe_out(angle_deg))


def trunk_lean(case: Case, *, angle_deg: float = 9.7) -> Case:
    """Return the case with the trunk leant over this leg while it stands, in walking, on stairs and in recorded strides.

    shift of the centre of mass = 0.678 x 0.180 x height x sin(angle); the force runs from the foot to it, so at the knee its line moves by 0.51 of the shift and
    at the hip by 0.95 (Winter 2009 for the masses, `kneeload.motion.frontal` for the line). Published for 9.7 degrees: first peak -55 (SD 30) %
    (Muendermann 2012, doi 10.1115/1.4005540). The hip's abductors are relieved; what the back carries is not in the model.

    Args:
        case: the case to change.
        angle_deg: lean, degrees towards the loaded leg, 0 to 20.

    Raises:
        InputError: an angle out of range.
    """
    check_free(case, "trunk_lean")
    return with_gait_change(case, gait.trunk_lean(angle_deg))


def medial_thrust(case: Case, *, shift_mm: float = 14.0, flexion_deg: float = 6.0) -> Case:
    """Return the case with the knee brought inwards under load, a little more bent, in walking, on stairs and in recorded strides.

    adduction moment falls by force x shift; extension moment rises by force x the way that the knee goes forward as it bends (Fregly 2007, PMC2040055). So the
    load behind the kneecap rises, and the medial force falls much less than the adduction moment. The defaults are assumptions, ranges 10 to 20 mm and 3 to 12
    degrees: 10 to 20 mm is what the published falls of 32 to 56 % take at these forces.

    Args:
        case: the case to change.
        shift_mm: how far the knee comes inwards out of the line from hip to ankle, mm, 0 to 30.
        flexion_deg: how much more the knee is bent while it is loaded, degrees, 0 to 20.

    Raises:
        InputError: an amount out of range.
    """
    check_free(case, "medial_thrust")
    return with_gait_change(case, gait.medial_thrust(shift_mm, flexion_deg))


def step_width(case: Case, *, change_m: float = 0.05) -> Case:
    """Return the case with wider steps in walking and on stairs.

    change of the lever arm = half of the change x sway x (0.509 - 0.501): leg and line of force swing out together, so geometry leaves the moment as it is
    (`kneeload.motion.frontal.step_width_lever_arm_mm`). People who were asked for wider steps did lower it (Simic 2011, doi 10.1002/acr.20380), so they
    did something else as well, which is not in the model; their hip moment did not fall (doi 10.2519/josptopen.2024.0463), as here.

    Args:
        case: the case to change.
        change_m: change of the step width, m, -0.1 to 0.3.

    Raises:
        InputError: a change out of range.
    """
    check_free(case, "step_width")
    check_range("change of the step width", change_m, -0.1, 0.3, "m", where="intervention.step_width.change_m", why="nobody walks with wider steps, and feet do not cross")
    note = "Wider steps hardly change the load by geometry alone; trials found a lower adduction moment, by something else that people do with wide steps and that is not simulated."
    return with_gait_change(case, GaitChange(name="step_width", step_width_change_m=change_m), note=note)


def cadence(case: Case, *, change_pct: float = 10.0) -> Case:
    """Return the case with quicker, shorter steps at the same speed, and as many more of them as the same distance takes.

    step length = speed / step rate; the joints move as at the speed at which that step length is natural (assumption), the cycle is shorter and
    `subject.steps_per_day` grows in proportion. Published for 10 %: peak flexion moment -4.1 N m (-7.4 to -0.9; 48 people,
    doi 10.1249/MSS.0000000000003081), adduction moment unchanged (25 people, doi 10.1016/j.jbiomech.2024.112394).

    Args:
        case: the case to change.
        change_pct: change of the steps per minute, %, -15 to 20.

    Raises:
        InputError: a change out of range, or on a recorded stride (when it is simulated).
    """
    check_free(case, "cadence")
    check_range("change of the cadence", change_pct, -15.0, 20.0, "%", where="intervention.cadence.change_pct", why="steps of other lengths at one speed are not walked")
    steps = case.subject.steps_per_day * (1.0 + change_pct / 100.0)
    note = f"The same distance takes {steps:,.0f} instead of {case.subject.steps_per_day:,.0f} steps a day at this cadence."
    return with_gait_change(case, GaitChange(name="cadence", cadence_change_pct=change_pct), note=note, subject=replace(case.subject, steps_per_day=steps))


def walking_speed(case: Case, *, change_pct: float = -10.0) -> Case:
    """Return the case with another walking speed, in all walking of the day, with as many steps as before.

    The curves are those of people who walk at that speed (Bovi 2011, doi 10.1016/j.gaitpost.2010.08.009), so cadence and step length go with it. A slower step loads the knee
    less but longer.

    Args:
        case: the case to change.
        change_pct: change of the speed, %, -50 to 50.

    Raises:
        InputError: a change out of range, or on a recorded stride (when it is simulated).
    """
    check_free(case, "walking_speed")
    check_range("change of the walking speed", change_pct, -50.0, 50.0, "%", where="intervention.walking_speed.change_pct", why="beyond it people stand or run")
    return with_gait_change(case, GaitChange(name="walking_speed", speed_change_pct=change_pct))


def with_gait_change(case: Case, change: GaitChange, **changes: object) -> Case:
    """Return the case changed by the intervention that has the name of `change`."""
    return case.changed(change.name, gait_changes=(*case.gait_changes, change), **changes)  # type: ignore[arg-type]


def response_of(name: str) -> Callable[[Case, float], Case]:
    """Return `Intervention.vary` of a change of gait that knows its spread."""
    return partial(_vary, name)


def _vary(name: str, case: Case, z: float) -> Case:
    return replace(case, gait_changes=tuple(replace(change, response_z=z) if change.name == name else change for change in case.gait_changes))


INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(name="toe_in", kind="gait", apply=toe_in, amount="angle_deg", unit="degrees", usual=10.0, least=0.0, most=15.0,
                 acts_on="lever arm of the ground reaction", source="Uhlrich 2022, PMC9889103; Silva 2022, doi 10.1371/journal.pone.0274874",
                 lesion_evidence="No trial of a changed foot angle has reported lesions: an extrapolation from load.", vary=response_of("toe_in"), excludes=("toe_out",)),
    Intervention(name="toe_out", kind="gait", apply=toe_out, amount="angle_deg", unit="degrees", usual=10.0, least=0.0, most=15.0,
                 acts_on="lever arm of the ground reaction", source="Silva 2022, doi 10.1371/journal.pone.0274874; Seagers 2022, PMC9466647",
                 lesion_evidence="No trial of a changed foot angle has reported lesions: an extrapolation from load.", vary=response_of("toe_out"), excludes=("toe_in",)),
    Intervention(name="trunk_lean", kind="gait", apply=trunk_lean, amount="angle_deg", unit="degrees", usual=9.7, least=0.0, most=12.0,
                 acts_on="place of the body's centre of mass over the foot", source="Winter 2009; Muendermann 2012, doi 10.1115/1.4005540",
                 lesion_evidence=NO_LESION_TRIAL, vary=response_of("trunk_lean")),
    Intervention(name="medial_thrust", kind="gait", apply=medial_thrust, amount="shift_mm", unit="mm", usual=14.0, least=0.0, most=20.0,
                 acts_on="place of the knee between hip and ankle, and its flexion", source="Fregly 2007, PMC2040055", lesion_evidence=NO_LESION_TRIAL),
    Intervention(name="step_width", kind="gait", apply=step_width, amount="change_m", unit="m", usual=0.05, least=0.0, most=0.1,
                 acts_on="place of the feet beside the body", source="Kajita 2001, doi 10.1109/IROS.2001.973365; Simic 2011, doi 10.1002/acr.20380", lesion_evidence=NO_LESION_TRIAL),
    Intervention(name="cadence", kind="gait", apply=cadence, amount="change_pct", unit="%", usual=10.0, least=0.0, most=10.0,
                 acts_on="length and number of the steps", source="doi 10.1249/MSS.0000000000003081; James 2024, doi 10.1016/j.jbiomech.2024.112394", lesion_evidence=NO_LESION_TRIAL),
    Intervention(name="walking_speed", kind="gait", apply=walking_speed, amount="change_pct", unit="%", usual=-10.0, least=-20.0, most=0.0,
                 acts_on="all curves of walking", source="Bovi 2011, doi 10.1016/j.gaitpost.2010.08.009", lesion_evidence=NO_LESION_TRIAL),
)
