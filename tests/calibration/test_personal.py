"""A person's constants: nothing set changes nothing, each one does what its name says, and nonsense is refused."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields, replace

import numpy as np
import pytest

from kneeload.calibration.parameters import STAGES, constants_of, parameters_of
from kneeload.calibration.person import LARGEST_SETTING, PersonalConstants, personal_constants
from kneeload.errors import InputError
from kneeload.forces.muscles import MuscleModel
from kneeload.forces.personal import GROUPS, PersonalGeometry, gait_cycle, personal_geometry

ALL = parameters_of(tuple(STAGES))


def same(a, b):
    return all(np.array_equal(getattr(a, item.name), getattr(b, item.name)) for item in fields(a))


@pytest.mark.parametrize("k", [0, 1])
def test_nothing_set_is_the_generic_prediction_bit_for_bit(person, k):
    motion = person.motion(k)
    generic = person.knee.loads(motion)
    assert same(person.knee.loads(motion, personal_constants({})), generic)
    assert same(person.knee.loads(motion, personal_constants(constants_of(ALL, tuple(p.generic for p in ALL)))), generic)


@pytest.mark.parametrize("parameter", ALL, ids=lambda parameter: parameter.name)
def test_every_parameter_reaches_the_forces(person, parameter):
    changed = personal_constants(constants_of((parameter,), (parameter.value(1.5),)))
    moved = [np.abs(person.knee.loads(person.motion(k), changed).medial_force - person.knee.loads(person.motion(k)).medial_force).max() for k in (0, 1)]
    assert max(moved) > 1e-3


def test_arms_of_the_quadriceps_lower_quadriceps_and_tendon_force_alike(person):
    motion = person.motion(1)
    loads, wide = (person.knee.loads(motion, personal_constants(c)) for c in ({}, {"knee_arm_scale.vasti": 1.2, "knee_arm_scale.rectus_femoris": 1.2}))
    peak = int(np.argmax(loads.quadriceps_force))
    assert wide.quadriceps_force[peak] < 0.95 * loads.quadriceps_force[peak]
    np.testing.assert_allclose(wide.patellar_tendon_force[peak] / wide.quadriceps_force[peak], loads.patellar_tendon_force[peak] / loads.quadriceps_force[peak])


def test_an_offset_of_the_knee_centre_is_a_moment_of_the_axial_force(person):
    motion = person.motion(0)
    moved = person.knee.loads(motion, personal_constants({"adduction_offset_mm": 4.0})).knee_adduction_moment
    np.testing.assert_allclose(moved - motion.knee_adduction_moment, 4.0 * motion.net_axial_force, rtol=1e-12, atol=1e-6)


def test_a_shifted_line_of_action_adds_the_moment_of_its_force():
    draw = np.random.default_rng(1)
    force, moment = draw.standard_normal((5, 2, 3)), draw.standard_normal((5, 2, 3))
    moved = PersonalGeometry(frontal_offset_mm={"vasti": 3.0}).line_of_action(("gasmed", "vaslat"), force, moment)
    np.testing.assert_array_equal(moved[:, 0], moment[:, 0])
    np.testing.assert_allclose(moved[:, 1] - moment[:, 1], np.cross([0.0, 0.0, 3.0], force[:, 1]), atol=1e-12)


def test_contact_centres_move_apart_and_sideways():
    medial, lateral = PersonalGeometry(contact_spacing_change_mm=2.0, contact_shift_mm=3.0).contact_centres(np.array([-20.0]), np.array([22.0]))
    assert (medial[0], lateral[0]) == (-18.0, 26.0)


def test_floors_follow_load_time_and_group(person):
    motion, weight = person.motion(0), person.knee.subject.body_weight_n
    geometry = PersonalGeometry(least_activation={"vasti": 0.1}, idle_activation={"soleus": 0.02}, cycle_activation={"vasti": [0.0, 0.04] + 6 * [0.0]})
    floor = geometry.activation_floor(np.full(101, 0.01), ("vasint", "soleus", "tfl"), motion, weight)
    load = np.maximum(motion.net_axial_force / weight, 0.0)
    np.testing.assert_allclose(floor[:, 1], 0.03)
    np.testing.assert_allclose(floor[:, 2], 0.01)
    np.testing.assert_allclose(floor[[0, 25], 0], 0.01 + 0.1 * load[[0, 25]])
    early = 6  # half way to the second phase at 12.5 %
    np.testing.assert_allclose(floor[early, 0], 0.01 + 0.1 * load[early] + 0.04 * early / 12.5)
    standing = replace(motion, activity="standing")
    assert gait_cycle(standing) is None and gait_cycle(replace(motion, activity="recorded")) is not None
    assert gait_cycle(replace(motion, activity="recorded", stance=np.ones(101, dtype=bool))) is None


def test_constants_survive_names_pickles_and_copies():
    constants = PersonalConstants(geometry=PersonalGeometry(knee_arm_scale={"tensor_fasciae_latae": 0.9, "vasti": 1.1}, tissue_scale=0.5,
                                                            cycle_activation={"soleus": [0.01] * 8}), muscles=(("stability", 1.2),))
    assert personal_constants(constants.by_name()) == constants
    assert pickle.loads(pickle.dumps(constants)) == constants == copy.deepcopy(constants)
    assert hash(constants) == hash(copy.deepcopy(constants))
    assert list(constants.geometry.knee_arm_scale) == ["vasti", "tensor_fasciae_latae"]  # always in the order of GROUPS
    assert personal_geometry({}).is_generic() and not constants.geometry.is_generic()


@pytest.mark.parametrize(("constants", "words"), [
    ({"tissue_scale": float("nan")}, "tissue scale .*nan.*0 to 10"),
    ({"knee_arm_scale.vasti": 9.0}, "knee arm scale.vasti .*0.3 to 3"),
    ({"knee_arm_scale.calf": 1.0}, "muscle group .*'calf'.*one of vasti"),
    ({"knee_arm_scale": 1.0}, "personal constant .*'knee_arm_scale'"),
    ({"cycle_activation.vasti.8": 0.1}, "personal constant"),
    ({"cycle_activation.vasti.7": -0.1}, "cycle activation.vasti .*0 to 1"),
    ({"muscles.effort": 1.0}, "personal constant .*muscles.effort"),
    ({"muscles.stability": -1.0}, "muscles.stability.* is -1"),
    ({"tissue_scale": True}, "tissue scale"),
    ({"adduction_offset_mm": "4"}, "adduction offset mm"),
])
def test_nonsense_is_one_sentence(constants, words):
    with pytest.raises(InputError, match=words) as caught:
        personal_constants(constants)
    assert "\n" not in str(caught.value)


def test_parameters_are_named_once_and_start_inside_their_bounds():
    assert len({p.name for p in ALL}) == len(ALL)
    names = {name for p in ALL for name in constants_of((p,), (p.generic,))}
    assert len(names) == sum(len(p.constants) for p in ALL)  # no constant belongs to two parameters
    for p in ALL:
        assert p.low <= p.generic <= p.high and p.value(0.0) == p.generic and p.spread > 0.0 and p.why
        assert p.value(p.standard(0.5 * (p.generic + p.high))) == pytest.approx(0.5 * (p.generic + p.high))
        assert p.value(500.0) == p.high and p.value(-500.0) == p.low
        assert not p.neighbour or p.neighbour in {q.name for q in ALL}
    assert set(GROUPS["vasti"]) == {"vasint", "vaslat", "vasmed"}


@pytest.mark.parametrize("name", LARGEST_SETTING)
def test_limits_of_the_settings_are_those_of_the_muscle_model(name):
    assert getattr(MuscleModel(**{name: LARGEST_SETTING[name]}), name) == LARGEST_SETTING[name]
    with pytest.raises(InputError):
        MuscleModel(**{name: LARGEST_SETTING[name] * 1.001})
