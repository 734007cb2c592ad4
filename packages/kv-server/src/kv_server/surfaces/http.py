"""What the server says over HTTP, and to whom. Knows requests and answers; who carries them is a matter of `net`."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from http import HTTPMethod
from ipaddress import ip_address
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from kv_protocol.errors import Busy
from kv_server.engine.access.access import TOKEN
from kv_server.engine.engine import Engine
from kv_server.engine.gates import CLOSED
from kv_server.engine.session import Login
from kv_server.spec.command import Command
from kv_server.surfaces.metrics import exposition

__all__ = ["Answer", "Headers", "Site"]

Headers: TypeAlias = Mapping[str, str]
"""The last value of each header, by its name in small letters."""

_MOST_LAG_MS: Final = 1_000.0
_OK: Final = 200
_METHODS: Final = (HTTPMethod.GET, HTTPMethod.HEAD)
_ALWAYS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_LOGIN: Final = {"www-authenticate": 'Basic realm="kv", Bearer realm="kv"'}


class Answer(NamedTuple):
    """A status, headers, and a body in pieces, between which others may have their turn."""

    status: int
    headers: dict[str, str]
    body: Iterator[bytes]


class Site:
    """All pages. *local*: only this machine can reach them, and nobody has to log in. Else those may read them who
    may call the command *like*, which tells as much.
    """

    def __init__(self, engine: Engine, *, local: bool, like: Command) -> None:
        self._engine = engine
        self._local = local
        self._like = like
        self._pages: dict[str, Callable[[Headers], Answer]] = {
            "/metrics": self._metrics,
            "/health": self._health,
            "/ready": self._ready,
        }

    def answer(self, method: str, path: str, headers: Headers) -> Answer:
        """Answer one request of somebody who may ask."""
        page = self._pages.get(path)
        if page is None:
            return _refused(404, f"there is no such page: ask for {', '.join(self._pages)}")
        if method not in _METHODS:
            return _refused(405, f"ask for it with {_METHODS[0]}", {"allow": ", ".join(_METHODS)})
        return page(headers)

    def authorize(self, headers: Headers, address: str, told: Callable[[Answer | None], None]) -> None:
        """Find out why whoever sent *headers* from *address* is turned away, if so. A page in a browser never gets an
        answer: not by a name that leads here although it should not, nor from a site of its own.
        """
        if self._local and not _names_this_machine(headers.get("host", "localhost")):
            told(_refused(421, "this is served to this machine alone: ask for it as localhost"))
        elif "origin" in headers:
            told(_refused(403, "pages of other sites may not ask for this"))
        elif self._local:
            told(None)
        else:
            self._identify(headers, address, told)

    def _identify(self, headers: Headers, address: str, told: Callable[[Answer | None], None]) -> None:
        access, like = self._engine.access, self._like

        def found(login: object) -> None:
            if isinstance(login, Login) and access.may(login, like):
                told(None)
            elif isinstance(login, Login):
                told(_refused(403, f"this user may not run {like.name}"))
            elif isinstance(login, Busy):
                told(_refused(429, str(login)))
            else:
                told(_refused(401, "log in with a user and a password, or with a token", _LOGIN))

        given = _credentials(headers.get("authorization", ""))
        if given is None:
            found(access.first(None))
        else:
            access.login(*given, address, "http", found)

    # ---- pages
    def _metrics(self, headers: Headers) -> Answer:
        content_type, pieces = exposition(self._engine, headers.get("accept", ""))
        return Answer(_OK, {"content-type": content_type, **_ALWAYS}, pieces)

    def _health(self, headers: Headers) -> Answer:
        """That anything is answered is all there is to say: the loop that serves clients answers this too."""
        engine = self._engine
        return _json(_OK, {"alive": True, "uptime_seconds": (engine.elapsed_ms - engine.started_ms) / 1000})

    def _ready(self, headers: Headers) -> Answer:
        engine = self._engine
        lag_ms = float(engine.node.facts().get("loop", {}).get("lag_ms", 0))
        reason = ""
        if not engine.writable:
            reason = str(engine.refusal())
        elif lag_ms > _MOST_LAG_MS:
            reason = f"the loop is {lag_ms:.0f} ms late"
        facts = {
            "ready": not reason,
            "reason": reason,
            "loading": engine.loading,
            "draining": engine.open == CLOSED,
            "writable": engine.writable,
            "loop_lag_seconds": lag_ms / 1000,
        }
        return _json(503 if reason else _OK, facts)


def _credentials(header: str) -> tuple[bytes, bytes] | None:
    """The name and password, or the token, in an Authorization header."""
    scheme, _, given = header.partition(" ")
    if scheme.lower() == "bearer":
        return TOKEN, given.strip().encode("utf-8", "replace")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = b64decode(given, validate=True).partition(b":")
    except ValueError:
        return None
    return name, password


def _names_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _refused(status: int, reason: str, headers: dict[str, str] | None = None) -> Answer:
    return _json(status, {"error": reason}, headers)


def _json(status: int, facts: dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    body = json.dumps(facts).encode() + b"\n"
    return Answer(status, {"content-type": "application/json", **_ALWAYS, **(headers or {})}, iter((body,)))
