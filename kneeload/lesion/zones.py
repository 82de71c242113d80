"""Risk zones: the bone whose daily stimulus exceeds the level that goes with a stated risk. Plausibility, never a diagnosis.

Bone is as strong as its own daily load has made it, so the level is told against a reference person at the same place: for each region and
each depth, the stimulus of the most loaded point of the reference person's region there. The knees of two persons have no cubes in
common; this profile by region and depth is what they share. The level is the stimulus that multiplies the hazard by the stated relative
risk, by the slope of `kneeload.lesion.hazard`:

    level(r, z) = reference(r, z) + ln(relative risk) / slope_r * SD,   SD = stress_cv * max(reference(r, z), floor * mean over loaded regions)

Within 6 mm of a border between regions the higher of their levels counts. It is the rule of `kneeload.lesion.hazard.overstress_level` at every depth instead of one, with the effective stress instead of the
vertical one, and with the part of the slope that counts in the subspinous region.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from kneeload.bone.bone_map import REGIONS
from kneeload.bone.day_stimulus import DayCycles, StimulusProfile, daily_power
from kneeload.bone.tensor import HalfSpaceSolid, surface_above
from kneeload.bone.volume import BoneVolume
from kneeload.errors import InputError, check_range
from kneeload.lesion.draws import draws
from kneeload.lesion.model import LesionModel
from kneeload.lesion.scores import grades
from kneeload.subject.anatomy import KneeAnatomy

Array = NDArray[np.float64]
RELATIVE_RISK = 2.0
MONTHS_24_YEARS = 2.0
BORDER_MM = 6.0  # within it of a border the higher of two levels counts (assumption, 3 to 9): borders are drawn by convention, and the place of contact
# varies by some millimetres between people, so that a hot spot that has moved across a border is no new load
VISIBLE_MM3 = 80.0  # a zone below it has grade 0: a reader would not see a lesion of that size (middle of `CourseModel.visible_mm3`), and a cube or two is sampling


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoneZones:
    """The zones of one bone, cube by cube (n cubes of `volume`, frame of the bone; A activities).

    Attributes:
        volume: the cubes.
        stimulus: (n,) MPa; daily stimulus.
        level: (n,) MPa; stimulus above which bone counts as overstressed.
        over: (n,) no unit; True in the zones.
        peak: (n,) MPa; largest effective stress over the activities of the day.
        activity_share: (A, n) no unit; part of each activity in stimulus^exponent; zero without load.
    """

    volume: BoneVolume
    stimulus: Array
    level: Array
    over: NDArray[np.bool_]
    peak: Array
    activity_share: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ZoneMap:
    """Risk zones of a knee (R = 15 MOAKS regions, A = activities of the day).

    Attributes:
        bones: "femur", "tibia", "patella" -> their zones.
        activities: names of the activities of the day.
        relative_risk: (R,) no unit; risk at the level, against that of the reference person.
        volume_mm3, volume_low_mm3, volume_high_mm3: (R,) mm3; size of the zone at the median slope of hazard, and for the ends of its 95 % interval.
        region_volume_mm3: (R,) mm3.
        share: (R,) no unit; zone over region.
        moaks_grade, worms_grade: (R,) no unit; 0-3 by the cuts of that system for the share of a MOAKS region; 0 for a zone too small to be seen.
        centroid_mm: (R, 3) mm, frame of the bone; not a number without a zone.
        depth_mm: (R, 2) mm; least and largest depth of the cubes of the zone; not a number without a zone.
        level_mpa: (R,) MPa; mean level over the cubes of the region.
        largest_mpa: (R,) MPa; largest daily stimulus in the region.
        activity_share: (R, A) no unit; part of each activity in the stimulus^exponent of the zone, of the region where there is no zone.
    """

    bones: Mapping[str, BoneZones]
    activities: tuple[str, ...]
    relative_risk: Array
    volume_mm3: Array
    volume_low_mm3: Array
    volume_high_mm3: Array
    region_volume_mm3: Array
    share: Array
    moaks_grade: NDArray[np.int8]
    worms_grade: NDArray[np.int8]
    centroid_mm: Array
    depth_mm: Array
    level_mpa: Array
    largest_mpa: Array
    activity_share: Array


def zone_map(anatomy: KneeAnatomy, volumes: Mapping[str, BoneVolume], day: DayCycles, reference: StimulusProfile, model: LesionModel | None = None, *,
             relative_risk: float = RELATIVE_RISK, risk_24mo: float | None = None, hazard_per_year: Array | None = None, solid: HalfSpaceSolid | None = None) -> ZoneMap:
    """Return where the daily stimulus of a person exceeds the level that goes with a stated risk.

    Args:
        anatomy: the knee.
        volumes: its bone, from `kneeload.bone.volume.bone_volumes`.
        day: the load of the person's day, from `kneeload.bone.day_stimulus.day_cycles`.
        reference: of the reference person's day, from `kneeload.bone.day_stimulus.stimulus_profile`.
        model: parameters of the hazard; default LesionModel().
        relative_risk: at the level, against the reference person's; no unit, above 1.
        risk_24mo: in its place, the plausibility of a new lesion in the region within 24 months at the level, 0 to 1 (median draw).
        hazard_per_year: (S, 15) 1/year; of the reference person (`kneeload.lesion.hazard.reference_hazard`), needed with `risk_24mo`.
        solid: elastic constants; default HalfSpaceSolid().

    Raises:
        InputError: a risk out of range, or a reference without any load.
    """
    model = model or LesionModel()
    ratio = _relative_risk(relative_risk, risk_24mo, hazard_per_year)
    levels = [_levels(reference, ratio, slope, model) for slope in _slopes(model)]
    bones, sizes = {}, np.zeros((3, REGIONS))
    for name, volume in volumes.items():
        under = surface_above(anatomy, volume)
        power, peak = daily_power(day, name, under, solid)
        stimulus, whole = power.sum(axis=0) ** (1.0 / day.exponent), power.sum(axis=0)
        near = _near_regions(volume)
        level = [_at(reference.depth_mm, table, near, under.depth_mm) for table in levels]
        for row, limit in enumerate(level):
            sizes[row] += _summed(volume, stimulus > limit) * volume.volume_mm3
        bones[name] = BoneZones(volume=volume, stimulus=stimulus, level=level[1], over=stimulus > level[1], peak=peak.max(axis=0, initial=0.0),
                                activity_share=power / np.where(whole > 0.0, whole, 1.0))
        for array in (stimulus, level[1], bones[name].over, bones[name].peak, bones[name].activity_share):
            array.setflags(write=False)
    return _gathered(bones, day, ratio, sizes)


def _relative_risk(relative_risk: float, risk_24mo: float | None, hazard_per_year: Array | None) -> Array:
    """Return (15,) no unit: the relative risk at the level of each region."""
    if risk_24mo is None:
        check_range("relative risk", relative_risk, 1.0, 100.0, "", where="relative_risk", why="a zone carries more than the reference person's bone")
        return np.full(REGIONS, float(relative_risk))
    check_range("risk within 24 months", risk_24mo, 1e-6, 0.99, "", where="risk_24mo", why="it is a probability")
    if hazard_per_year is None:
        raise InputError("hazard", where="hazard_per_year", got=None, allowed="that of the reference person", why="a risk is reached from the risk at the reference load")
    middle = np.median(hazard_per_year, axis=0)
    ratio: Array = -np.log1p(-risk_24mo) / (MONTHS_24_YEARS * middle)
    if (ratio < 1.0).any():
        raise InputError("risk within 24 months", where="risk_24mo", got=risk_24mo, allowed=f"{float(1.0 - np.exp(-MONTHS_24_YEARS * middle.max())):.3f} or more",
                         why="the reference person already has this risk in some region")
    return ratio


def _slopes(model: LesionModel) -> Array:
    """Return (3, 15) no unit: logarithm of the hazard per standard deviation of stress, low, median, high end of the 95 % interval."""
    d = draws(model)
    return np.maximum(np.quantile(d.mean_slope + d.peak_slope, (0.025, 0.5, 0.975)), 1e-9)[:, None] * d.part


def _levels(reference: StimulusProfile, ratio: Array, slope: Array, model: LesionModel) -> Array:
    """Return (15, D) MPa: the level of each region at each depth of the profile."""
    loaded = reference.largest > 0.0
    if not loaded.any():
        raise InputError("reference load", where="zone_map", got="zero in every region", allowed="the load of a reference person", why="risk is told against it")
    mean = reference.largest.sum(axis=0) / np.maximum(loaded.sum(axis=0), 1)
    spread = model.stress_cv * np.maximum(reference.largest, model.floor * mean)
    out: Array = reference.largest + (np.log(ratio) / slope)[:, None] * spread
    return out


def _near_regions(volume: BoneVolume) -> dict[int, NDArray[np.bool_]]:
    """Return for each region of a bone (n,) True for its own cubes and those of other regions within BORDER_MM of one of them; none outside all regions."""
    centres, inside = volume.centres_mm, volume.region >= 0
    out = {}
    for r in np.unique(volume.region[inside]):
        own = volume.region == r
        distance, _ = cKDTree(centres[own]).query(centres, distance_upper_bound=BORDER_MM)
        out[int(r)] = inside & np.isfinite(distance)
    return out


def _at(depths: Array, table: Array, near: Mapping[int, NDArray[np.bool_]], depth: Array) -> Array:
    """Return (n,) the number of each cube from a table (15, D), linear between depths and constant beyond them: the largest of the regions that it is near to."""
    out = np.full(depth.shape[0], -np.inf)
    for r, close in near.items():
        out[close] = np.maximum(out[close], np.interp(depth[close], depths, table[r]))
    out[np.isinf(out)] = np.inf  # bone outside all regions
    return out


def _summed(volume: BoneVolume, values: NDArray) -> Array:
    """Return the sums of values (n,) over the cubes of each region, (15,)."""
    own = volume.region >= 0
    out: Array = np.bincount(volume.region[own], values[own].astype(np.float64), REGIONS).astype(np.float64)
    return out


def _gathered(bones: Mapping[str, BoneZones], day: DayCycles, ratio: Array, sizes: Array) -> ZoneMap:
    """Return the map with what the cubes of each region add up to."""
    whole, level, largest = np.zeros(REGIONS), np.zeros(REGIONS), np.zeros(REGIONS)
    centroid, depth, activity = np.full((REGIONS, 3), np.nan), np.full((REGIONS, 2), np.nan), np.zeros((REGIONS, len(day.activities)))
    for item in bones.values():
        volume, centres = item.volume, item.volume.centres_mm
        for r in np.unique(volume.region[volume.region >= 0]):
            own = volume.region == r
            zone = own & item.over
            whole[r], level[r], largest[r] = own.sum() * volume.volume_mm3, item.level[own].mean(), item.stimulus[own].max()
            power = (item.activity_share * item.stimulus**day.exponent)[:, zone if zone.any() else own].sum(axis=1)
            activity[r] = power / power.sum() if power.sum() > 0.0 else 0.0
            if zone.any():
                centroid[r], depth[r] = centres[zone].mean(axis=0), (volume.depth_mm[zone].min(), volume.depth_mm[zone].max())
    share = np.divide(sizes[1], whole, out=np.zeros(REGIONS), where=whole > 0.0)
    arrays = {"relative_risk": ratio, "volume_mm3": sizes[1], "volume_low_mm3": sizes[0], "volume_high_mm3": sizes[2], "region_volume_mm3": whole, "share": share,
              "centroid_mm": centroid, "depth_mm": depth, "level_mpa": level, "largest_mpa": largest, "activity_share": activity}
    seen = np.where(sizes[1] >= VISIBLE_MM3, share, 0.0)
    moaks, worms = grades(seen, "MOAKS"), grades(seen, "WORMS")
    for array in (*arrays.values(), moaks, worms):
        array.setflags(write=False)
    return ZoneMap(bones=dict(bones), activities=day.activities, moaks_grade=moaks, worms_grade=worms, **arrays)
