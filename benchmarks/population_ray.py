"""The Ray engine beside the local one: people per second on 1 and 2 cores, and the memory of the driver.

    python benchmarks/population_ray.py [--rounds 5] [--people 64] [--contact]

Engines take turns on the same people, and medians are told. For the memory the work of the workers is left out (every row is that of one
person), so that 20,000 people take seconds: what the driver holds does not depend on how long a piece takes. Starts clusters of its own.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from ray_cluster import Cluster

from kneeload import Case
from kneeload.population import ray_engine, run
from kneeload.population.design import Design
from kneeload.population.engine import Engine, LocalEngine
from kneeload.population.ray_engine import RayEngine
from kneeload.population.rows import Piece, PieceFigures, layout_of, piece_figures


def seconds(engine: Engine, first: int, people: int) -> float:
    """Time of some people, s, with as many pieces under way as in a study."""
    begin, pieces, under_way = time.perf_counter(), list(range(first, first + people, run.PIECE)), 0
    while pieces or under_way:
        while pieces and under_way < run.AHEAD * engine.slots:
            start = pieces.pop(0)
            engine.submit(Piece(shard=0, first=start, count=min(run.PIECE, first + people - start)))
            under_way += 1
        engine.finished()
        under_way -= 1
    return time.perf_counter() - begin


def rates(cores: int, rounds: int, people: int, contact: bool) -> None:
    """Both engines in turns on so many cores."""
    design = Design(size=100_000) if contact else Design(size=100_000, base=Case(contact=None))
    layout = layout_of(design)
    found: dict[str, list[float]] = {"local": [], "ray": []}
    with LocalEngine(design, layout, cores) as local, RayEngine(design, layout, cores) as other:
        for engine in (local, other, local, other):
            seconds(engine, 0, people)  # all workers have started, and reference persons are there
        for turn in range(rounds):
            both: list[tuple[str, Engine]] = [("local", local), ("ray", other)]
            for name, engine in both if turn % 2 else reversed(both):
                found[name].append(people / seconds(engine, 0, people))
    middle = {name: statistics.median(values) for name, values in found.items()}
    ratio = statistics.median(b / a for a, b in zip(found["local"], found["ray"]))
    print(f"{cores} cores: {middle['local']:.1f} people per second by the local engine, {middle['ray']:.1f} by Ray; median of ratios {ratio:.2f}, "
          f"overhead {100.0 * (1.0 / ratio - 1.0):.0f} %", flush=True)


def driver_memory(people: int) -> None:
    """Run a study whose pieces cost nothing, and print the peak memory of this process."""
    import resource
    import tempfile

    design = Design(size=people, base=Case(contact=None))
    row = piece_figures(design, layout_of(design), Piece(shard=0, first=0, count=1)).rows[0]

    def at_once(driver: Any, study: bytes, piece: Piece) -> PieceFigures:
        return PieceFigures(piece=piece, rows=[(person, *row[1:]) for person in range(piece.first, piece.first + piece.count)], fields={})

    ray_engine._compute = at_once
    with tempfile.TemporaryDirectory() as place:
        run.run_population(design, Path(place) / "study", engine=run.ray_engine())
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0)


def memory(people: int) -> None:
    """Peak memory of a driver, in a process and on a cluster of its own."""
    begin = time.perf_counter()
    with Cluster() as cluster:
        done = subprocess.run([sys.executable, __file__, "--driver", str(people)], env=cluster.environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    print(f"{people} people at once: driver {float(done.stdout.split()[-1]):.0f} MB ({time.perf_counter() - begin:.0f} s with the start of the cluster)", flush=True)


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--people", type=int, default=64)
    parser.add_argument("--contact", action="store_true")
    parser.add_argument("--driver", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--cores", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.driver:
        driver_memory(given.driver)
        return
    if given.cores:
        rates(given.cores, given.rounds, given.people, given.contact)
        return
    memory(1000)
    memory(20_000)
    for cores in (1, 2):
        with Cluster(cores) as cluster:
            subprocess.run([sys.executable, __file__, f"--cores={cores}", *sys.argv[1:]], env=cluster.environment, check=True)


if __name__ == "__main__":
    main()
