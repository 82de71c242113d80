"""Size of the short-term fluctuation of lesions, derived from one publication.

Felson 2012 (PMC3526790): 52 knees with patellofemoral osteoarthritis and lesions, imaged at 0, 6 and 12 weeks. 40.8 % changed by more than
the limits of agreement at 6 weeks; 63.3 % (axial view) or 48.7 % (sagittal view) changed by more than half at 6 or 12 weeks; as many up as
down. A lesion is taken as volume x (share x flare + 1 - share), the logarithm of the flare being an Ornstein-Uhlenbeck process with
the time constant of the oedema, since an oedema that follows a rapidly varying cause at first order passes on its changes with its own. Two
figures give two unknowns: the standard deviation of the flare and that of a reading.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kneeload.lesion.course_model import Interval

Array = NDArray[np.float64]
BEYOND_LIMITS = 0.408  # of knees at 6 weeks, both views being near; axial
MORE_THAN_HALF = {"sagittal": 0.487, "axial": 0.633}  # of knees at 6 or 12 weeks
WEEKS = (0.0, 6.0, 12.0)


def short_course(flare_sd: float, reading_sd: float, fluid_share: Interval, fast_weeks: Interval, *, samples: int = 40_000, seed: int = 1) -> Array:
    """Return (3, samples) no unit: logarithm of the volume read at 0, 6 and 12 weeks over the mean volume."""
    rng = np.random.default_rng(seed)
    u, normal = rng.random((2, samples)), rng.standard_normal((6, samples))
    share = fluid_share[0] + (fluid_share[1] - fluid_share[0]) * u[0]
    kept = np.exp(-6.0 / (fast_weeks[0] + (fast_weeks[1] - fast_weeks[0]) * u[1]))
    z = [normal[0]]
    for k in (1, 2):
        z.append(kept * z[-1] + np.sqrt(1.0 - kept**2) * normal[k])
    return np.stack([np.log(share * np.exp(flare_sd * z[k] - 0.5 * flare_sd**2) + 1.0 - share) + reading_sd * normal[3 + k] for k in range(3)])


def parts_changed(log_volume: Array, reading_sd: float) -> tuple[float, float, float]:
    """Return the parts of lesions beyond the limits of agreement at 6 weeks, with more than half change at 6 or 12 weeks, and larger at 6 weeks."""
    six, twelve = log_volume[1] - log_volume[0], log_volume[2] - log_volume[0]
    limit = 1.96 * math.sqrt(2.0) * reading_sd
    big = [(d > math.log(1.5)) | (d < math.log(0.5)) for d in (six, twelve)]
    return float((np.abs(six) > limit).mean()), float((big[0] | big[1]).mean()), float((six > 0.0).mean())


def fitted_volatility(view: str, fluid_share: Interval, fast_weeks: Interval) -> tuple[float, float]:
    """Return (flare_sd, reading_sd) that give the two published figures of a view, "axial" or "sagittal"."""
    low, high = 0.1, 1.5
    for _ in range(22):
        flare = 0.5 * (low + high)
        reading = _reading(flare, fluid_share, fast_weeks)
        if parts_changed(short_course(flare, reading, fluid_share, fast_weeks), reading)[1] < MORE_THAN_HALF[view]:
            low = flare
        else:
            high = flare
    return flare, reading


def _reading(flare_sd: float, fluid_share: Interval, fast_weeks: Interval) -> float:
    low, high = 1e-4, 2.0
    for _ in range(22):
        middle = 0.5 * (low + high)
        if parts_changed(short_course(flare_sd, middle, fluid_share, fast_weeks), middle)[0] > BEYOND_LIMITS:
            low = middle
        else:
            high = middle
    return middle
