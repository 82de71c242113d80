"""Other programs on the same knee in the same pose, where they are installed: the same force, and how much longer they take.

    pip install opensim==4.6 drake trimesh embreex
"""

from __future__ import annotations

from collections.abc import Callable

import peers
import pytest
from cpp_twin import fastest
from peers import DATA, Knee
from pytest_benchmark.fixture import BenchmarkFixture


@pytest.fixture(scope="module")
def knee() -> Knee:
    if not DATA.is_dir():
        pytest.skip("the development data (../shared/data) is not here: it is not part of the project")
    return peers.mri_knee()


@pytest.mark.parametrize("depth", ["casting_normal", "target_normal"])
def test_ours(benchmark: BenchmarkFixture, knee: Knee, depth: str) -> None:
    force = benchmark.pedantic(knee.ours(depth), rounds=20, warmup_rounds=1)
    assert force == pytest.approx(knee.published_n, rel=0.01 if depth == "casting_normal" else 0.06)


def test_embree_rays(knee: Knee) -> None:
    pytest.importorskip("embreex", reason="Embree is not installed (pip install trimesh embreex)")
    pytest.importorskip("trimesh", reason="trimesh is not installed")
    _compare("Embree rays", peers.rays(knee), knee.ours("casting_normal"), rel=0.02)


def test_opensim_elastic_foundation(knee: Knee) -> None:
    pytest.importorskip("opensim", reason="OpenSim is not installed (pip install opensim==4.6)")
    _compare("OpenSim ElasticFoundationForce", peers.elastic_foundation(knee), knee.ours("target_normal"), rel=0.15)


def test_drake_hydroelastic(knee: Knee) -> None:
    pytest.importorskip("pydrake", reason="Drake is not installed (pip install drake)")
    evaluate, force = peers.hydroelastic(knee)
    assert force(evaluate()) == pytest.approx(knee.ours("target_normal")(), rel=0.05)
    _time("Drake hydroelastic", evaluate, knee.ours("target_normal"))


def _compare(name: str, peer: Callable[[], float], own: Callable[[], float], *, rel: float) -> None:
    assert peer() == pytest.approx(own(), rel=rel)
    _time(name, peer, own)


def _time(name: str, peer: Callable[[], object], own: Callable[[], object]) -> None:
    own()
    theirs, ours = fastest((peer, own), rounds=15, inner=1)
    print(f"{name}: {1e3 * theirs:.2f} ms, contact_stress {1e3 * ours:.3f} ms, {theirs / ours:.1f} times")
    assert theirs > ours
