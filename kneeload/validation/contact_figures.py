"""Pictures of the contact section: where the pressure lies, and every number beside its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kneeload.contact.cycle import ContactCycle
from kneeload.errors import ConvergenceError
from kneeload.motion.activity import Activity
from kneeload.simulate import anatomy_of
from kneeload.subject.anatomy import KneeAnatomy
from kneeload.subject.person import Subject
from kneeload.validation.bench import Bench, activity_of, contact_of, run, within
from kneeload.validation.predictors.rig import on_axis, with_menisci
from kneeload.validation.table import ValidationRow
from kneeload.views.validation_contact_plots import Bar, BarChart, MapPatch, PressureMap

FIRST_PEAK = (5.0, 32.0)  # window of the first peak of the tibiofemoral force, % of the cycle
_PLATEAU = ("tibia_medial", "tibia_lateral", "medial_meniscus", "lateral_meniscus")
_UNITS = ("mm²", "MPa", "%", "ratio")  # units that have a chart


def contact_figures(bench: Bench | None, rows: Sequence[ValidationRow]) -> tuple[PressureMap | BarChart, ...]:
    """Return maps and bar charts, when rows of the contact level were predicted; `bench` is the one with contact."""
    judged = [row for row in rows if row.measurement.level == "contact" and row.predicted is not None]
    if bench is None or not judged:
        return ()
    return (*_maps(bench, judged), *bars(judged))


def _maps(bench: Bench, judged: Sequence[ValidationRow]) -> list[PressureMap]:
    sections, subject, found = {row.measurement.group for row in judged}, bench.case.subject, []
    try:
        if sections & {"Contact: walking and standing", "Contact: mesh density", "Contact: patellofemoral"}:
            found += _walking_maps(bench, subject)
        if sections & {"Contact: test rig", "Contact: menisci"}:
            found += _rig_maps(bench, subject)
    except ConvergenceError:  # the rows say so
        return found
    return found


def _walking_maps(bench: Bench, subject: Subject) -> list[PressureMap]:
    result = run(bench, subject, activity_of("walking", subject))
    cycle, anatomy, total = contact_of(result), anatomy_of(bench.case_of(subject)), result.force("tibiofemoral")
    frame = int(np.argmax(np.where(within(result, FIRST_PEAK), total, -np.inf)))
    figure = f"Contact pressure at the first peak of walking ({frame} % of the cycle)"
    medial, lateral, front = cycle.medial, cycle.lateral, cycle.patellofemoral
    words = (f"medial {medial.force[frame]:.0f} N, peak {medial.peak_pressure[frame]:.1f} MPa; "
             f"lateral {lateral.force[frame]:.0f} N, peak {lateral.peak_pressure[frame]:.1f} MPa")
    patella = PressureMap(figure=figure, title="Kneecap (patella), from behind", edges=("Medial", "Lateral", "Proximal", "Distal"),
                          words=f"{front.force[frame]:.0f} N, peak {front.peak_pressure[frame]:.1f} MPa",
                          patches=_patches(cycle, anatomy, frame, ("patella",), lambda p: np.column_stack([p[:, 2], p[:, 1]])))
    return [_plateau(figure, "Tibial plateau with menisci, from above", words, cycle, anatomy, frame), patella]


def _rig_maps(bench: Bench, subject: Subject) -> list[PressureMap]:
    maps = []
    for words, state in (("menisci in", "intact"), ("menisci out", "removed")):
        person = with_menisci(on_axis(subject), state, state)
        cycle = contact_of(run(bench, person, Activity(name="compression", force_n=1000.0)))
        area = cycle.medial.contact_area[0] + cycle.lateral.contact_area[0]
        peak = max(cycle.medial.peak_pressure[0], cycle.lateral.peak_pressure[0])
        maps.append(_plateau("Test rig: 1000 N on the extended knee", f"Plateau from above, {words}", f"{area:.0f} mm², peak {peak:.1f} MPa",
                             cycle, anatomy_of(bench.case_of(person)), 0))
    return maps


def _plateau(figure: str, title: str, words: str, cycle: ContactCycle, anatomy: KneeAnatomy, frame: int) -> PressureMap:
    return PressureMap(figure=figure, title=title, words=words, edges=("Lateral", "Medial", "Posterior", "Anterior"),
                       patches=_patches(cycle, anatomy, frame, _PLATEAU, lambda p: -p[:, [2, 0]]))


def _patches(cycle: ContactCycle, anatomy: KneeAnatomy, frame: int, names: Sequence[str],
             seen: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> tuple[MapPatch, ...]:
    surfaces = {"tibia_medial": anatomy.tibia_medial, "tibia_lateral": anatomy.tibia_lateral, "patella": anatomy.patella}
    menisci = {"medial_meniscus": anatomy.medial_meniscus, "lateral_meniscus": anatomy.lateral_meniscus}
    surfaces |= {name: item.surface for name, item in menisci.items() if item is not None}
    fields: dict[str, NDArray[np.float32]] = {field.name: field.pressure[frame] for field in cycle.fields}
    return tuple(MapPatch(name=name, points=seen(surfaces[name].mesh.points), triangles=surfaces[name].mesh.triangles,
                          pressure=fields[name].astype(np.float64)) for name in names if name in surfaces and name in fields)


def bars(judged: Sequence[ValidationRow]) -> list[BarChart]:
    """Return one chart per unit; small errors around zero and ratios of the two levels have charts of their own."""
    charts: dict[tuple[str, str, float], list[Bar]] = {}
    for row in judged:
        item, value = row.measurement, row.predicted
        if value is None or not np.isfinite(value) or item.unit not in _UNITS or item.group == "Contact: robustness":
            continue
        kind = _kind(row)
        if kind is not None:
            charts.setdefault(kind, []).append(_bar(row, value))
    figure = "Contact: predicted against measured"
    return [BarChart(figure=figure, title=title, label=label, origin=origin, bars=tuple(found))
            for (title, label, origin), found in charts.items()]


def _kind(row: ValidationRow) -> tuple[str, str, float] | None:
    """Title, axis label and origin of the chart that a row belongs to."""
    item = row.measurement
    if item.unit == "mm²":
        return "Areas", "Contact area (mm²)", 0.0
    if item.unit == "MPa":
        return "Pressures", "Contact pressure (MPa)", 0.0
    if item.unit == "ratio":
        if "over load level" in item.quantity:
            return "Peak forces after contact over those of the load level", "Ratio", 1.0
        if "finite elements" in item.quantity:
            return "Cartilage layer against finite elements", "Ratio", 1.0
        return "Ratios", "Ratio", 1.0
    if item.measured == 0.0:
        against = "closed forms" if item.group == "Contact: theory" else "the MRI knee and a finer mesh"
        return f"Errors against {against}", "Error (%)", 0.0
    return "Shares and changes", "Share or change (%)", 0.0


def _bar(row: ValidationRow, value: float) -> Bar:
    item = row.measurement
    words = item.quantity if item.setting in item.quantity else f"{item.quantity}; {item.setting}"
    return Bar(words=words[:1].upper() + words[1:], low=item.low, high=item.high, measured=item.measured, predicted=value,
               inside=row.verdict == "inside", binding=item.binding)


def map_lines(item: PressureMap) -> list[dict[str, str | float]]:
    """Return the numbers of a map: one line per loaded triangle, place in the picture (mm) and pressure (MPa)."""
    lines: list[dict[str, str | float]] = []
    for patch in item.patches:
        centre = patch.points[patch.triangles].mean(axis=1)
        for i in np.flatnonzero(patch.pressure > 0.0):
            lines.append({"figure": item.figure, "map": item.title, "surface": patch.name, "triangle": int(i),
                          "right_mm": float(centre[i, 0]), "up_mm": float(centre[i, 1]), "pressure_mpa": float(patch.pressure[i])})
    return lines
