"""Real Ray on the loopback address: studies under kill -9, Ctrl-C and the loss of the cluster end with the files of the local engine.

Moments are events (so many shards written, a worker seen), drawn from a seed that is printed.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from kneeload import Case
from kneeload.cli import _Composer
from kneeload.errors import InputError
from kneeload.population.design import Design
from kneeload.population.folder import JOURNAL
from kneeload.population.rows import Layout
from kneeload.population.run import Progress, local_engine, run_population
from kneeload.population.run import ray_engine as engine_of

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from ray_cluster import Cluster, free_port, name_of

pytestmark = pytest.mark.skipif(find_spec("ray") is None or not Path("/proc/self/environ").exists(), reason="needs ray (pip install 'kneeload[cluster]') and /proc")
LIGHT = ("contact=none", "population.size=96", "population.shard_size=12", "population.seed=5")  # 8 shards of a whole piece and a part
SHARDS = 8
PATIENCE_S = 300.0  # for anything on a machine with much else to do; usually seconds


class Clusters:
    """One cluster for all tests, and another after it was lost."""

    def __init__(self) -> None:
        self._now: Cluster | None = None

    def running(self) -> Cluster:
        if self._now is not None and not self._now.named("raylet"):
            self.stop()
        if self._now is None:
            self._now = Cluster(extra={"RAY_gcs_rpc_server_reconnect_timeout_s": "30"}).__enter__()
        return self._now

    def stop(self) -> None:
        if self._now is not None:
            self._now.stop()
            assert not self._now.processes() and not self._now.place.exists(), "nothing is left"
            self._now = None


@pytest.fixture(scope="module")
def clusters() -> Iterator[Clusters]:
    made = Clusters()
    yield made
    made.stop()


@pytest.fixture
def cluster(clusters: Clusters) -> Iterator[Cluster]:
    """A running one; drivers and workers that a failed test leaves go with it."""
    found = clusters.running()
    yield found
    if any(name_of(process).count("kneeload.cli") for process in found.processes()):
        clusters.stop()


@pytest.fixture
def rng() -> random.Random:
    seed = int(os.environ.get("KNEELOAD_TEST_SEED", secrets.randbelow(10**6)))
    print(f"KNEELOAD_TEST_SEED={seed}")
    return random.Random(seed)


def locally(folder: Path, *words: str, shards: int | None = None) -> None:
    """Begin a study or go on with it, by the local engine in this process; Ctrl-C after so many shards."""

    def look(now: Progress) -> None:
        if shards is not None and len(written(folder)) >= shards:
            raise KeyboardInterrupt

    design, _, _ = _Composer().population(words)
    with pytest.raises(KeyboardInterrupt) if shards else contextlib.nullcontext():
        run_population(design, folder, engine=local_engine(1), words=words, progress=look)


class RayStudy:
    """`kneeload population ... population.engine=ray`, ended with the test whatever happens."""

    def __init__(self, cluster: Cluster, folder: Path, *words: str) -> None:
        command = [sys.executable, "-m", "kneeload.cli", "population", "--quiet", *words, f"population.output={folder}", "population.engine=ray"]
        self.cluster, self.folder, self.busiest = cluster, folder, 0
        self.process = subprocess.Popen(command, env=cluster.environment, cwd=folder.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def until(self, event: Callable[[], object], what: str) -> None:
        """Wait for an event of a study that has not ended."""
        end = time.monotonic() + PATIENCE_S
        while not event():
            assert self.process.poll() is None, f"ended before {what}: {self.process.communicate()[1][-2000:]}"
            assert time.monotonic() < end, f"no {what} in {PATIENCE_S:.0f} s"
            self.busiest = max(self.busiest, len(self.cluster.workers()))
            time.sleep(0.005)

    def until_written(self, count: int) -> None:
        self.until(lambda: len(written(self.folder)) >= count, f"{count} shards")

    def kill_a_worker(self) -> None:
        """kill -9 of the first worker that is seen with a piece."""
        self.until(self.cluster.workers, "worker")
        for worker in self.cluster.workers()[:1]:
            with contextlib.suppress(ProcessLookupError):  # it has just ended its piece and is still there, unless Ray ended it
                os.kill(worker, signal.SIGKILL)

    def ends(self) -> tuple[int, str]:
        """Wait for the end; exit code and what it said."""
        try:
            _, said = self.process.communicate(timeout=PATIENCE_S)
        finally:
            self.process.kill()
        return self.process.returncode, said

    def workers_end(self) -> None:
        """A driver that is gone takes its workers along."""
        end = time.monotonic() + 30.0
        while self.cluster.workers():
            assert time.monotonic() < end, "workers outlived their driver"
            time.sleep(0.02)


def written(folder: Path) -> list[int]:
    with contextlib.suppress(OSError):
        return [json.loads(line)["shard"] for line in (folder / JOURNAL).read_text().splitlines() if line.endswith("}")]
    return []


def files(folder: Path) -> dict[str, bytes]:
    """All that a study is made of, but the manifest, which has times."""
    found = [*folder.glob("*.parquet"), *(path for path in folder.glob("fields.zarr/**/*") if path.is_file())]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("study") / "local"
    locally(folder, *LIGHT)
    return files(folder)


def test_no_cluster_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("RAY_ADDRESS", nobody)
    for address in (nobody, "auto"):
        engine = engine_of(address=address)(Design(size=40, base=Case(contact=None)), Layout(columns={}, fields={}))
        with pytest.raises(InputError, match=r"population\.address.*population\.engine=local needs none: nothing answers there\.$") as found, engine:
            pass
        assert "\n" not in str(found.value)


@pytest.mark.slow
def test_one_study_by_both_engines_under_kills(cluster: Cluster, whole: dict[str, bytes], tmp_path: Path, rng: random.Random) -> None:
    folder = tmp_path / "study"
    locally(folder, *LIGHT, shards=1)
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    assert before

    first = RayStudy(cluster, folder, "population.workers=1")
    for _ in range(rng.randint(1, 2)):
        first.kill_a_worker()
    first.until_written(len(before) + rng.randint(1, 2))
    first.process.send_signal(signal.SIGINT)
    code, said = first.ends()
    assert code != 0 and said.strip().count("\n") == 0 and f"population.output={folder}` goes on with it" in said, said
    assert first.busiest == 1, "population.workers=1"
    first.workers_end()

    second = RayStudy(cluster, folder)
    second.until_written(len(written(folder)) + rng.randint(1, 2))
    second.kill_a_worker()
    second.process.kill()
    second.ends()
    second.workers_end()
    assert len(before) < len(written(folder)) < SHARDS

    locally(folder, *LIGHT)
    assert files(folder) == whole and sorted(written(folder)) == list(range(SHARDS))
    assert {path: path.stat().st_mtime_ns for path in before} == before, "what was there was not made again"


@pytest.mark.slow
def test_with_contact_and_fields_the_files_are_those_of_the_local_engine(cluster: Cluster, tmp_path: Path) -> None:
    words = ("population.size=3", "population.shard_size=2", "population.seed=2", "population.fields=true")
    study = RayStudy(cluster, tmp_path / "ray", *words)
    code, said = study.ends()
    assert code == 0, said
    locally(tmp_path / "local", *words)
    assert files(tmp_path / "ray") == files(tmp_path / "local") and any("tibia_medial" in name for name in files(tmp_path / "ray"))


@pytest.mark.slow
def test_a_study_outlives_its_cluster(cluster: Cluster, clusters: Clusters, whole: dict[str, bytes], tmp_path: Path, rng: random.Random) -> None:
    folder = tmp_path / "study"
    study = RayStudy(cluster, folder, *LIGHT)
    study.until_written(rng.randint(1, 3))
    os.kill(*cluster.named("raylet"), signal.SIGKILL)  # `ray start --block` then ends the head as well
    code, said = study.ends()
    assert code == 1 and "is gone; what was written is kept" in said, said
    assert 1 <= len(written(folder)) < SHARDS
    again = RayStudy(clusters.running(), folder)
    again.kill_a_worker()
    code, said = again.ends()
    assert code == 0, said
    assert files(folder) == whole and sorted(written(folder)) == list(range(SHARDS))
