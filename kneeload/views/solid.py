"""The knee as a solid that can be turned in a browser: surfaces with one set of colours per map, in one frame. No drawing library is needed here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.surface import ArticularSurface, Body, TriangleMesh
from kneeload.views.palette import BONE_RGB, MENISCUS_RGB, pressure_rgb, scale_limit
from kneeload.views.scene import Scene, body_pose, casting_surfaces, compartments, inverse_pose, peak_frame, placed, shown
from kneeload.views.shading import point_mean, point_normals, point_pressure, surface_points

_FULL_CARTILAGE_MM = 0.8  # layer thickness from which a point of the femur has the full colour of cartilage
_PLAIN_BELOW = 0.04  # share of a scale below which a point shows light and shadow
_LIGHTS = {"femur": (0.5, -0.7, 0.5), "tibia": (0.45, 0.8, 0.4), "patella": (-0.8, 0.4, 0.45)}  # towards the light, frame of the body
_FALL_RGB, _NONE_RGB, _RISE_RGB = (0.04, 0.30, 0.58), (0.905, 0.915, 0.905), (0.70, 0.30, 0.02)  # told apart by colour-blind readers
_SMALLEST_CHANGE_MPA = 0.5  # half width of the scale of a change, at least: smaller changes shall look small
BONE_TRIANGLES = 25_000  # a bone of a person's own may be finer than the eye needs
_BESIDE_MM = 14.0  # gap between the plateau and the words beside it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColourMap:
    """One quantity that can be shown, with its scale.

    Attributes:
        key: short name.
        title: what it is, with its unit, for the colour bar.
        says: one sentence for the reader.
        low, high: ends of the scale, in the unit of the title.
        stops: (k, 3) no unit, 0 to 1; colours at equal steps from the low to the high end.
    """

    key: str
    title: str
    says: str
    low: float
    high: float
    stops: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SolidPart:
    """One surface of the solid.

    Attributes:
        name: surface or bone.
        group: femur, tibia, patella or menisci: what is moved and hidden together.
        points: (n, 3) mm, frame of the tibia as shown (mirrored for a left knee: z changes sign).
        triangles: (m, 3) no unit; corner numbers, counter-clockwise seen from outside.
        rgb: (n, 3) no unit, 0 to 255, by the key of a ColourMap.
    """

    name: str
    group: str
    points: NDArray[np.float32]
    triangles: NDArray[np.int32]
    rgb: Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solid:
    """A knee to be turned: parts, maps and where the words stand.

    Attributes:
        parts: surfaces.
        maps: what the colours can mean; the first is shown first.
        words: (x, y, z) mm, from the middle of what is looked at, same axes as the points, by the word that stands there.
        centres: (x, y, z) mm, frame of the points, middle of the cartilage of the groups femur, tibia and patella.
    """

    parts: tuple[SolidPart, ...]
    maps: tuple[ColourMap, ...]
    words: Mapping[str, tuple[float, float, float]]
    centres: Mapping[str, tuple[float, float, float]]


def build_solid(scene: Scene, *, before: Scene | None = None, after_words: str = "the interventions") -> Solid:
    """Return the knee in the pose of its peak tibiofemoral force, coloured by the highest pressure of the cycle, and by dose and risk where they are known.

    Args:
        scene: the knee that is shown.
        before: the same knee without its interventions: adds its pressures and the difference, where its surfaces have the same triangles.
        after_words: what was changed, for the titles.
    """
    after = _highest(scene)
    values = {"pressure": after}
    maps = [_pressure_map("pressure", "Highest contact pressure of the cycle (MPa)", "Each point shows the highest pressure that it carries at any time of the cycle.",
                          _limit(scene, before))]
    if before is not None:
        earlier = _highest(before)
        if all(name in earlier and earlier[name].shape == value.shape for name, value in after.items()):
            values["before"] = earlier
            values["change"] = {name: value - earlier[name] for name, value in after.items()}
            maps += [_pressure_map("before", f"Highest contact pressure without {after_words} (MPa)", "The same person, before.", maps[0].high), _change_map(values["change"], after_words)]
    regions = {key: array for key, array in (("dose", scene.daily_dose), ("risk", None if scene.risk_24mo is None else 100.0 * scene.risk_24mo)) if array is not None}
    maps += [_region_map(key, array) for key, array in regions.items()]
    parts = _Parts(scene=scene, maps=tuple(maps), values=values, regions=regions)
    return Solid(parts=tuple(parts.all()), maps=tuple(maps), words=_words(scene), centres=_centres(scene))


def _highest(scene: Scene) -> dict[str, NDArray[np.float64]]:
    """Highest pressure over the cycle at the points of each surface, (n,) MPa by name."""
    surfaces = casting_surfaces(scene.anatomy)
    found = {field.name: point_pressure(surfaces[field.name].mesh, np.nan_to_num(field.pressure).max(axis=0)) for field in scene.contact.fields if field.name in surfaces}
    return found | {"femur": femur_envelope(scene)}


def femur_envelope(scene: Scene) -> NDArray[np.float64]:
    """Highest pressure over the cycle at the points of the femur, (n,) MPa, from the triangles that touched it.

    The femur is the target of the contact: each of its triangles gets the highest pressure of the casting triangles that ever touched it; single
    triangles between them are filled, and the points get the mean over their neighbours. Triangles of the plateau under a meniscus do not touch the femur.
    """
    mesh, covered = scene.anatomy.femur.mesh, {"tibia_medial": scene.anatomy.covered_medial, "tibia_lateral": scene.anatomy.covered_lateral}
    highest = np.zeros(len(mesh.triangles))
    for field in scene.contact.fields:
        pressure, touched = np.nan_to_num(field.pressure), field.femur_triangle
        free = (touched >= 0) & (pressure > 0.0)
        if field.name in covered:
            free &= ~covered[field.name]
        np.maximum.at(highest, touched[free], pressure[free])
    closed = _around(mesh, _around(mesh, highest, np.maximum)[mesh.triangles].max(axis=1), np.minimum)  # triangles that nothing happened to meet take their neighbours' value
    return point_mean(mesh, closed[mesh.triangles].mean(axis=1))


def _around(mesh: TriangleMesh, values: NDArray[np.float64], choose: np.ufunc) -> NDArray[np.float64]:
    """The largest or smallest value (m,) of the triangles around each point, (n,), same unit."""
    found = np.full(len(mesh.points), -np.inf if choose is np.maximum else np.inf)
    for corner in range(3):
        choose.at(found, mesh.triangles[:, corner], values)
    return np.where(np.isfinite(found), found, 0.0)


def _limit(*scenes: Scene | None) -> float:
    """Upper end of the pressure scale, MPa, that holds the peaks (99th percentiles) of all compartments over the cycle."""
    return scale_limit(max(float(np.nanmax(part.peak_pressure, initial=0.0)) for scene in scenes if scene is not None for part in compartments(scene).values()))


def _pressure_map(key: str, title: str, says: str, limit: float) -> ColourMap:
    return ColourMap(key=key, title=title, says=says, low=0.0, high=limit, stops=pressure_rgb(np.linspace(0.0, limit, 21), limit))


def _change_map(change: Mapping[str, NDArray[np.float64]], after_words: str) -> ColourMap:
    spread = max(float(np.quantile(np.abs(value[value != 0.0]), 0.99)) if (value != 0.0).any() else 0.0 for value in change.values())
    limit = max(_round_up(spread), _SMALLEST_CHANGE_MPA)
    return ColourMap(key="change", title=f"Change of that pressure with {after_words} (MPa)", says="Blue: less than before. Brown: more than before.", low=-limit, high=limit,
                     stops=change_rgb(np.linspace(-limit, limit, 21), limit))


def _region_map(key: str, values: NDArray[np.float64]) -> ColourMap:
    limit = _round_up(float(np.nanmax(values, initial=0.0)))
    title, says = {"dose": ("Daily dose of each region (MPa s)", "One colour per region of the bone: its stress, summed over the seconds of a usual day."),
                   "risk": ("Modelled chance of a new lesion in 24 months, by region (%)", "Plausibility from groups of people; the intervals stand in the table of regions.")}[key]
    return ColourMap(key=key, title=title, says=says, low=0.0, high=limit, stops=pressure_rgb(np.linspace(0.0, limit, 21), limit))


def change_rgb(change: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """Colours (n, 3), 0 to 1, of changes (n,) on a scale from -limit to limit: blue falls, brown rises, pale none."""
    share = np.clip(np.nan_to_num(change) / limit, -1.0, 1.0)[:, None]
    end = np.where(share < 0.0, np.asarray(_FALL_RGB), np.asarray(_RISE_RGB))
    return (1.0 - np.abs(share)) * np.asarray(_NONE_RGB) + np.abs(share) * end


def _round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 3, 5, 7.5 times a power of ten (1 for nothing)."""
    if not np.isfinite(value) or value <= 0.0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next((step for step in (1.0, 1.5, 2.0, 3.0, 5.0, 7.5) if step * power >= value * (1.0 - 1e-9)), 10.0) * power)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Parts:
    """Makes the parts of one scene."""

    scene: Scene
    maps: Sequence[ColourMap]
    values: Mapping[str, Mapping[str, NDArray[np.float64]]]
    regions: Mapping[str, NDArray[np.float64]]

    def all(self) -> list[SolidPart]:
        surfaces = casting_surfaces(self.scene.anatomy)
        frame = peak_frame(self.scene, "tibiofemoral")
        found = [self._map(name, surface, surface_points(self.scene, name, frame)) for name, surface in surfaces.items()]
        found += [self._wall(name, surfaces[name], frame) for name in surfaces if "meniscus" in name]
        found.append(self._map("femur", self.scene.anatomy.femur, self.scene.anatomy.femur.mesh.points))
        bones: tuple[Body, ...] = ("tibia", "patella")  # the femur is one surface with its cartilage
        return found + [self._bone(name, self.scene.anatomy.bones[name]) for name in bones if name in self.scene.anatomy.bones]

    def _map(self, name: str, surface: ArticularSurface, own: NDArray[np.float64]) -> SolidPart:
        mesh, light = TriangleMesh(points=own, triangles=surface.mesh.triangles), _light(own, surface.mesh.triangles, surface.body)
        base = np.broadcast_to(np.asarray(MENISCUS_RGB if "meniscus" in name else pressure_rgb(np.zeros(1), 1.0)[0]), own.shape)
        if name == "femur":  # one surface for cartilage and bare bone
            share = np.clip(point_mean(surface.mesh, surface.thickness_mm) / _FULL_CARTILAGE_MM, 0.0, 1.0)[:, None]
            base = share * base + (1.0 - share) * np.asarray(BONE_RGB)
        plain = base * light[:, None]
        rgb = {}
        for item in self.maps:
            value = self._value(item, name, surface, len(own))
            share = np.clip(np.abs(value) / (_PLAIN_BELOW * item.high), 0.0, 1.0)[:, None]
            colour = change_rgb(value, item.high) if item.low < 0.0 else pressure_rgb(value, item.high)
            rgb[item.key] = _bytes(share * colour + (1.0 - share) * plain)
        return self._part(name, "menisci" if "meniscus" in name else surface.body, surface.body, mesh, rgb)

    def _value(self, item: ColourMap, name: str, surface: ArticularSurface, count: int) -> NDArray[np.float64]:
        """Values at the points of a surface, (n,), in the unit of the map."""
        if item.key in self.values:
            return self.values[item.key].get(name, np.zeros(count))
        own = surface.region >= 0
        per_triangle = np.where(own, np.nan_to_num(self.regions[item.key])[np.where(own, surface.region, 0)], 0.0)
        return point_mean(surface.mesh, per_triangle)

    def _wall(self, name: str, surface: ArticularSurface, frame: int) -> SolidPart:
        """The rim of a meniscus from its upper face down to the plateau, both sides of it."""
        upper = surface_points(self.scene, name, frame)
        lower = upper - point_mean(surface.mesh, surface.thickness_mm)[:, None] * np.array([0.0, 1.0, 0.0])
        edge, times = np.unique(np.sort(surface.mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0, return_counts=True)
        a, b = edge[times == 1].T
        walls = np.concatenate([np.stack([a, b, b + len(upper)], axis=1), np.stack([a, b + len(upper), a + len(upper)], axis=1)])
        used, number = np.unique(walls, return_inverse=True)
        mesh = TriangleMesh(points=np.concatenate([upper, lower])[used], triangles=number.reshape(walls.shape).astype(np.int32))
        rgb = _bytes(np.broadcast_to(0.86 * np.asarray(MENISCUS_RGB), mesh.points.shape))
        return self._part(f"{name}_rim", "menisci", surface.body, mesh, {item.key: rgb for item in self.maps})

    def _bone(self, name: Body, mesh: TriangleMesh) -> SolidPart:
        mesh = coarser(mesh, BONE_TRIANGLES)
        rgb = _bytes(np.asarray(BONE_RGB) * _light(mesh.points, mesh.triangles, name)[:, None])
        return self._part(f"{name}_bone", name, name, mesh, {item.key: rgb for item in self.maps})

    def _part(self, name: str, group: str, body: Body, mesh: TriangleMesh, rgb: Mapping[str, NDArray[np.uint8]]) -> SolidPart:
        frame = peak_frame(self.scene, "tibiofemoral")
        pose = inverse_pose(body_pose(self.scene, "tibia", frame)) @ body_pose(self.scene, body, frame)
        points, triangles = shown(placed(mesh.points, pose), mesh.triangles, self.scene.side)
        return SolidPart(name=name, group=group, points=np.round(points * 64.0).astype(np.float32) / np.float32(64.0), triangles=triangles.astype(np.int32), rgb=rgb)


def coarser(mesh: TriangleMesh, most: int) -> TriangleMesh:
    """The mesh itself, or, where it has more triangles than `most`, one with fewer (quadric decimation of VTK, which needs no OpenGL)."""
    if len(mesh.triangles) <= most:
        return mesh
    import pyvista as pv

    found = pv.PolyData.from_regular_faces(mesh.points, mesh.triangles).decimate(1.0 - most / len(mesh.triangles))  # type: ignore[arg-type]
    return TriangleMesh(points=np.asarray(found.points, dtype=np.float64), triangles=np.asarray(found.regular_faces, dtype=np.int32))


def _light(points: NDArray[np.float64], triangles: NDArray[np.int32], body: Body) -> NDArray[np.float64]:
    """(n,) no unit, 0.5 to 1: fixed light and shadow on the points of a body."""
    light = np.asarray(_LIGHTS[body])
    facing = point_normals(points, triangles) @ (light / np.linalg.norm(light))
    return 0.76 + 0.26 * np.clip(facing, -1.0, 0.92)


def _bytes(rgb: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.clip(np.rint(255.0 * rgb), 0, 255).astype(np.uint8)


def _words(scene: Scene) -> dict[str, tuple[float, float, float]]:
    """Places of the words around the plateau, mm from its middle, axes of the tibia as shown."""
    points = np.concatenate([scene.anatomy.tibia_medial.mesh.points, scene.anatomy.tibia_lateral.mesh.points])
    deep, _, wide = (0.5 * np.ptp(points, axis=0)).tolist()
    outwards = 1.0 if scene.side == "right" else -1.0
    return {"Medial (inner side)": (0.0, 0.0, -outwards * (wide + _BESIDE_MM)), "Lateral (outer side)": (0.0, 0.0, outwards * (wide + _BESIDE_MM)),
            "Front": (deep + _BESIDE_MM, 0.0, 0.0), "Back": (-deep - _BESIDE_MM, 0.0, 0.0)}


def _centres(scene: Scene) -> dict[str, tuple[float, float, float]]:
    frame, anatomy = peak_frame(scene, "tibiofemoral"), scene.anatomy
    cartilage = anatomy.femur.mesh.triangles[anatomy.femur.thickness_mm > 0.0]
    bodies: dict[Body, NDArray[np.float64]] = {
        "femur": anatomy.femur.mesh.points[np.unique(cartilage) if len(cartilage) else slice(None)],
        "tibia": np.concatenate([anatomy.tibia_medial.mesh.points, anatomy.tibia_lateral.mesh.points]), "patella": anatomy.patella.mesh.points}
    found: dict[str, tuple[float, float, float]] = {}
    for body, points in bodies.items():
        moved = placed(points, inverse_pose(body_pose(scene, "tibia", frame)) @ body_pose(scene, body, frame))
        x, y, z = (0.5 * (moved.min(axis=0) + moved.max(axis=0))).tolist()
        found[body] = (x, y, z if scene.side == "right" else -z)
    return found
