"""The inputs of the page, with sensible ranges and units; what cannot be is refused by the engine itself, not here."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from kneeload.case import Case
from kneeload.errors import InputError, KneeloadError
from kneeload.interventions import INTERVENTIONS
from kneeload.interventions.registry import Intervention
from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.person import MENISCUS_STATES, Subject
from kneeload.views.app.contract import Field, Switch
from kneeload.views.wording import intervention_names, region_name

ACTIVITIES: tuple[tuple[str, str], ...] = (
    ("walking", "Walking"), ("stair_ascent", "Stairs, up"), ("stair_descent", "Stairs, down"), ("chair_rise", "Rising from a chair"), ("squat", "Squat"),
    ("standing", "Standing"), ("single_leg_standing", "Standing on one leg"), ("recorded", "Recorded gait (upload)"),
)
_MENISCUS = tuple((state, {"root_tear": "Root torn"}.get(state, state.capitalize())) for state in MENISCUS_STATES)
_GRADES = (("0", "0: none"), ("1", "1: small, up to a third"), ("2", "2: medium"), ("3", "3: large, above two thirds"))
_NONE = Subject()


def _number(key: str, label: str, unit: str, least: float, most: float, step: float, group: str = "person", start: Any = None, hint: str = "", empty: bool = False) -> Field:
    return Field(key=key, label=label, unit=unit, least=least, most=most, step=step, group=group, start=getattr(_NONE, key, start) if start is None else start, hint=hint, empty=empty)


def _choice(key: str, label: str, choices: tuple[tuple[str, str], ...], start: str, group: str = "person", hint: str = "") -> Field:
    return Field(key=key, label=label, kind="choice", choices=choices, start=start, group=group, hint=hint)


PERSON: tuple[Field, ...] = (
    _choice("sex", "Sex", (("female", "Woman"), ("male", "Man")), "male"),
    _choice("side", "Knee", (("right", "Right"), ("left", "Left")), "right"),
    _number("body_mass_kg", "Body mass", "kg", 40.0, 150.0, 1.0),
    _number("height_m", "Height", "m", 1.40, 2.10, 0.01),
    _choice("alignment", "Leg axis given as", (("mpta", "Shin bone angle (MPTA)"), ("hka", "Whole leg (HKA)")), "mpta"),
    _number("mpta_deg", "Shin bone angle (MPTA)", "°", 80.0, 94.0, 0.5, hint="87 is usual; lower is bow-legged (varus)."),
    _number("hka_deg", "Hip-knee-ankle angle (HKA)", "°", 170.0, 190.0, 0.5, start=179.0, hint="180 is straight; lower is bow-legged (varus)."),
    _choice("medial_meniscus", "Inner meniscus", _MENISCUS, "intact"),
    _choice("lateral_meniscus", "Outer meniscus", _MENISCUS, "intact"),
)
ADVANCED: tuple[Field, ...] = (
    _number("medial_slope_deg", "Slope of the inner plateau", "°", -2.0, 16.0, 0.5, "advanced", hint="Positive falls backwards."),
    _number("lateral_slope_deg", "Slope of the outer plateau", "°", -2.0, 16.0, 0.5, "advanced"),
    _number("ldfa_deg", "Thigh bone angle (LDFA)", "°", 82.0, 94.0, 0.5, "advanced"),
    _number("joint_line_convergence_deg", "Joint-line convergence", "°", -3.0, 8.0, 0.5, "advanced"),
    *(_number(f"cartilage_{plate}", f"Cartilage, {words}", "× usual", 0.2, 1.5, 0.05, "cartilage", start=1.0)
      for plate, words in (("tibia_medial", "inner shin bone"), ("tibia_lateral", "outer shin bone"), ("femur", "thigh bone"), ("patella", "kneecap"))),
)
LESIONS: tuple[Field, ...] = (
    _choice("kl_grade", "X-ray grade (Kellgren-Lawrence)", (("", "not known"), *((str(k), str(k)) for k in range(5))), "", "lesions"),
    *(_choice(f"lesion_{region}", region_name(region), _GRADES, "0", "lesions") for region in MOAKS_REGIONS),
)
DAY: tuple[Field, ...] = (
    _choice("activity", "Look at", ACTIVITIES, "walking", "day"),
    _number("speed_m_s", "Walking speed", "m/s", 0.6, 1.8, 0.05, "day", start="", hint="Empty: this person's natural speed.", empty=True),
    _number("steps_per_day", "Steps", "a day", 0.0, 20000.0, 250.0, "day"),
    _number("stair_flights_per_day", "Flights of stairs", "a day", 0.0, 40.0, 1.0, "day"),
    _number("standing_hours_per_day", "Standing", "h a day", 0.0, 12.0, 0.5, "day"),
    _number("chair_rises_per_day", "Rises from a chair", "a day", 0.0, 150.0, 5.0, "day"),
)
FIELDS: tuple[Field, ...] = (*PERSON, *ADVANCED, *LESIONS, *DAY)
PRESETS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("reference", "Healthy reference, man, 80 kg", {}),
    ("varus", "Bow leg (varus), woman, 95 kg, inner meniscus pushed out", {"sex": "female", "body_mass_kg": 95.0, "height_m": 1.66, "mpta_deg": 84.0, "medial_meniscus": "extruded"}),
    ("stairs", "Pain behind the kneecap on stairs, woman, 68 kg", {"sex": "female", "body_mass_kg": 68.0, "height_m": 1.68, "activity": "stair_descent", "stair_flights_per_day": 14.0}),
    ("meniscectomy", "After removal of the inner meniscus, man, 82 kg", {"body_mass_kg": 82.0, "height_m": 1.78, "medial_meniscus": "removed"}),
)
_WORDS = {"valgus_deg": "Setting of the hinge", "hours_per_day": "Hours of wear", "mass_kg": "Loss of mass", "angle_deg": "Angle", "steps_per_day": "Steps fewer", "flights_per_day": "Flights fewer",
          "minutes_per_day": "Minutes", "less": "Less", "more": "More", "correction_deg": "Correction", "less_standing__hours_per_day": "Hours fewer", "mcl_released": "Inner ligament released",
          "quadriceps_pct": "Stronger quadriceps", "hip_pct": "Stronger hip muscles", "hamstrings_pct": "Stronger hamstrings", "modulus_mpa": "Stiffness of the filling",
          "body_weight_share": "Share of body weight carried", "change_m": "Wider by", "change_pct": "Change"}
_UNITS = {"deg": "°", "kg": "kg", "pct": "%", "mm": "mm", "n": "N", "nm": "N m", "per_day": "a day", "m_s": "m/s", "m": "m", "mpa": "MPa"}
_REGIONS = tuple((region, region_name(region)) for region in MOAKS_REGIONS)


@lru_cache(maxsize=1)
def switches() -> tuple[Switch, ...]:
    """Return the interventions as switches, each with its settings; those without any that a slider could hold are left out."""
    return tuple(_switch(row) for row in INTERVENTIONS.values() if row.name != "plan")


def _switch(row: Intervention) -> Switch:
    label = intervention_names({"interventions": [row.name]})[0]
    label = label.removeprefix("an ").removeprefix("a ")
    defaults = dict(row.apply.__kwdefaults__ or {})
    names = sorted((name for name, value in defaults.items() if _usable(value)), key=lambda name: name != row.amount)
    return Switch(key=f"use_{row.name}", name=row.name, label=label[:1].upper() + label[1:], kind=row.kind,
                  about=(f"Acts on: {row.acts_on}.", f"Source: {row.source}.", row.lesion_evidence), fields=tuple(_setting(row, name, defaults[name]) for name in names))


def _usable(value: Any) -> bool:
    return isinstance(value, (bool, int, float, str))


def _setting(row: Intervention, name: str, start: Any) -> Field:
    key, label = f"{row.name}__{name}", _WORDS.get(f"{row.name}__{name}", _WORDS.get(name, name.replace("_", " ").capitalize()))
    if isinstance(start, bool):
        return Field(key=key, label=_plain(label), kind="choice", choices=(("true", "yes"), ("false", "no")), start=str(start).lower(), group=row.name)
    if isinstance(start, str):
        choices = _REGIONS if start in MOAKS_REGIONS else _choices(row, name)
        return Field(key=key, label=_plain(label), kind="choice" if choices else "text", choices=choices, start=start, group=row.name)
    if name == row.amount:
        least, most = min(row.least, start), max(row.most, start)
        return Field(key=key, label=_plain(label), unit={"degrees": "°", "of body weight": "", "hours a day": "h a day", "steps a day": "a day", "flights a day": "a day"}.get(row.unit, row.unit), least=least, most=most, step=_step(most - least), start=float(start), group=row.name)
    most = 24.0 if name.startswith("hours") else 2.0 * float(start) if start else 1.0
    return Field(key=key, label=_plain(label), unit=_unit(name), least=0.0, most=most, step=_step(most), start=float(start), group=row.name)


def _plain(label: str) -> str:
    for ending in (" mpa", " m", " deg", " kg", " pct", " mm", " per day", " nm", " n"):
        label = label.removesuffix(ending)
    return label


def _unit(name: str) -> str:
    if name.startswith("hours"):
        return "h a day"
    return next((unit for ending, unit in sorted(_UNITS.items(), key=lambda item: -len(item[0])) if name.endswith(f"_{ending}")), "")


def _step(span: float) -> float:
    return next((step for step in (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 50.0, 100.0, 250.0, 500.0) if span / step <= 40.0), 1000.0)


def _choices(row: Intervention, name: str) -> tuple[tuple[str, str], ...]:
    """What a setting in words may be, as the intervention itself says when it is asked for something else."""
    try:
        row.apply(Case(), **{name: "?"})
    except InputError as problem:
        words = str(problem.allowed).removeprefix("one of ")
        return tuple((word, word.replace("_", " ")) for word in words.split(", ")) if str(problem.allowed).startswith("one of ") else ()
    except KneeloadError:
        return ()
    return ()
