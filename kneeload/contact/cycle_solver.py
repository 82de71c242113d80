"""The whole cycle: tibia in every frame, then the patella on it, then the numbers that other rooms read."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.contact.compartments import compartment, surface_fields
from kneeload.contact.cycle import ContactCycle
from kneeload.contact.model import ContactModel
from kneeload.contact.prepared import SEPARATION_MM, PreparedKnee, outward_of_track, patella_track, prepare
from kneeload.contact.solver import BodyFrames, BodyLoads, poses, solve_body
from kneeload.errors import InputError
from kneeload.forces.extensor import ARM_HEIGHT_M, extensor_mechanism
from kneeload.forces.loads import JointLoads
from kneeload.forces.patellar_brace import STRAP_LENGTH_MM, PatellarBrace
from kneeload.kernels.equilibrium import LENGTH
from kneeload.subject.anatomy import KneeAnatomy

Array = NDArray[np.float64]
LOAD_FLOOR_N = 20.0  # an unloaded frame (mid-swing) is measured by this load
# Farthest from the reference pose (tibia) or the usual path (patella) at the same flexion: three angles in rad, then mm along x, y, z of the body.
# Tibia: where a knee with a torn ligament ends. Without the anterior cruciate it goes 13 mm (SD 2.5) forwards under 90 N (doi
# 10.1007/s00167-019-05839-y), and two SD more is 18; 10 degrees of adduction open one side by 8 mm; 5 N m turn a whole knee by 20 degrees (SD 5). The tibia
# origin rises by 7 mm and goes 5 mm medially in deep flexion (random people); a condyle that drops over the rim adds 8 mm or more.
TIBIA_LIMIT = np.array([np.inf, 0.175, 0.55, 18.0, 9.0, 9.0])
PATELLA_LIMIT = np.array([0.5, 0.25, 0.35, 10.0, 18.0, 10.0])  # twice what random people reach; half a patella is 20 mm wide
LEAD_STEP = 0.14  # rad (8 degrees): flexion between the frames that lead from extension to the first frame


def solve_cycle(anatomy: KneeAnatomy, motion_flexion: ArrayLike, loads: JointLoads, model: ContactModel | None = None,
                patellar_brace: PatellarBrace | None = None, mcl_stretch_mm: float = 0.0) -> ContactCycle:
    """Return the equilibrium of the tibiofemoral and the patellofemoral joint in every frame.

    The tibia has its flexion prescribed and its other five coordinates free, each meniscus moves outwards against its hoops; the patella is
    free. The wrench of `loads` is turned into the femur frame by the prescribed flexion and held: a dead force at the tibia origin and
    moments about the floating axis (adduction) and the long axis of the tibia, as in the joint coordinates of Grood and Suntay 1983
    (doi 10.1115/1.3138397). The quadriceps pulls with a dead force at the attachments of its heads, weighted by their forces.

    Args:
        anatomy: a right knee.
        motion_flexion: (T,) rad, flexion positive.
        loads: forces over the same frames.
        model: law and stiffness; default `ContactModel()`.
        patellar_brace: a strap on the patella, or None.
        mcl_stretch_mm: how far an opening wedge has stretched the uncut medial collateral ligament, mm.

    Raises:
        InputError: the number of frames differs, or a flexion is not a number between -0.6 and 2.8 rad.
    """
    model = ContactModel() if model is None else model
    flexion = np.asarray(motion_flexion, dtype=float)
    if flexion.ndim != 1 or len(flexion) != len(loads.wrench_force) or len(flexion) == 0:
        raise InputError("knee flexion", where="motion_flexion", got=flexion.shape, allowed=f"({len(loads.wrench_force)},) as the loads",
                         why="every frame needs one flexion")
    if not np.all((flexion > -0.6) & (flexion < 2.8)):
        raise InputError("knee flexion", where="motion_flexion", got=float(np.nan_to_num(flexion)[np.argmax(~((flexion > -0.6) & (flexion < 2.8)))]),
                         allowed="between -0.6 and 2.8 rad", why="a knee does not bend further")
    for name in ("wrench_force", "wrench_moment", "quadriceps_pull"):
        if not np.all(np.isfinite(getattr(loads, name))):
            raise InputError("joint loads", where=f"loads.{name}", got="a value that is not finite", allowed="finite forces and moments",
                             why="contact has to balance them")
    if len(flexion) > 1 and _is_static(flexion, loads):
        return _held(solve_cycle(anatomy, flexion[:1], _frame(loads, 0), model, patellar_brace, mcl_stretch_mm), len(flexion))
    knee = prepare(anatomy, model, mcl_stretch_mm)
    lead = 1 + int(np.ceil(abs(flexion[0]) / LEAD_STEP))
    ramp = np.concatenate([np.arange(1, lead + 1) / (lead + 1.0), np.ones(len(flexion))])
    index = np.concatenate([np.zeros(lead, int), np.arange(len(flexion))])
    bent = flexion[index] * ramp
    lines = _lines_of_action(knee, model, loads)[index] * ramp[:, None]
    tendon, turn = _tendon_wrench(knee, flexion, loads)
    dead, moment, tendon = loads.wrench_force - tendon, loads.wrench_moment - turn, tendon[index] * ramp[:, None]
    moment[:, 0] += knee.tilt_shift_mm * dead[:, 1]  # the wrench is about the knee centre: the origin of a tibia with straight plateaus
    tibia = tibia_equilibrium(knee, model, bent, dead[index] * ramp[:, None], moment[index] * ramp[:, None], lines, lead, tendon)
    tibia_pose = poses(tibia.q)
    track = patella_track(knee, bent)
    strap = np.zeros((len(bent), 11)) if patellar_brace is None else _patella_strap(track, patellar_brace, ramp)
    patella = _patella(knee, model, lead, bent, tibia_pose, loads.quadriceps_pull[index] * ramp[:, None], _quadriceps_point(knee, loads)[index], track, strap)
    return _cycle(knee, tibia, tibia_pose, patella, loads, flexion, lead, _guide(knee, bent, lines, tendon), dead)


def solve_poses(anatomy: KneeAnatomy, flexion: Array, loads: JointLoads, model: ContactModel | None = None) -> ContactCycle:
    """Return the equilibrium of frames that do not follow each other, such as holds at several flexions: each is bent and loaded on its own.

    Under load and far from the frame before it a knee may have a second equilibrium with the tibia turned inwards, so a frame is not
    started from the answer at another flexion.

    Args:
        anatomy, flexion, loads, model: as for `solve_cycle`; (T,) rad.

    Raises:
        InputError: as for `solve_cycle`.
    """
    if len(flexion) != len(loads.wrench_force) or len(flexion) == 0:
        return solve_cycle(anatomy, flexion, loads, model)  # refuses it
    parts: Any = [solve_cycle(anatomy, flexion[k:k + 1], _frame(loads, k), model) for k in range(len(flexion))]
    return cast(ContactCycle, _joined(parts))


def _joined(parts: list[Any]) -> Any:
    """Results of one frame each, one after the other: arrays (1, ...) become (frames, ...), inside nested parts as well."""
    first = parts[0]
    if isinstance(first, np.ndarray):
        return _fixed(np.concatenate(parts))
    if isinstance(first, tuple):
        return tuple(item[0] if isinstance(item[0], str) else _joined(list(item)) for item in zip(*parts))
    if is_dataclass(first) and not isinstance(first, type):
        values = {item.name: [getattr(part, item.name) for part in parts] for item in fields(first) if not isinstance(getattr(first, item.name), str)}
        return replace(first, **{name: _joined(value) for name, value in values.items()})
    return first


def _is_static(flexion: Array, loads: JointLoads) -> bool:
    """Whether all frames are the same: a held pose is solved once."""
    values = (flexion, loads.wrench_force, loads.wrench_moment, loads.quadriceps_pull, loads.muscle_force, loads.patellar_tendon_force)
    return all((value == value[:1]).all() for value in values)


def _frame(loads: JointLoads, k: int) -> JointLoads:
    """Only frame k of the loads, as an array of one frame."""
    one: dict[str, Any] = {item.name: getattr(loads, item.name)[k:k + 1] for item in fields(loads) if isinstance(getattr(loads, item.name), np.ndarray)}
    return replace(loads, **one)


def _held(part: Any, frames: int) -> Any:
    """The same result in every frame: arrays (1, ...) become (frames, ...), inside nested parts as well."""
    if isinstance(part, np.ndarray):
        return _fixed(np.repeat(part, frames, axis=0))
    if isinstance(part, tuple):
        return tuple(item if isinstance(item, str) else _held(item, frames) for item in part)
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{item.name: _held(getattr(part, item.name), frames) for item in fields(part) if not isinstance(getattr(part, item.name), str)})
    return part


def _turned(flexion: Array, vectors: Array) -> Array:
    """Vectors (T, 3) of the tibia frame in the femur frame at the prescribed flexion: Rz(-flexion) v."""
    c, s = np.cos(flexion), np.sin(flexion)
    return np.column_stack([c * vectors[:, 0] + s * vectors[:, 1], c * vectors[:, 1] - s * vectors[:, 0], vectors[:, 2]])


def _lines_of_action(knee: PreparedKnee, model: ContactModel, loads: JointLoads) -> Array:
    """Stiffness of the tibia against sideways motion (N/mm) and against turning about its long axis (N mm/rad), (T, 2), of the muscles but the quadriceps.

    Pulls are given for the usual pose of the knee. When the tibia moves off it, a pull F whose free length is L changes direction: F / L
    against a sideways motion of its attachment, F r^2 / L against a turn. The patellar tendon, by far the shortest, is a line of its own (`_guide`).
    """
    quadriceps = [any(name.startswith(head) for head in knee.quadriceps_names) for name in loads.muscle_names]
    muscles = np.maximum(loads.muscle_force[:, ~np.array(quadriceps, dtype=bool)], 0.0).sum(axis=1)
    side = muscles / model.muscle_length_mm
    turn = muscles * model.muscle_lever_mm**2 / model.muscle_length_mm
    return np.column_stack([side, turn])


def _tendon_wrench(knee: PreparedKnee, flexion: Array, loads: JointLoads) -> tuple[Array, Array]:
    """Force (T, 3) N and moment (T, 3) N mm about the tibia origin that the patellar tendon has in the wrench of the loads, tibia frame."""
    mechanism = extensor_mechanism(flexion, ARM_HEIGHT_M, knee.source_scale)  # the height scales only the lever arm
    tension = np.maximum(loads.patellar_tendon_force, 0.0)[:, None]
    return tension * mechanism.tendon_direction, tension * mechanism.tendon_moment


def _guide(knee: PreparedKnee, flexion: Array, lines: Array, tendon: Array) -> Array:
    """What turns with the tibia, (T, 11), see `solve_body`: muscles across its long axis at the prescribed flexion, and the patellar tendon.

    The tendon is a line of constant tension between the tuberosity and a point of the femur frame, where the patella has it in the usual pose: one
    length of the tendon from the tuberosity of the reference pose, along its usual direction. There it pulls as the wrench of the loads says. As the tibia
    goes forwards, sideways and turns, it follows the tuberosity: F / L for each, and between a turn and a shift, since the tuberosity lies before and
    lateral of the origin. The patella is taken to stay; in contact its end of the tendon follows by about a fifth.

    Args:
        knee: its reference pose, tuberosity and length of the tendon.
        flexion: (T,) rad, prescribed.
        lines: (T, 2), see `_lines_of_action`.
        tendon: (T, 3) N, pull on the tibia in the usual pose, tibia frame.
    """
    tension = np.linalg.norm(tendon, axis=1)
    rest = np.repeat(knee.tibia_reference[None, :6], len(flexion), axis=0)
    rest[:, 0] = -flexion
    pose = poses(rest)
    point, length = knee.patella_anchor[knee.on_tibia].mean(axis=0), float(knee.patella_lines.slack[knee.on_tibia].mean())
    end = pose[:, :3, :3] @ point + pose[:, :3, 3] + length * _turned(flexion, tendon) / np.where(tension > 0.0, tension, 1.0)[:, None]
    return np.column_stack([lines[:, 0], np.sin(flexion), np.cos(flexion), np.zeros(len(flexion)), tension, end, np.repeat(point[None], len(flexion), axis=0)])


def tibia_equilibrium(knee: PreparedKnee, model: ContactModel, flexion: Array, force: Array, moment: Array, lines: Array, lead: int = 0,
                      tendon: Array | None = None) -> BodyFrames:
    """Return the equilibrium of the tibia in every frame, the patella left out.

    Args:
        knee: its springs and ligaments.
        model: law and tolerance.
        flexion: (T,) rad, prescribed.
        force: (T, 3) N on the tibia at its origin, tibia frame at the prescribed flexion, without the patellar tendon.
        moment: (T, 3) N mm about the floating axis, the long axis of the tibia, and the flexion axis (not used).
        lines: (T, 2) N/mm and N mm/rad, see `_lines_of_action`; zero without muscles.
        lead: number of frames at the start that only lead to the others: solved roughly.
        tendon: (T, 3) N, pull of the patellar tendon in the usual pose, tibia frame; None without muscles.
    """
    frames, n = len(flexion), len(knee.tibia_reference)
    rest = np.repeat(knee.tibia_reference[None], frames, axis=0)
    rest[:, 0] = -flexion
    start = rest.copy()
    start[:, 3:5] -= SEPARATION_MM * np.column_stack([np.sin(flexion), np.cos(flexion)])
    weak = np.repeat(knee.tibia_weak[None], frames, axis=0)
    weak[:, 2] += lines[:, 1]
    tendon = np.zeros((frames, 3)) if tendon is None else tendon
    point = knee.patella_anchor[knee.on_tibia].mean(axis=0)
    whole, turned = force + tendon, moment[:, :2] + np.cross(point, tendon)[:, :2]
    size = np.maximum(np.sqrt((whole**2).sum(axis=1) + (turned**2).sum(axis=1) / LENGTH**2), LOAD_FLOOR_N)
    loads = BodyLoads(force=_turned(flexion, force), point=np.zeros((frames, 3)), moment=moment[:, :2], size=size)
    return solve_body(
        knee.tibia, knee.level, femoral_compliance=knee.femoral_compliance, lines=knee.tibia_lines,
        anchor=np.repeat(knee.tibia_anchor[None], frames, axis=0), weak=weak, rest=rest, guide=_guide(knee, flexion, lines, tendon), start=start,
        free=np.array([False] + [True] * (n - 1)), flexion=flexion, loads=loads, nonlinear=model.law == "nonlinear", tolerance=model.tolerance, limit=TIBIA_LIMIT, lead=lead)


def _quadriceps_point(knee: PreparedKnee, loads: JointLoads) -> Array:
    """Where the quadriceps pulls on the patella, (T, 3) mm: attachments weighted by the forces of the heads (equal when unknown)."""
    weight = np.full((len(loads.quadriceps_pull), 4), 1e-6)
    for column, name in enumerate(loads.muscle_names):
        for head, known in enumerate(knee.quadriceps_names):
            if name.startswith(known):
                weight[:, head] += np.maximum(loads.muscle_force[:, column], 0.0)
    return weight @ knee.quadriceps_point / weight.sum(axis=1, keepdims=True)


def _patella_strap(track: Array, brace: PatellarBrace, ramp: Array) -> Array:
    """The strap of a brace for the patella, (T, 11), see `solve_body`: a line of constant tension from the middle of the patella to where the strap leaves
    the thigh, one free length from the patella's usual place along its pull.

    Args:
        track: (T, 6) rad and mm, usual path of the patella.
        brace: its forces.
        ramp: (T,) no unit, share of the load that is on.
    """
    pull = brace.pull(track[:, 0])
    tension = np.linalg.norm(pull, axis=1)
    end = track[:, 3:6] + STRAP_LENGTH_MM * pull / np.where(tension > 0.0, tension, 1.0)[:, None]
    frames = len(track)
    return np.column_stack([np.zeros((frames, 4)), tension * ramp, end, np.zeros((frames, 3))])


def _patella(knee: PreparedKnee, model: ContactModel, lead: int, flexion: Array, tibia_pose: Array, pull: Array, point: Array, track: Array,
             strap: Array) -> BodyFrames:
    on_tibia = knee.patella_anchor @ tibia_pose[:, :3, :3].transpose(0, 2, 1) + tibia_pose[:, None, :3, 3]
    anchor = np.where(knee.on_tibia[None, :, None], on_tibia, knee.patella_anchor[None])
    size = np.maximum(np.linalg.norm(pull, axis=1), LOAD_FLOOR_N)
    loads = BodyLoads(force=pull, point=point, moment=np.zeros((len(flexion), 2)), size=size)
    return solve_body(
        knee.patella, knee.level, femoral_compliance=knee.femoral_compliance, lines=knee.patella_lines, anchor=anchor,
        weak=np.repeat(knee.patella_weak[None], len(flexion), axis=0), rest=track, guide=strap, start=outward_of_track(knee, track),
        free=np.ones(6, bool), flexion=flexion, loads=loads,
        nonlinear=model.law == "nonlinear", tolerance=model.tolerance, limit=PATELLA_LIMIT, lead=lead)


def _band_force(knee: PreparedKnee, tibia: BodyFrames, pose: Array, guide: Array) -> Array:
    """Force of the ligaments, the weak springs, the turned muscle pulls and the patellar tendon on the tibia, (T, 3) N, femur frame."""
    point = knee.tibia_lines.point @ pose[:, :3, :3].transpose(0, 2, 1) + pose[:, None, :3, 3]
    pull = knee.tibia_anchor[None] - point
    unit = pull / np.linalg.norm(pull, axis=2, keepdims=True)
    moved = tibia.q[:, 3:6] - knee.tibia_reference[3:6]
    side = moved - (moved * guide[:, 1:4]).sum(axis=1, keepdims=True) * guide[:, 1:4]
    line = guide[:, 5:8] - (pose[:, :3, :3] @ guide[:, 8:11, None])[:, :, 0] - pose[:, :3, 3]
    line *= guide[:, 4:5] / np.linalg.norm(line, axis=1, keepdims=True)
    return line + (unit * tibia.tension[:, :, None]).sum(axis=1) - knee.tibia_weak[3:6] * moved - guide[:, :1] * side


def _cycle(knee: PreparedKnee, tibia: BodyFrames, tibia_pose: Array, patella: BodyFrames, loads: JointLoads, flexion: Array, lead: int,
           guide: Array, dead: Array) -> ContactCycle:
    keep = slice(lead, None)
    axis = tibia_pose[keep, :3, 1]
    other = _turned(flexion, dead) + _band_force(knee, tibia, tibia_pose, guide)[keep]
    sides = []
    for side in ("medial", "lateral"):
        groups = [i for i, name in enumerate(knee.tibia.names) if side in name]
        sides.append(compartment(knee.tibia, tibia, groups, axis, keep))
    expansion = np.zeros((len(flexion), 2))
    for i, name in enumerate(knee.menisci):
        expansion[:, 0 if "medial" in name else 1] = tibia.q[keep, 6 + i]
    tendon = knee.on_tibia
    return ContactCycle(
        femur_from_tibia=_fixed(tibia_pose[keep]),
        femur_from_patella=_fixed(poses(patella.q[keep])),
        medial=sides[0], lateral=sides[1],
        patellofemoral=compartment(knee.patella, patella, [0], None, keep),
        fields=surface_fields(knee.tibia, tibia) + surface_fields(knee.patella, patella),
        ligament_names=knee.tibia_lines.names + knee.patella_lines.names,
        ligament_force=_fixed(np.hstack([tibia.tension[keep], patella.tension[keep]])),
        patellar_tendon_force=_fixed(np.linalg.norm(_tendon_pull(knee, patella, tibia_pose)[keep], axis=1)) if tendon.any() else _fixed(np.zeros(len(flexion))),
        meniscus_expansion=_fixed(expansion),
        axial_load=_fixed((axis * other).sum(axis=1)),
        residual=_fixed(np.column_stack([tibia.residual, patella.residual])[keep]),
        iterations=_fixed(np.column_stack([tibia.iterations[:, 0], patella.iterations[:, 0]])[keep].astype(np.int32)),
        status=_fixed(np.column_stack([tibia.status, patella.status])[keep]),
    )


def _tendon_pull(knee: PreparedKnee, patella: BodyFrames, tibia_pose: Array) -> Array:
    """Resultant of the bands of the patellar tendon on the patella, (T, 3) N, femur frame."""
    pose = poses(patella.q)
    rows = knee.on_tibia
    point = knee.patella_lines.point[rows] @ pose[:, :3, :3].transpose(0, 2, 1) + pose[:, None, :3, 3]
    end = knee.patella_anchor[rows] @ tibia_pose[:, :3, :3].transpose(0, 2, 1) + tibia_pose[:, None, :3, 3]
    unit = (end - point) / np.linalg.norm(end - point, axis=2, keepdims=True)
    return (unit * patella.tension[:, rows, None]).sum(axis=1)


def _fixed(values: NDArray) -> NDArray:
    array = np.array(values)
    array.setflags(write=False)
    return array
