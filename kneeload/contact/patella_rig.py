"""A numerical experiment on the patellofemoral joint: a two-legged hold at given flexions with a given share of body weight on each foot.

It is what an upright open MRI scanner holds a person in (Besier 2005, doi 10.1016/j.orthres.2004.08.003: 0.15 and 0.45 body weights per leg,
0 to 60 degrees). The ground pushes vertically through the ankle and the hip stands above the ankle, so with thigh a and shank b the shank
leans by s, a sin(flexion - s) = b sin(s), and statics of shank and foot give the internal extension moment

    M = (share of body weight x b - weight of shank and foot x c) sin(s),   c = 0.606 b

(c: centre of mass of shank and foot from the knee, Winter 2009, table 4.1). Muscles share that moment as in every other activity
(`kneeload.forces.joint`, without hip and ankle moments), the tibia and then the patella find their equilibrium, and its contact is measured.

In that scanner people leaned on a backrest 25 degrees from the vertical, and its full load, 0.45 on each foot, is half the cosine of 25 degrees:
so the load probably ran along the backrest. How feet and hips shared the leg's weight across it is not known; at 30 degrees and 0.15 the moment
is 0.55 times the one above if the hip carries no moment, and 1.55 times if the foot carries no shear. The upright hold lies in the middle.

Two areas are given. `area` is where cartilage presses on cartilage. `seen_area` is what an image shows: readers mark as contact where no line
can be seen between both cartilages, so a gap narrower than about one pixel counts (`VISIBLE_GAP_MM`). An area that a reader of images marked is
to be compared with `seen_area`, one from pressure film or from overlapping models with `area`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.contact.cycle import ContactCycle
from kneeload.contact.cycle_solver import solve_poses
from kneeload.contact.model import ContactModel
from kneeload.errors import check_range
from kneeload.forces.joint import joint_loads
from kneeload.forces.loads import JointLoads
from kneeload.motion.limb import SHANK_AND_FOOT_MASS, SHANK_LENGTH, THIGH_LENGTH, anterior_force, axial_force, knee_shift_mm
from kneeload.motion.motion import Motion
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy
from kneeload.subject.distance import evaluate
from kneeload.subject.person import Subject
from kneeload.units import MM_PER_M

Array = NDArray[np.float64]
SHANK_AND_FOOT_CENTRE = 0.606  # centre of mass of shank and foot below the knee over the length of the shank, Winter 2009, table 4.1
VISIBLE_GAP_MM = 0.75  # narrowest gap that an open scanner shows: about one pixel (assumption, 0.5 to 1 mm; the abstract gives no pixel size)
FACING = -0.2  # cosine between the normals of both surfaces below which they face each other, as in contact


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatellaHold:
    """Patellofemoral contact of a hold at T flexions.

    Attributes:
        flexion: (T,) rad.
        quadriceps_force: (T,) N.
        force: (T,) N, size of the contact force.
        area: (T,) mm2, all of the contact.
        seen_area: (T,) mm2, patellar cartilage whose gap to the femoral cartilage is too narrow for the image.
        medial_area, lateral_area: (T,) mm2, of `area` on the two facets (MOAKS border: just lateral to the ridge).
        height: (T,) no unit; centre of pressure from the distal (0) to the proximal (1) end of the patellar cartilage, nan without contact.
        peak_pressure, mean_pressure: (T,) MPa, as in `CompartmentContact`.
        loads: forces of the hold.
        cycle: its equilibrium.
    """

    flexion: Array
    quadriceps_force: Array
    force: Array
    area: Array
    seen_area: Array
    medial_area: Array
    lateral_area: Array
    height: Array
    peak_pressure: Array
    mean_pressure: Array
    loads: JointLoads
    cycle: ContactCycle


def hold_motion(subject: Subject, flexion: ArrayLike, share: float) -> Motion:
    """Posture and net loads of the hold, one frame per flexion ((T,) rad); `share` is the load on one foot over body weight, no unit."""
    check_range("load on one foot", share, 0.0, 2.0, "body weights", where="share", why="a person stands on it")
    flexion = np.atleast_1d(np.asarray(flexion, dtype=float))
    lean = np.arctan2(THIGH_LENGTH * np.sin(flexion), SHANK_LENGTH + THIGH_LENGTH * np.cos(flexion))
    frames, zero = len(flexion), np.zeros(len(flexion))
    foot = np.full(frames, share * subject.body_weight_n)
    shank = SHANK_LENGTH * subject.height_m * MM_PER_M
    hanging = SHANK_AND_FOOT_MASS * subject.body_weight_n * SHANK_AND_FOOT_CENTRE
    return Motion(
        activity="hold", time=np.arange(frames, dtype=float), stance=np.ones(frames, bool), knee_flexion=flexion, hip_flexion=flexion - lean,
        ankle_dorsiflexion=lean, knee_extension_moment=(foot - hanging) * shank * np.sin(lean),
        knee_adduction_moment=foot * knee_shift_mm(subject.varus_deg, subject.height_m) * np.cos(lean), hip_extension_moment=None,
        ankle_plantarflexion_moment=None, net_axial_force=axial_force(foot, zero, lean, subject),
        net_anterior_force=anterior_force(foot, zero, lean, subject), cycles_per_second=0.0, source="statics of a hold, hip above ankle",
    )


def patella_hold(subject: Subject, anatomy: KneeAnatomy, flexion: ArrayLike, share: float, model: ContactModel | None = None, *,
                 visible_gap_mm: float = VISIBLE_GAP_MM) -> PatellaHold:
    """Return the patellofemoral contact of a hold.

    Args:
        subject: size and mass.
        anatomy: the person's knee.
        flexion: (T,) rad, between -0.6 and 2.0.
        share: load on one foot over body weight, no unit.
        model: of the contact; None = the default.
        visible_gap_mm: narrowest gap that the image shows, mm.

    Raises:
        InputError: flexion or share out of range.
    """
    check_range("visible gap", visible_gap_mm, 0.0, 3.0, "mm", where="visible_gap_mm", why="knees are not imaged with larger pixels")
    motion = hold_motion(subject, flexion, share)
    loads = joint_loads(motion, subject, centres_flexion=anatomy.contact_centres_flexion, centres_mm=anatomy.contact_centres_mm,
                        source_scale=anatomy.source_scale)
    cycle = solve_poses(anatomy, motion.knee_flexion, loads, model)
    part = cycle.patellofemoral
    pressure = next(field.pressure for field in cycle.fields if field.name == "patella")
    sides = [_facet_area(anatomy, pressure, part.contact_area, f"patella_{side}") for side in ("medial", "lateral")]
    level = anatomy.patella.centroids[:, 1]
    low, high = float(level.min()), float(level.max())
    return PatellaHold(
        flexion=motion.knee_flexion, quadriceps_force=loads.quadriceps_force, force=part.force, area=part.contact_area,
        seen_area=np.array([_seen(anatomy, pose, visible_gap_mm) for pose in cycle.femur_from_patella]), medial_area=sides[0], lateral_area=sides[1], height=(part.centre_of_pressure[:, 1] - low) / (high - low), peak_pressure=part.peak_pressure,
        mean_pressure=part.mean_pressure, loads=loads, cycle=cycle,
    )


def _seen(anatomy: KneeAnatomy, pose: Array, gap_mm: float) -> float:
    """Area of the patellar cartilage (mm2) that faces the femur over a gap below `gap_mm`, patella in `pose` (4, 4)."""
    gap, gradient = evaluate(anatomy.femur_level_set, anatomy.patella.centroids @ pose[:3, :3].T + pose[:3, 3])
    facing = ((anatomy.patella.mesh.normals @ pose[:3, :3].T) * gradient).sum(axis=1) < FACING * np.linalg.norm(gradient, axis=1)
    return float(anatomy.patella.areas[facing & (gap < gap_mm)].sum())


def _facet_area(anatomy: KneeAnatomy, pressure: NDArray[np.float32], total: Array, region: str) -> Array:
    """Area of contact on a facet (T,) mm2: its share of the triangles in contact times the area of the whole contact."""
    touching = (pressure > 0.0) * anatomy.patella.areas
    all_of_it = touching.sum(axis=1)
    here = touching[:, anatomy.patella.region == MOAKS_REGIONS.index(region)].sum(axis=1)
    return np.asarray(np.where(all_of_it > 0.0, here / np.where(all_of_it > 0.0, all_of_it, 1.0), 0.0) * total)
