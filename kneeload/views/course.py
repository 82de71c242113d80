"""course.png: how the volume of lesions may go on, as far as a model can tell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kneeload.views.layout import fitted_words
from kneeload.views.scene import NOT_A_DIAGNOSIS

SIZE = (1500, 760)  # pixels, width and height
_INK, _SOFT = "#20252b", "#5b6570"
_LINES = {  # key of the summary: words, colour (Okabe and Ito 2008), line style, whether the band is filled
    "as_before": ("as before", "#5b6570", (0, (5, 3)), False),
    "with_interventions": ("with the interventions", "#0072b2", "solid", True),
    "as_now": ("going on as now", "#0072b2", "solid", True),
}
_MONTHS = {6: 26.09, 12: 52.18, 24: 104.36, 36: 156.54, 60: 260.89}  # weeks


def draw_course(path: Path | str, course: Mapping[str, Any], *, title: str) -> Path:
    """Draw median and 95 % band of the volume of all lesions of a knee, cm3, over the weeks into a PNG file of 1500 x 760 pixels.

    Args:
        path: the file.
        course: part "course" of summary.json: weeks, total_mm3, total_low_mm3, total_high_mm3 under "as_now", or "with_interventions" and "as_before".
        title: one line about the person.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.065, 0.155, 0.905, 0.62))
    for key in _LINES:
        if course.get(key):
            _band(axes, key, course[key])
    _dress(axes)
    words, size = fitted_words(title[:1].upper() + title[1:], 1455.0, 18.0)
    figure.text(0.015, 0.955, words, fontsize=size, fontweight="bold", color=_INK, va="center")
    for line, text in enumerate(explanation(course)):
        figure.text(0.015, 0.898 - 0.042 * line, text, fontsize=13, color=_SOFT, va="center")
    figure.text(0.015, 0.028, NOT_A_DIAGNOSIS, fontsize=12, fontweight="bold", color="#9a1f2e", va="center")
    figure.text(0.985, 0.028, "kneeload: computed by a model, not measured", fontsize=11, color=_SOFT, ha="right", va="center")
    figure.savefig(Path(path), pil_kwargs={"compress_level": 3})
    return Path(path)


def explanation(course: Mapping[str, Any]) -> tuple[str, str]:
    """Two lines that say what the chart shows and how wide it is."""
    now = course.get("with_interventions") or course.get("as_now") or {}
    if not course.get("measured_regions"):
        none = bool(now) and now["total_mm3"][-1] == 0.0
        return ("New lesions only: none was measured in this knee. Line: median; band: 95 of 100 modelled futures, 2 or 3 of 100 lie above it.",
                "The median stays at zero because in more than half of the futures no lesion is there at that date." if none else "In more than half of the futures a lesion is there at the end.")
    width = "" if not now else f" At the end the band reaches from {now['total_low_mm3'][-1] / 1000.0:.1f} to {now['total_high_mm3'][-1] / 1000.0:.1f} cm³."
    drugs = [str(name).replace("_", " ") for name in course.get("modifiers") or []]
    return ("All lesions of the knee together, measured ones and new ones. Line: median; band: 95 of 100 modelled futures." + (f" Assumed: {', '.join(drugs)}." if drugs else ""),
            "Lesions come and go by themselves, so the band is wide: it does not say what will happen." + width)


def _band(axes, key: str, course: Mapping[str, Any]) -> None:  # type: ignore[no-untyped-def]
    words, colour, style, filled = _LINES[key]
    weeks = np.asarray(course["weeks"], dtype=np.float64)
    low, middle, high = (np.asarray(course[name], dtype=np.float64) / 1000.0 for name in ("total_low_mm3", "total_mm3", "total_high_mm3"))
    if filled:
        axes.fill_between(weeks, low, high, color=colour, alpha=0.16, linewidth=0, label=f"{words}: 95 % band")
    else:
        axes.plot(weeks, low, color=colour, linewidth=1.0, linestyle=style)
        axes.plot(weeks, high, color=colour, linewidth=1.0, linestyle=style, label=f"{words}: ends of the 95 % band")
    axes.plot(weeks, middle, color=colour, linewidth=2.8 if filled else 2.0, linestyle=style, label=f"{words}: median", solid_capstyle="round", clip_on=False, zorder=3)


def _dress(axes) -> None:  # type: ignore[no-untyped-def]
    end = max((float(line.get_xdata()[-1]) for line in axes.lines), default=104.0)
    axes.set_xlim(0.0, end)
    axes.set_ylim(0.0, max(axes.get_ylim()[1], 0.5))
    axes.set_xlabel("Weeks from now", fontsize=14, color=_INK)
    axes.set_ylabel("Volume of lesions (cm³)", fontsize=14, color=_INK)
    axes.grid(color="#d9dee3", linewidth=0.7)
    axes.set_axisbelow(True)
    if end <= 160.0:
        axes.set_xticks(np.arange(0.0, end + 1e-9, 13.0 if end >= 26.0 else 2.0))  # quarters of a year
    axes.tick_params(labelsize=12, colors=_INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for months, week in _MONTHS.items():
        if week <= end + 1.0:
            axes.axvline(min(week, end), color=_SOFT, linewidth=0.8, linestyle=(0, (1, 2)))
            axes.text(min(week, end) - 0.004 * end, 0.985, f"{months} months", transform=axes.get_xaxis_transform(), ha="right", va="top", fontsize=12, color=_SOFT)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=4, frameon=False, fontsize=12, handlelength=2.2, columnspacing=1.4)
