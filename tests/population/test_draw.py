"""Person k of a seed is the same whoever asks; impossible people are drawn again, and counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kneeload import Case, Subject
from kneeload.errors import InputError
from kneeload.population.design import Design, scenario_of
from kneeload.population.distribution import LATENTS, Distribution, Marginal
from kneeload.population.draw import check_people, people, uniforms

ODD = replace(Distribution(), mpta_deg=Marginal(mean=87.0, sd=8.0, low=60.0, high=110.0))  # Subject takes 75 to 100


@pytest.mark.parametrize("sampler", ["sobol", "latin_hypercube"])
def test_a_person_is_the_same_in_any_part_of_the_population(sampler: str) -> None:
    design = Design(size=60, sampler=sampler, distribution=ODD)
    whole = list(people(design, 0, 60))
    assert [person.index for person in whole] == list(range(60)) and len({person.seed for person in whole}) == 60
    assert [person for first in range(0, 60, 7) for person in people(design, first, min(7, 60 - first))] == whole
    assert list(people(replace(design, shard_size=3), 20, 5)) == whole[20:25]
    assert list(people(replace(design, seed=2), 0, 3)) != whole[:3]


def test_seeds_of_people_are_even_and_their_own() -> None:
    from scipy import stats

    seeds = np.array([person.seed for person in people(Design(size=2000), 0, 2000)], dtype=np.uint64)
    assert len(set(seeds.tolist())) == 2000 and stats.kstest(seeds / 2.0**64, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(seeds[1:] / 2.0**64, seeds[:-1] / 2.0**64)[0, 1]) < 0.06


def test_another_size_is_the_same_people_by_sobol_and_others_by_latin_hypercube() -> None:
    sobol, cube = (Design(size=16, sampler=sampler) for sampler in ("sobol", "latin_hypercube"))
    assert list(people(replace(sobol, size=50), 0, 16)) == list(people(sobol, 0, 16))
    assert list(people(replace(cube, size=50), 0, 16)) != list(people(cube, 0, 16))


@pytest.mark.parametrize(("sampler", "size"), [("sobol", 64), ("latin_hypercube", 50)])
def test_every_number_is_drawn_evenly(sampler: str, size: int) -> None:
    u = uniforms(Design(size=size, sampler=sampler), 0, size)
    assert u.shape == (size, len(LATENTS))
    for column in u.T:
        assert sorted(np.floor(column * size).astype(int).tolist()) == list(range(size))  # one in each stratum


def test_what_is_not_drawn_is_that_of_the_base() -> None:
    design = Design(size=4, base=Case(subject=Subject(side="left"), contact=None))
    for person in people(design, 0, 4):
        assert person.case.subject.side == "left" and person.case.contact is None and person.case.activity.name == "walking"
        assert person.case.walking_speed_m_s / person.case.subject.height_m == pytest.approx(0.714, abs=0.3)
        assert person.case.subject.height_m == round(person.case.subject.height_m, 2)


def test_impossible_people_are_drawn_again_and_counted() -> None:
    found = list(people(Design(size=200, distribution=ODD), 0, 200))
    again = [person for person in found if person.resampled]
    assert 10 < len(again) < 60 and all(75.0 <= person.case.subject.mpta_deg <= 100.0 for person in found)
    usual = list(people(Design(size=200), 0, 200))
    assert not any(person.resampled for person in usual)
    same = [a.case.subject.steps_per_day == b.case.subject.steps_per_day for a, b in zip(found, usual)]
    assert same == [person.resampled == 0 for person in found]  # one person who is drawn again changes nobody else


def test_who_cannot_be_drawn_has_a_sentence() -> None:
    never = replace(Distribution(), mpta_deg=Marginal(mean=120.0, sd=1.0, low=110.0, high=130.0))
    (person,) = people(Design(size=1, distribution=never), 0, 1)
    assert person.case is None and person.resampled == 100 and "MPTA" in person.problem
    with pytest.raises(InputError, match=r"population\.distribution.*200 impossible people among the first 200.*MPTA"):
        check_people(Design(size=1000, distribution=never))
    check_people(Design(distribution=ODD))


@pytest.mark.parametrize(("change", "words"), [
    ({"size": 0}, r"population\.size"), ({"size": 2.5}, r"population\.size"), ({"size": True}, r"population\.size"), ({"seed": -1}, r"population\.seed"),
    ({"size": 2_000_000, "sampler": "latin_hypercube"}, r"population\.size.*1000000"), ({"sampler": "dice"}, r"population\.sampler.*sobol"), ({"shard_size": 0}, "shard_size"),
    ({"activities": ("squat",)}, r"population\.activities.*stair_ascent"), ({"activities": ("walking", "walking")}, "each once"), ({"activities": ()}, "activities"),
    ({"scenarios": ()}, r"population\.interventions"), ({"fields": True, "base": Case(contact=None)}, r"population\.fields"),
])
def test_impossible_designs_are_refused(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Design(**change)


def test_scenarios_are_named_after_what_they_do() -> None:
    assert scenario_of("none", "here").name == scenario_of([], "here").name == "none"
    assert scenario_of({"unloader_brace": {"valgus_deg": 6}}, "here").name == "unloader_brace(valgus_deg=6)"
    both = scenario_of(["unloader_brace", {"weight_loss": {"mass_kg": 8}}], "here")
    assert both.name == "unloader_brace+weight_loss(mass_kg=8)"
    case = both.apply(Case(contact=None))
    assert case.interventions == ("unloader_brace", "weight_loss") and case.subject.body_mass_kg == 72.0


@pytest.mark.parametrize(("given", "words"), [("magic", "magic.*unloader_brace"), ({"unloader_brace": {"valgus": 6}}, "valgus_deg"), ({"unloader_brace": 6}, "with its parameters"),
                                              (7, "with its parameters"), (["unloader_brace", "unloader_brace"], "brace")])
def test_impossible_scenarios_are_refused(given: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        scenario_of(given, "population.interventions[0]")
