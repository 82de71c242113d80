"""What the bone room hands on: subchondral stress and daily dose per region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.bone_map import (
    REGIONS,
    SUBSPINOUS,
    BoneMap,
    FieldLoads,
    KneeMap,
    LoadList,
    PatchLoads,
    Pressures,
    Triangles,
    field_loads,
    five,
    knee_map,
    load_list,
)
from kneeload.bone.day import SECONDS_PER_DAY, check_day, daily_cycles
from kneeload.bone.model import BoneModel
from kneeload.contact.cycle import ContactCycle, SurfaceField
from kneeload.errors import InputError, check_range
from kneeload.kernels.bone_stress import add_stimulus, area_quantiles, find_peaks, stress_below
from kneeload.kernels.loads import pressure_peaks
from kneeload.motion.motion import Motion
from kneeload.subject.anatomy import KneeAnatomy
from kneeload.subject.person import Subject

STIMULUS_QUANTILES = np.linspace(0.0, 1.0, 21)  # parts of a region's area at which `BoneLoad.stimulus_quantiles` is given
STIMULUS_QUANTILES.setflags(write=False)
STANDARD_DAY: Mapping[str, float] = daily_cycles(Subject())  # activity -> cycles or seconds of the default person's day
PEAK_PERCENTILE = 0.99  # of the contact area, as in the contact room: single triangles are noise
BONES = ("femur", "tibia", "patella")
_ROUNDING = 1e-9  # of a sum of shares of the day


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoneLoad:
    """Load of the 15 MOAKS regions over a day (R = 15, A = activities of the day).

    Attributes:
        activities: names of the activities of the person's day.
        peak_stress: (R,) MPa; peak compressive stress in trabecular bone over the activity of the case: the largest at the depth of the stimulus, which is
            that of the first trabecular layer, or, where that is more, deeper below the same point (bone between the plateaus is loaded from its sides).
        peak_contact_pressure: (R,) MPa; peak articular pressure over that region, same activity.
        mean_contact_pressure: (R,) MPa; mean pressure of the triangles of the region that touch at the frame of that peak, same activity.
        daily_dose: (R,) MPa s per day; time integral of the region's mean contact stress, all activities of the day. Mean contact stress is
            contact force over articular area (contact or not); the subspinous region has no cartilage and gives the vertical stress in the
            bone below its strip, averaged over area and depths.
        dose_by_activity: (R, A) MPa s per day.
        depth_mm: (D,) mm below the surface at which `stress_depth` is given.
        stress_depth: (R, D) MPa; peak compressive stress under the point of that peak.
        standard_stimulus: (R, 2) MPa or None; mean and largest value over the region of the stimulus below if the day were STANDARD_DAY:
            how hard this knee is loaded, whatever the number of steps.
        stimulus: (R,) MPa or None; daily stress stimulus, area mean over the region. At each point it is the power mean over the 24 hours
            of the vertical stress at the stimulus depth, (1/day * integral of stress^m dt)^(1/m): the daily stimulus of Carter, Fyhrie and
            Whalen (1987, J Biomech 20:785) with time in the place of cycle counts, so that standing counts too.
        stimulus_quantiles: (R, 21) MPa or None; the same at the parts STIMULUS_QUANTILES of the region's area (0 = least, 1 = most loaded point).
    """

    activities: tuple[str, ...]
    peak_stress: NDArray[np.float64]
    peak_contact_pressure: NDArray[np.float64]
    mean_contact_pressure: NDArray[np.float64]
    daily_dose: NDArray[np.float64]
    dose_by_activity: NDArray[np.float64]
    depth_mm: NDArray[np.float64]
    stress_depth: NDArray[np.float64]
    standard_stimulus: NDArray[np.float64] | None = None
    stimulus: NDArray[np.float64] | None = None
    stimulus_quantiles: NDArray[np.float64] | None = None


def bone_load(anatomy: KneeAnatomy, cycles: Mapping[str, ContactCycle], motions: Mapping[str, Motion], subject: Subject, case_activity: str,
              model: BoneModel | None = None, *, others: Sequence[tuple[Mapping[str, ContactCycle], float]] = (),
              day: Mapping[str, float] | None = None) -> BoneLoad:
    """Return the load of the 15 regions: peak stress in the activity of the case, dose and stimulus over the day.

    Args:
        anatomy: the knee.
        cycles, motions: activity -> contact and motion. The case's activity must be there, and every activity of the day.
        subject: steps, flights and standing hours.
        case_activity: the activity whose peaks are reported.
        model: depths and material; default BoneModel().
        others: contact in other parts of the day, same motions, each with the share of each activity's daily amount that is done in it, no unit (the
            hours without a brace that is worn 8 of 16 waking hours: 0.5); what is left of the amounts is done in `cycles`. Peaks are those of
            `cycles`.
        day: activity -> cycles (seconds for a static pose) a day; default daily_cycles(subject).

    Raises:
        InputError: a missing activity, an unusable field, shares outside 0 to 1 or that add up to more, or more than 24 hours in the day.
    """
    model = model or BoneModel()
    day, parts = checked_day(subject, motions, day), day_parts(cycles, others)
    knee = knee_map(anatomy, model)
    case = load_of_cycle(knee, fields_of(cycles, case_activity), motions.get(case_activity))
    runs = []
    for contact, part in parts:
        for activity in dict.fromkeys((*day, *STANDARD_DAY)):
            own, standard = day.get(activity, 0.0) * part, STANDARD_DAY.get(activity, 0.0) * part
            if own > 0.0 or (standard > 0.0 and activity in contact and activity in motions):
                known = activity == case_activity and contact is cycles
                loaded = case if known else load_of_cycle(knee, fields_of(contact, activity), motions[activity])
                check_frames(activity, loaded, motions[activity])
                runs.append(_Run(activity=activity, loaded=loaded, amount=own, standard_amount=standard))
    dose = _dose(knee, runs, tuple(day))
    stimulus, standard_stimulus, largest = _stimulus(knee, model, runs, case)
    peak_stress, stress_depth = _case_stress(knee, case, largest, model)
    peak, mean = _case_pressure(knee, case)
    arrays = {"peak_stress": peak_stress, "peak_contact_pressure": peak, "mean_contact_pressure": mean, "daily_dose": dose.sum(axis=1),
              "dose_by_activity": dose, "depth_mm": np.array(model.depths_mm), "stress_depth": stress_depth, "stimulus": stimulus.mean,
              "stimulus_quantiles": stimulus.quantiles,
              "standard_stimulus": np.stack([standard_stimulus.mean, standard_stimulus.quantiles[:, -1]], axis=1)}
    for array in arrays.values():
        array.setflags(write=False)
    return BoneLoad(activities=tuple(day), **arrays)


def checked_day(subject: Subject, motions: Mapping[str, Motion], day: Mapping[str, float] | None) -> dict[str, float]:
    """Return the amounts of a day, by default those of the person; InputError for what `bone_load` refuses."""
    amounts = daily_cycles(subject) if day is None else dict(day)
    check_day(amounts, motions)
    return amounts


def day_parts(cycles: Mapping[str, ContactCycle], others: Sequence[tuple[Mapping[str, ContactCycle], float]]) -> list[tuple[Mapping[str, ContactCycle], float]]:
    """Return every part of the day with its share (no unit), `cycles` first with what `others` leave; InputError for shares that are no parts of one day."""
    for _, share in others:
        check_range("share of the day", share, 0.0, 1.0, "", where="others", why="it is a part of the daily amounts")
    left = 1.0 - sum(share for _, share in others)
    check_range("rest of the day", left if abs(left) > _ROUNDING else 0.0, 0.0, 1.0, "", where="others", why="the parts are those of one day")
    return [(cycles, max(left, 0.0)), *others]


def fields_of(cycles: Mapping[str, ContactCycle], activity: str) -> tuple[SurfaceField, ...]:
    """Return the contact fields of an activity; InputError if it is not there."""
    if activity not in cycles:
        raise InputError("activity", where="bone_load", got=activity, allowed="one of " + ", ".join(cycles), why="its contact is needed")
    return cycles[activity].fields


def seconds_per_sample(motion: Motion) -> NDArray[np.float64]:
    """Return (T,) the time that each sample stands for (trapezoidal rule): s per cycle, or part of a second in a static pose."""
    if motion.cycles_per_second > 0.0:
        step = np.diff(motion.time)
        weight = np.zeros(motion.time.shape[0])
        weight[:-1] += 0.5 * step
        weight[1:] += 0.5 * step
        return weight
    return np.full(motion.time.shape[0], 1.0 / motion.time.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Loaded:
    """A cycle of T frames; a static pose with equal frames has one.

    Attributes:
        pressure, triangle: contact of each field, see `five`.
        loads: forces on regions and patches.
        lists: "femur", "tibia", "patella" -> the same as lists.
        seconds: (T,) s; time that each frame stands for, as `seconds_per_sample`.
        frames: how many frames the contact had.
    """

    pressure: Pressures
    triangle: Triangles
    loads: FieldLoads
    lists: Mapping[str, LoadList]
    seconds: NDArray[np.float64]
    frames: int


def load_of_cycle(knee: KneeMap, fields: tuple[SurfaceField, ...], motion: Motion | None) -> Loaded:
    """Return what a cycle puts on the patches of the knee; a static pose with equal frames becomes one frame. Without a motion no time counts."""
    pressure, triangle = five(knee, fields)
    frames = pressure[0].shape[0]
    seconds = np.zeros(frames) if motion is None else seconds_per_sample(motion)
    if motion is not None and motion.cycles_per_second == 0.0 and frames > 1 and all(map(_constant, pressure, triangle)):
        pressure, triangle, seconds = tuple(p[:1] for p in pressure), tuple(k[:1] for k in triangle), seconds.sum(keepdims=True)
    loads = field_loads(knee, pressure, triangle)
    weight = seconds if seconds.shape[0] == loads.frames else np.zeros(loads.frames)
    return Loaded(pressure=pressure, triangle=triangle, loads=loads, seconds=seconds, frames=frames,
                   lists={name: load_list(getattr(loads, name), weight) for name in BONES})


def _constant(pressure: NDArray[np.float32], triangle: NDArray[np.int32]) -> bool:
    """Tell whether all frames of a field are equal, bit by bit, where something is loaded."""
    if not (pressure == pressure[0]).all():
        return False
    some = np.flatnonzero(pressure[0])
    return bool((triangle[:, some] == triangle[0, some]).all())


def check_frames(activity: str, loaded: Loaded, motion: Motion) -> None:
    """Raise InputError if contact and motion of an activity have different numbers of frames."""
    if motion.time.shape[0] != loaded.frames:
        raise InputError("number of frames", where=activity, got=loaded.frames, allowed=str(motion.time.shape[0]),
                         why="contact and motion describe the same samples")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    """An activity of the day: its loads, and how often a day and a standard day has it."""

    activity: str
    loaded: Loaded
    amount: float
    standard_amount: float


def _dose(knee: KneeMap, runs: list[_Run], activities: tuple[str, ...]) -> NDArray[np.float64]:
    """Return (15, A) MPa s per day.

    A region's mean stress is its contact force over its articular area. The subspinous region has no cartilage to press on: its mean
    stress is the vertical stress in the bone under its strip, averaged over the area and all depths.
    """
    dose = np.zeros((REGIONS, len(activities)))
    area = np.where(knee.region_area > 0.0, knee.region_area, np.inf)
    for run in runs:
        if run.activity in activities:
            column, case = activities.index(run.activity), run.loaded
            dose[:, column] += run.amount * (case.loads.force[:, :case.loads.frames] * case.seconds).sum(axis=1) / area
            dose[SUBSPINOUS, column] += run.amount * (case.lists["tibia"].impulse * knee.strip[case.loads.tibia.chosen]).sum()
    return dose


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stimulus:
    """Daily stimulus over each region: `mean` (15,) and `quantiles` (15, 21), MPa."""

    mean: NDArray[np.float64]
    quantiles: NDArray[np.float64]


def _stimulus(knee: KneeMap, model: BoneModel, runs: list[_Run], case: Loaded) -> tuple[_Stimulus, _Stimulus, dict[str, NDArray[np.float32]]]:
    """Return the stimulus of the person's day and of the standard day, and by bone the largest stress (n,) MPa at its depth in the case's activity."""
    days = tuple(_Stimulus(mean=np.zeros(REGIONS), quantiles=np.zeros((REGIONS, STIMULUS_QUANTILES.shape[0]))) for _ in range(2))
    largest: dict[str, NDArray[np.float32]] = {}
    amounts = [(run.loaded, run.amount, run.standard_amount) for run in runs]
    if all(run.loaded is not case for run in runs):
        amounts.append((case, 0.0, 0.0))
    for name in BONES:
        bone: BoneMap = getattr(knee, name)
        power = np.zeros((2, bone.influence.shape[1]))
        for loaded, amount, standard_amount in amounts:
            loads, patches, top, once = loaded.lists[name], _patches(loaded, name), np.zeros(power.shape[1], np.float32), np.zeros(power.shape[1])
            bone.complete(patches.chosen)
            add_stimulus(loads.start, loads.index, loads.value, bone.influence, model.stimulus_exponent, loaded.seconds / SECONDS_PER_DAY, once, top)
            power += np.outer((amount, standard_amount), once)
            if loaded is case:
                largest[name] = top
        for day, value in zip(days, power ** (1.0 / model.stimulus_exponent)):
            mean, quantiles = np.empty(bone.regions.shape[0]), np.empty((bone.regions.shape[0], STIMULUS_QUANTILES.shape[0]))
            area_quantiles(value, bone.samples.areas, bone.begin, STIMULUS_QUANTILES, mean, quantiles)
            day.mean[bone.regions], day.quantiles[bone.regions] = mean, quantiles
    return days[0], days[1], largest


def _patches(loaded: Loaded, name: str) -> PatchLoads:
    patches: PatchLoads = getattr(loaded.loads, name)
    return patches


def _case_stress(knee: KneeMap, case: Loaded, largest: Mapping[str, NDArray[np.float32]], model: BoneModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (15,) peak stress from the depth of the stimulus down and (15, D) peak stress under the point where it is, MPa."""
    peak, by_depth = np.zeros(REGIONS), np.zeros((REGIONS, len(model.depths_mm)))
    for name in BONES:
        bone: BoneMap = getattr(knee, name)
        patches, count = _patches(case, name), bone.regions.shape[0]
        if patches.chosen.size and count:
            point, top, below = np.empty(count, np.int64), np.empty(count, np.float32), np.empty((bone.depths.shape[0], count), np.float32)
            find_peaks(largest[name], bone.begin, point, top)
            stress_below(patches.force, patches.chosen, bone.below(point, patches.chosen), below)
            deep = below[bone.depths >= bone.depth].max(axis=0, initial=0.0)
            peak[bone.regions], by_depth[bone.regions] = np.maximum(top, deep), below.T
    return peak, by_depth


def _case_pressure(knee: KneeMap, case: Loaded) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (15,) peak (99th area percentile) and mean pressure of each region, MPa, at the frame of its largest peak."""
    peak, mean, from_ = np.zeros(REGIONS), np.zeros(REGIONS), knee.sources
    pressure_peaks(case.pressure, case.triangle, from_.first, from_.area, from_.region, knee.landing.region, 1.0 - PEAK_PERCENTILE, case.loads.peak.copy(),
                   peak, mean)
    return peak, mean
