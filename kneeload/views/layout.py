"""Where each panel of the stress picture goes and how many pixels a millimetre gets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kneeload.views.panels import Panel

SIZE = (1800, 1100)  # pixels, width and height
_BOXES = {  # left, bottom, width, height in pixels; room for words is kept inside each box
    "knee": (15, 110, 530, 860),
    "femur": (560, 540, 670, 430),
    "tibia": (560, 110, 670, 430),
    "trochlea": (1245, 540, 540, 430),
    "patella": (1245, 110, 540, 430),
}
_TITLE = 56  # pixels above the drawing in each box
_WORDS = {"knee": (20, 30, 30), "femur": (30, 24, 26), "tibia": (30, 24, 26), "trochlea": (30, 24, 52), "patella": (30, 24, 52)}  # pixels beside, above, below
_PIXELS_PER_POINT = 0.98  # width of a bold letter of DejaVu Sans at 100 dpi per point of its size, mean of English text with some margin


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A panel's place in the picture.

    Attributes:
        box: left, bottom, width, height of the drawing, pixels, without its title.
        centre_mm: point of the view in the middle of that box, mm.
        pixels_per_mm: scale.
    """

    box: tuple[float, float, float, float]
    centre_mm: tuple[float, float]
    pixels_per_mm: float


def place(panels: tuple[Panel, ...]) -> tuple[Placement, ...]:
    """Placements of the panels: the four maps share one scale, so that their sizes can be compared; the whole knee has its own."""
    boxes = {panel.key: _drawing_box(panel.key) for panel in panels}
    extents = {panel.key: extent(panel) for panel in panels}
    scales = {}
    for panel in panels:
        (x0, x1, y0, y1), (_, _, width, height) = extents[panel.key], boxes[panel.key]
        side, above, below = _WORDS[panel.key]
        scales[panel.key] = min((width - 2 * side) / max(x1 - x0, 1.0), (height - above - below) / max(y1 - y0, 1.0))
    shared = min(scale for key, scale in scales.items() if key != "knee")
    placements = []
    for panel in panels:
        x0, x1, y0, y1 = extents[panel.key]
        scale = scales[panel.key] if panel.key == "knee" else shared
        _, above, below = _WORDS[panel.key]
        centre = 0.5 * (x0 + x1), 0.5 * (y0 + y1) - 0.5 * (below - above) / scale
        placements.append(Placement(box=boxes[panel.key], centre_mm=centre, pixels_per_mm=scale))
    return tuple(placements)


def _drawing_box(key: str) -> tuple[float, float, float, float]:
    left, bottom, width, height = _BOXES[key]
    return left, bottom, width, height - _TITLE


def extent(panel: Panel) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the points of a panel that must be seen, mm, frame of the view."""
    points = np.concatenate([patch.points[patch.focus] for patch in panel.patches])
    (x0, y0), (x1, y1) = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return float(x0), float(x1), float(y0), float(y1)


def fitted_words(words: str, width: float, size: float = 20.0) -> tuple[str, float]:
    """Words and a font size, from `size` down to 12 points, with which a bold line stays within a width in pixels; longer words are cut."""
    size = min(size, max(12.0, width / (_PIXELS_PER_POINT * max(len(words), 1))))
    most = int(width / (_PIXELS_PER_POINT * size) + 1e-6)  # the size that was fitted above must hold all words
    return (words if len(words) <= most else words[:most - 1] + "…"), size


def maps_box() -> tuple[int, int, int, int]:
    """Left, top, right and bottom pixel of the four maps with their titles, ruler and colour bar, without the whole knee and the headline."""
    left, highest = min(box[0] for key, box in _BOXES.items() if key != "knee"), max(box[1] + box[3] for box in _BOXES.values())
    return left - 8, SIZE[1] - highest - 4, SIZE[0], SIZE[1]
