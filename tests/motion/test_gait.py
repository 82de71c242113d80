"""Changes of gait obey the geometry and equilibrium they are made of, and add up."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kneeload.errors import InputError
from kneeload.motion.activities import motion_for, natural_speed_m_s
from kneeload.motion.activity import Activity
from kneeload.motion.gait import GaitChange, cane, lateral_wedge, medial_thrust, toe_in, toe_out, trunk_lean, walking_poles
from kneeload.motion.gait_effect import gait_effect
from kneeload.motion.hip_ankle import walking_cycle_s
from kneeload.motion.motion import Motion
from kneeload.subject.person import Subject
from kneeload.units import DEG

WALK = Activity(name="walking")
STEPPING = ["walking", "stair_ascent", "stair_descent"]
ARRAYS = ("knee_flexion", "hip_flexion", "ankle_dorsiflexion", "knee_extension_moment", "knee_adduction_moment", "hip_extension_moment",
          "ankle_plantarflexion_moment", "net_axial_force", "net_anterior_force", "hip_abduction_moment")
FORCES = ARRAYS[3:]
ALL = (toe_in(6.0), trunk_lean(5.0), lateral_wedge(4.0), medial_thrust(8.0, 4.0), cane("other", 0.08),
       GaitChange(name="mix", step_width_change_m=0.04, cadence_change_pct=5.0, speed_change_pct=-8.0))


def peaks_pct_bw_ht(subject: Subject, *changes: GaitChange) -> tuple[float, float]:
    moment = motion_for(WALK, subject, changes).knee_adduction_moment * 100.0 / (subject.body_weight_n * subject.height_m * 1000.0)
    return float(moment[:30].max()), float(moment[35:].max())


def ground(motion: Motion, subject: Subject) -> np.ndarray:
    """Vertical force of the foot, N, from the net force at the knee and the lean of the shank: an independent way back."""
    lean = motion.knee_flexion - motion.hip_flexion + 7.0 * DEG
    along, across = motion.net_axial_force, motion.net_anterior_force
    return along * np.cos(lean) - across * np.sin(lean) + 0.061 * subject.body_weight_n  # type: ignore[operator]


@pytest.mark.parametrize("subject", [Subject(), Subject(height_m=1.55, body_mass_kg=55.0), Subject(body_mass_kg=110.0, mpta_deg=84.0)])
def test_toe_in_lowers_the_first_peak_as_published_and_raises_the_second(subject: Subject) -> None:
    before, after = peaks_pct_bw_ht(subject), peaks_pct_bw_ht(subject, toe_in(10.0))
    assert after[0] - before[0] == pytest.approx(-0.199, abs=0.02)
    assert after[1] - before[1] == pytest.approx(0.158, abs=0.03)


def test_toe_out_lowers_the_second_peak_only() -> None:
    before, after = peaks_pct_bw_ht(Subject()), peaks_pct_bw_ht(Subject(), toe_out(10.0))
    assert after[0] - before[0] == pytest.approx(0.0, abs=0.005)
    assert after[1] / before[1] - 1.0 == pytest.approx(-0.11, abs=0.01)
    assert -0.73 * 0.12 < (after[1] - before[1]) * 0.0981 * 1.71 < -0.11 * 0.12  # N m/kg, confidence limits of Silva 2022 x SD of the peak


def test_toe_in_is_linear_and_knows_its_spread() -> None:
    one, two = toe_in(5.0), toe_in(10.0)
    assert two.early_lever_arm_pct_height == pytest.approx(2.0 * one.early_lever_arm_pct_height)
    assert two.response_sd == pytest.approx(0.292 / 0.199)
    first = [peaks_pct_bw_ht(Subject(), replace(two, response_z=z))[0] for z in (-1.0, 0.0, 1.0)]
    assert np.diff(first) == pytest.approx([-0.292, -0.292], abs=0.01)
    np.testing.assert_array_equal(motion_for(WALK, Subject(), (toe_in(0.0),)).knee_adduction_moment, motion_for(WALK, Subject()).knee_adduction_moment)


def test_a_lean_moves_the_line_of_force_about_the_foot() -> None:
    """The line through the foot (0, 0) and the centre of mass (shift, 0.56 height), read at the heights of knee and hip."""
    subject, angle = Subject(height_m=1.80), 8.0
    before, after = (motion_for(WALK, subject, changes) for changes in ((), (trunk_lean(angle),)))
    shift = 0.678 * 0.626 * 0.288 * 1800.0 * np.sin(angle * DEG)
    force = ground(before, subject)[20]
    assert (after.knee_adduction_moment - before.knee_adduction_moment)[20] == pytest.approx(-force * shift * 0.285 / 0.56, rel=1e-6)
    assert (after.hip_abduction_moment - before.hip_abduction_moment)[20] == pytest.approx(-force * shift * 0.530 / 0.56, rel=1e-6)  # type: ignore[operator]
    np.testing.assert_array_equal(after.knee_extension_moment, before.knee_extension_moment)


@pytest.mark.parametrize("activity", ["walking", "standing", "single_leg_standing"])
def test_a_wedge_moves_the_foot_of_the_line(activity: str) -> None:
    subject, still = Subject(), Activity(name=activity)
    before, after = (motion_for(still, subject, changes) for changes in ((), (lateral_wedge(5.0),)))
    force = ground(before, subject)[20] if activity == "walking" else subject.body_weight_n * (0.5 if activity == "standing" else 1.0)
    shift = 0.039 * 1720.0 * np.sin(0.7 * 5.0 * DEG)
    assert (after.knee_adduction_moment - before.knee_adduction_moment)[20] == pytest.approx(-force * shift * (1.0 - 0.285 / 0.56), rel=1e-6)


def test_the_hands_take_from_the_foot_in_all_planes_and_turn_its_force() -> None:
    subject = Subject()
    plain, other, same = (motion_for(WALK, subject, changes) for changes in ((), (cane("other", 0.10),), (cane("same", 0.10),)))
    for motion in (other, same):
        taken = ground(plain, subject) - ground(motion, subject)
        assert taken.max() == pytest.approx(0.10 * subject.body_weight_n, rel=0.02) and taken[~plain.stance].max() == pytest.approx(0.0, abs=1e-6)
        share = ground(motion, subject)[15] / ground(plain, subject)[15]
        assert motion.knee_extension_moment[15] == pytest.approx(share * plain.knee_extension_moment[15], rel=1e-9)
        assert np.abs(motion.ankle_plantarflexion_moment[:60]).max() < np.abs(plain.ankle_plantarflexion_moment[:60]).max()  # type: ignore[index]
    assert other.knee_adduction_moment[16] < 0.95 * plain.knee_adduction_moment[16] < plain.knee_adduction_moment[16] < same.knee_adduction_moment[16]
    assert other.hip_abduction_moment.max() < plain.hip_abduction_moment.max() < same.hip_abduction_moment.max()  # type: ignore[union-attr]


@pytest.mark.parametrize("name", STEPPING)
def test_hands_on_both_sides_take_the_same_part_of_force_and_moment(name: str) -> None:
    subject, step, both = Subject(mpta_deg=85.0), Activity(name=name), GaitChange(name="poles", support_share=0.1)
    plain, helped = motion_for(step, subject), motion_for(step, subject, (both,))
    part = ground(helped, subject)[10:50] / ground(plain, subject)[10:50]
    assert part.min() < 0.9
    np.testing.assert_allclose(helped.knee_adduction_moment[10:50], part * plain.knee_adduction_moment[10:50], rtol=1e-9)
    np.testing.assert_allclose(helped.knee_extension_moment[10:50], part * plain.knee_extension_moment[10:50], rtol=1e-9)


def test_foot_and_stick_balance_about_the_centre_of_mass() -> None:
    """With all of the stick's moment in the line of force (twice the half that is assumed), foot x shift + hands x distance = 0."""
    stance, height = np.arange(101) < 61, 1.75
    vertical, sway_share = np.where(stance, 1.0, 0.0), np.full(101, 0.8)
    effect = gait_effect((cane("same", 0.12),), stance=stance, flexion_deg=np.full(101, 10.0), vertical_bw=vertical, sway_share=sway_share, step_width_m=0.12, height_m=height)
    hands, foot, stick, centre = 0.12, 0.88, 0.155 * 1750.0, 60.0 * (1.0 - 0.8)
    line_off = -effect.hip_arm[30] / (0.530 / 0.56) * 2.0
    assert foot * line_off + hands * (stick - centre) == pytest.approx(0.0, abs=0.01 * hands * stick)


def test_poles_raise_the_adduction_moment_though_the_foot_carries_less() -> None:
    before, after = peaks_pct_bw_ht(Subject()), peaks_pct_bw_ht(Subject(), walking_poles(0.04))
    assert 0.08 < after[0] - before[0] < 0.27 and 0.04 < after[1] - before[1] < 0.30  # Bechard 2012, confidence limits


@pytest.mark.parametrize("name", STEPPING)
def test_a_knee_that_goes_in_and_forward_trades_adduction_for_extension(name: str) -> None:
    subject, step = Subject(), Activity(name=name)
    before, in_only, both = (motion_for(step, subject, changes) for changes in ((), (medial_thrust(12.0, 0.0),), (medial_thrust(12.0, 6.0),)))
    force = ground(before, subject)[20]
    assert (before.knee_adduction_moment - in_only.knee_adduction_moment)[20] == pytest.approx(12.0 * force, rel=1e-6)
    np.testing.assert_array_equal(in_only.hip_abduction_moment, before.hip_abduction_moment)
    thigh, shank = 0.245 * 1720.0, 0.246 * 1720.0
    bend = before.knee_flexion[20] + np.array([0.0, 6.0]) * DEG
    ahead = thigh * shank * np.sin(bend) / np.sqrt(thigh**2 + shank**2 + 2 * thigh * shank * np.cos(bend))
    assert (both.knee_extension_moment - before.knee_extension_moment)[20] == pytest.approx(force * (ahead[1] - ahead[0]), rel=1e-6)
    assert both.knee_flexion[20] - before.knee_flexion[20] == pytest.approx(6.0 * DEG)


def test_a_straight_knee_cannot_be_brought_in() -> None:
    stance = np.arange(101) < 61
    given_deg = {"vertical_bw": np.ones(101), "sway_share": np.ones(101), "step_width_m": None, "height_m": 1.72}
    straight, slight, bent = (gait_effect((medial_thrust(14.0, 0.0),), stance=stance, flexion_deg=np.full(101, angle), **given_deg).knee_arm[30] for angle in (0.0, 4.0, 20.0))  # type: ignore[arg-type]
    assert straight == pytest.approx(0.0, abs=1e-9) and bent == pytest.approx(-14.0)
    assert slight == pytest.approx(-0.123 * 1720.0 * np.sin(4.0 * DEG) * np.sin(25.0 * DEG), rel=0.01)  # half a leg's length x sin, turned in by 25 degrees


@pytest.mark.parametrize("name", STEPPING)
def test_step_widths_add_up(name: str) -> None:
    change = GaitChange(name="wider", step_width_change_m=0.05)
    changed, given_width = motion_for(Activity(name=name, step_width_m=0.12), Subject(), (change,)), motion_for(Activity(name=name, step_width_m=0.17), Subject())
    for field in ARRAYS:
        np.testing.assert_allclose(getattr(changed, field), getattr(given_width, field), rtol=1e-12, atol=1e-9)


def test_a_changed_speed_is_that_speed() -> None:
    subject = Subject()
    slower, same = motion_for(WALK, subject, (GaitChange(name="slow", speed_change_pct=-20.0),)), motion_for(Activity(name="walking", speed_m_s=0.8 * natural_speed_m_s(subject)), subject)
    for field in (*ARRAYS, "time"):
        np.testing.assert_allclose(getattr(slower, field), getattr(same, field), rtol=1e-12, atol=1e-9)


def test_a_higher_cadence_has_the_curves_of_its_step_length_in_a_shorter_time() -> None:
    subject, speed = Subject(), 1.25
    quick = motion_for(Activity(name="walking", speed_m_s=speed), subject, (GaitChange(name="quick", cadence_change_pct=10.0),))
    assert quick.time[-1] == pytest.approx(walking_cycle_s(speed, subject.height_m) / 1.1)
    step = speed * quick.time[-1]
    slow = min(np.linspace(0.5, 1.25, 751), key=lambda v: abs(v * walking_cycle_s(v, subject.height_m) - step))
    alike = motion_for(Activity(name="walking", speed_m_s=float(slow)), subject)
    np.testing.assert_allclose(quick.knee_extension_moment, alike.knee_extension_moment, atol=150.0)
    published = quick.knee_extension_moment.max() - motion_for(Activity(name="walking", speed_m_s=speed), subject).knee_extension_moment.max()
    assert -7350.0 < published < -860.0  # N mm, confidence limits of doi 10.1249/MSS.0000000000003081


@pytest.mark.parametrize("name", STEPPING)
def test_any_order_is_the_same(name: str) -> None:
    subject = Subject(mpta_deg=85.0)
    first = motion_for(Activity(name=name), subject, ALL)
    for order in list(permutations(ALL))[1::97]:
        motion = motion_for(Activity(name=name), subject, order)
        for field in (*ARRAYS, "time"):
            np.testing.assert_allclose(getattr(motion, field), getattr(first, field), rtol=1e-9, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(mass=st.floats(45.0, 140.0), lean=st.floats(0.0, 12.0), share=st.floats(0.0, 0.2), side=st.sampled_from(["other", "same"]), shift=st.floats(0.0, 15.0))
def test_loads_stay_in_proportion_to_the_mass(mass: float, lean: float, share: float, side: str, shift: float) -> None:
    changes = (trunk_lean(lean), cane(side, share), medial_thrust(shift, 5.0), lateral_wedge(3.0))
    one, two = (motion_for(WALK, Subject(body_mass_kg=kg), changes) for kg in (mass, 70.0))
    for field in FORCES:
        np.testing.assert_allclose(getattr(one, field), getattr(two, field) * mass / 70.0, rtol=1e-9, atol=1e-6)


def test_changes_add_up_and_leave_swing_alone() -> None:
    subject = Subject()
    base, one, both = (motion_for(WALK, subject, (toe_in(6.0), lateral_wedge(0.001)) * count) for count in range(3))
    step = one.knee_adduction_moment - base.knee_adduction_moment
    np.testing.assert_allclose(both.knee_adduction_moment - base.knee_adduction_moment, 2.0 * step, atol=1e-3)
    assert not np.any(step[~base.stance])
    np.testing.assert_array_equal(one.knee_extension_moment, base.knee_extension_moment)


@pytest.mark.parametrize("name", STEPPING)
def test_curves_stay_smooth_and_the_cycle_closed(name: str) -> None:
    plain, changed = (motion_for(Activity(name=name), Subject(), changes) for changes in ((), (trunk_lean(10.0), medial_thrust(14.0, 6.0), cane("other", 0.1))))
    assert np.abs(np.diff(changed.knee_flexion - plain.knee_flexion)).max() < 1.0 * DEG
    assert (changed.knee_flexion - plain.knee_flexion)[0] == pytest.approx((changed.knee_flexion - plain.knee_flexion)[-1], abs=0.1 * DEG)
    assert np.abs(np.diff(changed.knee_adduction_moment)).max() < np.abs(np.diff(plain.knee_adduction_moment)).max() + 3000.0


@pytest.mark.parametrize("name", ["standing", "single_leg_standing", "compression", "chair_rise"])
def test_a_pose_has_no_gait(name: str) -> None:
    still, walked = Activity(name=name), [change for change in ALL if not change.foot_tilt_deg]
    for field in ("knee_adduction_moment", "net_axial_force", "knee_flexion"):
        np.testing.assert_array_equal(getattr(motion_for(still, Subject(), walked), field), getattr(motion_for(still, Subject()), field))


def test_a_response_multiplies_the_effect_and_a_share_stays_a_share() -> None:
    assert replace(trunk_lean(10.0), response_z=1.0).amount("trunk_lean_deg") == pytest.approx(10.0 * (1.0 + 30.3 / 55.2))
    assert replace(cane("other", 0.1), response_z=-4.0).amount("support_share") == 0.0
    with pytest.raises(InputError, match="no spread"):
        replace(medial_thrust(10.0, 5.0), response_z=1.0)


@pytest.mark.parametrize("make", [toe_in, toe_out])
@pytest.mark.parametrize("angle", [-5.0, 40.0, float("nan")])
def test_bad_angle(make: type, angle: float) -> None:
    with pytest.raises(InputError, match="angle"):
        make(angle)


def test_bad_change() -> None:
    with pytest.raises(InputError, match="lever arm"):
        GaitChange(name="impossible", early_lever_arm_pct_height=9.0)
    with pytest.raises(InputError, match="two hands"):
        GaitChange(name="impossible", support_side="left")
    with pytest.raises(InputError, match="walking speed after its changes"):
        motion_for(Activity(name="walking", speed_m_s=0.5), Subject(), (GaitChange(name="slow", speed_change_pct=-50.0),))
    with pytest.raises(InputError, match="step width after its changes"):
        motion_for(WALK, Subject(), (GaitChange(name="narrow", step_width_change_m=-0.2),))
