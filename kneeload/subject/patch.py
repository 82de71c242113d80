"""Smooth height fields over a plane: tensor-product cubic B-splines on uniform knots, inside a smooth closed outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve
from scipy.spatial import Delaunay


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplinePatch:
    """A function f(u, v) = sum_ij c[i,j] B((u - u0)/h - i) B((v - v0)/h - j), B the centred cubic B-spline; both axes have their own h.

    Attributes:
        coefficients: (nu, nv) mm.
        origin_mm: (2,) mm; u and v of coefficient (0, 0).
        spacing_mm: (2,) mm; knot distance along u and v.
    """

    coefficients: NDArray[np.float64]
    origin_mm: NDArray[np.float64]
    spacing_mm: NDArray[np.float64]

    def __call__(self, u: NDArray[np.float64], v: NDArray[np.float64], du: int = 0, dv: int = 0) -> NDArray[np.float64]:
        """Value (or the derivative of order du, dv, each 0 to 2) at points u, v in mm; beyond the grid the value at its border."""
        shape = self.coefficients.shape
        first, wu = _weights((np.asarray(u) - self.origin_mm[0]) / self.spacing_mm[0], shape[0], du)
        second, wv = _weights((np.asarray(v) - self.origin_mm[1]) / self.spacing_mm[1], shape[1], dv)
        local = self.coefficients[first[..., :, None], second[..., None, :]]
        value: NDArray[np.float64] = np.einsum("...ij,...i,...j->...", local, wu, wv)
        return value / (self.spacing_mm[0] ** du * self.spacing_mm[1] ** dv)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """A smooth closed curve r(angle) = a0 + sum_k a_k cos(k angle) + b_k sin(k angle) about a centre, stretched per axis.

    Attributes:
        centre_mm: (2,) mm; u and v of the centre.
        cosine: (n,) mm; a_k, k = 0 to n - 1.
        sine: (n,) mm; b_k (b_0 unused).
        stretch: (2,) no unit; factor on the distance from the centre along u and v.
    """

    centre_mm: NDArray[np.float64]
    cosine: NDArray[np.float64]
    sine: NDArray[np.float64]
    stretch: NDArray[np.float64]

    def radius(self, angle: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unstretched radius in mm at angles in rad (from u towards v)."""
        k = np.arange(len(self.cosine))
        phase = np.multiply.outer(np.asarray(angle), k)
        value: NDArray[np.float64] = np.cos(phase) @ self.cosine + np.sin(phase) @ self.sine
        return value

    def points(self, angle: NDArray[np.float64], share: float | NDArray[np.float64] = 1.0) -> NDArray[np.float64]:
        """Points (n, 2) in mm at angles in rad and a share (1 = on the curve) of the radius."""
        direction = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        return self.centre_mm + self.stretch * direction * (self.radius(angle) * share)[..., None]

    def share(self, uv: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance of points (n, 2) mm from the centre as a share of the radius in their direction (below 1 = inside)."""
        offset = (np.asarray(uv) - self.centre_mm) / self.stretch
        return np.hypot(offset[..., 0], offset[..., 1]) / self.radius(np.arctan2(offset[..., 1], offset[..., 0]))

    def clamped(self, uv: NDArray[np.float64], share: float = 1.0) -> NDArray[np.float64]:
        """Points (n, 2) mm drawn back along their radius to at most `share` of it."""
        over = np.maximum(self.share(uv) / share, 1.0)
        return self.centre_mm + (np.asarray(uv) - self.centre_mm) / over[..., None]


def scaled_patch(patch: SplinePatch, height: float, plane: NDArray[np.float64]) -> SplinePatch:
    """The patch with heights times `height` and u, v times `plane` (2,); no unit."""
    return SplinePatch(coefficients=patch.coefficients * height, origin_mm=patch.origin_mm * plane, spacing_mm=patch.spacing_mm * plane)


def scaled_outline(outline: Outline, plane: NDArray[np.float64]) -> Outline:
    """The outline with u, v times `plane` (2,); no unit."""
    return Outline(centre_mm=outline.centre_mm * plane, cosine=outline.cosine, sine=outline.sine, stretch=outline.stretch * plane)


def fit_patch(uv: NDArray[np.float64], value: NDArray[np.float64], *, knot_mm: float, stiffness: float, margin_mm: float = 6.0) -> SplinePatch:
    """Least-squares patch through scattered values with a bending penalty.

    Args:
        uv: (n, 2) mm.
        value: (n,) mm.
        knot_mm: knot distance, mm.
        stiffness: weight of the squared second differences of the coefficients against one data point, no unit.
        margin_mm: how far the patch reaches beyond the data, mm.
    """
    low, high = uv.min(axis=0) - margin_mm, uv.max(axis=0) + margin_mm
    nu, nv = (int(n) for n in np.ceil((high - low) / knot_mm) + 1)
    shape = (nu, nv)
    rows = np.repeat(np.arange(len(uv)), 16)
    first, wu = _weights((uv[:, 0] - low[0]) / knot_mm, shape[0], 0)
    second, wv = _weights((uv[:, 1] - low[1]) / knot_mm, shape[1], 0)
    columns = (first[:, :, None] * shape[1] + second[:, None, :]).ravel()
    design = sparse.csr_matrix(((wu[:, :, None] * wv[:, None, :]).ravel(), (rows, columns)), shape=(len(uv), shape[0] * shape[1]))
    bend = [_bending(n) for n in shape]
    slope = [sparse.diags([-1.0, 1.0], [0, 1], shape=(n - 1, n)) for n in shape]
    eye = [sparse.identity(n) for n in shape]
    terms = [sparse.kron(bend[0], eye[1]), sparse.kron(eye[0], bend[1]), np.sqrt(2.0) * sparse.kron(slope[0], slope[1])]
    penalty = sum((term.T @ term for term in terms), start=sparse.csr_matrix((shape[0] * shape[1],) * 2))
    solution = np.asarray(spsolve((design.T @ design + stiffness * penalty).tocsc(), design.T @ value))
    return SplinePatch(coefficients=solution.reshape(shape), origin_mm=low, spacing_mm=np.full(2, float(knot_mm)))


def fit_outline(uv: NDArray[np.float64], *, harmonics: int, inset_mm: float) -> Outline:
    """Fourier outline through boundary points (n, 2) mm, drawn inwards by `inset_mm`."""
    centre = 0.5 * (uv.min(axis=0) + uv.max(axis=0))
    offset = uv - centre
    angle, radius = np.arctan2(offset[:, 1], offset[:, 0]), np.hypot(offset[:, 0], offset[:, 1]) - inset_mm
    k = np.arange(harmonics + 1)
    design = np.hstack([np.cos(np.outer(angle, k)), np.sin(np.outer(angle, k[1:]))])
    solution = np.linalg.lstsq(design, radius, rcond=None)[0]
    return Outline(centre_mm=centre, cosine=solution[: harmonics + 1], sine=np.concatenate([[0.0], solution[harmonics + 1:]]), stretch=np.ones(2))


def triangulate(outline: Outline, *, triangles_per_mm2: float) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return points (n, 2) in mm inside the outline and on it, and triangles (m, 3) counter-clockwise in (u, v)."""
    edge = np.sqrt(4.0 / (np.sqrt(3.0) * triangles_per_mm2))
    angle = np.linspace(0.0, 2.0 * np.pi, 721)
    ring = outline.points(angle)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(ring, axis=0).T))])
    at = np.interp(np.linspace(0.0, along[-1], max(12, round(along[-1] / edge)), endpoint=False), along, angle)
    border = outline.points(at)
    low, high = ring.min(axis=0) - edge, ring.max(axis=0) + edge
    u, v = np.meshgrid(np.arange(low[0], high[0], edge), np.arange(low[1], high[1], edge * np.sqrt(0.75)), indexing="ij")
    u = u + 0.5 * edge * (np.arange(u.shape[1]) % 2)
    lattice = np.stack([u.ravel(), v.ravel()], axis=1)
    radius = np.hypot(*(lattice - outline.centre_mm).T)
    share = outline.share(lattice)
    inner = lattice[(share < 1.0) & (radius / np.maximum(share, 1e-9) - radius > 0.55 * edge)]
    points = np.vstack([border, inner])
    faces = Delaunay(points).simplices.astype(np.int32)
    a, b, c = (points[faces[:, i]] for i in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    faces[area < 0.0] = faces[area < 0.0][:, ::-1]
    kept = (outline.share(points[faces].mean(axis=1)) < 1.0) & (np.abs(area) > 0.02 * edge**2)
    return points, np.ascontiguousarray(faces[kept])


def _bending(n: int) -> sparse.spmatrix:
    return sparse.diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(n - 2, n))


def _weights(t: NDArray[np.float64], nodes: int, order: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Indices and weights (..., 4) of the cubic B-spline (derivative of `order`) at t in knot units, clamped to the full-support range."""
    clamped = np.clip(np.asarray(t, dtype=np.float64), 1.0, nodes - 2.0 - 1e-9)
    cell = np.floor(clamped).astype(np.int64)
    f = (clamped - cell)[..., None]
    powers = np.concatenate([np.ones_like(f), f, f**2, f**3], axis=-1)
    matrix = np.array([[1, -3, 3, -1], [4, 0, -6, 3], [1, 3, 3, -3], [0, 0, 0, 1]]) / 6.0
    for _ in range(order):
        matrix = np.hstack([matrix[:, 1:] * np.arange(1, 4), np.zeros((4, 1))])
    return cell[..., None] + np.arange(-1, 3), powers @ matrix.T
