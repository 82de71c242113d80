"""Changes of gait act through the lever arm of the ground reaction."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kneeload.errors import InputError
from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.motion.gait import GaitChange, toe_in
from kneeload.subject.person import Subject

WALK = Activity(name="walking")


def peaks_pct_bw_ht(subject: Subject, *changes: GaitChange) -> tuple[float, float]:
    moment = motion_for(WALK, subject, changes).knee_adduction_moment * 100.0 / (subject.body_weight_n * subject.height_m * 1000.0)
    return float(moment[:30].max()), float(moment[30:].max())


@pytest.mark.parametrize("subject", [Subject(), Subject(height_m=1.55, body_mass_kg=55.0), Subject(body_mass_kg=110.0, mpta_deg=84.0)])
def test_toe_in_lowers_the_first_peak_as_published_and_raises_the_second(subject: Subject) -> None:
    before, after = peaks_pct_bw_ht(subject), peaks_pct_bw_ht(subject, toe_in(10.0))
    assert after[0] - before[0] == pytest.approx(-0.199, abs=0.02)
    assert after[1] - before[1] == pytest.approx(0.158, abs=0.03)


def test_toe_in_is_linear_and_keeps_its_spread() -> None:
    one, two = toe_in(5.0), toe_in(10.0)
    assert two.early_lever_arm_pct_height == pytest.approx(2.0 * one.early_lever_arm_pct_height)
    assert two.first_peak_kam_sd_pct_bw_ht == pytest.approx(0.292)
    np.testing.assert_array_equal(motion_for(WALK, Subject(), (toe_in(0.0),)).knee_adduction_moment, motion_for(WALK, Subject()).knee_adduction_moment)


def test_changes_add_up_and_leave_swing_alone() -> None:
    subject = Subject()
    base, one, both = (motion_for(WALK, subject, (toe_in(6.0),) * count) for count in range(3))
    step = one.knee_adduction_moment - base.knee_adduction_moment
    np.testing.assert_allclose(both.knee_adduction_moment - base.knee_adduction_moment, 2.0 * step, atol=1e-6)
    assert not np.any(step[~base.stance])
    np.testing.assert_array_equal(one.knee_extension_moment, base.knee_extension_moment)


def test_extension_moment_scale() -> None:
    subject = Subject()
    change = GaitChange(name="flexed", extension_moment_scale=1.3)
    np.testing.assert_allclose(
        motion_for(WALK, subject, (change,)).knee_extension_moment, 1.3 * motion_for(WALK, subject).knee_extension_moment, rtol=1e-12)


@pytest.mark.parametrize("name", ["standing", "single_leg_standing", "compression"])
def test_a_pose_has_no_gait(name: str) -> None:
    still = Activity(name=name)
    np.testing.assert_array_equal(
        motion_for(still, Subject(), (toe_in(10.0),)).knee_adduction_moment, motion_for(still, Subject()).knee_adduction_moment)


def test_lever_arm_is_smooth_over_stance() -> None:
    stance = np.arange(101) < 61
    arm = dataclasses.replace(toe_in(10.0)).lever_arm(stance, 1720.0)
    assert arm[0] < 0.0 < arm[60]
    assert np.abs(np.diff(arm[:61])).max() < 0.35
    assert not np.any(arm[61:])


@pytest.mark.parametrize("angle", [-5.0, 40.0, float("nan")])
def test_bad_angle(angle: float) -> None:
    with pytest.raises(InputError, match="toe-in angle"):
        toe_in(angle)


def test_bad_change() -> None:
    with pytest.raises(InputError, match="lever arm"):
        GaitChange(name="impossible", early_lever_arm_pct_height=9.0)
