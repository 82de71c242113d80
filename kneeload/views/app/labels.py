"""Flat letters as triangles, for words beside the bones in the 3D view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkRenderingFreeType import vtkVectorText


def letters(words: str, place: NDArray[np.float64], axes: NDArray[np.float64], size: float) -> vtkPolyData:
    """Return words as triangles.

    Args:
        words: what is written.
        place: (3,) mm; middle of the words.
        axes: (3, 3) no unit; rows: to the right, up, to the viewer.
        size: mm; height of a letter.
    """
    text = vtkVectorText()
    text.SetText(words)
    text.Update()
    data = vtkPolyData()
    data.DeepCopy(text.GetOutput())
    flat = vtk_to_numpy(data.GetPoints().GetData()).astype(np.float64)
    flat = (flat - 0.5 * (flat.min(axis=0) + flat.max(axis=0))) * size
    points = vtkPoints()
    points.SetData(numpy_to_vtk((place + flat @ axes).astype(np.float32), deep=True))
    data.SetPoints(points)
    return data
