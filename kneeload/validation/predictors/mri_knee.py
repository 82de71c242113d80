"""The MRI knee: contact in the poses of a stride, against the contact that OpenSim-JAM reports for the same meshes and poses."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.case import AnatomySource
from kneeload.contact.cycle_solver import solve_cycle
from kneeload.contact.stress import contact_stress
from kneeload.simulate import anatomy_of, run_activity
from kneeload.subject.person import Subject
from kneeload.subject.surface import ArticularSurface, LayerMaterial
from kneeload.units import MM_PER_M, PA_PER_MPA
from kneeload.validation.bench import Bench, Skipped, activity_of
from kneeload.validation.predictors.contact_activities import frames_in_equilibrium
from kneeload.validation.predictors.registry import predictor

FOLDER, POSES = "knee_mri", "walking_knee_poses.npz"
MATERIAL = LayerMaterial(youngs_modulus_mpa=10.0, poisson_ratio=0.45)  # both layers, as the source of the poses states
THICKNESS_MM = 3.0  # of each layer, same source
LEVEL_SPACING_MM = 1.5  # nodes of the femur's level set
COLUMN = {"tibia": "tf", "patella": "pf"}
QUANTITIES = ("force", "area", "largest_pressure")


@predictor
def mri_pose_error_pct(bench: Bench, subject: Subject, *, body: str, quantity: str, every: int = 1) -> float:
    """Median error of "force", "area" or "largest_pressure" (of one triangle) over the frames of a stride, %.

    With the source's law: linear, equal layers, depth along the normal of the casting body ("tibia" or "patella").
    """
    found = _frames(bench.file(f"{FOLDER}/{POSES}"), body, every)
    return float(100.0 * np.median(found[:, QUANTITIES.index(quantity)]))


@lru_cache(maxsize=8)
def _frames(file: Path, body: str, every: int) -> NDArray[np.float64]:
    """Relative errors of force, area and largest pressure, (frames, 3) no unit."""
    femur, casting = (ArticularSurface.from_mesh(file.parent / f"{name}_cartilage.stl", length_unit="m", thickness_mm=THICKNESS_MM,
                                                 material=MATERIAL, body=name) for name in ("femur", body))  # type: ignore[arg-type]
    key = COLUMN[body]
    errors = []
    with np.load(file) as known:
        poses, force = np.array(known[f"T_femur_{body}"]), np.linalg.norm(known[f"{key}_contact_force"], axis=1)
        area, highest = known[f"{key}_contact_area"] * MM_PER_M**2, known[f"{key}_max_pressure"] / PA_PER_MPA
        poses[:, :3, 3] *= MM_PER_M
    for frame in range(0, len(poses), every):
        found = contact_stress(casting, femur, poses[frame], depth="casting_normal", level_set_spacing_mm=LEVEL_SPACING_MM)
        errors.append((np.linalg.norm(found.force) / force[frame] - 1.0, found.area / area[frame] - 1.0, found.peak / highest[frame] - 1.0))
    return np.array(errors)


@predictor
def mri_frames_in_equilibrium_pct(bench: Bench, subject: Subject, *, activity: str = "walking") -> float:
    """Frames of an activity that the MRI knee with its menisci brings into equilibrium through the whole chain, %."""
    if bench.case.contact is None:
        raise Skipped("needs the contact: give --contact")
    folder = bench.file(f"{FOLDER}/manifest.yaml").parent
    case = replace(bench.case, subject=subject, anatomy=AnatomySource(name="meshes", folder=folder))
    anatomy = anatomy_of(case)
    loads = run_activity(replace(case, contact=None), anatomy, activity_of(activity, subject))
    cycle = solve_cycle(anatomy, loads.motion.knee_flexion, loads.loads, bench.case.contact)
    return float(100.0 * frames_in_equilibrium(replace(loads, contact=cycle)).mean())
