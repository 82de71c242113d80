"""plan.png: what less load takes, and what each single intervention does to each compartment."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kneeload.views import plan_wording
from kneeload.views.layout import fitted_words
from kneeload.views.scene import NOT_A_DIAGNOSIS

SIZE = (1800, 1050)  # pixels, width and height
_INK, _SOFT, _PALE = "#20252b", "#5b6570", "#c3cbd3"
_COLOURS = {"medial": "#d55e00", "lateral": "#0072b2", "patellofemoral": "#009e73"}  # Okabe and Ito 2008
_NAMES = {"medial": "inner side", "lateral": "outer side", "patellofemoral": "behind the kneecap"}
_RANKED = 16  # single interventions that have room


def draw_plan(path: Path | str, plan: Mapping[str, Any], *, cloud: Sequence[tuple[float, float, bool]] = (), title: str) -> Path:
    """Draw the trade between burden and dose, and the ranking, into a PNG file of 1800 x 1050 pixels.

    Args:
        path: the file.
        plan: part "plan" of summary.json.
        cloud: burden (no unit), change of the target's dose (%) and whether the limits are kept, of everything that was simulated.
        title: one line about the person.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    _front(figure, plan, cloud)
    _key(figure, plan)
    if plan["ranking"]:
        _ranking(figure, plan)
    words, size = fitted_words(title[:1].upper() + title[1:], 1750.0, 19.0)
    figure.text(0.015, 0.968, words, fontsize=size, fontweight="bold", color=_INK, va="center")
    figure.text(0.015, 0.926, "Every point was simulated. Burden adds up, for each intervention, the part of what the person can do at most. Effects are those of the mean person of the studies.",
                fontsize=13, color=_SOFT, va="center")
    figure.text(0.015, 0.02, NOT_A_DIAGNOSIS, fontsize=12, fontweight="bold", color="#9a1f2e", va="center")
    figure.text(0.985, 0.02, "kneeload: computed by a model, not measured", fontsize=11, color=_SOFT, ha="right", va="center")
    figure.savefig(Path(path), pil_kwargs={"compress_level": 3})
    return Path(path)


def _front(figure, plan: Mapping[str, Any], cloud: Sequence[tuple[float, float, bool]]) -> None:  # type: ignore[no-untyped-def]
    axes = figure.add_axes((0.055, 0.40, 0.46, 0.44))
    for kept, marker, words in ((True, "o", "tried, within the limits"), (False, "x", "tried, above a limit")):
        points = np.array([(x, y) for x, y, inside in cloud if inside == kept]).reshape(-1, 2)
        if len(points):
            axes.scatter(points[:, 0], points[:, 1], s=22, marker=marker, color=_PALE, linewidth=1.2 if marker == "x" else 0.0, label=words, zorder=2)
    rows = plan["rows"]
    burden, dose = ([row[key] for row in rows] for key in ("burden", "target_dose_pct"))
    axes.plot(burden, dose, color=_SOFT, linewidth=1.2, zorder=3)
    rise = axes.scatter(burden, dose, c=[row["worst_rise_pct"] for row in rows], cmap="cividis", s=95, edgecolor=_INK, linewidth=0.7, zorder=4, label="least dose for its burden")
    bar = figure.colorbar(rise, ax=axes, pad=0.02, fraction=0.045)
    bar.set_label("Largest change elsewhere (%)", fontsize=12, color=_INK)
    bar.ax.tick_params(labelsize=11, colors=_INK)
    for number, row in enumerate(plan_wording.shown_rows(plan)):
        axes.annotate(str(number), (row["burden"], row["target_dose_pct"]), xytext=(7, 7), textcoords="offset points", fontsize=13, fontweight="bold", color=_INK, zorder=5)
    if plan.get("least_bad"):
        axes.scatter([plan["least_bad"]["burden"]], [plan["least_bad"]["target_dose_pct"]], marker="D", s=80, facecolor="none", edgecolor="#d55e00", linewidth=2.0, zorder=4, label="least bad, above a limit")
    axes.margins(x=0.05, y=0.1)
    axes.set_xlabel("Burden (no unit; 1 = one intervention in full)", fontsize=13, color=_INK)
    axes.set_ylabel("Change of the daily dose (%)", fontsize=13, color=_INK)
    axes.set_title(_wrapped(f"Daily dose of {plan_wording.target_words(plan)}"), fontsize=14, color=_INK, loc="left")
    axes.legend(loc="upper right", frameon=False, fontsize=11)
    _dress(axes)


def _key(figure, plan: Mapping[str, Any]) -> None:  # type: ignore[no-untyped-def]
    """List the numbered combinations below the chart, each with its fall."""
    line = 0
    for number, row in enumerate(plan_wording.shown_rows(plan)):
        words = textwrap.wrap(plan_wording.short_words(row["words"]), 78)
        for k, part in enumerate(words):
            y = 0.318 - 0.0245 * line
            if k == 0:
                figure.text(0.055, y, str(number), fontsize=12, fontweight="bold", color=_INK, va="center")
                figure.text(0.515, y, plan_wording.signed(row["target_dose_pct"], 1), fontsize=12, color=_INK, va="center", ha="right")
            figure.text(0.073, y, part, fontsize=12, color=_INK, va="center")
            line += 1


def _ranking(figure, plan: Mapping[str, Any]) -> None:  # type: ignore[no-untyped-def]
    axes = figure.add_axes((0.70, 0.10, 0.285, 0.715))
    items = plan["ranking"][:_RANKED]
    places = np.arange(len(items), dtype=float)[::-1]
    order = sorted(_COLOURS, key=lambda name: name != plan["compartment"])
    for k, name in enumerate(order):
        values = [item["dose_pct"][name] for item in items]
        axes.barh(places + 0.26 * (1 - k), values, height=0.24, color=_COLOURS[name], label=_NAMES[name], zorder=3)
    summary = {"plan": {**plan, "ranking": items}}
    axes.set_yticks(places, [textwrap.fill(plan_wording.short_words(row["words"]), 24) for row in plan_wording.ranking_rows(summary)], fontsize=12)
    axes.axvline(0.0, color=_INK, linewidth=1.0, zorder=4)
    axes.set_ylim(-0.6, len(items) - 0.4)
    axes.set_xlabel("Change of the daily dose (%), negative = falls", fontsize=13, color=_INK)
    left = len(plan["ranking"]) - len(items)
    axes.set_title("Each intervention alone, best for the\noverloaded compartment first" + (f" (the first {len(items)} of {len(items) + left})" if left else ""), fontsize=14, color=_INK, loc="left", pad=30, x=-0.42)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.44, 0.995), ncols=3, frameon=False, fontsize=11, columnspacing=1.4, handlelength=1.0, handletextpad=0.4)
    _dress(axes)


def _dress(axes) -> None:  # type: ignore[no-untyped-def]
    axes.grid(color="#e3e7eb", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=12, colors=_INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _wrapped(words: str) -> str:
    return textwrap.fill(words, 68)
