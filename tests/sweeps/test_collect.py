"""The table of a sweep and its picture, from folders written by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from kneeload.collect import axes_of, collect, figures_of, write_table
from kneeload.commands import run
from kneeload.errors import InputError
from kneeload.sweep_folder import Job, begin, go_on, is_done, locked, mark_finished, new_sweep, read_sweep
from kneeload.views.response import draw_response, grid_of, label_of


def job_folder(folder: Path, status: str, force_n: float | None, finished: bool = True) -> None:
    folder.mkdir(parents=True)
    loads = None if force_n is None else {"medial": {"peak_force_n": force_n}}
    (folder / "summary.json").write_text(json.dumps({"status": status, "error": None if status == "ok" else "Too heavy.", "loads": loads, "contact": None}))
    if finished:
        mark_finished(folder, status)


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    folder = tmp_path / "sweep"
    values = [(x, y) for x in (83, 85, 87) for y in (60, 80)]
    jobs = [Job(number=n, folder=str(n), overrides=("contact=none", f"subject.mpta_deg={x}", f"subject.body_mass_kg={y}")) for n, (x, y) in enumerate(values)]
    begin(folder, new_sweep(jobs, ["--multirun"], "same"))
    for n, (x, y) in enumerate(values[:3]):
        job_folder(folder / str(n), "ok", 10.0 * y - x)
    job_folder(folder / "3", "failed", None)
    job_folder(folder / "4", "ok", 1.0, finished=False)
    return folder


def test_each_job_is_a_row_with_its_sentence(sweep: Path) -> None:
    table = collect(sweep)
    assert list(table.columns["status"]) == ["ok", "ok", "ok", "failed", "unfinished", "unfinished"]
    assert table.columns["error"][3] == "Too heavy." and "not begun" in table.columns["error"][5] and table.columns["error"][0] is None
    assert table.swept == ("subject.mpta_deg", "subject.body_mass_kg") and set(table.columns["contact"]) == {"none"}
    assert table.columns["loads.medial.peak_force_n"] == [517.0, 717.0, 515.0, None, None, None]
    assert axes_of(table) == ("subject.mpta_deg", "subject.body_mass_kg", "loads.medial.peak_force_n")


def test_both_tables_hold_the_same_and_nothing_is_written_over(sweep: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = collect(sweep)
    read = parquet.read_table(write_table(table, tmp_path / "t.parquet")).to_pydict()
    assert read == {name: list(values) for name, values in table.columns.items()}
    with write_table(table, tmp_path / "t.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["loads.medial.peak_force_n"] for row in rows] == ["517.0", "717.0", "515.0", "", "", ""]
    with pytest.raises(InputError, match="written over"):
        write_table(table, tmp_path / "t.csv")


def test_the_command_writes_beside_older_tables(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert run("collect", [str(sweep)], None) == 0  # type: ignore[arg-type]
    assert {"table.csv", "table-2.csv", "table.parquet", "response.png", "response-2.png"} <= {path.name for path in sweep.iterdir()}
    assert "1 failed, 2 unfinished" in capsys.readouterr().out
    with pytest.raises(InputError, match="no jobs"):
        collect(sweep / "0" / "hydra")
    with pytest.raises(InputError, match=r"loads\.medial\.peak_force_n"):
        axes_of(collect(sweep), ["subject.mpta_deg", "peak_force_n"])


def test_risk_of_a_compartment_is_that_of_any_of_its_regions() -> None:
    regions = {"tibia_central_medial": {"risk_24mo": 0.1}, "femur_central_medial": {"risk_24mo": 0.2}, "tibia_central_lateral": {"risk_24mo": 0.3}}
    found = figures_of({"lesion": {"regions": regions}})
    assert found["lesion.medial.risk_24mo"] == pytest.approx(1 - 0.9 * 0.8, rel=1e-12) and found["lesion.lateral.risk_24mo"] == pytest.approx(0.3, rel=1e-12)


def test_response_grid_and_labels(tmp_path: Path) -> None:
    x, y, grid = grid_of(np.array([1.0, 1, 2, 2]), np.array([5.0, 6, 5, 5]), np.array([1.0, 2, 3, 5]))
    np.testing.assert_array_equal(grid, [[1, 4], [2, np.nan]])
    assert list(x) == [1, 2] and list(y) == [5, 6]
    assert label_of("contact.medial.peak_pressure_mpa") == "Medial peak pressure (MPa)" and label_of("activity.speed_m_s") == "Speed (m/s)"
    columns = {"x_mm": [1, 2, 3] * 3, "y_kg": [1, 1, 1, 2, 2, 2, 3, 3, 3], "z_n": [float(n) for n in range(8)] + [None]}
    assert "1 of 9" in draw_response(tmp_path / "map.png", columns, ("x_mm", "y_kg", "z_n"))[0]
    assert (tmp_path / "map.png").stat().st_size > 5000
    with pytest.raises(InputError, match="axis"):
        draw_response(tmp_path / "other.png", {"x_mm": [1, 1], "z_n": [1, 2]}, ("x_mm", "z_n"))


def test_going_on_keeps_what_is_done_and_moves_the_rest_aside(sweep: Path) -> None:
    same = read_sweep(sweep)
    assert same is not None
    with locked(sweep / "running.lock", alone=False), pytest.raises(InputError, match="still running"):
        go_on(sweep, same)
    assert [job.number for job in go_on(sweep, same)] == [3, 4, 5]
    assert is_done(sweep / "0") and (sweep / "3.stopped-1" / "summary.json").is_file() and not (sweep / "3").exists() and not (sweep / "5.stopped-1").exists()
    with pytest.raises(InputError, match="here 5"):
        go_on(sweep, new_sweep(same.jobs[:5], (), "same"))
    with pytest.raises(InputError, match="settings"):
        go_on(sweep, new_sweep(same.jobs, (), "other"))
    with pytest.raises(InputError, match="share a folder"):
        new_sweep([same.jobs[0], Job(number=1, folder="./0", overrides=())], (), "same")
    with pytest.raises(InputError, match="--resume"):
        begin(sweep, same)
