"""Laxity of the passive knee: curves of the right size and shape, and what cutting a ligament does."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.contact import ContactModel
from kneeload.contact.laxity import DIRECTIONS, laxity, without
from kneeload.contact.patella_rig import patella_hold
from kneeload.contact.prepared import PreparedKnee, prepare
from kneeload.errors import InputError
from kneeload.subject.person import Subject
from kneeload.subject.reference import reference_anatomy

DEG = np.pi / 180.0
FLEXION = np.array([0.0, 30.0, 60.0]) * DEG


@pytest.fixture(scope="module")
def knee(reference_knee) -> PreparedKnee:
    return prepare(reference_knee, ContactModel())


def test_anterior_laxity_is_that_of_cadavers_and_largest_at_thirty_degrees(knee):
    found = laxity(knee, FLEXION, "anterior", 90.0)
    measured, spread = np.array([4.0, 6.0, 4.7]), np.array([1.4, 2.5, 2.4])  # doi 10.1007/s00167-019-05839-y, table 1
    assert np.all(found.converged)
    assert np.all(np.abs(found.motion - measured) < 1.3 * spread)
    assert found.motion[1] > found.motion[0] and found.motion[1] > found.motion[2]


@pytest.mark.parametrize(("direction", "load", "low", "high"), [
    ("posterior", 134.0, 2.0, 8.0), ("internal", 5e3, 8 * DEG, 20 * DEG), ("external", 5e3, 6 * DEG, 20 * DEG),
    ("varus", 1e4, 1.3 * DEG, 6 * DEG), ("valgus", 1e4, 1.2 * DEG, 6 * DEG)])
def test_other_laxities_are_plausible_and_grow_with_the_load(knee, direction, load, low, high):
    whole, half = laxity(knee, FLEXION, direction, load), laxity(knee, FLEXION, direction, 0.5 * load)
    assert np.all(whole.converged) and np.all((whole.motion > low) & (whole.motion < high))
    assert np.all((half.motion > 0.3 * whole.motion) & (half.motion < whole.motion))  # ligaments stiffen: the first half goes farther


def test_cutting_the_anterior_cruciate_adds_to_anterior_laxity_and_spares_the_posterior(knee):
    cut = without(knee, "acl")
    whole, torn = (laxity(k, FLEXION[:2], "anterior", 90.0).motion for k in (knee, cut))
    assert np.all((torn / whole > [1.1, 1.5]) & (torn / whole < 4.5))  # measured 2.5 and 2.2: collaterals and capsule hold too much
    assert laxity(cut, FLEXION[:2], "posterior", 134.0).motion == pytest.approx(laxity(knee, FLEXION[:2], "posterior", 134.0).motion, abs=0.05)


def test_the_anteromedial_bundle_is_the_main_restraint_at_thirty_degrees(knee):
    whole, *cut = (laxity(k, FLEXION[1:2], "anterior", 134.0).motion[0] for k in (knee, without(knee, "acl_anteromedial"), without(knee, "acl_posterolateral")))
    assert cut[0] - whole > 1.0 > cut[1] - whole > -1e-3  # Komzak 2013: 3.3 and 0.6 mm


@pytest.mark.parametrize(("band", "direction"), [("pcl", "posterior"), ("lcl", "varus"), ("mcl", "valgus")])
def test_each_ligament_guards_its_own_direction(knee, band, direction):
    load = 134.0 if direction == "posterior" else 1e4
    flexion = FLEXION[1:2]
    assert laxity(without(knee, band), flexion, direction, load).motion[0] > 1.3 * laxity(knee, flexion, direction, load).motion[0]


def test_the_outer_bands_stop_an_internal_turn_in_flexion_and_spare_the_external_one(knee):
    flexion = np.array([30.0, 60.0]) * DEG
    for band in ("iliotibial", "anterolateral"):
        cut = without(knee, band)
        gain = laxity(cut, flexion, "internal", 5e3).motion - laxity(knee, flexion, "internal", 5e3).motion
        assert gain[0] > 1.0 * DEG and gain[1] > -1e-6
        assert laxity(cut, flexion, "external", 5e3).motion == pytest.approx(laxity(knee, flexion, "external", 5e3).motion, abs=0.2 * DEG)
    both = without(without(knee, "iliotibial"), "anterolateral")
    assert laxity(both, flexion[:1], "internal", 5e3).motion[0] > 1.5 * laxity(knee, flexion[:1], "internal", 5e3).motion[0]


def test_without_the_anterior_cruciate_the_knee_stays_in_joint(knee):
    found = laxity(without(knee, "acl"), np.array([0.0, 30.0, 60.0, 90.0]) * DEG, "anterior", 90.0)
    assert np.all(found.converged) and np.all(found.motion < 15.4)  # doi 10.1007/s00167-019-05839-y: 12.9 (SD 2.5) mm at 30 degrees


def test_the_tibia_does_not_twist_in_a_two_legged_hold():
    subject = Subject()
    hold = patella_hold(subject, reference_anatomy(subject), np.array([5.0, 30.0, 60.0]) * DEG, 0.45)
    alone = patella_hold(subject, reference_anatomy(subject), np.array([60.0]) * DEG, 0.45)
    assert hold.cycle.femur_from_tibia[2:] == pytest.approx(alone.cycle.femur_from_tibia, abs=1e-3)  # a hold does not know of the one before it
    turn = np.arctan2(hold.cycle.femur_from_tibia[:, 0, 2], hold.cycle.femur_from_tibia[:, 2, 2])
    assert np.all(hold.cycle.status == 0) and np.all(np.abs(turn) < 15.0 * DEG)


def test_the_rule_holds_for_a_small_knee():
    anatomy = reference_anatomy(Subject(sex="female", height_m=1.58, body_mass_kg=60.0))
    found = laxity(prepare(anatomy, ContactModel()), FLEXION, "anterior", 90.0)
    assert np.all(found.converged) and np.all((found.motion > 1.5) & (found.motion < 9.0))


def test_the_passive_cruciates_are_nearly_slack(knee):
    tension = laxity(knee, FLEXION, "anterior", 1e-3).tension
    assert tension[:, [name.startswith(("acl", "pcl")) for name in knee.tibia_lines.names]].max() < 120.0


def test_bad_requests_are_refused(knee):
    with pytest.raises(InputError, match="direction"):
        laxity(knee, 0.0, "sideways", 90.0)
    for load in (0.0, np.nan, -5.0):
        with pytest.raises(InputError, match="load"):
            laxity(knee, 0.0, "anterior", load)
    with pytest.raises(InputError, match="flexion"):
        laxity(knee, np.nan, "anterior", 90.0)
    with pytest.raises(InputError, match="band"):
        without(knee, "meniscofemoral")
    assert len(DIRECTIONS) == 6
