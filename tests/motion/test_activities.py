"""Walking, stairs, standing and compression: scaling, alignment, speed, statics."""

from __future__ import annotations

import dataclasses
import json
import time

import numpy as np
import pytest

from kneeload.errors import InputError
from kneeload.motion.activities import motion_for, natural_speed_m_s
from kneeload.motion.activity import ACTIVITY_NAMES, Activity
from kneeload.motion.hip_ankle import walking_cycle_s
from kneeload.motion.limb import REFERENCE_VARUS_DEG, axial_force, knee_shift_mm
from kneeload.motion.motion import Motion
from kneeload.motion.waveforms import COEFFICIENTS_FILE
from kneeload.subject.person import Subject
from kneeload.units import DEG

BUILT_IN = tuple(name for name in ACTIVITY_NAMES if name not in ("recorded", "compression"))
CYCLIC = ("walking", "stair_ascent", "stair_descent")
MOMENTS = ("knee_extension_moment", "knee_adduction_moment", "hip_extension_moment", "ankle_plantarflexion_moment")


def of(name: str, subject: Subject | None = None, **settings: float) -> Motion:
    return motion_for(Activity(name=name, **settings), subject or Subject())  # type: ignore[arg-type]


def pct_bw_ht(moment: np.ndarray, subject: Subject) -> np.ndarray:
    return 100.0 * moment / (subject.body_weight_n * subject.height_m * 1000.0)


@pytest.mark.parametrize("name", [*BUILT_IN, "compression"])
def test_a_motion_is_complete(name: str) -> None:
    motion = of(name)
    assert motion.activity == name
    for field in dataclasses.fields(motion):
        value = getattr(motion, field.name)
        if isinstance(value, np.ndarray):
            assert value.shape == (101,)
            assert np.all(np.isfinite(value))
            with pytest.raises(ValueError, match="read-only"):
                value[0] = 1
    assert np.all(np.diff(motion.time) > 0.0)


@pytest.mark.parametrize("name", BUILT_IN)
def test_doubling_body_mass_doubles_the_net_loads(name: str) -> None:
    one, two = of(name, Subject(body_mass_kg=60.0)), of(name, Subject(body_mass_kg=120.0))
    for field in (*MOMENTS, "hip_abduction_moment", "net_axial_force", "net_anterior_force", "knee_extension_moment_sd", "knee_adduction_moment_sd"):
        np.testing.assert_allclose(getattr(two, field), 2.0 * getattr(one, field), rtol=1e-12, err_msg=field)
    np.testing.assert_array_equal(one.knee_flexion, two.knee_flexion)


@pytest.mark.parametrize("name", BUILT_IN)
def test_moments_scale_with_height(name: str) -> None:
    short, tall = of(name, Subject(height_m=1.5)), of(name, Subject(height_m=1.8))
    for field in MOMENTS:
        np.testing.assert_allclose(getattr(tall, field), getattr(short, field) * 1.8 / 1.5, rtol=1e-9, atol=1e-6, err_msg=field)


@pytest.mark.parametrize("height", [1.5, 1.72, 1.95])
def test_adduction_moment_per_degree_of_varus(height: float) -> None:
    """High tibial osteotomy: 0.172 %BW.Ht per degree (Birmingham 2009); geometry of the hip-ankle line must come near it."""
    subject = Subject(height_m=height)
    varus = dataclasses.replace(subject, mpta_deg=subject.mpta_deg - 1.0)
    step = pct_bw_ht(of("walking", varus).knee_adduction_moment, varus).max() - pct_bw_ht(of("walking", subject).knee_adduction_moment, subject).max()
    assert 0.14 < step < 0.26


@pytest.mark.parametrize("name", BUILT_IN)
def test_lower_mpta_raises_the_adduction_moment(name: str) -> None:
    peaks = [of(name, Subject(mpta_deg=mpta)).knee_adduction_moment.max() for mpta in np.arange(78.0, 98.0, 1.0)]
    assert np.all(np.diff(peaks) < 0.0)


def test_reference_alignment_leaves_the_published_moment(shared_data) -> None:  # type: ignore[no-untyped-def]
    subject = Subject(height_m=1.71, mpta_deg=180.0 - REFERENCE_VARUS_DEG - 180.0 + 87.5 + 0.5)
    table = np.genfromtxt(shared_data / "bovi2011_adult_waveforms.csv", delimiter=",", names=True)
    published = table["Free_knee_abd_moment_Nm_kg_mean"] * subject.body_mass_kg * 1000.0
    np.testing.assert_allclose(of("walking", subject).knee_adduction_moment, published, atol=0.005 * 80e3)


@pytest.mark.parametrize(("mass", "height"), [(80.0, 1.72), (55.0, 1.50), (120.0, 1.95)])
@pytest.mark.parametrize("task", ["VerySlow", "Slow", "Free", "Medium", "Fast", "Ascending", "Descending"])
def test_every_sample_of_the_moments_lies_within_one_sd_of_the_published_curve(shared_data, task: str, mass: float, height: float) -> None:  # type: ignore[no-untyped-def]
    """The person has the alignment of the source's adults and walks at the Froude number of the class; moments per mass and height of 1.71 m."""
    classes = json.loads(COEFFICIENTS_FILE.read_text())["classes"]
    subject = Subject(body_mass_kg=mass, height_m=height, mpta_deg=88.0 - REFERENCE_VARUS_DEG)
    walking = {"VerySlow": "very_slow", "Slow": "slow", "Free": "natural", "Medium": "medium", "Fast": "fast"}
    if task in walking:
        motion = of("walking", subject, speed_m_s=classes[walking[task]]["speed_height_per_s"] * np.sqrt(height * 1.71))
    else:
        motion = of({"Ascending": "stair_ascent", "Descending": "stair_descent"}[task], subject)
    table = np.genfromtxt(shared_data / "bovi2011_adult_waveforms.csv", delimiter=",", names=True)
    for moment, column in ((motion.knee_extension_moment, "knee_ext"), (motion.knee_adduction_moment, "knee_abd")):
        error = np.abs(moment / (mass * 1e3 * height / 1.71) - table[f"{task}_{column}_moment_Nm_kg_mean"])
        assert np.all(error <= np.maximum(table[f"{task}_{column}_moment_Nm_kg_sd"], 0.01)), (column, error.max())


def test_reference_alignment_is_that_of_healthy_adults() -> None:
    """1.35 (SD 2.04) degrees of varus, PMC4349645 (evidence 5.22); the default person is straighter, so her moment is a little below the published one."""
    assert pytest.approx(1.35, abs=0.55) == REFERENCE_VARUS_DEG
    assert -0.15 < pct_bw_ht(of("walking").knee_adduction_moment, Subject()).max() - 100.0 * 0.40 / (9.80665 * 1.71) < 0.0


def test_knee_shift_is_the_height_of_the_leg_triangle() -> None:
    """Same length by another way: distance of the knee from the line through hip and ankle, points in the plane."""
    thigh, shank, varus = 0.245 * 1720.0, 0.246 * 1720.0, 7.0 * DEG
    hip, ankle = np.array([0.0, thigh]), shank * np.array([np.sin(varus), -np.cos(varus)])
    line = (hip - ankle) / np.linalg.norm(hip - ankle)
    assert knee_shift_mm(7.0, 1.72) == pytest.approx(abs(line[0] * hip[1] - line[1] * hip[0]), rel=1e-12)
    assert knee_shift_mm(-7.0, 1.72) == pytest.approx(-knee_shift_mm(7.0, 1.72))


def test_speed_raises_the_extension_moment_and_shortens_the_cycle() -> None:
    motions = [of("walking", speed_m_s=speed) for speed in np.arange(0.6, 1.91, 0.1)]
    assert np.all(np.diff([motion.knee_extension_moment.max() for motion in motions]) > 0.0)
    assert np.all(np.diff([motion.time[-1] for motion in motions]) < 0.0)
    assert np.all(np.diff([motion.knee_flexion[:30].max() for motion in motions]) > 0.0)


def test_published_effect_of_speed_on_the_extension_moment() -> None:
    """0.75 to 1.50 m/s: +168 % (Lerner 2014, PMC4423394, 10 people). Ours is from other people: same direction and order."""
    slow, fast = (of("walking", speed_m_s=speed).knee_extension_moment.max() for speed in (0.75, 1.5))
    assert 0.6 < fast / slow - 1.0 < 2.5


@pytest.mark.parametrize("height", [1.45, 1.72, 2.0])
@pytest.mark.parametrize("speed", [0.4, 0.6, 1.0, 1.9, 2.2])
def test_every_speed_gives_a_sound_stride(speed: float, height: float) -> None:
    motion = of("walking", Subject(height_m=height), speed_m_s=speed)
    assert 52 < motion.stance.sum() < 70
    assert 0.65 < motion.time[-1] < 2.5
    assert -0.2 < motion.knee_flexion.min() < motion.knee_flexion.max() < 1.3


def test_speed_left_out_is_the_natural_speed() -> None:
    subject = Subject()
    given, default = of("walking", speed_m_s=natural_speed_m_s(subject)), of("walking")
    np.testing.assert_array_equal(given.knee_extension_moment, default.knee_extension_moment)
    assert default.cycles_per_second == pytest.approx(1.0 / walking_cycle_s(natural_speed_m_s(subject), subject.height_m))


def test_peaks_are_those_of_the_evidence() -> None:
    """Bovi 2011 (table 6a of the evidence): peaks in N m/kg; the person is the source's mean one with its reference alignment."""
    subject = Subject(body_mass_kg=68.5, height_m=1.71, mpta_deg=88.0 - REFERENCE_VARUS_DEG)
    kg = 68.5e3
    walking, ascent, descent = (of(name, subject) for name in CYCLIC)
    assert walking.knee_extension_moment.max() / kg == pytest.approx(0.42, abs=0.01)
    assert walking.knee_adduction_moment[:30].max() / kg == pytest.approx(0.40, abs=0.01)
    assert walking.knee_adduction_moment[30:].max() / kg == pytest.approx(0.32, abs=0.01)
    assert ascent.knee_extension_moment.max() / kg == pytest.approx(1.16, abs=0.01)
    assert ascent.knee_adduction_moment.max() / kg == pytest.approx(0.35, abs=0.01)
    assert descent.knee_extension_moment[:30].max() / kg == pytest.approx(0.64, abs=0.01)
    assert descent.knee_extension_moment[30:].max() / kg == pytest.approx(1.17, abs=0.01)
    assert descent.knee_adduction_moment.max() / kg == pytest.approx(0.42, abs=0.01)
    assert int(ascent.stance.sum()) - 1 == pytest.approx(69.0, abs=3.8)


@pytest.mark.parametrize("name", CYCLIC)
def test_the_hanging_shank_pulls_in_swing(name: str) -> None:
    subject = Subject()
    motion = of(name, subject)
    swing = motion.net_axial_force[80:] / subject.body_weight_n
    assert np.all(swing < -0.03)
    assert swing.min() >= -0.0611
    assert 0.85 < motion.net_axial_force.max() / subject.body_weight_n < 1.4


def test_axial_force_is_the_projection_on_the_tibia() -> None:
    """Naive twin: the vector sum of ground reaction and weight of shank and foot, projected on the line from ankle to knee."""
    subject = Subject()
    random = np.random.default_rng(3)
    up, forward, lean = random.uniform(0.0, 900.0, 50), random.uniform(-150.0, 150.0, 50), random.uniform(-1.0, 1.0, 50)
    twin = [np.dot([fx, fy - 0.061 * subject.body_weight_n], [np.sin(angle), np.cos(angle)]) for fx, fy, angle in zip(forward, up, lean, strict=True)]
    np.testing.assert_allclose(axial_force(up, forward, lean, subject), twin, rtol=1e-12)


def test_two_leg_standing() -> None:
    subject = Subject()
    motion = of("standing", subject)
    assert motion.net_axial_force[0] / subject.body_weight_n == pytest.approx(0.439, abs=0.002)
    assert motion.cycles_per_second == 0.0
    assert np.ptp(motion.knee_extension_moment) == 0.0
    assert abs(motion.knee_extension_moment[0]) < 10e3
    assert motion.ankle_plantarflexion_moment[0] == pytest.approx(0.5 * subject.body_weight_n * 0.026 * 1720.0)  # type: ignore[index]
    neutral = of("standing", Subject(mpta_deg=88.0))  # varus 0
    assert neutral.knee_adduction_moment[0] == pytest.approx(0.0, abs=1e-6)


def test_one_leg_standing_balances_the_moments_of_the_whole_leg() -> None:
    """Free body of the leg below the hip, side view: the moment about the hip of all outer forces equals the hip moment."""
    subject = Subject()
    motion = of("single_leg_standing", subject)
    assert motion.net_axial_force[0] / subject.body_weight_n == pytest.approx(0.935, abs=0.01)
    assert 30e3 < motion.knee_adduction_moment[0] < 50e3
    weight, height = subject.body_weight_n, 1720.0
    lean, thigh_lean = motion.ankle_dorsiflexion[0], motion.ankle_dorsiflexion[0] - motion.knee_flexion[0]
    knee = 0.246 * height * np.sin(lean)
    hip = knee + 0.245 * height * np.sin(thigh_lean)
    shank_mass_x, thigh_mass_x = 0.394 * knee, knee + 0.567 * (hip - knee)
    about_hip = weight * (0.026 * height - hip) - 0.061 * weight * (shank_mass_x - hip) - 0.1 * weight * (thigh_mass_x - hip)
    assert motion.hip_extension_moment[0] == pytest.approx(about_hip, rel=1e-9)  # type: ignore[index]


def test_compression_is_a_load_along_the_axis_of_the_limb() -> None:
    bent = of("compression", Subject(ldfa_deg=90.5), force_n=1500.0)
    shift = 0.245 * 0.246 * 1720.0 * np.sin(4.0 * DEG) / np.sqrt(0.245**2 + 0.246**2 + 2.0 * 0.245 * 0.246 * np.cos(4.0 * DEG))
    np.testing.assert_allclose(bent.knee_adduction_moment, 1500.0 * shift)
    motion = of("compression", Subject(ldfa_deg=86.5), force_n=1500.0, flexion_deg=30.0)
    np.testing.assert_array_equal(motion.net_axial_force, 1500.0)
    np.testing.assert_allclose(motion.knee_flexion, 30.0 * DEG)
    for field in MOMENTS:
        assert not np.any(getattr(motion, field))


def test_motion_is_fast() -> None:
    activity, subject, times = Activity(name="walking"), Subject(), []
    motion_for(activity, subject)
    for _ in range(10):
        start = time.process_time()
        for _ in range(10):
            motion_for(activity, subject)
        times.append((time.process_time() - start) / 10)
    assert min(times) < 0.002


@pytest.mark.parametrize("name", ["hopping", "flying"])
def test_unknown_activity(name: str) -> None:
    with pytest.raises(InputError, match=r"activity.*must be one of walking, standing"):
        Activity(name=name)


@pytest.mark.parametrize("settings", [
    {"name": "walking", "speed_m_s": 0.1}, {"name": "walking", "speed_m_s": 3.0}, {"name": "walking", "speed_m_s": float("nan")},
    {"name": "standing", "speed_m_s": 1.0}, {"name": "recorded"}, {"name": "walking", "file": "a.csv"}, {"name": "compression", "force_n": -1.0},
    {"name": "compression", "flexion_deg": 200.0}, {"name": "squat", "step_width_m": 0.1}, {"name": "walking", "step_width_m": -0.1},
    {"name": "walking", "flexion_z": 5.0}, {"name": "compression", "adduction_moment_z": 1.0}, {"name": "squat", "extension_moment_z": float("nan")},
])
def test_bad_settings(settings: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"\.$"):
        Activity(**settings)  # type: ignore[arg-type]
