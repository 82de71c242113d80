"""Who may come in: addresses, origins, tokens, files, tabs; and that no tab sees another."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgpack
import pytest
from aiohttp.test_utils import TestClient, TestServer
from trame_vtk.modules import vtk
from wslink.chunking import HEADER_LENGTH, generate_chunks

from kneeload.commands.app import run
from kneeload.commands.parser import UsageError
from kneeload.errors import InputError
from kneeload.views.app import serving
from kneeload.views.app.doors import MOST_TABS, Doors, is_loopback
from kneeload.views.app.tab import SECRET, Tab

TOKEN = "a long enough token"
NAME = "A" * 22


class Small:
    """A page with one number that may be written and one that may not."""

    def __init__(self, server: Any) -> None:
        self.server, self.closed, self.seen = server, False, []
        server.context.writable = {"mass": "input", "file": "upload"}
        server.state.update({"mass": 80, "own": "untouched"})
        server.state.change("mass")(lambda mass, **_: self.seen.append(mass))

    def close(self) -> None:
        self.closed = True


def doors(**options: Any) -> Doors:
    settings: dict[str, Any] = {"host": "127.0.0.1", "token": None, "files": serving.files(), "grace_s": 0.2, **options}
    return Doors(Small, **settings)


def visit(made: Doors, call: Callable[[TestClient], Awaitable[Any]]) -> Any:
    async def inner() -> Any:
        client = TestClient(TestServer(made.application))
        await client.start_server()
        try:
            return await call(client)
        finally:
            made.end_all()
            await client.close()

    return asyncio.run(inner())


async def talk(socket: aiohttp.ClientWebSocketResponse, method: str, *args: Any, number: str = "1") -> Any:
    """Send one message and return the answer to it."""
    message = {"wslink": "1.0", "id": f"{'system' if method == 'wslink.hello' else 'rpc'}:{number}", "method": method, "args": list(args), "kwargs": {}}
    for chunk in generate_chunks(msgpack.packb(message), 4_000_000):
        await socket.send_bytes(chunk)
    while True:
        answer = await socket.receive(timeout=10)
        if answer.type != aiohttp.WSMsgType.BINARY:
            return None
        found = msgpack.unpackb(answer.data[HEADER_LENGTH:])
        if found["id"] == message["id"]:
            return found.get("result") if "result" in found else {"error": found["error"]}


async def page(client: TestClient, name: str = NAME, **headers: str) -> aiohttp.ClientWebSocketResponse:
    socket = await client.ws_connect(f"/t/{name}/ws", headers={"Origin": str(client.make_url("/")).rstrip("/"), **headers}, max_msg_size=0)
    await talk(socket, "wslink.hello", {"secret": SECRET})
    return socket


def test_every_visit_gets_an_address_of_its_own() -> None:
    async def call(client: TestClient) -> list[str]:
        return [(await client.get("/", allow_redirects=False)).headers["Location"] for _ in range(2)]

    first, second = visit(doors(), call)
    assert first != second
    assert first.startswith("/t/") and first.endswith("/index.html")


@pytest.mark.parametrize("path", ["/t/short/index.html", f"/t/{NAME}/../../pyproject.toml", f"/t/{NAME}/%2e%2e/%2e%2e/module/vue3.py", f"/t/{NAME}/", f"/t/{NAME}/assets", f"/t/{NAME}//etc/passwd"])
def test_only_the_files_of_the_page_have_an_address(path: str) -> None:
    from yarl import URL

    async def call(client: TestClient) -> tuple[int, int]:
        good = await client.get(f"/t/{NAME}/index.html")
        return good.status, (await client.get(URL(path, encoded=True), allow_redirects=False)).status

    good, bad = visit(doors(), call)
    assert good == 200
    assert bad == 404


@pytest.mark.parametrize("headers", [{"Host": "evil.example:80"}, {"Host": "127.0.0.1.evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}])
def test_foreign_names_and_pages_are_refused(headers: dict[str, str]) -> None:
    async def call(client: TestClient) -> int:
        return (await client.get(f"/t/{NAME}/index.html", headers=headers)).status

    assert visit(doors(), call) == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null", None])
def test_a_websocket_of_another_page_is_refused(origin: str | None) -> None:
    async def call(client: TestClient) -> int:
        with pytest.raises(aiohttp.WSServerHandshakeError) as problem:
            await client.ws_connect(f"/t/{NAME}/ws", headers={} if origin is None else {"Origin": origin})
        return problem.value.status

    assert visit(doors(), call) == 403


def test_answers_carry_the_headers_that_keep_everything_on_this_machine() -> None:
    async def call(client: TestClient) -> Any:
        return (await client.get(f"/t/{NAME}/index.html")).headers

    found = visit(doors(), call)
    assert "default-src 'self'" in found["Content-Security-Policy"]
    assert "http" not in found["Content-Security-Policy"]
    assert found["X-Frame-Options"] == "DENY"


def test_other_hosts_need_a_token() -> None:
    with pytest.raises(ValueError, match="token"):
        doors(host="0.0.0.0")
    assert is_loopback("127.0.0.1") and is_loopback("localhost") and is_loopback("::1")
    assert not is_loopback("0.0.0.0") and not is_loopback("127.0.0.1.evil.example")


def test_without_the_token_nothing_is_told_and_with_it_everything() -> None:
    async def call(client: TestClient) -> list[int]:
        client.session.cookie_jar._unsafe = True  # type: ignore[attr-defined]  # addresses in numbers keep their cookies
        found = [(await client.get(path)).status for path in ("/", f"/t/{NAME}/index.html", "/?token=wrong")]
        found.append((await client.post(f"/t/{NAME}/paraview/")).status)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await page(client)
        found.append((await client.get("/", params={"token": TOKEN})).status)
        found.append((await client.get(f"/t/{NAME}/index.html")).status)
        await page(client)
        return found

    assert visit(doors(host="0.0.0.0", token=TOKEN), call) == [401, 401, 401, 401, 200, 200]


def test_the_first_message_must_know_the_secret_of_the_page() -> None:
    async def call(client: TestClient) -> Any:
        socket = await client.ws_connect(f"/t/{NAME}/ws", headers={"Origin": str(client.make_url("/")).rstrip("/")})
        return await talk(socket, "wslink.hello", {"secret": "wslink-secret"}), await talk(socket, "trame.state.get", number="2")

    hello, state = visit(doors(), call)
    assert "error" in hello and "error" in state


def test_two_tabs_do_not_see_each_other() -> None:
    made = doors()

    async def call(client: TestClient) -> tuple[Any, Any]:
        first, second = await page(client), await page(client, "B" * 22)
        await talk(first, "trame.state.update", [{"key": "mass", "value": 95}], number="2")
        return [(await talk(item, "trame.state.get", number="3"))["state"]["mass"] for item in (first, second)]

    assert visit(made, call) == [95, 80]


def test_the_same_address_in_a_second_tab_is_a_second_page_and_a_reload_is_not() -> None:
    async def call(client: TestClient) -> list[Any]:
        first = await page(client)
        await talk(first, "trame.state.update", [{"key": "mass", "value": 95}], number="2")
        copy = await page(client)
        found = [(await talk(copy, "trame.state.get", number="3"))["state"]["mass"]]
        await first.close()
        again = await page(client)
        return [*found, (await talk(again, "trame.state.get", number="3"))["state"]["mass"]]

    assert visit(doors(), call) == [80, 95]


def test_a_page_can_write_its_inputs_only() -> None:
    made = doors()

    async def call(client: TestClient) -> Any:
        socket = await page(client)
        bad = [{"key": "own", "value": 1}, {"key": "trame__scripts", "value": ["x"]}, {"key": "mass", "value": {"a": 1}}, {"key": "mass", "value": "x" * 10_000}, {"key": ["mass"], "value": 1}, "mass", None]
        for change in bad:
            await talk(socket, "trame.state.update", [change], number="2")
        state = (await talk(socket, "trame.state.get", number="3"))["state"]
        calls = [await talk(socket, name, number="4") for name in ("application.exit", "viewport.image.push", "trame.force.push", "unknown")]
        return state, calls, next(iter(made.tabs.values()))[0].page.seen

    state, calls, seen = visit(made, call)
    assert (state["own"], state["mass"], seen) == ("untouched", 80, [80])
    assert all("error" in answer for answer in calls)


def test_a_failing_call_tells_no_inside_and_the_page_lives_on() -> None:
    made = doors()

    async def call(client: TestClient) -> Any:
        socket = await page(client)

        @next(iter(made.tabs.values()))[0].server.trigger("fail")
        def fail() -> None:
            raise RuntimeError("/home/someone/secret")

        return await talk(socket, "trame.trigger", "fail", [], {}, number="2"), await talk(socket, "trame.state.get", number="3")

    failed, state = visit(made, call)
    assert "secret" not in str(failed) and "error" in failed
    assert state["state"]["mass"] == 80


@pytest.mark.parametrize("junk", [b"", b"\0" * 12, b"\1\0\0\0" + b"\0\0\0\0" + b"\xff\xff\xff\x7f" + b"x", b"\2\0\0\0\0\0\0\0\5\0\0\0hello"])
def test_broken_messages_end_the_connection_and_nothing_else(junk: bytes) -> None:
    async def call(client: TestClient) -> Any:
        socket = await page(client)
        await socket.send_bytes(junk)
        await asyncio.sleep(0.1)
        other = await page(client, "C" * 22)
        return await talk(other, "trame.state.get", number="3")

    assert visit(doors(), call)["state"]["mass"] == 80


def test_a_closed_tab_ends_after_its_time_and_is_forgotten() -> None:
    made = doors(grace_s=0.1)
    kept: list[Any] = []

    async def call(client: TestClient) -> Any:
        socket = await page(client)
        tab = next(iter(made.tabs.values()))[0]
        kept.extend([weakref.ref(tab.page), tab.page.closed])
        small = tab.page
        await socket.close()
        await asyncio.sleep(0.5)
        return len(made.tabs), small.closed

    assert visit(made, call) == (0, True)
    gc.collect()
    assert kept[1] is False
    assert kept[0]() is None


def test_an_ended_tab_leaves_no_helper_of_the_3d_view_behind() -> None:
    class Drawing(Small):
        def __init__(self, server: Any) -> None:
            super().__init__(server)
            server.enable_module(vtk)

    async def inner() -> tuple[int, int]:
        tab = Tab("drawing", Drawing, grace_s=1.0, on_end=lambda _: None)
        there = len(vtk.HELPERS_PER_SERVER)
        tab.end()
        return there, len(vtk.HELPERS_PER_SERVER)

    there, left = asyncio.run(inner())
    assert left == there - 1


def test_there_is_an_end_to_the_number_of_tabs() -> None:
    made = doors()

    async def call(client: TestClient) -> Any:
        for number in range(MOST_TABS):
            await page(client, f"{number:022d}")
        with pytest.raises((TypeError, ConnectionError, aiohttp.ClientError, AssertionError, StopAsyncIteration)):
            socket = await page(client, "Z" * 22)
            assert not socket.closed
        return sum(map(len, made.tabs.values()))

    assert visit(made, call) == MOST_TABS


def test_tabs_have_servers_of_their_own() -> None:
    async def inner() -> tuple[Tab, Tab]:
        return tuple(Tab(name, Small, grace_s=1.0, on_end=lambda _: None) for name in ("one", "two"))  # type: ignore[return-value]

    one, two = asyncio.run(inner())
    one.server.state.mass = 1
    assert two.server.state.mass == 80
    assert one.server.protocol is not two.server.protocol


@pytest.mark.parametrize(("words", "kind", "said"), [
    (["--token", "short", "--no-browser"], InputError, "12"), (["--port", "70000"], InputError, "port"), (["intervention=[toe_in]"], UsageError, "in the page"), (["--unknown"], UsageError, "unknown"),
])
def test_bad_words_end_the_command(words: list[str], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        run(words, SimpleNamespace())  # type: ignore[arg-type]
