"""The packaged configuration and the Python defaults are one and the same."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from hydra import compose, initialize_config_module

from kneeload import Case, interventions
from kneeload.errors import InputError
from kneeload.settings import case_from_config


def case(*overrides: str) -> Case:
    with initialize_config_module("kneeload.conf", version_base="1.3"):
        return case_from_config(compose("config", overrides=list(overrides)))


def differences(a: Any, b: Any, name: str = "") -> list[str]:
    if is_dataclass(a) and not isinstance(a, type):
        return [line for item in fields(a) for line in differences(getattr(a, item.name), getattr(b, item.name), f"{name}.{item.name}")]
    return [] if a == b else [f"{name}: {a!r} != {b!r}"]


def test_the_default_configuration_is_the_default_case() -> None:
    assert differences(case(), Case()) == []


@pytest.mark.parametrize("nothing", ["intervention=none", "intervention=[]", "intervention=[none]"])
def test_no_intervention_is_the_default_case(nothing: str) -> None:
    assert case(nothing) == Case()


def test_contact_none_stops_at_the_load_level() -> None:
    assert case("contact=none").contact is None


def test_interventions_apply_in_the_order_given() -> None:
    changed = case("intervention=[weight_loss,unloader_brace]", "intervention.weight_loss.mass_kg=5", "intervention.unloader_brace.valgus_deg=6")
    assert changed.interventions == ("weight_loss", "unloader_brace")
    assert changed.subject.body_mass_kg == 75.0 and changed.brace.valgus_deg == 6.0 and changed.baseline == Case()
    assert case("intervention=toe_in").gait_changes == interventions.toe_in(Case()).gait_changes


@pytest.mark.parametrize("name", ["walking", "standing", "single_leg_standing", "stair_ascent", "stair_descent", "chair_rise", "squat", "compression"])
def test_every_activity_composes(name: str) -> None:
    assert case(f"activity={name}").activity.name == name


def test_one_number_scales_all_cartilage() -> None:
    scale = case("subject.cartilage_thickness_scale=0.8").subject.cartilage_thickness_scale
    assert scale.femur == scale.tibia_medial == scale.tibia_lateral == scale.patella == 0.8


def test_an_unknown_key_is_named_with_what_there_is() -> None:
    with pytest.raises(InputError, match=r"contact\.softness.*layer_factor"):
        case("+contact.softness=3")
