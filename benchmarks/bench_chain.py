"""What a simulation costs, step by step: functions that measure, used by `report.py` and by the smoke test."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np

from kneeload import Case, KneeResult, simulate
from kneeload.bone.dose import BoneLoad, bone_load
from kneeload.contact.cycle import ContactCycle
from kneeload.contact.cycle_solver import solve_cycle
from kneeload.forces.joint import joint_loads
from kneeload.forces.loads import JointLoads
from kneeload.lesion.hazard import lesion_risk
from kneeload.lesion.risk import LesionRisk
from kneeload.simulate import reference_case, reference_load


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One line of the table.

    Attributes:
        name: what was done.
        seconds: (n,) s; wall time of each repeat, compilation not in it.
    """

    name: str
    seconds: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        """Median over the repeats, ms."""
        return 1000.0 * statistics.median(self.seconds)

    @property
    def range_ms(self) -> tuple[float, float]:
        """Fastest and slowest repeat, ms."""
        return 1000.0 * min(self.seconds), 1000.0 * max(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chain:
    """The default case and everything that its steps need, already compiled: time a step, and nothing else is in it."""

    case: Case
    result: KneeResult

    def loads(self) -> JointLoads:
        """The load level of walking: muscles, compartments and kneecap over 101 frames."""
        anatomy, main = self.result.anatomy, self.result.main
        return joint_loads(main.motion, self.case.subject, centres_flexion=anatomy.contact_centres_flexion, centres_mm=anatomy.contact_centres_mm,
                           muscles=self.case.muscles, spacing_mm=self.case.subject.contact_spacing_mm, source_scale=anatomy.source_scale)

    def contact(self) -> ContactCycle:
        """Equilibrium of both joints over 101 frames of walking."""
        return solve_cycle(self.result.anatomy, self.result.main.motion.knee_flexion, self.result.main.loads, self.case.contact)

    def bone(self) -> BoneLoad:
        """Stress and dose of the 15 regions over the five activities of the day."""
        day = self.result.day
        cycles = {name: item.contact for name, item in day.items() if item.contact is not None}
        return bone_load(self.result.anatomy, cycles, {name: item.motion for name, item in day.items()}, self.case.subject, "walking", self.case.bone)

    def lesion(self) -> LesionRisk:
        """Risk of the 15 regions with intervals."""
        assert self.result.bone is not None
        return lesion_risk(self.result.bone, reference_load(reference_case(self.case)), self.case.subject, self.case.lesion)

    def whole(self) -> KneeResult:
        """The default case: five activities of the day, bone, lesion and pain; anatomy and reference person are remembered."""
        return simulate(self.case)

    def walking_alone(self) -> KneeResult:
        """The default person who walks and does nothing else: motion to lesion risk and pain of one activity."""
        return simulate(Case(day_activities=("walking",)))

    def load_level(self) -> KneeResult:
        """The default case without contact."""
        return simulate(Case(contact=None))


STEPS: dict[str, Callable[[Chain], Any]] = {
    "load level of walking, `joint_loads`, 101 frames": Chain.loads,
    "contact of walking, `solve_cycle`, 101 frames": Chain.contact,
    "bone, `bone_load`, five activities": Chain.bone,
    "lesion, `lesion_risk`, 2000 draws": Chain.lesion,
    "whole case without contact, `simulate`": Chain.load_level,
    "whole case, `simulate`, walking alone": Chain.walking_alone,
    "whole case, `simulate`, five activities": Chain.whole,
}


def warm_chain() -> tuple[Chain, float]:
    """Run every step once; return the chain and the seconds that it took, with whatever had to be compiled or read from the cache."""
    start = time.perf_counter()
    case = Case()
    chain = Chain(case=case, result=simulate(case))
    for step in STEPS.values():
        step(chain)
    return chain, time.perf_counter() - start


def measure(chain: Chain, repeats: int) -> list[Measured]:
    """Return the wall times of every step, `repeats` each."""
    return [Measured(name=name, seconds=tuple(_seconds(step, chain) for _ in range(repeats))) for name, step in STEPS.items()]


def _seconds(step: Callable[[Chain], Any], chain: Chain) -> float:
    start = time.perf_counter()
    step(chain)
    return time.perf_counter() - start


def size_of(chain: Chain) -> dict[str, float]:
    """Return the size of the contact problem of walking: springs, triangles and Newton steps per frame (no unit)."""
    contact = chain.result.main.contact
    assert contact is not None
    anatomy = chain.result.anatomy
    covered = int(anatomy.covered_medial.sum() + anatomy.covered_lateral.sum())
    casting = sum(field.pressure.shape[1] for field in contact.fields)
    return {
        "springs": casting - covered, "casting_triangles": casting, "femoral_triangles": len(anatomy.femur.mesh.triangles),
        "steps_tibia": float(contact.iterations[:, 0].mean()), "steps_patella": float(contact.iterations[:, 1].mean()),
        "most_steps": float(contact.iterations.max()), "largest_residual": float(np.nanmax(contact.residual)),
    }


def cold_start() -> dict[str, float]:
    """Return what a first run costs in a fresh process with an empty kernel cache, and the run after it: s.

    Keys: first_s and second_s (process start to end), compile_s (`result.timing` of the first), solve_s (the same, without compilation).
    """
    code = "import json; from kneeload import Case, simulate; print(json.dumps(dict(simulate(Case()).timing)))"
    with tempfile.TemporaryDirectory(prefix="kneeload-bench-") as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        walls, timings = [], []
        for _ in range(2):
            start = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=folder)
            walls.append(time.perf_counter() - start)
            timings.append(json.loads(done.stdout.splitlines()[-1]))
    return {"first_s": walls[0], "second_s": walls[1], "compile_s": timings[0]["compile_s"], "solve_s": timings[0]["solve_ms"] / 1000.0}


def machine() -> dict[str, str]:
    """Return the name of the processor, the cores this process may use, and the versions that matter."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"processor": _processor(), "cores": str(cores), "python": platform.python_version(), "numba": numba.__version__, "numpy": np.__version__}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names and names[0] not in ("", "unknown") else platform.processor() or platform.machine()
