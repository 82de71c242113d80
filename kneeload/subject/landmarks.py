"""Contact centres of the tibiofemoral joint, for the reference knee and for MRI meshes alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from kneeload.subject.anatomy import Meniscus
from kneeload.subject.distance import evaluate
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import ArticularSurface, LayerMaterial
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
    wedges = [None if meniscus is None else _meniscus_springs(meniscus, medial.material) for meniscus in menisci]
    soft = medial.material.confined_modulus_mpa
    centres = np.empty((len(flexion_deg), 2, 2))
    shift, tilt = 0.0, 0.0
    for k, angle in enumerate(flexion_deg):
        shift, tilt = _balance(femur, plates, angle * DEG, shift, tilt)
        for side, (plate, wedge) in enumerate(zip(plates, wedges)):
            parts = [plate] if wedge is None else [plate, wedge]
            weight = np.concatenate([_weight(femur, part, soft, angle * DEG, shift, tilt) for part in parts])
            centres[k, side] = np.average(np.concatenate([part.points for part in parts])[:, [0, 2]], axis=0, weights=weight)
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
    ct, st = np.cos(tilt), np.sin(tilt)
    x, y, z = points_mm[:, 0], ct * points_mm[:, 1] - st * points_mm[:, 2] - shift_mm, st * points_mm[:, 1] + ct * points_mm[:, 2]
    c, s = np.cos(flexion), np.sin(flexion)
    return np.column_stack([c * x + s * y, -s * x + c * y, z])


def _weight(femur: LevelSet, springs: _Springs, cartilage_mpa: float, flexion: float, shift: float, tilt: float) -> NDArray[np.float64]:
    at = to_femur(springs.points, flexion, shift, tilt)
    gap = np.maximum(evaluate(femur, at)[0], 0.0)
    layer = ndimage.map_coordinates(femur.thickness_mm, ((at - femur.origin_mm) / femur.spacing_mm).T, order=0, mode="nearest")
    return springs.area * np.exp(-gap / _GAP_SCALE_MM) / (springs.compliance + layer / cartilage_mpa)


def _balance(femur: LevelSet, plates: list[_Springs], flexion: float, shift: float, tilt: float) -> tuple[float, float]:
    for _ in range(_STEPS):
        gaps = [evaluate(femur, to_femur(plate.points, flexion, shift, tilt))[0] for plate in plates]
        medial, lateral = gaps[0].min(), gaps[1].min()
        if max(abs(medial), abs(lateral)) < 0.01:
            break
        at = [plate.points[np.argmin(gap), 2] for plate, gap in zip(plates, gaps)]
        rise = (lateral - medial) / (at[1] - at[0])  # tilt about x by this closes the difference
        shift -= medial - rise * at[0]
        tilt -= rise
    return shift, tilt


def _plate_springs(surface: ArticularSurface) -> _Springs:
    step = max(1, len(surface.mesh.triangles) // _MOST_POINTS)
    return _Springs(points=np.ascontiguousarray(surface.centroids[::step]), area=surface.areas[::step] * step,
                    compliance=surface.thickness_mm[::step] / surface.material.confined_modulus_mpa)


def _meniscus_springs(meniscus: Meniscus, cartilage: LayerMaterial) -> _Springs:
    wedge = _plate_springs(meniscus.surface)
    step = max(1, len(meniscus.tibial_thickness_mm) // _MOST_POINTS)
    beneath = meniscus.tibial_thickness_mm[::step] / cartilage.confined_modulus_mpa
    return _Springs(points=wedge.points, area=wedge.area, compliance=wedge.compliance + beneath)
