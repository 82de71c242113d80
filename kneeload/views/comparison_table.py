"""A comparison in the terminal, in 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kneeload.views.scene import NOT_A_DIAGNOSIS
from kneeload.views.wording import change_text, number

if TYPE_CHECKING:
    from rich.console import Console

Line = tuple[str, str, str, Sequence[float | None], Sequence[float | None]]  # quantity, place, unit, values, differences in percent
_SHORT = {"knee adduction moment, peak": "adduction moment", "contact pressure at peak force, highest": "peak pressure", "daily dose, sum of regions": "daily dose",
          "any new lesion in 24 months": "any new lesion"}
_SHOWN = ("knee adduction moment, peak", "peak force", "contact pressure at peak force, highest", "daily dose, sum of regions", "any new lesion in 24 months")
_COLUMNS = 3  # runs beside each other; more go into compare.csv


def print_comparison(labels: Sequence[str], rows: Sequence[Line], *, notes: Sequence[str] = (), folder: object = None, console: Console | None = None) -> None:
    """Print the main quantities per compartment, the differences from the first run, the notes and where the files are.

    Args:
        labels: what sets each run apart.
        rows: quantity, place, unit, value per run and difference from the first per run in percent.
        notes: sentences for the reader.
        folder: where the files are.
        console: where to print (default: standard output).
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console()
    for n, label in enumerate(labels):
        console.print(Text(f"{n + 1}: {label}", style="bold"))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for n in range(min(len(labels), _COLUMNS)):
        table.add_column(str(n + 1), justify="right", no_wrap=True)
    for quantity, place, unit, values, differences in rows:
        if quantity in _SHOWN and unit != "body weights":
            name = textwrap.shorten(f"{_SHORT.get(quantity, quantity)}, {'' if place == 'knee' else place + ' '}{'%' if unit == 'probability' else unit}", 36, placeholder="…")
            table.add_row(name[:1].upper() + name[1:],
                          *(_cell(unit, value, change) for value, change in list(zip(values, differences))[:_COLUMNS]))
    console.print(table)
    for note in notes:
        console.print(Text(f"Note: {note}", style="yellow"))
    if folder is not None:
        console.print(Text(f"Files: {folder}"), soft_wrap=True)
    console.print(Text(NOT_A_DIAGNOSIS, style="bold"))


def _cell(unit: str, value: float | None, change: float | None) -> str:
    shown = number(None if value is None else 100.0 * value if unit == "probability" else value, 0 if unit in ("N", "MPa s") else 1)
    return shown if change is None else f"{shown} ({change_text(change, None, None)})"
