"""Menisci of the reference knee: wedge rings between the plateaus and the femur, and their states."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import CubicSpline

from kneeload.subject.anatomy import Meniscus
from kneeload.subject.distance import evaluate
from kneeload.subject.level_set import LevelSet
from kneeload.subject.person import MeniscusState, Sex
from kneeload.subject.plateau import TRIANGLES_PER_MM2, PlateauShape, Tilt
from kneeload.subject.size import axis_factors
from kneeload.subject.source_knee import source_arrays
from kneeload.subject.surface import ArticularSurface, LayerMaterial, TriangleMesh
from kneeload.units import DEG

PATHOLOGICAL_EXTRUSION_MM = 3.0
"""Extrusion of a meniscus called extruded or torn at its root when no figure is given: the usual radiological cut-off for pathological
extrusion is 3 mm (Costa 2004, doi 10.2214/ajr.183.1.1830017). Extrusion counts from the reference shape, which has the outer edge of
the source knee; healthy knees differ from it by 1 to 3 mm (Bloecker 2011, PMC3215228)."""
THINNEST_MM = 0.3  # inner edge of the wedge (assumption, 0.2 to 0.5 mm)
INWARD_MM = {"medial": 1.35, "lateral": 5.2}
"""How far the inner edge lies inside that of the source knee, mm. Its menisci are narrow: they cover 43 and 34 % of their plateaus,
where 102 healthy knees of either sex have 50 and 58 % (Bloecker 2011, PMC3215228). These figures give those shares (tested). Widths become
8, 9 and 10 mm (up to 13) medially in front, middle and back, 10 to 12 laterally; dissected medial menisci have 8.0, 8.1 and 13.5
(Shashidhar and Ashwini 2025, 50 knees)."""
LOADED_TURN_DEG = 7.0
LOADED_SHIFT_MM = (1.4, -0.6)
"""Where the loaded knee rests at full extension, against the imaged pose: tibia turned outwards, and moved forwards (x) and medially (z).
The 1000 N rig gives 7.6 degrees and 1.3 mm, 0.7 mm; the released walking result of the same knee (Smith 2019) has 1 to 7
degrees and 3.5 to 5.6 mm forwards within 6 degrees of extension. Assumption, close to the rig; a test holds it there."""
ROUNDING_MM = 0.3
"""Corner between the face that fits the femur and the free outer face: rounded over no more than the depth to which a load presses the layers
(0.3 mm), or the rounding would take the contact away."""
_ARRIVED_MM = 1e-7  # a shorter step of the search has arrived
_REACH_MM = 14.0  # search for the femur above the plateau up to here


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeniscusShape:
    """A wedge ring before tilt, over a grid of angle (first axis) and share of the width (second axis, 0 inner edge, 1 outer).

    Attributes:
        side: "medial" or "lateral".
        xz: (na, ns, 2) mm, tibia frame; points of the superior face seen from above.
        height_mm: (na, ns) mm; wedge height above the cartilage.
        outward: (na, ns, 2) no unit; unit vector away from the centre of the ring in (x, z).
        triangles: (m, 3) no unit; on the flattened grid, normals up.
    """

    side: str
    xz: NDArray[np.float64]
    height_mm: NDArray[np.float64]
    outward: NDArray[np.float64]
    triangles: NDArray[np.int32]


@lru_cache(maxsize=8)
def _edges(side: str, sex: Sex, triangles_per_mm2: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Grid (na, ns, 2) mm, ring centre (2,) mm, greatest height per angle (na,) mm and share (ns,) of the mean meniscus of a sex."""
    arrays, (fx, fy, fz) = source_arrays(), axis_factors(sex)
    node = arrays[f"meniscus_{side}_angle"]
    inner = CubicSpline(node, arrays[f"meniscus_{side}_inner"] - INWARD_MM[side])
    outer, top = (CubicSpline(node, arrays[f"meniscus_{side}_{part}"]) for part in ("outer", "height"))
    edge = np.sqrt(2.0 / triangles_per_mm2)
    middle = 0.5 * float(np.mean(inner(node) + outer(node)))
    angle = np.linspace(node[0], node[-1], max(16, round((node[-1] - node[0]) * middle / edge) + 1))
    share = np.linspace(0.0, 1.0, max(5, round(float(np.mean(outer(node) - inner(node))) / edge) + 1))
    middle_line, half = 0.5 * (inner(angle) + outer(angle)), 0.5 * (outer(angle) - inner(angle)) * _horn_width(angle)
    radius = middle_line[:, None] + half[:, None] * (2.0 * share - 1.0)
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    centre = arrays[f"meniscus_{side}_centre"]
    plane = np.array([fx, fz])
    return (centre + radius[..., None] * direction[:, None, :]) * plane, centre * plane, top(angle) * fy, share


def _horn_width(angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the width (na,) along the angles: the horns narrow to half over the last eighth of the ring at either end."""
    t = np.clip(np.minimum(angle - angle[0], angle[-1] - angle) / (0.125 * (angle[-1] - angle[0])), 0.0, 1.0)
    return 0.5 + 0.5 * np.sqrt(t * (2.0 - t))


def fitted_meniscus(plateau: PlateauShape, femur: LevelSet, sex: Sex, triangles_per_mm2: float = TRIANGLES_PER_MM2) -> MeniscusShape:
    """Meniscus whose superior face fits the femur at full extension, where the loaded knee rests.

    Its outer edge and its greatest height are those of the source knee, its width gives the published coverage; within them the wedge fills
    the gap between the plateau and a femur that just touches it, as the loaded meniscus does (the imaged one hung unloaded in the
    joint). Both are joined by a smooth minimum.
    """
    xz, centre, top, share = _edges(plateau.side, sex, triangles_per_mm2)
    flat, bare = xz.reshape(-1, 2), plateau.mesh.points
    touching = vertical_gap(femur, loaded_xz(bare[:, [0, 2]]), bare[:, 1]).min()
    gap = vertical_gap(femur, loaded_xz(flat), plateau.surface_y(flat)).reshape(xz.shape[:2]) - touching
    cap = top[:, None] * (0.4 + 0.6 * share * (2.0 - share))
    filled = -smooth_minimum(-smooth_minimum(gap, cap, ROUNDING_MM), np.full_like(gap, -THINNEST_MM), 0.2)  # a smooth maximum with the thinnest edge
    height = ndimage.gaussian_filter(filled, 0.8, mode="nearest")
    offset = xz - centre
    outward = offset / np.linalg.norm(offset, axis=2, keepdims=True)
    return MeniscusShape(side=plateau.side, xz=xz, height_mm=height, outward=outward, triangles=grid_triangles(xz))


def loaded_xz(xz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, 2) mm of the tibia, seen along y, in the femur frame where the loaded knee rests."""
    c, s = np.cos(LOADED_TURN_DEG * DEG), np.sin(LOADED_TURN_DEG * DEG)
    return np.column_stack([c * xz[:, 0] - s * xz[:, 1], s * xz[:, 0] + c * xz[:, 1]]) + np.array(LOADED_SHIFT_MM)


def vertical_gap(femur: LevelSet, xz: NDArray[np.float64], base_y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Height (n,) in mm of the femur above points (x, base_y, z), at most 14 mm; negative where the femur lies below them."""
    start = np.column_stack([xz[:, 0], base_y - 2.0, xz[:, 1]])
    climbed = np.zeros(len(xz))
    moving = np.arange(len(xz))
    for _ in range(25):  # sphere tracing: a signed distance is a safe step
        value, _ = evaluate(femur, start[moving] + climbed[moving, None] * np.array([0.0, 1.0, 0.0]))
        before = climbed[moving]
        climbed[moving] = np.minimum(before + value, _REACH_MM + 2.0)
        moving = moving[np.abs(climbed[moving] - before) > _ARRIVED_MM]
        if not len(moving):
            break
    return climbed - 2.0


def smooth_minimum(a: NDArray[np.float64], b: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Minimum of two fields with the corner rounded over about `width` (same unit)."""
    return 0.5 * (a + b - np.sqrt((a - b) ** 2 + width**2))


def grid_triangles(xz: NDArray[np.float64]) -> NDArray[np.int32]:
    """Triangles (m, 3) over a grid (na, ns, 2) of points seen from above (x, z), normals up (+y)."""
    na, ns = xz.shape[:2]
    corner = (np.arange(na - 1)[:, None] * ns + np.arange(ns - 1)).ravel()
    quads = np.stack([corner, corner + 1, corner + ns + 1, corner + ns], axis=1)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)
    flat = xz.reshape(-1, 2)
    a, b, c = (flat[faces[:, i]] for i in range(3))
    turn = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return faces[:, ::-1].copy() if np.median(turn) > 0.0 else faces  # counter-clockwise in (x, z) looks down


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seat:
    """Where a ring lies on its plateau before size and tilt: the same for all people of one sex whose meniscus is not pushed out.

    Attributes:
        xz: (na, ns, 2) mm, tibia frame; points of the ring with its extrusion.
        y: (na ns,) mm; height of the cartilage below them.
        layer: (na ns,) mm; cartilage thickness below them.
        tibial_mm: (m,) mm; the same per triangle of the ring.
        outward: (m, 3) no unit; unit vector of radial expansion per triangle.
        covered: (p,) bool; triangles of the plateau under the ring.
    """

    xz: NDArray[np.float64]
    y: NDArray[np.float64]
    layer: NDArray[np.float64]
    tibial_mm: NDArray[np.float64]
    outward: NDArray[np.float64]
    covered: NDArray[np.bool_]


@lru_cache(maxsize=16)
def seat(shape: MeniscusShape, plateau: PlateauShape, shift_mm: float, state: MeniscusState) -> Seat:
    """Seat of a mean ring on its mean plateau with a resting extrusion, mm of the mean knee."""
    xz = extruded_ring(shape, shift_mm, state)
    flat = xz.reshape(-1, 2)
    layer = plateau.thickness_at(flat)
    outward = shape.outward.reshape(-1, 2)[shape.triangles].mean(axis=1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    found = Seat(xz=xz, y=plateau.surface_y(flat), layer=layer, tibial_mm=layer[shape.triangles].mean(axis=1),
                 outward=np.column_stack([outward[:, 0], np.zeros(len(outward)), outward[:, 1]]),
                 covered=covered_triangles(plateau.mesh.centroids[:, [0, 2]], xz))
    for array in (found.xz, found.y, found.layer, found.tibial_mm, found.outward, found.covered):
        array.setflags(write=False)
    return found


def resting_extrusion_mm(state: MeniscusState, extrusion_mm: float | None) -> float:
    """Outward shift at rest, mm: the given figure, else 3 mm for an extruded or root-torn meniscus, else 0."""
    if extrusion_mm is not None:
        return extrusion_mm
    return PATHOLOGICAL_EXTRUSION_MM if state in ("extruded", "root_tear") else 0.0


def placed_meniscus(shape: MeniscusShape, plateau: PlateauShape, state: MeniscusState, extrusion_mm: float | None, material: LayerMaterial, *,
                    size: float = 1.0, cartilage_scale: float = 1.0, tilt: Tilt, widening: float = 1.0) -> Meniscus | None:
    """The meniscus of a person on the tilted plateau; None when removed.

    Args:
        shape, plateau: wedge and plateau of the mean knee.
        size: person over mean knee, no unit.
        cartilage_scale: factor on the tibial cartilage, on which the meniscus sinks, no unit.
        tilt: of the person's plateaus.
        widening: further factor along z, no unit.
    """
    if state == "removed":
        return None
    shift = resting_extrusion_mm(state, extrusion_mm)
    base = seat(shape, plateau, shift / size, state)
    flat = base.xz.reshape(-1, 2)
    height = shape.height_mm * size
    y = base.y * size + (cartilage_scale - 1.0) * base.layer + height.ravel()
    points = np.column_stack([flat[:, 0] * size, y, flat[:, 1] * size * widening])
    points = tilt.apply(shape.side, points)
    outward = base.outward @ tilt.turn(shape.side).T
    faces = shape.triangles
    surface = ArticularSurface(name=f"{shape.side}_meniscus", body="tibia", mesh=TriangleMesh(points=points, triangles=faces),
                               thickness_mm=height.ravel()[faces].mean(axis=1), material=material,
                               region=np.full(len(faces), -1, dtype=np.int8))
    section, arc, radius = ring_measures(base.xz * np.array([size, size * widening]), height)
    tibial = base.tibial_mm * cartilage_scale
    for array in (points, outward, surface.thickness_mm, surface.region, tibial, faces):
        array.setflags(write=False)
    return Meniscus(surface=surface, tibial_thickness_mm=tibial, outward=outward, cross_section_mm2=section, arc_length_mm=arc,
                    hoop_radius_mm=radius, extrusion_mm=shift, hoop_fraction=0.0 if state == "root_tear" else 1.0)


def extruded_ring(shape: MeniscusShape, shift_mm: float, state: MeniscusState) -> NDArray[np.float64]:
    """Points (na, ns, 2) mm of the ring with its resting extrusion, mm of the mean knee, tibia frame (x, z)."""
    profile = extrusion_profile(shape.outward, lateral=shape.side == "lateral", torn=state == "root_tear")
    return shape.xz + shift_mm * profile[..., None] * shape.outward


def extrusion_profile(outward: NDArray[np.float64], *, lateral: bool, torn: bool) -> NDArray[np.float64]:
    """Part (...,) of the resting extrusion that points of a ring have, no unit.

    Extrusion is measured in a coronal plane, where the body of the meniscus passes the rim of the plateau. The roots hold the horns: what
    remains is the radial part of a shift of the body along z, the cosine of the angle to z (assumption). With its posterior root torn, the
    posterior half goes out as a whole.

    Args:
        outward: (..., 2) no unit; unit vectors (x, z) away from the centre of the ring, tibia frame of a right knee.
        lateral: whether the meniscus is the lateral one, whose body lies at +z of its centre.
        torn: whether the posterior root is torn.
    """
    along = np.maximum(outward[..., 1] if lateral else -outward[..., 1], 0.0)
    return np.where(outward[..., 0] < 0.0, 1.0, along) if torn else along


def ring_measures(xz: NDArray[np.float64], height: NDArray[np.float64]) -> tuple[float, float, float]:
    """Mean radial section in mm2, length of the centre line in mm and its mean radius in mm, of a grid (na, ns, 2) mm with heights (na, ns) mm.

    The radius is that of the circle with the same mean turning: length over the angle through which the line turns.
    """
    width = np.linalg.norm(np.diff(xz, axis=1), axis=2)
    section = float(np.mean(np.sum(0.5 * (height[:, 1:] + height[:, :-1]) * width, axis=1)))
    line = xz.mean(axis=1)
    step = np.diff(line, axis=0)
    heading = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    arc = float(np.sum(np.linalg.norm(step, axis=1)))
    return section, arc, arc / max(abs(float(heading[-1] - heading[0])), 0.5)


def covered_triangles(xz: NDArray[np.float64], ring: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points (n, 2) mm lie under a ring given by its grid (na, ns, 2) mm, seen along y (even-odd rule on its border)."""
    border = np.concatenate([ring[:, 0], ring[::-1, -1]])
    following = np.roll(border, -1, axis=0)
    order = np.argsort(xz[:, 1])
    level = xz[order, 1]
    first, last = (np.searchsorted(level, end(border[:, 1], following[:, 1])) for end in (np.minimum, np.maximum))
    count = last - first  # points whose z lies within that of a side
    side = np.repeat(np.arange(len(border)), count)
    point = order[np.arange(len(side)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)]
    (x0, z0), (x1, z1) = border[side].T, following[side].T
    crossed = xz[point, 0] < x0 + (xz[point, 1] - z0) * (x1 - x0) / (z1 - z0)
    return np.bincount(point[crossed], minlength=len(xz)) % 2 == 1
