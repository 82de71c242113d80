"""Priors: each has a source, draws what it says, and changes the one thing that it names."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from kneeload import Case, interventions, simulate
from kneeload.calibration.person import Calibration, PersonalConstants
from kneeload.cli import case_of
from kneeload.errors import InputError
from kneeload.forces.personal import PersonalGeometry
from kneeload.lesion.model import LesionModel
from kneeload.population.priors import BRACE, PRIORS, Prior, changed_priors, priors_for, with_parameters
from kneeload.population.uncertainty import Uncertainty, record_of
from kneeload.simulate import reference_case

U = np.linspace(0.0005, 0.9995, 1001)
CONF = Path(__file__).parents[2] / "conf" / "uncertainty" / "default.yaml"


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: prior.name)
def test_a_prior_has_a_source_and_draws_within_its_ends(prior: Prior) -> None:
    assert re.search(r"doi|PMC|assumption|range|definition|interval|usual|Eckstein|released|Tan 2020|by definition", prior.source)
    values = prior.value(U)
    assert (np.diff(values) > 0).all() and prior.low <= values[0] and values[-1] <= prior.high


def test_the_hazard_prior_has_the_interval_of_the_model() -> None:
    prior = next(item for item in PRIORS if item.name == "incidence_per_year")
    np.testing.assert_allclose(prior.value(np.array([0.025, 0.975])), LesionModel().incidence_per_year, rtol=0.02)  # cut-off tails


def differing(a: Any, b: Any, path: str = "") -> set[str]:
    if is_dataclass(a) and not isinstance(a, type) and type(a) is type(b):
        return set().union(*(differing(getattr(a, item.name), getattr(b, item.name), f"{path}.{item.name}") for item in fields(a)))
    return set() if a == b else {path}


@pytest.mark.parametrize("prior", PRIORS, ids=lambda prior: prior.name)
def test_a_parameter_changes_one_part_of_the_case_and_of_the_one_before(prior: Prior) -> None:
    case = interventions.apply(Case(), "unloader_brace", {})
    value = float(prior.value(np.array([0.9]))[0])
    changed = with_parameters(case, {prior.name: value})
    parts = {path.split(".")[1] for path in differing(case, changed)}
    expected = {"person": "subject", "contact": "materials" if prior.name in ("cartilage_youngs_modulus_mpa", "cartilage_poisson_ratio", "meniscus_youngs_modulus_mpa") else "contact",
                "bone": "bone", "lesion": "lesion", "muscles": "muscles"}[prior.part]
    expected = "calibration" if prior.name.endswith("_arm_scale") else "brace" if prior.name.startswith("brace") else expected
    assert parts - {"baseline"} == {expected}
    assert changed.baseline is not None
    same_reference = reference_case(changed) == reference_case(case)
    assert same_reference == prior.own
    assert (changed.baseline == case.baseline) == prior.name.startswith("brace")


def test_arms_of_one_leave_the_forces_as_they_are() -> None:
    case = Case(contact=None)
    same = with_parameters(case, {"quadriceps_arm_scale": 1.0, "hamstrings_arm_scale": 1.0, "gastrocnemius_arm_scale": 1.0, "strength_factor": 1.0})
    a, b = (simulate(item).summary()["loads"]["medial"]["peak_force_n"] for item in (case, same))
    assert a == pytest.approx(b, rel=1e-9)


def test_priors_are_those_that_matter() -> None:
    light = {item.name for item in priors_for(Case(contact=None))}
    assert "stability" in light and "cartilage_youngs_modulus_mpa" not in light and BRACE not in light
    braced = interventions.apply(Case(contact=None), "unloader_brace", {})
    assert BRACE in {item.name for item in priors_for(braced)}
    with pytest.raises(InputError, match=r"changes nothing.*contact=none"):
        priors_for(Case(contact=None), only=("meniscus_toe",))
    with pytest.raises(InputError, match="did you mean 'stability'"):
        priors_for(Case(), only=("stabillity",))


def test_the_priors_of_the_file_are_those_of_the_code() -> None:
    given = yaml.safe_load(CONF.read_text())
    assert list(given["priors"]) == [item.name for item in PRIORS]
    assert given["priors"] == {item.name: {key: value for key, value in record_of(item).items() if key in ("shape", "low", "high", "mean", "sd")} for item in PRIORS}
    case, how, _ = case_of.uncertainty(())
    assert case == Case() and changed_priors(how.priors) == PRIORS
    assert replace(how, priors={}) == Uncertainty()


def test_priors_change_by_key_and_by_a_file_of_ones_own(tmp_path: Path) -> None:
    _, how, _ = case_of.uncertainty(["uncertainty.samples=16", "uncertainty.priors.stability.low=0.8", "++uncertainty.priors.stability.source='own trial'"])
    prior = next(item for item in changed_priors(how.priors) if item.name == "stability")
    assert (how.samples, prior.low, prior.high, prior.source) == (16, 0.8, 1.2, "own trial")
    (tmp_path / "uncertainty").mkdir()
    (tmp_path / "uncertainty" / "mine.yaml").write_text("only: [stability, transfer]\npriors:\n  stability: {shape: normal, mean: 0.9, sd: 0.1}\n")
    _, how, _ = case_of.uncertainty(["uncertainty=mine", f"hydra.searchpath=[file://{tmp_path}]"])
    chosen = priors_for(Case(), only=how.only, known=changed_priors(how.priors))
    assert [(item.name, item.shape, item.mean, item.low, item.source) for item in chosen] == [("stability", "normal", 0.9, 0.7, "given"), ("transfer", "uniform", 1.0, 0.2, chosen[1].source)]
    assert chosen[1] in PRIORS and how.samples == 128


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"stabilty": {"low": 0.8}}, "did you mean 'stability'"), ({"stability": {"lwo": 0.8}}, "did you mean 'low'"), ({"stability": {"low": 2.0}}, "in order"),
    ({"stability": {"low": "a"}}, "a number"), ({"stability": {"shape": "triangle"}}, "uniform"), ({"stability": {"shape": "normal"}}, "mean and sd"), ({"stability": 3}, "mapping"),
    ({"meniscus_toe": {"low": 0.0}}, "above 0"), ({"strength_factor": {"sd": -1.0}}, "sd|standard"),
])
def test_a_prior_that_cannot_be_is_refused_in_a_sentence(changes: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        changed_priors(changes)


def calibrated(case: Case) -> Case:
    own = PersonalConstants(geometry=PersonalGeometry(knee_arm_scale={"vasti": 1.1}))
    return replace(case, calibration=Calibration(constants=own, generic=case.muscles, subject=case.subject, strides=("stride_1.csv",), name="me.yaml"))


def test_a_calibrated_person_keeps_what_was_fitted() -> None:
    case = interventions.apply(calibrated(Case()), "unloader_brace", {})
    names = {item.name for item in priors_for(case)}
    assert names == {item.name for item in PRIORS if item.part != "muscles"} | {BRACE}
    changed = with_parameters(case, {item.name: float(item.value(np.array([0.9]))[0]) for item in priors_for(case)})
    assert changed.calibration == case.calibration and changed.muscles == case.muscles
    for name in ("stability", "quadriceps_arm_scale"):
        with pytest.raises(InputError, match="calibration has set"):
            priors_for(case, only=(name,))
        with pytest.raises(InputError, match="calibration has set"):
            with_parameters(case, {name: 1.0})
    with pytest.raises(InputError, match=r"with contact, or one without muscles\.calibration_file"):
        priors_for(calibrated(Case(contact=None)))
