"""Answers of `kneeload questions`: boxes by group, shares with intervals, and their tables in the terminal (maps are in `response`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kneeload.views.response import LEAST
from kneeload.views.scene import NOT_A_DIAGNOSIS

if TYPE_CHECKING:
    from rich.console import Console

_INK, _SOFT, _GRID, _BLUE, _PALE = "#20252b", "#5b6570", "#e3e7eb", "#0072b2", "#bcd9ec"
MOST_GROUPS = 40  # that have room in a picture


def draw_quantiles(path: Path | str, groups: Sequence[tuple[str, int, Sequence[float]]], *, title: str, axis: str, note: str, by: str = "") -> Path:
    """Draw a box per group into a PNG file: 5, 25, 50, 75 and 95 % quantiles.

    Args:
        path: the file.
        groups: label, people, and the five quantiles in the unit of `axis`.
        title, axis, note: words.
        by: what makes the groups, with its unit.
    """
    shown = list(groups)[:MOST_GROUPS]
    figure, axes = _figure(len(shown))
    for place, (_, people, (least, low, middle, high, most)) in enumerate(shown):
        y = len(shown) - 1 - place
        axes.plot([least, most], [y, y], color=_BLUE, linewidth=1.4, zorder=2)
        axes.barh(y, high - low, left=low, height=0.56, color=_PALE if people >= LEAST else "white", edgecolor=_BLUE, hatch=None if people >= LEAST else "///", zorder=3)
        axes.plot([middle, middle], [y - 0.28, y + 0.28], color=_INK, linewidth=2.2, zorder=4)
    _rows(axes, [(label, people) for label, people, _ in shown], by)
    axes.set_xlabel(axis, fontsize=12, color=_INK)
    return _finish(figure, path, title, "Box: middle half, line: median, whiskers: 5 to 95 %. " + note)


def draw_shares(path: Path | str, groups: Sequence[tuple[str, int, float, float, float]], *, title: str, axis: str, note: str, by: str = "") -> Path:
    """Draw a point with its 95 % interval per group into a PNG file.

    Args:
        path: the file.
        groups: label, people, share and the ends of its interval, 0 to 1.
        title, axis, note: words.
        by: what makes the groups, with its unit.
    """
    shown = list(groups)[:MOST_GROUPS]
    figure, axes = _figure(len(shown))
    for place, (_, people, share, low, high) in enumerate(shown):
        y = len(shown) - 1 - place
        axes.plot([100.0 * low, 100.0 * high], [y, y], color=_BLUE, linewidth=2.0, zorder=2)
        axes.plot([100.0 * share], [y], "o", markersize=8, markerfacecolor=_BLUE if people >= LEAST else "white", markeredgecolor=_BLUE, zorder=3)
    _rows(axes, [(label, people) for label, people, *_ in shown], by)
    axes.set_xlim(-2.0, min(102.0, 2.0 + 105.0 * max((high for *_, high in shown), default=1.0)))
    axes.set_xlabel(axis, fontsize=12, color=_INK)
    return _finish(figure, path, title, "Bars: 95 % interval of the share (Wilson). " + note)


def print_answer(header: Sequence[str], rows: Sequence[Sequence[str]], *, title: str, notes: Sequence[str] = (), folder: object = None, console: Console | None = None) -> None:
    """Print a table, the notes and where the files are."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console()
    table = Table(title=Text(title), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, words in enumerate(header):
        table.add_column(Text(words), justify="left" if number == 0 else "right", no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    for note in notes:
        console.print(Text(note, style="yellow"))
    if folder is not None:
        console.print(Text(f"Files: {folder}"), soft_wrap=True)
    console.print(Text(NOT_A_DIAGNOSIS, style="bold"))


def _figure(rows: int):  # type: ignore[no-untyped-def]
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = 11.0, 0.42 * max(rows, 3) + 2.6
    figure = Figure(figsize=(width, height), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.3, 1.2 / height, 0.67, (height - 2.3) / height))
    axes.grid(color=_GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=11, colors=_INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _rows(axes, labels: Sequence[tuple[str, int]], by: str) -> None:  # type: ignore[no-untyped-def]
    axes.set_yticks(range(len(labels))[::-1], [f"{label}  (n={people})" for label, people in labels])
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.set_ylabel(by, fontsize=12, color=_INK)


def _finish(figure, path: Path | str, title: str, note: str) -> Path:  # type: ignore[no-untyped-def]
    import textwrap

    high = figure.get_figheight()
    figure.text(0.015, 1.0 - 0.32 / high, title, fontsize=15, fontweight="bold", color=_INK, va="center")
    figure.text(0.015, 1.0 - 0.72 / high, textwrap.fill(note, 165), fontsize=10, color=_SOFT, va="center")
    figure.text(0.015, 0.2 / high, NOT_A_DIAGNOSIS, fontsize=10.5, fontweight="bold", color="#9a1f2e", va="center")
    figure.text(0.985, 0.2 / high, "kneeload: computed by a model, not measured", fontsize=9.5, color=_SOFT, ha="right", va="center")
    figure.savefig(Path(path), pil_kwargs={"compress_level": 9})
    return Path(path)
