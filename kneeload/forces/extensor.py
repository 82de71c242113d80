"""The extensor mechanism: quadriceps, patella and patellar tendon in the sagittal plane (with a small lateral pull).

Flexion sets the path of the patella; muscle force and lever arms are measured, directions follow from attachments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.forces.ligaments import TROCHLEA_AXIS_MM, TROCHLEA_RADIUS_MM, patellofemoral_ligaments, quadriceps_attachments
from kneeload.units import DEG

# Lever arm of the patellar tendon, mm, at flexion in degrees. 0-60: MRI in vivo, 42.55 (SD 4.20), 39.91 (2.98), 37.73 (2.87),
# 36.18 (2.90), doi 10.22038/abjs.2020.42551.2158. Beyond 60: assumption, the second differences of those figures
# continued (the slope dies out), range +-4 mm.
_TENDON_ARM = (np.array([0.0, 20.0, 40.0, 60.0, 80.0, 100.0, 120.0]), np.array([42.55, 39.91, 37.73, 36.18, 35.2, 34.8, 34.8]))
# Effective lever arm of the quadriceps, mm. 10 and 50 degrees: means of men and women, 46.3 (45.5 and 47.1) and 32.2 (32.9 and 31.5),
# Im and Sheehan 2015, PMC4662057, straight between. From 65 degrees, where both meet: strength-weighted arms of the muscle table
# (Rajagopal 2016); between 50 and 65 degrees level (assumption). 0 degrees: the tendon arm times the ratio at 10 degrees (assumption).
_QUADRICEPS_ARM = (np.array([0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 65.0, 70.0, 80.0, 90.0, 100.0, 110.0, 120.0]),
                   np.array([47.8, 46.3, 42.8, 39.25, 35.7, 32.2, 32.2, 30.1, 25.2, 20.3, 17.9, 19.1, 23.4]))
ARM_HEIGHT_M = 1.70  # height at which both arms hold; they scale with height (assumption: the samples' heights are not in the abstracts)

# Patella path and tendon direction against flexion (degrees), fitted to the 112 poses of OpenSim-JAM's stride on this knee
# (flexion -6 to 61 degrees, straight lines). The path beyond 61 degrees follows from a tendon of constant length (48.5 mm) whose direction
# and patellar flexion continue their lines (assumption).
_PATELLA_PATH = (np.array([-10.0, 60.0, 90.0, 120.0]),  # flexion, degrees
                 np.array([12.8, -66.3, -92.4, -110.0]),  # polar angle of the patella origin about the trochlear axis, degrees
                 np.array([39.0, 36.7, 34.1, 30.7]))  # its distance from that axis, mm
_PATELLA_FLEXION = (10.0, 0.62)  # flexion of the patella, degrees
_TENDON_FORWARD = (21.4, -0.28)  # angle of the tendon in front of the tibia's long axis, degrees (crosses it at 76 degrees)
_TENDON_MEDIAL_SLOPE = (-0.11, 60.0)  # z component of the tendon direction in extension (towards medial); gone at 60 degrees


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExtensorMechanism:
    """The extensor mechanism over T frames, for a person's size.

    Attributes:
        tendon_arm: (T,) mm, lever arm of the patellar tendon.
        quadriceps_arm: (T,) mm, effective lever arm of the quadriceps as a whole.
        tendon_direction: (T, 3) no unit, tibia frame; unit vector of the pull on the tibia (towards the patella).
        tendon_attachment: (3,) mm, tibia frame; where the tendon pulls.
        femur_from_tibia: (T, 3, 3) no unit; rotation by flexion.
        head_direction: (T, 4, 3) no unit, femur frame; unit vector of the pull of recfem, vasint, vaslat and vasmed on the patella.
    """

    tendon_arm: NDArray[np.float64]
    quadriceps_arm: NDArray[np.float64]
    tendon_direction: NDArray[np.float64]
    tendon_attachment: NDArray[np.float64]
    femur_from_tibia: NDArray[np.float64]
    head_direction: NDArray[np.float64]

    @property
    def force_ratio(self) -> NDArray[np.float64]:
        """Patellar tendon force over quadriceps force, (T,) no unit: both balance the same moment."""
        return self.quadriceps_arm / self.tendon_arm

    @property
    def tendon_moment(self) -> NDArray[np.float64]:
        """(T, 3) mm, tibia frame; moment of the tendon about the tibia origin per newton."""
        return np.cross(np.broadcast_to(self.tendon_attachment, self.tendon_direction.shape), self.tendon_direction)


def rotation_of_flexion(knee_flexion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation from the tibia to the femur frame, (T, 3, 3) no unit, for flexion alone ((T,) rad)."""
    c, s, zero, one = np.cos(knee_flexion), np.sin(knee_flexion), np.zeros_like(knee_flexion), np.ones_like(knee_flexion)
    return np.stack([np.stack([c, s, zero], -1), np.stack([-s, c, zero], -1), np.stack([zero, zero, one], -1)], -2)


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
    degrees = np.clip(knee_flexion / DEG, -10.0, 120.0)
    flexion, angles, distances = _PATELLA_PATH
    angle = np.interp(degrees, flexion, angles) * DEG
    distance = np.interp(degrees, flexion, distances)
    x = TROCHLEA_AXIS_MM[0] + distance * np.cos(angle)
    y = TROCHLEA_AXIS_MM[1] + distance * np.sin(angle)
    scale = np.broadcast_to(np.asarray(source_scale, dtype=float), (3,))
    origin = np.stack([x, y, np.full_like(x, 5.0)], axis=1) * scale
    return origin, rotation_of_flexion(_linear(_PATELLA_FLEXION, degrees) * DEG)


def _wrapped_direction(point: NDArray[np.float64], far: NDArray[np.float64], axis: NDArray[np.float64],
                       radius: float) -> NDArray[np.float64]:
    """Unit vectors (T, 3) from `point` (T, 3) to `far` (3,), or along the cylinder's front where the straight line would cut it."""
    straight = far - point
    relative = point[:, :2] - axis
    distance = np.hypot(relative[:, 0], relative[:, 1])
    to_axis = np.arctan2(-relative[:, 1], -relative[:, 0])
    half = np.arcsin(np.minimum(radius / np.maximum(distance, 1e-9), 1.0))
    tangent = to_axis - half  # the tangent that passes in front of the cylinder (anterior) on the way up
    heading = np.arctan2(straight[:, 1], straight[:, 0])
    behind = np.mod(heading - tangent + np.pi, 2.0 * np.pi) - np.pi > 0.0  # straight line points further back than the tangent
    cuts = behind & (np.hypot(straight[:, 0], straight[:, 1]) > np.sqrt(np.maximum(distance**2 - radius**2, 0.0)))
    in_plane = np.where(cuts, tangent, heading)
    run = np.hypot(straight[:, 0], straight[:, 1])
    direction = np.stack([run * np.cos(in_plane), run * np.sin(in_plane), straight[:, 2]], axis=1)
    return direction / np.linalg.norm(direction, axis=1)[:, None]


def extensor_mechanism(knee_flexion: NDArray[np.float64], height_m: float, source_scale: ArrayLike = 1.0) -> ExtensorMechanism:
    """Return lever arms and directions of the extensor mechanism.

    Args:
        knee_flexion: (T,) rad.
        height_m: m; lever arms scale with it.
        source_scale: (3,) no unit; places attachments, see `kneeload.forces.ligaments`.
    """
    degrees = knee_flexion / DEG
    size = height_m / ARM_HEIGHT_M
    scale = np.broadcast_to(np.asarray(source_scale, dtype=float), (3,))
    bands = patellofemoral_ligaments(scale)
    tendon = [i for i, name in enumerate(bands.names) if name.startswith("patellar_tendon")]
    forward = _linear(_TENDON_FORWARD, degrees) * DEG
    sideways = _TENDON_MEDIAL_SLOPE[0] * np.clip(1.0 - degrees / _TENDON_MEDIAL_SLOPE[1], 0.0, 1.0)
    flat = np.sqrt(1.0 - sideways**2)
    origin, rotation = patella_pose(knee_flexion, scale)
    heads = quadriceps_attachments(scale)
    axis, radius = np.array(TROCHLEA_AXIS_MM) * scale[:2], TROCHLEA_RADIUS_MM * float(np.sqrt(scale[0] * scale[1]))
    directions = [_wrapped_direction(origin + rotation @ near, far, axis, radius) for near, far in zip(heads.patella, heads.femur)]
    return ExtensorMechanism(
        tendon_arm=size * np.interp(degrees, *_TENDON_ARM),
        quadriceps_arm=size * np.interp(degrees, *_QUADRICEPS_ARM),
        tendon_direction=np.stack([flat * np.sin(forward), flat * np.cos(forward), sideways], axis=1),
        tendon_attachment=bands.insertion[tendon].mean(axis=0),
        femur_from_tibia=rotation_of_flexion(knee_flexion),
        head_direction=np.stack(directions, axis=1),
    )
