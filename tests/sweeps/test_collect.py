"""The table of a sweep and its picture, from folders written by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from kneeload.collect import axes_of, collect, figures_of, write_table
from kneeload.commands import run
from kneeload.errors import InputError
from kneeload.sweep_folder import Job, begin, go_on, is_done, locked, mark_finished, new_sweep, read_sweep


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


def test_odd_jobs_are_rows_that_both_tables_hold(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    words = (("+note='=HYPERLINK(1)'", "subject.mpta_deg=83", "+status=mine"), ("+note=Knie_\u00fc", "subject.mpta_deg=null"), ("+note=[1,2]", "+seed=99999999999999999999"), ("subject.mpta_deg=nan", "~view"))
    summaries = ({"status": "ok", "loads": {"medial": {"peak_force_n": 5, "list": [1]}, "odd": "-1+1"}, "interventions": ["cane", 3], "lesion": None, "bone": []},
                 {"status": "ok", "loads": {"medial": {"peak_force_n": float("nan")}}, "pain": {"walking": {"relative": 2**70}}, "subject": {"name": "\ud800"}},
                 {"loads": {"medial": {"peak_force_n": 7.0}}}, {"status": "failed", "error": None})
    folder = tmp_path / "sweep"
    begin(folder, new_sweep([Job(number=n, folder=str(n), overrides=given) for n, given in enumerate(words)], [], "same"))
    for n, summary in enumerate(summaries):
        (folder / str(n)).mkdir()
        (folder / str(n) / "summary.json").write_text(json.dumps(summary))
        mark_finished(folder / str(n), "ok")
    table = collect(folder)
    assert list(table.columns["status"]) == ["ok", "ok", "unfinished", "failed"] and "nothing of why" in table.columns["error"][3]
    assert table.columns["override.status"][0] == "mine" and table.columns["interventions"][0] == "cane+3" and "~view" not in table.columns
    assert table.columns["loads.medial.peak_force_n"] == [5, None, None, None] and table.columns["subject.mpta_deg"] == ["83", None, None, "nan"]
    assert parquet.read_table(write_table(table, tmp_path / "t.parquet")).num_rows == 4
    with write_table(table, tmp_path / "t.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["note"] for row in rows] == ["'=HYPERLINK(1)", "Knie_\u00fc", "[1,2]", ""] and rows[0]["loads.odd"] == "'-1+1"


def test_a_table_that_cannot_be_finished_leaves_nothing(sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(table: object, stream: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kneeload.collect._csv", full)
    with pytest.raises(InputError, match="no space left"):
        write_table(collect(sweep), tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()


def test_highest_pressure_of_the_cycle_and_doses_of_compartments(sweep: Path) -> None:
    (sweep / "0" / "waveforms.csv").write_text("cycle_percent,medial_peak_pressure_mpa\n0,2.5\n1,7.25\n2,3\n")
    (sweep / "1" / "waveforms.csv").write_text("cycle_percent,medial_peak_pressure_mpa\n0,cut")
    assert collect(sweep).columns["contact.medial.cycle_peak_pressure_mpa"] == [7.25, None, None, None, None, None]
    regions = {"tibia_central_medial": {"daily_dose_mpa_s": 10.0}, "femur_central_medial": {"daily_dose_mpa_s": 2.5}, "tibia_central_lateral": {"daily_dose_mpa_s": None}}
    found = figures_of({"bone": {"regions": regions}})
    assert found["bone.compartments.medial.daily_dose_mpa_s"] == 12.5 and "bone.compartments.lateral.daily_dose_mpa_s" not in found


def test_the_recipe_says_what_is_drawn(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plots = [["subject.mpta_deg", "loads.medial.peak_force_n"], ["subject.mpta_deg", "contact.medial.peak_pressure_mpa"], "no list", ["one"]]
    (sweep / "multirun.yaml").write_text(json.dumps({"collect": {"plots": plots}}))
    assert collect(sweep).plots == (("subject.mpta_deg", "loads.medial.peak_force_n"), ("subject.mpta_deg", "contact.medial.peak_pressure_mpa"))
    assert run("collect", [str(sweep)], None) == 0  # type: ignore[arg-type]
    told = capsys.readouterr().out
    assert "not drawn, though the recipe says so: contact.medial.peak_pressure_mpa" in told and [path.name for path in sweep.glob("*.png")] == ["response.png"]
    words = ["--plot", "subject.mpta_deg", "loads.medial.peak_force_n", "--plot", "subject.mpta_deg", "subject.body_mass_kg", "loads.medial.peak_force_n"]
    assert run("collect", [str(sweep), "--output", str(sweep / "mine.csv"), *words], None) == 0  # type: ignore[arg-type]
    assert {path.name for path in sweep.glob("*.png")} == {"response.png", "mine.png", "mine-2.png"}


def test_one_sentence_of_many_jobs_is_told_once(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job_folder(sweep / "5", "failed", None)
    run("collect", [str(sweep), "--no-plot"], None)  # type: ignore[arg-type]
    assert "2 jobs (3, 5): Too heavy." in capsys.readouterr().out


@pytest.fixture(scope="module")
def columns_of_a_run() -> set[str]:
    from kneeload import Case, interventions, simulate

    summary = simulate(interventions.unloader_brace(Case(day_activities=("walking",)))).summary()
    return {*figures_of(summary), *(f"contact.{side}.cycle_peak_pressure_mpa" for side in ("medial", "lateral"))}


@pytest.mark.parametrize("name", ["mpta_by_mass", "slope", "speed", "brace_by_alignment", "thickness_loss"])
def test_a_recipe_draws_what_it_sweeps_and_what_a_run_has(name: str, columns_of_a_run: set[str]) -> None:
    from hydra import compose, initialize_config_module

    from kneeload.settings import case_from_config

    with initialize_config_module("kneeload.conf", version_base="1.3"):
        config = compose("config", overrides=[f"experiment={name}"], return_hydra_config=True)
        keys = [str(key) for key in config.hydra.sweeper.params]
        case_from_config(compose("config", overrides=[f"experiment={name}", *(f"{key}={str(config.hydra.sweeper.params[key]).split(',')[0]}" for key in keys)]))
    assert config.collect.plots
    for *axes, quantity in config.collect.plots:
        assert set(axes) <= set(keys) and len(axes) in (1, 2) and quantity in columns_of_a_run, (axes, quantity)


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
