"""A result as files, one kind at a time or all in one archive: for the command line, the page and Python."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kneeload.errors import InputError, check_choice
from kneeload.outlook import outlook_summary
from kneeload.result import KneeResult
from kneeload.run_folder import draw_asked_pictures, draw_pictures, scene_of, write_tables

if TYPE_CHECKING:
    from kneeload.views.picture_settings import PictureSettings

_CONTENTS = {  # kind: what it holds, whether it needs contact
    "json": ("summary.json: the numbers", False), "csv": ("waveforms, contact, regions and course as tables", False), "png": ("the pictures of a run", False),
    "vector": ("forces.svg and forces.pdf", False), "maps": ("maps.png: plateau and kneecap unrolled", True), "stills": ("pictures for print", True),
    "animation": ("knee.gif or knee.mp4: the cycle", True), "vtk": ("knee.vtm and zones.vtm for ParaView", True), "vtk_series": ("knee.pvd: every frame, for ParaView", True),
}
KINDS = (*_CONTENTS, "zip")
STILLS = ("tibia_superior", "femur_inferior", "patella_posterior", "knee_oblique")  # when none are chosen


def export(result: KneeResult, kind: str, folder: Path | str, settings: PictureSettings | None = None) -> list[Path]:
    """Write one kind of files of a result into a folder (made if needed) and return them, the one to open first.

    Args:
        result: what was simulated.
        kind: "json" (summary), "csv" (tables), "png" (usual pictures), "vector" (curves as SVG and PDF), "maps" (unrolled plateau and kneecap), "stills" (for print),
            "animation", "vtk" (ParaView, at the peak), "vtk_series" (ParaView, every frame), or "zip": kneeload.zip with all but the series and the animation.
        folder: files of the same names are not written over.
        settings: size, frame, colour scale and stills, see `PictureSettings`.

    Raises:
        InputError: an unknown kind, a kind that needs contact for a result without it, or a file that is there already.
    """
    check_choice("kind of export", kind, KINDS, where="kind", why="kneeload writes no other")
    folder = Path(folder)
    if kind in _CONTENTS and _CONTENTS[kind][1] and result.main.contact is None:
        raise InputError("export", where="kind", got=kind, allowed="one of " + ", ".join(name for name, (_, needs) in _CONTENTS.items() if not needs) + ", zip for a result without contact",
                         why="it shows contact pressure")
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "zip":
        return [export_zip(result, folder / "kneeload.zip", settings=settings)]
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as place:
        made = _write(result, kind, Path(place), settings)
        names = [path.relative_to(place) for path in made]
        taken = next((name for name in names if (folder / name).exists()), None)
        if taken is not None:
            raise InputError("export", where=str(folder), got=str(taken), allowed="a folder without this file", why="an export never writes over another file")
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(place) / name).rename(folder / name)
    return [folder / name for name in names]


def export_zip(result: KneeResult, path: Path | str, kinds: tuple[str, ...] | None = None, settings: PictureSettings | None = None) -> Path:
    """Write several kinds of files of a result into one ZIP archive and return its path.

    Args:
        result: what was simulated.
        path: the archive; must not be there yet.
        kinds: see `export`; None takes all that the result allows but "vtk_series" (about 100 files, 40 MB) and "animation".
        settings: see `export`.
    """
    path = Path(path)
    if kinds is None:
        kinds = tuple(name for name, (_, needs) in _CONTENTS.items() if name not in ("vtk_series", "animation") and not (needs and result.main.contact is None))
    if path.exists():
        raise InputError("export", where=str(path.parent), got=path.name, allowed="a file that is not there yet", why="an export never writes over another file")
    with tempfile.TemporaryDirectory() as place:
        for kind in kinds:
            export(result, kind, place, settings)
        with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
            for file in sorted(item for item in Path(place).rglob("*") if item.is_file()):
                archive.write(file, file.relative_to(place))
    return path


def _write(result: KneeResult, kind: str, folder: Path, settings: PictureSettings | None) -> list[Path]:
    from dataclasses import replace

    from kneeload.views.picture_settings import PictureSettings

    asked = settings or PictureSettings()
    bare = replace(asked, flat=False, stills=(), vector=False, animation=False)
    chosen: dict[str, dict[str, Any]] = {"vector": {"vector": True}, "maps": {"flat": True}, "stills": {"stills": asked.stills or STILLS}, "animation": {"animation": True}}
    summary = result.summary() | outlook_summary(result)
    if kind in chosen:
        return draw_asked_pictures(result, summary, folder, replace(bare, **chosen[kind]), usual=False)[0]
    if kind == "png":
        return list(draw_pictures(result, summary, folder, limit_mpa=asked.pressure_max_mpa)[1].values())
    if kind in ("json", "csv"):
        return [path for path in write_tables(result, summary, folder) if path.suffix == f".{kind}"]
    writers: dict[str, Callable[[KneeResult, dict[str, Any], Path], list[Path]]] = {"vtk": _vtk, "vtk_series": _series}
    return writers[kind](result, summary, folder)


def _vtk(result: KneeResult, summary: dict[str, Any], folder: Path) -> list[Path]:
    from kneeload.views.vtk_files import write_vtk
    from kneeload.views.zones import zones_file

    scene, zones = scene_of(result, summary), result.zones()
    return [*write_vtk(folder, scene), *([] if zones is None else zones_file(scene, zones, folder))]


def _series(result: KneeResult, summary: dict[str, Any], folder: Path) -> list[Path]:
    from kneeload.views.vtk_files import write_vtk_series

    return write_vtk_series(folder, scene_of(result, summary))
