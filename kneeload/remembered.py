"""Loads of reference persons, remembered on disk: every run compares with one, and most runs with the same one.

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
from typing import Any, TypeVar

import numba
import numpy as np

from kneeload.bone.day_stimulus import StimulusProfile
from kneeload.bone.dose import BoneLoad
from kneeload.case import Case
from kneeload.kernels.cache import cache_folder

MOST_FILES = 400  # a sweep over heights must not fill the disk: beyond this the oldest are forgotten; a population has some 90 reference persons
T = TypeVar("T")
_SOURCES = ("*.py", "*.npz", "*.json", "*.csv")


def remembered(case: Case, compute: Callable[[], BoneLoad]) -> BoneLoad:
    """Return the bone load of `case` from disk, or compute it and keep it there; a folder that cannot be used is no error."""
    return _remembered("bone-load", BoneLoad, case, compute)


def remembered_profile(case: Case, compute: Callable[[], StimulusProfile]) -> StimulusProfile:
    """Return the stimulus by depth of `case` likewise."""
    return _remembered("profile", StimulusProfile, case, compute)


def _remembered(kind: str, what: type[T], case: Case, compute: Callable[[], T]) -> T:
    if os.environ.get("KNEELOAD_NO_CACHE", "0") not in ("", "0"):
        return compute()
    folder = cache_folder()
    if folder is None:
        return compute()
    path = folder / f"{kind}-{_key(case)}.npz"
    found = _read(path, what)
    if found is None:
        found = compute()
        _write(path, found, kind)
    return found


def _key(case: Case) -> str:
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "")  # more than one may change last digits, and workers with one promise the same bits to all
    return hashlib.sha256(f"{sources_hash()} {np.__version__} {numba.__version__} {threads} {case!r}".encode()).hexdigest()[:24]


@lru_cache(maxsize=1)
def sources_hash() -> str:
    """Return 64 hex digits that change with every source and fitted coefficient of kneeload."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _SOURCES for path in root.rglob(pattern)):
        digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()


def _read(path: Path, what: type[T]) -> T | None:
    try:
        with np.load(path) as data:
            values: dict[str, Any] = {item.name: data[item.name] for item in fields(what) if item.name in data.files}  # type: ignore[arg-type]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None  # absent, or half written by a machine that went down
    for value in values.values():
        value.setflags(write=False)
    if "activities" in values:
        values["activities"] = tuple(str(name) for name in values["activities"])
    try:
        return what(**values)
    except TypeError:
        return None


def _forget(folder: Path, kind: str) -> None:
    """Remove the oldest files of a kind so that one more has room."""
    files = list(folder.glob(f"{kind}-*.npz"))
    if len(files) >= MOST_FILES:
        for old in sorted(files, key=_written)[:len(files) - MOST_FILES + 1]:
            old.unlink(missing_ok=True)


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process has just removed it
        return 0.0


def _write(path: Path, found: object, kind: str) -> None:
    try:
        _forget(path.parent, kind)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as stream:
            values = {item.name: getattr(found, item.name) for item in fields(found)}  # type: ignore[arg-type]
            np.savez(stream, **{name: np.asarray(value) for name, value in values.items() if value is not None})  # type: ignore[arg-type]
        os.replace(stream.name, path)
    except OSError:
        return
