"""The low-pass filter: gain at the cut-off, no delay, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.errors import InputError
from kneeload.motion.filtering import described, low_pass

TIME = np.arange(0.0, 20.0, 0.005)


def gain_and_delay(frequency: float, cutoff: float) -> tuple[float, float]:
    """Amplitude and phase (rad) of a filtered sine, away from the ends."""
    middle = slice(1000, 3000)
    wave = np.exp(2j * np.pi * frequency * TIME)
    ratio = np.vdot(wave[middle], low_pass(TIME, np.cos(2 * np.pi * frequency * TIME), cutoff, "key")[middle]) / np.vdot(wave[middle], np.cos(2 * np.pi * frequency * TIME)[middle])
    return abs(ratio), float(np.angle(ratio))


@pytest.mark.parametrize(("frequency", "gain"), [(0.5, 1.0), (6.0, 1.0 / np.sqrt(2.0)), (12.0, 0.13), (40.0, 0.001)])
def test_gain_without_delay(frequency: float, gain: float) -> None:
    measured, phase = gain_and_delay(frequency, 6.0)
    # the bilinear transform shifts frequencies by some thousandths at 200 samples per second
    assert measured == pytest.approx(gain, abs=0.012)
    assert abs(phase) < 1e-3 or measured < 0.01


def test_a_line_stays_a_line() -> None:
    np.testing.assert_allclose(low_pass(TIME, 3.0 + 0.2 * TIME, 6.0, "key"), 3.0 + 0.2 * TIME, atol=1e-6)


def test_nothing_is_done_without_a_cutoff() -> None:
    values = np.sin(TIME)
    assert low_pass(TIME, values, None, "key") is values
    assert described(None, None) == "not filtered"


def test_uneven_steps() -> None:
    time = TIME + 0.0015 * np.sin(7.0 * TIME)
    np.testing.assert_allclose(low_pass(time, np.sin(2 * np.pi * 0.7 * time), 6.0, "key"), np.sin(2 * np.pi * 0.7 * time), atol=2e-3)


def test_columns_are_filtered_one_by_one() -> None:
    both = np.stack([np.sin(9.0 * TIME), np.cos(70.0 * TIME)], axis=1)
    np.testing.assert_allclose(low_pass(TIME, both, 5.0, "key")[:, 1], low_pass(TIME, both[:, 1], 5.0, "key"), atol=1e-14)


def test_a_cutoff_above_the_sampling() -> None:
    with pytest.raises(InputError, match=r"activity\.angle_cutoff_hz.*200 samples per second"):
        low_pass(TIME, np.sin(TIME), 90.0, "activity.angle_cutoff_hz")
