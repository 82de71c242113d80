"""The spring kernels in C++ (`twin/springs.cpp`), built where a compiler is, and the two timed in turn."""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FLAGS = ("-O3", "-march=native", "-ffast-math")
SOURCES = Path(__file__).resolve().parent / "twin"
Array = NDArray[np.float64]
_POINTER, _INT, _DOUBLE = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double


def compiler() -> str | None:
    """Return the C++ compiler of this machine, or None."""
    return shutil.which("g++") or shutil.which("clang++")


def compiler_version() -> str:
    """Return the first line that the compiler says about itself."""
    found = compiler()
    return "" if found is None else subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]


@lru_cache(maxsize=4)
def library(name: str) -> ctypes.CDLL:
    """Build twin/<name>.cpp into the temporary folder of this process and load it.

    Raises:
        RuntimeError: there is no compiler here.
    """
    found = compiler()
    if found is None:
        raise RuntimeError("no C++ compiler (g++ or clang++) on the path")
    source = SOURCES / f"{name}.cpp"
    folder = Path(tempfile.mkdtemp(prefix="kneeload-twin-"))
    target = folder / f"{name}-{hashlib.sha256(source.read_bytes()).hexdigest()[:12]}.so"
    subprocess.run([found, *FLAGS, "-std=c++17", "-shared", "-fPIC", "-o", str(target), str(source)], check=True)
    loaded = ctypes.CDLL(str(target))
    shutil.rmtree(folder)  # the library stays mapped
    return loaded


class Twin:
    """The C++ kernels over one table of placed springs; every call adds to sums (34,), as the Python ones do."""

    def __init__(self, table: Array, chunk_size: NDArray[np.int64], chunks: int, turn: Array, shift: Array) -> None:
        self._keep = (table, chunk_size, np.ascontiguousarray(turn), shift)
        self._sums = np.zeros(34)
        self._call = [a.ctypes.data for a in self._keep[:2]] + [0, chunks] + [a.ctypes.data for a in self._keep[2:]] + [self._sums.ctypes.data]
        built = library("springs")
        for kernel in (built.twin_forces, built.twin_springs):
            kernel.argtypes = [_POINTER, _POINTER, _INT, _INT, _POINTER, _POINTER, _POINTER]
            kernel.restype = None
        self._forces, self._springs = built.twin_forces, built.twin_springs

    def forces(self) -> None:
        """Energy, force and moment."""
        self._forces(*self._call)

    def springs(self) -> None:
        """The same with the tangent."""
        self._springs(*self._call)

    def sums(self, kernel: Callable[[], None]) -> Array:
        """Return what one call of a kernel adds, (34,)."""
        self._sums[:] = 0.0
        kernel()
        return self._sums.copy()


def fastest(calls: Sequence[Callable[[], object]], *, rounds: int = 200, inner: int = 20) -> list[float]:
    """Return the shortest time of each call, s. The calls take turns, so that whatever else runs on the machine meets all of them alike."""
    best = [float("inf")] * len(calls)
    for _ in range(rounds):
        for number, call in enumerate(calls):
            start = time.perf_counter()
            for _ in range(inner):
                call()
            best[number] = min(best[number], (time.perf_counter() - start) / inner)
    return best


def machine_limits() -> dict[str, float]:
    """Return what one core gives: read bandwidth of arrays that lie in L1 (16 kB), L2 (512 kB) and memory (256 MB), the triad from memory, GB/s,
    and fused multiply-adds on vectors of 8 and (0 where there are none) of 16 single-precision numbers, GFlop/s. Each call but those to memory lasts less than 0.2 ms,
    so that the shortest is undisturbed."""
    built = library("machine")
    built.read_all.argtypes, built.read_all.restype = [_POINTER, _INT, _INT], _DOUBLE
    built.triad.argtypes, built.triad.restype = [_POINTER, _POINTER, _POINTER, _DOUBLE, _INT, _INT], None
    found = {}
    for name, size, passes, repeats in (("read_l1_gb_s", 16_384, 200, 1000), ("read_l2_gb_s", 524_288, 6, 1000), ("read_memory_gb_s", 256_000_000, 1, 5)):
        a = np.ones(size // 8)
        found[name] = a.nbytes * passes / _shortest(lambda a=a, passes=passes: built.read_all(a.ctypes.data, a.size, passes), repeats) / 1e9
    a, b, c = (np.ones(10_000_000) for _ in range(3))
    found["triad_memory_gb_s"] = 3 * a.nbytes / _shortest(lambda: built.triad(a.ctypes.data, b.ctypes.data, c.ctypes.data, 0.5, a.size, 1), 5) / 1e9
    for width in (8, 16):
        name, rounds = f"multiply_add_{width}_gflop_s", 10_000
        found[name] = 0.0
        if hasattr(built, f"multiply_add_{width}"):
            kernel = getattr(built, f"multiply_add_{width}")
            kernel.argtypes, kernel.restype = [_INT, _DOUBLE], _DOUBLE
            found[name] = 2 * 12 * width * rounds / _shortest(lambda kernel=kernel, rounds=rounds: kernel(rounds, 1.0), 1000) / 1e9
    return found


def _shortest(call: Callable[[], object], repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best
