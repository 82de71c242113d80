"""A bone with and without inclusions: what a cyst sheds and a fill takes, with all forces balanced."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_knee import make_cycle

from kneeload import Subject
from kneeload.bone.comparison import BoneComparison, compared_bones, comparison_columns
from kneeload.bone.finite_element_settings import FiniteElements
from kneeload.bone.finite_elements import PressedBone, pressed_bone
from kneeload.bone.inclusions import Attrition, Cyst, Fill, Lesion, centre_of, stiffness_with, taken
from kneeload.bone.material import BoneSolid, homogeneous
from kneeload.contact.cycle import ContactCycle
from kneeload.errors import InputError
from kneeload.subject.anatomy import KneeAnatomy
from kneeload.subject.reference import reference_anatomy

pytest.importorskip("skfem", reason="the extra fem is not installed")
pytest.importorskip("pyamg", reason="the extra fem is not installed")
PLACE, COARSE = {"region": "tibia_central_medial", "radius_mm": 5.0, "depth_mm": 8.0}, BoneSolid(element_mm=3.0)
CYST, FILL = Cyst(**PLACE), Fill(**PLACE, modulus_mpa=8000.0)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def knee() -> KneeAnatomy:
    return reference_anatomy(Subject())


@pytest.fixture(scope="module")
def cycle(knee: KneeAnatomy) -> ContactCycle:
    return make_cycle(knee, frames=9)


@pytest.fixture(scope="module")
def pressed(knee: KneeAnatomy, cycle: ContactCycle) -> PressedBone:
    return pressed_bone(knee, cycle, COARSE, frames=[4])


@pytest.fixture(scope="module")
def compared(knee: KneeAnatomy, cycle: ContactCycle) -> dict[str, BoneComparison]:
    return compared_bones(knee, cycle, FiniteElements(bones=("tibia", "patella"), every_frames=4, solid=COARSE, inclusions=(CYST,)))


def test_a_cyst_sheds_stress_to_its_rim_and_a_fill_in_its_place_takes_it_back(knee: KneeAnatomy, pressed: PressedBone) -> None:
    """Bone beside the inclusion, at its depth: more stress round a cyst, less round a fill; inside it the other way round."""
    plain, hole, filled = pressed.stress(), pressed.stress([CYST]), pressed.stress([CYST, FILL])
    offset = plain.volume.centres_mm - centre_of(knee, CYST)
    away, height = np.linalg.norm(offset, axis=1), np.abs((offset * plain.volume.normal).sum(axis=1))
    core, rim = away < 3.5, (away > 6.0) & (away < 9.5) & (height < 3.0)
    assert core.sum() >= 4 and rim.sum() >= 10
    for field in (plain, hole, filled):
        np.testing.assert_allclose(field.reaction_n, -field.load_n, atol=2e-3 * np.abs(field.load_n).max())
    inside, beside = ([float(field.vertical[0, part].mean()) for field in (plain, hole, filled)] for part in (core, rim))
    assert inside[1] < 0.1 * inside[0] and inside[2] > 1.2 * inside[0]
    assert beside[1] > 1.05 * beside[0] and beside[2] < 0.99 * beside[0]
    assert hole.energy[0, rim].mean() > 1.1 * plain.energy[0, rim].mean()


def test_forces_through_a_plane_do_not_depend_on_inclusions(knee: KneeAnatomy, cycle: ContactCycle) -> None:
    """Whatever lies between, the load of the contact comes out at the fixed end."""
    pressed = pressed_bone(knee, cycle, homogeneous(BoneSolid(element_mm=4.0)), frames=[2, 6])
    for inclusions in ((), (CYST, FILL), (Attrition(region="tibia_central_lateral", radius_mm=7.0),)):
        field = pressed.stress(inclusions)
        np.testing.assert_allclose(field.reaction_n, -field.load_n, atol=2e-3 * np.abs(field.load_n).max())
        np.testing.assert_array_equal(field.load_n, pressed.nodal_n.sum(axis=0).T)


def test_the_later_inclusion_counts_and_a_fill_leaves_nothing_of_the_cyst_in_its_place(knee: KneeAnatomy, pressed: PressedBone) -> None:
    volume, before = pressed.volume, pressed.trabecular_mpa

    def modulus(*items) -> np.ndarray:
        return stiffness_with(before, [taken(knee, volume, item, pressed.layers) for item in items])

    np.testing.assert_allclose(modulus(CYST, FILL), modulus(FILL))
    np.testing.assert_allclose(modulus(FILL, CYST), modulus(CYST))
    soft = Lesion(**PLACE, modulus_ratio=0.5)  # type: ignore[arg-type]
    met = modulus(soft) < before
    np.testing.assert_allclose((before - modulus(soft, soft))[met], 1.5 * (before - modulus(soft))[met], atol=1e-9)  # a quarter is left, at each point
    small = Cyst(region="tibia_central_medial", radius_mm=2.5, depth_mm=8.0)
    lost = modulus(FILL) - modulus(FILL, small)
    assert lost.min() > -1e-9 and lost.sum() * volume.volume_mm3 == pytest.approx(4.0 / 3.0 * np.pi * 2.5**3 * (8000.0 - 1.0), rel=0.05)
    share = 1.0 - modulus(Cyst(**PLACE, modulus_mpa=1e-9)) / before  # type: ignore[arg-type]
    assert share.sum() * volume.volume_mm3 == pytest.approx(4.0 / 3.0 * np.pi * 125.0, rel=0.02)


def test_a_comparison_is_that_of_both_solutions(pressed: PressedBone, compared: dict[str, BoneComparison]) -> None:
    tibia = compared["tibia"]
    assert list(compared) == ["tibia", "patella"] and tibia.field.frames.tolist() == [0, 4, 8] and compared["patella"].without is None
    assert tibia.without is not None
    np.testing.assert_allclose(tibia.without.vertical[1], pressed.stress().vertical[0], atol=5e-3 * float(tibia.without.vertical.max()))
    np.testing.assert_allclose(tibia.field.vertical[1], pressed.stress([CYST]).vertical[0], atol=5e-3 * float(tibia.field.vertical.max()))
    assert np.array_equal(np.isnan(tibia.half_space[0]), tibia.field.volume.region < 0)


def test_the_table_has_one_row_per_region_with_the_half_space_and_the_bone_without_inclusions(compared: dict[str, BoneComparison]) -> None:
    table = comparison_columns(compared)
    rows = [dict(zip(table, values)) for values in zip(*table.values())]
    assert [row["region"] for row in rows if row["bone"] == "tibia"] == [f"tibia_{part}_{side}" for part in ("anterior", "central", "posterior") for side in ("medial", "lateral")
                                                                        ] + ["tibia_subspinous"]
    (row,) = [row for row in rows if row["region"] == "tibia_central_medial"]
    field, number = compared["tibia"].field, 10
    own = field.volume.region == number
    assert row["mean_compressive_stress_mpa"] == pytest.approx(float(field.vertical[:, own].mean(axis=1).max()), rel=1e-5)
    assert row["mean_compressive_stress_over_half_space"] == pytest.approx(row["mean_compressive_stress_mpa"] / row["half_space_mean_compressive_stress_mpa"])
    assert row["half_space_mean_compressive_stress_mpa"] == pytest.approx(float(compared["tibia"].half_space[:, own].mean(axis=1).max()), rel=1e-5)
    change = row["peak_strain_energy_density_mpa"] / row["peak_strain_energy_density_without_inclusions_mpa"] - 1.0
    assert row["peak_strain_energy_density_change_pct"] == pytest.approx(100.0 * change) and change > 0.05
    assert all(row["mean_compressive_stress_change_pct"] == 0.0 for row in rows if row["bone"] == "patella")
    bare = comparison_columns({"patella": compared["patella"]})
    assert bare and not any("without" in name or "change" in name for name in bare)


def test_a_bone_without_load_is_left_out_or_refused(knee: KneeAnatomy) -> None:
    only = make_cycle(knee, frames=3, only=("tibia_medial",))
    assert list(compared_bones(knee, only, FiniteElements(bones=("tibia", "patella"), solid=BoneSolid(element_mm=5.0)))) == ["tibia"]
    for settings in (FiniteElements(bones=("patella",)), FiniteElements(bones=("tibia", "patella"), inclusions=(Cyst(region="patella_medial"),))):
        with pytest.raises(InputError, match=r"patella.*no pressure"):
            compared_bones(knee, only, settings)
