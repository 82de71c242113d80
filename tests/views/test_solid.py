"""The knee to be turned: what its colours say, and the scene that a browser reads."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kneeload.subject.surface import TriangleMesh
from kneeload.views.palette import pressure_rgb
from kneeload.views.scene import Scene, casting_surfaces
from kneeload.views.solid import Solid, build_solid, change_rgb, coarser, femur_envelope
from kneeload.views.solid_page import solid_parts
from kneeload.views.vtkjs import solid_archive, viewer_script

DARK = 60.0  # bytes; a colour nearer than this to another is called the same


def _touching(scene: Scene) -> Scene:
    """The knee of balls with every loaded triangle touching a triangle of the medial ball of the femur."""
    fields = tuple(replace(field, femur_triangle=np.where(field.pressure > 0.0, 100 + np.arange(field.pressure.shape[1]) % 40, -1).astype(np.int32)) for field in scene.contact.fields)
    return replace(scene, contact=replace(scene.contact, fields=fields))


@pytest.fixture
def solid(scene: Scene) -> Solid:
    return build_solid(scene)


def _part(solid: Solid, name: str) -> Any:
    return next(part for part in solid.parts if part.name == name)


def test_the_colour_of_the_most_loaded_point_is_that_of_the_scale(scene: Scene, solid: Solid) -> None:
    shown = solid.maps[0]
    assert shown.key == "pressure" and "(MPa)" in shown.title and shown.low == 0.0 and shown.high == 10.0
    mesh = casting_surfaces(scene.anatomy)["tibia_medial"].mesh
    part = _part(solid, "tibia_medial")
    pressure = next(field for field in scene.contact.fields if field.name == "tibia_medial").pressure.max(axis=0)
    corner = mesh.triangles[int(np.argmax(pressure))][0]
    expected = 255.0 * pressure_rgb(np.array([float(pressure.max())]), shown.high)[0]
    assert np.abs(part.rgb["pressure"][corner] - expected).max() < 12.0  # a corner of the peak triangle lies a little below the peak


def test_it_shows_the_highest_pressure_of_all_frames(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene()
    last = replace(scene.contact, fields=tuple(replace(field, pressure=field.pressure[::-1].copy()) for field in scene.contact.fields))
    one, other = build_solid(scene), build_solid(replace(scene, contact=last))
    assert all(np.array_equal(a.rgb["pressure"], b.rgb["pressure"]) for a, b in zip(one.parts, other.parts) if "meniscus" not in a.name)


def test_a_left_knee_is_the_mirror_image(make_scene: Callable[..., Scene]) -> None:
    right, left = build_solid(make_scene()), build_solid(make_scene(side="left"))
    for a, b in zip(right.parts, left.parts, strict=True):
        assert np.array_equal(a.points * np.array([1.0, 1.0, -1.0], np.float32), b.points)
        assert np.array_equal(a.triangles[:, ::-1], b.triangles)
    medial, lateral = "Medial (inner side)", "Lateral (outer side)"
    assert right.words[medial][2] < 0.0 < right.words[lateral][2] and left.words[lateral][2] < 0.0 < left.words[medial][2]
    for solid in (right, left):  # the word medial stands on the side of the medial plateau
        assert np.sign(solid.words[medial][2]) == np.sign(_part(solid, "tibia_medial").points[:, 2].mean())


def test_the_femur_takes_the_highest_pressure_of_what_touches_it(scene: Scene) -> None:
    found, highest = femur_envelope(_touching(scene)), max(float(field.pressure.max()) for field in scene.contact.fields)
    assert 0.5 * highest < found.max() <= highest + 1e-6 and found.min() >= 0.0 and np.isfinite(found).all()
    nothing = tuple(replace(field, femur_triangle=np.full_like(field.femur_triangle, -1)) for field in scene.contact.fields)
    assert femur_envelope(replace(scene, contact=replace(scene.contact, fields=nothing))).max() == 0.0


def test_frames_without_a_number_are_passed_over(scene: Scene) -> None:
    broken = []
    for field in scene.contact.fields:
        pressure = field.pressure.copy()
        pressure[0] = np.nan
        broken.append(replace(field, pressure=pressure))
    solid = build_solid(replace(scene, contact=replace(scene.contact, fields=tuple(broken))))
    assert all(np.isfinite(part.points).all() for part in solid.parts) and solid.maps[0].high == 10.0


def test_before_and_change_are_shown_where_the_triangles_are_the_same(scene: Scene, make_scene: Callable[..., Scene]) -> None:
    less = replace(scene, contact=replace(scene.contact, fields=tuple(replace(field, pressure=0.5 * field.pressure) for field in scene.contact.fields)))
    solid = build_solid(less, before=scene, after_words="a <brace>")
    assert [item.key for item in solid.maps] == ["pressure", "before", "change", "dose", "risk"]
    change = solid.maps[2]
    assert change.low == -change.high and "a <brace>" in change.title
    rgb = _part(solid, "tibia_medial").rgb["change"].astype(float)
    loaded = _part(solid, "tibia_medial").rgb["pressure"].astype(float).sum(axis=1).argmin()
    assert rgb[loaded][2] > rgb[loaded][0] + DARK  # blue: it fell
    assert not any(item.key == "change" for item in build_solid(scene).maps)


def test_changes_have_blue_and_brown_ends_and_a_pale_middle() -> None:
    fall, none, rise = change_rgb(np.array([-2.0, 0.0, 2.0]), 2.0)
    assert fall[2] > fall[0] and rise[0] > rise[2] and none.min() > 0.85
    assert np.allclose(change_rgb(np.array([-9.0]), 2.0)[0], fall)


def test_regions_have_one_colour_each(scene: Scene, solid: Solid) -> None:
    surface, part = scene.anatomy.tibia_lateral, _part(solid, "tibia_lateral")
    assert len(set(surface.region.tolist())) == 1
    assert len(np.unique(part.rgb["dose"], axis=0)) == 1
    assert solid.maps[-1].key == "risk" and solid.maps[-1].high == 15.0 and "24 months" in solid.maps[-1].title


def test_a_fine_mesh_is_made_coarser() -> None:
    pytest.importorskip("pyvista")
    n = 60
    x, z = np.meshgrid(np.linspace(0.0, 30.0, n), np.linspace(0.0, 30.0, n), indexing="ij")
    points = np.stack([x, 0.05 * x * z, z], axis=-1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(n - 1), np.arange(n - 1), indexing="ij")
    a, b, c, d = (corner.ravel() for corner in (i * n + j, i * n + j + 1, (i + 1) * n + j + 1, (i + 1) * n + j))
    mesh = TriangleMesh(points=points, triangles=np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]).astype(np.int32))
    found = coarser(mesh, 1500)
    assert 1000 < len(found.triangles) <= 1500 and found.triangles.max() < len(found.points)
    assert coarser(mesh, 10**6) is mesh


def test_the_archive_holds_every_array_that_its_scene_names(solid: Solid) -> None:
    data = solid_archive(solid)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["index.json"]
        index = json.loads(archive.read("index.json"))
    renderer = index["scene"]["dependencies"][0]
    actors = [item for item in renderer["dependencies"] if item["type"] == "vtkActor"]
    assert len(actors) == len(solid.parts) and len(renderer["calls"]) == len(actors) + 1
    for actor, part in zip(actors, solid.parts):
        properties = actor["dependencies"][0]["dependencies"][0]["properties"]
        for name, dtype, expected in (("points", np.float32, part.points), ("polys", np.int32, None)):
            content = np.frombuffer(base64.b64decode(index["hashes"][properties[name]["hash"]]["content"]), dtype)
            assert len(content) == properties[name]["size"]
            if expected is not None:
                assert np.array_equal(content.reshape(-1, 3), expected)
            else:
                assert np.array_equal(content.reshape(-1, 4)[:, 1:], part.triangles) and (content[::4] == 3).all()
        for field in properties["fields"]:
            assert field["hash"] in index["hashes"] and field["numberOfComponents"] == 3 and field["dataType"] == "Uint8Array"
            assert np.array_equal(np.frombuffer(base64.b64decode(index["hashes"][field["hash"]]["content"]), np.uint8).reshape(-1, 3), part.rgb[field["name"]])
    assert data == solid_archive(solid)  # the same knee gives the same bytes


def test_the_viewer_asks_nobody_for_icons() -> None:
    script = viewer_script()
    assert script is not None and "OfflineLocalView" in script and len(script) > 500_000
    assert "kitware.github.io/vtk-js/icon" not in script


def test_words_and_views_of_the_page_follow_the_side(make_scene: Callable[..., Scene]) -> None:
    right, left = (solid_parts(build_solid(make_scene(side=side))) for side in ("right", "left"))
    assert right is not None and left is not None
    assert right["state"]["presets"]["apart"]["toward"][2] == -left["state"]["presets"]["apart"]["toward"][2]
    assert [item["key"] for item in right["maps"]] == ["pressure", "dose", "risk"]
    assert right["maps"][0]["ticks"] == ["0", "2", "4", "6", "8", "10"] and right["maps"][0]["gradient"].startswith("linear-gradient(")
    assert len(right["state"]["groups"]) == len(build_solid(make_scene()).parts)


def test_without_the_viewer_there_is_none(solid: Solid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kneeload.views.vtkjs.importlib.util.find_spec", lambda name: None)
    assert viewer_script() is None and solid_parts(solid) is None
