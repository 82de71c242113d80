"""Where compiled kernels are kept: a folder named after a hash of the kernel sources, set before numba is imported.

A person's own NUMBA_CACHE_DIR is respected. Otherwise the folder is below XDG_CACHE_HOME or ~/.cache, or, if that cannot be
written, below the temporary folder of the machine.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from pathlib import Path


def source_hash() -> str:
    """Return 16 hex digits that change when any kernel source changes."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def cache_folder() -> Path:
    """Return a writable folder for this version of the kernels."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for base in (home / "kneeload", Path(tempfile.gettempdir()) / f"kneeload-{os.getuid()}"):
        folder = base / source_hash()
        if _writable(folder):
            return folder
    return Path(tempfile.mkdtemp(prefix="kneeload-"))


def settle_cache_folder() -> None:
    """Point Numba at `cache_folder()` unless the person chose a folder; works before and after numba was imported."""
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    os.environ["NUMBA_CACHE_DIR"] = str(cache_folder())
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]


settle_cache_folder()
