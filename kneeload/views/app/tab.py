"""One browser tab: a trame server of its own, so that no tab sees or disturbs another. No port is opened here (`doors` has the only one)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

from aiohttp import web
from trame_client import module as client_files
from trame_server import Server
from trame_server.protocol import CoreServer
from trame_vtk.modules.vtk import HELPERS_PER_SERVER
from wslink import register
from wslink.backends.aiohttp import AioHttpWsHandler
from wslink.protocol import AbstractWebApp

SECRET = secrets.token_urlsafe(24)  # what a page says in its first message; told to this server's own pages only
LARGEST_MESSAGE = 24 * 1024 * 1024  # bytes; a message of a page, an upload included
LONGEST_TEXT = 400  # letters of a value that is typed
_UNFINISHED = 4  # messages that may be under way in pieces at once
_CALLS = ("trame.state.get", "trame.state.update", "trame.trigger", "trame.lifecycle.update", "viewport.geometry.array.get")

Build = Callable[[Server], Any]  # makes the page on a server and returns what shall be closed with it (an object with `close()`)


class TabProtocol(CoreServer):
    """The calls that a page may make. What it may change is what the server lists in `context.writable`, no other state."""

    @register("trame.state.update")
    def update_state(self, changes: Any) -> None:
        """Take over changes of inputs: known keys only, texts cut to a sensible length."""
        writable = self.server.context.writable
        kept = [change for change in changes if isinstance(change, dict) and change.get("key") in writable and _sensible(change["key"], change.get("value"), writable)]
        with self.server.state:
            self.push_state_change({change["key"]: change.get("value") for change in kept}, skip_last_active_client=True)
            self.server.state.update({change["key"]: change.get("value") for change in kept})

    @register("trame.lifecycle.update")
    def life_cycle_update(self, name: Any) -> None:
        """Tell the page's own listeners that a page was opened."""
        if name in ("client_connected", "client_mounted"):
            super().life_cycle_update(name)

    @register("trame.error.client")
    def js_error(self, message: Any) -> None:
        """Errors of a page are its own."""


def _sensible(key: str, value: Any, writable: dict[str, str]) -> bool:
    """Whether a value has a form that an input can have: a number, a truth value, a short text, or, for an upload, files."""
    if writable[key] == "upload":
        return value is None or isinstance(value, (dict, list))
    return value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and len(value) <= LONGEST_TEXT)


class TabHandler(AioHttpWsHandler):
    """The websocket of a tab, with fewer calls and smaller messages than wslink allows, and errors without their traceback."""

    def __init__(self, protocol: TabProtocol, web_app: AbstractWebApp) -> None:
        super().__init__(protocol, web_app)
        for name in [name for name in self.functionMap if name not in _CALLS]:  # type: ignore[has-type]
            del self.functionMap[name]  # type: ignore[has-type]

    async def handleSystemMessage(self, rpcid: Any, methodName: Any, args: Any, client_id: str) -> bool:
        """Greet a page; afterwards it may send messages up to the largest upload."""
        done: bool = await super().handleSystemMessage(str(rpcid), methodName, args, client_id)
        if client_id in self.authentified_client_ids:
            self.unchunkers[client_id].set_max_message_size(LARGEST_MESSAGE)
        return done

    async def onMessage(self, is_binary: bool, msg: Any, client_id: str) -> None:
        """Take a message; one that breaks the rules ends the connection."""
        try:
            await super().onMessage(is_binary, msg, client_id)
            broken = len(self.unchunkers[client_id].pending_messages) > _UNFINISHED
        except (ValueError, TypeError, KeyError, AttributeError):
            broken = True
        if broken and client_id in self.connections:
            await self.connections[client_id].close(code=1008)

    async def sendWrappedError(self, rpcid: Any, code: int, message: str, data: Any = None, client_id: str | None = None) -> None:
        """Say that a call failed, without the inside of the program."""
        await super().sendWrappedError(rpcid, code, message, None, client_id)


class Tab(AbstractWebApp):
    """A browser tab: its trame server, its page and its websocket.

    Args:
        name: a name that no other tab has.
        build: makes the page on the server.
        grace_s: s; how long the tab outlives its connection, for a page that is loaded again.
        on_end: called once, when the tab has ended.
    """

    def __init__(self, name: str, build: Build, *, grace_s: float, on_end: Callable[[Tab], None]) -> None:
        super().__init__({"timeout": 0})
        self.name, self._grace_s, self._on_end, self.ended = name, grace_s, on_end, False
        self._leaving: asyncio.TimerHandle | None = None
        self.server = Server(name=name)
        self.server.client_type = "vue3"
        self.server.enable_module(client_files)
        self.page = build(self.server)
        CoreServer.server = self.server  # read by the constructor below; nothing else runs in between
        self._protocol = TabProtocol()
        self._protocol.updateSecret(SECRET)
        self._protocol.set_server(self)
        self._handler = TabHandler(self._protocol, self)
        self._protocol.port_callback(0)

    @property
    def ws_compress(self) -> bool:
        """Not compressed: pictures stay on this machine or in its network."""
        return False

    @property
    def connected(self) -> bool:
        """Whether a page is open."""
        return bool(self._handler.connections)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve the websocket of the page until it is closed."""
        response: web.StreamResponse = await self._handler.handleWsRequest(request)
        return response

    def shutdown_schedule(self) -> None:
        """The page was closed: end after the time of grace."""
        self.shutdown_cancel()
        self._leaving = asyncio.get_running_loop().call_later(self._grace_s, self.end)

    def shutdown_cancel(self) -> None:
        """The page is back."""
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    async def stop(self) -> None:
        """End the tab and close its websocket."""
        await self._handler.disconnectClients()
        self.end()

    def end(self) -> None:
        """Let go of everything that belongs to the tab."""
        if self.ended:
            return
        self.ended = True
        self.shutdown_cancel()
        self.page.close()
        HELPERS_PER_SERVER.pop(self.name, None)
        if CoreServer.server is self.server:
            CoreServer.server = None
        self._on_end(self)
