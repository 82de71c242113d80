"""Triangle meshes of the reference knee, extracted from its smooth coefficients once and stored: a run reads them instead of extracting.

`python -m kneeload.meshes.store` writes the file anew from `reference_knee.npz` alone; a test checks that both agree.
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
