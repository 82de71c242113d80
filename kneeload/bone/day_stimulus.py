"""The daily stimulus at any points in the bone: power mean over 24 hours of the effective stress, and what each activity adds to it.

The stimulus is (1/day * integral over the day of sigma^m dt)^(1/m) with the effective stress sigma = sqrt(2 E U) of the whole stress tensor
(`kneeload.bone.tensor`): the daily loading history of Carter, Fyhrie and Whalen (1987, J Biomech 20:785) with time in the place of cycle
counts. `BoneLoad.stimulus` is the same mean of the vertical stress alone at one depth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.bone_map import REGIONS, BoneMap, KneeMap, knee_map
from kneeload.bone.day import SECONDS_PER_DAY
from kneeload.bone.dose import BONES, Loaded, check_frames, checked_day, day_parts, fields_of, load_of_cycle
from kneeload.bone.model import BoneModel
from kneeload.bone.tensor import HalfSpaceSolid, SurfacePoints, effective_power
from kneeload.contact.cycle import ContactCycle
from kneeload.motion.motion import Motion
from kneeload.subject.anatomy import KneeAnatomy
from kneeload.subject.person import Subject

Array = NDArray[np.float64]
PROFILE_DEPTHS_MM: tuple[float, ...] = (1.5, 2.5, 4.0, 6.0, 9.0, 12.0, 16.0, 24.0)  # from SHALLOWEST_MM


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DayCycles:
    """The load of a person's day on the patches of the knee.

    Attributes:
        knee: the patches of the bones.
        exponent: of the stimulus, no unit.
        activities: names of the activities of the day.
        amounts: of each cycle a day: cycles, seconds for a static pose.
        names: activity of each cycle (several times the same where a device is worn for part of the day).
        cycles: the loads.
    """

    knee: KneeMap
    exponent: float
    activities: tuple[str, ...]
    amounts: tuple[float, ...]
    names: tuple[str, ...]
    cycles: tuple[Loaded, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StimulusProfile:
    """How the daily stimulus of a person falls with depth: the most loaded point of each region, depth by depth (D depths).

    Attributes:
        depth_mm: (D,) mm below the bone surface.
        largest: (15, D) MPa; largest daily stimulus under the surface points of each MOAKS region, 0 for a region that the knee lacks.
    """

    depth_mm: Array
    largest: Array


def day_cycles(anatomy: KneeAnatomy, cycles: Mapping[str, ContactCycle], motions: Mapping[str, Motion], subject: Subject, model: BoneModel | None = None, *,
               others: Sequence[tuple[Mapping[str, ContactCycle], float]] = (), day: Mapping[str, float] | None = None) -> DayCycles:
    """Return the load of a person's day; the arguments are those of `kneeload.bone.dose.bone_load`.

    Raises:
        InputError: as `bone_load`.
    """
    model = model or BoneModel()
    day = checked_day(subject, motions, day)
    knee, runs = knee_map(anatomy, model), []
    for contact, part in day_parts(cycles, others):
        for name, amount in day.items():
            if amount * part > 0.0:
                loaded = load_of_cycle(knee, fields_of(contact, name), motions[name])
                check_frames(name, loaded, motions[name])
                runs.append((name, amount * part, loaded))
    return DayCycles(knee=knee, exponent=model.stimulus_exponent, activities=tuple(day), amounts=tuple(run[1] for run in runs),
                     names=tuple(run[0] for run in runs), cycles=tuple(run[2] for run in runs))


def daily_power(day: DayCycles, bone: str, under: SurfacePoints, solid: HalfSpaceSolid | None = None) -> tuple[Array, Array]:
    """Return what the day does at points in a bone ("femur", "tibia" or "patella").

    Returns:
        (A, n) MPa^exponent: stimulus^exponent that each activity of the day adds; their sum is that of the day.
        (A, n) MPa: largest effective stress in each activity.
    """
    shape: BoneMap = getattr(day.knee, bone)
    lists = [(item.lists[bone], item.seconds) for item in day.cycles]
    chosen = [getattr(item.loads, bone).chosen for item in day.cycles]
    once, top = effective_power(shape, under, lists, np.unique(np.concatenate([np.zeros(0, np.int64), *chosen])), day.exponent, solid)
    power, largest = np.zeros((2, len(day.activities), under.depth_mm.shape[0]))
    for name, amount, add, peak in zip(day.names, day.amounts, once, top):
        row = day.activities.index(name)
        power[row] += amount / SECONDS_PER_DAY * add
        largest[row] = np.maximum(largest[row], peak)
    return power, largest


def stimulus_profile(day: DayCycles, solid: HalfSpaceSolid | None = None, *, depths_mm: tuple[float, ...] = PROFILE_DEPTHS_MM) -> StimulusProfile:
    """Return the largest daily stimulus of each region at each depth, over the surface points that stand for the region (`Samples`)."""
    depths, largest = np.array(depths_mm), np.zeros((REGIONS, len(depths_mm)))
    for bone in BONES:
        shape: BoneMap = getattr(day.knee, bone)
        samples, count = shape.samples, shape.samples.region.shape[0]
        if not count:
            continue
        under = SurfacePoints(points=np.tile(samples.points, (len(depths), 1)), normals=np.tile(samples.normals, (len(depths), 1)),
                              depth_mm=np.repeat(depths, count))
        stimulus = daily_power(day, bone, under, solid)[0].sum(axis=0) ** (1.0 / day.exponent)
        for row, values in enumerate(stimulus.reshape(len(depths), count)):
            np.maximum.at(largest[:, row], samples.region, values)
    for array in (depths, largest):
        array.setflags(write=False)
    return StimulusProfile(depth_mm=depths, largest=largest)
