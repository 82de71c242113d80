"""A prepared knee is that of the person alone, whoever was prepared before."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kneeload.contact.model import ContactModel
from kneeload.contact.prepared import PreparedKnee, prepare
from kneeload.subject.person import CartilageThicknessScale, Subject
from kneeload.subject.reference import reference_anatomy

PEOPLE = (Subject(mpta_deg=84.5, medial_slope_deg=9.0), Subject(height_m=1.81, lateral_slope_deg=3.0), Subject(mpta_deg=90.0, medial_meniscus="removed"),
          Subject(cartilage_thickness_scale=CartilageThicknessScale(femur=0.7, tibia_medial=0.6)))


def _arrays(item: Any) -> list[np.ndarray]:
    if is_dataclass(item):
        return [array for field in fields(item) for array in _arrays(getattr(item, field.name))]
    if isinstance(item, tuple):
        return [array for part in item for array in _arrays(part)]
    return [np.asarray(item)]


def _prepared(person: Subject) -> PreparedKnee:
    return prepare(reference_anatomy(person), ContactModel())


def digests(people: Sequence[Subject]) -> list[str]:
    """One hash of all that is prepared for each person, one after the other in this process."""
    return [hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in _arrays(_prepared(person)))).hexdigest() for person in people]


def _in_a_process_of_its_own(people: str) -> list[str]:
    """The same where nothing is remembered."""
    code = f"from test_prepared import PEOPLE, digests; print(*digests({people}))"
    return subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, env=os.environ, capture_output=True, text=True, check=True).stdout.split()


def test_no_knee_depends_on_the_knees_before_it() -> None:
    digests(PEOPLE)  # kernels are on the disk from here on: code that was just compiled may differ in the last bit
    assert _in_a_process_of_its_own("PEOPLE[::-1]")[::-1] == _in_a_process_of_its_own("PEOPLE")


def test_people_of_one_height_share_the_table_of_the_femur() -> None:
    first, second, third = (_prepared(person) for person in PEOPLE[:3])
    assert first.level is third.level and second.level is not first.level
    assert not any(array.flags.writeable for array in first.level if isinstance(array, np.ndarray))
