"""Compilation beside the main process: a first run compiles its kernels on two cores instead of one.

Numba compiles in Python, under a lock, so only a second process helps. It compiles the contact kernels, the longest chain, on a
problem of a few triangles; they reach the main process through Numba's cache on disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from kneeload.kernels.cache import source_hash

_waiting = threading.Lock()
_helper: list[subprocess.Popen[bytes]] = []
_LONGEST_WAIT_S = 120.0


def start() -> bool:
    """Start the second compiler if this version of the kernels was never compiled here; returns whether it runs."""
    marker = _marker()
    if marker is None or marker.exists():
        return False
    _helper.append(subprocess.Popen([sys.executable, "-m", "kneeload.warmup"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    return True


def wait() -> None:
    """Wait for the second compiler, if one was started; without it, or if it fails, kernels are compiled where they are needed."""
    with _waiting:  # a second thread that asks meanwhile waits as well
        while _helper:
            try:
                _helper[0].wait(_LONGEST_WAIT_S)
            except subprocess.TimeoutExpired:
                _helper[0].kill()
            _helper.pop()


def compile_contact() -> None:
    """Compile every kernel of the contact room by solving a small body on a flat target."""
    import numpy as np

    from kneeload.contact.compartments import compartment, surface_fields
    from kneeload.contact.prepared import no_lines
    from kneeload.contact.solver import BodyLoads, poses, solve_body
    from kneeload.contact.springs import Casting, build_springs, level_tuple
    from kneeload.subject.level_set import LevelSet
    from kneeload.subject.surface import TriangleMesh

    nodes = np.arange(8.0)
    height = np.broadcast_to(nodes[None, :, None] - 4.0, (8, 8, 8)).copy()
    flat = LevelSet(coefficients=-height, origin_mm=np.full(3, -4.0), spacing_mm=1.0, thickness_mm=np.ones((8, 8, 8), np.float32),
                    nearest_triangle=np.zeros((8, 8, 8), np.int32), band_mm=4.0)
    mesh = TriangleMesh(points=np.array([[-1.0, 0, -1], [-1, 0, 1], [1, 0, 1], [1, 0, -1]]), triangles=np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    ones = np.ones(2)
    springs = build_springs([Casting(name="plate", mesh=mesh, thickness_mm=ones, compliance=ones, used=np.ones(2, bool))])
    loads = BodyLoads(force=np.array([[0.0, 5.0, 0.0]]), point=np.zeros((1, 3)), moment=np.zeros((1, 2)), size=np.array([5.0]))
    frames = solve_body(springs, level_tuple(flat), femoral_compliance=0.1, lines=no_lines(), anchor=np.zeros((1, 0, 3)), weak=np.ones((1, 6)), rest=np.zeros((1, 6)),
                        guide=np.zeros((1, 4)), start=np.zeros((1, 6)), free=np.ones(6, bool), flexion=np.zeros(1), loads=loads, nonlinear=False, tolerance=1e-6)
    poses(frames.q)
    compartment(springs, frames, [0], np.array([[0.0, 1.0, 0.0]]), slice(None))
    surface_fields(springs, frames)


def _marker() -> Path | None:
    folder = os.environ.get("NUMBA_CACHE_DIR")
    return Path(folder) / f"compiled-{source_hash()}-{sys.version_info.major}.{sys.version_info.minor}" if folder else None


if __name__ == "__main__":
    compile_contact()
    done = _marker()
    if done is not None:
        done.touch()
