"""Contact centres of the tibiofemoral joint, for the reference knee and for MRI meshes alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.anatomy import Meniscus
from kneeload.subject.distance import evaluate
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import ArticularSurface, LayerMaterial, TriangleMesh
from kneeload.units import DEG

FLEXION_DEG: tuple[float, ...] = (0.0, 10.0, 20.0, 30.0, 45.0, 60.0, 75.0, 90.0, 105.0, 120.0)
_GAP_SCALE_MM = 0.5  # weight exp(-gap / this): about the approach of the bones under body weight (assumption, 0.2 to 1 mm)
_MOST_POINTS = 800  # triangles per surface that are enough for a centroid
_STEPS = 12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Springs:
    """Points (n, 3) mm of one surface, tibia frame, their area (n,) mm2 and compliance (n,) mm/MPa."""

    points: NDArray[np.float64]
    area: NDArray[np.float64]
    compliance: NDArray[np.float64]


_NONE = _Springs(points=np.zeros((0, 3)), area=np.zeros(0), compliance=np.zeros(0))


def contact_centres(femur: LevelSet, medial: ArticularSurface, lateral: ArticularSurface, flexion_deg: tuple[float, ...] = FLEXION_DEG, *,
                    menisci: tuple[Meniscus | None, Meniscus | None] = (None, None)) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the femur rests on each side of the tibia over flexion, both plateaus just touching.

    The femur turns about the origin of the frames; at each flexion it is shifted along y and turned about x until the smallest gap to the
    cartilage is zero on both sides. The centre is the mean of (x, z) over cartilage and meniscus, weighted by area, by the stiffness of the
    layers in series (thickness over confined modulus of tibial cartilage, meniscus and femoral cartilage) and by exp(-gap / 0.5 mm).

    Args:
        femur: level set of the outer femur, femur frame.
        medial, lateral: cartilage of the plateaus, tibia frame.
        flexion_deg: flexion angles, degrees.
        menisci: medial and lateral, None where there is none.

    Returns:
        flexion: (k,) rad.
        centres_mm: (k, 2, 2) mm, tibia frame; (x, z) of the medial [., 0, .] and lateral [., 1, .] centre.
    """
    plates = [_plate_springs(surface) for surface in (medial, lateral)]
    wedges = [_NONE if meniscus is None else _meniscus_springs(meniscus, medial.material) for meniscus in menisci]
    whole, first = _joined(plates + wedges), len(plates[0].area)
    bare = whole.points[: first + len(plates[1].area)]
    middle = len(bare) + len(wedges[0].area)
    sides = np.r_[:first, len(bare):middle], np.r_[first:len(bare), middle:len(whole.points)]
    places = [whole.points[side][:, [0, 2]] for side in sides]
    centres = np.empty((len(flexion_deg), 2, 2))
    shift, tilt = 0.0, 0.0
    for k, angle in enumerate(flexion_deg):
        shift, tilt, gap = _balance(femur, bare, first, angle * DEG, shift, tilt)
        weight = _weight(femur, whole, gap, medial.material.confined_modulus_mpa, angle * DEG, shift, tilt)
        for side, place in enumerate(places):
            centres[k, side] = np.average(place, axis=0, weights=weight[sides[side]])
    flexion = np.array(flexion_deg) * DEG
    for array in (flexion, centres):
        array.setflags(write=False)
    return flexion, centres


def contact_spacing_mm(flexion: NDArray[np.float64], centres_mm: NDArray[np.float64]) -> float:
    """Mediolateral distance of the contact centres, mean over 0 to 30 degrees, mm."""
    early = flexion <= 30.0 * DEG + 1e-9
    return float(np.mean(centres_mm[early, 1, 1] - centres_mm[early, 0, 1]))


def to_femur(points_mm: NDArray[np.float64], flexion: float, shift_mm: float = 0.0, tilt: float = 0.0) -> NDArray[np.float64]:
    """Tibial points (n, 3) mm in the femur frame at a flexion (rad), after tilting the tibia about x (rad) and moving it down (mm)."""
    ct, st, c, s = np.cos(tilt), np.sin(tilt), np.cos(flexion), np.sin(flexion)
    x, py, pz = points_mm.T
    y = ct * py - st * pz - shift_mm
    placed = np.empty((len(points_mm), 3))
    placed[:, 0], placed[:, 1], placed[:, 2] = c * x + s * y, -s * x + c * y, st * py + ct * pz
    return placed


def _weight(femur: LevelSet, springs: _Springs, gap: NDArray[np.float64], cartilage_mpa: float, flexion: float, shift: float, tilt: float) -> NDArray[np.float64]:
    """Weights (n,) of springs; `gap` (b,) mm is that of the first b of them, which is known."""
    at = to_femur(springs.points, flexion, shift, tilt)
    gap = np.maximum(np.concatenate([gap, evaluate(femur, at[len(gap):])[0]]), 0.0)
    node = np.floor((at - femur.origin_mm) / femur.spacing_mm + 0.5).astype(np.int64)
    i, j, k = np.clip(node, 0, np.array(femur.thickness_mm.shape) - 1).T
    layer = femur.thickness_mm[i, j, k]
    return springs.area * np.exp(-gap / _GAP_SCALE_MM) / (springs.compliance + layer / cartilage_mpa)


def _balance(femur: LevelSet, points: NDArray[np.float64], first: int, flexion: float, shift: float, tilt: float) -> tuple[float, float, NDArray[np.float64]]:
    """Shift (mm) and tilt (rad) that bring both plateaus to touch, and the gaps (n,) mm then; points (n, 3) mm, the first ones medial."""
    for step in range(_STEPS + 1):
        gap = evaluate(femur, to_femur(points, flexion, shift, tilt))[0]
        nearest = int(np.argmin(gap[:first])), first + int(np.argmin(gap[first:]))
        medial, lateral = gap[nearest[0]], gap[nearest[1]]
        if max(abs(medial), abs(lateral)) < 0.01 or step == _STEPS:
            break
        at = points[list(nearest), 2]
        rise = (lateral - medial) / (at[1] - at[0])  # tilt about x by this closes the difference
        shift -= medial - rise * at[0]
        tilt -= rise
    return shift, tilt, gap


def _plate_springs(surface: ArticularSurface) -> _Springs:
    step = max(1, len(surface.mesh.triangles) // _MOST_POINTS)
    few = TriangleMesh(points=surface.mesh.points, triangles=surface.mesh.triangles[::step])
    return _Springs(points=few.centroids, area=few.areas * step, compliance=surface.thickness_mm[::step] / surface.material.confined_modulus_mpa)


def _joined(parts: list[_Springs]) -> _Springs:
    points, area, compliance = (np.concatenate([getattr(part, name) for part in parts]) for name in ("points", "area", "compliance"))
    return _Springs(points=points, area=area, compliance=compliance)


def _meniscus_springs(meniscus: Meniscus, cartilage: LayerMaterial) -> _Springs:
    wedge = _plate_springs(meniscus.surface)
    step = max(1, len(meniscus.tibial_thickness_mm) // _MOST_POINTS)
    beneath = meniscus.tibial_thickness_mm[::step] / cartilage.confined_modulus_mpa
    return _Springs(points=wedge.points, area=wedge.area, compliance=wedge.compliance + beneath)
