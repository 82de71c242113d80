"""`kneeload compare`: two or more runs beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kneeload.commands import CaseOf
from kneeload.commands.parser import Parser, UsageError

_ABOUT = """Puts run folders side by side, the first being the base: compare.csv and compare.json (moments, forces, pressures, areas, dose,
lesion risk, pain; differences in percent), compare.png (maps of contact pressure on one colour scale) and difference.png (each run less
the first), in a new folder. Maps need the knee.vtm of the runs (view.vtk=true, the default)."""


def run(arguments: Sequence[str], case_of: CaseOf) -> int:
    """Compare, print and write; 0 = done."""
    parser = Parser("compare", _ABOUT)
    parser.add_argument("folders", metavar="DIR", nargs="*", type=Path, help="run folders, two or more")
    parser.add_argument("--output", metavar="FOLDER", type=Path, help="folder to make (default runs/compare_<time>/)")
    parser.add_argument("--no-pictures", action="store_true", help="only the table")
    values = parser.parse_args(list(arguments))
    if len(values.folders) < 2:
        raise UsageError("kneeload compare needs two or more run folders: `kneeload compare --help` lists what it takes.")
    from kneeload.comparison import compare_runs
    from kneeload.output_folder import new_folder
    from kneeload.views.comparison_table import print_comparison

    folder = values.output or new_folder("compare")
    found = compare_runs(values.folders, folder, pictures=not values.no_pictures)
    print_comparison(found.labels, [(row.quantity, row.place, row.unit, row.values, row.difference_pct) for row in found.rows], notes=found.notes, folder=folder)
    return 0
