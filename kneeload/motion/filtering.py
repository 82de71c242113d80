"""Low-pass filter of recorded curves, without delay."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError

Array = NDArray[np.float64]

# Two passes of a second-order Butterworth filter make a fourth-order filter without delay. Each pass is given a higher cut-off so that both
# together damp the stated frequency to 1 / sqrt(2): factor 1 / (sqrt(2) - 1)^(1/4) (Winter 2009, Biomechanics and Motor Control, 4th ed., 3.4.4).
_ORDER = 2
_TWO_PASSES = (np.sqrt(2.0) - 1.0) ** -0.25


def low_pass(time: Array, values: Array, cutoff_hz: float | None, where: str) -> Array:
    """Zero-phase Butterworth low-pass, fourth order in all, amplitude 1 / sqrt(2) at the cut-off.

    Args:
        time: (N,) s, increasing; uneven steps are resampled evenly for the filter and back.
        values: (N,) or (N, k), any unit.
        cutoff_hz: Hz; None returns the values as they are.
        where: config key of the cut-off, for the error.

    Returns:
        (N,) or (N, k), unit of `values`.

    Raises:
        InputError: the cut-off is not below 0.4 of the sampling rate, or there are too few samples to filter.
    """
    if cutoff_hz is None:
        return values
    from scipy.signal import butter, sosfiltfilt  # here: its import takes longer than a whole motion

    rate = (time.size - 1) / float(time[-1] - time[0])
    if cutoff_hz * _TWO_PASSES >= 0.5 * rate:
        raise InputError("cut-off of the low-pass filter", where=where, got=cutoff_hz, allowed=f"below {0.5 * rate / _TWO_PASSES:.4g} Hz",
                         why=f"the file has {rate:.4g} samples per second")
    even = np.linspace(time[0], time[-1], time.size)
    uneven = np.abs(even - time).max() > 0.01 / rate
    source = _at(even, time, values) if uneven else values
    padding = min(int(3.0 * rate / cutoff_hz), time.size - 1)
    filtered = sosfiltfilt(butter(_ORDER, cutoff_hz * _TWO_PASSES, fs=rate, output="sos"), source, axis=0, padlen=padding)
    return _at(time, even, filtered) if uneven else filtered


def described(angle_cutoff_hz: float | None, force_cutoff_hz: float | None) -> str:
    """What was filtered, in words."""
    if angle_cutoff_hz is None and force_cutoff_hz is None:
        return "not filtered"
    parts = [f"{name} low-pass {cutoff:g} Hz" if cutoff is not None else f"{name} not filtered"
             for name, cutoff in (("angles", angle_cutoff_hz), ("forces and moments", force_cutoff_hz))]
    return ", ".join(parts) + " (fourth-order Butterworth, zero phase)"


def _at(new: Array, time: Array, values: Array) -> Array:
    from scipy.interpolate import PchipInterpolator

    return PchipInterpolator(time, values, axis=0)(np.clip(new, time[0], time[-1]))
