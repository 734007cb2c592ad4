"""The arithmetic of a watch: what was received and not yet taken, what the server may still send, what a reconnection
left out.
"""

from collections import deque
from math import inf
from typing import Any, Final

from kv_client._core.call import READ, WAITS, Call, Wire
from kv_protocol.errors import ProtocolError
from kv_protocol.names import text, wire
from kv_protocol.types import Change
from kv_protocol.values import decode

__all__ = ["Subscription"]

WINDOW: Final = 256  # events that may wait here


class Subscription(Call):
    """A WATCH that stays open over reconnections. `wake` and `event` tell its owner, through `arrived`, to look again.

    *revision* is the newest one that this subscription knows everything up to.
    """

    __slots__ = ("_events", "_taken", "_window", "opened", "revision")

    def __init__(
        self, keys: tuple[str, ...], prefix: str | None, *, namespace: Wire | None, window: int = WINDOW
    ) -> None:
        options: dict[str, object] = {"credit": window}
        if prefix is not None:
            options["prefix"] = wire(prefix)
        names = tuple(wire(key) for key in keys)
        super().__init__("WATCH", names, options, READ | WAITS, namespace=namespace)
        self._events: deque[Change[Any]] = deque()
        self._window = window
        self._taken = 0
        self.opened = False
        self.revision = 0

    def __len__(self) -> int:
        return len(self._events)

    def open_by(self, moment: float) -> None:
        """Give up if the watch has not begun at *moment*."""
        self.deadline = self.latest = moment

    def repeat(self) -> None:
        """Ask for as much as there is room for."""
        assert self.options is not None
        self.options["credit"] = max(1, self._window - len(self._events))
        self._taken = 0
        self.latest = inf

    def event(self, body: Any) -> None:
        """Take one event from the server."""
        change = _change(body)
        if len(self._events) > 2 * self._window:
            raise ProtocolError("the server sends more events than were granted")
        if change.kind != "open":
            self._events.append(change)
        else:
            self._taken += 1
            if self.opened and change.revision > self.revision:
                self._events.append(Change("gap", change.revision, None, self.revision))
            self.opened = True
            self.deadline = inf
        self.revision = max(self.revision, change.revision)
        self.arrived()

    def take(self) -> Change[Any]:
        """Return the oldest event."""
        self._taken += 1
        return self._events.popleft()

    def due_credit(self) -> int:
        """How many more events to grant now; nothing until half the window was taken."""
        if self._taken * 2 < self._window:
            return 0
        taken, self._taken = self._taken, 0
        return taken

    def wake(self) -> None:
        self.arrived()

    def arrived(self) -> None:
        """Tell the owner that there is something new."""


def _change(body: Any) -> Change[Any]:
    try:
        kind, revision, key, value = body
        if type(kind) is not str or type(revision) is not int:
            raise ProtocolError("an event of another form")
        if kind != "gap" and value is not None:
            value = decode(value)
        return Change(kind, revision, None if key is None else text(key), value)
    except (TypeError, ValueError):
        raise ProtocolError("an event of another form") from None
