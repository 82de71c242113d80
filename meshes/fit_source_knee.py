"""Fit the smooth description of the source knee to a folder of MRI meshes (only its coefficients are part of the project).

    python -m kneeload.meshes.fit_source_knee FOLDER [--output reference_knee.npz]

FOLDER holds the bone, cartilage and meniscus surfaces of one right knee in metres, each in the frame of its bone (`manifest.yaml` beside
them says which). The default output is the file that `kneeload.subject.source_knee` reads.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from kneeload.subject.distance import evaluate, level_set_from_mesh
from kneeload.subject.isosurface import extract
from kneeload.subject.level_set import LevelSet
from kneeload.subject.patch import Outline, SplinePatch, fit_outline, fit_patch
from kneeload.subject.person import Sex
from kneeload.subject.proximity import nearest_on_mesh, pseudonormals
from kneeload.subject.size import axis_factors
from kneeload.subject.source_knee import DEFAULT_FILE, pack_level_set, pack_outline, pack_patch
from kneeload.subject.surface import TriangleMesh
from kneeload.units import MM_PER_M

SPACING_MM = {"femur": 1.75, "tibia": 2.0, "patella": 1.5}  # node distance of the shipped splines
FINE_MM = 1.0  # grid on which the MRI surfaces are smoothed
SMOOTHING_MM = 1.2  # standard deviation of the Gaussian: about the in-plane stair of the segmented images
CUT_MM = {"femur": 65.0, "tibia": -88.0}  # shafts end at these y
BAND_MM = 6.0
SEXES: tuple[Sex, ...] = ("male", "female")
Arrays = dict[str, NDArray[np.generic]]


def read_mesh(path: Path) -> TriangleMesh:
    """Read a surface file in metres; points in mm."""
    import pyvista

    surface = pyvista.read(path).extract_surface(algorithm="dataset_surface").triangulate().clean()
    points = np.asarray(surface.points, dtype=np.float64) * MM_PER_M
    return TriangleMesh(points=points, triangles=np.asarray(surface.regular_faces, dtype=np.int32))


def smooth_level_set(mesh: TriangleMesh, width_mm: float, cut_mm: float | None = None, keep_below: bool = True) -> LevelSet:
    """Level set of a closed mesh on a fine grid, cut across the shaft and freed of image stairs by a Gaussian of `width_mm`.

    The Gaussian is applied twice to what the first pass took away (twicing), so that rounded surfaces do not shrink: the bias falls from
    the second to the fourth order in the width.
    """
    raw = level_set_from_mesh(mesh, np.zeros(len(mesh.triangles)), spacing_mm=FINE_MM, band_mm=BAND_MM)
    phi = np.clip(raw.coefficients, -BAND_MM, BAND_MM)
    if cut_mm is not None:
        y = raw.origin_mm[1] + FINE_MM * np.arange(phi.shape[1])
        beyond = (y - cut_mm) if keep_below else (cut_mm - y)
        phi = np.maximum(phi, np.clip(beyond, -BAND_MM, BAND_MM)[None, :, None])
    once = ndimage.gaussian_filter(phi, width_mm / FINE_MM)
    twice = once + ndimage.gaussian_filter(phi - once, width_mm / FINE_MM)
    return replace(raw, coefficients=twice)


def cartilage_depth(mesh: TriangleMesh, normal: NDArray[np.float64], cartilage: TriangleMesh) -> NDArray[np.float64]:
    """Cartilage thickness (n,) in mm along the normals of a smooth bone: a smooth field, so that ragged rims become even slopes.

    The field starts as the distance to the imaged cartilage face and is corrected by the smoothed remaining distance. Forty and fifteen
    steps of half an edge of 0.9 mm spread by about 3 and 2 mm. At the rim, where it is thinner than 0.6 mm, it fades out.
    """
    found = nearest_on_mesh(cartilage, mesh.points, reach_mm=7.0)
    beneath = found.side == -1
    depth = spread(mesh, np.where(beneath, found.distance_mm, 0.0), 40)
    for _ in range(4):
        found = nearest_on_mesh(cartilage, mesh.points + depth[:, None] * normal, reach_mm=7.0)
        left = np.where(beneath & (np.abs(found.side) == 1), -found.side * np.minimum(found.distance_mm, 7.0), 0.0)
        depth = np.maximum(depth + spread(mesh, left, 15), 0.0)
    covered = (depth > 0.4).astype(np.float64)
    around = spread(mesh, covered, 120)  # about 5 mm: islands and holes of a ragged rim are smaller, no condyle is
    filled = np.where(covered > 0.0, depth, spread(mesh, depth * covered, 120) / np.maximum(around, 0.05))
    return spread(mesh, filled * smoothstep((around - 0.35) / 0.25) * smoothstep(filled / 0.6), 4)


def smoothstep(t: NDArray[np.float64]) -> NDArray[np.float64]:
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def spread(mesh: TriangleMesh, values: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Values (n,) at the points, smoothed along the surface: each step goes halfway to the mean of the neighbours."""
    start, end = mesh.triangles[:, [0, 1, 2]].ravel(), mesh.triangles[:, [1, 2, 0]].ravel()
    count = np.bincount(start, minlength=len(values))
    for _ in range(steps):
        values = 0.5 * (values + np.bincount(start, values[end], minlength=len(values)) / count)
    return values


def outer_femur(bone: TriangleMesh, cartilage: TriangleMesh) -> tuple[TriangleMesh, NDArray[np.float64]]:
    """Smooth closed surface of bone and cartilage, and cartilage thickness (m,) in mm per triangle."""
    smooth = smooth_level_set(bone, SMOOTHING_MM, CUT_MM["femur"], keep_below=True)
    inner = extract(smooth, spacing_mm=0.9)
    gradient = evaluate(smooth, inner.points)[1]
    normal = np.stack([spread(inner, gradient[:, a], 40) for a in range(3)], axis=1)  # smoothed, or the normals of the groove would cross
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    depth = cartilage_depth(inner, normal, cartilage)
    raised = TriangleMesh(points=inner.points + depth[:, None] * normal, triangles=inner.triangles)
    clean = smooth_level_set(raised, 0.8)  # the raised mesh may fold at sharp rims: its level set does not
    report("femur bone", smooth, bone.points)
    report("femur outer surface", clean, rim_free(cartilage))
    outer = extract(clean, spacing_mm=0.8)
    return outer, depth[raised.triangles].mean(axis=1)[nearest_on_mesh(raised, outer.centroids).triangle]


def femur_arrays(bone: TriangleMesh, cartilage: TriangleMesh) -> Arrays:
    """Outer femur of the mean man and of the mean woman as true distances after stretching, with cartilage thickness."""
    mesh, thickness = outer_femur(bone, cartilage)
    arrays: Arrays = {}
    for sex in SEXES:
        stretched = TriangleMesh(points=mesh.points * axis_factors(sex), triangles=mesh.triangles)
        arrays |= pack_level_set(f"femur_{sex}", level_set_from_mesh(stretched, thickness, spacing_mm=SPACING_MM["femur"], band_mm=BAND_MM))
    return arrays


def bone_arrays(name: str, bone: TriangleMesh) -> Arrays:
    """A whole bone as a level set in the source knee's size."""
    smooth = smooth_level_set(bone, SMOOTHING_MM, CUT_MM.get(name), keep_below=False)
    report(f"{name} bone", smooth, bone.points)
    mesh = extract(smooth, spacing_mm=0.8)
    return pack_level_set(name, level_set_from_mesh(mesh, np.zeros(len(mesh.triangles)), spacing_mm=SPACING_MM[name], band_mm=BAND_MM))


def rim_free(mesh: TriangleMesh, distance_mm: float = 1.5) -> NDArray[np.float64]:
    """Points of an open mesh farther than a distance from its border, (n, 3) mm."""
    return mesh.points[~near_border(mesh, distance_mm)]


def near_border(mesh: TriangleMesh, distance_mm: float) -> NDArray[np.bool_]:
    from scipy.spatial import cKDTree

    border = np.unique(mesh.triangles[pseudonormals(mesh)[1][:, :3]])
    distance = np.asarray(cKDTree(mesh.points[border]).query(mesh.points)[0])
    return np.asarray(distance < distance_mm)


def border_points(mesh: TriangleMesh) -> NDArray[np.float64]:
    return mesh.points[np.unique(mesh.triangles[pseudonormals(mesh)[1][:, :3]])]


def split_plates(cartilage: TriangleMesh) -> dict[str, TriangleMesh]:
    """Medial and lateral tibial plate of one mesh with two pieces."""
    lateral = cartilage.points[cartilage.triangles].mean(axis=1)[:, 2] > 2.0
    return {"medial": submesh(cartilage, ~lateral), "lateral": submesh(cartilage, lateral)}


def submesh(mesh: TriangleMesh, kept: NDArray[np.bool_]) -> TriangleMesh:
    used, local = np.unique(mesh.triangles[kept], return_inverse=True)
    return TriangleMesh(points=mesh.points[used], triangles=local.reshape(-1, 3).astype(np.int32))


def plate_arrays(name: str, cartilage: TriangleMesh, bone: TriangleMesh, plane: list[int], height: int) -> Arrays:
    """Height, thickness and outline of one cartilage plate seen along its height axis."""
    border = border_points(cartilage)[:, plane]
    outline = fit_outline(border, harmonics=6, inset_mm=1.0)
    inner = ~near_border(cartilage, 1.0)
    uv, value = cartilage.points[inner][:, plane], cartilage.points[inner][:, height]
    surface = fit_patch(uv, value, knot_mm=3.0, stiffness=0.3)
    found = nearest_on_mesh(bone, cartilage.points[inner])
    layer = fit_patch(uv, np.where(found.side > 0, found.distance_mm, 0.0), knot_mm=4.0, stiffness=3.0)
    within = outline.share(uv) < 1.0
    slope = np.hypot(surface(uv[:, 0], uv[:, 1], du=1), surface(uv[:, 0], uv[:, 1], dv=1))
    residual = (surface(uv[:, 0], uv[:, 1]) - value) / np.sqrt(1.0 + slope**2)
    print(f"{name}: rms {np.sqrt(np.mean(residual[within] ** 2)):.3f} mm over {within.sum()} points, steepest {np.degrees(np.arctan(slope[within].max())):.0f} deg")
    return pack_patch(f"{name}_surface", surface) | pack_patch(f"{name}_thickness", layer) | pack_outline(f"{name}_outline", outline)


def meniscus_arrays(name: str, meniscus: TriangleMesh, plate: SplinePatch, plate_outline: Outline) -> Arrays:
    """Inner and outer edge and height of a meniscus over the angle about the centre of its ring, at even nodes from horn to horn."""
    dense = meniscus.points[meniscus.triangles]
    points = np.concatenate([meniscus.points, *[dense[:, i] * 0.5 + dense[:, (i + 1) % 3] * 0.5 for i in range(3)], dense.mean(axis=1)])
    centre = 0.5 * (points.min(axis=0) + points.max(axis=0))[[0, 2]]
    offset = points[:, [0, 2]] - centre
    radius = np.hypot(offset[:, 0], offset[:, 1])
    opening = -np.pi / 2 if name == "lateral" else np.pi / 2  # v = z: the horns open towards the middle of the knee
    angle = np.mod(np.arctan2(offset[:, 1], offset[:, 0]) - opening, 2.0 * np.pi)
    base = plate_outline.clamped(points[:, [0, 2]], 0.97)
    rise = points[:, 1] - plate(base[:, 0], base[:, 1])
    first, last = np.quantile(angle, [0.002, 0.998])
    nodes = np.linspace(first, last, 25)
    half = 0.75 * (nodes[1] - nodes[0])
    near = [np.abs(angle - node) < half for node in nodes]
    inner = smooth_row([np.quantile(radius[n], 0.02) for n in near])
    outer = smooth_row([np.quantile(radius[n], 0.98) for n in near])
    height = smooth_row([np.quantile(rise[n], 0.97) for n in near])
    print(f"meniscus {name}: centre {centre.round(1)}, from {np.degrees(first):.0f} to {np.degrees(last):.0f} deg, radii {inner.mean():.1f}-{outer.mean():.1f}, height {height.mean():.1f} mm")
    return {f"meniscus_{name}_centre": centre, f"meniscus_{name}_angle": nodes + opening, f"meniscus_{name}_inner": inner,
            f"meniscus_{name}_outer": outer, f"meniscus_{name}_height": height}


def smooth_row(values: list[float]) -> NDArray[np.float64]:
    return np.asarray(ndimage.gaussian_filter1d(np.asarray(values), 1.0, mode="nearest"))


def report(name: str, level_set: LevelSet, points: NDArray[np.float64]) -> None:
    low, high = CUT_MM["tibia"] + 3.0, CUT_MM["femur"] - 3.0
    value, _ = evaluate(level_set, points[(points[:, 1] > low) & (points[:, 1] < high)])
    print(f"{name}: rms {np.sqrt(np.mean(value**2)):.3f} mm, mean {value.mean():.3f}, 99 % within {np.quantile(np.abs(value), 0.99):.2f}")


def fit(folder: Path) -> Arrays:
    """All arrays of the source knee from a folder of MRI meshes."""
    mesh = {path.stem: read_mesh(path) for path in sorted(folder.glob("*.stl"))}
    arrays = femur_arrays(mesh["femur_bone"], mesh["femur_cartilage"])
    for name in ("tibia", "patella"):
        arrays |= bone_arrays(name, mesh[f"{name}_bone"])
    for side, plate in split_plates(mesh["tibia_cartilage"]).items():
        packed = plate_arrays(f"tibia_{side}", plate, mesh["tibia_bone"], [0, 2], 1)
        arrays |= packed
        surface, outline = unpack(packed, f"tibia_{side}")
        arrays |= meniscus_arrays(side, mesh[f"{side}_meniscus"], surface, outline)
    return arrays | plate_arrays("patella", mesh["patella_cartilage"], mesh["patella_bone"], [1, 2], 0)


def unpack(arrays: Arrays, name: str) -> tuple[SplinePatch, Outline]:
    from kneeload.subject.source_knee import unpack_outline, unpack_patch

    return unpack_patch(arrays, f"{name}_surface"), unpack_outline(arrays, f"{name}_outline")


def main() -> None:
    """Command line: fit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, default=DEFAULT_FILE)
    options = parser.parse_args()
    arrays: dict[str, Any] = fit(options.folder)
    np.savez_compressed(options.output, **arrays)
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
