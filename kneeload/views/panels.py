"""The five panels of the stress picture, as coloured triangles in the frame of their view: no drawing library is needed here.

Bones and unloaded cartilage are shaded here, in the colours of the points; a loaded point has exactly the colour of the scale,
so that light and shadow never change a pressure that is read off the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.person import Side
from kneeload.subject.surface import Body, TriangleMesh
from kneeload.views.palette import BONE_RGB, MENISCUS_RGB, pressure_rgb
from kneeload.views.scene import (
    Joint,
    Scene,
    body_pose,
    casting_surfaces,
    cycle_percent,
    inverse_pose,
    joint_force,
    peak_frame,
    placed,
    shown,
)
from kneeload.views.shading import femur_pressure, point_mean, point_normals, point_pressure, surface_points

_LIGHT = np.array([-0.35, 0.55, 0.76])  # in the frame of the view (right, up, to the viewer): over the viewer's left shoulder
_SHADED_BELOW = 0.04  # share of the scale below which a point still shows light and shadow
_STATIC = 1e-3  # a force that changes less than this share of itself over the cycle is that of a held pose
_FULL_CARTILAGE_MM = 0.8  # layer thickness from which a point of the femur has the full colour of cartilage
_FADE_MM = (4.0, 13.0)  # above the highest cartilage of the femur: where its shaft fades out in close views
_WORDS = {0: ("Anterior", "Posterior"), 1: ("Proximal", "Distal"), 2: ("Lateral", "Medial")}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patch:
    """Coloured triangles in the frame of a view: x to the right, y up, z to the viewer.

    Attributes:
        points: (n, 3) mm, frame of the view.
        triangles: (m, 3) no unit; corner numbers, counter-clockwise seen from outside.
        rgb: (n, 3) no unit, 0 to 1.
        focus: (n,) bool; points that must fit into the panel (the shaft of a long bone need not).
        opacity: 1 hides what lies behind, 0 shows nothing of the patch itself.
    """

    points: NDArray[np.float64]
    triangles: NDArray[np.int32]
    rgb: NDArray[np.float64]
    focus: NDArray[np.bool_]
    opacity: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """One view of the knee.

    Attributes:
        key: short name.
        title: what is seen and from where.
        subtitle: the frame that is shown.
        patches: what to draw.
        edges: anatomical direction at the left, right, top and bottom edge.
        peaks: lines of text per side word ("Medial" -> "peak 3.2 MPa").
        frame: frame of the cycle.
        highest_mpa: largest pressure drawn at a point, MPa.
        highest_triangle_mpa: largest pressure of a triangle before smoothing, MPa.
    """

    key: str
    title: str
    subtitle: str
    patches: tuple[Patch, ...]
    edges: dict[str, str]
    peaks: dict[str, str]
    frame: int
    highest_mpa: float
    highest_triangle_mpa: float


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A way to look at the knee.

    Attributes:
        key, title: see Panel.
        body: frame in which `toward` and `up` are given; the whole panel is drawn in it.
        toward: direction from the knee to the viewer; up: direction that points up in the picture (both no unit, right knee).
        joint: whose frame of peak force is shown.
        coloured: names of the surfaces drawn with their pressure ("femur" for the femoral cartilage).
        bones: bones drawn.
        peaks: compartments whose peak is written, by the side word it stands under.
        onto_femur: bodies whose pressure the femur shows.
        close: the shaft of the femur fades out above its cartilage, and the panel is fitted to the joint.
        lift_mm: how far the femur and the kneecap are lifted off the tibia, along it, so that the plateau is seen, mm.
    """

    key: str
    title: str
    body: Body
    toward: tuple[float, float, float]
    up: tuple[float, float, float]
    joint: Joint
    coloured: tuple[str, ...]
    bones: tuple[Body, ...]
    peaks: tuple[tuple[str, str], ...]
    onto_femur: tuple[Body, ...] = ()
    close: bool = True
    lift_mm: float = 0.0


PLATEAU = ("tibia_medial", "tibia_lateral", "medial_meniscus", "lateral_meniscus")
_SIDES = (("Medial", "medial"), ("Lateral", "lateral"))
VIEWS = (
    View(key="knee", title="Whole knee, from the front", body="tibia", toward=(1.0, 0.10, 0.0), up=(0.0, 1.0, 0.0),
          joint="tibiofemoral", coloured=("femur", "patella", *PLATEAU), bones=("femur", "tibia", "patella"), peaks=(),
          onto_femur=("tibia", "patella"), close=False),
    View(key="femur", title="Femoral condyles, from below", body="tibia", toward=(0.0, -1.0, 0.0), up=(1.0, 0.0, 0.0),
          joint="tibiofemoral", coloured=("femur",), bones=("femur",), peaks=_SIDES, onto_femur=("tibia",)),
    View(key="tibia", title="Tibial plateau with menisci, from above", body="tibia", toward=(0.0, 1.0, 0.0), up=(-1.0, 0.0, 0.0),
          joint="tibiofemoral", coloured=PLATEAU, bones=("tibia",), peaks=_SIDES),
    View(key="trochlea", title="Femoral groove (trochlea), from the front", body="femur", toward=(1.0, -0.25, 0.0),
          up=(0.25, 1.0, 0.0), joint="patellofemoral", coloured=("femur",), bones=("femur",), peaks=(), onto_femur=("patella",)),
    View(key="patella", title="Kneecap (patella), from behind", body="patella", toward=(-1.0, 0.0, 0.0), up=(0.0, 1.0, 0.0),
          joint="patellofemoral", coloured=("patella",), bones=("patella",), peaks=()),
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ViewPressure:
    """Pressures that one view shows.

    Attributes:
        frame: frame of the cycle.
        points: (n,) MPa at the points of each coloured surface, by name; "femur" is the femoral surface.
        highest_triangle: MPa, highest pressure of a triangle of those that make these maps, before smoothing.
    """

    frame: int
    points: dict[str, NDArray[np.float64]]
    highest_triangle: float


def view_pressures(scene: Scene) -> tuple[ViewPressure, ...]:
    """Pressures of the five views, each at the frame of peak force of its joint."""
    return tuple(view_pressure(scene, view, peak_frame(scene, view.joint)) for view in VIEWS)


def view_pressure(scene: Scene, view: View, frame: int) -> ViewPressure:
    """Pressures of one view at a frame."""
    surfaces, fields = casting_surfaces(scene.anatomy), {field.name: field.pressure[frame] for field in scene.contact.fields}
    touching = [name for name in fields if name in surfaces and (name in view.coloured or surfaces[name].body in view.onto_femur)]
    points = {}
    for name in view.coloured:
        if name == "femur":
            points[name] = femur_pressure(scene, frame, scene.anatomy.femur.mesh.points, view.onto_femur)
        elif name in surfaces:
            points[name] = point_pressure(surfaces[name].mesh, fields.get(name, np.zeros(len(surfaces[name].mesh.triangles))))
    highest = max((float(np.nan_to_num(fields[name]).max(initial=0.0)) for name in touching), default=0.0)
    return ViewPressure(frame=frame, points=points, highest_triangle=highest)


def build_panels(scene: Scene, pressures: tuple[ViewPressure, ...], limit_mpa: float) -> tuple[Panel, ...]:
    """The five panels, coloured on a scale from 0 to `limit_mpa` MPa; `pressures` from `view_pressures`."""
    return tuple(build_panel(scene, view, pressure, limit_mpa) for view, pressure in zip(VIEWS, pressures, strict=True))


def build_panel(scene: Scene, view: View, pressure: ViewPressure, limit_mpa: float) -> Panel:
    """One panel, posed as in the frame of its pressures."""
    axes = view_axes(view.toward, view.up, scene.side)
    patches = [_patch(scene, view, axes, pressure, name, limit_mpa) for name in pressure.points]
    patches += [_wall(scene, view, axes, pressure.frame, name) for name in pressure.points if "meniscus" in name]
    patches += [_bone(scene, view, axes, pressure.frame, name) for name in view.bones if name in scene.anatomy.bones]
    return Panel(
        key=view.key, title=view.title, subtitle=_subtitle(scene, view.joint, pressure.frame), patches=tuple(patches),
        edges=edge_words(axes, scene.side), peaks=_peaks(scene, view, pressure.frame), frame=pressure.frame,
        highest_mpa=max((float(values.max(initial=0.0)) for values in pressure.points.values()), default=0.0),
        highest_triangle_mpa=pressure.highest_triangle,
    )


def view_axes(toward: tuple[float, float, float], up: tuple[float, float, float], side: Side) -> NDArray[np.float64]:
    """(3, 3) no unit; rows: right, up and to the viewer, in the frame of the body as shown (mirrored for a left knee)."""
    mirror = np.array([1.0, 1.0, 1.0 if side == "right" else -1.0])
    front = np.asarray(toward) * mirror
    front = front / np.linalg.norm(front)
    upright = np.asarray(up) * mirror
    upright = upright - front * (upright @ front)
    upright = upright / np.linalg.norm(upright)
    return np.stack([np.cross(upright, front), upright, front])


def edge_words(axes: NDArray[np.float64], side: Side) -> dict[str, str]:
    """Word at each edge of the picture: the anatomical axis that points there most."""
    words = {}
    for edge, direction in (("right", axes[0]), ("left", -axes[0]), ("top", axes[1]), ("bottom", -axes[1])):
        axis = int(np.argmax(np.abs(direction)))
        positive = direction[axis] > 0.0
        if axis == 2 and side == "left":
            positive = not positive
        words[edge] = _WORDS[axis][0 if positive else 1]
    return words


def _subtitle(scene: Scene, joint: Joint, frame: int) -> str:
    peak = f": peak {scene.contact.patellofemoral.peak_pressure[frame]:.1f} MPa" if joint == "patellofemoral" else ""
    force = joint_force(scene, joint)
    if np.ptp(force) <= _STATIC * np.abs(force).max(initial=0.0):
        return f"{joint} force in this pose{peak}"
    return f"at peak {joint} force ({cycle_percent(scene, frame):.0f} % of the cycle){peak}"


def _peaks(scene: Scene, view: View, frame: int) -> dict[str, str]:
    lines = {}
    for word, compartment in view.peaks:
        value = float(getattr(scene.contact, compartment).peak_pressure[frame])
        lines[word] = f"peak {value:.1f} MPa" if value > 0.0 else "no contact"
    return lines


def _patch(scene: Scene, view: View, axes: NDArray[np.float64], pressure: ViewPressure, name: str, limit_mpa: float) -> Patch:
    surface = scene.anatomy.femur if name == "femur" else casting_surfaces(scene.anatomy)[name]
    own = surface.mesh.points if name == "femur" else surface_points(scene, name, pressure.frame)
    points, triangles = _in_view(scene, view, axes, own, surface.mesh.triangles, surface.body, pressure.frame)
    focus = np.ones(len(points), dtype=bool)
    base = np.asarray(MENISCUS_RGB if "meniscus" in name else pressure_rgb(np.zeros(1), limit_mpa)[0])
    if name == "femur":  # one surface for cartilage and bare bone: the colour follows the thickness
        cartilage = np.clip(point_mean(surface.mesh, surface.thickness_mm) / _FULL_CARTILAGE_MM, 0.0, 1.0)[:, None]
        base = cartilage * base + (1.0 - cartilage) * np.asarray(BONE_RGB)
    value = pressure.points[name]
    loaded = np.clip(value / (_SHADED_BELOW * limit_mpa), 0.0, 1.0)[:, None]
    rgb = loaded * pressure_rgb(value, limit_mpa) + (1.0 - loaded) * base * shade(points, triangles)[:, None]
    if name == "femur":
        rgb, triangles, focus = _shortened(scene, view, own[:, 1], rgb, triangles)
    return Patch(points=points, triangles=triangles, rgb=rgb, focus=focus)


def _wall(scene: Scene, view: View, axes: NDArray[np.float64], frame: int, name: str) -> Patch:
    """The rim of a meniscus: from the edge of its upper face down to the plateau, so that the wedge looks solid."""
    surface = casting_surfaces(scene.anatomy)[name]
    upper = surface_points(scene, name, frame)
    lower = upper - point_mean(surface.mesh, surface.thickness_mm)[:, None] * np.array([0.0, 1.0, 0.0])
    edges = np.sort(surface.mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edge, times = np.unique(edges, axis=0, return_counts=True)
    a, b = edge[times == 1].T
    count = len(upper)
    walls = np.concatenate([np.stack([a, b, b + count], axis=1), np.stack([a, b + count, a + count], axis=1)])
    points, triangles = _in_view(scene, view, axes, np.concatenate([upper, lower]), walls.astype(np.int32), surface.body, frame)
    facing = np.cross(points[triangles[:, 1]] - points[triangles[:, 0]], points[triangles[:, 2]] - points[triangles[:, 0]])[:, 2] > 0.0
    triangles = np.where(facing[:, None], triangles, triangles[:, ::-1])  # a thin wall is seen from both sides
    rgb = np.asarray(MENISCUS_RGB) * shade(points, triangles)[:, None]
    return Patch(points=points, triangles=triangles, rgb=rgb, focus=np.zeros(len(points), dtype=bool))


def _bone(scene: Scene, view: View, axes: NDArray[np.float64], frame: int, name: Body) -> Patch:
    mesh: TriangleMesh = scene.anatomy.bones[name]
    points, triangles = _in_view(scene, view, axes, mesh.points, mesh.triangles, name, frame)
    rgb = np.asarray(BONE_RGB) * shade(points, triangles)[:, None]
    focus = np.ones(len(points), dtype=bool)
    if name == "femur":
        rgb, triangles, focus = _shortened(scene, view, mesh.points[:, 1], rgb, triangles)
    return Patch(points=points, triangles=triangles, rgb=rgb, focus=focus)


def _shortened(scene: Scene, view: View, height: NDArray[np.float64], rgb: NDArray[np.float64],
               triangles: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.bool_]]:
    """In close views the shaft of the femur fades to white and ends: colours (n, 3), triangles and focus (n,) by height along the femur, (n,) mm."""
    if not view.close:
        return rgb, triangles, np.ones(len(rgb), dtype=bool)
    femur = scene.anatomy.femur
    top = float(femur.mesh.points[femur.mesh.triangles[femur.thickness_mm > 0.0], 1].max(initial=-np.inf))
    share = np.clip((height - top - _FADE_MM[0]) / (_FADE_MM[1] - _FADE_MM[0]), 0.0, 1.0)
    return rgb * (1.0 - share[:, None]) + share[:, None], triangles[(share[triangles] < 1.0).any(axis=1)], share < 0.5


def _in_view(scene: Scene, view: View, axes: NDArray[np.float64], points: NDArray[np.float64], triangles: NDArray[np.int32], body: Body,
             frame: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Points and triangles of a body in the frame of the view, mm."""
    if body != view.body:
        points = placed(points, inverse_pose(body_pose(scene, view.body, frame)) @ body_pose(scene, body, frame))
    if view.lift_mm and body != "tibia":
        points = points + view.lift_mm * _along_tibia(scene, view, frame)
    points, triangles = shown(points, triangles, scene.side)
    return points @ axes.T, triangles


def _along_tibia(scene: Scene, view: View, frame: int) -> NDArray[np.float64]:
    """(3,) no unit; the long axis of the tibia, upwards, in the frame of the view's body."""
    return (inverse_pose(body_pose(scene, view.body, frame)) @ body_pose(scene, "tibia", frame))[:3, 1]


def shade(points: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.float64]:
    """(n,) no unit, 0.45 to 1: diffuse light on the points of a patch in the frame of a view."""
    towards_light = np.clip(point_normals(points, triangles) @ (_LIGHT / np.linalg.norm(_LIGHT)), -0.2, 1.0)
    return 0.62 + 0.40 * np.clip(towards_light, 0.0, 1.0) + 0.25 * np.minimum(towards_light, 0.0)
