"""One colour scale for contact pressure: pale cartilage at zero, darker with every MPa.

Lightness falls evenly from end to end, so that the order of the colours survives colour blindness and a grey print.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BONE_RGB = (0.925, 0.880, 0.785)
MENISCUS_RGB = (0.735, 0.815, 0.860)
_ANCHORS = np.array([
    # position, red, green, blue: chosen so that CIE lightness falls almost linearly from 92 to 15
    (0.00, 0.905, 0.915, 0.905),
    (0.16, 0.975, 0.815, 0.490),
    (0.34, 0.965, 0.640, 0.270),
    (0.52, 0.880, 0.420, 0.255),
    (0.70, 0.695, 0.220, 0.330),
    (0.86, 0.430, 0.110, 0.355),
    (1.00, 0.175, 0.050, 0.265),
])
_DIVERGING = np.array([
    # position, red, green, blue
    (-1.0, 0.020, 0.235, 0.480), (-0.5, 0.330, 0.600, 0.810), (0.0, 0.920, 0.920, 0.910), (0.5, 0.930, 0.610, 0.290), (1.0, 0.560, 0.230, 0.000),
])
_DIFFERENCES = (0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0)
_LIMITS_MPA = (2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 100.0)


def pressure_rgb(pressure: NDArray[np.float64], limit_mpa: float) -> NDArray[np.float64]:
    """Colours (n, 3), 0 to 1, of pressures (n,) MPa on a scale from 0 to `limit_mpa`; values beyond it get the last colour."""
    position = np.clip(np.nan_to_num(np.asarray(pressure, dtype=np.float64)) / limit_mpa, 0.0, 1.0)
    return np.stack([np.interp(position, _ANCHORS[:, 0], _ANCHORS[:, channel]) for channel in (1, 2, 3)], axis=-1)


def difference_rgb(difference: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """Colours (n, 3), 0 to 1, of differences (n,) on a scale from -limit (blue) over 0 (pale grey) to +limit (orange); beyond it the end colours.

    Blue and orange are told apart with every common kind of colour blindness, and lightness falls alike to both ends.
    """
    position = np.clip(np.nan_to_num(np.asarray(difference, dtype=np.float64)) / limit, -1.0, 1.0)
    return np.stack([np.interp(position, _DIVERGING[:, 0], _DIVERGING[:, channel]) for channel in (1, 2, 3)], axis=-1)


def difference_limit(highest: float) -> float:
    """Upper end of a scale of differences: the smallest of a few fixed steps that holds `highest`, from 0.1 up."""
    for limit in _DIFFERENCES:
        if highest <= limit:
            return limit
    return scale_limit(highest)


def pressure_colours():  # type: ignore[no-untyped-def]
    """The scale of `pressure_rgb` in 1024 steps, as a colour map of matplotlib."""
    from matplotlib.colors import ListedColormap

    return ListedColormap([tuple(rgb) for rgb in pressure_rgb(np.linspace(0.0, 1.0, 1024), 1.0)], name="contact_pressure")


def scale_limit(highest_mpa: float) -> float:
    """Upper end of the colour scale, MPa: the smallest of a few fixed steps that holds `highest_mpa`.

    Few steps, so that pictures of different runs mostly share their colours and can be compared by eye.
    """
    for limit in _LIMITS_MPA:
        if highest_mpa <= limit:
            return limit
    return float(100.0 * np.ceil(highest_mpa / 100.0))


def scale_ticks(limit_mpa: float) -> NDArray[np.float64]:
    """(k,) MPa; round numbers along the scale from zero, four to seven of them, the end among them when it is one of the fixed steps."""
    steps = [step for step in (0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0, 50.0, 100.0) if limit_mpa / step < 6.01]
    even = [step for step in steps if abs(limit_mpa / step - round(limit_mpa / step)) < 1e-9]
    step = min(even) if even and limit_mpa / min(even) > 2.99 else min(steps, default=limit_mpa)
    return np.arange(0.0, limit_mpa * 1.0001, step)


def lightness(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE 1976 lightness L*, 0 to 100, of sRGB colours (n, 3) in 0 to 1 (IEC 61966-2-1 transfer curve, D65 white)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(luminance > 216.0 / 24389.0, 116.0 * np.cbrt(luminance) - 16.0, luminance * 24389.0 / 27.0)
