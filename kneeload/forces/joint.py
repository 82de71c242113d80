"""From net loads to muscle, tendon and compartment forces: static optimisation with frontal-plane equilibrium."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.forces.brace import Brace
from kneeload.forces.frontal import BAND_GROUPS, FrontalBalance, FrontalKnee, frontal_knee
from kneeload.forces.leg import Leg, leg_of
from kneeload.forces.loads import JointLoads
from kneeload.forces.muscle_geometry import KNEE_MUSCLES, QUADRICEPS
from kneeload.forces.muscles import MuscleModel
from kneeload.forces.passive import passive_hip_flexion_moment
from kneeload.forces.personal import PersonalGeometry
from kneeload.forces.sharing import MOMENTS, Demand, Shared, share
from kneeload.forces.stability import critical_stiffness
from kneeload.motion.motion import Motion
from kneeload.subject.person import Subject

Array = NDArray[np.float64]

SOURCE_KNEE_HEIGHT_M = 1.65  # stature of the woman whose knee gives the attachments (assumption, 1.60 to 1.70; Lenhart 2015: 62 kg)
_GENERIC = PersonalGeometry()
_RESERVE_SHARE = 1e-3  # a reserve above this share of what all muscles together can do is reported as status 1


def joint_loads(motion: Motion, subject: Subject, *, centres_flexion: ArrayLike, centres_mm: ArrayLike,
                muscles: MuscleModel | None = None, brace: Brace | None = None, spacing_mm: float | None = None,
                source_scale: ArrayLike | None = None, personal: PersonalGeometry | None = None) -> JointLoads:
    """Return muscle, tendon, medial, lateral and patellofemoral forces over the cycle.

    Muscles share the net knee moment (and hip and ankle moments where the motion has them) at least cost (see `MuscleModel`), keep both
    compartments pressed with a margin for stride-to-stride variation, without counting on ligaments, and keep the loaded leg from buckling
    (`stability`). Contact, ligaments and capsule then balance with them in the frontal plane (`frontal`). The activity "compression" has
    no muscles and no bands.

    Args:
        motion: angles and net loads.
        subject: size and mass.
        centres_flexion: (k,) rad.
        centres_mm: (k, 2, 2) mm, tibia frame; (x, z) of the medial and lateral contact centre at each flexion.
        muscles: settings; None = the defaults.
        brace: a worn off-loader brace.
        spacing_mm: distance between the contact centres, mm, about their mid-point; None = as in `centres_mm`.
        source_scale: (3,) no unit; `KneeAnatomy.source_scale`; None = height over 1.65 m.
        personal: what differs from the generic knee of this size (found by calibration); None = nothing.

    Raises:
        InputError: the contact centres do not describe a knee.
    """
    model, own = muscles or MuscleModel(), personal or _GENERIC
    scale = np.full(3, subject.height_m / SOURCE_KNEE_HEIGHT_M) if source_scale is None else np.asarray(source_scale, dtype=float)
    knee = frontal_knee(motion.knee_flexion, centres_flexion, centres_mm, spacing_mm, scale, own)
    adduction = own.adduction_moment(motion.knee_adduction_moment, motion.net_axial_force)
    if motion.activity == "compression":
        return _test_rig(motion, knee)
    if brace is not None:
        adduction = adduction - brace.moment(motion.knee_flexion, motion.net_axial_force, subject.body_weight_n)
    leg = leg_of(motion, subject, model, scale, own)
    demand = Demand(
        moments=_net_moments(motion, subject, own), stiffness=model.critical_share() * critical_stiffness(motion.net_axial_force, subject.height_m),
        margin=model.margin * np.abs(adduction) / knee.width, joint_cost=model.joint_cost(), unit=subject.body_weight_n,
        difference_cost=own.difference_cost)
    answer = share(leg, knee, demand, motion.net_axial_force, adduction)
    balance = knee.balance(motion.net_axial_force + (leg.force[:, :, 1] * answer.force).sum(axis=1),
                           adduction + (leg.moment[:, :, 0] * answer.force).sum(axis=1))
    return _assemble(motion, leg, answer, adduction, balance)


def _net_moments(motion: Motion, subject: Subject, personal: PersonalGeometry) -> Array:
    """Return the moments that muscles must supply, (4, T) N mm: knee extension, hip extension, ankle plantarflexion, hip abduction."""
    moments = np.zeros((MOMENTS, len(motion.time)))
    moments[0] = personal.extension_moment(motion.knee_extension_moment, motion.net_axial_force)
    if motion.hip_extension_moment is not None:
        moments[1] = motion.hip_extension_moment + passive_hip_flexion_moment(motion.hip_flexion, motion.knee_flexion, subject)
    if motion.ankle_plantarflexion_moment is not None:
        moments[2] = motion.ankle_plantarflexion_moment
    if motion.hip_abduction_moment is not None:
        moments[3] = motion.hip_abduction_moment
    return moments


def _readonly(array: NDArray[np.generic]) -> NDArray:
    array.setflags(write=False)
    return array


def _assemble(motion: Motion, leg: Leg, answer: Shared, adduction: Array, balance: FrontalBalance) -> JointLoads:
    count = len(KNEE_MUSCLES)
    force, extensor = answer.force[:, :count], leg.extensor
    columns = [KNEE_MUSCLES.index(name) for name in QUADRICEPS]
    pull = np.einsum("tk,tki->ti", force[:, columns], extensor.head_direction)
    quadriceps = force[:, columns].sum(axis=1)
    tendon = quadriceps * extensor.force_ratio
    tendon_pull = -tendon[:, None] * np.einsum("tij,tj->ti", extensor.femur_from_tibia, extensor.tendon_direction)
    wrench_force = np.einsum("tk,tki->ti", force, leg.force[:, :count])
    wrench_force[:, 1] += motion.net_axial_force
    if motion.net_anterior_force is not None:
        wrench_force[:, 0] += motion.net_anterior_force
    wrench_moment = np.einsum("tk,tki->ti", force, leg.moment[:, :count])
    wrench_moment[:, 0] += adduction
    wrench_moment[:, 2] -= motion.knee_extension_moment
    used = answer.share > _RESERVE_SHARE
    status = np.where(used.any(axis=1), 1, 0).astype(np.int8)
    status[~(answer.solved & balance.found)] = 2
    return JointLoads(
        muscle_names=KNEE_MUSCLES, muscle_force=_readonly(force.copy()), activation=_readonly(answer.activation[:, :count].copy()),
        quadriceps_force=_readonly(quadriceps), patellar_tendon_force=_readonly(tendon), quadriceps_pull=_readonly(pull),
        tibiofemoral_force=_readonly(balance.medial + balance.lateral), medial_force=_readonly(balance.medial.copy()),
        lateral_force=_readonly(balance.lateral.copy()), patellofemoral_force=_readonly(np.linalg.norm(pull + tendon_pull, axis=1)),
        knee_adduction_moment=_readonly(adduction.copy()), wrench_force=_readonly(wrench_force), wrench_moment=_readonly(wrench_moment),
        ligament_names=BAND_GROUPS, ligament_force=_readonly(balance.band_tension), status=_readonly(status),
        reserve=_readonly(np.where(used, answer.reserve, 0.0)),
    )


def _test_rig(motion: Motion, knee: FrontalKnee) -> JointLoads:
    """A test rig: an axial load at the tibia origin, no muscles, no bands."""
    frames = len(motion.time)
    axial = np.maximum(motion.net_axial_force, 0.0)
    medial = np.clip(knee.split(axial, np.zeros(frames))[0], 0.0, axial)
    zero, vector = np.zeros(frames), np.zeros((frames, 3))
    force = vector.copy()
    force[:, 1] = motion.net_axial_force
    return JointLoads(
        muscle_names=KNEE_MUSCLES, muscle_force=_readonly(np.zeros((frames, len(KNEE_MUSCLES)))),
        activation=_readonly(np.zeros((frames, len(KNEE_MUSCLES)))), quadriceps_force=_readonly(zero),
        patellar_tendon_force=_readonly(zero), quadriceps_pull=_readonly(vector), tibiofemoral_force=_readonly(axial),
        medial_force=_readonly(medial), lateral_force=_readonly(axial - medial), patellofemoral_force=_readonly(zero),
        knee_adduction_moment=_readonly(np.zeros(frames)), wrench_force=_readonly(force), wrench_moment=_readonly(vector),
        ligament_names=BAND_GROUPS, ligament_force=_readonly(np.zeros((frames, len(BAND_GROUPS)))),
        status=_readonly(np.zeros(frames, dtype=np.int8)), reserve=_readonly(np.zeros((frames, MOMENTS))),
    )
