"""knee.vtm with its parts, and knee.pvd with every frame: the posed knee for ParaView and other programs that read VTK files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.surface import ArticularSurface, Body
from kneeload.views.scene import Scene, body_pose, casting_surfaces, cycle_percent, frame_count, peak_frame, placed, shown
from kneeload.views.shading import femur_pressure, surface_points, triangle_centres

if TYPE_CHECKING:
    import pyvista as pv


def write_vtk(folder: Path | str, scene: Scene) -> list[Path]:
    """Write `knee.vtm` and one .vtp file per surface and bone into `folder`; returns the files, knee.vtm first.

    Everything is posed in the femur frame (mm; x anterior, y proximal, z lateral in a right knee and medial in a left one, which is
    written as the mirror image) at the frame of peak tibiofemoral force. Arrays per cell, with NaN where there is no value:
    contact_pressure_mpa (in that frame), highest_contact_pressure_mpa (over the cycle, not on the femur), cartilage_thickness_mm (for a
    meniscus the height of the wedge), moaks_region (number in the list moaks_region_names, -1 outside), daily_dose_mpa_s and
    risk_24mo of the region when they are known. The field data femur_from_body is the pose of the part's own body in that frame, row by row, as
    `kneeload.views.comparison` needs it.
    """
    folder = Path(folder)
    parts = vtk_parts(scene)
    (folder / "knee").mkdir(parents=True, exist_ok=True)
    files = [folder / "knee.vtm"]
    for name, part in parts.items():
        files.append(folder / "knee" / f"{name}.vtp")
        part.save(files[-1], binary=True)
    files[0].write_text(_multiblock(list(parts)), encoding="utf-8")
    return files


def vtk_parts(scene: Scene) -> dict[str, pv.PolyData]:
    """The parts that `write_vtk` writes, by name, with their arrays."""
    frame = peak_frame(scene, "tibiofemoral")
    parts: dict[str, pv.PolyData] = {}
    bodies: dict[str, Body] = {}
    for name, surface in {"femur": scene.anatomy.femur, **casting_surfaces(scene.anatomy)}.items():
        points = surface.mesh.points if name == "femur" else surface_points(scene, name, frame)
        parts[name], bodies[name] = _posed(scene, points, surface.mesh.triangles, surface.body, frame), surface.body
        parts[name].cell_data.update(_cell_arrays(scene, name, surface, frame))  # type: ignore[arg-type]
    for name, mesh in scene.anatomy.bones.items():
        parts[f"bone_{name}"], bodies[f"bone_{name}"] = _posed(scene, mesh.points, mesh.triangles, name, frame), name  # type: ignore[arg-type,assignment]
    for name, part in parts.items():
        _describe(part, scene, frame)
        part.field_data["femur_from_body"] = _seen_pose(body_pose(scene, bodies[name], frame), scene).ravel()
    return parts


def _seen_pose(pose: NDArray[np.float64], scene: Scene) -> NDArray[np.float64]:
    """(4, 4) no unit / mm; the pose of a body as shown: that of the mirror image for a left knee."""
    mirror = np.diag([1.0, 1.0, 1.0 if scene.side == "right" else -1.0, 1.0])
    return mirror @ pose @ mirror


def write_vtk_series(folder: Path | str, scene: Scene) -> list[Path]:
    """Write `knee.pvd` and `knee_series/frame_000.vtp`, ... into `folder`: every frame of the cycle; returns the files, knee.pvd first.

    ParaView opens knee.pvd as a time series whose time is the percent of the cycle. A frame holds the femur and all casting surfaces, posed
    in the femur frame as in `write_vtk` (mm), in one mesh. Arrays per cell: contact_pressure_mpa, moaks_region (-1 outside) and surface,
    a number in the list surface_names of the field data.
    """
    folder = Path(folder)
    (folder / "knee_series").mkdir(parents=True, exist_ok=True)
    surfaces = {"femur": scene.anatomy.femur, **casting_surfaces(scene.anatomy)}
    femoral = triangle_centres(scene.anatomy.femur.mesh)
    files = [folder / "knee.pvd"]
    for frame in range(frame_count(scene)):
        whole = _frame(scene, surfaces, femoral, frame)
        whole.field_data["surface_names"] = list(surfaces)
        _describe(whole, scene, frame)
        files.append(folder / "knee_series" / f"frame_{frame:03d}.vtp")
        whole.save(files[-1], binary=True)
    times = [cycle_percent(scene, frame) for frame in range(frame_count(scene))]
    files[0].write_text(_collection(times, [file.name for file in files[1:]]), encoding="utf-8")
    return files


def _frame(scene: Scene, surfaces: dict[str, ArticularSurface], femoral: NDArray[np.float64], frame: int):  # type: ignore[no-untyped-def]
    """All surfaces of a frame as one mesh with its arrays per cell."""
    import pyvista as pv

    points, corners, pressure = [], [], []
    count = 0
    for name, surface in surfaces.items():
        at = surface.mesh.points if name == "femur" else surface_points(scene, name, frame)
        seen, faces = shown(placed(at, body_pose(scene, surface.body, frame)), surface.mesh.triangles, scene.side)
        points.append(seen)
        corners.append(faces + count)
        pressure.append(femur_pressure(scene, frame, femoral) if name == "femur" else _field(scene, name, len(faces))[frame])
        count += len(seen)
    mesh = pv.PolyData.from_regular_faces(np.concatenate(points).astype(np.float32), np.ascontiguousarray(np.concatenate(corners)))  # type: ignore[arg-type]
    mesh.cell_data["contact_pressure_mpa"] = np.concatenate(pressure).astype(np.float32)
    mesh.cell_data["moaks_region"] = np.concatenate([surface.region for surface in surfaces.values()]).astype(np.int8)
    mesh.cell_data["surface"] = np.repeat(np.arange(len(surfaces), dtype=np.uint8), [len(surface.mesh.triangles) for surface in surfaces.values()])
    return mesh


def _field(scene: Scene, name: str, triangles: int) -> NDArray[np.float32]:
    """Pressure (T, m) MPa on a casting surface, zeros where the contact has no such field."""
    found = [field.pressure for field in scene.contact.fields if field.name == name]
    return found[0] if found else np.zeros((frame_count(scene), triangles), np.float32)


def _posed(scene: Scene, points: NDArray[np.float64], triangles: NDArray[np.int32], body: Body, frame: int):  # type: ignore[no-untyped-def]
    import pyvista as pv

    seen, corners = shown(placed(points, body_pose(scene, body, frame)), triangles, scene.side)
    return pv.PolyData.from_regular_faces(seen, np.ascontiguousarray(corners))  # type: ignore[arg-type]


def _cell_arrays(scene: Scene, name: str, surface: ArticularSurface, frame: int) -> dict[str, NDArray[np.generic]]:
    """Arrays per triangle, (m,), named with their units."""
    arrays: dict[str, NDArray[np.generic]] = {}
    if name == "femur":
        arrays["contact_pressure_mpa"] = femur_pressure(scene, frame, triangle_centres(surface.mesh)).astype(np.float32)
    else:
        pressure = _field(scene, name, len(surface.mesh.triangles))
        arrays["contact_pressure_mpa"] = pressure[frame].astype(np.float32)
        arrays["highest_contact_pressure_mpa"] = pressure.max(axis=0).astype(np.float32)
    arrays["cartilage_thickness_mm"] = surface.thickness_mm.astype(np.float32)
    arrays["moaks_region"] = surface.region.astype(np.int32)
    for label, values in (("daily_dose_mpa_s", scene.daily_dose), ("risk_24mo", scene.risk_24mo)):
        if values is not None:
            arrays[label] = np.append(values, np.nan)[surface.region].astype(np.float32)  # region -1 picks the NaN at the end
    return arrays


def _describe(part, scene: Scene, frame: int) -> None:  # type: ignore[no-untyped-def]
    part.field_data["frame_of_reference"] = ["femur, mm, x anterior, y proximal, z " + ("lateral" if scene.side == "right" else "medial")]
    part.field_data["side"] = [scene.side]
    part.field_data["cycle_percent"] = [cycle_percent(scene, frame)]
    part.field_data["moaks_region_names"] = list(MOAKS_REGIONS)


def _multiblock(names: list[str]) -> str:
    blocks = "\n".join(f'    <DataSet index="{number}" name="{name}" file="knee/{name}.vtp"/>' for number, name in enumerate(names))
    return ('<?xml version="1.0"?>\n<VTKFile type="vtkMultiBlockDataSet" version="1.0" byte_order="LittleEndian" header_type="UInt32">\n'
            f"  <vtkMultiBlockDataSet>\n{blocks}\n  </vtkMultiBlockDataSet>\n</VTKFile>\n")


def _collection(times: list[float], names: list[str]) -> str:
    steps = "\n".join(f'    <DataSet timestep="{time:g}" file="knee_series/{name}"/>' for time, name in zip(times, names))
    return ('<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1" byte_order="LittleEndian">\n'
            f"  <Collection>\n{steps}\n  </Collection>\n</VTKFile>\n")
