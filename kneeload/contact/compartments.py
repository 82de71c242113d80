"""From springs to the scalars of a compartment and the pressure fields."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.contact.cycle import CompartmentContact, SurfaceField
from kneeload.contact.solver import BodyFrames
from kneeload.contact.springs import SpringSet


def compartment(springs: SpringSet, frames: BodyFrames, groups: list[int], axis: NDArray[np.float64] | None, keep: slice) -> CompartmentContact:
    """Return the scalars of the surfaces `groups` over the kept frames.

    Args:
        springs, frames: of the body.
        groups: numbers of the surfaces of the compartment, all on one side.
        axis: (T, 3) no unit, femur frame; the force is the component of the contact force against it; None = size of the resultant.
        keep: frames.
    """
    force = frames.force[keep][:, groups].sum(axis=1)
    scalars = frames.scalars[keep][:, groups]
    total = scalars.sum(axis=1)
    area, normal = total[:, 0], total[:, 1]
    touching = area > 0.0
    safe_area, safe_normal = np.where(touching, area, 1.0), np.where(normal > 0.0, normal, 1.0)
    centre = np.where(touching[:, None], total[:, 2:] / safe_normal[:, None], np.nan)
    meniscus = [j for j, g in enumerate(groups) if "meniscus" in springs.names[g]]
    size = np.linalg.norm(force, axis=1) if axis is None else -(force * axis).sum(axis=1)
    return CompartmentContact(
        force=_fixed(size), peak_pressure=_fixed(frames.peak[keep, springs.side[groups[0]]]), mean_pressure=_fixed(np.where(touching, normal / safe_area, 0.0)), contact_area=_fixed(area),
        centre_of_pressure=_fixed(centre), meniscus_share=_fixed(scalars[:, meniscus, 1].sum(axis=1) / safe_normal),
    )


def surface_fields(springs: SpringSet, frames: BodyFrames) -> tuple[SurfaceField, ...]:
    """Return pressure and touched triangle of every surface of a body over the frames behind the lead."""
    return tuple(SurfaceField(name=name, pressure=_fixed(pressure), femur_triangle=_fixed(triangle))
                 for name, pressure, triangle in zip(springs.names, frames.pressure, frames.triangle))


def _fixed(values: NDArray) -> NDArray:
    array = np.ascontiguousarray(values)
    array.setflags(write=False)
    return array
