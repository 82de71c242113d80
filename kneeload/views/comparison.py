"""compare.png and difference.png: the knees of several runs beside each other on one colour scale, and what each has more or less than the first."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.person import Side
from kneeload.subject.surface import TriangleMesh
from kneeload.views.gl import gl_problem
from kneeload.views.layout import Placement
from kneeload.views.palette import BONE_RGB, MENISCUS_RGB, difference_limit, difference_rgb, pressure_rgb, scale_limit
from kneeload.views.panels import Panel, Patch, edge_words, shade, view_axes
from kneeload.views.scene import NOT_A_DIAGNOSIS, inverse_pose, placed
from kneeload.views.shading import point_mean, point_pressure

if TYPE_CHECKING:
    import pyvista as pv
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
MOST_COLUMNS = 4  # knees beside each other
_CELL, _HEIGHTS, _LEFT, _TOP, _BOTTOM = 440, (330, 340, 270), 70, 130, 130  # pixels
_INK, _SOFT = "#20252b", "#5b6570"
_PLAIN_RGB = (0.80, 0.80, 0.79)
_SAME_SIZE = 0.02  # edges of two knees of one size differ by less than this part of their mean length
_LOADED_BELOW = 0.03  # share of the scale below which a point still shows light and shadow
_PERCENTILE, _PERCENTILE_OF_CHANGES = 99.0, 95.0  # of the triangles under load: single ones do not set the scale, and get its last colour


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One way to look at the knees: title, frame of the view, names of coloured parts and of bones, and the array that colours them."""

    title: str
    about: str
    toward: tuple[float, float, float]
    up: tuple[float, float, float]
    coloured: tuple[str, ...]
    bones: tuple[str, ...]
    array: str


_ROWS = (
    _Row(title="Tibial plateau\nwith menisci, from above", about="highest over the activity", toward=(0.0, 1.0, 0.0), up=(-1.0, 0.0, 0.0),
         coloured=("tibia_medial", "tibia_lateral", "medial_meniscus", "lateral_meniscus"), bones=("bone_tibia",), array="highest_contact_pressure_mpa"),
    _Row(title="Femoral condyles\nfrom below", about="at peak tibiofemoral force", toward=(0.0, -1.0, 0.0), up=(1.0, 0.0, 0.0), coloured=("femur",), bones=(),
         array="contact_pressure_mpa"),
    _Row(title="Kneecap (patella)\nfrom behind", about="highest over the activity", toward=(-1.0, 0.0, 0.0), up=(0.0, 1.0, 0.0), coloured=("patella",), bones=("bone_patella",),
         array="highest_contact_pressure_mpa"),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Knee:
    """One column of the picture.

    Attributes:
        label: what sets this run apart.
        side: which knee it is.
        parts: as `kneeload.views.vtk_files.vtk_parts` makes them or `read_parts` reads them.
    """

    label: str
    side: Side
    parts: Mapping[str, pv.PolyData]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedPicture:
    """The numeric twin of a picture.

    Attributes:
        path: the file.
        note: None, or why it is flat.
        limit_mpa: end of the colour scale, MPa (both ends of a difference).
        highest_mpa, lowest_mpa: per row and column the largest and smallest value of a triangle, MPa.
    """

    path: Path
    note: str | None
    limit_mpa: float
    highest_mpa: tuple[tuple[float, ...], ...]
    lowest_mpa: tuple[tuple[float, ...], ...]


def read_parts(folder: Path) -> dict[str, pv.PolyData]:
    """The parts of a run folder by name; empty where it has no knee.vtm, or one without poses."""
    import pyvista as pv

    names = {name for row in _ROWS for name in (*row.coloured, *row.bones)}
    files = {path.stem: path for path in sorted((folder / "knee").glob("*.vtp")) if path.stem in names}
    parts = {name: pv.read(path) for name, path in files.items()}
    return parts if parts and all("femur_from_body" in part.field_data for part in parts.values()) else {}  # type: ignore[return-value,union-attr]


def why_no_difference(first: Knee, other: Knee) -> str | None:
    """None where two knees can be subtracted triangle by triangle, else why not."""
    if first.side != other.side:
        return "one is a right knee and the other a left one"
    coloured = [name for row in _ROWS for name in row.coloured]
    if {name for name in coloured if name in first.parts} != {name for name in coloured if name in other.parts}:
        return "one has surfaces that the other has not, such as a meniscus"
    for name in coloured:
        if name in first.parts:
            meshes = _mesh(first.parts[name]), _mesh(other.parts[name])
            if not np.array_equal(meshes[0].triangles, meshes[1].triangles):
                return "their surfaces have different triangles"
            lengths = [np.linalg.norm(mesh.points[mesh.triangles] - mesh.points[np.roll(mesh.triangles, 1, axis=1)], axis=2) for mesh in meshes]
            if "meniscus" not in name and np.abs(lengths[0] - lengths[1]).mean() > _SAME_SIZE * lengths[0].mean():
                return "their surfaces differ in size or shape"
    return None


def draw_pairs(path: Path, knees: Sequence[Knee], title: str) -> PairedPicture:
    """Draw the contact pressure of up to four knees beside each other, one colour scale and one length scale for all maps, into a PNG file.

    The scale ends at the smallest of a few fixed steps that holds the peaks. Without OpenGL the maps are drawn flat, and `note` says so.
    """
    knees = knees[:MOST_COLUMNS]
    values = [[_row_values(row, knee) for knee in knees] for row in _ROWS]
    limit = scale_limit(max(_robust(array) for row in values for cell in row for array in cell.values()))

    def shown(knee: Knee, cell: Mapping[str, Array]) -> dict[str, Coloured]:
        points = {name: point_pressure(_mesh(knee.parts[name]), array) for name, array in cell.items()}
        return {name: (value / limit, pressure_rgb(value, limit)) for name, value in points.items()}

    panels = [[_panel(row, knee, cell, shown(knee, cell)) for knee, cell in zip(knees, cells)] for row, cells in zip(_ROWS, values)]
    bar = _Bar(title="Contact pressure (MPa)", low=0.0, high=limit, colours=pressure_rgb(np.linspace(0.0, limit, 256), limit))
    return _draw(path, [knee.label for knee in knees], panels, bar, title, values, limit)


def draw_differences(path: Path, first: Knee, others: Sequence[Knee], title: str) -> PairedPicture:
    """Draw the contact pressure of knees less that of the first, triangle by triangle, on a scale that is symmetric around 0; see `draw_pairs`.

    The knees must have passed `why_no_difference`.
    """
    others = others[:MOST_COLUMNS]
    before = [_row_values(row, first) for row in _ROWS]
    values = [[{name: array - base[name] for name, array in _row_values(row, knee).items()} for knee in others] for row, base in zip(_ROWS, before)]
    limit = difference_limit(max(_robust(array, _PERCENTILE_OF_CHANGES) for row in values for cell in row for array in cell.values()))

    def shown(row: _Row, knee: Knee) -> dict[str, Coloured]:
        points = {name: point_pressure(_mesh(first.parts[name]), _array(knee.parts[name], row.array)) - point_pressure(_mesh(first.parts[name]), _array(first.parts[name], row.array))
                  for name in row.coloured if name in first.parts}
        return {name: (np.abs(value) / limit, difference_rgb(value, limit)) for name, value in points.items()}

    panels = [[_panel(row, first, cell, shown(row, knee), signed=True) for knee, cell in zip(others, cells)] for row, cells in zip(_ROWS, values)]
    bar = _Bar(title=f"Change of contact pressure (MPa) against: {first.label}", low=-limit, high=limit, colours=difference_rgb(np.linspace(-limit, limit, 256), limit))
    return _draw(path, [knee.label for knee in others], panels, bar, title, values, limit)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Bar:
    """A colour bar: title, ends and (256, 3) colours, no unit."""

    title: str
    low: float
    high: float
    colours: Array


Coloured = tuple[Array, Array]  # how much of the scale each point has, (n,), and its colour, (n, 3); no unit


def _mesh(part: pv.PolyData) -> TriangleMesh:
    return TriangleMesh(points=np.asarray(part.points, dtype=np.float64), triangles=np.asarray(part.regular_faces, dtype=np.int32))


def _array(part: pv.PolyData, name: str) -> Array:
    return np.nan_to_num(np.asarray(part.cell_data[name], dtype=np.float64))


def _row_values(row: _Row, knee: Knee) -> dict[str, Array]:
    """Per coloured part that the knee has (m,) MPa."""
    return {name: _array(knee.parts[name], row.array) for name in row.coloured if name in knee.parts}


def _robust(values: Array, percentile: float = _PERCENTILE) -> float:
    """MPa; a percentile of the sizes of what is not 0."""
    size = np.abs(values[values != 0.0])
    return float(np.percentile(size, percentile)) if size.size else 0.0


def _panel(row: _Row, knee: Knee, cell: Mapping[str, Array], colours: Mapping[str, Coloured], *, signed: bool = False) -> Panel:
    axes = view_axes(row.toward, row.up, knee.side)
    patches = []
    for name, (loaded, rgb) in colours.items():
        points, triangles = _in_view(knee.parts[name], axes)
        unloaded = MENISCUS_RGB if not signed else _PLAIN_RGB  # a blue meniscus would look like a fall
        base = np.broadcast_to(unloaded if "meniscus" in name else pressure_rgb(np.zeros(1), 1.0)[0], rgb.shape)
        if name == "femur":
            thick = np.clip(point_mean(_mesh(knee.parts[name]), _array(knee.parts[name], "cartilage_thickness_mm")) / 0.8, 0.0, 1.0)[:, None]
            base = thick * base + (1.0 - thick) * np.asarray(BONE_RGB)
        part = np.clip(loaded / _LOADED_BELOW, 0.0, 1.0)[:, None]
        focus = thick[:, 0] > 0.5 if name == "femur" else np.ones(len(points), dtype=bool)
        patches.append(Patch(points=points, triangles=triangles, rgb=part * rgb + (1.0 - part) * base * shade(points, triangles)[:, None], focus=focus))
    for name in row.bones:
        if name in knee.parts:
            points, triangles = _in_view(knee.parts[name], axes)
            patches.append(Patch(points=points, triangles=triangles, rgb=np.asarray(BONE_RGB) * shade(points, triangles)[:, None], focus=np.zeros(len(points), dtype=bool)))
    highest = max((float(values.max(initial=0.0)) for values in cell.values()), default=0.0)
    return Panel(key=row.title, title=row.title, subtitle=row.about, patches=tuple(patches), edges=edge_words(axes, knee.side), peaks=_peaks(row, knee, cell, signed), frame=0,
                 highest_mpa=highest, highest_triangle_mpa=highest)


def _in_view(part: pv.PolyData, axes: Array) -> tuple[Array, NDArray[np.int32]]:
    mesh = _mesh(part)
    return placed(mesh.points, inverse_pose(np.asarray(part.field_data["femur_from_body"], dtype=np.float64).reshape(4, 4))) @ axes.T, mesh.triangles


def _peaks(row: _Row, knee: Knee, cell: Mapping[str, Array], signed: bool) -> dict[str, str]:
    """Words under the sides of a map: the largest value of a triangle, or the largest fall and rise."""
    if row.coloured == ("patella",) or row.coloured == ("femur",):
        sides = {"": list(cell)}
    else:
        sides = {word: [name for name in cell if word.lower() in name] for word in ("Medial", "Lateral")}
    words = {}
    for side, names in sides.items():
        values = np.concatenate([cell[name] for name in names]) if names else np.zeros(1)
        words[side] = f"{_signed(values.min())} to {_signed(values.max())} MPa" if signed else f"peak {values.max():.1f} MPa"
    return words


def _signed(value: float) -> str:
    return "0.0" if abs(value) < 0.05 else f"{value:+.1f}"


def _size(columns: int) -> tuple[int, int]:
    return max(_LEFT + columns * _CELL, 1080), _TOP + sum(_HEIGHTS) + _BOTTOM


def _placements(panels: Sequence[Sequence[Panel]], size: tuple[int, int]) -> list[list[Placement]]:
    """All maps in one scale: that with which the largest fits into its cell."""
    extents = [[_extent(panel) for panel in row] for row in panels]
    scale = min(min((_CELL - 60) / (x1 - x0), (height - 96) / (y1 - y0)) for row, height in zip(extents, _HEIGHTS) for x0, x1, y0, y1 in row)
    first = 0.5 * (size[0] - _LEFT - len(panels[0]) * _CELL) + _LEFT
    out = []
    for number, row in enumerate(extents):
        bottom = size[1] - _TOP - sum(_HEIGHTS[:number + 1])
        out.append([Placement(box=(first + k * _CELL, bottom, _CELL - 10, _HEIGHTS[number] - 30), centre_mm=(0.5 * (x0 + x1), 0.5 * (y0 + y1) - 8.0 / scale), pixels_per_mm=scale)
                    for k, (x0, x1, y0, y1) in enumerate(row)])
    return out


def _extent(panel: Panel) -> tuple[float, float, float, float]:
    points = np.concatenate([patch.points[patch.focus] for patch in panel.patches if patch.focus.any()])
    (x0, y0), (x1, y1) = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return float(x0), float(x1), float(y0), float(y1)


def _draw(path: Path, labels: Sequence[str], panels: Sequence[Sequence[Panel]], bar: _Bar, title: str, values: Sequence[Sequence[Mapping[str, Array]]],
          limit: float) -> PairedPicture:
    size = _size(len(labels))
    placements, note = _placements(panels, size), gl_problem()
    figure = _lettering(size, labels, panels, placements, bar, title)
    every = [panel for row in panels for panel in row], [placement for row in placements for placement in row]
    if note is None:
        from kneeload.views.render import render_panels, under_lettering

        under_lettering(render_panels(*every, size), figure, path)
    else:
        from kneeload.views.flat import draw_panels

        draw_panels(figure, *every, size)
        figure.savefig(path, facecolor="white")
    ends = [[tuple(float(end(np.concatenate(list(cell.values())))) for cell in row) for row in values] for end in (np.max, np.min)]
    return PairedPicture(path=path, note=note, limit_mpa=limit, highest_mpa=tuple(ends[0]), lowest_mpa=tuple(ends[1]))


def _lettering(size: tuple[int, int], labels: Sequence[str], panels: Sequence[Sequence[Panel]], placements: Sequence[Sequence[Placement]], bar: _Bar, title: str) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(size[0] / 100, size[1] / 100), dpi=100, facecolor="none")
    FigureCanvasAgg(figure)

    def text(x: float, y: float, words: str, **style: object) -> None:
        figure.text(x / size[0], y / size[1], words, **{"color": _INK, "fontsize": 12, "ha": "left", "va": "center", **style})  # type: ignore[arg-type]

    text(24, size[1] - 30, textwrap.shorten(title, int(size[0] / 14.5), placeholder=" …"), fontsize=18, fontweight="bold")
    for label, placement in zip(labels, placements[0]):
        text(placement.box[0] + 0.5 * placement.box[2], size[1] - 84, "\n".join(textwrap.wrap(label, 38)[:3]), fontsize=14, fontweight="bold", ha="center")
    for row, places in zip(panels, placements):
        top = places[0].box[1] + places[0].box[3] + 16
        text(places[0].box[0] - 30, places[0].box[1] + 0.5 * places[0].box[3], row[0].title, fontsize=13, fontweight="bold", rotation=90, ha="center")
        for panel, placement in zip(row, places):
            left, bottom, width, _ = placement.box
            text(left + 0.5 * width, top, panel.subtitle, fontsize=11, color=_SOFT, ha="center")
            for edge, x, align in (("left", left + 8, "left"), ("right", left + width - 8, "right")):
                word = panel.edges[edge]
                text(x, bottom + 32, word, fontsize=12, fontweight="bold", ha=align)
                if word in panel.peaks:
                    text(x, bottom + 12, panel.peaks[word], fontsize=11.5, ha=align)
            if "" in panel.peaks:
                text(left + 0.5 * width, bottom + 12, panel.peaks[""], fontsize=11.5, ha="center")
    middle = 0.5 * size[0]
    axes = figure.add_axes(((middle - 200) / size[0], 52 / size[1], 400 / size[0], 20 / size[1]))
    axes.imshow(bar.colours[None], aspect="auto", extent=(bar.low, bar.high, 0.0, 1.0))
    axes.set_yticks([])
    axes.set_xticks(np.linspace(bar.low, bar.high, 5 if bar.low else 6))
    axes.tick_params(labelsize=12, colors=_INK)
    axes.set_title(textwrap.shorten(bar.title, 90, placeholder=" …"), fontsize=12, fontweight="bold", color=_INK, pad=6)
    length, x, y = 20.0 * placements[0][0].pixels_per_mm, size[0] - 190.0, 66.0
    figure.add_artist(Line2D([x / size[0], (x + length) / size[0]], [y / size[1]] * 2, color=_INK, linewidth=2.5))
    text(x + 0.5 * length, y - 20, "20 mm (all maps)", fontsize=11, color=_SOFT, ha="center")
    text(24, 62, NOT_A_DIAGNOSIS, fontsize=11, fontweight="bold", color="#9a1f2e")
    text(24, 36, "kneeload: computed, not measured", fontsize=10, color=_SOFT)
    return figure
