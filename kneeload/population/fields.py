"""Fields of a study as Zarr: the largest pressure of every triangle over the cycle, per activity and casting surface."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.population.design import Design
from kneeload.population.rows import Layout

STORE = "fields.zarr"
_ABOUT = "zarr.json"  # description of a group or an array in its folder
Blocks = Mapping[tuple[str, str], NDArray[np.float32]]


class FieldStore:
    """One array per activity and surface, (people, scenarios, triangles) MPa float32, nan where there is no surface or no answer; a chunk is a shard.

    Triangles are those of the reference knee of the person's sex, in its order (`kneeload.subject`); where one sex has fewer, nan follows.
    """

    def __init__(self, folder: Path, design: Design, layout: Layout) -> None:
        import zarr

        self._design, self._path = design, folder / STORE
        self._arrays: dict[tuple[str, str], Any] = {}
        for place in dict.fromkeys(("", *(activity for activity, _ in layout.fields), *map("/".join, layout.fields))):
            _drop_if_cut_off(self._path / place / _ABOUT)
        root = zarr.open_group(str(self._path), mode="a")
        for (activity, surface), sizes in layout.fields.items():
            name, triangles = f"{activity}/{surface}", max(sizes.values())
            shape, chunks = (design.size, len(design.scenarios), triangles), (min(design.shard_size, design.size), len(design.scenarios), triangles)
            if not _fits(root, name, shape, chunks):
                if (self._path / name / _ABOUT).exists():
                    shutil.rmtree(self._path / name)
                array = root.create_array(name, shape=shape, chunks=chunks, dtype="float32", fill_value=float("nan"))
                array.attrs.update({"unit": "MPa", "quantity": "peak_pressure", "dimensions": ["person", "scenario", "triangle"], "scenarios": [item.name for item in design.scenarios],
                                    "triangles": dict(sizes)})
            self._arrays[activity, surface] = root[name]

    def write(self, first: int, blocks: Blocks) -> str:
        """Write the people from `first` on and return the hash of what was written."""
        for key, block in blocks.items():
            shutil.rmtree(self._path.joinpath(*key, "c", str(first // self._design.shard_size)), ignore_errors=True)  # a damaged chunk would be read first
            self._arrays[key][first:first + len(block)] = block
        return digest(blocks)

    def whole(self, first: int, count: int, sha256: str | None) -> bool:
        """Whether the blocks of some people are those that had this hash when they were written."""
        try:
            return digest({key: np.asarray(array[first:first + count]) for key, array in self._arrays.items()}) == sha256
        except Exception:  # a chunk that was cut off or altered: the errors of codecs have no class of their own
            return False


def _drop_if_cut_off(path: Path) -> None:
    """Remove the description of a group or an array if a crash left a part of it; the chunks beside it stay."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except ValueError:
        path.unlink()


def _fits(root: Any, name: str, shape: tuple[int, ...], chunks: tuple[int, ...]) -> bool:
    try:
        found = root[name]
        return bool((found.shape, found.chunks, str(found.dtype)) == (shape, chunks, "float32"))
    except Exception:  # none, or one that nobody can read
        return False


def digest(blocks: Blocks) -> str:
    """Hash of blocks, 64 hex digits."""
    found = hashlib.sha256()
    for key in sorted(blocks):
        found.update("/".join(key).encode() + np.ascontiguousarray(blocks[key]).tobytes())
    return found.hexdigest()
