"""Triangle meshes of the reference knee, extracted from its smooth coefficients once and stored: a run reads them instead of extracting.

`python -m kneeload.subject.stored_meshes` writes the file anew from `reference_knee.npz` alone; a test checks that both agree.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.surface import TriangleMesh

FILE = Path(__file__).with_name("reference_meshes.npz")


@lru_cache(maxsize=1)
def _arrays() -> dict[str, NDArray[Any]]:
    with np.load(FILE) as data:
        return {name: data[name] for name in data.files}


def stored_mesh(name: str) -> TriangleMesh:
    """Mesh stored under a name ("femur_male", "femur_female", "tibia", "patella"), mm, frame of its body."""
    arrays = _arrays()
    return TriangleMesh(points=arrays[f"{name}_points"].astype(np.float64), triangles=arrays[f"{name}_triangles"].astype(np.int32))


def stored_nearest(name: str) -> NDArray[np.int32]:
    """Nearest triangle of a stored femur at the nodes of its level set, (nx, ny, nz) no unit, -1 outside the band."""
    return _arrays()[f"{name}_nearest"].astype(np.int32)


def write(path: Path = FILE) -> None:
    """Extract every mesh from the coefficients and store it: points in single precision, numbers in 16 bits."""
    from kneeload.subject.bones import TRIANGLE_MM, extracted_bone
    from kneeload.subject.femur import extracted_femur

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
