"""From contact to lesion risk, timed and checked: a new knee's map, and load, risk and pain of one activity on a knee that is known."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from kneeload.bone.bone_map import KneeMap, field_loads, five, knee_map
from kneeload.bone.dose import BoneLoad, bone_load
from kneeload.case import Case
from kneeload.lesion.hazard import lesion_risk
from kneeload.lesion.pain import pain
from kneeload.lesion.zones import ZoneMap
from kneeload.result import KneeResult
from kneeload.simulate import simulate

ROUNDS = {"rounds": 20, "iterations": 1, "warmup_rounds": 2}


@lru_cache(maxsize=1)
def walker() -> KneeResult:
    """A person whose day is walking alone."""
    case = Case()
    return simulate(replace(case, subject=replace(case.subject, stair_flights_per_day=0.0, standing_hours_per_day=0.0, chair_rises_per_day=0.0)))


def load_of(run: KneeResult) -> BoneLoad:
    contact = run.day["walking"].contact
    assert contact is not None
    return bone_load(run.anatomy, {"walking": contact}, {name: item.motion for name, item in run.day.items()}, run.case.subject, "walking", run.case.bone)


def test_map_of_a_new_knee(benchmark: BenchmarkFixture) -> None:
    run = walker()

    def fresh() -> KneeMap:
        return knee_map(replace(run.anatomy), run.case.bone)  # maps are kept by identity

    benchmark.pedantic(fresh, **ROUNDS)
    contact = run.day["walking"].contact
    assert contact is not None
    knee, fields = fresh(), contact.fields
    loads = field_loads(knee, *five(knee, fields))
    whole = sum((field.pressure @ knee.casting_area[field.name] for field in fields), np.zeros(len(fields[0].pressure)))
    assert np.allclose(loads.femur.force.sum(axis=0)[:whole.size], whole, rtol=1e-4)  # what is cast on the femur lands on it


def test_load_risk_and_pain_of_one_activity(benchmark: BenchmarkFixture) -> None:
    run = walker()
    assert run.bone is not None and run.lesion is not None

    def once() -> BoneLoad:
        load = load_of(run)
        lesion_risk(load, load, run.case.subject)
        pain(load, load, run.case.subject)
        return load

    benchmark.pedantic(once, **ROUNDS)
    load = once()
    assert np.array_equal(load.peak_stress, run.bone.peak_stress) and np.array_equal(load.stimulus_quantiles, run.bone.stimulus_quantiles)
    risk = lesion_risk(load, load, run.case.subject)
    assert np.allclose(risk.relative_risk, 1.0)  # against itself


def test_zones_of_a_day(benchmark: BenchmarkFixture) -> None:
    run = simulate(Case())

    def once() -> ZoneMap:
        assert run.find_zones is not None
        return run.find_zones()

    zones = benchmark.pedantic(once, rounds=5, iterations=1, warmup_rounds=1)  # the first one builds the volume and the profile of the reference person
    again = once()
    assert np.array_equal(zones.volume_mm3, again.volume_mm3) and zones.region_volume_mm3.sum() > 50_000.0
