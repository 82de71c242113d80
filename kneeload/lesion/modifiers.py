"""Biomarkers, drugs and procedures: what the evidence says about their effect on bone marrow lesions. Off unless asked for.

An effect is applied only where a trial gives a number for lesion size, only for as long as it was seen, and only to lesions that are there at the start.
Everything else is a sentence in `EVIDENCE` for the report. No advice on treatment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.lesion.model import LesionModel

Array = NDArray[np.float64]
Kind = Literal["drug", "biomarker", "procedure", "habit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known about one thing that might change lesions.

    Attributes:
        name: key, as in the settings.
        kind: drug, biomarker, procedure or habit.
        finding: "transient", "null", "negative", "mixed", "direction only", "association" or "uncontrolled".
        sentence: for a report.
        source: doi or PMC number; "seed" marks figures that were only read in an article about the study.
    """

    name: str
    kind: Kind
    finding: str
    sentence: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Modifier:
    """A transient reduction of lesions that are there.

    Attributes:
        name: row of `EVIDENCE`.
        area_change: 95 % interval of the relative change of lesion area at the end of `weeks`, no unit, negative = smaller; draws above zero
            count as none.
        weeks: how long it acts, weeks; afterwards the lesion goes back with its fast time constant.
        start_week: week of the first dose.
    """

    name: str
    area_change: tuple[float, float]
    weeks: float
    start_week: float = 0.0


EVIDENCE: tuple[Evidence, ...] = (
    Evidence(name="zoledronate", kind="drug", finding="transient", source="doi 10.1136/annrheumdis-2011-200970; ZAP2: JAMA 2020 (2764707), its result at second hand; doi 10.1002/art.42831",
             sentence="One infusion lowered lesion area by 176 mm2 (24 to 327) of 468 mm2 at 6 months in 59 people, no longer clearly at 12; the larger ZAP2 trial found no gain in "
                      "cartilage or pain, and more knee replacements within two years (hazard ratio 4.2, 1.2 to 14.7)."),
    Evidence(name="iv_bisphosphonate", kind="drug", finding="transient", source="meta-analysis of four randomised trials, 428 people",
             sentence="Four trials with 428 people together: standardised difference in lesions -0.52 (-0.89 to -0.14) up to 6 months, none at 12 and 24 months; "
                      "the number has no unit of size, so it is not applied by itself."),
    Evidence(name="oral_bisphosphonate", kind="drug", finding="null", source="doi 10.1016/j.joca.2020.07.006",
             sentence="145 matched women: no clear difference of lesion volume over 12 months (-157 to +354 mm3)."),
    Evidence(name="strontium_ranelate", kind="drug", finding="mixed", source="PMC4407552",
             sentence="Less loss of plateau cartilage over 36 months in people with meniscal extrusion and lesions; no figure for the lesions themselves was found, "
                      "so nothing is applied."),
    Evidence(name="vitamin_d", kind="drug", finding="null", source="doi 10.1186/s12891-019-2424-4",
             sentence="50 people over two years: difference of lesion volume -314 mm3 (-4245 to +3618), no effect shown."),
    Evidence(name="ipaag_hydrogel", kind="drug", finding="uncontrolled", source="doi 10.1186/s13018-024-04756-2",
             sentence="49 people without controls had less pain at 52 weeks (WOMAC pain -17.7, -23.1 to -12.4); no figure for lesions was found."),
    Evidence(name="ctx_i", kind="biomarker", finding="direction only", source="doi 10.1186/s13075-023-03253-x",
             sentence="A 12-month rise of serum CTX-I or urinary CTX-I-beta went with higher odds of a change in the number of lesions at 24 months; no odds ratio is in the abstract."),
    Evidence(name="tracp5b", kind="biomarker", finding="direction only", source="doi 10.1016/j.joca.2017.01.002 (seed)",
             sentence="TRAcP5b was linked with pain at the start and after three years; no numbers were found."),
    Evidence(name="uctx_ii", kind="biomarker", finding="association", source="doi 10.1002/acr.23121",
             sentence="One standard deviation more urinary CTX-II: odds ratio 1.92 (1.25 to 2.96) of lesions in five or more regions at one date; it did not predict their change, "
                      "so it does not act on the course."),
    Evidence(name="weight_loss", kind="habit", finding="null", source="Gudbergsen 2013; PMC9178604",
             sentence="Two trials of weight loss found no effect on lesions, though symptoms improved."),
    Evidence(name="exercise", kind="habit", finding="null", source="doi 10.1101/2022.05.14.22275072",
             sentence="Exercise does not lower the load of the knee on average (adduction moment +0.11, contact force +0.09 standard deviations, both reach zero)."),
    Evidence(name="subchondroplasty", kind="procedure", finding="uncontrolled", source="doi 10.1177/23259671231163528 and doi 10.1016/j.knee.2022.10.004 (seed)",
             sentence="Case series only: 54 % of 50 people had four or more points less pain at 6 months, 22 % had a new joint by 26 months (14 to 30 % at two years in a review)."),
    Evidence(name="core_decompression", kind="procedure", finding="uncontrolled", source="doi 10.3390/biomedicines11071799",
             sentence="One series without controls: pain from 8.3 to 1.5 within a week after decompression with filling, with six weeks off the leg."),
)
# Laslett 2012: -175.7 mm2 (-327.2 to -24.3) at 6 months, mean area at the start 468 mm2.
MODIFIERS: dict[str, Modifier] = {"zoledronate": Modifier(name="zoledronate", area_change=(-327.2 / 468.0, -24.3 / 468.0), weeks=26.0)}


def evidence(name: str) -> Evidence:
    """Return the row of that name.

    Raises:
        InputError: an unknown name.
    """
    for row in EVIDENCE:
        if row.name == name:
            return row
    raise InputError("modifier", where="modifiers", got=name, allowed="one of " + ", ".join(row.name for row in EVIDENCE), why="there is no evidence table for others")


def modifier(name: str) -> Modifier:
    """Return the modifier of that name.

    Raises:
        InputError: an unknown name, or one for which no size of effect on lesions is published.
    """
    row = evidence(name)
    if name not in MODIFIERS:
        raise InputError("modifier", where="modifiers", got=name, allowed="one of " + ", ".join(MODIFIERS), why=f"for it the finding is '{row.finding}': {row.sentence.rstrip('.')}")
    return MODIFIERS[name]


def remaining(item: Modifier, week: float, fast_weeks: Array, model: LesionModel) -> Array:
    """Return the part (S, 1) of lesion volume that is left at a week, no unit: 1 before the first dose and long after the last.

    The effect comes and goes with the fast time constant, for it cannot be faster than the fluid. Volume follows area to the power 1.5 (same shape).
    """
    full = 1.0 - (1.0 + _area_change(item, model)) ** 1.5
    acting, after = np.clip(week - item.start_week, 0.0, item.weeks), max(week - item.start_week - item.weeks, 0.0)
    out: Array = 1.0 - full * -np.expm1(-acting / fast_weeks) * np.exp(-after / fast_weeks)
    return out


@lru_cache(maxsize=8)
def _area_change(item: Modifier, model: LesionModel) -> Array:
    normal = np.random.default_rng([model.seed, sum(map(ord, item.name))]).standard_normal((model.samples, 1))
    low, high = item.area_change
    out: Array = np.clip(0.5 * (low + high) + 0.5 * (high - low) / 1.96 * normal, -0.95, 0.0)
    out.setflags(write=False)
    return out
