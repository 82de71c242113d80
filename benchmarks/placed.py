"""The hot loop taken apart: springs of the walking knee, placed as the solver places them, and what its kernels need beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.case import Case
from kneeload.contact.cycle import ContactCycle
from kneeload.contact.cycle_solver import solve_cycle
from kneeload.contact.model import ContactModel
from kneeload.contact.prepared import PreparedKnee, prepare
from kneeload.contact.solver import MARGIN_MM, coordinates
from kneeload.contact.springs import SpringSet
from kneeload.forces.loads import JointLoads
from kneeload.kernels import equilibrium
from kneeload.kernels import springs as kernels
from kneeload.kernels.pose import rotation
from kneeload.simulate import anatomy_of, run_activity
from kneeload.subject.anatomy import KneeAnatomy

Array = NDArray[np.float64]
MOVED = np.array([2e-3, -1e-3, 1.5e-3, 0.02, 0.03, -0.02])  # rad, mm: how far a Newton step typically takes the body from where it was placed
OUTWARD_MM = 0.01  # and a meniscus


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walking:
    """The default person's walking knee.

    Attributes:
        anatomy: its surfaces.
        flexion: (101,) rad.
        loads: over the same frames.
        model: law and stiffness.
        cycle: the answer of `solve_cycle`.
    """

    anatomy: KneeAnatomy
    flexion: Array
    loads: JointLoads
    model: ContactModel
    cycle: ContactCycle

    def solve(self) -> ContactCycle:
        """Both joints, all frames."""
        return solve_cycle(self.anatomy, self.flexion, self.loads, self.model)


@lru_cache(maxsize=1)
def walking() -> Walking:
    """Return the default case of walking, solved once."""
    case = Case()
    assert case.contact is not None
    anatomy = anatomy_of(case)
    found = run_activity(replace(case, contact=None), anatomy, case.activity)
    cycle = solve_cycle(anatomy, found.motion.knee_flexion, found.loads, case.contact)
    return Walking(anatomy=anatomy, flexion=found.motion.knee_flexion, loads=found.loads, model=case.contact, cycle=cycle)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """Springs of one body placed in one pose, and a pose close to it at which they are evaluated.

    Attributes:
        knee, springs: what was placed.
        q: (n,) rad and mm, pose of the placing.
        rot: (5, 3) of that pose, see `kneeload.kernels.pose.rotation`.
        near: the tuple `near` of `kneeload.kernels.springs`.
        base: (23,) pose of the placing, same page.
        turn, shift: (3, 3) and (3,) mm, motion since the placing.
        outward: mm, of a meniscus since the placing.
    """

    knee: PreparedKnee
    springs: SpringSet
    q: Array
    rot: Array
    near: tuple[NDArray, ...]
    base: Array
    turn: Array
    shift: Array
    outward: float

    @property
    def groups(self) -> int:
        """Surfaces that do not move on their own."""
        return len(self.springs.names) - self.springs.movable

    @property
    def plain_chunks(self) -> int:
        """Chunks of springs of those surfaces."""
        return int(self.near[3][self.groups])

    def size(self, first: int, last: int) -> int:
        """Springs in chunks first..last-1, padding of blocks included."""
        return int(self.near[2][first:last].sum())

    def place(self) -> None:
        """Place the springs (again): one call of the kernel."""
        kernels.place(self.q, self.rot, self.knee.level, self.springs.arrays, self.knee.femoral_compliance, MARGIN_MM, self.springs.reach_mm, self.near, self.base)

    def add(self, kernel: Callable[..., Any], sums: Array, nonlinear: bool = False) -> Array:
        """Run `add_forces` or `add_springs` over the springs of the plates; returns sums."""
        kernel(self.near[0], self.near[2], 0, self.plain_chunks, self.turn, self.shift, True if nonlinear else None, sums)
        return sums

    def add_menisci(self, sums: Array, wedge: Array, nonlinear: bool = False) -> tuple[Array, Array]:
        """Run `add_meniscus` over the springs of all menisci; returns sums and wedge."""
        kernels.add_meniscus(self.near[0], self.near[2], self.plain_chunks, int(self.near[3][-1]), self.turn, self.shift, self.outward, True if nonlinear else None, sums, wedge)
        return sums, wedge


def placed(frame: int | None = None, knee: PreparedKnee | None = None) -> Placed:
    """Return the tibia of the walking knee placed in a frame of the answer (default: that of the highest force), evaluated a step away."""
    walk = walking()
    knee = prepare(walk.anatomy, walk.model) if knee is None else knee
    if frame is None:
        frame = int(np.argmax(walk.cycle.medial.force + walk.cycle.lateral.force))
    q = np.concatenate([coordinates(walk.cycle.femur_from_tibia[frame]), walk.cycle.meniscus_expansion[frame, :knee.tibia.movable]])
    return placed_at(knee, knee.tibia, q)


def placed_at(knee: PreparedKnee, springs: SpringSet, q: Array) -> Placed:
    """Return the springs of a body placed at q (n,), and the motion `MOVED` since."""
    groups = len(springs.names)
    chunks = len(springs.home) // kernels.CHUNK + 2 * groups
    near = (np.zeros(chunks * kernels.ROWS * kernels.CHUNK, np.float32), np.zeros(chunks * (kernels.CHUNK // kernels.BLOCK), np.int64), np.zeros(chunks, np.int64),
            np.zeros(groups + 1, np.int64), np.zeros(len(springs.home) // kernels.BLOCK), np.zeros(len(springs.home) // kernels.BLOCK, np.bool_))
    base, rot, moved = np.zeros(25), np.zeros((5, 3)), np.zeros((5, 3))
    rotation(q, rot)
    turn, shift = np.zeros((3, 3)), np.zeros(3)
    made = Placed(knee=knee, springs=springs, q=q, rot=rot, near=near, base=base, turn=turn, shift=shift, outward=OUTWARD_MM)
    made.place()
    near_by = q[:6] + MOVED
    rotation(near_by, moved)
    kernels.motion_since(moved, near_by[3:6], base, turn, shift)
    return made


def repeated(source: Placed, chunks: int) -> tuple[Array, NDArray[np.int64]]:
    """Return a table and the sizes of `chunks` full chunks, filled with the plates' springs of `source` over and over."""
    rows = source.near[0].reshape(-1, kernels.ROWS, kernels.CHUNK)
    used = np.concatenate([rows[m, :, :source.near[2][m]] for m in range(source.plain_chunks)], axis=1)
    columns = used[:, np.arange(chunks * kernels.CHUNK) % used.shape[1]]
    table = np.ascontiguousarray(columns.reshape(kernels.ROWS, chunks, kernels.CHUNK).transpose(1, 0, 2)).reshape(-1)
    return table, np.full(chunks, kernels.CHUNK, np.int64)


def workspace() -> tuple[Array, ...]:
    """Return the tuple `work` of `kneeload.kernels.equilibrium.potential`."""
    return np.zeros((5, 3)), np.zeros((3, 3)), np.zeros(3), np.zeros(kernels.SUMS), np.zeros(kernels.WEDGE), np.zeros((3, 3))


LENGTH = equilibrium.LENGTH
