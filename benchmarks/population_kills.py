"""kill -9 of a worker and of the driver at random moments: the study that was gone on with equals the one that nobody disturbed.

    python benchmarks/population_kills.py [--times 10] [--people 300] [--contact] [--fields] [--seed 1] [--engine ray]

Each round begins a study, kills one of its processes after a random part of the time that an undisturbed one takes, and again while there
is time, then lets it end; the tables are compared byte for byte, sorted by person and scenario, and with --fields every file of fields.zarr. Prints a line per round; exit code 1 if
one differs. With Ray it starts a cluster of its own.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent))

from ray_cluster import Cluster, ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is studied, and who computes it."""

    people: int
    contact: bool
    fields: bool
    cluster: Cluster | None

    @property
    def environment(self) -> Mapping[str, str] | None:
        """Of the driver."""
        return None if self.cluster is None else self.cluster.environment

    def workers(self, driver: int) -> list[int]:
        """Processes that compute."""
        return children(driver) if self.cluster is None else self.cluster.workers()


def command(folder: Path, kind: Kind) -> list[str]:
    """The study."""
    people, contact = kind.people, kind.contact
    words = [f"population.size={people}", f"population.output={folder}", "population.workers=2", "population.shard_size=20", "population.seed=5"]
    words += ["population.interventions=[none,{weight_loss: {mass_kg: 8}}]"]
    words += [f"population.fields={str(kind.fields).lower()}", *([] if contact else ["contact=none"])]
    return [sys.executable, "-m", "kneeload.cli", "population", "--quiet", *words,
            f"population.engine={'local' if kind.cluster is None else 'ray'}"]


def children(process: int) -> list[int]:
    """Worker processes of a process (Linux)."""
    try:
        found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [int(word) for word in found if b"spawn_main" in Path(f"/proc/{word}/cmdline").read_bytes()]
    except OSError:
        return []


def sorted_table(folder: Path) -> bytes:
    """The table of a study, sorted, as bytes."""
    table = pa.concat_tables([pq.read_table(path).replace_schema_metadata(None) for path in sorted(folder.glob("*.parquet"))])
    sink = pa.BufferOutputStream()
    ordered = table.sort_by([("person", "ascending"), ("scenario", "ascending")]).combine_chunks()
    with pa.ipc.new_stream(sink, ordered.schema) as writer:
        writer.write_table(ordered)
    return sink.getvalue().to_pybytes()


def fields(folder: Path) -> dict[str, bytes]:
    """The files of fields.zarr, if there is one."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in (folder / "fields.zarr").rglob("*") if path.is_file()}


def disturbed(folder: Path, kind: Kind, rng: random.Random, usual_s: float) -> list[str]:
    """Run a study to its end under kills; return what was killed when."""
    killed: list[str] = []
    for whom in rng.sample(["worker", "driver", rng.choice(["worker", "driver"])], 3):
        begun = time.monotonic()
        with subprocess.Popen(command(folder, kind), env=kind.environment) as study:
            moment = rng.uniform(0.0, 0.9 * usual_s)
            while study.poll() is None and time.monotonic() - begun < moment:
                time.sleep(0.005)
            workers = kind.workers(study.pid)
            target = study.pid if whom == "driver" else rng.choice(workers) if workers else None
            if target is not None and study.poll() is None:
                os.kill(target, signal.SIGKILL)
                killed.append(f"{whom} at {moment:.1f} s")
            code = study.wait()
        if code == 0:
            return killed
        if code != -signal.SIGKILL:
            raise SystemExit(f"the study ended with code {code} after {killed}")
        for _ in range(200):  # workers of a killed driver end by themselves
            if all(map(ended, workers)):
                break
            time.sleep(0.05)
        else:
            raise SystemExit("workers outlived their driver")
    subprocess.run(command(folder, kind), env=kind.environment, check=True)
    return killed


def main() -> None:
    """Run the rounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--people", type=int, default=300)
    parser.add_argument("--contact", action="store_true")
    parser.add_argument("--fields", action="store_true", help="also the pressure fields; with --contact")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=("local", "ray"), default="local")
    given = parser.parse_args()
    rng, wrong = random.Random(given.seed), 0
    with ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory())
        kind = Kind(people=given.people, contact=given.contact, fields=given.fields, cluster=stack.enter_context(Cluster()) if given.engine == "ray" else None)
        usual_s = 0.0
        for name in ("warm", "whole"):  # the first compiles what is missing and computes the reference persons
            begun = time.monotonic()
            subprocess.run(command(Path(place) / name, kind), env=kind.environment, check=True)
            usual_s = time.monotonic() - begun
        whole, all_fields = sorted_table(Path(place) / "whole"), fields(Path(place) / "whole")
        print(f"undisturbed: {given.people} people in {usual_s:.1f} s, {len(whole):,} bytes, {len(all_fields)} files of fields", flush=True)
        for number in range(given.times):
            killed: list[str] = []
            for attempt in range(10):  # a run that ended before its kill says nothing
                folder = Path(place) / f"round{number}-{attempt}"
                killed = disturbed(folder, kind, rng, usual_s)
                if killed:
                    break
            same = sorted_table(folder) == whole and fields(folder) == all_fields
            wrong += not same
            print(f"round {number + 1}: killed {', '.join(killed) or 'nothing'}; {'the same bytes' if same else 'DIFFERENT'}", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
