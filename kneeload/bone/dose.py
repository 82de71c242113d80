"""What the bone room hands on: subchondral stress and daily dose per region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.bone_map import REGIONS, SUBSPINOUS, BoneMap, FieldLoads, KneeMap, LoadList, field_loads, knee_map, load_list
from kneeload.bone.day import SECONDS_PER_DAY, check_day, daily_cycles
from kneeload.bone.model import BoneModel
from kneeload.contact.cycle import ContactCycle, SurfaceField
from kneeload.errors import InputError, check_range
from kneeload.kernels.bone_stress import SLACK, add_stimulus, area_quantiles, find_peaks, peaks_below, stress_rows
from kneeload.kernels.loads import FRAMES, envelope, list_triangles, region_percentiles
from kneeload.motion.motion import Motion
from kneeload.subject.anatomy import KneeAnatomy
from kneeload.subject.person import Subject

STIMULUS_QUANTILES = np.linspace(0.0, 1.0, 21)  # parts of a region's area at which `BoneLoad.stimulus_quantiles` is given
STIMULUS_QUANTILES.setflags(write=False)
STANDARD_DAY: Mapping[str, float] = daily_cycles(Subject())  # activity -> cycles or seconds of the default person's day
PEAK_PERCENTILE = 0.99  # of the contact area, as in the contact room: single triangles are noise
BONES = ("femur", "tibia", "patella")
GROUP = 12  # frames whose largest forces bound their stress together; a multiple of four


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoneLoad:
    """Load of the 15 MOAKS regions over a day (R = 15, A = activities of the day).

    Attributes:
        activities: names of the activities of the person's day.
        peak_stress: (R,) MPa; peak compressive stress in the subchondral bone over the activity of the case.
        peak_contact_pressure: (R,) MPa; peak articular pressure over that region, same activity.
        mean_contact_pressure: (R,) MPa; mean pressure of the triangles of the region that touch at the frame of that peak, same activity.
        daily_dose: (R,) MPa s per day; time integral of the region's mean contact stress, all activities of the day. Mean contact stress is
            contact force over articular area (contact or not); the subspinous region has no cartilage and gives the vertical stress in the
            bone below its strip, averaged over area and depths.
        dose_by_activity: (R, A) MPa s per day.
        depth_mm: (D,) mm below the surface at which `stress_depth` is given.
        stress_depth: (R, D) MPa; peak compressive stress under the most loaded point of the region.
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
              model: BoneModel | None = None, *, other_cycles: Mapping[str, ContactCycle] | None = None, share: float = 1.0,
              day: Mapping[str, float] | None = None) -> BoneLoad:
    """Return the load of the 15 regions: peak stress in the activity of the case, dose and stimulus over the day.

    Args:
        anatomy: the knee.
        cycles, motions: activity -> contact and motion. The case's activity must be there, and every activity of the day.
        subject: steps, flights and standing hours.
        case_activity: the activity whose peaks are reported.
        model: depths and material; default BoneModel().
        other_cycles: a second set of contact for the rest of the day, for example the hours without a brace; same motions.
        share: part of each activity's daily amount that is done in `cycles`, 0 to 1, no unit (a brace worn 8 of 16 waking hours: 0.5);
            the rest is done in `other_cycles`. Peaks are those of `cycles`.
        day: activity -> cycles (seconds for a static pose) a day; default daily_cycles(subject).

    Raises:
        InputError: a missing activity, an unusable field, a share outside 0 to 1, or more than 24 hours in the day.
    """
    model = model or BoneModel()
    day = daily_cycles(subject) if day is None else dict(day)
    check_day(day, motions)
    check_range("share of the day", share, 0.0, 1.0, "", where="share", why="it is a part of the daily amounts")
    if other_cycles is None and share < 1.0:
        raise InputError("share of the day", where="share", got=share, allowed="1 where there is no second set of cycles",
                         why="the rest of the day would be without load")
    parts = [(cycles, share)] + ([] if other_cycles is None else [(other_cycles, 1.0 - share)])
    knee = knee_map(anatomy, model)
    case = _loaded(knee, _fields(cycles, case_activity), motions.get(case_activity))
    runs = []
    for contact, part in parts:
        for activity in dict.fromkeys((*day, *STANDARD_DAY)):
            own, standard = day.get(activity, 0.0) * part, STANDARD_DAY.get(activity, 0.0) * part
            if own > 0.0 or (standard > 0.0 and activity in contact and activity in motions):
                known = activity == case_activity and contact is cycles
                fields = _fields(contact, activity)
                loaded = case if known else _loaded(knee, fields, motions[activity])
                runs.append(_run(activity, loaded, fields, motions[activity], own, standard))
    dose = _dose(knee, runs, tuple(day))
    stimulus, standard_stimulus, largest = _stimulus(knee, model, runs, case)
    peak_stress, stress_depth = _case_stress(knee, case, largest, model)
    peak, mean = _case_pressure(knee, cycles[case_activity], case.loads)
    arrays = {"peak_stress": peak_stress, "peak_contact_pressure": peak, "mean_contact_pressure": mean, "daily_dose": dose.sum(axis=1),
              "dose_by_activity": dose, "depth_mm": np.array(model.depths_mm), "stress_depth": stress_depth, "stimulus": stimulus.mean,
              "stimulus_quantiles": stimulus.quantiles,
              "standard_stimulus": np.stack([standard_stimulus.mean, standard_stimulus.quantiles[:, -1]], axis=1)}
    for array in arrays.values():
        array.setflags(write=False)
    return BoneLoad(activities=tuple(day), **arrays)


def _fields(cycles: Mapping[str, ContactCycle], activity: str) -> tuple[SurfaceField, ...]:
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
class _Loaded:
    """The loads of a cycle and, by bone, the same as lists. A static pose with equal frames has one frame."""

    loads: FieldLoads
    lists: Mapping[str, LoadList]


def _loaded(knee: KneeMap, fields: tuple[SurfaceField, ...], motion: Motion | None) -> _Loaded:
    if motion is not None and motion.cycles_per_second == 0.0 and all(_constant(field) for field in fields):
        fields = tuple(SurfaceField(name=f.name, pressure=f.pressure[:1], femur_triangle=f.femur_triangle[:1]) for f in fields)
    loads = field_loads(knee, fields)
    return _Loaded(loads=loads, lists={name: load_list(getattr(loads, name)) for name in BONES})


def _constant(field: SurfaceField) -> bool:
    """Tell whether all frames are equal, bit by bit."""
    return all(len(array) > 0 and bool((array == array[0]).all()) for array in (field.pressure, field.femur_triangle))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    """An activity of the day: its loads, and (2, T) the seconds of the day and of the standard day that each frame stands for."""

    activity: str
    loaded: _Loaded
    seconds: NDArray[np.float64]


def _run(activity: str, loaded: _Loaded, fields: tuple[SurfaceField, ...], motion: Motion, amount: float, standard_amount: float) -> _Run:
    sample, frames = seconds_per_sample(motion), fields[0].pressure.shape[0] if fields else 0
    if sample.shape[0] != frames:
        raise InputError("number of frames", where=activity, got=frames, allowed=str(sample.shape[0]),
                         why="contact and motion describe the same samples")
    if loaded.loads.force.shape[0] != frames:
        sample = sample.sum(keepdims=True)
    return _Run(activity=activity, loaded=loaded, seconds=np.stack([amount * sample, standard_amount * sample]))


def _dose(knee: KneeMap, runs: list[_Run], activities: tuple[str, ...]) -> NDArray[np.float64]:
    """Return (15, A) MPa s per day.

    A region's mean stress is its contact force over its articular area. The subspinous region has no cartilage to press on: its mean
    stress is the vertical stress in the bone under its strip, averaged over the area and all depths.
    """
    dose = np.zeros((REGIONS, len(activities)))
    area = np.where(knee.region_area > 0.0, knee.region_area, np.inf)
    for run in runs:
        if run.activity in activities:
            column, seconds = activities.index(run.activity), run.seconds[0]
            dose[:, column] += (seconds[:, None] * run.loaded.loads.force).sum(axis=0) / area
            tibia = run.loaded.lists["tibia"]
            used = int(tibia.start[-1])
            fours = np.zeros((tibia.start.shape[0] - 1, FRAMES))
            fours.ravel()[:seconds.shape[0]] = seconds
            entry = (np.repeat(fours, np.diff(tibia.start), axis=0) * tibia.value[:used]).sum(axis=1)
            dose[SUBSPINOUS, column] += (entry * knee.strip[tibia.index[:used]]).sum()
    return dose


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stimulus:
    """Daily stimulus over each region: `mean` (15,) and `quantiles` (15, 21), MPa."""

    mean: NDArray[np.float64]
    quantiles: NDArray[np.float64]


def _stimulus(knee: KneeMap, model: BoneModel, runs: list[_Run], case: _Loaded) -> tuple[_Stimulus, _Stimulus, dict[str, NDArray[np.float32]]]:
    """Return the stimulus of the person's day and of the standard day, and by bone the largest stress (G, n) MPa of the case's activity
    at the depth of the stimulus in groups of frames, if that activity is in one of the days."""
    days = tuple(_Stimulus(mean=np.zeros(REGIONS), quantiles=np.zeros((REGIONS, STIMULUS_QUANTILES.shape[0]))) for _ in range(2))
    largest: dict[str, NDArray[np.float32]] = {}
    if not runs:
        return days[0], days[1], largest
    for name in BONES:
        bone: BoneMap = getattr(knee, name)
        depth = np.flatnonzero(bone.depths == model.stimulus_depth_mm)
        lists = [run.loaded.lists[name] for run in runs]
        bone.complete(_any_of(bone, lists), depth)
        power = np.zeros((2, bone.influence.shape[2]))
        for run, loads in zip(runs, lists):
            top = np.zeros((-(-run.seconds.shape[1] // GROUP), bone.influence.shape[2]), np.float32)
            add_stimulus(loads.start, loads.index, loads.value, bone.influence[depth[0]], model.stimulus_exponent, run.seconds / SECONDS_PER_DAY,
                         power, GROUP, top)
            if run.loaded is case:
                largest[name] = top
        for day, value in zip(days, power ** (1.0 / model.stimulus_exponent)):
            mean, quantiles = np.empty(bone.regions.shape[0]), np.empty((bone.regions.shape[0], STIMULUS_QUANTILES.shape[0]))
            area_quantiles(value, bone.samples.areas, bone.begin, STIMULUS_QUANTILES, mean, quantiles)
            day.mean[bone.regions], day.quantiles[bone.regions] = mean, quantiles
    return days[0], days[1], largest


def _any_of(bone: BoneMap, lists: list[LoadList]) -> NDArray[np.bool_]:
    """Return (P,) True for the patches that are in one of the lists."""
    loaded = np.zeros(bone.patches.areas.shape[0], np.bool_)
    for loads in lists:
        loaded[loads.patches] = True
    return loaded


def _case_stress(knee: KneeMap, case: _Loaded, largest: Mapping[str, NDArray[np.float32]], model: BoneModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (15,) peak stress and (15, D) stress under the most loaded point of each region, MPa.

    Groups of frames are left out for a region and depth when the stress of the largest force on each patch in any frame of the group
    stays below what was found elsewhere: stress only adds, so no frame of the group can exceed it.
    """
    peak, by_depth = np.zeros(REGIONS), np.zeros((REGIONS, len(model.depths_mm)))
    for name in BONES:
        bone: BoneMap = getattr(knee, name)
        loads, force = case.lists[name], getattr(case.loads, name)
        if not loads.patches.size or not bone.regions.size:
            continue
        depths = np.flatnonzero(np.isin(bone.depths, model.depths_mm))
        bone.complete(_any_of(bone, [loads]), depths)
        others, known = depths, np.zeros(bone.influence.shape[2], np.float32)
        if name in largest and model.stimulus_depth_mm in model.depths_mm:
            others, known = depths[bone.depths[depths] != model.stimulus_depth_mm], largest[name].max(axis=0)
        best, point = np.empty(bone.regions.shape[0], np.float32), np.empty(bone.regions.shape[0], np.int64)
        bound = _bound(bone, force, others)
        find_peaks(loads.start, loads.index, loads.value, bone.influence, others, bone.begin, GROUP, bound, known, best, point)
        below = np.empty((bone.regions.shape[0], depths.shape[0]))
        for k, depth in enumerate(depths):
            if depth in others:
                peaks_below(loads.start, loads.index, loads.value, loads.patches, bone.influence[depth], GROUP, bound[np.searchsorted(others, depth)], point, below[:, k])
            else:
                below[:, k] = known[point]
        by_depth[bone.regions], peak[bone.regions] = below, below.max(axis=1)
    return peak, by_depth


def _bound(bone: BoneMap, force: NDArray[np.float32], depths: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return (k, G, n) MPa: what the stress at depth number depths[k] under each point does not exceed in a group of frames; force (T, P) N."""
    groups = -(-force.shape[0] // GROUP)
    top = np.zeros((groups, force.shape[1]), np.float32)
    envelope(force, GROUP, top)
    most = load_list(top)
    out = np.empty((depths.shape[0], groups, bone.influence.shape[2]), np.float32)
    for k, depth in enumerate(depths):
        stress_rows(most.start, most.index, most.value, bone.influence[depth], out[k])
    out *= SLACK
    return out


def _case_pressure(knee: KneeMap, cycle: ContactCycle, case: FieldLoads) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (15,) peak (99th area percentile) and mean pressure of each region, MPa, at the frame of its largest peak.

    A percentile is not above the largest pressure of its region and frame, so frames are read from the largest pressure down until none
    is left that could exceed what was found.
    """
    peak, mean = np.zeros(REGIONS), np.zeros(REGIONS)
    left = case.peak.copy()
    while left.size and (open_ := left.max(axis=0) > peak).any():
        frame = int(left[:, int(np.flatnonzero(open_)[0])].argmax())
        found = _frame_percentiles(knee, cycle, frame, left[frame] > peak)
        for r in np.flatnonzero(found > peak):
            peak[r], mean[r] = found[r], case.force[frame, r] / case.area[frame, r]
        left[frame] = 0.0
    return peak, mean


def _frame_percentiles(knee: KneeMap, cycle: ContactCycle, frame: int, wanted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (15,) MPa: the pressure that 99 % of the area in contact of each region wanted (15,) does not exceed in one frame."""
    room = sum(field.pressure.shape[1] for field in cycle.fields)
    value, size, own, other = np.empty(room, np.float32), np.empty(room), np.empty(room, np.int64), np.empty(room, np.int64)
    count, out = 0, np.zeros(REGIONS)
    for field in cycle.fields:
        count = list_triangles(field.pressure[frame], field.femur_triangle[frame], knee.casting_area[field.name], knee.own_route(field.name).region,
                               knee.landing.region, wanted, count, value, size, own, other)
    region_percentiles(value, size, own, other, count, 1.0 - PEAK_PERCENTILE, wanted, out)
    return out
