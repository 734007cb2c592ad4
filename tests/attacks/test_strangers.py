"""Nobody has logged in: nothing works, on either door, and it costs the server little to say so."""

from __future__ import annotations

import contextlib
import socket

import pytest

from kv_protocol.frames import pack
from kv_server.commands import CATALOG
from kv_server.spec.command import Command, Door, Flag
from tests.attacks.conftest import Town
from tests.attacks.native_caller import Ended
from tests.redis.client import CLOSED, Connection

ON_RESP = [command for command in CATALOG if Door.RESP in command.declaration.doors]
ON_NATIVE = [command for command in CATALOG if Door.NATIVE in command.declaration.doors]


@pytest.mark.parametrize("words", sorted(CATALOG.words), ids=bytes.decode)
def test_no_word_of_the_text_door_is_answered(town: Town, words: bytes) -> None:
    command = CATALOG.words[words]
    if command.flags & Flag.GREETS:
        return
    line = town.line()
    reply = line.call(*words.split(), *[b"k"] * (abs(command.arity) - 1 - words.count(b" ")))
    assert reply.kind == "error" and reply.value.startswith(b"NOAUTH "), (words, reply)


@pytest.mark.parametrize("command", ON_NATIVE, ids=lambda command: command.name)
def test_no_command_of_the_native_door_is_answered(town: Town, command: Command) -> None:
    caller = town.stranger()
    assert caller.welcome[1] == 2 and caller.welcome[2][0] == "UNAUTHENTICATED"
    with contextlib.suppress(OSError), pytest.raises(Ended):
        caller.call(command.name)


def test_a_first_request_that_is_no_greeting_ends_the_connection(town: Town) -> None:
    with socket.create_connection(("127.0.0.1", town.server.port), timeout=20) as line:
        line.sendall(pack([1, "GET", [b"k"]]))
        assert b"PROTOCOL" in line.recv(65536) and not line.recv(65536)


def test_what_greets_is_all_that_works(town: Town) -> None:
    line = town.line()
    assert line.call(b"HELLO", b"3").value.startswith(b"NOAUTH HELLO must be called")
    assert line.call(b"AUTH", b"wrong").value.startswith(b"WRONGPASS ")
    assert line.call(b"AUTH", b"nobody", b"wrong").value.startswith(b"WRONGPASS ")
    assert line.call(b"HELLO", b"3", b"AUTH", b"nobody", b"wrong").value.startswith(b"WRONGPASS ")
    assert line.call(b"RESET").value == b"RESET"
    assert line.call(b"MULTI").value.startswith(b"NOAUTH ")
    assert line.call(b"QUIT").value == b"OK"


@pytest.mark.parametrize(
    "hello",
    [
        {"password": b"wrong"},
        {"user": b"default", "password": b"wrong"},
        {"user": b"nobody", "password": b"wrong"},
        {"user": b"default"},
        {"token": b"kvt_000000000000_" + b"0" * 64},
        {"token": b""},
        {"token": b"\xff_\xff_\xff"},
        {"user": b"\0" * 1000, "password": b""},
    ],
)
def test_a_greeting_that_proves_nothing_ends_the_connection(town: Town, hello: dict[str, bytes]) -> None:
    caller = town.stranger(**hello)
    assert caller.welcome[2][0] == "LOGIN"
    with pytest.raises(Ended):
        caller.read()


@pytest.mark.parametrize(
    "bomb",
    [
        b"*1\r\n$500000000\r\n",
        b"*2\r\n$4\r\nAUTH\r\n$16385\r\n",
        b"*1048576\r\n",
        b"*17\r\n",
        b"A" * 17_000,
        b"*1\r\n$4\r\nPING\r\n" * 65,
        b"PING\r\n" * 70,
    ],
    ids=["long word", "long password", "many words", "17 words", "long line", "65 commands", "70 lines"],
)
def test_bombs_before_a_login_end_the_connection(town: Town, bomb: bytes) -> None:
    line = town.line()
    line.send_raw(bomb)
    with contextlib.suppress(ConnectionError):
        heard = line.arrived(10)
        while heard and heard[-1] is not CLOSED:
            heard = line.arrived(10)
        assert heard[-1] is CLOSED


def test_a_long_call_may_follow_its_login_at_once(town: Town) -> None:
    town.make(b"+@all", b"allkeys")
    line = town.line()
    replies = line.pipeline(
        [(b"AUTH", b"ada", b"the-secret-of-ada"), (b"SET", b"k", b"x" * 300_000), (b"STRLEN", b"k")]
    )
    assert [reply.value for reply in replies] == [b"OK", b"OK", 300_000]


@pytest.mark.parametrize("first", [b"POST", b"post", b"PoSt"])
def test_a_browser_is_not_answered(town: Town, first: bytes) -> None:
    for head in (first + b" / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\n", b"hOsT: x\r\n"):
        line = town.line()
        line.send_raw(head + b"Host: 127.0.0.1\r\n\r\nAUTH the-secret-of-the-operator\r\nFLUSHALL\r\n")
        with contextlib.suppress(ConnectionError):
            assert line.arrived(10) == [CLOSED]


def test_a_connection_that_never_logs_in_is_ended() -> None:
    from tests.app.program import running

    with running("--hello-timeout", "1", KV_PASSWORD="x") as server:
        line = Connection(server.port)
        try:
            assert line.call(b"PING").value.startswith(b"NOAUTH")
            assert line.arrived(10)[-1] is CLOSED
        finally:
            line.close()
