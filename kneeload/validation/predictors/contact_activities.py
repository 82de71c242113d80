"""Contact of the activities: peaks, means and areas, and whether contact carries what the load level says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kneeload.contact.cycle import CompartmentContact
from kneeload.contact.cycle_solver import solve_cycle
from kneeload.motion.activity import Activity
from kneeload.result import NO_CONTACT, RESIDUAL_LIMIT, UNLOADED_N, ActivityResult
from kneeload.simulate import anatomy_of, run_activity
from kneeload.subject.person import Subject
from kneeload.validation.bench import Bench, Skipped, activity_of, contact_of, run, within
from kneeload.validation.predictors.registry import predictor
from kneeload.validation.predictors.rig import with_menisci

Window = list[float] | None


def _walked(bench: Bench, subject: Subject, activity: str) -> ActivityResult:
    return run(bench, subject, activity_of(activity, subject))


def _parts(result: ActivityResult, compartment: str) -> list[CompartmentContact]:
    names = ("medial", "lateral") if compartment == "both" else (compartment,)
    return [getattr(contact_of(result), name) for name in names]


@predictor
def contact_peak_mpa(bench: Bench, subject: Subject, *, activity: str, compartment: str = "both", window: Window = None) -> float:
    """Largest peak pressure (99th area percentile) over the frames of a window (% of the cycle), MPa."""
    result = _walked(bench, subject, activity)
    frames = within(result, window)
    return float(max(part.peak_pressure[frames].max() for part in _parts(result, compartment)))


@predictor
def contact_mean_mpa(bench: Bench, subject: Subject, *, activity: str, compartment: str = "both", window: Window = None) -> float:
    """Mean pressure at the frame of the compartment's largest force in a window (% of the cycle), MPa; the larger one of "both"."""
    result = _walked(bench, subject, activity)
    frames = within(result, window)
    return float(max(part.mean_pressure[int(np.argmax(np.where(frames, part.force, -np.inf)))] for part in _parts(result, compartment)))


@predictor
def contact_area_at_peak_mm2(bench: Bench, subject: Subject, *, activity: str, compartment: str, window: Window = None) -> float:
    """Contact area at the frame of the compartment's largest force in a window (% of the cycle), mm2."""
    result = _walked(bench, subject, activity)
    (part,) = _parts(result, compartment)
    return float(part.contact_area[int(np.argmax(np.where(within(result, window), part.force, -np.inf)))])


@predictor
def contact_peak_ratio(bench: Bench, subject: Subject, *, activity: str, other: str, compartment: str) -> float:
    """Largest peak pressure of a compartment in one activity over that in another, no unit."""
    return contact_peak_mpa(bench, subject, activity=activity, compartment=compartment) / contact_peak_mpa(
        bench, subject, activity=other, compartment=compartment)


@predictor
def contact_over_load_peak(bench: Bench, subject: Subject, *, activity: str, compartment: str) -> float:
    """Peak force of a compartment after contact equilibrium over that of the load level, no unit."""
    contact_of(_walked(bench, subject, activity))
    loads = replace(bench, case=replace(bench.case, contact=None))
    peaks = [float(_walked(item, subject, activity).force(compartment).max()) for item in (bench, loads)]
    return peaks[0] / peaks[1]


@predictor
def contact_state_ratio(bench: Bench, subject: Subject, *, activity: str, medial: str, quantity: str = "peak_pressure",
                        extrusion_mm: float | None = None) -> float:
    """A quantity of the medial compartment at its peak force with another medial meniscus over that with an intact one, no unit."""
    values = []
    for person in (with_menisci(subject, medial, "intact", extrusion_mm), with_menisci(subject, "intact", "intact")):
        part = contact_of(_walked(bench, person, activity)).medial
        values.append(float(getattr(part, quantity)[int(np.argmax(part.force))]))
    return values[0] / values[1]


@predictor
def frames_in_equilibrium_pct(bench: Bench, subject: Subject, *, people: int, activities: list[str], seed: int = 1) -> float:
    """Frames of varied people (size, mass, alignment, slopes, cartilage, menisci; seeded) that contact brings into equilibrium, %."""
    if bench.case.contact is None:
        raise Skipped("needs the contact: give --contact")
    random, good, total = np.random.default_rng(seed), 0, 0
    for _ in range(people):
        person = _varied(subject, random)
        case = replace(bench.case, subject=person)
        anatomy = anatomy_of(case)
        for name in activities:
            loads = run_activity(replace(case, contact=None), anatomy, Activity(name=name))
            cycle = solve_cycle(anatomy, loads.motion.knee_flexion, loads.loads, bench.case.contact)
            balanced = frames_in_equilibrium(replace(loads, contact=cycle))
            good, total = good + int(balanced.sum()), total + len(balanced)
    return 100.0 * good / total


def frames_in_equilibrium(result: ActivityResult) -> NDArray[np.bool_]:
    """Frames (T,) bool that `check_equilibrium` accepts: converged, or a patella that nothing pulls, and a residual of at most 0.1 %."""
    cycle = contact_of(result)
    hanging = (cycle.status[:, 1] == NO_CONTACT) & (result.loads.quadriceps_force < UNLOADED_N)
    balanced = (cycle.residual <= RESIDUAL_LIMIT).all(axis=1)
    return balanced & (cycle.status[:, 0] == 0) & ((cycle.status[:, 1] == 0) | hanging)


def _varied(subject: Subject, random: np.random.Generator) -> Subject:
    """A person drawn at random: sex, height, mass, alignment, slopes, thickness, menisci (uniform within what adults show; assumption)."""
    scale = type(subject.cartilage_thickness_scale)
    states = ("intact", "extruded", "root_tear", "removed")
    height = float(random.uniform(1.50, 1.95))
    return replace(
        subject, sex=("male", "female")[int(random.integers(2))], height_m=height,  # type: ignore[arg-type]
        body_mass_kg=float(random.uniform(18.5, 40.0)) * height**2,
        mpta_deg=float(random.uniform(81.0, 92.0)), ldfa_deg=float(random.uniform(84.0, 92.0)),
        medial_slope_deg=float(random.uniform(0.0, 12.0)), lateral_slope_deg=float(random.uniform(0.0, 12.0)),
        medial_meniscus=states[int(random.integers(4))], lateral_meniscus=states[int(random.integers(4))],  # type: ignore[arg-type]
        cartilage_thickness_scale=scale(**{plate: float(random.uniform(0.5, 1.3))
                                           for plate in ("femur", "tibia_medial", "tibia_lateral", "patella")}))
