"""Pressures on points: laws and naive twins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kneeload.subject.surface import TriangleMesh
from kneeload.views.scene import Scene, body_pose, inverse_pose, placed
from kneeload.views.shading import (
    femur_pressure,
    point_mean,
    point_normals,
    point_pressure,
    surface_points,
    triangle_areas,
    triangle_centres,
)

FRAME = 3


def _naive_point_mean(mesh: TriangleMesh, value: np.ndarray) -> np.ndarray:
    total, weight = np.zeros(len(mesh.points)), np.zeros(len(mesh.points))
    for triangle, item in zip(mesh.triangles, value):
        a, b, c = mesh.points[triangle]
        area = 0.5 * np.linalg.norm(np.cross(b - a, c - a))
        for corner in triangle:
            total[corner] += area * item
            weight[corner] += area
    return np.array([t / w if w else 0.0 for t, w in zip(total, weight)])


def test_point_mean_equals_its_plain_twin_also_at_points_without_triangles() -> None:
    rng = np.random.default_rng(3)
    mesh = TriangleMesh(points=rng.random((12, 3)), triangles=rng.integers(0, 11, (20, 3)).astype(np.int32))  # point 11 is unused
    value = rng.random(20)
    assert point_mean(mesh, value) == pytest.approx(_naive_point_mean(mesh, value), rel=1e-12)


def test_areas_and_normals_of_a_ball(scene: Scene) -> None:
    mesh = scene.anatomy.bones["femur"]
    assert triangle_areas(mesh).sum() == pytest.approx(4.0 * np.pi * 30.0**2, rel=0.01)  # a polyhedron inside the sphere
    radial = (mesh.points - np.array([0.0, 20.0, 0.0])) / 30.0
    assert (np.einsum("ij,ij->i", point_normals(mesh.points, mesh.triangles), radial) > 0.99).all()  # outwards


def test_even_pressure_stays_even(scene: Scene) -> None:
    mesh = scene.anatomy.tibia_medial.mesh
    assert point_pressure(mesh, np.full(len(mesh.triangles), 3.0)) == pytest.approx(3.0, rel=1e-12)


@pytest.mark.parametrize("name", ["tibia_medial", "tibia_lateral", "patella"])
def test_smoothing_keeps_the_peak_and_stays_within_the_triangles(scene: Scene, name: str) -> None:
    mesh = getattr(scene.anatomy, name).mesh
    field = next(field for field in scene.contact.fields if field.name == name)
    frame = 7 if name == "patella" else FRAME
    points = point_pressure(mesh, field.pressure[frame])
    peak = float(field.pressure[frame].max())
    assert 0.97 * peak < points.max() <= peak  # patches of 4 mm on triangles of 1 mm, as in a knee
    assert points.min() >= 0.0


def test_the_correction_gives_back_what_averaging_takes_from_a_sharp_peak(scene: Scene) -> None:
    mesh = scene.anatomy.tibia_lateral.mesh
    value = np.exp(-0.5 * ((triangle_centres(mesh) - [0.0, -20.0, 22.0]) ** 2).sum(axis=1) / 1.5**2)  # 1.5 mm wide on triangles of 1 mm
    assert point_mean(mesh, value).max() < 0.96 * value.max() < 0.98 * value.max() < point_pressure(mesh, value).max()


def test_missing_pressure_counts_as_none(scene: Scene) -> None:
    mesh = scene.anatomy.patella.mesh
    value = np.full(len(mesh.triangles), np.nan)
    assert (point_pressure(mesh, value) == 0.0).all()


def test_the_femur_shows_the_pressure_of_the_surface_that_touches_it(scene: Scene) -> None:
    femur = scene.anatomy.femur.mesh
    pressure = femur_pressure(scene, FRAME, femur.points, ("tibia",))
    for side, name, peak in ((-1.0, "tibia_medial", 6.0), (1.0, "tibia_lateral", 3.5)):
        there = np.where(np.sign(femur.points[:, 2]) == side, pressure, 0.0)
        field = next(field for field in scene.contact.fields if field.name == name)
        assert 0.95 * peak < there.max() <= field.pressure[FRAME].max() * 1.0001
        assert np.linalg.norm(femur.points[there.argmax()][[0, 2]] - np.array([0.0, side * 22.0])) < 1.5
    assert (pressure[femur.points[:, 1] > 0.0] == 0.0).all()  # the far side of the balls


def test_the_map_on_the_femur_agrees_with_a_search_of_the_nearest_triangle(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(flexion=0.4)
    femur, surface = scene.anatomy.femur.mesh, scene.anatomy.tibia_lateral
    field = next(field for field in scene.contact.fields if field.name == "tibia_lateral")
    local = placed(femur.points, inverse_pose(body_pose(scene, "tibia", FRAME)))
    near = np.flatnonzero((np.hypot(local[:, 0], local[:, 2] - 22.0) < 7.0) & (local[:, 1] < -15.0))
    centres = triangle_centres(surface.mesh)
    nearest = np.array([((centres - point) ** 2).sum(axis=1).argmin() for point in local[near]])
    mapped = femur_pressure(scene, FRAME, femur.points[near], ("tibia",))
    assert len(near) > 20
    assert np.abs(mapped - field.pressure[FRAME][nearest]).max() < 0.12 * 3.5  # half a millimetre of slope between the two ways


def test_triangles_under_the_meniscus_do_not_reach_the_femur(scene: Scene) -> None:
    covered = scene.anatomy.covered_medial
    fields = tuple(replace(field, pressure=np.where(covered, 50.0, field.pressure).astype(np.float32), femur_triangle=np.zeros_like(field.femur_triangle))
                   if field.name == "tibia_medial" else field for field in scene.contact.fields)
    loaded = replace(scene, contact=replace(scene.contact, fields=fields))
    assert femur_pressure(loaded, FRAME, scene.anatomy.femur.mesh.points).max() < 7.0


def test_only_the_bodies_asked_for_press_on_the_femur(scene: Scene) -> None:
    points = scene.anatomy.femur.mesh.points
    front = points[:, 0] > 19.0
    only = {bodies: femur_pressure(scene, 7, points, bodies) for bodies in (("tibia",), ("patella",), ("tibia", "patella"))}
    assert only[("tibia",)][front].max() == 0.0
    assert only[("patella",)][front].max() > 0.95 * 4.2 and only[("patella",)][points[:, 1] < -15.0].max() == 0.0
    assert (only[("tibia", "patella")] == np.maximum(only[("tibia",)], only[("patella",)])).all()


def test_a_meniscus_is_drawn_where_its_hoops_let_it_go(scene: Scene) -> None:
    moved = replace(scene, contact=replace(scene.contact, meniscus_expansion=np.tile([1.5, 0.0], (11, 1))))
    shift = surface_points(moved, "medial_meniscus", FRAME) - surface_points(scene, "medial_meniscus", FRAME)
    from_centre = surface_points(scene, "medial_meniscus", FRAME) * np.array([1.0, 0.0, 1.0]) - np.array([0.0, 0.0, -22.0])
    assert np.linalg.norm(shift, axis=1) == pytest.approx(1.5, rel=1e-9)
    assert (np.einsum("ij,ij->i", shift, from_centre) > 0.0).all()
    assert (surface_points(moved, "tibia_medial", FRAME) == scene.anatomy.tibia_medial.mesh.points).all()
