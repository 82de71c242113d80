"""A small knee of balls and discs, so that the views are tested without any mesh file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from kneeload.contact.cycle import CompartmentContact, ContactCycle, SurfaceField
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy, Meniscus
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import ArticularSurface, Body, LayerMaterial, TriangleMesh
from kneeload.views.scene import Scene

FRAMES = 11
PEAK_TF, PEAK_PF = 3, 7  # frames of peak tibiofemoral and patellofemoral force
RADIUS = 20.0
PEAKS = {"tibia_medial": 6.0, "tibia_lateral": 3.5, "medial_meniscus": 2.5, "patella": 4.2}
Array = NDArray[np.float64]


def ball(centre: tuple[float, float, float], radius: float, rings: int = 20) -> TriangleMesh:
    """A closed sphere with outward normals."""
    polar, around = np.linspace(0.0, np.pi, rings), np.linspace(0.0, 2.0 * np.pi, 2 * rings, endpoint=False)
    p, a = np.meshgrid(polar[1:-1], around, indexing="ij")
    middle = np.stack([np.sin(p) * np.cos(a), np.cos(p), -np.sin(p) * np.sin(a)], axis=-1).reshape(-1, 3)
    points = np.concatenate([middle, [[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]]]) * radius + np.array(centre)
    n, rows = 2 * rings, rings - 2
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(n), indexing="ij")
    a0, b0, a1, b1 = i * n + j, i * n + (j + 1) % n, (i + 1) * n + j, (i + 1) * n + (j + 1) % n
    k = np.arange(n)
    caps = [np.stack([np.full(n, rows * n), k, (k + 1) % n], axis=1), np.stack([np.full(n, rows * n + 1), (rows - 1) * n + (k + 1) % n, (rows - 1) * n + k], axis=1)]
    sides = [np.stack([a0, a1, b1], axis=-1).reshape(-1, 3), np.stack([a0, b1, b0], axis=-1).reshape(-1, 3)]
    return TriangleMesh(points=points, triangles=np.concatenate(sides + caps).astype(np.int32))


def sheet(height: Callable[[Array, Array], Array], centre: tuple[float, float], half: float, keep: Callable[[Array, Array], NDArray[np.bool_]],
          step: float = 1.0) -> TriangleMesh:
    """A sheet y = height(x, z) with normals up, of the triangles whose middle `keep` wants."""
    line = np.arange(-half, half + step / 2, step)
    x, z = np.meshgrid(line + centre[0], line + centre[1], indexing="ij")
    points = np.stack([x, height(x, z), z], axis=-1).reshape(-1, 3)
    n = len(line)
    i, j = np.meshgrid(np.arange(n - 1), np.arange(n - 1), indexing="ij")
    a, b, c, d = (q.ravel() for q in (i * n + j, i * n + j + 1, (i + 1) * n + j + 1, (i + 1) * n + j))
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    middle = points[triangles].mean(axis=1)
    triangles = triangles[keep(middle[:, 0] - centre[0], middle[:, 2] - centre[1])]
    used, number = np.unique(triangles, return_inverse=True)
    return TriangleMesh(points=points[used], triangles=number.reshape(triangles.shape).astype(np.int32))


def surface(name: str, body: Body, mesh: TriangleMesh, thickness: float | Array, region: int | NDArray[np.int8]) -> ArticularSurface:
    count = len(mesh.triangles)
    return ArticularSurface(name=name, body=body, mesh=mesh, thickness_mm=np.broadcast_to(np.asarray(thickness, float), count).copy(),
                            material=LayerMaterial(youngs_modulus_mpa=10.0, poisson_ratio=0.45),
                            region=np.broadcast_to(np.asarray(region, np.int8), count).copy())


def merged(*meshes: TriangleMesh) -> TriangleMesh:
    shift = np.cumsum([0, *(len(mesh.points) for mesh in meshes)])
    return TriangleMesh(points=np.concatenate([mesh.points for mesh in meshes]),
                        triangles=np.concatenate([mesh.triangles + start for mesh, start in zip(meshes, shift)]).astype(np.int32))


def ball_anatomy() -> KneeAnatomy:
    """Two condyle balls on two flat plateaus, a ring on the medial one, a third ball behind a flat kneecap; lateral (z > 0) is the smaller ball."""
    femur = merged(ball((0.0, 0.0, -22.0), RADIUS, 36), ball((0.0, -3.0, 22.0), 17.0, 36), ball((1.0, 0.0, 0.0), RADIUS, 36))
    bare = femur.points[femur.triangles].mean(axis=1)[:, 1] > 8.0
    disc, ring = (lambda x, z: np.hypot(x, z) < 16.0), (lambda x, z: (np.hypot(x, z) < 17.0) & (np.hypot(x, z) > 9.0))
    medial, lateral = (sheet(lambda x, z: np.full_like(x, -RADIUS), (0.0, side * 22.0), 18.0, disc) for side in (-1.0, 1.0))
    wedge = sheet(lambda x, z: -RADIUS + 0.2 * np.maximum(np.hypot(x, z + 22.0) - 9.0, 0.0), (0.0, -22.0), 18.0, ring)
    cap = sheet(lambda x, z: np.full_like(x, -21.0), (0.0, 0.0), 15.0, disc)
    cap = TriangleMesh(points=np.stack([-cap.points[:, 1], cap.points[:, 0], cap.points[:, 2]], axis=1), triangles=cap.triangles)  # faces -x
    middle = wedge.points[wedge.triangles].mean(axis=1) - np.array([0.0, 0.0, -22.0])
    outward = middle * np.array([1.0, 0.0, 1.0])
    meniscus = Meniscus(surface=surface("medial_meniscus", "tibia", wedge, 1.5, -1), tibial_thickness_mm=np.full(len(wedge.triangles), 2.0),
                        outward=outward / np.linalg.norm(outward, axis=1, keepdims=True), cross_section_mm2=30.0, arc_length_mm=80.0, hoop_radius_mm=13.0,
                        extrusion_mm=0.0, hoop_fraction=1.0)
    under = np.linalg.norm(medial.points[medial.triangles].mean(axis=1)[:, [0, 2]] - np.array([0.0, -22.0]), axis=1) > 9.0
    empty = LevelSet(coefficients=np.zeros((2, 2, 2)), origin_mm=np.zeros(3), spacing_mm=1.0, thickness_mm=np.zeros((2, 2, 2), np.float32),
                     nearest_triangle=np.zeros((2, 2, 2), np.int32), band_mm=1.0)
    place = MOAKS_REGIONS.index
    return KneeAnatomy(
        name="balls", femur=surface("femur", "femur", femur, np.where(bare, 0.0, 2.0), -1), femur_level_set=empty,
        tibia_medial=surface("tibia_medial", "tibia", medial, 2.0, place("tibia_central_medial")),
        tibia_lateral=surface("tibia_lateral", "tibia", lateral, 2.0, place("tibia_central_lateral")),
        patella=surface("patella", "patella", cap, 3.0, np.where(np.arange(len(cap.triangles)) % 2 == 0, place("patella_lateral"), -1).astype(np.int8)),
        medial_meniscus=meniscus, lateral_meniscus=None, covered_medial=under, covered_lateral=np.zeros(len(lateral.triangles), bool),
        bones={"femur": ball((0.0, 20.0, 0.0), 30.0), "tibia": ball((0.0, -52.0, 0.0), 31.0), "patella": ball((32.0, 0.0, 0.0), 10.0)},
        source_scale=np.ones(3), plateau_tilt=np.eye(3), contact_centres_flexion=np.zeros(1), contact_centres_mm=np.zeros((1, 2, 2)),
    )


def _field(anatomy: KneeAnatomy, name: str, curve: Array) -> SurfaceField:
    """A round patch of pressure, 4 mm wide (standard deviation), in the middle of a surface, zero below a twentieth of its peak."""
    held = anatomy.medial_meniscus.surface if name == "medial_meniscus" and anatomy.medial_meniscus else getattr(anatomy, name)
    middle = held.mesh.points[held.mesh.triangles].mean(axis=1)
    centre = np.array([0.0, -RADIUS, -10.0]) if name == "medial_meniscus" else held.mesh.points.mean(axis=0)
    shape = np.exp(-0.5 * ((middle - centre) ** 2).sum(axis=1) / 16.0)
    if name == "tibia_medial":
        shape = np.where(anatomy.covered_medial, 0.0, shape)
    value = PEAKS[name] * np.where(shape > 0.05, shape, 0.0)[None] * curve[:, None]
    return SurfaceField(name=name, pressure=value.astype(np.float32), femur_triangle=np.where(value > 0.0, 0, -1).astype(np.int32))


def ball_scene(side: str = "right", flexion: float = 0.0, **changes: object) -> Scene:
    """The knee of balls over 11 frames: tibiofemoral force peaks in frame 3, patellofemoral force in frame 7."""
    anatomy = ball_anatomy()
    steps = np.arange(FRAMES)
    tf, pf = np.exp(-0.5 * ((steps - PEAK_TF) / 2.0) ** 2), np.exp(-0.5 * ((steps - PEAK_PF) / 2.0) ** 2)
    pose = np.tile(np.eye(4), (FRAMES, 1, 1))
    pose[:, :2, :2] = [[np.cos(flexion), np.sin(flexion)], [-np.sin(flexion), np.cos(flexion)]]  # Rz(-flexion): the shin points backwards
    fields = tuple(_field(anatomy, name, pf if name == "patella" else tf) for name in PEAKS)

    def part(force: float, curve: Array, peak: float) -> CompartmentContact:
        return CompartmentContact(force=force * curve, peak_pressure=peak * curve, mean_pressure=0.5 * peak * curve, contact_area=np.full(FRAMES, 200.0),
                                  centre_of_pressure=np.zeros((FRAMES, 3)), meniscus_share=np.full(FRAMES, 0.4))

    contact = ContactCycle(
        femur_from_tibia=pose, femur_from_patella=np.tile(np.eye(4), (FRAMES, 1, 1)), medial=part(1200.0, tf, 5.9), lateral=part(600.0, tf, 3.4),
        patellofemoral=part(500.0, pf, 4.1), fields=fields, ligament_names=(), ligament_force=np.zeros((FRAMES, 0)), patellar_tendon_force=np.zeros(FRAMES),
        meniscus_expansion=np.tile([0.0, 0.0], (FRAMES, 1)), axial_load=1800.0 * tf, residual=np.zeros((FRAMES, 2)), iterations=np.zeros((FRAMES, 2), np.int32),
        status=np.zeros((FRAMES, 2), np.int8),
    )
    given = {"anatomy": anatomy, "contact": contact, "side": side, "subject": "woman, 62 kg, 1.70 m", "activity": "stair_descent", "body_weight_n": 608.0,
             "daily_dose": np.arange(15.0) * 100.0, "risk_24mo": np.linspace(0.01, 0.15, 15), **changes}
    return Scene(**given)  # type: ignore[arg-type]


def knee_summary() -> dict[str, object]:
    """A summary with every part of the contract, the numbers made up."""
    def load(force: float) -> dict[str, float]:
        return {"peak_force_n": force, "peak_force_bw": force / 784.532, "impulse_ns": 0.4 * force}

    return {
        "version": "0.1.0", "status": "ok", "error": None,
        "subject": {"body_mass_kg": 80.0, "height_m": 1.72, "sex": "male", "side": "right", "mpta_deg": 87.0, "contact_spacing_mm": None,
                    "cartilage_thickness_scale": {"femur": 1.0, "tibia_medial": 0.8}, "medial_meniscus": "root_tear", "bmi": 27.04, "hka_deg": 179.0},
        "activity": "walking", "interventions": ["unloader_brace", "toe_in"],
        "loads": {"body_weight_n": 784.532, "peak_kam_nm": 40.0, "peak_kfm_nm": 50.0, "tibiofemoral": load(2140.2), "medial": load(1420.7),
                  "lateral": load(903.0), "patellofemoral": load(812.0), "medial_share_at_peak": 0.66, "medial_share_of_impulse": 0.68},
        "contact": {name: {"peak_pressure_mpa": peak, "mean_pressure_mpa": 0.45 * peak, "contact_area_mm2": area, "meniscus_load_share": share}
                    for name, peak, area, share in (("medial", 6.1, 520.0, 0.45), ("lateral", 3.9, 410.0, 0.6), ("patellofemoral", 3.2, 250.0, 0.0))},
        "bone": {"regions": {region: {"peak_stress_mpa": 1.0 + 0.1 * i, "daily_dose_mpa_s": 500.0 * i} for i, region in enumerate(MOAKS_REGIONS)}},
        "lesion": {"regions": {region: {"risk_24mo": 0.01 * i, "risk_24mo_low": 0.004 * i, "risk_24mo_high": 0.031 * i, "relative_risk": 1.2, "grade": i % 4}
                               for i, region in enumerate(MOAKS_REGIONS)}},
        "pain": {name: {"relative": 1.1, "low": 0.6, "high": 2.0} for name in ("walking", "standing", "stairs")},
        "change": {"medial": {"peak_force_pct": -9.1, "peak_pressure_pct": -6.2, "daily_dose_pct": -8.0},
                   "lateral": {"peak_force_pct": 12.3, "peak_pressure_pct": 8.0, "daily_dose_pct": None},
                   "patellofemoral": {"peak_force_pct": 0.1, "peak_pressure_pct": 0.0, "daily_dose_pct": -0.2}},
        "timing": {"compile_s": 2.0, "solve_ms": 300.0},
        "provenance": {"anatomy": "reference", "motion_source": "Bovi et al. 2011", "sources": ["Hunter 2011, doi 10.1016/j.joca.2011.05.004"]},
    }


def outlook_summary_of(measured: bool) -> dict[str, object]:
    """A summary with zones, courses and panel, the numbers made up; with or without measured lesions and interventions."""
    summary = knee_summary()
    shares = {"tibia_central_medial": 0.4, "femur_central_medial": 0.12, "patella_lateral": 0.03, "tibia_subspinous": 0.01}
    regions: dict[str, dict[str, object]] = summary["lesion"]["regions"]  # type: ignore[index]
    for region, row in regions.items():
        share = shares.get(region, 0.0)
        row |= {"grade": 2 if share > 0.33 else int(share > 0.0), "grade_worms": 2 if share > 0.25 else int(share > 0.0), "zone_volume_mm3": 5000.0 * share,
                "zone_volume_low_mm3": 0.0, "zone_volume_high_mm3": 6000.0 * share, "zone_share": share, "zone_activities": {"walking": 0.7, "standing": 0.25, "chair_rise": 0.05}}
    new = [{"months": months, "risk": 0.01 * months, "risk_low": 0.005 * months, "risk_high": 0.015 * months} for months in (6, 12, 24)]
    weeks, start = [0.0, 26.0, 52.0, 104.0], 2000.0 if measured else 0.0
    lesion = {"volume_mm3": 1500.0, "volume_low_mm3": 100.0, "volume_high_mm3": 4200.0, "resolved": 0.1, "smaller": 0.45, "larger": 0.2}

    def course(end: float) -> dict[str, object]:
        total = [start + (end - start) * week / 104.0 for week in weeks] if measured else [0.0] * 4
        dates = [{"months": months, "weeks": 4.35 * months, "lesions": {"tibia_central_medial": lesion}} for months in (6, 12, 24)] if measured else []
        return {"weeks": weeks, "total_mm3": total, "total_low_mm3": [0.5 * value for value in total], "total_high_mm3": [value + 30.0 * week for value, week in zip(total, weeks)],
                "regions": {}, "milestones": dates, "new_lesion": new}

    flag = {"code": "lesion_attrition_cyst", "specialist": True, "sentence": "A lesion with attrition and a cyst: a specialist should look, because of its shape.", "numbers": {}, "source": "doi 10/x"}
    note = {"code": "grade_misses_lesions", "specialist": False, "sentence": "The grade alone misses them.", "numbers": {}, "source": "PMC2818146"}
    kind = {"kinds": {"tibia_central_medial": "lesion_attrition"}, "worst": "lesion_attrition", "odds": 2.22, "odds_low": 1.15, "odds_high": 4.28, "score_sum": 4, "score_odds": 2.2}
    return {
        **summary, "course": {"measured_regions": ["tibia_central_medial"] if measured else [], "modifiers": [], "with_interventions": course(1500.0), "as_before": course(1600.0)},
        "panel": {"kl_grade": 2 if measured else None, "lesions": 1 if measured else None, "lesion_volume_mm3": 2000.0 if measured else None, "score_by_compartment": {},
                  "attrition_regions": int(measured), "cyst_regions": 0, "overloaded": shares, "phenotype": kind if measured else None, "summary": [],
                  "flags": [note, flag] if measured else [], "disclaimer": "This describes how plausible something is in people. It is not a diagnosis and no advice on treatment."},
    }


@pytest.fixture
def measured_summary() -> dict[str, object]:
    """A summary of a knee with a measured lesion."""
    return outlook_summary_of(True)


@pytest.fixture
def unmeasured_summary() -> dict[str, object]:
    """A summary of a knee of which no lesion was measured."""
    return outlook_summary_of(False)


@pytest.fixture
def make_scene() -> Callable[..., Scene]:
    """Builder of the knee of balls: make_scene(side=..., flexion=..., any field of Scene)."""
    return ball_scene


@pytest.fixture(scope="session")
def scene() -> Scene:
    """The right knee of balls at full extension."""
    return ball_scene()


@pytest.fixture
def summary() -> dict[str, object]:
    """A complete summary.json with made-up numbers."""
    return knee_summary()


@pytest.fixture
def no_gl(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without OpenGL."""
    monkeypatch.setenv("KNEELOAD_NO_GL", "1")


@pytest.fixture
def with_gl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips where nothing can be drawn in 3D."""
    from kneeload.views.gl import gl_problem

    monkeypatch.delenv("KNEELOAD_NO_GL", raising=False)
    problem = gl_problem()
    if problem:
        pytest.skip(problem)
