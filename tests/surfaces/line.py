"""A native connection in a test's hands, with an engine behind it that answers what the test says."""

from __future__ import annotations

import struct
from math import inf
from types import SimpleNamespace
from typing import Any

from msgpack import unpackb

from kv_protocol.errors import CallCancelled
from kv_protocol.frames import FrameReader, pack
from kv_server.engine.engine import PARKED
from kv_server.engine.session import EVERYBODY, Login
from kv_server.spec.command import READ, WRITE
from kv_server.surfaces.hello import Limits
from kv_server.surfaces.native import NativeConnection, NativeDoor

LIMITS = Limits(frame=1 << 20, batch=4096, parked=10, output=1 << 20)


def nothing(*told: object) -> None:
    """What nobody wants to know."""


class PretendEngine:
    """Knows the commands GIVE and CHANGE: each returns, or raises, `next_reply`; every call is remembered."""

    def __init__(self) -> None:
        give = SimpleNamespace(name="GIVE", flags=READ, present=None)
        change = SimpleNamespace(name="CHANGE", flags=WRITE, present=None)
        shown = SimpleNamespace(name="SHOWN", flags=READ, present=lambda reply: f"<{reply}>")
        self.tx = SimpleNamespace(revision=0, now_ms=0, name=b"", last_key=None)
        self.observation = SimpleNamespace(least_s=inf, ran=nothing, note=nothing, fail=nothing, see=nothing)
        self.catalog = SimpleNamespace(commands={b"GIVE": give, b"CHANGE": change, b"SHOWN": shown})
        self.epoch, self.revision, self.elapsed_ms, self.now_ms = 7, 42, 1000, 1_800_000_000_000
        self.next_reply: Any = b"reply"
        self.calls: list[tuple[Any, ...]] = []
        self.credits: list[tuple[int, int]] = []
        self.parked: set[int] = set()
        self.detached: list[object] = []
        self.greeting: Exception | None = None

    @property
    def access(self) -> Any:
        return SimpleNamespace(first=lambda certified: EVERYBODY)

    def open_session(
        self, outbox: Any, client: str, namespace: bytes, secret: bytes | None, login: Login
    ) -> tuple[Any, bool]:
        if self.greeting is not None:
            raise self.greeting
        self.outbox = outbox
        session = SimpleNamespace(
            id=5, secret=secret or b"s" * 16, client=client, namespace=namespace, waiting={}, login=login
        )
        return session, secret is not None

    def execute(self, session: Any, request_id: int, command: Any, args: Any, options: Any, meta: Any) -> Any:
        self.calls.append((request_id, command.name, args, options, meta))
        reply = self.next_reply
        if isinstance(reply, Exception):
            raise reply.with_traceback(None)
        if reply is PARKED:
            self.parked.add(request_id)
        return reply

    def cancel(self, session: Any, request_id: int) -> bool:
        if request_id not in self.parked:
            return False
        self.parked.remove(request_id)
        self.outbox.fail(request_id, CallCancelled("cancelled"))
        return True

    def credit(self, session: Any, request_id: int, count: int) -> None:
        self.credits.append((request_id, count))

    def detach(self, session: Any, outbox: Any) -> None:
        self.detached.append(outbox)


class Line:
    """One connection, and what came out of it."""

    def __init__(self, *, limits: Limits = LIMITS, hello: bool = True) -> None:
        self.engine = PretendEngine()
        self.limits = limits
        self.now = 0.0
        self.woken = 0
        self.door = NativeDoor(self.engine, limits, "kv-server test", lambda: self.now)  # type: ignore[arg-type]
        self.connection: NativeConnection = self.door.connect(self._wake, lambda: False)
        self._reader = FrameReader(1 << 30)
        if hello:
            [[_, status, self.welcome]] = self.ask(1, "HELLO", [1])
            assert status == 0

    def _wake(self) -> None:
        self.woken += 1

    def ask(self, *request: Any) -> list[list[Any]]:
        """Send *request* and take what is answered at once."""
        return self.send(pack(request))

    def send(self, data: bytes) -> list[list[Any]]:
        if data:
            self.connection.receive_data(data)
        return self.take()

    def take(self) -> list[list[Any]]:
        """The messages that are to be sent now, all of them whole."""
        found = []
        while data := self.connection.data_to_send():
            found += [unpackb(body, strict_map_key=False) for body in self._reader.feed(data)]
        assert self._reader.held == 0
        return found


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body
