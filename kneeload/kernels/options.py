"""Numba options, spelt once: every kernel is compiled with `kernel` or `kernel_strict`.

`error_model="numpy"` removes the branch on division that stops vectorisation; the named fast-math set allows reordering and
contraction but keeps isnan and infinities honest. Kernels are kept on disk by `kneeload.kernels.stored`, in a folder keyed by a hash of
all kernel sources (`kneeload.kernels.cache`), because Numba's own cache does not notice a changed callee in another file.
"""

from __future__ import annotations

from typing import Any

from kneeload.kernels.stored import stored_njit as njit

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}

kernel = njit(fastmath={"contract", "reassoc", "arcp", "nsz"}, **_OPTIONS)
kernel_inline = njit(forceinline=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "arcp", "nsz"})
kernel_strict = njit(**_OPTIONS)
