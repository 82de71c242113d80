"""Stress below a loaded surface: influence of disc loads, the full tensor, its invariants, and closed forms to hold them against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.kernels.halfspace import COSINES, RING_WEIGHTS, RINGS, fill_influence
from kneeload.kernels.stress_tensor import fill_disc_stress

Array = NDArray[np.float64]
SHALLOWEST = 0.8  # radii; nearer to the surface the rule over the disc is off by more than 1 % of the largest stress


def influence(points: Array, normals: Array, sources: Array, source_normals: Array, radii: Array, depths: Array) -> NDArray[np.float32]:
    """Vertical compressive stress at depth below surface points for a unit normal force on each source disc.

    The half-space of a point has its surface in the tangent plane there. The lateral distance is the chord from the point to the
    source (an unrolling of the curved surface), and a source counts with the part of its force that is normal to that plane;
    the tangential part is left out. Exact on a flat surface, an approximation where the surface turns within about two depths.

    Args:
        points: (n, 3) mm, frame of the bone; surface points.
        normals: (n, 3) no unit, same frame; outward unit normals there.
        sources: (p, 3) mm, same frame; centres of the discs.
        source_normals: (p, 3) no unit, same frame; outward unit normals of the discs.
        radii: (p,) mm; disc radii.
        depths: (d,) mm below the surface; each at least 0.8 of the largest radius.

    Returns:
        (d, n, p) MPa per N, compression positive.

    Raises:
        InputError: a depth is too close to the surface for the discs.
    """
    largest = float(radii.max(initial=0.0))
    if depths.size and depths.min() < SHALLOWEST * largest:
        raise InputError("depth", where="bone.depths_mm", got=float(depths.min()), allowed=f"{SHALLOWEST * largest:.2f} mm or more",
                         why="nearer to the surface the patches of the load would be seen one by one")
    everywhere = np.arange(sources.shape[0])
    turned = fill_discs(np.ascontiguousarray(points.T), np.ascontiguousarray(normals.T), sources, source_normals, radii, everywhere, depths)
    return np.swapaxes(turned, 1, 2)


def fill_discs(points: Array, normals: Array, sources: Array, source_normals: Array, radii: Array, chosen: NDArray[np.int64],
               depths: Array) -> NDArray[np.float32]:
    """Return what `influence` returns as (d, c, n) MPa per N, one row per source of the chosen (c,); points and normals (3, n), no check."""
    out = np.empty((depths.shape[0], chosen.shape[0], points.shape[1]), np.float32)
    fill_disc_rows(points, normals, sources, source_normals, radii, chosen, depths, np.arange(chosen.shape[0]), out)
    return out


def fill_disc_rows(points: Array, normals: Array, sources: Array, source_normals: Array, radii: Array, chosen: NDArray[np.int64], depths: Array,
                   rows: NDArray[np.int64], out: NDArray[np.float32]) -> None:
    """Write the rows of `fill_discs` to the rows (c,) of out (d, r, n) MPa per N."""
    fill_influence(points, normals, sources, source_normals, radii, chosen, depths, RINGS, RING_WEIGHTS, COSINES, rows, out)


def disc_stress(points: Array, centres: Array, forces: Array, radii: Array, poisson_ratio: float) -> Array:
    """Stress tensor in a flat half-space under discs of uniform traction (Johnson 1985, Contact Mechanics, sections 3.2 and 3.6).

    Args:
        points: (n, 3) mm; x, y in the surface, z the depth into the solid.
        centres: (p, 2) mm; disc centres in the surface.
        forces: (p,) N, total force of each disc, pressing into the solid; or (p, 3) N, its parts along x, along y and into the solid.
        radii: (p,) mm.
        poisson_ratio: of the solid, no unit.

    Returns:
        (n, 6) MPa; xx, yy, zz, xy, yz, zx, tension positive.
    """
    out = np.zeros((points.shape[0], 6))
    parts = forces if forces.ndim == 2 else np.column_stack([np.zeros((forces.shape[0], 2)), forces])
    fill_disc_stress(points, centres, np.ascontiguousarray(parts, np.float64), radii, poisson_ratio, RINGS, RING_WEIGHTS, out)
    return out


def von_mises(stress: Array) -> Array:
    """Von Mises stress, (...,) MPa, of stress (..., 6) MPa (xx, yy, zz, xy, yz, zx)."""
    xx, yy, zz, xy, yz, zx = np.moveaxis(stress, -1, 0)
    return np.sqrt(0.5 * ((xx - yy) ** 2 + (yy - zz) ** 2 + (zz - xx) ** 2) + 3.0 * (xy**2 + yz**2 + zx**2))


def strain_energy_density(stress: Array, youngs_modulus_mpa: float, poisson_ratio: float) -> Array:
    """Elastic energy per volume, (...,) MPa (= N mm per mm3), of stress (..., 6) MPa: Hooke's isotropic law."""
    xx, yy, zz, xy, yz, zx = np.moveaxis(stress, -1, 0)
    direct = xx**2 + yy**2 + zz**2 - 2.0 * poisson_ratio * (xx * yy + yy * zz + zz * xx)
    return (direct + 2.0 * (1.0 + poisson_ratio) * (xy**2 + yz**2 + zx**2)) / (2.0 * youngs_modulus_mpa)


def point_load_axis(force_n: float, depth_mm: Array | float) -> Array | float:
    """Compressive stress under a point load, MPa: 3 Q / (2 pi z^2) (Boussinesq)."""
    return 3.0 * force_n / (2.0 * np.pi * depth_mm**2)


def circular_patch_axis(pressure_mpa: float, radius_mm: float, depth_mm: Array | float) -> Array | float:
    """Compressive stress on the axis of a uniform circular patch, MPa: q (1 - (1 + (a/z)^2)^(-3/2))."""
    return pressure_mpa * (1.0 - (1.0 + (radius_mm / depth_mm) ** 2) ** -1.5)


def hertz_axis(peak_pressure_mpa: float, radius_mm: float, depth_mm: Array | float) -> Array | float:
    """Compressive stress on the axis of a Hertz contact, MPa: p0 / (1 + z^2 / a^2)."""
    return peak_pressure_mpa / (1.0 + (depth_mm / radius_mm) ** 2)
