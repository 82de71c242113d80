"""The fitted curves against the published ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kneeload.motion import fit_waveforms, waveforms
from kneeload.motion.hip_ankle import dimensionless_speed, stair_hip_ankle, walking_cycle_s, walking_hip_ankle
from kneeload.motion.waveforms import CURVES, Curves, stair_curves, walking_curves

CLASSES = {**fit_waveforms.WALKING, **fit_waveforms.STAIRS}
PUBLISHED = {ours: published for ours, published, _ in fit_waveforms.CURVES}
LARGEST_RMS = {"knee_flexion_deg": 1.0, "knee_extension_moment_nm_kg": 0.02, "knee_adduction_moment_nm_kg": 0.02, "vertical_force_bw": 0.03}


def curves_of(name: str) -> Curves:
    if name in fit_waveforms.STAIRS:
        return stair_curves(name)
    return walking_curves(json.loads(waveforms.COEFFICIENTS_FILE.read_text())["classes"][name]["speed_height_per_s"])


@pytest.fixture(scope="module")
def table(shared_data: Path) -> np.ndarray:
    return np.genfromtxt(shared_data / "bovi2011_adult_waveforms.csv", delimiter=",", names=True)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("curve", CURVES)
def test_fit_quality(table: np.ndarray, name: str, curve: str) -> None:
    column = f"{CLASSES[name]}_{PUBLISHED[curve]}"
    error = getattr(curves_of(name), curve) - table[column + "_mean"]
    assert np.sqrt(np.mean(error**2)) < LARGEST_RMS[curve]
    sd_error = getattr(curves_of(name), curve + "_sd") - table[column + "_sd"]
    assert np.sqrt(np.mean(sd_error**2)) < LARGEST_RMS[curve]


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("curve", CURVES)
def test_every_sample_lies_within_one_sd(table: np.ndarray, name: str, curve: str) -> None:
    """Where the published SD is 0 to plotting accuracy (force in swing) the curve may differ by the floor of the fit's weights."""
    column = f"{CLASSES[name]}_{PUBLISHED[curve]}"
    floor = {ours: value for ours, _, value in fit_waveforms.CURVES}[curve]
    error = np.abs(getattr(curves_of(name), curve) - table[column + "_mean"])
    assert np.all(error <= np.maximum(table[column + "_sd"], floor))


def test_committed_coefficients_are_those_of_the_script(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = tmp_path / "coefficients.json"
    monkeypatch.setattr(fit_waveforms, "COEFFICIENTS_FILE", again)
    fit_waveforms.main(str(shared_data / "bovi2011_adult_waveforms.csv"))
    new, old = json.loads(again.read_text()), json.loads(waveforms.COEFFICIENTS_FILE.read_text())
    assert new["source"] == old["source"]
    for name in CLASSES:
        for curve in CURVES:
            np.testing.assert_allclose(new["classes"][name][curve], old["classes"][name][curve], atol=2e-3)  # rounding of another LAPACK


def test_speed_classes_lie_in_their_published_limits() -> None:
    classes = json.loads(waveforms.COEFFICIENTS_FILE.read_text())["classes"]
    limits = {"very_slow": (0.3, 0.6), "slow": (0.6, 0.8), "natural": (0.714, 0.714), "medium": (0.8, 1.0), "fast": (1.0, 1.4)}
    for name, (low, high) in limits.items():
        assert low <= classes[name]["speed_height_per_s"] <= high


def test_a_speed_in_between_lies_between_its_neighbours() -> None:
    slow, middle, fast = (walking_curves(speed).knee_extension_moment_nm_kg for speed in (0.878, 0.99, 1.105))
    assert np.all(middle <= np.maximum(slow, fast) + 0.02)  # coefficients lie in between exactly; where the curves cross, their sum need not
    assert np.all(middle >= np.minimum(slow, fast) - 0.02)


def test_beyond_the_classes_the_curves_go_on_with_the_square_of_the_speed() -> None:
    """Equal steps of speed^2 give equal steps of every curve below the slowest class, and the published class is met without a jump."""
    low, high = waveforms.speed_range()
    squares = np.array([0.13, 0.15, 0.17])
    slowest = [walking_curves(float(np.sqrt(square))).knee_extension_moment_nm_kg for square in squares]
    np.testing.assert_allclose(slowest[1] - slowest[0], slowest[2] - slowest[1], atol=1e-12)
    for edge, step in ((low, -1e-6), (high, 1e-6)):
        np.testing.assert_allclose(walking_curves(edge + step).knee_extension_moment_nm_kg, walking_curves(edge).knee_extension_moment_nm_kg, atol=1e-4)
    np.testing.assert_array_equal(walking_curves(0.3).knee_flexion_deg_sd, walking_curves(low).knee_flexion_deg_sd)


def test_nobody_walks_faster_than_the_change_to_running() -> None:
    np.testing.assert_array_equal(walking_curves(9.0).knee_flexion_deg, walking_curves(waveforms.FASTEST_WALK).knee_flexion_deg)
    assert pytest.approx(2.11, abs=0.01) == waveforms.FASTEST_WALK * 1.71  # m/s: people start to run near 2 m/s


def test_spline_basis_is_a_partition_of_unity() -> None:
    basis = waveforms.spline_basis(20, 1.2)
    assert basis.shape == (101, 20)
    np.testing.assert_allclose(basis.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize(("name", "largest"), [("walking", 3.0), ("stair_ascent", 6.0), ("stair_descent", 6.0)])
def test_foot_flat_geometry(name: str, largest: float) -> None:
    """With the foot flat (12 to 30 % of the cycle) the lean of the shank equals ankle dorsiflexion."""
    knee = walking_curves(0.714) if name == "walking" else stair_curves(name)
    curves = walking_hip_ankle(0.714) if name == "walking" else stair_hip_ankle(name)
    lean = knee.knee_flexion_deg - curves.hip_flexion_deg + 7.0
    assert np.abs(lean - curves.ankle_dorsiflexion_deg)[12:31].max() < largest


def test_ankle_and_hip_peaks_are_those_of_adults() -> None:
    """Ankle of the adults of Bovi 2011: 1.25, 1.32, 1.33 N m/kg (see `hip_ankle`); Winter 1991: hip extensors 0.6 to 0.9 early, flexors about -0.7."""
    for speed, peak in ((0.456, 1.25), (0.666, 1.32), (0.714, 1.33)):
        assert walking_hip_ankle(speed).ankle_plantarflexion_moment_nm_kg.max() == pytest.approx(peak, abs=0.02)
    walking = walking_hip_ankle(0.714)
    assert 44 <= int(walking.ankle_plantarflexion_moment_nm_kg.argmax()) <= 50
    assert 0.5 < walking.hip_extension_moment_nm_kg[:30].max() < 0.95
    assert -0.9 < walking.hip_extension_moment_nm_kg.min() < -0.5
    assert walking.fore_aft_force_bw[:30].min() < -0.1 < 0.1 < walking.fore_aft_force_bw[30:].max()


def test_speed_raises_hip_moment_and_fore_aft_force() -> None:
    curves = [walking_hip_ankle(speed) for speed in (0.5, 0.65, 0.8, 0.95, 1.1)]
    assert np.all(np.diff([curve.hip_extension_moment_nm_kg[:30].max() for curve in curves]) > 0.0)
    assert np.all(np.diff([curve.fore_aft_force_bw.min() for curve in curves]) < 0.0)


def test_hip_ankle_peaks_of_the_published_groups() -> None:
    """Peaks of the group means of the supplement of Schwartz 2008 (free speed), before they are carried to adult height."""
    curves = walking_hip_ankle(0.4294 * np.sqrt(9.80665 * 0.53 * 1.71) / 1.71)
    assert curves.ankle_plantarflexion_moment_nm_kg[48] / 1.10 == pytest.approx(1.226, abs=0.02)
    assert curves.hip_extension_moment_nm_kg[48] * 1.42 / 1.71 == pytest.approx(-0.580, abs=0.03)
    assert curves.hip_flexion_deg[0] - 7.0 == pytest.approx(35.83 - 12.19, abs=0.1)
    assert curves.ankle_dorsiflexion_deg[64] == pytest.approx(-19.8, abs=0.8)


def test_stride_duration() -> None:
    """Dimensionless cadence of the five groups of Schwartz 2008; adults walk about 1.1 s a stride at natural speed."""
    height = 1.72
    unit = float(np.sqrt(9.80665 * 0.53 * height))
    for speed, cadence in ((0.1721, 0.337), (0.2902, 0.455), (0.4294, 0.565), (0.5599, 0.662), (0.6938, 0.758)):
        assert dimensionless_speed(speed * unit, height) == pytest.approx(speed)
        assert 2.0 * 0.53 * height / unit / walking_cycle_s(speed * unit, height) == pytest.approx(cadence, rel=0.02)
    assert walking_cycle_s(0.714 * height, height) == pytest.approx(1.1, abs=0.03)


@pytest.mark.parametrize(("speed", "largest"), [(0.5, 0.2), (0.714, 0.25), (0.9, 0.28), (1.1, 0.32)])
def test_knee_and_ankle_sources_agree_through_statics(speed: float, largest: float) -> None:
    """Knee moment (Bovi 2011) from ankle moment, shank and fore-aft force (Schwartz 2008) and vertical force (Bovi 2011): two groups of people.

    Shank as a free body without mass: extension moment = Fy x_knee - Fx y_knee - ankle moment, knee against ankle. RMS over stance, N m/kg.
    """
    knee, others = walking_curves(speed), walking_hip_ankle(speed)
    lean = np.radians(knee.knee_flexion_deg - others.hip_flexion_deg + 7.0)
    up, forward = 9.80665 * knee.vertical_force_bw, 9.80665 * others.fore_aft_force_bw
    shank = 0.246 * 1.71
    estimate = shank * (np.sin(lean) * up - np.cos(lean) * forward) - others.ankle_plantarflexion_moment_nm_kg
    error = (estimate - knee.knee_extension_moment_nm_kg)[knee.stance]
    assert np.sqrt(np.mean(error**2)) < largest


def test_stair_ankle_moment_is_within_reach_of_the_forefoot() -> None:
    """The ground reaction stays under the foot: at most 0.16 m ahead of the ankle at the mean height of the source (foot length 0.152 height)."""
    for name, peak in (("stair_ascent", 1.38), ("stair_descent", 1.1)):
        moment, force = stair_hip_ankle(name).ankle_plantarflexion_moment_nm_kg, 9.80665 * stair_curves(name).vertical_force_bw
        assert moment.max() == pytest.approx(peak, abs=0.02)
        assert np.all(moment[3:68] <= 0.16 * force[3:68])
