"""Extract the triangle meshes of the reference knee from its smooth coefficients and store them: `python -m kneeload.meshes.store`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.bones import TRIANGLE_MM, extracted_bone
from kneeload.subject.femur import extracted_femur
from kneeload.subject.stored_meshes import FILE
from kneeload.subject.surface import TriangleMesh


def write(path: Path = FILE) -> None:
    """Extract every mesh from the coefficients and store it: points in single precision, numbers in 16 bits."""
    arrays: dict[str, NDArray[Any]] = {}
    for name in TRIANGLE_MM:
        arrays |= _packed(name, extracted_bone(name))
    for sex in ("male", "female"):
        mesh, nearest = extracted_femur(sex)
        arrays |= _packed(f"femur_{sex}", mesh) | {f"femur_{sex}_nearest": nearest.astype(np.int16)}
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def _packed(name: str, mesh: TriangleMesh) -> dict[str, NDArray[Any]]:
    if max(len(mesh.points), len(mesh.triangles)) > 32767:
        raise ValueError(f"{name} has too many points or triangles for 16 bits")
    return {f"{name}_points": mesh.points.astype(np.float32), f"{name}_triangles": mesh.triangles.astype(np.uint16)}


if __name__ == "__main__":
    write()
