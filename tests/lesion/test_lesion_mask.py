"""Lesions from a segmented image."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from kneeload.bone.volume import BoneVolume, bone_volumes
from kneeload.errors import InputError
from kneeload.lesion.lesion_mask import lesions_from_mask, read_registration, region_at
from kneeload.lesion.measured import knee_region_volumes
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import Subject
from kneeload.subject.reference import reference_anatomy

sitk = pytest.importorskip("SimpleITK")
R = {name: i for i, name in enumerate(MOAKS_REGIONS)}
TO_BONE_LPS = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])  # x anterior = -posterior, y = superior, z right = -left


@pytest.fixture(scope="module")
def volumes() -> dict[str, BoneVolume]:
    return bone_volumes(reference_anatomy(Subject()))


def matrix(rotation: np.ndarray, shift: np.ndarray) -> list[list[float]]:
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = rotation, shift
    return out.tolist()


def registration(folder: Path, bones: dict[str, list[list[float]]], **more: Any) -> Path:
    path = folder / "registration.yaml"
    path.write_text(yaml.safe_dump({"world": "LPS", "side": "right", "bones": bones} | more))
    return path


def image(path: Path, values: np.ndarray, spacing: tuple[float, float, float], origin: np.ndarray, direction: np.ndarray | None = None) -> Path:
    """Write values (i, j, k) with the first voxel at `origin`, mm LPS."""
    item = sitk.GetImageFromArray(np.transpose(values))
    item.SetSpacing(spacing)
    item.SetOrigin([float(v) for v in origin])
    if direction is not None:
        item.SetDirection(direction.ravel().tolist())
    sitk.WriteImage(item, str(path))
    return path


def ball(volumes: dict[str, BoneVolume], bone: str, region: str) -> np.ndarray:
    """Centre of a region, mm, frame of its bone."""
    volume = volumes[bone]
    centres = volume.centres_mm[volume.region == R[region]]
    middle: np.ndarray = centres[np.argmin(((centres - centres.mean(axis=0)) ** 2).sum(axis=1))]
    return middle


@pytest.mark.parametrize("ending", ["nii.gz", "nii", "nrrd"])
def test_a_cube_in_a_region_is_found_there_with_its_volume(tmp_path: Path, volumes: dict[str, BoneVolume], ending: str) -> None:
    shift, spacing = np.array([12.0, -30.0, 7.0]), (0.5, 0.6, 1.0)
    middle = TO_BONE_LPS.T @ (ball(volumes, "tibia", "tibia_central_medial") - shift)  # world LPS
    mask = np.zeros((20, 18, 12), np.uint8)
    mask[4:16, 4:14, 3:9] = 1
    path = image(tmp_path / f"mask.{ending}", mask, spacing, middle - 0.5 * np.array(mask.shape) * spacing)
    found = lesions_from_mask(path, registration(tmp_path, {"tibia": matrix(TO_BONE_LPS, shift)}), volumes, kl_grade=1)
    total = mask.sum() * np.prod(spacing)
    assert found.volume_mm3.sum() + found.outside_mm3 == pytest.approx(total)
    assert found.volume_mm3[R["tibia_central_medial"]] > 0.9 * total and found.grade[R["tibia_central_medial"]] >= 1 and found.kl_grade == 1


def test_ras_and_lps_and_a_turned_grid_give_the_same(tmp_path: Path, volumes: dict[str, BoneVolume]) -> None:
    middle = TO_BONE_LPS.T @ ball(volumes, "femur", "femur_central_lateral") + 0.21  # no voxel lies between two cubes
    mask = np.zeros((12, 12, 12), np.uint8)
    mask[3:9, 2:9, 4:10] = 1
    first = image(tmp_path / "a.nrrd", mask, (1.0, 1.0, 1.0), middle - 5.5)
    turn = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])  # the same voxels, stored with two axes exchanged
    second = image(tmp_path / "b.nii.gz", mask.transpose(1, 0, 2), (1.0, 1.0, 1.0), middle - 5.5, turn)
    lps = registration(tmp_path, {"femur": matrix(TO_BONE_LPS, np.zeros(3))})
    a, b = lesions_from_mask(first, lps, volumes), lesions_from_mask(second, lps, volumes)
    ras = registration(tmp_path, {"femur": matrix(TO_BONE_LPS @ np.diag([-1.0, -1.0, 1.0]), np.zeros(3))}, world="RAS")
    c = lesions_from_mask(first, ras, volumes)
    np.testing.assert_allclose(b.volume_mm3, a.volume_mm3)
    np.testing.assert_allclose(c.volume_mm3, a.volume_mm3)
    assert a.volume_mm3[R["femur_central_lateral"]] > 0.0


def test_a_left_knee_is_mirrored_and_medial_stays_medial(tmp_path: Path, volumes: dict[str, BoneVolume]) -> None:
    """In a left knee z to the person's right points medially; in the stored knee z is lateral."""
    middle = ball(volumes, "tibia", "tibia_central_medial") * np.array([1.0, 1.0, -1.0])
    mask = np.ones((4, 4, 4), np.uint8)
    path = image(tmp_path / "left.nrrd", mask, (1.0, 1.0, 1.0), TO_BONE_LPS.T @ middle - 1.5)
    bones = {"tibia": matrix(TO_BONE_LPS, np.zeros(3))}
    left = lesions_from_mask(path, registration(tmp_path, bones, side="left"), volumes)
    right = lesions_from_mask(path, registration(tmp_path, bones), volumes)
    assert left.volume_mm3[R["tibia_central_medial"]] > 0.0 and right.volume_mm3[R["tibia_central_medial"]] == 0.0


def test_scale_of_a_similarity_counts(tmp_path: Path, volumes: dict[str, BoneVolume]) -> None:
    middle = ball(volumes, "tibia", "tibia_central_lateral")
    mask = np.ones((6, 6, 6), np.uint8)
    path = image(tmp_path / "small.nrrd", mask, (1.0, 1.0, 1.0), TO_BONE_LPS.T @ middle / 1.1 - 2.5)
    found = lesions_from_mask(path, registration(tmp_path, {"tibia": matrix(1.1 * TO_BONE_LPS, np.zeros(3))}), volumes)
    assert found.volume_mm3.sum() + found.outside_mm3 == pytest.approx(216.0 * 1.331)


def test_cyst_labels_give_the_cyst_grade_and_count_as_lesion(tmp_path: Path, volumes: dict[str, BoneVolume]) -> None:
    whole = knee_region_volumes(volumes)
    volume = volumes["patella"]
    inside = volume.region == R["patella_lateral"]
    low = volume.index.min(axis=0)
    mask = np.zeros(volume.index.max(axis=0) - low + 1, np.uint8)
    mask[tuple((volume.index[inside] - low).T)] = np.where(np.arange(inside.sum()) % 3 == 0, 7, 5)  # a third cyst, all of the region lesion
    origin = TO_BONE_LPS.T @ (volume.origin_mm + volume.spacing_mm * low)
    path = image(tmp_path / "p.nrrd", mask, (3.0, 3.0, 3.0), origin, TO_BONE_LPS.T)
    found = lesions_from_mask(path, registration(tmp_path, {"patella": matrix(TO_BONE_LPS, np.zeros(3))}, lesion_labels=[5], cyst_labels=[7]), volumes)
    k = R["patella_lateral"]
    assert found.volume_mm3[k] == pytest.approx(whole[k], rel=1e-6) and found.grade[k] == 3 and found.cyst[k] == 2 and found.number == 1


def test_lookup_returns_the_region_of_each_cube(volumes: dict[str, BoneVolume]) -> None:
    for volume in volumes.values():
        np.testing.assert_array_equal(region_at(volume, volume.centres_mm), volume.region)
        assert (region_at(volume, volume.centres_mm + 1e4) == -1).all()


Maker = Callable[[np.ndarray], np.ndarray]


@pytest.mark.parametrize(("change", "match"), [
    (lambda m: m * 0, "no voxel"), (lambda m: m * 3, "labels"), (lambda m: m.astype(np.float32) * np.nan, "NaN"), (lambda m: m.astype(np.float32) * 0.5, "fractions"),
    (lambda m: np.stack([m, m], axis=-1), "lesion mask"),
])
def test_bad_masks(tmp_path: Path, volumes: dict[str, BoneVolume], change: Maker, match: str) -> None:
    mask = change(np.ones((4, 4, 4), np.uint8))
    path = tmp_path / "bad.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(mask), str(path))
    with pytest.raises(InputError, match=match):
        lesions_from_mask(path, registration(tmp_path, {"tibia": matrix(np.eye(3), np.zeros(3))}), volumes)


def test_mask_beside_the_bone_damaged_files_and_sizes(tmp_path: Path, volumes: dict[str, BoneVolume], monkeypatch: pytest.MonkeyPatch) -> None:
    reg = registration(tmp_path, {"tibia": matrix(np.eye(3), np.zeros(3))})
    far = image(tmp_path / "far.nrrd", np.ones((4, 4, 4), np.uint8), (1.0, 1.0, 1.0), np.array([900.0, 0.0, 0.0]))
    with pytest.raises(InputError, match="does not overlap"):
        lesions_from_mask(far, reg, volumes)
    (tmp_path / "text.nii").write_text("no image")
    with pytest.raises(InputError, match="lesion mask"):
        lesions_from_mask(tmp_path / "text.nii", reg, volumes)
    with pytest.raises(InputError, match="no file"):
        lesions_from_mask(tmp_path / "none.nii", reg, volumes)
    (tmp_path / "bomb.nrrd").write_text("NRRD0004\ntype: uint8\ndimension: 3\nsizes: 60000 60000 60000\nencoding: gzip\n\n")
    with pytest.raises(InputError, match="at most"):
        lesions_from_mask(tmp_path / "bomb.nrrd", reg, volumes)
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(InputError, match="images"):
        lesions_from_mask(far, reg, volumes)


@pytest.mark.parametrize("content", [
    "bones: {tibia: 3}\nworld: RAS\nside: right\n", "world: RAS\nside: right\n", "[1, 2]", "a: {b", "world: XYZ\nside: right\nbones: {tibia: [[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]}\n",
    "world: RAS\nside: up\nbones: {tibia: [[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]}\n", "world: RAS\nside: left\nbones: {fibula: [[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]}\n",
    "world: RAS\nside: left\nbones: {tibia: [[1,0,0,0],[0,1,0,0],[0,0,-1,0],[0,0,0,1]]}\n", "world: RAS\nside: left\nbones: {tibia: [[1,0,0,0],[0,2,0,0],[0,0,1,0],[0,0,0,1]]}\n",
    "world: RAS\nside: left\nbones: {tibia: [[.nan,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]}\n", "world: RAS\nside: left\nlesion_labels: [0]\nbones: {tibia: [[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]}\n",
    "world: RAS\nside: left\nbones: {tibia: [[9,0,0,0],[0,9,0,0],[0,0,9,0],[0,0,0,1]]}\n", "world: RAS\nside: left\nbones: {tibia: [[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,1,1]]}\n",
])
def test_bad_registrations(tmp_path: Path, content: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(content)
    with pytest.raises(InputError) as error:
        read_registration(path)
    assert "\n" not in str(error.value)
