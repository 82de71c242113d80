"""forces.svg and forces.pdf: the curves of forces.png as lines, at the size and with the letters of a journal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kneeload.views.curves import FORCES, MOMENTS, KneeCurves, draw_lines, explanation
from kneeload.views.maps_drawing import MM, save_figure
from kneeload.views.scene import NOT_A_DIAGNOSIS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INK, _SOFT = "#20252b", "#5b6570"
_THIN = 0.5  # width of a line over that in forces.png
_SHAPE = 0.68  # height over width


def draw_vector_curves(paths: Sequence[Path | str], after: KneeCurves, *, width_mm: float = 180.0, before: KneeCurves | None = None) -> list[Path]:
    """Draw forces (N) and moments (N m) over the cycle into SVG and PDF files, by the endings of their names.

    Letters have 7 to 8 points at any width. A PDF carries its fonts and its words can be searched; in an SVG the letters are outlines, so that it
    looks the same everywhere.

    Args:
        paths: the files.
        after: the curves.
        width_mm: width on paper, mm; the height is 68 % of it, at least 95 mm.
        before: the same person without the intervention, dashed.
    """
    figure = vector_figure(after, width_mm=width_mm, before=before)
    for path in paths:
        save_figure(figure, Path(path))
    return [Path(path) for path in paths]


def vector_figure(after: KneeCurves, *, width_mm: float, before: KneeCurves | None = None) -> Figure:
    """The figure that `draw_vector_curves` writes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    narrow = width_mm < 140.0
    height_mm = max(_SHAPE * width_mm, 95.0)
    figure = Figure(figsize=(width_mm * MM, height_mm * MM), facecolor="white")
    FigureCanvasAgg(figure)
    left, right, foot, gap = 14.0 / width_mm, 1.0 - 3.0 / width_mm, (15.0 if narrow else 13.0) / height_mm, 15.0 / height_mm
    room = 1.0 - foot - gap - 9.0 / height_mm
    upper = figure.add_axes((left, foot + 0.36 * room + gap, right - left, 0.64 * room))
    lower = figure.add_axes((left, foot, right - left, 0.36 * room))
    for axes, lines, words in ((upper, FORCES, "Contact force (N)"), (lower, MOMENTS, "Knee moment (N m)")):
        draw_lines(axes, after, before, lines, thin=_THIN)
        axes.set_ylabel(words, fontsize=7.5, color=_INK, labelpad=2.0)
        axes.tick_params(labelsize=7.0, colors=_INK, width=0.6, length=2.5, pad=2.0)
        columns = 4 if not narrow else 2 if lines is FORCES else 1
        axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 0.98), ncols=columns, frameon=False, fontsize=6.0 if narrow else 7.0, handlelength=1.6, columnspacing=1.0,
                    borderpad=0.2, labelspacing=0.2)
        for spine in axes.spines.values():
            spine.set_linewidth(0.6)
    upper.set_ylim(bottom=min(0.0, upper.get_ylim()[0]) if min(float(getattr(after, name).min()) for name in FORCES) < 0.0 else 0.0)
    lower.axhline(0.0, color=_SOFT, linewidth=0.5)
    lower.set_xlabel("Cycle (%)", fontsize=7.5, color=_INK, labelpad=1.5)
    figure.text(2.0 / width_mm, 2.2 / height_mm, f"Model. {NOT_A_DIAGNOSIS}", fontsize=5.5, color="#9a1f2e", va="center")
    figure.text(1.0 - 2.0 / width_mm, (4.8 if narrow else 2.2) / height_mm, explanation(after, before), fontsize=5.5, color=_SOFT, ha="right", va="center")
    return figure
