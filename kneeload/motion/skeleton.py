"""A chain of rigid bodies and joints: where each body is for given joint coordinates, in the ground frame (x forwards, y up, z to the right)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """A rigid body.

    Attributes:
        name: of the body.
        mass_kg: mass, kg.
        mass_centre_mm: (3,) mm, centre of mass in the body frame.
        inertia_kg_mm2: (3, 3) kg mm2, about the centre of mass, in the body frame.
    """

    name: str
    mass_kg: float
    mass_centre_mm: Array
    inertia_kg_mm2: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MovingAxis:
    """One axis of a joint and how far the joint turns (rad) or slides (mm) about it.

    Attributes:
        axis: (3,) unit vector (no unit) in the frame that the earlier rotations have reached (rotations) or in the parent's (translations).
        coordinate: the coordinate that drives it, or None for a constant.
        function: rad (or mm) of the coordinate's value; coordinates are in rad or mm.
    """

    axis: Array
    coordinate: str | None
    function: Callable[[Array], Array]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """A frame over time, or a fixed offset (T = 1).

    Attributes:
        rotation: (T, 3, 3) no unit, columns are the frame's axes in the outer frame.
        origin: (T, 3) mm in the outer frame.
    """

    rotation: Array
    origin: Array

    def then(self, inner: Frame) -> Frame:
        """The inner frame, given in this one, in the outer frame."""
        return Frame(rotation=self.rotation @ inner.rotation, origin=self.origin + np.einsum("tij,tj->ti", *_same(self.rotation, inner.origin)))

    def inverse(self) -> Frame:
        """The outer frame seen from this one."""
        back = np.swapaxes(self.rotation, 1, 2)
        return Frame(rotation=back, origin=-np.einsum("tij,tj->ti", back, self.origin))

    def mirrored(self) -> Frame:
        """The mirror image of this frame at the plane z = 0: what a left leg is to the right leg's equations."""
        flip = np.array([1.0, 1.0, -1.0])
        return Frame(rotation=self.rotation * flip[:, None] * flip[None, :], origin=self.origin * flip)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Joint:
    """A joint: parent body -> fixed offset -> three rotations (body-fixed, in order) and three translations -> fixed offset -> child body."""

    name: str
    parent: str
    child: str
    parent_offset: Frame
    child_offset: Frame
    rotations: tuple[MovingAxis, ...]
    translations: tuple[MovingAxis, ...]

    def coordinates(self) -> set[str]:
        """Names of the coordinates that drive the joint."""
        return {axis.coordinate for axis in (*self.rotations, *self.translations) if axis.coordinate is not None}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Skeleton:
    """Bodies and joints of a leg or of a whole person.

    Attributes:
        source: where lengths and masses come from.
        bodies: name -> body.
        joints: parents before children; the first joins the ground and the pelvis.
        defaults: coordinate -> value (rad or mm) that holds when a motion has no such coordinate.
        sliding: names of the coordinates that are lengths.
    """

    source: str
    bodies: Mapping[str, Body]
    joints: tuple[Joint, ...]
    defaults: Mapping[str, float]
    sliding: frozenset[str]

    def joint_with(self, coordinate: str) -> Joint:
        """The joint that a coordinate drives."""
        return next(joint for joint in self.joints if coordinate in joint.coordinates())

    def beyond(self, joint: Joint) -> tuple[str, ...]:
        """Bodies that a joint carries: its child and all that hangs on it."""
        found = [joint.child]
        for other in self.joints:
            if other.parent in found and other.child not in found:
                found.append(other.child)
        return tuple(found)

    def above(self, body: str) -> tuple[str, ...]:
        """The body and all bodies between it and the ground, outermost last."""
        chain = [body]
        by_child = {joint.child: joint.parent for joint in self.joints}
        while chain[-1] in by_child:
            chain.append(by_child[chain[-1]])
        return tuple(chain)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pose:
    """Bodies and joint axes over time, in the ground frame.

    Attributes:
        body: body name -> its frame.
        axes: joint name -> (T, 3, 3) no unit, row i is the i-th rotation axis in the ground frame.
        centre: joint name -> (T, 3) mm, origin of the joint's child frame.
    """

    body: Mapping[str, Frame]
    axes: Mapping[str, Array]
    centre: Mapping[str, Array]


def pose_of(skeleton: Skeleton, coordinates: Mapping[str, Array], bodies: tuple[str, ...]) -> Pose:
    """Forward kinematics of `bodies` (their chain down to the ground included).

    Args:
        skeleton: bodies and joints.
        coordinates: name -> (T,) rad or mm; names left out take the skeleton's default.
        bodies: names of the bodies that are wanted.

    Returns:
        Frames of those bodies, axes and centres of the joints on the way.
    """
    samples = max((value.size for value in coordinates.values()), default=1)
    wanted = {name for body in bodies for name in skeleton.above(body)}
    placed = {"ground": Frame(rotation=np.tile(np.eye(3), (samples, 1, 1)), origin=np.zeros((samples, 3)))}
    axes: dict[str, Array] = {}
    centre: dict[str, Array] = {}
    for joint in skeleton.joints:
        if joint.child not in wanted:
            continue
        base = placed[joint.parent].then(joint.parent_offset)
        moving, axes[joint.name] = _moved(skeleton, joint, base, coordinates, samples)
        centre[joint.name] = moving.origin
        placed[joint.child] = moving.then(joint.child_offset.inverse())
    return Pose(body=placed, axes=axes, centre=centre)


def _moved(skeleton: Skeleton, joint: Joint, base: Frame, coordinates: Mapping[str, Array], samples: int) -> tuple[Frame, Array]:
    """The frame behind the joint's motion, and the directions of its rotation axes in the ground frame."""
    def value(axis: MovingAxis) -> Array:
        name = axis.coordinate
        given = np.zeros(1) if name is None else coordinates.get(name, np.array([skeleton.defaults.get(name, 0.0)]))
        return np.broadcast_to(axis.function(given), (samples,))

    turn = np.tile(np.eye(3), (samples, 1, 1))
    directions = np.empty((samples, 3, 3))
    for index, axis in enumerate(joint.rotations):
        directions[:, index] = np.einsum("tij,j->ti", base.rotation @ turn, axis.axis)
        turn = turn @ turned(axis.axis, value(axis))
    shift = sum((value(axis)[:, None] * axis.axis for axis in joint.translations), np.zeros((samples, 3)))
    return base.then(Frame(rotation=turn, origin=shift)), directions


def turned(axis: Array, angle: Array) -> Array:
    """Rotation matrices about one axis (formula of Rodrigues).

    Args:
        axis: (3,) unit vector.
        angle: (T,) rad.

    Returns:
        (T, 3, 3), no unit.
    """
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle)[:, None, None] * cross + (1.0 - np.cos(angle))[:, None, None] * (cross @ cross)


def fixed(translation_mm: Array, rotation: Array | None = None) -> Frame:
    """A fixed offset: (3,) mm and a (3, 3) rotation (none = parallel)."""
    return Frame(rotation=(np.eye(3) if rotation is None else rotation)[None], origin=np.asarray(translation_mm, dtype=np.float64)[None])


def _same(rotation: Array, origin: Array) -> tuple[Array, Array]:
    samples = max(rotation.shape[0], origin.shape[0])
    return np.broadcast_to(rotation, (samples, 3, 3)), np.broadcast_to(origin, (samples, 3))
