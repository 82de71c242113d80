"""Interventions go together: any order, nothing twice, and what they do is the sum of what each does where physics is linear."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from kneeload import Case, interventions, simulate
from kneeload.errors import InputError
from kneeload.interventions import INTERVENTIONS

LOADS_ONLY = Case(contact=None, day_activities=("walking",))
PAIRS = [(one, two) for one, two in combinations(INTERVENTIONS, 2) if two not in INTERVENTIONS[one].excludes and one not in INTERVENTIONS[two].excludes]


def after(*names: str) -> Case:
    case = LOADS_ONLY
    for name in names:
        case = interventions.apply(case, name, {})
    return case


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_every_row_tells_what_it_is(name: str) -> None:
    row = INTERVENTIONS[name]
    assert row.name == name and row.source and row.lesion_evidence.endswith((".", ")")) and row.acts_on
    assert row.least <= row.usual <= row.most
    assert row.amount is None or row.amount in (row.apply.__kwdefaults__ or {})
    for other in row.excludes:
        assert name in INTERVENTIONS[other].excludes
    if row.vary is not None:
        case = after(name)
        assert row.vary(case, 0.0) == case and row.vary(case, 1.0) != case and row.vary(case, 1.0).interventions == (name,)


@pytest.mark.parametrize(("one", "two"), PAIRS, ids=[f"{one}-{two}" for one, two in PAIRS])
def test_any_order_gives_the_same_forces(one: str, two: str) -> None:
    first, second = simulate(after(one, two)).main, simulate(after(two, one)).main
    for compartment in ("medial", "lateral", "patellofemoral"):
        assert np.allclose(first.force(compartment), second.force(compartment), rtol=1e-6, atol=1e-3), compartment


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_nothing_is_counted_twice(name: str) -> None:
    with pytest.raises(InputError, match=r"counted twice|one brace on one knee"):
        interventions.apply(after(name), name, {})


def test_what_excludes_each_other_is_refused() -> None:
    for name, row in INTERVENTIONS.items():
        for other in row.excludes:
            with pytest.raises(InputError, match="one of the two"):
                interventions.apply(after(other), name, {})


def test_moments_of_a_brace_and_of_gait_add_up() -> None:
    plain, both = simulate(LOADS_ONLY).main.loads.knee_adduction_moment, simulate(after("unloader_brace", "toe_in")).main.loads.knee_adduction_moment
    single = [simulate(after(name)).main.loads.knee_adduction_moment - plain for name in ("unloader_brace", "toe_in")]
    assert np.allclose(both - plain, single[0] + single[1], atol=1.0)  # N mm


def test_a_lighter_person_keeps_the_percentage_of_a_gait_change() -> None:
    plain, light = simulate(LOADS_ONLY).main, simulate(after("weight_loss")).main
    change, change_when_light = (simulate(after(*names)).main.loads.knee_adduction_moment.max() / base.loads.knee_adduction_moment.max()
                                 for names, base in ((("toe_in",), plain), (("weight_loss", "toe_in"), light)))
    assert change == pytest.approx(change_when_light, rel=1e-9)
