"""Load of the regions over a day, on a synthetic knee."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from synthetic_knee import R, Synthetic, make_anatomy, make_cycle, make_motion

from kneeload.bone.bone_map import BoneMap, FieldLoads, _knee_map, field_loads, five, knee_map
from kneeload.bone.dose import BoneLoad, bone_load
from kneeload.bone.model import BoneModel
from kneeload.errors import InputError
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import Subject

MEDIAL = [R["tibia_central_medial"], R["femur_central_medial"]]
FIELDS = ("peak_stress", "peak_contact_pressure", "mean_contact_pressure", "daily_dose", "dose_by_activity", "stress_depth", "stimulus", "stimulus_quantiles",
          "standard_stimulus")


def loads_of(anatomy, fields) -> FieldLoads:
    knee = knee_map(anatomy, BoneModel())
    return field_loads(knee, *five(knee, fields))


def stress_under(bone: BoneMap, force: np.ndarray) -> np.ndarray:
    bone.complete(np.flatnonzero(force))
    return force[force > 0.0] @ bone.influence[force > 0.0, :bone.samples.region.shape[0]]


def load_of(synthetic: Synthetic, **changes) -> BoneLoad:
    arguments = {"anatomy": synthetic.anatomy, "cycles": synthetic.cycles, "motions": synthetic.motions, "subject": Subject(), "case_activity": "walking"}
    return bone_load(**{**arguments, **changes})


def test_shapes_order_and_signs(synthetic: Synthetic) -> None:
    load = load_of(synthetic)
    count = len(MOAKS_REGIONS)
    assert load.activities == ("walking", "stair_ascent", "stair_descent", "standing", "chair_rise")
    assert load.dose_by_activity.shape == (count, 5) and load.stress_depth.shape == (count, load.depth_mm.size)
    for name in FIELDS:
        array = getattr(load, name)
        assert np.isfinite(array).all() and (array >= 0.0).all(), name
        assert not array.flags.writeable
    assert (np.diff(load.stimulus_quantiles, axis=1) >= 0.0).all()
    deep = load.depth_mm >= BoneModel().stimulus_depth_mm
    np.testing.assert_allclose(load.peak_stress, load.stress_depth[:, deep].max(axis=1), rtol=1e-5)
    assert (load.mean_contact_pressure <= load.peak_contact_pressure).all()


def test_regions_feel_the_pressure_above_them(synthetic: Synthetic) -> None:
    load = load_of(synthetic)
    for r in MEDIAL:  # the bell has its top of 2.85 MPa there
        assert load.peak_contact_pressure[r] == pytest.approx(2.8, rel=0.06)
        assert 0.75 * load.peak_contact_pressure[r] < load.peak_stress[r] < 1.1 * load.peak_contact_pressure[r]  # coarse meshes: 10 % noise
    central = load.stress_depth[R["tibia_central_medial"]]
    assert (np.diff(central) < 0.0).all()  # falls with depth below the top
    assert load.peak_contact_pressure[R["tibia_subspinous"]] == 0.0
    strip = load.stress_depth[R["tibia_subspinous"]]
    assert strip[0] < 0.1 * strip.max()  # next to the load stress comes in from the sides, at depth
    assert load.daily_dose[R["tibia_subspinous"]] > 0.0


def test_doses_add_up_over_activities(synthetic: Synthetic) -> None:
    whole = load_of(synthetic)
    np.testing.assert_allclose(whole.daily_dose, whole.dose_by_activity.sum(axis=1))
    day = {"walking": 3471.5, "stair_ascent": 42.0, "stair_descent": 42.0, "standing": 10800.0, "chair_rise": 120.0}
    single = [load_of(synthetic, day={activity: amount}).daily_dose for activity, amount in day.items()]
    np.testing.assert_allclose(load_of(synthetic, day=day).daily_dose, np.sum(single, axis=0), rtol=1e-6)
    np.testing.assert_allclose(load_of(synthetic, day={"walking": 200.0}).daily_dose, 2.0 * load_of(synthetic, day={"walking": 100.0}).daily_dose, rtol=1e-6)


def test_a_zero_day_has_no_dose_but_a_peak(synthetic: Synthetic) -> None:
    bed = Subject(steps_per_day=0.0, stair_flights_per_day=0.0, standing_hours_per_day=0.0, chair_rises_per_day=0.0)
    load = load_of(synthetic, subject=bed)
    assert (load.daily_dose == 0.0).all() and (load.stimulus == 0.0).all() and (load.stimulus_quantiles == 0.0).all()
    assert load.peak_stress.max() > 1.0


def uniform_cycle(anatomy, pressure: float):
    """One constant pressure on all of the medial plateau and nothing else."""
    cycle = make_cycle(anatomy, frames=101, only=())
    fields = tuple(replace(f, pressure=np.full_like(f.pressure, pressure if f.name == "tibia_medial" else 0.0)) for f in cycle.fields)
    return replace(cycle, fields=fields)


def test_units_of_dose_and_stimulus(synthetic: Synthetic) -> None:
    cycles = {"walking": uniform_cycle(synthetic.anatomy, 2.0), "standing": uniform_cycle(synthetic.anatomy, 2.0)}
    motions = {"walking": make_motion("walking", cycle_s=1.25), "standing": make_motion("standing", static=True)}
    r = R["tibia_central_medial"]
    load = load_of(synthetic, cycles=cycles, motions=motions, day={"walking": 1000.0, "standing": 600.0})
    np.testing.assert_allclose(load.dose_by_activity[r], [2.0 * 1.25 * 1000.0, 2.0 * 600.0], rtol=1e-5)  # MPa x s
    assert load.mean_contact_pressure[r] == pytest.approx(2.0, rel=1e-6) and load.peak_contact_pressure[r] == pytest.approx(2.0, rel=1e-6)
    middle = load.stimulus_quantiles[r, -1]  # under the middle of a wide patch stress is nearly the pressure, for 1850 s of the day
    assert middle == pytest.approx(2.0 * (1850.0 / 86400.0) ** 0.25, rel=0.08)


def test_more_pressure_gives_proportional_stress(synthetic: Synthetic) -> None:
    double = {name: replace(c, fields=tuple(replace(f, pressure=2.0 * f.pressure) for f in c.fields)) for name, c in synthetic.cycles.items()}
    one, two = load_of(synthetic), load_of(synthetic, cycles=double)
    for name in FIELDS:
        np.testing.assert_allclose(getattr(two, name), 2.0 * getattr(one, name), rtol=2e-4, atol=1e-6, err_msg=name)  # float32 products


def test_more_steps_raise_dose_in_proportion_and_stimulus_less(synthetic: Synthetic) -> None:
    r = R["tibia_central_medial"]
    few, many = (load_of(synthetic, day={"walking": n}) for n in (1000.0, 16000.0))
    assert many.daily_dose[r] == pytest.approx(16.0 * few.daily_dose[r], rel=1e-5)
    assert many.stimulus[r] == pytest.approx(2.0 * few.stimulus[r], rel=1e-5)  # 16^(1/4)
    linear = BoneModel(stimulus_exponent=1.0)
    few, many = (load_of(synthetic, day={"walking": n}, model=linear) for n in (1000.0, 16000.0))
    assert many.stimulus[r] == pytest.approx(16.0 * few.stimulus[r], rel=1e-5)


def test_the_standard_day_tells_size_from_amount(synthetic: Synthetic) -> None:
    usual, busy, bed = (load_of(synthetic, subject=Subject(steps_per_day=n)) for n in (Subject().steps_per_day, 20000.0, 0.0))
    np.testing.assert_allclose(usual.standard_stimulus[:, 0], usual.stimulus)
    np.testing.assert_allclose(usual.standard_stimulus[:, 1], usual.stimulus_quantiles[:, -1])
    for other in (busy, bed):
        np.testing.assert_allclose(other.standard_stimulus, usual.standard_stimulus, rtol=1e-6)
    r = R["tibia_central_medial"]
    assert busy.stimulus[r] > usual.stimulus[r] > bed.stimulus[r] > 0.0


def test_symmetric_load_gives_symmetric_regions() -> None:
    anatomy = make_anatomy(2.0)
    cycles = {"walking": make_cycle(anatomy, medial=2.0, lateral=2.0)}
    load = bone_load(anatomy, cycles, {"walking": make_motion("walking")}, Subject(), "walking", day={"walking": 3000.0})
    for region in ("tibia_central", "tibia_anterior", "tibia_posterior", "femur_central"):
        medial, lateral = R[f"{region}_medial"], R[f"{region}_lateral"]
        assert load.daily_dose[medial] == pytest.approx(load.daily_dose[lateral], rel=0.02), region
        assert load.stimulus[medial] == pytest.approx(load.stimulus[lateral], rel=0.05), region
        assert load.peak_stress[medial] == pytest.approx(load.peak_stress[lateral], rel=0.08), region  # patches are not mirror images


def test_meniscus_passes_its_force_to_the_plateau(synthetic: Synthetic) -> None:
    cycle = make_cycle(synthetic.anatomy, only=("medial_meniscus",))
    knee, loads = knee_map(synthetic.anatomy, BoneModel()), loads_of(synthetic.anatomy, cycle.fields)
    areas = synthetic.anatomy.medial_meniscus.surface.mesh.areas
    field = next(f for f in cycle.fields if f.name == "medial_meniscus")
    force = field.pressure @ areas
    np.testing.assert_allclose(loads.tibia.force.sum(axis=0)[:101], force, rtol=1e-4)  # a level meniscus: all of it
    np.testing.assert_allclose(loads.femur.force.sum(axis=0)[:101], force, rtol=1e-4)
    assert not loads.patella.force.any() and not loads.patella.chosen.size
    assert np.array_equal(loads.tibia.chosen, np.flatnonzero(loads.tibia.force.any(axis=1)))
    where = knee.tibia.patches.centres[loads.tibia.chosen]
    assert (where[:, 2] < -18.0).all()  # below the meniscus and at most about a wedge height beside it


def test_unequal_counts_of_casting_triangles_do_not_show_on_the_femur(synthetic: Synthetic) -> None:
    """The same mean pressure, spread evenly or by chance over the patches of the femur, gives nearly the same stress at the depth of the stimulus."""
    femur = knee_map(synthetic.anatomy, BoneModel()).femur
    even = femur.patches.areas.astype(np.float32)
    uneven = even * np.random.default_rng(4).uniform(0.3, 1.7, even.shape).astype(np.float32)
    inside = (femur.samples.region == R["femur_central_medial"]) & (femur.samples.areas > 0.0)
    one, other = (stress_under(femur, force)[inside] for force in (even, uneven))
    assert np.std(other / one) < 0.1  # 0.32 is the scatter of the patches themselves


def test_force_outside_all_regions_reaches_the_nearest_patch(synthetic: Synthetic) -> None:
    femur = synthetic.anatomy.femur
    bare = np.where((femur.region == R["femur_central_medial"]) & (femur.mesh.centroids[:, 2] > -12.0), -1, femur.region).astype(np.int8)
    anatomy = replace(synthetic.anatomy, femur=replace(femur, region=bare))
    fields = synthetic.cycles["walking"].fields
    whole, part = (loads_of(a, fields) for a in (synthetic.anatomy, anatomy))
    np.testing.assert_allclose(part.femur.force.sum(axis=0), whole.femur.force.sum(axis=0), rtol=1e-5)  # no force is lost
    r = R["femur_central_medial"]
    assert (part.force[r] <= whole.force[r]).all() and part.force[r].sum() < whole.force[r].sum()  # but the region only counts what lands on it
    patches = knee_map(anatomy, BoneModel()).femur.patches
    assert patches.areas.sum() == pytest.approx(femur.mesh.areas[bare >= 0].sum())


def test_part_of_the_day_with_other_contact(synthetic: Synthetic) -> None:
    light = {name: replace(c, fields=tuple(replace(f, pressure=0.5 * f.pressure) for f in c.fields)) for name, c in synthetic.cycles.items()}
    full, half, mixed = load_of(synthetic), load_of(synthetic, cycles=light), load_of(synthetic, cycles=light, others=[(synthetic.cycles, 0.75)])
    np.testing.assert_allclose(mixed.daily_dose, 0.25 * half.daily_dose + 0.75 * full.daily_dose, rtol=1e-5)
    np.testing.assert_allclose(mixed.peak_stress, half.peak_stress, rtol=1e-6)  # peaks are those of `cycles`
    inside = half.stimulus > 0.0
    assert (mixed.stimulus[inside] > half.stimulus[inside]).all() and (mixed.stimulus[inside] < full.stimulus[inside]).all()


def test_the_same_input_gives_the_same_bits(synthetic: Synthetic) -> None:
    one, two = load_of(synthetic), load_of(synthetic)
    for name in FIELDS:
        assert np.array_equal(getattr(one, name), getattr(two, name)), name


def test_order_of_cases_and_threads_do_not_show(synthetic: Synthetic) -> None:
    anatomy = make_anatomy(2.0)  # a knee of its own: rows of influence are filled in the order in which patches are loaded
    cases = [{"walking": make_cycle(anatomy, medial=m, width=w)} for m, w in ((3.0, 5.0), (1.0, 9.0), (2.0, 3.0))]

    def run(cycles) -> BoneLoad:
        return bone_load(anatomy, cycles, {"walking": make_motion("walking")}, Subject(), "walking", day={"walking": 3000.0})

    one = [run(cycles) for cycles in cases]
    _knee_map.cache_clear()
    with ThreadPoolExecutor(max_workers=3) as pool:
        other = list(pool.map(run, cases[::-1]))[::-1]
    for a, b in zip(one, other):
        for name in FIELDS:
            assert np.array_equal(getattr(a, name), getattr(b, name)), name


def test_peaks_are_those_of_every_frame_and_point(synthetic: Synthetic) -> None:
    """Against a plain sum over everything; nothing is left out here."""
    load, knee = load_of(synthetic), knee_map(synthetic.anatomy, BoneModel())
    loads = loads_of(synthetic.anatomy, synthetic.cycles["walking"].fields)
    for name in ("femur", "tibia", "patella"):
        bone, patches = getattr(knee, name), getattr(loads, name)
        bone.complete(patches.chosen)
        force = patches.force[patches.chosen].astype(float)
        stress = force.T @ bone.influence[patches.chosen].astype(float)
        for k, r in enumerate(bone.regions):
            inside = stress[:, bone.begin[k]:bone.begin[k + 1]]
            worst = bone.begin[k] + inside.max(axis=0).argmax()
            below = np.einsum("ct,dc->dt", force, bone.below(np.array([worst]), patches.chosen)[:, :, 0].astype(float)).max(axis=1)
            np.testing.assert_allclose(load.stress_depth[r], below, rtol=1e-5)
            assert load.peak_stress[r] == pytest.approx(max(inside.max(), below[bone.depths >= bone.depth].max()), rel=1e-5)


def test_stress_below_a_point_is_that_of_its_influence(synthetic: Synthetic) -> None:
    tibia = knee_map(synthetic.anatomy, BoneModel()).tibia
    points, patches = np.array([0, 7, 20]), np.arange(5, 60, 5)
    tibia.complete(patches)
    level = int(np.flatnonzero(tibia.depths == tibia.depth)[0])
    np.testing.assert_allclose(tibia.below(points, patches)[level], tibia.influence[np.ix_(patches, points)], rtol=1e-5)


def test_a_knee_without_menisci(synthetic: Synthetic) -> None:
    bare = replace(synthetic.anatomy, medial_meniscus=None, lateral_meniscus=None)
    cycles = {name: replace(c, fields=tuple(f for f in c.fields if "meniscus" not in f.name)) for name, c in synthetic.cycles.items()}
    load = load_of(synthetic, anatomy=bare, cycles=cycles)
    assert (load.daily_dose[MEDIAL] > 0.0).all()
    with pytest.raises(InputError, match="medial_meniscus"):
        load_of(synthetic, anatomy=bare)


def test_bad_input(synthetic: Synthetic) -> None:
    with pytest.raises(InputError, match="is 'running'"):
        load_of(synthetic, case_activity="running")
    with pytest.raises(InputError, match="is 'stair_ascent'"):
        load_of(synthetic, cycles={"walking": synthetic.cycles["walking"]})
    with pytest.raises(InputError, match="share of the day"):
        load_of(synthetic, others=[(synthetic.cycles, 1.5)])
    with pytest.raises(InputError, match="rest of the day"):
        load_of(synthetic, others=[(synthetic.cycles, 0.6), (synthetic.cycles, 0.6)])
    walking = synthetic.cycles["walking"]
    for value in (np.nan, -1.0):
        wrong = walking.fields[0].pressure.copy()
        wrong[3, 5] = value
        fields = (replace(walking.fields[0], pressure=wrong), *walking.fields[1:])
        with pytest.raises(InputError, match="contact only pushes"):
            load_of(synthetic, cycles={**synthetic.cycles, "walking": replace(walking, fields=fields)})
    with pytest.raises(InputError, match="shape"):
        short = replace(walking.fields[0], pressure=walking.fields[0].pressure[:, :-1])
        load_of(synthetic, cycles={**synthetic.cycles, "walking": replace(walking, fields=(short, *walking.fields[1:]))})


@pytest.mark.parametrize("changes", [{"depths_mm": ()}, {"depths_mm": (5.0, 3.0)}, {"depths_mm": (0.1, 3.0)},
                                     {"stimulus_exponent": 0.5}, {"patch_mm": 3.0}, {"points_per_region": 1}])
def test_settings_out_of_range(changes: dict) -> None:
    with pytest.raises(InputError, match="bone"):
        BoneModel(**changes)
