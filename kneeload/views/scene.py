"""The scene that pictures and files are made of: one knee, its contact over a cycle, and who it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kneeload.contact.cycle import CompartmentContact, ContactCycle
from kneeload.subject.anatomy import KneeAnatomy
from kneeload.subject.person import Side
from kneeload.subject.surface import ArticularSurface, Body

Joint = Literal["tibiofemoral", "patellofemoral"]
NOT_A_DIAGNOSIS = "Information only, not a diagnosis."


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """Everything that a picture of one knee needs.

    Attributes:
        anatomy: the knee, always stored as a right knee.
        contact: poses and pressures over the cycle (T frames).
        side: which knee it is; a left knee is shown and written as the mirror image.
        subject: one line about the person, for titles.
        activity: one or two words, for titles.
        interventions: names of what was changed, for titles.
        body_weight_n: N, or None when forces shall be given in N alone.
        daily_dose: (15,) MPa s per day in the order of MOAKS_REGIONS, or None.
        risk_24mo: (15,) no unit, 0 to 1, same order, or None.
    """

    anatomy: KneeAnatomy
    contact: ContactCycle
    side: Side = "right"
    subject: str = ""
    activity: str = ""
    interventions: tuple[str, ...] = ()
    body_weight_n: float | None = None
    daily_dose: NDArray[np.float64] | None = None
    risk_24mo: NDArray[np.float64] | None = None


def casting_surfaces(anatomy: KneeAnatomy) -> dict[str, ArticularSurface]:
    """The surfaces that carry a pressure field, by the name of their field."""
    surfaces = {"tibia_medial": anatomy.tibia_medial, "tibia_lateral": anatomy.tibia_lateral}
    for name, meniscus in (("medial_meniscus", anatomy.medial_meniscus), ("lateral_meniscus", anatomy.lateral_meniscus)):
        if meniscus is not None:
            surfaces[name] = meniscus.surface
    surfaces["patella"] = anatomy.patella
    return surfaces


def frame_count(scene: Scene) -> int:
    """Number of frames of the cycle."""
    return int(scene.contact.femur_from_tibia.shape[0])


def joint_force(scene: Scene, joint: Joint) -> NDArray[np.float64]:
    """Contact force of a joint over the cycle, (T,) N; for the tibiofemoral joint medial plus lateral."""
    contact = scene.contact
    if joint == "tibiofemoral":
        return contact.medial.force + contact.lateral.force
    return contact.patellofemoral.force


def peak_frame(scene: Scene, joint: Joint) -> int:
    """Frame in which the force of a joint is largest (frames without a number are passed over; 0 when all are)."""
    force = joint_force(scene, joint)
    return int(np.nanargmax(force)) if np.isfinite(force).any() else 0


def cycle_percent(scene: Scene, frame: int) -> float:
    """Percent of the cycle at a frame, 0 to 100."""
    return 100.0 * frame / max(frame_count(scene) - 1, 1)


def compartments(scene: Scene) -> dict[str, CompartmentContact]:
    """The three compartments by name."""
    contact = scene.contact
    return {"medial": contact.medial, "lateral": contact.lateral, "patellofemoral": contact.patellofemoral}


def body_pose(scene: Scene, body: Body, frame: int) -> NDArray[np.float64]:
    """(4, 4) no unit / mm; pose of a body in the femur frame at a frame."""
    if body == "tibia":
        return scene.contact.femur_from_tibia[frame]
    if body == "patella":
        return scene.contact.femur_from_patella[frame]
    return np.eye(4)


def placed(points: NDArray[np.float64], pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, 3) mm moved by a pose (4, 4): rotation and shift, mm in the outer frame."""
    return points @ pose[:3, :3].T + pose[:3, 3]


def inverse_pose(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, 4) no unit / mm; inverse of a rigid pose."""
    inverse = np.eye(4)
    inverse[:3, :3] = pose[:3, :3].T
    inverse[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return inverse


def shown(points: NDArray[np.float64], triangles: NDArray[np.int32], side: Side) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Points (n, 3) mm and triangles (m, 3) as seen on the person's own side: a left knee is mirrored (z changes sign).

    The order of the corners is turned around as well, so that normals still point outwards.
    """
    if side == "right":
        return points, triangles
    return points * np.array([1.0, 1.0, -1.0]), triangles[:, ::-1]


def headline(scene: Scene) -> str:
    """One line: side (unless the line about the person names it), person, activity, interventions."""
    side = f"{scene.side} knee"
    parts = ["" if side in scene.subject.lower() else side, scene.subject, scene.activity.replace("_", " ")]
    if scene.interventions:
        parts.append("with " + ", ".join(name.replace("_", " ") for name in scene.interventions))
    line = "  ·  ".join(part for part in parts if part)
    return line[:1].upper() + line[1:]
