"""Grades of a lesion from its share of a region, and sums by compartment.

| system | grade 1 | grade 2 | grade 3 | source |
|---|---|---|---|---|
| MOAKS | up to 33 % | to 66 % | above 66 % | Hunter 2011, doi 10.1016/j.joca.2011.05.004 |
| WORMS | up to 25 % | to 50 % | above 50 % | Peterfy 2004, doi 10.1016/j.joca.2003.11.003; table in PMC5319929 |
| BLOKS | up to 10 % | to 85 % | above 85 % | from general knowledge of Hunter 2008 (Ann Rheum Dis 67:206); the paper's table names the items, not the cuts |

The shares of WORMS and BLOKS are of their own regions: see `kneeload.subject.score_regions`. A share exactly at a cut has the lower grade.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.bone.volume import BoneVolume
from kneeload.errors import InputError, check_choice
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.score_regions import BLOKS_REGIONS, MOAKS_TO_BLOKS, ScoreLabels

GRADE_CUTS: Mapping[str, tuple[float, float]] = MappingProxyType({"MOAKS": (0.33, 0.66), "WORMS": (0.25, 0.50), "BLOKS": (0.10, 0.85)})
UNCONFIRMED = ("BLOKS",)  # cuts that were not seen in a source


def _compartment(region: str) -> str:
    part, _, side = region.rpartition("_")
    if side == "subspinous":
        return "subspinous"
    return f"{side}_patellofemoral" if part in ("patella", "femur_trochlea") else f"{side}_tibiofemoral"


COMPARTMENTS: tuple[str, ...] = ("medial_tibiofemoral", "lateral_tibiofemoral", "medial_patellofemoral", "lateral_patellofemoral", "subspinous")
COMPARTMENT_OF: Mapping[str, str] = MappingProxyType({region: _compartment(region) for region in MOAKS_REGIONS})
# Pooling of Aso 2021 (doi 10.1186/s13075-021-02422-0): tibiofemoral = central and posterior femur and the plateau, patellofemoral = patella
# and trochlea of that side (the paper names the five groups; which region is in which follows from the joints).


def grades(share: ArrayLike, system: str = "MOAKS") -> NDArray[np.int8]:
    """Return the grades 0 to 3 of lesions that fill `share` (...) of their regions, no unit, 0 to 1.

    Raises:
        InputError: an unknown system, or a share that is not a number from 0 to 1.
    """
    check_choice("scoring system", system, tuple(GRADE_CUTS), where="system", why="these have cuts")
    values = np.asarray(share, dtype=np.float64)
    if not (np.isfinite(values).all() and (values >= 0.0).all() and (values <= 1.0 + 1e-9).all()):
        raise InputError("share of a region", where="share", got=values.tolist(), allowed="numbers from 0 to 1", why="a lesion fills no more than its region")
    low, high = GRADE_CUTS[system]
    out: NDArray[np.int8] = ((values > 0.0).astype(np.int8) + (values > low) + (values > high)).astype(np.int8)
    return out


def share_band(grade: int, system: str = "MOAKS") -> tuple[float, float]:
    """Return the lowest and highest share of a region that has this grade.

    Raises:
        InputError: an unknown system or a grade outside 0 to 3.
    """
    check_choice("scoring system", system, tuple(GRADE_CUTS), where="system", why="these have cuts")
    if grade not in (0, 1, 2, 3):
        raise InputError("grade", where="grade", got=grade, allowed="0, 1, 2 or 3", why="it is a semi-quantitative score")
    edges = (0.0, 0.0, *GRADE_CUTS[system], 1.0)
    return edges[grade], edges[grade + 1]


def compartment_sums(score: ArrayLike) -> dict[str, float]:
    """Return the sum of a score (15,) over each of the five compartments.

    Raises:
        InputError: not 15 numbers.
    """
    values = _regional(score)
    return {name: float(sum(values[k] for k, region in enumerate(MOAKS_REGIONS) if COMPARTMENT_OF[region] == name)) for name in COMPARTMENTS}


def bloks_shares(volume_mm3: ArrayLike, region_volume_mm3: ArrayLike) -> NDArray[np.float64]:
    """Return the share (9,) of each BLOKS region that lesions fill, from the volumes of lesions and of regions in MOAKS, (15,) mm3 each.

    Raises:
        InputError: not 15 numbers each, or a BLOKS region without volume.
    """
    lesion, whole = _regional(volume_mm3), _regional(region_volume_mm3)
    group = np.array([BLOKS_REGIONS.index(MOAKS_TO_BLOKS[region]) for region in MOAKS_REGIONS])
    total = np.bincount(group, whole, len(BLOKS_REGIONS))
    if not (total > 0.0).all():
        raise InputError("volume of a region", where="region_volume_mm3", got=whole.tolist(), allowed="above 0 mm3", why="a share of nothing has no size")
    return np.bincount(group, lesion, len(BLOKS_REGIONS)) / total


def cube_labels(volume: BoneVolume, labels: ScoreLabels) -> NDArray[np.int8]:
    """Return the region (n,) of each cube of a bone in another system, an index into `labels.names`, -1 outside all.

    BLOKS regions are unions of MOAKS regions. In WORMS a cube belongs to the region of its nearest articular triangle (assumption: borders go
    into the bone at right angles to the joint), and the subspinous region is that of MOAKS.
    """
    known = volume.region >= 0
    if labels.names == BLOKS_REGIONS:
        table = np.array([BLOKS_REGIONS.index(MOAKS_TO_BLOKS[region]) for region in MOAKS_REGIONS], dtype=np.int8)
        return np.where(known, table[volume.region], -1).astype(np.int8)
    if volume.bone == "tibia":
        row, count = volume.triangle, (len(labels.tibia_medial), len(labels.tibia_lateral))
        medial, lateral = labels.tibia_medial[np.minimum(row, count[0] - 1)], labels.tibia_lateral[np.minimum(row, count[1] - 1)]
        out = np.where(volume.surface == 0, medial, lateral)
    else:
        out = (labels.femur if volume.bone == "femur" else labels.patella)[volume.triangle]
    out = np.where(volume.region == MOAKS_REGIONS.index("tibia_subspinous"), labels.names.index("tibia_subspinous"), out)
    return np.where(known, out, -1).astype(np.int8)


def _regional(values: ArrayLike) -> NDArray[np.float64]:
    out = np.asarray(values, dtype=np.float64)
    if out.shape != (len(MOAKS_REGIONS),) or not np.isfinite(out).all():
        raise InputError("regional values", where="MOAKS regions", got=out.tolist(), allowed=f"{len(MOAKS_REGIONS)} numbers, in the order of MOAKS_REGIONS",
                         why="each region has one")
    return out
