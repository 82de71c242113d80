"""What a run leaves behind, with and without OpenGL."""

from __future__ import annotations

import base64
import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kneeload import Case, KneeResult, interventions, simulate
from kneeload.errors import InputError
from kneeload.run_folder import SUMMARY_KEYS, write_failure, write_run
from kneeload.subject.anatomy import MOAKS_REGIONS


@pytest.fixture(scope="module")
def result() -> KneeResult:
    return simulate(interventions.weight_loss(Case(), mass_kg=8.0))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_every_file_of_the_contract_is_there(result: KneeResult, tmp_path: Path) -> None:
    notes = write_run(result, tmp_path / "run")
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"summary.json", "waveforms.csv", "regions.csv", "contact.csv", "stress.png", "forces.png", "report.html", "knee.vtm", "knee", "zones.png", "course.png", "course.csv",
            "zones.vtm", "zones"} <= names
    assert {path.name for path in (tmp_path / "run" / "zones").iterdir()} == {"femur.vtu", "tibia.vtu", "patella.vtu"}
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert set(summary) == set(SUMMARY_KEYS) and summary["status"] == "ok" and summary["change"]["medial"]["peak_force_pct"] < 0.0
    rows = table(tmp_path / "run" / "waveforms.csv")
    assert len(rows) == 101 and [float(rows[0]["cycle_percent"]), float(rows[-1]["cycle_percent"])] == [0.0, 100.0]
    assert [row["region"] for row in table(tmp_path / "run" / "regions.csv")] == list(MOAKS_REGIONS)
    places = table(tmp_path / "run" / "contact.csv")
    assert len(places) == 101 * (3 + 14) and places[0]["place"] == "medial" and float(places[17]["normal_force_n"]) > 0.0
    assert "knee.pvd" not in names  # big, so only when asked for
    assert all("apt-get" in note for note in notes)


def test_without_opengl_the_run_succeeds_and_says_what_is_missing(result: KneeResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNEELOAD_NO_GL", "1")
    notes = write_run(result, tmp_path / "run", vtk=False)
    assert (tmp_path / "run" / "stress.png").stat().st_size > 50_000 and len(notes) == 1 and "flat" in notes[0]
    assert "flat" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_the_pictures_of_what_may_follow_are_drawn_and_in_the_report(result: KneeResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNEELOAD_NO_GL", "1")
    write_run(result, tmp_path / "run", vtk=False)
    report = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    for name in ("zones", "course"):
        file = tmp_path / "run" / f"{name}.png"
        with Image.open(file) as picture:
            assert np.asarray(picture.convert("L")).std() > 10.0  # not blank
        assert base64.b64encode(file.read_bytes()).decode("ascii") in report
    assert not (tmp_path / "run" / "zones.vtm").exists()


def test_the_summary_tells_the_dates_that_people_ask_about(result: KneeResult, tmp_path: Path) -> None:
    write_run(result, tmp_path, pictures=False, vtk=False, report=False)
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    for name in ("with_interventions", "as_before"):
        rows = summary["course"][name]["new_lesion"]
        assert [row["months"] for row in rows] == [6, 12, 24] and all(0.0 < row["risk_low"] < row["risk"] < row["risk_high"] < 1.0 for row in rows)
        assert rows[0]["risk"] < rows[1]["risk"] < rows[2]["risk"] and summary["course"][name]["milestones"] == []
    risks = [row["risk_24mo"] for row in summary["lesion"]["regions"].values()]
    assert summary["course"]["with_interventions"]["new_lesion"][2]["risk"] == pytest.approx(1.0 - np.prod(1.0 - np.array(risks)), rel=0.15)  # medians, regions as if independent
    assert summary["course"]["with_interventions"]["new_lesion"][2]["risk"] < summary["course"]["as_before"]["new_lesion"][2]["risk"]  # 8 kg less
    shares = summary["lesion"]["regions"]["tibia_central_medial"]["zone_activities"]
    assert set(shares) == {"walking", "stair_ascent", "stair_descent", "standing", "chair_rise"} and sum(shares.values()) == pytest.approx(1.0)


def test_nothing_is_written_over(result: KneeResult, tmp_path: Path) -> None:
    write_run(result, tmp_path, pictures=False, vtk=False, report=False)
    before = (tmp_path / "summary.json").read_bytes()
    with pytest.raises(InputError, match="never writes over"):
        write_run(result, tmp_path, pictures=False, vtk=False, report=False)
    write_failure(tmp_path, "too late")
    assert (tmp_path / "summary.json").read_bytes() == before


def test_a_failure_leaves_its_sentence(tmp_path: Path) -> None:
    write_failure(tmp_path / "job", "The mass is negative.")
    summary = json.loads((tmp_path / "job" / "summary.json").read_text(encoding="utf-8"))
    assert summary["status"] == "failed" and summary["error"] == "The mass is negative." and set(summary) == set(SUMMARY_KEYS)
