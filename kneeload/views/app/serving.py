"""Serving of the page until someone stops it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp import web
from trame_client import module as client_files
from trame_client.module import vue3
from trame_server import Server
from trame_vtk.modules import common as vtk_files
from trame_vuetify.module import v3 as vuetify_files

from kneeload.views.app.contract import Engine
from kneeload.views.app.doors import GRACE_S, Doors, is_loopback
from kneeload.views.app.page import Page, Workers

del client_files


def files() -> dict[str, str]:
    """Folders with the scripts of the page, by the first part of their address; all of them lie on this machine."""
    return {"": vue3.www, **vtk_files.serve, **vuetify_files.serve}


class Serving:
    """A page on a port.

    Args:
        engine: what answers.
        host, port: where it listens; port 0 takes a free one.
        token: word that visitors must know, None for nobody to be asked.
        grace_s: s; how long a tab outlives its connection.
    """

    def __init__(self, engine: Engine, *, host: str = "127.0.0.1", port: int = 0, token: str | None = None, grace_s: float = GRACE_S) -> None:
        self.host, self.port, self.token = host, port, token
        self.workers = Workers(quick=ThreadPoolExecutor(2, "quick"), slow=ThreadPoolExecutor(1, "slow"))
        self.doors = Doors(lambda server: self._page(server, engine), host=host, token=token, files=files(), grace_s=grace_s)
        self._runner = web.AppRunner(self.doors.application, access_log=None, shutdown_timeout=2.0)

    def _page(self, server: Server, engine: Engine) -> Page:
        return Page(server, engine, self.workers)

    @property
    def address(self) -> str:
        """Where the page is, with the token if there is one."""
        host = "127.0.0.1" if is_loopback(self.host) else socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/{'' if self.token is None else f'?token={self.token}'}"

    async def start(self) -> None:
        """Listen; afterwards `port` is the one that was taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.doors.prepare()

    async def stop(self) -> None:
        """End every tab and close the port."""
        self.doors.end_all()
        await self._runner.cleanup()
        for pool in (self.workers.quick, self.workers.slow):
            pool.shutdown(wait=False, cancel_futures=True)


def serve(serving: Serving, opened: Callable[[Serving], Any]) -> None:
    """Serve until interrupted; `opened` is told once the port is open."""

    async def until_stopped() -> None:
        await serving.start()
        opened(serving)
        try:
            await asyncio.Event().wait()
        finally:
            await serving.stop()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(until_stopped())
