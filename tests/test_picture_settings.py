"""The group `view` of the configuration: its files agree with the defaults in Python, bad values end with a sentence."""

from __future__ import annotations

from dataclasses import asdict

import hydra
import pytest

from kneeload.errors import InputError
from kneeload.settings import pictures_from_config
from kneeload.views.picture_settings import PictureSettings


def asked(*overrides: str) -> PictureSettings:
    with hydra.initialize_config_module("kneeload.conf", version_base="1.3"):
        return pictures_from_config(hydra.compose("config", overrides=list(overrides)))


def test_the_default_files_are_the_defaults_in_python() -> None:
    assert asked() == asked("view=none") == PictureSettings()


def test_publication_changes_what_it_says() -> None:
    changed = {key for key, value in asdict(asked("view=publication")).items() if value != getattr(PictureSettings(), key)}
    assert changed == {"flat", "stills", "vector", "parted_mm"}
    assert asked("view=publication", "view.stills=[knee_medial]", "view.frame=48", "view.pressure_max_mpa=10").frame == 48.0
    assert asked("view.stills=knee_medial").stills == ("knee_medial",) and asked("view.frame=cycle").frame == "cycle"


@pytest.mark.parametrize(("override", "words"), [
    ("view.stills=[tibia_top]", "view.stills"), ("view.frame=late", "view.frame"), ("view.pressure_max_mpa=-1", "view.pressure_max_mpa"), ("view.dpi=5", "view.dpi"),
    ("view.pictures=perhaps", "view.pictures"), ("+view.colour=red", "view has no such setting"), ("view.animation_format=webm", "view.animation_format"),
])
def test_bad_values_end_with_a_sentence(override: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        asked(override)
    assert words in str(caught.value)
