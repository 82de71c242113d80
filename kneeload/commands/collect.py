"""`kneeload collect`: one table from a sweep, and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kneeload.commands import CaseOf
from kneeload.commands.parser import Parser, UsageError

_ABOUT = """Reads the folder of a sweep (`kneeload --multirun ...`) and writes one table with a row for each job: the keys that were overridden,
every number of its summary.json, status and error. Jobs that failed or are not finished are rows too, with their sentence.
Draws the response: over one key a curve, over two a map. See docs/sweeps.md."""


def run(arguments: Sequence[str], case_of: CaseOf) -> int:
    """Collect, write and print; 0 = done."""
    parser = Parser("collect", _ABOUT)
    parser.add_argument("folder", metavar="DIR", nargs="?", type=Path, help="folder of a sweep")
    parser.add_argument("--output", metavar="FILE", type=Path, action="append", help="table to write, .parquet or .csv; may be given twice (default DIR/table.parquet and DIR/table.csv, or table-2 and so on)")
    parser.add_argument("--plot", metavar="COLUMN", nargs="+", help="what to draw: X [Y] QUANTITY (default: the first one or two swept numbers, and the medial risk, pressure or force)")
    parser.add_argument("--picture", metavar="FILE", type=Path, help="picture to draw, .png, .svg or .pdf (default beside the first table)")
    parser.add_argument("--no-plot", action="store_true", help="only the table")
    values = parser.parse_args(list(arguments))
    if values.folder is None:
        raise UsageError("kneeload collect needs the folder of a sweep: `kneeload collect --help` lists what it takes.")
    if values.plot and len(values.plot) not in (2, 3):
        raise UsageError("--plot takes X QUANTITY or X Y QUANTITY: `kneeload collect --help` lists what it takes.")
    from kneeload.collect import axes_of, collect, free_name, require_parquet, write_table

    table = collect(values.folder)
    axes = () if values.no_plot else axes_of(table, values.plot or ())
    outputs: list[Path] = values.output or [free_name(values.folder / name) for name in ("table.parquet", "table.csv")]
    if any(path.suffix == ".parquet" for path in outputs):
        require_parquet()
    for path in outputs:
        write_table(table, path)
    print(f"{table.jobs} jobs: {table.count('ok')} ok, {table.count('failed')} failed, {table.count('unfinished')} unfinished")
    for number, error in zip(table.columns["job"], table.columns["error"]):
        if error:
            print(f"  job {number}: {error}")
    print("table: " + ", ".join(str(path) for path in outputs) + f" ({len(table.columns)} columns)")
    if axes:
        from kneeload.views.response import draw_response

        picture = values.picture or free_name(outputs[0].with_name("response.png" if not values.output else f"{outputs[0].stem}.png"))
        notes = draw_response(picture, table.columns, axes, rest=[key for key in table.swept if key not in axes])
        print(f"picture: {picture}")
        for note in notes:
            print(note)
    elif not values.no_plot:
        print("no picture: no key with numbers was swept, or no job is done; --plot X QUANTITY chooses columns")
    return 0
