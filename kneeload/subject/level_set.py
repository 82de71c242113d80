"""A smooth implicit surface: signed distance on a grid of quadratic B-spline coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelSet:
    """Signed distance to a surface as a triquadratic B-spline (value and gradient continuous everywhere).

    phi(x) = sum_ijk c[i,j,k] B(u - i) B(v - j) B(w - k), (u, v, w) = (x - origin) / spacing, B the centred quadratic
    B-spline with support (-1.5, 1.5). Outside is positive. Read-only arrays.

    Attributes:
        coefficients: (nx, ny, nz) mm, frame of the body; c above.
        origin_mm: (3,) mm, frame of the body; the position of node (0, 0, 0).
        spacing_mm: node distance, mm, the same along the three axes.
        thickness_mm: (nx, ny, nz) mm; cartilage thickness at the surface point nearest to the node (0 on bare bone).
        nearest_triangle: (nx, ny, nz) no unit; triangle of the surface mesh nearest to the node, -1 outside the band where phi is a true distance.
        band_mm: half width of that band, mm.
    """

    coefficients: NDArray[np.float64]
    origin_mm: NDArray[np.float64]
    spacing_mm: float
    thickness_mm: NDArray[np.float32]
    nearest_triangle: NDArray[np.int32]
    band_mm: float
