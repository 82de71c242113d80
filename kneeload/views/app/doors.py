"""The door of the page: one port, who may come in, and which tab a visitor belongs to."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import re
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import WSCloseCode, web

from kneeload.views.app.tab import SECRET, Build, Tab

MOST_TABS = 12
GRACE_S = 30.0
_HELLO_S = 20.0  # a tab whose page never came is ended after this time
_RELOAD_S = 1.0  # a page that is loaded again closes its old connection within this time
_COOKIE = "kneeload_token"
_TAB = re.compile(r"[A-Za-z0-9_-]{22}")
_HEADERS = {
    "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
                               "connect-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; frame-ancestors 'none'; form-action 'self'",
}
_ASK = """<!doctype html><html lang="en"><meta charset="utf-8"><title>kneeload</title><body style="font-family:sans-serif;max-width:32em;margin:4em auto">
<h1>kneeload</h1><p>{words}</p><form method="post" action="/token"><label>Token <input name="token" type="password" autocomplete="off" autofocus></label> <button>Open</button></form></body></html>"""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Doors:
    """The web application of the page.

    Args:
        build: makes the page of a tab on its trame server.
        host: address that is listened on.
        token: word that visitors must know; None asks nobody (for loopback only).
        grace_s: s; how long a tab outlives its connection.
        files: folders with the scripts of the page, by the first part of their address; "" for the start page.
    """

    def __init__(self, build: Build, *, host: str, token: str | None, files: dict[str, str], grace_s: float = GRACE_S) -> None:
        if token is None and not is_loopback(host):
            raise ValueError("a page that other machines can reach needs a token")
        self._build, self._host, self._token, self._grace_s = build, host, token, grace_s
        self._key = secrets.token_bytes(32)
        self._files = {name: Path(folder).resolve() for name, folder in files.items()}
        self.tabs: dict[str, list[Tab]] = {}
        self._spare: Tab | None = None
        self._closed = False
        self.application = web.Application(middlewares=[self._guard], client_max_size=4096)
        self.application.router.add_get("/", self._enter)
        self.application.router.add_post("/token", self._take_token)
        self.application.router.add_get("/t/{tab}/ws", self._socket)
        self.application.router.add_post("/t/{tab}/paraview/", self._where)
        self.application.router.add_get("/t/{tab}/{path:.*}", self._file)
        self.application.on_shutdown.append(self._close)

    def end_all(self) -> None:
        """End every tab."""
        self._closed = True
        for tab in [tab for tabs in self.tabs.values() for tab in tabs] + ([self._spare] if self._spare else []):
            tab.end()

    async def _close(self, _: web.Application) -> None:
        for tab in [tab for tabs in self.tabs.values() for tab in tabs]:
            await tab.stop()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse foreign pages and visitors without the token; add the headers that keep a browser careful."""
        try:
            response = await self._admitted(request, handler)
        except web.HTTPException as answer:
            answer.headers.update(_HEADERS)
            raise
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    async def _admitted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._known_host(request):
            raise web.HTTPForbidden(text="This page answers under its own address only.")
        if not _own_origin(request) or (request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site") and request.headers.get("Sec-Fetch-Mode") != "navigate"):
            raise web.HTTPForbidden(text="Other pages may not use this one.")
        if request.path != "/token" and not self._knows_token(request):
            if request.query.get("token") is not None and request.path == "/":
                return await self._answer(request.query["token"])
            return web.Response(status=401, text=_ASK.format(words="This page asks for the token that was printed where it was started."), content_type="text/html")
        return await handler(request)

    def _known_host(self, request: web.Request) -> bool:
        """Whether the page was asked for by an address of this server and not by a foreign name that points to it (DNS rebinding)."""
        name = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
        if is_loopback(self._host):
            return is_loopback(name) or name == self._host
        return True  # other machines know this one by names that nobody can list; they need the token, which a foreign page does not have

    def _knows_token(self, request: web.Request) -> bool:
        return self._token is None or hmac.compare_digest(request.cookies.get(_COOKIE, "").encode(), self._mark(self._token).encode())

    def _mark(self, token: str) -> str:
        return hmac.new(self._key, token.encode(), hashlib.sha256).hexdigest()

    async def _take_token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        return await self._answer(str(form.get("token", "")))

    async def _answer(self, token: str) -> web.StreamResponse:
        """Let a visitor with the right token in; a wrong one costs time."""
        if self._token is None or not hmac.compare_digest(self._mark(token), self._mark(self._token)):
            await asyncio.sleep(0.5)
            return web.Response(status=401, text=_ASK.format(words="That was not the token."), content_type="text/html")
        response = web.HTTPSeeOther("/")
        response.set_cookie(_COOKIE, self._mark(self._token), httponly=True, samesite="Strict", path="/")
        raise response

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"/t/{secrets.token_urlsafe(16)}/index.html")

    async def _where(self, request: web.Request) -> web.StreamResponse:
        """Where the websocket of a page is: the first thing that a page asks."""
        if not _TAB.fullmatch(request.match_info["tab"]):
            raise web.HTTPNotFound
        return web.json_response({"sessionURL": f"{'wss' if request.secure else 'ws'}://{request.host}/t/{request.match_info['tab']}/ws", "secret": SECRET})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        """One of the page's own files; nothing else on the disk has an address."""
        first, _, rest = request.match_info["path"].partition("/")
        root, inner = (self._files[first], rest) if first in self._files and first else (self._files[""], request.match_info["path"])
        path = (root / inner).resolve()
        if not _TAB.fullmatch(request.match_info["tab"]) or not path.is_relative_to(root) or not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        """The connection of a page with its tab: its own again after a reload, else a new one."""
        name = request.match_info["tab"]
        if not _TAB.fullmatch(name) or request.headers.get("Origin") is None:
            raise web.HTTPForbidden
        tab = await self._tab(name)
        if tab is None:
            return await _full(request)
        return await tab.serve(request)

    async def _tab(self, name: str) -> Tab | None:
        waited = 0.0
        while self.tabs.get(name) and waited < _RELOAD_S:
            for tab in self.tabs[name]:
                if not tab.connected and not tab.ended:
                    tab.shutdown_cancel()
                    return tab
            await asyncio.sleep(0.05)
            waited += 0.05
        if sum(map(len, self.tabs.values())) >= MOST_TABS:
            return None
        tab = self._spare or self._new_tab()
        self._spare = None
        self.prepare(2.0)
        self.tabs.setdefault(name, []).append(tab)
        asyncio.get_running_loop().call_later(_HELLO_S, lambda: None if tab.connected else tab.shutdown_schedule())
        return tab

    def _new_tab(self) -> Tab:
        return Tab(secrets.token_hex(12), self._build, grace_s=self._grace_s, on_end=self._forget)

    def prepare(self, delay_s: float = 0.0) -> None:
        """Build a page in advance, so that the next visitor does not wait for it."""
        asyncio.get_running_loop().call_later(delay_s, self._fill)

    def _fill(self) -> None:
        if self._spare is None and not self._closed:
            self._spare = self._new_tab()

    def _forget(self, tab: Tab) -> None:
        for name in [name for name, tabs in self.tabs.items() if tab in tabs]:
            self.tabs[name].remove(tab)
            if not self.tabs[name]:
                del self.tabs[name]


def _own_origin(request: web.Request) -> bool:
    """Whether a request that names its page comes from this page: browsers add Origin to every websocket and form."""
    origin = request.headers.get("Origin")
    return origin is None or origin in (f"http://{request.host}", f"https://{request.host}")


async def _full(request: web.Request) -> web.StreamResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.close(code=WSCloseCode.TRY_AGAIN_LATER, message=b"too many tabs")
    return socket
