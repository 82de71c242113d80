"""Settings of the finite elements: the packaged files are the Python defaults, and a bad value is told in one sentence."""

from __future__ import annotations

from typing import Any

import pytest
from hydra import compose, initialize_config_module

from kneeload import Case
from kneeload.bone.finite_element_settings import KINDS, FiniteElements, inclusion_of
from kneeload.bone.inclusions import Attrition, Cyst, Fill, Lesion
from kneeload.bone.material import BoneSolid
from kneeload.bone.volume import BONES
from kneeload.errors import InputError
from kneeload.settings import case_from_config

PLACE = "tibia_central_medial"


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading settings needs no elements: these tests run without the extra too."""
    monkeypatch.setattr("kneeload.bone.hexahedra.find_spec", lambda name: name)


def case(*overrides: str) -> Case:
    with initialize_config_module("kneeload.conf", version_base="1.3"):
        return case_from_config(compose("config", overrides=list(overrides)))


def test_the_packaged_choices_are_the_python_defaults() -> None:
    assert case().finite_elements is None and Case().finite_elements is None
    assert case("finite_elements=tibia").finite_elements == FiniteElements()
    assert case("finite_elements=knee").finite_elements == FiniteElements(bones=("femur", "tibia", "patella"))
    assert set(BONES) == {"femur", "tibia", "patella"}


def test_the_command_line_reaches_every_setting() -> None:
    words = f"[{{kind: cyst, region: {PLACE}, radius_mm: 5}}, {{kind: fill, region: {PLACE}, semi_axes_mm: [5, 6, 7.5], depth_mm: 9, offset_mm: [1, -2], modulus_mpa: 800}}, " \
            f"{{kind: lesion, region: tibia_central_lateral, modulus_ratio: 0.6}}, {{kind: attrition, region: {PLACE}, radius_mm: 6}}]"
    found = case("finite_elements=tibia", f"finite_elements.inclusions={words}", "finite_elements.spacing_mm=3", "finite_elements.every_frames=4",
                 "finite_elements.solid.plate_thickness_mm=0.2").finite_elements
    assert found is not None and found.every_frames == 4
    assert found.solid == BoneSolid(element_mm=3.0, plate_thickness_mm=0.2)
    cyst, fill, lesion, worn = found.inclusions
    assert isinstance(cyst, Cyst) and cyst.region == PLACE and cyst.radius_mm == 5.0 and cyst.depth_mm == Cyst(region=PLACE).depth_mm
    assert isinstance(fill, Fill) and fill.radius_mm == (5.0, 6.0, 7.5) and fill.depth_mm == 9.0 and fill.offset_mm == (1.0, -2.0) and fill.modulus_mpa == 800.0
    assert isinstance(lesion, Lesion) and lesion.modulus_ratio == 0.6
    assert isinstance(worn, Attrition) and worn.radius_mm == 6.0
    assert found.of_bone("tibia") == found.inclusions and found.of_bone("femur") == ()


@pytest.mark.parametrize(("values", "words"), [
    ({"kind": "hole", "region": PLACE}, ("'hole'", *KINDS)),
    ({"kind": ["cyst"], "region": PLACE}, ("kind",)),
    ({"region": PLACE}, ("kind", "None")),
    ({"kind": "cyst"}, ("region", "nothing")),
    ({"kind": "cyst", "region": "tibia_middle"}, ("'tibia_middle'", "tibia_central_medial")),
    ({"kind": "cyst", "region": PLACE, "size": 3}, ("key 'size'", "radius_mm", "semi_axes_mm")),
    ({"kind": "cyst", "region": PLACE, "mask": 3}, ("key 'mask'",)),
    ({"kind": "attrition", "region": PLACE, "depth_mm": 3}, ("key 'depth_mm'",)),
    ({"kind": "lesion", "region": PLACE}, ("modulus_ratio", "no default")),
    ({"kind": "cyst", "region": PLACE, "radius_mm": "big"}, ("'big'", "a number")),
    ({"kind": "cyst", "region": PLACE, "radius_mm": True}, ("True",)),
    ({"kind": "cyst", "region": PLACE, "radius_mm": [1, 2, 3]}, ("a number",)),
    ({"kind": "cyst", "region": PLACE, "semi_axes_mm": [1, 2]}, ("3 numbers",)),
    ({"kind": "cyst", "region": PLACE, "semi_axes_mm": 4}, ("3 numbers",)),
    ({"kind": "cyst", "region": PLACE, "semi_axes_mm": [1, 2, 3], "radius_mm": 3}, ("only one of them",)),
    ({"kind": "cyst", "region": PLACE, "radius_mm": -1}, ("radius", "-1")),
    ({"kind": "fill", "region": PLACE, "modulus_mpa": float("nan")}, ("modulus_mpa", "nan")),
    ({"kind": "fill", "region": PLACE, "depth_mm": None}, ("depth_mm", "None")),
    ("cyst", ("'cyst'", "keys with values")),
])
def test_a_bad_inclusion_is_told_in_one_sentence(values: Any, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as error:
        inclusion_of(values, "finite_elements.inclusions[0]")
    assert all(word in str(error.value) for word in words), error.value
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("override", "words"), [
    ("finite_elements.bones=[fibula]", ("fibula", "femur, tibia, patella")),
    ("finite_elements.bones=[[tibia]]", ("bones",)),
    ("finite_elements.bones=tibia", ("'tibia'",)),
    ("finite_elements.bones=[]", ("one or more",)),
    ("finite_elements.every_frames=0", ("every_frames", "1 to 100")),
    ("finite_elements.every_frames=2.5", ("whole number",)),
    ("finite_elements.spacing_mm=0.1", ("finite_elements.spacing_mm", "0.5 to 6 mm")),
    ("finite_elements.spacing_mm=null", ("finite_elements.spacing_mm",)),
    ("+finite_elements.solid.element_mm=3", ("finite_elements.spacing_mm",)),
    ("finite_elements.solid=3", ("finite_elements.solid",)),
    ("finite_elements.solid.poisson_ratio=0.5", ("finite_elements.solid.poisson_ratio",)),
    ("finite_elements.inclusions=cyst", ("list",)),
    ("finite_elements.inclusions=[{kind: cyst, region: femur_central_medial}]", ("a region of the tibia",)),
    ("finite_elements.inclusions=[{kind: cyst, region: tibia_subspinous}]", ("under cartilage",)),
    ("contact=none", ("contact", "load of the bone")),
])
def test_a_bad_setting_is_told_in_one_sentence(override: str, words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as error:
        case("finite_elements=tibia", override)
    assert all(word in str(error.value) for word in words), error.value


def test_missing_packages_are_told_before_anything_is_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kneeload.bone.hexahedra.find_spec", lambda name: None)
    assert case().finite_elements is None
    with pytest.raises(InputError, match=r"scikit-fem.*kneeload\[fem\]"):
        case("finite_elements=tibia")
