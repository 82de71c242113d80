"""From net loads to muscle, tendon and compartment forces: static optimisation with frontal-plane equilibrium."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.errors import InputError
from kneeload.forces.brace import Brace
from kneeload.forces.extensor import ExtensorMechanism, extensor_mechanism
from kneeload.forces.loads import JointLoads
from kneeload.forces.muscle_geometry import (
    ANKLE_MUSCLES,
    HIP_MUSCLES,
    KNEE_MUSCLES,
    QUADRICEPS,
    MuscleGeometry,
    muscle_geometry,
)
from kneeload.forces.muscles import MuscleModel, capacity, effort_weights, size_scale
from kneeload.forces.passive import passive_hip_flexion_moment, soft_tissue
from kneeload.kernels.recruitment import recruit
from kneeload.motion.motion import Motion
from kneeload.subject.person import Subject

Array = NDArray[np.float64]

SOURCE_KNEE_HEIGHT_M = 1.65  # stature of the woman whose knee gives the attachments (assumption, 1.60 to 1.70; Lenhart 2015: 62 kg)
RESTRAINTS = ("mcl", "lcl")  # what holds a compartment that muscles cannot keep closed
# Slack over multiplier in units of what all muscles together can do: moments at the three joints (slack stays near 1e-6 of it unless no
# muscle is left), then the compartments, which give way first (a ligament takes over, about 1 N while muscles can still do it).
_SOFTNESS = np.array([1e-6, 1e-6, 1e-6, 1e-4, 1e-4])
_TOLERANCE = 1e-10
_MAX_STEPS = 100
_RESERVE_SHARE = 1e-3  # a reserve above this share of what all muscles together can do is reported as status 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Frontal:
    """Frontal-plane statics of the two contact centres over T frames.

    Attributes:
        medial, lateral: (T,) mm; z of the contact centres.
    """

    medial: Array
    lateral: Array

    def split(self, axial: Array, moment: Array) -> tuple[Array, Array]:
        """Return medial and lateral compression, each (T, ...) N, of an upward force (N) and a moment +x (N mm) on the tibia.

        Contact pushes the tibia down at z, which is a moment z F about +x: medial + lateral = axial, and
        moment + z_m medial + z_l lateral = 0.
        """
        shape = (len(self.medial),) + (1,) * (axial.ndim - 1)
        medial, lateral = self.medial.reshape(shape), self.lateral.reshape(shape)
        width = lateral - medial
        return (lateral * axial + moment) / width, (-medial * axial - moment) / width


def _frontal(motion: Motion, flexion: ArrayLike, centres: ArrayLike, spacing_mm: float | None) -> _Frontal:
    knots, values = np.asarray(flexion, dtype=float), np.asarray(centres, dtype=float)
    if values.ndim != 3 or values.shape != (len(knots), 2, 2) or not np.all(np.isfinite(values)) or np.any(np.diff(knots) <= 0.0):
        raise InputError("contact centres", where="centres_mm", got=values.shape, allowed="finite (k, 2, 2) mm at k growing flexion angles",
                         why="one (x, z) is needed for each compartment at each angle")
    medial, lateral = (np.interp(motion.knee_flexion, knots, values[:, side, 1]) for side in (0, 1))
    if np.any(lateral - medial <= 1.0):
        raise InputError("contact centres", where="centres_mm", got=float((lateral - medial).min()), allowed="medial z < lateral z (mm)",
                         why="the frontal-plane moment is carried by their distance")
    if spacing_mm is not None:
        middle = 0.5 * (medial + lateral)
        medial, lateral = middle - 0.5 * spacing_mm, middle + 0.5 * spacing_mm
    return _Frontal(medial=medial, lateral=lateral)


def _lines(geometry: MuscleGeometry, extensor: ExtensorMechanism, size: float, ratio: Array) -> tuple[Array, Array]:
    """Force (T, n, 3) and moment (T, n, 3) mm on the tibia per newton of each muscle, the quadriceps by way of the patellar tendon."""
    force, moment = geometry.force.copy(), geometry.moment * size
    for name in QUADRICEPS:
        column = geometry.names.index(name)
        force[:, column] = ratio[:, None] * extensor.tendon_direction
        moment[:, column] = ratio[:, None] * extensor.tendon_moment
    return force, moment


def _extension_arms(geometry: MuscleGeometry, extensor: ExtensorMechanism, strength: Array, size: float) -> Array:
    """Knee extension arms, (T, n) mm. The four heads keep their ratios; their strength-weighted mean is the measured effective arm."""
    arms = geometry.knee_extension_arm * size
    columns = [geometry.names.index(name) for name in QUADRICEPS]
    weight = strength[columns] / strength[columns].sum()
    arms[:, columns] *= (extensor.quadriceps_arm / (arms[:, columns] @ weight))[:, None]
    return arms


def _readonly(array: NDArray[np.generic]) -> NDArray:
    array.setflags(write=False)
    return array


def _muscle_names(motion: Motion) -> tuple[str, ...]:
    names: tuple[str, ...] = KNEE_MUSCLES
    names += HIP_MUSCLES if motion.hip_extension_moment is not None else ()
    return names + (ANKLE_MUSCLES if motion.ankle_plantarflexion_moment is not None else ())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Recruited:
    """Answer of the optimisation: activation and force (T, n), reserve moments (T, 3) N mm, share of full capability (T, 3), steps (T,)."""

    activation: Array
    force: Array
    reserve: Array
    share: Array
    steps: NDArray[np.int32]
    max_steps: int


def _moments(motion: Motion, subject: Subject, geometry: MuscleGeometry, knee_arms: Array, size: float) -> tuple[Array, Array]:
    """Return the moments that muscles must supply at knee, hip and ankle, (3, T) N mm, and the muscles' arms for them, (3, T, n) mm."""
    target, arms = np.zeros((3, len(motion.time))), np.zeros((3, *knee_arms.shape))
    target[0], arms[0] = motion.knee_extension_moment, knee_arms
    if motion.hip_extension_moment is not None:
        target[1] = motion.hip_extension_moment + passive_hip_flexion_moment(motion.hip_flexion, motion.knee_flexion, subject)
        arms[1] = -geometry.hip_flexion_arm * size
    if motion.ankle_plantarflexion_moment is not None:
        target[2], arms[2] = motion.ankle_plantarflexion_moment, -geometry.ankle_dorsiflexion_arm * size
    return target, arms


def _recruit(moments: tuple[Array, Array], compartment: tuple[Array, Array], least: tuple[Array, Array], force: Array, weight: Array,
             floor: Array) -> _Recruited:
    """Distribute moments and compression over the muscles.

    Args:
        moments: required moments (3, T) N mm and arms (3, T, n) mm.
        compartment: medial and lateral compression per newton of each muscle, each (T, n).
        least: medial and lateral compression that the muscles must add, each (T,) N.
        force: (T, n) N at full activation.
        weight: (n,) no unit, cost of squared activation.
        floor: (T,) no unit, least activation.
    """
    rows = np.stack([*moments[1], *compartment], axis=1) * force[:, None, :]
    target = np.stack([*moments[0], *least], axis=1)
    full = np.abs(rows).sum(axis=2).max(axis=0)  # (5,) what all muscles together can do
    full = np.where(full > 0.0, full, 1.0)
    count = force.shape[1]
    activation, slack, steps = recruit(
        np.ascontiguousarray(rows / full[:, None]), np.ascontiguousarray(target / full), np.array([False, False, False, True, True]),
        weight, np.repeat(floor[:, None], count, axis=1), np.ones(count), _SOFTNESS, _TOLERANCE, _MAX_STEPS)
    return _Recruited(activation=activation, force=activation * force, reserve=slack[:, :3] * full[:3], share=np.abs(slack[:, :3]),
                      steps=steps, max_steps=_MAX_STEPS)


def joint_loads(motion: Motion, subject: Subject, *, centres_flexion: ArrayLike, centres_mm: ArrayLike,
                muscles: MuscleModel | None = None, brace: Brace | None = None, spacing_mm: float | None = None,
                source_scale: ArrayLike | None = None) -> JointLoads:
    """Return muscle, tendon, medial, lateral and patellofemoral forces over the cycle.

    Muscles share the net knee moment (and hip and ankle moments where the motion has them) with the least effort (see
    `MuscleModel`). Both compartments are pressed together only: where the adduction moment would lift one off, muscles must close it
    (with a margin for stride-to-stride variation, see `MuscleModel`), and what they cannot close is held by a collateral ligament.
    The soft-tissue tension of the unloaded knee is added (`soft_tissue`). The activity "compression" has no muscles and no soft tissue.

    Args:
        motion: angles and net loads.
        subject: size and mass.
        centres_flexion: (k,) rad.
        centres_mm: (k, 2, 2) mm, tibia frame; (x, z) of the medial and lateral contact centre at each flexion.
        muscles: settings; None = the defaults.
        brace: a worn off-loader brace.
        spacing_mm: distance between the contact centres, mm, about their mid-point; None = as in `centres_mm`.
        source_scale: (3,) no unit; `KneeAnatomy.source_scale`; None = height over 1.65 m.

    Raises:
        InputError: the contact centres do not describe a knee.
    """
    model = muscles or MuscleModel()
    frontal = _frontal(motion, centres_flexion, centres_mm, spacing_mm)
    adduction = motion.knee_adduction_moment.copy()
    if brace is not None and motion.activity != "compression":
        adduction -= brace.moment(motion.knee_flexion, motion.net_axial_force, subject.body_weight_n)
    if motion.activity == "compression":
        return _passive(motion, frontal, adduction)
    size = size_scale(subject)
    scale = np.full(3, subject.height_m / SOURCE_KNEE_HEIGHT_M) if source_scale is None else np.asarray(source_scale, dtype=float)
    extensor = extensor_mechanism(motion.knee_flexion, subject.height_m, scale)
    geometry = muscle_geometry(_muscle_names(motion), motion.knee_flexion, motion.hip_flexion, motion.ankle_dorsiflexion)
    line, moment = _lines(geometry, extensor, size, extensor.force_ratio)
    arms = _extension_arms(geometry, extensor, geometry.max_isometric_force, size)
    tissue_axial, tissue_moment, collateral = soft_tissue(motion.knee_flexion, scale)
    base = frontal.split(motion.net_axial_force + tissue_axial, adduction + tissue_moment)
    compartment = frontal.split(line[:, :, 1], moment[:, :, 0])
    margin = model.margin * np.abs(adduction) / (frontal.lateral - frontal.medial)
    answer = _recruit(_moments(motion, subject, geometry, arms, size), compartment, (margin - base[0], margin - base[1]),
                      capacity(geometry, subject, model), effort_weights(geometry, model),
                      model.activation_floor(motion.net_axial_force, subject.body_weight_n))
    medial, lateral = (base[side] + (compartment[side] * answer.force).sum(axis=1) for side in (0, 1))
    medial, lateral, restraint = _restrain(frontal, medial, lateral, collateral)
    return _assemble(motion, extensor, line, moment, answer, adduction, medial, lateral, restraint)


def _restrain(frontal: _Frontal, medial: Array, lateral: Array, collateral: Array) -> tuple[Array, Array, Array]:
    """Let the MCL close a medial and the LCL a lateral lift-off; return both forces and the two tensions (T, 2) N."""
    tension = np.zeros((len(medial), 2))
    for k, open_side in enumerate((0, 1)):
        gain = frontal.split(collateral[k][:, 0], collateral[k][:, 1])
        missing = np.maximum(0.0, -(medial, lateral)[open_side])
        tension[:, k] = missing / gain[open_side]
        medial = medial + gain[0] * tension[:, k]
        lateral = lateral + gain[1] * tension[:, k]
    return np.maximum(medial, 0.0), np.maximum(lateral, 0.0), tension


def _assemble(motion: Motion, extensor: ExtensorMechanism, line: Array, moment: Array, answer: _Recruited, adduction: Array,
              medial: Array, lateral: Array, restraint: Array) -> JointLoads:
    count = len(KNEE_MUSCLES)
    force = answer.force[:, :count]
    columns = [KNEE_MUSCLES.index(name) for name in QUADRICEPS]
    pull = np.einsum("tk,tki->ti", force[:, columns], extensor.head_direction)
    quadriceps = force[:, columns].sum(axis=1)
    tendon = quadriceps * extensor.force_ratio
    tendon_pull = -tendon[:, None] * np.einsum("tij,tj->ti", extensor.femur_from_tibia, extensor.tendon_direction)
    wrench_force = np.einsum("tk,tki->ti", force, line[:, :count])
    wrench_force[:, 1] += motion.net_axial_force
    if motion.net_anterior_force is not None:
        wrench_force[:, 0] += motion.net_anterior_force
    wrench_moment = np.einsum("tk,tki->ti", force, moment[:, :count])
    wrench_moment[:, 0] += adduction
    wrench_moment[:, 2] -= motion.knee_extension_moment
    status = np.where((answer.share > _RESERVE_SHARE).any(axis=1), 1, 0).astype(np.int8)
    status[answer.steps > answer.max_steps] = 2
    used = answer.share > _RESERVE_SHARE
    return JointLoads(
        muscle_names=KNEE_MUSCLES, muscle_force=_readonly(force.copy()), activation=_readonly(answer.activation[:, :count].copy()),
        quadriceps_force=_readonly(quadriceps), patellar_tendon_force=_readonly(tendon), quadriceps_pull=_readonly(pull),
        tibiofemoral_force=_readonly(medial + lateral), medial_force=_readonly(medial), lateral_force=_readonly(lateral),
        patellofemoral_force=_readonly(np.linalg.norm(pull + tendon_pull, axis=1)), knee_adduction_moment=_readonly(adduction),
        wrench_force=_readonly(wrench_force), wrench_moment=_readonly(wrench_moment), ligament_names=RESTRAINTS,
        ligament_force=_readonly(restraint), status=_readonly(status), reserve=_readonly(np.where(used, answer.reserve, 0.0)),
    )


def _passive(motion: Motion, frontal: _Frontal, adduction: Array) -> JointLoads:
    """A test rig: an axial load at the tibia origin, no muscles, no soft tissue."""
    frames = len(motion.time)
    axial = np.maximum(motion.net_axial_force, 0.0)
    medial = np.clip(frontal.split(axial, np.zeros(frames))[0], 0.0, axial)
    zero, vector = np.zeros(frames), np.zeros((frames, 3))
    force = vector.copy()
    force[:, 1] = motion.net_axial_force
    return JointLoads(
        muscle_names=KNEE_MUSCLES, muscle_force=_readonly(np.zeros((frames, len(KNEE_MUSCLES)))),
        activation=_readonly(np.zeros((frames, len(KNEE_MUSCLES)))), quadriceps_force=_readonly(zero),
        patellar_tendon_force=_readonly(zero), quadriceps_pull=_readonly(vector), tibiofemoral_force=_readonly(axial),
        medial_force=_readonly(medial), lateral_force=_readonly(axial - medial), patellofemoral_force=_readonly(zero),
        knee_adduction_moment=_readonly(np.zeros(frames)), wrench_force=_readonly(force), wrench_moment=_readonly(vector),
        ligament_names=RESTRAINTS, ligament_force=_readonly(np.zeros((frames, 2))), status=_readonly(np.zeros(frames, dtype=np.int8)),
        reserve=_readonly(vector),
    )
