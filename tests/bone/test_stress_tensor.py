"""The stress tensor in the bone against closed forms, laws of elasticity and symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_knee import flat_sheet

from kneeload.bone.bone_map import BoneMap
from kneeload.bone.halfspace import circular_patch_axis, disc_stress, hertz_axis, point_load_axis, strain_energy_density, von_mises
from kneeload.bone.patches import Facets, cluster, facets, merge
from kneeload.bone.tensor import (
    HalfSpaceSolid,
    SurfacePoints,
    effective_stress,
    in_bone_frame,
    matrices,
    principal_stress,
    strain,
    stress_under,
    tangent_axes,
    vertical_compression,
)
from kneeload.errors import InputError

NU, PATCH = 0.3, 1.5
UP = np.array([0.0, 1.0, 0.0])


def bone_of(patches: Facets) -> BoneMap:
    """A bone that is its patches alone."""
    nothing = np.zeros(0, np.int64)
    return BoneMap(patches=patches, samples=None, radii=np.sqrt(patches.areas / np.pi), depths=np.zeros(0), depth=3.0, begin=nothing,  # type: ignore[arg-type]
                   regions=nothing, influence=np.zeros((0, 0), np.float32), known=np.zeros(0, np.bool_), routes={})


def patched(mesh, pressure: np.ndarray) -> tuple[BoneMap, np.ndarray]:
    """A flat surface gathered into patches of 1.5 mm, with the forces of a pressure on its triangles: loaded patches keep their own area."""
    shape = facets(mesh)
    loaded = np.flatnonzero(pressure)
    number = cluster(shape, PATCH, loaded)
    force = np.bincount(number, pressure[loaded] * shape.areas[loaded])
    return bone_of(merge(shape, number, loaded)), force.astype(np.float32)


def below(x: np.ndarray, depth: np.ndarray, z: np.ndarray | float = 0.0) -> SurfacePoints:
    x, depth, z = np.broadcast_arrays(np.asarray(x, float), np.asarray(depth, float), np.asarray(z, float))
    return SurfacePoints(points=np.column_stack([x, np.zeros(len(x)), z]), normals=np.tile(UP, (len(x), 1)), depth_mm=depth.copy())


def in_xyz(stress: np.ndarray) -> np.ndarray:
    return in_bone_frame(stress, np.tile(UP, (len(stress), 1)))


DEPTHS = 2.0 * PATCH * np.array([1.0, 1.5, 2.5, 5.0])  # from two patches


def test_point_load_and_uniform_disc_and_hertz_on_the_axis_within_one_percent() -> None:
    mesh = flat_sheet(np.arange(-10.0, 10.25, 0.5), np.arange(-10.0, 10.25, 0.5))
    r = np.hypot(mesh.centroids[:, 0], mesh.centroids[:, 2])
    bone, force = patched(mesh, 2.0 * (r <= 8.0))
    radius = np.sqrt(mesh.areas[r <= 8.0].sum() / np.pi)  # of the stepped edge
    got = vertical_compression(stress_under(bone, below(np.zeros(4), DEPTHS), force))
    np.testing.assert_allclose(got, circular_patch_axis(2.0, radius, DEPTHS), rtol=0.01)
    bone, force = patched(mesh, 4.0 * np.sqrt(np.maximum(1.0 - (r / 8.0) ** 2, 0.0)))
    np.testing.assert_allclose(vertical_compression(stress_under(bone, below(np.zeros(4), DEPTHS), force)), hertz_axis(4.0, 8.0, DEPTHS), rtol=0.01)
    point = bone_of(Facets(centres=np.zeros((1, 3)), normals=UP[None], areas=np.array([1e-6])))
    got = vertical_compression(stress_under(point, below(np.zeros(4), DEPTHS), np.array([250.0], np.float32)))
    np.testing.assert_allclose(got, point_load_axis(250.0, DEPTHS), rtol=1e-3)


def test_uniform_strip_off_its_axis_within_one_percent() -> None:
    """Johnson 1985, equation 2.31: plane strain under a strip of pressure."""
    half = 6.0
    mesh = flat_sheet(np.arange(-half, half + 0.3, 0.75), np.arange(-180.0, 180.3, 1.0))
    bone, force = patched(mesh, np.full(mesh.triangles.shape[0], 3.0))
    x, depth = (a.ravel() for a in np.meshgrid([0.0, 3.0, 6.0, 9.0], [3.0, 6.0, 12.0]))
    got = in_xyz(stress_under(bone, below(x, depth), force, HalfSpaceSolid(poisson_ratio=NU)))
    one, two = np.arctan2(depth, x - half), np.arctan2(depth, x + half)
    turn, sine, cosine = 2.0 * (one - two), np.sin(2.0 * one) - np.sin(2.0 * two), np.cos(2.0 * one) - np.cos(2.0 * two)
    down, across = -3.0 / (2.0 * np.pi) * (turn - sine), -3.0 / (2.0 * np.pi) * (turn + sine)
    np.testing.assert_allclose(got[:, 1, 1], down, atol=0.01 * 3.0)
    np.testing.assert_allclose(got[:, 0, 0], across, atol=0.01 * 3.0)
    np.testing.assert_allclose(got[:, 2, 2], NU * (down + across), atol=0.01 * 3.0)
    np.testing.assert_allclose(got[:, 0, 1], -3.0 / (2.0 * np.pi) * cosine, atol=0.01 * 3.0)  # y points out of the solid


def test_uniform_shear_on_a_disc_on_its_axis() -> None:
    """Cerruti's force integrated over a disc: 1 - 3 z / (2 R) + z^3 / (2 R^3) of the traction, R^2 = a^2 + z^2."""
    disc = _even_disc(9.0, 0.4)
    depth = np.array([1.0, 3.0, 9.0, 20.0])
    force = np.zeros((len(disc), 3))
    force[:, 0] = 0.7 * np.pi * 9.0**2 / len(disc)
    stress = disc_stress(np.column_stack([np.zeros((4, 2)), depth]), disc, force, np.full(len(disc), 9.0 / np.sqrt(len(disc))), NU)
    big = np.hypot(9.0, depth)
    np.testing.assert_allclose(-stress[:, 5], 0.7 * (1.0 - 1.5 * depth / big + 0.5 * (depth / big) ** 3), rtol=0.01)
    np.testing.assert_allclose(stress[:, [0, 1, 2, 3, 4]], 0.0, atol=2e-3)


def _even_disc(radius: float, step: float) -> np.ndarray:
    """Points of equal area on a disc (Vogel's spiral)."""
    count = int(np.pi * radius**2 / step**2)
    k = np.arange(count) + 0.5
    return np.column_stack([radius * np.sqrt(k / count) * f(k * np.pi * (3.0 - np.sqrt(5.0))) for f in (np.cos, np.sin)])


@pytest.mark.parametrize("force", [(0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.4, -0.8, 0.5)])
def test_point_loads_obey_equilibrium_and_compatibility(force: tuple[float, float, float]) -> None:
    """No body force, and the Beltrami-Michell equations: laplacian(stress) + grad grad trace / (1 + nu) = 0."""
    rng, step = np.random.default_rng(0), 1e-3
    at = np.column_stack([rng.uniform(-2.0, 2.0, (12, 2)), rng.uniform(0.7, 3.0, 12)])
    eye = step * np.eye(3)

    def tensor(points: np.ndarray) -> np.ndarray:
        return matrices(disc_stress(points, np.zeros((1, 2)), np.array([force]), np.array([1e-9]), NU))

    slope = np.stack([(tensor(at + e) - tensor(at - e)) / (2.0 * step) for e in eye], axis=1)
    np.testing.assert_allclose(np.einsum("nkkj->nj", slope), 0.0, atol=1e-4 * np.abs(slope).max())
    curved = sum((tensor(at + e) - 2.0 * tensor(at) + tensor(at - e)) / step**2 for e in eye)
    trace = [[np.trace(tensor(at + a + b) - tensor(at + a - b) - tensor(at - a + b) + tensor(at - a - b), axis1=1, axis2=2) / (4.0 * step**2) for b in eye] for a in eye]
    np.testing.assert_allclose(curved + np.moveaxis(np.array(trace), -1, 0) / (1.0 + NU), 0.0, atol=1e-4 * np.abs(curved).max())


def tilted_patch(angle: float) -> BoneMap:
    """One patch whose normal leans by an angle towards +x: a unit force has a normal and a tangential part."""
    return bone_of(Facets(centres=np.zeros((1, 3)), normals=np.array([[np.sin(angle), np.cos(angle), 0.0]]), areas=np.array([1.5])))


@pytest.mark.parametrize("depth", [4.0, 9.0])
def test_stress_on_a_plane_adds_up_to_the_force_of_the_patch(depth: float) -> None:
    """Within a radius on the plane, since the shear of the rest falls off slowly: the closed forms of the part inside."""
    angle, line = 0.6, np.arange(-120.0, 120.5, 1.5)
    x, z = (a.ravel() for a in np.meshgrid(line, line))
    x, z = x[np.hypot(x, z) <= 120.0], z[np.hypot(x, z) <= 120.0]
    stress = in_xyz(stress_under(tilted_patch(angle), below(x, np.full(len(x), depth), z), np.ones(1, np.float32)))
    force = stress[:, :, 1].sum(axis=0) * 1.5**2  # of the bone above on the bone below, whose outward normal is y
    down = depth / np.hypot(120.0, depth)
    np.testing.assert_allclose(force, [-np.sin(angle) * (1.0 - 1.5 * down + 0.5 * down**3), -np.cos(angle) * (1.0 - down**3), 0.0], atol=2e-3)


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.floats(-1.0, 1.0)] * 4), st.integers(0, 1000))
def test_stress_turns_with_the_bone(quaternion: tuple[float, ...], seed: int) -> None:
    q = np.array(quaternion)
    if np.linalg.norm(q) < 0.1:
        return
    w, a, b, c = q / np.linalg.norm(q)
    turn = np.array([[1 - 2 * (b * b + c * c), 2 * (a * b - c * w), 2 * (a * c + b * w)], [2 * (a * b + c * w), 1 - 2 * (a * a + c * c), 2 * (b * c - a * w)],
                     [2 * (a * c - b * w), 2 * (b * c + a * w), 1 - 2 * (a * a + b * b)]])
    rng = np.random.default_rng(seed)
    centres, lean = rng.uniform(-6.0, 6.0, (5, 3)) * [1.0, 0.1, 1.0], rng.uniform(-0.4, 0.4, (5, 3)) + UP
    lean /= np.linalg.norm(lean, axis=1, keepdims=True)
    under, force = below(rng.uniform(-6, 6, 7), rng.uniform(2, 9, 7), rng.uniform(-6, 6, 7)), rng.uniform(0.5, 5.0, 5).astype(np.float32)
    plain = in_bone_frame(stress_under(bone_of(Facets(centres=centres, normals=lean, areas=np.full(5, 1.5))), under, force), under.normals)
    moved = SurfacePoints(points=under.points @ turn.T, normals=under.normals @ turn.T, depth_mm=under.depth_mm)
    other = in_bone_frame(stress_under(bone_of(Facets(centres=centres @ turn.T, normals=lean @ turn.T, areas=np.full(5, 1.5))), moved, force), moved.normals)
    np.testing.assert_allclose(other, turn @ plain @ turn.T, atol=2e-3 * np.abs(plain).max())  # the four far points of a disc turn with the axes


def test_mirrored_loads_give_mirrored_stress() -> None:
    bone = bone_of(Facets(centres=np.array([[3.0, 0.0, 1.0], [-3.0, 0.0, 1.0]]), normals=np.array([[0.2, np.sqrt(0.96), 0.0], [-0.2, np.sqrt(0.96), 0.0]]), areas=np.ones(2)))
    stress = in_xyz(stress_under(bone, below(np.array([2.0, -2.0, 0.0]), np.full(3, 4.0)), np.ones(2, np.float32)))
    flip = np.array([-1.0, 1.0, 1.0])
    np.testing.assert_allclose(stress[1], flip[:, None] * stress[0] * flip, atol=1e-5)
    np.testing.assert_allclose(stress[2, 0, 1:], 0.0, atol=1e-6)  # no shear on the plane of symmetry


def test_a_patch_that_faces_away_does_nothing_and_no_patch_gives_zero() -> None:
    bone = bone_of(Facets(centres=np.array([[1.0, 0.0, 0.0]]), normals=-UP[None], areas=np.ones(1)))
    assert (stress_under(bone, below(np.zeros(2), np.array([2.0, 5.0])), np.ones(1, np.float32)) == 0.0).all()
    assert (stress_under(bone, below(np.zeros(2), np.array([2.0, 5.0])), np.zeros(1, np.float32)) == 0.0).all()


def test_more_points_than_a_block_keep_their_order() -> None:
    rng = np.random.default_rng(8)
    bone, x, depth = tilted_patch(0.3), rng.uniform(-40, 40, 200), rng.uniform(1, 12, 200)
    whole = stress_under(bone, below(x, depth), np.ones(1, np.float32))
    single = np.concatenate([stress_under(bone, below(x[k:k + 1], depth[k:k + 1]), np.ones(1, np.float32)) for k in (0, 63, 64, 199)])
    np.testing.assert_allclose(whole[[0, 63, 64, 199]], single, atol=0.01 * np.abs(single).max())


def test_invariants() -> None:
    rng, solid = np.random.default_rng(9), HalfSpaceSolid()
    stress = rng.standard_normal((6, 6))
    full = matrices(stress)
    np.testing.assert_allclose(principal_stress(stress).sum(axis=1), np.trace(full, axis1=1, axis2=2))
    p = principal_stress(stress)
    np.testing.assert_allclose(von_mises(stress), np.sqrt(0.5 * ((p[:, 0] - p[:, 1]) ** 2 + (p[:, 1] - p[:, 2]) ** 2 + (p[:, 2] - p[:, 0]) ** 2)))
    energy = 0.5 * (full * matrices(strain(stress, solid))).sum(axis=(1, 2))
    np.testing.assert_allclose(energy, strain_energy_density(stress, solid.youngs_modulus_mpa, solid.poisson_ratio))
    np.testing.assert_allclose(effective_stress(stress, solid), effective_stress(stress, HalfSpaceSolid(youngs_modulus_mpa=1.0)))  # E cancels
    assert effective_stress(np.array([0, 0, -2.5, 0, 0, 0]), solid) == pytest.approx(2.5)
    assert strain(np.array([0, 0, -2.5, 0, 0, 0]), solid)[[0, 2]] == pytest.approx([NU * 2.5 / solid.youngs_modulus_mpa, -2.5 / solid.youngs_modulus_mpa])


def test_tangent_axes_are_right_handed_unit_vectors() -> None:
    normals = np.random.default_rng(1).standard_normal((50, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    axes = tangent_axes(normals).transpose(2, 0, 1)
    np.testing.assert_allclose(axes @ axes.transpose(0, 2, 1), np.tile(np.eye(3), (50, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(axes), 1.0)
    np.testing.assert_allclose(axes[:, 2], normals)


def test_bad_constants_are_refused() -> None:
    with pytest.raises(InputError, match="Poisson"):
        HalfSpaceSolid(poisson_ratio=0.5)
    with pytest.raises(InputError, match="Young"):
        HalfSpaceSolid(youngs_modulus_mpa=0.0)
