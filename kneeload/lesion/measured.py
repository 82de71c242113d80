"""Lesions that were read or measured on a person's MRI, per MOAKS region. The reading is the reader's; nothing here finds a lesion."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.bone.volume import BoneVolume
from kneeload.errors import InputError
from kneeload.lesion.scores import grades, share_band
from kneeload.subject.anatomy import MOAKS_REGIONS

Array = NDArray[np.float64]
COUNT = len(MOAKS_REGIONS)
COLUMNS = ("region", "grade", "volume_mm3", "attrition", "cyst", "kl_grade")
MAX_TABLE_BYTES = 1_000_000
_SHARE_BANDS = np.array([share_band(k) for k in range(4)])
_WHY_GRADE = "attrition, cysts and lesions are scored 0 to 3"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredLesions:
    """The lesions of one knee at one date.

    Attributes:
        grade: (15,) no unit; MOAKS size 0 to 3 of each region, order of MOAKS_REGIONS.
        volume_mm3: (15,) mm3; measured volume, NaN where only the grade is known, 0 where there is no lesion.
        attrition: (15,) no unit; subchondral bone attrition 0 to 3.
        cyst: (15,) no unit; subchondral cyst 0 to 3.
        kl_grade: Kellgren-Lawrence grade 0 to 4 of the radiograph, None when unknown.
        outside_mm3: volume of a mask that lies in no region of the knee, mm3.
        source: where the reading came from, for reports.
    """

    grade: NDArray[np.int8]
    volume_mm3: Array
    attrition: NDArray[np.int8]
    cyst: NDArray[np.int8]
    kl_grade: int | None = None
    outside_mm3: float = 0.0
    source: str = "given"

    def __post_init__(self) -> None:
        for name in ("grade", "attrition", "cyst"):
            object.__setattr__(self, name, _scores(name, getattr(self, name)))
        object.__setattr__(self, "volume_mm3", _volumes(self.volume_mm3))
        kl = self.kl_grade
        if kl is not None and (isinstance(kl, bool) or kl not in (0, 1, 2, 3, 4)):
            raise InputError("KL grade", where="kl_grade", got=kl, allowed="0, 1, 2, 3 or 4", why="these are the Kellgren-Lawrence grades")
        clash = (self.volume_mm3 > 0.0) & (self.grade == 0) | (self.volume_mm3 == 0.0) & (self.grade > 0)
        if clash.any():
            k = int(np.flatnonzero(clash)[0])
            raise InputError("lesion", where=MOAKS_REGIONS[k], got=f"grade {self.grade[k]} with {self.volume_mm3[k]:g} mm3",
                             allowed="a grade above 0 with a volume above 0, or neither", why="both describe the same lesion")

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which regions have a lesion, (15,) no unit."""
        out: NDArray[np.bool_] = self.grade > 0
        return out

    @property
    def number(self) -> int:
        """Number of regions with a lesion."""
        return int(self.present.sum())


def _scores(name: str, values: ArrayLike) -> NDArray[np.int8]:
    raw = np.asarray(values, dtype=np.float64)
    if raw.shape != (COUNT,):
        raise InputError(name, where=f"measured lesions, {name}", got=raw.shape, allowed=f"{COUNT} numbers", why="each MOAKS region has one")
    for k, value in enumerate(raw):
        if value not in (0.0, 1.0, 2.0, 3.0):
            raise InputError(name, where=MOAKS_REGIONS[k], got=float(value), allowed="0, 1, 2 or 3", why=_WHY_GRADE)
    out = raw.astype(np.int8)
    out.setflags(write=False)
    return out


def _volumes(values: ArrayLike) -> Array:
    out = np.array(values, dtype=np.float64)
    if out.shape != (COUNT,) or np.isinf(out).any() or (out < 0.0).any():
        raise InputError("lesion volume", where="measured lesions, volume_mm3", got=out.tolist(), allowed=f"{COUNT} volumes from 0 mm3 up (NaN: unknown)",
                         why="each MOAKS region has one")
    out.setflags(write=False)
    return out


def measured_lesions(rows: Iterable[Mapping[str, object]], *, region_volume_mm3: ArrayLike | None = None, kl_grade: int | None = None,
                     source: str = "given") -> MeasuredLesions:
    """Return lesions from rows with the keys region, grade or volume_mm3 (or both), attrition, cyst, kl_grade; a region not named has no lesion.

    Args:
        rows: one per region with a finding; empty values count as not given.
        region_volume_mm3: (15,) mm3; volume of each region of this knee. Needed where a row has a volume without a grade.
        kl_grade: Kellgren-Lawrence grade of the radiograph; a column of that name does the same.
        source: for reports and messages.

    Raises:
        InputError: an unknown or repeated region, a grade outside 0 to 3, a volume that is not a number from 0 up or larger than the region, a
            volume without a grade and without region volumes.
    """
    grade, attrition, cyst = (np.zeros(COUNT) for _ in range(3))
    volume, seen = np.zeros(COUNT), set[str]()
    whole = None if region_volume_mm3 is None else region_sizes(region_volume_mm3)
    for row in rows:
        kl_grade = _kl_of(row, kl_grade, source)
        k = _region_of(row, seen, source)
        attrition[k], cyst[k] = (_score_of(row, name, source) or 0.0 for name in ("attrition", "cyst"))
        grade[k], volume[k] = _size_of(row, k, whole, source)
    return MeasuredLesions(grade=grade.astype(np.int8), volume_mm3=volume, attrition=attrition.astype(np.int8), cyst=cyst.astype(np.int8), kl_grade=kl_grade, source=source)


def read_lesion_table(path: str | Path, *, region_volume_mm3: ArrayLike | None = None) -> MeasuredLesions:
    """Read lesions from a CSV file with the columns region, grade, volume_mm3, attrition, cyst, kl_grade (region and one of the next two needed).

    Lines that begin with # are comments. See `measured_lesions` for the rules.

    Raises:
        InputError: no file, not text, larger than 1 MB, unknown or missing columns, and all that `measured_lesions` refuses.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("lesion table", where=str(path), got="no file", allowed="a CSV file", why="it lists the lesions per region")
    if path.stat().st_size > MAX_TABLE_BYTES:
        raise InputError("lesion table", where=str(path), got=f"{path.stat().st_size} bytes", allowed=f"at most {MAX_TABLE_BYTES} bytes", why="a knee has 15 regions")
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip() and not line.lstrip().startswith("#")]
    except UnicodeDecodeError:
        raise InputError("lesion table", where=str(path), got="not text", allowed="a CSV file in UTF-8", why="it lists the lesions per region") from None
    reader = csv.DictReader(lines, skipinitialspace=True)
    names = [str(name).strip().lower() for name in reader.fieldnames or []]
    wrong = [name for name in names if name not in COLUMNS]
    if wrong or "region" not in names or not {"grade", "volume_mm3"} & set(names) or len(set(names)) != len(names):
        raise InputError("columns of the lesion table", where=str(path), got=", ".join(names), allowed="region, grade and/or volume_mm3, attrition, cyst, kl_grade",
                         why="each column has one meaning and unit")
    reader.fieldnames = names
    rows = list(reader)
    for number, row in enumerate(rows, 1):
        if None in row or None in row.values():
            raise InputError("row of the lesion table", where=f"{path}, row {number}", got=[v for v in row.values() if v is not None],
                             allowed=f"{len(names)} values", why="one for each column (an empty one counts as not given)")
    return measured_lesions(rows, region_volume_mm3=region_volume_mm3, source=path.name)


def region_sizes(values: ArrayLike) -> Array:
    """Return region volumes as (15,) mm3, checked.

    Raises:
        InputError: not 15 numbers above 0.
    """
    out = np.asarray(values, dtype=np.float64)
    if out.shape != (COUNT,) or not (np.isfinite(out).all() and (out > 0.0).all()):
        raise InputError("volume of the regions", where="region_volume_mm3", got=out.tolist(), allowed=f"{COUNT} volumes above 0 mm3", why="shares are of them")
    return out


def knee_region_volumes(volumes: Mapping[str, BoneVolume]) -> Array:
    """Return the volume of the 15 regions of a knee, (15,) mm3, from `kneeload.bone.volume.bone_volumes(anatomy)`."""
    out: Array = np.sum([volume.region_volumes_mm3() for volume in volumes.values()], axis=0, dtype=np.float64)
    return out


def starting_volumes(measured: MeasuredLesions, region_volume_mm3: ArrayLike, uniform: Array) -> Array:
    """Return (S, 15) mm3: lesion volumes to start from. A known volume is taken as it is; a grade gives any share of its band, equally likely.

    Args:
        measured: the lesions.
        region_volume_mm3: (15,) mm3.
        uniform: (S, 15) no unit; random numbers from 0 to 1.
    """
    band = _SHARE_BANDS[measured.grade]
    by_grade = (band[:, 0] + (band[:, 1] - band[:, 0]) * uniform) * region_sizes(region_volume_mm3)
    return np.where(np.isnan(measured.volume_mm3), by_grade, measured.volume_mm3)


def middle_volumes(measured: MeasuredLesions, region_volume_mm3: ArrayLike) -> Array:
    """Return (15,) mm3: known volumes, and the middle of the band where only the grade is known."""
    return starting_volumes(measured, region_volume_mm3, np.full((1, COUNT), 0.5))[0]


def _text(row: Mapping[str, object], name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value).strip()


def _number(row: Mapping[str, object], name: str, source: str, allowed: str) -> float | None:
    text = _text(row, name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(name.replace("_", " "), where=f"{source}, {_text(row, 'region')}", got=text, allowed=allowed, why="it is read as a number")
    return value


def _kl_of(row: Mapping[str, object], known: int | None, source: str) -> int | None:
    value = _number(row, "kl_grade", source, "0, 1, 2, 3 or 4")
    if value is None:
        return known
    if value not in (0.0, 1.0, 2.0, 3.0, 4.0) or (known is not None and known != value):
        raise InputError("KL grade", where=f"{source}, {_text(row, 'region')}", got=value, allowed="one grade from 0 to 4 for the knee",
                         why="these are the Kellgren-Lawrence grades of one radiograph")
    return int(value)


def _region_of(row: Mapping[str, object], seen: set[str], source: str) -> int:
    name = _text(row, "region").lower()
    if name not in MOAKS_REGIONS:
        raise InputError("region", where=source, got=_text(row, "region"), allowed="one of " + ", ".join(MOAKS_REGIONS), why="MOAKS has these 15")
    if name in seen:
        raise InputError("region", where=source, got=f"{name} twice", allowed="each region once", why="lesions of one region are pooled in MOAKS")
    seen.add(name)
    return MOAKS_REGIONS.index(name)


def _score_of(row: Mapping[str, object], name: str, source: str) -> float | None:
    value = _number(row, name, source, "0, 1, 2 or 3")
    if value is not None and value not in (0.0, 1.0, 2.0, 3.0):
        raise InputError(name, where=f"{source}, {_text(row, 'region')}", got=value, allowed="0, 1, 2 or 3", why=_WHY_GRADE)
    return value


def _size_of(row: Mapping[str, object], k: int, whole: Array | None, source: str) -> tuple[float, float]:
    """Return (grade, volume in mm3, NaN when unknown) of one row."""
    allowed = "a volume from 0 mm3 up"
    grade, volume = _score_of(row, "grade", source), _number(row, "volume_mm3", source, allowed)
    where = f"{source}, {MOAKS_REGIONS[k]}"
    if volume is None:
        return (grade or 0.0), (np.nan if grade else 0.0)
    if volume < 0.0 or (whole is not None and volume > whole[k]):
        limit = allowed if whole is None else f"0 to {whole[k]:.0f} mm3, the region's volume"
        raise InputError("volume mm3", where=where, got=volume, allowed=limit, why="a lesion lies inside its region")
    if grade is None:
        if whole is None:
            raise InputError("grade", where=where, got=None, allowed="a grade, or the volumes of the regions of this knee", why="a grade is a share of the region")
        grade = float(grades(volume / whole[k]))
    return grade, volume
