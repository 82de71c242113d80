"""Triangle meshes and articular surfaces: geometry with a layer on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Body = Literal["femur", "tibia", "patella"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TriangleMesh:
    """A triangle mesh.

    Attributes:
        points: (n, 3) mm, frame of the body.
        triangles: (m, 3) no unit; point numbers, counter-clockwise seen from outside.
    """

    points: NDArray[np.float64]
    triangles: NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerMaterial:
    """Isotropic elastic layer on a stiff base.

    Attributes:
        youngs_modulus_mpa: Young's modulus, MPa.
        poisson_ratio: Poisson's ratio, no unit, 0 <= nu < 0.5.
    """

    youngs_modulus_mpa: float
    poisson_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArticularSurface:
    """A surface that can touch another: mesh, layer thickness, material, subregion.

    Attributes:
        name: for messages and files.
        body: the bone whose frame the points are in.
        mesh: geometry, mm, frame of the body, normals outwards (towards the joint space).
        thickness_mm: (m,) mm; layer thickness per triangle.
        material: of the layer.
        region: (m,) no unit; index into MOAKS_REGIONS per triangle, -1 outside all.
    """

    name: str
    body: Body
    mesh: TriangleMesh
    thickness_mm: NDArray[np.float64]
    material: LayerMaterial
    region: NDArray[np.int8]
