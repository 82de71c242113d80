"""A fit finds the constants that made the forces, keeps to its bounds, and does not invent what the forces do not say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kneeload.calibration.choosing import choose, stride_error
from kneeload.calibration.fitting import fit, stride_of
from kneeload.calibration.parameters import Parameter, constants_of, parameters_of
from kneeload.errors import InputError

JOINT = parameters_of(("joint",))
TRUTH = {"adduction_offset_mm": 3.0, "extension_offset_mm": -3.0, "tissue_scale": 1.4, "quadriceps_arm": 1.08}


def constants(truth):
    chosen = tuple(p for p in JOINT if p.name in truth)
    return constants_of(chosen, tuple(truth[p.name] for p in chosen))


def test_known_constants_are_found_again(person):
    answer = fit(person.knee, person.strides(constants(TRUTH), noise_n=25.0), JOINT)
    for p, value in zip(answer.parameters, answer.values):
        assert abs(value - TRUTH[p.name]) < 0.35 * p.spread, p.name  # 25 N of noise and the prior leave about a tenth to a third of a spread
    assert 3.0 < answer.effective <= 4.0
    left = person.stride(3, constants(TRUTH))
    assert max(stride_error(person.knee, left, answer.constants())) < 15.0 < max(stride_error(person.knee, left, None))


def test_forces_of_the_generic_knee_leave_it_generic(person):
    answer = fit(person.knee, person.strides(), JOINT)
    assert answer.cost == 0.0 and answer.values == tuple(p.generic for p in JOINT)


def test_bounds_are_kept_and_reached(person):
    far = {"adduction_offset_mm": 30.0}
    tight = tuple(replace(p, low=-4.0, high=4.0) if p.name == "adduction_offset_mm" else p for p in JOINT[:1])
    answer = fit(person.knee, person.strides(far), tight)
    assert answer.values == (4.0,)


def test_settings_of_the_muscles_stay_inside_their_own_limits(person):
    knee = replace(person.knee, muscles=replace(person.knee.muscles, moment_variation=0.4))
    braced = [replace(s, lateral=s.lateral + 500.0) for s in person.strides(count=1)]
    answer = fit(knee, braced, tuple(replace(p, spread=5.0) for p in parameters_of(("habits",)) if p.name == "steadiness"))
    assert answer.parameters[0].high == 0.5 / 0.4 and answer.values[0] <= 0.5 / 0.4


def test_what_the_forces_do_not_say_stays_generic(person):
    """The arm of a muscle at a joint whose moment is unknown has no influence: prior alone."""
    strides = [stride_of(replace(s.motion, ankle_plantarflexion_moment=None), s.name) for s in person.strides(constants(TRUTH))]
    ankle = Parameter(name="ankle", constants=("ankle_arm_scale.soleus",), generic=1.0, spread=0.1, low=0.5, high=1.5, why="nothing")
    answer = fit(person.knee, strides, (ankle,), start=np.array([2.0]))
    assert answer.values[0] == pytest.approx(1.0, abs=1e-3) and answer.effective == pytest.approx(0.0, abs=1e-6)


def test_the_same_seed_gives_the_same_answer(person):
    strides = person.strides(constants(TRUTH), noise_n=25.0, count=1)
    first, second = (fit(person.knee, strides, JOINT, starts=2, seed=7) for _ in range(2))
    assert first.values == second.values


def test_a_better_start_wins(person):
    strides = person.strides(constants(TRUTH), count=1)
    assert fit(person.knee, strides, JOINT, starts=3, max_steps=4).cost <= fit(person.knee, strides, JOINT, max_steps=4).cost


def test_no_parameters_are_the_generic_knee(person):
    answer = fit(person.knee, person.strides(constants(TRUTH), count=1), ())
    assert answer.cost > 0.0 and answer.constants().by_name() == {} and answer.effective == 0.0


def test_a_fit_needs_strides_with_measured_forces(person):
    with pytest.raises(InputError, match=r"strides .*none"):
        fit(person.knee, [], JOINT)
    with pytest.raises(InputError, match=r"measured forces .*walk.csv.*measured_medial_force_n"):
        stride_of(person.motion(0), "walk.csv")


def test_one_stride_is_fitted_with_the_first_stage_only(person):
    answer, trials = choose(person.knee, person.strides(constants(TRUTH), count=1))
    assert {p.name for p in answer.parameters} == {p.name for p in JOINT} and trials == ()


def test_a_stage_that_predicts_nothing_is_left_out(person, monkeypatch):
    """Forces made by the joint stage: it is kept, a stage of habits that this person does not have is not."""
    monkeypatch.setattr("kneeload.calibration.choosing.STAGES", {"joint": (), "habits": ()})
    answer, trials = choose(person.knee, person.strides(constants(TRUTH), noise_n=30.0))
    assert [trial.stages for trial in trials] == [(), ("joint",), ("joint", "habits")]
    assert [trial.kept for trial in trials] == [True, True, False]
    assert {p.name for p in answer.parameters} == {p.name for p in JOINT}
    assert trials[1].held_out_n < trials[0].held_out_n


def test_an_unknown_stage_is_refused(person):
    with pytest.raises(InputError, match=r"stage .*'legs'.*one of joint"):
        choose(person.knee, person.strides(count=1), stages=("legs",))
