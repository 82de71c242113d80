"""Equal cubes as finite elements: nodes, stiffness, strain at the centre, and where a load enters them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError

Array = NDArray[np.float64]
CORNERS = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])  # order of scikit-fem
_MARCH = 20  # steps per edge along the way of a load into the cubes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hexahedra:
    """n cubes with N nodes.

    Attributes:
        edge_mm: edge of a cube, mm.
        origin_mm: (3,) mm; centre of the cube at lattice place (0, 0, 0).
        index: (n, 3) no unit; lattice place of each cube.
        nodes: (N, 3) mm.
        cells: (n, 8) no unit; nodes of each cube, in the order of CORNERS.
    """

    edge_mm: float
    origin_mm: Array
    index: NDArray[np.int64]
    nodes: Array
    cells: NDArray[np.int64]


def missing(package: str, name: str) -> InputError:
    """Return the error for an optional package that is not installed."""
    return InputError("finite elements", where="bone", got=f"no package {package}", allowed="pip install 'kneeload[fem]'",
                      why=f"{name} come from it")


def one_blas_thread() -> AbstractContextManager[object]:
    """Keep BLAS to one thread: for the narrow matrices of the solver more of them only wait for each other (26 instead of 18 s for three bones)."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise missing("threadpoolctl", "limits on threads") from None
    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limits


def require_packages() -> None:
    """Raise an InputError if an optional package of the finite elements is not installed."""
    for package, module, name in (("scikit-fem", "skfem", "elements"), ("pyamg", "pyamg", "solvers"), ("threadpoolctl", "threadpoolctl", "limits on threads")):
        if find_spec(module) is None:
            raise missing(package, name)


def hexahedra(index: NDArray[Any], edge_mm: float, origin_mm: Array) -> Hexahedra:
    """Return the mesh of cubes at lattice places (n, 3) whose place (0, 0, 0) is centred at origin_mm (3,)."""
    places = np.asarray(index, np.int64)
    low, size = places.min(axis=0), np.ptp(places, axis=0) + 2
    corners = (places - low)[:, None, :] + CORNERS
    key = (corners[..., 0] * size[1] + corners[..., 1]) * size[2] + corners[..., 2]
    known, cells = np.unique(key, return_inverse=True)
    node = np.stack([known // (size[1] * size[2]), known // size[2] % size[1], known % size[2]], axis=1) + low
    return Hexahedra(edge_mm=edge_mm, origin_mm=origin_mm, index=places, nodes=origin_mm + edge_mm * (node - 0.5), cells=cells.reshape(-1, 8))


def connected(index: NDArray[Any]) -> NDArray[np.bool_]:
    """Return (n,) True for the cubes of the largest part that hangs together by faces."""
    from scipy.ndimage import label

    places = index - index.min(axis=0)
    grid = np.zeros(places.max(axis=0) + 1, np.bool_)
    grid[tuple(places.T)] = True
    part = label(grid)[0][tuple(places.T)]
    return part == np.bincount(part).argmax()


@lru_cache(maxsize=8)
def cube_stiffness(edge_mm: float, poisson_ratio: float) -> Array:
    """Return the stiffness (24, 24) N/mm of one trilinear cube with a modulus of 1 MPa (exact integrals, by scikit-fem); unknowns node by node.

    Raises:
        InputError: scikit-fem is not installed.
    """
    try:
        import skfem
        from skfem.helpers import ddot, sym_grad, trace
    except ImportError:
        raise missing("scikit-fem", "elements") from None
    mesh = skfem.MeshHex(np.ascontiguousarray(edge_mm * CORNERS.T.astype(np.float64)), np.arange(8)[:, None])
    basis = skfem.Basis(mesh, skfem.ElementVector(skfem.ElementHex1()), intorder=4)
    first, shear = poisson_ratio / ((1.0 + poisson_ratio) * (1.0 - 2.0 * poisson_ratio)), 0.5 / (1.0 + poisson_ratio)

    @skfem.BilinearForm
    def energy(u, v, _):  # type: ignore[no-untyped-def]
        return first * trace(sym_grad(u)) * trace(sym_grad(v)) + 2.0 * shear * ddot(sym_grad(u), sym_grad(v))

    order = basis.nodal_dofs.T.ravel()
    out: Array = energy.assemble(basis).toarray()[np.ix_(order, order)]
    out.setflags(write=False)
    return out


def stiffness_matrix(mesh: Hexahedra, modulus_mpa: Array, poisson_ratio: float, free: NDArray[np.bool_]) -> Any:
    """Return the block matrix (3F, 3F) N/mm of the F free nodes (N,) bool, the others being held."""
    from scipy.sparse import bsr_matrix

    one = cube_stiffness(mesh.edge_mm, poisson_ratio).reshape(8, 3, 8, 3).transpose(0, 2, 1, 3).reshape(64, 9)
    number = np.cumsum(free) - 1
    count = int(free.sum())
    row, column = np.repeat(mesh.cells, 8, axis=1), np.tile(mesh.cells, (1, 8))
    kept = free[row] & free[column]
    key = (number[row] * count + number[column])[kept]
    known, place = np.unique(key, return_inverse=True)
    data = np.empty((len(known), 9))
    for entry in range(9):
        data[:, entry] = np.bincount(place, (modulus_mpa[:, None] * one[:, entry])[kept], len(known))
    starts = np.searchsorted(known // count, np.arange(count + 1))
    return bsr_matrix((data.reshape(-1, 3, 3), known % count, starts), shape=(3 * count, 3 * count))


def strains(mesh: Hexahedra, displacement: Array) -> Array:
    """Return the strain (n, 6, k) at the centre of each cube (xx, yy, zz, and the angles xy, yz, zx), from displacements (N, 3, k) mm."""
    slope = (2.0 * CORNERS - 1.0) / (4.0 * mesh.edge_mm)  # of the eight shape functions at the centre
    count = displacement.shape[2]
    grad = np.matmul(slope.T, displacement[mesh.cells].reshape(len(mesh.cells), 8, 3 * count)).reshape(-1, 3, 3, count)  # d u_i / d x_a
    out = np.empty((len(mesh.cells), 6, count))
    for axis in range(3):
        after = (axis + 1) % 3
        out[:, axis] = grad[:, axis, axis]
        out[:, 3 + axis] = grad[:, axis, after] + grad[:, after, axis]
    return out


def stresses(strain: Array, modulus_mpa: Array, poisson_ratio: float) -> Array:
    """Return the stress (n, 6, k) MPa of a strain (n, 6, k), tension positive (Hooke's isotropic law)."""
    nu = poisson_ratio
    shear = 0.5 / (1.0 + nu)
    out: Array = np.empty_like(strain)
    volume = nu / ((1.0 + nu) * (1.0 - 2.0 * nu)) * strain[:, :3].sum(axis=1, keepdims=True)
    out[:, :3] = 2.0 * shear * strain[:, :3] + volume
    out[:, 3:] = shear * strain[:, 3:]
    return out * modulus_mpa[:, None, None]


def nodal_forces(mesh: Hexahedra, modulus_mpa: Array, poisson_ratio: float, displacement: Array, wanted: NDArray[np.bool_]) -> Array:
    """Return what holds the wanted nodes (N,) bool in a displacement (N, 3, k) mm, as (w, 3, k) N: loads where free, reactions where fixed."""
    count = displacement.shape[2]
    touching = np.flatnonzero(wanted[mesh.cells].any(axis=1))
    cells = mesh.cells[touching]
    moved = displacement[cells].reshape(len(cells), 24, count)
    force = np.matmul(cube_stiffness(mesh.edge_mm, poisson_ratio), moved) * modulus_mpa[touching, None, None]
    out = np.zeros((len(mesh.nodes), 3, count))
    np.add.at(out, cells, force.reshape(len(cells), 8, 3, count))
    return out[wanted]


def entry_weights(mesh: Hexahedra, points: Array, inward: Array, *, reach_mm: float = 15.0) -> Any:
    """Return the sparse matrix (N, p): share of a point force that each node takes.

    A force acts along its line: it is moved from its point (p, 3) mm along `inward` (p, 3) to where the line enters the cubes, and goes to the
    nodes of that cube by the trilinear shape functions. Both steps keep force and moment exactly. A line that meets no cube
    within `reach_mm` goes to the nearest cube (shape functions extrapolate and still keep force and moment).
    """
    from scipy.sparse import coo_matrix
    from scipy.spatial import cKDTree

    low = mesh.index.min(axis=0) - 1
    shape = mesh.index.max(axis=0) - low + 2
    number = np.full(shape, -1)
    number[tuple((mesh.index - low).T)] = np.arange(len(mesh.index))
    cell, place = np.full(len(points), -1), np.array(points, np.float64)
    for length in np.arange(-mesh.edge_mm, reach_mm, mesh.edge_mm / _MARCH):
        left = np.flatnonzero(cell < 0)
        at = points[left] + length * inward[left]
        lattice = np.rint((at - mesh.origin_mm) / mesh.edge_mm).astype(np.int64) - low
        within = np.all((lattice >= 0) & (lattice < shape), axis=1)
        found = np.full(len(left), -1)
        found[within] = number[tuple(lattice[within].T)]
        cell[left], place[left[found >= 0]] = found, at[found >= 0]
    lost = np.flatnonzero(cell < 0)
    if lost.size:
        cell[lost] = cKDTree(mesh.origin_mm + mesh.edge_mm * mesh.index).query(points[lost])[1]
    local = (place - mesh.origin_mm) / mesh.edge_mm - mesh.index[cell] + 0.5
    share = np.prod(np.where(CORNERS[None] == 1, local[:, None, :], 1.0 - local[:, None, :]), axis=2)
    column = np.repeat(np.arange(len(points)), 8)
    return coo_matrix((share.ravel(), (mesh.cells[cell].ravel(), column)), shape=(len(mesh.nodes), len(points))).tocsr()
