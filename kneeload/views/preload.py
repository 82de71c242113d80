"""Imports of the drawing libraries, to be run beside a simulation."""

from __future__ import annotations

import jinja2  # noqa: F401
from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: F401
from matplotlib.figure import Figure  # noqa: F401

import kneeload.views.course
import kneeload.views.curves
import kneeload.views.pdf
import kneeload.views.report
import kneeload.views.solid_page
import kneeload.views.stress
import kneeload.views.vtk_files
import kneeload.views.zones  # noqa: F401
from kneeload.views.gl import gl_problem

if gl_problem() is None:
    import pyvista

    _plotter = pyvista.Plotter  # pyvista loads its plotting part when it is first asked for
