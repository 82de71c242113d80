"""Times before the first answer, each the median of several fresh processes: --help, warm and cold runs, `kneeload warmup`.

    python benchmarks/start_up.py [--repeats 5] [--cold 1]

Cold runs and `warmup` (once) start from an empty cache folder and take a minute of the processor each. The time of the processor counts every
process that took part; with two idle cores the wall clock shows what a person waits. Read the load first: above 1 the wall clock is
that of a busy machine.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

KNEELOAD = (sys.executable, "-m", "kneeload.cli")
NUMBERS = ("view=none", "runtime.quiet=true")


def timed(words: Sequence[str], folder: Path) -> tuple[float, float]:
    """Return wall and processor seconds of a fresh process and its children, with compiled kernels in `folder`."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder), "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        done = subprocess.run([*KNEELOAD, *words], cwd=empty, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"kneeload {' '.join(words)} ended with code {done.returncode}: {done.stderr.strip()}")
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(words: Sequence[str], repeats: int, folder: Path | None) -> tuple[float, float]:
    """Return the medians of wall and processor seconds; with no folder every repeat starts from an empty one."""
    found = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as empty:
            found.append(timed(words, folder or Path(empty)))
    return statistics.median(wall for wall, _ in found), statistics.median(used for _, used in found)


def table(repeats: int, cold: int) -> list[tuple[str, float, float]]:
    """Return (what, wall s, processor s) of each kind of start."""
    with tempfile.TemporaryDirectory() as kept:
        folder, rows = Path(kept), []
        if cold:
            rows.append(("first run, nothing compiled", *median((), cold, None)))
        rows.append(("`kneeload warmup`, nothing compiled", *timed(("warmup",), folder)))
        timed((), folder)  # also remembers the reference person
        rows += [(what, *median(words, repeats, folder)) for what, words in (
            ("`kneeload warmup` again", ("warmup",)), ("`kneeload --help`", ("--help",)), ("later run, with pictures and report", ()),
            ("later run, numbers only", NUMBERS))]
        return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="processes per row (default 5)")
    parser.add_argument("--cold", type=int, default=1, help="processes per row that starts from nothing (default 1, 0 leaves them out)")
    values = parser.parse_args()
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores\n")
    rows = table(values.repeats, values.cold)
    print("| start | wall s | processor s |\n|---|---:|---:|")
    for what, wall, used in rows:
        print(f"| {what} | {wall:.1f} | {used:.1f} |")
    print(f"\nload after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
