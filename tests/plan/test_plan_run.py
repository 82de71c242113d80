"""What a plan leaves behind: files, the page, the terminal, and the command line that asks for it."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_module
from omegaconf import DictConfig
from PIL import Image
from rich.console import Console

from kneeload import Case, PlanResult, PlanSettings, Subject, plan_interventions, simulate
from kneeload.errors import InputError
from kneeload.result import KneeResult
from kneeload.run_folder import SUMMARY_KEYS, write_run
from kneeload.settings import case_from_config, plan_from_config
from kneeload.views.plan import draw_plan
from kneeload.views.plan_terminal import plan_progress, print_plan
from kneeload.views.plan_wording import plan_sentences, short_words, signed

SCRIPT = Path(sys.executable).with_name("kneeload")


def config(*overrides: str) -> DictConfig:
    with initialize_config_module("kneeload.conf", version_base="1.3"):
        return compose("config", overrides=list(overrides))


@pytest.fixture(scope="module")
def planned() -> tuple[KneeResult, PlanResult]:
    case = Case(subject=Subject(body_mass_kg=95.0, mpta_deg=84.0), day_activities=("walking",))
    result = simulate(case)
    return result, plan_interventions(case, PlanSettings(interventions=("unloader_brace", "weight_loss"), evaluations=16, workers=0), result=result)


def test_the_packaged_plan_is_the_default_plan() -> None:
    assert plan_from_config(config("intervention=plan")) == PlanSettings()
    assert plan_from_config(config()) is None and plan_from_config(config("intervention=toe_in")) is None


def test_a_plan_is_no_intervention_and_stands_beside_others() -> None:
    words = ("intervention=[fewer_flights,plan]", "intervention.plan.interventions=[unloader_brace]", "+intervention.plan.most.unloader_brace=6", "intervention.plan.target=medial",
             "+intervention.plan.fixed.unloader_brace.hours_per_day=4")
    settings = plan_from_config(config(*words))
    assert case_from_config(config(*words)).interventions == ("fewer_flights",)
    assert settings == PlanSettings(interventions=("unloader_brace",), most={"unloader_brace": 6}, target="medial", fixed={"unloader_brace": {"hours_per_day": 4}})


@pytest.mark.parametrize(("words", "said"), [(("contact=none",), "contact"), (("+intervention.plan.speed=3",), "speed"), (("intervention.plan.interventions=[plan]",), "plan"),
                                             (("intervention.plan.evaluations=many",), "evaluations")])
def test_a_bad_plan_is_told_before_anything_runs(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        plan_from_config(config("intervention=plan", *words))


def test_a_run_with_a_plan_has_its_tables_picture_and_section(planned: tuple[KneeResult, PlanResult], tmp_path: Path) -> None:
    result, plan = planned
    write_run(result, tmp_path / "run", pictures=False, vtk=False, plan=plan)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert set(summary) == set(SUMMARY_KEYS) and summary["interventions"] == [] and summary["plan"]["rows"][0]["words"] == "as now"
    with (tmp_path / "run" / "plan.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[:5] == ["plan", "unloader_brace_valgus_deg", "weight_loss_mass_kg", "burden", "target_dose_pct"] and len(rows) == len(plan.rows)
    assert float(rows[-1]["target_dose_pct"]) == pytest.approx(plan.rows[-1].target_dose_pct, rel=1e-5)
    with (tmp_path / "run" / "ranking.csv").open(encoding="utf-8") as stream:
        assert [row["intervention"] for row in csv.DictReader(stream)] == [item.name for item in plan.ranking]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    assert "What would move it" in page and "Each intervention alone" in page and "much smaller or larger" in page and "unloader brace" in page.lower()
    assert all(sentence.split(",")[0] in page for sentence in plan_sentences(summary))


def test_the_picture_is_white_and_shows_also_what_keeps_no_limit(planned: tuple[KneeResult, PlanResult], tmp_path: Path) -> None:
    summary = planned[1].summary()
    worst = {**summary["rows"][-1], "excess_pct": 3.0, "words": "a plan that is not allowed"}
    plans = (summary, {**summary, "rows": summary["rows"][:1], "shown": [0], "least_bad": worst, "ranking": []})
    sizes = []
    for k, plan in enumerate(plans):
        with Image.open(draw_plan(tmp_path / f"{k}.png", plan, cloud=planned[1].cloud(), title="a person")) as picture:
            assert picture.size == (1800, 1050) and picture.convert("RGB").getpixel((5, 5)) == (255, 255, 255)
            sizes.append((tmp_path / f"{k}.png").stat().st_size)
    assert sizes[0] > 1.1 * sizes[1]  # the ranking is gone
    assert "No combination that was tried" in " ".join(plan_sentences({"plan": plans[1]}))


def test_a_run_without_a_plan_has_none(planned: tuple[KneeResult, PlanResult], tmp_path: Path) -> None:
    write_run(planned[0], tmp_path / "run", pictures=False, vtk=False)
    assert json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))["plan"] is None
    assert not (tmp_path / "run" / "plan.csv").exists() and "What would move it" not in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_the_panel_is_told_about_the_plans(planned: tuple[KneeResult, PlanResult]) -> None:
    from kneeload.lesion.checks import PlanEffect
    from kneeload.outlook import outlook_summary

    result, plan = planned
    assert plan.effects and all(effect.overload_change < 0.0 for effect in plan.effects)
    bad = PlanEffect(name="a plan", overload_change=0.1, worst_rise=0.2)
    zones = result.zones()
    assert zones is not None
    codes = [flag["code"] for flag in outlook_summary(result, (bad,))["panel"]["flags"]]
    assert ("no_safe_plan" in codes) == (zones.share.max() >= 0.33)


def test_the_table_fits_a_narrow_terminal_and_nothing_is_printed_without_a_plan(planned: tuple[KneeResult, PlanResult]) -> None:
    stream = io.StringIO()
    print_plan({"plan": planned[1].summary()}, Console(file=stream, width=80))
    text = stream.getvalue()
    assert "as now" in text and "Single interventions" in text and max(len(line) for line in text.splitlines()) <= 80
    empty = io.StringIO()
    print_plan({"plan": None}, Console(file=empty, width=80))
    assert empty.getvalue() == ""


def test_words_and_signs() -> None:
    assert short_words("unloader brace 4 degrees and fewer flights 2 a day") == "unloader brace 4° + fewer flights 2/day"
    assert [signed(value) for value in (-3.2, 4.0, 0.2, -0.2, None)] == ["−3 %", "+4 %", "0 %", "0 %", "–"]


def test_the_bar_moves_without_a_terminal() -> None:
    with plan_progress() as progress:
        progress(1, 2, "combinations")


@pytest.mark.skipif(not SCRIPT.exists(), reason="the console script is not installed beside this Python")
def test_the_command_line_writes_a_plan(tmp_path: Path) -> None:
    done = subprocess.run([str(SCRIPT), "intervention=plan", "intervention.plan.interventions=[weight_loss]", "intervention.plan.evaluations=4", "intervention.plan.ranking=false",
                           "intervention.plan.workers=1", "view.vtk=false"], cwd=tmp_path, capture_output=True, text=True, timeout=300, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "plan.csv").is_file() and (folder / "plan.png").is_file() and not (folder / "ranking.csv").exists() and "weight loss" in done.stdout
    assert "kneeload:" not in done.stderr and "Traceback" not in done.stderr  # a cold cache tells there what it compiles
    shutil.rmtree(tmp_path / "runs")
