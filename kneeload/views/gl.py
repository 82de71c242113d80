"""Can this machine draw in 3D without a screen? Found out by loading the libraries, not by crashing."""

from __future__ import annotations

import ctypes
import functools
import os
import sys

_LIBRARIES = {"libGL.so.1": "libgl1", "libEGL.so.1": "libegl1", "libXrender.so.1": "libxrender1"}  # file: Debian package


def gl_problem() -> str | None:
    """None when off-screen VTK rendering can work, else one sentence that says what is missing and what to install.

    VTK ends the whole process with a segmentation fault where OpenGL is absent, so nobody may start it before asking here. On Linux
    without a display, VTK is told to use EGL, which needs none. The environment variable KNEELOAD_NO_GL=1 forces the answer 'absent'.
    """
    if os.environ.get("KNEELOAD_NO_GL", "").strip() not in ("", "0"):
        return "3D drawing is switched off by the environment variable KNEELOAD_NO_GL: flat maps are drawn instead."
    problem = _missing_libraries()
    if problem is None and _needs_egl():
        os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
        problem = _no_device()
    return problem


def _needs_egl() -> bool:
    return sys.platform.startswith("linux") and not os.environ.get("DISPLAY")


@functools.cache
def _missing_libraries() -> str | None:
    if not sys.platform.startswith("linux"):
        return None
    missing = [name for name in _LIBRARIES if not _loads(name)]
    if not missing:
        return None
    packages = " ".join(_LIBRARIES.values())
    return f"3D pictures need {', '.join(missing)}, not found on this machine: install with `apt-get install {packages}`; flat maps are drawn instead."


@functools.cache
def _no_device() -> str | None:
    """A sentence when EGL is there but has nothing to draw with (eglQueryDevicesEXT of the EGL registry, EGL_EXT_device_enumeration)."""
    egl = ctypes.CDLL("libEGL.so.1")
    egl.eglGetProcAddress.restype, egl.eglGetProcAddress.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    count = ctypes.c_int(0)
    if address:
        query = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int))(address)
        query(0, None, ctypes.byref(count))
    if count.value > 0:
        return None
    return "3D pictures need an EGL driver, and this machine has none: install with `apt-get install libegl-mesa0 libgl1-mesa-dri`; flat maps are drawn instead."


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
