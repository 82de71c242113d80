"""What a motion is: joint angles and net loads over one cycle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Motion:
    """One cycle of an activity, 101 samples of cycle percent 0-100, right knee (a left knee is mirrored on the way in).

    Moments are net joint moments of inverse dynamics (without muscles' own compression), N mm. `None` = not known for this motion.

    Attributes:
        activity: name.
        time: (101,) s from the start of the cycle.
        stance: (101,) bool; the foot is on the ground.
        knee_flexion: (101,) rad, flexion positive.
        hip_flexion: (101,) rad, flexion positive.
        ankle_dorsiflexion: (101,) rad, dorsiflexion positive.
        knee_extension_moment: (101,) N mm, internal, extension positive.
        knee_adduction_moment: (101,) N mm, external, positive loads the medial side. Alignment and gait changes are in it; a brace is not.
        hip_extension_moment: (101,) N mm, internal, extension positive, or None.
        ankle_plantarflexion_moment: (101,) N mm, internal, plantarflexion positive, or None.
        net_axial_force: (101,) N, along the tibia, positive compresses the knee (ground reaction less the weight and inertia below the knee).
        net_anterior_force: (101,) N, across the tibia, positive pulls the tibia forwards (same parts as `net_axial_force`), or None where unknown.
        cycles_per_second: how often the cycle repeats while the activity lasts, 1/s (0 for a static pose).
        source: citation of the curves.
        knee_extension_moment_sd, knee_adduction_moment_sd: (101,) N mm between-person standard deviation (of a recorded mean: between strides), or None.
        measured: columns that came with a recorded file and are not inputs, such as measured_medial_force_n: name -> (101,).
        hip_abduction_moment: (101,) N mm, internal, abduction positive (what the abductors of the loaded hip balance), or None.
        knee_rotation_moment: (101,) N mm, internal, internal rotation of the tibia positive, or None.
        knee_flexion_sd: (101,) rad between-person standard deviation of the knee flexion, or None.
    """

    activity: str
    time: NDArray[np.float64]
    stance: NDArray[np.bool_]
    knee_flexion: NDArray[np.float64]
    hip_flexion: NDArray[np.float64]
    ankle_dorsiflexion: NDArray[np.float64]
    knee_extension_moment: NDArray[np.float64]
    knee_adduction_moment: NDArray[np.float64]
    hip_extension_moment: NDArray[np.float64] | None
    ankle_plantarflexion_moment: NDArray[np.float64] | None
    net_axial_force: NDArray[np.float64]
    cycles_per_second: float
    source: str
    knee_extension_moment_sd: NDArray[np.float64] | None = None
    knee_adduction_moment_sd: NDArray[np.float64] | None = None
    measured: dict[str, NDArray[np.float64]] | None = None
    net_anterior_force: NDArray[np.float64] | None = None
    hip_abduction_moment: NDArray[np.float64] | None = None
    knee_rotation_moment: NDArray[np.float64] | None = None
    knee_flexion_sd: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        arrays = [getattr(self, name) for name in self.__slots__] + list((self.measured or {}).values())
        for array in arrays:
            if isinstance(array, np.ndarray):
                array.setflags(write=False)
