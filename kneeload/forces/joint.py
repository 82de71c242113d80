"""From net loads to muscle, tendon and compartment forces: static optimisation with frontal-plane equilibrium."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.forces.brace import Brace
from kneeload.forces.extensor import patella_pose
from kneeload.forces.frontal import BAND_GROUPS, FrontalBalance, FrontalKnee, frontal_knee
from kneeload.forces.leg import Leg, leg_of
from kneeload.forces.loads import JointLoads
from kneeload.forces.muscle_geometry import KNEE_MUSCLES, QUADRICEPS
from kneeload.forces.muscles import MuscleModel
from kneeload.forces.passive import passive_hip_flexion_moment
from kneeload.forces.patellar_brace import PatellarBrace
from kneeload.forces.personal import PersonalGeometry
from kneeload.forces.sharing import MOMENTS, Demand, Shared, share
from kneeload.forces.stability import critical_stiffness
from kneeload.forces.training import GASTROCNEMIUS, Training
from kneeload.motion.motion import Motion
from kneeload.subject.person import Subject

Array = NDArray[np.float64]

SOURCE_KNEE_HEIGHT_M = 1.65  # stature of the woman whose knee gives the attachments (assumption, 1.60 to 1.70; Lenhart 2015: 62 kg)
_GENERIC = PersonalGeometry()
_RESERVE_SHARE = 1e-3  # a reserve above this share of what all muscles together can do is reported as status 1


def joint_loads(motion: Motion, subject: Subject, *, centres_flexion: ArrayLike, centres_mm: ArrayLike,
                muscles: MuscleModel | None = None, brace: Brace | None = None, spacing_mm: float | None = None,
                source_scale: ArrayLike | None = None, personal: PersonalGeometry | None = None, patellar_brace: PatellarBrace | None = None,
                training: Training | None = None, plateau_middle_mm: float = 0.0, mcl_stretch_mm: float = 0.0) -> JointLoads:
    """Return muscle, tendon, medial, lateral and patellofemoral forces over the cycle.

    Muscles share the net knee moment (and hip and ankle moments where the motion has them) at least cost (see `MuscleModel`), keep both
    compartments pressed with a margin for stride-to-stride variation, without counting on ligaments, and keep the loaded leg from buckling
    (`stability`). Contact, ligaments and capsule then balance with them in the frontal plane (`frontal`). The activity "compression" has
    no muscles and no bands: its load runs along the mechanical axis.

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
        patellar_brace: a worn strap that presses on the patella.
        training: stronger muscles, less gastrocnemius.
        plateau_middle_mm: z of the middle between the edges of the plateaus, mm, tibia frame, where the mechanical axis of a straight limb crosses
            them; used by the test rig alone.
        mcl_stretch_mm: how far an opening wedge has stretched the uncut medial collateral ligament, mm.

    Raises:
        InputError: the contact centres do not describe a knee.
    """
    model, own = muscles or MuscleModel(), personal or _GENERIC
    scale = np.full(3, subject.height_m / SOURCE_KNEE_HEIGHT_M) if source_scale is None else np.asarray(source_scale, dtype=float)
    knee = frontal_knee(motion.knee_flexion, centres_flexion, centres_mm, spacing_mm, scale, own, mcl_stretch_mm)
    adduction = own.adduction_moment(motion.knee_adduction_moment, motion.net_axial_force)
    if motion.activity == "compression":
        return _test_rig(motion, knee, plateau_middle_mm)
    if brace is not None:
        adduction = adduction - brace.moment(motion.knee_flexion, motion.net_axial_force, subject.body_weight_n)
    leg = _trained(leg_of(motion, subject, model, scale, own), training)
    demand = Demand(
        moments=_net_moments(motion, subject, own), stiffness=model.critical_share() * critical_stiffness(motion.net_axial_force, subject.height_m),
        margin=model.margin * np.abs(adduction) / knee.width, joint_cost=model.joint_cost(), unit=subject.body_weight_n,
        difference_cost=own.difference_cost)
    answer = share(leg, knee, demand, motion.net_axial_force, adduction)
    less = 0.0 if training is None else training.less_gastrocnemius(motion.activity)
    if less > 0.0:
        answer = share(leg, knee, demand, motion.net_axial_force, adduction, _with_less_gastrocnemius(leg, answer, less))
    balance = knee.balance(motion.net_axial_force + (leg.force[:, :, 1] * answer.force).sum(axis=1),
                           adduction + (leg.moment[:, :, 0] * answer.force).sum(axis=1))
    strap = np.zeros((len(motion.time), 3)) if patellar_brace is None else _strap(patellar_brace, motion.knee_flexion, scale)
    return _assemble(motion, leg, answer, adduction, balance, strap)


def _trained(leg: Leg, training: Training | None) -> Leg:
    """The leg with the strength and the cost of its muscles after training."""
    if training is None:
        return leg
    return replace(leg, capacity=leg.capacity * training.capacity_factor(leg.names), weight=leg.weight * training.effort_factor(leg.names))


def _with_less_gastrocnemius(leg: Leg, usual: Shared, less: float) -> Array:
    """Largest activations, (T, n) no unit: the gastrocnemius keeps 1 - less of what it would do, the other muscles are free."""
    high = np.ones_like(leg.capacity)
    columns = [leg.names.index(name) for name in GASTROCNEMIUS]
    high[:, columns] = (1.0 - less) * usual.activation[:, columns]
    return high


def _strap(brace: PatellarBrace, knee_flexion: Array, scale: Array) -> Array:
    """Force of the strap on the patella, (T, 3) N, femur frame."""
    rotation = patella_pose(knee_flexion, scale)[1]
    return brace.pull(np.arctan2(-rotation[:, 0, 1], rotation[:, 1, 1]))



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


def _assemble(motion: Motion, leg: Leg, answer: Shared, adduction: Array, balance: FrontalBalance, strap: Array) -> JointLoads:
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
        lateral_force=_readonly(balance.lateral.copy()), patellofemoral_force=_readonly(np.linalg.norm(pull + tendon_pull + strap, axis=1)),
        knee_adduction_moment=_readonly(adduction.copy()), wrench_force=_readonly(wrench_force), wrench_moment=_readonly(wrench_moment),
        ligament_names=BAND_GROUPS, ligament_force=_readonly(balance.band_tension), status=_readonly(status),
        reserve=_readonly(np.where(used, answer.reserve, 0.0)),
    )


def _test_rig(motion: Motion, knee: FrontalKnee, middle_mm: float) -> JointLoads:
    """A test rig: an axial load along the mechanical axis, no muscles, no bands.

    The motion has its moment about the knee centre of the limb, which lies on the axis of a straight limb. On the plateau that is the middle of the
    width (50 % of it at 0 degrees in Martay 2018; Paley 2002, Principles of Deformity Correction), z = `middle_mm`: another moment of -force x z.
    """
    frames = len(motion.time)
    axial = np.maximum(motion.net_axial_force, 0.0)
    turn = motion.knee_adduction_moment - axial * middle_mm
    medial = np.clip(knee.split(axial, turn)[0], 0.0, axial)
    zero, vector = np.zeros(frames), np.zeros((frames, 3))
    force, moment = vector.copy(), vector.copy()
    force[:, 1], moment[:, 0] = motion.net_axial_force, turn
    return JointLoads(
        muscle_names=KNEE_MUSCLES, muscle_force=_readonly(np.zeros((frames, len(KNEE_MUSCLES)))),
        activation=_readonly(np.zeros((frames, len(KNEE_MUSCLES)))), quadriceps_force=_readonly(zero),
        patellar_tendon_force=_readonly(zero), quadriceps_pull=_readonly(vector), tibiofemoral_force=_readonly(axial),
        medial_force=_readonly(medial), lateral_force=_readonly(axial - medial), patellofemoral_force=_readonly(zero),
        knee_adduction_moment=_readonly(turn), wrench_force=_readonly(force), wrench_moment=_readonly(moment),
        ligament_names=BAND_GROUPS, ligament_force=_readonly(np.zeros((frames, len(BAND_GROUPS)))),
        status=_readonly(np.zeros(frames, dtype=np.int8)), reserve=_readonly(np.zeros((frames, MOMENTS))),
    )
