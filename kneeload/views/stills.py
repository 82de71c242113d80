"""Pictures for print: one part of the knee from one camera, on white, with scale, ruler and colour bar."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.surface import Body
from kneeload.views.gl import gl_problem
from kneeload.views.layout import Placement, extent
from kneeload.views.palette import pressure_rgb, scale_limit, scale_ticks
from kneeload.views.panels import PLATEAU, Panel, View, ViewPressure, build_panel, view_pressure
from kneeload.views.picture_settings import PictureSettings
from kneeload.views.scene import NOT_A_DIAGNOSIS, Joint, Scene, casting_surfaces, compartments, cycle_percent, frame_count, peak_frame
from kneeload.views.shading import femur_pressure, point_pressure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TOWARD: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {  # camera: direction to the viewer and up in the picture, right knee
    "superior": ((0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)), "inferior": ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0)),
    "anterior": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), "posterior": ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "medial": ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0)), "lateral": ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0)),
}
_OBLIQUE: dict[str, tuple[float, float, float]] = {  # the oblique camera sees the cartilage of each part
    "tibia": (0.62, 0.70, 0.35), "femur": (0.62, -0.70, 0.35), "patella": (-0.80, 0.25, 0.55), "knee": (0.80, 0.42, 0.43)}
_WORDS = {"tibia": "Tibial plateau with menisci", "femur": "Femur", "patella": "Kneecap (patella)", "knee": "Knee"}
_FROM = {"superior": "from above", "inferior": "from below", "anterior": "from the front", "posterior": "from behind", "medial": "from the medial side",
         "lateral": "from the lateral side", "oblique": "oblique"}
_INK, _SOFT = "#20252b", "#5b6570"
_LEFT, _RIGHT, _BOTTOM, _TOP = 4.5, 17.0, 8.0, 11.0  # mm on paper beside the drawing: words left, colour bar right, foot, title


@dataclass(frozen=True, slots=True, kw_only=True)
class StillPicture:
    """The numeric twin of a still.

    Attributes:
        path: the file.
        name: part and camera.
        renderer: "vtk" or "matplotlib" (flat shading, without OpenGL).
        note: None, or one sentence that says why OpenGL was not used and what to install.
        limits_mpa: ends of the colour scale, MPa.
        frame: frame of the cycle that is posed; its pressure is shown unless `over_cycle`.
        over_cycle: each place shows its highest pressure over the cycle.
        highest_mpa: largest pressure drawn at a point, MPa.
        highest_triangle_mpa: largest pressure of a triangle before smoothing for the picture, MPa.
        pixels: width and height.
        pixels_per_mm: scale of the knee in the picture.
        edges: anatomical word at the left, right, top and bottom edge.
    """

    path: Path
    name: str
    renderer: str
    note: str | None
    limits_mpa: tuple[float, float]
    frame: int
    over_cycle: bool
    highest_mpa: float
    highest_triangle_mpa: float
    pixels: tuple[int, int]
    pixels_per_mm: float
    edges: dict[str, str]


def still_view(name: str, parted_mm: float = 0.0) -> View:
    """The view of a still such as "tibia_superior", see `PictureSettings`; `parted_mm` lifts femur and kneecap in views of the whole knee, mm."""
    part, _, camera = name.partition("_")
    toward, up = _TOWARD.get(camera, (_OBLIQUE[part], (0.0, 1.0, 0.0)))
    groove = part == "femur" and camera in ("anterior", "superior")
    joint: Joint = "patellofemoral" if part == "patella" or groove else "tibiofemoral"
    body: Body = "patella" if part == "patella" else "femur" if part == "femur" else "tibia"
    coloured: dict[str, tuple[str, ...]] = {"tibia": PLATEAU, "femur": ("femur",), "patella": ("patella",), "knee": ("femur", "patella", *PLATEAU)}
    bones: tuple[Body, ...] = ("femur", "tibia", "patella") if part == "knee" else (body,)
    return View(key=name, title=f"{_WORDS[part]}, {_FROM[camera]}", body=body, toward=toward, up=up, joint=joint, coloured=coloured[part], bones=bones, peaks=(),
                onto_femur=("tibia", "patella") if part in ("femur", "knee") else (), close=part != "knee", lift_mm=parted_mm if part == "knee" else 0.0)


def draw_stills(folder: Path, scene: Scene, settings: PictureSettings) -> tuple[StillPicture, ...]:
    """Draw `still_<part>_<camera>.png` for each of the stills of the settings into a folder, all with one colour scale."""
    frame, limit = settings.frame_of(frame_count(scene)), settings.pressure_max_mpa
    if limit is None:
        views = [still_view(name) for name in settings.stills]
        frames = [None if frame == "cycle" else peak_frame(scene, view.joint) if isinstance(frame, str) else frame for view in views]
        limit = scale_limit(max((_highest_peak(scene, view, at) for view, at in zip(views, frames)), default=0.0))
    return tuple(draw_still(folder / f"still_{name}.png", scene, name, replace(settings, pressure_max_mpa=limit)) for name in settings.stills)


def draw_still(path: Path | str, scene: Scene, name: str, settings: PictureSettings | None = None) -> StillPicture:
    """Draw one part of the knee from one camera into a PNG file with the size on paper and the dots per inch of the settings.

    The knee has a parallel projection, so that the ruler holds all over the picture. Without OpenGL the same triangles are drawn by matplotlib, and
    the answer's `note` says so.

    Args:
        path: the file.
        scene: the knee.
        name: what and from where, such as "tibia_superior".
        settings: frame, colour scale, size; default `PictureSettings()`.
    """
    settings = settings or PictureSettings()
    view = still_view(name, settings.parted_mm)
    pressure = still_pressure(scene, view, settings.frame_of(frame_count(scene)))
    over_cycle = settings.frame == "cycle"
    limit = settings.pressure_max_mpa if settings.pressure_max_mpa is not None else scale_limit(_highest_peak(scene, view, None if over_cycle else pressure.frame))
    panel = build_panel(scene, view, pressure, limit)
    placement = _placement(panel, settings)
    note, figure = gl_problem(), _lettering(scene, panel, placement, settings, limit)
    if note is None:
        from kneeload.views.render import render_panels, under_lettering

        under_lettering(render_panels([panel], [placement], settings.pixels), figure, Path(path), dots_per_inch=settings.dpi)
    else:
        from kneeload.views.flat import draw_panels

        draw_panels(figure, [panel], [placement], settings.pixels)
        figure.savefig(Path(path), dpi=settings.dpi, facecolor="white")
    return StillPicture(path=Path(path), name=name, renderer="vtk" if note is None else "matplotlib", note=note, limits_mpa=(0.0, float(limit)), frame=panel.frame,
                        over_cycle=over_cycle, highest_mpa=panel.highest_mpa, highest_triangle_mpa=panel.highest_triangle_mpa, pixels=settings.pixels,
                        pixels_per_mm=placement.pixels_per_mm, edges=panel.edges)


def still_pressure(scene: Scene, view: View, frame: int | str) -> ViewPressure:
    """Pressures that a still shows, at a frame, at the "peak" of its joint, or the highest over the "cycle" (posed as at the peak)."""
    peak = peak_frame(scene, view.joint)
    if frame != "cycle":
        return view_pressure(scene, view, peak if isinstance(frame, str) else frame)
    surfaces, fields = casting_surfaces(scene.anatomy), {field.name: field.pressure for field in scene.contact.fields}
    here = view_pressure(scene, view, peak)
    points: dict[str, NDArray[np.float64]] = {}
    for name in here.points:
        if name == "femur":
            own = scene.anatomy.femur.mesh.points
            points[name] = np.max([femur_pressure(scene, at, own, view.onto_femur) for at in range(frame_count(scene))], axis=0)
        elif name in fields:
            points[name] = point_pressure(surfaces[name].mesh, fields[name].max(axis=0))
        else:
            points[name] = here.points[name]
    touching = [name for name in fields if name in view.coloured or surfaces[name].body in view.onto_femur]
    return replace(here, points=points, highest_triangle=max((float(np.nan_to_num(fields[name]).max(initial=0.0)) for name in touching), default=0.0))


def _highest_peak(scene: Scene, view: View, frame: int | None) -> float:
    """MPa; highest peak pressure of the compartments that a view shows, at a frame or over the cycle."""
    names = {"tibia": ("medial", "lateral"), "patella": ("patellofemoral",)}.get(view.key.partition("_")[0], ("medial", "lateral", "patellofemoral"))
    peaks = [np.nan_to_num(compartments(scene)[name].peak_pressure) for name in names]
    return max(float(peak.max() if frame is None else peak[frame]) for peak in peaks)


def _placement(panel: Panel, settings: PictureSettings) -> Placement:
    dots = settings.dpi / 25.4
    width, height = settings.pixels
    box = (_LEFT * dots, _BOTTOM * dots, width - (_LEFT + _RIGHT) * dots, height - (_BOTTOM + _TOP) * dots)
    x0, x1, y0, y1 = extent(panel)
    room = 0.94
    scale = min(room * box[2] / max(x1 - x0, 1.0), room * box[3] / max(y1 - y0, 1.0))
    return Placement(box=box, centre_mm=(0.5 * (x0 + x1), 0.5 * (y0 + y1)), pixels_per_mm=scale)


def _lettering(scene: Scene, panel: Panel, placement: Placement, settings: PictureSettings, limit: float) -> Figure:
    """Words, ruler and colour bar on a clear ground."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = settings.pixels
    figure = Figure(figsize=(width / settings.dpi, height / settings.dpi), dpi=settings.dpi, facecolor="none")
    FigureCanvasAgg(figure)
    w, h = settings.width_mm, settings.height_mm
    middle, level = _LEFT + 0.5 * (w - _LEFT - _RIGHT), _BOTTOM + 0.5 * (h - _BOTTOM - _TOP)

    def text(x: float, y: float, words: str, **style) -> None:  # type: ignore[no-untyped-def]
        figure.text(x / w, y / h, words, **{"color": _INK, "fontsize": 7.0, "ha": "center", "va": "center", **style})

    text(1.5, h - 2.6, panel.title, ha="left", fontsize=8.0, fontweight="bold")
    when = "highest over the cycle" if settings.frame == "cycle" else f"{cycle_percent(scene, panel.frame):.0f} % of the cycle"
    text(1.5, h - 6.0, f"{scene.side.capitalize()} knee, {scene.activity.replace('_', ' ')}, {when}", ha="left", fontsize=6.0, color=_SOFT)
    for edge, x, y, turn in (("left", 2.2, level, 90), ("right", w - _RIGHT + 1.6, level, 270), ("top", middle, h - _TOP + 0.9, 0), ("bottom", middle, _BOTTOM - 1.2, 0)):
        text(x, y, panel.edges[edge], rotation=turn, fontsize=7.0, fontweight="bold" if panel.edges[edge] in ("Medial", "Lateral") else "normal")
    text(1.5, 2.2, f"Model, not measured. {NOT_A_DIAGNOSIS}", ha="left", fontsize=5.0, color="#9a1f2e")
    _ruler(figure, placement, settings)
    _colour_bar(figure, settings, limit)
    return figure


def _ruler(figure: Figure, placement: Placement, settings: PictureSettings) -> None:
    from matplotlib.lines import Line2D

    w, h, dots = settings.width_mm, settings.height_mm, settings.dpi / 25.4
    room = _RIGHT - 3.0
    length_mm = max((step for step in (1, 2, 5, 10, 20, 50) if step * placement.pixels_per_mm / dots <= room), default=1)
    length = length_mm * placement.pixels_per_mm / dots
    right = w - 1.5
    figure.add_artist(Line2D([(right - length) / w, right / w], [6.6 / h] * 2, color=_INK, linewidth=1.4))
    figure.text((right - 0.5 * length) / w, 4.4 / h, f"{length_mm} mm", fontsize=6.0, color=_INK, ha="center", va="center")


def _colour_bar(figure: Figure, settings: PictureSettings, limit: float) -> None:
    w, h = settings.width_mm, settings.height_mm
    axes = figure.add_axes(((w - _RIGHT + 4.6) / w, (_BOTTOM + 6.0) / h, 2.6 / w, (h - _BOTTOM - _TOP - 8.0) / h))
    axes.imshow(pressure_rgb(np.linspace(limit, 0.0, 256), limit)[:, None], aspect="auto", extent=(0.0, 1.0, 0.0, limit))
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.set_yticks(scale_ticks(limit))
    axes.tick_params(labelsize=6.0, colors=_INK, length=1.5, width=0.5, pad=1.2)
    axes.set_ylabel("Contact pressure (MPa)", fontsize=6.5, color=_INK, labelpad=1.5)
    for spine in axes.spines.values():
        spine.set_linewidth(0.5)
