"""Plateaus tilted by the MPTA stay below the condyles: what alignment by the tibia and by the femur have in common."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload import Case, Subject
from kneeload.motion.activity import Activity
from kneeload.simulate import anatomy_of, run_activity
from kneeload.subject.reference import reference_anatomy


def test_contact_centres_hardly_move_with_the_tilt() -> None:
    straight = reference_anatomy(Subject()).contact_centres_mm[:, :, 1]
    for mpta in (80.0, 84.0, 91.0, 94.0):
        assert np.abs(reference_anatomy(Subject(mpta_deg=mpta)).contact_centres_mm[:, :, 1] - straight).max() < 0.9


def test_the_shift_is_that_of_a_turn_about_the_plateaus() -> None:
    knee, plain = reference_anatomy(Subject(mpta_deg=80.0)), reference_anatomy(Subject())
    level = np.mean([np.average(s.centroids[:, 1], weights=s.areas) for s in (plain.tibia_medial, plain.tibia_lateral)])
    assert knee.tilt_shift_mm == pytest.approx(-level * np.sin(np.radians(7.0)), rel=0.01) and plain.tilt_shift_mm == 0.0


@pytest.mark.parametrize("varus", [-4.0, 4.0])
def test_in_a_rig_varus_of_the_tibia_shares_the_load_as_varus_of_the_femur(varus: float) -> None:
    def share(person: Subject) -> float:
        case = Case(subject=person, activity=Activity(name="compression", force_n=1000.0))
        contact = run_activity(case, anatomy_of(case), case.activity).contact
        assert contact is not None
        return float(contact.medial.force[0] / (contact.medial.force[0] + contact.lateral.force[0]))

    assert share(Subject(mpta_deg=87.0 - varus, ldfa_deg=86.5)) == pytest.approx(share(Subject(ldfa_deg=86.5 + varus)), abs=0.02)
