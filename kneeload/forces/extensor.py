"""The extensor mechanism: quadriceps, patella and patellar tendon in the sagittal plane (with a small lateral pull).

Flexion sets the path of the patella. The lever arm of the patellar tendon and the ratio of tendon to quadriceps force are measured; the
effective lever arm of the quadriceps follows from them, directions from attachments:

    quadriceps arm = ratio x tendon arm          (both forces balance one knee moment)
    patella on femur = sum of the heads' pulls on the patella + pull of the tendon on the patella
    wrapped tendon on femur = sum of force x (direction above the trochlea - direction at the patella)

Range: -10 to 120 degrees. The quadriceps tendon reaches the trochlea at 58 to 60 degrees here (contact is usually said to begin between 70
and 90 degrees). Friction, the patella's own tilt and spin, and its retinacula
are left out; beyond 61 degrees the path of the patella, beyond 60 the tendon arm and beyond 90 the ratio are continued, not measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.forces.ligaments import TROCHLEA_AXIS_MM, TROCHLEA_RADIUS_MM, patellofemoral_ligaments, quadriceps_attachments
from kneeload.kernels.wrapping import wrapped_directions
from kneeload.units import DEG

# Lever arm of the patellar tendon, mm, at flexion in degrees. 0-60: MRI in vivo, 42.55 (SD 4.20), 39.91 (2.98), 37.73 (2.87),
# 36.18 (2.90), doi 10.22038/abjs.2020.42551.2158. Beyond 60: assumption, the second differences of those figures
# continued (the slope dies out), range +-4 mm.
_TENDON_ARM = (np.array([0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0]), np.array([42.55, 39.91, 37.73, 36.18, 35.2, 34.8, 34.8]))
ARM_HEIGHT_M = 1.70  # height at which the arms hold; they scale with height (assumption: the sample's heights are not in the abstract)

# Force of the patellar tendon over that of the quadriceps at flexion in degrees, straight between; five figures from four sources:
#   10  1.143  mean of 1 / 0.86 (eight cadaver knees, Buff 1988, doi 10.1016/0021-9290(88)90187-x) and 46.3 / 41.23 (effective arm in vivo,
#              mean of men and women, Im and Sheehan 2015, PMC4662057, over the tendon arm above)
#   25  1.000  in vivo above 1 up to 20 degrees and not beyond (Im and Sheehan 2015): between 20 and 30
#   50  0.871  32.2 / 36.96 (effective arm in vivo, same study, over the tendon arm above)
#   70  0.743  mean of 1 / 1.55 = 0.645 (Buff 1988) and 0.841, the models' mean: 30.6 mm (Rajagopal 2016, strength-weighted) and 29.3 mm
#              (cubic fit of van Eijden 1986 used by Nunes 2018; coefficients second hand) over the tendon arm above; range +-0.1
#   90  0.641  the models' mean: 20.7 and 24.2 mm over the tendon arm above; range +-0.1
# Below 10 and beyond 90 degrees the ratio is held (assumption).
_FORCE_RATIO = (np.array([10.0, 25.0, 50.0, 70.0, 90.0]), np.array([1.143, 1.0, 0.871, 0.743, 0.641]))

# Patella path and tendon direction against flexion (degrees), fitted to the 112 poses of OpenSim-JAM's stride on this knee
# (flexion -6 to 61 degrees, straight lines); the path is then turned back by PATELLA_RAISE_DEG, for that knee's patella sits too low
# (`ligaments.PATELLA_REFERENCE_MM`). The path beyond 61 degrees follows from a tendon of constant length (48.5 mm) whose direction
# and patellar flexion continue their lines (assumption).
PATELLA_RAISE_DEG = 6.5  # about the trochlear axis: 4.4 mm at 38.5 mm from it
_PATELLA_PATH = (np.array([-10.0, 60.0, 90.0, 120.0]),  # flexion, degrees
                 np.array([12.8, -66.3, -92.4, -110.0]) + PATELLA_RAISE_DEG,  # polar angle of the patella origin about the trochlear axis, degrees
                 np.array([39.0, 36.7, 34.1, 30.7]))  # its distance from that axis, mm
_PATELLA_FLEXION = (10.0, 0.62)  # flexion of the patella, degrees
_TENDON_FORWARD = (21.4, -0.28)  # angle of the tendon in front of the tibia's long axis, degrees (crosses it at 76 degrees)
_TENDON_MEDIAL_SLOPE = (-0.11, 60.0)  # z component of the tendon direction in extension (towards medial); gone at 60 degrees


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExtensorMechanism:
    """The extensor mechanism over T frames, for a person's size.

    Attributes:
        tendon_arm: (T,) mm, lever arm of the patellar tendon.
        force_ratio: (T,) no unit; patellar tendon force over quadriceps force.
        tendon_direction: (T, 3) no unit, tibia frame; unit vector of the pull on the tibia (towards the patella).
        tendon_attachment: (3,) mm, tibia frame; where the tendon pulls.
        tendon_moment: (T, 3) mm, tibia frame; moment of the tendon about the tibia origin per newton.
        femur_from_tibia: (T, 3, 3) no unit; rotation by flexion.
        head_direction: (T, 4, 3) no unit, femur frame; unit vector of the pull of recfem, vasint, vaslat and vasmed on the patella.
        upper_direction: (T, 4, 3) no unit, femur frame; unit vector of the pull of the same heads above the trochlea; differs from
            `head_direction` where the quadriceps tendon wraps around the trochlea.
    """

    tendon_arm: NDArray[np.float64]
    force_ratio: NDArray[np.float64]
    tendon_direction: NDArray[np.float64]
    tendon_attachment: NDArray[np.float64]
    tendon_moment: NDArray[np.float64]
    femur_from_tibia: NDArray[np.float64]
    head_direction: NDArray[np.float64]
    upper_direction: NDArray[np.float64]

    @property
    def quadriceps_arm(self) -> NDArray[np.float64]:
        """Effective lever arm of the quadriceps as a whole, (T,) mm: quadriceps and tendon balance the same moment."""
        return self.force_ratio * self.tendon_arm

    def patella_on_femur(self, head_force: ArrayLike) -> NDArray[np.float64]:
        """Patellofemoral reaction, (T, 3) N, femur frame: force of the patella on the femur for head forces (T, 4) N."""
        force = np.asarray(head_force, dtype=float)
        tendon = np.einsum("tij,tj->ti", self.femur_from_tibia, self.tendon_direction)
        return np.einsum("tk,tki->ti", force, self.head_direction) - (force.sum(axis=1) * self.force_ratio)[:, None] * tendon

    def tendon_on_femur(self, head_force: ArrayLike) -> NDArray[np.float64]:
        """Tendofemoral reaction, (T, 3) N, femur frame: force of the wrapped quadriceps tendon on the femur for head forces (T, 4) N."""
        return np.einsum("tk,tki->ti", np.asarray(head_force, dtype=float), self.upper_direction - self.head_direction)


def rotation_of_flexion(knee_flexion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation from the tibia to the femur frame, (T, 3, 3) no unit, for flexion alone ((T,) rad)."""
    rotation = np.zeros((*np.shape(knee_flexion), 3, 3))
    rotation[..., 0, 0] = rotation[..., 1, 1] = np.cos(knee_flexion)
    rotation[..., 0, 1] = np.sin(knee_flexion)
    rotation[..., 1, 0] = -rotation[..., 0, 1]
    rotation[..., 2, 2] = 1.0
    return rotation


def _linear(pair: tuple[float, float], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    return pair[0] + pair[1] * degrees


def patella_pose(knee_flexion: NDArray[np.float64], source_scale: ArrayLike = 1.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the usual pose of the patella at a flexion (it ignores load; contact finds the real one).

    Args:
        knee_flexion: (T,) rad.
        source_scale: (3,) no unit; see `kneeload.forces.ligaments`.

    Returns:
        origin: (T, 3) mm, femur frame.
        rotation: (T, 3, 3) no unit, femur from patella.
    """
    origin, flexion = _patella_path(np.asarray(knee_flexion, dtype=float), np.broadcast_to(np.asarray(source_scale, dtype=float), (3,)))
    return origin, rotation_of_flexion(flexion)


def _patella_path(knee_flexion: NDArray[np.float64], scale: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Origin of the patella (T, 3) mm in the femur frame, and its flexion (T,) rad."""
    degrees = np.minimum(np.maximum(knee_flexion / DEG, -10.0), 120.0)
    flexion, angles, distances = _PATELLA_PATH
    angle = np.interp(degrees, flexion, angles) * DEG
    distance = np.interp(degrees, flexion, distances)
    origin = np.empty((len(degrees), 3))
    origin[:, 0] = (TROCHLEA_AXIS_MM[0] + distance * np.cos(angle)) * scale[0]
    origin[:, 1] = (TROCHLEA_AXIS_MM[1] + distance * np.sin(angle)) * scale[1]
    origin[:, 2] = 5.0 * scale[2]
    return origin, _linear(_PATELLA_FLEXION, degrees) * DEG


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Attachments:
    """What flexion does not change, for a knee of one size: mm, each in its own body's frame; cylinder: x, y, radius in the femur frame."""

    near: NDArray[np.float64]
    far: NDArray[np.float64]
    cylinder: NDArray[np.float64]
    tendon: NDArray[np.float64]


@lru_cache(maxsize=64)
def _attachments(source_scale: tuple[float, ...]) -> _Attachments:
    bands, heads = patellofemoral_ligaments(source_scale), quadriceps_attachments(source_scale)
    tendon = [i for i, name in enumerate(bands.names) if name.startswith("patellar_tendon")]
    x, y, _ = source_scale
    attachment = bands.insertion[tendon].mean(axis=0)
    attachment.setflags(write=False)
    return _Attachments(
        near=heads.patella.copy(), far=heads.femur.copy(), tendon=attachment,  # copies: the kernel is compiled for writable arrays
        cylinder=np.array([TROCHLEA_AXIS_MM[0] * x, TROCHLEA_AXIS_MM[1] * y, TROCHLEA_RADIUS_MM * float(np.sqrt(x * y))]),
    )


def _moment(point: NDArray[np.float64], pull: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cross product of one point (3,) and many pulls (T, 3); np.cross takes ten times as long."""
    x, y, z = point
    moment = np.empty_like(pull)
    moment[:, 0] = y * pull[:, 2] - z * pull[:, 1]
    moment[:, 1] = z * pull[:, 0] - x * pull[:, 2]
    moment[:, 2] = x * pull[:, 1] - y * pull[:, 0]
    return moment


def extensor_mechanism(knee_flexion: NDArray[np.float64], height_m: float, source_scale: ArrayLike = 1.0) -> ExtensorMechanism:
    """Return lever arms and directions of the extensor mechanism.

    Args:
        knee_flexion: (T,) rad.
        height_m: m; lever arms scale with it.
        source_scale: (3,) no unit; places attachments, see `kneeload.forces.ligaments`.
    """
    knee_flexion = np.asarray(knee_flexion, dtype=float)
    degrees = knee_flexion / DEG
    scale = np.broadcast_to(np.asarray(source_scale, dtype=float), (3,))
    points = _attachments(tuple(scale.tolist()))
    tendon_arm = (height_m / ARM_HEIGHT_M) * np.interp(degrees, *_TENDON_ARM)
    forward = _linear(_TENDON_FORWARD, degrees) * DEG
    sideways = _TENDON_MEDIAL_SLOPE[0] * np.minimum(np.maximum(1.0 - degrees / _TENDON_MEDIAL_SLOPE[1], 0.0), 1.0)
    flat = np.sqrt(1.0 - sideways**2)
    direction = np.empty((len(degrees), 3))
    direction[:, 0], direction[:, 1], direction[:, 2] = flat * np.sin(forward), flat * np.cos(forward), sideways
    head_direction, upper_direction = wrapped_directions(*_patella_path(knee_flexion, scale), points.near, points.far, points.cylinder)
    return ExtensorMechanism(
        tendon_arm=tendon_arm,
        force_ratio=np.interp(degrees, *_FORCE_RATIO),
        tendon_direction=direction,
        tendon_attachment=points.tendon,
        tendon_moment=_moment(points.tendon, direction),
        femur_from_tibia=rotation_of_flexion(knee_flexion),
        head_direction=head_direction,
        upper_direction=upper_direction,
    )
