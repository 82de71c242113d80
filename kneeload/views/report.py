"""report.html: one page for a person and their therapist, with everything inside the file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kneeload.views import wording
from kneeload.views.scene import NOT_A_DIAGNOSIS

_ALT = {
    "stress": "Pictures of the knee coloured by contact pressure in MPa: whole knee, femoral condyles from below, tibial plateau with menisci "
              "from above, femoral groove from the front and kneecap from behind. The numbers are in the table of compartments.",
    "forces": "Curves over one cycle: tibiofemoral, medial, lateral and patellofemoral contact force in newtons, and knee adduction and "
              "extension moments. The peaks are in the table of compartments.",
}
_CAPTIONS = {
    "stress": "Contact pressure at the moment of the highest force. Darker means more pressure.",
    "forces": "Forces and moments of the knee over one cycle of the activity.",
}


def write_report(path: Path | str, summary: Mapping[str, Any], *, stress: Path | str | None = None, forces: Path | str | None = None,
                 notes: Sequence[str] = ()) -> Path:
    """Write the report of one run as a single HTML file.

    Args:
        path: the file to write.
        summary: the content of summary.json; parts that are missing or null are left out of the page.
        stress, forces: the pictures, put into the page itself; None leaves a picture out.
        notes: sentences about this run that the reader must know, such as why a picture is flat.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    facts, sources = wording.provenance_rows(summary)
    pictures = [{"data": _embedded(Path(file)), "alt": _ALT[key], "caption": _CAPTIONS[key]}
                for key, file in (("stress", stress), ("forces", forces)) if file is not None]
    text = environment.get_template("report.html.jinja").render(
        disclaimer=NOT_A_DIAGNOSIS, person=wording.person_line(summary), activity=wording.plain(summary.get("activity")),
        interventions=wording.intervention_names(summary), error=summary.get("error"), version=summary.get("version") or "",
        short=wording.in_short(summary), compartments=wording.compartment_rows(summary), regions=wording.region_rows(summary),
        changes=wording.change_rows(summary), change_titles=list(wording.CHANGES.values()), pain=wording.pain_rows(summary), agreement=wording.agreement_rows(summary),
        subject=wording.subject_rows(wording.part(summary, "subject")), pictures=pictures, notes=list(notes), facts=facts, sources=sources,
        has_contact=bool(wording.part(summary, "contact")),
    )
    Path(path).write_text(text, encoding="utf-8")
    return Path(path)


def _embedded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode("ascii")
