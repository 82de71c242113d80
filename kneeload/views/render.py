"""Panels to pixels with VTK, off screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kneeload.views.layout import Placement
from kneeload.views.panels import Panel, Patch

if TYPE_CHECKING:
    import pyvista as pv
    from matplotlib.figure import Figure

_EYE_DISTANCE_MM = 2000.0


def render_panels(panels: Sequence[Panel], placements: Sequence[Placement], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw all panels into one picture, (height, width, 3) 0 to 255; call `gl_problem` first.

    Each panel gets a parallel projection at its placement's scale, so that millimetres can be measured in the picture.
    """
    stage = Stage(panels, placements, size)
    picture = stage.picture()
    stage.close()
    return picture


class Stage:
    """Panels in one off-screen window of VTK, to be drawn once or frame by frame; call `gl_problem` first."""

    def __init__(self, panels: Sequence[Panel], placements: Sequence[Placement], size: tuple[int, int]) -> None:
        """Open the window, `size` pixels wide and high, with a viewport for each panel."""
        import pyvista as pv

        self._placements, self._size = placements, size
        self._plotter = plotter = pv.Plotter(off_screen=True, shape=(1, len(panels)), window_size=list(size), border=False, lighting="none")
        self._meshes: list[list[pv.PolyData]] = []
        plotter.set_background("white", all_renderers=True)  # type: ignore[arg-type]
        for number, (panel, placement) in enumerate(zip(panels, placements, strict=True)):
            plotter.subplot(0, number)  # type: ignore[arg-type]
            self._meshes.append([_mesh(patch) for patch in panel.patches])
            for patch, mesh in zip(panel.patches, self._meshes[-1]):
                plotter.add_mesh(mesh, scalars="rgb", rgb=True, lighting=False, render=False, reset_camera=False, opacity=patch.opacity)
            _aim(plotter.renderer, placement, size)
        plotter.enable_anti_aliasing("msaa", multi_samples=4)  # type: ignore[arg-type]

    def change(self, panels: Sequence[Panel]) -> None:
        """Show other panels of the same views, with as many patches as the first."""
        for meshes, panel in zip(self._meshes, panels, strict=True):
            for mesh, patch in zip(meshes, panel.patches, strict=True):
                mesh.copy_from(_mesh(patch))

    def picture(self) -> NDArray[np.uint8]:
        """What is in the window, (height, width, 3) 0 to 255."""
        self._plotter.render()
        drawn = np.asarray(self._plotter.screenshot(None, return_img=True))[:, :, :3]
        picture = np.full_like(drawn, 255)  # what no viewport covers is not painted by VTK
        for placement in self._placements:
            left, bottom, width, height = (round(value) for value in placement.box)
            window = slice(self._size[1] - bottom - height, self._size[1] - bottom), slice(left, left + width)
            picture[window] = drawn[window]
        return picture

    def close(self) -> None:
        """Let go of the window."""
        self._plotter.close()


def _mesh(patch: Patch):  # type: ignore[no-untyped-def]
    import pyvista as pv

    mesh = pv.PolyData.from_regular_faces(patch.points, patch.triangles)  # type: ignore[arg-type]
    mesh.point_data["rgb"] = np.clip(np.rint(255.0 * patch.rgb), 0, 255).astype(np.uint8)
    return mesh


def under_lettering(picture: NDArray[np.uint8], figure: Figure, path: Path, dots_per_inch: float | None = None) -> None:
    """Write a picture (height, width, 3) with a clear figure of the same size on top of it as a PNG file, which says its size on paper if `dots_per_inch` is given."""
    from PIL import Image

    density = {} if dots_per_inch is None else {"dpi": (dots_per_inch, dots_per_inch)}
    Image.fromarray(lettered(picture, figure)).save(path, compress_level=2, **density)  # type: ignore[arg-type]


def lettered(picture: NDArray[np.uint8], figure: Figure) -> NDArray[np.uint8]:
    """The picture (height, width, 3) 0 to 255 with a clear figure of the same size on top of it."""
    figure.canvas.draw()
    return laid_over(picture, np.asarray(figure.canvas.buffer_rgba()))  # type: ignore[attr-defined]


def laid_over(picture: NDArray[np.uint8], letters: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture (height, width, 3) 0 to 255, changed in place, under letters (height, width, 4) with their opacity."""
    row, column = np.nonzero(letters[:, :, 3])
    over = letters[row, column].astype(np.uint32)
    alpha = over[:, 3:]
    picture[row, column] = ((over[:, :3] * alpha + picture[row, column] * (255 - alpha) + 127) // 255).astype(np.uint8)
    return picture


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
