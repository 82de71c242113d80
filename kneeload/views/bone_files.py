"""finite_elements/*.vtu: the cubes of the finite elements with their stress, for ParaView and other programs that read VTK files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.comparison import BoneComparison
from kneeload.bone.finite_elements import BoneField
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.views.scene import Scene, cycle_percent, peak_frame
from kneeload.views.zones import posed_cubes

_FIELDS = {"vertical": "compressive_stress_mpa", "principal": "principal_compressive_stress_mpa", "pressure": "mean_pressure_mpa",
           "energy": "strain_energy_density_mpa"}


def write_bones(folder: Path | str, scene: Scene, bones: Mapping[str, BoneComparison]) -> list[Path]:
    """Write `finite_elements/<bone>.vtu` into `folder`: all cubes of each bone, posed and mirrored as in `kneeload.views.vtk_files.write_vtk`.

    Arrays per cell: largest_<name>, the largest over the frames, and at_peak_<name>, in the computed frame nearest to peak tibiofemoral force, of
    compressive_stress_mpa (along the normal of the articular surface above), principal_compressive_stress_mpa, mean_pressure_mpa and
    strain_energy_density_mpa (N mm per mm3); largest_half_space_compressive_stress_mpa (NaN outside the regions); modulus_mpa, depth_mm
    (below the bone surface) and moaks_region (number in the list moaks_region_names, -1 outside). With inclusions also
    largest_<name>_without_inclusions and modulus_without_inclusions_mpa.
    """
    import pyvista as pv

    target, posed, files = Path(folder) / "finite_elements", peak_frame(scene, "tibiofemoral"), []
    target.mkdir(parents=True, exist_ok=True)
    for name, item in bones.items():
        volume = item.field.volume
        grid = pv.UnstructuredGrid(*posed_cubes(scene, volume, posed))  # type: ignore[arg-type]
        near = int(np.abs(item.field.frames - posed).argmin())
        arrays: dict[str, NDArray] = {**_largest(item.field), **{f"at_peak_{label}": getattr(item.field, key)[near] for key, label in _FIELDS.items()},
                                      "largest_half_space_compressive_stress_mpa": item.half_space.max(axis=0), "modulus_mpa": item.field.modulus_mpa,
                                      "depth_mm": volume.depth_mm}
        if item.without is not None:
            arrays |= {f"{label}_without_inclusions": values for label, values in _largest(item.without).items()}
            arrays["modulus_without_inclusions_mpa"] = item.without.modulus_mpa
        for label, values in arrays.items():
            grid.cell_data[label] = values.astype(np.float32)
        grid.cell_data["moaks_region"] = volume.region.astype(np.int32)
        grid.field_data["moaks_region_names"] = list(MOAKS_REGIONS)
        grid.field_data["side"] = [scene.side]
        grid.field_data["peak_cycle_percent"] = [cycle_percent(scene, int(item.field.frames[near]))]
        grid.field_data["frame_of_reference"] = ["femur, mm, x anterior, y proximal, z " + ("lateral" if scene.side == "right" else "medial")]
        files.append(target / f"{name}.vtu")
        grid.save(files[-1], binary=True)
    return files


def _largest(field: BoneField) -> dict[str, NDArray[np.float32]]:
    """Return the largest of each field over the frames, (n,) MPa per cube."""
    return {f"largest_{label}": getattr(field, key).max(axis=0) for key, label in _FIELDS.items()}
