"""Other programs on the same problem: the MRI knee in the poses of a stride, one evaluation of contact in one pose.

Every peer is optional; `load` of a peer raises ImportError where it is not installed. None is a dependency of kneeload.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.contact.stress import contact_stress
from kneeload.subject.surface import ArticularSurface, LayerMaterial, TriangleMesh

Array = NDArray[np.float64]
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "knee_mri"
MATERIAL = LayerMaterial(youngs_modulus_mpa=10.0, poisson_ratio=0.45)  # both layers, as the source of the poses states
THICKNESS_MM = 3.0  # of each layer, same source
LONGEST_RAY_MM = 20.0  # same source
SHELL_MM = 4.0  # how thick an open surface is made where a peer needs a closed one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Knee:
    """Tibial and femoral cartilage in one pose.

    Attributes:
        tibia, femur: surfaces, mm.
        pose: (4, 4), tibia in the femur frame, mm.
        published_n: size of the contact force that OpenSim-JAM reports for this pose, N.
    """

    tibia: ArticularSurface
    femur: ArticularSurface
    pose: Array
    published_n: float

    @property
    def stiffness(self) -> float:
        """Pressure over depth, MPa/mm: both layers in series."""
        return MATERIAL.confined_modulus_mpa / (2.0 * THICKNESS_MM)

    def ours(self, depth: str) -> Callable[[], float]:
        """Return `contact_stress` as a function that gives the size of the force, N."""
        return lambda: float(np.linalg.norm(contact_stress(self.tibia, self.femur, self.pose, depth=depth, level_set_spacing_mm=1.5).force))


def mri_knee(data: Path = DATA) -> Knee:
    """Return the MRI knee in the pose of the highest contact force of the stride."""
    femur, tibia = (ArticularSurface.from_mesh(data / f"{name}_cartilage.stl", length_unit="m", thickness_mm=THICKNESS_MM, material=MATERIAL, body=name)
                    for name in ("femur", "tibia"))  # type: ignore[arg-type]
    with np.load(data / "walking_knee_poses.npz") as known:
        force = np.linalg.norm(known["tf_contact_force"], axis=1)
        frame = int(np.argmax(force))
        pose = np.array(known["T_femur_tibia"][frame])
    pose[:3, 3] *= 1000.0
    return Knee(tibia=tibia, femur=femur, pose=pose, published_n=float(force[frame]))


def rays(knee: Knee) -> Callable[[], float]:
    """Return Embree rays through trimesh: one per tibial triangle, from its centre along its inward normal to the femur; force, N.

    A ray starts outside the femur where there is no contact; it counts when the triangle that it leaves through looks along the ray.
    """
    import trimesh
    from trimesh.ray.ray_pyembree import RayMeshIntersector

    femur = trimesh.Trimesh(knee.femur.mesh.points, knee.femur.mesh.triangles, process=False)
    caster, outer = RayMeshIntersector(femur), np.array(femur.face_normals)
    rot, t = knee.pose[:3, :3], knee.pose[:3, 3]
    centre, normal, area = knee.tibia.centroids, knee.tibia.mesh.area_vectors, knee.tibia.areas
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
    """Return points and triangles of a closed body: an open surface, its copy moved inwards, and the strips between their rims."""
    normal = np.zeros_like(mesh.points)
    for k in range(3):
        np.add.at(normal, mesh.triangles[:, k], mesh.area_vectors)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    count, triangles = len(mesh.points), mesh.triangles.astype(np.int64)
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    known = {(int(a), int(b)) for a, b in edges}
    rim = np.array([(a, b) for a, b in known if (b, a) not in known], dtype=np.int64).reshape(-1, 2)
    strips = np.concatenate([np.column_stack([rim[:, 1], rim[:, 0], rim[:, 0] + count]), np.column_stack([rim[:, 1], rim[:, 0] + count, rim[:, 1] + count])])
    return np.concatenate([mesh.points, mesh.points - thickness_mm * normal]), np.concatenate([triangles, triangles[:, ::-1] + count, strips])


def _write_obj(file: Path, points_m: Array, triangles: NDArray[np.int64]) -> Path:
    file.write_text("".join([*(f"v {x:.9g} {y:.9g} {z:.9g}\n" for x, y, z in points_m), *(f"f {a} {b} {c}\n" for a, b, c in triangles + 1)]), encoding="utf-8")
    return file


def elastic_foundation(knee: Knee) -> Callable[[], float]:
    """Return OpenSim's ElasticFoundationForce on the two surfaces made into shells; force on the tibia, N. Springs on both, each with half its area."""
    import opensim

    folder = Path(tempfile.mkdtemp(prefix="kneeload-peer-"))
    model = opensim.Model()
    tibia = opensim.Body("tibia", 1.0, opensim.Vec3(0), opensim.Inertia(1))
    joint = opensim.FreeJoint("joint", model.getGround(), tibia)
    model.addBody(tibia)
    model.addJoint(joint)
    force = opensim.ElasticFoundationForce()
    for name, surface, frame in (("femur", knee.femur, model.getGround()), ("tibia", knee.tibia, tibia)):
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


def slab(mesh: TriangleMesh, layer_mm: float, steepest: float = 0.3) -> tuple[Array, NDArray[np.int64]]:
    """Return points and tetrahedra of a slab below the triangles that look proximally: three sheets, `layer_mm` apart along y.

    Triangles whose normal has less than `steepest` along y are left out (the sides of the plateau, which nothing touches). Each prism between
    two sheets is cut into three tetrahedra from its point of the lowest number on, so that neighbours share their faces.
    """
    kept = mesh.triangles[mesh.area_vectors[:, 1] > steepest * np.linalg.norm(mesh.area_vectors, axis=1)]
    used, kept = np.unique(kept, return_inverse=True)
    kept = np.array([np.roll(row, -int(np.argmin(row))) for row in kept.reshape(-1, 3)])
    count, down = len(used), np.array([0.0, -layer_mm, 0.0])
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
    """Return Drake's hydroelastic contact, the tibia a compliant slab of tetrahedra, the femur rigid triangles: its evaluation, and the force (N) of that.

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
    points, tetrahedra = slab(knee.tibia.mesh, depth_mm)
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
