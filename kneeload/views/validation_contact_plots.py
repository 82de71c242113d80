"""Pictures of the contact section: pressure maps, and bars of predicted against measured values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.views.palette import MENISCUS_RGB, pressure_rgb, scale_limit

Array = NDArray[np.float64]
_INK, _SOFT, _INTERVAL = "#20252b", "#5b6570", "#c3cbd3"
_COLOURS = {True: "#0b7a57", False: "#d55e00"}  # inside, outside
_FLOOR_MPA = 0.02  # below this a triangle has the colour of an unloaded surface
_WIDTH_IN = 13.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapPatch:
    """One surface of a pressure map, as it is seen.

    Attributes:
        name: of the surface.
        points: (n, 2) mm; to the right and up in the picture.
        triangles: (m, 3) no unit; point numbers.
        pressure: (m,) MPa.
    """

    name: str
    points: Array
    triangles: NDArray[np.int32]
    pressure: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PressureMap:
    """One pressure map: the figure it belongs to, its words, its surfaces (later ones lie above), and the anatomical word at each edge."""

    figure: str
    title: str
    words: str
    patches: tuple[MapPatch, ...]
    edges: tuple[str, str, str, str]  # left, right, top, bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One row of a bar chart: words, interval, measured and predicted value in the unit of the chart, and whether it is inside."""

    words: str
    low: float | None
    high: float | None
    measured: float | None
    predicted: float
    inside: bool
    binding: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BarChart:
    """Bars of one unit: the figure they belong to, title, label of the axis with its unit, the value that bars start from, and the bars."""

    figure: str
    title: str
    label: str
    origin: float
    bars: tuple[Bar, ...]


def draw_maps(maps: Sequence[PressureMap]) -> bytes:
    """Draw the maps of one figure side by side with one colour scale in MPa; return a PNG picture, 1300 pixels wide."""
    limit = scale_limit(max(float(patch.pressure.max(initial=0.0)) for item in maps for patch in item.patches))
    sizes = [_extent(item) for item in maps]
    widths = [right - left + 16.0 for left, right, _, _ in sizes]
    tallest = max(top - bottom for _, _, bottom, top in sizes) + 14.0
    height = min(6.5, 0.92 * _WIDTH_IN / sum(widths) * tallest)
    figure = _figure(height + 1.75)
    grid = figure.subplots(1, len(maps), squeeze=False, width_ratios=widths)
    for item, axes in zip(maps, grid.flat):
        _draw_map(axes, item, limit)
    _colour_bar(figure, grid, limit)
    return _png(figure)


def _draw_map(axes: Any, item: PressureMap, limit: float) -> None:
    from matplotlib.collections import PolyCollection

    for patch in item.patches:
        colour = pressure_rgb(patch.pressure, limit)
        if "meniscus" in patch.name:
            colour[patch.pressure < _FLOOR_MPA] = MENISCUS_RGB
        corners = patch.points[patch.triangles]
        axes.add_collection(PolyCollection(corners, facecolors=colour, edgecolors=colour, linewidths=0.4))  # type: ignore[arg-type]
        _outline(axes, patch)
    left, right, bottom, top = _extent(item)
    axes.set_xlim(left - 8.0, right + 8.0)
    axes.set_ylim(bottom - 7.0, top + 7.0)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_title(f"{item.title}\n", fontsize=13, fontweight="bold", color=_INK)
    axes.text(0.5, 1.0, item.words, transform=axes.transAxes, ha="center", va="bottom", fontsize=11, color=_SOFT)
    for word, x, y, turn in zip(item.edges, (left - 5.0, right + 5.0, 0.5 * (left + right), 0.5 * (left + right)),
                                (0.5 * (bottom + top), 0.5 * (bottom + top), top + 4.0, bottom - 4.0), (90, 90, 0, 0)):
        axes.text(x, y, word, ha="center", va="center", rotation=turn, fontsize=11, color=_SOFT)
    axes.plot([left, left + 20.0], [bottom - 2.0] * 2, color=_INK, linewidth=2.0)
    axes.text(left + 10.0, bottom - 3.2, "20 mm", ha="center", va="top", fontsize=10, color=_INK)


def _outline(axes: Any, patch: MapPatch) -> None:
    """Thin line along the border of a surface: its edges that belong to one triangle."""
    from matplotlib.collections import LineCollection

    edges = np.sort(patch.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edge, times = np.unique(edges, axis=0, return_counts=True)
    axes.add_collection(LineCollection(patch.points[edge[times == 1]], colors=_SOFT, linewidths=0.8))


def _extent(item: PressureMap) -> tuple[float, float, float, float]:
    points = np.concatenate([patch.points for patch in item.patches])
    (left, bottom), (right, top) = points.min(axis=0), points.max(axis=0)
    return float(left), float(right), float(bottom), float(top)


def _colour_bar(figure: Any, grid: Any, limit: float) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    colours = ListedColormap(pressure_rgb(np.linspace(0.0, limit, 256), limit))
    bar = figure.colorbar(ScalarMappable(norm=Normalize(0.0, limit), cmap=colours), ax=list(grid.flat), orientation="horizontal",
                          shrink=0.5, aspect=34, pad=0.02)
    bar.set_label("Contact pressure (MPa); blue: meniscus without load", fontsize=12, color=_INK)
    bar.ax.tick_params(labelsize=11, colors=_INK)


def draw_bars(charts: Sequence[BarChart]) -> bytes:
    """Draw the charts of one figure below each other; return a PNG picture, 1300 pixels wide."""
    counts = [len(chart.bars) for chart in charts]
    figure = _figure(0.8 + sum(0.95 + 0.36 * count for count in counts))
    grid = figure.subplots(len(charts), 1, squeeze=False, height_ratios=[0.95 + 0.36 * count for count in counts])
    for chart, axes in zip(charts, grid.flat):
        _draw_chart(axes, chart)
    figure.legend(handles=_key(), loc="outside upper center", ncols=5, frameon=False, fontsize=11.5)
    return _png(figure)


def _draw_chart(axes: Any, chart: BarChart) -> None:
    low, high = _range(chart)
    for place, bar in enumerate(chart.bars):
        start, end = (low if bar.low is None else bar.low), (high if bar.high is None else bar.high)
        axes.barh(place, max(end - start, 0.004 * (high - low)), left=start, height=0.78, color=_INTERVAL, linewidth=0)
        axes.barh(place, bar.predicted - chart.origin, left=chart.origin, height=0.34, color=_COLOURS[bar.inside], linewidth=0)
        axes.plot([bar.predicted] * 2, [place - 0.3, place + 0.3], color=_COLOURS[bar.inside], linewidth=3.0)
        if bar.measured is not None:
            axes.plot([bar.measured] * 2, [place - 0.39, place + 0.39], color=_INK, linewidth=1.8)
    axes.set_yticks(range(len(chart.bars)), [_label(bar) for bar in chart.bars])
    for label, bar in zip(axes.get_yticklabels(), chart.bars):
        label.set_fontweight("bold" if bar.binding else "normal")
    axes.set_ylim(len(chart.bars) - 0.4, -0.6)
    axes.set_xlim(low, high)
    axes.axvline(chart.origin, color=_SOFT, linewidth=0.9)
    axes.set_title(chart.title, fontsize=13, color=_INK, loc="left", fontweight="bold")
    axes.set_xlabel(chart.label, fontsize=11.5, color=_INK)
    axes.tick_params(labelsize=10, colors=_INK)
    axes.tick_params(axis="y", length=0, labelsize=9.5)
    axes.grid(axis="x", color="#e1e5e9", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _label(bar: Bar) -> str:
    lines = wrap(bar.words, 84)
    return lines[0] if len(lines) == 1 else f"{lines[0]} …"


def _range(chart: BarChart) -> tuple[float, float]:
    """Ends of the axis: everything that is drawn, with a margin where it does not start at the origin."""
    values = [chart.origin]
    for bar in chart.bars:
        values += [value for value in (bar.low, bar.high, bar.measured, bar.predicted) if value is not None and np.isfinite(value)]
    low, high = min(values), max(values)
    margin = 0.05 * ((high - low) or 1.0)
    return (low - margin if low < chart.origin or chart.origin > 0.0 else low), high + margin


def _key() -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [Patch(color=_INTERVAL, label="interval of the measurement"), Line2D([], [], color=_INK, linewidth=1.8, label="measured"),
            Patch(color=_COLOURS[True], label="predicted, inside"), Patch(color=_COLOURS[False], label="predicted, outside"),
            Line2D([], [], linestyle="none", label="bold: binding")]


def _figure(height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_IN, height), dpi=100, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure: Any) -> bytes:
    picture = BytesIO()
    figure.savefig(picture, format="png", pil_kwargs={"compress_level": 6})
    return picture.getvalue()
