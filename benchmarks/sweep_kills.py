"""kill -9 of a worker and of the driver of a sweep at random moments: what was gone on with equals what nobody disturbed.

    python benchmarks/sweep_kills.py [--times 10] [--jobs 20] [--launcher joblib] [--contact] [--seed 1]

Each round begins a sweep in a new folder, kills one of its processes after a random part of the time that an undisturbed one takes, goes on
with `--resume` and kills again, and lets the last one end. Every job must be there once, and every number of its files but times must be
the same. Prints a line per round; exit code 1 if one differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def words(folder: Path, given: argparse.Namespace) -> list[str]:
    """The sweep."""
    values = ",".join(f"{80 + 12 * number / given.jobs:g}" for number in range(given.jobs))
    return [f"hydra.sweep.dir={folder}", f"subject.mpta_deg={values}", f"hydra/launcher={given.launcher}", "view=none", "runtime.quiet=true",
            *([] if given.contact else ["contact=none"]), *(["hydra.launcher.n_jobs=2"] if given.launcher == "joblib" else [])]


def begin(arguments: list[str]) -> subprocess.Popen[bytes]:
    """Start a sweep."""
    return subprocess.Popen([sys.executable, "-c", "from kneeload.cli import main; main()", "--multirun", *arguments], stdout=subprocess.DEVNULL)


def workers(process: int) -> list[int]:
    """Worker processes of a process (Linux)."""
    try:
        found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [int(word) for word in found if b"popen_loky" in Path(f"/proc/{word}/cmdline").read_bytes()]
    except OSError:
        return []


def files(folder: Path) -> dict[str, str]:
    """Text of the results of each job, without times."""
    found = {}
    for path in sorted(folder.glob("*/*")):
        if "stopped" not in path.parent.name and path.is_file():
            text = path.read_text()
            if path.name == "summary.json":
                text = json.dumps({key: value for key, value in json.loads(text).items() if key not in ("timing", "provenance")})
            found[f"{path.parent.name}/{path.name}"] = text
    return found


def disturbed(folder: Path, given: argparse.Namespace, rng: random.Random, usual_s: float) -> list[str]:
    """Run a sweep to its end under kills; return what was killed when."""
    killed: list[str] = []
    arguments = words(folder, given)
    for whom in rng.sample(["worker", "driver", "driver"], 3) if given.launcher == "joblib" else ["driver"] * 3:
        moment, started = rng.uniform(0.1, 0.95) * usual_s, time.monotonic()
        with begin(arguments) as sweep:
            while sweep.poll() is None and time.monotonic() - started < moment:
                time.sleep(0.005)
            alive = workers(sweep.pid)
            target = sweep.pid if whom == "driver" else rng.choice(alive) if alive else None
            if target is not None and sweep.poll() is None:
                os.kill(target, signal.SIGKILL)
                killed.append(f"{whom} at {moment:.1f} s with {len(list(folder.glob('*/hydra/finished.json')))} done")
            code = sweep.wait()
        if code == 0:
            return killed
        if code != -signal.SIGKILL:
            raise SystemExit(f"the sweep ended with code {code} after {killed}")
        if (folder / "sweep.json").exists():
            arguments = ["--resume", str(folder)]
        elif folder.exists():
            raise SystemExit(f"half a folder after {killed}")
    with begin(arguments) as sweep:
        if sweep.wait() != 0:
            raise SystemExit(f"the last sweep ended with code {sweep.returncode} after {killed}")
    return killed


def main() -> None:
    """Run the rounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--launcher", choices=("basic", "joblib"), default="joblib")
    parser.add_argument("--contact", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng, wrong = random.Random(given.seed), 0
    with tempfile.TemporaryDirectory() as place:
        usual_s = 0.0
        for name in ("warm", "whole"):
            started = time.monotonic()
            if begin(words(Path(place) / name, given)).wait() != 0:
                raise SystemExit("the undisturbed sweep failed")
            usual_s = time.monotonic() - started
        whole = files(Path(place) / "whole")
        print(f"undisturbed: {given.jobs} jobs by {given.launcher} in {usual_s:.1f} s, {len(whole)} files", flush=True)
        for number in range(given.times):
            folder = Path(place) / f"round{number}"
            killed = disturbed(folder, given, rng, usual_s)
            same = files(folder) == whole
            wrong += not same
            print(f"round {number + 1}: killed {', '.join(killed) or 'nothing'}; {'the same' if same else 'DIFFERENT'}", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
