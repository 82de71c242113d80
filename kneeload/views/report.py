"""report.html: one page for a person and their therapist, with everything inside the file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kneeload.lesion.zones import RELATIVE_RISK
from kneeload.views import outlook_wording, plan_wording, wording
from kneeload.views.run_files import file_rows
from kneeload.views.scene import NOT_A_DIAGNOSIS
from kneeload.views.solid import Solid
from kneeload.views.solid_page import NO_VIEWER, solid_parts

_ALT = {
    "stress": "Pictures of the knee coloured by contact pressure in MPa: whole knee, femoral condyles from below, tibial plateau with menisci "
              "from above, femoral groove from the front and kneecap from behind. The numbers are in the table of compartments.",
    "forces": "Curves over one cycle: tibiofemoral, medial, lateral and patellofemoral contact force in newtons, and knee adduction and "
              "extension moments. The peaks are in the table of compartments.",
    "zones": "Translucent bones with the bone that carries too much as solid coloured cubes: whole knee from the front, thigh bone and shin bone from above, kneecap "
             "from the front. Places and sizes are in the table below the picture.",
    "plan": "Left, a chart of simulated combinations of interventions: change of the daily dose in the overloaded bone over the burden. Right, bars of what each single "
            "intervention does to the dose of each compartment. The numbers are in the tables below it, in plan.csv and in ranking.csv.",
    "course": "Chart of the volume of bone marrow lesions in cubic centimetres over the weeks: median and 95 % band, with the interventions and as before. "
              "The numbers are in the sentences below it and in course.csv.",
}
_CAPTIONS = {
    "stress": "Contact pressure at the moment of the highest force. Darker means more pressure.",
    "forces": "Forces and moments of the knee over one cycle of the activity.",
    "zones": "Solid: bone that carries too much over a usual day. Pale: bone up to 20 % below that level.",
    "plan": "Left: what a fall of the load takes. Right: what each intervention does alone; bars to the left are falls.",
    "course": "What may become of lesions. The line has half of the modelled futures above and half below it; 95 of 100 lie in the band.",
}


def write_report(path: Path | str, summary: Mapping[str, Any], *, stress: Path | str | None = None, forces: Path | str | None = None,
                 zones: Path | str | None = None, course: Path | str | None = None, plan: Path | str | None = None, solid: Solid | None = None,
                 notes: Sequence[str] = (), files: Sequence[str] = ()) -> Path:
    """Write the report of one run as a single HTML file.

    Args:
        path: the file to write.
        summary: the content of summary.json; parts that are missing or null are left out of the page.
        stress, forces, zones, course, plan: the pictures, put into the page itself; None leaves a picture out.
        solid: the knee to be turned in the page, which then holds a program of its own; None leaves it out.
        notes: sentences about this run that the reader must know, such as why a picture is flat.
        files: names of further files of the run, which the last section lists with what they hold.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    turned = None if solid is None else solid_parts(solid)
    if solid is not None and turned is None:
        notes = [*notes, NO_VIEWER]
    facts, sources = wording.provenance_rows(summary)
    pictures = {key: None if file is None else {"data": _embedded(Path(file)), "alt": _ALT[key], "caption": _CAPTIONS[key]}
                for key, file in (("stress", stress), ("forces", forces), ("zones", zones), ("course", course), ("plan", plan))}
    text = environment.get_template("report.html.jinja").render(
        disclaimer=NOT_A_DIAGNOSIS, person=wording.person_line(summary), activity=wording.plain(summary.get("activity")),
        interventions=wording.intervention_names(summary), error=summary.get("error"), version=summary.get("version") or "",
        compartments=wording.compartment_rows(summary), regions=wording.region_rows(summary),
        changes=wording.change_rows(summary), change_titles=[wording.CHANGES[field] for field in wording.change_fields(summary)], whole_changes=wording.whole_change_rows(summary),
        change_sentences=wording.change_summary_rows(summary), lesion_evidence=wording.lesion_evidence(summary), change_intervals=bool(wording.part(summary, "change", "spread").get("sources")), pain=wording.pain_rows(summary), agreement=wording.agreement_rows(summary),
        subject=wording.subject_rows(wording.part(summary, "subject")), pictures=pictures, notes=list(notes), facts=facts, sources=sources,
        has_contact=bool(wording.part(summary, "contact")), solid=turned, files=file_rows(files), **_outlook(summary), **_plan(summary),
    )
    for unit in ("%", "cm³"):
        text = text.replace(f" {unit}", f"\N{NO-BREAK SPACE}{unit}")
    Path(path).write_text(text, encoding="utf-8")
    return Path(path)


def _outlook(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What may follow, in the words of `outlook_wording`; empty parts are left out of the page."""
    zones, new = outlook_wording.zone_sentences(summary), outlook_wording.new_lesion_sentences(summary)
    return {
        "short": [*wording.in_short(summary), *([" ".join(zones)] if zones else []), *new], "panel": outlook_wording.panel_rows(summary), "panel_disclaimer": wording.part(summary, "panel").get("disclaimer"),
        "flags": outlook_wording.flags(summary), "zone_sentences": zones, "zone_rows": outlook_wording.zone_rows(summary), "small_zones": outlook_wording.small_zones(summary),
        "zone_ratio": f"{RELATIVE_RISK:g}", "new_sentences": new, "new_rows": outlook_wording.new_lesion_rows(summary), "lesion_rows": outlook_wording.lesion_rows(summary),
        "course_sentences": outlook_wording.course_sentences(summary), "pain_sentences": outlook_wording.pain_sentences(summary),
        "evidence": outlook_wording.evidence_rows(summary) if wording.part(summary, "course") else [],
        "evidence_applied": bool(wording.part(summary, "course").get("modifiers")),
    }


def _plan(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What would move the load, in the words of `plan_wording`; empty without a plan."""
    return {"plan_sentences": plan_wording.plan_sentences(summary), "plan_rows": plan_wording.plan_rows(summary), "ranking_rows": plan_wording.ranking_rows(summary),
            "plan_uncertain": plan_wording.UNCERTAIN, "plan_not_simulated": wording.part(summary, "plan").get("not_simulated", []), "plan_target": plan_wording.target_words(wording.part(summary, "plan")) if summary.get("plan") else ""}


def _embedded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode("ascii")
