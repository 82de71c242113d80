"""Who is drawn: marginals, correlations and where they are from, and what is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_module
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from kneeload.errors import InputError
from kneeload.population.design import Design, sources_of
from kneeload.population.distribution import CORRELATIONS, LATENTS, SOURCES, Distribution, Marginal
from kneeload.population.draw import uniforms, values_of
from kneeload.settings import population_from_config

MANY = 4096


@pytest.fixture(scope="module")
def drawn() -> dict[str, np.ndarray]:
    design = Design(size=MANY)
    return values_of(design.distribution, uniforms(design, 0, MANY))


def test_configuration_and_python_defaults_are_one_and_the_same() -> None:
    with initialize_config_module("kneeload.conf", version_base="1.3"):
        design, how, _ = population_from_config(compose("config", overrides=["+population=default"]))
    assert design == Design() and how.engine == "local" and how.output is None


def test_every_number_has_a_source() -> None:
    names = {item.name for item in fields(Distribution)} - {"correlations"}
    assert names | set(CORRELATIONS) == set(SOURCES) == set(sources_of(Distribution()))
    changed = sources_of(replace(Distribution(), women_share=0.7))
    assert changed["women_share"] == "given" and changed["mpta_deg"] == SOURCES["mpta_deg"]


def test_the_page_has_every_number() -> None:
    page = (Path(__file__).parents[2] / "docs" / "population.md").read_text(encoding="utf-8")
    for item in fields(Distribution):
        value = getattr(Distribution(), item.name)
        if isinstance(value, Marginal):
            assert f"| `{item.name}` | {value.mean:g} (SD {value.sd:g}), {value.low:g} to {value.high:g}" in page
        elif isinstance(value, float):
            assert f"| `{item.name}` | {value:g} |" in page
    for pair, value in CORRELATIONS.items():
        assert f"| `{pair}` | {value:g} |" in page


@pytest.mark.parametrize("name", ["bmi", "mpta_deg", "ldfa_deg", "joint_line_convergence_deg", "medial_slope_deg", "lateral_slope_deg", "steps_per_day", "chair_rises_per_day"])
def test_means_and_spreads_are_those_asked_for(drawn: dict[str, np.ndarray], name: str) -> None:
    """The range cuts off next to nothing of these, so 3 % (of the SD for the mean) is what 4096 even points leave."""
    asked = Distribution().bmi_kg_m2 if name == "bmi" else getattr(Distribution(), name)
    found = drawn["body_mass_kg"] / drawn["height_m"] ** 2 if name == "bmi" else drawn[name]
    assert found.mean() == pytest.approx(asked.mean, abs=0.03 * asked.sd)
    assert found.std() == pytest.approx(asked.sd, rel=0.03)
    assert found.min() >= asked.low and found.max() <= asked.high


def test_alignment_has_the_published_spread_of_the_whole_limb(drawn: dict[str, np.ndarray]) -> None:
    varus = drawn["ldfa_deg"] - drawn["mpta_deg"] + drawn["joint_line_convergence_deg"]
    assert varus.mean() == pytest.approx(1.35, abs=0.05) and varus.std() == pytest.approx(2.55, rel=0.03)  # Iwaki cohort: 2 SD = 5.1 degrees
    assert np.corrcoef(drawn["mpta_deg"], drawn["ldfa_deg"])[0, 1] == pytest.approx(0.35, abs=0.03)


@pytest.fixture(scope="module", params=["sobol", "latin_hypercube"])
def many(request: pytest.FixtureRequest) -> dict[str, np.ndarray]:
    """20,000 people, and the alignment of their legs."""
    design = Design(size=20_000, sampler=request.param)
    found = values_of(design.distribution, uniforms(design, 0, design.size))
    found["varus_deg"] = found["ldfa_deg"] - found["mpta_deg"] + found["joint_line_convergence_deg"]
    found["bmi"] = found["body_mass_kg"] / found["height_m"] ** 2
    return found


def test_marginals_are_those_of_the_cut_off_distributions(many: dict[str, np.ndarray]) -> None:
    """Mean, SD and quantiles against scipy's truncated normal (of the logarithm where lognormal)."""
    for item in fields(Distribution):
        asked = getattr(Distribution(), item.name)
        if not isinstance(asked, Marginal) or asked.sd == 0.0 or item.name not in (*many, "bmi_kg_m2"):
            continue
        numbers = many["bmi" if item.name == "bmi_kg_m2" else item.name]
        spread = np.sqrt(np.log1p((asked.sd / asked.mean) ** 2)) if asked.shape == "lognormal" else asked.sd
        centre = np.log(asked.mean) - 0.5 * spread**2 if asked.shape == "lognormal" else asked.mean
        ends = np.log([asked.low, asked.high]) if asked.shape == "lognormal" else np.array([asked.low, asked.high])
        theory = stats.truncnorm(*(ends - centre) / spread, loc=centre, scale=spread)
        scaled = np.log(numbers) if asked.shape == "lognormal" else numbers
        assert scaled.mean() == pytest.approx(theory.mean(), abs=0.01 * spread) and scaled.std() == pytest.approx(theory.std(), rel=0.01)
        assert np.allclose(np.quantile(scaled, (0.05, 0.25, 0.5, 0.75, 0.95)), theory.ppf((0.05, 0.25, 0.5, 0.75, 0.95)), atol=0.02 * spread)


def test_correlations_are_those_of_the_table(many: dict[str, np.ndarray]) -> None:
    """Ranks, which no marginal changes: Spearman's of a Gaussian copula is 6 / pi arcsin(r / 2). Rounded heights and ranges cost less than 0.02."""
    columns = {"mpta": "mpta_deg", "ldfa": "ldfa_deg", "joint_line_convergence": "joint_line_convergence_deg", "medial_slope": "medial_slope_deg",
               "lateral_slope": "lateral_slope_deg", "bmi": "bmi", "steps": "steps_per_day", "standing_hours": "standing_hours_per_day", "speed": None}
    names = [name for name, column in columns.items() if column]
    ranks = stats.spearmanr(np.column_stack([many[columns[name]] for name in names])).statistic
    for i, a in enumerate(names):
        for j, b in enumerate(names[:i]):
            asked = CORRELATIONS.get(f"{a}:{b}", CORRELATIONS.get(f"{b}:{a}", 0.0))
            assert ranks[i, j] == pytest.approx(6.0 / np.pi * np.arcsin(asked / 2.0), abs=0.025), (a, b)


def test_women_and_men_differ_in_alignment_as_measured(many: dict[str, np.ndarray]) -> None:
    women = many["sex"] == "female"
    assert many["ldfa_deg"][~women].mean() - many["ldfa_deg"][women].mean() == pytest.approx(1.2 * 1.7 / 1.87, abs=0.08)  # 1.2 degrees at an SD of 1.87, 586 CT
    assert many["mpta_deg"][~women].mean() == pytest.approx(many["mpta_deg"][women].mean(), abs=0.08)
    varus = many["varus_deg"] >= 3.0  # 32 % of men and 17 % of women in 250 adults, Bellemans 2012: not used in the table
    assert varus[~women].mean() == pytest.approx(0.32, abs=0.03) and varus[women].mean() == pytest.approx(0.17, abs=0.03)


def test_states_have_the_odds_ratios_of_their_sources(many: dict[str, np.ndarray]) -> None:
    medial, lateral = many["medial_meniscus"] != "intact", many["lateral_meniscus"] != "intact"
    assert odds_ratio(medial, many["bmi"] >= 30.0) == pytest.approx(3.04, rel=0.15) and odds_ratio(medial, many["varus_deg"] >= 2.0) == pytest.approx(2.0, rel=0.2)
    assert odds_ratio(lateral, many["varus_deg"] <= -1.1) == pytest.approx(2.2, rel=0.3)  # half as many people
    worn = {side: many[f"tibia_{side}"] < 0.55 for side in ("medial", "lateral")}  # nearly all of these are worn, and nobody else
    assert np.exp(slope(worn["medial"], many["varus_deg"])) == pytest.approx(1.38, rel=0.07)
    assert np.exp(slope(worn["lateral"], -many["varus_deg"])) == pytest.approx(1.26, rel=0.07)
    assert np.exp(slope(medial, worn["medial"], many["varus_deg"])) == pytest.approx(1.8, rel=0.25)
    assert np.exp(slope(lateral, worn["lateral"], many["varus_deg"])) == pytest.approx(2.0, rel=0.4)


def slope(outcome: np.ndarray, *causes: np.ndarray) -> float:
    """Log odds ratio per unit of the first cause, beside the others (logistic regression by Newton)."""
    x, found = np.column_stack([np.ones(len(outcome)), *causes]), np.zeros(len(causes) + 1)
    for _ in range(30):
        part = 1.0 / (1.0 + np.exp(-x @ found))
        found += np.linalg.solve((x.T * (part * (1.0 - part))) @ x, x.T @ (outcome - part))
    return float(found[1])


def test_shares_of_states(drawn: dict[str, np.ndarray]) -> None:
    damaged = drawn["medial_meniscus"] != "intact"
    assert damaged.mean() == pytest.approx(0.19, abs=0.01) and (drawn["medial_meniscus"] == "removed").mean() == pytest.approx(0.05, abs=0.006)
    assert (drawn["sex"] == "female").mean() == pytest.approx(0.5, abs=0.005)
    assert np.isnan(drawn["medial_extrusion_mm"]).mean() == pytest.approx(0.86, abs=0.01)
    thin = [drawn[plate] <= 0.72 for plate in ("femur", "tibia_medial")]
    assert thin[0].mean() < thin[1].mean()


def odds_ratio(outcome: np.ndarray, cause: np.ndarray) -> float:
    a, b = outcome[cause].mean(), outcome[~cause].mean()
    return float(a / (1.0 - a) / (b / (1.0 - b)))


@given(mean=st.floats(-5.0, 90.0), sd=st.floats(0.1, 5.0), width=st.floats(0.5, 6.0), u=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8))
def test_quantiles_rise_within_the_range(mean: float, sd: float, width: float, u: list[float]) -> None:
    marginal = Marginal(mean=mean, sd=sd, low=mean - width * sd, high=mean + 0.5 * width * sd)
    marginal.check("here")
    found = marginal.value(np.sort(np.array(u)))
    assert (np.diff(found) >= 0.0).all() and found.min() >= marginal.low and found.max() <= marginal.high


def test_no_spread_is_one_value() -> None:
    assert Marginal(mean=3.0, sd=0.0, low=0.0, high=9.0).value(np.array([0.1, 0.9])).tolist() == [3.0, 3.0]


@pytest.mark.parametrize(("change", "words"), [
    ({"mpta_deg": Marginal(mean=87.0, sd=1.0, low=95.0, high=94.0)}, r"mpta_deg.*low not above high"),
    ({"mpta_deg": Marginal(mean=87.0, sd=0.5, low=120.0, high=130.0)}, r"mpta_deg.*range that holds"),
    ({"mpta_deg": Marginal(mean=87.0, sd=-1.0, low=80.0, high=94.0)}, r"mpta_deg\.sd"),
    ({"mpta_deg": Marginal(mean=float("nan"), sd=1.0, low=80.0, high=94.0)}, r"mpta_deg\.mean"),
    ({"bmi_kg_m2": Marginal(mean=27.0, sd=4.0, low=-3.0, high=40.0, shape="lognormal")}, r"bmi_kg_m2.*low of 0 or more"),
    ({"bmi_kg_m2": Marginal(mean=27.0, sd=4.0, low=17.0, high=40.0, shape="gamma")}, r"shape.*lognormal"),
    ({"women_share": 1.2}, "women_share"),
    ({"medial_meniscus": replace(Distribution().medial_meniscus, extruded=0.97)}, r"medial_meniscus.*1\.04"),
    ({"correlations": {"mpta:lfda": 0.3}}, r"mpta:lfda.*joint_line_convergence"),
    ({"correlations": {"mpta:mpta": 0.3}}, "two different names"),
    ({"correlations": {"mtpa:ldfa": 0.3}}, "did you mean 'mpta'"),
    ({"correlations": {"mpta:ldfa": {"a": 1}}}, r"correlations\.mpta:ldfa"),
    ({"correlations": {"mpta:ldfa": float("nan")}}, r"correlations\.mpta:ldfa"),
    ({"correlations": {"mpta:ldfa": 1.5}}, r"correlations\.mpta:ldfa"),
    ({"correlations": {"mpta:ldfa": 0.3, "ldfa:mpta": 0.4}}, "other order"),
    ({"correlations": {"mpta:ldfa": 0.9, "ldfa:bmi": 0.9, "mpta:bmi": -0.9}}, "can be together"),
])
def test_impossible_distributions_are_refused(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(Distribution(), **change)


def test_the_correlation_of_two_names_needs_one_order() -> None:
    assert np.array_equal(Distribution(correlations={"mpta:ldfa": 0.3}).factor(), Distribution(correlations={"ldfa:mpta": 0.3}).factor())
    assert Distribution(correlations={}).factor().tolist() == np.eye(len(LATENTS)).tolist()
