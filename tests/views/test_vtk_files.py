"""knee.vtm: what another program reads back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.views.scene import Scene
from kneeload.views.vtk_files import write_vtk, write_vtk_series

pv = pytest.importorskip("pyvista")
PARTS = {"femur", "tibia_medial", "tibia_lateral", "medial_meniscus", "patella", "bone_femur", "bone_tibia", "bone_patella"}


def test_the_multiblock_names_every_part_and_every_part_has_its_arrays(scene: Scene, tmp_path: Path) -> None:
    files = write_vtk(tmp_path, scene)
    assert files[0] == tmp_path / "knee.vtm" and all(file.is_file() for file in files) and len(files) == 1 + len(PARTS)
    knee = pv.read(files[0])
    assert set(knee.keys()) == PARTS
    common = {"contact_pressure_mpa", "cartilage_thickness_mm", "moaks_region", "daily_dose_mpa_s", "risk_24mo"}
    for name in ("tibia_medial", "tibia_lateral", "medial_meniscus", "patella"):
        assert set(knee[name].cell_data.keys()) == common | {"highest_contact_pressure_mpa"}, name
    assert set(knee["femur"].cell_data.keys()) == common
    for name in ("bone_femur", "bone_tibia", "bone_patella"):
        assert knee[name].n_cells > 0 and not knee[name].cell_data.keys()


def test_the_numbers_are_those_of_the_peak_frame(scene: Scene, tmp_path: Path) -> None:
    knee = pv.read(write_vtk(tmp_path, scene)[0])
    medial = knee["tibia_medial"]
    field = next(field for field in scene.contact.fields if field.name == "tibia_medial")
    assert np.array_equal(medial["contact_pressure_mpa"], field.pressure[3])
    assert np.array_equal(knee["patella"]["highest_contact_pressure_mpa"], next(f for f in scene.contact.fields if f.name == "patella").pressure.max(axis=0))
    assert medial["cartilage_thickness_mm"] == pytest.approx(2.0)
    assert knee["femur"]["contact_pressure_mpa"].max() == pytest.approx(6.0, rel=0.08)  # facets of 1.7 mm on a ball
    assert list(medial.field_data["moaks_region_names"]) == list(MOAKS_REGIONS)
    assert medial.field_data["cycle_percent"][0] == pytest.approx(30.0) and medial.field_data["side"][0] == "right"
    region = MOAKS_REGIONS.index("tibia_central_medial")
    assert (medial["moaks_region"] == region).all() and medial["daily_dose_mpa_s"] == pytest.approx(100.0 * region)
    patella = knee["patella"]
    outside = patella["moaks_region"] == -1
    assert outside.any() and np.isnan(patella["risk_24mo"][outside]).all() and not np.isnan(patella["risk_24mo"][~outside]).any()


def test_bodies_are_posed_in_the_femur_frame(make_scene: Callable[..., Scene], tmp_path: Path) -> None:
    bent = make_scene(flexion=np.pi / 2)
    tibia = pv.read(write_vtk(tmp_path, bent)[0])["bone_tibia"]
    assert tibia.center == pytest.approx((-52.0, 0.0, 0.0), abs=0.2)  # the shin of a bent knee points backwards
    assert pv.read(tmp_path / "knee" / "bone_femur.vtp").center == pytest.approx((0.0, 20.0, 0.0), abs=0.2)


def test_a_left_knee_is_written_mirrored_with_normals_outwards(make_scene: Callable[..., Scene], tmp_path: Path) -> None:
    right, left = (pv.read(write_vtk(tmp_path / side, make_scene(side=side))[0]) for side in ("right", "left"))
    assert left["tibia_medial"].points == pytest.approx(right["tibia_medial"].points * [1.0, 1.0, -1.0], abs=1e-5)
    assert left["bone_femur"].volume == pytest.approx(right["bone_femur"].volume) and left["bone_femur"].volume > 0.0
    assert "medial" in left["femur"].field_data["frame_of_reference"][0] and "lateral" in right["femur"].field_data["frame_of_reference"][0]


def test_what_is_not_known_is_not_written(make_scene: Callable[..., Scene], tmp_path: Path) -> None:
    bare = make_scene(daily_dose=None, risk_24mo=None)
    knee = pv.read(write_vtk(tmp_path, replace(bare, anatomy=replace(bare.anatomy, medial_meniscus=None)))[0])
    assert "medial_meniscus" not in set(knee.keys()) and "risk_24mo" not in knee["femur"].cell_data and "daily_dose_mpa_s" not in knee["patella"].cell_data


def test_the_series_holds_every_frame_with_its_pressure(scene: Scene, tmp_path: Path) -> None:
    files = write_vtk_series(tmp_path, scene)
    frames = len(scene.contact.residual)
    reader = pv.get_reader(files[0])
    assert files[0].name == "knee.pvd" and len(files) == 1 + frames
    assert list(reader.time_values) == pytest.approx(np.linspace(0.0, 100.0, frames), abs=1e-3)
    for frame in (0, 3, frames - 1):
        reader.set_active_time_point(frame)
        whole = reader.read()[0]
        names = list(whole.field_data["surface_names"])
        assert names[0] == "femur" and set(names[1:]) == {field.name for field in scene.contact.fields}
        for field in scene.contact.fields:
            here = whole["surface"] == names.index(field.name)
            assert np.array_equal(whole["contact_pressure_mpa"][here], field.pressure[frame])
    assert set(whole.cell_data.keys()) == {"contact_pressure_mpa", "moaks_region", "surface"}


def test_the_series_moves_as_the_bodies_do(make_scene: Callable[..., Scene], tmp_path: Path) -> None:
    """A frame of the series lies where the parts of knee.vtm lie, in a left knee as well."""
    scene = make_scene(side="left", flexion=0.5)
    parts = pv.read(write_vtk(tmp_path, scene)[0])
    frame = pv.read(write_vtk_series(tmp_path, scene)[1 + 3])  # frame 3: the peak that knee.vtm shows
    names = list(frame.field_data["surface_names"])
    for name in ("femur", "tibia_medial", "patella"):
        cells = frame.extract_cells(np.flatnonzero(frame["surface"] == names.index(name)))
        assert cells.center == pytest.approx(parts[name].center, abs=1e-3)
