"""All views of one run, written into its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kneeload.views.curves import KneeCurves, draw_curves
from kneeload.views.scene import Scene


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunViews:
    """What the views of a run are made of.

    Attributes:
        summary: the content of summary.json.
        title: one line for the curves: side, person, activity, interventions.
        curves: forces and moments of the run.
        before: the same without the intervention, or None.
        body_weight_n: N.
        scene: knee and contact; None at the load level, which has no surfaces to draw.
    """

    summary: Mapping[str, Any]
    title: str
    curves: KneeCurves
    before: KneeCurves | None = None
    body_weight_n: float | None = None
    scene: Scene | None = None


def write_views(views: RunViews, folder: Path | str, *, pictures: bool = True, vtk: bool = True, report: bool = True) -> list[str]:
    """Write stress.png, forces.png, knee.vtm and report.html into `folder`; returns notes for the reader, such as why a picture is flat."""
    folder, notes = Path(folder), []
    stress: Path | None = None
    forces: Path | None = None
    if pictures and views.scene is not None:
        from kneeload.views.stress import draw_stress

        picture = draw_stress(folder / "stress.png", views.scene)
        stress = picture.path
        notes += [picture.note] if picture.note else []
    if pictures:
        forces = draw_curves(folder / "forces.png", views.curves, title=views.title, body_weight_n=views.body_weight_n, before=views.before)
    if vtk and views.scene is not None:
        from kneeload.views.vtk_files import write_vtk

        write_vtk(folder, views.scene)
    if report:
        from kneeload.views.report import write_report

        write_report(folder / "report.html", views.summary, stress=stress, forces=forces, notes=notes)
    return notes


def load_drawing_libraries() -> None:
    """Import the slow drawing libraries now, so that a thread can do it while the mechanics run; does nothing else."""
    import matplotlib.backends.backend_agg
    import matplotlib.figure  # noqa: F401

    from kneeload.views.gl import gl_problem

    if gl_problem() is None:
        import pyvista

        _ = pyvista.Plotter  # the first use of the name imports the plotting half
