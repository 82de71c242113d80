"""Plain words and numbers for the report and the terminal, from the summary of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

MISSING = "–"
COMPARTMENTS = {"medial": "Medial (inner side)", "lateral": "Lateral (outer side)", "patellofemoral": "Patellofemoral (kneecap)"}
GRADES = {0: "0 none", 1: "1 small", 2: "2 medium", 3: "3 large"}
CHANGES = {"peak_force_pct": "peak force", "impulse_pct": "impulse", "peak_pressure_pct": "peak pressure", "peak_bone_stress_pct": "bone stress", "daily_dose_pct": "daily dose",
           "risk_pct": "lesion risk"}
_UNITS = {"kg": "kg", "m": "m", "deg": "°", "mm": "mm", "mm2": "mm²", "n": "N", "nm": "N m", "mpa": "MPa", "s": "s", "ms": "ms", "pct": "%"}
_ABBREVIATIONS = {"mpta": "MPTA", "ldfa": "LDFA", "hka": "HKA", "bmi": "BMI"}
_INTERVENTIONS = {
    "unloader_brace": "an unloader brace", "weight_loss": "weight loss", "toe_in": "toe-in gait", "toe_out": "toe-out gait",
    "trunk_lean": "trunk lean", "medial_thrust": "medial-thrust gait", "cadence": "a higher cadence", "cane": "a cane",
    "lateral_wedge": "a lateral wedge", "patellar_brace": "a patellar brace", "coordination_retraining": "coordination retraining", "strengthening": "stronger muscles",
    "osteotomy": "an osteotomy", "subchondroplasty": "subchondroplasty", "plan": "a plan", "fewer_steps": "fewer steps", "fewer_flights": "fewer stairs", "less_standing": "less standing",
    "activity_swap": "one activity in place of another", "step_width": "wider steps", "walking_speed": "another walking speed",
    "variable_stiffness_shoe": "a variable-stiffness shoe", "walking_poles": "walking poles",
}
_WHERE = {"medial": "on the medial (inner) side", "lateral": "on the lateral (outer) side", "patellofemoral": "behind the kneecap"}
_BONES = {"patella": "kneecap", "femur": "thigh bone", "tibia": "shin bone"}
_PLACES = {"anterior": "front", "central": "middle", "posterior": "back", "trochlea": "groove for the kneecap"}
_SIDES = {"medial": "inner", "lateral": "outer"}
_NO_CHANGE_PCT = 0.5  # changes below half a percent are called none: smaller than what the model can tell apart


def number(value: object, digits: int = 0) -> str:
    """A number with thousands separators, or a dash when there is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return MISSING
    return f"{value:,.{digits}f}"


def percent(share: object, digits: int = 0) -> str:
    """A share of one in percent, or a dash."""
    text = number(hundred(share), digits)
    return text if text == MISSING else f"{text} %"


def region_name(region: str) -> str:
    """'tibia_central_medial' -> 'Tibia, central medial'."""
    bone, _, place = region.partition("_")
    return f"{'Kneecap' if bone == 'patella' else bone.capitalize()}, {place.replace('_', ' ')}"


def region_place(region: str) -> str:
    """'tibia_central_medial' -> 'the middle of the inner side of the shin bone'."""
    if region == "tibia_subspinous":
        return "the middle of the shin bone, between its two sides"
    bone, _, place = region.partition("_")
    where, _, side = place.rpartition("_")
    words = f"the {_SIDES.get(side, side)} side of the {_BONES.get(bone, bone)}"
    return f"the {_PLACES.get(where, plain(where))} {'in' if where == 'trochlea' else 'of'} {words}" if where else words


def plain(name: object) -> str:
    """'stair_ascent' -> 'stair ascent'; nothing for None."""
    return "" if name is None else str(name).replace("_", " ")


def intervention_names(summary: Mapping[str, Any]) -> list[str]:
    """Names of the interventions in plain words (entries may be names or mappings with a 'name')."""
    entries = [entry.get("name", "change") if isinstance(entry, Mapping) else entry for entry in summary.get("interventions") or []]
    return [_INTERVENTIONS.get(str(entry), plain(entry)) for entry in entries]


def part(summary: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """A nested mapping of the summary; empty when any level is missing or null."""
    inner: Any = summary
    for key in keys:
        inner = inner.get(key) if isinstance(inner, Mapping) else None
    return dict(inner) if isinstance(inner, Mapping) else {}


def quantity(key: str, value: object) -> tuple[str, str]:
    """Label and value with its unit from a key that ends with its unit: ('body_mass_kg', 80) -> ('Body mass', '80 kg')."""
    stem, _, unit = key.rpartition("_")
    if key == "bmi":
        stem, symbol = "bmi", "kg/m²"
    elif stem and unit in _UNITS:
        symbol = _UNITS[unit]
    else:
        stem, symbol = key, ""
    words = stem.replace("_", " ").split()
    label = " ".join(_ABBREVIATIONS.get(word, word) for word in words)
    label = label[:1].upper() + label[1:]
    if value is None:
        return label, "from the model"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = f"{value:,.2f}".rstrip("0").rstrip(".")
        return label, text + ("" if symbol == "°" or not symbol else " ") + symbol
    return label, plain(value)


def subject_rows(subject: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and value of everything known about the person; nested settings become rows of their own."""
    rows = []
    for key, value in subject.items():
        if isinstance(value, Mapping):
            rows += [(f"{quantity(key, None)[0]}, {plain(inner)}", quantity(inner, item)[1]) for inner, item in value.items()]
        else:
            rows.append(quantity(key, value))
    return rows


def person_line(summary: Mapping[str, Any]) -> str:
    """'man, 80 kg, 1.72 m, right knee' from what the summary holds."""
    subject = part(summary, "subject")
    words = [{"male": "man", "female": "woman"}.get(str(subject.get("sex")), "")]
    words += [quantity(key, subject[key])[1] for key in ("body_mass_kg", "height_m") if isinstance(subject.get(key), (int, float))]
    words.append(f"{subject['side']} knee" if subject.get("side") in ("right", "left") else "")
    return ", ".join(word for word in words if word)


def compartment_rows(summary: Mapping[str, Any]) -> list[dict[str, str]]:
    """One row of formatted numbers per compartment, and one for both sides together."""
    rows = []
    for key, name in {**COMPARTMENTS, "tibiofemoral": "Medial and lateral together"}.items():
        load, touch = part(summary, "loads", key), part(summary, "contact", key)
        rows.append({
            "key": key, "name": name, "force": number(load.get("peak_force_n")), "weights": number(load.get("peak_force_bw"), 2),
            "peak": number(touch.get("peak_pressure_mpa"), 1), "mean": number(touch.get("mean_pressure_mpa"), 1),
            "area": number(touch.get("contact_area_mm2")),
            "meniscus": percent(touch.get("meniscus_load_share")) if key in ("medial", "lateral") else MISSING,
        })
    return rows


def region_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Bone load and risk per region in the order of the summary; `share` is the dose over the highest dose of all regions."""
    bone, lesion = part(summary, "bone", "regions"), part(summary, "lesion", "regions")
    doses = {name: _value(part(bone, name).get("daily_dose_mpa_s")) for name in bone}
    highest = max(doses.values(), default=0.0)
    rows = []
    for name in [*bone, *(name for name in lesion if name not in bone)]:
        load, risk = part(bone, name), part(lesion, name)
        low, high, grade = risk.get("risk_24mo_low"), risk.get("risk_24mo_high"), risk.get("grade")
        rows.append({
            "key": name, "name": region_name(name), "stress": number(load.get("peak_stress_mpa"), 1), "dose": number(load.get("daily_dose_mpa_s")),
            "dose_value": doses.get(name, 0.0), "share": doses.get(name, 0.0) / highest if highest > 0.0 else 0.0,
            "risk": percent(risk.get("risk_24mo"), 1), "risk_value": _value(risk.get("risk_24mo")),
            "interval": f"{number(hundred(low), 1)}–{percent(high, 1)}" if is_number(low) and is_number(high) else MISSING,
            "relative": number(risk.get("relative_risk"), 1), "grade": GRADES.get(grade, MISSING) if isinstance(grade, int) else MISSING,
        })
    return rows


def change_rows(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Per compartment the changes against the same person without the intervention; empty when there is none."""
    rows = []
    for key, name in COMPARTMENTS.items():
        change = part(summary, "change", key)
        if change:
            rows.append({"key": key, "name": name, "cells": [interval_words(change, field) for field in change_fields(summary)]})
    return rows


def change_fields(summary: Mapping[str, Any]) -> list[str]:
    """Those of CHANGES that this summary has a number for in any compartment."""
    return [field for field in CHANGES if any(is_number(part(summary, "change", key).get(field)) for key in COMPARTMENTS)]


def interval_words(change: Mapping[str, Any], field: str) -> tuple[str, str]:
    """As `change_words`, with the interval of most people where there is one: ('falls', '▼ -11 % (-16 to -6)'), ('open', ...) where it holds both signs."""
    value, low, high = (change.get(f"{field}{end}") for end in ("", "_low", "_high"))
    if not (is_number(value) and is_number(low) and is_number(high)):
        return change_words(value)
    kind = "falls" if high < 0.0 else "rises" if low > 0.0 else "open"  # type: ignore[operator]
    if max(abs(value), abs(low), abs(high)) < _NO_CHANGE_PCT:  # type: ignore[arg-type]
        return "same", "no change"
    return kind, f"{ {'falls': '▼', 'rises': '▲', 'open': '◆'}[kind]} {change_text(value, low, high)}"


def change_text(value: object, low: object, high: object) -> str:
    """'-11 % (-16 to -6)' from a change in percent and the ends of its interval; without ends only the change."""
    known = [item for item in (value, low, high) if is_number(item)]
    digits = 0 if max((abs(item) for item in known), default=0.0) >= 9.95 else 1  # type: ignore[arg-type,type-var]
    text = f"{_signed(value, digits)} %"
    return f"{text} ({_signed(low, digits)} to {_signed(high, digits)})" if is_number(low) and is_number(high) else text


def _signed(value: object, digits: int) -> str:
    text = number(value, digits)
    if text == MISSING or not float(text.replace(",", "")):
        return text.lstrip("-")
    return text if text.startswith("-") else f"+{text}"


def whole_change_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and words of what changes for the knee as a whole: adduction moment, plausibility of any new lesion, pain."""
    kam, knee = part(summary, "change", "kam"), part(summary, "change", "knee")
    named = [("Knee adduction moment, first peak", kam, "first_peak_pct"), ("Knee adduction moment, second peak", kam, "second_peak_pct"),
             ("Knee adduction moment, impulse", kam, "impulse_pct"), ("Any new lesion within 24 months", knee, "risk_pct")]
    if not is_number(kam.get("first_peak_pct")):
        named[:2] = [("Knee adduction moment, peak", kam, "peak_pct")]
    rows = [(label, change_text(*(row.get(f"{field}{end}") for end in ("", "_low", "_high")))) for label, row, field in named if is_number(row.get(field))]
    volume = part(summary, "course", "volume_change")
    if is_number(volume.get("pct")):
        rows.append((f"Volume of the measured lesions after {number(volume.get('weeks'))} weeks", change_text(volume["pct"], volume.get("pct_low"), volume.get("pct_high"))))
    for name in ("walking", "standing", "stairs"):
        pain = part(summary, "change", "pain", name)
        if is_number(pain.get("relative")):
            rows.append((f"Load-related pain, {name}", change_text(*(100.0 * (pain[end] - 1.0) if is_number(pain.get(end)) else None for end in ("relative", "low", "high")))))
    return rows


def change_summary_rows(summary: Mapping[str, Any]) -> list[str]:
    """Per compartment a sentence: what falls, what rises, and what goes one way in some people and the other way in others."""
    out, said = [], {"falls": "falls", "rises": "rises", "open": "falls in some people and rises in others"}
    for row in change_rows(summary):
        found = {kind: [CHANGES[field] for field, cell in zip(change_fields(summary), row["cells"]) if cell[0] == kind] for kind in said}
        words = "; ".join(f"{words}: {', '.join(found[kind])}" for kind, words in said.items() if found[kind])
        out.append(f"{row['name']}: {words or 'nothing changes'}.")
    return out


def lesion_evidence(summary: Mapping[str, Any]) -> list[str]:
    """What is known of the interventions' effect on lesions, a sentence each with the name in front."""
    found = summary.get("change")
    rows = found.get("evidence") or [] if isinstance(found, Mapping) else []
    return [f"{_capital(_INTERVENTIONS.get(row['name'], plain(row['name'])))}: {row['sentence']}" for row in rows]


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def change_words(value: object) -> tuple[str, str]:
    """('falls', '▼ falls 9.1 %'), ('rises', ...), ('same', 'no change') or ('none', a dash)."""
    if not is_number(value):
        return "none", MISSING
    if abs(value) < _NO_CHANGE_PCT:  # type: ignore[arg-type]
        return "same", "no change"
    word, arrow = ("falls", "▼") if value < 0.0 else ("rises", "▲")  # type: ignore[operator]
    return word, f"{arrow} {word} {abs(value):.1f} %"  # type: ignore[arg-type]


def in_short(summary: Mapping[str, Any]) -> list[str]:
    """The result in a few sentences, each only when its numbers are there."""
    loads, activity = part(summary, "loads"), plain(summary.get("activity")) or "this activity"
    both, sentences = part(loads, "tibiofemoral"), []
    if is_number(both.get("peak_force_bw")):
        sentences.append(f"In {activity} the joint between thigh and shin carries up to {number(both.get('peak_force_n'))} N, "
                         f"{number(both['peak_force_bw'], 1)} times body weight.")
    share = loads.get("medial_share_of_impulse")
    if is_number(share):
        sentences.append(f"Over the whole cycle {percent(share)} of that load passes through the medial (inner) side "
                         f"and {percent(1.0 - share)} through the lateral (outer) side.")  # type: ignore[operator]
    touch = {key: part(summary, "contact", key).get("peak_pressure_mpa") for key in COMPARTMENTS}
    known = {key: value for key, value in touch.items() if is_number(value)}
    if known:
        top = max(known, key=lambda key: known[key])  # type: ignore[arg-type,return-value]
        sentences.append(f"The highest contact pressure is {number(known[top], 1)} MPa, {_WHERE[top]}.")
    regions = [row for row in region_rows(summary) if row["dose_value"] > 0.0]
    if regions:
        top_region = max(regions, key=lambda row: row["dose_value"])
        sentences.append(f"Over a usual day the bone under this region takes the most load: {top_region['name'].lower()}.")
    return sentences + _change_sentences(summary)


def _change_sentences(summary: Mapping[str, Any]) -> list[str]:
    names = intervention_names(summary)
    changes = {key: part(summary, "change", key).get("peak_force_pct") for key in COMPARTMENTS}
    known = {key: value for key, value in changes.items() if is_number(value)}
    if not names or not known:
        return []
    rows = {key: part(summary, "change", key) for key in known}
    ranged = {key for key, row in rows.items() if is_number(row.get("peak_force_pct_low")) and is_number(row.get("peak_force_pct_high"))}

    def ends(key: str) -> str:
        return f" ({_signed(rows[key]['peak_force_pct_low'], 0)} to {_signed(rows[key]['peak_force_pct_high'], 0)})" if key in ranged else ""

    said = [f"{change_words(value)[0]} by {abs(value):.0f} %{ends(key)} {_WHERE[key]}" for key, value in known.items() if change_words(value)[0] in ("falls", "rises")]  # type: ignore[arg-type]
    words = ", ".join(said[:-1]) + (" and " if len(said) > 1 else "") + said[-1] if said else "stays the same everywhere"
    about = " (in brackets: the range of most people)" if said and ranged else ""
    return [f"With {' and '.join(names)} the peak force {words}{about}."]


def pain_rows(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Activity, relative index and interval."""
    rows = []
    for name in ("walking", "standing", "stairs"):
        pain = part(summary, "pain", name)
        if pain:
            rows.append((name.capitalize(), number(pain.get("relative"), 2), f"{number(pain.get('low'), 2)} to {number(pain.get('high'), 2)}"))
    return rows


def agreement_rows(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Side, root-mean-square error in N and R2 against the measured forces of a recording; empty without such forces."""
    found = part(summary, "agreement")
    return [(name.capitalize(), number(found.get(f"{name}_rms_n")), number(found.get(f"{name}_r2"), 2)) for name in ("medial", "lateral", "total")
            if f"{name}_rms_n" in found]


def provenance_rows(summary: Mapping[str, Any]) -> tuple[list[tuple[str, str]], list[str]]:
    """Short facts (label, value) and the list of sources of a run."""
    facts, sources = [], []
    for key, value in part(summary, "provenance").items():
        if isinstance(value, Mapping):
            sources += [f"{plain(inner)}: {_joined(item)}" for inner, item in value.items() if item]
        elif isinstance(value, Sequence) and not isinstance(value, str):
            sources += [str(item) for item in value]
        elif value is not None:
            facts.append(quantity(key, value) if not isinstance(value, str) else (plain(key).capitalize(), value))
    return facts, sources


def _joined(item: object) -> str:
    return "; ".join(str(entry) for entry in item) if isinstance(item, Sequence) and not isinstance(item, str) else str(item)


def _value(number_or_none: object) -> float:
    return float(number_or_none) if is_number(number_or_none) else 0.0  # type: ignore[arg-type]


def hundred(share: object) -> object:
    """A share of one in percent, None for what is no number."""
    return 100.0 * share if is_number(share) else None  # type: ignore[operator]


def is_number(value: object) -> bool:
    """Whether this is a finite number (a truth value is none)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
