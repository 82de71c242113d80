"""The report of a result: one HTML file with the knee to be turned inside, or a PDF of two pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from kneeload.errors import InputError
from kneeload.outlook import outlook_summary
from kneeload.result import KneeResult
from kneeload.run_folder import draw_pictures, notes_of, write_html, write_pdf_pages

if TYPE_CHECKING:
    from kneeload.plan import PlanResult

_FORMS = (".html", ".pdf")


def write_report(result: KneeResult, path: Path | str, *, plan: PlanResult | None = None, notes: Sequence[str] = ()) -> Path:
    """Write the report of a result: report.html where the name ends with .html, the two pages of report.pdf where it ends with .pdf.

    Both hold their pictures and letters and ask for nothing outside the file.

    Args:
        result: what `simulate` answered.
        path: the file to write; its folder must exist.
        plan: what `kneeload.plan` found for this person, if it was asked.
        notes: further sentences that the reader must know.

    Raises:
        InputError: a name with another ending, a file that exists already, a folder that does not.
    """
    file = Path(path)
    if file.suffix.lower() not in _FORMS:
        raise InputError("file of a report", where="path", got=file.name, allowed="a name that ends with .html or .pdf", why="these are the two forms of a report")
    if file.exists():
        raise InputError("file of a report", where="path", got=file.name, allowed="a name that is not in use", why="nothing is written over")
    if not file.parent.is_dir():
        raise InputError("folder of a report", where="path", got=str(file.parent), allowed="a folder that exists", why="the report is written into it")
    summary: dict[str, Any] = result.summary() | outlook_summary(result, () if plan is None else plan.effects) | {"plan": None if plan is None else plan.summary()}
    with TemporaryDirectory() as folder:
        remarks, drawn = draw_pictures(result, summary, Path(folder), plan=plan)
        told = [*notes_of(result), *remarks, *notes]
        if file.suffix.lower() == ".pdf":
            return write_pdf_pages(result, summary, file, drawn=drawn, notes=told)
        write_html(result, summary, file, drawn=drawn, notes=told)
    return file
