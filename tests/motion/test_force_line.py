"""One ground reaction for ankle, knee and hip: statics, centre of pressure, peaks of stairs."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.motion.force_line import STAIRS, WALKING, centre_of_pressure_m, imbalance, one_force_line
from kneeload.motion.hip_ankle import HipAnkle, stair_hip_ankle, walking_hip_ankle
from kneeload.motion.waveforms import Curves, stair_curves, walking_curves
from kneeload.subject.person import Subject

CASES = [("walking", 0.456), ("walking", 0.714), ("walking", 0.878), ("walking", 1.105), ("stair_ascent", 0.0), ("stair_descent", 0.0)]
G = 9.80665


def curves_of(name: str, speed: float) -> tuple[Curves, HipAnkle, HipAnkle]:
    """Knee, first estimate of hip and ankle, and the estimate on one force line."""
    knee = walking_curves(speed) if name == "walking" else stair_curves(name)
    first = walking_hip_ankle(speed) if name == "walking" else stair_hip_ankle(name)
    spread = WALKING if name == "walking" else STAIRS
    return knee, first, one_force_line(knee.knee_flexion_deg, knee.knee_extension_moment_nm_kg, knee.vertical_force_bw, first, spread)


def static_moments(flexion: float, lean: float, up: float, forward: float, pressure: float) -> tuple[float, float, float]:
    """Ankle, knee and hip moment of a force at the sole and of the hanging segments, by moments about points in the plane (1 kg, 1.71 m)."""
    ankle = np.array([0.0, 0.0])
    knee = 0.246 * 1.71 * np.array([np.sin(lean), np.cos(lean)])
    hip = knee + 0.245 * 1.71 * np.array([np.sin(lean - flexion), np.cos(lean - flexion)])
    sole = np.array([pressure, -0.039 * 1.71])
    forces = [(sole, np.array([forward, up]), 2), (knee + 0.606 * (ankle - knee), np.array([0.0, -0.061 * G]), 1),
              (hip + 0.433 * (knee - hip), np.array([0.0, -0.100 * G]), 0)]

    def about(point: np.ndarray, level: int) -> float:
        return float(sum((at - point)[0] * force[1] - (at - point)[1] * force[0] for at, force, where in forces if where >= level))

    return about(ankle, 2), -about(knee, 1), about(hip, 0)


def test_a_leg_in_static_balance_is_left_alone() -> None:
    """Naive twin: moments taken about points in the plane satisfy both equations, so nothing is moved."""
    random = np.random.default_rng(5)
    flexion, lean = random.uniform(0.0, 1.5, 20), random.uniform(-0.4, 0.7, 20)
    up, forward, pressure = random.uniform(0.5, 1.3, 20) * G, random.uniform(-0.2, 0.2, 20) * G, random.uniform(-0.05, 0.15, 20)
    ankle, knee, hip = np.array([static_moments(*row) for row in zip(flexion, lean, up, forward, pressure, strict=True)]).T
    others = HipAnkle(hip_flexion_deg=np.degrees(flexion - lean) + 7.0, ankle_dorsiflexion_deg=np.zeros(20), hip_extension_moment_nm_kg=hip,
                      ankle_plantarflexion_moment_nm_kg=ankle, fore_aft_force_bw=forward / G, source="")
    for left in imbalance(np.degrees(flexion), knee, up / G, others):
        np.testing.assert_allclose(left, 0.0, atol=1e-12)
    np.testing.assert_allclose(centre_of_pressure_m(up / G, others), pressure, atol=1e-12)
    moved = one_force_line(np.degrees(flexion), knee, up / G, others, STAIRS)
    np.testing.assert_allclose(moved.ankle_plantarflexion_moment_nm_kg, ankle, atol=1e-12)
    np.testing.assert_allclose(moved.hip_extension_moment_nm_kg, hip, atol=1e-12)


@pytest.mark.parametrize(("name", "speed"), CASES)
def test_hip_knee_and_ankle_share_one_ground_reaction(name: str, speed: float) -> None:
    """RMS where the foot carries 0.3 body weights and more, N m/kg; the hip's rest is the inertia of the swinging thigh (more at speed)."""
    knee, first, others = curves_of(name, speed)
    loaded = knee.vertical_force_bw > 0.3
    before, after = ([np.sqrt(np.mean(left[loaded] ** 2)) for left in imbalance(
        knee.knee_flexion_deg, knee.knee_extension_moment_nm_kg, knee.vertical_force_bw, which)] for which in (first, others))
    assert after[0] < 0.04 and after[0] < 0.3 * before[0]
    assert after[1] < 0.2 and after[1] < 0.7 * before[1]


@pytest.mark.parametrize(("name", "speed"), CASES)
def test_the_ground_reaction_passes_below_the_foot(name: str, speed: float) -> None:
    """Heel 50 mm behind and toes 150 mm ahead of the ankle; on stairs not behind it; what is pushed back is pushed forward again."""
    knee, _, others = curves_of(name, speed)
    where = centre_of_pressure_m(knee.vertical_force_bw, others)[knee.vertical_force_bw > 0.3]
    assert (-0.05 if name == "walking" else 0.0) < where.min() and where.max() < 0.15
    assert abs(others.fore_aft_force_bw.mean()) < 0.015


def test_peaks_on_stairs_are_published_ones() -> None:
    """Ankle and hip, N m/kg. Regression lines of the adults of Bovi 2011 (see `hip_ankle`): ascent 0.89 + 1.73 x angle at push-off, so 1.2 at
    10 degrees; descent about 1.0 in early stance. Hip of ascent 0.5 to 0.9; Beaulieu 2008 (Gait Posture 27:564): hip small in descent."""
    up, down = (curves_of(name, 0.0)[2] for name in ("stair_ascent", "stair_descent"))
    assert 1.1 < up.ankle_plantarflexion_moment_nm_kg[40:].max() < 1.4
    assert 0.9 < down.ankle_plantarflexion_moment_nm_kg[:30].max() < 1.3
    assert 0.5 < up.hip_extension_moment_nm_kg.max() < 0.95
    assert np.abs(down.hip_extension_moment_nm_kg).max() < 0.4
    assert down.fore_aft_force_bw[10:30].max() < 0.0 < down.fore_aft_force_bw[50:62].min()  # first held back, then pushed on


def test_the_estimate_moves_what_is_least_known() -> None:
    """Ten times less certain ankle: it takes more of the change, the hip less."""
    knee, first, _ = curves_of("stair_descent", 0.0)
    from dataclasses import replace

    data = knee.knee_flexion_deg, knee.knee_extension_moment_nm_kg, knee.vertical_force_bw, first
    even, loose = (one_force_line(*data, replace(STAIRS, ankle_nm_kg=sd)) for sd in (0.05, 0.5))
    frames = slice(10, 30)
    shift = [np.abs(which.ankle_plantarflexion_moment_nm_kg - first.ankle_plantarflexion_moment_nm_kg)[frames].mean() for which in (even, loose)]
    assert shift[1] > 2.0 * shift[0]


def test_a_person_with_more_extension_moment_stays_on_one_force_line() -> None:
    """The score moves the knee; ankle, hip, force and lean follow."""
    subject = Subject(body_mass_kg=1.0 * 68.5, height_m=1.71)
    mean, strong = (motion_for(Activity(name="stair_ascent", extension_moment_z=z), subject) for z in (0.0, 1.0))
    assert strong.ankle_plantarflexion_moment is not None and mean.ankle_plantarflexion_moment is not None
    frame = int(mean.knee_extension_moment.argmax())
    assert strong.knee_extension_moment[frame] > mean.knee_extension_moment[frame]
    assert strong.ankle_plantarflexion_moment[frame] < mean.ankle_plantarflexion_moment[frame]
