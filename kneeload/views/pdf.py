"""report.pdf: two pages to print and hand over. Page 1 says what was found, page 2 the numbers, the evidence and the limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, KeepInFrame

from kneeload.views import outlook_wording, wording
from kneeload.views.curves import KneeCurves
from kneeload.views.pdf_parts import (
    BOLD,
    INK,
    LESS,
    MORE,
    REGULAR,
    SOFT,
    WARN,
    Curves,
    Picture,
    paragraph,
    register_fonts,
    safe,
    table,
)
from kneeload.views.run_files import file_rows
from kneeload.views.scene import NOT_A_DIAGNOSIS

_SIDE, _TOP, _FOOT = 14.0 * mm, 12.0 * mm, 15.0 * mm
_WIDTH = A4[0] - 2.0 * _SIDE
_SIZES = (8.6, 8.2, 7.8, 7.4, 7.0)  # points, tried from the largest; below the last one parts are left out
_TALLEST, _SMALLEST = 138.0 * mm, 78.0 * mm  # height of the map of pressure
_CHANGES = ("peak_force_pct", "peak_pressure_pct", "daily_dose_pct", "risk_pct")  # of those of the summary, the columns that page 1 has room for
_MOST_PEOPLE = "In brackets: the range in which most people lie. ▼ falls and ▲ rises in nearly all of them, ◆ falls in some and rises in others."
LIMITS = (
    "Movement and muscle forces are published means scaled to this person, unless a recording was given. Two people of the same size walk differently.",
    "The knee is a scaled reference knee unless images were given. Cartilage and menisci are elastic layers: they do not tear, swell or wear here.",
    "Risks and intervals come from groups of people. They say what is plausible under this load, not what this person has or will get.",
    "Bone marrow lesions explain only a small part of knee pain. A high number here does not explain pain, and a low one does not deny it.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A part of a page.

    Attributes:
        name: what a reader is told when it is left out.
        make: its flowables for a size of letters in points.
        rank: 0 stays; the highest goes first where there is no room.
    """

    name: str
    make: Callable[[float], list[Flowable]]
    rank: int = 0


def write_pdf(path: Path | str, summary: Mapping[str, Any], *, stress: Path | str | None = None, curves: KneeCurves | None = None, before: KneeCurves | None = None,
              notes: Sequence[str] = (), files: Sequence[str] = ()) -> Path:
    """Write two A4 pages about one run, with words that can be selected.

    Letters become smaller, and then the least important parts are left out with a note, until everything stands on two pages.

    Args:
        path: the file to write.
        summary: the content of summary.json; parts that are missing or null are left out.
        stress: the picture of the pressures; None leaves it out.
        curves: forces over the cycle; before: the same without the interventions.
        notes: sentences about this run that the reader must know.
        files: names of further files of the run.
    """
    register_fonts()
    canvas = Canvas(str(path), pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle("Where the load lands in this knee")
    canvas.setAuthor("kneeload")
    canvas.setSubject(NOT_A_DIAGNOSIS)
    canvas.setCreator(f"kneeload {safe(summary.get('version') or '', 40)}")
    picture = None if stress is None else Path(stress)
    for number, blocks in enumerate((_first_page(summary, picture, curves, before, notes), _second_page(summary, None if picture is None else curves, before, files)), start=1):
        _draw_page(canvas, blocks, number, str(summary.get("version") or ""))
    canvas.save()
    return Path(path)


def _first_page(summary: Mapping[str, Any], picture: Path | None, curves: KneeCurves | None, before: KneeCurves | None, notes: Sequence[str]) -> list[_Block]:
    blocks = [_Block(name="head", make=lambda size: _head(summary, size))]
    if summary.get("error"):
        blocks.append(_Block(name="error", make=lambda size: [paragraph("This run failed", size + 2.0, bold=True), paragraph(safe(summary["error"]), size)]))
    specialist = [flag["sentence"] for flag in outlook_wording.flags(summary) if flag.get("specialist")]
    short = wording.in_short(summary)
    if short:
        blocks.append(_listed("In short", "in short", short))
    if specialist:
        blocks.append(_said("A specialist should look", "what a specialist should look at", specialist))
    if picture is not None:
        blocks.append(_Block(name="map of pressure", make=lambda size: [_title("Where it lands: contact pressure at the moment of the highest force", size),
                                                                        Picture(picture, _WIDTH, _TALLEST if size == _SIZES[0] else _TALLEST - (_SIZES[0] - size) / (_SIZES[0] - _SIZES[-1]) * (_TALLEST - _SMALLEST))]))
    elif curves is not None:
        blocks.append(_curves(summary, curves, before, 70.0 * mm))
    if wording.change_rows(summary):
        blocks.append(_Block(name="what falls and what rises", make=lambda size: _change(summary, size)))
    zones = [*outlook_wording.zone_sentences(summary), *outlook_wording.new_lesion_sentences(summary)]
    if zones:
        blocks.append(_said("Where bone carries too much", "where bone carries too much", zones))
    if notes:
        blocks.append(_listed("About this run", "remarks about this run", list(notes), rank=2))
    return blocks


def _second_page(summary: Mapping[str, Any], curves: KneeCurves | None, before: KneeCurves | None, files: Sequence[str]) -> list[_Block]:
    blocks = []
    if curves is not None:
        blocks.append(_curves(summary, curves, before, 52.0 * mm))
    if wording.part(summary, "loads"):
        blocks.append(_Block(name="table of compartments", make=lambda size: _compartments(summary, size)))
    plan = _plan_sentences(summary)
    if plan:
        blocks.append(_said("What would move it", "what would move it", plan, rank=4))
    course = outlook_wording.course_sentences(summary)
    if course:
        blocks.append(_said("How lesions may go on", "how lesions may go on", course, rank=3))
    pain = wording.pain_rows(summary)
    if pain:
        index = "Relative to the reference person (95 % interval): " + "; ".join(f"{name.lower()} {value} ({interval})" for name, value, interval in pain) + "."
        blocks.append(_said("Load-related pain", "load-related pain", [index, *outlook_wording.pain_sentences(summary)[:2]], rank=3))
    regions = _loaded_regions(summary)
    if regions:
        blocks.append(_Block(name="table of regions", make=lambda size: [_title("The five regions of bone with the highest daily dose", size), _region_table(regions, size)], rank=5))
    evidence = _evidence(summary)
    if evidence:
        blocks.append(_listed("The evidence behind", "the evidence behind", evidence, rank=4, smaller=0.5))
    blocks.append(_listed("What this model cannot tell", "limits of the model", list(LIMITS), smaller=0.3))
    blocks.append(_Block(name="technical appendix", make=lambda size: _appendix(summary, files, size)))
    return blocks


def _draw_page(canvas: Canvas, blocks: list[_Block], number: int, version: str) -> None:
    room = A4[1] - _TOP - _FOOT
    parts = _fitted(blocks, room)
    y = A4[1] - _TOP
    for part in parts:
        _, height = part.wrapOn(canvas, _WIDTH, room)
        y -= height
        part.drawOn(canvas, _SIDE, y)
        y -= part.getSpaceAfter()
    canvas.setFont(BOLD, 8.5)
    canvas.setFillColor(WARN)
    canvas.drawString(_SIDE, 9.0 * mm, NOT_A_DIAGNOSIS)
    canvas.setFont(REGULAR, 7.5)
    canvas.setFillColor(SOFT)
    canvas.drawRightString(A4[0] - _SIDE, 9.0 * mm, f"kneeload {version[:20]}, computed by a model, page {number} of 2".replace(" ,", ","))
    canvas.showPage()


def _fitted(blocks: list[_Block], room: float) -> list[Flowable]:
    """The flowables of a page that fit into `room` points: in smaller letters, then without the blocks of the highest ranks, then shrunk as a whole."""
    for size in _SIZES:
        parts = [part for block in blocks for part in block.make(size)]
        if _height(parts) <= room:
            return parts
    kept, left_out = list(blocks), []
    while any(block.rank for block in kept):
        last = max(kept, key=lambda block: block.rank)
        kept.remove(last)
        left_out.append(last.name)
        note = paragraph(f"Not printed for want of room, but in report.html: {', '.join(left_out)}.", _SIZES[-1], colour=SOFT)
        parts = [*(part for block in kept for part in block.make(_SIZES[-1])), note]
        if _height(parts) <= room:
            return parts
    return [KeepInFrame(_WIDTH, room, parts, mode="shrink")]


def _height(parts: Sequence[Flowable]) -> float:
    return sum(part.wrap(_WIDTH, A4[1])[1] + part.getSpaceAfter() for part in parts)


def _title(words: str, size: float) -> Flowable:
    return paragraph(safe(words), size + 1.6, bold=True, after=0.3)


def _listed(title: str, name: str, sentences: Sequence[str], *, rank: int = 0, smaller: float = 0.0) -> _Block:
    return _Block(name=name, rank=rank, make=lambda size: [_title(title, size), *(paragraph(safe(words), size - smaller, bullet=True, after=0.15 if words != sentences[-1] else 0.6) for words in sentences)])


def _said(title: str, name: str, sentences: Sequence[str], *, rank: int = 0) -> _Block:
    return _Block(name=name, rank=rank, make=lambda size: [_title(title, size), paragraph(safe(" ".join(sentences), 1600), size, after=0.6)])


def _head(summary: Mapping[str, Any], size: float) -> list[Flowable]:
    activity, names = wording.plain(summary.get("activity")), wording.intervention_names(summary)
    line = ", ".join(part for part in (wording.person_line(summary), activity) if part) + (f", with {' and '.join(names)}" if names else "")
    warning = paragraph(f'<font name="{BOLD}" color="{WARN.hexval().replace("0x", "#")}">{NOT_A_DIAGNOSIS}</font> A computer model made these pages. They do not replace an examination, an image or the '
                        "advice of a clinician. Do not start, stop or change a treatment because of them.", size, after=0.7)
    return [paragraph("Where the load lands in this knee", size + 9.0, bold=True, after=0.15), paragraph(safe(line), size + 1.0, colour=SOFT, after=0.4), warning]


def _curves(summary: Mapping[str, Any], curves: KneeCurves, before: KneeCurves | None, height: float) -> _Block:
    weight = wording.part(summary, "loads").get("body_weight_n")
    weight = float(weight) if wording.is_number(weight) else None  # type: ignore[arg-type]
    words = f"Force over one cycle of {wording.plain(summary.get('activity')) or 'the activity'}"
    return _Block(name="forces over the cycle", make=lambda size: [_title(words, size), Curves(curves, before, weight, _WIDTH, height * size / _SIZES[0], 7.2)])


def _change(summary: Mapping[str, Any], size: float) -> list[Flowable]:
    rows, fields = wording.change_rows(summary), wording.change_fields(summary)
    chosen = [number for number, field in enumerate(fields) if field in _CHANGES]
    kinds = {(i + 1, j + 1): {"falls": LESS, "rises": MORE}.get(row["cells"][number][0], INK) for j, row in enumerate(rows) for i, number in enumerate(chosen)}
    cells = [["Against the same person without it", *(wording.CHANGES[fields[number]].capitalize() for number in chosen)],
             *([row["name"], *(row["cells"][number][1] for number in chosen)] for row in rows)]
    widths = [0.26 * _WIDTH] + [0.74 * _WIDTH / max(len(chosen), 1)] * len(chosen)
    parts = [_title("What falls and what rises", size), table([[safe(cell) for cell in row] for row in cells], widths, size - 0.4, colours=kinds)]
    return [*parts, paragraph(_MOST_PEOPLE, size - 1.0, colour=SOFT)] if any("(" in cell for row in cells[1:] for cell in row[1:]) else parts


def _compartments(summary: Mapping[str, Any], size: float) -> list[Flowable]:
    touched = bool(wording.part(summary, "contact"))
    titles = ["Compartment", "Peak force (N)", "Body weights"] + (["Peak pressure (MPa)", "Mean pressure (MPa)", "Contact area (mm²)", "Through the meniscus"] if touched else [])
    keys = ["name", "force", "weights"] + (["peak", "mean", "area", "meniscus"] if touched else [])
    rows = [titles, *([row[key] for key in keys] for row in wording.compartment_rows(summary))]
    widths = [0.28 * _WIDTH] + [0.72 * _WIDTH / (len(titles) - 1)] * (len(titles) - 1)
    return [_title("Load by compartment", size), table([[safe(cell) for cell in row] for row in rows], widths, size - 0.4)]


def _loaded_regions(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    return sorted((row for row in wording.region_rows(summary) if row["dose_value"] > 0.0), key=lambda row: -row["dose_value"])[:5]


def _region_table(rows: Sequence[Mapping[str, Any]], size: float) -> Flowable:
    cells = [["Region", "Peak stress (MPa)", "Daily dose (MPa s)", "New lesion in 24 months", "95 % interval"], *([row[key] for key in ("name", "stress", "dose", "risk", "interval")] for row in rows)]
    return table([[safe(cell, 80) for cell in row] for row in cells], [0.28 * _WIDTH] + [0.18 * _WIDTH] * 4, size - 0.4)


def _plan_sentences(summary: Mapping[str, Any]) -> list[str]:
    if not wording.part(summary, "plan"):
        return []
    from kneeload.views.plan_wording import plan_sentences

    return [str(sentence) for sentence in plan_sentences(summary)]


def _evidence(summary: Mapping[str, Any]) -> list[str]:
    """Sentences about what is known of the interventions, then the sources of the run."""
    _, sources = wording.provenance_rows(summary)
    motion = wording.part(summary, "provenance").get("motion_source")
    return [*wording.lesion_evidence(summary), *([f"Movement: {motion}"] if motion else []), *sources][:8]


def _appendix(summary: Mapping[str, Any], files: Sequence[str], size: float) -> list[Flowable]:
    person = "; ".join(f"{label} {value}" for label, value in wording.subject_rows(wording.part(summary, "subject")))
    facts = [(label, value) for label, value in wording.provenance_rows(summary)[0] if label.lower() not in ("note", "motion source")]
    parts = [("Who was modelled", person), ("Computed with", "; ".join(f"{label} {value}" for label, value in facts)), ("Further files of this run", ", ".join(name for name, _ in file_rows(files)))]
    parts.insert(1, ("Chain", "movement and joint moments, muscle forces by static optimisation, contact by elastic foundation, stress in the bone by a half-space, daily dose, "
                     "hazard of lesions with published odds ratios. Forces in N, pressures in MPa, medial = inner side." if summary.get("contact") else
                     "movement and joint moments, muscle forces by static optimisation. Contact, bone and lesions were not computed."))
    return [_title("Technical appendix", size), *(paragraph(f'<font name="{BOLD}">{title}:</font> {safe(words, 900)}', size - 1.4, colour=SOFT) for title, words in parts if words)]
