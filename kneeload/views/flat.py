"""Panels to paper with matplotlib alone: the picture of machines without OpenGL."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kneeload.views.layout import Placement
from kneeload.views.panels import Panel


def draw_panels(figure, panels: Sequence[Panel], placements: Sequence[Placement], size: tuple[int, int]) -> None:  # type: ignore[no-untyped-def]
    """Draw each panel into its own axes: triangles that face the viewer, from the farthest to the nearest (painter's algorithm)."""
    from matplotlib.collections import PolyCollection

    for panel, placement in zip(panels, placements, strict=True):
        left, bottom, width, height = placement.box
        axes = figure.add_axes((left / size[0], bottom / size[1], width / size[0], height / size[1]), zorder=-1.0)
        axes.set_axis_off()
        corners, colours = _facing(panel)
        lines = np.where(colours[:, 3] < 1.0, 0.0, 0.4)  # seams would show through what is translucent
        axes.add_collection(PolyCollection(corners, facecolors=colours, edgecolors=colours, linewidths=lines))  # type: ignore[arg-type]
        x, y = placement.centre_mm
        axes.set_xlim(x - 0.5 * width / placement.pixels_per_mm, x + 0.5 * width / placement.pixels_per_mm)
        axes.set_ylim(y - 0.5 * height / placement.pixels_per_mm, y + 0.5 * height / placement.pixels_per_mm)


def _facing(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Corners (k, 3, 2) mm and colours (k, 4) of the triangles seen from the front, farthest first."""
    corners, colours = [], []
    for patch in panel.patches:
        corner = patch.points[patch.triangles]
        a, b = corner[:, 1, :2] - corner[:, 0, :2], corner[:, 2, :2] - corner[:, 0, :2]
        facing = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] > 0.0
        corners.append(corner[facing])
        rgb = np.clip(patch.rgb[patch.triangles[facing]].mean(axis=1), 0.0, 1.0)
        colours.append(np.column_stack([rgb, np.full(len(rgb), patch.opacity)]))
    corner = np.concatenate(corners)
    order = np.argsort(corner[:, :, 2].mean(axis=1), kind="stable")
    return corner[order][:, :, :2], np.concatenate(colours)[order]
