"""A real laboratory recording: angles and force plates of one woman; net moments from the ground reaction."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from recordings import storage

from kneeload import Activity, Case, simulate
from kneeload.errors import InputError
from kneeload.motion.motion import Motion
from kneeload.motion.recorded import read_recorded, read_strides
from kneeload.motion.recording import Recording
from kneeload.motion.table_file import read_table
from kneeload.subject.person import Subject

WOMAN = Subject(body_mass_kg=62.2, height_m=1.65, sex="female")
LEFT_IN_RADIANS = ("knee_flex_l", "ankle_flex_l", "subt_angle_l")


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "walking_mri_subject"


@pytest.fixture(scope="module")
def trial(folder: Path) -> Recording:
    return Recording(file=str(folder / "overground_17_ik.mot"), forces_file=str(folder / "overground_17_grf.mot"), model_file=str(folder / "smith2019.osim"),
                     external_loads_file=str(folder / "overground_17_ext_loads.xml"), angle_cutoff_hz=6.0)


@pytest.fixture(scope="module")
def motion(trial: Recording) -> Motion:
    return read_recorded(trial, WOMAN)


def refused(recording: Recording) -> str:
    with pytest.raises(InputError) as caught:
        read_recorded(recording, WOMAN)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rewritten(path: Path, target: Path, change: dict[str, float], rename: dict[str, str] | None = None) -> str:
    """A storage file with columns multiplied and renamed."""
    table = read_table(path)
    columns = {(rename or {}).get(name, name): table.column(name) * change.get(name, 1.0) for name in table.names}
    return str(storage(target, columns, "yes" if table.in_degrees else "no"))


def test_the_walking_woman(motion: Motion) -> None:
    """Plausible for walking (assumed ranges, N m/kg): extension 0.2 to 0.8, calf 1.0 to 1.8. Her adduction moment of 0.62 is above the
    usual 0.2 to 0.5; inverse dynamics of OpenSim gives 0.61 from the same files, so the limit here is 0.7."""
    per_kg = 1e3 * WOMAN.body_mass_kg
    assert 0.2 < motion.knee_extension_moment[5:30].max() / per_kg < 0.8
    assert 0.2 < motion.knee_adduction_moment[:40].max() / per_kg < 0.7
    assert motion.ankle_plantarflexion_moment is not None and motion.hip_abduction_moment is not None and motion.net_anterior_force is not None
    assert 1.0 < motion.ankle_plantarflexion_moment.max() / per_kg < 1.8
    assert 40 < motion.ankle_plantarflexion_moment.argmax() < 58
    assert 0.6 < motion.hip_abduction_moment.max() / per_kg < 1.3
    assert 0.9 < motion.time[-1] < 1.2 and 58 <= motion.stance.sum() <= 68
    assert 1.1 < motion.net_axial_force.max() / WOMAN.body_weight_n < 1.5
    assert motion.net_anterior_force[40:60].min() < -100.0  # the forward-leaning shank is pushed backwards
    assert "smith2019.osim" in motion.source and "6 Hz" in motion.source


def test_the_load_level_of_the_walking_woman(trial: Recording) -> None:
    """Muscles balance every frame without a reserve."""
    activity = Activity(name="recorded", **{item.name: getattr(trial, item.name) for item in fields(Recording)})
    loads = simulate(Case(subject=WOMAN, activity=activity, contact=None)).day["recorded"].loads
    assert not loads.status.any()
    np.testing.assert_allclose(loads.reserve, 0.0, atol=1.0)  # N mm
    assert 2.0 < loads.tibiofemoral_force.max() / WOMAN.body_weight_n < 4.5


def test_the_end_of_the_stride_follows_the_foot(motion: Motion, trial: Recording) -> None:
    """The right foot meets one plate only; its stride lasts as long as the left one, which runs from plate to plate (1.048 s)."""
    assert motion.time[-1] == pytest.approx(1.048, abs=0.02)


def test_without_external_loads_the_plates_are_told_from_the_ankle(motion: Motion, trial: Recording) -> None:
    np.testing.assert_allclose(read_recorded(replace(trial, external_loads_file=None), WOMAN).knee_adduction_moment, motion.knee_adduction_moment)


def test_the_external_loads_name_the_force_file(motion: Motion, trial: Recording) -> None:
    np.testing.assert_allclose(read_recorded(replace(trial, forces_file=None), WOMAN).knee_adduction_moment, motion.knee_adduction_moment)


def test_raw_angles_give_nearly_the_same_loads(motion: Motion, trial: Recording) -> None:
    raw = read_recorded(replace(trial, angle_cutoff_hz=None, start_s=1.2635, end_s=2.31), WOMAN)
    smooth = read_recorded(replace(trial, start_s=1.2635, end_s=2.31), WOMAN)
    assert np.sqrt(np.mean((raw.knee_extension_moment - smooth.knee_extension_moment) ** 2)) < 1500.0
    assert "not filtered" in raw.source and "inertia of angles below 6 Hz" in raw.source


def test_segments_from_height_are_a_coarse_stand_in_for_a_model(motion: Motion, trial: Recording) -> None:
    """Generic segments put the knee some 15 mm elsewhere: 15 N m at 800 N."""
    generic = read_recorded(replace(trial, model_file=None), WOMAN)
    assert "1.65 m" in generic.source
    for name in ("knee_extension_moment", "knee_adduction_moment"):
        assert np.sqrt(np.mean((getattr(generic, name) - getattr(motion, name)) ** 2)) < 20e3
    np.testing.assert_allclose(generic.net_axial_force, motion.net_axial_force, atol=60.0)


def test_columns_in_radians_under_a_header_in_degrees(trial: Recording, tmp_path: Path) -> None:
    """The left knee of this file is in radians although its header says degrees: refused, and read once repaired."""
    assert "radians" in refused(replace(trial, leg="left"))
    repaired = rewritten(Path(trial.file), tmp_path / "ik.mot", dict.fromkeys(LEFT_IN_RADIANS, 180.0 / np.pi))
    strides = read_strides(replace(trial, file=repaired, leg="left"), WOMAN)
    assert len(strides) == 1 and strides[0].time[-1] == pytest.approx(1.048, abs=0.005)
    assert 0.2 < strides[0].knee_adduction_moment[:40].max() / 62.2e3 < 0.7


def test_the_mirrored_trial_is_the_same_left_leg(trial: Recording, tmp_path: Path) -> None:
    """Everything right and left exchanged, with segments from height: the left leg is then the right one."""
    folder = Path(trial.file).parent
    swap = {name: name[:-1] + ("l" if name.endswith("_r") else "r") for name in read_table(trial.file).names if name.endswith(("_r", "_l"))}
    angles = rewritten(Path(trial.file), tmp_path / "ik.mot", {"pelvis_list": -1.0, "pelvis_rot": -1.0, "pelvis_tz": -1.0}, swap)
    signs = {f"ground_{what}": -1.0 for k in (1, 2, 3) for what in (f"force_{k}_vz", f"force_{k}_pz", f"torque_{k}_x", f"torque_{k}_y")}
    forces = rewritten(folder / "overground_17_grf.mot", tmp_path / "grf.mot", signs)
    right = read_recorded(replace(trial, model_file=None, external_loads_file=None), WOMAN)
    left = read_recorded(Recording(file=angles, forces_file=forces, leg="left", angle_cutoff_hz=6.0), WOMAN)
    for name in ("knee_extension_moment", "knee_adduction_moment", "hip_abduction_moment", "knee_rotation_moment", "net_anterior_force", "net_axial_force"):
        np.testing.assert_allclose(getattr(left, name), getattr(right, name), atol=1e-3, err_msg=name)


def test_plates_of_the_wrong_foot(trial: Recording, tmp_path: Path) -> None:
    text = Path(trial.external_loads_file or "").read_text()
    wrong = tmp_path / "loads.xml"
    wrong.write_text(text.replace("calcn_r", "calcn_x").replace("calcn_l", "calcn_r"))
    assert "calcn_x" in refused(replace(trial, external_loads_file=str(wrong)))
    wrong.write_text(text.replace("calcn_r", "calcn_x").replace("calcn_l", "calcn_r").replace("calcn_x", "calcn_l"))
    assert "plate of the other foot" in refused(replace(trial, external_loads_file=str(wrong)))


def test_a_model_of_somebody_else(trial: Recording, tmp_path: Path) -> None:
    other = rewritten(Path(trial.file), tmp_path / "ik.mot", {}, {"knee_flex_r": "knee_angle_r"})
    assert "another model" in refused(replace(trial, file=other))


def test_angles_without_a_pelvis(trial: Recording, tmp_path: Path) -> None:
    without = rewritten(Path(trial.file), tmp_path / "ik.mot", {}, {"pelvis_tx": "somewhere"})
    assert "pelvis_x_m" in refused(replace(trial, file=without, moments="ground_reaction"))
    assert "knee_extension_moment_nm" in refused(replace(trial, file=without)).split("missing:")[1]


def test_agrees_with_inverse_dynamics_of_opensim(motion: Motion, trial: Recording, tmp_path: Path) -> None:
    """Newton and Euler of OpenSim 4.6 on the same files: within 1 N m at knee and ankle, 2 N m at the hip (root mean square over the stride)."""
    opensim = pytest.importorskip("opensim", reason="the extra opensim is not installed")
    import re

    text = re.sub(r"&(?!#?\w+;)", "&amp;", Path(trial.model_file or "").read_text())
    for tag in ("ForceSet", "ContactGeometrySet", "ControllerSet", "ProbeSet", "attached_geometry"):
        text = re.sub(rf"<{tag}.*?</{tag}>", "", text, flags=re.S)
    (tmp_path / "model.osim").write_text(text)
    (tmp_path / "loads.xml").write_text(Path(trial.external_loads_file or "").read_text().replace("overground_17_grf.mot", str(trial.forces_file)))
    tool = opensim.InverseDynamicsTool()
    tool.setModelFileName(str(tmp_path / "model.osim"))
    tool.setCoordinatesFileName(trial.file)
    tool.setExternalLoadsFileName(str(tmp_path / "loads.xml"))
    tool.setLowpassCutoffFrequency(6.0)
    tool.setStartTime(1.2)
    tool.setEndTime(2.36)
    tool.setResultsDir(str(tmp_path))
    tool.setOutputGenForceFileName("moments.sto")
    assert tool.run()
    reference = read_recorded(replace(trial, moments_file=str(tmp_path / "moments.sto"), moments="file"), WOMAN)
    assert "net moments: file" in reference.source
    for name, limit in (("knee_extension_moment", 1.0), ("knee_adduction_moment", 1.0), ("knee_rotation_moment", 0.2), ("ankle_plantarflexion_moment", 0.5),
                        ("hip_extension_moment", 2.0), ("hip_abduction_moment", 2.0)):
        off = np.sqrt(np.mean((getattr(motion, name) - getattr(reference, name)) ** 2)) / 1e3
        assert off < limit, f"{name}: {off:.2f} N m"
    assert motion.knee_adduction_moment.max() == pytest.approx(reference.knee_adduction_moment.max(), rel=0.03)
    assert motion.knee_extension_moment.max() == pytest.approx(reference.knee_extension_moment.max(), rel=0.05)
