"""A calibration in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN = {"plain static optimisation": "plain SO", "generic": "generic", "calibrated": "CALIBRATED"}


def print_calibration(parameters: Sequence[Mapping[str, Any]], errors: Sequence[Mapping[str, Any]], choice: Sequence[Mapping[str, Any]], *,
                      effective: float, folder: Path | str | None = None, console: Console | None = None) -> None:
    """Print how the parameters were chosen, their values, and the errors of every stride under every model.

    Args:
        parameters: rows with parameter, unit, start, fitted, low and high.
        errors: rows of `kneeload.calibration.comparison.StrideError`.
        choice: rows of `kneeload.calibration.choosing.Trial`, stages as one string.
        effective: number of parameters that the measurement determines.
        folder: where the files are.
        console: where to print (default: standard output).
    """
    from rich.console import Console as RichConsole
    from rich.text import Text

    console = console or RichConsole()
    if choice:
        table = _table("Parameters by held-out strides (RMS error, N)", ("with",), ("numbers", "effective", "fitted", "held out", ""))
        for row in choice:
            added = row["stages"].split(" + ")[-1]
            table.add_row(f"+ {added}" if added else "generic", str(row["parameters"]), f"{row['effective']:.1f}", f"{row['fitted_n']:.0f}", f"{row['held_out_n']:.0f}",
                          "kept" if row["kept"] else "left out")
        console.print(table)
    table = _table(f"Constants of this person ({len(parameters)} fitted, {effective:.1f} determined by the measurement)", ("",), ("start", "fitted", "bounds", "unit"))
    for row in parameters:
        table.add_row(row["parameter"], f"{row['start']:.3g}", f"{row['fitted']:.3g}", f"{row['low']:.3g} to {row['high']:.3g}", row["unit"])
    console.print(table)
    table = _table("Error against the measured forces", ("stride", "use", "model"), ("medial N", "R²", "lateral N", "R²"))
    for row in errors:
        style = "bold" if row["model"] == "calibrated" else "dim"
        table.add_row(row["stride"], row["use"] if row["model"] == "calibrated" else "", _SHOWN[row["model"]], f"{row['medial_rms_n']:.0f}", f"{row['medial_r2']:.2f}",
                      f"{row['lateral_rms_n']:.0f}", f"{row['lateral_r2']:.2f}", style=style)
    console.print(table)
    console.print(Text("CALIBRATED has seen measured forces of this person and is no prediction of another; generic and plain SO have not."))
    if folder is not None:
        console.print(Text(f"Files: {folder}"), soft_wrap=True)


def _table(title: str, words: Sequence[str], numbers: Sequence[str]):  # type: ignore[no-untyped-def]
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for word in words:
        table.add_column(word, overflow="fold")
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table
