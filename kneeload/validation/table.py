"""The answer of a validation: each measurement beside its prediction, and whether the prediction lies in the interval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kneeload.validation.measurement import Measurement

if TYPE_CHECKING:
    from kneeload.views.validation_contact_plots import BarChart, PressureMap
    from kneeload.views.validation_plots import Panel

PLAIN = "plain static optimisation"
VERDICTS = ("inside", "outside", "skipped", "not simulated")


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationRow:
    """One measurement and what the engine says.

    Attributes:
        measurement: what was measured.
        predicted: at the level of the row (loads or contact), in the measurement's unit; None when skipped or not simulated.
        predicted_contact: of a row of the load level after contact equilibrium, None where not asked for or without meaning.
        reason: why there is no prediction, or what to know about it (frames with a reserve, for example).
        simulated: False when the engine cannot reproduce the row at all.
    """

    measurement: Measurement
    predicted: float | None = None
    predicted_contact: float | None = None
    reason: str = ""
    simulated: bool = True

    @property
    def verdict(self) -> str:
        """One of VERDICTS; with a contact prediction, a row is inside only if both predictions are."""
        values = [value for value in (self.predicted, self.predicted_contact) if value is not None]
        if not values:
            return "skipped" if self.simulated else "not simulated"
        return "inside" if all(self.measurement.contains(value) for value in values) else "outside"

    def columns(self) -> dict[str, Any]:
        """The row as it is written: plain values by column name."""
        item = self.measurement
        return {
            "id": item.id, "target": " ".join(item.target), "group": item.group, "quantity": item.quantity, "setting": item.setting,
            "measured": item.measured, "low": item.low, "high": item.high, "interval": item.interval, "unit": item.unit,
            "predicted": self.predicted, "predicted_contact": self.predicted_contact, "level": item.level,
            "verdict": self.verdict, "binding": item.binding,
            "role": item.role, "model": item.model, "n": item.n, "source": item.source, "predictor": item.predictor or "",
            "parameters": " ".join(f"{key}={value}" for key, value in item.parameters.items()), "note": item.note, "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationTable:
    """All rows of one validation.

    Attributes:
        rows: in the order of the measurement file.
        panels: predicted against measured curves, for the page.
        contact_pictures: pressure maps and bars of the contact section, for the page.
        version: of kneeload.
        settings: what the predictions were made with, in words (models, standard person, data folder).
    """

    rows: tuple[ValidationRow, ...]
    panels: tuple[Panel, ...] = ()
    contact_pictures: tuple[PressureMap | BarChart, ...] = ()
    version: str = ""
    settings: Mapping[str, str]

    @property
    def counts(self) -> dict[str, int]:
        """Rows per verdict, without those of plain static optimisation, which stand beside the default for comparison."""
        found = Counter(row.verdict for row in self.rows if row.measurement.model != PLAIN)
        return {verdict: found[verdict] for verdict in VERDICTS}

    @property
    def binding_outside(self) -> tuple[ValidationRow, ...]:
        """Binding rows whose prediction lies outside."""
        return tuple(row for row in self.rows if row.measurement.binding and row.verdict == "outside")

    @property
    def binding_skipped(self) -> tuple[ValidationRow, ...]:
        """Binding rows that could not be judged in this call: neither passed nor failed."""
        return tuple(row for row in self.rows if row.measurement.binding and row.verdict in ("skipped", "not simulated"))

    def summary_line(self) -> str:
        """Counts in one sentence."""
        counts, binding = self.counts, [row for row in self.rows if row.measurement.binding]
        beside = sum(row.measurement.model == PLAIN for row in self.rows)
        words = [f"{len(self.rows) - beside} rows", *(f"{count} {verdict}" for verdict, count in counts.items())]
        outside, skipped = len(self.binding_outside), len(self.binding_skipped)
        more = f" ({beside} more of plain static optimisation, for comparison)" if beside else ""
        return (f"{', '.join(words)}{more}. Binding: {len(binding)}, {len(binding) - outside - skipped} inside, {outside} outside"
                f"{f', {skipped} without a prediction' if skipped else ''}.")

    def columns(self) -> list[dict[str, Any]]:
        """All rows as plain values by column name."""
        return [row.columns() for row in self.rows]

    def write(self, folder: str | Path) -> Path:
        """Write validation.csv, validation.html, curves.csv (and pressure_map.csv with maps) into a new folder and return it.

        Raises:
            InputError: the folder is there already, or cannot be made.
        """
        from kneeload.validation.output import write_table

        return write_table(self, Path(folder))

    def row(self, name: str) -> ValidationRow:
        """Return a row by the id of its measurement."""
        return next(row for row in self.rows if row.measurement.id == name)
