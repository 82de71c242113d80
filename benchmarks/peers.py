"""Other programs on the same problem: one evaluation of contact of two surfaces in one pose.

Problems: the MRI knee in the pose of the highest force of a stride (`mri_knee`), as it is and as closed bodies of about 5,000 triangles each,
and a generated pair of closed bodies of the same size (`condyles`: no file needed, a force that is known in closed form).

Every peer is optional; `load` of a peer raises ImportError where it is not installed. None is a dependency of kneeload.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.contact.stress import contact_stress, prepare_contact
from kneeload.subject.mesh_density import with_density
from kneeload.subject.surface import ArticularSurface, Body, LayerMaterial, TriangleMesh

Array = NDArray[np.float64]
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "knee_mri"
MATERIAL = LayerMaterial(youngs_modulus_mpa=10.0, poisson_ratio=0.45)  # both layers, as the source of the poses states
THICKNESS_MM = 3.0  # of each layer, same source
LONGEST_RAY_MM = 20.0  # same source
SPACING_MM = 1.5  # of the level set of the femur
POSES = 50  # of one call of `at_poses`
SHELL_MM = 4.0  # how thick an open surface is made where a peer needs a closed one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Knee:
    """Two surfaces in one pose.

    Attributes:
        casting, femur: surfaces, mm.
        pose: (4, 4), casting body in the femur frame, mm.
        facing: (3,) unit vector, where the casting surface looks to, frame of its body.
        front: this many of its triangles, the first ones, lie on the side of the joint; the rest close the body.
        known_n: size of the contact force along the casting normal, N: from OpenSim-JAM for the MRI knee, in closed form for the generated pair.
        rel: how far from it the force of this mesh may be, as a share.
    """

    casting: ArticularSurface
    femur: ArticularSurface
    pose: Array
    facing: Array
    front: int
    known_n: float
    rel: float

    @property
    def stiffness(self) -> float:
        """Pressure over depth, MPa/mm: both layers in series."""
        return MATERIAL.confined_modulus_mpa / (2.0 * THICKNESS_MM)

    def ours(self, depth: str) -> dict[str, Callable[[], float]]:
        """Return the three forms of one evaluation, each a function that gives the size of the force, N: `contact_stress`, the prepared pair,
        and the prepared pair in `POSES` poses within 0.02 mm of the one (the median force)."""
        pair = prepare_contact(self.casting, self.femur, depth=depth, level_set_spacing_mm=SPACING_MM)
        poses = np.repeat(self.pose[None], POSES, axis=0)
        poses[:, :3, 3] += np.random.default_rng(0).uniform(-0.02, 0.02, (POSES, 3))
        return {
            "contact_stress": lambda: float(np.linalg.norm(contact_stress(self.casting, self.femur, self.pose, depth=depth, level_set_spacing_mm=SPACING_MM).force)),
            "pair.at": lambda: float(np.linalg.norm(pair.at(self.pose).force)),
            "at_poses": lambda: float(np.median(np.linalg.norm(pair.at_poses(poses).force, axis=1))),
        }


def mri_knee(data: Path = DATA, body: Body = "tibia", closed: int | None = None) -> Knee:
    """Return tibia or patella of the MRI knee on its femur in the pose of the highest force of the stride.

    With `closed` every surface is coarsened and made into a shell of about that many triangles, half of them on the side of the joint:
    the same closed meshes for every program.
    """
    surfaces, facing, front = [], np.zeros(3), 0
    for name in ("femur", body):
        surface = ArticularSurface.from_mesh(data / f"{name}_cartilage.stl", length_unit="m", thickness_mm=THICKNESS_MM, material=MATERIAL, body=name)  # type: ignore[arg-type]
        facing, front = surface.mesh.area_vectors.sum(axis=0), len(surface.mesh.triangles)
        if closed is not None:
            coarse, _ = with_density(surface.mesh, 0.48 * closed / float(surface.mesh.areas.sum()))  # the strips at the rim are the rest
            points, triangles = shell(coarse)
            front = len(coarse.triangles)
            surface = _surface(name, TriangleMesh(points=points, triangles=triangles.astype(np.int32)))  # type: ignore[arg-type]
        surfaces.append(surface)
    key = {"tibia": "tf", "patella": "pf"}[body]
    with np.load(data / "walking_knee_poses.npz") as known:
        force = np.linalg.norm(known[f"{key}_contact_force"], axis=1)
        frame = int(np.argmax(force))
        pose = np.array(known[f"T_femur_{body}"][frame])
    pose[:3, 3] *= 1000.0
    return Knee(casting=surfaces[1], femur=surfaces[0], pose=pose, facing=facing / np.linalg.norm(facing), front=front,
                known_n=float(force[frame]), rel=0.01 if closed is None else 0.07)


def _surface(name: Body, mesh: TriangleMesh) -> ArticularSurface:
    count = len(mesh.triangles)
    return ArticularSurface(name=name, body=name, mesh=mesh, thickness_mm=np.full(count, THICKNESS_MM), material=MATERIAL, region=np.full(count, -1, np.int8))


def condyles(finer: int = 1, flexion_deg: float = 15.0, depth_mm: float = 1.0) -> Knee:
    """Return two femoral condyles on a dished plateau, closed bodies of 4,960 and 4,940 triangles (with `finer` edges that many times shorter).

    The femur is a surface of revolution about z, 30 mm at the two crests 46 mm apart and 5 mm less between them (a frontal radius of 21.4 mm);
    the plateau, 44 by 76 mm and 12 mm thick, rises by 3 mm between the dishes (frontal radius 35.7 mm, sagittal 60 mm). Sizes of an adult knee
    (assumptions). Close to each crest the gap is a paraboloid of radii a and b, so its force is pi k d^2 sqrt(a b), at any flexion angle.
    Facets lie up to 0.04 mm behind the smooth femur, so that the force of this mesh is 6 per cent smaller; finer meshes come close to it.
    """
    crest, groove, rise, sagittal, wave = 30.0, 5.0, 3.0, 60.0, 2.0 * math.pi / 46.0
    z, turn = np.meshgrid(np.linspace(-40.0, 40.0, 30 * finer + 1), np.arange(80 * finer) * (2.0 * math.pi / (80 * finer)), indexing="ij")
    radius = crest - 0.5 * groove * (1.0 + np.cos(wave * z))
    femur = _capped(np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=-1))
    x, z = np.meshgrid(np.linspace(-22.0, 22.0, 34 * finer + 1), np.linspace(-38.0, 38.0, 64 * finer + 1), indexing="ij")
    plateau = _plinth(np.stack([x, 0.5 * rise * (1.0 + np.cos(wave * z)) + x**2 / (2.0 * sagittal), z], axis=-1), -12.0)
    a, b = 1.0 / (1.0 / crest - 1.0 / sagittal), 1.0 / (0.5 * (groove - rise) * wave**2)
    pose, bent = np.eye(4), math.radians(flexion_deg)
    pose[:2, :2] = [[math.cos(bent), -math.sin(bent)], [math.sin(bent), math.cos(bent)]]
    pose[:3, 3] = pose[:3, :3] @ (0.0, depth_mm - crest, 0.0)
    made = Knee(casting=_surface("tibia", plateau), femur=_surface("femur", femur), pose=pose, facing=np.array([0.0, 1.0, 0.0]),
                front=2 * 34 * 64 * finer**2, known_n=0.0, rel=0.08)
    return replace(made, known_n=2.0 * math.pi * made.stiffness * depth_mm**2 * math.sqrt(a * b))


def _capped(grid: Array) -> TriangleMesh:
    """Closed mesh of points (n, m, 3) that go round in their second index, with a fan on each end."""
    n, m = grid.shape[:2]
    number = np.arange(n * m).reshape(n, m)
    a, b = number[:-1], np.roll(number, -1, axis=1)[:-1]
    c, d = number[1:], np.roll(number, -1, axis=1)[1:]
    ends = [np.column_stack([rim, np.roll(rim, -1), np.full(m, n * m + k)]) for k, rim in enumerate((number[0][::-1], number[-1]))]
    return _outward(np.concatenate([grid.reshape(-1, 3), [grid[0].mean(axis=0), grid[-1].mean(axis=0)]]),
                    np.concatenate([np.stack([a, b, c], axis=-1).reshape(-1, 3), np.stack([b, d, c], axis=-1).reshape(-1, 3), *ends]))


def _plinth(grid: Array, floor_mm: float) -> TriangleMesh:
    """Closed mesh of points (n, m, 3) on top, walls from their rim down to y = floor_mm, and a fan below."""
    n, m = grid.shape[:2]
    number = np.arange(n * m).reshape(n, m)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    rim = np.concatenate([number[0, :-1], number[:-1, -1], number[-1, :0:-1], number[:0:-1, 0]])
    low, after = n * m + np.arange(len(rim)), np.roll(np.arange(len(rim)), -1)
    feet = grid.reshape(-1, 3)[rim] * (1.0, 0.0, 1.0) + (0.0, floor_mm, 0.0)
    return _outward(np.concatenate([grid.reshape(-1, 3), feet, [[0.0, floor_mm, 0.0]]]), np.concatenate([
        np.stack([a, b, c], axis=-1).reshape(-1, 3), np.stack([b, d, c], axis=-1).reshape(-1, 3), np.column_stack([rim, low, rim[after]]),
        np.column_stack([rim[after], low, low[after]]), np.column_stack([low, np.full(len(rim), n * m + len(rim)), low[after]])]))


def _outward(points: Array, triangles: NDArray[np.int64]) -> TriangleMesh:
    volume = np.einsum("ni,ni->", points[triangles[:, 0]], np.cross(points[triangles[:, 1]], points[triangles[:, 2]]))
    return TriangleMesh(points=points, triangles=(triangles if volume > 0.0 else triangles[:, ::-1]).astype(np.int32))


def rays(knee: Knee) -> Callable[[], float]:
    """Return Embree rays through trimesh: one per casting triangle, from its centre along its inward normal to the femur; force, N.

    A ray starts outside the femur where there is no contact; it counts when the triangle that it leaves through looks along the ray.
    """
    import trimesh
    from trimesh.ray.ray_pyembree import RayMeshIntersector

    femur = trimesh.Trimesh(knee.femur.mesh.points, knee.femur.mesh.triangles, process=False)
    caster, outer = RayMeshIntersector(femur), np.array(femur.face_normals)
    rot, t = knee.pose[:3, :3], knee.pose[:3, 3]
    centre, normal, area = knee.casting.centroids, knee.casting.mesh.area_vectors, knee.casting.areas
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True)

    def force() -> float:
        start, along = centre @ rot.T + t, -normal @ rot.T
        face, ray, point = caster.intersects_id(start, along, multiple_hits=False, return_locations=True)
        depth = np.linalg.norm(point - start[ray], axis=1)
        out = (outer[face] * along[ray]).sum(axis=1)
        keep = (depth < LONGEST_RAY_MM) & (out > 0.0)
        load = knee.stiffness * depth[keep] * area[ray[keep]]
        return float(np.linalg.norm((load[:, None] * along[ray[keep]]).sum(axis=0)))

    return force


def shell(mesh: TriangleMesh, thickness_mm: float = SHELL_MM) -> tuple[Array, NDArray[np.int64]]:
    """Return points and triangles of a closed body: an open surface, its copy moved inwards, and the strips between their rims; a closed one as it is."""
    normal = np.zeros_like(mesh.points)
    for k in range(3):
        np.add.at(normal, mesh.triangles[:, k], mesh.area_vectors)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    count, triangles = len(mesh.points), mesh.triangles.astype(np.int64)
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    known = {(int(a), int(b)) for a, b in edges}
    rim = np.array([(a, b) for a, b in known if (b, a) not in known], dtype=np.int64).reshape(-1, 2)
    if len(rim) == 0:
        return np.array(mesh.points), triangles
    strips = np.concatenate([np.column_stack([rim[:, 1], rim[:, 0], rim[:, 0] + count]), np.column_stack([rim[:, 1], rim[:, 0] + count, rim[:, 1] + count])])
    return np.concatenate([mesh.points, mesh.points - thickness_mm * normal]), np.concatenate([triangles, triangles[:, ::-1] + count, strips])


def _write_obj(file: Path, points_m: Array, triangles: NDArray[np.int64]) -> Path:
    file.write_text("".join([*(f"v {x:.9g} {y:.9g} {z:.9g}\n" for x, y, z in points_m), *(f"f {a} {b} {c}\n" for a, b, c in triangles + 1)]), encoding="utf-8")
    return file


def elastic_foundation(knee: Knee) -> Callable[[], float]:
    """Return OpenSim's ElasticFoundationForce on the two surfaces, open ones made into shells; force on the casting body, N. Springs on both, each with half its area.

    What is timed is `realizeDynamics` of a model of one free body: less than 0.05 ms of it remain where nothing touches.
    """
    import opensim

    folder = Path(tempfile.mkdtemp(prefix="kneeload-peer-"))
    model = opensim.Model()
    tibia = opensim.Body("tibia", 1.0, opensim.Vec3(0), opensim.Inertia(1))
    joint = opensim.FreeJoint("joint", model.getGround(), tibia)
    model.addBody(tibia)
    model.addJoint(joint)
    force = opensim.ElasticFoundationForce()
    for name, surface, frame in (("femur", knee.femur, model.getGround()), ("tibia", knee.casting, tibia)):
        points, triangles = shell(surface.mesh)
        file = _write_obj(folder / f"{name}.obj", points / 1000.0, triangles)
        model.addContactGeometry(opensim.ContactMesh(str(file), opensim.Vec3(0), opensim.Vec3(0), frame, f"{name}_mesh"))
    force.addGeometry("femur_mesh")
    force.addGeometry("tibia_mesh")
    force.setStiffness(knee.stiffness * 1e9)  # Pa per metre
    for set_zero in (force.setDissipation, force.setStaticFriction, force.setDynamicFriction, force.setViscousFriction):
        set_zero(0.0)
    force.setName("contact")
    model.addForce(force)
    state = model.initSystem()
    r = knee.pose[:3, :3]
    turned = (math.atan2(-r[1, 2], r[2, 2]), math.asin(r[0, 2]), math.atan2(-r[0, 1], r[0, 0]))  # x, y, z in turn, fixed to the body
    coordinates = [joint.get_coordinates(i) for i in range(6)]
    for coordinate, value in zip(coordinates, (*turned, *(knee.pose[:3, 3] / 1000.0))):
        coordinate.setValue(state, float(value), False)
    last, height = coordinates[4], float(knee.pose[1, 3] / 1000.0)

    def evaluate() -> float:
        last.setValue(state, height, False)  # what was found for the position is void now
        model.realizeDynamics(state)
        values = force.getRecordValues(state)
        return math.sqrt(sum(values.get(i) ** 2 for i in range(6, 9)))

    return evaluate


def slab(mesh: TriangleMesh, front: int, facing: Array, layer_mm: float, steepest: float = 0.3) -> tuple[Array, NDArray[np.int64]]:
    """Return points and tetrahedra of a slab below the first `front` triangles, those that look along `facing`: three sheets, `layer_mm` apart along it.

    Triangles whose normal has less than `steepest` along it are left out (the sides of the plateau, which nothing touches). Each prism between
    two sheets is cut into three tetrahedra from its point of the lowest number on, so that neighbours share their faces.
    """
    kept = mesh.triangles[:front][(mesh.area_vectors @ facing > steepest * mesh.areas)[:front]]
    used, kept = np.unique(kept, return_inverse=True)
    kept = np.array([np.roll(row, -int(np.argmin(row))) for row in kept.reshape(-1, 3)])
    count, down = len(used), -layer_mm * facing
    a, b, c = kept.T
    tetrahedra = []
    for sheet in range(2):
        low, high = (sheet + 1) * count, sheet * count
        first, second = np.where((b < c)[:, None], np.column_stack([b, c]), np.column_stack([c, b])).T
        for corners in ((a + high, b + low, c + low, a + low), (a + high, first + high, first + low, second + low), (a + high, first + high, second + high, second + low)):
            tetrahedra.append(np.column_stack(corners))
    points = np.concatenate([mesh.points[used] + k * down for k in range(3)])
    every = np.concatenate(tetrahedra)
    corner = points[every]
    volume = np.einsum("ni,ni->n", np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), corner[:, 3] - corner[:, 0])
    every[volume < 0.0] = every[volume < 0.0][:, [0, 2, 1, 3]]
    return points, every


def _write_vtk(file: Path, points_m: Array, tetrahedra: NDArray[np.int64]) -> Path:
    lines = ["# vtk DataFile Version 3.0", "slab", "ASCII", "DATASET UNSTRUCTURED_GRID", f"POINTS {len(points_m)} double", *(f"{x:.9g} {y:.9g} {z:.9g}" for x, y, z in points_m),
             f"CELLS {len(tetrahedra)} {5 * len(tetrahedra)}", *(f"4 {a} {b} {c} {d}" for a, b, c, d in tetrahedra), f"CELL_TYPES {len(tetrahedra)}", *["10"] * len(tetrahedra)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def hydroelastic(knee: Knee) -> tuple[Callable[[], list], Callable[[list], float]]:  # type: ignore[type-arg]
    """Return Drake's hydroelastic contact, the casting body a compliant slab of tetrahedra, the femur rigid triangles: its evaluation, and the force (N) of that.

    The pressure field of the slab rises from 0 at its surface to the modulus at the middle sheet, as deep as both layers together are thick:
    close to an elastic foundation. The surface of contact is found anew at every call; the sum of its pressure is a
    second function, not to be timed, since it is Python here and C++ in Drake's own plant.
    """
    from pydrake.geometry import (
        AddCompliantHydroelasticProperties,
        AddRigidHydroelasticProperties,
        FramePoseVector,
        GeometryFrame,
        GeometryInstance,
        HydroelasticContactRepresentation,
        Mesh,
        ProximityProperties,
        SceneGraph,
    )
    from pydrake.math import RigidTransform, RotationMatrix

    folder = Path(tempfile.mkdtemp(prefix="kneeload-peer-"))
    depth_mm = 2.0 * THICKNESS_MM
    points, tetrahedra = slab(knee.casting.mesh, knee.front, knee.facing, depth_mm)
    scene = SceneGraph()
    source = scene.RegisterSource("knee")
    frame = scene.RegisterFrame(source, GeometryFrame("tibia"))
    soft, hard = ProximityProperties(), ProximityProperties()
    AddCompliantHydroelasticProperties(0.01, knee.stiffness * 1e6 * depth_mm, soft)
    AddRigidHydroelasticProperties(hard)
    tibia = GeometryInstance(RigidTransform(), Mesh(str(_write_vtk(folder / "tibia.vtk", points / 1000.0, tetrahedra))), "tibia")
    femur = GeometryInstance(RigidTransform(), Mesh(str(_write_obj(folder / "femur.obj", knee.femur.mesh.points / 1000.0, knee.femur.mesh.triangles.astype(np.int64)))), "femur")
    tibia.set_proximity_properties(soft)
    femur.set_proximity_properties(hard)
    scene.RegisterGeometry(source, frame, tibia)
    scene.RegisterAnchoredGeometry(source, femur)
    context = scene.CreateDefaultContext()
    poses = FramePoseVector()
    poses.set_value(frame, RigidTransform(RotationMatrix.ProjectToRotationMatrix(knee.pose[:3, :3]), knee.pose[:3, 3] / 1000.0))
    port, query = scene.get_source_pose_port(source), scene.get_query_output_port()

    def surfaces() -> list:  # type: ignore[type-arg]
        port.FixValue(context, poses)  # what was found for the pose is void now
        return list(query.Eval(context).ComputeContactSurfaces(HydroelasticContactRepresentation.kPolygon))

    def force(found: list) -> float:  # type: ignore[type-arg]
        total = np.zeros(3)
        for surface in found:
            mesh, field = surface.poly_mesh_W(), surface.poly_e_MN()
            for i in range(surface.num_faces()):
                pressure = field.EvaluateCartesian(i, mesh.element_centroid(i))
                total += pressure * surface.area(i) * np.asarray(surface.face_normal(i)).ravel()
        return float(np.linalg.norm(total))

    return surfaces, force
