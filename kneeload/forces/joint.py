"""From net loads to muscle, tendon and compartment forces: static optimisation with frontal-plane equilibrium."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.errors import InputError
from kneeload.forces.brace import Brace
from kneeload.forces.extensor import ExtensorMechanism, extensor_mechanism, rotation_of_flexion
from kneeload.forces.ligaments import ligament_force, tibiofemoral_ligaments
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
from kneeload.kernels.recruitment import recruit
from kneeload.motion.motion import Motion
from kneeload.subject.person import Subject
from kneeload.units import DEG, NMM_PER_NM

Array = NDArray[np.float64]

SOURCE_KNEE_HEIGHT_M = 1.65  # stature of the woman whose knee gives the attachments (assumption, 1.60 to 1.70; Lenhart 2015: 62 kg)
# Passive path of the source knee (fit to the poses of its swing phase): the tibia turns about this point, mm, and stands this far forward.
_PASSIVE_AXIS_MM, _PASSIVE_FORWARD_MM, _TISSUE_RANGE_DEG = (-3.4, -2.0, 0.0), (3.0, 0.0, 0.0), 60.0
RESTRAINTS = ("mcl", "lcl")  # what holds a compartment that muscles cannot keep closed
_SOFTNESS = 1e-6  # slack over multiplier in units of full capability: slack stays near 1e-6 unless no muscle is left
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


def soft_tissue(knee_flexion: Array, source_scale: Array) -> tuple[Array, Array, Array]:
    """Tension of the ligaments and the capsule in the unloaded knee, on the tibia.

    The tibia turns by flexion about an axis through the condyles, placed so that it follows the poses of a swing phase of the source
    knee (flexion to 61 degrees; beyond it the tension of 60 degrees is kept: assumption). Collateral ligaments and capsule have the
    reference strains of their source; the cruciate ligaments, which carry shear, are left out.

    Args:
        knee_flexion: (T,) rad.
        source_scale: (3,) no unit.

    Returns:
        axial: (T,) N, upward pull on the tibia.
        moment: (T,) N mm about x of the tibia.
        per_newton: (2, T, 2) upward pull (no unit) and moment (mm) of the MCL and of the LCL per newton of tension.
    """
    bands = tibiofemoral_ligaments(source_scale)
    rotation = rotation_of_flexion(np.clip(knee_flexion, 0.0, _TISSUE_RANGE_DEG * DEG))
    axis, forward = np.array(_PASSIVE_AXIS_MM) * source_scale, np.array(_PASSIVE_FORWARD_MM) * source_scale
    femur = axis + np.einsum("tji,kj->tki", rotation, bands.origin - axis - forward)  # femoral attachments in the tibia frame
    line = femur - bands.insertion
    length = np.linalg.norm(line, axis=2)
    unit = line / length[:, :, None]
    tension, _ = ligament_force(length, bands.slack_length, bands.stiffness_n, bands.toe_strain)
    collateral = np.array([not name.startswith(("acl", "pcl")) for name in bands.names])
    tension = np.where(collateral, tension, 0.0)
    moment_x = np.cross(np.broadcast_to(bands.insertion, unit.shape), unit)[:, :, 0]
    index = [bands.names.index(name) for name in ("mcl_superficial_middle", "lcl")]
    per_newton = np.stack([np.stack([unit[:, i, 1], moment_x[:, i]], axis=1) for i in index])
    return (tension * unit[:, :, 1]).sum(axis=1), (tension * moment_x).sum(axis=1), per_newton


def passive_hip_flexion_moment(motion: Motion, subject: Subject) -> Array:
    """Moment about the hip of stretched capsule, ligaments and silent muscle, (T,) N mm, flexion positive.

    Exponential fit of Riener and Edrich 1999, doi 10.1016/S0021-9290(99)00009-7, to passive swings of ten adults; scaled by mass times
    height over those of a person of 75 kg and 1.75 m (assumption). It carries part of the hip flexor moment of late stance. The knee and
    ankle fits of that paper are left out, since those passive forces run in muscles that also press the knee together.
    """
    hip, knee = np.clip(motion.hip_flexion / DEG, -30.0, 90.0), np.clip(motion.knee_flexion / DEG, 0.0, 120.0)
    moment_nm = np.exp(1.4655 - 0.0034 * knee - 0.0750 * hip) - np.exp(1.3403 - 0.0226 * knee + 0.0305 * hip) + 8.072
    return moment_nm * NMM_PER_NM * subject.body_mass_kg * subject.height_m / (75.0 * 1.75)


def _readonly(array: NDArray[np.generic]) -> NDArray:
    array.setflags(write=False)
    return array


def _muscle_names(motion: Motion) -> tuple[str, ...]:
    names = KNEE_MUSCLES
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


def _recruit(motion: Motion, geometry: MuscleGeometry, arms: Array, force: Array, size: float, weight: Array, floor: Array,
             passive_hip: Array, compartment: tuple[Array, Array], least: tuple[Array, Array]) -> _Recruited:
    """Distribute the moments over the muscles.

    Args:
        motion: moments.
        geometry: arms at hip and ankle.
        arms: (T, n) mm, knee extension.
        force: (T, n) N at full activation.
        size: muscle length over the source's, no unit.
        weight: (n,) no unit, cost of squared activation.
        floor: (T,) no unit, least activation.
        passive_hip: (T,) N mm, passive hip flexion moment, which extensors must also balance.
        compartment: medial and lateral compression per newton of each muscle, each (T, n).
        least: medial and lateral compression that the muscles must add, each (T,) N.
    """
    frames = len(motion.time)
    zero = np.zeros(frames)
    hip = motion.hip_extension_moment + passive_hip if motion.hip_extension_moment is not None else zero
    ankle = motion.ankle_plantarflexion_moment if motion.ankle_plantarflexion_moment is not None else zero
    hip_arms = -geometry.hip_flexion_arm * size if motion.hip_extension_moment is not None else np.zeros_like(arms)
    ankle_arms = -geometry.ankle_dorsiflexion_arm * size if motion.ankle_plantarflexion_moment is not None else np.zeros_like(arms)
    rows = np.stack([arms * force, hip_arms * force, ankle_arms * force, compartment[0] * force, compartment[1] * force], axis=1)
    target = np.stack([motion.knee_extension_moment, hip, ankle, least[0], least[1]], axis=1)
    full = np.abs(rows).sum(axis=2).max(axis=0)  # (5,) what all muscles together can do
    full = np.where(full > 0.0, full, 1.0)
    count = len(geometry.names)
    activation, slack, steps = recruit(
        np.ascontiguousarray(rows / full[:, None]), np.ascontiguousarray(target / full), np.array([False, False, False, True, True]),
        weight, np.repeat(floor[:, None], count, axis=1), np.ones(count), np.full(5, _SOFTNESS), _TOLERANCE, _MAX_STEPS)
    return _Recruited(activation=activation, force=activation * force, reserve=slack[:, :3] * full[:3], share=np.abs(slack[:, :3]),
                      steps=steps, max_steps=_MAX_STEPS)


def joint_loads(motion: Motion, subject: Subject, *, centres_flexion: ArrayLike, centres_mm: ArrayLike,
                muscles: MuscleModel | None = None, brace: Brace | None = None, spacing_mm: float | None = None,
                source_scale: ArrayLike | None = None) -> JointLoads:
    """Return muscle, tendon, medial, lateral and patellofemoral forces over the cycle.

    Muscles share the net knee moment (and hip and ankle moments where the motion has them) with the least sum of squared
    activations. Both compartments are pressed together only: where the adduction moment would lift one off, muscles must close it
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
    answer = _recruit(motion, geometry, arms, capacity(geometry, subject, model), size, effort_weights(geometry, model),
                      model.activation_floor(motion.net_axial_force, subject.body_weight_n), passive_hip_flexion_moment(motion, subject),
                      compartment, (margin - base[0], margin - base[1]))
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
    medial, lateral = frontal.split(axial, np.zeros(frames))
    medial = np.clip(medial, 0.0, axial)
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
