"""Recorded motion from CSV, .mot and .sto, and every way in which a file can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kneeload.errors import InputError
from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.motion.gait import toe_in
from kneeload.motion.recorded import read_recorded
from kneeload.subject.person import Subject
from kneeload.units import DEG

SUBJECT = Subject(body_mass_kg=65.0)


def stride(rows: int = 101) -> dict[str, np.ndarray]:
    """A made-up stride in our columns."""
    phase = np.linspace(0.0, 1.0, rows)
    push = np.where(phase < 0.62, np.sin(np.pi * phase / 0.62), 0.0)
    return {
        "time_s": 1.1 * phase, "hip_flexion_deg": 10.0 + 20.0 * np.cos(2 * np.pi * phase), "knee_flexion_deg": 30.0 - 28.0 * np.cos(4 * np.pi * phase) * phase,
        "ankle_dorsiflexion_deg": 10.0 * np.sin(2 * np.pi * phase), "hip_flexion_moment_nm": -40.0 * np.cos(2 * np.pi * phase),
        "knee_extension_moment_nm": 30.0 * np.sin(6.0 * phase), "knee_adduction_moment_external_nm": 25.0 * push,
        "ankle_dorsiflexion_moment_nm": -80.0 * push, "knee_axial_net_force_n": 600.0 * push - 39.0, "measured_medial_force_n": 900.0 * push + 50.0,
    }


def write_csv(path: Path, columns: dict[str, np.ndarray], separator: str = ",") -> Path:
    rows = np.stack(list(columns.values()), axis=1)
    lines = [separator.join(columns), *(separator.join(repr(float(value)) for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_storage(path: Path, columns: dict[str, np.ndarray], in_degrees: str = "yes") -> Path:
    rows = np.stack(list(columns.values()), axis=1)
    head = [path.stem, "version=1", f"nRows={len(rows)}", f"nColumns={len(columns)}", f"inDegrees={in_degrees}", "", "endheader", "\t".join(columns)]
    path.write_text("\n".join([*head, *("\t ".join(repr(float(value)) for value in row) for row in rows)]) + "\n", encoding="utf-8")
    return path


def refused(path: Path, columns: dict[str, str] | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read_recorded(path, SUBJECT, columns)
    sentence = str(caught.value)
    assert path.name in sentence or "activity.columns" in sentence
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("trial", [1, 2, 3, 4])
def test_instrumented_knee_is_read_as_it_is(shared_data: Path, trial: int) -> None:
    path = shared_data / "instrumented_knee_jw" / f"jw_walking_{trial}.csv"
    table = np.genfromtxt(path, delimiter=",", names=True)
    motion = motion_for(Activity(name="recorded", file=str(path)), SUBJECT)
    np.testing.assert_allclose(motion.knee_flexion, table["knee_flexion_deg"] * DEG, rtol=1e-12)
    np.testing.assert_allclose(motion.knee_adduction_moment, table["knee_adduction_moment_external_nm"] * 1e3, rtol=1e-12)
    np.testing.assert_allclose(motion.net_axial_force, table["knee_axial_net_force_n"])
    assert motion.measured is not None
    assert set(motion.measured) == {"measured_medial_force_n", "measured_lateral_force_n"}
    np.testing.assert_allclose(motion.measured["measured_medial_force_n"], table["measured_medial_force_n"])
    assert 60 <= motion.stance.sum() <= 65
    assert motion.cycles_per_second == pytest.approx(1.0 / table["time_s"][-1])
    # signs: hip extensors early in stance, hip flexors late; calf late
    assert motion.hip_extension_moment is not None and motion.ankle_plantarflexion_moment is not None
    assert motion.hip_extension_moment[10] > 20e3 > 0.0 > motion.hip_extension_moment[52]
    assert motion.ankle_plantarflexion_moment[48] > 60e3


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_separators(tmp_path: Path, separator: str) -> None:
    motion = read_recorded(write_csv(tmp_path / "stride.csv", stride(), separator), SUBJECT)
    np.testing.assert_allclose(motion.knee_extension_moment, stride()["knee_extension_moment_nm"] * 1e3)


def test_other_sampling_gives_the_same_motion(tmp_path: Path) -> None:
    coarse, fine = (read_recorded(write_csv(tmp_path / f"{rows}.csv", stride(rows)), SUBJECT) for rows in (101, 437))
    np.testing.assert_allclose(coarse.knee_flexion, fine.knee_flexion, atol=1e-3)
    np.testing.assert_allclose(coarse.time, fine.time, atol=1e-12)


def test_storage_round_trip_with_mapping_sign_and_radians(tmp_path: Path) -> None:
    ours = stride()
    theirs = {
        "time": ours["time_s"] + 3.5, "knee_angle_r": -ours["knee_flexion_deg"] * DEG, "knee_angle_r_moment": -ours["knee_extension_moment_nm"],
        "knee_adduction_r_moment": ours["knee_adduction_moment_external_nm"], "fy": ours["knee_axial_net_force_n"],
    }
    columns = {"knee_flexion_deg": "-knee_angle_r", "knee_extension_moment_nm": "-knee_angle_r_moment",
               "knee_adduction_moment_external_nm": "knee_adduction_r_moment", "knee_axial_net_force_n": "fy"}
    motion = read_recorded(write_storage(tmp_path / "stride.sto", theirs, in_degrees="no"), SUBJECT, columns)
    np.testing.assert_allclose(motion.knee_flexion, ours["knee_flexion_deg"] * DEG, atol=1e-12)
    np.testing.assert_allclose(motion.knee_extension_moment, ours["knee_extension_moment_nm"] * 1e3, atol=1e-6)
    assert motion.time[0] == 0.0
    assert motion.hip_extension_moment is None and motion.ankle_plantarflexion_moment is None and motion.measured is None
    assert not np.any(motion.hip_flexion)


def test_mot_in_degrees_with_our_names(tmp_path: Path) -> None:
    motion = read_recorded(write_storage(tmp_path / "stride.mot", stride()), SUBJECT)
    np.testing.assert_allclose(motion.knee_flexion, stride()["knee_flexion_deg"] * DEG, rtol=1e-12)
    assert motion.measured is not None


def test_a_real_opensim_file_is_read(shared_data: Path) -> None:
    from kneeload.motion.table_file import read_table

    angles = read_table(shared_data / "walking_mri_subject" / "overground_17_ik.mot")
    assert angles.values.shape == (473, 65)
    assert angles.in_degrees
    assert 55.0 < angles.column("knee_flex_r").max() < 80.0
    assert not read_table(shared_data / "walking_mri_subject" / "overground_17_grf.mot").in_degrees


def test_ground_reaction_instead_of_net_force(tmp_path: Path) -> None:
    columns = stride()
    columns["vertical_ground_reaction_n"] = np.maximum(columns.pop("knee_axial_net_force_n") + 39.0, 0.0)
    motion = read_recorded(write_csv(tmp_path / "stride.csv", columns), SUBJECT)
    np.testing.assert_allclose(motion.net_axial_force, columns["vertical_ground_reaction_n"] - 0.061 * SUBJECT.body_weight_n)


def test_a_change_of_gait_acts_on_a_recording(tmp_path: Path) -> None:
    activity = Activity(name="recorded", file=str(write_csv(tmp_path / "stride.csv", stride())))
    before, after = motion_for(activity, SUBJECT), motion_for(activity, SUBJECT, (toe_in(10.0),))
    assert after.knee_adduction_moment[15] < before.knee_adduction_moment[15]
    np.testing.assert_array_equal(after.net_axial_force, before.net_axial_force)


@pytest.mark.parametrize("name", ["time_s", "knee_flexion_deg", "knee_extension_moment_nm", "knee_adduction_moment_external_nm", "knee_axial_net_force_n"])
def test_missing_column(tmp_path: Path, name: str) -> None:
    columns = stride()
    del columns[name]
    assert name in refused(write_csv(tmp_path / "stride.csv", columns)).split("missing:")[1]


def test_mapping_to_a_column_that_is_not_there(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "stride.csv", stride())
    assert "knee_flexion_deg (as knee_angle_r)" in refused(path, {"knee_flexion_deg": "knee_angle_r"})
    assert "knee_angle" in refused(path, {"knee_angle": "knee_flexion_deg"})


@pytest.mark.parametrize("cell", ["nan", "inf", "", "x", "1,2"])
def test_a_cell_that_is_not_a_number(tmp_path: Path, cell: str) -> None:
    path = write_csv(tmp_path / "stride.csv", stride())
    lines = path.read_text().splitlines()
    lines[7] = ",".join([cell, *lines[7].split(",")[1:]])
    path.write_text("\n".join(lines))
    assert "line 8" in refused(path)


def test_ragged_row(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "stride.csv", stride())
    path.write_text(path.read_text().rstrip().rsplit(",", 1)[0])
    assert "line 102" in refused(path)


def test_time_that_goes_back(tmp_path: Path) -> None:
    columns = stride()
    columns["time_s"][40] = columns["time_s"][38]
    assert "strictly increasing" in refused_line(write_csv(tmp_path / "stride.csv", columns), 42)


def refused_line(path: Path, line: int) -> str:
    sentence = refused(path)
    assert f"line {line}" in sentence
    return sentence


@pytest.mark.parametrize("rows", [0, 1, 19])
def test_too_few_rows(tmp_path: Path, rows: int) -> None:
    assert "at least 20" in refused(write_csv(tmp_path / "stride.csv", {name: column[:rows] for name, column in stride().items()}))


@pytest.mark.parametrize(("name", "factor", "hint"), [
    ("knee_flexion_deg", DEG, "radians"), ("knee_flexion_deg", 10.0, "180"), ("knee_flexion_deg", -1.0, "opposite sign"),
    ("knee_extension_moment_nm", 1000.0, "N mm"), ("knee_adduction_moment_external_nm", 1000.0, "N mm"), ("hip_flexion_moment_nm", 1000.0, "N mm"),
    ("knee_axial_net_force_n", 1.0 / 637.0, "body weights"), ("knee_axial_net_force_n", 1000.0, "newtons"), ("knee_axial_net_force_n", -1.0, "opposite sign"),
    ("time_s", 1000.0, "milliseconds"),
])
def test_wrong_units(tmp_path: Path, name: str, factor: float, hint: str) -> None:
    columns = stride()
    columns[name] = columns[name] * factor
    sentence = refused(write_csv(tmp_path / "stride.csv", columns))
    assert hint in sentence and name in sentence


def test_moments_per_body_mass(tmp_path: Path) -> None:
    columns = stride()
    for name in ("knee_extension_moment_nm", "knee_adduction_moment_external_nm"):
        columns[name] = columns[name] / 65.0
    assert "N m per kg" in refused(write_csv(tmp_path / "stride.csv", columns))


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "absent.csv")
    assert "no such file" in refused(tmp_path)
    for name, content, hint in (
        ("binary.csv", bytes(range(256)), "text"), ("empty.csv", b"", "empty"), ("stride.c3d", b"a,b\n1,2\n", "c3d"), ("noheader.mot", b"time\ta\n0\t1\n", "endheader"),
        ("twice.csv", b"time_s,time_s\n1,2\n", "different from each other"), ("zero.csv", b"time_s\n\x00\n", "text"), ("nothing.sto", b"inDegrees=yes\nendheader\n", "empty"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert hint in refused(path)
