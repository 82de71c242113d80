"""The person: size, alignment, state of cartilage and menisci, and a usual day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from kneeload.errors import check_choice, check_range
from kneeload.units import body_weight_n

Sex = Literal["male", "female"]
Side = Literal["right", "left"]
MeniscusState = Literal["intact", "extruded", "root_tear", "removed"]
MENISCUS_STATES: tuple[str, ...] = ("intact", "extruded", "root_tear", "removed")

_BODY = "outside it the body is not one that gait studies have measured"
_ANGLE = "beyond it the limb is a deformity that this model does not describe"


@dataclass(frozen=True, slots=True, kw_only=True)
class CartilageThicknessScale:
    """Thickness of each cartilage plate as a factor of the reference knee's (1 = reference), no unit."""

    femur: float = 1.0
    tibia_medial: float = 1.0
    tibia_lateral: float = 1.0
    patella: float = 1.0

    def __post_init__(self) -> None:
        for plate in ("femur", "tibia_medial", "tibia_lateral", "patella"):
            check_range(
                f"cartilage thickness scale of the {plate.replace('_', ' ')}", getattr(self, plate), 0.1, 2.0, "",
                where=f"subject.cartilage_thickness_scale.{plate}",
                why="a layer without thickness has no elastic foundation, and twice the mean is not seen in knees",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A person with one knee of interest.

    Angles are in degrees, as radiographs report them: `mpta_deg` medial proximal tibial angle (lower = varus),
    `ldfa_deg` lateral distal femoral angle (higher = varus), `joint_line_convergence_deg` (positive opens laterally, varus),
    posterior slopes positive when the plateau falls posteriorly. Default slopes: MRI means of 285 knees,
    doi 10.1186/s43019-021-00095-2 (men: medial 5.86, lateral 4.41 degrees). Steps: 6,943 a day in healthy older adults,
    doi 10.2174/1874120701509010157. Chair rises: 60 a day in 140 healthy adults (SD 22, doi 10.1016/j.apergo.2009.04.005). Flights and
    standing hours are assumptions (ranges 0-40 flights, 0-12 h).
    """

    body_mass_kg: float = 80.0
    height_m: float = 1.72
    sex: Sex = "male"
    side: Side = "right"
    mpta_deg: float = 87.0
    ldfa_deg: float = 87.5
    joint_line_convergence_deg: float = 0.5
    medial_slope_deg: float = 5.9
    lateral_slope_deg: float = 4.4
    contact_spacing_mm: float | None = None
    cartilage_thickness_scale: CartilageThicknessScale = field(default_factory=CartilageThicknessScale)
    medial_meniscus: MeniscusState = "intact"
    lateral_meniscus: MeniscusState = "intact"
    medial_extrusion_mm: float | None = None
    lateral_extrusion_mm: float | None = None
    steps_per_day: float = 6943.0
    stair_flights_per_day: float = 6.0
    standing_hours_per_day: float = 3.0
    chair_rises_per_day: float = 60.0

    def __post_init__(self) -> None:
        check_range("body mass", self.body_mass_kg, 20.0, 300.0, "kg", where="subject.body_mass_kg", why=_BODY)
        check_range("height", self.height_m, 1.0, 2.3, "m", where="subject.height_m", why=_BODY)
        check_choice("sex", self.sex, ("male", "female"), where="subject.sex", why="the published mean knees are of these two groups")
        check_choice("side", self.side, ("right", "left"), where="subject.side", why="a knee is one of the two")
        check_range("MPTA", self.mpta_deg, 75.0, 100.0, "degrees", where="subject.mpta_deg", why=_ANGLE)
        check_range("LDFA", self.ldfa_deg, 75.0, 100.0, "degrees", where="subject.ldfa_deg", why=_ANGLE)
        check_range("joint-line convergence", self.joint_line_convergence_deg, -10.0, 15.0, "degrees",
                    where="subject.joint_line_convergence_deg", why=_ANGLE)
        check_range("medial tibial slope", self.medial_slope_deg, -8.0, 22.0, "degrees", where="subject.medial_slope_deg", why=_ANGLE)
        check_range("lateral tibial slope", self.lateral_slope_deg, -8.0, 22.0, "degrees", where="subject.lateral_slope_deg", why=_ANGLE)
        if self.contact_spacing_mm is not None:
            check_range("contact spacing", self.contact_spacing_mm, 25.0, 70.0, "mm", where="subject.contact_spacing_mm",
                        why="the distance between the medial and lateral contact centres of a knee lies in it")
        for name in ("medial_meniscus", "lateral_meniscus"):
            check_choice(name.replace("_", " "), getattr(self, name), MENISCUS_STATES, where=f"subject.{name}", why="these states have a mechanical model")
        for name in ("medial_extrusion_mm", "lateral_extrusion_mm"):
            if getattr(self, name) is not None:
                check_range(name[:-3].replace("_", " "), getattr(self, name), 0.0, 12.0, "mm", where=f"subject.{name}",
                            why="a meniscus pushed out further has left the joint: use 'removed'")
        check_range("steps per day", self.steps_per_day, 0.0, 60000.0, "", where="subject.steps_per_day", why="nobody walks more every day")
        check_range("stair flights per day", self.stair_flights_per_day, 0.0, 400.0, "", where="subject.stair_flights_per_day", why="nobody climbs more every day")
        check_range("standing hours per day", self.standing_hours_per_day, 0.0, 24.0, "hours", where="subject.standing_hours_per_day", why="a day has 24 hours")
        check_range("chair rises per day", self.chair_rises_per_day, 0.0, 1000.0, "", where="subject.chair_rises_per_day", why="nobody sits down more often")

    @property
    def body_weight_n(self) -> float:
        """Body weight, N."""
        return body_weight_n(self.body_mass_kg)

    @property
    def bmi(self) -> float:
        """Body mass index, kg/m2."""
        return self.body_mass_kg / self.height_m**2

    @property
    def hka_deg(self) -> float:
        """Hip-knee-ankle angle, degrees (below 180 = varus): 180 + MPTA - LDFA - joint-line convergence.

        Source: the geometric identity of the four-angle description of coronal alignment (Paley 2002, Principles of Deformity Correction).
        """
        return 180.0 + self.mpta_deg - self.ldfa_deg - self.joint_line_convergence_deg

    @property
    def varus_deg(self) -> float:
        """Varus of the mechanical axis, degrees (180 - HKA)."""
        return 180.0 - self.hka_deg
