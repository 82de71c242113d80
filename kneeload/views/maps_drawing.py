"""maps.png: plateau and kneecap unrolled, life-size on paper, with contact pressure, regions and centres of pressure. Needs no OpenGL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.views.layout import fitted_words
from kneeload.views.maps import TITLES, KneeMap, Sheet, knee_maps, map_words
from kneeload.views.palette import MENISCUS_RGB, pressure_colours, pressure_rgb, scale_limit, scale_ticks
from kneeload.views.scene import NOT_A_DIAGNOSIS, Scene, compartments, cycle_percent, headline
from kneeload.views.unroll import edge_loops, region_borders

PAPER_MM = (190.0, 110.0)  # width and height of the picture on paper
DPI = 240
MM = 1.0 / 25.4  # inches
_INK, _SOFT, _EDGE, _RIM = "#20252b", "#5b6570", "#7d858c", "#4a7391"
_BOXES = {"plateau": (12.0, 26.0, 106.0, 60.0), "patella": (124.0, 26.0, 62.0, 60.0)}  # left, bottom, width, height on paper, mm
_MARGIN = 3.0  # mm on paper around a map that does not fit at life size
_FULL_FROM = 0.08  # share of the scale from which a triangle hides the colour below it; less shows through, so that no pale rim frames a patch


@dataclass(frozen=True, slots=True, kw_only=True)
class MapsPicture:
    """The numeric twin of maps.png.

    Attributes:
        path: the file.
        limits_mpa: ends of the colour scale, MPa.
        frames: map -> frame of the cycle, None for the highest over the cycle.
        highest_mpa: map -> largest pressure of a triangle that is drawn, MPa.
        centre_of_pressure_mm: compartment -> place in the plane of the map, mm; nan where there is none.
        paper_scale: mm on paper per mm of knee; 1 is life size.
        length_error, area_error: no unit; the largest of both maps, see `KneeMap`.
    """

    path: Path
    limits_mpa: tuple[float, float]
    frames: dict[str, int | None]
    highest_mpa: dict[str, float]
    centre_of_pressure_mm: dict[str, tuple[float, float]]
    paper_scale: float
    length_error: float
    area_error: float


def draw_maps(path: Path | str, scene: Scene, *, frame: int | str | None = "peak", limit_mpa: float | None = None) -> MapsPicture:
    """Draw the unrolled maps into a PNG (1795 x 1039 pixels), SVG or PDF file of 190 x 110 mm, by the ending of its name.

    Triangles have the colour of their own pressure, not smoothed. Lines: outline of cartilage (grey) and menisci (blue), borders of MOAKS regions
    (dashed), path of the centre of pressure (thin) with its place at the frame (cross in a circle).

    Args:
        path: the file.
        scene: the knee.
        frame: see `knee_maps`.
        limit_mpa: upper end of the colour scale, MPa; None takes the smallest of a few fixed steps that holds the peaks of the compartments.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    items = knee_maps(scene, frame)
    limit = float(limit_mpa) if limit_mpa is not None else scale_limit(highest_peak(scene, items))
    figure = Figure(figsize=(PAPER_MM[0] * MM, PAPER_MM[1] * MM), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    scale = paper_scale(items, _BOXES)
    for item in items:
        box = _BOXES[item.key]
        axes = figure.add_axes(_share(box))
        draw_map(axes, item, limit)
        aim(axes, item, (box[2], box[3]), scale)
        _name(figure, box, scene, item)
    _frame(figure, scene, limit, scale, items)
    save_figure(figure, Path(path))
    centres = {name: (float(place[0]), float(place[1])) for item in items for name, place in item.centre_of_pressure.items()}
    return MapsPicture(path=Path(path), limits_mpa=(0.0, limit), frames={item.key: item.frame for item in items}, highest_mpa={item.key: item.highest_mpa for item in items},
                       centre_of_pressure_mm=centres, paper_scale=scale, length_error=max(item.length_error for item in items),
                       area_error=max(item.area_error for item in items))


def highest_peak(scene: Scene, items: Sequence[KneeMap]) -> float:
    """MPa; largest peak pressure of the compartments at the frames of the maps, or over the cycle."""
    parts = compartments(scene)
    peaks = [np.nan_to_num(parts[name].peak_pressure) for item in items for name in item.path or item.centre_of_pressure]
    at = [item.frame for item in items for _ in item.path or item.centre_of_pressure]
    return max((float(peak.max() if frame is None else peak[frame]) for peak, frame in zip(peaks, at)), default=0.0)


def save_figure(figure, path: Path) -> None:  # type: ignore[no-untyped-def]
    """Write a figure as PNG, SVG or PDF by the ending of its name; PDF carries its fonts, SVG the outlines of its letters, and neither the date."""
    from matplotlib import rc_context

    with rc_context({"pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "kneeload"}):
        if path.suffix == ".png":
            figure.savefig(path, dpi=figure.dpi, facecolor="white", pil_kwargs={"compress_level": 6})
        else:
            figure.savefig(path, dpi=figure.dpi, facecolor="white", metadata={"Date": None} if path.suffix == ".svg" else {"CreationDate": None})


def paper_scale(items: Sequence[KneeMap], boxes: dict[str, tuple[float, float, float, float]]) -> float:
    """mm on paper per mm of knee: 1, or what lets both maps fit into their boxes."""
    fits = [1.0]
    for item in items:
        x0, x1, y0, y1 = item.extent
        _, _, width, height = boxes[item.key]
        fits.append(min((width - 2 * _MARGIN) / (x1 - x0), (height - 2 * _MARGIN) / (y1 - y0)))
    return min(fits)


def aim(axes, item: KneeMap, size_mm: tuple[float, float], scale: float) -> None:  # type: ignore[no-untyped-def]
    """Let an axes of a size on paper, mm, show a map in its middle at a scale, mm on paper per mm of knee, over a grid of 10 mm."""
    x0, x1, y0, y1 = item.extent
    x, y = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
    axes.set_xlim(x - 0.5 * size_mm[0] / scale, x + 0.5 * size_mm[0] / scale)
    axes.set_ylim(y - 0.5 * size_mm[1] / scale, y + 0.5 * size_mm[1] / scale)
    axes.set_xticks(np.arange(-100.0, 101.0, 10.0))
    axes.set_yticks(np.arange(-100.0, 101.0, 10.0))
    axes.set_xlim(x - 0.5 * size_mm[0] / scale, x + 0.5 * size_mm[0] / scale)  # ticks far away widen the limits
    axes.set_ylim(y - 0.5 * size_mm[1] / scale, y + 0.5 * size_mm[1] / scale)
    axes.grid(color="#e6e9ec", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelbottom=False, labelleft=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def draw_map(axes, item: KneeMap, limit_mpa: float, *, words: bool = True) -> None:  # type: ignore[no-untyped-def]
    """Draw the sheets of a map in mm into axes of matplotlib; `words` names the regions beside them."""
    for order, sheet in enumerate(item.sheets):
        _draw_sheet(axes, sheet, limit_mpa, 2.0 + 0.1 * order)
    for name, track in item.path.items():
        axes.plot(track[:, 0], track[:, 1], color="white", linewidth=1.7, zorder=4.0, solid_capstyle="round")
        axes.plot(track[:, 0], track[:, 1], color=_INK, linewidth=0.7, zorder=4.1, label=name)
    for place in item.centre_of_pressure.values():
        if np.isfinite(place).all():
            axes.plot(*place, marker="o", markersize=6.0, markerfacecolor="white", markeredgecolor=_INK, markeredgewidth=0.8, zorder=4.2)
            axes.plot(*place, marker="+", markersize=6.0, color=_INK, markeredgewidth=0.8, zorder=4.3)
    if words:
        _name_regions(axes, item)


class LiveMap:
    """A map in axes of matplotlib whose pressures and centres of pressure change from frame to frame."""

    def __init__(self, axes, item: KneeMap, limit_mpa: float) -> None:  # type: ignore[no-untyped-def]
        """Draw a map; `change` then shows another frame of it."""
        from matplotlib.collections import PolyCollection

        bare = replace(item, sheets=tuple(replace(sheet, pressure=np.zeros_like(sheet.pressure)) for sheet in item.sheets), path={}, centre_of_pressure={})
        draw_map(axes, bare, limit_mpa, words=False)
        self._limit = limit_mpa
        self._loaded = []
        for order, sheet in enumerate(item.sheets):
            self._loaded.append(PolyCollection(sheet.points[sheet.triangles], edgecolors="none", antialiaseds=False, zorder=2.02 + 0.1 * order))  # type: ignore[arg-type]
            axes.add_collection(self._loaded[-1])
        ring = {"markerfacecolor": "white", "markeredgecolor": _INK, "markeredgewidth": 0.8, "zorder": 4.2}
        self._centres = {name: axes.plot([], [], marker="o", markersize=6.0, **ring)[0] for name in item.centre_of_pressure}

    def change(self, item: KneeMap) -> None:
        """Show the pressures and centres of pressure of another frame."""
        for drawn, sheet in zip(self._loaded, item.sheets, strict=True):
            drawn.set_verts(sheet.points[sheet.triangles])  # type: ignore[arg-type]
            drawn.set_facecolor(np.column_stack([pressure_rgb(sheet.pressure, self._limit), _opacity(sheet.pressure, self._limit)]))  # type: ignore[arg-type]
        for name, mark in self._centres.items():
            place = item.centre_of_pressure[name]
            mark.set_data([place[0]], [place[1]])


def _opacity(pressure: NDArray[np.float64], limit_mpa: float) -> NDArray[np.float64]:
    return np.clip(pressure / (_FULL_FROM * limit_mpa), 0.0, 1.0)


def _draw_sheet(axes, sheet: Sheet, limit_mpa: float, order: float) -> None:  # type: ignore[no-untyped-def]
    meniscus = "meniscus" in sheet.name
    base = MENISCUS_RGB if meniscus else tuple(pressure_rgb(np.zeros(1), limit_mpa)[0])
    x, y = sheet.points.T
    loaded = sheet.pressure > 0.0
    axes.tripcolor(x, y, sheet.triangles, facecolors=np.zeros(len(sheet.triangles)), cmap=_plain(base), edgecolors="face", linewidth=0.25, zorder=order)
    if loaded.any():
        axes.tripcolor(x, y, sheet.triangles[loaded], facecolors=sheet.pressure[loaded], cmap=pressure_colours(), vmin=0.0, vmax=limit_mpa, alpha=_opacity(sheet.pressure[loaded], limit_mpa),
                       edgecolors="none", linewidth=0.0, antialiased=False, zorder=order + 0.02)
    for border in () if meniscus else region_borders(sheet.points, sheet.triangles, sheet.region):
        axes.tricontour(x, y, sheet.triangles, border, levels=[0.5], colors=[_INK], linewidths=0.7, linestyles=[(0, (1.6, 1.0))], zorder=3.5)
    for loop in edge_loops(sheet.triangles):
        axes.plot(x[loop], y[loop], color=_RIM if meniscus else _EDGE, linewidth=1.1 if meniscus else 0.9, zorder=order + 0.05, solid_joinstyle="round")


def _plain(rgb: Sequence[float]):  # type: ignore[no-untyped-def]
    from matplotlib.colors import ListedColormap

    return ListedColormap([tuple(rgb)])


def _name_regions(axes, item: KneeMap) -> None:  # type: ignore[no-untyped-def]
    """Regions of the plateau beside it, facets of the kneecap below it."""
    x0, x1, y0, _ = item.extent
    for sheet in item.sheets:
        middle = sheet.points[sheet.triangles].mean(axis=1)
        for number in np.unique(sheet.region[sheet.region >= 0]):
            kind = MOAKS_REGIONS[number].split("_")
            x, y = middle[sheet.region == number].mean(axis=0)
            if kind[0] == "patella":
                axes.text(x, y0 - 1.5, f"{kind[1]} facet", fontsize=6.0, color=_SOFT, ha="center", va="top")
            elif len(kind) == 3:
                left = x < 0.5 * (x0 + x1)
                axes.text(x0 - 1.5 if left else x1 + 1.5, y, kind[1], fontsize=6.0, color=_SOFT, ha="right" if left else "left", va="center")


def _share(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    return box[0] / PAPER_MM[0], box[1] / PAPER_MM[1], box[2] / PAPER_MM[0], box[3] / PAPER_MM[1]


def _text(figure, x: float, y: float, words: str, **style) -> None:  # type: ignore[no-untyped-def]
    """Words at mm on paper (x to the right, y up)."""
    figure.text(x / PAPER_MM[0], y / PAPER_MM[1], words, **{"color": _INK, "fontsize": 7.0, "ha": "left", "va": "center", **style})


def _name(figure, box: tuple[float, float, float, float], scene: Scene, item: KneeMap) -> None:  # type: ignore[no-untyped-def]
    left, bottom, width, height = box
    middle, top = left + 0.5 * width, bottom + height
    _text(figure, middle, top + 8.5, TITLES[item.key], ha="center", fontsize=8.5, fontweight="bold")
    joint = "tibiofemoral" if item.key == "plateau" else "patellofemoral"
    when = "highest pressure of each place over the cycle" if item.frame is None else f"{joint} joint at {cycle_percent(scene, item.frame):.0f} % of the cycle"
    _text(figure, middle, top + 4.6, when, ha="center", fontsize=6.5, color=_SOFT)
    _text(figure, middle, top + 1.0, item.edges["top"], ha="center", fontsize=7.0, color=_SOFT)
    _text(figure, middle, bottom - 1.0, item.edges["bottom"], ha="center", fontsize=7.0, color=_SOFT)
    lines = {line.split(":")[0]: line.split(": ", 1)[1] for line in map_words(scene, item)}
    for edge, x, align in (("left", left + 1.0, "left"), ("right", left + width - 1.0, "right")):
        _text(figure, x, bottom - 1.0, item.edges[edge].upper(), ha=align, fontsize=8.0, fontweight="bold")
        if item.edges[edge] in lines:
            _text(figure, x, bottom - 4.8, lines[item.edges[edge]], ha=align, fontsize=6.5)
    if "Patellofemoral" in lines:
        _text(figure, middle, bottom - 4.8, lines["Patellofemoral"], ha="center", fontsize=6.5)


def _frame(figure, scene: Scene, limit: float, scale: float, items: Sequence[KneeMap]) -> None:  # type: ignore[no-untyped-def]
    """Head, colour bar, legend of the lines, ruler and foot."""
    from matplotlib.lines import Line2D

    words, size = fitted_words(headline(scene), PAPER_MM[0] * MM * 100.0 - 30.0, 10.0)
    _text(figure, 4.0, 105.0, words, fontsize=size, fontweight="bold")
    _text(figure, 4.0, 100.8, "Cartilage unrolled into the plane; menisci as seen from above", fontsize=6.5, color=_SOFT)
    colour_bar(figure, _share((66.0, 8.5, 58.0, 2.6)), limit)
    length = 20.0 * scale / PAPER_MM[0]
    figure.add_artist(Line2D([132.0 / PAPER_MM[0], 132.0 / PAPER_MM[0] + length], [11.2 / PAPER_MM[1]] * 2, color=_INK, linewidth=1.4))
    size_words = "printed at 100 %: life-size" if scale == 1.0 else f"printed at 100 %: {100.0 * scale:.0f} % of life size"
    _text(figure, 132.0, 8.2, "20 mm; grid 10 mm", fontsize=6.5)
    _text(figure, 132.0, 5.2, size_words, fontsize=5.5, color=_SOFT)
    figure.add_artist(Line2D([165.0 / PAPER_MM[0]], [11.2 / PAPER_MM[1]], marker="o", markersize=5.5, markerfacecolor="white", markeredgecolor=_INK, markeredgewidth=0.8))
    figure.add_artist(Line2D([165.0 / PAPER_MM[0]], [11.2 / PAPER_MM[1]], marker="+", markersize=5.5, color=_INK, markeredgewidth=0.8))
    _text(figure, 167.5, 11.2, "centre of pressure", fontsize=6.0)
    for y, colour, style, meaning in ((8.2, _INK, "-", "path in the cycle"), (5.2, _INK, (0, (1.2, 0.8)), "MOAKS regions")):
        figure.add_artist(Line2D([163.5 / PAPER_MM[0], 166.5 / PAPER_MM[0]], [y / PAPER_MM[1]] * 2, color=colour, linewidth=0.8, linestyle=style))  # type: ignore[arg-type]
        _text(figure, 167.5, y, meaning, fontsize=6.0)
    _text(figure, 4.0, 9.8, NOT_A_DIAGNOSIS, fontsize=7.5, fontweight="bold", color="#9a1f2e")
    _text(figure, 4.0, 6.2, "kneeload: computed by a model, not measured", fontsize=6.0, color=_SOFT)


def colour_bar(figure, box: tuple[float, float, float, float], limit_mpa: float, *, size: float = 7.0) -> None:  # type: ignore[no-untyped-def]
    """A horizontal bar of the pressure scale in shares of the figure, with name and unit."""
    axes = figure.add_axes(box)
    axes.imshow(pressure_rgb(np.linspace(0.0, limit_mpa, 256), limit_mpa)[None], aspect="auto", extent=(0.0, limit_mpa, 0.0, 1.0))
    axes.set_yticks([])
    axes.set_xticks(scale_ticks(limit_mpa))
    axes.tick_params(labelsize=size - 0.5, colors=_INK, length=2.0, width=0.6, pad=1.5)
    axes.set_title("Contact pressure (MPa)", fontsize=size, fontweight="bold", color=_INK, pad=2.5)
    for spine in axes.spines.values():
        spine.set_linewidth(0.6)
