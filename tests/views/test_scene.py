"""Frames, sides and titles of a scene."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kneeload.views.panels import build_panels, view_pressures
from kneeload.views.scene import Scene, casting_surfaces, cycle_percent, headline, inverse_pose, joint_force, peak_frame, placed, shown


def _pose(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation * np.sign(np.linalg.det(rotation)), rng.normal(size=3) * 30.0
    return pose


def test_a_pose_and_its_inverse_cancel() -> None:
    pose, points = _pose(1), np.random.default_rng(2).normal(size=(5, 3)) * 40.0
    assert inverse_pose(pose) == pytest.approx(np.linalg.inv(pose), abs=1e-12)
    assert placed(placed(points, pose), inverse_pose(pose)) == pytest.approx(points, abs=1e-10)
    assert placed(points, pose)[0] == pytest.approx((pose @ np.append(points[0], 1.0))[:3], abs=1e-12)


def test_only_the_pose_between_two_bodies_counts_for_what_is_seen_of_one_from_the_other(scene: Scene) -> None:
    shift, contact = _pose(4), scene.contact
    moved = replace(scene, contact=replace(contact, femur_from_tibia=np.array([shift @ pose for pose in contact.femur_from_tibia])))
    for key in (0, 1, 2):  # drawn in the tibia frame: the plateau stays where it was, the femur moves by the inverse
        before, after = (build_panels(item, view_pressures(item), 10.0)[key] for item in (scene, moved))
        plateau = before.key == "tibia"
        assert np.allclose(before.patches[0].points, after.patches[0].points) == plateau


def test_peaks_pass_over_frames_without_a_number(scene: Scene) -> None:
    assert (peak_frame(scene, "tibiofemoral"), peak_frame(scene, "patellofemoral")) == (3, 7)
    holed = scene.contact.medial.force.copy()
    holed[3] = np.nan
    other = replace(scene, contact=replace(scene.contact, medial=replace(scene.contact.medial, force=holed)))
    assert peak_frame(other, "tibiofemoral") in (2, 4)
    assert joint_force(scene, "tibiofemoral")[3] == pytest.approx(1800.0)
    assert [cycle_percent(scene, frame) for frame in (0, 5, 10)] == [0.0, 50.0, 100.0]


def test_a_held_pose_has_no_percent_of_a_cycle(scene: Scene) -> None:
    still = {name: replace(part, force=np.full(11, 300.0)) for name, part in (("medial", scene.contact.medial), ("lateral", scene.contact.lateral))}
    held = replace(scene, contact=replace(scene.contact, **still))
    assert [panel.subtitle for panel in build_panels(held, view_pressures(held), 10.0)][2:4] == [
        "tibiofemoral force in this pose", "at peak patellofemoral force (70 % of the cycle): peak 4.1 MPa"]


def test_mirroring_twice_gives_the_same_surface(scene: Scene) -> None:
    mesh = scene.anatomy.tibia_medial.mesh
    points, triangles = shown(*shown(mesh.points, mesh.triangles, "left"), "left")
    assert (points == mesh.points).all() and (triangles == mesh.triangles).all()


def test_a_removed_meniscus_has_no_surface(scene: Scene) -> None:
    assert list(casting_surfaces(scene.anatomy)) == ["tibia_medial", "tibia_lateral", "medial_meniscus", "patella"]


def test_the_headline_leaves_out_what_is_empty(make_scene: Callable[..., Scene]) -> None:
    assert headline(make_scene(side="left", interventions=("toe_in", "weight_loss"))) == "Left knee  ·  woman, 62 kg, 1.70 m  ·  stair descent  ·  with toe in, weight loss"
    assert headline(make_scene(subject="", activity="")) == "Right knee"
    assert headline(make_scene(subject="man, 80 kg, right knee", activity="")) == "Man, 80 kg, right knee"
