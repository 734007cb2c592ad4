"""Pages without a network: who is asked to log in, what makes a server not ready."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kv_protocol.errors import Busy, LoginFailed, ReadOnly, ShuttingDown
from kv_server.commands import CATALOG
from kv_server.engine.access.access import TOKEN
from kv_server.engine.session import Login
from kv_server.spec.command import Command
from kv_server.surfaces.http import Answer, Site

INFO = CATALOG.commands[b"INFO"]


def engine(lag_ms: float = 0.0, refusal: Exception | None = None, **facts: Any) -> Any:
    node = SimpleNamespace(facts=lambda: {"loop": {"lag_ms": lag_ms}})
    made = {"node": node, "loading": False, "open": -1, "writable": refusal is None, "refusal": lambda: refusal}
    return SimpleNamespace(elapsed_ms=5_000, started_ms=2_000, **{**made, **facts})


def ask(site: Site, path: str = "/ready", method: str = "GET") -> tuple[int, dict[str, Any]]:
    answer = site.answer(method, path, {})
    return answer.status, json.loads(b"".join(answer.body))


def turned_away(site: Site, **headers: str) -> int | None:
    """The status of the refusal that such headers meet; None if there is none."""
    told: list[Answer | None] = []
    site.authorize(headers, "10.0.0.7", told.append)
    (refusal,) = told
    if refusal is not None and refusal.status == 401:
        assert refusal.headers["www-authenticate"].startswith("Basic ")
    return None if refusal is None else refusal.status


class Doorman:
    """Knows ada, who may, and bob, who may not; strangers only if the door is *open*."""

    def __init__(self, open: bool) -> None:
        self.open = open
        self.asked: list[tuple[bytes, bytes, str]] = []

    def first(self, certified: str | None) -> Login | None:
        return Login("default", "", "") if self.open else None

    def login(self, name: bytes, password: bytes, address: str, word: str, told: Callable[[object], None]) -> None:
        self.asked.append((name, password, address))
        known = password in (b"s:cret", b"kvt_1_x") and name in (b"ada", b"bob", TOKEN)
        told(Login(name.decode(), "", "") if known else Busy("later") if name == b"often" else LoginFailed("no"))

    def may(self, login: Login, command: Command) -> bool:
        assert command is INFO
        return login.user != "bob"


def guarded(open: bool = False) -> tuple[Site, Doorman]:
    doorman = Doorman(open)
    return Site(engine(access=doorman), local=False, like=INFO), doorman


def basic(name: str, password: str) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


def test_at_a_public_address_everybody_has_to_log_in() -> None:
    site, doorman = guarded()
    assert turned_away(site, host="kv.example.com") == 401
    assert turned_away(site, authorization=basic("ada", "wrong")) == 401
    assert turned_away(site, authorization=basic("ada", "s:cret")) is None
    assert turned_away(site, authorization="bearer kvt_1_x") is None
    assert doorman.asked[-1] == (TOKEN, b"kvt_1_x", "10.0.0.7")
    assert turned_away(site, authorization=basic("bob", "s:cret")) == 403
    assert turned_away(site, authorization=basic("often", "")) == 429


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic YQ", "Digest x", "", "Bearer"])
def test_credentials_that_are_none_are_refused(header: str) -> None:
    assert turned_away(guarded()[0], authorization=header) == 401


def test_a_page_of_a_browser_is_turned_away_before_its_login_is_looked_at() -> None:
    site, doorman = guarded()
    assert turned_away(site, origin="https://kv.example.com", authorization=basic("ada", "s:cret")) == 403
    assert not doorman.asked


def test_nobody_has_to_log_in_where_the_default_user_is_open() -> None:
    assert turned_away(guarded(open=True)[0]) is None


def test_on_this_machine_nobody_has_to() -> None:
    site = Site(engine(), local=True, like=INFO)
    assert turned_away(site) is turned_away(site, host="localhost:7441") is None
    assert turned_away(site, host="kv.example.com") == 421


@pytest.mark.parametrize(
    "facts, reason",
    [
        ({"lag_ms": 1_500.0}, "the loop is 1500 ms late"),
        ({"refusal": ReadOnly("the disk is full")}, "the disk is full"),
        ({"refusal": ShuttingDown("the server is shutting down"), "open": 0}, "the server is shutting down"),
    ],
)
def test_a_server_that_is_not_ready_says_why(facts: dict[str, Any], reason: str) -> None:
    status, said = ask(Site(engine(**facts), local=True, like=INFO))
    assert status == 503 and said["ready"] is False and said["reason"] == reason
    assert said["draining"] == (facts.get("open") == 0)
    assert ask(Site(engine(**facts), local=True, like=INFO), "/health") == (200, {"alive": True, "uptime_seconds": 3.0})


def test_some_lag_is_no_reason() -> None:
    assert ask(Site(engine(lag_ms=900.0), local=True, like=INFO))[0] == 200
