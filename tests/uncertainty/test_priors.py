"""Priors: each has a source, draws what it says, and changes the one thing that it names."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from kneeload import Case, interventions, simulate
from kneeload.errors import InputError
from kneeload.lesion.model import LesionModel
from kneeload.population.priors import PRIORS, Prior, priors_for, with_parameters
from kneeload.simulate import reference_case

U = np.linspace(0.0005, 0.9995, 1001)


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
    assert "stability" in light and "cartilage_youngs_modulus_mpa" not in light and "brace_response_z" not in light
    braced = interventions.apply(Case(contact=None), "unloader_brace", {})
    assert "brace_response_z" in {item.name for item in priors_for(braced)}
    with pytest.raises(InputError, match="change nothing"):
        priors_for(Case(contact=None), only=("meniscus_toe",))
    with pytest.raises(InputError, match="stability"):
        priors_for(Case(), only=("stabillity",))


def test_given_ends_replace_a_prior() -> None:
    (prior,) = priors_for(Case(), only=("strength_factor",), ranges={"strength_factor": (0.5, 0.9)})
    assert (prior.shape, prior.low, prior.high, prior.source) == ("uniform", 0.5, 0.9, "given")
    with pytest.raises(InputError, match="in order"):
        priors_for(Case(), ranges={"stability": (1.0, 0.5)})


def test_a_calibrated_case_is_refused() -> None:
    calibrated = with_parameters(Case(contact=None), {"quadriceps_arm_scale": 1.1})
    with pytest.raises(InputError, match="calibration"):
        with_parameters(calibrated, {"stability": 0.9})
