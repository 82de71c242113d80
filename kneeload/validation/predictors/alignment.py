"""What alignment does: rigid geometry with an unchanged gait."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kneeload.motion.activities import motion_for
from kneeload.motion.limb import SHANK_LENGTH, THIGH_LENGTH, knee_shift_mm
from kneeload.subject.person import Subject
from kneeload.subject.size import DIMENSIONS, height_factor
from kneeload.units import MM_PER_M
from kneeload.validation.bench import Bench, Skipped, activity_of, run
from kneeload.validation.predictors.moments import moment
from kneeload.validation.predictors.registry import predictor

_STEP_DEG = 2.0  # half of the range over which a slope is taken


def _tilted(subject: Subject, valgus_deg: float) -> Subject:
    """The person after a valgus change of the tibia (positive opens towards valgus, as a high tibial osteotomy does)."""
    return replace(subject, mpta_deg=subject.mpta_deg + valgus_deg)


def _peak(bench: Bench, subject: Subject, activity: str, moment_name: str) -> float:
    """Peak moment, % of body weight x height."""
    motion = motion_for(activity_of(activity, subject), subject)
    return float(100.0 * moment(motion, moment_name).max() / (subject.body_weight_n * subject.height_m * MM_PER_M))


@predictor
def kam_change_per_degree(bench: Bench, subject: Subject, *, activity: str = "walking") -> float:
    """Peak adduction moment per degree of varus, % of body weight x height per degree, over +-2 degrees of MPTA."""
    varus, valgus = (_peak(bench, _tilted(subject, tilt), activity, "adduction") for tilt in (-_STEP_DEG, _STEP_DEG))
    return (varus - valgus) / (2.0 * _STEP_DEG)


@predictor
def osteotomy_moment_change(bench: Bench, subject: Subject, *, correction_deg: float, moment_name: str = "adduction",
                            activity: str = "walking") -> float:
    """Change of a peak moment by a valgus correction of the tibia, % of body weight x height."""
    return _peak(bench, _tilted(subject, correction_deg), activity, moment_name) - _peak(bench, subject, activity, moment_name)


@predictor
def osteotomy_kam_residual_pct(bench: Bench, subject: Subject, *, correction_deg: float, activity: str = "walking") -> float:
    """Peak adduction moment after a valgus correction, % of that before."""
    return 100.0 * _peak(bench, _tilted(subject, correction_deg), activity, "adduction") / _peak(bench, subject, activity, "adduction")


@predictor
def medial_force_per_degree_n(bench: Bench, subject: Subject, *, activity: str = "walking") -> float:
    """Peak medial force per degree of varus, N, over +-2 degrees of MPTA."""
    varus, valgus = (run(bench, person, activity_of(activity, person)).force("medial").max()
                     for person in (_tilted(subject, -_STEP_DEG), _tilted(subject, _STEP_DEG)))
    return float((varus - valgus) / (2.0 * _STEP_DEG))


@predictor
def medial_pressure_ratio(bench: Bench, subject: Subject, *, correction_deg: float, activity: str = "walking") -> float:
    """Peak medial contact pressure after a valgus correction over that before (contact level only), no unit."""
    if bench.case.contact is None:
        raise Skipped("needs contact pressures: give --contact")
    pressures = []
    for person in (subject, _tilted(subject, correction_deg)):
        contact = run(bench, person, activity_of(activity, person)).contact
        assert contact is not None
        pressures.append(float(contact.medial.peak_pressure.max()))
    return pressures[1] / pressures[0]


@predictor
def axis_crossing_pct(bench: Bench, subject: Subject, *, varus_deg: float) -> float:
    """Where the line from hip to ankle crosses the tibial plateau, % of its width from the medial edge, with the knee centre at 50 %."""
    tibia = DIMENSIONS["tibia_width"]
    width = (tibia.male_mm if subject.sex == "male" else tibia.female_mm) * height_factor(subject.sex, subject.height_m)
    return 50.0 - 100.0 * knee_shift_mm(varus_deg, subject.height_m) / width


@predictor
def lever_arm_of_even_split(bench: Bench, subject: Subject, *, hip_spacing_height: float = 0.100) -> float:
    """Frontal lever arm of the knee at which half of the peak force in walking is medial, over the epicondylar distance, no unit.

    The lever arm is that of the radiograph: distance of the knee centre from the line between ankle and the middle of the pelvis in
    one-leg stance. `hip_spacing_height` (distance of the hip centres over height) is the assumption of the poses of standing, 0.09 to 0.11.
    """
    tilts = np.linspace(-6.0, 12.0, 19)
    shares, arms = np.empty(tilts.size), np.empty(tilts.size)
    half_pelvis = 0.5 * hip_spacing_height * subject.height_m * MM_PER_M
    for i, tilt in enumerate(tilts):
        person = replace(subject, ldfa_deg=subject.ldfa_deg - tilt)  # the femur's part of alignment: the joint surfaces stay the same
        result = run(bench, person, activity_of("walking", person))
        frame = int(np.argmax(result.force("tibiofemoral")[:35]))  # first peak
        shares[i] = result.force("medial")[frame] / result.force("tibiofemoral")[frame]
        arms[i] = half_pelvis * SHANK_LENGTH / (SHANK_LENGTH + THIGH_LENGTH) + knee_shift_mm(person.varus_deg, person.height_m)
    if not shares.min() <= 0.5 <= shares.max():
        return float("nan")
    femur = DIMENSIONS["femur_width"]
    width = (femur.male_mm if subject.sex == "male" else femur.female_mm) * height_factor(subject.sex, subject.height_m)
    order = np.argsort(shares)
    return float(np.interp(0.5, shares[order], arms[order]) / width)
