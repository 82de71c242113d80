"""The plan of a run in plain words: what would move the load, and how little is known about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kneeload.views import wording

SIDES = {"medial": "the inner side", "lateral": "the outer side", "patellofemoral": "the joint behind the kneecap"}
_CHANGED_PCT = 0.5  # changes of a dose below this are called none
UNCERTAIN = ("These changes are those of the mean person of the studies: for one person the fall may be much smaller or larger, or none at all. What a plan does to pain or to lesions is "
             "not part of them. Talk it over with a clinician before you change anything.")


def target_words(plan: Mapping[str, Any]) -> str:
    """'tibia_central_medial' -> 'the middle of the inner side of the shin bone'."""
    target = str(plan.get("target"))
    return SIDES[target] if target in SIDES else wording.region_place(target)


def short_words(words: str) -> str:
    """'unloader brace 4 degrees and weight loss 5 kg' -> 'unloader brace 4° + weight loss 5 kg', for a picture or a narrow table."""
    return words.replace(" degrees", "°").replace(" degree", "°").replace(" and ", " + ").replace(" a day", "/day")


def signed(value: object, digits: int = 0) -> str:
    """A change in percent with its sign; a dash when there is none."""
    if not wording.is_number(value):
        return wording.MISSING
    text = f"{value:+.{digits}f}"
    return ("0" if float(text) == 0.0 else text.replace("-", "−")) + " %"


def shown_rows(plan: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of the table that a page has room for, then the least bad plan where no plan keeps the limits."""
    rows = [dict(plan["rows"][k]) for k in plan["shown"]]
    return [*rows, *([dict(plan["least_bad"])] if plan.get("least_bad") else [])]


def plan_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per shown plan: number, words, burden, and kind and words of each change (target, then the compartments)."""
    plan = wording.part(summary, "plan")
    if not plan:
        return []
    return [{"number": k, "words": row["words"], "burden": wording.number(row["burden"], 2), "kept": row["excess_pct"] is None or row["excess_pct"] <= 1e-9,
             "cells": [_cell(row[key]) for key in ("target_dose_pct", *(f"{name}_dose_pct" for name in wording.COMPARTMENTS))]} for k, row in enumerate(shown_rows(plan))]


def ranking_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per single intervention: words, kind and words of the change of each compartment, the compartment that it suits."""
    rows = []
    for item in wording.part(summary, "plan").get("ranking") or []:
        rows.append({"words": item["words"], "cells": [_cell(item["dose_pct"][name]) for name in wording.COMPARTMENTS],
                     "suits": wording.COMPARTMENTS.get(item["suits"], wording.MISSING).split(" (")[0]})
    return rows


def plan_sentences(summary: Mapping[str, Any]) -> list[str]:
    """What was searched, what came out, and what to make of it; empty without a plan."""
    plan = wording.part(summary, "plan")
    if not plan:
        return []
    names = [wording.plain(choice["name"]) for choice in plan["choices"]]
    said = [f"The dose that the plans lower is that of {target_words(plan)}, where this knee carries most above its share.", _searched(plan, names), *_outcome(plan), *_barred(plan)]
    if plan["failed"]:
        said.append(f"{plan['failed']} of the combinations found no equilibrium in the model and were left out.")
    return [*said, *plan["notes"]]


def _searched(plan: Mapping[str, Any], names: list[str]) -> str:
    limits = ", ".join(f"{name} {plan['limits'][f'{name}_rise_pct']:g} %" for name in wording.COMPARTMENTS if plan["limits"][f"{name}_rise_pct"] is not None)
    what = f"combinations of {', '.join(names)}" if names else "nothing that this person can do"
    return (f"{plan['simulated']} cases were simulated, among them {what}. No plan may raise the daily dose by more than: {limits}." if limits
            else f"{plan['simulated']} cases were simulated, among them {what}, without a limit on what may rise.")


def _outcome(plan: Mapping[str, Any]) -> list[str]:
    worst = plan.get("least_bad")
    if worst:
        return [f"No combination that was tried lowers it within these limits. The least bad one is {worst['words']}: {signed(worst['target_dose_pct'])} there, and "
                f"{worst['excess_pct']:.0f} percentage points above the limit elsewhere."]
    best = plan["rows"][-1]
    if best["target_dose_pct"] > -_CHANGED_PCT:
        return ["No combination that was tried lowers it by half a percent or more."]
    said = [f"The largest fall within these limits comes with {best['words']}: {signed(best['target_dose_pct'])} there, and at most {signed(best['worst_rise_pct'])} elsewhere."]
    half = next(row for row in plan["rows"] if row["target_dose_pct"] <= 0.5 * best["target_dose_pct"])
    if half["words"] != best["words"]:
        said.append(f"At least half of that fall takes less: {half['words']} ({signed(half['target_dose_pct'])}).")
    return said


def _barred(plan: Mapping[str, Any]) -> list[str]:
    return [f"{wording.plain(name).capitalize()} was not part of the search: {reason}" for name, reason in plan["barred"].items()]


def _cell(value: object) -> tuple[str, str]:
    kind = "none" if not wording.is_number(value) else "same" if abs(value) < _CHANGED_PCT else "falls" if value < 0.0 else "rises"  # type: ignore[arg-type,operator]
    return kind, signed(value, 1)
