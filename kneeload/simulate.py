"""READ FIRST: the whole flow. subject + activity -> motion -> forces -> contact -> bone -> lesion."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from kneeload import spread, warmup
from kneeload.bone.day_stimulus import DayCycles, StimulusProfile, day_cycles, stimulus_profile
from kneeload.bone.dose import BoneLoad, bone_load
from kneeload.bone.volume import bone_volumes
from kneeload.case import AnatomySource, Case
from kneeload.contact.cycle import ContactCycle
from kneeload.contact.cycle_solver import solve_cycle
from kneeload.forces.joint import joint_loads
from kneeload.lesion.hazard import lesion_risk
from kneeload.lesion.model import REFERENCE_BMI
from kneeload.lesion.pain import pain
from kneeload.lesion.zones import ZoneMap, zone_map
from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.remembered import remembered, remembered_profile
from kneeload.result import ActivityResult, KneeResult, Stopwatch, check_equilibrium
from kneeload.subject.anatomy import KneeAnatomy
from kneeload.subject.person import Subject
from kneeload.subject.reference import reference_anatomy

WAKING_HOURS = 16.0  # hours of the day in which a knee is used; the share of them with a brace is the share of steps with it (assumption, 14-17)
DEVICES = ("brace", "patellar_brace")  # fields of a case that are worn for some hours of the day


def simulate(case: Case, *, reference: BoneLoad | None = None) -> KneeResult:
    """Return where the load lands in this knee, over the case's activity and over the person's day.

    Args:
        case: person, activity, models and interventions.
        reference: load of `reference_case(case)`, where it is known; otherwise it is found in a thread beside this case.

    Raises:
        InputError: the case asks for something that cannot be (a bad file, a bad mesh).
        ConvergenceError: a frame found no equilibrium.
    """
    watch = Stopwatch()
    before = None if case.baseline is None else simulate(case.baseline)
    anatomy = anatomy_of(case)
    measured = None if case.findings.file is None else case.findings.read(bone_volumes(anatomy), case.subject.side)
    if case.contact is None:
        day = {case.activity.name: run_activity(case, anatomy, case.day()[0])}
        bone = lesion = pains = None
    else:
        with ThreadPoolExecutor(max_workers=1) as beside:  # the kernels let go of Python's lock, so the reference person runs beside this one
            reference_job = beside.submit(reference_load, reference_case(case)) if reference is None else _known(reference)
            day = run_day(case, anatomy)
            bone, reference_bone = day_load(case, anatomy, day), reference_job.result()
        lesion = lesion_risk(bone, reference_bone, case.subject, case.lesion)
        pains = pain(bone, reference_bone, case.subject, case.lesion, measured=measured)
    return KneeResult(case=case, anatomy=anatomy, day=day, bone=bone, lesion=lesion, pain=pains, measured=measured, before=before, timing=watch.read(),
                      find_zones=None if case.contact is None else partial(zones_of, case, anatomy, day), find_spread=None if before is None else spread_of)


def simulate_alone(case: Case) -> KneeResult:
    """Return `simulate(case)` with the reference person before the case and not beside it: where the cores are busy with other cases."""
    return simulate(case, reference=None if case.contact is None else reference_load(reference_case(case)))


def _known(load: BoneLoad) -> Future[BoneLoad]:
    done: Future[BoneLoad] = Future()
    done.set_result(load)
    return done


def anatomy_of(case: Case) -> KneeAnatomy:
    """Return the surfaces of this person: the parametric reference knee, or the meshes of a folder."""
    if case.anatomy.folder is not None:
        from kneeload.subject.mesh_folder import mesh_anatomy  # only here: it needs more of scipy than the reference knee

        return mesh_anatomy(case.anatomy.folder, case.subject, case.materials)
    return reference_anatomy(case.subject, case.materials)


def run_activity(case: Case, anatomy: KneeAnatomy, activity: Activity) -> ActivityResult:
    """Return motion, forces and contact of one activity of this case."""
    motion = motion_for(activity, case.subject, case.gait_changes, recorded_as=(case.baseline or case).subject)
    own = case.calibration
    loads = joint_loads(motion, case.subject, centres_flexion=anatomy.contact_centres_flexion, centres_mm=anatomy.contact_centres_mm,
                        muscles=case.muscles if own is None else own.muscle_model(case.muscles),
                        personal=None if own is None else own.geometry, brace=case.brace, patellar_brace=case.patellar_brace, training=case.training,
                        spacing_mm=case.subject.contact_spacing_mm, source_scale=anatomy.source_scale, plateau_middle_mm=anatomy.plateau_middle_mm,
                        mcl_stretch_mm=case.mcl_stretch_mm)
    warmup.wait()
    contact = None if case.contact is None else solve_cycle(anatomy, motion.knee_flexion, loads, case.contact, case.patellar_brace, case.mcl_stretch_mm)
    return check_equilibrium(ActivityResult(motion=motion, loads=loads, contact=contact))


def run_day(case: Case, anatomy: KneeAnatomy) -> dict[str, ActivityResult]:
    """Return every activity of this case's day, its own activity first."""
    return {activity.name: run_activity(case, anatomy, activity) for activity in case.day()}


def day_load(case: Case, anatomy: KneeAnatomy, day: dict[str, ActivityResult]) -> BoneLoad:
    """Return the bone load of the day; where devices are worn for part of it, the rest of the day is simulated without them."""
    return bone_load(anatomy, contacts(day), {name: item.motion for name, item in day.items()}, case.subject, case.activity.name, case.bone,
                     others=parts_without(case, anatomy), day=case.day_amounts())


def parts_without(case: Case, anatomy: KneeAnatomy) -> list[tuple[dict[str, ContactCycle], float]]:
    """Return the contact of the parts of the waking day in which a device is off, and their shares of the day; empty where none ever is.

    Devices are worn at the same time for as long as both are worn: a day of two has a part with both, one with the longer worn alone, and the bare rest.
    """
    hours: dict[str, float] = {name: getattr(case, name).hours_per_day for name in DEVICES if getattr(case, name) is not None}
    parts, left, worn = [], case, 0.0
    for name in [*sorted(hours, key=hours.__getitem__), None]:
        share = (1.0 if name is None else min(hours[name] / WAKING_HOURS, 1.0)) - worn
        if share > 0.0 and left is not case:
            parts.append((contacts(run_day(left, anatomy)), share))
        if name is not None:
            off: dict[str, Any] = {name: None}
            left, worn = replace(left, **off), worn + share
    return parts


def contacts(day: dict[str, ActivityResult]) -> dict[str, ContactCycle]:
    """Return the contact of each activity of a day."""
    return {name: item.contact for name, item in day.items() if item.contact is not None}


def reference_case(case: Case) -> Case:
    """Return the person that risks are relative to: same sex and height, BMI 23.5, mean alignment, intact menisci, usual day.

    The height is that of the person to the centimetre, so that a population shares some dozens of reference persons.
    """
    height = round(case.subject.height_m, 2)
    person = Subject(sex=case.subject.sex, height_m=height, body_mass_kg=REFERENCE_BMI * height**2)
    return Case(subject=person, activity=Activity(name=case.day_activities[0]), day_activities=case.day_activities, anatomy=AnatomySource(), materials=case.materials,
                muscles=case.muscles, contact=case.contact, bone=case.bone, lesion=case.lesion)


@lru_cache(maxsize=256)
def reference_load(case: Case) -> BoneLoad:
    """Return the bone load of a reference person (remembered, also on disk: many cases share it)."""
    return remembered(case, lambda: day_load(case, anatomy_of(case), run_day(case, anatomy_of(case))))


def zones_of(case: Case, anatomy: KneeAnatomy, day: dict[str, ActivityResult]) -> ZoneMap:
    """Return the bone of a simulated case that carries more than the level of a doubled risk, against its reference person."""
    return zone_map(anatomy, bone_volumes(anatomy), _day_cycles(case, anatomy, day), reference_profile(reference_case(case)), case.lesion)


def spread_of(result: KneeResult) -> dict[str, Any]:
    """Return the intervals of a change over the spread between people, and its risk and pain (`kneeload.spread.change_spread`)."""
    reference = None if result.bone is None else reference_load(reference_case(result.case))
    return spread.change_spread(result, simulate, reference)


@lru_cache(maxsize=64)
def reference_profile(case: Case) -> StimulusProfile:
    """Return how the stimulus of a reference person falls with depth (remembered, also on disk)."""
    return remembered_profile(case, lambda: stimulus_profile(_day_cycles(case, anatomy_of(case), run_day(case, anatomy_of(case)))))


def _day_cycles(case: Case, anatomy: KneeAnatomy, day: dict[str, ActivityResult]) -> DayCycles:
    return day_cycles(anatomy, contacts(day), {name: item.motion for name, item in day.items()}, case.subject, case.bone, others=parts_without(case, anatomy),
                      day=case.day_amounts())
