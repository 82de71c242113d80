"""Grades from shares, and sums by compartment."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.bone.volume import bone_volumes
from kneeload.errors import InputError
from kneeload.lesion.scores import (
    COMPARTMENT_OF,
    COMPARTMENTS,
    GRADE_CUTS,
    UNCONFIRMED,
    bloks_shares,
    compartment_sums,
    cube_labels,
    grades,
    share_band,
)
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import Subject
from kneeload.subject.reference import reference_anatomy
from kneeload.subject.score_regions import BLOKS_REGIONS, MOAKS_TO_BLOKS, WORMS_REGIONS, bloks_labels, worms_labels


@pytest.mark.parametrize(("system", "low", "high"), [("MOAKS", 0.33, 0.66), ("WORMS", 0.25, 0.50), ("BLOKS", 0.10, 0.85)])
def test_cuts(system: str, low: float, high: float) -> None:
    np.testing.assert_array_equal(grades([0.0, 1e-9, low, low + 1e-6, high, high + 1e-6, 1.0], system), [0, 1, 1, 2, 2, 3, 3])
    assert UNCONFIRMED == ("BLOKS",) and GRADE_CUTS[system] == (low, high)
    for grade in (1, 2, 3):
        a, b = share_band(grade, system)
        assert grades(0.5 * (a + b), system) == grade


def test_grade_is_monotone_and_bad_shares_are_refused() -> None:
    assert (np.diff(grades(np.linspace(0, 1, 101)).astype(int)) >= 0).all()
    for bad in (-0.1, 1.1, np.nan):
        with pytest.raises(InputError, match="share of a region"):
            grades(bad)
    with pytest.raises(InputError, match="scoring system"):
        grades(0.5, "KIMRISS")
    with pytest.raises(InputError, match="grade"):
        share_band(4)


def test_sums_by_compartment_count_each_region_once() -> None:
    score = np.arange(15.0)
    sums = compartment_sums(score)
    assert tuple(sums) == COMPARTMENTS and sum(sums.values()) == score.sum()
    one = np.zeros(15)
    one[MOAKS_REGIONS.index("femur_trochlea_lateral")] = 2
    assert compartment_sums(one)["lateral_patellofemoral"] == 2 and COMPARTMENT_OF["femur_central_medial"] == "medial_tibiofemoral"
    assert sum(name == "medial_tibiofemoral" for name in COMPARTMENT_OF.values()) == 5
    with pytest.raises(InputError, match="regional values"):
        compartment_sums([1.0])


def test_bloks_shares_pool_volumes() -> None:
    lesion, whole = np.zeros(15), np.full(15, 1000.0)
    lesion[MOAKS_REGIONS.index("tibia_central_medial")] = 600.0
    share = bloks_shares(lesion, whole)
    assert share.max() == pytest.approx(0.2) and np.count_nonzero(share) == 1
    with pytest.raises(InputError, match="volume of a region"):
        bloks_shares(lesion, np.zeros(15))


def test_cubes_have_worms_and_bloks_regions() -> None:
    anatomy = reference_anatomy(Subject())
    worms, bloks = worms_labels(anatomy), bloks_labels(anatomy)
    count = {"W": np.zeros(15), "B": np.zeros(9)}
    for bone, volume in bone_volumes(anatomy).items():
        w, b = cube_labels(volume, worms), cube_labels(volume, bloks)
        count["W"] += np.bincount(w, minlength=15)
        count["B"] += np.bincount(b, minlength=9)
        assert {name.split("_")[0] for name in np.array(WORMS_REGIONS)[w]} == {bone}
        assert all(BLOKS_REGIONS[k] == MOAKS_TO_BLOKS[MOAKS_REGIONS[r]] for k, r in zip(b, volume.region))
        spine = volume.region == MOAKS_REGIONS.index("tibia_subspinous")
        np.testing.assert_array_equal(w == WORMS_REGIONS.index("tibia_subspinous"), spine)
        side = np.array([name.rpartition("_")[2] for name in MOAKS_REGIONS])
        same = side[w] == side[volume.region]  # only the groove of the trochlea changes sides
        assert same.mean() > 0.93
    assert (count["W"] > 0).all() and (count["B"] > 0).all() and count["W"].sum() == count["B"].sum()
