"""A knee made ready for the solver: springs, ligaments with their slack lengths, weak restraints. Built once per anatomy and model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from kneeload.contact.model import MENISCUS_LOADED_MPA, ContactModel
from kneeload.contact.solver import BodyFrames, BodyLoads, Lines, poses, solve_body
from kneeload.contact.springs import Casting, SpringSet, build_springs, level_tuple
from kneeload.forces.extensor import patella_pose
from kneeload.forces.ligaments import (
    PATELLA_REFERENCE_MM,
    TROCHLEA_AXIS_MM,
    Ligaments,
    patellofemoral_ligaments,
    quadriceps_attachments,
    stretched_slack,
    tibiofemoral_ligaments,
)
from kneeload.kernels.equilibrium import LENGTH
from kneeload.subject.anatomy import KneeAnatomy, Meniscus
from kneeload.subject.surface import ArticularSurface

Array = NDArray[np.float64]
SETTLE_TIBIA_N = 75.0  # axial load of the reference pose: an unloaded knee that touches (assumption, 50-100 N)
SETTLE_PATELLA_N = 30.0  # force that seats the patella in the reference pose (assumption, 10-50 N)
ROOT_STIFFNESS_N_MM = 2000.0  # of each meniscal root along its fibres: common value of finite-element models (range 200-2000)
EDGE_HEIGHT_MM = 1.0  # of a wedge that 6 MPa would press flat (1 mm / 22 MPa + 0.13 mm/MPa of cartilage): assumption, 0.8 to 1.5 mm
LOOSE_N_MM = 100.0  # a meniscus held by less moves by millimetres under load; whole rings have 500 to 2000 (assumption, 50 to 300)
SEPARATION_MM = 3.0  # gap of the pose that a failed frame is tried from


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedKnee:
    """What the solver needs of one knee.

    Attributes:
        level: the target for the kernels.
        femoral_compliance: 1 / foundation modulus of femoral cartilage, 1/MPa.
        tibia, patella: springs.
        tibia_lines: ligaments of the tibia; tibia_anchor: (k, 3) mm, femur frame.
        patella_lines: bands (femur) and tendon (tibia) of the patella; patella_anchor: (k, 3) mm in the frame of anchor_body.
        on_tibia: (k,) bool; lines of the patella that end on the tibia.
        tibia_reference, patella_reference: (n,) rad and mm; coordinates of the reference pose at zero flexion.
        tibia_weak, patella_weak: (n,) N/mm; weak springs on the coordinates.
        source_scale: (3,) no unit; of the anatomy.
        quadriceps_point: (4, 3) mm, patella frame; attachments of the heads.
        quadriceps_names: names of the heads.
        menisci: names of the menisci, in order of the coordinates.
        tilt_shift_mm: of the anatomy; the tibia's origin lies that far lateral of the knee centre that loads are given about.
    """

    level: tuple
    femoral_compliance: float
    tibia: SpringSet
    patella: SpringSet
    tibia_lines: Lines
    tibia_anchor: Array
    patella_lines: Lines
    patella_anchor: Array
    on_tibia: NDArray[np.bool_]
    tibia_reference: Array
    patella_reference: Array
    tibia_weak: Array
    patella_weak: Array
    source_scale: Array
    quadriceps_point: Array
    quadriceps_names: tuple[str, ...]
    menisci: tuple[str, ...]
    tilt_shift_mm: float


def hoop_stiffness(meniscus: Meniscus, model: ContactModel) -> float:
    """Return the stiffness of a meniscus against outward motion, N/mm.

    A ring of radius R and length L that moves out by e becomes longer by L e / R. Fibres (circumferential modulus E, section A) and the roots
    at both ends share that in series: hoop stiffness (L / R)^2 / (L / (E A) + 2 / root), which is E A L / R^2 with stiff roots. Horns
    and coronary ligament add a small stiffness of their own.
    """
    fibres = model.circumferential_modulus_mpa * meniscus.cross_section_mm2 / meniscus.arc_length_mm
    ring = (meniscus.arc_length_mm / meniscus.hoop_radius_mm) ** 2 * fibres / (1.0 + 2.0 * fibres / ROOT_STIFFNESS_N_MM)
    return ring * meniscus.hoop_fraction + model.horn_stiffness_n_mm


def foundation_modulus(surface: ArticularSurface, model: ContactModel) -> float:
    """Return the stress per strain of a cartilage layer as a foundation, MPa: confined modulus times the factor of its mean thickness.

    The mean is taken over the area that has cartilage at all.
    """
    thickness = np.asarray(surface.thickness_mm, dtype=float)
    area = np.where(thickness > 0.0, surface.areas, 0.0)
    if not area.any():
        return surface.material.confined_modulus_mpa
    return surface.material.confined_modulus_mpa * model.cartilage_factor(float(np.average(thickness, weights=area)))


def _plate(surface: ArticularSurface, model: ContactModel, covered: NDArray[np.bool_] | None = None, meniscus: Meniscus | None = None) -> Casting:
    """Springs of a cartilage plate. Under a meniscus they carry through it only, unless it is loose (`LOOSE_N_MM`, a torn root).

    A loose meniscus moves away by many millimetres, and then the femur meets the cartilage that it covered. Only below the thin inner edge
    the springs stay out even so: a load presses the femur deeper than that edge is high, and it is in series with the cartilage below.
    """
    thickness = np.asarray(surface.thickness_mm, dtype=float)
    modulus = foundation_modulus(surface, model)
    used = np.ones(len(thickness), bool)
    if covered is not None and meniscus is not None:
        used = ~np.asarray(covered, bool)
        if hoop_stiffness(meniscus, model) < LOOSE_N_MM:
            nearest = cKDTree(meniscus.surface.centroids[:, [0, 2]]).query(surface.centroids[:, [0, 2]])[1]
            used |= np.asarray(meniscus.surface.thickness_mm)[nearest] > EDGE_HEIGHT_MM
    return Casting(name=surface.name, mesh=surface.mesh, thickness_mm=thickness, compliance=thickness / modulus, used=used)


def _wedge(meniscus: Meniscus, below: ArticularSurface, name: str, model: ContactModel) -> Casting:
    """Springs of a meniscus: a wedge that stiffens, on the cartilage below it.

    Its tangent modulus is E0 + E1 strain, so that of the pressure p is the root of E0^2 + 2 E1 p. At `MENISCUS_LOADED_MPA` it equals the
    confined modulus E of the material, and E0 = toe x E: E1 / E0^2 = (1 / toe^2 - 1) / (2 x loaded).
    """
    height, cartilage = np.asarray(meniscus.surface.thickness_mm, float), np.asarray(meniscus.tibial_thickness_mm, float)
    own = meniscus.surface.material.confined_modulus_mpa * model.meniscus_factor
    beneath = cartilage / foundation_modulus(below, model)
    initial = 1.0 if model.law == "nonlinear" else model.meniscus_toe  # the nonlinear law stiffens by itself
    if initial < 1.0:
        return Casting(name=name, mesh=meniscus.surface.mesh, thickness_mm=height + cartilage, compliance=beneath,
                       used=np.ones(len(height), bool), outward=np.asarray(meniscus.outward, float), soft=height / (initial * own),
                       growth_per_mpa=(1.0 / initial**2 - 1.0) / (2.0 * MENISCUS_LOADED_MPA))
    return Casting(name=name, mesh=meniscus.surface.mesh, thickness_mm=height + cartilage, compliance=height / own + beneath,
                   used=np.ones(len(height), bool), outward=np.asarray(meniscus.outward, float))


def _lines(bands: Ligaments, body: str) -> tuple[Lines, Array, NDArray[np.bool_]]:
    """Lines seen from a body, their other ends (k, 3) mm, and which of those lie on the tibia."""
    own = np.array([b == body for b in bands.insertion_body])[:, None]
    other_body = [o if i == body else i for o, i in zip(bands.origin_body, bands.insertion_body)]
    lines = Lines(names=bands.names, point=np.where(own, bands.insertion, bands.origin), stiffness=bands.stiffness_n,
                  slack=bands.slack_length, toe=bands.toe_strain)
    return lines, np.where(own, bands.origin, bands.insertion), np.array([o == "tibia" for o in other_body])


def _with_slack(lines: Lines, anchor: Array, q: Array, strain: Array) -> Lines:
    """The same lines with the slack lengths that give `strain` in pose q."""
    pose = poses(q[None])[0]
    length = np.linalg.norm(lines.point @ pose[:3, :3].T + pose[:3, 3] - anchor, axis=1)
    return Lines(names=lines.names, point=lines.point, stiffness=lines.stiffness, slack=length / (1.0 + strain), toe=lines.toe)


def no_lines() -> Lines:
    """Return no lines at all."""
    return Lines(names=(), point=np.zeros((0, 3)), stiffness=np.zeros(0), slack=np.zeros(0), toe=np.zeros(0))


def _settle(springs: SpringSet, level: tuple, compliance: float, start: Array, free: list[int], weak: Array, force: Array, nonlinear: bool) -> BodyFrames:
    mask = np.zeros(len(start), bool)
    mask[free] = True
    loads = BodyLoads(force=force[None], point=np.zeros((1, 3)), moment=np.zeros((1, 2)), size=np.array([np.linalg.norm(force)]))
    return solve_body(springs, level, femoral_compliance=compliance, lines=no_lines(), anchor=np.zeros((1, 0, 3)), weak=weak[None], rest=start[None], guide=np.zeros((1, 11)),
                      start=start[None], free=mask, flexion=np.zeros(1), loads=loads, nonlinear=nonlinear, tolerance=1e-7)


@lru_cache(maxsize=4)
def prepare(anatomy: KneeAnatomy, model: ContactModel, mcl_stretch_mm: float = 0.0) -> PreparedKnee:
    """Return a knee ready for the solver; kept for the last few knees (by identity).

    Reference pose at zero flexion: the tibia keeps the place and axial rotation of the frames (they coincide there; tilted plateaus stay below the
    condyles, so its origin moves sideways by `KneeAnatomy.tilt_shift_mm`) and settles proximally and in adduction under a small axial load, ligaments off; the patella keeps its height and is seated by a small posterior force.
    Slack lengths are those that give each band its published reference strain in that pose, the superficial MCL after a stretch (`stretched_slack`).
    """
    level = level_tuple(anatomy.femur_level_set)
    compliance = 1.0 / foundation_modulus(anatomy.femur, model)
    nonlinear = model.law == "nonlinear"
    menisci = [(m, p, f"{s}_meniscus") for m, p, s in (
        (anatomy.medial_meniscus, anatomy.tibia_medial, "medial"), (anatomy.lateral_meniscus, anatomy.tibia_lateral, "lateral")) if m is not None]
    tibia = build_springs([
        _plate(anatomy.tibia_medial, model, anatomy.covered_medial, anatomy.medial_meniscus),
        _plate(anatomy.tibia_lateral, model, anatomy.covered_lateral, anatomy.lateral_meniscus),
        *(_wedge(m, plate, name, model) for m, plate, name in menisci)])
    patella = build_springs([_plate(anatomy.patella, model)])
    weak = model.capsule_stiffness_n_mm * np.array([LENGTH**2] * 3 + [1.0] * 3)
    tibia_weak = np.concatenate([weak, [hoop_stiffness(m, model) for m, _, _ in menisci]])

    scale = np.asarray(anatomy.source_scale, float)
    n = 6 + len(menisci)
    start = np.zeros(n)
    start[5] = anatomy.tilt_shift_mm
    settled = _settle(tibia, level, compliance, start, [1, 4, *range(6, n)], tibia_weak, np.array([0.0, SETTLE_TIBIA_N, 0.0]), nonlinear)
    tibia_q = settled.q[0].copy()
    tibia_q[6:] = 0.0
    bands = tibiofemoral_ligaments(scale)
    strain = (1.0 + bands.reference_strain) * bands.slack_length / stretched_slack(bands, mcl_stretch_mm) - 1.0
    tibia_lines, tibia_anchor, _ = _lines(bands, "tibia")

    start = np.concatenate([np.zeros(3), np.array(PATELLA_REFERENCE_MM) * scale])
    seated = _settle(patella, level, compliance, start, [0, 1, 2, 3, 5], weak, np.array([-SETTLE_PATELLA_N, 0.0, 0.0]), nonlinear)
    patella_q = seated.q[0].copy()
    patellar = patellofemoral_ligaments(scale)
    patella_lines, patella_anchor, on_tibia = _lines(patellar, "patella")
    placed = np.where(on_tibia[:, None], _move(poses(tibia_q[None])[0], patella_anchor), patella_anchor)
    quadriceps = quadriceps_attachments(scale)
    return PreparedKnee(
        level=level, femoral_compliance=compliance, tibia=tibia, patella=patella,
        tibia_lines=_with_slack(tibia_lines, tibia_anchor, tibia_q, strain), tibia_anchor=tibia_anchor,
        patella_lines=_with_slack(patella_lines, placed, patella_q, patellar.reference_strain), patella_anchor=patella_anchor, on_tibia=on_tibia,
        tibia_reference=tibia_q, patella_reference=patella_q, tibia_weak=tibia_weak, patella_weak=weak,
        source_scale=scale, quadriceps_point=quadriceps.patella, quadriceps_names=quadriceps.names,
        menisci=tuple(name for _, _, name in menisci), tilt_shift_mm=anatomy.tilt_shift_mm,
    )


def _move(pose: Array, points: Array) -> Array:
    return points @ pose[:3, :3].T + pose[:3, 3]


def patella_track(knee: PreparedKnee, flexion: Array) -> Array:
    """Return (T, 6) coordinates of the usual path of the patella over knee flexion (T,) rad: a start, and the rest of its weak springs."""
    origin, rotation = patella_pose(flexion, knee.source_scale)
    turn = np.arctan2(-rotation[:, 0, 1], rotation[:, 1, 1])
    return np.column_stack([turn, np.zeros((len(flexion), 2)), origin])


def outward_of_track(knee: PreparedKnee, track: Array) -> Array:
    """Return the track moved away from the trochlea by the separation of a failed frame."""
    moved = track.copy()
    arm = track[:, 3:5] - np.array(TROCHLEA_AXIS_MM) * knee.source_scale[:2]
    moved[:, 3:5] += SEPARATION_MM * arm / np.linalg.norm(arm, axis=1, keepdims=True)
    return moved
