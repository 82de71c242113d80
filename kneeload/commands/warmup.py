"""`kneeload warmup`: compile every kernel once, so that no later run has to."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from kneeload import warmup
from kneeload.commands import CaseOf
from kneeload.commands.parser import Parser, UsageError
from kneeload.errors import KneeloadError
from kneeload.kernels.cache import cache_folder, private_folder, remove_old_versions

_ABOUT = """Compiles every kernel that any command can reach and keeps the machine code on disk, so that the first run does not wait for
it. Later calls find all of it there and end at once. The folder is $NUMBA_CACHE_DIR/kneeload if that variable is set, else
$XDG_CACHE_HOME/kneeload or ~/.cache/kneeload; versions in it that were not used for four weeks are removed."""


class WarmupError(KneeloadError):
    """Kernels could not be compiled or kept (exit code 1)."""


def run(arguments: Sequence[str], case_of: CaseOf) -> int:
    """Compile what is missing and say where it lies; 0 = all is there."""
    _, words = Parser("warmup", _ABOUT).with_overrides(arguments)
    if words:
        raise UsageError(f"'{words[0]}' has no meaning for kneeload warmup, which compiles for every case and takes no settings.")
    found = warmup.complete()
    if found is not None:
        print(f"All {_counted(found)} are there, in {found}")
        return 0
    target = cache_folder()
    if target is None or private_folder() is not None:
        raise WarmupError("no folder can be written that outlasts this call, so compiled kernels cannot be kept: set NUMBA_CACHE_DIR to one.")
    began = time.perf_counter()
    _say(f"Compiling kernels into {target}")
    _work(list(map(warmup.compiler, _chains())), target, began)
    _whole_case()
    _say(f"{time.perf_counter() - began:5.0f} s  a whole case")
    names = sorted(path.name for path in target.glob("*.kernel"))
    (target / warmup.COMPLETE).write_text(json.dumps({"kernels": names}))
    remove_old_versions()
    print(f"{_counted(target)} compiled in {time.perf_counter() - began:.0f} s, in {target}")
    return 0


def _whole_case() -> None:
    """Run a case in this process: what no task has reached is compiled here."""
    from kneeload.case import Case
    from kneeload.simulate import simulate

    simulate(Case()).contact_places()


def _chains() -> Sequence[Sequence[str]]:
    if len(os.sched_getaffinity(0)) > 1:
        return warmup.CHAINS
    return [[task for chain in warmup.CHAINS for task in chain]]


def _counted(folder: Path) -> str:
    sizes = [path.stat().st_size for path in folder.glob("*.kernel")]
    return f"{len(sizes)} kernels ({sum(sizes) / 1e6:.1f} MB)"


def _work(compilers: list[subprocess.Popen[str]], target: Path, began: float) -> None:
    """Follow the compiling processes to their end; if one fails the others are stopped."""
    try:
        with selectors.DefaultSelector() as reports:
            for compiler in compilers:
                assert compiler.stdout is not None
                reports.register(compiler.stdout, selectors.EVENT_READ, compiler)
            while reports.get_map():
                for event, _ in reports.select(timeout=1.0):
                    line = event.fileobj.readline().strip()  # type: ignore[union-attr]
                    if not line:
                        reports.unregister(event.fileobj)
                    _heed(line, event.data, began)
                _tick(target, began)
    finally:
        for compiler in compilers:
            compiler.kill()
            compiler.wait()
            assert compiler.stdout is not None
            compiler.stdout.close()
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _heed(line: str, compiler: subprocess.Popen[str], began: float) -> None:
    if line.startswith(warmup.FAILED):
        raise WarmupError(f"kernels could not be compiled or kept: {line.removeprefix(warmup.FAILED).strip()}")
    if not line and compiler.wait() != 0:
        raise WarmupError(f"kernels could not be compiled: the compiling process ended with code {compiler.returncode}.")
    if line:
        _say(f"{time.perf_counter() - began:5.0f} s  {line}")


def _say(words: str) -> None:
    print(("\r\033[K" if sys.stderr.isatty() else "") + words, file=sys.stderr, flush=True)


def _tick(target: Path, began: float) -> None:
    if sys.stderr.isatty():
        count = sum(1 for _ in target.glob("*.kernel"))
        print(f"\r\033[K{time.perf_counter() - began:5.0f} s  {count} kernels", end="", file=sys.stderr, flush=True)
