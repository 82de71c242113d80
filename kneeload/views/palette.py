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
_LIMITS_MPA = (2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 100.0)


def pressure_rgb(pressure: NDArray[np.float64], limit_mpa: float) -> NDArray[np.float64]:
    """Colours (n, 3), 0 to 1, of pressures (n,) MPa on a scale from 0 to `limit_mpa`; values beyond it get the last colour."""
    position = np.clip(np.nan_to_num(np.asarray(pressure, dtype=np.float64)) / limit_mpa, 0.0, 1.0)
    return np.stack([np.interp(position, _ANCHORS[:, 0], _ANCHORS[:, channel]) for channel in (1, 2, 3)], axis=-1)


def scale_limit(highest_mpa: float) -> float:
    """Upper end of the colour scale, MPa: the smallest of a few fixed steps that holds `highest_mpa`.

    Few steps, so that pictures of different runs mostly share their colours and can be compared by eye.
    """
    for limit in _LIMITS_MPA:
        if highest_mpa <= limit:
            return limit
    return float(100.0 * np.ceil(highest_mpa / 100.0))


def lightness(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE 1976 lightness L*, 0 to 100, of sRGB colours (n, 3) in 0 to 1 (IEC 61966-2-1 transfer curve, D65 white)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where(luminance > 216.0 / 24389.0, 116.0 * np.cbrt(luminance) - 16.0, luminance * 24389.0 / 27.0)
