"""The folder of a study in bad hands: a disk that is really full, files that are cut off or altered anywhere, damaged fields."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from test_study import LIGHT, files, here, manifest

from kneeload.errors import InputError
from kneeload.population import run_population
from kneeload.population.design import Design
from kneeload.population.fields import FieldStore
from kneeload.population.folder import JOURNAL, Folder
from kneeload.population.rows import Layout, layout_of
from kneeload.population.study_folder import MANIFEST, StudyError

SHARDS = {0, 1, 2, 3}


@pytest.fixture(scope="module")
def layout() -> Layout:
    return layout_of(LIGHT)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "whole"
    run_population(LIGHT, folder, engine=here()[0], piece=6)
    return folder


@pytest.fixture
def study(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "study"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)], capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def done(folder: Path, layout: Layout) -> tuple[set[int], dict[str, int]]:
    with Folder(folder, LIGHT, layout) as kept:
        return kept.done(), kept.counts


@pytest.mark.parametrize("free", [0, 1, 3, 6, 9, 12, 15, 18, 22])
def test_a_disk_that_is_really_full(whole: Path, disk: Path, free: int) -> None:
    """`free` blocks of 4 kB are left, so it is full at the manifest, the journal, a shard, or the last manifest."""
    (disk / "others").write_bytes(b"0" * 4096 * (3 * 256 - free))
    try:
        run_population(LIGHT, disk / "study", engine=here()[0], piece=6)
    except (StudyError, InputError) as problem:
        assert "the disk is full" in str(problem)
        assert not list((disk / "study").glob("*.part"))
        for name, data in files(disk / "study").items():
            assert data == files(whole)[name]  # never a part of a file under its name
    else:
        assert free > 12
    (disk / "others").unlink()
    run_population(LIGHT, disk / "study", engine=here()[0], piece=6)
    assert files(disk / "study") == files(whole) and manifest(disk / "study") == manifest(whole)


def test_a_shard_that_is_cut_off_anywhere_is_not_taken(study: Path, layout: Layout) -> None:
    path = study / "shard-00001.parquet"
    data = path.read_bytes()
    for k in (1, 2, 4, 8, 9, 100, len(data) // 2, len(data) - 4, len(data)):
        path.write_bytes(data[:-k])
        assert done(study, layout)[0] == SHARDS - {1}
    path.write_bytes(data + b"\0")
    assert done(study, layout)[0] == SHARDS - {1}


def test_altered_bits_of_shards_and_journal_are_found(study: Path, layout: Layout) -> None:
    """Whatever is altered, what is taken is right: the file, and what is counted of it."""
    rng, usual = random.Random(4), done(study, layout)[1]
    shard, journal = study / "shard-00002.parquet", study / JOURNAL
    for path, times in ((shard, 60), (journal, 250)):
        data = path.read_bytes()
        for _ in range(times):
            altered = bytearray(data)
            altered[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path.write_bytes(altered)
            found, counts = done(study, layout)
            assert found < SHARDS or (path == journal and found == SHARDS and counts == usual)
        path.write_bytes(data)
    assert done(study, layout) == (SHARDS, usual)


def test_a_journal_that_is_cut_off_anywhere_names_whole_shards_only(study: Path, layout: Layout) -> None:
    journal = study / JOURNAL
    data = journal.read_bytes()
    last = data.rstrip(b"\n").rfind(b"\n") + 1
    for k in range(0, len(data) - last, 7):
        journal.write_bytes(data[:last + k])
        assert done(study, layout)[0] == {json.loads(line)["shard"] for line in data[:last].splitlines()}
    journal.write_bytes(data[:-1])  # only the end of the line is missing
    assert done(study, layout)[0] == SHARDS
    journal.write_bytes(b"")
    assert done(study, layout)[0] == set()


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"design": 3}', '{"design": {}, "words": 3}', "\udcff"])
def test_a_manifest_that_cannot_be_read_is_refused(study: Path, text: str) -> None:
    (study / MANIFEST).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=r"manifest \(population\.output\)"):
        run_population(LIGHT, study, engine=here()[0])


def test_without_a_manifest_nothing_is_written_over(study: Path) -> None:
    (study / MANIFEST).unlink()
    before = files(study)
    with pytest.raises(InputError, match=r"shard-00000\.parquet and no manifest"):
        run_population(LIGHT, study, engine=here()[0])
    assert files(study) == before


def test_a_shard_of_another_study_is_made_again(whole: Path, study: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    other = tmp_path / "other"
    run_population(replace(LIGHT, seed=9), other, engine=here()[0], piece=6)
    shutil.copy(other / "shard-00003.parquet", study)
    (line,) = (line for line in (other / JOURNAL).read_text().splitlines() if '"shard": 3' in line)
    engine, made = here()
    run_population(LIGHT, study, engine=engine)
    assert {piece.shard for piece in made[0].done} == {3} and files(study) == files(whole)
    assert line not in (study / JOURNAL).read_text()


@pytest.mark.parametrize("kind", ["a file", "a link to nowhere", "below a file"])
def test_what_is_no_folder_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "study"
    if kind == "a link to nowhere":
        path.symlink_to(tmp_path / "nowhere")
    else:
        path.write_text("mine")
    with pytest.raises(InputError, match="a file, or a link to nowhere, is in its place"):
        run_population(LIGHT, path / "x" if kind == "below a file" else path, engine=here()[0])


def test_damaged_fields_are_found_and_written_again(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    design, key = Design(size=5, shard_size=2, fields=True), ("walking", "patella")
    shape = Layout(columns={}, fields={key: {"male": 40, "female": 50}})
    blocks = {first: {key: np.arange(count * 50, dtype=np.float32).reshape(count, 1, 50) + first} for first, count in ((0, 2), (2, 2), (4, 1))}
    store = FieldStore(tmp_path, design, shape)
    hashes = {first: store.write(first, block) for first, block in blocks.items()}
    place = tmp_path / "fields.zarr" / "walking" / "patella"

    def state(found: FieldStore) -> list[bool]:
        return [found.whole(first, len(block[key]), hashes[first]) for first, block in blocks.items()]

    assert state(store) == [True] * 3 and not store.whole(0, 2, None)
    for k, first in ((0, 0), (2, 4)):  # the last chunk is not full of people
        chunk = place / "c" / str(k) / "0" / "0"
        data = chunk.read_bytes()
        for harmed in (b"", data[:1], data[:len(data) // 2], data[:-1], bytes([data[0] ^ 4]) + data[1:]):
            chunk.write_bytes(harmed)
            assert state(FieldStore(tmp_path, design, shape)) == [number != k for number in range(3)]
            assert FieldStore(tmp_path, design, shape).write(first, blocks[first]) == hashes[first]
            assert state(store) == [True] * 3
    for path in (tmp_path / "fields.zarr" / "zarr.json", place.parent / "zarr.json", place / "zarr.json"):
        data = path.read_bytes()
        for harmed in (b"", data[:20]):
            path.write_bytes(harmed)
            assert state(FieldStore(tmp_path, design, shape)) == [True] * 3
    (place / "zarr.json").write_text((place / "zarr.json").read_text().replace("50", "51"))
    assert state(FieldStore(tmp_path, design, shape)) == [False] * 3  # of another shape: begun again
