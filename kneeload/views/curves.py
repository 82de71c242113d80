"""forces.png: forces and moments of the knee over one cycle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.contact.cycle import ContactCycle
from kneeload.forces.loads import JointLoads
from kneeload.motion.motion import Motion
from kneeload.units import NMM_PER_NM
from kneeload.views.layout import fitted_words
from kneeload.views.scene import NOT_A_DIAGNOSIS

_INK, _SOFT = "#20252b", "#5b6570"
FORCES = {  # field: words, colour, line width; colours of Okabe and Ito (2008), told apart by colour-blind readers
    "tibiofemoral_n": ("tibiofemoral, total", "#20252b", 2.4),
    "medial_n": ("medial", "#d55e00", 2.4),
    "lateral_n": ("lateral", "#0072b2", 2.4),
    "patellofemoral_n": ("patellofemoral", "#009e73", 2.4),
}
MOMENTS = {
    "adduction_moment_nm": ("external adduction (loads the medial side)", "#d55e00", 2.2),
    "extension_moment_nm": ("internal extension (the quadriceps pull)", "#009e73", 2.2),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KneeCurves:
    """Curves of one run over a cycle of T frames.

    Attributes:
        cycle_percent: (T,) no unit, 0 to 100.
        tibiofemoral_n, medial_n, lateral_n, patellofemoral_n: (T,) N.
        adduction_moment_nm: (T,) N m, external, positive loads the medial side.
        extension_moment_nm: (T,) N m, internal.
        swing: (T,) bool; the foot is off the ground.
        measured: (T,) N; measured forces by the name of a field above, such as "medial_n".
    """

    cycle_percent: NDArray[np.float64]
    tibiofemoral_n: NDArray[np.float64]
    medial_n: NDArray[np.float64]
    lateral_n: NDArray[np.float64]
    patellofemoral_n: NDArray[np.float64]
    adduction_moment_nm: NDArray[np.float64]
    extension_moment_nm: NDArray[np.float64]
    swing: NDArray[np.bool_]
    measured: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def knee_curves(motion: Motion, loads: JointLoads, contact: ContactCycle | None = None) -> KneeCurves:
    """Curves of a run: compartment forces from the contact where it was computed, else from the forces room."""
    source = {"medial_n": loads.medial_force, "lateral_n": loads.lateral_force, "patellofemoral_n": loads.patellofemoral_force}
    if contact is not None:
        source = {"medial_n": contact.medial.force, "lateral_n": contact.lateral.force, "patellofemoral_n": contact.patellofemoral.force}
    return KneeCurves(
        cycle_percent=np.linspace(0.0, 100.0, len(motion.time)), tibiofemoral_n=source["medial_n"] + source["lateral_n"], **source,
        adduction_moment_nm=loads.knee_adduction_moment / NMM_PER_NM, extension_moment_nm=motion.knee_extension_moment / NMM_PER_NM,
        swing=~np.asarray(motion.stance, dtype=bool), measured=_measured(motion),
    )


def _measured(motion: Motion) -> dict[str, NDArray[np.float64]]:
    """Measured compartment forces of a recorded file, from columns such as measured_medial_force_n; the total when both sides are there."""
    columns = motion.measured or {}
    found = {f"{side}_n": columns[f"measured_{side}_force_n"] for side in ("tibiofemoral", "medial", "lateral", "patellofemoral")
             if f"measured_{side}_force_n" in columns}
    if "tibiofemoral_n" not in found and {"medial_n", "lateral_n"} <= set(found):
        found["tibiofemoral_n"] = found["medial_n"] + found["lateral_n"]
    return found


def draw_curves(path: Path | str, after: KneeCurves, *, title: str, body_weight_n: float | None = None, before: KneeCurves | None = None) -> Path:
    """Draw forces (N, and body weights on the right) and moments (N m) over the cycle into a PNG file of 1500 x 1000 pixels.

    `before` is the same person without the intervention, drawn dashed. Measured forces are drawn as dots.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 10), dpi=100, facecolor="white")
    FigureCanvasAgg(figure)
    upper = figure.add_axes((0.065, 0.41, 0.865, 0.475))
    lower = figure.add_axes((0.065, 0.085, 0.865, 0.235))
    draw_lines(upper, after, before, FORCES)
    draw_lines(lower, after, before, MOMENTS)
    lowest = min(float(np.nanmin(getattr(after, name))) for name in FORCES)
    upper.set_ylim(bottom=min(0.0, 1.05 * lowest))
    upper.set_ylabel("Contact force (N)", fontsize=14, color=_INK)
    lower.set_ylabel("Knee moment (N m)", fontsize=14, color=_INK)
    lower.set_xlabel("Cycle (%)", fontsize=14, color=_INK)
    lower.axhline(0.0, color=_SOFT, linewidth=0.8)
    if body_weight_n:
        right = upper.secondary_yaxis("right", functions=(lambda force: np.divide(force, body_weight_n), lambda share: np.multiply(share, body_weight_n)))
        right.set_ylabel("Contact force (body weights)", fontsize=14, color=_INK)
        right.tick_params(labelsize=12, colors=_INK)
    for axes in (upper, lower):
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=6, frameon=False, fontsize=12, handlelength=2.2, columnspacing=1.4)
    words, size = fitted_words(title[:1].upper() + title[1:], 1455.0, 18.0)
    figure.text(0.015, 0.968, words, fontsize=size, fontweight="bold", color=_INK, va="center")
    figure.text(0.015, 0.020, NOT_A_DIAGNOSIS, fontsize=12, fontweight="bold", color="#9a1f2e", va="center")
    figure.text(0.985, 0.020, explanation(after, before), fontsize=12, color=_SOFT, ha="right", va="center")
    figure.savefig(Path(path), pil_kwargs={"compress_level": 3})
    return Path(path)


def draw_lines(axes, after: KneeCurves, before: KneeCurves | None, lines: Mapping[str, tuple[str, str, float]], *, thin: float = 1.0) -> None:  # type: ignore[no-untyped-def]
    """Draw curves (FORCES or MOMENTS) into axes of matplotlib; `thin` multiplies the widths of all lines."""
    if after.swing.any() and not after.swing.all():
        axes.fill_between(after.cycle_percent, 0.0, 1.0, where=after.swing, transform=axes.get_xaxis_transform(), color="#eef1f4", linewidth=0)
    for name, (words, colour, width) in lines.items():
        axes.plot(after.cycle_percent, getattr(after, name), color=colour, linewidth=thin * width, label=words, solid_capstyle="round")
        if before is not None:
            axes.plot(before.cycle_percent, getattr(before, name), color=colour, linewidth=thin * 1.6, linestyle=(0, (5, 3)))
        if name in after.measured:
            axes.plot(after.cycle_percent, after.measured[name], color=colour, linestyle="none", marker="o", markersize=thin * 3.6, markevery=2, alpha=0.75)
    axes.set_xlim(float(after.cycle_percent[0]), float(after.cycle_percent[-1]))
    axes.grid(color="#d9dee3", linewidth=thin * 0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=12, colors=_INK)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def explanation(after: KneeCurves, before: KneeCurves | None) -> str:
    """What solid, dashed, dotted and grey mean."""
    words = ["solid: this run"]
    if before is not None:
        words = ["solid: with the intervention", "dashed: without"]
    if after.measured:
        words.append("dots: measured")
    if after.swing.any() and not after.swing.all():
        words.append("grey: foot off the ground")
    return "   ".join(words)
