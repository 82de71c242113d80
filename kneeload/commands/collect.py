"""`kneeload collect`: one table from a sweep, and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kneeload.commands import CaseOf
from kneeload.commands.parser import Parser, UsageError

if TYPE_CHECKING:
    from kneeload.collect import SweepTable

_ABOUT = """Reads the folder of a sweep (`kneeload --multirun ...`) and writes one table with a row for each job: the keys that were overridden,
every number of its summary.json, status and error. Jobs that failed or are not finished are rows too, with their sentence.
Draws the response: over one key a curve, over two a map; a recipe (`experiment=`) says itself what answers its question. See docs/sweeps.md."""
SENTENCES = 20  # different sentences of jobs that are told in the terminal; the table has all


def run(arguments: Sequence[str], case_of: CaseOf) -> int:
    """Collect, write and print; 0 = done."""
    parser = Parser("collect", _ABOUT)
    parser.add_argument("folder", metavar="DIR", nargs="?", type=Path, help="folder of a sweep")
    parser.add_argument("--output", metavar="FILE", type=Path, action="append", help="table to write, .parquet or .csv; may be given twice (default DIR/table.parquet and DIR/table.csv, or table-2 and so on)")
    parser.add_argument("--plot", metavar="COLUMN", nargs="+", action="append", help="what to draw: X [Y] QUANTITY; may be given several times (default: what the recipe says, else the first one or two swept numbers, and the medial risk, pressure or force)")
    parser.add_argument("--picture", metavar="FILE", type=Path, help="picture to draw, .png, .svg or .pdf (default response.png beside the first table; further pictures are -2 and so on)")
    parser.add_argument("--no-plot", action="store_true", help="only the table")
    values = parser.parse_args(list(arguments))
    if values.folder is None:
        raise UsageError("kneeload collect needs the folder of a sweep: `kneeload collect --help` lists what it takes.")
    if any(len(names) not in (2, 3) for names in values.plot or ()):
        raise UsageError("--plot takes X QUANTITY or X Y QUANTITY: `kneeload collect --help` lists what it takes.")
    from kneeload.collect import axes_of, collect, free_name, require_parquet, write_table

    table = collect(values.folder)
    pictures, notes = ([], []) if values.no_plot else ([axes_of(table, names) for names in values.plot], []) if values.plot else _usual(table)
    outputs: list[Path] = values.output or [free_name(values.folder / name) for name in ("table.parquet", "table.csv")]
    if any(path.suffix == ".parquet" for path in outputs):
        require_parquet()
    for path in outputs:
        write_table(table, path)
    print(f"{table.jobs} jobs: {table.count('ok')} ok, {table.count('failed')} failed, {table.count('unfinished')} unfinished")
    _tell_errors(table)
    print("table: " + ", ".join(str(path) for path in outputs) + f" ({len(table.columns)} columns)")
    for note in notes:
        print(note)
    for axes in pictures:
        from kneeload.views.response import draw_response

        first = values.picture or outputs[0].with_name("response.png" if not values.output else f"{outputs[0].stem}.png")
        picture = first if values.picture and axes is pictures[0] else free_name(first)
        found = draw_response(picture, table.columns, axes, rest=[key for key in table.swept if key not in axes])
        print(f"picture: {picture} ({axes[-1]} over {' and '.join(axes[:-1])})")
        for note in found:
            print(note)
    if not pictures and not values.no_plot:
        print("no picture: no key with numbers was swept, or no job is done; --plot X QUANTITY chooses columns")
    return 0


def _usual(table: SweepTable) -> tuple[list[tuple[str, ...]], list[str]]:
    """Columns of the pictures when none are asked for, and what cannot be drawn of the recipe's."""
    from kneeload.collect import axes_of, spread

    pictures = [axes for axes in table.plots if all(spread(table, name, 2 if name != axes[-1] else 1) for name in axes)]
    notes = [f"not drawn, though the recipe says so: {axes[-1]} over {' and '.join(axes[:-1])}: too few jobs have these numbers" for axes in table.plots if axes not in pictures]
    usual = axes_of(table)
    return (pictures or ([usual] if usual else [])), notes


def _tell_errors(table: SweepTable) -> None:
    """Print each sentence once, with the jobs that it belongs to."""
    jobs: dict[str, list[str]] = {}
    for number, error in zip(table.columns["job"], table.columns["error"]):
        if error:
            jobs.setdefault(error, []).append(str(number))
    for error, numbers in list(jobs.items())[:SENTENCES]:
        several = f"{len(numbers)} jobs ({', '.join(numbers[:10])}{', ...' if len(numbers) > 10 else ''})" if len(numbers) > 1 else f"job {numbers[0]}"
        print(f"  {several}: {error}")
    if len(jobs) > SENTENCES:
        print(f"  and {len(jobs) - SENTENCES} more sentences in the table")
