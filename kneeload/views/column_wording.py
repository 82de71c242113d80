"""Words and units for the columns of a table, from their names: `contact.medial.peak_pressure_mpa` is "Medial peak pressure (MPa)"."""

from __future__ import annotations

from dataclasses import dataclass

_UNITS = (  # ending of a name, unit
    ("_n_per_mm", "N/mm"), ("_mpa_s", "MPa s"), ("_kg_m2", "kg/m²"), ("_m_s", "m/s"), ("_mm3", "mm³"), ("_mm2", "mm²"), ("_mpa", "MPa"), ("_kpa", "kPa"), ("_deg", "degrees"), ("_pct", "%"),
    ("_nm", "N m"), ("_ns", "N s"), ("_bw", "body weights"), ("_mm", "mm"), ("_kg", "kg"), ("_ms", "ms"), ("_n", "N"), ("_m", "m"), ("_s", "s"),
)
_WORDS = {"mpta": "MPTA", "ldfa": "LDFA", "hka": "HKA", "kam": "KAM", "kfm": "KFM", "bmi": "BMI"}
_SILENT = ("subject", "activity", "intervention", "regions", "compartments", "loads", "lesion", "bone", "contact", "result")
_RISK = "risk of a new lesion within 24 months"
_WHOLE = {  # names for which the parts make no good words
    "bmi": ("BMI", "kg/m²"), "activity.speed_m_s": ("Walking speed", "m/s"), **{f"{name}_risk": (f"Risk of a new {name} lesion within 24 months", "%") for name in ("medial", "lateral", "patellofemoral")},
    **{f"lesion.{name}.risk_24mo": (f"Risk of a new {name} lesion within 24 months", "%") for name in ("medial", "lateral", "patellofemoral")},
    "subject.cartilage_thickness_scale.tibia_medial": ("Cartilage thickness, medial tibia", "1 = reference"),
    "subject.cartilage_thickness_scale.tibia_lateral": ("Cartilage thickness, lateral tibia", "1 = reference"),
    "subject.cartilage_thickness_scale.femur": ("Cartilage thickness, femur", "1 = reference"), "subject.cartilage_thickness_scale.patella": ("Cartilage thickness, patella", "1 = reference"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnWords:
    """How a column is called.

    Attributes:
        words: with a capital letter, without the unit.
        unit: "" if it has none.
        factor: what its values are multiplied by to have that unit: 100 for a risk, which is told in percent.
        signed: whether it is a change, which may go either way from zero.
    """

    words: str
    unit: str
    factor: float = 1.0
    signed: bool = False

    @property
    def label(self) -> str:
        """Words with the unit in brackets."""
        return f"{self.words} ({self.unit})" if self.unit else self.words

    @property
    def inside(self) -> str:
        """Words as they stand inside a sentence: abbreviations keep their capitals."""
        return self.words if self.words[:2].isupper() else self.words[:1].lower() + self.words[1:]


def column_words(name: str) -> ColumnWords:
    """Words of a column of `kneeload collect` or `kneeload population`, or of a short name such as "medial_risk"."""
    plain = name.removeprefix("result.")
    risk = plain.endswith(("risk_24mo", "_risk")) or "risk_24mo_" in plain
    factor = 100.0 if risk else 1.0
    if (known := _WHOLE.get(plain) or _WHOLE.get(plain.rpartition(".")[2])) is not None:
        return ColumnWords(words=known[0], unit=known[1], factor=factor)
    stem, unit = next(((plain[:-len(ending)], unit) for ending, unit in _UNITS if plain.endswith(ending)), (plain, ""))
    parts = stem.split(".")
    signed = parts[0] == "change"
    spoken = [part for part in parts[signed:] if part not in _SILENT] or parts[-1:]
    words = " ".join(_WORDS.get(word, word) for part in spoken for word in part.split("_") if word)
    words = words.replace("risk 24mo", _RISK)
    if words.endswith(" cycle peak pressure"):  # that of kneeload collect: the highest of all frames
        words = f"highest {words.removesuffix(' cycle peak pressure')} pressure of the cycle"
    if signed:
        words = f"change of {words}"
    return ColumnWords(words=words[:1].upper() + words[1:], unit="%" if risk else unit, factor=factor, signed=signed)
