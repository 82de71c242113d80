"""A synthetic knee: flat plateaus, a cylindrical femur, a flat patella; loads are Gaussian bells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kneeload.contact.cycle import CompartmentContact, ContactCycle, SurfaceField
from kneeload.motion.motion import Motion
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy, Meniscus
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import ArticularSurface, LayerMaterial, TriangleMesh

MATERIAL = LayerMaterial(youngs_modulus_mpa=5.0, poisson_ratio=0.45)
R = {name: i for i, name in enumerate(MOAKS_REGIONS)}


def sheet(u: np.ndarray, v: np.ndarray, place) -> TriangleMesh:
    """A sheet of triangles over the grid u x v; `place(U, V)` gives the points; u cross v points outwards."""
    points = place(*np.meshgrid(u, v, indexing="ij")).reshape(-1, 3)
    n, m = len(u), len(v)
    corner = (np.arange(n - 1)[:, None] * m + np.arange(m - 1)).ravel()
    triangles = np.concatenate([np.stack([corner, corner + m, corner + m + 1], 1), np.stack([corner, corner + m + 1, corner + 1], 1)])
    return TriangleMesh(points=points, triangles=triangles.astype(np.int32))


def surface(name: str, body: str, mesh: TriangleMesh, region: np.ndarray, thickness: float = 2.0) -> ArticularSurface:
    count = mesh.triangles.shape[0]
    return ArticularSurface(name=name, body=body, mesh=mesh, thickness_mm=np.full(count, thickness), material=MATERIAL, region=region.astype(np.int8))


def flat_sheet(x: np.ndarray, z: np.ndarray, y: float = 0.0) -> TriangleMesh:
    """A horizontal sheet with its outside up (+y)."""
    return sheet(z, x, lambda a, b: np.stack([b, np.full_like(a, y), a], -1))


def _plateau(side: str, step: float) -> ArticularSurface:
    z = np.arange(8.0, 32.0 + step / 2, step)
    mesh = flat_sheet(np.arange(-20.0, 20.0 + step / 2, step), z if side == "lateral" else -z[::-1])
    x = mesh.centroids[:, 0]
    part = np.where(x > 7.0, "anterior", np.where(x < -7.0, "posterior", "central"))
    return surface(f"tibia_{side}", "tibia", mesh, np.array([R[f"tibia_{p}_{side}"] for p in part]))


def _femur(step: float) -> ArticularSurface:
    radius = 22.0
    angle = np.arange(-2.6, 2.0, step / radius)  # from straight down; positive forwards
    mesh = sheet(np.arange(-34.0, 34.0 + step / 2, step), angle,
                 lambda a, b: np.stack([radius * np.sin(b), radius - radius * np.cos(b), a], -1))
    centre = mesh.centroids
    turn = np.arctan2(centre[:, 0], radius - centre[:, 1])
    part = np.where(turn > 0.8, "trochlea", np.where(turn < -0.8, "posterior", "central"))
    side = np.where(centre[:, 2] < 0.0, "medial", "lateral")
    return surface("femur", "femur", mesh, np.array([R[f"femur_{p}_{s}"] for p, s in zip(part, side)]))


def _patella(step: float) -> ArticularSurface:
    mesh = sheet(np.arange(-17.0, 17.0 + step / 2, step), np.arange(-14.0, 14.0 + step / 2, step),
                 lambda a, b: np.stack([np.zeros_like(a), b, a], -1))
    region = np.where(mesh.centroids[:, 2] < 0.0, R["patella_medial"], R["patella_lateral"])
    return surface("patella", "patella", mesh, region)


def _meniscus(side: str, step: float) -> Meniscus:
    z = np.arange(24.0, 32.0 + step / 2, step)
    mesh = flat_sheet(np.arange(-16.0, 16.0 + step / 2, step), z if side == "lateral" else -z[::-1], y=4.0)
    x = mesh.centroids[:, 0]
    part = np.where(x > 7.0, "anterior", np.where(x < -7.0, "posterior", "central"))
    skin = surface(f"{side}_meniscus", "tibia", mesh, np.array([R[f"tibia_{p}_{side}"] for p in part]), thickness=4.0)
    count = mesh.triangles.shape[0]
    outward = np.tile([0.0, 0.0, 1.0 if side == "lateral" else -1.0], (count, 1))
    return Meniscus(surface=skin, tibial_thickness_mm=np.full(count, 2.0), outward=outward, cross_section_mm2=40.0, arc_length_mm=90.0,
                    hoop_radius_mm=20.0, extrusion_mm=0.0, hoop_fraction=1.0)


def make_anatomy(step: float = 1.5) -> KneeAnatomy:
    grid = np.ones((2, 2, 2))
    femur = _femur(step)
    medial, lateral = _plateau("medial", step), _plateau("lateral", step)
    return KneeAnatomy(
        name="synthetic", femur=femur,
        femur_level_set=LevelSet(coefficients=grid, origin_mm=np.zeros(3), spacing_mm=1.0, thickness_mm=grid.astype(np.float32),
                                 nearest_triangle=np.zeros((2, 2, 2), np.int32), band_mm=1.0),
        tibia_medial=medial, tibia_lateral=lateral, patella=_patella(step), medial_meniscus=_meniscus("medial", step),
        lateral_meniscus=_meniscus("lateral", step), covered_medial=medial.mesh.centroids[:, 2] < -24.0,
        covered_lateral=lateral.mesh.centroids[:, 2] > 24.0, bones={}, source_scale=np.ones(3), plateau_tilt=np.eye(3),
        contact_centres_flexion=np.zeros(1), contact_centres_mm=np.zeros((1, 2, 2)),
    )


def nearest(points: np.ndarray, to: np.ndarray) -> np.ndarray:
    from scipy.spatial import cKDTree

    return cKDTree(to).query(points)[1].astype(np.int32)


def make_motion(activity: str, *, frames: int = 101, cycle_s: float = 1.1, static: bool = False) -> Motion:
    zero = np.zeros(frames)
    return Motion(activity=activity, time=np.linspace(0.0, cycle_s, frames), stance=np.ones(frames, bool), knee_flexion=zero, hip_flexion=zero,
                  ankle_dorsiflexion=zero, knee_extension_moment=zero, knee_adduction_moment=zero, hip_extension_moment=None,
                  ankle_plantarflexion_moment=None, net_axial_force=zero, cycles_per_second=0.0 if static else 1.0 / cycle_s, source="synthetic")


def scalars(frames: int) -> CompartmentContact:
    zero = np.zeros(frames)
    return CompartmentContact(force=zero, peak_pressure=zero, mean_pressure=zero, contact_area=zero, centre_of_pressure=np.zeros((frames, 3)),
                              meniscus_share=zero)


def make_cycle(anatomy: KneeAnatomy, *, medial: float = 3.0, lateral: float = 2.0, patellofemoral: float = 2.0, frames: int = 101,
               width: float = 6.0, only: tuple[str, ...] | None = None) -> ContactCycle:
    """Pressure bells (peak in MPa) that move over the surfaces; menisci carry 40 % of the pressure of their side."""
    phase = np.linspace(0.0, 1.0, frames)
    femur = anatomy.femur.mesh.centroids
    fields = []
    surfaces = [(s.name, s) for s in (anatomy.tibia_medial, anatomy.tibia_lateral, anatomy.patella)]
    surfaces += [(m.surface.name, m.surface) for m in (anatomy.medial_meniscus, anatomy.lateral_meniscus) if m is not None]
    for name, skin in surfaces:
        centre = skin.mesh.centroids
        level = medial if "medial" in name else lateral if "lateral" in name else patellofemoral
        level *= 0.4 if "meniscus" in name else 1.0
        middle = centre.mean(axis=0)
        along = 1 if name == "patella" else 0
        shift = 5.0 * np.cos(2.0 * np.pi * phase)
        square = (centre[None, :, along] - middle[along] - shift[:, None]) ** 2 + (centre[:, 2] - middle[2])[None] ** 2
        pressure = level * np.sin(np.pi * np.clip(phase, 0.02, 0.98))[:, None] * np.exp(-square / (2 * width**2)) - 0.05 * level
        pressure = np.maximum(pressure, 0.0).astype(np.float32)
        if only is not None and name not in only:
            pressure[:] = 0.0
        place = centre if name != "patella" else np.stack([np.full(len(centre), 22.0), 22.0 + centre[:, 1], centre[:, 2]], 1)
        touched = np.tile(nearest(place, femur), (frames, 1))
        fields.append(SurfaceField(name=name, pressure=pressure, femur_triangle=np.where(pressure > 0, touched, -1).astype(np.int32)))
    pose = np.tile(np.eye(4), (frames, 1, 1))
    return ContactCycle(femur_from_tibia=pose, femur_from_patella=pose, medial=scalars(frames), lateral=scalars(frames),
                        patellofemoral=scalars(frames), fields=tuple(fields), ligament_names=(), ligament_force=np.zeros((frames, 0)),
                        patellar_tendon_force=np.zeros(frames), meniscus_expansion=np.zeros((frames, 2)), axial_load=np.zeros(frames),
                        residual=np.zeros((frames, 2)), iterations=np.zeros((frames, 2), np.int32), status=np.zeros((frames, 2), np.int8))


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthetic:
    """What the tests of this room work on."""

    anatomy: KneeAnatomy
    cycles: dict[str, ContactCycle]
    motions: dict[str, Motion]


def make_synthetic() -> Synthetic:
    """A day with five activities on one anatomy."""
    anatomy = make_anatomy()
    cycles = {
        "walking": make_cycle(anatomy), "stair_ascent": make_cycle(anatomy, medial=3.6, patellofemoral=5.0),
        "stair_descent": make_cycle(anatomy, medial=4.0, patellofemoral=5.5),
        "chair_rise": make_cycle(anatomy, medial=2.5, patellofemoral=4.5),
        "standing": make_cycle(anatomy, medial=1.5, lateral=1.2, patellofemoral=0.4),
    }
    motions = {name: make_motion(name, static=name == "standing") for name in cycles}
    return Synthetic(anatomy=anatomy, cycles=cycles, motions=motions)
