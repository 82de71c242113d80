"""What a change means for other people: intervals over the spread between persons, with the risk and the pain that go with it.

People differ in how they move and in how they answer to an intervention. Each of these is one number z, normal with mean 0 and standard deviation 1:

- the knee adduction and the knee extension moment of the person (`Case.moments_z`), the same z in every activity of the day (assumption: somebody
  with a high moment in walking has it on stairs too; independent activities would give narrower intervals of dose, risk and pain);
- the answer to each intervention whose spread is published (`Intervention.vary`).

For each z the person is simulated at -sqrt(3) and +sqrt(3) (with 0 the nodes of the Gauss-Hermite rule of three points), before and after the change with the same
gait. What a source does to an amount (a force, a stress, a dose, before and after) is taken as linear in z on either side of 0, and the sources as independent and
additive. From that as many people are drawn as the lesion model has draws, and the interval holds 95 of 100 of the changes that this rule gives them, and the person of the case. A check with 60
people simulated in full stands in docs/compare.md: 33 to 58 of them lay in it. Uncertainty of the mean effects of the interventions, and of the model, is not in it.

Risk and pain also depend on the uncertain parameters of the lesion model: each of its draws gets one of the people, whose logarithms of hazard before and
after follow z likewise; less load acts as in `kneeload.lesion.hazard.risk_change`. So their intervals hold both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.dose import BoneLoad
from kneeload.case import Case
from kneeload.contact.cycle import COMPARTMENTS
from kneeload.errors import KneeloadError
from kneeload.interventions import INTERVENTIONS
from kneeload.lesion.hazard import CONTRACT_YEARS, changed_hazards, log_stress_ratio, quantiles
from kneeload.lesion.pain import PAIN_COEFFICIENTS, pain_ratio
from kneeload.motion.activity import WITHOUT_SPREAD
from kneeload.result import COMPARTMENT_OF_REGION, KneeResult, amounts, changes
from kneeload.subject.anatomy import MOAKS_REGIONS

Array = NDArray[np.float64]
NODE = math.sqrt(3.0)
GAIT = {"gait: knee adduction moment": (0.0, 1.0), "gait: knee extension moment": (1.0, 0.0)}  # name -> direction of Case.moments_z
THREADS = 2  # the kernels let go of Python's lock; more would take what a machine of two cores does not have


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """One person before and after the change."""

    before: KneeResult
    after: KneeResult


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """One way in which people differ, at z = -NODE and NODE.

    Attributes:
        name: what differs.
        minus, plus: the person there; None where there is no equilibrium or no such case.
    """

    name: str
    minus: Pair | None
    plus: Pair | None

    @property
    def known(self) -> bool:
        """Whether there is an answer on either side."""
        return self.minus is not None or self.plus is not None


def change_spread(result: KneeResult, simulate: Callable[[Case], KneeResult], reference: BoneLoad | None) -> dict[str, Any]:
    """Return what goes into `summary()["change"]` beside the point estimates.

    Args:
        result: with a result before it.
        simulate: from a case to its result (`kneeload.simulate.simulate`).
        reference: bone load of the reference person, None at the load level.

    Returns:
        Per compartment and for "kam" the ends of the interval of each change ("peak_force_pct_low", "peak_force_pct_high") and, per compartment and for "knee",
        "risk_pct" with its ends (after over before of the plausibility of a new lesion within 24 months); "pain" per activity {"relative", "low", "high"}, after
        over before; "evidence", a list of {"name", "sentence"} on lesions; "spread", {"sources": names, "missing": names of sources without an answer}.
    """
    assert result.before is not None
    centre, sources = Pair(before=result.before, after=result), _sources(result, simulate)
    model = result.case.lesion
    people = np.random.default_rng([model.seed, 71]).standard_normal((len(GAIT) + len(INTERVENTIONS), model.samples))[:len(sources)]
    found: dict[str, Any] = _intervals(centre, sources, people)
    risk, pain = ({}, None) if reference is None else _risk_and_pain(centre, sources, people, reference)
    for name, row in risk.items():
        found[name] = found.get(name, {}) | row
    names = list(dict.fromkeys(result.case.interventions))
    return {**found, "pain": pain, "evidence": [{"name": name, "sentence": INTERVENTIONS[name].lesion_evidence} for name in names if name in INTERVENTIONS],
            "spread": {"sources": [source.name for source in sources if source.known],
                       "missing": [source.name for source in sources if not source.known]}}


def _sources(result: KneeResult, simulate: Callable[[Case], KneeResult]) -> list[Source]:
    assert result.before is not None
    before, after = result.before.case, result.case
    if after.activity.name != "recorded":  # a recording says how the person moved before the change, so that its case keeps the one before it
        after = replace(after, baseline=None)
    pairs: dict[str, list[tuple[Case | None, Case] | None]] = {}
    if after.activity.name not in WITHOUT_SPREAD:
        for name, direction in GAIT.items():
            pairs[name] = [(_moved(before, direction, z), _moved(after, direction, z)) for z in (-NODE, NODE)]
    for name in dict.fromkeys(after.interventions):
        if name in INTERVENTIONS and INTERVENTIONS[name].vary is not None:
            pairs[f"response to {name}"] = [None if (case := _varied(name, after, z)) is None else (None, case) for z in (-NODE, NODE)]
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        jobs = {name: [None if pair is None else [None if case is None else pool.submit(_simulated, simulate, case) for case in pair] for pair in both]
                for name, both in pairs.items()}
        people = {name: [None if job is None else _pair(result.before if job[0] is None else job[0].result(), job[1].result() if job[1] else None) for job in both]
                  for name, both in jobs.items()}
    return [Source(name=name, minus=both[0], plus=both[1]) for name, both in people.items()]


def _moved(case: Case, direction: tuple[float, float], z: float) -> Case:
    extension, adduction = case.moments_z
    return replace(case, moments_z=(extension + direction[0] * z, adduction + direction[1] * z))


def _varied(name: str, case: Case, z: float) -> Case | None:
    vary = INTERVENTIONS[name].vary
    try:
        return None if vary is None else vary(case, z)
    except KneeloadError:  # an answer that the changed object does not take
        return None


def _simulated(simulate: Callable[[Case], KneeResult], case: Case) -> KneeResult | None:
    try:
        return simulate(case)
    except KneeloadError:  # this person's knee finds no equilibrium: the source is told from the other side alone
        return None


def _pair(before: KneeResult | None, after: KneeResult | None) -> Pair | None:
    return None if before is None or after is None else Pair(before=before, after=after)


def _drawn(sources: Sequence[Source], people: Array, centre: Array, value: Callable[[Pair], Array]) -> Array:
    """Return the values of S drawn people, the shape of `centre`, whose last axis but one is 1 or S.

    Args:
        sources: K ways in which people differ; one without an answer changes nothing, one with an answer on one side alone is linear.
        people: (K, S) no unit; z.
        centre: value of the person of the case, (..., 1 or S, n).
        value: from a person to the same array.
    """
    out = centre + np.zeros((people.shape[1], 1))
    for source, z in zip(sources, people):
        low, high = (None if pair is None else value(pair) - centre for pair in (source.minus, source.plus))
        if low is None and high is None:
            continue
        down, up = (-high if low is None else low), (-low if high is None else high)  # type: ignore[operator]
        out = out + np.maximum(-z, 0.0)[:, None] / NODE * down + np.maximum(z, 0.0)[:, None] / NODE * up
    return out


def _intervals(centre: Pair, sources: Sequence[Source], people: Array) -> dict[str, dict[str, float]]:
    """The two ends of each change of `changes`, nan where there is none."""
    change = changes(centre.before, centre.after)
    keys = [(part, name) for part, row in change.items() for name in row]
    free = np.array([part == "kam" for part, _ in keys])  # the moment may change its sign, a load may not

    def values(pair: Pair) -> Array:
        found = amounts(pair.before), amounts(pair.after)
        return np.array([[[item[part][name.removesuffix("_pct")] for part, name in keys]] for item in found])

    before, after = (np.where(free, item, np.maximum(item, 0.0)) for item in _drawn(sources, people, values(centre), values))
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = np.where(before == after, 0.0, 100.0 * (after - before) / np.abs(before))
    out: dict[str, dict[str, float]] = {part: {} for part in change}
    for (part, name), column in zip(keys, percent.T):
        low, high = np.quantile(column, (0.025, 0.975)) if any(source.known for source in sources) and not np.isnan(column).any() else (float("nan"),) * 2
        out[part] |= {f"{name}_low": min(float(low), change[part][name]), f"{name}_high": max(float(high), change[part][name])}
    return out


def _risk_and_pain(centre: Pair, sources: Sequence[Source], people: Array, reference: BoneLoad) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Risk per compartment and of the knee, and pain, after over before, over the draws of the lesion model with one person each."""
    case = centre.before.case
    model = case.lesion

    def logs(pair: Pair) -> Array:
        """(2, S, 15) no unit; logarithm of the hazard ratio before, and its step."""
        assert pair.before.bone is not None and pair.after.bone is not None
        first = log_stress_ratio(pair.before.bone, reference, model)
        return np.stack([first, log_stress_ratio(pair.after.bone, reference, model) - first])

    drawn = _drawn(sources, people, logs(centre), logs)
    before, after = changed_hazards(drawn[0], drawn[1], reference, case.subject, model)
    risk = {}
    for name in (*COMPARTMENTS, "knee"):
        own = [r for r, region in enumerate(MOAKS_REGIONS) if name == "knee" or COMPARTMENT_OF_REGION.get(region) == name]
        ratio = np.expm1(-CONTRACT_YEARS * after[:, own].sum(axis=1)) / np.expm1(-CONTRACT_YEARS * before[:, own].sum(axis=1))
        low, middle, high = (100.0 * (float(value) - 1.0) for value in quantiles(ratio[:, None], (0.025, 0.5, 0.975))[:, 0])
        risk[name] = {"risk_pct": middle, "risk_pct_low": low, "risk_pct_high": high}
    low, middle, high = quantiles(pain_ratio(before, after, model), (0.025, 0.5, 0.975))
    return risk, {name: {"relative": float(middle[k]), "low": float(low[k]), "high": float(high[k])} for k, name in enumerate(PAIN_COEFFICIENTS)}
