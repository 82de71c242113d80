"""tornado.png: what each parameter alone does to each output, and its part of the variance; convergence.png: how sure these parts are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.views.scene import NOT_A_DIAGNOSIS

Array = NDArray[np.float64]
SHOWN = 10  # parameters in a panel, those with the largest total indices
FOLLOWED = 5  # parameters in a panel of convergence
_INK, _SOFT, _GRID = "#20252b", "#5b6570", "#e3e7eb"
_LOW, _HIGH = "#0072b2", "#e69f00"  # Okabe and Ito 2008
_LINES = (("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "D"), ("#56b4e9", "v"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One output with P parameters.

    Attributes:
        title, unit: of the output.
        nominal, low, high: of the case, and ends of the 95 % interval over all priors, in the unit of the output.
        labels: of the parameters, with what they are at both ends.
        swings: (P, 2) in the unit of the output; with one parameter at its low and at its high end.
        total, total_half: (P,) no unit; total Sobol index and half-width of its 95 % interval.
        sizes: numbers of blocks of the rows below.
        totals, total_halves: (sizes, P) no unit; the same from so many blocks.
    """

    title: str
    unit: str
    nominal: float
    low: float
    high: float
    labels: Sequence[str]
    swings: Array
    total: Array
    total_half: Array
    sizes: Sequence[int]
    totals: Array
    total_halves: Array


def draw_tornado(path: Path | str, panels: Sequence[Panel], *, title: str, note: str) -> Path:
    """Draw one panel per output into a PNG file: bars of the swings, the largest total index on top, and the indices beside them."""
    figure, rows = _figure(panels, 0.42 * min(SHOWN, max(len(panel.labels) for panel in panels)) + 1.35)
    bottom, height = 0.75 / figure.get_figheight(), (figure.get_figheight() - 1.85) / figure.get_figheight() / rows
    for number, panel in enumerate(panels):
        column, row = number % 2, number // 2
        base = bottom + height * (rows - 1 - row)
        left = 0.175 + 0.495 * column if len(panels) > 1 else 0.27
        width = 0.2 if len(panels) > 1 else 0.45
        order = _order(panel)[:SHOWN][::-1]
        _bars(figure.add_axes((left, base + 0.13 * height, width, 0.70 * height)), panel, order)
        _parts(figure.add_axes((left + width + 0.012, base + 0.13 * height, 0.09 if len(panels) > 1 else 0.2, 0.70 * height)), panel, order)
    _words(figure, title, note)
    figure.savefig(Path(path), pil_kwargs={"compress_level": 6})
    return Path(path)


def draw_convergence(path: Path | str, panels: Sequence[Panel], *, title: str, note: str) -> Path:
    """Draw total indices against the number of blocks, with 95 % intervals, for the first few parameters of each output, into a PNG file."""
    figure, rows = _figure(panels, 3.6)
    bottom, height = 0.75 / figure.get_figheight(), (figure.get_figheight() - 1.85) / figure.get_figheight() / rows
    for number, panel in enumerate(panels):
        axes = figure.add_axes((0.055 + 0.5 * (number % 2), bottom + height * (rows - 1 - number // 2) + 0.16 * height, 0.26 if len(panels) > 1 else 0.62, 0.66 * height))
        for rank, place in enumerate(_order(panel)[:FOLLOWED]):
            colour, marker = _LINES[rank]
            shift = 1.0 + 0.04 * (rank - 2)  # side by side, so that intervals can be told apart
            axes.errorbar([size * shift for size in panel.sizes], panel.totals[:, place], yerr=panel.total_halves[:, place], color=colour, marker=marker, markersize=6, capsize=3,
                          linewidth=1.4, label=panel.labels[place].partition(" (")[0])
        axes.set_xscale("log", base=2)
        axes.set_xticks(list(panel.sizes), [str(size) for size in panel.sizes])
        axes.minorticks_off()
        axes.set_ylim(-0.1, 1.2)
        axes.set_xlabel("Blocks of samples (number)", fontsize=11, color=_INK)
        axes.set_ylabel("Total index (part of variance)", fontsize=11, color=_INK)
        axes.set_title(panel.title, fontsize=12.5, color=_INK, loc="left")
        axes.legend(fontsize=9.5, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), handlelength=1.4)
        _dress(axes)
    _words(figure, title, note)
    figure.savefig(Path(path), pil_kwargs={"compress_level": 6})
    return Path(path)


def _figure(panels: Sequence[Panel], height: float):  # type: ignore[no-untyped-def]
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = (len(panels) + 1) // 2
    figure = Figure(figsize=(17.0 if len(panels) > 1 else 12.0, rows * height + 1.85), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    return figure, rows


def _order(panel: Panel) -> list[int]:
    """Places of the parameters, the largest total index first; by swing where there is no index."""
    swing = np.nan_to_num(np.abs(panel.swings - panel.nominal).max(axis=1))
    return [int(place) for place in np.lexsort((-swing, -np.nan_to_num(panel.total, nan=-1.0)))]


def _bars(axes, panel: Panel, order: Sequence[int]) -> None:  # type: ignore[no-untyped-def]
    axes.axvspan(panel.low, panel.high, color="#eef1f4", zorder=0)
    places = np.arange(len(order))
    for end, colour, offset in ((0, _LOW, 0.18), (1, _HIGH, -0.18)):
        change = np.nan_to_num(panel.swings[order, end] - panel.nominal)
        axes.barh(places + offset, change, left=panel.nominal, height=0.34, color=colour, zorder=3)
    axes.axvline(panel.nominal, color=_INK, linewidth=1.1, zorder=4)
    axes.set_yticks(places, [panel.labels[place].replace(" (", "\n(") for place in order], fontsize=9.5)
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlabel(panel.unit or "no unit", fontsize=11, color=_INK)
    axes.set_title(panel.title, fontsize=12.5, color=_INK, loc="left", fontweight="bold", x=-0.8 if axes.get_position().width < 0.3 else -0.55, pad=22)
    axes.text(0.0, 1.02, f"{panel.nominal:.4g}, 95 % from {panel.low:.4g} to {panel.high:.4g} {panel.unit}".rstrip(), transform=axes.transAxes, fontsize=10, color=_SOFT)
    axes.locator_params(axis="x", nbins=5)
    _dress(axes)


def _parts(axes, panel: Panel, order: Sequence[int]) -> None:  # type: ignore[no-untyped-def]
    places = np.arange(len(order))
    axes.errorbar(np.nan_to_num(panel.total[order]), places, xerr=np.nan_to_num(panel.total_half[order]), fmt="o", color=_INK, markersize=5, capsize=3, linewidth=1.2)
    axes.set_yticks(places, [])
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]), right=max(1.0, axes.get_xlim()[1]))
    axes.set_xlabel("total index", fontsize=11, color=_INK)
    axes.locator_params(axis="x", nbins=3)
    _dress(axes)


def _words(figure, title: str, note: str) -> None:  # type: ignore[no-untyped-def]
    high = figure.get_figheight()
    figure.text(0.015, 1.0 - 0.32 / high, title, fontsize=17, fontweight="bold", color=_INK, va="center")
    figure.text(0.015, 1.0 - 0.68 / high, note, fontsize=11, color=_SOFT, va="center")
    figure.text(0.015, 0.22 / high, NOT_A_DIAGNOSIS, fontsize=11, fontweight="bold", color="#9a1f2e", va="center")
    figure.text(0.985, 0.22 / high, "kneeload: computed by a model, not measured", fontsize=10, color=_SOFT, ha="right", va="center")


def _dress(axes) -> None:  # type: ignore[no-untyped-def]
    axes.grid(color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=10, colors=_INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
