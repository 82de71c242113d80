"""Chair rise and squat: Newton and Euler, balance, published peaks."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.motion import rising
from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.motion.rising import RISES, minimum_jerk, rise_loads
from kneeload.subject.person import Subject

G = 9.80665


def test_a_path_of_least_jerk_turns_in_its_knots() -> None:
    """Rest at both ends and while it waits; velocity zero, acceleration and jerk continuous where it turns."""
    knots = ((0, 2), (10, 2), (40, 10), (80, -5), (100, 0))
    percent = np.linspace(0.0, 100.0, 4001)
    path = minimum_jerk(knots, percent)
    speed = np.gradient(path, percent)
    bend = np.gradient(speed, percent)
    jerk = np.gradient(bend, percent)
    at = [int(40 * knot) for knot, _ in knots]
    np.testing.assert_allclose(path[at], [value for _, value in knots], atol=1e-12)
    np.testing.assert_allclose(speed[at], 0.0, atol=1e-3)
    np.testing.assert_allclose(bend[[at[0], at[1], at[-1]]], 0.0, atol=2e-3)
    for turn in at[2:4]:
        assert bend[turn - 4] == pytest.approx(bend[turn + 4], abs=4e-3) and abs(bend[turn]) > 0.02
        assert jerk[turn - 8] == pytest.approx(jerk[turn + 8], abs=2e-3)
    assert minimum_jerk(((0, 0), (80, 8)), np.array([40.0, 90.0])) == pytest.approx([4.0, 8.0])


def test_no_other_path_through_the_knots_has_less_jerk() -> None:
    """Adding any bump that keeps positions and velocities of the knots and the rest at the ends raises the integral of jerk^2."""
    percent = np.linspace(0.0, 100.0, 40001)  # fine, so that the frames cut off at the ends do not count
    path = minimum_jerk(((0, 0), (50, 1), (100, 0)), percent)
    bump = (percent / 100.0) ** 3 * (1.0 - percent / 100.0) ** 3 * (percent / 50.0 - 1.0) ** 2 * 20.0

    def jerk2(values: np.ndarray) -> float:
        return float(np.sum(np.gradient(np.gradient(np.gradient(values, percent), percent), percent)[5:-5] ** 2))

    assert jerk2(path) < min(jerk2(path + scale * bump) for scale in (-1.0, -0.3, 0.3, 1.0))


@pytest.mark.parametrize("name", RISES)
def test_the_feet_stay_below_the_load(name: str) -> None:
    """Centre of pressure between heel and toes whenever the feet carry the body, and weight after the movement."""
    loads = rise_loads(name)
    carried = loads.vertical_force > 0.35 * G
    assert -0.05 < loads.centre_of_pressure[carried].min() < loads.centre_of_pressure[carried].max() < 0.15
    assert loads.vertical_force[-1] == pytest.approx(0.5 * G, rel=0.01)
    assert loads.vertical_force.max() < 0.65 * G


@pytest.mark.parametrize("name", RISES)
def test_a_slow_movement_is_statics(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Naive twin: at 100 s a cycle the knee moment is the weight of everything above the knee times its distance from the knee."""
    import dataclasses

    monkeypatch.setitem(RISES, name, dataclasses.replace(RISES[name], cycle_s=100.0, seat_off=None))
    rise_loads.cache_clear()
    loads = rise_loads(name)
    rise_loads.cache_clear()
    for frame in (10, 45, 60, 90):
        flexion, lean = loads.knee_flexion[frame], loads.ankle_dorsiflexion[frame]
        trunk = (loads.hip_flexion[frame] + lean - flexion) / 0.75
        hip = 0.245 * 1.71 * np.sin(lean - flexion)  # ahead of the knee
        about = 0.339 * G * (hip + 0.626 * 0.288 * 1.71 * np.sin(trunk)) + 0.100 * G * hip * (1.0 - 0.433)
        assert loads.knee_extension_moment[frame] == pytest.approx(-about, abs=2e-3)


def test_joint_moments_do_the_work_of_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fast squat: work of hip, knee and ankle moments = change of potential and kinetic energy of the links (half a body of 1 kg, 1.71 m)."""
    import dataclasses

    monkeypatch.setitem(RISES, "squat", dataclasses.replace(RISES["squat"], cycle_s=1.2))
    rise_loads.cache_clear()
    loads = rise_loads("squat")
    rise_loads.cache_clear()
    time, shank, thigh = np.linspace(0.0, 1.2, 101), loads.ankle_dorsiflexion, loads.ankle_dorsiflexion - loads.knee_flexion
    trunk = (loads.hip_flexion + thigh) / 0.75

    def arm(length: float, lean: np.ndarray) -> np.ndarray:
        return length * 1.71 * np.array([np.sin(lean), np.cos(lean)])

    knee = arm(0.246, shank)
    hip = knee + arm(0.245, thigh)
    links = ((0.0465, 0.302, 0.246, shank, 0.567 * knee), (0.100, 0.323, 0.245, thigh, knee + 0.567 * (hip - knee)),
             (0.339, 0.496, 0.288, trunk, hip + arm(0.626 * 0.288, trunk)))
    energy = np.zeros(101)
    for mass, gyration, length, lean, at in links:
        turning = mass * (gyration * length * 1.71 * np.gradient(lean, time, edge_order=2)) ** 2
        energy += mass * G * at[1] + 0.5 * mass * (np.gradient(at, time, axis=1, edge_order=2) ** 2).sum(axis=0) + 0.5 * turning
    power = -sum(moment * np.gradient(angle, time, edge_order=2) for moment, angle in (
        (loads.hip_extension_moment, trunk - thigh), (loads.knee_extension_moment, loads.knee_flexion), (loads.ankle_plantarflexion_moment, shank)))
    work = np.concatenate([[0.0], np.cumsum(0.5 * (power[1:] + power[:-1]) * np.diff(time))])
    np.testing.assert_allclose(work, energy - energy[0], atol=0.003 * np.ptp(energy))  # differences over 101 samples


def test_a_slow_squat_is_balanced_above_the_middle_of_the_foot(monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    monkeypatch.setitem(RISES, "squat", dataclasses.replace(RISES["squat"], cycle_s=100.0))
    rise_loads.cache_clear()
    np.testing.assert_allclose(rise_loads("squat").centre_of_pressure, 0.030 * 1.71, atol=1e-4)
    rise_loads.cache_clear()


@pytest.mark.parametrize("name", RISES)
def test_taller_people_take_longer_by_the_root_of_height(name: str) -> None:
    """Dynamic similarity: with time growing like this, accelerations are the same and moments grow with mass x height."""
    short, tall = (motion_for(Activity(name=name), Subject(height_m=height)).time[-1] for height in (1.5, 1.9))
    assert tall / short == pytest.approx(np.sqrt(1.9 / 1.5), rel=1e-9)


def test_inertia_matters_in_a_chair_rise() -> None:
    """At self-chosen speed the push-off is above half the weight per foot, so inertia is kept."""
    assert rise_loads("chair_rise").vertical_force.max() > 0.55 * G


def test_peaks_are_published_ones() -> None:
    """Chair rise: hip 0.24-1.92, knee 0.51-1.97 N m/kg (Yoshioka 2007), knee about 0.7-1.1 in healthy adults; the seat relaxes the knee at first."""
    chair, squat = (rise_loads(name) for name in RISES)
    assert 0.7 < chair.knee_extension_moment.max() < 1.1
    assert 28 <= int(chair.knee_extension_moment.argmax()) <= 48  # near seat-off
    assert 0.7 < chair.hip_extension_moment.max() < 1.3
    assert chair.knee_extension_moment[0] == pytest.approx(0.0, abs=1e-9)
    assert chair.vertical_force[0] < 0.2 * G
    assert 0.6 < squat.knee_extension_moment.max() < 1.1
    np.testing.assert_allclose(squat.knee_extension_moment, squat.knee_extension_moment[::-1], atol=1e-6)  # down as up


def test_more_trunk_lean_shifts_load_from_knee_to_hip() -> None:
    """Graber 2023 (PubMed 37001335): the ratio of hip to knee moment grows with the lean of the trunk and falls with that of the shank."""
    for name in RISES:
        less, more = rise_loads(name, -1.0), rise_loads(name, 1.0)
        assert less.knee_extension_moment.max() < more.knee_extension_moment.max()
        assert less.hip_extension_moment[45] > more.hip_extension_moment[45]


@pytest.mark.parametrize("name", RISES)
def test_scores_shift_by_the_stated_spread(name: str) -> None:
    subject = Subject(mpta_deg=84.0)
    mean = motion_for(Activity(name=name), subject)
    more = motion_for(Activity(name=name, extension_moment_z=0.5, adduction_moment_z=2.0), subject)
    less = motion_for(Activity(name=name, extension_moment_z=-0.5), subject)
    np.testing.assert_allclose(np.abs(more.knee_extension_moment - less.knee_extension_moment), mean.knee_extension_moment_sd, rtol=1e-9, atol=1e-6)
    assert more.knee_adduction_moment.max() > mean.knee_adduction_moment.max() > 0.0
    deeper = motion_for(Activity(name=name, flexion_z=1.0), subject)
    np.testing.assert_allclose(deeper.knee_flexion - mean.knee_flexion, mean.knee_flexion_sd, atol=1e-9)


def test_rising_is_remembered() -> None:
    assert rise_loads("squat") is rise_loads("squat")
    assert rising.rise_loads.cache_info().maxsize == 256
