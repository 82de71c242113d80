"""Forces over the cycle as a small SVG that needs no script: what is now, what was before (dashed), and where the cycle stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.views.curves import KneeCurves

WIDTH, HEIGHT = 440, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 50.0, 12.0, 48.0, 38.0
LINES = (("medial_n", "inner side (medial)", "#d55e00"), ("lateral_n", "outer side (lateral)", "#0072b2"), ("patellofemoral_n", "behind the kneecap", "#009e73"))


def force_svg(curves: KneeCurves, before: KneeCurves | None, body_weight_n: float | None) -> str:
    """Return the forces of the three compartments, N, over the cycle, %."""
    shown = [item for item in (curves, before) if item is not None]
    top = _nice(max(float(np.nanmax(getattr(item, name))) for item in shown for name, _, _ in LINES))
    parts = [_swing(curves.swing), _grid(top, body_weight_n)]
    for name, _, colour in LINES:
        if before is not None:
            parts.append(_line(getattr(before, name), top, colour, "6 4", 1.8))
        parts.append(_line(getattr(curves, name), top, colour, "", 2.4))
    legend = "".join(f'<tspan fill="{colour}" font-weight="600" dx="{0 if not number else 12}">{words}</tspan>' for number, (_, words, colour) in enumerate(LINES[:2]))
    last = f'<tspan fill="{LINES[2][2]}" font-weight="600">{LINES[2][1]}</tspan>'
    end = '<tspan fill="#5b6570" dx="12">dashed: before</tspan>' if before is not None else ""
    peaks = ", ".join(f"{words} {float(np.nanmax(getattr(curves, name))):,.0f} N" for name, words, _ in LINES)
    return (f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="100%" role="img" aria-label="Force over the cycle. Peaks: {peaks}." font-family="sans-serif" font-size="13">'
            f'<text x="{_LEFT}" y="14">{legend}</text><text x="{_LEFT}" y="32">{last}{end}</text>{"".join(parts)}'
            f'<text x="{WIDTH / 2}" y="{HEIGHT - 4}" text-anchor="middle" fill="#20252b">percent of the cycle{" (grey: foot off the ground)" if curves.swing.any() else ""}</text></svg>')


def marker_left(percent: float) -> float:
    """Where the cycle stands, % of the width of the chart."""
    return 100.0 * _x(percent) / WIDTH


def _x(percent: float) -> float:
    return _LEFT + (WIDTH - _LEFT - _RIGHT) * percent / 100.0


def _y(force: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * force / top


def _nice(value: float) -> float:
    for top in (500.0, 1000.0, 1500.0, 2000.0, 3000.0, 4000.0, 5000.0, 6000.0, 8000.0, 10000.0):
        if value <= top:
            return top
    return float(np.ceil(value / 5000.0) * 5000.0)


def _grid(top: float, body_weight_n: float | None) -> str:
    lines = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share * top, top)
        lines.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dde1e5"/><text x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{share * top:,.0f}</text>')
    lines += [f'<text x="{_x(p):.1f}" y="{HEIGHT - _BOTTOM + 14}" text-anchor="middle">{p}</text>' for p in (0, 20, 40, 60, 80, 100)]
    if body_weight_n is not None and body_weight_n < top:
        y = _y(body_weight_n, top)
        lines.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#20252b" stroke-dasharray="2 3"/>'
                     f'<text x="{WIDTH - _RIGHT}" y="{y - 4:.1f}" text-anchor="end" fill="#20252b">body weight</text>')
    return f'<g fill="#3c444c"><text x="6" y="{_TOP - 6}">N</text>{"".join(lines)}</g>'


def _line(force: NDArray[np.float64], top: float, colour: str, dash: str, width: float) -> str:
    percent = np.linspace(0.0, 100.0, len(force))
    points = " ".join(f"{_x(p):.1f},{_y(float(f), top):.1f}" for p, f in zip(percent, np.nan_to_num(force)))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"{" stroke-dasharray=" + chr(34) + dash + chr(34) if dash else ""}/>'


def _swing(swing: NDArray[np.bool_]) -> str:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], swing.astype(int), [0]])))
    last = max(len(swing) - 1, 1)
    return "".join(f'<rect x="{_x(100.0 * a / last):.1f}" width="{_x(100.0 * min(b, last) / last) - _x(100.0 * a / last):.1f}" y="{_TOP}" height="{HEIGHT - _TOP - _BOTTOM}" fill="#f0f2f4"/>'
                   for a, b in zip(edges[::2], edges[1::2]))
