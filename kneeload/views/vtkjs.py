"""A solid as the scene of a vtk.js page, written as plain data: neither VTK nor OpenGL is needed to make it.

The format is that of vtk.js's synchronizable render window, as trame-vtk writes it (BSD licence, Kitware): objects with properties, calls and
dependencies, and arrays by their names, together in one zip file that the static viewer of trame-vtk reads.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.views.solid import Solid, SolidPart

_ICONS = "https://kitware.github.io/vtk-js/icon/favicon-"  # the viewer asks for icons of that site: a report asks nobody for anything
_TYPES = {"float32": "Float32Array", "int32": "Int32Array", "uint8": "Uint8Array"}
_FIELD, _DIRECT, _BY_NAME = 3, 2, 1  # vtk.js: ScalarMode USE_POINT_FIELD_DATA, ColorMode DIRECT_SCALARS, array access BY_NAME


def viewer_script() -> str | None:
    """The program of trame-vtk's static viewer (vtk.js), or None where trame-vtk is not installed or has another form."""
    found = importlib.util.find_spec("trame_vtk")
    if found is None or not found.submodule_search_locations:
        return None
    file = Path(next(iter(found.submodule_search_locations))) / "tools" / "static_viewer.html"
    if not file.is_file():
        return None
    _, opened, rest = file.read_text(encoding="utf-8").partition('<script type="module">')
    script, closed, _ = rest.rpartition("</script>")
    return script.replace(_ICONS, "data:,") if opened and closed and "OfflineLocalView" in script else None


def solid_archive(solid: Solid) -> bytes:
    """The solid as a zip file with one index.json, ready for `OfflineLocalView.load`; points in mm, colours as bytes."""
    arrays: dict[str, dict[str, Any]] = {}
    actors = [_actor(part, number, solid.maps[0].key, arrays) for number, part in enumerate(solid.parts)]
    camera = {"parent": "renderer", "id": "camera", "type": "vtkCamera",
              "properties": {"focalPoint": [0.0, 0.0, 0.0], "position": [400.0, 150.0, 0.0], "viewUp": [0.0, 1.0, 0.0], "clippingRange": [1.0, 2000.0]}}
    renderer = {"parent": "window", "id": "renderer", "type": "vtkRenderer",
                "properties": {"background": [1.0, 1.0, 1.0], "viewport": [0.0, 0.0, 1.0, 1.0], "twoSidedLighting": 1, "lightFollowCamera": 1, "layer": 0, "interactive": 1},
                "dependencies": [camera, *actors], "calls": [["setActiveCamera", ["instance:${camera}"]], *(["addViewProp", [f"instance:${{{actor['id']}}}"]] for actor in actors)]}
    window = {"parent": "0x0", "id": "window", "type": "vtkRenderWindow", "properties": {"numberOfLayers": 1}, "dependencies": [renderer],
              "calls": [["addRenderer", ["instance:${renderer}"]]], "mtime": 1}
    text = json.dumps({"scene": window, "hashes": arrays}, separators=(",", ":"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.writestr(zipfile.ZipInfo("index.json", (1980, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED, 6)
    return buffer.getvalue()


def _actor(part: SolidPart, number: int, first: str, arrays: dict[str, dict[str, Any]]) -> dict[str, Any]:
    actor, mapper, surface, look = (f"{kind}{number}" for kind in ("actor", "mapper", "surface", "look"))
    cells = np.concatenate([np.full((len(part.triangles), 1), 3, np.int32), part.triangles], axis=1).astype(np.int32)
    fields = [{**_array(arrays, f"{number}-{key}", rgb, "vtkDataArray", key), "location": "pointData", "registration": "setScalars" if key == first else "addArray"}
              for key, rgb in _distinct(part.rgb, first).items()]
    data = {"parent": mapper, "id": surface, "type": "vtkPolyData",
            "properties": {"points": _array(arrays, f"{number}-points", part.points, "vtkPoints", "Points"), "polys": _array(arrays, f"{number}-cells", cells.ravel(), "vtkCellArray", "cells"),
                           "fields": fields}}
    paint = {"parent": actor, "id": mapper, "type": "vtkMapper",
             "properties": {"scalarVisibility": 1, "scalarMode": _FIELD, "colorMode": _DIRECT, "arrayAccessMode": _BY_NAME, "colorByArrayName": first, "interpolateScalarsBeforeMapping": 0},
             "dependencies": [data], "calls": [["setInputData", [f"instance:${{{surface}}}"]]]}
    shade = {"parent": actor, "id": look, "type": "vtkProperty", "properties": {"representation": 2, "lighting": 0, "ambient": 1.0, "diffuse": 0.0, "specular": 0.0, "opacity": 1.0}}
    return {"parent": "renderer", "id": actor, "type": "vtkActor", "properties": {"visibility": 1, "position": [0.0, 0.0, 0.0]}, "dependencies": [paint, shade],
            "calls": [["setMapper", [f"instance:${{{mapper}}}"]], ["setProperty", [f"instance:${{{look}}}"]]]}


def _distinct(rgb: Mapping[str, NDArray[np.uint8]], first: str) -> dict[str, NDArray[np.uint8]]:
    """The colours by map; a part that looks the same in all maps keeps those of the first only."""
    same = all(np.array_equal(colours, rgb[first]) for colours in rgb.values())
    return {first: rgb[first]} if same else dict(rgb)


def _array(arrays: dict[str, dict[str, Any]], key: str, values: NDArray[Any], kind: str, name: str) -> dict[str, Any]:
    """Keep an array under a key and return what a scene says about it."""
    components = 1 if values.ndim == 1 else values.shape[1]
    arrays[key] = {"hash": key, "type": _TYPES[values.dtype.name], "vtk": kind, "content": base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")}
    return {"hash": key, "vtkClass": kind, "name": name, "dataType": _TYPES[values.dtype.name], "numberOfComponents": components, "size": int(values.size),
            "ranges": [{"min": float(values.min(initial=0)), "max": float(values.max(initial=0)), "component": None}]}
