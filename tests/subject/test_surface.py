"""Triangle meshes, layer materials, articular surfaces from files."""

from __future__ import annotations

import re

import numpy as np
import pytest
from mesh_shapes import flipped, icosphere, part, plate, write_stl

from kneeload.errors import InputError
from kneeload.subject.mesh_reading import read_mesh
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
