"""Lesion volumes per region from a segmented MRI (NIfTI or NRRD), placed on the knee by a registration file.

Coordinates: SimpleITK gives every image, NIfTI and NRRD alike, in LPS world coordinates (x left, y posterior, z superior, mm). The registration
file says in which convention its matrices were made; RAS (x right, y anterior, z superior) differs by the sign of x and y. Each matrix takes
world points, mm, to the frame of one bone, mm: x anterior, y proximal, z to the person's right. For a left knee that z is
turned round afterwards, since a left knee is stored mirrored (z lateral).

    # registration.yaml
    world: RAS          # or LPS
    side: right         # or left
    lesion_labels: [1]  # values of the mask that are lesion; default 1
    cyst_labels: []     # values that are cyst: part of the lesion in MOAKS, and the source of the cyst grade
    bones:              # one 4x4 matrix for each bone that was registered: rotation, one scale, shift
      tibia: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from kneeload.bone.volume import BoneVolume
from kneeload.errors import InputError, check_choice
from kneeload.lesion.measured import COUNT, MeasuredLesions, knee_region_volumes
from kneeload.lesion.scores import grades

Array = NDArray[np.float64]
BONES = ("femur", "tibia", "patella")
MAX_VOXELS = 200_000_000  # 512 x 512 x 760: far above a knee MRI; a header can promise any size
MAX_REGISTRATION_BYTES = 100_000
SCALE_RANGE = (0.5, 2.0)  # of a similarity: a mesh scaled to a person's size
SMALLEST_OVERLAP = 0.05  # part of the mask that must lie in some region: below it the registration is wrong (assumption)
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
_KEYS = ("world", "side", "lesion_labels", "cyst_labels", "bones")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registration:
    """How an image lies on the knee.

    Attributes:
        world: convention in which the matrices were made, "RAS" or "LPS".
        side: of the imaged knee.
        matrices: per bone (4, 4), mm; world point to the frame of the bone with z to the person's right.
        lesion_labels, cyst_labels: values of the mask.
    """

    world: str
    side: str
    matrices: Mapping[str, Array]
    lesion_labels: tuple[int, ...] = (1,)
    cyst_labels: tuple[int, ...] = ()


def read_registration(path: str | Path) -> Registration:
    """Read a registration file (YAML or JSON, see above).

    Raises:
        InputError: no file, too large, not YAML, unknown keys or bones, a matrix that is not a rotation with one scale and a shift.
    """
    path = Path(path)
    if not path.is_file() or path.stat().st_size > MAX_REGISTRATION_BYTES:
        raise InputError("registration", where=str(path), got="no file" if not path.is_file() else f"{path.stat().st_size} bytes",
                         allowed=f"a YAML file of at most {MAX_REGISTRATION_BYTES} bytes", why="it places the image on the knee")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError("registration", where=str(path), got=str(error).splitlines()[0], allowed="YAML with world, side and bones", why="it is read as such") from None
    if not isinstance(content, dict) or set(content) - set(_KEYS) or not isinstance(content.get("bones"), dict) or not content["bones"]:
        raise InputError("registration", where=str(path), got=sorted(map(str, content)) if isinstance(content, dict) else content,
                         allowed="the keys " + ", ".join(_KEYS), why="bones holds one matrix per registered bone")
    return Registration(
        world=check_choice("world", str(content.get("world", "")), ("RAS", "LPS"), where=str(path), why="the two differ by the sign of x and y"),
        side=check_choice("side", str(content.get("side", "")), ("right", "left"), where=str(path), why="a left knee is mirrored"),
        matrices={check_choice("bone", str(bone), BONES, where=str(path), why="these carry regions"): _similarity(matrix, f"{path}, {bone}")
                  for bone, matrix in content["bones"].items()},
        lesion_labels=_labels(content.get("lesion_labels", [1]), path, "lesion_labels"), cyst_labels=_labels(content.get("cyst_labels", []), path, "cyst_labels"),
    )


def _labels(values: Any, path: Path, key: str) -> tuple[int, ...]:
    if not isinstance(values, list) or any(isinstance(v, bool) or not isinstance(v, int) or v == 0 for v in values):
        raise InputError("labels", where=f"{path}, {key}", got=values, allowed="a list of whole numbers other than 0", why="0 is the background of the mask")
    return tuple(values)


def _similarity(values: Any, where: str) -> Array:
    try:
        matrix = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    good = matrix.shape == (4, 4) and bool(np.isfinite(matrix).all()) and np.allclose(matrix[3], (0.0, 0.0, 0.0, 1.0))
    if good:
        scale = float(np.cbrt(np.linalg.det(matrix[:3, :3])))
        good = SCALE_RANGE[0] <= scale <= SCALE_RANGE[1] and np.allclose(matrix[:3, :3].T @ matrix[:3, :3], scale**2 * np.eye(3), atol=2e-3 * scale**2)
    if not good:
        raise InputError("matrix", where=where, got=values, allowed="a 4x4 rotation with one scale from 0.5 to 2 and a shift, last row 0 0 0 1, no mirror image",
                         why="bones are stiff; the side of the knee is given by `side`")
    return matrix


def read_mask(path: str | Path) -> tuple[NDArray[np.int64], Array]:
    """Return the voxels (i, j, k), whole numbers, and the matrix (4, 4) from voxel place to LPS world coordinates, mm, of a NIfTI or NRRD file.

    Raises:
        InputError: no file, SimpleITK not installed, not readable, not three-dimensional, too large, NaN or values that are no labels.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("lesion mask", where=str(path), got="no file", allowed="a .nii, .nii.gz, .nrrd or .nhdr file", why="it holds the segmented lesions")
    try:
        import SimpleITK as sitk
    except ImportError:
        raise InputError("reader of images", where=str(path), got="SimpleITK is not installed", allowed="pip install 'kneeload[images]'",
                         why="NIfTI and NRRD files are read with it") from None
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        size = reader.GetSize()
        _check_size(size, reader.GetNumberOfComponents(), path)
        image = reader.Execute()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][-200:]
        raise InputError("lesion mask", where=str(path), got=reason, allowed="a NIfTI or NRRD image that ITK reads", why="the file is damaged or of another kind") from None
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return _whole(np.transpose(sitk.GetArrayFromImage(image)), path), affine


def _check_size(size: tuple[int, ...], components: int, path: Path) -> None:
    if len(size) != 3 or components != 1 or min(size) < 1 or int(np.prod(np.array(size, dtype=object))) > MAX_VOXELS:
        raise InputError("lesion mask", where=str(path), got=f"{' x '.join(map(str, size))} voxels of {components} numbers",
                         allowed=f"three dimensions, one number each, at most {MAX_VOXELS} voxels", why="it is one volume of labels")


def _whole(values: NDArray[Any], path: Path) -> NDArray[np.int64]:
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise InputError("lesion mask", where=str(path), got="NaN or infinite values", allowed="whole numbers", why="each voxel has a label")
        if (values != np.rint(values)).any():
            raise InputError("lesion mask", where=str(path), got="fractions", allowed="whole numbers", why="each voxel has a label; threshold a probability map first")
    return values.astype(np.int64)


def lesions_from_mask(mask: str | Path, registration: str | Path | Registration, volumes: Mapping[str, BoneVolume], *, kl_grade: int | None = None) -> MeasuredLesions:
    """Return the lesions of a segmented image: each voxel counts with its volume for the region in which its centre lies.

    Args:
        mask: NIfTI or NRRD file of labels.
        registration: the file that places it, or what `read_registration` returned.
        volumes: regions of this knee, `kneeload.bone.volume.bone_volumes(anatomy)`.
        kl_grade: Kellgren-Lawrence grade of the radiograph, if known.

    The cyst grade is the share of a region that is cyst, cut at 25 and 50 % as in WORMS; without cyst labels it is 0. Attrition is not read
    from a mask.

    Raises:
        InputError: what `read_mask` and `read_registration` refuse, labels that the registration does not name, a mask without a
            lesion, or one that does not overlap the bone.
    """
    reg = registration if isinstance(registration, Registration) else read_registration(registration)
    values, affine = read_mask(mask)
    known = set(reg.lesion_labels) | set(reg.cyst_labels)
    odd = sorted(set(np.unique(values).tolist()) - known - {0})
    if odd:
        raise InputError("labels of the lesion mask", where=str(mask), got=odd[:10], allowed="0 and " + ", ".join(map(str, sorted(known))),
                         why="the registration names what each label is (lesion_labels, cyst_labels)")
    place = np.argwhere(values != 0)
    if not len(place):
        raise InputError("lesion mask", where=str(mask), got="no voxel with a label", allowed="at least one", why="for a knee without lesions give no mask")
    world = (place @ affine[:3, :3].T + affine[:3, 3]) @ (_FLIP[:3, :3] if reg.world == "RAS" else np.eye(3))
    voxel_mm3 = abs(float(np.linalg.det(affine[:3, :3])))
    cyst = np.isin(values[tuple(place.T)], reg.cyst_labels)
    found = place_in_regions(world, reg, volumes)
    return _lesions(found, cyst, voxel_mm3, volumes, kl_grade, str(mask))


def place_in_regions(world_mm: Array, registration: Registration, volumes: Mapping[str, BoneVolume]) -> list[tuple[NDArray[np.int64], float]]:
    """Return for each registered bone the regions (n,) of world points (n, 3) mm, -1 outside, and the volume of the mesh over that of the image."""
    out, taken = [], np.zeros(len(world_mm), bool)
    for bone, matrix in registration.matrices.items():
        point = world_mm @ matrix[:3, :3].T + matrix[:3, 3]
        if registration.side == "left":
            point = point * np.array([1.0, 1.0, -1.0])
        region = np.where(taken, -1, region_at(volumes[bone], point))
        taken |= region >= 0
        out.append((region, float(np.linalg.det(matrix[:3, :3]))))
    return out


def region_at(volume: BoneVolume, points_mm: Array) -> NDArray[np.int64]:
    """Return the region (n,) at points (n, 3) mm, frame of the bone; -1 where there is none."""
    low = volume.index.min(axis=0)
    shape = volume.index.max(axis=0) - low + 1
    lattice = np.full(tuple(shape), -1, dtype=np.int64)
    lattice[tuple((volume.index - low).T)] = volume.region
    place = np.rint((points_mm - volume.origin_mm) / volume.spacing_mm).astype(np.int64) - low
    inside = ((place >= 0) & (place < shape)).all(axis=1)
    out = np.full(len(points_mm), -1, dtype=np.int64)
    out[inside] = lattice[tuple(place[inside].T)]
    return out


def _lesions(found: list[tuple[NDArray[np.int64], float]], cyst: NDArray[np.bool_], voxel_mm3: float, volumes: Mapping[str, BoneVolume], kl_grade: int | None,
             source: str) -> MeasuredLesions:
    lesion_mm3, cyst_mm3, placed = np.zeros(COUNT), np.zeros(COUNT), np.zeros(len(cyst), bool)
    for region, scale in found:
        here = region >= 0
        placed |= here
        lesion_mm3 += np.bincount(region[here], minlength=COUNT) * voxel_mm3 * scale
        cyst_mm3 += np.bincount(region[here & cyst], minlength=COUNT) * voxel_mm3 * scale
    if placed.mean() < SMALLEST_OVERLAP:
        raise InputError("lesion mask", where=source, got=f"{100.0 * placed.mean():.0f} % inside the regions of the registered bones",
                         allowed=f"at least {100.0 * SMALLEST_OVERLAP:.0f} %", why="it does not overlap the bone: see `world`, `side` and the matrices of the registration")
    whole = knee_region_volumes(volumes)
    lesion_mm3 = np.minimum(lesion_mm3, whole)
    share = np.divide(lesion_mm3, whole, out=np.zeros(COUNT), where=whole > 0.0)
    cyst_share = np.divide(np.minimum(cyst_mm3, whole), whole, out=np.zeros(COUNT), where=whole > 0.0)
    outside = float((~placed).sum()) * voxel_mm3 * float(np.mean([scale for _, scale in found]))
    return MeasuredLesions(grade=grades(share), volume_mm3=lesion_mm3, attrition=np.zeros(COUNT, np.int8), cyst=grades(cyst_share, "WORMS"), kl_grade=kl_grade,
                           outside_mm3=outside, source=Path(source).name)
