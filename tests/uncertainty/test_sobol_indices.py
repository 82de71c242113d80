"""Sobol indices and elementary effects against closed forms, intervals, and what becomes of failed runs."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kneeload import Case
from kneeload.errors import InputError, KneeloadError
from kneeload.population import drawn_runs
from kneeload.population.drawn_runs import RunNumbers
from kneeload.population.nearest import nearest
from kneeload.population.priors import priors_for
from kneeload.population.sensitivity import Sensitivity, effects, indices, sensitivity
from kneeload.population.sensitivity_files import unit_of, write_sensitivity
from kneeload.population.uncertainty import chosen_outputs, design, morris_grid

pytest.importorskip("SALib")
LIGHT = Case(contact=None)
TWO = priors_for(LIGHT, only=("joint_load_cost", "quadriceps_arm_scale"))
A, B = 7.0, 0.1  # constants of Ishigami and Homma 1990
WEIGHTS = np.array([0.0, 1.0, 4.5, 9.0, 99.0])  # constants a of the g-function (Saltelli and Sobol 1995)
SLOPES = np.array([4.0, 2.0, 1.0, 0.0])
Array = NDArray[np.float64]


def ishigami(x: Array) -> Any:
    x = math.pi * (2 * x - 1)
    return np.sin(x[:, 0]) + A * np.sin(x[:, 1]) ** 2 + B * x[:, 2] ** 4 * np.sin(x[:, 0])


def known_ishigami() -> tuple[Array, Array]:
    """First-order and total indices in closed form."""
    one, two, both = 0.5 * (1 + B * math.pi**4 / 5) ** 2, A**2 / 8, B**2 * math.pi**8 * (1 / 18 - 1 / 50)
    whole = one + two + both
    return np.array([one, two, 0.0]) / whole, np.array([one + both, two, both]) / whole


def g_function(x: Array) -> Any:
    return np.prod((np.abs(4 * x - 2) + WEIGHTS) / (1 + WEIGHTS), axis=1)


def known_g() -> tuple[Array, Array]:
    """Variance of each factor is 1 / (3 (1 + a)^2) about a mean of one."""
    own = 1.0 / (3.0 * (1.0 + WEIGHTS) ** 2)
    whole = np.prod(1.0 + own) - 1.0
    return own / whole, own * np.array([np.prod(1.0 + np.delete(own, i)) for i in range(len(own))]) / whole


def linear(x: Array) -> Any:
    return 3.0 + x @ SLOPES


def known_linear() -> tuple[Array, Array]:
    return (SLOPES**2 / (SLOPES**2).sum(),) * 2


MODELS = {"ishigami": (ishigami, known_ishigami(), 3), "g": (g_function, known_g(), 5), "linear": (linear, known_linear(), 4)}


def found_by(model: Any, parameters: int, blocks: int, seed: int = 3, resamples: int = 200) -> Any:
    return indices(model(design(parameters, blocks, seed)).reshape(blocks, parameters + 2), seed=1, resamples=resamples)


@pytest.mark.parametrize("name", MODELS)
def test_the_indices_are_those_of_closed_forms(name: str) -> None:
    model, (first, total), parameters = MODELS[name]
    found = found_by(model, parameters, 4096)
    np.testing.assert_allclose(found.first, first, atol=0.02)  # the error falls about as 1/N from 0.5
    np.testing.assert_allclose(found.total, total, atol=0.02)
    assert (np.abs(found.total - total) < 1.5 * found.total_half + 1e-3).all()


@pytest.mark.parametrize("name", MODELS)
def test_the_intervals_hold_the_true_indices_about_as_often_as_they_say(name: str) -> None:
    model, (first, total), parameters = MODELS[name]
    runs = [found_by(model, parameters, 128, seed) for seed in range(40)]
    for known, values, halves in ((first, [run.first for run in runs], [run.first_half for run in runs]), (total, [run.total for run in runs], [run.total_half for run in runs])):
        held = np.abs(np.array(values) - known) <= np.array(halves) + 1e-9
        assert held.mean() > 0.9  # 95 % of independent draws; those of a Sobol sequence are more even


@pytest.mark.parametrize("name", MODELS)
def test_half_widths_shrink_as_one_over_root_n(name: str) -> None:
    model, (_, total), parameters = MODELS[name]
    sizes = np.array([128, 256, 512, 1024, 2048])
    halves = np.array([[found_by(model, parameters, int(size), seed).total_half for size in sizes] for seed in range(8)])
    mean = np.log(halves[:, :, total > 0.01]).mean(axis=0)  # each is known to some 10 %, small ones less
    np.testing.assert_allclose(np.polyfit(np.log(sizes), mean, 1)[0], -0.5, atol=0.1)


def test_a_constant_output_has_no_indices() -> None:
    assert np.isnan(indices(np.full((16, 5), 3.0), seed=1).total).all()


def test_a_parameter_that_does_nothing_has_the_index_zero() -> None:
    assert found_by(linear, 4, 256).total[3] == 0.0


def test_elementary_effects_of_a_linear_model_are_its_slopes() -> None:
    grid = morris_grid(4, 16, seed=2)
    found = effects(grid.reshape(16, 5, 4), linear(grid).reshape(16, 5), seed=1)
    np.testing.assert_allclose(found.mu_star, SLOPES, atol=1e-12)
    np.testing.assert_allclose(found.sigma, 0.0, atol=1e-12)
    turned = effects(grid.reshape(16, 5, 4), -linear(grid).reshape(16, 5), seed=1)
    np.testing.assert_allclose(turned.mu, -SLOPES, atol=1e-12)


def test_elementary_effects_of_a_product_depend_on_the_other_factor() -> None:
    grid = morris_grid(2, 64, seed=2)
    found = effects(grid.reshape(64, 3, 2), (grid[:, 0] * grid[:, 1]).reshape(64, 3), seed=1)
    np.testing.assert_allclose(found.mu_star, 0.5, atol=0.1)
    np.testing.assert_allclose(found.sigma, math.sqrt(5.0) / 6.0, atol=0.05)  # of a factor on 0, 1/3, 2/3, 1


@pytest.fixture(scope="module")
def small() -> Sensitivity:
    return sensitivity(LIGHT, samples=16, workers=0, priors=TWO)


def test_the_same_seed_gives_the_same_study(small: Sensitivity) -> None:
    again, other = (sensitivity(LIGHT, samples=16, workers=0, priors=TWO, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(again.numbers, small.numbers)
    np.testing.assert_array_equal(again.outputs[0].indices[-1].total_half, small.outputs[0].indices[-1].total_half)
    assert not np.array_equal(other.numbers, small.numbers)


def test_a_study_has_the_case_the_ends_and_the_blocks(small: Sensitivity) -> None:
    assert len(small.draws.values) == small.computed == 1 + 2 * 2 + 16 * 4 and small.kept == 16 and small.failures == {}
    assert np.isnan(small.draws.values[0]).all() and small.draws.values[1, 0] < small.draws.values[2, 0]
    patella = next(item for item in small.outputs if "patellofemoral" in item.name)
    assert patella.interval is not None
    assert patella.swings[1, 0] > patella.nominal > patella.swings[1, 1]  # a longer arm needs less force
    assert patella.interval.low < patella.interval.median < patella.interval.high and patella.indices[-1].total[1] > 10.0 * patella.indices[-1].total[0]
    assert [item.blocks for item in patella.indices] == [8, 16]


def test_every_number_of_a_run_has_an_interval(small: Sensitivity) -> None:
    by_name = {item.name: item for item in small.intervals}
    assert set(by_name) == set(small.draws.names) and len(by_name) > 50
    stairs = by_name["activities.stair_ascent.loads.patellofemoral.peak_force_n"]
    drawn = small.numbers[5:].reshape(16, 4, -1)[:, [0, -1], small.draws.names.index(stairs.name)]
    np.testing.assert_allclose((stairs.low, stairs.median, stairs.high, stairs.draws), (*np.quantile(drawn, (0.025, 0.5, 0.975)), 32), rtol=1e-12)
    same = by_name["loads.body_weight_n"]
    assert same.low == same.high == same.nominal and same.high_error < 1e-9


def _failing(monkeypatch: pytest.MonkeyPatch, fails: Any) -> None:
    real = drawn_runs.run_piece

    def some(case: Any, priors: Any, names: Any, rows: Any) -> Any:
        return [RunNumbers(run=item.run, error="No equilibrium.", values=()) if fails(item.run) else item for item in real(case, priors, names, rows)]

    monkeypatch.setattr(drawn_runs, "run_piece", some)


def test_a_block_with_a_failed_run_is_left_out_as_a_whole_and_counted(small: Sensitivity, monkeypatch: pytest.MonkeyPatch) -> None:
    _failing(monkeypatch, lambda run: run in (5 + 4 * 2 + 1, 5 + 4 * 2 + 3, 5 + 4 * 9))
    study = sensitivity(LIGHT, samples=16, workers=0, priors=TWO)
    assert study.kept == 14 and study.failures == {"No equilibrium.": 3}
    left = np.delete(small.found[5:].reshape(16, 4, 3), (2, 9), axis=0)
    np.testing.assert_array_equal(study.outputs[0].indices[-1].total, indices(left[:, :, 0], 1).total)
    assert {item.draws for item in study.intervals} == {28}


def test_failures_that_take_many_whole_blocks_out_leave_the_answer_of_the_rest() -> None:
    """Indices of a linear model from the blocks that are left when a third of them is lost at random are still the known ones."""
    blocks = linear(design(4, 2048, 3)).reshape(2048, 6)
    left = blocks[np.random.default_rng(1).random(2048) > 0.33]
    np.testing.assert_allclose(indices(left, 1).total, known_linear()[1], atol=0.05)


def test_too_few_blocks_is_an_error_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    _failing(monkeypatch, lambda run: run > 40)
    with pytest.raises(KneeloadError, match=r"Only \d of 16.*too few.*No equilibrium"):
        sensitivity(LIGHT, samples=16, workers=0, priors=priors_for(LIGHT)[:3])


def test_a_screening_finds_the_same_order_with_fewer_runs(small: Sensitivity) -> None:
    study = sensitivity(LIGHT, samples=6, workers=0, priors=TWO, method="morris", outputs=("loads.patellofemoral.peak_force_n",))
    assert len(study.draws.values) == 5 + 6 * 3 and study.intervals == ()
    (patella,) = study.outputs
    assert patella.effects is not None and patella.interval is None and patella.indices == ()
    assert patella.effects.mu_star[1] > 5.0 * patella.effects.mu_star[0] and patella.effects.mu[1] < 0.0


@pytest.mark.parametrize(("method", "samples"), [("sobol", 0), ("sobol", 12), ("sobol", True), ("sobol", 4), ("morris", 3), ("morris", 2.5)])
def test_samples_that_cannot_be_used_are_refused(method: str, samples: Any) -> None:
    with pytest.raises(InputError, match="power of two" if method == "sobol" else "whole number"):
        sensitivity(LIGHT, samples=samples, method=method)


def test_an_unknown_output_is_told_with_what_there_is() -> None:
    with pytest.raises(InputError, match=r"such as loads\.medial\.peak_force_n"):
        sensitivity(LIGHT, samples=8, workers=0, priors=TWO, outputs=("loads.medial.peek_force_n",))
    with pytest.raises(InputError, match="no such number"):
        sensitivity(LIGHT, samples=8, workers=0, priors=TWO, outputs=("contact.medial.peak_pressure_mpa",))
    assert nearest("risk", ["loads.medial.peak_force_n", "lesion.regions.patella_medial.risk_24mo"], 1) == ["lesion.regions.patella_medial.risk_24mo"]


def test_a_pattern_stands_for_many_outputs() -> None:
    names = ("loads.medial.peak_force_n", "loads.lateral.peak_force_n", "loads.medial.impulse_ns")
    assert chosen_outputs(("loads.*.peak_force_n", "loads.medial.peak_force_n"), names) == names[:2]
    with pytest.raises(InputError, match="no such number"):
        chosen_outputs(("bone.*",), names)


def test_files_hold_the_study_and_are_left_as_they_are(small: Sensitivity, tmp_path: Path) -> None:
    write_sensitivity(small, tmp_path, words=("contact=none",))
    rows = list(csv.DictReader((tmp_path / "sensitivity.csv").open()))
    assert len(rows) == 3 * 2 and float(rows[0]["total"]) == pytest.approx(small.outputs[0].indices[-1].total[0])
    assert len(list(csv.DictReader((tmp_path / "samples.csv").open()))) == len(small.draws.values)
    assert len(list(csv.DictReader((tmp_path / "convergence.csv").open()))) == 3 * 2 * 2
    assert {row["output"] for row in csv.DictReader((tmp_path / "intervals.csv").open())} == set(small.draws.names)
    record = json.loads((tmp_path / "sensitivity.json").read_text())
    assert record["blocks_kept"] == 16 and record["priors"][0]["source"] and record["words"] == ["contact=none"]
    (tmp_path / "samples.csv").write_text("mine")
    (tmp_path / "intervals.csv").unlink()
    write_sensitivity(small, tmp_path)
    assert (tmp_path / "samples.csv").read_text() == "mine" and (tmp_path / "intervals.csv").stat().st_size > 100


@pytest.mark.parametrize(("name", "unit"), [("loads.medial.peak_force_n", "N"), ("bone.compartments.medial.daily_dose_mpa_s", "MPa s"), ("change.medial.daily_dose_pct", "%"),
                                            ("loads.medial.impulse_ns", "N s"), ("lesion.regions.patella_medial.risk_24mo", "probability"), ("loads.medial_share_at_peak", "")])
def test_units_are_those_of_the_names(name: str, unit: str) -> None:
    assert unit_of(name) == unit
