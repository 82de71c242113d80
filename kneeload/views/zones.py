"""zones.png and zones/*.vtu: the bone whose daily stimulus is above the overstress level, in translucent bones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.volume import BoneVolume
from kneeload.lesion.checks import NOISE_SHARE
from kneeload.lesion.zones import BoneZones, ZoneMap
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.surface import Body
from kneeload.views.gl import gl_problem
from kneeload.views.layout import SIZE, Placement, fitted_words
from kneeload.views.palette import BONE_RGB, pressure_rgb
from kneeload.views.panels import Panel, Patch, edge_words, shade, view_axes
from kneeload.views.scene import NOT_A_DIAGNOSIS, Scene, body_pose, headline, inverse_pose, peak_frame, placed, shown
from kneeload.views.wording import GRADES, plain, region_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCALE_PCT = (80.0, 160.0)  # ends of the colour scale, percent of the overstress level; cubes below it are not drawn
_BONE_OPACITY, _NEAR_OPACITY, _ZONE_OPACITY = 0.16, 0.22, 1.0
_SHAFT_MM = 16.0  # above the highest cartilage of the femur: where its shaft ends in close views
_VIEWS: tuple[tuple[str, str, Body, tuple[float, float, float], tuple[float, float, float], tuple[Body, ...]], ...] = (
    # key, title, frame, direction to the viewer and up in it (right knee), bones
    ("knee", "Whole knee, from the front", "tibia", (1.0, 0.10, 0.0), (0.0, 1.0, 0.0), ("femur", "tibia", "patella")),
    ("femur", "Femur, from above", "femur", (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), ("femur",)),
    ("tibia", "Tibia, from above", "tibia", (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0), ("tibia",)),
    ("patella", "Kneecap (patella), from the front", "patella", (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), ("patella",)),
)
_BOXES = {"knee": (15, 110, 530, 804), "femur": (560, 540, 590, 374), "tibia": (560, 110, 590, 374), "patella": (1165, 540, 620, 374)}  # left, bottom, width, height
_INK, _SOFT, _MARGIN = "#20252b", "#5b6570", 34
_FACES = np.array([  # corners of the six faces of a cube, counter-clockwise from outside, in half edges; the first three columns are the outward direction
    [[1, 0, 0], [1, -1, -1], [1, 1, -1], [1, 1, 1], [1, -1, 1]], [[-1, 0, 0], [-1, -1, -1], [-1, -1, 1], [-1, 1, 1], [-1, 1, -1]],
    [[0, 1, 0], [-1, 1, -1], [-1, 1, 1], [1, 1, 1], [1, 1, -1]], [[0, -1, 0], [-1, -1, -1], [1, -1, -1], [1, -1, 1], [-1, -1, 1]],
    [[0, 0, 1], [-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], [[0, 0, -1], [-1, -1, -1], [-1, 1, -1], [1, 1, -1], [1, -1, -1]],
])


@dataclass(frozen=True, slots=True, kw_only=True)
class ZonesPicture:
    """The numeric twin of zones.png.

    Attributes:
        path: the file.
        renderer: "vtk" (3D) or "matplotlib" (flat, without OpenGL).
        note: None, or one sentence that says why the picture is flat and what to install.
        scale_pct: ends of the colour scale, percent of the overstress level.
        cubes: bone -> number of cubes drawn as zone.
        highest_pct: largest daily stimulus of any cube, percent of its level.
    """

    path: Path
    renderer: str
    note: str | None
    scale_pct: tuple[float, float]
    cubes: dict[str, int]
    highest_pct: float


def zones_picture(scene: Scene, zones: ZoneMap, path: Path | str) -> ZonesPicture:
    """Draw the risk zones of one knee into a PNG file of 1800 x 1100 pixels: the knee from the front, femur and tibia from above, the kneecap.

    Solid cubes are above the overstress level, faint ones within 20 % below it; the bones are translucent. The whole knee is posed as in the frame of peak
    tibiofemoral force. Without OpenGL the same panels are drawn flat with matplotlib, and the answer's `note` says so.
    """
    panels = tuple(_panel(scene, zones, *view) for view in _VIEWS)
    placements = _placements(panels)
    note, figure = gl_problem(), _lettering(scene, zones, panels, placements)
    if note is None:
        from kneeload.views.render import render_panels, under_lettering

        under_lettering(render_panels(panels, placements, SIZE), figure, Path(path))
    else:
        from kneeload.views.flat import draw_panels

        draw_panels(figure, panels, placements, SIZE)
        figure.savefig(Path(path), facecolor="white", pil_kwargs={"compress_level": 3})
    return ZonesPicture(path=Path(path), renderer="vtk" if note is None else "matplotlib", note=note, scale_pct=SCALE_PCT,
                        cubes={name: int(item.over.sum()) for name, item in zones.bones.items()},
                        highest_pct=max((float(percent_of_level(item).max(initial=0.0)) for item in zones.bones.values()), default=0.0))


def percent_of_level(zones: BoneZones) -> NDArray[np.float64]:
    """Daily stimulus of each cube, (n,) percent of its overstress level; 0 where there is no level."""
    out: NDArray[np.float64] = 100.0 * zones.stimulus / zones.level
    return out


def cube_faces(volume: BoneVolume, chosen: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]:
    """Outer faces of the chosen cubes (n,): points (4 k, 3) mm in the frame of the bone, triangles (2 k, 3) facing outwards, cube (k,) of each face."""
    index = volume.index[chosen].astype(np.int64)
    low = index.min(axis=0) - 1 if len(index) else np.zeros(3, np.int64)
    size = index.max(axis=0) - low + 2 if len(index) else np.ones(3, np.int64)
    known = np.zeros(size, dtype=bool)
    known[tuple((index - low).T)] = True
    corners, cubes = [np.zeros((0, 4, 3))], [np.zeros(0, np.int64)]
    for face in _FACES:
        free = np.flatnonzero(~known[tuple((index - low + face[0]).T)])
        corners.append(index[free][:, None, :] + 0.5 * face[1:])
        cubes.append(np.flatnonzero(chosen)[free])
    points = volume.origin_mm + volume.spacing_mm * np.concatenate(corners).reshape(-1, 3)
    first = 4 * np.arange(len(points) // 4)[:, None]
    triangles = np.concatenate([first + np.array(half) for half in ((0, 1, 2), (0, 2, 3))]).astype(np.int32)
    return points, triangles, np.concatenate(cubes)


def _panel(scene: Scene, zones: ZoneMap, key: str, title: str, body: Body, toward: tuple[float, float, float], up: tuple[float, float, float],
           bones: tuple[Body, ...]) -> Panel:
    frame, axes, patches, highest = peak_frame(scene, "tibiofemoral"), view_axes(toward, up, scene.side), [], 0.0
    for name in bones:
        pose = inverse_pose(body_pose(scene, body, frame)) @ body_pose(scene, name, frame)
        if name in scene.anatomy.bones:
            patches.append(_bone(scene, name, pose, axes, close=key != "knee"))
        if name in zones.bones:
            percent = percent_of_level(zones.bones[name])
            highest = max(highest, float(percent.max(initial=0.0)))
            for chosen, opacity in (((percent >= SCALE_PCT[0]) & ~zones.bones[name].over, _NEAR_OPACITY), (zones.bones[name].over, _ZONE_OPACITY)):
                if chosen.any():
                    patches.append(_cubes(scene, zones.bones[name].volume, chosen, percent, pose, axes, opacity))
    return Panel(key=key, title=title, subtitle="", patches=tuple(patches), edges=edge_words(axes, scene.side), peaks={}, frame=frame, highest_mpa=highest,
                 highest_triangle_mpa=highest)


def _bone(scene: Scene, name: Body, pose: NDArray[np.float64], axes: NDArray[np.float64], *, close: bool) -> Patch:
    mesh = scene.anatomy.bones[name]
    triangles = mesh.triangles
    if close and name == "femur":
        femur = scene.anatomy.femur
        top = float(femur.mesh.points[femur.mesh.triangles[femur.thickness_mm > 0.0], 1].max(initial=-np.inf)) + _SHAFT_MM
        triangles = triangles[(mesh.points[triangles][:, :, 1] < top).all(axis=1)]
    points, corners = shown(placed(mesh.points, pose), triangles, scene.side)
    points = points @ axes.T
    focus = np.zeros(len(points), dtype=bool)
    focus[corners.ravel()] = True
    return Patch(points=points, triangles=np.ascontiguousarray(corners), rgb=0.75 * np.asarray(BONE_RGB) * shade(points, corners)[:, None], focus=focus,
                 opacity=_BONE_OPACITY)


def _cubes(scene: Scene, volume: BoneVolume, chosen: NDArray[np.bool_], percent: NDArray[np.float64], pose: NDArray[np.float64], axes: NDArray[np.float64],
           opacity: float) -> Patch:
    points, triangles, cube = cube_faces(volume, chosen)
    seen, corners = shown(placed(points, pose), triangles, scene.side)
    seen = seen @ axes.T
    rgb = np.repeat(_colours(percent[cube]), 4, axis=0)
    return Patch(points=seen, triangles=np.ascontiguousarray(corners), rgb=rgb, focus=np.ones(len(seen), dtype=bool), opacity=opacity)


def _colours(percent: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours (n, 3) of values (n,) percent of the level: the scale of contact pressure, whose lightness falls evenly."""
    low, high = SCALE_PCT
    return pressure_rgb(0.16 + 0.84 * np.clip((np.asarray(percent) - low) / (high - low), 0.0, 1.0), 1.0)  # the first, grey part is for cartilage


def _placements(panels: tuple[Panel, ...]) -> tuple[Placement, ...]:
    """Each panel fills its box; femur, tibia and kneecap share one scale."""
    boxes, extents, scales = [], [], []
    for panel in panels:
        points = np.concatenate([patch.points[patch.focus] for patch in panel.patches])[:, :2]
        low, high = points.min(axis=0), points.max(axis=0)
        _, _, width, height = _BOXES[panel.key]
        boxes.append(_BOXES[panel.key])
        extents.append(0.5 * (low + high))
        scales.append(float(min((width - 2 * _MARGIN) / max(high[0] - low[0], 1.0), (height - 2 * _MARGIN) / max(high[1] - low[1], 1.0))))
    shared = min(scale for panel, scale in zip(panels, scales) if panel.key != "knee")
    return tuple(Placement(box=box, centre_mm=(float(centre[0]), float(centre[1])), pixels_per_mm=scale if panel.key == "knee" else shared)
                 for panel, box, centre, scale in zip(panels, boxes, extents, scales))


def _lettering(scene: Scene, zones: ZoneMap, panels: tuple[Panel, ...], placements: tuple[Placement, ...]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100, facecolor="none")
    FigureCanvasAgg(figure)
    words, size = fitted_words(headline(replace(scene, activity="a usual day")), SIZE[0] - 48)
    _text(figure, 24, 1066, words, fontsize=size, fontweight="bold")
    _text(figure, 24, 1026, _what(zones), fontsize=14, color=_SOFT)
    for panel, placement in zip(panels, placements, strict=True):
        left, bottom, width, height = placement.box
        _text(figure, left + 0.5 * width, bottom + height + 24, panel.title, ha="center", fontsize=15, fontweight="bold")
        for edge, x, align in (("left", left + 12, "left"), ("right", left + width - 12, "right")):
            _text(figure, x, bottom + 20, panel.edges[edge].upper(), ha=align, fontsize=14, fontweight="bold")
        for edge, y in (("top", bottom + height - 12), ("bottom", bottom + 12)):
            _text(figure, left + 0.5 * width, y, panel.edges[edge], ha="center", fontsize=12, color=_SOFT)
    _list(figure, zones)
    _ruler(figure, placements[1])
    _colour_bar(figure)
    _text(figure, 24, 58, NOT_A_DIAGNOSIS, fontsize=14, fontweight="bold", color="#9a1f2e")
    _text(figure, 24, 30, "kneeload: computed by a model, not measured", fontsize=11, color=_SOFT)
    return figure


def _text(figure: Figure, x: float, y: float, words: str, **style) -> None:
    """Words at pixels (x to the right, y up)."""
    figure.text(x / SIZE[0], y / SIZE[1], words, **{"color": _INK, "fontsize": 12, "ha": "left", "va": "center", **style})  # type: ignore[arg-type]


def _what(zones: ZoneMap) -> str:
    ratio = zones.relative_risk
    times = f"{ratio[0]:g} times as likely" if np.ptp(ratio) < 1e-9 else "as likely as stated"
    return f"Risk zones in the bone: solid where the load of the day would make a new lesion at least {times} as under the load of a reference person; pale up to 20 % below"


def _list(figure: Figure, zones: ZoneMap) -> None:
    """The largest zones in words and numbers, below the kneecap."""
    order = [r for r in np.argsort(-zones.share, kind="stable") if zones.share[r] >= NOISE_SHARE][:6]
    x, y = 1180.0, 478.0
    _text(figure, x, y, "Largest zones (with 95 % interval)" if order else f"No zone of {100.0 * NOISE_SHARE:.0f} % of a region or more", fontsize=15, fontweight="bold")
    for r in order:
        y -= 52.0
        volume = f"{zones.volume_mm3[r] / 1000.0:.1f} cm³ ({zones.volume_low_mm3[r] / 1000.0:.1f} to {zones.volume_high_mm3[r] / 1000.0:.1f})"
        _text(figure, x, y, f"{region_name(MOAKS_REGIONS[r])}: {volume}, {100.0 * zones.share[r]:.0f} % of the region", fontsize=12)
        first = np.argsort(-zones.activity_share[r], kind="stable")[:2]
        behind = ", ".join(f"{plain(zones.activities[k])} {100.0 * zones.activity_share[r, k]:.0f} %" for k in first if zones.activity_share[r, k] >= 0.05)
        depth = f"{zones.depth_mm[r, 0]:.0f} to {zones.depth_mm[r, 1]:.0f} mm deep"
        _text(figure, x, y - 20, f"size {GRADES[int(zones.moaks_grade[r])]}, {depth}; behind it: {behind}", fontsize=11, color=_SOFT)


def _ruler(figure: Figure, placement: Placement) -> None:
    from matplotlib.lines import Line2D

    length, x, y = 20.0 * placement.pixels_per_mm, 1240.0, 60.0
    figure.add_artist(Line2D([x / SIZE[0], (x + length) / SIZE[0]], [y / SIZE[1]] * 2, color=_INK, linewidth=2.5))
    _text(figure, x + 0.5 * length, y - 20, "20 mm (femur, tibia, kneecap)", ha="center", fontsize=11, color=_SOFT)


def _colour_bar(figure: Figure) -> None:
    low, high = SCALE_PCT
    axes = figure.add_axes((560 / SIZE[0], 50 / SIZE[1], 540 / SIZE[0], 22 / SIZE[1]))
    axes.imshow(_colours(np.linspace(low, high, 256))[None], aspect="auto", extent=(low, high, 0.0, 1.0))
    axes.axvline(100.0, color=_INK, linewidth=2.0)
    axes.set_yticks([])
    axes.set_xticks(np.linspace(low, high, 5))
    axes.tick_params(labelsize=12, colors=_INK)
    axes.set_title("Daily stimulus (% of the overstress level; zone from 100 %)", fontsize=13, fontweight="bold", color=_INK, pad=6)


def zones_file(scene: Scene, zones: ZoneMap, folder: Path | str) -> list[Path]:
    """Write `zones.vtm` and `zones/<bone>.vtu` into `folder`: all cubes of the bone, posed and mirrored as in `kneeload.views.vtk_files.write_vtk`.

    Arrays per cell: daily_stimulus_mpa, overstress_level_mpa, overstressed (1 in the zones), largest_effective_stress_mpa, depth_mm (below the
    bone surface), moaks_region (number in the list moaks_region_names) and share_of_<activity> (of the stimulus to its exponent, no unit).
    """
    import pyvista as pv

    folder = Path(folder)
    (folder / "zones").mkdir(parents=True, exist_ok=True)
    frame, files = peak_frame(scene, "tibiofemoral"), [folder / "zones.vtm"]
    for name, item in zones.bones.items():
        grid = pv.UnstructuredGrid(*posed_cubes(scene, item.volume, frame))  # type: ignore[arg-type]
        grid.cell_data["daily_stimulus_mpa"] = item.stimulus.astype(np.float32)
        grid.cell_data["overstress_level_mpa"] = np.where(np.isfinite(item.level), item.level, np.nan).astype(np.float32)
        grid.cell_data["overstressed"] = item.over.astype(np.uint8)
        grid.cell_data["largest_effective_stress_mpa"] = item.peak.astype(np.float32)
        grid.cell_data["depth_mm"] = item.volume.depth_mm.astype(np.float32)
        grid.cell_data["moaks_region"] = item.volume.region.astype(np.int32)
        for row, activity in enumerate(zones.activities):
            grid.cell_data[f"share_of_{activity}"] = item.activity_share[row].astype(np.float32)
        grid.field_data["moaks_region_names"] = list(MOAKS_REGIONS)
        grid.field_data["side"] = [scene.side]
        grid.field_data["frame_of_reference"] = ["femur, mm, x anterior, y proximal, z " + ("lateral" if scene.side == "right" else "medial")]
        files.append(folder / "zones" / f"{name}.vtu")
        grid.save(files[-1], binary=True)
    blocks = "\n".join(f'    <DataSet index="{number}" name="{file.stem}" file="zones/{file.name}"/>' for number, file in enumerate(files[1:]))
    files[0].write_text('<?xml version="1.0"?>\n<VTKFile type="vtkMultiBlockDataSet" version="1.0" byte_order="LittleEndian" header_type="UInt32">\n'
                        f"  <vtkMultiBlockDataSet>\n{blocks}\n  </vtkMultiBlockDataSet>\n</VTKFile>\n", encoding="utf-8")
    return files


def posed_cubes(scene: Scene, volume: BoneVolume, frame: int) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float64]]:
    """Cells, cell types and points (8 n, 3) mm of the cubes in the femur frame; a mirrored cube keeps its corners in the order of VTK."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) - 0.5
    if scene.side == "left":
        corners = corners[[4, 5, 6, 7, 0, 1, 2, 3]]
    points = (volume.centres_mm[:, None, :] + volume.spacing_mm * corners).reshape(-1, 3)
    name: Body = volume.bone  # type: ignore[assignment]
    posed, _ = shown(placed(points, body_pose(scene, name, frame)), np.zeros((0, 3), np.int32), scene.side)
    count = len(volume.index)
    cells = np.concatenate([np.full((count, 1), 8), np.arange(8 * count).reshape(count, 8)], axis=1)
    return cells.ravel(), np.full(count, 12, np.uint8), posed  # 12: VTK_HEXAHEDRON
