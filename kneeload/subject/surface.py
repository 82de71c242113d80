"""Triangle meshes and articular surfaces: geometry with a layer on it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.errors import InputError
from kneeload.subject.person import Side

Body = Literal["femur", "tibia", "patella"]
_Facets = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]  # centres, normals, areas


def _read_only(values: ArrayLike, dtype: type) -> NDArray:
    array: NDArray = np.ascontiguousarray(values, dtype=dtype).view()
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TriangleMesh:
    """A triangle mesh.

    Attributes:
        points: (n, 3) mm, frame of the body.
        triangles: (m, 3) no unit; point numbers, counter-clockwise seen from outside.
    """

    points: NDArray[np.float64]
    triangles: NDArray[np.int32]
    _facets: _Facets | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _read_only(self.points, np.float64))
        object.__setattr__(self, "triangles", _read_only(self.triangles, np.int32))

    @property
    def centroids(self) -> NDArray[np.float64]:
        """Centres of the triangles, (m, 3) mm, frame of the body; read-only."""
        return self._measured()[0]

    @property
    def area_vectors(self) -> NDArray[np.float64]:
        """Outward normals times areas, (m, 3) mm2, frame of the body."""
        a, b, c = (self.points[self.triangles[:, k]] for k in range(3))
        return 0.5 * np.cross(b - a, c - a)

    @property
    def areas(self) -> NDArray[np.float64]:
        """Areas of the triangles, (m,) mm2; read-only."""
        return self._measured()[2]

    @property
    def normals(self) -> NDArray[np.float64]:
        """Outward unit normals, (m, 3) no unit, frame of the body (zero for a triangle without area); read-only."""
        return self._measured()[1]

    def _measured(self) -> _Facets:
        """Centres, normals and areas, measured when first asked for and kept: points and triangles never change."""
        if self._facets is None:
            from kneeload.kernels.patches import fill_facets  # only here: Numba takes a second to load

            count = len(self.triangles)
            centre, normal, area = np.empty((count, 3)), np.empty((count, 3)), np.empty(count)
            fill_facets(self.points, self.triangles, centre, normal, area)
            object.__setattr__(self, "_facets", (_read_only(centre, np.float64), _read_only(normal, np.float64), _read_only(area, np.float64)))
        assert self._facets is not None
        return self._facets

    @property
    def volume_mm3(self) -> float:
        """Enclosed volume by the divergence theorem, mm3; negative for a closed mesh that is inside out."""
        middle = self.points.mean(axis=0)
        return float(np.einsum("mi,mi->", self.centroids - middle, self.area_vectors) / 3.0)

    def transformed(self, rotation: ArrayLike, translation_mm: ArrayLike) -> TriangleMesh:
        """Return the mesh at x' = R x + t; R (3, 3) without unit, t (3,) in mm; a reflection turns the triangles over."""
        turn = np.asarray(rotation, dtype=np.float64)
        triangles = self.triangles[:, ::-1] if np.linalg.det(turn) < 0.0 else self.triangles
        return TriangleMesh(points=self.points @ turn.T + np.asarray(translation_mm, dtype=np.float64), triangles=triangles)

    def mirrored(self) -> TriangleMesh:
        """Return the mirror image z -> -z (a left knee as a right one), normals still outwards."""
        return self.transformed(np.diag([1.0, 1.0, -1.0]), np.zeros(3))

    def selected(self, keep: NDArray) -> TriangleMesh:
        """Return the mesh of the kept triangles only; `keep` is (m,) bool or triangle numbers. Unused points are dropped."""
        kept = self.triangles[keep]
        used, local = np.unique(kept, return_inverse=True)
        return TriangleMesh(points=self.points[used], triangles=local.reshape(-1, 3).astype(np.int32))


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerMaterial:
    """Isotropic elastic layer on a stiff base.

    Attributes:
        youngs_modulus_mpa: Young's modulus, MPa.
        poisson_ratio: Poisson's ratio, no unit, 0 <= nu < 0.5.
    """

    youngs_modulus_mpa: float
    poisson_ratio: float

    def __post_init__(self) -> None:
        if not 0.0 < self.youngs_modulus_mpa < np.inf:
            raise InputError("Young's modulus of a layer", where="youngs_modulus_mpa", got=self.youngs_modulus_mpa, allowed="above 0 MPa",
                             why="a layer without stiffness carries no load")
        if not 0.0 <= self.poisson_ratio < 0.5:
            raise InputError("Poisson's ratio of a layer", where="poisson_ratio", got=self.poisson_ratio, allowed="at least 0 and below 0.5",
                             why="the confined modulus E(1-nu)/((1+nu)(1-2nu)) of the elastic foundation is infinite at 0.5")

    @property
    def confined_modulus_mpa(self) -> float:
        """Modulus of a layer that cannot spread sideways, E(1-nu)/((1+nu)(1-2nu)), MPa (Bei and Fregly 2004, PMC1680082)."""
        nu = self.poisson_ratio
        return self.youngs_modulus_mpa * (1.0 - nu) / ((1.0 + nu) * (1.0 - 2.0 * nu))


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
        side: of the knee that the points show, right (z lateral) or left (z medial).
    """

    name: str
    body: Body
    mesh: TriangleMesh
    thickness_mm: NDArray[np.float64]
    material: LayerMaterial
    region: NDArray[np.int8]
    side: Side = "right"

    def __post_init__(self) -> None:
        count = len(self.mesh.triangles)
        object.__setattr__(self, "thickness_mm", _read_only(self.thickness_mm, np.float64))
        object.__setattr__(self, "region", _read_only(self.region, np.int8))
        for what, shape in (("layer thickness", self.thickness_mm.shape), ("region", self.region.shape)):
            if shape != (count,):
                raise InputError(what, where=self.name, got=shape, allowed=f"one value for each of {count} triangles", why="it varies over the surface")
        if not (np.all(np.isfinite(self.thickness_mm)) and np.all(self.thickness_mm >= 0.0)):
            raise InputError("layer thickness", where=self.name, got=float(np.min(self.thickness_mm)), allowed="finite and not negative, in mm",
                             why="it divides the depth of the contact")

    @classmethod
    def from_mesh(
        cls,
        path: str | Path,
        *,
        length_unit: str,
        thickness_mm: float | ArrayLike | Literal["bone", "ray"],
        material: LayerMaterial,
        body: Body = "tibia",
        name: str | None = None,
        bone: TriangleMesh | None = None,
        side: Side = "right",
        mirror: bool = False,
        triangles_per_mm2: float | None = None,
    ) -> ArticularSurface:
        """Read a surface from an STL, PLY, OBJ or VTP file; duplicate points are merged, triangles without area dropped.

        Args:
            path: the file, in the frame of its bone (right knee: x anterior, y proximal, z lateral), normals towards the joint space.
            length_unit: of the file: mm, cm or m.
            thickness_mm: above 0, mm: one number, one per triangle of the file, "bone" for the shortest distance to `bone`, or "ray" for the
                distance to it along the inward normal (both within 1 and 10 mm).
            material: of the layer.
            body: femur, tibia or patella.
            name: default the file's name without its ending.
            bone: the bone behind the surface, mm, in the frame of the file; a closed mesh with outward normals. With it the facing of an
                open surface is checked.
            side: of the knee in the file.
            mirror: turn z into -z, so that a left knee becomes a right one (or the other way round).
            triangles_per_mm2: refine or coarsen to this density; None keeps the triangles of the file (see `kneeload.subject.mesh_density`).

        Raises:
            InputError: no file, not a mesh, wrong unit or size, NaN, inside out, self-intersecting, more than two triangles at an edge,
                thickness not positive, an open surface that faces its bone, an absurd density.
        """
        from kneeload.subject.mesh_reading import articular_surface_from_file

        return articular_surface_from_file(Path(path), length_unit=length_unit, thickness_mm=thickness_mm, material=material,
                                           body=body, name=name, bone=bone, side=side, mirror=mirror, triangles_per_mm2=triangles_per_mm2)

    @property
    def centroids(self) -> NDArray[np.float64]:
        """Centres of the triangles, (m, 3) mm, frame of the body."""
        return self.mesh.centroids

    @property
    def normals(self) -> NDArray[np.float64]:
        """Outward unit normals, (m, 3) no unit, frame of the body."""
        return self.mesh.normals

    @property
    def areas(self) -> NDArray[np.float64]:
        """Areas of the triangles, (m,) mm2."""
        return self.mesh.areas

    @property
    def area_mm2(self) -> float:
        """Area of the whole surface, mm2."""
        return float(self.mesh.areas.sum())

    def transformed(self, rotation: ArrayLike, translation_mm: ArrayLike) -> ArticularSurface:
        """Return the surface at x' = R x + t; R (3, 3) without unit, t (3,) in mm."""
        return replace(self, mesh=self.mesh.transformed(rotation, translation_mm))

    def mirrored(self) -> ArticularSurface:
        """Return the mirror image z -> -z of the other side, normals still outwards; the region labels stay (medial stays medial)."""
        return replace(self, mesh=self.mesh.mirrored(), side="left" if self.side == "right" else "right")

    def selected(self, keep: NDArray) -> ArticularSurface:
        """Return the surface of the kept triangles only; `keep` is (m,) bool or triangle numbers."""
        return replace(self, mesh=self.mesh.selected(keep), thickness_mm=self.thickness_mm[keep], region=self.region[keep])
