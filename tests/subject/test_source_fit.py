"""The shipped coefficients against the MRI knee they were fitted to (skips without the development data), and the shipped meshes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import kneeload.meshes
import numpy as np
import pytest
import yaml
from kneeload.meshes.build import build, surfaces

from kneeload.subject.distance import evaluate
from kneeload.subject.isosurface import extract
from kneeload.subject.patella import MEAN_THICKNESS_MM
from kneeload.subject.person import Subject
from kneeload.subject.reference import reference_anatomy
from kneeload.subject.size import DIMENSIONS, MEAN_HEIGHT_M, axis_factors
from kneeload.subject.source_knee import DEFAULT_FILE, source_arrays, unpack_level_set, unpack_outline, unpack_patch

SHIPPED = Path(kneeload.meshes.__file__).parent
LIMIT_MM = 0.3


@pytest.fixture(scope="module")
def mri(shared_data):
    from kneeload.meshes.fit_source_knee import read_mesh

    return {path.stem: read_mesh(path) for path in (shared_data / "knee_mri").glob("*.stl")}


@pytest.mark.parametrize("sex", ["male", "female"])
def test_femoral_cartilage_lies_on_the_level_set(mri, sex):
    from kneeload.meshes.fit_source_knee import rim_free

    points = rim_free(mri["femur_cartilage"], 2.0)
    value, _ = evaluate(unpack_level_set(source_arrays(), f"femur_{sex}"), points * axis_factors(sex))
    assert np.sqrt(np.mean(value**2)) < LIMIT_MM
    assert abs(value.mean()) < 0.05


@pytest.mark.parametrize("name", ["tibia", "patella"])
def test_bones_lie_on_their_level_sets(mri, name):
    points = mri[f"{name}_bone"].points
    value, _ = evaluate(unpack_level_set(source_arrays(), name), points[points[:, 1] > -84.0])
    assert np.sqrt(np.mean(value**2)) < 0.1


@pytest.mark.parametrize(("name", "plane", "height"), [("tibia_medial", (0, 2), 1), ("tibia_lateral", (0, 2), 1), ("patella", (1, 2), 0)])
def test_plates_lie_on_their_patches(mri, name, plane, height):
    from kneeload.meshes.fit_source_knee import split_plates

    mesh = mri["patella_cartilage"] if name == "patella" else split_plates(mri["tibia_cartilage"])[name.removeprefix("tibia_")]
    patch, outline = unpack_patch(source_arrays(), f"{name}_surface"), unpack_outline(source_arrays(), f"{name}_outline")
    uv = mesh.points[:, plane]
    inside = outline.share(uv) < 0.98
    miss = patch(*uv[inside].T) - mesh.points[inside, height]
    slope = np.hypot(patch(*uv[inside].T, du=1), patch(*uv[inside].T, dv=1))
    assert inside.mean() > 0.7
    assert np.sqrt(np.mean(miss**2 / (1.0 + slope**2))) < LIMIT_MM


def test_source_dimensions_are_those_of_the_meshes(mri):
    femur, tibia = mri["femur_bone"].points, mri["tibia_bone"].points
    low = femur[femur[:, 1] < 25.0]
    top = tibia[np.abs(tibia[:, 1] + 30.0) < 0.6]
    found = {
        "femur_width": np.ptp(low[:, 2]), "tibia_width": np.ptp(tibia[tibia[:, 1] > -45.0, 2]),
        "medial_condyle_depth": np.ptp(low[low[:, 2] < -8.0, 0]), "lateral_condyle_depth": np.ptp(low[low[:, 2] > 8.0, 0]),
        "tibia_depth": np.ptp(top[:, 0]), "medial_plateau_depth": np.ptp(top[top[:, 2] < -10.0, 0]),
    }
    for name, length in found.items():
        assert DIMENSIONS[name].source_mm == pytest.approx(length, abs=0.15), name


def test_files_are_small_and_match_their_manifest():
    data = yaml.safe_load((SHIPPED / "manifest.yaml").read_text(encoding="utf-8"))
    total = DEFAULT_FILE.stat().st_size
    for name, entry in data["surfaces"].items():
        content = (SHIPPED / entry["file"]).read_bytes()
        total += len(content)
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], name
    assert total < 3_000_000
    assert data["side"] == "right" and data["length_unit"] == "mm"


def test_building_again_gives_the_shipped_meshes(tmp_path):
    """Same triangles, points within 2 micrometres: the last digit may differ between processors, so bytes are not compared."""
    from kneeload.meshes.fit_source_knee import read_mesh

    build(tmp_path, "male")
    for path in SHIPPED.glob("*.ply"):
        new, old = read_mesh(tmp_path / path.name), read_mesh(path)
        np.testing.assert_array_equal(new.triangles, old.triangles)
        np.testing.assert_allclose(new.points, old.points, atol=2.1)  # read_mesh takes metres: 2 micrometres become 2
    again = yaml.safe_load((tmp_path / "manifest.yaml").read_text(encoding="utf-8"))
    assert set(again["surfaces"]) == set(surfaces(reference_anatomy(Subject(height_m=MEAN_HEIGHT_M["male"]))))


def test_shipped_femur_is_the_level_set_surface():
    level_set = unpack_level_set(source_arrays(), "femur_female")
    value, _ = evaluate(level_set, extract(level_set, spacing_mm=3.0).points)
    assert np.abs(value).max() < 0.02
    assert MEAN_THICKNESS_MM > 0.0
