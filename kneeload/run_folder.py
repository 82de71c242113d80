"""The run folder: summary.json, waveforms.csv, regions.csv, pictures, VTK files and the report."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kneeload.errors import InputError
from kneeload.finite_element_study import finite_element_columns, finite_element_study
from kneeload.outlook import course_columns, outlook_summary
from kneeload.result import KneeResult, version_of_kneeload

if TYPE_CHECKING:
    from kneeload.views.scene import Scene

SUMMARY_KEYS = ("version", "status", "error", "subject", "activity", "interventions", "notes", "loads", "contact", "bone", "lesion", "pain", "change", "timing", "agreement", "provenance",
                "course", "panel")


def write_run(result: KneeResult, folder: Path, *, pictures: bool = True, vtk: bool = True, vtk_series: bool = False,
              report: bool = True) -> list[str]:
    """Write a result into `folder` (made if needed) and return notes for the reader, such as why a picture is flat.

    Raises:
        InputError: the folder already holds a run, or the finite elements that the case asks for cannot be computed (nothing is written then).
    """
    solids = finite_element_study(result)
    folder.mkdir(parents=True, exist_ok=True)
    summary = result.summary() | outlook_summary(result)
    _write_json(folder / "summary.json", summary)
    _write_table(folder / "waveforms.csv", result.waveforms())
    if result.regions():
        _write_table(folder / "regions.csv", result.regions())
    if result.main.contact is not None:
        _write_table(folder / "contact.csv", result.contact_places())
        _write_table(folder / "course.csv", course_columns(result))
    if solids:
        _write_table(folder / "finite_elements.csv", finite_element_columns(result))
    notes: list[str] = []
    drawn: dict[str, Path] = {}
    if pictures:
        notes, drawn = _draw(result, summary, folder)
    notes = [*result.case.notes, *notes]
    if result.case.calibration is not None:
        notes = [result.case.calibration.sentence(), *notes]
    if vtk and result.main.contact is not None:
        from kneeload.views.vtk_files import write_vtk
        from kneeload.views.zones import zones_file

        write_vtk(folder, scene_of(result, summary))
        zones = result.zones()
        if zones is not None:
            zones_file(scene_of(result, summary), zones, folder)
    if vtk and solids:
        from kneeload.views.bone_files import write_bones

        write_bones(folder, scene_of(result, summary), solids)
    if vtk_series and result.main.contact is not None:
        from kneeload.views.vtk_files import write_vtk_series

        write_vtk_series(folder, scene_of(result, summary))
    if report:
        from kneeload.views.report import write_report

        write_report(folder / "report.html", summary, **drawn, notes=notes)
    return notes


def scene_of(result: KneeResult, summary: dict[str, Any]) -> Scene:
    """Return what a picture of this result needs (the contact must have been computed)."""
    from kneeload.views.scene import Scene
    from kneeload.views.wording import person_line

    if result.main.contact is None:
        raise InputError("contact", where="contact", got="none", allowed="a result with contact", why="a stress map shows pressures")
    return Scene(anatomy=result.anatomy, contact=result.main.contact, side=result.case.subject.side, subject=person_line(summary), activity=result.case.activity.name,
                 interventions=result.case.interventions, body_weight_n=result.case.subject.body_weight_n,
                 daily_dose=None if result.bone is None else result.bone.daily_dose, risk_24mo=None if result.lesion is None else result.lesion.risk_24mo)


def _draw(result: KneeResult, summary: dict[str, Any], folder: Path) -> tuple[list[str], dict[str, Path]]:
    """Draw what there is and return the notes, each once, and the files by the names that `write_report` knows."""
    from kneeload.views.curves import draw_curves, knee_curves

    before, notes = result.before, []
    files = {"forces": draw_curves(
        folder / "forces.png", knee_curves(result.main.motion, result.main.loads, result.main.contact), title=_title(result, summary),
        body_weight_n=result.case.subject.body_weight_n, before=None if before is None else knee_curves(before.main.motion, before.main.loads, before.main.contact))}
    if result.main.contact is not None:
        from kneeload.views.stress import draw_stress

        picture = draw_stress(folder / "stress.png", scene_of(result, summary))
        files["stress"], notes = picture.path, [picture.note]
    zones = result.zones()
    if zones is not None:
        from kneeload.views.course import draw_course
        from kneeload.views.zones import zones_picture

        found = zones_picture(scene_of(result, summary), zones, folder / "zones.png")
        files["zones"], notes = found.path, [*notes, found.note]
        files["course"] = draw_course(folder / "course.png", summary["course"], title=_title(result, summary, "how lesions may go on"))
    return list(dict.fromkeys(note for note in notes if note)), files


def _title(result: KneeResult, summary: dict[str, Any], what: str = "") -> str:
    from kneeload.views.wording import person_line

    changes = [f"with {name.replace('_', ' ')}" for name in result.case.interventions]
    return ", ".join([person_line(summary), what or result.case.activity.name.replace("_", " "), *changes])


def write_failure(folder: Path, sentence: str) -> None:
    """Write a summary.json with status "failed" and the sentence, unless the folder holds a summary already."""
    path = folder / "summary.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write_json(path, {**dict.fromkeys(SUMMARY_KEYS), "version": version_of_kneeload(), "status": "failed", "error": sentence})


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    text = json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False)
    _create(path).write_text(text + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    """Return `value` with every number that JSON cannot hold (nan, infinite) as null."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_table(path: Path, columns: Mapping[str, Iterable[Any]]) -> None:
    with _create(path).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows([_cell(item) for item in row] for row in zip(*columns.values()))


def _cell(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def _create(path: Path) -> Path:
    if path.exists():
        raise InputError("run folder", where=str(path.parent), got=path.name, allowed="a folder without results", why="a run never writes over another")
    return path
