"""Passive tissue: the tension of ligaments and capsule in the unloaded knee, and the passive moment of the hip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.forces.extensor import rotation_of_flexion
from kneeload.forces.ligaments import ligament_force, tibiofemoral_ligaments
from kneeload.subject.person import Subject
from kneeload.units import DEG, NMM_PER_NM

Array = NDArray[np.float64]

# Passive path of the source knee (fit to the poses of its swing phase): the tibia turns about this point, mm, and stands this far forward.
_PASSIVE_AXIS_MM, _PASSIVE_FORWARD_MM, _TISSUE_RANGE_DEG = (-3.4, -2.0, 0.0), (3.0, 0.0, 0.0), 60.0


def soft_tissue(knee_flexion: Array, source_scale: Array) -> tuple[Array, Array, Array]:
    """Tension of the ligaments and the capsule in the unloaded knee, on the tibia.

    The tibia turns by flexion about an axis through the condyles, placed so that it follows the poses of a swing phase of the source
    knee (flexion to 61 degrees; beyond it the tension of 60 degrees is kept: assumption). Collateral ligaments and capsule have the
    reference strains of their source; the cruciate ligaments, which carry shear, are left out.

    Args:
        knee_flexion: (T,) rad.
        source_scale: (3,) no unit.

    Returns:
        axial: (T,) N, upward pull on the tibia.
        moment: (T,) N mm about x of the tibia.
        per_newton: (2, T, 2) upward pull (no unit) and moment (mm) of the MCL and of the LCL per newton of tension.
    """
    bands = tibiofemoral_ligaments(source_scale)
    rotation = rotation_of_flexion(np.clip(knee_flexion, 0.0, _TISSUE_RANGE_DEG * DEG))
    axis, forward = np.array(_PASSIVE_AXIS_MM) * source_scale, np.array(_PASSIVE_FORWARD_MM) * source_scale
    femur = axis + np.einsum("tji,kj->tki", rotation, bands.origin - axis - forward)  # femoral attachments in the tibia frame
    line = femur - bands.insertion
    length = np.linalg.norm(line, axis=2)
    unit = line / length[:, :, None]
    tension, _ = ligament_force(length, bands.slack_length, bands.stiffness_n, bands.toe_strain)
    collateral = np.array([not name.startswith(("acl", "pcl")) for name in bands.names])
    tension = np.where(collateral, tension, 0.0)
    moment_x = np.cross(np.broadcast_to(bands.insertion, unit.shape), unit)[:, :, 0]
    index = [bands.names.index(name) for name in ("mcl_superficial_middle", "lcl")]
    per_newton = np.stack([np.stack([unit[:, i, 1], moment_x[:, i]], axis=1) for i in index])
    return (tension * unit[:, :, 1]).sum(axis=1), (tension * moment_x).sum(axis=1), per_newton


def passive_hip_flexion_moment(hip_flexion: Array, knee_flexion: Array, subject: Subject) -> Array:
    """Moment about the hip of stretched capsule, ligaments and silent muscle, (T,) N mm, flexion positive.

    Exponential fit of Riener and Edrich 1999, doi 10.1016/S0021-9290(99)00009-7, to passive swings of ten adults; scaled by mass times
    height over those of a person of 75 kg and 1.75 m (assumption). It carries part of the hip flexor moment of late stance. The knee and
    ankle fits of that paper are left out, since those passive forces run in muscles that also press the knee together.

    Args:
        hip_flexion: (T,) rad.
        knee_flexion: (T,) rad.
        subject: size and mass.
    """
    hip, knee = np.clip(hip_flexion / DEG, -30.0, 90.0), np.clip(knee_flexion / DEG, 0.0, 120.0)
    moment_nm = np.exp(1.4655 - 0.0034 * knee - 0.0750 * hip) - np.exp(1.3403 - 0.0226 * knee + 0.0305 * hip) + 8.072
    return moment_nm * NMM_PER_NM * subject.body_mass_kg * subject.height_m / (75.0 * 1.75)
