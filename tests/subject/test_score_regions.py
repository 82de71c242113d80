"""WORMS and BLOKS labels beside MOAKS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy
from kneeload.subject.mesh_folder import mesh_anatomy
from kneeload.subject.person import Subject
from kneeload.subject.reference import reference_anatomy
from kneeload.subject.score_regions import (
    BLOKS_REGIONS,
    MOAKS_TO_BLOKS,
    SURFACES,
    WORMS_REGIONS,
    ScoreLabels,
    bloks_labels,
    horn_planes,
    worms_labels,
)


def check(anatomy: KneeAnatomy, labels: ScoreLabels) -> dict[str, float]:
    """Every articular triangle with a MOAKS region has one of the other system, and no other has; return areas, mm2."""
    area: dict[str, float] = {}
    for name in SURFACES:
        surface, found = getattr(anatomy, name), getattr(labels, name)
        np.testing.assert_array_equal(found >= 0, surface.region >= 0)
        for k in np.unique(found[found >= 0]):
            area[labels.names[k]] = float(surface.areas[found == k].sum())
    return area


def knees(shared_data: Path) -> list[KneeAnatomy]:
    return [reference_anatomy(Subject()), reference_anatomy(Subject(sex="female", height_m=1.6)), mesh_anatomy(shared_data / "knee_mri", Subject())]


def test_every_region_with_cartilage_is_there_on_any_knee(shared_data: Path) -> None:
    for anatomy in knees(shared_data):
        worms, bloks = check(anatomy, worms_labels(anatomy)), check(anatomy, bloks_labels(anatomy))
        assert set(worms) == set(WORMS_REGIONS) - {"tibia_subspinous"} and set(bloks) == set(BLOKS_REGIONS) - {"tibia_subspinous"}
        assert min(worms.values()) > 50.0  # mm2: none is a sliver
        assert sum(worms.values()) == pytest.approx(sum(bloks.values()))


def test_worms_femur_is_ordered_from_front_to_back(shared_data: Path) -> None:
    for anatomy in knees(shared_data):
        labels, x = worms_labels(anatomy).femur, anatomy.femur.centroids[:, 0]
        for side in ("medial", "lateral"):
            a, c, p = (x[labels == WORMS_REGIONS.index(f"femur_{part}_{side}")] for part in ("anterior", "central", "posterior"))
            assert a.min() >= c.max() and c.min() >= p.max()


def test_the_groove_is_medial_and_the_patellar_halves_are_those_of_moaks(shared_data: Path) -> None:
    for anatomy in knees(shared_data):
        labels = worms_labels(anatomy)
        np.testing.assert_array_equal(labels.patella, anatomy.patella.region)
        at, front = anatomy.femur.centroids, np.isin(labels.femur, (2, 3)) & (np.abs(anatomy.femur.centroids[:, 2]) < 8.0)  # around the groove
        turn, radius = np.arctan2(at[:, 1], at[:, 0]), np.hypot(at[:, 0], at[:, 1])
        borders = np.quantile(turn[front], np.linspace(0.1, 0.9, 9))
        deepest = []
        for low, high in zip(borders[:-1], borders[1:]):
            level = np.flatnonzero(front & (turn >= low) & (turn < high))
            deepest.append(level[np.argmin(radius[level])])
        lateral = np.flatnonzero(labels.femur == WORMS_REGIONS.index("femur_anterior_lateral"))
        for k in deepest:  # a smooth line follows a rough one: the deepest triangle is medial, or beyond the border by less than a triangle or two
            border = at[lateral[np.abs(turn[lateral] - turn[k]) < 0.05], 2].min()
            assert at[k, 2] < border + 1.0


def test_central_tibia_lies_between_the_horns_and_falls_back_to_thirds() -> None:
    anatomy = reference_anatomy(Subject())
    for side in ("medial", "lateral"):
        plate, covered = getattr(anatomy, f"tibia_{side}"), getattr(anatomy, f"covered_{side}")
        front, back = horn_planes(plate.mesh, covered)
        x = plate.centroids[:, 0]
        beyond = (x > front + 1.0) | (x < back - 1.0)
        assert covered[beyond].mean() > covered[~beyond].mean()  # the horns lie beyond the planes
        third = np.ptp(x) / 3.0
        front, back = horn_planes(plate.mesh, np.zeros_like(covered))
        assert front - back == pytest.approx(third) and x.max() - front == pytest.approx(third)


def test_removed_meniscus_gives_the_thirds_of_moaks() -> None:
    anatomy = reference_anatomy(Subject(medial_meniscus="removed"))
    own, moaks = worms_labels(anatomy).tibia_medial, anatomy.tibia_medial.region
    assert (own != moaks).mean() < 0.03  # triangles at the border: MOAKS counts from points, this from centres


def test_bloks_is_a_union_of_moaks() -> None:
    assert set(MOAKS_TO_BLOKS) == set(MOAKS_REGIONS) and set(MOAKS_TO_BLOKS.values()) == set(BLOKS_REGIONS)
    anatomy = reference_anatomy(Subject())
    labels = bloks_labels(anatomy)
    for name in SURFACES:
        region, found = getattr(anatomy, name).region, getattr(labels, name)
        for k in np.unique(region[region >= 0]):
            assert {BLOKS_REGIONS[i] for i in np.unique(found[region == k])} == {MOAKS_TO_BLOKS[MOAKS_REGIONS[k]]}
    assert MOAKS_TO_BLOKS["femur_posterior_medial"] == "weight_bearing_femur_medial" and MOAKS_TO_BLOKS["tibia_anterior_lateral"] == "weight_bearing_tibia_lateral"
