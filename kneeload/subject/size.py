"""Size of the reference knee: from the source knee to the mean knee of men or women, then to a person's height.

The source knee is one MRI knee (woman, 62 kg). Its three axes are stretched so that its bones take published mean dimensions; one set of
factors serves all bodies, so the joint stays congruent. A person's knee is that mean knee times height over the mean height of the sex:
condyle radii, spacing and widths grow with height (Monk 2014, BJJ 96-B:1623), cartilage thickness hardly does
(Hudelmaier 2001, PMID 11237657: r 0.22), so thickness stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.person import Sex

MEAN_HEIGHT_M: dict[Sex, float] = {"male": 1.75, "female": 1.62}
"""Mean height of the cohorts below, m. Assumption (they report bones, not people): national means lie between 1.70-1.78 and 1.58-1.65."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One published length: cohort means and SD, mm, along one axis of the knee, and the same length in the source knee.

    Attributes:
        axis: 0 = x (anteroposterior), 2 = z (mediolateral).
        source_mm: the length in the MRI knee, mm (bone meshes, measured as the docstring of `DIMENSIONS` says).
        male_mm, female_mm: mean over the cohorts, mm.
        male_sd_mm, female_sd_mm: SD within a cohort (mean over cohorts), mm.
    """

    axis: int
    source_mm: float
    male_mm: float
    female_mm: float
    male_sd_mm: float
    female_sd_mm: float


def _dimension(axis: int, source_mm: float, male: list[tuple[float, float]], female: list[tuple[float, float]]) -> Dimension:
    (m, ms), (f, fs) = np.mean(male, axis=0), np.mean(female, axis=0)
    return Dimension(axis=axis, source_mm=source_mm, male_mm=float(m), female_mm=float(f), male_sd_mm=float(ms), female_sd_mm=float(fs))


DIMENSIONS: dict[str, Dimension] = {
    "femur_width": _dimension(2, 79.9, [(88.6, 4.2)], [(78.5, 3.0)]),
    "tibia_width": _dimension(2, 72.0, [(76.4, 2.8), (76.1, 4.0), (83.0, 6.2), (75.2, 3.6), (80.3, 3.7)],
                              [(68.8, 4.6), (67.6, 3.1), (71.7, 4.0), (66.1, 3.2)]),
    "medial_condyle_depth": _dimension(0, 60.3, [(61.1, 3.4), (61.88, 4.04)], [(55.9, 2.9), (54.45, 3.59)]),
    "lateral_condyle_depth": _dimension(0, 64.3, [(61.1, 3.3), (64.67, 4.48)], [(55.4, 2.1), (56.68, 3.62)]),
    "tibia_depth": _dimension(0, 50.5, [(51.3, 2.0), (48.2, 3.3), (53.8, 6.6), (47.2, 3.0)],
                              [(45.7, 1.9), (43.2, 2.3), (46.6, 3.6), (42.1, 2.7)]),
    "medial_plateau_depth": _dimension(0, 48.8, [(53.3, 2.5), (48.5, 3.7), (54.3, 3.6), (50.0, 3.1)],
                                       [(47.5, 2.4), (43.5, 2.9), (46.0, 2.1), (43.9, 3.0)]),
}
"""Published dimensions, mm. Widths: femur between the outermost points of the condyles and tibia likewise (largest extents along z).
Depths: condyles from the most posterior to the most anterior point on either side of the notch (|z| > 8 mm, y < 25 mm);
tibia 13 mm below the top of the spines (all, and the medial half z < -10 mm), where the plateau has its full size.
Femur: Terzidis 2012 (PMC3437276, 360 femora), Kapur (Folia Medica, 100 femora). Tibia: cohorts in table 5 of PMC9703208 (men/women):
Chinese 94/78, Korean 50/50, Japanese 21/59, Indian 50/100, US 14 men; medial plateau: Chinese, Korean, US, Indian."""


def axis_factors(sex: Sex) -> NDArray[np.float64]:
    """Size of the mean knee of a sex over the source knee along x, y, z; (3,), no unit.

    x and z are the means of (published / source) over the dimensions along that axis. For y there is no length that the cohorts and the
    source define alike: it takes the geometric mean of the other two (assumption; keeps the shape of the condyles between both).
    """
    x, z = (_mean_ratio(sex, axis) for axis in (0, 2))
    return np.array([x, np.sqrt(x * z), z])


def _mean_ratio(sex: Sex, axis: int) -> float:
    ratios = [(d.male_mm if sex == "male" else d.female_mm) / d.source_mm for d in DIMENSIONS.values() if d.axis == axis]
    return float(np.mean(ratios))


def height_factor(sex: Sex, height_m: float) -> float:
    """Size of a person's knee over the mean knee of the sex (no unit): height / mean height."""
    return height_m / MEAN_HEIGHT_M[sex]
