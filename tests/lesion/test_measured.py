"""Lesions from a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from measured_knees import WHOLE, of_grade, of_volume

from kneeload.errors import InputError
from kneeload.lesion.measured import MeasuredLesions, measured_lesions, middle_volumes, read_lesion_table, starting_volumes
from kneeload.subject.anatomy import MOAKS_REGIONS

R = {name: i for i, name in enumerate(MOAKS_REGIONS)}
TABLE = """# read by one reader
region, grade, volume_mm3, attrition, cyst, kl_grade
tibia_central_medial, 2, , 1, 1, 2
femur_central_medial, , 800, , ,
patella_lateral, 1, 120.5, 0, 3,
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "lesions.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_table(tmp_path: Path) -> None:
    found = read_lesion_table(write(tmp_path, TABLE), region_volume_mm3=WHOLE)
    assert found.kl_grade == 2 and found.number == 3 and found.source == "lesions.csv"
    k = R["tibia_central_medial"]
    assert (found.grade[k], found.attrition[k], found.cyst[k]) == (2, 1, 1) and np.isnan(found.volume_mm3[k])
    assert found.grade[R["femur_central_medial"]] == 1 and found.volume_mm3[R["femur_central_medial"]] == 800.0
    assert found.cyst[R["patella_lateral"]] == 3 and found.volume_mm3[R["tibia_subspinous"]] == 0.0
    assert not found.grade.flags.writeable and not found.volume_mm3.flags.writeable


@pytest.mark.parametrize(("text", "match"), [
    ("region,grade\ntibia_middle_medial,1\n", "region"),
    ("region,grade\npatella_medial,1\npatella_medial,2\n", "twice"),
    ("region,grade\npatella_medial,4\n", "grade"),
    ("region,grade\npatella_medial,1.5\n", "grade"),
    ("region,grade\npatella_medial,-1\n", "grade"),
    ("region,grade\npatella_medial,nan\n", "grade"),
    ("region,grade\npatella_medial,big\n", "grade"),
    ("region,grade,attrition\npatella_medial,1,5\n", "attrition"),
    ("region,grade,cyst\npatella_medial,1,9\n", "cyst"),
    ("region,grade,kl_grade\npatella_medial,1,5\n", "KL grade"),
    ("region,grade,kl_grade\npatella_medial,1,1\npatella_lateral,1,2\n", "KL grade"),
    ("region,volume_mm3\npatella_medial,-3\n", "volume"),
    ("region,volume_mm3\npatella_medial,1e9\n", "volume"),
    ("region,volume_mm3\npatella_medial,inf\n", "volume"),
    ("region,grade,volume_mm3\npatella_medial,0,50\n", "lesion"),
    ("region,grade,volume_mm3\npatella_medial,2,0\n", "lesion"),
    ("region,grade,colour\npatella_medial,2,red\n", "columns"),
    ("region\npatella_medial\n", "columns"),
    ("region,grade,grade\npatella_medial,1,1\n", "columns"),
    ("region,grade\npatella_medial\n", "row"),
    ("region,grade\npatella_medial,1,2\n", "row"),
    (b"\xff\xfe\x00region", "lesion table"),
    ("", "columns"),
])
def test_bad_tables_are_refused_in_one_sentence(tmp_path: Path, text: str | bytes, match: str) -> None:
    with pytest.raises(InputError, match=match) as error:
        read_lesion_table(write(tmp_path, text), region_volume_mm3=WHOLE)
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_missing_and_huge_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        read_lesion_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match="bytes"):
        read_lesion_table(write(tmp_path, "region,grade\n" + "#" * 1_000_001))


def test_a_volume_needs_the_regions_to_be_graded() -> None:
    with pytest.raises(InputError, match="grade"):
        measured_lesions([{"region": "patella_medial", "volume_mm3": 50}])


def test_direct_construction_checks_shapes_and_ranges() -> None:
    zero = np.zeros(15, np.int8)
    for change in ({"grade": np.zeros(14)}, {"cyst": zero + 4}, {"attrition": zero - 1}, {"volume_mm3": np.full(15, -1.0)}, {"volume_mm3": np.full(15, np.inf)}, {"kl_grade": 7},
                   {"grade": np.full(15, np.nan)}):
        with pytest.raises(InputError):
            MeasuredLesions(**({"grade": zero, "volume_mm3": np.zeros(15), "attrition": zero, "cyst": zero} | change))


def test_a_grade_gives_any_share_of_its_band() -> None:
    lesions = of_grade(tibia_central_medial=1, femur_central_medial=2, patella_medial=3)
    u = np.random.default_rng(0).random((5000, 15))
    share = starting_volumes(lesions, WHOLE, u) / WHOLE
    for region, low, high in (("tibia_central_medial", 0.0, 0.33), ("femur_central_medial", 0.33, 0.66), ("patella_medial", 0.66, 1.0)):
        column = share[:, R[region]]
        assert low <= column.min() < low + 0.01 and high - 0.01 < column.max() <= high and column.mean() == pytest.approx(0.5 * (low + high), abs=0.01)
    assert share[:, R["tibia_subspinous"]].max() == 0.0
    known = of_volume(500.0)
    np.testing.assert_array_equal(starting_volumes(known, WHOLE, u), 500.0)
    assert middle_volumes(lesions, WHOLE)[R["femur_central_medial"]] == pytest.approx(0.495 * 4000.0)
