"""Bone loads of reference persons, remembered on disk: every run compares with one, and most runs with the same one.

A file is named after a hash of the case and of everything that computes it (all sources and fitted coefficients of kneeload, versions of
numpy and numba), so that a changed model never meets an old answer. KNEELOAD_NO_CACHE=1 switches the memory off.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache
from pathlib import Path

import numba
import numpy as np

from kneeload.bone.dose import BoneLoad
from kneeload.case import Case
from kneeload.kernels.cache import cache_folder

MOST_FILES = 200  # a sweep over heights must not fill the disk: beyond this nothing more is remembered
_SOURCES = ("*.py", "*.npz", "*.json", "*.csv")


def remembered(case: Case, compute: Callable[[], BoneLoad]) -> BoneLoad:
    """Return the bone load of `case` from disk, or compute it and keep it there; a folder that cannot be used is no error."""
    if os.environ.get("KNEELOAD_NO_CACHE", "0") not in ("", "0"):
        return compute()
    folder = cache_folder()
    if folder is None:
        return compute()
    path = folder / f"bone-load-{_key(case)}.npz"
    load = _read(path)
    if load is None:
        load = compute()
        _write(path, load)
    return load


def _key(case: Case) -> str:
    return hashlib.sha256(f"{_sources_hash()} {np.__version__} {numba.__version__} {case!r}".encode()).hexdigest()[:24]


@lru_cache(maxsize=1)
def _sources_hash() -> str:
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _SOURCES for path in root.rglob(pattern)):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()


def _read(path: Path) -> BoneLoad | None:
    try:
        with np.load(path) as data:
            values = {item.name: data[item.name] for item in fields(BoneLoad) if item.name in data.files}
            activities = tuple(str(name) for name in values.pop("activities"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None  # absent, or half written by a machine that went down
    for value in values.values():
        value.setflags(write=False)
    return BoneLoad(activities=activities, **values)


def _write(path: Path, load: BoneLoad) -> None:
    try:
        if sum(1 for _ in path.parent.glob("bone-load-*.npz")) >= MOST_FILES:
            return
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as stream:
            np.savez(stream, **{item.name: np.asarray(getattr(load, item.name)) for item in fields(load) if getattr(load, item.name) is not None})  # type: ignore[arg-type]
        os.replace(stream.name, path)
    except OSError:
        return
