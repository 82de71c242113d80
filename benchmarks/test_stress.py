"""Contact of two surfaces in given poses of a stride: one pose through the public function and through the prepared pair, and all poses in one call.

The MRI knee (8,602 tibial and 6,052 patellar triangles on 29,782 femoral ones), figures asserted against those that OpenSim-JAM reports for the
same poses; it needs 9.1 ms for both surfaces in one pose (docs/hot-loop.md). `pytest benchmarks/test_stress.py -s` prints the ratios.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from cpp_twin import fastest
from numpy.typing import NDArray
from peers import DATA, MATERIAL, THICKNESS_MM
from pytest_benchmark.fixture import BenchmarkFixture

from kneeload.contact import ContactPair, contact_stress, prepare_contact
from kneeload.contact.pair import DEPTHS
from kneeload.subject.surface import ArticularSurface

SPACING_MM = 1.5
JAM_MS = 9.1  # both surfaces, one pose, on this kind of machine
KEYS = {"tibia": "tf", "patella": "pf"}
ROUNDS = {"rounds": 100, "iterations": 3, "warmup_rounds": 2}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stride:
    """A casting surface in the poses of a stride.

    Attributes:
        casting, femur: surfaces, mm.
        poses: (T, 4, 4) casting body in the femur frame, mm.
        force_n: (T, 3) contact force that OpenSim-JAM reports, N, frame of the casting body.
        frame: number of the pose of the highest tibial force.
    """

    casting: ArticularSurface
    femur: ArticularSurface
    poses: NDArray[np.float64]
    force_n: NDArray[np.float64]
    frame: int

    def pair(self, depth: str) -> ContactPair:
        """Both surfaces, prepared."""
        return prepare_contact(self.casting, self.femur, depth=depth, level_set_spacing_mm=SPACING_MM)


@pytest.fixture(scope="module")
def strides() -> dict[str, Stride]:
    if not DATA.is_dir():
        pytest.skip("the development data (../shared/data) is not here: it is not part of the project")
    femur, tibia, patella = (ArticularSurface.from_mesh(DATA / f"{name}_cartilage.stl", length_unit="m", thickness_mm=THICKNESS_MM, material=MATERIAL, body=name)
                             for name in ("femur", "tibia", "patella"))  # type: ignore[arg-type]
    found = {}
    with np.load(DATA / "walking_knee_poses.npz") as known:
        frame = int(np.argmax(np.linalg.norm(known["tf_contact_force"], axis=1)))
        for casting in (tibia, patella):
            poses = np.array(known[f"T_femur_{casting.body}"])
            poses[:, :3, 3] *= 1000.0
            found[casting.body] = Stride(casting=casting, femur=femur, poses=poses, force_n=np.array(known[f"{KEYS[casting.body]}_contact_force"]), frame=frame)
    return {str(body): stride for body, stride in found.items()}


def _check(stride: Stride, force: NDArray[np.float64], depth: str, frames: slice) -> None:
    known = np.linalg.norm(stride.force_n[frames], axis=1)
    median = float(np.median(np.linalg.norm(np.atleast_2d(force), axis=1) / known))
    assert abs(median - 1.0) < 0.01 if depth == "casting_normal" else 0.92 < median < 0.99


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("body", KEYS)
def test_one_pose_through_the_public_function(benchmark: BenchmarkFixture, strides: dict[str, Stride], body: str, depth: str) -> None:
    stride = strides[body]
    pose = stride.poses[stride.frame]
    found = benchmark.pedantic(lambda: contact_stress(stride.casting, stride.femur, pose, depth=depth, level_set_spacing_mm=SPACING_MM), **ROUNDS)
    _check(stride, found.force, depth, slice(stride.frame, stride.frame + 1))


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("body", KEYS)
def test_one_pose_of_a_prepared_pair(benchmark: BenchmarkFixture, strides: dict[str, Stride], body: str, depth: str) -> None:
    stride = strides[body]
    pair, pose = stride.pair(depth), stride.poses[stride.frame]
    found = benchmark.pedantic(lambda: pair.at(pose), **ROUNDS)
    _check(stride, found.force, depth, slice(stride.frame, stride.frame + 1))


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("body", KEYS)
def test_all_poses_of_a_stride(benchmark: BenchmarkFixture, strides: dict[str, Stride], body: str, depth: str) -> None:
    stride = strides[body]
    pair = stride.pair(depth)
    found = benchmark.pedantic(lambda: pair.at_poses(stride.poses), rounds=10, warmup_rounds=1)
    _check(stride, found.force, depth, slice(None))
    if benchmark.stats is not None:  # none with --benchmark-disable
        benchmark.extra_info["ms_per_pose"] = 1e3 * benchmark.stats.stats.min / len(stride.poses)


@pytest.mark.parametrize("depth", DEPTHS)
def test_how_much_less_than_opensim_jam(strides: dict[str, Stride], depth: str) -> None:
    """Shortest times of the three forms in one run, tibia and patella together."""
    total = np.zeros(3)
    for body, stride in strides.items():
        pair, pose = stride.pair(depth), stride.poses[stride.frame]
        calls = (lambda s=stride, p=pose: contact_stress(s.casting, s.femur, p, depth=depth, level_set_spacing_mm=SPACING_MM), lambda p=pose, q=pair: q.at(p),
                 lambda s=stride, q=pair: q.at_poses(s.poses))
        for call in calls:
            call()
        ms = 1e3 * np.array(fastest(calls, rounds=40, inner=1)) / (1, 1, len(stride.poses))
        total += ms
        print(f"{depth}, {body}: contact_stress {ms[0]:.3f} ms, pair.at {ms[1]:.3f} ms, at_poses {ms[2]:.3f} ms per pose")
    print(f"{depth}, both: " + ", ".join(f"{name} {ms:.3f} ms ({JAM_MS / ms:.0f} times less than {JAM_MS} ms)"
                                         for name, ms in zip(("contact_stress", "pair.at", "at_poses"), total)))
    assert total[1] < JAM_MS / 5.0
