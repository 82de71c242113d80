"""The reference knee of a person: fitted, sized, aligned, with the state of its cartilage and menisci."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.anatomy import KneeAnatomy, Meniscus, tilt_shift_mm
from kneeload.subject.bones import patella_bone, tibia_bone
from kneeload.subject.femur import FemurShape, femur_bone, mean_femur, sized_femur, widened_femur, worn_femur
from kneeload.subject.landmarks import contact_centres, contact_spacing_mm
from kneeload.subject.materials import Materials
from kneeload.subject.menisci import MeniscusShape, fitted_meniscus, placed_meniscus, seat, vertical_gap
from kneeload.subject.patella import patellar_cartilage
from kneeload.subject.person import CartilageThicknessScale, Sex, Subject
from kneeload.subject.plateau import PlateauShape, Tilt, lowered, mean_plateau, plateau_tilt, sagittal_slope_deg, tilted_plateau
from kneeload.subject.size import axis_factors, height_factor
from kneeload.subject.surface import ArticularSurface, TriangleMesh

SIDES = ("medial", "lateral")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeanKnee:
    """The knee of the mean man or woman before anything personal.

    Attributes:
        femur: outer femur.
        plateaus: "medial" and "lateral", touching the femur at zero flexion.
        menisci: "medial" and "lateral", filling the gap around.
        slope_deg: sagittal slope of each plateau, degrees.
        centre_mm: contact centre of each plateau at zero flexion, (3,) mm, tibia frame.
    """

    femur: FemurShape
    plateaus: Mapping[str, PlateauShape]
    menisci: Mapping[str, MeniscusShape]
    slope_deg: Mapping[str, float]
    centre_mm: Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TibialSide:
    """One side of a person's tibia.

    Attributes:
        plateau: cartilage.
        meniscus: on it, or None.
        covered: (m,) bool; triangles of the cartilage under the meniscus.
    """

    plateau: ArticularSurface
    meniscus: Meniscus | None
    covered: NDArray[np.bool_]


class Bones(Mapping[str, TriangleMesh]):
    """Meshes of the bones by name, each made when it is first asked for: only pictures and files need them."""

    __slots__ = ("_made", "_make")

    def __init__(self, **make: Callable[[], TriangleMesh]) -> None:
        self._make, self._made = make, dict[str, TriangleMesh]()

    def __getitem__(self, name: str) -> TriangleMesh:
        if name not in self._made:
            self._made[name] = self._make[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._make)

    def __len__(self) -> int:
        return len(self._make)


@lru_cache(maxsize=2)
def mean_knee(sex: Sex) -> MeanKnee:
    """Assemble the mean knee of a sex from the fitted coefficients.

    Each plateau goes down until it just touches the femur at zero flexion: the imaged surfaces overlap there by 0.3 to 0.4 mm, the
    noise of segmentation and the thickness by which cartilage was pressed together while imaged.
    """
    femur = mean_femur(sex)
    plateaus, centre = {}, {}
    for side in SIDES:
        plateau = mean_plateau(side, sex)
        gap = vertical_gap(femur.level_set, plateau.mesh.points[:, [0, 2]], plateau.mesh.points[:, 1])
        plateaus[side] = lowered(plateau, -float(gap.min()))
    menisci = {side: fitted_meniscus(plateau, femur.level_set, sex) for side, plateau in plateaus.items()}
    bare = {side: tilted_plateau(plateau, Materials().cartilage) for side, plateau in plateaus.items()}
    _, centres = contact_centres(femur.level_set, bare["medial"], bare["lateral"], (0.0,))
    for i, side in enumerate(SIDES):
        x, z = centres[0, i]
        centre[side] = np.array([x, float(plateaus[side].surface_y(np.array([[x, z]]))[0]), z])
    slope = {side: sagittal_slope_deg(plateau) for side, plateau in plateaus.items()}
    return MeanKnee(femur=femur, plateaus=plateaus, menisci=menisci, slope_deg=slope, centre_mm=centre)


def reference_anatomy(subject: Subject, materials: Materials | None = None) -> KneeAnatomy:
    """The reference knee of a person.

    Size: mean knee of the sex times height / mean height (`kneeload.subject.size`). Alignment: both plateaus with their menisci turn about x
    by MPTA - 87 degrees (the definition in `kneeload.subject.plateau`), and each plateau about z, through its own contact centre, by the
    person's slope minus the slope measured on the mean knee (about 6.8 degrees medially, 5.8 laterally). LDFA turns the limb, not the femur in
    its own frame. A given contact spacing stretches the whole joint mediolaterally until the contact centres of 0 to 30 degrees flexion
    are that far apart, with intact menisci and cartilage of reference thickness.

    Args:
        subject: the person (the side does not matter: a left knee is stored as its mirror image, a right one).
        materials: elastic constants of the soft layers; None for the defaults.
    """
    return _knee(shape_of(subject), materials or Materials())


@lru_cache(maxsize=8)
def _knee(subject: Subject, soft: Materials) -> KneeAnatomy:
    """The knee of all people with this shape: those who differ in mass, side or habits share one."""
    size = height_factor(subject.sex, subject.height_m)
    widening = 1.0 if subject.contact_spacing_mm is None else _widening(_unworn(subject))
    mean = mean_knee(subject.sex)
    whole = _femur(subject.sex, size, widening)
    femur = worn_femur(whole, subject.cartilage_thickness_scale.femur)
    tilt = _tilt(mean, subject, size, widening)
    sides = {side: _tibial_side(mean, side, subject, size, widening, tilt, soft) for side in SIDES}
    flexion, centres = _centres(femur, sides, tilt)
    bones = Bones(femur=partial(femur_bone, whole), patella=partial(patella_bone, subject.sex, size, widening),
                  tibia=partial(tibia_bone, subject.sex, mean.plateaus["medial"], mean.plateaus["lateral"], size, tilt, widening=widening))
    return KneeAnatomy(
        name="reference",
        femur=ArticularSurface(name="femur", body="femur", mesh=femur.mesh, thickness_mm=femur.thickness_mm, material=soft.cartilage, region=femur.region),
        femur_level_set=femur.level_set,
        tibia_medial=sides["medial"].plateau,
        tibia_lateral=sides["lateral"].plateau,
        patella=patellar_cartilage(subject.sex, size, subject.cartilage_thickness_scale.patella, soft.cartilage, widening=widening),
        medial_meniscus=sides["medial"].meniscus,
        lateral_meniscus=sides["lateral"].meniscus,
        covered_medial=sides["medial"].covered,
        covered_lateral=sides["lateral"].covered,
        bones=bones,
        source_scale=_read_only(axis_factors(subject.sex) * size * np.array([1.0, 1.0, widening])),
        plateau_tilt=_read_only(tilt.mean_turn),
        contact_centres_flexion=flexion,
        contact_centres_mm=centres,
    )


@lru_cache(maxsize=16)
def _femur(sex: Sex, size: float, widening: float) -> FemurShape:
    femur = sized_femur(mean_knee(sex).femur, size)
    return femur if widening == 1.0 else widened_femur(femur, widening)


def shape_of(subject: Subject) -> Subject:
    """The person with all that does not shape the joint at its default: the key under which a knee is remembered."""
    return Subject(sex=subject.sex, height_m=subject.height_m, mpta_deg=subject.mpta_deg, medial_slope_deg=subject.medial_slope_deg,
                   lateral_slope_deg=subject.lateral_slope_deg, contact_spacing_mm=subject.contact_spacing_mm,
                   cartilage_thickness_scale=subject.cartilage_thickness_scale, medial_meniscus=subject.medial_meniscus,
                   lateral_meniscus=subject.lateral_meniscus, medial_extrusion_mm=subject.medial_extrusion_mm,
                   lateral_extrusion_mm=subject.lateral_extrusion_mm)


def _unworn(subject: Subject) -> Subject:
    """The same shape with intact menisci and cartilage of reference thickness: the key under which the stretch is remembered."""
    return replace(subject, cartilage_thickness_scale=CartilageThicknessScale(), medial_meniscus="intact", lateral_meniscus="intact",
                   medial_extrusion_mm=None, lateral_extrusion_mm=None)


@lru_cache(maxsize=16)
def _widening(shape: Subject) -> float:
    """Factor along z that gives the contact spacing asked for: steps of target / measured until within 0.02 mm."""
    target = shape.contact_spacing_mm or 0.0
    mean, size, factor = mean_knee(shape.sex), height_factor(shape.sex, shape.height_m), 1.0
    for _ in range(6):
        tilt = _tilt(mean, shape, size, factor)
        sides = {side: _tibial_side(mean, side, shape, size, factor, tilt, Materials()) for side in SIDES}
        now = contact_spacing_mm(*_centres(_femur(shape.sex, size, factor), sides, tilt))
        if abs(now - target) < 0.02:
            break
        factor *= target / now
    return factor


def _tilt(mean: MeanKnee, subject: Subject, size: float, widening: float) -> Tilt:
    stretch = np.array([size, size, size * widening])
    return plateau_tilt(mpta_deg=subject.mpta_deg, slope_deg={"medial": subject.medial_slope_deg, "lateral": subject.lateral_slope_deg},
                        reference_slope_deg=mean.slope_deg, centre_mm={side: mean.centre_mm[side] * stretch for side in SIDES})


def _tibial_side(mean: MeanKnee, side: str, subject: Subject, size: float, widening: float, tilt: Tilt, soft: Materials) -> TibialSide:
    shape, wedge, scale = mean.plateaus[side], mean.menisci[side], getattr(subject.cartilage_thickness_scale, f"tibia_{side}")
    plateau = tilted_plateau(shape, soft.cartilage, size=size, cartilage_scale=scale, tilt=tilt, widening=widening)
    meniscus = placed_meniscus(wedge, shape, getattr(subject, f"{side}_meniscus"), getattr(subject, f"{side}_extrusion_mm"), soft.meniscus,
                               size=size, cartilage_scale=scale, tilt=tilt, widening=widening)
    state = getattr(subject, f"{side}_meniscus")
    covered = np.zeros(len(shape.mesh.triangles), dtype=bool) if meniscus is None else seat(wedge, shape, meniscus.extrusion_mm / size, state).covered
    return TibialSide(plateau=plateau, meniscus=meniscus, covered=_read_only(covered))


def _centres(femur: FemurShape, sides: Mapping[str, TibialSide], tilt: Tilt) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shift = tilt_shift_mm(sides["medial"].plateau, sides["lateral"].plateau, tilt.mean_turn)
    menisci = (sides["medial"].meniscus, sides["lateral"].meniscus)
    return contact_centres(femur.level_set, sides["medial"].plateau, sides["lateral"].plateau, menisci=menisci, tilt_shift_mm=shift)


def _read_only(array: NDArray) -> NDArray:
    array.setflags(write=False)
    return array
