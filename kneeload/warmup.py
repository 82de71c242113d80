"""Compilation of kernels ahead of their use, on two cores instead of one.

Numba compiles in Python, under a lock, so only a second process helps. What there is to compile is cut into tasks that do not overlap
much; each runs rooms on the smallest problem that reaches their kernels, and what it compiles reaches other processes through the disk.
A first run starts `python -m kneeload.warmup` beside itself; `kneeload warmup` runs all tasks in two such processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kneeload.kernels.cache import cache_folder, folders, private_folder

if TYPE_CHECKING:
    from kneeload.subject.anatomy import KneeAnatomy

BESIDE = ("contact", "bone", "zones")  # what the second compiler of a first run does, the longest task first
CHAINS = (("contact", "bone", "zones"), ("placing", "forces", "meshes", "stress", "nonlinear law"))  # of `kneeload warmup`: about the same time each
_waiting = threading.Lock()
_helper: list[subprocess.Popen[str]] = []
_LONGEST_WAIT_S = 120.0
COMPLETE = "complete.json"  # file in the cache folder that names the kernels of `kneeload warmup`
FAILED = "failed:"  # begins the line that a compiler process prints before it gives up


def start() -> bool:
    """Start the second compiler if this version of the kernels was never compiled here; returns whether it runs."""
    if cache_folder() is None or any((folder / _marker("contact")).exists() for folder in folders()):
        return False
    with contextlib.suppress(OSError):  # no more processes: kernels are compiled where they are needed
        _helper.append(compiler(BESIDE))
        return True
    return False


def complete() -> Path | None:
    """Return the cache folder that holds every kernel of this version, or None."""
    for folder in folders():
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            names = json.loads((folder / COMPLETE).read_text())["kernels"]
            if names and {entry.name for entry in os.scandir(folder)}.issuperset(names):
                return folder
    return None


def compiler(tasks: Sequence[str]) -> subprocess.Popen[str]:
    """Start a process that works off tasks and prints the name of each that is done."""
    private = private_folder()
    environment = os.environ if private is None else {**os.environ, "NUMBA_CACHE_DIR": str(private)}
    return subprocess.Popen([sys.executable, "-m", "kneeload.warmup", *tasks], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True, env=environment)


def share() -> None:
    """Take a part of the contact kernels off the second compiler: it will find them on the disk when it comes to them."""
    if _helper:
        with contextlib.suppress(Exception):  # a run that could not compile ahead compiles when it needs to, and says then what is wrong
            compile_placing()


def wait() -> None:
    """Wait until the second compiler, if one was started, has the contact kernels; meanwhile those of the bone are compiled here.

    Without it, or if it fails, kernels are compiled where they are needed.
    """
    with _waiting:  # a second thread that asks meanwhile waits as well
        while _helper:
            helper = _helper[0]
            if not _says(helper, 0.0):
                with contextlib.suppress(Exception):  # as in `share`
                    compile_bone()
                if not _says(helper, _LONGEST_WAIT_S):
                    helper.kill()
            _helper.pop()


def _says(helper: subprocess.Popen[str], seconds: float) -> bool:
    """Whether the first task is done, or the process has ended, within some seconds."""
    assert helper.stdout is not None
    return bool(select.select([helper.stdout], [], [], seconds)[0])


def _small_problem() -> tuple[Any, Any]:
    """A plate of two triangles and a flat target: (springs, level tuple)."""
    import numpy as np

    from kneeload.contact.springs import Casting, build_springs, level_tuple
    from kneeload.subject.level_set import LevelSet
    from kneeload.subject.surface import TriangleMesh

    height = np.broadcast_to(np.arange(8.0)[None, :, None] - 4.0, (8, 8, 8)).copy()
    flat = LevelSet(coefficients=-height, origin_mm=np.full(3, -4.0), spacing_mm=1.0, thickness_mm=np.ones((8, 8, 8), np.float32),
                    nearest_triangle=np.zeros((8, 8, 8), np.int32), band_mm=4.0)
    mesh = TriangleMesh(points=np.array([[-1.0, 0, -1], [-1, 0, 1], [1, 0, 1], [1, 0, -1]]), triangles=np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    ones = np.ones(2)
    return build_springs([Casting(name="plate", mesh=mesh, thickness_mm=ones, compliance=ones, used=np.ones(2, bool))]), level_tuple(flat)


def compile_contact(nonlinear: bool = False) -> None:
    """Compile every kernel of the equilibrium, for one law of the layers, by solving a small body on a flat target."""
    import numpy as np

    from kneeload.contact.compartments import compartment, surface_fields
    from kneeload.contact.prepared import no_lines
    from kneeload.contact.solver import BodyLoads, poses, solve_body
    from kneeload.kernels.fields import PEAK_SHARE, area_percentile

    springs, level = _small_problem()
    loads = BodyLoads(force=np.array([[0.0, 5.0, 0.0]]), point=np.zeros((1, 3)), moment=np.zeros((1, 2)), size=np.array([5.0]))
    frames = solve_body(springs, level, femoral_compliance=0.1, lines=no_lines(), anchor=np.zeros((1, 0, 3)), weak=np.ones((1, 6)), rest=np.zeros((1, 6)),
                        guide=np.zeros((1, 11)), start=np.zeros((1, 6)), free=np.ones(6, bool), flexion=np.zeros(1), loads=loads, nonlinear=nonlinear, tolerance=1e-6)
    poses(frames.q)
    compartment(springs, frames, [0], np.array([[0.0, 1.0, 0.0]]), slice(None))
    surface_fields(springs, frames)
    area_percentile(np.ones(2), np.ones(2), np.array([0, 2]), np.array([0]), 0, PEAK_SHARE)  # as `region_contact` asks for it


def compile_placing() -> None:
    """Compile the kernels that place springs and read pressures, with the types that `solve_frames` calls them with."""
    import numpy as np

    from kneeload.kernels.equilibrium import place, report
    from kneeload.kernels.springs import BLOCK, CHUNK, ROWS, SUMS, WEDGE

    springs, level = _small_problem()
    chunks = springs.arrays[2].shape[0] * BLOCK // CHUNK + 1
    near = (np.zeros(chunks * ROWS * CHUNK, np.float32), np.zeros(chunks * (CHUNK // BLOCK), np.int64), np.zeros(chunks, np.int64), np.zeros(2, np.int64), np.zeros(1), np.zeros(1, np.bool_))
    work = (np.zeros((5, 3)), np.zeros((3, 3)), np.zeros(3), np.zeros(SUMS), np.zeros(WEDGE), np.zeros((3, 3)))
    q, base = np.zeros(6), np.zeros(25)
    work[0][:3] = np.eye(3)
    place(q, work[0], level, springs.arrays, 0.1, 0.1, 2.0, near, base)
    home = (springs.arrays[0], springs.home, springs.start, springs.side)
    report(q, level, near, base, home, None, work, 0, 1, np.zeros(2, np.float32), np.zeros(2, np.int32), np.zeros((1, 3)), np.zeros((1, 5)), np.zeros(2))


def compile_forces() -> None:
    """Compile the kernels of motion and forces on a walking cycle of the reference person."""
    from kneeload.case import Case
    from kneeload.forces.joint import joint_loads
    from kneeload.motion.activities import motion_for

    case, knee = Case(), _reference_knee()
    joint_loads(motion_for(case.activity, case.subject, case.gait_changes), case.subject, centres_flexion=knee.contact_centres_flexion,
                centres_mm=knee.contact_centres_mm, muscles=case.muscles, spacing_mm=case.subject.contact_spacing_mm, source_scale=knee.source_scale)


def _reference_knee() -> KneeAnatomy:
    from kneeload.case import Case
    from kneeload.subject.reference import reference_anatomy

    return reference_anatomy(Case().subject, Case().materials)


def _light_load(knee: KneeAnatomy) -> tuple[Any, Any]:
    """Return contact and motion of "walking": a little load on every surface, two frames; only what the bone room reads of them."""
    from types import SimpleNamespace

    import numpy as np

    from kneeload.bone.bone_map import knee_map
    from kneeload.case import Case
    from kneeload.contact.cycle import SurfaceField

    fields, case = [], Case()
    for name, area in knee_map(knee, case.bone).casting_area.items():
        pressure = np.zeros((2, len(area)), np.float32)
        pressure[:, ::100] = 1.0
        fields.append(SurfaceField(name=name, pressure=pressure, femur_triangle=np.zeros((2, len(area)), np.int32)))
    return {"walking": SimpleNamespace(fields=tuple(fields))}, {"walking": SimpleNamespace(time=np.arange(2.0), cycles_per_second=1.0)}


def compile_bone() -> None:
    """Compile the kernels of bone and lesion."""
    import numpy as np

    from kneeload.bone.dose import bone_load
    from kneeload.case import Case
    from kneeload.lesion.hazard import quantiles

    case, knee = Case(), _reference_knee()
    bone_load(knee, *_light_load(knee), case.subject, "walking", case.bone, day={"walking": 1.0})
    quantiles(np.ones((2, 1)), (0.5,))


def compile_zones() -> None:
    """Compile the kernels of the stress tensor in the bone."""
    import numpy as np

    from kneeload.bone.day_stimulus import daily_power, day_cycles
    from kneeload.bone.tensor import SurfacePoints
    from kneeload.case import Case

    case, knee = Case(), _reference_knee()
    samples = (day := day_cycles(knee, *_light_load(knee), case.subject, case.bone, day={"walking": 1.0})).knee.patella.samples
    daily_power(day, "patella", SurfacePoints(points=samples.points[:4], normals=samples.normals[:4], depth_mm=np.full(4, 3.0)))


def compile_meshes() -> None:
    """Compile the kernels that read a folder of meshes, on the packaged one."""
    from importlib.resources import as_file, files

    from kneeload.case import Case
    from kneeload.subject.mesh_folder import mesh_anatomy

    with as_file(files("kneeload.meshes")) as folder:
        mesh_anatomy(Path(folder), Case().subject, Case().materials)


def compile_stress() -> None:
    """Compile the kernels of the stress in a given pose, on a target that is closed and on a sheet."""
    import numpy as np

    from kneeload.contact.stress import contact_stress

    knee = _reference_knee()
    for target in (knee.femur, knee.tibia_lateral):
        contact_stress(knee.tibia_medial, target, np.eye(4), level_set_spacing_mm=3.0)


TASKS: dict[str, Callable[[], None]] = {
    "contact": compile_contact, "placing": compile_placing, "forces": compile_forces, "bone": compile_bone, "zones": compile_zones, "meshes": compile_meshes,
    "nonlinear law": partial(compile_contact, nonlinear=True),
    "stress": compile_stress,
}


def _marker(task: str) -> str:
    return f"compiled-{task}"


def work_off(names: Sequence[str]) -> None:
    """Run tasks, and say on stdout and by a file in the cache folder that each is done."""
    for name in names:
        TASKS[name]()
        folder = cache_folder()
        if folder is not None:
            with contextlib.suppress(OSError):
                (folder / _marker(name)).touch()
        print(name, flush=True)


if __name__ == "__main__":
    try:
        work_off(sys.argv[1:])
    except Exception as error:  # the process that started this one reads a sentence, not a traceback
        print(f"{FAILED} {type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}", flush=True)
        raise SystemExit(1) from None
    from kneeload.kernels.stored import problems

    if problems:
        print(f"{FAILED} {problems[0]}", flush=True)
        raise SystemExit(1)
