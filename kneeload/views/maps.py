"""Plateau and kneecap unrolled into the plane: the numbers of maps.png, without any drawing library."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.surface import ArticularSurface, Body
from kneeload.views.panels import edge_words, view_axes
from kneeload.views.scene import Scene, casting_surfaces, compartments, joint_force, peak_frame, shown
from kneeload.views.shading import surface_points
from kneeload.views.unroll import Unrolled, unroll

_VIEWS: dict[str, tuple[Body, tuple[float, float, float], tuple[float, float, float]]] = {  # body, direction to the viewer and up (right knee)
    "plateau": ("tibia", (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)),
    "patella": ("patella", (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
}
TITLES = {"plateau": "Tibial plateau with menisci, from above", "patella": "Kneecap (patella), from behind"}
_SHEETS = {"plateau": ("tibia_medial", "tibia_lateral", "medial_meniscus", "lateral_meniscus"), "patella": ("patella",)}
_PARTS = {"plateau": ("medial", "lateral"), "patella": ("patellofemoral",)}
_PLATE = {"medial": "tibia_medial", "lateral": "tibia_lateral", "patellofemoral": "patella"}
_PATH_FROM = 0.1  # share of the largest force of a compartment from which the path of its centre of pressure is drawn
_NEIGHBOURS = 8  # points of the plate that carry what lies on it into the plane


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheet:
    """One surface in the plane of its map.

    Attributes:
        name: of the surface, such as "tibia_medial".
        points: (n, 2) mm, plane of the map: x to the right, y up.
        triangles: (m, 3) no unit; corner numbers.
        pressure: (m,) MPa.
        region: (m,) no unit; index into MOAKS_REGIONS, -1 outside.
    """

    name: str
    points: NDArray[np.float64]
    triangles: NDArray[np.int32]
    pressure: NDArray[np.float64]
    region: NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KneeMap:
    """One map: plateau with menisci, or kneecap.

    Attributes:
        key: "plateau" or "patella".
        frame: frame of the cycle; None when each place shows its highest pressure over the cycle.
        sheets: what is drawn, from the lowest to the uppermost.
        edges: anatomical word at the left, right, top and bottom edge.
        centre_of_pressure: compartment -> (2,) mm, plane of the map; nan where nothing touches or no frame is chosen.
        path: compartment -> (k, 2) mm, plane of the map; the centre of pressure over the cycle while at least a tenth of the peak force acts.
        length_error, area_error: no unit; how far lengths (mean over edges) and areas of the sheets in the plane differ from the surface, the largest of them.
    """

    key: str
    frame: int | None
    sheets: tuple[Sheet, ...]
    edges: dict[str, str]
    centre_of_pressure: dict[str, NDArray[np.float64]]
    path: dict[str, NDArray[np.float64]]
    length_error: float
    area_error: float

    @property
    def highest_mpa(self) -> float:
        """Largest pressure of a triangle, MPa."""
        return max((float(sheet.pressure.max(initial=0.0)) for sheet in self.sheets), default=0.0)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of what is drawn, mm, plane of the map."""
        points = np.concatenate([sheet.points[np.unique(sheet.triangles)] for sheet in self.sheets])
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
        return float(x0), float(x1), float(y0), float(y1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plates:
    """The cartilage plates of a knee, unrolled once for all frames.

    Attributes:
        flat: name of the plate -> in the plane.
        seen: name of the plate -> (n, 3) mm, its points in the frame of the view, from which it was unrolled.
    """

    flat: dict[str, Unrolled]
    seen: dict[str, NDArray[np.float64]]


def unroll_plates(scene: Scene) -> Plates:
    """Unroll both tibial plates and the kneecap; a left knee gives the mirror image."""
    flat, seen = {}, {}
    for key, names in _SHEETS.items():
        for name in names:
            surface = casting_surfaces(scene.anatomy).get(name)
            if surface is not None and "meniscus" not in name:
                seen[name], triangles = _in_view(scene, key, surface.mesh.points, surface.mesh.triangles)
                flat[name] = unroll(seen[name], triangles)
    return Plates(flat=flat, seen=seen)


def knee_maps(scene: Scene, frame: int | str | None = "peak", plates: Plates | None = None) -> tuple[KneeMap, KneeMap]:
    """Maps of plateau and kneecap.

    Args:
        scene: the knee.
        frame: "peak" for the frame of the highest force of each joint, "cycle" (or None) for the highest pressure of each place over the cycle, or a frame.
        plates: from `unroll_plates`, to save time over many frames.
    """
    plates = plates or unroll_plates(scene)
    chosen = {"plateau": peak_frame(scene, "tibiofemoral"), "patella": peak_frame(scene, "patellofemoral")} if frame == "peak" else dict.fromkeys(_SHEETS, frame)
    plateau, patella = (_map(scene, key, None if isinstance(at, str) or at is None else int(at), plates) for key, at in chosen.items())
    return plateau, patella


def _map(scene: Scene, key: str, frame: int | None, plates: Plates) -> KneeMap:
    pose = peak_frame(scene, "tibiofemoral") if frame is None else frame  # menisci move by a fraction of a millimetre
    surfaces = casting_surfaces(scene.anatomy)
    sheets = tuple(_sheet(scene, key, surfaces[name], frame, pose, plates) for name in _SHEETS[key] if name in surfaces)
    centres, paths = {}, {}
    for name in _PARTS[key]:
        part, plate = compartments(scene)[name], _PLATE[name]
        places = _carried(_in_view(scene, key, part.centre_of_pressure, np.zeros((0, 3), np.int32))[0], plates, plate)
        carries = part.force > _PATH_FROM * np.nan_to_num(part.force).max(initial=0.0)
        paths[name] = np.where(carries[:, None], places, np.nan)
        centres[name] = np.full(2, np.nan) if frame is None else places[frame]
    names = [name for name in _SHEETS[key] if name in plates.flat]
    return KneeMap(key=key, frame=frame, sheets=sheets, edges=edge_words(view_axes(*_VIEWS[key][1:], scene.side), scene.side), centre_of_pressure=centres, path=paths,
                   length_error=max(plates.flat[name].length_error for name in names), area_error=max(plates.flat[name].area_error for name in names))


def _sheet(scene: Scene, key: str, surface: ArticularSurface, frame: int | None, pose: int, plates: Plates) -> Sheet:
    name = surface.name if surface.name in plates.flat else next(item for item, held in casting_surfaces(scene.anatomy).items() if held is surface)
    if name in plates.flat:
        points, triangles = plates.flat[name].points, plates.flat[name].triangles
    else:
        seen, triangles = _in_view(scene, key, surface_points(scene, name, pose), surface.mesh.triangles)
        points = _carried(seen, plates, "tibia_medial" if name.startswith("medial") else "tibia_lateral")
    found = [field.pressure for field in scene.contact.fields if field.name == name]
    pressure = np.zeros(len(triangles)) if not found else (found[0].max(axis=0) if frame is None else found[0][frame]).astype(np.float64)
    return Sheet(name=name, points=points, triangles=triangles, pressure=np.nan_to_num(pressure), region=surface.region)


def _in_view(scene: Scene, key: str, points: NDArray[np.float64], triangles: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Points (n, 3) mm of the body in the frame of the map's view, with the triangles of the side that is shown."""
    placed, corners = shown(points, triangles, scene.side)
    return placed @ view_axes(*_VIEWS[key][1:], scene.side).T, np.ascontiguousarray(corners)


def _carried(seen: NDArray[np.float64], plates: Plates, name: str) -> NDArray[np.float64]:
    """(n, 2) mm, plane of the map, of points (n, 3) mm in the frame of the view: each moves as the plate below it does when it is unrolled."""
    from scipy.spatial import cKDTree

    plate, flat = plates.seen[name], plates.flat[name].points
    finite: NDArray[np.bool_] = np.asarray(np.isfinite(seen).all(axis=1))
    away, near = cKDTree(plate[:, :2]).query(np.where(finite[:, None], seen, 0.0)[:, :2], k=min(_NEIGHBOURS, len(plate)))
    weight = 1.0 / (away + 0.1) ** 2
    shift = np.einsum("nk,nkd->nd", weight, (flat - plate[:, :2])[near]) / weight.sum(axis=1, keepdims=True)
    return np.where(finite[:, None], seen[:, :2] + shift, np.nan)


def map_words(scene: Scene, item: KneeMap) -> list[str]:
    """One line of numbers per compartment of a map: force, area and peak pressure at its frame, or the highest peak over the cycle."""
    lines = []
    for name in _PARTS[item.key]:
        part, word = compartments(scene)[name], name.capitalize()
        if item.frame is None:
            lines.append(f"{word}: peak {np.nan_to_num(part.peak_pressure).max():.1f} MPa over the cycle")
        elif not part.peak_pressure[item.frame] > 0.0:
            lines.append(f"{word}: no contact")
        else:
            lines.append(f"{word}: {part.force[item.frame]:.0f} N on {part.contact_area[item.frame]:.0f} mm², peak {part.peak_pressure[item.frame]:.1f} MPa")
    return lines


def without_path(item: KneeMap) -> KneeMap:
    """The map without the path of the centre of pressure."""
    return replace(item, path={})


def loaded_joint(scene: Scene, key: str) -> NDArray[np.float64]:
    """Force over the cycle, (T,) N, of the joint that a map belongs to."""
    return joint_force(scene, "tibiofemoral" if key == "plateau" else "patellofemoral")
