"""zones.png and zones/*.vtu: what they show, in pixels and in numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kneeload.bone.volume import BoneVolume
from kneeload.lesion.zones import BoneZones, ZoneMap
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.views.layout import SIZE
from kneeload.views.palette import lightness
from kneeload.views.scene import Scene
from kneeload.views.zones import SCALE_PCT, _colours, cube_faces, percent_of_level, zones_file, zones_picture

REGION = MOAKS_REGIONS.index("tibia_central_medial")


def volume_of(bone: str, origin: tuple[float, float, float], size: tuple[int, int, int]) -> BoneVolume:
    index = np.stack(np.meshgrid(*(np.arange(n) for n in size), indexing="ij"), -1).reshape(-1, 3).astype(np.int32)
    count = len(index)
    return BoneVolume(bone=bone, spacing_mm=3.0, origin_mm=np.array(origin), index=index, region=np.full(count, REGION, np.int8), depth_mm=np.linspace(0.0, 12.0, count),
                      triangle=np.zeros(count, np.int32), surface=np.zeros(count, np.int8), normal=np.tile([0.0, 1.0, 0.0], (count, 1)))


def zones_of(bone: str, volume: BoneVolume, percent: float) -> BoneZones:
    count = len(volume.index)
    stimulus = np.where(volume.index[:, 0] == 0, 0.01 * percent, 0.85)
    return BoneZones(volume=volume, stimulus=stimulus, level=np.ones(count), over=stimulus > 1.0, peak=3.0 * stimulus, activity_share=np.full((2, count), 0.5))


@pytest.fixture
def zones() -> ZoneMap:
    """Zones in all three bones, 150 % of the level in the cubes farthest back, and 85 % in the others."""
    bones = {"tibia": zones_of("tibia", volume_of("tibia", (-6.0, -30.0, -28.0), (4, 3, 4)), 150.0),
             "femur": zones_of("femur", volume_of("femur", (-4.0, -10.0, -24.0), (3, 3, 3)), 120.0), "patella": zones_of("patella", volume_of("patella", (28.0, -3.0, -3.0), (2, 2, 2)), 95.0)}
    size = np.zeros(15)
    size[REGION] = 900.0
    return ZoneMap(bones=bones, activities=("walking", "standing"), relative_risk=np.full(15, 2.0), volume_mm3=size, volume_low_mm3=0.5 * size, volume_high_mm3=2.0 * size,
                   region_volume_mm3=np.full(15, 4000.0), share=size / 4000.0, moaks_grade=np.ones(15, np.int8), worms_grade=np.ones(15, np.int8),
                   centroid_mm=np.zeros((15, 3)), depth_mm=np.tile([1.0, 9.0], (15, 1)), level_mpa=np.ones(15), largest_mpa=np.full(15, 1.5),
                   activity_share=np.full((15, 2), 0.5))


def test_faces_enclose_the_cubes_and_face_outwards(zones: ZoneMap) -> None:
    volume = zones.bones["tibia"].volume
    for chosen in (np.ones(48, bool), volume.index[:, 1] != 1, np.arange(48) == 5, np.zeros(48, bool)):
        points, triangles, cube = cube_faces(volume, chosen)
        a, b, c = (points[triangles[:, k]] for k in range(3))
        assert (a * np.cross(b, c)).sum() / 6.0 == pytest.approx(27.0 * chosen.sum())  # the divergence theorem: closed, outward
        assert chosen[cube].all() and len(points) == 4 * len(cube) and len(triangles) == 2 * len(cube)
        half = np.repeat(points.reshape(-1, 4, 3).mean(axis=1) - volume.centres_mm[cube], 1, axis=0)
        np.testing.assert_allclose(np.linalg.norm(half, axis=1), 1.5)  # each face belongs to its cube
    assert len(cube_faces(volume, np.ones(48, bool))[2]) == 2 * (4 * 3 + 3 * 4 + 4 * 4)  # none inside


@pytest.fixture(params=["vtk", "matplotlib"])
def renderer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "vtk":
        request.getfixturevalue("with_gl")
    else:
        monkeypatch.setenv("KNEELOAD_NO_GL", "1")
    return request.param


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_picture_shows_the_zones_on_their_side(renderer: str, side: str, make_scene: Callable[..., Scene], zones: ZoneMap, tmp_path: Path) -> None:
    from PIL import Image

    made = zones_picture(make_scene(side=side), zones, tmp_path / "zones.png")
    image = np.asarray(Image.open(made.path).convert("RGB")).astype(float) / 255.0
    assert image.shape == (SIZE[1], SIZE[0], 3) and made.renderer == renderer and made.scale_pct == SCALE_PCT
    assert made.cubes == {"tibia": 12, "femur": 9, "patella": 0} and made.highest_pct == pytest.approx(150.0)
    window = image[SIZE[1] - 484:SIZE[1] - 110, 560:1150]  # the tibia from above
    dark = np.abs(window - _colours(np.array([150.0]))[0]).max(axis=2) < 0.16  # seen through the translucent bone
    assert dark.sum() > 300
    middle = np.nonzero(dark)[1].mean() / window.shape[1]
    assert (middle > 0.5) == (side == "right")  # medial is on the right of a right knee seen from the front edge


def test_a_knee_without_zones_is_drawn_as_well(renderer: str, scene: Scene, zones: ZoneMap, tmp_path: Path) -> None:
    bones = {name: replace(item, stimulus=np.zeros_like(item.stimulus), over=np.zeros_like(item.over)) for name, item in zones.bones.items()}
    made = zones_picture(scene, replace(zones, bones=bones, volume_mm3=np.zeros(15), share=np.zeros(15)), tmp_path / "none.png")
    assert made.highest_pct == 0.0 and made.path.stat().st_size > 10_000


def test_colours_get_darker_with_the_stimulus() -> None:
    assert (np.diff(lightness(_colours(np.linspace(*SCALE_PCT, 20)))) < 0.0).all()


@pytest.mark.parametrize("side", ["right", "left"])
def test_files_hold_every_cube_with_its_numbers(side: str, make_scene: Callable[..., Scene], zones: ZoneMap, tmp_path: Path) -> None:
    import pyvista as pv

    scene = make_scene(side=side, flexion=0.4)
    files = zones_file(scene, zones, tmp_path)
    assert [file.name for file in files] == ["zones.vtm", "tibia.vtu", "femur.vtu", "patella.vtu"]
    grid = pv.read(files[1])
    item = zones.bones["tibia"]
    assert grid.n_cells == 48
    np.testing.assert_allclose(grid.compute_cell_sizes()["Volume"], 27.0, rtol=1e-5)  # also in a mirrored knee
    np.testing.assert_allclose(grid.cell_data["daily_stimulus_mpa"], item.stimulus, rtol=1e-6)
    assert grid.cell_data["overstressed"].sum() == 12 and set(grid.cell_data["moaks_region"]) == {REGION}
    assert {"overstress_level_mpa", "largest_effective_stress_mpa", "depth_mm", "share_of_walking", "share_of_standing"} <= set(grid.cell_data.keys())
    pose = scene.contact.femur_from_tibia[3]
    centres = item.volume.centres_mm @ pose[:3, :3].T + pose[:3, 3]
    np.testing.assert_allclose(grid.cell_centers().points, centres * [1.0, 1.0, 1.0 if side == "right" else -1.0], atol=1e-4)
    assert pv.read(files[0]).keys() == ["tibia", "femur", "patella"]


def test_percent_of_level_outside_all_regions_is_zero(zones: ZoneMap) -> None:
    item = zones.bones["tibia"]
    assert (percent_of_level(replace(item, level=np.full(48, np.inf))) == 0.0).all()
