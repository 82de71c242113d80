"""Frontal plane: inverted pendulum, step width, hip abductors, and the person's scores."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.motion.frontal import STEP_WIDTH_M, hip_abduction_moment, step_width_lever_arm_mm, sway
from kneeload.motion.motion import Motion
from kneeload.subject.person import Subject

STANCE = np.arange(101) <= 61


def of(name: str, subject: Subject | None = None, **settings: float) -> Motion:
    return motion_for(Activity(name=name, **settings), subject or Subject())  # type: ignore[arg-type]


def abduction(motion: Motion, subject: Subject) -> np.ndarray:
    assert motion.hip_abduction_moment is not None
    return motion.hip_abduction_moment / (subject.body_mass_kg * 1e3)


def test_sway_solves_the_inverted_pendulum() -> None:
    """y'' = g / h (y - p) with y = p (1 - s): s'' = g / h s, by differences; 1 when the feet change."""
    cycle = 1.1
    share = sway(STANCE, cycle, 1.72)
    inside = slice(12, 50)
    step = cycle / 100.0
    second = (share[2:] - 2.0 * share[1:-1] + share[:-2])[inside] / step**2
    kink = np.abs(np.arange(1, 100)[inside] - 30) <= 1  # mid-stance falls between two samples
    np.testing.assert_allclose(second[~kink], (9.80665 / (0.56 * 1.72) * share[1:-1][inside])[~kink], rtol=2e-3)
    assert share.max() == 1.0 and 0.6 < share.min() < 0.8


def test_step_width_by_points_in_the_plane() -> None:
    """Naive twin: distance of the knee from the line foot to centre of mass, knee on the line ankle to hip, for two step widths."""
    height, share = 1.72, np.array([0.7, 1.0])

    def arm(width: float) -> np.ndarray:
        inside = 0.5 * width * share  # the foot lies this far outside the centre of mass
        ankle, hip = inside, 0.05 * height  # from the centre of mass, lateral
        knee = ankle + (hip - ankle) * 0.246 / 0.491
        line = inside - inside * (0.039 + 0.246) / 0.56
        return (knee - line) * 1000.0

    for width in (0.05, 0.2):
        expected = arm(width) - arm(STEP_WIDTH_M * height / 1.71)
        np.testing.assert_allclose(step_width_lever_arm_mm(width, share, height), expected, atol=1e-9)
    np.testing.assert_array_equal(step_width_lever_arm_mm(None, share, height), 0.0)


def test_step_width_hardly_changes_the_knee_in_rigid_geometry() -> None:
    """Twice the step width changes the peak adduction moment by less than 2 %: leg and force swing out together."""
    narrow, wide = (of("walking", step_width_m=width).knee_adduction_moment.max() for width in (0.1, 0.2))
    assert abs(wide / narrow - 1.0) < 0.02


def test_hip_abduction_by_points_in_the_plane() -> None:
    """Naive twin at one instant: force from the foot to the centre of mass and the weight of the leg, moments about the hip."""
    height, width, share, body = 1.72, 0.1, 0.72, 785.0
    up = 1.05 * body
    inside = 0.5 * width * share
    hip, knee = 0.05 * height, inside + (0.05 * height - inside) * 0.246 / 0.491
    force_at = {"knee": inside * (1.0 - 0.285 / 0.56), "hip": inside * (1.0 - 0.530 / 0.56)}
    at_knee, at_hip = up * (knee - force_at["knee"]) * 1e3, up * (hip - force_at["hip"]) * 1e3
    leg = 0.161 * body * 0.447 * (hip - inside) * 1e3
    found = hip_abduction_moment(np.array([at_knee]), np.array([up]), np.array([share]), width, body, height)
    assert found[0] == pytest.approx(at_hip - leg, rel=1e-9)


def test_hip_abductors_carry_what_adults_measure() -> None:
    """Two peaks of 0.6 to 1.1 N m/kg in walking, the later not above the earlier; the same order on stairs; none on two legs."""
    subject = Subject()
    walking = abduction(of("walking"), subject)
    assert 0.6 < walking[5:30].max() < 1.1 and 0.55 < walking[35:60].max() < 1.1
    assert np.all(walking[70:] == 0.0)
    for name in ("stair_ascent", "stair_descent"):
        assert 0.5 < abduction(of(name), subject).max() < 1.1
    assert 0.6 < abduction(of("single_leg_standing"), subject)[0] < 1.0
    for name in ("standing", "chair_rise", "squat"):
        assert not np.any(abduction(of(name), subject))


def test_alignment_moves_the_knee_and_not_the_hip() -> None:
    straight, varus = of("walking", Subject(mpta_deg=88.0)), of("walking", Subject(mpta_deg=82.0))
    assert varus.knee_adduction_moment.max() > 1.3 * straight.knee_adduction_moment.max()
    np.testing.assert_allclose(varus.hip_abduction_moment, straight.hip_abduction_moment, rtol=1e-12)  # type: ignore[arg-type]


@pytest.mark.parametrize("part", ["mpta_deg", "ldfa_deg", "joint_line_convergence_deg"])
def test_every_part_of_the_alignment_counts_alike(part: str) -> None:
    """HKA = 180 + MPTA - LDFA - joint-line convergence: a degree of varus gives the same moment wherever it sits."""
    base = Subject()
    sign = -1.0 if part == "mpta_deg" else 1.0
    changed = Subject(**{part: getattr(base, part) + 3.0 * sign})  # type: ignore[arg-type]
    np.testing.assert_allclose(of("walking", changed).knee_adduction_moment, of("walking", Subject(mpta_deg=84.0)).knee_adduction_moment, rtol=1e-12)


@pytest.mark.parametrize("name", ["walking", "stair_ascent", "stair_descent", "standing", "single_leg_standing"])
@pytest.mark.parametrize("z", [-2.0, 1.0])
def test_scores_shift_the_mean_by_standard_deviations(name: str, z: float) -> None:
    mean = of(name)
    for score, field in (("extension_moment_z", "knee_extension_moment"), ("adduction_moment_z", "knee_adduction_moment"), ("flexion_z", "knee_flexion")):
        changed = of(name, **{score: z})
        expected = getattr(mean, field) + z * getattr(mean, field + "_sd")
        np.testing.assert_allclose(getattr(changed, field), expected, rtol=1e-9, atol=1e-6, err_msg=score)
        if score == "adduction_moment_z":
            np.testing.assert_array_equal(changed.knee_extension_moment, mean.knee_extension_moment)


SCORE = st.floats(-4.0, 4.0)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(["walking", "stair_ascent", "stair_descent", "chair_rise", "squat", "standing", "single_leg_standing"]),
       mass=st.floats(40.0, 160.0), height=st.floats(1.4, 2.1), mpta=st.floats(78.0, 96.0), z=st.tuples(SCORE, SCORE, SCORE))
def test_every_person_has_a_sound_motion(name: str, mass: float, height: float, mpta: float, z: tuple[float, float, float]) -> None:
    """Finite, and the scores of the moments leave flexion, time and each other alone."""
    subject = Subject(body_mass_kg=mass, height_m=height, mpta_deg=mpta)
    motion = of(name, subject, extension_moment_z=z[0], adduction_moment_z=z[1], flexion_z=z[2])
    for item in fields(motion):
        value = getattr(motion, item.name)
        assert not isinstance(value, np.ndarray) or np.all(np.isfinite(value)), item.name
    other = of(name, subject, extension_moment_z=z[0], flexion_z=z[2])
    np.testing.assert_array_equal(other.knee_extension_moment, motion.knee_extension_moment)
    np.testing.assert_array_equal(other.time, motion.time)
    if motion.knee_adduction_moment_sd is not None:
        np.testing.assert_allclose(motion.knee_adduction_moment - other.knee_adduction_moment, z[1] * motion.knee_adduction_moment_sd, atol=1e-6 * mass)


def test_a_drawn_population_has_the_published_spread() -> None:
    """400 people with scores from N(0, 1): standard deviation of the adduction moment at 16 % of the cycle is the curve's (standard error 4 %)."""
    scores = np.clip(np.random.default_rng(1).standard_normal(400), -4.0, 4.0)
    mean = of("walking")
    drawn = [of("walking", adduction_moment_z=float(z)).knee_adduction_moment[16] for z in scores]
    assert mean.knee_adduction_moment_sd is not None
    assert np.std(drawn) == pytest.approx(mean.knee_adduction_moment_sd[16], rel=0.12)
