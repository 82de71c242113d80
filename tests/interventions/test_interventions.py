"""Each intervention acts at its physical place, composes, and refuses nonsense."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload import Case, Subject, interventions, simulate
from kneeload.errors import InputError
from kneeload.result import compartment_dose

LOADS_ONLY = Case(contact=None)


@pytest.mark.parametrize("name", sorted(interventions.INTERVENTIONS))
def test_a_case_gives_a_case_that_remembers_where_it_came_from(name: str) -> None:
    changed = interventions.apply(LOADS_ONLY, name, {})
    assert changed != LOADS_ONLY and changed.baseline == LOADS_ONLY and changed.interventions == (name,)
    assert LOADS_ONLY.interventions == () and LOADS_ONLY.brace is None


def test_order_does_not_matter_where_physics_says_so() -> None:
    one = interventions.toe_in(interventions.weight_loss(interventions.unloader_brace(LOADS_ONLY), mass_kg=6.0), angle_deg=5.0)
    two = interventions.unloader_brace(interventions.toe_in(interventions.weight_loss(LOADS_ONLY, mass_kg=6.0), angle_deg=5.0))
    assert np.allclose(simulate(one).main.force("medial"), simulate(two).main.force("medial"), rtol=1e-9)
    assert one.baseline == two.baseline == LOADS_ONLY


def test_the_brace_takes_moment_and_nothing_else() -> None:
    before, after = simulate(LOADS_ONLY).main, simulate(interventions.unloader_brace(LOADS_ONLY, valgus_deg=4.0)).main
    relief = before.loads.knee_adduction_moment - after.loads.knee_adduction_moment
    assert 4500.0 < relief.max() < 6500.0 and relief.min() >= 0.0  # N mm: about 5.5 N m at 4 degrees, Schmalz 2010 and Pollo 2002
    assert np.array_equal(before.motion.knee_extension_moment, after.motion.knee_extension_moment)


def test_weight_loss_scales_the_net_loads() -> None:
    before, after = simulate(LOADS_ONLY).main.motion, simulate(interventions.weight_loss(LOADS_ONLY, mass_kg=8.0)).main.motion
    assert np.allclose(after.knee_adduction_moment, 0.9 * before.knee_adduction_moment)


def test_toe_in_lowers_the_first_and_raises_the_second_peak_of_the_adduction_moment() -> None:
    before, after = simulate(LOADS_ONLY).main, simulate(interventions.toe_in(LOADS_ONLY, angle_deg=10.0)).main
    scale = 0.01 * LOADS_ONLY.subject.body_weight_n * LOADS_ONLY.subject.height_m * 1000.0  # N mm per %BW Ht
    first, second = (after.loads.knee_adduction_moment[part].max() - before.loads.knee_adduction_moment[part].max() for part in (slice(5, 30), slice(35, 60)))
    assert first / scale == pytest.approx(-0.199, abs=0.03) and second > 0.0


def test_a_brace_that_is_worn_half_the_day_takes_about_half_of_the_dose() -> None:
    case = Case(subject=Subject(mpta_deg=85.0))
    plain = compartment_dose(simulate(case))["medial"]
    half, whole = (compartment_dose(simulate(interventions.unloader_brace(case, valgus_deg=8.0, hours_per_day=hours)))["medial"] for hours in (8.0, 16.0))
    assert whole < half < plain
    assert (plain - half) / (plain - whole) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("weight_loss", {"mass_kg": 80.0}, ("weight loss", "80 kg")),
        ("weight_loss", {"mass_kg": -1.0}, ("weight loss", "-1")),
        ("toe_in", {"angle_deg": 90.0}, ("toe-in", "0 to 25 degrees")),
        ("unloader_brace", {"hours_per_day": 25.0}, ("hours", "25")),
        ("unloader_brace", {"valgus_deg": 40.0}, ("brace", "40")),
    ],
)
def test_nonsense_is_refused(name: str, parameters: dict[str, float], words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        interventions.apply(Case(), name, parameters)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_second_brace_is_refused() -> None:
    with pytest.raises(InputError, match="one brace on one knee"):
        interventions.unloader_brace(interventions.unloader_brace(Case()))
