"""Contact centres of the tibiofemoral joint, for the reference knee and for MRI meshes alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.kernels.touching import touching_centres
from kneeload.subject.anatomy import Meniscus
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import ArticularSurface, LayerMaterial
from kneeload.units import DEG

FLEXION_DEG: tuple[float, ...] = (0.0, 10.0, 20.0, 30.0, 45.0, 60.0, 75.0, 90.0, 105.0, 120.0)
_GAP_SCALE_MM = 0.5  # weight exp(-gap / this): about the approach of the bones under body weight (assumption, 0.2 to 1 mm)
_MOST_POINTS = 800  # triangles per surface that are enough for a centroid


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Springs:
    """Points (n, 3) mm of one surface, tibia frame, their area (n,) mm2 and compliance (n,) mm/MPa."""

    points: NDArray[np.float64]
    area: NDArray[np.float64]
    compliance: NDArray[np.float64]


_NONE = _Springs(points=np.zeros((0, 3)), area=np.zeros(0), compliance=np.zeros(0))


def contact_centres(femur: LevelSet, medial: ArticularSurface, lateral: ArticularSurface, flexion_deg: tuple[float, ...] = FLEXION_DEG, *,
                    menisci: tuple[Meniscus | None, Meniscus | None] = (None, None), tilt_shift_mm: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the femur rests on each side of the tibia over flexion, both plateaus just touching.

    The femur turns about the origin of the frames; at each flexion it is shifted along y and turned about x until the smallest gap to the
    cartilage is zero on both sides. The centre is the mean of (x, z) over cartilage and meniscus, weighted by area, by the stiffness of the
    layers in series (thickness over confined modulus of tibial cartilage, meniscus and femoral cartilage) and by exp(-gap / 0.5 mm).

    Args:
        femur: level set of the outer femur, femur frame.
        medial, lateral: cartilage of the plateaus, tibia frame.
        flexion_deg: flexion angles, degrees.
        menisci: medial and lateral, None where there is none.
        tilt_shift_mm: how far the tibia stands laterally below the femur (`kneeload.subject.anatomy.tilt_shift_mm`), mm.

    Returns:
        flexion: (k,) rad.
        centres_mm: (k, 2, 2) mm, tibia frame; (x, z) of the medial [., 0, .] and lateral [., 1, .] centre.
    """
    plates = [_plate_springs(surface) for surface in (medial, lateral)]
    parts = plates + [_NONE if meniscus is None else _meniscus_springs(meniscus, medial.material) for meniscus in menisci]
    points, area, compliance = (_fixed(np.concatenate([getattr(part, name) for part in parts]), np.float64) for name in ("points", "area", "compliance"))
    points = points + np.array([0.0, 0.0, tilt_shift_mm]) if tilt_shift_mm else points
    border = np.cumsum([0, *(len(part.area) for part in parts)])
    flexion, centres = np.array(flexion_deg) * DEG, np.empty((len(flexion_deg), 2, 2))
    touching_centres(_fixed(femur.coefficients.reshape(-1), np.float64), _fixed(femur.thickness_mm, np.float32), _fixed(femur.origin_mm, np.float64), femur.spacing_mm,
                     femur.band_mm, points, area, compliance, border, np.float32(medial.material.confined_modulus_mpa), _GAP_SCALE_MM, flexion, centres)
    centres[:, :, 1] -= tilt_shift_mm
    for array in (flexion, centres):
        array.setflags(write=False)
    return flexion, centres


def contact_spacing_mm(flexion: NDArray[np.float64], centres_mm: NDArray[np.float64]) -> float:
    """Mediolateral distance of the contact centres, mean over 0 to 30 degrees, mm."""
    early = flexion <= 30.0 * DEG + 1e-9
    return float(np.mean(centres_mm[early, 1, 1] - centres_mm[early, 0, 1]))


def _plate_springs(surface: ArticularSurface) -> _Springs:
    """Every so many triangles of a surface, so that about _MOST_POINTS are left."""
    step = max(1, len(surface.mesh.triangles) // _MOST_POINTS)
    return _Springs(points=surface.centroids[::step], area=surface.areas[::step] * step,
                    compliance=surface.thickness_mm[::step] / surface.material.confined_modulus_mpa)


def _fixed(values: NDArray, kind: type) -> NDArray:
    """Read-only view, whether the numbers can be written to or not: the kernel is compiled once."""
    array: NDArray = np.ascontiguousarray(values, dtype=kind).view()
    array.setflags(write=False)
    return array


def _meniscus_springs(meniscus: Meniscus, cartilage: LayerMaterial) -> _Springs:
    wedge = _plate_springs(meniscus.surface)
    step = max(1, len(meniscus.tibial_thickness_mm) // _MOST_POINTS)
    beneath = meniscus.tibial_thickness_mm[::step] / cartilage.confined_modulus_mpa
    return _Springs(points=wedge.points, area=wedge.area, compliance=wedge.compliance + beneath)
