"""Triangle meshes, layer materials, articular surfaces from files."""

from __future__ import annotations

import pickle
import re
from dataclasses import replace

import numpy as np
import pytest
from mesh_shapes import flipped, icosphere, joined, part, plate, write_stl

from kneeload.errors import InputError
from kneeload.subject.mesh_density import with_density
from kneeload.subject.mesh_reading import read_mesh
from kneeload.subject.proximity import edge_neighbours, is_closed, nearest_on_mesh, self_crossings, thickness_along_rays, thickness_to_bone
from kneeload.subject.surface import ArticularSurface, LayerMaterial, TriangleMesh

SOFT = LayerMaterial(youngs_modulus_mpa=10.0, poisson_ratio=0.45)


def from_mesh(path, **changes):
    return ArticularSurface.from_mesh(path, **{"length_unit": "mm", "thickness_mm": 2.0, "material": SOFT, **changes})


def test_sphere_has_its_area_volume_and_normals():
    mesh = icosphere(20.0, 4)
    assert mesh.areas.sum() == pytest.approx(4.0 * np.pi * 400.0, rel=5e-3)  # faceting
    assert mesh.volume_mm3 == pytest.approx(4.0 / 3.0 * np.pi * 8000.0, rel=5e-3)
    assert np.min(np.einsum("mi,mi->m", mesh.normals, mesh.centroids)) > 19.0
    assert flipped(mesh).volume_mm3 == pytest.approx(-mesh.volume_mm3)
    np.testing.assert_allclose(mesh.area_vectors.sum(axis=0), 0.0, atol=1e-9)


def test_facets_are_measured_once_and_read_only():
    rng = np.random.default_rng(3)
    mesh = TriangleMesh(points=rng.normal(size=(40, 3)), triangles=rng.integers(0, 40, (60, 3)))
    vectors = mesh.area_vectors
    length = np.linalg.norm(vectors, axis=1)
    np.testing.assert_array_equal(mesh.centroids, mesh.points[mesh.triangles].mean(axis=1))
    np.testing.assert_array_equal(mesh.areas, length)
    np.testing.assert_array_equal(mesh.normals, vectors / np.maximum(length, 1e-300)[:, None])
    assert mesh.areas is mesh.areas and not any(a.flags.writeable for a in (mesh.areas, mesh.normals, mesh.centroids))
    moved = replace(mesh, points=mesh.points * 2.0)
    np.testing.assert_allclose(moved.areas, 4.0 * mesh.areas)  # nothing is kept of the mesh before
    copy = pickle.loads(pickle.dumps(mesh))
    np.testing.assert_array_equal(copy.normals, mesh.normals)


def test_mirror_and_motion_keep_the_outside_outside():
    mesh = icosphere(20.0, 2, (1.0, 2.0, 3.0))
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    for moved in (mesh.mirrored(), mesh.transformed(turn, [5.0, 0.0, 1.0]), mesh.transformed(-turn, np.zeros(3))):
        assert moved.volume_mm3 == pytest.approx(mesh.volume_mm3)
    np.testing.assert_allclose(mesh.mirrored().points, mesh.points * [1.0, 1.0, -1.0])
    again = mesh.mirrored().mirrored()
    np.testing.assert_array_equal(again.points, mesh.points)
    np.testing.assert_array_equal(again.triangles, mesh.triangles)


def test_arrays_are_read_only_but_the_callers_are_not():
    points = np.zeros((3, 3))
    mesh = TriangleMesh(points=points, triangles=np.array([[0, 1, 2]]))
    assert not mesh.points.flags.writeable and not mesh.triangles.flags.writeable and points.flags.writeable
    assert mesh.triangles.dtype == np.int32
    np.testing.assert_array_equal(mesh.normals, np.zeros((1, 3)))  # a triangle without area has no normal


@pytest.mark.parametrize("e, nu, words", [(10.0, 0.5, "Poisson"), (10.0, -0.1, "Poisson"), (10.0, float("nan"), "Poisson"),
                                          (0.0, 0.3, "Young"), (-5.0, 0.3, "Young"), (float("inf"), 0.3, "Young")])
def test_materials_that_cannot_be(e, nu, words):
    with pytest.raises(InputError, match=words):
        LayerMaterial(youngs_modulus_mpa=e, poisson_ratio=nu)


def test_poisson_half_says_why():
    with pytest.raises(InputError, match=re.escape("(poisson_ratio) is 0.5, but must be at least 0 and below 0.5: the confined modulus")):
        LayerMaterial(youngs_modulus_mpa=10.0, poisson_ratio=0.5)
    assert LayerMaterial(youngs_modulus_mpa=5.0, poisson_ratio=0.45).confined_modulus_mpa == pytest.approx(18.966, abs=1e-3)


@pytest.mark.parametrize("ending", ["stl", "ply", "vtp", "obj"])
def test_every_format_gives_the_same_surface(tmp_path, ending):
    pyvista = pytest.importorskip("pyvista")
    mesh = plate((-14.0, 14.0), (6.0, 30.0), lambda x, z: -20.0 + 0.01 * x**2 + 0.02 * z, n=9)
    path = tmp_path / f"plateau.{ending}"
    if ending == "obj":
        lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in mesh.points] + ["f {} {} {}".format(*(t + 1)) for t in mesh.triangles]
        path.write_text("\n".join(lines) + "\n")
    else:
        pyvista.PolyData.from_regular_faces(mesh.points, mesh.triangles).save(path)
    surface = from_mesh(path)
    assert (surface.name, surface.body, len(surface.areas)) == ("plateau", "tibia", len(mesh.triangles))
    assert len(surface.mesh.points) == len(mesh.points)  # merged, also from the soup of an STL file
    assert surface.area_mm2 == pytest.approx(mesh.areas.sum(), rel=1e-5)  # 32-bit files
    assert np.all(surface.normals[:, 1] > 0.9) and np.all(surface.thickness_mm == 2.0) and np.all(surface.region == -1)


def test_units_are_converted(tmp_path):
    mesh = icosphere(20.0, 2)
    for unit, factor in (("mm", 1.0), ("cm", 0.1), ("m", 0.001)):
        write_stl(tmp_path / "s.stl", mesh, factor)
        assert from_mesh(tmp_path / "s.stl", length_unit=unit).area_mm2 == pytest.approx(mesh.areas.sum(), rel=1e-5)


def test_triangles_without_area_are_dropped_and_thickness_follows(tmp_path):
    mesh = icosphere(20.0, 1)
    faces = np.concatenate([[[0, 0, 1]], mesh.triangles, [[5, 6, 5]]])
    write_stl(tmp_path / "s.stl", TriangleMesh(points=mesh.points, triangles=faces))
    thickness = np.arange(1.0, len(faces) + 1.0) / 10.0
    assert read_mesh(tmp_path / "s.stl", length_unit="mm").count == len(faces)
    surface = from_mesh(tmp_path / "s.stl", thickness_mm=thickness)
    np.testing.assert_array_equal(surface.thickness_mm, thickness[1:-1])
    with pytest.raises(InputError, match="one per triangle of the file"):
        from_mesh(tmp_path / "s.stl", thickness_mm=thickness[1:])


def test_thickness_from_the_bone(tmp_path):
    bone = icosphere(18.0, 4)
    write_stl(tmp_path / "c.stl", part(icosphere(20.0, 4), lambda c: c[:, 1] < 0.0))
    np.testing.assert_allclose(from_mesh(tmp_path / "c.stl", thickness_mm="bone", bone=bone).thickness_mm, 2.0, atol=0.06)
    with pytest.raises(InputError, match="together with the mesh of the bone"):
        from_mesh(tmp_path / "c.stl", thickness_mm="bone")


def test_thickness_along_rays_to_the_bone(tmp_path):
    """A flat layer 3 mm above a bone that slopes by 30 degrees: the shortest distance is cos(30) of the way along the normal."""
    bone = sloped_block(np.tan(np.deg2rad(30.0)))
    write_stl(tmp_path / "c.stl", plate((-6.0, 6.0), (-6.0, 6.0), lambda x, z: 6.0 + 0.0 * x, n=9))
    ray, shortest = (from_mesh(tmp_path / "c.stl", thickness_mm=how, bone=bone) for how in ("ray", "bone"))
    exact = 6.0 - ray.centroids[:, 0] * np.tan(np.deg2rad(30.0))
    np.testing.assert_allclose(ray.thickness_mm, np.clip(exact, 1.0, 10.0), rtol=1e-5)
    np.testing.assert_allclose(shortest.thickness_mm, np.clip(exact * np.cos(np.deg2rad(30.0)), 1.0, 10.0), rtol=1e-5)
    aside = ray.mesh.transformed(np.eye(3), [39.0, -26.0, 0.0])  # beside the block, where no ray meets it
    np.testing.assert_array_equal(thickness_along_rays(aside, bone), thickness_to_bone(aside, bone))
    with pytest.raises(InputError, match=r'"ray" \(along the normal\) together with the mesh of the bone'):
        from_mesh(tmp_path / "c.stl", thickness_mm="ray")
    with pytest.raises(InputError, match="different frames or units"):
        from_mesh(tmp_path / "c.stl", thickness_mm="ray", bone=bone.transformed(np.eye(3), [0.0, -40.0, 0.0]))


def sloped_block(slope: float) -> TriangleMesh:
    """A block 60 mm wide whose top is y = slope * x."""
    x, y, z = np.array([-30.0, 30.0]), np.array([-60.0, 0.0]), np.array([-30.0, 30.0])
    points = np.array([(a, b + slope * a * (b == 0.0), c) for a in x for b in y for c in z])
    faces = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)]
    block = TriangleMesh(points=points, triangles=np.array(faces))
    assert block.volume_mm3 > 0.0
    return block


@pytest.mark.parametrize("density", [0.3, 1.0, 2.6, 8.0])
def test_a_wanted_density(tmp_path, density):
    """A spherical cap of 1.9 triangles per mm2, thickness rising with height: number, area, rim, shape and thickness of what comes back."""
    cap = part(icosphere(15.0, 4), lambda c: c[:, 1] < -3.0)
    write_stl(tmp_path / "c.stl", cap)
    surface = from_mesh(tmp_path / "c.stl", triangles_per_mm2=density, thickness_mm=3.0 + cap.centroids[:, 1] / 10.0)
    mesh = surface.mesh
    assert len(mesh.triangles) / mesh.areas.sum() == pytest.approx(density, rel=0.05)
    assert mesh.areas.sum() == pytest.approx(cap.areas.sum(), rel=0.03)
    assert np.std(mesh.areas) < 0.5 * mesh.areas.mean()
    radius = np.linalg.norm(mesh.points, axis=1)
    assert radius.max() <= 15.0 + 1e-6 and radius.min() > 14.9
    assert np.percentile(nearest_on_mesh(cap, mesh.points).distance_mm, 95) < 1e-4  # on the facets; the file has 32 bits
    assert np.min(np.einsum("mi,mi->m", mesh.normals, mesh.centroids)) > 12.0  # none turned over
    assert np.ptp(mesh.points[rim_points(mesh), 1]) < 3.0  # one rim, where it was
    assert edge_neighbours(mesh.triangles)[1].max() == 2 and not self_crossings(mesh).any()
    assert np.abs(surface.thickness_mm - 3.0 - surface.centroids[:, 1] / 10.0).max() < 0.15


def rim_points(mesh: TriangleMesh) -> np.ndarray:
    edge, count = edge_neighbours(mesh.triangles)
    sides = mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    return np.unique(sides[(count == 1)[edge]])


def test_density_keeps_a_closed_mesh_closed_and_finer_facets_where_they_were():
    mesh = icosphere(15.0, 3)
    finer, nearest = with_density(mesh, 3.0)
    assert is_closed(finer) and finer.volume_mm3 == pytest.approx(mesh.volume_mm3, rel=1e-12)
    assert np.bincount(nearest, finer.areas) == pytest.approx(mesh.areas)  # every new triangle lies in its old one
    coarser, _ = with_density(mesh, 0.15)
    assert is_closed(coarser) and coarser.volume_mm3 == pytest.approx(mesh.volume_mm3, rel=0.1)
    for bad in (0.0, -1.0, 1e4, float("nan")):
        with pytest.raises(InputError, match="mesh density"):
            with_density(mesh, bad)


def test_left_files_and_their_mirror_image(tmp_path):
    mesh = part(icosphere(20.0, 2, (0.0, 0.0, 5.0)), lambda c: c[:, 1] < 0.0)
    write_stl(tmp_path / "c.stl", mesh)
    left, right = from_mesh(tmp_path / "c.stl", side="left"), from_mesh(tmp_path / "c.stl", side="left", mirror=True)
    assert (left.side, right.side) == ("left", "right")
    np.testing.assert_allclose(right.mesh.points, left.mesh.points * [1.0, 1.0, -1.0])
    np.testing.assert_allclose(right.normals, left.normals * [1.0, 1.0, -1.0], atol=1e-12)
    with pytest.raises(InputError, match="one of right, left"):
        from_mesh(tmp_path / "c.stl", side="both")


def test_self_intersecting_surfaces(tmp_path):
    write_stl(tmp_path / "s.stl", joined(icosphere(20.0, 3), icosphere(20.0, 3, (25.0, 1.3, 0.7))))
    with pytest.raises(InputError, match=r"surface \(.*s\.stl\) is 'self-intersecting \(\d+ triangles, .* at most 1 % of the area"):
        from_mesh(tmp_path / "s.stl")
    apart = joined(icosphere(20.0, 3), icosphere(20.0, 3, (40.5, 1.3, 0.7)))
    assert not self_crossings(apart).any()
    write_stl(tmp_path / "s.stl", apart)
    from_mesh(tmp_path / "s.stl")


@pytest.mark.parametrize("thickness", [0.0, -1.0, float("nan"), 50.0])
def test_layers_need_a_thickness(tmp_path, thickness):
    write_stl(tmp_path / "s.stl", icosphere(20.0, 1))
    with pytest.raises(InputError, match=r"layer thickness \(.*s\.stl\) is .* above 0 and below 30 mm"):
        from_mesh(tmp_path / "s.stl", thickness_mm=thickness)


def test_metres_taken_for_millimetres(tmp_path):
    write_stl(tmp_path / "s.stl", icosphere(20.0, 1), 0.001)
    with pytest.raises(InputError, match=r"s\.stl\) is '0\.0\d+ mm across.*10 to 200 mm: metres taken for millimetres\?"):
        from_mesh(tmp_path / "s.stl")
    write_stl(tmp_path / "s.stl", icosphere(20.0, 1))
    with pytest.raises(InputError, match="millimetres taken for metres"):
        from_mesh(tmp_path / "s.stl", length_unit="m")
    with pytest.raises(InputError, match="one of mm, cm, m"):
        from_mesh(tmp_path / "s.stl", length_unit="inch")


def test_inside_out_surfaces(tmp_path):
    write_stl(tmp_path / "s.stl", flipped(icosphere(20.0, 1)))
    with pytest.raises(InputError, match="inside out"):
        from_mesh(tmp_path / "s.stl")
    cap = part(icosphere(20.0, 3), lambda c: c[:, 1] < 0.0)
    write_stl(tmp_path / "c.stl", flipped(cap))
    from_mesh(tmp_path / "c.stl")  # without its bone nobody can tell
    with pytest.raises(InputError, match=r"inside out \(100 % of the area faces the bone\)"):
        from_mesh(tmp_path / "c.stl", bone=icosphere(18.0, 3))


def test_files_that_are_no_mesh(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        from_mesh(tmp_path / "absent.stl")
    (tmp_path / "notes.txt").write_text("knee")
    with pytest.raises(InputError, match=r"one of \.stl, \.ply, \.obj, \.vtp"):
        from_mesh(tmp_path / "notes.txt")
    for ending in ("stl", "ply", "vtp", "obj"):
        for content in (b"", b"this is not a mesh\n" * 20):
            (tmp_path / f"bad.{ending}").write_bytes(content)
            with pytest.raises(InputError, match=f"bad.{ending}"):
                from_mesh(tmp_path / f"bad.{ending}")


def test_broken_surfaces(tmp_path):
    mesh = icosphere(20.0, 2)
    points = mesh.points.copy()
    points[4, 1] = np.nan
    write_stl(tmp_path / "s.stl", TriangleMesh(points=points, triangles=mesh.triangles))
    with pytest.raises(InputError, match="NaN or infinity"):
        from_mesh(tmp_path / "s.stl")
    fan = np.array([[0.0, 0, 0], [30, 0, 0], [0, 30, 0], [0, 0, 30], [0, -30, 0]])
    write_stl(tmp_path / "s.stl", TriangleMesh(points=fan, triangles=np.array([[0, 1, 2], [0, 1, 3], [0, 1, 4]])))
    with pytest.raises(InputError, match="more than two triangles"):
        from_mesh(tmp_path / "s.stl")
    faces = mesh.triangles.copy()
    faces[::2] = faces[::2, ::-1]
    write_stl(tmp_path / "s.stl", TriangleMesh(points=mesh.points, triangles=faces))
    with pytest.raises(InputError, match="opposite ways"):
        from_mesh(tmp_path / "s.stl")


def test_surface_arrays_must_fit_the_mesh():
    mesh = icosphere(20.0, 1)
    with pytest.raises(InputError, match="one value for each of 80 triangles"):
        ArticularSurface(name="x", body="tibia", mesh=mesh, thickness_mm=np.ones(3), material=SOFT, region=np.zeros(80, np.int8))
    with pytest.raises(InputError, match="finite and not negative"):
        ArticularSurface(name="x", body="tibia", mesh=mesh, thickness_mm=np.full(80, -1.0), material=SOFT, region=np.zeros(80, np.int8))
