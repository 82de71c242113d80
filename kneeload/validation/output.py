"""The folder of a validation: validation.csv, curves.csv, validation.html, and pressure_map.csv where there are maps."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kneeload.output_folder import claim

if TYPE_CHECKING:
    from kneeload.validation.table import ValidationTable
    from kneeload.views.validation_plots import Panel


def write_table(table: ValidationTable, folder: Path, *, claimed: bool = False) -> Path:
    """Write the files into a new folder (or one that the caller has just made) and return it."""
    from kneeload.validation.contact_figures import map_lines
    from kneeload.views.validation_contact_plots import PressureMap
    from kneeload.views.validation_page import write_validation_page

    if not claimed:
        claim(folder)
    _write_csv(folder / "validation.csv", table.columns())
    _write_csv(folder / "curves.csv", [line for panel in table.panels for line in _curve_lines(panel)])
    maps = [item for item in table.contact_pictures if isinstance(item, PressureMap)]
    if maps:
        _write_csv(folder / "pressure_map.csv", [line for item in maps for line in map_lines(item)])
    write_validation_page(folder / "validation.html", rows=table.columns(), panels=table.panels,
                          contact_pictures=table.contact_pictures, summary=table.summary_line(),
                          counts=table.counts,
                          settings=table.settings, version=table.version)
    return folder


def _write_csv(path: Path, lines: Sequence[dict[str, Any]]) -> None:
    with path.open("x", newline="", encoding="utf-8") as stream:
        if lines:
            writer = csv.DictWriter(stream, fieldnames=list(lines[0]))
            writer.writeheader()
            writer.writerows({key: _cell(value) for key, value in line.items()} for line in lines)


def _cell(value: Any) -> Any:
    return "" if value is None else repr(value) if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else value


def _curve_lines(panel: Panel) -> list[dict[str, Any]]:
    lines = []
    for series in panel.series:
        for i, x in enumerate(series.x):
            lines.append({"figure": panel.figure, "panel": panel.title, "series": series.label, "x_label": panel.x_label, "x": float(x),
                          "y_label": panel.y_label,
                          "y": float(series.y[i]), "low": None if series.low is None else float(series.low[i]),
                          "high": None if series.high is None else float(series.high[i])})
    return lines
