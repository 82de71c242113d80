"""The validation table in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kneeload.views.validation_page import Row, beside, measured_words, number

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"inside": "green", "outside": "bold red", "skipped": "dim"}
_SIGNS = {"inside": "inside", "outside": "OUTSIDE", "skipped": "skipped"}


def print_validation(rows: Sequence[Row], *, summary: str, console: Console | None = None, notes: Sequence[str] = ()) -> None:
    """Print the table, one section per group; rows that are not simulated are counted, the page lists them with their reason."""
    from rich import box
    from rich.console import Console as RichConsole
    from rich.table import Table
    from rich.text import Text

    console = console or RichConsole()
    touch = any(row["predicted_contact"] is not None for row in rows)
    lines = [row for row in beside(rows) if row["verdict"] != "not simulated"]
    for group in dict.fromkeys(row["group"] for row in lines):
        shown = [row for row in lines if row["group"] == group]
        plain = any(row["plain"] is not None for row in shown)
        table = Table(title=Text(group), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
        table.add_column("", overflow="fold", ratio=5)
        table.add_column("measured", justify="right", ratio=3)
        table.add_column("predicted", justify="right")
        if touch:
            table.add_column("contact", justify="right")
        if plain:
            table.add_column("plain SO", justify="right")
        table.add_column("unit", overflow="fold", max_width=12)
        table.add_column("", no_wrap=True)
        table.add_column("source", overflow="fold", ratio=3, style="dim")
        for row in shown:
            style = _STYLES[row["verdict"]]
            cells = [Text(_words(row)), Text(measured_words(row)), Text(number(row["predicted"]), style=style)]
            cells += [Text(number(row["predicted_contact"]), style=style)] if touch else []
            cells += [Text(number(row["plain"]))] if plain else []
            verdict = _SIGNS[row["verdict"]] + (" *" if row["binding"] else "")
            table.add_row(*cells, Text(row["unit"]), Text(verdict, style=style), Text(row["source"]))
        console.print(table)
    missing = sum(row["verdict"] == "not simulated" for row in rows)
    if missing:
        console.print(Text(f"{missing} published rows are not simulated; the page says why for each.", style="dim"))
    if lines:
        console.print(Text("* binding: --strict fails when it is outside. SO: static optimisation.", style="dim"))
    for note in notes:
        console.print(Text(note), soft_wrap=True)
    console.print(Text(summary, style="bold"), soft_wrap=True)


def _words(row: Row) -> str:
    marks = [row["model"]] if row["model"] != "default" else []
    marks += ["feeds the model"] if row["role"] == "input" else []
    return ", ".join(word for word in (row["quantity"], row["setting"]) if word) + (f" [{'; '.join(marks)}]" if marks else "")
