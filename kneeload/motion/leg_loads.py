"""Net joint loads of one leg from the ground reaction upwards, by Newton and Euler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.motion.skeleton import Body, Frame, Joint, Pose, Skeleton
from kneeload.units import GRAVITY_M_S2

Array = NDArray[np.float64]

_MM_KG_TO_N = 1e-3  # kg mm/s2 -> N
_FLIP = np.array([1.0, 1.0, -1.0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LegLoads:
    """Net loads of inverse dynamics, signs as in `Motion`, as if the leg were a right one.

    Attributes:
        hip_flexion_moment: (T,) N mm, internal, flexion positive.
        hip_abduction_moment: (T,) N mm, internal, abduction positive.
        knee_extension_moment: (T,) N mm, internal, extension positive, about the axis of knee flexion.
        knee_adduction_moment: (T,) N mm, external, positive loads the medial side, about the anterior axis of the tibia.
        knee_rotation_moment: (T,) N mm, internal, internal rotation of the tibia positive, about its long axis.
        ankle_dorsiflexion_moment: (T,) N mm, internal, dorsiflexion positive.
        axial_force: (T,) N, along the tibia, positive compresses the knee.
        anterior_force: (T,) N, across the tibia, positive pulls it forwards.
    """

    hip_flexion_moment: Array
    hip_abduction_moment: Array
    knee_extension_moment: Array
    knee_adduction_moment: Array
    knee_rotation_moment: Array
    ankle_dorsiflexion_moment: Array
    axial_force: Array
    anterior_force: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class LegJoints:
    """The three joints of a leg and the coordinates that flex them."""

    hip: Joint
    knee: Joint
    ankle: Joint
    flexion: Mapping[str, str]

    @property
    def all(self) -> tuple[Joint, Joint, Joint]:
        """Hip, knee, ankle."""
        return self.hip, self.knee, self.ankle


def leg_joints(skeleton: Skeleton, coordinates: Mapping[str, str]) -> LegJoints:
    """The joints that the coordinates "hip", "knee" and "ankle" (our word -> name in the skeleton) drive."""
    ankle = skeleton.joint_with(coordinates["ankle"])
    chain = skeleton.above(ankle.parent)
    def on_the_way(name: str) -> Joint:
        return next(joint for joint in skeleton.joints if coordinates[name] in joint.coordinates() and joint.child in chain)
    return LegJoints(hip=on_the_way("hip"), knee=on_the_way("knee"), ankle=ankle, flexion=dict(coordinates))


def leg_loads(skeleton: Skeleton, joints: LegJoints, pose: Pose, time: Array, ground_force: Array, ground_moment: Array, *,
              left: bool, smooth: Pose | None) -> LegLoads:
    """Net loads at hip, knee and ankle.

    For the bodies i beyond a joint with centre J, with the ground reaction F and its moment M about the origin (Winter 2009, chapters 5, 7):

        force  = sum m_i (a_i - g) - F
        moment = sum [(c_i - J) x m_i (a_i - g) + dH_i/dt] - (M - J x F),      H_i = R_i I_i R_i^T omega_i

    both on the distal bodies, by what lies above. a_i and omega_i are derivatives of cubic splines through the smooth pose: they are only
    as smooth as its angles. Without a smooth pose they are zero (statics).

    Args:
        skeleton: bodies and joints.
        joints: those of this leg.
        pose: of all bodies beyond the hip, T frames.
        time: (T,) s.
        ground_force: (T, 3) N, on the foot, ground frame.
        ground_moment: (T, 3) N mm, on the foot, about the ground's origin.
        left: mirror the result.
        smooth: the same pose from low-passed angles, for accelerations, or None.
    """
    net = {joint.name: _net(skeleton, joint, pose, time, ground_force, ground_moment, smooth) for joint in joints.all}
    flip = _FLIP if left else np.ones(3)
    force = net[joints.knee.name][0] * flip
    moment = {name: value[1] * (-flip if left else flip) for name, value in net.items()}
    axes = {joint.name: pose.axes[joint.name] * flip for joint in joints.all}
    tibia = pose.body[joints.knee.child].rotation
    tibia_x, tibia_y = (np.einsum("tij,j->ti", tibia, axis) * flip for axis in np.eye(3)[:2])

    def about(joint: Joint, number: int, direction: int) -> Array:
        """Moment about one of the joint's rotation axes, the axis pointing along +z (2) or +x (0) of the ground as far as it can."""
        axis = axes[joint.name][:, number]
        axis = axis * np.where(np.median(axis[:, direction]) < 0.0, -1.0, 1.0)
        return np.einsum("ti,ti->t", moment[joint.name], axis)

    def flexion(joint: Joint, name: str) -> Array:
        number = next(i for i, axis in enumerate(joint.rotations) if axis.coordinate == joints.flexion[name])
        return about(joint, number, 2)

    sideways = min(1, len(joints.hip.rotations) - 1)
    knee = moment[joints.knee.name]
    return LegLoads(
        hip_flexion_moment=flexion(joints.hip, "hip"), hip_abduction_moment=-about(joints.hip, sideways, 0),
        knee_extension_moment=flexion(joints.knee, "knee"), knee_adduction_moment=-np.einsum("ti,ti->t", knee, tibia_x),
        knee_rotation_moment=np.einsum("ti,ti->t", knee, tibia_y), ankle_dorsiflexion_moment=flexion(joints.ankle, "ankle"),
        axial_force=-np.einsum("ti,ti->t", force, tibia_y), anterior_force=-np.einsum("ti,ti->t", force, tibia_x),
    )


def _net(skeleton: Skeleton, joint: Joint, pose: Pose, time: Array, ground_force: Array, ground_moment: Array, smooth: Pose | None) -> tuple[Array, Array]:
    """Force (T, 3) N and moment (T, 3) N mm about the joint's centre, on the bodies beyond it."""
    centre = pose.centre[joint.name]
    force = -ground_force
    moment = np.cross(centre, ground_force) - ground_moment
    for name in skeleton.beyond(joint):
        body, frame = skeleton.bodies[name], pose.body[name]
        at = _centre(body, frame)
        push = body.mass_kg * np.array([0.0, GRAVITY_M_S2, 0.0]) + np.zeros_like(at)
        if smooth is not None:
            push = push + body.mass_kg * _rate(_centre(body, smooth.body[name]), time, 2) * _MM_KG_TO_N
            moment = moment + _rate(_angular_momentum(smooth.body[name].rotation, body.inertia_kg_mm2, time), time) * _MM_KG_TO_N
        force = force + push
        moment = moment + np.cross(at - centre, push)
    return force, moment


def _angular_momentum(rotation: Array, inertia: Array, time: Array) -> Array:
    """(T, 3) kg mm2/s: R I R^T omega, with omega from dR/dt R^T."""
    spin = np.einsum("tij,tkj->tik", _rate(rotation, time), rotation)
    omega = 0.5 * np.stack([spin[:, 2, 1] - spin[:, 1, 2], spin[:, 0, 2] - spin[:, 2, 0], spin[:, 1, 0] - spin[:, 0, 1]], axis=1)
    return np.einsum("tij,jk,tlk,tl->ti", rotation, inertia, rotation, omega)


def _centre(body: Body, frame: Frame) -> Array:
    """Centre of mass in the ground frame, (T, 3) mm."""
    return frame.origin + np.einsum("tij,j->ti", frame.rotation, body.mass_centre_mm)


def _rate(values: Array, time: Array, order: int = 1) -> Array:
    """Derivative with respect to time, of a cubic spline through the values."""
    from scipy.interpolate import CubicSpline  # here: its import takes longer than a whole motion

    return CubicSpline(time, values, axis=0)(time, order)
