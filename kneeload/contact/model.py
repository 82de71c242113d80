"""The choices of the contact model: law of the layers, effective stiffness, weak restraints, tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kneeload.errors import check_choice, check_range

Law = Literal["linear", "nonlinear"]
LAWS: tuple[str, ...] = ("linear", "nonlinear")

LAYER_PATCH = (1.29, 2.58, 4.08, 5.96)
LAYER_FACTOR = (0.51, 0.59, 0.70, 0.80)
"""Force of layer finite elements over the linear elastic foundation at Poisson's ratio 0.45, against patch radius over layer thickness
(bonded layer, frictionless rigid sphere, radius a = sqrt(2 R d)); CalculiX 2.20. The quadratic axisymmetric elements of
`tests/contact/layer_elements.py`, which meet Hertz and the closed layer, give 8 to 14 % more: 0.55, 0.67, 0.78, 0.86."""
PATCH_RANGE_MM = (6.9, 13.5)
"""Radii of circles of the contact area of a compartment, 150 to 570 mm2: between them lie 90 % of the force times time of the medial, lateral
and patellar contact of a man and a woman, with and without whole menisci, in six activities (docs/contact.md)."""
MENISCUS_LOADED_MPA = 2.7
"""Pressure at which the tangent modulus of a meniscus is that of its material, MPa. The moduli of finite-element models hold for loaded knees:
their menisci carry at most 2.81 +- 0.92 (medial) and 2.52 +- 0.97 MPa (lateral) at 1150 N (Devaraj 2020, doi 10.2174/1874120702014010074)."""


def layer_factor_at(patch_ratio: float) -> float:
    """Return the factor on the confined modulus of a cartilage layer at a patch of radius over layer thickness `patch_ratio` (no unit).

    Linear between the finite-element results `LAYER_FACTOR`, constant outside them. A nearly incompressible layer bulges sideways
    out of a small patch, which the foundation forbids; so the foundation is too stiff by this factor.
    """
    return float(np.interp(patch_ratio, LAYER_PATCH, LAYER_FACTOR))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactModel:
    """How layers press on each other and what holds a knee that carries nothing.

    Attributes:
        law: "linear" p = k d, or "nonlinear" p = -k h ln(1 - d/h) with h the thickness of all layers (Bei and Fregly 2004, PMC1680082).
        layer_factor: factor on the confined modulus of cartilage; None = `cartilage_factor` of the mean thickness of every cartilage on its
            own: thin layers are more confined than thick ones. 1 gives the plain foundation. Range 0.6 to 0.85 over the layers of a knee.
        meniscus_factor: the same for the meniscus, whose Poisson's ratio (0.2) makes the correction small (finite elements: 1.01 to 1.06 at
            1.5 to 3 patch radii per thickness): 1.
        meniscus_toe: tangent modulus of an unloaded meniscus over that at `MENISCUS_LOADED_MPA`; in between it grows in proportion to the
            strain. Compressed at the rate of walking the human meniscus has 79 kPa at 3 % of strain and 662 kPa at 12 % (unconfined; Chia and
            Hull 2008, doi 10.1002/jor.20573): more than in proportion, so next to nothing at rest. 0.05 (assumption, 0.02 to 0.25); 1 =
            constant modulus. The law "nonlinear" stiffens by itself and takes the constant modulus.
        circumferential_modulus_mpa: tensile modulus of the meniscus along its fibres; 140 MPa (Donahue 2002, doi 10.1115/1.1470171; 50-300).
        horn_stiffness_n_mm: resistance of horns and coronary ligament against outward motion when no hoop is left: four horn bands of 40 N
            and three coronary bands of 25 N per unit strain (Smith 2019) of 10 mm length (assumption, 5-15 mm) = 23.5 N/mm.
        capsule_stiffness_n_mm: weak springs on the free coordinates of the pose around the reference pose (angles times 20 mm); 1 N/mm is an
            assumption (0.1-3) that keeps an unloaded knee determinate; a few newtons in a loaded one.
        muscle_length_mm: free length of the muscles that span the joint: a pull F of length L that acts at a distance r from the long axis turns
            back when the tibia moves sideways (stiffness F / L) or turns about its axis (F r^2 / L). Assumption, 350 mm (250-450).
        muscle_lever_mm: r above; 30 mm (assumption, 20-40: hamstrings and gastrocnemii cross the knee at that distance).
        tolerance: unbalanced force over the load at which the Newton iteration stops.
    """

    law: Law = "linear"
    layer_factor: float | None = None
    meniscus_factor: float = 1.0
    meniscus_toe: float = 0.05
    circumferential_modulus_mpa: float = 140.0
    horn_stiffness_n_mm: float = 23.5
    capsule_stiffness_n_mm: float = 1.0
    muscle_length_mm: float = 350.0
    muscle_lever_mm: float = 30.0
    tolerance: float = 1e-5

    def __post_init__(self) -> None:
        check_choice("contact law", self.law, LAWS, where="contact.law", why="these laws of the elastic foundation are known")
        if self.layer_factor is not None:
            check_range("layer factor", self.layer_factor, 0.05, 1.5, "", where="contact.layer_factor", why="it corrects the stiffness of the plain foundation")
        check_range("meniscus factor", self.meniscus_factor, 0.05, 1.5, "", where="contact.meniscus_factor", why="it corrects the stiffness of the plain foundation")
        check_range("toe of the meniscus", self.meniscus_toe, 0.005, 1.0, "", where="contact.meniscus_toe",
                    why="a meniscus stiffens under load and is never without any stiffness")
        check_range("circumferential modulus", self.circumferential_modulus_mpa, 0.0, 1000.0, "MPa", where="contact.circumferential_modulus_mpa",
                    why="fibres stiffer than that were never measured")
        check_range("horn stiffness", self.horn_stiffness_n_mm, 0.1, 1000.0, "N/mm", where="contact.horn_stiffness_n_mm",
                    why="without any restraint a meniscus with torn roots has no equilibrium")
        check_range("capsule stiffness", self.capsule_stiffness_n_mm, 0.01, 20.0, "N/mm", where="contact.capsule_stiffness_n_mm",
                    why="it must hold an unloaded knee but not carry load")
        check_range("muscle length", self.muscle_length_mm, 100.0, 1000.0, "mm", where="contact.muscle_length_mm", why="thigh and calf muscles are that long")
        check_range("muscle lever", self.muscle_lever_mm, 0.0, 60.0, "mm", where="contact.muscle_lever_mm", why="muscles lie that close to the axis of the leg")
        check_range("tolerance", self.tolerance, 1e-12, 1e-3, "", where="contact.tolerance", why="equilibrium is promised to 0.1 % of the load")

    def cartilage_factor(self, mean_thickness_mm: float) -> float:
        """Factor on the confined modulus of a cartilage layer of this mean thickness (mm) that is in force, no unit.

        Without a given one it is the factor whose largest relative error over the patches of `PATCH_RANGE_MM` is the least: it is as much too
        stiff for the smallest as too soft for the largest patch, f / f_small - 1 = 1 - f / f_large.
        """
        if self.layer_factor is not None:
            return self.layer_factor
        small, large = (layer_factor_at(radius / mean_thickness_mm) for radius in PATCH_RANGE_MM)
        return 2.0 / (1.0 / small + 1.0 / large)
