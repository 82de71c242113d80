"""The response of one number to one or two others: a curve, or a map with a colour bar; of jobs of a sweep, or of people in fields."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.views.column_wording import ColumnWords, column_words
from kneeload.views.curves import _INK, _SOFT
from kneeload.views.layout import fitted_words
from kneeload.views.palette import difference_rgb, lightness, pressure_rgb
from kneeload.views.scene import NOT_A_DIAGNOSIS

Array = NDArray[np.float64]
LEAST = 10  # people below which a field is hatched
_SMOOTH = 3  # values along each side from which a map is drawn as filled contours, where the grid is full
_LINES = (("#0072b2", "o"), ("#d55e00", "s"), ("#009e73", "^"), ("#cc79a7", "D"), ("#e69f00", "v"), ("#56b4e9", "P"))  # Okabe and Ito 2008
_NO_JOB = {"facecolor": "white", "edgecolor": "#b8bfc6", "hatch": "//", "linewidth": 0}
_INSET = 0.07  # of the frame, inside which lines of equal value are labelled


def draw_response(path: Path, columns: Mapping[str, Sequence[Any]], axes: Sequence[str], *, rest: Sequence[str] = ()) -> list[str]:
    """Draw the response of the last of `axes` to the one or two before it into a picture of 1200 x 900 pixels.

    Args:
        path: .png, .svg or .pdf.
        columns: values by name, one for each job, units in the names; None where there is none.
        axes: names: (x, quantity) for a curve, (x, y, quantity) for a map.
        rest: other names that vary; a curve is drawn for each of their values, a map shows the mean over them.

    Returns:
        Sentences that the reader needs, such as how many jobs are missing in the picture.

    Raises:
        InputError: fewer than two different values along an axis, or a picture that cannot be written.
    """
    words = [column_words(name) for name in axes]
    jobs = len(columns[axes[-1]])
    whole = [index for index, row in enumerate(zip(*(columns[name] for name in axes))) if all(value is not None for value in row)]
    values = [item.factor * np.array([columns[name][index] for index in whole], dtype=np.float64) for name, item in zip(axes, words)]
    for name, along in zip(axes[:-1], values):
        if len(np.unique(along)) < 2:
            raise InputError("column", where="--plot", got=name, allowed="a column with two or more different values among the jobs that are done", why="a response needs an axis")
    lost = [[item.factor * columns[name][index] for name, item in zip(axes[:-1], words)] for index in range(jobs)
            if index not in set(whole) and all(columns[name][index] is not None for name in axes[:-1])]
    notes = [f"{jobs - len(whole)} of {jobs} jobs have no value{' (crosses)' if lost else ''}."] if len(whole) < jobs else []
    figure, place = _page(narrow=len(axes) == 3)
    if len(axes) == 3:
        notes += _map(figure, place, values, words, rest)
        place.plot(values[0], values[1], linestyle="none", marker="o", markersize=4.5, markerfacecolor="white", markeredgecolor=_INK, clip_on=False)
        place.plot([at[0] for at in lost], [at[1] for at in lost], linestyle="none", marker="x", markersize=9, markeredgewidth=2, color=_INK, clip_on=False)
    else:
        _curves(place, values, words, [tuple(columns[name][index] for name in rest) for index in whole], rest)
        place.plot([at[0] for at in lost], [0.0] * len(lost), linestyle="none", marker="x", markersize=9, markeredgewidth=2, color=_INK, clip_on=False, transform=place.get_xaxis_transform())
    _finish(figure, path, f"{words[-1].words} over " + " and ".join(item.inside for item in words[:-1]), " ".join([f"{len(whole)} jobs.", *notes]))
    return notes


def draw_fields(path: Path, cells: Sequence[tuple[float, float, int, float]], steps: tuple[float, float], names: Sequence[str], *, note: str) -> None:
    """Draw the mean of a quantity over people in fields of two others into a picture of 1200 x 900 pixels; fields of few people are hatched.

    Args:
        path: .png, .svg or .pdf.
        cells: lower ends of x and y, people, and the quantity, in the units of the columns.
        steps: widths of the fields along x and y, in the units of the columns.
        names: columns of x, y and the quantity.
        note: a line below the title.

    Raises:
        InputError: a picture that cannot be written.
    """
    words = [column_words(name) for name in names]
    ends: list[Array] = []
    places: list[list[int]] = []
    for axis in (0, 1):
        low = min(cell[axis] for cell in cells)
        places.append([round((cell[axis] - low) / steps[axis]) for cell in cells])
        ends.append(words[axis].factor * (low + steps[axis] * np.arange(max(places[axis]) + 2, dtype=np.float64)))
    grid, people = np.full((len(ends[1]) - 1, len(ends[0]) - 1), np.nan), np.zeros((len(ends[1]) - 1, len(ends[0]) - 1), dtype=np.int64)
    grid[places[1], places[0]] = [words[2].factor * cell[3] for cell in cells]
    people[places[1], places[0]] = [cell[2] for cell in cells]
    figure, place = _page(narrow=True)
    _cells(figure, place, ends[0], ends[1], grid, words, people)
    _finish(figure, path, f"{words[2].words} over {words[0].inside} and {words[1].inside}", f"Mean of each field. {note} Hatched: fewer than {LEAST} people.")


def grid_of(x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    """The different values (X,) of x and (Y,) of y, and the means (Y, X) of z at each pair, nan where there is none; any units.

    Args:
        x, y, z: (n,) any unit.
    """
    along, i = np.unique(x, return_inverse=True)
    up, j = np.unique(y, return_inverse=True)
    sums, count = np.zeros((len(up), len(along))), np.zeros((len(up), len(along)))
    np.add.at(sums, (j, i), z)
    np.add.at(count, (j, i), 1.0)
    return along, up, np.divide(sums, count, out=np.full_like(sums, np.nan), where=count > 0)


def _map(figure, place, values: Sequence[Array], words: Sequence[ColumnWords], rest: Sequence[str]) -> list[str]:  # type: ignore[no-untyped-def]
    """Filled contours over a full grid of at least 3 x 3, coloured cells over any other."""
    x, y, grid = grid_of(*values)
    if np.isnan(grid).any() or min(len(x), len(y)) < _SMOOTH or not np.ptp(grid) > 0.0:
        _cells(figure, place, _edges(x), _edges(y), grid, words)
    else:
        from matplotlib.ticker import MaxNLocator

        levels = MaxNLocator(nbins=12).tick_values(float(grid.min()), float(grid.max()))
        colours = _colours(float(levels[0]), float(levels[-1]), words[2].signed)
        drawn = place.contourf(x, y, grid, levels=levels, cmap=colours)
        _label(place, place.contour(x, y, grid, levels=levels, colors="white", linewidths=0.8, linestyles="solid"), colours)
        _bar(figure, drawn, words)
    _name(place, words)
    return [f"Mean over {', '.join(column_words(name).inside for name in rest)}."] if rest and len(values[0]) > np.count_nonzero(~np.isnan(grid)) else []


def _label(place, lines, colours) -> None:  # type: ignore[no-untyped-def]
    """Label each line of equal value once, where it passes nearest to the middle of the frame and away from its edge."""
    to_frame = place.transData + place.transAxes.inverted()
    spots = []
    for level in lines.get_paths():
        found = [(1.0 - part) * a + part * b for segment in level.to_polygons(closed_only=False) for a, b in zip(segment, segment[1:]) for part in np.linspace(0.0, 1.0, 12)]
        inside = [spot for spot in found if np.all(np.abs(to_frame.transform(spot) - 0.5) < 0.5 - _INSET)]
        if inside:
            spots.append(tuple(min(inside, key=lambda spot: float(np.linalg.norm(to_frame.transform(spot) - 0.5)))))
    for text in place.clabel(lines, fontsize=12, fmt="%g", manual=spots) if spots else ():
        level = float(text.get_text().replace("\N{MINUS SIGN}", "-"))
        text.set_color(_ink(colours((level - lines.levels[0]) / (lines.levels[-1] - lines.levels[0]))))


def _cells(figure, place, x: Array, y: Array, grid: Array, words: Sequence[ColumnWords], people: NDArray[np.int64] | None = None) -> None:  # type: ignore[no-untyped-def]
    """Coloured cells between the edges x (X + 1,) and y (Y + 1,) with their values (Y, X), and how many people they stand for."""
    low, high = float(np.nanmin(grid)), float(np.nanmax(grid))
    if not high > low:
        low, high = low - max(abs(low) * 1e-3, 1e-12), high + max(abs(high) * 1e-3, 1e-12)
    colours = _colours(low, high, words[2].signed)
    drawn = place.pcolormesh(x, y, np.ma.masked_invalid(grid), cmap=colours, vmin=low, vmax=high, edgecolor="white", linewidth=0.8)
    place.patch.set(**_NO_JOB)
    if grid.size <= 150:
        size = 12.0 if grid.size <= 60 else 9.5
        for (row, column), value in np.ndenumerate(grid):
            if not np.isnan(value):
                colour = colours((value - low) / (high - low))
                few = people is not None and people[row, column] < LEAST
                if few:
                    place.fill_between(x[column:column + 2], y[row], y[row + 1], facecolor="none", edgecolor=_ink(colour), hatch="//", linewidth=0, alpha=0.35)
                said = f"{value:.3g}" + ("" if people is None else f"\nn={people[row, column]}")
                place.text(x[column:column + 2].mean(), y[row:row + 2].mean() if people is not None else 0.3 * y[row] + 0.7 * y[row + 1], said, ha="center", va="center", fontsize=size, color=_ink(colour),
                           bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.0} if few else None)
    _bar(figure, drawn, words)
    _name(place, words)


def _colours(low: float, high: float, signed: bool):  # type: ignore[no-untyped-def]
    """Colour map between two values: darker with more, or of a change from zero in blue and orange; lightness is even in both."""
    from matplotlib.colors import ListedColormap

    if signed:
        along = np.linspace(low, high, 1024)
        return ListedColormap([tuple(rgb) for rgb in difference_rgb(along, float(np.abs(along).max()) or 1.0)])
    return ListedColormap([tuple(rgb) for rgb in pressure_rgb(np.linspace(0.0, 1.0, 1024), 1.0)])


def _ink(colour: Sequence[float]) -> str:
    """Dark or white, whichever is read better on a colour."""
    return _INK if float(lightness(np.array([colour[:3]]))[0]) > 55.0 else "white"


def _edges(centres: Array) -> Array:
    middle = (centres[1:] + centres[:-1]) / 2.0
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _curves(place, values: Sequence[Array], words: Sequence[ColumnWords], others: Sequence[tuple[Any, ...]], rest: Sequence[str]) -> None:  # type: ignore[no-untyped-def]
    groups = list(dict.fromkeys(others))
    for number, group in enumerate(groups):
        picked = np.array([item == group for item in others])
        order = np.argsort(values[0][picked], kind="stable")
        label = ", ".join(f"{column_words(name).words.lower()} {_said(value)} {column_words(name).unit}".rstrip() for name, value in zip(rest, group)) if len(groups) > 1 else None
        few, marker = _LINES[number % len(_LINES)]
        colour = few if len(groups) <= len(_LINES) else tuple(pressure_rgb(np.array([0.25 + 0.7 * number / (len(groups) - 1)]), 1.0)[0])
        place.plot(values[0][picked][order], values[1][picked][order], color=colour, linewidth=2.4, marker=marker, markersize=7, label=label)
    if len(groups) > 1:
        place.legend(frameon=False, fontsize=13, ncols=1 + (len(groups) > 8))
    place.grid(color="#d9dee3", linewidth=0.7)
    place.set_axisbelow(True)
    if words[1].signed:
        place.axhline(0.0, color=_SOFT, linewidth=1.2)
    _name(place, words)


def _said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value).replace("_", " ")


def _page(*, narrow: bool):  # type: ignore[no-untyped-def]
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 9), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    place = figure.add_axes((0.09, 0.115, 0.74 if narrow else 0.87, 0.765))
    for side in ("top", "right"):
        place.spines[side].set_visible(False)
    place.tick_params(labelsize=13, colors=_INK)
    return figure, place


def _name(place, words: Sequence[ColumnWords]) -> None:  # type: ignore[no-untyped-def]
    place.set_xlabel(words[0].label, fontsize=15, color=_INK)
    place.set_ylabel(words[1].label, fontsize=15, color=_INK)


def _bar(figure, drawn, words: Sequence[ColumnWords]) -> None:  # type: ignore[no-untyped-def]
    bar = figure.colorbar(drawn, cax=figure.add_axes((0.855, 0.115, 0.03, 0.765)))
    bar.set_label(words[2].label, fontsize=15, color=_INK)
    bar.ax.tick_params(labelsize=13, colors=_INK)


def _finish(figure, path: Path, title: str, note: str) -> None:  # type: ignore[no-untyped-def]
    fitted, size = fitted_words(title, 1150.0, 18.0)
    figure.text(0.02, 0.955, fitted, fontsize=size, fontweight="bold", color=_INK, va="center")
    figure.text(0.02, 0.914, textwrap.fill(note, 155), fontsize=11.5, color=_SOFT, va="center")
    figure.text(0.02, 0.022, NOT_A_DIAGNOSIS, fontsize=12, fontweight="bold", color="#9a1f2e", va="center")
    figure.text(0.98, 0.022, "kneeload: computed by a model, not measured", fontsize=11, color=_SOFT, ha="right", va="center")
    if path.exists():
        raise InputError("picture", where="--picture", got=str(path), allowed="a file that does not exist yet", why="nothing is written over")
    try:
        figure.savefig(path, **({"pil_kwargs": {"compress_level": 9}} if path.suffix == ".png" else {}))
    except (OSError, ValueError) as problem:
        raise InputError("picture", where="--picture", got=str(path), allowed="a .png, .svg or .pdf file that can be written", why=str(problem).partition(";")[0]) from None
