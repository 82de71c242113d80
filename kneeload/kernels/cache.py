"""Where compiled kernels are kept: a folder named after a hash of everything that a compiled kernel depends on.

The hash covers the kernel sources, Python, numba, llvmlite, numpy, the processor (a home folder may be shared by unlike machines) and the
settings of Numba that change code, so an entry is never stale. `docs/start-up.md` says which folder is taken and whom it trusts: entries
are pickles, so a folder that another person could have filled is not read.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

KEPT_VERSIONS = 8  # folders of other versions that are kept however many there are: 10 MB each
LONGEST_UNUSED_S = 28 * 86400.0  # a version that nobody used for four weeks goes
_SAFE_S = 86400.0  # one that was used within a day stays, even beyond KEPT_VERSIONS
_USED = "in-use"  # its time says when the version was last used; running processes hold a shared lock on it
_DIGITS = 16
_SETTINGS = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "ENABLE_AVX", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "USING_SVML",
             "DISABLE_INTEL_SVML", "ENABLE_PROFILING")
_private: list[Path] = []
_held: dict[Path, int] = {}  # folder -> open file with the lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A place that may hold versions: `chosen` by the person who runs (trusted as it is) or a usual one (checked)."""

    path: Path
    chosen: bool


@lru_cache(maxsize=1)
def source_hash() -> str:
    """Return 16 hex digits that change when any kernel source changes."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:_DIGITS]


@lru_cache(maxsize=1)
def cache_key() -> str:
    """Return 16 hex digits that change with the kernel sources, the versions of what compiles them, the processor and Numba's settings."""
    import llvmlite
    import llvmlite.binding as llvm
    import numba
    import numpy

    config = numba.config
    name, features = (getattr(config, setting, None) for setting in ("CPU_NAME", "CPU_FEATURES"))  # chosen, if for another processor
    if features is None:
        with contextlib.suppress(RuntimeError):  # LLVM does not know the features of every processor
            features = llvm.get_host_cpu_features().flatten()
    processor = (llvm.get_process_triple(), llvm.get_host_cpu_name() if name is None else name, features)
    parts = (source_hash(), sys.version, numba.__version__, llvmlite.__version__, numpy.__version__, processor,
             [(name, str(getattr(config, name, None))) for name in _SETTINGS])
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:_DIGITS]


def bases() -> list[Base]:
    """Return the places for compiled kernels, the preferred one first."""
    asked = os.environ.get("NUMBA_CACHE_DIR")
    found = [Base(path=Path(asked).absolute() / "kneeload", chosen=True)] if asked else []
    for folder in (os.environ.get("XDG_CACHE_HOME", ""), os.path.join(os.path.expanduser("~"), ".cache")):
        if os.path.isabs(folder):  # a relative XDG_CACHE_HOME is to be ignored; ~ stays as it is for a user without a home
            found.append(Base(path=Path(folder) / "kneeload", chosen=False))
            break
    with contextlib.suppress(OSError):  # there may be no temporary folder at all
        found.append(Base(path=Path(tempfile.gettempdir()) / f"kneeload-{os.getuid()}", chosen=False))
    return found


@lru_cache(maxsize=1)
def folders() -> tuple[Path, ...]:
    """Return the folders that compiled kernels of this version are read from; entries are written to `cache_folder()`."""
    readable = []
    writable = cache_folder()
    for base in bases():
        folder = base.path / cache_key()
        if folder == writable or (folder.is_dir() and _trusted(base)):
            readable.append(folder)
            _hold(folder)
        if folder == writable:
            break
    return tuple(readable) if writable is None or writable in readable else (*readable, writable)


@lru_cache(maxsize=1)
def cache_folder() -> Path | None:
    """Return a folder for this version that can be written, or None where there is none: then kernels are compiled in every run."""
    for base in bases():
        folder = base.path / cache_key()
        if _writable(base, folder):
            _hold(folder)
            return folder
    try:
        own = Path(tempfile.mkdtemp(prefix="kneeload-"))
        folder = own / "kneeload" / cache_key()
        folder.mkdir(parents=True)
    except OSError:
        return None
    atexit.register(_remove_own, own, os.getpid())
    _private.append(own)
    return folder


def private_folder() -> Path | None:
    """Return the NUMBA_CACHE_DIR for child processes when no lasting folder can be written: it goes when this process ends."""
    cache_folder()
    return _private[-1] if _private else None


def forget_folders() -> None:
    """Choose the folders anew at the next question (after a change of the environment)."""
    for function in (cache_key, folders, cache_folder):
        function.cache_clear()
    _private.clear()


def _remove_own(folder: Path, process: int) -> None:
    if os.getpid() == process:  # a forked child must not take it from its parent
        shutil.rmtree(folder, ignore_errors=True)


def _writable(base: Base, folder: Path) -> bool:
    try:
        if base.chosen:
            folder.mkdir(parents=True, exist_ok=True)
        else:
            base.path.parent.mkdir(parents=True, exist_ok=True)
            for level in (base.path, folder):
                level.mkdir(mode=0o700, exist_ok=True)
            if not _trusted(base):
                return False
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _trusted(base: Base) -> bool:
    """Whether nobody else can have put entries there: a folder of this user (or root), no link, not writable for others."""
    if base.chosen:
        return True
    for level in (base.path, base.path / cache_key()):
        try:
            found = level.lstat()
        except OSError:
            return False
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.getuid(), 0) or found.st_mode & 0o022:
            return False
    return True


def _hold(folder: Path) -> None:
    """Say that this process uses a version: no other process removes it meanwhile."""
    if folder in _held:
        return
    path = folder / _USED
    try:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            os.utime(path)
        except OSError:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # a folder that can only be read
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        _held[folder] = handle
    except OSError:
        return  # no locks on this file system: the time of the file still tells


def remove_old_versions() -> int:
    """Remove versions beside this one that were long not used (or are too many) and that no process holds; returns how many went."""
    mine = cache_folder()
    if mine is None or mine.name != cache_key():
        return 0
    others = [(_last_used(path), path) for path in mine.parent.iterdir() if path != mine and _is_version(path)]
    now, gone = time.time(), 0
    for rank, (used, path) in enumerate(sorted(others, reverse=True)):
        age = now - used
        if (age > LONGEST_UNUSED_S or (rank >= KEPT_VERSIONS and age > _SAFE_S)) and _free(path):
            shutil.rmtree(path, ignore_errors=True)
            gone += 1
    return gone


def _is_version(path: Path) -> bool:
    return len(path.name) == _DIGITS and set(path.name) <= set("0123456789abcdef") and path.is_dir() and not path.is_symlink()


def _last_used(path: Path) -> float:
    try:
        return max((path / name).stat().st_mtime for name in (_USED, "") if (path / name).exists())
    except (OSError, ValueError):
        return time.time()


def _free(path: Path) -> bool:
    """Whether no running process holds the version."""
    try:
        handle = os.open(path / _USED, os.O_RDWR)
    except FileNotFoundError:
        return True  # from before versions were held
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
