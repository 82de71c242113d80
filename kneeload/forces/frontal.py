"""Frontal plane of the knee: two compartments and the bands around them share the axial force and the adduction moment."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.errors import InputError
from kneeload.forces.ligaments import stretched_slack, tibiofemoral_ligaments
from kneeload.forces.personal import PersonalGeometry
from kneeload.kernels.frontal import MAX_STEPS, FrontalJoint, frontal_equilibrium
from kneeload.units import DEG

Array = NDArray[np.float64]

CONTACT_N_PER_MM2 = 560.0
"""Force of one compartment over its squared approach, N/mm^2: what the contact level gives for the reference knee with intact menisci
between 500 and 2000 N at 15 degrees (the root of the force of both grows by 30 to 37 per mm of approach). Range 450 to 900."""

# Passive path of the source knee (fit to the poses of its swing phase): the tibia turns about this point, mm, and stands this far forward.
_AXIS_MM, _FORWARD_MM, _RANGE_DEG = (-3.4, -2.0, 0.0), (3.0, 0.0, 0.0), 60.0
BAND_GROUPS = ("mcl", "lcl", "capsule")
# by the first part of a band's name
_GROUP_OF = {"mcl": "mcl", "lcl": "lcl", "popliteofibular": "lcl", "anterolateral": "lcl", "iliotibial": "lcl", "capsule": "capsule"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrontalBalance:
    """Equilibrium of the frontal plane over T frames.

    Attributes:
        medial, lateral: (T,) N, compression.
        approach: (T, 2) mm, medial and lateral compartment; negative = open.
        pull: (T, 2) N and N mm; upward pull and moment about x that the bands exert on the tibia.
        band_tension: (T, 3) N, summed over the bands of `BAND_GROUPS`.
        found: (T,) bool; False where no equilibrium was found.
    """

    medial: Array
    lateral: Array
    approach: Array
    pull: Array
    band_tension: Array
    found: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrontalKnee:
    """Contact centres and bands of a person's knee over the T frames of a motion.

    Attributes:
        joint: geometry for the kernel.
        membership: (k, 3) no unit; 1 where a band belongs to a group of `BAND_GROUPS`.
    """

    joint: FrontalJoint
    membership: Array

    @property
    def width(self) -> Array:
        """(T,) mm; distance between the contact centres."""
        return self.joint.lateral - self.joint.medial

    def split(self, axial: Array, moment: Array) -> tuple[Array, Array]:
        """Return medial and lateral compression, each (T, ...) N, of an upward force (N) and a moment +x (N mm) on the tibia.

        Contact pushes the tibia down at z, which is a moment z F about +x: medial + lateral = axial, and
        moment + z_m medial + z_l lateral = 0.
        """
        shape = (len(self.joint.medial),) + (1,) * (axial.ndim - 1)
        medial, lateral = self.joint.medial.reshape(shape), self.joint.lateral.reshape(shape)
        width = lateral - medial
        return (lateral * axial + moment) / width, (-medial * axial - moment) / width

    def balance(self, axial: Array, moment: Array) -> FrontalBalance:
        """Return the equilibrium under an upward force (T,) N and a moment about x (T,) N mm on the tibia (muscles and net load).

        Ligaments and capsule are bands with the reference strains of their source; a compartment presses with
        `CONTACT_N_PER_MM2` x approach^2. Loading the knee brings the bones together and so relieves the bands, as in a preloaded bolt; a
        compartment that would be pulled open tightens the bands of its side. The cruciate ligaments, which carry shear, are left out.
        """
        force, approach, pull, tension, steps = frontal_equilibrium(self.joint, np.stack([axial, moment], axis=1))
        return FrontalBalance(medial=force[:, 0], lateral=force[:, 1], approach=approach, pull=pull, band_tension=tension @ self.membership,
                              found=steps <= MAX_STEPS)


def frontal_knee(knee_flexion: Array, centres_flexion: ArrayLike, centres_mm: ArrayLike, spacing_mm: float | None, source_scale: Array,
                 personal: PersonalGeometry, mcl_stretch_mm: float = 0.0) -> FrontalKnee:
    """Return the frontal plane of a knee in each frame.

    The tibia turns by flexion about an axis through the condyles, placed so that it follows the poses of a swing phase of the source
    knee (flexion to 61 degrees; beyond it the bands are those of 60 degrees: assumption).

    Args:
        knee_flexion: (T,) rad.
        centres_flexion: (k,) rad.
        centres_mm: (k, 2, 2) mm, tibia frame; (x, z) of the medial and lateral contact centre at each flexion.
        spacing_mm: distance between the contact centres, mm, about their mid-point; None = as in `centres_mm`.
        source_scale: (3,) no unit; size of the knee over that of the source knee.
        personal: what differs from the generic knee.
        mcl_stretch_mm: see `stretched_slack`.

    Raises:
        InputError: the contact centres do not describe a knee.
    """
    knots, values = np.asarray(centres_flexion, dtype=float), np.asarray(centres_mm, dtype=float)
    if values.ndim != 3 or values.shape != (len(knots), 2, 2) or not np.all(np.isfinite(values)) or np.any(np.diff(knots) <= 0.0):
        raise InputError("contact centres", where="centres_mm", got=values.shape, allowed="finite (k, 2, 2) mm at k growing flexion angles",
                         why="one (x, z) is needed for each compartment at each angle")
    medial, lateral = (np.interp(knee_flexion, knots, values[:, side, 1]) for side in (0, 1))
    if np.any(lateral - medial <= 1.0):
        raise InputError("contact centres", where="centres_mm", got=float((lateral - medial).min()), allowed="medial z < lateral z (mm)",
                         why="the frontal-plane moment is carried by their distance")
    if spacing_mm is not None:
        middle = 0.5 * (medial + lateral)
        medial, lateral = middle - 0.5 * spacing_mm, middle + 0.5 * spacing_mm
    medial, lateral = personal.contact_centres(medial, lateral)
    axis, forward, origin, insertion, law, membership = _bands(tuple(source_scale.tolist()), mcl_stretch_mm)
    law = law * np.array([1.0, personal.tissue_scale, 1.0])
    flexion = np.clip(knee_flexion, 0.0, _RANGE_DEG * DEG)
    return FrontalKnee(joint=FrontalJoint(flexion, medial, lateral, axis, forward, origin, insertion, law, CONTACT_N_PER_MM2),
                       membership=membership)


@lru_cache(maxsize=64)
def _bands(source_scale: tuple[float, ...], mcl_stretch_mm: float) -> tuple[Array, ...]:
    """Axis, shift, origins, insertions, law and groups of the bands that act in the frontal plane, for a knee of this size."""
    bands = tibiofemoral_ligaments(source_scale)
    kept = [i for i, name in enumerate(bands.names) if name.split("_")[0] in _GROUP_OF]
    law = np.stack([stretched_slack(bands, mcl_stretch_mm), bands.stiffness_n, bands.toe_strain], axis=1)[kept]
    membership = np.array([[_GROUP_OF[bands.names[i].split("_")[0]] == group for group in BAND_GROUPS] for i in kept], dtype=float)
    return (np.array(_AXIS_MM) * source_scale, np.array(_FORWARD_MM) * source_scale, np.ascontiguousarray(bands.origin[kept]),
            np.ascontiguousarray(bands.insertion[kept]), law, membership)
