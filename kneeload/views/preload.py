"""Imports of the drawing libraries, to be run beside a simulation."""

from __future__ import annotations

import kneeload.views.curves
import kneeload.views.report
import kneeload.views.stress
import kneeload.views.vtk_files  # noqa: F401
from kneeload.views.gl import gl_problem

if gl_problem() is None:
    import pyvista  # noqa: F401
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: F401
from matplotlib.figure import Figure  # noqa: F401
