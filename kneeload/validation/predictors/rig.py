"""The test rig of cadaver studies: a load along the axis of the limb on the extended knee, no muscles. Contact level only.

Knees in a rig have a straight axis unless a row says otherwise: the femur of the person is turned (LDFA), so that the joint surfaces stay.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kneeload.contact.cycle import CompartmentContact, ContactCycle
from kneeload.motion.activity import Activity
from kneeload.motion.limb import knee_shift_mm
from kneeload.simulate import anatomy_of
from kneeload.subject.anatomy import KneeAnatomy
from kneeload.subject.person import Subject
from kneeload.validation.bench import Bench, contact_of, run
from kneeload.validation.predictors.registry import predictor

SIDES = ("medial", "lateral")
PEAK_SHARE = 0.01  # a peak is the pressure that this share of the area in contact exceeds, as in `CompartmentContact.peak_pressure`


def with_menisci(subject: Subject, medial: str, lateral: str, extrusion_mm: float | None = None) -> Subject:
    """The person with menisci in given states; an extrusion in mm acts on those that are extruded or torn at the root."""
    moved = ("extruded", "root_tear")
    return replace(subject, medial_meniscus=medial, lateral_meniscus=lateral,  # type: ignore[arg-type]
                   medial_extrusion_mm=extrusion_mm if medial in moved else None,
                   lateral_extrusion_mm=extrusion_mm if lateral in moved else None)


def on_axis(subject: Subject, varus_deg: float = 0.0) -> Subject:
    """The person with this varus of the limb, by the femur: the joint surfaces stay the same."""
    return replace(subject, ldfa_deg=subject.ldfa_deg + varus_deg - subject.varus_deg)


def _pressed(bench: Bench, subject: Subject, force_n: float, flexion_deg: float, medial: str, lateral: str,
             extrusion_mm: float | None = None) -> tuple[ContactCycle, KneeAnatomy]:
    """Contact of the knee in the rig and its surfaces."""
    person = with_menisci(on_axis(subject), medial, lateral, extrusion_mm)
    cycle = contact_of(run(bench, person, Activity(name="compression", force_n=force_n, flexion_deg=flexion_deg)))
    return cycle, anatomy_of(bench.case_of(person))


def _parts(cycle: ContactCycle, compartment: str) -> list[CompartmentContact]:
    return [getattr(cycle, side) for side in SIDES if compartment in (side, "both")]


@predictor
def rig_area_mm2(bench: Bench, subject: Subject, *, force_n: float = 1000.0, flexion_deg: float = 0.0, compartment: str = "both",
                 medial: str = "intact", lateral: str = "intact") -> float:
    """Contact area of a compartment or of both, plateau and menisci, mm2."""
    cycle, _ = _pressed(bench, subject, force_n, flexion_deg, medial, lateral)
    return float(sum(part.contact_area[0] for part in _parts(cycle, compartment)))


@predictor
def rig_peak_mpa(bench: Bench, subject: Subject, *, force_n: float = 1000.0, flexion_deg: float = 0.0, compartment: str = "both",
                 medial: str = "intact", lateral: str = "intact") -> float:
    """Peak pressure (99th area percentile) of a compartment or the larger of both, MPa."""
    cycle, _ = _pressed(bench, subject, force_n, flexion_deg, medial, lateral)
    return float(max(part.peak_pressure[0] for part in _parts(cycle, compartment)))


@predictor
def rig_mean_mpa(bench: Bench, subject: Subject, *, force_n: float = 1000.0, flexion_deg: float = 0.0, medial: str = "intact",
                 lateral: str = "intact") -> float:
    """Applied load over the contact area of both compartments, MPa (as the published pair of load and area implies)."""
    return force_n / rig_area_mm2(bench, subject, force_n=force_n, flexion_deg=flexion_deg, medial=medial, lateral=lateral)


@predictor
def rig_ratio(bench: Bench, subject: Subject, *, quantity: str, medial: str, lateral: str = "intact", compartment: str = "both",
              force_n: float = 1000.0, extrusion_mm: float | None = None, other: str = "intact", other_lateral: str = "intact") -> float:
    """A quantity of the contact ("contact_area", "peak_pressure", "meniscus_share") over that with other menisci, no unit."""
    values = []
    for states in ((medial, lateral), (other, other_lateral)):
        parts = _parts(_pressed(bench, subject, force_n, 0.0, *states, extrusion_mm)[0], compartment)
        each = [float(getattr(part, quantity)[0]) for part in parts]
        values.append(max(each) if quantity == "peak_pressure" else sum(each))
    return values[0] / values[1] if values[1] else float("nan")


@predictor
def rig_area_on_menisci_pct(bench: Bench, subject: Subject, *, force_n: float = 1000.0) -> float:
    """Part of the contact area that lies on the menisci, %; triangles with pressure count whole."""
    cycle, anatomy = _pressed(bench, subject, force_n, 0.0, "intact", "intact")
    areas = {name: float(area[pressure > 0.0].sum()) for name, area, pressure in _loaded(cycle, anatomy)}
    return 100.0 * sum(area for name, area in areas.items() if "meniscus" in name) / sum(areas.values())


def _loaded(cycle: ContactCycle, anatomy: KneeAnatomy) -> list[tuple[str, NDArray[np.float64], NDArray[np.float32]]]:
    """Name, areas (m,) mm2 and pressures (m,) MPa of the surfaces on the tibia in the first frame."""
    surfaces = {"tibia_medial": anatomy.tibia_medial, "tibia_lateral": anatomy.tibia_lateral}
    surfaces |= {f"{side}_meniscus": item.surface for side, item in zip(SIDES, (anatomy.medial_meniscus, anatomy.lateral_meniscus)) if item}
    return [(field.name, surfaces[field.name].areas, field.pressure[0]) for field in cycle.fields if field.name in surfaces]


@predictor
def rig_surface_peak_mpa(bench: Bench, subject: Subject, *, surface: str, force_n: float = 1150.0) -> float:
    """Peak pressure (99th area percentile) of one surface, such as `tibia_medial` or `medial_meniscus`, MPa."""
    cycle, anatomy = _pressed(bench, subject, force_n, 0.0, "intact", "intact")
    return next((_percentile(pressure, area) for name, area, pressure in _loaded(cycle, anatomy) if name == surface), float("nan"))


def _percentile(pressure: NDArray[np.float32], area: NDArray[np.float64]) -> float:
    """Pressure that one per cent of the loaded area exceeds, MPa."""
    on = pressure > 0.0
    if not on.any():
        return 0.0
    order = np.argsort(-pressure[on])
    above = np.cumsum(area[on][order])
    return float(pressure[on][order][np.searchsorted(above, PEAK_SHARE * above[-1])])


@predictor
def rig_meniscus_load_pct(bench: Bench, subject: Subject, *, side: str, force_n: float = 1000.0, flexion_deg: float = 0.0) -> float:
    """Part of a compartment's normal force that passes through its meniscus, %."""
    cycle, _ = _pressed(bench, subject, force_n, flexion_deg, "intact", "intact")
    return float(100.0 * getattr(cycle, side).meniscus_share[0])


@predictor
def rig_steps_out_of_order(bench: Bench, subject: Subject, *, quantity: str, states: list[str], rising: bool,
                           force_n: float = 1000.0) -> float:
    """Steps from one state of the medial meniscus to the next at which a quantity of the medial compartment does not rise (or fall)."""
    values = [float(getattr(_pressed(bench, subject, force_n, 0.0, state, "intact")[0].medial, quantity)[0]) for state in states]
    steps = np.diff(values) if rising else -np.diff(values)
    return float((steps <= 0.0).sum())


def _on_axis(bench: Bench, subject: Subject, varus_deg: float, force_n: float) -> ContactCycle:
    """Contact under a load along the line from hip to ankle of a limb with this varus."""
    return contact_of(run(bench, on_axis(subject, varus_deg), Activity(name="compression", force_n=force_n)))


@predictor
def axis_mean_pressure_ratio(bench: Bench, subject: Subject, *, varus_deg: float, force_n: float = 1000.0) -> float:
    """Mean pressure of the medial over the lateral compartment in extension, load along the axis of the limb, no unit."""
    cycle = _on_axis(bench, subject, varus_deg, force_n)
    lateral = float(cycle.lateral.mean_pressure[0])
    return float(cycle.medial.mean_pressure[0]) / lateral if lateral > 0.0 else float("inf")


@predictor
def axis_share_pct(bench: Bench, subject: Subject, *, varus_deg: float, force_n: float = 1000.0) -> float:
    """Medial part of the tibiofemoral force in extension, load along the axis of the limb, %."""
    cycle = _on_axis(bench, subject, varus_deg, force_n)
    return float(100.0 * cycle.medial.force[0] / (cycle.medial.force[0] + cycle.lateral.force[0]))


@predictor
def axis_linearity_r2(bench: Bench, subject: Subject, *, varus_deg: list[float], force_n: float = 1000.0) -> float:
    """R2 of a line through the medial mean pressure over the distance of the axis from the knee centre, no unit."""
    place = np.array([knee_shift_mm(varus, subject.height_m) for varus in varus_deg])
    pressure = np.array([_on_axis(bench, subject, float(varus), force_n).medial.mean_pressure[0] for varus in varus_deg])
    return float(np.corrcoef(place, pressure)[0, 1] ** 2)


@predictor
def axis_medial_pressure_ratio(bench: Bench, subject: Subject, *, varus_deg: float, after_deg: float, force_n: float = 1000.0) -> float:
    """Mean medial pressure in extension with the axis of the limb after a change of alignment over that before, no unit."""
    before, after = (_on_axis(bench, subject, varus, force_n).medial.mean_pressure[0] for varus in (varus_deg, after_deg))
    return float(after / before)
