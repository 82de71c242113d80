"""A small drawing of the leg from the front that follows its axis, as SVG."""

from __future__ import annotations

import math

_INK, _SOFT, _AXIS = "#20252b", "#c9b48f", "#0072b2"
_THIGH, _SHANK = 104.0, 96.0  # lengths in the drawing
_SHOWN = 2.0  # the angle is drawn twice as large, so that it is seen


def leg_svg(hka_deg: float | None, side: str) -> str:
    """Return the drawing of a leg seen from the front.

    Args:
        hka_deg: hip-knee-ankle angle, degrees (below 180 is varus); None when it is not known.
        side: "right" or "left".
    """
    if hka_deg is None or not math.isfinite(hka_deg):
        return ""
    varus = 180.0 - hka_deg
    bend = math.radians(0.5 * _SHOWN * max(-20.0, min(20.0, varus)))
    outwards = -1.0 if side == "right" else 1.0  # of the person's right knee, seen from the front, the outer side is on the left
    hip = (60.0, 12.0)
    knee = (hip[0] + outwards * _THIGH * math.sin(bend), hip[1] + _THIGH * math.cos(bend))
    ankle = (knee[0] - outwards * _SHANK * math.sin(bend), knee[1] + _SHANK * math.cos(bend))
    words = "straight" if abs(varus) <= 1.5 else "bow-legged (varus)" if varus > 0.0 else "knock-kneed (valgus)"
    inner = "middle of the body " + ("→" if side == "right" else "←")
    return (f'<svg viewBox="0 0 230 226" width="100%" role="img" aria-label="Leg from the front: {hka_deg:.1f} degrees, {words}">'
            f'{_bone(hip, knee)}{_bone(knee, ankle)}'
            f'<line x1="{hip[0]:.1f}" y1="{hip[1]:.1f}" x2="{ankle[0]:.1f}" y2="{ankle[1]:.1f}" stroke="{_AXIS}" stroke-width="1.6" stroke-dasharray="5 4"/>'
            f'<circle cx="{hip[0]:.1f}" cy="{hip[1]:.1f}" r="8" fill="{_SOFT}" stroke="{_INK}"/><circle cx="{knee[0]:.1f}" cy="{knee[1]:.1f}" r="6" fill="#fff" stroke="{_INK}"/>'
            f'<path d="M{ankle[0] - 4:.1f} {ankle[1]:.1f} h8 l6 8 h-20 z" fill="{_SOFT}" stroke="{_INK}"/>'
            f'<g font-family="sans-serif" fill="{_INK}"><text x="112" y="70" font-size="15" font-weight="600">HKA {hka_deg:.1f}°</text><text x="112" y="90" font-size="12">{words}</text>'
            f'<text x="112" y="112" font-size="11" fill="{_AXIS}">- - hip to ankle</text><text x="112" y="132" font-size="10.5" fill="#5b6570">{inner}</text>'
            f'<text x="112" y="150" font-size="10.5" fill="#5b6570">angle drawn twofold</text></g></svg>')


def _bone(top: tuple[float, float], end: tuple[float, float]) -> str:
    line = f'x1="{top[0]:.1f}" y1="{top[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke-linecap="round"'
    return f'<line {line} stroke="{_INK}" stroke-width="11"/><line {line} stroke="{_SOFT}" stroke-width="9"/>'
