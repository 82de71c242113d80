"""Risk of a lesion from the load of the regions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from regional_loads import BASE, COUNT, HEALTHY, REFERENCE, R, load_with

from kneeload.bone.dose import STIMULUS_QUANTILES
from kneeload.errors import InputError
from kneeload.lesion.draws import cohort_hazard_ratio, draws
from kneeload.lesion.hazard import (
    lesion_risk,
    loaded_mean,
    overstress_level,
    overstressed_share,
    person_risk,
    reference_hazard,
    region_hazard,
    risk_change,
    standard_scores,
)
from kneeload.lesion.model import REFERENCE_BMI, REGION_SHARE, LesionModel
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import Subject

MODEL = LesionModel()


def test_shares_follow_the_published_locations() -> None:
    share = dict(zip(MOAKS_REGIONS, REGION_SHARE))
    assert sum(REGION_SHARE) == pytest.approx(1.0, abs=1e-12)
    for bone, part in (("patella", 0.34), ("femur", 0.26), ("tibia", 0.40)):
        assert sum(v for k, v in share.items() if k.startswith(bone)) == pytest.approx(part)
    assert share["patella_medial"] / share["patella_lateral"] == pytest.approx(35 / 18)
    assert max((k for k in share if k.startswith("tibia")), key=share.__getitem__) == "tibia_central_medial"
    np.testing.assert_allclose(draws(MODEL).hazard.sum(axis=1).min() > 0.0, True)


def test_a_cohort_of_published_stress_has_the_published_incidence() -> None:
    """Over people whose stress varies as published around the higher mean of a cohort, each draw gives back its own incidence."""
    d, rng = draws(MODEL), np.random.default_rng(3)
    slope = d.mean_slope + d.peak_slope
    x = (26.5 / REFERENCE_BMI - 1.0) / MODEL.stress_cv + rng.standard_normal(200_000)
    z = MODEL.stress_limit * np.tanh(x / MODEL.stress_limit)
    few = np.array([0, 10, 200, 1999])
    drawn = [np.exp(b * z).mean() for b in slope[few]]
    np.testing.assert_allclose(cohort_hazard_ratio(slope[few], np.full(4, 26.5), MODEL), drawn, rtol=0.02)  # error of 200,000 draws
    np.testing.assert_allclose(cohort_hazard_ratio(np.zeros(1), np.array([26.5]), MODEL), 1.0, rtol=1e-12)
    ratio = d.reference_incidence * cohort_hazard_ratio(slope, np.full(MODEL.samples, 26.5), MODEL)
    assert np.quantile(ratio, [0.025, 0.975]) == pytest.approx(MODEL.incidence_per_year, rel=0.08)  # 2000 draws; mean BMI 25 to 28


def test_the_reference_person_has_less_than_a_cohort_and_about_what_light_healthy_ones_had() -> None:
    """0.027 per year (doi 10.1186/ar3210) and 0.047 (doi 10.1016/j.semarthrit.2008.05.003) in light cohorts without disease."""
    risk = lesion_risk(REFERENCE, REFERENCE, HEALTHY)
    yearly = 1.0 - (1.0 - person_risk(risk)) ** 0.5
    assert 0.027 < yearly < 0.06
    np.testing.assert_allclose(risk.relative_risk, 1.0)
    assert (risk.grade == 0).all()


def test_each_draw_gives_its_own_incidence_at_the_reference_load() -> None:
    d = draws(MODEL)
    hazard = region_hazard(REFERENCE, REFERENCE, HEALTHY, MODEL)
    np.testing.assert_allclose(hazard.sum(axis=1), d.reference_incidence)
    risks = 1.0 - np.exp(-2.0 * hazard)
    np.testing.assert_allclose(1.0 - np.prod(1.0 - risks, axis=1), 1.0 - np.exp(-2.0 * hazard.sum(axis=1)), rtol=1e-9)


def test_stress_moves_the_share_within_a_bone_and_never_between_bones() -> None:
    assumed, by_stress = LesionModel(share_by_stress=(0.0, 0.0)), LesionModel(share_by_stress=(1.0, 1.0))
    np.testing.assert_allclose(reference_hazard(REFERENCE, assumed), draws(assumed).hazard)
    hazard, d = reference_hazard(REFERENCE, by_stress), draws(by_stress)
    for bone in ("femur", "tibia", "patella"):
        own = [r for r, name in enumerate(MOAKS_REGIONS) if name.startswith(bone)]
        np.testing.assert_allclose(hazard[:, own].sum(axis=1), d.hazard[:, own].sum(axis=1))
    for r in (R["patella_medial"], R["patella_lateral"], R["tibia_subspinous"]):
        np.testing.assert_allclose(hazard[:, r], d.hazard[:, r])
    a, b = R["femur_central_medial"], R["femur_trochlea_medial"]
    femur = [r for r, name in enumerate(MOAKS_REGIONS) if name.startswith("femur")]
    z = [2.5 * np.tanh((BASE[r] / BASE[femur].mean() - 1.0) / by_stress.stress_cv / 2.5) for r in (a, b)]
    np.testing.assert_allclose(hazard[:, a] / hazard[:, b], np.exp((d.mean_slope + d.peak_slope) * (z[0] - z[1])))


def test_mean_stress_is_that_of_the_loaded_part() -> None:
    part = STIMULUS_QUANTILES[None, :]
    np.testing.assert_allclose(loaded_mean(np.full((1, 21), 3.0)), 3.0)
    np.testing.assert_allclose(loaded_mean(2.0 * part), 4.0 / 3.0)  # linear from 0: integral of 4 x^2 over that of 2 x
    np.testing.assert_allclose(loaded_mean(np.where(part > 0.7, 5.0, 0.0)), 5.0, rtol=0.05)  # how much is bare does not count
    assert loaded_mean(np.zeros((1, 21)))[0] == 0.0


def test_the_same_force_on_half_of_the_area_is_more_risk() -> None:
    """A lost meniscus: a region's plain mean would not show it."""
    quantiles = np.where(STIMULUS_QUANTILES > 0.5, 2.0 * 4.0 * (STIMULUS_QUANTILES - 0.5), 0.0) * BASE[:, None]  # same mean, twice as steep
    r = R["tibia_central_medial"]
    narrow = replace(REFERENCE, stimulus_quantiles=quantiles)
    np.testing.assert_allclose(np.trapezoid(quantiles, STIMULUS_QUANTILES, axis=1), BASE, rtol=1e-9)
    assert lesion_risk(narrow, REFERENCE, HEALTHY, LesionModel(peak_weight=(0.0, 0.0))).relative_risk[r] > 1.5


def test_a_day_without_load_is_told_by_the_standard_day() -> None:
    standard = np.stack([BASE, 2.0 * BASE], axis=1)
    idle = replace(load_with(np.zeros(COUNT)), standard_stimulus=standard)
    reference = replace(REFERENCE, standard_stimulus=standard)
    mean, peak = standard_scores(idle, reference, MODEL, standard_day=True)
    np.testing.assert_allclose(mean, 0.0, atol=1e-12)
    np.testing.assert_allclose(peak, 0.0, atol=1e-12)


@pytest.mark.parametrize("years", [0.5, 2.0, 8.0])
def test_another_horizon_is_the_same_hazard_for_longer(years: float) -> None:
    load = load_with(1.3 * BASE)
    two, other = lesion_risk(load, REFERENCE, HEALTHY), lesion_risk(load, REFERENCE, HEALTHY, LesionModel(horizon_years=years))
    np.testing.assert_array_equal(two.risk_24mo, other.risk_24mo)
    for name in ("", "_low", "_high"):
        own = getattr(other, f"risk{name}")
        np.testing.assert_allclose(np.log1p(-own), 0.5 * years * np.log1p(-getattr(other, f"risk_24mo{name}")), rtol=1e-9)
    hazard = region_hazard(load, REFERENCE, HEALTHY, MODEL)
    np.testing.assert_allclose(other.risk, np.median(1.0 - np.exp(-years * hazard), axis=0), rtol=1e-4)
    assert other.horizon_years == years and two.horizon_years == 2.0


def test_risk_rises_with_stress_in_every_region_and_stays_between_0_and_1() -> None:
    factors = [0.0, 0.3, 0.7, 0.95, 1.0, 1.05, 1.3, 2.0, 5.0, 50.0]
    risks = [lesion_risk(load_with(BASE * f), REFERENCE, HEALTHY) for f in factors]
    for name in ("risk_24mo", "risk_24mo_low", "risk_24mo_high", "relative_risk"):
        table = np.array([getattr(r, name) for r in risks])
        assert (np.diff(table, axis=0) >= 0.0).all(), name
        assert (np.diff(table[:-1], axis=0) > 0.0).all(), name  # the last step is beyond the limit where the effect has levelled off
    grades = np.array([r.grade for r in risks])
    assert (np.diff(grades, axis=0) >= 0).all() and set(grades.ravel()) == {0, 1, 2, 3}
    for r in risks:
        assert (r.risk_24mo_low >= 0.0).all() and (r.risk_24mo_high <= 1.0).all()
        assert (r.risk_24mo_low <= r.risk_24mo).all() and (r.risk_24mo <= r.risk_24mo_high).all()


def test_no_load_leaves_a_small_baseline() -> None:
    risk = lesion_risk(load_with(np.zeros(COUNT)), REFERENCE, HEALTHY)
    assert (risk.risk_24mo > 0.0).all() and (risk.relative_risk < 1.0).all()
    assert person_risk(risk) < 0.5 * person_risk(lesion_risk(REFERENCE, REFERENCE, HEALTHY))


def test_stress_counts_where_it_acts() -> None:
    more = BASE.copy()
    more[R["tibia_central_medial"]] *= 1.4
    risk, base = lesion_risk(load_with(more), REFERENCE, HEALTHY), lesion_risk(REFERENCE, REFERENCE, HEALTHY)
    changed = np.flatnonzero(risk.risk_24mo != base.risk_24mo)
    assert changed.tolist() == [R["tibia_central_medial"]]


def test_one_unit_of_bmi_is_inside_the_published_odds_ratios() -> None:
    """Mass acts through load alone: +1 BMI is +4 % force at BMI 25; stress follows force with an exponent of one half to one."""
    for exponent in (0.5, 1.0):
        ratio = lesion_risk(load_with(BASE * 1.04**exponent), REFERENCE, HEALTHY).relative_risk[R["tibia_central_medial"]]
        assert 1.03 < ratio < 1.26, exponent


def test_amount_of_activity_counts_less_than_size_of_stress() -> None:
    standard = np.stack([BASE, 2.0 * BASE], axis=1)
    reference = replace(REFERENCE, standard_stimulus=standard)
    busy = replace(load_with(1.2 * BASE), standard_stimulus=standard)  # as hard as the reference, but more often
    hard = replace(load_with(1.2 * BASE), standard_stimulus=1.2 * standard)
    r = R["tibia_central_medial"]
    few, many = (lesion_risk(x, reference, HEALTHY).relative_risk[r] for x in (busy, hard))
    assert 1.0 < few < many
    only_size, all_of_it = LesionModel(amount_part=(0.0, 0.0)), LesionModel(amount_part=(1.0, 1.0))
    np.testing.assert_allclose(lesion_risk(busy, reference, HEALTHY, only_size).relative_risk, 1.0)
    np.testing.assert_allclose(lesion_risk(busy, reference, HEALTHY, all_of_it).relative_risk, lesion_risk(hard, reference, HEALTHY).relative_risk, rtol=1e-9)


def test_mean_stress_weighs_more_than_peak_stress() -> None:
    d = draws(MODEL)
    assert np.median(d.mean_slope) > 2.0 * np.median(d.peak_slope)
    assert (d.mean_slope >= 0.0).all() and (d.peak_slope >= 0.0).all()


def test_scores_are_standard_deviations_of_this_engine() -> None:
    for unit in (1.0, 7.0):  # a different stress scale changes nothing
        mean, peak = standard_scores(load_with(unit * BASE * (1.0 + 0.1 * MODEL.stress_cv)), load_with(unit * BASE), MODEL)
        np.testing.assert_allclose(mean, 0.1, rtol=1e-3)  # the limit bends it by less than that
        np.testing.assert_allclose(peak, 0.1, rtol=1e-3)


def test_an_unloaded_reference_region_does_not_explode() -> None:
    bare = BASE.copy()
    bare[R["femur_posterior_medial"]] = 0.0
    little = bare.copy()
    little[R["femur_posterior_medial"]] = 0.005
    ratio = lesion_risk(load_with(little), load_with(bare), HEALTHY).relative_risk[R["femur_posterior_medial"]]
    assert 1.0 < ratio < 1.2


def test_subspinous_region_follows_load_weakly() -> None:
    ratio = lesion_risk(load_with(1.5 * BASE), REFERENCE, HEALTHY).relative_risk
    assert 1.0 < ratio[R["tibia_subspinous"]] < 0.5 * ratio[R["tibia_central_medial"]]


@pytest.mark.parametrize("person, more", [(Subject(medial_meniscus="extruded"), 1), (Subject(medial_meniscus="root_tear"), 1),
                                          (Subject(medial_extrusion_mm=4.0), 1), (Subject(medial_extrusion_mm=2.0), 0)])
def test_meniscal_damage_acts_on_its_side_beyond_stress(person: Subject, more: int) -> None:
    own, intact = lesion_risk(REFERENCE, REFERENCE, person).risk_24mo, lesion_risk(REFERENCE, REFERENCE, HEALTHY).risk_24mo
    affected = np.array([region.endswith("medial") and not region.startswith(("patella", "femur_trochlea")) for region in MOAKS_REGIONS])
    assert (own[~affected] == intact[~affected]).all()
    assert ((own[affected] > intact[affected]) if more else (own[affected] == intact[affected])).all()
    np.testing.assert_allclose(lesion_risk(REFERENCE, REFERENCE, person).relative_risk, 1.0)  # against the same person


def test_lost_meniscus_counts_more_than_an_extruded_one_and_less_than_published_in_total() -> None:
    r = R["tibia_central_medial"]
    intact, extruded, removed = (lesion_risk(REFERENCE, REFERENCE, Subject(medial_meniscus=s)).risk_24mo[r] for s in ("intact", "extruded", "removed"))
    assert intact < extruded < removed < 3.12 * intact  # the rest of the published 3.12 comes through stress


def test_a_higher_stated_risk_needs_more_stress() -> None:
    levels = np.array([overstress_level(REFERENCE, MODEL, risk) for risk in (1.0, 1.5, 2.0, 4.0)])
    np.testing.assert_allclose(levels[0], REFERENCE.stimulus_quantiles[:, -1])
    assert (np.diff(levels, axis=0) > 0.0).all()
    np.testing.assert_allclose(levels[3] - levels[0], 2.0 * (levels[2] - levels[0]))  # log 4 = 2 log 2
    np.testing.assert_array_equal(levels[2], overstress_level(REFERENCE, MODEL))
    for bad in (0.5, float("nan"), 1e9):
        with pytest.raises(InputError, match="relative risk"):
            overstress_level(REFERENCE, MODEL, bad)


def test_overstressed_share_and_grades() -> None:
    level = overstress_level(REFERENCE, MODEL)
    assert (level > REFERENCE.stimulus_quantiles[:, -1]).all()
    for wanted, grade in ((0.0, 0), (0.2, 1), (0.5, 2), (0.9, 3)):
        stimulus = level / (2.0 * (1.0 - wanted))  # the linear distribution of load_with is above the level on this part
        share = overstressed_share(load_with(stimulus), REFERENCE, MODEL)
        np.testing.assert_allclose(share, wanted, atol=1e-9)
        assert (lesion_risk(load_with(stimulus), REFERENCE, HEALTHY).grade == grade).all()
    everywhere = replace(load_with(BASE), stimulus_quantiles=np.repeat(level[:, None] * 1.01, STIMULUS_QUANTILES.size, axis=1))
    np.testing.assert_allclose(overstressed_share(everywhere, REFERENCE, MODEL), 1.0)


def test_change_of_load_keeps_no_effect_in_the_interval_when_load_falls() -> None:
    less, more = load_with(0.9 * BASE), load_with(1.1 * BASE)
    fall, rise = risk_change(REFERENCE, less, REFERENCE, HEALTHY), risk_change(REFERENCE, more, REFERENCE, HEALTHY)
    assert (fall.low < fall.relative).all() and (fall.relative < 1.0).all()
    np.testing.assert_allclose(fall.high, 1.0)
    assert (rise.low > 1.0).all() and (rise.low < rise.relative).all() and (rise.relative < rise.high).all()
    same = risk_change(less, less, REFERENCE, HEALTHY)
    np.testing.assert_array_equal(same.relative, 1.0)


def test_the_same_model_gives_the_same_numbers_and_another_seed_nearly_the_same() -> None:
    load = load_with(1.3 * BASE)
    draws.cache_clear()
    one = lesion_risk(load, REFERENCE, HEALTHY)
    draws.cache_clear()
    two = lesion_risk(load, REFERENCE, HEALTHY)
    assert np.array_equal(one.risk_24mo, two.risk_24mo) and np.array_equal(one.risk_24mo_high, two.risk_24mo_high)
    other = lesion_risk(load, REFERENCE, HEALTHY, LesionModel(seed=7))
    np.testing.assert_allclose(other.risk_24mo, one.risk_24mo, rtol=0.08)  # error of the median of 2000 draws


def test_bad_input() -> None:
    with pytest.raises(InputError, match="daily stimulus"):
        lesion_risk(replace(REFERENCE, stimulus=None), REFERENCE, HEALTHY)
    with pytest.raises(InputError, match="daily stimulus"):
        lesion_risk(load_with(np.full(COUNT, np.nan)), REFERENCE, HEALTHY)
    with pytest.raises(InputError, match="zero in every region"):
        lesion_risk(REFERENCE, load_with(np.zeros(COUNT)), HEALTHY)


@pytest.mark.parametrize("changes", [{"mean_stress_or": (3.0, 2.0)}, {"transfer": (0.0, 1.5)}, {"samples": 3}, {"stress_cv": 0.0},
                                     {"incidence_per_year": (0.1,)}, {"meniscus_direct": (float("nan"), 0.5)}, {"cohort_bmi": (20.0, 26.0)},
                                     {"horizon_years": 0.0}, {"horizon_years": 50.0}, {"share_by_stress": (0.0, 1.2)}])
def test_settings_out_of_range(changes: dict) -> None:
    with pytest.raises(InputError, match="lesion"):
        LesionModel(**changes)


def test_lists_from_a_settings_file_work() -> None:
    assert LesionModel(transfer=[0.2, 1.0]) == MODEL  # type: ignore[arg-type]
    assert hash(LesionModel(transfer=[0.2, 1.0])) == hash(MODEL)  # type: ignore[arg-type]
