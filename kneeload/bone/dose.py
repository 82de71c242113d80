"""What the bone room hands on: subchondral stress and daily dose per region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.bone_map import REGIONS, SUBSPINOUS, BoneMap, FieldLoads, KneeMap, field_loads, knee_map, stress_under
from kneeload.bone.day import SECONDS_PER_DAY, check_day, daily_cycles
from kneeload.bone.model import BoneModel
from kneeload.contact.cycle import ContactCycle, SurfaceField
from kneeload.errors import InputError, check_range
from kneeload.motion.motion import Motion
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy
from kneeload.subject.person import Subject

STIMULUS_QUANTILES = np.linspace(0.0, 1.0, 21)  # parts of a region's area at which `BoneLoad.stimulus_quantiles` is given
STIMULUS_QUANTILES.setflags(write=False)
STANDARD_DAY: Mapping[str, float] = daily_cycles(Subject())  # activity -> cycles or seconds of the default person's day
PEAK_PERCENTILE = 0.99  # of the contact area, as in the contact room: single triangles are noise
BONES = ("femur", "tibia", "patella")
PEAK_CANDIDATES = 8  # frames with the largest single pressure, among which the largest percentile is looked for


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
    case = field_loads(knee, _fields(cycles, case_activity))
    runs = []
    for contact, part in parts:
        for activity in dict.fromkeys((*day, *STANDARD_DAY)):
            own, standard = day.get(activity, 0.0) * part, STANDARD_DAY.get(activity, 0.0) * part
            if own > 0.0 or (standard > 0.0 and activity in contact and activity in motions):
                known = activity == case_activity and contact is cycles
                loads = case if known else field_loads(knee, _fields(contact, activity))
                runs.append(_run(activity, loads, motions[activity], own, standard))
    dose = _dose(knee, runs, tuple(day))
    stimulus, standard_stimulus = _stimulus(knee, model, runs)
    peak_stress, stress_depth = _case_stress(knee, case, model)
    peak, mean = _case_pressure(anatomy, knee, cycles[case_activity], case)
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
class _Run:
    """An activity of the day: its loads, and (T,) the seconds of the day and of the standard day that each frame stands for."""

    activity: str
    loads: FieldLoads
    seconds: NDArray[np.float64]
    standard_seconds: NDArray[np.float64]


def _run(activity: str, loads: FieldLoads, motion: Motion, amount: float, standard_amount: float) -> _Run:
    sample = seconds_per_sample(motion)
    if sample.shape[0] != loads.force.shape[0]:
        raise InputError("number of frames", where=activity, got=loads.force.shape[0], allowed=str(sample.shape[0]),
                         why="contact and motion describe the same samples")
    return _Run(activity=activity, loads=loads, seconds=amount * sample, standard_seconds=standard_amount * sample)


def _dose(knee: KneeMap, runs: list[_Run], activities: tuple[str, ...]) -> NDArray[np.float64]:
    """Return (15, A) MPa s per day.

    A region's mean stress is its contact force over its articular area. The subspinous region has no cartilage to press on: its mean
    stress is the vertical stress in the bone under its strip, averaged over the area and all depths.
    """
    dose = np.zeros((REGIONS, len(activities)))
    area = np.where(knee.region_area > 0.0, knee.region_area, np.inf)
    for run in runs:
        if run.activity in activities:
            column = activities.index(run.activity)
            dose[:, column] += run.seconds @ run.loads.force / area
            dose[SUBSPINOUS, column] += float((run.seconds.astype(np.float32) @ run.loads.tibia) @ knee.strip)
    return dose


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stimulus:
    """Daily stimulus over each region: `mean` (15,) and `quantiles` (15, 21), MPa."""

    mean: NDArray[np.float64]
    quantiles: NDArray[np.float64]


def _stimulus(knee: KneeMap, model: BoneModel, runs: list[_Run]) -> tuple[_Stimulus, _Stimulus]:
    """Return the stimulus of the person's day and of the standard day."""
    days = tuple(_Stimulus(mean=np.zeros(REGIONS), quantiles=np.zeros((REGIONS, STIMULUS_QUANTILES.shape[0]))) for _ in range(2))
    if not runs:
        return days[0], days[1]
    part = np.stack([np.concatenate([run.seconds for run in runs]), np.concatenate([run.standard_seconds for run in runs])]) / SECONDS_PER_DAY
    for name in BONES:
        bone: BoneMap = getattr(knee, name)
        force = np.concatenate([getattr(run.loads, name) for run in runs])
        stress = stress_under(bone, force, np.flatnonzero(bone.depths == model.stimulus_depth_mm))[:, 0, :]
        powered = np.square(np.square(stress)) if model.stimulus_exponent == 4.0 else np.power(stress, model.stimulus_exponent)
        values = (part @ powered) ** (1.0 / model.stimulus_exponent)
        for r in np.unique(bone.samples.region):
            chosen = bone.samples.region == r
            for day, value in zip(days, values):
                day.mean[r] = np.average(value[chosen], weights=bone.samples.areas[chosen])
                day.quantiles[r] = _area_quantiles(value[chosen], bone.samples.areas[chosen], STIMULUS_QUANTILES)
    return days[0], days[1]


def _area_quantiles(value: NDArray[np.float64], area: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values below which the parts `at` of the area lie, linear between; 0 and 1 give the smallest and largest value."""
    order = np.argsort(value, kind="stable")
    total = np.cumsum(area[order])
    middle = (total - 0.5 * area[order]) / total[-1]
    middle[0], middle[-1] = 0.0, 1.0
    return np.interp(at, middle, value[order])


def _case_stress(knee: KneeMap, case: FieldLoads, model: BoneModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (15,) peak stress and (15, D) stress under the most loaded point of each region, MPa."""
    peak, by_depth = np.zeros(REGIONS), np.zeros((REGIONS, len(model.depths_mm)))
    for name in BONES:
        bone: BoneMap = getattr(knee, name)
        depths = np.flatnonzero(np.isin(bone.depths, model.depths_mm))
        largest = stress_under(bone, getattr(case, name), depths).max(axis=0, initial=0.0)  # (D, n)
        for r in np.unique(bone.samples.region):
            chosen = largest[:, bone.samples.region == r]
            by_depth[r] = chosen[:, chosen.max(axis=0).argmax()]
            peak[r] = by_depth[r].max()
    return peak, by_depth


def _case_pressure(anatomy: KneeAnatomy, knee: KneeMap, cycle: ContactCycle, case: FieldLoads) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (15,) peak (99th area percentile) and mean pressure of each region, MPa, at the frame of its largest peak."""
    peak, mean = np.zeros(REGIONS), np.zeros(REGIONS)
    for r in np.flatnonzero(case.peak.max(axis=0, initial=0.0) > 0.0):
        frames = np.argsort(-case.peak[:, r], kind="stable")[:PEAK_CANDIDATES]
        values = [_contact_percentile(anatomy, knee, cycle, int(t), int(r)) for t in frames]
        best = int(np.argmax(values))
        peak[r] = values[best]
        mean[r] = case.force[frames[best], r] / case.area[frames[best], r]
    return peak, mean


def _contact_percentile(anatomy: KneeAnatomy, knee: KneeMap, cycle: ContactCycle, frame: int, region: int) -> float:
    """Return the pressure that 99 % of the region's contact area does not exceed in one frame, MPa."""
    pressures, areas = [], []
    for field in cycle.fields:
        pressure, area = field.pressure[frame], knee.femur.casting_area[field.name]
        if MOAKS_REGIONS[region].startswith("femur"):
            triangle = field.femur_triangle[frame]
            chosen = (pressure > 0.0) & (triangle >= 0) & (anatomy.femur.region[triangle] == region)
        else:
            chosen = (pressure > 0.0) & (knee.own_route(field.name).region == region)
        pressures.append(pressure[chosen])
        areas.append(area[chosen])
    value, weight = np.concatenate(pressures).astype(float), np.concatenate(areas)
    order = np.argsort(value)
    total = np.cumsum(weight[order])
    return float(value[order][min(np.searchsorted(total, PEAK_PERCENTILE * total[-1]), value.size - 1)])
