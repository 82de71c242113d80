"""tornado.png: what each parameter alone does to each output, and its part of the variance; convergence.png: how sure these parts are."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kneeload.views.column_wording import ColumnWords, column_words
from kneeload.views.layout import fitted_words
from kneeload.views.scene import NOT_A_DIAGNOSIS

Array = NDArray[np.float64]
SHOWN = 10  # parameters in a panel, those with the largest part
FOLLOWED = 5  # parameters in a panel of convergence
_INK, _SOFT, _GRID = "#20252b", "#5b6570", "#e3e7eb"
_LOW, _HIGH = "#0072b2", "#e69f00"  # Okabe and Ito 2008
_LINES = (("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "D"), ("#56b4e9", "v"))
_WIDE, _NARROW = 18.0, 12.5  # inches, of a picture with several panels and with one
_HEAD, _FOOT = 0.95, 0.6  # inches
_KEY = 0.35  # inches, of what the colours of a tornado chart mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One output with P parameters.

    Attributes:
        title, unit: of the output, in words.
        nominal: of the case, in the unit of the output.
        low, high: ends of the 95 % interval over all priors, same unit; None where there is none.
        labels: (words, what it is at both ends) of each parameter.
        swings: (P, 2) in the unit of the output; with one parameter at its low and at its high end.
        part, part_half: (P,) total Sobol index and half-width of its 95 % interval, no unit; or mean size of effect, in the unit of the output.
        part_words: what `part` is.
        sizes: numbers of blocks of the rows below.
        parts, parts_half: (sizes, P) no unit; the same from so many blocks.
    """

    title: str
    unit: str
    nominal: float
    low: float | None = None
    high: float | None = None
    labels: Sequence[tuple[str, str]]
    swings: Array
    part: Array
    part_half: Array
    part_words: str = "total index"
    sizes: Sequence[int] = ()
    parts: Array | None = None
    parts_half: Array | None = None


def output_words(name: str) -> ColumnWords:
    """Words of an output: "activities.stair_ascent.loads.medial.peak_force_n" is "Stair ascent: medial peak force (N)"."""
    activity, _, rest = name.removeprefix("activities.").partition(".") if name.startswith("activities.") else ("", "", name)
    words = column_words(rest.replace(".compartments.", ".").replace("any_risk_24mo", "risk_24mo"))
    return replace(words, words=f"{activity.replace('_', ' ').capitalize()}: {words.inside}") if activity else words


def tornado_png(panels: Sequence[Panel], *, title: str, note: str) -> bytes:
    """A PNG with one panel per output: bars of the swings, the parameter with the largest part on top, and the parts beside them."""
    several = len(panels) > 1
    figure, rows = _figure(panels, 0.43 * min(SHOWN, max(len(panel.labels) for panel in panels)) + 1.75, _KEY)
    height = (figure.get_figheight() - _HEAD - _KEY - _FOOT) / rows
    for number, panel in enumerate(panels):
        base = _FOOT + height * (rows - 1 - number // 2)
        down, tall = (base + 0.7) / figure.get_figheight(), (height - 1.55) / figure.get_figheight()
        left = 0.165 + 0.5 * (number % 2) if several else 0.26
        width, gap, beside = (0.192, 0.027, 0.095) if several else (0.42, 0.04, 0.22)
        order = _order(panel)[:SHOWN][::-1]
        axes = figure.add_axes((left, down, width, tall))
        _bars(axes, panel, order)
        _parts(figure.add_axes((left + width + gap, down, beside, tall)), panel, order)
        edge = 0.015 + 0.5 * (number % 2)
        figure.text(edge, (base + height - 0.3) / figure.get_figheight(), panel.title, fontsize=14, color=_INK, fontweight="bold", va="center")
        figure.text(edge, (base + height - 0.58) / figure.get_figheight(), _range(panel), fontsize=11, color=_SOFT, va="center")
    _key(figure, panels)
    return _png(figure, title, note)


def convergence_png(panels: Sequence[Panel], *, title: str, note: str) -> bytes:
    """A PNG with the total indices against the number of blocks, with 95 % intervals, for the first few parameters of each output."""
    figure, rows = _figure(panels, 3.7)
    height = (figure.get_figheight() - _HEAD - _FOOT) / rows
    for number, panel in enumerate(panels):
        base = _FOOT + height * (rows - 1 - number // 2)
        axes = figure.add_axes((0.055 + 0.5 * (number % 2), (base + 0.7) / figure.get_figheight(), 0.27 if len(panels) > 1 else 0.62, (height - 1.25) / figure.get_figheight()))
        assert panel.parts is not None and panel.parts_half is not None
        for rank, place in enumerate(_order(panel)[:FOLLOWED]):
            colour, marker = _LINES[rank]
            shift = 1.0 + 0.05 * (rank - 2)  # side by side, so that intervals can be told apart
            axes.errorbar([size * shift for size in panel.sizes], panel.parts[:, place], yerr=panel.parts_half[:, place], color=colour, marker=marker, markersize=6, capsize=3,
                          linewidth=1.4, label=_in_lines(panel.labels[place][0], 24))
        axes.set_xscale("log", base=2)
        axes.set_xticks(list(panel.sizes), [str(size) for size in panel.sizes])
        axes.minorticks_off()
        axes.set_ylim(-0.1, max(1.2, 1.1 * float(np.nan_to_num(panel.parts[:, _order(panel)[:FOLLOWED]]).max())))
        axes.set_xlabel("Blocks of samples (number)", fontsize=11, color=_INK)
        axes.set_ylabel("Total index (part of variance)", fontsize=11, color=_INK)
        axes.set_title(panel.title, fontsize=14, color=_INK, loc="left", fontweight="bold")
        axes.legend(fontsize=10.5, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.03), handlelength=1.4, labelspacing=0.7)
        _dress(axes)
    return _png(figure, title, note)


def _figure(panels: Sequence[Panel], height: float, more: float = 0.0):  # type: ignore[no-untyped-def]
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = (len(panels) + 1) // 2
    figure = Figure(figsize=(_WIDE if len(panels) > 1 else _NARROW, rows * height + _HEAD + _FOOT + more), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    return figure, rows


def _order(panel: Panel) -> list[int]:
    """Places of the parameters, the largest part first; by swing where there is none."""
    swing = np.nan_to_num(np.abs(panel.swings - panel.nominal).max(axis=1))
    return [int(place) for place in np.lexsort((-swing, -np.nan_to_num(panel.part, nan=-1.0)))]


def _range(panel: Panel) -> str:
    if panel.low is None or panel.high is None:
        return f"{_number(panel.nominal)} {panel.unit}".rstrip()
    return f"{_number(panel.nominal)} {panel.unit}, 95 % from {_number(panel.low)} to {_number(panel.high)}".replace(" ,", ",")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"


def _bars(axes, panel: Panel, order: Sequence[int]) -> None:  # type: ignore[no-untyped-def]
    if panel.low is not None and panel.high is not None:
        axes.axvspan(panel.low, panel.high, color="#eef1f4", zorder=0)
    places = np.arange(len(order))
    for end, colour, offset in ((0, _LOW, 0.18), (1, _HIGH, -0.18)):
        change = np.nan_to_num(panel.swings[order, end] - panel.nominal)
        axes.barh(places + offset, change, left=panel.nominal, height=0.34, color=colour, zorder=3)
    axes.axvline(panel.nominal, color=_INK, linewidth=1.1, zorder=4)
    axes.set_yticks(places, ["\n".join(panel.labels[place]) for place in order])
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlabel(panel.unit or "no unit", fontsize=11, color=_INK)
    _ticks(axes, 4)
    _dress(axes)


def _parts(axes, panel: Panel, order: Sequence[int]) -> None:  # type: ignore[no-untyped-def]
    places, share = np.arange(len(order)), panel.part_words == "total index"
    axes.errorbar(np.nan_to_num(panel.part[order]), places, xerr=np.nan_to_num(panel.part_half[order]), fmt="o", color=_INK, markersize=5, capsize=3, linewidth=1.2)
    axes.set_yticks(places, [])
    axes.set_ylim(-0.6, len(order) - 0.4)
    low, high = axes.get_xlim()
    axes.set_xlim(min(0.0, low) if share else 0.0, max(1.0, high) if share else high)
    axes.set_xlabel(panel.part_words if share else f"{panel.part_words} ({panel.unit or 'no unit'})", fontsize=11, color=_INK)
    if share and high <= 1.2:
        axes.set_xticks((0.0, 0.5, 1.0))
    _ticks(axes, None if share and high <= 1.2 else 2)
    _dress(axes)


def _ticks(axes, number: int | None) -> None:  # type: ignore[no-untyped-def]
    """At most so many steps, or None = as they are; thousands with a comma."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if number is not None:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=number))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:g}"))


def _key(figure, panels: Sequence[Panel]) -> None:  # type: ignore[no-untyped-def]
    from matplotlib.patches import Patch

    items = [Patch(color=_LOW, label="one parameter alone at the 2.5 % end of its prior"), Patch(color=_HIGH, label="at the 97.5 % end")]
    if any(panel.low is not None for panel in panels):
        items.append(Patch(color="#dfe4e9", label="95 % interval over all of them"))
    figure.legend(handles=items, loc="center left", bbox_to_anchor=(0.008, 1.0 - 1.02 / figure.get_figheight()), ncols=3, frameon=False, fontsize=11.5, handlelength=1.2, labelcolor=_INK)


def _in_lines(words: str, width: int) -> str:
    return "\n".join(textwrap.wrap(words, width))


def _png(figure, title: str, note: str) -> bytes:  # type: ignore[no-untyped-def]
    wide, high = 100.0 * figure.get_figwidth(), figure.get_figheight()
    words, size = fitted_words(title, 0.97 * wide, 18.0)
    figure.text(0.015, 1.0 - 0.34 / high, words, fontsize=size, fontweight="bold", color=_INK, va="center")
    figure.text(0.015, 1.0 - 0.7 / high, note, fontsize=11.5, color=_SOFT, va="center")
    figure.text(0.015, 0.24 / high, NOT_A_DIAGNOSIS, fontsize=11.5, fontweight="bold", color="#9a1f2e", va="center")
    figure.text(0.985, 0.24 / high, "kneeload: computed by a model, not measured", fontsize=11, color=_SOFT, ha="right", va="center")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", pil_kwargs={"compress_level": 6})
    return stream.getvalue()


def _dress(axes) -> None:  # type: ignore[no-untyped-def]
    axes.grid(color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=10.5, colors=_INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
