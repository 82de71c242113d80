"""Plain words for what may follow: zones in the bone, course of lesions, full picture, pain. Every sentence follows from the summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kneeload.lesion.checks import ENOUGH_STEPS, NOISE_SHARE
from kneeload.lesion.modifiers import EVIDENCE
from kneeload.lesion.pain import EXPLAINED_VARIANCE
from kneeload.lesion.zones import RELATIVE_RISK
from kneeload.views.wording import (
    MISSING,
    hundred,
    intervention_names,
    is_number,
    number,
    part,
    percent,
    plain,
    region_name,
    region_place,
)

SMALL_ZONE = 0.05  # zones below this part of their region are told in one sentence, not in rows
_BEHIND = 0.10  # activities with less than this part of a zone's load are not named
_SAME_PART = 0.25  # two courses are told apart when their medians differ by more than this part of the wider interval (assumption)
KL_WORDS = {0: "no sign of osteoarthritis", 1: "doubtful signs", 2: "mild signs", 3: "moderate signs", 4: "severe signs"}  # Kellgren and Lawrence 1957
SHORT_FLAGS = {
    "alignment_mpta": "angle of the shin bone", "alignment_hka": "leg axis", "alignment_slope": "steep plateau", "no_safe_plan": "nothing tried is free of a rise elsewhere",
    "lesion_attrition_cyst": "lesion with attrition and cyst", "grade_misses_lesions": "radiograph misses lesions", "mask_outside": "mask beside the bone",
    "deconditioning": "too few steps a day",
}
KINDS = {"lesion": "a lesion alone", "lesion_cyst": "a lesion with a cyst", "lesion_attrition": "a lesion with attrition (flattened bone)",
         "lesion_attrition_cyst": "a lesion with attrition (flattened bone) and a cyst"}
_OF_PAIN = {"lesion": "a lesion alone", "lesion_cyst": "a lesion and a cyst", "lesion_attrition": "a lesion and attrition",
            "lesion_attrition_cyst": "a lesion and attrition (none are known for all three)"}
_WIDENED = "no interval was published, so one twice as wide as that of a lesion alone is taken"

_NAMES = {"iv_bisphosphonate": "Bisphosphonates, intravenous", "oral_bisphosphonate": "Bisphosphonates, by mouth", "vitamin_d": "Vitamin D", "ipaag_hydrogel": "Hydrogel (iPAAG)",
          "ctx_i": "CTX-I", "tracp5b": "TRAcP5b", "uctx_ii": "Urinary CTX-II"}


def zone_rows(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """One row per region with a zone of at least 5 % of its volume, largest part first."""
    return [{"name": region_name(name), "place": region_place(name), "share": percent(row["zone_share"]), "volume": number(_cm3(row.get("zone_volume_mm3")), 1), "interval": _interval_cm3(row, "zone_volume"),
             "moaks": number(row.get("grade")), "worms": number(row.get("grade_worms")), "behind": behind(row.get("zone_activities"))}
            for name, row in _zones(summary) if row["zone_share"] >= SMALL_ZONE]


def zone_sentences(summary: Mapping[str, Any]) -> list[str]:
    """Where the largest zone is and what is behind it; empty where zones were not computed."""
    regions = part(summary, "lesion", "regions")
    if not any("zone_share" in row for row in regions.values()):
        return []
    found = _zones(summary)
    if not found:
        return [f"No bone carries so much over a usual day that a new lesion would be {RELATIVE_RISK:g} times as likely as under the load of a reference person."]
    if found[0][1]["zone_share"] < NOISE_SHARE:
        return [f"Practically no bone carries too much over a usual day: less than {percent(NOISE_SHARE)} of any region, which is as fine as this model sees."]
    name, row = found[0]
    why, none = behind(row.get("zone_activities")), row.get("zone_volume_low_mm3") == 0.0
    out = [f"Bone carries too much most of all in {region_place(name)} ({_lower(name)}): in {percent(row['zone_share'])} of it, {number(_cm3(row['zone_volume_mm3']), 1)} cm³ "
           f"(95 % interval {_interval_cm3(row, 'zone_volume')}{'; so there may be none' if none else ''})."]
    if why != MISSING:
        out.append(f"Behind that load: {why}.")
    return out


def small_zones(summary: Mapping[str, Any]) -> str:
    """A sentence about the regions that `zone_rows` leaves out, or nothing."""
    small = [_lower(name) for name, row in _zones(summary) if NOISE_SHARE <= row["zone_share"] < SMALL_ZONE]
    if not small:
        return ""
    return f"Zones of {percent(NOISE_SHARE)} to {percent(SMALL_ZONE)} of a region, not in the table: {'; '.join(small)}."


def behind(shares: object) -> str:
    """'walking 73 %, standing 23 %': the activities that carry most of a load, or a dash."""
    known = {str(name): value for name, value in shares.items() if is_number(value)} if isinstance(shares, Mapping) else {}
    first = sorted(known, key=lambda name: -known[name])[:3]
    return ", ".join(f"{plain(name)} {percent(known[name])}" for name in first if known[name] >= _BEHIND) or MISSING


def courses(summary: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The course with the interventions, or as now, and the course as before, empty when nothing was changed."""
    course = part(summary, "course")
    return part(course, "with_interventions") or part(course, "as_now"), part(course, "as_before")


def new_lesion_rows(summary: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """'6 months', the plausibility of any new lesion by then, its interval, and the plausibility without the interventions (empty when nothing was changed)."""
    now, before = courses(summary)
    without = {row["months"]: row for row in before.get("new_lesion") or []}
    rows = []
    for row in now.get("new_lesion") or []:
        rows.append((f"{row['months']} months", f"{percent(row['risk'])}", _interval_percent(row, "risk"), _risk_words(without.get(row["months"]))))
    return rows


def new_lesion_sentences(summary: Mapping[str, Any]) -> list[str]:
    """The plausibility of a new lesion in two years, in people out of a hundred."""
    rows = [row for row in courses(summary)[0].get("new_lesion") or [] if row["months"] == 24]
    if not rows or not is_number(rows[0].get("risk")):
        return []
    of, where = round(100.0 * rows[0]["risk"]), " where there is none yet" if part(summary, "course").get("measured_regions") else " in this knee"
    return [f"Of 100 people with such a knee and such days, about {of} would get at least one new bone marrow lesion{where} within 24 months "
            f"(95 % interval {_interval_percent(rows[0], 'risk')}); about {100 - of} would not."]


def lesion_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Per measured lesion the dates with what may have become of it by then."""
    rows: dict[str, list[dict[str, str]]] = {}
    for date in courses(summary)[0].get("milestones") or []:
        for region, found in date["lesions"].items():
            rows.setdefault(region, []).append({
                "when": f"{date['months']} months", "gone": percent(found.get("resolved")), "smaller": percent(_less(found.get("smaller"), found.get("resolved"))),
                "same": percent(_less(1.0, found.get("smaller"), found.get("larger"))), "larger": percent(found.get("larger")),
                "volume": number(_cm3(found.get("volume_mm3")), 1), "interval": _interval_cm3(found, "volume")})
    return [{"name": region_name(region), "place": region_place(region), "dates": dates} for region, dates in rows.items()]


def course_sentences(summary: Mapping[str, Any]) -> list[str]:
    """What may become of measured lesions together, and whether the interventions can be told apart from none."""
    now, before = courses(summary)
    if not now.get("weeks"):
        return []
    ends = f"in {number(now['weeks'][-1])} weeks"
    if not part(summary, "course").get("measured_regions"):
        return ["No lesion was measured in this knee, so only new ones are followed."]
    start, end = number(_cm3(now["total_mm3"][0]), 1), number(_cm3(now["total_mm3"][-1]), 1)
    if now["total_low_mm3"][0] < now["total_high_mm3"][0]:
        start = f"about {start} cm³ now ({number(_cm3(now['total_low_mm3'][0]), 1)} to {number(_cm3(now['total_high_mm3'][0]), 1)}: a size grade leaves the volume open)"
    else:
        start = f"{start} cm³ now"
    out = [f"All lesions together measure {start}. In half of the modelled futures they measure less than {end} cm³ {ends}, in half more; 95 of 100 futures lie between "
           f"{number(_cm3(now['total_low_mm3'][-1]), 1)} and {number(_cm3(now['total_high_mm3'][-1]), 1)} cm³, new lesions included. Single lesions come and go by themselves."]
    drugs = [_NAMES.get(name, plain(name)) for name in part(summary, "course").get("modifiers") or []]
    if drugs:
        out.append(f"This course assumes that {' and '.join(drugs)} is given at the start, which was asked for; what is known about it stands in the table at the end. It is no advice.")
    if before.get("weeks"):
        width = max(row["total_high_mm3"][-1] - row["total_low_mm3"][-1] for row in (now, before))
        gap, names = now["total_mm3"][-1] - before["total_mm3"][-1], " and ".join(intervention_names(summary)) or "the change"
        if abs(gap) <= _SAME_PART * width:
            out.append(f"With {names} the middle of the futures moves by {number(abs(gap) / 1000.0, 2)} cm³ only: far less than the futures differ, so nobody could see this in one person.")
        else:
            out.append(f"With {names} the middle of the futures is {number(abs(gap) / 1000.0, 1)} cm³ {'lower' if gap < 0.0 else 'higher'} than without.")
    return out


def panel_rows(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What was looked at, what it is in this knee, and what it says."""
    panel = part(summary, "panel")
    if not panel:
        return []
    grade, count = panel.get("kl_grade"), panel.get("lesions")
    rows = [("Radiograph (Kellgren-Lawrence grade, 0 to 4)", MISSING if grade is None else f"{grade}: {KL_WORDS.get(grade, '')}",
             "Shows spurs and the gap of the joint. It does not show lesions inside the bone." if grade is not None else "No grade was given."),
            ("Bone marrow lesions on MRI", "not measured" if count is None else _lesion_words(panel),
             "What follows from load is plausibility only." if count is None else _where(summary) or "None was found.")]
    if count is not None:
        rows += [("Attrition (flattened bone)", _regions(panel.get("attrition_regions")), "With a lesion it goes with more pain and more loss of cartilage."),
                 ("Cysts in the bone", _regions(panel.get("cyst_regions")), "With a lesion they go with more pain.")]
    over = {name: share for name, share in part(panel, "overloaded").items() if share >= NOISE_SHARE}
    first = "; ".join(f"{_lower(name)} {percent(share)}" for name, share in list(over.items())[:3])
    rows.append(("Bone above the overstress level", _regions(len(over)), f"Largest parts: {first}." if first else f"In no region {percent(NOISE_SHARE)} of the bone or more."))
    steps = part(summary, "subject").get("steps_per_day")
    if is_number(steps):
        enough = "At least as many as" if steps >= ENOUGH_STEPS else "Fewer than"  # type: ignore[operator]
        rows.append(("Steps a day", number(steps), f"{enough} the {number(ENOUGH_STEPS)} that best told who kept walking and climbing well over two years. Spread load, do not rest: "
                     "muscles and function go with inactivity."))
    return rows


def flags(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The flags of the panel, those that ask for a specialist first."""
    return sorted(part(summary, "panel").get("flags") or [], key=lambda flag: not flag.get("specialist"))


def pain_sentences(summary: Mapping[str, Any]) -> list[str]:
    """How little load explains, and what the kind of the measured lesions goes with."""
    if not part(summary, "pain"):
        return []
    low, high = EXPLAINED_VARIANCE
    out = [f"Lesions explain {number(hundred(low), 1)} to {percent(high, 1)} of the differences in pain between people; the rest is not in this model. "
           "Pain at rest is not driven by load in this model: nothing on this page explains it. Tell a doctor about pain at rest or at night."]
    kind = part(summary, "panel", "phenotype")
    if kind.get("worst") in KINDS and is_number(kind.get("odds")):
        out.append(f"This knee has {KINDS[kind['worst']]}. In a group of 1,145 people the odds of pain with {_OF_PAIN[kind['worst']]} were {number(kind['odds'], 2)} times those without lesions "
                   f"({number(kind.get('odds_low'), 2)} to {number(kind.get('odds_high'), 2)}{': ' + _WIDENED if kind['worst'] != 'lesion' else ', 95 % interval'}).")
        out.append(f"The sizes of its lesions add up to {kind.get('score_sum')}: in another group of 570 people the odds of frequent pain with that sum were "
                   f"{number(kind.get('score_odds'), 1)} times those with 0 (no interval was published).")
    return out


def evidence_rows(summary: Mapping[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Name, kind, finding, sentence and source of everything that is said to change lesions; a star after the names that were applied in this run."""
    applied = part(summary, "course").get("modifiers") or []
    return [(_NAMES.get(row.name, plain(row.name).capitalize()) + (" *" if row.name in applied else ""), row.kind, row.finding, _units(row.sentence), _units(row.source))
            for row in EVIDENCE]


def short_lines(summary: Mapping[str, Any]) -> list[str]:
    """At most three short lines for the terminal: new lesions, who should look, what else to see."""
    out = []
    for row in courses(summary)[0].get("new_lesion") or []:
        if row["months"] == 24:
            out.append(f"Any new lesion within 24 months: about {percent(row['risk'])} ({_interval_percent(row, 'risk')})")
    for wanted, words in ((True, "A specialist should look"), (False, "Please note")):
        named = [SHORT_FLAGS.get(flag["code"], plain(flag["code"])) for flag in flags(summary) if bool(flag.get("specialist")) == wanted]
        if named:
            out.append(f"{words}: {', '.join(named)}")
    return out


def _units(words: str) -> str:
    for plain_words, shown in (("mm2", "mm²"), ("mm3", "mm³"), ("(seed)", "(known from an article about the study)"), (" -", " −"), ("(-", "(−")):
        words = words.replace(plain_words, shown)
    return words


def _zones(summary: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Regions with a zone, the largest part first."""
    found = [(name, row) for name, row in part(summary, "lesion", "regions").items() if is_number(row.get("zone_share")) and row["zone_share"] > 0.0]
    return sorted(found, key=lambda item: -item[1]["zone_share"])


def _lesion_words(panel: Mapping[str, Any]) -> str:
    volume = panel.get("lesion_volume_mm3")
    size = f", {number(_cm3(volume), 1)} cm³ together" if panel["lesions"] and is_number(volume) else ""
    return f"{_regions(panel['lesions'])} of 15{size}"


def _where(summary: Mapping[str, Any]) -> str:
    names = [_lower(name) for name in part(summary, "course").get("measured_regions") or []]
    return f"In {'; '.join(names)}." if names else ""


def _regions(count: object) -> str:
    return "none" if count == 0 else MISSING if count is None else f"{count} region{'' if count == 1 else 's'}"


def _lower(region: str) -> str:
    return region_name(region).lower()


def _cm3(volume_mm3: object) -> object:
    return volume_mm3 / 1000.0 if is_number(volume_mm3) else None  # type: ignore[operator]


def _interval_cm3(row: Mapping[str, Any], name: str) -> str:
    low, high = (row.get(f"{name}_{end}_mm3") for end in ("low", "high"))
    return f"{number(_cm3(low), 1)} to {number(_cm3(high), 1)}" if is_number(low) and is_number(high) else MISSING


def _interval_percent(row: Mapping[str, Any], name: str) -> str:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    return f"{number(hundred(low))} to {percent(high)}" if is_number(low) and is_number(high) else MISSING


def _risk_words(row: Mapping[str, Any] | None) -> str:
    return "" if row is None else f"{percent(row['risk'])} ({_interval_percent(row, 'risk')})"


def _less(whole: object, *parts: object) -> object:
    if not all(is_number(value) for value in (whole, *parts)):
        return None
    return max(whole - sum(parts), 0.0)  # type: ignore[operator,arg-type]
