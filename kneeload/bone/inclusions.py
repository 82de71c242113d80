"""Places in the bone that are not as stiff as the rest: cyst, attrition, lesion, calcium-phosphate fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.material import Shell
from kneeload.bone.volume import BoneVolume, articular_surfaces
from kneeload.errors import InputError
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy

Array = NDArray[np.float64]
_SUB = 4  # points per edge of a cube that decide how much of it an inclusion takes
_LEAST_INSIDE = 0.75  # of an inclusion must be bone: less means that it lies outside


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Place:
    """An ellipsoid in a region: its centre lies below the middle of the region's articular surface.

    Attributes:
        region: one of the MOAKS regions, of the bone that is computed.
        radius_mm: half axis of a ball, or three of an ellipsoid along x, y, z of the bone, mm.
        depth_mm: of the centre below the bone surface along its normal, mm.
        offset_mm: shift of the middle, mm, along the surface: to the front (patella: upwards) and to the lateral side.
        mask: (n,) no unit; instead of the ellipsoid, which cubes of `solid_volume` it takes.
    """

    region: str
    radius_mm: float | tuple[float, float, float] = 4.0
    depth_mm: float = 6.0
    offset_mm: tuple[float, float] = (0.0, 0.0)
    mask: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.region not in MOAKS_REGIONS:
            raise InputError("region of an inclusion", where=type(self).__name__, got=self.region, allowed=", ".join(MOAKS_REGIONS),
                             why="it says in which bone and below which surface the inclusion lies")
        radii = np.broadcast_to(np.asarray(self.radius_mm, np.float64), (3,)) if np.size(self.radius_mm) in (1, 3) else np.zeros(3)
        if not (np.all(np.isfinite(radii)) and np.all(radii > 0.0) and np.all(radii <= 40.0)):
            raise InputError("radius of an inclusion", where=type(self).__name__, got=self.radius_mm,
                             allowed="one or three numbers above 0 and at most 40 mm",
                             why="it is a ball or an ellipsoid in the bone")
        if not 0.0 <= self.depth_mm <= 60.0:
            raise InputError("depth of an inclusion", where=type(self).__name__, got=self.depth_mm, allowed="0 to 60 mm",
                             why="it lies below the bone surface")

    @property
    def bone(self) -> str:
        """The bone of the region."""
        return self.region.split("_")[0]

    @property
    def radii_mm(self) -> Array:
        """Half axes along x, y, z, (3,) mm."""
        return np.broadcast_to(np.asarray(self.radius_mm, np.float64), (3,)).copy()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cyst(_Place):
    """A subchondral cyst: fluid and fibrous tissue in a hole of the bone.

    Attributes:
        region, radius_mm, depth_mm, offset_mm: its place, see `_Place`.
        mask: (n,) no unit; instead of the ellipsoid, which cubes of `solid_volume` it takes.
        modulus_mpa: MPa. Assumption: soft tissue, three orders below bone; range 0.1 to 10.
    """

    modulus_mpa: float = 1.0

    def __post_init__(self) -> None:
        super(Cyst, self).__post_init__()
        _check_modulus(self.modulus_mpa, "Cyst.modulus_mpa")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fill(_Place):
    """Calcium phosphate injected into the spaces of the trabeculae (subchondroplasty).

    Attributes:
        region, radius_mm, depth_mm, offset_mm: its place, see `_Place`.
        mask: (n,) no unit; instead of the ellipsoid, which cubes of `solid_volume` it takes.
        modulus_mpa: of bone and set cement together, MPa. Assumption; range 500 to 10000: injectable cements are porous
            ceramics whose published moduli span this range, and how far they fill the spaces is not known.
    """

    modulus_mpa: float = 3000.0

    def __post_init__(self) -> None:
        super(Fill, self).__post_init__()
        _check_modulus(self.modulus_mpa, "Fill.modulus_mpa")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesion(_Place):
    """A bone marrow lesion as bone of another stiffness.

    The sign is not settled, so there is no default. In lesions more bone is found (Driban 2012, doi 10.1016/j.joca.2012.08.013; Muratovic 2016,
    doi 10.1186/s13075-016-0953-x), but less well mineralised with more osteoid and fibrosis. Range 0.4 (oedema, young bone) to 1.6
    (sclerosis).

    Attributes:
        region, radius_mm, depth_mm, offset_mm: its place, see `_Place`.
        mask: (n,) no unit; instead of the ellipsoid, which cubes of `solid_volume` it takes.
        modulus_ratio: modulus in the lesion over that without it, no unit.
    """

    modulus_ratio: float

    def __post_init__(self) -> None:
        super(Lesion, self).__post_init__()
        _check_modulus(self.modulus_ratio, "Lesion.modulus_ratio")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attrition(_Place):
    """Bone attrition: the subchondral plate is broken down; within `radius_mm` of its middle the load meets the trabeculae. Depth plays no role.

    Attributes:
        region, radius_mm, offset_mm: its place, see `_Place`.
        mask: (n,) no unit; instead of the radius, the cubes of `solid_volume` whose plate is lost.
    """

    depth_mm: float = 0.0


Inclusion = Cyst | Fill | Lesion | Attrition


def _check_modulus(value: float, where: str) -> None:
    if not 0.0 < value < 1e6:
        raise InputError("stiffness of an inclusion", where=where, got=value, allowed="above 0 and finite",
                         why="the equations of a part without stiffness have no solution")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taken:
    """What an inclusion takes of the cubes that it meets, by 64 points in each.

    Attributes:
        item: the inclusion.
        cubes: (m,) no unit; numbers of those cubes, increasing.
        inside: (m, 64) no unit; True for the points within the inclusion.
    """

    item: Inclusion
    cubes: NDArray[np.int64]
    inside: NDArray[np.bool_]


def apply_inclusions(anatomy: KneeAnatomy, volume: BoneVolume, layers: Shell, inclusions: Sequence[Inclusion]) -> tuple[Shell, list[Taken]]:
    """Return the shell without what attrition takes, and what each other inclusion takes.

    Raises:
        InputError: a region of another bone, a mask of the wrong shape or empty, an inclusion that is not within the bone.
    """
    parts: list[Taken] = []
    for item in inclusions:
        if item.bone != volume.bone:
            raise InputError("region of an inclusion", where=type(item).__name__, got=item.region, allowed=f"a region of the {volume.bone}",
                             why="this bone is computed")
        own = taken(anatomy, volume, item, layers)
        if isinstance(item, Attrition):
            plate = layers.plate.copy()
            plate[own.cubes] = 0.0
            layers = replace(layers, plate=plate)
        else:
            parts.append(own)
    return layers, parts


def stiffness_with(modulus_mpa: Array, parts: Sequence[Taken]) -> Array:
    """Return the modulus (n,) MPa with the inclusions, by volume: at each of the 64 points of a cube the last inclusion that holds it counts.

    A lesion changes what lies there by its ratio; so a fill in the place of a cyst leaves nothing of the cyst.
    """
    out = modulus_mpa.copy()
    met = np.unique(np.concatenate([part.cubes for part in parts])) if parts else np.zeros(0, np.int64)
    fine = np.repeat(modulus_mpa[met, None], _SUB**3, axis=1)
    for part in parts:
        rows = np.searchsorted(met, part.cubes)
        own = fine[rows] * part.item.modulus_ratio if isinstance(part.item, Lesion) else part.item.modulus_mpa  # type: ignore[union-attr]
        fine[rows] = np.where(part.inside, own, fine[rows])
    out[met] = fine.mean(axis=1)
    return out


def taken(anatomy: KneeAnatomy, volume: BoneVolume, item: Inclusion, layers: Shell) -> Taken:
    """Return what an inclusion takes; attrition and masks take whole cubes.

    Raises:
        InputError: see `apply_inclusions`.
    """
    if item.mask is not None:
        mask = np.asarray(item.mask)
        if mask.shape != volume.region.shape or not mask.any():
            raise InputError("mask of an inclusion", where=type(item).__name__,
                             got=f"shape {mask.shape}, {int(np.count_nonzero(mask))} cubes",
                             allowed=f"shape {volume.region.shape} with at least one cube", why="it names the cubes of the model")
        return _whole(item, mask != 0)
    if isinstance(item, Attrition):
        middle, _ = surface_middle(anatomy, item)
        share = ((layers.bed - middle) / item.radii_mm) ** 2
        return _whole(item, np.nan_to_num(share.sum(axis=1), nan=np.inf) <= 1.0)
    return _ellipsoid(volume, item, centre_of(anatomy, item))


def _whole(item: Inclusion, mask: NDArray[np.bool_]) -> Taken:
    cubes = np.flatnonzero(mask)
    return Taken(item=item, cubes=cubes, inside=np.ones((len(cubes), _SUB**3), np.bool_))


def surface_middle(anatomy: KneeAnatomy, item: Inclusion) -> tuple[Array, Array]:
    """Return the point (3,) mm of the bone surface in the middle of the inclusion's region, shifted by its offset, and the normal (3,) there."""
    number = MOAKS_REGIONS.index(item.region)
    surfaces = articular_surfaces(anatomy, item.bone)
    chosen = [np.flatnonzero(s.region == number) for s in surfaces]
    if item.region == "tibia_subspinous":
        raise InputError("region of an inclusion", where=type(item).__name__, got=item.region,
                         allowed="a region under cartilage, or a mask",
                         why="the subspinous region has no articular surface to count depth from")
    if not any(c.size for c in chosen):
        raise InputError("region of an inclusion", where=type(item).__name__, got=item.region, allowed="a region that this knee has",
                         why="no triangle carries it")
    centres, normals, areas, thickness = (np.concatenate(parts) for parts in (
        [s.centroids[c] for s, c in zip(surfaces, chosen)], [s.normals[c] for s, c in zip(surfaces, chosen)],
        [s.areas[c] for s, c in zip(surfaces, chosen)], [s.thickness_mm[c] for s, c in zip(surfaces, chosen)]))
    aim = np.average(centres, axis=0, weights=areas)
    aim = aim + item.offset_mm[0] * np.eye(3)[1 if item.bone == "patella" else 0] + np.array([0.0, 0.0, item.offset_mm[1]])
    near = np.argsort(np.sum((centres - aim) ** 2, axis=1))[:12]  # a single triangle of a scan may point anywhere
    normal = np.average(normals[near], axis=0, weights=areas[near])
    normal /= np.linalg.norm(normal)
    return centres[near[0]] - thickness[near[0]] * normal, normal


def centre_of(anatomy: KneeAnatomy, item: Inclusion) -> Array:
    """Return the centre (3,) mm of an inclusion, frame of its bone."""
    point, normal = surface_middle(anatomy, item)
    return point - item.depth_mm * normal


def _ellipsoid(volume: BoneVolume, item: Inclusion, centre: Array) -> Taken:
    step = (np.arange(_SUB) + 0.5) / _SUB - 0.5
    sub = volume.spacing_mm * np.stack(np.meshgrid(step, step, step, indexing="ij"), axis=-1).reshape(-1, 3)
    offset = volume.centres_mm - centre
    near = np.flatnonzero(np.all(np.abs(offset) <= item.radii_mm + volume.spacing_mm, axis=1))
    inside = (((offset[near, None, :] + sub) / item.radii_mm) ** 2).sum(axis=2) <= 1.0
    share = inside.mean(axis=1).sum() * volume.volume_mm3 / (4.0 / 3.0 * np.pi * item.radii_mm.prod())
    if share < _LEAST_INSIDE:
        raise InputError("inclusion", where=f"{type(item).__name__} in {item.region}", got=f"{100.0 * share:.0f} % of it in the bone",
                         allowed=f"at least {100.0 * _LEAST_INSIDE:.0f} %", why="radius and depth must leave it inside the bone of the model")
    return Taken(item=item, cubes=near, inside=inside)
