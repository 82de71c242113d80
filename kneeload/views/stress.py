"""stress.png: where the pressure lies on the plateau, the condyles, the groove and the kneecap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kneeload.views.gl import gl_problem
from kneeload.views.layout import SIZE, Placement, fitted_words, place
from kneeload.views.palette import pressure_rgb, scale_limit, scale_ticks
from kneeload.views.panels import Panel, build_panels, view_pressures
from kneeload.views.scene import NOT_A_DIAGNOSIS, Scene, headline, joint_force, peak_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INK, _SOFT = "#20252b", "#5b6570"


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelRecord:
    """What one panel shows, in numbers.

    Attributes:
        key, title: which panel.
        frame: frame of the cycle.
        edges: anatomical word at the left, right, top and bottom edge.
        highest_mpa: largest pressure drawn, MPa.
        highest_triangle_mpa: largest pressure of a triangle in that frame before smoothing for the picture, MPa.
    """

    key: str
    title: str
    frame: int
    edges: dict[str, str]
    highest_mpa: float
    highest_triangle_mpa: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StressPicture:
    """The numeric twin of stress.png.

    Attributes:
        path: the file.
        renderer: "vtk" (3D) or "matplotlib" (flat, without OpenGL).
        note: None, or one sentence that says why the picture is flat and what to install.
        limits_mpa: ends of the colour scale, MPa.
        panels: what each panel shows.
    """

    path: Path
    renderer: str
    note: str | None
    limits_mpa: tuple[float, float]
    panels: tuple[PanelRecord, ...]


def draw_stress(path: Path | str, scene: Scene, *, limit_mpa: float | None = None) -> StressPicture:
    """Draw the contact pressure of one knee into a PNG file of 1800 x 1100 pixels.

    Plateau, condyles and whole knee are shown at the frame of peak tibiofemoral force, groove and kneecap at the frame of peak
    patellofemoral force, all with one colour scale from 0 to `limit_mpa` (default: the smallest of a few fixed steps that holds
    the peaks of the compartments; single triangles beyond it get its last colour). Without OpenGL the
    same panels are drawn flat with matplotlib, and the answer's `note` says so.
    """
    pressures = view_pressures(scene)
    limit = float(limit_mpa) if limit_mpa is not None else scale_limit(_peak_pressure(scene))
    panels = build_panels(scene, pressures, limit)
    placements = place(panels)
    note = gl_problem()
    figure = lettering(scene, panels, placements, limit)
    if note is None:
        from kneeload.views.render import render_panels, under_lettering

        under_lettering(render_panels(panels, placements, SIZE), figure, Path(path))
    else:
        from kneeload.views.flat import draw_panels

        draw_panels(figure, panels, placements, SIZE)
        figure.savefig(Path(path), facecolor="white", pil_kwargs={"compress_level": 3})
    records = tuple(PanelRecord(key=panel.key, title=panel.title, frame=panel.frame, edges=panel.edges, highest_mpa=panel.highest_mpa,
                                highest_triangle_mpa=panel.highest_triangle_mpa) for panel in panels)
    return StressPicture(path=Path(path), renderer="vtk" if note is None else "matplotlib", note=note, limits_mpa=(0.0, limit), panels=records)


def _peak_pressure(scene: Scene) -> float:
    """MPa; highest peak pressure of the compartments in the frames that are shown (a 99th percentile: no single triangle sets the scale)."""
    first, second = peak_frame(scene, "tibiofemoral"), peak_frame(scene, "patellofemoral")
    contact = scene.contact
    peaks = (contact.medial.peak_pressure[first], contact.lateral.peak_pressure[first], contact.patellofemoral.peak_pressure[second])
    return float(np.nan_to_num(np.array(peaks)).max())


def lettering(scene: Scene, panels: tuple[Panel, ...], placements: tuple[Placement, ...], limit: float) -> Figure:
    """Words, ruler and colour bar on a clear ground, as a matplotlib figure of the size of the picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100, facecolor="none")
    FigureCanvasAgg(figure)
    _header(figure, scene)
    for panel, placement in zip(panels, placements, strict=True):
        _label_panel(figure, panel, placement)
    _ruler(figure, placements[1])
    _colour_bar(figure, limit)
    _footer(figure)
    return figure


def _text(figure: Figure, x: float, y: float, words: str, **style) -> None:
    """Words at pixels (x to the right, y up)."""
    figure.text(x / SIZE[0], y / SIZE[1], words, **{"color": _INK, "fontsize": 12, "ha": "left", "va": "center", **style})  # type: ignore[arg-type]


def _header(figure: Figure, scene: Scene) -> None:
    words, size = fitted_words(headline(scene), SIZE[0] - 48)
    _text(figure, 24, 1066, words, fontsize=size, fontweight="bold")
    forces = []
    for joint in ("tibiofemoral", "patellofemoral"):
        force = float(joint_force(scene, joint)[peak_frame(scene, joint)])  # type: ignore[arg-type]
        weight = f" ({force / scene.body_weight_n:.2f} x body weight)" if scene.body_weight_n else ""
        forces.append(f"{joint} force {force:.0f} N{weight}")
    _text(figure, 24, 1024, "Peak " + ", peak ".join(forces), fontsize=14, color=_SOFT)


def _label_panel(figure: Figure, panel: Panel, placement: Placement) -> None:
    left, bottom, width, height = placement.box
    middle, top = left + 0.5 * width, bottom + height
    _text(figure, middle, top + 36, panel.title, ha="center", fontsize=15, fontweight="bold")
    _text(figure, middle, top + 12, panel.subtitle, ha="center", fontsize=11.5, color=_SOFT)
    for edge, y in (("top", top - 12), ("bottom", bottom + 12)):
        _text(figure, middle, y, panel.edges[edge], ha="center", fontsize=12, color=_SOFT)
    for edge, x, align in (("left", left + 12, "left"), ("right", left + width - 12, "right")):
        word = panel.edges[edge]
        _text(figure, x, bottom + 40, word.upper(), ha=align, fontsize=15, fontweight="bold")
        if word in panel.peaks:
            _text(figure, x, bottom + 16, panel.peaks[word], ha=align, fontsize=13)


def _ruler(figure: Figure, placement: Placement) -> None:
    from matplotlib.lines import Line2D

    length = 20.0 * placement.pixels_per_mm
    x, y = 1180.0, 60.0
    figure.add_artist(Line2D([x / SIZE[0], (x + length) / SIZE[0]], [y / SIZE[1]] * 2, color=_INK, linewidth=2.5))
    _text(figure, x + 0.5 * length, y - 20, "20 mm (four maps)", ha="center", fontsize=11, color=_SOFT)


def _colour_bar(figure: Figure, limit: float) -> None:
    axes = figure.add_axes((560 / SIZE[0], 56 / SIZE[1], 540 / SIZE[0], 22 / SIZE[1]))
    axes.imshow(pressure_rgb(np.linspace(0.0, limit, 256), limit)[None], aspect="auto", extent=(0.0, limit, 0.0, 1.0))
    axes.set_yticks([])
    axes.set_xticks(scale_ticks(limit))
    axes.tick_params(labelsize=12, colors=_INK)
    axes.set_title("Contact pressure (MPa)", fontsize=13, fontweight="bold", color=_INK, pad=6)


def _footer(figure: Figure) -> None:
    _text(figure, 24, 58, NOT_A_DIAGNOSIS, fontsize=14, fontweight="bold", color="#9a1f2e")
    _text(figure, 24, 30, "kneeload: computed by a model, not measured", fontsize=11, color=_SOFT)
