"""Plots of the validation page: predicted against measured curves, one figure per topic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_INK = "#20252b"
_STYLES = {  # kind: colour (Okabe and Ito 2008), width, line
    "measured": ("#20252b", 2.2, "-"), "predicted": ("#d55e00", 2.2, "-"), "other": ("#0072b2", 1.6, (0, (4, 2))),
    "calibrated": ("#009e73", 1.8, (0, (6, 1.5, 1.5, 1.5))),
    "medial": ("#d55e00", 1.4, (0, (5, 2))), "lateral": ("#0072b2", 1.4, (0, (2, 1.5))),
}
_BAND = "#c3cbd3"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One curve or cloud.

    Attributes:
        label: words of the legend.
        kind: "measured", "predicted", "other", "calibrated", "medial", "lateral", "band" (mean with low and high) or "points".
        x: (n,) no unit, or in the unit of the panel's label.
        y: (n,) in the unit of the panel's label.
        low, high: (n,) in the unit of the panel's label, or None.
    """

    label: str
    kind: str
    x: Array
    y: Array
    low: Array | None = None
    high: Array | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """One pair of axes: the figure it belongs to, its title, labels with units, and what is drawn."""

    figure: str
    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]


def draw_panels(panels: Sequence[Panel], *, columns: int = 2) -> bytes:
    """Draw the panels of one figure and return a PNG picture, 1300 pixels wide."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(13, 0.75 + 3.5 * rows), dpi=100, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels):]:
        axes.set_axis_off()
    for panel, axes in zip(panels, grid.flat):
        _draw(axes, panel)
    _share_limits(panels, list(grid.flat))
    handles = {label: handle for axes in grid.flat[:len(panels)] for handle, label in zip(*axes.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=len(handles), frameon=False, fontsize=12)
    picture = BytesIO()
    figure.savefig(picture, format="png", pil_kwargs={"compress_level": 6})
    return picture.getvalue()


def _draw(axes, panel: Panel) -> None:  # type: ignore[no-untyped-def]
    for series in panel.series:
        if series.kind == "band":
            axes.fill_between(series.x, series.low, series.high, color=_BAND, linewidth=0, label=series.label)
            dots = len(series.x) > 2  # a published curve at its samples; a level is a line
            axes.plot(series.x, series.y, color="#59646f", linewidth=0.0 if dots else 1.4, marker="o" if dots else "", markersize=3.6)
        elif series.kind == "points":
            axes.plot(series.x, series.y, linestyle="none", marker="o", markersize=4.5, color="#0072b2", alpha=0.7, label=series.label)
        else:
            colour, width, line = _STYLES[series.kind]
            axes.plot(series.x, series.y, color=colour, linewidth=width, linestyle=line, label=series.label)
    axes.set_title(panel.title, fontsize=13, color=_INK, loc="left", fontweight="bold")
    axes.set_xlabel(panel.x_label, fontsize=11.5, color=_INK)
    axes.set_ylabel(panel.y_label, fontsize=11.5, color=_INK)
    axes.tick_params(labelsize=10.5, colors=_INK)
    axes.grid(color="#e1e5e9", linewidth=0.7)
    axes.set_axisbelow(True)
    if panel.x_label.startswith("Cycle"):
        axes.set_xlim(0.0, 100.0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _share_limits(panels: Sequence[Panel], axes: list) -> None:
    """Give panels of one unit the same vertical scale, so that they can be compared by eye."""
    for label in {panel.y_label for panel in panels}:
        same = [axes[i] for i, panel in enumerate(panels) if panel.y_label == label]
        low, high = min(item.get_ylim()[0] for item in same), max(item.get_ylim()[1] for item in same)
        for item in same:
            item.set_ylim(low, high)
