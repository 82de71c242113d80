"""Net joint loads from the ground reaction: statics by hand, free fall, a swinging leg, the mirror image."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.motion.generic_leg import generic_legs
from kneeload.motion.ground_reaction import plate_of
from kneeload.motion.leg_loads import LegJoints, LegLoads, leg_joints, leg_loads
from kneeload.motion.skeleton import Skeleton, pose_of, turned
from kneeload.subject.person import Subject
from kneeload.units import GRAVITY_M_S2

SUBJECT = Subject(body_mass_kg=70.0, height_m=1.75)
SKELETON = generic_legs(SUBJECT)
TIME = np.linspace(0.0, 1.0, 201)
FORCE = np.tile([0.0, 600.0, 0.0], (TIME.size, 1))


def joints(side: str = "r", skeleton: Skeleton = SKELETON) -> LegJoints:
    return leg_joints(skeleton, {"hip": f"hip_flexion_{side}", "knee": f"knee_angle_{side}", "ankle": f"ankle_angle_{side}"})


def loads(coordinates: dict[str, np.ndarray], force: np.ndarray, point: np.ndarray, side: str = "r", *, inertia: bool = False) -> LegLoads:
    leg = joints(side)
    pose = pose_of(SKELETON, coordinates, SKELETON.beyond(leg.hip))
    return leg_loads(SKELETON, leg, pose, TIME, force, np.cross(point, force), left=side == "l", smooth=pose if inertia else None)


def straight() -> dict[str, np.ndarray]:
    return {"pelvis_ty": np.full(TIME.size, 1000.0)}


def test_statics_by_hand() -> None:
    """Straight leg, 600 N upwards 30 mm ahead of the knee and 20 mm medially."""
    knee = pose_of(SKELETON, straight(), ("foot_r",)).centre["knee_r"][0]
    got = loads(straight(), FORCE, knee + np.tile([30.0, -450.0, -20.0], (TIME.size, 1)))
    foot, shank = (SKELETON.bodies[name].mass_kg * GRAVITY_M_S2 for name in ("foot_r", "tibia_r"))
    np.testing.assert_allclose(got.knee_adduction_moment, 600.0 * 20.0)
    np.testing.assert_allclose(got.knee_extension_moment, -600.0 * 30.0 + foot * 0.04 * 1750.0)
    np.testing.assert_allclose(got.axial_force, 600.0 - foot - shank)
    np.testing.assert_allclose(got.anterior_force, 0.0, atol=1e-9)
    np.testing.assert_allclose(got.ankle_dorsiflexion_moment, -600.0 * 30.0 + foot * 0.04 * 1750.0)  # the calf holds it
    np.testing.assert_allclose(got.hip_abduction_moment, 600.0 * 20.0)


def test_free_moment_and_forward_force() -> None:
    knee = pose_of(SKELETON, straight(), ("foot_r",)).centre["knee_r"][0]
    got = loads(straight(), np.tile([50.0, 0.0, 0.0], (TIME.size, 1)), knee + np.tile([0.0, -400.0, 0.0], (TIME.size, 1)))
    np.testing.assert_allclose(got.anterior_force, 50.0)
    foot = SKELETON.bodies["foot_r"].mass_kg * GRAVITY_M_S2
    np.testing.assert_allclose(got.knee_extension_moment, -50.0 * 400.0 + foot * 0.04 * 1750.0)


def test_a_free_moment_turns_the_tibia() -> None:
    """A plate that turns the toes inwards (+y on a right foot) is held by an internal moment outwards."""
    plate = plate_of("plate", "right", TIME, FORCE, np.tile([10.0, 0.0, 5.0], (TIME.size, 1)), np.tile([0.0, 4000.0, 0.0], (TIME.size, 1)))
    leg = joints()
    pose = pose_of(SKELETON, straight(), SKELETON.beyond(leg.hip))
    got = leg_loads(SKELETON, leg, pose, TIME, plate.force, plate.moment, left=False, smooth=None)
    np.testing.assert_allclose(got.knee_rotation_moment, -4000.0)


def test_rotations_follow_each_other_in_the_moving_frame() -> None:
    """Hip flexion first, then adduction about the flexed leg's anterior axis."""
    pose = pose_of(SKELETON, {"hip_flexion_r": np.array([np.pi / 2]), "hip_adduction_r": np.array([np.pi / 2])}, ("femur_r",))
    # the thigh points forwards after flexion, and medially (-z) after adduction
    np.testing.assert_allclose(pose.body["femur_r"].rotation[0] @ [0.0, -1.0, 0.0], [0.0, 0.0, -1.0], atol=1e-12)


def test_nothing_is_needed_in_free_fall() -> None:
    falling = {"pelvis_ty": 1000.0 - 0.5e3 * GRAVITY_M_S2 * TIME**2, "hip_flexion_r": np.full(TIME.size, 0.4), "knee_angle_r": np.full(TIME.size, 0.9)}
    got = loads(falling, 0.0 * FORCE, 0.0 * FORCE, inertia=True)
    for name in LegLoads.__slots__:
        np.testing.assert_allclose(getattr(got, name), 0.0, atol=1e-4)


def test_a_leg_that_swings_at_constant_angular_acceleration() -> None:
    """Hip moment = moment of inertia about the hip x angular acceleration + weight x lever, for a straight leg."""
    acceleration = 6.0
    angle = 0.5 * acceleration * TIME**2 - 0.5
    got = loads({"hip_flexion_r": angle}, 0.0 * FORCE, 0.0 * FORCE, inertia=True)
    pose = pose_of(SKELETON, {"hip_flexion_r": np.zeros(1)}, ("foot_r",))
    inertia, first = 0.0, np.zeros(3)
    for name in ("femur_r", "tibia_r", "foot_r"):
        body = SKELETON.bodies[name]
        arm = pose.body[name].origin[0] + body.mass_centre_mm - pose.centre["hip_r"][0]
        inertia += body.mass_kg * (arm @ arm) + body.inertia_kg_mm2[2, 2]
        first += body.mass_kg * arm
    lever = (turned(np.array([0.0, 0.0, 1.0]), angle) @ first)[:, 0]
    np.testing.assert_allclose(got.hip_flexion_moment[5:-5], (inertia * acceleration * 1e-3 + lever * GRAVITY_M_S2)[5:-5], atol=10.0)


@pytest.mark.parametrize("inertia", [False, True])
def test_left_is_the_mirror_image_of_right(inertia: bool) -> None:
    wave = {name: 0.3 * np.sin(3.0 * TIME + phase) for phase, name in enumerate((
        "pelvis_tilt", "pelvis_list", "pelvis_rotation", "hip_flexion_r", "hip_adduction_r", "hip_rotation_r", "knee_angle_r", "knee_adduction_r", "knee_rotation_r", "ankle_angle_r"))}
    wave |= {"pelvis_tx": 900.0 * TIME, "pelvis_ty": 950.0 + 20.0 * np.cos(TIME), "pelvis_tz": 30.0 * np.sin(TIME)}
    force = np.stack([80.0 * np.cos(TIME), 600.0 + 50.0 * TIME, 40.0 * np.sin(TIME)], axis=1)
    point = np.stack([100.0 + 50.0 * TIME, 0.0 * TIME, 90.0 + TIME], axis=1)
    flip = np.array([1.0, 1.0, -1.0])
    mirrored = {name[:-1] + "l" if name.endswith("_r") else name: -value if name in ("pelvis_list", "pelvis_rotation", "pelvis_tz") else value for name, value in wave.items()}
    right, left = loads(wave, force, point, inertia=inertia), loads(mirrored, force * flip, point * flip, "l", inertia=inertia)
    for name in LegLoads.__slots__:
        np.testing.assert_allclose(getattr(left, name), getattr(right, name), atol=1e-6, err_msg=name)


def test_the_skeleton_weighs_what_the_tables_say() -> None:
    leg = sum(SKELETON.bodies[name].mass_kg for name in SKELETON.beyond(joints().hip))
    assert leg == pytest.approx(0.161 * SUBJECT.body_mass_kg)  # whole leg of Winter's table
