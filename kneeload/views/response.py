"""The response of one number to one or two others: a curve, or a map with a colour bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.views.curves import _INK, _SOFT
from kneeload.views.layout import fitted_words
from kneeload.views.palette import pressure_colours
from kneeload.views.scene import NOT_A_DIAGNOSIS

_UNITS = (  # ending of a name, unit
    ("_n_per_mm", "N/mm"), ("_mpa_s", "MPa s"), ("_kg_m2", "kg/m²"), ("_m_s", "m/s"), ("_mm3", "mm³"), ("_mm2", "mm²"), ("_mpa", "MPa"), ("_kpa", "kPa"), ("_deg", "degrees"), ("_pct", "%"),
    ("_nm", "N m"), ("_ns", "N s"), ("_bw", "body weights"), ("_mm", "mm"), ("_kg", "kg"), ("_ms", "ms"), ("_n", "N"), ("_m", "m"), ("_s", "s"),
)
_WORDS = {"mpta": "MPTA", "ldfa": "LDFA", "hka": "HKA", "kam": "KAM", "kfm": "KFM", "risk 24mo": "risk of a new lesion in 24 months", "bmi": "BMI"}
_SMOOTH = 3  # values along each side from which a map is drawn as filled contours, where the grid is full


def words_of(name: str) -> tuple[str, str]:
    """Words and unit ("" if it has none) of a column, such as ("contact medial peak pressure", "MPa")."""
    stem, unit = next(((name[:-len(ending)], unit) for ending, unit in _UNITS if name.endswith(ending)), (name, ""))
    parts = stem.split(".")
    parts = [part for part in parts if part not in ("subject", "activity", "intervention", "regions", "loads", "lesion", "bone", "contact", "result")] or parts[-1:]
    words = " ".join(part.replace("_", " ") for part in parts)
    for plain, better in _WORDS.items():
        words = " ".join(words.split()).replace(plain, better) if f" {plain} " in f" {words} " else words
    return words[:1].upper() + words[1:], unit


def _inside(words: str) -> str:
    """Words as they stand inside a sentence: abbreviations keep their capitals."""
    return words if words[:2].isupper() else words[:1].lower() + words[1:]


def label_of(name: str) -> str:
    """Words of a column with the unit in brackets."""
    words, unit = words_of(name)
    return f"{words} ({unit})" if unit else words


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    whole = [index for index, row in enumerate(zip(*(columns[name] for name in axes))) if all(value is not None for value in row)]
    values = [np.array([columns[name][index] for index in whole], dtype=np.float64) for name in axes]
    for name, along in zip(axes[:-1], values):
        if len(np.unique(along)) < 2:
            raise InputError("column", where="--plot", got=name, allowed="a column with two or more different values among the jobs that are done", why="a response needs an axis")
    figure = Figure(figsize=(12, 9), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    place = figure.add_axes((0.09, 0.115, 0.87 if len(axes) == 2 else 0.74, 0.765))
    missing = len(columns[axes[-1]]) - len(whole)
    notes = [f"{missing} of {len(columns[axes[-1]])} jobs have no value and are not in the picture."] if missing else []
    if len(axes) == 3:
        notes += _map(figure, place, values, axes, rest)
    else:
        _curves(place, values, axes, [tuple(columns[name][index] for name in rest) for index in whole], rest)
    for side in ("top", "right"):
        place.spines[side].set_visible(False)
    place.tick_params(labelsize=13, colors=_INK)
    title, size = fitted_words(f"{words_of(axes[-1])[0]} over " + " and ".join(_inside(words_of(name)[0]) for name in axes[:-1]), 1150.0, 18.0)
    figure.text(0.02, 0.955, title, fontsize=size, fontweight="bold", color=_INK, va="center")
    figure.text(0.02, 0.916, " ".join([f"{len(whole)} jobs.", *notes]), fontsize=12, color=_SOFT, va="center")
    figure.text(0.02, 0.022, NOT_A_DIAGNOSIS, fontsize=12, fontweight="bold", color="#9a1f2e", va="center")
    if path.exists():
        raise InputError("picture", where="--picture", got=str(path), allowed="a file that does not exist yet", why="nothing is written over")
    try:
        figure.savefig(path)
    except (OSError, ValueError) as problem:
        raise InputError("picture", where="--picture", got=str(path), allowed="a .png, .svg or .pdf file that can be written", why=str(problem).partition(";")[0]) from None
    return notes


def _map(figure, place, values: Sequence[NDArray[np.float64]], axes: Sequence[str], rest: Sequence[str]) -> list[str]:  # type: ignore[no-untyped-def]
    """Filled contours over a full grid of at least 3 x 3, coloured cells over any other."""
    x, y, grid = grid_of(*values)
    full = not np.isnan(grid).any()
    low, high = float(np.nanmin(grid)), float(np.nanmax(grid))
    if not high > low:
        high = low + max(abs(low) * 1e-6, 1e-12)
    if full and min(len(x), len(y)) >= _SMOOTH:
        from matplotlib.ticker import MaxNLocator

        levels = MaxNLocator(nbins=12).tick_values(low, high)
        drawn = place.contourf(x, y, grid, levels=levels, cmap=pressure_colours())
        lines = place.contour(x, y, grid, levels=levels, colors="white", linewidths=0.8)
        place.clabel(lines, levels[::2], fontsize=11, colors=_INK)
    else:
        drawn = place.pcolormesh(_edges(x), _edges(y), np.ma.masked_invalid(grid), cmap=pressure_colours(), vmin=low, vmax=high)
        place.patch.set(facecolor="white", edgecolor="#b8bfc6", hatch="//", linewidth=0)  # where there is no job
    place.plot(values[0], values[1], linestyle="none", marker="o", markersize=4, markerfacecolor="white", markeredgecolor=_INK, clip_on=False)
    place.set_xlabel(label_of(axes[0]), fontsize=15, color=_INK)
    place.set_ylabel(label_of(axes[1]), fontsize=15, color=_INK)
    bar = figure.colorbar(drawn, cax=figure.add_axes((0.855, 0.115, 0.03, 0.765)))
    bar.set_label(label_of(axes[2]), fontsize=15, color=_INK)
    bar.ax.tick_params(labelsize=13, colors=_INK)
    return [f"Mean over {', '.join(words_of(name)[0] for name in rest)}."] if rest and len(values[0]) > np.count_nonzero(~np.isnan(grid)) else []


def grid_of(x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
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


def _edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = (centres[1:] + centres[:-1]) / 2.0
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _curves(place, values: Sequence[NDArray[np.float64]], axes: Sequence[str], others: Sequence[tuple[Any, ...]], rest: Sequence[str]) -> None:  # type: ignore[no-untyped-def]
    groups = list(dict.fromkeys(others))
    colours = pressure_colours()
    for number, group in enumerate(groups):
        picked = np.array([item == group for item in others])
        order = np.argsort(values[0][picked], kind="stable")
        label = ", ".join(f"{label_of(name)} {value}" for name, value in zip(rest, group)) if len(groups) > 1 else None
        colour = "#d55e00" if len(groups) == 1 else colours(0.25 + 0.7 * number / (len(groups) - 1))
        place.plot(values[0][picked][order], values[1][picked][order], color=colour, linewidth=2.4, marker="o", markersize=6, label=label)
    if len(groups) > 1:
        place.legend(frameon=False, fontsize=12, ncols=1 + (len(groups) > 8))
    place.grid(color="#d9dee3", linewidth=0.7)
    place.set_axisbelow(True)
    place.set_xlabel(label_of(axes[0]), fontsize=15, color=_INK)
    place.set_ylabel(label_of(axes[1]), fontsize=15, color=_INK)
