"""The table and the plot of the hot loop: kernels beside their C++ twin, the roofline, cost against springs, frames and processes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from cpp_twin import Twin, compiler, compiler_version, fastest, machine_limits
from naive import BYTES, FLOPS
from placed import placed
from scaling import Curve, cycle_over_frames, cycle_over_springs, cycles_per_second, kernel_over_springs

from kneeload.kernels import springs as kernels


def kernel_times() -> dict[str, tuple[float, float]]:
    """Return ns per spring of each kernel and of its C++ twin (nan without a compiler), measured in turns."""
    knee, sums, wedge = placed(), np.zeros(kernels.SUMS), np.zeros(kernels.WEDGE)
    knee.add_menisci(sums, wedge)
    calls = [lambda: knee.add(kernels.add_forces, sums), lambda: knee.add(kernels.add_springs, sums), lambda: knee.add_menisci(sums, wedge), knee.place]
    plates, every = knee.size(0, knee.plain_chunks), knee.size(0, int(knee.near[3][-1]))
    springs = [plates, plates, every - plates, len(knee.springs.home)]
    if compiler() is not None:
        twin = Twin(knee.near[0], knee.near[2], knee.plain_chunks, knee.turn, knee.shift)
        calls += [twin.forces, twin.springs]
        springs += [plates, plates]
    for call in calls:
        call()
    found = [1e9 * t / n for t, n in zip(fastest(calls, rounds=400, inner=2), springs)]
    found += [float("nan")] * (6 - len(found))
    return {"add_forces": (found[0], found[4]), "add_springs": (found[1], found[5]), "add_meniscus": (found[2], float("nan")), "place": (found[3], float("nan"))}


def roofline(times: Mapping[str, tuple[float, float]], limits: Mapping[str, float]) -> list[str]:
    """Return rows of Markdown: what each kernel does per second against the lower of the two roofs."""
    peak = max(limits["multiply_add_8_gflop_s"], limits["multiply_add_16_gflop_s"])
    rows = []
    for name, flops in FLOPS.items():
        intensity, reached = flops / BYTES[name], flops / times[name][0]
        roof = min(peak, intensity * limits["read_l2_gb_s"])
        rows.append(f"| `{name}` | {flops} | {BYTES[name]} | {intensity:.2f} | {reached:.1f} | {roof:.1f} | {100.0 * reached / roof:.0f} % |")
    return rows


def lines_of(times: Mapping[str, tuple[float, float]], limits: Mapping[str, float] | None, curves: list[Curve], about: Mapping[str, str]) -> list[str]:
    """Return the report as Markdown."""
    lines = [f"{about['processor']}, {about['cores']} cores, Python {about['python']}, numba {about['numba']}; {compiler_version() or 'no C++ compiler'}.",
             "Shortest of many repeats, one thread.", "", "| kernel | ns per spring | C++ twin | ratio |", "|---|---:|---:|---:|",
             *(f"| `{name}` | {own:.2f} | {other:.2f} | {own / other:.2f} |" if np.isfinite(other) else f"| `{name}` | {own:.2f} | - | - |"
               for name, (own, other) in times.items())]
    if limits is not None:
        lines += ["", "| one core gives | |", "|---|---:|", *(f"| {name} | {value:.1f} |" for name, value in limits.items()), "",
                  "| kernel | flops per spring | bytes per spring | flops per byte | GFlop/s | roof (L2) | of the roof |", "|---|---:|---:|---:|---:|---:|---:|",
                  *roofline(times, limits)]
    lines += ["", "| against | exponent | points: size (ms) |", "|---|---:|---|"]
    for curve in curves:
        points = ", ".join(f"{size:.0f} ({1e3 * t:.3g})" for size, t in zip(curve.size, curve.seconds))
        lines.append(f"| `{curve.name}` against {curve.unit} | {curve.exponent:.2f} | {points} |")
    return lines


def draw(curves: list[Curve], file: Path) -> None:
    """Draw time against size, one panel per curve, with the line of slope 1 (for processes -1) through the first point."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(curves), 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, curve in zip(figure.subplots(1, len(curves), squeeze=False)[0], curves):
        size, time_ms = np.array(curve.size), 1e3 * np.array(curve.seconds)
        slope = -1.0 if curve.unit == "processes" else 1.0
        axes.loglog(size, time_ms, "o-", color="#1f4e79")
        axes.loglog(size, time_ms[0] * (size / size[0]) ** slope, "--", color="0.6")
        axes.set_title(f"{curve.name}: exponent {curve.exponent:.2f}", fontsize=9)
        axes.set_xticks(size, [f"{n:.0f}" for n in size], fontsize=8)
        axes.set_xticks([], minor=True)
        axes.set_xlabel(curve.unit)
        axes.set_ylabel("ms per call" if curve.unit != "processes" else "ms per cycle, all processes")
    figure.savefig(file, dpi=150)


def write_hot_loop(folder: Path, about: Mapping[str, str]) -> str:
    """Measure, write hot_loop.md, .csv and .png into the folder, return the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    times, limits = kernel_times(), machine_limits() if compiler() is not None else None
    curves = [kernel_over_springs(), cycle_over_springs(), cycle_over_frames(), cycles_per_second()]
    text = "\n".join(lines_of(times, limits, curves, about))
    (folder / "hot_loop.md").write_text(text + "\n", encoding="utf-8")
    rows = [f"{curve.name},{curve.unit},{size:.0f},{1e3 * t:.6g}" for curve in curves for size, t in zip(curve.size, curve.seconds)]
    (folder / "hot_loop.csv").write_text("\n".join(["what,against,size,time_ms", *rows]) + "\n", encoding="utf-8")
    draw(curves, folder / "hot_loop.png")
    return text
