"""How far a passive knee gives way: the test of cadaver rigs and clinicians, on the engine's own ligaments and contact.

The knee is held at a fixed flexion without muscles, a small force presses it together so that its rest is defined, and one load is put
on the tibia at a time; the other coordinates are free, as on a robot that holds all other loads at zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kneeload.contact.cycle_solver import LEAD_STEP, tibia_equilibrium
from kneeload.contact.model import ContactModel
from kneeload.contact.prepared import PreparedKnee
from kneeload.contact.solver import Lines
from kneeload.errors import InputError, check_choice

Array = NDArray[np.float64]
SEAT_N = 40.0  # axial force that presses the knee together (assumption; robots use 10 to 50 N)
STEPS = 4  # from no load to the full one
_COORDINATE = {"anterior": (0, 1.0), "posterior": (0, -1.0), "internal": (1, 1.0), "external": (1, -1.0), "varus": (2, 1.0), "valgus": (2, -1.0)}
DIRECTIONS = tuple(_COORDINATE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Laxity:
    """Answer of `laxity` (T flexions, k ligaments).

    Attributes:
        flexion: (T,) rad.
        direction: one of DIRECTIONS.
        load: N, or N mm for a turn.
        motion: (T,) mm along the tibia's sagittal axis, or rad, from the knee at rest, positive in the direction of the load.
        tension: (T, k) N, of the ligaments under load.
        names: of the ligaments.
        converged: (T,) bool; whether the knee was in equilibrium and in joint, at rest and under load.
    """

    flexion: Array
    direction: str
    load: float
    motion: Array
    tension: Array
    names: tuple[str, ...]
    converged: NDArray[np.bool_]


def laxity(knee: PreparedKnee, flexion: ArrayLike, direction: str, load: float, *, model: ContactModel | None = None, seat_n: float = SEAT_N) -> Laxity:
    """Return how far the tibia moves under one load at each flexion.

    Args:
        knee: from `kneeload.contact.prepared.prepare`.
        flexion: (T,) rad.
        direction: "anterior", "posterior" (force on the tibia at its origin), "internal", "external" (moment about the long axis of the
            tibia), "varus" or "valgus" (moment about the floating axis).
        load: N, or N mm for a moment, above zero.
        model: law and stiffness; default `ContactModel()`.
        seat_n: axial force that presses the knee together, N.

    Raises:
        InputError: unknown direction, a load that is not above zero, or a flexion that is not a number between -0.6 and 2.8 rad.
    """
    check_choice("direction of laxity", direction, DIRECTIONS, where="direction", why="a laxity test has one load")
    if not (np.isfinite(load) and load > 0.0):
        raise InputError("load", where="load", got=load, allowed="above 0 N or N mm", why="without a load nothing gives way")
    angles = np.atleast_1d(np.asarray(flexion, dtype=float))
    if not np.all((angles > -0.6) & (angles < 2.8)):
        raise InputError("knee flexion", where="flexion", got=angles.tolist(), allowed="between -0.6 and 2.8 rad", why="a knee does not bend further")
    kind, sign = _COORDINATE[direction]
    parts = [_test(knee, float(angle), kind, sign * load, ContactModel() if model is None else model, seat_n) for angle in angles]
    return Laxity(
        flexion=_fixed(angles), direction=direction, load=float(load), motion=_fixed(sign * np.array([part[0] for part in parts])),
        tension=_fixed(np.array([part[1] for part in parts])), names=knee.tibia_lines.names, converged=_fixed(np.array([part[2] for part in parts])))


def without(knee: PreparedKnee, band: str) -> PreparedKnee:
    """Return the knee with every tibiofemoral band cut whose name begins with `band`, such as "acl".

    Raises:
        InputError: no band has such a name.
    """
    lines = knee.tibia_lines
    kept = np.array([not name.startswith(band) for name in lines.names])
    if kept.all():
        raise InputError("band", where="band", got=band, allowed="the beginning of one of " + ", ".join(lines.names), why="the knee has no other")
    names = tuple(name for name, keep in zip(lines.names, kept) if keep)
    cut = Lines(names=names, point=lines.point[kept], stiffness=lines.stiffness[kept], slack=lines.slack[kept], toe=lines.toe[kept])
    return replace(knee, tibia_lines=cut, tibia_anchor=knee.tibia_anchor[kept])


def _test(knee: PreparedKnee, flexion: float, kind: int, load: float, model: ContactModel, seat_n: float) -> tuple[float, Array, bool]:
    """Motion, tensions and whether both ends are in equilibrium, of one test: the knee is bent first and loaded then."""
    lead = int(np.ceil(abs(flexion) / LEAD_STEP))
    bent = flexion * np.concatenate([np.arange(lead) / max(lead, 1), np.ones(STEPS + 1)])
    share = np.concatenate([np.zeros(lead), np.arange(STEPS + 1) / STEPS])
    force, moment = np.zeros((len(bent), 3)), np.zeros((len(bent), 3))
    force[:, 1] = seat_n
    if kind == 0:
        force[:, 0] = share * load
    else:
        moment[:, 2 - kind] = share * load
    found = tibia_equilibrium(knee, model, bent, force, moment, np.zeros((len(bent), 2)))
    moved = found.q[-1] - found.q[lead]
    forwards = np.cos(flexion) * moved[3] - np.sin(flexion) * moved[4]
    return float((forwards, moved[2], moved[1])[kind]), found.tension[-1], bool((found.status[[lead, -1]] == 0).all())


def _fixed(values: NDArray) -> NDArray:
    values.setflags(write=False)
    return values
