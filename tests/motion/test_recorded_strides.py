"""OpenSim pairs, several strides, either leg, any rate: what goes in comes out; and every way in which files do not fit together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import DETECTED_S, FIRST_STRIKE_S, STRIDE_S, angles_file, forces_file, loads, moments_file, storage

from kneeload.errors import InputError
from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.motion.recorded import mean_stride, read_recorded, read_strides
from kneeload.motion.recording import Recording
from kneeload.motion.strides import Curve, strikes
from kneeload.subject.person import Subject
from kneeload.units import DEG

SUBJECT = Subject(body_mass_kg=65.0)


def pair(folder: Path, side: str = "r", **keys: object) -> Recording:
    """Angles at 100, moments at 200, forces at 1000 samples per second."""
    return Recording(file=str(angles_file(folder / "angles.mot", side=side)), moments_file=str(moments_file(folder / "moments.sto", side=side)),
                     forces_file=str(forces_file(folder / "forces.mot", side=side)), leg={"r": "right", "l": "left"}[side], **keys)  # type: ignore[arg-type]


def refused(recording: Recording) -> str:
    with pytest.raises(InputError) as caught:
        read_recorded(recording, SUBJECT)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("side", ["r", "l"])
def test_opensim_pair_with_strides_round_trip(tmp_path: Path, side: str) -> None:
    strides = read_strides(pair(tmp_path, side), SUBJECT)
    assert len(strides) == 3
    for number, motion in enumerate(strides):
        curves = loads(FIRST_STRIKE_S + DETECTED_S + number * STRIDE_S + np.linspace(0.0, STRIDE_S, 101))
        np.testing.assert_allclose(motion.time[-1], STRIDE_S, atol=1e-4)
        np.testing.assert_allclose(motion.knee_flexion / DEG, curves["knee_flexion_deg"], atol=0.05)
        np.testing.assert_allclose(motion.knee_extension_moment / 1e3, curves["knee_extension_moment_nm"], atol=0.05)
        np.testing.assert_allclose(motion.knee_adduction_moment / 1e3, curves["knee_adduction_moment_external_nm"], atol=0.05)
        assert motion.hip_extension_moment is not None and motion.ankle_plantarflexion_moment is not None
        np.testing.assert_allclose(motion.hip_extension_moment / 1e3, -curves["hip_flexion_moment_nm"], atol=0.05)
        np.testing.assert_allclose(motion.ankle_plantarflexion_moment / 1e3, -curves["ankle_dorsiflexion_moment_nm"], atol=0.1)
        assert 60 <= motion.stance.sum() <= 63


def test_given_times_are_exact(tmp_path: Path) -> None:
    """Without the delay of stride detection a stride comes back to a few thousandths."""
    start = FIRST_STRIKE_S + STRIDE_S
    motion = read_recorded(pair(tmp_path, start_s=start, end_s=start + STRIDE_S), SUBJECT)
    curves = loads(start + np.linspace(0.0, STRIDE_S, 101))
    np.testing.assert_allclose(motion.knee_flexion / DEG, curves["knee_flexion_deg"], atol=0.02)
    np.testing.assert_allclose(motion.knee_extension_moment / 1e3, curves["knee_extension_moment_nm"], atol=0.02)
    np.testing.assert_allclose(motion.net_axial_force, curves["vertical_ground_reaction_n"] - 0.061 * SUBJECT.body_weight_n, atol=2.0)


def test_which_stride(tmp_path: Path) -> None:
    strides = read_strides(pair(tmp_path), SUBJECT)
    for number in (1, 3):
        np.testing.assert_array_equal(read_recorded(pair(tmp_path, stride=number), SUBJECT).knee_flexion, strides[number - 1].knee_flexion)
    assert "stride 2 of 3" in strides[1].source
    assert "1 to 3" in refused(pair(tmp_path, stride=4))


def test_the_mean_and_its_spread(tmp_path: Path) -> None:
    mean = read_recorded(pair(tmp_path, stride="mean"), SUBJECT)
    strides = read_strides(pair(tmp_path), SUBJECT)
    np.testing.assert_allclose(mean.knee_adduction_moment, np.mean([stride.knee_adduction_moment for stride in strides], axis=0))
    assert mean.knee_adduction_moment_sd is not None and mean.knee_flexion_sd is not None
    np.testing.assert_allclose(mean.knee_adduction_moment_sd, np.std([stride.knee_adduction_moment for stride in strides], axis=0, ddof=1), atol=1e-9)
    assert mean.knee_flexion_sd.max() < 0.2 * DEG  # the made-up strides are the same
    assert "mean of 3 strides" in mean.source
    assert mean_stride(strides[:1]) is strides[0]


def test_spread_of_strides_that_differ(tmp_path: Path) -> None:
    first, *_ = read_strides(pair(tmp_path), SUBJECT)
    mean = mean_stride([replace(first, knee_flexion=np.full(101, bend)) for bend in (0.1, 0.2, 0.6)])
    np.testing.assert_allclose(mean.knee_flexion, 0.3)
    assert mean.knee_flexion_sd is not None
    np.testing.assert_allclose(mean.knee_flexion_sd, np.sqrt((0.2**2 + 0.1**2 + 0.3**2) / 2.0))


def test_too_few_samples_in_a_stride(tmp_path: Path) -> None:
    time = np.arange(0.0, 4.4, 0.15)
    slow = storage(tmp_path / "a.mot", {"time": time, "knee_angle_r": loads(time)["knee_flexion_deg"]}, "yes")
    assert "at least 10" in refused(replace(pair(tmp_path), file=str(slow)))


@settings(max_examples=12, deadline=None)
@given(rate=st.floats(60.0, 400.0), shift=st.floats(-1.0, 1.0))
def test_any_sampling_rate(tmp_path_factory: pytest.TempPathFactory, rate: float, shift: float) -> None:
    folder = tmp_path_factory.mktemp("rate")
    start = FIRST_STRIKE_S + STRIDE_S + 0.3 * shift
    recording = Recording(file=str(angles_file(folder / "a.mot", rate=rate)), moments_file=str(moments_file(folder / "m.sto", rate=rate * 1.7)),
                          forces_file=str(forces_file(folder / "f.mot")), start_s=start, end_s=start + STRIDE_S)
    motion = read_recorded(recording, SUBJECT)
    curves = loads(start + np.linspace(0.0, STRIDE_S, 101))
    np.testing.assert_allclose(motion.knee_flexion / DEG, curves["knee_flexion_deg"], atol=0.15)
    np.testing.assert_allclose(motion.knee_extension_moment / 1e3, curves["knee_extension_moment_nm"], atol=0.3)


def test_the_side_follows_the_person_or_the_key(tmp_path: Path) -> None:
    recording = pair(tmp_path, "l")
    left_person = Subject(body_mass_kg=65.0, side="left")
    np.testing.assert_array_equal(read_recorded(replace(recording, leg=None), left_person).knee_flexion, read_recorded(recording, SUBJECT).knee_flexion)
    assert "left leg" in read_recorded(recording, SUBJECT).source
    assert "knee_flexion_deg" in refused(replace(recording, leg="right")).split("missing:")[1]


def test_a_mapped_sign_turns_the_moment_too(tmp_path: Path) -> None:
    """Models whose knee angle is negative in flexion have moments along that angle."""
    time = np.arange(0.0, 4.0, 0.01)
    curves = loads(time)
    angles = storage(tmp_path / "a.mot", {"time": time, "knee_angle_r": -curves["knee_flexion_deg"]}, "yes")
    moments = storage(tmp_path / "m.sto", {"time": time, "knee_angle_r_moment": curves["knee_extension_moment_nm"], "kam": curves["knee_adduction_moment_external_nm"]}, "no")
    recording = Recording(file=str(angles), moments_file=str(moments), forces_file=str(forces_file(tmp_path / "f.mot")), stride=2,
                          columns={"knee_flexion_deg": "-knee_angle_r", "knee_adduction_moment_external_nm": "kam"})
    motion = read_recorded(recording, SUBJECT)
    np.testing.assert_allclose(motion.knee_extension_moment / 1e3, loads(FIRST_STRIKE_S + STRIDE_S + motion.time)["knee_extension_moment_nm"], atol=2.5)
    assert "opposite sign" in refused(Recording(file=str(angles), moments_file=str(moments), forces_file=recording.forces_file,
                                                columns={"knee_adduction_moment_external_nm": "kam"}))


def test_one_file_with_several_strides(tmp_path: Path) -> None:
    time = np.arange(0.0, 4.0, 0.008)
    path = tmp_path / "all.csv"
    columns = {"time_s": time} | loads(time)
    path.write_text("\n".join([",".join(columns), *(",".join(repr(float(value)) for value in row) for row in np.stack(list(columns.values()), axis=1))]))
    strides = read_strides(Recording(file=str(path)), SUBJECT)
    assert len(strides) == 3
    np.testing.assert_allclose(strides[2].knee_adduction_moment / 1e3, loads(FIRST_STRIKE_S + np.linspace(0, STRIDE_S, 101))["knee_adduction_moment_external_nm"], atol=1.0)


def test_the_filter_is_applied_and_stated(tmp_path: Path) -> None:
    rough = Recording(file=str(angles_file(tmp_path / "a.mot", rate=200.0, noise_deg=2.0)), moments_file=str(moments_file(tmp_path / "m.sto")),
                      forces_file=str(forces_file(tmp_path / "f.mot")), stride=2)
    smooth = replace(rough, angle_cutoff_hz=6.0)
    clean = read_recorded(pair(tmp_path, stride=2), SUBJECT).knee_flexion
    off = [np.sqrt(np.mean((read_recorded(recording, SUBJECT).knee_flexion - clean) ** 2)) / DEG for recording in (rough, smooth)]
    assert off[0] > 1.2 and off[1] < 0.35
    assert "not filtered" in read_recorded(rough, SUBJECT).source
    source = read_recorded(smooth, SUBJECT).source
    assert "angles low-pass 6 Hz" in source and "Butterworth, zero phase" in source
    assert "activity.force_cutoff_hz" in refused(replace(rough, force_cutoff_hz=90.0))


def test_strikes_ignore_noise_and_short_touches() -> None:
    time = np.linspace(0.0, 3.0, 3001)
    force = loads(time)["vertical_ground_reaction_n"]
    clean = strikes(Curve(time=time, values=force), SUBJECT.body_weight_n)
    np.testing.assert_allclose(clean, FIRST_STRIKE_S + STRIDE_S * np.arange(3), atol=0.008)
    disturbed = force.copy()
    disturbed[(time > 0.28) & (time < 0.30)] = 45.0  # a scuff in swing
    disturbed[(time > 0.60) & (time < 0.61)] = 0.0  # a break within contact
    np.testing.assert_allclose(strikes(Curve(time=time, values=disturbed), SUBJECT.body_weight_n), clean)


def test_files_without_common_time(tmp_path: Path) -> None:
    late = moments_file(tmp_path / "late.sto", start_s=20.0, end_s=24.0)
    sentence = refused(Recording(file=str(angles_file(tmp_path / "a.mot")), moments_file=str(late), forces_file=str(forces_file(tmp_path / "f.mot"))))
    assert "overlapping" in sentence and "20" in sentence


def test_no_stride_in_the_file(tmp_path: Path) -> None:
    sentence = refused(Recording(file=str(angles_file(tmp_path / "a.mot", end_s=1.0)), moments_file=str(moments_file(tmp_path / "m.sto", end_s=1.0)),
                                 forces_file=str(forces_file(tmp_path / "f.mot", end_s=1.0))))
    assert "no stride was found" in sentence and "1 heel strikes" in sentence


def test_times_outside_the_files(tmp_path: Path) -> None:
    assert "0.05 to 4.4" in refused(pair(tmp_path, start_s=3.0, end_s=9.0))


def test_a_gap_is_named(tmp_path: Path) -> None:
    time = np.delete(np.arange(0.0, 4.0, 0.01), slice(150, 190))
    columns = {"time": time, "knee_angle_r": loads(time)["knee_flexion_deg"]}
    recording = Recording(file=str(storage(tmp_path / "a.mot", columns, "yes")), moments_file=str(moments_file(tmp_path / "m.sto")), forces_file=str(forces_file(tmp_path / "f.mot")))
    sentence = refused(recording)
    assert "gap" in sentence and "0.41 s" in sentence and "1.49 s" in sentence


def test_a_leg_that_no_plate_carries(tmp_path: Path) -> None:
    recording = Recording(file=str(angles_file(tmp_path / "a.mot")), moments_file=str(moments_file(tmp_path / "m.sto")), forces_file=str(forces_file(tmp_path / "f.mot", side="l")))
    assert "ground reaction of the right foot" in refused(recording)


def test_a_window_between_steps_on_plates(tmp_path: Path) -> None:
    start = FIRST_STRIKE_S + 0.75 * STRIDE_S
    assert "did not step on a plate" in refused(pair(tmp_path, start_s=start, end_s=start + 0.25))


@pytest.mark.parametrize(("keys", "where"), [
    ({"leg": "both"}, "activity.leg"), ({"moments": "guess"}, "activity.moments"), ({"angle_cutoff_hz": 0.1}, "activity.angle_cutoff_hz"),
    ({"stride": 0}, "activity.stride"), ({"stride": "all"}, "activity.stride"), ({"stride": 1, "start_s": 1.0}, "activity.stride"),
    ({"start_s": 1.0, "end_s": 1.1}, "activity.end_s"), ({"start_s": float("nan")}, "activity.start_s"),
])
def test_settings_out_of_range(keys: dict[str, object], where: str) -> None:
    with pytest.raises(InputError, match=where.replace(".", r"\.")):
        Activity(name="recorded", file="a.mot", **keys)  # type: ignore[arg-type]


def test_settings_belong_to_a_recording() -> None:
    with pytest.raises(InputError, match=r"activity\.leg"):
        Activity(name="walking", leg="left")


def test_missing_moments_are_named(tmp_path: Path) -> None:
    recording = Recording(file=str(angles_file(tmp_path / "a.mot")), forces_file=str(forces_file(tmp_path / "f.mot")))
    assert "knee_adduction_moment_external_nm" in refused(recording).split("missing:")[1]


def test_the_instrumented_knee_hands_on_its_rotation_moment(shared_data: Path) -> None:
    path = shared_data / "instrumented_knee_jw" / "jw_walking_1.csv"
    motion = motion_for(Activity(name="recorded", file=str(path)), SUBJECT)
    assert motion.knee_rotation_moment is not None
    np.testing.assert_allclose(motion.knee_rotation_moment, -1e3 * np.genfromtxt(path, delimiter=",", names=True)["knee_rotation_moment_nm"])
