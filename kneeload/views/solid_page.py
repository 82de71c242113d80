"""What report.html needs to show a solid: the viewer, the scene and the words, all inside the page."""

from __future__ import annotations

import base64
from typing import Any

from kneeload.views.solid import ColourMap, Solid
from kneeload.views.vtkjs import solid_archive, viewer_script

NO_VIEWER = "The report has no knee to be turned, because the package trame-vtk, which holds the viewer, is not installed: the pictures show the same."
_GROUPS = {"femur": "Thigh bone", "tibia": "Shin bone", "menisci": "Menisci", "patella": "Kneecap"}
_ALL = tuple(_GROUPS)
_PRESETS: dict[str, dict[str, Any]] = {  # toward: from the knee to the viewer, frame of the tibia of a right knee; distance and gap in mm; words: as a share of their distance
    "apart": {"title": "Pulled apart", "shows": _ALL[:3], "focus": ("femur", "tibia"), "around": ("tibia",), "toward": (1.0, 0.55, -0.12), "up": (0.0, 1.0, 0.0), "distance": 350.0, "gap": 45, "words": 1.0},
    "above": {"title": "Plateau from above", "shows": _ALL[1:3], "focus": ("tibia",), "around": ("tibia",), "toward": (0.0, 1.0, 0.0), "up": (-1.0, 0.0, 0.0), "distance": 215.0, "gap": 45, "words": 1.0},
    "below": {"title": "Thigh bone from below", "shows": _ALL[:1], "focus": ("femur",), "around": ("femur",), "toward": (0.0, -1.0, 0.0), "up": (1.0, 0.0, 0.0), "distance": 230.0, "gap": 45, "words": 1.0},
    "groove": {"title": "Groove from the front", "shows": _ALL[:1], "focus": ("femur",), "around": ("femur",), "toward": (1.0, -0.25, 0.0), "up": (0.25, 1.0, 0.0), "distance": 230.0, "gap": 45, "words": 1.0},
    "behind": {"title": "Kneecap from behind", "shows": _ALL[3:], "focus": ("patella",), "around": ("patella",), "toward": (-1.0, 0.0, 0.0), "up": (0.0, 1.0, 0.0), "distance": 150.0, "gap": 45, "words": 0.6},
    "whole": {"title": "Whole knee", "shows": _ALL, "focus": ("femur", "tibia"), "around": ("femur", "tibia"), "toward": (1.0, 0.15, 0.0), "up": (0.0, 1.0, 0.0), "distance": 360.0, "gap": 0, "words": 1.0},
}
_MOVES = {"femur": (0.0, 1.0, 0.0), "patella": (0.8, 0.55, 0.0)}  # per millimetre that the bones are pulled apart


def has_viewer() -> bool:
    """Whether the viewer that a report carries is installed."""
    return viewer_script() is not None


def solid_parts(solid: Solid) -> dict[str, Any] | None:
    """What the templates need, plain types only; None where the viewer is not installed."""
    viewer = viewer_script()
    if viewer is None:
        return None
    maps = [_map(item) for item in solid.maps]
    mirror = -1.0 if solid.words["Lateral (outer side)"][2] < 0.0 else 1.0
    presets = {key: {**item, "toward": (*item["toward"][:2], mirror * item["toward"][2])} for key, item in _PRESETS.items()}
    state = {"groups": [part.group for part in solid.parts], "words": [list(item) for item in solid.words.items()], "centres": dict(solid.centres), "moves": _MOVES,
             "presets": presets, "maps": {item["key"]: item for item in maps}}
    return {"maps": maps, "groups": list(_GROUPS.items()), "presets": [(key, item["title"]) for key, item in _PRESETS.items()], "state": state,
            "scene": _text(solid_archive(solid)), "viewer": _text(viewer.encode("utf-8"))}


def _map(item: ColourMap) -> dict[str, Any]:
    stops = ", ".join("#" + "".join(f"{round(255.0 * float(value)):02x}" for value in rgb) for rgb in item.stops)
    steps = 5 if item.low == 0.0 else 4
    ticks = [item.low + (item.high - item.low) * number / steps for number in range(steps + 1)]
    return {"key": item.key, "title": item.title, "says": item.says, "gradient": f"linear-gradient(to right, {stops})", "ticks": [_tick(value, item) for value in ticks]}


def _tick(value: float, item: ColourMap) -> str:
    sign = ("+" if value > 0.0 else "\N{MINUS SIGN}" if value < 0.0 else "") if item.low < 0.0 else ""
    return sign + f"{abs(value):,.3g}" if abs(value) < 1000.0 else f"{value:,.0f}"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
