"""The zone map on the reference knee: laws of the stimulus and of the level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kneeload import Case, Subject
from kneeload.bone.bone_map import knee_map
from kneeload.bone.day_stimulus import DayCycles, StimulusProfile, daily_power, day_cycles, stimulus_profile
from kneeload.bone.tensor import SHALLOWEST_MM, HalfSpaceSolid, effective_stress, stress_under, surface_above
from kneeload.bone.volume import bone_volumes
from kneeload.errors import InputError
from kneeload.lesion.draws import draws
from kneeload.lesion.model import LesionModel
from kneeload.lesion.scores import grades
from kneeload.lesion.zones import BORDER_MM, VISIBLE_MM3, ZoneMap, zone_map
from kneeload.simulate import anatomy_of, reference_case, run_day
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy

MEDIAL_TIBIA = MOAKS_REGIONS.index("tibia_central_medial")


class Person:
    """A knee, its day, and the same day with all pressures larger."""

    def __init__(self, case: Case) -> None:
        self.anatomy: KneeAnatomy = anatomy_of(case)
        results = run_day(case, self.anatomy)
        self.contacts = {name: item.contact for name, item in results.items() if item.contact is not None}
        self.motions = {name: item.motion for name, item in results.items()}
        self.case = case
        self.volumes = bone_volumes(self.anatomy, spacing_mm=4.0)

    def day(self, factor: float = 1.0, **changes) -> DayCycles:
        contacts = {name: replace(c, fields=tuple(replace(f, pressure=np.float32(factor) * f.pressure) for f in c.fields)) for name, c in self.contacts.items()}
        return day_cycles(self.anatomy, contacts, self.motions, self.case.subject, **{"day": self.case.day_amounts(), **changes})

    def zones(self, reference: StimulusProfile, factor: float = 1.0, **changes) -> ZoneMap:
        return zone_map(self.anatomy, self.volumes, self.day(factor), reference, **changes)


@pytest.fixture(scope="module")
def person() -> Person:
    return Person(reference_case(Case(subject=Subject())))


@pytest.fixture(scope="module")
def reference(person: Person) -> StimulusProfile:
    return stimulus_profile(person.day())


@pytest.fixture(scope="module")
def zones(person: Person, reference: StimulusProfile) -> ZoneMap:
    """A person with the same knee and 40 % more load."""
    return person.zones(reference, 1.4)


def test_the_reference_person_has_no_zone(person: Person, reference: StimulusProfile) -> None:
    assert person.zones(reference).volume_mm3.sum() == 0.0


def test_a_zone_is_what_exceeds_the_level_and_adds_up(zones: ZoneMap) -> None:
    volume, region_volume = np.zeros(15), np.zeros(15)
    for item in zones.bones.values():
        np.testing.assert_array_equal(item.over, item.stimulus > item.level)
        assert (item.volume.region[item.over] >= 0).all() and item.stimulus.shape == item.peak.shape == item.volume.region.shape
        np.testing.assert_allclose(item.activity_share.sum(axis=0), 1.0)
        assert (item.peak >= item.stimulus).all()  # the mean over 24 hours is below the peak
        for r in range(15):
            volume[r] += (item.over & (item.volume.region == r)).sum() * 64.0
            region_volume[r] += (item.volume.region == r).sum() * 64.0
    np.testing.assert_allclose(zones.volume_mm3, volume)
    np.testing.assert_allclose(zones.share, volume / region_volume)
    seen = np.where(zones.volume_mm3 >= VISIBLE_MM3, zones.share, 0.0)
    np.testing.assert_array_equal(zones.moaks_grade, grades(seen, "MOAKS"))
    np.testing.assert_array_equal(zones.worms_grade, grades(seen, "WORMS"))
    np.testing.assert_allclose(zones.activity_share.sum(axis=1), 1.0)
    assert (zones.volume_low_mm3 <= zones.volume_mm3).all() and (zones.volume_mm3 <= zones.volume_high_mm3).all()
    assert zones.volume_mm3[MEDIAL_TIBIA] > 300.0 and zones.volume_low_mm3.sum() < zones.volume_high_mm3.sum()
    some = zones.volume_mm3 > 0.0
    assert (np.isfinite(zones.centroid_mm).all(axis=1) == some).all() and (zones.depth_mm[some, 0] <= zones.depth_mm[some, 1]).all()
    assert zones.centroid_mm[MEDIAL_TIBIA, 2] < 0.0  # medial


def test_stimulus_is_proportional_to_load_and_zones_grow_with_it(person: Person, reference: StimulusProfile, zones: ZoneMap) -> None:
    more, plain = person.zones(reference, 1.6), person.zones(reference)
    for name, item in zones.bones.items():
        np.testing.assert_allclose(item.stimulus, 1.4 * plain.bones[name].stimulus, rtol=1e-4)  # single precision
        assert not (item.over & ~more.bones[name].over).any()
    assert more.volume_mm3.sum() > zones.volume_mm3.sum()


def test_a_higher_risk_needs_a_higher_level(person: Person, reference: StimulusProfile, zones: ZoneMap) -> None:
    strict = person.zones(reference, 1.4, relative_risk=3.0)
    assert (strict.level_mpa > zones.level_mpa).all() and strict.volume_mm3.sum() < zones.volume_mm3.sum()


def test_level_doubles_the_hazard_of_the_most_loaded_point(person: Person, reference: StimulusProfile, zones: ZoneMap) -> None:
    """exp(slope * (level - reference) / SD) = 2, with the slope and the SD of the hazard."""
    model = LesionModel()
    d, item = draws(model), zones.bones["tibia"]
    under, own = surface_above(person.anatomy, item.volume), item.volume.region == MEDIAL_TIBIA
    base = np.interp(under.depth_mm[own], reference.depth_mm, reference.largest[MEDIAL_TIBIA])
    assert (reference.largest[MEDIAL_TIBIA] > 0.5 * reference.largest.mean(axis=0)).all()  # so its scale is its own stimulus
    slope, centres = np.median(d.mean_slope + d.peak_slope), item.volume.centres_mm
    ratio = np.exp(slope * (item.level[own] - base) / (model.stress_cv * base))
    other = centres[(item.volume.region >= 0) & ~own]
    border = np.linalg.norm(centres[own][:, None] - other, axis=2).min(axis=1) <= BORDER_MM
    np.testing.assert_allclose(ratio[~border], 2.0, rtol=1e-6)
    assert (ratio[border] >= 2.0 - 1e-6).all() and 0.1 < border.mean() < 0.9  # the level of the region beside it counts where it is higher


def test_risk_in_24_months_as_the_level(person: Person, reference: StimulusProfile, zones: ZoneMap) -> None:
    draw = draws(LesionModel()).hazard
    got, hazard = person.zones(reference, 1.4, risk_24mo=0.1, hazard_per_year=draw), np.median(draw, axis=0)
    np.testing.assert_allclose(1.0 - np.exp(-2.0 * hazard * got.relative_risk), 0.1)
    rarer = got.relative_risk > 2.0
    assert (got.level_mpa[rarer] > zones.level_mpa[rarer]).all() and rarer.any()


def test_stimulus_of_one_activity_is_the_power_mean_of_its_stress(person: Person) -> None:
    """Standing is one pose: stress^4 times its part of the day."""
    day, bone = person.day(day={"standing": 7200.0}), "tibia"
    under = surface_above(person.anatomy, person.volumes[bone])
    power, peak = daily_power(day, bone, under)
    force = getattr(day.cycles[0].loads, bone).force[:, 0]
    stress = effective_stress(stress_under(knee_map(person.anatomy, person.case.bone).tibia, under, force), HalfSpaceSolid())
    np.testing.assert_allclose(peak[0], stress, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(power[0] ** 0.25, stress * (7200.0 / 86400.0) ** 0.25, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("bone", ["femur", "tibia", "patella"])
def test_the_surface_point_lies_above_its_cube(person: Person, bone: str) -> None:
    """Below cartilage, not beyond its edge, the way to the plane of the nearest triangle is the way to the triangle."""
    volume = person.volumes[bone]
    under = surface_above(person.anatomy, volume)
    gap = np.abs(under.depth_mm - np.maximum(volume.depth_mm, SHALLOWEST_MM))
    assert np.median(gap) < 1e-6
    np.testing.assert_allclose(np.cross(under.points - volume.centres_mm, under.normals), 0.0, atol=1e-9)


def test_a_brace_for_part_of_the_day_splits_the_amounts(person: Person) -> None:
    under = surface_above(person.anatomy, person.volumes["patella"])
    whole, halves = daily_power(person.day(), "patella", under), daily_power(person.day(others=[(person.contacts, 0.5), (person.contacts, 0.25)]), "patella", under)
    np.testing.assert_allclose(halves[0], whole[0], rtol=1e-5)
    np.testing.assert_allclose(halves[1], whole[1], rtol=1e-5)


def test_profile_falls_with_depth_where_the_cartilage_is_loaded(reference: StimulusProfile) -> None:
    assert reference.largest.shape == (15, len(reference.depth_mm))
    assert (np.diff(reference.largest[MEDIAL_TIBIA]) < 0.0).all()


@pytest.mark.parametrize("wrong", [{"relative_risk": 0.5}, {"risk_24mo": 0.0001}, {"risk_24mo": 1.5}])
def test_a_risk_out_of_range_is_refused(person: Person, reference: StimulusProfile, wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="risk"):
        person.zones(reference, hazard_per_year=draws(LesionModel()).hazard, **wrong)


def test_a_risk_needs_the_hazard_it_starts_from(person: Person, reference: StimulusProfile) -> None:
    with pytest.raises(InputError, match="hazard_per_year"):
        person.zones(reference, risk_24mo=0.1)


def test_a_reference_without_load_is_refused(person: Person) -> None:
    with pytest.raises(InputError, match="reference load"):
        person.zones(StimulusProfile(depth_mm=np.array([1.0, 2.0]), largest=np.zeros((15, 2))))


def test_shares_of_more_than_a_day_are_refused(person: Person) -> None:
    with pytest.raises(InputError, match="rest of the day"):
        person.day(others=[(person.contacts, 0.6), (person.contacts, 0.6)])
