"""Calls whose replies come later: one that waits to be run again, and a subscription with the events it is owed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from kv_protocol.limits import MAX_EVENTS
from kv_protocol.types import Change
from kv_server.engine.session import Outbox, Session
from kv_server.spec.command import Command

__all__ = ["Parked", "Subscription", "WouldBlock"]


class WouldBlock(Exception):
    """Raised by a command that cannot go on now: park it on *names* of *room* for *wait_ms* (None: no bound).

    *otherwise* is what its caller gets when the time is over: an error to raise, or a reply.
    """

    def __init__(self, room: int, names: Iterable[bytes], wait_ms: int | None, otherwise: object) -> None:
        super().__init__("the call would wait")
        self.room = room
        self.names = tuple(names)
        self.wait_ms = wait_ms
        self.otherwise = otherwise


class Parked:
    """A call that waits, with all it needs to run again."""

    __slots__ = ("args", "command", "fence", "namespace", "options", "outbox", "places", "request_id", "seq", "session")

    def __init__(
        self,
        session: Session,
        request_id: int,
        command: Command,
        args: list[Any],
        options: Any,
        namespace: bytes,
        seq: int | None,
        fence: list[Any] | None,
    ) -> None:
        assert session.outbox is not None
        self.session = session
        self.outbox: Outbox = session.outbox
        self.request_id = request_id
        self.command = command
        self.args = args
        self.options = options
        self.namespace = namespace
        self.seq = seq
        self.fence = fence
        self.places: list[tuple[bytes, int, bytes]] = []


class Subscription:
    """A watch of one connection: what it covers, what it may still be sent, what waits for that."""

    __slots__ = ("credit", "events", "gap", "keys", "namespace", "outbox", "prefix", "request_id", "session", "values")

    def __init__(
        self,
        session: Session,
        request_id: int,
        namespace: bytes,
        keys: tuple[bytes, ...],
        prefix: bytes | None,
        credit: int,
        values: bool,
    ) -> None:
        assert session.outbox is not None
        self.session = session
        self.outbox: Outbox = session.outbox
        self.request_id = request_id
        self.namespace = namespace
        self.keys = keys
        self.prefix = prefix
        self.credit = credit
        self.values = values
        self.events: deque[Change[bytes]] = deque()
        self.gap: Change[Any] | None = None

    def tell(self, event: Change[bytes]) -> None:
        """Send *event* if there is credit, else keep it; the oldest kept ones give way to a gap."""
        if self.credit > 0 and not self.events and self.gap is None:
            self.credit -= 1
            self.outbox.event(self.request_id, event)
            return
        self.events.append(event)
        if len(self.events) > MAX_EVENTS:
            lost = self.events.popleft()
            since = self.gap.value if self.gap is not None else lost.revision - 1
            self.gap = Change("gap", lost.revision, None, since)

    def grant(self, count: int) -> None:
        """Allow *count* more events, and send those that wait."""
        self.credit += count
        if self.gap is not None and self.credit > 0:
            gap, self.gap = self.gap, None
            self.credit -= 1
            self.outbox.event(self.request_id, gap)
        while self.events and self.credit > 0:
            self.credit -= 1
            self.outbox.event(self.request_id, self.events.popleft())
