"""The muscles of one person over one motion: what each can pull, where it pulls, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.forces.extensor import ExtensorMechanism, extensor_mechanism
from kneeload.forces.muscle_geometry import (
    ANKLE_MUSCLES,
    HIP_MUSCLES,
    KNEE_MUSCLES,
    QUADRICEPS,
    MuscleGeometry,
    muscle_geometry,
)
from kneeload.forces.muscles import MuscleModel, capacity, effort_weights, size_scale
from kneeload.forces.personal import PersonalGeometry
from kneeload.forces.stability import stiffness_per_newton
from kneeload.motion.motion import Motion
from kneeload.subject.person import Subject

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leg:
    """n muscles over T frames; the 13 that cross the knee come first.

    Attributes:
        names: of the muscles.
        extensor: extensor mechanism.
        force: (T, n, 3) no unit, tibia frame; force on the tibia per newton of tension, quadriceps by way of the patellar tendon.
        moment: (T, n, 3) mm, tibia frame; moment about the tibia origin per newton of tension, same.
        arms: (4, T, n) mm; lever arms for knee extension, hip extension, ankle plantarflexion and hip abduction; 0 where the motion does not
            know the moment, so that nothing is asked there.
        stiffness: (T, n) mm per rad; stiffness of the knee in flexion per newton of tension.
        capacity: (T, n) N; largest active force.
        weight: (n,) no unit; cost of squared activation.
        low: (T, n) no unit; least activation.
    """

    names: tuple[str, ...]
    extensor: ExtensorMechanism
    force: Array
    moment: Array
    arms: Array
    stiffness: Array
    capacity: Array
    weight: Array
    low: Array


def leg_of(motion: Motion, subject: Subject, model: MuscleModel, source_scale: Array, personal: PersonalGeometry) -> Leg:
    """Return the muscles that this motion needs: those of the knee, and those of hip and ankle where their moments are known."""
    size = size_scale(subject)
    names = _names(motion)
    extensor = extensor_mechanism(motion.knee_flexion, subject.height_m, source_scale)
    geometry = muscle_geometry(names, motion.knee_flexion, motion.hip_flexion, motion.ankle_dorsiflexion)
    force, moment = _lines(geometry, extensor, size)
    knee = _extension_arms(geometry, extensor, size) * personal.factor("knee_arm_scale", names)
    hip = size * personal.factor("hip_arm_scale", names)
    ankle = size * personal.factor("ankle_arm_scale", names)
    return Leg(
        names=names, extensor=extensor, force=force, moment=personal.line_of_action(names, force, moment),
        arms=np.stack([knee, *_other_arms(motion, geometry, hip, ankle)]),
        stiffness=stiffness_per_newton(geometry, knee, size),
        capacity=capacity(geometry, subject, model) * personal.factor("strength_scale", names),
        weight=effort_weights(geometry, model) * personal.factor("effort_scale", names),
        low=personal.activation_floor(np.zeros(len(motion.time)), names, motion, subject.body_weight_n),
    )


def _other_arms(motion: Motion, geometry: MuscleGeometry, hip: Array, ankle: Array) -> tuple[Array, ...]:
    """Arms for hip extension, ankle plantarflexion and hip abduction, each (T, n) mm; `hip` and `ankle` scale them, (n,) no unit."""
    known = ((motion.hip_extension_moment, geometry.hip_flexion_arm, hip), (motion.ankle_plantarflexion_moment, geometry.ankle_dorsiflexion_arm, ankle),
             (motion.hip_abduction_moment, geometry.hip_adduction_arm, hip))
    return tuple(np.zeros_like(arm) if moment is None else -arm * scale for moment, arm, scale in known)


def _names(motion: Motion) -> tuple[str, ...]:
    hip = motion.hip_extension_moment is not None or motion.hip_abduction_moment is not None
    return KNEE_MUSCLES + (HIP_MUSCLES if hip else ()) + (ANKLE_MUSCLES if motion.ankle_plantarflexion_moment is not None else ())


def _lines(geometry: MuscleGeometry, extensor: ExtensorMechanism, size: float) -> tuple[Array, Array]:
    """Force (T, n, 3) and moment (T, n, 3) mm on the tibia per newton of each muscle, the quadriceps by way of the patellar tendon."""
    force, moment = geometry.force.copy(), geometry.moment * size
    pull, turn = extensor.force_ratio[:, None] * extensor.tendon_direction, extensor.force_ratio[:, None] * extensor.tendon_moment
    for name in QUADRICEPS:
        column = geometry.names.index(name)
        force[:, column], moment[:, column] = pull, turn
    return force, moment


def _extension_arms(geometry: MuscleGeometry, extensor: ExtensorMechanism, size: float) -> Array:
    """Knee extension arms, (T, n) mm. The four heads keep their ratios; their strength-weighted mean is the measured effective arm."""
    arms = geometry.knee_extension_arm * size
    columns = [geometry.names.index(name) for name in QUADRICEPS]
    strength = geometry.max_isometric_force[columns]
    weight = strength / strength.sum()
    arms[:, columns] *= (extensor.quadriceps_arm / (arms[:, columns] @ weight))[:, None]
    return arms
