"""A study of uncertainty in the terminal, in 80 columns, and the progress of its runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kneeload.views.scene import NOT_A_DIAGNOSIS

if TYPE_CHECKING:
    from rich.console import Console

Line = tuple[str, float, float, float, float]  # parameter, first-order index, its half-width, total index, its half-width
SHOWN = 8


def print_sensitivity(outputs: Sequence[tuple[str, str, float, float, float, Sequence[Line]]], *, notes: Sequence[str] = (), folder: object = None, console: Console | None = None) -> None:
    """Print interval and indices of each output, the largest total index first, the notes and where the files are.

    Args:
        outputs: name, unit, value of the case, 2.5 and 97.5 % quantile, and a line per parameter.
        notes: sentences for the reader.
        folder: where the files are.
        console: where to print (default: standard output).
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console()
    for name, unit, nominal, low, high, lines in outputs:
        console.print(Text(name, style="bold"))
        console.print(Text(f"  {nominal:.4g} {unit}, 95 % interval {low:.4g} to {high:.4g}"))
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("", no_wrap=True)
        for words in ("first order", "total"):
            table.add_column(words, justify="right", no_wrap=True)
        for parameter, first, first_half, total, total_half in sorted(lines, key=lambda line: -line[3] if line[3] == line[3] else 1.0)[:SHOWN]:
            table.add_row(parameter, _index(first, first_half), _index(total, total_half))
        console.print(table)
    _end(console, notes, folder)


def _index(value: float, half: float) -> str:
    return "does not vary" if value != value else f"{value:5.2f} ± {half:.2f}"


def print_effects(outputs: Sequence[tuple[str, str, float, Sequence[Line]]], *, notes: Sequence[str] = (), folder: object = None, console: Console | None = None) -> None:
    """Print the elementary effects of each output, the largest mean size first; a line is parameter, mean, mean size, its half-width, standard deviation."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = console or Console()
    for name, unit, nominal, lines in outputs:
        console.print(Text(name, style="bold"))
        console.print(Text(f"  {nominal:.4g} {unit}; effect of each parameter from its 2.5 to its 97.5 % quantile:".replace(" ;", ";")))
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("", no_wrap=True)
        for words in ("mean", "mean size", "SD"):
            table.add_column(words, justify="right", no_wrap=True)
        for parameter, mean, size, half, spread in sorted(lines, key=lambda line: -line[2])[:SHOWN]:
            table.add_row(parameter, f"{mean:+.3g}", f"{size:.3g} ± {half:.2g}", f"{spread:.3g}")
        console.print(table)
    _end(console, notes, folder)


def _end(console: Console, notes: Sequence[str], folder: object) -> None:
    from rich.text import Text

    for note in notes:
        console.print(Text(note, style="yellow"))
    if folder is not None:
        console.print(Text(f"Files: {folder}"), soft_wrap=True)
    console.print(Text(NOT_A_DIAGNOSIS, style="bold"))


@contextmanager
def run_progress(words: str) -> Iterator[Callable[[int, int, str, float | None], None]]:
    """Show a bar with the rate and the time left on standard error, and give what moves it: called with runs done, runs in all, words, and seconds left."""
    from datetime import timedelta

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn(words), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(words, total=None, rate="", left="")

        def move(done: int, total: int, rate: str, left_s: float | None) -> None:
            left = "" if left_s is None else f"{timedelta(seconds=round(left_s))} left"
            bar.update(task, completed=done, total=total, rate=rate, left=left)

        yield move
