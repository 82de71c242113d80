"""The bone as cubes: insides, regions, depth, and volumes in the published range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic_knee import make_anatomy

from kneeload import Subject
from kneeload.bone.volume import BONES, REACH_MM, bone_volumes, cubes_inside, whole_bone
from kneeload.errors import InputError
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy
from kneeload.subject.mesh_folder import mesh_anatomy
from kneeload.subject.proximity import nearest_on_mesh
from kneeload.subject.reference import reference_anatomy
from kneeload.subject.surface import TriangleMesh

R = {name: i for i, name in enumerate(MOAKS_REGIONS)}
MEDIAL_CONDYLE = [R["femur_central_medial"], R["femur_posterior_medial"]]
MEDIAL_PLATEAU = [R[f"tibia_{part}_medial"] for part in ("anterior", "central", "posterior")]


def cube(steps: int = 40) -> TriangleMesh:
    """A closed cube from -1 to 1 with small triangles."""
    grid, corner = np.linspace(-1.0, 1.0, steps + 1), (np.arange(steps)[:, None] * (steps + 1) + np.arange(steps)).ravel()
    points, faces = [], []
    for axis in range(3):
        for side in (-1.0, 1.0):
            face = np.empty((steps + 1, steps + 1, 3))
            face[..., axis] = side
            face[..., (axis + 1) % 3], face[..., (axis + 2) % 3] = np.meshgrid(grid, grid, indexing="ij")
            turn = np.stack([corner, corner + steps + 1, corner + steps + 2]), np.stack([corner, corner + steps + 2, corner + 1])
            faces += [len(points) * (steps + 1) ** 2 + (t if side > 0.0 else t[::-1]).T for t in turn]
            points.append(face.reshape(-1, 3))
    return TriangleMesh(points=np.concatenate(points), triangles=np.concatenate(faces).astype(np.int32))


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> TriangleMesh:
    """A closed box."""
    whole = cube()
    return TriangleMesh(points=np.array(low) + 0.5 * (whole.points + 1.0) * (np.array(high) - np.array(low)), triangles=whole.triangles)


@pytest.fixture(scope="module")
def flat() -> KneeAnatomy:
    """Flat plateaus 2 mm above a block of bone from z = -32 to 32."""
    return replace(make_anatomy(), bones={"tibia": box((-20.0, -40.0, -32.0), (20.0, -2.0, 32.0))})


def test_a_ball_of_cubes_has_the_volume_of_the_ball() -> None:
    whole = cube()
    mesh = TriangleMesh(points=10.0 * whole.points / np.linalg.norm(whole.points, axis=1, keepdims=True) + [3.3, -7.1, 0.4], triangles=whole.triangles)
    origin, index = cubes_inside(mesh, 0.7)
    centres = origin + 0.7 * index
    assert len(index) * 0.7**3 == pytest.approx(4.0 / 3.0 * np.pi * 1000.0, rel=0.01)
    assert np.linalg.norm(centres - [3.3, -7.1, 0.4], axis=1).max() <= 10.0


def test_an_open_mesh_is_refused() -> None:
    whole = box((0.0, 0.0, 0.0), (10.0, 10.0, 10.0))
    with pytest.raises(InputError, match="closed"):
        cubes_inside(whole.selected(whole.centroids[:, 1] > 0.01), 1.0)


def test_flat_plateaus_give_depth_thirds_and_the_middle(flat: KneeAnatomy) -> None:
    volume = whole_bone(flat, "tibia", spacing_mm=2.0)
    centres = volume.centres_mm
    below = (np.abs(centres[:, 2]) > 9.5) & (np.abs(centres[:, 2]) < 31.0) & (np.abs(centres[:, 0]) < 19.0)
    np.testing.assert_allclose(volume.depth_mm[below], -2.0 - centres[below, 1], atol=0.1)  # plateaus at 0, cartilage of 2 mm
    assert np.array_equal(volume.surface[below], (centres[below, 2] > 0.0).astype(np.int8))
    shallow = below & (volume.depth_mm < REACH_MM)
    names = np.array(MOAKS_REGIONS)[volume.region[shallow]]
    for name, (x, _, z) in zip(names, centres[shallow]):
        part = "anterior" if x > 7.5 else "posterior" if x < -7.5 else "central"
        if abs(abs(x) - 7.0) > 1.0:
            assert name == f"tibia_{part}_{'medial' if z < 0 else 'lateral'}"
    middle = (np.abs(centres[:, 2]) < 7.0) & (volume.depth_mm < REACH_MM)
    assert middle.any() and np.all(volume.region[middle] == R["tibia_subspinous"])
    assert np.all(volume.region[volume.depth_mm > REACH_MM + 0.2] == -1)


def test_volumes_of_the_flat_plateaus_are_area_times_reach(flat: KneeAnatomy) -> None:
    volume = whole_bone(flat, "tibia", spacing_mm=1.0, depth_mm=10.0)
    under = volume.region_volumes_mm3()
    assert under[MEDIAL_PLATEAU].sum() == pytest.approx(24.0 * 40.0 * 10.0, rel=0.05)
    assert under[R["tibia_subspinous"]] == pytest.approx(16.0 * 40.0 * 10.0, rel=0.08)  # between the inner edges


@pytest.fixture(scope="module")
def volumes() -> dict[str, np.ndarray]:
    """Region volumes, cm3, of the mean man and the mean woman."""
    knees = {"man": Subject(), "woman": Subject(sex="female", height_m=1.63, body_mass_kg=65.0)}
    return {who: sum(v.region_volumes_mm3() for v in bone_volumes(reference_anatomy(s)).values()) / 1000.0 for who, s in knees.items()}


def test_medial_condyle_and_plateau_have_the_published_volume(volumes: dict[str, np.ndarray]) -> None:
    """Nielsen 2014: lesion volume over lesion share gives 12.2-13.2 cm3 (condyle) and 11.7-13.4 cm3 (plateau).

    Reach and angle were chosen to meet these: this guards the calibration, it is no independent check.
    """
    adult = 0.5 * (volumes["man"] + volumes["woman"])
    assert 11.7 <= adult[MEDIAL_CONDYLE].sum() <= 13.4
    assert 11.7 <= adult[MEDIAL_PLATEAU].sum() <= 13.4


def test_every_region_has_bone_and_men_more(volumes: dict[str, np.ndarray]) -> None:
    assert np.all(volumes["woman"] > 1.0)
    assert np.all(volumes["man"] > volumes["woman"])


def test_cubes_do_not_depend_on_their_size() -> None:
    knee = reference_anatomy(Subject())
    coarse, fine = (sum(v.region_volumes_mm3() for v in bone_volumes(knee, spacing_mm=h).values()) for h in (3.0, 2.0))
    np.testing.assert_allclose(coarse[MEDIAL_PLATEAU].sum(), fine[MEDIAL_PLATEAU].sum(), rtol=0.04)
    np.testing.assert_allclose(coarse.sum(), fine.sum(), rtol=0.03)


def test_depth_is_that_of_the_exact_nearest_point() -> None:
    knee = reference_anatomy(Subject())
    volume = bone_volumes(knee)["femur"]
    chosen = np.flatnonzero(knee.femur.region >= 0)
    exact = nearest_on_mesh(knee.femur.mesh.selected(chosen), volume.centres_mm)
    depth = np.maximum(exact.distance_mm - knee.femur.thickness_mm[chosen[exact.triangle]], 0.0)
    assert np.quantile(np.abs(volume.depth_mm - depth), 0.95) < 0.35
    assert np.median(np.abs(volume.depth_mm - depth)) < 0.05


def test_a_scanned_knee_has_regions_of_like_size(shared_data) -> None:
    scan = mesh_anatomy(shared_data / "knee_mri", Subject())
    volume = sum(v.region_volumes_mm3() for v in bone_volumes(scan).values()) / 1000.0
    assert 10.0 < volume[MEDIAL_CONDYLE].sum() < 18.0  # one large man
    assert 11.0 < volume[MEDIAL_PLATEAU].sum() < 15.0
    assert np.all(volume > 2.0)


def test_volumes_are_kept_and_read_only() -> None:
    knee = reference_anatomy(Subject())
    first, second = bone_volumes(knee), bone_volumes(knee)
    assert set(first) == set(BONES) and all(first[b] is second[b] for b in BONES)
    with pytest.raises(ValueError, match="read-only"):
        first["tibia"].depth_mm[0] = 1.0


def test_bad_numbers_and_missing_bones_are_refused(flat: KneeAnatomy) -> None:
    with pytest.raises(InputError, match="cube"):
        bone_volumes(flat, spacing_mm=0.0)
    with pytest.raises(InputError, match="reach"):
        bone_volumes(flat, depth_mm=-1.0)
    with pytest.raises(InputError, match="closed mesh"):
        bone_volumes(flat)
    with pytest.raises(InputError, match="femur, tibia, patella"):
        whole_bone(flat, "fibula", spacing_mm=3.0)
