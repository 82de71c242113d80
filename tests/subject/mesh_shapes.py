"""Small closed and open meshes, and a made-up knee of ellipsoids, for the tests of meshes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from kneeload.subject.surface import TriangleMesh


def icosphere(radius: float, divisions: int, centre=(0.0, 0.0, 0.0)) -> TriangleMesh:
    """Closed sphere, 20 * 4**divisions triangles, normals outwards."""
    g = (1.0 + 5.0**0.5) / 2.0
    points = [(-1, g, 0), (1, g, 0), (-1, -g, 0), (1, -g, 0), (0, -1, g), (0, 1, g), (0, -1, -g), (0, 1, -g), (g, 0, -1), (g, 0, 1), (-g, 0, -1), (-g, 0, 1)]
    faces = [(0, 11, 5), (0, 5, 1), (0, 1, 7), (0, 7, 10), (0, 10, 11), (1, 5, 9), (5, 11, 4), (11, 10, 2), (10, 7, 6), (7, 1, 8),
             (3, 9, 4), (3, 4, 2), (3, 2, 6), (3, 6, 8), (3, 8, 9), (4, 9, 5), (2, 4, 11), (6, 2, 10), (8, 6, 7), (9, 8, 1)]
    p, f = np.array(points, dtype=float), np.array(faces)
    for _ in range(divisions):
        sides = np.sort(f[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        edges, number = np.unique(sides, axis=0, return_inverse=True)
        m = number.reshape(-1, 3) + len(p)
        p = np.vstack([p, p[edges].mean(axis=1)])
        f = np.concatenate([np.stack([f[:, 0], m[:, 0], m[:, 2]], 1), np.stack([f[:, 1], m[:, 1], m[:, 0]], 1), np.stack([f[:, 2], m[:, 2], m[:, 1]], 1), m])
    p *= radius / np.linalg.norm(p, axis=1, keepdims=True)
    return TriangleMesh(points=p + np.asarray(centre), triangles=f)


def ellipsoid(axes, divisions: int, centre=(0.0, 0.0, 0.0)) -> TriangleMesh:
    """Closed ellipsoid with half axes in mm."""
    return icosphere(1.0, divisions).transformed(np.diag(axes), np.asarray(centre))


def part(mesh: TriangleMesh, keep) -> TriangleMesh:
    """Open part of a mesh where `keep(centroids)` holds."""
    return mesh.selected(keep(mesh.centroids))


def plate(x, z, height, n: int = 24) -> TriangleMesh:
    """Open sheet y = height(x, z) over a rectangle, normals up."""
    gx, gz = np.meshgrid(np.linspace(*x, n), np.linspace(*z, n), indexing="ij")
    points = np.column_stack([gx.ravel(), height(gx, gz).ravel(), gz.ravel()])
    corner = (np.arange(n - 1)[:, None] * n + np.arange(n - 1)).ravel()
    faces = np.concatenate([np.stack([corner, corner + 1, corner + n + 1], 1), np.stack([corner, corner + n + 1, corner + n], 1)])
    return TriangleMesh(points=points, triangles=faces)


def joined(*meshes: TriangleMesh) -> TriangleMesh:
    shift = np.cumsum([0, *[len(m.points) for m in meshes[:-1]]])
    return TriangleMesh(points=np.vstack([m.points for m in meshes]), triangles=np.vstack([m.triangles + s for m, s in zip(meshes, shift)]))


def flipped(mesh: TriangleMesh) -> TriangleMesh:
    return TriangleMesh(points=mesh.points, triangles=mesh.triangles[:, ::-1])


def wedge_ring(centre_z: float, angles, *, floor: float, inner: float = 7.0, outer: float = 14.0, height: float = 4.0, n: int = 40) -> TriangleMesh:
    """Closed C-shaped wedge: flat below at y = floor, 0.6 mm high inside, `height` outside."""
    a = np.linspace(*angles, n)
    share = np.linspace(0.0, 1.0, 9)
    below = np.column_stack([inner + (outer - inner) * share, np.full(9, floor)])
    above = np.column_stack([inner + (outer - inner) * share, floor + 0.6 + (height - 0.6) * share])[::-1]
    section = np.concatenate([below, above])
    around = len(section)
    points = np.concatenate([np.column_stack([r * np.cos(a), np.full(n, y), centre_z + r * np.sin(a)]) for r, y in section])
    faces = []
    for s in range(around):
        here, following = s * n + np.arange(n - 1), (s + 1) % around * n + np.arange(n - 1)
        faces += [np.stack([here, following, following + 1], 1), np.stack([here, following + 1, here + 1], 1)]
    for end, turn in ((0, 1), (n - 1, -1)):  # the horns: strips between the lower and the upper edge of the section
        lower, upper = np.arange(9) * n + end, (around - 1 - np.arange(9)) * n + end
        faces += [np.stack([lower[:-1], upper[:-1], lower[1:]], 1)[:, ::turn], np.stack([lower[1:], upper[:-1], upper[1:]], 1)[:, ::turn]]
    mesh = TriangleMesh(points=points, triangles=np.concatenate(faces))
    return mesh if mesh.volume_mm3 > 0.0 else flipped(mesh)


def toy_knee() -> dict[str, TriangleMesh]:
    """Ellipsoids for bones, caps 2 mm above them for cartilage, two dished plateaus, two wedge rings (mm, right knee)."""
    femur = ellipsoid((24.0, 22.0, 36.0), 4)
    cartilage = part(ellipsoid((26.0, 24.0, 38.0), 4), lambda c: (c[:, 1] < 5.0) & ((np.abs(c[:, 2]) > 6.0) | (c[:, 0] > 8.0)) & (np.abs(c[:, 2]) < 30.0))
    tibia = ellipsoid((26.0, 25.0, 38.0), 4, (0.0, -51.5, 0.0))
    medial, lateral = (plate((-14.0, 14.0), z, lambda x, s: -23.2 - 0.5 * (x / 20.0) ** 2 + 0.0 * s) for z in ((-26.0, -6.0), (6.0, 26.0)))
    patella = ellipsoid((8.0, 17.0, 21.0), 3)
    facet = part(ellipsoid((10.0, 19.0, 23.0), 3), lambda c: c[:, 0] < -4.0)
    return {
        "femur_bone": femur, "femur_cartilage": cartilage, "tibia_bone": tibia, "tibia_cartilage": joined(medial, lateral),
        "patella_bone": patella, "patella_cartilage": facet,
        "medial_meniscus": wedge_ring(-16.0, (0.8, 2.0 * np.pi - 0.8), floor=-23.3),
        "lateral_meniscus": wedge_ring(16.0, (0.5, 2.0 * np.pi - 0.5), floor=-23.3),
    }


def write_stl(path: Path, mesh: TriangleMesh, factor: float = 1.0) -> None:
    """Binary STL."""
    record = np.zeros(len(mesh.triangles), dtype=[("n", "<f4", 3), ("v", "<f4", (3, 3)), ("a", "<u2")])
    record["n"], record["v"] = mesh.normals, mesh.points[mesh.triangles] * factor
    path.write_bytes(b"\0" * 80 + np.uint32(len(record)).tobytes() + record.tobytes())


def write_knee(folder: Path, *, meshes=None, unit: str = "mm", factor: float = 1.0, without=(), **manifest) -> Path:
    """Write the toy knee (or other meshes) as a mesh folder; extra keywords replace keys of the manifest."""
    folder.mkdir(exist_ok=True)
    surfaces = {}
    for name, mesh in (toy_knee() if meshes is None else meshes).items():
        if name in without:
            continue
        write_stl(folder / f"{name}.stl", mesh, factor)
        surfaces[name] = {"file": f"{name}.stl", "body": "tibia" if "meniscus" in name else name.split("_")[0]}
    data = {"name": "toy", "side": "right", "length_unit": unit, "axes": {"x": "anterior", "y": "proximal", "z": "lateral"}, "surfaces": surfaces}
    (folder / "manifest.yaml").write_text(yaml.safe_dump({**data, **manifest}))
    return folder
