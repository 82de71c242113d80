"""The half-space at the places of the finite elements, so that both can be read side by side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.bone_map import knee_map
from kneeload.bone.finite_elements import contact_forces
from kneeload.bone.halfspace import SHALLOWEST, influence
from kneeload.bone.model import BoneModel
from kneeload.bone.volume import BoneVolume
from kneeload.contact.cycle import ContactCycle
from kneeload.subject.anatomy import KneeAnatomy


def half_space_stress(anatomy: KneeAnatomy, cycle: ContactCycle, volume: BoneVolume) -> NDArray[np.float32]:
    """Return the vertical compressive stress (T, n) MPa that the half-space gives at the centres of n cubes of one bone.

    Every cube has its own half-space: below the point of the bone surface that its normal leads to, at its depth (not less
    than 0.8 radii of the patches of load). Patches of the femur are not smeared here, as they are for its peaks.
    """
    points, inward, force = contact_forces(anatomy, cycle, volume.bone)
    patches = getattr(knee_map(anatomy, BoneModel()), volume.bone).patches
    # the same patches, found again by place, carry the areas
    chosen = np.array([np.flatnonzero((patches.centres == point).all(axis=1))[0] for point in points], np.int64)
    shallowest = 1.0
    radii = np.minimum(np.sqrt(patches.areas[chosen] / np.pi), shallowest / SHALLOWEST)
    depth = np.maximum(volume.depth_mm, shallowest)
    feet = volume.centres_mm + volume.depth_mm[:, None] * volume.normal + _thickness(anatomy, volume)[:, None] * volume.normal
    out = np.empty((force.shape[1], len(depth)), np.float32)
    bins = np.unique(np.round(depth * 2.0)) / 2.0
    nearest = np.abs(depth[:, None] - bins).argmin(axis=1)
    for number, level in enumerate(bins):
        own = np.flatnonzero(nearest == number)
        field = influence(feet[own], volume.normal[own], points, -inward, radii, np.array([max(level, shallowest)]))[0]
        out[:, own] = (field @ force.astype(np.float32)).T
    out.setflags(write=False)
    return out


def _thickness(anatomy: KneeAnatomy, volume: BoneVolume) -> NDArray[np.float64]:
    """Return the cartilage thickness (n,) mm above each cube: patches of load lie on the cartilage, depth counts from the bone."""
    from kneeload.bone.volume import articular_surfaces

    surfaces = articular_surfaces(anatomy, volume.bone)
    first = np.array([0, len(surfaces[0].thickness_mm)])[volume.surface]
    thickness: NDArray[np.float64] = np.concatenate([s.thickness_mm for s in surfaces])[first + volume.triangle]
    return thickness
