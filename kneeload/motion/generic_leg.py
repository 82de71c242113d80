"""A skeleton of pelvis and two legs from height and mass, for recordings without a model of the person."""

from __future__ import annotations

import numpy as np

from kneeload.motion.limb import SHANK_LENGTH, THIGH_LENGTH
from kneeload.motion.skeleton import Array, Body, Joint, MovingAxis, Skeleton, fixed
from kneeload.subject.person import Subject
from kneeload.units import MM_PER_M

_X, _Y, _Z = np.eye(3)

# Masses (fraction of body mass), centres of mass (fraction of length from the proximal end) and radii of gyration about them (fraction of
# length): Winter 2009, Biomechanics and Motor Control of Human Movement, 4th ed., table 4.1.
_THIGH = (0.100, 0.433, 0.323)
_SHANK = (0.0465, 0.433, 0.302)
_FOOT_MASS, _FOOT_GYRATION = 0.0145, 0.475
_FOOT_LENGTH = 0.152  # fraction of height, Winter 2009, figure 4.1
# Centre of mass of the foot from the ankle centre, forwards and up, fraction of height. Assumption, ranges 0.03 to 0.05 and -0.03 to -0.01.
_FOOT_CENTRE = np.array([0.04, -0.02, 0.0])
# Right hip centre from the middle between the anterior superior iliac spines, fraction of height: the generic model of Rajagopal 2016
# (doi 10.1109/TBME.2016.2586891), (-56.3, -78.5, 77.3) mm at 1.70 m. Assumed range: 10 mm
# forwards and up, 20 mm sideways (a scaled model of one woman of 1.65 m has 17 mm more than this).
_HIP = np.array([-0.0331, -0.0462, 0.0455])


def generic_legs(subject: Subject) -> Skeleton:
    """Pelvis and both legs with OpenSim's coordinate names.

    Lengths: thigh 0.245 and shank 0.246 of height (Winter 2009). The pelvis frame lies between the anterior superior iliac spines, as in OpenSim's
    full-body models; its rotations are about z (tilt), x (list), y (rotation). Hip: flexion z, adduction x, internal rotation y; knee: flexion z,
    adduction x, internal rotation y; ankle: dorsiflexion z. On the left adduction and internal rotation turn the other way.
    """
    mass, height = subject.body_mass_kg, subject.height_m * MM_PER_M
    thigh, shank = THIGH_LENGTH * height, SHANK_LENGTH * height
    bodies = {"pelvis": Body(name="pelvis", mass_kg=0.0, mass_centre_mm=np.zeros(3), inertia_kg_mm2=np.zeros((3, 3)))}
    joints = [_joint("ground_pelvis", "ground", "pelvis", np.zeros(3), (("pelvis_tilt", _Z), ("pelvis_list", _X), ("pelvis_rotation", _Y)),
                     (("pelvis_tx", _X), ("pelvis_ty", _Y), ("pelvis_tz", _Z)))]
    for side, out in (("r", 1.0), ("l", -1.0)):
        bodies |= {body.name: body for body in (_rod(f"femur_{side}", mass, thigh, _THIGH), _rod(f"tibia_{side}", mass, shank, _SHANK), _foot(f"foot_{side}", mass, height))}
        joints += [
            _joint(f"hip_{side}", "pelvis", f"femur_{side}", _HIP * height * (1.0, 1.0, out),
                   ((f"hip_flexion_{side}", _Z), (f"hip_adduction_{side}", out * _X), (f"hip_rotation_{side}", out * _Y))),
            _joint(f"knee_{side}", f"femur_{side}", f"tibia_{side}", -thigh * _Y,
                   ((f"knee_angle_{side}", -_Z), (f"knee_adduction_{side}", out * _X), (f"knee_rotation_{side}", out * _Y))),
            _joint(f"ankle_{side}", f"tibia_{side}", f"foot_{side}", -shank * _Y, ((f"ankle_angle_{side}", _Z),)),
        ]
    return Skeleton(source=f"segments of a person of {subject.height_m:g} m and {mass:g} kg (Winter 2009)", bodies=bodies, joints=tuple(joints), defaults={},
                    sliding=frozenset({"pelvis_tx", "pelvis_ty", "pelvis_tz"}))


def _rod(name: str, mass_kg: float, length: float, data: tuple[float, float, float]) -> Body:
    share, centre, gyration = data
    across = share * mass_kg * (gyration * length) ** 2
    return Body(name=name, mass_kg=share * mass_kg, mass_centre_mm=-centre * length * _Y, inertia_kg_mm2=np.diag([across, 0.0, across]))


def _foot(name: str, mass_kg: float, height: float) -> Body:
    across = _FOOT_MASS * mass_kg * (_FOOT_GYRATION * _FOOT_LENGTH * height) ** 2
    return Body(name=name, mass_kg=_FOOT_MASS * mass_kg, mass_centre_mm=_FOOT_CENTRE * height, inertia_kg_mm2=np.diag([0.0, across, across]))


def _joint(name: str, parent: str, child: str, at: Array, rotations: tuple[tuple[str, Array], ...], translations: tuple[tuple[str, Array], ...] = ()) -> Joint:
    def axes(items: tuple[tuple[str, Array], ...]) -> tuple[MovingAxis, ...]:
        return tuple(MovingAxis(axis=axis, coordinate=coordinate, function=_same) for coordinate, axis in items)
    return Joint(name=name, parent=parent, child=child, parent_offset=fixed(at), child_offset=fixed(np.zeros(3)), rotations=axes(rotations),
                 translations=axes(translations))


def _same(value: Array) -> Array:
    return value
