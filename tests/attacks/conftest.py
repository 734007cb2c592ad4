"""A server that demands a login, an operator in it, and whoever else a test wants to be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.app.program import Running, running
from tests.attacks.native_caller import Caller
from tests.redis.client import Connection

SECRET = "the-secret-of-the-operator"
PASSWORD = b"the-secret-of-ada"


class Town:
    """The server, and its operator's connection."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self._opened: list[Connection | Caller] = []
        self.operator = self.line(b"default", SECRET.encode())

    def line(self, user: bytes | None = None, password: bytes = PASSWORD) -> Connection:
        """A connection of the text door, logged in as *user*."""
        line = Connection(self.server.port)
        self._opened.append(line)
        if user is not None:
            assert line.call(b"AUTH", user, password).value == b"OK"
        return line

    def caller(self, user: bytes = b"ada", password: bytes = PASSWORD, **hello: bytes) -> Caller:
        """The same natively."""
        return self.stranger(user=user, password=password, **hello)

    def stranger(self, **hello: bytes) -> Caller:
        """A native connection that says of itself what is in *hello*."""
        caller = Caller(self.server.port, **hello)
        self._opened.append(caller)
        return caller

    def close(self) -> None:
        for one in self._opened:
            one.close()

    def rules(self, *rules: bytes, user: bytes = b"ada") -> None:
        """Let *user* be what *rules* make of nobody, with the password; its connections stay."""
        reply = self.operator.call(b"ACL", b"SETUSER", user, b"on", b"clearselectors", b"-@all", b"resetkeys",
                                   b"resetchannels", b"allnamespaces", *rules)  # fmt: skip
        assert reply.value == b"OK", reply

    def make(self, *rules: bytes, user: bytes = b"ada") -> None:
        """Make *user* anew."""
        self.operator.call(b"ACL", b"SETUSER", user, b"reset", b"on", b">" + PASSWORD)
        self.rules(*rules, user=user)


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with running("--log-level", "warning", KV_PASSWORD=SECRET) as server:
        yield server


@pytest.fixture
def town(served: Running) -> Iterator[Town]:
    town = Town(served)
    try:
        yield town
        assert town.operator.call(b"PING").value == b"PONG", "the server is not alive"
        town.operator.call(b"FLUSHALL")
    finally:
        town.close()
