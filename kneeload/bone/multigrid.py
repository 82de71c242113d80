"""Many loads on one elastic body at once: conjugate gradients with algebraic multigrid, all right-hand sides in one matrix.

The hierarchy is that of pyamg (smoothed aggregation, Vanek, Mandel and Brezina 1996, doi 10.1007/BF02238511, with the rigid motions kept on the
coarse levels). A sparse matrix times many columns takes a third of the time of as many single products, so the cycle is written
here for columns: Chebyshev smoothing (Adams et al. 2003, doi 10.1016/S0021-9991(03)00194-3) in single precision, the coarsest level exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.hexahedra import missing
from kneeload.errors import InputError

Array = NDArray[np.float64]
_LOWEST = 0.2  # of the largest eigenvalue: what lies below is left to the coarse level
_DEGREE = 2
_POWERS = 20  # steps of the power method
_ABOVE = 1.15  # times what it finds after so many steps, which is a few percent low
_COARSEST = 100  # nodes of a level that is solved directly


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Level:
    matrix: Any
    scale: NDArray[np.float32]  # one over the diagonal, as a column
    largest: float  # eigenvalue of the scaled matrix
    restrict: Any
    prolong: Any


class Multigrid:
    """A preconditioner for a symmetric positive definite matrix, for columns."""

    def __init__(self, matrix: Any, motions: Array) -> None:
        try:
            import pyamg
        except ImportError:
            raise missing("pyamg", "solvers") from None
        from scipy.linalg import cho_factor

        hierarchy = pyamg.smoothed_aggregation_solver(matrix, B=motions, symmetry="symmetric", max_coarse=_COARSEST, presmoother=None,
                                                      postsmoother=None, smooth=("jacobi", {"weighting": "local"}))
        self.levels: list[_Level] = []
        for level in hierarchy.levels[:-1]:
            fine, scale = level.A.tocsr().astype(np.float32), (1.0 / level.A.diagonal()).astype(np.float32)
            self.levels.append(_Level(matrix=fine, scale=scale[:, None], largest=_ABOVE * _largest_eigenvalue(fine, scale),
                                      restrict=level.P.T.tocsr().astype(np.float32), prolong=level.P.tocsr().astype(np.float32)))
        self.coarsest = cho_factor(hierarchy.levels[-1].A.toarray())

    def apply(self, residual: Array) -> Array:
        """Return an approximate solution (n, k) for the columns of a residual (n, k)."""
        size = np.maximum(np.abs(residual).max(axis=0), 1e-300)
        out: Array = self._cycle((residual / size).astype(np.float32), 0).astype(np.float64) * size
        return out

    def _cycle(self, right: NDArray[np.float32], depth: int) -> NDArray[np.float32]:
        from scipy.linalg import cho_solve

        if depth == len(self.levels):
            exact: NDArray[np.float32] = cho_solve(self.coarsest, right.astype(np.float64)).astype(np.float32)
            return exact
        level = self.levels[depth]
        found = _smooth(level, right, None)
        found += level.prolong @ self._cycle(level.restrict @ (right - level.matrix @ found), depth + 1)
        return _smooth(level, right, found)


def _largest_eigenvalue(matrix: Any, scale: NDArray[np.float32]) -> float:
    """Return about the largest eigenvalue of scale (n,) times a matrix (n, n), by the power method."""
    vector = np.random.default_rng(0).standard_normal(len(scale)).astype(np.float32)
    for _ in range(_POWERS):
        vector = scale * (matrix @ (vector / np.linalg.norm(vector)))
    return float(np.linalg.norm(vector))


def _smooth(level: _Level, right: NDArray[np.float32], start: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Return the start (zero if None) after Chebyshev iteration on the upper part of the spectrum (Saad 2003, algorithm 12.1)."""
    high, low = level.largest, _LOWEST * level.largest
    centre, half = np.float32(0.5 * (high + low)), np.float32(0.5 * (high - low))
    sigma = centre / half
    rho = 1.0 / sigma
    residual = right if start is None else right - level.matrix @ start
    step = residual * level.scale / centre
    found = step.copy() if start is None else start + step
    for _ in range(_DEGREE - 1):
        residual = residual - level.matrix @ step
        after = 1.0 / (2.0 * sigma - rho)
        step = np.float32(after * rho) * step + np.float32(2.0 * after / half) * (residual * level.scale)
        rho = after
        found += step
    return found


def solve_columns(matrix: Any, motions: Array, right: Array, limit: Array, *, most_steps: int = 200) -> Array:
    """Return x (n, k) with matrix @ x = right (n, k) up to a residual of norm limit (k,) in each column.

    Raises:
        InputError: pyamg is not installed, or a column does not converge.
    """
    out, wanted = np.zeros_like(right), np.flatnonzero(np.linalg.norm(right, axis=0) > limit)
    if not wanted.size:
        return out
    grid, plain = Multigrid(matrix, motions), matrix.tocsr()
    found, residual = np.zeros((right.shape[0], wanted.size)), right[:, wanted].copy()
    direction = grid.apply(residual)
    product = np.einsum("nk,nk->k", residual, direction)
    for _ in range(most_steps):
        pushed = plain @ direction
        length = product / np.einsum("nk,nk->k", direction, pushed)
        found += length * direction
        residual -= length * pushed
        going = np.linalg.norm(residual, axis=0) > limit[wanted]
        if not going.all():
            out[:, wanted[~going]] = found[:, ~going]
            wanted, found, residual, direction, product = wanted[going], found[:, going], residual[:, going], direction[:, going], product[going]
            if not wanted.size:
                return out
        turned = grid.apply(residual)
        again = np.einsum("nk,nk->k", residual, turned)
        direction = turned + (again / product) * direction
        product = again
    raise InputError("finite elements", where="solver", got=f"no convergence in {most_steps} steps",
                     allowed="a residual below the tolerance",
                     why="stiffness differs too much between neighbouring cubes")
