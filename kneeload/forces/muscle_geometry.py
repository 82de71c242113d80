"""Moment arms, lines of action and lengths of 40 leg muscles as polynomials of knee, hip and ankle angle.

`muscle_geometry.csv` holds the coefficients (written by `fit_muscle_geometry`, RMS error of every moment arm below 1 mm). Source:
full-body model of Rajagopal 2016 (doi 10.1109/TBME.2016.2586891) as modified by Lai 2017 (doi 10.1007/s10439-017-1852-7) and
Uhlrich 2022 (doi 10.1038/s41598-022-13386-9), a man of 75 kg and 1.70 m. Lengths, arms and moments are for that size.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import NDArray

from kneeload.kernels.muscle_polynomials import ANKLE_KNEE, HIP_KNEE, KNEE_ANKLE, KNEE_HIP, evaluate_polynomials
from kneeload.units import DEG

TABLE = Path(__file__).with_name("muscle_geometry.csv")
SOURCE_HEIGHT_M = 1.70  # the generic subject of Rajagopal 2016
SOURCE_MASS_KG = 75.0
DEGREES = ("knee_flexion_deg", "hip_flexion_deg", "ankle_dorsiflexion_deg")
SIZES = {"constant": 1, "knee": 7, "knee_hip": 13, "knee_ankle": 13, "hip": 5, "hip_knee": 8, "ankle": 4, "ankle_knee": 7}
KNEE_RANGE_DEG, HIP_RANGE_DEG, ANKLE_RANGE_DEG = (0.0, 120.0), (-20.0, 90.0), (-30.0, 30.0)  # angles of the tables; others are clipped

QUADRICEPS = ("recfem", "vasint", "vaslat", "vasmed")
KNEE_MUSCLES = ("bflh", "bfsh", "gaslat", "gasmed", "grac", "recfem", "sart", "semimem", "semiten", "tfl", "vasint", "vaslat", "vasmed")
HIP_MUSCLES = (
    "addbrev", "addlong", "addmagDist", "addmagIsch", "addmagMid", "addmagProx", "glmax1", "glmax2", "glmax3", "glmed1", "glmed2",
    "glmed3", "glmin1", "glmin2", "glmin3", "iliacus", "piri", "psoas",
)
ACHILLES = ("gaslat", "gasmed", "soleus")
ACHILLES_ARM_MM = 51.6
"""Lever arm of the loaded Achilles tendon at 10 degrees of plantarflexion, mm: mean of the seven in vivo values under contraction (38 to
64 mm, SD 9) that Manal 2013 lists (PMC3871454, table 2). The muscle table gives 44 mm; its change with ankle angle is kept. All 15 in vivo
values of that list, at rest too, average 48.3 mm, with which the second peak in walking is about 0.1 body weights higher."""
ANKLE_MUSCLES = ("edl", "ehl", "fdl", "fhl", "perbrev", "perlong", "soleus", "tibant", "tibpost")


def design(basis: str, knee_deg: NDArray[np.float64], hip_deg: NDArray[np.float64], ankle_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (n, SIZES[basis]) matrix of basis functions: Chebyshev polynomials of the first angle, low powers of the second.

    Args:
        basis: a key of `SIZES`; the first name is the main angle.
        knee_deg: (n,) degrees, flexion positive.
        hip_deg: (n,) degrees, flexion positive.
        ankle_deg: (n,) degrees, dorsiflexion positive.
    """
    knee = np.clip(knee_deg, *KNEE_RANGE_DEG) / 60.0 - 1.0
    hip = np.clip(hip_deg, *HIP_RANGE_DEG)
    ankle = np.clip(ankle_deg, *ANKLE_RANGE_DEG)
    if basis == "constant":
        return np.ones((len(knee), 1))
    if basis.startswith("knee"):
        parts = [chebvander(knee, 6)]
        if basis != "knee":
            second = hip / 60.0 if basis == "knee_hip" else ankle / 20.0
            parts += [second[:, None] * chebvander(knee, 3), second[:, None] ** 2 * chebvander(knee, 1)]
        return np.hstack(parts)
    main, order = ((hip - 35.0) / 55.0, 4) if basis.startswith("hip") else (ankle / 30.0, 3)
    parts = [chebvander(main, order)]
    if basis.endswith("knee"):
        parts += [(knee + 1.0)[:, None] * chebvander(main, 1), ((knee + 1.0) ** 2)[:, None]]
    return np.hstack(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Coefficients of all rows of the table that share one basis."""

    basis: str
    targets: tuple[tuple[str, str], ...]
    coefficients: NDArray[np.float64]


@lru_cache(maxsize=1)
def _blocks() -> tuple[_Block, ...]:
    rows: dict[str, list[tuple[tuple[str, str], list[float]]]] = {}
    with TABLE.open(newline="") as stream:
        for row in csv.DictReader(stream):
            coefficients = [float(row[f"c{i}"]) for i in range(SIZES[row["basis"]])]
            rows.setdefault(row["basis"], []).append(((row["muscle"], row["quantity"]), coefficients))
    return tuple(
        _Block(basis=basis, targets=tuple(target for target, _ in entries), coefficients=np.array([c for _, c in entries]))
        for basis, entries in rows.items()
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MuscleGeometry:
    """Geometry of n muscles over T frames, for the size of the source subject. Columns follow `names`.

    Attributes:
        names: of the muscles.
        knee_extension_arm: (T, n) mm, positive extends.
        hip_flexion_arm: (T, n) mm, positive flexes.
        hip_adduction_arm: (T, n) mm, positive adducts; at neutral adduction.
        ankle_dorsiflexion_arm: (T, n) mm, positive dorsiflexes.
        length: (T, n) mm, muscle and tendon; nan for muscles that do not cross the knee.
        force: (T, n, 3) no unit, tibia frame; force on the bodies below the knee per newton of tension (0 for the quadriceps, which
            act through the patella, and for muscles that do not cross the knee).
        moment: (T, n, 3) mm, tibia frame; moment about the tibia origin per newton of tension, same bodies.
        max_isometric_force: (n,) N.
        optimal_fiber_length: (n,) mm.
        tendon_slack_length: (n,) mm.
        pennation: (n,) rad.
    """

    names: tuple[str, ...]
    knee_extension_arm: NDArray[np.float64]
    hip_flexion_arm: NDArray[np.float64]
    hip_adduction_arm: NDArray[np.float64]
    ankle_dorsiflexion_arm: NDArray[np.float64]
    length: NDArray[np.float64]
    force: NDArray[np.float64]
    moment: NDArray[np.float64]
    max_isometric_force: NDArray[np.float64]
    optimal_fiber_length: NDArray[np.float64]
    tendon_slack_length: NDArray[np.float64]
    pennation: NDArray[np.float64]


@lru_cache(maxsize=1)
def _tabulated_achilles_arm() -> float:
    """Mean arm of the three heads in the table at 10 degrees of plantarflexion and a straight knee, mm."""
    zero, ankle = np.zeros(1), np.full(1, -10.0)
    arms = []
    for block in _blocks():
        table = design(block.basis, zero, zero, ankle) @ block.coefficients.T
        arms += [-table[0, k] for k, (muscle, quantity) in enumerate(block.targets)
                 if muscle in ACHILLES and quantity == "ankle_dorsiflexion_arm_mm"]
    return float(np.mean(arms))


# Where each quantity lies in the working array of `muscle_geometry`: number of the (T, n) layer; components of a vector share three.
_LAYERS = {"knee_extension_arm_mm": 0, "hip_flexion_arm_mm": 1, "ankle_dorsiflexion_arm_mm": 2, "length_mm": 3,
           "fx": 4, "fy": 4, "fz": 4, "mx_mm": 7, "my_mm": 7, "mz_mm": 7, "hip_adduction_arm_mm": 10}
_AXES = {"fx": 0, "fy": 1, "fz": 2, "mx_mm": 0, "my_mm": 1, "mz_mm": 2}
_CONSTANTS = ("max_isometric_force_n", "optimal_fiber_length_mm", "tendon_slack_length_mm", "pennation_deg")
_FIRST = {"knee": KNEE_HIP, "knee_hip": KNEE_HIP, "knee_ankle": KNEE_ANKLE, "hip": HIP_KNEE, "hip_knee": HIP_KNEE,
          "ankle": ANKLE_KNEE, "ankle_knee": ANKLE_KNEE}
_RANGES = np.array([KNEE_RANGE_DEG, HIP_RANGE_DEG, ANKLE_RANGE_DEG])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selection:
    """The polynomials (P) and constants of some muscles (n), as `evaluate_polynomials` wants them.

    Attributes:
        first, coefficients, stride: as in that kernel.
        layer, within: (P,) layer of each polynomial and its entry in the layer's first frame.
        constants: (4, n) in the order of `_CONSTANTS`, pennation in rad.
    """

    first: NDArray[np.int64]
    coefficients: NDArray[np.float64]
    stride: NDArray[np.int64]
    layer: NDArray[np.int64]
    within: NDArray[np.int64]
    constants: NDArray[np.float64]


@lru_cache(maxsize=16)
def _selection(names: tuple[str, ...]) -> _Selection:
    column = {name: i for i, name in enumerate(names)}
    constants, rows = np.zeros((len(_CONSTANTS), len(names))), []
    for block in _blocks():
        for (muscle, quantity), coefficients in zip(block.targets, block.coefficients):
            if muscle not in column:
                continue
            if quantity in _CONSTANTS:
                constants[_CONSTANTS.index(quantity), column[muscle]] = coefficients[0]
                continue
            loaded = muscle in ACHILLES and quantity == "ankle_dorsiflexion_arm_mm"
            padded = np.zeros(max(SIZES.values()))
            padded[: len(coefficients)] = coefficients * (ACHILLES_ARM_MM / _tabulated_achilles_arm() if loaded else 1.0)
            vector = quantity in _AXES
            rows.append((_FIRST[block.basis], padded, (3 if vector else 1) * len(names), _LAYERS[quantity],
                         3 * column[muscle] + _AXES[quantity] if vector else column[muscle]))
    constants[_CONSTANTS.index("pennation_deg")] *= DEG
    constants.setflags(write=False)
    first, padded_rows, stride, layer, within = zip(*rows)
    return _Selection(first=np.array(first), coefficients=np.array(padded_rows), stride=np.array(stride), layer=np.array(layer),
                      within=np.array(within), constants=constants)


def muscle_geometry(names: tuple[str, ...], knee_flexion: NDArray[np.float64], hip_flexion: NDArray[np.float64],
                    ankle_dorsiflexion: NDArray[np.float64]) -> MuscleGeometry:
    """Return the geometry of the named muscles. Angles outside the tables are held at the nearest tabulated angle.

    Args:
        names: muscles of `KNEE_MUSCLES`, `HIP_MUSCLES` and `ANKLE_MUSCLES`.
        knee_flexion: (T,) rad.
        hip_flexion: (T,) rad.
        ankle_dorsiflexion: (T,) rad.
    """
    chosen = _selection(tuple(names))
    angles = np.array([knee_flexion, hip_flexion, ankle_dorsiflexion], dtype=float) / DEG
    frames, count = angles.shape[1], len(names)
    values = np.zeros(11 * frames * count)
    layers = values.reshape(11, frames, count)
    layers[3] = np.nan
    evaluate_polynomials(angles, _RANGES, chosen.first, chosen.coefficients, chosen.layer * (frames * count) + chosen.within,
                         chosen.stride, values)
    return MuscleGeometry(
        names=names,
        knee_extension_arm=layers[0],
        hip_flexion_arm=layers[1],
        hip_adduction_arm=layers[10],
        ankle_dorsiflexion_arm=layers[2],
        length=layers[3],
        force=layers[4:7].reshape(frames, count, 3),
        moment=layers[7:10].reshape(frames, count, 3),
        max_isometric_force=chosen.constants[0],
        optimal_fiber_length=chosen.constants[1],
        tendon_slack_length=chosen.constants[2],
        pennation=chosen.constants[3],
    )
