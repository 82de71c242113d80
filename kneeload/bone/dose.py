"""What the bone room hands on: subchondral stress and daily dose per region."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoneLoad:
    """Load of the 15 MOAKS regions over a day (R = 15, A = activities of the day).

    Attributes:
        activities: names of the activities of the person's day.
        peak_stress: (R,) MPa; peak compressive stress in the subchondral bone over the activity of the case.
        peak_contact_pressure: (R,) MPa; peak articular pressure over that region, same activity.
        mean_contact_pressure: (R,) MPa; mean pressure of the triangles of the region that touch at the frame of that peak, same activity.
        daily_dose: (R,) MPa s per day; time integral of the region's mean contact stress, all activities of the day.
        dose_by_activity: (R, A) MPa s per day.
        depth_mm: (D,) mm below the surface at which `stress_depth` is given.
        stress_depth: (R, D) MPa; peak compressive stress under the most loaded point of the region.
    """

    activities: tuple[str, ...]
    peak_stress: NDArray[np.float64]
    peak_contact_pressure: NDArray[np.float64]
    mean_contact_pressure: NDArray[np.float64]
    daily_dose: NDArray[np.float64]
    dose_by_activity: NDArray[np.float64]
    depth_mm: NDArray[np.float64]
    stress_depth: NDArray[np.float64]
