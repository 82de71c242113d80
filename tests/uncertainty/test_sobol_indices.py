"""Sobol indices, intervals and what becomes of failed runs."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kneeload import Case
from kneeload.commands import COMMANDS
from kneeload.commands import sensitivity as command
from kneeload.errors import InputError, KneeloadError
from kneeload.population import sensitivity as room
from kneeload.population.figures import CaseFigures
from kneeload.population.priors import priors_for
from kneeload.population.sensitivity import Sensitivity, design, indices, sensitivity
from kneeload.population.sensitivity_files import unit_of, write_sensitivity

pytest.importorskip("SALib")
LIGHT = Case(contact=None)
TWO = priors_for(LIGHT, only=("joint_load_cost", "quadriceps_arm_scale"))
A, B = 7.0, 0.1  # constants of Ishigami and Homma 1990


def ishigami(x: Any) -> Any:
    return np.sin(x[:, 0]) + A * np.sin(x[:, 1]) ** 2 + B * x[:, 2] ** 4 * np.sin(x[:, 0])


def known() -> tuple[np.ndarray, np.ndarray]:
    """First-order and total indices in closed form."""
    one, two, both = 0.5 * (1 + B * math.pi**4 / 5) ** 2, A**2 / 8, B**2 * math.pi**8 * (1 / 18 - 1 / 50)
    whole = one + two + both
    return np.array([one, two, 0.0]) / whole, np.array([one + both, two, both]) / whole


def test_the_indices_of_ishigamis_function_are_the_known_ones() -> None:
    points = design(3, 2048, seed=3)
    found = indices(ishigami(math.pi * (2 * points - 1)).reshape(2048, 5), seed=1, resamples=50)
    first, total = known()
    np.testing.assert_allclose(found.first, first, atol=0.03)  # the error falls about as 1/N from 0.5
    np.testing.assert_allclose(found.total, total, atol=0.03)
    assert (np.abs(found.total - total) < 1.5 * found.total_half + 1e-3).all()


def test_intervals_of_indices_shrink_as_one_over_root_n() -> None:
    halves = []
    for size in (256, 4096):
        points = design(3, size, seed=3)
        halves.append(indices(ishigami(math.pi * (2 * points - 1)).reshape(size, 5), seed=1, resamples=200).total_half)
    assert (halves[0] / halves[1] > 2.5).all() and (halves[0] / halves[1] < 6.5).all()


def test_a_constant_output_has_no_indices() -> None:
    assert np.isnan(indices(np.full((16, 5), 3.0), seed=1).total).all()


def test_a_parameter_that_does_nothing_has_the_index_zero() -> None:
    points = design(2, 256, seed=1)
    found = indices((points[:, 0] ** 2).reshape(256, 4), seed=1)
    assert found.total[1] == 0.0 and found.total[0] == pytest.approx(1.0, abs=0.1)


@pytest.fixture(scope="module")
def small() -> Sensitivity:
    return sensitivity(LIGHT, samples=16, workers=0, priors=TWO)


def test_the_same_seed_gives_the_same_study(small: Sensitivity) -> None:
    again, other = (sensitivity(LIGHT, samples=16, workers=0, priors=TWO, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(again.found, small.found)
    np.testing.assert_array_equal(again.outputs[0].indices[-1].total_half, small.outputs[0].indices[-1].total_half)
    assert not np.array_equal(other.found, small.found)


def test_a_study_has_the_case_the_ends_and_the_blocks(small: Sensitivity) -> None:
    assert small.runs == 1 + 2 * 2 + 16 * 4 and small.kept == 16 and small.failures == {}
    assert np.isnan(small.values[0]).all() and small.values[1:5].tolist()[0][0] < small.values[2, 0]
    patella = next(item for item in small.outputs if "patellofemoral" in item.name)
    assert patella.swings[1, 0] > patella.nominal > patella.swings[1, 1]  # a longer arm needs less force
    assert patella.low < patella.median < patella.high and patella.indices[-1].total[1] > 10.0 * patella.indices[-1].total[0]
    assert [item.blocks for item in patella.indices] == [8, 16]


def _failing(monkeypatch: pytest.MonkeyPatch, fails: Any) -> None:
    real = room.simulate_many

    def some(cases: Any, **kinds: Any) -> Any:
        for figures in real(cases, **kinds):
            yield CaseFigures(index=figures.index, activity="walking", error="No equilibrium.") if fails(figures.index) else figures

    monkeypatch.setattr(room, "simulate_many", some)


def test_a_block_with_a_failed_run_is_left_out_as_a_whole_and_counted(small: Sensitivity, monkeypatch: pytest.MonkeyPatch) -> None:
    _failing(monkeypatch, lambda index: index in (5 + 4 * 2 + 1, 5 + 4 * 2 + 3, 5 + 4 * 9))
    study = sensitivity(LIGHT, samples=16, workers=0, priors=TWO)
    assert study.kept == 14 and study.failures == {"No equilibrium.": 3}
    left = np.delete(small.found[5:].reshape(16, 4, 3), (2, 9), axis=0)
    np.testing.assert_array_equal(study.outputs[0].indices[-1].total, indices(left[:, :, 0], 1).total)


def test_too_few_blocks_is_an_error_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    _failing(monkeypatch, lambda index: index > 40)
    with pytest.raises(KneeloadError, match=r"Only \d of 16.*too few.*No equilibrium"):
        sensitivity(LIGHT, samples=16, workers=0, priors=priors_for(LIGHT)[:3])


@pytest.mark.parametrize("samples", [0, 12, True, 4])
def test_samples_are_a_power_of_two(samples: int) -> None:
    with pytest.raises(InputError, match="power of two"):
        sensitivity(LIGHT, samples=samples)


def test_an_unknown_output_is_told_with_what_there_is() -> None:
    with pytest.raises(InputError, match=r"loads\.medial\.peak_force_n"):
        sensitivity(LIGHT, samples=8, workers=0, priors=TWO, outputs=("loads.medial.peek_force_n",))
    with pytest.raises(InputError, match="no such number"):
        sensitivity(LIGHT, samples=8, workers=0, priors=TWO, outputs=("contact.medial.peak_pressure_mpa",))


def test_files_hold_the_study(small: Sensitivity, tmp_path: Path) -> None:
    write_sensitivity(small, tmp_path, words=("contact=none",))
    rows = list(csv.DictReader((tmp_path / "sensitivity.csv").open()))
    assert len(rows) == 3 * 2 and float(rows[0]["total"]) == pytest.approx(small.outputs[0].indices[-1].total[0])
    assert len(list(csv.DictReader((tmp_path / "samples.csv").open()))) == small.runs
    assert len(list(csv.DictReader((tmp_path / "convergence.csv").open()))) == 3 * 2 * 2
    record = json.loads((tmp_path / "sensitivity.json").read_text())
    assert record["blocks_kept"] == 16 and record["priors"][0]["source"] and record["words"] == ["contact=none"]
    with pytest.raises(InputError, match="can be written"):
        write_sensitivity(small, tmp_path)


def test_the_command_writes_tables_and_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert COMMANDS["sensitivity"] == command.__name__
    words = ["contact=none", "--samples", "8", "--workers", "0", "--only", "joint_load_cost", "--prior", "joint_load_cost=0.01:0.03", "--output", str(tmp_path / "new")]
    assert command.run(words, lambda overrides: LIGHT) == 0
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"sensitivity.csv", "intervals.csv", "convergence.csv", "samples.csv", "sensitivity.json", "tornado.png", "convergence.png"}
    assert "95 % interval" in capsys.readouterr().out
    with pytest.raises(KneeloadError, match="two numbers"):
        command.run(["--prior", "stability"], lambda overrides: LIGHT)


@pytest.mark.parametrize(("name", "unit"), [("loads.medial.peak_force_n", "N"), ("bone.compartments.medial.daily_dose_mpa_s", "MPa s"), ("change.medial.daily_dose_pct", "%"),
                                            ("loads.medial.impulse_ns", "N s"), ("lesion.regions.patella_medial.risk_24mo", "probability"), ("loads.medial_share_at_peak", "")])
def test_units_are_those_of_the_names(name: str, unit: str) -> None:
    assert unit_of(name) == unit
