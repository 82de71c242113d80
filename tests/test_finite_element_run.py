"""A run that asks for the finite elements of the bone: its table, its VTK file, and what it refuses."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kneeload import Case, simulate
from kneeload.bone.finite_element_settings import FiniteElements
from kneeload.bone.inclusions import Cyst
from kneeload.bone.material import BoneSolid
from kneeload.errors import InputError
from kneeload.finite_element_study import finite_element_columns, finite_element_study
from kneeload.run_folder import write_run
from kneeload.subject.anatomy import MOAKS_REGIONS

pytest.importorskip("skfem", reason="the extra fem is not installed")
pytest.importorskip("pyamg", reason="the extra fem is not installed")
SCRIPT = Path(sys.executable).with_name("kneeload")
COARSE = BoneSolid(element_mm=4.0)


@pytest.mark.skipif(not SCRIPT.exists(), reason="the console script is not installed beside this Python")
def test_the_command_line_writes_the_table_and_the_cubes(tmp_path: Path) -> None:
    """A left knee with a cyst: its cubes lie on the side of its bones, and the table has the bone with and without the cyst."""
    pv = pytest.importorskip("pyvista")
    done = subprocess.run([str(SCRIPT), "view=none", "view.vtk=true", "subject.side=left", "finite_elements=tibia", "finite_elements.spacing_mm=4",
                           "finite_elements.every_frames=10", "finite_elements.inclusions=[{kind: cyst, region: tibia_central_medial, radius_mm: 5, depth_mm: 8}]",
                           "hydra.run.dir=mine"], cwd=tmp_path, capture_output=True, text=True, timeout=300, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    with (tmp_path / "mine" / "finite_elements.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["region"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {name for name in MOAKS_REGIONS if name.startswith("tibia")}
    middle = {name: float(value) for name, value in rows["tibia_central_medial"].items() if name not in ("bone", "region")}
    assert 0.5 < middle["mean_compressive_stress_mpa"] < middle["peak_compressive_stress_mpa"] < 10.0
    assert 0.7 < middle["mean_compressive_stress_over_half_space"] < 1.3
    assert middle["mean_modulus_mpa"] > 300.0 and middle["mean_strain_energy_density_change_pct"] > 3.0
    cubes, bone = (pv.read(tmp_path / "mine" / name) for name in ("finite_elements/tibia.vtu", "knee/bone_tibia.vtp"))
    assert np.all(np.array(cubes.bounds[::2]) > np.array(bone.bounds[::2]) - 4.0) and np.all(np.array(cubes.bounds[1::2]) < np.array(bone.bounds[1::2]) + 4.0)
    arrays = {name: cubes.cell_data[name] for name in cubes.cell_data}
    changed = arrays["modulus_mpa"] < 0.5 * arrays["modulus_without_inclusions_mpa"]
    medial = cubes.cell_centers().points[changed].mean(axis=0)[2] - cubes.center[2]
    assert changed.any() and medial > 5.0  # z is medial in a left knee
    assert cubes.compute_cell_sizes()["Volume"] == pytest.approx(64.0, rel=1e-3)
    own = arrays["moaks_region"] == MOAKS_REGIONS.index("tibia_central_medial")
    assert arrays["largest_compressive_stress_mpa"][own].mean() >= 0.99 * middle["mean_compressive_stress_mpa"]
    assert np.all(arrays["at_peak_compressive_stress_mpa"] <= arrays["largest_compressive_stress_mpa"])
    assert {"largest_strain_energy_density_mpa", "largest_half_space_compressive_stress_mpa", "largest_strain_energy_density_mpa_without_inclusions", "depth_mm"} <= set(arrays)


def test_only_a_run_computes_them_and_a_bad_inclusion_leaves_no_run(tmp_path: Path) -> None:
    result = simulate(Case(finite_elements=FiniteElements(solid=COARSE, every_frames=50, inclusions=(Cyst(region="tibia_central_medial", radius_mm=20.0, depth_mm=5.0),))))
    with pytest.raises(InputError, match=r"Cyst in tibia_central_medial.*% of it in the bone"):
        write_run(result, tmp_path / "bad", pictures=False, vtk=False, report=False)
    assert not (tmp_path / "bad" / "summary.json").exists()
    plain = replace(result, case=replace(result.case, finite_elements=FiniteElements(solid=COARSE, every_frames=50)))
    study = finite_element_study(plain)
    assert list(study) == ["tibia"] and study["tibia"].without is None and study is finite_element_study(plain)
    assert finite_element_columns(replace(result, case=Case())) == {}
    alone = replace(plain, day={name: replace(item, contact=None) for name, item in plain.day.items()})
    with pytest.raises(InputError, match="contact"):
        finite_element_study(alone)
    write_run(replace(plain, case=Case()), tmp_path / "without", pictures=False, vtk=False, report=False)
    assert not (tmp_path / "without" / "finite_elements.csv").exists()
    assert json.loads((tmp_path / "without" / "summary.json").read_text(encoding="utf-8"))["status"] == "ok"
