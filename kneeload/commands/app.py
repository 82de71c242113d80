"""`kneeload app`: the physiotherapist's page in a browser on this machine."""

from __future__ import annotations

import secrets
import sys
import threading
import webbrowser
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kneeload.commands import CaseOf
from kneeload.commands.parser import Parser, UsageError
from kneeload.errors import InputError, KneeloadError, check_range

if TYPE_CHECKING:
    from kneeload.views.app.serving import Serving

_ABOUT = """Serves the page for physiotherapists on this machine and prints its address; Ctrl-C ends it. `key=value` words, as in a run, say
what the page starts with. It needs no internet, and nothing leaves this machine. Other machines can reach it only with
--host, and then every visitor needs the token that is printed."""
_SHORTEST_TOKEN = 12


def run(arguments: Sequence[str], case_of: CaseOf) -> int:
    """Serve the page until it is stopped; 0 then."""
    parser = Parser("app", _ABOUT)
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1: this machine only)")
    parser.add_argument("--token", help="word that visitors must know, at least 12 letters (default with --host: a random one)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    values, words = parser.with_overrides(arguments)
    check_range("port", values.port, 0, 65535, "", where="--port", why="these are the ports of a machine")
    for word in words:
        if word.lstrip("+~").startswith("intervention"):
            raise UsageError(f"'{word}' has no meaning for kneeload app: interventions are switched on in the page.")
    case = case_of(words) if words else None
    from kneeload.consultation import KneeEngine
    from kneeload.views.app.doors import is_loopback
    from kneeload.views.app.serving import Serving, serve

    token = _token(values.token, needed=not is_loopback(values.host))
    engine = KneeEngine(case)
    threading.Thread(target=_warm, args=(engine,), daemon=True).start()
    try:
        serve(Serving(engine, host=values.host, port=values.port, token=token), lambda serving: _opened(serving, browser=not values.no_browser))
    except OSError as problem:
        raise InputError("address", where="--host, --port", got=f"{values.host}:{values.port}", allowed="a free port of this machine",
                         why=(problem.strerror or "it cannot be listened on").lower()) from None
    return 0


def _token(given: str | None, *, needed: bool) -> str | None:
    if given is not None and (len(given) < _SHORTEST_TOKEN or not given.isascii() or not given.isprintable()):
        raise InputError("token", where="--token", got=f"{len(given)} letters", allowed=f"at least {_SHORTEST_TOKEN} plain letters and figures", why="a short word can be guessed")
    return secrets.token_urlsafe(18) if given is None and needed else given


def _warm(engine) -> None:  # type: ignore[no-untyped-def]
    """Compile and read what the first question needs while the page opens."""
    try:
        engine.warm()
    except KneeloadError as problem:
        print(f"kneeload: {problem}", file=sys.stderr)


def _opened(serving: Serving, *, browser: bool) -> None:
    print(f"kneeload app: {serving.address}", flush=True)
    if serving.token is not None:
        print("Whoever knows this address can use the page. It is not encrypted: use it in networks that you trust.", flush=True)
    print("Information only, not a diagnosis. Ctrl-C ends it.", flush=True)
    if browser:
        threading.Thread(target=webbrowser.open, args=(serving.address,), daemon=True).start()
