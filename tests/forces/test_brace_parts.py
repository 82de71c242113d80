"""Straps, migration, stiffness over flexion, sign and spread of the off-loader brace."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kneeload.errors import InputError
from kneeload.forces.brace import SHANK_LEVER_MM, THIGH_LEVER_MM, Brace

FLEXION, LOAD = np.radians([0.0, 20.0, 60.0, 90.0]), np.full(4, 900.0)


def moment(**settings) -> np.ndarray:
    return Brace(**settings).moment(FLEXION, LOAD, 800.0)


def test_a_strap_bends_a_beam_on_two_supports():
    """Statics of the beam: supports F b / (a + b) and F a / (a + b), moment at the strap = support x distance."""
    force = 40.0
    support = force * SHANK_LEVER_MM / (THIGH_LEVER_MM + SHANK_LEVER_MM)
    assert moment(strap_force_n=force)[0] - moment()[0] == pytest.approx(support * THIGH_LEVER_MM, rel=1e-12)
    assert moment(valgus_deg=8.0)[0] - moment()[0] > moment(strap_force_n=force)[0] - moment()[0]  # Pollo 2002: the angle has the greater effect


def test_a_brace_that_slid_to_its_cuff_does_nothing_more_than_linear():
    parts = [Brace(migration_mm=slid).full_moment_nm for slid in (0.0, 20.0, 40.0)]
    assert parts[0] - parts[1] == pytest.approx(parts[1] - parts[2]) and parts[1] == pytest.approx(parts[0] * (1.0 - 20.0 / THIGH_LEVER_MM))


@given(st.floats(0.1, 12.0), st.floats(0.0, 100.0))
def test_a_varus_setting_is_the_mirror_image(angle: float, strap: float) -> None:
    np.testing.assert_array_equal(moment(valgus_deg=-angle, strap_force_n=strap), -moment(valgus_deg=angle, strap_force_n=strap))


def test_stiffness_over_flexion_is_read_between_its_points():
    flat = moment(stiffness_over_flexion=((0.0, 1.0),))
    np.testing.assert_allclose(flat, flat[0])
    table = moment(stiffness_over_flexion=[[0, 1.0], [40, 0.5], [90, 0.0]])
    np.testing.assert_allclose(table / table[0], [1.0, 0.75, 0.3, 0.0], atol=1e-12)
    cosine = tuple((float(f), float(np.cos(np.radians(f)))) for f in range(0, 91))
    np.testing.assert_allclose(moment(stiffness_over_flexion=cosine), moment(), rtol=2e-4, atol=1e-9)


@given(st.floats(-5.0, 5.0))
def test_the_response_is_linear_and_never_turns_the_brace_round(z: float) -> None:
    assert moment(response_z=z)[0] == pytest.approx(moment()[0] * max(1.0 + 0.5 * z, 0.0))


@pytest.mark.parametrize("settings", [{"strap_force_n": -1.0}, {"migration_mm": 200.0}, {"stiffness_over_flexion": []}, {"stiffness_over_flexion": [[30, 1], [10, 1]]},
                                      {"stiffness_over_flexion": 3}, {"stiffness_over_flexion": [[0, -1]]}, {"valgus_deg": -13.0}])
def test_bad_settings(settings):
    with pytest.raises(InputError, match="unloader_brace"):
        Brace(**settings)
