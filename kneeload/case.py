"""A case: one person, one activity, one set of models. Everything that a simulation needs, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kneeload.bone.day import DAY_ACTIVITIES, daily_cycles
from kneeload.bone.finite_element_settings import FiniteElements
from kneeload.bone.model import BoneModel
from kneeload.calibration.person import Calibration
from kneeload.contact.model import ContactModel
from kneeload.errors import InputError, check_choice
from kneeload.forces.brace import Brace
from kneeload.forces.muscles import MuscleModel
from kneeload.forces.patellar_brace import PatellarBrace
from kneeload.forces.training import Training
from kneeload.lesion.course_plan import CoursePlan
from kneeload.lesion.findings import Findings
from kneeload.lesion.model import LesionModel
from kneeload.motion.activity import WITHOUT_SPREAD, Activity
from kneeload.motion.gait import GaitChange
from kneeload.subject.materials import Materials
from kneeload.subject.person import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class AnatomySource:
    """Where the surfaces come from: the parametric reference knee, or a folder of meshes with a manifest.

    Attributes:
        name: "reference" or "meshes".
        folder: the mesh folder (only for "meshes").
    """

    name: str = "reference"
    folder: Path | None = None

    def __post_init__(self) -> None:
        check_choice("anatomy", self.name, ("reference", "meshes"), where="anatomy", why="surfaces are parametric or read from files")
        if self.name == "meshes" and self.folder is None:
            raise InputError("mesh folder", where="anatomy.folder", got=None, allowed="a folder with a manifest.yaml", why="anatomy=meshes reads its surfaces from there")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One simulation. `contact=None` stops after the load level (no contact, bone or lesion).

    Attributes:
        subject: the person.
        activity: what is simulated in detail; the day's other activities follow from the subject.
        day_activities: those of DAY_ACTIVITIES that load this knee, and the knee of the reference person, over the day. Fewer are a question of
            their own ("walking alone"), in which everything else that either person does is left out, and cost less.
        anatomy: source of the surfaces.
        materials: elastic constants of cartilage and menisci.
        muscles, contact, bone, lesion: settings of those rooms.
        finite_elements: what `kneeload.finite_element_study` computes, or None.
        findings: lesions and grades known from images of this knee; nothing by default.
        course: for how long the course of lesions is followed (`kneeload.outlook`).
        brace: an orthosis on this knee, or None.
        patellar_brace: a strap on this patella, or None.
        training: what training changed in this person's muscles, or None.
        mcl_stretch_mm: by how much an opening wedge moved the attachments of the uncut medial collateral ligament apart, mm.
        calibration: this person's own constants, fitted to strides with measured forces, or None for the generic knee.
        gait_changes: changes of gait that act on the waveforms.
        moments_z: how far this person's knee extension and knee adduction moments lie above those of `activity`, in every activity of the day alike, in
            between-person standard deviations (no unit; `kneeload.spread` asks what a change does in people who move otherwise). A recording and a test
            rig have no such spread.
        flexion_z: the same for knee flexion, no unit.
        walking_speed_m_s: how fast this person walks where an activity does not say it, m/s; None = the natural speed of the source.
        interventions: names of the interventions that made this case, in order.
        baseline: the case before the first intervention, None for an untouched case.
        notes: what a reader must know about the interventions, a sentence each (a cane on the wrong side).
    """

    subject: Subject = field(default_factory=Subject)
    activity: Activity = field(default_factory=lambda: Activity(name="walking"))
    day_activities: tuple[str, ...] = DAY_ACTIVITIES
    anatomy: AnatomySource = field(default_factory=AnatomySource)
    materials: Materials = field(default_factory=Materials)
    muscles: MuscleModel = field(default_factory=MuscleModel)
    contact: ContactModel | None = field(default_factory=ContactModel)
    bone: BoneModel = field(default_factory=BoneModel)
    lesion: LesionModel = field(default_factory=LesionModel)
    finite_elements: FiniteElements | None = None
    findings: Findings = field(default_factory=Findings)
    course: CoursePlan = field(default_factory=CoursePlan)
    brace: Brace | None = None
    patellar_brace: PatellarBrace | None = None
    training: Training | None = None
    mcl_stretch_mm: float = 0.0
    gait_changes: tuple[GaitChange, ...] = ()
    moments_z: tuple[float, float] = (0.0, 0.0)
    flexion_z: float = 0.0
    walking_speed_m_s: float | None = None
    interventions: tuple[str, ...] = ()
    baseline: Case | None = None
    notes: tuple[str, ...] = ()
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        own = self.activity.name if self.activity.name in DAY_ACTIVITIES else None
        known = set(self.day_activities) <= set(DAY_ACTIVITIES) and len(set(self.day_activities)) == len(self.day_activities) > 0
        if not known or (own is not None and own not in self.day_activities):
            raise InputError("activities of the day", where="day_activities", got=self.day_activities,
                             allowed=f"one or more of {', '.join(DAY_ACTIVITIES)}, each once{f', among them {own}' if own else ''}",
                             why="daily doses are told for these, and the activity of the case is one of them")
        if self.calibration is not None:
            self.calibration.check_person(self.subject)
            self.calibration.muscle_model(self.muscles)  # raises when it was fitted with other settings

    def day(self) -> tuple[Activity, ...]:
        """The activities that load this knee over a day: the case's own, then the rest of the person's usual day."""
        names = [name for name in self.day_activities if name != self.activity.name]
        return tuple(self._own(activity) for activity in (self.activity, *(Activity(name=name) for name in names)))

    def day_amounts(self) -> dict[str, float]:
        """How much of each activity of the day this knee does: cycles, for standing seconds (`kneeload.bone.day`)."""
        return {name: amount for name, amount in daily_cycles(self.subject).items() if name in self.day_activities}

    def changed(self, intervention: str, *, note: str | None = None, **changes: Any) -> Case:
        """Return this case with `changes` made by the named intervention, remembering the case it started from, and a note for the reader."""
        notes = self.notes if note is None else (*self.notes, note)
        return replace(self, interventions=(*self.interventions, intervention), baseline=self.baseline or self, notes=notes, **changes)

    def _own(self, activity: Activity) -> Activity:
        """Return the activity as this person does it: at their speed, and with scores that lie as much higher, within the 4 that an activity takes."""
        if self.walking_speed_m_s is not None and activity.name == "walking" and activity.speed_m_s is None:
            activity = replace(activity, speed_m_s=self.walking_speed_m_s)
        higher = dict(zip(("extension_moment_z", "adduction_moment_z", "flexion_z"), (*self.moments_z, self.flexion_z)))
        if activity.name in WITHOUT_SPREAD or not any(higher.values()):
            return activity
        return replace(activity, **{name: min(max(getattr(activity, name) + z, -4.0), 4.0) for name, z in higher.items()})
