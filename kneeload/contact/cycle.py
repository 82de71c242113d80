"""What the contact room hands on: poses, pressures and forces of every frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COMPARTMENTS = ("medial", "lateral", "patellofemoral")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SurfaceField:
    """Pressure on one casting surface over a cycle.

    Attributes:
        name: surface name ("tibia_medial", "medial_meniscus", "patella", ...).
        pressure: (T, m) MPa per triangle and frame, compression positive.
        femur_triangle: (T, m) no unit; triangle of the femoral surface each casting triangle touches, -1 when it touches none.
    """

    name: str
    pressure: NDArray[np.float32]
    femur_triangle: NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompartmentContact:
    """Scalars of one compartment over a cycle (T frames).

    Attributes:
        force: (T,) N; for medial and lateral the component along the tibia, for patellofemoral the size of the resultant.
        peak_pressure: (T,) MPa; 99th area percentile of the pressure in contact (single triangles are noise).
        mean_pressure: (T,) MPa; normal force over contact area.
        contact_area: (T,) mm2.
        centre_of_pressure: (T, 3) mm, frame of the casting body (nan when nothing touches).
        meniscus_share: (T,) no unit; share of the normal force that passes through the meniscus (0 for patellofemoral).
    """

    force: NDArray[np.float64]
    peak_pressure: NDArray[np.float64]
    mean_pressure: NDArray[np.float64]
    contact_area: NDArray[np.float64]
    centre_of_pressure: NDArray[np.float64]
    meniscus_share: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContactCycle:
    """Equilibrium of the tibiofemoral and the patellofemoral joint in every frame.

    Attributes:
        femur_from_tibia: (T, 4, 4) no unit / mm; pose of the tibia in the femur frame.
        femur_from_patella: (T, 4, 4) no unit / mm; pose of the patella in the femur frame.
        medial, lateral, patellofemoral: scalars per compartment.
        fields: pressure per casting surface.
        ligament_names: names of the columns of `ligament_force` (tibiofemoral, then patellofemoral).
        ligament_force: (T, k) N.
        patellar_tendon_force: (T,) N, from the equilibrium of the patella.
        meniscus_expansion: (T, 2) mm; outward motion of the medial and lateral meniscus against their hoops.
        axial_load: (T,) N; compression along the tibia that the contact must carry (applied wrench and ligaments).
        residual: (T, 2) no unit; norm of the unbalanced generalised force over the applied load, tibia and patella.
        iterations: (T, 2) no unit; Newton steps.
        status: (T, 2) no unit; 0 = converged, see `STATUS`.
    """

    femur_from_tibia: NDArray[np.float64]
    femur_from_patella: NDArray[np.float64]
    medial: CompartmentContact
    lateral: CompartmentContact
    patellofemoral: CompartmentContact
    fields: tuple[SurfaceField, ...]
    ligament_names: tuple[str, ...]
    ligament_force: NDArray[np.float64]
    patellar_tendon_force: NDArray[np.float64]
    meniscus_expansion: NDArray[np.float64]
    axial_load: NDArray[np.float64]
    residual: NDArray[np.float64]
    iterations: NDArray[np.int32]
    status: NDArray[np.int8]


STATUS = {0: "converged", 1: "step limit reached", 2: "no descent", 3: "no contact found", 4: "converged, but out of joint (dislocated)"}
