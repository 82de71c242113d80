"""A remembered bone load is the computed one, to the bit, and never an old one."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from kneeload import Case, Subject, remembered
from kneeload.bone.dose import BoneLoad
from kneeload.simulate import anatomy_of, day_load, run_day


@pytest.fixture(scope="module")
def load() -> BoneLoad:
    return day_load(Case(), anatomy_of(Case()), run_day(Case(), anatomy_of(Case())))


@pytest.fixture()
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(remembered, "cache_folder", lambda: tmp_path)
    monkeypatch.delenv("KNEELOAD_NO_CACHE", raising=False)
    return tmp_path


def never() -> BoneLoad:
    raise AssertionError("computed again")


def test_what_comes_back_is_what_was_computed(load: BoneLoad, folder: Path) -> None:
    remembered.remembered(Case(), lambda: load)
    back = remembered.remembered(Case(), never)
    assert back.activities == load.activities
    assert all(np.array_equal(getattr(back, item.name), getattr(load, item.name)) for item in fields(load) if item.name != "activities")


def test_another_case_or_another_source_is_another_file(load: BoneLoad, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered.remembered(Case(), lambda: load)
    with pytest.raises(AssertionError, match="computed again"):
        remembered.remembered(replace(Case(), subject=Subject(height_m=1.8)), never)
    monkeypatch.setattr(remembered, "sources_hash", lambda: "changed")
    with pytest.raises(AssertionError, match="computed again"):
        remembered.remembered(Case(), never)


def test_a_broken_file_or_a_switched_off_memory_computes(load: BoneLoad, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remembered.remembered(Case(), lambda: load)
    (file,) = folder.glob("*.npz")
    file.write_bytes(file.read_bytes()[:100])
    assert remembered.remembered(Case(), lambda: load) is load
    monkeypatch.setenv("KNEELOAD_NO_CACHE", "1")
    with pytest.raises(AssertionError, match="computed again"):
        remembered.remembered(Case(), never)


def test_the_disk_is_not_filled_and_the_oldest_are_forgotten(load: BoneLoad, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST_FILES", 2)
    cases = [replace(Case(), subject=Subject(height_m=height)) for height in (1.6, 1.7, 1.8, 1.9)]
    for age, case in enumerate(cases):
        remembered.remembered(case, lambda: load)
        for file in set(folder.iterdir()):
            os.utime(file, (file.stat().st_mtime - 10.0,) * 2)  # what was there before is older than what follows
        assert len(list(folder.iterdir())) == min(age + 1, 2)
    for case in cases[2:]:
        remembered.remembered(case, never)
    with pytest.raises(AssertionError, match="computed again"):
        remembered.remembered(cases[1], never)
