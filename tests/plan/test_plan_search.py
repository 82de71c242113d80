"""A plan keeps the limits, is beaten by nothing that was simulated, and comes out the same for one seed."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from kneeload import Case, PlanResult, PlanSettings, Subject, interventions, plan_interventions, simulate
from kneeload.contact.cycle import COMPARTMENTS
from kneeload.errors import InputError
from kneeload.interventions import INTERVENTIONS
from kneeload.plan import plan as planning
from kneeload.plan.choices import amounts_between, choices_of, planned
from kneeload.plan.rows import NO_CHANGE_PCT, PlanRow, front_of
from kneeload.plan.search import GAIN, Search
from kneeload.result import compartment_dose

VARUS = Case(subject=Subject(body_mass_kg=95.0, mpta_deg=84.0), day_activities=("walking",))
THREE = PlanSettings(interventions=("unloader_brace", "weight_loss", "toe_in"), evaluations=30, ranking=False, target="medial", workers=0)


@pytest.fixture(scope="module")
def found() -> PlanResult:
    return plan_interventions(VARUS, THREE)


@pytest.fixture(scope="module")
def ranked() -> PlanResult:
    return plan_interventions(VARUS, replace(THREE, ranking=True, interventions=(), target=None))


def test_every_row_keeps_the_limits_and_nothing_simulated_beats_it(found: PlanResult) -> None:
    assert found.rows[0].amounts == () and found.rows[0].burden == found.rows[0].target_dose_pct == 0.0 and len(found.rows) > 3
    for row in found.rows:
        assert all(row.dose_pct[name] <= THREE.limit(name) for name in COMPARTMENTS)
        assert not any(other.within_limits and other.burden <= row.burden and other.target_dose_pct < row.target_dose_pct - NO_CHANGE_PCT for other in found.tried)
        assert not any(other.beats(row) for other in found.rows)


def test_rows_say_what_a_simulation_of_their_case_says(found: PlanResult) -> None:
    row = found.rows[-1]
    case = VARUS
    for name, amount in row.amounts:
        case = interventions.apply(case, name, {INTERVENTIONS[name].amount: amount})
    result = simulate(case)
    before, after = compartment_dose(result.before), compartment_dose(result)
    assert row.target_dose_pct == pytest.approx(100.0 * (after["medial"] / before["medial"] - 1.0), rel=1e-9)
    assert row.dose_pct["lateral"] == pytest.approx(100.0 * (after["lateral"] / before["lateral"] - 1.0), rel=1e-9)


def test_no_single_intervention_is_better_than_the_best_plan(found: PlanResult) -> None:
    single = [row.target_dose_pct for row in found.tried if len(row.amounts) == 1 and row.within_limits]
    assert single and min(row.target_dose_pct for row in found.rows) <= min(single) + NO_CHANGE_PCT


def made_up(amounts: tuple[tuple[str, float], ...]) -> PlanRow:
    """A response in which effects multiply and a brace raises the lateral dose."""
    a = dict(amounts)
    brace, loss, toe = a.get("unloader_brace", 0.0), a.get("weight_loss", 0.0), a.get("toe_in", 0.0)
    medial = (1.0 - 0.016 * brace) * (1.0 - 0.011 * loss) * (1.0 - 0.012 * toe + 0.0004 * toe**2)
    lateral = (1.0 + 0.025 * brace) * (1.0 - 0.009 * loss) * (1.0 + 0.004 * toe)
    dose = {"medial": 100.0 * (medial - 1.0), "lateral": 100.0 * (lateral - 1.0), "patellofemoral": 0.0}
    return PlanRow(amounts=amounts, burden=brace / 8.0 + loss / 15.0 + toe / 15.0, target_dose_pct=dose["medial"], dose_pct=dose, worst_rise_pct=dose["lateral"],
                   excess_pct=dose["lateral"] - 8.0, target_risk_24mo=None, target_risk_24mo_low=None, target_risk_24mo_high=None)


def searched(settings: PlanSettings) -> Search:
    search = Search(choices_of(VARUS, settings)[0], settings, lambda wanted: {key: made_up(key) for key in wanted})
    search.run()
    return search


def test_the_search_finds_what_a_look_at_everything_finds() -> None:
    """On a made-up response, against all 9 x 16 x 16 combinations."""
    settings = replace(THREE, evaluations=120, lateral_rise_pct=8.0)
    choices, search, row = choices_of(VARUS, settings)[0], searched(settings), made_up
    front = front_of(list(search.rows.values()))
    sizes = [range(len(choice.amounts)) for choice in choices]
    everything = [row(search.amounts((i, j, k))) for i in sizes[0] for j in sizes[1] for k in sizes[2]]
    assert len(everything) == 9 * 16 * 16 and len(search.rows) <= 120
    for best in front_of(everything):
        here = min(item.target_dose_pct for item in front if item.burden <= best.burden + 1e-9)
        assert here <= best.target_dose_pct + 100.0 * GAIN + NO_CHANGE_PCT


def test_one_seed_gives_the_same_bits_with_one_worker_and_with_two() -> None:
    settings = replace(THREE, evaluations=12, interventions=("unloader_brace", "weight_loss"))
    one, two = (plan_interventions(VARUS, replace(settings, workers=count)) for count in (1, 2))
    assert one.rows == two.rows and one.tried == two.tried and one.effects == two.effects
    first, again, other = (searched(replace(THREE, evaluations=60, seed=seed)).rows for seed in (0, 0, 1))
    assert list(first.items()) == list(again.items()) and list(first) != list(other)


def test_a_person_who_can_do_nothing_gets_a_table_with_as_now_only() -> None:
    for settings in (replace(THREE, interventions=()), replace(THREE, most_interventions=0), replace(THREE, most=dict.fromkeys(THREE.interventions, 0.0))):
        result = plan_interventions(VARUS, settings)
        assert [row.amounts for row in result.rows] == [()] and result.least_bad is None and result.summary()["rows"][0]["words"] == "as now"


def test_where_nothing_keeps_the_limits_the_least_bad_is_told() -> None:
    settings = replace(THREE, interventions=("unloader_brace",), lateral_rise_pct=0.0, evaluations=6)
    result = plan_interventions(VARUS, settings)
    assert [row.amounts for row in result.rows] == [()] and result.least_bad is not None
    assert result.least_bad.excess_pct > 0.0 and result.least_bad.target_dose_pct <= -NO_CHANGE_PCT and not result.least_bad.within_limits
    assert result.columns()["within_limits"] == [True, False]
    assert [item.name for item in result.effects] == [planning.words_of(result.least_bad.amounts)]


def test_at_most_so_many_at_once_and_never_two_that_exclude_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    row = INTERVENTIONS["toe_in"]
    monkeypatch.setitem(INTERVENTIONS, "toe_in", replace(row, excludes=(*row.excludes, "weight_loss")))
    for seed in (0, 1):
        tried = list(searched(replace(THREE, evaluations=60, seed=seed)).rows.values())
        assert any(len(item.amounts) == 2 for item in tried) and not any({"toe_in", "weight_loss"} <= set(dict(item.amounts)) for item in tried)
    assert all(len(item.amounts) <= 1 for item in searched(replace(THREE, evaluations=60, most_interventions=1)).rows.values())


def test_own_limits_bound_the_amounts_and_fixed_parameters_are_used() -> None:
    settings = replace(THREE, evaluations=12, most={"weight_loss": 4.0, "unloader_brace": 3.0}, least={"unloader_brace": 2.0}, fixed={"unloader_brace": {"hours_per_day": 16.0}})
    result = plan_interventions(VARUS, settings)
    for row in result.tried:
        amounts = dict(row.amounts)
        assert amounts.get("weight_loss", 0.0) <= 4.0 and (amounts.get("unloader_brace", 2.5) >= 2.0) and amounts.get("unloader_brace", 0.0) <= 3.0
    assert max(row.burden for row in result.tried) <= 3.0
    less = plan_interventions(VARUS, replace(settings, interventions=("unloader_brace",), fixed={}, most={"unloader_brace": 3.0}, evaluations=4))
    most = {"unloader_brace": 3.0}
    worn = {item.amounts: item.target_dose_pct for item in result.tried}[tuple(most.items())]
    assert worn < {item.amounts: item.target_dose_pct for item in less.tried}[tuple(most.items())] < 0.0


def test_interventions_in_place_stay_and_are_no_choice() -> None:
    braced = interventions.unloader_brace(VARUS, valgus_deg=4.0)
    result = plan_interventions(braced, replace(THREE, evaluations=8))
    assert [choice.name for choice in result.choices] == ["weight_loss", "toe_in"] and "second brace" in result.barred["unloader_brace"]
    assert planned(braced, (("toe_in", 5.0),), {}).interventions == ("unloader_brace", "toe_in") and planned(braced, (), {}).brace == braced.brace


def test_an_amount_beyond_what_there_is_to_leave_out_is_not_tried() -> None:
    settings = replace(THREE, interventions=("fewer_flights", "less_standing"))
    few = replace(VARUS, subject=replace(VARUS.subject, stair_flights_per_day=2.5, standing_hours_per_day=0.0))
    choices, barred = choices_of(few, settings)
    assert [choice.amounts for choice in choices] == [(0.0, 1.0, 2.0, 3.0)] and barred == {"less_standing": "It changes nothing for this person."}


def test_no_plan_takes_a_person_below_the_fewest_steps() -> None:
    settings = replace(THREE, interventions=("fewer_steps",), fewest_steps_per_day=6000.0, evaluations=8)
    steps = VARUS.subject.steps_per_day
    assert all(steps - amount >= 6000.0 for choice in choices_of(VARUS, settings)[0] for amount in choice.amounts)
    slow = replace(VARUS, subject=replace(VARUS.subject, steps_per_day=4000.0))
    assert choices_of(slow, settings)[0] == () and "redistribute" in choices_of(slow, settings)[1]["fewer_steps"]


def test_progress_is_told_and_failures_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    from kneeload.plan import bench as module

    honest = module.figures_of

    def failing(index: int, case: Case):  # type: ignore[no-untyped-def]
        figures = honest(index, case)
        return replace(figures, error="No equilibrium.") if case.gait_changes else figures

    monkeypatch.setattr(module, "figures_of", failing)
    calls: list[tuple[int, int, str]] = []
    result = plan_interventions(VARUS, replace(THREE, evaluations=16), progress=lambda *words: calls.append(words))
    assert [done for done, _, _ in calls] == list(range(1, result.simulated + 1)) and all(done <= total for done, total, _ in calls)
    assert result.failures and all("toe in" in sentence and sentence.endswith("No equilibrium.") for sentence in result.failures)
    assert not any("toe_in" in dict(row.amounts) for row in result.tried) and result.rows[-1].target_dose_pct < -NO_CHANGE_PCT


def test_the_ranking_matches_the_strategy_to_the_compartment(ranked: PlanResult) -> None:
    names = [item.name for item in ranked.ranking]
    items = {item.name: item for item in ranked.ranking}
    medial = [item.dose_pct["medial"] for item in ranked.ranking]
    assert ranked.compartment == "medial" and medial == sorted(medial) and len(names) + len(ranked.left_out) == len(INTERVENTIONS)
    assert items["unloader_brace"].suits == "medial" and items["unloader_brace"].raises == ("lateral",)
    assert names.index("unloader_brace") < names.index("toe_in")
    assert ranked.left_out["fewer_flights"] == "It changes no dose of this person's day."  # walking alone
    valgus = plan_interventions(replace(VARUS, subject=replace(VARUS.subject, mpta_deg=93.0)), replace(THREE, ranking=True, interventions=(), target="lateral"))
    assert valgus.compartment == "lateral" and [item.name for item in valgus.ranking].index("unloader_brace") > names.index("unloader_brace")


def test_the_overloaded_region_is_the_one_with_most_overloaded_bone() -> None:
    result = simulate(VARUS)
    zones = result.zones()
    assert planning.overloaded_region(result).endswith("_medial") and zones is not None
    assert plan_interventions(VARUS, replace(THREE, interventions=(), target=None), result=result).target == planning.overloaded_region(result)


@pytest.mark.parametrize(("least", "most", "steps"), [(0.0, 8.0, 8), (0.0, 15.0, 15), (0.0, 3000.0, 15), (0.0, 10.0, 10), (3.0, 4.0, 3), (5.0, 12.0, 8), (12.0, 12.0, 1)])
def test_amounts_can_be_set(least: float, most: float, steps: int) -> None:
    amounts = amounts_between(least, most)
    assert amounts[0] == 0.0 and amounts[-1] == most and len(amounts) == steps + 1 and list(amounts) == sorted(set(amounts)) and all(amount >= least for amount in amounts[1:])


@pytest.mark.parametrize(("change", "words"), [
    ({"interventions": ("magic",)}, "magic"), ({"interventions": ("toe_in", "toe_in")}, "once"), ({"target": "hip"}, "medial"), ({"lateral_rise_pct": -1.0}, "lateral_rise_pct"),
    ({"evaluations": 1}, "evaluations"), ({"seed": -1}, "seed"), ({"workers": 1.5}, "workers"), ({"most": {"cane_": 1.0}}, "cane_"), ({"most": {"toe_in": "much"}}, "most"),
    ({"fixed": {"toe_in": {"angle_deg": 3.0}}}, "searches"), ({"fixed": {"unloader_brace": {"color": 3.0}}}, "hours_per_day"), ({"fewest_steps_per_day": -1.0}, "steps"),
])
def test_impossible_settings_are_told_in_one_sentence(change: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(THREE, **change)  # type: ignore[arg-type]


def test_amounts_below_nothing_are_counted_downwards(monkeypatch: pytest.MonkeyPatch) -> None:
    row = INTERVENTIONS["weight_loss"]
    slower = replace(row, usual=-4.0, least=-8.0, most=0.0, apply=lambda case, *, mass_kg=-4.0: row.apply(case, mass_kg=-mass_kg))
    slower.apply.__kwdefaults__ = {"mass_kg": -4.0}
    monkeypatch.setitem(INTERVENTIONS, "weight_loss", slower)
    choice = choices_of(VARUS, THREE)[0][1]
    assert choice.amounts == (0.0, -1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -7.0, -8.0) and [choice.share(k) for k in (0, 4, 8)] == [0.0, 0.5, 1.0] and choice.nearest(-3.9) == 4
    assert choices_of(VARUS, replace(THREE, least={"weight_loss": -2.0}))[0][1].amounts[-1] == -2.0


def test_limits_that_leave_nothing_and_a_case_without_contact_are_errors() -> None:
    with pytest.raises(InputError, match="at most 8 degrees"):
        plan_interventions(VARUS, replace(THREE, least={"unloader_brace": 9.0}))
    with pytest.raises(InputError, match="contact"):
        plan_interventions(Case(contact=None), THREE)


def test_a_result_can_be_kept(found: PlanResult) -> None:
    assert pickle.loads(pickle.dumps(found)).rows == found.rows
