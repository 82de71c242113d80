"""Compiled kernels lie in a folder of their own version, in a place that this person may write and nobody else could have filled."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kneeload.kernels import cache


@pytest.fixture()
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home, a cache and a temporary folder of its own for the code under test."""
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path / "tmp"))
    cache.forget_folders()
    yield tmp_path
    monkeypatch.undo()
    cache.forget_folders()


def chosen() -> Path | None:
    cache.forget_folders()
    return cache.cache_folder()


def test_a_chosen_folder_comes_first_then_the_cache_then_the_home(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = cache.cache_key()
    assert chosen() == place / "home/.cache/kneeload" / key
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the specification of these folders
    assert chosen() == place / "home/.cache/kneeload" / key
    monkeypatch.setenv("XDG_CACHE_HOME", str(place / "xdg"))
    assert chosen() == place / "xdg/kneeload" / key
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(place / "mine"))
    assert chosen() == place / "mine/kneeload" / key


@pytest.mark.parametrize("home", ["a file", "no such user", "/proc"])
def test_without_a_home_that_can_be_written_the_temporary_folder_serves(place: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    (place / "a file").touch()
    monkeypatch.setenv("HOME", {"a file": str(place / "a file"), "no such user": "~", "/proc": "/proc"}[home])
    found = chosen()
    assert found == place / "tmp" / f"kneeload-{os.getuid()}" / cache.cache_key()
    assert (place / "tmp" / f"kneeload-{os.getuid()}").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("how", ["writable for all", "a link", "of another user"])
def test_a_temporary_folder_that_another_user_could_fill_is_not_used(place: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setenv("HOME", "/proc")
    taken = place / "tmp" / f"kneeload-{os.getuid()}"
    if how == "a link":
        (place / "theirs").mkdir()
        taken.symlink_to(place / "theirs")
    else:
        taken.mkdir(mode=0o700)
        (taken / cache.cache_key()).mkdir(mode=0o700)
    if how == "writable for all":
        taken.chmod(0o777)
    if how == "of another user":
        monkeypatch.setattr(cache.os, "getuid", lambda: 4242)
        taken.rename(place / "tmp" / "kneeload-4242")
        if os.geteuid() == 0:
            os.chown(place / "tmp" / "kneeload-4242", 4243, 4243)
    found = chosen()
    assert found is not None and not found.is_relative_to(taken) and not found.is_relative_to(place / "tmp" / "kneeload-4242")
    assert cache.private_folder() is not None and found.is_relative_to(cache.private_folder())
    assert all(not folder.is_relative_to(taken) for folder in cache.folders())


def test_a_folder_that_can_only_be_read_is_read_and_another_one_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    baked = place / "baked/kneeload" / cache.cache_key()
    baked.mkdir(parents=True)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(place / "baked"))
    real = cache._writable
    monkeypatch.setattr(cache, "_writable", lambda base, folder: not base.chosen and real(base, folder))
    assert chosen() == place / "home/.cache/kneeload" / cache.cache_key()
    assert cache.folders() == (baked, place / "home/.cache/kneeload" / cache.cache_key())


def test_nowhere_to_write_means_no_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/proc")
    monkeypatch.setattr(cache.tempfile, "tempdir", "/proc")
    assert chosen() is None and cache.folders() == ()


def test_the_key_changes_with_sources_versions_processor_and_settings(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import llvmlite.binding
    import numba
    import numpy

    def key() -> str:
        cache.forget_folders()
        return cache.cache_key()

    keys = [key()]
    assert key() == keys[0]
    for owner, name, value in ((cache, "source_hash", lambda: "other"), (numba, "__version__", "0.1"), (numpy, "__version__", "0.1"),
                               (llvmlite.binding, "get_host_cpu_name", lambda: "i386"), (numba.config, "BOUNDSCHECK", 1)):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, value)
            keys.append(key())
    assert len(set(keys)) == len(keys)
    monkeypatch.setattr(numba.config, "CPU_NAME", "x86-64-v3")  # compiled for a chosen processor: which one compiles does not matter
    monkeypatch.setattr(numba.config, "CPU_FEATURES", "+avx2,+fma")
    chosen_for = key()
    monkeypatch.setattr(llvmlite.binding, "get_host_cpu_name", lambda: "i386")
    assert key() == chosen_for not in keys


def version(parent: Path, number: int, age_days: float) -> Path:
    folder = parent / f"{number:016x}"
    folder.mkdir()
    for path in (folder / "in-use", folder):
        path.touch()
        os.utime(path, (time.time() - 86400.0 * age_days,) * 2)
    return folder


def test_old_versions_go_and_young_or_used_ones_stay(place: Path) -> None:
    mine = chosen()
    assert mine is not None
    fresh = [version(mine.parent, number, 0.1) for number in range(12)]  # more than KEPT_VERSIONS, but used today
    many = [version(mine.parent, number, 10.0) for number in range(12, 15)]  # beyond KEPT_VERSIONS
    old, held = version(mine.parent, 20, 60.0), version(mine.parent, 21, 60.0)
    foreign = mine.parent / "not-a-version"
    foreign.mkdir()
    with (held / "in-use").open("rb") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)  # as a running process does
        assert cache.remove_old_versions() == len(many) + 1
    assert all(path.is_dir() for path in (*fresh, held, foreign, mine)) and not old.exists() and not any(path.exists() for path in many)


def test_a_process_holds_the_version_that_it_uses(place: Path) -> None:
    mine = chosen()
    assert mine is not None and not cache._free(mine)


def test_a_private_folder_goes_with_its_process(place: Path) -> None:
    code = "from kneeload.kernels import cache; print(cache.cache_folder(), cache.private_folder())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=place,
                           env={**{k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}, "HOME": "/proc", "XDG_CACHE_HOME": "/proc",
                                "TMPDIR": str(_untrusted(place))}).stdout.split()
    assert found[1] != "None" and not Path(found[1]).exists()


def _untrusted(place: Path) -> Path:
    (place / "tmp" / f"kneeload-{os.getuid()}").mkdir()
    (place / "tmp" / f"kneeload-{os.getuid()}").chmod(0o777)
    return place / "tmp"
