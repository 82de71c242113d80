"""One bone by finite elements beside the same bone without its inclusions and beside the half-space, per MOAKS region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.agreement import half_space_stress
from kneeload.bone.finite_element_settings import FiniteElements
from kneeload.bone.finite_elements import BoneField, RegionStress, contact_forces, pressed_bone, region_stress
from kneeload.bone.volume import BONES
from kneeload.contact.cycle import ContactCycle
from kneeload.errors import InputError
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy

Array = NDArray[np.float64]
_LEAST_MPA = 0.01  # stress of the half-space below which no ratio to it is told
_COLUMNS = {"mean_stress": "mean_compressive_stress", "peak_stress": "peak_compressive_stress",
            "mean_energy": "mean_strain_energy_density", "peak_energy": "peak_strain_energy_density"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoneComparison:
    """Stress in one bone over T frames, in n cubes.

    Attributes:
        field: with the inclusions of the case.
        without: the same cubes without inclusions; None where there are none.
        half_space: (T, n) MPa; vertical compressive stress of the half-space in the cubes of the regions, nan in others.
    """

    field: BoneField
    without: BoneField | None
    half_space: NDArray[np.float32]

    def half_space_by_region(self) -> RegionStress:
        """Return mean and peak of the half-space's stress per region, from the same cubes as `BoneField.by_region`; the energies are nan."""
        return region_stress(self.field.volume, self.half_space, np.full((1, len(self.field.volume.region)), np.nan))


def compared_bones(anatomy: KneeAnatomy, cycle: ContactCycle, settings: FiniteElements) -> dict[str, BoneComparison]:
    """Return the chosen bones that carry load in a cycle. Cubes, loads and shell of a bone are made once for both solutions.

    Raises:
        InputError: no chosen bone, or none with an inclusion, carries load; an inclusion that is not within the bone; scikit-fem or pyamg missing.
    """
    loaded = [bone for bone in BONES if bone in settings.bones and contact_forces(anatomy, cycle, bone)[2].any()]
    for bone in settings.bones:
        if bone not in loaded and (settings.of_bone(bone) or not loaded):
            raise InputError("contact", where=f"the {bone} in this activity", got="no pressure", allowed="pressure on its cartilage",
                             why="it is the load of the bone")
    return {bone: _compared(anatomy, cycle, settings, bone) for bone in loaded}


def _compared(anatomy: KneeAnatomy, cycle: ContactCycle, settings: FiniteElements, bone: str) -> BoneComparison:
    frames = range(0, len(cycle.residual), settings.every_frames)
    pressed, inclusions = pressed_bone(anatomy, cycle, settings.solid, bone=bone, frames=frames), settings.of_bone(bone)
    field = pressed.stress(inclusions)
    own = np.flatnonzero(field.volume.region >= 0)
    half_space = np.full((len(field.frames), len(field.volume.region)), np.nan, np.float32)
    half_space[:, own] = half_space_stress(anatomy, cycle, field.volume.selected(own))[field.frames]
    half_space.setflags(write=False)
    return BoneComparison(field=field, without=pressed.stress() if inclusions else None, half_space=half_space)


def comparison_columns(bones: Mapping[str, BoneComparison]) -> dict[str, list[Any]]:
    """Return the columns of finite_elements.csv, one row per region of the bones, units in the names.

    Values are the largest over the frames: of the mean over the region, and of the 99th percentile of its cubes deeper than one edge. The columns
    `..._without_inclusions_...` and `..._change_pct` are there when some bone has inclusions; in bones without any nothing changes.
    """
    rows = [row for bone, item in bones.items() for row in _rows(bone, item, any(other.without is not None for other in bones.values()))]
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def _rows(bone: str, item: BoneComparison, with_inclusions: bool) -> list[dict[str, Any]]:
    solid, half, plain = item.field.by_region(), item.half_space_by_region(), (item.without or item.field).by_region()
    volume, out = item.field.volume, []
    for i in np.unique(volume.region[volume.region >= 0]):
        row: dict[str, Any] = {"bone": bone, "region": MOAKS_REGIONS[i], "region_volume_mm3": float(volume.region_volumes_mm3()[i]),
                               "mean_modulus_mpa": float(item.field.modulus_mpa[volume.region == i].mean())}
        row |= {f"{_COLUMNS[name.name]}_mpa": float(getattr(solid, name.name)[i]) for name in fields(RegionStress)}
        for name in ("mean_stress", "peak_stress"):
            own, other = getattr(solid, name)[i], getattr(half, name)[i]
            row |= {f"half_space_{_COLUMNS[name]}_mpa": float(other),
                    f"{_COLUMNS[name]}_over_half_space": float(own / other) if other > _LEAST_MPA else float("nan")}
        if with_inclusions:
            for name, column in _COLUMNS.items():
                before, after = getattr(plain, name)[i], getattr(solid, name)[i]
                row |= {f"{column}_without_inclusions_mpa": float(before),
                        f"{column}_change_pct": float(100.0 * (after / before - 1.0)) if before > 0.0 else float("nan")}
        out.append(row)
    return out
