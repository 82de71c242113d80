"""Reader of the fitted coefficients of the source knee (`reference_knee.npz`).

Source: one right knee from MRI (young adult woman, 62 kg; Lenhart 2015, Smith 2019, OpenSim-JAM resources, Apache-2.0). The coefficients are
written by `kneeload.meshes.fit_source_knee`; femur: outer surface already stretched to the mean man and the mean woman
(`kneeload.subject.size`), all else in the size of the source knee; mm.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.level_set import LevelSet
from kneeload.subject.patch import Outline, SplinePatch

DEFAULT_FILE = Path(__file__).with_name("reference_knee.npz")
_STEP_MM = 5e-4  # level sets are stored as whole multiples of this: far below the noise of any image
_THICKNESS_STEP_MM = 0.02
_FAR_MM = 12.0  # distances are held at this beyond the band
Arrays = dict[str, NDArray[np.generic]]


@lru_cache(maxsize=1)
def source_arrays() -> Mapping[str, NDArray[Any]]:
    """All arrays of the file, read once."""
    with np.load(DEFAULT_FILE) as data:
        return {name: data[name] for name in data.files}


def pack_level_set(name: str, level_set: LevelSet) -> Arrays:
    """Arrays of a level set under a name, distances and thickness as small whole numbers."""
    packed: Arrays = {
        f"{name}_coefficients": np.round(np.clip(level_set.coefficients, -_FAR_MM, _FAR_MM) / _STEP_MM).astype(np.int16),
        f"{name}_grid": np.array([*level_set.origin_mm, level_set.spacing_mm, level_set.band_mm]),
    }
    if level_set.thickness_mm.any():
        packed[f"{name}_thickness"] = np.round(level_set.thickness_mm / _THICKNESS_STEP_MM).astype(np.uint8)
    return packed


def unpack_level_set(arrays: Mapping[str, NDArray[Any]], name: str) -> LevelSet:
    """Level set packed under a name; `nearest_triangle` is -1 until a mesh is chosen."""
    coefficients = arrays[f"{name}_coefficients"].astype(np.float64) * _STEP_MM
    grid = arrays[f"{name}_grid"]
    shape = coefficients.shape
    thickness = arrays[f"{name}_thickness"].astype(np.float32) * np.float32(_THICKNESS_STEP_MM) if f"{name}_thickness" in arrays else np.zeros(shape, np.float32)
    return LevelSet(coefficients=coefficients, origin_mm=grid[:3].copy(), spacing_mm=float(grid[3]), thickness_mm=thickness,
                    nearest_triangle=np.full(shape, -1, dtype=np.int32), band_mm=float(grid[4]))


def pack_patch(name: str, patch: SplinePatch) -> Arrays:
    """Arrays of a height field under a name."""
    return {f"{name}_coefficients": patch.coefficients, f"{name}_grid": np.concatenate([patch.origin_mm, patch.spacing_mm])}


def unpack_patch(arrays: Mapping[str, NDArray[Any]], name: str) -> SplinePatch:
    """Height field packed under a name."""
    grid = arrays[f"{name}_grid"]
    return SplinePatch(coefficients=arrays[f"{name}_coefficients"], origin_mm=grid[:2], spacing_mm=grid[2:])


def pack_outline(name: str, outline: Outline) -> Arrays:
    """Arrays of an outline under a name."""
    return {f"{name}_curve": np.stack([outline.cosine, outline.sine]), f"{name}_centre": np.concatenate([outline.centre_mm, outline.stretch])}


def unpack_outline(arrays: Mapping[str, NDArray[Any]], name: str) -> Outline:
    """Outline packed under a name."""
    curve, centre = arrays[f"{name}_curve"], arrays[f"{name}_centre"]
    return Outline(centre_mm=centre[:2], cosine=curve[0], sine=curve[1], stretch=centre[2:])
