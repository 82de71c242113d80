"""The plan of a run in the terminal, in 80 columns, and the progress of its search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kneeload.views import plan_wording, wording

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"falls": "green", "rises": "yellow", "same": "dim", "none": "dim"}


def print_plan(summary: Mapping[str, Any], console: Console) -> None:
    """Print the table of plans and the ranking of single interventions; nothing without a plan."""
    from rich.text import Text

    plan = wording.part(summary, "plan")
    if not plan:
        return
    console.print(_plans(summary, plan))
    if plan["ranking"]:
        console.print(_ranking(summary))
    for sentence in plan_wording.plan_sentences(summary)[2:]:
        console.print(Text(sentence))


def _plans(summary: Mapping[str, Any], plan: Mapping[str, Any]):  # type: ignore[no-untyped-def]
    from rich.text import Text

    table = _table("Plans: change of the daily dose", "Plan", ["burden", wording.plain(plan["target"]).replace(" ", "\n"), "medial", "lateral", "knee-\ncap"])
    for row in plan_wording.plan_rows(summary):
        table.add_row(plan_wording.short_words(row["words"]) + ("" if row["kept"] else " (above the limits)"), row["burden"], *(Text(words, style=_STYLES[kind]) for kind, words in row["cells"]))
    return table


def _ranking(summary: Mapping[str, Any]):  # type: ignore[no-untyped-def]
    from rich.text import Text

    table = _table("Single interventions: change of the daily dose", "Intervention", ["medial", "lateral", "kneecap", "suits"])
    for row in plan_wording.ranking_rows(summary):
        table.add_row(plan_wording.short_words(row["words"]), *(Text(words, style=_STYLES[kind]) for kind, words in row["cells"]), row["suits"].lower())
    return table


def _table(title: str, first: str, columns: list[str]):  # type: ignore[no-untyped-def]
    from rich import box
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, ratio=1)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


@contextmanager
def plan_progress() -> Iterator[Callable[[int, int, str], None]]:
    """Show a bar on standard error while a plan is searched, and give what moves it: called with cases done, the largest number there may be, and what they are for."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(TextColumn("plan: {task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("at most"), TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        yield lambda done, total, words: bar.update(task, completed=done, total=total, description=words)
