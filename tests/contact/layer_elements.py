"""Finite elements of a bonded elastic layer under a smooth rigid sphere: axisymmetric, quadratic, small strain, no friction."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

GAUSS = (np.sqrt(0.6) * np.array([-1.0, 0.0, 1.0]), np.array([5.0, 8.0, 5.0]) / 9.0)


def _shape(t: float) -> tuple[np.ndarray, np.ndarray]:
    """Quadratic shape functions of nodes -1, 0, 1 and their derivatives."""
    return np.array([0.5 * t * (t - 1.0), 1.0 - t * t, 0.5 * t * (t + 1.0)]), np.array([t - 0.5, -2.0 * t, t + 0.5])


def _element(r: np.ndarray, z: np.ndarray, elasticity: np.ndarray) -> np.ndarray:
    """Stiffness (18, 18) of a nine-node rectangle with node radii r (3,) and heights z (3,); unknowns (u_r, u_z) per node, r slowest."""
    total = np.zeros((18, 18))
    half_r, half_z = 0.5 * (r[2] - r[0]), 0.5 * (z[2] - z[0])
    for s, ws in zip(*GAUSS):
        for t, wt in zip(*GAUSS):
            (a, da), (b, db) = _shape(s), _shape(t)
            radius = a @ r
            value, along_r, along_z = np.outer(a, b).ravel(), np.outer(da, b).ravel() / half_r, np.outer(a, db).ravel() / half_z
            strain = np.zeros((4, 18))
            strain[0, 0::2], strain[1, 1::2], strain[2, 0::2] = along_r, along_z, value / radius
            strain[3, 0::2], strain[3, 1::2] = along_z, along_r
            total += strain.T @ elasticity @ strain * (2.0 * np.pi * radius * ws * wt * half_r * half_z)
    return total


def elasticity_matrix(modulus: float, poisson: float) -> np.ndarray:
    """Stress (r, z, hoop, shear rz) from strain, (4, 4) MPa."""
    lame, shear = modulus * poisson / ((1.0 + poisson) * (1.0 - 2.0 * poisson)), modulus / (2.0 * (1.0 + poisson))
    matrix = np.full((4, 4), lame)
    matrix[3], matrix[:, 3] = 0.0, 0.0
    return matrix + np.diag([2.0 * shear] * 3 + [shear])


def sphere_on_layer(radius_mm: float, depth_mm: float, thickness_mm: float, modulus_mpa: float, poisson: float, *, across: int = 32,
                    through: int = 3) -> float:
    """Force (N) of a rigid sphere pressed a small depth into a layer bonded to rigid ground.

    The layer reaches to three times the patch that the foundation would touch (plus four thicknesses). Which nodes of the face touch is found
    by taking in those that the sphere would cut and letting go of those that it would pull.
    """
    patch = np.sqrt(2.0 * radius_mm * depth_mm)
    inner = np.linspace(0.0, 1.3 * patch, across + 1)
    outer = np.geomspace(1.3 * patch, 3.0 * patch + 4.0 * thickness_mm, across // 3 + 1)[1:]
    corners = np.concatenate([inner, outer])
    r = np.sort(np.concatenate([corners, 0.5 * (corners[1:] + corners[:-1])]))
    z = np.linspace(0.0, thickness_mm, 2 * through + 1)
    stiffness = _assembled(r, z, elasticity_matrix(modulus_mpa, poisson))
    node = np.arange(len(r) * len(z)).reshape(len(r), len(z))
    held = np.zeros(2 * node.size, bool)
    held[2 * node[:, 0]], held[2 * node[:, 0] + 1], held[2 * node[0]] = True, True, True
    top = 2 * node[:, -1] + 1
    wanted = -(depth_mm - r**2 / (2.0 * radius_mm))
    touching = wanted < 0.0
    # condensed onto the vertical motion of the face: the touching set then costs only small solves
    face = top
    rest = np.setdiff1d(np.flatnonzero(~held), face)
    solve = splu(stiffness[rest][:, rest].tocsc())
    coupling = stiffness[rest][:, face].toarray()
    small = stiffness[face][:, face].toarray() - coupling.T @ solve.solve(coupling)
    for _ in range(60):
        u = np.where(touching, wanted, 0.0)
        free = ~touching
        u[free] = np.linalg.solve(small[np.ix_(free, free)], -small[np.ix_(free, touching)] @ u[touching])
        reaction = small @ u  # upwards on the face is a pull
        new = (touching & (reaction <= 0.0)) | (free & (u > wanted + 1e-12))
        if np.array_equal(new, touching):
            break
        touching = new
    return float(-reaction[touching].sum())


def _assembled(r: np.ndarray, z: np.ndarray, elasticity: np.ndarray) -> sparse.csr_matrix:
    rows, columns, values = [], [], []
    number = np.arange(len(r) * len(z)).reshape(len(r), len(z))
    for i in range(0, len(r) - 2, 2):
        for j in range(0, len(z) - 2, 2):
            nodes = number[i:i + 3, j:j + 3].ravel()
            unknown = np.stack([2 * nodes, 2 * nodes + 1], axis=1).ravel()
            values.append(_element(r[i:i + 3], z[j:j + 3], elasticity).ravel())
            rows.append(np.repeat(unknown, 18))
            columns.append(np.tile(unknown, 18))
    size = 2 * number.size
    return sparse.coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(size, size)).tocsr()
