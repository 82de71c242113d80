"""A Ray cluster of its own on the loopback address, for tests and benchmarks: free ports, a short folder, a token, no statistics, nothing left."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

STORE_BYTES = 80 * 2**20  # the least that Ray takes is 75 MiB
START_S = 120.0  # seconds that a loaded machine may need
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_LIBC = ctypes.CDLL(None, use_errno=True)


class Cluster:
    """`ray start --head --block` on 127.0.0.1. Every process of it has the token in its environment, by which it is found and ended.

    Attributes:
        place: folder of sessions and sockets.
        environment: what a driver needs to join; it goes down with this cluster.
        process: `ray start`; it ends when the process that started it does.
    """

    def __init__(self, cores: int = 2, extra: Mapping[str, str] | None = None) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="kl-", dir="/tmp"))  # names of sockets have at most 107 characters
        self._token, port = secrets.token_hex(32), free_port()
        alone = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # the latter: loopback is the address of the node
                 "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self._token, "no_proxy": "127.0.0.1", "RAY_raylet_start_wait_time_s": str(int(START_S))}
        others = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
        self.environment = {**others, **alone, **(extra or {}), "RAY_ADDRESS": f"127.0.0.1:{port}"}
        words = ["start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}", f"--num-cpus={cores}", f"--object-store-memory={STORE_BYTES}",
                 "--include-dashboard=false", "--disable-usage-stats", f"--dashboard-agent-listen-port={free_port()}", "--min-worker-port=0", "--max-worker-port=0",
                 f"--temp-dir={self.place}"]
        self.log = self.place / "start.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "ray.scripts.scripts", *words], env=self.environment | {"RAY_ADDRESS": ""}, stdout=log, stderr=log,
                                            start_new_session=True, preexec_fn=_die_with_parent)

    def __enter__(self) -> Self:
        """Wait until it has started.

        Raises:
            RuntimeError: it does not; with the end of what it said.
        """
        end = time.monotonic() + START_S
        while "Ray runtime started" not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > end:
                said = self.log.read_text()[-2000:]
                self.stop()
                raise RuntimeError(f"Ray does not start: {said}")
            time.sleep(0.1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End all of its processes and drivers, and remove its folder."""
        while found := self.processes():
            for process in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            self.process.poll()
            time.sleep(0.02)
        self.process.wait()
        shutil.rmtree(self.place, ignore_errors=True)

    def processes(self) -> list[int]:
        """Living processes of this cluster and its drivers."""
        mark = f"RAY_AUTH_TOKEN={self._token}".encode()
        return [process for process in _all() if mark in _read(process, "environ") and not ended(process)]

    def named(self, word: str) -> list[int]:
        """Those whose command line begins with a word: `ray::_compute` is a worker that has a piece."""
        return [process for process in self.processes() if Path(name_of(process).partition(" ")[0]).name.startswith(word)]

    def workers(self) -> list[int]:
        """Workers that compute a piece."""
        return self.named("ray::_compute")


def free_port() -> int:
    """A port of the loopback address that nobody has now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def name_of(process: int) -> str:
    """Its command line."""
    return _read(process, "cmdline").replace(b"\0", b" ").decode(errors="replace")


def ended(process: int) -> bool:
    """Whether a process is gone, or dead and not yet buried."""
    return _read(process, "stat").rpartition(b")")[2].split()[:1] in ([], [b"Z"])


def _all() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _read(process: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{process}/{what}").read_bytes()
    except OSError:
        return b""


def _die_with_parent() -> None:
    _LIBC.prctl(_DEATH_SIGNAL, signal.SIGTERM)
