"""Unrolled maps: true lengths, the right side, and the numbers of the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kneeload.subject.surface import TriangleMesh
from kneeload.views.maps import KneeMap, knee_maps, unroll_plates
from kneeload.views.maps_drawing import DPI, PAPER_MM, draw_map, draw_maps
from kneeload.views.palette import lightness, pressure_colours, pressure_rgb, scale_limit, scale_ticks
from kneeload.views.scene import Scene
from kneeload.views.unroll import edge_loops, region_borders, unroll


def _bent_card(radius: float, half_angle: float, step: float = 1.0) -> tuple[TriangleMesh, np.ndarray]:
    """A card of 30 mm rolled onto a cylinder, seen from its axis' front: its points, and where they lie in the flat card."""
    count = int(2 * half_angle * radius / step)
    arc, along = np.meshgrid(np.linspace(-half_angle * radius, half_angle * radius, count), np.linspace(-15.0, 15.0, 31), indexing="ij")
    points = np.stack([radius * np.sin(arc / radius), along, radius * np.cos(arc / radius)], axis=-1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(count - 1), np.arange(30), indexing="ij")
    a, b, c, d = (q.ravel() for q in (i * 31 + j, (i + 1) * 31 + j, (i + 1) * 31 + j + 1, i * 31 + j + 1))
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)]).astype(np.int32)
    return TriangleMesh(points=points, triangles=triangles), np.stack([arc.ravel(), along.ravel()], axis=1)


def test_a_bent_card_unrolls_to_the_card() -> None:
    mesh, card = _bent_card(20.0, 1.0)
    flat = unroll(mesh.points, mesh.triangles)
    assert flat.points == pytest.approx(card - card.mean(axis=0) + flat.points.mean(axis=0), abs=0.02)  # 40 mm of arc; seen from the front 33.7
    assert flat.length_error < 5e-4 and flat.area_error < 5e-4
    assert np.ptp(mesh.points[:, 0]) < 0.86 * np.ptp(flat.points[:, 0])


def test_a_cap_of_a_sphere_keeps_its_area_better_than_its_view_does() -> None:
    x, y = np.meshgrid(np.arange(-14.0, 15.0), np.arange(-14.0, 15.0), indexing="ij")
    points = np.stack([x, y, np.sqrt(np.maximum(20.0**2 - x**2 - y**2, 0.0))], axis=-1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(28), np.arange(28), indexing="ij")
    a, b, c, d = (q.ravel() for q in (i * 29 + j, (i + 1) * 29 + j, (i + 1) * 29 + j + 1, i * 29 + j + 1))
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    mesh = TriangleMesh(points=points, triangles=triangles[np.hypot(*points[triangles].mean(axis=1)[:, :2].T) < 13.0].astype(np.int32))
    flat = unroll(mesh.points, mesh.triangles)
    a, b = (mesh.points[mesh.triangles[:, k]] - mesh.points[mesh.triangles[:, 0]] for k in (1, 2))
    seen = 0.5 * np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    assert flat.area_error < 0.02 < 0.1 < 1.0 - seen / mesh.areas.sum()
    u, v = (flat.points[mesh.triangles[:, k]] - flat.points[mesh.triangles[:, 0]] for k in (1, 2))
    assert (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] > 0.0).all()  # nothing is folded over


def test_outlines_and_borders() -> None:
    mesh, card = _bent_card(20.0, 0.5)
    (loop,) = edge_loops(mesh.triangles)
    assert loop[0] == loop[-1] and len(set(loop)) == len(loop) - 1 == 2 * (len(card) // 31 - 1) + 60
    region = (card[mesh.triangles].mean(axis=1)[:, 1] > 0.5).astype(np.int8)
    (border,) = region_borders(card, mesh.triangles, region)
    assert (border[card[:, 1] > 2.0] == 1.0).all() and (border[card[:, 1] < -2.0] == 0.0).all()
    assert region_borders(card, mesh.triangles, np.zeros_like(region)) == []


def test_each_triangle_has_its_pressure_of_the_peak_frame(scene: Scene) -> None:
    plateau, patella = knee_maps(scene)
    assert (plateau.frame, patella.frame) == (3, 7)
    fields = {field.name: field.pressure for field in scene.contact.fields}
    for item in (plateau, patella):
        for sheet in item.sheets:
            assert np.array_equal(sheet.pressure, fields[sheet.name][item.frame].astype(float))
    over_cycle = knee_maps(scene, "cycle")
    assert over_cycle[0].frame is None and over_cycle[1].highest_mpa == pytest.approx(fields["patella"].max())
    assert knee_maps(scene, 0)[0].highest_mpa == pytest.approx(max(fields[name][0].max() for name in ("tibia_medial", "tibia_lateral", "medial_meniscus")))


def test_the_drawn_triangles_are_those_numbers(scene: Scene) -> None:
    from matplotlib.figure import Figure

    plateau, _ = knee_maps(scene)
    axes = Figure().add_subplot()
    draw_map(axes, plateau, 10.0)
    drawn = [np.asarray(item.get_array()) for item in axes.collections if item.get_array() is not None and np.asarray(item.get_array()).any()]
    loaded = [sheet.pressure[sheet.pressure > 0.0] for sheet in plateau.sheets if sheet.pressure.any()]
    assert len(drawn) == len(loaded)
    for values, expected in zip(drawn, loaded):
        assert np.array_equal(values, expected)
    assert axes.collections[1].get_clim() == (0.0, 10.0)


def test_medial_lies_where_the_word_says_and_a_left_knee_is_the_mirror_image(make_scene: Callable[..., Scene]) -> None:
    maps: dict[str, tuple[KneeMap, KneeMap]] = {side: knee_maps(make_scene(side=side)) for side in ("right", "left")}
    for plateau, patella in maps.values():
        x = {sheet.name: sheet.points[:, 0].mean() for sheet in plateau.sheets}
        assert (x["tibia_medial"] > x["tibia_lateral"]) == (plateau.edges["right"] == "Medial")
        assert plateau.edges["top"] == "Posterior" and patella.edges["top"] == "Proximal" and plateau.edges["left"] == patella.edges["right"]
    for right, left in zip(maps["right"], maps["left"]):
        assert right.edges["left"] == left.edges["right"]
        for one, other in zip(right.sheets, left.sheets):
            assert other.points == pytest.approx(one.points * [-1.0, 1.0], abs=1e-6) and np.array_equal(one.pressure, other.pressure)


def test_the_centre_of_pressure_lies_in_the_map_where_the_contact_says(scene: Scene) -> None:
    centre = np.tile([2.0, -20.0, -25.0], (11, 1))
    moved = replace(scene, contact=replace(scene.contact, medial=replace(scene.contact.medial, centre_of_pressure=centre)))
    plateau, _ = knee_maps(moved)
    assert plateau.centre_of_pressure["medial"] == pytest.approx([25.0, -2.0], abs=0.05)  # right knee from above, front edge below: medial is on the right
    assert np.isfinite(plateau.path["medial"]).all(axis=1).sum() == (scene.contact.medial.force > 120.0).sum()


def test_the_picture_is_life_size_and_holds_its_numbers(scene: Scene, tmp_path: Path) -> None:
    from PIL import Image

    made = draw_maps(tmp_path / "maps.png", scene)
    with Image.open(made.path) as picture:
        image = np.asarray(picture.convert("RGB"))
        assert picture.info["dpi"] == pytest.approx((DPI, DPI), rel=1e-3)
    assert image.shape[:2] == pytest.approx((PAPER_MM[1] / 25.4 * DPI, PAPER_MM[0] / 25.4 * DPI), abs=1.0)
    assert made.limits_mpa == (0.0, 10.0) and made.paper_scale == 1.0 and made.highest_mpa["plateau"] == pytest.approx(6.0, rel=0.03)
    darkest = (np.abs(image.astype(float) / 255.0 - pressure_rgb(np.array([made.highest_mpa["plateau"]]), 10.0)[0]).sum(axis=2) < 0.03).sum()
    assert darkest > 20 and (image == 255).mean() > 0.4  # the colour of the peak is there, and white paper
    assert made.area_error < 1e-6 and draw_maps(tmp_path / "fixed.png", scene, limit_mpa=7.0).limits_mpa == (0.0, 7.0)


def test_maps_need_no_opengl_and_are_vectors_on_request(no_gl: None, scene: Scene, tmp_path: Path) -> None:
    draw_maps(tmp_path / "maps.pdf", scene)
    draw_maps(tmp_path / "maps.svg", scene)
    assert (tmp_path / "maps.pdf").read_bytes().startswith(b"%PDF") and "<svg" in (tmp_path / "maps.svg").read_text(encoding="utf-8")


def test_a_knee_without_contact_or_menisci_is_still_mapped(scene: Scene, tmp_path: Path) -> None:
    bare = replace(scene, anatomy=replace(scene.anatomy, medial_meniscus=None), contact=replace(scene.contact, fields=()))
    made = draw_maps(tmp_path / "maps.png", bare)
    assert set(made.highest_mpa.values()) == {0.0}
    assert {sheet.name for sheet in knee_maps(bare, 2, unroll_plates(bare))[0].sheets} == {"tibia_medial", "tibia_lateral"}


def test_the_scale_darkens_evenly_and_its_ticks_are_round() -> None:
    light = lightness(pressure_colours()(np.linspace(0.0, 1.0, 50))[:, :3])
    assert (np.diff(light) < 0.0).all() and np.diff(light).std() < 0.6  # order survives colour blindness and grey print
    for limit in (0.5, 2.0, 5.0, 7.0, 10.0, 12.0, 15.0, 20.0, 30.0, 40.0, 60.0, 100.0, scale_limit(180.0)):
        ticks = scale_ticks(limit)
        assert ticks[0] == 0.0 and 3 <= len(ticks) <= 8 and ticks[-1] <= limit * 1.001
