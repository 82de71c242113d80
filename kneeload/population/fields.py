"""Fields of a study as Zarr: the largest pressure of every triangle over the cycle, per activity and casting surface."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.population.design import Design
from kneeload.population.rows import Layout

STORE = "fields.zarr"
Blocks = Mapping[tuple[str, str], NDArray[np.float32]]


class FieldStore:
    """One array per activity and surface, (people, scenarios, triangles) MPa float32, nan where there is no surface or no answer; a chunk is a shard.

    Triangles are those of the reference knee of the person's sex, in its order (`kneeload.subject`); where one sex has fewer, nan follows.
    """

    def __init__(self, folder: Path, design: Design, layout: Layout) -> None:
        import zarr

        self._design = design
        self._arrays: dict[tuple[str, str], Any] = {}
        root = zarr.open_group(str(folder / STORE), mode="a")
        for (activity, surface), sizes in layout.fields.items():
            name, triangles = f"{activity}/{surface}", max(sizes.values())
            if name not in root:
                array = root.create_array(name, shape=(design.size, len(design.scenarios), triangles), chunks=(min(design.shard_size, design.size), len(design.scenarios), triangles),
                                          dtype="float32", fill_value=float("nan"))
                array.attrs.update({"unit": "MPa", "quantity": "peak_pressure", "dimensions": ["person", "scenario", "triangle"], "scenarios": [item.name for item in design.scenarios],
                                    "triangles": dict(sizes)})
            self._arrays[activity, surface] = root[name]

    def write(self, first: int, blocks: Blocks) -> str:
        """Write the people from `first` on and return the hash of what was written."""
        for key, block in blocks.items():
            self._arrays[key][first:first + len(block)] = block
        return digest(blocks)

    def read(self, first: int, count: int) -> dict[tuple[str, str], NDArray[np.float32]]:
        """The blocks of some people."""
        return {key: np.asarray(array[first:first + count]) for key, array in self._arrays.items()}


def digest(blocks: Blocks) -> str:
    """Hash of blocks, 64 hex digits."""
    found = hashlib.sha256()
    for key in sorted(blocks):
        found.update("/".join(key).encode() + np.ascontiguousarray(blocks[key]).tobytes())
    return found.hexdigest()
