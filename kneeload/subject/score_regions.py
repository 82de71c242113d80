"""WORMS and BLOKS subregions per triangle, beside the MOAKS labels that every articular surface carries.

WORMS (Peterfy 2004, doi 10.1016/j.joca.2003.11.003) has 15 subregions. Rules, with S = published and A = chosen here:

- patella: the ridge belongs to the medial half (S), so the halves are those of MOAKS;
- femur, anterior = patellofemoral part, central = weight-bearing part, posterior = convexity that touches only in extreme flexion (S). The
  borders are coronal planes at full extension: through the anterior margin of the anterior horn and through the posterior margin of the
  posterior horn of the meniscus of that side (A; told so in reviews, not seen in the source). Without a meniscus: the front and
  back edge of its plateau. Femur and tibia frames agree at full extension, so the planes need no pose;
- femur, medial and lateral: the trochlear groove belongs to medial (S): lateral begins 1 mm beyond the line through the deepest points of the
  groove (A: 0.5 to 2 mm). Behind the notch front the halves are those of MOAKS, since the notch parts the condyles;
- tibia, central = the uncovered part between the horns in the middle and the part under the body of the meniscus at the rim (S): between the coronal
  planes through the inner edges of the two horns (A: median over the strips where the plateau lies bare between them). Without a meniscus: thirds of the plateau;
- subspinous: bone below the spines, no articular triangle.

BLOKS (Hunter 2008, Ann Rheum Dis 67:206) has nine regions. Their number is confirmed, their names come from general knowledge (A): patella,
trochlea, weight-bearing femur, weight-bearing tibia, each medial and lateral, and the subspinous tibia. They are unions of MOAKS
regions: weight-bearing femur = central and posterior, weight-bearing tibia = anterior, central and posterior.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy
from kneeload.subject.regions import RIDGE_MARGIN_MM, notch_edges, notch_front
from kneeload.subject.surface import ArticularSurface, TriangleMesh

WORMS_REGIONS: tuple[str, ...] = (
    "patella_medial", "patella_lateral",
    "femur_anterior_medial", "femur_anterior_lateral", "femur_central_medial", "femur_central_lateral",
    "femur_posterior_medial", "femur_posterior_lateral",
    "tibia_anterior_medial", "tibia_anterior_lateral", "tibia_central_medial", "tibia_central_lateral",
    "tibia_posterior_medial", "tibia_posterior_lateral", "tibia_subspinous",
)
BLOKS_REGIONS: tuple[str, ...] = (
    "patella_medial", "patella_lateral", "trochlea_medial", "trochlea_lateral",
    "weight_bearing_femur_medial", "weight_bearing_femur_lateral", "weight_bearing_tibia_medial", "weight_bearing_tibia_lateral", "tibia_subspinous",
)
HORN_STRIPS = 15
SURFACES = ("femur", "tibia_medial", "tibia_lateral", "patella")
_WORMS = {name: i for i, name in enumerate(WORMS_REGIONS)}
_SIDES = ("medial", "lateral")


def _bloks_name(region: str) -> str:
    part, _, side = region.rpartition("_")
    if part.startswith("femur"):
        return f"trochlea_{side}" if "trochlea" in part else f"weight_bearing_femur_{side}"
    return region if part == "patella" or side == "subspinous" else f"weight_bearing_tibia_{side}"


MOAKS_TO_BLOKS: Mapping[str, str] = MappingProxyType({region: _bloks_name(region) for region in MOAKS_REGIONS})
_TO_BLOKS = np.array([BLOKS_REGIONS.index(MOAKS_TO_BLOKS[region]) for region in MOAKS_REGIONS] + [-1], dtype=np.int8)  # the last is for -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreLabels:
    """Labels of one scoring system on the articular triangles of a knee.

    Attributes:
        names: of the regions; a label is an index into them, -1 where no region is.
        femur: (m,) no unit; label of each triangle of `KneeAnatomy.femur`.
        tibia_medial, tibia_lateral: (m,) no unit; labels of the plateaus.
        patella: (m,) no unit; labels of the patellar cartilage.
    """

    names: tuple[str, ...]
    femur: NDArray[np.int8]
    tibia_medial: NDArray[np.int8]
    tibia_lateral: NDArray[np.int8]
    patella: NDArray[np.int8]


def bloks_labels(anatomy: KneeAnatomy) -> ScoreLabels:
    """Return the BLOKS regions of a knee, parametric or from MRI: unions of its MOAKS regions."""
    found = {name: _read_only(_TO_BLOKS[getattr(anatomy, name).region]) for name in SURFACES}
    return ScoreLabels(names=BLOKS_REGIONS, **found)


def worms_labels(anatomy: KneeAnatomy) -> ScoreLabels:
    """Return the WORMS regions of a knee, parametric or from MRI, by the rules above."""
    plates = {side: (getattr(anatomy, f"tibia_{side}"), getattr(anatomy, f"{side}_meniscus"), getattr(anatomy, f"covered_{side}")) for side in _SIDES}
    tibia = {f"tibia_{side}": _worms_plateau(plate.mesh, side, horn_planes(plate.mesh, covered)) for side, (plate, _, covered) in plates.items()}
    planes = {side: meniscal_margins(plate.mesh, None if ring is None else ring.surface.mesh) for side, (plate, ring, _) in plates.items()}
    patella = np.where(anatomy.patella.region < 0, -1, anatomy.patella.region).astype(np.int8)  # the first two names are the same
    return ScoreLabels(names=WORMS_REGIONS, femur=_worms_femur(anatomy.femur, planes), patella=_read_only(patella), **tibia)


def horn_planes(plateau: TriangleMesh, covered: NDArray[np.bool_]) -> tuple[float, float]:
    """Return x of the planes behind the anterior and in front of the posterior horn, mm: the inner edges of the horns.

    The plateau is cut into strips from front to back; in those where cartilage lies bare between two covered parts, the edges of these are
    taken, and the median over the strips.

    Args:
        plateau: cartilage of one side, tibia frame.
        covered: (m,) bool; triangles under the meniscus. With none the planes are the thirds of the plateau.
    """
    x, z = plateau.centroids[:, 0], plateau.centroids[:, 2]
    low, high = float(x.min()), float(x.max())
    third = low + 2.0 * (high - low) / 3.0, low + (high - low) / 3.0
    borders = np.linspace(z.min(), z.max(), HORN_STRIPS + 1)
    found = []
    for inner, outer in zip(borders[:-1], borders[1:]):
        strip = (z >= inner) & (z < outer)
        bare, under = x[strip & ~covered], x[strip & covered]
        if bare.size and under.size:
            front, back = under[under > np.median(bare)], under[under < np.median(bare)]
            if front.size and back.size:
                found.append((np.quantile(front, 0.02), np.quantile(back, 0.98)))
    if not found:
        return third
    front, back = np.median(found, axis=0)
    return float(front), float(back)


def meniscal_margins(plateau: TriangleMesh, meniscus: TriangleMesh | None) -> tuple[float, float]:
    """Return x of the anterior margin of the anterior horn and of the posterior margin of the posterior horn, mm; of the plateau without a meniscus."""
    x = (plateau if meniscus is None else meniscus).points[:, 0]
    return float(x.max()), float(x.min())


def _worms_plateau(mesh: TriangleMesh, side: str, planes: tuple[float, float]) -> NDArray[np.int8]:
    x = mesh.centroids[:, 0]
    part = np.where(x > planes[0], 0, np.where(x < planes[1], 2, 1))
    return _read_only(np.array([_WORMS[f"tibia_{name}_{side}"] for name in ("anterior", "central", "posterior")], dtype=np.int8)[part])


def _worms_femur(surface: ArticularSurface, planes: Mapping[str, tuple[float, float]]) -> NDArray[np.int8]:
    covered = surface.region >= 0
    centre = surface.centroids[covered]
    lateral = _beyond_groove(centre)
    front, back = (np.where(lateral, planes["lateral"][k], planes["medial"][k]) for k in range(2))
    part = np.where(centre[:, 0] > front, 0, np.where(centre[:, 0] < back, 2, 1))
    table = np.array([[_WORMS[f"femur_{name}_{side}"] for side in _SIDES] for name in ("anterior", "central", "posterior")], dtype=np.int8)
    labels = np.full(len(covered), -1, dtype=np.int8)
    labels[covered] = table[part, lateral.astype(np.int64)]
    return _read_only(labels)


def _beyond_groove(centre: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (m,) bool: cartilage (centres (m, 3) mm, femur frame) on the lateral side, the groove itself being medial."""
    medial_edge, lateral_edge = notch_edges(centre[:, 0], centre[:, 2])
    in_front = centre[:, 0] >= notch_front(centre[:, 0], centre[:, 2], 0.5 * (medial_edge + lateral_edge))
    slope, offset = groove_line(centre[in_front])
    border = slope * _turn(centre) + offset + RIDGE_MARGIN_MM
    return np.where(in_front, centre[:, 2] > border, centre[:, 2] > lateral_edge)


def _turn(centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the angle (m,) rad of points about the mediolateral axis of the femur frame, 0 in front and pi/2 above."""
    return np.arctan2(centre[:, 1], centre[:, 0])


def groove_line(trochlea: NDArray[np.float64]) -> tuple[float, float]:
    """Return (slope mm/rad, offset mm) of the groove z = slope angle + offset: the points nearest to the mediolateral axis of each level."""
    turn, radius = _turn(trochlea), np.hypot(trochlea[:, 0], trochlea[:, 1])
    first, last = np.quantile(turn, [0.1, 0.9])
    borders = np.linspace(first, last, 13)
    at, z = [], []
    for low, high in zip(borders[:-1], borders[1:]):
        row = (turn >= low) & (turn < high)
        inner = row & (np.abs(trochlea[:, 2] - np.median(trochlea[row, 2])) < 0.3 * np.ptp(trochlea[row, 2])) if row.any() else row
        if not inner.any():
            continue
        weight = np.exp(-(radius[inner] - radius[inner].min()) / 0.1)  # narrow, since the medial slope is flat
        at.append(0.5 * (low + high))
        z.append(float(np.average(trochlea[inner, 2], weights=weight)))
    if len(at) < 2:
        return 0.0, float(np.median(trochlea[:, 2]))
    one, other = np.triu_indices(len(at), 1)
    slope = float(np.median((np.array(z)[other] - np.array(z)[one]) / (np.array(at)[other] - np.array(at)[one])))  # Theil and Sen: single levels do not turn it
    return slope, float(np.median(np.array(z) - slope * np.array(at)))


def _read_only(labels: NDArray[np.int8]) -> NDArray[np.int8]:
    labels.setflags(write=False)
    return labels
