"""What the forces room hands on: muscle, tendon and compartment forces, and the wrench that contact must carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointLoads:
    """Forces over one cycle (T = 101 frames), right knee.

    Attributes:
        muscle_names: names of the columns of `muscle_force`.
        muscle_force: (T, n) N, tension along each muscle that crosses the knee.
        activation: (T, n) no unit, 0 to 1.
        quadriceps_force, patellar_tendon_force: (T,) N.
        quadriceps_pull: (T, 3) N, on the patella, femur frame.
        tibiofemoral_force: (T,) N, compression along the tibia (frontal-plane equilibrium, no contact geometry).
        medial_force, lateral_force: (T,) N; they add up to tibiofemoral_force.
        patellofemoral_force: (T,) N, size of the reaction between patella and femur, a patellar brace's push included.
        knee_adduction_moment: (T,) N mm, external, after a brace.
        wrench_force: (T, 3) N, on tibia, in tibia frame: muscles, patellar tendon, net load and brace; without contact and without
            the ligaments of `Ligaments` (contact adds those itself).
        wrench_moment: (T, 3) N mm, same, about the tibia origin.
        ligament_names: names of the columns of `ligament_force`.
        ligament_force: (T, k) N, tension of the bands of this room's frontal plane, summed over each group (0 where they are slack).
        status: (T,) no unit; 0 = balanced, otherwise see `STATUS`.
        reserve: (T, 4) N mm; part of the moments of knee extension, hip extension, ankle plantarflexion and hip abduction that no muscle could
            balance (0 when status is 0).
    """

    muscle_names: tuple[str, ...]
    muscle_force: NDArray[np.float64]
    activation: NDArray[np.float64]
    quadriceps_force: NDArray[np.float64]
    patellar_tendon_force: NDArray[np.float64]
    quadriceps_pull: NDArray[np.float64]
    tibiofemoral_force: NDArray[np.float64]
    medial_force: NDArray[np.float64]
    lateral_force: NDArray[np.float64]
    patellofemoral_force: NDArray[np.float64]
    knee_adduction_moment: NDArray[np.float64]
    wrench_force: NDArray[np.float64]
    wrench_moment: NDArray[np.float64]
    ligament_names: tuple[str, ...]
    ligament_force: NDArray[np.float64]
    status: NDArray[np.int8]
    reserve: NDArray[np.float64]


STATUS = {0: "balanced", 1: "a reserve moment was needed", 2: "no solution"}
