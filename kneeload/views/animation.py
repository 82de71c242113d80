"""knee.gif or knee.mp4: pressure over the cycle, beside the curves of force with a cursor. With OpenGL the knee moves, without it the flat maps are played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kneeload.views.gl import gl_problem
from kneeload.views.layout import Placement, extent, fitted_words
from kneeload.views.maps import knee_maps, unroll_plates
from kneeload.views.maps_drawing import LiveMap, aim, colour_bar, paper_scale
from kneeload.views.palette import pressure_rgb, scale_limit
from kneeload.views.panels import Panel, build_panel, view_pressure
from kneeload.views.picture_settings import PictureSettings
from kneeload.views.scene import NOT_A_DIAGNOSIS, Scene, compartments, cycle_percent, frame_count, headline
from kneeload.views.stills import still_view

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE = (960, 560)  # pixels; even, as video needs
SECONDS = 3.0  # one cycle, slowed down from about one second
_DOTS = 100
_BOXES = {"knee_oblique": (8, 80, 280, 400), "tibia_superior": (296, 282, 304, 200), "patella_posterior": (296, 80, 304, 160)}  # left, bottom, width, height, pixels
_MAP_BOXES = {"plateau": (10.0, 250.0, 560.0, 225.0), "patella": (130.0, 75.0, 320.0, 150.0)}
_TITLES = {"knee_oblique": "Knee, femur lifted off", "tibia_superior": "Tibial plateau with menisci, from above", "patella_posterior": "Kneecap, from behind",
           "plateau": "Tibial plateau with menisci, from above (unrolled)", "patella": "Kneecap, from behind (unrolled)"}
_CURVES = {"medial": "#d55e00", "lateral": "#0072b2", "patellofemoral": "#009e73"}  # Okabe and Ito (2008)
_INK, _SOFT = "#20252b", "#5b6570"
_SCALE_COLOURS = 96  # of the 256 of a GIF: steps of the pressure scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Animation:
    """The numeric twin of an animation.

    Attributes:
        path: the file.
        renderer: "vtk" (the knee moves) or "matplotlib" (flat maps).
        note: None, or one sentence that says why the maps are flat and what to install.
        limits_mpa: ends of the colour scale, MPa, the same in all frames.
        frames: frames of the cycle that are shown.
        highest_mpa: largest peak pressure of a compartment over these frames, MPa.
        pixels: width and height.
        seconds: one run of the cycle.
    """

    path: Path
    renderer: str
    note: str | None
    limits_mpa: tuple[float, float]
    frames: tuple[int, ...]
    highest_mpa: float
    pixels: tuple[int, int]
    seconds: float


def draw_animation(path: Path | str, scene: Scene, settings: PictureSettings | None = None) -> Animation:
    """Draw the cycle as an animation of 960 x 560 pixels, GIF or MP4 by the ending of the file's name, with fixed camera and fixed colour scale.

    Args:
        path: the file, .gif or .mp4 (the latter needs the package imageio-ffmpeg).
        scene: the knee.
        settings: number of frames, end of the colour scale, gap between femur and tibia (25 mm when it is 0).
    """
    settings = settings or PictureSettings()
    count = frame_count(scene)
    frames = tuple(int(frame) for frame in np.unique(np.rint(np.linspace(0, count - 1, min(settings.animation_frames, count))).astype(int)))
    highest = max(float(np.nan_to_num(part.peak_pressure[list(frames)]).max()) for part in compartments(scene).values())
    limit = settings.pressure_max_mpa if settings.pressure_max_mpa is not None else scale_limit(highest)
    note = gl_problem()
    pictures = _flat(scene, frames, limit) if note is not None else _solid(scene, frames, limit, settings.parted_mm or 25.0)
    (_write_video if Path(path).suffix == ".mp4" else _write_gif)(Path(path), list(pictures))
    return Animation(path=Path(path), renderer="vtk" if note is None else "matplotlib", note=note, limits_mpa=(0.0, float(limit)), frames=frames, highest_mpa=highest, pixels=SIZE,
                     seconds=SECONDS)


def _solid(scene: Scene, frames: tuple[int, ...], limit: float, parted_mm: float) -> Iterator[NDArray[np.uint8]]:
    """Pictures of the moving knee, with OpenGL."""
    from kneeload.views.render import Stage, laid_over

    views = [still_view(name, parted_mm) for name in _BOXES]
    shots = [[build_panel(scene, view, view_pressure(scene, view, frame), limit) for view in views] for frame in frames]
    placements = [_placement([shot[number] for shot in shots], _BOXES[view.key]) for number, view in enumerate(views)]
    figure, cursor = _lettering(scene, limit, frames)
    for view, panel in zip(views, shots[0]):
        _name(figure, view.key, _BOXES[view.key], panel.edges)
    stage = Stage(shots[0], placements, SIZE)
    for frame, shot in zip(frames, shots):
        stage.change(shot)
        yield laid_over(stage.picture(), cursor.drawn_at(frame))
    stage.close()


def _placement(panels: list[Panel], box: tuple[float, float, float, float]) -> Placement:
    """One place that holds a view in all frames."""
    x0, x1, y0, y1 = np.array([extent(panel) for panel in panels]).T
    low, high = np.array([x0.min(), y0.min()]), np.array([x1.max(), y1.max()])
    scale = float(min(0.96 * np.array(box[2:]) / np.maximum(high - low, 1.0)))
    centre = 0.5 * (low + high)
    return Placement(box=box, centre_mm=(float(centre[0]), float(centre[1])), pixels_per_mm=scale)


def _flat(scene: Scene, frames: tuple[int, ...], limit: float) -> Iterator[NDArray[np.uint8]]:
    """Pictures of the unrolled maps, without OpenGL."""
    plates = unroll_plates(scene)
    figure, cursor = _lettering(scene, limit, frames)
    figure.set_facecolor("white")
    first = knee_maps(scene, frames[0], plates)
    boxes = {key: (left, bottom, width, height) for key, (left, bottom, width, height) in _MAP_BOXES.items()}
    scale = paper_scale(first, {key: (0.0, 0.0, 25.4 * box[2] / _DOTS, 25.4 * box[3] / _DOTS) for key, box in boxes.items()})
    live = []
    for item in first:
        box = boxes[item.key]
        axes = figure.add_axes((box[0] / SIZE[0], box[1] / SIZE[1], box[2] / SIZE[0], box[3] / SIZE[1]))
        live.append(LiveMap(axes, item, limit))
        aim(axes, item, (25.4 * box[2] / _DOTS, 25.4 * box[3] / _DOTS), scale)
        _name(figure, item.key, box, item.edges)
    for frame in frames:
        for shown, item in zip(live, knee_maps(scene, frame, plates)):
            shown.change(item)
        cursor.forget()
        yield cursor.drawn_at(frame)[:, :, :3]


class _Cursor:
    """The line and the dots that say which moment is shown. What stays is drawn once, the cursor on top of it in each frame."""

    def __init__(self, scene: Scene, axes: Axes, figure: Figure) -> None:
        self._scene, self._axes, self._figure, self._ground = scene, axes, figure, None
        self._line = axes.axvline(0.0, color=_INK, linewidth=1.0, animated=True)
        self._dots = {name: axes.plot([], [], marker="o", markersize=6, color=colour, markeredgecolor="white", zorder=5, animated=True)[0] for name, colour in _CURVES.items()}
        self._words = figure.text(0.985, 0.06, "", fontsize=11, color=_INK, ha="right", va="center", fontweight="bold", animated=True)

    def forget(self) -> None:
        """Draw anew what stayed until now."""
        self._ground = None

    def drawn_at(self, frame: int) -> NDArray[np.uint8]:
        """The figure with its cursor at a frame, (height, width, 4) 0 to 255."""
        canvas: Any = self._figure.canvas
        if self._ground is None:
            canvas.draw()
            self._ground = canvas.copy_from_bbox(self._figure.bbox)
        canvas.restore_region(self._ground)
        percent = cycle_percent(self._scene, frame)
        self._line.set_xdata([percent, percent])
        self._words.set_text(f"{percent:3.0f} % of the cycle")
        for name, dot in self._dots.items():
            dot.set_data([percent], [float(compartments(self._scene)[name].force[frame])])
        for artist in (self._line, *self._dots.values()):
            self._axes.draw_artist(artist)
        self._figure.draw_artist(self._words)
        return np.asarray(canvas.buffer_rgba()).copy()


def _lettering(scene: Scene, limit: float, frames: tuple[int, ...]) -> tuple[Figure, _Cursor]:
    """Everything that stays, on a clear ground, and the cursor."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE[0] / _DOTS, SIZE[1] / _DOTS), dpi=_DOTS, facecolor="none")
    FigureCanvasAgg(figure)
    words, size = fitted_words(headline(scene), SIZE[0] - 30, 14.0)
    figure.text(14 / SIZE[0], 1 - 20 / SIZE[1], words, fontsize=size, fontweight="bold", color=_INK, va="center")
    axes = figure.add_axes((676 / SIZE[0], 112 / SIZE[1], 262 / SIZE[0], 340 / SIZE[1]))
    percent = np.linspace(0.0, 100.0, frame_count(scene))
    for name, colour in _CURVES.items():
        axes.plot(percent, compartments(scene)[name].force, color=colour, linewidth=1.8, label=name)
    axes.set_xlim(0.0, 100.0)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("Cycle (%)", fontsize=10, color=_INK)
    axes.set_ylabel("Contact force (N)", fontsize=10, color=_INK)
    axes.tick_params(labelsize=9, colors=_INK)
    axes.grid(color="#d9dee3", linewidth=0.6)
    axes.legend(loc="lower center", bbox_to_anchor=(0.46, 1.0), ncols=3, frameon=False, fontsize=9, handlelength=1.2, columnspacing=1.0, handletextpad=0.4)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    colour_bar(figure, (330 / SIZE[0], 28 / SIZE[1], 230 / SIZE[0], 9 / SIZE[1]), limit, size=9.0)
    figure.text(14 / SIZE[0], 36 / SIZE[1], NOT_A_DIAGNOSIS, fontsize=9.5, fontweight="bold", color="#9a1f2e", va="center")
    figure.text(14 / SIZE[0], 18 / SIZE[1], "kneeload: computed by a model, not measured", fontsize=8, color=_SOFT, va="center")
    return figure, _Cursor(scene, axes, figure)


def _name(figure: Figure, key: str, box: tuple[float, float, float, float], edges: dict[str, str]) -> None:
    left, bottom, width, height = box
    figure.text((left + 0.5 * width) / SIZE[0], (bottom + height + 12) / SIZE[1], _TITLES[key], fontsize=10, fontweight="bold", color=_INK, ha="center", va="center")
    for edge, x, align in (("left", left + 2, "left"), ("right", left + width - 2, "right")):
        figure.text(x / SIZE[0], (bottom + 8) / SIZE[1], edges[edge], fontsize=9, color=_SOFT, ha=align, va="center")


def _write_gif(path: Path, pictures: list[NDArray[np.uint8]]) -> None:
    """All frames share one palette, so that a pressure keeps its colour over the cycle."""
    from PIL import Image

    step = max(len(pictures) // 6, 1)
    common = Image.fromarray(np.concatenate(pictures[::step])).quantize(255 - _SCALE_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    scale = np.rint(255.0 * pressure_rgb(np.linspace(0.0, 1.0, _SCALE_COLOURS), 1.0)).astype(int)
    palette = Image.new("P", (1, 1))
    palette.putpalette([255, 255, 255, *scale.ravel().tolist(), *(common.getpalette() or [])][:768])
    frames = [Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=round(1000.0 * SECONDS / len(frames) / 10.0) * 10, loop=0, optimize=False, disposal=1)


def _write_video(path: Path, pictures: list[NDArray[np.uint8]]) -> None:
    from imageio_ffmpeg import write_frames  # type: ignore[import-not-found]

    writer = write_frames(str(path), SIZE, fps=len(pictures) / SECONDS, quality=7, macro_block_size=2, output_params=["-movflags", "+faststart"])
    writer.send(None)
    for picture in pictures:
        writer.send(np.ascontiguousarray(picture))
    writer.close()
