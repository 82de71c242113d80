"""Two surfaces made ready for contact: all that does not depend on the pose is worked out once, then any number of poses is evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from kneeload.contact.model import LAWS
from kneeload.contact.springs import triangle_geometry
from kneeload.contact.target import level_set_of, lies_behind
from kneeload.errors import InputError, check_choice, check_range
from kneeload.kernels import pose_stress as kernels
from kneeload.kernels.layer import LOCKED
from kneeload.kernels.spline_lanes import WIDTH
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import ArticularSurface, LayerMaterial

Array = NDArray[np.float64]
DEPTHS = ("target_normal", "casting_normal")
STRESS_STATUS = {
    0: "touching",
    1: "no contact in this pose",
    2: "a layer is compressed beyond 90 % (nonlinear law) or 100 % (linear law) of its thickness",
    3: "the casting surface lies wholly behind the target: the bodies have passed through each other",
}
PATCH_RADIUS_MM = 2.0
"""Radius of the patch over which `ContactResult.peak_patch` is a mean, mm (assumption, 1 to 3: the elements of the film sensors that
measure knees are 1 to 2 mm wide, and a mean over several of them is what their users report as a peak)."""
_PEAK_SHARE = 0.01  # of the area in contact lies above `peak_percentile`
_PATCHES = 24  # patches that are tried: round the triangles of highest pressure
_CLUSTER = 8 * kernels.BLOCK  # triangles


@dataclass(slots=True, eq=False)
class _Patches:
    """Triangles and a tree of their centres, made when a patch is asked for."""

    centre: Array
    area: Array
    tree: cKDTree | None = None

    def largest_mean(self, pressure: Array) -> float:
        """Largest mean pressure within `PATCH_RADIUS_MM` of a triangle; unloaded triangles of the patch count with 0."""
        count = min(_PATCHES, int(np.count_nonzero(pressure)))
        if count == 0:
            return 0.0
        if self.tree is None:
            self.tree = cKDTree(self.centre)
        tops = np.argpartition(pressure, -count)[-count:]
        members = self.tree.query_ball_point(self.centre[tops], PATCH_RADIUS_MM)
        first = np.cumsum([0, *(len(m) for m in members[:-1])])
        every = np.concatenate(members)
        area = self.area[every]
        return float((np.add.reduceat(pressure[every] * area, first) / np.add.reduceat(area, first)).max())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContactResult:
    """Contact of a casting surface (m triangles) with a target.

    Attributes:
        force: (3,) N, on the casting body, frame of the casting body (as OpenSim-JAM reports it).
        moment: (3,) N mm, same, about the origin of that frame.
        pressure: (m,) MPa per casting triangle.
        depth: (m,) mm per casting triangle, 0 where nothing touches.
        area: mm2 in contact; triangles at the rim count in part.
        peak: largest pressure of one triangle, MPa (noisy on rough meshes: prefer `peak_percentile` or `peak_patch`).
        peak_percentile: pressure that one per cent of the area in contact exceeds, MPa.
        mean: normal force over area, MPa (0 without contact).
        energy: stored in the layers, N mm; with depth="target_normal" its slope along a motion is minus the force.
        status: see `STRESS_STATUS`.
    """

    force: Array
    moment: Array
    pressure: Array
    depth: Array
    area: float
    peak: float
    peak_percentile: float
    mean: float
    energy: float
    status: int
    _patches: _Patches = field(repr=False)
    _known: list[float] = field(default_factory=list, repr=False)

    @property
    def peak_patch(self) -> float:
        """Largest mean pressure over a patch of 2 mm radius round a triangle, MPa; worked out when it is first asked for."""
        if not self._known:
            self._known.append(self._patches.largest_mean(self.pressure))
        return self._known[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContactSeries:
    """Contact of a casting surface (m triangles) with a target in T poses; figures as in `ContactResult`.

    Attributes:
        force: (T, 3) N, on the casting body, frame of the casting body.
        moment: (T, 3) N mm, same, about the origin of that frame.
        area: (T,) mm2 in contact.
        peak: (T,) MPa, largest pressure of one triangle.
        peak_percentile: (T,) MPa, pressure that one per cent of the area in contact exceeds.
        mean: (T,) MPa, normal force over area (0 without contact).
        energy: (T,) N mm, stored in the layers.
        status: (T,) no unit, see `STRESS_STATUS`.
        pressure: (T, m) MPa per casting triangle, None unless asked for.
        depth: (T, m) mm per casting triangle, None unless asked for.
    """

    force: Array
    moment: Array
    area: Array
    peak: Array
    peak_percentile: Array
    mean: Array
    energy: Array
    status: NDArray[np.int64]
    pressure: Array | None
    depth: Array | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ContactPair:
    """A casting surface (m triangles) and a target, ready for any pose; made by `prepare_contact`."""

    casting: ArticularSurface
    target: ArticularSurface | LevelSet
    _target: tuple
    _springs: tuple
    _law: tuple[float, float, bool, bool]
    _patches: _Patches

    def at(self, pose: ArrayLike) -> ContactResult:
        """Return the contact in one pose (4, 4), mm, x_target = R x_casting + t; see `contact_stress`.

        Raises:
            InputError: bad pose.
        """
        matrix = _poses(pose, (4, 4))
        sums, pressure, depth = self._evaluate(matrix.reshape(1, 4, 4), True)
        for values in (sums, pressure, depth):
            values.setflags(write=False)
        first = sums[0]
        row = first.tolist()
        area = row[kernels.AREA]
        return ContactResult(
            force=first[:3], moment=first[3:6], pressure=pressure[0], depth=depth[0], area=area, peak=row[kernels.PEAK], peak_percentile=row[kernels.PERCENTILE],
            mean=row[kernels.NORMAL_FORCE] / area if area > 0.0 else 0.0, energy=row[kernels.ENERGY], status=self._status(area, row[kernels.STRAIN], matrix),
            _patches=self._patches,
        )

    def at_poses(self, poses: ArrayLike, *, fields: bool = False) -> ContactSeries:
        """Return the contact in poses (T, 4, 4), mm, without Python between them; with `fields` also the pressure and depth of every triangle.

        Raises:
            InputError: bad poses.
        """
        matrices = _poses(poses, None)
        sums, pressure, depth = self._evaluate(matrices, fields)
        area = sums[:, kernels.AREA].copy()
        status = np.array([self._status(a, strain, matrix) for a, strain, matrix in zip(area.tolist(), sums[:, kernels.STRAIN].tolist(), matrices)], dtype=np.int64)
        mean = np.where(area > 0.0, sums[:, kernels.NORMAL_FORCE] / np.where(area > 0.0, area, 1.0), 0.0)
        return ContactSeries(
            force=_fixed(sums[:, :3]), moment=_fixed(sums[:, 3:6]), area=_fixed(area), peak=_fixed(sums[:, kernels.PEAK]), peak_percentile=_fixed(sums[:, kernels.PERCENTILE]),
            mean=_fixed(mean), energy=_fixed(sums[:, kernels.ENERGY]), status=_fixed(status), pressure=_fixed(pressure) if fields else None, depth=_fixed(depth) if fields else None,
        )

    def _evaluate(self, poses: Array, fields: bool) -> tuple[Array, Array, Array]:
        count = len(poses)
        sums, shape = np.zeros((count, kernels.SUMS)), (count, len(self._patches.area) if fields else 0)
        pressure, depth = np.zeros(shape), np.zeros(shape)
        bad = kernels.stress_in_poses(poses, self._target, self._springs, self._law, _PEAK_SHARE, pressure, depth, sums)
        if bad < count:
            _refuse(poses[bad])
        return sums, pressure, depth

    def _status(self, area: float, strain: float, matrix: Array) -> int:
        if strain > (LOCKED if self._law[2] else 1.0):
            return 2
        if area > 0.0:
            return 0
        return 3 if isinstance(self.target, ArticularSurface) and lies_behind(self.casting.mesh, self.target, matrix) else 1


def _poses(poses: ArrayLike, shape: tuple[int, ...] | None) -> Array:
    """A copy as (4, 4) or (T, 4, 4), always of the same type for the kernel."""
    matrix = np.array(poses, dtype=np.float64, order="C")
    if matrix.shape != shape if shape else matrix.ndim != 3 or matrix.shape[1:] != (4, 4):
        raise InputError("pose of the casting surface", where="pose", got=matrix.shape, allowed="a finite 4 x 4 matrix" if shape else "finite matrices (T, 4, 4)",
                         why="it places the casting surface in the frame of the target")
    return matrix


def _refuse(matrix: Array) -> None:
    if not np.all(np.isfinite(matrix)):
        raise InputError("pose of the casting surface", where="pose", got=matrix.tolist(), allowed="a finite 4 x 4 matrix",
                         why="it places the casting surface in the frame of the target")
    raise InputError("pose of the casting surface", where="pose", got=matrix[:3, :3].tolist(), allowed="a rotation in its upper left 3 x 3 part",
                     why="bodies neither stretch nor turn inside out")


def prepare_contact(
    casting: ArticularSurface, target: ArticularSurface | LevelSet, *, law: str = "linear", depth: str = "target_normal",
    layer_factor: float = 1.0, target_material: LayerMaterial | None = None, level_set_spacing_mm: float = 1.0,
) -> ContactPair:
    """Return two surfaces ready for contact in any pose; arguments and errors as in `contact_stress`, which see."""
    check_choice("contact law", law, LAWS, where="law", why="these laws of the elastic foundation are known")
    check_choice("depth of contact", depth, DEPTHS, where="depth", why="depth is measured along one of the two normals")
    check_range("layer factor", layer_factor, 0.01, 10.0, "", where="layer_factor", why="it corrects the stiffness of the plain foundation")
    check_range("level-set spacing", level_set_spacing_mm, 0.1, 5.0, "mm", where="level_set_spacing_mm", why="coarser grids lose the shape of a condyle")
    springs, patches = _springs(casting)
    level, material = target, target_material
    if isinstance(target, ArticularSurface):
        if target.side != casting.side:
            raise InputError("side of the surfaces", where=f"{casting.name}, {target.name}", got=f"{casting.side} on {target.side}",
                             allowed="two surfaces of the same side", why="a left and a right bone do not make a joint; mirror one with mirrored()")
        level, material = level_set_of(target, float(level_set_spacing_mm)), target.material
    assert isinstance(level, LevelSet)
    give = [0.0 if layer is None else 1.0 / (layer.confined_modulus_mpa * layer_factor) for layer in (casting.material, material)]
    return ContactPair(casting=casting, target=target, _target=_smooth(level), _springs=springs, _law=(give[0], give[1], law == "nonlinear", depth == "casting_normal"),
                       _patches=patches)


def _springs(casting: ArticularSurface) -> tuple[tuple[NDArray, ...], _Patches]:
    """The tuple `springs` of `kneeload.kernels.pose_stress` and the patches of a surface."""
    centre, normal, area = triangle_geometry(casting.mesh)
    if len(area) == 0 or not np.all(casting.thickness_mm > 0.0):
        raise InputError(f"layer thickness of {casting.name}", where=f"{casting.name}.thickness_mm", got=0.0 if len(area) else "no triangles",
                         allowed="above 0 mm on every triangle", why="a layer without thickness has no elastic foundation")
    from_centre = casting.mesh.points[casting.mesh.triangles] - centre[:, None, :]
    size = np.linalg.norm(from_centre, axis=2).max(axis=1)
    order = _halved(centre)
    home = np.append(order, np.full(-len(order) % _CLUSTER, -1))
    filler = home < 0
    home[filler] = order[-1]
    corner = casting.mesh.points[casting.mesh.triangles[home]]
    sphere, cluster = (_spheres(corner, count) for count in (kernels.BLOCK, _CLUSTER))
    rows = np.column_stack([centre, normal, area, casting.thickness_mm, size, np.arange(len(area))])[home]
    rows[:, :3] -= np.repeat(sphere[:, :3], kernels.BLOCK, axis=0)
    rows[filler, 6] = 0.0
    none = np.zeros((kernels.BLOCK, kernels.SPRING_ROWS))
    none[:, 7] = 1.0  # a layer without thickness has no stiffness
    blocks = np.concatenate([rows, none]).astype(np.float32).reshape(-1, kernels.BLOCK, kernels.SPRING_ROWS).transpose(0, 2, 1)
    sphere[filler[:: kernels.BLOCK], 3] = -1.0
    cluster = np.concatenate([cluster, np.tile([0.0, 0.0, 0.0, -1.0], (-len(cluster) % WIDTH, 1))])
    arrays = (blocks, sphere.reshape(-1, 8, kernels.SPHERE_ROWS).transpose(0, 2, 1), cluster.reshape(-1, WIDTH, kernels.SPHERE_ROWS).transpose(0, 2, 1))
    return (*(_fixed(np.ascontiguousarray(values).reshape(-1)) for values in arrays), _fixed(casting.mesh.points.reshape(-1)),
            _fixed(casting.mesh.triangles.reshape(-1).astype(np.int32))), _Patches(centre, area)


def _spheres(corner: Array, count: int) -> Array:
    """Centre and radius (mm) of spheres round groups of `count` triangles with corners (n, 3, 3) mm, (n / count, 4)."""
    corner = corner.reshape(-1, 3 * count, 3)
    middle, every = 0.5 * (corner.min(axis=1) + corner.max(axis=1)), np.arange(len(corner))
    for turn in range(2, 60):  # towards the farthest point, less and less: nears the smallest sphere (Badoiu and Clarkson 2003)
        away = corner - middle[:, None, :]
        middle += away[every, np.einsum("ijk,ijk->ij", away, away).argmax(axis=1)] / turn
    return np.column_stack([middle, np.linalg.norm(corner - middle[:, None, :], axis=2).max(axis=1)])


def _halved(points: Array) -> NDArray[np.int64]:
    """Order of points (n, 3) in which each run of 64, and each run of 8 in it, lies close together: halved along the widest side, again and again."""
    done: list[NDArray[np.int64]] = []
    todo = [np.arange(len(points))]
    while todo:
        some = todo.pop()
        if len(some) <= kernels.BLOCK:
            done.append(some)
            continue
        unit = _CLUSTER if len(some) > _CLUSTER else kernels.BLOCK
        half = unit * max(1, round(0.5 * len(some) / unit))
        axis = int(np.argmax(np.ptp(points[some], axis=0)))
        some = some[np.argsort(points[some, axis], kind="stable")]
        todo += [some[half:], some[:half]]
    return np.concatenate(done)


def _smooth(level_set: LevelSet) -> tuple:
    """The tuple `target` of `kneeload.kernels.pose_stress`."""
    c, thickness, h = np.asarray(level_set.coefficients, np.float64), level_set.thickness_mm, level_set.spacing_mm
    same = ndimage.maximum_filter(thickness, 3, mode="nearest") == ndimage.minimum_filter(thickness, 3, mode="nearest")
    layer = np.where(same, thickness, np.nan).astype(np.float32)
    flat = [np.append(c, 0.0).astype(np.float32), np.append(thickness, 0.0).astype(np.float32), layer.reshape(-1), (1.0001 * _bend(c, h)).astype(np.float32).reshape(-1)]
    ox, oy, oz = (float(v) for v in level_set.origin_mm)
    return (*(_fixed(values) for values in flat), *c.shape, ox, oy, oz, 1.0 / h)


def _bend(c: Array, spacing_mm: float) -> Array:
    """Bound (1/mm) on the norm of the second derivatives of the spline within half a node distance of the octants (8) of each cell.

    They are means of second differences of the coefficients (mixed ones: of products of first differences) of a cell's taps.
    """
    square = np.zeros_like(c)
    for a in range(3):
        for b in range(a, 3):
            difference = np.zeros_like(c)
            if a == b:
                inner = tuple(slice(1, -1) if axis == a else slice(None) for axis in range(3))
                difference[inner] = np.diff(c, 2, axis=a)
                size = [1 if axis == a else 3 for axis in range(3)]
                worst = ndimage.maximum_filter(np.abs(difference), size, mode="nearest")
            else:
                inner = tuple(slice(0, -1) if axis in (a, b) else slice(None) for axis in range(3))
                difference[inner] = np.diff(np.diff(c, axis=a), axis=b)  # between a node and the next
                size = [2 if axis in (a, b) else 3 for axis in range(3)]
                worst = ndimage.maximum_filter(np.abs(difference), size, mode="nearest")  # of this and the one before
            square += (1.0 if a == b else 2.0) * worst**2
    own = np.sqrt(square) / spacing_mm**2
    octants = np.empty((*c.shape, 2, 2, 2))
    for side in np.ndindex(2, 2, 2):  # this cell and the next ones on that side
        octants[(..., *side)] = ndimage.maximum_filter(own, 2, origin=[-s for s in side], mode="nearest")
    return octants


def _fixed(values: NDArray) -> NDArray:
    array = np.ascontiguousarray(values).view()
    array.setflags(write=False)
    return array
