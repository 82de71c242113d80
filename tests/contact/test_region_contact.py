"""Contact per MOAKS region: it adds up to the compartments, above and below, and the table says so in named units."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.contact.cycle import COMPARTMENTS, ContactCycle
from kneeload.contact.patella_rig import patella_hold
from kneeload.contact.region_contact import RegionContact, contact_columns, region_contact
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy
from kneeload.subject.person import Subject
from kneeload.units import DEG


@pytest.fixture(scope="module")
def cycle(reference_knee: KneeAnatomy) -> ContactCycle:
    return patella_hold(Subject(), reference_knee, np.array([5.0, 25.0, 45.0]) * DEG, 0.45).cycle


@pytest.fixture(scope="module")
def regions(reference_knee: KneeAnatomy, cycle: ContactCycle) -> RegionContact:
    return region_contact(reference_knee, cycle)


def _columns(text: str) -> list[int]:
    return [r for r, name in enumerate(MOAKS_REGIONS) if text in name]


@pytest.mark.parametrize(("compartment", "bone"), [("medial", "tibia"), ("lateral", "tibia"), ("patellofemoral", "patella")])
def test_regions_add_up_to_their_compartment(regions: RegionContact, cycle: ContactCycle, compartment: str, bone: str) -> None:
    part = getattr(cycle, compartment)
    own = [r for r in _columns(bone) if bone == "patella" or MOAKS_REGIONS[r].endswith(compartment)]
    assert regions.normal_force[:, own].sum(axis=1) == pytest.approx(part.mean_pressure * part.contact_area, rel=1e-5)
    assert regions.area[:, own].sum(axis=1) == pytest.approx(part.contact_area, rel=0.06)  # triangles at the rim count in part there
    assert np.all(regions.peak_pressure[:, own].max(axis=1) >= 0.98 * part.peak_pressure)
    centre = np.nansum(regions.centre_of_pressure[:, own] * regions.normal_force[:, own, None], axis=1) / regions.normal_force[:, own].sum(axis=1)[:, None]
    assert centre == pytest.approx(part.centre_of_pressure, abs=0.5)  # a meniscus that moved out is counted where it was


def test_what_tibia_and_patella_bear_the_femur_bears(regions: RegionContact) -> None:
    femur, others = _columns("femur"), _columns("tibia") + _columns("patella")
    assert regions.normal_force[:, femur].sum(axis=1) == pytest.approx(regions.normal_force[:, others].sum(axis=1), rel=0.02)


def test_mean_and_peak_and_centre_belong_together(regions: RegionContact) -> None:
    touching = regions.area > 0.0
    assert np.array_equal(np.isfinite(regions.centre_of_pressure).all(axis=2), touching)
    assert np.all(regions.peak_pressure[touching] >= regions.mean_pressure[touching]) and not regions.peak_pressure[~touching].any()
    assert regions.mean_pressure * regions.area == pytest.approx(regions.normal_force)
    assert not regions.area[:, MOAKS_REGIONS.index("tibia_subspinous")].any()


def test_each_region_has_its_centre_on_its_own_side(regions: RegionContact) -> None:
    with np.errstate(all="ignore"):
        for side, sign in (("medial", -1.0), ("lateral", 1.0)):
            for r in [r for r in _columns(side) if MOAKS_REGIONS[r].startswith("tibia")]:
                z = regions.centre_of_pressure[:, r, 2]
                assert np.all(sign * z[np.isfinite(z)] > 5.0)


def test_the_centres_on_the_femur_are_those_of_what_touches_it(regions: RegionContact, cycle: ContactCycle) -> None:
    """In the frame of the femur: the mean over its regions is that of tibia and patella, moved by their poses."""
    def mean(centre: np.ndarray, columns: list[int]) -> np.ndarray:
        force = regions.normal_force[:, columns, None]
        return np.nansum(centre * force, axis=1) / force.sum(axis=1)

    moved = {}
    for bone, pose in (("tibia", cycle.femur_from_tibia), ("patella", cycle.femur_from_patella)):
        own = regions.centre_of_pressure[:, _columns(bone)]
        moved[bone] = np.einsum("tij,trj->tri", pose[:, :3, :3], own) + pose[:, None, :3, 3]
    others = mean(np.concatenate([moved["tibia"], moved["patella"]], axis=1), _columns("tibia") + _columns("patella"))
    assert mean(regions.centre_of_pressure[:, _columns("femur")], _columns("femur")) == pytest.approx(others, abs=0.5)


def test_the_table_has_a_row_per_frame_and_place(reference_knee: KneeAnatomy, cycle: ContactCycle) -> None:
    columns = contact_columns(reference_knee, cycle)
    places = [*COMPARTMENTS, *(name for name in MOAKS_REGIONS if name != "tibia_subspinous")]
    assert {len(column) for column in columns.values()} == {3 * len(places)}
    assert columns["place"][:len(places)] == places and set(columns["bone"]) == {"femur", "tibia", "patella"}
    assert list(columns)[3:] == ["normal_force_n", "contact_area_mm2", "mean_pressure_mpa", "peak_pressure_mpa", "centre_x_mm", "centre_y_mm", "centre_z_mm"]
    assert np.asarray(columns["contact_area_mm2"])[0] == pytest.approx(cycle.medial.contact_area[0])
    assert np.asarray(columns["cycle_percent"])[[0, len(places), -1]] == pytest.approx([0.0, 50.0, 100.0])
