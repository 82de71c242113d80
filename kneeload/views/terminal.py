"""The result in the terminal, in 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kneeload.views import wording
from kneeload.views.outlook_wording import short_lines
from kneeload.views.scene import NOT_A_DIAGNOSIS

if TYPE_CHECKING:
    from rich.console import Console

_SHORT = {"medial": "Medial (inner)", "lateral": "Lateral (outer)", "patellofemoral": "Kneecap", "tibiofemoral": "Medial + lateral"}
_STYLES = {"falls": "green", "rises": "yellow", "open": "", "same": "dim", "none": "dim"}
_SHOWN_REGIONS = 5


def print_summary(summary: Mapping[str, Any], console: Console | None = None, *, folder: Path | str | None = None, notes: Sequence[str] = ()) -> None:
    """Print compartments, the most loaded regions, what changes, what may follow in short, and where the files are.

    Args:
        summary: the content of summary.json.
        console: where to print (default: standard output).
        folder: the run folder, named at the end.
        notes: sentences about this run, such as why a picture is flat.
    """
    from rich.console import Console
    from rich.text import Text

    console = console or Console()
    title = [wording.person_line(summary), wording.plain(summary.get("activity")), *(f"with {name}" for name in wording.intervention_names(summary))]
    console.print(Text(", ".join(word for word in title if word), style="bold"))
    if summary.get("error"):
        console.print(Text(str(summary["error"]), style="bold red"))
    else:
        console.print(_compartments(summary))
        for table in (_changes(summary), _regions(summary), _agreement(summary)):
            if table is not None:
                console.print(table)
        for line in (*_whole_change(summary), *short_lines(summary)):
            console.print(Text(line))
        if summary.get("plan"):
            from kneeload.views.plan_terminal import print_plan

            print_plan(summary, console)
    for note in notes:
        console.print(Text(f"Note: {note}", style="yellow"))
    if folder is not None:
        console.print(Text(f"Files: {folder}"), soft_wrap=True)
    console.print(Text(NOT_A_DIAGNOSIS, style="bold"))


def _table(title: str, first: str, columns: Sequence[str]):  # type: ignore[no-untyped-def]
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _compartments(summary: Mapping[str, Any]):  # type: ignore[no-untyped-def]
    touch = bool(wording.part(summary, "contact"))
    columns = ["force\nN", "force\nBW", *(["peak\nMPa", "mean\nMPa", "area\nmm²", "through\nmeniscus"] if touch else [])]
    table = _table("Load by compartment (peaks)", "", columns)
    for row in wording.compartment_rows(summary):
        cells = [row["force"], row["weights"], *([row["peak"], row["mean"], row["area"], row["meniscus"]] if touch else [])]
        table.add_row(_SHORT[row["key"]], *cells)
    return table


def _agreement(summary: Mapping[str, Any]):  # type: ignore[no-untyped-def]
    rows = wording.agreement_rows(summary)
    if not rows:
        return None
    table = _table("Against the measured forces", "", ["RMS error\nN", "R²"])
    for row in rows:
        table.add_row(*row)
    return table


def _changes(summary: Mapping[str, Any]):  # type: ignore[no-untyped-def]
    from rich.text import Text

    rows = wording.change_rows(summary)
    if not rows:
        return None
    intervals = wording.is_number(wording.part(summary, "change", "medial").get("peak_force_pct_low"))
    table = _table(f"Change against the same person without it{' (and range of most people)' if intervals else ''}", "", [_SHORT[row["key"]] for row in rows])
    for number, field in enumerate(wording.change_fields(summary)):
        cells = [row["cells"][number] for row in rows]
        table.add_row(f"{wording.CHANGES[field].capitalize()}{', %' if intervals else ''}", *(Text(_short_cell(words), style=_STYLES[kind]) for kind, words in cells))
    return table


def _short_cell(words: str) -> str:
    """'▼ -11 % (-16 to -6)' -> '-11 (-16 to -6)': the unit stands in front of the row, the sign says the direction; words without interval stay."""
    return words[2:].replace(" %", "") if " to " in words else words


def _whole_change(summary: Mapping[str, Any]) -> list[str]:
    """The changes of the adduction moment in lines of at most 80 columns."""
    return [f"{label}: {words}" for label, words in wording.whole_change_rows(summary) if "adduction" in label]


def _regions(summary: Mapping[str, Any]):  # type: ignore[no-untyped-def]
    rows = wording.region_rows(summary)
    if not rows:
        return None
    rows = sorted(rows, key=lambda row: (row["dose_value"], row["risk_value"]), reverse=True)[:_SHOWN_REGIONS]
    table = _table(f"The {len(rows)} regions with the highest daily dose", "", ["stress\nMPa", "dose\nMPa s/day", "risk in\n24 months", "95 %\ninterval", "grade\n0-3"])
    for row in rows:
        table.add_row(row["name"], row["stress"], row["dose"], row["risk"], row["interval"], row["grade"].split()[0])
    return table
