"""Where a person's own findings come from: a table or a mask of lesions, and the grade of a radiograph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kneeload.bone.volume import BoneVolume
from kneeload.errors import InputError
from kneeload.lesion.lesion_mask import lesions_from_mask, read_registration
from kneeload.lesion.measured import MeasuredLesions, knee_region_volumes, read_lesion_table

TABLES = (".csv", ".txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is known of a knee from images; nothing by default.

    Attributes:
        file: lesions: a table (.csv: region, grade or volume_mm3, attrition, cyst) or a mask (NIfTI, NRRD).
        registration_file: how a mask lies on the knee (`kneeload.lesion.lesion_mask`).
        kl_grade: Kellgren-Lawrence grade of the radiograph, 0 to 4, no unit.
    """

    file: Path | None = None
    registration_file: Path | None = None
    kl_grade: int | None = None

    def __post_init__(self) -> None:
        if self.kl_grade is not None and (isinstance(self.kl_grade, bool) or self.kl_grade not in (0, 1, 2, 3, 4)):
            raise InputError("KL grade", where="findings.kl_grade", got=self.kl_grade, allowed="0, 1, 2, 3 or 4", why="these are the Kellgren-Lawrence grades")
        if self.registration_file is not None and (self.file is None or self.is_table):
            raise InputError("registration", where="findings.registration_file", got=str(self.registration_file), allowed="a mask in findings.file",
                             why="a registration places a mask on the knee, a table names its regions")
        if self.file is not None and not self.is_table and self.registration_file is None:
            raise InputError("registration", where="findings.registration_file", got=None, allowed="a YAML file with a matrix per bone", why="a mask must be placed on the knee")

    @property
    def is_table(self) -> bool:
        """Whether the lesions come as a table."""
        return self.file is not None and self.file.suffix.lower() in TABLES

    def read(self, volumes: Mapping[str, BoneVolume], side: str) -> MeasuredLesions | None:
        """Return the lesions on a knee with these cubes of bone, None where none were measured.

        Raises:
            InputError: a file that cannot be read, a mask of the other knee or beside the bone.
        """
        if self.file is None:
            return None
        if self.is_table:
            found = read_lesion_table(self.file, region_volume_mm3=knee_region_volumes(volumes))
        else:
            assert self.registration_file is not None
            placed = read_registration(self.registration_file)
            if placed.side != side:
                raise InputError("side of the mask", where=str(self.registration_file), got=placed.side, allowed=f"{side}, as subject.side", why="a lesion belongs to one knee")
            found = lesions_from_mask(self.file, placed, volumes)
        return found if self.kl_grade is None else replace(found, kl_grade=self.kl_grade)
