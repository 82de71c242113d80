"""Files of an answer for the browser: made in a folder that ends with the call, nothing is left on this machine."""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

from kneeload import exports, report
from kneeload.errors import check_choice
from kneeload.result import KneeResult
from kneeload.views.app.contract import Export

_TYPES = {".html": "text/html", ".pdf": "application/pdf", ".png": "image/png", ".gif": "image/gif", ".mp4": "video/mp4", ".json": "application/json", ".zip": "application/zip"}
_FIRST = {"png": "stress.png", "json": "summary.json"}  # kinds of which one file is handed over, and which
KINDS = ("html", "pdf", "png", "maps", "animation", "csv", "json", "vtk")


def export(result: KneeResult, kind: str) -> Export:
    """Return a file.

    Args:
        result: what was simulated.
        kind: report "html" or "pdf", stress picture "png", flat "maps", "animation" over the cycle, tables "csv" (zip), numbers "json", or the series of every frame
            for ParaView "vtk" (zip).

    Raises:
        InputError: another kind.
    """
    check_choice("kind of file", kind, KINDS, where="export", why="the page makes no other")
    with tempfile.TemporaryDirectory(prefix="kneeload_") as name:
        folder = Path(name)
        if kind in ("html", "pdf"):
            return _file(report.write_report(result, folder / f"kneeload_report.{kind}"))
        paths = exports.export(result, "vtk_series" if kind == "vtk" else kind, folder)
        if kind in ("csv", "vtk"):
            return Export(f"kneeload_{'tables' if kind == 'csv' else 'paraview'}.zip", _TYPES[".zip"], _zip(folder))
        wanted = [path for path in paths if path.name == _FIRST.get(kind)]
        return _file((wanted or paths)[0])


def _file(path: Path) -> Export:
    name = path.name if path.name.startswith("kneeload_") else f"kneeload_{path.name}"
    return Export(name, _TYPES.get(path.suffix, "application/octet-stream"), path.read_bytes())


def _zip(folder: Path) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(path, str(path.relative_to(folder)))
    return stream.getvalue()
