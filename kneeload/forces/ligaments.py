"""Ligaments, patellar tendon and quadriceps attachments of one knee, and the tension law of a ligament.

The attachments come from the knee model of Lenhart 2015 and Smith 2019 (OpenSim-JAM resources, Apache-2.0), whose frames are those
of this package: x anterior, y proximal, z lateral, femur and tibia frames coincide at zero flexion. Its 75 fibres are gathered into
bundles: a bundle runs between the mean attachments of its fibres and has the sum of their stiffnesses. Fibres that wrap around bone
in the source (superficial MCL around the tibia, posterior capsule around the condyles) are shortened here to their free part: the
attachment is moved to the mean point where the shortest path leaves the bone in the reference pose, and stiffness, reference strain
and toe strain are those of the free part (same tension for the same lengthening; the part on the bone has a constant length).

Three things of the extensor mechanism are not those of the source, each for a measurement: the height of the patella, the stiffness of its
tendon, and the radius on which the quadriceps tendon slides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

TOE_STRAIN = 0.06  # strain at which the quadratic toe ends: twice the 0.03 of Blankevoort 1991; default of the source model

PATELLA_REFERENCE_MM: tuple[float, float, float] = (53.0, 9.4, 4.0)
"""Origin of the patella in the femur frame of the source knee at full extension, relaxed, axes parallel, mm.

The default pose of Smith 2019 (whole millimetres: set by hand) has y = 5.0, which is too low: at 30 degrees of flexion the height of Caton and
Deschamps is 0.78 relaxed and 0.86 in a stand on two legs, where 25 healthy men have 0.86 (SD 0.09) and 0.98 (0.14) (Yiannakopoulos 2008,
doi 10.1302/0301-620X.90B7.20111). 4.4 mm more give 0.88 and 0.97 in the mean man. The height of Blackburne and Peel (0.69 (0.09) and 0.81
(0.14) in those men) then is 0.60 and 0.70 and asks for 3 mm more; that of Insall and Salvati, which counts from the tuberosity, for less.
Range of the added height 2 to 8 mm.
"""

TROCHLEA_AXIS_MM: tuple[float, float] = (14.8, 6.9)
"""x and y, femur frame of the source knee, mm, of the axis (parallel to z) around which the quadriceps wraps in deep flexion."""
TROCHLEA_RADIUS_MM = 29.6
"""Radius of that cylinder, mm: 25.9 of the surface ("KnExt_at_fem_r" of Smith 2019; also the mean radius of the meshed trochlear cartilage below
the four heads) plus 3.7, half the thickness of the quadriceps tendon, whose middle carries the pull (7.1 to 7.6 mm in 41 people by magnetic
resonance, doi 10.1016/j.asmr.2023.04.005). Range 28.5 (thin tendon, pressed into the groove) to 31 (a band from flank to flank)."""

# name, (origin x, y, z), (insertion x, y, z) mm, stiffness N per unit strain, strain in the reference pose, toe strain.
# Reference pose: tibia and femur frames coincide, patella at PATELLA_REFERENCE_MM.
# Attachments, stiffnesses and, of collaterals and capsule, strains are those of the source, but for three bands and seven strains.
#
# The source has no anterolateral ligament, no posterior oblique ligament and an iliotibial band that is free of the femur from the
# trochanter on (10,000 N per unit strain over 535 mm: 19 N/mm), so nothing on the outer side stops an internal turn. Added (bone: of the
# MRI of the source's own person):
# - anterolateral: femur 2.8 mm behind and 2.7 mm above the middle of the LCL (Kennedy 2015, from memory), tibia 10 mm below the
#   cartilage, half way between Gerdy's tubercle and the fibula (21.6 mm behind, 23.2 mm before: Claes 2013), both on the bone. 41.9 N/mm
#   (SD 25.7, 14 knees, doi 10.1186/s12891-016-1052-5) times 43.5 mm; 20 N/mm in Kennedy 2015 (memory), about 4 N/mm in PMC4545228 (4
#   knees).
# - iliotibial: between the distal Kaplan fibres, 27.5 mm (SD 7.7) above the lateral epicondyle (doi 10.1007/s00402-020-03718-7) on the
#   edge of the bone, and Gerdy's tubercle (the most prominent point of the tibia between front and side). 50 N/mm, an assumption: the
#   geometric mean of 19 N/mm (all of the band) and 140 N/mm (the source's tissue over these 71 mm); range 19 to 140. The pull of its two
#   muscles is not part of it.
# - mcl_oblique, the posterior oblique ligament: femur 15.4 mm behind and 6.6 mm above the medial epicondyle (Casp 2023, doi
#   10.1177/23259671231174857; the epicondyle lies 4.8 mm before and 3.2 mm below the superficial MCL, LaPrade 2007, doi
#   10.2106/JBJS.F.01176), tibia with mcl_posterior. 38 N/mm (from memory; range 25 to 60) times 53 mm. It slackens in flexion. The
#   source's five posterior fibres start 24 mm farther down, below the axis of flexion, and tighten by a tenth from 0 to 60 degrees. Half
#   of their 2500 N is left to them (assumption, range 0 to 2500: the sum of squares below is 43 with 0, 28 with all, 26 with half, with
#   20 N/mm for the anterolateral ligament).
#
# The strains of the source of the cruciates (-0.114, -0.031, -0.019, -0.095) and of the popliteofibular ligament (-0.077) are for its
# default pose, where no ligament balances another. Those here, and those of the anterolateral and the iliotibial band (prior 0), bring
# the passive default knee (`kneeload.contact.laxity`) nearest to measured laxity between 0 and 90 degrees: least squares of 26 laxities,
# of the 4.5 and 5 degrees that cutting the iliotibial band adds to an internal turn at 60 and 90 degrees (20 knees, PMC5455885: 5.4 and
# 6.2 cut early, 3.5 and 3.8 late), of what cutting either bundle of the anterior cruciate adds at 30, and of small tensions at rest, each
# over its spread, and of the change of strain over 0.04.
_Row = tuple[str, tuple[float, float, float], tuple[float, float, float], float, float, float]
_TIBIOFEMORAL: tuple[_Row, ...] = (  # origin on the femur, insertion on the tibia
    ("acl_anteromedial", (0.0, 2.2, 4.0), (15.7, -21.1, -2.8), 4920.0, -0.072, 0.06),
    ("acl_posterolateral", (-2.3, -2.3, 6.6), (12.2, -21.4, 2.6), 4920.0, -0.096, 0.06),
    ("pcl_anterolateral", (4.5, -3.2, -7.6), (-12.3, -29.2, 1.5), 4500.0, -0.066, 0.06),
    ("pcl_posteromedial", (4.0, -7.1, -9.6), (-15.0, -31.9, -4.6), 1500.0, -0.146, 0.06),
    ("mcl_superficial_anterior", (5.5, 11.8, -40.6), (13.4, -35.8, -29.1), 572.0, 0.070, 0.105),
    ("mcl_superficial_middle", (1.7, 12.5, -40.4), (7.2, -36.7, -30.1), 614.0, 0.081, 0.098),
    ("mcl_superficial_posterior", (-0.8, 12.3, -39.2), (2.1, -36.7, -30.5), 599.0, 0.083, 0.100),
    ("mcl_deep", (1.0, 1.7, -38.2), (2.5, -32.3, -31.4), 2500.0, 0.016, 0.06),
    ("mcl_posterior", (-6.4, -8.2, -34.8), (-15.1, -36.1, -25.8), 1250.0, 0.030, 0.06),
    ("mcl_oblique", (-8.5, 15.6, -36.4), (-15.1, -36.1, -26.5), 2000.0, 0.030, 0.06),
    ("lcl", (-1.2, 4.7, 36.0), (-12.9, -50.7, 45.1), 2400.0, 0.060, 0.06),
    ("popliteofibular", (1.4, -4.5, 34.9), (-22.4, -40.4, 37.0), 2200.0, -0.112, 0.06),
    ("anterolateral", (-4.0, 7.4, 37.5), (2.0, -36.0, 40.5), 1800.0, 0.016, 0.06),
    ("iliotibial", (2.1, 31.0, 28.0), (23.7, -36.3, 35.1), 3500.0, -0.054, 0.06),
    ("capsule_medial", (-22.1, -6.3, -16.6), (-19.2, -33.2, -13.4), 711.0, 0.084, 0.127),
    ("capsule_lateral", (-21.3, -5.7, 18.9), (-17.5, -35.7, 17.4), 772.0, 0.078, 0.117),
    ("capsule_oblique_medial", (-21.8, -6.3, -1.9), (-17.5, -35.7, 20.4), 249.0, 0.080, 0.121),
    ("capsule_oblique_lateral", (-21.7, -6.3, 3.4), (-19.2, -33.2, -16.4), 242.0, 0.062, 0.124),
)
_PATELLAR_BANDS: tuple[_Row, ...] = (  # origin on the femur, insertion on the patella
    ("lpfl_proximal", (21.8, 8.6, 34.7), (-1.0, 7.2, 20.4), 600.0, -0.035, 0.06),
    ("lpfl_distal", (20.8, 3.3, 35.2), (-1.4, -2.9, 20.2), 600.0, -0.041, 0.06),
    ("mpfl_proximal", (16.4, 12.6, -37.6), (1.4, 3.5, -20.1), 450.0, -0.047, 0.06),
    ("mpfl_distal", (13.3, 8.2, -39.7), (1.0, -5.1, -19.1), 450.0, 0.010, 0.06),
)
# Attachments and reference strains of the source. Its tendon (18,000 N per unit strain in all, toe 0.06) would stretch by 14 % on stairs, for it
# softens where a tendon does not. Here its toe, k / (2 t) = 150,000 N, goes on up to a strain of 0.12 (187,500 N): 900 N stretch it by 3.3 mm (a
# stand lifts the patella by 0.115 of its articular length, 3.5 mm, Yiannakopoulos 2008), 3346 N by 6.7 mm. In vivo a flexed knee's tendon, which
# is tight at rest, gives 4.7 mm (SD 1.1) to 3346 N, and after training 2.9 mm (1.2) to 3555 N (Reeves 2003, PMC2342903). Range of the
# stiffness 10,000 to 25,000 N for each of the three.
_PATELLAR_TENDON: tuple[_Row, ...] = (  # origin on the patella, insertion on the tibia
    ("patellar_tendon_medial", (4.6, -12.1, -7.9), (34.8, -49.1, 7.3), 15000.0, 0.020, 0.12),
    ("patellar_tendon_middle", (4.5, -12.6, 3.3), (35.9, -48.1, 13.8), 15000.0, 0.004, 0.12),
    ("patellar_tendon_lateral", (2.8, -11.0, 12.7), (34.0, -47.4, 18.9), 15000.0, 0.010, 0.12),
)
_QUADRICEPS: tuple[tuple[str, tuple[float, float, float], tuple[float, float, float]], ...] = (
    # name, on the patella (patella frame), last point on the femur or pelvis at zero hip flexion (femur frame), mm
    ("recfem", (-0.1, 15.0, 1.1), (44.2, 416.3, 20.4)),
    ("vasint", (-3.8, 18.1, -0.4), (36.6, 181.4, 27.6)),
    ("vaslat", (1.7, 15.1, 11.8), (30.5, 134.5, 39.0)),
    ("vasmed", (-0.4, 15.7, -9.3), (38.5, 118.0, 2.0)),
)


def _readonly(values: ArrayLike) -> NDArray[np.float64]:
    array = np.array(values, dtype=float)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ligaments:
    """Straight elastic bands between two bodies of a right knee (k bands).

    Attributes:
        names: of the bands.
        origin_body, insertion_body: "femur", "patella" or "tibia" for each band.
        origin: (k, 3) mm, frame of the origin body.
        insertion: (k, 3) mm, frame of the insertion body.
        stiffness_n: (k,) N per unit strain in the linear part.
        reference_strain: (k,) no unit; length in the reference pose over slack length, less one (negative = slack there).
        toe_strain: (k,) no unit; strain at which the quadratic toe ends.
        slack_length: (k,) mm.
    """

    names: tuple[str, ...]
    origin_body: tuple[str, ...]
    insertion_body: tuple[str, ...]
    origin: NDArray[np.float64]
    insertion: NDArray[np.float64]
    stiffness_n: NDArray[np.float64]
    reference_strain: NDArray[np.float64]
    toe_strain: NDArray[np.float64]
    slack_length: NDArray[np.float64]

    def _points(self, bodies: tuple[str, ...], body: str) -> NDArray[np.float64]:
        points = np.full((len(self.names), 3), np.nan)
        for end, owners in ((self.origin, self.origin_body), (self.insertion, self.insertion_body)):
            rows = [i for i, owner in enumerate(owners) if owner == body]
            points[rows] = end[rows]
        return _readonly(points)

    @property
    def femur(self) -> NDArray[np.float64]:
        """(k, 3) mm, femur frame; attachment on the femur (nan for a band that has none)."""
        return self._points(self.origin_body, "femur")

    @property
    def tibia(self) -> NDArray[np.float64]:
        """(k, 3) mm, tibia frame; attachment on the tibia (nan for a band that has none)."""
        return self._points(self.insertion_body, "tibia")

    @property
    def patella(self) -> NDArray[np.float64]:
        """(k, 3) mm, patella frame; attachment on the patella (nan for a band that has none)."""
        return self._points(self.insertion_body, "patella")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuadricepsAttachments:
    """Where the four heads pull on the patella.

    Attributes:
        names: recfem, vasint, vaslat, vasmed.
        patella: (4, 3) mm, patella frame; where the head reaches the patella.
        femur: (4, 3) mm, femur frame; the point towards which it pulls while it does not wrap (rectus femoris: at zero hip flexion).
    """

    names: tuple[str, ...]
    patella: NDArray[np.float64]
    femur: NDArray[np.float64]


def _key(source_scale: ArrayLike) -> tuple[float, ...]:
    """The scale as a key under which the bands of a knee of this size are remembered."""
    return tuple(np.broadcast_to(np.asarray(source_scale, dtype=float), (3,)).tolist())


@lru_cache(maxsize=64)
def _bands(groups: tuple[tuple[str, str, tuple[_Row, ...]], ...], source_scale: tuple[float, ...]) -> Ligaments:
    scale = np.array(source_scale)
    rows = [(first, second, row) for first, second, group in groups for row in group]
    origin = np.array([row[1] for _, _, row in rows]) * scale
    insertion = np.array([row[2] for _, _, row in rows]) * scale
    shift = np.array(PATELLA_REFERENCE_MM) * scale
    from_patella = np.array([first == "patella" for first, _, _ in rows])[:, None] * shift
    to_patella = np.array([second == "patella" for _, second, _ in rows])[:, None] * shift
    length = np.linalg.norm(insertion + to_patella - origin - from_patella, axis=1)
    strain = np.array([row[4] for _, _, row in rows])
    return Ligaments(
        names=tuple(row[0] for _, _, row in rows),
        origin_body=tuple(first for first, _, _ in rows),
        insertion_body=tuple(second for _, second, _ in rows),
        origin=_readonly(origin),
        insertion=_readonly(insertion),
        stiffness_n=_readonly(np.array([row[3] for _, _, row in rows]) * float(np.prod(scale)) ** (2.0 / 3.0)),
        reference_strain=_readonly(strain),
        toe_strain=_readonly([row[5] for _, _, row in rows]),
        slack_length=_readonly(length / (1.0 + strain)),
    )


def tibiofemoral_ligaments(source_scale: ArrayLike = 1.0) -> Ligaments:
    """Return the cruciate, collateral and anterolateral ligaments, the passive iliotibial band and the posterior capsule of a knee.

    Args:
        source_scale: (3,) no unit; size of the knee over the source knee along x, y, z. Attachments scale with it, strains stay, and
            stiffness per unit strain grows with the cross-section (square of the mean scale; assumption of geometric similarity).

    Source: Lenhart 2015 and Smith 2019 (see the module). Reference strains are length over slack length less one in the reference pose:
    of the cruciates, the popliteofibular and anterolateral ligament and the iliotibial band those that give measured laxity (see the
    table), of the others those of the released model. The shortest paths around bone were computed for this table; they give the wrapped
    fibres of the superficial MCL and the capsule 0.03, 0.04 or 0.05 to three digits, the values the source was built with.
    """
    return _bands((("femur", "tibia", _TIBIOFEMORAL),), _key(source_scale))


def stretched_slack(bands: Ligaments, mcl_stretch_mm: float) -> NDArray[np.float64]:
    """Slack lengths (k,) mm that stand for a superficial MCL whose attachments lie farther apart by a stretch in mm than the frames say.

    An opening wedge above the tibial attachment moves it away from the joint by s; the strain (L + s) / L0 - 1 of a band of length L is that of a
    slack length L0 L / (L + s), with L = L0 (1 + reference strain).
    """
    length = bands.slack_length * (1.0 + bands.reference_strain)
    long = np.array([name.startswith("mcl_superficial") for name in bands.names])
    return np.where(long, bands.slack_length * length / (length + mcl_stretch_mm), bands.slack_length)


def patellofemoral_ligaments(source_scale: ArrayLike = 1.0) -> Ligaments:
    """Return the lateral and medial patellofemoral bands (femur to patella) and the patellar tendon (patella to tibia).

    Args:
        source_scale: (3,) no unit; see `tibiofemoral_ligaments`.
    """
    return _bands((("femur", "patella", _PATELLAR_BANDS), ("patella", "tibia", _PATELLAR_TENDON)), _key(source_scale))


def quadriceps_attachments(source_scale: ArrayLike = 1.0) -> QuadricepsAttachments:
    """Return where the heads of the quadriceps pull on the patella, for a knee of the given size.

    Args:
        source_scale: (3,) no unit; see `tibiofemoral_ligaments`.
    """
    scale = np.broadcast_to(np.asarray(source_scale, dtype=float), (3,))
    return QuadricepsAttachments(
        names=tuple(name for name, _, _ in _QUADRICEPS),
        patella=_readonly(np.array([p for _, p, _ in _QUADRICEPS]) * scale),
        femur=_readonly(np.array([f for _, _, f in _QUADRICEPS]) * scale),
    )


def ligament_force(length: ArrayLike, slack_length: ArrayLike, stiffness_n: ArrayLike,
                   toe_strain: ArrayLike = TOE_STRAIN) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the tension of a ligament and its derivative by the length.

    With strain e = length / slack_length - 1 and toe strain t: 0 for e <= 0; k e^2 / (2 t) for e < t; k (e - t / 2) beyond.
    The tension and its slope are continuous. Source: Blankevoort 1991, doi 10.1016/0021-9290(91)90019-J.

    Args:
        length: (...) mm.
        slack_length: (...) mm.
        stiffness_n: (...) N per unit strain.
        toe_strain: (...) no unit.

    Returns:
        tension: (...) N.
        slope: (...) N/mm.
    """
    slack, stiffness, toe = (np.asarray(a, dtype=float) for a in (slack_length, stiffness_n, toe_strain))
    strain = np.asarray(length, dtype=float) / slack - 1.0
    stretched = np.maximum(strain, 0.0)
    in_toe = stretched < toe
    tension = stiffness * np.where(in_toe, stretched**2 / (2.0 * toe), stretched - 0.5 * toe)
    slope = stiffness / slack * np.where(in_toe, stretched / toe, 1.0)
    return tension, slope
