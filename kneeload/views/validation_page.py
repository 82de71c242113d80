"""validation.html: measured values beside predictions."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kneeload.views.validation_contact_plots import BarChart, PressureMap, draw_bars, draw_maps
from kneeload.views.validation_plots import Panel, draw_panels

Row = Mapping[str, Any]


def number(value: float | None, digits: int = 3) -> str:
    """A number as a person reads it: `digits` significant digits, no exponent; a dash for None."""
    if value is None:
        return "–"
    if value != value:
        return "none"
    text = f"{value:.{digits}g}"
    return (f"{float(text):.0f}" if "e" in text else text).replace("-", "−")


def measured_words(row: Row) -> str:
    """The measured value with its interval."""
    low, high = row["low"], row["high"]
    if low is None or high is None:
        ends = f"≤ {number(high)}" if high is not None else f"≥ {number(low)}" if low is not None else ""
    else:
        ends = f"{number(low)} to {number(high)}"
    value = "" if row["measured"] is None else number(row["measured"])
    return f"{value} ({ends})" if value and ends else value or ends or "–"


def beside(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows to show: one of plain static optimisation goes into the row of the default with the same words, as `plain`."""
    default = {(row["group"], row["quantity"], row["setting"]): {**row, "plain": None} for row in rows if row["model"] == "default"}
    shown: list[dict[str, Any]] = []
    for row in rows:
        key = row["group"], row["quantity"], row["setting"]
        if row["model"] == "plain static optimisation" and key in default:
            default[key]["plain"] = row["predicted"]
        else:
            shown.append(default[key] if row["model"] == "default" and default[key]["id"] == row["id"] else {**row, "plain": None})
    return shown


def bar(row: Row) -> dict[str, float] | None:
    """Places of interval, measured value and predictions on a line from 0 to 100, or None without a prediction and a finite scale."""
    values = [value for value in (row["predicted"], row["predicted_contact"]) if value is not None and value == value]
    known = [value for value in (row["low"], row["high"], row["measured"]) if value is not None]
    if not values or not known:
        return None
    low, high = min(known + values), max(known + values)
    span = (high - low) or max(abs(high), 1.0)
    left, width = low - 0.12 * span, 1.24 * span
    places = {"low": 0.0 if row["low"] is None else 100.0 * (row["low"] - left) / width,
              "high": 100.0 if row["high"] is None else 100.0 * (row["high"] - left) / width}
    for name in ("measured", "predicted", "predicted_contact"):
        if row[name] is not None and row[name] == row[name]:
            places[name] = 100.0 * (row[name] - left) / width
    return places


def write_validation_page(path: Path | str, *, rows: Sequence[Row], panels: Sequence[Panel], summary: str, counts: Mapping[str, int],
                          settings: Mapping[str, str], version: str = "", contact_pictures: Sequence[PressureMap | BarChart] = ()) -> Path:
    """Write the page: everything inside one HTML file, nothing from the network.

    Args:
        path: the file to write.
        rows: columns of the table, one mapping per row.
        panels: curves, drawn into the page.
        summary: counts in one sentence.
        counts: rows per verdict.
        settings: what the predictions were made with.
        version: of kneeload.
        contact_pictures: pressure maps and bar charts, drawn into the page.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)
    lines = [_shown(row) for row in beside(rows) if row["verdict"] != "not simulated"]
    groups = [{"name": name, "anchor": f"group-{i}", "rows": [line for line in lines if line["group"] == name],
               "plain": any(line["plain"] is not None for line in lines if line["group"] == name),
               "contact": any(line["predicted_contact"] is not None for line in lines if line["group"] == name)}
              for i, name in enumerate(dict.fromkeys(line["group"] for line in lines))]
    pictures = [{"name": name, "data": base64.b64encode(draw_panels([panel for panel in panels if panel.figure == name])).decode("ascii")}
                for name in dict.fromkeys(panel.figure for panel in panels)]
    text = environment.get_template("validation.html.jinja").render(
        groups=groups, missing=[_shown(row) for row in beside(rows) if row["verdict"] == "not simulated"],
        failing=[line for line in lines if line["binding"] and line["verdict"] == "outside"], pictures=pictures, summary=summary,
        counts=counts,
        settings=settings, version=version, contact_pictures=_contact_pictures(contact_pictures),
        has_contact=any(row["predicted_contact"] is not None for row in rows),
    )
    Path(path).write_text(text, encoding="utf-8")
    return Path(path)


def _contact_pictures(items: Sequence[PressureMap | BarChart]) -> list[dict[str, str]]:
    """The pictures of the contact section: name, PNG data and where their numbers are."""
    pictures = []
    for name in dict.fromkeys(item.figure for item in items):
        maps = [item for item in items if item.figure == name and isinstance(item, PressureMap)]
        charts = [item for item in items if item.figure == name and isinstance(item, BarChart)]
        picture, file = (draw_maps(maps), "pressure_map.csv") if maps else (draw_bars(charts), "validation.csv")
        pictures.append({"name": name, "data": base64.b64encode(picture).decode("ascii"), "file": file})
    return pictures


def _shown(row: Row) -> dict[str, Any]:
    return {**row, "quantity": row["quantity"][:1].upper() + row["quantity"][1:], "plain_words": number(row["plain"]),
            "measured_words": measured_words(row), "predicted_words": number(row["predicted"]),
            "contact_words": number(row["predicted_contact"]), "bar": bar(row)}
