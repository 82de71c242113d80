"""A study: the table, its manifest, going on after any end, and what is refused."""

from __future__ import annotations

import errno
import json
import os
import tracemalloc
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kneeload import Case, simulate
from kneeload.errors import ConvergenceError, InputError
from kneeload.population import run_population
from kneeload.population import study_folder as folders
from kneeload.population.design import Design, scenario_of
from kneeload.population.draw import people
from kneeload.population.engine import LocalEngine
from kneeload.population.folder import JOURNAL
from kneeload.population.rows import Layout, Piece, PieceFigures, piece_figures
from kneeload.population.run import Progress, _Pace
from kneeload.population.study_folder import MANIFEST, StudyError

LIGHT = Design(size=23, shard_size=6, base=Case(contact=None), scenarios=(scenario_of("none", ""), scenario_of({"weight_loss": {"mass_kg": 8}}, "")))


class Here:
    """Computes in this process; stops the study after some pieces, as a crash does."""

    slots = 2

    def __init__(self, design: Design, layout: Layout, *, last: int = 10**9, figures: Callable[[Design, Layout, Piece], PieceFigures] = piece_figures) -> None:
        self._design, self._layout, self._last, self._figures = design, layout, last, figures
        self.taken: deque[Piece] = deque()
        self.done: list[Piece] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None: ...

    def submit(self, piece: Piece) -> None:
        assert len(self.taken) < 3 * self.slots
        self.taken.append(piece)

    def finished(self) -> PieceFigures:
        if len(self.done) >= self._last:
            raise MemoryError("stopped")
        piece = self.taken.pop() if len(self.done) % 2 else self.taken.popleft()  # any order
        self.done.append(piece)
        return self._figures(self._design, self._layout, piece)


def here(**kinds: Any) -> tuple[Callable[[Design, Layout], Here], list[Here]]:
    made: list[Here] = []

    def engine(design: Design, layout: Layout) -> Here:
        made.append(Here(design, layout, **kinds))
        return made[-1]

    return engine, made


def table(folder: Path) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("*.parquet"))])


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def manifest(folder: Path) -> dict[str, Any]:
    return json.loads((folder / MANIFEST).read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "whole"
    study = run_population(LIGHT, folder, engine=here()[0], piece=4)
    assert (study.people, study.rows, study.failed, study.resampled, study.computed) == (23, 46, 0, 0, 23)
    return folder


def test_the_table_has_a_row_for_every_person_and_scenario(whole: Path) -> None:
    found = table(whole).to_pydict()
    assert found["person"] == [k for k in range(23) for _ in range(2)] and found["scenario"] == ["none", "weight_loss(mass_kg=8)"] * 23
    assert set(found["status"]) == {"ok"} and found["error"] == [None] * 46
    assert found["change.medial.peak_force_pct"][0] is None and found["change.medial.peak_force_pct"][1] < -3.0
    assert [path.name for path in sorted(whole.iterdir())] == ["lock", MANIFEST, *(f"shard-{k:05d}.parquet" for k in range(4)), JOURNAL]


def test_rows_are_what_simulate_says(whole: Path) -> None:
    found = table(whole).to_pydict()
    (person,) = people(LIGHT, 13, 1)
    for row, case in ((26, person.case), (27, LIGHT.scenarios[1].apply(person.case))):
        summary = simulate(case).summary()
        assert found["loads.medial.peak_force_n"][row] == summary["loads"]["medial"]["peak_force_n"]
        assert found["subject.mpta_deg"][row] == summary["subject"]["mpta_deg"]
    assert found["change.lateral.peak_force_pct"][27] == summary["change"]["lateral"]["peak_force_pct"]
    assert found["subject.body_mass_kg"][27] == person.case.subject.body_mass_kg == summary["subject"]["body_mass_kg"] + 8.0  # who it is, before the intervention
    assert found["activity.speed_m_s"][27] == person.case.walking_speed_m_s


def test_one_column_can_be_read_by_its_name(whole: Path) -> None:
    assert pq.read_table(whole / "shard-00001.parquet", columns=["person", "loads.medial.peak_force_n"]).num_columns == 2
    about = json.loads(pq.read_schema(whole / "shard-00001.parquet").metadata[b"kneeload.shard"])
    assert about == {"shard": 1, "first": 6, "people": 6, "seed": 1}


def test_the_manifest_says_how_the_table_was_made(whole: Path) -> None:
    found = manifest(whole)
    assert (found["status"], found["people"], found["people_done"], found["shards"], found["shards_done"], found["rows"], found["failed_rows"], found["resampled"]) == ("complete", 23, 23, 4, 4, 46, 0, 0)
    assert found["design"]["distribution"]["mpta_deg"] == {"mean": 87.0, "sd": 2.05, "low": 80.0, "high": 94.0, "shape": "normal"}
    assert "Iwaki" in found["sources"]["mpta:ldfa"] and found["design"]["kernels"] and found["versions"]["pyarrow"] == pa.__version__
    assert found["models"] == repr(LIGHT.base) and found["machine"] and found["versions"]["python"]
    assert list(found["columns"]) == table(whole).column_names and not any(str(whole) in str(value) for value in found.values())


def test_any_engine_and_any_pieces_give_the_same_files(whole: Path, tmp_path: Path) -> None:
    run_population(LIGHT, tmp_path / "one", engine=here()[0], piece=1)
    run_population(LIGHT, tmp_path / "two", engine=lambda design, layout: LocalEngine(design, layout, 2), piece=5)
    assert files(tmp_path / "one") == files(whole)
    local, mine = table(tmp_path / "two"), table(whole)
    for name in mine.column_names:  # workers have one thread of BLAS, this process may have more
        if pa.types.is_floating(mine[name].type):
            assert np.allclose(np.array(local[name].to_pylist(), float), np.array(mine[name].to_pylist(), float), rtol=1e-9, equal_nan=True)
        else:
            assert local[name].equals(mine[name])


@pytest.mark.parametrize("last", [0, 1, 4, 5, 7])
def test_a_stopped_study_goes_on_and_computes_nothing_twice(whole: Path, tmp_path: Path, last: int) -> None:
    engine, _ = here(last=last)
    with pytest.raises(MemoryError):
        run_population(LIGHT, tmp_path / "study", engine=engine, piece=4)
    kept = set(files(tmp_path / "study"))
    assert manifest(tmp_path / "study")["status"] == "unfinished"
    engine, second = here()
    study = run_population(LIGHT, tmp_path / "study", engine=engine, piece=4)
    assert files(tmp_path / "study") == files(whole) and manifest(tmp_path / "study") == manifest(whole)
    again = {f"shard-{piece.shard:05d}.parquet" for piece in second[0].done}
    assert not again & kept and again | kept == set(files(whole)) and study.computed == sum(piece.count for piece in second[0].done)


def test_a_whole_study_is_left_as_it_is(whole: Path) -> None:
    engine, made = here()
    study = run_population(LIGHT, whole, engine=engine)
    assert study.computed == 0 and study.people == 23 and not made


@pytest.mark.parametrize("harm", ["cut", "flipped", "gone", "empty", "no line", "half a line", "another file"])
def test_a_damaged_shard_is_found_and_made_again(whole: Path, tmp_path: Path, harm: str) -> None:
    study = tmp_path / "study"
    run_population(LIGHT, study, engine=here()[0], piece=4)
    path, journal = study / "shard-00002.parquet", study / JOURNAL
    data, lines = path.read_bytes(), journal.read_text().splitlines(keepends=True)
    (at,) = (k for k, line in enumerate(lines) if '"shard": 2' in line)
    if harm in ("cut", "flipped", "empty", "another file"):
        middle = len(data) // 2
        path.write_bytes({"cut": data[:-7], "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1:], "empty": b"",
                          "another file": (study / "shard-00001.parquet").read_bytes()}[harm])
    elif harm == "gone":
        path.unlink()
    else:
        journal.write_text("".join(lines[:at] + lines[at + 1:]) + (lines[at][:40] if harm == "half a line" else ""))
    engine, made = here()
    assert run_population(LIGHT, study, engine=engine, piece=4).computed == 6
    assert {piece.shard for piece in made[0].done} == {2} and files(study) == files(whole)
    assert run_population(LIGHT, study, engine=engine).computed == 0


def test_leftovers_of_a_crash_are_removed(whole: Path, tmp_path: Path) -> None:
    (tmp_path / ".shard-00001.parquet-abc.part").write_bytes(b"half")
    run_population(LIGHT, tmp_path, engine=here()[0])
    assert files(tmp_path) == files(whole) and not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("change", "words"), [
    ({"seed": 2}, r"design: seed was 1 and is now 2"), ({"size": 24}, "size was 23"), ({"shard_size": 7}, "shard_size"), ({"base": Case(contact=None, day_activities=("standing", "walking"))}, "models"),
    ({"distribution": replace(LIGHT.distribution, women_share=0.6)}, r"distribution\.women_share was 0\.5 and is now 0\.6"), ({"scenarios": LIGHT.scenarios[:1]}, "interventions"),
])
def test_the_folder_of_another_design_is_refused(whole: Path, change: dict, words: str) -> None:
    before = files(whole)
    with pytest.raises(InputError, match=words):
        run_population(replace(LIGHT, **change), whole, engine=here()[0])
    assert files(whole) == before


def test_another_version_of_the_models_is_refused(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kneeload.population.design.sources_hash", lambda: "x" * 64)
    with pytest.raises(InputError, match="sources was"):
        run_population(LIGHT, whole, engine=here()[0])


def test_folders_that_cannot_be_used_are_refused(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt and no manifest"):
        run_population(LIGHT, tmp_path / "full", engine=here()[0])
    with pytest.raises(InputError, match=r"population\.output.*a folder that can be written"):
        run_population(LIGHT, tmp_path / "full" / "notes.txt", engine=here()[0])
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / MANIFEST).write_text('{"design": ')
    with pytest.raises(InputError, match=r"manifest .*cannot be used"):
        run_population(LIGHT, tmp_path / "odd", engine=here()[0])


def test_two_runs_cannot_work_on_one_study(whole: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    def second(progress: Progress) -> None:
        with pytest.raises(InputError, match="another process works on this study"):
            run_population(LIGHT, tmp_path, engine=here()[0])
        seen.append("refused")

    run_population(LIGHT, tmp_path, engine=here()[0], progress=second)
    assert seen and files(tmp_path) == files(whole)


@pytest.mark.parametrize("place", ["write", "fsync", "replace"])
def test_a_full_disk_is_a_sentence_and_loses_nothing(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    def full(*arguments: Any, **_: Any) -> None:
        monkeypatch.undo()
        raise OSError(errno.ENOSPC, "No space left on device")

    def begin(progress: Progress) -> None:
        if progress.done == 8:
            monkeypatch.setattr(folders.os, place, full)

    with pytest.raises(StudyError, match=r"disk is full; what is written is kept"):
        run_population(LIGHT, tmp_path, engine=here()[0], piece=4, progress=begin)
    monkeypatch.undo()
    assert not list(tmp_path.glob(".*"))
    run_population(LIGHT, tmp_path, engine=here()[0], piece=4)
    assert files(tmp_path) == files(whole)


def test_what_fails_is_a_row_with_its_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kneeload.population import rows

    def failing(case: Case) -> Any:
        if case.subject.sex == "female" and case.interventions:
            raise ConvergenceError("no equilibrium\nin frame 3")
        return simulate(case)

    usual = rows.layout_of(LIGHT)
    monkeypatch.setattr(rows, "simulate_alone", failing)
    monkeypatch.setattr("kneeload.population.run.layout_of", lambda design: usual)
    study = run_population(LIGHT, tmp_path, engine=here()[0])
    found = table(tmp_path).to_pylist()
    failed = [row for row in found if row["status"] == "failed"]
    assert len(found) == 46 and study.failed == len(failed) == manifest(tmp_path)["failed_rows"] > 5
    for row in failed:
        assert row["error"] == "no equilibrium in frame 3" and row["subject.sex"] == "female" and row["loads.medial.peak_force_n"] is None and row["scenario"] != "none"


def test_models_that_cannot_run_stop_a_study_at_once(tmp_path: Path) -> None:
    from kneeload import AnatomySource

    with pytest.raises(ConvergenceError, match=r"usual person.*no_such_folder"):
        run_population(replace(LIGHT, base=Case(contact=None, anatomy=AnatomySource(name="meshes", folder=Path("no_such_folder")))), tmp_path / "study", engine=here()[0])
    assert not (tmp_path / "study").exists()


def test_several_activities_are_columns(tmp_path: Path) -> None:
    design = replace(LIGHT, size=2, activities=("walking", "stair_ascent"), scenarios=LIGHT.scenarios[:1])
    run_population(design, tmp_path, engine=here()[0])
    row = table(tmp_path).to_pylist()[1]
    (person,) = people(design, 1, 1)
    assert row["loads.medial.peak_force_n"] == simulate(person.case).summary()["loads"]["medial"]["peak_force_n"]
    assert row["activities.stair_ascent.loads.patellofemoral.peak_force_n"] > row["loads.patellofemoral.peak_force_n"]


def test_with_contact_rows_go_down_to_risk_and_fields_are_kept(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    design = Design(size=3, shard_size=2, fields=True, scenarios=(scenario_of("none", ""), scenario_of({"unloader_brace": {"hours_per_day": 24}}, "")))
    run_population(design, tmp_path, engine=here()[0])
    found = table(tmp_path).to_pylist()
    summary = simulate(design.scenarios[1].apply(next(people(design, 2, 1)).case)).numbers()
    region = "lesion.regions.tibia_central_medial"
    for key in ("risk_24mo", "risk_24mo_low", "risk_24mo_high"):
        assert found[5][f"{region}.{key}"] == summary["lesion"]["regions"]["tibia_central_medial"][key]
    assert found[5]["change.medial.daily_dose_pct"] == summary["change"]["medial"]["daily_dose_pct"] < 0.0
    assert found[4]["bone.compartments.medial.daily_dose_mpa_s"] > 0.0 and found[4]["pain.walking.relative"] > 0.0
    store = zarr.open_group(str(tmp_path / "fields.zarr"), mode="r")
    for number in range(3):
        (person,) = people(design, number, 1)
        cycle = simulate(person.case).main.contact
        (medial,) = (field.pressure.max(axis=0) for field in cycle.fields if field.name == "tibia_medial")
        kept = store["walking/tibia_medial"][number, 0]
        assert np.array_equal(kept[:len(medial)], medial) and np.isnan(kept[len(medial):]).all()
        assert np.isnan(store["walking/medial_meniscus"][number]).all() == (person.case.subject.medial_meniscus == "removed")
    store = zarr.open_group(str(tmp_path / "fields.zarr"), mode="a")
    store["walking/patella"][0, 0, 0] = 99.0  # a damaged field is made again, with its shard
    engine, made = here()
    assert run_population(design, tmp_path, engine=engine).computed == 2 and {piece.shard for piece in made[0].done} == {0}
    assert store["walking/patella"][0, 0, 0] != 99.0


def test_memory_does_not_grow_with_the_people(tmp_path: Path) -> None:
    """The driver alone: figures come at once."""
    light = replace(LIGHT, scenarios=LIGHT.scenarios[:1], shard_size=50)
    row: list[tuple[Any, ...]] = []

    def instantly(design: Design, layout: Layout, piece: Piece) -> PieceFigures:
        if not row:
            row.extend(piece_figures(replace(design, size=1), layout, Piece(shard=0, first=0, count=1)).rows)
        return PieceFigures(piece=piece, rows=[(person, *row[0][1:]) for person in range(piece.first, piece.first + piece.count)], fields={})

    def peak(size: int) -> int:
        engine, _ = here(figures=instantly)

        def lean(design: Design, layout: Layout) -> Here:
            found = engine(design, layout)
            found.done = _Counted()  # type: ignore[assignment]
            return found

        tracemalloc.start()
        study = run_population(replace(light, size=size), tmp_path / str(size), engine=lean)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert study.rows == size
        return found

    peak(60)
    few, many = peak(500), peak(4000)
    assert many < 1.1 * few + 50_000  # bytes; 3500 rows in memory would be 10 MB and more


class _Counted:
    """Counts, and keeps nothing."""

    def __init__(self) -> None:
        self._count = 0

    def append(self, _: object) -> None:
        self._count += 1

    def __len__(self) -> int:
        return self._count


def test_progress_tells_rate_and_what_is_left(tmp_path: Path) -> None:
    seen: list[Progress] = []
    run_population(LIGHT, tmp_path, engine=here()[0], piece=4, progress=seen.append)
    assert [item.done for item in seen] == sorted(item.done for item in seen) and seen[-1].done == 23 and seen[-1].left_s == 0.0
    assert all(item.size == 23 and item.failed == 0 for item in seen) and seen[0].left_s is None and seen[-1].per_second > 0.0


def test_the_rate_leaves_out_the_start_and_what_was_there() -> None:
    pace = _Pace(2)
    clock = [20.0, 20.1, 22.0, 22.1, 24.0, 24.1, 26.0]  # 20 s until two workers run, then eight people in 2 s each
    found = [pace.per_second(now, 8 * (k + 1)) for k, now in enumerate(clock)]
    assert found[:4] == [0.0] * 4 and found[4] == pytest.approx(8.0) and found[6] == pytest.approx(8.0)
    for k in range(200):
        slow = pace.per_second(30.0 + 4.0 * k, 56 + 8 * (k + 1))
    assert slow == pytest.approx(2.0)  # of late


def test_the_lock_is_free_after_an_error(whole: Path, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(MemoryError):
            run_population(LIGHT, tmp_path, engine=here(last=0)[0])
    assert os.listdir(tmp_path)
