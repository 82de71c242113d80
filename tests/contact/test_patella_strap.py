"""A strap on the patella: virtual work, direction of what it does, and the measured shift."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.contact.cycle_solver import _frame, solve_cycle
from kneeload.contact.patella_rig import PatellaHold, patella_hold
from kneeload.forces.patellar_brace import MEDIAL_LIMIT_N, PatellarBrace
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy
from kneeload.subject.person import Subject
from kneeload.subject.reference import reference_anatomy

FLEXION = np.radians([0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0])


@pytest.fixture(scope="module")
def anatomy() -> KneeAnatomy:
    return reference_anatomy(Subject())


@pytest.fixture(scope="module")
def hold(anatomy: KneeAnatomy) -> PatellaHold:
    return patella_hold(Subject(), anatomy, FLEXION, 0.15)


def braced(anatomy: KneeAnatomy, hold: PatellaHold, brace: PatellarBrace | None) -> list:
    return [solve_cycle(anatomy, FLEXION[k:k + 1], _frame(hold.loads, k), None, brace) for k in range(len(FLEXION))]


def test_no_force_is_no_brace(anatomy: KneeAnatomy, hold: PatellaHold) -> None:
    for k, cycle in enumerate(braced(anatomy, hold, PatellarBrace(medial_force_n=0.0, compression_force_n=0.0))):
        np.testing.assert_allclose(cycle.femur_from_patella[0], hold.cycle.femur_from_patella[k], atol=1e-9)


def test_the_default_moves_the_patella_as_far_as_measured(anatomy: KneeAnatomy, hold: PatellaHold) -> None:
    """McWalter 2011: 0.46 mm medially under 15 % of body weight."""
    shift = [cycle.femur_from_patella[0, 2, 3] - hold.cycle.femur_from_patella[k, 2, 3] for k, cycle in enumerate(braced(anatomy, hold, PatellarBrace()))]
    assert max(shift) < 0.0 and np.mean(shift) == pytest.approx(-0.46, abs=0.05)


def test_it_relieves_the_lateral_facet_and_widens_the_contact(anatomy: KneeAnatomy, hold: PatellaHold) -> None:
    lateral = anatomy.patella.region == MOAKS_REGIONS.index("patella_lateral")

    def share(cycle) -> float:
        force = next(field.pressure for field in cycle.fields if field.name == "patella")[0] * anatomy.patella.areas
        return float(force[lateral].sum() / force.sum())

    bare, with_brace = braced(anatomy, hold, None), braced(anatomy, hold, PatellarBrace())
    assert all(share(after) < share(before) for before, after in zip(bare, with_brace))
    assert sum(float(c.patellofemoral.contact_area[0]) for c in with_brace) > sum(float(c.patellofemoral.contact_area[0]) for c in bare)


def test_compression_presses_by_what_it_pushes(anatomy: KneeAnatomy, hold: PatellaHold) -> None:
    """Newton: at 40 degrees, where it points at the femur, the contact force grows by about the push."""
    k = 4
    before, after = (braced(anatomy, hold, brace)[k].patellofemoral.force[0] for brace in (None, PatellarBrace(medial_force_n=0.0, compression_force_n=30.0)))
    assert 20.0 < after - before < 36.0


def test_forces_turn_with_the_patella_and_stay_within_what_it_bears() -> None:
    brace = PatellarBrace(medial_force_n=10.0, compression_force_n=20.0)
    np.testing.assert_allclose(brace.pull(np.array([0.0, -0.5 * np.pi])), [[-20.0, 0.0, -10.0], [0.0, 20.0, -10.0]], atol=1e-12)
    assert PatellarBrace(medial_force_n=MEDIAL_LIMIT_N, response_z=5.0).pull_n[2] == -MEDIAL_LIMIT_N
