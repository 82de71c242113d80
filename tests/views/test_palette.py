"""The colour scale keeps its order for every eye."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.views.palette import lightness, pressure_rgb, scale_limit


def test_more_pressure_is_always_darker_in_even_steps() -> None:
    light = lightness(pressure_rgb(np.linspace(0.0, 10.0, 101), 10.0))
    steps = np.diff(light)
    assert (steps < -0.3).all()  # never flat: every step of a tenth of a MPa can be told from the next in grey
    assert (steps > -1.6).all()  # never a jump that looks like an edge
    assert light[0] > 90.0 and light[-1] < 15.0


def test_lightness_of_white_mid_grey_and_black_is_that_of_the_standard() -> None:
    assert lightness(np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])) == pytest.approx([100.0, 0.0], abs=0.02)
    assert lightness(np.full((1, 3), 119 / 255)) == pytest.approx([50.0], abs=0.5)  # sRGB grey 119 is the mid grey of CIE L* = 50


def test_values_off_the_scale_get_the_end_colours_and_a_missing_value_counts_as_zero() -> None:
    rgb = pressure_rgb(np.array([-1.0, 0.0, np.nan, 10.0, 99.0]), 10.0)
    assert (rgb[0] == rgb[1]).all() and (rgb[2] == rgb[1]).all() and (rgb[3] == rgb[4]).all()


@pytest.mark.parametrize(("highest", "limit"), [(0.0, 2.0), (2.0, 2.0), (2.01, 5.0), (6.1, 10.0), (19.9, 20.0), (101.0, 200.0), (1000.0, 1000.0)])
def test_the_scale_ends_at_a_fixed_step_that_holds_the_peak(highest: float, limit: float) -> None:
    assert scale_limit(highest) == limit
