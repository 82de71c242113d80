"""A recorded stride belongs to the recorded person: what changes when that person is lighter, straighter or walks otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kneeload import Case, interventions, simulate
from kneeload.errors import InputError
from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.motion.gait import GaitChange, cane, medial_thrust, trunk_lean
from kneeload.motion.limb import knee_shift_mm
from kneeload.subject.person import Subject

THEN = Subject(body_mass_kg=70.0)
FORCES = ("knee_extension_moment", "knee_adduction_moment", "hip_extension_moment", "ankle_plantarflexion_moment", "net_axial_force", "hip_abduction_moment")


@pytest.fixture
def stride(tmp_path: Path) -> Activity:
    """A made-up stride of THEN with hip and ankle."""
    phase = np.linspace(0.0, 1.0, 101)
    push = np.where(phase < 0.62, np.sin(np.pi * phase / 0.62), 0.0)
    columns = {
        "time_s": 1.1 * phase, "hip_flexion_deg": 10.0 + 20.0 * np.cos(2 * np.pi * phase), "knee_flexion_deg": 20.0 - 10.0 * np.cos(4 * np.pi * phase),
        "ankle_dorsiflexion_deg": 10.0 * np.sin(2 * np.pi * phase), "hip_flexion_moment_nm": -40.0 * np.cos(2 * np.pi * phase),
        "knee_extension_moment_nm": 30.0 * push, "knee_adduction_moment_external_nm": 25.0 * push,
        "ankle_dorsiflexion_moment_nm": -80.0 * push, "knee_axial_net_force_n": 650.0 * push - 0.061 * THEN.body_weight_n,
        "measured_medial_force_n": 900.0 * push,
    }
    rows = np.stack(list(columns.values()), axis=1)
    path = tmp_path / "stride.csv"
    path.write_text("\n".join([",".join(columns), *(",".join(repr(float(value)) for value in row) for row in rows)]) + "\n", encoding="utf-8")
    return Activity(name="recorded", file=str(path))


def test_nothing_changes_for_the_same_person(stride: Activity) -> None:
    plain, same = motion_for(stride, THEN), motion_for(stride, THEN, recorded_as=THEN)
    for field in (*FORCES, "knee_flexion"):
        np.testing.assert_array_equal(getattr(plain, field), getattr(same, field))


def test_a_lighter_person_loads_in_proportion(stride: Activity) -> None:
    then, now = motion_for(stride, THEN), motion_for(stride, replace(THEN, body_mass_kg=56.0), recorded_as=THEN)
    for field in FORCES:
        np.testing.assert_allclose(getattr(now, field), 0.8 * getattr(then, field), rtol=1e-12, atol=1e-6)
    np.testing.assert_array_equal(now.measured["measured_medial_force_n"], then.measured["measured_medial_force_n"])  # type: ignore[index]


def test_another_alignment_moves_the_knee_and_nothing_else(stride: Activity) -> None:
    straighter = replace(THEN, mpta_deg=THEN.mpta_deg + 4.0)
    then, now = motion_for(stride, THEN), motion_for(stride, straighter, recorded_as=THEN)
    moved = knee_shift_mm(straighter.varus_deg, THEN.height_m) - knee_shift_mm(THEN.varus_deg, THEN.height_m)
    np.testing.assert_allclose((now.knee_adduction_moment - then.knee_adduction_moment)[5:60], moved * 650.0 * np.sin(np.pi * np.linspace(0, 1, 101) / 0.62)[5:60], rtol=1e-9)
    assert moved < 0.0
    for field in FORCES:
        if field != "knee_adduction_moment":
            np.testing.assert_allclose(getattr(now, field), getattr(then, field), rtol=1e-12, atol=1e-6)


def test_gait_acts_on_it_as_on_walking(stride: Activity) -> None:
    plain = motion_for(stride, THEN)
    leant, leaning = motion_for(stride, THEN, (trunk_lean(9.7),)), motion_for(stride, THEN, (cane("other", 0.1),))
    thrust = motion_for(stride, THEN, (medial_thrust(12.0, 6.0),))
    force = 650.0 * np.sin(np.pi * 0.30 / 0.62)
    shift = 0.678 * 0.626 * 0.288 * 1720.0 * np.sin(np.radians(9.7))
    assert (leant.knee_adduction_moment - plain.knee_adduction_moment)[30] == pytest.approx(-force * shift * 0.285 / 0.56, rel=1e-6)
    assert (plain.net_axial_force - leaning.net_axial_force).max() == pytest.approx(0.1 * THEN.body_weight_n, rel=1e-2)
    assert leaning.knee_extension_moment[30] / plain.knee_extension_moment[30] == pytest.approx(1.0 - 0.1 * THEN.body_weight_n / force, rel=1e-2)
    assert thrust.knee_extension_moment[30] > plain.knee_extension_moment[30] and thrust.knee_adduction_moment[30] < plain.knee_adduction_moment[30]
    assert thrust.knee_flexion[30] - plain.knee_flexion[30] == pytest.approx(np.radians(6.0))


@pytest.mark.parametrize("field", ["speed_change_pct", "cadence_change_pct", "step_width_change_m"])
def test_what_was_walked_keeps_its_speed(stride: Activity, field: str) -> None:
    with pytest.raises(InputError, match="recording is what it was"):
        motion_for(stride, THEN, (GaitChange(name="other", **{field: 0.1}),))


def test_weight_loss_acts_on_recorded_strides(stride: Activity) -> None:
    case = Case(contact=None, subject=THEN, activity=stride)
    before, after = simulate(case).main, simulate(interventions.weight_loss(case, mass_kg=7.0)).main
    assert after.motion.knee_adduction_moment.max() == pytest.approx(0.9 * before.motion.knee_adduction_moment.max())
    assert after.force("medial").max() == pytest.approx(0.9 * before.force("medial").max(), rel=0.02)


def test_weight_loss_acts_on_the_instrumented_knee(shared_data: Path) -> None:
    subject = Subject(body_mass_kg=64.6, height_m=1.66)
    case = Case(contact=None, subject=subject, activity=Activity(name="recorded", file=str(shared_data / "instrumented_knee_jw" / "jw_walking_1.csv")))
    before, after = simulate(case).main, simulate(interventions.weight_loss(case, mass_kg=10.0)).main
    share = 54.6 / 64.6
    assert after.motion.net_axial_force.max() == pytest.approx(share * before.motion.net_axial_force.max())
    assert after.force("medial").max() == pytest.approx(share * before.force("medial").max(), rel=0.03)
