"""What the 3D view of the page is painted with: parts of a knee, a value at each of their points, a colour for each value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.anatomy import KneeAnatomy
from kneeload.subject.surface import ArticularSurface, Body, TriangleMesh
from kneeload.views.palette import BONE_RGB, MENISCUS_RGB, difference_rgb, pressure_rgb
from kneeload.views.scene import Scene, casting_surfaces
from kneeload.views.shading import femur_pressure, point_mean, point_normals, point_pressure, surface_points

Quantity = Literal["pressure", "peak", "dose", "risk"]
QUANTITIES: dict[Quantity, str] = {"pressure": "Pressure now", "peak": "Highest pressure", "dose": "Daily load on bone", "risk": "Risk of a lesion"}
TITLES: dict[Quantity, str] = {"pressure": "Contact pressure at this moment", "peak": "Highest contact pressure of the cycle", "dose": "Load on the bone over the day, by region",
                               "risk": "New lesion in 24 months, by region"}
UNITS: dict[Quantity, str] = {"pressure": "MPa", "peak": "MPa", "dose": "MPa s per day", "risk": "%"}
STEPS: dict[Quantity, tuple[float, ...]] = {"dose": (1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6), "risk": (5.0, 10.0, 20.0, 40.0, 100.0)}
_PRESSURE_STEPS = (2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 60.0, 100.0)
_BONE_TRIANGLES = {"tibia": 5000, "patella": 1800}  # bare bone shows no values, so it is drawn with fewer triangles
_LIGHT = np.array([0.75, 0.28, 0.30])  # in the frame of each body: from above and in front; for the back of the kneecap from above and behind
_FULL_CARTILAGE_MM = 0.8  # as in `kneeload.views.panels`
_SHADED_BELOW = 0.04
_CYCLE_STEP = 4  # frames of the cycle that are looked at for its highest pressure: every fourth


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """A surface of the view.

    Attributes:
        name: "femur", "tibia", "patella" (bones) or the name of a casting surface ("patella_cartilage" for that of the kneecap).
        body: whose frame the points are in.
        mesh: points mm and triangles.
        ground: (n, 3) no unit; colour without load, with light and shadow.
        region: (n,) no unit; MOAKS region at each point, -1 outside all.
        field: name of the contact field, or "femur", or None for bare bone.
    """

    name: str
    body: Body
    mesh: TriangleMesh
    ground: NDArray[np.float64]
    region: NDArray[np.int64]
    field: str | None


@lru_cache(maxsize=16)
def parts_of(anatomy: KneeAnatomy) -> tuple[Part, ...]:
    """Return the parts of a knee (kept for the last knees: most changes leave the surfaces alone)."""
    cartilage = pressure_rgb(np.zeros(1), 1.0)[0]
    femur = anatomy.femur
    layer = np.clip(point_mean(femur.mesh, femur.thickness_mm) / _FULL_CARTILAGE_MM, 0.0, 1.0)[:, None]
    found = [_part("femur", femur, layer * cartilage + (1.0 - layer) * np.asarray(BONE_RGB), "femur")]
    for name, surface in casting_surfaces(anatomy).items():
        base = np.asarray(MENISCUS_RGB) if "meniscus" in name else cartilage
        found.append(_part("patella_cartilage" if name == "patella" else name, surface, np.tile(base, (len(surface.mesh.points), 1)), name))
    for body in ("tibia", "patella"):
        if body in anatomy.bones:
            mesh = coarser(anatomy.bones[body], _BONE_TRIANGLES[body])
            none = np.full(len(mesh.points), -1)
            found.append(Part(name=body, body=body, mesh=mesh, ground=np.asarray(BONE_RGB) * _shade(mesh)[:, None], region=none, field=None))
    return tuple(found)


def _part(name: str, surface: ArticularSurface, base: NDArray[np.float64], field: str) -> Part:
    region = np.full(len(surface.mesh.points), -1)
    region[surface.mesh.triangles] = surface.region[:, None]
    return Part(name=name, body=surface.body, mesh=surface.mesh, ground=base * _shade(surface.mesh, behind=field == "patella")[:, None], region=region, field=field)


def coarser(mesh: TriangleMesh, count: int) -> TriangleMesh:
    """A mesh of about `count` triangles with the shape of another (quadric decimation: Garland and Heckbert 1997)."""
    if len(mesh.triangles) <= count:
        return mesh
    import pyvista

    full = pyvista.PolyData.from_regular_faces(mesh.points, mesh.triangles.astype(np.int64))  # type: ignore[arg-type]
    found = full.decimate(1.0 - count / len(mesh.triangles))
    return TriangleMesh(points=np.asarray(found.points, dtype=np.float64), triangles=np.asarray(found.regular_faces, dtype=np.int32))


def _shade(mesh: TriangleMesh, *, behind: bool = False) -> NDArray[np.float64]:
    """(n,) no unit, 0.6 to 1; soft light that turns with the body, so that a colour never changes when the knee is turned."""
    towards = _LIGHT * np.array([-1.0 if behind else 1.0, 1.0, 1.0])
    light = point_normals(mesh.points, mesh.triangles) @ (towards / np.linalg.norm(towards))
    return 0.85 + 0.15 * light


def moved_points(scene: Scene, part: Part, frame: int) -> NDArray[np.float64]:
    """(n, 3) mm, frame of the body; points of a part at a frame (menisci give way)."""
    return surface_points(scene, part.field, frame) if part.field is not None and "meniscus" in part.field else part.mesh.points


def values(scene: Scene, part: Part, quantity: Quantity, frame: int) -> NDArray[np.float64] | None:
    """(n,) in the unit of the quantity; what a part shows at its points, None for bare bone and where the number is not known."""
    if part.field is None:
        return None
    if quantity == "pressure":
        return _pressure(scene, part, frame)
    if quantity == "peak":
        return np.max([_pressure(scene, part, item) for item in range(0, len(scene.contact.femur_from_tibia), _CYCLE_STEP)], axis=0)
    by_region = scene.daily_dose if quantity == "dose" else None if scene.risk_24mo is None else 100.0 * scene.risk_24mo
    if by_region is None or "meniscus" in part.field:
        return None
    return np.append(by_region, 0.0)[part.region]


def _pressure(scene: Scene, part: Part, frame: int) -> NDArray[np.float64]:
    if part.field == "femur":
        return femur_pressure(scene, frame, part.mesh.points)
    for field in scene.contact.fields:
        if field.name == part.field:
            return point_pressure(part.mesh, field.pressure[frame])
    return np.zeros(len(part.mesh.points))


def scale_end(quantity: Quantity, highest: float) -> float:
    """Upper end of the colour scale: the smallest of a few fixed steps that holds the highest value, so that most pictures share it."""
    return next((step for step in STEPS.get(quantity, _PRESSURE_STEPS) if highest <= step), float(highest))


def highest(scene: Scene, quantity: Quantity) -> float:
    """Highest value that a knee shows over the whole cycle."""
    if quantity in ("pressure", "peak"):
        return max(float(np.nanmax(part.peak_pressure)) for part in (scene.contact.medial, scene.contact.lateral, scene.contact.patellofemoral))
    found = scene.daily_dose if quantity == "dose" else None if scene.risk_24mo is None else 100.0 * scene.risk_24mo
    return 0.0 if found is None else float(found.max())


def painted(part: Part, value: NDArray[np.float64] | None, limit: float) -> NDArray[np.uint8]:
    """(n, 3) 0 to 255; colours of a part: exactly those of the scale where there is load, light and shadow where there is none."""
    if value is None:
        return _bytes(part.ground)
    loaded = np.clip(value / (_SHADED_BELOW * limit), 0.0, 1.0)[:, None]
    return _bytes(loaded * pressure_rgb(value, limit) + (1.0 - loaded) * part.ground)


def difference_painted(part: Part, change: NDArray[np.float64] | None, limit: float) -> NDArray[np.uint8]:
    """(n, 3) 0 to 255; blue where a value falls, orange where it rises, on a scale from -limit to limit."""
    if change is None:
        return _bytes(part.ground)
    strong = np.clip(np.abs(change) / (_SHADED_BELOW * limit), 0.0, 1.0)[:, None]
    return _bytes(strong * difference_rgb(change, limit) + (1.0 - strong) * part.ground)


def gradient(colours: NDArray[np.float64]) -> str:
    """CSS colours of a scale, from left to right."""
    return ", ".join(f"rgb({r},{g},{b})" for r, g, b in _bytes(colours))


def _bytes(rgb: NDArray[np.float64]) -> NDArray[np.uint8]:
    return np.round(255.0 * np.clip(rgb, 0.0, 1.0)).astype(np.uint8)
