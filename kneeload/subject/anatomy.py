"""One knee as the mechanics sees it: articular surfaces, menisci, bones, in the frames of their bones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import ArticularSurface, TriangleMesh

MOAKS_REGIONS: tuple[str, ...] = (
    "patella_medial", "patella_lateral",
    "femur_trochlea_medial", "femur_trochlea_lateral", "femur_central_medial", "femur_central_lateral",
    "femur_posterior_medial", "femur_posterior_lateral",
    "tibia_anterior_medial", "tibia_anterior_lateral", "tibia_central_medial", "tibia_central_lateral",
    "tibia_posterior_medial", "tibia_posterior_lateral", "tibia_subspinous",
)  # the 15 subregions of MOAKS (Hunter 2011, doi 10.1016/j.joca.2011.05.004); index in this tuple = region label


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Meniscus:
    """A meniscus as a wedge layer on the tibial plateau that can move outwards against its hoop stiffness.

    Attributes:
        surface: superior face (towards the femur), tibia frame; `thickness_mm` is the wedge height at each triangle.
        tibial_thickness_mm: (m,) mm; tibial cartilage under each triangle of the superior face.
        outward: (m, 3) no unit, tibia frame; unit vector of radial expansion in the plane of the plateau at each triangle.
        cross_section_mm2: mean area of a radial section, mm2.
        arc_length_mm: length of the circumferential centre line from horn to horn, mm.
        hoop_radius_mm: mean radius of that line, mm.
        extrusion_mm: outward shift of the middle of the meniscus at rest, mm (already applied to `surface`).
        hoop_fraction: 1 for an intact ring, 0 when a root is torn: share of the circumferential stiffness that is left.
    """

    surface: ArticularSurface
    tibial_thickness_mm: NDArray[np.float64]
    outward: NDArray[np.float64]
    cross_section_mm2: float
    arc_length_mm: float
    hoop_radius_mm: float
    extrusion_mm: float
    hoop_fraction: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KneeAnatomy:
    """A right knee (a left knee is stored mirrored), each body in its own frame, mm: x anterior, y proximal, z lateral.

    Femur and tibia frames share their origin between the femoral condyles and their axes at zero flexion.

    Attributes:
        name: "reference" or the name in the manifest of the mesh folder.
        femur: outer femoral surface, bone and cartilage in one closed mesh, femur frame: the target of every contact.
        femur_level_set: the same surface as a smooth implicit function, femur frame.
        tibia_medial, tibia_lateral: cartilage surfaces of the plateaus, tibia frame, tilted to the person's MPTA and slopes.
        patella: cartilage surface of the patella, patella frame.
        medial_meniscus, lateral_meniscus: None when removed.
        covered_medial, covered_lateral: (m,) bool; triangles of the plateau under the meniscus (they carry load through it).
        bones: closed meshes for pictures and depth: "femur", "tibia", "patella", each in its own frame.
        source_scale: (3,) no unit; size of this knee over the source knee (Lenhart 2015 / Smith 2019) along x, y, z:
            places attachments of ligaments and tendons, which are given for the source knee.
        plateau_tilt: (3, 3) no unit, tibia frame; rotation from the source knee's plateau to this person's MPTA and mean slope.
        contact_centres_flexion: (k,) rad; flexion at which the contact centres are given.
        contact_centres_mm: (k, 2, 2) mm, tibia frame; (x, z) of the medial [.,0,.] and lateral [.,1,.] contact centre at those.
    """

    name: str
    femur: ArticularSurface
    femur_level_set: LevelSet
    tibia_medial: ArticularSurface
    tibia_lateral: ArticularSurface
    patella: ArticularSurface
    medial_meniscus: Meniscus | None
    lateral_meniscus: Meniscus | None
    covered_medial: NDArray[np.bool_]
    covered_lateral: NDArray[np.bool_]
    bones: Mapping[str, TriangleMesh]
    source_scale: NDArray[np.float64]
    plateau_tilt: NDArray[np.float64]
    contact_centres_flexion: NDArray[np.float64]
    contact_centres_mm: NDArray[np.float64]

    @property
    def plateau_middle_mm(self) -> float:
        """z of the middle between the medial and the lateral edge of the plateaus, mm, tibia frame."""
        return 0.5 * float(self.tibia_medial.mesh.points[:, 2].min() + self.tibia_lateral.mesh.points[:, 2].max())

    @property
    def tilt_shift_mm(self) -> float:
        """How far the tibia's origin stands lateral of the femur's while tilted plateaus lie below the condyles, mm (`tilt_shift_mm`)."""
        return tilt_shift_mm(self.tibia_medial, self.tibia_lateral, self.plateau_tilt)


def tilt_shift_mm(medial: ArticularSurface, lateral: ArticularSurface, turn: NDArray[np.float64]) -> float:
    """How far the origin of a tibia stands lateral of the femur's while its tilted plateaus lie below the condyles, mm; 0 without tilt.

    A tibia whose plateaus are turned about x by a in its own frame stands in -a of adduction, turned about the plateaus and not about the
    origin of its frame at the height h above them: the origin goes sideways by h sin(-a).

    Args:
        medial, lateral: plateaus, tibia frame.
        turn: (3, 3) no unit; rotation of the plateaus.
    """
    level = np.mean([np.average(side.centroids[:, 1], weights=side.areas) for side in (medial, lateral)])
    return float(-level * turn[1, 2] / np.hypot(turn[1, 2], turn[2, 2]))
