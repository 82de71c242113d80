"""Runs beside each other: numbers of the summaries, maps of the same knee subtracted triangle by triangle, one sentence for what cannot be compared."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kneeload import Case, KneeResult, Subject, interventions, simulate
from kneeload.commands import run as run_command
from kneeload.comparison import compare_runs
from kneeload.errors import InputError, KneeloadError
from kneeload.run_folder import scene_of, write_failure, write_run
from kneeload.views.comparison import Knee, draw_differences, draw_pairs, read_parts, why_no_difference
from kneeload.views.vtk_files import vtk_parts

WALK = Case(day_activities=("walking",))


@pytest.fixture(scope="module")
def results() -> tuple[KneeResult, KneeResult]:
    return simulate(WALK), simulate(replace(interventions.unloader_brace(WALK, hours_per_day=16.0), baseline=None))


@pytest.fixture(scope="module")
def folder(results: tuple[KneeResult, KneeResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("runs") / "plain"
    write_run(results[0], made, pictures=False, report=False)
    return made


def knee(result: KneeResult, label: str = "x") -> Knee:
    return Knee(label=label, side=result.case.subject.side, parts=vtk_parts(scene_of(result, result.summary())))


def test_a_folder_and_a_result_give_the_numbers_of_their_summaries(results: tuple[KneeResult, KneeResult], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNEELOAD_NO_GL", "1")
    found = compare_runs([folder, results[1]], tmp_path / "out")
    assert found.labels == ("no intervention", "an unloader brace")
    rows = {(row.quantity, row.place, row.unit): row for row in found.rows}
    force = rows["peak force", "medial", "N"]
    wanted = [result.summary()["loads"]["medial"]["peak_force_n"] for result in results]
    assert force.values == pytest.approx(wanted) and force.difference_pct == (None, pytest.approx(100.0 * (wanted[1] / wanted[0] - 1.0)))
    assert force.difference_pct[1] < 0.0 < rows["peak force", "lateral", "N"].difference_pct[1]
    assert ("new lesion in 24 months", "tibia_central_medial", "probability") in rows and ("load-related pain against the reference person", "walking", "ratio") in rows
    table = list(csv.DictReader((tmp_path / "out" / "compare.csv").open()))
    assert len(table) == len(found.rows) and float(next(row for row in table if row["quantity"] == "peak force" and row["place"] == "medial")["difference_pct: an unloader brace"]) < 0.0
    data = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert [run["label"] for run in data["runs"]] == list(found.labels) and len(data["rows"]) == len(found.rows)
    assert {path.name for path in found.files} == {"compare.csv", "compare.json", "compare.png", "difference.png"} and all(path.is_file() for path in found.files)
    assert any("flat" in note for note in found.notes)


def test_maps_read_from_a_folder_are_those_of_the_result(results: tuple[KneeResult, KneeResult], folder: Path) -> None:
    read, made = read_parts(folder), vtk_parts(scene_of(results[0], results[0].summary()))
    assert {"tibia_medial", "tibia_lateral", "patella", "femur", "bone_tibia"} <= set(read)
    for name, part in read.items():
        assert np.allclose(part.points, made[name].points, atol=1e-4) and np.array_equal(part.regular_faces, made[name].regular_faces)


def test_differences_are_taken_triangle_by_triangle(results: tuple[KneeResult, KneeResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNEELOAD_NO_GL", "1")
    first, other = knee(results[0]), knee(results[1], "y")
    assert why_no_difference(first, other) is None
    picture = draw_differences(tmp_path / "d.png", first, [other, first], "title")
    change = np.concatenate([np.asarray(other.parts[name].cell_data["highest_contact_pressure_mpa"], float) - np.asarray(first.parts[name].cell_data["highest_contact_pressure_mpa"], float)
                             for name in ("tibia_medial", "tibia_lateral", "medial_meniscus", "lateral_meniscus")])
    assert picture.highest_mpa[0][0] == pytest.approx(change.max()) and picture.lowest_mpa[0][0] == pytest.approx(change.min()) and picture.lowest_mpa[0][0] < 0.0
    assert all(row[1] == 0.0 for row in (*picture.highest_mpa, *picture.lowest_mpa))  # a knee less itself
    pairs = draw_pairs(tmp_path / "p.png", [first, other], "title")
    assert pairs.limit_mpa >= max(max(row) for row in pairs.highest_mpa) * 0.7 and pairs.highest_mpa[0][0] > 0.0


def test_different_knees_are_not_subtracted(results: tuple[KneeResult, KneeResult]) -> None:
    first = knee(results[0])
    for person, words in ((Subject(height_m=1.9), "size"), (Subject(side="left"), "right knee and the other a left"), (Subject(medial_meniscus="removed"), "meniscus")):
        assert words in (why_no_difference(first, knee(simulate(Case(day_activities=("walking",), subject=person)))) or "")


def test_a_left_knee_is_the_mirror_image_in_the_frame_of_its_own_bone(results: tuple[KneeResult, KneeResult]) -> None:
    right, left = knee(results[0]), knee(simulate(Case(day_activities=("walking",), subject=Subject(side="left"))))
    for name in ("tibia_medial", "patella"):
        local = []
        for item in (right, left):
            pose = np.asarray(item.parts[name].field_data["femur_from_body"]).reshape(4, 4)
            local.append((np.asarray(item.parts[name].points) - pose[:3, 3]) @ pose[:3, :3])
        assert np.allclose(local[0] * [1.0, 1.0, -1.0], local[1], atol=1e-3)


def test_runs_of_the_load_level_have_a_table_alone(tmp_path: Path) -> None:
    light = [simulate(Case(contact=None, subject=Subject(body_mass_kg=mass))) for mass in (70.0, 80.0, 90.0)]
    found = compare_runs(light, tmp_path / "out")
    assert found.labels == ("body mass 70 kg", "body mass 80 kg", "body mass 90 kg") and sum("load level" in note for note in found.notes) == 3
    assert {path.name for path in found.files} == {"compare.csv", "compare.json"} and not any(row.unit == "MPa" for row in found.rows)
    assert all(row.difference_pct[1] == pytest.approx(100.0 / 7.0) for row in found.rows if row.quantity == "knee adduction moment, peak")


def test_settings_of_an_intervention_set_runs_apart() -> None:
    cases = [replace(interventions.unloader_brace(Case(contact=None), valgus_deg=angle), baseline=None) for angle in (4.0, 8.0)]
    assert compare_runs([simulate(case) for case in cases]).labels == ("valgus 4°", "valgus 8°")


def test_what_cannot_be_compared_is_one_sentence(folder: Path, tmp_path: Path, results: tuple[KneeResult, KneeResult]) -> None:
    write_failure(tmp_path / "failed", "The knee has no equilibrium.")
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "summary.json").write_text("{")
    for runs, words in (([folder], "two or more"), ([folder, folder], "twice"), ([results[0], results[0]], "twice"), ([folder, tmp_path / "failed"], "no equilibrium"),
                        ([folder, tmp_path / "empty"], "summary.json"), ([folder, tmp_path / "broken"], "cannot be read")):
        with pytest.raises(InputError, match=words):
            compare_runs(runs)
    with pytest.raises(InputError, match="written over"):
        compare_runs(list(results), tmp_path)


def test_the_command_prints_and_writes(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    light = tmp_path / "light"
    write_run(simulate(Case(contact=None, subject=Subject(mpta_deg=84.0))), light, pictures=False, vtk=False, report=False)
    assert run_command("compare", [str(folder), str(light), "--output", str(tmp_path / "out"), "--no-pictures"], lambda words: Case()) == 0
    printed = capsys.readouterr().out
    assert "MPTA 84°" in printed and "not a diagnosis" in printed and max(map(len, printed.splitlines())) <= 80
    with pytest.raises(KneeloadError, match="two or more"):
        run_command("compare", [str(folder)], lambda words: Case())
