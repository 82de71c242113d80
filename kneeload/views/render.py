"""Panels to pixels with VTK, off screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kneeload.views.layout import Placement
from kneeload.views.panels import Panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_EYE_DISTANCE_MM = 2000.0


def render_panels(panels: Sequence[Panel], placements: Sequence[Placement], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw all panels into one picture, (height, width, 3) 0 to 255; call `gl_problem` first.

    Each panel gets a parallel projection at its placement's scale, so that millimetres can be measured in the picture.
    """
    import pyvista as pv

    plotter = pv.Plotter(off_screen=True, shape=(1, len(panels)), window_size=list(size), border=False, lighting="none")
    plotter.set_background("white", all_renderers=True)  # type: ignore[arg-type]
    for number, (panel, placement) in enumerate(zip(panels, placements, strict=True)):
        plotter.subplot(0, number)  # type: ignore[arg-type]
        for patch in panel.patches:
            mesh = pv.PolyData.from_regular_faces(patch.points, patch.triangles)  # type: ignore[arg-type]
            mesh.point_data["rgb"] = np.clip(np.rint(255.0 * patch.rgb), 0, 255).astype(np.uint8)
            plotter.add_mesh(mesh, scalars="rgb", rgb=True, lighting=False, render=False, reset_camera=False, opacity=patch.opacity)
        _aim(plotter.renderer, placement, size)
    plotter.enable_anti_aliasing("msaa", multi_samples=4)  # type: ignore[arg-type]
    drawn = np.asarray(plotter.screenshot(None, return_img=True))[:, :, :3]
    plotter.close()
    picture = np.full_like(drawn, 255)  # what no viewport covers is not painted by VTK
    for placement in placements:
        left, bottom, width, height = (round(value) for value in placement.box)
        window = slice(size[1] - bottom - height, size[1] - bottom), slice(left, left + width)
        picture[window] = drawn[window]
    return picture


def under_lettering(picture: NDArray[np.uint8], figure: Figure, path: Path) -> None:
    """Write a picture (height, width, 3) with a clear figure of the same size on top of it as a PNG file."""
    from PIL import Image

    figure.canvas.draw()
    letters = np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]
    row, column = np.nonzero(letters[:, :, 3])
    over = letters[row, column].astype(np.uint32)
    alpha = over[:, 3:]
    picture[row, column] = ((over[:, :3] * alpha + picture[row, column] * (255 - alpha) + 127) // 255).astype(np.uint8)
    Image.fromarray(picture).save(path, compress_level=2)


def _aim(renderer, placement: Placement, size: tuple[int, int]) -> None:  # type: ignore[no-untyped-def]
    left, bottom, width, height = placement.box
    renderer.SetViewport(left / size[0], bottom / size[1], (left + width) / size[0], (bottom + height) / size[1])
    x, y = placement.centre_mm
    camera = renderer.camera
    camera.parallel_projection = True
    camera.focal_point = (x, y, 0.0)
    camera.position = (x, y, _EYE_DISTANCE_MM)
    camera.up = (0.0, 1.0, 0.0)
    camera.parallel_scale = 0.5 * height / placement.pixels_per_mm
    camera.clipping_range = (1.0, 2.0 * _EYE_DISTANCE_MM)
    renderer.camera_set = True
