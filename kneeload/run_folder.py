"""The run folder: summary.json, waveforms.csv, regions.csv, pictures, VTK files and the report."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kneeload.errors import InputError
from kneeload.finite_element_study import finite_element_columns, finite_element_study
from kneeload.outlook import course_columns, outlook_summary
from kneeload.result import KneeResult, version_of_kneeload

if TYPE_CHECKING:
    from kneeload.plan import PlanResult
    from kneeload.views.picture_settings import PictureSettings
    from kneeload.views.scene import Scene
    from kneeload.views.solid import Solid

SUMMARY_KEYS = ("version", "status", "error", "subject", "activity", "interventions", "notes", "loads", "contact", "bone", "lesion", "pain", "change", "timing", "agreement", "provenance",
                "course", "panel", "plan")


def write_run(result: KneeResult, folder: Path, *, pictures: bool = True, vtk: bool = True, vtk_series: bool = False,
              report: bool = True, report_3d: bool = True, pdf: bool = True, plan: PlanResult | None = None, asked: PictureSettings | None = None) -> list[str]:
    """Write a result into `folder` (made if needed) and return notes for the reader, such as why a picture is flat.

    Raises:
        InputError: the folder already holds a run, or the finite elements that the case asks for cannot be computed (nothing is written then).
    """
    solids = finite_element_study(result)
    folder.mkdir(parents=True, exist_ok=True)
    summary = result.summary() | outlook_summary(result, () if plan is None else plan.effects) | {"plan": None if plan is None else plan.summary()}
    write_tables(result, summary, folder)
    if plan is not None:
        _write_table(folder / "plan.csv", plan.columns())
        if plan.ranking:
            _write_table(folder / "ranking.csv", plan.ranking_columns())
    if solids:
        _write_table(folder / "finite_elements.csv", finite_element_columns(result))
    notes: list[str] = []
    drawn: dict[str, Path] = {}
    if pictures:
        notes, drawn = draw_pictures(result, summary, folder, plan=plan, limit_mpa=None if asked is None else asked.pressure_max_mpa)
    if pictures or asked is not None:
        notes = list(dict.fromkeys([*notes, *draw_asked_pictures(result, summary, folder, asked, usual=pictures)[1]]))
    notes = [*notes_of(result), *notes]
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
    files = sorted(path.name for path in folder.iterdir())
    if report:
        notes = [*notes, *write_html(result, summary, folder / "report.html", drawn=drawn, notes=notes, files=files, solid=report_3d)]
    if pdf:
        write_pdf_pages(result, summary, folder / "report.pdf", drawn=drawn, notes=notes, files=files)
    return notes


def write_tables(result: KneeResult, summary: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write summary.json and the tables of a result into a folder and return the files."""
    tables: dict[str, Mapping[str, Iterable[Any]]] = {"waveforms": result.waveforms()}
    if result.regions():
        tables["regions"] = result.regions()
    if result.main.contact is not None:
        tables |= {"contact": result.contact_places(), "course": course_columns(result)}
    _write_json(folder / "summary.json", summary)
    for name, columns in tables.items():
        _write_table(folder / f"{name}.csv", columns)
    return [folder / "summary.json", *(folder / f"{name}.csv" for name in tables)]


def notes_of(result: KneeResult) -> list[str]:
    """What a reader of any report of this result must know, a sentence each."""
    return [*([] if result.case.calibration is None else [result.case.calibration.sentence()]), *result.case.notes]


def write_html(result: KneeResult, summary: dict[str, Any], path: Path, *, drawn: Mapping[str, Path], notes: Sequence[str], files: Sequence[str] = (),
               solid: bool = True) -> list[str]:
    """Write report.html from the pictures that were drawn, with the knee to be turned where there is contact and `solid` is wanted; returns further notes."""
    from kneeload.views.report import write_report
    from kneeload.views.solid_page import NO_VIEWER, has_viewer

    turned = solid and result.main.contact is not None
    shown = _solid(result, summary) if turned and has_viewer() else None
    further = [NO_VIEWER] if turned and shown is None else []
    write_report(path, summary, **drawn, solid=shown, notes=[*notes, *further], files=files)
    return further


def write_pdf_pages(result: KneeResult, summary: dict[str, Any], path: Path, *, drawn: Mapping[str, Path], notes: Sequence[str], files: Sequence[str] = ()) -> Path:
    """Write the two pages of report.pdf from the pictures that were drawn."""
    from kneeload.views.curves import knee_curves
    from kneeload.views.pdf import write_pdf

    curves, before = (None if item is None else knee_curves(item.main.motion, item.main.loads, item.main.contact) for item in (result, result.before))
    return write_pdf(path, summary, stress=drawn.get("stress"), curves=curves, before=before, notes=notes, files=files)


def _solid(result: KneeResult, summary: dict[str, Any]) -> Solid:
    from kneeload.views.solid import build_solid
    from kneeload.views.wording import intervention_names

    before = None if result.before is None or result.before.main.contact is None else scene_of(result.before, summary)
    return build_solid(scene_of(result, summary), before=before, after_words=" and ".join(intervention_names(summary)))


def scene_of(result: KneeResult, summary: dict[str, Any]) -> Scene:
    """Return what a picture of this result needs (the contact must have been computed)."""
    from kneeload.views.scene import Scene
    from kneeload.views.wording import person_line

    if result.main.contact is None:
        raise InputError("contact", where="contact", got="none", allowed="a result with contact", why="a stress map shows pressures")
    return Scene(anatomy=result.anatomy, contact=result.main.contact, side=result.case.subject.side, subject=person_line(summary), activity=result.case.activity.name,
                 interventions=result.case.interventions, body_weight_n=result.case.subject.body_weight_n,
                 daily_dose=None if result.bone is None else result.bone.daily_dose, risk_24mo=None if result.lesion is None else result.lesion.risk_24mo)


def draw_asked_pictures(result: KneeResult, summary: dict[str, Any], folder: Path, asked: PictureSettings | None, *, usual: bool = True) -> tuple[list[Path], list[str]]:
    """Draw stills, flat maps, vector curves and the animation that are asked for and return the files and notes; see `kneeload.views.asked`."""
    from kneeload.views.asked import draw_asked
    from kneeload.views.curves import knee_curves
    from kneeload.views.picture_settings import PictureSettings

    curves, before = (None if item is None else knee_curves(item.main.motion, item.main.loads, item.main.contact) for item in (result, result.before))
    assert curves is not None
    return draw_asked(folder, asked or PictureSettings(), curves, before=before, scene=None if result.main.contact is None else scene_of(result, summary), usual=usual)


def draw_pictures(result: KneeResult, summary: dict[str, Any], folder: Path, *, plan: PlanResult | None = None,
                  limit_mpa: float | None = None) -> tuple[list[str], dict[str, Path]]:
    """Draw what there is and return the notes, each once, and the files by the names that `write_report` knows."""
    from kneeload.views.curves import draw_curves, knee_curves

    before, notes = result.before, []
    files = {"forces": draw_curves(
        folder / "forces.png", knee_curves(result.main.motion, result.main.loads, result.main.contact), title=_title(result, summary),
        body_weight_n=result.case.subject.body_weight_n, before=None if before is None else knee_curves(before.main.motion, before.main.loads, before.main.contact))}
    if result.main.contact is not None:
        from kneeload.views.stress import draw_stress

        picture = draw_stress(folder / "stress.png", scene_of(result, summary), limit_mpa=limit_mpa)
        files["stress"], notes = picture.path, [picture.note]
    zones = result.zones()
    if zones is not None:
        from kneeload.views.course import draw_course
        from kneeload.views.zones import zones_picture

        found = zones_picture(scene_of(result, summary), zones, folder / "zones.png")
        files["zones"], notes = found.path, [*notes, found.note]
        files["course"] = draw_course(folder / "course.png", summary["course"], title=_title(result, summary, "how lesions may go on"))
    if plan is not None:
        from kneeload.views.plan import draw_plan

        files["plan"] = draw_plan(folder / "plan.png", summary["plan"], cloud=plan.cloud(), title=_title(result, summary, "what would move the load"))
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
