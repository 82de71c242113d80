"""Contact per compartment and per MOAKS region in every frame: force, area, mean and peak pressure, centre of pressure.

Regions of tibia and patella count their own triangles; a triangle of a meniscus counts for the plateau region whose triangle lies nearest below
it (in x and z). Regions of the femur count what touches them: each casting triangle for the region of the femoral triangle that it
touches. Area: triangles with pressure, whole ones (those at the rim count in part in `CompartmentContact`, so its areas are a little
smaller). The peak is the pressure that one per cent of that area exceeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from kneeload.contact.cycle import COMPARTMENTS, ContactCycle, SurfaceField
from kneeload.kernels import fields as kernels
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy
from kneeload.subject.surface import ArticularSurface, Body

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegionContact:
    """Contact of the MOAKS regions over a cycle (T frames, R = 15 regions in the order of MOAKS_REGIONS).

    Attributes:
        normal_force: (T, R) N; pressure times area.
        area: (T, R) mm2 that touches.
        mean_pressure: (T, R) MPa; normal force over area, 0 without contact.
        peak_pressure: (T, R) MPa; 99th area percentile of the pressure in contact.
        centre_of_pressure: (T, R, 3) mm, frame of the region's own bone (nan without contact).
    """

    normal_force: Array
    area: Array
    mean_pressure: Array
    peak_pressure: Array
    centre_of_pressure: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Part:
    """A casting surface as the regions see it (m triangles)."""

    body: Body
    pressure: NDArray[np.float32]
    touched: NDArray[np.int32]
    area: Array
    centre: Array
    region: NDArray[np.int64]


def region_contact(anatomy: KneeAnatomy, cycle: ContactCycle) -> RegionContact:
    """Return the contact of every MOAKS region (the subspinous one has no cartilage: zeros)."""
    parts = [_part(anatomy, cycle, field) for field in cycle.fields]
    frames, count = len(cycle.residual), len(MOAKS_REGIONS)
    force, area, peak = (np.zeros((frames, count)) for _ in range(3))
    moment = np.zeros((frames, count, 3))
    area_of = np.concatenate([part.area for part in parts])
    pressure = np.concatenate([part.pressure for part in parts], axis=1)
    femoral = np.append(anatomy.femur.region.astype(np.int64), -1)  # the last answers for "touches nothing"
    own, centre = np.concatenate([part.region for part in parts]), np.concatenate([part.centre for part in parts])
    touched = np.concatenate([part.touched for part in parts], axis=1)
    on_patella = np.repeat([part.body == "patella" for part in parts], [len(part.area) for part in parts])
    for k in range(frames):
        use = np.flatnonzero(pressure[k] > 0.0)
        press, part_area, at = pressure[k, use], area_of[use], centre[use]
        tibia, patella = cycle.femur_from_tibia[k], cycle.femur_from_patella[k]
        outside = np.where(on_patella[use, None], at @ patella[:3, :3].T + patella[:3, 3], at @ tibia[:3, :3].T + tibia[:3, 3])
        for label, where in ((own[use], at), (femoral[touched[k, use]], outside)):
            _add(label, where, press, part_area, (force[k], area[k], peak[k], moment[k]))
    safe_area, safe_force = np.where(area > 0.0, area, 1.0), np.where(force > 0.0, force, 1.0)
    return RegionContact(normal_force=_fixed(force), area=_fixed(area), mean_pressure=_fixed(np.where(area > 0.0, force / safe_area, 0.0)), peak_pressure=_fixed(peak),
                         centre_of_pressure=_fixed(np.where((force > 0.0)[..., None], moment / safe_force[..., None], np.nan)))


def contact_columns(anatomy: KneeAnatomy, cycle: ContactCycle) -> dict[str, list[str] | Array]:
    """Columns of contact.csv: one row per frame and place, the three compartments first, then the regions that have cartilage.

    Columns: cycle_percent, place, bone (whose frame the centre is in: x anterior, y proximal, z lateral), normal_force_n,
    contact_area_mm2, mean_pressure_mpa, peak_pressure_mpa, centre_x_mm, centre_y_mm, centre_z_mm.
    """
    regions, frames = region_contact(anatomy, cycle), len(cycle.residual)
    places, bones = [*COMPARTMENTS], ["tibia", "tibia", "patella"]
    parts = [getattr(cycle, name) for name in COMPARTMENTS]
    columns = [[part.mean_pressure * part.contact_area for part in parts], [part.contact_area for part in parts], [part.mean_pressure for part in parts],
               [part.peak_pressure for part in parts], *([part.centre_of_pressure[:, axis] for part in parts] for axis in range(3))]
    for r, name in _with_cartilage():
        places.append(name)
        bones.append(name.split("_")[0])
        for column, values in zip(columns, (regions.normal_force, regions.area, regions.mean_pressure, regions.peak_pressure)):
            column.append(values[:, r])
        for axis in range(3):
            columns[4 + axis].append(regions.centre_of_pressure[:, r, axis])
    names = ("normal_force_n", "contact_area_mm2", "mean_pressure_mpa", "peak_pressure_mpa", "centre_x_mm", "centre_y_mm", "centre_z_mm")
    return {
        "cycle_percent": np.repeat(np.linspace(0.0, 100.0, frames), len(places)), "place": places * frames, "bone": bones * frames,
        **{name: np.column_stack(column).ravel() for name, column in zip(names, columns)},
    }


def _with_cartilage() -> Iterator[tuple[int, str]]:
    return ((r, name) for r, name in enumerate(MOAKS_REGIONS) if name != "tibia_subspinous")


def _part(anatomy: KneeAnatomy, cycle: ContactCycle, field: SurfaceField) -> _Part:
    side = "medial" if "medial" in field.name else "lateral"
    if field.name.endswith("meniscus"):
        plateau: ArticularSurface = getattr(anatomy, f"tibia_{side}")
        meniscus = getattr(anatomy, f"{side}_meniscus")
        surface: ArticularSurface = meniscus.surface
        below = cKDTree(plateau.centroids[:, [0, 2]]).query(surface.centroids[:, [0, 2]])[1]
        region = plateau.region[below]
    else:
        surface = anatomy.patella if field.name == "patella" else getattr(anatomy, field.name)
        region = surface.region
    return _Part(body=surface.body, pressure=field.pressure, touched=field.femur_triangle, area=surface.areas, centre=surface.centroids,
                 region=region.astype(np.int64))


def _add(label: NDArray[np.int64], where: Array, pressure: NDArray[np.float32], area: Array, totals: tuple[Array, Array, Array, Array]) -> None:
    """Add triangles that touch (u of them, with their region and place) to force, area, peak (R,) and moment (R, 3) of one frame."""
    known = label >= 0
    label, where, pressure, area = label[known], where[known], pressure[known], area[known]
    force, whole, peak, moment = totals
    weight = pressure.astype(float) * area
    whole += np.bincount(label, area, len(force))
    force += np.bincount(label, weight, len(force))
    for axis in range(3):
        moment[:, axis] += np.bincount(label, weight * where[:, axis], len(force))
    _peaks(pressure, area, label, peak)


def _peaks(pressure: NDArray[np.float32], area: Array, label: NDArray[np.int64], peak: Array) -> None:
    """Set the peak (R,) MPa of each region that touches in one frame."""
    order = np.argsort(label, kind="stable")
    number = np.arange(len(peak) + 1)
    border = np.searchsorted(label[order], number)
    for r in np.flatnonzero(np.diff(border)):
        peak[r] = kernels.area_percentile(pressure[order].astype(float), area[order], border, number[:-1], r, kernels.PEAK_SHARE)


def _fixed(values: Array) -> Array:
    values.setflags(write=False)
    return values
