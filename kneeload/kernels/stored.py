"""Compiled kernels on disk: one file per kernel and signature, checked by a hash when it is read.

Numba's own cache keeps an index per kernel. Two processes that compile two signatures of one kernel at the same time can both take the
same entry of it, so that one of them is later answered with the code of the other; a file cut short ends the run with an error, and so
does a full disk. Here the name of the file says which signature it holds, it appears whole or not at all, and whatever cannot be read or
written is compiled as if it were not there.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit
from numba.core import compiler
from numba.core.caching import _Cache
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps

from kneeload.kernels.cache import cache_folder, folders

_HEAD = b"kneeload kernel 1\n"
_DIGEST = 32
problems: list[str] = []  # why an entry could not be written, for `kneeload warmup`


class KernelStore(_Cache):
    """What a dispatcher asks for compiled code and hands it to (the interface of `numba.core.caching.Cache`)."""

    def __init__(self, py_func: Callable[..., Any]) -> None:
        self._py_func = py_func
        self._name = f"{py_func.__module__.rpartition('.')[2]}.{py_func.__qualname__}"
        self._enabled = True

    @property
    def cache_path(self) -> str:
        """The folder that entries are written to."""
        return str(cache_folder())

    def enable(self) -> None:
        """Read and write entries."""
        self._enabled = True

    def disable(self) -> None:
        """Compile without reading or writing."""
        self._enabled = False

    def flush(self) -> None:
        """Remove the entries of this kernel."""
        folder = cache_folder()
        for path in () if folder is None else folder.glob(f"{self._name}-*.kernel"):
            path.unlink(missing_ok=True)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled signature, or None."""
        target_context.refresh()
        if not self._enabled:
            return None
        key = self._key(sig, target_context.codegen())
        name = self._file_name(key)
        for folder in folders():
            payload = read_entry(folder / name, key)
            if payload is not None:
                return compiler.CompileResult._rebuild(target_context, *payload)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled signature, if the disk takes it."""
        folder = cache_folder()
        if not self._enabled or folder is None or any(not part.can_cache for part in data.lifted) or data.library.has_dynamic_globals:
            return
        key = self._key(sig, data.codegen)
        write_entry(folder / self._file_name(key), key, data._reduce())

    def _key(self, sig: Any, codegen: Any) -> tuple:
        code, cells = self._py_func.__code__, self._py_func.__closure__ or ()
        own = (code.co_firstlineno, code.co_code, dumps(tuple(cell.cell_contents for cell in cells)))
        return (sig, codegen.magic_tuple(), hashlib.sha256(repr(own).encode()).hexdigest())

    def _file_name(self, key: tuple) -> str:
        return f"{self._name}-{hashlib.sha256(repr(key).encode()).hexdigest()[:20]}.kernel"


def read_entry(path: Path, key: tuple) -> tuple | None:
    """Return what an entry holds; None if it is absent, cut short, changed or made for another key."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    head, digest, body = content[: len(_HEAD)], content[len(_HEAD) : len(_HEAD) + _DIGEST], content[len(_HEAD) + _DIGEST :]
    if head != _HEAD or hashlib.sha256(body).digest() != digest:
        return None
    made_for, payload = pickle.loads(body)
    return payload if made_for == key else None


def write_entry(path: Path, key: tuple, payload: tuple) -> None:
    """Write an entry whole or not at all; a disk that is full or cannot be written is noted in `problems`."""
    body = dumps((key, payload))
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as stream:
                stream.write(_HEAD + hashlib.sha256(body).digest() + body)
            os.replace(part, path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    except OSError as problem:
        problems.append(f"{path.parent}: {problem.strerror}")


def stored_njit(*, cache: bool = False, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return `numba.njit(**options)` whose compiled code is kept by a KernelStore when `cache` is true."""

    def decorate(function: Callable[..., Any]) -> Any:
        made = njit(**options)(function)
        if cache and isinstance(made, Dispatcher):  # NUMBA_DISABLE_JIT leaves the Python function
            made._cache = KernelStore(function)  # type: ignore[attr-defined]
        return made

    return decorate
