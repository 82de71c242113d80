"""Triangle meshes from STL, PLY, OBJ and VTP files (the one place outside the views that uses pyvista, imported when needed; binary
STL, the usual case, needs none)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.errors import InputError, check_choice
from kneeload.subject import mesh_checks as checks
from kneeload.subject.mesh_density import with_density
from kneeload.subject.person import Side
from kneeload.subject.proximity import index_mesh, is_closed, layer_thickness, nearest_on_mesh, thickness_along_rays
from kneeload.subject.surface import ArticularSurface, Body, LayerMaterial, TriangleMesh

MESH_ENDINGS = (".stl", ".ply", ".obj", ".vtp")
_STL_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_MERGE_STEPS = 2**20  # points of one cell of this many along the longest side are one point (0.1 micrometre on a knee)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeshFile:
    """A mesh as read.

    Attributes:
        mesh: merged and cleaned, mm, frame of the file.
        kept: (m,) no unit; the number in the file of each triangle of `mesh`.
        count: triangles in the file.
    """

    mesh: TriangleMesh
    kept: NDArray[np.int64]
    count: int


def read_mesh(path: Path, *, length_unit: str, mirror: bool = False) -> MeshFile:
    """Read a mesh file; equal points are merged, triangles without area dropped.

    Args:
        path: STL, PLY, OBJ or VTP.
        length_unit: of the file: mm, cm or m.
        mirror: turn z into -z (a left knee into a right one), normals still outwards.

    Raises:
        InputError: no file, another ending, not a mesh, points that are not finite, not the size of a knee, not a manifold, self-intersecting.
    """
    where = str(path)
    scale = checks.check_length_unit(length_unit, where=where)
    raw, faces = _read(path)
    checks.check_points(raw, faces, where=where)
    points = raw * scale
    if mirror:
        points, faces = points * np.array([1.0, 1.0, -1.0]), faces[:, ::-1]
    checks.check_size(points, where=where, length_unit=length_unit)
    mesh, kept = _clean(points, faces)
    checks.check_points(mesh.points, mesh.triangles, where=where)
    checks.check_manifold(mesh, where=where)
    checks.check_crossings(mesh, where=where)
    return MeshFile(mesh=mesh, kept=kept, count=len(faces))


def articular_surface_from_file(
    path: Path, *, length_unit: str, thickness_mm: float | ArrayLike | str, material: LayerMaterial, body: Body,
    name: str | None, bone: TriangleMesh | None, side: Side, mirror: bool, triangles_per_mm2: float | None,
) -> ArticularSurface:
    """Return the articular surface of a file; arguments and errors as in `ArticularSurface.from_mesh`."""
    where = str(path)
    check_choice("body", body, ("femur", "tibia", "patella"), where=where, why="a surface lies in the frame of its bone")
    check_choice("side of the knee", side, ("right", "left"), where=where, why="a knee is one of the two")
    read = read_mesh(path, length_unit=length_unit)
    mesh, kept = read.mesh, read.kept
    if is_closed(mesh):
        checks.check_outwards(mesh, where=where)
    if bone is not None and not is_closed(mesh):
        checks.check_faces_away(mesh, bone, nearest_on_mesh(bone, mesh.centroids), where=where)
    if triangles_per_mm2 is not None:
        mesh, nearest = with_density(mesh, triangles_per_mm2)
        kept = kept[nearest]
    surface = ArticularSurface(
        name=name or path.stem, body=body, mesh=mesh, thickness_mm=_thickness(thickness_mm, mesh, kept, read.count, bone, where), material=material,
        region=np.full(len(mesh.triangles), -1, dtype=np.int8), side=side)
    return surface.mirrored() if mirror else surface


def _thickness(thickness_mm: float | ArrayLike | str, mesh: TriangleMesh, kept: NDArray[np.int64], count: int, bone: TriangleMesh | None,
               where: str) -> NDArray[np.float64]:
    """Layer thickness (m,) mm of the triangles of `mesh`; `kept` (m,) are their numbers among the `count` triangles of the file."""
    if not isinstance(thickness_mm, str):
        return checks.check_thickness(thickness_mm, count, where=where)[kept]
    if thickness_mm not in ("bone", "ray") or bone is None:
        raise InputError("layer thickness", where=where, got=thickness_mm,
                         allowed='above 0 mm, or "bone" (shortest distance) or "ray" (along the normal) together with the mesh of the bone',
                         why="the layer ends where the bone begins")
    index = index_mesh(bone)
    to_bone = nearest_on_mesh(index, mesh.centroids)
    checks.check_near(to_bone, where=where)
    return layer_thickness(to_bone) if thickness_mm == "bone" else thickness_along_rays(mesh, index)


def _read(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Points (n, 3) in the unit of the file and triangles (m, 3)."""
    if path.suffix.lower() not in MESH_ENDINGS:
        raise InputError("surface file", where=str(path), got=path.suffix or "no ending", allowed="one of " + ", ".join(MESH_ENDINGS),
                         why="these are the mesh formats that are read")
    if not path.is_file():
        raise InputError("surface file", where=str(path), got="no such file", allowed="an existing file", why="there is nothing to read")
    stl = _binary_stl(path) if path.suffix.lower() == ".stl" else None
    return _read_with_pyvista(path) if stl is None else stl


def _binary_stl(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Points (3m, 3) and triangles (m, 3) of a binary STL file, whose length says that it is one; None for another file."""
    content = path.read_bytes()
    count = int.from_bytes(content[80:84], "little")
    if count == 0 or len(content) != 84 + _STL_RECORD.itemsize * count:
        return None
    corners = np.frombuffer(content, dtype=_STL_RECORD, offset=84)["corners"]
    return corners.reshape(-1, 3).astype(np.float64), np.arange(3 * count, dtype=np.int64).reshape(-1, 3)


def _read_with_pyvista(path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    import pyvista

    try:
        with pyvista.vtk_verbosity("off"), warnings.catch_warnings(record=True) as complaints:
            warnings.simplefilter("always")
            data = pyvista.read(path)
            surface = data if isinstance(data, pyvista.PolyData) else data.extract_surface()
            surface = surface.triangulate()
            points, faces = np.asarray(surface.points, dtype=np.float64), np.asarray(surface.regular_faces, dtype=np.int64).reshape(-1, 3)
        if any("error while reading" in str(complaint.message) for complaint in complaints):
            raise ValueError("reader error")
    except Exception as problem:
        raise InputError("surface file", where=str(path), got=f"{type(problem).__name__} while reading", allowed="a triangle mesh",
                         why="the file is damaged or is not of the format that its ending says") from problem
    return points, faces


def _clean(points: NDArray[np.float64], faces: NDArray[np.int64]) -> tuple[TriangleMesh, NDArray[np.int64]]:
    """Merge equal points, drop triangles without area and points without triangles; the mesh and the kept triangle numbers."""
    low = points.min(axis=0)
    step = float(np.max(np.ptp(points, axis=0))) / _MERGE_STEPS
    i, j, k = np.round((points - low) / step).astype(np.int64).T
    _, first, same = np.unique((i << 42) | (j << 21) | k, return_index=True, return_inverse=True)
    merged = points[first]
    triangles = same.reshape(-1)[faces]
    a, b, c = (merged[triangles[:, corner]] for corner in range(3))
    kept = np.flatnonzero(np.linalg.norm(np.cross(b - a, c - a), axis=1) > 2.0 * step * step)
    used, local = np.unique(triangles[kept], return_inverse=True)
    return TriangleMesh(points=merged[used], triangles=local.reshape(-1, 3).astype(np.int32)), kept
