"""`kneeload calibrate` from files to files."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import yaml

from kneeload import commands
from kneeload.cli import case_of
from kneeload.commands.parser import UsageError
from kneeload.errors import InputError
from kneeload.units import DEG, NMM_PER_NM

WHO = ("subject.body_mass_kg=70", "subject.height_m=1.7", "subject.contact_spacing_mm=42")
COLUMNS = {"time_s": ("time", 1.0), "knee_flexion_deg": ("knee_flexion", 1 / DEG), "hip_flexion_deg": ("hip_flexion", 1 / DEG),
           "ankle_dorsiflexion_deg": ("ankle_dorsiflexion", 1 / DEG), "knee_extension_moment_nm": ("knee_extension_moment", 1 / NMM_PER_NM),
           "knee_adduction_moment_external_nm": ("knee_adduction_moment", 1 / NMM_PER_NM), "knee_axial_net_force_n": ("net_axial_force", 1.0)}


@pytest.fixture(scope="module")
def files(person, tmp_path_factory):
    """Three strides as files; the last has no measured forces as a fourth file."""
    folder = tmp_path_factory.mktemp("strides")
    for k in range(3):
        stride = person.stride(k, {"adduction_offset_mm": 4.0}, noise_n=20.0)
        columns = {name: getattr(stride.motion, field) * factor for name, (field, factor) in COLUMNS.items()}
        for name, more in ((f"stride_{k + 1}.csv", {"measured_medial_force_n": stride.medial, "measured_lateral_force_n": stride.lateral}), (f"bare_{k + 1}.csv", {})):
            table = columns | more
            np.savetxt(folder / name, np.stack(list(table.values()), axis=1), delimiter=",", header=",".join(table), comments="")
    return [str(folder / name) for name in ("stride_1.csv", "stride_2.csv", "stride_3.csv", "bare_3.csv")]


def run(*words):
    return commands.run("calibrate", words, case_of)


def test_files_table_and_use_in_a_run(files, tmp_path, capsys):
    folder = tmp_path / "out"
    assert run("--strides", *files[:2], "--test", files[2], "--stages", "joint", "--output", str(folder), *WHO) == 0
    printed = capsys.readouterr().out
    assert "CALIBRATED" in printed and "generic" in printed and "plain SO" in printed and "adduction_offset_mm" in printed
    rows = list(csv.DictReader((folder / "errors.csv").open()))
    assert {(row["stride"], row["use"]) for row in rows} == {("stride_1.csv", "fitted"), ("stride_2.csv", "fitted"), ("stride_3.csv", "tested")}
    assert {row["model"] for row in rows} == {"plain static optimisation", "generic", "calibrated"}
    fitted = {row["parameter"]: float(row["fitted"]) for row in csv.DictReader((folder / "parameters.csv").open())}
    assert fitted["adduction_offset_mm"] == pytest.approx(yaml.safe_load((folder / "calibration.yaml").read_text())["constants"]["adduction_offset_mm"], rel=1e-4)
    words = [*WHO, "contact=none", "view.pictures=false", "view.report=false", f"muscles.calibration_file={folder / 'calibration.yaml'}", f"hydra.run.dir={tmp_path / 'run'}"]
    done = subprocess.run([sys.executable, "-m", "kneeload.cli", *words], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["provenance"]["calibrated"]["strides"] == ["stride_1.csv", "stride_2.csv"]
    assert "not a plain prediction" in done.stdout


@pytest.mark.parametrize(("words", "error", "sentence"), [
    (("--strides", "0", "--test", "0"), InputError, "a stride that was fitted is no test"),
    (("--strides", "0", "3"), InputError, r"measured forces \(bare_3.csv\)"),
    (("--strides", "0", "--stages", "legs"), InputError, "'legs'"),
    ((), UsageError, "--strides names no recording"),
    (("--strides", "0", "intervention=[cane]"), UsageError, "has no meaning for kneeload calibrate"),
    (("--strides", "0", "activity=walking"), UsageError, "has no meaning"),
    (("--strides", "0", "--seed", "x"), UsageError, "--seed"),
    (("--strides", "nowhere.csv"), InputError, "nowhere.csv"),
])
def test_bad_input_is_one_sentence_and_leaves_no_folder(files, tmp_path, words, error, sentence):
    folder = tmp_path / "out"
    with pytest.raises(error, match=sentence) as caught:
        run(*(files[int(word)] if word.isdigit() else word for word in words), "--output", str(folder), *WHO)
    assert "\n" not in str(caught.value) and not folder.exists()


def test_nothing_is_written_over(files, tmp_path):
    with pytest.raises(InputError, match="nothing is written over"):
        run("--strides", files[0], "--stages", "joint", "--output", str(tmp_path), *WHO)
