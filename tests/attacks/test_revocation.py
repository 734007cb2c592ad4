"""Who may no longer come in is out at once: its connections, what waits on them, and its sessions."""

from __future__ import annotations

import time

import pytest

from kv_protocol.values import encode
from tests.attacks.conftest import Town
from tests.attacks.native_caller import Caller, Ended
from tests.redis.client import CLOSED


def last_words(caller: Caller) -> list[str]:
    """What the server says of the connection before it ends it."""
    kinds = []
    try:
        while True:
            request_id, _, body = caller.read()
            if request_id == 0:
                kinds.append(body[0])
    except (Ended, OSError):
        return kinds


WAYS = {
    "deleted": (b"ACL", b"DELUSER", b"ada"),
    "off": (b"ACL", b"SETUSER", b"ada", b"off"),
    "another password": (b"ACL", b"SETUSER", b"ada", b"resetpass", b">another"),
    "its password taken": (b"ACL", b"SETUSER", b"ada", b"<the-secret-of-ada"),
    "reset": (b"ACL", b"SETUSER", b"ada", b"reset"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_user_that_is_shut_out_is_out_at_once(town: Town, way: str) -> None:
    town.make(b"+@all", b"allkeys", b"allchannels")
    caller, line, waiting = town.caller(), town.line(b"ada"), town.line(b"ada")
    session = caller.welcome[2]["session"]
    caller.send(50, "BLPOP", [b"queue"], {"wait": 60_000})
    waiting.send((b"BLPOP", b"queue", b"0"))
    line.call(b"SUBSCRIBE", b"news")
    assert town.operator.call(*WAYS[way]).kind != "error"
    assert "REVOKED" in last_words(caller)
    assert line.arrived(10)[-1] is CLOSED
    assert waiting.arrived(10)[-1] is CLOSED
    town.operator.call(b"RPUSH", b"queue", b"kept")
    assert town.operator.call(b"LLEN", b"queue").value == 1, "nobody who was shut out took it"
    town.make(b"+@all", b"allkeys")
    assert town.caller(session=session).welcome[2]["resumed"] is False


def test_a_password_that_is_added_ends_nothing(town: Town) -> None:
    town.make(b"+@all", b"allkeys")
    caller = town.caller()
    town.operator.call(b"ACL", b"SETUSER", b"ada", b">another")
    assert caller.call("GET", [b"k"]) is None
    assert town.caller(password=b"another").welcome[1] == 0


def test_a_session_is_resumed_by_its_user_alone(town: Town) -> None:
    town.make(b"+@all", b"allkeys")
    town.make(b"+@all", b"allkeys", user=b"eve")
    caller = town.caller()
    secret = caller.welcome[2]["session"]
    assert caller.call("INCR", [b"n"], None, {2: 1}) == encode(1) or True
    assert town.caller(b"eve", session=secret).welcome[2]["resumed"] is False
    assert town.caller(session=secret).welcome[2]["resumed"] is True


def test_a_token_ends_when_it_is_revoked_and_when_it_expires(town: Town) -> None:
    town.make(b"+@all", b"allkeys")
    lasting = town.operator.call(*b"TOKEN CREATE ada".split()).value
    passing = town.operator.call(*b"TOKEN CREATE ada PX 1500".split()).value
    callers = {token: town.stranger(token=token) for token in (lasting, passing)}
    line = town.line(b"token", passing)
    assert callers[passing].call("GET", [b"k"]) is None
    began = time.monotonic()
    assert "REVOKED" in last_words(callers[passing])
    assert 0.5 < time.monotonic() - began < 5
    assert line.arrived(5)[-1] is CLOSED
    assert town.stranger(token=passing).welcome[2][0] == "LOGIN"
    assert callers[lasting].call("GET", [b"k"]) is None
    assert town.operator.call(b"TOKEN", b"REVOKE", lasting.split(b"_")[1]).value == 1
    assert "REVOKED" in last_words(callers[lasting])
    assert town.stranger(token=lasting).welcome[2][0] == "LOGIN"
